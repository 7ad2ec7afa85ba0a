//! One function, made ready for the rules.

use std::cell::OnceCell;

use gilaudit_model::source::{
    Body, Expr, ExprId, ExprKind, File, Function, FunctionId, LocalId, Name, Project, Span, StructId, Type,
};

use super::cfg::{Cfg, NodeId};
use super::index::Types;
use super::locks::{Effect, Locks};
use super::values::{self, Path, Root, Values};

/// A function with its control flow, values and locks.
pub(crate) struct Flow<'p> {
    pub(crate) project: &'p Project,
    pub(crate) id: FunctionId,
    pub(crate) function: &'p Function,
    pub(crate) body: &'p Body,
    pub(crate) cfg: Cfg,
    pub(crate) values: Values,
    pub(crate) locks: Locks,
    pub(crate) reachable: Vec<bool>,
    /// The parameters, as bits, for which every caller gives an object that no other thread has.
    pub(crate) private: u64,
    parents: Vec<Option<ExprId>>,
    types: &'p Types,
    calls: OnceCell<Vec<Call<'p>>>,
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
    pub(crate) fn new<'e>(
        project: &'p Project,
        types: &'p Types,
        id: FunctionId,
        effect_of: impl Fn(&str) -> Option<&'e Effect>,
    ) -> Self {
        let function = project.function(id);
        let body = &function.body;
        let cfg = Cfg::new(body, function.root);
        let values = Values::new(body, &cfg);
        let locks = Locks::new(project, body, &cfg, &values, effect_of);
        let reachable = cfg.reachable();
        let mut parents = vec![None; body.exprs.len()];
        for index in 0..body.exprs.len() as u32 {
            for child in body.children(ExprId(index)) {
                parents[child.0 as usize] = Some(ExprId(index));
            }
        }
        Self {
            project,
            id,
            function,
            body,
            cfg,
            values,
            locks,
            reachable,
            private: 0,
            parents,
            types,
            calls: OnceCell::new(),
        }
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
    pub(crate) fn exprs(&self) -> impl Iterator<Item = (ExprId, ExprKind, NodeId)> + '_ {
        (0..self.body.exprs.len() as u32).map(ExprId).filter_map(|id| {
            let node = self.cfg.node_of(id)?;
            self.reachable[node.0 as usize].then(|| (id, self.body.kind(id), node))
        })
    }

    /// All calls, in the order of the text. Every rule asks for them: they are found once.
    pub(crate) fn calls(&self) -> impl Iterator<Item = Call<'p>> + '_ {
        let find = || {
            self.exprs()
                .filter_map(|(expr, kind, node)| match kind {
                    ExprKind::Call { args, .. } => {
                        let name = values::callee(self.body, expr).map_or("", |name| self.project.text(name));
                        Some(Call { node, expr, name, args: self.body.list(args), span: self.body.expr(expr).span })
                    }
                    _ => None,
                })
                .collect()
        };
        self.calls.get_or_init(find).iter().copied()
    }

    /// The call that this expression is, without casts.
    pub(crate) fn call(&self, expr: ExprId) -> Option<Call<'p>> {
        let expr = values::strip(self.body, expr);
        let ExprKind::Call { args, .. } = self.body.kind(expr) else { return None };
        let node = self.cfg.node_of(expr)?;
        let name = values::callee(self.body, expr).map_or("", |name| self.project.text(name));
        Some(Call { node, expr, name, args: self.body.list(args), span: self.body.expr(expr).span })
    }

    /// Whether a call is of a function by its name, not of a member.
    pub(crate) fn is_by_name(&self, call: ExprId) -> bool {
        values::is_by_name(self.body, call)
    }

    /// The expression that this one is an operand of, casts left out.
    pub(crate) fn parent(&self, expr: ExprId) -> Option<ExprId> {
        let mut parent = self.parents.get(expr.0 as usize).copied().flatten()?;
        while let ExprKind::Cast { .. } = self.body.kind(parent) {
            parent = self.parents.get(parent.0 as usize).copied().flatten()?;
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
        values::path(self.project, self.body, &self.values, expr)
    }

    /// Whether two expressions mean the same place.
    pub(crate) fn same(&self, a: ExprId, b: ExprId) -> bool {
        let (a, b) = (self.path(a), self.path(b));
        a.is_some() && a == b
    }

    pub(crate) fn roots(&self, expr: ExprId, at: NodeId) -> Vec<Root> {
        values::roots(self.project, self.body, &self.cfg, &self.values, expr, at)
    }

    /// The reads of a local that can see the value it has after `from`: the expression and its step, in the order of steps.
    pub(crate) fn uses_after(&self, local: LocalId, from: NodeId) -> Vec<(ExprId, NodeId)> {
        let stops: Vec<NodeId> = self
            .values
            .definitions(local)
            .iter()
            .filter(|definition| !matches!(definition.source, values::Source::Changed(_)))
            .map(|definition| definition.node)
            .collect();
        let nodes = self.cfg.after(from, |node| stops.contains(&node));
        let targets: Vec<ExprId> = self.assigned_targets(local);
        (0..self.body.exprs.len() as u32)
            .map(ExprId)
            .filter(|expr| self.body.kind(*expr) == ExprKind::Local(local) && !targets.contains(expr))
            .filter_map(|expr| Some((expr, self.cfg.node_of(expr)?)))
            .filter(|(_, node)| nodes.binary_search(node).is_ok())
            .collect()
    }

    /// The occurrences of a local that only write it.
    fn assigned_targets(&self, local: LocalId) -> Vec<ExprId> {
        self.body
            .exprs
            .iter()
            .filter_map(|expr| match expr.kind {
                ExprKind::Assign { op: None, target, .. } if self.body.kind(target) == ExprKind::Local(local) => {
                    Some(target)
                }
                _ => None,
            })
            .collect()
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
