//! One member of the inputs: its bytes, and what they show.

use gilaudit_binary::{Data, Hints, Unread};
use gilaudit_input::{Contents, Inventory, Member, MemberKind};
use gilaudit_model::{BinaryFacts, Library, Origin, Problem, Stage};

use crate::contents::{self, Looked};
use crate::guard::problem;
use crate::settings::Settings;

/// What reading one member gave.
#[derive(Default)]
pub(crate) struct Read {
    pub(crate) files: Vec<File>,
    pub(crate) libraries: Vec<Library>,
    pub(crate) problems: Vec<Problem>,
}

/// A file, or one architecture of it.
pub(crate) struct File {
    pub(crate) origin: Origin,
    pub(crate) facts: BinaryFacts,
    pub(crate) sha256: Option<String>,
}

/// Reads a member.
pub(crate) fn read(inventory: &Inventory, member: &Member, settings: &Settings) -> Read {
    let mut read = Read::default();
    if member.kind == MemberKind::Library {
        let why = "its name is not one of an extension".to_owned();
        read.libraries.push(Library { origin: member.origin.clone(), why });
        return read;
    }
    // What does not begin like an object file is not read on: its beginning is enough to say what it is.
    let contents = match inventory.contents(member, |head| gilaudit_binary::sniff(head).is_some()) {
        Ok(contents) => contents,
        Err(problem) => {
            read.problems.push(problem);
            return read;
        }
    };
    if let Contents::Memory(bytes) = &contents
        && let Some(why) = no_object_file(&member.origin, bytes)
    {
        read.libraries.push(Library { origin: member.origin.clone(), why: why.to_owned() });
        return read;
    }
    let hints = Hints::new(member.origin.file_path()).with_tags(member.tags.as_ref());
    let wants_hash = member.in_archive() || member.explicit || settings.hash;
    let look = |data: Data<'_>| gilaudit_binary::read(data, &hints, &settings.binary_limits);
    let ((facts, unread), sha256, size) = match contents::look(inventory, member, contents, wants_hash, look) {
        Ok(Looked { result, sha256, size }) => (result, sha256, size),
        Err(problem) => {
            read.problems.push(problem);
            return read;
        }
    };
    let of_slice = |Unread { slice, error, .. }| {
        let origin = slice.map_or_else(|| member.origin.clone(), |arch| member.origin.slice(&arch));
        Problem { origin, stage: Stage::Parse, unread: true, error }
    };
    let mut problems: Vec<Problem> = unread.into_iter().map(of_slice).collect();
    if facts.is_empty() {
        // Nothing was read of a file that is named like an extension, so the audit must not succeed, whatever its reader says.
        if problems.is_empty() {
            problems.push(problem(member, Stage::Parse, "nothing could be read of it".to_owned()));
        }
        problems.iter_mut().for_each(|problem| problem.unread = true);
    }
    read.problems = problems;
    let sha256 = sha256.filter(|_| !facts.is_empty());
    read.problems.extend(not_as_recorded(member, sha256.as_deref(), (!facts.is_empty()).then_some(size)));
    for facts in facts {
        let origin = facts.slice.as_ref().map_or_else(|| member.origin.clone(), |arch| member.origin.slice(arch));
        read.files.push(File { origin, facts, sha256: sha256.clone() });
    }
    read
}

/// That a file is not the one that RECORD describes.
fn not_as_recorded(member: &Member, sha256: Option<&str>, size: Option<u64>) -> Option<Problem> {
    let differs = |claimed: Option<&str>| claimed.zip(sha256).is_some_and(|(claimed, read)| claimed != read);
    let what = if member.record_size.zip(size).is_some_and(|(claimed, read)| claimed != read) {
        "size"
    } else if differs(member.record_sha256.as_deref()) {
        "hash"
    } else {
        return None;
    };
    let error = format!("RECORD gives it another {what}: it was changed after the wheel was made");
    Some(Problem { origin: member.origin.clone(), stage: Stage::Metadata, unread: false, error })
}

/// What a file is that has the name of an extension and that no interpreter known here could load, by its contents. Nothing is missed
/// by not reading it.
fn no_object_file(origin: &Origin, bytes: &[u8]) -> Option<&'static str> {
    // WebAssembly Core Specification 2.0, 5.5.16: the magic number, and the version after it.
    if bytes.starts_with(b"\0asm") {
        return Some("a WebAssembly module: only an interpreter that runs in WebAssembly (Pyodide) loads it");
    }
    // What an installer puts beside the interpreter's own folders, as far as a wheel says, is in no place where modules are looked for.
    // Elsewhere a text may stand for the file that is meant (a pointer of Git LFS), and is a file that could not be read.
    let in_data = origin.file_path().split('/').zip(origin.file_path().split('/').skip(1));
    let in_data = in_data.into_iter().any(|(scheme, kind)| scheme.ends_with(".data") && kind == "data");
    let is_text =
        std::str::from_utf8(bytes).is_ok_and(|text| !text.chars().any(|it| it.is_control() && !it.is_whitespace()));
    (in_data && is_text).then_some("a text file in the data of a wheel, where no module is looked for")
}
