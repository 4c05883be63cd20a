use std::collections::BTreeSet;
use std::path::Path;

use anabranch::replica::environment::{Environment, OperatingSystem};
use serde_json::{Value, json};

use super::super::failure::{Failure, Kind};
use super::super::output::Output;
use super::super::text::escaped;
use super::actor::{Acknowledged, Actor, record};
use super::ending::{Ending, Wrote};
use super::order::Order;

const NOTE: &str = "note/shopping";
const THEME: &str = "setting/theme";
const SEATS: &str = "seats/friday";
const VOTES: &str = "votes/cake";
const TAGS: &str = "tags/trip";
/// What people have to agree on.
pub(super) const PRICE: &str = "price/ticket";
const METER: &str = "meter/kitchen";
/// How many readings there are in the end.
const READINGS: usize = 200;
/// How many are on their way at a time.
const ON_THEIR_WAY: usize = 32;
/// After how many acknowledged ones the writer is killed.
const KILLED_AFTER: usize = 100;

/// The plot and everybody in it.
#[derive(Debug)]
pub(super) struct Story {
    output: Output,
    system: OperatingSystem,
    address: String,
    hub: Actor,
    ada: Actor,
    ben: Actor,
    cleo: Actor,
    /// What was written while they were apart, for the table.
    wrote: Vec<Wrote>,
    /// Every event that must be there in the end, with its aggregate: all that were acknowledged as
    /// durable, and what a restarted replica showed beyond that.
    expected: Vec<(&'static str, String)>,
    latest_ms: u64,
    killed_after: usize,
}

impl Story {
    pub(super) async fn begin(
        folder: &Path,
        system: OperatingSystem,
        output: Output,
    ) -> Result<Self, Failure> {
        let (hub, ada, ben, cleo) = tokio::try_join!(
            Actor::enter("hub", folder),
            Actor::enter("ada", folder),
            Actor::enter("ben", folder),
            Actor::enter("cleo", folder),
        )?;
        let mut story = Self {
            output,
            system,
            address: String::new(),
            hub,
            ada,
            ben,
            cleo,
            wrote: Vec::new(),
            expected: Vec::new(),
            latest_ms: 0,
            killed_after: 0,
        };
        story.address = story.hub.listen().await?;
        story.chapter("A hub and three replicas, each a process with its own disk store")?;
        let listens = format!("listens at {}", story.address);
        story.say("hub", &listens)?;
        Ok(story)
    }

    /// Everybody is connected, and what one writes the others have at once.
    pub(super) async fn together(&mut self) -> Result<(), Failure> {
        self.chapter("Together")?;
        let connect = Order::Connect {
            address: self.address.clone(),
        };
        tokio::try_join!(
            self.ada.obey(&connect),
            self.ben.obey(&connect),
            self.cleo.obey(&connect),
        )?;
        let first = vec![
            (NOTE, "edited", json!({ "set": { "eggs": 6 } })),
            (THEME, "chosen", json!("plain")),
            (TAGS, "tagged", json!({ "add": ["beach", "museum"] })),
            (PRICE, "offered", json!({ "value": 10 })),
            (SEATS, "booked", json!({ "name": "ada", "seats": 1 })),
        ];
        self.write_all(Who::Ada, first).await?;
        self.everybody_has(self.expected.len()).await?;
        self.say("all", "have these five events, live")?;
        let wish = json!({ "name": "ben", "seats": 9 });
        match self.ben.record(SEATS, "booked", &wish).await? {
            Err(reason) => {
                let text =
                    format!("asks for 9 seats: refused at once, nothing is written: {reason}");
                self.say("ben", &text)?;
            }
            Ok(_) => return Err(Failure::new(Kind::Failed, "9 seats of 3 were given away")),
        }
        self.wrote.clear();
        Ok(())
    }

