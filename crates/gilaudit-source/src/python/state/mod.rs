//! State that threads share: what functions do with names and containers, which locks they hold meanwhile, what threads run.
//!
//! One walk over the syntax tree. What a name means is decided later, when all files of the project are known.

mod checks;
mod expressions;
mod names;
mod starts;
mod statements;
mod syntax;

use gilaudit_model::Stage;
use gilaudit_model::source::python::{Function, Path, PythonFile, Use, UseKind};
use gilaudit_model::source::{File, FileId, Language, Project, Span, Steps, Unread};
use rayon::prelude::*;
use tree_sitter::Parser;

use super::logical;
use crate::project::Limits;
use crate::work;
use names::Known;
use syntax::{Grammar, Node, Syntax};

/// How deep a tree is followed; CPython's own compiler stops at 100 blocks and 200 brackets within each other.
const DEEPEST: usize = 400;

/// Reads the Python files of a project.
pub(crate) fn read(project: &mut Project, limits: &Limits) {
    let is_python = |file: &File| file.language == Language::Python;
    if !limits.python_without_threads
        && !project.files.par_iter().any(|file| is_python(file) && names_threads(&file.text))
    {
        return;
    }
    let language: tree_sitter::Language = tree_sitter_python::LANGUAGE.into();
    let grammar = Grammar::new(&language);
    let parser = || {
        let mut parser = Parser::new();
        // Fails only for a grammar of another ABI than the library's; then nothing parses, and the report says so.
        let _ = parser.set_language(&language);
        parser
    };
    let read = work::each(&mut project.files, limits, is_python, parser, |parser, id, file, steps| {
        read_file(&grammar, parser, id, &file.text, steps)
    });
    for (id, facts) in read {
        let Some(file) = project.files.get_mut(id.0 as usize) else { continue };
        let out = facts.out;
        file.c_api = !out.starts.is_empty() || out.functions.iter().any(|function| !function.uses.is_empty());
        file.unparsed = facts.unparsed.iter().map(|span| span.end - span.start).sum();
        file.unparsed_spans = facts.unparsed;
        file.comments = facts.comments;
        project.python.push(out);
    }
}

/// Whether a text can start a thread, or hand something to one: by the names of the standard library's threads and pools, or something
/// that is called an executor.
fn names_threads(text: &str) -> bool {
    let text = text.as_bytes();
    let has = |word: &[u8]| memchr::memmem::find(text, word).is_some();
    // Names of any case count as executors.
    let is_executor = |at: usize| text.get(at + 1..at + 7).is_some_and(|rest| rest.eq_ignore_ascii_case(b"ecutor"));
    has(b"hread") || has(b"Timer") || memchr::memchr2_iter(b'x', b'X', text).any(is_executor)
}

/// What one file gives.
struct Facts {
    out: PythonFile,
    comments: Vec<Span>,
    unparsed: Vec<Span>,
}

fn read_file(grammar: &Grammar, parser: &mut Parser, id: FileId, text: &str, steps: &Steps) -> Result<Facts, Unread> {
    // Comments are no part of the tree: the grammar's own scanner goes over those in a block again for each of them.
    let comments = logical::comments(text.as_bytes());
    let code = work::without(text, &comments);
    let code = String::from_utf8(code).unwrap_or_default();
    let Some(tree) = work::parse(parser, &code, None, steps) else {
        return Err(work::unread(Stage::Limits, "it takes too many steps to parse".to_owned()));
    };
    let syntax = Syntax::new(grammar, &tree, text, steps);
    drop(tree);
    work::parsed(code.as_bytes(), &syntax.unparsed)?;
    let mut reader = Reader { text, known: names::read(&syntax, text), steps, cut: Vec::new(), out: empty(id, text) };
    reader.block(syntax.root(), Context::default());
    reader.out.functions.iter_mut().for_each(tidy);
    let unparsed = [syntax.unparsed.as_slice(), &reader.cut].concat();
    Ok(Facts { out: reader.out, comments, unparsed })
}

/// Sorts what is looked up, and gives back the room that is not needed: the functions of all files are kept.
fn tidy(function: &mut Function) {
    function.locals.sort_unstable();
    function.locals.dedup();
    function.locals.shrink_to_fit();
    function.calls.shrink_to_fit();
    function.uses.shrink_to_fit();
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
    steps: &'t Steps,
    /// What nests too deep to be followed.
    cut: Vec<Span>,
    out: PythonFile,
}

fn span(node: Node<'_>) -> Span {
    node.span()
}

fn children(node: Node<'_>) -> impl Iterator<Item = Node<'_>> + Clone {
    node.children()
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

    /// Whether the walk may go on into a node.
    fn may_enter(&mut self, node: Node<'_>, context: Context) -> bool {
        if context.depth > DEEPEST {
            self.cut.push(span(node));
            return false;
        }
        self.steps.take(1)
    }

    /// Notes what is done with a place, where it is a name.
    fn note(&mut self, place: Node<'_>, kind: UseKind, at: Node<'_>, context: Context) {
        let Some(place) = self.path(place) else { return };
        let span = span(at);
        if let Some(function) = self.function(context) {
            function.uses.push(Use { place, kind, span, locked: context.locked });
        }
    }
}

#[cfg(test)]
mod tests;
