//! Findings in sources, each with its line, the way rustc shows its own.

use std::io::{self, Write};

use gilaudit_model::{Finding, Location, Origin, Related};

use super::text::{BOLD, DIM, colour};
use super::{Detail, wrap};
use crate::report::Report;

/// How many findings in sources are shown before it says "and more".
const SHOWN: usize = 200;

/// Writes the findings in sources: errors first, then by place.
pub(super) fn write(report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let is_text = |finding: &&Finding| matches!(finding.location, Location::Text { .. });
    let news = report.findings().filter(|seen| seen.is_news()).map(|seen| seen.finding);
    let mut findings: Vec<&Finding> = news.filter(is_text).collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let shown = if detail.verbose { findings.len() } else { SHOWN };
    for finding in findings.iter().take(shown) {
        write_one(finding, report, out)?;
    }
    if findings.len() > shown {
        writeln!(out, "{DIM}and {} more findings in sources (--verbose shows them){DIM:#}\n", findings.len() - shown)?;
    }
    Ok(())
}

fn write_one(finding: &Finding, report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let style = colour(finding.severity);
    let head = format!("{}[{}]", finding.severity.as_str(), finding.rule);
    writeln!(out, "{style}{head}{style:#}: {}", wrap::hang_after(&finding.message, head.len() + 2, 4))?;
    let Location::Text { line, column, end_line, end_column } = finding.location else { return Ok(()) };
    let lines: Vec<u32> = std::iter::once(line).chain(finding.related.iter().filter_map(line_of)).collect();
    let width = lines.iter().max().map_or(1, |line| line.to_string().len());
    let gap = " ".repeat(width);
    let function = finding.function.as_ref().map_or(String::new(), |name| format!(", in {name}"));
    writeln!(out, "{gap}{DIM}-->{DIM:#} {}:{line}:{column}{function}", finding.origin)?;
    writeln!(out, "{gap} {DIM}|{DIM:#}")?;
    let end = if end_line == line { Some(end_column) } else { None };
    marked(report, &finding.origin, line, column, end, width, &format!("{style}^{style:#}"), "", out)?;
    for related in &finding.related {
        let Location::Text { line, column, end_line, end_column } = related.location else { continue };
        if related.origin != finding.origin {
            writeln!(out, "{gap}{DIM}:::{DIM:#} {}:{line}:{column}", related.origin)?;
        } else {
            writeln!(out, "{DIM}...{DIM:#}")?;
        }
        let end = if end_line == line { Some(end_column) } else { None };
        marked(report, &related.origin, line, column, end, width, "-", &related.message, out)?;
    }
    if let Some(help) = &finding.help {
        writeln!(out, "{gap} {DIM}={DIM:#} {BOLD}help:{BOLD:#} {}", wrap::hang_after(help, width + 9, width + 9))?;
    }
    writeln!(out)
}

fn line_of(related: &Related) -> Option<u32> {
    match related.location {
        Location::Text { line, .. } => Some(line),
        _ => None,
    }
}

/// A line of a file with a part of it underlined. Nothing when the text is not at hand: a header that has no finding of its own.
#[allow(clippy::too_many_arguments, reason = "a place, and how to mark it")]
fn marked(
    report: &Report,
    origin: &Origin,
    line: u32,
    column: u32,
    end: Option<u32>,
    width: usize,
    mark: &str,
    message: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    let texts = &report.answers.texts;
    let text = texts.binary_search_by(|(known, _)| known.cmp(origin)).ok().map_or("", |at| texts[at].1.as_str());
    let Some(source) = text.lines().nth((line as usize).saturating_sub(1)) else {
        return writeln!(out, "{DIM}{line:>width$} |{DIM:#} {message}");
    };
    // Tabs would put the mark elsewhere than the text; very long lines are cut, control characters are not for terminals.
    let visible: Vec<char> = source.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    let before = (column.saturating_sub(1) as usize).min(visible.len());
    let last = end.map_or(visible.len(), |end| (end.saturating_sub(1) as usize).min(visible.len()));
    let length = last.saturating_sub(before).max(1);
    let shown: String = visible.iter().collect();
    writeln!(out, "{DIM}{line:>width$} |{DIM:#} {}", shown.trim_end())?;
    let message = if message.is_empty() { String::new() } else { format!(" {message}") };
    writeln!(out, "{} {DIM}|{DIM:#} {}{}{message}", " ".repeat(width), " ".repeat(before), mark.repeat(length))
}
