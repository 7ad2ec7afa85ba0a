//! Flags a PyO3 that does not support the free-threaded build.

use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::rust::SUPPORTS;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "pyo3-too-old",
    summary: "a version of PyO3 that does not support the free-threaded build",
    severity: Severity::Warning,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("pyo3_too_old.md"),
    checks: &[Check::Build(check)],
};

/// The first PyO3 that does not build for 3.13t any more.
const DROPS_3_13: (u32, u32, u32) = (0, 29, 0);

fn check(analysis: &Analysis<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    let target = analysis.options.target;
    for manifest in &analysis.project.cargo {
        let Some(framework) = &manifest.framework else { continue };
        if !analysis.project.file(manifest.file).report {
            continue;
        }
        let words = framework.words();
        let (message, help) = if framework.below.is_some_and(|below| below <= SUPPORTS) {
            (
                format!("{} {words} does not know free-threaded builds", framework.name),
                "upgrade to 0.23 or newer and declare with #[pymodule(gil_used = false)] after an audit; 0.28 and newer declare by default",
            )
        } else if target.version.minor() == 13
            && target.free_threaded
            && framework.oldest.is_some_and(|it| it >= DROPS_3_13)
        {
            (
                format!("{} {words} does not build for free-threaded Python 3.13 any more", framework.name),
                "use 3.14t, or stay below PyO3 0.29",
            )
        } else {
            continue;
        };
        let mut finding = analysis.finding(rule, manifest.file, framework.span, message);
        finding.module = manifest.library.as_ref().map(ToString::to_string);
        finding.help = Some(help.to_owned());
        out.push(finding);
    }
}
