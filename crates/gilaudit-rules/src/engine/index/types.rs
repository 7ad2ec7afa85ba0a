//! The types of expressions.

use std::collections::{HashMap, HashSet};

use gilaudit_model::source::{Body, ExprId, ExprKind, GlobalId, Name, Project, StructId, Type, UnaryOp};

use crate::engine::api;
use crate::engine::cfg::Step;
use crate::engine::flow::Flow;
use crate::engine::shapes::Shapes;
use crate::engine::values::{Root, callee};

/// What is declared where, by name.
#[derive(Default)]
pub(crate) struct Types {
    structs: HashMap<Name, StructId>,
    globals: HashMap<Name, Type>,
    globals_named: HashMap<Name, Vec<GlobalId>>,
    results: HashMap<Name, Type>,
    /// Functions that return an object they made, which nobody else has yet.
    makers: HashSet<Name>,
}

impl Types {
    pub(crate) fn new(project: &Project) -> Self {
        let mut types = Self::default();
        for (index, defined) in project.structs.iter().enumerate() {
            for name in &defined.names {
                // A forward declaration has no fields.
                if !defined.fields.is_empty() || !types.structs.contains_key(name) {
                    types.structs.insert(*name, StructId(index as u32));
                }
            }
        }
        types.globals = project.globals.iter().map(|global| (global.name, global.ty)).collect();
        for (index, global) in project.globals.iter().enumerate() {
            types.globals_named.entry(global.name).or_default().push(GlobalId(index as u32));
        }
        types.results = project.functions.iter().map(|function| (function.name, function.result)).collect();
        types
    }

    /// Finds the functions that return what they made; helpers of helpers, too.
    pub(crate) fn find_makers(&mut self, project: &Project, shapes: &Shapes<'_>) {
        // The names that are those of the API's own makers: each text is looked at once.
        let known = |text: &str| api::is_fresh(text) || api::allocates(text);
        let api: Vec<bool> = project.names.iter().map(|(_, text)| known(text)).collect();
        for _ in 0..3 {
            let is_maker =
                |name: Name| self.makers.contains(&name) || api.get(name.0 as usize).copied().unwrap_or(false);
            let found = shapes.map(self, |flow| {
                let function = flow.function;
                let is_new = function.result.pointers > 0 && !self.makers.contains(&function.name);
                (is_new && makes(flow, &is_maker)).then_some(function.name)
            });
            let before = self.makers.len();
            self.makers.extend(found.into_iter().flatten());
            if self.makers.len() == before {
                return;
            }
        }
    }

    /// Whether a function returns an object that nobody else has yet.
    pub(crate) fn is_maker(&self, name: Name) -> bool {
        self.makers.contains(&name)
    }

    /// The file-scope variables of this name.
    pub(crate) fn globals_named(&self, name: Name) -> &[GlobalId] {
        self.globals_named.get(&name).map_or(&[], Vec::as_slice)
    }

    /// The struct of this name, through typedefs.
    pub(crate) fn struct_named(&self, project: &Project, name: Name) -> Option<StructId> {
        let mut name = name;
        for _ in 0..8 {
            if let Some(id) = self.structs.get(&name) {
                return Some(*id);
            }
            name = *project.typedefs.get(&name)?;
        }
        None
    }

    pub(crate) fn of(
        &self,
        project: &Project,
        body: &Body,
        class: Option<Name>,
        expr: ExprId,
        fuel: u32,
    ) -> Option<Type> {
        let fuel = fuel.checked_sub(1)?;
        let on = |expr| self.of(project, body, class, expr, fuel);
        match body.kind(expr) {
            ExprKind::Local(local) => body.locals.get(local.0 as usize).map(|local| local.ty),
            ExprKind::Name(name) if project.text(name) == "this" => {
                class.map(|class| Type { pointers: 1, ..Type::named(class) })
            }
            ExprKind::Name(name) => self.globals.get(&name).copied(),
            ExprKind::Cast { base, pointers, .. } => Some(Type { pointers, ..Type::named(base) }),
            ExprKind::Field { base, name, .. } => {
                let id = self.struct_named(project, on(base)?.base)?;
                let fields = &project.structs[id.0 as usize].fields;
                fields.iter().find(|field| field.name == name).map(|field| field.ty)
            }
            ExprKind::Index { base, .. } => on(base).map(|ty| match ty.array {
                true => Type { array: false, ..ty },
                false => Type { pointers: ty.pointers.saturating_sub(1), ..ty },
            }),
            ExprKind::Unary { op: UnaryOp::Deref, operand } => {
                on(operand).map(|ty| Type { pointers: ty.pointers.saturating_sub(1), ..ty })
            }
            ExprKind::Unary { op: UnaryOp::AddressOf, operand } => {
                on(operand).map(|ty| Type { pointers: ty.pointers.saturating_add(1), ..ty })
            }
            ExprKind::Call { .. } => self.results.get(&callee(body, expr)?).copied(),
            ExprKind::Assign { target: value, .. } | ExprKind::Comma { right: value, .. } => on(value),
            ExprKind::Conditional { then, otherwise, .. } => on(then).or_else(|| on(otherwise)),
            _ => None,
        }
    }
}

/// Whether all that a function returns is what makers gave it.
fn makes(flow: &Flow<'_>, is_maker: &impl Fn(Name) -> bool) -> bool {
    let mentions = flow.body.exprs.iter().any(|expr| match expr.kind {
        ExprKind::Name(name) | ExprKind::Field { name, .. } => is_maker(name),
        _ => false,
    });
    if !mentions {
        return false;
    }
    let mut made = false;
    flow.cfg.ids().all(|node| match flow.cfg.node(node).step {
        Step::Return(Some(value)) => flow.roots(value, node).iter().all(|root| match root {
            Root::Call(call) => {
                let maker = callee(flow.body, *call).is_some_and(is_maker);
                made |= maker;
                maker
            }
            Root::Constant => true,
            _ => false,
        }),
        _ => true,
    }) && made
}
