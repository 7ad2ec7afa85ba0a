//! The Python of a project: what its names mean, who calls whom, which functions threads run, and which of them at the same time.

mod reach;
mod resolve;

use foldhash::{HashMap, HashMapExt};
use gilaudit_model::source::python::{Function, Path, PythonFile, UseKind, Value};
use gilaudit_model::source::{Project, Span};
use gilaudit_model::{Confidence, Finding};

use super::analysis::Analysis;
use crate::Rule;
pub(crate) use reach::Thread;
use resolve::Resolver;
pub(crate) use resolve::Shared;

/// A function of the project: the number of its file in [`Project::python`], and its own in that file.
pub(crate) type Id = (usize, usize);

/// One use of shared state.
#[derive(Clone, Debug)]
pub(crate) struct SharedUse {
    pub(crate) what: Shared,
    pub(crate) by: Id,
    pub(crate) kind: UseKind,
    pub(crate) span: Span,
    /// Whether a lock is held, there or by every caller.
    pub(crate) locked: bool,
}

/// What is known of a project's Python.
pub(crate) struct Threads<'p> {
    pub(crate) project: &'p Project,
    resolver: Resolver<'p>,
    reach: reach::Reach,
    uses: Vec<SharedUse>,
    /// The numbers of the uses of each thing.
    of: HashMap<Shared, Vec<usize>>,
}

impl<'p> Threads<'p> {
    pub(crate) fn new(project: &'p Project) -> Self {
        let resolver = Resolver::new(project);
        let reach = reach::Reach::new(project, &resolver);
        let mut threads = Self { project, resolver, reach, uses: Vec::new(), of: HashMap::new() };
        threads.uses = threads.find_uses();
        for (number, it) in threads.uses.iter().enumerate() {
            threads.of.entry(it.what.clone()).or_default().push(number);
        }
        threads
    }

    fn find_uses(&self) -> Vec<SharedUse> {
        let mut out = Vec::new();
        for (by, function) in functions(self.project) {
            // What a module does while it is imported happens under the import lock.
            if by.1 == 0 {
                continue;
            }
            let held = self.reach.is_lock_held(by);
            for it in &function.uses {
                let Some(what) = self.resolver.shared(by, &it.place, it.kind) else { continue };
                if matches!(what, Shared::Instance { .. }) && self.is_under_construction(by, it.span) {
                    continue;
                }
                out.push(SharedUse { what, by, kind: it.kind, span: it.span, locked: it.locked || held });
            }
        }
        out
    }

    /// Whether a method makes its object at this place: no other thread has it before the constructor returns or starts one.
    fn is_under_construction(&self, by: Id, at: Span) -> bool {
        let starts = self.project.python[by.0].starts.iter();
        matches!(self.function(by).name.as_ref(), "__init__" | "__new__" | "__post_init__")
            && !starts.into_iter().any(|start| start.function == by.1 && start.span.start < at.start)
    }

    /// A function.
    pub(crate) fn function(&self, id: Id) -> &'p Function {
        &self.project.python[id.0].functions[id.1]
    }

    /// What the functions of a file do with shared state, in order.
    pub(crate) fn uses_in(&self, file: usize) -> &[SharedUse] {
        let start = self.uses.partition_point(|it| it.by.0 < file);
        let end = self.uses.partition_point(|it| it.by.0 <= file);
        self.uses.get(start..end).unwrap_or_default()
    }

    /// What functions do with something that is shared, in the order of the files.
    pub(crate) fn uses_of(&self, what: &Shared) -> impl Iterator<Item = &SharedUse> + Clone {
        self.of.get(what).into_iter().flatten().filter_map(|number| self.uses.get(*number))
    }

    /// What a path in a function means, where it is state that threads can share.
    pub(crate) fn shared(&self, by: Id, place: &Path, kind: UseKind) -> Option<Shared> {
        self.resolver.shared(by, place, kind)
    }

    /// What shared state is bound to.
    pub(crate) fn value(&self, what: &Shared) -> Value {
        self.resolver.value(what)
    }

    /// Whether every caller of a function holds a lock.
    pub(crate) fn is_lock_held(&self, id: Id) -> bool {
        self.reach.is_lock_held(id)
    }

    /// The thread in which `a` runs while another thread runs `b`.
    pub(crate) fn concurrent(&self, a: Id, b: Id, what: &Shared) -> Option<&Thread> {
        self.reach.concurrent(a, b, what)
    }

    /// A finding in a function, with the place where the thread that runs it begins.
    pub(crate) fn finding(
        &self,
        analysis: &Analysis<'_>,
        rule: &Rule,
        by: Id,
        span: Span,
        thread: Option<&Thread>,
        message: String,
    ) -> Finding {
        let file = self.project.python[by.0].file;
        let mut finding = analysis.finding(rule, file, span, message);
        finding.function = Some(self.function(by).qualified.to_string());
        match thread {
            Some(thread) => {
                let file = self.project.python[thread.file].file;
                let what =
                    if thread.many { "threads that run it begin here" } else { "a thread that runs it begins here" };
                finding.related.push(analysis.related(file, thread.span, what));
            }
            None => finding.confidence = Confidence::Low,
        }
        finding
    }
}

/// All functions of a project's Python.
pub(crate) fn functions(project: &Project) -> impl Iterator<Item = (Id, &Function)> {
    project
        .python
        .iter()
        .enumerate()
        .flat_map(|(file, it)| it.functions.iter().enumerate().map(move |(index, function)| ((file, index), function)))
}

/// The number of a file in [`Project::python`].
pub(crate) fn number(project: &Project, file: &PythonFile) -> usize {
    project.python.partition_point(|it| it.file < file.file)
}
