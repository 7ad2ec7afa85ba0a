//! The result of an audit: everything that an output format shows, sorted, counted, and turned into an exit code.
//!
//! A report knows nothing of formats. Building one sorts it, so that every format prints the same order whatever the number of
//! jobs was.

use std::collections::BTreeMap;

use gilaudit_model::{
    Action, Decision, Extension, Finding, Gil, Library, Origin, Outcome, Platform, Problem, Severity, Status, Target,
};
use gilaudit_policy::Diagnostic;

use crate::identity::{Identity, identities};
use crate::imports::Imports;
use crate::sources::Coverage;

/// Nothing to complain about.
pub(crate) const EXIT_OK: u8 = 0;
/// Findings at or above the threshold, or the policy refuses something.
pub(crate) const EXIT_FINDINGS: u8 = 1;
/// Usage, a bad policy, or an input that could not be read.
pub(crate) const EXIT_ERROR: u8 = 2;
/// Nothing auditable was recognised in the inputs.
pub(crate) const EXIT_NOTHING: u8 = 3;

/// An extension and what happens to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) extension: Extension,
    pub(crate) decision: Decision,
}

/// What an audit was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) target: Target,
    /// Where the target was taken from: `default`, `--python`, or the environment's own file.
    pub(crate) target_from: String,
    /// The policy's name.
    pub(crate) policy: String,
    /// What is wrong with the policy file.
    pub(crate) policy_diagnostics: Vec<Diagnostic>,
    /// The severity from which findings fail the run.
    pub(crate) fail_on: Severity,
}

/// What was found, in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answers {
    /// How many artifacts were given or found.
    pub(crate) artifacts: usize,
    /// Whether any input was recognised as something that gilaudit audits; a pure-Python wheel is.
    pub(crate) recognised: bool,
    pub(crate) extensions: Vec<Judged>,
    pub(crate) libraries: Vec<Library>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) problems: Vec<Problem>,
    /// How much of the sources was read.
    pub(crate) coverage: Coverage,
    /// The text of the source files that have findings, sorted by origin.
    pub(crate) texts: Vec<(Origin, String)>,
    /// What the imports asked about do to the process, when any were.
    pub(crate) imports: Option<Imports>,
}

impl Answers {
    /// A line of a source file that has findings.
    pub(crate) fn line(&self, origin: &Origin, line: u32) -> Option<&str> {
        let at = self.texts.binary_search_by(|(known, _)| known.cmp(origin)).ok()?;
        let (_, text) = self.texts.get(at)?;
        text.lines().nth((line as usize).checked_sub(1)?)
    }
}

/// What happens to the process on one platform, if all extensions listed for it were imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Environment {
    pub(crate) platform: Platform,
    pub(crate) gil: GilState,
    /// The modules that turn the GIL on, sorted.
    pub(crate) enabled_by: Vec<String>,
}

/// The GIL of a process after its imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GilState {
    Off,
    On,
    Undetermined,
}

impl GilState {
    /// The word used in reports.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
            Self::Undetermined => "undetermined",
        }
    }
}

/// A question with its sorted answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) question: Question,
    pub(crate) answers: Answers,
    pub(crate) environments: Vec<Environment>,
    /// What identifies each of the findings, in their order.
    pub(crate) identities: Vec<Identity>,
}

impl Report {
    pub(crate) fn new(question: Question, mut answers: Answers) -> Self {
        answers.extensions.sort_by(|a, b| key(a).cmp(&key(b)));
        answers.libraries.sort();
        answers.findings.sort();
        answers.problems.sort();
        answers.texts.sort();
        // The same file can be named twice on the command line; what is said about it is said once.
        answers.libraries.dedup();
        answers.findings.dedup();
        answers.problems.dedup();
        let environments = environments(&answers.extensions, &question.target);
        let identities = identities(&answers);
        Self { question, answers, environments, identities }
    }

    /// The findings with what identifies them.
    pub(crate) fn findings(&self) -> impl Iterator<Item = (&Finding, &Identity)> {
        self.answers.findings.iter().zip(&self.identities)
    }

    /// Whether a finding counts towards the exit code: it is not suppressed, and says more than what is left to do.
    pub(crate) fn counts(finding: &Finding) -> bool {
        finding.suppressed.is_none() && !finding.readiness
    }

    /// Whether a finding makes the run fail.
    pub(crate) fn fails(&self, finding: &Finding) -> bool {
        Self::counts(finding) && finding.severity >= self.question.fail_on
    }

    /// The status the command exits with; the first rule that applies wins.
    pub(crate) fn exit_code(&self) -> u8 {
        let bad_policy = self.question.policy_diagnostics.iter().any(|it| it.severity == Severity::Error);
        let unread = self.answers.problems.iter().any(|problem| problem.unread);
        if bad_policy || unread {
            EXIT_ERROR
        } else if self.answers.findings.iter().any(|finding| self.fails(finding))
            || self.count_action(Action::Refuse) > 0
        {
            EXIT_FINDINGS
        } else if !self.answers.recognised {
            EXIT_NOTHING
        } else {
            EXIT_OK
        }
    }

    pub(crate) fn count_status(&self, status: Status) -> usize {
        self.answers.extensions.iter().filter(|judged| judged.extension.declaration.status == status).count()
    }

    pub(crate) fn count_outcome(&self, outcome: Outcome) -> usize {
        self.answers.extensions.iter().filter(|judged| judged.decision.outcome == outcome).count()
    }

    pub(crate) fn count_action(&self, action: Action) -> usize {
        self.answers.extensions.iter().filter(|judged| judged.decision.action == action).count()
    }

