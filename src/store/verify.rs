use std::collections::BTreeMap;
use std::fmt;
use std::string::String;
use std::vec::Vec;

use super::{EventStore, StoreError};
use crate::event::{Chain, Commit, Event, EventId, Seq};
use crate::limits::{FAULTS_MAX, PAGE_BYTES_MAX, PAGE_ENTRIES_MAX};
use crate::log::{Entry, EntryKind, IdRange, Page, ReadLimit, Received, Track};

/// Something that is not as it was written, or that does not go with the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The place in the log, if it is about one.
    pub position: Option<u64>,
    /// Which record.
    pub what: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.reason)
    }
}

/// What a verification came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Entries of the log that were read, releases included.
    pub entries: u64,
    /// Events in them.
    pub events: u64,
    /// Bytes of their commits.
    pub bytes: u64,
    /// What is wrong, in the order in which it was found: the first 1,024.
    pub faults: Vec<Fault>,
    /// How many faults there are beside these.
    pub more_faults: u64,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.faults.is_empty()
    }
}

/// What goes along with a verification: who is told how far it is, and who can say whether a stored
/// fold makes sense, which no store knows.
pub struct Inspection {
    progress: Box<dyn FnMut(u64) + Send>,
    fold: Box<Judge>,
}

type Judge = dyn Fn(&[u8]) -> Result<(), String> + Send;

impl Inspection {
    /// Nobody is told, and any fold will do.
    pub fn new() -> Self {
        Self {
            progress: Box::new(|_| ()),
            fold: Box::new(|_| Ok(())),
        }
    }

    /// Tells how many entries of the log have been read, after each page. Keep it short.
    #[must_use]
    pub fn with_progress(mut self, progress: impl FnMut(u64) + Send + 'static) -> Self {
        self.progress = Box::new(progress);
        self
    }

    /// Asks of each stored fold what is wrong with it, if anything is.
    #[must_use]
    pub fn with_folds(
        mut self,
        fold: impl Fn(&[u8]) -> Result<(), String> + Send + 'static,
    ) -> Self {
        self.fold = Box::new(fold);
        self
    }

    /// What is wrong with a stored fold, if anything is.
    ///
    /// # Errors
    /// What is wrong.
    pub fn fold(&self, fold: &[u8]) -> Result<(), String> {
        (self.fold)(fold)
    }
}

impl Default for Inspection {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspection").finish_non_exhaustive()
    }
}

/// A walk along the log that checks each entry against those before it. Memory: writers, events
/// beyond gaps and waiting commits, whatever the length of the log.
#[derive(Debug, Default)]
pub(super) struct Walk {
    inspection: Inspection,
    report: VerifyReport,
    received: Received,
    /// Where the commits that wait arrived, and what they are.
    waiting: BTreeMap<EventId, (u64, Chain)>,
    /// Something could not be read, so what does not go with what was read may be no fault.
    is_damaged: bool,
}

pub(super) const PAGE: ReadLimit = ReadLimit {
    entries: PAGE_ENTRIES_MAX,
    bytes: PAGE_BYTES_MAX,
};

/// For stores with bookkeeping of their own beside the log.
#[cfg(feature = "fjall")]
impl Walk {
    pub(super) fn waiting(&self) -> impl Iterator<Item = u64> {
        self.waiting.values().map(|(position, _)| *position)
    }

    /// Entries that are not there.
    pub(super) fn missing(&mut self, position: u64, name: String) {
        self.is_damaged = true;
        self.fault(Some(position), name, "it is missing");
    }

    /// Whether everything of the log could be read.
    pub(super) fn is_complete(&self) -> bool {
        !self.is_damaged
    }
}

impl Walk {
    pub(super) fn new(inspection: Inspection) -> Self {
        Self {
            inspection,
            ..Self::default()
        }
    }

    pub(super) fn inspection(&self) -> &Inspection {
        &self.inspection
    }

    pub(super) fn received(&self) -> &Received {
        &self.received
    }

    pub(super) fn tell(&mut self) {
        (self.inspection.progress)(self.report.entries);
    }

    pub(super) fn finish(self) -> VerifyReport {
        self.report
    }

    pub(super) fn fault(
        &mut self,
        position: Option<u64>,
        what: impl Into<String>,
        reason: impl Into<String>,
    ) {
        if self.report.faults.len() < FAULTS_MAX {
            self.report.faults.push(Fault {
                position,
                what: what.into(),
                reason: reason.into(),
            });
        } else {
            self.report.more_faults += 1;
        }
    }

