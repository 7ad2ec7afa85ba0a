//! Values of the abstract interpreter.

/// An unknown quantity that keeps its identity, so that a test on it can be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SymbolId(pub(crate) u32);

/// A value of up to 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A number. Addresses are numbers: every kind of memory has its own range.
    Known(u64),
    /// A number of which only some bytes are known: bit `n` of `known` is set when byte `n` of `bits` is.
    Partial { bits: u64, known: u8 },
    /// An unknown quantity plus an offset.
    Symbol(SymbolId, i64),
    /// Anything.
    Unknown,
}

/// All the bits of a number of `width` bytes.
pub(crate) fn mask(width: u8) -> u64 {
    if width >= 8 { u64::MAX } else { (1u64 << (8 * u32::from(width))) - 1 }
}

/// The number of `width` bytes in `bits`, sign-extended to 64 bits.
pub(crate) fn sign_extend(bits: u64, width: u8) -> u64 {
    if width >= 8 {
        return bits;
    }
    let shift = 64 - 8 * u32::from(width);
    ((bits << shift).cast_signed() >> shift).cast_unsigned()
}

impl Value {
    pub(crate) const ZERO: Self = Self::Known(0);

    /// The number, when all of it is known.
    pub(crate) fn known(self) -> Option<u64> {
        match self {
            Self::Known(bits) => Some(bits),
            _ => None,
        }
    }

    /// The low `width` bytes, zero-extended. An unknown quantity keeps its identity: what code narrows to 32 bits are statuses and
    /// flags, whose upper half nobody looks at.
    #[must_use]
    pub(crate) fn truncate(self, width: u8) -> Self {
        let low = ((1u16 << width.min(8)) - 1) as u8;
        match self {
            Self::Known(bits) => Self::Known(bits & mask(width)),
            Self::Partial { bits, known } if known & low == low => Self::Known(bits & mask(width)),
            Self::Partial { bits, known } => Self::partial(bits & mask(width), known | !low),
            Self::Symbol(..) if width >= 4 => self,
            Self::Symbol(..) | Self::Unknown => Self::partial(0, !low),
        }
    }

    /// The low `width` bytes, sign-extended.
    #[must_use]
    pub(crate) fn sign_extended(self, width: u8) -> Self {
        match self.truncate(width) {
            Self::Known(bits) => Self::Known(sign_extend(bits, width)),
            Self::Symbol(id, offset) => Self::Symbol(id, offset),
            _ => Self::Unknown,
        }
    }

    /// A number of which the bytes in `known` are known.
    pub(crate) fn partial(bits: u64, known: u8) -> Self {
        match known {
            0xff => Self::Known(bits),
            0 => Self::Unknown,
            _ => Self::Partial { bits, known },
        }
    }

    /// `self` with its low `width` bytes replaced by those of `low`.
    #[must_use]
    pub(crate) fn with_low(self, low: Self, width: u8) -> Self {
        if width >= 8 {
            return low;
        }
        let bytes = |value: Self| match value {
            Self::Known(bits) => (bits, 0xff),
            Self::Partial { bits, known } => (bits, known),
            Self::Symbol(..) | Self::Unknown => (0, 0),
        };
        let low_bytes = ((1u16 << width) - 1) as u8;
        let ((high, high_known), (low, low_known)) = (bytes(self), bytes(low));
        Self::partial(high & !mask(width) | low & mask(width), high_known & !low_bytes | low_known & low_bytes)
    }

    /// The sum, as addresses are formed.
    #[must_use]
    pub(crate) fn add(self, other: Self) -> Self {
        match (self, other) {
            (Self::Known(a), Self::Known(b)) => Self::Known(a.wrapping_add(b)),
            (Self::Symbol(id, offset), Self::Known(b)) | (Self::Known(b), Self::Symbol(id, offset)) => {
                Self::Symbol(id, offset.wrapping_add(b.cast_signed()))
            }
            _ => Self::Unknown,
        }
    }

    /// The difference.
    #[must_use]
    pub(crate) fn sub(self, other: Self) -> Self {
        match (self, other) {
            (Self::Known(a), Self::Known(b)) => Self::Known(a.wrapping_sub(b)),
            (Self::Symbol(id, offset), Self::Known(b)) => Self::Symbol(id, offset.wrapping_sub(b.cast_signed())),
            (Self::Symbol(a, x), Self::Symbol(b, y)) if a == b => Self::Known(x.wrapping_sub(y).cast_unsigned()),
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partial_values_become_known_when_their_bytes_are() {
        let half = Value::Unknown.with_low(Value::Known(0x1_0000_0004), 4);
        assert_eq!(half, Value::Partial { bits: 4, known: 0x0f });
        assert_eq!(half.truncate(4), Value::Known(4));
        assert_eq!(half.truncate(8), half);
        assert_eq!(Value::Known(0xffff_ffff).sign_extended(4), Value::Known(u64::MAX));
    }

    #[test]
    fn symbols_keep_their_identity_through_offsets() {
        let symbol = Value::Symbol(SymbolId(3), 0);
        assert_eq!(symbol.add(Value::Known(16)).sub(Value::Known(16)), symbol);
        assert_eq!(symbol.add(Value::Known(16)).sub(symbol), Value::Known(16));
    }
}
