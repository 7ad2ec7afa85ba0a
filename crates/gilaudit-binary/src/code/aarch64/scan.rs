//! One instruction at a time for summaries: where control goes, and which addresses are formed.

use yaxpeax_arm::armv8::a64::{Instruction, Opcode, Operand, ShiftStyle, SizeCode};

use super::decode::{
    Access, Decoded, LENGTH, access, decode, is_indirect_call, is_indirect_jump, is_return, is_trap, written,
    written_base,
};
use super::{CLOBBERED, LINK};
use crate::code::summary::{Flow, Scanned, Target};
use crate::image::{Cell, Image};

/// What is known of a register from the instructions before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Held {
    #[default]
    Anything,
    /// An address: from `adrp` and what was added to it.
    Address(u64),
    /// What is in memory at this place.
    Loaded(u64),
    /// Zero: the status of an exclusive store, which succeeds.
    Zero,
}

/// The addresses that the code before put into registers.
#[derive(Clone, Debug, Default)]
pub(in crate::code) struct Pages([Held; 32]);

impl Pages {
    fn get(&self, register: usize) -> Held {
        self.0.get(register).copied().unwrap_or_default()
    }

    fn set(&mut self, register: usize, held: Held) {
        if let Some(place) = self.0.get_mut(register) {
            *place = held;
        }
    }

    /// The address that a register holds; a pointer that the loader puts into the file's own memory counts.
    fn address(&self, image: &Image<'_>, register: usize) -> Option<u64> {
        match self.get(register) {
            Held::Address(address) => Some(address),
            Held::Loaded(place) => match image.cells().get(place) {
                Some(Cell::Address(address)) => Some(address),
                _ => None,
            },
            Held::Anything | Held::Zero => None,
        }
    }

    fn target(&self, operand: Operand) -> Target {
        let Operand::Register(_, register) = operand else { return Target::Unknown };
        match self.get(usize::from(register)) {
            Held::Address(address) => Target::Address(address),
            Held::Loaded(place) => Target::Through(place),
            Held::Anything | Held::Zero => Target::Unknown,
        }
    }
}

/// The target of a branch.
pub(super) fn relative(at: u64, operand: Operand) -> Option<u64> {
    match operand {
        Operand::PCOffset(offset) => Some(at.wrapping_add_signed(offset)),
        _ => None,
    }
}

/// What `adr` and `adrp` form.
pub(super) fn formed(at: u64, instruction: &Instruction) -> Option<u64> {
    let base = if instruction.opcode == Opcode::ADRP { at & !0xfff } else { at };
    relative(base, instruction.operands[1])
}

/// One instruction.
pub(in crate::code) fn scan(image: &Image<'_>, at: u64, pages: &mut Pages) -> Option<Scanned> {
    let next = at.wrapping_add(LENGTH);
    let instruction = match decode(image, at)? {
        Decoded::Instruction(instruction) => instruction,
        Decoded::Vector(register) => {
            pages.set(register, Held::Anything);
            return Some(Scanned { next, flow: Flow::Next, mentions: None, reads: true });
        }
    };
    let [first, second, ..] = instruction.operands;
    let direct = || relative(at, first).map_or(Target::Unknown, Target::Address);
    let flow = match instruction.opcode {
        Opcode::B => Flow::Jump(direct()),
        Opcode::BL => Flow::Call(direct()),
        Opcode::Bcc(14 | 15) => Flow::Jump(direct()),
        Opcode::Bcc(_) | Opcode::BCcc(_) => Flow::Branch(relative(at, first)?),
        Opcode::CBZ | Opcode::CBNZ => {
            let held = match first {
                Operand::Register(_, 31) => Held::Zero,
                Operand::Register(_, register) => pages.get(usize::from(register)),
                _ => Held::Anything,
            };
            match (held, instruction.opcode) {
                (Held::Zero, Opcode::CBNZ) => Flow::Next,
                (Held::Zero, _) => Flow::Jump(relative(at, second).map_or(Target::Unknown, Target::Address)),
                _ => Flow::Branch(relative(at, second)?),
            }
        }
        Opcode::TBZ | Opcode::TBNZ => Flow::Branch(relative(at, instruction.operands[2])?),
        opcode if is_indirect_jump(opcode) => Flow::Jump(pages.target(first)),
        opcode if is_indirect_call(opcode) => Flow::Call(pages.target(first)),
        opcode if is_return(opcode) => Flow::Return,
        opcode if is_trap(opcode) => Flow::Stop,
        _ => Flow::Next,
    };
    let mentions = note(image, at, &instruction, pages);
    let reads = matches!(access(instruction.opcode), Some(Access::Load { .. } | Access::LoadPair { .. }));
    if matches!(flow, Flow::Call(_)) {
        for register in CLOBBERED.into_iter().chain([LINK]) {
            pages.set(register, Held::Anything);
        }
    }
    Some(Scanned { next, flow, mentions, reads })
}

