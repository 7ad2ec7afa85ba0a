//! Which functions are followed: those that do something that a rule asks about, and those that hand them what they work on.

use std::collections::{BTreeSet, HashSet};

use gilaudit_model::flow::{MadeBy, Reach, Role};
use gilaudit_model::{Framework, capi};

use crate::functions::{Functions, Kind};
use crate::image::Image;

/// How far callers are followed, for what they hand on.
const CALLERS: usize = 2;

/// Most callers of one function that are followed.
const MOST_CALLERS: usize = 24;

/// The numbers of the functions that are followed.
pub(super) fn wanted(image: &Image<'_>, functions: &Functions, kind: Kind) -> BTreeSet<usize> {
    let names = image.cells().import_names();
    let numbered = |ask: &dyn Fn(&str) -> bool| -> HashSet<u32> {
        (0u32..).zip(names).filter(|(_, name)| ask(name)).map(|(index, _)| index).collect()
    };
    let asked = numbered(&is_asked);
    let python = numbered(&|name| name.starts_with("Py") || name.starts_with("_Py"));
    let near = near_python(functions, &python);
    let written_by_hand =
        kind.framework.is_none_or(|framework| matches!(framework, Framework::Cffi | Framework::Swig | Framework::F2py));
    let mut wanted = BTreeSet::new();
    for (index, found) in functions.list.iter().enumerate() {
        if functions.parts.contains(&found.start) || found.reach == Reach::Import && found.names.is_empty() {
            continue;
        }
        // What a generator's run-time library does is its makers' business, but for one that compiles Python to C.
        let of_mypyc = found.made_by == MadeBy::Generator(Framework::Mypyc);
        if !super::is_authors(found) && !of_mypyc {
            continue;
        }
        let calls = found.seen.imports.iter().any(|import| asked.contains(import));
        let writes = found.seen.writes_static && near.contains(&index) && (written_by_hand || found.symbol.is_some());
        let items = near.contains(&index) && (written_by_hand || of_mypyc);
        if calls || writes || items || found.role == Role::Buffer {
            wanted.insert(index);
        }
    }
    // Who hands containers on.
    let callers = functions.callers();
    let mut edge: Vec<usize> = wanted.iter().copied().collect();
    for _ in 0..CALLERS {
        let mut next = Vec::new();
        for found in edge.iter().filter_map(|index| functions.list.get(*index)).filter(|found| found.names.is_empty()) {
            for caller in callers.get(&found.start).into_iter().flatten().take(MOST_CALLERS) {
                if wanted.insert(*caller) {
                    next.push(*caller);
                }
            }
        }
        edge = next;
    }
    wanted
}

/// Whether a rule asks about calls of this name.
fn is_asked(name: &str) -> bool {
    capi::borrowed(name).is_some()
        || capi::unsafe_libc(name).is_some_and(|known| !known.is_note)
        || matches!(name, "PyDict_Next" | "PySequence_Fast")
}

/// The functions that call Python, and those that call or are called by one of them directly: what is further away is a library's.
fn near_python(functions: &Functions, python: &HashSet<u32>) -> BTreeSet<usize> {
    let direct: BTreeSet<usize> = (0..functions.list.len())
        .filter(|index| {
            let found = functions.list.get(*index);
            found.is_some_and(|found| {
                !found.names.is_empty() || found.seen.imports.iter().any(|import| python.contains(import))
            })
        })
        .collect();
    let mut near = direct.clone();
    for (index, found) in functions.list.iter().enumerate() {
        let callees: Vec<usize> =
            found.seen.calls.iter().chain(&found.seen.jumps).filter_map(|target| functions.index(*target)).collect();
        if callees.iter().any(|callee| direct.contains(callee)) {
            near.insert(index);
        }
    }
    near
}
