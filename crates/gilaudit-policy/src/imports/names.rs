//! What is imported by looking at a name or by calling it, after the import statement that binds the name.

use gilaudit_model::{Import, ImportKind, LazyModules, Use, Version};

use super::run::{Ended, Run, absolute};
use super::world::{Found, Node, PythonNode};

/// A module, and what is asked of it.
struct Asked {
    module: String,
    attributes: String,
}

/// How many attributes of a name are followed: packages do not nest deeper.
const DEEPEST: usize = 16;

impl Run<'_> {
    /// Whether a statement only makes names that import when they are looked at; `None` when it is not known.
    ///
    /// CPython 3.15.0rc2 `Python/ceval.c`, `check_lazy_import_compatibility`; `Python/codegen.c`: not in a `try` or a function.
    pub(super) fn is_lazy(
        &self,
        (node, name, is_package): (&PythonNode, &str, bool),
        import: &Import,
        base: &str,
    ) -> Option<bool> {
        if import.kind == ImportKind::OnUse {
            return Some(true);
        }
        let in_body = matches!(import.kind, ImportKind::Plain | ImportKind::Conditional);
        if self.world.target().version < Version::V3_15 || !in_body {
            return Some(false);
        }
        let LazyModules { names, open } = &node.facts.lazy_modules;
        let package = if is_package { name } else { name.rsplit_once('.').map_or("", |(package, _)| package) };
        let is_named = names.iter().any(|module| match base.strip_prefix(package) {
            Some(below) if module.starts_with('.') => below == module || below.is_empty() && module == ".",
            _ => module == base,
        });
        if is_named { Some(true) } else { (!open).then_some(false) }
    }

    /// A look at a name that an import bound: it runs the import if that was lazy, and the package that the name stands for may
    /// import what is asked of it.
    pub(super) fn look(&mut self, node: &PythonNode, name: &str, is_package: bool, used: &Use, certain: bool) {
        let at = format!("{}:{}", node.file, used.line);
        let first = used.name.split('.').next().unwrap_or_default();
        let imports = node.facts.imports.iter().filter(|import| binds(import, first));
        let lazy = imports.filter_map(|import| Some((import, absolute(name, is_package, import)?)));
        let lazy: Vec<_> =
            lazy.filter(|(import, base)| self.is_lazy((node, name, is_package), import, base) != Some(false)).collect();
        for (import, base) in lazy {
            self.imported(&at, ImportKind::OnUse, &base, import, certain);
        }
        let Some(Asked { mut module, attributes }) = self.asked(node, name, is_package, &used.name) else { return };
        for attribute in attributes.split('.').filter(|attribute| !attribute.is_empty()).take(DEEPEST) {
            let Some(found) = self.world.find(&module) else { return };
            let (Found::Package(index, _) | Found::Module(index)) = *found else { return };
            let world = self.world;
            let Some(Node::Python(python)) = world.node(index) else { return };
            let is_package = matches!(*found, Found::Package(..));
            let submodule = format!("{module}.{attribute}");
            match self.given(&at, ImportKind::Lazy, (python, &module, is_package), attribute, certain) {
                Some((true, _)) => {}
                Some((false, _)) => return,
                None if self.loaded.contains_key(&submodule) => {}
                // An attribute that is not there, unless the module's own function makes it.
                None if !python.facts.getattr => return,
                None => {
                    if is_package && self.world.find(&submodule).is_some() {
                        self.linked(at.clone(), ImportKind::Lazy, &submodule, false);
                    } else {
                        return self.call(python, &module, is_package, ("__getattr__", false), 0);
                    }
                }
            }
            module = submodule;
        }
    }

    /// An attribute that a module has, or is known to import when it is asked for: whether it is the submodule of that name, and
    /// how its import ends. `None` when the module's body does not say.
    pub(super) fn given(
        &mut self,
        at: &str,
        kind: ImportKind,
        (python, base, is_package): (&PythonNode, &str, bool),
        name: &str,
        certain: bool,
    ) -> Option<(bool, Ended)> {
        let lazily = python.facts.imports.iter().filter(|import| binds(import, name)).find_map(|import| {
            let from = absolute(base, is_package, import)?;
            let is_lazy = self.is_lazy((python, base, is_package), import, &from) != Some(false);
            is_lazy.then_some((import, from))
        });
        if let Some((import, from)) = lazily {
            return Some((false, self.imported(at, kind, &from, import, certain)));
        }
        // `from package import module` in the package itself binds what it imports.
        let is_own = python.facts.imports.iter().any(|import| {
            let names = import.names.as_ref();
            names.is_some_and(|names| names.iter().any(|own| own == name))
                && absolute(base, is_package, import).as_deref() == Some(base)
        });
        if !is_own && python.facts.binds.binary_search_by(|bound| bound.as_str().cmp(name)).is_ok() {
            return Some((false, Ended::Well));
        }
        let lazy = python.facts.lazy.iter().find(|lazy| lazy.attribute == name)?;
        let ended = self.linked(at.to_owned(), kind, &format!("{base}.{}", lazy.submodule), certain);
        Some((lazy.submodule == name, ended))
    }

    /// A call while a module is imported, as a decorator or not: what the called one imports may be imported, and what those import
    /// that it mentions.
    pub(super) fn call(
        &mut self,
        node: &PythonNode,
        name: &str,
        is_package: bool,
        (called, decorates): (&str, bool),
        hops: usize,
    ) {
        let Some(Asked { module, attributes }) = self.asked(node, name, is_package, called) else {
            return self.run_callable(node, name, is_package, (called, decorates));
        };
        let Some(found) = self.world.find(&module) else { return };
        let (index, is_package) = match *found {
            Found::Module(index) => (index, false),
            Found::Package(index, _) => (index, true),
            Found::Namespace(_) | Found::Standard => return,
        };
        let world = self.world;
        if let Some(Node::Python(python)) = world.node(index)
            && hops > 0
            && !attributes.is_empty()
        {
            self.call(python, &module, is_package, (&attributes, decorates), hops - 1);
        }
    }

    /// What a dotted name asks of which module, when its first part was imported.
    fn asked(&self, node: &PythonNode, name: &str, is_package: bool, dotted: &str) -> Option<Asked> {
        let first = dotted.split('.').next().unwrap_or_default();
        // `import a.b` and `a.b.f()`.
        let within = |module: &str| dotted.strip_prefix(module).and_then(|rest| rest.strip_prefix('.'));
        let imported =
            node.facts.imports.iter().filter(|import| import.kind != ImportKind::Function).find_map(|import| {
                let is_it = |own: &String| {
                    let alias = import.aliases.iter().find(|(of, _)| of == own).map(|(_, alias)| alias);
                    alias.unwrap_or(own) == first
                };
                match &import.names {
                    Some(names) => names.iter().find(|own| is_it(own)).map(|own| (import, Some(own.clone()))),
                    None => (is_it(&import.module) || within(&import.module).is_some()).then_some((import, None)),
                }
            });
        let Some((import, own)) = imported else {
            // `import a.b` binds `a`.
            let bound = node.facts.imports.iter().filter(|import| import.kind != ImportKind::Function);
            let mut bound = bound.filter(|import| import.names.is_none() && binds(import, first));
            let attributes = dotted.strip_prefix(first)?.strip_prefix('.')?;
            return bound.next().map(|_| Asked { module: first.to_owned(), attributes: attributes.to_owned() });
        };
        let base = absolute(name, is_package, import)?;
        let rest = match within(&base).filter(|_| own.is_none()) {
            Some(rest) => rest,
            None => dotted.get(first.len() + 1..).unwrap_or_default(),
        };
        // `from a import f; f()`, `from a import m; m.f()`, `import m; m.f()`.
        Some(match own {
            Some(own) if self.world.find(&format!("{base}.{own}")).is_some() => {
                Asked { module: format!("{base}.{own}"), attributes: rest.to_owned() }
            }
            Some(own) if rest.is_empty() => Asked { module: base, attributes: own },
            Some(own) => Asked { attributes: format!("{own}.{rest}"), module: base },
            None => Asked { module: base, attributes: rest.to_owned() },
        })
    }

    /// Everything that a callable of a module may import, and those that it mentions.
    fn run_callable(&mut self, node: &PythonNode, name: &str, is_package: bool, (called, decorates): (&str, bool)) {
        let callables = &node.facts.callables;
        let find = |name: &str| node.facts.by_name.get(name).copied();
        let mut parts = called.split('.');
        let Some(first) = parts.next().filter(|name| !name.is_empty()).and_then(find) else { return };
        // `Class.create()`, `variable.method()`: any method of that name.
        let mut stack: Vec<usize> = parts.filter_map(|method| find(&format!(".{method}"))).collect();
        let Some(callable) = callables.get(first) else { return };
        if called == callable.name {
            // Whoever gets the instance may call its methods.
            stack.extend(&callable.methods);
        }
        if decorates && !callable.registers.is_empty() {
            stack.extend(&callable.mentions);
        } else {
            stack.push(first);
        }
        while let Some(index) = stack.pop() {
            // Once is enough: nothing that is only possible can become certain by being possible again.
            let Some(callable) = callables.get(index) else { continue };
            if !self.called.insert((name.to_owned(), index)) {
                continue;
            }
            for import in callable.imports.iter().filter_map(|import| node.facts.imports.get(*import)) {
                self.statement(node, name, is_package, import, false);
            }
            for used in &callable.uses {
                self.look(node, name, is_package, used, false);
            }
            stack.extend(callable.mentions.iter().chain(&callable.registers));
        }
    }
}

/// Whether an import binds this name.
fn binds(import: &Import, name: &str) -> bool {
    let bound = |own: &String| import.aliases.iter().find(|(of, _)| of == own).map(|(_, alias)| alias.as_str());
    match &import.names {
        Some(names) => names.iter().any(|own| bound(own).unwrap_or(own) == name),
        None => bound(&import.module).or(import.module.split('.').next()) == Some(name),
    }
}
