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
use gilaudit_model::source::{FileId, Language, Project};
use gilaudit_model::{Problem, Stage};

use crate::project::Limits;

/// Reads the files of a project.
pub(crate) fn read(project: &mut Project, limits: &Limits, problems: &mut Vec<Problem>) {
    let mut builds = Vec::new();
    for (index, file) in project.files.iter().enumerate() {
        let Ok(index) = u32::try_from(index) else { break };
        let mut build = BuildFile::new(FileId(index));
        let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        if file.text.len() > limits.file_bytes {
            continue;
        }
        let read = match name {
            "pyproject.toml" => pyproject::read(&file.text, folder, &mut build),
            "setup.cfg" => {
                setup_cfg::read(&file.text, &mut build);
                Ok(())
            }
            "meson.build" => {
                meson::read(&file.text, folder, &mut build);
                Ok(())
            }
            "CMakeLists.txt" => {
                cmake::read(&file.text, folder, &mut build);
                Ok(())
            }
            _ if file.language == Language::Python && python::is_build_file(name, &file.text) => {
                python::read(&file.text, folder, &mut build)
            }
            _ => continue,
        };
        if let Err(error) = read {
            problems.push(Problem { origin: file.origin.clone(), stage: Stage::Parse, unread: false, error });
        }
        if !build.is_empty() {
            builds.push(build);
        }
    }
    project.builds = builds;
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
