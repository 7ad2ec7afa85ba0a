//! Findings in sources and mistakes in policies, each with the lines it is about, as rustc shows its own.

use std::io::{self, Write};
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use gilaudit_audit::report::Report;
use gilaudit_model::{Finding, Location, Origin, Severity};
use gilaudit_policy::Diagnostic;

use super::text::{BOLD, DIM, colour};
use super::{Detail, screen, words, wrap};

/// How many findings in sources are shown before it says "and more".
const SHOWN: usize = 200;
/// Longer lines are of no use on a terminal, and nobody wrote them.
const LONGEST: usize = 2_000;

/// The findings in sources, in the order of the report.
pub(super) struct Snippets<'r> {
    report: &'r Report,
    detail: Detail,
    findings: Vec<&'r Finding>,
    shown: usize,
}

impl<'r> Snippets<'r> {
    pub(super) fn new(report: &'r Report, detail: Detail) -> Self {
        let is_text = |finding: &&Finding| matches!(finding.location, Location::Text { .. });
        let news = report.findings().filter(|seen| seen.is_news()).map(|seen| seen.finding);
        Self { report, detail, findings: news.filter(is_text).collect(), shown: 0 }
    }

    /// Writes those of one severity, as long as not too many were shown.
    pub(super) fn write(&mut self, severity: Severity, out: &mut dyn Write) -> io::Result<()> {
        for finding in self.findings.iter().filter(|finding| finding.severity == severity) {
            if self.shown < SHOWN || self.detail.verbose {
                write_one(finding, self.report, self.detail, out)?;
                self.shown += 1;
            }
        }
        Ok(())
    }

    /// Says how many were left out.
    pub(super) fn write_rest(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.findings.len() - self.shown {
            0 => Ok(()),
            more => writeln!(out, "{DIM}and {more} more findings in sources (--verbose shows them){DIM:#}\n"),
        }
    }
}

