//! Names, messages and sources with every character that has no look of its own: no format for people lets one through.

use std::sync::Arc;

use clap::ValueEnum;
use gilaudit_audit::report::{Answers, Report};
use gilaudit_audit::sample;
use gilaudit_model::{
    Distribution, Evidence, Framework, Library, Location, MadeBy, Origin, Problem, Reason, Severity, Site, Stage,
    Status,
};
use gilaudit_policy::{Diagnostic, Place};

use super::{Detail, visible};
use crate::args::Format;

/// A text around a character: what was turned around is in front of it, too.
fn around(c: char) -> String {
    format!("pre{c}fix{c}")
}

/// A report in which everything that comes from inputs is `hostile`.
fn report(hostile: &str) -> Report {
    let sample = sample::report();
    let mut question = sample.question;
    let text = || hostile.to_owned();
    question.policy = text();
    question.target_from = text();
    let place = Place { file: Arc::from(hostile), line: 1, column: 1, end_line: 1, end_column: 2 };
    let diagnostic = |severity| Diagnostic { place: place.clone(), severity, message: text(), hint: Some(text()) };
    question.policy_diagnostics = vec![diagnostic(Severity::Error), diagnostic(Severity::Warning)];
    let origin = Origin::path(text()).member(text());
    let mut answers: Answers = sample.answers;
    for (index, judged) in answers.extensions.iter_mut().enumerate() {
        let extension = &mut judged.extension;
        extension.module = format!("{hostile}{index}");
        extension.origin = origin.clone();
        extension.distribution = Some(Distribution { name: text(), version: text() });
        extension.abi.tag = Some(text());
        extension.framework = Some(MadeBy { framework: Framework::Cython, version: Some(text()) });
        extension.declaration.evidence = vec![Evidence { what: text(), at: Site::Named(text()).into() }];
        extension.declaration.reason = (extension.declaration.status == Status::Unknown).then(|| Reason::Build(text()));
        extension.declaration.delegated_to = Some(text());
        extension.declaration.declared_by_tool = Some(Framework::Cffi);
        if let Some(failure) = &mut extension.failure {
            failure.error = text();
        }
        judged.decision.because = vec![text()];
        judged.decision.policy_at = judged.decision.policy_at.as_ref().map(|_| text());
        judged.decision.warning = judged.decision.warning.as_ref().map(|_| text());
    }
    let source = Origin::path(text());
    for finding in &mut answers.findings {
        finding.message = text();
        finding.help = finding.help.as_ref().map(|_| text());
        finding.function = Some(text());
        finding.module = finding.module.as_ref().map(|_| format!("{hostile}0"));
        finding.suppressed = finding.suppressed.as_ref().map(|_| text());
        let in_text = matches!(finding.location, Location::Text { .. });
        finding.origin = if in_text { source.clone() } else { origin.clone() };
        for related in &mut finding.related {
            related.message = text();
            related.origin = source.clone();
        }
    }
    answers.texts = vec![(source, format!("/* {hostile} */ x;\n").repeat(12))];
    answers.libraries = vec![Library { origin: origin.clone(), why: "no init function".to_owned() }];
    answers.problems = [true, false]
        .map(|unread| Problem { origin: origin.clone(), stage: Stage::Archive, unread, error: text() })
        .to_vec();
    question.fail_on = Severity::Note;
    Report::new(question, answers)
}

fn written(report: &Report, format: Format) -> String {
    let mut out = Vec::new();
    let detail = Detail { verbose: true, ..Detail::default() };
    super::write(report, format, detail, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The text without the styles that the command itself writes.
fn without_styles(text: &str) -> String {
    let mut out = String::new();
    let mut parts = text.split('\u{1b}');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let style = part.strip_prefix('[').and_then(|rest| rest.split_once('m'));
        let (style, rest) = style.unwrap_or_else(|| panic!("an escape that is no style after {out:?}: {part:?}"));
        assert!(style.chars().all(|c| c.is_ascii_digit() || c == ';'), "an escape that is no style: {part:?}");
        out.push_str(rest);
    }
    out
}

/// Every string of a JSON value, and every key.
fn strings(value: &serde_json::Value, all: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => all.push(text.clone()),
        serde_json::Value::Array(items) => items.iter().for_each(|item| strings(item, all)),
        serde_json::Value::Object(entries) => entries.iter().for_each(|(key, value)| {
            all.push(key.clone());
            strings(value, all);
        }),
        _ => {}
    }
}

#[test]
fn no_format_for_people_has_a_hidden_character() {
    // The ends of every run: those between are alike.
    let near = |c: char, by: i64| u32::try_from(i64::from(u32::from(c)) + by).ok().and_then(char::from_u32);
    let is_end = |c: char| [-1, 1].iter().any(|by| !near(c, *by).is_some_and(visible::is_hidden));
    let all: String = ('\0'..=char::MAX).filter(|c| visible::is_hidden(*c) && is_end(*c)).collect();
    // One at a time, those that somebody would use; and all of them at once.
    let some =
        ['\0', '\u{7}', '\r', '\u{1b}', '\u{7f}', '\u{9b}', '\u{ad}', '\u{200b}', '\u{200d}', '\u{202e}', '\u{2066}'];
    let texts = some.map(around).into_iter().chain([all]);
    for hostile in texts {
        let report = report(&hostile);
        for format in Format::value_variants() {
            let text = written(&report, *format);
            let shown = match format {
                // For programs, which get what was found.
                Format::Json | Format::Jsonl | Format::Sarif => continue,
                Format::Text => without_styles(&text),
                Format::Html => {
                    let (_, data) = text.split_once("id=\"data\">").unwrap();
                    let data: serde_json::Value =
                        serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap();
                    let mut all = Vec::new();
                    strings(&data, &mut all);
                    text + &all.join("\n")
                }
                Format::Github | Format::Markdown | Format::Junit => text,
            };
            let hidden = shown.chars().find(|c| visible::is_hidden(*c) && !matches!(c, '\n' | '\t'));
            assert_eq!(hidden, None, "{format:?} of {hostile:?}");
            if hostile.contains('\u{202e}') {
                // Markdown escapes a backslash before punctuation only.
                assert!(shown.contains("u{202e}"), "{format:?} does not show it: {shown}");
            }
        }
    }
}

