//! What an interpreter makes of a module's slots.

use crate::{AbiInfo, FailureKind, ImportFailure, Reason, Slot, SlotValue, Slots, Version};

/// `Py_MOD_GIL_USED`. CPython 3.13 to 3.15, `Include/moduleobject.h`.
pub const GIL_USED: u64 = 0;
/// `Py_MOD_GIL_NOT_USED`. CPython 3.13 to 3.15, `Include/moduleobject.h`.
pub const GIL_NOT_USED: u64 = 1;

/// Slot ids after resolution, CPython 3.15.0rc2 `Include/slots_generated.h`; before 3.15 the first four were 1 to 4.
mod id {
    pub(super) const CREATE: u32 = 84;
    pub(super) const EXEC: u32 = 85;
    pub(super) const MULTIPLE_INTERPRETERS: u32 = 86;
    pub(super) const GIL: u32 = 87;
    pub(super) const SUBSLOTS: u32 = 92;
    pub(super) const MOD_SLOTS: u32 = 94;
    pub(super) const NAME: u32 = 100;
    pub(super) const STATE_SIZE: u32 = 102;
    pub(super) const METHODS: u32 = 103;
    pub(super) const ABI: u32 = 109;
    pub(super) const TOKEN: u32 = 110;
}

/// `PySlot.sl_flags`, CPython 3.15.0rc2 `Include/slots.h`.
mod flag {
    pub(super) const OPTIONAL: u16 = 1;
    pub(super) const STATIC: u16 = 2;
}

/// `_PySlot_MAX_NESTING`, CPython 3.15.0rc2 `Include/internal/pycore_slots.h`.
const MAX_NESTING: usize = 5;

/// What the slots of one module say to one version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlotsRead<'a> {
    /// The `Py_mod_gil` entry.
    pub gil: Option<&'a Slot>,
    /// The `Py_mod_create` entry.
    pub create: Option<&'a Slot>,
    /// The `Py_mod_abi` entries (3.15).
    pub abi: Vec<&'a Slot>,
}

impl SlotsRead<'_> {
    /// The value of `Py_mod_gil`; without the slot, CPython's default, `Py_MOD_GIL_USED`. `None` when the value is not known.
    pub fn gil_value(&self) -> Option<u64> {
        match self.gil.map(|slot| &slot.value) {
            None => Some(GIL_USED),
            Some(SlotValue::Number(value)) => Some(*value),
            Some(SlotValue::Import(_) | SlotValue::Unknown) => None,
        }
    }
}

/// Why slots could not be taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotError {
    /// The interpreter refuses them.
    Refused(ImportFailure),
    /// They could not be read from the file.
    Unreadable(Reason),
}

fn refused<T>(error: String) -> Result<T, SlotError> {
    Err(SlotError::Refused(ImportFailure { kind: FailureKind::Slots, error: format!("SystemError: {error}") }))
}

/// The name of a module slot, by its id in `version`.
pub fn slot_name(slot_id: i64, version: Version) -> String {
    let resolved = match slot_id {
        1..=4 => slot_id + 83,
        _ if version >= Version::V3_15 => slot_id & 0xffff,
        _ => -1,
    };
    let name = match resolved {
        84 | 1 => "Py_mod_create",
        85 | 2 => "Py_mod_exec",
        86 | 3 => "Py_mod_multiple_interpreters",
        87 | 4 => "Py_mod_gil",
        92 => "Py_slot_subslots",
        94 => "Py_mod_slots",
        100 => "Py_mod_name",
        101 => "Py_mod_doc",
        102 => "Py_mod_state_size",
        103 => "Py_mod_methods",
        104 => "Py_mod_state_traverse",
        105 => "Py_mod_state_clear",
        106 => "Py_mod_state_free",
        109 => "Py_mod_abi",
        110 => "Py_mod_token",
        _ => return format!("slot {slot_id}"),
    };
    name.to_owned()
}

