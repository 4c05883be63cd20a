use alloc::string::ToString;

use super::*;
use crate::event::{
    AggregateId, ChainTag, CommitSpan, Event, EventParts, EventType, Head, Heads, Metadata,
    Payload, ReplicaId, Seq, Timestamp,
};
use crate::merge::{RaceQuery, Timeline, Unguarded, WhichRaces};
use crate::resolver::{
    Context, FieldEdit, FieldMerge, FirstWriteWins, Footprint, LastWriteWins, Manual, MultiValue,
    Resolver, ResolverId, Route,
};

/// Writers are Ada and Ben, times are minutes after noon, values small numbers.
struct Plain;

impl Wording for Plain {
    fn writer(&self, party: &Party) -> String {
        String::from(["ada", "ben"][usize::from(party.id().replica.device() != 1)])
    }

    fn time(&self, written_ms: u64) -> String {
        format!("12:{:02}", written_ms / 60_000)
    }

    fn value(&self, cbor: &[u8]) -> String {
        format!("{cbor:?}").trim_matches(['[', ']']).to_string()
    }
}

/// The first event of a writer, who had seen nothing.
fn event(writer: u64, stamp: u64, minute: u64, payload: Payload) -> Event {
    next(writer, Seq::FIRST, (stamp, minute), payload, &[])
}

fn next(writer: u64, seq: Seq, time: (u64, u64), payload: Payload, heads: &[&Event]) -> Event {
    let (stamp, minute) = time;
    let head = |event: &&Event| Head {
        id: event.id(),
        tag: ChainTag::from_bits(0),
    };
    let id = EventId::new(ReplicaId::new(writer, 0), seq);
    Event::assemble(EventParts {
        id,
        commit: CommitSpan::new(seq, 1).unwrap(),
        timestamp: Timestamp::at_millis(stamp),
        written_ms: minute * 60_000,
        aggregate: AggregateId::new("item/1").unwrap(),
        event_type: EventType::new("edited").unwrap(),
        heads: Heads::new(heads.iter().map(head).collect()).unwrap(),
        replaces: None,
        metadata: Metadata::new(),
        payload,
    })
    .unwrap()
}

fn number(number: u8) -> Payload {
    Payload::encode(&number).unwrap()
}

/// Every sentence about events that arrive in this order.
fn told(rule: impl Resolver, events: &[&Event]) -> Vec<String> {
    let id = AggregateId::new("item/1").unwrap();
    let mut timeline = Timeline::new(id, Some(Route::new(rule)));
    for event in events {
        timeline.integrate((*event).clone(), None);
        timeline.fold(&Unguarded);
    }
    let query = RaceQuery::first(9, WhichRaces::All);
    let explanation = timeline.explain(&query, &Unguarded);
    let pieces = explanation
        .pieces
        .iter()
        .map(|piece| piece.sentence(&Plain));
    let refused = explanation
        .refused
        .iter()
        .map(|(party, why)| party.refusal(why, &Plain));
    let races = explanation
        .races
        .iter()
        .flat_map(|race| race.sentences(&Plain));
    pieces.chain(refused).chain(races).collect()
}

#[test]
fn the_last_write_wins_and_says_so() {
    let ada = event(1, 5, 3, number(3));
    let ben = event(2, 6, 4, number(4));
    let stands = "it is 4, from ben's 12:04 `edited`";
    let race = "ada's 12:03 write of 3 was overruled by ben's 12:04 write of 4, which had not seen \
                it; last write wins";
    assert_eq!(told(LastWriteWins, &[&ada, &ben]), [stands, race]);
    let late = "ada's 12:03 `edited` arrived here after ben's 12:04 `edited` and changed nothing \
                there that had been shown";
    assert_eq!(told(LastWriteWins, &[&ben, &ada]), [stands, race, late]);
}

