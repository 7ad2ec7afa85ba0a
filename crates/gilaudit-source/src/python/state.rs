//! State that threads share.

use gilaudit_model::Problem;
use gilaudit_model::source::Project;

use crate::project::Limits;

/// Reads the files of a project.
pub(crate) fn read(_project: &mut Project, _limits: &Limits, _problems: &mut Vec<Problem>) {}
