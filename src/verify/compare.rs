//! What was predicted beside what a process saw.
//!
//! A prediction is right, wrong, or could not be put to the test: an import that fails for other reasons (a display, a library that is
//! missing), an interpreter that dies before it gets there, a time limit. What was not tested never counts as agreement.

use std::path::Path;
use std::time::Duration;

use gilaudit_audit::imports::Imports;
use gilaudit_audit::report::Judged;
use gilaudit_model::{FailureKind, Outcome, Target};
use gilaudit_policy::imports::GilAtEnd;

use super::child::{End, Event, Seen};

/// Whether a prediction was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Agreement {
    /// The interpreter did what was predicted.
    Agrees,
    /// It did something else.
    Differs,
    /// Nothing definite was predicted.
    NotPredicted,
    /// It could not be put to the test.
    NotTested,
}

impl Agreement {
    /// The word used in reports.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Agrees => "agrees",
            Self::Differs => "differs",
            Self::NotPredicted => "not-predicted",
            Self::NotTested => "not-tested",
        }
    }
}

/// What an interpreter did with a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    /// Loaded it without the GIL.
    RanFree,
    /// Turned the GIL on for it.
    EnabledGil,
    /// Loaded it with the GIL on from the start.
    RanWithGil,
    /// Refused it.
    Failed(String),
    /// Died while it loaded it.
    Crashed(String),
    /// Nothing that says something about it.
    Unseen(String),
}

impl Did {
    /// The word used in reports.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::RanFree => "runs-free",
            Self::EnabledGil => "enables-gil",
            Self::RanWithGil => "runs-with-gil",
            Self::Failed(_) => "cannot-import",
            Self::Crashed(_) => "crashes",
            Self::Unseen(_) => "not-seen",
        }
    }

    /// What is to be said besides.
    pub(crate) fn detail(&self) -> Option<&str> {
        match self {
            Self::Failed(text) | Self::Crashed(text) | Self::Unseen(text) => Some(text),
            _ => None,
        }
    }
}

/// A module's prediction beside what was seen.
#[derive(Clone, Debug)]
pub(crate) struct Module {
    pub(crate) judged: Judged,
    pub(crate) did: Did,
    /// The module that the interpreter's first warning named.
    pub(crate) warned: Option<String>,
    pub(crate) agreement: Agreement,
    pub(crate) elapsed: Duration,
}

/// A program's prediction beside what was seen.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) imports: Imports,
    /// Whether the GIL was on in the end; `None` when nothing was seen.
    pub(crate) gil: Option<bool>,
    /// The module that the interpreter's first warning named, and the places of the imports that led to it.
    pub(crate) warned: Option<String>,
    pub(crate) places: Vec<(String, u32, String)>,
    /// What went wrong on the way.
    pub(crate) errors: Vec<String>,
    pub(crate) agreement: Agreement,
    /// What differs, or why nothing could be compared.
    pub(crate) why: String,
    pub(crate) elapsed: Duration,
}

/// The module that the first warning named.
pub(crate) fn warned(events: &[Event]) -> Option<&Event> {
    events.iter().find(|event| event.event == "warned")
}

