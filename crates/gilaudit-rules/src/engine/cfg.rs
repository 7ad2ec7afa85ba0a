//! Control flow of one function: the steps it takes, in the order they are evaluated in.

use gilaudit_model::source::{BinaryOp, Body, ExprId, ExprKind, LocalId, Name, Span, StmtId, StmtKind};

/// The number of a step in its [`Cfg`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(pub(crate) u32);

/// What happens at a step. Reads of variables and fields belong to the step that uses them: see [`Cfg::node_of`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Entry,
    /// Every way out of the function, `throw` included, leads here.
    Exit,
    /// A call, an assignment, `++` or `--`: its operands were evaluated before.
    Eval(ExprId),
    /// A variable is declared, with this value.
    Declare(LocalId, Option<ExprId>),
    /// Goes on at the first successor if the value is true, at the second if not.
    Branch(ExprId),
    /// A `switch` on the value; one successor a case.
    Switch(ExprId),
    Return(Option<ExprId>),
    Throw,
    /// The variables declared in this block go out of scope.
    ScopeEnd(Span),
    /// Nothing: a place where ways meet.
    Join,
}

/// A step and its neighbours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'c> {
    pub(crate) step: Step,
    pub(crate) successors: &'c [NodeId],
    pub(crate) predecessors: &'c [NodeId],
    pub(crate) span: Span,
    /// In how many loops of the function it is.
    pub(crate) loops: u16,
}

#[derive(Clone, Copy, Debug)]
struct Stored {
    step: Step,
    span: Span,
    loops: u16,
}

/// The steps of one function. They are kept for all functions of a project at the same time, so they are packed.
#[derive(Clone, Debug)]
pub(crate) struct Cfg {
    nodes: Vec<Stored>,
    successors: Edges,
    predecessors: Edges,
    /// For every expression the step that evaluates it; [`NEVER`] if it is never evaluated (`sizeof`).
    node_of: Vec<NodeId>,
}

/// The steps of code that is empty.
impl Default for Cfg {
    fn default() -> Self {
        Self::new(&Body::default(), StmtId(0))
    }
}

/// The neighbours of every step in one direction.
#[derive(Clone, Debug, Default)]
struct Edges {
    /// Where the neighbours of a step end; they begin where those of the step before it end.
    ends: Vec<u32>,
    to: Vec<NodeId>,
}

impl Edges {
    /// The edges, each from its first step to its second, in the order they were made in.
    fn new(count: usize, edges: impl Iterator<Item = (NodeId, NodeId)> + Clone) -> Self {
        let mut ends = vec![0u32; count];
        edges.clone().for_each(|(from, _)| ends[from.0 as usize] += 1);
        let mut sum = 0;
        // First where they begin; filling them in moves that to where they end.
        for end in &mut ends {
            sum += *end;
            *end = sum - *end;
        }
        let mut to = vec![NEVER; sum as usize];
        for (from, next) in edges {
            let at = &mut ends[from.0 as usize];
            to[*at as usize] = next;
            *at += 1;
        }
        Self { ends, to }
    }

    fn of(&self, id: NodeId) -> &[NodeId] {
        let end = self.ends.get(id.0 as usize).copied().unwrap_or(0);
        let start = (id.0 as usize).checked_sub(1).map_or(0, |before| self.ends[before]);
        self.to.get(start as usize..end as usize).unwrap_or_default()
    }
}

pub(crate) const ENTRY: NodeId = NodeId(0);
pub(crate) const EXIT: NodeId = NodeId(1);
/// No step.
const NEVER: NodeId = NodeId(u32::MAX);

impl Cfg {
    /// The steps of the code that begins at `root`.
    pub(crate) fn new(body: &Body, root: StmtId) -> Self {
        let mut builder = Builder {
            body,
            nodes: Vec::new(),
            edges: Vec::new(),
            node_of: vec![NEVER; body.exprs.len()],
            pending: Vec::new(),
            at: None,
            breaks: Vec::new(),
            continues: Vec::new(),
            cases: Vec::new(),
            labels: Vec::new(),
            gotos: Vec::new(),
            scopes: Vec::new(),
            closures: Vec::new(),
            loops: 0,
        };
        builder.push(Step::Entry, Span::default());
        builder.push(Step::Exit, Span::default());
        builder.at = Some(ENTRY);
        builder.statement(root);
        if let Some(last) = builder.at {
            builder.edge(last, EXIT);
        }
        builder.land_gotos();
        let count = builder.nodes.len();
        Self {
            successors: Edges::new(count, builder.edges.iter().copied()),
            predecessors: Edges::new(count, builder.edges.iter().map(|(from, to)| (*to, *from))),
            nodes: builder.nodes,
            node_of: builder.node_of,
        }
    }

