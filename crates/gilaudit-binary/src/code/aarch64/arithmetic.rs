//! Arithmetic on general registers.

use yaxpeax_arm::armv8::a64::{Opcode, Operand};

use super::bits::{Bits, ones};
use super::scan::immediate;
use super::{Machine, Step};
use crate::code::path::{Condition, Flags, Test};
use crate::code::value::{Value, mask, sign_extend};

impl Machine<'_, '_, '_> {
    /// Whether the instruction was one of arithmetic.
    pub(super) fn arithmetic(&mut self) -> bool {
        // Vectors have instructions of the same names.
        if !matches!(self.operand(0), Operand::Register(..) | Operand::RegisterOrSP(..)) {
            return false;
        }
        match self.opcode {
            Opcode::MOVZ => {
                let value = self.read(1);
                self.write(0, value);
            }
            Opcode::MOVN => {
                let value = Bits::of(self.read(1), 8).not().value();
                self.write(0, value);
            }
            Opcode::MOVK => {
                let Operand::ImmShift(_, shift) = self.operand(1) else { return false };
                let place = 0xffffu64.checked_shl(u32::from(shift)).unwrap_or(0);
                let value = Bits::of(self.read(0), 8).with(Bits::of(self.read(1), 8), place).value();
                self.write(0, value);
            }
            Opcode::ADD | Opcode::SUB | Opcode::ADDS | Opcode::SUBS => self.sum(),
            Opcode::ADC | Opcode::ADCS | Opcode::SBC | Opcode::SBCS => self.sum_with_carry(),
            Opcode::AND
            | Opcode::ANDS
            | Opcode::BIC
            | Opcode::BICS
            | Opcode::ORR
            | Opcode::ORN
            | Opcode::EOR
            | Opcode::EON => self.logic(),
            Opcode::UBFM | Opcode::SBFM | Opcode::BFM => self.bit_field(),
            Opcode::EXTR => {
                let width = self.width(0);
                let size = 8 * u32::from(width);
                let count = self.number(3);
                let (high, low) = (Bits::of(self.read(1), width), Bits::of(self.read(2), width));
                let value = high.left(size.saturating_sub(count)).or(low.right(count)).value();
                self.write(0, if count == 0 { self.read(2) } else { value });
            }
            Opcode::LSLV | Opcode::LSRV | Opcode::ASRV | Opcode::RORV => {
                let width = self.width(0);
                let count = self.read(2).known().map(|count| (count & u64::from(8 * width - 1)) as u32);
                let bits = Bits::of(self.read(1), width);
                let value = match (count, self.opcode) {
                    (None, _) => Value::Unknown,
                    (Some(0), _) => self.read(1),
                    (Some(count), Opcode::LSLV) => bits.left(count).value(),
                    (Some(count), Opcode::LSRV) => bits.right(count).value(),
                    (Some(count), Opcode::ASRV) => bits.sign_extended(width).arithmetic_right(count).value(),
                    (Some(count), _) => bits.rotate(count, width).value(),
                };
                self.write(0, value);
            }
            Opcode::MADD
            | Opcode::MSUB
            | Opcode::SMADDL
            | Opcode::SMSUBL
            | Opcode::UMADDL
            | Opcode::UMSUBL
            | Opcode::SMULH
            | Opcode::UMULH
            | Opcode::UDIV
            | Opcode::SDIV => self.multiply_divide(),
            Opcode::CLZ | Opcode::CLS | Opcode::RBIT | Opcode::REV | Opcode::REV16 | Opcode::REV32 => self.rearrange(),
            _ => return false,
        }
        true
    }

    /// An immediate operand.
    fn number(&self, operand: usize) -> u32 {
        immediate(self.operand(operand)).and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
    }

    fn sum(&mut self) {
        let width = self.width(0);
        let (a, b) = (self.read(1), self.read(2).truncate(width));
        let subtract = matches!(self.opcode, Opcode::SUB | Opcode::SUBS);
        let same = match (self.operand(1), self.operand(2)) {
            (Operand::Register(_, x), Operand::RegShift(_, 0, _, y)) => x == y,
            _ => false,
        };
        let result = if subtract && same {
            Value::ZERO
        } else if subtract {
            a.sub(b)
        } else {
            a.add(b)
        };
        match self.opcode {
            Opcode::SUBS => self.path.flags = Flags::Subtract { a, b, width },
            Opcode::ADDS => self.path.flags = flags_of_sum(a, b, width),
            _ => {}
        }
        self.write(0, result);
    }

    fn sum_with_carry(&mut self) {
        let width = self.width(0);
        let carry = self.path.decide(&self.condition(0b0010));
        let (a, b) = (self.read(1), self.read(2));
        let subtract = matches!(self.opcode, Opcode::SBC | Opcode::SBCS);
        let (result, flags) = match (a, b, carry) {
            (Value::Known(a), Value::Known(b), Some(carry)) => {
                add_with_carry(a, if subtract { !b & mask(width) } else { b }, carry, width)
            }
            // Whatever it is, less itself.
            (_, _, Some(true)) if subtract && self.operand(1) == self.operand(2) => {
                add_with_carry(0, mask(width), true, width)
            }
            _ => (Value::Unknown, Flags::Unknown),
        };
        if matches!(self.opcode, Opcode::ADCS | Opcode::SBCS) {
            self.path.flags = flags;
        }
        self.write(0, result);
    }

    fn logic(&mut self) {
        let width = self.width(0);
        let (a, b) = (self.read(1), self.read(2).truncate(width));
        let inverted = matches!(self.opcode, Opcode::BIC | Opcode::BICS | Opcode::ORN | Opcode::EON);
        let same = match (self.operand(1), self.operand(2)) {
            (Operand::Register(_, x), Operand::RegShift(_, 0, _, y)) => x == y,
            _ => false,
        };
        let other = |known: Value| match (a, b) {
            (x, y) if y == known => Some(x),
            (x, y) if x == known => Some(y),
            _ => None,
        };
        let kept = match self.opcode {
            Opcode::AND | Opcode::ANDS | Opcode::ORR if same => Some(a),
            Opcode::EOR | Opcode::BIC | Opcode::BICS if same => Some(Value::ZERO),
            Opcode::AND | Opcode::ANDS => other(Value::Known(mask(width))),
            Opcode::ORR | Opcode::EOR => other(Value::ZERO),
            Opcode::BIC | Opcode::BICS if b == Value::ZERO => Some(a),
            _ => None,
        };
        let result = kept.unwrap_or_else(|| {
            let (x, y) = (Bits::of(a, width), Bits::of(b, width));
            let y = if inverted { y.not() } else { y };
            match self.opcode {
                Opcode::ORR | Opcode::ORN => x.or(y),
                Opcode::EOR | Opcode::EON => x.xor(y),
                _ => x.and(y),
            }
            .keep(mask(width))
            .value()
        });
        if matches!(self.opcode, Opcode::ANDS | Opcode::BICS) {
            self.path.flags = Flags::Logic { result, width };
        }
        self.write(0, result);
    }

    /// `ubfm`, `sbfm`, `bfm`, of which most shifts, extensions and bit-field instructions are aliases. C6.2.
    fn bit_field(&mut self) {
        let width = self.width(0);
        let size = 8 * u32::from(width);
        let (rotation, last) = (self.number(2) % size, self.number(3) % size);
        let source = self.read(1);
        let whole = rotation == 0 && last == size - 1;
        let value = match self.opcode {
            _ if whole => source,
            Opcode::SBFM if rotation == 0 && last == 31 => source.sign_extended(4),
            Opcode::UBFM if rotation == 0 && last == 31 => source.truncate(4),
            _ => {
                let source = Bits::of(source, width);
                // The field in the source, and where it goes.
                let (from, count, to) =
                    if last >= rotation { (rotation, last - rotation + 1, 0) } else { (0, last + 1, size - rotation) };
                let field = source.right(from).keep(ones(count));
                match self.opcode {
                    Opcode::UBFM => field.left(to),
                    Opcode::SBFM => field.left(64 - count).arithmetic_right(64 - count).left(to),
                    _ => Bits::of(self.read(0), width).with(field.left(to), ones(count) << to),
                }
                .value()
            }
        };
        self.write(0, value);
    }

    /// Whether operand 1 is negative, when its sign is all that the instruction takes: a shift to the right by all other bits.
    pub(super) fn sign(&self) -> Option<Condition> {
        let width = self.width(0);
        let last = 8 * u32::from(width) - 1;
        let alone = self.number(2) == last && self.number(3) == last;
        alone.then(|| Condition::compare(Test::Less, self.read(1), Value::ZERO, width))
    }

    pub(super) fn take_sign(&mut self) -> Step {
        let Some(condition) = self.sign() else { return Step::Next };
        let set = Value::Known(if self.opcode == Opcode::SBFM { mask(self.width(0)) } else { 1 });
        match self.path.decide(&condition) {
            Some(negative) => self.write(0, if negative { set } else { Value::ZERO }),
            None if self.is_remembered(&condition) => return self.choose(condition, set, Value::ZERO),
            None => self.write(0, Value::Unknown),
        }
        Step::Next
    }

    fn multiply_divide(&mut self) {
        let width = self.width(0);
        let wide = |signed: bool, value: u64, width: u8| {
            if signed { sign_extend(value, width) } else { value }
        };
        let value = match (self.opcode, self.read(1), self.read(2)) {
            (Opcode::UDIV, Value::Known(a), Value::Known(b)) => Value::Known(a.checked_div(b).unwrap_or(0)),
            (Opcode::SDIV, Value::Known(a), Value::Known(b)) => {
                let signed = |bits| sign_extend(bits, width).cast_signed();
                let divided = if signed(b) == 0 { 0 } else { signed(a).wrapping_div(signed(b)) };
                Value::Known(divided.cast_unsigned())
            }
            (Opcode::UMULH, Value::Known(a), Value::Known(b)) => {
                Value::Known((u128::from(a).wrapping_mul(u128::from(b)) >> 64) as u64)
            }
            (Opcode::SMULH, Value::Known(a), Value::Known(b)) => {
                let product = i128::from(a.cast_signed()).wrapping_mul(i128::from(b.cast_signed()));
                Value::Known((product >> 64) as u64)
            }
            (opcode, a, b) => {
                let signed = matches!(opcode, Opcode::SMADDL | Opcode::SMSUBL);
                let factor = self.width(1);
                let product = match (a, b) {
                    (Value::Known(a), Value::Known(b)) => {
                        Value::Known(wide(signed, a, factor).wrapping_mul(wide(signed, b, factor)))
                    }
                    (Value::Known(0), _) | (_, Value::Known(0)) => Value::ZERO,
                    _ => Value::Unknown,
                };
                match opcode {
                    Opcode::MADD | Opcode::SMADDL | Opcode::UMADDL => self.read(3).add(product),
                    Opcode::MSUB | Opcode::SMSUBL | Opcode::UMSUBL => self.read(3).sub(product),
                    _ => Value::Unknown,
                }
            }
        };
        self.write(0, value);
    }

    fn rearrange(&mut self) {
        let width = self.width(0);
        let Value::Known(bits) = self.read(1) else {
            self.write(0, Value::Unknown);
            return;
        };
        let unused = 64 - 8 * u32::from(width);
        let swap = |bits: u64, size: u32| {
            // Bytes reversed within each part of `size` bits.
            (0..64 / size).fold(0u64, |sum, part| {
                let low = bits >> (part * size) & ones(size);
                sum | (low.swap_bytes() >> (64 - size)) << (part * size)
            })
        };
        let value = match self.opcode {
            Opcode::CLZ => u64::from(bits.leading_zeros().saturating_sub(unused)),
            Opcode::CLS => {
                let extended = sign_extend(bits, width);
                let changes = extended ^ (extended.cast_signed() >> 1).cast_unsigned();
                u64::from(changes.leading_zeros().saturating_sub(unused + 1))
            }
            Opcode::RBIT => bits.reverse_bits() >> unused,
            Opcode::REV16 => swap(bits, 16),
            Opcode::REV32 => swap(bits, 32),
            _ => bits.swap_bytes() >> unused,
        };
        self.write(0, Value::Known(value));
    }
}

