//! What is one thing to repair is one finding: the places in code that a tool wrote or that another project maintains, the places of
//! one kind in one function, and a line that two rules are about.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use gilaudit_model::source::{File, Project};
use gilaudit_model::{Finding, Location, Origin, Related};

/// Most places that a finding names.
const MOST_RELATED: usize = 8;

/// Rules whose findings in one function are repaired together.
const TOGETHER: [&str; 9] = [
    "blocking-while-attached",
    "datetime-capi-null-check",
    "gilstate-unbalanced",
    "inconsistent-locking",
    "lazy-object-cache",
    "mutable-static",
    "nonatomic-rmw",
    "python-under-plain-lock",
    "unsafe-libc",
];

/// Rules that can be about the same line; of two, the one that stands first says more.
const ORDER: [&str; 14] = [
    "double-checked-locking",
    "lazy-static-object",
    "lazy-object-cache",
    "busy-flag-toctou",
    "unlocked-field-swap",
    "field-read-then-incref",
    "nonatomic-rmw",
    "inconsistent-locking",
    "mutable-static",
    "borrowed-weakref",
    "borrowed-list-item",
    "borrowed-dict-item",
    "cpython-borrowed",
    "removed-and-deprecated-api",
];

/// Folds the findings of a project, which are sorted.
pub(crate) fn fold(project: &Project, findings: &mut Vec<Finding>) {
    same_line(findings);
    same_function(findings);
    foreign(project, findings);
}

fn line(finding: &Finding) -> Option<u32> {
    match finding.location {
        Location::Text { line, .. } => Some(line),
        _ => None,
    }
}

/// Whether a finding is about code in C or C++.
fn is_c(finding: &Finding) -> bool {
    let name = finding.origin.file_name();
    let name = name.strip_suffix(".in").or_else(|| name.strip_suffix(".src")).unwrap_or(name);
    name.rsplit_once('.').is_some_and(|(_, ending)| {
        matches!(ending, "c" | "h" | "cc" | "cpp" | "cxx" | "hh" | "hpp" | "hxx" | "inl" | "ipp" | "tpp")
    })
}

/// Of several rules that are about one line the first in the order stays.
fn same_line(findings: &mut Vec<Finding>) {
    let rank = |finding: &Finding| ORDER.iter().position(|rule| *rule == finding.rule);
    let mut best: HashMap<(Origin, u32), usize> = HashMap::new();
    for finding in findings.iter().filter(|finding| is_c(finding)) {
        if let (Some(line), Some(rank)) = (line(finding), rank(finding)) {
            let known = best.entry((finding.origin.clone(), line)).or_insert(rank);
            // One that is sure is not lost to one that is not.
            *known = rank.min(*known);
        }
    }
    let confident: BTreeSet<(Origin, u32, usize)> = findings
        .iter()
        .filter(|finding| finding.confidence > gilaudit_model::Confidence::Low)
        .filter_map(|finding| Some((finding.origin.clone(), line(finding)?, rank(finding)?)))
        .collect();
    findings.retain(|finding| {
        let (Some(line), Some(own)) = (line(finding), rank(finding)) else { return true };
        let Some(best) = best.get(&(finding.origin.clone(), line)).filter(|best| **best < own) else { return true };
        // What stays has to be reported at least as surely.
        finding.confidence > gilaudit_model::Confidence::Low
            && !confident.contains(&(finding.origin.clone(), line, *best))
    });
}

