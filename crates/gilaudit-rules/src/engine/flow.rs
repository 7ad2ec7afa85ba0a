//! One function, made ready for the rules.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::ops::Deref;

use gilaudit_model::source::{
    Body, Expr, ExprId, ExprKind, File, Function, FunctionId, LocalId, Name, Project, Span, Steps, StmtKind, StructId,
    Type,
};

use super::cfg::{Cfg, NodeId};
use super::index::Types;
use super::locks::{Effect, Locks};
use super::values::{self, Path, Root, Values};

/// What is worked out about the code of a function, once: every rule asks for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape {
    cfg: Cfg,
    values: Values,
    locks: Locks,
    reachable: Vec<bool>,
    parents: Vec<Option<NonZeroU32>>,
    /// The calls in steps that can be reached, in the order of the text.
    calls: Vec<(ExprId, NodeId)>,
    /// For every local, where it occurs other than as what is assigned to, in the order of the text.
    occurrences: Vec<Vec<ExprId>>,
    /// What is returned, without casts, sorted.
    returned: Vec<ExprId>,
}

impl Shape {
    /// The shape of a function, of whose locks nothing is known yet.
    pub(crate) fn new(function: &Function) -> Self {
        let body = &function.body;
        let cfg = Cfg::new(body, function.root);
        let values = Values::new(body, &cfg);
        let reachable = cfg.reachable();
        let mut parents = vec![None; body.exprs.len()];
        let mut calls = Vec::new();
        let mut occurrences = vec![Vec::new(); body.locals.len()];
        let is_target = |expr: ExprId, of: Option<NonZeroU32>| match of.map(|of| body.kind(ExprId(of.get() - 1))) {
            Some(ExprKind::Assign { op: None, target, .. }) => target == expr,
            _ => false,
        };
        for index in 0..body.exprs.len() as u32 {
            body.for_each_child(ExprId(index), |child| parents[child.0 as usize] = NonZeroU32::new(index + 1));
        }
        for index in 0..body.exprs.len() as u32 {
            let expr = ExprId(index);
            if let ExprKind::Local(local) = body.kind(expr)
                && !is_target(expr, parents[index as usize])
                && let Some(known) = occurrences.get_mut(local.0 as usize)
            {
                known.push(expr);
            }
            if let ExprKind::Call { .. } = body.kind(expr)
                && let Some(node) = cfg.node_of(expr).filter(|node| reachable[node.0 as usize])
            {
                calls.push((expr, node));
            }
        }
        let returned = body.stmts.iter().filter_map(|stmt| match stmt.kind {
            StmtKind::Return(Some(value)) => Some(values::strip(body, value)),
            _ => None,
        });
        let mut returned: Vec<ExprId> = returned.collect();
        returned.sort_unstable();
        Self { cfg, values, locks: Locks::default(), reachable, parents, calls, occurrences, returned }
    }

    /// Works out the locks; `effect_of` tells what calling a function of the project does to them.
    pub(crate) fn lock<'e>(
        &mut self,
        project: &Project,
        function: &Function,
        effect_of: impl Fn(Name) -> Option<&'e Effect>,
    ) {
        self.locks = Locks::new(project, &function.body, &self.cfg, &self.values, effect_of);
    }

    /// What calling the function does to its caller's locks.
    pub(crate) fn effect<'e>(
        &self,
        project: &Project,
        function: &Function,
        effect_of: impl Fn(Name) -> Option<&'e Effect>,
    ) -> Effect {
        Locks::new(project, &function.body, &self.cfg, &self.values, effect_of).effect(&function.body)
    }
}

/// A function with its control flow, values and locks.
#[derive(Clone, Copy)]
pub(crate) struct Flow<'p> {
    pub(crate) project: &'p Project,
    pub(crate) id: FunctionId,
    pub(crate) function: &'p Function,
    pub(crate) body: &'p Body,
    pub(crate) cfg: Walks<'p>,
    pub(crate) values: &'p Values,
    pub(crate) locks: &'p Locks,
    pub(crate) reachable: &'p [bool],
    /// The parameters, as bits, for which every caller gives an object that no other thread has.
    pub(crate) private: u64,
    shape: &'p Shape,
    types: &'p Types,
}

/// The steps of a function, walks over which are counted.
#[derive(Clone, Copy)]
pub(crate) struct Walks<'p> {
    cfg: &'p Cfg,
    steps: &'p Steps,
}

