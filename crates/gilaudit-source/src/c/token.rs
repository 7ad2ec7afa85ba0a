//! Tokens of C and C++, by byte offsets.

#![allow(
    clippy::indexing_slicing,
    reason = "indices of lists made here; whoever calls catches a mistake as a problem of the project"
)]

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ident,
    Number,
    Str,
    Char,
    Punct,
    Comment,
    /// A preprocessor line with its continuations, without the line break.
    Directive,
}

/// A token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Token {
    pub(crate) fn text<'s>(&self, source: &'s [u8]) -> &'s str {
        source.get(self.start..self.end).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

fn is_ident(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// The tokens of a text. Anything is tokenised; what is not closed ends at the end of its line (strings) or of the text (comments).
pub(crate) fn tokens(source: &[u8]) -> Vec<Token> {
    let at = |index: usize| source.get(index).copied().unwrap_or(0);
    let mut out = Vec::with_capacity(source.len() / 4);
    let (mut i, mut line_start) = (0, true);
    while i < source.len() {
        let byte = at(i);
        if byte == b'\n' {
            line_start = true;
            i += 1;
            continue;
        }
        if byte.is_ascii_whitespace() || byte == b'\\' && matches!(at(i + 1), b'\n' | b'\r') {
            i += 1;
            continue;
        }
        let start = i;
        let kind = if byte == b'/' && at(i + 1) == b'*' {
            let rest = source.get(i + 2..).unwrap_or_default();
            i = memchr::memmem::find(rest, b"*/").map_or(source.len(), |found| i + found + 4);
            Kind::Comment
        } else if byte == b'/' && at(i + 1) == b'/' {
            i = line_end(source, i);
            Kind::Comment
        } else if byte == b'#' && line_start {
            i = directive_end(source, i);
            Kind::Directive
        } else if byte == b'"' || byte == b'\'' {
            i = quoted(source, i);
            if byte == b'"' { Kind::Str } else { Kind::Char }
        } else if byte.is_ascii_digit() || byte == b'.' && at(i + 1).is_ascii_digit() {
            i += 1;
            while is_ident(at(i))
                || at(i) == b'.'
                || at(i) == b'\'' && at(i + 1).is_ascii_alphanumeric()
                || matches!(at(i), b'+' | b'-')
                    && matches!(at(i - 1), b'e' | b'E' | b'p' | b'P')
                    && !is_hex(source, start)
            {
                i += 1;
            }
            Kind::Number
        } else if is_ident(byte) {
            while is_ident(at(i)) {
                i += 1;
            }
            match (at(i), source.get(start..i).unwrap_or_default()) {
                (b'"', b"R" | b"LR" | b"uR" | b"UR" | b"u8R") => {
                    i = raw_string(source, i);
                    Kind::Str
                }
                (b'"', b"L" | b"u" | b"U" | b"u8") => {
                    i = quoted(source, i);
                    Kind::Str
                }
                (b'\'', b"L" | b"u" | b"U" | b"u8") => {
                    i = quoted(source, i);
                    Kind::Char
                }
                _ => Kind::Ident,
            }
        } else {
            let two = [byte, at(i + 1)];
            let joined = matches!(
                &two,
                b"->"
                    | b"::"
                    | b"++"
                    | b"--"
                    | b"=="
                    | b"!="
                    | b"<="
                    | b">="
                    | b"&&"
                    | b"||"
                    | b"+="
                    | b"-="
                    | b"*="
                    | b"/="
                    | b"%="
                    | b"&="
                    | b"|="
                    | b"^="
                    | b"##"
            );
            i += if joined { 2 } else { 1 };
            Kind::Punct
        };
        line_start = kind == Kind::Comment && line_start;
        out.push(Token { kind, start, end: i.min(source.len()) });
    }
    out
}

fn is_hex(source: &[u8], start: usize) -> bool {
    matches!(source.get(start..start + 2), Some(b"0x" | b"0X"))
}

/// The end of a line, over continuations.
fn line_end(source: &[u8], from: usize) -> usize {
    let mut i = from;
    loop {
        let rest = source.get(i..).unwrap_or_default();
        let Some(found) = memchr::memchr(b'\n', rest) else { return source.len() };
        let end = i + found;
        let before = source.get(..end).unwrap_or_default();
        let before = before.strip_suffix(b"\r").unwrap_or(before);
        if !before.ends_with(b"\\") {
            return end;
        }
        i = end + 1;
    }
}

/// The end of a directive: of its line over continuations, and over a block comment that begins on it.
fn directive_end(source: &[u8], from: usize) -> usize {
    let end = line_end(source, from);
    let line = source.get(from..end).unwrap_or_default();
    match memchr::memmem::rfind(line, b"/*") {
        Some(open) if memchr::memmem::find(&line[open..], b"*/").is_none() && !line[..open].contains(&b'"') => {
            // The comment itself is a token of its own.
            let line_comment = memchr::memmem::find(&line[..open], b"//").is_some();
            if line_comment { end } else { from + open }
        }
        _ => end,
    }
}

fn quoted(source: &[u8], from: usize) -> usize {
    let quote = source.get(from).copied().unwrap_or(b'"');
    let mut i = from + 1;
    while let Some(byte) = source.get(i) {
        match byte {
            b'\\' => i += 2,
            b'\n' => return i,
            byte if *byte == quote => return i + 1,
            _ => i += 1,
        }
    }
    source.len()
}

fn raw_string(source: &[u8], from: usize) -> usize {
    let rest = source.get(from + 1..).unwrap_or_default();
    let Some(open) = rest.iter().take(17).position(|byte| *byte == b'(') else { return quoted(source, from) };
    let mut close = vec![b')'];
    close.extend_from_slice(&rest[..open]);
    close.push(b'"');
    memchr::memmem::find(rest, &close).map_or(source.len(), |found| from + 1 + found + close.len())
}
