//! From the inventory to the answers: reads every member in parallel, judges what it found for the target, applies rules and policy.
//!
//! One bad file never stops the others: each is read under `catch_unwind`, so that a mistake in a parser becomes a problem of that
//! file.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};

use gilaudit_binary::{Data, Hints};
use gilaudit_input::{ArtifactKind, Contents, Inventory, Member, MemberKind, Problems};
use gilaudit_model::cpython::{Found, find, module_stem};
use gilaudit_model::{
    BinaryFacts, Extension, FailureKind, Finding, ImportFailure, Library, Loading, Origin, Platform, Problem, Stage,
    Target,
};
use gilaudit_rules::check_extension;
use rayon::prelude::*;

use crate::applied::Applied;
use crate::contents::{self, Looked};
use crate::link::delegate::{self, Loaded};
use crate::link::elsewhere::Libraries;
use crate::reaches::reaches;
use crate::report::{Answers, Judged};
use crate::settings::Settings;
use crate::sources;

/// What reading one member gave.
#[derive(Default)]
struct Read {
    files: Vec<File>,
    libraries: Vec<Library>,
    problems: Vec<Problem>,
}

/// A file, or one architecture of it.
struct File {
    origin: Origin,
    facts: BinaryFacts,
    sha256: Option<String>,
}

/// Audits everything in `inventory` for `target`. `read_one` is called whenever a member was read.
pub fn audit(inventory: &Inventory, settings: &Settings, target: &Target, read_one: &(dyn Fn() + Sync)) -> Answers {
    let reads: Vec<(&Member, Read)> = quietly(|| {
        inventory
            .members
            .par_iter()
            .map(|member| {
                let read = guarded(member, || read(inventory, member, settings));
                read_one();
                (member, read.unwrap_or_else(|problem| Read { problems: vec![problem], ..Read::default() }))
            })
            .collect()
    });
    let mut answers = Answers {
        artifacts: inventory.artifacts.len(),
        recognised: recognised(inventory),
        problems: inventory.problems.clone(),
        ..Answers::default()
    };
    let mut files = Vec::new();
    let mut problems = Problems::default();
    for (member, read) in reads {
        answers.libraries.extend(read.libraries);
        let artifact = artifact_of(inventory, member);
        read.problems.into_iter().for_each(|problem| problems.add(artifact, problem));
        files.extend(read.files.into_iter().map(|file| (member, file)));
    }
    let mut libraries = Libraries::new(inventory, &settings.binary_limits);
    for (member, file) in &files {
        libraries.expect(&file.facts, &member.origin, &member.module, target);
    }
    let linked: Vec<(&Member, Result<Linked, Problem>)> = quietly(|| {
        let link = |(member, file): (_, File)| (member, guarded(member, || link(&libraries, member, file, target)));
        files.into_par_iter().map(link).collect()
    });
    let (mut loaded, mut sources) = (Vec::new(), Vec::new());
    for (member, linked) in linked {
        match linked {
            Ok(Linked::Extension(file, sha256)) => {
                loaded.push(*file);
                sources.push((member, sha256));
            }
            Ok(Linked::Library(library)) => answers.libraries.push(library),
            Err(problem) => problems.add(artifact_of(inventory, member), problem),
        }
    }
    answers.problems.extend(problems.all());
    delegate::resolve(&mut loaded, target);
    let judged: Vec<(Judged, Vec<Finding>)> = loaded
        .into_par_iter()
        .zip(sources)
        .map(|(file, (member, sha256))| judge(extension(file, member, sha256, target), settings, target))
        .collect();
    for (judged, findings) in judged {
        answers.extensions.push(judged);
        answers.findings.extend(findings);
    }
    answers.reaches = quietly(|| reaches(inventory, &answers.extensions));
    let linted = quietly(|| sources::lint(inventory, settings, target));
    answers.findings.extend(linted.findings);
    answers.extensions.extend(linted.extensions);
    answers.problems.extend(linted.problems);
    answers.coverage = linted.coverage;
    answers.texts = linted.texts;
    answers
}

/// Whether there was anything that gilaudit audits; a wheel or environment of pure Python counts, an ordinary folder does not.
fn recognised(inventory: &Inventory) -> bool {
    let is_known =
        |kind: ArtifactKind| !matches!(kind, ArtifactKind::Folder | ArtifactKind::Binary | ArtifactKind::Source);
    !inventory.members.is_empty()
        || !inventory.sources.is_empty()
        || inventory.artifacts.iter().any(|artifact| is_known(artifact.kind))
}

