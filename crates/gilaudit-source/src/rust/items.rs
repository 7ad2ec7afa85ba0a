//! Items: modules, statics, types, `unsafe impl`s, functions.

use gilaudit_model::source::rust::{
    RustFile, RustFunction, RustModule, RustModuleForm, RustStatic, RustStruct, RustType, RustUnsafeImpl,
};
use gilaudit_model::source::{FileId, Span};
use gilaudit_model::{Version, Versions};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, Fields, FnArg, Ident, Item, Lit, Meta, Signature, StaticMutability, Type};

use super::bodies::peel_groups;
use super::cfg::{effective, is_left_out, parse_list, versions};
use super::files::Declares;
use super::tokens::Places;

/// A walk over one file.
pub(super) struct Walk<'t> {
    pub(super) text: &'t str,
    pub(super) places: Places,
    pub(super) comments: &'t [Span],
    pub(super) out: RustFile,
    /// The functions that are open: items nest in functions.
    pub(super) open: Vec<RustFunction>,
    /// The calls of the innermost function in whose closures the walk is.
    pub(super) inside: Vec<u32>,
    /// As [`RustCall::kept`](gilaudit_model::source::rust::RustCall::kept).
    pub(super) kept: Option<u32>,
    /// The ends of the blocks that are open.
    pub(super) blocks: Vec<u32>,
    /// The versions of Python for which the code that the walk is in is there.
    pub(super) versions: Versions,
    /// The files that it declares: `mod x;`.
    pub(super) declares: Vec<Declares>,
    /// The `mod x { … }`s that are open.
    in_modules: Vec<Box<str>>,
    /// The type whose methods are walked over.
    owner: Option<Box<str>>,
    /// How many `#[pymodule] mod`s are open.
    in_module: u32,
}

impl<'t> Walk<'t> {
    pub(super) fn new(file: FileId, text: &'t str, places: Places, comments: &'t [Span]) -> Self {
        let out = RustFile {
            file,
            framework: None,
            modules: Vec::new(),
            statics: Vec::new(),
            structs: Vec::new(),
            unsafe_impls: Vec::new(),
            functions: Vec::new(),
            gil_slots: Vec::new(),
            exec_slots: Vec::new(),
            wrapped_modules: Vec::new(),
        };
        Self {
            text,
            places,
            comments,
            out,
            open: Vec::new(),
            inside: Vec::new(),
            kept: None,
            blocks: Vec::new(),
            versions: Versions::ALL,
            declares: Vec::new(),
            in_modules: Vec::new(),
            owner: None,
            in_module: 0,
        }
    }

    pub(super) fn span(&self, node: &impl Spanned) -> Span {
        self.places.span(node.span())
    }

    pub(super) fn text_of(&self, span: Span) -> &'t str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// Walks over code with these attributes.
    pub(super) fn under(&mut self, attributes: &[Attribute], walk: impl FnOnce(&mut Self)) {
        if attributes.is_empty() {
            return walk(self);
        }
        let outer = self.versions;
        let own = versions(attributes);
        let both = Version::ALL.into_iter().filter(|version| outer.contains(*version) && own.contains(*version));
        self.versions = both.fold(Versions::NONE, Versions::with);
        walk(self);
        self.versions = outer;
    }

    /// A function: its body is walked over by `body`.
    fn function(&mut self, attributes: &[Attribute], signature: &Signature, whole: Span, body: impl FnOnce(&mut Self)) {
        if is_left_out(attributes) {
            return;
        }
        let function = RustFunction {
            name: name(&signature.ident),
            owner: self.owner.clone(),
            span: self.span(&signature.ident),
            body: whole,
            locals: Vec::new(),
            calls: Vec::new(),
            writes: Vec::new(),
            comparisons: Vec::new(),
            header_members: Vec::new(),
        };
        let outer_inside = std::mem::take(&mut self.inside);
        let outer_kept = self.kept.take();
        let outer_blocks = std::mem::replace(&mut self.blocks, vec![whole.end]);
        self.open.push(function);
        for argument in &signature.inputs {
            if let FnArg::Typed(argument) = argument {
                self.bind(&argument.pat, type_of(&argument.ty), None, true);
            }
        }
        self.under(attributes, body);
        self.inside = outer_inside;
        self.kept = outer_kept;
        self.blocks = outer_blocks;
        self.out.functions.extend(self.open.pop());
    }

