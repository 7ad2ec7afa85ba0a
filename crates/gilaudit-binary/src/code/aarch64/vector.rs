//! Vector registers, as far as whole structures are copied and cleared through them: two halves of 8 bytes.

use yaxpeax_arm::armv8::a64::{Instruction, Opcode, Operand, SIMDSizeCode};

use super::Machine;
use super::bits::{Bits, ones};
use super::decode::{Access, access, vector_size};
use super::scan::immediate;
use super::transfer::{beyond, beyond_by};
use crate::code::value::Value;

/// The halves of a vector register.
type Halves = [Value; 2];

/// The number of the vector register that an operand is, or has parts of.
pub(super) fn register(operand: Operand) -> Option<usize> {
    match operand {
        Operand::SIMDRegister(_, register)
        | Operand::SIMDRegisterElements(_, register, _)
        | Operand::SIMDRegisterElementsLane(_, register, ..)
        | Operand::SIMDRegisterElementsMultipleLane(_, register, ..) => Some(usize::from(register)),
        _ => None,
    }
}

/// The number of bytes that an instruction stores.
pub(super) fn stored_size(instruction: &Instruction) -> u64 {
    match instruction.operands[0] {
        Operand::SIMDRegisterGroup(code, _, _, count) | Operand::SIMDRegisterGroupLane(_, code, count, _) => {
            u64::from(vector_size(code)) * u64::from(count)
        }
        _ => 16,
    }
}

/// The low `width` bytes (1 to 16) of a vector, the rest clear.
fn low(value: Halves, width: u8) -> Halves {
    match width {
        16 => value,
        8 => [value[0], Value::ZERO],
        width => [value[0].truncate(width), Value::ZERO],
    }
}

/// Where element `lane` of `width` bytes lies: in which half, and from which bit on.
fn element(width: u8, lane: u8) -> (usize, u32) {
    let start = 8 * u32::from(width) * u32::from(lane);
    (usize::from(start >= 64), start % 64)
}

