//! Where threads begin.

use gilaudit_model::source::python::{Start, Target};

use super::syntax::Node;
use super::{Context, Reader, bare, children, span};

impl Reader<'_> {
    /// Notes what a call hands to a thread or a pool of threads. Returns where the lambdas begin that were read as its target.
    pub(super) fn start(&mut self, call: Node<'_>, function: Node<'_>, context: Context) -> Vec<usize> {
        let Some(callee) = self.path(function) else { return Vec::new() };
        let arguments: Vec<Node<'_>> = call.child_by_field_name("arguments").into_iter().flat_map(children).collect();
        let positional = |index: usize| {
            arguments.iter().filter(|argument| argument.kind() != "keyword_argument").nth(index).copied()
        };
        let keyword = |name: &str| {
            let named =
                |argument: &&Node<'_>| argument.child_by_field_name("name").is_some_and(|it| self.source(it) == name);
            let found = arguments.iter().filter(|argument| argument.kind() == "keyword_argument").find(named);
            found.and_then(|argument| argument.child_by_field_name("value"))
        };
        let receiver = callee.len().checked_sub(2).and_then(|index| callee.get(index)).map_or("", AsRef::as_ref);
        let (target, many) = match callee.last().map_or("", AsRef::as_ref) {
            "Thread" => (keyword("target").or_else(|| positional(1)), false),
            "Timer" => (keyword("function").or_else(|| positional(1)), false),
            "start_new_thread" => (positional(0), false),
            "to_thread" => (positional(0), true),
            "run_sync" if receiver == "to_thread" => (positional(0), true),
            "run_in_executor" => (positional(1), true),
            "submit" | "map" | "apply_async" | "imap" | "imap_unordered" | "map_async" | "starmap" => {
                match self.known.pool(receiver) {
                    Some(several) => (positional(0), several),
                    None => return Vec::new(),
                }
            }
            _ => return Vec::new(),
        };
        let Some(target) = target else { return Vec::new() };
        let mut read = Vec::new();
        if let Some(target) = self.target_of(target, context, &mut read) {
            let many = many || context.looped;
            self.out.starts.push(Start { function: context.function, target, many, span: span(call) });
        }
        read
    }

    /// What runs: a function with a name, `partial` of one, a lambda.
    fn target_of(&mut self, node: Node<'_>, context: Context, read: &mut Vec<usize>) -> Option<Target> {
        let node = bare(node);
        match node.kind() {
            "lambda" => {
                read.push(node.start_byte());
                Some(Target::Function(self.lambda(node, context)))
            }
            "call" => {
                let function = self.path(node.child_by_field_name("function")?)?;
                let first = node.child_by_field_name("arguments").and_then(|arguments| children(arguments).next())?;
                (function.last()?.as_ref() == "partial").then(|| self.path(first).map(Target::Path)).flatten()
            }
            _ => self.path(node).map(Target::Path),
        }
    }
}