    /// `#[pymodule]` on a function or module: whether it is one.
    fn pymodule(&mut self, attributes: &[Attribute], ident: &Ident) -> bool {
        let mut found = false;
        let mut module = RustModule {
            name: name(ident),
            span: self.span(ident),
            form: RustModuleForm::PyO3,
            gil_used: None,
            declarations: Vec::new(),
            framework_version: None,
        };
        let mut submodule = self.in_module > 0;
        for attribute in effective(attributes) {
            let last = attribute.path().segments.last().map(|segment| segment.ident.to_string());
            let is_pymodule = last.as_deref() == Some("pymodule");
            found |= is_pymodule;
            let Meta::List(list) = &attribute else { continue };
            if !is_pymodule && last.as_deref() != Some("pyo3") {
                continue;
            }
            for option in parse_list(list.tokens.clone()).into_iter().flatten() {
                if let Meta::Path(path) = &option {
                    submodule |= path.is_ident("submodule");
                }
                let Meta::NameValue(pair) = &option else { continue };
                let Expr::Lit(value) = &pair.value else { continue };
                match &value.lit {
                    Lit::Bool(value) if pair.path.is_ident("gil_used") => module.gil_used = Some(value.value),
                    Lit::Str(value) if pair.path.is_ident("name") => module.name = value.value().into(),
                    _ => {}
                }
            }
        }
        if found && !submodule {
            self.out.modules.push(module);
        }
        found
    }

    fn comment_at(&self, span: Span) -> Box<str> {
        let mut parts: Vec<&str> = Vec::new();
        let mut start = span.start;
        for comment in self.comments.iter().rev().filter(|comment| comment.end <= span.start) {
            let between = self.text_of(Span { start: comment.end, end: start });
            if !between.trim().is_empty() {
                break;
            }
            parts.insert(0, self.text_of(*comment));
            start = comment.start;
        }
        parts.extend(self.comments.iter().filter(|comment| span.contains(**comment)).map(|it| self.text_of(*it)));
        parts.join("\n").into()
    }
}

pub(super) fn name(ident: &Ident) -> Box<str> {
    let text = ident.to_string();
    text.strip_prefix("r#").unwrap_or(&text).into()
}

/// Whether an attribute is this one, whatever path leads to it.
fn ends_with(attribute: &Meta, word: &str) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == word)
}

