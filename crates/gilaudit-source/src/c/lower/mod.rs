//! From the parser's tree to the facts.

mod declarations;
mod expand;
mod expressions;
mod statements;
mod types;

use std::rc::Rc;

use foldhash::{HashMap, HashMapExt, HashSet};
use gilaudit_model::source::{
    Body, ExprId, ExprKind, FileId, Function, Global, Local, LocalId, Name, Names, Span, Steps, Struct, Variant,
};
use tree_sitter::{Node, Tree};

use super::macros::Macro;

/// Deeper code is not followed.
pub(super) const DEEPEST: u32 = 250;
/// Most expressions that one function may have, expansions included.
const LARGEST: usize = 400_000;

/// What a file gives.
#[derive(Default)]
pub(super) struct Lowered {
    /// Each with the names in it that are members, if its class has them, which is defined in another file.
    pub(super) functions: Vec<(Function, Vec<ExprId>)>,
    pub(super) globals: Vec<Global>,
    pub(super) structs: Vec<Struct>,
    pub(super) typedefs: Vec<(Name, Name)>,
    pub(super) unparsed: Vec<Span>,
}

/// The text that a tree was made of, and what stands for it when it is a macro's body.
pub(super) struct Frame<'t> {
    pub(super) text: &'t str,
    /// Everything that comes out of a macro has the place of its use.
    pub(super) place: Option<Span>,
    /// The macro's arguments.
    pub(super) arguments: HashMap<String, ExprId>,
    /// How many macros deep.
    pub(super) depth: u32,
}

impl Frame<'_> {
    pub(super) fn span(&self, node: Node<'_>) -> Span {
        self.place.unwrap_or(Span { start: node.start_byte() as u32, end: node.end_byte() as u32 })
    }

    pub(super) fn text_of(&self, node: Node<'_>) -> &str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }
}

/// Lowers one file.
pub(super) struct Lowerer<'a> {
    pub(super) names: &'a mut Names,
    pub(super) file: FileId,
    pub(super) cpp: bool,
    pub(super) variant: Variant,
    pub(super) steps: &'a Steps,
    pub(super) lookup: &'a dyn Fn(&str) -> Option<&'a Macro>,
    pub(super) parse: &'a mut dyn FnMut(&str) -> Option<Tree>,
    /// Bodies of macros, parsed.
    pub(super) expansions: HashMap<String, Option<Rc<(String, Tree)>>>,
    /// Where thread-local macros were taken out.
    pub(super) thread_local: &'a [usize],
    /// The text in the configurations before: what is the same there was lowered.
    pub(super) seen: &'a [String],
    pub(super) out: Lowered,
    /// The initialisers of the file's variables.
    pub(super) file_body: Body,
    pub(super) code: Code,
    /// The namespaces and classes around.
    pub(super) outer: Vec<String>,
    /// The members of classes, for bare names in their methods.
    pub(super) members: HashMap<Name, HashSet<Name>>,
}

/// The code that is being lowered.
#[derive(Default)]
pub(super) struct Code {
    pub(super) body: Body,
    /// The blocks around, with the names that each declares.
    scopes: Vec<(Vec<Name>, Span)>,
    /// What each name means where the walk is: the innermost declaration is the last.
    visible: HashMap<Name, Vec<LocalId>>,
    pub(super) class: Option<Name>,
    /// Names that are members, if the class has them, which is defined in another file.
    pub(super) open: Vec<ExprId>,
    pub(super) depth: u32,
}

impl Code {
    /// The code of a function.
    pub(super) fn of_function(class: Option<Name>, span: Span) -> Self {
        let mut code = Self { class, ..Self::default() };
        code.open_scope(span);
        code
    }

    pub(super) fn open_scope(&mut self, span: Span) {
        self.scopes.push((Vec::new(), span));
    }

    pub(super) fn close_scope(&mut self) {
        let (names, _) = self.scopes.pop().unwrap_or_default();
        for name in names {
            if let Some(known) = self.visible.get_mut(&name) {
                known.pop();
            }
        }
    }
}

impl Lowerer<'_> {
    /// Lowers a whole file.
    pub(super) fn file(&mut self, root: Node<'_>, text: &str) {
        let frame = Frame { text, place: None, arguments: HashMap::new(), depth: 0 };
        let mut unparsed = Vec::new();
        errors(root, &mut unparsed);
        self.out.unparsed = unparsed;
        self.items(root, &frame, 0);
        self.out.unparsed.sort_unstable();
        self.out.unparsed.dedup();
    }

    pub(super) fn intern(&mut self, text: &str) -> Name {
        self.names.intern(text)
    }

    pub(super) fn add(&mut self, kind: ExprKind, span: Span) -> ExprId {
        self.code.body.add(kind, span)
    }

    /// Whether a function has become too large. Then the file has taken all its steps: it is not judged in part.
    pub(super) fn is_full(&self) -> bool {
        let is_full = self.code.body.exprs.len() > LARGEST;
        if is_full {
            self.steps.take(usize::MAX);
        }
        is_full
    }

    /// Whether the walk may go on into a node. What nests too deep counts as code that did not parse.
    pub(super) fn may_enter(&mut self, node: Node<'_>, frame: &Frame<'_>) -> bool {
        if self.code.depth >= DEEPEST {
            self.out.unparsed.push(frame.span(node));
            return false;
        }
        self.steps.take(1) && !self.is_full()
    }

    /// The local of this name in the innermost scope that has one.
    pub(super) fn resolve(&self, name: Name) -> Option<LocalId> {
        self.code.visible.get(&name).and_then(|known| known.last()).copied()
    }

    pub(super) fn declare(&mut self, local: Local) -> LocalId {
        let name = local.name;
        self.code.body.locals.push(local);
        let id = LocalId(self.code.body.locals.len() as u32 - 1);
        if let Some((scope, _)) = self.code.scopes.last_mut() {
            scope.push(name);
            self.code.visible.entry(name).or_default().push(id);
        }
        id
    }

    pub(super) fn scope_span(&self) -> Span {
        self.code.scopes.last().map_or(Span::default(), |(_, span)| *span)
    }
}

/// The outermost parts of a tree that did not parse.
fn errors(node: Node<'_>, out: &mut Vec<Span>) {
    let mut cursor = node.walk();
    loop {
        let node = cursor.node();
        if node.is_error() {
            out.push(Span { start: node.start_byte() as u32, end: node.end_byte() as u32 });
        } else if node.has_error() && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return;
            }
        }
    }
}

/// The named children of a node that are no comments.
pub(super) fn children<'t>(node: Node<'t>) -> Vec<Node<'t>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| child.kind() != "comment").collect()
}
