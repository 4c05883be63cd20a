//! What a search found, for programs and for people.

use std::fmt::{self, Write as _};

use super::checks::Finding;
use super::diagram::draw;
use super::exhibit::{Exhibit, side_by_side};
use super::history::History;
use super::law::Law;
use super::suite::Setup;
use crate::resolver::ResolverId;

/// What the trial of one law came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Trial {
    /// The law.
    pub law: Law,
    /// How many histories were tried.
    pub histories: u64,
    /// How many long random ones are among them.
    pub random: u64,
    /// How many payloads they choose from.
    pub payloads: usize,
    /// All histories of up to so many events, with all payloads, were tried.
    pub complete_to: usize,
    /// How many that were.
    pub complete: u64,
    /// The sizes beyond that of which some were tried.
    pub partly: Vec<Partly>,
    /// The smallest history found that breaks it.
    pub failure: Option<Failure>,
}

/// A size of histories of which not all were tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Partly {
    /// So many events.
    pub events: usize,
    /// How many histories of them were tried.
    pub tried: u64,
    /// How many there are; nothing where only parts of a large alphabet were tried.
    pub of: Option<u64>,
}

impl Trial {
    pub(super) const fn new(law: Law, payloads: usize) -> Self {
        Self {
            law,
            histories: 0,
            random: 0,
            payloads,
            complete_to: 0,
            complete: 0,
            partly: Vec::new(),
            failure: None,
        }
    }

    /// How much was tried, in words.
    pub fn coverage(&self) -> String {
        let mut said = format!(
            "all {} histories of up to {} events with {} payloads",
            grouped(self.complete),
            self.complete_to,
            self.payloads
        );
        for partly in &self.partly {
            let tried = grouped(partly.tried);
            let of = partly.of.map(|of| format!(" of {}", grouped(of)));
            let of = of.unwrap_or_default();
            let _ = write!(said, ", {tried}{of} of {} events", partly.events);
        }
        if self.random > 0 {
            let _ = write!(said, ", {} long ones at random", grouped(self.random));
        }
        said
    }
}

/// A number for people: `365,568`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// What the trial of a rule came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The rule.
    pub resolver: ResolverId,
    /// One trial for each law that concerns it, in the order of causes.
    pub trials: Vec<Trial>,
}

impl Report {
    /// Whether no law was seen broken.
    pub fn is_kept(&self) -> bool {
        self.failures().next().is_none()
    }

    /// What was found, in the order of causes.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.trials
            .iter()
            .filter_map(|trial| trial.failure.as_ref())
    }

    /// The laws that were seen broken, in the order of causes.
    pub fn broken(&self) -> Vec<Law> {
        self.failures().map(|failure| failure.law).collect()
    }

    /// Fails a test if a law was seen broken.
    ///
    /// # Panics
    /// With the report, then.
    pub fn assert_kept(&self) {
        assert!(self.is_kept(), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for trial in &self.trials {
            let verdict = match trial.failure {
                Some(_) => "BROKEN",
                None => "kept",
            };
            writeln!(
                f,
                "{} {:12} {verdict:6} {}",
                self.resolver,
                trial.law.name(),
                trial.coverage()
            )?;
        }
        for failure in self.failures() {
            write!(f, "\n{failure}")?;
        }
        Ok(())
    }
}

/// A law that is broken, and the smallest history found that shows it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// The law.
    pub law: Law,
    /// The rule.
    pub resolver: ResolverId,
    /// The history.
    pub history: History,
    /// What happened, in one sentence.
    pub what: String,
    /// What came of it one way.
    pub left: Exhibit,
    /// What came of it the other way.
    pub right: Exhibit,
    suite: String,
}

impl Failure {
    pub(super) fn new(law: Law, setup: &Setup, history: History, finding: Finding) -> Self {
        Self {
            law,
            resolver: setup.resolver_id(),
            history,
            what: finding.what,
            left: finding.left,
            right: finding.right,
            suite: setup.made_by.clone(),
        }
    }

    /// A test that fails until the rule is mended. It calls what makes the suite, see
    /// [`made_by`](super::Suite::made_by).
    pub fn to_test(&self) -> String {
        let name = self
            .resolver
            .name
            .replace(|letter: char| !letter.is_ascii_alphanumeric(), "_");
        format!(
            "#[test]\nfn {name}_keeps_{law}() {{\n    use anabranch::testing::laws::{{History, Law}};\n\n    \
             let history = {history}\n    \
             {suite}.assert_keeps(Law::{law:?}, &history);\n}}\n",
            law = self.law,
            suite = self.suite,
            history = self.history.to_source(),
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} breaks the law of {}: {}.",
            self.resolver,
            self.law,
            self.law.sentence()
        )?;
        writeln!(f, "Here, {}.\n", self.what)?;
        writeln!(f, "{}", draw(&self.history))?;
        writeln!(f, "{}", side_by_side(&self.left, &self.right))?;
        writeln!(f, "As a test:\n\n{}", self.to_test())
    }
}
