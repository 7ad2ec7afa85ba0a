//! The report for people: the most important first, readable at 80 columns.
//!
//! First what happens to the GIL, then the findings (modules of one distribution with the same finding together), then the
//! inputs that could not be read, then a table by distribution, and last one line that counts everything. Nothing depends on the
//! terminal, so that the same report always gives the same bytes; the writer strips the styles where none are wanted.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use gilaudit_model::{Action, Distribution, Finding, Gil, Location, Mechanism, Origin, Outcome, Problem, Severity};

use super::{Detail, table, wrap};
use crate::report::{Environment, GilState, Judged, Report};
use gilaudit_policy::Diagnostic;

/// How many modules a group lists before it says "and more".
const LISTED: usize = 10;

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();

pub(super) fn write(report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    for diagnostic in &report.question.policy_diagnostics {
        policy_diagnostic(diagnostic, out)?;
    }
    if let Some(imports) = &report.answers.imports {
        super::imports::write(imports, detail, out)?;
    }
    if !detail.quiet {
        headline(report, out)?;
    }
    for group in groups(report) {
        group.write(detail, out)?;
    }
    refusals(report, out)?;
    problems(&report.answers.problems, detail, out)?;
    if !detail.quiet {
        if detail.verbose {
            every_extension(report, out)?;
        }
        table::write(report, out)?;
        summary(report, out)?;
    }
    Ok(())
}

fn colour(severity: Severity) -> Style {
    let colour = match severity {
        Severity::Error => AnsiColor::Red,
        Severity::Warning => AnsiColor::Yellow,
        Severity::Note => AnsiColor::Cyan,
    };
    colour.on_default().bold()
}

pub(super) fn policy_diagnostic(diagnostic: &Diagnostic, out: &mut dyn Write) -> io::Result<()> {
    let style = colour(diagnostic.severity);
    let head = format!("{}[policy]", diagnostic.severity.as_str());
    writeln!(out, "{style}{head}{style:#}: {}", wrap::hang_after(&diagnostic.message, head.len() + 2, 4))?;
    writeln!(out, "  {DIM}at{DIM:#} {}", diagnostic.place)?;
    if let Some(hint) = &diagnostic.hint {
        writeln!(out, "  {BOLD}hint:{BOLD:#} {}", wrap::hang_after(hint, 8, 8))?;
    }
    writeln!(out)
}

/// A diagnostic with the line it is in, the way rustc shows its own.
pub(super) fn policy_snippet(diagnostic: &Diagnostic, file: &str, text: &str, out: &mut dyn Write) -> io::Result<()> {
    let style = colour(diagnostic.severity);
    let head = diagnostic.severity.as_str();
    writeln!(out, "{style}{head}{style:#}: {}", wrap::hang_after(&diagnostic.message, head.len() + 2, 4))?;
    let place = &diagnostic.place;
    let number = place.line.to_string();
    let gap = " ".repeat(number.len());
    writeln!(out, "{gap}{DIM}-->{DIM:#} {place}")?;
    // A mistake of a policy that this one extends is in another file.
    let line = usize::try_from(place.line).ok().and_then(|line| text.lines().nth(line.checked_sub(1)?));
    if let Some(line) = line.filter(|_| &*place.file == file) {
        let before = place.column.saturating_sub(1) as usize;
        let end = if place.end_line == place.line { place.end_column } else { u32::MAX };
        let length =
            (end.saturating_sub(place.column) as usize).min(line.chars().count().saturating_sub(before)).max(1);
        writeln!(out, "{gap} {DIM}|{DIM:#}")?;
        writeln!(out, "{DIM}{number} |{DIM:#} {line}")?;
        writeln!(out, "{gap} {DIM}|{DIM:#} {}{style}{}{style:#}", " ".repeat(before), "^".repeat(length))?;
    }
    if let Some(hint) = &diagnostic.hint {
        writeln!(out, "{gap} {DIM}={DIM:#} {BOLD}hint:{BOLD:#} {hint}")?;
    }
    writeln!(out)
}

