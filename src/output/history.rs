//! What releases do, for people: a line a release, then what came first and what was lost.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::text::{BOLD, DIM};
use super::{Detail, count, visible};
use crate::history::{History, Release, Verdict};

pub(crate) use super::history_html::write as write_html;

const BAD: Style = AnsiColor::Red.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const OPEN: Style = AnsiColor::Yellow.on_default().bold();

fn style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Declares => GOOD,
        Verdict::EnablesGil | Verdict::Mixed | Verdict::CannotImport => BAD,
        Verdict::Undetermined | Verdict::Unreadable => OPEN,
        Verdict::Pure | Verdict::Abi3Only | Verdict::NoWheel => DIM,
    }
}

pub(crate) fn write(all: &[History], detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let mut text = Vec::new();
    for (index, history) in all.iter().enumerate() {
        if index > 0 {
            writeln!(text)?;
        }
        write_one(history, detail, &mut text)?;
    }
    visible::write(&text, true, out)
}

fn write_one(history: &History, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{BOLD}{}{BOLD:#} on {}, {}", history.name, history.target, history.platform)?;
    for problem in &history.problems {
        writeln!(out, "{OPEN}problem{OPEN:#}: {problem}")?;
    }
    let width = history.releases.iter().map(|it| it.version.to_string().len()).max().unwrap_or(0);
    let mut rest = history.releases.as_slice();
    while let Some(first) = rest.first() {
        // Releases without a wheel are many, and say the same.
        let alike = if detail.verbose {
            1
        } else {
            rest.iter().take_while(|it| is_dull(first) && it.verdict == first.verdict).count()
        };
        let (group, others) = rest.split_at(alike.clamp(1, rest.len()));
        rest = others;
        match group {
            [_, _, _, ..] => {
                let last = group.last().unwrap_or(first);
                let verdict = first.verdict;
                let style = style(verdict);
                let versions = format!("{} … {}", first.version, last.version);
                writeln!(out, "  {versions}  {style}{}{style:#}  {}", verdict.as_str(), count(group.len(), "release"))?;
            }
            _ => {
                for release in group {
                    line(release, width, detail, out)?;
                }
            }
        }
    }
    summary(history, out)
}

fn is_dull(release: &Release) -> bool {
    matches!(release.verdict, Verdict::NoWheel | Verdict::Abi3Only | Verdict::Pure)
}

fn line(release: &Release, width: usize, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let style = style(release.verdict);
    let date = release.uploaded.as_deref().and_then(|text| text.get(..10)).unwrap_or("          ");
    let verdict = format!("{:<12}", release.verdict.as_str());
    write!(out, "  {:<width$}  {date}  {style}{verdict}{style:#}  {}", release.version.to_string(), modules(release))?;
    if let Some(why) = &release.yanked {
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        write!(out, " {OPEN}(yanked{why}){OPEN:#}")?;
    }
    writeln!(out)?;
    if detail.verbose {
        for module in &release.facts.modules {
            writeln!(out, "      {}: {}; {}", module.name, module.outcome, module.because)?;
        }
        if let Some(wheel) = &release.wheel {
            let layout = if release.facts.layout_checked { "" } else { "; layout not checked" };
            let cost = match release.cost {
                it if it.cached => "from the cache".to_owned(),
                it => format!("{} of {} bytes in {}", it.bytes, wheel.size.unwrap_or(0), count(it.requests, "request")),
            };
            writeln!(out, "      {DIM}{}: {cost}{layout}{DIM:#}", wheel.name)?;
        }
    }
    Ok(())
}

/// What the modules do, in some words.
fn modules(release: &Release) -> String {
    const NAMED: usize = 3;
    let all = &release.facts.modules;
    let of = |outcome: &str| -> Vec<&str> {
        all.iter().filter(|it| it.outcome == outcome).map(|it| it.name.as_str()).collect()
    };
    let named = |names: &[&str]| {
        let more = names.len().saturating_sub(NAMED);
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{rest}", names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", "))
    };
    match release.verdict {
        Verdict::Declares => count(all.len(), "module"),
        Verdict::Pure => String::new(),
        Verdict::Mixed | Verdict::EnablesGil => {
            let on = of("enables-gil");
            format!("{} of {} turn the GIL on: {}", on.len(), count(all.len(), "module"), named(&on))
        }
        Verdict::Undetermined => {
            let open = of("undetermined");
            format!("could not be told of {} of {}: {}", open.len(), count(all.len(), "module"), named(&open))
        }
        Verdict::CannotImport => named(&of("cannot-import")),
        Verdict::Abi3Only | Verdict::NoWheel | Verdict::Unreadable => release.why.clone().unwrap_or_default(),
    }
}

fn summary(history: &History, out: &mut dyn Write) -> io::Result<()> {
    let at = |release: Option<&Release>| match release {
        None => "none".to_owned(),
        Some(release) => match release.uploaded.as_deref().and_then(|text| text.get(..10)) {
            Some(date) => format!("{} ({date})", release.version),
            None => release.version.to_string(),
        },
    };
    writeln!(out, "first wheel with modules: {}", at(history.first_wheel()))?;
    writeln!(out, "first that declares: {}", at(history.first_declares()))?;
    for (before, lost) in history.regressions() {
        writeln!(out, "{BAD}lost{BAD:#}: {} declares, {} does not", before.version, lost.version)?;
    }
    let counts: Vec<String> = Verdict::ALL
        .iter()
        .map(|verdict| (history.releases.iter().filter(|it| it.verdict == *verdict).count(), verdict.as_str()))
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
    let left_out = if history.left_out > 0 { format!("; {} not asked about", history.left_out) } else { String::new() };
    writeln!(out, "{}: {}{left_out}", count(history.releases.len(), "release"), counts.join(", "))
}
