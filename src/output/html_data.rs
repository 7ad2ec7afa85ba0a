//! What the HTML report shows, as compact JSON for its own script: no format for others, who have `--format json`.
//!
//! Environments repeat themselves, so every text is kept once, in `texts`, and named by its index everywhere else.

use std::collections::HashMap;

use gilaudit_audit::report::{GilState, Judged, Report, Seen};
use gilaudit_model::{Location, Origin};
use serde::Serialize;

use super::words;

/// Lines shown before and after the one that a finding is about.
const AROUND: usize = 2;
/// How many open ends the headline lists.
const OPEN_ENDS: usize = 10;
/// Longer lines are cut: nobody wrote them.
const LONGEST: usize = 400;

/// An index into `Data::texts`.
type Text = usize;

#[derive(Serialize)]
pub(super) struct Data {
    verdicts: Vec<String>,
    state: &'static str,
    summary: String,
    asked: String,
    version: &'static str,
    notes: Vec<String>,
    artifacts: usize,
    sources: [usize; 4],
    platforms: Vec<(String, &'static str, usize)>,
    modules: Vec<Module>,
    findings: Vec<Finding>,
    problems: Vec<(Text, &'static str, Text, bool, String)>,
    blockers: Vec<Blocker>,
    entries: Vec<String>,
    texts: Vec<String>,
}

#[derive(Serialize)]
struct Module {
    /// The module's name.
    m: Text,
    /// The file: the artifact and the path in it.
    o: (Text, Text),
    /// Distribution and version; both empty when it belongs to none.
    d: (Text, Text),
    /// Status, outcome, action, mechanism, framework, platform.
    s: [Text; 6],
    /// Evidence: what and where.
    e: Vec<(Text, Text)>,
    /// Why the status is unknown, where initialisation is, and where the policy says it.
    n: Vec<Text>,
    /// Why the decision.
    b: Vec<Text>,
    /// Whether a finding contradicts the declaration.
    c: bool,
}

#[derive(Serialize)]
struct Finding {
    /// Rule, severity, confidence, message, help.
    t: [Text; 5],
    /// The file, as in `Module`, and the place in it.
    o: (Text, Text),
    at: Text,
    /// Suppressed, known, or nothing.
    x: Text,
    r: Vec<(Text, Text)>,
    /// The first line's number, the lines, and the marked part: line, column, end line, end column.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<(u32, Vec<String>, [u32; 4])>,
}

#[derive(Serialize)]
struct Blocker {
    module: String,
    distribution: String,
    outcome: &'static str,
    certain: bool,
    chain: Vec<(String, String, &'static str)>,
    required_by: Vec<String>,
    ways: Vec<String>,
}

/// Texts, each kept once.
#[derive(Default)]
struct Texts {
    all: Vec<String>,
    known: HashMap<String, Text>,
}

impl Texts {
    fn of(&mut self, text: &str) -> Text {
        if let Some(known) = self.known.get(text) {
            return *known;
        }
        self.all.push(text.to_owned());
        self.known.insert(text.to_owned(), self.all.len() - 1);
        self.all.len() - 1
    }

    fn origin(&mut self, origin: &Origin) -> (Text, Text) {
        match origin.parts() {
            [] => (self.of(""), self.of("")),
            [first, inside @ ..] => (self.of(first), self.of(&inside.join(" » "))),
        }
    }
}

pub(super) fn data(report: &Report) -> Data {
    let mut texts = Texts::default();
    let answers = &report.answers;
    let coverage = &answers.coverage;
    // A green page over declarations that are not true would say what nobody can rely on.
    let state = match report.gil() {
        GilState::Off if report.rows().any(|(_, rules)| !rules.is_empty()) => "contradicted",
        GilState::Off if answers.extensions.is_empty() && answers.imports.is_none() => "none",
        state => state.as_str(),
    };
    let notes = words::coverage(report).into_iter().chain(words::readiness(report)).chain(words::stale(report));
    let notes = notes.chain(words::outside(report)).chain(words::accepted(report).into_iter().map(|(_, line)| line));
    let ends = answers.imports.iter().flat_map(|imports| &imports.answer.open_ends);
    let ends = ends.filter(|end| !end.meets.is_empty()).map(|end| format!("Open end: {}", words::open_end(end)));
    let notes = notes.chain(words::still_needed(report)).chain(ends.take(OPEN_ENDS));
    let refused = report.refused().map(|judged| format!("Refused: {}", words::refusal(report, judged)));
    Data {
        verdicts: words::verdicts(report),
        state,
        summary: words::summary(report),
        asked: words::asked(report),
        version: env!("CARGO_PKG_VERSION"),
        notes: notes.chain(words::what_to_try(report)).chain(refused).collect(),
        artifacts: answers.artifacts,
        sources: [coverage.files, coverage.c_api, coverage.bytes, coverage.unparsed],
        platforms: report
            .environments
            .iter()
            .map(|it| (it.platform.to_string(), it.gil.as_str(), it.enabled_by.len()))
            .collect(),
        modules: report.rows().map(|(judged, rules)| module(judged, rules, &mut texts)).collect(),
        findings: report.findings().map(|seen| finding(seen, report, &mut texts)).collect(),
        problems: answers
            .problems
            .iter()
            .map(|it| {
                let file = texts.of(&it.origin.to_string());
                (file, it.stage.as_str(), texts.of(&it.error), it.unread, words::next_step(it))
            })
            .collect(),
        blockers: blockers(report),
        entries: answers.imports.as_ref().map(|imports| imports.entries.clone()).unwrap_or_default(),
        texts: texts.all,
    }
}

fn module(Judged { extension, decision }: &Judged, rules: &[&str], texts: &mut Texts) -> Module {
    let declaration = &extension.declaration;
    let framework = extension.framework.as_ref().map_or(String::new(), |it| match &it.version {
        Some(version) => format!("{} {version}", it.framework),
        None => it.framework.as_str().to_owned(),
    });
    let said = [
        (!rules.is_empty()).then(|| format!("its declaration is contradicted by {}", rules.join(", "))),
        declaration.reason.as_ref().map(ToString::to_string),
        declaration.delegated_to.as_ref().map(|to| format!("initialised by {to}")),
        declaration.declared_by_tool.as_ref().map(|tool| format!("declared by {tool}")),
        declaration.assumption.as_ref().map(|assumption| format!("assumed: {assumption}")),
        decision.policy_at.as_ref().map(|at| format!("the policy says so at {at}")),
        decision.warning.as_ref().map(|warning| format!("the interpreter will say: {warning}")),
    ];
    let (name, version) = extension.distribution.as_ref().map_or(("", ""), |it| (&it.name, &it.version));
    Module {
        m: texts.of(&extension.module),
        o: texts.origin(&extension.origin),
        d: (texts.of(name), texts.of(version)),
        s: [
            texts.of(declaration.status.as_str()),
            texts.of(decision.outcome.as_str()),
            texts.of(decision.action.as_str()),
            texts.of(declaration.mechanism.as_str()),
            texts.of(&framework),
            texts.of(&extension.platform().to_string()),
        ],
        e: declaration.evidence.iter().map(|seen| (texts.of(&seen.what), texts.of(&seen.at.to_string()))).collect(),
        n: said.iter().flatten().map(|text| texts.of(text)).collect(),
        b: decision.because.iter().map(|text| texts.of(text)).collect(),
        c: !rules.is_empty(),
    }
}

fn finding(Seen { finding, known, .. }: Seen<'_>, report: &Report, texts: &mut Texts) -> Finding {
    let at = match (finding.location, &finding.function) {
        (Location::Text { line, .. }, Some(function)) => format!("line {line}, in {function}"),
        (Location::Text { line, .. }, None) => format!("line {line}"),
        (Location::Address(address), _) => format!("{address:#x}"),
        (Location::File, _) => String::new(),
    };
    let aside = match &finding.suppressed {
        Some(reason) => format!("suppressed: {reason}"),
        None if known => "known from the baseline".to_owned(),
        None => String::new(),
    };
    Finding {
        t: [
            texts.of(finding.rule),
            texts.of(words::level(finding).as_str()),
            texts.of(finding.confidence.as_str()),
            texts.of(&finding.message),
            texts.of(finding.help.as_deref().unwrap_or_default()),
        ],
        o: texts.origin(&finding.origin),
        at: texts.of(&at),
        x: texts.of(&aside),
        r: finding
            .related
            .iter()
            .map(|it| (texts.of(&it.message), texts.of(&words::place(&it.origin, it.location))))
            .collect(),
        code: code(report, &finding.origin, finding.location),
    }
}

/// The lines that a finding is about, with a few around them.
fn code(report: &Report, origin: &Origin, location: Location) -> Option<(u32, Vec<String>, [u32; 4])> {
    let Location::Text { line, column, end_line, end_column } = location else { return None };
    let first = (line as usize).saturating_sub(AROUND).max(1);
    // A finding about a whole function shows how it begins.
    let last = (end_line.max(line) as usize).min(line as usize + 6) + AROUND;
    let text = report.answers.text(origin)?;
    let lines = text.lines().skip(first - 1).take(last + 1 - first);
    let lines: Vec<String> = lines.map(|line| line.chars().take(LONGEST).collect()).collect();
    Some((u32::try_from(first).ok()?, lines, [line, column, end_line, end_column]))
}

fn blockers(report: &Report) -> Vec<Blocker> {
    let Some(imports) = &report.answers.imports else { return Vec::new() };
    let shown = imports.answer.blockers.iter().zip(&imports.ways);
    shown
        .map(|(blocker, ways)| Blocker {
            module: blocker.module.clone(),
            distribution: blocker.distribution.as_ref().map_or(String::new(), words::shown),
            outcome: blocker.outcome.as_str(),
            certain: blocker.certain,
            chain: blocker
                .chain
                .iter()
                .map(|link| (link.module.clone(), link.at.clone(), link.kind.as_str()))
                .collect(),
            required_by: ways.required_by.clone(),
            ways: [&ways.declare, &ways.python_gil_0].into_iter().filter(|way| !way.is_empty()).cloned().collect(),
        })
        .collect()
}
