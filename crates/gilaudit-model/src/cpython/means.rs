//! What a file could declare with, by the names that it takes from the interpreter.

use crate::Linked;

/// Makes a module whose init function returns it, of which only `PyUnstable_Module_SetGIL` can say that it does not need the GIL.
///
/// CPython 3.13 to 3.15, `Include/modsupport.h`: `PyModule_Create` is a macro for it; `Objects/moduleobject.c`, where it sets
/// `md_gil` (3.15: `md_requires_gil`) to `Py_MOD_GIL_USED`.
const CREATES: &str = "PyModule_Create2";

/// Without one of these no module can declare: the call that sets it, and every way to a module that is made from slots.
///
/// CPython 3.13 to 3.15, `Objects/moduleobject.c`. `PyModuleDef_Type` is what `PyModuleDef_Init` gives a definition, which code could
/// do by hand.
pub const DECLARES: [&str; 5] = [
    "PyUnstable_Module_SetGIL",
    "PyModuleDef_Init",
    "PyModule_FromDefAndSpec2",
    "PyModule_FromSlotsAndSpec",
    "PyModuleDef_Type",
];

/// Whether the file takes the function that creates a module in one go.
pub fn creates(linked: &Linked) -> bool {
    linked.takes(CREATES)
}

/// By what code of the file might declare, whatever it does; `None` when it cannot.
///
/// A library that has nothing to do with Python and looks functions up (plug-ins, other versions of the system) is no reason to doubt:
/// it would have to spell out the name that it looks for.
pub fn could_declare(linked: &Linked) -> Option<String> {
    let named = DECLARES.iter().find(|name| linked.takes(name)).map(|name| (*name).to_owned());
    let looks_up = linked.lookup.clone().filter(|_| linked.spells || !linked.python.is_empty());
    named.or(looks_up).or_else(|| linked.incomplete.clone())
}
