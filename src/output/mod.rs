//! The output formats: one file each, each a function from the report to a writer.

pub(crate) mod diff;
mod exclusion;
mod github;
mod group;
pub(crate) mod history;
mod history_html;
pub(crate) mod history_v1;
#[cfg(test)]
mod hostile;
mod html;
mod html_data;
mod imports;
mod json;
mod jsonl;
mod junit;
mod markdown;
mod report_v1;
mod report_v1_imports;
mod sarif;
mod sarif_v2;
mod screen;
mod snippets;
mod table;
mod text;
pub(crate) mod upgrade;
pub(crate) mod verify;
pub(crate) mod verify_v1;
mod visible;
mod words;
mod wrap;

use std::io::{self, Write};

use gilaudit_audit::report::Report;
use gilaudit_policy::Diagnostic;

use crate::args::{Colour, Format};
use crate::error::Error;

pub(crate) use report_v1::SCHEMA as REPORT_SCHEMA;
pub(crate) use words::LOOKED_FOR;

/// A text from elsewhere for one line of a message.
pub(crate) fn visible_line(text: &str) -> String {
    visible::line(text)
}

/// What a format may leave out or add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Detail {
    /// Findings and problems only.
    pub(crate) quiet: bool,
    /// Every extension, every reason, no group cut short.
    pub(crate) verbose: bool,
    /// The columns that text fills.
    pub(crate) width: usize,
    /// Whether text has links.
    pub(crate) links: bool,
}

impl Default for Detail {
    fn default() -> Self {
        Self { quiet: false, verbose: false, width: screen::WIDTH, links: false }
    }
}

impl Detail {
    /// For the terminal that standard output is, if it is one.
    pub(crate) fn of_terminal(quiet: bool, verbose: bool) -> Self {
        Self { quiet, verbose, width: screen::width(), links: screen::links() }
    }
}

/// Writes `report` in `format`. Styles are always written where the format has any; the writer strips them where unwanted.
pub(crate) fn write(report: &Report, format: Format, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let mut text = Vec::new();
    match format {
        // For programs: what was found, as it was found.
        Format::Json => return json::write(report, out),
        Format::Jsonl => return jsonl::write(report, out),
        Format::Sarif => return sarif::write(report, out),
        // Everything from inputs is JSON in it, which is made visible as it is written.
        Format::Html => return html::write(report, out),
        Format::Text => text::write(report, detail, &mut text)?,
        Format::Github => github::write(report, &mut text)?,
        Format::Markdown => markdown::write(report, &mut text)?,
        Format::Junit => junit::write(report, &mut text)?,
    }
    visible::write(&text, format == Format::Text, out)
}

/// The report as JSON, for those who compare it with a saved one.
pub(crate) fn to_value(report: &Report) -> serde_json::Result<serde_json::Value> {
    serde_json::to_value(json::report(report))
}

/// Writes finished output to standard output. A reader that has gone away (`| head`) is no error: it had what it wanted.
pub(crate) fn to_stdout(text: &[u8], colour: Colour) -> Result<(), Error> {
    let mut out = anstream::AutoStream::new(io::stdout().lock(), colour.choice());
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::new(format!("standard output: {error}"))),
        _ => Ok(()),
    }
}

/// Shows what is wrong with a policy that cannot be applied, on standard error.
pub(crate) fn diagnostics(diagnostics: &[Diagnostic], file: &str, text: &str, colour: Colour) {
    let mut shown = Vec::new();
    for diagnostic in diagnostics {
        // Writing to memory does not fail.
        let _ = snippets::policy(diagnostic, file, text, Detail::of_terminal(false, false), &mut shown);
    }
    to_stderr(&shown, colour);
}

/// Shows why there is no result, on standard error.
pub(crate) fn error(error: &Error) {
    to_stderr(format!("{}\n", visible::but(&error.to_string(), &['\n'])).as_bytes(), Colour::Auto);
}

fn to_stderr(text: &[u8], colour: Colour) {
    let mut out = anstream::AutoStream::new(io::stderr().lock(), colour.choice());
    // Nobody is left to be told when standard error is gone.
    let _ = visible::write(text, true, &mut out);
}

/// Writes what is wrong with a policy file, each with the line that it is in, and a line that counts.
pub(crate) fn snippets(diagnostics: &[Diagnostic], file: &str, text: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut shown = Vec::new();
    for diagnostic in diagnostics {
        snippets::policy(diagnostic, file, text, Detail::of_terminal(false, false), &mut shown)?;
    }
    visible::write(&shown, true, out)?;
    let errors = diagnostics.iter().filter(|it| it.severity == gilaudit_model::Severity::Error).count();
    let others = diagnostics.len() - errors;
    writeln!(out, "{}: {}, {}", visible::line(file), count(errors, "error"), count(others, "warning"))
}

/// Shows the inputs that could not be read, on standard error.
pub(crate) fn problems_to_stderr(problems: &[gilaudit_model::Problem], colour: Colour) {
    let mut shown = Vec::new();
    // Writing to memory does not fail.
    let _ = text::problems(problems, Detail::of_terminal(true, false), &mut shown);
    to_stderr(&shown, colour);
}

/// `1 module`, `2 modules`, `0 libraries`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    match (number, thing.strip_suffix('y')) {
        (1, _) => format!("1 {thing}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {thing}s"),
    }
}
