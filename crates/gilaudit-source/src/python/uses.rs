//! Looks at imported names, found in the text of a statement: `skimage.morphology` after `import skimage`.
//!
//! Text is enough for what only may matter: a look that is in a string is a look too many, and none is missed.

use std::collections::HashSet;

use super::logical::is_word;

/// The part of a statement that is looked at: a long literal would cost more than it tells.
pub(super) const LONGEST: usize = 4096;

/// The dotted names in a statement that begin with one of these names. Names on their own count only if `bare`.
pub(super) fn uses<'t>(statement: &'t [u8], names: &HashSet<&[u8]>, bare: bool) -> Vec<&'t [u8]> {
    let statement = statement.get(..statement.len().min(LONGEST)).unwrap_or_default();
    let use_that_ends = |end: usize| {
        let before = statement.get(..end)?;
        let start = before.iter().rposition(|byte| !is_word(*byte)).map_or(0, |at| at + 1);
        let name = statement.get(start..end).filter(|name| names.contains(name))?;
        let is_attribute = before.get(..start)?.trim_ascii_end().ends_with(b".");
        let rest = statement.get(end..)?;
        let more = rest.iter().position(|byte| !is_word(*byte) && *byte != b'.').unwrap_or(rest.len());
        (!is_attribute).then(|| statement.get(start..start + name.len() + more).unwrap_or(name))
    };
    if bare {
        let is_end = |at: &usize| is_word_at(statement, at - 1) && !is_word_at(statement, *at);
        (1..=statement.len()).filter(is_end).filter_map(use_that_ends).collect()
    } else {
        memchr::memchr_iter(b'.', statement).filter_map(use_that_ends).collect()
    }
}

fn is_word_at(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(|byte| is_word(*byte))
}

/// What follows the word `lazy` of a lazy import (PEP 810).
///
/// CPython 3.15.0rc2 `Grammar/python.gram`: `import_name`, `import_from`.
pub(super) fn after_lazy(statement: &[u8]) -> Option<&[u8]> {
    let rest = statement.strip_prefix(b"lazy")?;
    let import = rest.trim_ascii_start();
    let is_import = ["import", "from"].iter().any(|word| {
        import.strip_prefix(word.as_bytes()).is_some_and(|rest| !rest.first().is_some_and(|byte| is_word(*byte)))
    });
    (import.len() < rest.len() && is_import).then_some(import)
}
