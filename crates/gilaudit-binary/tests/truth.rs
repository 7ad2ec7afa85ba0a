//! What real interpreters did with every file (`truth.tsv`) against what the library says that they do, and every other variant of
//! a case against the one that was tried.
//!
//! The tables of differences in `truth/known.rs` are exact both ways: a difference that is not listed fails, and so does a listed one
//! that is gone, or that has become more or fewer files.

mod known;

use std::collections::BTreeMap;
use std::fs;

use gilaudit_model::{Arch, BinaryFacts, FailureKind, Loading, Status, Target};

use crate::fixtures::{Fixture, read_all, root, targets};

/// What an import does, as far as both sides can say it.
fn answer(facts: Option<&BinaryFacts>, module: &str, target: &Target) -> (&'static str, Option<Loading>) {
    let loading = facts.and_then(|facts| facts.load(module, target));
    let word = match &loading {
        None => "fails",
        Some(loading) if loading.failure.is_some() => "fails",
        Some(loading) => match loading.declaration.status {
            Status::NotUsed => "free",
            Status::Used | Status::Undeclared => "required",
            Status::Unknown => "unknown",
        },
    };
    (word, loading)
}

/// The differences found, and where.
#[derive(Default)]
struct Differences(BTreeMap<[String; 3], Vec<String>>);

impl Differences {
    fn add(&mut self, case: &str, expected: &str, given: &str, at: String) {
        self.0.entry([case, expected, given].map(str::to_owned)).or_default().push(at);
    }

    /// Fails unless the differences are those of the table.
    fn are(&self, table: &[known::Difference]) {
        let mut report = String::new();
        for ([case, expected, given], places) in &self.0 {
            let listed = table.iter().find(|row| [row.0, row.1, row.2] == [case, expected, given]);
            let count = listed.map_or(0, |row| row.3);
            if count != places.len() {
                report += &format!(
                    "{case}: {expected}, but the library says {given}: {} times, {count} listed\n  {}\n",
                    places.len(),
                    places.join("\n  "),
                );
            }
        }
        for row in table {
            if !self.0.contains_key(&[row.0, row.1, row.2].map(str::to_owned)) {
                report += &format!("{row:?} is listed, and does not occur\n");
            }
            assert_ne!(row.4, "", "{row:?} gives no reason");
        }
        assert!(report.is_empty(), "\n{report}");
    }
}

/// One row of truth.tsv.
struct Row {
    fixture: Fixture,
    target: Target,
    /// `result`, or `by_path` where the file was not found.
    happened: String,
}

impl Row {
    fn word(&self) -> &'static str {
        match self.happened.as_str() {
            "gil-free" => "free",
            "gil-required" => "required",
            failed if failed.starts_with("cannot-load: ") || failed.starts_with("crash: ") => "fails",
            other => panic!("{other}: {:?}", self.fixture),
        }
    }
}

fn rows() -> Vec<Row> {
    let table = fs::read_to_string(root().join("truth.tsv")).unwrap();
    let rows: Vec<Row> = table
        .lines()
        .skip(1)
        .map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            let [case, file, python, result, by_path, _, _] = columns[..] else { panic!("{line}") };
            let happened = if result == "not-found" { by_path } else { result };
            let target = python.parse().unwrap();
            Row { fixture: Fixture::new(case, file), target, happened: happened.to_owned() }
        })
        .collect();
    assert!(rows.len() > 1500, "only {} rows", rows.len());
    rows
}

/// The facts of a file.
fn facts(fixture: &Fixture) -> &'static [BinaryFacts] {
    let (facts, problems) = &read_all()[fixture];
    assert!(!facts.is_empty() || !problems.is_empty(), "{fixture:?}: neither facts nor a problem");
    facts
}

#[test]
fn what_real_interpreters_did() {
    let mut differences = Differences::default();
    let mut texts = Differences::default();
    let (mut right, mut same_text) = (0, 0);
    for row in rows() {
        let module = row.fixture.module().to_owned();
        // The interpreters ran on x86-64: whether a file is for the machine is judged by its name, not by its contents.
        let file = facts(&row.fixture).first().filter(|facts| facts.arch == Arch::X86_64);
        let (given, loading) = answer(file, &module, &row.target);
        if given != row.word() {
            let at = format!("{} {}: {}", row.fixture.path(), row.target, row.happened);
            differences.add(&row.fixture.case, row.word(), given, at);
            continue;
        }
        right += 1;
        // CPython's own words, where both sides give some.
        let failure = loading.and_then(|loading| loading.failure);
        let Some((failure, theirs)) = failure.zip(row.happened.strip_prefix("cannot-load: ")) else { continue };
        if failure.kind == FailureKind::InitFails {
            continue;
        }
        if failure.error == theirs {
            same_text += 1;
        } else {
            // The loader's errors begin with the name of a file.
            let theirs =
                theirs.split_once(".so: ").map_or(theirs.to_owned(), |(_, what)| format!("ImportError: {what}"));
            texts.add(&row.fixture.case, &theirs, &failure.error, format!("{} {}", row.fixture.path(), row.target));
        }
    }
    differences.are(known::DIFFERENT);
    texts.are(known::TEXTS);
    assert!(right > 1390 && same_text > 370, "{right} right, {same_text} errors in the same words");
}

/// A case's other variants hold the same source, and mean the same as what GCC made for x86-64 and the same Python.
#[test]
fn other_variants_answer_as_the_one_that_was_tried() {
    let fixtures: Vec<&Fixture> = read_all().keys().collect();
    let references: BTreeMap<(&str, &str, &str), &Fixture> = fixtures
        .iter()
        .copied()
        .filter(|fixture| fixture.variant == "elf-x86_64")
        .map(|fixture| ((fixture.case.as_str(), fixture.module(), fixture.built_for()), fixture))
        .collect();
    let mut differences = Differences::default();
    let mut unread: BTreeMap<&str, usize> = BTreeMap::new();
    let mut right = 0;
    for fixture in &fixtures {
        // Those have their own rows in truth.tsv.
        if fixture.variant.starts_with("elf-x86_64") {
            continue;
        }
        let module = fixture.module();
        let reference = references.get(&(fixture.case.as_str(), module, fixture.built_for())).copied();
        for target in targets() {
            let expected = match reference {
                Some(reference) => answer(facts(reference).first(), module, &target).0,
                None => known::without_reference(&fixture.case, &fixture.variant),
            };
            let slices = facts(fixture);
            for index in 0..slices.len().max(1) {
                let facts = slices.get(index);
                let expected = match (expected, facts) {
                    ("by slice", Some(facts)) if facts.arch.as_str() == "aarch64" => "free",
                    ("by slice", _) => "required",
                    (expected, _) => expected,
                };
                let given = answer(facts, module, &target).0;
                let arch = facts.map_or("", |facts| facts.arch.as_str());
                if given == expected {
                    right += 1;
                } else if given == "unknown" && known::NOT_EVALUATED.contains(&arch) {
                    *unread.entry(arch).or_default() += 1;
                } else {
                    let name = format!("{} {}", fixture.case, fixture.variant);
                    differences.add(&name, expected, given, format!("{} {target}", fixture.file));
                }
            }
        }
    }
    differences.are(known::VARIANTS);
    let unread: Vec<&str> = unread.into_keys().collect();
    assert_eq!(unread, known::NOT_EVALUATED, "architectures whose code is not evaluated; {right} right");
    assert!(right > 600, "{right} right");
}
