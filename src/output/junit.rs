//! JUnit XML, for CI systems that show test results: GitLab, Jenkins, Azure DevOps.
//!
//! Every extension is a test, and so is every finding in sources; a test fails if it makes the command exit with 1, and an input that
//! was not read is an error. So the file is green exactly when the run is.

use std::collections::BTreeMap;
use std::io::{self, Write};

use gilaudit_audit::report::{Conclusion, Judged, Report, Seen};
use gilaudit_model::{Finding, Location, Origin, Severity};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::visible;
use super::words::{self, shown};

/// A test.
struct Case {
    class: String,
    name: String,
    file: Option<(String, u32)>,
    result: Result,
    /// What is worth knowing of a test that passes.
    out: Vec<String>,
}

enum Result {
    Passes,
    Fails { kind: String, message: String, text: String },
    Errs { kind: String, message: String },
}

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut by_module: BTreeMap<(&Origin, &str), Vec<Seen<'_>>> = BTreeMap::new();
    for seen in report.findings() {
        if let Some(module) = &seen.finding.module {
            by_module.entry((&seen.finding.origin, module)).or_default().push(seen);
        }
    }
    let extensions = report.rows().map(|(judged, rules)| {
        let key = (&judged.extension.origin, judged.extension.module.as_str());
        extension(report, judged, rules, by_module.get(&key).map_or(&[], Vec::as_slice))
    });
    let mut suites = vec![
        ("extensions", extensions.collect::<Vec<Case>>()),
        ("sources", report.findings().filter_map(|seen| in_source(report, seen)).collect()),
        ("inputs", inputs(report)),
        ("verdict", verdict(report)),
    ];
    suites.retain(|(_, cases)| !cases.is_empty());
    let mut writer = Writer::new_with_indent(out, b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let all = suites.iter().flat_map(|(_, cases)| cases);
    element(&mut writer, "testsuites", &counts("gilaudit", all), |writer| {
        for (name, cases) in &suites {
            element(writer, "testsuite", &counts(name, cases), |writer| {
                cases.iter().try_for_each(|case| case.write(writer))
            })?;
        }
        Ok(())
    })?;
    writer.into_inner().write_all(b"\n")
}

/// The attributes of a suite.
fn counts<'a>(name: &str, cases: impl IntoIterator<Item = &'a Case>) -> [(&'static str, String); 4] {
    let (mut tests, mut failures, mut errors) = (0, 0, 0);
    for case in cases {
        tests += 1;
        failures += usize::from(matches!(case.result, Result::Fails { .. }));
        errors += usize::from(matches!(case.result, Result::Errs { .. }));
    }
    let [tests, failures, errors] = [tests, failures, errors].map(|count: usize| count.to_string());
    [("name", name.to_owned()), ("tests", tests), ("failures", failures), ("errors", errors)]
}

/// An element with what `content` writes in it.
fn element<W: Write>(
    writer: &mut Writer<W>,
    name: &str,
    attributes: &[(&str, String)],
    content: impl FnOnce(&mut Writer<W>) -> io::Result<()>,
) -> io::Result<()> {
    writer.write_event(Event::Start(start(name, attributes)))?;
    content(writer)?;
    writer.write_event(Event::End(BytesEnd::new(name)))
}

fn start<'a>(name: &'a str, attributes: &[(&str, String)]) -> BytesStart<'a> {
    let mut start = BytesStart::new(name);
    for (name, value) in attributes {
        start.push_attribute((*name, &*valid(value)));
    }
    start
}

fn text<W: Write>(writer: &mut Writer<W>, text: &str) -> io::Result<()> {
    writer.write_event(Event::Text(BytesText::new(&valid(text))))
}

impl Case {
    fn write<W: Write>(&self, writer: &mut Writer<W>) -> io::Result<()> {
        let mut attributes = vec![("classname", self.class.clone()), ("name", self.name.clone())];
        if let Some((file, line)) = &self.file {
            attributes.extend([("file", file.clone()), ("line", line.to_string())]);
        }
        if self.out.is_empty() && matches!(self.result, Result::Passes) {
            return writer.write_event(Event::Empty(start("testcase", &attributes)));
        }
        element(writer, "testcase", &attributes, |writer| {
            match &self.result {
                Result::Passes => {}
                Result::Fails { kind, message, text: more } => {
                    let attributes = [("type", kind.clone()), ("message", message.clone())];
                    element(writer, "failure", &attributes, |writer| text(writer, more))?;
                }
                Result::Errs { kind, message } => {
                    let attributes = [("type", kind.clone()), ("message", message.clone())];
                    writer.write_event(Event::Empty(start("error", &attributes)))?;
                }
            }
            match self.out.as_slice() {
                [] => Ok(()),
                lines => element(writer, "system-out", &[], |writer| text(writer, &lines.join("\n"))),
            }
        })
    }
}

