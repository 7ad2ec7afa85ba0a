//! Modules that hand their initialisation to another module.
//!
//! A module that cffi generated calls `_cffi_backend`, a shim of mypyc calls its `…__mypyc` module. That module is the one of the same
//! platform or, failing that, of the same system.

use std::collections::{BTreeMap, BTreeSet};

use gilaudit_model::{
    Declaration, Delegate, Evidence, Framework, Loading, Mechanism, Os, Platform, Reason, Site, Status, Target, Version,
};

use super::Loaded;
use super::handover::{handed_to, taken_over};

/// How far a chain of delegations is followed. Real ones have one link.
const LONGEST_CHAIN: usize = 4;

/// Gives every module that hands on its initialisation the declaration of the file that it hands it to.
pub(super) fn resolve(files: &mut [Loaded], target: &Target) {
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
    /// The same whatever the architecture: the other builds of a release declare what it declares, so that the second slice of a
    /// fat file need not stay unknown where only one architecture of the other file is at hand.
    by_system: BTreeMap<(Os, String), Vec<usize>>,
}

impl Names {
    fn new(files: &[Loaded]) -> Self {
        let mut names = Self { by_module: BTreeMap::new(), by_system: BTreeMap::new() };
        // A file that the target does not load cannot be the one that is called.
        for (index, file) in files.iter().enumerate().filter(|(_, file)| file.found && file.loading.failure.is_none()) {
            let platform = file.platform();
            names.by_module.entry((platform, file.module.clone())).or_default().push(index);
            names.by_system.entry((platform.os, file.module.clone())).or_default().push(index);
        }
        names
    }

    /// What the file's loading becomes; `None` when it does not delegate.
    fn follow(&self, files: &[Loaded], index: usize, target: &Target, depth: usize) -> Option<Loading> {
        let file = files.get(index)?;
        let delegate = handed_to(&file.facts, &file.loading, target)?;
        let platform = file.platform();
        let to = self.candidates(files, index, delegate);
        let mut loading = file.loading.clone();
        let followed = |to: &usize| {
            let further = depth.checked_sub(1).and_then(|depth| self.follow(files, *to, target, depth));
            further.or_else(|| files.get(*to).map(|to| to.loading.clone()))
        };
        let followed: Vec<Loading> = to.iter().filter_map(followed).collect();
        let (Some(taken), Some(first)) = (followed.first(), to.first().and_then(|first| files.get(*first))) else {
            let mut declaration = if *delegate != Delegate::CffiBackend {
                Declaration::unknown(Reason::DelegateAbsent(delegate.clone()))
            } else if files.iter().any(|file| file.module == "_cffi_backend" && file.platform().os == platform.os) {
                Declaration::unknown(Reason::DelegateNotLoaded { to: delegate.clone(), target: *target })
            } else {
                of_any_cffi(&loading.hook, target)
            };
            declaration.delegated_to = Some(delegate.to_string());
            loading.declaration = declaration;
            return Some(loading);
        };
        let statuses: BTreeSet<Status> = followed.iter().map(|loading| loading.declaration.status).collect();
        loading.declaration = if statuses.len() == 1 {
            let handed_on = handed_on(&loading.hook, delegate);
            let mut declaration = taken_over(taken.declaration.clone(), &first.origin, handed_on);
            // From 2.0 on, cffi's backend declares for every module that it initialises, whatever that module's own C code does.
            if *delegate == Delegate::CffiBackend && declaration.status == Status::NotUsed {
                declaration.declared_by_tool = Some(Framework::Cffi);
            }
            declaration
        } else {
            let reason = Reason::DelegatesDisagree { to: delegate.clone(), inputs: to.len() };
            Declaration { delegated_to: Some(first.origin.to_string()), ..Declaration::unknown(reason) }
        };
        loading.init = taken.init;
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
        let module = |name: &str| {
            let own = self.by_module.get(&(platform, name.to_owned()));
            own.or_else(|| self.by_system.get(&(platform.os, name.to_owned()))).cloned().unwrap_or_default()
        };
        let mut named = match delegate {
            Delegate::CffiBackend => module("_cffi_backend"),
            Delegate::Capsule { module: name, .. } | Delegate::Module(name) => module(name),
            Delegate::Library { .. } => Vec::new(),
        };
        named.retain(|to| *to != index);
        named
    }
}

/// What a module has from a cffi that is not among the inputs. Free-threaded 3.14 and later can only use cffi 2.0 and later, whose
/// backend declares for every module that it makes.
///
/// `python-cffi/cffi` v2.0.0, `src/c/cffi1_module.c`, and its notes on the release: 3.13t is not supported.
fn of_any_cffi(hook: &str, target: &Target) -> Declaration {
    if !target.free_threaded || target.version < Version::V3_14 {
        return Declaration::unknown(Reason::DelegateAbsent(Delegate::CffiBackend));
    }
    let mut declaration = Declaration::new(Status::NotUsed, Mechanism::SetGil);
    declaration.evidence.push(handed_on(hook, &Delegate::CffiBackend));
    declaration.declared_by_tool = Some(Framework::Cffi);
    declaration.assumption = Some(
        "the _cffi_backend that makes the module, which is not among the inputs, is of cffi 2.0 or later and declares for all modules"
            .to_owned(),
    );
    declaration
}

