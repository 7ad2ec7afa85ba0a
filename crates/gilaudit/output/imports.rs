//! The answer about imports in the text report: does the GIL stay off, who turns it on, by which chain, and what can be done.

use std::io::{self, Write};

use gilaudit_policy::imports::{Blocker, Link};

use super::text::{BOLD, DIM};
use super::words::{self, shown};
use super::{Detail, wrap};
use crate::imports::{Imports, Ways};

/// How many blockers are shown with their ways out; the others get a line.
const SHOWN: usize = 3;

pub(super) fn write(imports: &Imports, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let answer = &imports.answer;
    writeln!(out, "{BOLD}{}{BOLD:#}", wrap::hang(&words::imports_sentence(imports), 2))?;
    let count = format!(
        "{} loaded, {} read",
        super::count(answer.modules, "module"),
        super::count(imports.files, "Python file")
    );
    writeln!(out, "{DIM}{count}{DIM:#}\n")?;
    for (index, (blocker, ways)) in answer.blockers.iter().zip(&imports.ways).enumerate() {
        if detail.verbose || index < SHOWN && !blocker.later {
            whole(blocker, ways, out)?;
        } else {
            let when = word(blocker);
            writeln!(out, "{BOLD}{}{BOLD:#} ({when})", blocker.module)?;
            writeln!(out, "  {}", wrap::hang(&chain(&blocker.chain), 4))?;
        }
    }
    if !answer.free.is_empty() {
        let names: Vec<String> = answer.free.iter().map(shown).collect();
        let sentence = format!(
            "to free the process: an exception or another version of {}; each of them is needed",
            names.join(", ")
        );
        writeln!(out, "{BOLD}{}{BOLD:#}", wrap::hang(&sentence, 2))?;
    }
    for (name, why) in &answer.failed {
        writeln!(out, "{}", wrap::hang(&format!("{name} cannot be imported: {why}"), 2))?;
    }
    if !answer.incomplete.is_empty() && detail.verbose {
        for (name, why) in &answer.incomplete {
            writeln!(out, "{}", wrap::hang(&format!("imports of {name} are not known completely: {why}"), 2))?;
        }
    }
    writeln!(out)
}

fn word(blocker: &Blocker) -> &'static str {
    match (blocker.certain, blocker.later) {
        (true, _) => "imported",
        (false, false) => "may be imported",
        (false, true) => "only if a function is called",
    }
}

/// `app.py:3 → pandas → pandas._libs.lib`.
fn chain(links: &[Link]) -> String {
    let at = links.first().map_or("", |link| &link.at);
    let modules = links.iter().map(|link| link.module.as_str());
    let mut words: Vec<&str> = vec![at];
    words.extend(modules);
    words.dedup();
    words.join(" → ")
}

fn whole(blocker: &Blocker, ways: &Ways, out: &mut dyn Write) -> io::Result<()> {
    let of = blocker.distribution.as_ref().map_or(String::new(), |it| format!(", {}", shown(it)));
    writeln!(out, "{BOLD}{}{BOLD:#} ({}{of})", blocker.module, word(blocker))?;
    writeln!(out, "  {}", wrap::hang_after(&chain(&blocker.chain), 2, 4))?;
    if !ways.required_by.is_empty() {
        writeln!(out, "  {}", wrap::hang_after(&format!("there because of {}", ways.required_by.join(", ")), 2, 4))?;
    }
    if blocker.optional {
        writeln!(out, "  an import on the way is in a try: the program expects that it may be missing")?;
    }
    let mut way = |name: &str, text: &str| -> io::Result<()> {
        writeln!(out, "  {BOLD}{name}:{BOLD:#} {}", wrap::hang_after(text, name.len() + 4, 4))
    };
    way("authors", &ways.declare)?;
    if let Some(newer) = &ways.newer {
        way("newer", &format!("{} among the inputs does not turn the GIL on", shown(newer)))?;
    }
    way("PYTHON_GIL=0", &ways.python_gil_0)?;
    writeln!(out, "  {BOLD}exception:{BOLD:#}")?;
    for line in ways.exception.lines() {
        writeln!(out, "    {line}")?;
    }
    writeln!(out)
}