/// The names in a type.
pub(super) fn type_of(ty: &Type) -> RustType {
    struct Names(Vec<Box<str>>);
    impl<'ast> Visit<'ast> for Names {
        fn visit_ident(&mut self, ident: &'ast Ident) {
            self.0.push(name(ident));
        }
        fn visit_path(&mut self, path: &'ast syn::Path) {
            // `std::cell::Cell` is `Cell`.
            if let Some(last) = path.segments.last() {
                self.visit_path_segment(last);
            }
        }
        fn visit_lifetime(&mut self, _: &'ast syn::Lifetime) {}
        fn visit_type_ptr(&mut self, pointer: &'ast syn::TypePtr) {
            self.0.push("*".into());
            visit::visit_type_ptr(self, pointer);
        }
        fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {
            self.0.push("fn".into());
        }
        fn visit_expr(&mut self, _: &'ast Expr) {}
        fn visit_macro(&mut self, _: &'ast syn::Macro) {}
    }
    let mut names = Names(Vec::new());
    names.visit_type(ty);
    RustType { names: names.0 }
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if is_left_out(&item.attrs) {
            return;
        }
        self.pymodule(&item.attrs, &item.sig.ident);
        let function = item.sig.ident.to_string();
        if let Some(module) = function.strip_prefix("PyInit_").or_else(|| function.strip_prefix("PyModExport_")) {
            self.out.modules.push(RustModule {
                name: module.into(),
                span: self.span(&item.sig.ident),
                form: RustModuleForm::Raw,
                gil_used: None,
                declarations: Vec::new(),
                framework_version: None,
            });
        }
        if effective(&item.attrs).iter().any(|attribute| ends_with(attribute, "pymodule_init")) {
            self.out.exec_slots.push(name(&item.sig.ident));
        }
        let owner = self.owner.take();
        let whole = self.span(item);
        self.function(&item.attrs, &item.sig, whole, |walk| walk.visit_block(&item.block));
        self.owner = owner;
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        let whole = self.span(item);
        self.function(&item.attrs, &item.sig, whole, |walk| walk.visit_block(&item.block));
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        let whole = self.span(item);
        if let Some(block) = &item.default {
            self.function(&item.attrs, &item.sig, whole, |walk| walk.visit_block(block));
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let left_out = is_left_out(&item.attrs);
        if item.content.is_none() {
            let path = item.attrs.iter().find_map(|attribute| match &attribute.meta {
                Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
                    Expr::Lit(syn::ExprLit { lit: Lit::Str(path), .. }) => Some(path.value()),
                    _ => None,
                },
                _ => None,
            });
            let within = self.in_modules.clone();
            self.declares.push(Declares { name: name(&item.ident), within, path, left_out });
        }
        if left_out {
            return;
        }
        let is_module = item.content.is_some() && self.pymodule(&item.attrs, &item.ident);
        self.in_module += u32::from(is_module);
        self.in_modules.push(name(&item.ident));
        visit::visit_item_mod(self, item);
        self.in_modules.pop();
        self.in_module -= u32::from(is_module);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if is_left_out(&item.attrs) {
            return;
        }
        let target = match &*item.self_ty {
            Type::Path(path) => path.path.segments.last().map(|segment| name(&segment.ident)),
            _ => None,
        };
        let implemented =
            item.trait_.as_ref().and_then(|(path, _)| path.segments.last()).map(|it| it.ident.to_string());
        let auto_trait = match implemented.as_deref() {
            Some("Send") => Some("Send"),
            Some("Sync") => Some("Sync"),
            _ => None,
        };
        if let (Some(auto_trait), Some(_), Some(target)) = (auto_trait, &item.unsafety, &target) {
            let span = self.span(item);
            let comment = self.comment_at(span);
            self.out.unsafe_impls.push(RustUnsafeImpl { auto_trait, name: target.clone(), span, comment });
        }
        let outer = std::mem::replace(&mut self.owner, target);
        visit::visit_item_impl(self, item);
        self.owner = outer;
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        if is_left_out(&item.attrs) {
            return;
        }
        self.out.statics.push(RustStatic {
            name: name(&item.ident),
            mutable: matches!(item.mutability, StaticMutability::Mut(_)),
            thread_local: item.attrs.iter().any(|attribute| attribute.path().is_ident("thread_local")),
            ty: type_of(&item.ty),
            span: self.span(&item.ident),
            function: self.open.last().map(|function| function.name.clone()),
        });
        // The closure of a lazy static is walked over as a function of the static's name.
        let signature: Option<Signature> = syn::parse_str("fn initialiser()").ok();
        match (&*item.expr, signature) {
            (Expr::Call(_), Some(mut signature)) => {
                signature.ident = item.ident.clone();
                let whole = self.span(item);
                self.function(&[], &signature, whole, |walk| walk.visit_expr(&item.expr));
            }
            (initialiser, _) => self.visit_expr(initialiser),
        }
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        if is_left_out(&item.attrs) {
            return;
        }
        let attributes = effective(&item.attrs);
        let pyclass = attributes.iter().find(|meta| ends_with(meta, "pyclass")).map(|meta| {
            let Meta::List(list) = meta else { return false };
            parse_list(list.tokens.clone()).into_iter().flatten().any(|option| option.path().is_ident("unsendable"))
        });
        let repr_c = attributes.iter().any(|meta| {
            let Meta::List(list) = meta else { return false };
            ends_with(meta, "repr")
                && parse_list(list.tokens.clone()).into_iter().flatten().any(|option| option.path().is_ident("C"))
        });
        let fields: Vec<&syn::Field> = match &item.fields {
            Fields::Named(fields) => fields.named.iter().collect(),
            Fields::Unnamed(fields) => fields.unnamed.iter().collect(),
            Fields::Unit => Vec::new(),
        };
        let fields = fields
            .into_iter()
            .enumerate()
            .filter(|(_, field)| !is_left_out(&field.attrs))
            .map(|(index, field)| {
                let label = field.ident.as_ref().map_or_else(|| index.to_string().into(), name);
                (label, type_of(&field.ty), self.span(field))
            })
            .collect();
        self.out.structs.push(RustStruct {
            name: name(&item.ident),
            span: self.span(&item.ident),
            pyclass,
            repr_c,
            fields,
        });
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        if !is_left_out(&item.attrs) {
            visit::visit_item_const(self, item);
        }
    }

    fn visit_item(&mut self, item: &'ast Item) {
        // What other languages define is only declared here; a macro's rules are not code.
        if !matches!(item, Item::ForeignMod(_)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_type(&mut self, _: &'ast Type) {}

    fn visit_block(&mut self, block: &'ast syn::Block) {
        self.blocks.push(self.span(block).end);
        visit::visit_block(self, block);
        self.blocks.pop();
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if !is_left_out(&arm.attrs) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        if is_left_out(&local.attrs) {
            return;
        }
        self.local(local);
    }

    fn visit_stmt_macro(&mut self, statement: &'ast syn::StmtMacro) {
        if !is_left_out(&statement.attrs) {
            self.macro_call(&statement.mac);
        }
    }

    fn visit_field_value(&mut self, field: &'ast syn::FieldValue) {
        if is_left_out(&field.attrs) {
            return;
        }
        let outer = self.kept;
        if matches!(peel_groups(&field.expr), Expr::Closure(_)) {
            self.kept = Some(self.inside.len() as u32);
        }
        visit::visit_field_value(self, field);
        self.kept = outer;
    }

    fn visit_expr(&mut self, expr: &'ast Expr) {
        self.expression(expr);
    }
}
