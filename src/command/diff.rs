//! `gilaudit diff OLD NEW`: audits or reads both sides, and says what changed.

use std::path::Path;

use gilaudit_audit::audit;
use gilaudit_audit::diff::{self, Difference, Side};
use gilaudit_audit::report::{Question, Report};
use gilaudit_model::Target;

use crate::args::{Colour, DiffArgs, DiffFormat, TargetArgs};
use crate::error::Error;
use crate::exit;
use crate::misspelt;
use crate::output::{self, Detail, to_stdout};
use crate::policies;
use crate::progress;
use crate::settings::{self, Settings};

pub(crate) fn run(args: &DiffArgs, colour: Colour) -> Result<u8, Error> {
    let (saved_old, saved_new) = (saved(&args.old)?, saved(&args.new)?);
    // What is audited now is audited for the interpreter that a saved report is about.
    let of_saved = saved_old.as_ref().or(saved_new.as_ref()).map(|side| &side.target);
    let target = match of_saved {
        Some(target) if args.target.python.is_none() => TargetArgs {
            python: Some(target.python.parse::<Target>().map_err(Error::new)?),
            gil: target.gil.parse().map_err(Error::new)?,
        },
        _ => args.target.clone(),
    };
    let side = |saved: Option<Side>, input: &str| saved.map_or_else(|| audited(input, &target), Ok);
    let difference = diff::compare(side(saved_old, &args.old)?, side(saved_new, &args.new)?);
    let mut out = Vec::new();
    match args.format {
        DiffFormat::Text => output::diff::write_text(&difference, Detail::of_terminal(false, false), &mut out),
        DiffFormat::Json => output::diff::write_json(&difference, &mut out),
    }
    .map_err(|error| Error::new(format!("the difference could not be put together: {error}")))?;
    to_stdout(&out, colour)?;
    Ok(exit_code(&difference))
}

fn exit_code(difference: &Difference) -> u8 {
    if !difference.unread.is_empty() {
        exit::ERROR
    } else if !difference.lost.is_empty() {
        exit::FINDINGS
    } else {
        exit::OK
    }
}

/// The report that is in this file, if it is a JSON file.
fn saved(input: &str) -> Result<Option<Side>, Error> {
    if !Path::new(input).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
        return Ok(None);
    }
    let failed = |error: String| {
        let error = Error::new(format!("{input}: {error}"));
        match misspelt::file(Path::new(input)).filter(|_| !Path::new(input).exists()) {
            Some(near) => error.hint(format!("did you mean '{near}'?")),
            None => error.hint("gilaudit check --format json --output FILE saves a report"),
        }
    };
    let text = gilaudit_input::read_text(Path::new(input)).map_err(|error| failed(error.to_string()))?;
    let side: Side =
        serde_json::from_str(&text).map_err(|error| failed(format!("not a report of gilaudit: {error}")))?;
    if side.schema != output::REPORT_SCHEMA {
        return Err(failed(format!("its schema is '{}' and not '{}'", side.schema, output::REPORT_SCHEMA)));
    }
    Ok(Some(side))
}

/// The report on an input as `gilaudit check` makes it without options.
fn audited(input: &str, target: &TargetArgs) -> Result<Side, Error> {
    let name = policies::DEFAULT;
    let policy = policies::load(name).map_err(|rejected| rejected.error)?;
    let settings = Settings::of_one(input, policy)?;
    let inventory = gilaudit_input::collect(&settings.given, target.python.as_ref(), &settings.audit.input_limits);
    let (target, target_from) = settings::target(target, Some(&inventory))?;
    let bar = progress::bar(inventory.members.len(), settings.progress);
    let mut answers = audit(&inventory, &settings.audit, &target, &|| progress::step(&bar));
    misspelt::inputs(&mut answers.problems);
    if !answers.recognised && answers.problems.is_empty() {
        let error = Error::new(format!("{input}: nothing auditable was recognised in it"));
        return Err(error.hint(output::LOOKED_FOR));
    }
    let question = Question {
        target,
        target_from,
        policy: name.to_owned(),
        policy_diagnostics: Vec::new(),
        fail_on: settings.fail_on,
        fail_on_gil: false,
    };
    let report = Report::new(question, answers);
    output::to_value(&report)
        .and_then(serde_json::from_value)
        .map_err(|error| Error::new(format!("the report on {input} could not be put together: {error}")))
}
