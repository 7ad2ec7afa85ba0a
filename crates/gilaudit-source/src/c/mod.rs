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

use foldhash::{HashMap, HashMapExt, HashSet};
use gilaudit_model::source::{
    Body, Clinic, ExprId, ExprKind, File, FileId, Function, Global, Guard, Language, Name, Names, Project, Span, Steps,
    Struct, Unread, Variant,
};
use rayon::prelude::*;
use tree_sitter::{Parser, Tree};

use crate::project::Limits;
use crate::work;
use conditionals::{Directives, Line};
use configuration::Configuration;
use lower::{Code, Lowered, Lowerer};
use macros::MacroTable;
use prepare::{Prepared, cython_version, prepare};

/// Reads the C and C++ files of a project.
pub(crate) fn read(project: &mut Project, limits: &Limits) {
    let c_api = includes::c_api(&project.files);
    for (file, c_api) in project.files.iter_mut().zip(c_api).filter(|(file, _)| is_c(file.language)) {
        file.c_api = c_api;
        if c_api {
            file.cython = cython_version(&file.text).map(str::to_owned);
        }
    }
    let table = project_macros(&project.files);
    // Of C that Cython generated, its own sources are linted instead.
    let wanted = |file: &File| is_c(file.language) && file.c_api && file.cython.is_none();
    let read = work::each(&mut project.files, limits, wanted, Parsers::new, |parsers, id, file, steps| {
        let mut reading = Reading::new(id, file, &table, steps);
        reading.file(parsers)?;
        Ok(reading.out)
    });
    let mut members: HashMap<Name, HashSet<Name>> = HashMap::new();
    for (id, facts) in read {
        facts.merge(id, project, &mut members);
    }
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
fn project_macros(files: &[File]) -> MacroTable {
    // Only headers are shared; what a source file defines is its own.
    let is_header = |file: &File| {
        file.path.ends_with(".h")
            || file.path.ends_with(".hpp")
            || file.path.ends_with(".hh")
            || file.path.contains(".h.")
    };
    let wanted = |file: &&File| is_c(file.language) && is_header(file) && (file.c_api || file.text.contains('#'));
    let headers: Vec<(&File, Vec<Line>)> = files
        .par_iter()
        .filter(wanted)
        .map(|file| (file, conditionals::lines(&file.text, &token::tokens(file.text.as_bytes()))))
        .collect();
    let mut table = MacroTable::default();
    // What a header defines can decide what the next one does.
    for (file, lines) in &headers {
        let cpp = file.language == Language::Cpp;
        table.merge(conditionals::read(&file.text, lines, cpp, Configuration::A, &table).local);
    }
    table
}

/// What one file gives. Its names are its own until it is merged into its project.
#[derive(Default)]
struct Facts {
    names: Names,
    functions: Vec<Function>,
    globals: Vec<Global>,
    structs: Vec<Struct>,
    typedefs: Vec<(Name, Name)>,
    body: Body,
    /// The members of its classes.
    members: HashMap<Name, HashSet<Name>>,
    /// Names in methods of classes that are defined in other files, by the number of the function in `functions`: members, if such a
    /// class has them.
    open: Vec<(usize, Vec<ExprId>)>,
    unparsed: Vec<Span>,
    includes: Vec<(Box<str>, u32)>,
    comments: Vec<Span>,
    clinic: Vec<Clinic>,
    left_out: Vec<Span>,
    guards: Vec<Guard>,
}

impl Facts {
    /// Adds what one file says to its project. `members` are those of the classes of the files before it.
    fn merge(mut self, id: FileId, project: &mut Project, members: &mut HashMap<Name, HashSet<Name>>) {
        let known: Vec<Name> = self.names.iter().map(|(_, text)| project.names.intern(text)).collect();
        let to = |name: Name| known.get(name.0 as usize).copied().unwrap_or(name);
        self.functions.iter_mut().for_each(|function| function.rename(to));
        self.globals.iter_mut().for_each(|global| global.rename(to));
        self.structs.iter_mut().for_each(|defined| defined.rename(to));
        self.body.rename(to);
        for (number, open) in self.open {
            let Some(function) = self.functions.get_mut(number) else { continue };
            let Some(class) = function.class.and_then(|class| members.get(&class)) else { continue };
            for expr in open {
                resolve_member(&mut function.body, expr, class);
            }
        }
        let classes = self.members.into_iter();
        members.extend(classes.map(|(class, names)| (to(class), names.into_iter().map(to).collect())));
        for (name, base) in self.typedefs {
            project.typedefs.entry(to(name)).or_insert(to(base));
        }
        project.functions.append(&mut self.functions);
        project.globals.append(&mut self.globals);
        project.structs.append(&mut self.structs);
        let Some(file) = project.files.get_mut(id.0 as usize) else { return };
        file.unparsed = self.unparsed.iter().map(|span| span.end - span.start).sum();
        file.unparsed_spans = self.unparsed;
        file.includes = self.includes;
        file.comments = self.comments;
        file.clinic = self.clinic;
        file.left_out = self.left_out;
        file.guards = self.guards;
        file.body = self.body;
    }
}

/// A name in a method becomes `this->name`, if the class has such a member. The expression before it was put there for `this`.
fn resolve_member(body: &mut Body, expr: ExprId, class: &HashSet<Name>) {
    let Some(base) = expr.0.checked_sub(1).map(ExprId) else { return };
    if let ExprKind::Name(name) = body.kind(expr)
        && class.contains(&name)
        && let Some(known) = body.exprs.get_mut(expr.0 as usize)
    {
        known.kind = ExprKind::Field { base, name, arrow: true };
    }
}

/// One file that is being read.
struct Reading<'f> {
    id: FileId,
    file: &'f File,
    table: &'f MacroTable,
    steps: &'f Steps,
    cpp: bool,
    out: Facts,
}

