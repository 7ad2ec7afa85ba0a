//! What a small function does to what its caller gives it.
//!
//! Compilers move the halves of reference counts into functions of their own, and projects wrap locks in them. Only functions that
//! call nothing of the file themselves are looked at.

use gilaudit_model::flow::{LockKind, Origin, OriginId, StepKind, Term, Value, Values};

use super::context::{Budget, Context};
use super::x86;

/// The longest function that is looked at, in bytes.
const LONGEST: u64 = 320;

/// What is given to a function, or is the same for all of its callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    Argument(usize),
    Place(i64),
}

/// What a function does to what it is given.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    returns: Option<usize>,
    increfs: Vec<usize>,
    decrefs: Vec<usize>,
    /// Locks that it takes and does not release.
    locks: Vec<(LockKind, Given)>,
    /// Locks that it releases and has not taken.
    unlocks: Vec<(LockKind, Given)>,
}

impl Summary {
    pub(super) fn result(&self, arguments: &[Value], result: Value) -> Value {
        self.returns.and_then(|index| arguments.get(index).copied()).unwrap_or(result)
    }

    pub(super) fn steps(&self, values: &mut Values, arguments: &[Value]) -> Vec<StepKind> {
        let argument = |index: &usize| arguments.get(*index).copied();
        let mut steps: Vec<StepKind> = self.increfs.iter().filter_map(argument).map(StepKind::Incref).collect();
        steps.extend(self.decrefs.iter().filter_map(argument).map(StepKind::Decref));
        let mut place = |given: &Given| match given {
            Given::Argument(index) => argument(index),
            Given::Place(at) => Some(values.at(Origin::Image, *at)),
        };
        for (kind, given) in &self.locks {
            steps.extend(place(given).map(|token| StepKind::Lock { kind: *kind, what: vec![token], token }));
        }
        for (kind, given) in &self.unlocks {
            steps.extend(place(given).map(|token| StepKind::Unlock { kind: *kind, token }));
        }
        steps
    }
}

/// What the function at an address does, if it is small.
pub(super) fn of(
    context: &mut Context<'_, '_>,
    target: u64,
    budget: &mut Budget,
) -> Result<Option<Summary>, &'static str> {
    if let Some(known) = context.summaries.get(&target) {
        return Ok(known.clone());
    }
    let functions = context.functions;
    let small = functions.at(target).filter(|found| found.end - found.start <= LONGEST && found.seen.calls.is_empty());
    let Some(found) = small else {
        context.summaries.insert(target, None);
        return Ok(None);
    };
    let summary = match x86::follow(context, found, budget, true) {
        Ok((blocks, values)) => {
            let steps = blocks.iter().flat_map(|block| &block.steps).map(|step| &step.kind);
            Some(summarise(steps, &values))
        }
        Err(super::context::SPENT) => return Err(super::context::SPENT),
        Err(_) => None,
    };
    context.summaries.insert(target, summary.clone());
    Ok(summary)
}

/// What a value is to the callers.
fn given(values: &Values, value: Value) -> Option<Given> {
    match values.terms(value) {
        [Term { base: OriginId::IMAGE, offset: Some(at) }] => Some(Given::Place(*at)),
        [Term { base, .. }] => match values.get(*base) {
            Origin::Parameter(index) if *index < 6 => Some(Given::Argument(usize::from(*index))),
            _ => None,
        },
        _ => None,
    }
}

fn summarise<'a>(steps: impl Iterator<Item = &'a StepKind>, values: &Values) -> Summary {
    let mut summary = Summary::default();
    let mut returned: Option<Option<usize>> = None;
    for step in steps {
        let whole = |value: Value| match (values.terms(value), given(values, value)) {
            ([Term { offset: Some(0), .. }], Some(Given::Argument(index))) => Some(index),
            _ => None,
        };
        match step {
            StepKind::Incref(object) => summary.increfs.extend(whole(*object)),
            StepKind::Decref(object) => summary.decrefs.extend(whole(*object)),
            StepKind::Lock { kind, token, .. } => {
                summary.locks.extend(given(values, *token).map(|given| (*kind, given)));
            }
            StepKind::Unlock { kind, token } => {
                summary.unlocks.extend(given(values, *token).map(|given| (*kind, given)));
            }
            StepKind::Return(value) => {
                let this = whole(*value);
                returned = Some(if returned.is_none_or(|before| before == this) { this } else { None });
            }
            _ => {}
        }
    }
    summary.returns = returned.flatten();
    for list in [&mut summary.increfs, &mut summary.decrefs] {
        list.sort_unstable();
        list.dedup();
    }
    // What is taken and released again is nobody else's business.
    if !summary.locks.is_empty() && !summary.unlocks.is_empty() {
        summary.locks.clear();
        summary.unlocks.clear();
    }
    summary.locks.dedup();
    summary.unlocks.dedup();
    summary
}
