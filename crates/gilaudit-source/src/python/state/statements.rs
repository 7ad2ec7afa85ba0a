//! Statements: definitions, bindings, blocks under a lock.

use gilaudit_model::source::python::{Binding, Class, Imported, UseKind, Value};

use super::syntax::Node;
use super::{Context, DEEPEST, Reader, bare, children, function, names, span};

/// How many statements after a test can depend on it.
const FOLLOWING: usize = 30;

impl<'t> Reader<'t> {
    /// Statements in order. A lock that one of them acquires is held by those that follow, up to its release.
    pub(super) fn block(&mut self, block: Node<'_>, context: Context) {
        let statements: Vec<Node<'_>> = children(block).collect();
        let mut inner = context;
        // Of each statement: its context, and how many uses the function had before it.
        let mut read = Vec::with_capacity(statements.len());
        for statement in &statements {
            match self.lock_call(*statement) {
                Some("acquire") => inner.locked = true,
                Some("release") => inner.locked = context.locked,
                _ => {}
            }
            read.push((inner, self.uses(context)));
            self.statement(*statement, inner);
            if self.releases_finally(*statement) {
                inner.locked = context.locked;
            }
        }
        // What depends on a test may follow it, so all of the block has to be read before.
        for (index, (statement, (context, first))) in statements.iter().zip(&read).enumerate() {
            let end = statements.len().min(index + 1 + FOLLOWING);
            let last = read.get(end).map_or_else(|| self.uses(*context), |(_, last)| *last);
            let rest = statements.get(index + 1..end).unwrap_or_default();
            self.checks_of(*statement, rest, *first..last, *context);
        }
    }

    /// How many uses the function has so far.
    fn uses(&self, context: Context) -> usize {
        self.out.functions.get(context.function).map_or(0, |function| function.uses.len())
    }

