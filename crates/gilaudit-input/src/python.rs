//! Running the active Python, which this crate does for three questions only: where its packages are, what pip can download, and how
//! pip is configured.
//!
//! The audited folder may well be the current one, so Python must not import from it: with `-c` and `-m` the current folder comes
//! first on `sys.path`, and a `json.py` there would run. Every script therefore starts with [`SAFE_PATH`]. The current folder itself
//! stays, because version managers choose the interpreter by it.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
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

/// What `pip config list` prints, of the first Python that has pip; `None` without any.
pub fn pip_configuration() -> Option<String> {
    const SCRIPT: &str = "import runpy\nrunpy.run_module('pip', run_name='__main__', alter_sys=True)\n";
    let arguments = ["--disable-pip-version-check", "config", "list"];
    interpreters().iter().find_map(|program| {
        let output = run(program, SCRIPT, &arguments).ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok()
    })
}

/// Bytes of what a program prints that are looked at.
const PRINTED: u64 = 64 << 20;

/// Runs a script that works in a folder of its own, and waits for it. Its standard input stays open as long as this process lives, so
/// that the script can tell when nobody waits for it any more: it is to stop then, and to remove the folder.
pub(crate) fn run_in<S: AsRef<OsStr>>(
    program: &OsStr,
    script: &str,
    folder: &Path,
    arguments: &[S],
) -> io::Result<Output> {
    let script = format!("{SAFE_PATH}{script}");
    let mut command = Command::new(program);
    command.arg("-c").arg(script).arg(folder).args(arguments);
    for variable in ["TMPDIR", "TEMP", "TMP"] {
        command.env(variable, folder);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let lifeline = child.stdin.take();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let stderr = std::thread::spawn(move || stderr.map(printed).transpose());
    let stdout = stdout.map(printed).transpose();
    let stderr = stderr.join().unwrap_or(Ok(None));
    let status = child.wait()?;
    drop(lifeline);
    Ok(Output { status, stdout: stdout?.unwrap_or_default(), stderr: stderr?.unwrap_or_default() })
}

/// What a program prints, up to a limit; the rest is read, so that it does not wait, and forgotten.
fn printed(mut pipe: impl Read) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    pipe.by_ref().take(PRINTED).read_to_end(&mut text)?;
    io::copy(&mut pipe, &mut io::sink())?;
    Ok(text)
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
