//! Expressions, by their precedence.

use gilaudit_model::program::{
    Argument, ArgumentKind, Comparison, Expr, ExprId, Function, Generator, Made, Operator, Param, ParamKind, Stmt,
};

use super::parser::{Parser, Read, Scope, Unread, is_keyword};
use super::tokens::Kind;

/// How strongly the binary operators bind.
fn binary(text: &[u8]) -> Option<(u8, Operator)> {
    Some(match text {
        b"|" => (1, Operator::Or),
        b"^" => (2, Operator::Other),
        b"&" => (3, Operator::And),
        b"<<" | b">>" => (4, Operator::Other),
        b"+" => (5, Operator::Add),
        b"-" => (5, Operator::Subtract),
        b"*" => (6, Operator::Multiply),
        b"/" => (6, Operator::Divide),
        b"//" => (6, Operator::FloorDivide),
        b"%" => (6, Operator::Modulo),
        b"@" => (6, Operator::Other),
        _ => return None,
    })
}

impl Parser<'_> {
    /// `a, *b, c`: what stands on its own, on the right of an assignment, in a subscript.
    pub(super) fn expression_list(&mut self) -> Read<ExprId> {
        let line = self.line();
        let first = self.starred()?;
        if !self.is(b",") {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.take(b",") {
            if self.ends_list() {
                break;
            }
            items.push(self.starred()?);
        }
        Ok(self.push(Expr::Tuple(items), line))
    }

    /// Whether nothing more follows in a list without brackets.
    fn ends_list(&self) -> bool {
        !matches!(self.kind(), Kind::Name | Kind::Number | Kind::Text | Kind::Op)
            || matches!(self.peek(), b")" | b"]" | b"}" | b"=" | b":" | b";" | b"in")
            || self.kind() == Kind::Op && self.peek().len() == 2 && self.peek().ends_with(b"=")
    }

    pub(super) fn starred(&mut self) -> Read<ExprId> {
        let line = self.line();
        if self.take(b"*") {
            let value = self.deeper(|it| it.binary_from(1))?;
            return Ok(self.push(Expr::Starred(value), line));
        }
        self.named()
    }

    /// `name := value`, or an expression.
    pub(super) fn named(&mut self) -> Read<ExprId> {
        if self.peek_at(1) == b":=" && self.kind() == Kind::Name {
            let line = self.line();
            let name = self.name()?;
            self.expect(b":=")?;
            let value = self.expression()?;
            self.bind(name);
            return Ok(self.push(Expr::Walrus(name, value), line));
        }
        self.expression()
    }

    pub(super) fn expression(&mut self) -> Read<ExprId> {
        self.deeper(|it| {
            if it.is(b"lambda") && it.kind() == Kind::Name {
                return it.lambda();
            }
            if it.is(b"yield") && it.kind() == Kind::Name {
                return it.yielded();
            }
            let line = it.line();
            let value = it.disjunction()?;
            if !it.take(b"if") {
                return Ok(value);
            }
            let test = it.disjunction()?;
            it.expect(b"else")?;
            let other = it.expression()?;
            Ok(it.push(Expr::If(test, value, other), line))
        })
    }

    fn yielded(&mut self) -> Read<ExprId> {
        let line = self.line();
        self.next();
        if let Some(scope) = self.scopes.last_mut() {
            scope.yields = true;
        }
        let value = if self.take(b"from") {
            Some(self.expression()?)
        } else if self.ends_list() {
            None
        } else {
            Some(self.expression_list()?)
        };
        Ok(self.push(Expr::Yield(value), line))
    }

    fn lambda(&mut self) -> Read<ExprId> {
        let line = self.line();
        self.next();
        let params = self.parameters(b":", false)?;
        self.expect(b":")?;
        let scope = Scope { bound: params.iter().map(|param| param.name).collect(), ..Scope::default() };
        self.scopes.push(scope);
        let value = self.expression();
        let scope = self.scopes.pop().unwrap_or_default();
        let body = vec![Stmt::Return(Some(value?))];
        let locals = scope.bound.into_iter().collect();
        let function = Function { line, params, body, locals, is_generator: scope.yields, ..Function::default() };
        self.program.functions.push(function);
        let index = u32::try_from(self.program.functions.len() - 1).unwrap_or(u32::MAX);
        Ok(self.push(Expr::Lambda(index), line))
    }

    /// Parameters up to the token that ends them, which is left.
    pub(super) fn parameters(&mut self, end: &[u8], annotated: bool) -> Read<Vec<Param>> {
        let mut params = Vec::new();
        let mut named_only = false;
        while !self.is(end) {
            if self.take(b"/") {
            } else if self.take(b"**") {
                let name = self.name()?;
                self.annotation(annotated)?;
                params.push(Param { name, kind: ParamKind::DoubleStar, default: None });
            } else if self.take(b"*") {
                named_only = true;
                if !self.is(b",") {
                    let name = self.name()?;
                    self.annotation(annotated)?;
                    params.push(Param { name, kind: ParamKind::Star, default: None });
                }
            } else {
                let name = self.name()?;
                self.annotation(annotated)?;
                let default = if self.take(b"=") { Some(self.expression()?) } else { None };
                let kind = if named_only { ParamKind::Named } else { ParamKind::Plain };
                params.push(Param { name, kind, default });
            }
            if !self.take(b",") {
                break;
            }
        }
        Ok(params)
    }

    fn annotation(&mut self, annotated: bool) -> Read<()> {
        if annotated && self.take(b":") {
            let annotation = self.starred()?;
            self.annotations.push(annotation);
        }
        Ok(())
    }

    fn disjunction(&mut self) -> Read<ExprId> {
        let line = self.line();
        let first = self.conjunction()?;
        if !self.is(b"or") {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.take(b"or") {
            parts.push(self.conjunction()?);
        }
        Ok(self.push(Expr::Or(parts), line))
    }

    fn conjunction(&mut self) -> Read<ExprId> {
        let line = self.line();
        let first = self.inversion()?;
        if !self.is(b"and") {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.take(b"and") {
            parts.push(self.inversion()?);
        }
        Ok(self.push(Expr::And(parts), line))
    }

    fn inversion(&mut self) -> Read<ExprId> {
        let line = self.line();
        if self.take(b"not") {
            let value = self.deeper(Self::inversion)?;
            return Ok(self.push(Expr::Not(value), line));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Read<ExprId> {
        let line = self.line();
        let first = self.binary_from(1)?;
        let mut rest = Vec::new();
        loop {
            let operator = match self.peek() {
                b"==" => Comparison::Equal,
                b"!=" | b"<>" => Comparison::NotEqual,
                b"<" => Comparison::Less,
                b"<=" => Comparison::LessEqual,
                b">" => Comparison::Greater,
                b">=" => Comparison::GreaterEqual,
                b"in" => Comparison::In,
                b"is" => Comparison::Is,
                b"not" if self.peek_at(1) == b"in" => Comparison::NotIn,
                _ => break,
            };
            if self.kind() == Kind::Text {
                return Err(Unread);
            }
            self.next();
            let operator = match operator {
                Comparison::NotIn => {
                    self.next();
                    operator
                }
                Comparison::Is if self.take(b"not") => Comparison::IsNot,
                other => other,
            };
            rest.push((operator, self.binary_from(1)?));
        }
        Ok(if rest.is_empty() { first } else { self.push(Expr::Compare(first, rest), line) })
    }

    pub(super) fn binary_from(&mut self, least: u8) -> Read<ExprId> {
        let line = self.line();
        let mut left = self.unary()?;
        while self.kind() == Kind::Op
            && let Some((strength, operator)) = binary(self.peek())
            && strength >= least
        {
            self.next();
            let right = self.deeper(|it| it.binary_from(strength + 1))?;
            left = self.push(Expr::Binary(operator, left, right), line);
        }
        Ok(left)
    }

    fn unary(&mut self) -> Read<ExprId> {
        let line = self.line();
        if self.kind() == Kind::Op && matches!(self.peek(), b"-" | b"+" | b"~") {
            let negative = self.is(b"-");
            self.next();
            let value = self.deeper(Self::unary)?;
            let number = match self.expr(value) {
                Some(Expr::Int(number)) if negative => Some(number.wrapping_neg()),
                _ => None,
            };
            return Ok(self.push(number.map_or(Expr::Unary(value), Expr::Int), line));
        }
        self.power()
    }

    fn power(&mut self) -> Read<ExprId> {
        let line = self.line();
        let value = if self.kind() == Kind::Name && self.take(b"await") {
            let value = self.deeper(Self::primary)?;
            self.push(Expr::Await(value), line)
        } else {
            self.primary()?
        };
        if self.take(b"**") {
            let exponent = self.deeper(Self::unary)?;
            return Ok(self.push(Expr::Binary(Operator::Other, value, exponent), line));
        }
        Ok(value)
    }

    fn primary(&mut self) -> Read<ExprId> {
        let mut value = self.atom()?;
        loop {
            let line = self.line();
            if self.kind() != Kind::Op {
                return Ok(value);
            }
            match self.peek() {
                b"." => {
                    self.next();
                    if self.kind() != Kind::Name {
                        return Err(Unread);
                    }
                    let text = self.peek();
                    self.next();
                    let name = self.sym(text);
                    value = self.push(Expr::Attribute(value, name), line);
                }
                b"(" => {
                    self.next();
                    let arguments = self.deeper(Self::arguments)?;
                    value = self.push(Expr::Call(value, arguments), line);
                }
                b"[" => {
                    self.next();
                    let index = self.deeper(Self::subscript)?;
                    self.expect(b"]")?;
                    value = self.push(Expr::Subscript(value, index), line);
                }
                _ => return Ok(value),
            }
        }
    }

    fn subscript(&mut self) -> Read<ExprId> {
        let line = self.line();
        let first = self.slice()?;
        if !self.is(b",") {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.take(b",") {
            if self.is(b"]") {
                break;
            }
            items.push(self.slice()?);
        }
        Ok(self.push(Expr::Tuple(items), line))
    }

    fn slice(&mut self) -> Read<ExprId> {
        let line = self.line();
        let ends = |it: &Self| matches!(it.peek(), b":" | b"]" | b",");
        let start = if ends(self) { None } else { Some(self.starred()?) };
        if !self.take(b":") {
            return start.ok_or(Unread);
        }
        let stop = if ends(self) { None } else { Some(self.expression()?) };
        let step = if self.take(b":") && !ends(self) { Some(self.expression()?) } else { None };
        Ok(self.push(Expr::Slice(start, stop, step), line))
    }

    /// Arguments of a call, with its closing bracket.
    pub(super) fn arguments(&mut self) -> Read<Vec<Argument>> {
        let mut arguments = Vec::new();
        while !self.take(b")") {
            let line = self.line();
            let argument = if self.take(b"**") {
                Argument { kind: ArgumentKind::DoubleStar, value: self.expression()? }
            } else if self.take(b"*") {
                Argument { kind: ArgumentKind::Star, value: self.expression()? }
            } else if self.kind() == Kind::Name && self.peek_at(1) == b"=" {
                let name = self.name()?;
                self.expect(b"=")?;
                Argument { kind: ArgumentKind::Named(name), value: self.expression()? }
            } else {
                let value = self.named()?;
                let value =
                    if self.begins_loop() { self.comprehension(Made::Generator, None, value, line)? } else { value };
                Argument { kind: ArgumentKind::Plain, value }
            };
            arguments.push(argument);
            if !self.take(b",") {
                self.expect(b")")?;
                break;
            }
        }
        Ok(arguments)
    }

    fn begins_loop(&self) -> bool {
        self.kind() == Kind::Name && (self.is(b"for") || self.is(b"async") && self.peek_at(1) == b"for")
    }

    fn comprehension(&mut self, made: Made, key: Option<ExprId>, value: ExprId, line: u32) -> Read<ExprId> {
        let mut generators = Vec::new();
        while self.begins_loop() {
            self.take(b"async");
            self.expect(b"for")?;
            let target = self.targets()?;
            self.expect(b"in")?;
            let iterable = self.disjunction()?;
            let mut conditions = Vec::new();
            while self.take(b"if") {
                let condition = match self.peek_at(1) {
                    b":=" => self.named()?,
                    _ => self.disjunction()?,
                };
                conditions.push(condition);
            }
            generators.push(Generator { target, iterable, conditions });
        }
        Ok(self.push(Expr::Comprehension(made, key, value, generators), line))
    }

    /// What a `for` binds.
    pub(super) fn targets(&mut self) -> Read<ExprId> {
        let line = self.line();
        let one = |it: &mut Self| {
            let line = it.line();
            if it.take(b"*") {
                let value = it.binary_from(1)?;
                return Ok(it.push(Expr::Starred(value), line));
            }
            it.binary_from(1)
        };
        let first = one(self)?;
        let target = if self.is(b",") {
            let mut items = vec![first];
            while self.take(b",") {
                if self.is(b"in") {
                    break;
                }
                items.push(one(self)?);
            }
            self.push(Expr::Tuple(items), line)
        } else {
            first
        };
        self.bind_target(target, 0);
        Ok(target)
    }

    /// Notes the names that a target binds.
    pub(super) fn bind_target(&mut self, target: ExprId, depth: usize) {
        match self.expr(target) {
            Some(Expr::Name(name)) => {
                let name = *name;
                self.bind(name);
            }
            Some(Expr::Tuple(items) | Expr::List(items)) if depth < 50 => {
                for item in items.clone() {
                    self.bind_target(item, depth + 1);
                }
            }
            Some(Expr::Starred(value)) if depth < 50 => {
                let value = *value;
                self.bind_target(value, depth + 1);
            }
            _ => {}
        }
    }

    fn atom(&mut self) -> Read<ExprId> {
        let line = self.line();
        let text = self.peek();
        match self.kind() {
            Kind::Text => self.texts(),
            Kind::Number => {
                self.next();
                Ok(self.push(number(text), line))
            }
            Kind::Name => {
                let constant = match text {
                    b"None" => Some(Expr::None),
                    b"True" => Some(Expr::Bool(true)),
                    b"False" => Some(Expr::Bool(false)),
                    _ => None,
                };
                if let Some(constant) = constant {
                    self.next();
                    return Ok(self.push(constant, line));
                }
                let name = self.name()?;
                Ok(self.push(Expr::Name(name), line))
            }
            Kind::Op => match text {
                b"(" => {
                    self.next();
                    self.deeper(|it| it.brackets(line))
                }
                b"[" => {
                    self.next();
                    self.deeper(|it| it.list(line))
                }
                b"{" => {
                    self.next();
                    self.deeper(|it| it.braces(line))
                }
                b"..." => {
                    self.next();
                    Ok(self.push(Expr::Other, line))
                }
                _ => Err(Unread),
            },
            _ => Err(Unread),
        }
    }

    fn brackets(&mut self, line: u32) -> Read<ExprId> {
        if self.take(b")") {
            return Ok(self.push(Expr::Tuple(Vec::new()), line));
        }
        let first = self.starred()?;
        if self.begins_loop() {
            let made = self.comprehension(Made::Generator, None, first, line)?;
            self.expect(b")")?;
            return Ok(made);
        }
        if self.take(b")") {
            return Ok(first);
        }
        let mut items = vec![first];
        self.items(&mut items, b")")?;
        Ok(self.push(Expr::Tuple(items), line))
    }

    /// The rest of a list after its first item, with its closing bracket.
    fn items(&mut self, items: &mut Vec<ExprId>, end: &[u8]) -> Read<()> {
        while self.take(b",") {
            if self.is(end) {
                break;
            }
            items.push(self.starred()?);
        }
        self.expect(end)
    }

    fn list(&mut self, line: u32) -> Read<ExprId> {
        if self.take(b"]") {
            return Ok(self.push(Expr::List(Vec::new()), line));
        }
        let first = self.starred()?;
        if self.begins_loop() {
            let made = self.comprehension(Made::List, None, first, line)?;
            self.expect(b"]")?;
            return Ok(made);
        }
        let mut items = vec![first];
        self.items(&mut items, b"]")?;
        Ok(self.push(Expr::List(items), line))
    }

    fn braces(&mut self, line: u32) -> Read<ExprId> {
        let mut pairs = Vec::new();
        if self.take(b"}") {
            return Ok(self.push(Expr::Dict(pairs), line));
        }
        if !self.is(b"**") {
            let first = self.starred()?;
            if !self.take(b":") {
                if self.begins_loop() {
                    let made = self.comprehension(Made::Set, None, first, line)?;
                    self.expect(b"}")?;
                    return Ok(made);
                }
                let mut items = vec![first];
                self.items(&mut items, b"}")?;
                return Ok(self.push(Expr::Set(items), line));
            }
            let value = self.expression()?;
            if self.begins_loop() {
                let made = self.comprehension(Made::Dict, Some(first), value, line)?;
                self.expect(b"}")?;
                return Ok(made);
            }
            pairs.push((Some(first), value));
            if !self.take(b",") {
                self.expect(b"}")?;
                return Ok(self.push(Expr::Dict(pairs), line));
            }
        }
        while !self.take(b"}") {
            if self.take(b"**") {
                pairs.push((None, self.binary_from(1)?));
            } else {
                let key = self.expression()?;
                self.expect(b":")?;
                pairs.push((Some(key), self.expression()?));
            }
            if !self.take(b",") {
                self.expect(b"}")?;
                break;
            }
        }
        Ok(self.push(Expr::Dict(pairs), line))
    }
}

/// A whole number as far as it is written plainly.
fn number(text: &[u8]) -> Expr {
    let text = String::from_utf8_lossy(text).replace('_', "");
    let lower = text.to_ascii_lowercase();
    let parsed = match lower.get(..2) {
        Some("0x") => i64::from_str_radix(lower.get(2..).unwrap_or_default(), 16).ok(),
        Some("0b") => i64::from_str_radix(lower.get(2..).unwrap_or_default(), 2).ok(),
        Some("0o") => i64::from_str_radix(lower.get(2..).unwrap_or_default(), 8).ok(),
        _ => lower.parse().ok(),
    };
    parsed.map_or(Expr::Other, Expr::Int)
}

/// Whether a word may begin an expression.
pub(super) fn begins_expression(word: &[u8]) -> bool {
    !is_keyword(word) || matches!(word, b"None" | b"True" | b"False" | b"not" | b"lambda" | b"await" | b"yield")
}
