//! A rule on trial: what is tried, with which payloads, how long, and what else is known of it.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::bench::Bench;
use super::budget::Budget;
use super::checks::{Effort, finding};
use super::elsewhere::elsewhere;
use super::history::{History, Word};
use super::law::Law;
use super::report::{Failure, Report, Trial};
use super::search::search;
use super::words::Payloads;
use crate::event::{Payload, cbor};
use crate::resolver::{ErasedState, Resolver, ResolverId, Route};

pub(super) type Reducer = dyn Fn(&[Payload]) -> Option<Vec<u8>> + Send + Sync;
type Holds = dyn Fn(&ErasedState) -> bool + Send + Sync;

/// A suite without the type of its rule.
pub(super) struct Setup {
    pub(super) route: Route,
    pub(super) made_by: String,
    pub(super) words: Vec<Word>,
    pub(super) resolutions: Vec<Word>,
    pub(super) reducer: Option<Box<Reducer>>,
    pub(super) invariants: Vec<(String, Box<Holds>)>,
    pub(super) keeps_all: bool,
    pub(super) budget: Budget,
}

impl Setup {
    /// Whether there is anything to try.
    pub(super) fn concerns(&self, law: Law) -> bool {
        match law {
            Law::Sequence => self.reducer.is_some(),
            Law::Resolution => !self.resolutions.is_empty(),
            Law::Invariants => !self.invariants.is_empty(),
            Law::Growth => !self.keeps_all,
            Law::Commutation => self.route.resolver().claims().commutes,
            _ => true,
        }
    }

    pub(super) fn resolver_id(&self) -> ResolverId {
        self.route.resolver().id()
    }
}

/// A rule on trial.
///
/// ```
/// use anabranch::resolver::Manual;
/// use anabranch::testing::laws::{Alphabet, Budget, Suite};
///
/// let writes = [Manual::write(&1)?, Manual::write(&2)?];
/// Suite::new(Manual, Alphabet::of(&writes))
///     .with_resolutions(Alphabet::of(&[Manual::resolution(&3)?]))
///     .with_budget(Budget::new(2_000))
///     .check()
///     .assert_kept();
/// # Ok::<(), anabranch::event::PayloadError>(())
/// ```
pub struct Suite<R> {
    setup: Setup,
    resolver: PhantomData<fn() -> R>,
}

impl<R: Resolver> Suite<R> {
    /// A rule, and the payloads to try it with.
    ///
    /// # Panics
    /// If there is no payload, or one cannot be written.
    pub fn new(resolver: R, payloads: impl Payloads) -> Self {
        let words = payloads.words();
        assert!(!words.is_empty(), "a rule is tried with payloads");
        let setup = Setup {
            route: Route::new(resolver),
            made_by: "your_suite()".to_owned(),
            words,
            resolutions: Vec::new(),
            reducer: None,
            invariants: Vec::new(),
            keeps_all: false,
            budget: Budget::default(),
        };
        Self {
            setup,
            resolver: PhantomData,
        }
    }

    /// How much is tried.
    #[must_use]
    pub const fn with_budget(mut self, budget: Budget) -> Self {
        self.setup.budget = budget;
        self
    }

    /// The call, in Rust, that makes this suite: the test that a failure prints makes it so.
    /// `cart_laws::suite()` where [`resolver_laws!`](crate::resolver_laws) does.
    #[must_use]
    pub fn made_by(mut self, call: &str) -> Self {
        call.clone_into(&mut self.setup.made_by);
        self
    }

