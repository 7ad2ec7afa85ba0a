//! What kind of object a value is: `isinstance`, `issubclass`, `callable`, as far as they can be told, and the order in which classes are
//! asked for a name.

use std::rc::Rc;

use super::super::value::{Class, Instance, Value};
use super::Run;

/// Built-in types that have no subclass in common with each other, so that an object of one is of no other.
const APART: [&str; 12] =
    ["str", "int", "float", "complex", "bytes", "bytearray", "list", "tuple", "dict", "set", "frozenset", "type"];

/// Classes of the standard library whose objects are of none of those types.
const PLAIN_BASES: [&str; 9] = [
    "builtins.object",
    "abc.ABC",
    "typing.Generic",
    "typing.Protocol",
    "threading.Thread",
    "threading.local",
    "contextlib.ContextDecorator",
    "contextlib.AbstractContextManager",
    "logging.Handler",
];

/// How many classes are looked at for one question.
const MOST: usize = 64;

impl Run<'_> {
    /// `isinstance(value, of)`.
    pub(super) fn is_instance(&self, value: &Value, of: &Value) -> Option<bool> {
        match (value, of) {
            (Value::OneOf(some), _) => {
                let mut all = some.iter().map(|one| self.is_instance(one, of));
                let first = all.next().flatten()?;
                all.all(|other| other == Some(first)).then_some(first)
            }
            (_, Value::Seq(seq)) => {
                let mut open = seq.open.get();
                for one in seq.items.borrow().iter() {
                    match self.is_instance(value, one) {
                        Some(true) => return Some(true),
                        Some(false) => {}
                        None => open = true,
                    }
                }
                (!open).then_some(false)
            }
            (_, Value::Std(name)) => self.is_of_builtin(value, name.strip_prefix("builtins.")?),
            (Value::Instance(instance), Value::Class(class)) => is_of_class(instance, class),
            // A module or function is an object of no class of the program.
            (Value::None | Value::Module(_) | Value::Func(_), Value::Class(class)) if !decides_itself(class) => {
                Some(false)
            }
            _ => None,
        }
    }

    fn is_of_builtin(&self, value: &Value, name: &str) -> Option<bool> {
        if name == "object" {
            return Some(true);
        }
        if !APART.contains(&name) && name != "bool" {
            return None;
        }
        match value {
            Value::Str(_) | Value::Text(..) => Some(name == "str"),
            Value::Bytes(_) => Some(name == "bytes"),
            Value::Int(_) => (name != "bool").then_some(name == "int"),
            Value::Bool(_) => Some(matches!(name, "bool" | "int")),
            Value::Dict(_) => Some(name == "dict"),
            // Which of them is not kept.
            Value::Seq(_) if matches!(name, "list" | "tuple" | "set" | "frozenset") => None,
            Value::None | Value::Module(_) | Value::Func(_) | Value::Method(_) | Value::Paused(_) | Value::Seq(_) => {
                Some(false)
            }
            Value::Class(_) => Some(name == "type"),
            Value::Made(made) if super::text::is_path(&made.what) || &*made.what == "functools.partial" => Some(false),
            Value::Made(made) if &*made.what == "number" => {
                (!matches!(name, "int" | "float" | "complex")).then_some(false)
            }
            Value::Instance(instance) => {
                let mut open = false;
                for class in order(&instance.class) {
                    for base in &class.bases {
                        match base {
                            Value::Class(_) => {}
                            Value::Std(own) if own.strip_prefix("builtins.") == Some(name) => return Some(true),
                            Value::Std(own) => {
                                let plain = own.strip_prefix("builtins.").is_some_and(|own| {
                                    own.ends_with("Error") || own.ends_with("Exception") || APART.contains(&own)
                                });
                                open |= !plain && !PLAIN_BASES.contains(&&**own);
                            }
                            _ => open = true,
                        }
                    }
                }
                // A method that is looked at for any object may be called for one of a subclass.
                (!open && !instance.any).then_some(false)
            }
            _ => None,
        }
    }

    /// `callable(value)`.
    pub(super) fn is_callable(&self, value: &Value) -> Option<bool> {
        match value {
            Value::Func(_) | Value::Class(_) | Value::Method(_) => Some(true),
            Value::Str(_)
            | Value::Text(..)
            | Value::Bytes(_)
            | Value::Int(_)
            | Value::Bool(_)
            | Value::None
            | Value::Seq(_)
            | Value::Dict(_)
            | Value::Module(_) => Some(false),
            Value::OneOf(some) => {
                let mut all = some.iter().map(|one| self.is_callable(one));
                let first = all.next().flatten()?;
                all.all(|other| other == Some(first)).then_some(first)
            }
            _ => None,
        }
    }

    /// The class after `class` in the order of the object's class that has a name: what `super()` finds. `None` when it is none of the
    /// program's.
    pub(super) fn next_attribute(&mut self, object: &Value, class: &Rc<Class>, name: &str) -> Option<Value> {
        let start = match object {
            Value::Instance(instance) => &instance.class,
            Value::Class(own) => own,
            _ => class,
        };
        let name = self.intern(name);
        let all = order(start);
        let at = all.iter().position(|one| Rc::ptr_eq(one, class));
        let all = if at.is_some() { all } else { order(class) };
        all.iter().skip(at.unwrap_or(0) + 1).find_map(|one| one.names.get(name))
    }
}

/// Whether a class answers by itself what is an object of it.
fn decides_itself(class: &Rc<Class>) -> bool {
    order(class).iter().any(|one| {
        one.metaclass.is_some()
            || one.bases.iter().any(|base| match base {
                Value::Class(_) => false,
                Value::Std(name) => {
                    name.starts_with("abc.") || name.starts_with("typing.") || name.starts_with("collections.")
                }
                _ => true,
            })
    })
}

fn is_of_class(instance: &Instance, class: &Rc<Class>) -> Option<bool> {
    let all = order(&instance.class);
    if all.iter().any(|one| Rc::ptr_eq(one, class)) {
        return Some(true);
    }
    let known = all.iter().all(|one| one.bases.iter().all(|base| matches!(base, Value::Class(_) | Value::Std(_))));
    // The same `class` statement may have run more than once.
    let again = all.iter().any(|one| one.unit == class.unit && one.name == class.name);
    (known && !again && !instance.any && !decides_itself(class)).then_some(false)
}

/// The classes in which a name is looked up, in order.
///
/// CPython 3.14.7 `Objects/typeobject.c`, `mro_implementation`: each class comes before its bases, and bases in the order in which they
/// are named. A class that several others share comes after all of them.
pub(super) fn order(class: &Rc<Class>) -> Vec<Rc<Class>> {
    let mut all: Vec<Rc<Class>> = Vec::new();
    let mut stack = vec![Rc::clone(class)];
    while let Some(next) = stack.pop() {
        if all.len() >= MOST {
            break;
        }
        let bases = next.bases.iter().rev().filter_map(|base| match base {
            Value::Class(base) => Some(Rc::clone(base)),
            _ => None,
        });
        stack.extend(bases);
        all.push(next);
    }
    // Of a class that is met twice the last place counts.
    let mut kept: Vec<Rc<Class>> = Vec::new();
    for one in all.into_iter().rev() {
        if !kept.iter().any(|old| Rc::ptr_eq(old, &one)) {
            kept.push(one);
        }
    }
    kept.reverse();
    kept
}
