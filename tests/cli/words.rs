//! What `--help` says.

use super::program::{COMMANDS, Place, ok};

#[test]
fn help_begins_with_examples_and_ends_with_exit_codes() {
    let help = ok(&Place::new().run(["--help"]));
    let at = |text: &str| {
        help.find(text)
            .unwrap_or_else(|| panic!("no {text:?} in {help}"))
    };
    assert!(at("Examples:") < at("Usage:") && at("Usage:") < at("Commands:"));
    assert!(at("Commands:") < at("Exit codes:"));
    for command in COMMANDS {
        at(&format!("\n  {command} "));
    }
    assert!(
        !help.contains("demo-process"),
        "what is for nobody is not shown"
    );
}

#[test]
fn every_command_shows_examples_before_its_options() {
    let place = Place::new();
    for command in COMMANDS {
        let help = ok(&place.run([command, "--help"]));
        let at = |text: &str| {
            help.find(text)
                .unwrap_or_else(|| panic!("no {text:?} in {help}"))
        };
        assert!(at("Examples:") < at("Usage:") && at("Usage:") < at("Options:"));
        assert!(help.contains(&format!("  anabranch {command}")), "{help}");
        let widest = help.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(100), "{help}");
    }
}

#[test]
fn the_walk_through_of_the_help_is_what_the_commands_understand() {
    let place = Place::new();
    for command in COMMANDS {
        let help = ok(&place.run([command, "--help"]));
        let examples = help
            .lines()
            .filter_map(|line| line.strip_prefix("  anabranch "));
        for example in examples {
            let words = example
                .split("  ")
                .next()
                .unwrap()
                .split(['<', '>', '|'])
                .next()
                .unwrap();
            let words = words.split_whitespace().map(|word| word.replace('\'', ""));
            let parsed = place.run(words.chain(["--help".to_owned()]));
            assert!(parsed.status.success(), "{example}");
        }
    }
}

#[test]
fn each_shell_completes_what_the_help_shows() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = ok(&place.run(["completions", shell]));
        for command in COMMANDS {
            assert!(script.contains(command), "{shell}: {command}");
        }
        assert!(script.contains("pull-only"), "{shell}");
        assert!(!script.contains("demo-process"), "{shell}");
    }
}
