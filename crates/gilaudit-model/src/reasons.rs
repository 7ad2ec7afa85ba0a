//! Why an answer is unknown, or what qualifies it: codes with parameters, so that reports can be counted and not only read.
//!
//! A [`Reason`] is shown as a text, which may be worded better from one version to the next; its [`code`](Reason::code) stays.

use std::fmt;

use crate::{Arch, Delegate, Place, Target, Version};

/// Why something is unknown, or what qualifies an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The file has only init functions that this target does not look for.
    HookNotCalled {
        /// The interpreter.
        target: Target,
        /// The function that is there.
        hook: String,
    },
    /// The init function was not evaluated for this version.
    VersionNotEvaluated {
        /// The function.
        hook: String,
        /// The version.
        version: Version,
    },
    /// The init function hands its work on, and nobody has looked where to yet.
    HandedOn(Delegate),
    /// The init function hands its work to a file that is not among the inputs.
    DelegateAbsent(Delegate),
    /// Those that it can hand its work to are there, and the target loads none.
    DelegateNotLoaded {
        /// What it hands its work to.
        to: Delegate,
        /// The interpreter.
        target: Target,
    },
    /// Several files can be meant, which do not say the same.
    DelegatesDisagree {
        /// What it hands its work to.
        to: Delegate,
        /// How many they are.
        inputs: usize,
    },
    /// The `_cffi_backend` that will be installed decides.
    InstalledDelegate,
    /// Whichever `_cffi_backend` is installed, it declares.
    EveryDelegateDeclares,
    /// The argument of `PyUnstable_Module_SetGIL` is not known.
    SetGilValue,
    /// The value of `Py_mod_gil` is not known.
    SlotValue,
    /// A module definition has the layout of no build.
    DefinitionLayout(Place),
    /// Where the slots of this definition are is not known.
    SlotsPointer(Place),
    /// The slots are outside of the file.
    SlotsOutside(u64),
    /// The id of a slot is not known.
    SlotId {
        /// Which one it is.
        index: u64,
        /// Where it is.
        at: Place,
    },
    /// No slot ends the array.
    SlotsWithoutEnd(Place),
    /// Slots that other slots refer to could not be read.
    NestedSlots(Place),
    /// The target refuses the slots.
    SlotsRefused {
        /// The interpreter.
        target: Target,
        /// Its error.
        error: String,
    },
    /// The `PyABIInfo` of `Py_mod_abi` could not be read.
    AbiInfoUnreadable,
    /// Most frameworks leave the declaration out of files for GIL builds.
    GilBuild,
    /// Its code was not followed to the end, but no code could change the answer.
    NotFollowed(Box<Self>),
    /// The init function fails; CPython's error, or what it does.
    InitFails(String),
    /// Code for this architecture is not evaluated; what looking at its data alone came to.
    Architecture(Arch, Option<&'static str>),
    /// The addresses of the file do not fit into those that are evaluated.
    AddressRange,
    /// A budget of the evaluation ran out.
    Spent(Budget),
    /// More would have to be followed of what the init function calls.
    Callees,
    /// No path through the init function came to its end.
    NoPath,
    /// The init function could not be evaluated.
    NotEvaluated,
    /// The indirect function (`STT_GNU_IFUNC`) at this place was not resolved.
    IndirectFunction(Place),
    /// What the init function returns is not known.
    ReturnValue,
    /// It returns what a function of the file returns, which is not known.
    CalleeResult(Place),
    /// Another library is given this function, may run it, and it may change what the answer was read from.
    HandedFunction(Place),
    /// This import returns a second time, after other code ran.
    ReturnsTwice(String),
    /// This import was given a pointer into the slots.
    HandedSlots(String),
    /// It returns what this function of CPython returns.
    ApiResult(String),
    /// It returns what a call through an unknown pointer returns.
    PointerCall,
    /// It returns an object from the memory of another library.
    ForeignObject,
    /// It returns an object that is no module made here.
    OtherObject,
    /// `PyUnstable_Module_SetGIL` is called, and for which object is not known.
    SetGilObject,
    /// Paths through the init function come to different ends.
    PathsDiffer(String),
    /// It depends on what functions of other libraries return.
    DependsOnImports {
        /// The functions, sorted.
        names: Vec<String>,
        /// The ends.
        difference: String,
    },
    /// A condition of the preprocessor decides.
    Condition(String),
    /// The build decides; on what.
    Build(String),
    /// What the sources define depends on versions or options that are not known.
    Sources(String),
    /// Another file of the sources declares, for this module or for another one.
    DeclaredByAnotherFile,
    /// No source defines the module.
    NoDefinition,
    /// The module is defined several times, in different ways.
    DefinitionsDiffer {
        /// The file of one of them.
        first: String,
        /// The file of another.
        second: String,
    },
    /// The build compiles a Cython file or the C that was made of it, and they differ.
    GeneratedDiffers(String),
    /// C that a tool generated, in a form that is not known.
    GeneratedForm,
    /// The build may take a version of a tool that does not declare; which one.
    ToolVersion(String),
    /// Code in an interface of SWIG calls `PyUnstable_Module_SetGIL`, or may.
    Interface {
        /// Whether it was seen to.
        seen: bool,
    },
    /// A source file was not judged; why.
    SourceNotJudged(String),
}

