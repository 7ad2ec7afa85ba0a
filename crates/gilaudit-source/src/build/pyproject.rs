//! `pyproject.toml`: what builds the project, what it says of itself, and the modules that its tools are told to make.

use std::ops::Range;

use gilaudit_model::source::Span;
use gilaudit_model::source::build::{BuildDirective, BuildFile, BuildModule, Maker};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{join, macros};

type Value<'t> = Spanned<DeValue<'t>>;

/// How deep tables are looked into for directives.
const DEEPEST: usize = 32;

pub(super) fn read(text: &str, folder: &str, build: &mut BuildFile) -> Result<(), String> {
    let table = DeTable::parse(text).map_err(|error| format!("not TOML: {}", error.message()))?;
    let table = table.get_ref();
    if let Some(requires) = at(table, &["build-system", "requires"]) {
        build.requires = strings(requires);
    }
    for path in [["project", "classifiers"].as_slice(), &["tool", "poetry", "classifiers"]] {
        if let Some(classifiers) = at(table, path) {
            build.classifiers.extend(strings(classifiers));
        }
    }
    build.requires_python = at(table, &["project", "requires-python"]).and_then(string);
    for path in [
        ["tool", "setuptools", "ext-modules"].as_slice(),
        &["tool", "setuptools-rust", "ext-modules"],
        &["tool", "setuptools-rust", "ext_modules"],
    ] {
        let maker = if path.contains(&"setuptools-rust") { Maker::Cargo } else { Maker::Compiler };
        let modules = at(table, path).and_then(|value| value.get_ref().as_array());
        for module in modules.into_iter().flat_map(|modules| modules.iter()) {
            let Some(entry) = module.get_ref().as_table() else { continue };
            let name = entry.get("name").or_else(|| entry.get("target")).and_then(string);
            let Some((name, span)) = name else { continue };
            let mut sources = entry.get("sources").map(strings).unwrap_or_default();
            if maker == Maker::Cargo {
                let manifest = entry.get("path").and_then(string);
                sources.push(manifest.unwrap_or_else(|| ("Cargo.toml".into(), span)));
            }
            defined(entry, build);
            let limited = entry.get("py-limited-api").is_some_and(|value| value.get_ref().as_bool() == Some(true));
            build.modules.push(BuildModule {
                name,
                span,
                sources: sources.iter().filter_map(|(source, _)| join(folder, source)).collect(),
                maker,
                limited_api: limited,
            });
        }
    }
    build.project = at(table, &["project", "name"]).and_then(string).map(|(name, _)| name);
    build.package = at(table, &["tool", "scikit-build", "wheel", "install-dir"])
        .and_then(string)
        .map(|(folder, _)| folder.trim_matches('/').replace('/', "."))
        .filter(|package| !package.is_empty())
        .map(Into::into);
    maturin(table, folder, build);
    mypyc(table, folder, build);
    for (key, value) in table {
        directives(key.get_ref(), value, 0, build);
    }
    Ok(())
}

/// `define-macros = [["Py_LIMITED_API", "0x03090000"]]` and `extra-compile-args = ["-DPy_LIMITED_API"]`
fn defined(extension: &DeTable<'_>, build: &mut BuildFile) {
    let pairs = extension.get("define-macros").and_then(|value| value.get_ref().as_array());
    for pair in pairs.into_iter().flat_map(|pairs| pairs.iter()) {
        let words: Vec<Box<str>> = strings(pair).into_iter().map(|(word, _)| word).collect();
        build.macros.extend(macros::defined(&words.join("="), false, span(pair.span())));
    }
    for (word, at) in extension.get("extra-compile-args").map(strings).unwrap_or_default() {
        build.macros.extend(macros::argument(&word, false, at));
    }
}

/// maturin makes one module, of a crate.
fn maturin(table: &DeTable<'_>, folder: &str, build: &mut BuildFile) {
    let backend = at(table, &["build-system", "build-backend"]).filter(|it| it.get_ref().as_str() == Some("maturin"));
    let name = at(table, &["tool", "maturin", "module-name"]).and_then(string);
    let Some(place) = name.as_ref().map(|(_, span)| *span).or_else(|| backend.map(|it| span(it.span()))) else {
        return;
    };
    // Programs and libraries for ctypes are no modules; cffi ones are made otherwise.
    let bindings = at(table, &["tool", "maturin", "bindings"]).and_then(string);
    if bindings.is_some_and(|(bindings, _)| matches!(&*bindings, "bin" | "cffi" | "uniffi")) {
        return;
    }
    let manifest = at(table, &["tool", "maturin", "manifest-path"]).and_then(string);
    let manifest = manifest.map_or_else(|| "Cargo.toml".into(), |(path, _)| path);
    build.modules.push(BuildModule {
        name: name.map_or_else(|| "".into(), |(name, _)| name),
        span: place,
        sources: join(folder, &manifest).into_iter().collect(),
        maker: Maker::Cargo,
        limited_api: false,
    });
}

