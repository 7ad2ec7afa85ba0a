//! Lints the sources among the inputs, one project an artifact, and lists the modules that they would build.

use gilaudit_input::{Inventory, SourceFile};
use gilaudit_model::source::{File, Language, Unread};
use gilaudit_model::{
    Abi, Arch, BuiltFor, Confidence, Extension, Finding, Format, Origin, Problem, Stage, Target, panics,
};
use gilaudit_rules::{Checked, Options, SourceModule, check_project};
use gilaudit_source::{Limits, SourceText, read_project};
use rayon::prelude::*;

use crate::answers::{Coverage, Judged};
use crate::judge::judge;
use crate::settings::Settings;

/// What linting gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Linted {
    pub(crate) findings: Vec<Finding>,
    /// The modules that the sources would build.
    pub(crate) extensions: Vec<Judged>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) coverage: Coverage,
    /// The text of the files that have findings, by origin, for the lines that are shown.
    pub(crate) texts: Vec<(Origin, String)>,
}

/// A project with more files is read on its own: its files are work enough for all threads.
const LARGE: usize = 64;

/// Lints all sources of the inventory.
pub(crate) fn lint(inventory: &Inventory, settings: &Settings, target: &Target) -> Linted {
    let projects: Vec<&[SourceFile]> = inventory.sources.chunk_by(|a, b| a.artifact == b.artifact).collect();
    // Several large ones at once would need the memory of all of them.
    let (large, small): (Vec<_>, Vec<_>) = projects.iter().copied().enumerate().partition(|(_, it)| it.len() > LARGE);
    let one = |(number, files): (usize, &[SourceFile])| (number, guarded(inventory, files, settings, target));
    let mut results: Vec<(usize, Linted)> = small.into_par_iter().map(one).collect();
    results.extend(large.into_iter().map(one));
    results.sort_by_key(|(number, _)| *number);
    let mut all = Linted::default();
    for (_, result) in results {
        all.findings.extend(result.findings);
        all.extensions.extend(result.extensions);
        all.problems.extend(result.problems);
        all.texts.extend(result.texts);
        all.coverage.files += result.coverage.files;
        all.coverage.c_api += result.coverage.c_api;
        all.coverage.bytes += result.coverage.bytes;
        all.coverage.unparsed += result.coverage.unparsed;
    }
    all
}

/// A mistake of ours on hostile sources is a problem of that project, not the end of the run.
fn guarded(inventory: &Inventory, files: &[SourceFile], settings: &Settings, target: &Target) -> Linted {
    panics::caught(|| project(inventory, files, settings, target)).unwrap_or_else(|panic| {
        let error = panics::failed_on("these sources", &panic);
        let problem = Problem { origin: origin_of(inventory, files), stage: Stage::Internal, unread: true, error };
        Linted { problems: vec![problem], ..Linted::default() }
    })
}

/// Where a project is.
fn origin_of(inventory: &Inventory, files: &[SourceFile]) -> Origin {
    let Some(file) = files.first() else { return Origin::path("sources") };
    inventory.artifacts.get(file.artifact).map_or_else(|| file.origin.clone(), |artifact| artifact.origin.clone())
}

fn project(inventory: &Inventory, files: &[SourceFile], settings: &Settings, target: &Target) -> Linted {
    let mut linted = Linted::default();
    let read: Vec<Result<SourceText, Problem>> = files
        .par_iter()
        .map(|file| {
            let bytes = inventory.read_source(file)?;
            Ok(SourceText::new(file.origin.clone(), file.path.clone(), &bytes, file.report))
        })
        .collect();
    let mut texts = Vec::with_capacity(read.len());
    for text in read {
        match text {
            Ok(text) => texts.push(text),
            Err(problem) => linted.problems.push(problem),
        }
    }
    let limits = Limits { python_without_threads: settings.shows_confidence(Confidence::Low), ..Limits::default() };
    let (project, problems) = read_project(texts, &limits);
    linted.problems.extend(problems);
    for file in project.files.iter().filter(|file| file.report && file.language != Language::Text) {
        linted.coverage.files += 1;
        if file.c_api {
            linted.coverage.c_api += 1;
            linted.coverage.bytes += file.text.len();
            linted.coverage.unparsed += file.unparsed as usize;
        }
    }
    let options = Options {
        target: *target,
        frozen: settings.policy.policy().frozen().to_vec(),
        ignored: settings.ignored(),
        suppressions: settings.suppressions,
        steps: limits.steps,
    };
    let Checked { mut findings, modules, unjudged, failed, .. } = check_project(&project, &options);
    linted.problems.extend(project.files.iter().filter_map(|file| unread(file, file.unread.as_ref()?)));
    linted.problems.extend(unjudged.iter().filter_map(|(id, why)| {
        let file = project.file(*id);
        unread(file, why).filter(|_| file.unread.is_none())
    }));
    linted.problems.extend(failed.into_iter().map(|error| Problem {
        origin: origin_of(inventory, files),
        stage: Stage::Internal,
        unread: true,
        error,
    }));
    if settings.suppressions {
        gilaudit_rules::suppress(&project, &mut findings, &mut linted.problems);
    }
    let extensions = modules.into_iter().map(|module| extension(module, inventory, files)).collect();
    let (extensions, findings) = judge(extensions, findings, settings, target);
    linted.extensions = extensions;
    let mut shown: Vec<_> = findings.iter().map(|finding| &finding.origin).collect();
    shown.sort();
    shown.dedup();
    let texts = project.files.iter().filter(|file| shown.binary_search(&&file.origin).is_ok());
    linted.texts = texts.map(|file| (file.origin.clone(), file.text.clone())).collect();
    linted.findings = findings;
    linted
}

/// What is said of a file that was not judged. Nothing in a test counts, so nothing is lost with one; and a template is no text of its
/// language before a build fills it in, so it need not parse.
fn unread(file: &File, why: &Unread) -> Option<Problem> {
    let error = format!("these sources were not judged: {}", why.why);
    let is_template = why.stage == Stage::Parse && file.path.ends_with(".in");
    let unread = !gilaudit_rules::is_test_path(&file.path) && !is_template;
    // C that has nothing to do with Python is not looked at either.
    let matters = file.c_api || !matches!(file.language, Language::C | Language::Cpp);
    (file.report && matters).then(|| Problem { origin: file.origin.clone(), stage: why.stage, unread, error })
}

/// A module that is not built yet, as a row of the report. It fits every platform and every ABI.
fn extension(module: SourceModule, inventory: &Inventory, files: &[SourceFile]) -> Extension {
    let artifact = files.first().and_then(|file| inventory.artifacts.get(file.artifact));
    Extension {
        module: module.name,
        origin: module.origin,
        sha256: None,
        record_sha256: None,
        distribution: artifact.and_then(|artifact| artifact.distribution.clone()),
        format: Format::Source,
        arch: Arch::Any,
        abi: Abi { tag: None, built_for: BuiltFor::Unknown },
        init: module.init,
        framework: module.framework,
        declaration: module.declaration,
        failure: None,
    }
}
