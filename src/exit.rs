//! The status that the command exits with.

use gilaudit_audit::report::{Conclusion, Report};

/// Nothing to complain about.
pub(crate) const OK: u8 = 0;
/// Findings at or above the threshold, or the policy refuses something.
pub(crate) const FINDINGS: u8 = 1;
/// Usage, a bad policy, or an input that could not be read.
pub(crate) const ERROR: u8 = 2;
/// Nothing auditable was recognised in the inputs.
pub(crate) const NOTHING: u8 = 3;

/// The status for a report.
pub(crate) fn of(report: &Report) -> u8 {
    match report.conclusion() {
        Conclusion::NotRead => ERROR,
        Conclusion::Fails => FINDINGS,
        Conclusion::NothingRecognised => NOTHING,
        Conclusion::Passes => OK,
    }
}
