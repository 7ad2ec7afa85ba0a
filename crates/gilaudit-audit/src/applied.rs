//! A policy as it is applied on a day: what findings it wants at which severity, what it decides, and what is to be said about it.

use gilaudit_model::{Decision, Extension, Finding, Location, Outcome, Severity, Target};
use gilaudit_policy::{Date, Diagnostic, Level, Policy};

use crate::answers::Judged;

/// A policy as it is applied today.
pub struct Applied {
    policy: Policy,
    diagnostics: Vec<Diagnostic>,
    today: Date,
}

impl Applied {
    /// A policy, with what was wrong with its file.
    #[must_use]
    pub fn new(policy: Policy, diagnostics: Vec<Diagnostic>, today: Date) -> Self {
        Self { policy, diagnostics, today }
    }

    /// The policy itself.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What is to be said about the policy's file alone, what is unfinished in it included.
    pub fn about_the_file(self) -> Vec<Diagnostic> {
        let mut diagnostics = self.policy.unfinished_exceptions();
        diagnostics.extend(self.diagnostics);
        diagnostics.sort();
        diagnostics
    }

    /// Gives findings the severity that the policy wants, and drops those of rules that it turns off.
    pub fn level(&self, findings: &mut Vec<Finding>) {
        findings.retain_mut(|finding| match self.policy.level(finding.rule) {
            Some(Level::Off) => false,
            Some(Level::At(severity)) => {
                finding.severity = severity;
                true
            }
            None => true,
        });
    }

    /// What happens to an extension with these findings.
    pub fn decide(&self, extension: &Extension, findings: &[Finding], target: &Target) -> Decision {
        gilaudit_policy::decide(&self.policy, extension, findings, target, self.today)
    }

    /// The policy's exceptions that applied to nothing of all that was audited.
    pub fn unused<'e>(&self, extensions: impl IntoIterator<Item = &'e Extension>) -> Vec<Diagnostic> {
        self.policy.unused_exceptions(extensions, self.today)
    }

    /// Marks the findings about the declaration of a module that an exception lets in: they are what the exception is for.
    pub(crate) fn accept(judged: &Judged, findings: &mut [Finding]) {
        const ABOUT_THE_DECLARATION: [&str; 4] =
            ["enables-gil", "undeclared-module", "declared-but-contradicted", "framework-default-declares"];
        let (Judged { extension, decision }, Some(waiver)) = (judged, judged.decision.accepted()) else { return };
        if decision.outcome == Outcome::CannotImport {
            return;
        }
        let until = waiver.expires.as_ref().map_or(String::new(), |date| format!(" until {date}"));
        let reason = format!("accepted{until} by {}: {}", waiver.at, waiver.reason);
        let about = |finding: &Finding| match finding.location {
            Location::Text { .. } => finding.module.as_deref() == Some(extension.module.as_str()),
            _ => finding.origin == extension.origin,
        };
        for finding in findings.iter_mut().filter(|finding| about(finding)) {
            if ABOUT_THE_DECLARATION.contains(&finding.rule) && finding.suppressed.is_none() {
                finding.suppressed = Some(reason.clone());
            }
        }
    }

    /// What is to be said about the policy once everything is audited.
    pub fn diagnostics<'e>(
        &self,
        target: &Target,
        extensions: impl IntoIterator<Item = &'e Extension>,
        unused: Vec<Diagnostic>,
    ) -> Vec<Diagnostic> {
        // One that is out of date is said once, with the modules that it no longer lets in.
        let lapsed = self.policy.lapsed_exceptions(extensions, self.today);
        let said_below = |it: &Diagnostic| lapsed.iter().any(|other| other.place == it.place);
        let mut diagnostics: Vec<Diagnostic> = self.diagnostics.iter().filter(|it| !said_below(it)).cloned().collect();
        diagnostics.extend(self.policy.check_target(target));
        // A policy that is only begun can be tried; gilaudit policy check refuses it.
        let unfinished = self.policy.unfinished_exceptions().into_iter();
        diagnostics.extend(unfinished.map(|it| Diagnostic { severity: Severity::Warning, ..it }));
        diagnostics.extend(lapsed);
        diagnostics.extend(unused);
        diagnostics.sort();
        diagnostics
    }
}
