//! A function as steps over values: the level at which rules ask what happens, in which order, to what.
//!
//! It is no syntax tree, and it belongs to no front end: machine code is brought to it today, C sources can be. A step is a call, an
//! access to memory, a reference taken or given up, a lock, a test or a return. What a step works on is a [`Value`]: a set of
//! [`Term`]s, each an [`Origin`] plus an offset, because control flow joins and several things may be meant. An address is a value
//! like any other, and what is in memory there is a [`Origin::Member`] of it.
//!
//! What a front end could not follow is not here: [`Looked`] counts it.

mod function;
mod looked;
mod value;

pub use function::{
    Block, BlockId, Callee, Function, LockKind, MadeBy, Parameter, PythonName, Reach, Role, Step, StepKind,
};
pub use looked::{Code, Looked, Static};
pub use value::{Origin, OriginId, Term, Value, Values};
