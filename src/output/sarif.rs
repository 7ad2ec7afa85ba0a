//! SARIF 2.1.0, for code scanning: GitHub, Azure DevOps, editors.
//!
//! A finding is a result. One in a compiled module has the module as its logical location, the file (inside its archive) as the
//! physical one, and what was seen there as related locations with addresses. What could not be read is a notification of the run.

use std::collections::BTreeMap;
use std::io::{self, Write};

use gilaudit_audit::identity::{Identity, REFUSED};
use gilaudit_audit::report::{Judged, Report, Seen};
use gilaudit_input::relative;
use gilaudit_model::{Location as Place, Origin, Related, Severity};

use super::sarif_v2::*;
use super::words;
use crate::exit;

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut artifacts = Artifacts::default();
    let rules = rules(report);
    let by_place: BTreeMap<(&Origin, &str), &Judged> = report
        .answers
        .extensions
        .iter()
        .map(|judged| ((&judged.extension.origin, judged.extension.module.as_str()), judged))
        .collect();
    let mut results = Vec::new();
    for seen in report.findings() {
        let finding = seen.finding;
        let judged = finding.module.as_deref().and_then(|module| by_place.get(&(&finding.origin, module)).copied());
        results.push(result(report, seen, judged, &rules, &mut artifacts));
    }
    for judged in report.refused() {
        results.push(refusal(report, judged, &rules, &mut artifacts));
    }
    let invocation = invocation(report, &mut artifacts);
    let run = Run {
        tool: Tool {
            driver: Driver {
                name: env!("CARGO_PKG_NAME"),
                version: env!("CARGO_PKG_VERSION"),
                semantic_version: env!("CARGO_PKG_VERSION"),
                information_uri: env!("CARGO_PKG_REPOSITORY"),
                rules: rules.into_iter().map(descriptor).collect(),
            },
        },
        invocations: [invocation],
        original_uri_base_ids: BaseIds {
            root: BaseId { description: Text::new("The folder in which gilaudit was run.") },
        },
        // Columns count characters, as everywhere in gilaudit.
        column_kind: "unicodeCodePoints",
        artifacts: artifacts.list,
        results,
        properties: RunProperties {
            target: words::asked(report),
            verdicts: words::verdicts(report),
            summary: words::summary(report),
        },
    };
    serde_json::to_writer_pretty(&mut *out, &Log { schema: SCHEMA, version: "2.1.0", runs: [run] })?;
    out.write_all(b"\n")
}

/// The ids of the rules that have results, sorted.
fn rules(report: &Report) -> Vec<&'static str> {
    let mut rules: Vec<&str> = report.answers.findings.iter().map(|finding| finding.rule).collect();
    if report.refused().next().is_some() {
        rules.push(REFUSED);
    }
    rules.sort_unstable();
    rules.dedup();
    rules
}

fn descriptor(id: &'static str) -> Descriptor {
    let Some(rule) = gilaudit_rules::find(id) else {
        let text = "The policy refuses the module.";
        return Descriptor {
            id,
            short_description: Text::new(text),
            full_description: Text::new(text),
            help: Text::new(
                "Replace the module by a version that the policy accepts, or give the policy an exception for it.",
            ),
            help_uri: None,
            default_configuration: Configuration { level: "error" },
            properties: properties(Severity::Error, "very-high"),
        };
    };
    Descriptor {
        id,
        short_description: Text::new(sentence(rule.summary)),
        full_description: Text::new(what_it_does(rule.doc)),
        help: Text { text: rule.doc.into(), markdown: Some(rule.doc) },
        help_uri: Some(words::rule_url(id)),
        default_configuration: Configuration { level: rule.severity.as_str() },
        properties: properties(rule.severity, rule.confidence.as_str()),
    }
}

fn properties(severity: Severity, precision: &'static str) -> DescriptorProperties {
    DescriptorProperties {
        tags: ["concurrency", "free-threading"],
        precision,
        problem_severity: match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "recommendation",
        },
    }
}

/// The first paragraph below the first heading of a rule's page, in one line.
fn what_it_does(page: &str) -> String {
    let paragraph = page.lines().skip_while(|line| line.is_empty() || line.starts_with('#'));
    paragraph.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// With a capital and a period, as the standard wants descriptions.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), chars.as_str()))
}

fn index(rules: &[&str], id: &str) -> usize {
    rules.binary_search(&id).unwrap_or_default()
}

