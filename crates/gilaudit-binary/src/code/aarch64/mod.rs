//! AArch64.
//!
//! Section numbers of the architecture are those of the Arm Architecture Reference Manual for A-profile.

mod arithmetic;
mod decode;
mod scan;
#[cfg(test)]
mod tests;
mod transfer;
mod vector;

use yaxpeax_arm::armv8::a64::{Instruction, Opcode, Operand, ShiftStyle, SizeCode};

use super::bits::{self, Bits};
use super::path::{Condition, Flags, Path, Test};
use super::value::Value;
use super::{Engine, Step};
use crate::image::Cell;
use decode::{
    Decoded, LENGTH, decode, is_idle, is_indirect_call, is_indirect_jump, is_return, is_trap, sets_flags, size, written,
};
use gilaudit_model::Format;
pub(super) use scan::{Pages, scan};
use scan::{immediate, relative};

pub(super) const SP: usize = 31;
pub(super) const LINK: usize = 30;
/// Where a caller wants a structure that a function returns: AAPCS64 6.9.
pub(super) const INDIRECT_RESULT: usize = 8;
/// AAPCS64: x0 to x18.
pub(super) const CLOBBERED: [usize; 19] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18];
/// Windows keeps the address of the thread's control block here, and everybody leaves the register alone.
const PLATFORM: usize = 18;

/// `TPIDR_EL0` and `TPIDRRO_EL0`, as `mrs` encodes them.
const THREAD_REGISTERS: [u16; 2] = [0x5e82, 0x5e83];
/// `sub sp, sp, x15, uxtx #4`: what follows a call of Windows' `__chkstk`, which touches the new pages of the stack and changes
/// x16, x17 and flags only.
const TAKE_PROBED_STACK: u32 = 0xcb2f_73ff;

/// Executes the instruction at the program counter.
pub(super) fn step(engine: &mut Engine<'_, '_>, path: &mut Path) -> Step {
    let at = path.pc;
    let Some(decoded) = decode(engine.image, at) else { return Step::Stop };
    path.pc = at.wrapping_add(LENGTH);
    match decoded {
        Decoded::Instruction(instruction) => {
            Machine { engine, path, instruction: &instruction, opcode: instruction.opcode, at }.execute()
        }
        Decoded::Vector(register) => {
            if register != SP {
                path.set_register(register, Value::Unknown);
            }
            path.vectors = [[Value::Unknown; 4]; 32];
            path.flags = Flags::Unknown;
            Step::Next
        }
    }
}

struct Machine<'m, 'i, 'd> {
    engine: &'m mut Engine<'i, 'd>,
    path: &'m mut Path,
    instruction: &'m Instruction,
    opcode: Opcode,
    at: u64,
}

