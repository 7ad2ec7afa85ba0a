//! What the rules for Rust share: texts of places, who runs only at import, what is guarded, which types share what they hold.

use std::collections::{HashMap, HashSet};

use gilaudit_model::source::rust::{RustCall, RustFile, RustFunction, RustStatic, RustStruct, RustType};
use gilaudit_model::source::{FileId, Project, Span};
use gilaudit_model::{Finding, Related};

use super::analysis::Analysis;
use crate::Rule;

/// The first PyO3 that knows free-threaded builds.
pub(crate) const SUPPORTS: (u32, u32, u32) = (0, 23, 0);

/// What is known across the Rust files of a project.
#[derive(Debug, Default)]
pub(crate) struct RustIndex<'p> {
    /// Functions that run only while a module is imported, or once.
    init_only: HashSet<&'p str>,
    structs: HashMap<&'p str, Vec<(FileId, &'p RustStruct)>>,
}

impl<'p> RustIndex<'p> {
    pub(crate) fn new(project: &'p Project) -> Self {
        let mut structs: HashMap<&str, Vec<(FileId, &RustStruct)>> = HashMap::new();
        for file in &project.rust {
            for it in &file.structs {
                structs.entry(&it.name).or_default().push((file.file, it));
            }
        }
        Self { init_only: init_only(project), structs }
    }

    /// Whether functions of this name run only while a module is imported, or once.
    pub(crate) fn is_init(&self, function: &RustFunction) -> bool {
        self.init_only.contains(&*function.name)
    }

    /// The struct of a name: the one of the file, else the only one of the project.
    pub(crate) fn structure(&self, file: FileId, name: &str) -> Option<&'p RustStruct> {
        let known = self.structs.get(name)?;
        let own = known.iter().find(|(other, _)| *other == file);
        own.or_else(|| known.first().filter(|_| known.len() == 1)).map(|(_, it)| *it)
    }
}

/// Module functions, init functions and exec slots, initialisers of lazy statics, and what only these call.
fn init_only(project: &Project) -> HashSet<&str> {
    let mut known: HashSet<&str> = HashSet::new();
    let mut callers: HashMap<&str, HashSet<&str>> = HashMap::new();
    for file in &project.rust {
        known.extend(file.exec_slots.iter().map(|name| &**name));
        known.extend(file.statics.iter().map(|it| &*it.name));
        for function in &file.functions {
            if file.modules.iter().any(|module| module.span == function.span) {
                known.insert(&function.name);
            }
            for call in &function.calls {
                callers.entry(&call.name).or_default().insert(&function.name);
                // `INIT.get_or_init(load)`: a function that is handed over by its name.
                if ["call_once", "get_or_init"].iter().any(|word| call.name.starts_with(word)) {
                    let names = call.args.iter().map(|arg| project.file(file.file).text_of(*arg));
                    known.extend(names.filter_map(|name| name.rsplit("::").next()));
                }
            }
        }
    }
    let names: HashSet<&str> =
        project.rust.iter().flat_map(|file| &file.functions).map(|function| &*function.name).collect();
    loop {
        let more: Vec<&str> = names
            .iter()
            .filter(|name| !known.contains(**name))
            .filter(|name| callers.get(**name).is_some_and(|callers| callers.iter().all(|it| known.contains(it))))
            .copied()
            .collect();
        if more.is_empty() {
            return known;
        }
        known.extend(more);
    }
}

/// The text of a place in a Rust file.
pub(crate) fn text<'p>(analysis: &Analysis<'p>, facts: &RustFile, span: Span) -> &'p str {
    analysis.project.file(facts.file).text_of(span)
}

/// The name that an expression begins with: `X` of `&mut crate::state::X.0[i]` and `*X.get()`.
pub(crate) fn root(text: &str) -> &str {
    let mut rest = text.trim_start();
    loop {
        let stripped = rest.trim_start_matches(['&', '*', '(', '{']).trim_start();
        let stripped = ["mut ", "raw ", "const ", "unsafe "]
            .iter()
            .fold(stripped, |rest, word| rest.strip_prefix(word).unwrap_or(rest).trim_start());
        if stripped == rest {
            break;
        }
        rest = stripped;
    }
    loop {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        // A macro or path: `addr_of_mut!(X)`, `crate::X`.
        match after.strip_prefix("::").or_else(|| after.strip_prefix("!(")) {
            Some(inner) if !name.is_empty() => rest = inner,
            _ => return name,
        }
    }
}

