//! Bodies of functions: calls, locals, assignments.

use gilaudit_model::source::Span;
use gilaudit_model::source::rust::{RustCall, RustGilSlot, RustLocal, RustType, RustWrite};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{BinOp, Block, Expr, GenericArgument, Member, Meta, Pat, PathArguments, PointerMutability, Token};

use super::cfg::{evaluate, is_left_out};
use super::items::{Walk, name, type_of};

impl Walk<'_> {
    /// An expression and all in it.
    pub(super) fn expression(&mut self, expr: &Expr) {
        let attributes = attributes(expr);
        if is_left_out(attributes) {
            return;
        }
        self.under(attributes, |walk| walk.present(expr));
    }

    /// An expression that is not left out.
    fn present(&mut self, expr: &Expr) {
        match expr {
            Expr::Call(call) => {
                let (callee, path, place) = match peel_groups(&call.func) {
                    Expr::Path(path) => {
                        let segments: Vec<String> =
                            path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
                        let last = segments.last().cloned().unwrap_or_default();
                        let place = path.path.segments.last().map(|segment| self.span(&segment.ident));
                        (last, segments.join("::"), place)
                    }
                    other => {
                        self.visit_expr(other);
                        (String::new(), String::new(), None)
                    }
                };
                let span = self.span(call);
                self.call(callee, path, None, span, place.unwrap_or(span), call.args.iter());
                self.set_gil(call);
            }
            Expr::MethodCall(call) => {
                self.visit_expr(&call.receiver);
                let callee = call.method.to_string();
                let receiver = self.span(&call.receiver);
                let (span, place) = (self.span(call), self.span(&call.method));
                self.call(callee.clone(), callee, Some(receiver), span, place, call.args.iter());
                if call.method == "gil_used"
                    && let Some(Expr::Lit(value)) = call.args.first()
                    && let syn::Lit::Bool(value) = &value.lit
                {
                    self.gil_slot(!value.value, span);
                }
            }
            Expr::Macro(call) => self.macro_call(&call.mac),
            Expr::Assign(assign) => {
                self.write(&assign.left, false, false);
                visit::visit_expr_assign(self, assign);
            }
            Expr::Binary(binary) => {
                match binary.op {
                    BinOp::Eq(_) | BinOp::Ne(_) => {
                        let span = self.span(binary);
                        if let Some(function) = self.open.last_mut() {
                            function.comparisons.push(span);
                        }
                    }
                    BinOp::AddAssign(_)
                    | BinOp::SubAssign(_)
                    | BinOp::MulAssign(_)
                    | BinOp::DivAssign(_)
                    | BinOp::RemAssign(_)
                    | BinOp::BitXorAssign(_)
                    | BinOp::BitAndAssign(_)
                    | BinOp::BitOrAssign(_)
                    | BinOp::ShlAssign(_)
                    | BinOp::ShrAssign(_) => self.write(&binary.left, true, false),
                    _ => {}
                }
                visit::visit_expr_binary(self, binary);
            }
            Expr::Reference(reference) => {
                if reference.mutability.is_some() {
                    self.write(&reference.expr, false, true);
                }
                visit::visit_expr_reference(self, reference);
            }
            Expr::RawAddr(address) => {
                if matches!(address.mutability, PointerMutability::Mut(_)) {
                    self.write(&address.expr, false, true);
                }
                visit::visit_expr_raw_addr(self, address);
            }
            Expr::Field(field) => {
                if let Member::Named(member) = &field.member {
                    let text = member.to_string();
                    let span = self.span(member);
                    if let Some(function) = self.open.last_mut()
                        && (text.starts_with("ob_") || text.starts_with("_gc_"))
                    {
                        function.header_members.push((text.into(), span));
                    }
                }
                visit::visit_expr_field(self, field);
            }
            Expr::Let(binding) => {
                let ty = shown_type(&binding.expr);
                let init = self.span(&binding.expr);
                self.bind(&binding.pat, ty, Some(init), false);
                self.visit_expr(&binding.expr);
            }
            Expr::If(branch) => {
                // `if cfg!(…)` selects like `#[cfg(…)]`.
                let known = match &*branch.cond {
                    Expr::Macro(call) if call.mac.path.is_ident("cfg") => {
                        syn::parse2::<Meta>(call.mac.tokens.clone()).ok().and_then(|condition| evaluate(&condition))
                    }
                    _ => None,
                };
                self.visit_expr(&branch.cond);
                if known != Some(false) {
                    self.visit_block(&branch.then_branch);
                }
                if let (true, Some((_, otherwise))) = (known != Some(true), &branch.else_branch) {
                    self.visit_expr(otherwise);
                }
            }
            Expr::Closure(closure) => {
                for input in &closure.inputs {
                    if let Pat::Type(typed) = input {
                        self.bind(&typed.pat, type_of(&typed.ty), None, true);
                    }
                }
                self.visit_expr(&closure.body);
            }
            Expr::Struct(literal) => {
                self.slot(literal);
                visit::visit_expr_struct(self, literal);
            }
            other => visit::visit_expr(self, other),
        }
    }

    /// A call whose callee and receiver were walked over.
    fn call<'e>(
        &mut self,
        callee: String,
        path: String,
        receiver: Option<Span>,
        span: Span,
        name_span: Span,
        args: impl Iterator<Item = &'e Expr> + Clone,
    ) {
        let spans: Vec<Span> = args.clone().map(|arg| self.span(arg)).collect();
        let inside = self.inside.clone();
        let Some(function) = self.open.last_mut() else {
            args.for_each(|arg| self.visit_expr(arg));
            return;
        };
        let index = function.calls.len() as u32;
        function.calls.push(RustCall {
            name: callee.into(),
            path: path.into(),
            receiver,
            args: spans,
            span,
            name_span,
            inside,
            kept: self.kept,
        });
        for arg in args {
            let closure = matches!(peel_groups(arg), Expr::Closure(_));
            if closure {
                self.inside.push(index);
            }
            self.visit_expr(arg);
            if closure {
                self.inside.pop();
            }
        }
    }

    /// A macro: its arguments are walked over when they are expressions or statements.
    pub(super) fn macro_call(&mut self, call: &syn::Macro) {
        let Some(last) = call.path.segments.last() else { return };
        let callee = name(&last.ident);
        if *callee == *"wrap_pymodule" {
            let wrapped = call.tokens.to_string();
            let wrapped = wrapped.rsplit("::").next().unwrap_or_default().trim();
            self.out.wrapped_modules.push(wrapped.into());
        }
        let (span, place) = (self.span(call), self.span(&last.ident));
        let arguments = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(call.tokens.clone());
        match arguments {
            Ok(arguments) => {
                let full = format!("{callee}!");
                if *callee == *"addr_of_mut"
                    && let Some(target) = arguments.first()
                {
                    self.write(target, false, true);
                }
                self.call(full.clone(), full, None, span, place, arguments.iter());
            }
            Err(_) => {
                self.call(format!("{callee}!"), format!("{callee}!"), None, span, place, std::iter::empty());
                if let Ok(statements) = Block::parse_within.parse2(call.tokens.clone()) {
                    statements.iter().for_each(|statement| self.visit_stmt(statement));
                }
            }
        }
    }

    fn write(&mut self, target: &Expr, compound: bool, borrow: bool) {
        let target = self.span(target);
        let inside = self.inside.clone();
        if let Some(function) = self.open.last_mut() {
            function.writes.push(RustWrite { target, compound, borrow, inside });
        }
    }

    /// `let`, with what its initialiser shows of the type.
    pub(super) fn local(&mut self, local: &syn::Local) {
        let init = local.init.as_ref();
        let (pattern, ty) = match &local.pat {
            Pat::Type(typed) => (&*typed.pat, type_of(&typed.ty)),
            pattern => (pattern, init.map(|init| shown_type(&init.expr)).unwrap_or_default()),
        };
        let span = init.map(|init| self.span(&init.expr));
        self.bind(pattern, ty, span, false);
        if let Some(init) = init {
            self.visit_expr(&init.expr);
            if let Some((_, otherwise)) = &init.diverge {
                self.visit_expr(otherwise);
            }
        }
    }

    /// The names that a pattern binds.
    pub(super) fn bind(&mut self, pattern: &Pat, ty: RustType, init: Option<Span>, argument: bool) {
        struct Bound(Vec<(Box<str>, proc_macro2::Span)>);
        impl<'ast> Visit<'ast> for Bound {
            fn visit_pat_ident(&mut self, pattern: &'ast syn::PatIdent) {
                self.0.push((name(&pattern.ident), pattern.ident.span()));
                visit::visit_pat_ident(self, pattern);
            }
        }
        let mut bound = Bound(Vec::new());
        bound.visit_pat(pattern);
        let scope_end = self.blocks.last().copied().unwrap_or(u32::MAX);
        let places = self.places;
        let Some(function) = self.open.last_mut() else { return };
        function.locals.extend(bound.0.into_iter().map(|(name, span)| RustLocal {
            name,
            ty: ty.clone(),
            init,
            argument,
            span: places.span(span),
            scope_end,
        }));
    }

    /// `PyModuleDef_Slot { slot: Py_mod_gil, value: Py_MOD_GIL_NOT_USED }`, and `Py_mod_exec`.
    fn slot(&mut self, literal: &syn::ExprStruct) {
        let field = |wanted: &str| {
            let is = |field: &&syn::FieldValue| matches!(&field.member, Member::Named(member) if member == wanted);
            literal.fields.iter().find(is).map(|field| &field.expr)
        };
        let (Some(slot), Some(value)) = (field("slot"), field("value")) else { return };
        let slot = self.text_of(self.span(slot));
        let value = self.text_of(self.span(value));
        if slot.contains("Py_mod_gil") {
            self.gil_slot(value.contains("Py_MOD_GIL_NOT_USED"), self.span(literal));
        } else if slot.contains("Py_mod_exec") {
            let words = value.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
            self.out.exec_slots.extend(words.map(Into::into));
        }
    }

    /// `PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED)`.
    fn set_gil(&mut self, call: &syn::ExprCall) {
        let Expr::Path(path) = peel_groups(&call.func) else { return };
        let is_it = path.path.segments.last().is_some_and(|segment| segment.ident == "PyUnstable_Module_SetGIL");
        if let (true, Some(value)) = (is_it, call.args.iter().nth(1)) {
            let value = self.text_of(self.span(value));
            self.gil_slot(value.contains("Py_MOD_GIL_NOT_USED"), self.span(call));
        }
    }

    fn gil_slot(&mut self, not_used: bool, span: Span) {
        self.out.gil_slots.push(RustGilSlot { not_used, versions: self.versions, span });
    }
}

