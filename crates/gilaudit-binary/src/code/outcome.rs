//! From the ends of paths to what an init function does.

use gilaudit_model::{Delegate, ExportSlots, GilCall, HookKind, InitResult, Layout, Place, Reason, SlotSource, Slots};

use super::path::{CallSite, Path};
use super::value::Value;
use super::{Engine, Origin};
use crate::definition::{self, DEFINITION_SIZE};

/// What one path leads to.
pub(super) struct End {
    result: InitResult,
    /// Initialisers of the file that may write to memory that the result was read from.
    initializers: Vec<u64>,
    /// Callees that were passed over although they may have changed what was read.
    suspects: Vec<u64>,
    /// The imports whose results decided a branch on the way.
    depends_on: Vec<u32>,
    /// Whether callees were passed over on the way.
    passed_over: bool,
    /// The path ended with NULL: the import fails there.
    failed: bool,
}

/// What all paths together say.
pub(super) enum Conclusion {
    Result(Box<InitResult>),
    /// Run again, following these functions.
    Inline(Vec<u64>),
    /// Run again, after these initialisers of the file.
    Initialize(Vec<u64>),
}

impl Engine<'_, '_> {
    /// Reads what a finished path leads to.
    pub(super) fn end(&mut self, mut path: Path, hook: HookKind) -> End {
        let value = self.result(&path);
        let failed = value == Value::ZERO;
        let passed_over = path.skipped.len() > 0;
        let (result, ranges) = match value {
            Value::Known(0) => (InitResult::Fails("the init function returns NULL".to_owned()), Vec::new()),
            Value::Known(address) if hook == HookKind::Export => self.export(&mut path, address),
            Value::Known(address) => self.object_returned(&mut path, address),
            Value::Symbol(id, 0) => {
                let origin = self.origin(id).cloned();
                if let Some(Origin::Skipped(function)) = origin {
                    let result = InitResult::Unknown(Reason::CalleeResult(self.image.place(function)));
                    let initializers = Vec::new();
                    return End {
                        result,
                        initializers,
                        suspects: vec![function],
                        depends_on: path.depends_on,
                        passed_over,
                        failed,
                    };
                }
                (self.handed_on(&mut path, origin.as_ref()), Vec::new())
            }
            _ => (InitResult::Unknown(Reason::ReturnValue), Vec::new()),
        };
        let read = Self::read(&path, &ranges);
        let certain = !matches!(result, InitResult::Unknown(_) | InitResult::Fails(_));
        let doubt = if certain { self.doubt(&path, &ranges) } else { None };
        let result = doubt.unwrap_or(result);
        let suspects = self.suspects(&path, &ranges);
        let initializers = self.initializers_of(&read);
        let result = match self.handed_suspect(&path, &read) {
            Some(function) => InitResult::Unknown(Reason::HandedFunction(self.image.place(function))),
            None => result,
        };
        let result = match result {
            // CPython 3.13 to 3.15, Python/importdl.c, _PyImport_RunModInitFunc.
            InitResult::MultiPhase(_) | InitResult::SinglePhase { .. } if path.raised => InitResult::Fails(
                "SystemError: the init function raised an exception and returned all the same".to_owned(),
            ),
            result => result,
        };
        End { result, initializers, suspects, depends_on: path.depends_on, passed_over, failed }
    }

    fn export(&mut self, path: &mut Path, address: u64) -> (InitResult, Vec<(u64, u64)>) {
        let mut ranges = Vec::new();
        let slots = definition::py_slots(self, path, address, 0, &mut ranges);
        let at = self.place(path, address);
        (InitResult::Export(ExportSlots { at, slots }), ranges)
    }

