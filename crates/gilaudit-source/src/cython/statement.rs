//! Statements and blocks.

use gilaudit_model::source::cython::{CythonFile, Declarator, Directive, Stmt, StmtKind};
use gilaudit_model::source::{ExprId, FileId, Name, Names, Span, StmtId};

use super::parser::{Failed, Parsed, Parser};
use super::token::{Lexed, Line, TokenKind};

/// How deep blocks may nest; CPython's own limit is 100 (`Parser/lexer/state.h`: MAXINDENT).
const BLOCKS: usize = 100;

/// A block that is open.
struct Block {
    indent: u32,
    stmt: StmtId,
    /// What declarations in it are, without a `cdef` of their own.
    declares: Option<Declarator>,
    foreign: bool,
}

/// What a file says, and the parts of it that did not parse.
pub(super) fn read(file: FileId, text: &str, lexed: &Lexed, names: &mut Names) -> (CythonFile, Vec<Span>) {
    let parser = Parser { text, tokens: &lexed.tokens, at: 0, end: 0, depth: 0, names, out: CythonFile::new(file) };
    let mut reader = Reader { parser, open: Vec::new(), decorators: Vec::new(), unparsed: Vec::new(), line_indent: 0 };
    reader.parser.out.directives = directives(text, lexed);
    for line in &lexed.lines {
        reader.line(line);
    }
    reader.close_to(0, true);
    (reader.parser.out, reader.unparsed)
}

/// The directives in the comments before the first statement.
fn directives(text: &str, lexed: &Lexed) -> Vec<Directive> {
    let first = lexed.tokens.first().map_or(u32::MAX, |token| token.start);
    let mut out = Vec::new();
    for comment in lexed.comments.iter().filter(|comment| comment.start < first) {
        let body = text.get(comment.start as usize..comment.end as usize).unwrap_or_default().trim_start_matches('#');
        let Some(settings) = body.trim().strip_prefix("cython:") else { continue };
        for setting in settings.split(',') {
            if let Some((name, value)) = setting.split_once('=') {
                out.push(Directive { name: name.trim().into(), value: value.trim().into(), span: *comment });
            }
        }
    }
    out
}

struct Reader<'t> {
    parser: Parser<'t>,
    open: Vec<Block>,
    /// The decorators before the next definition.
    decorators: Vec<ExprId>,
    unparsed: Vec<Span>,
    line_indent: u32,
}

