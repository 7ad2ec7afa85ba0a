//! Statements.

use gilaudit_model::program::{Alias, Case, Class, Except, Expr, ExprId, Function, Operator, Stmt, Sym};

use super::expressions::begins_expression;
use super::parser::{Parser, Read, Scope, Unread};
use super::tokens::Kind;

impl<'t> Parser<'t> {
    pub(super) fn statement(&mut self, body: &mut Vec<Stmt>) -> Read<()> {
        self.deeper(|it| it.compound(body))
    }

    fn compound(&mut self, body: &mut Vec<Stmt>) -> Read<()> {
        if self.kind() == Kind::Op && self.is(b"@") {
            return self.decorated(body);
        }
        if self.kind() != Kind::Name {
            return self.simple_line(body);
        }
        match self.peek() {
            b"if" => {
                self.next();
                let statement = self.condition()?;
                body.push(statement);
            }
            b"while" => {
                self.next();
                let test = self.named()?;
                let block = self.block()?;
                let otherwise = self.otherwise()?;
                body.push(Stmt::While(test, block, otherwise));
            }
            b"for" => self.loop_over(body)?,
            b"try" => self.attempt(body)?,
            b"with" => self.with(body)?,
            b"def" => self.function(Vec::new(), false, body)?,
            b"class" => self.class(Vec::new(), body)?,
            b"async" => {
                self.next();
                match self.peek() {
                    b"def" => self.function(Vec::new(), true, body)?,
                    b"for" => self.loop_over(body)?,
                    b"with" => self.with(body)?,
                    _ => return Err(Unread),
                }
            }
            b"match" if self.is_match() => self.matched(body)?,
            _ => self.simple_line(body)?,
        }
        Ok(())
    }

    /// Whether `match` begins a statement here: the line ends with a colon, and what follows is not what follows a name.
    fn is_match(&mut self) -> bool {
        let next = self.peek_at(1);
        if matches!(next, b"=" | b"." | b"," | b")" | b":" | b"" | b";" | b"in" | b"is" | b"and" | b"or" | b"if") {
            return false;
        }
        let mark = self.mark();
        let depth = self.depth;
        let (exprs, functions) = (self.program.exprs.len(), self.program.functions.len());
        self.next();
        let is = self.expression_list().is_ok() && self.take(b":") && self.kind() == Kind::Newline;
        self.back_to(mark);
        self.depth = depth;
        self.program.exprs.truncate(exprs);
        self.program.lines.truncate(exprs);
        self.program.functions.truncate(functions);
        is
    }

    fn simple_line(&mut self, body: &mut Vec<Stmt>) -> Read<()> {
        loop {
            self.simple(body)?;
            let more = self.take(b";");
            if self.kind() == Kind::Newline {
                self.next();
                return Ok(());
            }
            if !more {
                return Err(Unread);
            }
        }
    }

    /// The block after a colon, on the same line or below.
    fn block(&mut self) -> Read<Vec<Stmt>> {
        self.expect(b":")?;
        let mut body = Vec::new();
        if self.kind() != Kind::Newline {
            self.simple_line(&mut body)?;
            return Ok(body);
        }
        self.next();
        self.expect_kind(Kind::Indent)?;
        while !matches!(self.kind(), Kind::Dedent | Kind::End) {
            self.statement_or_skip(&mut body);
        }
        self.expect_kind(Kind::Dedent)?;
        Ok(body)
    }

    fn otherwise(&mut self) -> Read<Vec<Stmt>> {
        if self.take(b"else") { self.block() } else { Ok(Vec::new()) }
    }

    fn condition(&mut self) -> Read<Stmt> {
        let test = self.named()?;
        let block = self.block()?;
        let otherwise = if self.take(b"elif") {
            // A long chain of them is not deep for CPython's compiler, but is for whoever follows it.
            vec![self.deeper(Self::condition)?]
        } else {
            self.otherwise()?
        };
        Ok(Stmt::If(test, block, otherwise))
    }

    fn loop_over(&mut self, body: &mut Vec<Stmt>) -> Read<()> {
        self.expect(b"for")?;
        let target = self.targets()?;
        self.expect(b"in")?;
        let iterable = self.expression_list()?;
        let block = self.block()?;
        let otherwise = self.otherwise()?;
        body.push(Stmt::For(target, iterable, block, otherwise));
        Ok(())
    }

