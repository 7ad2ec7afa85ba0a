//! The table by distribution: how many of its modules declare what, and what happens to them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use gilaudit_model::{Distribution, Outcome, Status};

use super::{text, wrap};
use crate::report::{Judged, Report};

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut rows: BTreeMap<(bool, Option<&Distribution>), Vec<&Judged>> = BTreeMap::new();
    for judged in &report.answers.extensions {
        let distribution = judged.extension.distribution.as_ref();
        // Files that belong to no distribution come last.
        rows.entry((distribution.is_none(), distribution)).or_default().push(judged);
    }
    if rows.is_empty() {
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(wrap::WIDTH as u16);
    let mut header = vec![Cell::new("distribution"), right("modules")];
    header.extend(Status::ALL.map(|status| right(status.as_str())));
    header.push(Cell::new("outcome"));
    table.set_header(header);
    for ((_, distribution), judged) in rows {
        let mut row =
            vec![Cell::new(distribution.map_or("(none)".to_owned(), text::shown)), right(&judged.len().to_string())];
        row.extend(Status::ALL.map(|status| {
            right(&judged.iter().filter(|it| it.extension.declaration.status == status).count().to_string())
        }));
        row.push(Cell::new(outcomes(&judged)));
        table.add_row(row);
    }
    // Cells are padded to the width of their column; the spaces at either end of a line say nothing.
    for line in table.lines() {
        writeln!(out, "{}", line.strip_prefix(' ').unwrap_or(&line).trim_end())?;
    }
    writeln!(out)
}

fn right(text: &str) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
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
