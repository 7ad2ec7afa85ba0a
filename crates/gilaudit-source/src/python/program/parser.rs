//! What statements and expressions are read with: the place in the tokens, names, and what a function binds.

use std::collections::{BTreeSet, HashMap};

use gilaudit_model::program::{Expr, ExprId, Program, Stmt, Sym};

use super::tokens::{Kind, Token};

/// A place that cannot be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unread;

pub(super) type Read<T> = Result<T, Unread>;

/// How deep statements and expressions are read. CPython 3.14.7 `Parser/pegen.h`: MAXSTACK is 4000 rules, of which a bracket takes about 20.
pub(super) const DEEPEST: usize = 200;

/// What the function that is being read binds.
#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) bound: BTreeSet<Sym>,
    pub(super) global: BTreeSet<Sym>,
    pub(super) nonlocal: BTreeSet<Sym>,
    pub(super) yields: bool,
}

pub(super) struct Parser<'t> {
    pub(super) text: &'t [u8],
    tokens: Vec<Token>,
    at: usize,
    symbols: HashMap<&'t [u8], Sym, foldhash::fast::FixedState>,
    pub(super) program: Program,
    /// Functions being read, the innermost last. A class has none of its own: its names are not seen from within.
    pub(super) scopes: Vec<Scope>,
    pub(super) depth: usize,
    /// Annotations of the parameters being read.
    pub(super) annotations: Vec<ExprId>,
    /// The line of expressions in a replacement field of an f-string, which is read on its own.
    line: Option<u32>,
}

impl<'t> Parser<'t> {
    pub(super) fn new(text: &'t [u8], tokens: Vec<Token>) -> Self {
        let mut parser = Self {
            text,
            tokens,
            at: 0,
            symbols: HashMap::default(),
            program: Program::default(),
            scopes: Vec::new(),
            depth: 0,
            annotations: Vec::new(),
            line: None,
        };
        parser.sym(b"<lambda>");
        parser
    }

    pub(super) fn finish(self) -> Program {
        self.program
    }

    /// Reads the statements of the file.
    pub(super) fn file(&mut self) {
        let mut body = Vec::new();
        while self.kind() != Kind::End {
            self.statement_or_skip(&mut body);
        }
        self.program.body = body;
    }

    /// Reads one statement; what cannot be read is skipped with its block, and noted.
    pub(super) fn statement_or_skip(&mut self, body: &mut Vec<Stmt>) {
        let (start, depth) = (self.at, self.depth);
        if self.statement(body).is_ok() && self.at > start {
            return;
        }
        self.depth = depth;
        let line = self.line();
        self.program.incomplete.get_or_insert_with(|| (line, "this is not Python".to_owned()));
        while !matches!(self.kind(), Kind::Newline | Kind::End) {
            self.at += 1;
        }
        self.at += usize::from(self.kind() == Kind::Newline);
        let mut blocks = 0_usize;
        loop {
            match self.kind() {
                Kind::Indent => blocks += 1,
                Kind::Dedent if blocks > 0 => blocks -= 1,
                _ if blocks == 0 => break,
                Kind::End => break,
                _ => {}
            }
            self.at += 1;
            if blocks == 0 {
                break;
            }
        }
        // A token must go, whatever it is.
        if self.at == start && self.kind() != Kind::End {
            self.at += 1;
        }
    }

    pub(super) fn token(&self) -> Token {
        let end = Token { kind: Kind::End, start: 0, end: 0, line: 0 };
        self.tokens.get(self.at).or(self.tokens.last()).copied().unwrap_or(end)
    }

    pub(super) fn kind(&self) -> Kind {
        self.token().kind
    }

    pub(super) fn line(&self) -> u32 {
        self.line.unwrap_or(self.token().line)
    }

    pub(super) fn next(&mut self) -> Token {
        let token = self.token();
        self.at += 1;
        token
    }

