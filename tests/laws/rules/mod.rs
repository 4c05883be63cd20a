//! Rules to try: mistakes that people make, each with the law that names it; rules that are sound and
//! unusual; the built-in ones. Shared by the tests and the example that prints the tables.

pub mod built_in;
pub mod claimed;
pub mod elsewhere;
pub mod keys;
pub mod late;
pub mod meaning;
pub mod panicking;
pub mod reading;
pub mod sound;
pub mod stateful;

use anabranch::resolver::{Footprint, Key, Resolver, Verdict};
use anabranch::testing::laws::{Alphabet, Budget, Failure, Law, Report, Suite};

/// A suite without the type of its rule.
pub trait Tried: Send + Sync {
    /// Tries one law.
    fn law(&self, law: Law) -> Report;
    /// Tries all laws that concern the rule.
    fn all(&self) -> Report;
    /// Compares with another process.
    fn elsewhere(&self, name: &str) -> Option<Failure>;
    /// The same with another budget.
    fn within(self: Box<Self>, budget: Budget) -> Box<dyn Tried>;
}

impl<R: Resolver> Tried for Suite<R> {
    fn law(&self, law: Law) -> Report {
        self.check_law(law)
    }

    fn all(&self) -> Report {
        self.check()
    }

    fn elsewhere(&self, name: &str) -> Option<Failure> {
        self.failure_elsewhere(name)
    }

    fn within(self: Box<Self>, budget: Budget) -> Box<dyn Tried> {
        Box::new((*self).with_budget(budget))
    }
}

/// A rule with a mistake.
pub struct Mistake {
    /// What it is called, on the command line too.
    pub name: &'static str,
    /// What is wrong with it, in a sentence.
    pub sin: &'static str,
    /// The law that names the mistake: the first that is broken.
    pub law: Law,
    /// Laws before that one, which this mistake breaks as well.
    pub also: Vec<Law>,
    /// Whether it takes another process to see it.
    pub elsewhere: bool,
    /// What is enough to find it, in a budget's steps.
    pub enough: u64,
    /// The rule on trial.
    pub suite: Box<dyn Tried>,
}

/// What is enough for most.
const ENOUGH: u64 = 4_000;

impl Mistake {
    /// A mistake that is seen by folding.
    pub fn new<R: Resolver>(
        law: Law,
        name: &'static str,
        sin: &'static str,
        suite: Suite<R>,
    ) -> Self {
        Self {
            name,
            sin,
            law,
            also: Vec::new(),
            elsewhere: false,
            enough: ENOUGH,
            suite: Box::new(suite),
        }
    }

    /// Says that laws before the one that names it are broken too.
    pub fn also(mut self, laws: &[Law]) -> Self {
        self.also = laws.to_vec();
        self
    }

    /// With no greater budget than it takes.
    pub fn quickly(self) -> Self {
        let suite = self.suite.within(Budget::new(self.enough));
        Self { suite, ..self }
    }

    /// What is broken first, other than by accident; its failure.
    pub fn found(&self) -> Option<Failure> {
        if self.elsewhere {
            return self.suite.elsewhere(self.name);
        }
        let laws = Law::ALL.into_iter();
        let laws = laws.filter(|law| !self.also.contains(law) && *law <= self.law);
        let mut trials = laws.flat_map(|law| self.suite.law(law).trials);
        trials.find_map(|trial| trial.failure)
    }
}

/// A rule that keeps every law.
pub struct Sound {
    /// What it is called.
    pub name: &'static str,
    /// The rule on trial.
    pub suite: Box<dyn Tried>,
}

impl Sound {
    /// A sound rule.
    pub fn new<R: Resolver>(name: &'static str, suite: Suite<R>) -> Self {
        Self {
            name,
            suite: Box::new(suite),
        }
    }
}

/// All mistakes, by the place in a rule where they are made.
pub fn mistakes() -> Vec<Mistake> {
    [
        reading::mistakes(),
        elsewhere::mistakes(),
        panicking::mistakes(),
        stateful::mistakes(),
        keys::mistakes(),
        claimed::mistakes(),
        meaning::mistakes(),
        late::mistakes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn numbers() -> Alphabet {
    Alphabet::of(&[1u64, 2, 3])
}

fn names() -> Alphabet {
    Alphabet::of(&["a", "b"])
}

fn leaf(name: &str) -> Footprint {
    Footprint::Keys(vec![Key::leaf([name])])
}

/// What became of two numbers of which the greater one counts.
fn larger(earlier: u64, later: u64) -> Verdict {
    match earlier.cmp(&later) {
        core::cmp::Ordering::Less => Verdict::LaterWins,
        core::cmp::Ordering::Equal => Verdict::Agree,
        core::cmp::Ordering::Greater => Verdict::EarlierWins,
    }
}
