//! The `.pyi` file that `lazy_loader.attach_stub` reads: `from . import submodule`, `from .submodule import name`.

use gilaudit_model::LazyName;

use super::Reading;

/// The names that a package gives out lazily by its stub file.
pub fn read_stub(text: &[u8], reading: &Reading) -> Vec<LazyName> {
    let mut found = Vec::new();
    for import in super::read(text, reading).imports {
        let Some(names) = import.names.filter(|_| import.level == 1) else { continue };
        for attribute in names {
            let submodule = if import.module.is_empty() { attribute.clone() } else { import.module.clone() };
            found.push(LazyName { attribute, submodule });
        }
    }
    found
}
