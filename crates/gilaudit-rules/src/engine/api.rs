//! What is known of CPython's C API and of locks, under the name that rules use: the tables are in `gilaudit_model::capi`.

pub(crate) use gilaudit_model::capi::*;
