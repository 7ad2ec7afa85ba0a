//! Which framework made an extension: told by the texts that its runtime support leaves in the read-only data of every module.
//!
//! Recognition only explains an answer and names the switch for authors; what a module declares is never taken from here.

mod boost_python;
mod cffi;
mod cython;
mod f2py;
mod mypyc;
mod nanobind;
mod pybind11;
mod pyo3;
mod swig;

use std::ops::ControlFlow;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Input, MatchKind};
use gilaudit_model::Framework;

use crate::image::Image;

/// How one framework is recognised.
pub(crate) struct Recogniser {
    /// Its name in reports.
    name: &'static str,
    /// Texts of which each is in no module that another tool made.
    marks: &'static [&'static str],
    /// Reads the version from the text that starts with a mark, where the mark shows it.
    version: fn(&[u8]) -> Option<String>,
}

/// In the order in which they are asked: a module may use one framework and embed another's runtime.
static RECOGNISERS: [&Recogniser; 9] = [
    &mypyc::MYPYC,
    &cffi::CFFI,
    &cython::CYTHON,
    &pyo3::PYO3,
    &nanobind::NANOBIND,
    &pybind11::PYBIND11,
    &swig::SWIG,
    &f2py::F2PY,
    &boost_python::BOOST_PYTHON,
];

/// Read-only data looked through in one file, in bytes: enough for every text near the start of a large module's data, little
/// enough for a module with megabytes of tables.
const LOOKED_THROUGH: u64 = 16 << 20;

/// The part of a text after the beginning of a mark where the version is looked for.
const VERSION: usize = 64;

static MARKS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let marks = RECOGNISERS.iter().flat_map(|recogniser| recogniser.marks);
    AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(marks).ok()
});

/// The framework that made the file.
pub(crate) fn recognise(image: &Image<'_>) -> Option<Framework> {
    let searcher = MARKS.as_ref()?;
    // Which recogniser each mark belongs to, in the order in which the searcher was given them.
    let owners: Vec<usize> = RECOGNISERS
        .iter()
        .enumerate()
        .flat_map(|(index, recogniser)| recogniser.marks.iter().map(move |_| index))
        .collect();
    let mut found: [Option<Option<String>>; RECOGNISERS.len()] = [const { None }; RECOGNISERS.len()];
    // A piece is seen as far as any mark that begins in it reaches.
    let overlap = searcher.max_pattern_len().max(VERSION);
    for data in image.read_only_data(LOOKED_THROUGH) {
        let mut next = 0usize;
        let _ = data.pieces(overlap, |at, bytes, new| {
            let mut from = next.saturating_sub(at).min(bytes.len());
            while let Some(mark) = searcher.find(Input::new(bytes).range(from..)).filter(|mark| mark.start() < new) {
                from = mark.end();
                let Some(owner) = owners.get(mark.pattern().as_usize()).copied() else { continue };
                let (Some(slot), Some(recogniser)) = (found.get_mut(owner), RECOGNISERS.get(owner)) else { continue };
                if !matches!(slot, Some(Some(_))) {
                    let end = bytes.len().min(mark.start().saturating_add(VERSION));
                    *slot = Some((recogniser.version)(bytes.get(mark.start()..end).unwrap_or_default()));
                }
            }
            next = at.saturating_add(from);
            ControlFlow::<()>::Continue(())
        });
    }
    let first = found
        .into_iter()
        .zip(RECOGNISERS)
        .find_map(|(version, recogniser)| version.map(|version| (recogniser, version)));
    first.map(|(recogniser, version)| Framework { name: recogniser.name, version })
}

/// The version at the start of `text`: digits, with `separator` between its numbers.
fn version(text: &[u8], separator: u8) -> Option<String> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit() || **byte == separator).count();
    let text = std::str::from_utf8(text.get(..length)?).ok()?;
    let numbers: Vec<&str> = text.split(char::from(separator)).filter(|number| !number.is_empty()).collect();
    (numbers.len() >= 2).then(|| numbers.join("."))
}

/// For frameworks whose marks show no version.
fn no_version(_: &[u8]) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_where_they_stand() {
        assert_eq!((cython::CYTHON.version)(b"_cython_3_2_8.generator"), Some("3.2.8".to_owned()));
        assert_eq!((pyo3::PYO3.version)(b"/pyo3-0.29.3/src/err.rs"), Some("0.29.3".to_owned()));
        assert_eq!((f2py::F2PY.version)(b"auto-generated with f2py (version:2.5.2)."), Some("2.5.2".to_owned()));
        assert_eq!((cython::CYTHON.version)(b"Shared Cython type %.200s"), None);
    }
}
