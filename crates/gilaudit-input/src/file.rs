//! A path that the user named: what it is, from what is there.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use gilaudit_model::{Origin, Stage};

use crate::collector::Collector;
use crate::folder;
use crate::installation;
use crate::inventory::{Artifact, ArtifactKind, Handle, Member, MemberKind, SourceFile};
use crate::names::{is_header, is_source, module_name};
use crate::open::{Opened, ReadError};
use crate::problems::{io_text, not_read, origin_of, slashed, unread};
use crate::sdist;
use crate::walk::is_site_packages;
use crate::wheel;
use crate::zip::{Archive, Source};

/// Lists what the user named.
pub(crate) fn collect(collector: &mut Collector, path: &Path) {
    let origin = origin_of(path);
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) => return collector.problem(unread(origin, Stage::Open, io_text(&error))),
    };
    if metadata.is_dir() {
        if !path.join("pyvenv.cfg").is_file() && installation::collect(collector, path) {
            return;
        }
        return folder::collect(collector, path, None);
    }
    if !metadata.is_file() {
        return collector.problem(unread(origin, Stage::Open, "neither a regular file nor a folder"));
    }
    let absolute = absolute(path);
    if absolute.as_deref().is_some_and(|path| !collector.first_time(path)) {
        return;
    }
    let lower = origin.file_name().to_ascii_lowercase();
    if lower.ends_with(".whl") {
        return wheel::collect(collector, path, origin, true);
    }
    if let Some(stem) = sdist::stem(origin.file_name()) {
        let stem = stem.to_owned();
        return sdist::collect_tar(collector, path, &origin, &stem);
    }
    let head = match head(path) {
        Ok(head) => head,
        Err(error) => {
            let problem = not_read(origin.clone(), &error);
            return collector.problem(problem);
        }
    };
    if is_source(origin.file_name()) {
        return source(collector, path, origin);
    }
    if head.starts_with(b"PK\x03\x04") {
        return zip(collector, path, origin);
    }
    binary(collector, path, origin, absolute.as_deref().unwrap_or(path));
}

/// The path with its folder's symbolic links resolved; the file's own name stays, because it is what the module is named by.
fn absolute(path: &Path) -> Option<PathBuf> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder.canonicalize(),
        _ => Path::new(".").canonicalize(),
    };
    Some(folder.ok()?.join(path.file_name()?))
}

fn head(path: &Path) -> Result<Vec<u8>, ReadError> {
    let opened = Opened::open(path, u64::MAX)?;
    let mut head = vec![0; usize::try_from(opened.len()).unwrap_or(usize::MAX).min(8)];
    opened.read_at(&mut head, 0)?;
    Ok(head)
}

/// A zip archive that is not named like a wheel: an old source distribution, a wheel under another name, or a bag of others.
fn zip(collector: &mut Collector, path: &Path, origin: Origin) {
    let opened = Source::file(path).map_err(|error| not_read(origin.clone(), &error)).and_then(|source| {
        let archive = Archive::new(source);
        let directory = archive.directory(collector.limits(), wheel::matters);
        directory
            .map(|directory| (archive, directory))
            .map_err(|fault| unread(origin.clone(), fault.stage, fault.error))
    });
    let artifact = wheel::artifact(origin, true);
    let (archive, directory) = match opened {
        Ok(opened) => opened,
        Err(problem) => {
            collector.artifact(artifact);
            return collector.problem(problem);
        }
    };
    let is_sdist = directory.entries.iter().any(|entry| {
        entry.name.split_once('/').is_some_and(|(folder, file)| file == "PKG-INFO" && !folder.ends_with(".egg-info"))
            && !entry.name.starts_with("EGG-INFO/")
    });
    if is_sdist {
        sdist::collect_zip(collector, archive, directory, &artifact.origin);
    } else {
        wheel::list(collector, archive, directory, artifact, 0);
    }
}

/// A source file, with the headers beside it for what they define.
fn source(collector: &mut Collector, path: &Path, origin: Origin) {
    let artifact = collector.artifact(Artifact {
        origin: origin.clone(),
        kind: ArtifactKind::Source,
        explicit: true,
        distribution: None,
        tags: None,
        python: None,
    });
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let beside = std::fs::read_dir(folder).into_iter().flatten().flatten().take(collector.limits().walk_entries);
    let headers: Vec<PathBuf> = beside
        .filter(|entry| {
            is_header(&entry.file_name().to_string_lossy()) && Some(entry.file_name().as_os_str()) != path.file_name()
        })
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for header in headers {
        collector.source(SourceFile {
            origin: origin_of(&header),
            path: name(&header),
            report: false,
            artifact,
            handle: Handle::File(header),
        });
    }
    collector.source(SourceFile {
        origin,
        path: name(path),
        report: true,
        artifact,
        handle: Handle::File(path.to_owned()),
    });
}

/// Any other file: whether it is an object file is for its reader to say.
fn binary(collector: &mut Collector, path: &Path, origin: Origin, absolute: &Path) {
    let artifact = collector.artifact(Artifact {
        origin: origin.clone(),
        kind: ArtifactKind::Binary,
        explicit: true,
        distribution: None,
        tags: None,
        python: None,
    });
    collector.member(Member {
        origin,
        kind: MemberKind::Candidate,
        explicit: true,
        module: module_of(absolute),
        distribution: None,
        tags: None,
        record_sha256: None,
        record_size: None,
        artifact,
        handle: Handle::File(path.to_owned()),
    });
}

/// The module name of a single file: from the `site-packages` it is in, else from the folder that holds its outermost package,
/// else its own name.
fn module_of(file: &Path) -> String {
    let own_folder = file.parent();
    let in_site = file.ancestors().skip(1).find(|folder| folder.file_name().is_some_and(is_site_packages));
    let base = in_site.or_else(|| {
        let packages = file.ancestors().skip(1).take_while(|folder| folder.join("__init__.py").is_file());
        packages.last().and_then(Path::parent).or(own_folder)
    });
    let relative = base.and_then(|base| file.strip_prefix(base).ok());
    let name_only = || Path::new(file.file_name().unwrap_or(OsStr::new("")));
    module_name(&slashed(relative.unwrap_or_else(name_only)))
}
