//! What a search found, for programs and for people.

use std::fmt;

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
    /// All histories of up to so many events, with all payloads, were tried.
    pub complete_to: usize,
    /// The smallest history found that breaks it.
    pub failure: Option<Failure>,
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
                "{} {:12} {verdict:6} {} histories, all of up to {} events",
                self.resolver, trial.law, trial.histories, trial.complete_to
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
    expression: String,
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
            expression: setup.name.clone(),
        }
    }

    /// A test that fails until the rule is mended.
    pub fn to_test(&self) -> String {
        let name = self
            .resolver
            .name
            .replace(|letter: char| !letter.is_ascii_alphanumeric(), "_");
        format!(
            "#[test]\nfn {name}_keeps_{law}() {{\n    use anabranch::testing::laws::{{Alphabet, History, Law, Suite}};\n\n    \
             let history = {history}\n    \
             Suite::new({rule}, Alphabet::of(&[()])).assert_keeps(Law::{law:?}, &history);\n}}\n",
            law = self.law,
            rule = self.expression,
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
