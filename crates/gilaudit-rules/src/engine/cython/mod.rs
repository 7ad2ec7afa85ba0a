//! What the rules for Cython share: who calls whom, what is an attribute of which class, which locks are held where.

mod code;
mod directive;
mod index;
mod lazy;
mod local_only;
mod modules;
mod roles;
mod values;
mod weak;

pub(crate) use code::{Code, Lock, codes};
pub(crate) use directive::build_says;
pub(crate) use index::Index;
pub(crate) use lazy::lazy_fills;
pub(crate) use modules::{declares, modules};
pub(crate) use weak::{class_of, is_weak_global, weak_attributes};
