//! What is known of a Python object while imports are followed.
//!
//! A value says what an object is for sure, or a few things of which it is one; all else is [`Value::Unknown`]. Objects that can
//! change are shared, as in Python; how they may have been changed where nobody looked is noted on them.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

/// A name, the same in all files.
pub(super) type Name = u32;

/// Names and what they are.
pub(super) type Table = HashMap<Name, Value, foldhash::fast::FixedState>;

/// How many things a value may be one of, and how many when they are texts or the like, which nothing has to be followed for.
const MOST: usize = 12;
const MOST_PLAIN: usize = 64;

#[derive(Clone, Debug)]
pub(super) enum Value {
    /// It may be anything.
    Unknown,
    None,
    Bool(bool),
    Int(i64),
    Str(Rc<str>),
    Bytes(Rc<str>),
    /// A text that begins so and was put together here; whether the parts that are known say `import`.
    Text(Rc<str>, bool),
    /// A list, tuple or set.
    Seq(Rc<Seq>),
    Dict(Rc<Dict>),
    /// A module, by its dotted name.
    Module(Rc<str>),
    Func(Rc<Func>),
    Class(Rc<Class>),
    Instance(Rc<Instance>),
    /// A named thing of the standard library: `os.path.join`, `builtins.len`.
    Std(Rc<str>),
    /// What a call of it gave, with what was passed.
    Made(Rc<Made>),
    /// A method of a value whose type is not defined in Python.
    Method(Rc<(Self, Box<str>)>),
    /// A call of a generator or coroutine, which has not run.
    Paused(Rc<Paused>),
    /// Something that a compiled module made.
    Compiled,
    /// One of these.
    OneOf(Rc<Vec<Self>>),
}

/// A list, tuple or set.
#[derive(Debug, Default)]
pub(super) struct Seq {
    pub(super) items: RefCell<Vec<Value>>,
    /// Whether there may be more, or fewer, in another order.
    pub(super) open: Cell<bool>,
    /// Whether there may be items that are not among these.
    pub(super) others: Cell<bool>,
    pub(super) escaped: Cell<bool>,
    /// Whether it cannot change.
    pub(super) is_tuple: bool,
}

/// A dict.
#[derive(Debug, Default)]
pub(super) struct Dict {
    pub(super) pairs: RefCell<Vec<(Value, Value)>>,
    /// Whether there may be more, or fewer.
    pub(super) open: Cell<bool>,
    /// Whether there may be pairs that are not among these.
    pub(super) others: Cell<bool>,
    pub(super) escaped: Cell<bool>,
    /// The module whose names these are: `globals()`.
    pub(super) of_module: Option<Rc<Scope>>,
}

/// What was called, and what was passed.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) what: Rc<str>,
    pub(super) args: Args,
}

/// The arguments of a call.
#[derive(Clone, Debug, Default)]
pub(super) struct Args {
    pub(super) plain: Vec<Value>,
    pub(super) named: Vec<(Name, Value)>,
    /// Whether there may be more: `*args`, `**kwargs`.
    pub(super) open: bool,
}

/// A function: its code, and where it was defined.
#[derive(Debug)]
pub(super) struct Func {
    pub(super) unit: usize,
    pub(super) index: u32,
    pub(super) scope: Rc<Scope>,
    /// The default values, one for each parameter that has one, in order.
    pub(super) defaults: Vec<Option<Value>>,
    /// The object that it was looked up on.
    pub(super) bound: Option<Value>,
    /// The class in whose body it stands.
    pub(super) class: RefCell<Option<std::rc::Weak<Class>>>,
    pub(super) kind: FuncKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FuncKind {
    Plain,
    Property,
    Static,
    ClassMethod,
    /// A generator that `with` runs.
    Context,
}

/// A call that has not run.
#[derive(Debug)]
pub(super) struct Paused {
    pub(super) func: Rc<Func>,
    pub(super) args: Args,
    pub(super) ran: Cell<bool>,
}

/// A class of the program.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) unit: usize,
    pub(super) name: Name,
    pub(super) bases: Vec<Value>,
    pub(super) names: Rc<Scope>,
    /// Whether a base is not known, or is one that calls methods by itself.
    pub(super) open: bool,
    /// Whether code that is not seen may have instances of it.
    pub(super) live: Cell<bool>,
    pub(super) metaclass: Option<Value>,
}

/// An object of such a class.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) class: Rc<Class>,
    pub(super) names: RefCell<Table>,
    pub(super) escaped: Cell<bool>,
    /// Whether it stands for any object of the class.
    pub(super) any: bool,
}

/// The names of a module, class or call.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) names: RefCell<Table>,
    /// The call around it.
    pub(super) outer: Option<Rc<Self>>,
    /// Names that it binds itself, sorted: empty for a module.
    pub(super) id: usize,
}

impl Value {
    pub(super) fn text(text: &str) -> Self {
        Self::Str(text.into())
    }