    fn object_returned(&mut self, path: &mut Path, address: u64) -> (InitResult, Vec<(u64, u64)>) {
        if path.definitions.contains_key(&address) {
            let mut ranges = vec![(address, address.saturating_add(DEFINITION_SIZE))];
            return (InitResult::MultiPhase(definition::read(self, path, address, &mut ranges)), ranges);
        }
        if let Some(module) = path.modules.get(&address).cloned() {
            if path.unclear_module {
                return (InitResult::Unknown(Reason::SetGilObject), Vec::new());
            }
            let mut ranges = vec![(module.definition, module.definition.saturating_add(DEFINITION_SIZE))];
            let definition = definition::read(self, path, module.definition, &mut ranges);
            let gil = module.gil.map(|(value, call)| GilCall { value, at: self.site(&call) });
            let created = self.site(&module.created);
            return (InitResult::SinglePhase { definition, gil, created }, ranges);
        }
        let symbol = self.space_object_symbol(address);
        let origin = symbol.and_then(|id| self.origin(id).cloned());
        if let Some(origin) = origin {
            if let Origin::Skipped(function) = origin {
                return (InitResult::Unknown(Reason::CalleeResult(self.image.place(function))), Vec::new());
            }
            return (self.handed_on(path, Some(&origin)), Vec::new());
        }
        if self.image.segment(address).is_some() {
            let why = "SystemError: the init function returns a static object that PyModuleDef_Init was not called on";
            return (InitResult::Fails(why.to_owned()), Vec::new());
        }
        (InitResult::Unknown(Reason::OtherObject), Vec::new())
    }

    fn space_object_symbol(&self, address: u64) -> Option<super::SymbolId> {
        match self.space.region(address) {
            Some(super::Region::Object(index, 0)) => self.objects.get(index as usize).and_then(|object| object.symbol),
            _ => None,
        }
    }

    /// Who made the object that the init function returns, when it did not make it itself.
    fn handed_on(&mut self, path: &mut Path, origin: Option<&Origin>) -> InitResult {
        match origin {
            Some(Origin::Import { import, arguments, .. }) => self.handed_to_import(path, *import, arguments),
            Some(Origin::Indirect { target }) => match self.capsule(path, *target) {
                Some(to) => InitResult::Delegated(to),
                None => InitResult::Unknown(Reason::PointerCall),
            },
            _ => InitResult::Unknown(Reason::ForeignObject),
        }
    }

    fn handed_to_import(&mut self, path: &mut Path, import: u32, arguments: &[Value; 4]) -> InitResult {
        if let Some(module) = self.imported_module(path, import, arguments) {
            return InitResult::Delegated(Delegate::Module(module));
        }
        let name = self.image.cells().import_name(import);
        if name.starts_with("PyObject_Call") || name.starts_with("_PyObject_Call") {
            // A method of an imported module: `PyObject_CallMethod(module, "name", …)`.
            let module = self.provenance(path, arguments[0]).and_then(|origin| match origin {
                Origin::Import { import, arguments, .. } => self.imported_module(path, import, &arguments),
                _ => None,
            });
            let method = self.text(path, arguments[1]);
            if let (Some(module), Some(attribute)) = (module, method) {
                let cffi = module == "_cffi_backend" && attribute == "_init_cffi_1_0_external_module";
                return InitResult::Delegated(if cffi {
                    Delegate::CffiBackend
                } else {
                    Delegate::Capsule { module, attribute }
                });
            }
        }
        // CPython 3.13 to 3.15, Python/importdl.c, _PyImport_RunModInitFunc.
        if matches!(name, "PyModule_New" | "PyModule_NewObject") {
            let why =
                "SystemError: the init function did not return a valid extension module: a module without a definition";
            return InitResult::Fails(why.to_owned());
        }
        let plain =
            ["PyDict_", "PyList_", "PyTuple_", "PySet_", "PyLong_", "PyFloat_", "PyUnicode_", "PyBytes_", "PyBool_"];
        let new = |rest: &str| rest == "New" || rest.starts_with("From");
        if plain.iter().any(|prefix| name.strip_prefix(prefix).is_some_and(new)) {
            let why =
                format!("SystemError: the init function did not return an extension module but the result of {name}");
            return InitResult::Fails(why);
        }
        let of_python = name.starts_with("Py") || name.starts_with("_Py");
        if of_python {
            InitResult::Unknown(Reason::ApiResult(name.to_owned()))
        } else {
            InitResult::Delegated(Delegate::Library { symbol: name.to_owned() })
        }
    }

