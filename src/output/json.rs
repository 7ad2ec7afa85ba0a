//! `gilaudit-report/1`: the report for programs.
//!
//! The format is the structs of `report_v1.rs`. They are built from the report here and nothing inside gilaudit is serialised
//! itself, so that no renaming inside becomes somebody else's breakage.

use std::io::{self, Write};

use gilaudit_audit::baseline::Entry;
use gilaudit_audit::report::{Environment, Judged, Report as Audit, Seen};
use gilaudit_model::{Extension, Library, Location, Outcome, Problem, Reason, Severity, Status};

use super::report_v1::*;

pub(super) fn write(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &report(audit))?;
    out.write_all(b"\n")
}

pub(super) fn report(audit: &Audit) -> Report<'_> {
    let question = &audit.question;
    Report {
        schema: SCHEMA,
        tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
        target: Target {
            python: question.target.to_string(),
            platform: "as-built",
            gil: question.target.gil.as_str(),
            from: question.target_from.clone(),
        },
        policy: Policy {
            name: &question.policy,
            diagnostics: question.policy_diagnostics.iter().map(diagnostic).collect(),
        },
        verdict: Verdict {
            gil: audit.gil().as_str(),
            contradicted: audit.rows().filter(|(_, rules)| !rules.is_empty()).count(),
            sentences: super::words::verdicts(audit),
        },
        environments: audit.environments.iter().map(environment).collect(),
        summary: summary(audit),
        extensions: audit.rows().map(|(judged, rules)| extension(judged, rules)).collect(),
        libraries: audit.answers.libraries.iter().map(library).collect(),
        findings: audit.findings().map(|seen| finding(seen, audit.baseline.is_some())).collect(),
        problems: audit.answers.problems.iter().map(problem).collect(),
        imports: audit.answers.imports.as_ref().map(super::report_v1_imports::imports),
        baseline: audit.baseline.as_ref().map(|baseline| BaselineOut {
            file: &baseline.file,
            known: audit.count_known(),
            stale: baseline.stale.iter().map(stale).collect(),
        }),
    }
}

fn diagnostic(diagnostic: &gilaudit_policy::Diagnostic) -> Diagnostic<'_> {
    Diagnostic {
        severity: diagnostic.severity.as_str(),
        at: diagnostic.place.to_string(),
        message: &diagnostic.message,
        hint: diagnostic.hint.as_deref(),
    }
}

fn environment(environment: &Environment) -> EnvironmentOut<'_> {
    EnvironmentOut {
        platform: environment.platform.to_string(),
        gil: environment.gil.as_str(),
        enabled_by: &environment.enabled_by,
        contradicted: &environment.contradicted,
        exclusion: environment.exclusion.as_ref().map(|exclusion| ExclusionOut {
            shared: &exclusion.shared,
            exclusive: &exclusion.exclusive,
            reentries: exclusion
                .reentries
                .iter()
                .map(|reentry| ReentryOut { shared: &reentry.shared, exclusive: &reentry.exclusive })
                .collect(),
        }),
    }
}

fn summary(audit: &Audit) -> Summary {
    Summary {
        artifacts: audit.answers.artifacts,
        extensions: audit.answers.extensions.len(),
        libraries: audit.answers.libraries.len(),
        sources: audit.answers.coverage.files,
        source_coverage: (audit.answers.coverage.files > 0).then_some(SourceCoverage {
            c_api_files: audit.answers.coverage.c_api,
            c_api_bytes: audit.answers.coverage.bytes,
            unparsed_bytes: audit.answers.coverage.unparsed,
        }),
        declarations: Declarations {
            not_used: audit.count_status(Status::NotUsed),
            used: audit.count_status(Status::Used),
            undeclared: audit.count_status(Status::Undeclared),
            unknown: audit.count_status(Status::Unknown),
        },
        outcomes: Outcomes {
            runs_free: audit.count_outcome(Outcome::RunsFree),
            enables_gil: audit.count_outcome(Outcome::EnablesGil),
            runs_free_forced: audit.count_outcome(Outcome::RunsFreeForced),
            runs_with_gil: audit.count_outcome(Outcome::RunsWithGil),
            cannot_import: audit.count_outcome(Outcome::CannotImport),
            undetermined: audit.count_outcome(Outcome::Undetermined),
        },
        findings: Findings {
            error: audit.count_severity(Severity::Error),
            warning: audit.count_severity(Severity::Warning),
            note: audit.count_severity(Severity::Note),
        },
        problems: audit.answers.problems.len(),
        not_judged: audit.answers.outside,
    }
}

