//! Expressions: Python's, with casts, addresses, `sizeof`, `new` and types in brackets.
//!
//! Arithmetic operators are not told apart, and so have no precedence among each other.

use gilaudit_model::source::cython::{CompareOp, Display, ExprKind, Type};
use gilaudit_model::source::{ExprId, ExprList};

use super::parser::{DEPTH, Failed, Parsed, Parser};
use super::token::TokenKind;

impl Parser<'_> {
    /// `a, *b`: one expression, or a tuple without parentheses.
    pub(super) fn test_list(&mut self) -> Parsed<ExprId> {
        let first = self.at;
        let item = self.star_test()?;
        if self.peek() != "," {
            return Ok(item);
        }
        let mut items = vec![item];
        while self.take(",") {
            if self.is_done() || matches!(self.peek(), "=" | ":" | ")" | "]" | "}" | "from") || self.is_augmented() {
                break;
            }
            items.push(self.star_test()?);
        }
        let items = self.list(&items);
        Ok(self.push(ExprKind::Display { kind: Display::Tuple, items }, first))
    }

    /// Whether `+=` or the like is next.
    pub(super) fn is_augmented(&self) -> bool {
        let word = self.peek();
        word.len() >= 2
            && word.ends_with('=')
            && self.kind_at(self.at) == Some(TokenKind::Op)
            && !matches!(word, "==" | "!=" | "<=" | ">=" | ":=")
    }

    fn star_test(&mut self) -> Parsed<ExprId> {
        let first = self.at;
        if self.take("*") || self.take("**") {
            let operand = self.operand()?;
            return Ok(self.push(ExprKind::Unary(operand), first));
        }
        self.test()
    }

    /// A whole expression without commas.
    pub(super) fn test(&mut self) -> Parsed<ExprId> {
        if self.depth >= DEPTH {
            return Err(Failed);
        }
        self.depth += 1;
        let result = self.test_inner();
        self.depth -= 1;
        result
    }

    fn test_inner(&mut self) -> Parsed<ExprId> {
        let first = self.at;
        match self.peek() {
            "lambda" => {
                self.at = self.find(self.at, &[":"]).ok_or(Failed)? + 1;
                let value = self.test()?;
                return Ok(self.push(ExprKind::Lambda(value), first));
            }
            "yield" => return self.yielded(),
            _ => {}
        }
        let then = self.or_test()?;
        if self.take("if") {
            let test = self.or_test()?;
            self.expect("else")?;
            let otherwise = self.test()?;
            return Ok(self.push(ExprKind::Conditional { test, then, otherwise }, first));
        }
        if self.take(":=") {
            let value = self.test()?;
            return Ok(self.push(ExprKind::Walrus { target: then, value }, first));
        }
        Ok(then)
    }

    fn yielded(&mut self) -> Parsed<ExprId> {
        let first = self.at;
        self.expect("yield")?;
        let empty = !self.take("from") && (self.is_done() || matches!(self.peek(), ")" | "=" | ";" | "]" | "}"));
        let value = if empty { None } else { Some(self.test_list()?) };
        Ok(self.push(ExprKind::Yield(value), first))
    }

    fn or_test(&mut self) -> Parsed<ExprId> {
        let first = self.at;
        let mut left = self.and_test()?;
        while self.take("or") {
            let right = self.and_test()?;
            left = self.push(ExprKind::Logic { and: false, left, right }, first);
        }
        Ok(left)
    }

    fn and_test(&mut self) -> Parsed<ExprId> {
        let first = self.at;
        let mut left = self.not_test()?;
        while self.take("and") {
            let right = self.not_test()?;
            left = self.push(ExprKind::Logic { and: true, left, right }, first);
        }
        Ok(left)
    }

    fn not_test(&mut self) -> Parsed<ExprId> {
        let first = self.at;
        let mut negations = 0;
        while self.take("not") {
            negations += 1;
        }
        let mut operand = self.comparison()?;
        for _ in 0..negations {
            operand = self.push(ExprKind::Not(operand), first);
        }
        Ok(operand)
    }

    fn comparison(&mut self) -> Parsed<ExprId> {
        let first = self.at;
        let mut left = self.arithmetic()?;
        while let Some(op) = self.compare_op() {
            let right = self.arithmetic()?;
            left = self.push(ExprKind::Compare { op, left, right }, first);
        }
        Ok(left)
    }

    fn compare_op(&mut self) -> Option<CompareOp> {
        let (op, length) = match (self.peek(), self.word_at(self.at + 1)) {
            ("is", "not") => (CompareOp::NotEqual, 2),
            ("not", "in") => (CompareOp::NotIn, 2),
            ("==" | "is", _) => (CompareOp::Equal, 1),
            ("!=" | "<>", _) => (CompareOp::NotEqual, 1),
            ("in", _) => (CompareOp::In, 1),
            ("<" | "<=" | ">" | ">=", _) => (CompareOp::Order, 1),
            _ => return None,
        };
        if self.kind_at(self.at) == Some(TokenKind::Str) {
            return None;
        }
        self.at += length;
        Some(op)
    }

    /// Operands joined by arithmetic operators.
    pub(super) fn arithmetic(&mut self) -> Parsed<ExprId> {
        let first = self.at;
        let mut left = self.operand()?;
        loop {
            let length = match self.peek() {
                "+" | "-" | "*" | "/" | "//" | "%" | "@" | "|" | "&" | "^" | "**" | "<<" => 1,
                ">" if self.word_at(self.at + 1) == ">" && self.is_adjacent() => 2,
                _ => return Ok(left),
            };
            if self.kind_at(self.at) == Some(TokenKind::Str) {
                return Err(Failed);
            }
            self.at += length;
            if matches!(self.peek(), "]" | ")" | "," | ">") {
                // A pointer type as an argument: `vector[int *]`.
                continue;
            }
            let right = self.operand()?;
            left = self.push(ExprKind::Binary { left, right }, first);
        }
    }

    fn is_adjacent(&self) -> bool {
        matches!((self.token(self.at), self.token(self.at + 1)), (Some(a), Some(b)) if a.end == b.start)
    }

    fn operand(&mut self) -> Parsed<ExprId> {
        if self.depth >= DEPTH {
            return Err(Failed);
        }
        self.depth += 1;
        let result = self.operand_inner();
        self.depth -= 1;
        result
    }

    fn operand_inner(&mut self) -> Parsed<ExprId> {
        let first = self.at;
        match self.peek() {
            "-" | "+" | "~" | "*" | "**" | "await" if self.kind_at(self.at) != Some(TokenKind::Str) => {
                self.at += 1;
                let operand = self.operand()?;
                Ok(self.push(ExprKind::Unary(operand), first))
            }
            "&" => {
                self.at += 1;
                let operand = self.operand()?;
                Ok(self.push(ExprKind::Address(operand), first))
            }
            "<" => {
                self.at += 1;
                let ty = self.type_until(">")?;
                let value = self.operand()?;
                Ok(self.push(ExprKind::Cast { ty, value }, first))
            }
            "new" if self.is_name(self.at + 1) => {
                self.at += 1;
                self.postfix()
            }
            "not" => {
                self.at += 1;
                let operand = self.operand()?;
                Ok(self.push(ExprKind::Not(operand), first))
            }
            _ => self.postfix(),
        }
    }

    /// A type up to this operator outside brackets, which is taken.
    fn type_until(&mut self, close: &str) -> Parsed<Type> {
        let end = self.find(self.at, &[close]).ok_or(Failed)?;
        let ty = self.type_of(self.at, end);
        self.at = end + 1;
        ty.ok_or(Failed)
    }

    fn postfix(&mut self) -> Parsed<ExprId> {
        let first = self.at;
        let mut value = self.atom()?;
        loop {
            match self.peek() {
                "." => {
                    self.at += 1;
                    let (name, _) = self.name()?;
                    value = self.push(ExprKind::Attribute { base: value, name }, first);
                }
                "(" => {
                    let args = self.arguments()?;
                    value = self.push(ExprKind::Call { callee: value, args }, first);
                }
                "[" => {
                    let index = self.indices()?;
                    value = self.push(ExprKind::Subscript { base: value, index }, first);
                }
                _ => return Ok(value),
            }
        }
    }

    fn arguments(&mut self) -> Parsed<ExprList> {
        self.expect("(")?;
        let mut items = Vec::new();
        while !self.take(")") {
            let first = self.at;
            if self.is_name(self.at) && self.word_at(self.at + 1) == "=" {
                let (name, _) = self.name()?;
                self.at += 1;
                let value = self.test()?;
                items.push(self.push(ExprKind::Keyword { name, value }, first));
            } else {
                let value = self.star_test()?;
                let is_generator = matches!(self.peek(), "for" | "async");
                items.push(if is_generator { self.comprehension(Display::Tuple, first)? } else { value });
            }
            if !self.take(",") && self.peek() != ")" {
                return Err(Failed);
            }
        }
        Ok(self.list(&items))
    }

    fn indices(&mut self) -> Parsed<ExprList> {
        let (open, exprs, lists) = (self.at, self.out.exprs.len(), self.out.expr_lists.len());
        if let Ok(list) = self.indices_as_values() {
            return Ok(list);
        }
        // The arguments of a template, or the type of a memory view.
        self.forget(exprs, lists);
        let past = self.past_bracket(open);
        let is_type = |at| {
            self.kind_at(at) == Some(TokenKind::Word)
                || matches!(self.word_at(at), "*" | "," | "." | "[" | "]" | ":" | "&" | "(" | ")")
        };
        if !(open..past).all(is_type) {
            return Err(Failed);
        }
        self.at = past;
        let other = self.push(ExprKind::Other, open);
        Ok(self.list(&[other]))
    }

    fn indices_as_values(&mut self) -> Parsed<ExprList> {
        self.expect("[")?;
        let mut items = Vec::new();
        while !self.take("]") {
            let first = self.at;
            let mut slice = false;
            let mut value = None;
            while !matches!(self.peek(), "," | "]") {
                if self.take(":") {
                    slice = true;
                } else if value.is_some() && !slice {
                    return Err(Failed);
                } else {
                    value = Some(self.star_test()?);
                }
            }
            items.push(match value {
                Some(value) if !slice => value,
                _ => self.push(ExprKind::Other, first),
            });
            if !self.take(",") && self.peek() != "]" {
                return Err(Failed);
            }
        }
        Ok(self.list(&items))
    }

    fn atom(&mut self) -> Parsed<ExprId> {
        let first = self.at;
        match self.kind_at(first).ok_or(Failed)? {
            TokenKind::Number => {
                let value = self.peek().parse().ok();
                self.at += 1;
                Ok(self.push(ExprKind::Number(value), first))
            }
            TokenKind::Str => {
                while self.kind_at(self.at) == Some(TokenKind::Str) {
                    self.at += 1;
                }
                Ok(self.push(ExprKind::Str, first))
            }
            TokenKind::Word => {
                if matches!(self.peek(), "sizeof" | "typeid") && self.word_at(first + 1) == "(" {
                    self.at = self.past_bracket(first + 1);
                    return Ok(self.push(ExprKind::Number(None), first));
                }
                let kind = match self.peek() {
                    "None" => ExprKind::None,
                    "NULL" => ExprKind::Null,
                    "True" => ExprKind::Bool(true),
                    "False" => ExprKind::Bool(false),
                    word if super::parser::is_keyword(word) => return Err(Failed),
                    word => ExprKind::Name(self.names.intern(word)),
                };
                self.at += 1;
                Ok(self.push(kind, first))
            }
            TokenKind::Op => match self.peek() {
                "(" => self.parenthesised(),
                "[" => self.bracketed(),
                "{" => self.braced(),
                "..." => {
                    self.at += 1;
                    Ok(self.push(ExprKind::Other, first))
                }
                _ => Err(Failed),
            },
        }
    }

    fn parenthesised(&mut self) -> Parsed<ExprId> {
        let first = self.at;
        self.expect("(")?;
        if self.take(")") {
            let items = self.list(&[]);
            return Ok(self.push(ExprKind::Display { kind: Display::Tuple, items }, first));
        }
        let inner = self.test_list()?;
        if matches!(self.peek(), "for" | "async") {
            let value = self.comprehension(Display::Tuple, first)?;
            self.expect(")")?;
            return Ok(value);
        }
        self.expect(")")?;
        Ok(inner)
    }

    fn bracketed(&mut self) -> Parsed<ExprId> {
        let first = self.at;
        self.expect("[")?;
        let mut items = Vec::new();
        while !self.take("]") {
            items.push(self.star_test()?);
            if matches!(self.peek(), "for" | "async") {
                let value = self.comprehension(Display::List, first)?;
                self.expect("]")?;
                return Ok(value);
            }
            if !self.take(",") && self.peek() != "]" {
                return Err(Failed);
            }
        }
        let items = self.list(&items);
        Ok(self.push(ExprKind::Display { kind: Display::List, items }, first))
    }

    fn braced(&mut self) -> Parsed<ExprId> {
        let first = self.at;
        self.expect("{")?;
        let mut kind = Display::Dict;
        let mut items = Vec::new();
        while !self.take("}") {
            let unpacked = self.peek() == "**";
            items.push(self.star_test()?);
            if self.take(":") {
                items.push(self.test()?);
            } else if !unpacked {
                kind = Display::Set;
            }
            if matches!(self.peek(), "for" | "async") {
                let value = self.comprehension(kind, first)?;
                self.expect("}")?;
                return Ok(value);
            }
            if !self.take(",") && self.peek() != "}" {
                return Err(Failed);
            }
        }
        let items = self.list(&items);
        Ok(self.push(ExprKind::Display { kind, items }, first))
    }

    /// The clauses of a comprehension, after what it yields.
    fn comprehension(&mut self, kind: Display, first: usize) -> Parsed<ExprId> {
        let mut clauses = Vec::new();
        loop {
            let start = self.at;
            self.take("async");
            if self.take("for") {
                let targets = self.targets("in")?;
                let iter = self.or_test()?;
                clauses.push(self.push(ExprKind::Each { targets, iter }, start));
            } else if self.take("if") {
                self.or_test()?;
            } else {
                break;
            }
        }
        if clauses.is_empty() {
            return Err(Failed);
        }
        let clauses = self.list(&clauses);
        Ok(self.push(ExprKind::Comprehension { kind, clauses }, first))
    }

    /// The targets of a `for`, up to this word, which is taken.
    pub(super) fn targets(&mut self, end: &str) -> Parsed<ExprList> {
        let mut targets = Vec::new();
        while !self.take(end) {
            let target = self.arithmetic()?;
            self.flatten(target, &mut targets);
            if !self.take(",") && self.peek() != end {
                return Err(Failed);
            }
        }
        Ok(self.list(&targets))
    }

    /// The targets in a target: the members of tuples and lists, at any depth.
    pub(super) fn flatten(&self, target: ExprId, out: &mut Vec<ExprId>) {
        let mut open = vec![target];
        while let Some(target) = open.pop() {
            match self.out.kind(target) {
                ExprKind::Display { items, .. } => open.extend(self.out.list(items).iter().rev()),
                ExprKind::Unary(inner) => open.push(inner),
                _ => out.push(target),
            }
        }
    }
}
