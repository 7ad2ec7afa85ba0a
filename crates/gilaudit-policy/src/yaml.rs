//! YAML text to a node tree.
//!
//! Built on the event parser inside serde-saphyr and not on its `Deserialize` side: that one stops at the first wrong value, and a
//! policy author should hear about all mistakes in one run. Scalars stay words: no YAML 1.1 surprises (`off` is not false).

use std::collections::HashMap;
use std::sync::Arc;

use serde_saphyr::granit_parser::{self, Event, Marker, Parser, ScalarStyle, StrInput};

use crate::diagnostic::Diagnostic;
use crate::node::{Entry, Mark, Node, Span, Value, limit};

/// Reads a text that holds one YAML document. A syntax error ends the reading, so there is only one.
pub(crate) fn read(file: &Arc<str>, text: &str) -> Result<Node, Diagnostic> {
    let start = Mark { line: 1, column: 1 };
    let fail = |failure: Failure| {
        let diagnostic = Diagnostic::error(failure.span.place(file), failure.message);
        match failure.hint {
            Some(hint) => diagnostic.hint(hint),
            None => diagnostic,
        }
    };
    if text.len() > limit::BYTES {
        return Err(fail(Failure::new(Span::at(start), format!("the policy is larger than {} bytes", limit::BYTES))));
    }
    let mut options = granit_parser::Options::default();
    options.emit_comments = false;
    let mut reader =
        Reader { events: Parser::new_from_str_with_options(text, options), anchors: HashMap::new(), nodes: 0 };
    reader.document().map_err(fail)
}

struct Failure {
    span: Span,
    message: String,
    hint: Option<&'static str>,
}

impl Failure {
    fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), hint: None }
    }
}

struct Reader<'t> {
    events: Parser<'t, StrInput<'t>>,
    /// Finished nodes that have an anchor, with their size.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), Failure> {
        match self.events.next_event() {
            Some(Ok((event, span))) => Ok((event, span_of(span))),
            Some(Err(error)) => {
                Err(Failure::new(Span::at(mark(error.marker())), format!("not YAML: {}", error.info())))
            }
            None => Ok((Event::StreamEnd, Span::at(Mark { line: 1, column: 1 }))),
        }
    }

    fn document(&mut self) -> Result<Node, Failure> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                _ if root.is_some() => {
                    return Err(Failure::new(span, "a policy file holds one YAML document, and this is a second one"));
                }
                event => root = Some(self.node(event, span, 0)?),
            }
        }
        Ok(root.unwrap_or(Node { value: Value::Empty, span: Span::at(Mark { line: 1, column: 1 }) }))
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Failure> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > limit::NODES {
            return Err(Failure::new(span, format!("the policy holds more than {} values", limit::NODES)));
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, Failure> {
        if depth > limit::DEPTH {
            return Err(Failure::new(span, format!("nested deeper than {} levels", limit::DEPTH)));
        }
        self.count(1, span)?;
        let before = self.nodes;
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => (Node { value: scalar(&text, style), span }, anchor),
            Event::SequenceStart(_, anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break,
                        (event, span) => items.push(self.node(event, span, depth + 1)?),
                    }
                }
                (Node { value: Value::List(items), span: Span::at(span.start) }, anchor)
            }
            Event::MappingStart(_, anchor, _) => (self.table(span.start, depth)?, anchor),
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
                    return Err(Failure::new(span, "this alias stands inside the value that it names"));
                };
                self.count(size, span)?;
                return Ok(Node { span, ..node });
            }
            _ => return Err(Failure::new(span, "not YAML that a policy can hold")),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), self.nodes.saturating_sub(before).saturating_add(1)));
        }
        Ok(node)
    }

    fn table(&mut self, start: Mark, depth: usize) -> Result<Node, Failure> {
        let mut entries = Vec::new();
        loop {
            let (key, key_span) = match self.next()? {
                (Event::MappingEnd, _) => break,
                (Event::Scalar(key, ..), span) => (key.into_owned(), span),
                (_, span) => {
                    return Err(Failure {
                        hint: Some("a key is a word"),
                        ..Failure::new(span, "this cannot be a key")
                    });
                }
            };
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            entries.push(Entry { key, key_span, value });
        }
        Ok(Node::table(entries, start))
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::Text { text: text.to_owned(), typed: false };
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Empty,
        _ => Value::Text { text: text.to_owned(), typed: is_typed(text) },
    }
}

/// Whether YAML's core schema takes this plain scalar for a number or a boolean.
fn is_typed(text: &str) -> bool {
    matches!(text, "true" | "True" | "TRUE" | "false" | "False" | "FALSE")
        || (text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) && text.parse::<f64>().is_ok())
}

fn mark(marker: &Marker) -> Mark {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Mark { line: number(marker.line()).max(1), column: number(marker.col()).saturating_add(1) }
}

fn span_of(span: granit_parser::Span) -> Span {
    let (start, end) = (mark(&span.start), mark(&span.end));
    if end > start { Span { start, end } } else { Span::at(start) }
}