pub(super) fn peel_groups(expr: &Expr) -> &Expr {
    match expr {
        Expr::Paren(inner) => peel_groups(&inner.expr),
        Expr::Group(inner) => peel_groups(&inner.expr),
        other => other,
    }
}

/// The attributes of the kinds of expression that are statements.
fn attributes(expr: &Expr) -> &[syn::Attribute] {
    match expr {
        Expr::Assign(it) => &it.attrs,
        Expr::Block(it) => &it.attrs,
        Expr::Call(it) => &it.attrs,
        Expr::ForLoop(it) => &it.attrs,
        Expr::If(it) => &it.attrs,
        Expr::Macro(it) => &it.attrs,
        Expr::Match(it) => &it.attrs,
        Expr::MethodCall(it) => &it.attrs,
        Expr::Return(it) => &it.attrs,
        Expr::Struct(it) => &it.attrs,
        Expr::Unsafe(it) => &it.attrs,
        _ => &[],
    }
}

/// What an initialiser shows of a local's type: `x.downcast::<PyList>()?`, `PyList::new(…)`, `x as *mut T`, `&T { … }`.
fn shown_type(expr: &Expr) -> RustType {
    match expr {
        Expr::Try(inner) => shown_type(&inner.expr),
        Expr::Paren(inner) => shown_type(&inner.expr),
        Expr::Group(inner) => shown_type(&inner.expr),
        Expr::Reference(inner) => shown_type(&inner.expr),
        Expr::Unsafe(inner) => match inner.block.stmts.as_slice() {
            [syn::Stmt::Expr(inner, None)] => shown_type(inner),
            _ => RustType::default(),
        },
        Expr::Cast(cast) => type_of(&cast.ty),
        Expr::MethodCall(call) => match &call.turbofish {
            Some(arguments) => {
                let types = arguments.args.iter().filter_map(|argument| match argument {
                    GenericArgument::Type(ty) => Some(type_of(ty)),
                    _ => None,
                });
                RustType { names: types.flat_map(|ty| ty.names).collect() }
            }
            // What takes a value out of a result or makes another handle of it does not change what it is.
            None => match call.method.to_string().as_str() {
                "unwrap" | "expect" | "map_err" | "clone" | "unwrap_unchecked" | "ok" | "ok_or" | "ok_or_else"
                | "bind" | "borrow" | "as_ref" | "unbind" | "to_owned" | "as_borrowed" => shown_type(&call.receiver),
                _ => RustType::default(),
            },
        },
        Expr::Call(call) => match peel_groups(&call.func) {
            Expr::Path(path) => {
                let mut segments = path.path.segments.iter().rev();
                let mut names = Vec::new();
                if let Some(last) = segments.next()
                    && let PathArguments::AngleBracketed(arguments) = &last.arguments
                {
                    for argument in &arguments.args {
                        if let GenericArgument::Type(ty) = argument {
                            names.extend(type_of(ty).names);
                        }
                    }
                }
                if let Some(owner) = segments.next() {
                    names.insert(0, name(&owner.ident));
                }
                RustType { names }
            }
            _ => RustType::default(),
        },
        _ => RustType::default(),
    }
}