/// What happens to the GIL, and under which question.
fn headline(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let question = &report.question;
    for environment in &report.environments {
        writeln!(out, "{BOLD}{}{BOLD:#}", wrap::hang(&gil_sentence(report, environment), 2))?;
    }
    let gil = match question.target.gil {
        Gil::Default => String::new(),
        set => format!(" with PYTHON_GIL={}", set.as_str()),
    };
    let build = if question.target.free_threaded { "free-threaded" } else { "GIL build" };
    let asked =
        format!("target {} ({build}, {}){gil}, policy {}", question.target, question.target_from, question.policy);
    writeln!(out, "{DIM}{}{DIM:#}\n", wrap::hang(&asked, 2))
}

fn gil_sentence(report: &Report, environment: &Environment) -> String {
    let platform = environment.platform;
    let target = report.question.target;
    match environment.gil {
        GilState::Off => format!("The GIL stays off on {platform}: no extension turns it on"),
        GilState::Undetermined => {
            format!("It is undetermined whether the GIL stays off on {platform}: see the undetermined modules below")
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

fn distribution_of(report: &Report, environment: &Environment, module: &str) -> Option<String> {
    let is_it = |judged: &&Judged| {
        judged.extension.module == module
            && judged.extension.platform() == environment.platform
            && judged.decision.outcome == Outcome::EnablesGil
    };
    report.answers.extensions.iter().find(is_it)?.extension.distribution.as_ref().map(shown)
}

pub(super) fn shown(distribution: &Distribution) -> String {
    format!("{} {}", distribution.name, distribution.version)
}

/// Findings of one rule and severity in one distribution, which are said together.
struct Group<'a> {
    rule: &'static str,
    severity: Severity,
    distribution: Option<&'a Distribution>,
    findings: Vec<(&'a Finding, Option<&'a Judged>)>,
}

/// The findings in groups: errors first, then by distribution and rule.
fn groups(report: &Report) -> Vec<Group<'_>> {
    let by_place: BTreeMap<(&Origin, &str), &Judged> = report
        .answers
        .extensions
        .iter()
        .map(|judged| ((&judged.extension.origin, judged.extension.module.as_str()), judged))
        .collect();
    let mut groups: BTreeMap<_, Group<'_>> = BTreeMap::new();
    for finding in &report.answers.findings {
        let judged = finding.module.as_deref().and_then(|module| by_place.get(&(&finding.origin, module)).copied());
        let distribution = judged.and_then(|judged| judged.extension.distribution.as_ref());
        let (rule, severity) = (finding.rule, finding.severity);
        groups
            .entry((std::cmp::Reverse(severity), rule, distribution, distribution.is_none().then_some(&finding.origin)))
            .or_insert_with(|| Group { rule, severity, distribution, findings: Vec::new() })
            .findings
            .push((finding, judged));
    }
    groups.into_values().collect()
}

impl Group<'_> {
    fn write(&self, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
        let style = colour(self.severity);
        let head = format!("{}[{}]", self.severity.as_str(), self.rule);
        let summary = gilaudit_rules::find(self.rule).map_or("", |rule| rule.summary);
        let of = self.distribution.map_or(String::new(), |it| format!(" of {}", shown(it)));
        let said = format!("{}{of}: {summary}", super::count(self.findings.len(), "module"));
        writeln!(out, "{style}{head}{style:#}: {}", wrap::hang_after(&said, head.len() + 2, 4))?;
        let listed = if detail.verbose { self.findings.len() } else { LISTED };
        let mut parts: BTreeMap<Part, Vec<(&str, String)>> = BTreeMap::new();
        for (finding, judged) in self.findings.iter().take(listed) {
            let (part, line) = part(finding, *judged);
            parts.entry(part).or_default().push(line);
        }
        for (part, lines) in parts {
            part.write(&lines, out)?;
        }
        if self.findings.len() > listed {
            writeln!(out, "  {DIM}and {} more (--verbose lists them){DIM:#}", self.findings.len() - listed)?;
        }
        if let Some(help) = self.findings.iter().find_map(|(finding, _)| finding.help.as_ref()) {
            writeln!(out, "  {BOLD}help:{BOLD:#} {}", wrap::hang_after(help, 8, 8))?;
        }
        writeln!(out)
    }
}

