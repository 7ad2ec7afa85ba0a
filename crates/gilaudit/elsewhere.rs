//! Init functions that are in another library than the module's own file.
//!
//! The interpreter looks an init function up with `dlsym`, which also searches the libraries that a file needs, and an init function
//! may be a stub that calls one in such a library. When the library is among the inputs, that function is what decides.
//!
//! CPython 3.13 to 3.15, `Python/dynload_shlib.c`, `_PyImport_FindSharedFuncptr`. Windows does not search this way, but a stub works
//! there as well.

use std::collections::BTreeMap;

use gilaudit_binary::{Hints, Limits, read};
use gilaudit_input::{Inventory, Member};
use gilaudit_model::{
    BinaryFacts, Delegate, Evidence, Format, ImportFailure, InitResult, Loading, Origin, Platform, Status, Target,
    cpython::{missing_symbols, module_stem},
};

use crate::linked::{Closure, without_declaring, wrong_dll};

/// The shared libraries among the inputs, by file name.
pub(crate) struct Libraries<'a> {
    inventory: &'a Inventory,
    limits: &'a Limits,
    by_name: BTreeMap<&'a str, Vec<&'a Member>>,
}

impl<'a> Libraries<'a> {
    pub(crate) fn new(inventory: &'a Inventory, limits: &'a Limits) -> Self {
        let mut by_name: BTreeMap<&str, Vec<&Member>> = BTreeMap::new();
        for member in &inventory.members {
            by_name.entry(member.origin.file_name()).or_default().push(member);
        }
        Self { inventory, limits, by_name }
    }

    /// What `target` makes of `module` in this file. Like [`BinaryFacts::load`], but looks into needed libraries too.
    pub(crate) fn load(&self, facts: &BinaryFacts, origin: &Origin, module: &str, target: &Target) -> Option<Loading> {
        let loading = match facts.load(module, target) {
            Some(loading) => match stub(facts, &loading, target) {
                Some(symbol) => self.follow(facts, origin, module, symbol, target).or(Some(loading)),
                None => Some(loading),
            },
            None if facts.format == Format::Pe => None,
            None => {
                let name = module_stem(origin.file_name());
                self.follow(facts, origin, module, &format!("PyInit_{}", name.replace('-', "_")), target)
            }
        }?;
        Some(self.by_names(facts, origin, module, loading, target))
    }

    /// What the names that the file and its libraries use say of `loading`: that the target lacks one, or that none could declare.
    fn by_names(
        &self,
        facts: &BinaryFacts,
        origin: &Origin,
        module: &str,
        mut loading: Loading,
        target: &Target,
    ) -> Loading {
        if let Some(failure) = wrong_dll(facts, module, target) {
            loading.failure = Some(failure);
            return loading;
        }
        let unknown = loading.declaration.status == Status::Unknown && loading.failure.is_none();
        if !unknown && missing_symbols(&facts.linked, target).is_empty() {
            return loading;
        }
        let closure = Closure::new(facts, |needed| self.library(facts, origin, needed));
        if let Some(missing) = closure.missing_symbol(target) {
            // What the file was built for says more than the first name that is missing; the loader's error is that of the name.
            let kind = loading.failure.as_ref().map_or(missing.kind, |failure| failure.kind);
            loading.failure = Some(ImportFailure { kind, ..missing });
            return loading;
        }
        without_declaring(&loading, &closure).unwrap_or(loading)
    }

    /// The facts of a needed library, by its name: of the same artifact before any other.
    fn library(&self, facts: &BinaryFacts, origin: &Origin, name: &str) -> Option<(String, BinaryFacts)> {
        let platform = |facts: &BinaryFacts| Platform { os: facts.format.os(), arch: facts.arch };
        let mut members = self.by_name.get(name)?.clone();
        members.sort_by_key(|member| distance(&member.origin, origin));
        members.into_iter().find_map(|member| {
            let bytes = self.inventory.read(member).ok()?;
            let hints = Hints { origin: &member.origin, tags: member.tags.as_ref(), function: Some("") };
            let (all, _) = read(&bytes, &hints, self.limits);
            let there = all.into_iter().find(|there| platform(there) == platform(facts))?;
            Some((member.origin.to_string(), there))
        })
    }

    /// What the function `symbol` of a needed library does.
    fn follow(
        &self,
        facts: &BinaryFacts,
        origin: &Origin,
        module: &str,
        symbol: &str,
        target: &Target,
    ) -> Option<Loading> {
        let (library, there) = self.find(facts, origin, symbol)?;
        let mut loading = there.load(module, target)?;
        for evidence in &mut loading.declaration.evidence {
            evidence.at = format!("{library} {}", evidence.at);
        }
        let handed_on = Evidence { what: format!("{symbol} is in a needed library"), at: library.to_string() };
        loading.declaration.evidence.insert(0, handed_on);
        loading.declaration.delegated_to = Some(library.to_string());
        Some(loading)
    }

    /// The first needed library that has the function: of the same artifact before any other.
    fn find(&self, facts: &BinaryFacts, origin: &Origin, symbol: &str) -> Option<(Origin, BinaryFacts)> {
        let platform = |facts: &BinaryFacts| Platform { os: facts.format.os(), arch: facts.arch };
        for needed in &facts.needed {
            let name = needed.rsplit(['/', '\\']).next().unwrap_or(needed);
            let Some(members) = self.by_name.get(name) else { continue };
            let mut members = members.clone();
            members.sort_by_key(|member| distance(&member.origin, origin));
            for member in members {
                let Ok(bytes) = self.inventory.read(member) else { continue };
                let hints = Hints { origin: &member.origin, tags: member.tags.as_ref(), function: Some(symbol) };
                let (all, _) = read(&bytes, &hints, self.limits);
                let has_it = |there: &BinaryFacts| !there.hooks.is_empty() && platform(there) == platform(facts);
                if let Some(there) = all.into_iter().find(has_it) {
                    return Some((member.origin.clone(), there));
                }
            }
        }
        None
    }
}

/// The function of a needed library that the init function only calls.
fn stub<'a>(facts: &'a BinaryFacts, loading: &Loading, target: &Target) -> Option<&'a str> {
    let hook = facts.hooks.iter().find(|hook| hook.symbol == loading.hook)?;
    let run = hook.runs.iter().find(|run| run.versions.contains(target.version))?;
    match &run.result {
        InitResult::Delegated(Delegate::Library { symbol }) => Some(symbol),
        _ => None,
    }
}

/// How far apart two files are: how many folders and members their origins do not share.
fn distance(a: &Origin, b: &Origin) -> usize {
    let path = |origin: &Origin| origin.parts().join("/");
    let (a, b) = (path(a), path(b));
    let shared = a.split('/').zip(b.split('/')).take_while(|(a, b)| a == b).count();
    a.split('/').count() + b.split('/').count() - 2 * shared
}
