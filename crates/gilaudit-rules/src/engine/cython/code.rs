//! One Cython file as rules see it: paths, types, locks.

use std::collections::HashSet;

use gilaudit_model::source::cython::{CythonFile, ExprKind, Function, StmtKind, Type};
use gilaudit_model::source::{ExprId, Name, Project, Span, StmtId};
use gilaudit_model::{Finding, Related};

use super::index::{FunctionRef, Index, last_name};
use super::roles::Role;
use crate::Rule;
use crate::engine::analysis::Analysis;

/// A file with what is known around it.
#[derive(Clone, Copy)]
pub(crate) struct Code<'p> {
    pub(crate) project: &'p Project,
    pub(crate) index: &'p Index,
    pub(crate) file: &'p CythonFile,
    pub(crate) number: usize,
}

/// What kind of lock a context manager is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    /// `cython.critical_section`: released while the GIL is.
    Section,
    /// `cython.pymutex` and its kin: held until it is released.
    Mutex,
    /// Any other.
    Other,
}

/// The file that a check is called for.
pub(crate) fn codes<'p>(analysis: &'p Analysis<'p>, file: &'p CythonFile) -> Code<'p> {
    let number = analysis.project.cython.iter().position(|it| it.file == file.file).unwrap_or_default();
    Code { project: analysis.project, index: &analysis.cython, file, number }
}

