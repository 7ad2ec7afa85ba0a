//! Paths: how they are named from the folder that the process runs in, and what there is at them.

use std::path::{Path, PathBuf};

/// What there is at a path, links followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum There {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// Nothing, something else, or nothing that may be looked at.
    Nothing,
}

/// What there is at a path.
#[must_use]
pub fn there(path: &Path) -> There {
    match path {
        _ if path.is_dir() => There::Folder,
        _ if path.is_file() => There::File,
        _ => There::Nothing,
    }
}

/// A path without links, by which two names of one folder are the same; as it is, if it leads nowhere.
#[must_use]
pub fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// A path relative to the folder that gilaudit runs in, where it is below it: another checkout has another root.
#[must_use]
pub fn relative(path: &str) -> &str {
    let path = path.strip_prefix("./").unwrap_or(path);
    let Ok(here) = std::env::current_dir() else { return path };
    let here = here.to_string_lossy().replace('\\', "/");
    path.strip_prefix(&*here).and_then(|rest| rest.strip_prefix('/')).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x");
        assert_eq!((there(folder.path()), there(&file)), (There::Folder, There::Nothing));
        std::fs::write(&file, "").unwrap();
        assert_eq!((there(&file), real(&folder.path().join("./x"))), (There::File, real(&file)));
    }

    #[test]
    fn a_path_below_the_current_folder_is_relative_to_it() {
        let here = std::env::current_dir().unwrap().to_string_lossy().replace('\\', "/");
        assert_eq!(relative(&format!("{here}/src/x.c")), "src/x.c");
        assert_eq!(relative(&format!("{here}-2/x.c")), format!("{here}-2/x.c"));
        assert_eq!(relative("./x.c"), "x.c");
    }
}
