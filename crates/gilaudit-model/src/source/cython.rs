//! What a Cython file says.
//!
//! Statements are listed in the order of the text; a statement that opens a block is followed by what is in it, up to [`Stmt::end`], and
//! each knows what it is in. So what is inside something is a range, what is around it a chain, and nothing recurses.

use super::{ExprId, ExprList, FileId, Name, Span, StmtId};

/// One file: `.pyx`, `.pxd`, `.pxi`, or a template of one.
#[derive(Clone, Debug)]
pub struct CythonFile {
    /// Where it is.
    pub file: FileId,
    /// The compiler directives in the comments at its top: `# cython: name=value`.
    pub directives: Vec<Directive>,
    /// Its statements, in the order of the text.
    pub stmts: Vec<Stmt>,
    /// Its expressions; those of one statement are consecutive, and come after the expressions they consist of.
    pub exprs: Vec<Expr>,
    /// The members of all expression lists.
    pub expr_lists: Vec<ExprId>,
    /// Its functions, in the order of the text.
    pub functions: Vec<Function>,
    /// Its classes, in the same order.
    pub classes: Vec<Class>,
    /// The variables that it declares, in the same order.
    pub variables: Vec<Variable>,
}

impl CythonFile {
    /// A file of which nothing is known.
    pub fn new(file: FileId) -> Self {
        Self {
            file,
            directives: Vec::new(),
            stmts: Vec::new(),
            exprs: Vec::new(),
            expr_lists: Vec::new(),
            functions: Vec::new(),
            classes: Vec::new(),
            variables: Vec::new(),
        }
    }

    /// A statement.
    pub fn stmt(&self, id: StmtId) -> &Stmt {
        &self.stmts[id.0 as usize]
    }

    /// What an expression is.
    pub fn kind(&self, id: ExprId) -> ExprKind {
        self.exprs[id.0 as usize].kind
    }

    /// Where an expression is.
    pub fn span(&self, id: ExprId) -> Span {
        self.exprs[id.0 as usize].span
    }

    /// The expressions that an expression consists of.
    pub fn children(&self, id: ExprId) -> Vec<ExprId> {
        let with =
            |first: ExprId, list: ExprList| std::iter::once(first).chain(self.list(list).iter().copied()).collect();
        match self.kind(id) {
            ExprKind::Attribute { base: inner, .. }
            | ExprKind::Keyword { value: inner, .. }
            | ExprKind::Not(inner)
            | ExprKind::Unary(inner)
            | ExprKind::Address(inner)
            | ExprKind::Cast { value: inner, .. }
            | ExprKind::Lambda(inner)
            | ExprKind::Yield(Some(inner)) => vec![inner],
            ExprKind::Call { callee, args } => with(callee, args),
            ExprKind::Subscript { base, index } => with(base, index),
            ExprKind::Each { targets, iter } => with(iter, targets),
            ExprKind::Binary { left, right }
            | ExprKind::Logic { left, right, .. }
            | ExprKind::Compare { left, right, .. } => vec![left, right],
            ExprKind::Walrus { target, value } => vec![target, value],
            ExprKind::Conditional { test, then, otherwise } => vec![test, then, otherwise],
            ExprKind::Display { items: list, .. } | ExprKind::Comprehension { clauses: list, .. } => {
                self.list(list).to_vec()
            }
            ExprKind::Name(_)
            | ExprKind::None
            | ExprKind::Null
            | ExprKind::Bool(_)
            | ExprKind::Number(_)
            | ExprKind::Str
            | ExprKind::Yield(None)
            | ExprKind::Other => Vec::new(),
        }
    }

    /// The members of a list.
    pub fn list(&self, list: ExprList) -> &[ExprId] {
        let start = list.start as usize;
        self.expr_lists.get(start..start + list.len as usize).unwrap_or_default()
    }

    /// The statements in the block of a statement, at any depth.
    pub fn inside(&self, id: StmtId) -> impl Iterator<Item = StmtId> + use<> {
        (id.0 + 1..self.stmt(id).end.0).map(StmtId)
    }

    /// The statements around a statement, the innermost first.
    pub fn around(&self, id: StmtId) -> impl Iterator<Item = StmtId> + '_ {
        std::iter::successors(self.stmt(id).parent, |id| self.stmt(*id).parent)
    }

    /// The expressions of a statement itself, without those of its block.
    pub fn exprs_of(&self, id: StmtId) -> impl Iterator<Item = ExprId> + use<> {
        let (start, end) = self.stmt(id).exprs;
        (start..end).map(ExprId)
    }

    /// All statements.
    pub fn stmt_ids(&self) -> impl Iterator<Item = StmtId> + use<> {
        (0..self.stmts.len() as u32).map(StmtId)
    }
}

