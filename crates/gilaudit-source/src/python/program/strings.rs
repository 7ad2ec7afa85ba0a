//! What a text literal stands for.

use gilaudit_model::program::{Expr, ExprId};

use super::parser::{Parser, Read, Unread};

/// Texts longer than this are not kept: nothing that is imported is named so.
const LONGEST: usize = 64 << 10;

/// How deep f-strings stand in each other.
const NESTED: usize = 16;

struct Literal<'t> {
    raw: bool,
    bytes: bool,
    fields: bool,
    body: &'t [u8],
}

fn literal(text: &[u8]) -> Option<Literal<'_>> {
    let quote_at = text.iter().position(|byte| matches!(byte, b'"' | b'\''))?;
    let (prefix, rest) = text.split_at_checked(quote_at)?;
    let has = |letters: &[u8]| prefix.iter().any(|byte| letters.contains(byte));
    let quote = rest.first()?;
    let width = if rest.len() >= 6 && rest.starts_with(&[*quote; 3]) { 3 } else { 1 };
    let body = rest.get(width..rest.len().checked_sub(width)?)?;
    Some(Literal { raw: has(b"rR"), bytes: has(b"bB"), fields: has(b"fFtT"), body })
}

/// Resolves the escapes that a name or a piece of code may have; others stay as they are written.
fn unescaped(body: &[u8], raw: bool) -> String {
    let text = String::from_utf8_lossy(body);
    if raw || !text.contains('\\') {
        return text.into_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('\n') | None => {}
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('0') => out.push('\0'),
            Some('x') => {
                let digits: String = letters.by_ref().take(2).collect();
                out.extend(u8::from_str_radix(&digits, 16).ok().map(char::from));
            }
            Some('u') => {
                let digits: String = letters.by_ref().take(4).collect();
                out.extend(u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32));
            }
            Some(quoted @ ('\\' | '\'' | '"')) => out.push(quoted),
            Some(other) => out.extend(['\\', other]),
        }
    }
    out
}

impl<'t> Parser<'t> {
    /// One or several text literals after each other.
    pub(super) fn texts(&mut self) -> Read<ExprId> {
        let line = self.line();
        let mut parts: Vec<ExprId> = Vec::new();
        let mut plain = String::new();
        let mut bytes = false;
        while self.kind() == super::tokens::Kind::Text {
            let at = self.line();
            let text = self.peek();
            self.next();
            let Some(literal) = literal(text) else { return Err(Unread) };
            bytes |= literal.bytes;
            if !literal.fields {
                plain.push_str(&unescaped(literal.body, literal.raw));
                continue;
            }
            if !plain.is_empty() {
                let text = std::mem::take(&mut plain);
                parts.push(self.push(Expr::Str(text.into()), line));
            }
            self.fields(literal.body, literal.raw, at, &mut parts, 0)?;
        }
        let is_long = plain.len() > LONGEST;
        let text = match (bytes, is_long) {
            (_, true) => Expr::Other,
            (true, false) => Expr::Bytes(plain.into()),
            (false, false) => Expr::Str(plain.into()),
        };
        if parts.is_empty() {
            return Ok(self.push(text, line));
        }
        let last = self.push(text, line);
        parts.push(last);
        Ok(self.push(Expr::Format(parts), line))
    }

    /// The texts and replacement fields of an f-string.
    fn fields(&mut self, body: &'t [u8], raw: bool, line: u32, parts: &mut Vec<ExprId>, nested: usize) -> Read<()> {
        if nested > NESTED {
            return Err(Unread);
        }
        let mut rest = body;
        let mut text = Vec::new();
        while let Some(first) = rest.first() {
            let doubled = rest.get(1) == Some(first);
            match first {
                b'{' | b'}' if doubled && nested == 0 => {
                    text.push(*first);
                    rest = rest.get(2..).unwrap_or_default();
                }
                // `\N{DASH}` is a character.
                b'\\' if !raw && rest.starts_with(b"\\N{") => {
                    let end = memchr::memchr(b'}', rest).map_or(rest.len(), |end| end + 1);
                    text.push(b'?');
                    rest = rest.get(end..).unwrap_or_default();
                }
                b'{' => {
                    if !text.is_empty() {
                        let text = unescaped(&std::mem::take(&mut text), raw);
                        parts.push(self.push(Expr::Str(text.into()), line));
                    }
                    let inner = rest.get(1..).unwrap_or_default();
                    let (code, after) = field_end(inner);
                    let code_text = inner.get(..code).unwrap_or_default();
                    let code_text = code_text.trim_ascii();
                    // `{name=}` is for people.
                    let trimmed = match code_text.strip_suffix(b"=") {
                        Some(name) if !name.ends_with(b"=") && !name.ends_with(b"!") => name,
                        _ => code_text,
                    };
                    let value = self.field(trimmed, line)?;
                    parts.push(value);
                    let format = inner.get(code..after.saturating_sub(1)).unwrap_or_default();
                    if memchr::memchr(b'{', format).is_some() {
                        let mut inside = Vec::new();
                        self.fields(format, raw, line, &mut inside, nested + 1)?;
                        // The format of a value says nothing of its text, but calls in it run.
                        let other = self.push(Expr::Other, line);
                        inside.push(other);
                        parts.push(self.push(Expr::Format(inside), line));
                    }
                    rest = inner.get(after..).unwrap_or_default();
                }
                _ => {
                    text.push(*first);
                    rest = rest.get(1..).unwrap_or_default();
                }
            }
        }
        if !text.is_empty() {
            let text = unescaped(&text, raw);
            parts.push(self.push(Expr::Str(text.into()), line));
        }
        Ok(())
    }
}

/// Where the expression of a replacement field ends, and what follows its closing brace.
fn field_end(text: &[u8]) -> (usize, usize) {
    let (mut at, mut depth, mut code) = (0_usize, 0_usize, None);
    let mut lambda = false;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' | b'\'' if code.is_none() => {
                let word = text.get(..at).unwrap_or_default();
                let prefix =
                    word.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).take(3).collect::<Vec<_>>();
                let fields = prefix.len() <= 2 && prefix.iter().any(|byte| b"fFtT".contains(byte));
                at = super::super::logical::string_end(text, at, fields).max(at + 1);
                continue;
            }
            b'(' | b'[' | b'{' => depth += 1,
            b'}' if depth == 0 => return (code.unwrap_or(at), at + 1),
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'l' if text.get(at..).is_some_and(|rest| rest.starts_with(b"lambda")) => lambda = true,
            b'!' if depth == 0 && code.is_none() && text.get(at + 1) != Some(&b'=') => code = Some(at),
            b':' if depth == 0 && code.is_none() && !lambda => code = Some(at),
            _ => {}
        }
        at += 1;
    }
    (code.unwrap_or(text.len()), text.len() + 1)
}
