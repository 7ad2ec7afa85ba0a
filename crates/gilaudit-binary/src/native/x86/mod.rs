//! x86-64: instructions to steps.

mod blocks;
mod machine;
mod operands;
mod state;

use gilaudit_model::flow::{Block, BlockId, Values};

use super::context::{Budget, Context};
use crate::functions::Found;
use blocks::Shape;
use machine::Machine;
use state::State;

/// Most visits of a block, on average, until nothing changes any more.
const VISITS: usize = 12;

/// Follows one function: what its values are, and what it does with them. The error says why not.
pub(super) fn follow(
    context: &mut Context<'_, '_>,
    found: &Found,
    budget: &mut Budget,
    nested: bool,
) -> Result<(Vec<Block>, Values), &'static str> {
    let shape = Shape::new(context, found, budget)?;
    let mut values = Values::default();
    let mut before: Vec<Option<State>> = vec![None; shape.blocks.len()];
    let mut waits: std::collections::BTreeSet<usize> = std::collections::BTreeSet::new();
    if let Some(first) = before.first_mut() {
        *first = Some(State::entry(&mut values));
        waits.insert(0);
    }
    let mut visits = shape.blocks.len().saturating_mul(VISITS).saturating_add(64);
    while let Some(index) = waits.pop_first() {
        visits = visits.checked_sub(1).ok_or("too many values come together in it")?;
        let Some((block, Some(state))) = shape.blocks.get(index).zip(before.get(index)) else { continue };
        let mut machine = Machine::new(context, &mut values, state.clone(), None, nested);
        for instruction in shape.instructions(block) {
            budget.spend(1)?;
            machine.step(instruction, budget)?;
        }
        let after = machine.into_state();
        for next in &block.successors {
            let Some(known) = before.get_mut(*next) else { continue };
            let changed = match known {
                Some(known) => known.join(&after, &mut values),
                None => {
                    *known = Some(after.clone());
                    true
                }
            };
            if changed {
                waits.insert(*next);
            }
        }
        budget.check(values.size())?;
    }
    let mut blocks = Vec::with_capacity(shape.blocks.len());
    for (block, state) in shape.blocks.iter().zip(before) {
        let successors = block.successors.iter().filter_map(|next| u32::try_from(*next).ok()).map(BlockId).collect();
        // Nothing leads to a block without a state.
        let Some(state) = state else {
            blocks.push(Block { steps: Vec::new(), successors });
            continue;
        };
        let mut machine = Machine::new(context, &mut values, state, Some(Vec::new()), nested);
        for instruction in shape.instructions(block) {
            budget.spend(1)?;
            machine.step(instruction, budget)?;
        }
        if block.leaves {
            machine.leave(shape.instructions(block).last());
        }
        let steps = machine.into_steps();
        budget.keep(steps.len())?;
        blocks.push(Block { steps, successors });
    }
    Ok((blocks, values))
}
