//! Expands the project's macros in place.

use std::rc::Rc;

use foldhash::HashMap;
use gilaudit_model::source::{ExprId, ExprKind, Span, StmtId};
use tree_sitter::{Node, Tree};

use super::super::macros::{Macro, Role, paste};
use super::{Frame, Lowerer, children};

/// Macros within macros are followed this far.
const DEEPEST: u32 = 5;

/// Names that mean what CPython means by them, whoever defines them.
fn is_api(name: &str) -> bool {
    const FAMILIES: [&str; 31] = [
        "Py_",
        "_Py_",
        "PyList_",
        "PyDict_",
        "PyTuple_",
        "PySequence_",
        "PyObject_",
        "PyUnicode_",
        "PyBytes_",
        "PyLong_",
        "PyErr_",
        "PyMem_",
        "PyThread_",
        "PyEval_",
        "PyGILState_",
        "PyCriticalSection",
        "PyMutex_",
        "PyType_",
        "PyWeakref_",
        "PySet_",
        "PyModule_",
        "PyImport_",
        "PyCapsule_",
        "PyIter_",
        "PyNumber_",
        "PyMapping_",
        "PyFloat_",
        "PyArg_",
        "PyByteArray_",
        "PyUnstable_",
        "PyCell_",
    ];
    FAMILIES.iter().any(|family| name.starts_with(family))
}

impl Lowerer<'_> {
    /// The macro of this name, if a use of it (with or without arguments) can be expanded here.
    pub(super) fn expandable(&self, name: &str, arguments: Option<usize>, frame: &Frame<'_>) -> Option<Macro> {
        if frame.depth >= DEEPEST || is_api(name) || self.is_full() {
            return None;
        }
        let known = (self.lookup)(name)?;
        let takes = known.parameters.as_ref().map(Vec::len);
        let fits = match (takes, arguments) {
            (None, None) => true,
            (Some(wanted), Some(given)) => wanted == given || wanted == 0 && given == 0,
            _ => false,
        };
        let role = known.pasted.unwrap_or(known.role);
        let useful = matches!(role, Role::Expression | Role::Statement | Role::Unbalanced);
        (fits && useful && !known.variadic && known.body.len() < 4096).then(|| Macro { role, ..known.clone() })
    }

    /// The body of a macro, parsed: the text around it and the tree.
    fn parsed(&mut self, name: &str, known: &Macro, arguments: &[ExprId]) -> Option<Rc<(String, Tree)>> {
        // What is pasted together depends on the arguments.
        let pasted = known.pasted.map(|_| {
            paste(&known.body, |parameter| {
                let position = known.parameters.iter().flatten().position(|name| **name == *parameter)?;
                Some(self.name_of(*arguments.get(position)?))
            })
        });
        let key = pasted.as_deref().unwrap_or(name);
        if let Some(done) = self.expansions.get(key) {
            return done.clone();
        }
        let key = key.to_owned();
        let body = pasted.unwrap_or_else(|| known.body.to_string());
        let balanced = if known.role == Role::Unbalanced { body.replace(['{', '}'], ";") } else { body };
        let text = match known.role {
            Role::Expression => format!("int f(void) {{ return ({balanced}); }}"),
            _ => format!("int f(void) {{ {} }}", terminated(&balanced)),
        };
        let parsed = (self.parse)(&text).filter(|tree| !tree.root_node().has_error()).map(|tree| Rc::new((text, tree)));
        self.expansions.insert(key, parsed.clone());
        parsed
    }

    /// The identifier that an argument is, or one that stands for what is none.
    fn name_of(&self, argument: ExprId) -> String {
        let name = match self.code.body.kind(argument) {
            ExprKind::Name(name) => name,
            ExprKind::Local(local) => match self.code.body.locals.get(local.0 as usize) {
                Some(local) => local.name,
                None => return "_".to_owned(),
            },
            ExprKind::Number(Some(value)) if value >= 0 => return value.to_string(),
            _ => return "_".to_owned(),
        };
        self.names.text(name).to_owned()
    }

    fn frame_of<'t>(known: &Macro, arguments: &[ExprId], text: &'t str, place: Span, depth: u32) -> Frame<'t> {
        let names = known.parameters.iter().flatten().map(|name| name.to_string());
        Frame {
            text,
            place: Some(place),
            arguments: names.zip(arguments.iter().copied()).collect::<HashMap<_, _>>(),
            depth: depth + 1,
        }
    }

    /// What a macro's use is as a value.
    pub(super) fn expand_expression(
        &mut self,
        name: &str,
        known: &Macro,
        arguments: &[ExprId],
        place: Span,
        depth: u32,
    ) -> Option<ExprId> {
        if known.role != Role::Expression {
            return None;
        }
        let parsed = self.parsed(name, known, arguments)?;
        let frame = Self::frame_of(known, arguments, &parsed.0, place, depth);
        let statement = statements_of(&parsed.1).into_iter().next()?;
        let value = children(statement).into_iter().next()?;
        let id = self.expression(value, &frame);
        let interned = self.intern(name);
        self.code.body.expansions.push((id, interned));
        Some(id)
    }

    /// What a macro's use is as a statement.
    pub(super) fn expand_statement(
        &mut self,
        name: &str,
        known: &Macro,
        arguments: &[ExprId],
        place: Span,
        depth: u32,
    ) -> Option<Vec<StmtId>> {
        if known.role == Role::Expression {
            return None;
        }
        let parsed = self.parsed(name, known, arguments)?;
        let frame = Self::frame_of(known, arguments, &parsed.0, place, depth);
        Some(statements_of(&parsed.1).into_iter().flat_map(|node| self.statement(node, &frame)).collect())
    }
}

/// The statements of the function that a macro's body was wrapped in.
fn statements_of(tree: &Tree) -> Vec<Node<'_>> {
    let function = children(tree.root_node()).into_iter().next();
    function.and_then(|function| function.child_by_field_name("body")).map_or(Vec::new(), children)
}

/// A macro's body often leaves its last `;` to the one who uses it; regions have none at all.
fn terminated(body: &str) -> String {
    let mut out = String::with_capacity(body.len() + 8);
    for word in body.split_inclusive(|c: char| c.is_whitespace() || c == ';' || c == '(') {
        let bare = word.trim_end_matches(|c: char| c.is_whitespace());
        out.push_str(bare);
        let region = (bare.starts_with("Py_") || bare.starts_with("_Py_")) && bare.ends_with("_THREADS");
        if region {
            out.push(';');
        }
        out.push_str(word.get(bare.len()..).unwrap_or_default());
    }
    out.push(';');
    out
}