    /// `lock.acquire()` or `lock.release()` as a statement.
    fn lock_call(&self, statement: Node<'_>) -> Option<&'static str> {
        let call = children(statement)
            .next()
            .filter(|node| statement.kind() == "expression_statement" && node.kind() == "call")?;
        let mut path = self.path(call.child_by_field_name("function")?)?;
        let method = path.pop()?;
        if !self.known.is_lock(path.last()?) {
            return None;
        }
        match method.as_ref() {
            "acquire" => Some("acquire"),
            "release" => Some("release"),
            _ => None,
        }
    }

    /// Whether a `try` statement ends with the release of a lock.
    fn releases_finally(&self, statement: Node<'_>) -> bool {
        statement.kind() == "try_statement"
            && children(statement)
                .filter(|clause| clause.kind() == "finally_clause")
                .flat_map(children)
                .flat_map(children)
                .any(|inner| self.lock_call(inner) == Some("release"))
    }

    fn statement(&mut self, node: Node<'_>, context: Context) {
        let context = Context { depth: context.depth + 1, ..context };
        if !self.may_enter(node, context) {
            return;
        }
        match node.kind() {
            "function_definition" => self.definition(node, context, false),
            "class_definition" => self.class(node, context),
            "decorated_definition" => {
                let locked = children(node).filter(|child| child.kind() == "decorator").any(|child| self.locks(child));
                match node.child_by_field_name("definition") {
                    Some(definition) if definition.kind() == "class_definition" => self.class(definition, context),
                    Some(definition) => self.definition(definition, context, locked),
                    None => {}
                }
            }
            "import_statement" | "import_from_statement" => self.import(node),
            "global_statement" | "nonlocal_statement" => {
                let declared: Vec<Box<str>> = children(node).map(|name| self.source(name).into()).collect();
                if let Some(function) = self.function(context) {
                    let list =
                        if node.kind() == "global_statement" { &mut function.globals } else { &mut function.nonlocals };
                    list.extend(declared);
                }
            }
            "for_statement" => {
                let right = node.child_by_field_name("right");
                right.into_iter().for_each(|right| self.iterate(right, context));
                node.child_by_field_name("left").into_iter().for_each(|left| self.target(left, None, node, context));
                self.clauses(node, Context { looped: true, ..context });
            }
            "while_statement" => {
                node.child_by_field_name("condition")
                    .into_iter()
                    .for_each(|condition| self.expression(condition, context));
                self.clauses(node, Context { looped: true, ..context });
            }
            "if_statement" | "elif_clause" => {
                let condition = node.child_by_field_name("condition");
                condition.into_iter().for_each(|condition| self.expression(condition, context));
                let acquired = condition.is_some_and(|condition| self.source(condition).contains(".acquire("));
                for child in children(node).filter(|child| Some(*child) != condition) {
                    let locked = context.locked || acquired && child.kind() == "block";
                    self.clause(child, Context { locked, ..context });
                }
            }
            "with_statement" => self.with(node, context),
            "try_statement" | "match_statement" | "else_clause" | "finally_clause" | "case_clause" => {
                self.clauses(node, context)
            }
            "except_clause" | "except_group_clause" => self.clauses(node, context),
            "delete_statement" => {
                for target in children(node)
                    .flat_map(|it| if it.kind() == "expression_list" { children(it).collect() } else { vec![it] })
                {
                    if let Some(container) =
                        target.child_by_field_name("value").filter(|_| target.kind() == "subscript")
                    {
                        self.note(container, UseKind::Remove, target, context);
                    }
                }
            }
            _ => self.expression(node, context),
        }
    }

    fn clauses(&mut self, node: Node<'_>, context: Context) {
        for child in children(node) {
            self.clause(child, context);
        }
    }

    fn clause(&mut self, child: Node<'_>, context: Context) {
        match child.kind() {
            "block" => self.block(child, context),
            "elif_clause"
            | "else_clause"
            | "except_clause"
            | "except_group_clause"
            | "finally_clause"
            | "case_clause" => {
                self.statement(child, context);
            }
            _ => {}
        }
    }

    /// Whether an expression (a decorator, what a `with` statement enters) holds a lock.
    fn locks(&self, node: Node<'_>) -> bool {
        let node = bare(node);
        let node = match node.kind() {
            "decorator" | "with_item" | "as_pattern" => {
                return children(node).next().is_some_and(|inner| self.locks(inner));
            }
            "call" => match node.child_by_field_name("function") {
                Some(function) => function,
                None => return false,
            },
            "subscript" => match node.child_by_field_name("value") {
                Some(container) => container,
                None => return false,
            },
            _ => node,
        };
        self.path(node).is_some_and(|path| {
            path.iter().any(|part| self.known.is_lock(part) || part.to_ascii_lowercase().contains("synchronized"))
        })
    }

    fn with(&mut self, node: Node<'_>, context: Context) {
        let mut inner = context;
        for clause in children(node).filter(|child| child.kind() == "with_clause") {
            for item in children(clause) {
                inner.locked |= self.locks(item);
                let entered = item.child_by_field_name("value").unwrap_or(item);
                if entered.kind() == "as_pattern" {
                    let target = children(entered).nth(1).and_then(|target| children(target).next());
                    target.into_iter().for_each(|target| self.target(target, None, node, context));
                    children(entered).next().into_iter().for_each(|value| self.expression(value, context));
                } else {
                    self.expression(entered, context);
                }
            }
        }
        node.child_by_field_name("body").into_iter().for_each(|body| self.block(body, inner));
    }

    fn class(&mut self, node: Node<'_>, context: Context) {
        let name: Box<str> = node.child_by_field_name("name").map_or("", |name| self.source(name)).into();
        let bases = node.child_by_field_name("superclasses").into_iter().flat_map(children);
        let bases = bases.filter_map(|base| self.path(base)).collect();
        self.bind_local(&name, context);
        self.out.classes.push(Class { name, bases });
        let class = Some(self.out.classes.len() - 1);
        node.child_by_field_name("body").into_iter().for_each(|body| self.block(body, Context { class, ..context }));
    }

    fn definition(&mut self, node: Node<'_>, context: Context, locked: bool) {
        let name = node.child_by_field_name("name").map_or("", |name| self.source(name));
        self.bind_local(name, context);
        let index = self.open(node, name, context);
        if let Some(function) = self.out.functions.get_mut(index) {
            function.locked = locked;
        }
        let inner = Context { function: index, class: None, locked, looped: false, depth: context.depth };
        node.child_by_field_name("body").into_iter().for_each(|body| self.block(body, inner));
    }

    /// A new function, with its parameters.
    pub(super) fn open(&mut self, node: Node<'_>, name: &str, context: Context) -> usize {
        let class = context.class.and_then(|class| self.out.classes.get(class)).map(|class| &class.name);
        let outer =
            self.out.functions.get(context.function).filter(|_| context.function > 0).map(|outer| &outer.qualified);
        let parts = [outer.map(AsRef::as_ref), class.map(AsRef::as_ref), Some(name)];
        let qualified = parts.into_iter().flatten().collect::<Vec<&str>>().join(".");
        let mut new = function(name.into(), qualified.into(), span(node));
        new.class = context.class;
        new.parent = Some(context.function);
        for parameter in node.child_by_field_name("parameters").into_iter().flat_map(children) {
            let named = match parameter.kind() {
                "identifier" => Some(parameter),
                _ => parameter.child_by_field_name("name").or_else(|| children(parameter).next()),
            };
            new.parameters
                .extend(named.filter(|name| name.kind() == "identifier").map(|name| self.source(name).into()));
        }
        self.out.functions.push(new);
        self.out.functions.len() - 1
    }

    /// An assignment, plain or augmented.
    pub(super) fn assignment(&mut self, node: Node<'_>, context: Context) {
        let (left, right) = (node.child_by_field_name("left"), node.child_by_field_name("right"));
        right.into_iter().for_each(|right| self.expression(right, context));
        let Some(left) = left else { return };
        if node.kind() == "augmented_assignment" {
            match left.kind() {
                "subscript" => {
                    self.expression(left, context);
                    if let Some(container) = left.child_by_field_name("value") {
                        self.note(container, UseKind::AugmentItem, node, context);
                    }
                }
                _ => self.note(left, UseKind::Augment, node, context),
            }
            return;
        }
        if let Some(right) = right
            && self.adds_to_itself(left, right)
        {
            self.note(left, UseKind::Augment, node, context);
            return;
        }
        // A bare annotation binds nothing.
        if right.is_some() {
            self.target(left, right, node, context);
        }
    }

    /// `x = x + …`, where `x` is a name or an attribute.
    fn adds_to_itself(&self, left: Node<'_>, right: Node<'_>) -> bool {
        let right = bare(right);
        let first = (right.kind() == "binary_operator").then(|| right.child_by_field_name("left")).flatten();
        matches!(left.kind(), "identifier" | "attribute")
            && first.is_some_and(|first| self.path(first) == self.path(left))
    }

    /// What is assigned to.
    pub(super) fn target(&mut self, left: Node<'_>, value: Option<Node<'_>>, at: Node<'_>, context: Context) {
        match left.kind() {
            "identifier" => {
                let name = self.source(left);
                self.bind_local(name, context);
                self.bind(name, context.class, false, value, at, context);
                self.note(left, UseKind::Bind, at, context);
            }
            "attribute" => {
                let path = self.path(left).unwrap_or_default();
                if let [object, name] = path.as_slice()
                    && let Some(function) = self.out.functions.get(context.function)
                    && function.parameters.first() == Some(object)
                    && function.class.is_some()
                {
                    let (class, name, object) = (function.class, name.clone(), object.as_ref());
                    // A class method binds an attribute of the class.
                    let instance = object != "cls";
                    self.bind(&name, class, instance, value, at, context);
                }
                self.note(left, UseKind::Bind, at, context);
            }
            "subscript" => {
                self.expression(left, context);
                if let Some(container) = left.child_by_field_name("value") {
                    self.note(container, UseKind::SetItem, at, context);
                }
            }
            _ if context.depth < DEEPEST => {
                let deeper = Context { depth: context.depth + 1, ..context };
                children(left).for_each(|part| self.target(part, None, at, deeper));
            }
            _ => {}
        }
    }

    /// Notes a binding at module level, in a class body or of an attribute of `self`.
    fn bind(
        &mut self,
        name: &str,
        class: Option<usize>,
        instance: bool,
        value: Option<Node<'_>>,
        at: Node<'_>,
        context: Context,
    ) {
        if context.function == 0 || class.is_some() {
            let value = value.map_or(Value::Other, |value| names::value(self.text, value));
            self.out.bindings.push(Binding { class, instance, name: name.into(), value, span: span(at) });
        }
    }

    fn bind_local(&mut self, name: &str, context: Context) {
        if let Some(function) = self.function(context)
            && context.function > 0
            && function.locals.last().is_none_or(|last| **last != *name)
        {
            function.locals.push(name.into());
        }
    }

    fn import(&mut self, node: Node<'_>) {
        let from = node.child_by_field_name("module_name");
        let (mut level, mut module) = (0, String::new());
        match from {
            Some(from) if from.kind() == "relative_import" => {
                for part in children(from) {
                    match part.kind() {
                        "import_prefix" => level = self.source(part).bytes().filter(|byte| *byte == b'.').count(),
                        _ => module = self.source(part).to_owned(),
                    }
                }
            }
            Some(from) => module = self.source(from).to_owned(),
            None => {}
        }
        for imported in children(node).filter(|child| Some(*child) != from) {
            let (name, alias) = match imported.kind() {
                "aliased_import" => (imported.child_by_field_name("name"), imported.child_by_field_name("alias")),
                "dotted_name" => (Some(imported), None),
                _ => continue,
            };
            let name = name.map_or("", |name| self.source(name));
            let bound = alias.map_or(name, |alias| self.source(alias));
            let imported = match from {
                Some(_) => {
                    Imported { name: bound.into(), module: module.as_str().into(), level, attribute: Some(name.into()) }
                }
                // `import a.b` binds `a`; `import a.b as c` binds the module itself.
                None => {
                    let (name, module) = match alias {
                        Some(_) => (bound, name),
                        None => (name.split('.').next().unwrap_or(name), name.split('.').next().unwrap_or(name)),
                    };
                    Imported { name: name.into(), module: module.into(), level: 0, attribute: None }
                }
            };
            self.out.imports.push(imported);
        }
    }
}
