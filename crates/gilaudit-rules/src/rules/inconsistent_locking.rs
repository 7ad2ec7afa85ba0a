//! Flags a member that is locked in some functions and not in others.

use std::collections::BTreeSet;

use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::index::{Access, AccessKind, FieldKey};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "inconsistent-locking",
    summary: "a member that is guarded by a lock in some functions and used without it in another",
    severity: Severity::Warning,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("inconsistent_locking.md"),
    checks: &[Check::Project(check)],
};

fn check(analysis: &Analysis<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    let index = &analysis.index;
    let mut keys: Vec<(&FieldKey, &Vec<Access>)> = index.fields.iter().filter(|(key, _)| key.owner.is_some()).collect();
    keys.sort_by_key(|(key, _)| **key);
    for (key, accesses) in keys {
        let live: Vec<&Access> = accesses
            .iter()
            .filter(|access| {
                let function = access.function.0 as usize;
                access.shared && !index.init_only[function] && !index.lifecycle[function]
            })
            .collect();
        let is_locked = |access: &Access| access.locked || index.lock_held[access.function.0 as usize];
        let locked: BTreeSet<_> =
            live.iter().filter(|access| is_locked(access)).map(|access| access.function).collect();
        let written = live.iter().any(|access| access.writes());
        if locked.len() < 2 || !written {
            continue;
        }
        let locked_write = live.iter().any(|access| is_locked(access) && access.writes());
        let mut reported = BTreeSet::new();
        for access in &live {
            let function = access.function.0 as usize;
            if is_locked(access) || access.atomic || access.kind == AccessKind::Address || !index.callable[function] {
                continue;
            }
            if !(access.writes() || locked_write) || !reported.insert(access.function) {
                continue;
            }
            let Some(owner) = key.owner else { continue };
            let defined = &analysis.project.structs[owner.0 as usize];
            let field = defined.fields.iter().find(|field| field.name == key.name);
            if field.is_some_and(|field| field.ty.atomic || field.thread_local) {
                continue;
            }
            let function = analysis.project.function(access.function);
            let span = function.body.expr(access.expr).span;
            if function.unparsed.iter().any(|part| part.contains(span)) || !analysis.project.file(function.file).report
            {
                continue;
            }
            let verb = if access.writes() { "written" } else { "read" };
            let message = format!(
                "'{}' is {verb} without the lock that {} other functions hold for it",
                analysis.project.text(key.name),
                locked.len()
            );
            let mut finding = analysis.finding(rule, function.file, span, message);
            finding.function = Some(analysis.project.text(function.qualified).to_owned());
            // A lone read of a word is often meant; a write never agrees with a lock elsewhere. `__init__` can be called again, but
            // hardly anybody does while other threads use the object.
            let functions: BTreeSet<_> = live.iter().map(|access| access.function).collect();
            let mostly = locked.len() * 2 > functions.len();
            finding.confidence = match (access.writes(), mostly) {
                (true, _) if analysis.is_initialising(access.function) => Confidence::Low,
                (true, true) => Confidence::High,
                (true, false) => Confidence::Medium,
                (false, _) => Confidence::Low,
            };
            finding.help = Some("take the same lock here: Py_BEGIN_CRITICAL_SECTION on the object (new in Python 3.13), or the mutex that guards the member elsewhere".to_owned());
            if let Some(guarded) = live.iter().find(|access| is_locked(access)) {
                let other = analysis.project.function(guarded.function);
                finding.related.push(analysis.related(other.file, other.body.expr(guarded.expr).span, "guarded here"));
            }
            out.push(finding);
        }
    }
}
