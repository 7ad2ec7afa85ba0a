//! Statements and expressions.

use super::{BinaryOp, Name, Type, UnaryOp};

/// A half-open range of byte offsets in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Span {
    /// Whether `other` lies inside.
    pub fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}

/// The number of an expression in its [`Body`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExprId(pub u32);

/// The number of a statement in its [`Body`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StmtId(pub u32);

/// The number of a local variable or parameter in its [`Body`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalId(pub u32);

/// A list of expressions: see [`Body::list`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExprList {
    /// Where it begins in the arena.
    pub start: u32,
    /// How many.
    pub len: u32,
}

/// A list of statements: see [`Body::stmts_of`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StmtList {
    /// Where it begins in the arena.
    pub start: u32,
    /// How many.
    pub len: u32,
}

/// An expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it is. Code that comes out of a project's macro has the span of the macro's use.
    pub span: Span,
}

/// What an expression is. Parentheses are gone; project macros are expanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExprKind {
    /// A variable or parameter of this body.
    Local(LocalId),
    /// Any other name: a global, a function, an enumerator, a macro that could not be expanded. `a::b` is one name.
    Name(Name),
    /// A number or character constant; `None` when it is not a 64-bit integer.
    Number(Option<i64>),
    /// A string literal; its text is in the file.
    Str,
    /// `NULL`, `nullptr`, `(void *)0`.
    Null,
    /// `callee(args)`. C++: `x.f(a)` has a [`ExprKind::Field`] as callee; construction `T(a)`, `new T(a)` has [`ExprKind::Name`] of `T`;
    /// `delete x` is a call of the name `delete`.
    Call {
        /// What is called.
        callee: ExprId,
        /// With what.
        args: ExprList,
    },
    /// `base.name`, `base->name`
    Field {
        /// The object or pointer.
        base: ExprId,
        /// The member.
        name: Name,
        /// `->`
        arrow: bool,
    },
    /// `base[index]`
    Index {
        /// The array or pointer.
        base: ExprId,
        /// Which.
        index: ExprId,
    },
    /// `*x`, `&x`, `!x`, …
    Unary {
        /// The operator.
        op: UnaryOp,
        /// Its operand.
        operand: ExprId,
    },
    /// `x++`, `--x`, …
    Update {
        /// What changes.
        operand: ExprId,
        /// `++`
        increment: bool,
        /// `++x`
        prefix: bool,
    },
    /// `left op right`
    Binary {
        /// The operator.
        op: BinaryOp,
        /// The left operand.
        left: ExprId,
        /// The right operand.
        right: ExprId,
    },
    /// `target = value`, `target op= value`
    Assign {
        /// The operator of a compound assignment.
        op: Option<BinaryOp>,
        /// What is written.
        target: ExprId,
        /// With what.
        value: ExprId,
    },
    /// `condition ? then : otherwise`
    Conditional {
        /// What decides.
        condition: ExprId,
        /// The value if it is true.
        then: ExprId,
        /// The value if not.
        otherwise: ExprId,
    },
    /// `left, right`
    Comma {
        /// Evaluated first.
        left: ExprId,
        /// The value.
        right: ExprId,
    },
    /// `(T *)value`, `static_cast<T *>(value)`
    Cast {
        /// The base of the type.
        base: Name,
        /// How many `*`.
        pointers: u8,
        /// What is cast.
        value: ExprId,
    },
    /// `{a, b, .c = d, [2] = e}`; an element with a designator is an [`ExprKind::Assign`] to an [`ExprKind::Name`] (`.c`) or
    /// [`ExprKind::Number`] (`[2]`).
    List(ExprList),
    /// `[&](T x) { … }`, a GNU statement expression: the statement inside; the value of the last expression statement for the latter.
    Closure {
        /// What runs.
        body: StmtId,
        /// Whether it runs right here (statement expression) rather than when called.
        immediate: bool,
    },
    /// Anything else, with what is evaluated in it.
    Other(ExprList),
}

/// A statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stmt {
    /// What it is.
    pub kind: StmtKind,
    /// Where it is.
    pub span: Span,
}

/// What a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StmtKind {
    /// `expression;`
    Expr(ExprId),
    /// The declaration of one variable, in order. `T x(a)` and `T x{a}` of a class have a call of `T` as their initialiser.
    Declare {
        /// Which.
        local: LocalId,
        /// Its initialiser.
        init: Option<ExprId>,
    },
    /// `{ … }`
    Block(StmtList),
    /// `if (condition) then else otherwise`
    If {
        /// What decides.
        condition: ExprId,
        /// If true.
        then: StmtId,
        /// If not.
        otherwise: Option<StmtId>,
    },
    /// `while (condition) body`
    While {
        /// What decides.
        condition: ExprId,
        /// What is repeated.
        body: StmtId,
    },
    /// `do body while (condition)`
    DoWhile {
        /// What is repeated.
        body: StmtId,
        /// What decides.
        condition: ExprId,
    },
    /// `for (init; condition; step) body`; `for (T x : range)` is a `Declare` with the range as its initialiser in `init`, no condition.
    For {
        /// Before.
        init: Option<StmtId>,
        /// What decides; `None` is forever, or for each.
        condition: Option<ExprId>,
        /// After each round.
        step: Option<ExprId>,
        /// What is repeated.
        body: StmtId,
        /// Whether it is `for (x : range)`.
        each: bool,
    },
    /// `switch (value) body`
    Switch {
        /// What decides.
        value: ExprId,
        /// With [`StmtKind::Case`] statements inside.
        body: StmtId,
    },
    /// `case value:`, or `default:`; control falls into it from above.
    Case(Option<ExprId>),
    /// `name:`
    Label(Name),
    /// `goto name;`
    Goto(Name),
    /// `break;`
    Break,
    /// `continue;`
    Continue,
    /// `return value;`
    Return(Option<ExprId>),
    /// `throw value;`
    Throw(Option<ExprId>),
    /// `try body catch …`
    Try {
        /// What is tried.
        body: StmtId,
        /// The handlers' bodies.
        handlers: StmtList,
    },
    /// `;`, and what is not code.
    Empty,
}

