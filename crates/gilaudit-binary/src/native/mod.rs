//! Machine code as [`gilaudit_model::flow`]: which functions are followed, and what comes out.
//!
//! `x86/` turns instructions into steps; nothing else here knows an architecture.

mod context;
mod fold;
mod select;
mod summary;
mod x86;

use std::collections::{BTreeMap, BTreeSet};

use gilaudit_model::flow::{Code, Function, Looked, Origin, OriginId, Parameter, Static, StepKind, Values};
use gilaudit_model::{Arch, BinaryFacts, BuiltFor, Format, Framework, InitResult, Layout, SlotValue, Slots};

use crate::functions::{Found, Functions, Kind, Known};
use crate::image::{self, Export, Image};
use context::{Budget, Context};

/// Bounds on what is spent on the code of one file.
#[derive(Clone, Copy, Debug)]
pub struct CodeLimits {
    /// Bytes of code that are looked at for calls.
    pub scanned: u64,
    /// Instructions that are followed, each as often as needed.
    pub followed: u64,
    /// Steps that are kept.
    pub steps: usize,
}

impl Default for CodeLimits {
    /// Half a second of one processor, and a quarter of a gigabyte.
    fn default() -> Self {
        Self { scanned: 96 << 20, followed: 6_000_000, steps: 1_200_000 }
    }
}

/// Reads the code of a file whose facts are known. What is not read here says so in [`Looked::nothing`].
pub fn code(bytes: &[u8], facts: &BinaryFacts, limits: &CodeLimits) -> Code {
    let nothing = |why| Code { looked: Looked { nothing: Some(why), ..Looked::default() }, ..Code::default() };
    if facts.format != Format::Elf || facts.arch != Arch::X86_64 {
        return nothing("machine code of this format or architecture is not read");
    }
    let framework = facts.framework.as_ref().map(|made_by| made_by.framework);
    if framework == Some(Framework::PyO3) {
        return nothing("what Rust's libraries do cannot be told from what the author does");
    }
    let Ok(image) = image::open_elf(bytes) else { return nothing("the file cannot be read") };
    if image.cells().incomplete.is_some() {
        return nothing("its relocations cannot be read");
    }
    let known = Known::read(bytes);
    let layout = layout(facts);
    let kind = Kind { free_threaded: layout == Some(Layout::FreeThreaded), framework };
    let mut scanned = limits.scanned;
    let functions = Functions::find(&image, &known, kind, &hooks(&image, facts), &mut scanned);
    let mut looked = Looked { functions: functions.list.len(), ..Looked::default() };
    if functions.cut_short {
        // Without all calls nothing is known to be reached by one thread only.
        looked.nothing = Some("there is more code than the budget allows");
        return Code { looked, ..Code::default() };
    }
    let wanted = select::wanted(&image, &functions, kind);
    follow(&image, &known, &functions, layout, &wanted, limits, looked)
}

fn follow(
    image: &Image<'_>,
    known: &Known<'_>,
    functions: &Functions,
    layout: Option<Layout>,
    wanted: &BTreeSet<usize>,
    limits: &CodeLimits,
    mut looked: Looked,
) -> Code {
    let mut context = Context::new(image, known, functions, layout);
    let mut budget = Budget { instructions: limits.followed, steps: limits.steps };
    let mut followed = Vec::new();
    for found in wanted.iter().filter_map(|index| functions.list.get(*index)) {
        match x86::follow(&mut context, found, &mut budget, false) {
            Ok((blocks, values)) => followed.push(Function {
                at: image.place(found.start),
                symbol: found.symbol.as_deref().map(crate::functions::spoken),
                names: found.names.clone(),
                role: found.role,
                reach: found.reach,
                made_by: found.made_by,
                parameters: found.parameters.clone(),
                blocks,
                values,
            }),
            Err(why) => *looked.not_followed.entry(why).or_default() += 1,
        }
    }
    hand_on(&mut followed, functions);
    let statics = statics(image, known, &followed);
    Code { functions: followed, imports: image.cells().import_names().to_vec(), layout, statics, looked }
}

