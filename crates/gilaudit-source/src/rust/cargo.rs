//! `Cargo.toml` and `Cargo.lock`: which version of PyO3 a package is built with.

use gilaudit_model::source::cargo::{CargoFramework, CargoManifest, CrateVersion};
use gilaudit_model::source::{File, FileId, Project, Span};
use gilaudit_model::{Problem, Stage};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The largest file that is read; lock files of large workspaces have a few hundred kilobytes.
const LARGEST: usize = 8 << 20;

/// A `Cargo.toml` as TOML.
struct Manifest<'t> {
    index: usize,
    folder: &'t str,
    table: DeTable<'t>,
}

/// One package of a `Cargo.lock`.
struct Locked {
    name: String,
    version: CrateVersion,
    dependencies: Vec<String>,
}

/// Every manifest of a project.
pub(super) fn read(project: &Project, problems: &mut Vec<Problem>) -> Vec<CargoManifest> {
    let named = |name: &'static str| {
        let files = project.files.iter().enumerate();
        files.filter(move |(_, file)| file.name() == name && file.text.len() <= LARGEST)
    };
    let mut manifests = Vec::new();
    for (index, file) in named("Cargo.toml") {
        match DeTable::parse(&file.text) {
            Ok(table) => manifests.push(Manifest { index, folder: folder(&file.path), table: table.into_inner() }),
            // A template of a manifest is not one.
            Err(_) if file.text.contains("{{") => {}
            Err(error) => problems.push(Problem {
                origin: file.origin.clone(),
                stage: Stage::Parse,
                unread: false,
                error: format!("not TOML: {}", error.message()),
            }),
        }
    }
    let locks: Vec<(&str, Vec<Locked>)> =
        named("Cargo.lock").map(|(_, file)| (folder(&file.path), locked_packages(file))).collect();
    manifests.iter().map(|manifest| describe(manifest, &manifests, &locks)).collect()
}

pub(super) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Whether a folder is another or above it.
pub(super) fn is_above(outer: &str, inner: &str) -> bool {
    outer.is_empty() || inner == outer || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
}

pub(super) fn get<'v, 't>(table: &'v DeTable<'t>, key: &str) -> Option<&'v DeValue<'t>> {
    table.get(key).map(Spanned::get_ref)
}

pub(super) fn table<'v, 't>(outer: &'v DeTable<'t>, key: &str) -> Option<&'v DeTable<'t>> {
    get(outer, key)?.as_table()
}

pub(super) fn text<'v>(outer: &'v DeTable<'_>, key: &str) -> Option<&'v str> {
    get(outer, key)?.as_str()
}

fn locked_packages(file: &File) -> Vec<Locked> {
    let Ok(lock) = DeTable::parse(&file.text) else { return Vec::new() };
    let packages = get(lock.get_ref(), "package").and_then(DeValue::as_array);
    let packages = packages.into_iter().flat_map(|packages| packages.iter()).filter_map(|it| it.get_ref().as_table());
    packages
        .filter_map(|package| {
            let dependencies = get(package, "dependencies").and_then(DeValue::as_array);
            let dependencies = dependencies.into_iter().flat_map(|list| list.iter());
            Some(Locked {
                name: text(package, "name")?.to_owned(),
                version: version(text(package, "version")?)?,
                dependencies: dependencies.filter_map(|it| it.get_ref().as_str()).map(str::to_owned).collect(),
            })
        })
        .collect()
}

/// `0.27.1`, `0.23`, `1`; what follows a `-` or `+` is left out.
fn version(text: &str) -> Option<CrateVersion> {
    let text = text.split(['-', '+']).next()?;
    let mut parts = text.trim().split('.').map(|part| part.trim());
    let major = parts.next()?.parse().ok()?;
    let mut number = || match parts.next() {
        None | Some("*" | "x") => Some(0),
        Some(part) => part.parse().ok(),
    };
    Some((major, number()?, number()?))
}

