//! Sentences that several formats say.

use gilaudit_model::{Action, Distribution, Finding, Gil, Location, Origin, Outcome, Severity};
use gilaudit_policy::imports::GilAtEnd;

use super::count;
use crate::imports::Imports;
use crate::report::{Environment, GilState, Judged, Report};

/// What happens to the GIL of a process on one platform.
pub(super) fn gil_sentence(report: &Report, environment: &Environment) -> String {
    let platform = environment.platform;
    let target = report.question.target;
    match environment.gil {
        GilState::Off => format!("The GIL stays off on {platform}: no extension turns it on"),
        GilState::Undetermined => {
            format!("It is undetermined whether the GIL stays off on {platform}: see the modules below")
        }
        GilState::On if !target.free_threaded => format!("The GIL is on on {platform}: {target} always has it"),
        GilState::On if target.gil == Gil::On => format!("The GIL is on on {platform}: PYTHON_GIL=1 turns it on"),
        GilState::On => {
            let first = environment.enabled_by.first().map_or("", String::as_str);
            let others = environment.enabled_by.len().saturating_sub(1);
            let more = match others {
                0 => String::new(),
                1 => " and 1 other module".to_owned(),
                n => format!(" and {n} other modules"),
            };
            let from = distribution_of(report, environment, first).map_or(String::new(), |name| format!(" ({name})"));
            format!("The GIL will be enabled on {platform} by {first}{from}{more}")
        }
    }
}

/// The distribution whose module it is that turns the GIL on.
fn distribution_of(report: &Report, environment: &Environment, module: &str) -> Option<String> {
    let is_it = |judged: &&Judged| {
        judged.extension.module == module
            && judged.extension.platform() == environment.platform
            && judged.decision.outcome == Outcome::EnablesGil
    };
    report.answers.extensions.iter().find(is_it)?.extension.distribution.as_ref().map(shown)
}

/// `lxml 6.1.3`
pub(super) fn shown(distribution: &Distribution) -> String {
    format!("{} {}", distribution.name, distribution.version)
}

/// The question that the report answers.
pub(super) fn asked(report: &Report) -> String {
    let question = &report.question;
    let gil = match question.target.gil {
        Gil::Default => String::new(),
        set => format!(" with PYTHON_GIL={}", set.as_str()),
    };
    let build = if question.target.free_threaded { "free-threaded" } else { "GIL build" };
    format!("target {} ({build}, {}){gil}, policy {}", question.target, question.target_from, question.policy)
}

/// The sentences of a reader's first question: does the GIL stay off?
pub(super) fn verdicts(report: &Report) -> Vec<String> {
    let imports = report.answers.imports.iter().map(imports_sentence);
    imports.chain(report.environments.iter().map(|environment| gil_sentence(report, environment))).collect()
}

/// What the imports asked about do to the GIL, and why.
pub(super) fn imports_sentence(imports: &Imports) -> String {
    let says = match imports.answer.gil {
        GilAtEnd::Off => "the GIL stays off",
        GilAtEnd::On => "the GIL will be on",
        GilAtEnd::Undetermined => "it cannot be told whether the GIL stays off",
    };
    format!("{}: {says}: {}", imports.entries.join(", "), imports.answer.because)
}

/// The severity that a program which reads only severities should act on: what says that something is left to do fails nothing.
pub(super) fn level(finding: &Finding) -> Severity {
    if finding.readiness { Severity::Note } else { finding.severity }
}

/// Why the policy refuses a module.
pub(super) fn refusal(report: &Report, Judged { extension, decision }: &Judged) -> String {
    let from = extension.distribution.as_ref().map_or(String::new(), |it| format!(" ({})", shown(it)));
    let reason = extension.declaration.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
    let at = decision.policy_at.as_ref().map_or(String::new(), |at| format!(", by {at}"));
    let status = extension.declaration.status.as_str();
    format!("policy {} refuses {}{from}{at}: {status}{reason}", report.question.policy, extension.module)
}

/// `src/x.c:3:5`, or the file alone.
pub(super) fn place(origin: &Origin, location: Location) -> String {
    match location {
        Location::File => origin.to_string(),
        Location::Text { line, column, .. } => format!("{origin}:{line}:{column}"),
        Location::Address(address) => format!("{origin} at {address:#x}"),
    }
}

/// A file as other programs want it named: `src/x.c` for `./src/x.c`.
pub(super) fn file(origin: &Origin) -> String {
    let file = origin.to_string();
    file.strip_prefix("./").map(str::to_owned).unwrap_or(file)
}

/// The sentence that counts everything, also what was not read.
pub(super) fn summary(report: &Report) -> String {
    let answers = &report.answers;
    let outcomes: Vec<String> = Outcome::ALL
        .into_iter()
        .map(|outcome| (report.count_outcome(outcome), outcome))
        .filter(|(count, _)| *count > 0)
        .map(|(count, outcome)| format!("{count} {}", outcome.as_str()))
        .collect();
    let outcomes = if outcomes.is_empty() { String::new() } else { format!(" ({})", outcomes.join(", ")) };
    let some = |number: usize, what: &str| if number == 0 { String::new() } else { format!("; {number} {what}") };
    let refused = some(report.count_action(Action::Refuse), "refused");
    let known = some(report.count_known(), "known");
    format!(
        "{} in {}{outcomes}, {}; {}, {}, {}{known}{refused}; {} not read",
        count(answers.extensions.len(), "extension"),
        count(answers.artifacts, "artifact"),
        count(answers.libraries.len(), "library"),
        count(report.count_severity(Severity::Error), "error"),
        count(report.count_severity(Severity::Warning), "warning"),
        count(report.count_severity(Severity::Note), "note"),
        report.unread(),
    )
}

/// What the baseline has that was not found.
pub(super) fn stale(report: &Report) -> Option<String> {
    let baseline = report.baseline.as_ref().filter(|baseline| !baseline.stale.is_empty())?;
    let entries = count(baseline.stale.len(), "entry");
    Some(format!("{entries} of {} not found any more: gilaudit check --write-baseline makes it anew", baseline.file))
}

/// How much of the sources was judged, when there were any.
pub(super) fn coverage(report: &Report) -> Option<String> {
    let coverage = &report.answers.coverage;
    let unparsed = coverage.unparsed as f64 * 100.0 / (coverage.bytes as f64).max(1.0);
    (coverage.files > 0).then(|| {
        format!(
            "{}, {} of them C-API code; {unparsed:.1} % of that did not parse and was not judged",
            count(coverage.files, "source file"),
            coverage.c_api,
        )
    })
}
