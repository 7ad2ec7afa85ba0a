//! The blocks of a function: what follows what, parts of it elsewhere and jump tables included.

use std::collections::{BTreeSet, HashMap};

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};

use super::super::context::{Budget, Context};
use crate::functions::{Found, Leads};
use crate::image::Cell;

/// Most instructions of one function. Interpreters' loops and generated tables are larger, and left alone.
const MOST_INSTRUCTIONS: usize = 60_000;

/// Most entries of a jump table.
const LONGEST_TABLE: u64 = 1024;

/// How far before an indirect jump its table is looked for, in instructions.
const TABLE_BEFORE: usize = 16;

/// The shape of a function.
pub(super) struct Shape {
    code: Vec<Instruction>,
    pub(super) blocks: Vec<Piece>,
}

/// A block: a range of instructions.
pub(super) struct Piece {
    first: usize,
    end: usize,
    pub(super) successors: Vec<usize>,
    /// Whether it ends in a jump out of the function.
    pub(super) leaves: bool,
}

/// How a block ends.
enum End {
    /// With what comes next.
    Falls,
    /// In some of these.
    To(Vec<u64>),
    /// By leaving the function.
    Leaves,
    /// Nowhere.
    Stops,
}

impl Shape {
    pub(super) fn new(context: &mut Context<'_, '_>, found: &Found, budget: &mut Budget) -> Result<Self, &'static str> {
        let mut explorer = Explorer { context, found, code: HashMap::new(), leaders: BTreeSet::new() };
        explorer.explore(budget)?;
        let Explorer { code: known, leaders, .. } = explorer;
        let ends: HashMap<u64, End> = known.iter().map(|(at, (_, end))| (*at, end.clone_shallow())).collect();
        let mut code: Vec<Instruction> = known.into_values().map(|(instruction, _)| instruction).collect();
        code.sort_unstable_by_key(Instruction::ip);
        // The function begins where it begins, wherever its parts are.
        let mut order: Vec<u64> = vec![found.start];
        order.extend(leaders.iter().copied().filter(|leader| *leader != found.start));
        let numbers: HashMap<u64, usize> = order.iter().enumerate().map(|(number, leader)| (*leader, number)).collect();
        let mut blocks = Vec::with_capacity(order.len());
        for leader in &order {
            let first = code.partition_point(|instruction| instruction.ip() < *leader);
            let mut end = first;
            let mut piece = Piece { first, end, successors: Vec::new(), leaves: false };
            while let Some(instruction) = code.get(end) {
                end += 1;
                let next = instruction.next_ip();
                let how = ends.get(&instruction.ip());
                let follow = |targets: &[u64]| targets.iter().filter_map(|to| numbers.get(to).copied()).collect();
                match how {
                    Some(End::To(targets)) => piece.successors = follow(targets),
                    Some(End::Leaves) => piece.leaves = true,
                    Some(End::Stops) => {}
                    // What follows is a block of its own.
                    Some(End::Falls) | None if leaders.contains(&next) => piece.successors = follow(&[next]),
                    Some(End::Falls) | None => {
                        // Whatever could not be decoded ends it.
                        if code.get(end).is_some_and(|following| following.ip() == next) {
                            continue;
                        }
                    }
                }
                break;
            }
            piece.end = end;
            piece.successors.dedup();
            blocks.push(piece);
        }
        Ok(Self { code, blocks })
    }

    pub(super) fn instructions(&self, block: &Piece) -> &[Instruction] {
        self.code.get(block.first..block.end).unwrap_or_default()
    }
}

impl End {
    fn clone_shallow(&self) -> Self {
        match self {
            Self::Falls => Self::Falls,
            Self::To(targets) => Self::To(targets.clone()),
            Self::Leaves => Self::Leaves,
            Self::Stops => Self::Stops,
        }
    }
}

struct Explorer<'c, 'i, 'd> {
    context: &'c mut Context<'i, 'd>,
    found: &'c Found,
    code: HashMap<u64, (Instruction, End)>,
    leaders: BTreeSet<u64>,
}

