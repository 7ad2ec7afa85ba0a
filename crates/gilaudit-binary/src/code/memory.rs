//! Byte-addressed memory of one path: what its stores changed, over the relocated image.

use super::layered::Layered;
use super::value::{SymbolId, Value, mask};

/// Four aligned bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Quad {
    bits: u32,
    /// Bit `n` is set when byte `n` is known.
    known: u8,
    /// Bit `n` is set when byte `n` was written (known or not); what was not is in the image below.
    written: u8,
    /// An unknown quantity that these bytes are the low (`false`) or high half of.
    symbol: Option<(SymbolId, i64, bool)>,
    /// The instruction that wrote last.
    by: u64,
}

const BLANK: Quad = Quad { bits: 0, known: 0, written: 0, symbol: None, by: 0 };

/// The stores of one path.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    quads: Layered<u64, Quad>,
}

/// What was stored at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// All of it was written, with this value.
    All(Value),
    /// Some of it was written: these bytes are known, those in `written` were written at all.
    Some { bits: u64, known: u8, written: u8 },
    /// None of it was written.
    Nothing,
}

impl Memory {
    /// Stores the low `width` bytes (1, 2, 4 or 8) of `value`. `by` is the address of the instruction.
    pub(crate) fn store(&mut self, address: u64, width: u8, value: Value, by: u64) {
        if let Value::Symbol(id, offset) = value
            && address.is_multiple_of(4)
            && width >= 4
        {
            self.quads.insert(address, Quad { written: 0xf, symbol: Some((id, offset, false)), by, ..BLANK });
            if width == 8 {
                let high = Quad { written: 0xf, symbol: Some((id, offset, true)), by, ..BLANK };
                self.quads.insert(address.wrapping_add(4), high);
            }
            return;
        }
        let (bits, known) = match value {
            Value::Known(bits) => (bits, 0xff),
            Value::Partial { bits, known } => (bits, known),
            Value::Symbol(..) | Value::Unknown => (0, 0),
        };
        for index in 0..width.min(8) {
            let at = address.wrapping_add(u64::from(index));
            let mut quad = self.quads.get(&(at & !3)).unwrap_or(BLANK);
            let position = (at & 3) as u32;
            if let Some(_lost) = quad.symbol.take() {
                quad.known = 0;
            }
            let bit = 1u8 << position;
            quad.bits =
                quad.bits & !(0xff << (8 * position)) | (((bits >> (8 * index)) & 0xff) as u32) << (8 * position);
            quad.known = if known >> index & 1 == 1 { quad.known | bit } else { quad.known & !bit };
            quad.written |= bit;
            quad.by = by;
            self.quads.insert(at & !3, quad);
        }
    }

    /// What was stored in the `width` bytes (1, 2, 4 or 8) at `address`.
    pub(crate) fn load(&self, address: u64, width: u8) -> Stored {
        if address.is_multiple_of(4)
            && width >= 4
            && let Some(Quad { symbol: Some((id, offset, false)), .. }) = self.quads.get(&address)
        {
            let high = self.quads.get(&address.wrapping_add(4)).and_then(|quad| quad.symbol);
            if width == 4 || high == Some((id, offset, true)) {
                return Stored::All(Value::Symbol(id, offset));
            }
        }
        let (mut bits, mut known, mut written) = (0u64, 0u8, 0u8);
        for index in 0..width.min(8) {
            let at = address.wrapping_add(u64::from(index));
            let Some(quad) = self.quads.get(&(at & !3)) else { continue };
            let position = (at & 3) as u32;
            if quad.written >> position & 1 == 1 {
                written |= 1 << index;
                if quad.known >> position & 1 == 1 {
                    known |= 1 << index;
                    bits |= u64::from(quad.bits >> (8 * position) & 0xff) << (8 * index);
                }
            }
        }
        let all = ((1u16 << width.min(8)) - 1) as u8;
        match written {
            0 => Stored::Nothing,
            _ if written == all => Stored::All(Value::partial(bits & mask(width), known | !all)),
            _ => Stored::Some { bits, known, written },
        }
    }

    /// The memory of a second path that goes on from here.
    pub(crate) fn fork(&mut self) -> Self {
        Self { quads: self.quads.fork() }
    }

    /// The instruction that last wrote the four bytes around `address`.
    pub(crate) fn writer(&self, address: u64) -> Option<u64> {
        self.quads.get(&(address & !3)).filter(|quad| quad.written != 0).map(|quad| quad.by)
    }

    /// The number of four-byte groups held, for the memory budget.
    pub(crate) fn len(&self) -> usize {
        self.quads.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_byte_copies_keep_what_is_known() {
        let mut memory = Memory::default();
        // A slot assembled on the stack: the id in 4 bytes, 4 bytes of padding never written, the value in 8.
        memory.store(0x100, 4, Value::Known(4), 1);
        memory.store(0x108, 8, Value::Known(1), 2);
        assert_eq!(memory.load(0x100, 8), Stored::Some { bits: 4, known: 0x0f, written: 0x0f });
        memory.store(0x200, 8, Value::Partial { bits: 4, known: 0x0f }, 3);
        assert_eq!(memory.load(0x200, 4), Stored::All(Value::Known(4)));
        assert_eq!(memory.load(0x200, 8), Stored::All(Value::Partial { bits: 4, known: 0x0f }));
        assert_eq!(memory.writer(0x204), Some(3));
    }

    #[test]
    fn symbols_survive_whole_stores_only() {
        let symbol = Value::Symbol(SymbolId(7), 0);
        let mut memory = Memory::default();
        memory.store(0x100, 8, symbol, 1);
        assert_eq!(memory.load(0x100, 8), Stored::All(symbol));
        memory.store(0x104, 1, Value::Known(9), 2);
        assert_eq!(memory.load(0x104, 1), Stored::All(Value::Known(9)));
        // Nothing is known of the byte but that nothing lies above it.
        assert_eq!(memory.load(0x106, 1), Stored::All(Value::Partial { bits: 0, known: 0xfe }));
    }
}
