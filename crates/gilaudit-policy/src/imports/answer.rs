//! From what a run saw to the answer: does the GIL stay off, who turns it on first, and what frees the process.

use std::collections::{BTreeMap, BTreeSet};

use gilaudit_model::{Distribution, Gil, ImportKind, Outcome};

use super::run::{Link, Outcomes, Reached};
use super::world::{Node, World};

/// The GIL when the imports are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GilAtEnd {
    /// It stays off.
    Off,
    /// It is on.
    On,
    /// It stays off, unless an open end leads to a module that turns it on.
    OffUnless,
    /// Could not tell.
    Undetermined,
}

/// A reached place that imports, or may, what cannot be told from the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OpenEnd {
    /// The file.
    pub file: String,
    /// 1-based; 0 in a file without lines.
    pub line: u32,
    /// What it is: `computed name`, `entry points of group x`, `code as data`.
    pub what: String,
    /// The modules that it may reach: a name, `package.*`, or `*` for every module.
    pub may_reach: Vec<String>,
    /// Those of them that turn the GIL on, or may, or whose import leads to such a module.
    pub meets: Vec<String>,
}

/// A module that turns the GIL on, or may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// The module.
    pub module: String,
    /// The file.
    pub file: String,
    /// What its import does.
    pub outcome: Outcome,
    /// Its distribution.
    pub distribution: Option<Distribution>,
    /// Whether it is imported in any case; else it depends on what cannot be decided from the text.
    pub certain: bool,
    /// Whether only a function that is called imports it.
    pub later: bool,
    /// From the entry to it.
    pub chain: Vec<Link>,
    /// Whether the program survives without it: the chain goes through a `try` that expects an `ImportError`.
    pub optional: bool,
}

/// What a process does to its GIL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The state after all entries.
    pub gil: GilAtEnd,
    /// The module that CPython's warning names; `None` when there is none, or when it cannot be told which.
    pub first: Option<String>,
    /// Why, in a sentence.
    pub because: String,
    /// In import order; then those that are only possible, then those for later.
    pub blockers: Vec<Blocker>,
    /// The smallest set of distributions that, freed or replaced, leave the GIL off: one blocker is enough to turn it on, so each
    /// must be freed.
    pub free: Vec<Distribution>,
    /// Entries whose import fails, and why.
    pub failed: Vec<(String, String)>,
    /// Modules whose imports are not known completely, and why.
    pub incomplete: Vec<(String, String)>,
    /// What was reached and cannot be told, those that meet a blocker first.
    pub open_ends: Vec<OpenEnd>,
    /// How many modules are loaded.
    pub modules: usize,
}

/// Judges a run.
pub fn answer(world: &World, outcomes: Outcomes) -> Answer {
    let target = world.target();
    let turns_on = |reached: &Reached| reached.outcome == Outcome::EnablesGil;
    let surely = outcomes.reached.iter().position(|reached| reached.certain && turns_on(reached));
    let (gil, first, because) = if !target.free_threaded {
        (GilAtEnd::On, None, format!("{target} always has the GIL"))
    } else if target.gil == Gil::On {
        (GilAtEnd::On, None, "PYTHON_GIL=1 turns it on before anything is imported".to_owned())
    } else if target.gil == Gil::Off {
        (GilAtEnd::Off, None, "PYTHON_GIL=0 keeps it off whatever is imported".to_owned())
    } else if let Some((surely, first)) = surely.and_then(|at| Some((at, outcomes.reached.get(at)?))) {
        let before = outcomes.reached.iter().take(surely).find(|reached| reached.module != first.module);
        match before {
            None => (GilAtEnd::On, Some(first.module.clone()), format!("{} turns it on", first.module)),
            Some(before) => (
                GilAtEnd::On,
                None,
                format!(
                    "{} turns it on, unless {} was imported before, which cannot be told",
                    first.module, before.module
                ),
            ),
        }
    } else if let Some(possible) = outcomes.reached.first() {
        let why = match (possible.certain, turns_on(possible)) {
            (true, _) => "is imported, and may turn it on",
            (false, true) => "may be imported, and turns it on",
            (false, false) => "may be imported, and may turn it on",
        };
        (GilAtEnd::Undetermined, None, format!("{} {why}", possible.module))
    } else if let Some((module, why)) = outcomes.incomplete.first().filter(|_| world.has_blockers()) {
        (GilAtEnd::Undetermined, None, format!("it is not known what {module} imports: {why}"))
    } else if let Some(script) = &outcomes.stopped {
        // Up to there it stays off; what would come after is not known.
        (GilAtEnd::Undetermined, None, format!("{script} stops at an import that fails"))
    } else {
        (GilAtEnd::Off, None, "no module that is imported turns it on".to_owned())
    };
    let blockers = blockers(world, &outcomes);
    let free: BTreeSet<Distribution> =
        blockers.iter().filter(|blocker| !blocker.later).filter_map(|blocker| blocker.distribution.clone()).collect();
    let Outcomes { failed, mut incomplete, modules, .. } = outcomes;
    incomplete.sort();
    incomplete.dedup();
    Answer {
        gil,
        first,
        because,
        blockers,
        free: free.into_iter().collect(),
        failed,
        incomplete,
        open_ends: Vec::new(),
        modules,
    }
}

/// Every module once: certain ones in import order, then possible ones, then those for later.
fn blockers(world: &World, outcomes: &Outcomes) -> Vec<Blocker> {
    let mut seen: BTreeMap<&str, ()> = BTreeMap::new();
    let mut all = Vec::new();
    let certain = outcomes.reached.iter().filter(|reached| reached.certain).map(|reached| (reached, false));
    let possible = outcomes.reached.iter().filter(|reached| !reached.certain).map(|reached| (reached, false));
    let later = outcomes.later.iter().map(|reached| (reached, true));
    for (reached, later) in certain.chain(possible).chain(later) {
        if seen.insert(&reached.module, ()).is_some() {
            continue;
        }
        let Some(Node::Extension(extension)) = world.node(reached.node) else { continue };
        all.push(Blocker {
            module: reached.module.clone(),
            file: extension.file.clone(),
            outcome: reached.outcome,
            distribution: extension.distribution.clone(),
            certain: reached.certain && !later,
            later,
            optional: reached.chain.iter().any(|link| link.kind == ImportKind::Try),
            chain: reached.chain.clone(),
        });
    }
    all
}
