//! The outside world: what imported functions do, as far as a module's initialisation depends on it.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::path::{CallSite, Module, Path};
use super::space::Region;
use super::value::{Value, mask};
use super::{Engine, Origin};

/// How a call of an import went.
pub(super) enum Called {
    /// It returned; its result is set.
    Returned,
    /// It goes on in a function of the file, which returns in its stead.
    Entered,
    /// It does not return.
    Ended,
}

/// Memory that an allocation is taken to give.
const THERE: u64 = 1 << 32;
/// Bytes that are no longer known after something of unknown length was written.
const UNKNOWN_LENGTH: u64 = 0x1000;
/// The bytes a modelled copy or comparison may touch.
const LONGEST: u64 = 0x1_0000;

/// What an import does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// `PyModuleDef_Init(def)`.
    DefinitionInit,
    /// Creates a module from the definition in its first argument.
    ModuleCreate,
    /// `PyUnstable_Module_SetGIL(module, value)`.
    SetGil,
    /// `PyModule_FromSlotsAndSpec(slots, spec)`.
    FromSlots,
    /// Returns this number: there is no error, no earlier module, and this is the main interpreter.
    Constant(u64),
    /// `PyErr_Occurred()`.
    Occurred,
    /// Sets an exception, and returns NULL or -1.
    Raise,
    /// Clears the exception.
    ClearError,
    /// Sets the exception in its first argument, or none.
    Restore,
    /// `Py_GetVersion()`.
    Version,
    /// New memory; zeroed or not.
    Allocate {
        zeroed: bool,
    },
    /// `realloc(pointer, size)`: the same memory.
    Reallocate,
    /// `memcpy`, `memmove`.
    Copy,
    /// `memset`.
    Fill,
    Length,
    CompareText,
    CompareTextBounded,
    CompareBytes,
    /// `__cxa_guard_acquire(guard)`: 1 while the guard is clear.
    GuardAcquire,
    /// `_Init_thread_header(epoch)` is code in the file; this is its counterpart in a DLL.
    ThreadLocal,
    /// `_tlv_bootstrap(descriptor)`.
    ThreadLocalMac,
    /// Calls the function in this argument.
    CallBack(usize),
    /// Does not return.
    NoReturn,
    /// Returns a status: an integer whose usual value is 0.
    Status,
    /// Returns a pointer or anything else.
    Other,
}

/// Whether a call of this import settles what a module declares.
pub(super) fn is_decisive(name: &str) -> bool {
    matches!(effect(name), Effect::DefinitionInit | Effect::ModuleCreate | Effect::SetGil | Effect::FromSlots)
}

pub(super) fn is_no_return(name: &str) -> bool {
    effect(name) == Effect::NoReturn
}

static STATUS_FUNCTIONS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("status_functions.txt").lines().filter(|line| !line.starts_with('#')).collect());

