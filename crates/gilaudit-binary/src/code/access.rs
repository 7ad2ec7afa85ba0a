//! Loads and stores of a path: its own stores first, then what the memory holds at a first import.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use gilaudit_model::{Format, Version};

use super::memory::Stored;
use super::path::Path;
use super::space::Region;
use super::value::{Value, mask};
use super::{Engine, Origin};
use crate::image::Cell;

/// Where `gs:[0x58]` of a Windows thread points: a table of TLS blocks, far enough from everything else in the thread's range.
const TLS_TABLE: u64 = 0x11_0000;

/// Bytes of an object of another library whose contents are unknown; enough for NumPy's table of API functions.
const FOREIGN_OBJECT: u64 = 0x1000;

impl Engine<'_, '_> {
    /// The address that a value is, when it is used as one. An unknown quantity becomes the address of an object of its own.
    pub(super) fn address(&mut self, path: &mut Path, value: Value) -> Option<u64> {
        match path.resolve(value) {
            Value::Known(address) => Some(address & mask(self.image.pointer)),
            Value::Symbol(id, offset) => {
                let Value::Known(object) = self.object(false, Some(id)) else { return None };
                let fact = path.facts.get(&id).unwrap_or_default();
                path.facts.insert(id, super::path::Fact { value: Some(object), ..fact });
                Some(object.wrapping_add_signed(offset))
            }
            Value::Partial { .. } | Value::Unknown => None,
        }
    }

    /// What an address outside the image is.
    pub(crate) fn region(&self, address: u64) -> Option<Region> {
        self.space.region(address)
    }

    /// Loads `width` bytes: 1, 2, 4 or 8.
    pub(crate) fn load(&mut self, path: &mut Path, place: Value, width: u8) -> Value {
        let Some(address) = self.address(path, place) else { return self.symbol(Origin::Contents) };
        if self.is_error_number(address) {
            return self.symbol(Origin::Contents);
        }
        match path.memory.load(address, width) {
            Stored::All(value) => path.resolve(value),
            Stored::Nothing => match self.initial(path, address, width) {
                Some(value) => {
                    if self.image.may_change(address) {
                        path.reads.insert((address, width), ());
                    }
                    value
                }
                None => {
                    let value = self.symbol(Origin::Contents);
                    // Kept, so that the next load gives the same quantity.
                    path.memory.store(address, width, value, 0);
                    if width >= 4 { value } else { Value::Unknown }
                }
            },
            Stored::Some { bits, known, written } => {
                let (mut bits, mut known) = (bits, known);
                for index in (0..width).filter(|index| written >> index & 1 == 0) {
                    if let Some(Value::Known(byte)) = self.initial(path, address.wrapping_add(u64::from(index)), 1) {
                        bits |= byte << (8 * index);
                        known |= 1 << index;
                    }
                }
                Value::partial(bits, known | !(((1u16 << width) - 1) as u8))
            }
        }
    }

    /// What memory holds before this path stored anything there; `None` when that is not known.
    fn initial(&mut self, _path: &mut Path, address: u64, width: u8) -> Option<Value> {
        if let Some(bits) = self.image_number(address, width) {
            return Some(Value::Known(bits));
        }
        match self.space.region(address)? {
            Region::Import(index, offset) => {
                if offset == 0 && self.image.cells().import_name(index) == "Py_Version" {
                    self.version_consulted = true;
                    // The patch level and whether it is a final release are the interpreter's own.
                    let bits = u64::from(version_hex(self.version)) & mask(width);
                    return Some(Value::partial(bits, 0b1111_1100 | beyond(width)));
                }
                None
            }
            Region::Text(offset) => {
                // What comes after the feature release is the interpreter's own.
                let text = version_text(self.version);
                let bytes = (0..width).map(|index| text.as_bytes().get(offset as usize + usize::from(index)).copied());
                let (bits, known) = bytes.enumerate().fold((0u64, 0u8), |(bits, known), (index, byte)| match byte {
                    Some(byte) => (bits | u64::from(byte) << (8 * index), known | 1 << index),
                    None => (bits, known),
                });
                (known != 0).then(|| Value::partial(bits, known | beyond(width)))
            }
            Region::Object(index, offset) => {
                let object = self.objects.get(index as usize)?;
                // A table in another library's memory is taken to end here, so that code that walks it to its end gets there.
                let beyond = object.symbol.is_some() && offset >= FOREIGN_OBJECT;
                (object.zeroed || beyond).then_some(Value::ZERO)
            }
            Region::Thread(_) => {
                if let Some((template, size)) = self.image.thread_local
                    && let Some(inside) = address.checked_sub(self.space.thread_local())
                    && inside < size
                {
                    // Behind what the file has, a thread's block starts as zeros.
                    let bytes = (inside..inside + u64::from(width)).map(|inside| {
                        let there = inside < self.image.template_size;
                        if there { self.image_number(template.wrapping_add(inside), 1) } else { Some(0) }
                    });
                    let number =
                        bytes.enumerate().try_fold(0u64, |bits, (index, byte)| Some(bits | byte? << (8 * index)));
                    return number.map(Value::Known);
                }
                if self.image.format == Format::Pe {
                    let table = self.space.thread_pointer() + TLS_TABLE;
                    // ThreadLocalStoragePointer of the TEB, and the table of TLS blocks behind it.
                    let pointer_at = if self.image.pointer == 8 { 0x58 } else { 0x2c };
                    if address == self.space.thread_pointer() + pointer_at {
                        return Some(Value::Known(table));
                    }
                    if address.wrapping_sub(table) < 0x1000 {
                        return Some(Value::Known(self.space.thread_local()));
                    }
                }
                None
            }
            Region::Stack => None,
        }
    }

