//! `setup.cfg`: what the project says of itself, what builds it, and macros for the compiler.

use gilaudit_model::source::Span;
use gilaudit_model::source::build::BuildFile;

use super::macros;

pub(super) fn read(text: &str, build: &mut BuildFile) {
    let mut key = String::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let continued = line.starts_with([' ', '\t']);
        let value = match line.split_once('=') {
            Some((name, value)) if !continued => {
                key = name.trim().replace('-', "_");
                value
            }
            _ if continued => line,
            _ => continue,
        };
        let value = value.trim();
        if value.is_empty() || value.starts_with('#') {
            continue;
        }
        let offset = start + line.find(value).unwrap_or_default();
        let span = Span { start: offset as u32, end: (offset + value.len()) as u32 };
        match key.as_str() {
            "classifiers" | "classifier" => build.classifiers.push((value.into(), span)),
            "python_requires" => build.requires_python = Some((value.into(), span)),
            "setup_requires" => build.requires.push((value.into(), span)),
            // `[bdist_wheel]`
            "py_limited_api" => build.limited_api.extend(macros::limited(&key, value, false, span)),
            // `[build_ext] define = A=1,B`
            "define" => {
                let defined = value.split(',').filter_map(|word| macros::defined(word, false, span));
                build.macros.extend(defined);
            }
            _ => {}
        }
    }
}
