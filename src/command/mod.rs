//! The subcommands, one file each: a function from arguments to an exit code.

pub(crate) mod cache;
pub(crate) mod check;
pub(crate) mod diff;
pub(crate) mod explain;
pub(crate) mod history;
pub(crate) mod policy;
pub(crate) mod rules;
pub(crate) mod shell;
pub(crate) mod upgrade;
pub(crate) mod verify;