    fn attempt(&mut self, body: &mut Vec<Stmt>) -> Read<()> {
        self.next();
        let block = self.block()?;
        let mut handlers = Vec::new();
        while self.take(b"except") {
            self.take(b"*");
            let types = if self.is(b":") { None } else { Some(self.expression_list()?) };
            let name = if self.take(b"as") { Some(self.name()?) } else { None };
            if let Some(name) = name {
                self.bind(name);
            }
            handlers.push(Except { types, name, body: self.block()? });
        }
        let otherwise = self.otherwise()?;
        let last = if self.take(b"finally") { self.block()? } else { Vec::new() };
        body.push(Stmt::Try(block, handlers, otherwise, last));
        Ok(())
    }

    fn with(&mut self, body: &mut Vec<Stmt>) -> Read<()> {
        self.next();
        let mark = self.mark();
        // `with (a as b, c):` has brackets of its own; `with (a): …` and `with (a).b:` have not.
        let items = match self.is(b"(") {
            true => {
                let depth = self.depth;
                self.next();
                let items = self.with_items(b")").and_then(|items| {
                    self.expect(b")")?;
                    if self.is(b":") { Ok(items) } else { Err(Unread) }
                });
                match items {
                    Ok(items) => items,
                    Err(_) => {
                        self.back_to(mark);
                        self.depth = depth;
                        self.with_items(b":")?
                    }
                }
            }
            false => self.with_items(b":")?,
        };
        let block = self.block()?;
        body.push(Stmt::With(items, block));
        Ok(())
    }

    fn with_items(&mut self, end: &[u8]) -> Read<Vec<(ExprId, Option<ExprId>)>> {
        let mut items = Vec::new();
        while !self.is(end) {
            let value = self.named()?;
            let target = if self.take(b"as") { Some(self.binary_from(1)?) } else { None };
            if let Some(target) = target {
                self.bind_target(target, 0);
            }
            items.push((value, target));
            if !self.take(b",") {
                break;
            }
        }
        if items.is_empty() { Err(Unread) } else { Ok(items) }
    }

    fn decorated(&mut self, body: &mut Vec<Stmt>) -> Read<()> {
        let mut decorators = Vec::new();
        while self.take(b"@") {
            decorators.push(self.named()?);
            self.expect_kind(Kind::Newline)?;
        }
        let is_async = self.take(b"async");
        match self.peek() {
            b"def" => self.function(decorators, is_async, body),
            b"class" if !is_async => self.class(decorators, body),
            _ => Err(Unread),
        }
    }

    fn function(&mut self, decorators: Vec<ExprId>, is_async: bool, body: &mut Vec<Stmt>) -> Read<()> {
        self.expect(b"def")?;
        let line = self.line();
        let name = self.name()?;
        self.bind(name);
        self.type_parameters()?;
        self.expect(b"(")?;
        let annotations = std::mem::take(&mut self.annotations);
        let params = self.deeper(|it| it.parameters(b")", true))?;
        self.expect(b")")?;
        if self.take(b"->") {
            let result = self.expression_list()?;
            self.annotations.push(result);
        }
        let own = std::mem::replace(&mut self.annotations, annotations);
        body.extend(own.into_iter().map(Stmt::Annotation));
        let scope = Scope { bound: params.iter().map(|param| param.name).collect(), ..Scope::default() };
        self.scopes.push(scope);
        let first = self.program.exprs.len();
        let block = self.block();
        let size = u32::try_from(self.program.exprs.len() - first).unwrap_or(u32::MAX);
        let scope = self.scopes.pop().unwrap_or_default();
        let outside = |name: &Sym| scope.global.contains(name) || scope.nonlocal.contains(name);
        let locals = scope.bound.iter().copied().filter(|name| !outside(name)).collect();
        let globals = scope.global.iter().copied().collect();
        let (is_generator, body_of) = (scope.yields, block?);
        self.program.functions.push(Function {
            name,
            line,
            params,
            body: body_of,
            locals,
            globals,
            is_generator,
            is_async,
            size,
        });
        let index = u32::try_from(self.program.functions.len() - 1).unwrap_or(u32::MAX);
        body.push(Stmt::Def(index, decorators));
        Ok(())
    }

    fn class(&mut self, decorators: Vec<ExprId>, body: &mut Vec<Stmt>) -> Read<()> {
        self.expect(b"class")?;
        let line = self.line();
        let name = self.name()?;
        self.bind(name);
        self.type_parameters()?;
        let arguments = if self.take(b"(") { self.deeper(Self::arguments)? } else { Vec::new() };
        // What a class binds is not what the function around it binds.
        self.scopes.push(Scope::default());
        let block = self.block();
        let scope = self.scopes.pop().unwrap_or_default();
        if let Some(outer) = self.scopes.last_mut() {
            outer.yields |= scope.yields;
        }
        self.program.classes.push(Class { name, line, arguments, body: block? });
        let index = u32::try_from(self.program.classes.len() - 1).unwrap_or(u32::MAX);
        body.push(Stmt::Class(index, decorators));
        Ok(())
    }

