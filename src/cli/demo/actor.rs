use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anabranch::limits::DEMO_ANSWER_MS;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::super::failure::{Failure, Kind};
use super::order::{Answer, Explained, Order, Report};

/// A durable write: its id, and the wall clock in its stamp.
#[derive(Clone, Debug)]
pub(super) struct Acknowledged {
    pub(super) id: String,
    pub(super) wall_ms: u64,
}

/// One process of the story, as its author sees it. Killed when dropped.
#[derive(Debug)]
pub(super) struct Actor {
    pub(super) name: &'static str,
    data: PathBuf,
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Actor {
    /// Starts a process with a data directory of its own, and waits until its store is open.
    pub(super) async fn enter(name: &'static str, folder: &Path) -> Result<Self, Failure> {
        Self::start(name, folder.join(name)).await
    }

    async fn start(name: &'static str, data: PathBuf) -> Result<Self, Failure> {
        let program = std::env::current_exe()?;
        let mut child = Command::new(program)
            .arg("demo-process")
            .arg("--data")
            .arg(&data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Failure::from(error).during("cannot start a process"))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (orders, answers) =
            pipes.ok_or_else(|| Failure::new(Kind::Failed, "a process has no pipes"))?;
        let mut actor = Self {
            name,
            data,
            child,
            orders,
            answers: BufReader::new(answers).lines(),
        };
        match actor.answer().await? {
            Answer::Ready { .. } => Ok(actor),
            other => Err(actor.unexpected(&other)),
        }
    }

    pub(super) async fn listen(&mut self) -> Result<String, Failure> {
        match self.ask(&Order::Listen).await? {
            Answer::Listening { address } => Ok(address),
            other => Err(self.unexpected(&other)),
        }
    }

    pub(super) async fn report(&mut self) -> Result<Report, Failure> {
        match self.ask(&Order::Report).await? {
            Answer::Report(report) => Ok(report),
            other => Err(self.unexpected(&other)),
        }
    }

    pub(super) async fn explain(&mut self, aggregate: &str) -> Result<Explained, Failure> {
        let aggregate = aggregate.into();
        match self.ask(&Order::Explain { aggregate }).await? {
            Answer::Explained(explained) => Ok(explained),
            other => Err(self.unexpected(&other)),
        }
    }

    /// Gives an order that is answered by nothing but that it was carried out.
    pub(super) async fn obey(&mut self, order: &Order) -> Result<(), Failure> {
        match self.ask(order).await? {
            Answer::Done => Ok(()),
            other => Err(self.unexpected(&other)),
        }
    }

    /// Writes an event: acknowledged as durable, or refused with a reason.
    pub(super) async fn record(
        &mut self,
        aggregate: &str,
        event_type: &str,
        payload: &Value,
    ) -> Result<Result<Acknowledged, String>, Failure> {
        self.send(&record(aggregate, event_type, payload)).await?;
        self.recorded().await
    }

    /// Sends an order without waiting for its answer.
    pub(super) async fn send(&mut self, order: &Order) -> Result<(), Failure> {
        let line = format!("{}\n", json!(order));
        let sent = self.orders.write_all(line.as_bytes()).await;
        sent.map_err(|error| Failure::new(Kind::Failed, format!("{}: {error}", self.name)))
    }

    /// The answer to a write that was sent.
    pub(super) async fn recorded(&mut self) -> Result<Result<Acknowledged, String>, Failure> {
        match self.answer().await? {
            Answer::Recorded { id, wall_ms } => Ok(Ok(Acknowledged { id, wall_ms })),
            Answer::Refused { reason } => Ok(Err(reason)),
            other => Err(self.unexpected(&other)),
        }
    }

    /// Kills the process as a power switch would. Tells which writes it had acknowledged before,
    /// beyond those that were read.
    pub(super) async fn kill(&mut self) -> Result<Vec<Acknowledged>, Failure> {
        self.child.start_kill()?;
        self.child.wait().await?;
        let mut acknowledged = Vec::new();
        while let Some(line) = self.answers.next_line().await? {
            if let Ok(Answer::Recorded { id, wall_ms }) = serde_json::from_str(&line) {
                acknowledged.push(Acknowledged { id, wall_ms });
            }
        }
        Ok(acknowledged)
    }

    /// Starts a killed process again, on the same data.
    pub(super) async fn restart(&mut self) -> Result<(), Failure> {
        *self = Self::start(self.name, self.data.clone()).await?;
        Ok(())
    }

    /// Stops the process gracefully.
    pub(super) async fn leave(mut self) -> Result<(), Failure> {
        self.obey(&Order::Close).await?;
        drop(self.orders);
        self.child.wait().await?;
        Ok(())
    }

    async fn ask(&mut self, order: &Order) -> Result<Answer, Failure> {
        self.send(order).await?;
        self.answer().await
    }

    async fn answer(&mut self) -> Result<Answer, Failure> {
        let within = Duration::from_millis(DEMO_ANSWER_MS);
        let line = timeout(within, self.answers.next_line()).await;
        let Ok(line) = line else {
            let what = format!("{} gave no answer within {DEMO_ANSWER_MS} ms", self.name);
            return Err(Failure::new(Kind::Failed, what));
        };
        let ended = || Failure::new(Kind::Failed, format!("{} ended unexpectedly", self.name));
        let line = line?.ok_or_else(ended)?;
        serde_json::from_str(&line)
            .map_err(|error| Failure::new(Kind::Failed, format!("{}: {error}", self.name)))
    }

    fn unexpected(&self, answer: &Answer) -> Failure {
        let reason = match answer {
            Answer::Failed { reason } | Answer::Refused { reason } => reason.clone(),
            other => format!("unexpected answer {other:?}"),
        };
        Failure::new(Kind::Failed, format!("{}: {reason}", self.name))
    }
}

pub(super) fn record(aggregate: &str, event_type: &str, payload: &Value) -> Order {
    Order::Record {
        aggregate: aggregate.into(),
        event_type: event_type.into(),
        payload: payload.clone(),
    }
}
