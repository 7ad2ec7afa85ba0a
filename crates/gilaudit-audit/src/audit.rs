//! From the inventory to the answers: reads every member in parallel, judges what it found for the target, applies rules and policy.
//!
//! One bad file never stops the others: each is read under `catch_unwind`, so that a mistake in a parser becomes a problem of that
//! file.

use gilaudit_input::{ArtifactKind, Inventory, Member, Problems};
use gilaudit_model::panics::quietly;
use gilaudit_model::{Origin, Problem, Target};
use gilaudit_rules::check_extension;
use rayon::prelude::*;

use crate::answers::Answers;
use crate::code;
use crate::extension::extension;
use crate::guard::guarded;
use crate::judge::judge;
use crate::link::{Loaded, link};
use crate::reaches::reaches;
use crate::read::{Read, read};
use crate::settings::Settings;
use crate::sources;

/// Audits everything in `inventory` for `target`. `read_one` is called whenever a member was read.
pub fn audit(inventory: &Inventory, settings: &Settings, target: &Target, read_one: &(dyn Fn() + Sync)) -> Answers {
    let reads: Vec<(&Member, Read)> = quietly(|| {
        inventory
            .members
            .par_iter()
            .map(|member| {
                let read = guarded(member, || read(inventory, member, settings));
                read_one();
                (member, read.unwrap_or_else(|problem| Read { problems: vec![problem], ..Read::default() }))
            })
            .collect()
    });
    let mut answers = Answers {
        artifacts: inventory.artifacts.len(),
        recognised: recognised(inventory),
        problems: inventory.problems.clone(),
        ..Answers::default()
    };
    let mut files = Vec::new();
    let mut problems = Problems::default();
    for (member, read) in reads {
        answers.libraries.extend(read.libraries);
        let artifact = artifact_of(inventory, member);
        read.problems.into_iter().for_each(|problem| problems.add(artifact, problem));
        files.extend(read.files.into_iter().map(|file| (member, file)));
    }
    let linked = quietly(|| link(inventory, &settings.binary_limits, files, target));
    answers.libraries.extend(linked.libraries);
    linked.problems.into_iter().for_each(|(member, problem)| problems.add(artifact_of(inventory, member), problem));
    answers.problems.extend(problems.all());
    let one = |(file, member): (Loaded, &Member)| {
        let facts = file.facts.clone();
        let extension = extension(file, member, target);
        let mut findings = check_extension(&extension, target);
        let failed = match code::findings(inventory, member, &facts, &extension, settings) {
            Ok(more) => {
                findings.extend(more);
                None
            }
            Err(problem) => Some(problem),
        };
        (judge(vec![extension], findings, settings, target), failed)
    };
    let judged: Vec<(_, Option<Problem>)> =
        quietly(|| linked.modules.into_par_iter().zip(linked.members).map(one).collect());
    for ((judged, findings), failed) in judged {
        answers.problems.extend(failed);
        answers.extensions.extend(judged);
        answers.findings.extend(findings);
    }
    answers.reaches = quietly(|| reaches(inventory, &answers.extensions));
    let linted = quietly(|| sources::lint(inventory, settings, target));
    answers.findings.extend(linted.findings);
    answers.extensions.extend(linted.extensions);
    answers.problems.extend(linted.problems);
    answers.coverage = linted.coverage;
    answers.texts = linted.texts;
    answers
}

/// Whether there was anything that gilaudit audits; a wheel or environment of pure Python counts, an ordinary folder does not.
fn recognised(inventory: &Inventory) -> bool {
    let is_known =
        |kind: ArtifactKind| !matches!(kind, ArtifactKind::Folder | ArtifactKind::Binary | ArtifactKind::Source);
    !inventory.members.is_empty()
        || !inventory.sources.is_empty()
        || inventory.artifacts.iter().any(|artifact| is_known(artifact.kind))
}

fn artifact_of<'a>(inventory: &'a Inventory, member: &'a Member) -> &'a Origin {
    inventory.artifacts.get(member.artifact).map_or(&member.origin, |artifact| &artifact.origin)
}
