//! Masks the macros that would derail the parser.

#![allow(
    clippy::indexing_slicing,
    reason = "indices of lists made here; whoever calls catches a mistake as a problem of the project"
)]

use super::blank;
use crate::c::macros::{Macro, Role};
use crate::c::token::{Kind, Token};

/// What the innermost open brace belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Outer,
    Struct,
    Code,
    Init,
}

struct Masker<'a> {
    text: &'a mut Vec<u8>,
    tokens: &'a [Token],
    lookup: &'a dyn Fn(&str) -> Option<&'a Macro>,
    /// For every opening parenthesis its closing one, 0 where there is none. What is masked goes with both.
    closes: Vec<u32>,
    /// Tokens that are blank now.
    gone: Vec<bool>,
    /// Tokens that a `;` or `,` was put behind.
    ended: Vec<bool>,
    thread_local: Vec<usize>,
}

/// Masks; where thread-local macros stood that could not be spelt out.
pub(super) fn mask<'a>(
    text: &'a mut Vec<u8>,
    tokens: &'a [Token],
    lookup: &'a dyn Fn(&str) -> Option<&'a Macro>,
) -> Vec<usize> {
    let count = tokens.len();
    let closes = closes(text, tokens);
    let (gone, ended) = (vec![false; count], vec![false; count]);
    let mut masker = Masker { text, tokens, lookup, closes, gone, ended, thread_local: Vec::new() };
    masker.attributes();
    masker.scopes();
    masker.thread_local
}

/// The closing parenthesis of each opening one, by the numbers of their tokens.
fn closes(text: &[u8], tokens: &[Token]) -> Vec<u32> {
    let mut closes = vec![0; tokens.len()];
    let mut open: Vec<usize> = Vec::new();
    for (index, token) in tokens.iter().enumerate().filter(|(_, token)| token.end == token.start + 1) {
        match text.get(token.start) {
            Some(b'(') => open.push(index),
            Some(b')') => {
                if let Some(before) = open.pop() {
                    closes[before] = index as u32;
                }
            }
            _ => {}
        }
    }
    closes
}

/// Compilers' and CPython's words that mean nothing to the rules. With arguments, the arguments go too.
fn is_attribute(name: &str) -> bool {
    matches!(
        name,
        "__attribute__"
            | "__attribute"
            | "__declspec"
            | "__extension__"
            | "__restrict"
            | "__restrict__"
            | "WINAPI"
            | "__stdcall"
            | "__cdecl"
            | "APIENTRY"
            | "CALLBACK"
            | "Py_GCC_ATTRIBUTE"
            | "_Py_NO_RETURN"
            | "Py_NO_INLINE"
            | "Py_ALWAYS_INLINE"
            | "Py_ALIGNED"
            | "Py_CAN_START_THREADS"
            | "_Py_ALIGNED_DEF"
            | "Py_DEPRECATED"
            | "_Py_NO_SANITIZE_MEMORY"
            | "_Py_NO_SANITIZE_THREAD"
            | "_Py_NO_SANITIZE_UNDEFINED"
            | "Py_EXPORTED_SYMBOL"
            | "Py_IMPORTED_SYMBOL"
            | "Py_LOCAL_SYMBOL"
            | "Py_NO_INLINE_UNLESS_DEBUG"
            | "_Py_COMP_DIAG_PUSH"
            | "_Py_COMP_DIAG_POP"
            | "_Py_COMP_DIAG_IGNORE_DEPR_DECLS"
            | "PYBIND11_NOINLINE"
            | "__inline__"
            | "__volatile__"
            | "Py_TPFLAGS_NONE"
    )
}

/// Where a region of the thread state or of a lock begins or ends.
fn is_region(name: &str) -> bool {
    (name.starts_with("Py_") || name.starts_with("_Py_"))
        && (name.ends_with("_THREADS") || name.contains("CRITICAL_SECTION"))
}

