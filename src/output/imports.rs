//! The answer about imports in the text report: does the GIL stay off, who turns it on, by which chain, and what can be done.

use std::io::{self, Write};

use gilaudit_audit::imports::{Imports, Ways};
use gilaudit_audit::report::Report;
use gilaudit_policy::imports::{Blocker, Link, OpenEnd};

use super::text::{BOLD, DIM};
use super::words::{self, shown};
use super::{Detail, wrap};

/// How many blockers are shown with their ways out; the others get a line.
const SHOWN: usize = 3;
/// How many open ends are listed.
const OPEN_ENDS: usize = 5;

pub(super) fn write(report: &Report, imports: &Imports, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let answer = &imports.answer;
    super::text::verdicts(report, detail, out)?;
    let count = format!(
        "{}: {} loaded, {} read; {}",
        imports.entries.join(", "),
        super::count(answer.modules, "module"),
        super::count(imports.files, "Python file"),
        words::asked(report),
    );
    writeln!(out, "{DIM}{}{DIM:#}\n", wrap::hang(detail.width, &count, 2))?;
    let mut forced: Option<&str> = None;
    let mut rest: Vec<String> = Vec::new();
    for (index, (blocker, ways)) in answer.blockers.iter().zip(&imports.ways).enumerate() {
        if detail.verbose || index < SHOWN && !blocker.later {
            whole(blocker, ways, forced != Some(ways.python_gil_0.as_str()), detail, out)?;
            forced = Some(&ways.python_gil_0);
        } else {
            let chain = wrap::hang_after(detail.width, &chain(&blocker.chain), 2, 4);
            rest.push(format!("{BOLD}{}{BOLD:#} ({})\n  {chain}", wrap::clean(&blocker.module), word(blocker)));
        }
    }
    if !answer.free.is_empty() {
        let names: Vec<String> = answer.free.iter().map(shown).collect();
        let all = if names.len() > 1 { "; each of them is needed" } else { "" };
        let sentence = format!("to free the process: an exception or another version of {}{all}", names.join(", "));
        rest.push(format!("{BOLD}{}{BOLD:#}", wrap::hang(detail.width, &sentence, 2)));
    }
    rest.extend(open_ends(imports, detail));
    let said =
        |(name, why): &(String, String), what: &str| wrap::hang(detail.width, &format!("{what} {name}: {why}"), 2);
    // A name that is nowhere is an input that was not read, and said to be so below.
    let nowhere = |name: &str| {
        report.answers.problems.iter().any(|problem| problem.origin.file_path() == format!("--import {name}"))
    };
    let failed = answer.failed.iter().filter(|(name, _)| !nowhere(name));
    rest.extend(failed.map(|entry| said(entry, "cannot be imported:")));
    let incomplete = answer.incomplete.iter().filter(|_| detail.verbose);
    rest.extend(incomplete.map(|module| said(module, "not all is known of what is imported by")));
    if rest.is_empty() { Ok(()) } else { writeln!(out, "{}\n", rest.join("\n")) }
}

/// The places that may lead to a module that turns the GIL on, and with `--verbose` the others.
fn open_ends(imports: &Imports, detail: Detail) -> Vec<String> {
    let all = &imports.answer.open_ends;
    let matters = |end: &&OpenEnd| detail.verbose || !end.meets.is_empty();
    let shown: Vec<&OpenEnd> = all.iter().filter(matters).collect();
    let most = if detail.verbose { usize::MAX } else { OPEN_ENDS };
    let mut lines: Vec<String> = shown
        .iter()
        .take(most)
        .map(|end| {
            let text = words::open_end(end);
            format!("{BOLD}open{BOLD:#}: {}", wrap::hang_after(detail.width, &text, 6, 4))
        })
        .collect();
    if shown.len() > most {
        lines.push(format!("{DIM}and {} more open ends (--verbose lists them){DIM:#}", shown.len() - most));
    }
    lines
}

pub(super) fn word(blocker: &Blocker) -> &'static str {
    match (blocker.certain, blocker.later) {
        (true, _) => "imported",
        (false, false) => "may be imported",
        (false, true) => "only if a function is called",
    }
}

/// `app.py:3 → pandas → pandas._libs.lib`.
pub(super) fn chain(links: &[Link]) -> String {
    let at = links.first().map_or("", |link| &link.at);
    let modules = links.iter().map(|link| link.module.as_str());
    let mut words: Vec<&str> = vec![at];
    words.extend(modules);
    words.dedup();
    words.join(" → ")
}

fn whole(blocker: &Blocker, ways: &Ways, forced: bool, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let of = blocker.distribution.as_ref().map_or(String::new(), |it| format!(", {}", shown(it)));
    writeln!(out, "{BOLD}{}{BOLD:#} ({}{})", wrap::clean(&blocker.module), word(blocker), wrap::clean(&of))?;
    writeln!(out, "  {}", wrap::hang_after(detail.width, &chain(&blocker.chain), 2, 4))?;
    if !ways.required_by.is_empty() {
        writeln!(
            out,
            "  {}",
            wrap::hang_after(detail.width, &format!("there because of {}", ways.required_by.join(", ")), 2, 4)
        )?;
    }
    if blocker.optional {
        writeln!(out, "  an import on the way is in a try: the program expects that it may be missing")?;
    }
    let mut way = |name: &str, text: &str| -> io::Result<()> {
        writeln!(out, "  {BOLD}{name}:{BOLD:#} {}", wrap::hang_after(detail.width, text, name.len() + 4, 4))
    };
    way("authors", &ways.declare)?;
    if let Some(newer) = &ways.newer {
        way("newer", &format!("{} among the inputs does not turn the GIL on", shown(newer)))?;
    }
    // What it would do is the same for all that it would force.
    if forced {
        way("PYTHON_GIL=0", &ways.python_gil_0)?;
    }
    let needed = "PYTHON_GIL=0 is still needed, or the program runs with the GIL";
    writeln!(out, "  {BOLD}exception:{BOLD:#} {}", wrap::hang_after(detail.width, needed, 13, 4))?;
    for line in ways.exception.lines() {
        writeln!(out, "    {}", wrap::clean(line))?;
    }
    writeln!(out)
}
