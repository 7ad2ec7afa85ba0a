//! The names that Python sees: tables of methods, attributes and types in relocated data.

use std::collections::{BTreeMap, BTreeSet};

use gilaudit_model::flow::{Parameter, PythonName, Role};

use super::roles::{self, GETTER, SETTER};
use crate::image::{Cell, Image};

/// Most entries of one table that are read.
const LONGEST_TABLE: u64 = 4096;

/// The longest name.
const LONGEST_NAME: usize = 256;

/// What the tables say of one function.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) names: BTreeSet<PythonName>,
    pub(super) role: Role,
    pub(super) parameters: Vec<Parameter>,
}

/// What the tables say.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) functions: BTreeMap<u64, Named>,
    /// Functions of types that a framework brings with it.
    pub(super) generated: BTreeSet<u64>,
    /// What `Py_mod_exec` and `Py_mod_create` slots run.
    pub(super) executed: BTreeSet<u64>,
}

struct Reader<'i, 'd> {
    image: &'i Image<'d>,
    free_threaded: bool,
    tables: Tables,
    /// Tables of methods that belong to a type.
    owned: BTreeSet<u64>,
}

/// Reads the tables of an image of 64 bits.
pub(super) fn read(image: &Image<'_>, free_threaded: bool) -> Tables {
    let mut reader = Reader { image, free_threaded, tables: Tables::default(), owned: BTreeSet::new() };
    let cells = image.cells().range(0, u64::MAX);
    let named: Vec<(u64, String)> = cells
        .iter()
        .filter_map(|(at, cell)| match cell {
            Cell::Address(text) if !image.is_code(*text) => Some((*at, reader.name(*text)?)),
            _ => None,
        })
        .collect();
    for (at, name) in &named {
        reader.specification(*at, name);
        reader.static_type(*at, name);
    }
    // What is left over belongs to the module, or to something that is not known.
    for (at, _) in &named {
        if !reader.owned.contains(at) {
            reader.method(*at, None);
        }
    }
    for (at, cell) in cells {
        if let Cell::Address(function) = cell {
            reader.module_slot(*at, *function);
        }
    }
    reader.tables
}

