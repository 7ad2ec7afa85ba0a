//! Tokens and logical lines of Cython.
//!
//! The lexical structure is Python's, with C's operators (`&`, `->`), string prefixes (`c"…"`) and number suffixes. A bracket that is
//! never closed would swallow the rest of a file, so a line that begins a definition at the indentation of the open statement, or left
//! of it, ends that statement.

use std::ops::Range;

use gilaudit_model::source::Span;

use crate::python::logical::{is_word, string_end};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Word,
    Number,
    Str,
    Op,
}

/// A token; offsets are into the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// A logical line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Columns of indentation, tabs to the next multiple of 8.
    pub(super) indent: u32,
    /// Its tokens.
    pub(super) tokens: Range<usize>,
    /// Whether its brackets match.
    pub(super) balanced: bool,
}

/// A text, taken apart.
#[derive(Debug, Default)]
pub(super) struct Lexed {
    pub(super) tokens: Vec<Token>,
    pub(super) lines: Vec<Line>,
    pub(super) comments: Vec<Span>,
}

/// The operators of more than one character, longest first.
const OPERATORS: [&[u8]; 24] = [
    b"...", b"**=", b"//=", b">>=", b"<<=", b"!=", b"==", b"<=", b">=", b"<>", b"->", b":=", b"+=", b"-=", b"*=",
    b"/=", b"%=", b"&=", b"|=", b"^=", b"@=", b"**", b"//", b"<<",
];

/// The words that begin a definition.
const DEFINITIONS: [&[u8]; 5] = [b"def ", b"cdef ", b"cpdef ", b"class ", b"@"];

pub(super) fn lex(text: &str) -> Lexed {
    let mut lexer = Lexer { text: text.as_bytes(), at: 0, out: Lexed::default() };
    while lexer.line() {}
    lexer.out
}

