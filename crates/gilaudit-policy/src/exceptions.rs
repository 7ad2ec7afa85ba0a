//! `exceptions`: entries that stand above everything else a policy says; the first one that matches decides.

use gilaudit_model::{Action, Extension, Waiver};

use crate::date::Date;
use crate::diagnostic::{Diagnostic, Place};
use crate::matches::Match;

/// One entry.
#[derive(Clone, Debug)]
pub(crate) struct Exception {
    pub(crate) matches: Match,
    pub(crate) action: Action,
    pub(crate) reason: String,
    pub(crate) expires: Option<Date>,
    /// Where it begins.
    pub(crate) place: Place,
    /// Where its date stands, or where it begins.
    pub(crate) expires_place: Place,
    /// Whether it was taken over from the policy that this one extends.
    pub(crate) inherited: bool,
}

impl Exception {
    /// It holds up to and with the day of `expires`.
    pub(crate) fn expired(&self, today: Date) -> bool {
        self.expires.is_some_and(|last| last < today)
    }

    /// The same for reports.
    pub(crate) fn waiver(&self, today: Date) -> Waiver {
        Waiver {
            matches: self.matches.to_string(),
            reason: self.reason.clone(),
            at: self.place.to_string(),
            expires: self.expires.map(|date| date.to_string()),
            days_left: self.expires.map(|date| date.days_after(today)),
        }
    }

    /// Whether nobody has written down why it is there.
    fn unfinished(&self) -> bool {
        self.reason.trim_start().get(..4).is_some_and(|start| start.eq_ignore_ascii_case("todo"))
    }
}

/// The first entry in force that matches.
pub(crate) fn find<'p>(exceptions: &'p [Exception], extension: &Extension, today: Date) -> Option<&'p Exception> {
    exceptions.iter().find(|exception| !exception.expired(today) && exception.matches.matches(extension))
}

/// Entries that are out of date, never reached, or at odds with another one of the same file.
pub(crate) fn review(exceptions: &[Exception], today: Date) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for (index, later) in exceptions.iter().enumerate() {
        if let Some(expires) = later.expires.filter(|_| later.expired(today)) {
            diagnostics.push(
                Diagnostic::warning(
                    later.expires_place.clone(),
                    format!("this exception ({}) expired on {expires} and no longer holds", later.matches),
                )
                .hint(RENEW),
            );
            continue;
        }
        let in_force = exceptions[..index].iter().filter(|earlier| !earlier.expired(today));
        let Some(earlier) = in_force.into_iter().find(|earlier| earlier.matches.covers(&later.matches)) else {
            continue;
        };
        if earlier.expires.is_some() && earlier.expires < later.expires.or(Some(Date::LAST)) {
            // It takes over on the day after.
            continue;
        }
        diagnostics.push(if later.matches.covers(&earlier.matches) && earlier.action != later.action {
            let (one, other) = (earlier.action.as_str(), later.action.as_str());
            let message = format!(
                "contradicts the exception at {}: both match {}, one says '{one}', the other '{other}'",
                earlier.place, later.matches
            );
            Diagnostic::error(later.place.clone(), message).hint("keep one of them")
        } else {
            let message = format!(
                "never reached: the exception at {} matches everything that this one does ({})",
                earlier.place, later.matches
            );
            Diagnostic::warning(later.place.clone(), message).hint("put the narrower entry first, or remove it")
        });
    }
    diagnostics
}

/// Entries that still have the reason of a beginning.
pub(crate) fn unfinished(exceptions: &[Exception]) -> Vec<Diagnostic> {
    let own = exceptions.iter().filter(|exception| exception.unfinished() && !exception.inherited);
    own.map(|exception| {
        let message = format!("the reason of this exception ({}) still says TODO", exception.matches);
        Diagnostic::error(exception.place.clone(), message)
            .hint("say why it may be there: whoever reads it later must know")
    })
    .collect()
}

/// Entries that are out of date and would have decided, each with the modules that it no longer lets in.
pub(crate) fn lapsed<'e>(
    exceptions: &[Exception],
    extensions: impl IntoIterator<Item = &'e Extension>,
    today: Date,
) -> Vec<Diagnostic> {
    let mut modules: Vec<Vec<&str>> = vec![Vec::new(); exceptions.len()];
    for extension in extensions {
        if find(exceptions, extension, today).is_some() {
            continue;
        }
        let first = exceptions.iter().position(|e| e.expired(today) && e.matches.matches(extension));
        if let Some(of) = first.and_then(|index| modules.get_mut(index)) {
            of.push(&extension.module);
        }
    }
    let with = exceptions.iter().zip(modules).filter(|(_, modules)| !modules.is_empty());
    with.filter_map(|(exception, mut modules)| {
        modules.sort_unstable();
        modules.dedup();
        let date = exception.expires?;
        let number = if modules.len() == 1 { "1 module".to_owned() } else { format!("{} modules", modules.len()) };
        let message = format!(
            "this exception ({}) expired on {date} and no longer holds for {number}: {}",
            exception.matches,
            modules.join(", ")
        );
        Some(Diagnostic::warning(exception.expires_place.clone(), message).hint(RENEW))
    })
    .collect()
}

const RENEW: &str = "look at the module again: renew the date, or remove the entry";

/// The file's own entries that decided for none of the extensions.
pub(crate) fn unused<'e>(
    exceptions: &[Exception],
    extensions: impl IntoIterator<Item = &'e Extension>,
    today: Date,
) -> Vec<Diagnostic> {
    let mut used = vec![false; exceptions.len()];
    for extension in extensions {
        let first = exceptions.iter().position(|e| !e.expired(today) && e.matches.matches(extension));
        if let Some(seen) = first.and_then(|index| used.get_mut(index)) {
            *seen = true;
        }
    }
    // What a base policy shared by many projects excepts need not occur in each of them.
    let own = exceptions.iter().zip(used).filter(|(e, used)| !used && !e.inherited && !e.expired(today));
    own.map(|(exception, _)| {
        Diagnostic::warning(
            exception.place.clone(),
            format!("this exception ({}) applied to nothing that was audited", exception.matches),
        )
        .hint("remove it, or check its spelling")
    })
    .collect()
}
