//! Wheels and source distributions: what gilaudit does not complain about it reads as Python does.
//!
//! Python is asked, by a process that lives as long as this one ([`Python`]). Where it sees a member that gilaudit neither reads with the
//! same bytes nor says it did not read, an extension can be hidden from an audit.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use gilaudit_input::{Given, Inventory, Limits, collect, sha256_hex};
use tempfile::TempDir;

use crate::{made_tar, made_zip};

/// A wheel, raw if it begins like a zip archive, else made to the recipe that the bytes are.
pub fn wheel(data: &[u8]) {
    let raw = data.starts_with(b"PK");
    let made = if raw { data.to_vec() } else { made_zip::zip(data) };
    compare("wheel", "pkg-1.0-cp314-cp314t-linux_x86_64.whl", &made);
}

/// A source distribution: compressed bytes as they are, else made to the recipe that the bytes are.
pub fn sdist(data: &[u8]) {
    let raw = data.starts_with(&[0x1f, 0x8b]) || data.starts_with(b"BZh") || data.starts_with(b"\xfd7zXZ");
    let made = if raw { data.to_vec() } else { made_tar::tar_gz(data) };
    compare("sdist", "pkg-1.0.tar.gz", &made);
}

/// Bytes of a tar without its compression; the sums of its headers are made right.
pub fn tar(data: &[u8]) {
    compare("sdist", "pkg-1.0.tar.gz", &made_tar::compressed(&made_tar::with_sums(data.to_vec())));
}

fn compare(kind: &str, name: &str, bytes: &[u8]) {
    let (folder, path) = match written(name, bytes) {
        Ok(written) => written,
        Err(error) => panic!("no file to open: {error}"),
    };
    let inventory = collect(&[Given::Path(path.clone())], None, &Limits::default());
    let (mut read, complete) = contents(&inventory);
    read.sort();
    let Some(expected) = Python::ask(kind, bytes) else { return };
    if !complete {
        return;
    }
    for (name, digest) in expected {
        // Bytes that are no UTF-8 are spelt in more than one way.
        let same = |path: &str| path == name || name.contains('\u{fffd}');
        let here: Vec<&str> = read.iter().filter(|(path, _)| same(path)).map(|(_, digest)| &**digest).collect();
        // A word about this very member is enough: installers do not agree about all names.
        let escaped = name.escape_debug().to_string();
        let is_told = inventory.problems.iter().any(|problem| unpacked(problem.origin.file_path()) == escaped);
        if !here.contains(&&*digest) && !is_told {
            let kept = folder.keep();
            let problems = &inventory.problems;
            panic!(
                "{name:?}: Python reads {digest}, gilaudit {here:?} and says only {problems:?}; see {}",
                kept.display()
            );
        }
    }
}

/// A file with this name and these bytes, and the folder that it is in for as long as that lives.
fn written(name: &str, bytes: &[u8]) -> io::Result<(TempDir, PathBuf)> {
    let folder = tempfile::Builder::new().prefix("gilaudit-hostile-").tempdir()?;
    let path = folder.path().join(name);
    fs::write(&path, bytes)?;
    Ok((folder, path))
}

/// The paths and digests of all that is read, and whether nothing says that it was not.
fn contents(inventory: &Inventory) -> (Vec<(String, String)>, bool) {
    let mut read = Vec::new();
    let mut complete = !inventory.problems.iter().any(|problem| problem.unread);
    let members = inventory.members.iter().map(|member| (member.origin.file_path(), inventory.read(member)));
    let sources = inventory.sources.iter().map(|source| (source.origin.file_path(), inventory.read_source(source)));
    for (path, bytes) in members.chain(sources) {
        match bytes {
            Ok(bytes) => read.push((unpacked(path), sha256_hex(&bytes))),
            Err(problem) => complete &= !problem.unread,
        }
    }
    (read, complete)
}

/// The path that a member is unpacked to: what `posixpath.normpath` makes of its name.
fn unpacked(name: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/').filter(|part| !matches!(*part, "" | ".")) {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// A Python that answers questions about archives.
#[derive(Debug)]
pub struct Python {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Python {
    /// The interpreter: `PYTHON`, else python3.
    fn start() -> Option<Self> {
        let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
        let mut command = Command::new(python);
        command.args(["-I", "-c", include_str!("oracle.py")]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let (questions, answers) = (child.stdin.take()?, child.stdout.take()?);
        Some(Self { child, questions, answers: BufReader::new(answers) })
    }

    /// Whether there is one to ask.
    pub fn is_there() -> bool {
        Self::ask("wheel", b"").is_some()
    }

    /// The paths and digests of the members that Python can read; `None` where there is no Python.
    fn ask(kind: &str, bytes: &[u8]) -> Option<Vec<(String, String)>> {
        static PYTHON: OnceLock<Option<Mutex<Python>>> = OnceLock::new();
        let python = PYTHON.get_or_init(|| Self::start().map(Mutex::new)).as_ref()?;
        let mut python = python.lock().unwrap_or_else(PoisonError::into_inner);
        match python.question(kind, bytes) {
            Ok(answer) => Some(answer),
            // Anything but an answer is a mistake of the script: no archive may end it.
            Err(error) => panic!("python: {error}, {:?}", python.child.try_wait()),
        }
    }

    fn question(&mut self, kind: &str, bytes: &[u8]) -> io::Result<Vec<(String, String)>> {
        let head = format!("{kind} {}\n", bytes.len());
        self.questions.write_all(&[head.as_bytes(), bytes].concat())?;
        self.questions.flush()?;
        let mut found = Vec::new();
        loop {
            let mut line = String::new();
            if self.answers.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some((path, digest)) = line.trim_end().split_once(' ') else { return Ok(found) };
            let path: Vec<u8> = (0..path.len())
                .step_by(2)
                .filter_map(|at| u8::from_str_radix(path.get(at..at + 2)?, 16).ok())
                .collect();
            found.push((String::from_utf8_lossy(&path).into_owned(), digest.to_owned()));
        }
    }
}
