//! C and C++.

mod clinic;
mod condition;
mod conditionals;
mod configuration;
mod macros;
mod prepare;
mod token;
