//! Which interpreter an environment belongs to: from `pyvenv.cfg`, or by asking the active Python.

use std::path::{Path, PathBuf};

use gilaudit_model::{Gil, Origin, Stage, Target, Version};

use crate::bytes::Bytes;
use crate::collector::Collector;
use crate::file;
use crate::folder;
use crate::inventory::{Artifact, ArtifactKind};
use crate::problems::{io_text, notice, origin_of, unread};
use crate::python::{active_environment, last_message, run};

/// What the active Python is asked. It prints one line of JSON and imports nothing but the standard library.
const QUESTION: &str = "\
import json, os, site, sysconfig
paths = [sysconfig.get_path(name) for name in ('purelib', 'platlib')] + site.getsitepackages()
if site.ENABLE_USER_SITE:
    paths.append(site.getusersitepackages())
print(json.dumps({
    'version': list(sys.version_info[:2]),
    'free_threaded': bool(sysconfig.get_config_var('Py_GIL_DISABLED')),
    'prefix': sys.prefix,
    'paths': sorted({path for path in paths if path and os.path.isdir(path)}),
}))
";

/// Lists the environment of the active Python: that of `VIRTUAL_ENV`, else what `python3` or `python` says of itself.
pub(crate) fn collect_active(collector: &mut Collector) {
    if let Some(folder) = active_environment() {
        return file::collect(collector, &folder);
    }
    let answer = match ask_python() {
        Ok(answer) => answer,
        Err(error) => {
            let origin = Origin::path("active environment");
            return collector.problem(unread(origin, Stage::Find, error));
        }
    };
    let origin = origin_of(&answer.prefix);
    let python = target(collector, &origin, answer.major, answer.minor, answer.free_threaded);
    collector.artifact(Artifact {
        origin: origin.clone(),
        kind: ArtifactKind::Environment,
        explicit: true,
        distribution: None,
        tags: None,
        python,
    });
    if answer.paths.is_empty() {
        collector.problem(unread(origin, Stage::Find, "this Python has no site-packages folder"));
    }
    for path in &answer.paths {
        folder::collect(collector, path, python);
    }
}

#[derive(Debug)]
struct Answer {
    major: u32,
    minor: u32,
    free_threaded: bool,
    prefix: PathBuf,
    paths: Vec<PathBuf>,
}

fn ask_python() -> Result<Answer, String> {
    let mut failures = Vec::new();
    for program in ["python3", "python"] {
        match run::<&str>(program.as_ref(), QUESTION, &[]) {
            Ok(output) if output.status.success() => {
                let unusable = || format!("{program} gave no usable answer about its environment");
                return parse(&output.stdout).ok_or_else(unusable);
            }
            Ok(output) => failures.push(format!("{program} failed: {}", last_message(&output.stderr))),
            Err(error) => failures.push(format!("{program}: {}", io_text(&error))),
        }
    }
    Err(format!(
        "no active environment: VIRTUAL_ENV is not set, and no Python on PATH could be asked ({})",
        failures.join("; ")
    ))
}

fn parse(stdout: &[u8]) -> Option<Answer> {
    // A sitecustomize may print lines of its own before ours.
    let text = String::from_utf8_lossy(stdout);
    let answer: serde_json::Value = serde_json::from_str(text.lines().last()?).ok()?;
    let number = |index: usize| u32::try_from(answer.get("version")?.get(index)?.as_u64()?).ok();
    let paths = answer.get("paths")?.as_array()?.iter().filter_map(|path| path.as_str().map(PathBuf::from));
    Some(Answer {
        major: number(0)?,
        minor: number(1)?,
        free_threaded: answer.get("free_threaded")?.as_bool()?,
        prefix: answer.get("prefix")?.as_str()?.into(),
        paths: paths.collect(),
    })
}

/// The target of this version, if gilaudit knows it; otherwise a problem says so.
fn target(collector: &mut Collector, origin: &Origin, major: u32, minor: u32, free_threaded: bool) -> Option<Target> {
    let version = if major == 3 { Version::from_minor(minor) } else { None };
    if version.is_none() {
        let error = format!("its Python is {major}.{minor}, whose loading rules gilaudit does not know");
        collector.problem(notice(origin.clone(), Stage::Find, error));
    }
    version.map(|version| Target { version, free_threaded, gil: Gil::Default })
}

