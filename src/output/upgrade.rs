//! What to upgrade to: for people, for programs (`gilaudit-upgrade/1`), and as constraints for pip and uv.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::report_v1::Tool;
use super::text::{BOLD, DIM};
use super::{Detail, count, visible};
use crate::history::Wanted;
use crate::history::upgrade::Row;

const BAD: Style = AnsiColor::Red.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const OPEN: Style = AnsiColor::Yellow.on_default().bold();

pub(crate) fn write(rows: &[Row], wanted: &Wanted, _: Detail, out: &mut dyn Write) -> io::Result<()> {
    let mut text = Vec::new();
    for row in rows.iter().filter(|row| row.is_bad()) {
        one(row, &mut text)?;
    }
    let bad = rows.iter().filter(|row| row.is_bad()).count();
    let better: Vec<String> = rows.iter().filter_map(requirement).collect();
    let (found, all) = (better.len(), count(rows.len(), "distribution"));
    if bad == 0 {
        writeln!(text, "Nothing in {all} turns the GIL of {} on.", wanted.target)?;
    } else {
        writeln!(
            text,
            "\n{bad} of {all} do not run without the GIL of {}, or could not be told; {found} can be upgraded.",
            wanted.target
        )?;
    }
    if !better.is_empty() {
        let quoted: Vec<String> = better.iter().map(|it| format!("'{it}'")).collect();
        writeln!(text, "{DIM}uv pip install {0}\npip install {0}{DIM:#}", quoted.join(" "))?;
    }
    visible::write(&text, true, out)
}

fn one(row: &Row, out: &mut dyn Write) -> io::Result<()> {
    let version = row.now.version.as_ref().map_or("?".to_owned(), ToString::to_string);
    write!(out, "{BOLD}{} {version}{BOLD:#}", row.now.name)?;
    if let Some(verdict) = row.now.verdict {
        let why = row.now.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        write!(out, ": {BAD}{}{BAD:#}{why}", verdict.as_str())?;
    }
    writeln!(out)?;
    if let Some(failure) = &row.failure {
        return writeln!(out, "    {OPEN}not told{OPEN:#}: {failure}");
    }
    match (&row.smallest, &row.newest) {
        (Some(release), _) => {
            writeln!(
                out,
                "    {GOOD}{}{GOOD:#} is the smallest release that runs free ({})",
                release.version,
                release.verdict.as_str()
            )?;
        }
        (None, None) => writeln!(out, "    no later release")?,
        (None, Some(_)) => writeln!(out, "    no later release runs free")?,
    }
    if let Some((version, verdict, why)) = &row.newest {
        let why = why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        writeln!(out, "    newest: {version}, {}{why}", verdict.as_str())?;
    }
    for need in &row.needs {
        writeln!(out, "    {OPEN}needs{OPEN:#} {need}")?;
    }
    Ok(())
}

fn requirement(row: &Row) -> Option<String> {
    row.smallest.as_ref().map(|release| format!("{}=={}", row.now.name, release.version))
}

/// A line for every release that is to be upgraded to; what has none is a comment.
pub(crate) fn write_constraints(rows: &[Row], out: &mut dyn Write) -> io::Result<()> {
    let mut text = Vec::new();
    for row in rows.iter().filter(|row| row.is_bad()) {
        match requirement(row) {
            Some(line) => writeln!(text, "{line}")?,
            None => {
                let why = row.failure.as_deref().unwrap_or("no later release runs free");
                writeln!(text, "# {}: {}", row.now.name, visible::line(why))?;
            }
        }
    }
    visible::write(&text, false, out)
}

#[derive(Serialize)]
struct Out<'a> {
    schema: &'static str,
    tool: Tool,
    python: String,
    platform: &'a str,
    distributions: Vec<RowOut<'a>>,
}

#[derive(Serialize)]
struct RowOut<'a> {
    name: &'a str,
    version: Option<String>,
    verdict: Option<&'static str>,
    why: Option<&'a str>,
    smallest: Option<String>,
    newest: Option<String>,
    newest_verdict: Option<&'static str>,
    needs: &'a [String],
    failure: Option<&'a str>,
}

pub(crate) fn write_json(rows: &[Row], wanted: &Wanted, out: &mut dyn Write) -> io::Result<()> {
    let distributions = rows
        .iter()
        .map(|row| RowOut {
            name: &row.now.name,
            version: row.now.version.as_ref().map(ToString::to_string),
            verdict: row.now.verdict.map(crate::history::Verdict::as_str),
            why: row.now.why.as_deref(),
            smallest: row.smallest.as_ref().map(|release| release.version.to_string()),
            newest: row.newest.as_ref().map(|newest| newest.0.to_string()),
            newest_verdict: row.newest.as_ref().map(|newest| newest.1.as_str()),
            needs: &row.needs,
            failure: row.failure.as_deref(),
        })
        .collect();
    let report = Out {
        schema: "gilaudit-upgrade/1",
        tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
        python: wanted.target.to_string(),
        platform: &wanted.platform,
        distributions,
    };
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)
}
