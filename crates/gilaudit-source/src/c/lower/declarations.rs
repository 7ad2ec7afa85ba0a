//! Functions, variables and types at file scope and in classes.

use foldhash::HashSet;
use gilaudit_model::source::{ExprKind, Field, Function, Global, Local, Name, Span, StmtId, StmtKind, Struct, Type};
use tree_sitter::Node;

use super::types::{Storage, take_apart};
use super::{Code, DEEPEST, Frame, Lowerer, children};

impl Lowerer<'_> {
    /// The declarations directly in a node, and in the namespaces and conditionals inside it.
    pub(super) fn items(&mut self, node: Node<'_>, frame: &Frame<'_>, depth: u32) {
        if depth > DEEPEST {
            return;
        }
        for child in children(node) {
            self.item(child, frame, depth);
        }
    }

    fn item(&mut self, node: Node<'_>, frame: &Frame<'_>, depth: u32) {
        let range = node.byte_range();
        let text = frame.text.get(range.clone());
        if text.is_some() && self.seen.iter().any(|seen| seen.get(range.clone()) == text) {
            return;
        }
        match node.kind() {
            "function_definition" | "inline_method_definition" => self.function(node, frame),
            "declaration" => self.variables(node, frame),
            "type_definition" => self.typedef(node, frame),
            "struct_specifier" | "union_specifier" | "class_specifier" => {
                self.record(node, &[], frame);
            }
            "namespace_definition" => {
                let name = node.child_by_field_name("name").map_or("", |name| frame.text_of(name)).to_owned();
                self.outer.push(name);
                if let Some(body) = node.child_by_field_name("body") {
                    self.items(body, frame, depth + 1);
                }
                self.outer.pop();
            }
            "linkage_specification"
            | "declaration_list"
            | "template_declaration"
            | "friend_declaration"
            | "expression_statement" => {
                self.items(node, frame, depth + 1);
            }
            "alias_declaration" => {
                let name = node.child_by_field_name("name").map(|name| frame.text_of(name).to_owned());
                let base = node.child_by_field_name("type").and_then(|ty| ty.child_by_field_name("type"));
                if let (Some(name), Some(base)) = (name, base) {
                    let base = self.base_name(Some(base), frame);
                    let pair = (self.names.intern(&name), self.names.intern(&base));
                    self.out.typedefs.push(pair);
                }
            }
            _ => {}
        }
    }

    fn typedef(&mut self, node: Node<'_>, frame: &Frame<'_>) {
        let ty = node.child_by_field_name("type");
        let mut cursor = node.walk();
        let names: Vec<Name> = node
            .children_by_field_name("declarator", &mut cursor)
            .filter_map(|declarator| take_apart(declarator, frame))
            .filter(|declared| declared.pointers == 0 && declared.function.is_none())
            .map(|declared| declared.name)
            .collect::<Vec<_>>()
            .into_iter()
            .map(|name| self.names.intern(frame.text_of(name)))
            .collect();
        let Some(ty) = ty else { return };
        if ty.child_by_field_name("body").is_some() {
            self.record(ty, &names, frame);
        } else if !matches!(ty.kind(), "primitive_type" | "sized_type_specifier" | "enum_specifier") {
            let base = self.base_name(Some(ty), frame);
            let base = self.names.intern(&base);
            self.out.typedefs.extend(names.into_iter().filter(|name| *name != base).map(|name| (name, base)));
        }
    }

    /// A struct, union or class with a body: its members, and the code of its methods.
    pub(super) fn record(&mut self, node: Node<'_>, names: &[Name], frame: &Frame<'_>) {
        let Some(body) = node.child_by_field_name("body").filter(|_| node.kind() != "enum_specifier") else { return };
        if self.outer.len() > 32 {
            return;
        }
        let tag = self.base_name(Some(node), frame);
        let tag = self.names.intern(tag.rsplit("::").next().unwrap_or(&tag));
        let mut fields = Vec::new();
        self.fields(body, frame, &mut fields, 0);
        let mut bases = Vec::new();
        for clause in children(node).into_iter().filter(|child| child.kind() == "base_class_clause") {
            for base in children(clause).into_iter().filter(|base| base.kind() != "access_specifier") {
                bases.push(self.names.intern(frame.text_of(base)));
            }
        }
        let is_head = |text: &str| {
            matches!(
                text,
                "PyObject" | "PyVarObject" | "PyTypeObject" | "PyHeapTypeObject" | "PyListObject" | "PyDictObject"
            )
        };
        let is_object = fields
            .first()
            .is_some_and(|field: &Field| field.ty.pointers == 0 && is_head(self.names.text(field.ty.base)))
            || bases.iter().any(|base| is_head(self.names.text(*base)))
            || frame.text.get(body.byte_range()).is_some_and(|text| text.contains("o_b"));
        let member_names: HashSet<Name> = fields.iter().map(|field| field.name).collect();
        self.members.insert(tag, member_names);
        let defined = Struct {
            file: self.file,
            span: frame.span(node),
            names: std::iter::once(tag).chain(names.iter().copied()).collect(),
            fields,
            is_object,
            bases,
        };
        self.out.structs.push(defined);
        self.outer.push(self.names.text(tag).to_owned());
        let class = self.code.class.replace(tag);
        for child in children(body) {
            match child.kind() {
                "function_definition" | "inline_method_definition" => self.method(child, tag, frame),
                "template_declaration" => {
                    for inner in children(child).into_iter().filter(|inner| inner.kind() == "function_definition") {
                        self.method(inner, tag, frame);
                    }
                }
                _ => {}
            }
        }
        self.code.class = class;
        self.outer.pop();
    }

    fn method(&mut self, node: Node<'_>, class: Name, frame: &Frame<'_>) {
        let outer = std::mem::take(&mut self.code);
        self.code.class = Some(class);
        self.function(node, frame);
        self.code = outer;
    }

    fn fields(&mut self, body: Node<'_>, frame: &Frame<'_>, out: &mut Vec<Field>, depth: u32) {
        if depth > 16 {
            return;
        }
        for child in children(body) {
            match child.kind() {
                "field_declaration" | "declaration" => {}
                "preproc_if" | "preproc_ifdef" | "field_declaration_list" => {
                    self.fields(child, frame, out, depth + 1);
                    continue;
                }
                _ => continue,
            }
            let ty = child.child_by_field_name("type");
            let inner = ty
                .and_then(|ty| ty.child_by_field_name("body"))
                .filter(|_| ty.is_some_and(|ty| ty.kind() != "enum_specifier"));
            let mut cursor = child.walk();
            let declarators: Vec<Node<'_>> = child.children_by_field_name("declarator", &mut cursor).collect();
            if let Some(inner) = inner {
                if declarators.is_empty() {
                    // The members of an anonymous struct are those of the outer one.
                    self.fields(inner, frame, out, depth + 1);
                    continue;
                }
                if let Some(ty) = ty {
                    self.record(ty, &[], frame);
                }
            }
            let storage = self.storage(child, frame);
            let base = self.base_name(ty, frame);
            let bits = children(child).iter().any(|part| part.kind() == "bitfield_clause");
            for declarator in declarators {
                let Some(declared) = take_apart(declarator, frame) else { continue };
                if declared.function.is_some() && !declared.pointer_to_function {
                    continue;
                }
                let ty = self.declared_type(&base, storage, &declared);
                let name = self.names.intern(frame.text_of(declared.name));
                let field = Field {
                    name,
                    ty,
                    bits,
                    is_static: storage.is_static,
                    thread_local: storage.thread_local,
                    span: frame.span(declared.name),
                };
                out.push(field);
            }
        }
    }

    fn variables(&mut self, node: Node<'_>, frame: &Frame<'_>) {
        let ty = node.child_by_field_name("type");
        if let Some(ty) = ty.filter(|ty| ty.child_by_field_name("body").is_some()) {
            self.record(ty, &[], frame);
        }
        let storage = self.storage(node, frame);
        let base = self.base_name(ty, frame);
        let mut cursor = node.walk();
        for declarator in node.children_by_field_name("declarator", &mut cursor).collect::<Vec<_>>() {
            let Some(declared) = take_apart(declarator, frame) else { continue };
            if declared.function.is_some() && !declared.pointer_to_function {
                continue;
            }
            let ty = self.declared_type(&base, storage, &declared);
            let value = declarator.child_by_field_name("value");
            let outer = std::mem::take(&mut self.code);
            std::mem::swap(&mut self.code.body, &mut self.file_body);
            let init = value.map(|value| self.expression(value, frame));
            std::mem::swap(&mut self.code.body, &mut self.file_body);
            self.code = outer;
            let text = frame.text_of(declared.name);
            let name = self.names.intern(text.rsplit("::").next().unwrap_or(text));
            self.out.globals.push(Global {
                file: self.file,
                name,
                ty,
                is_static: storage.is_static,
                is_extern: storage.is_extern && init.is_none(),
                thread_local: storage.thread_local,
                init,
                span: frame.span(declared.name),
                variant: self.variant,
            });
        }
    }

    /// A function with a body.
    fn function(&mut self, node: Node<'_>, frame: &Frame<'_>) {
        let Some(body) = node.child_by_field_name("body") else { return };
        let Some(declared) =
            node.child_by_field_name("declarator").and_then(|declarator| take_apart(declarator, frame))
        else {
            return;
        };
        let Some(declarator) = declared.function else { return };
        let storage = self.storage(node, frame);
        let base = self.base_name(node.child_by_field_name("type"), frame);
        let result = self.declared_type(&base, Storage::default(), &declared);
        let written = frame.text_of(declared.name).to_owned();
        let short = written.rsplit("::").next().unwrap_or(&written).to_owned();
        let class = self.code.class.or_else(|| {
            let (class, _) = written.rsplit_once("::")?;
            Some(self.names.intern(class.rsplit("::").next().unwrap_or(class)))
        });
        let mut qualified = self.outer.clone();
        qualified.retain(|part| !part.is_empty());
        qualified.push(written.clone());
        let name = self.names.intern(&short);
        let qualified = self.names.intern(&qualified.join("::"));
        let span = frame.span(node);
        let outer = std::mem::replace(&mut self.code, Code::of_function(class, span));
        let mut parameters = Vec::new();
        let mut position = 0;
        for parameter in declarator.child_by_field_name("parameters").map_or(Vec::new(), children) {
            if !parameter.kind().ends_with("parameter_declaration") {
                continue;
            }
            let storage = self.storage(parameter, frame);
            let base = self.base_name(parameter.child_by_field_name("type"), frame);
            let declared = parameter.child_by_field_name("declarator").and_then(|node| take_apart(node, frame));
            let (ty, name, span) = match declared {
                Some(declared) => {
                    let ty = self.declared_type(&base, storage, &declared);
                    (ty, self.names.intern(frame.text_of(declared.name)), frame.span(declared.name))
                }
                None if base == "void" && parameter.child_by_field_name("declarator").is_none() => continue,
                None => {
                    let base = self.names.intern(&base);
                    (Type::named(base), self.names.intern(""), frame.span(parameter))
                }
            };
            let local = Local {
                name,
                ty,
                parameter: Some(position),
                is_static: false,
                thread_local: false,
                in_macro: false,
                span,
                scope: frame.span(node),
            };
            parameters.push(self.declare(local));
            position += 1;
        }
        let mut list: Vec<StmtId> = self.initialised_members(node, frame);
        list.extend(self.statement(body, frame));
        let root = self.block(&list, frame.span(body));
        let code = std::mem::replace(&mut self.code, outer);
        let unparsed: Vec<Span> = if node.has_error() {
            self.out.unparsed.iter().copied().filter(|part| span.contains(*part)).collect()
        } else {
            Vec::new()
        };
        let function = Function {
            file: self.file,
            name,
            qualified,
            class,
            is_static: storage.is_static,
            result,
            parameters,
            body: code.body,
            root,
            span,
            name_span: frame.span(declared.name),
            unparsed,
            variant: self.variant,
        };
        self.out.functions.push((function, code.open));
    }

    /// `C::C() : a(b) {}` as assignments to members.
    fn initialised_members(&mut self, node: Node<'_>, frame: &Frame<'_>) -> Vec<StmtId> {
        let lists = children(node).into_iter().filter(|child| child.kind() == "field_initializer_list");
        let mut out = Vec::new();
        for initialiser in lists.flat_map(children) {
            let parts = children(initialiser);
            let [member, value, ..] = parts.as_slice() else { continue };
            let span = frame.span(initialiser);
            let this = self.names.intern("this");
            let base = self.add(ExprKind::Name(this), span);
            let name = self.names.intern(frame.text_of(*member));
            let target = self.add(ExprKind::Field { base, name, arrow: true }, span);
            let values = children(*value);
            let value = match values.as_slice() {
                [only] => self.expression(*only, frame),
                _ => self.expression(*value, frame),
            };
            let assign = self.add(ExprKind::Assign { op: None, target, value }, span);
            out.push(self.code.body.add_stmt(StmtKind::Expr(assign), span));
        }
        out
    }
}
