//! Types and declarators.

use gilaudit_model::source::Type;
use tree_sitter::Node;

use super::{Frame, Lowerer, children};

/// What the words in front of a declaration say.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Storage {
    pub(super) is_static: bool,
    pub(super) is_extern: bool,
    pub(super) thread_local: bool,
    pub(super) constant: bool,
    pub(super) volatile: bool,
    pub(super) atomic: bool,
}

/// A declarator taken apart: the name, and what stands around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Declared<'t> {
    /// The identifier.
    pub(super) name: Node<'t>,
    pub(super) pointers: u8,
    /// The pointer itself is `const`.
    pub(super) constant: bool,
    pub(super) array: bool,
    pub(super) reference: bool,
    /// The innermost function declarator: `f(…)`, or `(*f)(…)` when `pointer_to_function`.
    pub(super) function: Option<Node<'t>>,
    pub(super) pointer_to_function: bool,
}

impl Lowerer<'_> {
    /// The words of a declaration other than its type and declarators.
    pub(super) fn storage(&self, node: Node<'_>, frame: &Frame<'_>) -> Storage {
        let mut storage = Storage::default();
        let mut cursor = node.walk();
        for child in node.children(&mut cursor) {
            match child.kind() {
                "storage_class_specifier" => match frame.text_of(child) {
                    "static" => storage.is_static = true,
                    "extern" => storage.is_extern = true,
                    "__thread" | "thread_local" | "_Thread_local" => storage.thread_local = true,
                    _ => {}
                },
                "type_qualifier" => match frame.text_of(child) {
                    "const" | "constexpr" => storage.constant = true,
                    "volatile" => storage.volatile = true,
                    "_Atomic" => storage.atomic = true,
                    "thread_local" => storage.thread_local = true,
                    _ => {}
                },
                _ => {}
            }
        }
        if frame.place.is_none() {
            let (start, end) = (node.start_byte(), node.end_byte());
            let before = start.saturating_sub(16);
            storage.thread_local |=
                self.thread_local.iter().any(|at| (before..end).contains(at) && (*at >= start || *at + 16 >= start));
        }
        storage
    }

    /// The name of the type that a declaration gives.
    pub(super) fn base_name(&self, node: Option<Node<'_>>, frame: &Frame<'_>) -> String {
        let Some(node) = node else { return "int".to_owned() };
        match node.kind() {
            "struct_specifier" | "union_specifier" | "enum_specifier" | "class_specifier" => {
                match node.child_by_field_name("name") {
                    Some(name) => frame.text_of(name).to_owned(),
                    None => format!("<anonymous {}>", node.start_byte()),
                }
            }
            _ => {
                let text = frame.text_of(node);
                if text.contains(['\n', '\t']) || text.contains("  ") {
                    text.split_whitespace().collect::<Vec<_>>().join(" ")
                } else {
                    text.to_owned()
                }
            }
        }
    }

    /// The type of one declared thing.
    pub(super) fn declared_type(&mut self, base: &str, storage: Storage, declared: &Declared<'_>) -> Type {
        let atomic = storage.atomic
            || base.starts_with("_Atomic")
            || base.starts_with("std::atomic")
            || base.starts_with("atomic<")
            || base.starts_with("atomic_");
        let name = self.intern(base);
        Type {
            base: name,
            pointers: declared.pointers,
            array: declared.array,
            function: declared.pointer_to_function,
            constant: declared.constant || storage.constant && declared.pointers == 0 && !declared.pointer_to_function,
            constant_base: storage.constant,
            volatile: storage.volatile,
            atomic,
            reference: declared.reference,
        }
    }
}

/// Takes a declarator apart. `None` if it has no name.
pub(super) fn take_apart<'t>(node: Node<'t>, frame: &Frame<'_>) -> Option<Declared<'t>> {
    let mut declared = Declared {
        name: node,
        pointers: 0,
        constant: false,
        array: false,
        reference: false,
        function: None,
        pointer_to_function: false,
    };
    let mut at = node;
    for _ in 0..64 {
        match at.kind() {
            "identifier"
            | "field_identifier"
            | "type_identifier"
            | "qualified_identifier"
            | "destructor_name"
            | "operator_name"
            | "operator_cast"
            | "template_function"
            | "this" => {
                declared.name = at;
                return Some(declared);
            }
            "pointer_declarator" => {
                declared.pointers = declared.pointers.saturating_add(1);
                let mut cursor = at.walk();
                // The qualifier next to the name is the one of the variable.
                let qualified = at
                    .children(&mut cursor)
                    .any(|child| child.kind() == "type_qualifier" && frame.text_of(child) == "const");
                declared.constant = qualified;
                declared.pointer_to_function |= declared.function.is_some();
                at = at.child_by_field_name("declarator")?;
            }
            "array_declarator" => {
                declared.array = true;
                at = at.child_by_field_name("declarator")?;
            }
            "function_declarator" => {
                declared.function = Some(at);
                at = at.child_by_field_name("declarator")?;
            }
            "reference_declarator" => {
                declared.reference = true;
                at = children(at).last().copied()?;
            }
            "parenthesized_declarator" | "attributed_declarator" => at = children(at).first().copied()?,
            "init_declarator" => at = at.child_by_field_name("declarator")?,
            _ => return None,
        }
    }
    None
}
