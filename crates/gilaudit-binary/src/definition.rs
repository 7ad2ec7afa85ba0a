//! Module definitions and slot arrays, read from memory as an interpreter would find them when the init function returns.

use gilaudit_model::{AbiInfo, Definition, Header, Layout, Reason, Slot, SlotValue, Slots};

use crate::code::{Engine, Path, Region, Value};

/// The size of the larger `PyModuleDef`, that of 64-bit free-threaded builds. CPython 3.13 to 3.15, `Include/moduleobject.h`.
pub(crate) const DEFINITION_SIZE: u64 = 120;
/// No array is this long: CPython 3.15 has 27 slots that a module may use.
const MAX_SLOTS: u64 = 128;
/// Nesting is read one level further than `_PySlot_MAX_NESTING` allows, so that too much of it is seen.
const MAX_NESTING: usize = 6;

/// The offset of `m_base.m_init`, which is the size of `PyObject`: reference count and type, or what free-threaded builds have.
///
/// CPython 3.14.7 `Include/object.h`: `ob_tid`, 4 bytes of flags, mutex and gc bits, 4 bytes `ob_ref_local`, `ob_ref_shared`,
/// `ob_type`.
fn head(layout: Layout, pointer: u64) -> u64 {
    match layout {
        Layout::Gil => 2 * pointer,
        Layout::FreeThreaded => 3 * pointer + 8,
    }
}

/// The offset of `m_name`.
pub(crate) fn name_offset(layout: Layout, pointer: u8) -> u64 {
    head(layout, u64::from(pointer)) + NAME * u64::from(pointer)
}

/// Whether the bytes before `m_init` are what `PyModuleDef_HEAD_INIT` leaves in a file for this layout. Where code is not evaluated,
/// only this tells the two apart: `m_name` of one lies where it would in the other, of a definition that begins a little later.
///
/// CPython 3.13.15, 3.14.7 and 3.15.0rc2, `Include/object.h`, `PyObject_HEAD_INIT`: no type, and with the GIL a reference count, which
/// is never 0; without it no thread, no shared count, and the local count of an immortal object.
pub(crate) fn head_fits(engine: &mut Engine<'_, '_>, path: &mut Path, address: u64, layout: Layout) -> bool {
    let pointer = engine.image.pointer;
    let width = u64::from(pointer);
    let mut field = |offset: u64, size: u8| engine.load(path, Value::Known(address.wrapping_add(offset)), size).known();
    match layout {
        Layout::Gil => field(0, pointer).is_some_and(|count| count != 0) && field(width, pointer) == Some(0),
        Layout::FreeThreaded => {
            field(0, pointer) == Some(0)
                && field(width + 4, 4) == Some(0xffff_ffff)
                && field(width + 8, pointer) == Some(0)
                && field(2 * width + 8, pointer) == Some(0)
        }
    }
}

/// The fields of `PyModuleDef` after the head, in pointers: `m_init`, `m_index`, `m_copy`, then these.
const NAME: u64 = 3;
const SIZE: u64 = 5;
const SLOTS: u64 = 7;

/// Reads the definition at `address`. The memory that the answer depends on is added to `ranges`.
pub(crate) fn read(
    engine: &mut Engine<'_, '_>,
    path: &mut Path,
    address: u64,
    ranges: &mut Vec<(u64, u64)>,
) -> Definition {
    let pointer = engine.image.pointer;
    let at = engine.place(path, address);
    let ob_flags = match engine.load(path, Value::Known(address.wrapping_add(u64::from(pointer))), 2) {
        Value::Known(bits) => u16::try_from(bits).ok(),
        _ => None,
    };
    let header = Header { ob_flags };
    let Some(layout) = layout(engine, path, address) else {
        let why = Reason::DefinitionLayout(at.clone());
        return Definition { at, layout: None, header, name: None, size: None, slots: Slots::Unreadable(why) };
    };
    let mut field = |index: u64| {
        let offset = head(layout, u64::from(pointer)) + index * u64::from(pointer);
        engine.load(path, Value::Known(address.wrapping_add(offset)), pointer)
    };
    let (name, size, slots) = (field(NAME), field(SIZE), field(SLOTS));
    let name = engine.text(path, name);
    let size =
        size.known().map(|bits| if pointer == 8 { bits.cast_signed() } else { i64::from((bits as u32).cast_signed()) });
    let slots = match slots {
        Value::Known(0) => Slots::Null,
        Value::Known(array) => legacy_slots(engine, path, array, 0, ranges),
        _ => Slots::Unreadable(Reason::SlotsPointer(at.clone())),
    };
    Definition { at, layout: Some(layout), header, name, size, slots }
}

/// Which `PyObject` the definition was compiled with. The two place `m_name`, which is never NULL, where the other has `m_index`
/// (0 until the interpreter sets it) or a field that is no text.
fn layout(engine: &mut Engine<'_, '_>, path: &mut Path, address: u64) -> Option<Layout> {
    let pointer = engine.image.pointer;
    let mut name =
        |layout| engine.load(path, Value::Known(address.wrapping_add(name_offset(layout, pointer))), pointer);
    let (gil, free_threaded) = (name(Layout::Gil), name(Layout::FreeThreaded));
    if let Value::Known(text) = gil
        && text != 0
    {
        return engine.text(path, gil).is_some().then_some(Layout::Gil);
    }
    if engine.text(path, free_threaded).is_some_and(|text| !text.is_empty()) {
        return Some(Layout::FreeThreaded);
    }
    // Without a name the head decides: ob_ref_local of an immortal object, or a reference count.
    let local = engine.load(path, Value::Known(address.wrapping_add(u64::from(pointer) + 4)), 4);
    let first = engine.load(path, Value::Known(address), pointer);
    match (first, local) {
        (Value::Known(0), Value::Known(0xffff_ffff)) => Some(Layout::FreeThreaded),
        (Value::Known(count), Value::Known(0)) if count != 0 => Some(Layout::Gil),
        _ => None,
    }
}