fn effect(name: &str) -> Effect {
    match name {
        "PyModuleDef_Init" => Effect::DefinitionInit,
        // The last one is Boost.Python's own PyModule_Create (libs/python/src/module.cpp).
        "PyModule_Create2"
        | "PyModule_FromDefAndSpec2"
        | "PyModule_Create2TraceRefs"
        | "PyModule_FromDefAndSpec2TraceRefs"
        | "_ZN5boost6python6detail11init_moduleER11PyModuleDefPFvvE" => Effect::ModuleCreate,
        "PyUnstable_Module_SetGIL" => Effect::SetGil,
        "PyModule_FromSlotsAndSpec" => Effect::FromSlots,
        "Py_GetVersion" => Effect::Version,
        // A first import in the main interpreter: no error is set, and no module was made from this definition before.
        "PyErr_Occurred" => Effect::Occurred,
        "PyErr_SetString"
        | "PyErr_SetObject"
        | "PyErr_SetNone"
        | "PyErr_Format"
        | "PyErr_NoMemory"
        | "PyErr_BadArgument"
        | "PyErr_BadInternalCall"
        | "_PyErr_BadInternalCall" => Effect::Raise,
        "PyErr_Clear" | "PyErr_Fetch" | "PyErr_GetRaisedException" => Effect::ClearError,
        "PyErr_Restore" | "PyErr_SetRaisedException" => Effect::Restore,
        "PyState_FindModule" | "PyInterpreterState_GetID" => Effect::Constant(0),
        "Py_IsInitialized" => Effect::Constant(1),
        "PyMem_Calloc" | "PyMem_RawCalloc" | "PyObject_Calloc" | "calloc" => Effect::Allocate { zeroed: true },
        "PyMem_Malloc"
        | "PyMem_RawMalloc"
        | "PyObject_Malloc"
        | "malloc"
        | "_Znwm"
        | "_Znam"
        | "_Znwj"
        | "_Znaj"
        | "??2@YAPEAX_K@Z"
        | "??_U@YAPEAX_K@Z"
        | "__cxa_allocate_exception" => Effect::Allocate { zeroed: false },
        "PyMem_Realloc" | "PyMem_RawRealloc" | "PyObject_Realloc" | "realloc" => Effect::Reallocate,
        "memcpy" | "memmove" | "__memcpy_chk" | "__memmove_chk" => Effect::Copy,
        "memset" | "__memset_chk" | "bzero" => Effect::Fill,
        "strlen" => Effect::Length,
        "strcmp" => Effect::CompareText,
        "strncmp" => Effect::CompareTextBounded,
        "memcmp" | "bcmp" => Effect::CompareBytes,
        "__cxa_guard_acquire" => Effect::GuardAcquire,
        "__tls_get_addr" | "___tls_get_addr" => Effect::ThreadLocal,
        "_tlv_bootstrap" | "tlv_bootstrap" => Effect::ThreadLocalMac,
        "pthread_once" | "_PyOnceFlag_CallOnceSlow" => Effect::CallBack(1),
        "abort"
        | "exit"
        | "_exit"
        | "_Exit"
        | "quick_exit"
        | "__stack_chk_fail"
        | "__stack_chk_fail_local"
        | "__cxa_throw"
        | "__cxa_rethrow"
        | "_Unwind_Resume"
        | "_Unwind_RaiseException"
        | "__cxa_bad_cast"
        | "__cxa_bad_typeid"
        | "__cxa_throw_bad_array_new_length"
        | "__cxa_pure_virtual"
        | "_ZSt9terminatev"
        | "__fortify_fail"
        | "__chk_fail"
        | "__assert_fail"
        | "__assert_rtn"
        | "Py_FatalError"
        | "_Py_FatalErrorFunc"
        | "_Py_FatalErrorFormat"
        | "Py_Exit"
        | "_CxxThrowException"
        | "?terminate@@YAXXZ"
        | "terminate"
        | "__report_rangecheckfailure"
        | "longjmp"
        | "_invalid_parameter_noinfo_noreturn"
        | "ExitProcess"
        | "TerminateProcess"
        | "RaiseException"
        | "_ZSt17rethrow_exceptionNSt15__exception_ptr13exception_ptrE" => Effect::NoReturn,
        // std::__throw_bad_alloc and its siblings in libstdc++ and libc++.
        _ if name.starts_with("_ZSt") && name.contains("__throw_") => Effect::NoReturn,
        _ if name.starts_with("_ZNSt3__1") && name.contains("__throw_") => Effect::NoReturn,
        _ if STATUS_FUNCTIONS.contains(name) => Effect::Status,
        _ => Effect::Other,
    }
}

