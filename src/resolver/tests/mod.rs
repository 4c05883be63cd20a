//! For tests of rules: any rule over any history, without an engine.
//!
//! The invariant kept here: a history is folded as a timeline would fold it, event after event with
//! what its writer had seen. This module knows nothing of payloads.

pub(super) mod rehearsal;
