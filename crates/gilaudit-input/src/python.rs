//! Running the active Python, which this crate does for two questions only: where its packages are, and what pip can download.
//!
//! The audited folder may well be the current one, so Python must not import from it: with `-c` and `-m` the current folder comes
//! first on `sys.path`, and a `json.py` there would run. Every script therefore starts with [`SAFE_PATH`]. The current folder itself
//! stays, because version managers choose the interpreter by it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Takes the current folder off `sys.path`; `sys` itself is built in.
const SAFE_PATH: &str = "import sys\nsys.path = [path for path in sys.path if path]\n";

/// The interpreters to ask, best first: that of the active virtual environment, then what is on `PATH`.
pub(crate) fn interpreters() -> Vec<OsString> {
    let mut programs: Vec<OsString> =
        active_environment().map(|folder| in_environment(&folder).into()).into_iter().collect();
    programs.extend(["python3", "python"].map(OsString::from));
    programs
}

/// The folder of the active virtual environment.
pub(crate) fn active_environment() -> Option<PathBuf> {
    std::env::var_os("VIRTUAL_ENV").filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

fn in_environment(folder: &Path) -> PathBuf {
    if cfg!(windows) { folder.join("Scripts").join("python.exe") } else { folder.join("bin").join("python") }
}

/// Runs a script and waits for it.
pub(crate) fn run<S: AsRef<OsStr>>(program: &OsStr, script: &str, arguments: &[S]) -> io::Result<Output> {
    let script = format!("{SAFE_PATH}{script}");
    Command::new(program).arg("-c").arg(script).args(arguments).stdin(Stdio::null()).output()
}

/// The last line of a program's messages that says something, the last error before any other.
pub(crate) fn last_message(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let error = text.lines().rfind(|line| line.starts_with("ERROR:"));
    let last = || text.lines().rfind(|line| !line.trim().is_empty());
    error.or_else(last).unwrap_or("no message").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        assert_eq!(last_message(b"ERROR: first\nERROR: second\n\nWARNING: old pip\n"), "ERROR: second");
        assert_eq!(last_message(b"Traceback\nImportError: x\n\n"), "ImportError: x");
        assert_eq!(last_message(b""), "no message");
    }
}
