//! Which modules would exclude which, for people: under a policy with a lock in the place of the GIL.
//!
//! By distribution, with what that would gain and lose beside what CPython itself does, and where threads could wait for each other.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use gilaudit_audit::report::{Environment, GilState, Judged, Report};
use gilaudit_model::{Action, Outcome};

use super::text::{BOLD, LISTED};
use super::words::shown;
use super::{Detail, count, wrap};

pub(super) fn write(report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let several = report.environments.len() > 1;
    for environment in report.environments.iter().filter(|environment| environment.exclusion.is_some()) {
        if several {
            writeln!(out, "{BOLD}on {}{BOLD:#}", environment.platform)?;
        }
        let most = if detail.verbose { usize::MAX } else { LISTED };
        for (head, text) in lines(report, environment, most) {
            let text = wrap::hang_after(detail.width, &text, head.len() + 2, 4);
            writeln!(out, "{BOLD}{head}{BOLD:#}: {text}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// What is to be said about one platform, each with a word that says what about it.
pub(super) fn lines(report: &Report, environment: &Environment, most: usize) -> Vec<(&'static str, String)> {
    let Some(exclusion) = &environment.exclusion else { return Vec::new() };
    let here = |judged: &&Judged| {
        judged.extension.platform() == environment.platform && judged.decision.outcome != Outcome::CannotImport
    };
    let with = |action: Action| -> Vec<&Judged> {
        report.answers.extensions.iter().filter(here).filter(|judged| judged.decision.action == action).collect()
    };
    let (alone, beside) = (with(Action::Exclusive), with(Action::Shared));
    let mut lines = Vec::new();
    if !alone.is_empty() {
        lines.push(("alone", by_distribution(&alone, most)));
    }
    if !beside.is_empty() {
        lines.push(("beside each other", by_distribution(&beside, most)));
    }
    lines.extend(gained_and_lost(environment, &alone, &beside));
    // Modules of one distribution that reach those of another are one thing to know.
    let of: BTreeMap<&str, String> =
        alone.iter().chain(&beside).map(|judged| (judged.extension.module.as_str(), whose(judged))).collect();
    let whose = |module: &str| of.get(module).cloned().unwrap_or_else(|| module.to_owned());
    let mut pairs: BTreeMap<(String, String), BTreeSet<&str>> = BTreeMap::new();
    for reentry in &exclusion.reentries {
        pairs.entry((whose(&reentry.shared), whose(&reentry.exclusive))).or_default().insert(&reentry.shared);
    }
    let number = pairs.len();
    for ((shared, exclusive), modules) in pairs.into_iter().take(most) {
        let first = modules.first().copied().unwrap_or_default();
        let which = match modules.len() {
            1 if first == shared => String::new(),
            1 => format!(" ({first})"),
            more => format!(" ({first} and {})", count(more - 1, "other")),
        };
        lines.push((
            "deadlock possible",
            format!(
                "{shared}{which} shares the lock and reaches {exclusive}, which has to hold it alone: two threads in it can \
                 wait for each other"
            ),
        ));
    }
    if number > most {
        lines.push(("deadlock possible", format!("and {} more such pairs: --verbose lists all", number - most)));
    }
    lines
}

/// The distribution of a module, or the module where it is of none.
fn whose(judged: &Judged) -> String {
    judged.extension.distribution.as_ref().map_or_else(|| judged.extension.module.clone(), shown)
}

/// `lxml 6.1.3 (7 modules), app._x`
fn by_distribution(judged: &[&Judged], most: usize) -> String {
    let mut by: BTreeMap<String, usize> = BTreeMap::new();
    for judged in judged {
        *by.entry(whose(judged)).or_default() += 1;
    }
    let number = by.len();
    let listed: Vec<String> = by
        .into_iter()
        .take(most)
        .map(|(whose, modules)| if modules == 1 { whose } else { format!("{whose} ({modules} modules)") })
        .collect();
    let more = if number > most { format!(" and {} more", number - most) } else { String::new() };
    format!("{}{more}", listed.join(", "))
}

/// What the lock would change beside what CPython does.
fn gained_and_lost(environment: &Environment, alone: &[&Judged], beside: &[&Judged]) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    // Modules that need not be alone as far as CPython goes: it would run them without the GIL.
    let free = alone.iter().filter(|judged| {
        matches!(judged.decision.outcome, Outcome::RunsFree | Outcome::RunsFreeForced | Outcome::Undetermined)
    });
    let free = free.count();
    match environment.gil {
        GilState::On if !beside.is_empty() => {
            let first = environment.enabled_by.first().map_or("a module", String::as_str);
            lines.push((
                "gained",
                format!(
                    "{} in several threads at once; with CPython's GIL, which {first} turns on, {} would",
                    if beside.len() == 1 {
                        "1 module runs".to_owned()
                    } else {
                        format!("{} modules run", beside.len())
                    },
                    if beside.len() == 1 { "it never" } else { "none" }
                ),
            ));
            lines.push(("lost", "nothing: with the GIL on, every module runs alone as it is".to_owned()));
        }
        GilState::On => lines.push(("gained", "nothing: no module would run beside another".to_owned())),
        GilState::Off | GilState::Undetermined if alone.is_empty() => {
            lines.push((
                "gained",
                "nothing: the GIL stays off, and all of them run beside each other as it is".to_owned(),
            ));
        }
        GilState::Off | GilState::Undetermined => {
            lines.push((
                "gained",
                format!(
                    "{} would be guarded as the GIL guards them, which nothing does with the GIL off",
                    count(alone.len(), "module")
                ),
            ));
            lines.push((
                "lost",
                format!(
                    "whatever these do stops {}: without the lock {free} of them would run beside the others",
                    count(beside.len(), "other module")
                ),
            ));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use gilaudit_model::{Extension, Status};

    use super::*;
    use gilaudit_audit::DEFAULT_TARGET;
    use gilaudit_audit::Reach;
    use gilaudit_audit::report::Answers;
    use gilaudit_audit::sample;

    fn judged(module: &str, status: Status, distribution: bool) -> Judged {
        let mut extension = sample::extension(module, status);
        if !distribution {
            extension = Extension { distribution: None, ..extension };
        }
        let mut judged = sample::judged(extension, &DEFAULT_TARGET);
        judged.decision.action = if status == Status::NotUsed { Action::Shared } else { Action::Exclusive };
        judged
    }

    fn said(extensions: Vec<Judged>) -> Vec<String> {
        let reach = |from: &Judged, to: &Judged| Reach {
            platform: from.extension.platform(),
            from: from.extension.module.clone(),
            to: to.extension.module.clone(),
        };
        let reaches = extensions.iter().flat_map(|from| extensions.iter().map(move |to| reach(from, to))).collect();
        let answers = Answers { recognised: true, extensions, reaches, ..Answers::default() };
        let report = Report::new(sample::question(DEFAULT_TARGET), answers);
        let lines = lines(&report, &report.environments[0], LISTED);
        lines.into_iter().map(|(head, text)| format!("{head}: {text}")).collect()
    }

    #[test]
    fn by_distribution_with_what_is_gained() {
        let said = said(vec![
            judged("lxml.a", Status::Used, true),
            judged("lxml.b", Status::Undeclared, true),
            judged("x", Status::NotUsed, false),
            judged("y", Status::NotUsed, false),
        ]);
        assert_eq!(said[0], "alone: lxml 6.1.3 (2 modules)");
        assert_eq!(said[1], "beside each other: x, y");
        assert!(
            said[2].starts_with("gained: 2 modules run in several threads at once; with CPython's GIL, which lxml.a"),
            "{said:?}"
        );
        assert!(said[3].starts_with("lost: nothing"));
        assert!(said[4].starts_with("deadlock possible: x shares the lock and reaches lxml 6.1.3,"), "{said:?}");
        assert_eq!(said.len(), 6, "pairs of distributions, not of modules");
    }

    #[test]
    fn nothing_to_gain() {
        let said = said(vec![judged("x", Status::NotUsed, false)]);
        assert_eq!(said[1], "gained: nothing: the GIL stays off, and all of them run beside each other as it is");
    }
}
