//! Flags a comment that relies on the GIL in a module that declares not to need it.

use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::declarations::Declared;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "gil-reliance-comment",
    summary: "a comment that relies on the GIL in a module that declares not to need it",
    severity: Severity::Note,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("gil_reliance_comment.md"),
    checks: &[Check::Project(check)],
};

fn check(analysis: &Analysis<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if !analysis.modules.iter().any(|module| module.declared == Declared::NotUsed) {
        return;
    }
    for (index, file) in analysis.project.files.iter().enumerate().filter(|(_, file)| file.report && file.c_api) {
        for comment in &file.comments {
            let text = file.text_of(*comment).to_ascii_lowercase();
            let words = [
                "protected by the gil",
                "relies on the gil",
                "rely on the gil",
                "we have the gil",
                "we hold the gil",
                "guarded by the gil",
                "not thread-safe",
                "not thread safe",
                "not threadsafe",
            ];
            let Some(found) = words.iter().find(|word| text.contains(*word)) else { continue };
            let message = format!("a comment says '{found}', but the module declares that it runs without the GIL");
            let id = gilaudit_model::source::FileId(index as u32);
            let mut finding = analysis.finding(rule, id, *comment, message);
            finding.help = Some("check what the comment is about, and guard it or correct the comment".to_owned());
            out.push(finding);
        }
    }
}
