//! Flags a member that is locked in some functions and not in others.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use gilaudit_model::source::cython::{CythonFile, Declarator, ExprKind, Function, StmtKind};
use gilaudit_model::source::{FileId, Name, StmtId, StructId};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::cython::{Code, codes};
use crate::engine::index::{Access, AccessKind, FieldKey};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "inconsistent-locking",
    summary: "a member that is guarded by a lock in some functions and used without it in another",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("inconsistent_locking.md"),
    checks: &[Check::Project(check), Check::Cython(check_cython)],
};

fn check(analysis: &Analysis<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    let index = &analysis.index;
    let copied = copied_structs(analysis);
    let mut keys: Vec<(&FieldKey, &Vec<Access>)> = index.fields.iter().filter(|(key, _)| key.owner.is_some()).collect();
    keys.sort_by_key(|(key, _)| **key);
    for (key, accesses) in keys {
        let live = accesses.iter().filter(|access| {
            let function = access.function.0 as usize;
            access.shared && !index.init_only[function] && !index.lifecycle[function]
        });
        // Several versions of one library in one tree have nothing to do with each other.
        let mut builds: BTreeMap<&str, Vec<&Access>> = BTreeMap::new();
        let is_copied = key.owner.is_some_and(|owner| copied.contains(&owner));
        for access in live {
            let build =
                if is_copied { folder_of(analysis, analysis.project.function(access.function).file) } else { "" };
            builds.entry(build).or_default().push(access);
        }
        for live in builds.values() {
            member(analysis, rule, *key, live, out);
        }
    }
}

/// The accesses to one member, in code that is built together.
fn member(analysis: &Analysis<'_>, rule: &Rule, key: FieldKey, live: &[&Access], out: &mut Vec<Finding>) {
    let index = &analysis.index;
    let is_locked = |access: &Access| access.locked || index.lock_held[access.function.0 as usize];
    let locked: BTreeSet<_> = live.iter().filter(|access| is_locked(access)).map(|access| access.function).collect();
    let written = live.iter().any(|access| access.writes());
    if locked.len() < 2 || !written {
        return;
    }
    let locked_write = live.iter().any(|access| is_locked(access) && access.writes());
    let mut reported = BTreeSet::new();
    for access in live {
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
        if function.unparsed.iter().any(|part| part.contains(span)) || !analysis.project.file(function.file).report {
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
            (true, true) => Confidence::Medium,
            _ => Confidence::Low,
        };
        finding.help = Some("take the same lock here: Py_BEGIN_CRITICAL_SECTION on the object (new in Python 3.13), or the mutex that guards the member elsewhere".to_owned());
        if let Some(guarded) = live.iter().find(|access| is_locked(access)) {
            let other = analysis.project.function(guarded.function);
            finding.related.push(analysis.related(other.file, other.body.expr(guarded.expr).span, "guarded here"));
        }
        out.push(finding);
    }
}

/// The structs of which another of the same name is defined in another folder: they are in copies of a library.
fn copied_structs(analysis: &Analysis<'_>) -> HashSet<StructId> {
    let project = analysis.project;
    let mut folders: HashMap<Name, BTreeSet<&str>> = HashMap::new();
    for defined in project.structs.iter().filter(|defined| !defined.fields.is_empty()) {
        for name in &defined.names {
            folders.entry(*name).or_default().insert(folder_of(analysis, defined.file));
        }
    }
    let is_copied = |name: &Name| folders.get(name).is_some_and(|folders| folders.len() > 1);
    let all = (0u32..).map(StructId).zip(&project.structs);
    all.filter(|(_, defined)| defined.names.iter().any(is_copied)).map(|(id, _)| id).collect()
}

fn folder_of<'p>(analysis: &Analysis<'p>, file: FileId) -> &'p str {
    analysis.project.file(file).path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The same in Cython: attributes of an extension type that are used under a lock elsewhere, and such as belong together, written
