//! What the build files around a Cython file set `freethreading_compatible` to for it.

use gilaudit_model::source::build::{BuildDirective, BuildFile};
use gilaudit_model::source::{FileId, Project};

use crate::engine::analysis::is_test_path;

/// What the build says.
pub(crate) struct BuildSays<'p> {
    /// The first directive that may hold for the file, and where it is.
    pub(crate) build: &'p BuildFile,
    pub(crate) directive: &'p BuildDirective,
    /// Whether the module runs without the GIL; or why that is not known.
    pub(crate) value: Result<bool, String>,
}

/// What the build says of a file; none if it says nothing.
pub(crate) fn build_says(project: &Project, id: FileId) -> Option<BuildSays<'_>> {
    let path = &project.file(id).path;
    // Build files of tests and examples build nothing that is installed.
    let around = project.builds.iter().filter(|build| {
        let of_build = &project.file(build.file).path;
        let folder = of_build.rsplit_once('/').map_or("", |(folder, _)| folder);
        !is_test_path(of_build)
            && (folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
    });
    let all: Vec<_> = around.flat_map(|build| build.directives.iter().map(move |it| (build, it))).collect();
    // Where some are set for this file by its name, the others are for others.
    let scopes: Vec<Scope> = all.iter().map(|(build, it)| scope(project, build, it, path)).collect();
    let best = scopes.iter().min().copied()?;
    let mut holding = all.iter().zip(&scopes).filter(|(_, scope)| **scope == best).map(|(it, _)| *it);
    let (build, first) = holding.next()?;
    let rest: Vec<_> = holding.map(|(_, it)| it).collect();
    let condition = first.condition.as_ref().or_else(|| rest.iter().find_map(|other| other.condition.as_ref()));
    let value = if best == Scope::Others {
        Err("the build sets the Cython directive for sources that it names, and not for this one by name".to_owned())
    } else if let Some(condition) = condition {
        Err(format!("its Cython directive depends on '{condition}'"))
    } else if rest.iter().any(|other| other.value != first.value) {
        Err("the build sets its Cython directive to several values".to_owned())
    } else {
        let in_python = project.file(build.file).path.ends_with(".py");
        truth(&first.value, !in_python).ok_or_else(|| "the build computes its Cython directive".to_owned())
    };
    Some(BuildSays { build, directive: first, value })
}

/// What a directive's value means. On its command line, where Meson's, CMake's and pip's arguments end, Cython takes `yes` and `no`, too,
/// in letters of any case (Cython 3.2, `Compiler/CmdLine.py` and `parse_directive_value` in `Compiler/Options.py`).
fn truth(value: &str, command_line: bool) -> Option<bool> {
    let lower = if command_line { value.to_ascii_lowercase() } else { value.to_owned() };
    match lower.as_str() {
        "True" => Some(true),
        "False" => Some(false),
        "true" | "yes" if command_line => Some(true),
        "false" | "no" if command_line => Some(false),
        _ => None,
    }
}

/// Which sources a directive is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    /// Some that are named, the file among them.
    Named,
    /// Whatever the build file builds, as far as can be seen.
    All,
    /// Some that are named, the file not among them.
    Others,
}

/// A directive in the brackets of a call, `cythonize(["a.pyx"], …)` or `extension_module('a', 'a.pyx', …)`, is for the sources that
/// are named in the same brackets. Patterns and computed names stand for any.
fn scope(project: &Project, build: &BuildFile, directive: &BuildDirective, path: &str) -> Scope {
    let text = &project.file(build.file).text;
    let (start, end) = (directive.span.start as usize, directive.span.end as usize);
    let (Some(before), Some(after)) = (text.get(..start), text.get(end..)) else { return Scope::All };
    let mut open = Vec::new();
    for (at, letter) in before.char_indices() {
        match letter {
            '(' | '[' | '{' => open.push(at),
            ')' | ']' | '}' => {
                open.pop();
            }
            _ => {}
        }
    }
    let mut depth = 0usize;
    for (at, letter) in after.char_indices() {
        match letter {
            '(' | '[' | '{' => depth = depth.saturating_add(1),
            ')' | ']' | '}' if depth > 0 => depth = depth.saturating_sub(1),
            ')' | ']' | '}' => {
                let Some(from) = open.pop() else { return Scope::All };
                let group = text.get(from..end.saturating_add(at)).unwrap_or_default();
                match names(group, path) {
                    None => {}
                    Some(scope) => return scope,
                }
            }
            _ => {}
        }
    }
    Scope::All
}

/// What the words of a call that end like Cython files say of one of them; none if there are no such words.
fn names(group: &str, path: &str) -> Option<Scope> {
    let is_end = |letter: char| letter.is_whitespace() || "'\",()[];#".contains(letter);
    let named = |word: &str| word.trim_end_matches(".in").ends_with(".pyx");
    let mut words = group.split(is_end).filter(|word| named(word)).peekable();
    words.peek()?;
    let own = path.rsplit('/').next().unwrap_or(path);
    let mut scope = Scope::Others;
    for word in words {
        let last = word.rsplit('/').next().unwrap_or(word);
        if last == own {
            return Some(Scope::Named);
        }
        if last.starts_with('.') || last.contains(['*', '?', '$', '{', '%', '@']) {
            scope = Scope::All;
        }
    }
    Some(scope)
}
