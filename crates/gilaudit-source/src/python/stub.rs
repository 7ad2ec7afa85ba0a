//! The `.pyi` file that `lazy_loader.attach_stub` reads: `from . import submodule`, `from .submodule import name`.

use gilaudit_model::program::Stmt;

/// The names that a package gives out lazily by its stub file: attribute and submodule.
pub fn read_stub(text: &[u8]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for statement in super::read_program(text).body {
        let Stmt::From { module, level: 1, names, .. } = statement else { continue };
        for alias in names {
            let submodule = if module.is_empty() { alias.name.clone() } else { module.clone() };
            found.push((alias.name, submodule));
        }
    }
    found
}