    pub(crate) fn count_severity(&self, severity: Severity) -> usize {
        self.answers
            .findings
            .iter()
            .filter(|finding| finding.severity == severity && finding.suppressed.is_none())
            .count()
    }

    /// How many inputs were not read.
    pub(crate) fn unread(&self) -> usize {
        self.answers.problems.iter().filter(|problem| problem.unread).count()
    }
}

fn key(judged: &Judged) -> (&gilaudit_model::Origin, &str) {
    (&judged.extension.origin, &judged.extension.module)
}

/// The state of the GIL per platform. Extensions that the target cannot import take no part in it.
fn environments(extensions: &[Judged], target: &Target) -> Vec<Environment> {
    let mut platforms: BTreeMap<Platform, Vec<&Judged>> = BTreeMap::new();
    for judged in extensions.iter().filter(|judged| judged.decision.outcome != Outcome::CannotImport) {
        platforms.entry(judged.extension.platform()).or_default().push(judged);
    }
    let always_on = !target.free_threaded || target.gil == Gil::On;
    let environment = |(platform, judged): (Platform, Vec<&Judged>)| {
        let with = |outcome: Outcome| judged.iter().filter(move |judged| judged.decision.outcome == outcome);
        let mut enabled_by: Vec<String> =
            with(Outcome::EnablesGil).map(|judged| judged.extension.module.clone()).collect();
        enabled_by.sort();
        enabled_by.dedup();
        let gil = if always_on || !enabled_by.is_empty() {
            GilState::On
        } else if with(Outcome::Undetermined).next().is_some() {
            GilState::Undetermined
        } else {
            GilState::Off
        };
        Environment { platform, gil, enabled_by }
    };
    platforms.into_iter().map(environment).collect()
}

#[cfg(test)]
mod tests {
    use gilaudit_model::{Confidence, Gil, Location, Stage};

    use super::*;
    use crate::output::sample::{extension, judged, question};
    use crate::settings::DEFAULT_TARGET;

    fn answers(statuses: &[Status], target: &Target) -> Answers {
        let name = |index: usize| format!("m{index}");
        let extensions =
            statuses.iter().enumerate().map(|(index, status)| judged(extension(&name(index), *status), target));
        Answers { recognised: true, artifacts: 1, extensions: extensions.collect(), ..Answers::default() }
    }

    fn finding(severity: Severity, suppressed: Option<String>) -> Finding {
        Finding {
            origin: Origin::path("x"),
            location: Location::File,
            rule: "enables-gil",
            severity,
            confidence: Confidence::High,
            readiness: false,
            message: String::new(),
            help: None,
            function: None,
            module: None,
            related: Vec::new(),
            suppressed,
        }
    }

    fn problem(unread: bool) -> Problem {
        Problem { origin: Origin::path("x"), stage: Stage::Open, unread, error: String::new() }
    }

    /// What the command exits with when all of this is true.
    fn code(recognised: bool, findings: Vec<Finding>, refused: bool, problems: Vec<Problem>) -> u8 {
        let mut answers = answers(&[Status::Used], &DEFAULT_TARGET);
        if refused {
            answers.extensions[0].decision.action = Action::Refuse;
        }
        let answers = Answers { recognised, findings, problems, ..answers };
        Report::new(question(DEFAULT_TARGET), answers).exit_code()
    }

    #[test]
    fn the_first_exit_code_that_applies() {
        let error = || vec![finding(Severity::Error, None)];
        assert_eq!(code(true, vec![], false, vec![]), EXIT_OK);
        assert_eq!(code(true, vec![finding(Severity::Warning, None)], false, vec![problem(false)]), EXIT_OK);
        assert_eq!(code(true, vec![finding(Severity::Error, Some("on purpose".to_owned()))], false, vec![]), EXIT_OK);
        assert_eq!(code(false, vec![], false, vec![]), EXIT_NOTHING);
        assert_eq!(code(false, error(), false, vec![]), EXIT_FINDINGS);
        assert_eq!(code(true, vec![], true, vec![]), EXIT_FINDINGS);
        assert_eq!(code(false, error(), true, vec![problem(true)]), EXIT_ERROR);
    }

    /// The state of the GIL on the one platform there is.
    fn gil(statuses: &[Status], target: Target) -> (&'static str, Vec<String>) {
        let report = Report::new(question(target), answers(statuses, &target));
        assert_eq!(report.environments.len(), 1);
        (report.environments[0].gil.as_str(), report.environments[0].enabled_by.clone())
    }

    #[test]
    fn the_gil_of_an_environment() {
        let free = DEFAULT_TARGET;
        let by = |name: &str| vec![name.to_owned()];
        assert_eq!(gil(&[Status::NotUsed, Status::NotUsed], free), ("off", vec![]));
        assert_eq!(gil(&[Status::NotUsed, Status::Unknown], free), ("undetermined", vec![]));
        assert_eq!(gil(&[Status::Unknown, Status::Used], free), ("on", by("m1")));
        assert_eq!(gil(&[Status::Undeclared], free.with_gil(Gil::Off)), ("off", vec![]));
        assert_eq!(gil(&[Status::NotUsed], free.with_gil(Gil::On)), ("on", vec![]));
        assert_eq!(gil(&[Status::NotUsed], Target { free_threaded: false, ..free }), ("on", vec![]));
    }

    #[test]
    fn what_cannot_be_imported_takes_no_part() {
        let mut answers = answers(&[Status::Used], &DEFAULT_TARGET);
        answers.extensions[0].decision.outcome = Outcome::CannotImport;
        assert_eq!(Report::new(question(DEFAULT_TARGET), answers).environments, []);
    }
}