/// A finding at a place of a Rust file.
pub(crate) fn finding(
    analysis: &Analysis<'_>,
    facts: &RustFile,
    rule: &Rule,
    function: Option<&RustFunction>,
    span: Span,
    message: String,
) -> Finding {
    let mut finding = analysis.finding(rule, facts.file, span, message);
    finding.function = function.map(qualified);
    finding
}

/// A function's name with the type that it belongs to.
pub(crate) fn qualified(function: &RustFunction) -> String {
    match &function.owner {
        Some(owner) => format!("{owner}::{}", function.name),
        None => function.name.to_string(),
    }
}

/// Whether code at a place runs at most once: in the closure of a `Once`, a lazy value or a once cell.
pub(crate) fn is_once(function: &RustFunction, inside: &[u32]) -> bool {
    enclosing(function, inside)
        .any(|call| ["call_once", "get_or_init", "get_or_try_init"].iter().any(|word| call.name.starts_with(word)))
}

/// The calls in whose closures something is.
pub(crate) fn enclosing<'f>(function: &'f RustFunction, inside: &'f [u32]) -> impl Iterator<Item = &'f RustCall> {
    inside.iter().filter_map(|index| function.calls.get(*index as usize))
}

/// Whether a lock is held at a place: the closure of a critical section, one that was begun before, or a guard that is alive.
pub(crate) fn is_locked(
    analysis: &Analysis<'_>,
    facts: &RustFile,
    function: &RustFunction,
    at: Span,
    inside: &[u32],
) -> bool {
    enclosing(function, inside).any(|call| call.name.starts_with("with_critical_section"))
        || is_between(function, at, "PyCriticalSection", "_Begin", "_End")
        || is_between(function, at, "PyMutex", "_Lock", "_Unlock")
        || function
            .locals
            .iter()
            .any(|local| is_guard(analysis, facts, local.init) && is_alive(analysis, facts, function, local, at))
}

/// Whether the last of the calls `PREFIX…BEGIN` and `PREFIX…END` before a place begins.
fn is_between(function: &RustFunction, at: Span, prefix: &str, begin: &str, end: &str) -> bool {
    let before = function.calls.iter().filter(|call| call.span.end <= at.start && call.name.starts_with(prefix));
    let last =
        before.filter(|call| call.name.contains(begin) || call.name.contains(end)).max_by_key(|call| call.span.end);
    last.is_some_and(|call| call.name.contains(begin))
}

/// Whether an initialiser takes a lock and keeps it: `m.lock().unwrap()`, not `m.lock().unwrap().pop()`.
pub(crate) fn is_guard(analysis: &Analysis<'_>, facts: &RustFile, init: Option<Span>) -> bool {
    let Some(init) = init else { return false };
    let compact: String = text(analysis, facts, init).chars().filter(|c| !c.is_whitespace()).collect();
    let Some(at) = compact.rfind(".lock").or_else(|| compact.rfind(".write()")) else { return false };
    let Some((_, after)) = compact.get(at..).and_then(|call| call.split_once(')')) else { return false };
    let after = after.trim_start_matches(".unwrap()").trim_end_matches('?').trim_end_matches(".await");
    after.is_empty() || [".expect(", ".unwrap_or_else(", ".map_err("].iter().any(|word| after.starts_with(word))
}

/// Whether a local variable is alive at a place: bound before, in an open block, and not dropped.
pub(crate) fn is_alive(
    analysis: &Analysis<'_>,
    facts: &RustFile,
    function: &RustFunction,
    local: &gilaudit_model::source::rust::RustLocal,
    at: Span,
) -> bool {
    let begin = local.init.map_or(local.span.end, |init| init.end);
    let dropped = |call: &RustCall| {
        *call.name == *"drop"
            && call.span.start >= begin
            && call.span.end <= at.start
            && call.args.first().is_some_and(|arg| root(text(analysis, facts, *arg)) == &*local.name)
    };
    begin <= at.start && at.end <= local.scope_end && !function.calls.iter().any(dropped)
}

/// Types that let what they hold be changed through a shared reference, without any lock.
const CELLS: [&str; 5] = ["UnsafeCell", "Cell", "RefCell", "OnceCell", "SyncUnsafeCell"];

