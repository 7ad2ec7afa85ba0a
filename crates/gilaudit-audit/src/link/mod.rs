//! Modules that another file initialises: a library that the file needs, or another module.

pub(crate) mod delegate;
pub(crate) mod elsewhere;
mod linked;
