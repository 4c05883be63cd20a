//! A causal history: who wrote what, having seen what.
//!
//! Events are numbered in canonical order. A past is closed: whoever saw an event knows what its
//! writer knew, and every writer knows its own events. Nothing here knows any rule.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::event::{
    AggregateId, ChainTag, CommitSpan, Event, EventId, EventParts, EventType, Head, Heads,
    Metadata, Payload, ReplicaId, Seq, Timestamp,
};

/// A payload and how people read it.
#[derive(Clone, PartialEq, Eq)]
pub struct Word {
    pub(super) payload: Payload,
    pub(super) text: Arc<str>,
}

impl Word {
    /// A payload; the text is for people.
    pub fn new(payload: Payload, text: impl Into<Arc<str>>) -> Self {
        Self {
            payload,
            text: text.into(),
        }
    }

    /// A payload that is read as its CBOR says.
    pub fn of_payload(payload: Payload) -> Self {
        let text = super::exhibit::one_line(payload.as_bytes());
        Self::new(payload, text)
    }

    /// The payload.
    pub fn payload(&self) -> &Payload {
        &self.payload
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// One event of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) writer: usize,
    pub(super) past: BTreeSet<usize>,
    pub(super) word: Word,
}

/// Events of one aggregate in canonical order, and who had seen what.
///
/// ```
/// use anabranch::testing::laws::History;
///
/// // A and B write apart, then A writes again, knowing both.
/// let history = History::new().event("A", [], "01").event("B", [], "02").event("A", [2], "03");
/// assert_eq!(history.len(), 3);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    pub(super) steps: Vec<Step>,
}

impl History {
    /// No events.
    pub const fn new() -> Self {
        Self { steps: Vec::new() }
    }