/// The findings of one rule in one function become the surest of them, with the other places.
fn same_function(findings: &mut Vec<Finding>) {
    let mut groups: BTreeMap<(Origin, &'static str, String), Vec<Finding>> = BTreeMap::new();
    let mut rest = Vec::new();
    for finding in std::mem::take(findings) {
        match &finding.function {
            Some(function) if TOGETHER.contains(&finding.rule) && is_c(&finding) => {
                let key = (finding.origin.clone(), finding.rule, function.clone());
                groups.entry(key).or_default().push(finding);
            }
            _ => rest.push(finding),
        }
    }
    for group in groups.into_values() {
        let at = surest(&group);
        let mut others = group;
        let mut kept = others.remove(at);
        for other in others {
            if kept.related.len() < MOST_RELATED {
                kept.related.push(Related {
                    message: subject(&other.message).map_or("here, too".to_owned(), |name| format!("'{name}', too")),
                    origin: other.origin,
                    location: other.location,
                });
            }
        }
        rest.push(kept);
    }
    *findings = rest;
}

/// What a message is about, when it begins with its name.
fn subject(message: &str) -> Option<&str> {
    message.strip_prefix('\'')?.split_once('\'').map(|(name, _)| name)
}

/// The number of the finding that stands for all: the surest, the worst, the first.
fn surest(group: &[Finding]) -> usize {
    let mut best = 0;
    for (number, finding) in group.iter().enumerate() {
        let known = &group[best];
        if (finding.confidence, finding.severity) > (known.confidence, known.severity) {
            best = number;
        }
    }
    best
}

/// All findings in what a tool wrote, and in what another project maintains, become one each.
fn foreign(project: &Project, findings: &mut Vec<Finding>) {
    let owners: HashMap<&Origin, String> =
        project.files.iter().filter_map(|file| Some((&file.origin, owner(file)?))).collect();
    let mut groups: BTreeMap<String, Vec<Finding>> = BTreeMap::new();
    let mut rest = Vec::new();
    for finding in std::mem::take(findings) {
        match owners.get(&finding.origin) {
            // What is said of a module as a whole is not folded: it has no function.
            Some(owner) if finding.function.is_some() => groups.entry(owner.clone()).or_default().push(finding),
            _ => rest.push(finding),
        }
    }
    for (owner, mut group) in groups {
        let sure = group.iter().filter(|finding| finding.confidence > gilaudit_model::Confidence::Low).count();
        let mut kept = group.remove(surest(&group));
        if sure > 1 {
            let rules: BTreeSet<&str> = group
                .iter()
                .filter(|finding| finding.confidence > gilaudit_model::Confidence::Low)
                .map(|finding| finding.rule)
                .collect();
            let rules: Vec<&str> = rules.into_iter().collect();
            kept.message = format!("{} ({} more in {owner}: {})", kept.message, sure - 1, rules.join(", "));
        }
        rest.push(kept);
        // What is not reported by default stays as it is: nobody has to read it.
        rest.extend(group.into_iter().filter(|finding| finding.confidence == gilaudit_model::Confidence::Low));
    }
    *findings = rest;
}

/// Who maintains a file, if not the project: the tool that wrote it, or the library that a folder is a copy of.
fn owner(file: &File) -> Option<String> {
    let head: String = file.text.chars().take(1500).collect();
    let tool = [
        ("automatically generated by SWIG", "SWIG"),
        ("generated by SWIG", "SWIG"),
        ("translated by f2c", "f2c"),
        ("A lexical scanner generated by flex", "flex"),
        ("A Bison parser, made by GNU Bison", "Bison"),
        ("This file is an amalgamation", "an amalgamation"),
        ("Generated by the protocol buffer compiler", "protoc"),
        ("Generated by Ragel", "Ragel"),
        ("Generated by re2c", "re2c"),
        ("Generated by gperf", "gperf"),
    ];
    if let Some((_, tool)) = tool.iter().find(|(mark, _)| head.contains(mark)) {
        return Some(format!("'{}', which is not written by hand ({tool})", file.path));
    }
    let parts: Vec<&str> = file.path.split('/').collect();
    let folders = parts.get(..parts.len().saturating_sub(1))?;
    let is_shelf = |part: &str| {
        matches!(
            part.to_ascii_lowercase().as_str(),
            "vendor"
                | "vendored"
                | "_vendor"
                | "third_party"
                | "thirdparty"
                | "third-party"
                | "3rdparty"
                | "external"
                | "externals"
                | "extern"
                | "deps"
                | "subprojects"
                | "submodules"
                | "bundled"
        )
    };
    // The library is the folder on the shelf, or one that has the name of a framework.
    let library =
        folders.iter().position(|part| is_shelf(part)).map(|at| (at + 2).min(folders.len())).or_else(|| {
            folders.iter().position(|part| matches!(*part, "pybind11" | "nanobind" | "boost")).map(|at| at + 1)
        })?;
    Some(format!("'{}', a copy of another project", folders.get(..library)?.join("/")))
}

/// The files of which a newer version is in a folder beside: `Modules/2.x/readline.c` where there is `Modules/3.x/readline.c`.
pub(crate) fn superseded(project: &Project) -> HashSet<&Origin> {
    type Versions<'p> = Vec<((u32, u32), &'p Origin)>;
    let mut families: BTreeMap<String, Versions<'_>> = BTreeMap::new();
    for file in &project.files {
        let mut parts: Vec<&str> = file.path.split('/').collect();
        let Some((at, version)) = parts
            .iter()
            .enumerate()
            .find_map(|(at, part)| Some((at, version(part)?)))
            .filter(|(at, _)| at + 1 < parts.len())
        else {
            continue;
        };
        parts[at] = "*";
        families.entry(parts.join("/")).or_default().push((version, &file.origin));
    }
    let mut older = HashSet::new();
    for family in families.into_values() {
        let newest = family.iter().map(|(version, _)| *version).max();
        older.extend(family.into_iter().filter(|(version, _)| Some(*version) != newest).map(|(_, origin)| origin));
    }
    older
}

/// The version that a folder's name is: `3.6`, `2.x`.
fn version(part: &str) -> Option<(u32, u32)> {
    let (major, minor) = part.split_once('.')?;
    let minor = if minor == "x" { 0 } else { minor.parse().ok()? };
    Some((major.parse().ok()?, minor))
}

#[cfg(test)]
mod tests {
    use gilaudit_model::Origin;
    use gilaudit_model::source::{File, Language};

    use super::{owner, version};

    fn of(path: &str, text: &str) -> Option<String> {
        owner(&File::new(Origin::path(path), path.to_owned(), Language::C, text.to_owned(), true))
    }

    #[test]
    fn who_maintains_a_file() {
        assert_eq!(of("src/a.c", "int x;"), None);
        assert!(of("src/a.c", "/* This file was automatically generated by SWIG */").is_some());
        assert_eq!(of("vendor/z/a/b.c", ""), Some("'vendor/z', a copy of another project".to_owned()));
    }

    #[test]
    fn folders_named_after_versions() {
        assert_eq!(
            [version("3.6"), version("2.x"), version("v3.6"), version("a.b")],
            [Some((3, 6)), Some((2, 0)), None, None]
        );
    }
}
