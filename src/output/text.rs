//! The report for people: the most important first, readable at any width.
//!
//! First what happens to the GIL, then the findings (errors first, modules of one distribution with the same finding together), then the
//! inputs that could not be read, then a table by distribution, and last one line that counts everything. Of the
//! terminal only the width and whether it shows links matter; the writer strips the styles where none are wanted.

use std::collections::BTreeSet;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use gilaudit_audit::report::{Judged, Report};
use gilaudit_model::{Action, Origin, Outcome, Problem, Severity};
use gilaudit_policy::Diagnostic;

use super::exclusion;
use super::group::{self, Group, Said};
use super::snippets::Snippets;
use super::words::{self, shown};
use super::{Detail, table, wrap};

/// How many modules a list shows before it says "and more".
pub(super) const LISTED: usize = 10;

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();

pub(super) fn write(report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    match &report.answers.imports {
        // The answer about what is imported is the better one; what else is there is in the table.
        Some(imports) => super::imports::write(report, imports, detail, out)?,
        None if detail.quiet => {}
        None => headline(report, detail, out)?,
    }
    if !detail.quiet {
        exclusion::write(report, detail, out)?;
    }
    for diagnostic in &report.question.policy_diagnostics {
        policy_diagnostic(diagnostic, detail, out)?;
    }
    let groups = group::groups(report);
    let mut said = Said::before(report);
    let mut snippets = Snippets::new(report, detail);
    for severity in [Severity::Error, Severity::Warning, Severity::Note] {
        for group in groups.iter().filter(|group| group.severity == severity) {
            group.write(detail, &mut said, out)?;
        }
        snippets.write(severity, out)?;
    }
    snippets.write_rest(out)?;
    judgements(report, &groups, detail, out)?;
    problems(&report.answers.problems, detail, out)?;
    if !detail.quiet {
        if detail.verbose {
            every_extension(report, detail, out)?;
        }
        table::write(report, detail, out)?;
        summary(report, detail, out)?;
    }
    Ok(())
}

pub(super) fn colour(severity: Severity) -> Style {
    let colour = match severity {
        Severity::Error => AnsiColor::Red,
        Severity::Warning => AnsiColor::Yellow,
        Severity::Note => AnsiColor::Cyan,
    };
    colour.on_default().bold()
}

pub(super) fn policy_diagnostic(diagnostic: &Diagnostic, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let style = colour(diagnostic.severity);
    let head = format!("{}[policy]", diagnostic.severity.as_str());
    writeln!(
        out,
        "{style}{head}{style:#}: {}",
        wrap::hang_after(detail.width, &diagnostic.message, head.len() + 2, 4)
    )?;
    writeln!(out, "  {DIM}at{DIM:#} {}", wrap::clean(&diagnostic.place.to_string()))?;
    if let Some(hint) = &diagnostic.hint {
        writeln!(out, "  {BOLD}help:{BOLD:#} {}", wrap::hang_after(detail.width, hint, 8, 8))?;
    }
    writeln!(out)
}

/// The answer, and what completes it.
pub(super) fn verdicts(report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    for verdict in words::verdicts(report) {
        writeln!(out, "{BOLD}{}{BOLD:#}", wrap::hang(detail.width, &verdict, 2))?;
    }
    Ok(())
}

/// What happens to the GIL, and under which question.
fn headline(report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    verdicts(report, detail, out)?;
    writeln!(out, "{DIM}{}{DIM:#}", wrap::hang(detail.width, &words::asked(report), 2))?;
    for sentence in words::what_to_try(report) {
        help(&sentence, detail, out)?;
    }
    writeln!(out)
}