fn result<'a>(
    report: &'a Report,
    Seen { finding, identity, known }: Seen<'a>,
    judged: Option<&'a Judged>,
    rules: &[&str],
    artifacts: &mut Artifacts,
) -> SarifResult<'a> {
    let help = finding.help.as_ref().map_or(String::new(), |help| format!("\n\nhelp: {help}"));
    let mut related: Vec<Location<'_>> =
        finding.related.iter().map(|related| related_location(report, related, artifacts)).collect();
    let evidence = judged.iter().flat_map(|judged| &judged.extension.declaration.evidence);
    related.extend(evidence.map(|seen| Location {
        message: Some(Text::new(seen.what.as_str())),
        physical_location: Some(PhysicalLocation {
            address: Some(Address { absolute_address: None, fully_qualified_name: Some(seen.at.to_string()) }),
            ..artifacts.file(&finding.origin)
        }),
        ..Location::default()
    }));
    for (id, location) in related.iter_mut().enumerate() {
        location.id = Some(id + 1);
    }
    let justification = finding.suppressed.as_deref();
    SarifResult {
        rule_id: finding.rule,
        rule_index: index(rules, finding.rule),
        level: words::level(finding).as_str(),
        message: Text::new(format!("{}{help}", finding.message)),
        locations: [Location {
            physical_location: Some(physical(report, &finding.origin, finding.location, artifacts)),
            logical_locations: logical(finding.module.as_deref(), finding.function.as_deref()),
            ..Location::default()
        }],
        related_locations: related,
        partial_fingerprints: Fingerprints { v1: identity.fingerprint.clone() },
        baseline_state: report.baseline.as_ref().map(|_| if known { "unchanged" } else { "new" }),
        suppressions: justification
            .map(|justification| Suppression { kind: "inSource", status: "accepted", justification })
            .into_iter()
            .collect(),
        properties: ResultProperties { confidence: finding.confidence.as_str(), readiness: finding.readiness },
    }
}

fn refusal<'a>(report: &Report, judged: &'a Judged, rules: &[&str], artifacts: &mut Artifacts) -> SarifResult<'a> {
    let extension = &judged.extension;
    SarifResult {
        rule_id: REFUSED,
        rule_index: index(rules, REFUSED),
        level: "error",
        message: Text::new(words::refusal(report, judged)),
        locations: [Location {
            physical_location: Some(artifacts.file(&extension.origin)),
            logical_locations: logical(Some(&extension.module), None),
            ..Location::default()
        }],
        related_locations: Vec::new(),
        partial_fingerprints: Fingerprints { v1: Identity::of_refusal(extension).fingerprint },
        baseline_state: report.baseline.as_ref().map(|_| "new"),
        suppressions: Vec::new(),
        properties: ResultProperties { confidence: "high", readiness: false },
    }
}

fn related_location<'a>(report: &Report, related: &'a Related, artifacts: &mut Artifacts) -> Location<'a> {
    Location {
        message: Some(Text::new(related.message.as_str())),
        physical_location: Some(physical(report, &related.origin, related.location, artifacts)),
        ..Location::default()
    }
}

fn logical<'a>(module: Option<&'a str>, function: Option<&'a str>) -> Vec<LogicalLocation<'a>> {
    let function = function.map(|name| LogicalLocation { fully_qualified_name: name, kind: "function" });
    let module = module.map(|name| LogicalLocation { fully_qualified_name: name, kind: "module" });
    function.into_iter().chain(module).collect()
}

fn physical(report: &Report, origin: &Origin, place: Place, artifacts: &mut Artifacts) -> PhysicalLocation {
    let file = artifacts.file(origin);
    match place {
        Place::File => file,
        Place::Address(address) => PhysicalLocation {
            address: Some(Address { absolute_address: Some(address), fully_qualified_name: None }),
            ..file
        },
        Place::Text { line, column, end_line, end_column } => {
            let snippet = report.answers.line(origin, line).map(|text| Text::new(text.to_owned()));
            let region = Region { start_line: line, start_column: column, end_line, end_column, snippet };
            PhysicalLocation { region: Some(region), ..file }
        }
    }
}

fn invocation<'a>(report: &'a Report, artifacts: &mut Artifacts) -> Invocation<'a> {
    let problems = report.answers.problems.iter().map(|problem| Notification {
        level: if problem.unread { "error" } else { "warning" },
        descriptor: Reference { id: format!("problem/{}", problem.stage.as_str()) },
        message: Text::new(problem.error.as_str()),
        locations: vec![Location { physical_location: Some(artifacts.file(&problem.origin)), ..Location::default() }],
    });
    let problems: Vec<Notification<'_>> = problems.collect();
    let diagnostics = report.question.policy_diagnostics.iter().map(|diagnostic| {
        let place = &diagnostic.place;
        let region = Region {
            start_line: place.line,
            start_column: place.column,
            end_line: place.end_line,
            end_column: place.end_column,
            snippet: None,
        };
        let hint = diagnostic.hint.as_ref().map_or(String::new(), |hint| format!("\n\nhint: {hint}"));
        let file = artifacts.file(&Origin::path(place.file.to_string()));
        Notification {
            level: diagnostic.severity.as_str(),
            descriptor: Reference { id: "policy".to_owned() },
            message: Text::new(format!("{}{hint}", diagnostic.message)),
            locations: vec![Location {
                physical_location: Some(PhysicalLocation { region: Some(region), ..file }),
                ..Location::default()
            }],
        }
    });
    Invocation {
        execution_successful: report.unread() == 0,
        exit_code: exit::of(report),
        tool_execution_notifications: problems,
        tool_configuration_notifications: diagnostics.collect(),
    }
}