    /// What the rule shows where nobody writes concurrently: a function of all payloads in order,
    /// for [`Law::Sequence`]. Histories with a payload that is no `P` are left out.
    #[must_use]
    pub fn with_reducer<P, V>(mut self, reducer: impl Fn(&[P]) -> V + Send + Sync + 'static) -> Self
    where
        P: DeserializeOwned,
        V: Serialize,
    {
        self.setup.reducer = Some(Box::new(move |payloads| {
            let read: Result<Vec<P>, _> = payloads.iter().map(Payload::decode).collect();
            cbor::to_vec(&reducer(&read.ok()?)).ok()
        }));
        self
    }

    /// What holds of every state, for [`Law::Invariants`]; the name follows "it holds that".
    #[must_use]
    pub fn with_invariant(
        mut self,
        name: &str,
        holds: impl Fn(&R::State) -> bool + Send + Sync + 'static,
    ) -> Self {
        let holds = move |state: &ErasedState| state.downcast_ref().is_none_or(&holds);
        self.setup
            .invariants
            .push((name.to_owned(), Box::new(holds)));
        self
    }

    /// Payloads that settle whatever their writer saw, for [`Law::Resolution`].
    #[must_use]
    pub fn with_resolutions(mut self, resolutions: impl Payloads) -> Self {
        self.setup.resolutions = resolutions.words();
        self
    }

    /// Says that each event adds something to keep, so that the state may grow for ever.
    #[must_use]
    pub const fn keeping_all(mut self) -> Self {
        self.setup.keeps_all = true;
        self
    }

    /// Tries all laws. Costs the [budget](Budget) for each.
    pub fn check(&self) -> Report {
        self.check_laws(&Law::ALL)
    }

    /// Tries one law.
    pub fn check_law(&self, law: Law) -> Report {
        self.check_laws(&[law])
    }

    fn check_laws(&self, laws: &[Law]) -> Report {
        let concerned = laws.iter().copied();
        Report {
            resolver: self.setup.resolver_id(),
            trials: trials(
                concerned.filter(|law| self.setup.concerns(*law)).collect(),
                &self.setup,
            ),
        }
    }

    /// Holds the rule to [`Law::Determinism`] against another process: the program is started again
    /// for the test of this name, which must come by here. The name is a path that begins with the
    /// crate, as `module_path!` says it; behind a `#` may follow which of several places in that test
    /// is meant. See [`failure_elsewhere`](Self::failure_elsewhere).
    ///
    /// # Panics
    /// If the other process comes to another state, or has no such test. Where none can be started,
    /// nothing is compared.
    pub fn assert_same_elsewhere(&self, test: &str) {
        if let Some(failure) = self.failure_elsewhere(test) {
            panic!("{failure}");
        }
    }

    /// Compares with another process, which has another hash seed, time zone, locale, environment,
    /// directory, process id and addresses, folds a second later, in another thread and in another
    /// order, with a rule that was made anew; what differs.
    ///
    /// The program is started again and must come by here, before it reads its arguments: there the
    /// second process answers and ends. The name tells one such place in a program from another; in
    /// tests it is that of the test.
    ///
    /// ```no_run
    /// use anabranch::resolver::Counter;
    /// use anabranch::testing::laws::{Alphabet, Suite};
    ///
    /// fn main() {
    ///     let suite = Suite::new(Counter, Alphabet::of(&[1, -2]));
    ///     if let Some(failure) = suite.failure_elsewhere("counter") {
    ///         println!("{failure}");
    ///     }
    /// }
    /// ```
    ///
    /// # Panics
    /// If the other process does not come by here.
    pub fn failure_elsewhere(&self, name: &str) -> Option<Failure> {
        elsewhere(&self.setup, name)
    }

    /// Tries one law in one history; the failure, if it is broken there.
    pub fn try_history(&self, law: Law, history: &History) -> Option<Failure> {
        let bench = Bench::new(self.setup.route.clone());
        let finding = finding(law, &self.setup, &bench, history, Effort::Often)?;
        Some(Failure::new(law, &self.setup, history.clone(), finding))
    }

    /// Holds the rule to one law in one history: what a failure prints as a test.
    ///
    /// # Panics
    /// If the law is broken there.
    pub fn assert_keeps(&self, law: Law, history: &History) {
        if let Some(failure) = self.try_history(law, history) {
            panic!("{failure}");
        }
    }
}

/// Tries laws side by side, as many at a time as there are processors. Whether a rule remembers
/// anything is found out first and alone, as one that does is no longer told apart from its double.
fn trials(laws: Vec<Law>, setup: &Setup) -> Vec<Trial> {
    let (alone, mut together): (Vec<Law>, Vec<Law>) =
        laws.into_iter().partition(|law| *law <= Law::Purity);
    let mut trials: Vec<Trial> = alone.iter().map(|law| search(*law, setup)).collect();
    // The dearest begins; it stands last in the order of causes.
    together.reverse();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let work = || {
        let mine = core::iter::from_fn(|| together.get(next.fetch_add(1, Ordering::Relaxed)));
        mine.map(|law| search(*law, setup)).collect::<Vec<Trial>>()
    };
    let done = std::thread::scope(|scope| {
        let workers: Vec<_> = (1..threads.min(together.len()))
            .map(|_| scope.spawn(work))
            .collect();
        let mut done = work();
        for worker in workers {
            done.extend(worker.join().expect("a search that does not panic"));
        }
        done
    });
    trials.extend(done);
    trials.sort_by_key(|trial| trial.law);
    trials
}
