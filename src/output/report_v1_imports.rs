//! The `imports` object of `gilaudit-report/1`: its structs, and how they are filled.

use gilaudit_audit::imports::{Imports, Ways};
use gilaudit_model::Distribution as Dist;
use gilaudit_policy::imports::{Blocker, GilAtEnd, Link, OpenEnd};
use serde::Serialize;

use super::report_v1::Distribution;

/// What the imports asked about do to the process.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Imports"))]
pub(super) struct ImportsOut<'a> {
    /// What was asked.
    entries: &'a [String],
    /// The GIL when all of it is imported. `off-unless`: it stays off unless one of `open_ends` leads to a module that it `meets`.
    #[cfg_attr(test, schemars(extend("enum" = ["off", "on", "off-unless", "undetermined"])))]
    gil: &'static str,
    /// The module that CPython's warning names; null when there is none, or when it cannot be told which.
    first: Option<&'a str>,
    /// Why.
    because: &'a str,
    /// Modules that turn the GIL on or may: those that are imported in any case in import order, then those that may be, then those
    /// that only a function which is called imports.
    blockers: Vec<BlockerOut<'a>>,
    /// The smallest set of distributions that, excepted or replaced, leave the GIL off.
    free: Vec<Distribution<'a>>,
    /// Entries whose import fails.
    failed: Vec<Note<'a>>,
    /// Modules whose own imports are not known completely.
    incomplete: Vec<Note<'a>>,
    /// Reached places that may import what cannot be told.
    open_ends: Vec<OpenEndOut<'a>>,
    /// How many modules outside the standard library are loaded.
    modules: usize,
    /// How many Python files were read.
    files: usize,
}

/// A module that turns the GIL on, or may.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Blocker"))]
struct BlockerOut<'a> {
    module: &'a str,
    file: &'a str,
    #[cfg_attr(test, schemars(extend("enum" = ["enables-gil", "runs-free-forced", "undetermined"])))]
    outcome: &'static str,
    distribution: Option<Distribution<'a>>,
    /// `import`: in any case; `maybe`: that cannot be told; `later`: only if a function is called.
    #[cfg_attr(test, schemars(extend("enum" = ["import", "maybe", "later"])))]
    when: &'static str,
    /// Whether threads may be running already when it turns the GIL on.
    threads: bool,
    /// Whether the program expects that it may be missing.
    optional: bool,
    /// From the entry to the module.
    chain: Vec<LinkOut<'a>>,
    /// The distributions at the top through which it is installed.
    required_by: &'a [String],
    ways_out: WaysOut<'a>,
}

/// A reached place that may import what cannot be told.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "OpenEnd"))]
struct OpenEndOut<'a> {
    /// The file.
    origin: Vec<&'a str>,
    /// 1-based; null in a file without lines.
    line: Option<u32>,
    /// What it is.
    what: &'a str,
    /// What it may reach: a module, `package.*`, or `*` for any.
    may_reach: &'a [String],
    /// Modules among them that turn the GIL on, or may, or whose import leads there.
    meets: &'a [String],
}

/// One import of a chain.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Link"))]
struct LinkOut<'a> {
    /// `app.py:3`, `--import NAME`, or the file of an extension.
    at: &'a str,
    #[cfg_attr(test, schemars(extend("enum" =
        ["plain", "try", "conditional", "function", "lazy", "extension", "startup", "main"])))]
    kind: &'static str,
    module: &'a str,
}

/// What can be done about a blocker.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "WaysOut"))]
struct WaysOut<'a> {
    /// For its authors.
    declare: &'a str,
    /// Another version among the inputs that does not block.
    newer: Option<Distribution<'a>>,
    /// What `PYTHON_GIL=0` would do.
    python_gil_0: &'a str,
    /// YAML for the `exceptions` of a policy.
    exception: &'a str,
}

/// Something about a module or entry.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Note<'a> {
    name: &'a str,
    why: &'a str,
}

/// The word used in reports.
pub(super) fn gil(gil: GilAtEnd) -> &'static str {
    match gil {
        GilAtEnd::Off => "off",
        GilAtEnd::On => "on",
        GilAtEnd::OffUnless => "off-unless",
        GilAtEnd::Undetermined => "undetermined",
    }
}

pub(super) fn imports(imports: &Imports) -> ImportsOut<'_> {
    let answer = &imports.answer;
    ImportsOut {
        entries: &imports.entries,
        gil: gil(answer.gil),
        first: answer.first.as_deref(),
        because: &answer.because,
        blockers: answer.blockers.iter().zip(&imports.ways).map(|(blocker, ways)| out(blocker, ways)).collect(),
        free: answer.free.iter().map(distribution).collect(),
        failed: answer.failed.iter().map(|(name, why)| Note { name, why }).collect(),
        incomplete: answer.incomplete.iter().map(|(name, why)| Note { name, why }).collect(),
        open_ends: answer.open_ends.iter().map(open_end).collect(),
        modules: answer.modules,
        files: imports.files,
    }
}

fn distribution(distribution: &Dist) -> Distribution<'_> {
    Distribution { name: &distribution.name, version: &distribution.version }
}

fn link(link: &Link) -> LinkOut<'_> {
    LinkOut { at: &link.at, kind: link.kind.as_str(), module: &link.module }
}

fn open_end(end: &OpenEnd) -> OpenEndOut<'_> {
    OpenEndOut {
        origin: vec![&end.file],
        line: (end.line > 0).then_some(end.line),
        what: &end.what,
        may_reach: &end.may_reach,
        meets: &end.meets,
    }
}

fn out<'a>(blocker: &'a Blocker, ways: &'a Ways) -> BlockerOut<'a> {
    BlockerOut {
        module: &blocker.module,
        file: &blocker.file,
        outcome: blocker.outcome.as_str(),
        distribution: blocker.distribution.as_ref().map(distribution),
        when: match (blocker.certain, blocker.later) {
            (true, _) => "import",
            (false, false) => "maybe",
            (false, true) => "later",
        },
        threads: blocker.threads,
        optional: blocker.optional,
        chain: blocker.chain.iter().map(link).collect(),
        required_by: &ways.required_by,
        ways_out: WaysOut {
            declare: &ways.declare,
            newer: ways.newer.as_ref().map(distribution),
            python_gil_0: &ways.python_gil_0,
            exception: &ways.exception,
        },
    }
}