    pub(super) fn seq(items: Vec<Self>, open: bool) -> Self {
        Self::Seq(Rc::new(Seq {
            items: RefCell::new(items),
            open: Cell::new(open),
            others: Cell::new(open),
            ..Seq::default()
        }))
    }

    /// What is known completely and cannot change.
    pub(super) fn tuple(items: Vec<Self>) -> Self {
        Self::Seq(Rc::new(Seq { items: RefCell::new(items), is_tuple: true, ..Seq::default() }))
    }

    pub(super) fn dict(pairs: Vec<(Self, Self)>, open: bool) -> Self {
        Self::Dict(Rc::new(Dict {
            pairs: RefCell::new(pairs),
            open: Cell::new(open),
            others: Cell::new(open),
            ..Dict::default()
        }))
    }

    pub(super) fn std(name: impl AsRef<str>) -> Self {
        Self::Std(name.as_ref().into())
    }

    pub(super) fn made(what: &str, args: Args) -> Self {
        Self::Made(Rc::new(Made { what: what.into(), args }))
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// Whether nothing can come of it: looking at it, calling it or passing it on runs nothing of the program.
    pub(super) fn is_inert(&self) -> bool {
        matches!(
            self,
            Self::Unknown
                | Self::None
                | Self::Bool(_)
                | Self::Int(_)
                | Self::Str(_)
                | Self::Bytes(_)
                | Self::Text(..)
                | Self::Std(_)
                | Self::Compiled
        )
    }

    /// Whether two values are the same, when that can be told.
    pub(super) fn same(&self, other: &Self) -> Option<bool> {
        Some(match (self, other) {
            (
                Self::Unknown
                | Self::Text(..)
                | Self::Compiled
                | Self::Made(_)
                | Self::OneOf(_)
                | Self::Method(_)
                | Self::Paused(_),
                _,
            )
            | (
                _,
                Self::Unknown
                | Self::Text(..)
                | Self::Compiled
                | Self::Made(_)
                | Self::OneOf(_)
                | Self::Method(_)
                | Self::Paused(_),
            ) => {
                return None;
            }
            (Self::None, Self::None) => true,
            (Self::Bool(one), Self::Bool(two)) => one == two,
            (Self::Int(one), Self::Int(two)) => one == two,
            (Self::Bool(one), Self::Int(two)) | (Self::Int(two), Self::Bool(one)) => i64::from(*one) == *two,
            (Self::Str(one), Self::Str(two)) | (Self::Bytes(one), Self::Bytes(two)) => one == two,
            (Self::Module(one), Self::Module(two)) | (Self::Std(one), Self::Std(two)) => one == two,
            (Self::Class(one), Self::Class(two)) => Rc::ptr_eq(one, two),
            (Self::Func(one), Self::Func(two)) if one.unit == two.unit && one.index == two.index => return None,
            (Self::Seq(one), Self::Seq(two)) => {
                if Rc::ptr_eq(one, two) {
                    return Some(true);
                }
                if one.open.get() || two.open.get() {
                    return None;
                }
                let (one, two) = (one.items.borrow(), two.items.borrow());
                if one.len() != two.len() {
                    return Some(false);
                }
                let mut all = true;
                for (one, two) in one.iter().zip(two.iter()) {
                    match one.shallow_same(two) {
                        Some(true) => {}
                        Some(false) => all = false,
                        None => return None,
                    }
                }
                all
            }
            (Self::Instance(_) | Self::Dict(_), _) | (_, Self::Instance(_) | Self::Dict(_)) => {
                return match (self, other) {
                    (Self::None | Self::Str(_) | Self::Int(_) | Self::Bool(_), Self::Dict(_))
                    | (Self::Dict(_), Self::None | Self::Str(_) | Self::Int(_) | Self::Bool(_))
                    | (Self::None, Self::Instance(_))
                    | (Self::Instance(_), Self::None) => Some(false),
                    (Self::Instance(one), Self::Instance(two)) if Rc::ptr_eq(one, two) && !one.any => Some(true),
                    _ => None,
                };
            }
            _ => false,
        })
    }

    fn shallow_same(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::Seq(_), _) | (_, Self::Seq(_)) => None,
            _ => self.same(other),
        }
    }

    /// Whether both are the very same knowledge.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unknown, Self::Unknown) | (Self::Compiled, Self::Compiled) => true,
            (Self::Seq(one), Self::Seq(two)) => Rc::ptr_eq(one, two),
            (Self::Dict(one), Self::Dict(two)) => Rc::ptr_eq(one, two),
            (Self::Func(one), Self::Func(two)) => Rc::ptr_eq(one, two),
            (Self::Class(one), Self::Class(two)) => Rc::ptr_eq(one, two),
            (Self::Instance(one), Self::Instance(two)) => Rc::ptr_eq(one, two),
            (Self::Made(one), Self::Made(two)) => Rc::ptr_eq(one, two),
            (Self::Paused(one), Self::Paused(two)) => Rc::ptr_eq(one, two),
            (Self::Method(one), Self::Method(two)) => Rc::ptr_eq(one, two),
            (Self::Text(one, import), Self::Text(two, other)) => one == two && import == other,
            (Self::Instance(_) | Self::Dict(_) | Self::Seq(_), _) => false,
            _ => self.same(other) == Some(true),
        }
    }

    /// One of two; `None` when there are too many to keep.
    pub(super) fn or(self, other: Self) -> Self {
        let mut all: Vec<Self> = Vec::new();
        for value in [self, other] {
            match value {
                Self::OneOf(some) => all.extend(some.iter().cloned()),
                other => all.push(other),
            }
        }
        let mut kept: Vec<Self> = Vec::new();
        for value in all {
            if !kept.iter().any(|old| old.is(&value)) {
                kept.push(value);
            }
        }
        match kept.len() {
            1 => kept.pop().unwrap_or(Self::Unknown),
            more if more > MOST => {
                let is_plain = |value: &Self| {
                    matches!(value, Self::Str(_) | Self::Int(_) | Self::None | Self::Bool(_) | Self::Text(..))
                };
                if more <= MOST_PLAIN && kept.iter().all(is_plain) {
                    return Self::OneOf(Rc::new(kept));
                }
                // What is dropped must have been seen by someone: the caller lets it escape.
                widened(&kept).unwrap_or(Self::Unknown)
            }
            _ => Self::OneOf(Rc::new(kept)),
        }
    }

    /// Whether going through it may give what is not known of it.
    pub(super) fn has_others(&self) -> bool {
        match self {
            Self::Seq(seq) => seq.others.get(),
            Self::Dict(dict) => dict.others.get() || dict.of_module.is_some(),
            Self::OneOf(some) => some.iter().any(Self::has_others),
            Self::Str(_) => false,
            _ => true,
        }
    }

    /// The things that it may be.
    pub(super) fn each(&self) -> Vec<Self> {
        match self {
            Self::OneOf(some) => some.to_vec(),
            other => vec![other.clone()],
        }
    }

    /// Whether it counts as true.
    pub(super) fn truth(&self) -> Option<bool> {
        Some(match self {
            Self::None => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Str(text) | Self::Bytes(text) => !text.is_empty(),
            Self::Text(text, _) if !text.is_empty() => true,
            Self::Module(_) | Self::Func(_) | Self::Class(_) | Self::Method(_) | Self::Paused(_) => true,
            Self::Seq(seq) if !seq.open.get() => !seq.items.borrow().is_empty(),
            Self::Dict(dict) if !dict.open.get() && dict.of_module.is_none() => !dict.pairs.borrow().is_empty(),
            Self::OneOf(some) => {
                let mut known = some.iter().map(Self::truth);
                let first = known.next().flatten()?;
                return known.all(|other| other == Some(first)).then_some(first);
            }
            _ => return None,
        })
    }
}

