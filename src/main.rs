//! The command: parses the arguments, runs the subcommand, turns its result into an exit code. Nothing else happens here.

mod args;
mod command;
mod error;
mod exit;
mod history;
mod misspelt;
mod output;
mod policies;
mod progress;
mod project;
mod settings;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command, PolicyCommand};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are asked for and go to standard output; a reader that is gone needs no message.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(exit::ERROR));
        }
    };
    let result = match &cli.command {
        Command::Check(args) => command::check::run(args, cli.color),
        Command::Diff(args) => command::diff::run(args, cli.color),
        Command::History(args) => command::history::run(args, cli.color),
        Command::Upgrade(args) => command::upgrade::run(args, cli.color),
        Command::Cache(asked) => command::cache::run(asked, cli.color),
        Command::Explain { rule } => command::explain::run(rule, cli.color),
        Command::Completions { shell } => command::shell::completions(*shell, cli.color),
        Command::Man { subcommand } => command::shell::man(subcommand, cli.color),
        Command::Verify(args) => command::verify::run(args, cli.color),
        Command::Rules => command::rules::run(cli.color),
        Command::Policy(PolicyCommand::List) => command::policy::list(cli.color),
        Command::Policy(PolicyCommand::Show { name, resolved }) => command::policy::show(name, *resolved, cli.color),
        Command::Policy(PolicyCommand::Check { file }) => command::policy::check(file, cli.color),
        Command::Policy(PolicyCommand::Init(args)) => command::policy::init(args, cli.color),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output::error(&error);
            ExitCode::from(exit::ERROR)
        }
    }
}