/// The modules that the policy refuses or warns of, and those about which nothing could be told.
fn judgements(report: &Report, groups: &[Group<'_>], detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let policy = &report.question.policy;
    let named: BTreeSet<(&Origin, &str)> = groups.iter().flat_map(Group::places).collect();
    let above = |judged: &&Judged| named.contains(&(&judged.extension.origin, judged.extension.module.as_str()));
    let (shown, others): (Vec<&Judged>, Vec<&Judged>) = report.refused().partition(above);
    let refused = format!("refused by policy {policy}");
    if !shown.is_empty() {
        let places: BTreeSet<&str> = shown.iter().filter_map(|judged| judged.decision.policy_at.as_deref()).collect();
        let places: Vec<&str> = places.into_iter().collect();
        let by = if places.is_empty() { String::new() } else { format!(" (by {})", places.join(", ")) };
        let style = colour(Severity::Error);
        let said = format!("{} with findings above{by}", super::count(shown.len(), "module"));
        writeln!(out, "{style}{refused}{style:#}: {}", wrap::hang_after(detail.width, &said, refused.len() + 2, 4))?;
        if others.is_empty() {
            help(REFUSED, detail, out)?;
            writeln!(out)?;
        }
    }
    judged_list(Severity::Error, &refused, REFUSED, &others, detail, out)?;
    excepted(report, detail, out)?;
    let with = |wanted: &dyn Fn(&Judged) -> bool| -> Vec<&Judged> {
        report.answers.extensions.iter().filter(|judged| wanted(judged)).collect()
    };
    let warned = with(&|judged| judged.decision.action == Action::Warn);
    let what = format!("warned of by policy {policy}");
    judged_list(Severity::Warning, &what, WARNED, &warned, detail, out)?;
    let rest = with(&|judged| {
        judged.decision.outcome == Outcome::Undetermined
            && !matches!(judged.decision.action, Action::Refuse | Action::Warn)
    });
    judged_list(Severity::Warning, "undetermined", UNDETERMINED, &rest, detail, out)
}

const REFUSED: &str = "install releases that the policy accepts, or except the modules for a while: gilaudit policy init prints the \
                       exceptions";
const WARNED: &str = "an exception of a policy with 'action: allow' ends the warning for what you have checked";
const UNDETERMINED: &str = "import it with the interpreter and look at sys._is_gil_enabled() before and after, or let an exception of \
                            a policy decide";

fn help(text: &str, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  {BOLD}help:{BOLD:#} {}", wrap::hang_after(detail.width, text, 8, 8))
}

fn judged_list(
    severity: Severity,
    what: &str,
    next: &str,
    modules: &[&Judged],
    detail: Detail,
    out: &mut dyn Write,
) -> io::Result<()> {
    if modules.is_empty() {
        return Ok(());
    }
    let style = colour(severity);
    writeln!(out, "{style}{}{style:#}: {}", wrap::clean(what), super::count(modules.len(), "module"))?;
    let listed = if detail.verbose { modules.len() } else { LISTED };
    for Judged { extension, decision } in modules.iter().take(listed) {
        let from = extension.distribution.as_ref().map_or(String::new(), |it| format!(" ({})", shown(it)));
        let reason = extension.declaration.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
        let at = decision.policy_at.as_ref().map_or(String::new(), |at| format!(", by {at}"));
        let said = format!("{from}: {}{reason}{at}", extension.declaration.status.as_str());
        let module = wrap::clean(&extension.module);
        let said = wrap::hang_after(detail.width, &said, module.len() + 2, 6);
        let gap = if from.is_empty() { "" } else { " " };
        writeln!(out, "  {BOLD}{module}{BOLD:#}{gap}{said}")?;
    }
    if modules.len() > listed {
        writeln!(out, "  {DIM}and {} more (--verbose lists them){DIM:#}", modules.len() - listed)?;
    }
    help(next, detail, out)?;
    writeln!(out)
}

/// What exceptions let in, and what is needed besides.
fn excepted(report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let lines = words::accepted(report);
    for (severity, line) in &lines {
        let (head, rest) = line.split_once(':').unwrap_or((line, ""));
        let style = if *severity == Severity::Note { BOLD } else { colour(*severity) };
        writeln!(out, "{style}{head}{style:#}: {}", wrap::hang_after(detail.width, rest.trim(), head.len() + 2, 4))?;
    }
    if let Some(needed) = words::still_needed(report).filter(|_| !lines.is_empty()) {
        help(&needed, detail, out)?;
    }
    if lines.is_empty() { Ok(()) } else { writeln!(out) }
}

/// The inputs that were not read, those of one stage together, and what can be done about them.
pub(super) fn problems(problems: &[Problem], detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    // What left nothing unread does not change any answer; it is for those who ask for everything.
    let mut shown: Vec<&Problem> = problems.iter().filter(|problem| problem.unread || !detail.quiet).collect();
    // What is to be done differs with the stage, and for sources.
    let kind = |problem: &&Problem| (!problem.unread, problem.stage, words::next_step(problem));
    shown.sort_by_key(kind);
    for alike in shown.chunk_by(|a, b| kind(a) == kind(b)) {
        for problem in alike {
            let (style, word) = if problem.unread {
                (colour(Severity::Error), "not read")
            } else {
                (colour(Severity::Note), "problem")
            };
            let head = format!("{word}[{}]", problem.stage.as_str());
            let said = format!("{}: {}", problem.origin, problem.error);
            writeln!(out, "{style}{head}{style:#}: {}", wrap::hang_after(detail.width, &said, head.len() + 2, 4))?;
        }
        if let Some(problem) = alike.first().filter(|problem| problem.unread) {
            help(&words::next_step(problem), detail, out)?;
        }
    }
    if shown.is_empty() { Ok(()) } else { writeln!(out) }
}

/// With `--verbose`: every extension, what it declares, what happens and why.
fn every_extension(report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    for (Judged { extension, decision }, rules) in report.rows() {
        let declared = extension.declaration.status.as_str();
        let contradicted = match rules {
            [] => String::new(),
            rules => format!(" (contradicted: {})", rules.join(", ")),
        };
        writeln!(
            out,
            "{BOLD}{}{BOLD:#}: {declared}{contradicted}, {}, {}",
            wrap::clean(&extension.module),
            decision.outcome.as_str(),
            decision.action.as_str()
        )?;
        writeln!(out, "  {DIM}in{DIM:#} {}", wrap::clean(&extension.origin.to_string()))?;
        for seen in &extension.declaration.evidence {
            writeln!(out, "  {}", wrap::hang_after(detail.width, &format!("{}, {}", seen.what, seen.at), 2, 4))?;
        }
        let reason = extension.declaration.reason.iter().map(ToString::to_string);
        for line in reason.chain(decision.because.iter().cloned()) {
            writeln!(out, "  {}", wrap::hang_after(detail.width, &line, 2, 4))?;
        }
    }
    for library in &report.answers.libraries {
        let said = format!("{}: {}", library.origin, library.why);
        writeln!(out, "library {}", wrap::hang_after(detail.width, &said, 8, 4))?;
    }
    writeln!(out)
}

/// One sentence that counts everything, also what was not read.
fn summary(report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let sentences =
        words::coverage(report).into_iter().chain(words::assumptions(report)).chain(words::readiness(report));
    for sentence in sentences.chain(words::stale(report)).chain(words::outside(report)) {
        writeln!(out, "{}", wrap::hang(detail.width, &sentence, 2))?;
    }
    writeln!(out, "{BOLD}{}{BOLD:#}", wrap::hang(detail.width, &words::summary(report), 2))?;
    match report.findings().find(|seen| seen.is_news()) {
        Some(seen) => writeln!(out, "{DIM}gilaudit explain {} says more{DIM:#}", seen.finding.rule),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gilaudit_audit::sample;

    fn plain(report: &Report, detail: Detail) -> String {
        let mut out = Vec::new();
        write(report, detail, &mut anstream::StripStream::new(&mut out)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn most_important_first_and_at_80_columns() {
        let text = plain(&sample::report(), Detail::default());
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/output/sample.txt");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        assert_eq!(text, std::fs::read_to_string(path).unwrap(), "run UPDATE=1 cargo test and review the difference");
        // Only words that cannot be broken (origins) may be longer.
        let long: Vec<&str> = text.lines().filter(|line| line.chars().count() > 80).collect();
        assert_eq!(long, Vec::<&str>::new());
    }

    #[test]
    fn quiet_is_findings_and_problems() {
        let text = plain(&sample::report(), Detail { quiet: true, ..Detail::default() });
        assert!(text.contains("warning[enables-gil]") && text.contains("not read[archive]"));
        assert!(!text.contains("distribution ") && !text.contains("14 extensions"));
    }

    #[test]
    fn verbose_cuts_nothing_short() {
        let text = plain(&sample::report(), Detail { verbose: true, ..Detail::default() });
        assert!(!text.contains("--verbose") && text.contains("lxml.part11") && text.contains("library libx.so"));
    }
}
