//! Values bit by bit, for the instructions that take numbers apart and put them together.

use super::value::{Value, mask, sign_extend};

/// A number of which only some bits are known. Bits that are not known are zero in `bits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bits {
    bits: u64,
    known: u64,
}

/// The low `count` bits set.
pub(super) fn ones(count: u32) -> u64 {
    if count >= 64 { u64::MAX } else { (1u64 << count) - 1 }
}

impl Bits {
    /// The low `width` bytes of a value, zero-extended.
    pub(super) fn of(value: Value, width: u8) -> Self {
        let (bits, known) = match value.truncate(width) {
            Value::Known(bits) => (bits, u64::MAX),
            Value::Partial { bits, known } => {
                let all = |byte: u32| if known >> byte & 1 == 1 { 0xff << (8 * byte) } else { 0 };
                (bits, (0..8).fold(0u64, |sum, byte| sum | all(byte)))
            }
            Value::Symbol(..) | Value::Unknown => (0, !mask(width)),
        };
        Self { bits: bits & known, known }
    }

    /// The value, as far as whole bytes are known.
    pub(super) fn value(self) -> Value {
        let whole = |byte: &u32| self.known >> (8 * byte) & 0xff == 0xff;
        let known = (0..8u32).filter(whole).fold(0u8, |sum, byte| sum | 1 << byte);
        let bits = (0..8u32).filter(whole).fold(0u64, |sum, byte| sum | self.bits & 0xff << (8 * byte));
        Value::partial(bits, known)
    }

    /// One bit.
    pub(super) fn bit(self, index: u32) -> Option<bool> {
        (self.known.checked_shr(index)? & 1 == 1).then_some(self.bits.checked_shr(index)? & 1 == 1)
    }

    #[must_use]
    pub(super) fn and(self, other: Self) -> Self {
        let zero = self.known & !self.bits | other.known & !other.bits;
        Self { bits: self.bits & other.bits, known: self.known & other.known | zero }
    }

    #[must_use]
    pub(super) fn or(self, other: Self) -> Self {
        let bits = self.bits | other.bits;
        Self { bits, known: self.known & other.known | bits }
    }

    #[must_use]
    pub(super) fn xor(self, other: Self) -> Self {
        let known = self.known & other.known;
        Self { bits: (self.bits ^ other.bits) & known, known }
    }

    #[must_use]
    pub(super) fn not(self) -> Self {
        Self { bits: !self.bits & self.known, known: self.known }
    }

    #[must_use]
    pub(super) fn keep(self, kept: u64) -> Self {
        Self { bits: self.bits & kept, known: self.known | !kept }
    }

    #[must_use]
    pub(super) fn left(self, count: u32) -> Self {
        let shift = |bits: u64| bits.checked_shl(count).unwrap_or(0);
        Self { bits: shift(self.bits), known: shift(self.known) | ones(count) }
    }

    #[must_use]
    pub(super) fn right(self, count: u32) -> Self {
        let shift = |bits: u64| bits.checked_shr(count).unwrap_or(0);
        Self { bits: shift(self.bits), known: !shift(!self.known) }
    }

    #[must_use]
    pub(super) fn arithmetic_right(self, count: u32) -> Self {
        let shift = |bits: u64| (bits.cast_signed() >> count.min(63)).cast_unsigned();
        Self { bits: shift(self.bits), known: shift(self.known) }
    }

    /// The low `width` bytes, sign-extended.
    #[must_use]
    pub(super) fn sign_extended(self, width: u8) -> Self {
        Self { bits: sign_extend(self.bits, width), known: sign_extend(self.known, width) }
    }

    /// Rotates the low `width` bytes, 4 or 8, to the right.
    #[must_use]
    pub(super) fn rotate(self, count: u32, width: u8) -> Self {
        let turn = |bits: u64| {
            if width == 8 { bits.rotate_right(count) } else { u64::from((bits as u32).rotate_right(count)) }
        };
        Self { bits: turn(self.bits), known: turn(self.known) | !mask(width) }
    }

    /// The low `size` bits repeated over the whole.
    #[must_use]
    pub(super) fn repeated(self, size: u32) -> Self {
        let part = self.keep(ones(size));
        (1..64 / size.clamp(1, 64)).fold(part, |sum, index| sum.or(part.left(index * size)))
    }

    /// `self` with the bits in `place` taken from `other`.
    #[must_use]
    pub(super) fn with(self, other: Self, place: u64) -> Self {
        self.keep(!place).or(other.keep(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::value::SymbolId;

    #[test]
    fn what_is_not_known_stays_apart() {
        let value = Value::Partial { bits: 0x1234, known: 0b1111_0011 };
        let bits = Bits::of(value, 8);
        assert_eq!(bits.value(), value);
        assert_eq!(bits.left(16).right(16).value(), Value::Partial { bits: 0x1234, known: 0b1111_0011 });
        assert_eq!(bits.keep(0xffff).value(), Value::Known(0x1234));
        assert_eq!(bits.bit(2), Some(true));
        assert_eq!(bits.bit(16), None);
        assert_eq!(Bits::of(Value::Symbol(SymbolId(0), 0), 4).right(32), Bits::of(Value::ZERO, 8));
        assert_eq!(Bits::of(Value::Unknown, 4).value(), Value::Partial { bits: 0, known: 0xf0 });
        assert_eq!(Bits::of(Value::Unknown, 1).keep(0), Bits::of(Value::ZERO, 8));
    }

    #[test]
    fn rotations_and_repetitions() {
        assert_eq!(Bits::of(Value::Known(1), 4).rotate(1, 4).value(), Value::Known(0x8000_0000));
        assert_eq!(Bits::of(Value::Known(1), 8).rotate(1, 8).value(), Value::Known(1 << 63));
        assert_eq!(Bits::of(Value::Known(0xab), 1).repeated(8).value(), Value::Known(0xabab_abab_abab_abab));
        assert_eq!(Bits::of(Value::Known(7), 8).repeated(64).value(), Value::Known(7));
        assert_eq!(Bits::of(Value::Known(0x80), 1).sign_extended(1).value(), Value::Known(0xffff_ffff_ffff_ff80));
        assert_eq!(Bits::of(Value::Known(1 << 63), 8).arithmetic_right(63).value(), Value::Known(u64::MAX));
    }
}
