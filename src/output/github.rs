//! GitHub annotations: workflow commands that show findings beside the code of a pull request.
//!
//! GitHub shows ten errors, ten warnings and ten notices of a step, so errors come first and modules of one distribution that have
//! the same finding are one annotation. Each file must be named as it is in the repository: run gilaudit at its root.

use std::io::{self, Write};

use gilaudit_audit::report::Report;
use gilaudit_model::{Finding, Format, Location, Severity};

use super::group::groups;
use super::{words, wrap};

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut annotations: Vec<Annotation> = Vec::new();
    for diagnostic in &report.question.policy_diagnostics {
        let place = &diagnostic.place;
        annotations.push(Annotation {
            severity: diagnostic.severity,
            title: "policy".to_owned(),
            message: with_help(&diagnostic.message, diagnostic.hint.as_deref()),
            file: Some(place.file.to_string()),
            span: Some([place.line, place.column, place.end_line, place.end_column]),
        });
    }
    for problem in report.answers.problems.iter().filter(|problem| problem.unread) {
        annotations.push(Annotation {
            severity: Severity::Error,
            title: format!("not read ({})", problem.stage.as_str()),
            message: format!("{}: {}", problem.origin, problem.error),
            file: None,
            span: None,
        });
    }
    // Nothing is missing from the answer, but something is not as its author thinks: a comment that suppresses nothing, say.
    for problem in report.answers.problems.iter().filter(|problem| !problem.unread) {
        annotations.push(Annotation {
            severity: Severity::Note,
            title: "problem".to_owned(),
            message: format!("{}: {}", problem.origin, problem.error),
            file: None,
            span: None,
        });
    }
    for judged in report.refused() {
        // A module that is not built yet is beside the code that would declare it.
        let source = judged.extension.format == Format::Source;
        annotations.push(Annotation {
            severity: Severity::Error,
            title: "refused".to_owned(),
            message: words::refusal(report, judged),
            file: source.then(|| words::file(&judged.extension.origin)),
            span: None,
        });
    }
    for group in groups(report) {
        let modules: Vec<&str> = group.modules().collect();
        annotations.push(Annotation {
            severity: group.severity,
            title: group.rule.to_owned(),
            message: with_help(&format!("{}\n{}", group.sentence(), modules.join(", ")), group.help()),
            file: None,
            span: None,
        });
    }
    annotations.extend(report.findings().filter(|seen| seen.is_news()).filter_map(|seen| in_source(seen.finding)));
    if report.fails_on_gil() {
        annotations.push(Annotation {
            severity: Severity::Error,
            title: "the GIL does not stay off for sure".to_owned(),
            message: words::verdicts(report).into_iter().next().unwrap_or_default(),
            file: None,
            span: None,
        });
    }
    // A stable sort keeps the order of the report among equals.
    annotations.sort_by_key(|annotation| std::cmp::Reverse(annotation.severity));
    for annotation in &annotations {
        annotation.write(out)?;
    }
    for sentence in words::verdicts(report).into_iter().chain(words::stale(report)).chain(words::outside(report)) {
        writeln!(out, "::notice title=gilaudit::{}", data(&sentence))?;
    }
    Ok(())
}

/// One line of output.
struct Annotation {
    severity: Severity,
    title: String,
    message: String,
    file: Option<String>,
    /// Line, column, end line, end column.
    span: Option<[u32; 4]>,
}

impl Annotation {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let command = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        write!(out, "::{command} title=gilaudit {}", property(&self.title))?;
        if let Some(file) = &self.file {
            write!(out, ",file={}", property(file))?;
        }
        if let Some([line, column, end_line, end_column]) = self.span {
            write!(out, ",line={line},endLine={end_line}")?;
            // Columns of different lines would be misread: GitHub takes them only within one line.
            if line == end_line {
                write!(out, ",col={column},endColumn={end_column}")?;
            }
        }
        writeln!(out, "::{}", data(&self.message))
    }
}

fn in_source(finding: &Finding) -> Option<Annotation> {
    let Location::Text { line, column, end_line, end_column } = finding.location else { return None };
    let function = finding.function.as_ref().map_or(String::new(), |name| format!(" (in {name})"));
    Some(Annotation {
        severity: words::level(finding),
        title: finding.rule.to_owned(),
        message: with_help(&format!("{}{function}", finding.message), finding.help.as_deref()),
        file: Some(words::file(&finding.origin)),
        span: Some([line, column, end_line, end_column]),
    })
}

fn with_help(message: &str, help: Option<&str>) -> String {
    help.map_or_else(|| message.to_owned(), |help| format!("{message}\nhelp: {help}"))
}

/// The text after `::`, escaped as GitHub's runner undoes it (actions/toolkit, `command.ts`).
fn data(text: &str) -> String {
    // The log of a run is shown on terminals, too.
    let lines: Vec<String> = text.split(['\n', '\r']).map(wrap::clean).collect();
    lines.join("\n").replace('%', "%25").replace('\n', "%0A")
}

/// The value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use gilaudit_audit::sample;

    fn lines(report: &Report) -> Vec<String> {
        let mut out = Vec::new();
        write(report, &mut out).unwrap();
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn errors_first_and_one_command_a_line() {
        let lines = lines(&sample::report());
        let kinds: Vec<&str> = lines.iter().map(|line| line.split([' ', ':']).nth(2).unwrap()).collect();
        assert!(
            kinds.is_sorted_by_key(|kind| ["error", "warning", "notice"].iter().position(|it| it == kind).unwrap())
        );
        assert!(
            lines.iter().any(|line| line.starts_with("::warning title=gilaudit enables-gil::12 modules of lxml 6.1.3"))
        );
        assert!(lines.iter().any(|line| line.starts_with(
            "::error title=gilaudit borrowed-list-item,file=src/multi.c,line=3,endLine=3,col=22,endColumn=45::"
        )));
        let verdict = "::notice title=gilaudit::CPython on its own: The GIL will be enabled on linux-x86_64";
        assert!(lines.iter().any(|line| line.starts_with(verdict)));
    }

    #[test]
    fn what_would_end_a_command_is_escaped() {
        assert_eq!(data("50 %\n::error"), "50 %25%0A::error");
        assert_eq!(property("a,b:c"), "a%2Cb%3Ac");
    }
}
