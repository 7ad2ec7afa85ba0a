//! What the sources of one project say: files, functions, variables, types.
//!
//! A front end (`gilaudit-source`) lowers source text to this small tree, which is the same for C and C++; the rules read nothing
//! else, so what a rule *is* does not depend on the parser. Everything lives in arenas and is named by small ids, because a project
//! has millions of expressions. What [`cython`], [`rust`], [`python`], [`cargo`] and [`build`] files say is in modules of their own: these
//! languages have little in common but files, lines and comments.

mod body;
pub mod build;
pub mod cargo;
pub mod cython;
mod file;
mod names;
mod operator;
mod project;
pub mod python;
pub mod rust;
mod steps;
mod types;

pub use body::{Body, Expr, ExprId, ExprKind, ExprList, Local, LocalId, Span, Stmt, StmtId, StmtKind, StmtList};
pub use file::{Clinic, File, FileId, Guard, Language, LineIndex, Unread};
pub use names::{Name, Names};
pub use operator::{BinaryOp, UnaryOp};
pub use project::{ExtensionUser, Function, FunctionId, Global, GlobalId, Project, Variant};
pub use steps::Steps;
pub use types::{Field, Struct, StructId, Type};
