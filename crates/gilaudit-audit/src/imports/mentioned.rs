//! Which modules an extension may import by the names in its file.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gilaudit_binary::internal::{Mentioned, may_be_in_table};
use gilaudit_model::Outcome;
use gilaudit_policy::imports::World;
use memchr::memmem;

use super::requirements::{Requirements, normalised};
use crate::answers::Judged;

/// A name within longer text counts from this length on: shorter ones are parts of words everywhere.
const SHORTEST_WITHIN: usize = 5;

/// Which modules the code of an extension may mean by the names that its file mentions.
///
/// A name counts when it is dotted, when it is a sibling of the extension, or when it is of a distribution that the extension's own
/// requires, extras included: `param` and `click` are words, too, and an application's own `config`. A C string that is just the name
/// also counts within the extension's own distribution, and if that is not known.
pub(super) fn plausible(
    world: &World,
    requirements: &Requirements,
    judged: &Judged,
    mentioned: &Mentioned,
) -> Vec<String> {
    let own = &judged.extension;
    let package = own.module.rsplit_once('.').map(|(package, _)| package);
    let relative = |name: &String| package.map(|package| format!("{package}.{name}")).filter(|name| world.has(name));
    let required = own.distribution.as_ref().map(|it| requirements.reachable(&it.name, true)).unwrap_or_default();
    let is_required = |name: &str| {
        world.distribution(name).is_some_and(|distribution| required.contains(&normalised(&distribution.name)))
    };
    let mut imports: BTreeSet<String> = BTreeSet::new();
    let is_own = |name: &str| own.distribution.is_none() || world.distribution(name) == own.distribution.as_ref();
    for name in &mentioned.exactly {
        imports.extend(relative(name));
        let plausible = (name.contains('.') || is_own(name) || is_required(name)) && world.has(name);
        imports.extend(plausible.then(|| name.clone()));
    }
    for name in mentioned.within.iter().filter(|name| name.len() >= SHORTEST_WITHIN) {
        imports.extend(relative(name));
        let plausible = (name.contains('.') || is_required(name)) && world.has(name);
        imports.extend(plausible.then(|| name.clone()));
    }
    imports.remove(&own.module);
    imports.into_iter().collect()
}

/// Every module by the distribution that it is of.
pub(super) type Modules = BTreeMap<String, Vec<String>>;

pub(super) fn by_distribution(world: &World) -> Modules {
    let mut modules = Modules::new();
    for name in world.modules() {
        if let Some(distribution) = world.distribution(&name) {
            modules.entry(normalised(&distribution.name)).or_default().push(name);
        }
    }
    modules
}

/// Which modules of its own distribution, and of those that this one requires, an extension may import by names in these texts.
pub(super) fn unsplit(
    modules: &Modules,
    requirements: &Requirements,
    judged: &Judged,
    texts: &[Vec<u8>],
) -> Vec<String> {
    let own = &judged.extension;
    let mut known: HashMap<&str, bool> = HashMap::new();
    let mut has = |name| {
        *known.entry(name).or_insert_with(|| name.len() > 1 && texts.iter().any(|text| may_be_in_table(text, name)))
    };
    let reachable = match &own.distribution {
        Some(distribution) => requirements.reachable(&distribution.name, true),
        None => modules.keys().cloned().collect(),
    };
    // Few texts have any name of another distribution: the rest is for those that have.
    let mut contained: HashMap<&str, bool> = HashMap::new();
    let mut contains = |name| {
        let is_in = |text: &Vec<u8>| memmem::find(text, str::as_bytes(name)).is_some();
        *contained.entry(name).or_insert_with(|| texts.iter().any(is_in))
    };
    let mut found = Vec::new();
    for module in reachable.iter().filter_map(|distribution| modules.get(distribution)).flatten() {
        let (package, last) = module.rsplit_once('.').unwrap_or(("", module));
        let top = module.split('.').next().unwrap_or_default();
        // `import a.b`, `from a import b`; `from .b import x` in a package that is `a`, or below it.
        let mut relative = module.match_indices('.').filter(|(at, _)| {
            let inside = own.module.strip_prefix(module.get(..*at).unwrap_or_default());
            inside.is_some_and(|inside| inside.starts_with('.'))
        });
        let relative = relative.any(|(at, _)| has(module.get(at + 1..).unwrap_or_default()));
        let absolute = contains(top) && (has(module) || has(package) && has(last));
        if *module != own.module && (absolute || relative) {
            found.push(module.clone());
        }
    }
    found
}

/// What an extension may import that matters here, when its file does not say: the blockers of its own distribution and of those
/// that this one requires. What is not required is taken not to be imported.
pub(super) fn in_reach(requirements: &Requirements, judged: &Judged, extensions: &[Judged]) -> Vec<String> {
    let own = judged.extension.distribution.as_ref();
    let reachable = own.map(|it| requirements.reachable(&it.name, false));
    let blocks = |other: &&Judged| {
        let outcome = other.decision.outcome;
        matches!(outcome, Outcome::EnablesGil | Outcome::RunsFreeForced | Outcome::Undetermined)
            && other.extension.module != judged.extension.module
            && match (&reachable, &other.extension.distribution) {
                (Some(reachable), Some(it)) => reachable.contains(&normalised(&it.name)),
                _ => true,
            }
    };
    extensions.iter().filter(blocks).map(|other| other.extension.module.clone()).collect()
}

/// The names that an extension may import something by: every module's, and the last part of it for relative imports.
pub(super) fn mentionable(world: &World) -> BTreeSet<String> {
    let mut names = world.modules();
    let tails: Vec<String> =
        names.iter().filter_map(|name| name.rsplit_once('.')).map(|(_, tail)| tail.to_owned()).collect();
    names.extend(tails);
    names
}
