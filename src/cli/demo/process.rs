//! One replica of the story, as a process of its own: orders in by stdin, answers out by stdout.

use std::sync::{Arc, Mutex, PoisonError};

use anabranch::engine::Filter;
use anabranch::event::{AggregateId, Digest, Draft, EventId};
use anabranch::hub::Hub;
use anabranch::limits::{LINES_AT_ONCE_MAX, PAGE_ENTRIES_MAX};
use anabranch::merge::{Outcome, RaceQuery, Side};
use anabranch::replica::{Connection, ConnectionStatus, Replica};
use anabranch::transport::websocket::PATH;
use futures::StreamExt;
use futures::stream;
use serde_json::json;

use super::super::arguments::DemoProcess;
use super::super::explain;
use super::super::failure::{Failure, Kind};
use super::super::json::{from_bytes, from_cbor};
use super::super::output::Output;
use super::super::stdin::lines;
use super::order::{AggregateReport, Answer, Explained, Order, Report, Written};
use super::rules;

/// Serves until it is told to close or its stdin ends.
pub(in super::super) async fn run(arguments: &DemoProcess, _: Output) -> Result<(), Failure> {
    let output = Output::new(true);
    let replica = Replica::open_fjall(&arguments.data, rules::registry()?).await?;
    let name = arguments.data.file_name().unwrap_or_default();
    let process = Arc::new(Process {
        name: name.to_string_lossy().into_owned(),
        replica,
        connection: Mutex::new(None),
        hub: Mutex::new(None),
    });
    let ready = Answer::Ready {
        replica: process.replica.id().to_string(),
    };
    output.tell(&json!(ready), "")?;
    let orders = stream::unfold(lines(), |mut lines| async {
        let (_, line) = lines.recv().await?;
        Some((line, lines))
    });
    // Several at a time, so that several writes are on their way when the process is killed.
    let mut answers = orders
        .map(|line| {
            let process = process.clone();
            async move { process.answer(&line).await }
        })
        .buffered(LINES_AT_ONCE_MAX)
        .boxed();
    while let Some(answer) = answers.next().await {
        output.tell(&json!(answer), "")?;
    }
    Ok(process.replica.close().await?)
}

struct Process {
    name: String,
    replica: Replica,
    connection: Mutex<Option<Connection>>,
    hub: Mutex<Option<Hub>>,
}

impl Process {
    async fn answer(&self, line: &str) -> Answer {
        let order = serde_json::from_str(line)
            .map_err(|error| Failure::usage(format!("not an order: {error}")));
        let answer = match order {
            Ok(order) => self.obey(order).await,
            Err(failure) => Err(failure),
        };
        match answer {
            Ok(answer) => answer,
            Err(failure) if failure.kind == Kind::Refused => Answer::Refused {
                reason: failure.what,
            },
            Err(failure) => Answer::Failed {
                reason: failure.what,
            },
        }
    }

    async fn obey(&self, order: Order) -> Result<Answer, Failure> {
        match order {
            Order::Listen => self.listen().await,
            Order::Connect { address } => self.connect(&address).await,
            Order::Part => {
                let connection = take(&self.connection);
                if let Some(connection) = connection {
                    connection.close().await;
                }
                Ok(Answer::Done)
            }
            Order::Record {
                aggregate,
                event_type,
                payload,
            } => {
                let draft = Draft::new(aggregate.as_str(), event_type.as_str(), &payload)?
                    .with_metadata("by", &self.name)?;
                let recorded = self.replica.record(draft).await?;
                Ok(Answer::Recorded {
                    id: recorded.commit.to_string(),
                    wall_ms: recorded.timestamp.millis(),
                })
            }
            Order::Await { events } => {
                let tail = self.replica.tail(Filter::all(), None)?;
                let arrived = tail.take(events).collect::<Vec<_>>().await;
                arrived.into_iter().collect::<Result<Vec<_>, _>>()?;
                Ok(Answer::Done)
            }
            Order::Explain { aggregate } => {
                let (told, text) = explain::whole(&self.replica, &aggregate).await?;
                Ok(Answer::Explained(Explained { told, text }))
            }
            Order::Report => Ok(Answer::Report(self.report().await?)),
            Order::Close => {
                let hub = take(&self.hub);
                match hub {
                    Some(hub) => hub.stop().await?,
                    None => self.replica.close().await?,
                }
                Ok(Answer::Done)
            }
        }
    }