fn handed_on(hook: &str, delegate: &Delegate) -> Evidence {
    Evidence { what: format!("initialisation handed to {delegate}"), at: Site::Named(hook.to_owned()).into() }
}

#[cfg(test)]
mod tests {
    use gilaudit_model::{
        Abi, Arch, BinaryFacts, BuiltFor, Definition, Format, GilCall, Header, Hook, HookKind, HookRun, Init,
        InitResult, Linked, Origin, Place, Slots, Versions,
    };

    use super::*;
    use crate::settings::DEFAULT_TARGET;

    fn place() -> Place {
        Place { address: 16, section: Some((".text".to_owned(), 0)), through: Vec::new() }
    }

    /// A module in the artifact `artifact`, whose init function leads to `result`.
    fn file(artifact: &str, module: &str, result: InitResult) -> Loaded {
        let symbol = format!("PyInit_{module}");
        let runs = vec![HookRun { versions: Versions::ALL, result }];
        let facts = BinaryFacts {
            format: Format::Elf,
            arch: Arch::X86_64,
            bits: 64,
            slice: None,
            abi: Abi { tag: None, built_for: BuiltFor::FreeThreaded },
            framework: None,
            hooks: vec![Hook { symbol, kind: HookKind::Init, at: place(), runs }],
            other_hooks: Vec::new(),
            needed: Vec::new(),
            linked: Linked::default(),
        };
        let loading = facts.load(module, &DEFAULT_TARGET).unwrap();
        let origin = Origin::path(artifact).member(format!("{module}.so"));
        Loaded { origin, module: module.to_owned(), sha256: None, facts, loading, found: true }
    }

    /// An init function that creates a module and calls `PyUnstable_Module_SetGIL` with this.
    fn declares(value: u64) -> InitResult {
        let definition = Definition {
            at: place(),
            layout: None,
            header: Header { ob_flags: None },
            name: None,
            size: None,
            slots: Slots::Null,
        };
        InitResult::SinglePhase { definition, gil: Some(GilCall { value: Some(value), at: place() }), created: place() }
    }

    fn to(module: &str) -> InitResult {
        InitResult::Delegated(Delegate::Module(module.to_owned()))
    }

    fn first(mut files: Vec<Loaded>) -> Declaration {
        resolve(&mut files, &DEFAULT_TARGET);
        files[0].loading.declaration.clone()
    }

    #[test]
    fn takes_over_the_declaration_with_its_evidence() {
        let cffi = || InitResult::Delegated(Delegate::CffiBackend);
        let mut files = vec![file("a.whl", "_bindings", cffi()), file("cffi.whl", "_cffi_backend", declares(1))];
        resolve(&mut files, &DEFAULT_TARGET);
        let loading = &files[0].loading;
        assert_eq!((loading.declaration.status, loading.init), (Status::NotUsed, Init::SinglePhase));
        assert_eq!(loading.declaration.delegated_to.as_deref(), Some("cffi.whl!_cffi_backend.so"));
        assert_eq!(loading.declaration.evidence[0].what, "initialisation handed to _cffi_backend");
        assert!(loading.declaration.evidence[1].at.to_string().starts_with("cffi.whl!_cffi_backend.so section .text"));
    }

    #[test]
    fn unknown_without_the_other_file() {
        let alone = first(vec![file("a.whl", "a", to("b"))]);
        assert_eq!(alone.status, Status::Unknown);
        let reason = alone.reason.unwrap();
        assert_eq!(reason.code(), "delegate-absent");
        assert_eq!(reason.to_string(), "delegated to b, which is not among the inputs");
    }

    #[test]
    fn a_file_that_the_target_does_not_load_is_not_the_one() {
        let missed = Loaded { found: false, ..file("b.whl", "b", declares(1)) };
        assert_eq!(first(vec![file("a.whl", "a", to("b")), missed]).status, Status::Unknown);
    }

    #[test]
    fn the_own_artifact_comes_first_and_others_must_agree() {
        let a = || file("a.whl", "a", to("b"));
        let near = vec![a(), file("a.whl", "b", declares(1)), file("b.whl", "b", declares(0))];
        assert_eq!(first(near).status, Status::NotUsed);
        let far = vec![a(), file("c.whl", "b", declares(1)), file("b.whl", "b", declares(0))];
        let far = first(far);
        assert_eq!(far.status, Status::Unknown);
        assert!(far.reason.unwrap().to_string().contains("2 inputs disagree"));
    }

    #[test]
    fn chains_and_circles_end() {
        let chain = vec![file("a.whl", "a", to("b")), file("a.whl", "b", to("c")), file("a.whl", "c", declares(1))];
        assert_eq!(first(chain).status, Status::NotUsed);
        let circle = vec![file("a.whl", "a", to("b")), file("a.whl", "b", to("a"))];
        assert_eq!(first(circle).status, Status::Unknown);
        assert_eq!(first(vec![file("a.whl", "a", to("a"))]).status, Status::Unknown);
    }
}