/// What there is a certain amount of for an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Budget {
    /// Instructions.
    Instructions,
    /// Bytes of memory.
    Memory,
    /// Branches followed both ways.
    Paths,
    /// Values that are not known.
    Unknowns,
    /// Objects that the code makes.
    Objects,
}

impl Reason {
    /// The code, which stays the same from version to version.
    pub fn code(&self) -> &'static str {
        match self {
            Self::HookNotCalled { .. } => "hook-not-called",
            Self::VersionNotEvaluated { .. } => "version-not-evaluated",
            Self::HandedOn(_) => "handed-on",
            Self::DelegateAbsent(_) => "delegate-absent",
            Self::DelegateNotLoaded { .. } => "delegate-not-loaded",
            Self::DelegatesDisagree { .. } => "delegates-disagree",
            Self::InstalledDelegate => "installed-delegate",
            Self::EveryDelegateDeclares => "every-delegate-declares",
            Self::SetGilValue => "set-gil-value",
            Self::SlotValue => "slot-value",
            Self::DefinitionLayout(_) => "definition-layout",
            Self::SlotsPointer(_) => "slots-pointer",
            Self::SlotsOutside(_) => "slots-outside",
            Self::SlotId { .. } => "slot-id",
            Self::SlotsWithoutEnd(_) => "slots-without-end",
            Self::NestedSlots(_) => "nested-slots",
            Self::SlotsRefused { .. } => "slots-refused",
            Self::AbiInfoUnreadable => "abi-info-unreadable",
            Self::GilBuild => "gil-build",
            Self::NotFollowed(_) => "not-followed",
            Self::InitFails(_) => "init-fails",
            Self::Architecture(..) => "architecture",
            Self::AddressRange => "address-range",
            Self::Spent(Budget::Instructions) => "spent-instructions",
            Self::Spent(Budget::Memory) => "spent-memory",
            Self::Spent(Budget::Paths) => "spent-paths",
            Self::Spent(Budget::Unknowns) => "spent-unknowns",
            Self::Spent(Budget::Objects) => "spent-objects",
            Self::Callees => "callees",
            Self::NoPath => "no-path",
            Self::NotEvaluated => "not-evaluated",
            Self::IndirectFunction(_) => "indirect-function",
            Self::ReturnValue => "return-value",
            Self::CalleeResult(_) => "callee-result",
            Self::HandedFunction(_) => "handed-function",
            Self::ReturnsTwice(_) => "returns-twice",
            Self::HandedSlots(_) => "handed-slots",
            Self::ApiResult(_) => "api-result",
            Self::PointerCall => "pointer-call",
            Self::ForeignObject => "foreign-object",
            Self::OtherObject => "other-object",
            Self::SetGilObject => "set-gil-object",
            Self::PathsDiffer(_) => "paths-differ",
            Self::DependsOnImports { .. } => "depends-on-imports",
            Self::Condition(_) => "condition",
            Self::Build(_) => "build",
            Self::Sources(_) => "sources",
            Self::DeclaredByAnotherFile => "declared-by-another-file",
            Self::NoDefinition => "no-definition",
            Self::DefinitionsDiffer { .. } => "definitions-differ",
            Self::GeneratedDiffers(_) => "generated-differs",
            Self::GeneratedForm => "generated-form",
            Self::ToolVersion(_) => "tool-version",
            Self::Interface { .. } => "interface",
            Self::SourceNotJudged(_) => "source-not-judged",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HookNotCalled { target, hook } => write!(f, "{target} does not call {hook}"),
            Self::VersionNotEvaluated { hook, version } => write!(f, "{hook} was not evaluated for {version}"),
            Self::HandedOn(to) => write!(f, "delegated to {to}"),
            Self::DelegateAbsent(to) => write!(f, "delegated to {to}, which is not among the inputs"),
            Self::DelegateNotLoaded { to, target } => {
                write!(f, "delegated to {to}, and {target} loads none of those among the inputs")
            }
            Self::DelegatesDisagree { to, inputs } => write!(f, "delegated to {to}, of which {inputs} inputs disagree"),
            Self::InstalledDelegate => {
                f.write_str("the installed _cffi_backend decides, and which one that is is not known")
            }
            Self::EveryDelegateDeclares => {
                f.write_str("every cffi that this Python can use declares for the modules it makes")
            }
            Self::SetGilValue => f.write_str("the value passed to PyUnstable_Module_SetGIL is not known"),
            Self::SlotValue => f.write_str("the value of Py_mod_gil is not known"),
            Self::InitFails(why) | Self::Build(why) | Self::Sources(why) => f.write_str(why),
            Self::DefinitionLayout(at) => {
                write!(f, "the module definition at {at} has neither the layout of free-threaded nor of GIL builds")
            }
            Self::SlotsPointer(at) => write!(f, "m_slots of the definition at {at} is not known"),
            Self::SlotsOutside(array) => write!(f, "the slot array at {array:#x} is outside the file"),
            Self::SlotId { index, at } => write!(f, "the id of slot {index} at {at} is not known"),
            Self::SlotsWithoutEnd(at) => write!(f, "the slot array at {at} has no end"),
            Self::NestedSlots(at) => write!(f, "the slot array nested at {at} could not be read"),
            Self::Architecture(arch, None) => write!(f, "code for {} is not evaluated", arch.as_str()),
            Self::Architecture(arch, Some(note)) => write!(f, "code for {} is not evaluated, {note}", arch.as_str()),
            Self::AddressRange => f.write_str("the file's address range is too large to be evaluated"),
            Self::Spent(budget) => f.write_str(match budget {
                Budget::Instructions => "the instruction budget ran out",
                Budget::Memory => "the memory budget ran out",
                Budget::Paths => "the path budget ran out",
                Budget::Unknowns => "the budget of unknown quantities ran out",
                Budget::Objects => "the object budget ran out",
            }),
            Self::Callees => f.write_str("what the init function returns depends on more callees than are followed"),
            Self::NoPath => f.write_str("no path through the init function was followed to a module"),
            Self::NotEvaluated => f.write_str("the init function could not be evaluated"),
            Self::IndirectFunction(at) => write!(f, "the indirect function at {at} was not resolved"),
            Self::ReturnValue => f.write_str("what the init function returns is not known"),
            Self::CalleeResult(at) => write!(f, "the result of {at} is not known"),
            Self::ReturnsTwice(name) => write!(f, "{name} is called, after which code may run again"),
            Self::HandedSlots(name) => write!(f, "{name} is given a pointer into the slots"),
            Self::HandedFunction(at) => {
                write!(f, "the function at {at}, which another library is given and may run, may change what was read")
            }
            Self::ApiResult(name) => write!(f, "the init function returns the result of {name}"),
            Self::PointerCall => {
                f.write_str("the init function returns the result of a call through a pointer that is not known")
            }
            Self::ForeignObject => {
                f.write_str("the init function returns an object that it found in another library's memory")
            }
            Self::OtherObject => f.write_str("the init function returns an object that is no module made here"),
            Self::SetGilObject => f.write_str("PyUnstable_Module_SetGIL is called on an object that could not be told"),
            Self::PathsDiffer(difference) => write!(f, "paths through the init function differ: {difference}"),
            Self::DependsOnImports { names, difference } => {
                write!(f, "it depends on what {} returns: {difference}", names.join(", "))
            }
            Self::SlotsRefused { target, error } => write!(f, "{target} refuses the slots: {error}"),
            Self::AbiInfoUnreadable => f.write_str("the PyABIInfo of Py_mod_abi could not be read"),
            Self::GilBuild => f.write_str(
                "on a GIL build most frameworks compile the declaration out, so its absence says nothing about a \
                 free-threaded build",
            ),
            Self::NotFollowed(why) => write!(f, "its code was not followed to the end: {why}"),
            Self::Condition(condition) => write!(f, "it depends on '{condition}'"),
            Self::DeclaredByAnotherFile => {
                f.write_str("another file declares, and whether for this module is not known")
            }
            Self::NoDefinition => f.write_str("its sources define no module that gilaudit can see"),
            Self::DefinitionsDiffer { first, second } => {
                write!(f, "it is defined several times, and the definitions differ: {first} and {second}")
            }
            Self::GeneratedDiffers(file) => {
                write!(f, "the build may compile '{file}' or what Cython made of it earlier, and they differ")
            }
            Self::GeneratedForm => f.write_str("the C that Cython generated declares in a way that is not known"),
            Self::ToolVersion(why) => f.write_str(why),
            Self::Interface { seen } => {
                let calls = if *seen { "calls" } else { "may call" };
                write!(f, "its interface {calls} PyUnstable_Module_SetGIL, which counts with some versions of SWIG")
            }
            Self::SourceNotJudged(why) => write!(f, "its source was not judged: {why}"),
        }
    }
}
