//! What changed between two reports: declarations and findings.
//!
//! Both sides are read from `gilaudit-report/1`, whether a report was saved or is made on the spot, so that the same two things always
//! differ in the same way. Modules are matched by distribution, name and platform, then by name alone; findings by place and
//! fingerprint, then by fingerprint and file name, so that neither a new version nor another root folder is a difference.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What is compared of a report.
#[derive(Clone, Debug, Deserialize)]
pub struct Side {
    /// The name and version of the format.
    pub schema: String,
    /// The interpreter that it is about.
    pub target: Target,
    extensions: Vec<Module>,
    findings: Vec<Finding>,
    problems: Vec<Problem>,
}

/// The interpreter that a report is about.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Target {
    /// Its version, with `t` for free-threaded.
    pub python: String,
    /// The value of `PYTHON_GIL`.
    pub gil: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Problem {
    origin: Vec<String>,
    error: String,
    unread: bool,
}

/// A module of one side.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Module {
    /// The name that it is imported by.
    pub module: String,
    /// The artifact, then its members.
    pub origin: Vec<String>,
    distribution: Option<Distribution>,
    format: String,
    arch: String,
    declaration: Declaration,
    decision: Decision,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Distribution {
    name: String,
    version: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Declaration {
    status: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Decision {
    outcome: String,
}

impl Module {
    /// What it declares.
    pub fn status(&self) -> &str {
        &self.declaration.status
    }

    /// What happens when it is imported.
    pub fn outcome(&self) -> &str {
        &self.decision.outcome
    }

    /// `elf-x86_64`
    pub fn platform(&self) -> String {
        format!("{}-{}", self.format, self.arch)
    }

    /// `lxml 6.1.3`
    pub fn distribution(&self) -> Option<String> {
        self.distribution.as_ref().map(|it| format!("{} {}", it.name, it.version))
    }

    /// Whether it says that it runs without the GIL, and can be imported so that this counts.
    fn declares(&self) -> bool {
        self.status() == "not-used" && self.outcome() != "cannot-import"
    }

    fn key(&self) -> (Option<&str>, &str, &str, &str) {
        (self.distribution.as_ref().map(|it| it.name.as_str()), &self.module, &self.format, &self.arch)
    }
}

/// A finding of one side.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Finding {
    /// The rule.
    pub rule: String,
    /// How severe it is.
    pub severity: String,
    /// The text.
    pub message: String,
    /// The artifact, then its members.
    pub origin: Vec<String>,
    /// The line, in a source file.
    pub line: Option<u32>,
    /// The function that it is in.
    pub function: Option<String>,
    /// The module, if it is about one.
    pub module: Option<String>,
    suppressed: Option<String>,
    place: String,
    fingerprint: String,
}

/// A module that both sides have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// As it was.
    pub old: Module,
    /// As it is.
    pub new: Module,
}

/// What changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Modules that declared that they run without the GIL and do not any more.
    pub lost: Vec<Pair>,
    /// The other way round.
    pub gained: Vec<Pair>,
    /// Modules whose declaration or outcome changed in another way.
    pub changed: Vec<Pair>,
    /// Modules of the new side alone.
    pub added: Vec<Module>,
    /// Modules of the old side alone.
    pub removed: Vec<Module>,
    /// How many modules are as they were.
    pub unchanged: usize,
    /// Findings of the new side alone.
    pub new_findings: Vec<Finding>,
    /// Findings of the old side alone.
    pub gone_findings: Vec<Finding>,
    /// How many findings both sides have.
    pub kept_findings: usize,
    /// Inputs that could not be read, on which side: nothing is known about them.
    pub unread: Vec<String>,
    /// Why the two may differ although nothing was changed.
    pub notes: Vec<String>,
}

/// Compares two reports.
pub fn compare(old: Side, new: Side) -> Difference {
    let mut difference = Difference::default();
    if old.target != new.target {
        difference.notes.push(format!(
            "the old report is about {} (PYTHON_GIL {}), the new one about {} (PYTHON_GIL {})",
            old.target.python, old.target.gil, new.target.python, new.target.gil
        ));
    }
    for (name, side) in [("old", &old), ("new", &new)] {
        let unread = side.problems.iter().filter(|problem| problem.unread);
        difference.unread.extend(unread.map(|it| format!("{name}: {}: {}", it.origin.join("!"), it.error)));
    }
    modules(old.extensions, new.extensions, &mut difference);
    let reported = |findings: Vec<Finding>| findings.into_iter().filter(|it| it.suppressed.is_none()).collect();
    findings(reported(old.findings), reported(new.findings), &mut difference);
    difference
}

