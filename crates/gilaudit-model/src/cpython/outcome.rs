//! What happens at import.

use crate::{Extension, Gil, Outcome, Status, Target};

/// What CPython does when `extension` (already judged for `target`) is imported under `target`.
///
/// CPython 3.13 to 3.15: `Python/import.c`, `_PyImport_CheckGILForModule`; `Python/ceval_gil.c`, `init_own_gil` (`PYTHON_GIL=1`
/// turns the GIL on before anything is loaded) and `_PyEval_EnableGILPermanent` (`PYTHON_GIL=0` makes it do nothing).
pub fn outcome(extension: &Extension, target: &Target) -> Outcome {
    if extension.failure.is_some() {
        return Outcome::CannotImport;
    }
    if !target.free_threaded || target.gil == Gil::On {
        return Outcome::RunsWithGil;
    }
    match (extension.declaration.status, target.gil) {
        (Status::NotUsed, _) => Outcome::RunsFree,
        (Status::Unknown, _) => Outcome::Undetermined,
        (Status::Used | Status::Undeclared, Gil::Off) => Outcome::RunsFreeForced,
        (Status::Used | Status::Undeclared, _) => Outcome::EnablesGil,
    }
}

/// The text of the `RuntimeWarning` for the first module that turns the GIL on; `module` is `spec.name`.
///
/// CPython 3.13.15, 3.14.7 and 3.15.0rc2, `Python/import.c`: the text is the same in all three.
pub fn warning(module: &str) -> String {
    format!(
        "The global interpreter lock (GIL) has been enabled to load module '{module}', which has not declared that it can run \
         safely without the GIL. To override this behavior and keep the GIL disabled (at your own risk), run with \
         PYTHON_GIL=0 or -Xgil=0."
    )
}
