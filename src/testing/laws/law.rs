//! The laws, each with an example of a rule that breaks it.

use std::fmt;

/// What the engine, or a user, relies on a rule to do.
///
/// They stand in the order of causes: a rule that reads a clock also breaks later laws, but the
/// first one that it breaks names its sin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Law {
    /// The same events give the same state: folded again, later, in another thread and in [another
    /// process](super::Suite::failure_elsewhere), and so do the same questions about keys and
    /// verdicts.
    ///
    /// Broken by whatever reads a clock, draws a number or lets the order of a hash set show.
    ///
    /// ```
    /// use std::collections::HashSet;
    ///
    /// use anabranch::FoldFn;
    /// use anabranch::testing::laws::{Alphabet, Law, Suite};
    ///
    /// let seen = FoldFn::reducer("seen", 1, |_| HashSet::new(), |seen: &mut HashSet<u8>, what: &u8| {
    ///     seen.insert(*what); // serde writes a hash set in the order in which it happens to lie
    /// });
    /// let report = Suite::new(seen, Alphabet::of(&[1u8, 2, 3])).check_law(Law::Determinism);
    /// assert_eq!(report.broken(), [Law::Determinism]);
    /// ```
    Determinism,
    /// Nothing is remembered but in the state: being asked changes nothing, and neither does what
    /// else was folded.
    ///
    /// Broken by a field that counts behind a shared reference: a replay counts again.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// use anabranch::FoldFn;
    /// use anabranch::testing::laws::{Alphabet, Law, Suite};
    ///
    /// let votes = AtomicU64::new(0);
    /// let rule = FoldFn::reducer("votes", 1, |_| 0, move |sum: &mut u64, _: &u8| {
    ///     *sum = votes.fetch_add(1, Ordering::Relaxed) + 1;
    /// });
    /// let report = Suite::new(rule, Alphabet::of(&[1u8])).check_law(Law::Purity);
    /// assert_eq!(report.broken(), [Law::Purity]);
    /// ```
    Purity,
    /// No payload makes the rule panic, in any state that can be reached; what it cannot read, it
    /// refuses. Tried with garbage as well, and with what is almost a payload: one value in it is an
    /// extreme one of its kind, of another kind, or gone.
    ///
    /// ```
    /// use anabranch::FoldFn;
    /// use anabranch::testing::laws::{Alphabet, Law, Suite};
    ///
    /// let rule = FoldFn::reducer("share", 1, |_| 100u64, |left: &mut u64, parts: &u64| *left /= parts);
    /// let report = Suite::new(rule, Alphabet::of(&[2u64, 0])).check_law(Law::Totality);
    /// assert_eq!(report.broken(), [Law::Totality]);
    /// ```
    Totality,
    /// A state that is written and read back goes on as if nothing had been.
    ///
    /// Broken by a field that serde skips.
    ///
    /// ```
    /// use anabranch::FoldFn;
    /// use anabranch::testing::laws::{Alphabet, Law, Suite};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Clone, Default, Serialize, Deserialize)]
    /// struct Peak {
    ///     peak: u64,
    ///     #[serde(skip)]
    ///     sum: u64,
    /// }
    /// let rule = FoldFn::reducer("peak", 1, |_| Peak::default(), |state: &mut Peak, step: &u64| {
    ///     state.sum += step;
    ///     state.peak = state.peak.max(state.sum);
    /// });
    /// let report = Suite::new(rule, Alphabet::of(&[1u64])).check_law(Law::StateSplit);
    /// assert_eq!(report.broken(), [Law::StateSplit]);
    /// ```
    StateSplit,
    /// A copy of the state is a copy: folding into one does not change the other, and a replay from
    /// it comes to the same.
    ///
    /// Broken by a state whose clones share memory.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    ///
    /// use anabranch::FoldFn;
    /// use anabranch::testing::laws::{Alphabet, Law, Suite};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Clone, Default, Serialize, Deserialize)]
    /// #[serde(from = "u8", into = "u8")]
    /// struct Shared(Arc<Mutex<u8>>);
    ///
    /// impl From<u8> for Shared {
    ///     fn from(value: u8) -> Self {
    ///         Self(Arc::new(Mutex::new(value)))
    ///     }
    /// }
    ///
    /// impl From<Shared> for u8 {
    ///     fn from(state: Shared) -> Self {
    ///         *state.0.lock().unwrap()
    ///     }
    /// }
    /// let rule = FoldFn::reducer("shared", 1, |_| Shared::default(), |state: &mut Shared, new: &u8| {
    ///     *state.0.lock().unwrap() = *new; // every copy of the state is this one
    /// });
    /// let report = Suite::new(rule, Alphabet::of(&[1u8])).check_law(Law::Rollback);
    /// assert_eq!(report.broken(), [Law::Rollback]);
    /// ```
    Rollback,
    /// What an event reads or writes lies within its footprint, so events without a common key can
    /// be folded in either order.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    ///
    /// use anabranch::FoldFn;
    /// use anabranch::resolver::{Footprint, Key};
    /// use anabranch::testing::laws::{Alphabet, Law, Suite};
    ///
    /// // Counts all writes in one place, and names only the other.
    /// let rule = FoldFn::reducer("places", 1, |_| BTreeMap::new(), |state, name: &String| {
    ///     let number = state.len();
    ///     state.insert(name.clone(), number);
    /// })
    /// .with_footprint(|name: &String| Footprint::Keys(vec![Key::leaf([name.as_str()])]));
    /// let report = Suite::new(rule, Alphabet::of(&["a", "b"])).check_law(Law::Footprint);
    /// assert_eq!(report.broken(), [Law::Footprint]);
    /// ```
    Footprint,
    /// A rule that [claims](crate::resolver::Claims) that concurrent events commute is right: in
    /// every state that can be reached, with the same events refused.
    ///
    /// ```
    /// use anabranch::FoldFn;
    /// use anabranch::resolver::Claims;
    /// use anabranch::testing::laws::{Alphabet, Law, Suite};
    ///
    /// let rule = FoldFn::reducer("mean", 1, |_| 0f64, |sum: &mut f64, step: &f64| *sum += step)
    ///     .with_claims(Claims::commuting());
    /// let report = Suite::new(rule, Alphabet::of(&[0.1, 0.2, 0.3])).check_law(Law::Commutation);
    /// assert_eq!(report.broken(), [Law::Commutation]);
    /// println!("{report}"); // three concurrent events: (0.1 + 0.2) + 0.3 is not 0.1 + (0.2 + 0.3)
    /// ```
    Commutation,
    /// Where nobody writes concurrently, the state is what a plain reducer makes of it; and after
    /// concurrent writes, one by somebody who saw them all is lost only where the reducer loses it.
    /// Tried if a reducer is [given](super::Suite::with_reducer).
    ///
    /// ```
    /// use anabranch::FoldFn;
    /// use anabranch::testing::laws::{Alphabet, Law, Suite};
    ///
    /// // Meant to keep the last one, keeps the greatest.
    /// let rule = FoldFn::reducer("last", 1, |_| 0, |last: &mut u8, new: &u8| *last = *new.max(last));
    /// let report = Suite::new(rule, Alphabet::of(&[1u8, 2]))
    ///     .with_reducer(|all: &[u8]| all.last().copied().unwrap_or(0))
    ///     .check_law(Law::Sequence);
    /// assert_eq!(report.broken(), [Law::Sequence]);
    /// ```
    Sequence,
    /// Of two concurrent events of which one leaves no trace beside the other, the verdict says
    /// which. Tried with at most one event before the two: after more, outcomes are equal by chance.
    ///
    /// ```
    /// use anabranch::FoldFn;
    /// use anabranch::resolver::Verdict;
    /// use anabranch::testing::laws::{Alphabet, Law, Suite};
    ///
    /// let rule = FoldFn::reducer("name", 1, |_| 0, |name: &mut u8, new: &u8| *name = *new)
    ///     .with_judge(|_, _| Verdict::Merged);
    /// let report = Suite::new(rule, Alphabet::of(&[1u8, 2])).check_law(Law::Loss);
    /// assert_eq!(report.broken(), [Law::Loss]);
    /// ```
    Loss,
    /// A resolution by somebody who saw everything leaves nothing open, and two concurrent ones
    /// converge. Tried if resolutions are [given](super::Suite::with_resolutions).
    ///
    /// Open is what the [pieces](crate::Resolver::pieces) of a state say is open.
    ///
    /// ```
    /// use anabranch::event::{PayloadError, cbor};
    /// use anabranch::resolver::{Key, Piece, ResolverId};
    /// use anabranch::testing::laws::{Alphabet, Law, Suite};
    /// use anabranch::{AggregateId, Context, Resolver};
    ///
    /// /// Whoever disagrees opens a question. That 9 is the decision, the rule has forgotten.
    /// struct Question;
    ///
    /// impl Resolver for Question {
    ///     type State = (u8, bool);
    ///     type Payload = u8;
    ///
    ///     fn id(&self) -> ResolverId {
    ///         ResolverId::new("question", 1)
    ///     }
    ///
    ///     fn init(&self, _: &AggregateId) -> (u8, bool) {
    ///         (0, false)
    ///     }
    ///
    ///     fn apply(&self, state: &mut (u8, bool), new: &u8, cx: &Context<'_, u8>) {
    ///         *state = (*new, state.1 || !cx.rivals().is_empty());
    ///     }
    ///
    ///     fn pieces(&self, (value, open): &(u8, bool)) -> Result<Vec<Piece>, PayloadError> {
    ///         let value = cbor::to_vec(value)?;
    ///         let (key, from) = (Key::everything(), Vec::new());
    ///         Ok(vec![Piece { key, value, from, open: *open }])
    ///     }
    /// }
    /// let report = Suite::new(Question, Alphabet::of(&[1u8, 2]))
    ///     .with_resolutions(Alphabet::of(&[9u8]))
    ///     .check_law(Law::Resolution);
    /// assert_eq!(report.broken(), [Law::Resolution]);
    /// ```
    Resolution,
    /// What is declared to hold always does. Tried if an invariant is
    /// [given](super::Suite::with_invariant).
    ///
    /// ```
    /// use anabranch::FoldFn;
    /// use anabranch::testing::laws::{Alphabet, Law, Suite};
    ///
    /// // Whoever spends has looked first, but not at what others spend meanwhile.
    /// let rule = FoldFn::reducer("purse", 1, |_| 3i8, |left: &mut i8, step: &i8| *left += step);
    /// let report = Suite::new(rule, Alphabet::of(&[-2i8]))
    ///     .with_invariant("nobody owes anything", |left| *left >= 0)
    ///     .check_law(Law::Invariants);
    /// assert_eq!(report.broken(), [Law::Invariants]);
    /// ```
    Invariants,
    /// What everybody saw and overwrote needs no room: the state is bounded by what is alive. Not
    /// tried if each event is [said](super::Suite::keeping_all) to add something.
    ///
    /// ```
    /// use anabranch::FoldFn;
    /// use anabranch::testing::laws::{Alphabet, Law, Suite};
    ///
    /// let rule = FoldFn::reducer("last", 1, |_| Vec::new(), |all: &mut Vec<u8>, new: &u8| all.push(*new));
    /// let report = Suite::new(rule, Alphabet::of(&[1u8])).check_law(Law::Growth);
    /// assert_eq!(report.broken(), [Law::Growth]);
    /// ```
    Growth,
    /// The engine, with all its shortcuts, comes to the plain fold, in whatever order, however often
    /// and in whatever batches events come.
    ///
    /// Whoever breaks it mostly breaks one of the laws above, which says why. This one shows what
    /// users would see. Histories of up to 4 events are tried in all their orders of arrival; at 5,
    /// each order comes with some of the payloads, or with all under
    /// [`Budget::complete`](super::Budget::complete).
    ///
    /// ```
    /// use anabranch::FoldFn;
    /// use anabranch::resolver::Footprint;
    /// use anabranch::testing::laws::{Alphabet, Law, Suite};
    ///
    /// // Touches nothing, it says, so what arrives late is folded where it comes.
    /// let rule = FoldFn::reducer("last", 1, |_| 0, |last: &mut u8, new: &u8| *last = *new)
    ///     .with_footprint(|_| Footprint::NOTHING);
    /// let report = Suite::new(rule, Alphabet::of(&[1u8, 2])).check_law(Law::Delivery);
    /// assert_eq!(report.broken(), [Law::Delivery]);
    /// ```
    Delivery,
}

