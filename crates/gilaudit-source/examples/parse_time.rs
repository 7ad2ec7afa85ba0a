//! How long reading C and C++ takes, beside one plain tree-sitter parse of the same files, in the same process.
//!
//! `cargo run --release -p gilaudit-source --example parse_time -- PATH...`

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a tool of the developers")]

use std::path::{Path, PathBuf};

use gilaudit_model::Origin;
use gilaudit_model::source::Language;
use gilaudit_source::{Limits, SourceText, read_project};

fn walk(path: &Path, out: &mut Vec<PathBuf>) {
    if path.is_dir() {
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        entries.sort();
        entries.iter().for_each(|entry| walk(entry, out));
        return;
    }
    let name = path.to_string_lossy();
    let name = name.trim_end_matches(".src").trim_end_matches(".in");
    let known = ["c", "h", "cc", "cpp", "cxx", "hpp", "hh", "hxx"];
    if name.rsplit_once('.').is_some_and(|(_, extension)| known.contains(&extension)) {
        out.push(path.to_owned());
    }
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

fn main() {
    let mut files = Vec::new();
    std::env::args().skip(1).for_each(|path| walk(Path::new(&path), &mut files));
    let texts: Vec<SourceText> = files
        .iter()
        .filter_map(|path| {
            let text = String::from_utf8_lossy(&std::fs::read(path).ok()?).into_owned();
            let shown = path.to_string_lossy().into_owned();
            Some(SourceText { origin: Origin::path(shown.clone()), path: shown, text, report: true, unread: None })
        })
        .collect();
    let bytes: usize = texts.iter().map(|file| file.text.len()).sum();
    let start = processor_time();
    let (project, problems) = read_project(texts, &Limits::default());
    let reading = processor_time() - start;
    let (mut c, mut cpp) = (tree_sitter::Parser::new(), tree_sitter::Parser::new());
    c.set_language(&tree_sitter_c::LANGUAGE.into()).expect("the grammar fits");
    cpp.set_language(&tree_sitter_cpp::LANGUAGE.into()).expect("the grammar fits");
    // The files that are parsed for their facts.
    let parsed: Vec<_> = project.files.iter().filter(|file| file.c_api && file.cython.is_none()).collect();
    let start = processor_time();
    for file in &parsed {
        let parser = if file.language == Language::Cpp { &mut cpp } else { &mut c };
        std::hint::black_box(parser.parse(&file.text, None));
    }
    let plain = processor_time() - start;
    println!(
        "{} files, {:.1} MB, {} of them C-API code; {} functions, {} problems; read {reading:.2} s, plain parse {plain:.2} s, ratio {:.2}",
        project.files.len(),
        bytes as f64 / 1e6,
        parsed.len(),
        project.functions.len(),
        problems.len(),
        reading / plain
    );
}
