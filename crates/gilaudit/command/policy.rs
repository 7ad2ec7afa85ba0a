//! `gilaudit policy list` and `gilaudit policy show NAME`: the built-in policies.

use crate::args::Colour;
use crate::error::Error;
use crate::output::to_stdout;
use crate::policies::{BUILT_IN, unknown};
use crate::report::EXIT_OK;

/// Each policy with the first line of the comment that says what it is for.
pub(crate) fn list(colour: Colour) -> Result<u8, Error> {
    let width = BUILT_IN.iter().map(|policy| policy.name.len()).max().unwrap_or_default();
    let list: String =
        BUILT_IN.iter().map(|policy| format!("{:width$}  {}\n", policy.name, policy.purpose())).collect();
    to_stdout(list.as_bytes(), colour)?;
    Ok(EXIT_OK)
}

/// The policy's file, as it is.
pub(crate) fn show(name: &str, colour: Colour) -> Result<u8, Error> {
    let policy = BUILT_IN.iter().find(|policy| policy.name == name).ok_or_else(|| unknown(name))?;
    to_stdout(policy.text.as_bytes(), colour)?;
    Ok(EXIT_OK)
}
