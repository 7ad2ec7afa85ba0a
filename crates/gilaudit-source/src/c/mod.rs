//! C and C++.
//!
//! The text goes through a pre-pass (`prepare.rs`) that selects the branches of conditionals and masks macros, then through
//! tree-sitter, and is lowered to the facts of [`gilaudit_model::source`]. Files that have nothing to do with the C API are not parsed.

#![allow(
    clippy::indexing_slicing,
    reason = "indices of lists made here; whoever calls catches a mistake as a problem of the project"
)]

mod clinic;
mod condition;
mod conditionals;
mod configuration;
mod includes;
mod lower;
mod macros;
mod prepare;
mod reparse;
mod token;

use std::collections::HashMap;
use std::ops::ControlFlow;

use gilaudit_model::source::{Clinic, File, FileId, Guard, Language, Name, Project, Span, Variant};
use gilaudit_model::{Problem, Stage};
use tree_sitter::{ParseOptions, Parser, Tree};

use crate::project::Limits;
use configuration::Configuration;
use lower::{Code, Lowered, Lowerer};
use macros::MacroTable;
use prepare::{Prepared, cython_version, prepare};

/// Reads the C and C++ files of a project.
///
/// A file that is too large or takes too long becomes a problem, and the rest is read.
pub(crate) fn read(project: &mut Project, limits: &Limits, problems: &mut Vec<Problem>) {
    let mut files = std::mem::take(&mut project.files);
    let c_api = includes::c_api(&files);
    let table = project_macros(&files, &c_api);
    let mut parsers = Parsers::new(limits.parse_steps);
    let mut members: HashMap<Name, Vec<Name>> = HashMap::new();
    let mut budget = limits.project_bytes;
    for (index, file) in files.iter_mut().enumerate().filter(|(_, file)| is_c(file.language)) {
        file.c_api = c_api[index];
        if !file.c_api {
            continue;
        }
        file.cython = cython_version(&file.text).map(str::to_owned);
        let size = file.text.len();
        if file.cython.is_some() {
            // Its own sources are linted instead.
        } else if size > limits.file_bytes || size > budget {
            let error = format!("{size} bytes of source are more than the limit");
            problems.push(Problem { origin: file.origin.clone(), stage: Stage::Limits, error, unread: false });
            file.unparsed = size as u32;
        } else {
            budget -= size;
            read_file(FileId(index as u32), file, project, &table, &mut parsers, &mut members);
        }
    }
    project.files = files;
    mark_objects(project);
}

/// Marks the structs that begin with another one whose instances are Python objects: theirs are, too.
fn mark_objects(project: &mut Project) {
    let mut by_name: HashMap<Name, Vec<usize>> = HashMap::new();
    for (index, defined) in project.structs.iter().enumerate() {
        defined.names.iter().for_each(|name| by_name.entry(*name).or_default().push(index));
    }
    // Each round follows one more level of beginnings; real code has two or three.
    for _ in 0..8 {
        let is_object = |mut name: Name| {
            for _ in 0..8 {
                if let Some(known) = by_name.get(&name) {
                    return known.iter().any(|index| project.structs[*index].is_object);
                }
                let Some(alias) = project.typedefs.get(&name) else { return false };
                name = *alias;
            }
            false
        };
        let found: Vec<usize> = (0..project.structs.len())
            .filter(|index| {
                let defined = &project.structs[*index];
                let first = defined.fields.first().filter(|first| first.ty.pointers == 0 && !first.ty.array);
                !defined.is_object
                    && (first.is_some_and(|first| is_object(first.ty.base))
                        || defined.bases.iter().any(|base| is_object(*base)))
            })
            .collect();
        if found.is_empty() {
            return;
        }
        found.into_iter().for_each(|index| project.structs[index].is_object = true);
    }
}

/// Whether a language is read here.
fn is_c(language: Language) -> bool {
    matches!(language, Language::C | Language::Cpp)
}

/// The macros that the project's files define in the first configuration.
fn project_macros(files: &[File], c_api: &[bool]) -> MacroTable {
    let mut table = MacroTable::default();
    for (index, file) in files.iter().enumerate() {
        let is_header = file.path.ends_with(".h")
            || file.path.ends_with(".hpp")
            || file.path.ends_with(".hh")
            || file.path.contains(".h.");
        // Only headers are shared; what a source file defines is its own.
        if !is_c(file.language) || !is_header || !c_api[index] && !file.text.contains("#") {
            continue;
        }
        let tokens = token::tokens(file.text.as_bytes());
        let cpp = file.language == Language::Cpp;
        let directives = conditionals::read(&file.text, &tokens, cpp, Configuration::A, &table);
        table.merge(directives.local);
    }
    table
}