struct Lexer<'t> {
    text: &'t [u8],
    at: usize,
    out: Lexed,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn indentation(&mut self) -> u32 {
        let mut indent: u32 = 0;
        while let Some(byte) = self.peek() {
            indent = match byte {
                b' ' => indent + 1,
                b'\t' => (indent / 8 + 1) * 8,
                b'\x0c' => 0,
                _ => break,
            };
            self.at += 1;
        }
        indent
    }

    fn comment(&mut self) {
        let length = memchr::memchr(b'\n', self.rest()).unwrap_or(self.rest().len());
        self.out.comments.push(Span { start: self.at as u32, end: (self.at + length) as u32 });
        self.at += length;
    }

    /// Reads the next logical line that is not empty; false at the end of the text.
    fn line(&mut self) -> bool {
        loop {
            let indent = self.indentation();
            match self.peek() {
                None => return false,
                Some(b'\n' | b'\r') => self.at += 1,
                Some(b'#') => self.comment(),
                Some(_) => {
                    self.statement(indent);
                    return true;
                }
            }
        }
    }

    fn statement(&mut self, indent: u32) {
        let first = self.out.tokens.len();
        let mut depth = 0u32;
        let mut balanced = true;
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' if depth == 0 => {
                    self.at += 1;
                    break;
                }
                b'\n' => {
                    self.at += 1;
                    let start = self.at;
                    let next = self.indentation();
                    if next <= indent && DEFINITIONS.iter().any(|word| self.rest().starts_with(word)) {
                        self.at = start;
                        balanced = false;
                        break;
                    }
                }
                b'#' => self.comment(),
                b' ' | b'\t' | b'\r' | b'\x0c' => self.at += 1,
                b'\\' => {
                    self.at += 1;
                    if self.peek() == Some(b'\r') {
                        self.at += 1;
                    }
                    if self.peek() == Some(b'\n') {
                        self.at += 1;
                    }
                }
                b'(' | b'[' | b'{' => {
                    depth += 1;
                    self.push(TokenKind::Op, 1);
                }
                b')' | b']' | b'}' => {
                    balanced &= depth > 0;
                    depth = depth.saturating_sub(1);
                    self.push(TokenKind::Op, 1);
                }
                b'"' | b'\'' => self.string(self.at, false),
                _ if byte.is_ascii_digit()
                    || byte == b'.' && self.text.get(self.at + 1).is_some_and(u8::is_ascii_digit) =>
                {
                    self.number();
                }
                _ if is_word(byte) => self.word(),
                _ => {
                    let length = OPERATORS.iter().find(|op| self.rest().starts_with(op)).map_or(1, |op| op.len());
                    self.push(TokenKind::Op, length);
                }
            }
        }
        let tokens = first..self.out.tokens.len();
        if !tokens.is_empty() {
            self.out.lines.push(Line { indent, tokens, balanced: balanced && depth == 0 });
        }
    }

    fn push(&mut self, kind: TokenKind, length: usize) {
        let end = (self.at + length).min(self.text.len());
        self.out.tokens.push(Token { kind, start: self.at as u32, end: end as u32 });
        self.at = end;
    }

    fn string(&mut self, start: usize, fields: bool) {
        let end = string_end(self.text, self.at, fields).max(self.at + 1);
        self.out.tokens.push(Token { kind: TokenKind::Str, start: start as u32, end: end as u32 });
        self.at = end;
    }

    fn word(&mut self) {
        let length = self.rest().iter().take_while(|byte| is_word(**byte)).count();
        let word = self.rest().get(..length).unwrap_or_default();
        let prefix = length <= 2 && word.iter().all(|byte| b"rbuftcRBUFTC".contains(byte));
        let fields = word.iter().any(|byte| b"fFtT".contains(byte));
        if prefix && matches!(self.text.get(self.at + length), Some(b'"' | b'\'')) {
            let start = self.at;
            self.at += length;
            self.string(start, fields);
        } else {
            self.push(TokenKind::Word, length);
        }
    }

    fn number(&mut self) {
        let mut length = 0;
        let rest = self.rest();
        let hex = rest.starts_with(b"0x") || rest.starts_with(b"0X");
        while let Some(byte) = rest.get(length) {
            let exponent = !hex && matches!(byte, b'e' | b'E') && matches!(rest.get(length + 1), Some(b'+' | b'-'));
            match byte {
                _ if exponent => length += 2,
                b'.' => length += 1,
                _ if is_word(*byte) => length += 1,
                _ => break,
            }
        }
        self.push(TokenKind::Number, length.max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::lex;

    fn shown(text: &str) -> Vec<(u32, Vec<&str>)> {
        let lexed = lex(text);
        let words = |range: std::ops::Range<usize>| {
            lexed.tokens[range].iter().map(|token| &text[token.start as usize..token.end as usize]).collect()
        };
        lexed.lines.iter().map(|line| (line.indent, words(line.tokens.clone()))).collect()
    }

    #[test]
    fn logical_lines() {
        let text = "cdef int x = 0x1e-3 # c\n\n# c\ndef f(a,\n  b):\n    return c'\\'' \\\n  + 1e-3\n";
        let all = [
            (0, vec!["cdef", "int", "x", "=", "0x1e", "-", "3"]),
            (0, vec!["def", "f", "(", "a", ",", "b", ")", ":"]),
            (4, vec!["return", "c'\\''", "+", "1e-3"]),
        ];
        assert_eq!(shown(text), all);
        assert_eq!(lex(text).comments.len(), 2);
    }

    #[test]
    fn a_bracket_that_is_not_closed_ends_at_the_next_definition() {
        let lexed = lex("def f():\n    x = (1,\n\ndef g():\n    pass\n");
        assert_eq!(lexed.lines.len(), 4);
        assert!(!lexed.lines[1].balanced && lexed.lines[2].balanced);
    }

    #[test]
    fn hostile_text_ends() {
        for text in ["'", "f'{", "\\", "((((", ")", "\u{e9}'", "1.", "\0\u{1}", "0x", "'''"] {
            lex(text);
        }
    }
}
