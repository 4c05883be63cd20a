use std::io::{self, Write};

use serde_json::{Value, json};

use super::failure::{Failure, Kind};
use super::text::{escaped, escaped_json};

/// Where results go: text for people, or one JSON object per line for programs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) const fn new(json: bool) -> Self {
        Self { json }
    }

    pub(super) const fn is_json(self) -> bool {
        self.json
    }

    /// One result, as text or as JSON; flushed, so that whoever reads a pipe has it at once. The
    /// text is trusted to be safe for a terminal: build it with [`escaped`].
    pub(super) fn tell(self, json: &Value, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        if self.json {
            writeln!(stdout, "{}", escaped_json(json))?;
        } else if !text.is_empty() {
            writeln!(stdout, "{text}")?;
        }
        stdout.flush()?;
        Ok(())
    }

    /// Something to know beside the result, on stderr; nothing is lost if nobody reads it.
    pub(super) fn note(self, text: &str) {
        if !self.json {
            drop(writeln!(io::stderr(), "anabranch: {}", escaped(text)));
        }
    }

    /// The reason why the command failed, on stderr.
    pub(super) fn fail(self, failure: &Failure) {
        if failure.kind == Kind::Unread {
            return;
        }
        let mut stderr = io::stderr().lock();
        let written = if self.json {
            let error = json!({
                "kind": "error",
                "code": failure.kind.number(),
                "error": failure.what,
                "remedy": failure.remedy,
            });
            writeln!(stderr, "{}", escaped_json(&error))
        } else {
            let remedy = failure.remedy.as_deref().map(escaped);
            let remedy = remedy.map(|text| format!("\n  {text}")).unwrap_or_default();
            writeln!(stderr, "anabranch: {}{remedy}", escaped(&failure.what))
        };
        drop(written);
    }
}
