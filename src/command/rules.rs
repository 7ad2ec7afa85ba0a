//! `gilaudit rules`: the list of rules.

use gilaudit_rules::RULES;

use crate::args::Colour;
use crate::error::Error;
use crate::exit;
use crate::output::to_stdout;

pub(crate) fn run(colour: Colour) -> Result<u8, Error> {
    let width = RULES.iter().map(|rule| rule.id.len()).max().unwrap_or_default();
    let line =
        |rule: &gilaudit_rules::Rule| format!("{:width$}  {:7}  {}\n", rule.id, rule.severity.as_str(), rule.summary);
    let list: String = RULES.iter().map(line).collect();
    to_stdout(list.as_bytes(), colour)?;
    Ok(exit::OK)
}
