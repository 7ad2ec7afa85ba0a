//! Expressions.

#![allow(
    clippy::indexing_slicing,
    reason = "indices of lists made here; whoever calls catches a mistake as a problem of the project"
)]

use gilaudit_model::source::{BinaryOp, ExprId, ExprKind, Span, UnaryOp};
use tree_sitter::Node;

use super::super::condition::number;
use super::{Frame, Lowerer, children};

impl Lowerer<'_> {
    pub(super) fn expression(&mut self, node: Node<'_>, frame: &Frame<'_>) -> ExprId {
        if !self.may_enter(node, frame) {
            return self.add(ExprKind::Number(None), frame.span(node));
        }
        self.code.depth += 1;
        let id = self.any_expression(node, frame);
        self.code.depth -= 1;
        id
    }

    fn field(&mut self, node: Node<'_>, name: &str, frame: &Frame<'_>) -> ExprId {
        match node.child_by_field_name(name) {
            Some(child) => self.expression(child, frame),
            None => self.add(ExprKind::Number(None), frame.span(node)),
        }
    }

    fn other(&mut self, node: Node<'_>, frame: &Frame<'_>) -> ExprId {
        let parts: Vec<ExprId> = children(node).into_iter().map(|child| self.expression(child, frame)).collect();
        let list = self.code.body.add_list(&parts);
        self.add(ExprKind::Other(list), frame.span(node))
    }

    fn list(&mut self, nodes: Vec<Node<'_>>, span: Span, frame: &Frame<'_>) -> ExprId {
        let parts: Vec<ExprId> = nodes.into_iter().map(|child| self.expression(child, frame)).collect();
        let list = self.code.body.add_list(&parts);
        self.add(ExprKind::List(list), span)
    }

    /// A call of the name of a class.
    pub(super) fn construct(
        &mut self,
        class: Node<'_>,
        arguments: Vec<Node<'_>>,
        span: Span,
        frame: &Frame<'_>,
    ) -> ExprId {
        let base = self.base_name(Some(class), frame);
        let name = self.names.intern(&base);
        let callee = self.add(ExprKind::Name(name), span);
        let arguments: Vec<ExprId> = arguments.into_iter().map(|argument| self.expression(argument, frame)).collect();
        let args = self.code.body.add_list(&arguments);
        self.add(ExprKind::Call { callee, args }, span)
    }

    fn any_expression(&mut self, node: Node<'_>, frame: &Frame<'_>) -> ExprId {
        let span = frame.span(node);
        let kind = match node.kind() {
            "identifier"
            | "type_identifier"
            | "namespace_identifier"
            | "qualified_identifier"
            | "this"
            | "template_function"
            | "primitive_type" => {
                return self.name(node, frame);
            }
            "parenthesized_expression" | "condition_clause" => match children(node).first() {
                Some(inner) => return self.expression(*inner, frame),
                None => ExprKind::Number(None),
            },
            "number_literal" => ExprKind::Number(signed(frame.text_of(node))),
            "char_literal" => ExprKind::Number(None),
            "true" => ExprKind::Number(Some(1)),
            "false" => ExprKind::Number(Some(0)),
            "null" | "nullptr" => ExprKind::Null,
            "string_literal" | "concatenated_string" | "raw_string_literal" | "system_lib_string" => ExprKind::Str,
            "call_expression" => return self.call(node, frame),
            "field_expression" => {
                let base = self.field(node, "argument", frame);
                let arrow =
                    node.child_by_field_name("operator").is_some_and(|operator| frame.text_of(operator) == "->");
                let member = node.child_by_field_name("field");
                let text = member.map_or("", |member| frame.text_of(member)).to_owned();
                // A macro's parameter can be the name of a member.
                let name = match frame.arguments.get(&text).map(|argument| self.code.body.kind(*argument)) {
                    Some(ExprKind::Name(name)) => name,
                    Some(ExprKind::Local(local)) => self.code.body.locals[local.0 as usize].name,
                    _ => self.names.intern(text.split('<').next().unwrap_or(&text)),
                };
                ExprKind::Field { base, name, arrow }
            }
            "subscript_expression" => {
                let base = self.field(node, "argument", frame);
                let index = node.child_by_field_name("index").or_else(|| node.child_by_field_name("indices"));
                let index = match index {
                    Some(index) if index.kind() == "subscript_argument_list" => match children(index).first() {
                        Some(first) => self.expression(*first, frame),
                        None => self.add(ExprKind::Number(None), span),
                    },
                    Some(index) => self.expression(index, frame),
                    None => self.add(ExprKind::Number(None), span),
                };
                ExprKind::Index { base, index }
            }
            "pointer_expression" | "unary_expression" => {
                let op = match node.child_by_field_name("operator").map_or("", |operator| frame.text_of(operator)) {
                    "*" => UnaryOp::Deref,
                    "&" => UnaryOp::AddressOf,
                    "!" | "not" => UnaryOp::Not,
                    _ => UnaryOp::Arithmetic,
                };
                let operand = self.field(node, "argument", frame);
                match (op, frame.text_of(node).starts_with('-'), self.code.body.kind(operand)) {
                    (UnaryOp::Arithmetic, true, ExprKind::Number(Some(value))) => {
                        ExprKind::Number(Some(value.wrapping_neg()))
                    }
                    _ => ExprKind::Unary { op, operand },
                }
            }
            "update_expression" => {
                let text = frame.text_of(node);
                let (increment, prefix) = (text.contains("++"), text.starts_with('+') || text.starts_with('-'));
                let operand = self.field(node, "argument", frame);
                ExprKind::Update { operand, increment, prefix }
            }
            "binary_expression" => {
                let left = self.field(node, "left", frame);
                let right = self.field(node, "right", frame);
                match BinaryOp::parse(
                    node.child_by_field_name("operator").map_or("", |operator| frame.text_of(operator)),
                ) {
                    Some(op) => ExprKind::Binary { op, left, right },
                    None => ExprKind::Other(self.code.body.add_list(&[left, right])),
                }
            }
            "assignment_expression" => {
                let target = self.field(node, "left", frame);
                let value = self.field(node, "right", frame);
                let operator = node.child_by_field_name("operator").map_or("=", |operator| frame.text_of(operator));
                ExprKind::Assign { op: BinaryOp::parse(operator.trim_end_matches('=')), target, value }
            }
            "conditional_expression" => {
                let condition = self.field(node, "condition", frame);
                let then = match node.child_by_field_name("consequence") {
                    Some(then) => self.expression(then, frame),
                    // GNU `a ?: b`
                    None => condition,
                };
                let otherwise = self.field(node, "alternative", frame);
                ExprKind::Conditional { condition, then, otherwise }
            }
            "comma_expression" => {
                let left = self.field(node, "left", frame);
                let right = self.field(node, "right", frame);
                ExprKind::Comma { left, right }
            }
            "cast_expression" => {
                let ty = node.child_by_field_name("type");
                let value = self.field(node, "value", frame);
                let (base, pointers) = self.type_descriptor(ty, frame);
                if matches!(self.code.body.kind(value), ExprKind::Number(Some(0))) && pointers > 0 {
                    ExprKind::Null
                } else {
                    ExprKind::Cast { base, pointers, value }
                }
            }
            "sizeof_expression" | "alignof_expression" | "offsetof_expression" => {
                let operand = self.add(ExprKind::Number(None), span);
                ExprKind::Unary { op: UnaryOp::SizeOf, operand }
            }
            "compound_literal_expression" => match node.child_by_field_name("value") {
                Some(value) if self.cpp => match node.child_by_field_name("type") {
                    Some(class) => return self.construct(class, children(value), span, frame),
                    None => return self.list(children(value), span, frame),
                },
                Some(value) => return self.list(children(value), span, frame),
                None => ExprKind::Number(None),
            },
            "initializer_list" | "argument_list" => return self.list(children(node), span, frame),
            "initializer_pair" => {
                let designator = children(node).into_iter().find(|child| child.kind().ends_with("designator"));
                let target = match designator {
                    Some(designator) if designator.kind() == "field_designator" => {
                        let text = frame.text_of(designator).trim_start_matches('.').trim().to_owned();
                        let name = self.names.intern(&text);
                        self.add(ExprKind::Name(name), frame.span(designator))
                    }
                    _ => self.add(ExprKind::Number(None), span),
                };
                let value = self.field(node, "value", frame);
                ExprKind::Assign { op: None, target, value }
            }
            "lambda_expression" => {
                let Some(body) = node.child_by_field_name("body") else { return self.other(node, frame) };
                return self.closure(body, false, span, frame);
            }
            "compound_statement" => return self.closure(node, true, span, frame),
            "new_expression" => {
                let arguments = node.child_by_field_name("arguments").map_or(Vec::new(), children);
                match node.child_by_field_name("type") {
                    Some(class) => return self.construct(class, arguments, span, frame),
                    None => return self.other(node, frame),
                }
            }
            "delete_expression" => {
                let name = self.names.intern("delete");
                let callee = self.add(ExprKind::Name(name), span);
                let arguments: Vec<ExprId> =
                    children(node).into_iter().map(|child| self.expression(child, frame)).collect();
                let args = self.code.body.add_list(&arguments);
                ExprKind::Call { callee, args }
            }
            "type_descriptor" | "ERROR" | "gnu_asm_expression" | "offset_of" => ExprKind::Number(None),
            _ => return self.other(node, frame),
        };
        self.add(kind, span)
    }

    /// The base and the number of `*` of a type in parentheses.
    fn type_descriptor(&mut self, node: Option<Node<'_>>, frame: &Frame<'_>) -> (gilaudit_model::source::Name, u8) {
        let base = self.base_name(node.and_then(|node| node.child_by_field_name("type")), frame);
        let pointers =
            node.map_or(0, |node| frame.text_of(node).bytes().filter(|byte| *byte == b'*').count().min(255) as u8);
        (self.names.intern(&base), pointers)
    }

    fn closure(&mut self, body: Node<'_>, immediate: bool, span: Span, frame: &Frame<'_>) -> ExprId {
        let list = self.statement(body, frame);
        let body = self.block(&list, span);
        self.add(ExprKind::Closure { body, immediate }, span)
    }

    fn name(&mut self, node: Node<'_>, frame: &Frame<'_>) -> ExprId {
        let text = frame.text_of(node);
        if let Some(argument) = frame.arguments.get(text) {
            return *argument;
        }
        let span = frame.span(node);
        if text == "NULL" {
            return self.add(ExprKind::Null, span);
        }
        let text = text.split('<').next().unwrap_or(text).trim().to_owned();
        let name = self.names.intern(&text);
        if let Some(local) = self.resolve(name) {
            return self.add(ExprKind::Local(local), span);
        }
        if let Some(known) = self.expandable(&text, None, frame)
            && let Some(expanded) = self.expand_expression(&text, &known, &[], span, frame.depth)
        {
            return expanded;
        }
        let Some(class) = self.code.class else { return self.add(ExprKind::Name(name), span) };
        let is_member = self.members.get(&class).map(|members| members.contains(&name));
        if is_member == Some(false) {
            return self.add(ExprKind::Name(name), span);
        }
        let this = self.names.intern("this");
        let base = self.add(ExprKind::Name(this), span);
        if is_member == Some(true) {
            return self.add(ExprKind::Field { base, name, arrow: true }, span);
        }
        // The class is defined in another file: whether it has such a member is known when all are read.
        let open = self.add(ExprKind::Name(name), span);
        self.code.open.push(open);
        open
    }

    fn call(&mut self, node: Node<'_>, frame: &Frame<'_>) -> ExprId {
        let span = frame.span(node);
        let function = node.child_by_field_name("function");
        let argument_nodes = node.child_by_field_name("arguments").map_or(Vec::new(), children);
        // `static_cast<T *>(x)`
        if let Some(function) = function.filter(|function| function.kind() == "template_function") {
            let name = function.child_by_field_name("name").map_or("", |name| frame.text_of(name));
            if name.ends_with("_cast") && argument_nodes.len() == 1 {
                let ty = function.child_by_field_name("arguments").and_then(|list| children(list).first().copied());
                let (base, pointers) = self.type_descriptor(ty, frame);
                let value = self.expression(argument_nodes[0], frame);
                return self.add(ExprKind::Cast { base, pointers, value }, span);
            }
        }
        let arguments: Vec<ExprId> =
            argument_nodes.into_iter().map(|argument| self.expression(argument, frame)).collect();
        if let Some(function) = function.filter(|function| function.kind() == "identifier") {
            let name = frame.text_of(function).to_owned();
            if let Some(value) = arguments.first().copied().filter(|_| is_branch_hint(&name, arguments.len())) {
                return value;
            }
            if let Some(known) = self.expandable(&name, Some(arguments.len()), frame) {
                if let Some(expanded) = self.expand_expression(&name, &known, &arguments, span, frame.depth) {
                    return expanded;
                }
                if let Some(list) = self.expand_statement(&name, &known, &arguments, span, frame.depth) {
                    let body = self.block(&list, span);
                    return self.add(ExprKind::Closure { body, immediate: true }, span);
                }
            }
        }
        let callee = match function {
            Some(function) => self.expression(function, frame),
            None => self.add(ExprKind::Number(None), span),
        };
        let args = self.code.body.add_list(&arguments);
        self.add(ExprKind::Call { callee, args }, span)
    }
}

/// Whether a call has the value of its first argument, and only says how often that is true.
fn is_branch_hint(name: &str, arguments: usize) -> bool {
    match name {
        "__builtin_expect" => arguments == 2,
        "__builtin_expect_with_probability" => arguments == 3,
        _ => arguments == 1 && name.to_ascii_lowercase().ends_with("likely"),
    }
}

/// A number as the grammar gives it: the sign is part of it.
fn signed(text: &str) -> Option<i64> {
    match text.strip_prefix('-') {
        Some(rest) => number(rest.trim_start()).map(i64::wrapping_neg),
        None => number(text.trim_start_matches('+')),
    }
}
