//! `gilaudit rules`: the list of rules, with what each looks at.

use gilaudit_rules::{RULES, Rule};

use crate::args::Colour;
use crate::error::Error;
use crate::exit;
use crate::output::to_stdout;

pub(crate) fn run(colour: Colour) -> Result<u8, Error> {
    let width = |cell: fn(&Rule) -> String| RULES.iter().map(|rule| cell(rule).len()).max().unwrap_or_default();
    let (names, subjects) = (width(|rule| rule.id.to_owned()), width(subjects_of));
    let line = |rule: &Rule| {
        let severity = rule.severity.as_str();
        format!("{:names$}  {severity:7}  {:subjects$}  {}\n", rule.id, subjects_of(rule), rule.summary)
    };
    let list: String = RULES.iter().map(line).collect();
    to_stdout(list.as_bytes(), colour)?;
    Ok(exit::OK)
}

fn subjects_of(rule: &Rule) -> String {
    rule.subjects().join(", ")
}
