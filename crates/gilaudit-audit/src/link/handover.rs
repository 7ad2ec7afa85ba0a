//! To whom a file hands the initialisation of a module, and what the module has from there.

use gilaudit_model::{BinaryFacts, Declaration, Delegate, Evidence, InitResult, Loading, Origin, Target};

/// To what the init function that the target calls hands its work, if it does.
pub(super) fn handed_to<'f>(facts: &'f BinaryFacts, loading: &Loading, target: &Target) -> Option<&'f Delegate> {
    let hook = facts.hooks.iter().find(|hook| hook.symbol == loading.hook)?;
    let run = hook.runs.iter().find(|run| run.versions.contains(target.version))?;
    if let InitResult::Delegated(delegate) = &run.result { Some(delegate) } else { None }
}

/// A declaration as one takes it over that hands its initialisation to the file `from`: with the same evidence, in that file, and after
/// what shows that it is handed on.
pub(super) fn taken_over(declaration: Declaration, from: &Origin, handed_on: Evidence) -> Declaration {
    let there = declaration.evidence.into_iter().map(|seen| Evidence { what: seen.what, at: seen.at.by_way_of(from) });
    let evidence = std::iter::once(handed_on).chain(there).collect();
    Declaration { evidence, delegated_to: Some(from.to_string()), ..declaration }
}
