//! Expressions: calls, containers that are changed or iterated over, lambdas.

use gilaudit_model::source::python::{Call, UseKind};

use super::syntax::Node;
use super::{Context, Reader, bare, children, span};

/// Methods that make a list, dictionary, set or deque larger, or replace what is in it.
const ADDING: [&str; 9] =
    ["append", "appendleft", "add", "insert", "extend", "extendleft", "update", "setdefault", "difference_update"];

/// Methods that make one smaller.
const REMOVING: [&str; 8] =
    ["pop", "popitem", "popleft", "remove", "discard", "clear", "intersection_update", "symmetric_difference_update"];

/// Views of a dictionary.
const VIEWS: [&str; 3] = ["items", "values", "keys"];

/// Functions that go through what they are given without copying it first.
const LAZY: [&str; 6] = ["enumerate", "zip", "map", "filter", "reversed", "iter"];

impl Reader<'_> {
    pub(super) fn expression(&mut self, node: Node<'_>, context: Context) {
        let context = Context { depth: context.depth + 1, ..context };
        if !self.may_enter(node, context) {
            return;
        }
        match node.kind() {
            "assignment" | "augmented_assignment" => self.assignment(node, context),
            "call" => self.call(node, context),
            "lambda" => {
                self.lambda(node, context);
            }
            "named_expression" => {
                node.child_by_field_name("value").into_iter().for_each(|value| self.expression(value, context));
                node.child_by_field_name("name").into_iter().for_each(|name| self.target(name, None, node, context));
            }
            "subscript" => {
                if let Some(container) = node.child_by_field_name("value") {
                    self.note(container, UseKind::GetItem, node, context);
                }
                children(node).for_each(|child| self.expression(child, context));
            }
            "list_comprehension" | "set_comprehension" | "dictionary_comprehension" | "generator_expression" => {
                let inner = Context { looped: true, ..context };
                for child in children(node) {
                    if child.kind() == "for_in_clause" {
                        let right = child.child_by_field_name("right");
                        right.into_iter().for_each(|right| self.iterate(right, context));
                    } else {
                        self.expression(child, inner);
                    }
                }
            }
            "identifier"
            | "attribute"
            | "string"
            | "integer"
            | "comment"
            | "function_definition"
            | "class_definition" => {
                // Calls may stand inside: `f().x`, an f-string.
                children(node)
                    .filter(|child| !matches!(child.kind(), "identifier"))
                    .for_each(|child| self.expression(child, context));
            }
            _ => children(node).for_each(|child| self.expression(child, context)),
        }
    }

    /// A lambda as a function of its own.
    pub(super) fn lambda(&mut self, node: Node<'_>, context: Context) -> usize {
        let index = self.open(node, "<lambda>", Context { class: None, ..context });
        let inner = Context { function: index, class: None, locked: false, looped: false, depth: context.depth };
        node.child_by_field_name("body").into_iter().for_each(|body| self.expression(body, inner));
        index
    }

    fn call(&mut self, node: Node<'_>, context: Context) {
        let Some(function) = node.child_by_field_name("function") else { return };
        let arguments = node.child_by_field_name("arguments");
        if let Some(callee) = self.path(function) {
            let (looped, locked) = (context.looped, context.locked);
            if let [.., _, method] = callee.as_slice() {
                let kind = match method.as_ref() {
                    name if ADDING.contains(&name) => Some(UseKind::Add),
                    name if REMOVING.contains(&name) => Some(UseKind::Remove),
                    _ => None,
                };
                if let (Some(kind), Some(object)) = (kind, bare(function).child_by_field_name("object")) {
                    self.note(object, kind, node, context);
                }
            }
            let call = Call { callee, span: span(node), locked, looped };
            if let Some(function) = self.function(context) {
                function.calls.push(call);
            }
        } else {
            self.expression(function, context);
        }
        // What starts a thread reads its lambdas itself.
        let read = self.start(node, function, context);
        for argument in arguments.into_iter().flat_map(children) {
            if argument.kind() == "lambda" && read.contains(&argument.start_byte()) {
                continue;
            }
            match argument.kind() {
                "keyword_argument" => {
                    let value = argument.child_by_field_name("value");
                    let value = value.filter(|value| !read.contains(&value.start_byte()));
                    value.into_iter().for_each(|value| self.expression(value, context));
                }
                _ => self.expression(argument, context),
            }
        }
    }

    /// What a loop goes through: a container or a view of it, not a copy.
    pub(super) fn iterate(&mut self, right: Node<'_>, context: Context) {
        let right = bare(right);
        self.expression(right, context);
        let mut node = right;
        for _ in 0..8 {
            if node.kind() != "call" {
                break;
            }
            let Some(function) = node.child_by_field_name("function") else { return };
            let first = node.child_by_field_name("arguments").and_then(|arguments| children(arguments).next());
            node = match self.path(function).as_deref() {
                Some([.., _, view]) if VIEWS.contains(&view.as_ref()) && first.is_none() => {
                    match bare(function).child_by_field_name("object") {
                        Some(object) => object,
                        None => return,
                    }
                }
                Some([name]) if LAZY.contains(&name.as_ref()) => match first {
                    Some(first) => first,
                    None => return,
                },
                _ => return,
            };
        }
        self.note(node, UseKind::Iterate, right, context);
    }
}
