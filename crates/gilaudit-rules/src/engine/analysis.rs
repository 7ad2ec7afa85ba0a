//! A project under analysis, and one of its functions as rules see it.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ops::Deref;
use std::rc::Rc;
use std::sync::OnceLock;

use gilaudit_model::source::{ExprId, FileId, FunctionId, LocalId, Name, Project, Span, StructId};
use gilaudit_model::{Finding, Location, Related, Target};

use super::automatic;
use super::borrow::{self, Fate};
use super::cfg::NodeId;
use super::containers::{self, Container};
use super::declarations::Module;
use super::flow::Flow;
use super::index::{Index, Role, Types};
use super::module_state;
use super::registries;
use super::rust::RustIndex;
use super::shapes::Shapes;
use super::swaps::Swaps;
use super::threads::Threads;
use crate::Rule;
use crate::built::SourceModule;

/// What the user decides about the rules for sources.
#[derive(Clone, Debug)]
pub struct Options {
    /// The interpreter that the code is for.
    pub target: Target,
    /// Containers that nobody changes once they are published (E13): patterns that are compared with the text of the container in the
    /// source, white space left out; `*` stands for any text.
    pub frozen: Vec<String>,
    /// Rules whose findings do not count against a declaration either, since they are not to be reported.
    pub ignored: Vec<&'static str>,
    /// Whether what comments in the sources suppress does not count against a declaration.
    pub suppressions: bool,
    /// The most steps that reading and judging one file may take: see [`Steps`](gilaudit_model::source::Steps).
    pub steps: u64,
}

/// A project, indexed.
pub(crate) struct Analysis<'p> {
    pub(crate) project: &'p Project,
    pub(crate) types: Types,
    pub(crate) shapes: Shapes<'p>,
    /// The modules that its sources define.
    pub(crate) modules: &'p [Module],
    /// The modules that would be built, sorted by name.
    pub(crate) built: &'p [SourceModule],
    pub(crate) index: Index,
    pub(crate) rust: RustIndex<'p>,
    pub(crate) cython: super::cython::Index,
    pub(crate) options: &'p Options,
    weak_registries: OnceLock<HashMap<Name, (FunctionId, ExprId)>>,
    automatic: OnceLock<HashSet<Name>>,
    swaps: OnceLock<Swaps>,
    module_states: OnceLock<HashSet<StructId>>,
    containers: OnceLock<HashMap<Container, Vec<containers::Use>>>,
    /// What is known of the project's Python.
    pub(crate) threads: Threads<'p>,
}

impl<'p> Analysis<'p> {
    pub(crate) fn new(
        project: &'p Project,
        modules: &'p [Module],
        built: &'p [SourceModule],
        options: &'p Options,
    ) -> Self {
        let mut types = Types::new(project);
        let mut shapes = Shapes::new(project, options.steps);
        types.find_makers(project, &shapes);
        let cython = super::cython::Index::new(project);
        let index = Index::new(project, &types, &mut shapes, &cython.set_up(project));
        let (rust, threads) = (RustIndex::new(project), Threads::new(project));
        Self {
            project,
            types,
            shapes,
            modules,
            built,
            index,
            rust,
            cython,
            options,
            threads,
            weak_registries: OnceLock::new(),
            automatic: OnceLock::new(),
            swaps: OnceLock::new(),
            module_states: OnceLock::new(),
            containers: OnceLock::new(),
        }
    }

    /// What objects are found in by others and that keeps no references: see [`registries::weak`].
    pub(crate) fn weak_registries(&self) -> &HashMap<Name, (FunctionId, ExprId)> {
        self.weak_registries.get_or_init(|| registries::weak(self.project, &self.index))
    }

    /// Whether the objects of a C++ class are only automatic variables, or parts of such: see [`automatic::classes`].
    pub(crate) fn is_automatic(&self, class: Name) -> bool {
        self.automatic.get_or_init(|| automatic::classes(self.project)).contains(&class)
    }

    /// The members whose reference is replaced while other threads can have the object: see [`Swaps`].
    pub(crate) fn swaps(&self) -> &Swaps {
        self.swaps.get_or_init(|| Swaps::new(self))
    }

    /// What is done with the C++ containers that threads share: see [`containers::uses`].
    pub(crate) fn containers(&self) -> &HashMap<Container, Vec<containers::Use>> {
        self.containers.get_or_init(|| containers::uses(self))
    }

    /// Whether a struct is the state of a module, which all threads share.
    pub(crate) fn is_module_state(&self, id: StructId) -> bool {
        self.module_states.get_or_init(|| module_state::structs(self.project, &self.types)).contains(&id)
    }

    /// A function as rules see it.
    pub(crate) fn unit<'a>(&'a self, flow: Flow<'a>) -> Unit<'a> {
        let private = self.index.private.get(flow.id.0 as usize).copied().unwrap_or(0);
        Unit { analysis: self, flow: flow.with_private(private), fates: RefCell::default() }
    }

    pub(crate) fn location(&self, file: FileId, span: Span) -> Location {
        let file = self.project.file(file);
        let (line, column) = file.lines.position(&file.text, span.start);
        let (end_line, end_column) = file.lines.position(&file.text, span.end);
        Location::Text { line, column, end_line, end_column }
    }

