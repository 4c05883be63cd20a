//! What seeds once found, each told alone.
//!
//! A story plays in a calm world, so that nothing but its own turn is needed to find the mistake again.
//! It knows the inside of the simulated world, which users of the simulation do not.

mod stories;