/// `[tool.hatch.build.hooks.mypyc]` and the same for one target: what is compiled is what mypy is told to read.
fn mypyc(table: &DeTable<'_>, folder: &str, build: &mut BuildFile) {
    for hooks in [
        ["tool", "hatch", "build", "targets", "wheel", "hooks", "mypyc"].as_slice(),
        &["tool", "hatch", "build", "hooks", "mypyc"],
    ] {
        let Some(hook) = at(table, hooks).and_then(|hook| hook.get_ref().as_table()) else { continue };
        build.requires.extend(hook.get("dependencies").map(strings).unwrap_or_default());
        let place = hook.get("mypy-args").map_or_else(Span::default, |value| span(value.span()));
        let mut files = hook.get("mypy-args").map(strings).unwrap_or_default();
        files.retain(|(file, _)| file.ends_with(".py") && !file.contains('*'));
        if files.is_empty() {
            build.computed = true;
        }
        for (file, at) in files {
            build.modules.push(BuildModule {
                name: "".into(),
                span: if at == Span::default() { place } else { at },
                sources: join(folder, &file).into_iter().collect(),
                maker: Maker::Mypyc,
                limited_api: false,
            });
        }
    }
}

/// Cython's directive under its own name, wherever a tool wants to have it: as a boolean or as text. The limited API likewise.
fn directives(key: &str, value: &Value<'_>, depth: usize, build: &mut BuildFile) {
    if depth > DEEPEST {
        return;
    }
    match value.get_ref() {
        DeValue::Table(table) => {
            // setuptools-rust leaves it to PyO3, which builds without the limited API where there is none.
            for (key, value) in table.iter().filter(|(key, _)| key.get_ref() != "setuptools-rust") {
                directives(key.get_ref(), value, depth + 1, build);
            }
        }
        DeValue::Array(values) => {
            for value in values.iter() {
                directives("", value, depth + 1, build);
            }
        }
        DeValue::Boolean(true) if is_limited(key) => {
            build.limited_api.extend(macros::limited(key, "true", false, span(value.span())));
        }
        DeValue::String(text) if is_limited(key) => {
            build.limited_api.extend(macros::limited(key, text, false, span(value.span())));
        }
        DeValue::Boolean(on) if key == DIRECTIVE => {
            build.directives.push(directive(if *on { "True" } else { "False" }, span(value.span())));
        }
        DeValue::String(text) if key == DIRECTIVE => build.directives.push(directive(text, span(value.span()))),
        DeValue::String(text) => {
            if let Some((_, rest)) = text.split_once("freethreading_compatible=") {
                let word = rest.split(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or_default();
                build.directives.push(directive(word, span(value.span())));
            }
        }
        _ => {}
    }
}

const DIRECTIVE: &str = "freethreading_compatible";

fn is_limited(key: &str) -> bool {
    matches!(key, "py-limited-api" | "py_limited_api")
}

fn directive(value: &str, span: Span) -> BuildDirective {
    BuildDirective { name: DIRECTIVE.into(), value: value.into(), condition: None, span }
}

fn at<'v, 't>(table: &'v DeTable<'t>, path: &[&str]) -> Option<&'v Value<'t>> {
    let (last, folders) = path.split_last()?;
    let mut table = table;
    for folder in folders {
        table = table.get(*folder)?.get_ref().as_table()?;
    }
    table.get(*last)
}

fn string(value: &Value<'_>) -> Option<(Box<str>, Span)> {
    Some((value.get_ref().as_str()?.into(), span(value.span())))
}

fn strings(value: &Value<'_>) -> Vec<(Box<str>, Span)> {
    value.get_ref().as_array().into_iter().flat_map(|values| values.iter()).filter_map(string).collect()
}

fn span(range: Range<usize>) -> Span {
    Span { start: range.start as u32, end: range.end as u32 }
}
