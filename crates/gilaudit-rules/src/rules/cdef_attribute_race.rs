//! Flags attributes of extension types that are replaced or counted without a lock in a module that says it needs no GIL.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use gilaudit_model::source::cython::{CythonFile, StmtKind};
use gilaudit_model::source::{Name, StmtId};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::cython::{Code, codes, lazy_fills};
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

/// How many of the attributes a message names.
const NAMED: usize = 4;

/// A class and an attribute of it.
type Attribute = (Name, Name);

/// An attribute's name, and where it is written.
type Written = (Name, Vec<Write>);

/// A place where an attribute is replaced or counted.
struct Write {
    of: u32,
    stmt: StmtId,
    object: bool,
}

fn check(analysis: &Analysis<'_>, file: &CythonFile, rule: &Rule, out: &mut Vec<Finding>) {
    let code = codes(analysis, file);
    // Without a declaration the GIL guards all of this.
    if !crate::engine::cython::declares(analysis.project, &analysis.cython, code.number) {
        return;
    }
    let (written, read) = accesses(&code);
    // A function that changes several attributes is one finding: it wants one lock.
    let mut by_function: BTreeMap<(u32, Name, bool), Vec<Written>> = BTreeMap::new();
    for ((class, name), writes) in written {
        let Some(first) = writes.first() else { continue };
        if read.get(&(class, name)).is_some_and(|read| read.iter().any(|of| *of != first.of)) {
            by_function.entry((first.of, class, first.object)).or_default().push((name, writes));
        }
    }
    for ((of, class, object), mut attributes) in by_function {
        attributes.sort_by_key(|(_, writes)| writes.first().map(|write| write.stmt));
        let Some(first) = attributes.first().and_then(|(_, writes)| writes.first()) else { continue };
        let (verb, consequence) = match object {
            true => ("replaced", "the old object can be freed while another thread takes a reference to it"),
            false => ("changed in two steps", "counts are lost"),
        };
        let names: Vec<String> = attributes.iter().map(|(name, _)| format!("'{}'", code.text(*name))).collect();
        let named = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = names.len().saturating_sub(NAMED);
        let named = if more == 0 { named } else { format!("{named} and {more} more") };
        let verb = if names.len() == 1 { format!("is {verb}") } else { format!("are {verb}") };
        let message = format!("{named} of '{}' {verb} without a lock: {consequence}", code.text(class));
        let mut finding = code.finding(analysis, rule, file.stmt(first.stmt).span, Some(of), message);
        finding.help = Some("decorate the methods that use it with @cython.critical_section, or hold 'with cython.critical_section(self)' around each use (Cython 3.1)".to_owned());
        let others = attributes.iter().flat_map(|(_, writes)| writes).map(|write| write.stmt);
        let others: BTreeSet<StmtId> = others.filter(|stmt| *stmt != first.stmt).collect();
        finding
            .related
            .extend(others.into_iter().take(8).map(|stmt| code.related(analysis, stmt, "also written here")));
        out.push(finding);
    }
}

/// What methods that threads can run at the same time write and read without a lock, where the GIL would have kept them apart.
fn accesses(code: &Code<'_>) -> (BTreeMap<Attribute, Vec<Write>>, BTreeMap<Attribute, Vec<u32>>) {
    let file = code.file;
    let mut written: BTreeMap<Attribute, Vec<Write>> = BTreeMap::new();
    let mut read: BTreeMap<Attribute, Vec<u32>> = BTreeMap::new();
    let vital = vital_attributes(code);
    // `lazy-object-cache` has these, and `buffer-hooks` the counts of exports.
    let filled: HashSet<StmtId> = lazy_fills(code).into_iter().flat_map(|fill| fill.acts).collect();
    for (of, function) in code.live() {
        if matches!(code.text(function.name), "__getbuffer__" | "__releasebuffer__") {
            continue;
        }
        let Some((class, _)) = code.extension_self(function) else { continue };
        if code.index.is_local_only(class) {
            continue;
        }
        for id in code.body(of).filter(|id| !code.is_detached(*id)) {
            for expr in file.exprs_of(id) {
                if let Some((name, _)) = code.attribute(function, expr) {
                    read.entry((class, name)).or_default().push(of);
                }
            }
            let StmtKind::Assign { targets, augmented, .. } = file.stmt(id).kind else { continue };
            if filled.contains(&id) || code.is_locked(id) {
                continue;
            }
            for target in file.list(targets) {
                let Some((name, ty)) = code.attribute(function, *target) else { continue };
                let object = code.is_object(ty);
                let races = augmented || object && vital.contains(&name);
                if races && !code.is_atomic(ty) {
                    written.entry((class, name)).or_default().push(Write { of, stmt: id, object });
                }
            }
        }
    }
    (written, read)
}

/// The attributes, by name, that are given an object that ends with its last reference: anywhere in the file, while the object is made, too.
fn vital_attributes(code: &Code<'_>) -> HashSet<Name> {
    let mut out = HashSet::new();
    for (function, of) in code.file.functions.iter().zip(0u32..) {
        for id in code.body(of) {
            let StmtKind::Assign { targets, value, augmented } = code.file.stmt(id).kind else { continue };
            if augmented || !code.is_constant(of, value) {
                let targets = code.file.list(targets).iter();
                out.extend(targets.filter_map(|target| Some(code.attribute(function, *target)?.0)));
            }
        }
    }
    out
}