    /// Adds the next event in canonical order: its writer (`A` to `Z`), the numbers, from 1, of
    /// events that the writer had been shown, and the payload, its bytes in hexadecimal.
    ///
    /// # Panics
    /// If a number is of no earlier event, or the payload is not hexadecimal or too long.
    #[must_use]
    pub fn event<const N: usize>(mut self, writer: &str, saw: [usize; N], payload: &str) -> Self {
        let letter = writer.bytes().next().unwrap_or(b'A').saturating_sub(b'A');
        let digits: Vec<u8> = payload
            .chars()
            .map(|digit| {
                digit
                    .to_digit(16)
                    .and_then(|digit| u8::try_from(digit).ok())
            })
            .map(|digit| digit.expect("a payload in hexadecimal"))
            .collect();
        let bytes: Vec<u8> = digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect();
        let payload = Payload::from_bytes(bytes.into()).expect("a payload of an allowed length");
        assert!(
            saw.iter().all(|number| (1..=self.len()).contains(number)),
            "what was seen are events before it"
        );
        let seen = saw.iter().map(|number| number - 1).collect();
        self.push(usize::from(letter), &seen, Word::of_payload(payload));
        self
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Adds an event of somebody who had been shown these events, and so knows their pasts.
    pub(super) fn push(&mut self, writer: usize, seen: &BTreeSet<usize>, word: Word) {
        let own = (0..self.len()).filter(|at| self.steps[*at].writer == writer);
        let mut past: BTreeSet<usize> = own.chain(seen.iter().copied()).collect();
        for at in past.clone() {
            past.extend(&self.steps[at].past);
        }
        self.steps.push(Step { writer, past, word });
    }

    /// The history of these pasts. Each event is by a writer of its own, or by the one who wrote the
    /// newest event of its past that nobody has continued yet.
    pub(super) fn of_pasts(pasts: &[BTreeSet<usize>], words: &[Word], apart: bool) -> Self {
        let mut history = Self::new();
        let mut last: Vec<usize> = Vec::new();
        for (at, (past, word)) in pasts.iter().zip(words).enumerate() {
            let own = last
                .iter()
                .rposition(|newest| !apart && past.contains(newest));
            let writer = own.unwrap_or(last.len());
            match last.get_mut(writer) {
                Some(newest) => *newest = at,
                None => last.push(at),
            }
            history.steps.push(Step {
                writer,
                past: past.clone(),
                word: word.clone(),
            });
        }
        history
    }

    /// The same without some of the events.
    pub(super) fn without(&self, gone: &BTreeSet<usize>) -> Self {
        let kept: Vec<usize> = (0..self.len()).filter(|at| !gone.contains(at)).collect();
        let renumber = |past: &BTreeSet<usize>| {
            let place = |at: &usize| kept.iter().position(|kept| kept == at);
            past.iter().filter_map(place).collect()
        };
        let step = |at: &usize| Step {
            past: renumber(&self.steps[*at].past),
            ..self.steps[*at].clone()
        };
        Self {
            steps: kept.iter().map(step).collect(),
        }
    }

    /// What the writer of each event had seen.
    pub(super) fn pasts(&self) -> Vec<BTreeSet<usize>> {
        self.steps.iter().map(|step| step.past.clone()).collect()
    }

    /// The first so many events.
    pub(super) fn first(&self, events: usize) -> Self {
        Self {
            steps: self.steps[..events].to_vec(),
        }
    }

    /// Whether the writer of an event had seen all before it.
    pub(super) fn saw_all(&self, at: usize) -> bool {
        self.steps[at].past.len() == at
    }

    /// The same events, each by somebody who saw all before it.
    pub(super) fn in_a_row(&self) -> Self {
        let mut steps = self.steps.clone();
        for (at, step) in steps.iter_mut().enumerate() {
            step.past = (0..at).collect();
        }
        Self { steps }
    }

    /// The same again and again, each round by people who saw all rounds before.
    pub(super) fn repeated(&self, rounds: usize) -> Self {
        let mut history = Self::new();
        for round in 0..rounds {
            let first = round * self.len();
            for step in &self.steps {
                let inside = step.past.iter().map(|at| at + first);
                history.steps.push(Step {
                    past: (0..first).chain(inside).collect(),
                    ..step.clone()
                });
            }
        }
        history
    }

    /// Whether neither writer had seen the other event.
    pub(super) fn concurrent(&self, one: usize, other: usize) -> bool {
        let (first, second) = (one.min(other), one.max(other));
        first != second && !self.steps[second].past.contains(&first)
    }

    /// The newest events of a past, which are not in the past of another one.
    pub(super) fn heads(&self, at: usize) -> Vec<usize> {
        let mut covered: BTreeSet<usize> = BTreeSet::new();
        let mut heads = Vec::new();
        for seen in self.steps[at].past.iter().rev() {
            if !covered.contains(seen) {
                covered.extend(&self.steps[*seen].past);
                heads.push(*seen);
            }
        }
        heads.reverse();
        heads
    }

    /// The same, but that one writer had also seen these events.
    pub(super) fn knowing(&self, at: usize, seen: &BTreeSet<usize>) -> Self {
        let mut history = self.clone();
        let mut more = seen.clone();
        for other in seen {
            more.extend(&self.steps[*other].past);
        }
        for (later, step) in history.steps.iter_mut().enumerate() {
            if later == at || step.past.contains(&at) {
                step.past.extend(&more);
            }
        }
        history
    }

    /// The events as the engine knows them, in canonical order.
    pub(super) fn events(&self) -> Vec<Event> {
        let mut written: Vec<u64> = Vec::new();
        let mut events: Vec<Event> = Vec::new();
        for (at, step) in self.steps.iter().enumerate() {
            if written.len() <= step.writer {
                written.resize(step.writer + 1, 0);
            }
            written[step.writer] += 1;
            let id = EventId::new(
                replica(step.writer),
                Seq::new(written[step.writer]).expect("from 1"),
            );
            let head = |seen: usize| Head {
                id: events[seen].id(),
                tag: ChainTag::from_bits(0),
            };
            let heads = self.heads(at).into_iter().map(head).collect();
            events.push(event(id, at, heads, step.word.payload.clone()));
        }
        events
    }

    /// Lines of Rust that make this history, a remark behind each event.
    pub(super) fn to_source(&self) -> String {
        use fmt::Write as _;
        let mut source = String::from("History::new()");
        let last = self.len();
        for (at, step) in self.steps.iter().enumerate() {
            let saw = self
                .heads(at)
                .into_iter()
                .map(|seen| (seen + 1).to_string());
            let _ = write!(
                source,
                "\n        .event(\"{}\", [{}], \"{}\"){} // {}",
                letter(step.writer),
                saw.collect::<Vec<_>>().join(", "),
                super::exhibit::hex(step.word.payload.as_bytes()),
                if at + 1 == last { ";" } else { "" },
                step.word.text,
            );
        }
        source
    }
}

/// The name of a writer.
pub(super) fn letter(writer: usize) -> char {
    let number = u8::try_from(writer % 26).unwrap_or(0);
    char::from(b'A' + number)
}

/// The aggregate that all histories are about.
pub(super) fn aggregate() -> AggregateId {
    AggregateId::new("law/1").expect("a sound name")
}

/// Ids in another order than names, so that no rule gets by with comparing them.
fn replica(writer: usize) -> ReplicaId {
    let writer = u64::try_from(writer).unwrap_or(u64::MAX);
    ReplicaId::new((writer % 11 * 5 + 3) % 11, writer)
}

fn event(id: EventId, at: usize, heads: Vec<Head>, payload: Payload) -> Event {
    let stamp = u64::try_from(at).unwrap_or(u64::MAX).saturating_add(1);
    let parts = EventParts {
        id,
        commit: CommitSpan::new(id.seq, 1).expect("one event"),
        timestamp: Timestamp::from_bits(stamp),
        written_ms: 0,
        aggregate: aggregate(),
        event_type: EventType::new("tried").expect("a sound name"),
        heads: Heads::new(heads).expect("few heads, each once"),
        replaces: None,
        metadata: Metadata::new(),
        payload,
    };
    Event::assemble(parts).expect("a sound event")
}
