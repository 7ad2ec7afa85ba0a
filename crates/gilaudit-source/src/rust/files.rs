//! `mod x;`: which file that is, and which files are no part of a free-threaded extension because of its condition.

use std::collections::{HashMap, HashSet};

use gilaudit_model::source::{FileId, Project};

use super::cargo::{folder, joined};

/// The declaration of a module in a file of its own.
#[derive(Clone, Debug)]
pub(super) struct Declares {
    pub(super) name: Box<str>,
    /// The `mod y { … }`s of the file that it is in.
    pub(super) within: Vec<Box<str>>,
    /// `#[path = "…"]`
    pub(super) path: Option<String>,
    /// Whether a condition leaves it out.
    pub(super) left_out: bool,
}

/// Whether a text may declare a file on a condition: only then is a file read that says nothing else.
pub(super) fn has_conditional(text: &str) -> bool {
    let declares = |line: &str| line.trim_end().ends_with(';') && line.split_whitespace().any(|word| word == "mod");
    text.contains("#[cfg(") && text.lines().any(declares)
}

/// The files that every declaration leaves out, or that only such files declare.
pub(super) fn left_out(project: &Project, declared: &[(FileId, Vec<Declares>)]) -> HashSet<FileId> {
    let by_path: HashMap<&str, FileId> =
        project.files.iter().zip(0..).map(|(file, index)| (file.path.as_str(), FileId(index))).collect();
    let mut declarations: HashMap<FileId, Vec<(FileId, bool)>> = HashMap::new();
    for (file, all) in declared {
        for one in all {
            let places = places(&project.file(*file).path, one);
            if let Some(target) = places.iter().find_map(|path| by_path.get(path.as_str())) {
                declarations.entry(*target).or_default().push((*file, one.left_out));
            }
        }
    }
    let mut out = HashSet::new();
    loop {
        let more: Vec<FileId> = declarations
            .iter()
            .filter(|(file, _)| !out.contains(*file))
            .filter(|(_, all)| all.iter().all(|(from, left_out)| *left_out || out.contains(from)))
            .map(|(file, _)| *file)
            .collect();
        if more.is_empty() {
            return out;
        }
        out.extend(more);
    }
}

/// Where the file of a module may be.
fn places(file: &str, declares: &Declares) -> Vec<String> {
    let (outer, name) = (folder(file), file.rsplit('/').next().unwrap_or(file));
    let stem = name.strip_suffix(".rs").unwrap_or(name);
    let is_root = matches!(stem, "mod" | "lib" | "main");
    let mut own = outer.to_owned();
    let inner = (!is_root).then_some(stem).into_iter().chain(declares.within.iter().map(|it| &**it));
    for part in inner {
        own = below(&own, part);
    }
    match &declares.path {
        // Relative to the folder of the file, but inside `mod y { … }` to that of the module.
        Some(path) => joined(if declares.within.is_empty() { outer } else { &own }, path).into_iter().collect(),
        None => vec![below(&own, &format!("{}.rs", declares.name)), below(&own, &format!("{}/mod.rs", declares.name))],
    }
}

fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}
