//! Whether an environment is one of the interpreter asked about at all.
//!
//! An environment of another Python holds no file that the target would load: "nothing turns the GIL on" would be true of it, and say
//! nothing.

use std::collections::BTreeSet;

use gilaudit_input::{ArtifactKind, Inventory};
use gilaudit_model::{FailureKind, Format, Problem, Stage, Target};

use crate::answers::Judged;

/// A problem for each environment that was named and that has compiled modules, none of which is for the target.
pub fn for_another_interpreter(inventory: &Inventory, extensions: &[Judged], target: &Target) -> Vec<Problem> {
    let named =
        inventory.artifacts.iter().filter(|artifact| artifact.explicit && artifact.kind == ArtifactKind::Environment);
    let folders: BTreeSet<&str> = named.map(|artifact| artifact.origin.file_path()).collect();
    let problem = |folder: &str| {
        let prefix = format!("{}/", folder.trim_end_matches('/'));
        let mut inside = extensions.iter().map(|judged| &judged.extension).filter(|extension| {
            extension.format != Format::Source && extension.origin.file_path().starts_with(&prefix)
        });
        let first = inside.next()?;
        let is_for_another = |extension: &gilaudit_model::Extension| {
            let kind = extension.failure.as_ref().map(|failure| failure.kind);
            matches!(kind, Some(FailureKind::NotSearched | FailureKind::WrongAbi))
        };
        (is_for_another(first) && inside.all(is_for_another)).then(|| Problem {
            origin: gilaudit_model::Origin::path(folder),
            stage: Stage::Find,
            unread: true,
            error: format!("no module of this environment is for {target}: wrong environment? --python says which interpreter it is for"),
        })
    };
    folders.into_iter().filter_map(problem).collect()
}
