//! Which files are C-API code: those that include its headers, directly or through the project's own headers.

#![allow(
    clippy::indexing_slicing,
    reason = "indices of lists made here; whoever calls catches a mistake as a problem of the project"
)]

use std::collections::HashMap;

use gilaudit_model::source::File;
use rayon::prelude::*;

use super::is_c;

/// Whether each file is C-API code. Cheap: nothing is tokenised.
pub(super) fn c_api(files: &[File]) -> Vec<bool> {
    let name_of = |path: &str| path.rsplit('/').next().map_or(0, |name| path.len() - name.len());
    let read: Vec<(bool, Vec<&str>)> = files
        .par_iter()
        .map(|file| match is_c(file.language) {
            true => (mentions_api(&file.text), included(&file.text).map(|name| &name[name_of(name)..]).collect()),
            false => (false, Vec::new()),
        })
        .collect();
    let mut includers: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, (_, names)) in read.iter().enumerate() {
        names.iter().for_each(|name| includers.entry(name).or_default().push(index));
    }
    // What includes C-API code, by its name, is C-API code.
    let mut known: Vec<bool> = read.iter().map(|(is_api, _)| *is_api).collect();
    let mut work: Vec<usize> = (0..files.len()).filter(|index| known[*index]).collect();
    while let Some(index) = work.pop() {
        for includer in includers.remove(files[index].name()).into_iter().flatten() {
            if !std::mem::replace(&mut known[includer], true) {
                work.push(includer);
            }
        }
    }
    known
}

/// The names in `#include` lines, whatever their conditions.
fn included(text: &str) -> impl Iterator<Item = &str> {
    memchr::memmem::find_iter(text.as_bytes(), "include").filter_map(move |at| {
        let before = text.get(..at)?.trim_end_matches([' ', '\t']);
        if !before.ends_with('#') {
            return None;
        }
        let rest = text.get(at + 7..)?.trim_start_matches([' ', '\t']);
        let name = rest.strip_prefix(['"', '<'])?;
        name.split(['"', '>', '\n']).next()
    })
}

/// Whether a text includes a header of the C API or of a framework, or calls it.
fn mentions_api(text: &str) -> bool {
    let headers = ["Python.h", "pybind11/", "nanobind/", "boost/python", "arrayobject.h"];
    if included(text).any(|name| headers.iter().any(|header| name.contains(header))) {
        return true;
    }
    memchr::memmem::find_iter(text.as_bytes(), "Py").any(|at| {
        let bytes = text.as_bytes();
        let starts = at == 0 || !(bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
        let next = bytes.get(at + 2).copied().unwrap_or(b' ');
        starts
            && (next == b'_' || next.is_ascii_uppercase() && bytes.get(at + 3).is_some_and(u8::is_ascii_alphanumeric))
    })
}
