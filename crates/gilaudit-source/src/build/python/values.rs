//! What expressions of a build file are, as far as they are written out.

use std::collections::HashMap;

use gilaudit_model::source::Span;
use tree_sitter::Node;

/// How many steps one value is followed through variables and operators.
const DEEPEST: usize = 24;

/// The most strings that one expression gives.
const MOST: usize = 4096;

/// The value of a loop's variable, in one round of the loop.
pub(super) type Bound<'t> = Vec<(&'t str, String)>;

/// The variables of a file.
pub(super) struct Values<'t> {
    text: &'t str,
    /// What is assigned to a name; none if it is assigned to several times.
    assigned: HashMap<&'t str, Option<Node<'t>>>,
}

impl<'t> Values<'t> {
    pub(super) fn new(text: &'t str, root: Node<'t>) -> Self {
        let mut values = Self { text, assigned: HashMap::new() };
        let mut stack = vec![root];
        while let Some(node) = stack.pop() {
            if node.kind() == "assignment"
                && let Some(left) = node.child_by_field_name("left").filter(|left| left.kind() == "identifier")
            {
                let right = node.child_by_field_name("right");
                let name = values.source(left);
                values.assigned.entry(name).and_modify(|known| *known = None).or_insert(right);
            }
            stack.extend(children(node));
        }
        values
    }

    fn source(&self, node: Node<'_>) -> &'t str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    /// The expression itself, or the one that the variable holds which it names.
    pub(super) fn literal(&self, node: Node<'t>) -> Option<Node<'t>> {
        let mut node = node;
        for _ in 0..DEEPEST {
            if node.kind() != "identifier" {
                return Some(node);
            }
            node = (*self.assigned.get(self.source(node))?)?;
        }
        None
    }

    /// The rounds of the loop around a node: one without variables when there is none that can be followed.
    pub(super) fn bindings(&self, node: Node<'t>) -> Vec<Bound<'t>> {
        let mut inner = node;
        while let Some(outer) = inner.parent() {
            let clause = match outer.kind() {
                "for_statement" => Some(outer),
                "list_comprehension" | "generator_expression" => {
                    children(outer).find(|child| child.kind() == "for_in_clause")
                }
                _ => None,
            };
            if let Some(clause) = clause
                && let (Some(left), Some(right)) =
                    (clause.child_by_field_name("left"), clause.child_by_field_name("right"))
                && left.kind() == "identifier"
            {
                let values = self.strings(right, &Vec::new());
                if !values.is_empty() {
                    let name = self.source(left);
                    return values.into_iter().map(|value| vec![(name, value)]).collect();
                }
            }
            inner = outer;
        }
        vec![Vec::new()]
    }

    /// The strings that an expression is, or holds as a list; empty when it is computed.
    pub(super) fn strings(&self, node: Node<'t>, bound: &Bound<'t>) -> Vec<String> {
        let mut out = Vec::new();
        self.collect(node, bound, 0, &mut out);
        out
    }

    fn collect(&self, node: Node<'t>, bound: &Bound<'t>, depth: usize, out: &mut Vec<String>) {
        if depth > DEEPEST || out.len() > MOST {
            return;
        }
        match node.kind() {
            "list" | "tuple" | "set" | "parenthesized_expression" | "list_splat" => {
                children(node).for_each(|child| self.collect(child, bound, depth + 1, out));
            }
            "identifier" => {
                let name = self.source(node);
                if let Some((_, value)) = bound.iter().find(|(known, _)| *known == name) {
                    out.push(value.clone());
                } else if let Some(Some(value)) = self.assigned.get(name) {
                    self.collect(*value, bound, depth + 1, out);
                }
            }
            // Lists joined with +, or one string.
            "binary_operator"
                if self.one(node, bound, depth).is_none()
                    && node.child_by_field_name("operator").is_some_and(|operator| self.source(operator) == "+") =>
            {
                children(node).for_each(|child| self.collect(child, bound, depth + 1, out));
            }
            _ => out.extend(self.one(node, bound, depth)),
        }
    }

    /// The one string that an expression is.
    fn one(&self, node: Node<'t>, bound: &Bound<'t>, depth: usize) -> Option<String> {
        if depth > DEEPEST {
            return None;
        }
        let one = |node| self.one(node, bound, depth + 1);
        match node.kind() {
            "string" => {
                let mut text = String::new();
                for part in children(node) {
                    match part.kind() {
                        "string_content" => text.push_str(self.source(part)),
                        "interpolation" => text.push_str(&one(part.child_by_field_name("expression")?)?),
                        _ => {}
                    }
                }
                Some(text)
            }
            "concatenated_string" => children(node).map(one).collect::<Option<Vec<_>>>().map(|parts| parts.concat()),
            "parenthesized_expression" => one(children(node).next()?),
            "identifier" => {
                let name = self.source(node);
                let value = bound.iter().find(|(known, _)| *known == name);
                value.map(|(_, value)| value.clone()).or_else(|| one((*self.assigned.get(name)?)?))
            }
            "binary_operator" => {
                let (left, right) = (node.child_by_field_name("left")?, node.child_by_field_name("right")?);
                match self.source(node.child_by_field_name("operator")?) {
                    "+" => Some(one(left)? + &one(right)?),
                    "/" => Some(format!("{}/{}", one(left)?.trim_end_matches('/'), one(right)?)),
                    _ => None,
                }
            }
            "call" => {
                let callee = node.child_by_field_name("function")?;
                let name = self.source(callee).rsplit('.').next()?;
                let arguments: Vec<Node<'t>> = (0..).map_while(|index| argument(node, index)).collect();
                match (name, arguments.as_slice()) {
                    ("join", parts) if self.source(callee).ends_with("path.join") => {
                        Some(parts.iter().map(|part| one(*part)).collect::<Option<Vec<_>>>()?.join("/"))
                    }
                    ("str" | "Path" | "PurePath" | "fspath" | "normpath" | "abspath", [inner]) => one(*inner),
                    ("replace", [from, to]) => {
                        Some(one(callee.child_by_field_name("object")?)?.replace(&one(*from)?, &one(*to)?))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// The named children of a node.
pub(super) fn children(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    (0..node.named_child_count()).filter_map(move |index| node.named_child(u32::try_from(index).ok()?))
}

/// A positional argument of a call.
pub(super) fn argument(call: Node<'_>, index: usize) -> Option<Node<'_>> {
    let arguments = call.child_by_field_name("arguments").filter(|list| list.kind() == "argument_list")?;
    let positional =
        |node: &Node<'_>| !matches!(node.kind(), "keyword_argument" | "dictionary_splat" | "list_splat" | "comment");
    children(arguments).filter(positional).nth(index)
}

/// The keyword arguments of a call.
pub(super) fn keywords<'t>(call: Node<'t>, text: &'t str) -> impl Iterator<Item = (&'t str, Node<'t>)> {
    let arguments = call.child_by_field_name("arguments").filter(|list| list.kind() == "argument_list");
    let keyword = arguments.into_iter().flat_map(children).filter(|node| node.kind() == "keyword_argument");
    keyword.filter_map(|node| {
        let name = node.child_by_field_name("name")?;
        Some((text.get(name.byte_range())?, node.child_by_field_name("value")?))
    })
}

/// Where a node is.
pub(super) fn span_of(node: Node<'_>) -> Span {
    Span { start: node.start_byte() as u32, end: node.end_byte() as u32 }
}