    /// `[T: bound = default]` after the name of a function, class or type: nothing of it runs before it is asked for.
    fn type_parameters(&mut self) -> Read<()> {
        if !self.take(b"[") {
            return Ok(());
        }
        let mut open = 1_usize;
        while open > 0 {
            match (self.kind(), self.peek()) {
                (Kind::Op, b"[") => open += 1,
                (Kind::Op, b"]") => open -= 1,
                (Kind::Newline | Kind::End, _) => return Err(Unread),
                _ => {}
            }
            self.next();
        }
        Ok(())
    }

    fn matched(&mut self, body: &mut Vec<Stmt>) -> Read<()> {
        self.next();
        let subject = self.expression_list()?;
        self.expect(b":")?;
        self.expect_kind(Kind::Newline)?;
        self.expect_kind(Kind::Indent)?;
        let mut cases = Vec::new();
        while self.take(b"case") {
            let mut binds = Vec::new();
            let pattern = self.patterns(&mut binds)?;
            let guard = if self.take(b"if") { Some(self.named()?) } else { None };
            for name in &binds {
                self.bind(*name);
            }
            cases.push(Case { pattern, guard, binds, body: self.block()? });
        }
        self.expect_kind(Kind::Dedent)?;
        body.push(Stmt::Match(subject, cases));
        Ok(())
    }

    /// Patterns, read as an expression as far as they look like one; names in them may be bound.
    fn patterns(&mut self, binds: &mut Vec<Sym>) -> Read<ExprId> {
        let line = self.line();
        let mark = self.mark();
        // Names that are neither called nor looked into.
        let mut open = 0_usize;
        let (mut ahead, mut simple) = (0_usize, true);
        loop {
            let word = self.peek_at(ahead);
            match word {
                b"(" | b"[" | b"{" => open += 1,
                b")" | b"]" | b"}" => open = open.saturating_sub(1),
                b":" if open == 0 => break,
                b"if" if open == 0 => break,
                b"" => return Err(Unread),
                b"as" => simple = false,
                _ => {
                    let first = word.first().copied().unwrap_or(0);
                    let is_name = (first == b'_' || first.is_ascii_alphabetic() || first >= 0x80)
                        && !word.ends_with(b"\"")
                        && !word.ends_with(b"'");
                    let before = ahead.checked_sub(1).map_or(&b""[..], |before| self.peek_at(before));
                    if is_name
                        && before != b"."
                        && !matches!(self.peek_at(ahead + 1), b"(" | b"." | b"=")
                        && begins_expression(word)
                    {
                        let name = self.sym(word);
                        binds.push(name);
                    }
                    simple &= word != b"**" && word != b"*";
                }
            }
            ahead += 1;
        }
        if simple
            && let Ok(pattern) = self.expression_list()
            && matches!(self.peek(), b":" | b"if")
        {
            return Ok(pattern);
        }
        self.back_to(mark + ahead);
        Ok(self.push(Expr::Other, line))
    }

    fn simple(&mut self, body: &mut Vec<Stmt>) -> Read<()> {
        if self.kind() != Kind::Name {
            return self.expression_statement(body);
        }
        let line = self.line();
        match self.peek() {
            b"pass" => {
                self.next();
            }
            b"break" => {
                self.next();
                body.push(Stmt::Break);
            }
            b"continue" => {
                self.next();
                body.push(Stmt::Continue);
            }
            b"return" => {
                self.next();
                let value = if self.ends() { None } else { Some(self.expression_list()?) };
                body.push(Stmt::Return(value));
            }
            b"raise" => {
                self.next();
                let value = if self.ends() { None } else { Some(self.expression()?) };
                if self.take(b"from") {
                    self.expression()?;
                }
                body.push(Stmt::Raise(value, line));
            }
            b"assert" => {
                self.next();
                let test = self.expression()?;
                if self.take(b",") {
                    self.expression()?;
                }
                body.push(Stmt::Assert(test));
            }
            b"del" => {
                self.next();
                let target = self.expression_list()?;
                self.bind_target(target, 0);
                body.push(Stmt::Delete(vec![target]));
            }
            b"global" | b"nonlocal" => {
                let global = self.is(b"global");
                self.next();
                loop {
                    let name = self.name()?;
                    if let Some(scope) = self.scopes.last_mut() {
                        if global {
                            scope.global.insert(name)
                        } else {
                            scope.nonlocal.insert(name)
                        };
                    }
                    if !self.take(b",") {
                        break;
                    }
                }
            }
            b"import" => self.import(false, body)?,
            b"from" => self.import_from(false, body)?,
            b"lazy" if matches!(self.peek_at(1), b"import" | b"from") => {
                self.next();
                if self.is(b"import") { self.import(true, body)? } else { self.import_from(true, body)? }
            }
            b"type" if self.is_type_alias() => {
                self.next();
                let name = self.name()?;
                self.bind(name);
                self.type_parameters()?;
                self.expect(b"=")?;
                self.expression()?;
            }
            word if begins_expression(word) => self.expression_statement(body)?,
            _ => return Err(Unread),
        }
        Ok(())
    }

