//! Flags attributes of extension types that are replaced or counted without a lock in a module that says it needs no GIL.

use std::collections::BTreeMap;

use gilaudit_model::source::Name;
use gilaudit_model::source::cython::{CythonFile, StmtKind};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::cython::codes;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "cdef-attribute-race",
    summary: "an attribute of an extension type that is replaced or counted without a lock",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("cdef_attribute_race.md"),
    checks: &[Check::Cython(check)],
};

fn check(analysis: &Analysis<'_>, file: &CythonFile, rule: &Rule, out: &mut Vec<Finding>) {
    let code = codes(analysis, file);
    // Without a declaration the GIL guards all of this.
    if !crate::engine::cython::declares(analysis.project, &analysis.cython, code.number) {
        return;
    }
    let mut written: BTreeMap<(Name, Name), Vec<Write>> = BTreeMap::new();
    let mut read: BTreeMap<(Name, Name), Vec<u32>> = BTreeMap::new();
    for (of, function) in code.live() {
        // `buffer-hooks` has these.
        if matches!(code.text(function.name), "__getbuffer__" | "__releasebuffer__") {
            continue;
        }
        let Some((class, _)) = code.extension_self(function) else { continue };
        for id in code.body(of) {
            for expr in file.exprs_of(id) {
                if let Some((name, _)) = code.attribute(function, expr) {
                    read.entry((class, name)).or_default().push(of);
                }
            }
            let StmtKind::Assign { targets, augmented, .. } = file.stmt(id).kind else { continue };
            for target in file.list(targets) {
                let Some((name, ty)) = code.attribute(function, *target) else { continue };
                let races = code.is_object(ty) || augmented;
                if races && !code.is_atomic(ty) && !code.is_locked(id) {
                    written.entry((class, name)).or_default().push(Write { of, stmt: id, object: code.is_object(ty) });
                }
            }
        }
    }
    for ((class, name), writes) in written {
        let Some(first) = writes.first() else { continue };
        let others = read.get(&(class, name)).is_some_and(|read| read.iter().any(|of| *of != first.of));
        if !others {
            continue;
        }
        let consequence = if first.object {
            "the old object can be freed while another thread takes a reference to it"
        } else {
            "counts are lost"
        };
        let verb = if first.object { "replaced" } else { "changed in two steps" };
        let message =
            format!("'{}' of '{}' is {verb} without a lock: {consequence}", code.text(name), code.text(class));
        let mut finding = code.finding(analysis, rule, file.stmt(first.stmt).span, Some(first.of), message);
        finding.help = Some("decorate the methods that use it with @cython.critical_section, or hold 'with cython.critical_section(self)' around each use (Cython 3.1)".to_owned());
        finding
            .related
            .extend(writes.iter().skip(1).take(4).map(|write| code.related(analysis, write.stmt, "also written here")));
        out.push(finding);
    }
}

struct Write {
    of: u32,
    stmt: gilaudit_model::source::StmtId,
    object: bool,
}
