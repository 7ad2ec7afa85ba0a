//! Where values come from: access paths, definitions that reach a use, and what a value is rooted in.

use gilaudit_model::source::{Body, ExprId, ExprKind, LocalId, Name, Project, UnaryOp};

use super::cfg::{Cfg, ENTRY, NodeId, Step};
use super::flow::{Flow, Walks};

/// A variable and the members that are followed from it: `self->dict` is `self` with `[dict]`. Casts, `&` and `*` do not count, and a
/// local that is set once stands for what it is set to, so two paths are equal if they mean the same place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Path {
    pub(crate) base: Base,
    pub(crate) fields: Vec<Name>,
}

/// What a path begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Base {
    Local(LocalId),
    /// A global, an enumerator, an unknown name.
    Name(Name),
    /// What this call gave.
    Call(ExprId),
}

/// One place where a local gets a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(crate) node: NodeId,
    pub(crate) source: Source,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// `x = value`
    Value(ExprId),
    /// Handed by address to this call: `f(&x)`.
    OutArgument(ExprId),
    /// `x++`, `x += 1`
    Changed(ExprId),
    /// Declared without a value.
    Nothing,
}

/// What a value is rooted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Root {
    /// The caller's argument of this position.
    Parameter(u32),
    /// A file-scope variable or an unknown name.
    Global(Name),
    /// A local that lives as long as the process.
    Static(LocalId),
    /// A member of something: the expression that reads it.
    Field(ExprId),
    /// What a call returned.
    Call(ExprId),
    /// What a call stored through the address of a local.
    OutArgument(ExprId),
    /// A constant, `NULL`, a string.
    Constant,
    /// Not known.
    Unknown,
}

/// The values of one function.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    definitions: Vec<Vec<Definition>>,
    address_taken: Vec<bool>,
    /// `&local` that is no argument of a call: stored in a table or a variable, from where it can be written at any time.
    escaped: Vec<bool>,
}