#[test]
fn a_removal_is_no_value() {
    let edit = |edit: &FieldEdit| Payload::encode(edit).unwrap();
    let ada = event(1, 5, 3, edit(&FieldEdit::new().set(["a"], &3).unwrap()));
    let ben = event(2, 6, 4, edit(&FieldEdit::new().remove(["a"])));
    let race = "ada's 12:03 write of a 3 was overruled by ben's 12:04 write that leaves nothing, \
                which had not seen it; last write wins";
    assert_eq!(told(FieldMerge, &[&ada, &ben]), [race]);
    let ada = event(1, 7, 3, edit(&FieldEdit::new().set(["a"], &3).unwrap()));
    let race = "ben's 12:04 write that leaves nothing at a was overruled by ada's 12:03 write of 3, \
                which had not seen it; last write wins, in an order in which ada's 12:03 is behind \
                ben's 12:04";
    assert_eq!(told(FieldMerge, &[&ben, &ada])[1], race);
}

#[test]
fn a_clock_that_was_wrong_is_not_hidden() {
    let ada = event(1, 5, 9, number(3));
    let ben = event(2, 6, 4, number(4));
    let race = "ada's 12:09 write of 3 was overruled by ben's 12:04 write of 4, which had not seen \
                it; last write wins, in an order in which ben's 12:04 is behind ada's 12:09";
    assert_eq!(told(LastWriteWins, &[&ada, &ben])[1], race);
}

#[test]
fn a_late_claim_that_comes_first_changes_what_was_shown() {
    let ada = event(1, 5, 3, number(3));
    let ben = event(2, 6, 4, number(4));
    assert_eq!(
        told(FirstWriteWins, &[&ben, &ada]),
        [
            "it is 3, from ada's 12:03 `edited`",
            "ben's 12:04 write of 4 was overruled by ada's 12:03 write of 3, which it had not seen; \
             first write wins",
            "ada's 12:03 `edited` arrived here after ben's 12:04 `edited` and changed what had been \
             shown",
        ]
    );
}

#[test]
fn a_field_is_named_where_it_is_contested() {
    let price = |value: u8| {
        let edit = FieldEdit::new().set(["price"], &value).unwrap();
        Payload::encode(&edit).unwrap()
    };
    let ada = event(1, 5, 3, price(3));
    let ben = event(2, 6, 4, price(4));
    assert_eq!(
        told(FieldMerge, &[&ada, &ben]),
        [
            "price is 4, from ben's 12:04 `edited`",
            "ada's 12:03 write of price 3 was overruled by ben's 12:04 write of 4, which had not \
             seen it; last write wins",
        ]
    );
}

#[test]
fn equal_kept_and_open_values_are_told_apart() {
    let ada = event(1, 5, 3, number(3));
    let (ben, same) = (event(2, 6, 4, number(4)), event(2, 6, 4, number(3)));
    let both = |same: bool, end: &str| {
        let value = if same { 3 } else { 4 };
        format!(
            "ada's 12:03 write of 3 and ben's 12:04 write of {value} had not seen each other {end}"
        )
    };
    let race = |sentences: Vec<String>| sentences.last().unwrap().clone();
    assert_eq!(
        race(told(LastWriteWins, &[&ada, &same])),
        both(true, "and say the same")
    );
    let kept = race(told(MultiValue, &[&ada, &ben]));
    assert!(
        kept.starts_with(&both(false, "and both are kept; ")),
        "{kept}"
    );
    let claim = |value: u8| Payload::encode(&Manual::write(&value).unwrap()).unwrap();
    let (ada, ben) = (event(1, 5, 3, claim(3)), event(2, 6, 4, claim(4)));
    let open = told(Manual, &[&ada, &ben]);
    let until = "and both are kept until a person has decided";
    assert!(race(open.clone()).ends_with(until), "{open:?}");
    assert!(open[0].ends_with("; a person has to decide"), "{open:?}");
}

