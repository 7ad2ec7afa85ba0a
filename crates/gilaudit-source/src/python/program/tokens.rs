//! The tokens of a Python file, with indentation.
//!
//! CPython's lexer as far as a reader of correct programs needs it: what it would refuse for other reasons than its shape is let through.

use super::super::logical::{is_word, string_end};

/// CPython 3.14.7 `Parser/lexer/state.h`: MAXLEVEL.
const BRACKETS: usize = 200;

/// CPython 3.14.7 `Parser/lexer/state.h`: MAXINDENT.
const BLOCKS: usize = 100;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    Number,
    Text,
    /// An operator or bracket, by its text.
    Op,
    Newline,
    Indent,
    Dedent,
    End,
}

/// One token: a piece of the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) line: u32,
}

/// What stands in the way of reading all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) line: u32,
    pub(super) why: &'static str,
}

struct Lexer<'t> {
    text: &'t [u8],
    at: usize,
    line: u32,
    depth: usize,
    indents: Vec<usize>,
    tokens: Vec<Token>,
}

const THREE: [&[u8]; 5] = [b"**=", b"//=", b">>=", b"<<=", b"..."];
const TWO: [&[u8]; 21] = [
    b"**", b"//", b">>", b"<<", b"<=", b">=", b"==", b"!=", b"->", b"+=", b"-=", b"*=", b"/=", b"%=", b"@=", b"&=",
    b"|=", b"^=", b":=", b"<>", b"||",
];

/// The tokens of a text, and what was refused first: the tokens end there.
pub(super) fn tokens(text: &[u8]) -> (Vec<Token>, Option<Refused>) {
    let mut lexer =
        Lexer { text, at: 0, line: 1, depth: 0, indents: vec![0], tokens: Vec::with_capacity(text.len() / 4) };
    let refused = lexer.run().err().map(|why| Refused { line: lexer.line, why });
    if lexer.tokens.last().is_some_and(|last| last.kind != Kind::Newline) {
        lexer.push(Kind::Newline, text.len());
    }
    while lexer.indents.len() > 1 {
        lexer.indents.pop();
        lexer.push(Kind::Dedent, text.len());
    }
    lexer.push(Kind::End, text.len());
    (lexer.tokens, refused)
}