impl<'p> Code<'p> {
    pub(crate) fn text(&self, name: Name) -> &'p str {
        self.project.text(name)
    }

    pub(crate) fn module(&self) -> usize {
        self.index.module_of.get(self.number).copied().unwrap_or_default()
    }

    /// `a.b.c` as text, where an expression is only that.
    pub(crate) fn path(&self, expr: ExprId) -> Option<String> {
        let mut parts = Vec::new();
        let mut at = self.strip(expr);
        loop {
            match self.file.kind(at) {
                ExprKind::Name(name) => {
                    parts.push(self.text(name));
                    parts.reverse();
                    return Some(parts.join("."));
                }
                ExprKind::Attribute { base, name } => {
                    parts.push(self.text(name));
                    at = base;
                }
                _ => return None,
            }
        }
    }

    /// Without casts.
    pub(crate) fn strip(&self, mut expr: ExprId) -> ExprId {
        while let ExprKind::Cast { value, .. } | ExprKind::Address(value) = self.file.kind(expr) {
            expr = value;
        }
        expr
    }

    /// The last part of what is called: `f` of `a.f(x)`.
    pub(crate) fn called(&self, expr: ExprId) -> Option<(&'p str, &'p [ExprId])> {
        let ExprKind::Call { callee, args } = self.file.kind(expr) else { return None };
        Some((self.text(last_name(self.file, callee)?), self.file.list(args)))
    }

    /// The container behind what is iterated over: `enumerate(x)`, `x.items()`; none behind a copy.
    pub(crate) fn iterated(&self, iter: ExprId) -> Option<ExprId> {
        let mut at = iter;
        for _ in 0..4 {
            let ExprKind::Call { callee, args } = self.file.kind(at) else { break };
            match self.file.kind(callee) {
                ExprKind::Name(name) if matches!(self.text(name), "enumerate" | "reversed" | "iter") => {
                    at = *self.file.list(args).first()?;
                }
                ExprKind::Attribute { base, name }
                    if matches!(
                        self.text(name),
                        "items" | "keys" | "values" | "iteritems" | "iterkeys" | "itervalues"
                    ) =>
                {
                    at = base;
                }
                _ => return None,
            }
        }
        Some(at)
    }

    pub(crate) fn function(&self, stmt: StmtId) -> Option<(u32, &'p Function)> {
        let of = self.file.stmt(stmt).function?;
        Some((of, self.file.functions.get(of as usize)?))
    }

    pub(crate) fn role(&self, function: u32) -> Role {
        self.index.roles.get(&(self.number, function) as &FunctionRef).copied().unwrap_or_default()
    }

    /// The functions that threads can run at the same time.
    pub(crate) fn live(&self) -> impl Iterator<Item = (u32, &'p Function)> + use<'p, '_> {
        self.file
            .functions
            .iter()
            .zip(0u32..)
            .map(|(function, of)| (of, function))
            .filter(|(of, _)| self.role(*of).live)
    }

    /// The statements of a function, without those of functions in it.
    pub(crate) fn body(&self, of: u32) -> impl Iterator<Item = StmtId> + use<'p> {
        let file = self.file;
        let stmt = file.functions.get(of as usize).map_or(StmtId(0), |function| function.stmt);
        file.inside(stmt).filter(move |id| file.stmt(*id).function == Some(of))
    }

    /// `Class.method`, `Class.property.__get__`.
    pub(crate) fn qualified(&self, of: u32) -> String {
        let Some(function) = self.file.functions.get(of as usize) else { return String::new() };
        let mut parts = vec![self.text(function.name)];
        for around in self.file.around(function.stmt) {
            match self.file.stmt(around).kind {
                StmtKind::Class(class) => {
                    parts.push(self.file.classes.get(class as usize).map_or("", |class| self.text(class.name)))
                }
                StmtKind::Function(outer) => {
                    parts.push(self.file.functions.get(outer as usize).map_or("", |outer| self.text(outer.name)))
                }
                StmtKind::Property(name) => parts.push(self.text(name)),
                _ => {}
            }
        }
        parts.reverse();
        parts.join(".")
    }

    /// The extension type that a method belongs to, and the name of its `self`.
    pub(crate) fn extension_self(&self, function: &Function) -> Option<(Name, Name)> {
        let class = self.file.classes.get(function.class? as usize).filter(|class| class.extension)?;
        let first = function.parameters.first().filter(|parameter| !parameter.star)?;
        let is_other = function
            .decorators
            .iter()
            .any(|decorator| self.path(*decorator).is_some_and(|path| path == "staticmethod" || path == "classmethod"));
        if is_other { None } else { Some((class.name, first.name)) }
    }

    /// `self.attribute` of an extension type: the attribute and its type.
    pub(crate) fn attribute(&self, function: &Function, expr: ExprId) -> Option<(Name, Type)> {
        let (class, this) = self.extension_self(function)?;
        let ExprKind::Attribute { base, name } = self.file.kind(self.strip(expr)) else { return None };
        if self.file.kind(base) != ExprKind::Name(this) {
            return None;
        }
        Some((name, self.index.attribute(class, name)?))
    }

    /// The declared type of a name in a function; `Some(None)` when it is a local without a type.
    pub(crate) fn local_type(&self, of: u32, name: Name) -> Option<Option<Type>> {
        let function = self.file.functions.get(of as usize)?;
        if let Some(parameter) = function.parameters.iter().find(|parameter| parameter.name == name) {
            let is_self =
                function.class.is_some() && function.parameters.first().is_some_and(|first| first.name == name);
            let class = function
                .class
                .and_then(|class| self.file.classes.get(class as usize))
                .filter(|class| class.extension && is_self);
            return Some(parameter.ty.or(class.map(|class| Type { base: class.name, pointers: 0, brackets: false })));
        }
        let mut assigned = false;
        for id in self.body(of) {
            match &self.file.stmt(id).kind {
                StmtKind::Declare(first, end) => {
                    let declared = self.file.variables.get(*first as usize..*end as usize).unwrap_or_default();
                    if let Some(variable) = declared.iter().find(|variable| variable.name == name) {
                        return Some(Some(variable.ty));
                    }
                }
                StmtKind::Global(names) if names.contains(&name) => return None,
                StmtKind::Assign { targets, .. } | StmtKind::For { targets, .. } => {
                    assigned |=
                        self.file.list(*targets).iter().any(|target| self.file.kind(*target) == ExprKind::Name(name));
                }
                _ => {}
            }
        }
        assigned.then_some(None)
    }

    /// Whether a type is a Python object's.
    pub(crate) fn is_object(&self, ty: Type) -> bool {
        let base = self.text(ty.base);
        let last = base.rsplit('.').next().unwrap_or(base);
        let known = matches!(
            last,
            "object"
                | "list"
                | "dict"
                | "set"
                | "tuple"
                | "str"
                | "bytes"
                | "bytearray"
                | "unicode"
                | "basestring"
                | "frozenset"
                | "type"
                | "slice"
                | "ndarray"
        );
        let extension = || self.project.names.get(last).is_some_and(|name| self.index.extensions.contains_key(&name));
        ty.pointers == 0 && (known || !ty.brackets && extension())
    }

    /// Whether a type is one of C's numbers.
    pub(crate) fn is_number(&self, ty: Type) -> bool {
        let base = self.text(ty.base);
        let last = base.rsplit(['.', ' ']).next().unwrap_or(base);
        let c = [
            "int",
            "char",
            "short",
            "long",
            "float",
            "double",
            "bint",
            "bool",
            "size_t",
            "ssize_t",
            "Py_ssize_t",
            "unsigned",
        ];
        ty.pointers == 0 && (c.contains(&last) || last.ends_with("_t"))
    }

    pub(crate) fn is_atomic(&self, ty: Type) -> bool {
        let base = self.text(ty.base);
        base.contains("atomic")
            || base.contains("once_flag")
            || base.contains("mutex")
            || base.contains("tls")
            || base.contains("thread_local")
    }

    /// What kind of lock a context manager is, if it is one.
    pub(crate) fn lock(&self, item: ExprId) -> Option<Lock> {
        if let Some((name, args)) = self.called(item) {
            if name == "critical_section" {
                return Some(Lock::Section);
            }
            let by_argument =
                matches!(name, "unique_lock" | "lock_guard" | "scoped_lock" | "py_safe_lock") && !args.is_empty();
            return (by_argument || is_lock_name(name)).then_some(Lock::Other);
        }
        let path = self.path(item)?;
        let last = path.rsplit('.').next().unwrap_or(&path);
        if last == "critical_section" {
            return Some(Lock::Section);
        }
        if let Some(ty) = self.type_of(item) {
            let base = self.text(ty.base);
            if base.ends_with("pymutex") || base.ends_with("pythread_type_lock") || base.ends_with("PyMutex") {
                return Some(Lock::Mutex);
            }
            if is_lock_name(base) {
                return Some(Lock::Other);
            }
        }
        (is_lock_name(last) || self.is_made_lock(item)).then_some(Lock::Other)
    }

    /// Whether a module-level name was made by something named like a lock, maybe in another module and through another name.
    fn is_made_lock(&self, item: ExprId) -> bool {
        let ExprKind::Name(mut name) = self.file.kind(item) else { return false };
        for _ in 0..4 {
            let own = self.index.globals.get(&(self.module(), name));
            let mut all = own
                .into_iter()
                .chain(self.index.globals.iter().filter(|((_, of), _)| *of == name).map(|(_, global)| global));
            let Some(global) = all.find(|global| global.init.is_some()) else { return false };
            if global.ty.is_some_and(|ty| is_lock_name(self.text(ty.base))) {
                return true;
            }
            let Some((number, init)) = global.init else { return false };
            let file = &self.project.cython[number];
            match file.kind(init) {
                ExprKind::Call { callee, .. } => {
                    return last_name(file, callee).is_some_and(|made| is_lock_name(self.text(made)));
                }
                ExprKind::Name(other) if other != name => name = other,
                _ => return false,
            }
        }
        false
    }

    /// The declared type of a name or attribute of `self`.
    fn type_of(&self, item: ExprId) -> Option<Type> {
        match self.file.kind(item) {
            ExprKind::Name(name) => self.index.globals.get(&(self.module(), name)).and_then(|global| global.ty),
            ExprKind::Attribute { name, .. } => {
                let mut found =
                    self.index.attributes.iter().filter(|((_, attribute), _)| *attribute == name).map(|(_, ty)| *ty);
                let first = found.next()?;
                found.all(|other| other == first).then_some(first)
            }
            _ => None,
        }
    }

    /// Whether `with nogil` or `with gil` is among the managers of a statement.
    pub(crate) fn with_gil(&self, items: &[ExprId], word: &str) -> bool {
        items.iter().any(|item| {
            let name = self.called(*item).map(|(name, _)| name.to_owned()).or_else(|| self.path(*item));
            name.is_some_and(|name| name == word)
        })
    }

    /// Whether a decorator makes a function hold a critical section.
    pub(crate) fn section_decorator(&self, function: &Function) -> bool {
        function.decorators.iter().any(|decorator| self.lock(*decorator) == Some(Lock::Section))
    }

    /// Whether a statement runs without the GIL.
    pub(crate) fn is_nogil(&self, stmt: StmtId) -> bool {
        self.released_around(stmt).unwrap_or_else(|| self.function(stmt).is_some_and(|(_, function)| function.nogil))
    }

    /// What the innermost `with nogil`, `with gil` or `prange(nogil=True)` around a statement in its function does to the GIL: whether it
    /// is released; none where there is none.
    pub(super) fn released_around(&self, stmt: StmtId) -> Option<bool> {
        for around in self.file.around(stmt) {
            match &self.file.stmt(around).kind {
                StmtKind::With(items) => {
                    for item in self.file.list(*items).iter().rev() {
                        if self.with_gil(&[*item], "gil") {
                            return Some(false);
                        }
                        if self.with_gil(&[*item], "nogil") {
                            return Some(true);
                        }
                    }
                }
                StmtKind::For { iter: Some(iter), .. } if self.is_nogil_range(*iter) => return Some(true),
                StmtKind::Function(_) => return None,
                _ => {}
            }
        }
        None
    }

    /// `prange(…, nogil=True)`
    fn is_nogil_range(&self, iter: ExprId) -> bool {
        self.called(iter).is_some_and(|(name, args)| {
            let nogil = |arg: &ExprId| match self.file.kind(*arg) {
                ExprKind::Keyword { name, value } => {
                    self.text(name) == "nogil" && self.file.kind(value) == ExprKind::Bool(true)
                }
                _ => false,
            };
            name == "prange" && args.iter().any(nogil)
        })
    }

    /// Whether a lock is held at a statement (E5), by the function or by everyone who calls it (E6).
    pub(crate) fn is_locked(&self, stmt: StmtId) -> bool {
        let by_callers = self.function(stmt).is_some_and(|(of, _)| self.role(of).lock_held);
        by_callers || held(self, stmt)
    }

    /// The names that a function binds: its parameters and what it assigns to without `global`.
    pub(crate) fn locals(&self, of: u32) -> HashSet<Name> {
        let mut out = HashSet::new();
        let Some(function) = self.file.functions.get(of as usize) else { return out };
        out.extend(function.parameters.iter().map(|parameter| parameter.name));
        let mut global = HashSet::new();
        for id in self.body(of) {
            match &self.file.stmt(id).kind {
                StmtKind::Declare(first, end) => {
                    let declared = self.file.variables.get(*first as usize..*end as usize).unwrap_or_default();
                    out.extend(declared.iter().map(|variable| variable.name));
                }
                StmtKind::Global(names) => global.extend(names.iter().copied()),
                StmtKind::Assign { targets, .. } | StmtKind::For { targets, .. } => {
                    out.extend(self.file.list(*targets).iter().filter_map(|target| match self.file.kind(*target) {
                        ExprKind::Name(name) => Some(name),
                        _ => None,
                    }));
                }
                _ => {}
            }
        }
        out.retain(|name| !global.contains(name));
        out
    }

    pub(crate) fn finding(
        &self,
        analysis: &Analysis<'_>,
        rule: &Rule,
        span: Span,
        of: Option<u32>,
        message: String,
    ) -> Finding {
        let mut finding = analysis.finding(rule, self.file.file, span, message);
        finding.function = of.map(|of| self.qualified(of));
        finding
    }

    pub(crate) fn related(&self, analysis: &Analysis<'_>, stmt: StmtId, message: &str) -> Related {
        analysis.related(self.file.file, self.file.stmt(stmt).span, message)
    }
}