impl CythonFile {
    /// Gives every name in it another one.
    pub fn rename(&mut self, to: impl Fn(Name) -> Name) {
        let rename = |name: &mut Name| *name = to(*name);
        for expr in &mut self.exprs {
            match &mut expr.kind {
                ExprKind::Name(name)
                | ExprKind::Attribute { name, .. }
                | ExprKind::Keyword { name, .. }
                | ExprKind::Cast { ty: Type { base: name, .. }, .. } => rename(name),
                _ => {}
            }
        }
        for stmt in &mut self.stmts {
            match &mut stmt.kind {
                StmtKind::Property(name) | StmtKind::Include(name) => rename(name),
                StmtKind::Global(names) => names.iter_mut().for_each(rename),
                StmtKind::Import { module, names, .. } => {
                    rename(module);
                    names.iter_mut().for_each(|(name, bound)| {
                        rename(name);
                        rename(bound);
                    });
                }
                _ => {}
            }
        }
        for function in &mut self.functions {
            rename(&mut function.name);
            for parameter in &mut function.parameters {
                rename(&mut parameter.name);
                parameter.ty.iter_mut().for_each(|ty| rename(&mut ty.base));
            }
        }
        for class in &mut self.classes {
            rename(&mut class.name);
            class.bases.iter_mut().for_each(rename);
        }
        for variable in &mut self.variables {
            rename(&mut variable.name);
            rename(&mut variable.ty.base);
        }
    }
}

/// A compiler directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// Its name.
    pub name: Box<str>,
    /// Its value as written.
    pub value: Box<str>,
    /// Where it is.
    pub span: Span,
}

/// A statement.
#[derive(Clone, Debug)]
pub struct Stmt {
    /// What it is.
    pub kind: StmtKind,
    /// Where it is; of one that opens a block, its header.
    pub span: Span,
    /// The statement whose block it is in.
    pub parent: Option<StmtId>,
    /// The first statement after its block; the next one if it opens none.
    pub end: StmtId,
    /// Its expressions: first and one past the last. Where they are evaluated from left to right, that is their order.
    pub exprs: (u32, u32),
    /// The innermost function that it is in.
    pub function: Option<u32>,
}

/// What a statement is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StmtKind {
    /// A function with a body: its number in the file.
    Function(u32),
    /// A class: its number in the file.
    Class(u32),
    /// `property name:`
    Property(Name),
    /// `if`
    If(ExprId),
    /// `elif`
    Elif(ExprId),
    /// `else`
    Else,
    /// `while`
    While(ExprId),
    /// `for targets in iter`
    For {
        /// What is assigned to.
        targets: ExprList,
        /// What is iterated over; none for `for i from 0 <= i < n`.
        iter: Option<ExprId>,
    },
    /// `try`
    Try,
    /// `except`, with what is caught.
    Except(Option<ExprId>),
    /// `finally`
    Finally,
    /// `with`: its context managers, without what they are bound to.
    With(ExprList),
    /// `cdef` variables, or `name: type = value`: first and one past the last of the file's variables.
    Declare(u32, u32),
    /// `targets = value`, also `+=` and the like.
    Assign {
        /// What is assigned to; the members of an unpacked tuple one by one.
        targets: ExprList,
        /// The value.
        value: ExprId,
        /// Whether the target is read, too.
        augmented: bool,
    },
    /// `global` or `nonlocal`
    Global(Box<[Name]>),
    /// `import`, `from … import`, and the same with `cimport`.
    Import {
        /// The module: `a.b`, `.c`.
        module: Name,
        /// What is imported from it, and the name it gets here; the module itself where this is empty.
        names: Box<[(Name, Name)]>,
        /// Whether it is `cimport`.
        cimport: bool,
    },
    /// `include "file"`
    Include(Name),
    /// `return`
    Return(Option<ExprId>),
    /// `raise`
    Raise,
    /// `del`
    Delete(ExprList),
    /// An expression.
    Expr(ExprId),
    /// A block that only groups what is in it: `cdef:`, `IF …:`
    Block,
    /// `cdef extern from …`, `cdef struct`, `cdef enum`, `cdef cppclass`, `ctypedef …`: declarations of other languages' things.
    Foreign,
    /// Anything else: `pass`, `break`, a decorator, a forward declaration, what did not parse.
    Other,
}

/// An expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it is.
    pub span: Span,
}

