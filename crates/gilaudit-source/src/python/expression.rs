//! What the expressions of a file do: calls that import, lazy loaders, looks at what imports bind.

use gilaudit_model::{ImportKind, LazyModules, LazyName, Step, Use, Version};
use tree_sitter::Node;

use super::logical::is_word;
use super::tree::{Reader, children, conditional, push_either, runs};

/// The parts of one expression that are looked at.
const MOST: usize = 100_000;

impl Reader<'_> {
    /// What an expression does: dynamic imports, lazy loaders, calls of functions of the file, looks at what imports bind.
    pub(super) fn expressions(&mut self, node: Node<'_>, kind: ImportKind, depth: usize, steps: &mut Vec<Step>) {
        // With each node, whether it can be told that it is evaluated.
        let mut stack = vec![(node, true)];
        let mut visited = 0_usize;
        while let Some((node, surely)) = stack.pop() {
            visited += 1;
            if visited > MOST {
                self.facts.incomplete = Some("an expression is too long".to_owned());
                return;
            }
            let mut inner = Vec::new();
            match node.kind() {
                "call" => {
                    if let Some(callee) = node.child_by_field_name("function") {
                        self.look(callee, kind, &mut inner);
                    }
                    self.call(node, if surely { kind } else { conditional(kind) }, &mut inner);
                }
                "assignment" => self.exports(node, kind),
                "augmented_assignment" => self.exports(node, conditional(kind)),
                "attribute" | "identifier" => self.look(node, kind, &mut inner),
                // What a lambda does, it does later; a statement inside ERROR is a statement all the same.
                "lambda" => continue,
                "import_statement" | "import_from_statement" => {
                    self.statement(node, kind, depth, steps);
                    continue;
                }
                _ => {}
            }
            if surely {
                steps.append(&mut inner)
            } else {
                push_either(steps, vec![inner], false)
            }
            let first = stack.len();
            let parts = children(node).filter(|part| !is_name_only(node, *part));
            stack.extend(parts.enumerate().map(|(index, part)| (part, surely && is_evaluated(node, index))));
            if let Some(added) = stack.get_mut(first..) {
                added.reverse();
            }
        }
    }

    /// A look at what an import bound: at an attribute of it, or at a name on its own if imports are lazy here.
    fn look(&mut self, node: Node<'_>, kind: ImportKind, steps: &mut Vec<Step>) {
        let on_its_own = !self.skeleton.lazy.is_empty() || self.facts.lazy_modules != LazyModules::default();
        if !runs(kind) || node.kind() == "identifier" && !on_its_own {
            return;
        }
        let name: String = self.source(node).split_whitespace().collect();
        let is_dotted = name.split('.').all(|part| part.bytes().all(is_word) && !part.is_empty());
        if is_dotted && name.split('.').next().is_some_and(|first| self.bound.contains(first)) {
            steps.push(Step::Use(Use { name, line: self.line(node) }));
        }
    }

    /// The functions of the file that a decorator calls.
    pub(super) fn calls_of(&mut self, node: Node<'_>, steps: &mut Vec<Step>) {
        for child in children(node) {
            let name = self.source(child.child_by_field_name("function").unwrap_or(child));
            if !self.in_function {
                steps.push(Step::Call(name));
            }
        }
    }

    fn call(&mut self, node: Node<'_>, kind: ImportKind, steps: &mut Vec<Step>) {
        let Some(function) = node.child_by_field_name("function") else { return };
        let Some(arguments) = node.child_by_field_name("arguments") else { return };
        let name = self.source(function);
        let literal = |index: usize| children(arguments).nth(index).and_then(|argument| self.literal(argument));
        match name.rsplit('.').next().unwrap_or_default() {
            "import_module" | "__import__" | "_import_module" | "importorskip" => {
                let Some(module) = literal(0) else { return };
                let dots = module.bytes().take_while(|byte| *byte == b'.').count();
                // Relative names are relative to the second argument, which is `__package__` or `__name__` nearly always.
                let level = u32::try_from(dots).unwrap_or(u32::MAX);
                let module = module.trim_start_matches('.').to_owned();
                self.import(node, module, None, level, kind, steps);
            }
            "attach" if name.contains("lazy") || name == "attach" => self.attach(node, arguments, kind, steps),
            "attach_stub" => self.facts.lazy_stub = true,
            _ if !self.in_function && runs(kind) => steps.push(Step::Call(name)),
            _ => {}
        }
    }

    fn literal(&self, node: Node<'_>) -> Option<String> {
        if node.kind() != "string" || children(node).any(|child| child.kind() == "interpolation") {
            return None;
        }
        let content = children(node).find(|child| child.kind() == "string_content");
        Some(content.map(|content| self.source(content)).unwrap_or_default())
    }

    fn literals(&self, node: Node<'_>) -> Vec<String> {
        match node.kind() {
            "list" | "tuple" | "set" => children(node).filter_map(|item| self.literal(item)).collect(),
            _ => Vec::new(),
        }
    }

    /// The value of `__lazy_modules__`. Names of the own package are written `f"{__spec__.parent}.x"`.
    fn lazy_modules(&self, value: Node<'_>) -> LazyModules {
        let name = |item: Node<'_>| {
            self.literal(item).or_else(|| {
                let written = self.source(item);
                let rest = written.strip_prefix(['f', 'F'])?.trim_matches(['"', '\'']);
                let below =
                    ["{__spec__.parent}", "{__package__}"].into_iter().find_map(|own| rest.strip_prefix(own))?;
                match below {
                    "" => Some(".".to_owned()),
                    _ => (below.starts_with('.') && !below.contains(['{', '}'])).then(|| below.to_owned()),
                }
            })
        };
        if !matches!(value.kind(), "list" | "tuple" | "set") {
            return LazyModules { names: Vec::new(), open: true };
        }
        let items: Vec<_> = children(value).filter(|item| item.kind() != "comment").collect();
        let names: Vec<_> = items.iter().copied().filter_map(name).collect();
        LazyModules { open: names.len() < items.len(), names }
    }

    /// `__all__ = [...]` and `__lazy_modules__ = [...]`.
    fn exports(&mut self, node: Node<'_>, kind: ImportKind) {
        let Some(left) = node.child_by_field_name("left") else { return };
        let Some(right) = node.child_by_field_name("right") else { return };
        match self.source(left).as_str() {
            "__all__" => {
                let names = self.literals(right);
                self.facts.all.extend(names);
            }
            "__lazy_modules__" if self.reading.version >= Version::V3_15 => {
                let first = self.facts.lazy_modules == LazyModules::default();
                self.facts.lazy_modules = match kind {
                    ImportKind::Plain if first => self.lazy_modules(right),
                    // One of several values.
                    _ => LazyModules { names: Vec::new(), open: true },
                };
            }
            _ => {}
        }
    }

    /// `lazy_loader.attach(__name__, submodules, submod_attrs, eager)`.
    fn attach(&mut self, node: Node<'_>, arguments: Node<'_>, kind: ImportKind, steps: &mut Vec<Step>) {
        let mut found = Vec::new();
        for (index, argument) in children(arguments).enumerate() {
            let (keyword, value) = match argument.kind() {
                "keyword_argument" => (
                    argument.child_by_field_name("name").map(|name| self.source(name)).unwrap_or_default(),
                    argument.child_by_field_name("value").unwrap_or(argument),
                ),
                _ => (
                    ["", "submodules", "submod_attrs"].get(index).map_or(String::new(), |it| (*it).to_owned()),
                    argument,
                ),
            };
            match keyword.as_str() {
                "submodules" => {
                    let names = self.literals(value).into_iter();
                    found.extend(names.map(|name| LazyName { attribute: name.clone(), submodule: name }));
                }
                "submod_attrs" => {
                    for pair in children(value).filter(|child| child.kind() == "pair") {
                        let key = pair.child_by_field_name("key").and_then(|key| self.literal(key));
                        let names = pair.child_by_field_name("value").map(|value| self.literals(value));
                        if let (Some(submodule), Some(names)) = (key, names) {
                            let name = |attribute| LazyName { attribute, submodule: submodule.clone() };
                            found.extend(names.into_iter().map(name));
                        }
                    }
                }
                _ => {}
            }
        }
        let submodules: Vec<String> = found.iter().map(|lazy| lazy.submodule.clone()).collect();
        self.facts.lazy.extend(found);
        self.facts.getattr = true;
        if runs(kind) {
            let mut names = submodules;
            names.sort();
            names.dedup();
            self.import(node, String::new(), Some(names), 1, ImportKind::Lazy, steps);
        }
    }
}

/// Whether a part of an expression only names something: the attribute in `a.b`, a keyword, and the callee, which was read already.
fn is_name_only(node: Node<'_>, part: Node<'_>) -> bool {
    let is = |field: &str| node.child_by_field_name(field).is_some_and(|it| it.id() == part.id());
    match node.kind() {
        // All of a dotted name is one look.
        "attribute" => is("attribute") || matches!(part.kind(), "attribute" | "identifier") && is_plain(part),
        "keyword_argument" => is("name"),
        "call" => is("function") && is_plain(part),
        _ => false,
    }
}

/// Whether a node is a name, dotted or not.
fn is_plain(node: Node<'_>) -> bool {
    let mut node = node;
    while node.kind() == "attribute"
        && let Some(object) = node.child_by_field_name("object")
    {
        node = object;
    }
    node.kind() == "identifier"
}

/// Whether the part of an expression with this index is evaluated whenever the expression is.
fn is_evaluated(node: Node<'_>, index: usize) -> bool {
    match node.kind() {
        "boolean_operator" => index == 0,
        "conditional_expression" | "type" => false,
        kind => !kind.ends_with("_comprehension") && kind != "generator_expression",
    }
}
