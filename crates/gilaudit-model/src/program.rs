//! A Python file as a small tree: what has to be known to say which of its imports run.
//!
//! Expressions stand in one list and refer to each other by index, so that no nesting, however deep, is walked by dropping them.
//! Nothing here decides anything: what a name means and which branch is taken is asked where the whole environment is known.

/// An expression of the same [`Program`], by its place in [`Program::exprs`].
pub type ExprId = u32;

/// A name of the same [`Program`], by its place in [`Program::names`].
pub type Sym = u32;

/// A file.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Every name that occurs, once.
    pub names: Vec<String>,
    /// Every expression.
    pub exprs: Vec<Expr>,
    /// The line of each expression, 1-based.
    pub lines: Vec<u32>,
    /// The module's body.
    pub body: Vec<Stmt>,
    /// Every `def` and `lambda`.
    pub functions: Vec<Function>,
    /// Every `class`.
    pub classes: Vec<Class>,
    /// Whether annotations stay text: `from __future__ import annotations`.
    pub future_annotations: bool,
    /// What the stub beside the file gives out, when the file asks for it: attribute and submodule.
    pub stub: Vec<(String, String)>,
    /// Why not all of the text was read, when it was not: the line and what is wrong there.
    pub incomplete: Option<(u32, String)>,
}

/// A `def` or `lambda`.
#[derive(Clone, Debug, Default)]
pub struct Function {
    /// Its name; `<lambda>`.
    pub name: Sym,
    /// 1-based.
    pub line: u32,
    /// Its parameters in order.
    pub params: Vec<Param>,
    /// Its body; a lambda's is one `return`.
    pub body: Vec<Stmt>,
    /// Names that it binds itself, sorted, without those declared `global` or `nonlocal`.
    pub locals: Vec<Sym>,
    /// Names declared `global`, sorted.
    pub globals: Vec<Sym>,
    /// Whether a call only makes a generator.
    pub is_generator: bool,
    /// Whether a call only makes a coroutine.
    pub is_async: bool,
    /// How many expressions stand in it.
    pub size: u32,
}

/// A parameter.
#[derive(Clone, Debug)]
pub struct Param {
    /// Its name.
    pub name: Sym,
    /// How arguments reach it.
    pub kind: ParamKind,
    /// What it is when nothing is passed.
    pub default: Option<ExprId>,
}

/// How arguments reach a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// By place or by name.
    Plain,
    /// `*args`.
    Star,
    /// By name only.
    Named,
    /// `**kwargs`.
    DoubleStar,
}

/// A `class`.
#[derive(Clone, Debug, Default)]
pub struct Class {
    /// Its name.
    pub name: Sym,
    /// 1-based.
    pub line: u32,
    /// Bases and keywords.
    pub arguments: Vec<Argument>,
    /// Its body.
    pub body: Vec<Stmt>,
}

/// One argument of a call.
#[derive(Clone, Copy, Debug)]
pub struct Argument {
    /// How it is passed.
    pub kind: ArgumentKind,
    /// What is passed.
    pub value: ExprId,
}

/// How an argument is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentKind {
    /// By place.
    Plain,
    /// `*value`.
    Star,
    /// `name=value`.
    Named(Sym),
    /// `**value`.
    DoubleStar,
}

/// One name of an import statement.
#[derive(Clone, Debug)]
pub struct Alias {
    /// What is imported, dotted; `*`.
    pub name: String,
    /// The name that it is bound to.
    pub bound: Sym,
    /// Whether that was said by `as`.
    pub renamed: bool,
}

/// An `except` clause.
#[derive(Clone, Debug)]
pub struct Except {
    /// What it catches; `None` is everything.
    pub types: Option<ExprId>,
    /// The name that the exception is bound to.
    pub name: Option<Sym>,
    /// What it does.
    pub body: Vec<Stmt>,
}

/// A `case` clause.
#[derive(Clone, Debug)]
pub struct Case {
    /// The pattern, read as if it were an expression.
    pub pattern: ExprId,
    /// `if` and what follows.
    pub guard: Option<ExprId>,
    /// Names that it binds.
    pub binds: Vec<Sym>,
    /// What it does.
    pub body: Vec<Stmt>,
}

