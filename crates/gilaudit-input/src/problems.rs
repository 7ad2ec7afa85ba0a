//! How this crate words its problems.

use std::io;
use std::path::Path;

use gilaudit_model::{Origin, Problem, Stage};

use crate::bytes::ReadError;

/// The problem of an input that was not read, so that the audit must not succeed.
pub(crate) fn unread(origin: Origin, stage: Stage, error: impl Into<String>) -> Problem {
    Problem { origin, stage, unread: true, error: error.into() }
}

/// Something worth saying about an input of which nothing was left unread.
pub(crate) fn notice(origin: Origin, stage: Stage, error: impl Into<String>) -> Problem {
    Problem { origin, stage, unread: false, error: error.into() }
}

/// The problem of a file that could not be read; over a limit is another stage than not to be had.
pub(crate) fn not_read(origin: Origin, error: &ReadError) -> Problem {
    let stage = if matches!(error, ReadError::TooLarge { .. }) { Stage::Limits } else { Stage::Open };
    unread(origin, stage, error.to_string())
}

/// The origin of a path, with `/` as separator on every system.
pub(crate) fn origin_of(path: &Path) -> Origin {
    Origin::path(slashed(path))
}

/// A path as text, with `/` as separator on every system. What is not Unicode is replaced: this is for people, not for opening.
pub(crate) fn slashed(path: &Path) -> String {
    let text = path.to_string_lossy();
    if cfg!(windows) { text.replace('\\', "/") } else { text.into_owned() }
}

/// What the system said, in the style of our own messages: `permission denied` for `Permission denied (os error 13)`.
pub(crate) fn io_text(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_errors_read_like_ours() {
        assert_eq!(io_text(&io::Error::from_raw_os_error(2)), "no such file or directory");
    }
}