impl Engine<'_, '_> {
    /// Does what a call of the import does. The arguments are in place, the return address is linked.
    pub(super) fn call_import(&mut self, path: &mut Path, import: u32) -> Called {
        let name = self.image.cells().import_name(import);
        let effect = *self.effects.entry(import).or_insert_with(|| effect(name));
        let arguments = [0, 1, 2, 3].map(|index| {
            let value = self.argument(path, index);
            path.resolve(value)
        });
        let result = match effect {
            Effect::NoReturn => return Called::Ended,
            Effect::CallBack(index) => {
                if let Some(Value::Known(function)) = arguments.get(index)
                    && self.image.is_code(*function)
                {
                    path.pc = *function;
                    return Called::Entered;
                }
                Value::ZERO
            }
            Effect::DefinitionInit => {
                if let Value::Known(definition) = arguments[0] {
                    let site = self.call_site(path);
                    path.definitions.entry(definition).or_insert(site);
                }
                arguments[0]
            }
            Effect::ModuleCreate => self.create_module(path, arguments[0]),
            Effect::SetGil => {
                self.set_gil(path, arguments[0], arguments[1]);
                Value::ZERO
            }
            Effect::FromSlots => {
                if let Value::Known(slots) = arguments[0] {
                    path.from_slots.push(slots);
                }
                self.result_of(import, arguments, false)
            }
            Effect::Constant(number) => Value::Known(number),
            Effect::Occurred if !path.raised => Value::ZERO,
            Effect::Occurred => self.object(false, None),
            Effect::Raise => {
                path.raised = true;
                Value::ZERO
            }
            Effect::ClearError => {
                path.took_raised = path.raised;
                path.raised = false;
                self.forget_outputs(path, &arguments);
                self.result_of(import, arguments, false)
            }
            Effect::Restore => {
                // One that is not known was taken from where one may have been set.
                path.raised = arguments[0] != Value::ZERO && (path.took_raised || arguments[0].known().is_some());
                self.result_of(import, arguments, false)
            }
            Effect::Version => {
                self.version_consulted = true;
                Value::Known(self.space.text())
            }
            // Whether a very large amount is there depends on the machine.
            Effect::Allocate { .. } if matches!(arguments[0], Value::Known(size) if size > THERE) => {
                self.result_of(import, arguments, false)
            }
            Effect::Allocate { zeroed } => self.object(zeroed, None),
            Effect::Reallocate => match arguments[0] {
                Value::Known(0) => self.object(false, None),
                pointer => pointer,
            },
            Effect::GuardAcquire => self.guard(path, arguments[0]),
            Effect::ThreadLocal => {
                // The argument points at the module number and the offset; all modules are this one.
                let argument = if self.convention == super::Convention::Stack32 {
                    path.register(super::x86::AX)
                } else {
                    arguments[0]
                };
                let offset =
                    self.load(path, argument.add(Value::Known(u64::from(self.image.pointer))), self.image.pointer);
                Value::Known(self.space.thread_local()).add(offset)
            }
            Effect::ThreadLocalMac => {
                let offset = self.load(path, arguments[0].add(Value::Known(16)), 8);
                let variable = Value::Known(self.space.thread_local()).add(offset);
                if self.convention == super::Convention::Arm64 {
                    // dyld's function leaves all registers alone but this one and x16 and x17, and compilers rely on it.
                    path.set_register(0, variable);
                    return Called::Returned;
                }
                variable
            }
            Effect::Copy => {
                self.copy(path, arguments[0], arguments[1], arguments[2]);
                arguments[0]
            }
            Effect::Fill => {
                // bzero has no value argument.
                let (value, length) =
                    if name == "bzero" { (Value::ZERO, arguments[1]) } else { (arguments[1], arguments[2]) };
                self.fill(path, arguments[0], value, length);
                arguments[0]
            }
            Effect::Length => self.text_length(path, arguments[0]).map_or(Value::Unknown, Value::Known),
            Effect::CompareText => self.compare(path, arguments[0], arguments[1], u64::MAX, true),
            Effect::CompareTextBounded | Effect::CompareBytes => match arguments[2] {
                Value::Known(length) => {
                    self.compare(path, arguments[0], arguments[1], length, effect == Effect::CompareTextBounded)
                }
                _ => Value::Unknown,
            },
            Effect::Status => {
                self.note_given(path, import);
                self.note_handed(path, name, &arguments);
                self.forget_outputs(path, &arguments);
                self.result_of(import, arguments, true)
            }
            Effect::Other => {
                self.note_given(path, import);
                self.note_handed(path, name, &arguments);
                self.forget_outputs(path, &arguments);
                if writes_anywhere(name) {
                    self.forget_slots(path, &arguments);
                }
                // A C++ function may return a structure, to where this register points.
                if self.convention == super::Convention::Arm64 && (name.starts_with("_Z") || name.starts_with('?')) {
                    self.forget_outputs(path, &[path.register(super::aarch64::INDIRECT_RESULT); 4]);
                }
                self.result_of(import, arguments, false)
            }
        };
        let result = if result == Value::Unknown { self.result_of(import, arguments, true) } else { result };
        self.set_result(path, result);
        Called::Returned
    }

