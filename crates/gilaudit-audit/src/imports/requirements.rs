//! Which distribution requires which: who is responsible for what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use gilaudit_input::PythonRoot;

/// Which distribution requires which.
pub(super) struct Requirements {
    /// By normalised name: the names it requires.
    requires: BTreeMap<String, Vec<String>>,
    /// The same for what it requires with an extra.
    suggests: BTreeMap<String, Vec<String>>,
    /// Those that nobody requires or that were asked for, as they are written.
    tops: Vec<String>,
}

/// A distribution's name as PEP 503 compares names.
pub(super) fn normalised(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

impl Requirements {
    pub(super) fn new(roots: &[Rc<PythonRoot>]) -> Self {
        let installed = || roots.iter().flat_map(|root| &root.installed);
        let (mut requires, mut suggests) = (BTreeMap::new(), BTreeMap::new());
        let mut required = BTreeSet::new();
        for it in installed() {
            let Some(distribution) = &it.distribution else { continue };
            let names: Vec<String> = it.requires.iter().map(|name| normalised(name)).collect();
            required.extend(names.iter().cloned());
            let extras = it.suggests.iter().map(|name| normalised(name)).collect();
            suggests.insert(normalised(&distribution.name), extras);
            requires.insert(normalised(&distribution.name), names);
        }
        let tops = installed().filter_map(|it| {
            let name = &it.distribution.as_ref()?.name;
            (it.requested || !required.contains(&normalised(name))).then(|| name.clone())
        });
        let mut tops: Vec<String> = tops.collect();
        tops.sort();
        tops.dedup();
        Self { requires, suggests, tops }
    }

    /// The normalised names of what `name` requires, itself included, and what its own extras do if asked for.
    pub(super) fn reachable(&self, name: &str, extras: bool) -> BTreeSet<String> {
        let own = normalised(name);
        let mut stack: Vec<String> = self.suggests.get(&own).filter(|_| extras).cloned().unwrap_or_default();
        stack.push(own);
        let mut seen = BTreeSet::new();
        while let Some(next) = stack.pop() {
            if seen.insert(next.clone()) {
                stack.extend(self.requires.get(&next).into_iter().flatten().cloned());
            }
        }
        seen
    }

    /// The top-level distributions through which `name` is installed, itself included.
    pub(super) fn responsible(&self, name: &str) -> Vec<String> {
        let wanted = normalised(name);
        let reaches = |top: &&String| {
            let mut stack = vec![normalised(top)];
            let mut seen = BTreeSet::new();
            while let Some(next) = stack.pop() {
                if next == wanted {
                    return true;
                }
                if seen.insert(next.clone()) {
                    stack.extend(self.requires.get(&next).into_iter().flatten().cloned());
                }
            }
            false
        };
        self.tops.iter().filter(reaches).cloned().collect()
    }
}
