//! The report for people: the most important first, readable at 80 columns.
//!
//! First what happens to the GIL, then the findings (modules of one distribution with the same finding together), then the
//! inputs that could not be read, then a table by distribution, and last one line that counts everything. Nothing depends on the
//! terminal, so that the same report always gives the same bytes; the writer strips the styles where none are wanted.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use gilaudit_model::{Action, Outcome, Problem, Severity};
use gilaudit_policy::Diagnostic;

use super::words::{self, shown};
use super::{Detail, group, table, wrap};
use crate::report::{Judged, Report};

/// How many modules a list shows before it says "and more".
pub(super) const LISTED: usize = 10;

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
    for group in group::groups(report) {
        group.write(detail, out)?;
    }
    super::snippets::write(report, detail, out)?;
    judgements(report, detail, out)?;
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

pub(super) fn colour(severity: Severity) -> Style {
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
    for environment in &report.environments {
        writeln!(out, "{BOLD}{}{BOLD:#}", wrap::hang(&words::gil_sentence(report, environment), 2))?;
    }
    writeln!(out, "{DIM}{}{DIM:#}\n", wrap::hang(&words::asked(report), 2))
}

/// The modules that the policy refuses or warns of, and those about which nothing could be told.
fn judgements(report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let policy = &report.question.policy;
    let with = |wanted: &dyn Fn(&Judged) -> bool| -> Vec<&Judged> {
        report.answers.extensions.iter().filter(|judged| wanted(judged)).collect()
    };
    let refused: Vec<&Judged> = report.refused().collect();
    judged_list(Severity::Error, &format!("refused by policy {policy}"), &refused, detail, out)?;
    let warned = with(&|judged| judged.decision.action == Action::Warn);
    judged_list(Severity::Warning, &format!("warned of by policy {policy}"), &warned, detail, out)?;
    let rest = with(&|judged| {
        judged.decision.outcome == Outcome::Undetermined
            && !matches!(judged.decision.action, Action::Refuse | Action::Warn)
    });
    judged_list(Severity::Warning, "undetermined", &rest, detail, out)
}

fn judged_list(
    severity: Severity,
    what: &str,
    modules: &[&Judged],
    detail: Detail,
    out: &mut dyn Write,
) -> io::Result<()> {
    if modules.is_empty() {
        return Ok(());
    }
    let style = colour(severity);
    writeln!(out, "{style}{what}{style:#}: {}", super::count(modules.len(), "module"))?;
    let listed = if detail.verbose { modules.len() } else { LISTED };
    for Judged { extension, decision } in modules.iter().take(listed) {
        let from = extension.distribution.as_ref().map_or(String::new(), |it| format!(" ({})", shown(it)));
        let reason = extension.declaration.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
        let at = decision.policy_at.as_ref().map_or(String::new(), |at| format!(", by {at}"));
        let said = format!("{from}: {}{reason}{at}", extension.declaration.status.as_str());
        let module = &extension.module;
        let said = wrap::hang_after(&said, module.len() + 2, 6);
        let gap = if from.is_empty() { "" } else { " " };
        writeln!(out, "  {BOLD}{module}{BOLD:#}{gap}{said}")?;
    }
    if modules.len() > listed {
        writeln!(out, "  {DIM}and {} more (--verbose lists them){DIM:#}", modules.len() - listed)?;
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
    if !report.answers.recognised && report.unread() == 0 {
        writeln!(out, "{BOLD}Nothing auditable was recognised in the inputs.{BOLD:#}")?;
    }
    for sentence in words::coverage(report).into_iter().chain(words::stale(report)) {
        writeln!(out, "{}", wrap::hang(&sentence, 2))?;
    }
    writeln!(out, "{BOLD}{}{BOLD:#}", wrap::hang(&words::summary(report), 2))
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
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/crates/gilaudit/output/sample.txt");
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
