//! Which modules that share a lock reach one that has to be alone, by the names in their files.
//!
//! Only under a policy that has both kinds: an ordinary audit does not read a file twice.

use std::collections::{BTreeMap, BTreeSet};

use gilaudit_binary::internal::ModuleNames;
use gilaudit_input::{Inventory, Member};
use gilaudit_model::{Action, Platform};
use rayon::prelude::*;

use crate::answers::{Judged, Reach};

/// The exclusive modules that the shared ones name: a module that is not named cannot be imported, and its functions not be looked up.
pub(crate) fn reaches(inventory: &Inventory, extensions: &[Judged]) -> Vec<Reach> {
    let with = |action: Action| extensions.iter().filter(move |judged| judged.decision.action == action);
    let exclusive: BTreeSet<(Platform, &str)> =
        with(Action::Exclusive).map(|judged| (judged.extension.platform(), judged.extension.module.as_str())).collect();
    let shared: Vec<&Judged> = with(Action::Shared).collect();
    if exclusive.is_empty() || shared.is_empty() {
        return Vec::new();
    }
    let whole = exclusive.iter().map(|(_, module)| (*module).to_owned());
    // Relative imports name the last part.
    let tails = exclusive.iter().filter_map(|(_, module)| module.rsplit_once('.')).map(|(_, tail)| tail.to_owned());
    let names = ModuleNames::new(whole.chain(tails).collect());
    let members: BTreeMap<&str, &Member> =
        inventory.members.iter().map(|member| (member.origin.file_path(), member)).collect();
    let mut found: Vec<Reach> = shared
        .into_par_iter()
        .flat_map_iter(|judged| {
            let own = &judged.extension;
            let member = members.get(own.origin.file_path());
            let bytes = member.and_then(|member| inventory.read(member).ok());
            let mentioned =
                bytes.and_then(|bytes| gilaudit_binary::internal::imports_of(&*bytes, &names).ok()).unwrap_or_default();
            let package = own.module.rsplit_once('.').map(|(package, _)| package);
            let meant = |name: &String| {
                let relative = package.map(|package| format!("{package}.{name}"));
                let candidates = [Some(name.clone()), relative].into_iter().flatten();
                candidates
                    .filter(|module| exclusive.contains(&(own.platform(), module.as_str())))
                    .collect::<Vec<String>>()
            };
            // Within longer text, a name without a dot may be any word.
            let within = mentioned.within.iter().filter(|name| name.contains('.'));
            let modules: Vec<String> = mentioned.exactly.iter().chain(within).flat_map(meant).collect();
            modules.into_iter().map(|to| Reach { platform: own.platform(), from: own.module.clone(), to })
        })
        .collect();
    found.sort();
    found.dedup();
    found
}
