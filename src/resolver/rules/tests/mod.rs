//! A document against a model that knows every event, and against the rules over whole records.
//!
//! The invariant kept here: model and rules share no code. This module knows no engine; that folds
//! agree with it is tested where it is.

mod alike;
mod cases;
mod histories;
mod laws;
mod model;