/// The files that are spoken of, each once. A member of an archive has the archive as its parent.
#[derive(Default)]
struct Artifacts {
    list: Vec<Artifact>,
    known: BTreeMap<Vec<String>, usize>,
}

impl Artifacts {
    /// The location that is the file as a whole.
    fn file(&mut self, origin: &Origin) -> PhysicalLocation {
        // The slice of a fat file is no file of its own.
        let parts: Vec<&String> = origin.parts().iter().filter(|part| !part.starts_with('[')).collect();
        let mut key: Vec<String> = Vec::new();
        let mut index = None;
        let mut location = ArtifactLocation { uri: String::new(), uri_base_id: None, index: None };
        for part in parts {
            key.push(part.clone());
            let at = self.known.get(&key).copied().unwrap_or(self.list.len());
            location = artifact_location(part, index.is_some());
            if at == self.list.len() {
                self.known.insert(key.clone(), at);
                self.list.push(Artifact { location: location.clone(), parent_index: index, roles: ["analysisTarget"] });
            }
            index = Some(at);
        }
        location.index = index;
        PhysicalLocation { artifact_location: location, region: None, address: None }
    }
}

/// The address of a path: relative to the root of the run, absolute as `file:`, and inside an archive from its own root.
fn artifact_location(path: &str, inside: bool) -> ArtifactLocation {
    let path = if inside { path } else { relative(path) };
    let drive = path.as_bytes().get(1) == Some(&b':') && path.starts_with(|first: char| first.is_ascii_alphabetic());
    let (uri, uri_base_id) = match path {
        _ if inside => (words::encoded(path), None),
        _ if drive => (
            format!(
                "file:///{}{}",
                path.get(..2).unwrap_or_default(),
                words::encoded(path.get(2..).unwrap_or_default())
            ),
            None,
        ),
        _ if path.starts_with('/') => (format!("file://{}", words::encoded(path)), None),
        _ => (words::encoded(path), Some("%SRCROOT%")),
    };
    ArtifactLocation { uri, uri_base_id, index: None }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use gilaudit_audit::sample;

    #[test]
    fn fits_the_official_schema() {
        let schema = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sarif-schema-2.1.0.json"));
        let schema: Value = serde_json::from_str(schema).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let mut out = Vec::new();
        write(&sample::report(), &mut out).unwrap();
        let log: Value = serde_json::from_slice(&out).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&log).map(|error| format!("{error} at {}", error.instance_path())).collect();
        assert_eq!(errors, Vec::<String>::new());
        // The validator does see what is wrong.
        let mut wrong = log.clone();
        wrong["runs"][0]["results"][0]["level"] = "fatal".into();
        assert!(!validator.is_valid(&wrong));
    }

    #[test]
    fn every_rule_has_a_description() {
        for rule in gilaudit_rules::RULES {
            let text = what_it_does(rule.doc);
            assert!(text.len() > 20 && text.ends_with(['.', ':']), "{}: {text}", rule.id);
        }
    }

    #[test]
    fn paths_become_addresses() {
        let of = |path: &str| artifact_location(path, false).uri;
        assert_eq!(of("./src/a b%.c"), "src/a%20b%25.c");
        assert_eq!(of("/tmp/é.c"), "file:///tmp/%C3%A9.c");
        assert_eq!(of("C:/x/y.c"), "file:///C:/x/y.c");
        assert_eq!(artifact_location("a:b.c", true).uri, "a%3Ab.c");
    }

    #[test]
    fn a_member_has_its_archive_as_parent() {
        let mut artifacts = Artifacts::default();
        let wheel = Origin::path("d/x.whl");
        let first = artifacts.file(&wheel.member("a.so").slice("arm64")).artifact_location;
        let second = artifacts.file(&wheel.member("b.so")).artifact_location;
        assert_eq!((first.uri.as_str(), first.index, second.index), ("a.so", Some(1), Some(2)));
        let parents: Vec<Option<usize>> = artifacts.list.iter().map(|artifact| artifact.parent_index).collect();
        assert_eq!(parents, [None, Some(0), Some(0)]);
    }
}
