//! The output formats: one file each, each a function from the report to a writer.

mod json;
mod report_v1;
mod table;
mod text;
mod wrap;

use std::io::{self, Write};

use crate::args::Format;
use crate::report::Report;

/// What a format may leave out or add.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Detail {
    /// Findings and problems only.
    pub(crate) quiet: bool,
    /// Every extension, every reason, no group cut short.
    pub(crate) verbose: bool,
}

/// Writes `report` in `format`. Styles are always written where the format has any; the writer strips them where unwanted.
pub(crate) fn write(report: &Report, format: Format, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Text => text::write(report, detail, out),
        Format::Json => json::write(report, out),
    }
}

/// `1 module`, `2 modules`, `0 libraries`.
fn count(number: usize, thing: &str) -> String {
    match (number, thing.strip_suffix('y')) {
        (1, _) => format!("1 {thing}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {thing}s"),
    }
}
