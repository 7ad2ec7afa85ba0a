//! Flags `unsafe impl Send` and `Sync` for what relies on the GIL.

use gilaudit_model::source::Span;
use gilaudit_model::source::rust::{RustFile, RustStruct, RustType};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::rust;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "unsafe-sync",
    summary: "an unsafe impl of Send or Sync for data that only the GIL protected",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("unsafe_sync.md"),
    checks: &[Check::Rust(check)],
};

fn check(analysis: &Analysis<'_>, facts: &RustFile, rule: &Rule, out: &mut Vec<Finding>) {
    let mut reported: Vec<&str> = Vec::new();
    // `Sync` first: it is the promise that matters more, and one finding for a type is enough.
    let impls = facts.unsafe_impls.iter();
    for it in impls.clone().filter(|it| it.auto_trait == "Sync").chain(impls.filter(|it| it.auto_trait == "Send")) {
        let structure = analysis.rust.structure(facts.file, &it.name);
        let cell =
            structure.and_then(|structure| structure.fields.iter().find_map(|(_, ty, _)| rust::unguarded(ty, false)));
        let at_cell = structure.map(|structure| comments_at_cells(analysis, facts, structure)).unwrap_or_default();
        let relies = rust::relies_on_gil(&it.comment) || rust::relies_on_gil(&at_cell);
        // Cells in a class are another rule's.
        let is_class_with_cell = cell.is_some() && structure.is_some_and(|structure| structure.pyclass == Some(false));
        if reported.contains(&&*it.name) || is_class_with_cell {
            continue;
        }
        // A reason that is not about the GIL is taken as one, and so is what guards the cell.
        let is_ordered = !it.comment.is_empty()
            || says_who_accesses(&at_cell)
            || structure.is_some_and(|structure| has_guard_beside(analysis, facts, structure));
        if !relies && (cell.is_none() || is_ordered) {
            continue;
        }
        reported.push(&it.name);
        let why = match (relies, cell) {
            (true, Some(cell)) => format!("a comment says that the GIL protects it, and it holds a '{cell}'"),
            (true, None) => "a comment says that the GIL protects it".to_owned(),
            (false, Some(cell)) => format!("it holds a '{cell}', and nothing says what orders the accesses"),
            (false, None) => continue,
        };
        let message = format!("'{}' is made {} by hand: {why}", it.name, it.auto_trait);
        let mut finding = analysis.finding(rule, facts.file, it.span, message);
        let tied = relies || structure.is_none_or(|structure| rust::is_tied_to_python(analysis, structure));
        finding.confidence = match (relies, cell) {
            (true, Some(_)) => Confidence::High,
            _ if tied => Confidence::Medium,
            // Threads of Rust's own could always reach it: the GIL guarded nothing.
            _ => Confidence::Low,
        };
        finding.help = Some("hold the data in an atomic, a std::sync::Mutex (MutexExt::lock_py_attached, PyO3 0.24) or a PyOnceLock (PyO3 0.26), and let the compiler derive Send and Sync".to_owned());
        if let Some(structure) = structure {
            finding.related.push(analysis.related(facts.file, structure.span, "the type"));
        }
        out.push(finding);
    }
}

/// The comments at the fields that hold cells, directly before them and in them: one is often for a group of fields.
fn comments_at_cells(analysis: &Analysis<'_>, facts: &RustFile, structure: &RustStruct) -> String {
    let file = analysis.project.file(facts.file);
    let is_own = |structure: &RustStruct| facts.structs.iter().any(|it| it.span == structure.span);
    let mut group: Vec<&str> = Vec::new();
    let mut out: Vec<&str> = Vec::new();
    let mut end = structure.span.end;
    for (_, ty, span) in structure.fields.iter().filter(|_| is_own(structure)) {
        let around = Span { start: end, end: span.end };
        let own: Vec<&str> =
            file.comments.iter().filter(|it| around.contains(**it)).map(|it| file.text_of(*it)).collect();
        // An empty line or another comment ends a group.
        if !own.is_empty() || file.text_of(Span { start: end, end: span.start }).matches('\n').count() > 1 {
            group = own;
        }
        end = span.end;
        if rust::unguarded(ty, false).is_some() {
            out.append(&mut group.clone());
        }
    }
    out.join("\n")
}

/// Whether a comment says who may access something, or what orders the accesses.
fn says_who_accesses(comment: &str) -> bool {
    const WORDS: [&str; 10] =
        ["safety", "thread", "lock", "atomic", "synchron", "exclusive", "concurren", "holding", "owner", "unique"];
    let lower = comment.to_ascii_lowercase();
    WORDS.iter().any(|word| lower.contains(word))
}

/// Whether a lock or an atomic stands beside the cells, or a `Once` that every function asks that reaches a cell: it orders only what
/// goes through it.
fn has_guard_beside(analysis: &Analysis<'_>, facts: &RustFile, structure: &RustStruct) -> bool {
    let is_once = |ty: &RustType| ty.names.first().is_some_and(|name| **name == *"Once");
    let guards = || structure.fields.iter().filter(|(_, ty, _)| rust::is_guard_type(ty));
    if guards().any(|(_, ty, _)| !is_once(ty)) {
        return true;
    }
    let cells: Vec<String> = structure
        .fields
        .iter()
        .filter(|(_, ty, _)| rust::unguarded(ty, false).is_some())
        .map(|(name, _, _)| format!(".{name}.get("))
        .collect();
    guards().any(|(once, _, _)| {
        facts.functions.iter().all(|function| {
            let body = rust::text(analysis, facts, function.body);
            !cells.iter().any(|cell| body.contains(cell)) || rust::words(body, once).next().is_some()
        })
    })
}
