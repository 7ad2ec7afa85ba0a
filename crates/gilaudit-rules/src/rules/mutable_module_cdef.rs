//! Flags C variables of a module that functions replace without a lock.

use std::collections::BTreeSet;

use gilaudit_model::source::cython::{CythonFile, ExprKind, StmtKind};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::cython::codes;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "mutable-module-cdef",
    summary: "a C variable of a module that functions replace without a lock",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("mutable_module_cdef.md"),
    checks: &[Check::Cython(check)],
};

fn check(analysis: &Analysis<'_>, file: &CythonFile, rule: &Rule, out: &mut Vec<Finding>) {
    let code = codes(analysis, file);
    for (of, _) in code.live() {
        let global: BTreeSet<_> = code
            .body(of)
            .filter_map(|id| match &file.stmt(id).kind {
                StmtKind::Global(names) => Some(names.iter().copied()),
                _ => None,
            })
            .flatten()
            .collect();
        let mut places = Vec::new();
        let mut names = BTreeSet::new();
        for id in code.body(of) {
            let StmtKind::Assign { targets, .. } = file.stmt(id).kind else { continue };
            for target in file.list(targets) {
                let ExprKind::Name(name) = file.kind(*target) else { continue };
                let ty = code.index.globals.get(&(code.module(), name)).and_then(|global| global.ty);
                // A number is replaced at once; of an object the reference count is touched by both.
                let counts = ty.is_some_and(|ty| !code.is_atomic(ty) && (code.is_object(ty) || ty.pointers > 0));
                if global.contains(&name) && counts && !code.is_locked(id) {
                    names.insert(code.text(name));
                    places.push((id, *target));
                }
            }
        }
        let Some((_, first)) = places.first() else { continue };
        let list: Vec<String> = names.iter().take(6).map(|name| format!("'{name}'")).collect();
        let many = if names.len() > 1 { "are replaced one by one" } else { "is replaced" };
        let message = format!(
            "{} {many} without a lock: another thread can be reading the old value while its last reference is dropped",
            list.join(", ")
        );
        let mut finding = code.finding(analysis, rule, file.span(*first), Some(of), message);
        finding.help = Some(
            "build the new values in locals and publish them inside one 'with cython.critical_section(obj)' or cython.pymutex (Cython 3.1); \
             readers take the same lock"
                .to_owned(),
        );
        finding
            .related
            .extend(places.iter().skip(1).take(5).map(|(id, _)| code.related(analysis, *id, "also replaced here")));
        out.push(finding);
    }
}
