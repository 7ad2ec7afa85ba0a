//! What each module declares in effect: its own words, its slots, or the default of its version of PyO3.

use gilaudit_model::Version;
use gilaudit_model::source::Project;
use gilaudit_model::source::cargo::CargoFramework;
use gilaudit_model::source::rust::{RustDeclared, RustModuleForm};

/// The first PyO3 that knows free-threaded builds: `gil_used = false` declares.
const SUPPORTS: (u32, u32, u32) = (0, 23, 0);
/// The first PyO3 that declares unless told not to.
const DECLARES: (u32, u32, u32) = (0, 28, 0);

/// Fills in the declarations, and leaves out what is only a part of another module.
pub(super) fn resolve(project: &mut Project) {
    let wrapped: Vec<Box<str>> = project.rust.iter().flat_map(|file| file.wrapped_modules.iter().cloned()).collect();
    let frameworks: Vec<Option<CargoFramework>> =
        project.rust.iter().map(|file| framework(project, &project.file(file.file).path).cloned()).collect();
    // A module made by hand may have its slots in another file of its crate.
    let slots: Vec<[Option<bool>; Version::ALL.len()]> = project
        .rust
        .iter()
        .map(|file| {
            let folder = crate_folder(project, &project.file(file.file).path);
            let is_other = |path: &str| crate_folder(project, path) == folder;
            let others = project.rust.iter().filter(|other| is_other(&project.file(other.file).path));
            let all: Vec<_> = file.gil_slots.iter().chain(others.flat_map(|other| &other.gil_slots)).collect();
            Version::ALL
                .map(|version| all.iter().find(|slot| slot.versions.contains(version)).map(|slot| slot.not_used))
        })
        .collect();
    for ((file, framework), slots) in project.rust.iter_mut().zip(frameworks).zip(slots) {
        file.framework = framework;
        file.modules.retain(|module| !wrapped.contains(&module.name));
        for module in &mut file.modules {
            let framework = file.framework.as_ref();
            module.framework_version = framework.and_then(|it| it.oldest);
            let declared = |slot: Option<bool>| {
                let (declared, reason) = match (module.form, slot) {
                    (RustModuleForm::Raw, Some(true)) => {
                        (RustDeclared::NotUsed, "Py_MOD_GIL_NOT_USED in its sources".to_owned())
                    }
                    (RustModuleForm::Raw, Some(false)) => {
                        (RustDeclared::Used, "Py_MOD_GIL_USED in its sources".to_owned())
                    }
                    (RustModuleForm::Raw, None) => {
                        (RustDeclared::Undeclared, "no Py_mod_gil slot in its sources".to_owned())
                    }
                    (RustModuleForm::PyO3, slot) => pyo3(module.gil_used.or(slot.map(|not_used| !not_used)), framework),
                };
                (declared, reason.into())
            };
            module.declarations = slots.map(declared).into();
        }
    }
}

/// What `#[pymodule]` declares.
fn pyo3(gil_used: Option<bool>, framework: Option<&CargoFramework>) -> (RustDeclared, String) {
    let words = framework.map_or_else(|| "an unknown version".to_owned(), CargoFramework::words);
    let (oldest, below) = framework.map_or((None, None), |it| (it.oldest, it.below));
    let is_below = |limit| below.is_some_and(|below| below <= limit);
    match gil_used {
        _ if is_below(SUPPORTS) => {
            (RustDeclared::Undeclared, format!("PyO3 {words} does not know free-threaded builds, 0.23 does"))
        }
        Some(false) => (RustDeclared::NotUsed, "gil_used = false".to_owned()),
        Some(true) => (RustDeclared::Used, "gil_used = true".to_owned()),
        None if oldest.is_some_and(|oldest| oldest >= DECLARES) => {
            (RustDeclared::NotUsed, format!("the default of PyO3 {words}"))
        }
        None if is_below(DECLARES) => {
            (RustDeclared::Undeclared, format!("PyO3 {words} declares nothing without gil_used = false"))
        }
        None => (RustDeclared::Unknown, format!("without gil_used, the version of PyO3 decides: {words}")),
    }
}

/// The folder of the package that a file belongs to.
fn crate_folder<'p>(project: &'p Project, path: &str) -> Option<&'p str> {
    let folders = project
        .cargo
        .iter()
        .filter(|manifest| manifest.package.is_some())
        .map(|manifest| project.file(manifest.file).path.rsplit_once('/').map_or("", |(folder, _)| folder));
    folders.filter(|folder| is_in(path, folder)).max_by_key(|folder| folder.len())
}

/// The framework of the package that a file belongs to.
fn framework<'p>(project: &'p Project, path: &str) -> Option<&'p CargoFramework> {
    let folder = crate_folder(project, path)?;
    let manifest = project.cargo.iter().find(|manifest| {
        project.file(manifest.file).path.rsplit_once('/').map_or("", |(folder, _)| folder) == folder
    })?;
    manifest.framework.as_ref()
}

fn is_in(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use gilaudit_model::source::Span;
    use gilaudit_model::source::cargo::CargoFramework;
    use gilaudit_model::source::rust::RustDeclared::{NotUsed, Undeclared, Unknown, Used};

    use super::pyo3;

    #[test]
    fn the_default_is_the_versions() {
        let of = |oldest, below| CargoFramework {
            name: "pyo3",
            oldest: Some(oldest),
            below,
            locked: false,
            requirement: Some("x".into()),
            span: Span { start: 0, end: 0 },
        };
        let rows = [
            (None, (0, 22, 0), Some((0, 23, 0)), Undeclared),
            (Some(false), (0, 22, 0), Some((0, 23, 0)), Undeclared),
            (None, (0, 27, 0), Some((0, 28, 0)), Undeclared),
            (Some(false), (0, 23, 0), Some((0, 24, 0)), NotUsed),
            (Some(true), (0, 28, 0), Some((0, 29, 0)), Used),
            (None, (0, 28, 0), Some((0, 29, 0)), NotUsed),
            (None, (0, 25, 0), None, Unknown),
            (None, (0, 28, 3), None, NotUsed),
        ];
        for (gil_used, oldest, below, expected) in rows {
            assert_eq!(pyo3(gil_used, Some(&of(oldest, below))).0, expected, "{gil_used:?} {oldest:?} {below:?}");
        }
        assert_eq!(pyo3(None, None).0, Unknown);
        assert_eq!(pyo3(Some(false), None).0, NotUsed);
    }
}
