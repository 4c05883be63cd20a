//! The command line: arguments in, calls of the handle, text or JSON out.
//!
//! Each command is one file that ends with `Ok` or a [`Failure`], whose kind is the exit code.
//! Invariants: what others wrote never reaches a terminal unescaped; the shapes of `--json` are
//! stable; a command that stays says something only when it is true, above all "durable".
//!
//! Nothing imports this module, and it decides nothing about events.

mod arguments;
mod compact;
mod completions;
mod demo;
mod entry;
mod event;
mod explain;
mod failure;
mod help;
mod json;
mod log;
mod names;
mod output;
mod place;
mod progress;
mod record;
mod resolve;
mod rules;
mod serve;
mod state;
mod status;
mod stdin;
mod sync;
mod table;
mod tail;
mod text;
mod transfer;
mod verify;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use self::arguments::{Arguments, Command};
use self::failure::Failure;
use self::output::Output;

/// Does what the command line says.
pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let output = Output::new(arguments.json);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            let failure = Failure::from(error).during("cannot start");
            output.fail(&failure);
            return failure.exit_code();
        }
    };
    let result = runtime.block_on(carry_out(&arguments.command, output));
    // A thread may wait for a line of stdin that never comes.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.fail(&failure);
            failure.exit_code()
        }
    }
}

async fn carry_out(command: &Command, output: Output) -> Result<(), Failure> {
    match command {
        Command::Demo(arguments) => demo::run(arguments, output).await,
        Command::Serve(arguments) => serve::run(arguments, output).await,
        Command::Record(arguments) => record::run(arguments, output).await,
        Command::State(arguments) => state::run(arguments, output).await,
        Command::Watch(arguments) => watch::run(arguments, output).await,
        Command::Tail(arguments) => tail::run(arguments, output).await,
        Command::Explain(arguments) => explain::run(arguments, output).await,
        Command::Resolve(arguments) => resolve::run(arguments, output).await,
        Command::Log(arguments) => log::run(arguments, output).await,
        Command::Sync(arguments) => sync::run(arguments, output).await,
        Command::Status(arguments) => status::run(arguments, output).await,
        Command::Export(arguments) => transfer::export(arguments, output).await,
        Command::Import(arguments) => transfer::import(arguments, output).await,
        Command::Verify(arguments) => verify::run(arguments, output).await,
        Command::Compact(arguments) => compact::run(arguments, output).await,
        Command::Completions(arguments) => completions::run(arguments),
        Command::DemoProcess(arguments) => demo::process::run(arguments, output).await,
    }
}