    /// The call being made, and the calls that led there; stubs of imports are no calls of their own.
    fn call_site(&self, path: &Path) -> CallSite {
        let calls = path.frames.iter().map(|frame| frame.call_site).filter(|site| *site != path.transfer);
        CallSite { address: path.transfer, through: calls.collect() }
    }

    fn result_of(&mut self, import: u32, arguments: [Value; 4], status: bool) -> Value {
        self.symbol(Origin::Import { import, arguments, status })
    }

    fn create_module(&mut self, path: &mut Path, definition: Value) -> Value {
        let module = self.object(false, None);
        if let (Value::Known(address), Value::Known(definition)) = (module, definition) {
            let created = self.call_site(path);
            path.modules.insert(address, Module { definition, created, gil: None });
        }
        module
    }

    fn set_gil(&mut self, path: &mut Path, module: Value, value: Value) {
        let site = self.call_site(path);
        let value = value.truncate(self.image.pointer).known();
        match module {
            Value::Known(address) => {
                // A call on anything else (a submodule that was not made from a definition here) says nothing about the module.
                if let Some(module) = path.modules.get_mut(&address) {
                    module.gil = Some((value, site));
                }
            }
            // What the C-API just made is another module (PyModule_New), or none; only what it looked up may be this one.
            Value::Symbol(id, 0) => {
                let made = match self.origin(id) {
                    Some(Origin::Import { import, .. }) => {
                        let name = self.image.cells().import_name(*import);
                        name.starts_with("PyModule_")
                    }
                    _ => false,
                };
                path.unclear_module |= !made;
            }
            _ => path.unclear_module = true,
        }
    }

    /// An import that is not modelled may write through pointers into the stack: results that it returns by address.
    fn forget_outputs(&mut self, path: &mut Path, arguments: &[Value; 4]) {
        for argument in arguments {
            if let Value::Known(address) = argument
                && self.space.region(*address) == Some(Region::Stack)
            {
                self.forget(path, *address);
            }
        }
    }

    /// Functions of the file that an import is given may be run by it, or by a thread that it starts; those that are registered for the
    /// end of the process are not. That a capsule dies, and its destructor runs, before the init function returns is not looked for.
    fn note_handed(&self, path: &mut Path, name: &str, arguments: &[Value; 4]) {
        let later = ["atexit", "at_quick_exit", "__cxa_atexit", "__cxa_thread_atexit", "Py_AtExit"];
        if later.contains(&name) || name.starts_with("PyCapsule_") {
            return;
        }
        for argument in arguments {
            if let Value::Known(function) = argument
                && self.image.is_code(*function)
            {
                path.handed.insert(*function, ());
            }
        }
    }

    /// What is not of the interpreter writes what it likes behind a pointer that it is given: where that is in the file's memory, the
    /// pointer-sized place there is no longer known.
    fn forget_slots(&mut self, path: &mut Path, arguments: &[Value; 4]) {
        for argument in arguments {
            if let Value::Known(address) = argument
                && self.image.segment(*address).is_some_and(|segment| segment.writable)
            {
                self.forget(path, *address);
            }
        }
    }

    /// Taken while the first byte of the guard is clear, which it is at a first import; taking it sets the byte, as releasing it
    /// would, so that a later test finds the variable initialised.
    fn guard(&mut self, path: &mut Path, guard: Value) -> Value {
        let taken = self.load(path, guard, 1);
        if let Value::Known(byte) = taken {
            if byte == 0 {
                self.store(path, guard, 1, Value::Known(1));
            }
            return Value::Known(u64::from(byte == 0));
        }
        Value::Unknown
    }

    pub(super) fn copy(&mut self, path: &mut Path, to: Value, from: Value, length: Value) {
        let (Some(to), Some(from)) = (self.address(path, to), self.address(path, from)) else { return };
        let length = match length {
            Value::Known(length) if length <= LONGEST => length,
            _ => return self.forget_from(path, to),
        };
        self.charge(length);
        let mut pieces = Vec::new();
        let mut done = 0;
        while done < length {
            let width = piece(length - done, (from | to).wrapping_add(done));
            pieces.push((done, width, self.load(path, Value::Known(from.wrapping_add(done)), width)));
            done += u64::from(width);
        }
        for (offset, width, value) in pieces {
            self.store(path, Value::Known(to.wrapping_add(offset)), width, value);
        }
    }

