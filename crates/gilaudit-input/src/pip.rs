//! A distribution from an index, downloaded by pip.
//!
//! pip is used as the user has it: index, proxies, certificates and credentials are those of its own configuration. It is asked for
//! wheels only, because building a source distribution would run its code, and for the *target's* tags, not those of the Python that
//! runs pip. What it gives is checked against the target, because an old pip knows nothing of free-threaded ABIs.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use gilaudit_model::{Gil, Origin, Stage, Target, Version, WheelTags};

use crate::collector::Collector;
use crate::index::Listed;
use crate::platform_tags::platform_tags;
use crate::problems::{io_text, notice, slashed, unread};
use crate::python::{interpreters, last_message, run_in};
use crate::wheel;
use crate::wheel_name::WheelName;
use crate::zip::Source;

/// `python -m pip`, but without the current folder on `sys.path`, and not for longer than somebody waits for it: when standard input
/// ends, it is interrupted as from a keyboard, so that it removes what it has begun, and the folder is removed.
const RUN_PIP: &str = "\
import _thread, os, runpy, shutil, signal, threading, time
folder = sys.argv.pop(1)
alone = False
def watch():
    global alone
    try:
        while os.read(0, 4096):
            pass
    except OSError:
        pass
    alone = True
    if os.name == 'posix':
        os.kill(os.getpid(), signal.SIGINT)
    else:
        _thread.interrupt_main()
    time.sleep(5)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)
signal.signal(signal.SIGINT, signal.default_int_handler)
threading.Thread(target=watch, daemon=True).start()
try:
    runpy.run_module('pip', run_name='__main__', alter_sys=True)
finally:
    if alone:
        shutil.rmtree(folder, ignore_errors=True)
";

/// Downloads a distribution for the target (3.14t without one) and lists its wheel.
pub(crate) fn collect(collector: &mut Collector, name: &str, version: Option<&str>, target: Option<&Target>) {
    let default = Target { version: Version::V3_14, free_threaded: true, gil: Gil::Default };
    let target = target.copied().unwrap_or(default);
    let wanted = Wanted { name, version, target };
    let origin = Origin::path(format!("pypi:{}", wanted.requirement()));
    let folder = match tempfile::Builder::new().prefix("gilaudit-").tempdir() {
        Ok(folder) => folder,
        Err(error) => {
            let error = format!("no temporary folder to download to: {}", io_text(&error));
            return collector.problem(unread(origin, Stage::Find, error));
        }
    };
    let (path, listed) = match wanted.download(folder.path()) {
        Ok(downloaded) => downloaded,
        Err(error) => return collector.problem(unread(origin, Stage::Find, error)),
    };
    let file = path.file_name().map(|name| slashed(Path::new(name))).unwrap_or_default();
    let wheel = WheelName::parse(&file);
    let taken = wheel.as_ref().map(|wheel| wheel.distribution.version.as_str()).or(version);
    let origin = Origin::path(match taken {
        Some(version) => format!("pypi:{name}=={version}/{file}"),
        None => format!("pypi:{name}/{file}"),
    });
    if let Some(wheel) = wheel.as_ref().filter(|wheel| !accepts(&target, &wheel.tags)) {
        let error = format!(
            "{target} cannot load this wheel, which is for {} ({}), and pip offered none for {target}",
            wheel.tags.abi.join(" and "),
            wheel.tags.python.join(" and "),
        );
        collector.problem(notice(origin.clone(), Stage::Find, error));
    }
    // A file that is open can be removed at once, but for Windows: then nothing is left behind, however this process ends.
    let source = if cfg!(unix) { Source::held(&path) } else { Source::file(&path) };
    if cfg!(unix) {
        drop(folder);
    } else {
        collector.download(folder);
    }
    let candidates = wheel::open(collector, source, wheel::artifact(origin.clone(), true));
    // Whoever names a version gets it. Whoever does not means the newest, and must hear when that is not what was read.
    if let (None, Some(taken)) = (version, taken) {
        let told = listed.told(name, taken, &target);
        let empty = told.is_none() && candidates == 0 && taken.split('.').all(|number| number == "0");
        if let Some(told) = told {
            let problem = if told.unread { unread } else { notice };
            collector.problem(problem(origin, Stage::Find, told.error));
        } else if empty {
            let error = format!("version {taken} without any extension: a placeholder, by the look of it");
            collector.problem(notice(origin, Stage::Find, error));
        }
    }
}

/// What is to be downloaded, and for which interpreter.
struct Wanted<'a> {
    name: &'a str,
    version: Option<&'a str>,
    target: Target,
}

/// Why a run of pip gave nothing.
enum Failure {
    /// pip answered that there is no such wheel; its last message, and what the index has.
    NoMatch(String, Listed),
    /// Anything else, ready to be shown.
    Other(String),
}

