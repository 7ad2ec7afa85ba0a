//! Takes values out of a node tree, and says what is wrong with those that are not what they should be.

use std::collections::HashMap;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Place};
use crate::node::{Entry, Node, Span, Value};
use crate::suggest::nearest;

/// How many diagnostics get a "did you mean": comparing words is the only thing here that costs, and nobody reads so many.
const SUGGESTIONS: usize = 100;

/// Longer vocabularies, such as that of all rules, are not listed in a hint.
const LISTED: usize = 12;

/// The diagnostics of one file, as they are found.
pub(crate) struct Reader {
    pub(crate) file: Arc<str>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Reader {
    pub(crate) fn new(file: Arc<str>) -> Self {
        Self { file, diagnostics: Vec::new() }
    }

    pub(crate) fn place(&self, span: Span) -> Place {
        span.place(&self.file)
    }

    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>) {
        let place = self.place(span);
        self.diagnostics.push(Diagnostic::error(place, message));
    }

    pub(crate) fn error_with_hint(&mut self, span: Span, message: impl Into<String>, hint: impl Into<String>) {
        let place = self.place(span);
        self.diagnostics.push(Diagnostic::error(place, message).hint(hint));
    }

    fn wrong_type(&mut self, node: &Node, what: &str, wanted: &str) {
        self.error(node.span, format!("{what} must be {wanted}, and this is {}", node.value.kind()));
    }

    /// That `word` is none of the known ones, and which is nearest or what they all are.
    pub(crate) fn unknown(&mut self, span: Span, what: &str, word: &str, known: &[&str]) {
        let near = if self.diagnostics.len() < SUGGESTIONS { nearest(word, known.iter().copied()) } else { None };
        // A word of any length may stand there.
        let shown: String = word.chars().take(60).collect();
        let message = format!("unknown {what} '{shown}'");
        match near {
            Some(near) => self.error_with_hint(span, message, format!("did you mean '{near}'?")),
            None if known.len() <= LISTED => {
                self.error_with_hint(span, message, format!("one of {}", known.join(", ")))
            }
            None => self.error(span, message),
        }
    }

    /// The entries of a table that has only these keys, each once.
    pub(crate) fn table<'n>(&mut self, node: &'n Node, what: &str, key_is: &str, known: &[&str]) -> Vec<&'n Entry> {
        let entries = match &node.value {
            Value::Table(entries) => entries,
            // A key whose entries are all commented out.
            Value::Empty => return Vec::new(),
            _ => {
                self.wrong_type(node, what, "a table");
                return Vec::new();
            }
        };
        let mut first: HashMap<&str, Span> = HashMap::new();
        let mut taken = Vec::new();
        for entry in entries {
            if let Some(before) = first.get(entry.key.as_str()) {
                let hint = format!("it first stands in line {}", before.start.line);
                self.error_with_hint(entry.key_span, format!("'{}' is given twice", entry.key), hint);
                continue;
            }
            first.insert(&entry.key, entry.key_span);
            if known.contains(&entry.key.as_str()) {
                taken.push(entry);
            } else if entry.key == "<<" {
                let hint = "write the keys out, or use 'extends'";
                self.error_with_hint(entry.key_span, "a policy has no merge keys", hint);
            } else {
                self.unknown(entry.key_span, key_is, &entry.key, known);
            }
        }
        taken
    }

    /// The items of a list.
    pub(crate) fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.value {
            Value::List(items) => items,
            Value::Empty => &[],
            _ => {
                self.wrong_type(node, what, "a list");
                &[]
            }
        }
    }

    /// A scalar as written, whatever YAML or TOML would take it for: a version, a hash, a date, a word.
    pub(crate) fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match &node.value {
            Value::Text { text, .. } => Some(text.trim()),
            _ => {
                self.wrong_type(node, what, "text");
                None
            }
        }
    }

    /// Something written for people. A number or `true` there is a slip.
    pub(crate) fn prose<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match &node.value {
            Value::Text { text, typed: false } => Some(text.trim()),
            _ => {
                self.wrong_type(node, what, "text");
                None
            }
        }
    }

    /// One of the words of a vocabulary.
    pub(crate) fn word<T: Copy>(&mut self, node: &Node, what: &str, vocabulary: &[(&'static str, T)]) -> Option<T> {
        let word = self.text(node, &format!("the {what}"))?;
        let found = vocabulary.iter().find(|(known, _)| *known == word).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<&str> = vocabulary.iter().map(|(known, _)| *known).collect();
            self.unknown(node.span, what, word, &known);
        }
        found
    }
}
