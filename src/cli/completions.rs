use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_complete::generate;

use super::arguments::{Arguments, Completions};
use super::failure::Failure;

/// What a shell knows the program by.
const NAME: &str = "anabranch";

/// Writes the script.
pub(super) fn run(arguments: &Completions) -> Result<(), Failure> {
    let whole = Arguments::command();
    // What is for nobody is not completed either.
    let commands = whole
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    let mut shown = Command::new(NAME)
        .args(whole.get_arguments().cloned())
        .subcommands(commands.cloned());
    let mut script = Vec::new();
    generate(arguments.shell, &mut shown, NAME, &mut script);
    Ok(io::stdout().write_all(&script)?)
}