impl Reader<'_, '_> {
    /// A name that Python may know something by.
    fn name(&self, at: u64) -> Option<String> {
        let name = self.image.text(at, LONGEST_NAME)?;
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '<' | '>');
        (!name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(is_name))
            .then_some(name)
    }

    fn code(&self, at: u64) -> Option<u64> {
        match self.image.cells().get(at)? {
            Cell::Address(address) if self.image.is_code(address) => Some(address),
            _ => None,
        }
    }

    fn data(&self, at: u64) -> Option<u64> {
        match self.image.cells().get(at)? {
            Cell::Address(address) if !self.image.is_code(address) => Some(address),
            _ => None,
        }
    }

    /// A number that nothing is relocated in.
    fn plain(&self, at: u64, width: u8) -> Option<u64> {
        if self.image.cells().get(at).is_some() { None } else { self.image.number(at, width) }
    }

    fn add(&mut self, function: u64, of: Option<&str>, name: &str, role: Role, parameters: &[Parameter]) {
        if of.is_some_and(is_of_framework) {
            self.tables.generated.insert(function);
        }
        let of = of.map(|of| of.rsplit('.').next().unwrap_or(of).to_owned());
        let new = || Named { names: BTreeSet::new(), role, parameters: parameters.to_vec() };
        let named = self.tables.functions.entry(function).or_insert_with(new);
        if named.role != role || named.parameters != parameters {
            // One function in several places: what is said of it must be true in each.
            named.role = if named.role == Role::Python || role == Role::Python { Role::Python } else { named.role };
            let shared = named.parameters.iter().zip(parameters);
            named.parameters = shared.map(|(a, b)| if a == b { *a } else { Parameter::Unknown }).collect();
        }
        named.names.insert(PythonName { of, name: name.to_owned() });
    }

    /// `PyMethodDef`: `ml_name`, `ml_meth`, `ml_flags`, `ml_doc`. Whether there is one here.
    fn method(&mut self, at: u64, of: Option<&str>) -> bool {
        let read = || {
            let name = self.name(self.data(at)?)?;
            let function = self.code(at.checked_add(8)?)?;
            let flags = u32::try_from(self.plain(at.checked_add(16)?, 4)?).ok()?;
            Some((name, function, roles::method(flags)?))
        };
        let Some((name, function, parameters)) = read() else { return false };
        // Reductions that pickle an object are called by Python like any other.
        self.add(function, of, &name, Role::Python, parameters);
        true
    }

    fn methods(&mut self, table: u64, of: &str) {
        for index in 0..LONGEST_TABLE {
            let at = table.saturating_add(index * 32);
            self.owned.insert(at);
            if !self.method(at, Some(of)) {
                return;
            }
        }
    }

    /// A table of `PyGetSetDef`: `name`, `get`, `set`, `doc`, `closure`.
    fn attributes(&mut self, table: u64, of: &str) {
        for index in 0..LONGEST_TABLE {
            let at = table.saturating_add(index * 40);
            let Some(name) = self.data(at).and_then(|text| self.name(text)) else { return };
            if let Some(getter) = self.code(at.saturating_add(8)) {
                self.add(getter, Some(of), &name, Role::Python, GETTER);
            }
            if let Some(setter) = self.code(at.saturating_add(16)) {
                self.add(setter, Some(of), &name, Role::Python, SETTER);
            }
        }
    }

    fn slot(&mut self, id: u32, at: u64, of: &str) {
        match (id, self.code(at), self.data(at)) {
            (roles::TP_METHODS, _, Some(table)) => self.methods(table, of),
            (roles::TP_GETSET, _, Some(table)) => self.attributes(table, of),
            (_, Some(function), _) => {
                if let Some((name, role, parameters)) = roles::slot(id) {
                    self.add(function, Some(of), name, role, parameters);
                }
            }
            _ => {}
        }
    }

    /// `PyType_Spec`: `name`, `basicsize`, `itemsize`, `flags`, `slots`. CPython 3.13 to 3.15, `Include/object.h`.
    fn specification(&mut self, at: u64, name: &str) {
        let read = || {
            let basic = self.plain(at.checked_add(8)?, 4)?.cast_signed() as i32;
            let item = self.plain(at.checked_add(12)?, 4)?.cast_signed() as i32;
            let slots = self.data(at.checked_add(24)?)?;
            let first = self.plain(slots, 4)?;
            // 83 is the last slot's id of 3.14.
            ((-4096..=1 << 20).contains(&basic) && (0..=4096).contains(&item) && (1..=83).contains(&first))
                .then_some(slots)
        };
        let Some(slots) = read() else { return };
        for index in 0..128 {
            let entry = slots.saturating_add(index * 16);
            let Some(id) = self.plain(entry, 4).and_then(|id| u32::try_from(id).ok()) else { return };
            if !(1..=83).contains(&id) {
                return;
            }
            self.slot(id, entry.saturating_add(8), name);
        }
    }

    /// `PyTypeObject`, whose `tp_name` is here.
    fn static_type(&mut self, at: u64, name: &str) {
        // `PyVarObject` in front: CPython 3.13 to 3.15, `Include/object.h`.
        let head = if self.free_threaded { 0x28 } else { 0x18 };
        let Some(object) = at.checked_sub(head) else { return };
        let count = |offset: u64, width| self.plain(object.saturating_add(offset), width);
        // `_Py_IMMORTAL_REFCNT_LOCAL`; in GIL builds one reference, or what makes an object immortal (3.12, 3.13; 3.14).
        let is_object = if self.free_threaded {
            count(0xc, 4) == Some(0xffff_ffff)
        } else {
            matches!(count(0, 4), Some(1 | 0x3fff_ffff | 0xffff_ffff | 0xc000_0000))
        };
        let basic = self.plain(at.saturating_add(8), 8);
        if !is_object || !basic.is_some_and(|size| (16..1 << 20).contains(&size)) {
            return;
        }
        for (words, id) in roles::STATIC_TYPE {
            self.slot(id, at.saturating_add(words * 8), name);
        }
        for (words, ids) in roles::SUITES {
            let Some(suite) = self.data(at.saturating_add(words * 8)) else { continue };
            for (index, id) in ids.iter().enumerate().filter(|(_, id)| **id != 0) {
                self.slot(*id, suite.saturating_add(index as u64 * 8), name);
            }
        }
    }

    /// `PyModuleDef_Slot` of `Py_mod_create` (1) or `Py_mod_exec` (2), in an array that a terminator or another such slot follows.
    /// CPython 3.13 to 3.15, `Include/moduleobject.h`; `PySlot` of 3.15 has other ids (84, 85) in the same place.
    fn module_slot(&mut self, at: u64, function: u64) {
        let Some(slot) = at.checked_sub(8) else { return };
        if !self.image.is_code(function) || !matches!(self.plain(slot, 8), Some(1 | 2 | 84 | 85)) {
            return;
        }
        // Slots of types have the same shape: their functions have names by now.
        let follows = self.plain(slot.saturating_add(16), 8);
        if matches!(follows, Some(0..=4 | 84..=90)) && !self.tables.functions.contains_key(&function) {
            self.tables.executed.insert(function);
        }
    }
}

/// Whether a type of this name is one that Cython puts into every module: `_cython_3_2_9.cython_function_or_method`, memory views.
fn is_of_framework(name: &str) -> bool {
    name.starts_with("_cython_")
        || name.contains("View.MemoryView")
        || matches!(name, "cython_function_or_method" | "pybind11_static_property" | "nb_method" | "nb_func")
}
