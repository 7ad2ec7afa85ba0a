//! A lock with two modes in the place of the GIL: which modules would exclude which, and where threads could wait for each other.

use std::collections::BTreeSet;

use gilaudit_model::Action;

/// The modules of one process under such a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exclusion {
    /// Modules that run beside each other, sorted.
    pub shared: Vec<String>,
    /// Modules each of which runs while no other one does, shared or exclusive, sorted.
    pub exclusive: Vec<String>,
    /// Where a module that holds the lock with others asks for it alone, sorted.
    pub reentries: Vec<Reentry>,
}

/// A shared module whose code reaches an exclusive one. Two threads in it can both hold the lock and both wait until the other gives it
/// up, unless the lock is released before the call, which the module's author does not know of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reentry {
    /// The module that shares the lock.
    pub shared: String,
    /// The module that has to be alone.
    pub exclusive: String,
}

/// What the actions mean for a process that imports all of these modules; `None` when none of them takes such a lock. `reaches` are
/// pairs of a module and another one that it imports or calls into.
pub fn exclusion<'a>(
    modules: impl IntoIterator<Item = (&'a str, Action)>,
    reaches: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Option<Exclusion> {
    let (mut shared, mut exclusive) = (BTreeSet::new(), BTreeSet::new());
    for (module, action) in modules {
        match action {
            Action::Shared => shared.insert(module),
            Action::Exclusive => exclusive.insert(module),
            _ => false,
        };
    }
    if shared.is_empty() && exclusive.is_empty() {
        return None;
    }
    let locks = |(from, to): &(&str, &str)| shared.contains(from) && exclusive.contains(to);
    let reentries: BTreeSet<Reentry> = reaches
        .into_iter()
        .filter(locks)
        .map(|(shared, exclusive)| Reentry { shared: shared.to_owned(), exclusive: exclusive.to_owned() })
        .collect();
    let owned = |set: BTreeSet<&str>| set.into_iter().map(str::to_owned).collect();
    let reentries = reentries.into_iter().collect();
    Some(Exclusion { shared: owned(shared), exclusive: owned(exclusive), reentries })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_excludes_whom() {
        let modules =
            [("b", Action::Shared), ("a", Action::Shared), ("x", Action::Exclusive), ("y", Action::Exclusive)];
        // Only from shared to exclusive: an exclusive module is alone already, and shared ones ask for nothing more.
        let reaches = [("b", "x"), ("b", "x"), ("x", "y"), ("a", "b"), ("y", "a"), ("a", "elsewhere")];
        let found = exclusion(modules, reaches).unwrap();
        assert_eq!(found.shared, ["a", "b"]);
        assert_eq!(found.exclusive, ["x", "y"]);
        assert_eq!(found.reentries, [Reentry { shared: "b".to_owned(), exclusive: "x".to_owned() }]);
    }

    #[test]
    fn other_policies_have_no_such_lock() {
        assert_eq!(exclusion([("a", Action::Follow), ("b", Action::Warn)], [("a", "b")]), None);
    }
}
