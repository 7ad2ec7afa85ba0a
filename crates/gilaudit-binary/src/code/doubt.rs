//! What an answer rests on that an import may have changed: slots that it was given, the number of the last error, memory that was
//! given back, and code that runs a second time.

use gilaudit_model::{InitResult, Reason};

use super::path::Path;
use super::space::Region;
use super::value::Value;
use super::{Engine, Origin, memory};

/// Words of a structure on the stack that are looked at.
const WORDS: u64 = 8;
/// Pointers that are remembered of one path.
const REMEMBERED: usize = 4096;

/// Functions after which code that ran already may run again, or on another stack.
const TWICE: [&str; 9] = [
    "setjmp",
    "_setjmp",
    "sigsetjmp",
    "__sigsetjmp",
    "_setjmpex",
    "vfork",
    "getcontext",
    "swapcontext",
    "__intrinsic_setjmp",
];

/// Functions that give memory back.
const FREES: [&str; 8] =
    ["free", "PyMem_Free", "PyMem_RawFree", "PyObject_Free", "_ZdlPv", "_ZdlPvm", "_ZdaPv", "_ZdaPvm"];

/// Where the C libraries keep the number of the last error, which any call may change.
const ERROR_NUMBERS: [&str; 4] = ["__errno_location", "__error", "_errno", "___errno"];

impl Engine<'_, '_> {
    /// Whether a value is the address of the number of the last error.
    pub(super) fn is_error_number(&self, address: u64) -> bool {
        let Some(Region::Object(index, 0)) = self.space.region(address) else { return false };
        let symbol = self.objects.get(index as usize).and_then(|object| object.symbol);
        let Some(Origin::Import { import, .. }) = symbol.and_then(|id| self.origin(id)) else { return false };
        ERROR_NUMBERS.contains(&self.image.cells().import_name(*import))
    }

    /// Notes the pointers that an import is given.
    pub(super) fn note_given(&mut self, path: &mut Path, import: u32) {
        let name = self.image.cells().import_name(import);
        if TWICE.contains(&name) {
            path.twice = Some(import);
        }
        // What they write in the guard, taking it wrote already.
        if name.starts_with("__cxa_guard_") {
            return;
        }
        let of_python = name.starts_with("Py") || name.starts_with("_Py");
        let frees = FREES.contains(&name);
        for index in 0..6 {
            let value = self.argument(path, index);
            let Value::Known(pointer) = path.resolve(value) else { continue };
            if frees && index == 0 && pointer != 0 && !path.freed.contains(&pointer) {
                path.freed.push(pointer);
            }
            self.note_pointer(path, import, pointer);
            if self.space.region(pointer) != Some(Region::Stack) || of_python {
                continue;
            }
            for word in 0..WORDS {
                let place = pointer.wrapping_add(word * u64::from(self.image.pointer));
                if let memory::Stored::All(Value::Known(inner)) = path.memory.load(place, self.image.pointer) {
                    self.note_pointer(path, import, inner);
                }
            }
        }
    }

    fn note_pointer(&self, path: &mut Path, import: u32, pointer: u64) {
        let data = self.image.segment(pointer).is_some_and(|segment| segment.writable);
        if data && path.given.len() < REMEMBERED && !path.given.contains(&(pointer, import)) {
            path.given.push((pointer, import));
        }
    }

    /// Why the declaration that was read from `ranges`, the definition first, cannot be relied on.
    pub(super) fn doubt(&self, path: &Path, ranges: &[(u64, u64)]) -> Option<InitResult> {
        let name = |import: u32| self.image.cells().import_name(import);
        if let Some(import) = path.twice {
            return Some(InitResult::Unknown(Reason::ReturnsTwice(name(import).to_owned())));
        }
        let (_, slots) = ranges.split_first()?;
        let inside = |pointer: u64| slots.iter().any(|(from, to)| (*from..*to).contains(&pointer));
        if let Some((_, import)) = path.given.iter().find(|(pointer, _)| inside(*pointer)) {
            return Some(InitResult::Unknown(Reason::HandedSlots(name(*import).to_owned())));
        }
        None
    }
}
