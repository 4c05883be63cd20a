//! Whatever the bytes, reading a block ends in commits or an error, and what was read is well formed.

use anabranch::event::{Commit, Event, decode_block, encode_block};
use bytes::Bytes;

/// Whether the bytes are a block. Panics when a promise of the codec does not hold.
///
/// Checksums of events would keep most inputs away from what is behind them, so a mutation that is
/// accepted is one of what no digest covers.
pub(crate) fn check(data: &[u8]) -> bool {
    let commits = match decode_block(&Bytes::copy_from_slice(data)) {
        Ok(commits) => commits,
        Err(error) => {
            assert!(!error.to_string().is_empty(), "an error says what is wrong");
            return false;
        }
    };
    for event in commits.iter().flat_map(Commit::events) {
        let again = Event::assemble(event.parts().clone());
        assert!(
            again.is_ok_and(|again| again.digest() == event.digest()),
            "a digest depends on the parts alone, not on how they came"
        );
    }
    let mut again = Vec::new();
    encode_block(&commits, &mut again);
    assert!(
        decode_block(&again.into()) == Ok(commits),
        "what was read can be written"
    );
    true
}
