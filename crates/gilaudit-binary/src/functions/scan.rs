//! One pass over the instructions of every function: whom it calls, whose address it takes, and whether it does anything that rules
//! ask about.

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};

use super::Found;
use super::elf::Known;
use crate::image::{Cell, Image};

/// What a scan of a function saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Functions of this file that it calls, sorted.
    pub(crate) calls: Vec<u64>,
    /// Code outside it that it jumps to whatever happens, sorted.
    pub(crate) jumps: Vec<u64>,
    /// Code outside it that it jumps to, sorted.
    pub(crate) branches: Vec<u64>,
    /// Code whose address it takes, sorted.
    pub(crate) taken: Vec<u64>,
    /// Imports that it calls, sorted.
    pub(crate) imports: Vec<u32>,
    /// Whether it writes to a variable of the process, or takes the address of one and writes somewhere.
    pub(crate) writes_static: bool,
    /// How many bytes of instructions it has.
    pub(crate) length: u64,
}

/// Scans all functions. Whether the budget, in bytes of code, was enough.
pub(super) fn all(image: &Image<'_>, known: &Known<'_>, list: &mut [Found], budget: &mut u64) -> bool {
    let mut stubs = Stubs::default();
    let mut enough = true;
    for found in list.iter_mut() {
        let length = found.end.saturating_sub(found.start);
        match budget.checked_sub(length) {
            Some(left) => *budget = left,
            None => {
                enough = false;
                continue;
            }
        }
        found.seen = one(image, known, found.start, found.end, &mut stubs);
    }
    enough
}

/// What the code at an address stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leads {
    /// Itself.
    Here,
    /// The import that it jumps on to.
    Import(u32),
}

/// Code that only jumps on to an import, by address, as met so far.
#[derive(Default)]
pub(crate) struct Stubs {
    known: std::collections::HashMap<u64, Leads, foldhash::fast::FixedState>,
}

impl Stubs {
    /// Where a call of `target` leads.
    pub(crate) fn leads(&mut self, image: &Image<'_>, target: u64) -> Leads {
        if let Some(known) = self.known.get(&target) {
            return *known;
        }
        let leads = stub(image, target).unwrap_or(Leads::Here);
        self.known.insert(target, leads);
        leads
    }
}

/// `[endbr64] [bnd] jmp [rip+got]`
fn stub(image: &Image<'_>, target: u64) -> Option<Leads> {
    if !image.is_stub(target) && image.byte(target)? != 0xff && image.byte(target)? != 0xf3 {
        return None;
    }
    let bytes = image.bytes_from(target)?;
    let mut decoder = Decoder::with_ip(64, bytes.get(..bytes.len().min(24))?, target, DecoderOptions::NONE);
    for _ in 0..2 {
        let instruction = decoder.decode();
        match instruction.flow_control() {
            FlowControl::IndirectBranch if instruction.is_ip_rel_memory_operand() => {
                let Cell::Import(import, 0) = image.cells().get(instruction.ip_rel_memory_address())? else {
                    return None;
                };
                return Some(Leads::Import(import));
            }
            FlowControl::Next if instruction.mnemonic() == Mnemonic::Endbr64 => {}
            _ => return None,
        }
    }
    None
}

fn one(image: &Image<'_>, known: &Known<'_>, start: u64, end: u64, stubs: &mut Stubs) -> Seen {
    let mut seen = Seen { length: end.saturating_sub(start), ..Seen::default() };
    let bytes = image.bytes_from(start).unwrap_or_default();
    let length = usize::try_from(seen.length).unwrap_or(usize::MAX).min(bytes.len());
    let mut decoder = Decoder::with_ip(64, bytes.get(..length).unwrap_or_default(), start, DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    let (mut takes_static, mut stores) = (false, false);
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        match instruction.flow_control() {
            FlowControl::Call => direct(image, instruction.near_branch_target(), stubs, &mut seen, true),
            FlowControl::UnconditionalBranch => {
                let target = instruction.near_branch_target();
                if !(start..end).contains(&target) {
                    direct(image, target, stubs, &mut seen, false);
                    seen.branches.push(target);
                }
            }
            FlowControl::ConditionalBranch => {
                let target = instruction.near_branch_target();
                if !(start..end).contains(&target) {
                    seen.branches.push(target);
                    seen.jumps.push(target);
                }
            }
            FlowControl::IndirectCall | FlowControl::IndirectBranch if instruction.is_ip_rel_memory_operand() => {
                match image.cells().get(instruction.ip_rel_memory_address()) {
                    Some(Cell::Import(import, 0)) => seen.imports.push(import),
                    Some(Cell::Address(target)) => seen.calls.push(target),
                    _ => {}
                }
            }
            FlowControl::Next => {
                let mnemonic = instruction.mnemonic();
                let is_memory = instruction.op0_kind() == OpKind::Memory;
                if instruction.is_ip_rel_memory_operand() {
                    let place = instruction.ip_rel_memory_address();
                    if mnemonic == Mnemonic::Lea || !is_memory {
                        let target = match image.cells().get(place) {
                            // The address of something of this file, taken through the global offset table.
                            Some(Cell::Address(target)) if mnemonic != Mnemonic::Lea => target,
                            _ => place,
                        };
                        if image.is_code(target) {
                            seen.taken.push(target);
                        } else if mnemonic == Mnemonic::Lea && known.is_writable(image, place) {
                            takes_static = true;
                        }
                    } else if writes(mnemonic) && known.is_writable(image, place) {
                        seen.writes_static = true;
                    }
                } else if is_memory
                    && writes(mnemonic)
                    && !matches!(instruction.memory_base(), Register::RSP | Register::RBP)
                {
                    stores = true;
                }
            }
            _ => {}
        }
    }
    seen.writes_static |= takes_static && stores;
    for list in [&mut seen.calls, &mut seen.jumps, &mut seen.branches, &mut seen.taken] {
        list.sort_unstable();
        list.dedup();
    }
    seen.imports.sort_unstable();
    seen.imports.dedup();
    seen
}

fn direct(image: &Image<'_>, target: u64, stubs: &mut Stubs, seen: &mut Seen, call: bool) {
    match stubs.leads(image, target) {
        Leads::Import(import) => seen.imports.push(import),
        Leads::Here if call => seen.calls.push(target),
        Leads::Here => seen.jumps.push(target),
    }
}

/// Whether an instruction whose first operand is memory writes there.
fn writes(mnemonic: Mnemonic) -> bool {
    !matches!(
        mnemonic,
        Mnemonic::Cmp
            | Mnemonic::Test
            | Mnemonic::Push
            | Mnemonic::Nop
            | Mnemonic::Bt
            | Mnemonic::Mul
            | Mnemonic::Imul
            | Mnemonic::Div
            | Mnemonic::Idiv
            | Mnemonic::Prefetcht0
            | Mnemonic::Prefetcht1
            | Mnemonic::Prefetcht2
            | Mnemonic::Prefetchnta
            | Mnemonic::Prefetchw
            | Mnemonic::Fld
            | Mnemonic::Fild
            | Mnemonic::Fadd
            | Mnemonic::Fmul
            | Mnemonic::Ldmxcsr
            | Mnemonic::Fldcw
    )
}
