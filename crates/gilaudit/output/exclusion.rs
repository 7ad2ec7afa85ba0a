//! Which modules would exclude which, for people: under a policy with a lock in the place of the GIL.

use std::io::{self, Write};

use gilaudit_policy::Exclusion;

use super::text::{BOLD, LISTED};
use super::{Detail, count, wrap};
use crate::report::Report;

pub(super) fn write(report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    for environment in &report.environments {
        let Some(exclusion) = &environment.exclusion else { continue };
        let head = format!("on {}", environment.platform);
        let text = sentence(exclusion);
        writeln!(out, "{BOLD}{head}{BOLD:#}: {}", wrap::hang_after(detail.width, &text, head.len() + 2, 2))?;
        for line in reentries(exclusion, if detail.verbose { usize::MAX } else { LISTED }) {
            writeln!(out, "  {}", wrap::hang_after(detail.width, &line, 2, 6))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Who runs alone.
fn sentence(exclusion: &Exclusion) -> String {
    let others = count(exclusion.shared.len(), "module");
    match exclusion.exclusive.as_slice() {
        [] => format!("{others} would run beside each other, and none alone"),
        [only] => match exclusion.shared.as_slice() {
            [] => format!("{only} has no other module to exclude"),
            [other] => format!("{only} would run alone: while it runs, {other} does not"),
            _ => format!("{only} would run alone: while it runs, none of the other {others} does"),
        },
        all => {
            let listed: Vec<&str> = all.iter().take(LISTED).map(String::as_str).collect();
            let more = if all.len() > LISTED { format!(" and {} more", all.len() - LISTED) } else { String::new() };
            format!(
                "{} would run alone: while one of them runs, neither another of them nor any of the {others} that share the lock does: {}{more}",
                count(all.len(), "module"),
                listed.join(", ")
            )
        }
    }
}

/// Where threads could wait for each other, one line each.
fn reentries(exclusion: &Exclusion, most: usize) -> Vec<String> {
    let all = &exclusion.reentries;
    let line = |(shared, exclusive): (&str, &str)| {
        format!(
            "deadlock possible: {shared} shares the lock and reaches {exclusive}, which has to hold it alone: two threads in {shared} can wait for each other"
        )
    };
    let pairs = all.iter().map(|reentry| (reentry.shared.as_str(), reentry.exclusive.as_str()));
    let mut lines: Vec<String> = pairs.take(most).map(line).collect();
    if all.len() > most {
        lines.push(format!("and {} more such pairs: --verbose lists all", all.len() - most));
    }
    lines
}

#[cfg(test)]
mod tests {
    use gilaudit_policy::Reentry;

    use super::*;

    fn exclusion(exclusive: &[&str]) -> Exclusion {
        let reentry = |name: &&str| Reentry { shared: "s".to_owned(), exclusive: (*name).to_owned() };
        Exclusion {
            shared: vec!["s".to_owned(), "t".to_owned()],
            exclusive: exclusive.iter().map(|name| (*name).to_owned()).collect(),
            reentries: exclusive.iter().map(reentry).collect(),
        }
    }

    #[test]
    fn who_runs_alone() {
        assert_eq!(sentence(&exclusion(&[])), "2 modules would run beside each other, and none alone");
        assert_eq!(sentence(&exclusion(&["x"])), "x would run alone: while it runs, none of the other 2 modules does");
        let with = |shared: &[&str]| Exclusion {
            shared: shared.iter().map(|name| (*name).to_owned()).collect(),
            ..exclusion(&["x"])
        };
        assert_eq!(sentence(&with(&["s"])), "x would run alone: while it runs, s does not");
        assert_eq!(sentence(&with(&[])), "x has no other module to exclude");
        assert!(sentence(&exclusion(&["x", "y"])).ends_with("that share the lock does: x, y"));
        assert!(sentence(&exclusion(&["m"; 12])).ends_with(" and 2 more"));
    }

    #[test]
    fn pairs_are_listed_up_to_a_limit() {
        let lines = reentries(&exclusion(&["x", "y", "z"]), 2);
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("deadlock possible: s shares the lock and reaches x,"));
        assert_eq!(lines[2], "and 1 more such pairs: --verbose lists all");
    }
}
