//! Classes of the project that hold a lock as long as a variable of them lives: `struct lock_it { … ~lock_it() { PyMutex_Unlock(…); } };`.

use std::collections::HashMap;

use gilaudit_model::source::{ExprId, Name, Project};

use crate::engine::api::{self, LockFamily};
use crate::engine::locks::Effect;
use crate::engine::values::callee;

/// What declaring a variable of each such class does, under the name of the class.
pub(super) fn guards(project: &Project) -> HashMap<Name, Effect> {
    let mut guards = HashMap::new();
    let mut add = |class: Name, family: LockFamily| {
        guards.entry(class).or_insert(Effect { guard: Some(family), ..Effect::default() });
    };
    // A destructor that releases, and takes nothing: one that takes belongs to a class that lets go for a while.
    for function in &project.functions {
        let Some(class) = function.class.filter(|_| project.text(function.name).starts_with('~')) else { continue };
        let calls = (0..function.body.exprs.len() as u32).filter_map(|call| callee(&function.body, ExprId(call)));
        let calls: Vec<Name> = calls.collect();
        // A mutex of the project, by the name of its method.
        if let [only] = calls.as_slice()
            && matches!(project.text(*only), "unlock" | "Unlock" | "unlock_shared" | "ReaderUnlock" | "release_lock")
        {
            add(class, LockFamily::Cpp);
            continue;
        }
        let calls = calls.into_iter();
        let primitives: Vec<_> = calls.filter_map(|name| api::lock_primitive(project.text(name))).collect();
        if let Some(first) = primitives.first()
            && primitives.iter().all(|primitive| !primitive.acquires)
            && first.family.is_lock()
        {
            add(class, first.family);
        }
    }
    // A class around such a variable: `struct Guard { std::unique_lock<std::mutex> lock; … };`. One that is handed out can be empty.
    for defined in &project.structs {
        if defined.fields.len() > MOST_FIELDS || defined.is_object {
            continue;
        }
        let families = defined.fields.iter().filter(|field| field.ty.pointers == 0);
        let mut families = families.filter_map(|field| api::guard_family(project.text(field.ty.base)));
        if let Some(family) = families.next().filter(|family| family.is_lock()) {
            defined.names.iter().for_each(|name| add(*name, family));
        }
    }
    guards
}

/// A class with more members than this does something else besides.
const MOST_FIELDS: usize = 3;
