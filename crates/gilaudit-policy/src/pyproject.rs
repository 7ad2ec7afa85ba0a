//! `[tool.gilaudit]` of a pyproject.toml to a node tree: the same keys as in YAML, through the same validation.

use std::sync::Arc;

use gilaudit_model::Severity;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::diagnostic::Diagnostic;
use crate::node::{Entry, Mark, Node, Span, Value, limit};
use crate::policy::{Known, Policy};
use crate::suggest::nearest;
use crate::validate;

/// Reads the table, if there is one. What is wrong elsewhere in the file counts too: no tool could read it.
pub(crate) fn parse(name: &str, text: &str, known: &Known<'_>) -> Option<(Option<Policy>, Vec<Diagnostic>)> {
    let file: Arc<str> = Arc::from(name);
    let start = Span::at(Mark { line: 1, column: 1 });
    if text.len() > limit::BYTES {
        let message = format!("the file is larger than {} bytes", limit::BYTES);
        return Some((None, vec![Diagnostic::error(start.place(&file), message)]));
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut tree = Tree { lines: Lines::new(text), nodes: 0 };
    let mut syntax: Vec<Diagnostic> = errors
        .iter()
        .map(|error| {
            let span = error.span().map_or(start, |bytes| tree.lines.span(bytes));
            Diagnostic::error(span.place(&file), format!("not TOML: {}", error.message()))
        })
        .collect();
    let mut misnamed = Vec::new();
    let tool = tool_table(document.get_ref(), &mut |key, message, hint| {
        let place = tree.lines.span(key.span()).place(&file);
        misnamed.push(Diagnostic::error(place, message).hint(hint));
    });
    syntax.extend(misnamed);
    let Some((key, table)) = tool.and_then(|tool| tool.get_key_value("gilaudit")) else {
        syntax.sort();
        return (!syntax.is_empty()).then_some((None, syntax));
    };
    let key_start = tree.lines.span(key.span()).start;
    let (policy, mut diagnostics) = match tree.node(table, key_start, 0) {
        // TOML cannot say "nothing", so that an empty table is a policy that says nothing.
        Ok(root) => validate::tree(Arc::clone(&file), &root, known, &[name.to_owned()]),
        Err((span, message)) => (None, vec![Diagnostic::error(span.place(&file), message)]),
    };
    let unreadable = syntax.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    // What could not be read is missing or cut off in the tree; only what is said about other places is worth saying.
    diagnostics.retain(|found| syntax.iter().all(|syntax| syntax.place.line != found.place.line));
    diagnostics.append(&mut syntax);
    diagnostics.sort();
    Some((policy.filter(|_| !unreadable), diagnostics))
}

/// The table that tools have theirs in. Says what looks like ours and is not: a policy that does not apply is worse than none, since its
/// author counts on it.
fn tool_table<'d, 't>(
    root: &'d DeTable<'t>,
    say: &mut impl FnMut(&Spanned<DeString<'t>>, String, &'static str),
) -> Option<&'d DeTable<'t>> {
    const HINT: &str = "the policy is the table [tool.gilaudit]";
    let mut tool = None;
    for (key, value) in root {
        let (name, table) = (key.get_ref().as_ref(), value.get_ref().as_table());
        if name == "tool" {
            if table.is_none() {
                say(key, format!("'tool' must be a table, and this is {}", value.get_ref().type_str()), HINT);
            }
            tool = table;
        } else if folded(name).contains("gilaudit") {
            say(key, format!("'{name}' is nothing that is read"), HINT);
        }
        for (inner, _) in table.into_iter().flatten() {
            let inner_name = inner.get_ref().as_ref();
            // Elsewhere it may be a name like any other: that of a script, of a group of dependencies.
            let meant = nearest(name, ["tool"]).is_some()
                && strsim::osa_distance(&folded(inner_name), "gilaudit") <= 1
                && (name, inner_name) != ("tool", "gilaudit");
            if meant {
                say(inner, format!("[{name}.{inner_name}] is nothing that is read"), HINT);
            }
        }
    }
    tool
}

/// A name in lower case without what separates words.
fn folded(name: &str) -> String {
    // No longer name is a slip of ours.
    name.chars().take(100).filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

struct Tree<'t> {
    lines: Lines<'t>,
    nodes: usize,
}

impl Tree<'_> {
    fn node(&mut self, value: &Spanned<DeValue<'_>>, start: Mark, depth: usize) -> Result<Node, (Span, String)> {
        let span = self.lines.span(value.span());
        self.nodes += 1;
        if self.nodes > limit::NODES {
            return Err((span, format!("the policy holds more than {} values", limit::NODES)));
        }
        if depth > limit::DEPTH {
            return Err((span, format!("nested deeper than {} levels", limit::DEPTH)));
        }
        let text = |text: String, typed: bool| Node { value: Value::Text { text, typed }, span };
        Ok(match value.get_ref() {
            DeValue::String(word) => text(word.to_string(), false),
            DeValue::Integer(number) => text(number.as_str().to_owned(), true),
            DeValue::Float(number) => text(number.as_str().to_owned(), true),
            DeValue::Boolean(flag) => text(flag.to_string(), true),
            DeValue::Datetime(date) => text(date.to_string(), true),
            DeValue::Array(items) => {
                let items =
                    items.iter().map(|item| self.node(item, span.start, depth + 1)).collect::<Result<_, _>>()?;
                Node { value: Value::List(items), span: Span::at(span.start) }
            }
            DeValue::Table(table) => {
                let mut entries = table
                    .iter()
                    .map(|(key, value)| {
                        let key_span = self.lines.span(key.span());
                        let value = self.node(value, key_span.start, depth + 1)?;
                        Ok(Entry { key: key.get_ref().to_string(), key_span, value })
                    })
                    .collect::<Result<Vec<_>, (Span, String)>>()?;
                entries.sort_by_key(|entry| entry.key_span.start);
                Node::table(entries, start)
            }
        })
    }
}

/// Byte offsets to lines and columns.
struct Lines<'t> {
    text: &'t str,
    /// Where each line begins.
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    fn mark(&self, byte: usize) -> Mark {
        let line = self.starts.partition_point(|start| *start <= byte).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or_default();
        let before = self.text.get(start..byte.min(self.text.len())).unwrap_or_default();
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Mark { line: number(line), column: number(before.chars().count()).saturating_add(1) }
    }

    fn span(&self, bytes: std::ops::Range<usize>) -> Span {
        let (start, end) = (self.mark(bytes.start), self.mark(bytes.end));
        if end > start { Span { start, end } } else { Span::at(start) }
    }
}
