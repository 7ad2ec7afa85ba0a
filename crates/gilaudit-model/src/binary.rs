//! What a compiled file shows: facts as read, before any target's rules are applied to them.

use std::fmt;

use crate::{Abi, Arch, Format, MadeBy, Reason, Versions};

/// What one compiled file shows; one architecture of it, for a fat Mach-O file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinaryFacts {
    /// The object-file format.
    pub format: Format,
    /// The architecture.
    pub arch: Arch,
    /// Pointer width in bits: 32 or 64.
    pub bits: u8,
    /// The name of the slice in a fat file: `arm64`.
    pub slice: Option<String>,
    /// The ABI it was built for.
    pub abi: Abi,
    /// The framework that made it.
    pub framework: Option<MadeBy>,
    /// The init functions for the module name that the file name gives, `PyModExport_*` first.
    pub hooks: Vec<Hook>,
    /// Init functions for other names that the file exports.
    pub other_hooks: Vec<String>,
    /// Shared libraries it names as needed: `DT_NEEDED`, `LC_LOAD_DYLIB`, the import directory.
    pub needed: Vec<String>,
    /// What it takes from other files by name.
    pub linked: Linked,
}

/// The names that a file takes from other files, as far as they matter to an interpreter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Linked {
    /// Names of CPython's C API, sorted: those that start with `Py` or `_Py`.
    pub python: Vec<PythonName>,
    /// A function by which it could find others at run time: `dlsym`.
    pub lookup: Option<String>,
    /// Whether its data spells out a name by which a module declares, as it must to look that up (unless it is put together).
    pub spells: bool,
    /// Why these may not be all, where that is so.
    pub incomplete: Option<String>,
}

/// A name of CPython's C API that a file takes from the interpreter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PythonName {
    /// The name, without a Mach-O underscore.
    pub name: String,
    /// Whether the file is loaded without it: an undefined weak symbol.
    pub weak: bool,
}

impl Linked {
    /// Whether it takes this name from the interpreter.
    pub fn takes(&self, name: &str) -> bool {
        self.python.binary_search_by(|taken| taken.name.as_str().cmp(name)).is_ok()
    }
}

/// Which of the two kinds of init function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HookKind {
    /// `PyModExport_x` or `PyModExportU_x`: 3.15 looks for it first.
    Export,
    /// `PyInit_x` or `PyInitU_x`.
    Init,
}

/// An init function and what running it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// The exported symbol, without a Mach-O underscore.
    pub symbol: String,
    /// Which kind.
    pub kind: HookKind,
    /// Where it is.
    pub at: Place,
    /// What it does, by interpreter version. Versions are together when the function does the same under all of them.
    pub runs: Vec<HookRun>,
}

/// What an init function does under some interpreter versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookRun {
    /// The versions it was evaluated for.
    pub versions: Versions,
    /// What it does.
    pub result: InitResult,
}

/// What calling an init function for the first time in a fresh process leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InitResult {
    /// It returns a module definition.
    MultiPhase(Definition),
    /// It returns a module that it created.
    SinglePhase {
        /// The definition that the module was created from.
        definition: Definition,
        /// The last `PyUnstable_Module_SetGIL` on that module before it returns.
        gil: Option<GilCall>,
        /// Where the module was created.
        created: Place,
    },
    /// `PyModExport_*` returns a slot array.
    Export(ExportSlots),
    /// It hands its work to another file.
    Delegated(Delegate),
    /// Every path fails; the reason says how.
    Fails(String),
    /// Could not tell, and why.
    Unknown(Reason),
}

/// The slot array that `PyModExport_*` returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportSlots {
    /// Where the array is.
    pub at: Place,
    /// Its slots.
    pub slots: Slots,
}

/// The layout of a `PyModuleDef`: what the size of `PyObject` was when the file was compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layout {
    /// `PyObject` of GIL builds: reference count and type.
    Gil,
    /// `PyObject` of free-threaded builds.
    FreeThreaded,
}

/// The object header of a `PyModuleDef` as it is when `PyModuleDef_Init` is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The 16 bits that a free-threaded interpreter reads as `ob_flags`; `None` when they are not known.
    pub ob_flags: Option<u16>,
}

/// A `PyModuleDef`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Where it is.
    pub at: Place,
    /// Which `PyObject` it was compiled with; `None` when nothing shows it.
    pub layout: Option<Layout>,
    /// Its object header.
    pub header: Header,
    /// `m_name`.
    pub name: Option<String>,
    /// `m_size`.
    pub size: Option<i64>,
    /// `m_slots`.
    pub slots: Slots,
}