    /// A finding at a place of a file.
    pub(crate) fn finding(&self, rule: &Rule, file: FileId, span: Span, message: String) -> Finding {
        Finding { location: self.location(file, span), ..rule.finding(&self.project.file(file).origin, message) }
    }

    /// Another place that belongs to a finding.
    pub(crate) fn related(&self, file: FileId, span: Span, message: impl Into<String>) -> Related {
        Related {
            message: message.into(),
            origin: self.project.file(file).origin.clone(),
            location: self.location(file, span),
        }
    }

    /// Whether a function is a type's `tp_init`, or the part of one that is written by hand.
    pub(crate) fn is_initialiser(&self, id: FunctionId) -> bool {
        let function = self.project.function(id);
        let by_role =
            self.index.roles_of(function.name).iter().any(|role| matches!(role, Role::Slot(slot) if slot == "tp_init"));
        by_role
            || self.project.text(function.name).contains("__init__")
            || self.project.text(function.name).ends_with("_init")
    }

    /// Whether a function only runs while an object or a module is made: a type's `tp_init`, or what only those call.
    pub(crate) fn is_initialising(&self, id: FunctionId) -> bool {
        self.is_initialiser(id) || self.index.initialising.get(id.0 as usize).copied().unwrap_or(false)
    }

    /// Whether a file is a test or an example by its path: its modules are not shipped.
    pub(crate) fn is_test(&self, file: FileId) -> bool {
        is_test_path(&self.project.file(file).path)
    }
}

/// Whether a file is a test or an example by its path.
pub fn is_test_path(path: &str) -> bool {
    path.split('/').any(|part| {
        let part = part.to_ascii_lowercase();
        matches!(
            part.as_str(),
            "tests"
                | "test"
                | "testing"
                | "examples"
                | "example"
                | "benchmarks"
                | "benches"
                | "fuzz"
                | "fuzzing"
                | "fuzzers"
        ) || part.split('.').next().is_some_and(|stem| stem.ends_with("_test") || stem.ends_with("_tests"))
            || ["test_", "_test", "xxlimited", "xxmodule", "xxsubtype", "_xxtest"]
                .iter()
                .any(|prefix| part.starts_with(prefix))
    })
}

/// One function as rules see it.
pub(crate) struct Unit<'p> {
    pub(crate) analysis: &'p Analysis<'p>,
    pub(crate) flow: Flow<'p>,
    /// What is done with the values of each local that a borrowed reference goes into.
    fates: RefCell<HashMap<LocalId, Rc<[Fate]>>>,
}

impl<'p> Deref for Unit<'p> {
    type Target = Flow<'p>;

    fn deref(&self) -> &Flow<'p> {
        &self.flow
    }
}

impl<'p> Unit<'p> {
    /// What is done with the values of a local, at every step: see [`borrow::fates`].
    pub(crate) fn fates(&self, local: LocalId) -> Rc<[Fate]> {
        if let Some(known) = self.fates.borrow().get(&local) {
            return Rc::clone(known);
        }
        let fates: Rc<[Fate]> = borrow::fates(self, local).into();
        self.fates.borrow_mut().insert(local, Rc::clone(&fates));
        fates
    }

    /// A finding at an expression of this function.
    pub(crate) fn finding(&self, rule: &Rule, expr: ExprId, message: String) -> Finding {
        self.finding_at(rule, self.body.expr(expr).span, message)
    }

    /// A finding at a span of this function.
    pub(crate) fn finding_at(&self, rule: &Rule, span: Span, message: String) -> Finding {
        let mut finding = self.analysis.finding(rule, self.function.file, span, message);
        finding.function = Some(self.text(self.function.qualified).to_owned());
        finding
    }

    /// Another place in this function.
    pub(crate) fn related(&self, expr: ExprId, message: impl Into<String>) -> Related {
        self.analysis.related(self.function.file, self.body.expr(expr).span, message)
    }

    /// Whether it only runs while its module is imported (E2).
    pub(crate) fn is_init(&self) -> bool {
        self.analysis.index.init_only.get(self.id.0 as usize).copied().unwrap_or(false)
    }

    /// Whether it only runs while its object is made or destroyed (E11), where no other thread has it.
    pub(crate) fn is_lifecycle(&self) -> bool {
        self.analysis.index.lifecycle.get(self.id.0 as usize).copied().unwrap_or(false)
    }

    /// Whether its callers hold the lock (E6).
    pub(crate) fn is_lock_held(&self) -> bool {
        self.analysis.index.lock_held.get(self.id.0 as usize).copied().unwrap_or(false)
    }

    /// Whether it is only called without an attached thread state.
    pub(crate) fn is_called_detached(&self) -> bool {
        self.analysis.index.detached.get(self.id.0 as usize).copied().unwrap_or(false)
    }

    /// Whether Python code can get here, directly or through other functions.
    pub(crate) fn is_callable(&self) -> bool {
        self.analysis.index.callable.get(self.id.0 as usize).copied().unwrap_or(false)
    }

    /// Whether a lock of any kind is held at a step (E5), or by every caller (E6).
    pub(crate) fn is_locked_at(&self, node: NodeId) -> bool {
        self.is_lock_held() || self.locks.is_locked(node)
    }

    /// Whether something lies in code that did not parse (E15).
    pub(crate) fn is_unparsed(&self, span: Span) -> bool {
        self.function
            .unparsed
            .iter()
            .any(|part| part.contains(span) || span.contains(*part) && part.end - part.start > 200)
    }
}