/// Keyword dicts, arguments and what one call has made, as the callers of a function hand them on.
fn hand_on(followed: &mut [Function], functions: &Functions) {
    for _ in 0..3 {
        let mut given: BTreeMap<(u64, usize), BTreeSet<Parameter>> = BTreeMap::new();
        for function in followed.iter() {
            for step in function.blocks.iter().flat_map(|block| &block.steps) {
                let StepKind::Call { callee: gilaudit_model::flow::Callee::Local(target), arguments, .. } = &step.kind
                else {
                    continue;
                };
                for (index, argument) in arguments.iter().enumerate() {
                    let parameter = parameter(function, &function.values, *argument);
                    given.entry((*target, index)).or_default().insert(parameter);
                }
            }
        }
        let mut changed = false;
        for function in followed.iter_mut().filter(|function| function.names.is_empty()) {
            let Some(found) = functions.at(function.at.address) else { continue };
            function.parameters.resize(6, Parameter::Unknown);
            for (index, known) in function.parameters.iter_mut().enumerate() {
                let Some(all) = given.get(&(found.start, index)) else { continue };
                // Of several, one that nobody shares is enough to be silent about it.
                let private = [Parameter::Keywords, Parameter::Private, Parameter::Arguments];
                let new = private.into_iter().find(|it| all.contains(it)).or_else(|| {
                    let mut all = all.iter();
                    all.next().copied().filter(|_| all.next().is_none())
                });
                let new = new.unwrap_or(Parameter::Unknown);
                changed |= std::mem::replace(known, new) != new;
            }
        }
        if !changed {
            return;
        }
    }
}

/// What a function hands on: one of its own arguments, or something that it has made itself.
fn parameter(function: &Function, values: &Values, value: gilaudit_model::flow::Value) -> Parameter {
    let [term] = values.terms(value) else { return Parameter::Unknown };
    match values.get(term.base) {
        Origin::Parameter(index) if term.offset == Some(0) => {
            function.parameters.get(usize::from(*index)).copied().unwrap_or(Parameter::Unknown)
        }
        Origin::Frame => Parameter::Other,
        _ => Parameter::Unknown,
    }
}

/// The variables that followed functions write.
fn statics(image: &Image<'_>, known: &Known<'_>, followed: &[Function]) -> BTreeMap<u64, Static> {
    let mut statics = BTreeMap::new();
    for function in followed {
        for step in function.blocks.iter().flat_map(|block| &block.steps) {
            let (StepKind::Store { to: place, .. } | StepKind::Update { place, .. }) = &step.kind else { continue };
            for term in function.values.terms(*place) {
                let at = match (term.base, term.offset, function.values.get(term.base)) {
                    (OriginId::IMAGE, Some(at), _) => at.cast_unsigned(),
                    (_, _, Origin::Array(at)) => *at,
                    _ => continue,
                };
                if known.is_writable(image, at) && !statics.contains_key(&at) {
                    let variable = known.variable(at);
                    let symbol = variable.map(|it| (crate::functions::spoken(it.name), at - it.start));
                    statics.insert(at, Static { at: image.place(at), symbol });
                }
            }
        }
    }
    statics
}

/// The layout of objects that a file was compiled for.
fn layout(facts: &BinaryFacts) -> Option<Layout> {
    match facts.abi.built_for {
        BuiltFor::FreeThreaded => Some(Layout::FreeThreaded),
        BuiltFor::Gil => Some(Layout::Gil),
        // The stable ABI does not show the members of objects.
        BuiltFor::Abi3 | BuiltFor::Abi3t | BuiltFor::Unknown => None,
    }
}

/// The functions that run when the module is imported: init functions, and what their slots name.
fn hooks(image: &Image<'_>, facts: &BinaryFacts) -> Vec<u64> {
    let mut hooks: Vec<u64> = facts.hooks.iter().map(|hook| hook.at.address).collect();
    for name in facts.other_hooks.iter() {
        if let Some(Export::Address(address)) = image.export(name) {
            hooks.push(address);
        }
    }
    for run in facts.hooks.iter().flat_map(|hook| &hook.runs) {
        let slots = match &run.result {
            InitResult::MultiPhase(definition) => &definition.slots,
            InitResult::SinglePhase { definition, .. } => &definition.slots,
            InitResult::Export(export) => &export.slots,
            _ => continue,
        };
        if let Slots::Array(slots) = slots {
            hooks.extend(slots.iter().filter_map(|slot| match slot.value {
                SlotValue::Number(at) if image.is_code(at) => Some(at),
                _ => None,
            }));
        }
    }
    hooks
}

/// Whether a function is worth following: for [`select`].
fn is_authors(found: &Found) -> bool {
    use gilaudit_model::flow::MadeBy;
    matches!(found.made_by, MadeBy::Author)
}
