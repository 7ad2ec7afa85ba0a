//! A test and what is done on its result, with no lock over both.

use std::ops::Range;

use gilaudit_model::source::Span;
use gilaudit_model::source::python::{Check, Form, Path, Use, UseKind};

use super::syntax::Node;
use super::{Context, Reader, bare, children, path, span};

/// Where a check is looked for.
struct At {
    /// The uses of the function that are in the statement and in those after it that can depend on it.
    uses: Range<usize>,
    context: Context,
}

impl Reader<'_> {
    /// The checks that a statement begins, when it and those that follow it in its block have been read.
    pub(super) fn checks_of(&mut self, statement: Node<'_>, rest: &[Node<'_>], uses: Range<usize>, context: Context) {
        let at = At { uses, context };
        if context.function == 0 || context.locked {
            return;
        }
        match statement.kind() {
            "if_statement" | "while_statement" => self.conditional(statement, rest, &at),
            "try_statement" => self.attempt(statement, &at),
            "expression_statement" => self.lookup(statement, rest, &at),
            _ => {}
        }
    }

    fn conditional(&mut self, statement: Node<'_>, rest: &[Node<'_>], at: &At) {
        let Some(condition) = statement.child_by_field_name("condition") else { return };
        let body = statement.child_by_field_name("consequence").or_else(|| statement.child_by_field_name("body"));
        let Some(body) = body else { return };
        for (place, test) in tests(self.text, condition) {
            match test {
                Test::Missing => self.add(place, Form::Missing, condition, &[body], at, stores),
                Test::Present if leaves(body) => self.add(place, Form::Missing, condition, rest, at, stores),
                Test::Present => self.add(place, Form::Present, condition, &[body], at, takes),
                Test::Unset => self.add(place, Form::Unset, condition, &[body], at, binds),
                Test::Set if leaves(body) => self.add(place, Form::Unset, condition, rest, at, binds),
                Test::Set => self.add(place, Form::NotEmpty, condition, &[body], at, takes),
                Test::NoAttribute => self.add(place, Form::Attribute, condition, &[body], at, binds),
            }
        }
    }

    /// `try: … x[k] … except KeyError: x[k] = …`
    fn attempt(&mut self, statement: Node<'_>, at: &At) {
        let Some(body) = statement.child_by_field_name("body") else { return };
        let reads = self.found(&[body], at, |it| it.kind == UseKind::GetItem);
        for clause in children(statement).filter(|clause| clause.kind() == "except_clause") {
            let caught = children(clause).next().map_or("", |caught| self.source(caught));
            if !caught.contains("KeyError") && !caught.contains("LookupError") {
                continue;
            }
            for (place, read) in &reads {
                let act = self.found(&[clause], at, stores).into_iter().find(|(stored, _)| stored == place);
                if let Some((_, act)) = act {
                    self.push(Check { place: place.clone(), form: Form::Missing, span: *read, act }, at.context);
                }
            }
        }
    }

    /// `v = x.get(k)`, then `if v is None: x[k] = …` further down.
    fn lookup(&mut self, statement: Node<'_>, rest: &[Node<'_>], at: &At) {
        let Some(assignment) = children(statement).next().filter(|node| node.kind() == "assignment") else { return };
        let (Some(left), Some(right)) =
            (assignment.child_by_field_name("left"), assignment.child_by_field_name("right"))
        else {
            return;
        };
        let (Some(variable), Some(container)) = (self.path(left), got_from(self.text, right)) else { return };
        for (index, follower) in rest.iter().enumerate().filter(|(_, follower)| follower.kind() == "if_statement") {
            let Some(condition) = follower.child_by_field_name("condition") else { continue };
            let Some(body) = follower.child_by_field_name("consequence") else { continue };
            for (place, test) in tests(self.text, condition) {
                if place != variable {
                    continue;
                }
                let after = rest.get(index + 1..).unwrap_or_default();
                match test {
                    Test::Unset => self.add(container.clone(), Form::Missing, right, &[body], at, stores),
                    Test::Set if leaves(body) => self.add(container.clone(), Form::Missing, right, after, at, stores),
                    _ => {}
                }
            }
        }
    }

    /// Notes a check, if something of the right kind is done to the place in the nodes.
    fn add(&mut self, place: Path, form: Form, test: Node<'_>, nodes: &[Node<'_>], at: &At, kind: fn(&Use) -> bool) {
        let under = |found: &Path| match form {
            Form::Attribute => found.len() == place.len() + 1 && found.starts_with(&place),
            _ => *found == place,
        };
        let act = self.found(nodes, at, kind).into_iter().find(|(found, _)| under(found)).map(|(_, act)| act);
        if let Some(act) = act {
            self.push(Check { place, form, span: span(test), act }, at.context);
        }
    }

    fn push(&mut self, check: Check, context: Context) {
        if let Some(function) = self.function(context)
            && !function.checks.contains(&check)
        {
            function.checks.push(check);
        }
    }

    /// What the function does, outside locks, inside some of its nodes.
    fn found(&self, nodes: &[Node<'_>], at: &At, kind: impl Fn(&Use) -> bool) -> Vec<(Path, Span)> {
        let spans: Vec<Span> = nodes.iter().map(|node| span(*node)).collect();
        let uses = self.out.functions.get(at.context.function);
        let uses = uses.and_then(|function| function.uses.get(at.uses.clone())).unwrap_or_default();
        if !self.steps.take(uses.len()) {
            return Vec::new();
        }
        let inside = |it: &&Use| !it.locked && spans.iter().any(|span| span.contains(it.span)) && kind(it);
        uses.iter().filter(inside).map(|it| (it.place.clone(), it.span)).collect()
    }
}

