//! `gilaudit explain RULE`: the page of a rule.

use anstyle::Style;

use crate::args::Colour;
use crate::error::Error;
use crate::exit;
use crate::output::to_stdout;
use crate::settings::find_rule;

const BOLD: Style = Style::new().bold();

pub(crate) fn run(id: &str, colour: Colour) -> Result<u8, Error> {
    let rule = find_rule(id)?;
    // The page begins with its title; below it goes what the page does not say because the registry does.
    let (title, page) = rule.doc.split_once('\n').unwrap_or((rule.doc, ""));
    let about = format!(
        "{}: {}; confidence {}; since {}",
        rule.severity.as_str(),
        rule.summary,
        rule.confidence.as_str(),
        rule.since
    );
    let page = format!("{title}\n\n{about}\n\n{}\n", page.trim());
    let mut in_code = false;
    let styled = page.lines().map(|line| {
        in_code ^= line.starts_with("```");
        let heading = line.starts_with('#') && !in_code;
        if heading { format!("{BOLD}{line}{BOLD:#}\n") } else { format!("{line}\n") }
    });
    let page: String = styled.collect();
    to_stdout(page.as_bytes(), colour)?;
    Ok(exit::OK)
}