impl Machine<'_, '_, '_> {
    fn execute(&mut self) -> Step {
        let next = self.path.pc;
        match self.opcode {
            Opcode::B => match relative(self.at, self.operand(0)) {
                Some(target) => Step::Jump(Value::Known(target)),
                None => Step::Stop,
            },
            Opcode::BL => match relative(self.at, self.operand(0)) {
                Some(_) if self.probes_stack() => Step::Next,
                Some(target) => Step::Call { target: Value::Known(target), return_to: next },
                None => Step::Stop,
            },
            Opcode::Bcc(code) | Opcode::BCcc(code) => self.branch(self.condition(code), 0),
            Opcode::CBZ | Opcode::CBNZ => {
                let condition = Condition::compare(Test::Equal, self.read(0), Value::ZERO, self.width(0));
                self.branch(if self.opcode == Opcode::CBNZ { condition.negate() } else { condition }, 1)
            }
            Opcode::TBZ | Opcode::TBNZ => {
                let set = self.bit_set();
                self.branch(if self.opcode == Opcode::TBZ { set.negate() } else { set }, 2)
            }
            opcode if is_indirect_jump(opcode) => Step::Jump(self.read(0)),
            opcode if is_indirect_call(opcode) => self.call(next),
            Opcode::RET => Step::Return { to: self.read(0) },
            opcode if is_return(opcode) => Step::Return { to: self.path.register(LINK) },
            opcode if is_trap(opcode) => Step::Stop,
            Opcode::CSEL | Opcode::CSINC | Opcode::CSINV | Opcode::CSNEG => self.select(),
            Opcode::CCMP | Opcode::CCMN => self.conditional_compare(),
            Opcode::UBFM | Opcode::SBFM if self.sign().is_some() => self.take_sign(),
            _ => {
                self.compute();
                Step::Next
            }
        }
    }

    fn branch(&self, condition: Condition, target: usize) -> Step {
        match relative(self.at, self.operand(target)) {
            Some(target) => Step::Branch { condition, target },
            None => Step::Stop,
        }
    }

    /// Whether this call only makes sure that there is stack to take.
    fn probes_stack(&self) -> bool {
        let next = self.engine.image.bytes_from(self.path.pc).and_then(|bytes| bytes.first_chunk().copied());
        self.engine.image.format == Format::Pe && next.map(u32::from_le_bytes) == Some(TAKE_PROBED_STACK)
    }

    fn call(&mut self, return_to: u64) -> Step {
        let target = self.read(0);
        // A TLS descriptor's function takes its address in x0 and returns the variable's offset from the thread pointer there,
        // leaving everything else alone. ELF for the Arm 64-bit architecture, "TLS descriptors".
        if let (Value::Known(function), Value::Known(descriptor)) = (target, self.path.register(0))
            && let Some(Cell::ThreadDescriptor(_)) = self.engine.image.cells().get(descriptor)
            && self.engine.image_number(descriptor, 8) == Some(function)
        {
            self.path.set_register(0, Value::Known(function));
            return Step::Next;
        }
        Step::Call { target, return_to }
    }

    /// The condition of a branch on one bit of operand 0.
    fn bit_set(&self) -> Condition {
        let Some(bit) = immediate(self.operand(1)) else { return Condition::Unknown };
        let value = self.read(0);
        match Bits::of(value, self.width(0)).bit(u32::try_from(bit).unwrap_or(64)) {
            Some(set) => Condition::Always(set),
            None if bit == 31 => Condition::compare(Test::Less, value, Value::ZERO, 4),
            None if bit == 63 => Condition::compare(Test::Less, value, Value::ZERO, 8),
            None => Condition::Unknown,
        }
    }

    /// What a condition code tests, given the last flag-setting instruction. The carry of a subtraction is set when nothing is
    /// borrowed. C1.2.4.
    fn condition(&self, code: u8) -> Condition {
        let condition = match (self.path.flags, code & 0b1110) {
            (_, 0b1110) => return Condition::Always(true),
            (Flags::Exact { zero, sign, carry, overflow }, kind) => Condition::Always(match kind {
                0b0000 => zero,
                0b0010 => carry,
                0b0100 => sign,
                0b0110 => overflow,
                0b1000 => carry && !zero,
                0b1010 => sign == overflow,
                _ => sign == overflow && !zero,
            }),
            (Flags::Subtract { a, b, width }, kind) => match kind {
                0b0000 => Condition::compare(Test::Equal, a, b, width),
                0b0010 => Condition::compare(Test::Below, a, b, width).negate(),
                0b0100 => Condition::compare(Test::Negative, a, b, width),
                0b1000 => Condition::compare(Test::BelowEqual, a, b, width).negate(),
                0b1010 => Condition::compare(Test::Less, a, b, width).negate(),
                0b1100 => Condition::compare(Test::LessEqual, a, b, width).negate(),
                _ => Condition::Unknown,
            },
            (Flags::Logic { result, width }, kind) => match kind {
                0b0000 => Condition::compare(Test::Equal, result, Value::ZERO, width),
                0b0100 => Condition::compare(Test::Less, result, Value::ZERO, width),
                0b1010 => Condition::compare(Test::Less, result, Value::ZERO, width).negate(),
                0b1100 => Condition::compare(Test::LessEqual, result, Value::ZERO, width).negate(),
                // Carry and overflow are clear.
                _ => Condition::Always(false),
            },
            (Flags::Result { result, width }, kind) => match kind {
                0b0000 => Condition::compare(Test::Equal, result, Value::ZERO, width),
                0b0100 => Condition::compare(Test::Less, result, Value::ZERO, width),
                _ => Condition::Unknown,
            },
            (Flags::Unknown, _) => Condition::Unknown,
        };
        if code & 1 == 1 { condition.negate() } else { condition }
    }

    /// Whether a path that takes one side of the condition knows from then on which it took.
    fn is_remembered(&self, condition: &Condition) -> bool {
        let Condition::Compare { a, b, .. } = *condition else { return false };
        let sides = [true, false].map(|truth| {
            let mut side = Path::new(self.at);
            for value in [a, b] {
                if let Value::Symbol(id, _) = value
                    && let Some(fact) = self.path.facts.get(&id)
                {
                    side.facts.insert(id, fact);
                }
            }
            side.assume(condition, truth);
            side.decide(condition)
        });
        sides == [Some(true), Some(false)]
    }

    /// `csel` and the like: operand 1, or operand 2 changed somehow. Both are followed when the condition is not known, since one of
    /// them may be what the function returns.
    fn select(&mut self) -> Step {
        let Operand::ConditionCode(code) = self.operand(3) else { return Step::Stop };
        let condition = self.condition(code);
        let width = self.width(0);
        let (holds, fails) = (self.read(1), self.read(2));
        let fails = match self.opcode {
            Opcode::CSINC => fails.add(Value::Known(1)),
            Opcode::CSINV => Bits::of(fails, width).not().value(),
            Opcode::CSNEG => Value::ZERO.sub(fails),
            _ => fails,
        }
        .truncate(width);
        match self.path.decide(&condition) {
            Some(truth) => self.write(0, if truth { holds } else { fails }),
            None if holds == fails => self.write(0, holds),
            None if self.opcode == Opcode::CSEL || self.is_remembered(&condition) => {
                return self.choose(condition, holds, fails);
            }
            None => self.write(0, Value::Unknown),
        }
        Step::Next
    }

    /// Operand 0 becomes one of two values.
    fn choose(&self, condition: Condition, holds: Value, fails: Value) -> Step {
        match self.operand(0) {
            Operand::Register(_, register) if register != 31 => {
                Step::Select { condition, register: usize::from(register), holds, fails }
            }
            _ => Step::Next,
        }
    }

    /// `ccmp`, `ccmn`: compares if the condition holds, else sets the flags to what the instruction says.
    fn conditional_compare(&mut self) -> Step {
        let Operand::ConditionCode(code) = self.operand(3) else { return Step::Stop };
        let condition = self.condition(code);
        let width = self.width(0);
        match self.path.decide(&condition) {
            Some(true) => {
                let (a, b) = (self.read(0), self.read(1).truncate(width));
                self.path.flags = if self.opcode == Opcode::CCMP {
                    Flags::Subtract { a, b, width }
                } else {
                    arithmetic::flags_of_sum(a, b, width)
                };
            }
            Some(false) => {
                let flags = immediate(self.operand(2)).unwrap_or(0);
                let bit = |index: u32| flags >> index & 1 == 1;
                self.path.flags = Flags::Exact { zero: bit(2), sign: bit(3), carry: bit(1), overflow: bit(0) };
            }
            // Followed both ways as if it were a branch to itself, which is taken or not by then.
            None if self.is_remembered(&condition) => {
                self.path.pc = self.at;
                return Step::Branch { condition, target: self.at };
            }
            None => self.path.flags = Flags::Unknown,
        }
        Step::Next
    }

    // Operands.

    fn operand(&self, index: usize) -> Operand {
        self.instruction.operands.get(index).copied().unwrap_or(Operand::Nothing)
    }

    /// The width of a register operand in bytes.
    fn width(&self, operand: usize) -> u8 {
        match self.operand(operand) {
            Operand::Register(code, _) | Operand::RegisterOrSP(code, _) | Operand::RegisterPair(code, _) => size(code),
            _ => 8,
        }
    }

    /// A general register by number; 31 is the stack pointer.
    fn register(&self, register: usize) -> Value {
        if register == PLATFORM && self.engine.image.format == Format::Pe {
            return Value::Known(self.engine.space.thread_pointer());
        }
        self.path.register(register)
    }

    fn register_or_zero(&self, register: u16) -> Value {
        if register == 31 { Value::ZERO } else { self.register(usize::from(register)) }
    }

    fn read(&self, operand: usize) -> Value {
        match self.operand(operand) {
            Operand::Register(code, register) => self.register_or_zero(register).truncate(size(code)),
            Operand::RegisterOrSP(code, register) => self.register(usize::from(register)).truncate(size(code)),
            Operand::RegShift(style, amount, code, register) => {
                shifted(self.register_or_zero(register), style, u32::from(amount), code)
            }
            other => immediate(other).map_or(Value::Unknown, Value::Known),
        }
    }

    /// Writes a general register; writing its lower half clears the upper one.
    fn write(&mut self, operand: usize, value: Value) {
        let (code, register) = match self.operand(operand) {
            Operand::Register(_, 31) => return,
            Operand::Register(code, register) | Operand::RegisterOrSP(code, register) => (code, register),
            _ => return,
        };
        self.path.set_register(usize::from(register), value.truncate(size(code)));
    }

    // Instructions.

    fn compute(&mut self) {
        if is_idle(self.opcode) || self.vector() || self.transfer() || self.arithmetic() {
            return;
        }
        match self.opcode {
            Opcode::ADR | Opcode::ADRP => {
                let value = scan::formed(self.at, self.instruction).map_or(Value::Unknown, Value::Known);
                self.write(0, value);
            }
            Opcode::MRS => {
                let value = match self.operand(1) {
                    Operand::SystemReg(register) if THREAD_REGISTERS.contains(&register) => {
                        Value::Known(self.engine.space.thread_pointer())
                    }
                    _ => Value::Unknown,
                };
                self.write(0, value);
            }
            _ => self.unmodelled(),
        }
    }

    /// An instruction whose result is not computed: everything that it writes is unknown afterwards.
    fn unmodelled(&mut self) {
        for register in written(self.instruction).into_iter().flatten() {
            self.path.set_register(register, Value::Unknown);
        }
        for operand in self.instruction.operands {
            match operand {
                // Only the first can be the result, but several registers may be loaded.
                Operand::SIMDRegisterGroup(_, first, _, count) | Operand::SIMDRegisterGroupLane(first, _, count, _) => {
                    for index in 0..u16::from(count) {
                        self.path.set_vector(usize::from((first + index) % 32), [Value::Unknown; 4]);
                    }
                }
                _ => {}
            }
        }
        if let Some(register) = vector::register(self.operand(0)) {
            self.path.set_vector(register, [Value::Unknown; 4]);
        }
        if sets_flags(self.opcode) {
            self.path.flags = Flags::Unknown;
        }
        self.forget_stored();
    }
}

