//! Modules that hand their initialisation to another file.
//!
//! A module that cffi generated calls `_cffi_backend`, a shim of mypyc calls its `…__mypyc` module, a stub calls a library that it
//! needs. What such a module declares is written in that other file: it has that file's declaration when one of the same platform,
//! which the target loads as well, is among the inputs. Otherwise it stays unknown, and the reason says where to look.

use std::collections::{BTreeMap, BTreeSet};

use gilaudit_model::{
    BinaryFacts, Declaration, Delegate, Evidence, InitResult, Loading, Origin, Platform, Status, Target,
};

/// One architecture of one file that is an extension, as far as it is known before delegation.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) origin: Origin,
    pub(crate) module: String,
    pub(crate) facts: BinaryFacts,
    pub(crate) loading: Loading,
    /// Whether the target finds the file by its name.
    pub(crate) found: bool,
}

impl Loaded {
    pub(crate) fn platform(&self) -> Platform {
        Platform { os: self.facts.format.os(), arch: self.facts.arch }
    }

    /// To what the init function that the target calls hands its work, if it does.
    fn delegate(&self, target: &Target) -> Option<&Delegate> {
        let hook = self.facts.hooks.iter().find(|hook| hook.symbol == self.loading.hook)?;
        let run = hook.runs.iter().find(|run| run.versions.contains(target.version))?;
        if let InitResult::Delegated(delegate) = &run.result { Some(delegate) } else { None }
    }
}

/// How far a chain of delegations is followed. Real ones have one link.
const LONGEST_CHAIN: usize = 4;

/// Gives every module that hands on its initialisation the declaration of the file that it hands it to.
pub(crate) fn resolve(files: &mut [Loaded], target: &Target) {
    let names = Names::new(files);
    let resolved: Vec<(usize, Loading)> = (0..files.len())
        .filter_map(|index| names.follow(files, index, target, LONGEST_CHAIN).map(|loading| (index, loading)))
        .collect();
    for (index, loading) in resolved {
        if let Some(file) = files.get_mut(index) {
            file.loading = loading;
        }
    }
}

/// The inputs by what a delegation names them by.
struct Names {
    by_module: BTreeMap<(Platform, String), Vec<usize>>,
    by_file: BTreeMap<(Platform, String), Vec<usize>>,
}

impl Names {
    fn new(files: &[Loaded]) -> Self {
        let mut names = Self { by_module: BTreeMap::new(), by_file: BTreeMap::new() };
        // A file that the target does not load cannot be the one that is called.
        for (index, file) in files.iter().enumerate().filter(|(_, file)| file.found && file.loading.failure.is_none()) {
            let platform = file.platform();
            names.by_module.entry((platform, file.module.clone())).or_default().push(index);
            let file_name = file.origin.file_name().to_owned();
            names.by_file.entry((platform, file_name)).or_default().push(index);
        }
        names
    }

    /// What the file's loading becomes; `None` when it does not delegate.
    fn follow(&self, files: &[Loaded], index: usize, target: &Target, depth: usize) -> Option<Loading> {
        let file = files.get(index)?;
        let delegate = file.delegate(target)?;
        let to = self.candidates(files, index, delegate);
        let mut loading = file.loading.clone();
        let followed = |to: &usize| {
            let further = depth.checked_sub(1).and_then(|depth| self.follow(files, *to, target, depth));
            further.or_else(|| files.get(*to).map(|to| to.loading.clone()))
        };
        let followed: Vec<Loading> = to.iter().filter_map(followed).collect();
        let (Some(taken), Some(first)) = (followed.first(), to.first().and_then(|first| files.get(*first))) else {
            let mut declaration =
                Declaration::unknown(format!("delegated to {delegate}, which is not among the inputs"));
            declaration.delegated_to = Some(delegate.to_string());
            loading.declaration = declaration;
            return Some(loading);
        };
        let statuses: BTreeSet<Status> = followed.iter().map(|loading| loading.declaration.status).collect();
        loading.declaration = if statuses.len() == 1 {
            let mut declaration = taken.declaration.clone();
            for evidence in &mut declaration.evidence {
                evidence.at = format!("{} {}", first.origin, evidence.at);
            }
            declaration.evidence.insert(0, handed_on(&loading.hook, delegate));
            declaration
        } else {
            Declaration::unknown(format!("delegated to {delegate}, of which {} inputs disagree", to.len()))
        };
        loading.init = taken.init;
        loading.declaration.delegated_to = Some(first.origin.to_string());
        Some(loading)
    }

    /// The files that `delegate` can mean. One in the artifact of the file itself is meant before one elsewhere.
    fn candidates(&self, files: &[Loaded], index: usize, delegate: &Delegate) -> Vec<usize> {
        let artifact = |index: usize| files.get(index).and_then(|file| file.origin.parts().first());
        let all = self.named(files, index, delegate);
        let near: Vec<usize> = all.iter().copied().filter(|to| artifact(*to) == artifact(index)).collect();
        if near.is_empty() { all } else { near }
    }

    fn named(&self, files: &[Loaded], index: usize, delegate: &Delegate) -> Vec<usize> {
        let Some(file) = files.get(index) else { return Vec::new() };
        let platform = file.platform();
        let module = |name: &str| self.by_module.get(&(platform, name.to_owned())).cloned().unwrap_or_default();
        let mut named = match delegate {
            Delegate::CffiBackend => module("_cffi_backend"),
            Delegate::Capsule { module: name, .. } | Delegate::Module(name) => module(name),
            Delegate::Library { .. } => {
                let by_name = |needed: &String| {
                    let name = needed.rsplit(['/', '\\']).next().unwrap_or(needed).to_owned();
                    self.by_file.get(&(platform, name)).cloned().unwrap_or_default()
                };
                file.facts.needed.iter().flat_map(by_name).collect()
            }
        };
        named.retain(|to| *to != index);
        named
    }
}

fn handed_on(hook: &str, delegate: &Delegate) -> Evidence {
    Evidence { what: format!("initialisation handed to {delegate}"), at: hook.to_owned() }
}
