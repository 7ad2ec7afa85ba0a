//! From what a run saw to the answer: does the GIL stay off, who turns it on first, and what frees the process.

use std::collections::{BTreeMap, BTreeSet};

use gilaudit_model::{Distribution, Gil, ImportKind, Outcome};

use super::run::{Link, Outcomes, Reached, Via};
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
    /// Whether threads may be running already when it turns the GIL on.
    pub threads: bool,
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
    /// Folders and files that the program names and that were not given.
    pub wanted: Vec<String>,
}

/// Judges a run.
pub fn answer(world: &World, outcomes: Outcomes) -> Answer {
    let (gil, first, because) = verdict(world, &outcomes);
    let blockers = blockers(world, &outcomes);
    let free: BTreeSet<Distribution> =
        blockers.iter().filter(|blocker| !blocker.later).filter_map(|blocker| blocker.distribution.clone()).collect();
    let Outcomes { failed, mut incomplete, mut open_ends, modules, wanted, .. } = outcomes;
    incomplete.sort();
    incomplete.dedup();
    // Those that matter first, in the order of the run.
    open_ends.sort_by_key(|end| end.meets.is_empty());
    Answer {
        gil,
        first,
        because,
        blockers,
        free: free.into_iter().collect(),
        failed,
        incomplete,
        open_ends,
        modules,
        wanted: wanted.into_iter().collect(),
    }
}

fn verdict(world: &World, outcomes: &Outcomes) -> (GilAtEnd, Option<String>, String) {
    let target = world.target();
    if !target.free_threaded {
        return (GilAtEnd::On, None, format!("{target} always has the GIL"));
    }
    match target.gil {
        Gil::On => return (GilAtEnd::On, None, "PYTHON_GIL=1 turns it on before anything is imported".to_owned()),
        Gil::Off => return (GilAtEnd::Off, None, "PYTHON_GIL=0 keeps it off whatever is imported".to_owned()),
        Gil::Default => {}
    }
    let turns_on = |reached: &Reached| reached.outcome == Outcome::EnablesGil;
    let surely = outcomes.reached.iter().position(|reached| reached.certain && turns_on(reached));
    if let Some((at, first)) = surely.and_then(|at| Some((at, outcomes.reached.get(at)?))) {
        let earlier = |(index, other): &(usize, &Reached)| {
            other.module != first.module
                && (*index < at || other.since <= at && !other.certain && matches!(other.via, Via::Open(_)))
        };
        return match outcomes.reached.iter().enumerate().find(earlier) {
            None => (GilAtEnd::On, Some(first.module.clone()), format!("{} turns it on", first.module)),
            Some((_, before)) => (
                GilAtEnd::On,
                None,
                format!(
                    "{} turns it on, unless {} was imported before, which cannot be told",
                    first.module, before.module
                ),
            ),
        };
    }
    if let Some(possible) = outcomes.reached.iter().find(|reached| reached.via == Via::Seen || reached.certain) {
        let why = match (possible.certain, turns_on(possible)) {
            (true, _) => "is imported, and may turn it on",
            (false, true) => "may be imported, and turns it on",
            (false, false) => "may be imported, and may turn it on",
        };
        return (GilAtEnd::Undetermined, None, format!("{} {why}", possible.module));
    }
    if let Some(place) = &outcomes.stopped {
        // Up to there it stays off; what would come after is not known.
        return (GilAtEnd::Undetermined, None, format!("the program stops at {place}"));
    }
    if let Some((name, why)) = outcomes.failed.first() {
        return (GilAtEnd::Undetermined, None, format!("{name} cannot be imported: {why}"));
    }
    if let Some((place, name)) = outcomes.unfound.first() {
        return (
            GilAtEnd::Undetermined,
            None,
            format!("{place} imports {name}, which is in none of the folders that are known"),
        );
    }
    let meeting: Vec<&OpenEnd> = outcomes.open_ends.iter().filter(|end| !end.meets.is_empty()).collect();
    if let Some(end) = meeting.first() {
        let place = if end.line > 0 { format!("{}:{}", end.file, end.line) } else { end.file.clone() };
        let more = match end.meets.len() {
            0 | 1 => String::new(),
            all => format!(" or one of {} others", all - 1),
        };
        let others = match meeting.len() {
            1 => String::new(),
            2 => "; 1 other open end may, too".to_owned(),
            all => format!("; {} other open ends may, too", all - 1),
        };
        let meets = end.meets.first().map_or("", String::as_str);
        return (GilAtEnd::OffUnless, None, format!("{place} ({}) leads to {meets}{more}{others}", end.what));
    }
    (GilAtEnd::Off, None, "no module that is imported turns it on".to_owned())
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
            threads: reached.threads && !later,
            optional: reached.chain.iter().any(|link| link.kind == ImportKind::Try),
            chain: reached.chain.clone(),
        });
    }
    all
}