    /// Notes down what is damaged or cannot be read; any other failure ends the verification.
    pub(super) fn noted<T>(
        &mut self,
        position: Option<u64>,
        result: Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(StoreError::Damaged { what, reason }) => {
                self.fault(position, what, reason);
                Ok(None)
            }
            Err(StoreError::Io { action, reason }) => {
                self.fault(position, action, reason);
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    /// An entry of the log that could not be read.
    pub(super) fn unreadable(
        &mut self,
        position: u64,
        error: StoreError,
    ) -> Result<(), StoreError> {
        self.unreadable_as(position, &entry_name(position), error)
    }

    /// What begins at a position and could not be read.
    pub(super) fn unreadable_as(
        &mut self,
        position: u64,
        name: &str,
        error: StoreError,
    ) -> Result<(), StoreError> {
        self.is_damaged = true;
        let (what, reason) = match error {
            StoreError::Damaged { what, reason } => (what, reason),
            StoreError::Io { action, reason } => (action, reason),
            failure => return Err(failure),
        };
        let reason = if what == name {
            reason
        } else {
            format!("{what}: {reason}")
        };
        self.fault(Some(position), name, reason);
        Ok(())
    }

    /// The next entry that could be read.
    pub(super) fn entry(&mut self, position: u64, entry: &Entry) {
        let commit = &entry.commit;
        self.report.entries += 1;
        if entry.kind == EntryKind::Released {
            let waited = self.waiting.remove(&commit.id());
            if waited.map(|(_, content)| content) != Some(content(commit)) && !self.is_damaged {
                self.misfit(position, "it releases a commit that does not wait");
            }
            return;
        }
        self.report.events += u64::from(commit.span().len());
        let bytes = u64::try_from(commit.bytes()).unwrap_or(u64::MAX);
        self.report.bytes = self.report.bytes.saturating_add(bytes);
        let is_here = |event: &Event| self.received.contains(event.id());
        if commit.events().iter().any(is_here) {
            self.misfit(position, "an event of it has come before");
            return;
        }
        let first = commit.span().first();
        let expected = self.received.chain_before(commit.replica(), first);
        match (expected, entry.chain_before) {
            (None, Some(chain)) if self.is_damaged => self.go_on_after_damage(commit, chain),
            (None, Some(_)) => {
                self.misfit(position, "events of its writer before it are missing");
            }
            (expected, found) if expected != found => {
                self.misfit(position, "it does not continue its writer's chain");
            }
            _ => {}
        }
        self.received.insert(commit);
        if entry.kind == EntryKind::Waiting {
            let waits = (position, content(commit));
            self.waiting.insert(commit.id(), waits);
        }
    }

    fn misfit(&mut self, position: u64, reason: &str) {
        self.fault(Some(position), entry_name(position), reason);
    }

    /// What is missing of this writer was in entries that could not be read.
    fn go_on_after_damage(&mut self, commit: &Commit, chain: Chain) {
        let first = commit.span().first();
        let Some(before) = first.previous() else {
            return;
        };
        let track = self.received.track(commit.replica()).cloned();
        let track = track.unwrap_or_default();
        let mut ranges = track.ranges().clone();
        ranges.insert(Seq::FIRST..=before);
        let beyond = track.beyond().range(first..);
        let beyond = beyond.map(|(seq, digest)| (*seq, *digest)).collect();
        let track = Track::restored(ranges, chain, beyond);
        self.received.restore(commit.replica(), track);
    }
}

/// Whether a failure says something of what was to be read, and not of the store.
pub(super) fn is_fault(error: &StoreError) -> bool {
    matches!(error, StoreError::Damaged { .. } | StoreError::Io { .. })
}

pub(super) fn entry_name(position: u64) -> String {
    format!("log entry {position}")
}

fn content(commit: &Commit) -> Chain {
    commit.chain_after(Chain::START)
}

/// Verifies any store by what it answers: every entry, and what is known of each event and where
/// it is found. Histories and folds are not read.
pub(crate) async fn by_reading<S: EventStore + ?Sized>(
    store: &S,
    inspection: Inspection,
) -> Result<VerifyReport, StoreError> {
    let mut walk = Walk::new(inspection);
    let mut position = 0;
    loop {
        let page = match store.since(position, PAGE).await {
            Err(error) if is_fault(&error) => one_by_one(store, position, &mut walk).await?,
            page => page?,
        };
        if page.next == position {
            return Ok(walk.finish());
        }
        position = page.next;
        for (position, entry) in &page.entries {
            walk.entry(*position, entry);
            if entry.kind != EntryKind::Released {
                index(store, *position, entry, &mut walk).await?;
            }
        }
        walk.tell();
    }
}

/// A page of which something is damaged.
async fn one_by_one<S: EventStore + ?Sized>(
    store: &S,
    from: u64,
    walk: &mut Walk,
) -> Result<Page, StoreError> {
    let mut page = Page {
        entries: Vec::new(),
        next: from,
    };
    while page.entries.len() < PAGE.entries {
        match store.at(Vec::from([page.next]), PAGE).await {
            Ok(found) if found.entries.is_empty() => break,
            Ok(found) => page.entries.extend(found.entries),
            Err(error) => walk.unreadable(page.next, error)?,
        }
        page.next += 1;
    }
    Ok(page)
}

async fn index<S: EventStore + ?Sized>(
    store: &S,
    position: u64,
    entry: &Entry,
    walk: &mut Walk,
) -> Result<(), StoreError> {
    let commit = &entry.commit;
    let at = Some(position);
    let ids = commit.events().iter().map(Event::id).collect();
    if let Some(known) = walk.noted(at, store.known(ids).await)? {
        let mut chain = entry.chain_before;
        for (event, known) in commit.events().iter().zip(known) {
            chain = chain.map(|chain| chain.extend(event.digest()));
            let wanted = (event.digest(), event.timestamp(), chain);
            if known.map(|known| (known.digest, known.timestamp, known.chain)) != Some(wanted) {
                let reason = "what is known of it is something else";
                walk.fault(at, format!("event {}", event.id()), reason);
            }
        }
    }
    let seqs = commit.span().first()..=commit.span().last();
    let replica = commit.replica();
    let ranges = Vec::from([IdRange { replica, seqs }]);
    if let Some(found) = walk.noted(at, store.locate(ranges).await)?
        && found != [position]
    {
        walk.misfit(position, "its events are not found there");
    }
    Ok(())
}

/// How many bytes a store takes, before and after it was compacted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Before.
    pub bytes_before: u64,
    /// After.
    pub bytes_after: u64,
}

impl fmt::Display for Compacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = (self.bytes_before, self.bytes_after);
        write!(f, "{before} bytes, now {after}")
    }
}

#[cfg(test)]
mod tests;
