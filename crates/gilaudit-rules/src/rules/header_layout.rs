//! Flags the private layout of an object's header that is relied on.

use gilaudit_model::source::ExprKind;
use gilaudit_model::source::rust::RustFile;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::{Analysis, Unit};
use crate::engine::exempt;
use crate::engine::rust;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "header-layout",
    summary: "the private layout of an object's header that is relied on",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("header_layout.md"),
    checks: &[Check::Function(check), Check::Rust(check_rust)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for (expr, kind, _) in unit.exprs() {
        let what = match kind {
            ExprKind::Field { name, .. } => match unit.text(name) {
                name @ ("_gc_next" | "_gc_prev" | "ob_ref_local" | "ob_ref_shared" | "ob_tid" | "ob_gc_bits") => name,
                _ => continue,
            },
            ExprKind::Cast { base, pointers: 1, .. } if unit.text(base) == "PyGC_Head" => "PyGC_Head",
            _ => continue,
        };
        if exempt::is_polyfill(unit) || unit.is_unparsed(unit.expr(expr).span) {
            continue;
        }
        let message = format!(
            "'{what}' is part of a header that the free-threaded build lays out differently: there is no PyGC_Head before an object, and the count is split in two"
        );
        let mut finding = unit.finding(rule, expr, message);
        finding.help = Some("use the API: PyObject_GC_IsTracked, Py_REFCNT, PyUnstable_TryIncRef (new in Python 3.14; pythoncapi-compat has it)".to_owned());
        out.push(finding);
    }
}

fn check_rust(analysis: &Analysis<'_>, facts: &RustFile, rule: &Rule, out: &mut Vec<Finding>) {
    let private = |name: &str| {
        matches!(
            name,
            "ob_refcnt" | "ob_tid" | "ob_ref_local" | "ob_ref_shared" | "ob_gc_bits" | "_gc_next" | "_gc_prev"
        )
    };
    let members = facts
        .functions
        .iter()
        .flat_map(|function| function.header_members.iter().map(move |(name, span)| (Some(function), name, *span)));
    // A copy of the header's definition.
    let fields = facts.structs.iter().filter(|it| it.repr_c).flat_map(|it| &it.fields);
    // A copy that knows the free-threaded layout says so by its names.
    let fields = fields.filter(|(name, _, _)| matches!(&**name, "ob_refcnt" | "_gc_next" | "_gc_prev"));
    let fields = fields.map(|(name, _, span)| (None, name, *span));
    for (function, name, span) in members.chain(fields).filter(|(_, name, _)| private(name)) {
        let message = format!(
            "'{name}' is part of a header that the free-threaded build lays out differently: there is no PyGC_Head before an object, and the count is split in two"
        );
        let mut finding = rust::finding(analysis, facts, rule, function, span, message);
        finding.help = Some("use the API: Py_REFCNT, PyUnstable_Object_IsUniquelyReferenced and PyUnstable_TryIncRef (new in Python 3.14); where the code is for the GIL only, say #[cfg(not(Py_GIL_DISABLED))]".to_owned());
        out.push(finding);
    }
}