    /// The function pointer in a capsule attribute of an imported module, as mypyc's shims fetch it.
    fn capsule(&mut self, path: &mut Path, target: Value) -> Option<Delegate> {
        let Origin::Import { import, arguments, .. } = self.provenance(path, target)? else { return None };
        let name = self.image.cells().import_name(import);
        if name == "PyCapsule_Import" {
            let (module, attribute) = self.text(path, arguments[0]).and_then(|text| {
                text.rsplit_once('.').map(|(module, attribute)| (module.to_owned(), attribute.to_owned()))
            })?;
            return Some(Delegate::Capsule { module, attribute });
        }
        if name != "PyCapsule_GetPointer" {
            return None;
        }
        let Origin::Import { import, arguments, .. } = self.provenance(path, arguments[0])? else { return None };
        if !self.image.cells().import_name(import).starts_with("PyObject_GetAttr") {
            return None;
        }
        let attribute = self.text(path, arguments[1])?;
        let Origin::Import { import, arguments, .. } = self.provenance(path, arguments[0])? else { return None };
        let module = self.imported_module(path, import, &arguments)?;
        Some(Delegate::Capsule { module, attribute })
    }

    fn imported_module(&mut self, path: &mut Path, import: u32, arguments: &[Value; 4]) -> Option<String> {
        match self.image.cells().import_name(import) {
            "PyImport_ImportModule" | "PyImport_ImportModuleNoBlock" | "PyImport_ImportModuleLevel" => {
                self.text(path, arguments[0])
            }
            "PyImport_Import" => {
                let Origin::Import { import, arguments, .. } = self.provenance(path, arguments[0])? else {
                    return None;
                };
                let made = self.image.cells().import_name(import).starts_with("PyUnicode_");
                made.then(|| self.text(path, arguments[0])).flatten()
            }
            _ => None,
        }
    }

    /// Where a value comes from, be it still an unknown quantity or the object that it turned out to be.
    fn provenance(&self, path: &Path, value: Value) -> Option<Origin> {
        let id = match value {
            Value::Symbol(id, 0) => id,
            _ => match path.resolve(value) {
                Value::Known(address) => self.space_object_symbol(address)?,
                Value::Symbol(id, 0) => id,
                _ => return None,
            },
        };
        self.origin(id).cloned()
    }

    /// All memory that the answer depends on: where it was read from, and what was read on the way as it is in the file.
    fn read(path: &Path, ranges: &[(u64, u64)]) -> Vec<(u64, u64)> {
        let read = path.reads.keys().map(|(address, width)| (*address, address.saturating_add(u64::from(*width))));
        ranges.iter().copied().chain(read).collect()
    }

    /// The initialisers of the file, in the loader's order, that may write to memory that the answer depends on: static constructors that fill
    /// in definitions, slots or flags.
    fn initializers_of(&mut self, read: &[(u64, u64)]) -> Vec<u64> {
        let functions = self.image.initializers();
        functions.into_iter().filter(|function| self.summaries.may_write(self.image, *function, read)).collect()
    }

    /// A function that an import was given and may have run, and that could change the answer.
    fn handed_suspect(&mut self, path: &Path, read: &[(u64, u64)]) -> Option<u64> {
        let mut handed: Vec<u64> = path.handed.keys().copied().collect();
        handed.sort_unstable();
        handed.into_iter().find(|function| {
            self.summaries.may_write(self.image, *function, read) || self.summaries.of(self.image, *function).decisive
        })
    }

