//! CMake: modules that are compiled with Python's headers, but without what brings the definitions along that belong to them.
//!
//! The imported targets of CMake's FindPython (`Python::Module`) and the commands of binding libraries bring headers and definitions.
//! Who takes the folder of the headers from a variable gets the headers alone.

use std::collections::HashSet;

use gilaudit_model::source::Span;

use super::cmake::syntax::Command;

/// The modules of a file: name, and the place that gives them the headers.
pub(super) fn find(commands: &[Command<'_>]) -> Vec<(Box<str>, Span)> {
    let mut modules: HashSet<&str> = HashSet::new();
    let mut shared: HashSet<&str> = HashSet::new();
    let mut linked: HashSet<&str> = HashSet::new();
    let mut all_linked = false;
    for command in commands {
        let Some((&(target, _), rest)) = command.arguments.split_first() else { continue };
        let has = |word: &str| rest.iter().any(|(found, _)| *found == word);
        match command.name.to_ascii_lowercase().as_str() {
            "add_library" if has("MODULE") => {
                modules.insert(target);
            }
            "add_library" if has("SHARED") => {
                shared.insert(target);
            }
            // The suffix or the missing prefix of a module is given by hand, too.
            "set_target_properties" if has("PREFIX") || has("SUFFIX") => {
                let given = command.arguments.iter().map(|(word, _)| *word).take_while(|word| *word != "PROPERTIES");
                modules.extend(given.filter(|target| shared.contains(target)));
            }
            "target_link_libraries" if rest.iter().any(|(word, _)| brings_definitions(word)) => {
                linked.insert(target);
            }
            "link_libraries" => all_linked |= command.arguments.iter().any(|(word, _)| brings_definitions(word)),
            _ => {}
        }
    }
    if all_linked {
        return Vec::new();
    }
    let by_hand = |target: &str| modules.contains(target) && !linked.contains(target);
    let mut out: Vec<(Box<str>, Span)> = Vec::new();
    for command in commands {
        let headers = command.arguments.iter().find(|(word, _)| is_headers(word));
        let (Some((_, span)), Some((target, _))) = (headers, command.arguments.first()) else { continue };
        match command.name.to_ascii_lowercase().as_str() {
            "target_include_directories" if by_hand(target) => out.push(((*target).into(), *span)),
            // For every target of the folder.
            "include_directories" => {
                let mut names: Vec<&str> = modules.iter().copied().filter(|target| by_hand(target)).collect();
                names.sort_unstable();
                out.extend(names.first().map(|target| ((*target).into(), *span)));
            }
            _ => {}
        }
    }
    out
}

/// `Python::Module`, `Python3::Python`, `pybind11::module`, `nanobind-static`, and targets of the project that are named like Python.
fn brings_definitions(library: &str) -> bool {
    let lower = library.to_ascii_lowercase();
    ["python::", "python3::", "pybind11", "nanobind"].iter().any(|part| lower.contains(part))
}

/// `${Python3_INCLUDE_DIRS}`, `${PYTHON_INCLUDE_DIR}`
fn is_headers(word: &str) -> bool {
    let Some((_, variable)) = word.split_once("${") else { return false };
    let name = variable.split('}').next().unwrap_or_default().to_ascii_lowercase();
    let rest = name.strip_prefix("python3_").or_else(|| name.strip_prefix("python_"));
    matches!(rest, Some("include_dir" | "include_dirs" | "include_path"))
}
