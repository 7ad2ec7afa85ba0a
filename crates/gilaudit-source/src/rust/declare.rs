//! What each module declares in effect: its own words, its slots, or the default of its version of PyO3.

use std::collections::{HashMap, HashSet};

use gilaudit_model::Version;
use gilaudit_model::source::Project;
use gilaudit_model::source::cargo::{CargoFramework, CargoManifest};
use gilaudit_model::source::rust::{RustDeclared, RustFile, RustGilSlot, RustModuleForm};

use super::cargo::folder;

/// What the first slot says that holds for each version.
type Slots = [Option<bool>; Version::ALL.len()];

/// The first PyO3 that knows free-threaded builds: `gil_used = false` declares.
const SUPPORTS: (u32, u32, u32) = (0, 23, 0);
/// The first PyO3 that declares unless told not to.
const DECLARES: (u32, u32, u32) = (0, 28, 0);

/// Fills in the declarations, and leaves out what is only a part of another module.
pub(super) fn resolve(project: &mut Project) {
    let wrapped: HashSet<Box<str>> =
        project.rust.iter().flat_map(|file| file.wrapped_modules.iter().cloned()).collect();
    let packages = packages(project);
    let package_of = |file: &RustFile| package_of(&packages, &project.file(file.file).path);
    let frameworks: Vec<Option<CargoFramework>> =
        project.rust.iter().map(|file| package_of(file).and_then(|(_, package)| package.framework.clone())).collect();
    let first = |slots: &[RustGilSlot]| {
        Version::ALL.map(|version| slots.iter().find(|slot| slot.versions.contains(version)).map(|slot| slot.not_used))
    };
    // A module made by hand may have its slots in another file of its package.
    let mut of_package: HashMap<Option<&str>, Slots> = HashMap::new();
    for file in &project.rust {
        let known = of_package.entry(package_of(file).map(|(folder, _)| folder)).or_default();
        known.iter_mut().zip(first(&file.gil_slots)).for_each(|(known, slot)| *known = known.or(slot));
    }
    let slots: Vec<Slots> = project
        .rust
        .iter()
        .map(|file| {
            let others = of_package.get(&package_of(file).map(|(folder, _)| folder)).copied().unwrap_or_default();
            let mut slots = first(&file.gil_slots);
            slots.iter_mut().zip(others).for_each(|(own, other)| *own = own.or(other));
            slots
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

/// The packages of a project, by the folder of their manifest.
fn packages(project: &Project) -> HashMap<&str, &CargoManifest> {
    let mut packages = HashMap::new();
    for manifest in project.cargo.iter().filter(|manifest| manifest.package.is_some()) {
        packages.entry(folder(&project.file(manifest.file).path)).or_insert(manifest);
    }
    packages
}

/// The package that a file belongs to, and its folder: the nearest one around it.
fn package_of<'p>(packages: &HashMap<&'p str, &'p CargoManifest>, path: &str) -> Option<(&'p str, &'p CargoManifest)> {
    let mut around = folder(path);
    loop {
        if let Some((folder, package)) = packages.get_key_value(around) {
            return Some((folder, package));
        }
        if around.is_empty() {
            return None;
        }
        around = folder(around);
    }
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