    /// They part and edit the same things.
    pub(super) async fn apart(&mut self) -> Result<(), Failure> {
        self.chapter("Apart, all three are offline")?;
        for actor in [&mut self.ada, &mut self.ben, &mut self.cleo] {
            actor.obey(&Order::Part).await?;
        }
        let beach = |what: &str| json!({ what: ["beach"] });
        let two_seats = |name: &str| json!({ "name": name, "seats": 2 });
        let ada = vec![
            (NOTE, "edited", json!({ "set": { "eggs": 10, "milk": 2 } })),
            (THEME, "chosen", json!("dark")),
            (VOTES, "voted", json!(1)),
            (TAGS, "tagged", beach("remove")),
            (PRICE, "offered", json!({ "value": 12 })),
        ];
        let ben = vec![
            (NOTE, "edited", json!({ "set": { "bread": 1, "eggs": 12 } })),
            (VOTES, "voted", json!(1)),
            (TAGS, "tagged", beach("add")),
            (PRICE, "offered", json!({ "value": 15 })),
            (SEATS, "booked", two_seats("ben")),
        ];
        let cleo = vec![
            (THEME, "chosen", json!("light")),
            (VOTES, "voted", json!(1)),
            (SEATS, "booked", two_seats("cleo")),
        ];
        for (who, writes) in [(Who::Ada, ada), (Who::Ben, ben), (Who::Cleo, cleo)] {
            self.write_all(who, writes).await?;
        }
        self.say(
            "all",
            "3 seats were left: ben and cleo cannot both have 2, and cannot know it",
        )
    }

    /// One is killed while it writes, and comes back.
    pub(super) async fn crash(&mut self) -> Result<(), Failure> {
        self.chapter("A crash")?;
        self.say(
            "cleo",
            &format!("writes {READINGS} readings of {METER}, many at a time"),
        )?;
        for number in 1..=ON_THEIR_WAY {
            self.cleo.send(&reading(number)).await?;
        }
        let mut acknowledged = Vec::new();
        for number in ON_THEIR_WAY..ON_THEIR_WAY + KILLED_AFTER {
            acknowledged.push(given(self.cleo.recorded().await?)?);
            self.cleo.send(&reading(number + 1)).await?;
        }
        acknowledged.extend(self.cleo.kill().await?);
        self.killed_after = acknowledged.len();
        let count = self.killed_after;
        self.say(
            "cleo",
            &format!("is killed (SIGKILL), having had {count} acknowledged as durable"),
        )?;
        self.cleo.restart().await?;
        let report = self.cleo.report().await?;
        let meter = report.aggregate(METER);
        let lost = acknowledged
            .iter()
            .filter(|event| meter.is_none_or(|meter| meter.count(&event.id) != 1));
        let lost = lost.count();
        if lost > 0 {
            let what = format!("{lost} of {count} acknowledged readings are not there once");
            return Err(Failure::new(Kind::Failed, what));
        }
        let history = meter
            .map(|meter| meter.history.as_slice())
            .unwrap_or_default();
        let there: BTreeSet<usize> = history
            .iter()
            .filter_map(|written| number(&written.payload))
            .collect();
        let text = format!(
            "is back: all {count} are there, each once, and {} that were on their way",
            there.len().saturating_sub(count)
        );
        self.say("cleo", &text)?;
        self.expected
            .extend(history.iter().map(|written| (METER, written.id.clone())));
        let missing: Vec<usize> = (1..=READINGS)
            .filter(|number| !there.contains(number))
            .collect();
        for number in &missing {
            self.cleo.send(&reading(*number)).await?;
        }
        for _ in &missing {
            let event = given(self.cleo.recorded().await?)?;
            self.expected.push((METER, event.id));
        }
        self.wrote
            .push(Wrote::many("cleo", METER, format!("{READINGS} readings")));
        self.say("cleo", &format!("writes the other {}", missing.len()))
    }

    /// They meet again.
    pub(super) async fn together_again(&mut self) -> Result<(), Failure> {
        self.chapter("Together again")?;
        let connect = Order::Connect {
            address: self.address.clone(),
        };
        for actor in [&mut self.ada, &mut self.ben, &mut self.cleo] {
            actor.obey(&connect).await?;
        }
        let events = self.expected.len();
        self.everybody_has(events).await?;
        self.say("all", &format!("hold the same {events} events"))
    }

    /// Two have named a price, and the rule leaves it to a person.
    pub(super) async fn decision(&mut self) -> Result<(), Failure> {
        self.chapter("A decision")?;
        for actor in [&mut self.hub, &mut self.ada, &mut self.ben, &mut self.cleo] {
            let report = actor.report().await?;
            let price = report.aggregate(PRICE).map(|price| &price.state);
            if price != Some(&json!({ "open": [12, 15] })) {
                let what = format!("{} does not see {PRICE} open", actor.name);
                return Err(Failure::new(Kind::Failed, what));
            }
        }
        let text = format!("see {PRICE} open, 12 or 15: its rule leaves that to a person");
        self.say("all", &text)?;
        let decided = json!({ "resolve": 13 });
        let text = self.write(Who::Cleo, PRICE, "decided", decided).await?;
        self.say("cleo", &format!("{text}, having seen both"))?;
        self.everybody_has(self.expected.len()).await
    }