/// Reads the `m_slots` of a definition as `version` does.
pub(super) fn read_definition<'a>(
    slots: &'a Slots,
    version: Version,
    module: &str,
) -> Result<SlotsRead<'a>, SlotError> {
    if version >= Version::V3_15 {
        return read_nested(slots, module, true);
    }
    let mut read = SlotsRead::default();
    let mut seen_multiple_interpreters = false;
    for slot in entries(slots)? {
        // CPython 3.13.15 and 3.14.7, Objects/moduleobject.c, PyModule_FromDefAndSpec2.
        match slot.id {
            0 => break,
            1 if read.create.is_some() => return refused(format!("module {module} has multiple create slots")),
            1 => read.create = Some(slot),
            2 => {}
            3 if seen_multiple_interpreters => {
                return refused(format!("module {module} has more than one 'multiple interpreters' slots"));
            }
            3 => seen_multiple_interpreters = true,
            4 if read.gil.is_some() => return refused(format!("module {module} has more than one 'gil' slot")),
            4 => read.gil = Some(slot),
            other => return refused(format!("module {module} uses unknown slot ID {other}")),
        }
    }
    Ok(read)
}

/// Reads the `PySlot` array of a `PyModExport_*` function; 3.15.
pub(super) fn read_export<'a>(slots: &'a Slots, module: &str) -> Result<SlotsRead<'a>, SlotError> {
    let read = read_nested(slots, module, false)?;
    if read.abi.is_empty() {
        return refused(format!(
            "module {module} does not define Py_mod_abi, which is mandatory for modules defined from slots only."
        ));
    }
    Ok(read)
}

fn entries(slots: &Slots) -> Result<&[Slot], SlotError> {
    match slots {
        Slots::Null => Ok(&[]),
        Slots::Array(entries) => Ok(entries),
        Slots::Unreadable(why) => Err(SlotError::Unreadable(why.clone())),
    }
}

/// The walk over possibly nested arrays of CPython 3.15.0rc2: `Python/slots.c`, `_PySlotIterator_Next` and `handle_first_run`, and
/// what `Objects/moduleobject.c`, `module_from_slots_and_spec`, does with each slot.
fn read_nested<'a>(slots: &'a Slots, module: &str, from_definition: bool) -> Result<SlotsRead<'a>, SlotError> {
    let mut walk = Walk { module, from_definition, seen: Vec::new(), read: SlotsRead::default() };
    walk.array(slots, 0)?;
    Ok(walk.read)
}

struct Walk<'a, 'm> {
    module: &'m str,
    from_definition: bool,
    seen: Vec<u32>,
    read: SlotsRead<'a>,
}

