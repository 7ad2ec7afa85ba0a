//! The result of an audit: everything that an output format shows, sorted, counted, and drawn to a conclusion.
//!
//! A report knows nothing of formats. Building one sorts it, so that every format prints the same order whatever the number of
//! jobs was.

use std::collections::{BTreeMap, BTreeSet};

use gilaudit_model::{
    Action, Finding, Format, Gil, Location, Origin, Outcome, Platform, Severity, Status, Target, Waiver,
};
use gilaudit_policy::imports::GilAtEnd;
use gilaudit_policy::{Diagnostic, Exclusion, exclusion};

use crate::identity::{Identity, identities};
use crate::known::Compared;

pub use crate::answers::{Answers, Judged};

/// What an audit was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The interpreter asked about.
    pub target: Target,
    /// Where the target was taken from: `default`, `--python`, or the environment's own file.
    pub target_from: String,
    /// The policy's name.
    pub policy: String,
    /// What is wrong with the policy file.
    pub policy_diagnostics: Vec<Diagnostic>,
    /// The severity from which findings fail the run.
    pub fail_on: Severity,
    /// Whether the run fails unless the GIL stays off for sure.
    pub fail_on_gil: bool,
}

/// What happens to the process on one platform, if all extensions listed for it were imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// The platform.
    pub platform: Platform,
    /// The GIL after all imports.
    pub gil: GilState,
    /// The modules that turn the GIL on, sorted.
    pub enabled_by: Vec<String>,
    /// How many modules take part.
    pub modules: usize,
    /// The modules whose declaration a finding contradicts, sorted.
    pub contradicted: Vec<String>,
    /// Which modules would exclude which, under a policy with a lock in the place of the GIL.
    pub exclusion: Option<Exclusion>,
}

/// The GIL of a process after its imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GilState {
    /// It stays off.
    Off,
    /// It is on.
    On,
    /// Nobody can tell.
    Undetermined,
}

impl GilState {
    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
            Self::Undetermined => "undetermined",
        }
    }
}

/// How a run ends; of those that apply, the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// A bad policy, or an input that could not be read.
    NotRead,
    /// Findings at or above the threshold, or the policy refuses something.
    Fails,
    /// Nothing auditable was recognised in the inputs.
    NothingRecognised,
    /// Nothing to complain about.
    Passes,
}

/// A question with its sorted answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What was asked.
    pub question: Question,
    /// What was found, sorted.
    pub answers: Answers,
    /// The process on each platform.
    pub environments: Vec<Environment>,
    /// What identifies each of the findings, in their order.
    identities: Vec<Identity>,
    /// For every extension, in their order: the rules whose findings contradict its declaration.
    contradictions: Vec<Vec<&'static str>>,
    /// What was known before, if a baseline says it.
    pub baseline: Option<Compared>,
}

/// A finding with what identifies it from run to run.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The finding.
    pub finding: &'a Finding,
    /// What identifies it.
    pub identity: &'a Identity,
    /// Whether the baseline has it.
    pub known: bool,
}

impl Seen<'_> {
    /// Whether it is shown to people: not suppressed, and not known.
    pub fn is_news(&self) -> bool {
        self.finding.suppressed.is_none() && !self.known
    }
}

impl Report {
    /// Sorts what was found, and counts.
    pub fn new(question: Question, mut answers: Answers) -> Self {
        answers.extensions.sort_by(|a, b| key(a).cmp(&key(b)));
        answers.libraries.sort();
        answers.findings.sort();
        answers.problems.sort();
        answers.texts.sort();
        // The same file can be named twice on the command line; what is said about it is said once.
        answers.libraries.dedup();
        answers.findings.dedup();
        answers.problems.dedup();
        let contradictions = contradictions(&answers);
        let environments = environments(&answers, &contradictions, &question.target);
        let identities = identities(&answers);
        Self { question, answers, environments, identities, contradictions, baseline: None }
    }

