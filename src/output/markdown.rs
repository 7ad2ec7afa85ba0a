//! Markdown, for a pull request comment or a job summary: the verdict first, details folded.
//!
//! GitHub refuses comments of more than 65,536 characters, so what does not fit is counted instead of shown.

use std::io::{self, Write};

use gilaudit_audit::report::Report;
use gilaudit_model::{Finding, Location, Severity};

use super::group::{Group, groups};
use super::table::rows;
use super::{count, visible, words, wrap};

/// From this many bytes on, findings are counted only.
const ENOUGH: usize = 50_000;
/// How many rows, modules of a group, and problems are listed.
const LISTED: usize = 100;

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let verdicts = words::verdicts(report);
    match verdicts.split_first() {
        Some((first, others)) => {
            writeln!(out, "## {}\n", text(first))?;
            for verdict in others {
                writeln!(out, "**{}**\n", text(verdict))?;
            }
        }
        None => writeln!(out, "## gilaudit\n")?,
    }
    writeln!(out, "{} ({})\n", text(&words::summary(report)), text(&words::asked(report)))?;
    for sentence in words::coverage(report)
        .into_iter()
        .chain(words::readiness(report))
        .chain(words::outside(report))
        .chain(words::what_to_try(report))
    {
        writeln!(out, "{}\n", text(&sentence))?;
    }
    table(report, out)?;
    let mut said = String::new();
    chains(report, &mut said);
    problems(report, &mut said);
    for (severity, line) in words::accepted(report) {
        let mark = if severity == Severity::Note { "" } else { ":warning: " };
        said.push_str(&format!("- {mark}{}\n", text(&line)));
    }
    if let Some(needed) = words::still_needed(report) {
        said.push_str(&format!("- {}\n", text(&needed)));
    }
    for judged in report.refused().take(LISTED) {
        said.push_str(&format!("- **refused**: {}\n", text(&words::refusal(report, judged))));
    }
    if let Some(stale) = words::stale(report) {
        said.push_str(&format!("- **baseline**: {}\n", text(&stale)));
    }
    let mut left_out = 0;
    for group in groups(report) {
        if said.len() > ENOUGH {
            left_out += group.findings.len();
        } else {
            write_group(&group, &mut said);
        }
    }
    let news = report.findings().filter(|seen| seen.is_news()).map(|seen| seen.finding);
    let in_sources = |finding: &&Finding| matches!(finding.location, Location::Text { .. });
    let mut findings: Vec<&Finding> = news.filter(in_sources).collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(words::level(finding)));
    for finding in findings {
        if said.len() > ENOUGH {
            left_out += 1;
        } else {
            write_finding(report, finding, &mut said);
        }
    }
    if left_out > 0 {
        said.push_str(&format!("\nand {}, which the other formats show\n", count(left_out, "more finding")));
    }
    out.write_all(said.as_bytes())
}

fn table(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let rows = rows(report);
    let Some((header, rows)) = rows.split_first() else { return Ok(()) };
    writeln!(out, "| {} |", header.join(" | "))?;
    let align = |column: usize| if column == 0 || column + 1 == header.len() { ":--" } else { "--:" };
    writeln!(out, "| {} |", (0..header.len()).map(align).collect::<Vec<_>>().join(" | "))?;
    for row in rows.iter().take(LISTED) {
        let cells: Vec<String> = row.iter().map(|cell| text(cell)).collect();
        writeln!(out, "| {} |", cells.join(" | "))?;
    }
    if rows.len() > LISTED {
        writeln!(out, "\nand {}", count(rows.len() - LISTED, "more distribution"))?;
    }
    writeln!(out)
}

/// Who imports whom until the GIL is on.
fn chains(report: &Report, said: &mut String) {
    let Some(imports) = &report.answers.imports else { return };
    let blockers = &imports.answer.blockers;
    for blocker in blockers.iter().take(LISTED) {
        let of = blocker.distribution.as_ref().map_or(String::new(), |it| format!(", {}", words::shown(it)));
        let word = super::imports::word(blocker);
        let chain = super::imports::chain(&blocker.chain);
        said.push_str(&format!("- **{}** ({word}{}): {}\n", text(&blocker.module), text(&of), code(&chain)));
    }
    for end in imports.answer.open_ends.iter().filter(|end| !end.meets.is_empty()).take(LISTED) {
        said.push_str(&format!("- **open end**: {}\n", text(&words::open_end(end))));
    }
    if blockers.len() > LISTED {
        said.push_str(&format!("- and {}\n", count(blockers.len() - LISTED, "more module")));
    }
}

fn problems(report: &Report, said: &mut String) {
    for diagnostic in &report.question.policy_diagnostics {
        let severity = diagnostic.severity.as_str();
        said.push_str(&format!(
            "- **policy {severity}** at {}: {}\n",
            code(&diagnostic.place.to_string()),
            text(&diagnostic.message)
        ));
    }
    let unread = report.answers.problems.iter().filter(|problem| problem.unread);
    for problem in unread.take(LISTED) {
        said.push_str(&format!("- **not read**: {}: {}\n", code(&problem.origin.to_string()), text(&problem.error)));
    }
}

