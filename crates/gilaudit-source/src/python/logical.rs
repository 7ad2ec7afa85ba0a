//! Logical lines: where each statement begins and ends, how deep it is indented, whether it opens a block.
//!
//! This is the part of Python's lexical structure that finds line ends: strings (f-strings with fields nested in them), comments,
//! brackets and backslashes.

use gilaudit_model::source::Span;

/// One logical line. Offsets are into the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(test), allow(dead_code, reason = "only comments are asked for; the tests compare the lines"))]
pub(super) struct Line {
    /// Where its first physical line begins.
    pub(super) line_start: usize,
    /// Its first character after the indentation.
    pub(super) start: usize,
    /// After its last character: the newline, the comment, or the end of the text.
    pub(super) end: usize,
    /// The number of its first physical line, from 0.
    pub(super) row: usize,
    /// Columns of indentation, tabs to the next multiple of 8.
    pub(super) indent: usize,
    /// Whether it ends with a colon, and so opens a block.
    pub(super) opens: bool,
    /// Whether CPython would refuse it for its nested brackets.
    pub(super) too_deep: bool,
}

/// CPython 3.14.7 `Parser/lexer/state.h`: MAXLEVEL.
const BRACKETS: usize = 200;

/// How deep f-strings are looked into.
const NESTED: usize = 64;

struct Lexer<'t> {
    text: &'t [u8],
    at: usize,
    row: usize,
    /// The comments so far.
    comments: Vec<Span>,
}

/// Where the string ends whose opening quote is at `at`; in an f-string there may be strings in its fields.
pub(crate) fn string_end(text: &[u8], at: usize, fields: bool) -> usize {
    let mut lexer = Lexer { text, at, row: 0, comments: Vec::new() };
    lexer.string(fields, 0);
    lexer.at.min(text.len())
}

/// The logical lines of a text.
#[cfg(test)]
fn lines(text: &[u8]) -> Vec<Line> {
    let mut lexer = Lexer { text, at: 0, row: 0, comments: Vec::new() };
    let mut lines = Vec::new();
    while let Some(line) = lexer.line() {
        lines.push(line);
    }
    lines
}

/// The comments of a text.
pub(super) fn comments(text: &[u8]) -> Vec<Span> {
    let mut lexer = Lexer { text, at: 0, row: 0, comments: Vec::new() };
    while lexer.line().is_some() {}
    lexer.comments
}