    /// The findings, in their order.
    pub fn findings(&self) -> impl Iterator<Item = Seen<'_>> {
        self.answers.findings.iter().zip(&self.identities).map(|(finding, identity)| Seen {
            finding,
            identity,
            known: self.knows(identity),
        })
    }

    /// Whether a finding makes the run fail: it is new, and says more than what is left to do.
    pub fn fails(&self, seen: &Seen<'_>) -> bool {
        seen.is_news() && !seen.finding.readiness && seen.finding.severity >= self.question.fail_on
    }

    /// The extensions, each with the rules whose findings contradict its declaration.
    pub fn rows(&self) -> impl Iterator<Item = (&Judged, &[&'static str])> {
        self.answers.extensions.iter().zip(self.contradictions.iter().map(Vec::as_slice))
    }

    /// The modules that an exception lets in and that matter: those that turn the GIL on or may, or run without it undeclared.
    pub fn accepted(&self) -> impl Iterator<Item = (&Judged, &Waiver)> {
        let matters =
            |outcome| matches!(outcome, Outcome::EnablesGil | Outcome::RunsFreeForced | Outcome::Undetermined);
        let accepted =
            move |(judged, rules): (&'_ Judged, &[&str])| matters(judged.decision.outcome) || !rules.is_empty();
        self.rows()
            .filter(move |row| accepted(*row))
            .filter_map(|(judged, _)| Some((judged, judged.decision.accepted()?)))
    }

    /// What a process with all of this does to its GIL: that of the imports asked about, else the worst of the platforms and of what
    /// the sources would build.
    pub fn gil(&self) -> GilState {
        if let Some(imports) = &self.answers.imports {
            return match imports.answer.gil {
                GilAtEnd::Off if !imports.answer.failed.is_empty() => GilState::Undetermined,
                GilAtEnd::Off => GilState::Off,
                GilAtEnd::On => GilState::On,
                _ => GilState::Undetermined,
            };
        }
        let built = self.answers.extensions.iter().filter(|judged| judged.extension.format == Format::Source);
        let built = built.map(|judged| match judged.decision.outcome {
            Outcome::EnablesGil | Outcome::RunsWithGil => GilState::On,
            Outcome::Undetermined | Outcome::CannotImport => GilState::Undetermined,
            Outcome::RunsFree | Outcome::RunsFreeForced => GilState::Off,
        });
        let states: Vec<GilState> = self.environments.iter().map(|environment| environment.gil).chain(built).collect();
        let worst = [GilState::On, GilState::Undetermined, GilState::Off].into_iter().find(|it| states.contains(it));
        let target = &self.question.target;
        match worst {
            Some(state) => state,
            None if !target.free_threaded || target.gil == Gil::On => GilState::On,
            // Nothing compiled turns nothing on; what cannot be imported says nothing.
            None if self.answers.extensions.is_empty() => GilState::Off,
            None => GilState::Undetermined,
        }
    }

    /// Whether `--fail-on-gil` makes the run fail.
    pub fn fails_on_gil(&self) -> bool {
        self.question.fail_on_gil && self.gil() != GilState::Off
    }

    /// Whether the policy refuses a module, and that is news.
    pub fn refuses(&self, judged: &Judged) -> bool {
        judged.decision.action == Action::Refuse
            && !(self.baseline.is_some() && self.knows(&Identity::of_refusal(&judged.extension)))
    }

    /// The modules that the policy refuses, without those that are known.
    pub fn refused(&self) -> impl Iterator<Item = &Judged> {
        self.answers.extensions.iter().filter(|judged| self.refuses(judged))
    }

    fn knows(&self, identity: &Identity) -> bool {
        self.baseline.as_ref().is_some_and(|baseline| baseline.knows(identity))
    }

    /// How the run ends.
    #[must_use]
    pub fn conclusion(&self) -> Conclusion {
        let bad_policy = self.question.policy_diagnostics.iter().any(|it| it.severity == Severity::Error);
        let unread = self.answers.problems.iter().any(|problem| problem.unread);
        if bad_policy || unread {
            Conclusion::NotRead
        } else if self.findings().any(|seen| self.fails(&seen))
            || self.refused().next().is_some()
            || self.fails_on_gil()
        {
            Conclusion::Fails
        } else if !self.answers.recognised {
            Conclusion::NothingRecognised
        } else {
            Conclusion::Passes
        }
    }

    /// How many modules declare this.
    pub fn count_status(&self, status: Status) -> usize {
        self.answers.extensions.iter().filter(|judged| judged.extension.declaration.status == status).count()
    }

    /// How many modules have this outcome.
    pub fn count_outcome(&self, outcome: Outcome) -> usize {
        self.answers.extensions.iter().filter(|judged| judged.decision.outcome == outcome).count()
    }

    /// For how many modules the policy says this.
    pub fn count_action(&self, action: Action) -> usize {
        self.answers.extensions.iter().filter(|judged| judged.decision.action == action).count()
    }

    /// How many findings there are of this severity, without those that are suppressed or known.
    pub fn count_severity(&self, severity: Severity) -> usize {
        self.findings().filter(|seen| seen.is_news() && seen.finding.severity == severity).count()
    }

    /// How many findings the baseline has.
    pub fn count_known(&self) -> usize {
        self.findings().filter(|seen| seen.known && seen.finding.suppressed.is_none()).count()
    }

    /// How many inputs were not read.
    pub fn unread(&self) -> usize {
        self.answers.problems.iter().filter(|problem| problem.unread).count()
    }
}

fn key(judged: &Judged) -> (&gilaudit_model::Origin, &str) {
    (&judged.extension.origin, &judged.extension.module)
}

/// For every extension that declares support: the rules whose findings say that it is not true. A finding in a source text is about the
/// module that it names, one in a compiled file about that very file.
fn contradictions(answers: &Answers) -> Vec<Vec<&'static str>> {
    // The text of an init function does not say which package its module is in.
    let last = |module: &'_ str| module.rsplit('.').next().unwrap_or_default().to_owned();
    let mut by: BTreeMap<(Option<&Origin>, Option<String>), BTreeSet<&'static str>> = BTreeMap::new();
    for finding in answers.findings.iter().filter(|finding| gilaudit_rules::contradicts(finding)) {
        let key = match finding.location {
            Location::Text { .. } => (None, finding.module.as_deref().map(last)),
            _ => (Some(&finding.origin), None),
        };
        by.entry(key).or_default().insert(finding.rule);
    }
    let of = |judged: &Judged| {
        let extension = &judged.extension;
        if extension.declaration.status != Status::NotUsed || by.is_empty() {
            return Vec::new();
        }
        let named = by.get(&(None, Some(last(&extension.module))));
        let here = by.get(&(Some(&extension.origin), None));
        let rules: BTreeSet<&'static str> = named.into_iter().chain(here).flatten().copied().collect();
        rules.into_iter().collect()
    };
    answers.extensions.iter().map(of).collect()
}