    async fn listen(&self) -> Result<Answer, Failure> {
        let hub = Hub::builder(self.replica.clone())
            .bind("127.0.0.1:0")
            .start()
            .await?;
        let address = format!("ws://{}{PATH}", hub.local_addr());
        put(&self.hub, hub);
        Ok(Answer::Listening { address })
    }

    async fn connect(&self, address: &str) -> Result<Answer, Failure> {
        let mut connection = self.replica.connect(address)?;
        let status = connection.caught_up().await;
        put(&self.connection, connection);
        match status {
            ConnectionStatus::Ended { reason } => Err(Failure::new(Kind::Unreachable, reason)),
            _ => Ok(Answer::Done),
        }
    }

    async fn report(&self) -> Result<Report, Failure> {
        let replica = &self.replica;
        let status = replica.status();
        let mut report = Report {
            events: status.events,
            waiting: status.waiting,
            ..Report::default()
        };
        let mut all = Vec::new();
        for aggregate in replica.aggregates("", None, PAGE_ENTRIES_MAX).await? {
            let state = replica.state::<ciborium::Value>(&aggregate).await?;
            let digest = replica
                .digest(&aggregate)
                .await?
                .map(|digest| digest.to_string());
            let digest = digest.unwrap_or_default();
            let rule = replica
                .describe(&aggregate)
                .await?
                .and_then(|status| status.resolver);
            let overruled = self.overruled(&aggregate).await?;
            let written = |told: anabranch::replica::Told| {
                let payload = told.event.payload().decode().map(from_cbor);
                let of_it = overruled.iter().filter(|(id, _)| *id == told.event.id());
                Written {
                    id: told.event.id().to_string(),
                    overruled: of_it.map(|(_, what)| what.clone()).collect(),
                    payload: payload.unwrap_or_default(),
                    rejected: match told.outcome {
                        Some(Outcome::Rejected(reason)) => Some(reason.to_string()),
                        _ => None,
                    },
                }
            };
            let history = replica.history(&aggregate).await?;
            all.extend_from_slice(format!("{aggregate} {digest}\n").as_bytes());
            report.aggregates.push(AggregateReport {
                aggregate: aggregate.to_string(),
                rule: rule.map(|rule| rule.to_string()).unwrap_or_default(),
                state: state.map(from_cbor).unwrap_or_default(),
                digest,
                history: history.into_iter().map(written).collect(),
            });
        }
        report.digest = Digest::of(&all).to_string();
        Ok(report)
    }

    /// What was overruled in races, by event.
    async fn overruled(&self, aggregate: &AggregateId) -> Result<Vec<(EventId, String)>, Failure> {
        let races = self.replica.races(aggregate, RaceQuery::default()).await?;
        let mut overruled = Vec::new();
        for race in &races.races {
            for place in &race.contested {
                let (party, value) = match place.overruled {
                    None => continue,
                    Some(Side::Earlier) => (&race.earlier, &place.earlier_value),
                    Some(Side::Later) => (&race.later, &place.later_value),
                };
                let value = value.as_deref().map(from_bytes).unwrap_or_default();
                let what = match place.key.path.join(".") {
                    path if path.is_empty() => value.to_string(),
                    path if value.is_null() => path,
                    path => format!("{path}={value}"),
                };
                overruled.push((party.id(), what));
            }
        }
        Ok(overruled)
    }
}

fn take<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn put<T>(slot: &Mutex<Option<T>>, value: T) {
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
}