    /// The callees passed over that were given, or may write to, memory that the result was read from.
    fn suspects(&mut self, path: &Path, ranges: &[(u64, u64)]) -> Vec<u64> {
        if ranges.is_empty() {
            return Vec::new();
        }
        let near = |pointer: &u64| ranges.iter().any(|(from, to)| (from.saturating_sub(64)..*to).contains(pointer));
        let mut suspects = Vec::new();
        let mut passed_over: Vec<(u64, u64)> = path.skipped.keys().copied().collect();
        passed_over.sort_unstable();
        passed_over.dedup();
        for (function, pointer) in passed_over {
            if self.inline.contains(&function) || suspects.contains(&function) {
                continue;
            }
            if near(&pointer) || pointer == 0 && self.summaries.may_write(self.image, function, ranges) {
                suspects.push(function);
            }
        }
        suspects
    }

    /// Draws the conclusion from all ends.
    pub(super) fn conclude(&mut self, ends: Vec<End>) -> Conclusion {
        let mut suspects: Vec<u64> = ends.iter().flat_map(|end| end.suspects.iter().copied()).collect();
        suspects.sort_unstable();
        suspects.dedup();
        suspects.retain(|function| !self.inline.contains(function));
        if !suspects.is_empty() {
            return Conclusion::Inline(suspects);
        }
        // In the loader's order, with those that were run before: what they read may be set by others.
        let wanted = |function: &u64| {
            self.initializers.contains(function) || ends.iter().any(|end| end.initializers.contains(function))
        };
        let initializers: Vec<u64> = self.image.initializers().into_iter().filter(wanted).collect();
        if initializers.len() > self.initializers.len() {
            return Conclusion::Initialize(initializers);
        }
        if let Some(spent) = self.exhausted {
            return Conclusion::Result(Box::new(InitResult::Unknown(Reason::Spent(spent))));
        }
        let fails = |end: &End| end.failed || matches!(end.result, InitResult::Fails(_));
        let (failed, mut done): (Vec<End>, Vec<End>) = ends.into_iter().partition(fails);
        let Some(first) = done.pop() else {
            // Failing on every path that was followed is failing only if all there is was followed.
            let all = !self.gave_up && !failed.iter().any(|end| end.passed_over);
            let failed = if all { failed.into_iter().next() } else { None };
            let result = failed.map_or_else(|| InitResult::Unknown(Reason::NoPath), |end| end.result);
            return Conclusion::Result(Box::new(result));
        };
        // The path found first is the usual one; `done` is in the order of finding.
        let usual = if done.is_empty() {
            first
        } else {
            let usual = done.remove(0);
            done.push(first);
            usual
        };
        let wanted = meaning(&usual.result);
        let other = done.iter().find(|end| meaning(&end.result) != wanted);
        Conclusion::Result(Box::new(match other {
            None => usual.result,
            Some(other) => InitResult::Unknown(self.differ(&usual, other)),
        }))
    }

    /// Why two paths lead to different answers.
    fn differ(&self, a: &End, b: &End) -> Reason {
        // What CPython's own functions return at a first import is modelled; what other libraries return is not.
        let name = |import: &u32| self.image.cells().import_name(*import);
        let foreign = |name: &&str| !name.starts_with("Py") && !name.starts_with("_Py");
        let mut names: Vec<&str> = a.depends_on.iter().chain(&b.depends_on).map(name).filter(foreign).collect();
        names.sort_unstable();
        names.dedup();
        let (a, b) = (describe(&a.result), describe(&b.result));
        let difference = if a == b { format!("{a}, filled in differently") } else { format!("{a} or {b}") };
        if names.is_empty() {
            Reason::PathsDiffer(difference)
        } else {
            Reason::DependsOnImports { names: names.into_iter().map(str::to_owned).collect(), difference }
        }
    }

    /// The place of a call, with the calls that led there.
    fn site(&self, call: &CallSite) -> Place {
        let mut place = self.image.place(call.address);
        place.through = call.through.iter().map(|function| self.image.place(*function).to_string()).collect();
        place
    }

