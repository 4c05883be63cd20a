use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use std::vec::Vec;

use tokio::sync::watch;

use super::link::{self, Limbo};
use crate::transport::Link;

/// Which way a frame goes, as seen from the end that was wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Direction {
    Outgoing,
    Incoming,
}

/// What happens to a connection after some frames have passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkFault {
    /// It ends, and both ends learn that it did, without a code.
    Cut,
    /// From here on nothing passes in this direction, goodbyes included, and nobody is told: a
    /// connection that is half open. In both directions: a cable that was pulled.
    Silence,
    /// Nothing passes until it is [released](LinkFaults::release); then everything does.
    Hold,
    /// From here on each frame takes so long, on tokio's clock.
    Delay(Duration),
    /// One bit of the next frame is turned over. Later ones pass as they are.
    Corrupt,
}

/// How many frames have passed through one connection, vanished ones included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Away from the end that was wrapped.
    pub outgoing: u64,
    /// Towards it.
    pub incoming: u64,
}

/// The script of a [`FaultyTransport`](super::FaultyTransport), and what has passed. Clones are one
/// script; what is put there later holds for open connections, too.
#[derive(Clone, Default)]
pub struct LinkFaults(Arc<Mutex<Script>>);

struct Script {
    rules: Vec<Rule>,
    refused: Vec<u64>,
    refuses_all: bool,
    dials: u64,
    links: Vec<Passed>,
    fired: u64,
    released: watch::Sender<u64>,
    /// Changes whenever something is put, for receivers that wait.
    cuts: watch::Sender<u64>,
    limbo: Limbo,
}

#[derive(Clone, Copy, Debug)]
struct Rule {
    link: Option<u64>,
    direction: Direction,
    frames: u64,
    fault: LinkFault,
    has_fired: bool,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            refused: Vec::new(),
            refuses_all: false,
            dials: 0,
            links: Vec::new(),
            fired: 0,
            released: watch::Sender::new(0),
            cuts: watch::Sender::new(0),
            limbo: Limbo::default(),
        }
    }
}

impl LinkFaults {
    /// No faults yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a fault on one connection: they are numbered from 1, in the order in which they were
    /// dialed or [wrapped](Self::wrap). It happens as soon as so many frames have passed in this
    /// direction, with 0 before any.
    pub fn put(&self, link: u64, direction: Direction, frames: u64, fault: LinkFault) {
        self.add(Some(link), direction, frames, fault);
    }

    /// Puts a fault on every connection, open or to come.
    pub fn put_on_all(&self, direction: Direction, frames: u64, fault: LinkFault) {
        self.add(None, direction, frames, fault);
    }

    /// Refuses one attempt to connect; they are numbered from 1.
    pub fn refuse_dial(&self, nth: u64) {
        self.script().refused.push(nth);
    }

    /// From now on every attempt to connect is refused, or none but those told by number.
    pub fn refuse_dials(&self, refuses_all: bool) {
        self.script().refuses_all = refuses_all;
    }

    /// Takes all faults away. Connections that were cut stay so, what has vanished does not come
    /// back, and what is held waits for its release.
    pub fn clear(&self) {
        let mut script = self.script();
        script.rules.clear();
        script.refused.clear();
        script.refuses_all = false;
    }

    /// Lets everything pass that is held, takes the faults that hold away, and lets the other ends
    /// of connections that ended in silence learn of it.
    pub fn release(&self) {
        let mut script = self.script();
        script.rules.retain(|rule| rule.fault != LinkFault::Hold);
        script.released.send_modify(|times| *times += 1);
        let limbo = std::mem::take(&mut script.limbo);
        drop(script);
        drop(limbo);
    }

    /// Cuts every open connection now.
    pub fn cut_all(&self) {
        self.script().cuts.send_modify(|times| *times += 1);
    }

    /// What has passed through each connection, in their order.
    pub fn passed(&self) -> Vec<Passed> {
        self.script().links.clone()
    }

    /// How often somebody tried to connect.
    pub fn dials(&self) -> u64 {
        self.script().dials
    }

    /// How many of the faults have happened, refused attempts included.
    pub fn fired(&self) -> u64 {
        self.script().fired
    }

    /// Puts the script around an end that somebody else opened, as one that a listener accepted.
    pub fn wrap(&self, link: Link) -> Link {
        let mut script = self.script();
        script.links.push(Passed::default());
        let number = u64::try_from(script.links.len()).unwrap_or(u64::MAX);
        drop(script);
        link::wrap(self.clone(), number, link)
    }

    fn add(&self, link: Option<u64>, direction: Direction, frames: u64, fault: LinkFault) {
        self.script().rules.push(Rule {
            link,
            direction,
            frames,
            fault,
            has_fired: false,
        });
    }

    /// Counts an attempt to connect, and says whether it is refused.
    pub(super) fn dial(&self) -> bool {
        let mut script = self.script();
        script.dials += 1;
        let is_refused = script.refuses_all || script.refused.contains(&script.dials);
        script.fired += u64::from(is_refused);
        is_refused
    }

    /// Whether a fault of this kind holds on a connection now.
    pub(super) fn holds(
        &self,
        link: u64,
        direction: Direction,
        wanted: impl Fn(LinkFault) -> bool,
    ) -> Option<LinkFault> {
        let mut script = self.script();
        let passed = script.passed(link, direction);
        let script = &mut *script;
        let rule = script.rules.iter_mut().find(|rule| {
            let is_here = rule.link.is_none_or(|number| number == link);
            let is_now = match rule.fault {
                LinkFault::Corrupt => rule.frames == passed,
                _ => rule.frames <= passed,
            };
            is_here && rule.direction == direction && is_now && wanted(rule.fault)
        })?;
        script.fired += u64::from(!rule.has_fired);
        rule.has_fired = true;
        Some(rule.fault)
    }

    /// Counts a frame that has passed.
    pub(super) fn count(&self, link: u64, direction: Direction) {
        let mut script = self.script();
        let at = usize::try_from(link - 1).unwrap_or(usize::MAX);
        if let Some(passed) = script.links.get_mut(at) {
            match direction {
                Direction::Outgoing => passed.outgoing += 1,
                Direction::Incoming => passed.incoming += 1,
            }
        }
    }

    pub(super) fn released(&self) -> watch::Receiver<u64> {
        self.script().released.subscribe()
    }

    pub(super) fn cuts(&self) -> watch::Receiver<u64> {
        self.script().cuts.subscribe()
    }

    /// Keeps an end open of which nobody is to learn that it was closed.
    pub(super) fn keep_open(&self, keep: impl FnOnce(&mut Limbo)) {
        keep(&mut self.script().limbo);
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().expect("nothing panics under this lock")
    }
}

impl Script {
    fn passed(&self, link: u64, direction: Direction) -> u64 {
        let at = usize::try_from(link - 1).unwrap_or(usize::MAX);
        let passed = self.links.get(at).copied().unwrap_or_default();
        match direction {
            Direction::Outgoing => passed.outgoing,
            Direction::Incoming => passed.incoming,
        }
    }
}

impl std::fmt::Debug for LinkFaults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkFaults")
            .field("rules", &self.script().rules)
            .finish_non_exhaustive()
    }
}
