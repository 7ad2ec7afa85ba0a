//! Flags `unsafe impl Send` and `Sync` for what relies on the GIL.

use gilaudit_model::source::rust::RustFile;
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
        let relies = rust::relies_on_gil(&it.comment);
        // Cells in a class are another rule's; a reason that is not about the GIL is taken as one.
        let is_class_with_cell = cell.is_some() && structure.is_some_and(|structure| structure.pyclass == Some(false));
        if reported.contains(&&*it.name) || is_class_with_cell || !relies && (cell.is_none() || !it.comment.is_empty())
        {
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
        finding.confidence = if relies && cell.is_some() { Confidence::High } else { Confidence::Medium };
        finding.help = Some("hold the data in an atomic, a std::sync::Mutex (MutexExt::lock_py_attached, PyO3 0.24) or a PyOnceLock (PyO3 0.26), and let the compiler derive Send and Sync".to_owned());
        if let Some(structure) = structure {
            finding.related.push(analysis.related(facts.file, structure.span, "the type"));
        }
        out.push(finding);
    }
}
