//! The tree of a Python file, packed: what the grammar found, without comments and punctuation, in the order of the text.
//!
//! The grammar's own tree is walked over once. Everything else looks at this one many times.

use std::ops::Range;

use gilaudit_model::source::{Span, Steps};
use tree_sitter::{Language, Tree};

/// What the numbers of a grammar mean.
pub(super) struct Grammar {
    kinds: Vec<Box<str>>,
    fields: Vec<Box<str>>,
}

impl Grammar {
    pub(super) fn new(language: &Language) -> Self {
        let kinds = 0..u16::try_from(language.node_kind_count()).unwrap_or(u16::MAX);
        let fields = 0..=u16::try_from(language.field_count()).unwrap_or(u16::MAX - 1);
        Self {
            kinds: kinds.map(|id| language.node_kind_for_id(id).unwrap_or_default().into()).collect(),
            fields: fields.map(|id| language.field_name_for_id(id).unwrap_or_default().into()).collect(),
        }
    }
}

/// One node. Those inside it follow it, up to `end`.
struct Entry {
    /// Where in the text.
    span: Span,
    /// The number of the node after those inside it.
    end: u32,
    kind: u16,
    field: u16,
    /// Whether it lies in what did not parse.
    lost: bool,
}

/// The tree of one file.
pub(super) struct Syntax<'g> {
    grammar: &'g Grammar,
    nodes: Vec<Entry>,
    /// The outermost parts that did not parse.
    pub(super) unparsed: Vec<Span>,
}

impl<'g> Syntax<'g> {
    /// Packs a tree. Strings without fields are not looked into.
    pub(super) fn new(grammar: &'g Grammar, tree: &Tree, text: &str, steps: &Steps) -> Self {
        let mut packed = Self { grammar, nodes: Vec::new(), unparsed: Vec::new() };
        let has_error = tree.root_node().has_error();
        let mut cursor = tree.walk();
        // The nodes that are open, with their depth; and the depth of the outermost open one that did not parse.
        let mut open: Vec<(usize, u32)> = Vec::new();
        let mut lost: Option<u32> = None;
        let mut depth = 0;
        loop {
            let node = cursor.node();
            let span = span_of(node.start_byte(), node.end_byte());
            if has_error && lost.is_none() && (node.is_error() || node.is_missing()) {
                packed.unparsed.push(span);
                lost = Some(depth);
            }
            let mut inside = false;
            if node.is_named() {
                // An error has a number of its own, beyond those of the grammar.
                let kind = node.kind_id();
                let name = packed.name(kind);
                inside = !matches!(name, "identifier" | "comment" | "integer" | "float" | "true" | "false" | "none")
                    && (name != "string" || has_fields(text, span));
                if name != "comment" {
                    let field = cursor.field_id().map_or(0, |field| field.get());
                    open.push((packed.nodes.len(), depth));
                    packed.nodes.push(Entry { span, end: 0, kind, field, lost: lost.is_some() });
                }
            }
            if inside && cursor.goto_first_child() {
                depth += 1;
                continue;
            }
            loop {
                packed.close(&mut open, depth);
                if lost == Some(depth) {
                    lost = None;
                }
                if cursor.goto_next_sibling() {
                    break;
                }
                if !cursor.goto_parent() {
                    steps.take(packed.nodes.len());
                    return packed;
                }
                depth -= 1;
            }
        }
    }

    /// Closes the node at this depth, if one is open there.
    fn close(&mut self, open: &mut Vec<(usize, u32)>, depth: u32) {
        if let Some((number, _)) = open.pop_if(|(_, of)| *of == depth) {
            let end = self.nodes.len() as u32;
            if let Some(entry) = self.nodes.get_mut(number) {
                entry.end = end;
            }
        }
    }

    fn name(&self, kind: u16) -> &'g str {
        self.grammar.kinds.get(usize::from(kind)).map_or("ERROR", |name| name)
    }

    /// The module.
    pub(super) fn root(&self) -> Node<'_> {
        Node { syntax: self, number: 0 }
    }

    /// All nodes of what parsed, in the order of the text.
    pub(super) fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        let numbers = (0u32..).zip(&self.nodes).filter(|(_, entry)| !entry.lost);
        numbers.map(|(number, _)| Node { syntax: self, number })
    }
}

/// Whether a string has fields: its prefix says so.
fn has_fields(text: &str, span: Span) -> bool {
    let bytes = text.as_bytes().get(span.start as usize..).unwrap_or_default();
    bytes.iter().take_while(|byte| byte.is_ascii_alphabetic()).any(|byte| matches!(byte, b'f' | b'F' | b't' | b'T'))
}

fn span_of(start: usize, end: usize) -> Span {
    Span { start: u32::try_from(start).unwrap_or(u32::MAX), end: u32::try_from(end).unwrap_or(u32::MAX) }
}

/// A node of a tree.
#[derive(Clone, Copy)]
pub(super) struct Node<'s> {
    syntax: &'s Syntax<'s>,
    number: u32,
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<'s> Node<'s> {
    fn entry(self) -> Option<&'s Entry> {
        self.syntax.nodes.get(self.number as usize)
    }

    /// What the grammar calls it.
    pub(super) fn kind(self) -> &'s str {
        self.entry().map_or("", |entry| self.syntax.name(entry.kind))
    }

    /// Where it is.
    pub(super) fn span(self) -> Span {
        self.entry().map_or(Span::default(), |entry| entry.span)
    }

    pub(super) fn start_byte(self) -> usize {
        self.span().start as usize
    }

    pub(super) fn end_byte(self) -> usize {
        self.span().end as usize
    }

    pub(super) fn byte_range(self) -> Range<usize> {
        self.start_byte()..self.end_byte()
    }

    /// The nodes directly in it.
    pub(super) fn children(self) -> impl Iterator<Item = Node<'s>> + Clone {
        let end = self.entry().map_or(0, |entry| entry.end);
        let mut next = self.number + 1;
        std::iter::from_fn(move || {
            let number = next;
            let entry = self.syntax.nodes.get(number as usize).filter(|_| number < end)?;
            // A node ends after itself, so this goes on.
            next = entry.end.max(number + 1);
            Some(Node { syntax: self.syntax, number })
        })
    }

    /// The first node directly in it that the grammar gives this name.
    pub(super) fn child_by_field_name(self, name: &str) -> Option<Self> {
        let named = |child: &Self| {
            let field = child.entry().map_or(0, |entry| entry.field);
            field != 0 && self.syntax.grammar.fields.get(usize::from(field)).is_some_and(|known| **known == *name)
        };
        self.children().find(named)
    }
}