impl Machine<'_, '_, '_> {
    /// Whether the instruction was one on vectors that is modelled.
    pub(super) fn vector(&mut self) -> bool {
        if let Some(access) = access(self.opcode) {
            return matches!(self.operand(0), Operand::SIMDRegister(..)) && self.vector_transfer(access);
        }
        match self.opcode {
            Opcode::LD1 | Opcode::ST1 | Opcode::LD1R => return self.structure_transfer(),
            Opcode::MOVI | Opcode::MVNI => return self.vector_immediate(),
            Opcode::FMOV => return self.float_move(),
            Opcode::ORR | Opcode::EOR | Opcode::AND | Opcode::BIC | Opcode::ORN | Opcode::NOT => {
                return self.vector_logic();
            }
            _ => {}
        }
        let value = match (self.opcode, self.operand(0), self.operand(1)) {
            (Opcode::INS, Operand::SIMDRegisterElementsLane(_, target, code, lane), source) => {
                let width = vector_size(code);
                let part = match source {
                    Operand::SIMDRegisterElementsLane(_, register, code, lane) => {
                        self.lane(usize::from(register), vector_size(code), lane)
                    }
                    _ => self.read(1),
                };
                self.with_lane(usize::from(target), width, lane, part)
            }
            (Opcode::DUP, target, Operand::SIMDRegisterElementsLane(_, register, code, lane)) => {
                let part = self.lane(usize::from(register), vector_size(code), lane);
                match target {
                    // `mov d, v.d[1]`
                    Operand::SIMDRegister(..) => [part, Value::ZERO],
                    _ => repeated(part, vector_size(code)),
                }
            }
            (Opcode::DUP, Operand::SIMDRegisterElements(_, _, code), _) => repeated(self.read(1), vector_size(code)),
            (Opcode::UMOV | Opcode::SMOV, _, Operand::SIMDRegisterElementsLane(_, register, code, lane)) => {
                let width = vector_size(code);
                let part = self.lane(usize::from(register), width, lane);
                self.write(0, if self.opcode == Opcode::SMOV { part.sign_extended(width) } else { part });
                return true;
            }
            (
                Opcode::ZIP1 | Opcode::UZP1 | Opcode::TRN1 | Opcode::ZIP2 | Opcode::UZP2 | Opcode::TRN2,
                Operand::SIMDRegisterElements(SIMDSizeCode::Q, _, SIMDSizeCode::D),
                _,
            ) => {
                let (first, second) = (self.halves(1), self.halves(2));
                let half = usize::from(matches!(self.opcode, Opcode::ZIP2 | Opcode::UZP2 | Opcode::TRN2));
                [first[half], second[half]]
            }
            (Opcode::EXT, Operand::SIMDRegisterElements(SIMDSizeCode::Q, ..), _)
                if immediate(self.operand(3)) == Some(8) =>
            {
                [self.halves(1)[1], self.halves(2)[0]]
            }
            _ => return false,
        };
        self.write_vector(0, value);
        true
    }

    fn halves_of(&self, register: usize) -> Halves {
        let [low, high, ..] = self.path.vector(register);
        [low, high]
    }

    fn halves(&self, operand: usize) -> Halves {
        register(self.operand(operand)).map_or([Value::Unknown; 2], |register| self.halves_of(register))
    }

    fn set_halves(&mut self, register: usize, value: Halves) {
        self.path.set_vector(register, [value[0], value[1], Value::Unknown, Value::Unknown]);
    }

    /// Writes a vector register; what lies beyond the operand's width is cleared.
    fn write_vector(&mut self, operand: usize, value: Halves) {
        let (register, width) = match self.operand(operand) {
            Operand::SIMDRegister(code, register) | Operand::SIMDRegisterElements(code, register, _) => {
                (register, vector_size(code))
            }
            // The other elements are part of the value.
            Operand::SIMDRegisterElementsLane(_, register, ..) => (register, 16),
            _ => return,
        };
        self.set_halves(usize::from(register), low(value, width));
    }

    /// One element, zero-extended.
    fn lane(&self, register: usize, width: u8, lane: u8) -> Value {
        let (half, start) = element(width, lane);
        let value = self.halves_of(register)[half];
        if start == 0 {
            value.truncate(width)
        } else {
            Bits::of(value, 8).right(start).keep(ones(8 * u32::from(width))).value()
        }
    }

    /// The vector with one element replaced.
    fn with_lane(&self, register: usize, width: u8, lane: u8, part: Value) -> Halves {
        let (half, start) = element(width, lane);
        let mut value = self.halves_of(register);
        value[half] = if width == 8 {
            part
        } else {
            let place = ones(8 * u32::from(width)) << start;
            Bits::of(value[half], 8).with(Bits::of(part, width).left(start), place).value()
        };
        value
    }

    fn vector_transfer(&mut self, access: Access) -> bool {
        let Operand::SIMDRegister(code, _) = self.operand(0) else { return false };
        let width = vector_size(code);
        match access {
            Access::Load { .. } => {
                let Some(place) = self.place() else { return false };
                let value = self.load_vector(place, width);
                self.write_vector(0, value);
            }
            Access::LoadPair { .. } => {
                let Some(place) = self.place() else { return false };
                let first = self.load_vector(place, width);
                let second = self.load_vector(beyond(place, width), width);
                self.write_vector(0, first);
                self.write_vector(1, second);
            }
            Access::Store { .. } => {
                let value = self.halves(0);
                let Some(place) = self.place() else { return false };
                self.store_vector(place, width, value);
            }
            Access::StorePair => {
                let values = [self.halves(0), self.halves(1)];
                let Some(place) = self.place() else { return false };
                self.store_vector(place, width, values[0]);
                self.store_vector(beyond(place, width), width, values[1]);
            }
            _ => return false,
        }
        true
    }

    fn load_vector(&mut self, place: Value, width: u8) -> Halves {
        if width < 8 {
            return [self.engine.load(self.path, place, width).truncate(width), Value::ZERO];
        }
        let first = self.engine.load(self.path, place, 8);
        let second = if width == 16 { self.engine.load(self.path, beyond(place, 8), 8) } else { Value::ZERO };
        [first, second]
    }

    fn store_vector(&mut self, place: Value, width: u8, value: Halves) {
        self.engine.store(self.path, place, width.min(8), value[0]);
        if width == 16 {
            self.engine.store(self.path, beyond(place, 8), 8, value[1]);
        }
    }

    /// `ld1`, `st1`, `ld1r`: registers or elements one after the other in memory.
    fn structure_transfer(&mut self) -> bool {
        let group = self.operand(0);
        let Some(place) = self.place() else { return false };
        let next = |first: u16, index: u8| usize::from((first + u16::from(index)) % 32);
        match group {
            Operand::SIMDRegisterGroup(code, first, element, _) if self.opcode == Opcode::LD1R => {
                let width = vector_size(element);
                let part = self.engine.load(self.path, place, width).truncate(width);
                self.set_halves(usize::from(first), low(repeated(part, width), vector_size(code)));
            }
            Operand::SIMDRegisterGroup(code, first, _, count) => {
                let width = vector_size(code);
                for index in 0..count {
                    let at = beyond_by(place, u64::from(width) * u64::from(index));
                    if self.opcode == Opcode::LD1 {
                        let value = self.load_vector(at, width);
                        self.set_halves(next(first, index), low(value, width));
                    } else {
                        let value = self.halves_of(next(first, index));
                        self.store_vector(at, width, value);
                    }
                }
            }
            Operand::SIMDRegisterGroupLane(register, element, _, lane) => {
                let (register, width) = (usize::from(register), vector_size(element));
                if self.opcode == Opcode::LD1 {
                    let part = self.engine.load(self.path, place, width).truncate(width);
                    let value = self.with_lane(register, width, lane, part);
                    self.set_halves(register, value);
                } else {
                    let part = self.lane(register, width, lane);
                    self.engine.store(self.path, place, width, part);
                }
            }
            _ => return false,
        }
        true
    }

    /// `movi`, `mvni`. C7.2.
    fn vector_immediate(&mut self) -> bool {
        let element = match self.operand(0) {
            Operand::SIMDRegisterElements(_, _, code) | Operand::SIMDRegister(code, _) => vector_size(code),
            _ => return false,
        };
        let part = match self.operand(1) {
            Operand::ImmShiftMSL(number, shift) => {
                u64::from(number).checked_shl(u32::from(shift)).unwrap_or(0) | ones(u32::from(shift))
            }
            other => match immediate(other) {
                Some(number) => number,
                None => return false,
            },
        };
        let part = if self.opcode == Opcode::MVNI { !part } else { part };
        self.write_vector(0, repeated(Value::Known(part), element));
        true
    }

    fn float_move(&mut self) -> bool {
        let value = match (self.operand(0), self.operand(1)) {
            (Operand::Register(..), Operand::SIMDRegister(code, source)) => {
                let value = self.halves_of(usize::from(source))[0].truncate(vector_size(code).min(8));
                self.write(0, value);
                return true;
            }
            (Operand::Register(..), Operand::SIMDRegisterElementsLane(_, source, code, lane)) => {
                let value = self.lane(usize::from(source), vector_size(code), lane);
                self.write(0, value);
                return true;
            }
            (Operand::SIMDRegister(..), Operand::Register(..)) => [self.read(1), Value::ZERO],
            (Operand::SIMDRegister(..), Operand::SIMDRegister(..)) => self.halves(1),
            (Operand::SIMDRegisterElementsLane(_, target, code, lane), Operand::Register(..)) => {
                self.with_lane(usize::from(target), vector_size(code), lane, self.read(1))
            }
            // Numbers that are no integers are of no interest.
            _ => return false,
        };
        self.write_vector(0, value);
        true
    }

    fn vector_logic(&mut self) -> bool {
        let Operand::SIMDRegisterElements(..) = self.operand(0) else { return false };
        let Operand::SIMDRegisterElements(_, source, _) = self.operand(1) else { return false };
        let same = matches!(self.operand(2), Operand::SIMDRegisterElements(_, other, _) if other == source);
        let (a, b) = (self.halves(1), self.halves(2));
        let value = match self.opcode {
            Opcode::ORR | Opcode::AND if same => a,
            Opcode::EOR | Opcode::BIC if same => [Value::ZERO; 2],
            _ => [0, 1].map(|half| {
                let (x, y) = (Bits::of(a[half], 8), Bits::of(b[half], 8));
                match self.opcode {
                    Opcode::ORR => x.or(y),
                    Opcode::EOR => x.xor(y),
                    Opcode::AND => x.and(y),
                    Opcode::BIC => x.and(y.not()),
                    Opcode::ORN => x.or(y.not()),
                    _ => x.not(),
                }
                .value()
            }),
        };
        self.write_vector(0, value);
        true
    }
}

/// An element of `width` bytes repeated over a whole vector.
fn repeated(part: Value, width: u8) -> Halves {
    if width >= 8 {
        return [part; 2];
    }
    [Bits::of(part, width).repeated(8 * u32::from(width)).value(); 2]
}
