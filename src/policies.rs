//! The built-in policies, and loading the one that was asked for.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use gilaudit_audit::Applied;

use gilaudit_policy::{Date, Diagnostic, Known, Policy, nearest};
use gilaudit_rules::RULES;

use crate::error::Error;
use crate::misspelt;
use crate::project::Project;

/// A policy that is part of the command.
pub(crate) struct BuiltIn {
    pub(crate) name: &'static str,
    /// Its file, as it is in `policies/`.
    pub(crate) text: &'static str,
}

/// Every file of `policies/`, the default first.
pub(crate) const BUILT_IN: &[BuiltIn] = &[
    BuiltIn { name: "pep703", text: include_str!("../policies/pep703.yaml") },
    BuiltIn { name: "gil", text: include_str!("../policies/gil.yaml") },
    BuiltIn { name: "nogil", text: include_str!("../policies/nogil.yaml") },
    BuiltIn { name: "unsafe-nogil", text: include_str!("../policies/unsafe-nogil.yaml") },
    BuiltIn { name: "serialize", text: include_str!("../policies/serialize.yaml") },
    BuiltIn { name: "audited", text: include_str!("../policies/audited.yaml") },
];

impl BuiltIn {
    /// What it is for: the first line of its first comment.
    pub(crate) fn purpose(&self) -> &'static str {
        let line = self.text.lines().find(|line| line.starts_with('#')).unwrap_or_default();
        line.trim_start_matches('#').trim()
    }
}

/// Why there is no policy to apply: an error, and what is wrong at which places of the file with this text.
pub(crate) struct Rejected {
    pub(crate) error: Error,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) text: String,
}

impl From<Error> for Rejected {
    fn from(error: Error) -> Self {
        Self { error, diagnostics: Vec::new(), text: String::new() }
    }
}

/// The policy that is applied when none is asked for.
pub(crate) const DEFAULT: &str = "pep703";

/// The file whose `[tool.gilaudit]` is a policy.
pub(crate) const PYPROJECT: &str = "pyproject.toml";

/// Who says which policy is applied.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked<'p> {
    /// The user, who may name any file.
    ByUser,
    /// A pyproject.toml that nobody named. Its policy reaches no file outside of its project, and shows nothing of any other.
    ByProject(&'p Project),
}

/// Loads a built-in policy by its name, or else a file.
pub(crate) fn load(name: &str) -> Result<Applied, Rejected> {
    let text = text_of(name)?;
    load_file(name, text, Asked::ByUser)
}

/// Loads a policy whose text was read already.
pub(crate) fn load_file(name: &str, text: String, asked: Asked<'_>) -> Result<Applied, Rejected> {
    match parse(name, &text, asked) {
        Some((Some(policy), diagnostics)) => Ok(Applied::new(policy, diagnostics, today())),
        Some((None, diagnostics)) => {
            Err(Rejected { error: Error::new(format!("policy {name} has errors")), diagnostics, text })
        }
        None => Err(Error::new(format!("{name} has no policy: there is no table [tool.gilaudit] in it")).into()),
    }
}

fn today() -> Date {
    Date::from_unix_seconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
}

/// Reads a policy, in YAML or in a pyproject.toml; `None` for one of the latter without.
pub(crate) fn parse(name: &str, text: &str, asked: Asked<'_>) -> Option<(Option<Policy>, Vec<Diagnostic>)> {
    let rules: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
    let base = |name: &str| base(name, asked);
    let shows_bases = matches!(asked, Asked::ByUser);
    let known = Known { rules: &rules, today: today(), base: &base, shows_bases };
    if Path::new(name).file_name().is_some_and(|name| name == PYPROJECT) {
        Policy::parse_pyproject(name, text, &known)
    } else {
        Some(Policy::parse(name, text, &known))
    }
}

/// The text of a policy that another extends: a bare word is a built-in one, whatever lies in the current folder.
fn base(name: &str, asked: Asked<'_>) -> Result<String, String> {
    if let Some(policy) = BUILT_IN.iter().find(|policy| policy.name == name) {
        return Ok(policy.text.to_owned());
    }
    match asked {
        _ if !name.contains(['/', '\\', '.']) => Err("there is no built-in policy of this name".to_owned()),
        Asked::ByUser => read_file(Path::new(name)),
        Asked::ByProject(project) => read_file(&project.inside(name)?),
    }
}

/// The text of a built-in policy by its name, or else of a file.
pub(crate) fn text_of(name: &str) -> Result<String, Error> {
    if let Some(policy) = BUILT_IN.iter().find(|policy| policy.name == name) {
        return Ok(policy.text.to_owned());
    }
    if !Path::new(name).exists() && !name.contains(['/', '\\', '.']) {
        return Err(unknown(name));
    }
    read(Path::new(name)).map_err(|error| Error { message: format!("policy {}", error.message), ..error })
}

/// The text of a policy file; the error names the file that may be meant.
pub(crate) fn read(path: &Path) -> Result<String, Error> {
    read_file(path).map_err(|error| {
        let error = Error::new(format!("{}: {error}", path.display()));
        match misspelt::file(path).filter(|_| !path.exists()) {
            Some(near) => error.hint(format!("did you mean '{near}'?")),
            None => error,
        }
    })
}

/// The text of a file.
pub(crate) fn read_file(path: &Path) -> Result<String, String> {
    gilaudit_input::read_text(path).map_err(|error| error.to_string())
}

/// That there is no built-in policy of this name, and which one may be meant.
fn unknown(name: &str) -> Error {
    let error = Error::new(format!("unknown policy '{name}'"));
    match nearest(name, BUILT_IN.iter().map(|policy| policy.name)) {
        Some(near) => error.hint(format!("did you mean '{near}'?")),
        None => {
            error.hint("gilaudit policy list names the built-in ones; anything else is a YAML file or a pyproject.toml")
        }
    }
}
