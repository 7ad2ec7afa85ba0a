//! Definitions found without evaluating code, for architectures whose instructions are not decoded here.
//!
//! The name of the module leads to its definition: a pointer to that text at the place where `m_name` lies. Such a find shows what
//! a definition declares, never that a module declares nothing: code may still set `m_slots`, or use another definition.

use gilaudit_model::{Definition, InitResult, Layout, Reason, Slots, Version};

use crate::code::{Engine, Path};
use crate::definition;
use crate::image::{Cell, Image};

/// Pointers looked at.
const POINTERS: usize = 2_000_000;

/// Looks for the one definition whose `m_name` is `short` or ends in `.short`, and reads it when it declares something.
pub(crate) fn find(image: &Image<'_>, short: &str) -> InitResult {
    let unknown = |note: &'static str| InitResult::Unknown(Reason::Architecture(image.arch, Some(note)));
    let mut engine = Engine::reader(image, Version::V3_14);
    let mut found: Vec<Definition> = Vec::new();
    for (place, cell) in image.cells().range(0, u64::MAX).iter().take(POINTERS) {
        let Cell::Address(target) = cell else { continue };
        let named = image.text(*target, 256).is_some_and(|name| name.rsplit('.').next() == Some(short));
        if !named {
            continue;
        }
        for layout in [Layout::Gil, Layout::FreeThreaded] {
            let Some(address) = place.checked_sub(definition::name_offset(layout, image.pointer)) else { continue };
            if !image.segment(address).is_some_and(|segment| segment.writable) {
                continue;
            }
            let mut path = Path::new(0);
            if !definition::head_fits(&mut engine, &mut path, address, layout) {
                continue;
            }
            let read = definition::read(&mut engine, &mut path, address, &mut Vec::new());
            let is_definition = read.layout == Some(layout)
                && read.name.is_some()
                && read.size.is_some_and(|size| (-1..1 << 24).contains(&size))
                && matches!(read.slots, Slots::Array(_));
            if is_definition {
                found.push(read);
            }
        }
    }
    match found.as_slice() {
        [one] if declares(&one.slots) => InitResult::MultiPhase(one.clone()),
        [_] => unknown("and the definition in the file has no Py_mod_gil slot, which code could add"),
        [] => unknown("and no definition of the module with slots is in the file"),
        _ => unknown("and several definitions in the file have the module's name"),
    }
}

fn declares(slots: &Slots) -> bool {
    matches!(slots, Slots::Array(slots) if slots.iter().any(|slot| matches!(slot.id, 4 | 87)))
}
