//! What the rules for Cython share: who calls whom, what is an attribute of which class, which locks are held where.

mod code;
mod directive;
mod index;
mod weak;

pub(crate) use code::{Code, Lock, codes};
pub(crate) use directive::build_says;
pub(crate) use index::{Index, declares, modules};
pub(crate) use weak::{class_of, is_weak_global, weak_attributes};
