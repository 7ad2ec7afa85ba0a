//! What names are bound to locks and to pools of threads, wherever in the file.

use std::collections::{HashMap, HashSet};

use gilaudit_model::source::python::Value;

use super::syntax::{Node, Syntax};
use super::{bare, children, path};

/// The names of a file that mean something wherever they are used: the last part of what is assigned to (`pool` of `self.pool = …`).
#[derive(Debug, Default)]
pub(super) struct Known {
    locks: HashSet<Box<str>>,
    /// Pools of threads; whether they have several.
    pools: HashMap<Box<str>, bool>,
    /// Whether the file uses pools of processes.
    processes: bool,
}

impl Known {
    /// Whether an object of this name is a lock: it is made from one in this file, or called one.
    pub(super) fn is_lock(&self, name: &str) -> bool {
        let lower = name.to_ascii_lowercase();
        self.locks.contains(name)
            || ["lock", "mutex", "semaphore", "condition", "critical_section"].iter().any(|word| lower.contains(word))
                && !lower.contains("unlock")
    }

    /// Whether an object of this name is a pool of threads, and whether it has several.
    pub(super) fn pool(&self, name: &str) -> Option<bool> {
        let called = || (!self.processes && name.to_ascii_lowercase().contains("executor")).then_some(true);
        self.pools.get(name).copied().or_else(called)
    }
}

/// Reads them.
pub(super) fn read(syntax: &Syntax<'_>, text: &str) -> Known {
    let mut known = Known { processes: text.contains("ProcessPoolExecutor"), ..Known::default() };
    for node in syntax.nodes() {
        match node.kind() {
            "assignment" => {
                if let (Some(left), Some(right)) = (node.child_by_field_name("left"), node.child_by_field_name("right"))
                {
                    bind(&mut known, text, left, right);
                }
            }
            "as_pattern" => {
                let mut parts = children(node);
                if let (Some(value), Some(target)) = (parts.next(), parts.next()) {
                    bind(&mut known, text, children(target).next().unwrap_or(target), value);
                }
            }
            _ => {}
        }
    }
    known
}

fn bind(known: &mut Known, text: &str, left: Node<'_>, right: Node<'_>) {
    let Some(name) = path(text, left).and_then(|mut path| path.pop()) else { return };
    let right = bare(right);
    if right.kind() != "call" {
        return;
    }
    let Some(made) = right.child_by_field_name("function").and_then(|function| path(text, function)) else { return };
    match made.last().map_or("", AsRef::as_ref) {
        "Lock" | "RLock" | "Condition" | "Semaphore" | "BoundedSemaphore" | "allocate_lock" => {
            known.locks.insert(name);
        }
        "ThreadPoolExecutor" | "ThreadPool" => {
            let arguments =
                right.child_by_field_name("arguments").map(|node| text.get(node.byte_range()).unwrap_or_default());
            let one = arguments.is_some_and(|text| {
                let inner: String = text.chars().filter(|c| !c.is_whitespace()).collect();
                inner.starts_with("(1)")
                    || inner.starts_with("(1,")
                    || inner.contains("max_workers=1)")
                    || inner.contains("max_workers=1,")
            });
            known.pools.insert(name, !one);
        }
        _ => {}
    }
}

/// What kind of value an expression makes.
pub(super) fn value(text: &str, node: Node<'_>) -> Value {
    let node = bare(node);
    match node.kind() {
        "dictionary" | "dictionary_comprehension" => Value::Dict,
        "list" | "list_comprehension" => Value::List,
        "set" | "set_comprehension" => Value::Set,
        "call" => {
            let made = node.child_by_field_name("function").and_then(|function| path(text, function));
            match made.as_ref().and_then(|path| path.last()).map_or("", AsRef::as_ref) {
                "dict" | "defaultdict" | "OrderedDict" | "Counter" | "WeakKeyDictionary" => Value::Dict,
                "list" | "deque" => Value::List,
                "set" | "WeakSet" => Value::Set,
                "WeakValueDictionary" => Value::WeakValues,
                "local" | "ContextVar" | "Queue" | "SimpleQueue" | "LifoQueue" | "PriorityQueue" | "Lock" | "RLock"
                | "Condition" | "Event" | "Semaphore" | "BoundedSemaphore" | "Barrier" | "count" => Value::Threaded,
                _ => Value::Other,
            }
        }
        _ => Value::Other,
    }
}
