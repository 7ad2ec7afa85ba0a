//! A policy that has been read and found sound.

use std::collections::BTreeMap;
use std::sync::Arc;

use gilaudit_model::{Action, Extension, Gil, Severity, Status, Target};

use crate::date::Date;
use crate::diagnostic::{Diagnostic, Place};
use crate::exceptions::{self, Exception};
use crate::level::Level;
use crate::targets::Targets;
use crate::warnings::Filter;
use crate::{pyproject, schema, validate};

/// What a policy text is judged against; handed in, because this crate reads no files and no clock.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// The ids of all rules.
    pub rules: &'a [&'a str],
    /// Today, for `expires`.
    pub today: Date,
    /// The text of a policy named in `extends`: of a built-in one by its name; else of a file, by its path (already joined to
    /// the folder of the file that names it). The error says why there is none.
    pub base: &'a dyn Fn(&str) -> Result<String, String>,
    /// Whether diagnostics may repeat what is in a file that the policy extends. Not where nobody asked for the policy: it could name
    /// any file, and have it shown to whoever reads the output.
    pub shows_bases: bool,
}

/// A value and where it is written.
#[derive(Clone, Debug)]
pub(crate) struct Said<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

/// A policy: actions per declaration, levels per rule, exceptions. What it extends is already in it.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) name: Arc<str>,
    pub(crate) description: Option<String>,
    pub(crate) targets: Option<Said<Targets>>,
    pub(crate) declarations: BTreeMap<Status, Said<Action>>,
    pub(crate) contradicted: Option<Said<Action>>,
    pub(crate) declared_by_tool: Option<Said<Action>>,
    pub(crate) rules: BTreeMap<String, Said<Level>>,
    /// The file's own first, then those of what it extends.
    pub(crate) exceptions: Vec<Exception>,
    /// Those of what the file extends first, then its own: the last that matches decides.
    pub(crate) warnings: Vec<Filter>,
    pub(crate) fail_on: Option<Said<Severity>>,
    /// Those of what the file extends first, then its own.
    pub(crate) frozen: Vec<String>,
}

impl Policy {
    /// Reads a policy in YAML. `name` is the file as shown to the user, for a built-in policy its name.
    ///
    /// There is a policy exactly if no diagnostic is an error; the diagnostics are all that is to be said about the file and about
    /// what it extends, sorted by place.
    pub fn parse(name: &str, text: &str, known: &Known<'_>) -> (Option<Self>, Vec<Diagnostic>) {
        validate::yaml(name, text, known)
    }

    /// Reads the `[tool.gilaudit]` table of a pyproject.toml: the same keys, the same diagnostics. `None` when there is no such table.
    pub fn parse_pyproject(name: &str, text: &str, known: &Known<'_>) -> Option<(Option<Self>, Vec<Diagnostic>)> {
        pyproject::parse(name, text, known)
    }

    /// The file as shown to the user, for a built-in policy its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the policy says it is for.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// What the policy says about a rule; `None` when it leaves the rule its own severity.
    pub fn level(&self, rule: &str) -> Option<Level> {
        self.rules.get(rule).map(|said| said.value)
    }

    /// The least severity that makes the command fail, if the policy says.
    pub fn fail_on(&self) -> Option<Severity> {
        self.fail_on.as_ref().map(|said| said.value)
    }

    /// Containers in C sources that nobody changes once they are published: patterns over their text, `*` is any text.
    pub fn frozen(&self) -> &[String] {
        &self.frozen
    }

    /// Whether an exception matches on a hash, so that the bytes of every file must be hashed.
    pub fn needs_sha256(&self) -> bool {
        self.exceptions.iter().any(|exception| exception.matches.sha256.is_some())
    }

    /// A warning when the policy is not written for this interpreter, or is about running without the GIL where the GIL is always
    /// on. It is applied all the same.
    pub fn check_target(&self, target: &Target) -> Option<Diagnostic> {
        if let Some(targets) = self.targets.as_ref().filter(|targets| !targets.value.contains(target)) {
            let written = targets.value.written.join(" or ");
            let message = format!("policy {} is written for Python {written} and is applied to {target}", self.name);
            return Some(Diagnostic::warning(targets.place.clone(), message));
        }
        let why = match (target.free_threaded, target.gil) {
            (false, _) => format!("Python {target} always has it"),
            (true, Gil::On) => "PYTHON_GIL=1 or -X gil=1 turns it on from the start".to_owned(),
            (true, Gil::Default | Gil::Off) => return None,
        };
        let about_no_gil = |said: &&Said<Action>| !matches!(said.value, Action::Follow | Action::Warn | Action::GilOn);
        let entry =
            self.declarations.values().chain(&self.contradicted).chain(&self.declared_by_tool).find(about_no_gil)?;
        let message = format!(
            "policy {} is about running without the GIL, and {why}: what it says about declarations does not apply",
            self.name
        );
        Some(Diagnostic::warning(entry.place.clone(), message).hint("ask about a free-threaded build, such as 3.14t"))
    }

    /// Warnings for the file's own exceptions that decided for none of these extensions, which are all that were audited.
    pub fn unused_exceptions<'e>(
        &self,
        extensions: impl IntoIterator<Item = &'e Extension>,
        today: Date,
    ) -> Vec<Diagnostic> {
        exceptions::unused(&self.exceptions, extensions, today)
    }

    /// Warnings for the exceptions that are out of date, each with those of these extensions that it no longer lets in.
    pub fn lapsed_exceptions<'e>(
        &self,
        extensions: impl IntoIterator<Item = &'e Extension>,
        today: Date,
    ) -> Vec<Diagnostic> {
        exceptions::lapsed(&self.exceptions, extensions, today)
    }

    /// Errors for the file's own exceptions whose reason nobody has written yet.
    pub fn unfinished_exceptions(&self) -> Vec<Diagnostic> {
        exceptions::unfinished(&self.exceptions)
    }

    /// The policy in YAML with everything that it extends worked in.
    pub fn to_yaml(&self) -> String {
        schema::to_yaml(self)
    }
}