/// Many values as few that stand for all of them: texts by how they begin, tuples item by item. `None` where that says nothing.
fn widened(all: &[Value]) -> Option<Value> {
    let mut texts: Option<(String, bool)> = None;
    let mut tuples: Option<Vec<Value>> = None;
    let mut others: Vec<Value> = Vec::new();
    for value in all {
        match value {
            Value::Str(_) | Value::Text(..) => {
                let (text, imports) = match value {
                    Value::Text(text, imports) => (text, *imports),
                    Value::Str(text) => (text, text.contains("import")),
                    _ => return None,
                };
                texts = Some(match texts {
                    None => (text.to_string(), imports),
                    Some((begin, also)) => (common_beginning(&begin, text), also || imports),
                });
            }
            Value::Seq(seq) if seq.is_tuple && !seq.open.get() => {
                let items = seq.items.borrow();
                tuples = Some(match tuples {
                    None => items.clone(),
                    Some(old) if old.len() == items.len() => {
                        old.into_iter().zip(items.iter()).map(|(one, two)| one.or(two.clone())).collect()
                    }
                    Some(_) => return None,
                });
            }
            Value::None | Value::Bool(_) if !others.iter().any(|old| old.is(value)) => others.push(value.clone()),
            Value::None | Value::Bool(_) => {}
            _ => return None,
        }
    }
    // An item that is not known has been lost from here: whoever has it may use it.
    let is_lost = |items: &Vec<Value>| items.iter().any(|item| matches!(item, Value::Unknown));
    if tuples.as_ref().is_some_and(is_lost) {
        return None;
    }
    others.extend(texts.map(|(begin, imports)| Value::Text(begin.into(), imports)));
    others.extend(tuples.map(Value::tuple));
    match others.len() {
        1 => others.pop(),
        _ => Some(Value::OneOf(Rc::new(others))),
    }
}

fn common_beginning(one: &str, two: &str) -> String {
    one.chars().zip(two.chars()).take_while(|(one, two)| one == two).map(|(letter, _)| letter).collect()
}

impl Scope {
    pub(super) fn get(&self, name: Name) -> Option<Value> {
        self.names.borrow().get(&name).cloned()
    }
}
