//! What is found is said on a `tracing` target, whether or not anybody asks for the health.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::rules::small_footprint;
use crate::{digest, record, replica};

/// Keeps what is said on one target.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(self.0, "{field}: {value:?}").unwrap();
    }
}

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "anabranch::audit"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(format!("{}\n", event.metadata().level()));
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn a_finding_is_said_with_its_test() {
    let ear = Ear::default();
    let _listening = tracing::subscriber::set_default(ear.clone());
    let laptop = replica(small_footprint(), 0).await;
    let phone = replica(small_footprint(), 10).await;
    record(&laptop, "places/1", &"a").await;
    record(&phone, "places/1", &"b").await;
    digest(&phone, "places/1").await;
    laptop.sync(&phone).await.unwrap();
    let said = ear.0.lock().unwrap().clone();
    let [line] = &said[..] else {
        panic!("{said:?}");
    };
    for part in [
        "WARN",
        "places/1",
        "places@1",
        "footprint; healed",
        "#[test]",
    ] {
        assert!(line.contains(part), "{line}");
    }
}
