//! `gilaudit completions SHELL` and `gilaudit man [SUBCOMMAND]...`: both are made of the definition of the arguments.

use clap::CommandFactory;
use clap_complete::Shell;
use gilaudit_policy::nearest;

use crate::args::{Cli, Colour};
use crate::error::Error;
use crate::exit;
use crate::output::to_stdout;

/// The completion script of a shell.
pub(crate) fn completions(shell: Shell, colour: Colour) -> Result<u8, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), env!("CARGO_PKG_NAME"), &mut script);
    to_stdout(&script, colour)?;
    Ok(exit::OK)
}

/// The manual page (troff) of the command, or of a subcommand.
pub(crate) fn man(subcommand: &[String], colour: Colour) -> Result<u8, Error> {
    let mut command = Cli::command();
    command.build();
    let mut page = &command;
    for name in subcommand {
        page = page.find_subcommand(name).ok_or_else(|| {
            let error = Error::new(format!("'{}' has no subcommand '{name}'", page.get_name()));
            match nearest(name, page.get_subcommands().map(clap::Command::get_name)) {
                Some(near) => error.hint(format!("did you mean '{near}'?")),
                None => error.hint("gilaudit help lists them"),
            }
        })?;
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(page.clone())
        .render(&mut text)
        .map_err(|error| Error::new(format!("the manual page could not be made: {error}")))?;
    to_stdout(&text, colour)?;
    Ok(exit::OK)
}
