//! Lints the sources among the inputs, one project an artifact, and lists the modules that they would build.

use std::panic::{self, AssertUnwindSafe};

use gilaudit_input::{Inventory, SourceFile};
use gilaudit_model::source::Language;
use gilaudit_model::{Abi, Arch, BuiltFor, Extension, Finding, Format, Origin, Problem, Stage, Target};
use gilaudit_rules::{Options, SourceModule, check_project};
use gilaudit_source::{Limits, SourceText, read_project};
use rayon::prelude::*;

use crate::policies::Applied;
use crate::report::Judged;
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

/// How much of the sources was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Coverage {
    /// Files named like sources of extensions.
    pub(crate) files: usize,
    /// Those with code that rules look at.
    pub(crate) c_api: usize,
    /// The bytes of the latter.
    pub(crate) bytes: usize,
    /// Bytes of code that did not parse: nothing is reported there.
    pub(crate) unparsed: usize,
}

/// Lints all sources of the inventory.
pub(crate) fn lint(inventory: &Inventory, settings: &Settings, target: &Target) -> Linted {
    let projects: Vec<&[SourceFile]> = inventory.sources.chunk_by(|a, b| a.artifact == b.artifact).collect();
    let results: Vec<Linted> =
        projects.into_par_iter().map(|files| guarded(inventory, files, settings, target)).collect();
    let mut all = Linted::default();
    for result in results {
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
    panic::catch_unwind(AssertUnwindSafe(|| project(inventory, files, settings, target))).unwrap_or_else(|_| {
        let origin = files.first().map_or_else(
            || Origin::path("sources"),
            |file| {
                inventory
                    .artifacts
                    .get(file.artifact)
                    .map_or_else(|| file.origin.clone(), |artifact| artifact.origin.clone())
            },
        );
        let error = "gilaudit failed on these sources, which is a bug worth reporting".to_owned();
        Linted { problems: vec![Problem { origin, stage: Stage::Internal, unread: true, error }], ..Linted::default() }
    })
}

fn project(inventory: &Inventory, files: &[SourceFile], settings: &Settings, target: &Target) -> Linted {
    let mut linted = Linted::default();
    let mut texts = Vec::new();
    for file in files {
        match inventory.read_source(file) {
            Ok(bytes) => texts.push(SourceText {
                origin: file.origin.clone(),
                path: file.path.clone(),
                text: text(&bytes),
                report: file.report,
            }),
            Err(problem) => linted.problems.push(problem),
        }
    }
    let (project, problems) = read_project(texts, &Limits::default());
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
    };
    let mut findings = check_project(&project, &options);
    if settings.suppressions {
        gilaudit_rules::suppress(&project, &mut findings, &mut linted.problems);
    }
    findings.retain(|finding| settings.runs(finding.rule));
    settings.policy.level(&mut findings);
    linted.extensions = gilaudit_rules::modules(&project, target)
        .into_iter()
        .map(|module| {
            let extension = extension(module, inventory, files);
            let decision = settings.policy.decide(&extension, &findings, target);
            Judged { extension, decision }
        })
        .collect();
    for judged in &linted.extensions {
        Applied::accept(judged, &mut findings);
    }
    findings.retain(|finding| settings.shows(finding));
    let mut shown: Vec<_> = findings.iter().map(|finding| &finding.origin).collect();
    shown.sort();
    shown.dedup();
    let texts = project.files.iter().filter(|file| shown.binary_search(&&file.origin).is_ok());
    linted.texts = texts.map(|file| (file.origin.clone(), file.text.clone())).collect();
    linted.findings = findings;
    linted
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

/// Text of which every byte stays where it is: what is not UTF-8 (comments in Latin-1, as a rule) becomes a question mark.
fn text(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(std::iter::repeat_n('?', chunk.invalid().len()));
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn offsets_stay() {
        let bytes = b"a \xe9\xff b \xc3\xa9";
        let text = super::text(bytes);
        assert_eq!(text, "a ?? b \u{e9}");
        assert_eq!(text.len(), bytes.len());
    }
}