    pub(crate) fn node(&self, id: NodeId) -> Node<'_> {
        let Stored { step, span, loops } = self.nodes[id.0 as usize];
        Node { step, successors: self.successors.of(id), predecessors: self.predecessors.of(id), span, loops }
    }

    /// How many steps there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    /// The step that evaluates an expression.
    pub(crate) fn node_of(&self, expr: ExprId) -> Option<NodeId> {
        self.node_of.get(expr.0 as usize).copied().filter(|node| *node != NEVER)
    }

    /// Everything that can run after `from`, `from` itself only if a loop leads back to it. Does not go on behind a step for which
    /// `stop` says so (that step is included).
    pub(crate) fn after(&self, from: NodeId, mut stop: impl FnMut(NodeId) -> bool) -> Vec<NodeId> {
        self.reach(from, &self.successors, &mut stop)
    }

    /// Everything that can have run before `from`; see [`Cfg::after`].
    pub(crate) fn before(&self, from: NodeId, mut stop: impl FnMut(NodeId) -> bool) -> Vec<NodeId> {
        self.reach(from, &self.predecessors, &mut stop)
    }

    fn reach(&self, from: NodeId, next: &Edges, stop: &mut impl FnMut(NodeId) -> bool) -> Vec<NodeId> {
        let mut seen = vec![false; self.nodes.len()];
        let mut found = Vec::new();
        let mut work = next.of(from).to_vec();
        while let Some(id) = work.pop() {
            if std::mem::replace(&mut seen[id.0 as usize], true) {
                continue;
            }
            found.push(id);
            if !stop(id) {
                work.extend(next.of(id).iter().filter(|id| !seen[id.0 as usize]));
            }
        }
        // In order, so that callers can search in it.
        found.sort_unstable();
        found
    }

    /// Which steps can be reached at all.
    pub(crate) fn reachable(&self) -> Vec<bool> {
        let mut seen = vec![false; self.nodes.len()];
        seen[ENTRY.0 as usize] = true;
        for id in self.after(ENTRY, |_| false) {
            seen[id.0 as usize] = true;
        }
        seen
    }
}

/// A jump whose target is not known yet, and the scopes it leaves.
struct Jump {
    from: NodeId,
    scopes: Vec<Span>,
}

struct Builder<'a> {
    body: &'a Body,
    nodes: Vec<Stored>,
    /// In the order they were made in.
    edges: Vec<(NodeId, NodeId)>,
    node_of: Vec<NodeId>,
    /// Expressions that were evaluated and wait for their step.
    pending: Vec<ExprId>,
    /// The step that control comes from; `None` after a jump.
    at: Option<NodeId>,
    breaks: Vec<(Vec<NodeId>, usize)>,
    continues: Vec<(Vec<NodeId>, usize)>,
    cases: Vec<(NodeId, bool)>,
    labels: Vec<(Name, NodeId, usize)>,
    gotos: Vec<(Name, Jump)>,
    scopes: Vec<Span>,
    /// For every closure that is open, from where its returns leave it; nothing for one that runs as a part of the function.
    closures: Vec<Option<(Vec<NodeId>, usize)>>,
    loops: u16,
}