/// What several findings of a group have in common: the archive they are in, and what shows it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Part {
    archive: Option<String>,
    why: String,
}

impl Part {
    /// Writes what is common once, then a line for every module: its name and where the evidence is.
    fn write(&self, lines: &[(&str, String)], out: &mut dyn Write) -> io::Result<()> {
        if let Some(archive) = &self.archive {
            writeln!(out, "  {DIM}in{DIM:#} {archive}")?;
        }
        if !self.why.is_empty() {
            writeln!(out, "  {}", wrap::hang_after(&self.why, 2, 4))?;
        }
        let width = lines.iter().map(|(module, _)| module.chars().count()).max().unwrap_or_default();
        for (module, at) in lines {
            let gap = " ".repeat((width + 2).saturating_sub(module.chars().count()));
            let gap = if at.is_empty() { "" } else { &gap };
            writeln!(out, "    {BOLD}{module}{BOLD:#}{gap}{}", wrap::hang_after(at, width + 6, 6))?;
        }
        Ok(())
    }
}

/// What a finding shares with others, and its own line.
fn part<'a>(finding: &'a Finding, judged: Option<&Judged>) -> (Part, (&'a str, String)) {
    let module = finding.module.as_deref().unwrap_or(finding.origin.file_name());
    let archive = match finding.origin.parts() {
        [archive, _, ..] => Some(archive.clone()),
        _ => None,
    };
    let Some(Judged { extension, .. }) = judged else {
        return (Part { archive, why: finding.message.clone() }, (module, at(finding)));
    };
    // A module of a known distribution is found by its name; a loose file only by its path.
    let path = extension.distribution.is_none().then(|| finding.origin.file_path().to_owned());
    if let Some(failure) = &extension.failure {
        return (Part { archive, why: failure.error.clone() }, (module, path.unwrap_or_default()));
    }
    let declaration = &extension.declaration;
    let by = match declaration.mechanism {
        Mechanism::None => String::new(),
        by => format!("{}: ", by.as_str()),
    };
    let whats: Vec<&str> = declaration.evidence.iter().map(|seen| seen.what.as_str()).collect();
    let reason = declaration.reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"));
    let places = path.into_iter().chain(declaration.evidence.iter().map(|seen| seen.at.clone()));
    let places: Vec<String> = places.collect();
    (Part { archive, why: format!("{by}{}{reason}", whats.join("; ")) }, (module, places.join(", ")))
}

fn at(finding: &Finding) -> String {
    match finding.location {
        Location::File => finding.origin.to_string(),
        Location::Text { line, column, .. } => format!("{}:{line}:{column}", finding.origin),
        Location::Address(address) => format!("{} at {address:#x}", finding.origin),
    }
}

/// The modules that the policy refuses, with the place in the policy that does.
fn refusals(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let refused: Vec<&Judged> =
        report.answers.extensions.iter().filter(|judged| judged.decision.action == Action::Refuse).collect();
    if refused.is_empty() {
        return Ok(());
    }
    let style = colour(Severity::Error);
    let policy = &report.question.policy;
    let modules = super::count(refused.len(), "module");
    writeln!(out, "{style}refused{style:#}: policy {policy} does not allow {modules}")?;
    for judged in refused {
        let why = judged.decision.because.first().map_or("", String::as_str);
        let at = judged.decision.policy_at.as_ref().map_or(String::new(), |at| format!(" ({at})"));
        let module = &judged.extension.module;
        writeln!(out, "  {BOLD}{module}{BOLD:#}: {}", wrap::hang_after(&format!("{why}{at}"), module.len() + 4, 6))?;
    }
    writeln!(out)
}

pub(super) fn problems(problems: &[Problem], detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    // What left nothing unread does not change any answer; it is for those who ask for everything.
    let shown: Vec<&Problem> = problems.iter().filter(|problem| problem.unread || !detail.quiet).collect();
    for problem in &shown {
        let (style, word) =
            if problem.unread { (colour(Severity::Error), "not read") } else { (colour(Severity::Note), "problem") };
        let head = format!("{word}[{}]", problem.stage.as_str());
        let said = wrap::hang_after(&format!("{}: {}", problem.origin, problem.error), head.len() + 2, 4);
        writeln!(out, "{style}{head}{style:#}: {said}")?;
    }
    if shown.is_empty() { Ok(()) } else { writeln!(out) }
}

/// With `--verbose`: every extension, what it declares, what happens and why.
fn every_extension(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for Judged { extension, decision } in &report.answers.extensions {
        let declared = extension.declaration.status.as_str();
        writeln!(
            out,
            "{BOLD}{}{BOLD:#}: {declared}, {}, {}",
            extension.module,
            decision.outcome.as_str(),
            decision.action.as_str()
        )?;
        writeln!(out, "  {DIM}in{DIM:#} {}", extension.origin)?;
        for seen in &extension.declaration.evidence {
            writeln!(out, "  {}", wrap::hang_after(&format!("{}, {}", seen.what, seen.at), 2, 4))?;
        }
        for line in extension.declaration.reason.iter().chain(&decision.because) {
            writeln!(out, "  {}", wrap::hang_after(line, 2, 4))?;
        }
    }
    for library in &report.answers.libraries {
        writeln!(out, "library {}: {}", library.origin, library.why)?;
    }
    writeln!(out)
}

/// One sentence that counts everything, also what was not read.
fn summary(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let answers = &report.answers;
    let outcomes: Vec<String> = Outcome::ALL
        .into_iter()
        .map(|outcome| (report.count_outcome(outcome), outcome))
        .filter(|(count, _)| *count > 0)
        .map(|(count, outcome)| format!("{count} {}", outcome.as_str()))
        .collect();
    let outcomes = if outcomes.is_empty() { String::new() } else { format!(" ({})", outcomes.join(", ")) };
    let refused = match report.count_action(Action::Refuse) {
        0 => String::new(),
        n => format!("; {n} refused"),
    };
    let line = format!(
        "{} in {}{outcomes}, {}; {}, {}, {}{refused}; {} not read",
        super::count(answers.extensions.len(), "extension"),
        super::count(answers.artifacts, "artifact"),
        super::count(answers.libraries.len(), "library"),
        super::count(report.count_severity(Severity::Error), "error"),
        super::count(report.count_severity(Severity::Warning), "warning"),
        super::count(report.count_severity(Severity::Note), "note"),
        report.unread(),
    );
    if !answers.recognised && report.unread() == 0 {
        writeln!(out, "{BOLD}Nothing auditable was recognised in the inputs.{BOLD:#}")?;
    }
    writeln!(out, "{BOLD}{}{BOLD:#}", wrap::hang(&line, 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;

    fn plain(report: &Report, detail: Detail) -> String {
        let mut out = Vec::new();
        write(report, detail, &mut anstream::StripStream::new(&mut out)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn most_important_first_and_at_80_columns() {
        let text = plain(&sample::report(), Detail::default());
        insta::assert_snapshot!(text, @"");
        // Only words that cannot be broken (origins) may be longer.
        let long: Vec<&str> = text.lines().filter(|line| line.chars().count() > 80).collect();
        assert_eq!(long, Vec::<&str>::new());
    }

    #[test]
    fn quiet_is_findings_and_problems() {
        let text = plain(&sample::report(), Detail { quiet: true, verbose: false });
        assert!(text.contains("warning[enables-gil]") && text.contains("not read[archive]"));
        assert!(!text.contains("distribution ") && !text.contains("14 extensions"));
    }

    #[test]
    fn verbose_cuts_nothing_short() {
        let text = plain(&sample::report(), Detail { quiet: false, verbose: true });
        assert!(!text.contains("--verbose") && text.contains("lxml.part11") && text.contains("library libx.so"));
    }
}
