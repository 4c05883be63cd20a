//! The merge core against a model that gathers, sorts and folds, and nothing else.

mod authors;
mod exhaustive;
mod forms;
mod journal;
mod model;
mod panics;
mod random;
mod replacing;
mod validity;
mod waiting;