impl Builder<'_> {
    fn push(&mut self, step: Step, span: Span) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(Stored { step, span, loops: self.loops });
        id
    }

    fn edge(&mut self, from: NodeId, to: NodeId) {
        self.edges.push((from, to));
    }

    /// A step after the current one; code after a jump gets steps that nothing leads to.
    fn step(&mut self, step: Step, span: Span) -> NodeId {
        let id = self.push(step, span);
        for expr in std::mem::take(&mut self.pending) {
            let node = &mut self.node_of[expr.0 as usize];
            if *node == NEVER {
                *node = id;
            }
        }
        if let Some(from) = self.at {
            self.edge(from, id);
        }
        self.at = Some(id);
        id
    }

    fn join(&mut self, froms: impl IntoIterator<Item = Option<NodeId>>, span: Span) {
        let froms: Vec<NodeId> = froms.into_iter().flatten().collect();
        self.at = None;
        if froms.is_empty() {
            return;
        }
        let id = self.push(Step::Join, span);
        for from in froms {
            self.edge(from, id);
        }
        self.at = Some(id);
    }

    /// Evaluates an expression: its steps, and its reads for the next step.
    fn eval(&mut self, id: ExprId) {
        let expr = self.body.expr(id);
        match expr.kind {
            ExprKind::Binary { op: BinaryOp::And | BinaryOp::Or, .. } | ExprKind::Conditional { .. } => self.choice(id),
            ExprKind::Unary { op: gilaudit_model::source::UnaryOp::SizeOf, .. } => {}
            ExprKind::Closure { body, immediate } => {
                let before = self.step(Step::Join, expr.span);
                // A closure that is handed to a call may run there, or not. What it returns is not what this function returns.
                self.closures.push((!immediate).then(|| (Vec::new(), self.scopes.len())));
                self.statement(body);
                // A statement expression has no returns of its own: those are the function's.
                if let Some((returns, _)) = self.closures.pop().flatten() {
                    let end = self.at;
                    self.join(returns.into_iter().map(Some).chain([Some(before), end]), expr.span);
                }
                self.pending.push(id);
            }
            ExprKind::Call { .. } | ExprKind::Assign { .. } | ExprKind::Update { .. } => {
                let body = self.body;
                body.for_each_child(id, |child| self.eval(child));
                self.pending.push(id);
                self.step(Step::Eval(id), expr.span);
            }
            _ => {
                let body = self.body;
                body.for_each_child(id, |child| self.eval(child));
                self.pending.push(id);
            }
        }
    }

    /// `a && b`, `a || b`, `a ? b : c`, as a value.
    fn choice(&mut self, id: ExprId) {
        let span = self.body.expr(id).span;
        let (yes, no) = self.condition(id);
        self.join(yes.into_iter().chain(no).map(Some), span);
        self.pending.push(id);
    }

    /// Evaluates a condition; where control comes from when it is true, and when it is false.
    fn condition(&mut self, id: ExprId) -> (Vec<NodeId>, Vec<NodeId>) {
        let expr = self.body.expr(id);
        match expr.kind {
            ExprKind::Binary { op: BinaryOp::And, left, right } => {
                let (yes, mut no) = self.condition(left);
                self.pending.push(id);
                self.resume(yes, span_of(self.body, right));
                let (yes, more) = self.condition(right);
                no.extend(more);
                (yes, no)
            }
            ExprKind::Binary { op: BinaryOp::Or, left, right } => {
                let (mut yes, no) = self.condition(left);
                self.pending.push(id);
                self.resume(no, span_of(self.body, right));
                let (more, no) = self.condition(right);
                yes.extend(more);
                (yes, no)
            }
            ExprKind::Unary { op: gilaudit_model::source::UnaryOp::Not, operand } => {
                self.pending.push(id);
                let (yes, no) = self.condition(operand);
                (no, yes)
            }
            ExprKind::Conditional { condition, then, otherwise } => {
                let (yes, no) = self.condition(condition);
                self.pending.push(id);
                self.resume(yes, span_of(self.body, then));
                self.eval(then);
                let first = self.step(Step::Join, expr.span);
                self.resume(no, span_of(self.body, otherwise));
                self.eval(otherwise);
                let second = self.step(Step::Join, expr.span);
                self.at = None;
                (vec![first, second], Vec::new())
            }
            // What a macro was given as a constant decides nothing at run time.
            ExprKind::Number(Some(number)) => {
                let node = self.step(Step::Join, expr.span);
                self.at = None;
                if number != 0 { (vec![node], Vec::new()) } else { (Vec::new(), vec![node]) }
            }
            _ => {
                self.eval(id);
                let node = self.step(Step::Branch(id), expr.span);
                // Two ways out of one step: the first successor is the true one.
                let yes = self.push(Step::Join, expr.span);
                self.edge(node, yes);
                let no = self.push(Step::Join, expr.span);
                self.edge(node, no);
                self.at = None;
                (vec![yes], vec![no])
            }
        }
    }

    fn resume(&mut self, froms: Vec<NodeId>, span: Span) {
        match froms.as_slice() {
            [only] => self.at = Some(*only),
            _ => self.join(froms.into_iter().map(Some), span),
        }
    }

    /// Leaves every scope from `depth` on, then jumps away.
    fn leave(&mut self, depth: usize, span: Span) -> Option<NodeId> {
        for index in (depth..self.scopes.len()).rev() {
            let scope = self.scopes[index];
            self.step(Step::ScopeEnd(scope), span);
        }
        let from = self.step(Step::Join, span);
        self.at = None;
        Some(from)
    }

    fn statement(&mut self, id: StmtId) {
        let stmt = self.body.stmt(id);
        let span = stmt.span;
        match stmt.kind {
            StmtKind::Expr(expr) => {
                self.eval(expr);
                if !self.pending.is_empty() {
                    self.step(Step::Join, span);
                }
            }
            StmtKind::Declare { local, init } => {
                if let Some(init) = init {
                    self.eval(init);
                }
                self.step(Step::Declare(local, init), span);
            }
            StmtKind::Block(list) => {
                self.scopes.push(span);
                for stmt in self.body.stmts_of(list) {
                    self.statement(*stmt);
                }
                self.scopes.pop();
                if self.at.is_some() {
                    self.step(Step::ScopeEnd(span), Span { start: span.end.saturating_sub(1), end: span.end });
                }
            }
            StmtKind::If { condition, then, otherwise } => {
                let (yes, no) = self.condition(condition);
                self.resume(yes, span);
                self.statement(then);
                let end = self.at;
                self.resume(no, span);
                if let Some(otherwise) = otherwise {
                    self.statement(otherwise);
                }
                let other = self.at;
                self.join([end, other], span);
            }
            StmtKind::While { condition, body } => self.repeat(Some(condition), None, body, false, span),
            StmtKind::DoWhile { body, condition } => self.repeat(Some(condition), None, body, true, span),
            StmtKind::For { init, condition, step, body, each } => {
                self.scopes.push(span);
                if let Some(init) = init {
                    self.statement(init);
                }
                if each {
                    self.each(body, span);
                } else {
                    self.repeat(condition, step, body, false, span);
                }
                self.scopes.pop();
            }
            StmtKind::Switch { value, body } => {
                self.eval(value);
                let node = self.step(Step::Switch(value), span);
                self.cases.push((node, false));
                self.breaks.push((Vec::new(), self.scopes.len()));
                self.at = None;
                self.statement(body);
                let end = self.at;
                let (breaks, _) = self.breaks.pop().unwrap_or_default();
                let (node, has_default) = self.cases.pop().unwrap_or((node, true));
                let past = (!has_default).then_some(node);
                self.join(breaks.into_iter().map(Some).chain([end, past]), span);
            }
            StmtKind::Case(value) => {
                let before = self.at;
                let switch = self.cases.last_mut().map(|(node, has_default)| {
                    *has_default |= value.is_none();
                    *node
                });
                self.join([before, switch], span);
                if let Some(value) = value {
                    self.pending.push(value);
                }
            }
            StmtKind::Label(name) => {
                let node = self.step(Step::Join, span);
                self.labels.push((name, node, self.scopes.len()));
            }
            StmtKind::Goto(name) => {
                let scopes = self.scopes.clone();
                let from = self.step(Step::Join, span);
                self.at = None;
                self.gotos.push((name, Jump { from, scopes }));
            }
            StmtKind::Break => {
                if let Some(depth) = self.breaks.last().map(|(_, depth)| *depth) {
                    let from = self.leave(depth, span);
                    if let Some((breaks, _)) = self.breaks.last_mut() {
                        breaks.extend(from);
                    }
                }
            }
            StmtKind::Continue => {
                if let Some(depth) = self.continues.last().map(|(_, depth)| *depth) {
                    let from = self.leave(depth, span);
                    if let Some((continues, _)) = self.continues.last_mut() {
                        continues.extend(from);
                    }
                }
            }
            StmtKind::Return(value) => {
                if let Some(value) = value {
                    self.eval(value);
                }
                self.step(Step::Return(value), span);
                let depth = self.closures.iter().flatten().next_back().map(|(_, depth)| *depth);
                let from = self.leave(depth.unwrap_or(0), span);
                match self.closures.iter_mut().flatten().next_back() {
                    Some((returns, _)) => returns.extend(from),
                    None => from.into_iter().for_each(|from| self.edge(from, EXIT)),
                }
            }
            StmtKind::Throw(value) => {
                if let Some(value) = value {
                    self.eval(value);
                }
                self.step(Step::Throw, span);
                if let Some(from) = self.leave(0, span) {
                    self.edge(from, EXIT);
                }
            }
            StmtKind::Try { body, handlers } => {
                let before = self.step(Step::Join, span);
                self.statement(body);
                let end = self.at;
                let mut ends = vec![end];
                for handler in self.body.stmts_of(handlers) {
                    // Anything in the body may throw; that the first step may is enough for the rules.
                    self.at = Some(before);
                    self.statement(*handler);
                    ends.push(self.at);
                }
                self.join(ends, span);
            }
            StmtKind::Empty => {}
        }
    }

    fn repeat(&mut self, condition: Option<ExprId>, step: Option<ExprId>, body: StmtId, body_first: bool, span: Span) {
        self.loops = self.loops.saturating_add(1);
        let head = self.step(Step::Join, span);
        let depth = self.scopes.len();
        let mut exits = Vec::new();
        let is_forever = condition.is_none_or(|id| matches!(self.body.kind(id), ExprKind::Number(Some(1..))));
        let is_once = body_first && condition.is_some_and(|id| matches!(self.body.kind(id), ExprKind::Number(Some(0))));
        if !body_first && let Some(condition) = condition.filter(|_| !is_forever) {
            let (yes, no) = self.condition(condition);
            exits.extend(no);
            self.resume(yes, span);
        }
        self.breaks.push((Vec::new(), depth));
        self.continues.push((Vec::new(), depth));
        self.statement(body);
        let end = self.at;
        let (continues, _) = self.continues.pop().unwrap_or_default();
        self.join(continues.into_iter().map(Some).chain([end]), span);
        if let Some(step) = step.filter(|_| self.at.is_some()) {
            self.eval(step);
            self.step(Step::Join, span);
        }
        if is_once {
            exits.extend(self.at);
        } else if self.at.is_some() {
            if body_first && let Some(condition) = condition.filter(|_| !is_forever) {
                let (yes, no) = self.condition(condition);
                exits.extend(no);
                for from in yes {
                    self.edge(from, head);
                }
            } else if let Some(from) = self.at {
                self.edge(from, head);
            }
        }
        let (breaks, _) = self.breaks.pop().unwrap_or_default();
        self.loops -= 1;
        self.join(exits.into_iter().chain(breaks).map(Some), span);
    }

    /// `for (x : range) body`: any number of rounds.
    fn each(&mut self, body: StmtId, span: Span) {
        self.loops = self.loops.saturating_add(1);
        let head = self.step(Step::Join, span);
        let depth = self.scopes.len();
        self.breaks.push((Vec::new(), depth));
        self.continues.push((Vec::new(), depth));
        self.statement(body);
        let (continues, _) = self.continues.pop().unwrap_or_default();
        for from in continues.into_iter().chain(self.at) {
            self.edge(from, head);
        }
        let (breaks, _) = self.breaks.pop().unwrap_or_default();
        self.loops -= 1;
        self.join(breaks.into_iter().map(Some).chain([Some(head)]), span);
    }

    /// Connects every `goto` with its label, through the ends of the scopes that it leaves.
    fn land_gotos(&mut self) {
        for (name, jump) in std::mem::take(&mut self.gotos) {
            let target =
                self.labels.iter().find(|(label, _, _)| *label == name).map(|(_, node, depth)| (*node, *depth));
            // A computed goto, or a label in code that did not parse: the function may end there.
            let (target, depth) = target.unwrap_or((EXIT, 0));
            self.at = Some(jump.from);
            let span = self.nodes[jump.from.0 as usize].span;
            for scope in jump.scopes.iter().skip(depth).rev() {
                self.step(Step::ScopeEnd(*scope), span);
            }
            if let Some(from) = self.at {
                self.edge(from, target);
            }
            self.at = None;
        }
    }
}

fn span_of(body: &Body, id: ExprId) -> Span {
    body.expr(id).span
}
