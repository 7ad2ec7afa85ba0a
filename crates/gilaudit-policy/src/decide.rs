//! From a policy and a judged extension to a decision.
//!
//! The outcome is CPython's and comes from the model. The action is the policy's, and is looked for in this order:
//!
//! 1. an exception in force: it stands above everything, whatever the target;
//! 2. a file that the target does not search for is not there, and a target that has the GIL on runs every module under it: then what
//!    a module declares makes no difference, and so the entries about declarations do not apply (`follow`);
//! 3. `contradicted`, for a module that declares not-used against a finding; `declared-by-tool`; else the entry for its declaration;
//! 4. a `warn` passes the warning filters.

use gilaudit_model::{
    Action, Decision, Extension, FailureKind, Finding, Gil, Location, Outcome, Severity, Status, Target, Waiver,
    cpython,
};

use crate::date::Date;
use crate::diagnostic::Place;
use crate::exceptions;
use crate::level::Level;
use crate::policy::{Policy, Said};
use crate::warnings::{self, Effect};

/// Decides about one extension that was judged for `target`. `findings` may hold those of other
/// files and modules too: only those about this one count.
pub fn decide(policy: &Policy, extension: &Extension, findings: &[Finding], target: &Target, today: Date) -> Decision {
    let outcome = cpython::outcome(extension, target);
    let mut because = vec![what_happens(extension, outcome, target)];
    if let Some(tool) = &extension.declaration.declared_by_tool {
        because.push(format!("{tool} declares this on its own for every module, without an audit by the author"));
    }
    because.extend(extension.declaration.assumption.as_ref().map(|assumption| format!("assumed: {assumption}")));
    let mut choice = choose(policy, extension, findings, target, today, &mut because);
    if choice.waiver.as_ref().is_some_and(|waiver| !waiver.expired()) && choice.action == Action::Allow {
        because.extend(consequence(outcome));
    }
    filter_warning(policy, extension, outcome, &mut choice, &mut because);
    Decision {
        outcome,
        action: choice.action,
        policy_at: choice.place.map(|place| place.to_string()),
        warning: (outcome == Outcome::EnablesGil).then(|| cpython::warning(&extension.module)),
        because,
        waiver: choice.waiver,
    }
}

/// What letting a module in does not change: CPython knows nothing of policies.
fn consequence(outcome: Outcome) -> Option<String> {
    match outcome {
        Outcome::EnablesGil => Some(
            "CPython turns the GIL on for it all the same: without PYTHON_GIL=0 or -X gil=0 the program runs with the GIL".to_owned(),
        ),
        Outcome::Undetermined => {
            Some("CPython may turn the GIL on for it all the same: PYTHON_GIL=0 or -X gil=0 keeps it off".to_owned())
        }
        _ => None,
    }
}

struct Choice {
    action: Action,
    /// The entry that decided.
    place: Option<Place>,
    /// The exception about the module.
    waiver: Option<Waiver>,
}

fn choose(
    policy: &Policy,
    extension: &Extension,
    findings: &[Finding],
    target: &Target,
    today: Date,
    because: &mut Vec<String>,
) -> Choice {
    if let Some(exception) = exceptions::find(&policy.exceptions, extension, today) {
        because.push(format!(
            "an exception says '{}' for {}: {} ({})",
            exception.action.as_str(),
            exception.matches,
            exception.reason,
            exception.place
        ));
        let place = Some(exception.place.clone());
        return Choice { action: exception.action, place, waiver: Some(exception.waiver(today)) };
    }
    let expired = policy.exceptions.iter().find(|e| e.expired(today) && e.matches.matches(extension));
    if let (Some(exception), Some(date)) = (expired, expired.and_then(|exception| exception.expires)) {
        because.push(format!("an exception for it expired on {date} ({})", exception.expires_place));
    }
    let (action, place) = by_declaration(policy, extension, findings, target, because);
    Choice { action, place, waiver: expired.map(|exception| exception.waiver(today)) }
}

/// What the policy says about a module for which no exception holds, and where.
fn by_declaration(
    policy: &Policy,
    extension: &Extension,
    findings: &[Finding],
    target: &Target,
    because: &mut Vec<String>,
) -> (Action, Option<Place>) {
    let place = |place: &Place| Some(place.clone());
    if extension.failure.as_ref().is_some_and(|failure| failure.kind == FailureKind::NotSearched) {
        because.push("so the policy has nothing to say about it".to_owned());
        return (Action::Follow, None);
    }
    let status = extension.declaration.status;
    let entry = policy.declarations.get(&status);
    if !target.free_threaded || target.gil == Gil::On {
        return match entry {
            // Both agree with a target that has the GIL on.
            Some(said) if matches!(said.value, Action::Follow | Action::GilOn) => {
                because.push(says(said, &format!("for modules that declare '{}'", status.as_str())));
                (said.value, place(&said.place))
            }
            _ => {
                because.push(
                    "so the policy's entries about declarations, which are about running without it, do not apply"
                        .to_owned(),
                );
                (Action::Follow, None)
            }
        };
    }
    if status == Status::NotUsed {
        let finding = findings.iter().find(|finding| stands_against(finding, extension, policy));
        if let (Some(said), Some(finding)) = (&policy.contradicted, finding) {
            because.push(format!("{} stands against its declaration: {}", finding.rule, finding.message));
            because.push(says(said, "for modules that declare 'not-used' against a finding"));
            return (said.value, place(&said.place));
        }
        if let (Some(said), Some(tool)) = (&policy.declared_by_tool, &extension.declaration.declared_by_tool) {
            because.push(says(said, &format!("for modules that only a tool declares 'not-used', here {tool}")));
            return (said.value, place(&said.place));
        }
    }
    match entry {
        Some(said) => {
            because.push(says(
                said,
                &match status {
                    Status::Unknown => "for modules whose declaration could not be told".to_owned(),
                    _ => format!("for modules that declare '{}'", status.as_str()),
                },
            ));
            (said.value, place(&said.place))
        }
        None => {
            // A policy that leaves it open leaves it to CPython, as pep703 does.
            let action = if status == Status::Unknown { Action::Warn } else { Action::Follow };
            because.push(format!(
                "the policy says nothing about '{}', which means '{}'",
                status.as_str(),
                action.as_str()
            ));
            (action, None)
        }
    }
}

