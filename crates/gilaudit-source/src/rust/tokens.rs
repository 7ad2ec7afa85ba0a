//! The tokens of a Rust file: is it shallow enough for a recursive parser, and where are its comments?
//!
//! `syn` descends as deep as its input nests, by brackets but also by operators, method chains and `else if`. So every bracket that
//! is open counts, and every token since the last place where an expression must have ended. The lexer itself does not recurse.

use gilaudit_model::source::Span;
use proc_macro2::{Delimiter, TokenStream, TokenTree, token_stream};

/// How many brackets may be open at once.
const BRACKETS: usize = 160;
/// How many tokens may belong to the expressions that are open at once.
const TOKENS: u32 = 8_000;

/// Where the text that was lexed begins in its file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    pub(super) base: u32,
}

impl Places {
    /// A place in the file.
    pub(super) fn span(self, span: proc_macro2::Span) -> Span {
        let range = span.byte_range();
        Span { start: self.base + range.start as u32, end: self.base + range.end as u32 }
    }
}

/// The comments of a file, or nothing if it nests too deep.
pub(super) fn survey(tokens: &TokenStream, text: &str, places: Places) -> Option<Vec<Span>> {
    let mut survey = Survey { text, places, last: places.base, comments: Vec::new() };
    let mut open: Vec<Level> =
        vec![Level { rest: tokens.clone().into_iter(), close: None, weight: 0, kept: 0, block_ended: false }];
    let mut total = 0_u32;
    while let Some(level) = open.last_mut() {
        let Some(token) = level.rest.next() else {
            if let Some(close) = level.close {
                survey.token(places.span(close));
            }
            total -= level.weight;
            open.pop();
            continue;
        };
        let kept = level.kept_before(&token);
        total -= level.weight - kept;
        level.weight = kept + 1;
        total += 1;
        level.block_ended = false;
        if let TokenTree::Group(group) = &token {
            level.block_ended = group.delimiter() == Delimiter::Brace;
            survey.token(places.span(group.span_open()));
            let inner = Level {
                rest: group.stream().into_iter(),
                close: Some(group.span_close()),
                weight: 0,
                kept: 0,
                block_ended: false,
            };
            open.push(inner);
        } else {
            survey.token(places.span(token.span()));
        }
        if open.len() > BRACKETS || total > TOKENS {
            return None;
        }
    }
    survey.gap(text.len() as u32);
    Some(survey.comments)
}

/// One bracket that is open.
struct Level {
    rest: token_stream::IntoIter,
    close: Option<proc_macro2::Span>,
    /// The tokens since an expression or item last began.
    weight: u32,
    /// Those of them that a comma does not end.
    kept: u32,
    /// Whether the last token was a block.
    block_ended: bool,
}

impl Level {
    /// How much of what came before is still open when this token comes.
    fn kept_before(&mut self, token: &TokenTree) -> u32 {
        match token {
            TokenTree::Punct(punct) => match punct.as_char() {
                ';' => self.kept = 0,
                ',' => {}
                '#' if self.block_ended => self.kept = 0,
                // Arguments of types and closures nest without brackets of their own: a comma does not end them.
                '<' | '|' => {
                    self.kept += 1;
                    return self.weight;
                }
                _ => return self.weight,
            },
            TokenTree::Ident(ident) if self.block_ended && ident != "else" => self.kept = 0,
            TokenTree::Ident(_) | TokenTree::Group(_) | TokenTree::Literal(_) => return self.weight,
        }
        self.kept.min(self.weight)
    }
}

struct Survey<'t> {
    text: &'t str,
    places: Places,
    last: u32,
    comments: Vec<Span>,
}

impl Survey<'_> {
    fn token(&mut self, span: Span) {
        self.gap(span.start);
        // A doc comment becomes an attribute whose tokens all lie where the comment is.
        let text = self.text.get(span.start as usize..span.end as usize).unwrap_or_default();
        if (text.starts_with("//") || text.starts_with("/*")) && self.comments.last() != Some(&span) {
            self.comments.push(span);
        }
        self.last = self.last.max(span.end);
    }

    /// Between two tokens there is white space and comments, nothing else.
    fn gap(&mut self, end: u32) {
        let mut at = self.last;
        while at < end {
            let rest = self.text.get(at as usize..end as usize).unwrap_or_default();
            let Some(found) = rest.find('/') else { break };
            let start = at + found as u32;
            let comment = rest.get(found..).unwrap_or_default();
            let length = if comment.starts_with("//") {
                comment.find('\n').unwrap_or(comment.len())
            } else {
                block_comment(comment)
            };
            self.comments.push(Span { start, end: start + length as u32 });
            at = start + length.max(1) as u32;
        }
        self.last = self.last.max(end.min(self.text.len() as u32)).max(self.places.base);
    }
}

/// The length of a `/* … */`, which may hold others.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_u32, 0);
    let bytes = text.as_bytes();
    while let Some(pair) = bytes.get(at..at + 2) {
        match pair {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth.saturating_sub(1), at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}
