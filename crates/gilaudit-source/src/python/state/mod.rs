//! State that threads share: what functions do with names and containers, which locks they hold meanwhile, what threads run.
//!
//! One walk over the syntax tree. What a name means is decided later, when all files of the project are known.

mod checks;
mod expressions;
mod names;
mod starts;
mod statements;

use std::ops::ControlFlow;

use gilaudit_model::source::python::{Function, Path, PythonFile, Use, UseKind};
use gilaudit_model::source::{File, FileId, Language, Project, Span};
use gilaudit_model::{Problem, Stage};
use tree_sitter::{Node, ParseOptions, Parser, Tree};

use crate::project::Limits;
use names::Known;

/// How deep a tree is followed; CPython's own compiler stops at 100 blocks and 200 brackets within each other.
const DEEPEST: usize = 400;

/// The uses of one function that are kept.
const MOST_USES: usize = 5_000;

/// Reads the Python files of a project.
pub(crate) fn read(project: &mut Project, limits: &Limits, problems: &mut Vec<Problem>) {
    let mut parser = Parser::new();
    if parser.set_language(&tree_sitter_python::LANGUAGE.into()).is_err() {
        return;
    }
    let mut budget = limits.project_bytes;
    for (index, file) in project.files.iter_mut().enumerate() {
        if file.language != Language::Python {
            continue;
        }
        let size = file.text.len();
        let tree = if size > limits.file_bytes.min(budget) {
            None
        } else {
            budget -= size;
            parse(&mut parser, &file.text, limits.parse_steps)
        };
        let Some(tree) = tree else {
            let error = format!("{size} bytes of Python are more than the limit, or take too long to parse");
            problems.push(Problem { origin: file.origin.clone(), stage: Stage::Limits, error, unread: false });
            file.unparsed = u32::try_from(size).unwrap_or(u32::MAX);
            continue;
        };
        let id = FileId(u32::try_from(index).unwrap_or(u32::MAX));
        project.python.push(read_file(id, file, &tree));
    }
}

fn parse(parser: &mut Parser, text: &str, steps: u64) -> Option<Tree> {
    let mut left = steps;
    let mut progress = |_: &tree_sitter::ParseState| {
        left = left.saturating_sub(1);
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let options = ParseOptions::new().progress_callback(&mut progress);
    let bytes = text.as_bytes();
    let tree = parser.parse_with_options(&mut |at, _| bytes.get(at..).unwrap_or_default(), None, Some(options));
    if tree.is_none() {
        parser.reset();
    }
    tree
}

fn read_file(id: FileId, file: &mut File, tree: &Tree) -> PythonFile {
    let text = std::mem::take(&mut file.text);
    let known = names::read(tree, &text, file);
    let mut reader = Reader { text: &text, known, out: empty(id, &text) };
    reader.block(tree.root_node(), Context::default());
    let out = reader.out;
    file.c_api = !out.starts.is_empty() || out.functions.iter().any(|function| !function.uses.is_empty());
    file.text = text;
    out
}

fn empty(file: FileId, text: &str) -> PythonFile {
    let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
    PythonFile {
        file,
        imports: Vec::new(),
        bindings: Vec::new(),
        classes: Vec::new(),
        functions: vec![function("<module>".into(), "<module>".into(), Span { start: 0, end })],
        starts: Vec::new(),
    }
}

fn function(name: Box<str>, qualified: Box<str>, span: Span) -> Function {
    Function {
        name,
        qualified,
        class: None,
        parent: None,
        span,
        parameters: Vec::new(),
        locals: Vec::new(),
        globals: Vec::new(),
        nonlocals: Vec::new(),
        locked: false,
        calls: Vec::new(),
        uses: Vec::new(),
        checks: Vec::new(),
    }
}

/// Where in the program a node is.
#[derive(Clone, Copy, Debug, Default)]
struct Context {
    /// The function whose code it is.
    function: usize,
    /// The class whose body it is directly in.
    class: Option<usize>,
    /// Whether a lock is held.
    locked: bool,
    /// Whether it is in a loop.
    looped: bool,
    depth: usize,
}

struct Reader<'t> {
    text: &'t str,
    known: Known,
    out: PythonFile,
}

fn span(node: Node<'_>) -> Span {
    let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span { start: number(node.start_byte()), end: number(node.end_byte()) }
}

/// The named children of a node, comments left out.
fn children(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    (0..node.named_child_count())
        .filter_map(move |index| node.named_child(u32::try_from(index).ok()?))
        .filter(|child| child.kind() != "comment")
}

/// An expression without the parentheses around it.
fn bare(mut node: Node<'_>) -> Node<'_> {
    while node.kind() == "parenthesized_expression" {
        match children(node).next() {
            Some(inner) => node = inner,
            None => break,
        }
    }
    node
}

/// A name with attributes, where an expression is one.
fn path(text: &str, node: Node<'_>) -> Option<Path> {
    let mut parts: Path = Vec::new();
    let mut node = bare(node);
    loop {
        match node.kind() {
            "identifier" => {
                parts.push(text.get(node.byte_range())?.into());
                parts.reverse();
                return Some(parts);
            }
            "attribute" if parts.len() < 8 => {
                parts.push(text.get(node.child_by_field_name("attribute")?.byte_range())?.into());
                node = bare(node.child_by_field_name("object")?);
            }
            _ => return None,
        }
    }
}

impl<'t> Reader<'t> {
    fn source(&self, node: Node<'_>) -> &'t str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    fn path(&self, node: Node<'_>) -> Option<Path> {
        path(self.text, node)
    }

    fn function(&mut self, context: Context) -> Option<&mut Function> {
        self.out.functions.get_mut(context.function)
    }

    /// Notes what is done with a place, where it is a name.
    fn note(&mut self, place: Node<'_>, kind: UseKind, at: Node<'_>, context: Context) {
        let Some(place) = self.path(place) else { return };
        let span = span(at);
        if let Some(function) = self.function(context)
            && function.uses.len() < MOST_USES
        {
            function.uses.push(Use { place, kind, span, locked: context.locked });
        }
    }
}

#[cfg(test)]
mod tests;
