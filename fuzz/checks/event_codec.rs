//! Whatever the bytes, reading a commit ends in a commit or an error, and a commit has one encoding.

use anabranch::event::{Commit, Event, decode_commit, encode_commit};

/// Whether the bytes are a commit. Panics when a promise of the codec does not hold.
pub(crate) fn check(data: &[u8]) -> bool {
    let commit = match decode_commit(data) {
        Ok(commit) => commit,
        Err(error) => {
            assert!(!error.to_string().is_empty(), "an error says what is wrong");
            return false;
        }
    };
    let mut again = Vec::new();
    encode_commit(&commit, &mut again);
    assert_eq!(again, data, "a commit has one encoding");
    assert_eq!(commit.bytes(), data.len(), "a commit knows its size");
    assert!(!commit.events().is_empty(), "a commit holds an event");
    let rebuilt = commit.events().iter().map(|event| {
        let event_again = Event::assemble(event.parts().clone());
        assert!(
            event_again
                .as_ref()
                .is_ok_and(|again| again.digest() == event.digest()),
            "a digest depends on the parts alone, not on how they came"
        );
        event.clone()
    });
    assert!(
        Commit::new(rebuilt.collect()) == Ok(commit),
        "what was read can be written"
    );
    true
}
