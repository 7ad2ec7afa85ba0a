//! Which files are C-API code: those that include its headers, directly or through the project's own headers.

#![allow(
    clippy::indexing_slicing,
    reason = "indices of lists made here; whoever calls catches a mistake as a problem of the project"
)]

use std::collections::HashMap;

use gilaudit_model::source::File;

use super::is_c;

/// Whether each file is C-API code. Cheap: nothing is tokenised.
pub(super) fn c_api(files: &[File]) -> Vec<bool> {
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, file) in files.iter().enumerate() {
        by_name.entry(file.path.rsplit('/').next().unwrap_or(&file.path)).or_default().push(index);
    }
    let mut is_api: Vec<bool> = files.iter().map(|file| is_c(file.language) && mentions_api(&file.text)).collect();
    let includes: Vec<Vec<usize>> = files
        .iter()
        .map(|file| {
            let names = is_c(file.language).then(|| included(&file.text)).into_iter().flatten();
            names
                .filter_map(|name| by_name.get(name.rsplit('/').next().unwrap_or(name)))
                .flatten()
                .copied()
                .filter(|file| is_c(files[*file].language))
                .collect()
        })
        .collect();
    loop {
        let mut grew = false;
        for index in 0..files.len() {
            if !is_api[index] && includes[index].iter().any(|included| is_api[*included]) {
                is_api[index] = true;
                grew = true;
            }
        }
        if !grew {
            return is_api;
        }
    }
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