impl Deref for Walks<'_> {
    type Target = Cfg;

    fn deref(&self) -> &Cfg {
        self.cfg
    }
}

impl Walks<'_> {
    /// See [`Cfg::after`].
    pub(crate) fn after(&self, from: NodeId, stop: impl FnMut(NodeId) -> bool) -> Vec<NodeId> {
        self.counted(|cfg| cfg.after(from, stop))
    }

    /// See [`Cfg::before`].
    pub(crate) fn before(&self, from: NodeId, stop: impl FnMut(NodeId) -> bool) -> Vec<NodeId> {
        self.counted(|cfg| cfg.before(from, stop))
    }

    fn counted(&self, walk: impl FnOnce(&Cfg) -> Vec<NodeId>) -> Vec<NodeId> {
        if self.steps.are_spent() {
            return Vec::new();
        }
        let found = walk(self.cfg);
        self.steps.take(found.len());
        found
    }
}

/// A call: the step, the expression, what is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'p> {
    pub(crate) node: NodeId,
    pub(crate) expr: ExprId,
    pub(crate) name: &'p str,
    pub(crate) args: &'p [ExprId],
    pub(crate) span: Span,
}

impl<'p> Flow<'p> {
    pub(crate) fn new(
        project: &'p Project,
        types: &'p Types,
        id: FunctionId,
        shape: &'p Shape,
        steps: &'p Steps,
    ) -> Self {
        let function = project.function(id);
        Self {
            project,
            id,
            function,
            body: &function.body,
            cfg: Walks { cfg: &shape.cfg, steps },
            values: &shape.values,
            locks: &shape.locks,
            reachable: &shape.reachable,
            private: 0,
            shape,
            types,
        }
    }

    /// The same, where callers give objects for some parameters that no other thread has.
    pub(crate) fn with_private(self, private: u64) -> Self {
        Self { private, ..self }
    }