impl<'f> Reading<'f> {
    fn new(id: FileId, file: &'f File, table: &'f MacroTable, steps: &'f Steps) -> Self {
        Self { id, file, table, steps, cpp: file.language == Language::Cpp, out: Facts::default() }
    }

    /// Reads the file in up to three configurations. What is the same in several is kept once.
    fn file(&mut self, parsers: &mut Parsers) -> Result<(), Unread> {
        let text = &self.file.text;
        let tokens = token::tokens(text.as_bytes());
        self.steps.take(tokens.len());
        let lines = conditionals::lines(text, &tokens);
        let windows = text.contains("_WIN32") || text.contains("MS_WINDOWS");
        let configurations = [
            (Configuration::A, Variant::A),
            (Configuration::B, Variant::B),
            (Configuration::Windows, Variant::Windows),
        ];
        let mut seen: Vec<String> = Vec::new();
        let mut first: Option<Tree> = None;
        for (configuration, variant) in configurations.into_iter().take(if windows { 3 } else { 2 }) {
            let prepared = prepare(text, &tokens, &lines, self.cpp, configuration, self.table);
            if seen.contains(&prepared.text) {
                continue;
            }
            let old =
                first.as_ref().zip(seen.first()).and_then(|(tree, text)| reparse::edited(tree, text, &prepared.text));
            let Some(tree) = parsers.parse(&prepared.text, self.cpp, old.as_ref(), self.steps) else { return Ok(()) };
            let lowered = self.lower(parsers, &prepared, &tree, variant, &seen);
            self.keep(lowered, &prepared, &seen);
            if variant == Variant::A {
                work::parsed(prepared.text.as_bytes(), &self.out.unparsed)?;
                self.out.comments = prepared.comments.iter().cloned().map(spanned).collect();
                self.out.clinic = clinic::read(text)
                    .into_iter()
                    .map(|entry| Clinic {
                        function: entry.function.into(),
                        critical_section: entry.critical_section.map(|list| list.into_iter().map(Into::into).collect()),
                    })
                    .collect();
            }
            self.directives(prepared.directives, variant);
            seen.push(prepared.text);
            first.get_or_insert(tree);
        }
        Ok(())
    }

