//! `setup.py` and other Python files that build: what they hand to setuptools, Cython, mypyc and cffi.
//!
//! The file is parsed, not run. Literals, variables that hold literals, and loops over lists of them are followed (`values.rs`);
//! a module whose name comes out of anything else makes the file's list incomplete, which is said.

mod values;

use gilaudit_model::source::build::{BuildDirective, BuildFile, BuildMacro, BuildModule, Maker};
use tree_sitter::{Node, Parser};

use super::{join, macros};
use values::{Values, argument, children, keywords, span_of};

/// The nodes of a file that are looked at.
const MOST: usize = 2_000_000;

/// How deep expressions and blocks are looked into.
const DEEPEST: usize = 200;

/// Whether a Python file says what is built, by its name and by what it calls.
pub(super) fn is_build_file(name: &str, text: &str) -> bool {
    let calls = |words: &[&str]| words.iter().any(|word| text.contains(word));
    name == "setup.py"
        || text.contains("FFI(") && text.contains("set_source(")
        || (name.contains("build") || name.starts_with("setup") || name.contains("ext"))
            && calls(&["Extension(", "cythonize(", "mypycify("])
}

pub(super) fn read(text: &str, folder: &str, build: &mut BuildFile) -> Result<(), String> {
    let mut parser = Parser::new();
    let tree = match parser.set_language(&tree_sitter_python::LANGUAGE.into()) {
        Ok(()) => parser.parse(text, None),
        Err(_) => None,
    };
    let tree = tree.ok_or("it could not be parsed")?;
    let values = Values::new(text, tree.root_node());
    let asks = macros::asks(text);
    let mut reader = Reader { text, folder, values, asks, build };
    let mut stack = vec![(tree.root_node(), 0usize)];
    let mut seen = 0usize;
    // In the order of the text: the last child is pushed first.
    while let Some((node, depth)) = stack.pop() {
        seen += 1;
        if seen > MOST {
            reader.build.computed = true;
            return Err(format!("more than {MOST} parts; the rest was not looked at"));
        }
        match node.kind() {
            "call" => reader.call(node),
            "pair" => reader.pair(node),
            "assignment" => reader.assignment(node),
            "string" | "tuple" => reader.defined(node),
            _ => {}
        }
        if depth > DEEPEST {
            reader.build.computed = true;
            continue;
        }
        let first = stack.len();
        stack.extend(children(node).map(|child| (child, depth + 1)));
        if let Some(new) = stack.get_mut(first..) {
            new.reverse();
        }
    }
    reader.build.modules.dedup();
    Ok(())
}

struct Reader<'t, 'b> {
    text: &'t str,
    folder: &'t str,
    values: Values<'t>,
    /// Whether the file asks which build of Python it builds for.
    asks: bool,
    build: &'b mut BuildFile,
}