    pub(crate) fn file(&self) -> &'p File {
        self.project.file(self.function.file)
    }

    pub(crate) fn text(&self, name: Name) -> &'p str {
        self.project.text(name)
    }

    pub(crate) fn name(&self) -> &'p str {
        self.project.text(self.function.name)
    }

    pub(crate) fn kind(&self, expr: ExprId) -> ExprKind {
        self.body.kind(expr)
    }

    pub(crate) fn expr(&self, expr: ExprId) -> Expr {
        self.body.expr(expr)
    }

    /// The text of an expression as it is in the file; of a macro's use for what came out of one.
    pub(crate) fn source(&self, expr: ExprId) -> &'p str {
        self.file().text_of(self.body.expr(expr).span)
    }

    /// All expressions that are evaluated in steps that can be reached.
    pub(crate) fn exprs(&self) -> impl Iterator<Item = (ExprId, ExprKind, NodeId)> + use<'p> {
        let (shape, body) = (self.shape, self.body);
        let count = if self.take(body.exprs.len()) { body.exprs.len() as u32 } else { 0 };
        (0..count).map(ExprId).filter_map(move |id| {
            let node = shape.cfg.node_of(id)?;
            shape.reachable[node.0 as usize].then(|| (id, body.kind(id), node))
        })
    }

    /// All calls, in the order of the text.
    pub(crate) fn calls(&self) -> impl Iterator<Item = Call<'p>> + use<'p> {
        let flow = *self;
        let calls = if self.take(self.shape.calls.len()) { self.shape.calls.as_slice() } else { &[] };
        calls.iter().map(move |(expr, node)| flow.call_at(*expr, *node))
    }

    fn call_at(&self, expr: ExprId, node: NodeId) -> Call<'p> {
        let name = values::callee(self.body, expr).map_or("", |name| self.project.text(name));
        Call { node, expr, name, args: values::arguments(self.body, expr), span: self.body.expr(expr).span }
    }

    /// Takes steps of the file's budget, and says whether there were as many left.
    pub(crate) fn take(&self, steps: usize) -> bool {
        self.cfg.steps.take(steps)
    }

    /// The call that this expression is, without casts.
    pub(crate) fn call(&self, expr: ExprId) -> Option<Call<'p>> {
        let expr = values::strip(self.body, expr);
        let ExprKind::Call { .. } = self.body.kind(expr) else { return None };
        Some(self.call_at(expr, self.cfg.node_of(expr)?))
    }

    /// Whether a call is of a function by its name, not of a member.
    pub(crate) fn is_by_name(&self, call: ExprId) -> bool {
        values::is_by_name(self.body, call)
    }

    /// The expression that this one is an operand of, casts left out.
    pub(crate) fn parent(&self, expr: ExprId) -> Option<ExprId> {
        let above = |expr: ExprId| {
            let parent = self.shape.parents.get(expr.0 as usize).copied().flatten()?;
            Some(ExprId(parent.get() - 1))
        };
        let mut parent = above(expr)?;
        while let ExprKind::Cast { .. } = self.body.kind(parent) {
            parent = above(parent)?;
        }
        Some(parent)
    }

    pub(crate) fn strip(&self, expr: ExprId) -> ExprId {
        values::strip(self.body, expr)
    }

    /// The local that this expression is, without casts.
    pub(crate) fn local(&self, expr: ExprId) -> Option<LocalId> {
        match self.body.kind(self.strip(expr)) {
            ExprKind::Local(local) => Some(local),
            _ => None,
        }
    }

    pub(crate) fn path(&self, expr: ExprId) -> Option<Path> {
        values::path(self.project, self.body, self.values, expr)
    }

    /// Whether two expressions mean the same place.
    pub(crate) fn same(&self, a: ExprId, b: ExprId) -> bool {
        let (a, b) = (self.path(a), self.path(b));
        a.is_some() && a == b
    }

    pub(crate) fn roots(&self, expr: ExprId, at: NodeId) -> Vec<Root> {
        values::roots(self, expr, at)
    }

    /// The reads of a local that can see the value it has after `from`: the expression and its step, in the order of steps.
    pub(crate) fn uses_after(&self, local: LocalId, from: NodeId) -> Vec<(ExprId, NodeId)> {
        let stops: HashSet<NodeId> = self
            .values
            .definitions(local)
            .iter()
            .filter(|definition| !matches!(definition.source, values::Source::Changed(_)))
            .map(|definition| definition.node)
            .collect();
        let nodes = self.cfg.after(from, |node| stops.contains(&node));
        self.reads(local).filter(|(_, node)| nodes.binary_search(node).is_ok()).collect()
    }

    /// The occurrences of a local that do not only write it, with their steps.
    pub(crate) fn reads(&self, local: LocalId) -> impl Iterator<Item = (ExprId, NodeId)> + use<'p> {
        let shape = self.shape;
        let all = shape.occurrences.get(local.0 as usize).map_or(&[][..], Vec::as_slice);
        let all = if self.take(all.len()) { all } else { &[] };
        all.iter().filter_map(move |expr| Some((*expr, shape.cfg.node_of(*expr)?)))
    }

    /// Whether a statement returns this expression.
    pub(crate) fn is_returned(&self, expr: ExprId) -> bool {
        self.shape.returned.binary_search(&expr).is_ok()
    }

    /// The declared type of an expression, if it can be told.
    pub(crate) fn type_of(&self, expr: ExprId) -> Option<Type> {
        self.types.of(self.project, self.body, self.function.class, expr, 8)
    }

    /// The struct that an expression is, or points to.
    pub(crate) fn struct_of(&self, expr: ExprId) -> Option<StructId> {
        self.types.struct_named(self.project, self.type_of(expr)?.base)
    }

    /// The struct in which `base.name` or `base->name` is looked up.
    pub(crate) fn field_struct(&self, field: ExprId) -> Option<StructId> {
        match self.body.kind(field) {
            ExprKind::Field { base, .. } => self.struct_of(base),
            _ => None,
        }
    }

    /// Whether a call gives an object that nobody else has yet.
    pub(crate) fn makes(&self, call: ExprId) -> bool {
        values::callee(self.body, call).is_some_and(|name| {
            let text = self.project.text(name);
            super::api::is_fresh(text)
                || super::api::allocates(text)
                || self.types.is_maker(name)
                || super::api::is_named_like_maker(text)
        })
    }

    /// Whether every caller gives an object for this parameter that no other thread has.
    pub(crate) fn is_private_parameter(&self, position: u32) -> bool {
        self.private.checked_shr(position).unwrap_or(0) & 1 == 1
    }

    /// The parameter of this position.
    pub(crate) fn parameter(&self, position: u32) -> Option<LocalId> {
        self.function.parameters.get(position as usize).copied()
    }
}
