//! How this crate words its problems, and how many of them it keeps.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use gilaudit_model::{Origin, Problem, Stage};

use crate::open::ReadError;

/// Problems of one artifact that are kept, of those that left something unread and of the others each.
const KEPT: usize = 100;

/// Problems, so many for each artifact that somebody can read them. An archive can be made to have a problem with every byte of it.
#[derive(Debug, Default)]
pub struct Problems {
    kept: Vec<Problem>,
    counts: BTreeMap<Origin, [usize; 2]>,
}

impl Problems {
    /// Adds a problem of the artifact `of`.
    pub fn add(&mut self, of: &Origin, problem: Problem) {
        if !self.counts.contains_key(of) {
            self.counts.insert(of.clone(), [0, 0]);
        }
        let kind = self.counts.get_mut(of).and_then(|counts| counts.get_mut(usize::from(problem.unread)));
        let Some(count) = kind else { return };
        *count = count.saturating_add(1);
        if *count <= KEPT {
            self.kept.push(problem);
        }
    }

    /// The problems, with one for those of each artifact that were not kept.
    pub fn all(self) -> Vec<Problem> {
        let mut all = self.kept;
        for (of, counts) in self.counts {
            let [others, unread] = counts.map(|count| count.saturating_sub(KEPT));
            let more = others.saturating_add(unread);
            if more > 0 {
                let error = match unread {
                    0 => format!("and {more} more problems like these"),
                    _ => {
                        format!("and {more} more problems like these, {unread} of them of something that was not read")
                    }
                };
                all.push(Problem { origin: of, stage: Stage::Limits, unread: unread > 0, error });
            }
        }
        all
    }
}

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

    #[test]
    fn an_artifact_has_so_many_problems_and_the_rest_is_counted() {
        let a = Origin::path("a.whl");
        let mut problems = Problems::default();
        for index in 0..KEPT + 5 {
            problems.add(&a, notice(Origin::path("a.whl").member(index.to_string()), Stage::Archive, "odd"));
        }
        problems.add(&a, unread(Origin::path("a.whl"), Stage::Archive, "broken"));
        problems.add(&Origin::path("b.whl"), notice(Origin::path("b.whl"), Stage::Archive, "odd"));
        let all = problems.all();
        assert_eq!(all.len(), KEPT + 3);
        let last = all.last().unwrap();
        assert_eq!((last.origin.to_string(), last.unread), ("a.whl".to_owned(), false));
        assert_eq!(last.error, "and 5 more problems like these");
        let mut problems = Problems::default();
        for index in 0..KEPT + 1 {
            problems.add(&a, unread(Origin::path("a").member(index.to_string()), Stage::Archive, "odd"));
        }
        assert!(problems.all().last().unwrap().unread);
    }
}
