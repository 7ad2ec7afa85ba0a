//! The dotted name under which a module is installed.
//!
//! Build files say it in several ways: as the name itself, as a package for all modules of a file, as the folder that a target is
//! installed to, or by the rules of the tool. Where none does, the project's own imports of the module show it, and at last the package
//! that its file is in.

use std::collections::{BTreeSet, HashMap};

use gilaudit_model::source::build::{BuildFile, Maker};
use gilaudit_model::source::{Language, Project};

use super::survey::Survey;
use super::{Candidate, Listed, builds};
use crate::engine::analysis::is_test_path;

/// The names of a module that sources define and the build lists, mostly one.
pub(super) fn of(survey: &Survey<'_>, candidate: &Candidate, listed: &[Listed<'_>]) -> Vec<String> {
    let mut names: Vec<String> = listed.iter().filter_map(|it| installed(survey, *it)).collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    // The same module named in two files: the longer name says more.
    let mut out: Vec<String> = Vec::new();
    for name in names {
        if !out.iter().any(|known| is_same(known, &name)) {
            out.push(name);
        }
    }
    if out.is_empty() {
        out.push(from_sources(survey, candidate));
    }
    out
}

/// Whether two names can mean the same module: one is the end of the other.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    let is_end =
        |long: &str, short: &str| long.strip_suffix(short).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    !one.is_empty() && !other.is_empty() && (is_end(one, other) || is_end(other, one))
}

/// The name that a build file gives a module; none if it leaves that to others.
pub(super) fn installed(survey: &Survey<'_>, listed: Listed<'_>) -> Option<String> {
    let project = survey.project;
    let Listed { build, module } = listed;
    let name = &*module.name;
    let file = project.file(build.file);
    match (module.maker, file.name()) {
        // PyO3/maturin 1.16 src/project_layout.rs: a name without dots is in the package of that name, which maturin makes if need be.
        (Maker::Cargo, "pyproject.toml") if file.text.contains("maturin") => {
            let name = if name.is_empty() { library(project, module.sources.first()?)? } else { name.to_owned() };
            return Some(if name.contains('.') { name } else { format!("{name}.{name}") });
        }
        (Maker::Cargo, _) if name.is_empty() => return library(project, module.sources.first()?),
        _ => {}
    }
    if name.is_empty() {
        let source = module.sources.first()?;
        return matches!(module.maker, Maker::Mypyc | Maker::Compiler).then(|| dotted(project, source));
    }
    let prefix = match (&build.package, module.maker) {
        (Some(package), _) => Some(package),
        // cffi's file says the name, setup.py the package.
        (None, Maker::Cffi) => {
            builds(project).filter(|other| is_around(project, other, build)).find_map(|it| it.package.as_ref())
        }
        (None, _) => None,
    };
    if let Some(package) = prefix {
        return Some(format!("{package}.{name}"));
    }
    if name.contains('.') || file.name() != "CMakeLists.txt" {
        let is_final =
            name.contains('.') || matches!(file.name(), "setup.py" | "setup.cfg" | "pyproject.toml" | "meson.build");
        return is_final
            .then(|| name.to_owned())
            .or_else(|| survey.imported_as(name))
            .or_else(|| Some(name.to_owned()));
    }
    let folder = builds(project)
        .flat_map(|build| &build.installs)
        .find(|(target, _)| **target == *name)
        .and_then(|(_, folder)| resolved(project, folder));
    let in_wheel = builds(project)
        .filter(|other| project.file(other.file).name() == "pyproject.toml")
        .find_map(|it| it.package.as_ref());
    match (folder, in_wheel) {
        (Some(folder), package) => {
            let parts = package
                .iter()
                .flat_map(|package| package.split('.'))
                .chain(folder.split('/').filter(|part| !part.is_empty()));
            Some(parts.chain([name]).collect::<Vec<_>>().join("."))
        }
        (None, Some(package)) => Some(format!("{package}.{name}")),
        (None, None) => survey.imported_as(name).or_else(|| Some(name.to_owned())),
    }
}

/// A folder that CMake installs to, below site-packages; none if it is computed. What scikit-build-core and FindPython call
/// site-packages itself is nothing.
fn resolved(project: &Project, folder: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in folder.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match part.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
            Some("SKBUILD_PROJECT_NAME") => {
                let name = builds(project).find_map(|build| build.project.as_ref())?;
                parts.push(name.replace(['-', '.'], "_"));
            }
            Some(variable)
                if ["PLATLIB", "SITEARCH", "SITELIB", "SITE_PACKAGES"]
                    .iter()
                    .any(|it| variable.to_ascii_uppercase().contains(it)) =>
            {
                parts.clear();
            }
            Some(_) => return None,
            None if part.contains('$') => return None,
            None => parts.push(part.to_owned()),
        }
    }
    Some(parts.join("/"))
}

/// The name of the library that a Cargo manifest makes.
fn library(project: &Project, manifest: &str) -> Option<String> {
    let found = project.cargo.iter().find(|it| project.file(it.file).path == manifest)?;
    found.library.as_deref().map(str::to_owned)
}

