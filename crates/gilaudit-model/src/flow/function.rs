//! A function: its steps in blocks, what it is for, and who wrote it.

use super::{Value, Values};
use crate::capi::LockFamily;
use crate::{Framework, Place};

/// The number of a block in its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(pub u32);

/// A function.
#[derive(Clone, Debug)]
pub struct Function {
    /// Where it is.
    pub at: Place,
    /// Its symbol, if the file has one.
    pub symbol: Option<String>,
    /// The names by which Python sees it, sorted.
    pub names: Vec<PythonName>,
    /// What it is for.
    pub role: Role,
    /// When it runs.
    pub reach: Reach,
    /// Who wrote it.
    pub made_by: MadeBy,
    /// What is known of its arguments.
    pub parameters: Vec<Parameter>,
    /// Its blocks; the first is where it begins.
    pub blocks: Vec<Block>,
    /// What its steps work on.
    pub values: Values,
}

/// A name by which Python sees a function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PythonName {
    /// The type, if it belongs to one: `Template`.
    pub of: Option<String>,
    /// The name in it: `expand`, or the slot's: `tp_new`.
    pub name: String,
}

impl std::fmt::Display for PythonName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.of {
            Some(of) => write!(f, "{of}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// What a function is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Python code calls it: a method, an attribute, an operator.
    Python,
    /// It runs while an object is made or ended, or while the collector looks at it: nobody else has the object then.
    LifeCycle,
    /// It gives away the object's memory, or takes it back (`bf_getbuffer`, `bf_releasebuffer`).
    Buffer,
    /// It runs when the module is imported.
    Import,
    /// Others call it.
    Other,
}

/// When a function runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// Whenever Python code runs.
    Python,
    /// While the module is imported only.
    Import,
    /// Nothing that was found leads to it.
    Nothing,
}

/// Who wrote a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MadeBy {
    /// The author of the module.
    Author,
    /// Could be the author, or what a generator or a library added.
    Unknown,
    /// A tool that writes extension modules, or its run-time library.
    Generator(Framework),
    /// The library of a language.
    Library(&'static str),
}

/// What an argument of a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Parameter {
    /// The object that a method is called on, or the module.
    Itself,
    /// The type that an instance is asked of.
    Type,
    /// The tuple of arguments.
    Arguments,
    /// An array of arguments.
    ArgumentArray,
    /// The dict of keyword arguments, made for the call.
    Keywords,
    /// The tuple of their names.
    KeywordNames,
    /// One argument that Python code gave.
    Argument,
    /// No object, or of no interest.
    Other,
    /// Not known.
    Unknown,
    /// Something that no other thread has, whoever calls.
    Private,
}

/// Steps that run one after the other.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// In the order in which they run.
    pub steps: Vec<Step>,
    /// What can run next.
    pub successors: Vec<BlockId>,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// The address, or whatever tells steps apart in another front end.
    pub at: u64,
    /// What it does.
    pub kind: StepKind,
}

/// What is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Callee {
    /// A function of another file, by its number in [`super::Code::imports`].
    Import(u32),
    /// A function of this one, by its address.
    Local(u64),
    /// Whatever this value points at.
    Value(Value),
}

/// How something is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockKind {
    /// A lock of a family that the tables know.
    Family(LockFamily),
    /// The lock of a variable that is made on first use (`__cxa_guard_acquire`).
    Once,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum StepKind {
    /// Calls something. A call that is the function's last step is a return, too.
    Call {
        /// What.
        callee: Callee,
        /// The arguments that a call can take in registers, whether this one takes as many or not.
        arguments: Vec<Value>,
        /// What it returns.
        result: Value,
    },
    /// Reads memory that is not in the frame.
    Load {
        /// The address.
        from: Value,
        /// How many bytes.
        width: u8,
        /// What was there.
        result: Value,
        /// Whether it is one step for all threads.
        atomic: bool,
    },
    /// Writes memory that is not in the frame.
    Store {
        /// The address.
        to: Value,
        /// How many bytes.
        width: u8,
        /// What.
        value: Value,
        /// Whether it is one step for all threads.
        atomic: bool,
    },
    /// Reads memory, changes what was there and writes it back.
    Update {
        /// The address.
        place: Value,
        /// How many bytes.
        width: u8,
        /// What is added, when that is what it does.
        by: Option<i64>,
        /// Whether it is one step for all threads.
        atomic: bool,
    },
    /// Takes a reference to an object.
    Incref(Value),
    /// Gives up a reference to an object.
    Decref(Value),
    /// Takes a lock.
    Lock {
        /// How.
        kind: LockKind,
        /// What is locked: an object, or the lock.
        what: Vec<Value>,
        /// What the release will name: the section in the frame, or the lock.
        token: Value,
    },
    /// Releases a lock.
    Unlock {
        /// How.
        kind: LockKind,
        /// What the lock was taken with.
        token: Value,
    },
    /// Compares two values, or looks at bits of one.
    Test {
        /// The first.
        value: Value,
        /// The second, or the bits.
        against: Value,
        /// Whether the second says which bits are looked at.
        bits: bool,
    },
    /// Returns.
    Return(Value),
}