    fn text_of(&self, token: Token) -> &'t [u8] {
        let place = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
        self.text.get(place(token.start)..place(token.end)).unwrap_or_default()
    }

    /// The text of the next token; empty for what has none.
    pub(super) fn peek(&self) -> &'t [u8] {
        self.peek_at(0)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> &'t [u8] {
        match self.tokens.get(self.at + ahead) {
            Some(token) if matches!(token.kind, Kind::Name | Kind::Op | Kind::Number | Kind::Text) => {
                self.text_of(*token)
            }
            _ => &[],
        }
    }

    /// Whether the next token is this keyword or operator.
    pub(super) fn is(&self, text: &[u8]) -> bool {
        self.peek() == text
    }

    /// Takes the next token if it is this.
    pub(super) fn take(&mut self, text: &[u8]) -> bool {
        let is = self.is(text);
        self.at += usize::from(is);
        is
    }

    pub(super) fn expect(&mut self, text: &[u8]) -> Read<()> {
        if self.take(text) { Ok(()) } else { Err(Unread) }
    }

    pub(super) fn expect_kind(&mut self, kind: Kind) -> Read<()> {
        let is = self.kind() == kind;
        self.at += usize::from(is);
        if is { Ok(()) } else { Err(Unread) }
    }

    pub(super) fn mark(&self) -> usize {
        self.at
    }

    pub(super) fn back_to(&mut self, mark: usize) {
        self.at = mark;
    }

    /// A name that is no keyword.
    pub(super) fn name(&mut self) -> Read<Sym> {
        let text = self.peek();
        if self.kind() != Kind::Name || is_keyword(text) {
            return Err(Unread);
        }
        self.at += 1;
        Ok(self.sym(text))
    }

    pub(super) fn sym(&mut self, text: &'t [u8]) -> Sym {
        let names = &mut self.program.names;
        *self.symbols.entry(text).or_insert_with(|| {
            names.push(String::from_utf8_lossy(text).into_owned());
            u32::try_from(names.len() - 1).unwrap_or(u32::MAX)
        })
    }

    /// Notes that the innermost function binds a name.
    pub(super) fn bind(&mut self, name: Sym) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.bound.insert(name);
        }
    }

    pub(super) fn push(&mut self, expr: Expr, line: u32) -> ExprId {
        self.program.exprs.push(expr);
        self.program.lines.push(line);
        u32::try_from(self.program.exprs.len() - 1).unwrap_or(u32::MAX)
    }

    pub(super) fn expr(&self, id: ExprId) -> Option<&Expr> {
        self.program.exprs.get(usize::try_from(id).ok()?)
    }

    /// Reads something within a bound on the depth.
    pub(super) fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        if self.depth >= DEEPEST {
            return Err(Unread);
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Reads a piece of the text on its own, as an expression: a replacement field.
    pub(super) fn field(&mut self, text: &'t [u8], line: u32) -> Read<ExprId> {
        let (tokens, refused) = super::tokens::tokens(text);
        if refused.is_some() {
            return Err(Unread);
        }
        let outer = (self.text, std::mem::take(&mut self.tokens), self.at, self.line);
        (self.text, self.tokens, self.at, self.line) = (text, tokens, 0, Some(line));
        let result = self.deeper(Self::expression_list);
        let is_whole = matches!(self.kind(), Kind::Newline | Kind::End);
        (self.text, self.tokens, self.at, self.line) = outer;
        if is_whole { result } else { Err(Unread) }
    }
}

/// CPython 3.14.7 `Lib/keyword.py`.
pub(super) fn is_keyword(word: &[u8]) -> bool {
    matches!(
        word,
        b"False"
            | b"None"
            | b"True"
            | b"and"
            | b"as"
            | b"assert"
            | b"async"
            | b"await"
            | b"break"
            | b"class"
            | b"continue"
            | b"def"
            | b"del"
            | b"elif"
            | b"else"
            | b"except"
            | b"finally"
            | b"for"
            | b"from"
            | b"global"
            | b"if"
            | b"import"
            | b"in"
            | b"is"
            | b"lambda"
            | b"nonlocal"
            | b"not"
            | b"or"
            | b"pass"
            | b"raise"
            | b"return"
            | b"try"
            | b"while"
            | b"with"
            | b"yield"
    )
}
