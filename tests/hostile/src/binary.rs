//! Compiled files: facts or a problem, and an answer for every interpreter.

use gilaudit_binary::internal::{ModuleNames, imports_of};
use gilaudit_binary::{Hints, Limits, read};
use gilaudit_model::Target;

/// Reads the bytes as the module whose init function they name first, asks every target about it, and which modules it mentions.
pub fn any(data: &[u8]) {
    let module = module(data);
    let (facts, unread) = read(data, &Hints::new(&format!("{module}.so")), &Limits::default());
    assert!(!facts.is_empty() || !unread.is_empty(), "nothing was read, and nobody is told");
    let names = ModuleNames::new(["json", "numpy", "_thread", "pkg.core"].map(str::to_owned).into());
    let _ = imports_of(data, &names);
    for facts in &facts {
        for target in targets() {
            let _ = facts.load(&module, &target);
        }
    }
}

/// Every interpreter that can be asked about.
pub fn targets() -> Vec<Target> {
    ["3.13", "3.13t", "3.14", "3.14t", "3.15", "3.15t"].iter().filter_map(|target| target.parse().ok()).collect()
}

/// The module of the first init function that is named in the bytes.
fn module(data: &[u8]) -> String {
    let prefixes: [&[u8]; 2] = [b"PyInit_", b"PyModExport_"];
    let starts = |at: usize| prefixes.iter().find(|prefix| data[at..].starts_with(prefix)).map(|prefix| prefix.len());
    let name = (0..data.len()).find_map(|at| Some(at + starts(at)?));
    let name = name.map_or(&[][..], |at| &data[at..]);
    let end = name.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_').unwrap_or(name.len());
    match std::str::from_utf8(&name[..end.min(80)]) {
        Ok("") | Err(_) => "module".to_owned(),
        Ok(name) => name.to_owned(),
    }
}