fn says(said: &Said<Action>, about: &str) -> String {
    format!("the policy says '{}' {about} ({})", said.value.as_str(), said.place)
}

/// What CPython does and why, in one line.
fn what_happens(extension: &Extension, outcome: Outcome, target: &Target) -> String {
    let declaration = &extension.declaration;
    let evidence =
        declaration.evidence.first().map_or_else(String::new, |seen| format!(" ({}, {})", seen.what, seen.at));
    let says = match declaration.status {
        Status::NotUsed => format!("it declares that it does not need the GIL{evidence}"),
        Status::Used => format!("it declares that it needs the GIL{evidence}"),
        Status::Undeclared => format!("it declares nothing, which CPython takes as needing the GIL{evidence}"),
        Status::Unknown => {
            let reason = declaration.reason.as_ref().map_or("no reason is known".to_owned(), ToString::to_string);
            format!("what it declares could not be told: {reason}")
        }
    };
    match (outcome, &extension.failure) {
        (Outcome::CannotImport, Some(failure)) => format!("Python {target} cannot import it: {}", failure.error),
        (Outcome::CannotImport, None) => format!("Python {target} cannot import it"),
        (Outcome::RunsWithGil, _) if !target.free_threaded => match target.gil {
            Gil::Off => {
                format!("Python {target} always has the GIL, and refuses to start with PYTHON_GIL=0 or -X gil=0")
            }
            Gil::Default | Gil::On => format!("Python {target} always has the GIL, whatever a module declares"),
        },
        (Outcome::RunsWithGil, _) => {
            "PYTHON_GIL=1 or -X gil=1 turns the GIL on before anything is loaded, whatever a module declares".to_owned()
        }
        (Outcome::RunsFree | Outcome::Undetermined, _) => says,
        (Outcome::EnablesGil, _) => {
            format!(
                "{says}: its import turns the GIL on for the whole process and for good; CPython warns of the first such module only"
            )
        }
        (Outcome::RunsFreeForced, _) => {
            format!(
                "{says}: PYTHON_GIL=0 or -X gil=0 keeps the GIL off all the same, and CPython says nothing about it"
            )
        }
    }
}

/// Whether a finding contradicts an extension that declares not-used: it is about this module, it is not suppressed or switched off, it
/// is a warning or worse, and it says that something is wrong and not only that something is left to do.
///
/// A finding in a source text is about the module that it names; one in a compiled file only about that very file, because a wheel for
/// another platform holds a module of the same name.
fn stands_against(finding: &Finding, extension: &Extension, policy: &Policy) -> bool {
    let about = match finding.location {
        Location::Text { .. } => finding.module.as_deref() == Some(&extension.module),
        Location::File | Location::Address(_) => finding.origin == extension.origin,
    };
    let severity = match policy.level(finding.rule) {
        Some(Level::Off) => return false,
        Some(Level::At(severity)) => severity,
        None => finding.severity,
    };
    about && finding.suppressed.is_none() && !finding.readiness && severity >= Severity::Warning
}

/// Applies the warning filters, to the policy's own warning and to CPython's.
fn filter_warning(
    policy: &Policy,
    extension: &Extension,
    outcome: Outcome,
    choice: &mut Choice,
    because: &mut Vec<String>,
) {
    let Some(filter) = warnings::find(&policy.warnings, &extension.module) else { return };
    let which = format!("the warning filter '{}' ({})", filter.written, filter.place);
    if choice.action == Action::Warn {
        match filter.effect {
            Effect::Show => return,
            Effect::Ignore => {
                // Without the warning it is loaded as a module that declares support is.
                let declared = policy.declarations.get(&Status::NotUsed).map(|said| said.value);
                choice.action = declared.filter(|action| *action == Action::Allow).unwrap_or(Action::Follow);
                because.push(format!("{which} silences the policy's warning"));
            }
            Effect::Error => {
                choice.action = Action::Refuse;
                because.push(format!("{which} turns the policy's warning into an error"));
            }
        }
        choice.place = Some(filter.place.clone());
    } else if outcome == Outcome::EnablesGil && choice.action == Action::Follow {
        match filter.effect {
            Effect::Show => {}
            Effect::Ignore => because.push(format!("{which} hides CPython's warning; the GIL is on all the same")),
            // CPython 3.13 to 3.15, Python/import.c, _PyImport_CheckGILForModule: the GIL is on before the warning is raised.
            Effect::Error => because.push(format!(
                "{which} makes CPython's warning an exception: the import fails, and the GIL stays on for good all the same"
            )),
        }
    }
}
