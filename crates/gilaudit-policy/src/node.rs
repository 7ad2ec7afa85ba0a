//! A policy text as a tree of values with positions, before anything is judged. YAML and TOML both become this.

use std::sync::Arc;

use crate::diagnostic::Place;

/// What a text may hold at most. Policies are small; these limits are there for hostile input.
pub(crate) mod limit {
    /// Bytes of a text.
    pub(crate) const BYTES: usize = 1 << 20;
    /// Values in a text, aliases expanded.
    pub(crate) const NODES: usize = 20_000;
    /// Values inside values.
    pub(crate) const DEPTH: usize = 16;
}

/// A position: line and column, 1-based, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// From one position to just before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: Mark,
    pub(crate) end: Mark,
}

impl Span {
    /// The single character at `start`.
    pub(crate) fn at(start: Mark) -> Self {
        Self { start, end: Mark { column: start.column.saturating_add(1), ..start } }
    }

    pub(crate) fn place(self, file: &Arc<str>) -> Place {
        Place {
            file: Arc::clone(file),
            line: self.start.line,
            column: self.start.column,
            end_line: self.end.line,
            end_column: self.end.column,
        }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    /// The text of a scalar; for a table its first key, for a list its first character: enough to point at.
    pub(crate) span: Span,
}

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Nothing written.
    Empty,
    /// A scalar exactly as written: `off`, `3.10` and `2026-01-01` are words here, not a boolean, a number and a date.
    Text {
        /// What is written, escapes resolved.
        text: String,
        /// Whether YAML or TOML would take it for a number or a boolean.
        typed: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// A table; duplicate keys are still in it.
    Table(Vec<Entry>),
}

impl Value {
    /// What it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Empty => "nothing",
            Self::Text { typed: false, .. } => "text",
            Self::Text { typed: true, .. } => "a number or boolean",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Node,
}

impl Node {
    pub(crate) fn table(entries: Vec<Entry>, start: Mark) -> Self {
        let span = entries.first().map_or_else(|| Span::at(start), |entry| entry.key_span);
        Self { value: Value::Table(entries), span }
    }
}