/// Types that make what they hold safe to share, or hold nothing.
fn guards(name: &str) -> bool {
    matches!(
        name,
        "Mutex"
            | "RwLock"
            | "ReentrantMutex"
            | "OnceLock"
            | "LazyLock"
            | "PyOnceLock"
            | "GILOnceCell"
            | "GILProtected"
            | "Once"
            | "ThreadLocal"
            | "PhantomData"
            | "PyMutex"
            | "fn"
    ) || name.starts_with("Atomic")
}

/// The first name of a type that is shared without a lock: a cell, or with `pointers` a raw pointer.
pub(crate) fn unguarded(ty: &RustType, pointers: bool) -> Option<&str> {
    ty.names
        .iter()
        .map(|name| &**name)
        .find(|name| guards(name) || is_cell(name) || pointers && matches!(*name, "*" | "NonNull"))
        .filter(|name| !guards(name))
}

fn is_cell(name: &str) -> bool {
    CELLS.contains(&name) || name == "Rc"
}

/// Whether a type is a lock or a once flag that may stand beside what it guards.
pub(crate) fn is_guard_type(ty: &RustType) -> bool {
    ty.names.first().is_some_and(|name| guards(name) && !matches!(&**name, "PhantomData" | "fn"))
}

/// Whether Python may reach the values of a type: it holds some of Python's, or its methods, or the functions that name it or a static
/// of it, are given the token or objects.
pub(crate) fn is_tied_to_python(analysis: &Analysis<'_>, structure: &RustStruct) -> bool {
    let is_python = |ty: &RustType| ty.names.iter().any(|name| is_python_type(name));
    if structure.pyclass.is_some() || structure.fields.iter().any(|(_, ty, _)| is_python(ty)) {
        return true;
    }
    let statics = analysis.project.rust.iter().flat_map(|facts| &facts.statics);
    let statics = statics.filter(|it| it.ty.mentions(&structure.name)).map(|it| &*it.name);
    let names: Vec<&str> = statics.chain([&*structure.name]).collect();
    analysis.project.rust.iter().any(|facts| {
        let file = analysis.project.file(facts.file);
        names.iter().any(|name| file.text.contains(name))
            && facts.functions.iter().any(|function| {
                let owns = function.owner.as_deref() == Some(&*structure.name);
                (owns || names.iter().any(|name| words(file.text_of(function.body), name).next().is_some()))
                    && function.locals.iter().any(|local| is_python(&local.ty))
            })
    })
}

/// Whether a type is the token, an object, or one of the C API's, by the names that PyO3 gives them: `Py`, `PyAny`, `PyDateTime_CAPI`.
fn is_python_type(name: &str) -> bool {
    let rest = name.strip_prefix("Py");
    matches!(name, "Python" | "Bound" | "Borrowed")
        || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_uppercase() || c == '_'))
}

/// Where a name occurs in a text as a whole word.
pub(crate) fn words<'t>(text: &'t str, name: &'t str) -> impl Iterator<Item = usize> + 't {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name).map(|(at, _)| at).filter(move |at| {
        let (before, after) = (text.get(..*at), text.get(at + name.len()..));
        !before.unwrap_or_default().ends_with(is_part) && !after.unwrap_or_default().starts_with(is_part)
    })
}

/// A place where a static is changed.
pub(crate) struct StaticWrite<'p> {
    pub(crate) facts: &'p RustFile,
    pub(crate) function: &'p RustFunction,
    pub(crate) span: Span,
    /// Only a mutable reference or pointer is taken.
    pub(crate) borrow: bool,
}

/// Methods of the standard library's collections and options that change them.
const CHANGES: [&str; 22] = [
    "push",
    "push_back",
    "push_front",
    "pop",
    "pop_back",
    "pop_front",
    "insert",
    "remove",
    "clear",
    "extend",
    "retain",
    "drain",
    "truncate",
    "entry",
    "append",
    "take",
    "replace",
    "get_or_insert_with",
    "get_or_insert",
    "get_mut",
    "as_mut",
    "iter_mut",
];

