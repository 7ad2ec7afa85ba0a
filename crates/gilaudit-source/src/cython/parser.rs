//! What reading a statement needs: the tokens that are left, and where what was read goes.

use gilaudit_model::source::cython::{CythonFile, Expr, ExprKind, Type};
use gilaudit_model::source::{ExprId, ExprList, Name, Names, Span};

use super::token::{Token, TokenKind};

/// How deep expressions may nest; what nests deeper does not parse.
pub(super) const DEPTH: u32 = 64;

/// Text that does not parse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed;

pub(super) type Parsed<T> = Result<T, Failed>;

/// A reader of one file.
pub(super) struct Parser<'t> {
    pub(super) text: &'t str,
    pub(super) tokens: &'t [Token],
    /// The next token.
    pub(super) at: usize,
    /// One past the last token of the statement.
    pub(super) end: usize,
    pub(super) depth: u32,
    pub(super) names: &'t mut Names,
    pub(super) out: CythonFile,
}

impl<'t> Parser<'t> {
    pub(super) fn token(&self, at: usize) -> Option<&'t Token> {
        if at < self.end { self.tokens.get(at) } else { None }
    }

    /// The text of a token; empty past the end of the statement.
    pub(super) fn word_at(&self, at: usize) -> &'t str {
        self.token(at).and_then(|token| self.text.get(token.start as usize..token.end as usize)).unwrap_or_default()
    }

    /// The text of the next token.
    pub(super) fn peek(&self) -> &'t str {
        self.word_at(self.at)
    }

    pub(super) fn kind_at(&self, at: usize) -> Option<TokenKind> {
        self.token(at).map(|token| token.kind)
    }

    /// Whether a token is a word that can be a name.
    pub(super) fn is_name(&self, at: usize) -> bool {
        self.kind_at(at) == Some(TokenKind::Word) && !is_keyword(self.word_at(at))
    }

    pub(super) fn is_done(&self) -> bool {
        self.at >= self.end
    }

    /// Takes the next token if it is this.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let found = self.peek() == text && self.kind_at(self.at) != Some(TokenKind::Str);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, text: &str) -> Parsed<()> {
        if self.take(text) { Ok(()) } else { Err(Failed) }
    }

    /// The next token as a name.
    pub(super) fn name(&mut self) -> Parsed<(Name, Span)> {
        if self.kind_at(self.at) != Some(TokenKind::Word) {
            return Err(Failed);
        }
        let name = self.names.intern(self.peek());
        let span = self.span_from(self.at, self.at + 1);
        self.at += 1;
        Ok((name, span))
    }

    /// `a.b.c`, with dots before it, as one name.
    pub(super) fn dotted(&mut self) -> Parsed<Name> {
        let mut text = String::new();
        while matches!(self.peek(), "." | "...") {
            text.push_str(self.peek());
            self.at += 1;
        }
        while self.kind_at(self.at) == Some(TokenKind::Word) && !matches!(self.peek(), "import" | "cimport") {
            text.push_str(self.peek());
            self.at += 1;
            if self.peek() != "." {
                break;
            }
            text.push('.');
            self.at += 1;
        }
        if text.is_empty() { Err(Failed) } else { Ok(self.names.intern(&text)) }
    }

    /// From the beginning of a token to the end of the one before another.
    pub(super) fn span_from(&self, first: usize, past: usize) -> Span {
        let start = self.tokens.get(first).map_or(self.text.len() as u32, |token| token.start);
        let end = past.checked_sub(1).and_then(|last| self.tokens.get(last)).map_or(start, |token| token.end);
        Span { start, end: end.max(start) }
    }

    /// One past the bracket that closes the one at `at`; the end of the statement if none does.
    pub(super) fn past_bracket(&self, at: usize) -> usize {
        let mut depth = 0u32;
        for index in at..self.end {
            if self.kind_at(index) == Some(TokenKind::Op) {
                match self.word_at(index) {
                    "(" | "[" | "{" => depth += 1,
                    ")" | "]" | "}" => {
                        depth = depth.saturating_sub(1);
                        if depth == 0 {
                            return index + 1;
                        }
                    }
                    _ => {}
                }
            }
        }
        self.end
    }

    /// Where one of these operators or words comes next outside brackets.
    pub(super) fn find(&self, from: usize, what: &[&str]) -> Option<usize> {
        let mut at = from;
        while at < self.end {
            let word = self.word_at(at);
            if self.kind_at(at) != Some(TokenKind::Str) && what.contains(&word) {
                return Some(at);
            }
            at = match word {
                "(" | "[" | "{" => self.past_bracket(at),
                ")" | "]" | "}" => return None,
                _ => at + 1,
            };
        }
        None
    }

    pub(super) fn push(&mut self, kind: ExprKind, first: usize) -> ExprId {
        let span = self.span_from(first, self.at);
        self.push_at(kind, span)
    }

    pub(super) fn push_at(&mut self, kind: ExprKind, span: Span) -> ExprId {
        self.out.exprs.push(Expr { kind, span });
        ExprId((self.out.exprs.len() - 1) as u32)
    }

    pub(super) fn list(&mut self, items: &[ExprId]) -> ExprList {
        let start = self.out.expr_lists.len() as u32;
        self.out.expr_lists.extend_from_slice(items);
        ExprList { start, len: items.len() as u32 }
    }

    /// Forgets what was read since there were so many expressions.
    pub(super) fn forget(&mut self, exprs: usize, lists: usize) {
        self.out.exprs.truncate(exprs);
        self.out.expr_lists.truncate(lists);
    }

    pub(super) fn object(&mut self) -> Type {
        Type { base: self.names.intern("object"), pointers: 0, brackets: false }
    }
}

/// Whether a word cannot be a name. `print` and `exec` can, and so can `nogil` and the words of C.
pub(super) fn is_keyword(word: &str) -> bool {
    matches!(
        word,
        "and"
            | "as"
            | "assert"
            | "break"
            | "class"
            | "continue"
            | "def"
            | "del"
            | "elif"
            | "else"
            | "except"
            | "finally"
            | "for"
            | "from"
            | "global"
            | "if"
            | "import"
            | "in"
            | "is"
            | "lambda"
            | "nonlocal"
            | "not"
            | "or"
            | "pass"
            | "raise"
            | "return"
            | "try"
            | "while"
            | "with"
            | "yield"
            | "cdef"
            | "cpdef"
            | "cimport"
    )
}
