//! What a file takes from other files by name, as far as it matters to an interpreter.

use std::ops::ControlFlow;

use gilaudit_model::{Linked, PythonName, cpython};
use memchr::memmem;

use crate::image::Image;

/// Functions that find others by name at run time: of the C libraries, of macOS and Windows, and CPython's own.
const LOOKUPS: [&str; 9] = [
    "dlsym",
    "dlvsym",
    "dlfunc",
    "NSLookupSymbolInImage",
    "NSLookupAndBindSymbol",
    "NSAddressOfSymbol",
    "GetProcAddress",
    "LdrGetProcedureAddress",
    "_PyImport_FindSharedFuncptr",
];

/// The names of the C API among all that the file takes, and what says that there may be others.
pub(crate) fn linked(image: &Image<'_>) -> Linked {
    let (names, all) = image.taken();
    // An import by number from the interpreter's DLL: `python314t.dll#12`.
    let by_number =
        |name: &str| name.get(..6).is_some_and(|dll| dll.eq_ignore_ascii_case("python")) && name.contains('#');
    let numbered =
        names.iter().find(|(name, _)| by_number(name)).map(|(name, _)| format!("{name} is imported by number"));
    let lookup = names.iter().find(|(name, _)| LOOKUPS.contains(&name.as_str())).map(|(name, _)| name.clone());
    let incomplete = image.cells().incomplete.clone().or(numbered);
    let incomplete = incomplete.or_else(|| (!all).then(|| "the table of symbols cannot be read".to_owned()));
    let python = names.into_iter().filter(|(name, _)| name.starts_with("Py") || name.starts_with("_Py"));
    let python = python.map(|(name, weak)| PythonName { name, weak }).collect();
    // Only of a file that looks names up does it matter, and all of its data has to be looked through.
    let spells = lookup.is_some() && spells_one(image);
    Linked { python, lookup, spells, incomplete }
}

/// Whether one of the names by which a module declares stands in the file.
fn spells_one(image: &Image<'_>) -> bool {
    let names: Vec<_> = cpython::DECLARES.iter().map(memmem::Finder::new).collect();
    let longest = cpython::DECLARES.iter().map(|name| name.len()).max().unwrap_or(0);
    let spelled = |bytes: &[u8]| names.iter().any(|name| name.find(bytes).is_some());
    let look = |_, bytes: &[u8], _| if spelled(bytes) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    image.segments.iter().any(|segment| segment.data.pieces(longest, look).is_some())
}
