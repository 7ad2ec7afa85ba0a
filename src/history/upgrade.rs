//! Which release to upgrade to: the smallest above the present one that runs without the GIL, found by reading, not by guessing.
//!
//! There is no resolver here. What a release needs is compared with what is in use, and said where they do not fit: pip or uv decide.

use std::collections::BTreeMap;

use gilaudit_index::{Failure, Version, VersionSpecifiers, normalized};

use super::online::Online;
use super::pinned::{Pinned, split};
use super::{Release, Verdict, Wanted, choose, read_all, releases};

/// What is known of a distribution as it is in use.
#[derive(Clone, Debug)]
pub(crate) struct Now {
    pub(crate) name: String,
    pub(crate) version: Option<Version>,
    /// What it does; `None` until the index was asked.
    pub(crate) verdict: Option<Verdict>,
    pub(crate) why: Option<String>,
}

/// A row of the answer.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) now: Now,
    /// The smallest release above the present one that runs free.
    pub(crate) smallest: Option<Release>,
    /// The newest release there is, in as far as it was asked for.
    pub(crate) newest: Option<(Version, Verdict, Option<String>)>,
    /// What the release needs, and what is in use instead.
    pub(crate) needs: Vec<String>,
    /// Why there is no answer.
    pub(crate) failure: Option<String>,
}

impl Row {
    /// Whether something is wrong now, or could not be told.
    pub(crate) fn is_bad(&self) -> bool {
        self.failure.is_some() || self.now.verdict.is_none_or(|verdict| !verdict.is_free())
    }
}

/// Looks a distribution up. `in_use` is everything that it is used with.
pub(crate) fn row(online: &Online, mut now: Now, in_use: &[Pinned], wanted: &Wanted, pre: bool) -> Row {
    let mut row = Row { now: now.clone(), smallest: None, newest: None, needs: Vec::new(), failure: None };
    let Some(present) = now.version.clone() else {
        row.failure = Some("no version is pinned".to_owned());
        return row;
    };
    if now.verdict.is_some_and(Verdict::is_free) {
        return row;
    }
    let listing = match online.list(&now.name) {
        Ok(listing) => listing,
        Err(failure) => {
            row.failure = Some(match failure {
                Failure::NotFound => "no index has it".to_owned(),
                other => other.to_string(),
            });
            return row;
        }
    };
    let all = releases(&listing);
    if now.verdict.is_none() {
        let Some((version, files)) = all.get_key_value(&present) else {
            row.failure = Some(format!("no index has its version {present}"));
            return row;
        };
        // What is for every interpreter and platform has no compiled module to it, by its name.
        let pure = choose(files, wanted).is_ok_and(|file| file.name.ends_with("-none-any.whl"));
        if pure {
            now.verdict = Some(Verdict::Pure);
        } else if let Some(release) = read_all(online, &[(version, files.clone())], wanted, &|| {}).pop() {
            now.verdict = Some(release.verdict);
            now.why = release.why.clone().or_else(|| blame(&release));
        }
        row.now = now.clone();
        if now.verdict.is_some_and(Verdict::is_free) {
            return row;
        }
    }
    let pre = pre || present.any_prerelease();
    let later: Vec<(&Version, Vec<&gilaudit_index::File>)> = all
        .into_iter()
        .filter(|(version, files)| {
            **version > present && (pre || !version.any_prerelease()) && files.iter().any(|file| file.yanked.is_none())
        })
        .collect();
    for few in later.chunks(4) {
        let found = read_all(online, few, wanted, &|| {}).into_iter().find(|release| release.verdict.is_free());
        if found.is_some() {
            row.smallest = found;
            break;
        }
    }
    if let Some(newest) =
        later.last().and_then(|newest| read_all(online, std::slice::from_ref(newest), wanted, &|| {}).pop())
    {
        let why = newest.why.clone().or_else(|| blame(&newest));
        row.newest = Some((newest.version, newest.verdict, why));
    }
    if let Some(release) = &row.smallest {
        row.needs = needs(&release.facts.requires, in_use);
    }
    row
}

/// The modules that turn the GIL on, or cannot be imported.
pub(crate) fn blame(release: &Release) -> Option<String> {
    let bad: Vec<&str> = release
        .facts
        .modules
        .iter()
        .filter(|module| module.outcome != "runs-free")
        .map(|module| module.name.as_str())
        .take(3)
        .collect();
    (!bad.is_empty()).then(|| bad.join(", "))
}

/// Which requirements do not fit what is in use. Those for extras are nobody's yet; those with another marker may not apply, and are said
/// only where they would not fit.
fn needs(requires: &[String], in_use: &[Pinned]) -> Vec<String> {
    let versions: BTreeMap<&str, &Version> =
        in_use.iter().filter_map(|it| Some((it.name.as_str(), it.version.as_ref()?))).collect();
    let need = |line: &String| {
        let (requirement, marker) = line.split_once(';').unwrap_or((line, ""));
        if marker.contains("extra") {
            return None;
        }
        let (name, specifiers) = split(requirement)?;
        let when = if marker.trim().is_empty() { String::new() } else { format!(" if {}", marker.trim()) };
        let name = normalized(name);
        match versions.get(name.as_str()) {
            None if in_use.iter().any(|it| it.name == name) => None,
            None if marker.trim().is_empty() => Some(format!("{name}{specifiers}, which is not there")),
            None => None,
            Some(version) => {
                let fits = specifiers.parse::<VersionSpecifiers>().is_ok_and(|it| it.contains(version));
                (!fits && !specifiers.is_empty()).then(|| format!("{name}{specifiers}{when}, which is at {version}"))
            }
        }
    };
    requires.iter().filter_map(need).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_release_needs() {
        let pinned = |name: &str, version: &str| Pinned { name: name.into(), version: version.parse().ok() };
        let in_use = [pinned("numpy", "2.0"), pinned("six", "1.17"), pinned("odd", "?")];
        let requires =
            ["NumPy>=2.1", "six", "new-one>=1", "numpy<9; extra == 'x'", "win ; sys_platform == 'win32'", "odd>1"];
        let needs = needs(&requires.map(str::to_owned), &in_use);
        assert_eq!(needs, ["numpy>=2.1, which is at 2.0", "new-one>=1, which is not there"]);
    }
}