impl Reader<'_> {
    /// Closes the blocks that a line of this indentation is not in.
    fn close_to(&mut self, indent: u32, all: bool) {
        while self.open.last().is_some_and(|block| all || indent <= block.indent) {
            let end = StmtId(self.parser.out.stmts.len() as u32);
            if let Some(block) = self.open.pop()
                && let Some(stmt) = self.parser.out.stmts.get_mut(block.stmt.0 as usize)
            {
                stmt.end = end;
            }
        }
    }

    fn line(&mut self, line: &Line) {
        self.close_to(line.indent, false);
        self.line_indent = line.indent;
        self.parser.at = line.tokens.start;
        self.parser.end = line.tokens.end;
        if self.open.last().is_some_and(|block| block.foreign) {
            return;
        }
        let opened = self.open.len();
        loop {
            let first = self.parser.at;
            let end = self.parser.end;
            // What fails is skipped to the end of its line: where a simple statement ends is not known then.
            let (exprs, lists) = (self.parser.out.exprs.len(), self.parser.out.expr_lists.len());
            let kind = if line.balanced { self.statement() } else { Err(Failed) };
            let Ok(kind) = kind else {
                self.parser.forget(exprs, lists);
                self.unparsed.push(self.parser.span_from(first, end));
                self.parser.at = end;
                let opens = self.parser.opens();
                let id = self.push(StmtKind::Other, first, exprs);
                if opens {
                    self.block(id, None, false);
                }
                return;
            };
            let is_decorator = kind == StmtKind::Other && self.parser.word_at(first) == "@";
            let opens = self.parser.at > first && self.parser.word_at(self.parser.at - 1) == ":" && is_block(&kind);
            let foreign = kind == StmtKind::Foreign;
            let declares = if kind == StmtKind::Block { self.declarator(first) } else { None };
            let id = self.push(kind, first, exprs);
            if !is_decorator {
                self.attach(id);
            }
            if (opens || foreign && self.parser.opens()) && self.open.len() < BLOCKS {
                self.block(id, declares, foreign);
            }
            if foreign || self.parser.at >= self.parser.end {
                break;
            }
            if !self.parser.take(";") && !opens {
                self.unparsed.push(self.parser.span_from(self.parser.at, end));
                break;
            }
            if self.parser.at >= self.parser.end {
                break;
            }
            // After a colon: what follows is the block, and ends with the line.
        }
        if !self.parser.opens() {
            while self.open.len() > opened {
                let end = StmtId(self.parser.out.stmts.len() as u32);
                let Some(block) = self.open.pop() else { break };
                if let Some(stmt) = self.parser.out.stmts.get_mut(block.stmt.0 as usize) {
                    stmt.end = end;
                }
            }
        }
    }

    fn declarator(&self, first: usize) -> Option<Declarator> {
        match self.parser.word_at(first) {
            "cdef" => Some(Declarator::Cdef),
            "cpdef" => Some(Declarator::Cpdef),
            _ => self.open.last().and_then(|block| block.declares),
        }
    }

    fn push(&mut self, kind: StmtKind, first: usize, exprs: usize) -> StmtId {
        let out = &mut self.parser.out;
        let id = StmtId(out.stmts.len() as u32);
        let parent = self.open.last().map(|block| block.stmt);
        let function =
            parent.and_then(|parent| out.stmts.get(parent.0 as usize)).and_then(|parent| match parent.kind {
                StmtKind::Function(function) => Some(function),
                _ => parent.function,
            });
        let exprs = (exprs as u32, out.exprs.len() as u32);
        let span = self.parser.span_from(first, self.parser.at);
        let end = StmtId(id.0 + 1);
        self.parser.out.stmts.push(Stmt { kind, span, parent, end, exprs, function });
        id
    }

    fn block(&mut self, stmt: StmtId, declares: Option<Declarator>, foreign: bool) {
        self.open.push(Block { indent: self.line_indent, stmt, declares, foreign });
    }

    /// Tells a definition where it is and what decorates it.
    fn attach(&mut self, id: StmtId) {
        let decorators = std::mem::take(&mut self.decorators);
        let out = &mut self.parser.out;
        match out.stmts.get(id.0 as usize).map(|stmt| &stmt.kind) {
            Some(StmtKind::Function(index)) => {
                if let Some(function) = out.functions.get_mut(*index as usize) {
                    function.stmt = id;
                    function.decorators = decorators;
                }
            }
            Some(StmtKind::Class(index)) => {
                if let Some(class) = out.classes.get_mut(*index as usize) {
                    class.stmt = id;
                    class.decorators = decorators;
                }
            }
            _ => {}
        }
    }

    /// The class whose block is open directly or through a property, and the function whose block is.
    fn context(&self) -> (Option<u32>, Option<u32>) {
        for block in self.open.iter().rev() {
            match self.parser.out.stmts.get(block.stmt.0 as usize).map(|stmt| &stmt.kind) {
                Some(StmtKind::Function(function)) => return (None, Some(*function)),
                Some(StmtKind::Class(class)) => return (Some(*class), None),
                _ => {}
            }
        }
        (None, None)
    }

    /// One statement; of one that opens a block, its header with the colon.
    fn statement(&mut self) -> Parsed<StmtKind> {
        let first = self.parser.at;
        if self.parser.kind_at(first) == Some(TokenKind::Word) {
            let word = self.parser.peek();
            if let Some(result) = self.compound(word) {
                return result;
            }
            if let Some(result) = self.simple(word) {
                return result;
            }
        } else if self.parser.take("@") {
            let decorator = self.parser.test()?;
            self.decorators.push(decorator);
            return Ok(StmtKind::Other);
        }
        if let Some(declarator) = self.open.last().and_then(|block| block.declares) {
            let (class, outer) = self.context();
            return self.parser.declared(declarator, class, outer);
        }
        self.parser.expression_statement()
    }

    fn compound(&mut self, word: &str) -> Option<Parsed<StmtKind>> {
        let (class, outer) = self.context();
        let parser = &mut self.parser;
        let next = parser.word_at(parser.at + 1);
        match word {
            "cdef" | "cpdef" => {
                parser.at += 1;
                if parser.take(":")
                    || matches!(next, "public" | "readonly" | "api" | "inline" | "extern")
                        && parser.word_at(parser.at + 1) == ":"
                {
                    parser.at = parser.end;
                    return Some(Ok(StmtKind::Block));
                }
                let declarator = if word == "cdef" { Declarator::Cdef } else { Declarator::Cpdef };
                let result = parser.declared(declarator, class, outer);
                if matches!(result, Ok(StmtKind::Foreign)) {
                    parser.at = parser.end;
                }
                Some(result)
            }
            "ctypedef" => {
                parser.at = parser.end;
                Some(Ok(StmtKind::Foreign))
            }
            "async" => {
                parser.at += 1;
                let word = parser.peek();
                self.compound(word)
            }
            "def" => Some(parser.function(Declarator::Def, class, outer)),
            "class" => Some(parser.class(false)),
            "property" if parser.is_name(parser.at + 1) => {
                parser.at += 1;
                Some(parser.name().and_then(|(name, _)| parser.expect(":").map(|()| StmtKind::Property(name))))
            }
            "IF" | "ELIF" | "ELSE" if parser.opens() => {
                parser.at = parser.end;
                Some(Ok(StmtKind::Block))
            }
            "if" | "elif" | "while" => {
                parser.at += 1;
                Some(parser.test_list().and_then(|test| {
                    parser.expect(":")?;
                    Ok(match word {
                        "if" => StmtKind::If(test),
                        "elif" => StmtKind::Elif(test),
                        _ => StmtKind::While(test),
                    })
                }))
            }
            "else" | "try" | "finally" => {
                parser.at += 1;
                Some(parser.expect(":").map(|()| match word {
                    "else" => StmtKind::Else,
                    "try" => StmtKind::Try,
                    _ => StmtKind::Finally,
                }))
            }
            "except" => Some(parser.except()),
            "for" => Some(parser.for_loop()),
            "with" => Some(parser.with()),
            _ => None,
        }
    }

    fn simple(&mut self, word: &str) -> Option<Parsed<StmtKind>> {
        let parser = &mut self.parser;
        match word {
            "import" | "cimport" => Some(parser.import(word == "cimport")),
            "from" => Some(parser.import_from()),
            "include" if parser.kind_at(parser.at + 1) == Some(TokenKind::Str) => {
                parser.at += 1;
                let path = parser.peek().trim_start_matches(['u', 'b', 'c']).trim_matches(['"', '\'']);
                let path = parser.names.intern(path);
                parser.at += 1;
                Some(Ok(StmtKind::Include(path)))
            }
            "DEF" if parser.is_name(parser.at + 1) => {
                parser.at = parser.end;
                Some(Ok(StmtKind::Other))
            }
            "pass" | "break" | "continue" => {
                parser.at += 1;
                Some(Ok(StmtKind::Other))
            }
            "global" | "nonlocal" => {
                parser.at += 1;
                let mut names: Vec<Name> = Vec::new();
                while let Ok((name, _)) = parser.name() {
                    names.push(name);
                    if !parser.take(",") {
                        break;
                    }
                }
                Some(Ok(StmtKind::Global(names.into())))
            }
            "return" => {
                parser.at += 1;
                let empty = parser.is_done() || parser.peek() == ";";
                Some(if empty {
                    Ok(StmtKind::Return(None))
                } else {
                    parser.test_list().map(|value| StmtKind::Return(Some(value)))
                })
            }
            "raise" | "assert" => {
                parser.at += 1;
                while !parser.is_done() && parser.peek() != ";" {
                    if let Err(failed) = parser.test_list() {
                        return Some(Err(failed));
                    }
                    if !parser.take("from") {
                        break;
                    }
                }
                Some(Ok(if word == "raise" { StmtKind::Raise } else { StmtKind::Other }))
            }
            "del" => {
                parser.at += 1;
                Some(parser.test_list().map(|list| {
                    let mut targets = Vec::new();
                    parser.flatten(list, &mut targets);
                    StmtKind::Delete(parser.list(&targets))
                }))
            }
            "print" | "exec" if !matches!(parser.word_at(parser.at + 1), "(" | "=" | "." | ",") => {
                // Statements of Python 2.
                parser.at = parser.end;
                Some(Ok(StmtKind::Other))
            }
            _ => None,
        }
    }
}