/// Follows addresses through registers. The address that the instruction forms or accesses.
fn note(image: &Image<'_>, at: u64, instruction: &Instruction, pages: &mut Pages) -> Option<u64> {
    let [first, second, third, _] = instruction.operands;
    let base = |operand: Operand| match operand {
        Operand::RegisterOrSP(SizeCode::X, register) => pages.address(image, usize::from(register)),
        _ => None,
    };
    let accessed = instruction.operands.iter().find_map(|operand| match *operand {
        Operand::RegPreIndex(register, offset, _) => {
            Some(pages.address(image, usize::from(register))?.wrapping_add_signed(i64::from(offset)))
        }
        Operand::RegPostIndex(register, _)
        | Operand::RegPostIndexReg(register, _)
        | Operand::RegRegOffset(register, ..) => pages.address(image, usize::from(register)),
        Operand::PCOffset(offset) if access(instruction.opcode).is_some() => Some(at.wrapping_add_signed(offset)),
        _ => None,
    });
    let fixed = matches!(instruction.operands[1], Operand::RegPreIndex(..) | Operand::PCOffset(_));
    let (held, formed) = match instruction.opcode {
        Opcode::ADR | Opcode::ADRP => {
            let address = formed(at, instruction)?;
            // A page by itself is no address yet.
            let whole = (instruction.opcode == Opcode::ADR).then_some(address);
            (Held::Address(address), whole)
        }
        Opcode::ADD | Opcode::SUB => {
            let sum = base(second).and_then(|base| {
                let offset = immediate(third)?;
                Some(if instruction.opcode == Opcode::ADD {
                    base.wrapping_add(offset)
                } else {
                    base.wrapping_sub(offset)
                })
            });
            (sum.map_or(Held::Anything, Held::Address), sum)
        }
        Opcode::ORR => match (second, third) {
            (Operand::Register(_, 31), Operand::RegShift(ShiftStyle::LSL, 0, SizeCode::X, source)) if source != 31 => {
                (pages.get(usize::from(source)), None)
            }
            _ => (Held::Anything, None),
        },
        opcode => match (access(opcode), first, accessed) {
            (Some(Access::Load { width: 0, .. }), Operand::Register(SizeCode::X, _), Some(place)) if fixed => {
                (Held::Loaded(place), None)
            }
            (Some(Access::StoreExclusive { .. } | Access::StoreExclusivePair), ..) => (Held::Zero, None),
            _ => (Held::Anything, None),
        },
    };
    let [result, other] = written(instruction);
    let changed = written_base(instruction);
    for register in [other, changed].into_iter().flatten() {
        pages.set(register, Held::Anything);
    }
    if let Some(result) = result {
        pages.set(result, held);
    }
    formed.or(accessed)
}

/// The number that an immediate operand stands for.
pub(super) fn immediate(operand: Operand) -> Option<u64> {
    match operand {
        Operand::Immediate(number) => Some(u64::from(number)),
        Operand::Imm64(number) => Some(number),
        Operand::Imm16(number) => Some(u64::from(number)),
        Operand::ImmShift(number, shift) => Some(u64::from(number).checked_shl(u32::from(shift)).unwrap_or(0)),
        _ => None,
    }
}