/// A shifted or extended register. Shifting left may leave bits above the width of the instruction.
fn shifted(value: Value, style: ShiftStyle, amount: u32, code: SizeCode) -> Value {
    let width = size(code);
    let value = value.truncate(width);
    let bits = Bits::of(value, width);
    match style {
        ShiftStyle::LSL | ShiftStyle::UXTW | ShiftStyle::UXTX | ShiftStyle::SXTX if amount == 0 => value,
        ShiftStyle::LSL | ShiftStyle::UXTW | ShiftStyle::UXTX | ShiftStyle::SXTX => bits.left(amount).value(),
        ShiftStyle::SXTW if amount == 0 => value.sign_extended(4),
        ShiftStyle::SXTW => bits.sign_extended(4).left(amount).value(),
        ShiftStyle::UXTB => bits.keep(0xff).left(amount).value(),
        ShiftStyle::UXTH => bits.keep(0xffff).left(amount).value(),
        ShiftStyle::SXTB => bits.sign_extended(1).left(amount).value(),
        ShiftStyle::SXTH => bits.sign_extended(2).left(amount).value(),
        ShiftStyle::LSR | ShiftStyle::ASR | ShiftStyle::ROR if amount == 0 => value,
        ShiftStyle::LSR => bits.right(amount).value(),
        ShiftStyle::ASR => bits.sign_extended(width).arithmetic_right(amount).value(),
        ShiftStyle::ROR => bits.rotate(amount, width).value(),
    }
}