/// A parameter or local variable, `static` ones included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: Type,
    /// Its position, for a parameter.
    pub parameter: Option<u32>,
    /// `static`: one for the whole process.
    pub is_static: bool,
    /// `thread_local` and the like.
    pub thread_local: bool,
    /// Declared in a macro's body, not in the function itself.
    pub in_macro: bool,
    /// Its name in its declarator.
    pub span: Span,
    /// The block it is declared in; it goes out of scope at its end.
    pub scope: Span,
}

/// The code of one function, or the initialisers of a file's variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// The expressions.
    pub exprs: Vec<Expr>,
    /// The statements.
    pub stmts: Vec<Stmt>,
    /// The variables.
    pub locals: Vec<Local>,
    /// The members of all expression lists.
    pub expr_lists: Vec<ExprId>,
    /// The members of all statement lists.
    pub stmt_lists: Vec<StmtId>,
    /// Uses of project macros that were expanded: what came out, and the macro. Sorted by expression.
    pub expansions: Vec<(ExprId, Name)>,
}

impl Body {
    /// An expression.
    pub fn expr(&self, id: ExprId) -> Expr {
        self.exprs.get(id.0 as usize).copied().unwrap_or(Expr { kind: ExprKind::Null, span: Span::default() })
    }

    /// What an expression is.
    pub fn kind(&self, id: ExprId) -> ExprKind {
        self.expr(id).kind
    }

    /// A statement.
    pub fn stmt(&self, id: StmtId) -> Stmt {
        self.stmts.get(id.0 as usize).copied().unwrap_or(Stmt { kind: StmtKind::Empty, span: Span::default() })
    }

    /// The members of a list of expressions.
    pub fn list(&self, list: ExprList) -> &[ExprId] {
        self.expr_lists
            .get(list.start as usize..(list.start as usize).saturating_add(list.len as usize))
            .unwrap_or_default()
    }

    /// The members of a list of statements.
    pub fn stmts_of(&self, list: StmtList) -> &[StmtId] {
        self.stmt_lists
            .get(list.start as usize..(list.start as usize).saturating_add(list.len as usize))
            .unwrap_or_default()
    }

    /// Adds an expression.
    pub fn add(&mut self, kind: ExprKind, span: Span) -> ExprId {
        self.exprs.push(Expr { kind, span });
        ExprId(self.exprs.len().saturating_sub(1) as u32)
    }

    /// Adds a statement.
    pub fn add_stmt(&mut self, kind: StmtKind, span: Span) -> StmtId {
        self.stmts.push(Stmt { kind, span });
        StmtId(self.stmts.len().saturating_sub(1) as u32)
    }

    /// Adds a list of expressions.
    pub fn add_list(&mut self, members: &[ExprId]) -> ExprList {
        let start = self.expr_lists.len() as u32;
        self.expr_lists.extend_from_slice(members);
        ExprList { start, len: members.len() as u32 }
    }

    /// Adds a list of statements.
    pub fn add_stmts(&mut self, members: &[StmtId]) -> StmtList {
        let start = self.stmt_lists.len() as u32;
        self.stmt_lists.extend_from_slice(members);
        StmtList { start, len: members.len() as u32 }
    }

    /// The expressions directly inside an expression, in the order they are evaluated in as a rule.
    pub fn children(&self, id: ExprId) -> Vec<ExprId> {
        let mut out = Vec::new();
        self.for_each_child(id, |child| out.push(child));
        out
    }

    /// Hands over the expressions directly inside an expression, in the same order.
    pub fn for_each_child(&self, id: ExprId, mut each: impl FnMut(ExprId)) {
        match self.kind(id) {
            ExprKind::Call { callee, args } => {
                each(callee);
                self.list(args).iter().copied().for_each(each);
            }
            ExprKind::Field { base: only, .. }
            | ExprKind::Unary { operand: only, .. }
            | ExprKind::Update { operand: only, .. }
            | ExprKind::Cast { value: only, .. } => each(only),
            ExprKind::Index { base: first, index: second }
            | ExprKind::Binary { left: first, right: second, .. }
            | ExprKind::Comma { left: first, right: second }
            | ExprKind::Assign { value: first, target: second, .. } => {
                each(first);
                each(second);
            }
            ExprKind::Conditional { condition, then, otherwise } => {
                each(condition);
                each(then);
                each(otherwise);
            }
            ExprKind::List(list) | ExprKind::Other(list) => self.list(list).iter().copied().for_each(each),
            ExprKind::Local(_)
            | ExprKind::Name(_)
            | ExprKind::Number(_)
            | ExprKind::Str
            | ExprKind::Null
            | ExprKind::Closure { .. } => {}
        }
    }

    /// Gives every name in it another one.
    pub fn rename(&mut self, mut to: impl FnMut(Name) -> Name) {
        for expr in &mut self.exprs {
            if let ExprKind::Name(name) | ExprKind::Field { name, .. } | ExprKind::Cast { base: name, .. } =
                &mut expr.kind
            {
                *name = to(*name);
            }
        }
        for stmt in &mut self.stmts {
            if let StmtKind::Label(name) | StmtKind::Goto(name) = &mut stmt.kind {
                *name = to(*name);
            }
        }
        for local in &mut self.locals {
            local.name = to(local.name);
            local.ty.base = to(local.ty.base);
        }
        for (_, name) in &mut self.expansions {
            *name = to(*name);
        }
    }
}
