//! A compiled module as a row of the report.

use gilaudit_input::Member;
use gilaudit_model::cpython::module_stem;
use gilaudit_model::{Extension, FailureKind, ImportFailure, Loading, Origin, Target};

use crate::link::Loaded;

/// The row of a module.
pub(crate) fn extension(file: Loaded, member: &Member, target: &Target) -> Extension {
    let Loaded { origin, module, sha256, facts, loading, found } = file;
    let Loading { init, declaration, failure, .. } = loading;
    Extension {
        failure: match found {
            true if is_in_zipped_egg(&member.origin) => Some(in_zipped_egg(&module)),
            true => failure,
            false => Some(not_searched(member.origin.file_name(), &module, target)),
        },
        module,
        origin,
        sha256,
        record_sha256: member.record_sha256.clone(),
        distribution: member.distribution.clone(),
        format: facts.format,
        arch: facts.arch,
        abi: facts.abi,
        init,
        framework: facts.framework,
        declaration,
    }
}

/// Whether a file is in an egg that is a zip archive, as setuptools once installed them.
fn is_in_zipped_egg(origin: &Origin) -> bool {
    matches!(origin.parts(), [archive, _, ..] if archive.to_ascii_lowercase().ends_with(".egg"))
}

/// CPython 3.13 to 3.15, `Lib/zipimport.py`: only source and byte code are looked for.
fn in_zipped_egg(module: &str) -> ImportFailure {
    ImportFailure {
        kind: FailureKind::NotSearched,
        error: format!(
            "ModuleNotFoundError: No module named '{module}': zipimport loads no extension modules from an archive"
        ),
    }
}

fn not_searched(file_name: &str, module: &str, target: &Target) -> ImportFailure {
    let suffix = file_name.get(module_stem(file_name).len()..).unwrap_or_default();
    ImportFailure {
        kind: FailureKind::NotSearched,
        error: format!(
            "ModuleNotFoundError: No module named '{module}': {target} does not search for files ending in {suffix}"
        ),
    }
}