/// The interpreter of the virtual environment in this folder, from its `pyvenv.cfg`.
pub(crate) fn target_of(collector: &mut Collector, folder: &Path) -> Option<Target> {
    let origin = origin_of(&folder.join("pyvenv.cfg"));
    let text = match Bytes::of_file(&folder.join("pyvenv.cfg"), collector.limits().metadata_bytes) {
        Ok(text) => text,
        Err(error) => {
            collector.problem(notice(origin, Stage::Metadata, error.to_string()));
            return None;
        }
    };
    let settings = Settings::parse(&String::from_utf8_lossy(&text));
    let Some((major, minor)) = settings.version else {
        collector.problem(notice(origin, Stage::Metadata, "no version of Python in it"));
        return None;
    };
    // The folder is the surest sign: it is the one that this interpreter will look in.
    let lib = |suffix: &str| folder.join("lib").join(format!("python{major}.{minor}{suffix}")).is_dir();
    let free_threaded = lib("t") || (!lib("") && settings.free_threaded);
    target(collector, &origin, major, minor, free_threaded)
}

/// What matters of a `pyvenv.cfg`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Settings {
    version: Option<(u32, u32)>,
    /// Whether the interpreter it was made with is named like a free-threaded one.
    free_threaded: bool,
}

impl Settings {
    fn parse(text: &str) -> Self {
        let mut settings = Self::default();
        for line in text.lines() {
            let Some((key, value)) = line.split_once('=') else { continue };
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                // `version` is venv's, `version_info` is uv's and virtualenv's: 3.14.7, 3.14.0.final.0, 3.14.
                "version" | "version_info" => {
                    let mut numbers = value.split('.').map(|part| part.parse().ok());
                    if let (Some(Some(major)), Some(Some(minor))) = (numbers.next(), numbers.next()) {
                        settings.version = Some((major, minor));
                    }
                }
                "executable" | "base-executable" | "home" => {
                    settings.free_threaded |= named_free_threaded(value);
                }
                _ => {}
            }
        }
        settings
    }
}

/// Whether a path is that of a free-threaded interpreter by its name: `…/python3.14t`, `python3.14t.exe`, uv's
/// `cpython-3.14.0+freethreaded-…/bin`.
fn named_free_threaded(path: &str) -> bool {
    if path.contains("+freethreaded") {
        return true;
    }
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default().to_ascii_lowercase();
    let version = name.strip_suffix(".exe").unwrap_or(&name).strip_prefix("python");
    version.and_then(|version| version.strip_suffix('t')).is_some_and(|version| {
        version.starts_with('3') && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_venv_virtualenv_and_uv() {
        let venv = "home = /opt/bin\nversion = 3.14.7\nexecutable = /opt/bin/python3.14t\ncommand = /opt/bin/python3.14t -m venv x\n";
        assert_eq!(Settings::parse(venv), Settings { version: Some((3, 14)), free_threaded: true });
        let virtualenv = "home = /opt/bin\nversion_info = 3.13.0.final.0\nbase-executable = /opt/bin/python3.13\n";
        assert_eq!(Settings::parse(virtualenv), Settings { version: Some((3, 13)), free_threaded: false });
        let uv = "home = /u/cpython-3.14.0+freethreaded-linux-x86_64-gnu/bin\r\nversion_info = 3.14\r\n";
        assert_eq!(Settings::parse(uv), Settings { version: Some((3, 14)), free_threaded: true });
        let windows = "version = 3.13.1\nexecutable = C:\\Python313\\python3.13t.exe\n";
        assert_eq!(Settings::parse(windows), Settings { version: Some((3, 13)), free_threaded: true });
        assert_eq!(Settings::parse("version = ?\nrubbish"), Settings::default());
    }

    #[test]
    fn answers() {
        let text = b"hello from sitecustomize\n{\"version\": [3, 14], \"free_threaded\": true, \"prefix\": \"/p\", \"paths\": [\"/p/s\"]}\n";
        let answer = parse(text).unwrap();
        assert_eq!((answer.major, answer.minor, answer.free_threaded), (3, 14, true));
        assert_eq!(answer.paths, [PathBuf::from("/p/s")]);
        assert!(parse(b"").is_none() && parse(b"[]").is_none() && parse(b"{\"version\": []}").is_none());
    }
}
