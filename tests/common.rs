//! Runs the built command away from the developer's environment, and makes the inputs that tests need: wheels and folders.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Variables that change what gilaudit, pip or Python do, and that a developer or a CI machine may have set.
pub(crate) const SCRUBBED: [&str; 12] = [
    "PYTHON_GIL",
    "PYTHONGIL",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "NO_COLOR",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "CI",
    "TERM",
    "COLUMNS",
    "FORCE_HYPERLINK",
    "RAYON_NUM_THREADS",
];

/// What a run gave.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Fails with all that was printed unless the exit code is `code`.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{}\n{}", self.stdout, self.stderr))
    }
}

/// The built command with these arguments, in a clean environment.
pub(crate) fn command<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gilaudit"));
    command.args(args).stdin(Stdio::null());
    for name in SCRUBBED {
        command.env_remove(name);
    }
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GILAUDIT_") {
            command.env_remove(name);
        }
    }
    command
}

pub(crate) fn finish(command: &mut Command) -> Ran {
    let output = command.output().expect("the command runs");
    Ran {
        code: output.status.code().expect("the command is not killed"),
        stdout: String::from_utf8(output.stdout).expect("output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("output is UTF-8"),
    }
}

/// Runs the command with these arguments.
pub(crate) fn run<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Ran {
    finish(&mut command(args))
}

/// Runs `gilaudit check --format json` with these words and these paths.
pub(crate) fn check_json(words: &str, paths: &[&Path]) -> Ran {
    let mut command = command(["check", "--format", "json"]);
    finish(command.args(words.split_whitespace()).args(paths))
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder that is removed when the test ends.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

/// Writes a file below `folder`, with the folders it needs.
pub(crate) fn put(folder: &Path, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a file has a folder")).expect("folders can be made");
    fs::write(&path, contents).expect("files can be written");
    path
}

/// The bytes of a zip archive with these members, stored, in this order, duplicates and all.
pub(crate) fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = rawzip::ZipArchiveWriter::new(Vec::new());
    for (name, contents) in members {
        let (mut entry, config) = archive.new_file(name).start().expect("a member begins");
        let mut writer = config.wrap(&mut entry);
        writer.write_all(contents).expect("a member is written");
        let (_, descriptor) = writer.finish().expect("a member ends");
        entry.finish(descriptor).expect("a member is recorded");
    }
    archive.finish().expect("the archive ends")
}

/// Writes the wheel `file_name` with these members beside its metadata, and returns its path.
pub(crate) fn wheel(folder: &Path, file_name: &str, members: &[(&str, &[u8])]) -> PathBuf {
    put(folder, file_name, wheel_bytes(file_name, members))
}

/// The bytes of a wheel of this name.
pub(crate) fn wheel_bytes(file_name: &str, members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut parts = file_name.split('-');
    let (name, version) = (parts.next().expect("a name"), parts.next().expect("a version"));
    let dist_info = format!("{name}-{version}.dist-info");
    let tag = parts.collect::<Vec<_>>().join("-");
    let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
    let wheel = format!("Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {}\n", tag.trim_end_matches(".whl"));
    let record: String = members.iter().map(|(name, _)| format!("{name},,\n")).collect();
    let record = format!("{record}{dist_info}/METADATA,,\n{dist_info}/WHEEL,,\n{dist_info}/RECORD,,\n");
    let names = ["METADATA", "WHEEL", "RECORD"].map(|file| format!("{dist_info}/{file}"));
    let [metadata_name, wheel_name, record_name] = &names;
    let mut all: Vec<(&str, &[u8])> = members.to_vec();
    all.push((metadata_name, metadata.as_bytes()));
    all.push((wheel_name, wheel.as_bytes()));
    all.push((record_name, record.as_bytes()));
    zip(&all)
}

/// Says that a test did nothing. Written past the capture of the test harness, so that a run without network is seen to have tested
/// less.
pub(crate) fn skipped(what: &str) {
    let _ = std::io::stderr().write_all(format!("\n*** SKIPPED: {what}\n").as_bytes());
}