/// Reads one file in up to three configurations. What is the same in several is kept once.
fn read_file(
    id: FileId,
    file: &mut File,
    project: &mut Project,
    table: &MacroTable,
    parsers: &mut Parsers,
    members: &mut HashMap<Name, Vec<Name>>,
) {
    let cpp = file.language == Language::Cpp;
    let mut seen: Vec<String> = Vec::new();
    let mut first: Option<Tree> = None;
    let tokens = token::tokens(file.text.as_bytes());
    let windows = file.text.contains("_WIN32") || file.text.contains("MS_WINDOWS");
    let configurations =
        [(Configuration::A, Variant::A), (Configuration::B, Variant::B), (Configuration::Windows, Variant::Windows)];
    for (configuration, variant) in configurations.into_iter().take(if windows { 3 } else { 2 }) {
        let prepared = prepare(&file.text, &tokens, cpp, configuration, table);
        if seen.contains(&prepared.text) {
            continue;
        }
        let old = first.as_ref().zip(seen.first()).and_then(|(tree, text)| reparse::edited(tree, text, &prepared.text));
        let Some(tree) = parsers.parse(&prepared.text, cpp, old.as_ref()) else {
            file.unparsed = file.text.len() as u32;
            continue;
        };
        let lowered = lower_file(id, file, project, table, parsers, members, &prepared, &tree, cpp, variant, &seen);
        let is_new = |span: Span| {
            let range = span.start as usize..span.end as usize;
            !seen.iter().any(|text| text.get(range.clone()) == prepared.text.get(range.clone()))
        };
        project.functions.extend(lowered.functions.into_iter().filter(|function| is_new(function.span)));
        project.globals.extend(lowered.globals.into_iter().filter(|global| is_new(global.span)));
        project.structs.extend(lowered.structs.into_iter().filter(|defined| is_new(defined.span)));
        for (name, base) in lowered.typedefs {
            project.typedefs.entry(name).or_insert(base);
        }
        if variant == Variant::A {
            file.unparsed = lowered.unparsed.iter().map(|span| span.end - span.start).sum();
            file.unparsed_spans = lowered.unparsed;
            file.includes = prepared.directives.includes;
            file.comments = prepared
                .comments
                .iter()
                .map(|range| Span { start: range.start as u32, end: range.end as u32 })
                .collect();
            file.clinic = clinic::read(&file.text)
                .into_iter()
                .map(|entry| Clinic {
                    function: entry.function.into(),
                    critical_section: entry.critical_section.map(|list| list.into_iter().map(Into::into).collect()),
                })
                .collect();
        }
        let left_out = prepared.directives.left_out.iter();
        let left_out = left_out.map(|range| Span { start: range.start as u32, end: range.end as u32 });
        if variant == Variant::Windows {
            let left_out: Vec<Span> = left_out.collect();
            file.left_out.retain(|span| left_out.iter().any(|other| other.contains(*span)));
        } else {
            file.left_out.extend(left_out);
        }
        file.guards.extend(prepared.directives.guards.into_iter().map(|guard| Guard {
            span: Span { start: guard.range.start as u32, end: guard.range.end as u32 },
            condition: guard.condition,
            known: guard.known,
        }));
        seen.push(prepared.text);
        first.get_or_insert(tree);
    }
}

#[allow(clippy::too_many_arguments, reason = "the parts of one reading; each is borrowed on its own")]
fn lower_file(
    id: FileId,
    file: &mut File,
    project: &mut Project,
    table: &MacroTable,
    parsers: &mut Parsers,
    members: &mut HashMap<Name, Vec<Name>>,
    prepared: &Prepared,
    tree: &Tree,
    cpp: bool,
    variant: Variant,
    seen: &[String],
) -> Lowered {
    let local = &prepared.directives.local;
    let lookup = |name: &str| local.get(name).or_else(|| table.get(name));
    let mut parse = |text: &str| {
        let empty = MacroTable::default();
        let prepared = prepare(text, &token::tokens(text.as_bytes()), cpp, Configuration::A, &empty);
        parsers.parse(&prepared.text, cpp, None)
    };
    let mut lowerer = Lowerer {
        names: &mut project.names,
        file: id,
        cpp,
        variant,
        lookup: &lookup,
        parse: &mut parse,
        expansions: HashMap::new(),
        thread_local: &prepared.thread_local,
        seen,
        out: Lowered::default(),
        file_body: std::mem::take(&mut file.body),
        code: Code::default(),
        outer: Vec::new(),
        members: std::mem::take(members),
    };
    lowerer.file(tree.root_node(), &prepared.text);
    file.body = lowerer.file_body;
    *members = lowerer.members;
    lowerer.out
}

/// A parser for each grammar.
struct Parsers {
    c: Parser,
    cpp: Parser,
    steps: u64,
}

impl Parsers {
    fn new(steps: u64) -> Self {
        let (mut c, mut cpp) = (Parser::new(), Parser::new());
        // Fails only for a grammar of another ABI than the library's; then nothing parses, and the report says so.
        let _ = c.set_language(&tree_sitter_c::LANGUAGE.into());
        let _ = cpp.set_language(&tree_sitter_cpp::LANGUAGE.into());
        Self { c, cpp, steps }
    }

    /// `old` is the tree of a similar text, told where this one differs.
    fn parse(&mut self, text: &str, cpp: bool, old: Option<&Tree>) -> Option<Tree> {
        let parser = if cpp { &mut self.cpp } else { &mut self.c };
        let mut left = self.steps;
        let mut progress = |_: &tree_sitter::ParseState| {
            left = left.saturating_sub(1);
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let options = ParseOptions::new().progress_callback(&mut progress);
        let bytes = text.as_bytes();
        let tree = parser.parse_with_options(&mut |at, _| bytes.get(at..).unwrap_or_default(), old, Some(options));
        if tree.is_none() {
            parser.reset();
        }
        tree
    }
}
