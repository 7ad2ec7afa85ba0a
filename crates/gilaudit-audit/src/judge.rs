//! What the policy makes of modules and of what the rules found, whether they were read from compiled files or from sources.

use gilaudit_model::{Extension, Finding, Target};

use crate::answers::Judged;
use crate::applied::Applied;
use crate::settings::Settings;

/// Decides about `extensions`; `findings` are all that the rules found in them, and those that are shown come back.
pub(crate) fn judge(
    extensions: Vec<Extension>,
    mut findings: Vec<Finding>,
    settings: &Settings,
    target: &Target,
) -> (Vec<Judged>, Vec<Finding>) {
    findings.retain(|finding| settings.runs(finding.rule));
    settings.policy.level(&mut findings);
    let decided = extensions.into_iter().map(|extension| {
        let decision = settings.policy.decide(&extension, &findings, target);
        Judged { extension, decision }
    });
    let judged: Vec<Judged> = decided.collect();
    for one in &judged {
        Applied::accept(one, &mut findings);
    }
    findings.retain(|finding| settings.shows(finding));
    (judged, findings)
}