/// The oldest version that a requirement takes, and the first that it does not take any more.
fn bounds(requirement: &str) -> (Option<CrateVersion>, Option<CrateVersion>) {
    let (mut oldest, mut below): (Option<CrateVersion>, Option<CrateVersion>) = (None, None);
    for part in requirement.split(',').map(str::trim) {
        let (operator, rest) = part.split_at(part.find(|c: char| c.is_ascii_digit()).unwrap_or(part.len()));
        let Some(found) = version(rest) else { continue };
        let (major, minor, patch) = found;
        let parts = rest.split('.').filter(|part| !matches!(part.trim(), "*" | "x")).count();
        let next = match parts {
            1 => (major.saturating_add(1), 0, 0),
            2 => (major, minor.saturating_add(1), 0),
            _ => (major, minor, patch.saturating_add(1)),
        };
        let compatible = if major > 0 || parts == 1 {
            (major.saturating_add(1), 0, 0)
        } else if minor > 0 || parts == 2 {
            (0, minor.saturating_add(1), 0)
        } else {
            (0, 0, patch.saturating_add(1))
        };
        let (low, high) = match operator.trim() {
            ">=" => (Some(found), None),
            ">" => (Some(next), None),
            "<" => (None, Some(found)),
            "<=" => (None, Some(next)),
            "=" => (Some(found), Some(next)),
            "~" => (Some(found), Some(if parts == 3 { (major, minor.saturating_add(1), 0) } else { next })),
            _ => (Some(found), Some(compatible)),
        };
        oldest = oldest.max(low);
        below = match (below, high) {
            (Some(known), Some(new)) => Some(known.min(new)),
            (known, new) => known.or(new),
        };
    }
    (oldest, below)
}

/// The dependency on a crate in a table of dependencies: its place and value.
fn dependency<'v, 't>(tables: &[&'v DeTable<'t>], name: &str) -> Option<(Span, &'v DeValue<'t>)> {
    for (key, value) in tables.iter().flat_map(|table| table.iter()) {
        let renamed = value.get_ref().as_table().and_then(|table| text(table, "package"));
        if renamed.unwrap_or(key.get_ref()) == name {
            let place = key.span();
            return Some((Span { start: place.start as u32, end: place.end as u32 }, value.get_ref()));
        }
    }
    None
}

fn describe(manifest: &Manifest<'_>, all: &[Manifest<'_>], locks: &[(&str, Vec<Locked>)]) -> CargoManifest {
    let package = table(&manifest.table, "package");
    let name = package.and_then(|package| text(package, "name"));
    let library = table(&manifest.table, "lib");
    let library_name = library
        .and_then(|library| text(library, "name").map(str::to_owned))
        .or_else(|| name.map(|name| name.replace('-', "_")));
    let kinds = library.and_then(|library| get(library, "crate-type").or_else(|| get(library, "crate_type")));
    let is_cdylib = kinds
        .and_then(DeValue::as_array)
        .is_some_and(|kinds| kinds.iter().any(|kind| kind.get_ref().as_str() == Some("cdylib")));
    let framework = ["pyo3", "pyo3-ffi"].into_iter().find_map(|wanted| framework(wanted, manifest, name, all, locks));
    CargoManifest {
        file: FileId(manifest.index as u32),
        package: name.map(Into::into),
        version: package_version(manifest, all),
        library: library_name.map(Into::into),
        is_cdylib,
        framework,
    }
}

/// The version of a package, which a workspace may give.
fn package_version(manifest: &Manifest<'_>, all: &[Manifest<'_>]) -> Option<CrateVersion> {
    match get(table(&manifest.table, "package")?, "version")? {
        DeValue::String(text) => version(text),
        _ => workspaces(manifest, all)
            .find_map(|outer| version(text(table(table(&outer.table, "workspace")?, "package")?, "version")?)),
    }
}

