//! The difference of two reports, for people and for programs.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use gilaudit_audit::diff::{Difference, Finding, Module, Pair};
use serde::Serialize;

use super::text::BOLD;
use super::{Detail, count, wrap};

/// The name and version of the format for programs.
const SCHEMA: &str = "gilaudit-diff/1";

const BAD: Style = AnsiColor::Red.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const NEUTRAL: Style = Style::new().bold();

/// The most important first: what was lost.
pub(crate) fn write_text(difference: &Difference, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    for note in &difference.notes {
        writeln!(out, "{BOLD}note{BOLD:#}: {}\n", wrap::hang_after(detail.width, note, 6, 4))?;
    }
    lines("not read", BAD, &difference.unread, detail, out)?;
    lines("declarations lost", BAD, &said(&difference.lost), detail, out)?;
    lines("declarations gained", GOOD, &said(&difference.gained), detail, out)?;
    lines("changed", NEUTRAL, &said(&difference.changed), detail, out)?;
    lines("modules gone", NEUTRAL, &modules(&difference.removed), detail, out)?;
    lines("modules new", NEUTRAL, &modules(&difference.added), detail, out)?;
    lines("findings new", BAD, &findings(&difference.new_findings), detail, out)?;
    lines("findings gone", GOOD, &findings(&difference.gone_findings), detail, out)?;
    let summary = format!(
        "{} lost, {} gained; {} new, {} gone; {} and {} unchanged",
        count(difference.lost.len(), "declaration"),
        difference.gained.len(),
        count(difference.new_findings.len(), "finding"),
        difference.gone_findings.len(),
        count(difference.unchanged, "module"),
        count(difference.kept_findings, "finding"),
    );
    writeln!(out, "{BOLD}{}{BOLD:#}", wrap::hang(detail.width, &summary, 2))
}

fn lines(title: &str, style: Style, lines: &[String], detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "{style}{title}{style:#}: {}", lines.len())?;
    for line in lines {
        writeln!(out, "  {}", wrap::hang_after(detail.width, line, 2, 6))?;
    }
    writeln!(out)
}

fn said(pairs: &[Pair]) -> Vec<String> {
    let one = |Pair { old, new }: &Pair| {
        let versions = match (old.distribution(), new.distribution()) {
            (Some(old), Some(new)) if old != new => format!(" ({old} → {new})"),
            (_, Some(new)) => format!(" ({new})"),
            _ => String::new(),
        };
        let outcomes = format!("{}, {} → {}, {}", old.status(), old.outcome(), new.status(), new.outcome());
        format!("{}{versions} on {}: {outcomes}", new.module, new.platform())
    };
    pairs.iter().map(one).collect()
}

fn modules(modules: &[Module]) -> Vec<String> {
    let one = |it: &Module| {
        let of = it.distribution().map_or(String::new(), |of| format!(" ({of})"));
        format!("{}{of} on {}: {}, {}", it.module, it.platform(), it.status(), it.outcome())
    };
    modules.iter().map(one).collect()
}

fn findings(findings: &[Finding]) -> Vec<String> {
    let one = |it: &Finding| match (&it.module, it.line) {
        // What it says about the file is in the report; here it matters which module it is.
        (Some(module), None) => {
            let summary = gilaudit_rules::find(&it.rule).map_or(it.message.as_str(), |rule| rule.summary);
            format!("{}[{}] {module}: {summary}", it.severity, it.rule)
        }
        (_, line) => {
            let line = line.map_or(String::new(), |line| format!(":{line}"));
            format!("{}[{}] {}{line}: {}", it.severity, it.rule, it.origin.join("!"), it.message)
        }
    };
    findings.iter().map(one).collect()
}

/// What changed between two reports.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Diff"))]
struct DiffOut<'a> {
    /// The name and version of this format.
    #[cfg_attr(test, schemars(extend("const" = "gilaudit-diff/1")))]
    schema: &'static str,
    declarations: Declarations<'a>,
    modules: Modules<'a>,
    findings: Findings<'a>,
    /// Inputs that could not be read: nothing is known about them.
    unread: &'a [String],
    /// Why the two may differ although nothing was changed.
    notes: &'a [String],
}

/// Modules that both sides have and of which something changed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Declarations<'a> {
    /// They declared that they run without the GIL, and do not any more (or cannot be imported any more).
    lost: Vec<PairOut<'a>>,
    /// The other way round.
    gained: Vec<PairOut<'a>>,
    /// Their declaration or outcome changed in another way.
    changed: Vec<PairOut<'a>>,
}

/// Modules that one side has, and how many are as they were.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Modules<'a> {
    added: Vec<ModuleOut<'a>>,
    removed: Vec<ModuleOut<'a>>,
    unchanged: usize,
}

/// Findings that one side has, and how many both have.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Findings<'a> {
    new: Vec<FindingOut<'a>>,
    gone: Vec<FindingOut<'a>>,
    unchanged: usize,
}

/// A module that both sides have.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Pair"))]
struct PairOut<'a> {
    module: &'a str,
    old: ModuleOut<'a>,
    new: ModuleOut<'a>,
}

/// A module of one side.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Module"))]
struct ModuleOut<'a> {
    module: &'a str,
    origin: &'a [String],
    distribution: Option<String>,
    platform: String,
    status: &'a str,
    outcome: &'a str,
}

/// A finding of one side.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Finding"))]
struct FindingOut<'a> {
    rule: &'a str,
    severity: &'a str,
    message: &'a str,
    origin: &'a [String],
    line: Option<u32>,
    function: Option<&'a str>,
    module: Option<&'a str>,
}

pub(crate) fn write_json(difference: &Difference, out: &mut dyn Write) -> io::Result<()> {
    let diff = DiffOut {
        schema: SCHEMA,
        declarations: Declarations {
            lost: difference.lost.iter().map(pair).collect(),
            gained: difference.gained.iter().map(pair).collect(),
            changed: difference.changed.iter().map(pair).collect(),
        },
        modules: Modules {
            added: difference.added.iter().map(module).collect(),
            removed: difference.removed.iter().map(module).collect(),
            unchanged: difference.unchanged,
        },
        findings: Findings {
            new: difference.new_findings.iter().map(finding).collect(),
            gone: difference.gone_findings.iter().map(finding).collect(),
            unchanged: difference.kept_findings,
        },
        unread: &difference.unread,
        notes: &difference.notes,
    };
    serde_json::to_writer_pretty(&mut *out, &diff)?;
    out.write_all(b"\n")
}

fn pair(pair: &Pair) -> PairOut<'_> {
    PairOut { module: &pair.new.module, old: module(&pair.old), new: module(&pair.new) }
}

fn module(it: &Module) -> ModuleOut<'_> {
    ModuleOut {
        module: &it.module,
        origin: &it.origin,
        distribution: it.distribution(),
        platform: it.platform(),
        status: it.status(),
        outcome: it.outcome(),
    }
}

fn finding(it: &Finding) -> FindingOut<'_> {
    FindingOut {
        rule: &it.rule,
        severity: &it.severity,
        message: &it.message,
        origin: &it.origin,
        line: it.line,
        function: it.function.as_deref(),
        module: it.module.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE=1 cargo test` writes the schema anew.
    #[test]
    fn the_schema_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/diff-v1.schema.json");
        let schema = schemars::schema_for!(DiffOut<'_>);
        let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n";
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &text).expect("docs/ can be written");
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(kept, text, "run UPDATE=1 cargo test and review the difference");
    }
}