impl Wanted<'_> {
    fn requirement(&self) -> String {
        match self.version {
            Some(version) => format!("{}=={version}", self.name),
            None => self.name.to_owned(),
        }
    }

    /// Downloads one wheel into `folder`. For a free-threaded target that has none, a wheel for the stable ABI of GIL builds is
    /// fetched all the same, so that the report can show what the target makes of it.
    fn download(&self, folder: &Path) -> Result<(PathBuf, Listed), String> {
        let platforms = platform_tags();
        if platforms.is_empty() {
            return Err("no platform tags are known for this system: download the wheel and give its path".to_owned());
        }
        let first = self.attempt(&abis(&self.target), &platforms, folder);
        let (message, listed) = match first {
            Ok(downloaded) => return Ok(downloaded),
            Err(Failure::Other(error)) => return Err(error),
            Err(Failure::NoMatch(message, listed)) => (message, listed),
        };
        if self.target.free_threaded
            && let Ok(downloaded) = self.attempt(&["abi3".to_owned()], &platforms, folder)
        {
            return Ok(downloaded);
        }
        let hint = if listed.has_sdist(self.version) {
            "; it has a source distribution, which gilaudit does not build"
        } else {
            ""
        };
        Err(format!("no wheel that {} can load on this system{hint} (pip: {message})", self.target))
    }

    fn attempt(&self, abis: &[String], platforms: &[String], folder: &Path) -> Result<(PathBuf, Listed), Failure> {
        let mut arguments: Vec<OsString> = [
            "download",
            // It then names every file that the index has, also those that it does not take.
            "-vv",
            "--no-input",
            "--disable-pip-version-check",
            "--progress-bar=off",
            "--no-deps",
            "--only-binary=:all:",
            "--implementation=cp",
        ]
        .map(OsString::from)
        .to_vec();
        arguments.push(format!("--python-version={}", self.target.version).into());
        arguments.extend(abis.iter().map(|abi| format!("--abi={abi}").into()));
        arguments.extend(platforms.iter().map(|platform| format!("--platform={platform}").into()));
        arguments.push("--dest".into());
        arguments.push(folder.into());
        arguments.push(self.requirement().into());

        let output = run_pip(folder, &arguments).map_err(Failure::Other)?;
        let listed = Listed::from_output(self.name, &String::from_utf8_lossy(&output.stdout));
        if output.status.success() {
            let left = wheel_in(folder).map(|path| (path, listed));
            return left.ok_or_else(|| Failure::Other("pip succeeded but left no wheel".to_owned()));
        }
        let message = last_message(&output.stderr);
        let text = String::from_utf8_lossy(&output.stderr);
        // Without a connection pip ends with "No matching distribution found" too; what it says before tells the two apart.
        if let Some(line) = text.lines().rfind(|line| line.contains("Retrying (") || line.contains("connection error"))
        {
            return Err(Failure::Other(format!("pip could not reach the index (pip: {})", line.trim())));
        }
        if message.contains("No matching distribution found") {
            Err(Failure::NoMatch(message, listed))
        } else {
            Err(Failure::Other(format!("pip failed (pip: {message})")))
        }
    }
}

/// Runs pip with the first Python that has it.
fn run_pip(folder: &Path, arguments: &[OsString]) -> Result<std::process::Output, String> {
    let mut failures = Vec::new();
    for program in interpreters() {
        let shown = slashed(Path::new(&program));
        match run_in(&program, RUN_PIP, folder, arguments) {
            Ok(output) if String::from_utf8_lossy(&output.stderr).contains("No module named pip") => {
                failures.push(format!("{shown} has no pip"));
            }
            // A version manager's shim for a Python that is not installed.
            Ok(output) if output.status.code() == Some(127) => {
                failures.push(format!("{shown}: {}", last_message(&output.stderr)));
            }
            Ok(output) => return Ok(output),
            Err(error) => failures.push(format!("{shown}: {}", io_text(&error))),
        }
    }
    Err(format!("no Python with pip to download it with ({})", failures.join("; ")))
}

/// The one wheel in a folder.
fn wheel_in(folder: &Path) -> Option<PathBuf> {
    let paths = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "whl")).min()
}

/// The ABI tags to ask pip for; `none`, and `abi3` for GIL builds, it adds itself.
fn abis(target: &Target) -> Vec<String> {
    let mut abis = vec![own_abi(target)];
    if target.version >= Version::V3_15 {
        abis.push("abi3t".to_owned());
    }
    abis
}

fn own_abi(target: &Target) -> String {
    format!("cp3{}{}", target.version.minor(), if target.free_threaded { "t" } else { "" })
}

/// Whether the target can load what is in a wheel with these ABI tags (PEP 425, PEP 703, PEP 803).
fn accepts(target: &Target, tags: &WheelTags) -> bool {
    let own = own_abi(target);
    tags.abi.iter().any(|abi| match abi.as_str() {
        "none" => true,
        "abi3" => !target.free_threaded,
        "abi3t" => target.version >= Version::V3_15,
        abi => abi == own,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_targets_accept() {
        let accepted = |abi: &str| {
            let tags = WheelTags::parse("cp314", abi, "any");
            let targets: Vec<String> =
                Target::all().filter(|target| accepts(target, &tags)).map(|t| t.to_string()).collect();
            targets.join(" ")
        };
        assert_eq!(accepted("cp314t"), "3.14t");
        assert_eq!(accepted("cp314"), "3.14");
        assert_eq!(accepted("abi3"), "3.13 3.14 3.15");
        assert_eq!(accepted("abi3.abi3t"), "3.13 3.14 3.15 3.15t");
        assert_eq!(accepted("none"), "3.13 3.13t 3.14 3.14t 3.15 3.15t");
    }
}