/// without one. The finding is at the method that Python code calls, because that is where the lock belongs.
fn check_cython(analysis: &Analysis<'_>, file: &CythonFile, rule: &Rule, out: &mut Vec<Finding>) {
    let code = codes(analysis, file);
    // Where no lock is taken at all, none is missing in one place.
    if !analysis.cython.with_locks.contains(&code.module()) {
        return;
    }
    for (of, function) in code.live() {
        if function.declarator == Declarator::Cdef {
            continue;
        }
        let Some((class, _)) = code.extension_self(function) else { continue };
        let mut written: BTreeMap<String, StmtId> = BTreeMap::new();
        for id in code.body(of).filter(|id| !code.is_locked(*id)) {
            for path in assigned(&code, function, id) {
                written.entry(path).or_insert(id);
            }
            // One step into a helper of the same class.
            for helper in helpers(&code, function, id) {
                let Some(called) = file.functions.get(helper as usize) else { continue };
                for inner in code.body(helper).filter(|inner| !code.is_locked(*inner)) {
                    for path in assigned(&code, called, inner) {
                        written.entry(path).or_insert(id);
                    }
                }
            }
        }
        if written.len() < 2 {
            continue;
        }
        // Somebody else reads two of them together.
        let together = file.functions.iter().zip(0u32..).find_map(|(reader, other)| {
            let inside = reader.class == function.class
                || reader.parameters.iter().any(|it| it.ty.is_some_and(|ty| ty.base == class));
            if other == of || !inside || !code.role(other).live {
                return None;
            }
            let mut read: BTreeSet<&str> = BTreeSet::new();
            let mut at = None;
            for id in code.body(other) {
                for expr in file.exprs_of(id) {
                    let Some(path) = code.path(expr) else { continue };
                    let Some((_, rest)) = path.split_once('.') else { continue };
                    if let Some((known, _)) = written.get_key_value(rest) {
                        read.insert(known);
                        at.get_or_insert(id);
                    }
                }
            }
            (read.len() >= 2).then_some(at?)
        });
        let Some(reader) = together else { continue };
        let Some(first) = written.values().min() else { continue };
        let names: Vec<String> = written.keys().take(4).map(|name| format!("'{name}'")).collect();
        let message = format!(
            "{} belong together and are written without a lock: a reader can see one new and one old",
            names.join(" and ")
        );
        let mut finding = code.finding(analysis, rule, file.stmt(*first).span, Some(of), message);
        finding.confidence = Confidence::Medium;
        finding.help = Some("work the values out first, then write all of them inside one 'with cython.critical_section(self)' (Cython 3.1) or the lock that guards them elsewhere".to_owned());
        finding.related.push(code.related(analysis, reader, "read together here"));
        out.push(finding);
    }
}

/// The attributes of `self` that a statement assigns to, with the members of structs in them, without `self.`.
fn assigned(code: &Code<'_>, function: &Function, id: StmtId) -> Vec<String> {
    let StmtKind::Assign { targets, .. } = code.file.stmt(id).kind else { return Vec::new() };
    let Some((class, this)) = code.extension_self(function) else { return Vec::new() };
    let this = code.text(this);
    let path = |target: &gilaudit_model::source::ExprId| {
        let path = code.path(*target)?;
        let rest = path.strip_prefix(this)?.strip_prefix('.')?.to_owned();
        let name = code.project.names.get(rest.split('.').next()?)?;
        let ty = code.index.attribute(class, name)?;
        // A number alone is written at once; a struct's members, references and pointers are what can disagree.
        let matters = rest.contains('.') || ty.pointers > 0 || code.is_object(ty) || !code.is_number(ty);
        (matters && !code.is_atomic(ty)).then_some(rest)
    };
    code.file.list(targets).iter().filter_map(path).collect()
}

/// The `cdef` methods of the same class that a statement calls on `self`.
fn helpers(code: &Code<'_>, function: &Function, id: StmtId) -> Vec<u32> {
    let file = code.file;
    let Some((_, this)) = code.extension_self(function) else { return Vec::new() };
    let called = file.exprs_of(id).filter_map(|expr| match file.kind(expr) {
        ExprKind::Call { callee, .. } => match file.kind(callee) {
            ExprKind::Attribute { base, name } if file.kind(base) == ExprKind::Name(this) => Some(name),
            _ => None,
        },
        _ => None,
    });
    let is = |name| {
        file.functions
            .iter()
            .position(|it| it.name == name && it.class == function.class && it.declarator == Declarator::Cdef)
    };
    called.filter_map(is).map(|index| index as u32).collect()
}
