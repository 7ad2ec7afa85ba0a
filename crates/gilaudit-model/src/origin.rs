//! Where something came from.

use std::fmt;

/// Where an artifact came from: a path as given or found, then the members of nested archives, then the slice of a fat file.
///
/// Origins order as they are shown, so sorting by origin gives a stable report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    parts: Vec<String>,
}

impl Origin {
    /// The origin of a file or folder on disk, or of a downloaded file. `path` uses `/` on every system.
    pub fn path(path: impl Into<String>) -> Self {
        Self { parts: vec![path.into()] }
    }

    /// The origin of a member of the archive that `self` names.
    #[must_use]
    pub fn member(&self, name: impl Into<String>) -> Self {
        let mut parts = self.parts.clone();
        parts.push(name.into());
        Self { parts }
    }

    /// The origin of one architecture's slice of the fat file that `self` names.
    #[must_use]
    pub fn slice(&self, arch: &str) -> Self {
        self.member(format!("[{arch}]"))
    }

    /// The parts: path, members, and for a slice of a fat file `[arch]`. Never empty.
    pub fn parts(&self) -> &[String] {
        &self.parts
    }

    /// The part that is a file's own path: the last one that is not a slice.
    pub fn file_path(&self) -> &str {
        let last = self.parts.iter().rev().find(|part| !part.starts_with('[')).or(self.parts.first());
        last.map_or("", String::as_str)
    }

    /// The file's own name, without its folders.
    pub fn file_name(&self) -> &str {
        self.file_path().rsplit('/').next().unwrap_or_default()
    }
}

impl fmt::Display for Origin {
    /// `dist/x.whl!pkg/mod.so[arm64]`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            if index > 0 && !part.starts_with('[') {
                f.write_str("!")?;
            }
            f.write_str(part)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_like_an_archive_path() {
        let origin = Origin::path("dist/x.whl").member("pkg/mod.so").slice("arm64");
        assert_eq!(origin.to_string(), "dist/x.whl!pkg/mod.so[arm64]");
        assert_eq!(origin.file_name(), "mod.so");
    }
}