impl Explorer<'_, '_, '_> {
    fn explore(&mut self, budget: &mut Budget) -> Result<(), &'static str> {
        let mut work = vec![self.found.start];
        while let Some(leader) = work.pop() {
            if !self.leaders.insert(leader) {
                continue;
            }
            let image = self.context.image;
            let bytes = image.bytes_from(leader).unwrap_or_default();
            let mut decoder = Decoder::with_ip(64, bytes, leader, DecoderOptions::NONE);
            let mut run: Vec<Instruction> = Vec::new();
            while decoder.can_decode() {
                let at = decoder.ip();
                if self.code.contains_key(&at) {
                    // Code that is known already goes on from here.
                    if at != leader {
                        self.leaders.insert(at);
                    }
                    break;
                }
                let instruction = decoder.decode();
                if instruction.is_invalid() {
                    break;
                }
                budget.spend(1)?;
                if self.code.len() >= MOST_INSTRUCTIONS {
                    return Err("it is too long");
                }
                let end = self.end(&instruction, &run);
                let targets = if let End::To(targets) = &end { targets.clone() } else { Vec::new() };
                let falls = matches!(end, End::Falls);
                run.push(instruction);
                self.code.insert(at, (instruction, end));
                work.extend(targets);
                if !falls {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Whether a jump to this address stays in the function.
    fn is_own(&self, target: u64) -> bool {
        (self.found.start..self.found.end).contains(&target) || self.context.functions.parts.contains(&target) || {
            // From a part of it back, or within the part.
            let at = self.context.functions.list.partition_point(|found| found.start <= target).checked_sub(1);
            let around = at.and_then(|index| self.context.functions.list.get(index));
            around.is_some_and(|around| target < around.end && self.context.functions.parts.contains(&around.start))
        }
    }

    fn end(&mut self, instruction: &Instruction, before: &[Instruction]) -> End {
        match instruction.flow_control() {
            FlowControl::Next | FlowControl::XbeginXabortXend => End::Falls,
            FlowControl::ConditionalBranch => {
                let target = instruction.near_branch_target();
                let mut targets = vec![instruction.next_ip()];
                if self.is_own(target) {
                    targets.push(target);
                }
                End::To(targets)
            }
            FlowControl::UnconditionalBranch => {
                let target = instruction.near_branch_target();
                if self.is_own(target) { End::To(vec![target]) } else { End::Leaves }
            }
            FlowControl::IndirectBranch => match self.table(instruction, before) {
                Some(targets) => End::To(targets),
                None => End::Leaves,
            },
            FlowControl::Call | FlowControl::IndirectCall => {
                if self.never_returns(instruction) {
                    End::Stops
                } else {
                    End::Falls
                }
            }
            FlowControl::Return => End::Leaves,
            FlowControl::Interrupt | FlowControl::Exception => End::Stops,
        }
    }

    fn never_returns(&mut self, instruction: &Instruction) -> bool {
        let import = if instruction.flow_control() == FlowControl::Call {
            match self.context.stubs.leads(self.context.image, instruction.near_branch_target()) {
                Leads::Import(import) => import,
                Leads::Here => return false,
            }
        } else if instruction.is_ip_rel_memory_operand() {
            match self.context.image.cells().get(instruction.ip_rel_memory_address()) {
                Some(Cell::Import(import, _)) => import,
                _ => return false,
            }
        } else {
            return false;
        };
        gilaudit_model::capi::never_returns(self.context.image.cells().import_name(import))
    }

    /// The targets of `jmp reg` through a table of distances in read-only data:
    /// `lea b,[rip+table]; movsxd r,[b+i*4]; add r,b; jmp r`.
    fn table(&self, jump: &Instruction, before: &[Instruction]) -> Option<Vec<u64>> {
        if jump.op0_kind() != OpKind::Register {
            return None;
        }
        let window = before.get(before.len().saturating_sub(TABLE_BEFORE)..)?;
        let load = window.iter().rev().find(|it| {
            matches!(it.mnemonic(), Mnemonic::Movsxd)
                && it.memory_index() != Register::None
                && it.memory_index_scale() == 4
        })?;
        let base = load.memory_base();
        // The base is often put into its register long before the jump.
        let lea = |it: &Instruction| {
            it.mnemonic() == Mnemonic::Lea && it.op0_register() == base && it.is_ip_rel_memory_operand()
        };
        let table = match before.iter().rev().find(|it| lea(it)) {
            Some(lea) => lea.ip_rel_memory_address(),
            None => self
                .code
                .values()
                .map(|(it, _)| it)
                .filter(|it| lea(it))
                .map(Instruction::ip_rel_memory_address)
                .max()?,
        };
        let image = self.context.image;
        if image.segment(table).is_none_or(|segment| segment.writable) {
            return None;
        }
        let bound = window.iter().rev().chain(before.iter().rev()).find(|it| it.mnemonic() == Mnemonic::Cmp);
        let bound = bound.filter(|it| it.op1_kind() != OpKind::Register && it.op1_kind() != OpKind::Memory);
        let count = bound.map_or(LONGEST_TABLE, |it| it.immediate(1).saturating_add(1)).min(LONGEST_TABLE);
        let mut targets = Vec::new();
        for index in 0..count {
            let distance = image.number(table.checked_add(index * 4)?, 4)? as u32;
            let target = table.wrapping_add_signed(i64::from(distance.cast_signed()));
            if !self.is_own(target) {
                break;
            }
            targets.push(target);
        }
        targets.sort_unstable();
        targets.dedup();
        (!targets.is_empty()).then_some(targets)
    }
}
