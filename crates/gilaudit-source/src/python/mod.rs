//! Python: whole files as [`Program`](gilaudit_model::program::Program)s, for whoever follows imports; `.pth` files and stubs; and in
//! `state/` what functions do with state that threads share.

pub(crate) mod logical;
mod program;
mod pth;
pub(crate) mod state;
mod stub;

pub use program::read_program;
pub use pth::{PthLine, read_pth};
pub use stub::read_stub;