    /// What came of it, as each of the four sees it.
    pub(super) async fn ending(&mut self) -> Result<Ending, Failure> {
        let mut reports = Vec::new();
        for actor in [&mut self.hub, &mut self.ada, &mut self.ben, &mut self.cleo] {
            reports.push((actor.name, actor.report().await?));
        }
        Ok(Ending {
            reports,
            wrote: self.wrote.clone(),
            expected: self.expected.clone(),
            killed_after: self.killed_after,
            explained: self.hub.explain(PRICE).await?,
        })
    }

    /// Everybody stops gracefully.
    pub(super) async fn leave(self) -> Result<(), Failure> {
        for actor in [self.ada, self.ben, self.cleo, self.hub] {
            actor.leave().await?;
        }
        Ok(())
    }

    async fn everybody_has(&mut self, events: usize) -> Result<(), Failure> {
        let order = Order::Await { events };
        tokio::try_join!(
            self.hub.obey(&order),
            self.ada.obey(&order),
            self.ben.obey(&order),
            self.cleo.obey(&order),
        )?;
        Ok(())
    }

    /// Writes some events, one after the other, and says of which aggregates.
    async fn write_all(
        &mut self,
        who: Who,
        writes: Vec<(&'static str, &str, Value)>,
    ) -> Result<(), Failure> {
        let mut touched = Vec::new();
        for (aggregate, event_type, payload) in writes {
            self.write(who, aggregate, event_type, payload).await?;
            touched.push(aggregate);
        }
        self.say(who.name(), &format!("writes {}", touched.join(", ")))
    }

    /// Writes an event that must be taken, later by the wall clock than everything before it, so
    /// that the order of the story is the order of its stamps in each run. Tells what it wrote.
    async fn write(
        &mut self,
        who: Who,
        aggregate: &'static str,
        event_type: &str,
        payload: Value,
    ) -> Result<String, Failure> {
        while self.system.now().wall_ms <= self.latest_ms {
            tokio::task::yield_now().await;
        }
        let actor = match who {
            Who::Ada => &mut self.ada,
            Who::Ben => &mut self.ben,
            Who::Cleo => &mut self.cleo,
        };
        let name = actor.name;
        let event = given(actor.record(aggregate, event_type, &payload).await?)?;
        self.latest_ms = event.wall_ms.max(self.latest_ms);
        self.expected.push((aggregate, event.id.clone()));
        let wrote = Wrote::one(name, aggregate, &payload, event.id);
        let text = format!("writes {aggregate}: {}", wrote.what);
        self.wrote.push(wrote);
        Ok(text)
    }

    fn chapter(&self, title: &str) -> Result<(), Failure> {
        self.output.tell(
            &json!({ "kind": "chapter", "title": title }),
            &format!("\n{title}"),
        )
    }

    fn say(&self, who: &str, text: &str) -> Result<(), Failure> {
        let json = json!({ "kind": "told", "who": who, "text": text });
        self.output
            .tell(&json, &format!("  {who:<5} {}", escaped(text)))
    }
}

#[derive(Clone, Copy, Debug)]
enum Who {
    Ada,
    Ben,
    Cleo,
}

impl Who {
    const fn name(self) -> &'static str {
        match self {
            Self::Ada => "ada",
            Self::Ben => "ben",
            Self::Cleo => "cleo",
        }
    }
}

fn given(answer: Result<Acknowledged, String>) -> Result<Acknowledged, Failure> {
    answer.map_err(|reason| Failure::new(Kind::Failed, format!("a write was refused: {reason}")))
}

/// The order to write one reading, under a field of its own.
fn reading(number: usize) -> Order {
    record(
        METER,
        "read",
        &json!({ "set": { format!("{number:03}"): number } }),
    )
}

/// Which reading an event is.
fn number(payload: &Value) -> Option<usize> {
    payload.get("set")?.as_object()?.keys().next()?.parse().ok()
}