/// The flags of `a + b`: `a - -b` but for the carry when nothing is added.
pub(super) fn flags_of_sum(a: Value, b: Value, width: u8) -> Flags {
    match (a, b) {
        (Value::Known(a), Value::Known(b)) => add_with_carry(a, b, false, width).1,
        (_, Value::Known(0)) => Flags::Logic { result: a, width },
        // The smallest number is its own negative, and overflows.
        (_, Value::Known(b)) if b != 1 << (8 * u32::from(width) - 1) => {
            Flags::Subtract { a, b: Value::Known(b.wrapping_neg() & mask(width)), width }
        }
        _ => Flags::Result { result: a.add(b).truncate(width), width },
    }
}

/// `AddWithCarry` of the architecture's pseudocode: the sum and its flags.
fn add_with_carry(a: u64, b: u64, carry: bool, width: u8) -> (Value, Flags) {
    let (a, b) = (a & mask(width), b & mask(width));
    let full = u128::from(a) + u128::from(b) + u128::from(carry);
    let sum = full as u64 & mask(width);
    let sign = |bits: u64| sign_extend(bits, width).cast_signed() < 0;
    let flags = Flags::Exact {
        zero: sum == 0,
        sign: sign(sum),
        carry: full >> (8 * u32::from(width)) != 0,
        overflow: sign(a) == sign(b) && sign(sum) != sign(a),
    };
    (Value::Known(sum), flags)
}