/// Whether two paths name one file.
fn same_file(seen: &str, expected: &Path) -> bool {
    let seen = Path::new(seen);
    seen == expected || matches!((seen.canonicalize(), expected.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// What a process says about one module; `None` when it has to be asked with `-v`, because the GIL was on already.
pub(crate) fn did(module: &str, file: &Path, seen: &Seen, target: &Target) -> Option<Did> {
    let events = &seen.events;
    let is_it = |event: &&Event| event.module == module;
    let begun = events.iter().position(|it| it.event == "loading" && is_it(&it) && same_file(&it.path, file));
    let Some(begun) = begun else {
        // Start-up code (a .pth file) loaded it before anything could be seen: only -v tells.
        let at_start = events.first().is_some_and(|start| start.loaded.iter().any(|name| name == module));
        let is_told = target.free_threaded && target.gil == gilaudit_model::Gil::Default;
        return if at_start && is_told { None } else { Some(unseen(module, seen)) };
    };
    let after =
        events.iter().skip(begun).find(|event| event.event != "loading" && event.event != "warned" && is_it(event));
    let Some(after) = after else {
        let last = events.iter().rev().find(|event| event.event == "loading").map_or("", |event| &event.module);
        return Some(match &seen.end {
            End::TimedOut => Did::Unseen("the time limit was reached while it was loaded".to_owned()),
            // It was loading another module from within.
            _ if last != module => Did::Unseen(died(seen, last)),
            End::Crashed(how) => Did::Crashed(how.clone()),
            _ => Did::Unseen(died(seen, last)),
        });
    };
    if after.event == "failed" {
        return Some(Did::Failed(after.error.clone().unwrap_or_default()));
    }
    if !target.free_threaded || target.gil == gilaudit_model::Gil::On {
        return Some(Did::RanWithGil);
    }
    let before = events.get(begun).is_some_and(|event| event.gil);
    if !before && !after.gil {
        return Some(Did::RanFree);
    }
    if warned(events).is_some_and(|warning| warning.module == module) {
        return Some(Did::EnabledGil);
    }
    None
}

/// The same for a process with `-v`, which names every module that needs the GIL.
pub(crate) fn did_verbosely(module: &str, file: &Path, seen: &Seen, target: &Target) -> Did {
    if let Some(did) = did(module, file, seen, target) {
        return did;
    }
    if seen.needing.iter().any(|name| name == module) { Did::EnabledGil } else { Did::RanFree }
}

fn unseen(module: &str, seen: &Seen) -> Did {
    let error = seen.events.iter().find(|event| event.event == "done").and_then(|event| event.error.clone());
    let last = seen.events.iter().rev().find(|event| event.event == "loading").map_or("", |event| &event.module);
    match (&seen.end, error) {
        (End::Done, Some(error)) if error == format!("ModuleNotFoundError: No module named '{module}'") => {
            Did::Failed(error)
        }
        (End::Done, Some(error)) => Did::Unseen(format!("an import before it fails: {error}")),
        (End::Done, None) => Did::Unseen("another file is imported by its name".to_owned()),
        (End::TimedOut, _) => Did::Unseen("the time limit was reached before it was loaded".to_owned()),
        _ => Did::Unseen(died(seen, last)),
    }
}

fn died(seen: &Seen, last: &str) -> String {
    let how = match &seen.end {
        End::Crashed(how) | End::Left(how) | End::NotStarted(how) => how.as_str(),
        End::Done | End::TimedOut => "",
    };
    let at = if last.is_empty() { String::new() } else { format!(" after it began to load {last}") };
    let said = seen.messages.lines().last().map_or(String::new(), |line| format!(" ({line})"));
    format!("the interpreter ended{at}: {how}{said}")
}

/// Whether what an interpreter did with a module is what was predicted.
pub(crate) fn agreement(judged: &Judged, did: &Did) -> Agreement {
    use Agreement::{Agrees, Differs, NotPredicted, NotTested};
    let not_searched =
        judged.extension.failure.as_ref().is_some_and(|failure| failure.kind == FailureKind::NotSearched);
    match (judged.decision.outcome, did) {
        // A file that is not searched for and another one of its name that is: both are as predicted.
        (Outcome::CannotImport, Did::Unseen(_)) if not_searched => Agrees,
        (_, Did::Unseen(_)) => NotTested,
        (Outcome::Undetermined, _) => NotPredicted,
        (Outcome::CannotImport, Did::Failed(_) | Did::Crashed(_)) => Agrees,
        (Outcome::CannotImport, _) => Differs,
        // It fails for a reason of its own: the declaration is not put to the test.
        (_, Did::Failed(_)) => NotTested,
        (_, Did::Crashed(_)) => Differs,
        (Outcome::EnablesGil, Did::EnabledGil)
        | (Outcome::RunsFree | Outcome::RunsFreeForced, Did::RanFree)
        | (Outcome::RunsWithGil, Did::RanWithGil) => Agrees,
        _ => Differs,
    }
}

/// Sets what a program did beside what was said about it.
pub(crate) fn program(imports: Imports, seen: Seen) -> Program {
    let warning = warned(&seen.events);
    let (warned, places) =
        (warning.map(|it| it.module.clone()), warning.map(|it| it.places.clone()).unwrap_or_default());
    let gil = seen.events.last().map(|event| event.gil);
    let failed = seen.events.iter().filter(|event| event.event == "done");
    let mut errors: Vec<String> =
        failed.filter_map(|event| Some(format!("{}: {}", event.name, event.error.as_ref()?))).collect();
    match &seen.end {
        End::Done => {}
        End::TimedOut => errors.push("it was stopped at the time limit".to_owned()),
        End::Crashed(how) | End::Left(how) | End::NotStarted(how) => {
            errors.push(format!("the interpreter ended: {how}"))
        }
    }
    let (agreement, why) = judge(&imports, gil, warned.as_deref(), &errors, &seen.end);
    Program { imports, gil, warned, places, errors, agreement, why, elapsed: seen.elapsed }
}

fn judge(
    imports: &Imports,
    gil: Option<bool>,
    warned: Option<&str>,
    errors: &[String],
    end: &End,
) -> (Agreement, String) {
    use Agreement::{Agrees, Differs, NotPredicted, NotTested};
    let Some(on) = gil else { return (NotTested, errors.join("; ")) };
    let named = warned.map_or("a module".to_owned(), str::to_owned);
    match (imports.answer.gil, on) {
        (GilAtEnd::Off, true) => (Differs, format!("said to stay off, and {named} turned it on")),
        // A server does not end by itself.
        (GilAtEnd::Off, false) if errors.is_empty() || *end == End::TimedOut => (Agrees, String::new()),
        (GilAtEnd::On, true) => match (imports.answer.first.as_deref(), warned) {
            (Some(said), Some(named)) if said != named => {
                (Differs, format!("said to be turned on by {said}, and {named} did it first"))
            }
            _ => (Agrees, String::new()),
        },
        // It says who may turn it on: anybody else is a surprise.
        (GilAtEnd::OffUnless, true) => {
            let known = |module: &str| {
                let answer = &imports.answer;
                answer.open_ends.iter().any(|end| end.meets.iter().any(|name| name == module))
                    || answer.blockers.iter().any(|blocker| blocker.module == module)
            };
            match warned {
                Some(module) if !known(module) => {
                    (Differs, format!("{module} turned it on, which no open end is said to reach"))
                }
                _ => (NotPredicted, format!("{named} turned it on, by an open end")),
            }
        }
        (GilAtEnd::On, false) if errors.is_empty() => (Differs, "said to be turned on, and it stays off".to_owned()),
        (GilAtEnd::Off | GilAtEnd::On, false) => (NotTested, errors.join("; ")),
        (_, on) => {
            let state = if on { format!("{named} turned it on") } else { "it stayed off".to_owned() };
            (NotPredicted, state)
        }
    }
}