impl Law {
    /// All of them, in the order of causes.
    pub const ALL: [Self; 13] = [
        Self::Determinism,
        Self::Purity,
        Self::Totality,
        Self::StateSplit,
        Self::Rollback,
        Self::Footprint,
        Self::Commutation,
        Self::Sequence,
        Self::Loss,
        Self::Resolution,
        Self::Invariants,
        Self::Growth,
        Self::Delivery,
    ];

    /// The law in one sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Determinism => "the same events give the same state, at any time, in any thread",
            Self::Purity => "a rule reads its arguments and remembers nothing but in the state",
            Self::Totality => "no payload makes a rule panic, in any state that can be reached",
            Self::StateSplit => {
                "a state that is written and read back goes on as if nothing had been"
            }
            Self::Rollback => "a copy of the state, with the rest replayed, comes to the same",
            Self::Footprint => "an event reads and writes nothing outside its footprint",
            Self::Commutation => {
                "a rule that claims that concurrent events commute is right, refusals included"
            }
            Self::Sequence => "without concurrency a rule does what its plain reducer does",
            Self::Loss => "who is overruled without a trace is told so by the verdict",
            Self::Resolution => "a resolution that saw everything leaves nothing open",
            Self::Invariants => "what is declared to hold always does",
            Self::Growth => "what everybody saw and overwrote leaves the state",
            Self::Delivery => {
                "the state depends on the set of events, never on how and when they came"
            }
        }
    }

    /// Its name in tests: `commutation`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Determinism => "determinism",
            Self::Purity => "purity",
            Self::Totality => "totality",
            Self::StateSplit => "state_split",
            Self::Rollback => "rollback",
            Self::Footprint => "footprint",
            Self::Commutation => "commutation",
            Self::Sequence => "sequence",
            Self::Loss => "loss",
            Self::Resolution => "resolution",
            Self::Invariants => "invariants",
            Self::Growth => "growth",
            Self::Delivery => "delivery",
        }
    }
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
