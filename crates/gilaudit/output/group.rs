//! Findings that are said together: those of one rule and severity in one distribution.
//!
//! Forty modules of one package that fail alike are one thing to know. What they have in common is said once, then each has a line.

use std::collections::BTreeMap;
use std::io::{self, Write};

use gilaudit_model::{Distribution, Finding, Location, Mechanism, Origin, Severity};

use super::text::{BOLD, DIM, LISTED, colour};
use super::words::{self, shown};
use super::{Detail, wrap};
use crate::report::{Judged, Report};

/// Findings of one rule and severity in one distribution, which are said together.
pub(super) struct Group<'a> {
    pub(super) rule: &'static str,
    pub(super) severity: Severity,
    pub(super) distribution: Option<&'a Distribution>,
    pub(super) findings: Vec<(&'a Finding, Option<&'a Judged>)>,
}

/// The findings in groups: errors first, then by distribution and rule.
pub(super) fn groups(report: &Report) -> Vec<Group<'_>> {
    let by_place: BTreeMap<(&Origin, &str), &Judged> = report
        .answers
        .extensions
        .iter()
        .map(|judged| ((&judged.extension.origin, judged.extension.module.as_str()), judged))
        .collect();
    let mut groups: BTreeMap<_, Group<'_>> = BTreeMap::new();
    let news = report.findings().filter(|seen| seen.is_news()).map(|seen| seen.finding);
    for finding in news.filter(|finding| !matches!(finding.location, Location::Text { .. })) {
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
    /// `7 modules of lxml 6.1.3: importing the module turns the GIL on for the whole process`
    pub(super) fn sentence(&self) -> String {
        let summary = gilaudit_rules::find(self.rule).map_or("", |rule| rule.summary);
        let of = self.distribution.map_or(String::new(), |it| format!(" of {}", shown(it)));
        format!("{}{of}: {summary}", super::count(self.findings.len(), "module"))
    }

    /// The names of its modules.
    pub(super) fn modules(&self) -> impl Iterator<Item = &str> {
        self.findings.iter().map(|(finding, _)| finding.module.as_deref().unwrap_or(finding.origin.file_name()))
    }

    /// What to do about it.
    pub(super) fn help(&self) -> Option<&str> {
        self.findings.iter().find_map(|(finding, _)| finding.help.as_deref())
    }

    pub(super) fn write(&self, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
        let style = colour(self.severity);
        let head = format!("{}[{}]", self.severity.as_str(), self.rule);
        writeln!(out, "{style}{head}{style:#}: {}", wrap::hang_after(&self.sentence(), head.len() + 2, 4))?;
        let listed = if detail.verbose { self.findings.len() } else { LISTED };
        let mut parts: BTreeMap<Part, Vec<(&str, String)>> = BTreeMap::new();
        for (finding, judged) in self.findings.iter().take(listed) {
            let (mut part, line) = part(finding, *judged);
            if self.findings.len() > 1 {
                part.why = nameless(&part.why, finding.module.as_deref());
            }
            parts.entry(part).or_default().push(line);
        }
        for (part, lines) in parts {
            part.write(&lines, out)?;
        }
        if self.findings.len() > listed {
            writeln!(out, "  {DIM}and {} more (--verbose lists them){DIM:#}", self.findings.len() - listed)?;
        }
        if let Some(help) = self.help() {
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

/// A text with the module's own name (its last component) taken out, so that modules which fail alike are said together.
fn nameless(text: &str, module: Option<&str>) -> String {
    let name = module.and_then(|module| module.rsplit('.').next()).unwrap_or_default();
    let is_name = |word: &str| !name.is_empty() && word.trim_end_matches([':', ',', ';']) == name;
    let words =
        text.split(' ').map(|word| if is_name(word) { word.replacen(name, "<module>", 1) } else { word.to_owned() });
    words.collect::<Vec<_>>().join(" ")
}

/// What a finding shares with others, and its own line.
fn part<'a>(finding: &'a Finding, judged: Option<&Judged>) -> (Part, (&'a str, String)) {
    let module = finding.module.as_deref().unwrap_or(finding.origin.file_name());
    let archive = match finding.origin.parts() {
        [archive, _, ..] => Some(archive.clone()),
        _ => None,
    };
    let Some(Judged { extension, .. }) = judged else {
        return (
            Part { archive, why: finding.message.clone() },
            (module, words::place(&finding.origin, finding.location)),
        );
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_differ_in_the_name_alone_are_the_same() {
        let same = "SystemError: init function of <module> returned uninitialized object";
        assert_eq!(nameless("SystemError: init function of _x returned uninitialized object", Some("pkg._x")), same);
        assert_eq!(nameless("of a: a, banana", Some("a")), "of <module>: <module>, banana");
        assert_eq!(nameless("of a", None), "of a");
    }
}
