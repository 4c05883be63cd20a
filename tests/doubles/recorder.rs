use std::time::Duration;

use anabranch::resolver::{AddWinsSet, Counter, Footprint, Resolver, SetEdit};
use anabranch::testing::doubles::{Asked, Recorder};
use anabranch::testing::laws::{self, Alphabet, Budget};
use anabranch::{Draft, FoldFn, MemoryStore, Registry, Rejection, Replica};

use super::world::clock;

fn seats() -> impl Resolver {
    FoldFn::new("seats", 1, |_| 0_u8, |taken, _: &String, _| *taken += 1).with_admit(
        |taken, _, _| match taken {
            0 => Ok(()),
            _ => Err(Rejection::new("the seat is taken")),
        },
    )
}

async fn open(rule: impl Resolver, late_ms: u64) -> Replica {
    let rules = Registry::new().with("x", rule).unwrap();
    let builder = Replica::builder(MemoryStore::new()).registry(rules);
    let clock = clock(late_ms);
    clock.advance(Duration::from_millis(late_ms));
    builder.environment(clock).open().await.unwrap()
}

#[tokio::test]
async fn what_was_folded_and_what_was_refused_is_told_by_event() {
    let rule = Recorder::new(seats());
    let (here, there) = (open(rule.clone(), 2).await, open(seats(), 1).await);
    let draft = |guest: &str| Draft::new("x/1", "booked", guest).unwrap();
    let first = there.record(draft("Ada")).await.unwrap();
    let second = here.record(draft("Bob")).await.unwrap();
    here.sync(&there).await.unwrap();
    here.present("x/1").await.unwrap();
    let ids = |recorded: &anabranch::engine::Recorded| recorded.events().collect::<Vec<_>>();
    let [first, second] = [ids(&first)[0], ids(&second)[0]];
    let refused: Vec<_> = rule.refused().into_iter().map(|(id, _)| id).collect();
    assert!(rule.applied().contains(&first));
    assert_eq!(refused, [second], "who came later in the order is refused");
    rule.clear();
    assert_eq!(rule.record(), []);
}

#[test]
fn a_recorded_rule_answers_as_the_rule_that_it_wraps() {
    let rule = Recorder::new(AddWinsSet);
    let plain = AddWinsSet;
    let edit = SetEdit::new().add("a").unwrap();
    let payload = anabranch::event::Payload::encode(&edit).unwrap();
    let (ours, theirs) = (
        rule.decode(&payload).unwrap(),
        plain.decode(&payload).unwrap(),
    );
    assert_eq!(rule.footprint(&ours), plain.footprint(&theirs));
    assert_eq!((rule.id(), rule.claims()), (plain.id(), plain.claims()));
    assert_eq!(rule.configuration(), plain.configuration());
    assert_eq!(rule.judge(&ours, &theirs), plain.judge(&ours, &theirs));
    let keys = Asked::Footprint(plain.footprint(&theirs));
    assert_eq!(rule.record()[0], keys);
    assert_ne!(keys, Asked::Footprint(Footprint::Everything));
}

#[tokio::test]
async fn replicas_with_and_without_a_recorder_agree_to_the_byte() {
    let (here, there) = (
        open(Recorder::new(Counter), 1).await,
        open(Counter, 2).await,
    );
    for step in [1, -5, 7] {
        let draft = Draft::new("x/1", "stepped", &step).unwrap();
        here.record(draft.clone()).await.unwrap();
        there.record(draft).await.unwrap();
    }
    here.sync(&there).await.unwrap();
    let digests = [
        here.digest("x/1").await.unwrap(),
        there.digest("x/1").await.unwrap(),
    ];
    assert!(digests[0].is_some());
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn a_recorder_breaks_no_law() {
    let report = laws::check(
        Recorder::new(Counter),
        Alphabet::of(&[1, -2]),
        Budget::new(300),
    );
    report.assert_kept();
}
