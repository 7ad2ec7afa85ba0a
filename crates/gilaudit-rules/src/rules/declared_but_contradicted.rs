//! Flags a module that declares not to need the GIL although its sources show that it does.

use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::declarations::Declared;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "declared-but-contradicted",
    summary: "a module that declares to run without the GIL although its sources contradict it",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("declared_but_contradicted.md"),
    checks: &[Check::Contradiction(check)],
};

/// How many findings a message names.
const NAMED: usize = 5;

/// The rules whose findings, when sure, contradict a declaration: memory is used that may be gone, or locks are used wrongly.
const CONTRADICTING: [&str; 27] = [
    "borrowed-dict-item",
    "borrowed-list-item",
    "borrowed-weakref",
    "busy-flag-toctou",
    "capi-while-detached",
    "container-internals",
    "detach-inside-section",
    "dict-next-unlocked",
    "double-checked-locking",
    "exit-inside-section",
    "free-list",
    "gil-protected",
    "global-container-race",
    "lazy-object-cache",
    "lazy-static-object",
    "lock-imbalance",
    "mutable-static",
    "nested-sections",
    "nogil-in-critical-section",
    "nonatomic-rmw",
    "ob-mutex-direct",
    "refcount-manipulation",
    "refcount-one",
    "sequence-fast-items",
    "static-mut",
    "static-unsafecell",
    "unsafe-sync",
];

/// Whether a finding says that a module's declaration is not true: it is this rule's own, or one that this rule is about.
pub(crate) fn contradicts(finding: &Finding) -> bool {
    finding.suppressed.is_none()
        && !finding.readiness
        && (finding.rule == RULE.id && finding.severity >= Severity::Warning || is_against(finding))
}

fn is_against(finding: &Finding) -> bool {
    finding.confidence == Confidence::High
        && finding.severity == Severity::Error
        && CONTRADICTING.contains(&finding.rule)
}

fn check(analysis: &Analysis<'_>, findings: &[Finding], rule: &Rule, out: &mut Vec<Finding>) {
    let against: Vec<&Finding> = findings.iter().filter(|finding| is_against(finding)).collect();
    if against.is_empty() {
        return;
    }
    let several = analysis.modules.len() > 1;
    for module in analysis.modules {
        if module.declared != Declared::NotUsed
            || !analysis.project.file(module.file).report
            || analysis.is_test(module.file)
        {
            continue;
        }
        // Which files make which of several modules is not known here: then its own file counts.
        let origin = &analysis.project.file(module.file).origin;
        let against: Vec<&&Finding> = against.iter().filter(|finding| !several || finding.origin == *origin).collect();
        if against.is_empty() {
            continue;
        }
        let rules: std::collections::BTreeSet<&str> = against.iter().map(|finding| finding.rule).collect();
        let names: Vec<&str> = rules.into_iter().take(NAMED).collect();
        let message = format!(
            "'{}' declares that it runs without the GIL, but {} in its sources {} otherwise: {}",
            module.name,
            if against.len() == 1 { "a finding".to_owned() } else { format!("{} findings", against.len()) },
            if against.len() == 1 { "says" } else { "say" },
            names.join(", ")
        );
        let mut finding = analysis.finding(rule, module.file, module.span, message);
        finding.module = Some(module.name.clone());
        finding.help = Some("repair what was found, or declare Py_MOD_GIL_USED until it is".to_owned());
        let related = against.iter().take(NAMED).map(|other| gilaudit_model::Related {
            message: other.rule.to_owned(),
            origin: other.origin.clone(),
            location: other.location,
        });
        finding.related.extend(related);
        out.push(finding);
    }
}