/// A slot array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slots {
    /// The pointer is NULL.
    Null,
    /// The array, up to its terminator.
    Array(Vec<Slot>),
    /// It could not be read to its end, and why. What was read before that says nothing.
    Unreadable(Reason),
}

/// One entry of a slot array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The id as stored: 32 bits in a `PyModuleDef_Slot`, 16 in a `PySlot`.
    pub id: i32,
    /// `sl_flags` of a `PySlot`; `None` for a `PyModuleDef_Slot`.
    pub flags: Option<u16>,
    /// The value.
    pub value: SlotValue,
    /// Where the entry is.
    pub at: Place,
    /// Who put it there.
    pub source: SlotSource,
    /// The array it points at, for the ids that nest arrays (`Py_slot_subslots` 92, `Py_mod_slots` 94).
    pub nested: Option<Slots>,
    /// What it points at, for `Py_mod_abi` (109).
    pub abi: Option<AbiInfo>,
}

/// `PyABIInfo` of CPython 3.15, `Include/modsupport.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbiInfo {
    /// `abiinfo_major_version`.
    pub major: u8,
    /// `abiinfo_minor_version`.
    pub minor: u8,
    /// `flags`: stable 1, GIL 2, free-threaded 4, internal 8.
    pub flags: u16,
    /// `build_version`, as `PY_VERSION_HEX`.
    pub build_version: u32,
    /// `abi_version`, as `PY_VERSION_HEX`.
    pub abi_version: u32,
}

/// The value of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotValue {
    /// A number, or the address of something in the file.
    Number(u64),
    /// The address of something in another file.
    Import(String),
    /// Not known.
    Unknown,
}

/// Who put a slot where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotSource {
    /// It is in the file.
    Static,
    /// Code of the init function stored it, at this place.
    Stored(Place),
}

/// A call of `PyUnstable_Module_SetGIL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GilCall {
    /// The value passed; `None` when it is not known.
    pub value: Option<u64>,
    /// The call.
    pub at: Place,
}

/// Another file that an init function hands its work to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delegate {
    /// `_init_cffi_1_0_external_module` of the `_cffi_backend` that is installed.
    CffiBackend,
    /// A function in a needed shared library.
    Library {
        /// The symbol called.
        symbol: String,
    },
    /// A function that another extension module publishes in a capsule attribute.
    Capsule {
        /// The module that holds it: `81d243bd2c585b0f4821__mypyc`.
        module: String,
        /// The attribute: `init_black`.
        attribute: String,
    },
    /// Another module, imported and returned.
    Module(String),
}

impl fmt::Display for Delegate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CffiBackend => f.write_str("_cffi_backend"),
            Self::Library { symbol } => write!(f, "{symbol} in a needed library"),
            Self::Capsule { module, attribute } => write!(f, "{attribute} of {module}"),
            Self::Module(module) => f.write_str(module),
        }
    }
}

/// A place in a compiled file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The virtual address, as the file is linked; for memory that exists at run time only, zero.
    pub address: u64,
    /// The section (or segment, without sections) and the offset into it; or what run-time memory it is (`heap`, `stack`).
    pub section: Option<(String, u64)>,
    /// The chain of calls that led there, outermost first, as symbols or addresses; empty for data.
    pub through: Vec<String>,
}

impl fmt::Display for Place {
    /// `section .data+0x1380`, or `address 0x1380` outside every section.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.section {
            Some((name, offset)) if self.address != 0 => write!(f, "section {name}+{offset:#x}")?,
            Some((name, _)) => f.write_str(name)?,
            None => write!(f, "address {:#x}", self.address)?,
        }
        if !self.through.is_empty() {
            write!(f, " through {}", self.through.join(" > "))?;
        }
        Ok(())
    }
}

impl BinaryFacts {
    /// What `target` makes of the module `name` in this file; `None` when the file is not an extension for that name.
    ///
    /// The name is dotted (`lxml.etree`); only its last component names the init function.
    pub fn load(&self, name: &str, target: &crate::Target) -> Option<crate::Loading> {
        crate::cpython::load(self, name, target)
    }

    /// What the module `name` in this file declares to `target`; `None` when the file is not an extension for that name.
    pub fn declaration(&self, name: &str, target: &crate::Target) -> Option<crate::Declaration> {
        self.load(name, target).map(|loading| loading.declaration)
    }
}
