//! A folder with the binary running in it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// Every command that people see.
pub(crate) const COMMANDS: [&str; 16] = [
    "demo",
    "serve",
    "record",
    "state",
    "watch",
    "tail",
    "explain",
    "resolve",
    "log",
    "sync",
    "status",
    "export",
    "import",
    "verify",
    "compact",
    "completions",
];

/// How long a line may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of its own, in which commands run.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_anabranch"));
        command
            .current_dir(self.0.path())
            .env("TMPDIR", self.0.path());
        command.args(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end, with nothing on its stdin.
    pub(crate) fn run<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Output {
        self.run_with(args, "")
    }

    /// Runs a command to its end.
    pub(crate) fn run_with<S: AsRef<str>>(
        &self,
        args: impl IntoIterator<Item = S>,
        input: &str,
    ) -> Output {
        let mut child = self.command(args).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        let writer = thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        output
    }

    /// Runs a command with `--json` to its good end.
    pub(crate) fn json<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Vec<Value> {
        let args = args.into_iter().map(|arg| arg.as_ref().to_owned());
        let output = self.run(args.chain(["--json".to_owned()]));
        ok(&output);
        lines(&output.stdout)
    }

    /// Starts a command that stays.
    pub(crate) fn spawn<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Running {
        let mut child = self.command(args).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                if line.map(|line| sender.send(line)).is_err() {
                    return;
                }
            }
        });
        Running {
            stdin: child.stdin.take(),
            child,
            lines: Some(lines),
        }
    }
}

/// A process that stays until it is told to end, or dropped.
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Option<Receiver<String>>,
}

impl Running {
    pub(crate) fn next_text(&self) -> String {
        let line = self.lines.as_ref().unwrap().recv_timeout(PATIENCE);
        line.unwrap_or_else(|error| panic!("no line: {error}"))
    }

    /// Reads lines of JSON up to the first that is looked for.
    pub(crate) fn until(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = self.lines.as_ref().unwrap().recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("waiting for {what}: {error}"));
            let value: Value = serde_json::from_str(&line).unwrap();
            if is_it(&value) {
                return value;
            }
        }
    }

    pub(crate) fn type_line(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Types lines for as long as it lives.
    pub(crate) fn type_on(&mut self, line: impl Fn(u64) -> String + Send + 'static) {
        let mut stdin = self.stdin.take().unwrap();
        thread::spawn(move || {
            let mut number = 0;
            while writeln!(stdin, "{}", line(number)).is_ok() {
                number += 1;
            }
        });
    }

    /// What it had said up to its end.
    pub(crate) fn rest(&self) -> Vec<Value> {
        let lines = self.lines.as_ref().unwrap().iter();
        lines
            .filter_map(|line| serde_json::from_str(&line).ok())
            .collect()
    }

    pub(crate) fn stop_reading(&mut self) {
        self.lines = None;
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, as a terminal or a supervisor would.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn errors(&mut self) -> String {
        let mut text = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The text of a command that ended well.
pub(crate) fn ok(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {said}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Lines of JSON.
pub(crate) fn lines(stdout: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
