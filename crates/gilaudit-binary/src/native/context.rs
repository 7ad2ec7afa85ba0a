//! What following functions needs to know of the file, and what it may cost.

use std::collections::HashMap;

use gilaudit_model::Layout;

use super::summary::Summary;
use crate::functions::{Functions, Known, Stubs};
use crate::image::Image;

/// The file around a function.
pub(super) struct Context<'i, 'd> {
    pub(super) image: &'i Image<'d>,
    pub(super) known: &'i Known<'d>,
    pub(super) functions: &'i Functions,
    pub(super) layout: Option<Layout>,
    pub(super) stubs: Stubs,
    /// What small callees do, as met so far.
    pub(super) summaries: HashMap<u64, Option<Summary>>,
    /// The sections that hold addresses of imports and that nobody but the loader writes.
    offset_tables: Vec<(u64, u64)>,
}

impl<'i, 'd> Context<'i, 'd> {
    pub(super) fn new(
        image: &'i Image<'d>,
        known: &'i Known<'d>,
        functions: &'i Functions,
        layout: Option<Layout>,
    ) -> Self {
        let is_table = |name: &str| matches!(name, ".got" | ".got.plt");
        let sections = image.sections.iter().filter(|section| is_table(&section.name));
        let offset_tables = sections.map(|it| (it.address, it.address.saturating_add(it.size))).collect();
        Self { image, known, functions, layout, stubs: Stubs::default(), summaries: HashMap::new(), offset_tables }
    }

    pub(super) fn is_in_offset_table(&self, at: u64) -> bool {
        self.offset_tables.iter().any(|(start, end)| (*start..*end).contains(&at))
    }
}

/// What may be spent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// Instructions executed.
    pub(super) instructions: u64,
    /// Steps kept.
    pub(super) steps: usize,
}

/// Most values and origins of one function.
const MOST_VALUES: usize = 400_000;

/// What is said when the budget of a file is spent.
pub(super) const SPENT: &str = "the budget for the file was spent";

impl Budget {
    /// Nothing: for what must not cost anything more.
    pub(super) fn none() -> Self {
        Self { instructions: 0, steps: 0 }
    }

    pub(super) fn spend(&mut self, instructions: u64) -> Result<(), &'static str> {
        self.instructions = self.instructions.checked_sub(instructions).ok_or(SPENT)?;
        Ok(())
    }

    pub(super) fn keep(&mut self, steps: usize) -> Result<(), &'static str> {
        self.steps = self.steps.checked_sub(steps).ok_or(SPENT)?;
        Ok(())
    }

    pub(super) fn check(&self, values: usize) -> Result<(), &'static str> {
        if values > MOST_VALUES { Err("too many values come together in it") } else { Ok(()) }
    }
}
