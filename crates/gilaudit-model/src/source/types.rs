//! Types, as far as rules need them.

use super::{FileId, Name, Span};

/// A declared type: base name, pointer depth and qualifiers. What is not modelled (function types, templates) keeps its text in `base`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Type {
    /// The base type without qualifiers, storage classes, `struct`/`union`/`enum`: `PyObject` of `const PyObject *x`, `unsigned int`.
    pub base: Name,
    /// How many `*` (or `&`) stand between the base and the variable.
    pub pointers: u8,
    /// Whether it is an array of that.
    pub array: bool,
    /// Whether it is a pointer to a function.
    pub function: bool,
    /// Whether the variable itself cannot change: `const int x`, `int *const p`, `const char *const names[]`; not `const char *p`.
    pub constant: bool,
    /// Whether the base type is `const`: `const char *p`.
    pub constant_base: bool,
    /// `volatile`
    pub volatile: bool,
    /// `_Atomic`, `std::atomic<…>`, `atomic_…`
    pub atomic: bool,
    /// C++ reference.
    pub reference: bool,
}

impl Type {
    /// A plain value of the type that `base` names.
    pub fn named(base: Name) -> Self {
        Self {
            base,
            pointers: 0,
            array: false,
            function: false,
            constant: false,
            constant_base: false,
            volatile: false,
            atomic: false,
            reference: false,
        }
    }
}

/// The number of a struct in its project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StructId(pub u32);

/// A struct, union or class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Struct {
    /// Where it is defined.
    pub file: FileId,
    /// The whole definition.
    pub span: Span,
    /// Every name it goes by: its tag and the typedefs of the same declaration (later aliases are in [`super::Project::typedefs`]).
    pub names: Vec<Name>,
    /// Its data members; those of anonymous inner structs are listed as its own.
    pub fields: Vec<Field>,
    /// Whether it begins with `PyObject_HEAD` or the like, or derives from `PyObject`: instances are Python objects.
    pub is_object: bool,
    /// The base classes, in C++.
    pub bases: Vec<Name>,
}

impl Struct {
    /// Gives every name in it another one.
    pub fn rename(&mut self, mut to: impl FnMut(Name) -> Name) {
        for field in &mut self.fields {
            field.name = to(field.name);
            field.ty.base = to(field.ty.base);
        }
        for name in self.names.iter_mut().chain(&mut self.bases) {
            *name = to(*name);
        }
    }
}

/// A data member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: Type,
    /// Whether it is a bit-field.
    pub bits: bool,
    /// `static` member of a C++ class.
    pub is_static: bool,
    /// `thread_local` member.
    pub thread_local: bool,
    /// Its declarator.
    pub span: Span,
}