thread_local! {
    /// Where this thread panicked last, for the problem that is made of it.
    static PANICKED_AT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs `work` without the default message on standard error for every panic: a panic there becomes a problem in the report.
fn quietly<T>(work: impl FnOnce() -> T) -> T {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|info| {
        let at = info.location().map_or_else(String::new, |place| format!("{}:{}", place.file(), place.line()));
        PANICKED_AT.with(|place| place.replace(at));
    }));
    let result = work();
    panic::set_hook(hook);
    result
}

/// What `work` on a member gives, or the problem that it failed.
fn guarded<T>(member: &Member, work: impl FnOnce() -> T) -> Result<T, Problem> {
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let at = PANICKED_AT.with(RefCell::take);
        let error =
            format!("gilaudit failed on this file, which is a bug worth reporting: {} ({at})", message(&*panic));
        problem(member, Stage::Internal, error)
    })
}

fn artifact_of<'a>(inventory: &'a Inventory, member: &'a Member) -> &'a Origin {
    inventory.artifacts.get(member.artifact).map_or(&member.origin, |artifact| &artifact.origin)
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

fn problem(member: &Member, stage: Stage, error: String) -> Problem {
    Problem { origin: member.origin.clone(), stage, unread: member.kind == MemberKind::Candidate, error }
}

fn read(inventory: &Inventory, member: &Member, settings: &Settings) -> Read {
    let mut read = Read::default();
    if member.kind == MemberKind::Library {
        let why = "its name is not one of an extension".to_owned();
        read.libraries.push(Library { origin: member.origin.clone(), why });
        return read;
    }
    // What does not begin like an object file is not read on: its beginning is enough to say what it is.
    let contents = match inventory.contents(member, |head| gilaudit_binary::sniff(head).is_some()) {
        Ok(contents) => contents,
        Err(problem) => {
            read.problems.push(problem);
            return read;
        }
    };
    if let Contents::Memory(bytes) = &contents
        && let Some(why) = no_object_file(&member.origin, bytes)
    {
        read.libraries.push(Library { origin: member.origin.clone(), why: why.to_owned() });
        return read;
    }
    let hints = Hints { origin: &member.origin, tags: member.tags.as_ref(), functions: None };
    let wants_hash = member.in_archive() || member.explicit || settings.hash;
    let look = |data: Data<'_>| gilaudit_binary::read(data, &hints, &settings.binary_limits);
    let ((facts, mut problems), sha256, size) = match contents::look(inventory, member, contents, wants_hash, look) {
        Ok(Looked { result, sha256, size }) => (result, sha256, size),
        Err(problem) => {
            read.problems.push(problem);
            return read;
        }
    };
    if facts.is_empty() {
        // Nothing was read of a file that is named like an extension, so the audit must not succeed, whatever its reader says.
        if problems.is_empty() {
            problems.push(problem(member, Stage::Parse, "nothing could be read of it".to_owned()));
        }
        problems.iter_mut().for_each(|problem| problem.unread = true);
    }
    read.problems = problems;
    let sha256 = sha256.filter(|_| !facts.is_empty());
    read.problems.extend(not_as_recorded(member, sha256.as_deref(), (!facts.is_empty()).then_some(size)));
    for facts in facts {
        let origin = facts.slice.as_ref().map_or_else(|| member.origin.clone(), |arch| member.origin.slice(arch));
        read.files.push(File { origin, facts, sha256: sha256.clone() });
    }
    read
}

/// What a file is, with the libraries that it needs at hand.
enum Linked {
    Extension(Box<Loaded>, Option<String>),
    Library(Library),
}

fn link(libraries: &Libraries<'_>, member: &Member, file: File, target: &Target) -> Linked {
    let File { origin, facts, sha256 } = file;
    let platform = Platform { os: facts.format.os(), arch: facts.arch };
    let found = find(member.origin.file_name(), target, platform) != Found::NotSearched;
    match libraries.load(&facts, &member.origin, &member.module, target) {
        Some(loading) => {
            let module = member.module.clone();
            Linked::Extension(Box::new(Loaded { origin, module, facts, loading, found }), sha256)
        }
        None => Linked::Library(Library { origin, why: no_init_function(&facts.other_hooks) }),
    }
}

/// That a file is not the one that RECORD describes.
fn not_as_recorded(member: &Member, sha256: Option<&str>, size: Option<u64>) -> Option<Problem> {
    let differs = |claimed: Option<&str>| claimed.zip(sha256).is_some_and(|(claimed, read)| claimed != read);
    let what = if member.record_size.zip(size).is_some_and(|(claimed, read)| claimed != read) {
        "size"
    } else if differs(member.record_sha256.as_deref()) {
        "hash"
    } else {
        return None;
    };
    let error = format!("RECORD gives it another {what}: it was changed after the wheel was made");
    Some(Problem { origin: member.origin.clone(), stage: Stage::Metadata, unread: false, error })
}

/// What a file is that has the name of an extension and that no interpreter known here could load, by its contents. Nothing is missed
/// by not reading it.
fn no_object_file(origin: &Origin, bytes: &[u8]) -> Option<&'static str> {
    // WebAssembly Core Specification 2.0, 5.5.16: the magic number, and the version after it.
    if bytes.starts_with(b"\0asm") {
        return Some("a WebAssembly module: only an interpreter that runs in WebAssembly (Pyodide) loads it");
    }
    // What an installer puts beside the interpreter's own folders, as far as a wheel says, is in no place where modules are looked for.
    // Elsewhere a text may stand for the file that is meant (a pointer of Git LFS), and is a file that could not be read.
    let in_data = origin.file_path().split('/').zip(origin.file_path().split('/').skip(1));
    let in_data = in_data.into_iter().any(|(scheme, kind)| scheme.ends_with(".data") && kind == "data");
    let is_text =
        std::str::from_utf8(bytes).is_ok_and(|text| !text.chars().any(|it| it.is_control() && !it.is_whitespace()));
    (in_data && is_text).then_some("a text file in the data of a wheel, where no module is looked for")
}

