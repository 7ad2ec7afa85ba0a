//! Lints source files and folders with all rules, for measuring rules without the command around them.
//!
//! `cargo run --release -p gilaudit-rules --example lint -- [--rule ID] [--low] [--notes] [--facts] [--c] PATH...` (`--c`: nothing but C and C++): one line a finding, then totals.

#![allow(clippy::print_stdout, reason = "a tool of the developers")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gilaudit_model::source::{Language, Project};
use gilaudit_model::{Confidence, Location, Origin, Severity, Target};
use gilaudit_rules::{Options, check_project};
use gilaudit_source::{Limits, SourceText, read_project};

fn walk(path: &Path, out: &mut Vec<PathBuf>) {
    if path.is_dir() {
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        entries.sort();
        entries.iter().for_each(|entry| walk(entry, out));
        return;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = name.trim_end_matches(".src").trim_end_matches(".in");
    let build = ["setup.cfg", "pyproject.toml", "meson.build", "CMakeLists.txt", "Cargo.toml", "Cargo.lock"];
    let known = ["c", "h", "cc", "cpp", "cxx", "hpp", "hh", "hxx", "pyx", "pxd", "pxi", "rs", "py", "i"];
    if build.contains(&name)
        || Path::new(name).extension().is_some_and(|extension| known.contains(&extension.to_string_lossy().as_ref()))
    {
        out.push(path.to_owned());
    }
}

/// Whether a file is C or C++ by its name.
fn is_c(path: &Path) -> bool {
    let name = path.to_string_lossy();
    let name = name.trim_end_matches(".src").trim_end_matches(".in");
    let known = ["c", "h", "cc", "cpp", "cxx", "hpp", "hh", "hxx"];
    Path::new(name).extension().is_some_and(|extension| known.contains(&extension.to_string_lossy().as_ref()))
}

/// Seconds of processor time of this thread, where the system tells (Linux); else since the start of the clock.
fn processor_time() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let told = told.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
    told.map_or_else(
        || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64()),
        |nanoseconds| nanoseconds / 1e9,
    )
}

/// How long one plain tree-sitter parse of the files takes that are parsed for their facts.
fn plain_parse(project: &Project) -> f64 {
    let (mut c, mut cpp) = (tree_sitter::Parser::new(), tree_sitter::Parser::new());
    let fits = c.set_language(&tree_sitter_c::LANGUAGE.into()).and(cpp.set_language(&tree_sitter_cpp::LANGUAGE.into()));
    fits.unwrap_or_else(|error| panic!("{error}"));
    let start = processor_time();
    for file in project.files.iter().filter(|file| file.c_api && file.cython.is_none()) {
        match file.language {
            Language::C => drop(std::hint::black_box(c.parse(&file.text, None))),
            Language::Cpp => drop(std::hint::black_box(cpp.parse(&file.text, None))),
            _ => {}
        }
    }
    processor_time() - start
}

fn main() {
    let (mut rule, mut low, mut notes, mut facts, mut paths) = (None, false, false, false, Vec::new());
    let mut only_c = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--rule" => rule = arguments.next(),
            "--low" => low = true,
            "--notes" => notes = true,
            "--facts" => facts = true,
            "--c" => only_c = true,
            path => paths.push(path.to_owned()),
        }
    }
    let mut totals: BTreeMap<String, usize> = BTreeMap::new();
    let (mut lines, mut bytes, mut unparsed, mut functions) = (0, 0usize, 0usize, 0);
    let (mut reading, mut checking, mut plain) = (0.0, 0.0, 0.0);
    for root in &paths {
        let mut files = Vec::new();
        walk(Path::new(root), &mut files);
        if only_c {
            files.retain(|path| is_c(path));
        }
        let texts = files
            .iter()
            .filter_map(|path| {
                let mut bytes = std::fs::read(path).ok()?;
                while let Err(error) = std::str::from_utf8(&bytes) {
                    bytes[error.valid_up_to()] = b'?';
                }
                let shown = path.to_string_lossy().into_owned();
                Some(SourceText {
                    origin: Origin::path(shown.clone()),
                    path: shown,
                    text: String::from_utf8(bytes).ok()?,
                    report: true,
                    unread: None,
                })
            })
            .collect();
        let start = processor_time();
        let (project, problems) = read_project(texts, &Limits::default());
        reading += processor_time() - start;
        for problem in problems {
            println!("{}: {}", problem.origin, problem.error);
        }
        for file in project.files.iter().filter(|file| file.c_api) {
            lines += file.lines.len();
            bytes += file.text.len();
            unparsed += file.unparsed as usize;
            if facts && file.unparsed > 0 {
                println!("unparsed {} of {}: {}", file.unparsed, file.text.len(), file.path);
                for span in file.unparsed_spans.iter().take(3) {
                    let (line, _) = file.lines.position(&file.text, span.start);
                    let text: String = file.text_of(*span).chars().take(100).collect();
                    println!("    {line}: {text:?}");
                }
            }
        }
        functions += project.functions.len();
        plain += plain_parse(&project);
        let target: Target = "3.14t".parse().unwrap_or_else(|error| panic!("{error}"));
        let start = processor_time();
        let findings = check_project(
            &project,
            &Options {
                target,
                frozen: Vec::new(),
                ignored: Vec::new(),
                suppressions: true,
                steps: gilaudit_model::source::Steps::MOST,
            },
        )
        .findings;
        checking += processor_time() - start;
        for finding in findings {
            if rule.as_deref().is_some_and(|rule| rule != finding.rule)
                || !low && (finding.confidence == Confidence::Low || !notes && finding.severity == Severity::Note)
            {
                continue;
            }
            *totals.entry(finding.rule.to_owned()).or_default() += 1;
            let (line, column) = match finding.location {
                Location::Text { line, column, .. } => (line, column),
                _ => (0, 0),
            };
            println!(
                "{}:{line}:{column}: {} {} {}: {}",
                finding.origin,
                finding.rule,
                finding.confidence.as_str(),
                finding.function.as_deref().unwrap_or("-"),
                finding.message
            );
        }
    }
    for (rule, count) in &totals {
        println!("{count:6} {rule}");
    }
    let all: usize = totals.values().sum();
    println!(
        "{all} findings, {lines} lines ({:.2} per 1,000), {functions} functions, {unparsed} of {bytes} bytes unparsed ({:.2} %), read {reading:.2} s, checked {checking:.2} s, one plain parse {plain:.2} s ({:.2}x)",
        all as f64 * 1000.0 / f64::max(lines as f64, 1.0),
        unparsed as f64 * 100.0 / f64::max(bytes as f64, 1.0),
        (reading + checking) / f64::max(plain, 1e-9)
    );
}