impl Lexer<'_> {
    fn push(&mut self, kind: Kind, start: usize) {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        self.tokens.push(Token { kind, start: place(start), end: place(self.at.max(start)), line: self.line });
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn run(&mut self) -> Result<(), &'static str> {
        while self.at < self.text.len() {
            if self.depth == 0 {
                self.indentation()?;
            }
            self.logical()?;
        }
        if self.depth > 0 { Err("a bracket is not closed") } else { Ok(()) }
    }

    fn indentation(&mut self) -> Result<(), &'static str> {
        loop {
            let mut column = 0_usize;
            loop {
                match self.peek(0) {
                    b' ' => column += 1,
                    b'\t' => column = (column / 8 + 1) * 8,
                    0x0c => column = 0,
                    _ => break,
                }
                self.at += 1;
            }
            match self.peek(0) {
                b'#' => self.comment(),
                b'\r' if self.peek(1) == b'\n' => self.at += 1,
                b'\n' | b'\r' => {
                    self.at += 1;
                    self.line += 1;
                }
                b'\\' if matches!(self.peek(1), b'\n' | b'\r') => return Ok(()),
                0 if self.at >= self.text.len() => return Ok(()),
                _ => return self.indent(column),
            }
        }
    }

    fn indent(&mut self, column: usize) -> Result<(), &'static str> {
        let current = self.indents.last().copied().unwrap_or(0);
        if column > current {
            if self.indents.len() >= BLOCKS {
                return Err("too many blocks within each other");
            }
            self.indents.push(column);
            self.push(Kind::Indent, self.at);
            return Ok(());
        }
        while self.indents.last().is_some_and(|indent| *indent > column) {
            self.indents.pop();
            self.push(Kind::Dedent, self.at);
        }
        if self.indents.last() == Some(&column) { Ok(()) } else { Err("the indentation fits no block") }
    }

    fn comment(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
    }

    /// The rest of a logical line, with its end.
    fn logical(&mut self) -> Result<(), &'static str> {
        while self.at < self.text.len() {
            let start = self.at;
            match self.peek(0) {
                b' ' | b'\t' | 0x0c => self.at += 1,
                b'#' => self.comment(),
                b'\r' | b'\n' => {
                    let wide = self.peek(0) == b'\r' && self.peek(1) == b'\n';
                    self.at += 1 + usize::from(wide);
                    if self.depth == 0 {
                        self.push(Kind::Newline, start);
                        self.line += 1;
                        return Ok(());
                    }
                    self.line += 1;
                }
                b'\\' if matches!(self.peek(1), b'\n' | b'\r') => {
                    let wide = self.peek(1) == b'\r' && self.peek(2) == b'\n';
                    self.at += 2 + usize::from(wide);
                    self.line += 1;
                }
                b'"' | b'\'' => self.text_literal(start, false)?,
                b'0'..=b'9' => self.number(start),
                b'.' if self.peek(1).is_ascii_digit() => self.number(start),
                byte if is_word(byte) => self.word(start)?,
                _ => self.operator(start)?,
            }
        }
        Ok(())
    }

    fn word(&mut self, start: usize) -> Result<(), &'static str> {
        let rest = self.text.get(start..).unwrap_or_default();
        let length = rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len());
        self.at += length;
        if length <= 2 && matches!(self.peek(0), b'"' | b'\'') {
            let prefix = rest.get(..length).unwrap_or_default();
            if prefix.iter().all(|byte| matches!(byte.to_ascii_lowercase(), b'r' | b'b' | b'u' | b'f' | b't')) {
                let fields = prefix.iter().any(|byte| matches!(byte.to_ascii_lowercase(), b'f' | b't'));
                return self.text_literal(start, fields);
            }
        }
        self.push(Kind::Name, start);
        Ok(())
    }

    fn text_literal(&mut self, start: usize, fields: bool) -> Result<(), &'static str> {
        let end = string_end(self.text, self.at, fields);
        let body = self.text.get(self.at..end).unwrap_or_default();
        let quote = self.peek(0);
        let is_closed = body.len() >= 2 && body.last() == Some(&quote);
        self.at = end.max(self.at + 1);
        self.push(Kind::Text, start);
        self.line += u32::try_from(memchr::memchr_iter(b'\n', body).count()).unwrap_or(0);
        if is_closed { Ok(()) } else { Err("a text is not closed") }
    }

    fn number(&mut self, start: usize) {
        let hex = self.peek(0) == b'0' && matches!(self.peek(1), b'x' | b'X' | b'b' | b'B' | b'o' | b'O');
        loop {
            let byte = self.peek(0);
            let exponent = !hex
                && matches!(byte, b'e' | b'E')
                && matches!(self.peek(1), b'+' | b'-')
                && self.peek(2).is_ascii_digit();
            if exponent {
                self.at += 2;
            } else if is_word(byte) && byte < 0x80 && !self.keyword_follows(hex) || byte == b'.' && !hex {
                self.at += 1;
            } else {
                break;
            }
        }
        self.push(Kind::Number, start);
    }

    /// `1if x else y` is old but valid.
    fn keyword_follows(&self, hex: bool) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default();
        !hex && [&b"if"[..], b"else", b"and", b"or", b"in", b"is", b"not", b"for"]
            .iter()
            .any(|word| rest.starts_with(word) && rest.get(word.len()).is_none_or(|next| !is_word(*next)))
    }

    fn operator(&mut self, start: usize) -> Result<(), &'static str> {
        let rest = self.text.get(start..).unwrap_or_default();
        let length = if THREE.iter().any(|op| rest.starts_with(op)) {
            3
        } else if TWO.iter().any(|op| rest.starts_with(op)) {
            2
        } else {
            1
        };
        match rest.first() {
            Some(b'(' | b'[' | b'{') => self.depth += 1,
            Some(b')' | b']' | b'}') => match self.depth.checked_sub(1) {
                Some(depth) => self.depth = depth,
                None => return Err("a bracket is closed that was not opened"),
            },
            Some(
                b',' | b':' | b'.' | b';' | b'=' | b'+' | b'-' | b'*' | b'/' | b'%' | b'@' | b'&' | b'|' | b'^' | b'~'
                | b'<' | b'>' | b'!',
            ) => {}
            _ => return Err("this character begins nothing in Python"),
        }
        if self.depth > BRACKETS {
            return Err("too many brackets within each other");
        }
        self.at += length;
        self.push(Kind::Op, start);
        Ok(())
    }
}