fn modules(old: Vec<Module>, new: Vec<Module>, difference: &mut Difference) {
    let owned = |module: &Module| {
        let (distribution, name, format, arch) = module.key();
        [distribution.unwrap_or_default(), name, format, arch].map(str::to_owned)
    };
    let (mut pairs, old, new) = matched(old, new, owned);
    let (more, removed, added) = matched(old, new, |module| module.module.clone());
    pairs.extend(more);
    for (old, new) in pairs {
        let list = match (old.declares(), new.declares()) {
            (true, false) => &mut difference.lost,
            (false, true) => &mut difference.gained,
            _ if old.status() != new.status() || old.outcome() != new.outcome() => &mut difference.changed,
            _ => {
                difference.unchanged += 1;
                continue;
            }
        };
        list.push(Pair { old, new });
    }
    difference.removed = removed;
    difference.added = added;
}

fn findings(old: Vec<Finding>, new: Vec<Finding>, difference: &mut Difference) {
    let (pairs, old, new) = matched(old, new, |it| (it.place.clone(), it.fingerprint.clone()));
    let file_name = |it: &Finding| it.place.rsplit('/').next().unwrap_or_default().to_owned();
    let (moved, gone, added) = matched(old, new, |it| (file_name(it), it.fingerprint.clone()));
    difference.kept_findings = pairs.len() + moved.len();
    difference.gone_findings = gone;
    difference.new_findings = added;
}

/// Pairs of the same key, each item in one pair at most, and what is left of both sides, all in their order.
fn matched<T, K: Ord>(old: Vec<T>, new: Vec<T>, key: impl Fn(&T) -> K) -> (Vec<(T, T)>, Vec<T>, Vec<T>) {
    let mut waiting: BTreeMap<K, Vec<usize>> = BTreeMap::new();
    for (index, item) in new.iter().enumerate().rev() {
        waiting.entry(key(item)).or_default().push(index);
    }
    let mut new: Vec<Option<T>> = new.into_iter().map(Some).collect();
    let (mut pairs, mut rest) = (Vec::new(), Vec::new());
    for item in old {
        let partner = waiting.get_mut(&key(&item)).and_then(Vec::pop).and_then(|index| new.get_mut(index)?.take());
        match partner {
            Some(partner) => pairs.push((item, partner)),
            None => rest.push(item),
        }
    }
    (pairs, rest, new.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn side(version: &str, modules: &[(&str, &str, &str)], findings: &[(&str, &str)]) -> Side {
        let modules: Vec<_> = modules
            .iter()
            .map(|(name, status, outcome)| {
                json!({"module": name, "origin": [format!("x-{version}.whl"), name], "format": "elf", "arch": "x86_64",
                    "distribution": {"name": "x", "version": version},
                    "declaration": {"status": status}, "decision": {"outcome": outcome}})
            })
            .collect();
        let findings: Vec<_> = findings
            .iter()
            .map(|(place, fingerprint)| {
                json!({"rule": "r", "severity": "error", "message": "m", "origin": [place], "line": 3, "function": null,
                    "module": null, "suppressed": null, "place": place, "fingerprint": fingerprint})
            })
            .collect();
        let target = json!({"python": "3.14t", "gil": "default"});
        let side = json!({"schema": "gilaudit-report/1", "target": target, "extensions": modules, "findings": findings, "problems": []});
        serde_json::from_value(side).unwrap()
    }

    fn names(pairs: &[Pair]) -> Vec<&str> {
        pairs.iter().map(|pair| pair.new.module.as_str()).collect()
    }

    #[test]
    fn declarations_lost_and_gained() {
        let (free, on) = ("runs-free", "enables-gil");
        let old = [("same", "not-used", free), ("lost", "not-used", free), ("won", "used", on), ("old", "used", on)];
        let new = [
            ("same", "not-used", free),
            ("lost", "unknown", "undetermined"),
            ("won", "not-used", free),
            ("new", "not-used", free),
        ];
        let difference = compare(side("1", &old, &[]), side("2", &new, &[]));
        assert_eq!((names(&difference.lost), names(&difference.gained)), (vec!["lost"], vec!["won"]));
        assert_eq!((difference.added.len(), difference.removed.len(), difference.unchanged), (1, 1, 1));
    }

    #[test]
    fn a_declaration_in_a_module_that_cannot_be_imported_is_none() {
        let old = side("1", &[("m", "not-used", "runs-free")], &[]);
        let new = side("1", &[("m", "not-used", "cannot-import")], &[]);
        assert_eq!(names(&compare(old, new).lost), ["m"]);
    }

    #[test]
    fn findings_stay_the_same_in_another_folder() {
        let old = side("1", &[], &[("a/x.c", "1"), ("a/x.c", "2"), ("a/y.c", "3")]);
        let new = side("1", &[], &[("a/x.c", "1"), ("b/y.c", "3"), ("a/x.c", "4")]);
        let difference = compare(old, new);
        let prints = |all: &[Finding]| all.iter().map(|it| it.fingerprint.clone()).collect::<Vec<_>>();
        assert_eq!(difference.kept_findings, 2);
        assert_eq!(
            (prints(&difference.new_findings), prints(&difference.gone_findings)),
            (vec!["4".to_owned()], vec!["2".to_owned()])
        );
    }
}
