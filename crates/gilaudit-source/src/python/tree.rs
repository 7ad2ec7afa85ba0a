//! From the syntax tree of a skeleton to facts.

use gilaudit_model::{Catches, Handler, Import, ImportKind, LazyName, PythonFacts, Step};
use tree_sitter::{Node, Parser};

use super::Reading;
use super::condition::{Truth, truth};
use super::skeleton::Skeleton;

/// How deep blocks are followed. The compiler of CPython stops at 100 blocks within each other; expressions are not walked.
const DEEPEST: usize = 200;

/// The imports of one file that are kept.
const MOST: usize = 20_000;

pub(super) fn read(skeleton: &Skeleton, reading: &Reading) -> PythonFacts {
    let mut facts = PythonFacts::default();
    if skeleton.text.is_empty() {
        return facts;
    }
    let mut parser = Parser::new();
    let tree = match parser.set_language(&tree_sitter_python::LANGUAGE.into()) {
        Ok(()) => parser.parse(&skeleton.text, None),
        Err(_) => None,
    };
    let Some(tree) = tree else {
        facts.incomplete = Some("the text could not be parsed".to_owned());
        return facts;
    };
    if tree.root_node().has_error() || skeleton.refused {
        facts.incomplete = Some("parts of it do not parse as Python".to_owned());
    }
    let mut reader = Reader { text: &skeleton.text, rows: &skeleton.rows, reading, facts, function: None };
    let mut steps = Vec::new();
    reader.block(tree.root_node(), ImportKind::Plain, 0, &mut steps);
    reader.facts.steps = steps;
    reader.facts
}

struct Reader<'r> {
    text: &'r [u8],
    rows: &'r [usize],
    reading: &'r Reading,
    facts: PythonFacts,
    /// The outermost function or class that is being read, as an index of its facts.
    function: Option<usize>,
}

/// The named children of a node.
fn children(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    (0..node.named_child_count()).filter_map(move |index| node.named_child(u32::try_from(index).ok()?))
}