/// What an expression is. Parentheses are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExprKind {
    /// A name.
    Name(Name),
    /// `base.name`
    Attribute {
        /// Of what.
        base: ExprId,
        /// Which.
        name: Name,
    },
    /// `callee(args)`, also `new callee(args)`.
    Call {
        /// What is called.
        callee: ExprId,
        /// The arguments, keyword arguments among them.
        args: ExprList,
    },
    /// A keyword argument.
    Keyword {
        /// Its name.
        name: Name,
        /// Its value.
        value: ExprId,
    },
    /// `base[index]`
    Subscript {
        /// Of what.
        base: ExprId,
        /// The indices; slices are [`ExprKind::Other`].
        index: ExprList,
    },
    /// `None`
    None,
    /// `NULL`
    Null,
    /// `True` or `False`
    Bool(bool),
    /// A number; `None` if it is no small integer.
    Number(Option<u32>),
    /// A string; its text is in the file.
    Str,
    /// `not`
    Not(ExprId),
    /// `-`, `+`, `~`, `*`, `**`, `await`
    Unary(ExprId),
    /// `&operand`
    Address(ExprId),
    /// `<type>value`
    Cast {
        /// The type.
        ty: Type,
        /// What is cast.
        value: ExprId,
    },
    /// An arithmetic operation.
    Binary {
        /// Left.
        left: ExprId,
        /// Right.
        right: ExprId,
    },
    /// `and` or `or`
    Logic {
        /// Whether it is `and`.
        and: bool,
        /// Left.
        left: ExprId,
        /// Right.
        right: ExprId,
    },
    /// A comparison; `a < b < c` is `(a < b) < c`.
    Compare {
        /// How.
        op: CompareOp,
        /// Left.
        left: ExprId,
        /// Right.
        right: ExprId,
    },
    /// `then if test else otherwise`
    Conditional {
        /// The condition.
        test: ExprId,
        /// The value if it is true.
        then: ExprId,
        /// The value if it is false.
        otherwise: ExprId,
    },
    /// A list, tuple, set or dict that is written out; keys and values of a dict alternate.
    Display {
        /// Which.
        kind: Display,
        /// Its members.
        items: ExprList,
    },
    /// A comprehension or generator expression: what is iterated over, as [`ExprKind::Each`].
    Comprehension {
        /// What it makes; a tuple stands for a generator.
        kind: Display,
        /// Its `for` clauses.
        clauses: ExprList,
    },
    /// `for targets in iter` of a comprehension.
    Each {
        /// What is assigned to.
        targets: ExprList,
        /// What is iterated over.
        iter: ExprId,
    },
    /// `lambda`: its value.
    Lambda(ExprId),
    /// `yield` or `yield from`
    Yield(Option<ExprId>),
    /// `name := value`
    Walrus {
        /// What is assigned to.
        target: ExprId,
        /// The value.
        value: ExprId,
    },
    /// A type, a slice, `...`
    Other,
}

/// A display or comprehension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Display {
    /// `[…]`
    List,
    /// `(…)`
    Tuple,
    /// `{…}`
    Set,
    /// `{…: …}`
    Dict,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOp {
    /// `==`, `is`
    Equal,
    /// `!=`, `is not`
    NotEqual,
    /// `in`
    In,
    /// `not in`
    NotIn,
    /// `<`, `<=`, `>`, `>=`
    Order,
}

/// A type, as far as rules need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type {
    /// Its name without qualifiers: `unsigned int`, `libpq.PGconn`, `object`.
    pub base: Name,
    /// How many `*` follow.
    pub pointers: u8,
    /// Whether brackets follow: a C array, a memory view, a template's arguments.
    pub brackets: bool,
}

/// How a function is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declarator {
    /// `def`: Python code can call it.
    Def,
    /// `cdef`: only Cython code can.
    Cdef,
    /// `cpdef`: both can.
    Cpdef,
}

/// A function with a body.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name.
    pub name: Name,
    /// Where its name is.
    pub name_span: Span,
    /// How it is declared.
    pub declarator: Declarator,
    /// The class it is directly in.
    pub class: Option<u32>,
    /// The function it is in.
    pub outer: Option<u32>,
    /// Its decorators.
    pub decorators: Vec<ExprId>,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// Whether it is declared `nogil`: it may run without the GIL.
    pub nogil: bool,
    /// Its statement.
    pub stmt: StmtId,
}

/// A parameter.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: Name,
    /// Its type, if it is declared.
    pub ty: Option<Type>,
    /// Whether it is `*args` or `**kwargs`.
    pub star: bool,
    /// Its default.
    pub default: Option<ExprId>,
}

/// A class.
#[derive(Clone, Debug)]
pub struct Class {
    /// Its name.
    pub name: Name,
    /// Whether it is an extension type: `cdef class`.
    pub extension: bool,
    /// Its base classes, as written.
    pub bases: Vec<Name>,
    /// Its decorators.
    pub decorators: Vec<ExprId>,
    /// Its statement.
    pub stmt: StmtId,
}

/// A variable or attribute that is declared.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: Type,
    /// Its initial value.
    pub init: Option<ExprId>,
    /// Where its name is.
    pub span: Span,
}