/// Reads a `PyModuleDef_Slot` array: an int id, a pointer-sized value.
fn legacy_slots(
    engine: &mut Engine<'_, '_>,
    path: &mut Path,
    array: u64,
    depth: usize,
    ranges: &mut Vec<(u64, u64)>,
) -> Slots {
    let pointer = u64::from(engine.image.pointer);
    let read = |engine: &mut Engine<'_, '_>, path: &mut Path, at: u64| {
        let Value::Known(id) = engine.load(path, Value::Known(at), 4) else { return None };
        let value = engine.load(path, Value::Known(at.wrapping_add(pointer)), engine.image.pointer);
        Some(((id as u32).cast_signed(), None, value))
    };
    entries(engine, path, array, 2 * pointer, depth, ranges, read)
}

/// Reads a `PySlot` array: 16 bytes on every platform. CPython 3.15.0rc2, `Include/slots.h`.
pub(crate) fn py_slots(
    engine: &mut Engine<'_, '_>,
    path: &mut Path,
    array: u64,
    depth: usize,
    ranges: &mut Vec<(u64, u64)>,
) -> Slots {
    /// `PySlot_INTPTR`: only a pointer's width of the value counts.
    const INTPTR: u64 = 4;
    let read = |engine: &mut Engine<'_, '_>, path: &mut Path, at: u64| {
        let Value::Known(id) = engine.load(path, Value::Known(at), 2) else { return None };
        let Value::Known(flags) = engine.load(path, Value::Known(at.wrapping_add(2)), 2) else { return None };
        let pointers = matches!(id, 92 | 94 | 100 | 101 | 103 | 109 | 110) || flags & INTPTR != 0;
        let width = if pointers { engine.image.pointer } else { 8 };
        let value = engine.load(path, Value::Known(at.wrapping_add(8)), width);
        Some((i32::try_from(id).unwrap_or(0), u16::try_from(flags).ok(), value))
    };
    entries(engine, path, array, 16, depth, ranges, read)
}

/// A slot as read: id, flags, value.
type Raw = (i32, Option<u16>, Value);

fn entries(
    engine: &mut Engine<'_, '_>,
    path: &mut Path,
    array: u64,
    stride: u64,
    depth: usize,
    ranges: &mut Vec<(u64, u64)>,
    read: impl Fn(&mut Engine<'_, '_>, &mut Path, u64) -> Option<Raw>,
) -> Slots {
    if engine.image.segment(array).is_none()
        && !matches!(engine.region(array), Some(Region::Object(..) | Region::Stack | Region::Thread(_)))
    {
        return Slots::Unreadable(Reason::SlotsOutside(array));
    }
    let mut slots = Vec::new();
    for index in 0..MAX_SLOTS {
        let address = array.wrapping_add(index * stride);
        ranges.push((address, address.wrapping_add(stride)));
        let at = engine.place(path, address);
        let Some((id, flags, value)) = read(engine, path, address) else {
            return Slots::Unreadable(Reason::SlotId { index, at });
        };
        let value = match value {
            Value::Known(bits) => match engine.region(bits) {
                Some(Region::Import(import, _)) => {
                    SlotValue::Import(engine.image.cells().import_name(import).to_owned())
                }
                _ => SlotValue::Number(bits),
            },
            _ => SlotValue::Unknown,
        };
        let source = engine.source(path, address);
        let mut slot = Slot { id, flags, value, at, source, nested: None, abi: None };
        if let SlotValue::Number(target) = slot.value
            && target != 0
            && depth < MAX_NESTING
        {
            slot.nested = match id & 0xffff {
                92 => Some(py_slots(engine, path, target, depth + 1, ranges)),
                94 => Some(legacy_slots(engine, path, target, depth + 1, ranges)),
                _ => None,
            };
            if id & 0xffff == 109 {
                slot.abi = abi_info(engine, path, target);
            }
        }
        let end = if flags.is_some() { id == 0 } else { id & 0xffff == 0 };
        slots.push(slot);
        if end {
            return Slots::Array(slots);
        }
    }
    Slots::Unreadable(Reason::SlotsWithoutEnd(engine.place(path, array)))
}

/// Reads a `PyABIInfo`. CPython 3.15.0rc2, `Include/modsupport.h`.
fn abi_info(engine: &mut Engine<'_, '_>, path: &mut Path, address: u64) -> Option<AbiInfo> {
    let mut field =
        |offset: u64, width: u8| engine.load(path, Value::Known(address.wrapping_add(offset)), width).known();
    Some(AbiInfo {
        major: u8::try_from(field(0, 1)?).ok()?,
        minor: u8::try_from(field(1, 1)?).ok()?,
        flags: u16::try_from(field(2, 2)?).ok()?,
        build_version: u32::try_from(field(4, 4)?).ok()?,
        abi_version: u32::try_from(field(8, 4)?).ok()?,
    })
}