    /// Keeps what is new in a configuration.
    fn keep(&mut self, lowered: Lowered, prepared: &Prepared, seen: &[String]) {
        let is_new = |span: Span| {
            let range = span.start as usize..span.end as usize;
            !seen.iter().any(|text| text.get(range.clone()) == prepared.text.get(range.clone()))
        };
        for (function, open) in lowered.functions.into_iter().filter(|(function, _)| is_new(function.span)) {
            if !open.is_empty() {
                self.out.open.push((self.out.functions.len(), open));
            }
            self.out.functions.push(function);
        }
        self.out.globals.extend(lowered.globals.into_iter().filter(|global| is_new(global.span)));
        self.out.structs.extend(lowered.structs.into_iter().filter(|defined| is_new(defined.span)));
        self.out.typedefs.extend(lowered.typedefs);
        if seen.is_empty() {
            self.out.unparsed = lowered.unparsed;
        }
    }

    fn directives(&mut self, directives: Directives, variant: Variant) {
        let mut left_out: Vec<Span> = directives.left_out.into_iter().map(spanned).collect();
        match variant {
            // What Windows leaves out, too.
            Variant::Windows => {
                left_out.sort_unstable();
                self.out.left_out.retain(|span| {
                    let next = left_out.partition_point(|other| other.start <= span.start);
                    next.checked_sub(1).and_then(|at| left_out.get(at)).is_some_and(|other| other.contains(*span))
                });
            }
            Variant::A | Variant::B => self.out.left_out.extend(left_out),
        }
        if variant == Variant::A {
            self.out.includes = directives.includes;
        }
        self.out.guards.extend(directives.guards.into_iter().map(|guard| Guard {
            span: spanned(guard.range),
            condition: guard.condition,
            known: guard.known,
        }));
    }

    fn lower(
        &mut self,
        parsers: &mut Parsers,
        prepared: &Prepared,
        tree: &Tree,
        variant: Variant,
        seen: &[String],
    ) -> Lowered {
        let (cpp, table, steps) = (self.cpp, self.table, self.steps);
        let local = &prepared.directives.local;
        let lookup = |name: &str| local.get(name).or_else(|| table.get(name));
        let mut parse = |text: &str| {
            let tokens = token::tokens(text.as_bytes());
            let lines = conditionals::lines(text, &tokens);
            let prepared = prepare(text, &tokens, &lines, cpp, Configuration::A, &MacroTable::default());
            parsers.parse(&prepared.text, cpp, None, steps)
        };
        let mut lowerer = Lowerer {
            names: &mut self.out.names,
            file: self.id,
            cpp,
            variant,
            steps,
            lookup: &lookup,
            parse: &mut parse,
            expansions: HashMap::new(),
            thread_local: &prepared.thread_local,
            seen,
            out: Lowered::default(),
            file_body: std::mem::take(&mut self.out.body),
            code: Code::default(),
            outer: Vec::new(),
            members: std::mem::take(&mut self.out.members),
        };
        lowerer.file(tree.root_node(), &prepared.text);
        (self.out.body, self.out.members) = (lowerer.file_body, lowerer.members);
        lowerer.out
    }
}

fn spanned(range: std::ops::Range<usize>) -> Span {
    Span { start: range.start as u32, end: range.end as u32 }
}

/// A parser for each grammar.
struct Parsers {
    c: Parser,
    cpp: Parser,
}

impl Parsers {
    fn new() -> Self {
        let (mut c, mut cpp) = (Parser::new(), Parser::new());
        // Fails only for a grammar of another ABI than the library's; then nothing parses, and the report says so.
        let _ = c.set_language(&tree_sitter_c::LANGUAGE.into());
        let _ = cpp.set_language(&tree_sitter_cpp::LANGUAGE.into());
        Self { c, cpp }
    }

    /// `old` is the tree of a similar text, told where this one differs.
    fn parse(&mut self, text: &str, cpp: bool, old: Option<&Tree>, steps: &Steps) -> Option<Tree> {
        work::parse(if cpp { &mut self.cpp } else { &mut self.c }, text, old, steps)
    }
}