fn extension(report: &Report, judged: &Judged, contradicted: &[&str], findings: &[Seen<'_>]) -> Case {
    let extension = &judged.extension;
    let result = match findings.iter().find(|seen| report.fails(seen)) {
        Some(seen) => failure(seen.finding),
        None if report.refuses(judged) => Result::Fails {
            kind: "refused".to_owned(),
            message: words::refusal(report, judged),
            text: judged.decision.because.join("\n"),
        },
        None => Result::Passes,
    };
    let status = extension.declaration.status.as_str();
    let mut out = vec![format!("{status}, {}", judged.decision.outcome.as_str())];
    if !contradicted.is_empty() {
        out.push(format!("its declaration is contradicted by {}", contradicted.join(", ")));
    }
    out.extend(findings.iter().filter(|seen| !report.fails(seen)).map(said));
    let of = extension.distribution.as_ref().map_or_else(|| words::file(&extension.origin), shown);
    Case { class: of, name: format!("{} ({})", extension.module, extension.platform()), file: None, result, out }
}

fn in_source(report: &Report, seen: Seen<'_>) -> Option<Case> {
    let finding = seen.finding;
    let Location::Text { line, .. } = finding.location else { return None };
    let fails = report.fails(&seen);
    Some(Case {
        class: words::file(&finding.origin),
        name: format!("{} at {}:{line}", finding.rule, words::file(&finding.origin)),
        file: Some((words::file(&finding.origin), line)),
        result: if fails { failure(finding) } else { Result::Passes },
        out: if fails { Vec::new() } else { vec![said(&seen)] },
    })
}

/// With `--fail-on-gil`: that the GIL stays off for sure.
fn verdict(report: &Report) -> Vec<Case> {
    if !report.question.fail_on_gil {
        return Vec::new();
    }
    let sentence = words::verdicts(report).into_iter().next().unwrap_or_default();
    let result = if report.fails_on_gil() {
        Result::Fails { kind: "gil".to_owned(), message: sentence.clone(), text: words::asked(report) }
    } else {
        Result::Passes
    };
    let name = "the GIL stays off".to_owned();
    vec![Case { class: "gilaudit".to_owned(), name, file: None, result, out: vec![sentence] }]
}

fn inputs(report: &Report) -> Vec<Case> {
    let errs = |kind: &str, message: String| Result::Errs { kind: kind.to_owned(), message };
    let case =
        |name: String, result: Result| Case { class: "gilaudit".to_owned(), name, file: None, result, out: Vec::new() };
    let problems = report.answers.problems.iter().filter(|problem| problem.unread);
    let mut cases: Vec<Case> = problems
        .map(|problem| case(problem.origin.to_string(), errs(problem.stage.as_str(), problem.error.clone())))
        .collect();
    let diagnostics = report.question.policy_diagnostics.iter();
    cases.extend(
        diagnostics
            .filter(|diagnostic| diagnostic.severity == Severity::Error)
            .map(|diagnostic| case(diagnostic.place.to_string(), errs("policy", diagnostic.message.clone()))),
    );
    if cases.is_empty() {
        let nothing = report.conclusion() == Conclusion::NothingRecognised;
        let message = "nothing auditable was recognised in the inputs".to_owned();
        let result = if nothing { errs("nothing", message) } else { Result::Passes };
        cases.push(case("every input was read".to_owned(), result));
    }
    cases
}

fn failure(finding: &Finding) -> Result {
    let help = finding.help.as_ref().map_or(String::new(), |help| format!("help: {help}\n"));
    let place = words::place(&finding.origin, finding.location);
    Result::Fails { kind: finding.rule.to_owned(), message: finding.message.clone(), text: format!("{place}\n{help}") }
}

fn said(seen: &Seen<'_>) -> String {
    let finding = seen.finding;
    let suppressed = finding.suppressed.as_ref().map_or(String::new(), |why| format!(" (suppressed: {why})"));
    let known = if seen.known { " (known)" } else { "" };
    format!("{}[{}]: {}{suppressed}{known}", words::level(finding).as_str(), finding.rule, finding.message)
}

/// The text with everything in it visible, and without the two characters above those that XML 1.0 has no way to write.
fn valid(text: &str) -> String {
    visible::but(text, &['\t', '\n']).replace(['\u{fffe}', '\u{ffff}'], "")
}

#[cfg(test)]
mod tests {
    use quick_xml::Reader;

    use super::*;
    use gilaudit_audit::sample;

    fn xml(report: &Report) -> String {
        let mut out = Vec::new();
        write(report, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// The names of all elements, after a reader that checks that the document is well-formed.
    fn elements(xml: &str) -> Vec<String> {
        let mut reader = Reader::from_str(xml);
        let mut names = Vec::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Eof => return names,
                Event::Start(element) | Event::Empty(element) => {
                    element.attributes().for_each(|attribute| assert!(attribute.is_ok()));
                    names.push(element.name().as_ref().to_owned());
                }
                _ => {}
            }
        }
    }

    #[test]
    fn is_green_exactly_when_the_run_is() {
        for fail_on in [Severity::Note, Severity::Warning, Severity::Error] {
            let mut report = sample::report();
            report.question.fail_on = fail_on;
            let xml = xml(&report);
            let failing = report.findings().filter(|seen| report.fails(seen)).count();
            let names = elements(&xml);
            let failures = names.iter().filter(|name| *name == "failure").count();
            // The module that the policy refuses has a failing finding, too.
            assert_eq!(failures, failing, "{xml}");
            assert!(xml.contains(&format!("failures=\"{failures}\"")));
            assert_eq!(names.iter().filter(|name| *name == "error").count(), 1);
        }
        let mut report = sample::report();
        report.answers = gilaudit_audit::report::Answers { recognised: true, ..Default::default() };
        assert!(elements(&xml(&report)).iter().all(|name| name != "failure" && name != "error"));
        report.answers.recognised = false;
        assert!(elements(&xml(&report)).iter().any(|name| name == "error"));
    }

    #[test]
    fn hostile_names_stay_text() {
        let mut report = sample::report();
        report.answers.extensions[0].extension.module = "a\u{0}\u{1b}\"<&>]]>".to_owned();
        let xml = xml(&report);
        elements(&xml);
        assert!(xml.contains("a\\u{0}\\u{1b}&quot;&lt;&amp;&gt;]]&gt;"), "{xml}");
    }
}
