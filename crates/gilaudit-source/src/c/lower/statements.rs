//! Statements.

use gilaudit_model::source::{ExprId, ExprKind, Local, Name, Span, StmtId, StmtKind, Type};
use tree_sitter::Node;

use super::types::take_apart;
use super::{Frame, Lowerer, children};

impl Lowerer<'_> {
    fn add_stmt(&mut self, kind: StmtKind, span: Span) -> StmtId {
        self.code.body.add_stmt(kind, span)
    }

    /// Several statements as one.
    pub(super) fn block(&mut self, list: &[StmtId], span: Span) -> StmtId {
        let list = self.code.body.add_stmts(list);
        self.add_stmt(StmtKind::Block(list), span)
    }

    /// A statement where exactly one is wanted.
    fn one(&mut self, node: Option<Node<'_>>, frame: &Frame<'_>) -> StmtId {
        let Some(node) = node else { return self.add_stmt(StmtKind::Empty, Span::default()) };
        let list = self.statement(node, frame);
        match list.as_slice() {
            [only] => *only,
            list => self.block(list, frame.span(node)),
        }
    }

    /// What one node of the tree gives; a declaration gives one statement a variable.
    pub(super) fn statement(&mut self, node: Node<'_>, frame: &Frame<'_>) -> Vec<StmtId> {
        if !self.may_enter(node, frame) {
            return Vec::new();
        }
        self.code.depth += 1;
        let out = self.any_statement(node, frame);
        self.code.depth -= 1;
        out
    }

    fn any_statement(&mut self, node: Node<'_>, frame: &Frame<'_>) -> Vec<StmtId> {
        let span = frame.span(node);
        let field = |name: &str| node.child_by_field_name(name);
        let kind = match node.kind() {
            "compound_statement" => {
                self.code.open_scope(span);
                let mut list = Vec::new();
                for child in children(node) {
                    list.extend(self.statement(child, frame));
                }
                self.code.close_scope();
                return vec![self.block(&list, span)];
            }
            "expression_statement" => match children(node).first() {
                Some(expr) => return self.expression_statement(*expr, span, frame),
                None => StmtKind::Empty,
            },
            "declaration" => return self.local_declaration(node, frame),
            "if_statement" => {
                let condition = self.condition(field("condition"), frame);
                let then = self.one(field("consequence"), frame);
                let otherwise = field("alternative").map(|node| {
                    let inner = if node.kind() == "else_clause" { children(node).first().copied() } else { Some(node) };
                    self.one(inner, frame)
                });
                StmtKind::If { condition, then, otherwise }
            }
            "while_statement" => {
                let condition = self.condition(field("condition"), frame);
                let body = self.one(field("body"), frame);
                StmtKind::While { condition, body }
            }
            "do_statement" => {
                let body = self.one(field("body"), frame);
                let condition = self.condition(field("condition"), frame);
                StmtKind::DoWhile { body, condition }
            }
            "for_statement" => {
                self.code.open_scope(span);
                let init = field("initializer").map(|init| match init.kind() {
                    "declaration" => self.one(Some(init), frame),
                    _ => {
                        let span = frame.span(init);
                        let expr = self.expression(init, frame);
                        self.add_stmt(StmtKind::Expr(expr), span)
                    }
                });
                let condition = field("condition").map(|node| self.expression(node, frame));
                let step = field("update").map(|node| self.expression(node, frame));
                let body = self.one(field("body"), frame);
                self.code.close_scope();
                StmtKind::For { init, condition, step, body, each: false }
            }
            "for_range_loop" => {
                self.code.open_scope(span);
                let range = field("right").map(|node| self.expression(node, frame));
                let init = field("declarator")
                    .and_then(|declarator| self.declare_one(node, declarator, range, frame))
                    .map(|(local, init)| self.add_stmt(StmtKind::Declare { local, init }, span));
                let body = self.one(field("body"), frame);
                self.code.close_scope();
                StmtKind::For { init, condition: None, step: None, body, each: true }
            }
            "switch_statement" => {
                let value = self.condition(field("condition"), frame);
                let body = self.one(field("body"), frame);
                StmtKind::Switch { value, body }
            }
            "case_statement" => {
                let value_node = field("value");
                let value = value_node.map(|node| self.expression(node, frame));
                let mut list = vec![self.add_stmt(StmtKind::Case(value), span)];
                for child in children(node).into_iter().filter(|child| Some(*child) != value_node) {
                    list.extend(self.statement(child, frame));
                }
                return list;
            }
            "return_statement" | "co_return_statement" => {
                StmtKind::Return(children(node).first().map(|value| self.expression(*value, frame)))
            }
            "goto_statement" => {
                let label = field("label").map_or("", |label| frame.text_of(label));
                StmtKind::Goto(self.names.intern(label))
            }
            "labeled_statement" => {
                let label = field("label");
                let name = self.names.intern(label.map_or("", |label| frame.text_of(label)));
                let mut list =
                    vec![self.add_stmt(StmtKind::Label(name), label.map_or(span, |label| frame.span(label)))];
                for child in children(node).into_iter().filter(|child| Some(*child) != label) {
                    list.extend(self.statement(child, frame));
                }
                return list;
            }
            "break_statement" => StmtKind::Break,
            "continue_statement" => StmtKind::Continue,
            "throw_statement" => StmtKind::Throw(children(node).first().map(|value| self.expression(*value, frame))),
            "try_statement" => {
                let body = self.one(field("body"), frame);
                let mut handlers = Vec::new();
                for clause in children(node).into_iter().filter(|child| child.kind() == "catch_clause") {
                    handlers.push(self.one(clause.child_by_field_name("body"), frame));
                }
                let handlers = self.code.body.add_stmts(&handlers);
                StmtKind::Try { body, handlers }
            }
            "attributed_statement" | "else_clause" | "linkage_specification" | "declaration_list" => {
                return children(node).into_iter().flat_map(|child| self.statement(child, frame)).collect();
            }
            "struct_specifier" | "union_specifier" | "class_specifier" => {
                self.record(node, &[], frame);
                StmtKind::Empty
            }
            "ERROR"
            | "type_definition"
            | "enum_specifier"
            | "using_declaration"
            | "alias_declaration"
            | "static_assert_declaration"
            | "attribute_declaration"
            | "preproc_call"
            | "function_definition"
            | "template_declaration" => StmtKind::Empty,
            // An expression where a statement is: the condition of `if (T x = f())`, a macro's body.
            _ => return self.expression_statement(node, span, frame),
        };
        vec![self.add_stmt(kind, span)]
    }

    fn condition(&mut self, node: Option<Node<'_>>, frame: &Frame<'_>) -> ExprId {
        let Some(node) = node else { return self.add(ExprKind::Number(None), Span::default()) };
        let value = (node.kind() == "condition_clause").then(|| node.child_by_field_name("value")).flatten();
        if let Some(value) = value {
            if value.kind() != "declaration" {
                return self.expression(value, frame);
            }
            let init = value.child_by_field_name("value").map(|node| self.expression(node, frame));
            return init.unwrap_or_else(|| self.add(ExprKind::Number(None), frame.span(node)));
        }
        self.expression(node, frame)
    }

    fn expression_statement(&mut self, node: Node<'_>, span: Span, frame: &Frame<'_>) -> Vec<StmtId> {
        match node.kind() {
            // `MACRO;`
            "identifier" => {
                let name = frame.text_of(node).to_owned();
                if let Some(known) = self.expandable(&name, None, frame)
                    && let Some(list) = self.expand_statement(&name, &known, &[], frame.span(node), frame.depth)
                {
                    return vec![self.block(&list, span)];
                }
                let interned = self.names.intern(&name);
                if self.resolve(interned).is_none() {
                    return vec![self.lone_macro(interned, frame.span(node), span)];
                }
            }
            // `MACRO(a, b);`
            "call_expression" => {
                if let Some(list) = self.macro_statement(node, frame) {
                    return vec![self.block(&list, span)];
                }
            }
            _ => {}
        }
        let returns = node.kind() == "call_expression"
            && node.child_by_field_name("function").is_some_and(|function| is_return(frame.text_of(function)));
        let expr = self.expression(node, frame);
        vec![self.add_stmt(if returns { StmtKind::Return(Some(expr)) } else { StmtKind::Expr(expr) }, span)]
    }

    /// A macro that is a statement by itself: one of CPython's that return, or as good as a call.
    fn lone_macro(&mut self, name: Name, place: Span, span: Span) -> StmtId {
        let callee = self.add(ExprKind::Name(name), place);
        if is_return(self.names.text(name)) {
            return self.add_stmt(StmtKind::Return(Some(callee)), span);
        }
        let args = self.code.body.add_list(&[]);
        let call = self.add(ExprKind::Call { callee, args }, place);
        self.add_stmt(StmtKind::Expr(call), span)
    }

    fn macro_statement(&mut self, node: Node<'_>, frame: &Frame<'_>) -> Option<Vec<StmtId>> {
        let function = node.child_by_field_name("function").filter(|function| function.kind() == "identifier")?;
        let arguments = children(node.child_by_field_name("arguments")?);
        let name = frame.text_of(function).to_owned();
        let known = self.expandable(&name, Some(arguments.len()), frame)?;
        if known.role == super::super::macros::Role::Expression {
            return None;
        }
        let arguments: Vec<ExprId> = arguments.into_iter().map(|argument| self.expression(argument, frame)).collect();
        self.expand_statement(&name, &known, &arguments, frame.span(node), frame.depth)
    }

    /// The variables of a declaration inside a function.
    fn local_declaration(&mut self, node: Node<'_>, frame: &Frame<'_>) -> Vec<StmtId> {
        let span = frame.span(node);
        let mut cursor = node.walk();
        let declarators: Vec<Node<'_>> = node.children_by_field_name("declarator", &mut cursor).collect();
        if let Some(record) = node.child_by_field_name("type").filter(|ty| ty.child_by_field_name("body").is_some()) {
            self.record(record, &[], frame);
        }
        if declarators.is_empty() {
            // `MACRO;` read as a type.
            let name = node.child_by_field_name("type").filter(|ty| ty.kind() == "type_identifier");
            return match name {
                Some(name) => {
                    let interned = self.names.intern(frame.text_of(name));
                    vec![self.lone_macro(interned, span, span)]
                }
                None => Vec::new(),
            };
        }
        let mut out = Vec::new();
        for declarator in declarators {
            let value = declarator.child_by_field_name("value");
            let init = value.map(|value| self.initialiser(node, value, frame));
            if let Some((local, init)) = self.declare_one(node, declarator, init, frame) {
                out.push(self.add_stmt(StmtKind::Declare { local, init }, frame.span(declarator)));
            }
        }
        out
    }

    /// An initialiser; `T x(a)` and `T x{a}` construct.
    fn initialiser(&mut self, declaration: Node<'_>, value: Node<'_>, frame: &Frame<'_>) -> ExprId {
        let constructs = value.kind() == "argument_list" || self.cpp && value.kind() == "initializer_list";
        let class = declaration
            .child_by_field_name("type")
            .filter(|ty| !matches!(ty.kind(), "primitive_type" | "sized_type_specifier"));
        if constructs && let Some(class) = class {
            return self.construct(class, children(value), frame.span(value), frame);
        }
        self.expression(value, frame)
    }

    /// Declares the variable of one declarator, with its initialiser.
    fn declare_one(
        &mut self,
        declaration: Node<'_>,
        declarator: Node<'_>,
        init: Option<ExprId>,
        frame: &Frame<'_>,
    ) -> Option<(gilaudit_model::source::LocalId, Option<ExprId>)> {
        let storage = self.storage(declaration, frame);
        let declared = take_apart(declarator, frame)?;
        let base = self.base_name(declaration.child_by_field_name("type"), frame);
        let mut init = init;
        if let Some(function) = declared.function.filter(|_| !declared.pointer_to_function) {
            // `T x(a);` reads as the declaration of a function.
            let parameters = function.child_by_field_name("parameters").filter(|_| self.cpp)?;
            let class = declaration.child_by_field_name("type")?;
            let arguments = children(parameters);
            let plain = arguments.iter().all(|argument| argument.child_by_field_name("declarator").is_none());
            if arguments.is_empty() || !plain {
                return None;
            }
            let arguments = arguments
                .into_iter()
                .map(|argument| argument.child_by_field_name("type").unwrap_or(argument))
                .collect();
            init = Some(self.construct(class, arguments, frame.span(function), frame));
        }
        let ty: Type = self.declared_type(&base, storage, &declared);
        if storage.is_extern {
            return None;
        }
        let name = self.names.intern(frame.text_of(declared.name));
        let local = Local {
            name,
            ty,
            parameter: None,
            is_static: storage.is_static,
            thread_local: storage.thread_local,
            in_macro: frame.place.is_some(),
            span: frame.span(declared.name),
            scope: self.scope_span(),
        };
        Some((self.declare(local), init))
    }
}

/// The macros of CPython that return from the function they stand in (3.15 Include/object.h, boolobject.h, floatobject.h).
fn is_return(name: &str) -> bool {
    matches!(
        name,
        "Py_RETURN_NONE"
            | "Py_RETURN_TRUE"
            | "Py_RETURN_FALSE"
            | "Py_RETURN_NOTIMPLEMENTED"
            | "Py_RETURN_INF"
            | "Py_RETURN_NAN"
            | "Py_RETURN_RICHCOMPARE"
    )
}
