//! How an audit is done: which rules run, what is reported of what they find, and the limits of everything that is read.

use std::collections::BTreeSet;

use gilaudit_model::{Confidence, Finding, Gil, Severity, Target, Version};
use gilaudit_policy::Level;
use gilaudit_rules::RULES;

use crate::applied::Applied;

/// The target when nothing says otherwise: the newest free-threaded release.
pub const DEFAULT_TARGET: Target = Target { version: Version::V3_14, free_threaded: true, gil: Gil::Default };

/// How an audit is done.
pub struct Settings {
    /// What is decided about the modules, and how severe findings are.
    pub policy: Applied,
    /// The rules that run.
    pub rules: BTreeSet<&'static str>,
    /// The rules that the user wants to hear nothing of.
    pub ignored: BTreeSet<&'static str>,
    /// The severity from which findings are reported.
    pub min_severity: Severity,
    /// The confidence from which findings are reported.
    pub min_confidence: Confidence,
    /// Whether comments in sources suppress findings.
    pub suppressions: bool,
    /// Whether findings are looked for in machine code.
    pub code: bool,
    /// Whether files in folders are hashed, too.
    pub hash: bool,
    /// The number of threads; zero for one per processor.
    pub jobs: usize,
    /// The limits of files and archives.
    pub input_limits: gilaudit_input::Limits,
    /// The limits of evaluating machine code.
    pub binary_limits: gilaudit_binary::Limits,
}

impl Settings {
    /// As an audit is done without options.
    #[must_use]
    pub fn new(policy: Applied) -> Self {
        Self {
            policy,
            rules: RULES.iter().map(|rule| rule.id).collect(),
            ignored: BTreeSet::new(),
            min_severity: Severity::Warning,
            min_confidence: Confidence::Medium,
            suppressions: true,
            // Until its findings have been judged in numbers, who wants them asks for them.
            code: false,
            hash: false,
            jobs: 0,
            input_limits: gilaudit_input::Limits::default(),
            binary_limits: gilaudit_binary::Limits::default(),
        }
    }

    /// Whether this rule runs, by `--select` and `--ignore`.
    pub(crate) fn runs(&self, rule: &str) -> bool {
        self.rules.contains(rule)
    }

    /// The rules that nobody wants to hear of, by `--ignore` and by the policy. Those that `--select` leaves out are not among them: who asks
    /// for one answer wants the right one.
    pub(crate) fn ignored(&self) -> Vec<&'static str> {
        let off = |id: &&str| self.policy.policy().level(id) == Some(Level::Off);
        RULES.iter().map(|rule| rule.id).filter(|id| self.ignored.contains(id) || off(id)).collect()
    }

    /// Whether this finding is reported, by `--min-severity` and `--min-confidence`.
    pub(crate) fn shows(&self, finding: &Finding) -> bool {
        finding.severity >= self.min_severity && self.shows_confidence(finding.confidence)
    }

    /// Whether findings of this confidence are shown.
    pub(crate) fn shows_confidence(&self, confidence: Confidence) -> bool {
        confidence >= self.min_confidence
    }
}
