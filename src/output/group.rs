//! Findings that are said together: those of one rule and severity in one distribution.
//!
//! Forty modules of one package that fail alike are one thing to know. What they have in common is said once, then each has a line.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use gilaudit_audit::report::{Judged, Report};
use gilaudit_model::{Distribution, Finding, Location, Mechanism, Origin, Severity};

use super::text::{BOLD, DIM, LISTED, colour};
use super::words::{self, shown};
use super::{Detail, screen, wrap};

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
            .entry((std::cmp::Reverse(severity), rule, distribution.is_none(), distribution))
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

    /// The file and name of each of its modules.
    pub(super) fn places(&self) -> impl Iterator<Item = (&Origin, &str)> {
        self.findings.iter().map(|(finding, _)| (&finding.origin, finding.module.as_deref().unwrap_or_default()))
    }

    pub(super) fn write(&self, detail: Detail, said: &mut Said, out: &mut dyn Write) -> io::Result<()> {
        let style = colour(self.severity);
        let used = self.severity.as_str().len() + self.rule.len() + 4;
        let rule = screen::link(detail.links, &words::rule_url(self.rule), self.rule);
        let sentence = wrap::hang_after(detail.width, &self.sentence(), used, 4);
        writeln!(out, "{style}{}[{rule}]{style:#}: {sentence}", self.severity.as_str())?;
        let listed = if detail.verbose { self.findings.len() } else { LISTED };
        // Modules that need the same advice stand together above it.
        let mut advised: Vec<(Option<&str>, Parts)> = Vec::new();
        for (finding, judged) in self.findings.iter().take(listed) {
            let (mut part, line) = part(finding, *judged);
            if self.findings.len() > 1 {
                part.why = nameless(&part.why, finding.module.as_deref());
            }
            let help = finding.help.as_deref().filter(|_| !said.modules.contains(&line.0));
            let parts = match advised.iter().position(|(known, _)| *known == help) {
                Some(at) => advised.get_mut(at),
                None => {
                    advised.push((help, Parts::new()));
                    advised.last_mut()
                }
            };
            if let Some((_, parts)) = parts {
                parts.entry(part).or_default().push(line);
            }
        }
        let last = advised.len().saturating_sub(1);
        let mut archive = None;
        for (index, (help, parts)) in advised.into_iter().enumerate() {
            for (part, lines) in parts {
                if part.archive != archive {
                    part.write_archive(out)?;
                }
                part.write(&lines, detail, out)?;
                archive = part.archive;
            }
            if index == last && self.findings.len() > listed {
                writeln!(out, "  {DIM}and {} more (--verbose lists them){DIM:#}", self.findings.len() - listed)?;
            }
            if let Some(help) = help.and_then(|help| said.news(help)) {
                writeln!(out, "  {BOLD}help:{BOLD:#} {}", wrap::hang_after(detail.width, &help, 8, 8))?;
            }
        }
        writeln!(out)
    }
}

/// A line for each module (its name, and where the evidence is) below what they have in common.
type Parts = BTreeMap<Part, Vec<(String, String)>>;

/// What a report said before, so that nothing is said twice.
#[derive(Default)]
pub(super) struct Said {
    /// Modules that got their advice.
    modules: BTreeSet<String>,
    /// Advice, clause by clause.
    clauses: BTreeSet<String>,
}

impl Said {
    /// What the answer about imports said: the ways out of every blocker, when there is such an answer.
    pub(super) fn before(report: &Report) -> Self {
        let blockers = report.answers.imports.iter().flat_map(|imports| &imports.answer.blockers);
        Self { modules: blockers.map(|blocker| blocker.module.clone()).collect(), clauses: BTreeSet::new() }
    }

    /// The clauses of `help` (between semicolons) that are new; nothing when none is.
    fn news(&mut self, help: &str) -> Option<String> {
        let news: Vec<&str> = help.split("; ").filter(|clause| self.clauses.insert((*clause).to_owned())).collect();
        (!news.is_empty()).then(|| news.join("; "))
    }
}

/// What several findings of a group have in common: the archive they are in, and what shows it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Part {
    archive: Option<String>,
    why: String,
}

impl Part {
    fn write_archive(&self, out: &mut dyn Write) -> io::Result<()> {
        self.archive.as_ref().map_or(Ok(()), |archive| writeln!(out, "  {DIM}in{DIM:#} {}", wrap::clean(archive)))
    }

    /// Writes what is common once, then a line for every module: its name and where the evidence is.
    fn write(&self, lines: &[(String, String)], detail: Detail, out: &mut dyn Write) -> io::Result<()> {
        if !self.why.is_empty() {
            writeln!(out, "  {}", wrap::hang_after(detail.width, &self.why, 2, 4))?;
        }
        let width = lines.iter().map(|(module, _)| module.chars().count()).max().unwrap_or_default();
        for (module, at) in lines {
            let gap = " ".repeat((width + 2).saturating_sub(module.chars().count()));
            let gap = if at.is_empty() { "" } else { &gap };
            writeln!(out, "    {BOLD}{module}{BOLD:#}{gap}{}", wrap::hang_after(detail.width, at, width + 6, 6))?;
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
fn part(finding: &Finding, judged: Option<&Judged>) -> (Part, (String, String)) {
    let module = wrap::clean(finding.module.as_deref().unwrap_or(finding.origin.file_name()));
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
    let places = path.into_iter().chain(declaration.evidence.iter().map(|seen| seen.at.to_string()));
    let places: Vec<String> = places.collect();
    (Part { archive, why: format!("{by}{}{reason}", whats.join("; ")) }, (module, places.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_given_once() {
        let mut said = Said::default();
        assert_eq!(said.news("do a; do b").as_deref(), Some("do a; do b"));
        assert_eq!(said.news("do c; do b").as_deref(), Some("do c"));
        assert_eq!(said.news("do b; do a"), None);
    }

    #[test]
    fn errors_that_differ_in_the_name_alone_are_the_same() {
        let same = "SystemError: init function of <module> returned uninitialized object";
        assert_eq!(nameless("SystemError: init function of _x returned uninitialized object", Some("pkg._x")), same);
        assert_eq!(nameless("of a: a, banana", Some("a")), "of <module>: <module>, banana");
        assert_eq!(nameless("of a", None), "of a");
    }
}