    /// The place of an address, which may be memory that exists at run time only.
    pub(crate) fn place(&self, _path: &Path, address: u64) -> Place {
        match self.space.region(address) {
            Some(super::Region::Object(..)) => {
                Place { address: 0, section: Some(("heap".to_owned(), 0)), through: Vec::new() }
            }
            Some(super::Region::Stack) => {
                Place { address: 0, section: Some(("stack".to_owned(), 0)), through: Vec::new() }
            }
            _ => self.image.place(address),
        }
    }

    /// Who put the bytes at an address there.
    pub(crate) fn source(&self, path: &Path, address: u64) -> SlotSource {
        match path.memory.writer(address) {
            Some(by) => SlotSource::Stored(self.image.place(by)),
            None => SlotSource::Static,
        }
    }
}

/// Whether following more callees cannot be expected to change the result: it says something positive.
pub(super) fn is_settled(result: &InitResult) -> bool {
    let declares = |slots: &Slots| {
        // An array with nested arrays declares where they do; a plain one where it has the slot, under either id.
        matches!(slots, Slots::Array(slots) if slots.iter().any(|slot| matches!(slot.id & 0xffff, 4 | 87 | 92 | 94)))
    };
    match result {
        // Frameworks compile the declaration out of files for GIL builds, and no free-threaded interpreter loads them: there is
        // nothing to find.
        InitResult::MultiPhase(definition) | InitResult::SinglePhase { definition, .. }
            if definition.layout == Some(Layout::Gil) =>
        {
            true
        }
        InitResult::MultiPhase(definition) => declares(&definition.slots) || is_static(&definition.slots),
        InitResult::SinglePhase { gil, .. } => gil.as_ref().is_some_and(|call| call.value.is_some()),
        InitResult::Export(export) => declares(&export.slots),
        InitResult::Delegated(_) => true,
        InitResult::Fails(_) | InitResult::Unknown(_) => false,
    }
}

/// Whether all of the array, its end included, is as in the file.
fn is_static(slots: &Slots) -> bool {
    matches!(slots, Slots::Array(slots) if slots.len() > 1 && slots.iter().all(|slot| slot.source == SlotSource::Static))
}

/// What a result means to an interpreter, without the places it was read at.
fn meaning(result: &InitResult) -> String {
    let slots = |slots: &Slots| format!("{:?}", Meaning(slots));
    match result {
        InitResult::MultiPhase(definition) => format!("multi {:?} {}", definition.layout, slots(&definition.slots)),
        InitResult::SinglePhase { definition, gil, .. } => {
            format!("single {:?} {:?}", definition.layout, gil.as_ref().map(|call| call.value))
        }
        InitResult::Export(export) => format!("export {}", slots(&export.slots)),
        InitResult::Delegated(to) => format!("delegated {to}"),
        InitResult::Fails(why) => why.clone(),
        InitResult::Unknown(why) => why.to_string(),
    }
}

struct Meaning<'a>(&'a Slots);

impl std::fmt::Debug for Meaning<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Slots::Null => f.write_str("null"),
            Slots::Unreadable(why) => write!(f, "{why}"),
            Slots::Array(slots) => f
                .debug_list()
                .entries(slots.iter().map(|slot| (slot.id, slot.flags, &slot.value, slot.nested.as_ref().map(Meaning))))
                .finish(),
        }
    }
}

fn describe(result: &InitResult) -> String {
    match result {
        InitResult::MultiPhase(definition) => format!("multi-phase initialisation with {}", definition.at),
        InitResult::SinglePhase { gil: None, .. } => "a module without PyUnstable_Module_SetGIL".to_owned(),
        InitResult::SinglePhase { gil: Some(call), .. } => match call.value {
            Some(value) => format!("a module with PyUnstable_Module_SetGIL({value})"),
            None => "a module with PyUnstable_Module_SetGIL of a value that is not known".to_owned(),
        },
        InitResult::Export(export) => format!("the slots at {}", export.at),
        InitResult::Delegated(to) => format!("what {to} returns"),
        InitResult::Fails(why) => why.clone(),
        InitResult::Unknown(why) => why.to_string(),
    }
}
