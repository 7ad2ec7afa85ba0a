//! The table by distribution: how many of its modules declare what, and what happens to them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use gilaudit_audit::report::{Judged, Report};
use gilaudit_model::{Distribution, Outcome, Status};

use super::{Detail, words, wrap};

/// The header and a row for every distribution; nothing when there are no extensions.
pub(super) fn rows(report: &Report) -> Vec<Vec<String>> {
    let mut by: BTreeMap<(bool, Option<&Distribution>), Vec<&Judged>> = BTreeMap::new();
    let mut contradicted: BTreeMap<Option<&Distribution>, usize> = BTreeMap::new();
    for (judged, rules) in report.rows() {
        let distribution = judged.extension.distribution.as_ref();
        // Files that belong to no distribution come last.
        by.entry((distribution.is_none(), distribution)).or_default().push(judged);
        *contradicted.entry(distribution).or_default() += usize::from(!rules.is_empty());
    }
    if by.is_empty() {
        return Vec::new();
    }
    let mut header = vec!["distribution".to_owned(), "modules".to_owned()];
    header.extend(Status::ALL.map(|status| status.as_str().to_owned()));
    header.push("outcome".to_owned());
    let row = |((_, distribution), judged): ((bool, Option<&Distribution>), Vec<&Judged>)| {
        let mut row = vec![distribution.map_or("(none)".to_owned(), words::shown), judged.len().to_string()];
        row.extend(
            Status::ALL
                .map(|status| judged.iter().filter(|it| it.extension.declaration.status == status).count().to_string()),
        );
        // What the interpreter does, and whether what it relies on is true.
        row.push(match contradicted.get(&distribution) {
            None | Some(0) => outcomes(&judged),
            Some(number) => format!("{}; {number} contradicted", outcomes(&judged)),
        });
        row
    };
    std::iter::once(header).chain(by.into_iter().map(row)).collect()
}

pub(super) fn write(report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let mut rows = rows(report).into_iter();
    let Some(header) = rows.next() else { return Ok(()) };
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(detail.width).unwrap_or(u16::MAX));
    table.set_header(cells(header));
    for row in rows {
        table.add_row(cells(row));
    }
    // Cells are padded to the width of their column; the spaces at either end of a line say nothing.
    for line in table.lines() {
        writeln!(out, "{}", line.strip_prefix(' ').unwrap_or(&line).trim_end())?;
    }
    writeln!(out)
}

/// The first and the last column are words, the others numbers.
fn cells(row: Vec<String>) -> Vec<Cell> {
    let last = row.len().saturating_sub(1);
    let align = |index: usize| if index == 0 || index == last { CellAlignment::Left } else { CellAlignment::Right };
    row.into_iter().enumerate().map(|(index, text)| Cell::new(wrap::clean(&text)).set_alignment(align(index))).collect()
}

/// `enables-gil`, or with counts when they differ: `12 runs-free, 1 enables-gil`.
fn outcomes(judged: &[&Judged]) -> String {
    let counted: Vec<(usize, &str)> = Outcome::ALL
        .into_iter()
        .map(|outcome| (judged.iter().filter(|it| it.decision.outcome == outcome).count(), outcome.as_str()))
        .filter(|(count, _)| *count > 0)
        .collect();
    match counted.as_slice() {
        [(_, outcome)] => (*outcome).to_owned(),
        several => several.iter().map(|(count, outcome)| format!("{count} {outcome}")).collect::<Vec<_>>().join(", "),
    }
}
