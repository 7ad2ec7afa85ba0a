//! Source files.

use super::{Body, Span};
use crate::{Origin, Stage};

/// The number of a file in its project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// What a file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// C.
    C,
    /// C++.
    Cpp,
    /// Cython: `.pyx`, `.pxd`, `.pxi` and their templates.
    Cython,
    /// Rust.
    Rust,
    /// Python; a `setup.py` is a build file, too.
    Python,
    /// A build file or anything else that is kept as text only.
    Text,
}

/// A source file.
#[derive(Clone, Debug)]
pub struct File {
    /// Where it is.
    pub origin: Origin,
    /// Its path in the project, with `/`.
    pub path: String,
    /// Its language.
    pub language: Language,
    /// Its text, as it is in the file.
    pub text: String,
    /// Where its lines begin.
    pub lines: LineIndex,
    /// Whether findings in it are reported; headers beside a single file are read for their macros only.
    pub report: bool,
    /// Whether it is code that the rules look at. C and C++: it includes `Python.h` (or a framework's header), itself or through the
    /// project's headers. Other languages: their reader found something to do with extensions or threads.
    pub c_api: bool,
    /// Bytes of code inside what did not parse.
    pub unparsed: u32,
    /// The parts that did not parse.
    pub unparsed_spans: Vec<Span>,
    /// What it includes, and where.
    pub includes: Vec<(Box<str>, u32)>,
    /// The conditions of the preprocessor that select parts of it.
    pub guards: Vec<Guard>,
    /// The parts that no free-threaded build compiles: their conditions could be evaluated.
    pub left_out: Vec<Span>,
    /// What Argument Clinic says about its functions.
    pub clinic: Vec<Clinic>,
    /// Its comments.
    pub comments: Vec<Span>,
    /// The version of Cython that generated it. Such a file is not linted as C.
    pub cython: Option<String>,
    /// The initialisers of its variables.
    pub body: Body,
    /// The steps that reading it took: see [`Steps`](super::Steps).
    pub steps: u64,
    /// Why it could not be judged, though the rules look at such files.
    pub unread: Option<Unread>,
}

/// Why a file was not read, or so little of it that nothing can be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The stage at which it failed.
    pub stage: Stage,
    /// Why, lower case, no final period.
    pub why: Box<str>,
}

impl File {
    /// A file of which only the text is known so far.
    pub fn new(origin: Origin, path: String, language: Language, text: String, report: bool) -> Self {
        Self {
            origin,
            path,
            language,
            lines: LineIndex::new(&text),
            text,
            report,
            c_api: false,
            unparsed: 0,
            unparsed_spans: Vec::new(),
            includes: Vec::new(),
            guards: Vec::new(),
            left_out: Vec::new(),
            clinic: Vec::new(),
            comments: Vec::new(),
            cython: None,
            body: Body::default(),
            steps: 0,
            unread: None,
        }
    }

    /// Its name without the folders.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Whether other files include it.
    pub fn is_header(&self) -> bool {
        let name = self.name();
        let name = name.strip_suffix(".in").or_else(|| name.strip_suffix(".src")).unwrap_or(name);
        [".h", ".hpp", ".hh", ".hxx"].iter().any(|ending| name.ends_with(ending))
    }

    /// The text of a span; empty when it does not lie on character boundaries.
    pub fn text_of(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }
}

/// A condition of the preprocessor, and what it guards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The lines between this directive and the next of the same conditional.
    pub span: Span,
    /// The condition as written; negated conditions of `#else` and `#elif` are spelt `!(…)` and joined by ` && `.
    pub condition: Box<str>,
    /// Whether it could be evaluated.
    pub known: bool,
}

/// A function under Argument Clinic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clinic {
    /// The name of the C function that is written by hand: `…_impl`.
    pub function: Box<str>,
    /// `@critical_section`: the objects that are locked while it runs; empty for `self`.
    pub critical_section: Option<Vec<Box<str>>>,
}

/// Where the lines of a file begin.
#[derive(Clone, Debug, Default)]
pub struct LineIndex {
    starts: Vec<u32>,
}

impl LineIndex {
    /// The lines of `text`.
    pub fn new(text: &str) -> Self {
        let after = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at as u32 + 1);
        Self { starts: std::iter::once(0).chain(after).collect() }
    }

    /// The 1-based line of an offset.
    pub fn line(&self, offset: u32) -> u32 {
        self.starts.partition_point(|start| *start <= offset) as u32
    }

    /// The 1-based line and column, in characters, of an offset.
    pub fn position(&self, text: &str, offset: u32) -> (u32, u32) {
        let line = self.line(offset);
        let start = self.starts.get((line as usize).saturating_sub(1)).copied().unwrap_or(0);
        let before = text.get(start as usize..offset as usize).unwrap_or_default();
        (line, before.chars().count() as u32 + 1)
    }

    /// The span of a 1-based line, without its line break.
    pub fn span(&self, text: &str, line: u32) -> Span {
        let start = self.starts.get((line as usize).saturating_sub(1)).copied().unwrap_or(text.len() as u32);
        let end = self.starts.get(line as usize).map_or(text.len() as u32, |next| next.saturating_sub(1));
        Span { start, end }
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there are none; never so for a file that was read.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }
}