/// `NPY_NO_EXPORT`: no lower-case letter, and longer than a template parameter.
fn is_shouted(name: &str) -> bool {
    let name = name.strip_prefix("_Py_").or_else(|| name.strip_prefix("Py_")).unwrap_or(name);
    name.len() > 2 && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

impl Masker<'_> {
    fn text_of(&self, index: usize) -> &str {
        // The text of tokens before masking: masked tokens are looked up in `gone` first.
        self.tokens.get(index).map_or("", |token| token.text(self.text))
    }

    /// The character that a token consists of; 0 if it has more than one.
    fn single(&self, index: usize) -> u8 {
        match self.tokens.get(index) {
            Some(token) if token.end == token.start + 1 => self.text.get(token.start).copied().unwrap_or(0),
            _ => 0,
        }
    }

    fn kind(&self, index: usize) -> Option<Kind> {
        self.tokens.get(index).map(|token| token.kind)
    }

    fn next(&self, index: usize) -> usize {
        let mut next = index + 1;
        while self.gone.get(next).copied().unwrap_or(false) {
            next += 1;
        }
        next
    }

    /// The index of the parenthesis that closes the one at `open`.
    fn closing(&self, open: usize) -> Option<usize> {
        self.closes.get(open).copied().filter(|close| *close != 0).map(|close| close as usize)
    }

    /// Blanks the tokens from `first` to `last`.
    fn remove(&mut self, first: usize, last: usize) {
        let (Some(from), Some(to)) = (self.tokens.get(first), self.tokens.get(last)) else { return };
        let range = from.start..to.end;
        blank(self.text, range);
        for gone in self.gone.iter_mut().take(last + 1).skip(first) {
            *gone = true;
        }
    }

    /// Writes over a token and the blanks behind it, if it fits.
    fn overwrite(&mut self, index: usize, new: &str) -> bool {
        let Some(token) = self.tokens.get(index).copied() else { return false };
        let limit = self.tokens.get(index + 1).map_or(self.text.len(), |next| next.start);
        if new.len() > token.end - token.start
            && (new.len() >= limit - token.start
                || self.text.get(token.end..token.start + new.len()).is_none_or(|gap| gap.contains(&b'\n')))
        {
            return false;
        }
        blank(self.text, token.start..token.end);
        if let Some(target) = self.text.get_mut(token.start..token.start + new.len()) {
            target.copy_from_slice(new.as_bytes());
        }
        true
    }

    /// Puts a character into the white space behind a token.
    fn put_behind(&mut self, index: usize, byte: u8) {
        let Some(end) = self.tokens.get(index).map(|token| token.end) else { return };
        if let Some(place) = self.text.get_mut(end)
            && place.is_ascii_whitespace()
        {
            *place = byte;
            self.ended[index] = true;
        }
    }

    fn newline_between(&self, a: usize, b: usize) -> bool {
        match (self.tokens.get(a), self.tokens.get(b)) {
            (Some(a), Some(b)) => self.text.get(a.end..b.start).is_some_and(|gap| gap.contains(&b'\n')),
            _ => true,
        }
    }

    /// What means the same everywhere.
    fn attributes(&mut self) {
        for index in 0..self.tokens.len() {
            if self.kind(index) != Some(Kind::Ident) || self.gone[index] {
                continue;
            }
            let name = self.text_of(index);
            let role = (self.lookup)(name).map(|known| (known.role, known.parameters.is_some()));
            let is_word = matches!(name, "_Thread_local" | "__thread" | "thread_local");
            if role.is_none() && !is_word && !is_attribute(name) && !name.contains("UNUSED") && !name.ends_with("_TLS")
            {
                continue;
            }
            let name = name.to_owned();
            let call = self.single(index + 1) == b'(';
            if is_attribute(&name) {
                let last = if call { self.closing(index + 1).unwrap_or(index) } else { index };
                if self
                    .text
                    .get(self.tokens[index].start..self.tokens[last].end)
                    .is_some_and(|text| name == "__declspec" && memchr::memmem::find(text, b"thread").is_some())
                {
                    self.thread_local.push(self.tokens[index].start);
                }
                self.remove(index, last);
            } else if name.contains("UNUSED") && call && self.text_of(index + 3) == ")" {
                // `Py_UNUSED(x)` is the parameter x.
                let parameter = self.text_of(index + 2).to_owned();
                self.remove(index, index + 1);
                self.remove(index + 3, index + 3);
                debug_assert_eq!(self.text_of(index + 2), parameter);
            } else if name == "_Thread_local" || name == "__thread" || name == "thread_local" {
                if name == "_Thread_local" {
                    self.overwrite(index, "__thread");
                }
            } else if name.ends_with("_TLS") && is_shouted(&name) && !call
                || matches!(role, Some((Role::ThreadLocal, _)))
            {
                if !self.overwrite(index, "__thread") {
                    self.thread_local.push(self.tokens[index].start);
                    self.remove(index, index);
                }
            } else if let Some((Role::Attribute, takes)) = role
                && !is_region(&name)
                && takes == call
            {
                // An empty macro that is used as a statement leaves its `;`.
                let last = if call { self.closing(index + 1).unwrap_or(index) } else { index };
                let is_static = (self.lookup)(&name)
                    .is_some_and(|known| known.body.split_whitespace().any(|word| word == "static"));
                self.remove(index, last);
                if is_static && name.len() >= 6 {
                    let start = self.tokens[index].start;
                    self.text[start..start + 6].copy_from_slice(b"static");
                }
            }
        }
    }

    /// What depends on where it stands.
    fn scopes(&mut self) {
        let mut stack: Vec<Scope> = Vec::new();
        // The last token that is still there, and whether a statement or declaration begins behind it.
        let mut previous: Option<usize> = None;
        let mut parentheses = 0i32;
        let mut index = 0;
        while index < self.tokens.len() {
            if self.gone[index] {
                index += 1;
                continue;
            }
            let scope = stack.last().copied().unwrap_or(Scope::Outer);
            let begins = parentheses == 0
                && previous.is_none_or(|previous| {
                    self.ended[previous] || matches!(self.single(previous), b';' | b'{' | b'}' | b':')
                });
            match self.single(index) {
                b'{' => {
                    let before = previous.map_or(String::new(), |previous| self.text_of(previous).to_owned());
                    stack.push(self.scope_of(index, &before, scope));
                    parentheses = 0;
                }
                b'}' => {
                    stack.pop();
                    parentheses = 0;
                }
                b'(' | b'[' => parentheses += 1,
                b')' | b']' => parentheses = (parentheses - 1).max(0),
                _ if !begins
                    && parentheses == 0
                    && matches!(scope, Scope::Outer | Scope::Struct)
                    && previous.is_some_and(|previous| self.ends_type(previous)) =>
                {
                    self.made_name(index);
                }
                _ if self.kind(index) == Some(Kind::Ident) && (begins || scope == Scope::Init) => {
                    let text = self.text_of(index).to_owned();
                    let last = match scope {
                        Scope::Code if begins => self.statement(index, &text),
                        Scope::Struct if begins => self.member(index, &text),
                        Scope::Init => self.element(index, &text),
                        Scope::Outer if begins => self.declaration(index, &text),
                        _ => index,
                    };
                    if last > index {
                        index = last;
                    }
                }
                _ => {}
            }
            if !self.gone.get(index).copied().unwrap_or(true) {
                previous = Some(index);
            }
            index += 1;
        }
    }

    /// Whether the name that is declared can stand behind this token.
    fn ends_type(&self, index: usize) -> bool {
        self.kind(index) == Some(Kind::Ident) || matches!(self.single(index), b'*' | b'&' | b'>' | b':')
    }

    /// `static int NAME(f)(int x)`, `template void NAME(f)<int>(int);`: a macro makes the name that is declared of another one. The other
    /// one is left, which the parser takes for the name.
    fn made_name(&mut self, index: usize) {
        let argument = self.kind(index + 2) == Some(Kind::Ident) && self.single(index + 3) == b')';
        if !argument || self.single(index + 1) != b'(' || !is_shouted(self.text_of(index)) {
            return;
        }
        if (index..=index + 3).any(|token| self.gone.get(token).copied().unwrap_or(true)) {
            return;
        }
        let next = self.next(index + 3);
        // `RESULT(int)(*f)(…)` is a type.
        let declares = match self.single(next) {
            b'<' => true,
            b'(' => !matches!(self.single(self.next(next)), b'*' | b'&' | b'^'),
            _ => false,
        };
        if declares {
            self.remove(index, index + 1);
            self.remove(index + 3, index + 3);
        }
    }

    fn scope_of(&self, index: usize, before: &str, scope: Scope) -> Scope {
        if scope == Scope::Init || matches!(before, "=" | "," | "(" | "return" | "[") {
            return Scope::Init;
        }
        if scope == Scope::Code || before == ")" {
            // `(T){…}` is an initialiser, `f(x) {` and `if (x) {` are not; both parse either way.
            let is_struct = self.introduces(index);
            return if is_struct { Scope::Struct } else { Scope::Code };
        }
        if self.introduces(index) {
            return Scope::Struct;
        }
        match before {
            "const" | "noexcept" | "override" | "final" | "try" | "else" | "do" => Scope::Code,
            _ => Scope::Outer,
        }
    }

    /// Whether the brace at `index` belongs to a struct, union, class or enum.
    fn introduces(&self, index: usize) -> bool {
        let mut at = index;
        for _ in 0..24 {
            let Some(before) = at.checked_sub(1) else { return false };
            at = before;
            if self.gone[at] {
                continue;
            }
            match self.text_of(at) {
                "struct" | "union" | "class" => return true,
                "enum" => return false,
                ";" | "{" | "}" | ")" | "=" => return false,
                _ => {}
            }
        }
        false
    }

    /// A statement that begins with a name: a macro may want a `;`.
    fn statement(&mut self, index: usize, name: &str) -> usize {
        const WORDS: [&str; 20] = [
            "if", "for", "while", "switch", "return", "do", "else", "case", "default", "goto", "break", "continue",
            "sizeof", "typedef", "struct", "static", "const", "try", "catch", "throw",
        ];
        if WORDS.contains(&name) {
            return index;
        }
        let mut last = index;
        let call = self.text_of(index + 1) == "(" && !self.gone[index + 1];
        if call {
            let Some(close) = self.closing(index + 1) else { return index };
            last = close;
        }
        let next = self.next(last);
        let follows = self.text_of(next).to_owned();
        if follows == ";" {
            return index;
        }
        let role = (self.lookup)(name).map(|known| known.role);
        if follows == "{" {
            let is_loop = role
                .is_none_or(|role| matches!(role, Role::LoopHead | Role::Other | Role::Unbalanced | Role::Expression));
            if is_loop && (call || is_shouted(name)) {
                let new = if call { "while" } else { "while(1)" };
                if !self.overwrite(index, new) && call {
                    self.overwrite(index, "if");
                }
            }
            return index;
        }
        let region = is_region(name)
            || matches!(role, Some(Role::Unbalanced | Role::Statement))
            || is_shouted(name) && self.newline_between(last, next)
            || role == Some(Role::Expression) && call && self.newline_between(last, next);
        let operator =
            self.kind(next) == Some(Kind::Punct) && !matches!(follows.as_str(), "}" | "*" | "(" | "++" | "--" | "#");
        if region && !operator && (call || role.is_some() || is_region(name) || is_shouted(name)) {
            if role == Some(Role::LoopHead) {
                // `EACH(i, n)` before a single statement.
                self.overwrite(index, "while");
            } else if self.newline_between(last, next)
                || is_region(name)
                || matches!(role, Some(Role::Unbalanced | Role::Statement))
            {
                self.put_behind(last, b';');
                return last;
            }
        }
        index
    }

    /// `PyObject_HEAD` and the like become a member.
    fn member(&mut self, index: usize, name: &str) -> usize {
        let next = self.next(index);
        let ended = self.text_of(next) == ";";
        let new = match (name, ended) {
            ("PyObject_HEAD", false) => "PyObject o_b;",
            ("PyObject_HEAD", true) => "PyObject o_b_",
            ("PyObject_VAR_HEAD", false) => "PyVarObject o_b; ",
            ("PyObject_VAR_HEAD", true) => "PyVarObject o_b__",
            _ => {
                let call = self.text_of(index + 1) == "(";
                let last = if call { self.closing(index + 1).unwrap_or(index) } else { index };
                let next = self.next(last);
                if is_shouted(name) && self.newline_between(last, next) && self.text_of(next) != ";" {
                    let is_head = name.ends_with("_HEAD") && name.len() >= 13;
                    if is_head && !call {
                        self.overwrite(index, "PyObject o_b;");
                        self.ended[index] = true;
                    } else {
                        self.remove(index, last);
                    }
                    return last;
                }
                return index;
            }
        };
        self.overwrite(index, new);
        self.ended[index] = !ended;
        index
    }

    /// `PyVarObject_HEAD_INIT(…)` and `FOO_METHODDEF` bring their own comma.
    fn element(&mut self, index: usize, name: &str) -> usize {
        let call = self.text_of(index + 1) == "(";
        let last = if call { self.closing(index + 1).unwrap_or(index) } else { index };
        let next = self.next(last);
        let follows = self.text_of(next);
        let separate = match self.kind(next) {
            Some(Kind::Ident) => {
                self.newline_between(last, next) && !matches!(name, "struct" | "const" | "unsigned" | "sizeof")
            }
            Some(Kind::Str | Kind::Number) => name.ends_with("HEAD_INIT"),
            Some(Kind::Punct) => match follows {
                "{" => is_shouted(name) || name.ends_with("HEAD_INIT"),
                "." => name.ends_with("HEAD_INIT"),
                _ => false,
            },
            _ => false,
        };
        if separate {
            self.put_behind(last, b',');
            return last;
        }
        index
    }

    /// A declaration at file scope: what stands before its type, and macros that define something.
    fn declaration(&mut self, index: usize, name: &str) -> usize {
        const PLAIN: [&str; 14] = [
            "static",
            "extern",
            "inline",
            "const",
            "struct",
            "union",
            "enum",
            "typedef",
            "class",
            "namespace",
            "template",
            "using",
            "public",
            "private",
        ];
        if name == "static" || name == "extern" || name == "inline" || name == "typedef" {
            // What follows is still the beginning of a declaration.
            let next = self.next(index);
            if self.kind(next) == Some(Kind::Ident) {
                let text = self.text_of(next).to_owned();
                if !PLAIN.contains(&text.as_str()) {
                    self.declaration(next, &text);
                }
            }
            return index;
        }
        if PLAIN.contains(&name) {
            return index;
        }
        if name == "PyMODINIT_FUNC" {
            self.overwrite(index, "PyObject*");
            return index;
        }
        let call = self.text_of(index + 1) == "(" && !self.gone[index + 1];
        if !call {
            let next = self.next(index);
            let second = self.next(next);
            let declares = self.kind(next) == Some(Kind::Ident)
                && (self.kind(second) == Some(Kind::Ident)
                    || matches!(self.text_of(second), "*" | "(" | "&" | "<" | "::"));
            let function = self.text_of(second) == "(";
            // `HANDLE f(` has a type in front, `EXPORT f(` has none left: the former is kept.
            if is_shouted(name)
                && declares
                && !function
                && (self.lookup)(name).is_none_or(|known| known.role != Role::Expression)
            {
                self.remove(index, index);
            }
            return index;
        }
        let Some(close) = self.closing(index + 1) else { return index };
        let next = self.next(close);
        let follows = self.text_of(next).to_owned();
        let known = (self.lookup)(name);
        let wraps_type = matches!(name, "PyAPI_FUNC" | "PyAPI_DATA" | "Py_LOCAL" | "Py_LOCAL_INLINE")
            || known.is_some_and(|known| {
                !known.body.contains(['{', ';'])
                    && ["static", "extern", "inline", "__attribute__"].iter().any(|word| known.body.contains(word))
            })
            || known.is_none() && is_shouted(name) && !self.newline_between(close, next);
        if wraps_type && (self.kind(next) == Some(Kind::Ident) || follows == "*") {
            let is_static = name.starts_with("Py_LOCAL") || known.is_some_and(|known| known.body.contains("static"));
            self.remove(index, index + 1);
            self.remove(close, close);
            if is_static && name.len() > 6 {
                let start = self.tokens[index].start;
                self.text[start..start + 6].copy_from_slice(b"static");
            }
            return index;
        }
        let shouted = is_shouted(name)
            || known.is_some_and(|known| matches!(known.role, Role::Definition | Role::Other | Role::Unbalanced));
        let ends = !matches!(follows.as_str(), "{" | "=" | ":" | "[" | "->" | "const" | "noexcept" | "throw");
        if shouted && ends {
            let last = if follows == ";" { next } else { close };
            self.remove(index, last);
            return last;
        }
        index
    }
}