impl<'t> Reader<'t, '_> {
    fn source(&self, node: Node<'_>) -> &'t str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    fn call(&mut self, node: Node<'t>) {
        let Some(callee) = node.child_by_field_name("function") else { return };
        let name = self.source(callee).rsplit('.').next().unwrap_or_default();
        match name {
            "RustExtension" => self.rust_extension(node),
            "Pybind11Extension" => self.extension(node, Maker::Pybind11),
            _ if name.ends_with("Extension") => self.extension(node, Maker::Compiler),
            "cythonize" => self.cythonize(node),
            "mypycify" => self.mypycify(node),
            "set_source" => self.set_source(node),
            "setup" => self.setup(node),
            _ => {}
        }
        for (key, value) in keywords(node, self.text) {
            match key {
                DIRECTIVE => self.directive(value, node),
                LIMITED => self.limited_api(value),
                _ => {}
            }
        }
    }

    /// `RustExtension("pkg.name", path="Cargo.toml", …)`
    fn rust_extension(&mut self, node: Node<'t>) {
        let keyword = |name: &str| keywords(node, self.text).find(|(key, _)| *key == name).map(|(_, value)| value);
        let Some(name) = argument(node, 0).or_else(|| keyword("target")) else { return };
        let path = argument(node, 1).or_else(|| keyword("path"));
        let path = path.map_or_else(|| vec!["Cargo.toml".to_owned()], |path| self.values.strings(path, &Vec::new()));
        let sources: Vec<Box<str>> = path.iter().filter_map(|path| join(self.folder, path)).collect();
        // One name, or a name for each binary: `{"a": "pkg.a"}`.
        let names = self.values.strings(name, &Vec::new());
        self.build.computed |= names.is_empty();
        for module in names {
            self.build.modules.push(BuildModule {
                name: module.as_str().into(),
                span: span_of(name),
                sources: sources.clone(),
                maker: Maker::Cargo,
                limited_api: keyword("py_limited_api").is_some_and(|value| self.source(value) == "True"),
            });
        }
    }

    /// `Extension("pkg.name", ["src/name.c"], …)`
    fn extension(&mut self, node: Node<'t>, maker: Maker) {
        let keyword = |name: &str| keywords(node, self.text).find(|(key, _)| *key == name).map(|(_, value)| value);
        let name = argument(node, 0).or_else(|| keyword("name")).or_else(|| keyword("target"));
        let sources = argument(node, 1).or_else(|| keyword("sources"));
        let limited = keyword("py_limited_api").is_some_and(|value| self.source(value) == "True");
        let options = keyword("swig_opts").map(|value| self.values.strings(value, &Vec::new())).unwrap_or_default();
        // A class of this kind, a helper that passes its arguments on.
        let Some(name) = name else { return };
        for bound in self.values.bindings(node) {
            let found = self.values.strings(name, &bound);
            let [module] = found.as_slice() else {
                self.build.computed = true;
                continue;
            };
            let sources = sources.map(|sources| self.values.strings(sources, &bound)).unwrap_or_default();
            // setuptools runs SWIG on interfaces.
            let maker = if maker == Maker::Compiler && sources.iter().any(|source| source.ends_with(".i")) {
                Maker::Swig { nogil: options.iter().any(|option| option == "-nogil") }
            } else {
                maker
            };
            self.build.modules.push(BuildModule {
                name: module.as_str().into(),
                span: span_of(name),
                sources: sources.iter().filter_map(|source| join(self.folder, source)).collect(),
                maker,
                limited_api: limited,
            });
        }
    }

    /// `("Py_LIMITED_API", "0x03090000")` in `define_macros`, `"-DPy_LIMITED_API"` among the arguments of a compiler; wherever they
    /// stand, because they are collected in lists before.
    fn defined(&mut self, node: Node<'t>) {
        let text = |node| self.values.strings(node, &Vec::new()).concat();
        let found = if node.kind() == "string" {
            macros::argument(&text(node), self.asks, span_of(node))
        } else {
            let mut parts = children(node);
            let (Some(name), Some(value), None) = (parts.next(), parts.next(), parts.next()) else { return };
            if name.kind() != "string" || !matches!(value.kind(), "string" | "none") {
                return;
            }
            let word = if value.kind() == "none" { text(name) } else { format!("{}={}", text(name), text(value)) };
            macros::defined(&word, self.asks, span_of(node))
        };
        if let Some(found) = found {
            let conditional = found.conditional || self.is_conditional(node);
            self.build.macros.push(BuildMacro { conditional, ..found });
        }
    }

    /// Whether a condition that asks for more than the platform is around a node.
    fn is_conditional(&self, node: Node<'t>) -> bool {
        let mut inner = node;
        while let Some(outer) = inner.parent() {
            match outer.kind() {
                "conditional_expression" => return true,
                "if_statement" | "elif_clause" => {
                    let condition = outer.child_by_field_name("condition").map(|it| self.source(it));
                    if !macros::is_platform_only(condition.unwrap_or_default()) {
                        return true;
                    }
                }
                _ => {}
            }
            inner = outer;
        }
        false
    }

    /// `cythonize("pkg/*.pyx")`, `cythonize(["pkg/a.pyx"])`: a module a file, named by where it is. Extensions in it are calls of
    /// their own.
    fn cythonize(&mut self, node: Node<'t>) {
        let Some(what) = argument(node, 0) else { return };
        for source in self.values.strings(what, &Vec::new()) {
            if source.contains('*') {
                self.build.computed = true;
            } else if let Some(path) =
                join(self.folder, &source).filter(|_| [".pyx", ".py"].iter().any(|end| source.ends_with(end)))
            {
                self.build.modules.push(BuildModule {
                    name: "".into(),
                    span: span_of(what),
                    sources: vec![path],
                    maker: Maker::Compiler,
                    limited_api: false,
                });
            }
        }
    }

    /// `mypycify(["pkg/a.py", …])`; options of mypy may stand among the files.
    fn mypycify(&mut self, node: Node<'t>) {
        let keyword = keywords(node, self.text).find(|(key, _)| *key == "paths").map(|(_, value)| value);
        let Some(what) = argument(node, 0).or(keyword) else { return };
        let files = self.values.strings(what, &Vec::new());
        let mut found = false;
        for file in files.iter().filter(|file| file.ends_with(".py") && !file.contains('*')) {
            if let Some(path) = join(self.folder, file) {
                found = true;
                self.build.modules.push(BuildModule {
                    name: "".into(),
                    span: span_of(what),
                    sources: vec![path],
                    maker: Maker::Mypyc,
                    limited_api: false,
                });
            }
        }
        self.build.computed |= !found;
    }

    /// `ffibuilder.set_source("pkg._name", "…")`; with None for the source no module is compiled.
    fn set_source(&mut self, node: Node<'t>) {
        let (Some(name), Some(source)) = (argument(node, 0), argument(node, 1)) else { return };
        if self.source(source) == "None" {
            return;
        }
        let names = self.values.strings(name, &Vec::new());
        let [module] = names.as_slice() else {
            self.build.computed = true;
            return;
        };
        self.build.modules.push(BuildModule {
            name: module.as_str().into(),
            span: span_of(name),
            sources: Vec::new(),
            maker: Maker::Cffi,
            limited_api: false,
        });
    }

    fn setup(&mut self, node: Node<'t>) {
        for (key, value) in keywords(node, self.text) {
            match key {
                "classifiers" => {
                    let strings = self.values.strings(value, &Vec::new());
                    self.build.classifiers.extend(strings.iter().map(|text| (text.as_str().into(), span_of(value))));
                }
                "python_requires" => {
                    if let [text] = self.values.strings(value, &Vec::new()).as_slice() {
                        self.build.requires_python = Some((text.as_str().into(), span_of(value)));
                    }
                }
                "ext_package" => {
                    if let [package] = self.values.strings(value, &Vec::new()).as_slice() {
                        self.build.package = Some(package.as_str().into());
                    }
                }
                "setup_requires" => {
                    let strings = self.values.strings(value, &Vec::new());
                    self.build.requires.extend(strings.iter().map(|text| (text.as_str().into(), span_of(value))));
                }
                _ => {}
            }
        }
    }

    /// `"freethreading_compatible": True` in whatever dictionary.
    fn pair(&mut self, node: Node<'t>) {
        let (Some(key), Some(value)) = (node.child_by_field_name("key"), node.child_by_field_name("value")) else {
            return;
        };
        match self.values.strings(key, &Vec::new()).as_slice() {
            [name] if name == DIRECTIVE => self.directive(value, node),
            [name] if name == LIMITED => self.limited_api(value),
            _ => {}
        }
    }

    /// `directives["freethreading_compatible"] = True`
    fn assignment(&mut self, node: Node<'t>) {
        let (Some(left), Some(right)) = (node.child_by_field_name("left"), node.child_by_field_name("right")) else {
            return;
        };
        let key = left.child_by_field_name("subscript").filter(|_| left.kind() == "subscript");
        match key.map(|key| self.values.strings(key, &Vec::new())).unwrap_or_default().as_slice() {
            [name] if name == DIRECTIVE => self.directive(right, node),
            [name] if name == LIMITED => self.limited_api(right),
            _ => {}
        }
    }

    /// `py_limited_api=True` of an extension, `"py_limited_api": "cp39"` of `bdist_wheel`.
    fn limited_api(&mut self, value: Node<'t>) {
        let Some(literal) = self.values.literal(value) else { return };
        let conditional = self.asks || self.is_conditional(value) || self.is_conditional(literal);
        let found = macros::limited(LIMITED, self.source(literal), conditional, span_of(value));
        self.build.limited_api.extend(found);
    }

    fn directive(&mut self, value: Node<'t>, at: Node<'t>) {
        let literal = self.values.literal(value);
        let value =
            literal.map(|node| self.source(node)).filter(|text| matches!(*text, "True" | "False")).unwrap_or_default();
        self.build.directives.push(BuildDirective {
            name: DIRECTIVE.into(),
            value: value.into(),
            condition: self.condition(at),
            span: span_of(at),
        });
    }

    /// The innermost condition around a node that does not plainly hold for a free-threaded build with a Cython that knows the
    /// directive.
    fn condition(&self, node: Node<'t>) -> Option<Box<str>> {
        const HOLDS: [&str; 6] = ["GIL_DISABLED", "freethread", "free_thread", "free-thread", "cython", "abiflags"];
        let mut inner = node;
        while let Some(outer) = inner.parent() {
            if matches!(outer.kind(), "if_statement" | "elif_clause") {
                let condition = outer.child_by_field_name("condition")?;
                let text = self.source(condition);
                let lower = text.to_ascii_lowercase();
                let body = outer.child_by_field_name("consequence") == Some(inner);
                let holds = body
                    && !lower.contains("not ")
                    && !text.contains('<')
                    && HOLDS.iter().any(|word| lower.contains(&word.to_ascii_lowercase()));
                if condition != inner && !holds && !(body && asks_for_any(text)) {
                    return Some(text.into());
                }
            }
            inner = outer;
        }
        None
    }
}

/// `sys.version_info >= (3, 13)`: no free-threaded build is older.
fn asks_for_any(condition: &str) -> bool {
    let plain: String = condition.chars().filter(|letter| !letter.is_whitespace()).collect();
    let minor = plain.strip_prefix("sys.version_info>=(3,").and_then(|rest| rest.strip_suffix(')'));
    minor.and_then(|minor| minor.parse::<u32>().ok()).is_some_and(|minor| minor <= 13)
}

const DIRECTIVE: &str = "freethreading_compatible";

const LIMITED: &str = "py_limited_api";