fn stores(it: &Use) -> bool {
    matches!(it.kind, UseKind::SetItem | UseKind::Add)
}

fn takes(it: &Use) -> bool {
    matches!(it.kind, UseKind::GetItem | UseKind::Remove)
}

fn binds(it: &Use) -> bool {
    it.kind == UseKind::Bind
}

/// Whether a block ends by leaving: nothing after the statement it belongs to runs.
fn leaves(block: Node<'_>) -> bool {
    let last = children(block).last();
    last.is_some_and(|last| {
        matches!(last.kind(), "return_statement" | "raise_statement" | "continue_statement" | "break_statement")
    })
}

/// What a condition tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    /// `k not in x`
    Missing,
    /// `k in x`
    Present,
    /// `x is None`, `not x`
    Unset,
    /// `x is not None`, `x`, `len(x)`
    Set,
    /// `not hasattr(x, …)`
    NoAttribute,
}

/// What a condition tests, part by part.
fn tests(text: &str, condition: Node<'_>) -> Vec<(Path, Test)> {
    let mut out = Vec::new();
    let mut todo = vec![(bare(condition), false)];
    while let Some((node, negated)) = todo.pop() {
        if out.len() > 16 || todo.len() > 64 {
            break;
        }
        match node.kind() {
            "boolean_operator" => {
                todo.extend(
                    ["left", "right"]
                        .iter()
                        .filter_map(|side| node.child_by_field_name(side))
                        .map(|side| (bare(side), negated)),
                );
            }
            "not_operator" => todo.extend(node.child_by_field_name("argument").map(|inner| (bare(inner), !negated))),
            "comparison_operator" => out.extend(comparison(text, node, negated)),
            "identifier" | "attribute" => {
                out.extend(path(text, node).map(|path| (path, if negated { Test::Unset } else { Test::Set })));
            }
            "named_expression" => {
                out.extend(
                    node.child_by_field_name("value")
                        .and_then(|value| got_from(text, value))
                        .filter(|_| negated)
                        .map(|path| (path, Test::Missing)),
                );
            }
            "call" => out.extend(call(text, node, negated)),
            _ => {}
        }
    }
    out
}

fn comparison(text: &str, node: Node<'_>, negated: bool) -> Option<(Path, Test)> {
    let mut operands = children(node);
    let (left, right) = (bare(operands.next()?), bare(operands.next()?));
    if operands.next().is_some() {
        return None;
    }
    let between = text.get(left.end_byte()..right.start_byte())?;
    let words: Vec<&str> =
        between.split(|c: char| c.is_whitespace() || c == '(' || c == ')').filter(|word| !word.is_empty()).collect();
    let none = right.kind() == "none";
    match words.as_slice() {
        ["not", "in"] | ["in"] => {
            let container = match call_of(text, right) {
                Some((function, _)) if function.last().is_some_and(|name| name.as_ref() == "keys") => {
                    function.get(..function.len() - 1)?.to_vec()
                }
                _ => path(text, right)?,
            };
            Some((container, if (words.len() == 2) != negated { Test::Missing } else { Test::Present }))
        }
        ["is"] | ["=="] if none => match bare(left).kind() {
            "named_expression" => Some((got_from(text, left.child_by_field_name("value")?)?, Test::Missing)),
            _ => Some((path(text, left)?, if negated { Test::Set } else { Test::Unset })),
        },
        ["is", "not"] | ["!="] if none => Some((path(text, left)?, if negated { Test::Unset } else { Test::Set })),
        // `x is _missing`: a sentinel stands for None.
        ["is"] if right.kind() == "identifier" => Some((path(text, left)?, Test::Unset)),
        [">"] | ["!="] => {
            let (function, argument) = call_of(text, left)?;
            (function.as_slice() == ["len".into()]).then_some(())?;
            Some((path(text, argument?)?, Test::Set))
        }
        _ => None,
    }
}

/// `hasattr(x, …)`, `len(x)`
fn call(text: &str, node: Node<'_>, negated: bool) -> Option<(Path, Test)> {
    let (function, argument) = call_of(text, node)?;
    let [name] = function.as_slice() else { return None };
    let place = path(text, argument?)?;
    match (name.as_ref(), negated) {
        ("hasattr", true) => Some((place, Test::NoAttribute)),
        ("len", false) => Some((place, Test::Set)),
        _ => None,
    }
}

fn call_of<'n>(text: &str, node: Node<'n>) -> Option<(Path, Option<Node<'n>>)> {
    let function = path(text, node.child_by_field_name("function").filter(|_| node.kind() == "call")?)?;
    Some((function, node.child_by_field_name("arguments").and_then(|arguments| children(arguments).next())))
}

/// The container of `x.get(k)`.
fn got_from(text: &str, node: Node<'_>) -> Option<Path> {
    let (mut function, first) = call_of(text, bare(node))?;
    (function.pop()?.as_ref() == "get" && first.is_some() && !function.is_empty()).then_some(function)
}