fn write_group(group: &Group<'_>, said: &mut String) {
    let head = head(group.severity, group.rule);
    said.push_str(&format!("\n<details><summary>{head}: {}</summary>\n\n", text(&group.sentence())));
    let modules: Vec<String> = group.modules().take(LISTED).map(code).collect();
    let more = match group.findings.len() - modules.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    said.push_str(&format!("{}{more}\n\n", modules.join(", ")));
    if let Some(help) = group.help() {
        said.push_str(&format!("**help**: {}\n", text(help)));
    }
    said.push_str("\n</details>\n");
}

fn write_finding(report: &Report, finding: &Finding, said: &mut String) {
    let Location::Text { line, .. } = finding.location else { return };
    let head = head(words::level(finding), finding.rule);
    let place = html(&words::place(&finding.origin, finding.location));
    said.push_str(&format!("\n<details><summary>{head} at <code>{place}</code></summary>\n\n"));
    let function = finding.function.as_ref().map_or(String::new(), |name| format!("in {}: ", code(name)));
    said.push_str(&format!("{function}{}\n", text(&finding.message)));
    if let Some(source) = report.answers.line(&finding.origin, line) {
        let source = wrap::clean(source.trim());
        let fence = fence(&source, 6);
        said.push_str(&format!("\n{fence}{}\n{source}\n{fence}\n", language(finding.origin.file_name())));
    }
    for related in &finding.related {
        let place = words::place(&related.origin, related.location);
        said.push_str(&format!("- {}: {}\n", code(&place), text(&related.message)));
    }
    if let Some(help) = &finding.help {
        said.push_str(&format!("\n**help**: {}\n", text(help)));
    }
    said.push_str("\n</details>\n");
}

/// The name by which Markdown highlights the language of a file.
fn language(file: &str) -> &'static str {
    match file.rsplit('.').next().unwrap_or_default() {
        "c" | "h" => "c",
        "cc" | "cpp" | "cxx" | "hpp" | "hxx" | "hh" => "cpp",
        "py" | "pyi" => "python",
        "pyx" | "pxd" | "pxi" => "cython",
        "rs" => "rust",
        "toml" => "toml",
        _ => "",
    }
}

fn head(severity: Severity, rule: &str) -> String {
    format!("<b>{}</b> {rule}", severity.as_str())
}

/// Text in which lines are not ended, and everything is visible.
fn one_line(text: &str) -> String {
    visible::line(&text.replace(['\n', '\r'], " "))
}

/// Text in which nothing is taken for Markdown or HTML.
fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // A mention would tell somebody who has nothing to do with it.
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    out
}

/// The same inside HTML tags, where Markdown is not read.
fn html(text: &str) -> String {
    one_line(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// At least so many backticks that no run of them in the text ends what they begin.
fn fence(text: &str, least: usize) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    "`".repeat(least.max(longest + 1))
}

/// Code in a line.
fn code(text: &str) -> String {
    let text = one_line(text).replace('|', "\\|");
    let fence = fence(&text, 1);
    if fence.len() == 1 { format!("`{text}`") } else { format!("{fence} {text} {fence}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gilaudit_audit::report::Answers;
    use gilaudit_audit::sample;

    fn markdown(report: &Report) -> String {
        let mut out = Vec::new();
        write(report, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_verdict_first_and_everything_in_it() {
        let all = markdown(&sample::report());
        assert!(all.starts_with("## Policy pep703 refuses loose\n"), "{all}");
        for part in [
            "**CPython on its own: The GIL will be enabled on linux-x86\\_64 by lxml.part00 (lxml 6.1.3)",
            "| lxml 6.1.3 | 12 |",
            "**not read**: `broken.whl`",
            "**refused**",
            "``````c\nPyObject *item = PyList_GetItem(list, 0);",
        ] {
            assert!(all.contains(part), "{part}\n{all}");
        }
    }

    #[test]
    fn fits_into_a_comment() {
        let report = sample::report();
        let finding = report.answers.findings.iter().find(|it| it.rule == "borrowed-list-item").unwrap().clone();
        let at = |line| Location::Text { line, column: 1, end_line: line, end_column: 2 };
        let findings = (1..5_000).map(|line| Finding { location: at(line), ..finding.clone() }).collect();
        let all = markdown(&Report::new(report.question, Answers { findings, ..report.answers }));
        assert!(all.chars().count() < 65_536);
        assert!(all.contains("more findings, which the other formats show"));
    }

    #[test]
    fn nothing_is_taken_for_markup() {
        assert_eq!(text("a|b <i> *c* @you\n# d"), "a\\|b &lt;i&gt; \\*c\\* &#64;you \\# d");
        assert_eq!(code("a`b"), "`` a`b ``");
        assert_eq!(code("``a`b"), "``` ``a`b ```");
    }
}