impl Reader<'_> {
    fn source(&self, node: Node<'_>) -> String {
        String::from_utf8_lossy(self.text.get(node.byte_range()).unwrap_or_default()).into_owned()
    }

    /// A dotted name without the spaces and comments that may stand in it.
    fn dotted(&self, node: Node<'_>) -> String {
        let name =
            if node.kind() == "aliased_import" { node.child_by_field_name("name").unwrap_or(node) } else { node };
        self.source(name).split_whitespace().collect()
    }

    fn block(&mut self, node: Node<'_>, kind: ImportKind, depth: usize, steps: &mut Vec<Step>) {
        for child in children(node) {
            self.statement(child, kind, depth, steps);
        }
    }

    fn statement(&mut self, node: Node<'_>, kind: ImportKind, depth: usize, steps: &mut Vec<Step>) {
        if depth > DEEPEST {
            self.facts.incomplete = Some(format!("more than {DEEPEST} blocks within each other"));
            return;
        }
        let depth = depth + 1;
        match node.kind() {
            "import_statement" => {
                let names: Vec<String> = children(node).map(|name| self.dotted(name)).collect();
                for name in names {
                    self.import(node, name, None, 0, kind, steps);
                }
            }
            "import_from_statement" => self.import_from(node, kind, steps),
            "expression_statement" | "return_statement" | "assert_statement" | "ERROR" => {
                self.expressions(node, kind, depth, steps);
            }
            "raise_statement" => {
                let text = self.source(node);
                steps.push(Step::Raise(
                    text.trim() == "raise" || text.contains("ImportError") || text.contains("ModuleNotFoundError"),
                ));
            }
            "if_statement" => self.conditional(node, kind, depth, steps),
            "try_statement" => self.attempt(node, kind, depth, steps),
            "with_statement" => self.with(node, kind, depth, steps),
            "for_statement" | "while_statement" => {
                let inner = conditional(kind);
                let mut body = Vec::new();
                for block in children(node).filter(|child| child.kind() == "block") {
                    self.block(block, inner, depth, &mut body);
                }
                for clause in children(node).filter(|child| child.kind() == "else_clause") {
                    self.blocks(clause, inner, depth, &mut body);
                }
                push_either(steps, vec![body], false);
            }
            "match_statement" => {
                let cases: Vec<Node<'_>> = children(node)
                    .filter(|child| child.kind() == "block")
                    .flat_map(children)
                    .filter(|child| child.kind() == "case_clause")
                    .collect();
                let mut branches = Vec::new();
                for case in cases {
                    let mut branch = Vec::new();
                    self.blocks(case, conditional(kind), depth, &mut branch);
                    branches.push(branch);
                }
                push_either(steps, branches, false);
            }
            "decorated_definition" => {
                for child in children(node).filter(|child| child.kind() == "decorator") {
                    self.calls_of(child, steps);
                }
                if let Some(definition) = node.child_by_field_name("definition") {
                    self.statement(definition, kind, depth, steps);
                }
            }
            "function_definition" => self.function(node, kind, depth),
            "class_definition" => {
                let outermost = self.function.is_none().then(|| self.open(node));
                self.blocks(node, kind, depth, steps);
                if let Some(index) = outermost {
                    self.class_is_read(index);
                }
            }
            _ => {}
        }
    }

    /// Reads the blocks of a clause.
    fn blocks(&mut self, node: Node<'_>, kind: ImportKind, depth: usize, steps: &mut Vec<Step>) {
        for block in children(node).filter(|child| child.kind() == "block") {
            self.block(block, kind, depth, steps);
        }
    }

    fn import(
        &mut self,
        at: Node<'_>,
        module: String,
        names: Option<Vec<String>>,
        level: u32,
        kind: ImportKind,
        steps: &mut Vec<Step>,
    ) {
        if self.facts.imports.len() >= MOST {
            self.facts.incomplete = Some(format!("more than {MOST} imports"));
            return;
        }
        let position = at.start_position();
        let row = self.rows.get(position.row).copied().unwrap_or(position.row);
        let one_based = |number: usize| u32::try_from(number.saturating_add(1)).unwrap_or(u32::MAX);
        let index = self.facts.imports.len();
        let (line, column) = (one_based(row), one_based(position.column));
        let aliases = self.aliases(at);
        self.facts.imports.push(Import { module, names, aliases, level, line, column, kind });
        let runs = matches!(kind, ImportKind::Plain | ImportKind::Try | ImportKind::Conditional)
            || kind == ImportKind::Main && self.reading.main;
        if runs {
            steps.push(Step::Import(index));
        }
        if let Some(function) = self.function
            && matches!(kind, ImportKind::Function | ImportKind::Lazy)
            && let Some((_, imports)) = self.facts.functions.get_mut(function)
        {
            imports.push(index);
        }
    }

    /// The `as` clauses of an import statement.
    fn aliases(&self, statement: Node<'_>) -> Vec<(String, String)> {
        let aliased = children(statement).filter(|child| child.kind() == "aliased_import");
        let pair = |child: Node<'_>| Some((self.dotted(child), self.source(child.child_by_field_name("alias")?)));
        aliased.filter_map(pair).collect()
    }

    fn import_from(&mut self, node: Node<'_>, kind: ImportKind, steps: &mut Vec<Step>) {
        let Some(module) = node.child_by_field_name("module_name") else { return };
        let (mut level, mut name) = (0_u32, String::new());
        if module.kind() == "relative_import" {
            for child in children(module) {
                match child.kind() {
                    "import_prefix" => {
                        let dots = self.source(child).bytes().filter(|byte| *byte == b'.').count();
                        level = u32::try_from(dots).unwrap_or(u32::MAX);
                    }
                    _ => name = self.dotted(child),
                }
            }
        } else {
            name = self.dotted(module);
        }
        let mut names = Vec::new();
        let mut bound = Vec::new();
        for child in children(node).filter(|child| child.id() != module.id()) {
            match child.kind() {
                "wildcard_import" => names.push("*".to_owned()),
                "dotted_name" | "aliased_import" => {
                    let imported = self.dotted(child);
                    let alias = child.child_by_field_name("alias").map(|alias| self.source(alias));
                    bound.push((imported.clone(), alias.unwrap_or_else(|| imported.clone())));
                    names.push(imported);
                }
                _ => {}
            }
        }
        // `from . import x` makes x an attribute by importing the submodule; only other sources bind without that.
        let own = level == 1 && name.is_empty();
        if self.function.is_none() && !own && kind == ImportKind::Plain {
            self.facts.binds.extend(bound.into_iter().map(|(_, alias)| alias));
        }
        self.import(node, name, Some(names), level, kind, steps);
    }

    fn conditional(&mut self, node: Node<'_>, kind: ImportKind, depth: usize, steps: &mut Vec<Step>) {
        // The branches in their order: condition (none for else) and blocks.
        let mut branches: Vec<(Option<Node<'_>>, Node<'_>)> = Vec::new();
        if let Some(block) = node.child_by_field_name("consequence") {
            branches.push((node.child_by_field_name("condition"), block));
        }
        for clause in children(node) {
            match clause.kind() {
                "elif_clause" => {
                    if let Some(block) = clause.child_by_field_name("consequence") {
                        branches.push((clause.child_by_field_name("condition"), block));
                    }
                }
                "else_clause" => {
                    if let Some(block) = clause.child_by_field_name("body") {
                        branches.push((None, block));
                    }
                }
                _ => {}
            }
        }
        let mut open: Vec<Vec<Step>> = Vec::new();
        // Why no later branch can be taken any more.
        let mut taken: Option<ImportKind> = None;
        for (condition, block) in branches {
            let truth =
                condition.map_or(Truth::Yes(ImportKind::OtherTarget), |node| truth(node, self.text, self.reading));
            let mut branch = Vec::new();
            match (taken, truth) {
                (Some(why), _) | (None, Truth::No(why)) => {
                    self.block(block, deferred(kind, why), depth, &mut branch);
                    continue;
                }
                (None, Truth::Yes(why)) => {
                    let inner = if open.is_empty() { kind } else { conditional(kind) };
                    self.block(block, inner, depth, &mut branch);
                    taken = Some(why);
                }
                (None, Truth::Open) => self.block(block, conditional(kind), depth, &mut branch),
            }
            open.push(branch);
        }
        if open.len() == 1 && taken.is_some() {
            steps.extend(open.into_iter().flatten());
        } else {
            push_either(steps, open, taken.is_some());
        }
    }

    fn attempt(&mut self, node: Node<'_>, kind: ImportKind, depth: usize, steps: &mut Vec<Step>) {
        let (mut body, mut handlers, mut otherwise, mut last) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let clauses: Vec<Node<'_>> = children(node).collect();
        let catching = |clause: &&Node<'_>| clause.kind().starts_with("except");
        let survives = clauses.iter().filter(catching).any(|clause| self.catches(*clause) != Catches::Other);
        let inner = if survives && kind == ImportKind::Plain { ImportKind::Try } else { kind };
        for clause in clauses {
            match clause.kind() {
                "block" => self.block(clause, inner, depth, &mut body),
                "else_clause" => self.blocks(clause, kind, depth, &mut otherwise),
                "finally_clause" => self.blocks(clause, kind, depth, &mut last),
                "except_clause" | "except_group_clause" => {
                    let catches = self.catches(clause);
                    let mut steps = Vec::new();
                    self.blocks(clause, conditional(kind), depth, &mut steps);
                    handlers.push(Handler { catches, steps });
                }
                _ => {}
            }
        }
        let parts = [&body, &otherwise, &last];
        if parts.iter().any(|part| !part.is_empty()) || handlers.iter().any(|handler| !handler.steps.is_empty()) {
            steps.push(Step::Try { body, handlers, otherwise, last });
        }
    }

    fn catches(&self, clause: Node<'_>) -> Catches {
        let types: String = children(clause)
            .filter(|child| !matches!(child.kind(), "block" | "comment"))
            .map(|child| self.source(child) + " ")
            .collect();
        let mut catches = None;
        for word in types.split(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != '.') {
            let found = match word.rsplit('.').next().unwrap_or_default() {
                "Exception" | "BaseException" => Catches::Everything,
                "ImportError" => Catches::ImportError,
                "ModuleNotFoundError" => Catches::NotFound,
                "as" => break,
                "" => continue,
                _ => Catches::Other,
            };
            let wider = |old: Catches| match (old, found) {
                (Catches::Everything, _) | (_, Catches::Everything) => Catches::Everything,
                (Catches::ImportError, _) | (_, Catches::ImportError) => Catches::ImportError,
                (Catches::NotFound, _) | (_, Catches::NotFound) => Catches::NotFound,
                _ => Catches::Other,
            };
            catches = Some(catches.map_or(found, wider));
        }
        catches.unwrap_or(Catches::Everything)
    }

    /// A `with` runs its body; `contextlib.suppress(ImportError)` makes it a `try`.
    fn with(&mut self, node: Node<'_>, kind: ImportKind, depth: usize, steps: &mut Vec<Step>) {
        let head: String =
            children(node).filter(|child| child.kind() == "with_clause").map(|it| self.source(it)).collect();
        if !head.contains("suppress(") {
            return self.blocks(node, kind, depth, steps);
        }
        let inner = if kind == ImportKind::Plain { ImportKind::Try } else { kind };
        let mut body = Vec::new();
        self.blocks(node, inner, depth, &mut body);
        let everything = head.contains("Exception");
        let catches = if everything { Catches::Everything } else { Catches::ImportError };
        let handlers = vec![Handler { catches, steps: Vec::new() }];
        steps.push(Step::Try { body, handlers, otherwise: Vec::new(), last: Vec::new() });
    }

    /// Begins the facts of an outermost function or class.
    fn open(&mut self, node: Node<'_>) -> usize {
        let name = node.child_by_field_name("name").map(|name| self.source(name)).unwrap_or_default();
        self.facts.functions.push((name, Vec::new()));
        self.facts.functions.len() - 1
    }

    fn function(&mut self, node: Node<'_>, kind: ImportKind, depth: usize) {
        let outermost = self.function.is_none();
        if outermost {
            let index = self.open(node);
            self.function = Some(index);
            self.facts.getattr |= self.facts.functions.get(index).is_some_and(|(name, _)| name == "__getattr__");
        }
        let is_getattr = node.child_by_field_name("name").is_some_and(|name| self.source(name) == "__getattr__");
        let inner = match kind {
            ImportKind::Plain | ImportKind::Try | ImportKind::Conditional if is_getattr && outermost => {
                ImportKind::Lazy
            }
            ImportKind::Plain | ImportKind::Try | ImportKind::Conditional => ImportKind::Function,
            kind => kind,
        };
        self.blocks(node, inner, depth, &mut Vec::new());
        if outermost {
            self.function = None;
        }
    }

    /// A class whose methods import is called by making an instance: it takes over what its methods do.
    fn class_is_read(&mut self, index: usize) {
        let mut imports: Vec<usize> =
            self.facts.functions.drain(index + 1..).flat_map(|(_, imports)| imports).collect();
        if let Some((_, own)) = self.facts.functions.get_mut(index) {
            own.append(&mut imports);
        }
    }

    /// Calls in an expression: dynamic imports, lazy loaders, functions of the file.
    fn expressions(&mut self, node: Node<'_>, kind: ImportKind, depth: usize, steps: &mut Vec<Step>) {
        let mut stack = vec![node];
        let mut visited = 0_usize;
        while let Some(node) = stack.pop() {
            visited += 1;
            if visited > 10_000 {
                self.facts.incomplete = Some("an expression is too long".to_owned());
                return;
            }
            match node.kind() {
                "call" => self.call(node, kind, steps),
                "assignment" => self.exports(node),
                // What a lambda does, it does later; a statement inside ERROR is a statement all the same.
                "lambda" => continue,
                "import_statement" | "import_from_statement" => {
                    self.statement(node, kind, depth, steps);
                    continue;
                }
                _ => {}
            }
            let first = stack.len();
            stack.extend(children(node));
            if let Some(added) = stack.get_mut(first..) {
                added.reverse();
            }
        }
    }

    /// The functions of the file that a decorator calls.
    fn calls_of(&mut self, node: Node<'_>, steps: &mut Vec<Step>) {
        for child in children(node) {
            let name = self.source(child.child_by_field_name("function").unwrap_or(child));
            if self.function.is_none() {
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
            _ if self.function.is_none() && runs(kind) => steps.push(Step::Call(name)),
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

    /// `__all__ = [...]`.
    fn exports(&mut self, node: Node<'_>) {
        let is_all = node.child_by_field_name("left").is_some_and(|left| self.source(left) == "__all__");
        if is_all && let Some(right) = node.child_by_field_name("right") {
            let names = self.literals(right);
            self.facts.all.extend(names);
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

/// Whether an import of this kind runs when the module is imported.
fn runs(kind: ImportKind) -> bool {
    matches!(kind, ImportKind::Plain | ImportKind::Try | ImportKind::Conditional)
}

/// The kind of what is inside a condition that cannot be told.
fn conditional(kind: ImportKind) -> ImportKind {
    if matches!(kind, ImportKind::Plain | ImportKind::Try) { ImportKind::Conditional } else { kind }
}

/// The kind of what is in a branch that is not taken because of `why`.
fn deferred(kind: ImportKind, why: ImportKind) -> ImportKind {
    if runs(kind) { why } else { kind }
}

fn push_either(steps: &mut Vec<Step>, branches: Vec<Vec<Step>>, exhaustive: bool) {
    if branches.iter().any(|branch| !branch.is_empty()) {
        steps.push(Step::Either { branches, exhaustive });
    }
}