    /// A number in the relocated image.
    pub(super) fn image_number(&self, address: u64, width: u8) -> Option<u64> {
        let mut bits = self.image.number(address, width)?;
        let pointer = u64::from(self.image.pointer);
        let from = address.saturating_sub(pointer - 1);
        for (place, cell) in self.image.cells().range(from, address.saturating_add(u64::from(width))) {
            let value = self.cell_number(*cell);
            // The bytes of the cell that lie in the loaded ones.
            for index in 0..pointer {
                let Some(at) = place.wrapping_add(index).checked_sub(address).filter(|at| *at < u64::from(width))
                else {
                    continue;
                };
                let (source, target) =
                    if self.image.big_endian { (pointer - 1 - index, u64::from(width) - 1 - at) } else { (index, at) };
                bits = bits & !(0xff << (8 * target)) | (value >> (8 * source) & 0xff) << (8 * target);
            }
        }
        Some(bits)
    }

    /// What the loader writes for a cell, as a number.
    fn cell_number(&self, cell: Cell) -> u64 {
        match cell {
            Cell::Address(address) => address,
            Cell::Import(index, addend) => self.space.import(index).wrapping_add_signed(addend),
            Cell::ThreadOffset(offset) | Cell::ThreadDescriptor(offset) => {
                self.space.thread_local().wrapping_add(offset).wrapping_sub(self.space.thread_pointer())
                    & mask(self.image.pointer)
            }
        }
    }

    /// Stores `width` bytes: 1, 2, 4 or 8. A store to an address that is not known is left out: taking it to reach everything
    /// would leave nothing to read.
    pub(super) fn store(&mut self, path: &mut Path, place: Value, width: u8, value: Value) {
        let Some(address) = self.address(path, place) else { return };
        let known = value.known().map(|bits| bits & mask(width));
        let before = match path.memory.load(address, width) {
            Stored::All(value) => Some(value.known()),
            Stored::Some { .. } => Some(None),
            Stored::Nothing => None,
        };
        if before != Some(known) {
            let change = digest(address, width, known) ^ before.map_or(0, |before| digest(address, width, before));
            match self.space.region(address) {
                // What makes a situation of its own: numbers in the file's memory and in what it allocates (slots, definitions,
                // guards), and that something was put into a global. Counting references in objects of other libraries forks at
                // every step and must not make every path a new situation.
                None => path.stored ^= change,
                Some(Region::Object(index, _)) if known.is_some() || before.flatten().is_some() => {
                    let own = self.objects.get(index as usize).is_some_and(|object| object.symbol.is_none());
                    path.stored ^= if own { change } else { 0 };
                }
                Some(Region::Stack) if known.is_some() || before.flatten().is_some() => path.locals ^= change,
                Some(_) => {}
            }
        }
        path.memory.store(address, width, value, path.at);
    }
}

/// What one stored number adds to the sum over all.
fn digest(address: u64, width: u8, known: Option<u64>) -> u64 {
    FixedState::default().hash_one((address, width, known))
}

/// The bytes above the lowest `width`, as [`Value::partial`] counts them.
fn beyond(width: u8) -> u8 {
    !(((1u16 << width.min(8)) - 1) as u8)
}

/// `PY_VERSION_HEX` of this version, as far as it is known: the two upper bytes.
fn version_hex(version: Version) -> u32 {
    0x0300_0000 | u32::from(version.minor()) << 16
}

/// How what `Py_GetVersion` returns begins.
pub(super) fn version_text(version: Version) -> String {
    format!("{version}.")
}
