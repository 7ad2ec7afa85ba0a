//! Why an answer is unknown, or what qualifies it: codes with parameters, so that reports can be counted and not only read.
//!
//! A [`Reason`] is shown as a text, which may be worded better from one version to the next; its [`code`](Reason::code) stays.

use std::fmt;

use crate::{Delegate, Target, Version};

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
    /// The slots could not be read; what there is in the way.
    SlotsUnreadable(String),
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
    /// Why evaluating the init function gave no answer.
    Code(String),
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
            Self::SlotsUnreadable(_) => "slots-unreadable",
            Self::SlotsRefused { .. } => "slots-refused",
            Self::AbiInfoUnreadable => "abi-info-unreadable",
            Self::GilBuild => "gil-build",
            Self::NotFollowed(_) => "not-followed",
            Self::InitFails(_) => "init-fails",
            Self::Code(_) => "code",
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
            Self::SlotsUnreadable(why)
            | Self::InitFails(why)
            | Self::Code(why)
            | Self::Build(why)
            | Self::Sources(why) => f.write_str(why),
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