    pub(super) fn fill(&mut self, path: &mut Path, to: Value, value: Value, length: Value) {
        let Some(to) = self.address(path, to) else { return };
        let length = match length {
            Value::Known(length) if length <= LONGEST => length,
            _ => return self.forget_from(path, to),
        };
        let value = match value.truncate(1) {
            Value::Known(byte) => Value::Known(byte.wrapping_mul(0x0101_0101_0101_0101)),
            _ => Value::Unknown,
        };
        let mut done = 0;
        self.charge(length);
        while done < length {
            let width = piece(length - done, to.wrapping_add(done));
            self.store(path, Value::Known(to.wrapping_add(done)), width, value.truncate(width));
            done += u64::from(width);
        }
    }

    /// So many bytes are written that it is not known how many: none of the file's own from there on are as they were.
    fn forget_from(&mut self, path: &mut Path, to: u64) {
        let Some(segment) = self.image.segment(to).filter(|segment| segment.writable) else { return };
        let end = segment.address.saturating_add(segment.size).min(to.saturating_add(UNKNOWN_LENGTH));
        self.charge(end - to);
        for place in (to..end).step_by(usize::from(self.image.pointer)) {
            path.memory.store(place, self.image.pointer, Value::Unknown, path.at);
        }
    }

    fn text_length(&mut self, path: &mut Path, text: Value) -> Option<u64> {
        let text = self.address(path, text)?;
        for index in 0..LONGEST {
            match self.load(path, Value::Known(text.wrapping_add(index)), 1) {
                Value::Known(0) => {
                    self.charge(index);
                    return Some(index);
                }
                Value::Known(_) => {}
                _ => return None,
            }
        }
        self.charge(LONGEST);
        None
    }

    /// Long copies and searches count as the instructions that they stand for.
    pub(super) fn charge(&mut self, bytes: u64) {
        let instructions = usize::try_from(bytes / 4).unwrap_or(usize::MAX);
        self.budget.instructions = self.budget.instructions.saturating_sub(instructions);
    }

    pub(super) fn compare(&mut self, path: &mut Path, a: Value, b: Value, length: u64, text: bool) -> Value {
        let (Some(a), Some(b)) = (self.address(path, a), self.address(path, b)) else { return Value::Unknown };
        for index in 0..length {
            if index >= LONGEST {
                return Value::Unknown;
            }
            self.charge(4);
            let x = self.load(path, Value::Known(a.wrapping_add(index)), 1);
            let y = self.load(path, Value::Known(b.wrapping_add(index)), 1);
            match (x, y) {
                (Value::Known(x), Value::Known(y)) if x != y => {
                    return Value::Known(x.wrapping_sub(y) & mask(8));
                }
                (Value::Known(0), Value::Known(0)) if text => return Value::ZERO,
                (Value::Known(_), Value::Known(_)) => {}
                _ => return Value::Unknown,
            }
        }
        Value::ZERO
    }

    /// The text that a value points at.
    pub(crate) fn text(&mut self, path: &mut Path, text: Value) -> Option<String> {
        let Value::Known(start) = path.resolve(text) else { return None };
        let mut bytes = Vec::new();
        for index in 0..256 {
            match self.load(path, Value::Known(start.wrapping_add(index)), 1) {
                Value::Known(0) => return String::from_utf8(bytes).ok(),
                Value::Known(byte) => bytes.push((byte & 0xff) as u8),
                _ => return None,
            }
        }
        None
    }
}

/// Whether a function is neither the interpreter's nor the run-time system's: those write what is theirs.
fn writes_anywhere(name: &str) -> bool {
    if name.contains("scanf") {
        return true;
    }
    !["Py", "_Py", "_", "?", "pthread_", "os_unfair_", "Initialize", "Enter", "Leave", "Delete", "Acquire", "Release"]
        .iter()
        .any(|start| name.starts_with(start))
}

/// The widest piece, at most 8 bytes, that fits what is left and the alignment.
fn piece(left: u64, address: u64) -> u8 {
    [8u8, 4, 2]
        .into_iter()
        .find(|width| u64::from(*width) <= left && address.is_multiple_of(u64::from(*width).min(4)))
        .unwrap_or(1)
}
