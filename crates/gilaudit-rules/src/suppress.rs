//! Comments that suppress findings.
//!
//! `gilaudit: allow[rule-a, rule-b] reason` on the line of a finding or on the line before it. NumPy's `noqa: borrowed-ref OK` on the
//! line is taken as well, for the rules about borrowed references. What suppresses nothing, or names no rule, is said.

use std::collections::HashMap;

use gilaudit_model::source::{File, Project};
use gilaudit_model::{Finding, Location, Origin, Problem, Stage};

/// The rules that NumPy's comment is about.
const BORROWED: [&str; 5] =
    ["borrowed-list-item", "borrowed-dict-item", "dict-next-unlocked", "borrowed-weakref", "sequence-fast-items"];

/// One comment that suppresses.
struct Suppression<'a> {
    line: u32,
    rules: Vec<&'a str>,
    reason: String,
    /// NumPy's: unused ones are not our business, and it counts for its own line only.
    foreign: bool,
    used: bool,
}

/// Marks the findings that comments suppress, and says which comments suppress nothing.
pub fn suppress(project: &Project, findings: &mut [Finding], problems: &mut Vec<Problem>) {
    let mut by_file: HashMap<Origin, Vec<&mut Finding>> = HashMap::new();
    for finding in findings {
        by_file.entry(finding.origin.clone()).or_default().push(finding);
    }
    for file in project.files.iter().filter(|file| file.report) {
        // In the order of their lines, as comments are.
        let mut suppressions = read(file, problems);
        if suppressions.is_empty() {
            continue;
        }
        for finding in by_file.remove(&file.origin).into_iter().flatten() {
            let Location::Text { line, .. } = finding.location else { continue };
            let start = suppressions.partition_point(|it| it.line.saturating_add(1) < line);
            let near = suppressions.iter_mut().skip(start).take_while(|it| it.line <= line);
            for suppression in near.filter(|it| (it.line == line || !it.foreign) && it.rules.contains(&finding.rule)) {
                suppression.used = true;
                finding.suppressed.get_or_insert_with(|| suppression.reason.clone());
            }
        }
        // One that names no rule at all was said to be wrong already.
        let known = |it: &Suppression<'_>| it.rules.iter().any(|rule| crate::find(rule).is_some());
        for unused in suppressions.iter().filter(|it| !it.used && !it.foreign && known(it)) {
            let error =
                format!("line {}: 'gilaudit: allow[{}]' suppresses nothing", unused.line, unused.rules.join(", "));
            problems.push(problem(file, error));
        }
    }
}

fn problem(file: &File, error: String) -> Problem {
    Problem { origin: file.origin.clone(), stage: Stage::Parse, unread: false, error }
}

fn read<'a>(file: &'a File, problems: &mut Vec<Problem>) -> Vec<Suppression<'a>> {
    let mut out = Vec::new();
    for comment in &file.comments {
        let text = file.text_of(*comment);
        let line = file.lines.line(comment.end.saturating_sub(1));
        if text.contains("noqa: borrowed-ref OK") || text.contains("noqa: borrowed-ref - OK") {
            out.push(Suppression {
                line,
                rules: BORROWED.to_vec(),
                reason: "noqa: borrowed-ref OK".to_owned(),
                foreign: true,
                used: false,
            });
        }
        let Some((_, rest)) = text.split_once("gilaudit: allow[") else { continue };
        let Some((rules, reason)) = rest.split_once(']') else {
            problems.push(problem(file, format!("line {line}: 'gilaudit: allow[' without ']'")));
            continue;
        };
        let rules: Vec<&str> = rules.split(',').map(str::trim).filter(|rule| !rule.is_empty()).collect();
        for rule in rules.iter().filter(|rule| crate::find(rule).is_none()) {
            problems.push(problem(file, format!("line {line}: 'gilaudit: allow' names the unknown rule '{rule}'")));
        }
        let reason = reason.trim().trim_end_matches("*/").trim().to_owned();
        out.push(Suppression { line, rules, reason, foreign: false, used: false });
    }
    out
}