fn extension<'a>(judged: &'a Judged, rules: &'a [&'static str]) -> ExtensionOut<'a> {
    let Judged { extension, decision } = judged;
    ExtensionOut {
        module: &extension.module,
        origin: extension.origin.parts(),
        sha256: extension.sha256.as_deref(),
        record_sha256: extension.record_sha256.as_deref(),
        distribution: extension
            .distribution
            .as_ref()
            .map(|distribution| Distribution { name: &distribution.name, version: &distribution.version }),
        format: extension.format.as_str(),
        arch: extension.arch.as_str(),
        abi: Abi { tag: extension.abi.tag.as_deref(), built_for: extension.abi.built_for.as_str() },
        init: extension.init.as_str(),
        framework: extension
            .framework
            .as_ref()
            .map(|framework| Framework { name: framework.framework.as_str(), version: framework.version.as_deref() }),
        declaration: declaration(extension, rules),
        decision: Decision {
            outcome: decision.outcome.as_str(),
            action: decision.action.as_str(),
            policy_at: decision.policy_at.as_deref(),
            warning: decision.warning.as_deref(),
            because: &decision.because,
            failure_code: judged.extension.failure.as_ref().map(|failure| failure.kind.code()),
            exception: decision.waiver.as_ref().map(|waiver| ExceptionOut {
                matches: &waiver.matches,
                reason: &waiver.reason,
                at: &waiver.at,
                expires: waiver.expires.as_deref(),
                days_left: waiver.days_left,
            }),
        },
    }
}

fn declaration<'a>(extension: &'a Extension, contradicted_by: &'a [&'static str]) -> Declaration<'a> {
    let declaration = &extension.declaration;
    Declaration {
        status: declaration.status.as_str(),
        mechanism: declaration.mechanism.as_str(),
        evidence: declaration
            .evidence
            .iter()
            .map(|seen| Evidence { what: &seen.what, at: seen.at.to_string() })
            .collect(),
        reason: declaration.reason.as_ref().map(ToString::to_string),
        reason_code: declaration.reason.as_ref().map(Reason::code),
        delegated_to: declaration.delegated_to.as_deref(),
        declared_by_tool: declaration.declared_by_tool.map(gilaudit_model::Framework::as_str),
        contradicted_by,
        assumption: declaration.assumption.as_deref(),
    }
}

fn library(library: &Library) -> LibraryOut<'_> {
    LibraryOut { origin: library.origin.parts(), why: &library.why }
}

fn stale(entry: &Entry) -> Stale<'_> {
    Stale {
        rule: &entry.rule,
        place: &entry.place,
        function: entry.function.as_deref(),
        text: &entry.text,
        fingerprint: &entry.fingerprint,
    }
}

fn finding(Seen { finding, identity, known }: Seen<'_>, has_baseline: bool) -> FindingOut<'_> {
    let (line, column, end_line, end_column) = match finding.location {
        Location::Text { line, column, end_line, end_column } => {
            (Some(line), Some(column), Some(end_line), Some(end_column))
        }
        Location::File | Location::Address(_) => (None, None, None, None),
    };
    FindingOut {
        rule: finding.rule,
        severity: finding.severity.as_str(),
        confidence: finding.confidence.as_str(),
        readiness: finding.readiness,
        message: &finding.message,
        help: finding.help.as_deref(),
        origin: finding.origin.parts(),
        line,
        column,
        end_line,
        end_column,
        address: if let Location::Address(address) = finding.location { Some(address) } else { None },
        section: finding
            .code
            .as_ref()
            .and_then(|code| code.section.as_ref())
            .map(|(name, offset)| format!("{name}+{offset:#x}")),
        seen_in: if finding.code.is_some() { "machine-code" } else { "source" },
        symbol: finding.code.as_ref().and_then(|code| code.symbol.as_deref()),
        python_name: finding.code.as_ref().and_then(|code| code.python_name.as_deref()),
        function: finding.function.as_deref(),
        module: finding.module.as_deref(),
        related: finding.related.iter().map(related).collect(),
        suppressed: finding.suppressed.as_deref(),
        place: &identity.place,
        fingerprint: &identity.fingerprint,
        baseline: has_baseline.then_some(if known { "known" } else { "new" }),
    }
}

fn related(related: &gilaudit_model::Related) -> Related<'_> {
    let line = if let Location::Text { line, .. } = related.location { Some(line) } else { None };
    Related { message: &related.message, origin: related.origin.parts(), line }
}

fn problem(problem: &Problem) -> ProblemOut<'_> {
    ProblemOut {
        origin: problem.origin.parts(),
        stage: problem.stage.as_str(),
        error: &problem.error,
        unread: problem.unread,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE=1 cargo test` writes the schema anew.
    #[test]
    fn the_schema_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/report-v1.schema.json");
        let schema = schemars::schema_for!(Report<'_>);
        let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n";
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &text).expect("docs/ can be written");
        }
        let kept = std::fs::read_to_string(path).expect("docs/report-v1.schema.json is checked in");
        assert_eq!(kept, text, "run UPDATE=1 cargo test and review the difference");
    }
}
