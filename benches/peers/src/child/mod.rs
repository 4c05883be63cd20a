//! Other processes of a workload: this program once more, told by its first words what to be.
//!
//! A child says on stdout, line by line, how far it is, and ends when its stdin does.

mod bare;
mod fanout;
mod files;
mod fresh;
mod hub;
mod memory;
mod reader;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::Done;

pub(crate) use files::ROW;
pub(crate) use fresh::{Fresh, registry};

/// Another process, which ends with this value.
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: BufReader<ChildStdout>,
}

impl Process {
    /// Starts this program as a child of that kind.
    pub(crate) fn start(words: &[&str]) -> Done<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("child")
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or("a child without stdout")?;
        let lines = BufReader::new(stdout);
        Ok(Self {
            child,
            stdin,
            lines,
        })
    }

    /// The next line that it says.
    pub(crate) fn line(&mut self) -> Done<String> {
        let mut line = String::new();
        if self.lines.read_line(&mut line)? == 0 {
            return Err("a child process has ended early".into());
        }
        Ok(line.trim_end().to_owned())
    }

    /// Tells it a line.
    pub(crate) fn tell(&mut self, line: &str) -> Done<()> {
        let stdin = self.stdin.as_mut().ok_or("stdin is closed")?;
        writeln!(stdin, "{line}")?;
        stdin.flush()?;
        Ok(())
    }

    /// Bytes of memory that it has now.
    pub(crate) fn memory(&self) -> Done<u64> {
        resident(&self.child.id().to_string())
    }

    /// Ends it as a loss of power would, as far as a process goes.
    pub(crate) fn kill(mut self) -> Done<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Ends it in its own way.
    pub(crate) fn end(mut self) -> Done<()> {
        self.stdin = None;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes of memory of a process.
pub(crate) fn resident(process: &str) -> Done<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kilobytes.ok_or("no VmRSS")?.parse::<u64>()? * 1024)
}

/// Processes that keep every core from sleeping while they live; they give way to everybody.
pub(crate) fn keep_awake() -> Done<Vec<Process>> {
    let cores = std::thread::available_parallelism()?.get();
    let awake: Done<Vec<Process>> = (0..cores).map(|_| Process::start(&["spin"])).collect();
    std::thread::sleep(Duration::from_millis(100));
    awake
}

/// What a child does that was started with these words.
pub(crate) fn run(words: &[String]) -> Done<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["spin"] => spin(),
        ["echo"] => bare::echo(),
        ["relay"] => bare::relay(),
        ["hub", threads, folder] => hub::run(threads.parse()?, Some(folder)),
        ["hub", threads] => hub::run(threads.parse()?, None),
        ["reader", address, events] => reader::run(address, events.parse()?),
        ["fill", folder, events] => files::fill(folder, events.parse()?),
        ["open", folder] => files::open(folder),
        ["rows", folder, rows] => files::rows(folder, rows.parse()?),
        ["open-rows", folder] => files::open_rows(folder),
        ["fan-out", who, events, each] => fanout::server(who, events.parse()?, each.parse()?),
        ["readers", address, who, readers] => fanout::readers(address, who, readers.parse()?),
        ["memory", who, file] => memory::run(who, file),
        other => Err(format!("there is no child {other:?}").into()),
    }
}

/// Says a line to the parent.
fn say(line: &str) {
    println!("{line}");
    let _ = std::io::stdout().flush();
}

/// Waits until the parent has nothing more to say.
fn until_told_to_end() {
    let mut rest = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut rest);
}

/// Waits for a line of the parent.
async fn heard() -> Done<String> {
    let read = || {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    };
    let line = tokio::task::spawn_blocking(read).await??;
    Ok(line.trim_end().to_owned())
}

fn spin() -> Done<()> {
    rustix::process::nice(19)?;
    std::thread::spawn(|| {
        until_told_to_end();
        std::process::exit(0);
    });
    loop {
        std::hint::spin_loop();
    }
}

/// A runtime with so many threads beside this one, or in this one alone.
pub(crate) fn runtime(threads: usize) -> Done<tokio::runtime::Runtime> {
    let mut builder = match threads {
        0 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    if threads > 0 {
        builder.worker_threads(threads);
    }
    Ok(builder.enable_all().build()?)
}
