use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::String;

use crate::merge::{Guard, Panic};

/// Catches panics of user-written rules. What they leave behind is thrown away by the timeline.
pub(super) struct CatchPanics;

impl Guard for CatchPanics {
    fn run(&self, work: &mut dyn FnMut()) -> Result<(), Panic> {
        catch_unwind(AssertUnwindSafe(work)).map_err(|panic| Panic {
            message: text(&*panic),
        })
    }
}

fn text(panic: &(dyn Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).into()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a text".into()
    }
}
