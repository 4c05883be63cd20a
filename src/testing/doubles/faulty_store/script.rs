use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use std::vec::Vec;

use tokio::sync::watch;

use crate::store::StoreError;

/// What a store was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the method of its name")]
pub enum Operation {
    Begin,
    Append,
    Since,
    At,
    Locate,
    Known,
    History,
    Aggregates,
    Flush,
    Verify,
    Compact,
    Close,
}

impl Operation {
    /// Whether it changes what is on the medium, and so needs room there.
    pub const fn writes(self) -> bool {
        matches!(
            self,
            Self::Begin | Self::Append | Self::Flush | Self::Compact | Self::Close
        )
    }
}

/// What happens to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreFault {
    /// It fails, and nothing was done.
    FailBefore,
    /// It takes effect and fails all the same: whoever asked cannot know.
    FailAfter,
    /// It waits until it is [released](StoreFaults::release), and then takes effect.
    Hang,
    /// It takes effect, and its answer waits until it is [released](StoreFaults::release).
    HangAfter,
    /// It takes effect after so long, on tokio's clock.
    Slow(Duration),
    /// The power goes before it. What was not fsynced is lost, if the store was told
    /// [how](super::FaultyStore::with_power); this and everything after it fails until the script is
    /// [cleared](StoreFaults::clear).
    PowerLossBefore,
    /// The power goes after it took effect.
    PowerLossAfter,
}

/// Which operations a fault is for. Numbers begin at 1 and count calls, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum When {
    /// The nth operation of any kind.
    Nth(u64),
    /// The nth and all that follow.
    From(u64),
    /// The nth of one kind.
    NthOf(Operation, u64),
    /// The nth of one kind, and all of that kind that follow.
    FromOf(Operation, u64),
}

/// One operation that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Made {
    /// What was asked.
    pub operation: Operation,
    /// What the script, a full disk or the lack of power made of it.
    pub fault: Option<StoreFault>,
}

impl Made {
    /// Whether the power went with it.
    pub fn is_power_loss(&self) -> bool {
        matches!(
            self.fault,
            Some(StoreFault::PowerLossBefore | StoreFault::PowerLossAfter)
        )
    }
}

/// The script of a [`FaultyStore`](super::FaultyStore), and the list of what was asked of it. Clones
/// are one script; it may be changed at any time.
#[derive(Clone, Debug, Default)]
pub struct StoreFaults(Arc<Mutex<Script>>);

#[derive(Debug)]
struct Script {
    rules: Vec<(When, StoreFault)>,
    made: Vec<Made>,
    is_full: bool,
    is_dark: bool,
    released: watch::Sender<u64>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            made: Vec::new(),
            is_full: false,
            is_dark: false,
            released: watch::Sender::new(0),
        }
    }
}

impl StoreFaults {
    /// No faults yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a fault. Of several for one operation the first counts.
    pub fn put(&self, when: When, fault: StoreFault) {
        self.script().rules.push((when, fault));
    }

    /// Takes all faults away, and gives back room and power. What hangs goes on hanging.
    pub fn clear(&self) {
        let mut script = self.script();
        script.rules.clear();
        script.is_full = false;
        script.is_dark = false;
    }

    /// From now on nothing that [writes](Operation::writes) finds room, or it does again.
    pub fn set_full(&self, is_full: bool) {
        self.script().is_full = is_full;
    }

    /// Lets everything go on that hangs now.
    pub fn release(&self) {
        // Who waits may go on on this thread, and ask for something: not under the lock.
        let released = self.script().released.clone();
        released.send_modify(|times| *times += 1);
    }

    /// Everything that was asked, in the order of the calls.
    pub fn made(&self) -> Vec<Made> {
        self.script().made.clone()
    }

    /// How many operations were asked for.
    pub fn total(&self) -> u64 {
        count(self.script().made.len())
    }

    /// How many of one kind.
    pub fn count(&self, operation: Operation) -> u64 {
        self.script().count(operation)
    }

    /// How many operations met a fault.
    pub fn fired(&self) -> u64 {
        let script = self.script();
        count(
            script
                .made
                .iter()
                .filter(|made| made.fault.is_some())
                .count(),
        )
    }

    /// Counts a call, and says what is to become of it and why.
    pub(super) fn call(&self, operation: Operation) -> Call {
        let mut script = self.script();
        let dark = script
            .is_dark
            .then_some((StoreFault::FailBefore, "the power is gone"));
        let full = (script.is_full && operation.writes())
            .then_some((StoreFault::FailBefore, "no space left on device"));
        let planned = script.planned(operation);
        let fault = dark
            .or(full)
            .or(planned.map(|fault| (fault, "the script says so")));
        let what = fault.map(|(fault, _)| fault);
        let made = Made {
            operation,
            fault: what,
        };
        script.is_dark |= made.is_power_loss();
        script.made.push(made);
        Call {
            fault: what,
            error: StoreError::Io {
                action: format!("{operation:?}").to_lowercase(),
                reason: String::from(fault.map_or("", |(_, reason)| reason)),
            },
            released: script.released.subscribe(),
        }
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().expect("nothing panics under this lock")
    }
}

impl Script {
    fn count(&self, operation: Operation) -> u64 {
        let of_kind = self.made.iter().filter(|made| made.operation == operation);
        count(of_kind.count())
    }

    fn planned(&self, operation: Operation) -> Option<StoreFault> {
        let number = count(self.made.len()) + 1;
        let of_kind = self.count(operation) + 1;
        let meant = |when: When| match when {
            When::Nth(nth) => nth == number,
            When::From(nth) => nth <= number,
            When::NthOf(kind, nth) => kind == operation && nth == of_kind,
            When::FromOf(kind, nth) => kind == operation && nth <= of_kind,
        };
        let rule = self.rules.iter().find(|(when, _)| meant(*when));
        rule.map(|(_, fault)| *fault)
    }
}

/// What is to become of one call.
pub(super) struct Call {
    pub(super) fault: Option<StoreFault>,
    pub(super) error: StoreError,
    released: watch::Receiver<u64>,
}

impl Call {
    /// Waits for the next release after the call.
    pub(super) async fn hang(&mut self) {
        if self.released.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
