//! What a question about a program is about: the files that its imports lead to.
//!
//! Who asks about one program gets the findings, the policy, the tables and the exit code of that program. The rest of the
//! environment is counted, and nothing else is said of it.

use std::collections::BTreeSet;

use crate::answers::{Answers, Coverage};

/// Leaves in the answers what the imports lead to. What was not read stays: it could have been on the way.
pub fn limit(answers: &mut Answers) {
    let Some(imports) = &answers.imports else { return };
    let reached = &imports.reached;
    let (before, mut others) = (answers.extensions.len(), BTreeSet::new());
    answers.extensions.retain(|judged| {
        let file = judged.extension.origin.to_string();
        let is_reached = reached.contains(&file);
        if !is_reached {
            others.insert(file);
        }
        is_reached
    });
    others.extend(answers.libraries.drain(..).map(|library| library.origin.to_string()));
    answers.outside = before.saturating_sub(answers.extensions.len());
    answers.findings.retain(|finding| reached.contains(&finding.origin.to_string()));
    answers.problems.retain(|problem| problem.unread || !others.contains(&problem.origin.to_string()));
    let modules: BTreeSet<&str> = answers.extensions.iter().map(|judged| judged.extension.module.as_str()).collect();
    answers.reaches.retain(|reach| modules.contains(reach.from.as_str()) && modules.contains(reach.to.as_str()));
    answers.texts.retain(|(origin, _)| answers.findings.iter().any(|finding| finding.origin == *origin));
    // Sources are read for what they would build; what is imported is built already.
    answers.coverage = Coverage::default();
}
