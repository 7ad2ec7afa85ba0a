//! Which locks are held at each step, whatever way led there.

use gilaudit_model::flow::{Function, LockKind, StepKind, Value};

/// A lock that is held: how it was taken, and what the release will name.
type Lock = (LockKind, Value);

/// What is held before each block, and where a block changes that.
pub(super) struct Held {
    /// For each block, for each step, whether anything is held.
    any: Vec<Vec<bool>>,
}

impl Held {
    pub(super) fn of(function: &Function) -> Self {
        let takes = |kind: &StepKind| matches!(kind, StepKind::Lock { .. });
        if !super::steps(function).any(|step| takes(&step.kind)) {
            return Self { any: Vec::new() };
        }
        let mut before: Vec<Option<Vec<Lock>>> = vec![None; function.blocks.len()];
        if let Some(first) = before.first_mut() {
            *first = Some(Vec::new());
        }
        let mut work = vec![0usize];
        while let Some(index) = work.pop() {
            let Some((block, Some(held))) = function.blocks.get(index).zip(before.get(index)) else { continue };
            let mut held = held.clone();
            block.steps.iter().for_each(|step| apply(&step.kind, &mut held));
            for next in &block.successors {
                let next = next.0 as usize;
                let Some(known) = before.get_mut(next) else { continue };
                let joined = match known {
                    // What is held on every way only; sets get smaller, so this ends.
                    Some(known) => known.iter().copied().filter(|lock| held.contains(lock)).collect(),
                    None => held.clone(),
                };
                if known.as_ref() != Some(&joined) {
                    *known = Some(joined);
                    work.push(next);
                }
            }
        }
        let any = function
            .blocks
            .iter()
            .zip(before)
            .map(|(block, held)| {
                let mut held = held.unwrap_or_default();
                let mut any = Vec::with_capacity(block.steps.len());
                for step in &block.steps {
                    any.push(!held.is_empty());
                    apply(&step.kind, &mut held);
                }
                any
            })
            .collect();
        Self { any }
    }

    pub(super) fn any(&self, block: usize, step: usize) -> bool {
        self.any.get(block).and_then(|steps| steps.get(step)).copied().unwrap_or(false)
    }
}

fn apply(step: &StepKind, held: &mut Vec<Lock>) {
    match step {
        StepKind::Lock { kind, token, .. } if !held.contains(&(*kind, *token)) => held.push((*kind, *token)),
        StepKind::Unlock { kind, token } => held.retain(|lock| lock != &(*kind, *token)),
        _ => {}
    }
}
