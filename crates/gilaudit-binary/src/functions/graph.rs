//! When functions run: whenever Python code runs, or while the module is imported only.

use std::collections::BTreeSet;

use gilaudit_model::flow::{Reach, Role};

use super::Functions;

/// Follows calls from everything whose address is taken, and from what runs at import.
///
/// `taken` are addresses in data, `importing` those that run at import. A function whose address code or data takes can be called by
/// whoever gets it, but for those of which it is known that only the import machinery does.
pub(super) fn reach(functions: &mut Functions, taken: &BTreeSet<u64>, importing: &BTreeSet<u64>) {
    let mut entries: Vec<usize> = Vec::new();
    let mut initial: Vec<usize> = Vec::new();
    let by_code: BTreeSet<u64> = functions.list.iter().flat_map(|found| found.seen.taken.iter().copied()).collect();
    for (index, found) in functions.list.iter_mut().enumerate() {
        if importing.contains(&found.start) {
            found.role = if found.role == Role::Other { Role::Import } else { found.role };
            initial.push(index);
        } else if taken.contains(&found.start) || by_code.contains(&found.start) {
            entries.push(index);
        }
    }
    for (from, reach) in [(initial, Reach::Import), (entries, Reach::Python)] {
        let mut work = from;
        while let Some(index) = work.pop() {
            let Some(found) = functions.list.get_mut(index) else { continue };
            // What Python reaches was perhaps reached at import before.
            if found.reach == reach || found.reach == Reach::Python {
                continue;
            }
            found.reach = reach;
            let targets: Vec<u64> = found.seen.calls.iter().chain(&found.seen.jumps).copied().collect();
            work.extend(targets.iter().filter_map(|target| functions.index(*target)));
        }
    }
    parts(functions, taken, &by_code);
}

/// Code that is jumped into by one function alone, and is called by nobody, is a part of that function: what compilers move out of the
/// way (`.cold`).
fn parts(functions: &mut Functions, taken: &BTreeSet<u64>, by_code: &BTreeSet<u64>) {
    let called: BTreeSet<u64> = functions.list.iter().flat_map(|found| found.seen.calls.iter().copied()).collect();
    let mut parts = BTreeSet::new();
    for found in &functions.list {
        for target in &found.seen.branches {
            let own = functions.at(*target).and_then(|found| found.symbol.as_deref());
            let is_cold = own.is_some_and(|symbol| symbol.ends_with(".cold") || symbol.contains(".cold."));
            if is_cold || !called.contains(target) && !taken.contains(target) && !by_code.contains(target) {
                parts.insert(*target);
            }
        }
    }
    functions.parts = parts;
}