#[test]
fn sources_are_named_in_canonical_order() {
    let (ada, ben) = (event(1, 9, 4, number(3)), event(2, 6, 3, number(3)));
    let from = "from ben's 12:03 `edited` and ada's 12:04 `edited`";
    let told = told(MultiValue, &[&ada, &ben]);
    assert!(told[0].ends_with(from), "{told:?}");
}

/// Adds numbers up to five, and tells nothing else.
struct Five;

impl Resolver for Five {
    type State = u8;
    type Payload = u8;

    fn id(&self) -> ResolverId {
        ResolverId::new("five", 1)
    }

    fn init(&self, _: &AggregateId) -> u8 {
        0
    }

    fn admit(&self, sum: &u8, step: &u8, _: &Context<'_, u8>) -> Result<(), Rejection> {
        match sum + step {
            ..=5 => Ok(()),
            _ => Err(Rejection::new(format!("only {} left", 5 - sum))),
        }
    }

    fn apply(&self, sum: &mut u8, step: &u8, _: &Context<'_, u8>) {
        *sum += step;
    }

    fn footprint(&self, _: &u8) -> Footprint {
        Footprint::Everything
    }
}

#[test]
fn what_was_refused_is_told_with_the_reason() {
    let ada = event(1, 5, 3, number(3));
    let ben = event(2, 6, 4, number(4));
    assert_eq!(
        told(Five, &[&ada, &ben]),
        [
            "it is 3, last touched by ada's 12:03 `edited`",
            "ben's 12:04 `edited` was refused: only 2 left",
            "ben's 12:04 write of 4 was refused: only 2 left; it had not seen ada's 12:03 write of 3",
        ]
    );
    let (ada, ben) = (event(1, 5, 3, number(7)), event(2, 6, 4, number(6)));
    assert_eq!(
        told(Five, &[&ada, &ben])[3],
        "ada's 12:03 write of 7 and ben's 12:04 write of 6 had not seen each other and both were \
         refused: only 5 left; only 5 left"
    );
    assert_eq!(
        told(Five, &[&ada, &event(2, 6, 4, number(2))])[2],
        "ada's 12:03 write of 7 was refused: only 5 left; ben's 12:04 write of 2 had not seen it"
    );
}

#[test]
fn what_a_rule_does_not_tell_the_last_touches_do_up_to_a_bound() {
    let first = event(1, 1, 1, number(0));
    let mut events = alloc::vec![first];
    for stamp in 2..=17 {
        let last = events.last().unwrap();
        let seq = Seq::new(stamp).unwrap();
        events.push(next(1 + stamp % 2, seq, (stamp, stamp), number(0), &[last]));
    }
    let events: Vec<&Event> = events.iter().collect();
    let told = told(Five, &events);
    assert_eq!(told.len(), 1);
    assert!(
        told[0].starts_with("it is 0, last touched by ada's 12:02 `edited`, "),
        "{told:?}"
    );
    assert!(
        told[0].ends_with(" and ben's 12:17 `edited`, and earlier ones"),
        "{told:?}"
    );
}

#[test]
fn a_race_about_nothing_that_is_told_names_the_events() {
    struct Silent;
    impl Resolver for Silent {
        type State = u8;
        type Payload = u8;
        fn id(&self) -> ResolverId {
            ResolverId::new("silent", 1)
        }
        fn init(&self, _: &AggregateId) -> u8 {
            0
        }
        fn apply(&self, _: &mut u8, _: &u8, _: &Context<'_, u8>) {}
        fn footprint(&self, _: &u8) -> Footprint {
            Footprint::Keys(Vec::from([Key::leaf(["a", "b"])]))
        }
    }
    let ada = event(1, 5, 3, number(3));
    let ben = event(2, 6, 4, number(4));
    let said = told(Silent, &[&ben, &ada]);
    assert_eq!(
        said[1],
        "ada's 12:03 `edited` at a.b was overruled by ben's 12:04 `edited`, which had not seen it; \
         silent"
    );
    assert!(
        said[2].ends_with(" and changed what had been shown"),
        "{said:?}"
    );
}
