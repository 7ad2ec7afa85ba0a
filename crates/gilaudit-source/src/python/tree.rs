//! From the syntax tree of a skeleton to facts.

use std::collections::HashSet;

use gilaudit_model::{Callable, Catches, Handler, Import, ImportKind, PythonFacts, Step, Version};
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
    facts.callables.clone_from(&skeleton.callables);
    let (text, bound) = (&skeleton.text, HashSet::new());
    facts.by_name = (0..).zip(&skeleton.callables).map(|(index, callable)| (callable.name.clone(), index)).collect();
    let mut reader = Reader { text, skeleton, reading, facts, owner: None, class: None, in_function: false, bound };
    let mut steps = Vec::new();
    reader.block(tree.root_node(), ImportKind::Plain, 0, &mut steps);
    reader.facts.steps = steps;
    reader.facts
}

pub(super) struct Reader<'r> {
    pub(super) text: &'r [u8],
    pub(super) skeleton: &'r Skeleton,
    pub(super) reading: &'r Reading,
    pub(super) facts: PythonFacts,
    /// The function, method or class that is being read, as an index of the callables.
    owner: Option<usize>,
    /// The class of the outermost level whose methods are being read.
    class: Option<String>,
    /// Whether a function is being read.
    pub(super) in_function: bool,
    /// The names that imports have bound so far.
    pub(super) bound: HashSet<String>,
}

fn one_based(number: usize) -> u32 {
    u32::try_from(number.saturating_add(1)).unwrap_or(u32::MAX)
}

/// The named children of a node.
pub(super) fn children(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    (0..node.named_child_count()).filter_map(move |index| node.named_child(u32::try_from(index).ok()?))
}