impl Lexer<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn looking_at(&self, what: &[u8]) -> bool {
        self.text.get(self.at..).is_some_and(|rest| rest.starts_with(what))
    }

    /// The next logical line that is not empty.
    fn line(&mut self) -> Option<Line> {
        loop {
            let line_start = self.at;
            let indent = self.indentation();
            match self.peek()? {
                b'\n' => self.newline(),
                b'\r' => self.at += 1,
                b'#' => self.comment(),
                b'\\' if self.text.get(self.at + 1).is_some_and(|next| matches!(next, b'\n' | b'\r')) => {
                    self.at += 1;
                }
                _ => {
                    let (start, row) = (self.at, self.row);
                    let (end, opens, too_deep) = self.statement();
                    return Some(Line { line_start, start, end, row, indent, opens, too_deep });
                }
            }
        }
    }

    fn newline(&mut self) {
        self.at += 1;
        self.row += 1;
    }

    fn indentation(&mut self) -> usize {
        let mut indent: usize = 0;
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
        let rest = self.text.get(self.at..).unwrap_or_default();
        let start = self.at as u32;
        self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        self.comments.push(Span { start, end: self.at as u32 });
    }

    /// Reads to the end of the statement, and gives it with whether a colon was last and whether brackets nest too deep.
    fn statement(&mut self) -> (usize, bool, bool) {
        let (mut depth, mut deepest): (usize, usize) = (0, 0);
        let (mut end, mut last) = (self.at, 0);
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' if depth == 0 => {
                    self.newline();
                    return (end, last == b':', deepest > BRACKETS);
                }
                b'\n' => self.newline(),
                b'#' => self.comment(),
                b' ' | b'\t' | b'\r' | b'\x0c' => self.at += 1,
                b'\\' => {
                    self.at += 1;
                    if self.peek() == Some(b'\r') {
                        self.at += 1;
                    }
                    if self.peek() == Some(b'\n') {
                        self.newline();
                    }
                }
                _ => {
                    match byte {
                        b'(' | b'[' | b'{' => depth += 1,
                        b')' | b']' | b'}' => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    deepest = deepest.max(depth);
                    if is_word(byte) {
                        self.word();
                    } else if matches!(byte, b'"' | b'\'') {
                        self.string(false, 0);
                    } else {
                        self.at += 1;
                    }
                    (end, last) = (self.at, byte);
                }
            }
        }
        (end, last == b':', deepest > BRACKETS)
    }

    /// An identifier, a number, or a prefix with its string.
    fn word(&mut self) {
        let start = self.at;
        while self.peek().is_some_and(is_word) {
            self.at += 1;
        }
        let word = self.text.get(start..self.at).unwrap_or_default();
        let is_prefix = word.len() <= 2 && word.iter().all(|byte| b"rbuftRBUFT".contains(byte));
        if is_prefix && matches!(self.peek(), Some(b'"' | b'\'')) {
            self.string(word.iter().any(|byte| b"fFtT".contains(byte)), 0);
        }
    }

    /// A string from its opening quote on. One that is not closed ends with its line, as the tokenizer's error would.
    fn string(&mut self, fields: bool, nested: usize) {
        let Some(quote) = self.peek() else { return };
        let triple = self.looking_at(&[quote, quote, quote]);
        self.at += if triple { 3 } else { 1 };
        while let Some(byte) = self.peek() {
            match byte {
                b'\\' => {
                    self.at += 1;
                    match self.peek() {
                        Some(b'\n') => self.newline(),
                        Some(_) => self.at += 1,
                        None => {}
                    }
                }
                b'\n' if !triple => return,
                b'\n' => self.newline(),
                b'{' if fields && self.text.get(self.at + 1) == Some(&b'{') => self.at += 2,
                b'{' if fields && nested < NESTED => self.field(quote, triple, nested),
                _ if byte == quote && !triple => {
                    self.at += 1;
                    return;
                }
                _ if byte == quote && self.looking_at(&[quote, quote, quote]) => {
                    self.at += 3;
                    return;
                }
                _ => self.at += 1,
            }
        }
    }

    /// A replacement field of an f-string, from its opening brace to after its closing one.
    fn field(&mut self, quote: u8, triple: bool, nested: usize) {
        self.at += 1;
        let (mut depth, mut format): (usize, bool) = (0, false);
        while let Some(byte) = self.peek() {
            match byte {
                b'}' if depth == 0 => {
                    self.at += 1;
                    return;
                }
                // In the format, the quote of the string ends it: the field was not closed.
                _ if format && byte == quote => return,
                b'{' if format => self.field(quote, triple, nested + 1),
                b'\n' if !triple && format => return,
                b'\n' => self.newline(),
                b'"' | b'\'' if !format && nested < NESTED => self.string(false, nested + 1),
                b'(' | b'[' | b'{' => {
                    depth += 1;
                    self.at += 1;
                }
                b')' | b']' | b'}' => {
                    depth = depth.saturating_sub(1);
                    self.at += 1;
                }
                b':' if depth == 0 => {
                    format = true;
                    self.at += 1;
                }
                _ if is_word(byte) && !format => {
                    let start = self.at;
                    while self.peek().is_some_and(is_word) {
                        self.at += 1;
                    }
                    let word = self.text.get(start..self.at).unwrap_or_default();
                    if matches!(self.peek(), Some(b'"' | b'\'')) && nested < NESTED {
                        self.string(word.len() <= 2 && word.iter().any(|byte| b"fFtT".contains(byte)), nested + 1);
                    }
                }
                _ => self.at += 1,
            }
            if nested >= NESTED {
                return;
            }
        }
    }
}

pub(crate) fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric() || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line as indentation, text and whether it opens a block.
    fn shown(text: &str) -> Vec<(usize, &str, bool)> {
        lines(text.as_bytes()).into_iter().map(|line| (line.indent, &text[line.start..line.end], line.opens)).collect()
    }

    #[test]
    fn statements_and_blocks() {
        let text = "import a # x\n\n# no\nif x: # y\n\tfrom b import (c,\n  d)\nz = 1 + \\\n  2\n";
        let all = [
            (0, "import a", false),
            (0, "if x:", true),
            (8, "from b import (c,\n  d)", false),
            (0, "z = 1 + \\\n  2", false),
        ];
        assert_eq!(shown(text), all);
        assert_eq!(lines(text.as_bytes()).iter().map(|line| line.row).collect::<Vec<_>>(), [0, 3, 4, 6]);
    }

    #[test]
    fn strings_hide_what_is_in_them() {
        let cases = [
            "x = '''a\nimport b\n''' # c",
            "x = r'\\'' + \"#\"",
            "x = f\"{d[\"k\"]}#\"",
            "x = f'{a:{w}.{p}}'",
            "x = f'{{' + '#'",
            "x = f'''{\n'a'\n}'''",
            "x = rb'''\n'''",
            "x = {'a': ':',\n 'b': 1}",
        ];
        for case in cases {
            let text = format!("{case}\nimport z\n");
            let all = shown(&text);
            assert_eq!(all.len(), 2, "{case}: {all:?}");
            assert_eq!(all[1].1, "import z", "{case}");
        }
    }

    #[test]
    fn what_is_not_closed_ends() {
        for text in ["'abc", "f'{", "f'{a:", "((((", "\\", "'''", "x = '\nimport a", "\x0c", "if x:", "f'{f\"{f'{"] {
            lines(text.as_bytes());
        }
        lines("f'{".repeat(5000).as_bytes());
        lines("f'{a:{".repeat(5000).as_bytes());
        assert_eq!(shown("x = 'a\nimport b").len(), 2);
    }
}
