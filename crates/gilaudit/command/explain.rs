//! `gilaudit explain RULE`: the page of a rule.

use crate::args::Colour;
use crate::error::Error;
use crate::output::to_stdout;
use crate::report::EXIT_OK;
use crate::settings::find_rule;

pub(crate) fn run(id: &str, colour: Colour) -> Result<u8, Error> {
    let rule = find_rule(id)?;
    let page = format!(
        "# {}\n\n{} ({}, confidence {}, since {})\n\n{}\n",
        rule.id,
        rule.summary,
        rule.severity.as_str(),
        rule.confidence.as_str(),
        rule.since,
        rule.doc.trim()
    );
    to_stdout(page.as_bytes(), colour)?;
    Ok(EXIT_OK)
}
