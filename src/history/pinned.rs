//! Which versions are in use: of a lock file, or a file of requirements.

use std::path::Path;

use gilaudit_index::{Version, normalized};

/// A distribution in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pinned {
    pub(crate) name: String,
    /// `None` when the file does not say one.
    pub(crate) version: Option<Version>,
}

/// Reads a lock file (pylock.toml, uv.lock, poetry.lock, pdm.lock) or a file of requirements.
pub(crate) fn read(path: &Path) -> Result<Vec<Pinned>, String> {
    let text = gilaudit_input::read_text(path).map_err(|error| error.to_string())?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut pinned =
        if name.ends_with(".toml") || name.ends_with(".lock") { lock(&text)? } else { requirements(&text) };
    pinned.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    pinned.dedup();
    Ok(pinned)
}

/// All four have an array of tables, `packages` or `package`, each with a name and a version.
fn lock(text: &str) -> Result<Vec<Pinned>, String> {
    let table: toml::Table = text.parse().map_err(|error| format!("not TOML: {error}"))?;
    let packages = ["packages", "package"].iter().find_map(|key| table.get(*key)?.as_array());
    let packages = packages.ok_or("no lock file: it has neither 'packages' nor 'package'")?;
    let pinned = packages.iter().filter_map(|package| {
        // The project itself, and what is built from a folder, are no releases of an index.
        let source = package.get("source").and_then(toml::Value::as_table);
        let is_local = |source: &toml::Table| {
            ["virtual", "editable", "directory", "path"].iter().any(|kind| source.contains_key(*kind))
                || source
                    .get("type")
                    .and_then(toml::Value::as_str)
                    .is_some_and(|kind| matches!(kind, "directory" | "file" | "git"))
        };
        if source.is_some_and(is_local) || package.get("directory").is_some() || package.get("vcs").is_some() {
            return None;
        }
        let name = normalized(package.get("name")?.as_str()?);
        let version = package.get("version").and_then(toml::Value::as_str).and_then(|text| text.parse().ok());
        Some(Pinned { name, version })
    });
    Ok(pinned.collect())
}

/// `NAME==VERSION`, with or without extras, markers, hashes and comments. Options and addresses name no release.
fn requirements(text: &str) -> Vec<Pinned> {
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    let line = |line: &str| {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with(['#', '-']) || line.contains("://") {
            return None;
        }
        let (requirement, _) = line.split_once(';').unwrap_or((line, ""));
        let requirement = requirement.split(" --").next().unwrap_or_default();
        let (name, specifier) = split(requirement)?;
        let exact = specifier.strip_prefix("===").or_else(|| specifier.strip_prefix("=="));
        let version = exact.filter(|text| !text.contains([',', '*'])).and_then(|text| text.trim().parse().ok());
        Some(Pinned { name: normalized(name), version })
    };
    joined.lines().filter_map(line).collect()
}

/// The name of a requirement, and its version specifiers without parentheses. Extras are left out.
pub(crate) fn split(requirement: &str) -> Option<(&str, String)> {
    let requirement = requirement.trim();
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    let end = requirement.find(|letter| !is_name(letter)).unwrap_or(requirement.len());
    let (name, rest) = requirement.split_at_checked(end)?;
    let rest = rest.trim_start();
    let rest = if rest.starts_with('[') { rest.split_once(']').map_or("", |(_, rest)| rest) } else { rest };
    let rest = rest.trim().trim_start_matches('(').trim_end_matches(')');
    (!name.is_empty()).then(|| (name, rest.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pinned: &[Pinned]) -> Vec<String> {
        let version = |it: &Pinned| it.version.as_ref().map_or("?".to_owned(), ToString::to_string);
        pinned.iter().map(|it| format!("{} {}", it.name, version(it))).collect()
    }

    #[test]
    fn requirements_with_everything() {
        let text = "# c\nLxml==6.0.0 \\\n    --hash=sha256:aa\nnumpy[x] == 2.1 ; python_version > '3.9'  # why\n-r other.txt\n\
                    six>=1.0\nx @ https://host/x.whl\nlone\nstar==1.*\n";
        assert_eq!(shown(&requirements(text)), ["lxml 6.0.0", "numpy 2.1", "six ?", "lone ?", "star ?"]);
    }

    #[test]
    fn locks_of_four_tools() {
        let uv = "version = 1\n[[package]]\nname = \"me\"\nversion = \"0\"\nsource = { virtual = \".\" }\n\
                  [[package]]\nname = \"lxml\"\nversion = \"6.0.0\"\nsource = { registry = \"https://host/simple\" }\n";
        assert_eq!(shown(&lock(uv).unwrap()), ["lxml 6.0.0"]);
        let pylock = "lock-version = \"1.0\"\n[[packages]]\nname = \"Lx_ml\"\nversion = \"6\"\n[[packages]]\nname = \"d\"\n[packages.directory]\npath = \".\"\n";
        assert_eq!(shown(&lock(pylock).unwrap()), ["lx-ml 6"]);
        let poetry = "[[package]]\nname = \"a\"\nversion = \"1\"\n[package.source]\ntype = \"git\"\n[[package]]\nname = \"b\"\nversion = \"2\"\n";
        assert_eq!(shown(&lock(poetry).unwrap()), ["b 2"]);
        assert!(lock("[tool]\n").is_err() && lock("=").is_err());
    }

    #[test]
    fn parts_of_requirements() {
        assert_eq!(split("numpy (>=1.2,<3)"), Some(("numpy", ">=1.2,<3".to_owned())));
        assert_eq!(split("a.b-c[x,y]>=1"), Some(("a.b-c", ">=1".to_owned())));
        assert_eq!(split(">=1"), None);
    }
}