/// The workspaces that a package may belong to, the nearest first.
fn workspaces<'m, 't>(manifest: &Manifest<'_>, all: &'m [Manifest<'t>]) -> impl Iterator<Item = &'m Manifest<'t>> {
    let mut outer: Vec<&Manifest<'t>> = all
        .iter()
        .filter(|other| is_above(other.folder, manifest.folder) && other.table.contains_key("workspace"))
        .collect();
    outer.sort_by_key(|other| std::cmp::Reverse(other.folder.len()));
    outer.into_iter()
}

fn framework(
    wanted: &'static str,
    manifest: &Manifest<'_>,
    package: Option<&str>,
    all: &[Manifest<'_>],
    locks: &[(&str, Vec<Locked>)],
) -> Option<CargoFramework> {
    let mut tables: Vec<&DeTable<'_>> = table(&manifest.table, "dependencies").into_iter().collect();
    for target in table(&manifest.table, "target").into_iter().flat_map(DeTable::values) {
        tables.extend(target.get_ref().as_table().and_then(|target| table(target, "dependencies")));
    }
    let (span, mut value) = dependency(&tables, wanted)?;
    // `pyo3.workspace = true`: what the workspace says counts.
    let inherits = value.as_table().is_some_and(|it| get(it, "workspace").and_then(DeValue::as_bool) == Some(true));
    let mut base = manifest.folder;
    if inherits
        && let Some((outer, found)) = workspaces(manifest, all).find_map(|outer| {
            let tables = [table(table(&outer.table, "workspace")?, "dependencies")?];
            Some((outer.folder, dependency(&tables, wanted)?.1))
        })
    {
        (base, value) = (outer, found);
    }
    let requirement = value.as_str().or_else(|| text(value.as_table()?, "version"));
    let path = value.as_table().and_then(|it| text(it, "path"));
    let mut framework = CargoFramework {
        name: wanted,
        oldest: None,
        below: None,
        locked: false,
        requirement: requirement.map(Into::into),
        span,
    };
    let of_path = path.and_then(|path| {
        let folder = joined(base, path)?;
        package_version(all.iter().find(|other| other.folder == folder)?, all)
    });
    if let Some(found) = of_path {
        framework.oldest = Some(found);
        framework.below = Some((found.0, found.1, found.2.saturating_add(1)));
    } else if let Some(found) = locked_version(wanted, manifest, package, locks) {
        framework.locked = true;
        framework.oldest = Some(found);
        framework.below = Some((found.0, found.1, found.2.saturating_add(1)));
    } else if let Some(requirement) = requirement {
        (framework.oldest, framework.below) = bounds(requirement);
    }
    Some(framework)
}

/// A relative path in a folder; nothing when it leaves the project.
pub(super) fn joined(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The version that the nearest lock file above a manifest gives to a dependency of its package.
fn locked_version(
    wanted: &str,
    manifest: &Manifest<'_>,
    package: Option<&str>,
    locks: &[(&str, Vec<Locked>)],
) -> Option<CrateVersion> {
    let above = locks.iter().filter(|(folder, _)| is_above(folder, manifest.folder));
    let (_, packages) = above.max_by_key(|(folder, _)| folder.len())?;
    let mut candidates = packages.iter().filter(|it| it.name == wanted);
    let first = candidates.next()?;
    if candidates.next().is_none() {
        return Some(first.version);
    }
    // Several versions are locked: then a package says which one it takes, `pyo3 0.22.6`.
    let own = packages.iter().find(|it| Some(it.name.as_str()) == package)?;
    own.dependencies.iter().find_map(|dependency| {
        let (name, rest) = dependency.split_once(' ')?;
        (name == wanted).then(|| version(rest.split(' ').next()?))?
    })
}

#[cfg(test)]
mod tests {
    use super::{bounds, joined, version};

    #[test]
    fn requirements() {
        assert_eq!(bounds("0.23"), (Some((0, 23, 0)), Some((0, 24, 0))));
        assert_eq!(bounds("^0.23.3"), (Some((0, 23, 3)), Some((0, 24, 0))));
        assert_eq!(bounds("=0.22.6"), (Some((0, 22, 6)), Some((0, 22, 7))));
        assert_eq!(bounds(">=0.23, <0.26"), (Some((0, 23, 0)), Some((0, 26, 0))));
        assert_eq!(bounds(">=0.25"), (Some((0, 25, 0)), None));
        assert_eq!(bounds("~0.27.1"), (Some((0, 27, 1)), Some((0, 28, 0))));
        assert_eq!(bounds("0.27.*"), (Some((0, 27, 0)), Some((0, 28, 0))));
        assert_eq!(bounds("1.2"), (Some((1, 2, 0)), Some((2, 0, 0))));
        assert_eq!(bounds("*"), (None, None));
        assert_eq!(bounds("4294967295"), (Some((4294967295, 0, 0)), Some((4294967295, 0, 0))));
    }

    #[test]
    fn paths_and_versions() {
        assert_eq!(joined("examples/a", "../../").as_deref(), Some(""));
        assert_eq!(joined("a", "../../b"), None);
        assert_eq!(version("0.28.0-dev"), Some((0, 28, 0)));
        assert_eq!(version("latest"), None);
    }
}
