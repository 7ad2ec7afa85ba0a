//! Sources: a project of any text is read and linted, and what is found is at places that exist.

use gilaudit_model::{Location, Origin, Stage, Target};
use gilaudit_rules::{Options, check_project, modules, suppress};
use gilaudit_source::python::{read_program, read_pth, read_stub};
use gilaudit_source::{Limits, SourceText, read_project};

/// What begins a line that names the file of the lines after it.
pub const SEPARATOR: &str = "=== ";

/// C.
pub fn c(data: &[u8]) {
    project(data, "module.c");
}

/// C++.
pub fn cpp(data: &[u8]) {
    project(data, "module.cpp");
}

/// Cython, with its declarations in a second file.
pub fn cython(data: &[u8]) {
    project(data, "module.pyx");
}

/// Rust.
pub fn rust(data: &[u8]) {
    project(data, "src/lib.rs");
}

/// Build files: setuptools, CMake, Meson, Cargo, pyproject.toml.
pub fn build(data: &[u8]) {
    project(data, "setup.py");
}

/// Python: what threads share, and what a file, a stub and a `.pth` file import.
pub fn python(data: &[u8]) {
    project(data, "package/__init__.py");
    let _ = (read_program(data), read_stub(data), read_pth(data));
}

/// Reads and lints the files in `data`; the lines before the first separator are the file `first`.
fn project(data: &[u8], first: &str) {
    let texts = files(&String::from_utf8_lossy(data), first);
    let lines: Vec<(Origin, usize)> =
        texts.iter().map(|file| (file.origin.clone(), file.text.split('\n').count())).collect();
    let (project, mut problems) = read_project(texts, &Limits::default());
    let Ok(target) = "3.14t".parse::<Target>() else { panic!("3.14t is no target") };
    let (frozen, ignored, steps) = (Vec::new(), Vec::new(), Limits::default().steps);
    let checked = check_project(&project, &Options { target, frozen, ignored, suppressions: true, steps });
    // A mistake of ours costs one file only, and is one all the same.
    let unread = project.files.iter().filter_map(|file| file.unread.as_ref());
    for unread in unread.chain(checked.unjudged.iter().map(|(_, unread)| unread)) {
        assert!(unread.stage != Stage::Internal, "{unread:?}");
    }
    assert!(checked.failed.is_empty(), "{:?}", checked.failed);
    let mut findings = checked.findings;
    suppress(&project, &mut findings, &mut problems);
    for finding in &findings {
        let last = lines.iter().find(|(origin, _)| *origin == finding.origin).map(|(_, lines)| *lines);
        let Some(last) = last else { panic!("a finding in a file that is not there: {finding:?}") };
        if let Location::Text { line, column, end_line, end_column } = finding.location {
            let inside = 0 < line && line <= end_line && end_line as usize <= last;
            assert!(inside && (line, column) <= (end_line, end_column), "outside of {last} lines: {finding:?}");
        }
    }
    let _ = modules(&project, &target);
}

fn files(text: &str, first: &str) -> Vec<SourceText> {
    let mut files: Vec<(&str, String)> = vec![(first, String::new())];
    for line in text.split_inclusive('\n') {
        // More files than any seed has only cost time.
        let name = line.strip_prefix(SEPARATOR).filter(|_| files.len() < 8);
        match (name, files.last_mut()) {
            (Some(name), _) => files.push((name.trim(), String::new())),
            (None, Some((_, text))) => text.push_str(line),
            (None, None) => {}
        }
    }
    let mut names = std::collections::BTreeSet::new();
    // A file system has each name once.
    files.retain(|(name, text)| !(name.is_empty() || text.is_empty()) && names.insert(*name));
    let source =
        |(name, text): (&str, String)| SourceText::new(Origin::path(name), name.to_owned(), text.as_bytes(), true);
    files.into_iter().map(source).collect()
}
