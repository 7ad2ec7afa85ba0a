//! Open ends: places that import what cannot be told, what they may reach, and what of that turns the GIL on.

use std::collections::BTreeSet;

use gilaudit_model::Outcome;

use super::super::answer::OpenEnd;
use super::super::world::Node;
use super::{Run, Via};

/// How many modules that a pattern stands for are followed.
const FOLLOWED: usize = 300;

/// How many of those that an open end meets are named.
const NAMED: usize = 20;

impl Run<'_> {
    /// Notes an open end and follows what it may reach, if that is not everything.
    pub(super) fn open_end(&mut self, file: &str, line: u32, what: &str, reach: Vec<String>) {
        if self.later {
            return;
        }
        let key = (file.to_owned(), line, format!("{what} {}", reach.join(" ")));
        if self.open_index.contains_key(&key) {
            return;
        }
        let index = self.out.open_ends.len();
        self.open_index.insert(key, index);
        let what = what.to_owned();
        self.out.open_ends.push(OpenEnd {
            file: file.to_owned(),
            line,
            what,
            may_reach: reach.clone(),
            meets: Vec::new(),
        });
        let at = if line > 0 { format!("{file}:{line}") } else { file.to_owned() };
        // What an open end leads to is its own only if the way there has no other.
        let own = index;
        let index = match self.via {
            Via::Open(outer) => outer,
            Via::Seen => index,
        };
        let names: BTreeSet<String> = reach.iter().flat_map(|pattern| self.matching(pattern)).collect();
        if names.len() > FOLLOWED
            && let Some(end) = self.out.open_ends.get_mut(own)
        {
            // Too many to follow: it may be any.
            end.may_reach = vec!["*".to_owned()];
        }
        for name in names.into_iter().take(FOLLOWED) {
            self.candidate(&name, &at, index);
        }
    }

    /// The modules that a pattern stands for; none for `*`, which stands for all.
    fn matching(&self, pattern: &str) -> Vec<String> {
        match pattern.strip_suffix('*') {
            Some("") => Vec::new(),
            Some(begin) => match begin.strip_suffix('.') {
                Some(package) => self.world.below(package),
                None => self.world.beginning_with(begin),
            },
            None => vec![pattern.to_owned()],
        }
    }

    /// When all is followed: says of each open end what it meets.
    pub(super) fn meets(&mut self) {
        let mut all: Vec<BTreeSet<String>> = vec![BTreeSet::new(); self.out.open_ends.len()];
        for reached in &self.out.reached {
            if let Via::Open(index) = reached.via
                && let Some(meets) = all.get_mut(index)
            {
                meets.insert(reached.module.clone());
            }
        }
        let blockers: Vec<String> = if self.out.open_ends.iter().any(|end| end.may_reach.iter().any(|it| it == "*")) {
            self.world.blockers()
        } else {
            Vec::new()
        };
        for (end, mut meets) in self.out.open_ends.iter_mut().zip(all) {
            if end.may_reach.iter().any(|pattern| pattern == "*") {
                meets.extend(blockers.iter().take(NAMED).cloned());
            }
            end.meets = meets.into_iter().take(NAMED).collect();
        }
    }
}

/// Whether a module turns the GIL on, or may.
pub(in super::super) fn blocks(node: &Node) -> bool {
    matches!(node, Node::Extension(extension) if matches!(extension.outcome, Outcome::EnablesGil | Outcome::Undetermined))
}
