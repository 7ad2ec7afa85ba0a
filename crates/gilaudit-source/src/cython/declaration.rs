//! C declarations: types, variables, parameters, the heads of functions and classes.

use gilaudit_model::source::Span;
use gilaudit_model::source::cython::{Class, Declarator, Function, Parameter, StmtKind, Type, Variable};

use super::parser::{Failed, Parsed, Parser};
use super::token::TokenKind;

/// Words of a type that are no name of a type by themselves.
const QUALIFIERS: [&str; 11] =
    ["const", "volatile", "struct", "union", "enum", "unsigned", "signed", "long", "short", "inline", "restrict"];

/// Words that may stand between `cdef` and what is declared.
const STORAGE: [&str; 7] = ["public", "readonly", "api", "inline", "extern", "static", "private"];

impl Parser<'_> {
    /// The type that these tokens spell; none if they do not.
    pub(super) fn type_of(&mut self, first: usize, end: usize) -> Option<Type> {
        let mut base = String::new();
        let (mut pointers, mut brackets) = (0u8, false);
        let mut at = first;
        while at < end {
            let word = self.word_at(at);
            match self.kind_at(at)? {
                TokenKind::Word if matches!(word, "const" | "volatile" | "struct" | "union" | "enum" | "restrict") => {}
                TokenKind::Word => {
                    if !base.is_empty() && !base.ends_with('.') {
                        base.push(' ');
                    }
                    base.push_str(word);
                }
                TokenKind::Op => match word {
                    "." => base.push('.'),
                    "*" => pointers = pointers.saturating_add(1),
                    "**" => pointers = pointers.saturating_add(2),
                    "&" | "?" => {}
                    "[" | "(" => {
                        brackets |= word == "[";
                        // A function pointer, or a tuple of C values.
                        pointers = pointers.saturating_add(u8::from(word == "("));
                        at = self.past_bracket(at);
                        continue;
                    }
                    _ => return None,
                },
                TokenKind::Number | TokenKind::Str => return None,
            }
            at += 1;
        }
        if base.is_empty() && pointers == 0 {
            return None;
        }
        Some(Type { base: self.names.intern(&base), pointers, brackets })
    }

    /// Takes the tokens of a base type, without pointers, if a declarator can follow; where it begins and ends.
    fn base_type(&mut self) -> Parsed<(usize, usize)> {
        let first = self.at;
        if self.peek() == "(" {
            self.at = self.past_bracket(self.at);
            return Ok((first, self.at));
        }
        let mut named = false;
        loop {
            let word = self.peek();
            if self.kind_at(self.at) != Some(TokenKind::Word) {
                break;
            }
            if QUALIFIERS.contains(&word) {
                named |= matches!(word, "unsigned" | "signed" | "long" | "short");
                self.at += 1;
            } else if !named || matches!(word, "int" | "char" | "double" | "float" | "complex") {
                if named
                    && !matches!(self.word_at(self.at + 1), "*" | "**" | "&" | "[" | "")
                    && self.kind_at(self.at + 1) != Some(TokenKind::Word)
                {
                    break;
                }
                self.at += 1;
                named = true;
                while self.peek() == "." {
                    self.at += 2;
                }
                if self.peek() == "[" {
                    self.at = self.past_bracket(self.at);
                    while self.peek() == "." {
                        self.at += 2;
                    }
                }
            } else {
                break;
            }
        }
        if named && self.peek() == "[" {
            self.at = self.past_bracket(self.at);
        }
        if named { Ok((first, self.at)) } else { Err(Failed) }
    }

    /// What stands after `cdef` or `cpdef` or in a block of them: variables, or the head of a function or class.
    pub(super) fn declared(
        &mut self,
        declarator: Declarator,
        in_class: Option<u32>,
        outer: Option<u32>,
    ) -> Parsed<StmtKind> {
        while STORAGE.contains(&self.peek())
            && (self.is_name(self.at + 1) || matches!(self.word_at(self.at + 1), "(" | "class"))
        {
            self.at += 1;
        }
        match self.peek() {
            "class" => return self.class(true),
            "extern" | "struct" | "union" | "enum" | "cppclass" | "fused" | "packed" if self.opens() => {
                return Ok(StmtKind::Foreign);
            }
            "def" => return self.function(declarator, in_class, outer),
            _ => {}
        }
        let start = self.at;
        // Without a type: `cdef f(self)`, `cdef x`.
        let typeless = self.is_name(start)
            && matches!(self.word_at(start + 1), "(" | "=" | "," | "")
            && self.word_at(start + 2) != "*";
        let base = if typeless { None } else { Some(self.base_type()?) };
        let declarator_at = self.at;
        while matches!(self.peek(), "*" | "**" | "&" | "const") {
            self.at += 1;
        }
        if self.is_name(self.at) && self.word_at(self.at + 1) == "(" {
            return self.function(declarator, in_class, outer);
        }
        self.at = declarator_at;
        let first = self.out.variables.len() as u32;
        loop {
            self.variable(base)?;
            if !self.take(",") || self.is_done() {
                break;
            }
        }
        Ok(StmtKind::Declare(first, self.out.variables.len() as u32))
    }

    /// Whether the statement opens a block.
    pub(super) fn opens(&self) -> bool {
        self.end > 0 && self.word_at(self.end - 1) == ":"
    }

    /// One declarator with its initial value.
    fn variable(&mut self, base: Option<(usize, usize)>) -> Parsed<()> {
        let mut ty = match base {
            Some((first, end)) => self.type_of(first, end).ok_or(Failed)?,
            None => self.object(),
        };
        while matches!(self.peek(), "*" | "**" | "&" | "const") {
            ty.pointers = ty.pointers.saturating_add(match self.peek() {
                "*" => 1,
                "**" => 2,
                _ => 0,
            });
            self.at += 1;
        }
        let (name, span) = if self.peek() == "(" {
            // A pointer to a function: its name is in the brackets.
            let past = self.past_bracket(self.at);
            let at = (self.at..past).find(|at| self.is_name(*at)).ok_or(Failed)?;
            let name = self.names.intern(self.word_at(at));
            ty.pointers = ty.pointers.saturating_add(1);
            self.at = past;
            (name, self.span_from(at, at + 1))
        } else {
            if !self.is_name(self.at) {
                return Err(Failed);
            }
            self.name()?
        };
        loop {
            match self.peek() {
                "[" => {
                    ty.brackets = true;
                    self.at = self.past_bracket(self.at);
                }
                "(" => self.at = self.past_bracket(self.at),
                "nogil" | "noexcept" => self.at += 1,
                "except" => self.at = self.find(self.at, &["=", ","]).unwrap_or(self.end),
                _ => break,
            }
        }
        let init = if self.take("=") { Some(self.test()?) } else { None };
        self.out.variables.push(Variable { name, ty, init, span });
        Ok(())
    }

    /// The head of a function, at its name or its `def`, up to the colon.
    pub(super) fn function(
        &mut self,
        declarator: Declarator,
        class: Option<u32>,
        outer: Option<u32>,
    ) -> Parsed<StmtKind> {
        self.take("def");
        let (name, name_span) = self.name()?;
        if self.peek() == "[" {
            self.at = self.past_bracket(self.at);
        }
        let open = self.at;
        let past = self.past_bracket(open);
        let parameters = self.parameters()?;
        self.at = past;
        let colon = self.find(past, &[":"]);
        let trailer = past..colon.unwrap_or(self.end);
        let nogil =
            trailer.clone().any(|at| self.word_at(at) == "nogil" && self.word_at(at.saturating_sub(1)) != "with");
        let Some(colon) = colon else { return Ok(self.forward()) };
        self.at = colon + 1;
        self.out.functions.push(Function {
            name,
            name_span,
            declarator,
            class,
            outer,
            decorators: Vec::new(),
            parameters,
            nogil,
            stmt: gilaudit_model::source::StmtId(0),
        });
        Ok(StmtKind::Function((self.out.functions.len() - 1) as u32))
    }

    /// A declaration without a body.
    fn forward(&mut self) -> StmtKind {
        self.at = self.end;
        StmtKind::Other
    }

    fn parameters(&mut self) -> Parsed<Vec<Parameter>> {
        let past = self.past_bracket(self.at);
        self.expect("(")?;
        let mut out = Vec::new();
        while self.at + 1 < past {
            let end = self.find(self.at, &[","]).unwrap_or(past - 1).min(past - 1);
            self.parameter(end, &mut out)?;
            self.at = end + 1;
        }
        Ok(out)
    }

    fn parameter(&mut self, end: usize, out: &mut Vec<Parameter>) -> Parsed<()> {
        let mut star = false;
        while self.at < end && matches!(self.peek(), "*" | "**") {
            star = true;
            self.at += 1;
        }
        if self.at >= end || matches!(self.peek(), "/" | "...") {
            return Ok(());
        }
        let first = self.at;
        let stop = self.find(first, &["=", ":"]).unwrap_or(end).min(end);
        let head = (first..stop).rev().find(|at| {
            self.is_name(*at) && !matches!(self.word_at(*at), "None" | "nogil" | "noexcept") && {
                // Not a word inside brackets that follow.
                self.find(first, &[self.word_at(*at)]).is_some()
            }
        });
        let name_at = match head {
            Some(at) => at,
            // `void (*f)(int)`: the name is in brackets.
            None => (first..stop).find(|at| self.is_name(*at)).ok_or(Failed)?,
        };
        let name = self.names.intern(self.word_at(name_at));
        let mut ty = if name_at > first { self.type_of(first, name_at) } else { None };
        if let Some(ty) = &mut ty {
            ty.brackets |= self.word_at(name_at + 1) == "[" && name_at + 1 < stop;
        }
        let mut default = None;
        if self.word_at(stop) == ":" && stop < end {
            let value = self.find(stop, &["="]).filter(|at| *at < end);
            if ty.is_none() {
                ty = self.type_of(stop + 1, value.unwrap_or(end));
            }
            self.at = value.map_or(end, |at| at + 1);
            default = value;
        } else if self.word_at(stop) == "=" && stop < end {
            self.at = stop + 1;
            default = Some(stop);
        }
        let default = match default {
            Some(_) if self.at < end && self.peek() != "*" && self.peek() != "?" => Some(self.test()?),
            _ => None,
        };
        out.push(Parameter { name, ty, star, default });
        Ok(())
    }

    /// The head of a class, at `class`, up to the colon.
    pub(super) fn class(&mut self, extension: bool) -> Parsed<StmtKind> {
        self.expect("class")?;
        let (mut name, _) = self.name()?;
        while self.take(".") {
            name = self.name()?.0;
        }
        let mut bases = Vec::new();
        if self.peek() == "(" {
            let past = self.past_bracket(self.at);
            self.at += 1;
            while self.at + 1 < past {
                let next = self.find(self.at, &[","]).unwrap_or(past - 1).min(past - 1);
                if self.is_name(self.at) && self.word_at(self.at + 1) != "=" {
                    bases.extend(self.dotted());
                }
                self.at = next + 1;
            }
            self.at = past;
        }
        let Some(colon) = self.find(self.at, &[":"]) else { return Ok(self.forward()) };
        self.at = colon + 1;
        self.out.classes.push(Class {
            name,
            extension,
            bases,
            decorators: Vec::new(),
            stmt: gilaudit_model::source::StmtId(0),
        });
        Ok(StmtKind::Class((self.out.classes.len() - 1) as u32))
    }

    /// `name: type = value` of Python.
    pub(super) fn annotated(&mut self, name_at: usize) -> Parsed<StmtKind> {
        let value = self.find(self.at, &["="]);
        let ty = self.type_of(self.at, value.unwrap_or(self.end));
        self.at = value.map_or(self.end, |at| at + 1);
        let init = if value.is_some() { Some(self.test_list()?) } else { None };
        let ty = match ty {
            Some(ty) => ty,
            None => self.object(),
        };
        let name = self.names.intern(self.word_at(name_at));
        let span: Span = self.span_from(name_at, name_at + 1);
        let first = self.out.variables.len() as u32;
        self.out.variables.push(Variable { name, ty, init, span });
        Ok(StmtKind::Declare(first, first + 1))
    }
}