impl Reader<'_> {
    pub(super) fn source(&self, node: Node<'_>) -> String {
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

    pub(super) fn statement(&mut self, node: Node<'_>, kind: ImportKind, depth: usize, steps: &mut Vec<Step>) {
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
                self.head(node, kind, depth, steps);
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
                self.head(node, kind, depth, steps);
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
                    let first = steps.len();
                    self.expressions(child, kind, depth, steps);
                    self.calls_of(child, steps);
                    for step in steps.iter_mut().skip(first) {
                        if let Step::Call(name) = step {
                            *step = Step::Decorate(std::mem::take(name));
                        }
                    }
                }
                if let Some(definition) = node.child_by_field_name("definition") {
                    self.statement(definition, kind, depth, steps);
                }
            }
            "function_definition" => {
                for parameter in node.child_by_field_name("parameters").into_iter().flat_map(children) {
                    if let Some(default) = parameter.child_by_field_name("value") {
                        self.expressions(default, kind, depth, steps);
                    }
                }
                self.function(node, kind, depth);
            }
            "class_definition" => {
                if let Some(bases) = node.child_by_field_name("superclasses") {
                    self.expressions(bases, kind, depth, steps);
                }
                let (owner, class) = (self.owner, self.class.take());
                if owner.is_none() {
                    let name = self.name(node);
                    self.class = Some(name.clone());
                    self.owner = Some(self.callable(name));
                }
                self.blocks(node, kind, depth, steps);
                (self.owner, self.class) = (owner, class);
            }
            _ => {}
        }
    }

    /// Reads what a statement evaluates before its blocks.
    fn head(&mut self, node: Node<'_>, kind: ImportKind, depth: usize, steps: &mut Vec<Step>) {
        let is_head = |child: &Node<'_>| !matches!(child.kind(), "block" | "else_clause" | "case_clause" | "comment");
        for child in children(node).filter(is_head) {
            self.expressions(child, kind, depth, steps);
        }
    }

    /// Reads the blocks of a clause.
    fn blocks(&mut self, node: Node<'_>, kind: ImportKind, depth: usize, steps: &mut Vec<Step>) {
        for block in children(node).filter(|child| child.kind() == "block") {
            self.block(block, kind, depth, steps);
        }
    }

    pub(super) fn import(
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
        let lazily = kind == ImportKind::Plain && self.skeleton.lazy.contains(&position.row);
        let kind = match lazily && self.reading.version >= Version::V3_15 {
            true => ImportKind::OnUse,
            false => kind,
        };
        let index = self.facts.imports.len();
        let (line, column) = (self.line(at), one_based(position.column));
        let aliases = self.aliases(at);
        if runs(kind) || kind == ImportKind::OnUse {
            let alias = |name: &String| aliases.iter().find(|(own, _)| own == name).map(|(_, alias)| alias.clone());
            match &names {
                Some(names) => self.bound.extend(names.iter().map(|name| alias(name).unwrap_or_else(|| name.clone()))),
                None => {
                    let first = module.split('.').next().unwrap_or_default();
                    self.bound.insert(alias(&module).unwrap_or_else(|| first.to_owned()));
                }
            }
        }
        self.facts.imports.push(Import { module, names, aliases, level, line, column, kind });
        let runs = matches!(kind, ImportKind::Plain | ImportKind::Try | ImportKind::Conditional)
            || kind == ImportKind::Main && self.reading.main;
        if runs {
            steps.push(Step::Import(index));
        }
        if matches!(kind, ImportKind::Function | ImportKind::Lazy)
            && let Some(owner) = self.owner.filter(|_| self.in_function)
            && let Some(callable) = self.facts.callables.get_mut(owner)
        {
            callable.imports.push(index);
        }
    }

    /// The line of the file that a node begins at.
    pub(super) fn line(&self, node: Node<'_>) -> u32 {
        let row = node.start_position().row;
        one_based(self.skeleton.rows.get(row).copied().unwrap_or(row))
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
        if !self.in_function && !own && kind == ImportKind::Plain {
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
        for (index, (condition, block)) in branches.into_iter().enumerate() {
            if let Some(condition) = condition.filter(|_| taken.is_none()) {
                let mut looks = Vec::new();
                self.expressions(condition, kind, depth, &mut looks);
                if index == 0 { steps.append(&mut looks) } else { push_either(steps, vec![looks], false) }
            }
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
        self.head(node, kind, depth, steps);
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

    fn name(&self, definition: Node<'_>) -> String {
        definition.child_by_field_name("name").map(|name| self.source(name)).unwrap_or_default()
    }

    /// The index of a callable.
    fn callable(&mut self, name: String) -> usize {
        *self.facts.by_name.entry(name).or_insert_with_key(|name| {
            self.facts.callables.push(Callable { name: name.clone(), ..Callable::default() });
            self.facts.callables.len() - 1
        })
    }

    fn function(&mut self, node: Node<'_>, kind: ImportKind, depth: usize) {
        let name = self.name(node);
        let is_getattr = self.owner.is_none() && name == "__getattr__";
        let (owner, class, in_function) = (self.owner, self.class.take(), self.in_function);
        match &class {
            Some(class) => self.owner = Some(self.callable(format!("{class}.{name}"))),
            None if owner.is_none() => self.owner = Some(self.callable(name)),
            None => {}
        }
        self.in_function = true;
        self.facts.getattr |= is_getattr;
        let inner = match kind {
            ImportKind::Plain | ImportKind::Try | ImportKind::Conditional if is_getattr => ImportKind::Lazy,
            ImportKind::Plain | ImportKind::Try | ImportKind::Conditional => ImportKind::Function,
            kind => kind,
        };
        self.blocks(node, inner, depth, &mut Vec::new());
        (self.owner, self.class, self.in_function) = (owner, class, in_function);
    }
}

/// Whether an import of this kind runs when the module is imported.
pub(super) fn runs(kind: ImportKind) -> bool {
    matches!(kind, ImportKind::Plain | ImportKind::Try | ImportKind::Conditional)
}

/// The kind of what is inside a condition that cannot be told.
pub(super) fn conditional(kind: ImportKind) -> ImportKind {
    if matches!(kind, ImportKind::Plain | ImportKind::Try) { ImportKind::Conditional } else { kind }
}

/// The kind of what is in a branch that is not taken because of `why`.
fn deferred(kind: ImportKind, why: ImportKind) -> ImportKind {
    if runs(kind) { why } else { kind }
}

pub(super) fn push_either(steps: &mut Vec<Step>, branches: Vec<Vec<Step>>, exhaustive: bool) {
    if branches.iter().any(|branch| !branch.is_empty()) {
        steps.push(Step::Either { branches, exhaustive });
    }
}