/// Where a static is changed by code that other threads may run at the same time: not only at import, not once, not under a lock.
pub(crate) fn static_writes<'p>(analysis: &Analysis<'p>, it: &RustStatic) -> Vec<StaticWrite<'p>> {
    let mut out = Vec::new();
    for facts in &analysis.project.rust {
        if !analysis.project.file(facts.file).text.contains(&*it.name) {
            continue;
        }
        for function in facts.functions.iter().filter(|function| !analysis.rust.is_init(function)) {
            let is_it = |span: Span| root(text(analysis, facts, span)) == &*it.name;
            // `let cell = X.0.get(); *cell = …`
            let through = |span: Span| {
                let name = root(text(analysis, facts, span));
                text(analysis, facts, span).trim_start().starts_with('*')
                    && function.locals.iter().any(|local| *local.name == *name && local.init.is_some_and(is_it))
            };
            let guarded = |span: Span, inside: &[u32]| {
                is_once(function, inside) || is_locked(analysis, facts, function, span, inside)
            };
            for write in &function.writes {
                if (is_it(write.target) || through(write.target)) && !guarded(write.target, &write.inside) {
                    out.push(StaticWrite { facts, function, span: write.target, borrow: write.borrow });
                }
            }
            for call in &function.calls {
                if let Some(receiver) = call.receiver
                    && CHANGES.contains(&&*call.name)
                    && is_it(receiver)
                    && !guarded(call.span, &call.inside)
                {
                    out.push(StaticWrite { facts, function, span: call.span, borrow: false });
                }
            }
        }
    }
    out
}

/// Other places of a finding: the first few writes.
pub(crate) fn related_writes(analysis: &Analysis<'_>, writes: &[StaticWrite<'_>]) -> Vec<Related> {
    let one = |write: &StaticWrite<'_>| {
        analysis.related(write.facts.file, write.span, format!("'{}' changes it here", qualified(write.function)))
    };
    writes.iter().take(3).map(one).collect()
}

/// Whether the package of a file is built with a PyO3 that does not know free-threaded builds.
pub(crate) fn is_too_old(analysis: &Analysis<'_>, file: FileId) -> bool {
    let facts = analysis.project.rust.iter().find(|facts| facts.file == file);
    facts.and_then(|facts| facts.framework.as_ref()?.below).is_some_and(|below| below <= SUPPORTS)
}

/// Whether a comment says that something is safe because of the GIL.
pub(crate) fn relies_on_gil(comment: &str) -> bool {
    let lower = comment.to_ascii_lowercase();
    let words = || lower.split(|c: char| !c.is_alphanumeric() && c != '_');
    (words().any(|word| word == "gil") || comment.contains("Python<"))
        && !["free-thread", "free thread", "freethread", "nogil", "gil_disabled"]
            .iter()
            .any(|word| lower.contains(word))
}

/// A declaration whose type mentions a type.
pub(crate) struct Mention {
    pub(crate) span: Span,
    /// "the static 'X' is a GILOnceCell"
    pub(crate) what: String,
    pub(crate) function: Option<String>,
}

/// The statics, fields and typed locals of a file whose types mention `name`.
pub(crate) fn mentions(facts: &RustFile, name: &str) -> Vec<Mention> {
    let statics = facts.statics.iter().filter(|it| it.ty.mentions(name)).map(|it| Mention {
        span: it.span,
        what: format!("the static '{}' is a {name}", it.name),
        function: it.function.as_ref().map(ToString::to_string),
    });
    let fields = facts.structs.iter().flat_map(|structure| {
        let fields = structure.fields.iter().filter(|(_, ty, _)| ty.mentions(name));
        fields.map(|(field, _, span)| Mention {
            span: *span,
            what: format!("the field '{field}' of '{}' is a {name}", structure.name),
            function: None,
        })
    });
    statics.chain(fields).collect()
}

#[cfg(test)]
mod tests {
    use super::{relies_on_gil, root};

    #[test]
    fn roots() {
        assert_eq!(root("&mut crate::state::X.0[i]"), "X");
        assert_eq!(root("*X.get()"), "X");
        assert_eq!(root("(*(&raw mut X)).a"), "X");
        assert_eq!(root("std::ptr::addr_of_mut!(X)"), "X");
        assert_eq!(root("unsafe { &mut *X.get() }"), "X");
        assert_eq!(root("self.x"), "self");
        assert_eq!(root(""), "");
    }

    #[test]
    fn comments() {
        assert!(relies_on_gil("// SAFETY: access is protected by the GIL"));
        assert!(!relies_on_gil("// gilded"));
        assert!(!relies_on_gil("// also without the GIL, in free-threaded builds"));
    }
}