/// Whether a build file is in the folder of another or above.
fn is_around(project: &Project, outer: &BuildFile, inner: &BuildFile) -> bool {
    let folder = project.file(outer.file).path.rsplit_once('/').map_or("", |(folder, _)| folder);
    folder.is_empty() || project.file(inner.file).path.starts_with(&format!("{folder}/"))
}

/// What no build file names: Rust modules have no folder, others are in the package of their file, unless the project imports them from
/// elsewhere.
fn from_sources(survey: &Survey<'_>, candidate: &Candidate) -> String {
    let project = survey.project;
    let file = project.file(candidate.file);
    if candidate.name.contains('.') {
        return candidate.name.clone();
    }
    let package = package_of(project, &file.path);
    if !package.is_empty() && file.language != Language::Rust {
        return format!("{package}.{}", candidate.name);
    }
    survey.imported_as(&candidate.name).unwrap_or_else(|| candidate.name.clone())
}

/// The dotted names under which the project's Python files import things, by their last part.
pub(super) fn imports(project: &Project) -> HashMap<String, BTreeSet<String>> {
    let mut found: HashMap<String, BTreeSet<String>> = HashMap::new();
    let mut add = |name: &str, full: String| {
        found.entry(name.to_owned()).or_default().insert(full);
    };
    let files = project.files.iter().filter(|file| file.language == Language::Python && !is_test_path(&file.path));
    for file in files {
        let package = package_of(project, &file.path);
        for line in file.text.lines().map(str::trim_start) {
            if !line.starts_with("from") && !line.starts_with("import") {
                continue;
            }
            let words: Vec<&str> = line
                .split(|letter: char| letter.is_whitespace() || ",()#".contains(letter))
                .filter(|word| !word.is_empty())
                .collect();
            let (from, names) = match words.as_slice() {
                ["from", from, "import", names @ ..] => (*from, names),
                ["import", names @ ..] => ("", names),
                _ => continue,
            };
            let from = absolute(&package, from);
            let module = last(&from);
            // What is taken from a module of the same name is a part of it.
            for name in names.iter().filter(|name| last(name) != module) {
                if name.contains('.') {
                    // `import a.b, b`: the name itself says more, if it comes out of somewhere.
                    if from.is_empty() || !names.contains(&last(name)) {
                        add(last(name), (*name).to_owned());
                    }
                } else if !from.is_empty() {
                    add(name, format!("{from}.{name}"));
                }
            }
            add(module, from.clone());
        }
    }
    found
}

/// What `from X import` means in a package: `.a` is the package's own `a`.
fn absolute(package: &str, from: &str) -> String {
    let rest = from.trim_start_matches('.');
    let dots = from.len().saturating_sub(rest.len());
    if dots == 0 {
        return from.to_owned();
    }
    let parts: Vec<&str> = package.split('.').filter(|part| !part.is_empty()).collect();
    let kept = parts.len().saturating_sub(dots.saturating_sub(1));
    let outer = parts.iter().take(kept).copied().chain([rest]);
    outer.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
}

/// The dotted name of a module that is named by its source file.
pub(super) fn dotted(project: &Project, path: &str) -> String {
    let name = stem(path).rsplit('/').next().unwrap_or_default();
    match (package_of(project, path).as_str(), name) {
        ("", name) => name.to_owned(),
        (package, "__init__") => package.to_owned(),
        (package, name) => format!("{package}.{name}"),
    }
}

/// The package that a file is in: its folders, from the outermost one that has an `__init__`.
fn package_of(project: &Project, path: &str) -> String {
    let mut parts = Vec::new();
    let mut folder = path.rsplit_once('/').map(|(folder, _)| folder);
    while let Some(current) = folder {
        let is_package = ["__init__.py", "__init__.pyx", "__init__.pxd"].iter().any(|init| {
            let init = format!("{current}/{init}");
            project.files.binary_search_by(|file| file.path.as_str().cmp(&init)).is_ok()
        });
        if !is_package {
            break;
        }
        let (outer, name) = current.rsplit_once('/').map_or((None, current), |(outer, name)| (Some(outer), name));
        parts.push(name);
        folder = outer;
    }
    parts.reverse();
    parts.join(".")
}

/// A path without what its language is called: `a/b.pyx.in` and `a/b.c` are both `a/b`.
pub(super) fn stem(path: &str) -> &str {
    let plain = path.strip_suffix(".in").or_else(|| path.strip_suffix(".src")).unwrap_or(path);
    plain.rsplit_once('.').map_or(plain, |(stem, _)| stem)
}

pub(super) fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::{absolute, is_same};

    #[test]
    fn the_end_of_a_name() {
        assert!(is_same("a.b._c", "_c"));
        assert!(is_same("b._c", "a.b._c"));
        assert!(!is_same("a._c", "b._c"));
        assert!(!is_same("a_c", "_c"));
        assert!(!is_same("", "_c"));
    }

    #[test]
    fn relative_imports() {
        assert_eq!(absolute("a.b", "."), "a.b");
        assert_eq!(absolute("a.b", ".c"), "a.b.c");
        assert_eq!(absolute("a.b", "..c.d"), "a.c.d");
        assert_eq!(absolute("a", "....c"), "c");
        assert_eq!(absolute("", "x.y"), "x.y");
    }
}
