//! What `gilaudit verify` saw, for people: what differs first, then what could not be tested, then one line that counts everything.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::report_v1_imports::gil;
use super::text::{BOLD, DIM, LISTED};
use super::words::shown;
use super::{Detail, count, wrap};
use crate::command::verify::Verified;
use crate::verify::compare::{Agreement, Module, Program};
use crate::verify::stress::Stressed;

const BAD: Style = AnsiColor::Red.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const OPEN: Style = AnsiColor::Yellow.on_default().bold();

pub(crate) fn write(verified: &Verified, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    headline(verified, detail, out)?;
    let mut body = Vec::new();
    details(verified, detail, &mut body)?;
    out.write_all(&body)?;
    if !body.is_empty() {
        writeln!(out)?;
    }
    summary(verified, detail, out)
}

fn details(verified: &Verified, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    for module in verified.modules.iter().filter(|module| module.agreement == Agreement::Differs) {
        line("differs", BAD, &differs(module), detail, out)?;
    }
    if let Some(program) = &verified.program {
        write_program(program, detail, out)?;
    }
    for stressed in &verified.stressed {
        write_stressed(stressed, detail, out)?;
    }
    not_tested(verified, detail, out)?;
    if detail.verbose {
        for module in verified.modules.iter().filter(|module| module.agreement == Agreement::Agrees) {
            line("agrees", GOOD, &format!("{}: {}", name(module), module.did.as_str()), detail, out)?;
        }
    }
    Ok(())
}

fn headline(verified: &Verified, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let (agree, differ) = (verified.count(Agreement::Agrees), verified.count(Agreement::Differs));
    let tested = agree + differ;
    if !verified.modules.is_empty() || verified.program.is_some() {
        let sentence = match (tested, differ) {
            (0, _) => "No prediction could be put to the test".to_owned(),
            (1, 0) => "The prediction agrees with the interpreter".to_owned(),
            (1, _) => "The prediction differs from what the interpreter does".to_owned(),
            (_, 0) => format!("All {tested} predictions that could be tested agree with the interpreter"),
            _ => format!("{differ} of {tested} predictions differ from what the interpreter does"),
        };
        writeln!(out, "{BOLD}{}{BOLD:#}", wrap::hang(detail.width, &sentence, 2))?;
    }
    let gil = match verified.target.gil {
        gilaudit_model::Gil::Default => String::new(),
        set => format!(" with PYTHON_GIL={}", set.as_str()),
    };
    let ran = format!("ran {} ({}){gil} on {}", verified.interpreter, verified.target, verified.environment);
    writeln!(out, "{DIM}{}{DIM:#}\n", wrap::hang(detail.width, &ran, 2))
}

fn line(head: &str, style: Style, text: &str, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{style}{head}{style:#}: {}", wrap::hang_after(detail.width, text, head.len() + 2, 4))
}

fn name(module: &Module) -> String {
    let extension = &module.judged.extension;
    let of = extension.distribution.as_ref().map_or(String::new(), |it| format!(" ({})", shown(it)));
    format!("{}{of}", extension.module)
}

fn differs(module: &Module) -> String {
    let detail = module.did.detail().map_or(String::new(), |text| format!(": {text}"));
    format!(
        "{}: predicted {}, seen {}{detail}; {}",
        name(module),
        module.judged.decision.outcome.as_str(),
        module.did.as_str(),
        module.judged.extension.origin,
    )
}

fn write_program(program: &Program, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let said = gil(program.imports.answer.gil);
    let seen = program.gil.map_or("nothing", |on| if on { "on" } else { "off" });
    let by = program.warned.as_ref().map_or(String::new(), |module| format!(", first for {module}"));
    let why = if program.why.is_empty() { String::new() } else { format!(": {}", program.why) };
    let text = format!("{}: predicted {said}, seen {seen}{by}{why}", program.imports.entries.join(", "));
    let style = match program.agreement {
        Agreement::Agrees => GOOD,
        Agreement::Differs => BAD,
        Agreement::NotPredicted | Agreement::NotTested => OPEN,
    };
    line(program.agreement.as_str(), style, &text, detail, out)?;
    for (file, number, _) in &program.places {
        writeln!(out, "  {DIM}at{DIM:#} {}", wrap::clean(&format!("{file}:{number}")))?;
    }
    for error in &program.errors {
        writeln!(out, "  {}", wrap::hang_after(detail.width, error, 2, 4))?;
    }
    Ok(())
}

fn write_stressed(stressed: &Stressed, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let function = &stressed.function;
    match (&stressed.not_tested, stressed.differences.as_slice()) {
        (Some(why), _) => line("not tested", OPEN, &format!("{function}: {why}"), detail, out)?,
        (None, []) => {
            let text =
                format!("{function}: nothing without the GIL that the control run with the GIL does not show, too");
            line("no difference", GOOD, &text, detail, out)?;
        }
        (None, _) => {
            line("differs", BAD, &format!("{function}: without the GIL, but not with it:"), detail, out)?;
            for difference in &stressed.differences {
                writeln!(out, "  {}", wrap::hang_after(detail.width, difference, 2, 4))?;
            }
        }
    }
    if let Some(module) = &stressed.needs_gil {
        let text =
            format!("importing {module} turns the GIL on: this was seen with PYTHON_GIL=0, which overrides that");
        writeln!(out, "  {}", wrap::hang_after(detail.width, &text, 2, 4))?;
    }
    Ok(())
}

/// The modules that say nothing, those with the same reason together.
fn not_tested(verified: &Verified, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let mut by: BTreeMap<(&str, String), Vec<&Module>> = BTreeMap::new();
    for module in &verified.modules {
        let reason = match module.agreement {
            Agreement::NotTested => module.did.detail().unwrap_or_default().to_owned(),
            Agreement::NotPredicted => format!("nothing definite was predicted; seen {}", module.did.as_str()),
            Agreement::Agrees | Agreement::Differs => continue,
        };
        by.entry((module.agreement.as_str(), reason)).or_default().push(module);
    }
    let mut reasons: Vec<_> = by.into_iter().collect();
    reasons.sort_by_key(|(_, modules)| std::cmp::Reverse(modules.len()));
    for ((word, reason), modules) in reasons {
        let most = if detail.verbose { usize::MAX } else { LISTED / 2 };
        let names: Vec<&str> = modules.iter().take(most).map(|it| it.judged.extension.module.as_str()).collect();
        let more = match modules.len() - names.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        line(&word.replace('-', " "), OPEN, &format!("{}{more}: {reason}", names.join(", ")), detail, out)?;
    }
    Ok(())
}

fn summary(verified: &Verified, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let mut parts = vec![
        format!("{} agree", verified.count(Agreement::Agrees)),
        format!("{} differ", verified.count(Agreement::Differs)),
        format!("{} not predicted", verified.count(Agreement::NotPredicted)),
        format!("{} not tested", verified.count(Agreement::NotTested)),
    ];
    if verified.others > 0 {
        parts.push(format!("{} for other interpreters", count(verified.others, "file")));
    }
    let all = verified.modules.len() + usize::from(verified.program.is_some());
    let text = format!("{}: {}; {:.1} s", count(all, "prediction"), parts.join(", "), verified.elapsed.as_secs_f64());
    if all == 0 && !verified.stressed.is_empty() {
        let text =
            format!("{} stressed; {:.1} s", count(verified.stressed.len(), "function"), verified.elapsed.as_secs_f64());
        return writeln!(out, "{}", wrap::hang(detail.width, &text, 2));
    }
    writeln!(out, "{}", wrap::hang(detail.width, &text, 2))
}
