//! The policy of the project that the command is run in: `[tool.gilaudit]` of the nearest pyproject.toml that has one, from the current
//! folder upwards.
//!
//! Files among the inputs do not count: what is audited does not say how. Nobody named the file that is found, so two things hold for it
//! that do not hold for `--policy`. It is silent only when it is not there: one that cannot be read, or that is no TOML, may be the one
//! that forbids something. And it may come with a repository that somebody else wrote, so that it reaches no file outside of its own
//! folder: what is in those would be shown by the mistakes found in them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use gilaudit_audit::Applied;

use crate::error::Error;
use crate::policies::{self, Asked, PYPROJECT, Rejected};

/// A folder with a pyproject.toml that has a policy.
#[derive(Debug)]
pub(crate) struct Project {
    folder: PathBuf,
    /// The name by which the policy is shown, and the text of its file.
    pub(crate) policy: String,
    text: String,
}

impl Project {
    /// The project that the command is run in, if one has a policy.
    pub(crate) fn here() -> Result<Option<Self>, Error> {
        let here = std::env::current_dir()
            .map_err(|error| not_known(Error::new(format!("the current folder is not known: {error}"))))?;
        for folder in here.ancestors() {
            let file = folder.join(PYPROJECT);
            let policy = if folder == here { PYPROJECT.to_owned() } else { file.display().to_string() };
            let Some(text) =
                text(&file, folder).map_err(|error| not_known(Error::new(format!("{policy}: {error}"))))?
            else {
                continue;
            };
            let project = Self { folder: folder.to_owned(), policy, text };
            if policies::parse(&project.policy, &project.text, Asked::ByProject(&project)).is_some() {
                return Ok(Some(project));
            }
        }
        Ok(None)
    }

    /// Its policy.
    pub(crate) fn load(&self) -> Result<Applied, Rejected> {
        policies::load_file(&self.policy, self.text.clone(), Asked::ByProject(self))
    }

    /// The file of this path, unless it is outside of the project.
    pub(crate) fn inside(&self, path: &str) -> Result<PathBuf, String> {
        let outside =
            || "it is outside of the project, whose policy nobody named; --policy FILE may extend it".to_owned();
        // The folder that the path begins with, where it is that of the file that names it, is no way out.
        let given = Path::new(path);
        let inner = given.strip_prefix(&self.folder).unwrap_or(given);
        let mut depth = 0_usize;
        for part in inner.components() {
            depth = match part {
                Component::CurDir => depth,
                Component::Normal(_) => depth + 1,
                Component::ParentDir => depth.checked_sub(1).ok_or_else(outside)?,
                Component::RootDir | Component::Prefix(_) => return Err(outside()),
            };
        }
        // Links may lead anywhere.
        let real = |path: &Path| path.canonicalize().map_err(|error| error.to_string());
        let file = real(&self.folder.join(inner))?;
        if file.starts_with(real(&self.folder)?) { Ok(file) } else { Err(outside()) }
    }
}

/// The text of a pyproject.toml; `None` when there is none in this folder.
fn text(file: &Path, folder: &Path) -> Result<Option<String>, String> {
    // Of the name itself: a link that leads nowhere is there, too.
    let is_link = match fs::symlink_metadata(file) {
        Ok(metadata) => metadata.file_type().is_symlink(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    if is_link {
        let real =
            |path: &Path| path.canonicalize().map_err(|error| format!("a link that cannot be followed: {error}"));
        if !real(file)?.starts_with(real(folder)?) {
            return Err("a link to a file outside of its folder".to_owned());
        }
    }
    policies::read_file(file).map(Some)
}

fn not_known(error: Error) -> Error {
    error.hint(format!(
        "it may hold the policy of this project; --policy NAME|FILE says which one to apply (without any, {} is)",
        policies::DEFAULT
    ))
}