fn no_init_function(others: &[String]) -> String {
    match others {
        [] => "no init function".to_owned(),
        [first, ..] => format!("no init function for its name; it has {first}"),
    }
}

fn extension(file: Loaded, member: &Member, sha256: Option<String>, target: &Target) -> Extension {
    let Loaded { origin, module, facts, loading, found } = file;
    let Loading { init, declaration, failure, .. } = loading;
    Extension {
        failure: match found {
            true if is_in_zipped_egg(&member.origin) => Some(in_zipped_egg(&module)),
            true => failure,
            false => Some(not_searched(member.origin.file_name(), &module, target)),
        },
        module,
        origin,
        sha256,
        record_sha256: member.record_sha256.clone(),
        distribution: member.distribution.clone(),
        format: facts.format,
        arch: facts.arch,
        abi: facts.abi,
        init,
        framework: facts.framework,
        declaration,
    }
}

/// Whether a file is in an egg that is a zip archive, as setuptools once installed them.
fn is_in_zipped_egg(origin: &Origin) -> bool {
    matches!(origin.parts(), [archive, _, ..] if archive.to_ascii_lowercase().ends_with(".egg"))
}

/// CPython 3.13 to 3.15, `Lib/zipimport.py`: only source and byte code are looked for.
fn in_zipped_egg(module: &str) -> ImportFailure {
    ImportFailure {
        kind: FailureKind::NotSearched,
        error: format!(
            "ModuleNotFoundError: No module named '{module}': zipimport loads no extension modules from an archive"
        ),
    }
}

fn not_searched(file_name: &str, module: &str, target: &Target) -> ImportFailure {
    let suffix = file_name.get(module_stem(file_name).len()..).unwrap_or_default();
    ImportFailure {
        kind: FailureKind::NotSearched,
        error: format!(
            "ModuleNotFoundError: No module named '{module}': {target} does not search for files ending in {suffix}"
        ),
    }
}

fn judge(extension: Extension, settings: &Settings, target: &Target) -> (Judged, Vec<Finding>) {
    let mut findings = check_extension(&extension, target);
    findings.retain(|finding| settings.runs(finding.rule));
    settings.policy.level(&mut findings);
    let decision = settings.policy.decide(&extension, &findings, target);
    let judged = Judged { extension, decision };
    Applied::accept(&judged, &mut findings);
    findings.retain(|finding| settings.shows(finding));
    (judged, findings)
}