impl Values {
    pub(crate) fn new(body: &Body, cfg: &Cfg) -> Self {
        let mut definitions: Vec<Vec<Definition>> = vec![Vec::new(); body.locals.len()];
        let mut address_taken = vec![false; body.locals.len()];
        let mut define = |local: LocalId, node, source| {
            if let Some(list) = definitions.get_mut(local.0 as usize) {
                list.push(Definition { node, source });
            }
        };
        for node in cfg.ids() {
            match cfg.node(node).step {
                Step::Declare(local, init) => {
                    define(local, node, init.map_or(Source::Nothing, Source::Value));
                }
                Step::Eval(expr) => match body.kind(expr) {
                    ExprKind::Assign { op, target, value } => {
                        if let ExprKind::Local(local) = body.kind(target) {
                            define(
                                local,
                                node,
                                if op.is_some() { Source::Changed(expr) } else { Source::Value(value) },
                            );
                        }
                    }
                    ExprKind::Update { operand, .. } => {
                        if let ExprKind::Local(local) = body.kind(operand) {
                            define(local, node, Source::Changed(expr));
                        }
                    }
                    ExprKind::Call { args, .. } => {
                        for arg in body.list(args) {
                            if let Some(local) = address_of_local(body, *arg) {
                                define(local, node, Source::OutArgument(expr));
                            }
                        }
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        let mut addresses = vec![0usize; body.locals.len()];
        for expr in &body.exprs {
            if let ExprKind::Unary { op: UnaryOp::AddressOf, operand } = expr.kind
                && let ExprKind::Local(local) = body.kind(operand)
                && let Some(taken) = address_taken.get_mut(local.0 as usize)
            {
                *taken = true;
                addresses[local.0 as usize] += 1;
            }
        }
        let arguments = |definitions: &Vec<Definition>| {
            definitions.iter().filter(|definition| matches!(definition.source, Source::OutArgument(_))).count()
        };
        let escaped = addresses.iter().zip(&definitions).map(|(taken, known)| *taken > arguments(known)).collect();
        Self { definitions, address_taken, escaped }
    }

    /// Whether a local can be written through a pointer that is kept somewhere.
    fn is_escaped(&self, local: LocalId) -> bool {
        self.escaped.get(local.0 as usize).copied().unwrap_or(true)
    }

    /// All places where a local gets a value.
    pub(crate) fn definitions(&self, local: LocalId) -> &[Definition] {
        self.definitions.get(local.0 as usize).map_or(&[], Vec::as_slice)
    }

    /// Whether `&local` occurs.
    pub(crate) fn address_taken(&self, local: LocalId) -> bool {
        self.address_taken.get(local.0 as usize).copied().unwrap_or(true)
    }

    /// The only value a local ever gets, if there is only one.
    pub(crate) fn only_value(&self, body: &Body, local: LocalId) -> Option<ExprId> {
        let declared = body.locals.get(local.0 as usize)?;
        if declared.is_static || declared.parameter.is_some() || self.address_taken(local) {
            return None;
        }
        let mut values = self.definitions(local).iter().filter(|definition| definition.source != Source::Nothing);
        let Definition { source: Source::Value(value), .. } = values.next()? else { return None };
        values.next().is_none().then_some(*value)
    }

    /// Whether a way leads to `at` on which a local gets no value: a parameter is then what the caller gave.
    pub(crate) fn reaches_entry(&self, cfg: &Walks<'_>, local: LocalId, at: NodeId) -> bool {
        let all = self.definitions(local);
        let defines = |node: NodeId| {
            let mut here = all.iter().filter(|definition| definition.node == node);
            here.any(|definition| !matches!(definition.source, Source::OutArgument(_) | Source::Changed(_)))
        };
        all.is_empty() || at == ENTRY || cfg.before(at, defines).binary_search(&ENTRY).is_ok()
    }

    /// The definitions of a local that can be the last ones before `at`. Empty for a parameter that was not changed.
    pub(crate) fn reaching(&self, cfg: &Walks<'_>, local: LocalId, at: NodeId) -> Vec<Definition> {
        let all = self.definitions(local);
        // Most often a parameter that keeps its value: nothing to look for in a function that may be long.
        if all.is_empty() {
            return Vec::new();
        }
        let defines = |node: NodeId| all.iter().any(|definition| definition.node == node);
        let before = cfg.before(at, defines);
        all.iter().filter(|definition| before.binary_search(&definition.node).is_ok()).copied().collect()
    }
}

/// The local in `&local`.
pub(crate) fn address_of_local(body: &Body, expr: ExprId) -> Option<LocalId> {
    let ExprKind::Unary { op: UnaryOp::AddressOf, operand } = body.kind(strip(body, expr)) else { return None };
    match body.kind(operand) {
        ExprKind::Local(local) => Some(local),
        _ => None,
    }
}

/// The value without casts.
pub(crate) fn strip(body: &Body, mut expr: ExprId) -> ExprId {
    for _ in 0..16 {
        match body.kind(expr) {
            ExprKind::Cast { value, .. } | ExprKind::Comma { right: value, .. } => expr = value,
            _ => break,
        }
    }
    expr
}

/// The name a call calls: of a function, or of the member in `x.f()` and `x->f()`.
pub(crate) fn callee(body: &Body, call: ExprId) -> Option<Name> {
    let ExprKind::Call { callee, .. } = body.kind(call) else { return None };
    match body.kind(strip(body, callee)) {
        ExprKind::Name(name) | ExprKind::Field { name, .. } => Some(name),
        _ => None,
    }
}

/// Whether a call is of a function by its name: `free(p)`, not `p->free()`.
pub(crate) fn is_by_name(body: &Body, call: ExprId) -> bool {
    let ExprKind::Call { callee, .. } = body.kind(call) else { return false };
    matches!(body.kind(strip(body, callee)), ExprKind::Name(_))
}

/// The arguments of a call.
pub(crate) fn arguments(body: &Body, call: ExprId) -> &[ExprId] {
    match body.kind(call) {
        ExprKind::Call { args, .. } => body.list(args),
        _ => &[],
    }
}

/// Whether a call only gives its argument another type: `_PyObject_CAST(x)`, `Foo_CAST(op)`, or the same object again: `Py_NewRef(x)`.
fn is_cast(name: &str) -> bool {
    name.ends_with("CAST") || matches!(name, "Py_NewRef" | "Py_XNewRef" | "_Py_NewRef" | "_Py_XNewRef")
}

/// The place that an expression means. `None` for what is no place: constants, arithmetic, elements of arrays with a computed index.
pub(crate) fn path(project: &Project, body: &Body, values: &Values, expr: ExprId) -> Option<Path> {
    path_within(project, body, values, expr, 12)
}

fn path_within(project: &Project, body: &Body, values: &Values, expr: ExprId, fuel: u32) -> Option<Path> {
    let fuel = fuel.checked_sub(1)?;
    let on = |expr| path_within(project, body, values, expr, fuel);
    match body.kind(strip(body, expr)) {
        ExprKind::Local(local) => match values.only_value(body, local) {
            Some(value) => on(value).or(Some(Path { base: Base::Local(local), fields: Vec::new() })),
            None => Some(Path { base: Base::Local(local), fields: Vec::new() }),
        },
        ExprKind::Name(name) => Some(Path { base: Base::Name(name), fields: Vec::new() }),
        ExprKind::Field { base, name, .. } => {
            let mut path = on(base)?;
            path.fields.push(name);
            Some(path)
        }
        ExprKind::Unary { op: UnaryOp::AddressOf | UnaryOp::Deref, operand } => on(operand),
        ExprKind::Index { base, .. } => on(base),
        ExprKind::Call { args, .. } => {
            let call = strip(body, expr);
            let name = callee(body, call).map_or("", |name| project.text(name));
            match body.list(args) {
                [only] if is_cast(name) => on(*only),
                _ => Some(Path { base: Base::Call(call), fields: Vec::new() }),
            }
        }
        _ => None,
    }
}

/// What a value, as read at `at`, is rooted in: all possibilities.
pub(crate) fn roots(flow: &Flow<'_>, expr: ExprId, at: NodeId) -> Vec<Root> {
    let mut out = Vec::new();
    collect_roots(&mut RootSearch { flow, fuel: 64, out: &mut out }, expr, at);
    out
}

struct RootSearch<'a> {
    flow: &'a Flow<'a>,
    fuel: u32,
    out: &'a mut Vec<Root>,
}

fn collect_roots(search: &mut RootSearch<'_>, expr: ExprId, at: NodeId) {
    let Flow { project, body, values, cfg, .. } = *search.flow;
    let mut add = |root| {
        if !search.out.contains(&root) {
            search.out.push(root);
        }
    };
    let Some(fuel) = search.fuel.checked_sub(1) else { return add(Root::Unknown) };
    search.fuel = fuel;
    let expr = strip(body, expr);
    match body.kind(expr) {
        ExprKind::Local(local) => {
            let Some(declared) = body.locals.get(local.0 as usize) else { return add(Root::Unknown) };
            if declared.is_static {
                return add(Root::Static(local));
            }
            if values.is_escaped(local) {
                add(Root::Unknown);
            }
            let reaching = values.reaching(&cfg, local, at);
            if let Some(position) = declared.parameter
                && values.definitions(local).is_empty()
            {
                return add(Root::Parameter(position));
            }
            if let Some(position) = declared.parameter {
                // What the caller gave, unless every way here has stored something else.
                if values.reaches_entry(&cfg, local, at) {
                    add(Root::Parameter(position));
                }
            } else if reaching.is_empty() {
                return add(Root::Unknown);
            }
            for definition in reaching {
                match definition.source {
                    Source::Value(value) => collect_roots(search, value, definition.node),
                    Source::OutArgument(call) if !search.out.contains(&Root::OutArgument(call)) => {
                        search.out.push(Root::OutArgument(call));
                    }
                    Source::Changed(_) if !search.out.contains(&Root::Unknown) => search.out.push(Root::Unknown),
                    Source::OutArgument(_) | Source::Changed(_) | Source::Nothing => {}
                }
            }
        }
        ExprKind::Name(name) => add(Root::Global(name)),
        ExprKind::Field { .. } => add(Root::Field(expr)),
        ExprKind::Index { base, .. } => collect_roots(search, base, at),
        ExprKind::Unary { op: UnaryOp::AddressOf | UnaryOp::Deref, operand } => collect_roots(search, operand, at),
        ExprKind::Call { args, .. } => {
            let name = callee(body, expr).map_or("", |name| project.text(name));
            match body.list(args) {
                [only] if is_cast(name) => collect_roots(search, *only, at),
                _ => add(Root::Call(expr)),
            }
        }
        ExprKind::Assign { op: None, value, .. } => collect_roots(search, value, at),
        ExprKind::Conditional { then, otherwise, .. } => {
            collect_roots(search, then, at);
            collect_roots(search, otherwise, at);
        }
        ExprKind::Number(_) | ExprKind::Null | ExprKind::Str => add(Root::Constant),
        _ => add(Root::Unknown),
    }
}
