use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::CONTROL;
use super::table::Mutant;

/// What came of one hunt.
pub(crate) struct Hunt {
    pub(crate) mutant: &'static Mutant,
    /// Seeds that were run, the one that found something included.
    pub(crate) seeds: u64,
    /// What the check said that failed.
    pub(crate) found: Option<String>,
    pub(crate) seconds: f64,
}

impl Hunt {
    /// Whether a bug was found, or nothing where there is none.
    pub(crate) fn is_well(&self) -> bool {
        self.found.is_some() != (self.mutant.name == CONTROL.name)
    }
}

/// A hunter that says nothing for so long, within sixteen seeds, has been caught by the bug in a loop.
const SILENCE: Duration = Duration::from_secs(20);

/// Hunts one bug in a process of its own.
pub(crate) fn hunt(program: &Path, mutant: &'static Mutant, seeds: u64) -> Hunt {
    #[expect(clippy::disallowed_methods, reason = "how long a hunt takes is told")]
    let began = Instant::now();
    let (seeds, found) = send_out(program, mutant, seeds).unwrap_or_else(|error| (0, Some(error)));
    Hunt {
        mutant,
        seeds,
        found,
        seconds: began.elapsed().as_secs_f64(),
    }
}

fn send_out(program: &Path, mutant: &Mutant, seeds: u64) -> Result<(u64, Option<String>), String> {
    let mut child = Command::new(program)
        .args([mutant.name, &seeds.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{} cannot be run: {error}", program.display()))?;
    let out = child.stdout.take().ok_or("it has no output")?;
    let (say, heard) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let lines = BufReader::new(out).lines().map_while(Result::ok);
        lines
            .take_while(|line| say.send(line.clone()).is_ok())
            .count()
    });
    let mut at = 0;
    let came = loop {
        let line = match heard.recv_timeout(SILENCE) {
            Ok(line) => line,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                drop(child.kill());
                break (at, Some("the program does not come to an end".into()));
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                break (at, Some("the program died".into()));
            }
        };
        let mut words = line.splitn(3, ' ');
        let (word, number) = (
            words.next(),
            words.next().and_then(|word| word.parse().ok()),
        );
        at = number.unwrap_or(at);
        match word {
            Some("found") => break (at, Some(words.next().unwrap_or_default().into())),
            Some("survived") => break (at, None),
            _ => {}
        }
    };
    drop(child.wait());
    drop(reader.join());
    Ok(came)
}
