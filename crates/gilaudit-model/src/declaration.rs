//! What a module declares, and what the interpreter makes of it.

use crate::{Evidence, Framework, Reason};

/// What the module tells the interpreter about the GIL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// It declares that it can run without the GIL.
    NotUsed,
    /// It declares that it needs the GIL.
    Used,
    /// It was read completely and says nothing; the interpreter takes that as "needs the GIL".
    Undeclared,
    /// Could not tell; the reason is beside it. Never a "no".
    Unknown,
}

impl Status {
    /// All statuses in the order reports list them.
    pub const ALL: [Self; 4] = [Self::NotUsed, Self::Used, Self::Undeclared, Self::Unknown];

    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotUsed => "not-used",
            Self::Used => "used",
            Self::Undeclared => "undeclared",
            Self::Unknown => "unknown",
        }
    }
}

/// How it is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mechanism {
    /// A `Py_mod_gil` slot, in a `PyModuleDef` or a `PySlot` array.
    Slot,
    /// A call of `PyUnstable_Module_SetGIL` before the init function returns.
    SetGil,
    /// Not declared, or not known.
    None,
}

impl Mechanism {
    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Slot => "slot",
            Self::SetGil => "set-gil",
            Self::None => "none",
        }
    }
}

/// How the module initialises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Init {
    /// The init function returns a `PyModuleDef` (PEP 489).
    MultiPhase,
    /// The init function returns a module.
    SinglePhase,
    /// `PyModExport_*` returns a `PySlot` array (PEP 793, 3.15).
    ModuleExport,
    /// Could not tell.
    Unknown,
}

impl Init {
    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MultiPhase => "multi-phase",
            Self::SinglePhase => "single-phase",
            Self::ModuleExport => "module-export",
            Self::Unknown => "unknown",
        }
    }
}

/// What one module declares to one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// What it says.
    pub status: Status,
    /// How it says it.
    pub mechanism: Mechanism,
    /// What shows it.
    pub evidence: Vec<Evidence>,
    /// Why the status is unknown, or what qualifies it.
    pub reason: Option<Reason>,
    /// The file or module whose declaration this one takes over, when initialisation is handed on.
    pub delegated_to: Option<String>,
    /// The tool that declares on its own, without the author's audit, when the shape proves it: `mypyc`.
    pub declared_by_tool: Option<Framework>,
    /// What is taken for true without having been seen, where the answer rests on that.
    pub assumption: Option<String>,
}

impl Declaration {
    /// A declaration that could not be told, and why.
    pub fn unknown(reason: Reason) -> Self {
        Self { reason: Some(reason), ..Self::new(Status::Unknown, Mechanism::None) }
    }

    /// A declaration without evidence yet.
    pub fn new(status: Status, mechanism: Mechanism) -> Self {
        Self {
            status,
            mechanism,
            evidence: Vec::new(),
            reason: None,
            delegated_to: None,
            declared_by_tool: None,
            assumption: None,
        }
    }
}

/// Why the target cannot import a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// The file's name is not one that the target searches for.
    NotSearched,
    /// The file was built for another ABI.
    WrongAbi,
    /// The file has no init function that this version calls, only one for another version.
    NoHook,
    /// The file takes a name from the interpreter that this one does not export.
    MissingSymbol,
    /// The slots are invalid for this version.
    Slots,
    /// The init function fails on every path.
    InitFails,
}

impl FailureKind {
    /// The code, which stays the same from version to version.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotSearched => "not-searched",
            Self::WrongAbi => "wrong-abi",
            Self::NoHook => "no-hook",
            Self::MissingSymbol => "missing-symbol",
            Self::Slots => "slots",
            Self::InitFails => "init-fails",
        }
    }
}

/// That the target cannot import the file, and CPython's own error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportFailure {
    /// Which kind of failure.
    pub kind: FailureKind,
    /// What happens, in CPython's words where it has any: `SystemError: init function of x returned uninitialized object`.
    pub error: String,
}

/// What a target makes of a module's init function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loading {
    /// The init function that this target calls: `PyInit_x`.
    pub hook: String,
    /// How the module initialises.
    pub init: Init,
    /// What it declares.
    pub declaration: Declaration,
    /// Why the import fails, when it does.
    pub failure: Option<ImportFailure>,
}