/// Whether a lock is held at a statement inside its own function.
pub(super) fn held(code: &Code<'_>, stmt: StmtId) -> bool {
    let file = code.file;
    let mut released = false;
    for around in file.around(stmt) {
        match &file.stmt(around).kind {
            StmtKind::With(items) => {
                for item in file.list(*items).iter().rev() {
                    released |= code.with_gil(&[*item], "nogil");
                    match code.lock(*item) {
                        Some(Lock::Section) if released => {}
                        Some(_) => return true,
                        None => {}
                    }
                }
            }
            StmtKind::Function(_) => break,
            _ => {}
        }
    }
    let Some((of, function)) = code.function(stmt) else { return false };
    let decorated = function.decorators.iter().any(|decorator| {
        code.lock(*decorator).is_some_and(|lock| lock != Lock::Section || !released)
            || matches!(file.kind(*decorator), ExprKind::Name(name) if code.index.locking_decorators.contains(&name))
    });
    decorated || acquired(code, of, stmt)
}

/// What a call does to a lock, by the name of what is called: 1 if it takes one, -1 if it releases one.
pub(super) fn primitive(name: &str) -> i32 {
    match name {
        "acquire" | "lock" | "PyMutex_Lock" | "PyThread_acquire_lock" | "acquire_lock" => 1,
        "release" | "unlock" | "PyMutex_Unlock" | "PyThread_release_lock" | "release_lock" => -1,
        _ => 0,
    }
}

/// Whether `acquire()` was called on a lock and not yet `release()`, in the order of the text; or a C++ guard was made. Functions of the
/// project that only do the one or the other count.
fn acquired(code: &Code<'_>, of: u32, stmt: StmtId) -> bool {
    let mut depth = 0i32;
    for id in code.body(of).take_while(|id| id.0 < stmt.0) {
        for expr in code.file.exprs_of(id) {
            let Some((name, _)) = code.called(expr) else { continue };
            if matches!(name, "unique_lock" | "lock_guard" | "scoped_lock" | "py_safe_lock") {
                return true;
            }
            let effect = match primitive(name) {
                0 => code.project.names.get(name).map_or(0, |name| code.index.lock_effect(name)),
                effect => effect,
            };
            depth = depth.saturating_add(effect).max(0);
        }
    }
    depth > 0
}

/// Whether something is called what locks are called.
fn is_lock_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let last = lower.rsplit('.').next().unwrap_or(&lower);
    (last.contains("lock") && !last.contains("block") && !last.contains("clock") && !last.contains("unlock"))
        || last.contains("mutex")
        || matches!(last, "semaphore" | "boundedsemaphore" | "condition")
}