impl<'a> Walk<'a, '_> {
    fn array(&mut self, slots: &'a Slots, depth: usize) -> Result<(), SlotError> {
        for slot in entries(slots)? {
            // The id is cut to 16 bits, so that 0x10004 is slot 4.
            let raw = (slot.id & 0xffff).unsigned_abs();
            let flags = slot.flags.unwrap_or(0);
            let resolved = match raw {
                0 if flags & flag::OPTIONAL != 0 => {
                    return refused(format!("invalid flags for Py_slot_end: {flags:#x}"));
                }
                0 => return Ok(()),
                1..=4 => raw + 83,
                id::CREATE..=id::GIL | id::SUBSLOTS | id::MOD_SLOTS | id::NAME..=106 | id::ABI | id::TOKEN => raw,
                _ if flags & flag::OPTIONAL != 0 => continue,
                5..=110 => return refused(format!("invalid module slot {raw}")),
                _ => return refused(format!("unknown module slot ID {raw}")),
            };
            if matches!(resolved, id::SUBSLOTS | id::MOD_SLOTS) {
                self.nested(slot, resolved, depth)?;
            } else {
                self.entry(slot, resolved)?;
            }
        }
        Ok(())
    }

    fn nested(&mut self, slot: &'a Slot, resolved: u32, depth: usize) -> Result<(), SlotError> {
        if slot.value == SlotValue::Number(0) {
            return Ok(());
        }
        if self.from_definition && slot.flags.is_some_and(|flags| flags & flag::STATIC == 0) {
            return refused("slots included from PyModuleDef must be static".to_owned());
        }
        if depth + 1 >= MAX_NESTING {
            let name = slot_name(i64::from(resolved), Version::V3_15);
            return refused(format!("{name} (slot {resolved}): too many levels of nested slots"));
        }
        match &slot.nested {
            Some(nested) => self.array(nested, depth + 1),
            None => Err(SlotError::Unreadable(Reason::NestedSlots(slot.at.clone()))),
        }
    }

    fn entry(&mut self, slot: &'a Slot, resolved: u32) -> Result<(), SlotError> {
        let module = self.module;
        let name = slot_name(i64::from(resolved), Version::V3_15);
        if resolved == id::METHODS && slot.flags.is_some_and(|flags| flags & flag::STATIC == 0) {
            return refused(format!("{name} requires PySlot_STATIC"));
        }
        let may_be_null = matches!(resolved, id::CREATE | id::MULTIPLE_INTERPRETERS | id::GIL | id::STATE_SIZE);
        if !may_be_null && slot.value == SlotValue::Number(0) {
            return refused(format!("NULL not allowed for slot {name}"));
        }
        let may_repeat = matches!(resolved, id::EXEC | id::ABI);
        if !may_repeat && self.seen.contains(&resolved) {
            return refused(format!("module {module} has multiple {name} ({resolved}) slots"));
        }
        if resolved == id::EXEC && !self.from_definition && self.seen.contains(&resolved) {
            return refused(format!("module {module} has multiple Py_mod_exec slots"));
        }
        self.seen.push(resolved);
        match resolved {
            id::GIL => self.read.gil = Some(slot),
            id::CREATE => self.read.create = Some(slot),
            id::ABI => self.read.abi.push(slot),
            _ => {}
        }
        Ok(())
    }
}

/// The error that `PyABIInfo_Check` of CPython 3.15.0rc2 (`Python/modsupport.c`) raises, if it does.
pub(super) fn check_abi(info: &AbiInfo, module: &str, free_threaded: bool) -> Option<ImportFailure> {
    const STABLE: u16 = 1;
    const GIL: u16 = 2;
    const FREE_THREADED: u16 = 4;
    const INTERNAL: u16 = 8;
    const VERSION: u32 = 0x030f_0000;
    let major_minor = |hex: u32| (hex >> 24 & 0xff, hex >> 16 & 0xff);
    let fail = |text: String| {
        Some(ImportFailure { kind: FailureKind::WrongAbi, error: format!("ImportError: {module}: {text}") })
    };
    if info.major == 0 {
        return None;
    }
    if info.major > 1 {
        return fail("PyABIInfo version too high".to_owned());
    }
    // The internal ABI must match PY_VERSION_HEX to the last digit, which a target of major.minor does not fix: only another
    // feature release is certain to be refused.
    let (major, minor) = major_minor(info.abi_version);
    let other_release = info.abi_version & 0xffff_0000 != VERSION;
    if info.flags & INTERNAL != 0 && info.abi_version != 0 && other_release {
        return fail(format!("incompatible internal ABI ({:#x})", info.abi_version));
    }
    if info.flags & STABLE != 0 {
        if info.abi_version != 0 && info.abi_version & 0xffff_0000 > VERSION {
            return fail(format!("incompatible future stable ABI version ({major}.{minor})"));
        }
        if info.abi_version != 0 && info.abi_version < 0x0302_0000 {
            return fail(format!("invalid stable ABI version ({major}.{minor})"));
        }
        if info.flags & INTERNAL != 0 {
            return fail("cannot use both internal and stable ABI".to_owned());
        }
    } else if info.abi_version != 0 && other_release {
        return fail(format!("incompatible ABI version ({major}.{minor})"));
    }
    match (info.flags & (GIL | FREE_THREADED), free_threaded) {
        (GIL, true) => fail("incompatible with free-threaded CPython".to_owned()),
        (FREE_THREADED, false) => fail("only compatible with free-threaded CPython".to_owned()),
        _ => None,
    }
}
