//! What a timeline knows of its own shortcuts.

use anabranch::event::{
    AggregateId, CommitSpan, Event, EventId, EventParts, EventType, Heads, Metadata, Payload,
    ReplicaId, Seq, Timestamp,
};
use anabranch::merge::{Shortcut, Shortcuts, StoredFold, Timeline, Unguarded};
use anabranch::resolver::Route;

use crate::rules::small_footprint;

/// The first event of a writer who had seen nothing.
fn event(writer: u64, stamp: u64, name: &str) -> Event {
    let parts = EventParts {
        id: EventId::new(ReplicaId::new(writer, 0), Seq::FIRST),
        commit: CommitSpan::new(Seq::FIRST, 1).unwrap(),
        timestamp: Timestamp::from_bits(stamp),
        written_ms: 0,
        aggregate: AggregateId::new("places/1").unwrap(),
        event_type: EventType::new("tried").unwrap(),
        heads: Heads::default(),
        replaces: None,
        metadata: Metadata::new(),
        payload: Payload::encode(&name).unwrap(),
    };
    Event::assemble(parts).unwrap()
}

/// Folded after each event; the last one comes late.
fn timeline(avoided: Shortcuts) -> Timeline {
    let route = Route::new(small_footprint());
    let mut timeline = Timeline::new(AggregateId::new("places/1").unwrap(), Some(route));
    assert!(timeline.avoid(avoided));
    for (writer, stamp, name) in [(1, 20, "b"), (2, 30, "c"), (3, 10, "a")] {
        let tag = anabranch::event::ChainTag::from_bits(0);
        timeline.integrate(event(writer, stamp, name), tag);
        timeline.fold(&Unguarded);
    }
    timeline
}

#[test]
fn a_replay_takes_no_shortcut_and_changes_nothing() {
    let placed = timeline(Shortcuts::NONE);
    let before = placed.as_replay(&Unguarded).unwrap();
    let replay = placed.replay(3, &Unguarded).unwrap();
    assert_ne!(before.state, replay.state, "the footprint is too small");
    assert_eq!((replay.set, replay.applies), (before.set, 3));
    assert_eq!(placed.as_replay(&Unguarded).unwrap(), before);
    let careful = timeline(Shortcut::Footprint.into());
    assert_eq!(careful.as_replay(&Unguarded).unwrap().state, replay.state);
}

#[test]
fn a_replay_of_the_first_events_is_of_those_that_came_first() {
    let replay = timeline(Shortcuts::NONE).replay(2, &Unguarded).unwrap();
    let mut two = Timeline::new(
        AggregateId::new("places/1").unwrap(),
        Some(Route::new(small_footprint())),
    );
    for (writer, stamp, name) in [(2, 30, "c"), (1, 20, "b")] {
        let tag = anabranch::event::ChainTag::from_bits(0);
        two.integrate(event(writer, stamp, name), tag);
    }
    two.fold(&Unguarded);
    let two = two.as_replay(&Unguarded).unwrap();
    assert_eq!((replay.set, replay.state), (two.set, two.state));
}

#[test]
fn what_is_owed_to_a_shortcut_is_folded_anew_once_it_is_avoided() {
    let mut placed = timeline(Shortcuts::NONE);
    assert_eq!(placed.used(), Shortcut::Footprint.into());
    assert_eq!(placed.take_placed().len(), 1);
    assert!(placed.avoid(Shortcut::Claim.into()) && placed.is_folded());
    assert!(placed.avoid(Shortcut::Footprint.into()) && !placed.is_folded());
    placed.fold(&Unguarded);
    let careful = timeline(Shortcut::Footprint.into());
    assert_eq!(placed.digest(), careful.digest());
}

#[test]
fn a_fold_that_an_earlier_version_stored_is_no_damage_and_is_not_gone_on_from() {
    let stored = timeline(Shortcuts::NONE).to_fold().unwrap().encode();
    assert!(!StoredFold::is_earlier(&stored));
    // The version is the first item of an array.
    let mut earlier = stored.clone();
    earlier[1] = 1;
    assert!(StoredFold::is_earlier(&earlier) && StoredFold::decode(&earlier).is_err());
    let mut later = stored.clone();
    later[1] = 9;
    assert!(!StoredFold::is_earlier(&later) && StoredFold::decode(&later).is_err());
    assert!(!StoredFold::is_earlier(&earlier[..20]));
}

#[test]
fn a_stored_fold_says_what_had_nothing_to_do_with_it() {
    let open = |timeline: &Timeline| {
        let stored = timeline.to_fold().unwrap();
        let stored = StoredFold::decode(&stored.encode()).unwrap();
        assert_eq!(stored.set(), timeline.set());
        let route = Some(Route::new(small_footprint()));
        Timeline::from_fold(timeline.aggregate().clone(), route, stored).unwrap()
    };
    // It may owe anything to anything, so the history is needed.
    assert!(!open(&timeline(Shortcuts::NONE)).avoid(Shortcut::Footprint.into()));
    let careful = timeline(Shortcut::Footprint.into());
    assert!(open(&careful).avoid(Shortcut::Footprint.into()));
    assert!(!open(&careful).avoid(Shortcut::StoredFold.into()));
    let never_stored = timeline(Shortcut::StoredFold.into());
    assert_eq!(never_stored.to_fold(), None);
}