fn write_one(finding: &Finding, report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    head(finding.severity, finding.rule, &finding.message, detail, out)?;
    // Places in the same file are shown together, each other file follows.
    let mut files: Vec<(&Origin, Vec<Mark<'_>>)> = Vec::new();
    let related = finding.related.iter().map(|it| (&it.origin, it.location, it.message.as_str()));
    let own = (&finding.origin, finding.location, "");
    let mut elsewhere = Vec::new();
    for (index, (origin, location, label)) in std::iter::once(own).chain(related).enumerate() {
        let Some(mark) = Mark::new(location, label, index == 0) else {
            elsewhere.push(format!("{}: {label}", words::place(origin, location)));
            continue;
        };
        match files.iter_mut().find(|(known, _)| *known == origin) {
            Some((_, marks)) => marks.push(mark),
            None => files.push((origin, vec![mark])),
        }
    }
    let paths: Vec<String> = files.iter().map(|(origin, _)| wrap::clean(&origin.to_string())).collect();
    let mut group = Group::with_level(level(finding.severity));
    for ((origin, marks), path) in files.iter().zip(&paths) {
        match report.answers.text(origin).and_then(|text| source(text, path, marks)) {
            Some(snippet) => group = group.element(snippet),
            // A header that has no finding of its own, or a line that nobody can read.
            None if marks.iter().any(|mark| mark.primary) => {
                let at = annotate_snippets::Origin::path(path.as_str())
                    .line(marks.first().map_or(1, |mark| mark.line) as usize);
                group = group.element(at);
            }
            None => elsewhere.extend(marks.iter().map(|mark| format!("{path}:{}: {}", mark.line, mark.label))),
        }
    }
    for place in elsewhere {
        group = group.element(Level::NOTE.message(wrap::hang_after(detail.width, &place, 12, 0)));
    }
    if let Some(help) = &finding.help {
        let used = widest(&files) + 9;
        group = group.element(Level::HELP.message(wrap::hang_after(detail.width.saturating_sub(used), help, 0, 0)));
    }
    let rendered = renderer(detail).render(&[group]);
    let function = finding.function.as_ref().map_or(String::new(), |name| format!(", in {}", wrap::clean(name)));
    let mut first = true;
    for line in rendered.lines() {
        let line = linked(line, &files, &paths, detail);
        let is_place = first && line.contains("--> ");
        first &= !is_place;
        writeln!(out, "{line}{}", if is_place { &function } else { "" })?;
    }
    writeln!(out)
}

/// The columns that line numbers take.
fn widest(files: &[(&Origin, Vec<Mark<'_>>)]) -> usize {
    let last = files.iter().flat_map(|(_, marks)| marks).map(|mark| mark.end_line).max().unwrap_or(1);
    last.to_string().len()
}

/// `error[rule]: message`, with the rule linked to its page.
fn head(severity: Severity, rule: &str, message: &str, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let style = colour(severity);
    let used = severity.as_str().len() + rule.len() + 4;
    let rule = screen::link(detail.links, &words::rule_url(rule), rule);
    let message = wrap::hang_after(detail.width, message, used, 4);
    writeln!(out, "{style}{}[{rule}]{style:#}: {message}", severity.as_str())
}

/// The line with the path in it linked to the file, where it is the line that names the file.
fn linked(line: &str, files: &[(&Origin, Vec<Mark<'_>>)], paths: &[String], detail: Detail) -> String {
    if !detail.links || !(line.contains("--> ") || line.contains("::: ")) {
        return line.to_owned();
    }
    for ((origin, _), path) in files.iter().zip(paths) {
        // Members of archives are no files of their own.
        if let ([file], Some((before, after))) = (origin.parts(), line.split_once(path.as_str()))
            && let Some(url) = screen::file_url(file)
        {
            return format!("{before}{}{after}", screen::link(true, &url, path));
        }
    }
    line.to_owned()
}

fn renderer(detail: Detail) -> Renderer {
    Renderer::styled().term_width(detail.width)
}

fn level(severity: Severity) -> Level<'static> {
    match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    }
}

/// A part of a text to underline. Lines and columns are 1-based, columns count characters.
struct Mark<'a> {
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
    label: &'a str,
    primary: bool,
}

impl<'a> Mark<'a> {
    fn new(location: Location, label: &'a str, primary: bool) -> Option<Self> {
        let Location::Text { line, column, end_line, end_column } = location else { return None };
        Some(Self { line, column, end_line: end_line.max(line), end_column, label, primary })
    }
}

/// The lines that the marks are about; nothing when the text does not have them.
fn source<'a>(
    text: &'a str,
    path: &'a str,
    marks: &[Mark<'_>],
) -> Option<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let first = marks.iter().map(|mark| mark.line).min()?.max(1);
    let last = marks.iter().map(|mark| mark.end_line).max()?;
    let mut starts = Vec::new();
    let (mut start, mut from) = (0, None);
    for (number, line) in (1_u32..).zip(text.split_inclusive('\n')).take(last as usize) {
        if number >= first {
            from.get_or_insert(start);
            starts.push(start);
        }
        start += line.len();
    }
    let part = text.get(from?..start)?;
    if part.lines().any(|line| line.len() > LONGEST) {
        return None;
    }
    let offset = |line: u32, column: u32| -> Option<usize> {
        let start = starts.get((line.max(first) - first) as usize)? - from?;
        let line = part.get(start..)?.lines().next().unwrap_or_default();
        let inside = line.char_indices().nth(column.saturating_sub(1) as usize).map_or(line.len(), |(at, _)| at);
        Some(start + inside)
    };
    let mut snippet = Snippet::source(part).line_start(first as usize).path(path);
    for mark in marks {
        let begin = offset(mark.line, mark.column)?;
        let span: Range<usize> = begin..offset(mark.end_line, mark.end_column)?.max(begin);
        let kind = if mark.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        let annotation = kind.span(span);
        snippet = snippet.annotation(match mark.label {
            "" => annotation,
            label => annotation.label(wrap::clean(label)),
        });
    }
    Some(snippet)
}

/// A mistake in a policy file with the line it is in.
pub(super) fn policy(
    diagnostic: &Diagnostic,
    file: &str,
    text: &str,
    detail: Detail,
    out: &mut dyn Write,
) -> io::Result<()> {
    let style = colour(diagnostic.severity);
    let word = diagnostic.severity.as_str();
    writeln!(
        out,
        "{style}{word}{style:#}: {}",
        wrap::hang_after(detail.width, &diagnostic.message, word.len() + 2, 4)
    )?;
    let place = &diagnostic.place;
    let mark = Mark {
        line: place.line,
        column: place.column,
        end_line: place.end_line.max(place.line),
        end_column: place.end_column,
        label: "",
        primary: true,
    };
    // A mistake of a policy that this one extends is in another file.
    let shown = source(text, file, &[mark]).filter(|_| &*place.file == file);
    let Some(snippet) = shown else {
        writeln!(out, "  {DIM}-->{DIM:#} {}", wrap::clean(&place.to_string()))?;
        if let Some(hint) = &diagnostic.hint {
            writeln!(out, "  {BOLD}help:{BOLD:#} {}", wrap::hang_after(detail.width, hint, 8, 8))?;
        }
        return writeln!(out);
    };
    let mut group = Group::with_level(level(diagnostic.severity)).element(snippet);
    if let Some(hint) = &diagnostic.hint {
        let used = place.end_line.to_string().len() + 9;
        group = group.element(Level::HELP.message(wrap::hang_after(detail.width.saturating_sub(used), hint, 0, 0)));
    }
    writeln!(out, "{}\n", renderer(detail).render(&[group]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, line: u32, column: u32, end_line: u32, end_column: u32) -> Option<String> {
        let mark = Mark { line, column, end_line, end_column, label: "", primary: true };
        let group = Group::with_level(Level::ERROR).element(source(text, "x.c", &[mark])?);
        Some(Renderer::plain().render(&[group]))
    }

    #[test]
    fn underlines_characters_and_not_bytes() {
        let shown = shown("a\n\té = f(x);\n", 2, 6, 2, 10).unwrap();
        let lines: Vec<&str> = shown.lines().collect();
        let column = |line: &str, what: char| line.chars().position(|c| c == what);
        assert_eq!(column(lines[2], 'f'), column(lines[3], '^'), "{shown}");
        assert!(lines[3].ends_with(" ^^^^"), "{shown}");
    }

    /// Sources are hostile: whatever the place and the text, something is shown and nothing panics.
    #[test]
    fn every_place_of_every_text() {
        for text in ["", "\n", "a", "\r\n\r\n", "é\u{0}\u{1b}[2J\t\u{202e}x\n日本\n", "\u{feff}a\nb\u{85}c\u{2028}d"]
        {
            for line in 0..5 {
                for column in 0..8 {
                    for (end_line, end_column) in [(line, column), (line, column + 3), (line + 1, 0), (line + 9, 9)] {
                        if let Some(shown) = shown(text, line, column, end_line, end_column) {
                            assert!(!shown.contains('\u{1b}'), "{shown:?}");
                        }
                    }
                }
            }
        }
        assert_eq!(shown(&"x".repeat(3_000), 1, 1, 1, 2), None);
    }
}
