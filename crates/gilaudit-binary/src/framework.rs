//! Which framework made an extension: told by the texts that its runtime support leaves in the read-only data of every module.
//!
//! The texts are in the model. Recognition only explains an answer and names the switch for authors; what a module declares is never taken from here.

use std::ops::ControlFlow;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Input, MatchKind};
use gilaudit_model::{Framework, MadeBy};

use crate::image::Image;

/// Read-only data looked through in one file, in bytes: enough for every text near the start of a large module's data, little
/// enough for a module with megabytes of tables.
const LOOKED_THROUGH: u64 = 16 << 20;

/// The part of a text after the beginning of a mark where the version is looked for.
const VERSION: usize = 64;

static MARKS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let marks = Framework::ALL.iter().flat_map(|framework| framework.marks());
    AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(marks).ok()
});

/// The framework that made the file.
pub(crate) fn recognise(image: &Image<'_>) -> Option<MadeBy> {
    let searcher = MARKS.as_ref()?;
    // Which framework each mark belongs to, in the order in which the searcher was given them.
    let owners: Vec<usize> = Framework::ALL
        .iter()
        .enumerate()
        .flat_map(|(index, framework)| framework.marks().iter().map(move |_| index))
        .collect();
    let mut found: [Option<Option<String>>; Framework::ALL.len()] = [const { None }; Framework::ALL.len()];
    // A piece is seen as far as any mark that begins in it reaches.
    let overlap = searcher.max_pattern_len().max(VERSION);
    for data in image.read_only_data(LOOKED_THROUGH) {
        let mut next = 0usize;
        let _ = data.pieces(overlap, |at, bytes, new| {
            let mut from = next.saturating_sub(at).min(bytes.len());
            while let Some(mark) = searcher.find(Input::new(bytes).range(from..)).filter(|mark| mark.start() < new) {
                from = mark.end();
                let Some(owner) = owners.get(mark.pattern().as_usize()).copied() else { continue };
                let (Some(slot), Some(framework)) = (found.get_mut(owner), Framework::ALL.get(owner)) else { continue };
                if !matches!(slot, Some(Some(_))) {
                    let end = bytes.len().min(mark.start().saturating_add(VERSION));
                    *slot = Some(version_in(*framework, bytes.get(mark.start()..end).unwrap_or_default()));
                }
            }
            next = at.saturating_add(from);
            ControlFlow::<()>::Continue(())
        });
    }
    let first = found.into_iter().zip(Framework::ALL).find_map(|(version, it)| version.map(|version| (it, version)));
    first.map(|(framework, version)| MadeBy { framework, version })
}

/// The version in a text that begins with a mark of the framework, where it shows one.
fn version_in(framework: Framework, text: &[u8]) -> Option<String> {
    let (prefixes, separator) = framework.version_after()?;
    version(prefixes.iter().find_map(|prefix| text.strip_prefix(prefix.as_bytes()))?, separator)
}

/// The version at the start of `text`: digits, with `separator` between its numbers.
fn version(text: &[u8], separator: u8) -> Option<String> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit() || **byte == separator).count();
    let text = std::str::from_utf8(text.get(..length)?).ok()?;
    let numbers: Vec<&str> = text.split(char::from(separator)).filter(|number| !number.is_empty()).collect();
    (numbers.len() >= 2).then(|| numbers.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_where_they_stand() {
        assert_eq!(version_in(Framework::Cython, b"_cython_3_2_8.generator"), Some("3.2.8".to_owned()));
        assert_eq!(version_in(Framework::PyO3, b"/pyo3-0.29.3/src/err.rs"), Some("0.29.3".to_owned()));
        assert_eq!(version_in(Framework::F2py, b"auto-generated with f2py (version:2.5.2)."), Some("2.5.2".to_owned()));
        assert_eq!(version_in(Framework::Cython, b"Shared Cython type %.200s"), None);
    }
}