/// Pieces of which each format takes some for its own.
const PIECES: [&str; 27] = [
    "<",
    ">",
    "&",
    "\"",
    "'",
    "|",
    "`",
    "``````",
    "\n````````````\n",
    "\n",
    "\r\n",
    "::error::",
    "%0A",
    "]]>",
    "-->",
    "<!--",
    "</script>",
    "<details>",
    "{{script}}",
    "\\",
    "\u{202e}",
    "\u{1b}[31m",
    "\0",
    "a",
    "é",
    " ",
    "| --- |\n",
];

/// The same texts every time: Marsaglia's xorshift64.
fn noise(state: &mut u64) -> String {
    let mut next = |below: usize| {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 11) as usize % below
    };
    (0..=next(6)).map(|_| PIECES[next(PIECES.len())]).collect()
}

/// A line of Markdown without what is code in it (CommonMark 0.31, section 6.1: from a run of backticks to the next that is as long).
fn without_code(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('`') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let run = from.len() - from.trim_start_matches('`').len();
        let (fence, inside) = from.split_at(run);
        let is_end = |at: &usize| !inside[..*at].ends_with('`') && !inside[at + run..].starts_with('`');
        let end = inside.match_indices(fence).map(|(at, _)| at).find(is_end);
        // A backslash before it takes a backtick's meaning away; without an end it is none, either.
        match end.filter(|_| !before.ends_with('\\')) {
            Some(end) => rest = &inside[end + run..],
            None => {
                out.push_str(fence);
                rest = inside;
            }
        }
    }
    out + rest
}

/// What of a format a program or a browser would take for structure, and how often.
fn structure(format: Format, text: &str) -> Vec<usize> {
    let counts = |marks: &[&str]| marks.iter().map(|mark| text.matches(mark).count()).collect();
    match format {
        Format::Html => counts(&["<", "<script", "</script"]),
        Format::Junit => {
            let mut reader = quick_xml::Reader::from_str(text);
            let mut elements = 0;
            loop {
                match reader.read_event().unwrap() {
                    quick_xml::events::Event::Eof => return vec![elements],
                    quick_xml::events::Event::Start(_) | quick_xml::events::Event::Empty(_) => elements += 1,
                    _ => {}
                }
            }
        }
        Format::Github => {
            assert!(text.lines().all(|line| line.starts_with("::")), "{text}");
            vec![text.lines().count()]
        }
        // Outside of fences, where nothing is taken for Markdown.
        Format::Markdown => {
            let mut fenced = None;
            let outside = text.lines().filter(|line| {
                let run = line.len() - line.trim_start_matches('`').len();
                let rest = &line[run..];
                match fenced {
                    Some(least) if run >= least && rest.trim().is_empty() => fenced = None,
                    // Section 4.5: with a backtick after it, it is code in a line.
                    None if run >= 3 && !rest.contains('`') => fenced = Some(run),
                    _ => {}
                }
                fenced.is_none()
            });
            let outside: Vec<String> = outside.map(without_code).collect();
            assert_eq!(fenced, None, "a fence that does not end: {text}");
            let tags = |tag: &str| outside.iter().map(|line| line.matches(tag).count()).sum();
            let starts = |start: &str| outside.iter().filter(|line| line.starts_with(start)).count();
            vec![tags("<details>"), tags("</details>"), tags("<!--"), tags("<script"), starts("|"), starts("## ")]
        }
        Format::Json | Format::Sarif => {
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            vec![value.as_object().unwrap().len()]
        }
        Format::Jsonl => {
            assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{text}");
            vec![text.lines().count()]
        }
        Format::Text => Vec::new(),
    }
}

#[test]
fn no_text_changes_the_structure_of_a_format() {
    let plain = report("plain");
    let mut state = 1;
    for _ in 0..150 {
        let hostile = noise(&mut state);
        let report = report(&hostile);
        for format in Format::value_variants() {
            let [before, now] = [&plain, &report].map(|report| structure(*format, &written(report, *format)));
            assert_eq!(now, before, "{format:?} of {hostile:?}: {}", written(&report, *format));
        }
    }
}

/// Lines that end as on Windows are none of a stranger's tricks.
#[test]
fn sources_of_windows_look_like_others() {
    let mut report = sample::report();
    for (_, text) in &mut report.answers.texts {
        *text = text.replace('\n', "\r\n");
    }
    for format in [Format::Text, Format::Markdown, Format::Html, Format::Github, Format::Junit] {
        assert!(!written(&report, format).contains("u{d}"), "{format:?}");
    }
}
