//! A second process: this test binary again, told by its environment to play a part.

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

const FOLDER: &str = "ANABRANCH_CRASH_FOLDER";

/// The folder that this process was started for, if it is the second one.
#[expect(clippy::disallowed_methods, reason = "tells a second process its part")]
pub(super) fn part() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// What the second process says.
pub(super) fn say(line: &str) {
    println!("\n>{line}");
}

pub(super) struct Second {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Second {
    /// Starts the test of this name as a second process. With a limit, its files may not grow
    /// beyond that many blocks of 512 bytes, and a longer write fails instead of killing it.
    pub(super) fn start(test: &str, folder: &Path, limit: Option<u64>) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut command = match limit {
            None => Command::new(program),
            Some(blocks) => {
                let mut command = Command::new("sh");
                let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
                command.arg("-c").arg(script).arg(program);
                command
            }
        };
        command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
        command
            .env(FOLDER, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next thing it says, or nothing when it has ended.
    pub(super) fn hear(&mut self) -> Option<String> {
        self.lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.strip_prefix('>')?.into()))
    }

    /// Kills it where it stands and hears what it had said.
    pub(super) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        let said = std::iter::from_fn(|| self.hear()).collect();
        self.child.wait().unwrap();
        said
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