/// A statement.
#[derive(Clone, Debug)]
pub enum Stmt {
    /// An expression on its own.
    Expr(ExprId),
    /// `a = b = value`.
    Assign(Vec<ExprId>, ExprId),
    /// `target += value`.
    Augment(ExprId, Operator, ExprId),
    /// The annotation of a variable, which runs on 3.13.
    Annotation(ExprId),
    /// `return value`.
    Return(Option<ExprId>),
    /// `raise error`.
    Raise(Option<ExprId>, u32),
    /// `assert test`.
    Assert(ExprId),
    /// `del a, b`.
    Delete(Vec<ExprId>),
    /// `break`.
    Break,
    /// `continue`.
    Continue,
    /// `import a.b as c`.
    Import {
        /// What is imported.
        names: Vec<Alias>,
        /// 1-based.
        line: u32,
        /// `lazy import` of PEP 810.
        lazy: bool,
    },
    /// `from ..a import b as c`.
    From {
        /// The module without dots.
        module: String,
        /// The number of dots.
        level: u32,
        /// What is imported.
        names: Vec<Alias>,
        /// 1-based.
        line: u32,
        /// `lazy from` of PEP 810.
        lazy: bool,
    },
    /// `if`; an `elif` is an `if` in the last block.
    If(ExprId, Vec<Self>, Vec<Self>),
    /// `while`, with its `else`.
    While(ExprId, Vec<Self>, Vec<Self>),
    /// `for target in iterable`, with its `else`.
    For(ExprId, ExprId, Vec<Self>, Vec<Self>),
    /// `with a as b, c as d`.
    With(Vec<(ExprId, Option<ExprId>)>, Vec<Self>),
    /// `try`: body, handlers, `else`, `finally`.
    Try(Vec<Self>, Vec<Except>, Vec<Self>, Vec<Self>),
    /// `match`.
    Match(ExprId, Vec<Case>),
    /// A `def` with its decorators.
    Def(u32, Vec<ExprId>),
    /// A `class` with its decorators.
    Class(u32, Vec<ExprId>),
}

/// An operator that may say something about names or numbers; all others are [`Operator::Other`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `+`.
    Add,
    /// `-`.
    Subtract,
    /// `*`.
    Multiply,
    /// `/`.
    Divide,
    /// `//`.
    FloorDivide,
    /// `%`.
    Modulo,
    /// `|`.
    Or,
    /// `&`.
    And,
    /// Any other.
    Other,
}

/// An operator that compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`.
    Equal,
    /// `!=`.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterEqual,
    /// `in`.
    In,
    /// `not in`.
    NotIn,
    /// `is`.
    Is,
    /// `is not`.
    IsNot,
}

/// What is made by a comprehension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// A list.
    List,
    /// A set.
    Set,
    /// A dict.
    Dict,
    /// A generator, which runs when it is asked.
    Generator,
}

/// One `for` of a comprehension.
#[derive(Clone, Debug)]
pub struct Generator {
    /// What is bound.
    pub target: ExprId,
    /// What is gone through.
    pub iterable: ExprId,
    /// `if` and what follows.
    pub conditions: Vec<ExprId>,
}

/// An expression.
#[derive(Clone, Debug)]
pub enum Expr {
    /// A name.
    Name(Sym),
    /// A text.
    Str(Box<str>),
    /// Bytes, as far as they are ASCII.
    Bytes(Box<str>),
    /// An f-string: texts and what is put between them.
    Format(Vec<ExprId>),
    /// A whole number.
    Int(i64),
    /// Any other number, or `...`.
    Other,
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// `value.name`.
    Attribute(ExprId, Sym),
    /// `function(arguments)`.
    Call(ExprId, Vec<Argument>),
    /// `value[index]`.
    Subscript(ExprId, ExprId),
    /// `a:b:c` in brackets.
    Slice(Option<ExprId>, Option<ExprId>, Option<ExprId>),
    /// `left + right`.
    Binary(Operator, ExprId, ExprId),
    /// `-value`, `~value`.
    Unary(ExprId),
    /// `not value`.
    Not(ExprId),
    /// `a and b`.
    And(Vec<ExprId>),
    /// `a or b`.
    Or(Vec<ExprId>),
    /// `a < b < c`.
    Compare(ExprId, Vec<(Comparison, ExprId)>),
    /// `a if test else b`: test, a, b.
    If(ExprId, ExprId, ExprId),
    /// A lambda.
    Lambda(u32),
    /// `(a, b)`.
    Tuple(Vec<ExprId>),
    /// `[a, b]`.
    List(Vec<ExprId>),
    /// `{a, b}`.
    Set(Vec<ExprId>),
    /// `{a: b, **c}`.
    Dict(Vec<(Option<ExprId>, ExprId)>),
    /// A comprehension: what is made, of which key and value, by which loops.
    Comprehension(Made, Option<ExprId>, ExprId, Vec<Generator>),
    /// `await value`.
    Await(ExprId),
    /// `yield value` and `yield from value`.
    Yield(Option<ExprId>),
    /// `*value`.
    Starred(ExprId),
    /// `name := value`.
    Walrus(Sym, ExprId),
}
