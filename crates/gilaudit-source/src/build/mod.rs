//! Build files: which modules a project makes, and what it declares for them.
//!
//! One file a kind. A build file is a program; what it writes out is read, and what it computes is said to be computed. Nothing here
//! decides what a module declares: that needs the sources, too.

mod by_hand;
mod cmake;
mod macros;
mod meson;
mod pyproject;
mod python;
mod setup_cfg;

use gilaudit_model::source::build::BuildFile;
use gilaudit_model::source::{File, FileId, Language, Project, Unread};
use gilaudit_model::{Problem, Stage};
use rayon::prelude::*;

use crate::project::Limits;
use crate::work;

/// A reader of one kind of build files: the text, the folder that it is in.
type Reader = fn(&str, &str, &mut BuildFile) -> Result<(), String>;

/// A build file: what it says, or why it was not read; and what is wrong with it.
type Read = (FileId, Result<BuildFile, Unread>, Result<(), String>);

/// What reads a file, if it is a build file.
fn reader(file: &File, name: &str) -> Option<Reader> {
    Some(match name {
        "pyproject.toml" => pyproject::read,
        "setup.cfg" => |text, _, build| {
            setup_cfg::read(text, build);
            Ok(())
        },
        "meson.build" => |text, folder, build| {
            meson::read(text, folder, build);
            Ok(())
        },
        "CMakeLists.txt" => |text, folder, build| {
            cmake::read(text, folder, build);
            Ok(())
        },
        _ if file.language == Language::Python && python::is_build_file(name, &file.text) => python::read,
        _ => return None,
    })
}

/// Reads the files of a project.
pub(crate) fn read(project: &mut Project, limits: &Limits, problems: &mut Vec<Problem>) {
    let read: Vec<Read> = project
        .files
        .par_iter()
        .zip(0..project.files.len() as u32)
        .filter_map(|(file, number)| {
            let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
            let (id, size, read) = (FileId(number), file.text.len(), reader(file, name)?);
            if size > limits.file_bytes {
                return Some((id, Err(work::too_large(size, limits.file_bytes)), Ok(())));
            }
            let mut result = Ok(());
            let build = work::guarded(|| {
                let mut build = BuildFile::new(id);
                result = read(&file.text, folder, &mut build);
                Ok(build)
            });
            Some((id, build, result))
        })
        .collect();
    for (id, build, result) in read {
        let Some(file) = project.files.get_mut(id.0 as usize) else { continue };
        if let Err(error) = result {
            problems.push(Problem { origin: file.origin.clone(), stage: Stage::Parse, unread: false, error });
        }
        match build {
            Ok(build) if !build.is_empty() => project.builds.push(build),
            Ok(_) => {}
            Err(unread) => file.unread = file.unread.take().or(Some(unread)),
        }
    }
}

/// A path of the project, from one that is relative to a folder of it; `None` when it leads out.
fn join(folder: &str, path: &str) -> Option<Box<str>> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/").into())
}

#[cfg(test)]
mod tests;
