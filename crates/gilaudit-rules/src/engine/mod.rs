//! What the rules for sources share: control flow, values, locks, the project's index, exemptions, what is known of the C API.

pub(crate) mod analysis;
pub(crate) mod api;
mod automatic;
pub(crate) mod borrow;
pub(crate) mod cfg;
pub(crate) mod check_act;
pub(crate) mod cython;
pub(crate) mod declarations;
pub(crate) mod exempt;
pub(crate) mod flow;
pub(crate) mod generators;
pub(crate) mod globals;
pub(crate) mod index;
pub(crate) mod locks;
pub(crate) mod members;
pub(crate) mod memory;
pub(crate) mod metadata;
pub(crate) mod objects;
pub(crate) mod ownership;
pub(crate) mod projects;
pub(crate) mod regions;
pub(crate) mod registries;
pub(crate) mod requirement;
pub(crate) mod rust;
pub(crate) mod rust_borrow;
pub(crate) mod threads;
pub(crate) mod values;
