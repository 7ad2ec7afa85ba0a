//! Mistakes of ours while something is read: each is a problem of that one input, with the place in our code, and the rest goes on.

use gilaudit_input::{Member, MemberKind};
use gilaudit_model::{Problem, Stage, panics};

/// What `work` on a member gives, or the problem that it failed.
pub(crate) fn guarded<T>(member: &Member, work: impl FnOnce() -> T) -> Result<T, Problem> {
    panics::caught(work).map_err(|panic| problem(member, Stage::Internal, panics::failed_on("this file", &panic)))
}

/// A problem of a member.
pub(crate) fn problem(member: &Member, stage: Stage, error: String) -> Problem {
    Problem { origin: member.origin.clone(), stage, unread: member.kind == MemberKind::Candidate, error }
}