    fn ends(&self) -> bool {
        self.kind() == Kind::Newline || self.is(b";")
    }

    fn is_type_alias(&self) -> bool {
        let is_name =
            self.peek_at(1).first().is_some_and(|byte| *byte == b'_' || byte.is_ascii_alphabetic() || *byte >= 0x80);
        is_name && matches!(self.peek_at(2), b"=" | b"[") && begins_expression(self.peek_at(1))
    }

    fn expression_statement(&mut self, body: &mut Vec<Stmt>) -> Read<()> {
        let first = self.expression_list()?;
        if self.take(b":") {
            let annotation = self.expression_list()?;
            body.push(Stmt::Annotation(annotation));
            self.bind_target(first, 0);
            if self.take(b"=") {
                let value = self.expression_list()?;
                body.push(Stmt::Assign(vec![first], value));
            }
            return Ok(());
        }
        let operator = match self.peek() {
            b"+=" => Some(Operator::Add),
            b"-=" => Some(Operator::Subtract),
            b"%=" => Some(Operator::Modulo),
            b"|=" => Some(Operator::Or),
            b"*=" | b"/=" | b"//=" | b"@=" | b"&=" | b"^=" | b"<<=" | b">>=" | b"**=" => Some(Operator::Other),
            _ => None,
        };
        if let Some(operator) = operator.filter(|_| self.kind() == Kind::Op) {
            self.next();
            let value = self.expression_list()?;
            self.bind_target(first, 0);
            body.push(Stmt::Augment(first, operator, value));
            return Ok(());
        }
        let mut targets = Vec::new();
        let mut value = first;
        while self.kind() == Kind::Op && self.take(b"=") {
            self.bind_target(value, 0);
            targets.push(value);
            value = self.expression_list()?;
        }
        if !targets.is_empty() {
            body.push(Stmt::Assign(targets, value));
        } else if !matches!(self.expr(value), Some(Expr::Str(_) | Expr::Other | Expr::Int(_) | Expr::None)) {
            body.push(Stmt::Expr(value));
        }
        Ok(())
    }

    fn dotted(&mut self) -> Read<String> {
        let mut name = String::new();
        loop {
            let part = self.peek();
            self.name()?;
            name.push_str(&String::from_utf8_lossy(part));
            if !self.take(b".") {
                return Ok(name);
            }
            name.push('.');
        }
    }

    fn import(&mut self, lazy: bool, body: &mut Vec<Stmt>) -> Read<()> {
        let line = self.line();
        self.next();
        let mut names = Vec::new();
        loop {
            let first = self.peek();
            let name = self.dotted()?;
            let renamed = self.take(b"as");
            let bound = if renamed { self.name()? } else { self.sym(first) };
            self.bind(bound);
            names.push(Alias { name, bound, renamed });
            if !self.take(b",") {
                break;
            }
        }
        body.push(Stmt::Import { names, line, lazy });
        Ok(())
    }

    fn import_from(&mut self, lazy: bool, body: &mut Vec<Stmt>) -> Read<()> {
        let line = self.line();
        self.next();
        let mut level = 0_u32;
        loop {
            if self.take(b".") {
                level += 1;
            } else if self.take(b"...") {
                level += 3;
            } else {
                break;
            }
        }
        let module = if self.is(b"import") && level > 0 { String::new() } else { self.dotted()? };
        self.expect(b"import")?;
        let mut names = Vec::new();
        if self.take(b"*") {
            let bound = self.sym(b"*");
            names.push(Alias { name: "*".to_owned(), bound, renamed: false });
        } else {
            let bracket = self.take(b"(");
            while !(bracket && self.is(b")")) {
                let first = self.peek();
                let own = self.name()?;
                let renamed = self.take(b"as");
                let bound = if renamed { self.name()? } else { own };
                self.bind(bound);
                names.push(Alias { name: String::from_utf8_lossy(first).into_owned(), bound, renamed });
                if !self.take(b",") {
                    break;
                }
            }
            if bracket {
                self.expect(b")")?;
            }
            if names.is_empty() {
                return Err(Unread);
            }
        }
        self.program.future_annotations |=
            module == "__future__" && names.iter().any(|alias| alias.name == "annotations");
        body.push(Stmt::From { module, level, names, line, lazy });
        Ok(())
    }
}