/// The state of the GIL per platform. Extensions that the target cannot import take no part in it, nor do those that are not built.
fn environments(answers: &Answers, contradictions: &[Vec<&'static str>], target: &Target) -> Vec<Environment> {
    let mut platforms: BTreeMap<Platform, Vec<&Judged>> = BTreeMap::new();
    let mut contradicted: BTreeMap<Platform, BTreeSet<String>> = BTreeMap::new();
    let takes_part = |judged: &&Judged| {
        judged.decision.outcome != Outcome::CannotImport && judged.extension.format != Format::Source
    };
    for (judged, rules) in answers.extensions.iter().zip(contradictions).filter(|(judged, _)| takes_part(judged)) {
        let platform = judged.extension.platform();
        platforms.entry(platform).or_default().push(judged);
        if !rules.is_empty() {
            contradicted.entry(platform).or_default().insert(judged.extension.module.clone());
        }
    }
    let always_on = !target.free_threaded || target.gil == Gil::On;
    let mut environment = |(platform, judged): (Platform, Vec<&Judged>)| {
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
        let actions = judged.iter().map(|judged| (judged.extension.module.as_str(), judged.decision.action));
        let reaches = answers.reaches.iter().filter(|reach| reach.platform == platform);
        let exclusion = exclusion(actions, reaches.map(|reach| (reach.from.as_str(), reach.to.as_str())));
        let contradicted = contradicted.remove(&platform).unwrap_or_default().into_iter().collect();
        Environment { platform, gil, enabled_by, modules: judged.len(), contradicted, exclusion }
    };
    platforms.into_iter().map(&mut environment).collect()
}

#[cfg(test)]
mod tests {
    use gilaudit_model::{Confidence, Problem, Stage};

    use super::*;
    use crate::sample::{extension, judged, question};
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
            code: None,
        }
    }

    fn problem(unread: bool) -> Problem {
        Problem { origin: Origin::path("x"), stage: Stage::Open, unread, error: String::new() }
    }

    /// How a run ends when all of this is true.
    fn code(recognised: bool, findings: Vec<Finding>, refused: bool, problems: Vec<Problem>) -> Conclusion {
        let mut answers = answers(&[Status::Used], &DEFAULT_TARGET);
        if refused {
            answers.extensions[0].decision.action = Action::Refuse;
        }
        let answers = Answers { recognised, findings, problems, ..answers };
        Report::new(question(DEFAULT_TARGET), answers).conclusion()
    }

    #[test]
    fn the_first_conclusion_that_applies() {
        let error = || vec![finding(Severity::Error, None)];
        assert_eq!(code(true, vec![], false, vec![]), Conclusion::Passes);
        assert_eq!(code(true, vec![finding(Severity::Warning, None)], false, vec![problem(false)]), Conclusion::Passes);
        assert_eq!(
            code(true, vec![finding(Severity::Error, Some("on purpose".to_owned()))], false, vec![]),
            Conclusion::Passes
        );
        assert_eq!(code(false, vec![], false, vec![]), Conclusion::NothingRecognised);
        assert_eq!(code(false, error(), false, vec![]), Conclusion::Fails);
        assert_eq!(code(true, vec![], true, vec![]), Conclusion::Fails);
        assert_eq!(code(false, error(), true, vec![problem(true)]), Conclusion::NotRead);
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