/// Whether a statement can open a block.
fn is_block(kind: &StmtKind) -> bool {
    matches!(
        kind,
        StmtKind::Function(_)
            | StmtKind::Class(_)
            | StmtKind::Property(_)
            | StmtKind::If(_)
            | StmtKind::Elif(_)
            | StmtKind::Else
            | StmtKind::While(_)
            | StmtKind::For { .. }
            | StmtKind::Try
            | StmtKind::Except(_)
            | StmtKind::Finally
            | StmtKind::With(_)
            | StmtKind::Block
    )
}

impl Parser<'_> {
    fn expression_statement(&mut self) -> Parsed<StmtKind> {
        let first = self.at;
        let value = self.test_list()?;
        if self.is_augmented() {
            self.at += 1;
            let targets = self.list(&[value]);
            let value = self.test_list()?;
            return Ok(StmtKind::Assign { targets, value, augmented: true });
        }
        if self.peek() == ":" && self.at == first + 1 && self.is_name(first) {
            self.at += 1;
            return self.annotated(first);
        }
        if self.take(":") {
            // An annotated attribute.
            self.at = self.find(self.at, &["="]).unwrap_or(self.end);
        }
        if self.peek() != "=" {
            return Ok(StmtKind::Expr(value));
        }
        let mut targets = Vec::new();
        let mut last = value;
        while self.take("=") {
            self.flatten(last, &mut targets);
            last = self.test_list()?;
        }
        let targets = self.list(&targets);
        Ok(StmtKind::Assign { targets, value: last, augmented: false })
    }

    fn except(&mut self) -> Parsed<StmtKind> {
        self.at += 1;
        self.take("*");
        let caught = if self.peek() == ":" { None } else { Some(self.test_list()?) };
        if self.take("as") {
            self.name()?;
        }
        self.expect(":")?;
        Ok(StmtKind::Except(caught))
    }

    fn for_loop(&mut self) -> Parsed<StmtKind> {
        self.at += 1;
        if let Some(from) = self.find(self.at, &["from"]).filter(|_| self.find(self.at, &["in"]).is_none()) {
            // `for i from 0 <= i < n by 2:`
            let target = self.arithmetic()?;
            self.at = from + 1;
            self.test()?;
            if self.take("by") {
                self.test()?;
            }
            self.expect(":")?;
            let targets = self.list(&[target]);
            return Ok(StmtKind::For { targets, iter: None });
        }
        let targets = self.targets("in")?;
        let iter = self.test_list()?;
        self.expect(":")?;
        Ok(StmtKind::For { targets, iter: Some(iter) })
    }

    fn with(&mut self) -> Parsed<StmtKind> {
        self.at += 1;
        // `with (a as b, c):`
        let bracketed = self.peek() == "("
            && self.word_at(self.past_bracket(self.at)) == ":"
            && self.find(self.at + 1, &["as", ","]).is_some();
        if bracketed {
            self.at += 1;
        }
        let mut items = Vec::new();
        loop {
            items.push(self.test()?);
            if self.take("as") {
                self.arithmetic()?;
            }
            if !self.take(",") || self.peek() == ")" {
                break;
            }
        }
        if bracketed {
            self.expect(")")?;
        }
        self.expect(":")?;
        Ok(StmtKind::With(self.list(&items)))
    }

    fn import(&mut self, cimport: bool) -> Parsed<StmtKind> {
        self.at += 1;
        let module = self.dotted()?;
        let mut names = Vec::new();
        if self.take("as") {
            names.push((module, self.name()?.0));
        }
        // `import a, b`: the others bind their own names, which no rule asks for.
        if self.peek() == "," {
            self.at = self.find(self.at, &[";"]).unwrap_or(self.end);
        }
        Ok(StmtKind::Import { module, names: names.into(), cimport })
    }

    fn import_from(&mut self) -> Parsed<StmtKind> {
        self.at += 1;
        let module = self.dotted()?;
        let cimport = self.peek() == "cimport";
        if !self.take("cimport") {
            self.expect("import")?;
        }
        let bracketed = self.take("(");
        let mut names = Vec::new();
        while !self.take("*") && self.kind_at(self.at) == Some(TokenKind::Word) {
            let mut name = self.name()?.0;
            // `cimport struct x`, `cimport class y`
            if self.kind_at(self.at) == Some(TokenKind::Word) && self.peek() != "as" {
                name = self.name()?.0;
            }
            let alias = if self.take("as") { self.name()?.0 } else { name };
            names.push((name, alias));
            if !self.take(",") {
                break;
            }
        }
        if bracketed {
            self.expect(")")?;
        }
        Ok(StmtKind::Import { module, names: names.into(), cimport })
    }
}
