//! Imports: modules are looked up and loaded as the interpreter does it.

use std::collections::HashSet;
use std::rc::Rc;

use gilaudit_model::program::{Alias, Program};
use gilaudit_model::{ImportKind, Init, Outcome, Version};

use super::super::value::{Args, Made, Name, Scope, Value};
use super::super::world::{ExtensionNode, Found, Node, PythonNode};
use super::expression::Eval;
use super::{ANY, Ended, Failure, Flow, Frame, IMPORT, Link, Loaded, NOT_FOUND, Reached, Run, Unit, Via};

/// How deep imports within imports are followed. CPython's own recursion limit ends sooner.
const DEEPEST: usize = 300;

/// Names by which a module may get names that are not seen.
const DYNAMIC: [&str; 10] =
    ["globals", "vars", "locals", "setattr", "__dict__", "__path__", "modules", "exec", "meta_path", "__getattr__"];

/// The names of a package and its parents, outermost first.
fn prefixes(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('.').map(|(dot, _)| name.get(..dot).unwrap_or_default()).chain([name])
}

impl Run<'_> {
    /// Imports `name` by a link of the chain.
    pub(super) fn linked(&mut self, at: String, kind: ImportKind, name: &str, certain: bool) -> Ended {
        let before = self.certain;
        self.certain = before && certain;
        self.chain.push(Link { at, kind, module: name.to_owned() });
        let ended = self.import(name);
        self.chain.pop();
        self.certain = before;
        ended
    }

    /// Imports a dotted name: every package on the way, in order.
    fn import(&mut self, name: &str) -> Ended {
        if name.is_empty() || name.len() > 500 {
            return Ended::Failed(Failure::Other);
        }
        let certain = self.certain;
        let mut open = false;
        for part in prefixes(name) {
            self.certain = certain && !open;
            match self.load(part) {
                Ended::Well => {}
                Ended::Open => open = true,
                failed @ Ended::Failed(_) => {
                    self.certain = certain;
                    // What may not have been reached may fail or not.
                    return if open { Ended::Open } else { failed };
                }
            }
        }
        self.certain = certain;
        if open { Ended::Open } else { Ended::Well }
    }

    /// Loads one module, its parents being loaded.
    fn load(&mut self, name: &str) -> Ended {
        match self.replaced.get(name) {
            Some(Value::None) => return Ended::Failed(Failure::NotFound),
            Some(_) => return Ended::Well,
            None => {}
        }
        let certain = self.is_certain();
        if let Some(loaded) = self.loaded.get(name)
            && (loaded.certain || !certain || loaded.running)
        {
            return loaded.ended;
        }
        if let Some(ended) = self.ask_finders(name) {
            return ended;
        }
        let Some(found) = self.world.find(name).or_else(|| self.in_extended_package(name)) else {
            name.clone_into(&mut self.missing);
            let parent = name.rsplit_once('.').map(|(parent, _)| parent);
            let is_open = self.edits || parent.is_some_and(|parent| self.may_have(parent));
            return if is_open { Ended::Open } else { Ended::Failed(Failure::NotFound) };
        };
        let (index, is_package) = match *found {
            Found::Standard | Found::Namespace(_) => {
                self.loaded.insert(name.to_owned(), Loaded { certain, ended: Ended::Well, unit: None, running: false });
                return Ended::Well;
            }
            Found::Module(index) => (index, false),
            Found::Package(index, _) => (index, true),
        };
        if self.chain.len() >= DEEPEST || self.nested > 1_500 {
            let file = self.chain.last().map_or("", |link| &link.at).to_owned();
            self.out.incomplete.push((name.to_owned(), "imports nest too deep".to_owned()));
            self.open_end(&file, 0, "imports nest too deep", vec!["*".to_owned()]);
            return Ended::Open;
        }
        // While it is being imported, an import of it finds it in sys.modules.
        let old = self.loaded.get(name).and_then(|loaded| loaded.unit);
        self.loaded.insert(name.to_owned(), Loaded { certain, ended: Ended::Well, unit: old, running: true });
        if let Some(link) = self.chain.last_mut() {
            name.clone_into(&mut link.module);
        }
        let world = self.world;
        let ended = match world.node(index) {
            Some(Node::Python(python)) => self.python(name, is_package, python),
            Some(Node::Extension(extension)) => self.extension(name, index, extension),
            None => Ended::Well,
        };
        let unit = self.loaded.get(name).and_then(|loaded| loaded.unit);
        self.loaded.insert(name.to_owned(), Loaded { certain, ended, unit, running: false });
        if !matches!(ended, Ended::Failed(_))
            && let Some((parent, tail)) = name.rsplit_once('.')
            && let Some(unit) = self.loaded.get(parent).and_then(|loaded| loaded.unit)
            && let Some(scope) = self.units.get(unit).map(|unit| Rc::clone(&unit.scope))
        {
            let tail = self.intern(tail);
            // Python sets the submodule on its package when it is loaded; a name that was there before gives way.
            if certain || scope.get(tail).is_none() {
                let value = Value::Module(name.into());
                self.store(&scope, tail, Some(value));
            }
        }
        ended
    }

    /// A submodule in a folder that its package put on its `__path__`.
    fn in_extended_package(&mut self, name: &str) -> Option<Rc<Found>> {
        let (parent, _) = name.rsplit_once('.')?;
        let unit = self.loaded.get(parent)?.unit?;
        let path = self.intern("__path__");
        let value = self.units.get(unit)?.scope.get(path)?;
        let own = self.world.folders_of(parent);
        for folder in self.known_items(&value).0 {
            let Value::Str(folder) = self.path_text(&folder) else { continue };
            let folder = super::text::normal(&folder);
            if !own.contains(&folder) && !self.world.extend(parent, &folder) {
                self.out.wanted.insert(folder);
            }
        }
        self.world.find(name)
    }

    /// Whether a package may have submodules that are no files: it puts them there itself, or looks for them in its own way.
    fn may_have(&self, parent: &str) -> bool {
        match self.loaded.get(parent).map(|loaded| loaded.unit) {
            Some(Some(unit)) => self.units.get(unit).is_none_or(|unit| unit.is_dynamic),
            Some(None) => matches!(self.world.find(parent).as_deref(), Some(Found::Module(_) | Found::Package(..))),
            None => true,
        }
    }

    /// What the program put at the front of `sys.meta_path` says of a name.
    fn ask_finders(&mut self, name: &str) -> Option<Ended> {
        if self.finders.is_empty() {
            return None;
        }
        let finders = self.finders.clone();
        let mut open = false;
        for finder in finders {
            let method = match &finder {
                Value::Instance(instance) => self.method(instance, "find_spec"),
                Value::Class(class) => self.class_attribute(class, "find_spec", 0),
                _ => None,
            };
            let Some(Value::Func(func)) = method else {
                open = true;
                continue;
            };
            let path = if name.contains('.') { Value::seq(Vec::new(), true) } else { Value::None };
            let plain = vec![Value::text(name), path, Value::None];
            let func = if func.kind == super::super::value::FuncKind::ClassMethod {
                super::call::bind(&func, finder.clone())
            } else {
                func
            };
            let scope = self.scope(None);
            let mut frame = Frame {
                unit: func.unit,
                scope,
                class: None,
                func: None,
                doubt: false,
                loop_doubt: false,
                result: None,
                in_try: true,
            };
            // It is asked for every module: how often says nothing about what it does.
            self.forced = true;
            match self.call_function(&func, Args { plain, ..Args::default() }, 0, &mut frame) {
                Ok(Value::None) => {}
                Ok(_) => open = true,
                Err(failure) => return Some(Ended::Failed(failure)),
            }
        }
        if open {
            // It may be found elsewhere, or be something else.
            self.certain = false;
        }
        None
    }

    fn python(&mut self, name: &str, is_package: bool, python: &PythonNode) -> Ended {
        self.out.files.insert(python.file.clone());
        let code = Rc::clone(&python.code);
        if let Some((line, why)) = &code.incomplete {
            // CPython may refuse the file, or read what was not read here: what is in it may run or not.
            self.out.incomplete.push((name.to_owned(), format!("line {line}: {why}")));
            self.open_end(&python.file, *line, "text that could not be read", vec!["*".to_owned()]);
            self.raises |= IMPORT | NOT_FOUND;
            self.certain = false;
        }
        let unit = self.new_unit(&code, name, is_package, &python.file, false);
        if let Some(unit) = self.units.get_mut(unit) {
            unit.distribution = python.distribution.as_ref().map(|it| it.name.clone());
        }
        if let Some(loaded) = self.loaded.get_mut(name) {
            loaded.unit = Some(unit);
        }
        self.run_unit(unit)
    }

    /// Makes the module of a file.
    pub(super) fn new_unit(
        &mut self,
        code: &Rc<Program>,
        module: &str,
        is_package: bool,
        file: &str,
        is_entry: bool,
    ) -> usize {
        let names: Vec<Name> = code.names.iter().map(|name| self.intern(name)).collect();
        let scope = self.scope(None);
        let mut volatile = HashSet::new();
        for function in &code.functions {
            for global in &function.globals {
                volatile.extend(usize::try_from(*global).ok().and_then(|at| names.get(at)).copied());
            }
        }
        let is_dynamic = code.names.iter().any(|name| DYNAMIC.contains(&name.as_str()));
        let set = |run: &mut Self, name: &str, value: Value| {
            let name = run.intern(name);
            scope.names.borrow_mut().insert(name, value);
        };
        set(self, "__name__", Value::text(module));
        set(self, "__file__", Value::text(file));
        let package = if is_package { module } else { module.rsplit_once('.').map_or("", |(package, _)| package) };
        set(self, "__package__", if module == "__main__" { Value::None } else { Value::text(package) });
        set(self, "__doc__", Value::Unknown);
        set(self, "__builtins__", Value::std("builtins"));
        let spec =
            Args { plain: vec![Value::text(module), Value::text(package), Value::text(file)], ..Args::default() };
        set(self, "__spec__", if module == "__main__" { Value::None } else { Value::made("spec", spec) });
        set(self, "__loader__", Value::Unknown);
        if is_package {
            let path = self.package_path(module);
            set(self, "__path__", path);
        }
        self.units.push(Unit {
            code: Rc::clone(code),
            names,
            scope,
            module: module.into(),
            is_package,
            file: file.into(),
            is_entry,
            chain: self.chain.clone(),
            is_dynamic,
            volatile,
            distribution: None,
        });
        self.units.len() - 1
    }

    /// Runs the body of a module.
    pub(super) fn run_unit(&mut self, unit: usize) -> Ended {
        let Some((code, scope)) = self.units.get(unit).map(|unit| (Rc::clone(&unit.code), Rc::clone(&unit.scope)))
        else {
            return Ended::Well;
        };
        let mut frame = Frame::new(unit, scope);
        let raises = std::mem::take(&mut self.raises);
        let certain = self.certain;
        let flow = self.block(&code, &code.body, &mut frame);
        let raised = std::mem::replace(&mut self.raises, raises);
        self.certain = certain;
        self.raises |= raised & !(NOT_FOUND | IMPORT);
        match flow {
            Flow::Raise(failure) if certain || failure != Failure::Other => Ended::Failed(failure),
            Flow::Raise(_) => Ended::Open,
            _ if raised & (NOT_FOUND | IMPORT) != 0 => Ended::Open,
            _ => Ended::Well,
        }
    }

    pub(super) fn extension(&mut self, name: &str, node: usize, extension: &ExtensionNode) -> Ended {
        self.out.files.insert(extension.file.clone());
        if extension.outcome == Outcome::CannotImport {
            return Ended::Failed(Failure::Import);
        }
        // A single-phase module does all its work in the init function, before its declaration is looked at.
        let imports_first = matches!(extension.init, Init::SinglePhase | Init::Unknown);
        if imports_first {
            self.extension_imports(name, extension);
        }
        if matches!(extension.outcome, Outcome::EnablesGil | Outcome::Undetermined | Outcome::RunsFreeForced) {
            let reached = Reached {
                module: name.to_owned(),
                node,
                outcome: extension.outcome,
                certain: self.is_certain(),
                chain: self.chain.clone(),
                threads: self.threads,
                via: self.via,
                since: self.reach.since.unwrap_or(self.out.reached.len()),
            };
            if self.later { self.out.later.push(reached) } else { self.out.reached.push(reached) }
        }
        if !imports_first {
            self.extension_imports(name, extension);
        }
        Ended::Well
    }

    /// What an extension may import by the names in its file: a compiled importer is an open end with a short list.
    fn extension_imports(&mut self, name: &str, extension: &ExtensionNode) {
        let Some(imports) = &extension.imports else {
            self.out.incomplete.push((name.to_owned(), "its file could not be read for names".to_owned()));
            self.open_end(&extension.file, 0, "a compiled module", vec!["*".to_owned()]);
            return;
        };
        let modules = imports.clone();
        let new: Vec<String> =
            imports.iter().filter(|import| !self.loaded.contains_key(import.as_str())).cloned().collect();
        if !new.is_empty() {
            self.open_end(&extension.file, 0, "a compiled module imports by name", new);
        }
        self.called_by(extension, &modules);
    }

    /// A compiled module may call functions of the Python modules that it imports, by names in its file.
    fn called_by(&mut self, extension: &ExtensionNode, modules: &[String]) {
        for module in modules {
            let unit = self.loaded.get(module.as_str()).and_then(|loaded| loaded.unit);
            let Some(scope) = unit.and_then(|unit| self.units.get(unit)).map(|unit| Rc::clone(&unit.scope)) else {
                continue;
            };
            for (name, value) in super::call::sorted(&scope) {
                if matches!(value, Value::Func(_) | Value::Class(_)) && extension.calls.contains(&*self.text_of(name)) {
                    self.escape(&value);
                }
            }
        }
    }

    /// The kind of an import that stands in this frame.
    pub(super) fn kind_of(&self, frame: &Frame) -> ImportKind {
        if self.unit(frame.unit).is_some_and(|unit| &*unit.module == "site") {
            ImportKind::Startup
        } else if frame.func.is_some() {
            ImportKind::Function
        } else if frame.in_try {
            ImportKind::Try
        } else if self.is_certain() {
            ImportKind::Plain
        } else {
            ImportKind::Conditional
        }
    }

    fn absolute(&self, frame: &Frame, module: &str, level: u32) -> Option<String> {
        if level == 0 {
            return Some(module.to_owned());
        }
        let unit = self.units.get(frame.unit)?;
        if &*unit.module == "__main__" {
            return None;
        }
        absolute(&unit.module, unit.is_package, module, level)
    }

    /// Notes an import of a name that may be in a folder which is not known.
    fn unfound(&mut self, name: &str, ended: Ended, (at, certain): (&str, bool), frame: &Frame) {
        let top = name.split('.').next().unwrap_or_default();
        if ended == Ended::Open && certain && !frame.in_try && self.edits && self.world.find(top).is_none() {
            self.out.unfound.push((at.to_owned(), top.to_owned()));
        }
    }

    /// What an import that ended in this way does to what comes after it.
    fn after(&mut self, ended: Ended, line: u32, frame: &mut Frame) -> Option<Flow> {
        match ended {
            Ended::Well => None,
            Ended::Open => {
                self.raises |= NOT_FOUND | IMPORT;
                self.certain = false;
                if !frame.in_try {
                    let is_entry = self.units.get(frame.unit).is_some_and(|unit| unit.is_entry);
                    self.may_have_ended |= is_entry;
                }
                None
            }
            Ended::Failed(failure) => {
                self.failed_at = Some((self.file_of(frame), line));
                Some(Flow::Raise(failure))
            }
        }
    }

    fn is_lazy(&self, lazy: bool, base: &str, frame: &Frame) -> Option<bool> {
        if self.world.target().version < Version::V3_15 || frame.func.is_some() || frame.class.is_some() {
            return Some(false);
        }
        if lazy {
            return Some(true);
        }
        if frame.in_try {
            return Some(false);
        }
        // CPython 3.15.0rc2 `Python/ceval.c`, `check_lazy_import_compatibility`.
        let Some(name) = self.interned.get("__lazy_modules__") else { return Some(false) };
        let unit = self.units.get(frame.unit)?;
        match unit.scope.get(*name) {
            None => Some(false),
            Some(Value::Seq(seq)) => {
                let is = seq.items.borrow().iter().any(|item| item.as_str() == Some(base));
                let open = seq.open.get() || seq.items.borrow().iter().any(|item| item.as_str().is_none());
                if is { Some(true) } else { (!open).then_some(false) }
            }
            Some(_) => None,
        }
    }

    pub(super) fn import_statement(&mut self, names: &[Alias], line: u32, lazy: bool, frame: &mut Frame) -> Flow {
        let at = format!("{}:{line}", self.file_of(frame));
        for alias in names {
            let bound = self.name_in(frame.unit, alias.bound);
            let lazily = self.is_lazy(lazy, &alias.name, frame);
            if lazily == Some(true) {
                let top = if alias.renamed { Value::Bool(false) } else { Value::Bool(true) };
                let plain = vec![Value::text(&alias.name), Value::None, top, Value::text(&at)];
                self.set_name(frame, bound, Value::made("lazy import", Args { plain, ..Args::default() }));
                continue;
            }
            let kind = self.kind_of(frame);
            let certain = self.is_certain();
            let ended = self.linked(at.clone(), kind, &alias.name, lazily.is_some());
            self.unfound(&alias.name, ended, (&at, certain), frame);
            let ended = if lazily.is_none() && matches!(ended, Ended::Failed(_)) { Ended::Open } else { ended };
            if let Some(flow) = self.after(ended, line, frame) {
                return flow;
            }
            if lazily.is_none() {
                // If it was lazy, the first look imports.
                let plain = vec![Value::text(&alias.name), Value::None, Value::Bool(!alias.renamed), Value::text(&at)];
                self.set_name(frame, bound, Value::made("lazy import", Args { plain, ..Args::default() }));
                continue;
            }
            let value = match alias.renamed {
                true => self.bound_module(&alias.name),
                false => self.bound_module(alias.name.split('.').next().unwrap_or_default()),
            };
            self.set_name(frame, bound, value);
        }
        Flow::Next
    }

    /// What stands in `sys.modules` for a name.
    pub(super) fn bound_module(&self, name: &str) -> Value {
        match self.replaced.get(name) {
            Some(value) => value.clone(),
            None => Value::Module(name.into()),
        }
    }

    pub(super) fn statement_from(
        &mut self,
        (module, level): (&str, u32),
        names: &[Alias],
        line: u32,
        lazy: bool,
        frame: &mut Frame,
    ) -> Flow {
        if module == "__future__" && level == 0 {
            return Flow::Next;
        }
        let at = format!("{}:{line}", self.file_of(frame));
        let Some(base) = self.absolute(frame, module, level) else {
            self.failed_at = Some((self.file_of(frame), line));
            return Flow::Raise(Failure::Import);
        };
        let lazily = self.is_lazy(lazy, &base, frame);
        if lazily == Some(true) {
            for alias in names {
                let bound = self.name_in(frame.unit, alias.bound);
                let plain = vec![Value::text(&base), Value::text(&alias.name), Value::Bool(false), Value::text(&at)];
                self.set_name(frame, bound, Value::made("lazy import", Args { plain, ..Args::default() }));
            }
            return Flow::Next;
        }
        let kind = self.kind_of(frame);
        let certain = self.is_certain();
        let ended = self.linked(at.clone(), kind, &base, lazily.is_some());
        self.unfound(&base, ended, (&at, certain), frame);
        let ended = if lazily.is_none() && matches!(ended, Ended::Failed(_)) { Ended::Open } else { ended };
        if let Some(flow) = self.after(ended, line, frame) {
            return flow;
        }
        for alias in names {
            if alias.name == "*" {
                if let Some(flow) = self.star(&base, &at, line, frame) {
                    return flow;
                }
                continue;
            }
            let bound = self.name_in(frame.unit, alias.bound);
            match self.attribute_from(&base, &alias.name, (&at, line), kind, frame) {
                Ok(value) => self.set_name(frame, bound, value),
                Err(failure) => {
                    self.failed_at = Some((self.file_of(frame), line));
                    return Flow::Raise(failure);
                }
            }
        }
        Flow::Next
    }

    /// `from base import name`: an attribute, or else a submodule.
    ///
    /// CPython 3.14.7 `Lib/importlib/_bootstrap.py`, `_handle_fromlist`.
    pub(super) fn attribute_from(
        &mut self,
        base: &str,
        name: &str,
        (at, line): (&str, u32),
        kind: ImportKind,
        frame: &mut Frame,
    ) -> Eval {
        let base_name: Rc<str> = base.into();
        let submodule = format!("{base}.{name}");
        if let Some(replaced) = self.replaced.get(base).cloned() {
            let name = self.intern(name);
            return match replaced {
                Value::Module(_) | Value::Unknown | Value::Made(_) => Ok(Value::Unknown),
                other => self.attribute(&other, name, line, frame),
            };
        }
        let Some(found) = self.world.find(base) else { return Ok(Value::Unknown) };
        let loaded = self.loaded.get(base).copied();
        let unit = loaded.and_then(|loaded| loaded.unit);
        let name_of = self.intern(name);
        let own = unit.and_then(|unit| self.units.get(unit)).map(|unit| Rc::clone(&unit.scope));
        if let Some(value) = own.as_ref().and_then(|scope| scope.get(name_of)) {
            if let (Value::Made(made), Some(scope)) = (&value, &own)
                && &*made.what == "lazy import"
            {
                return self.look_at_lazy(scope, name_of, made, line, frame);
            }
            return Ok(value);
        }
        let submodules = matches!(*found, Found::Package(..) | Found::Namespace(_));
        if *found == Found::Standard {
            return Ok(self.standard_attribute(base, name));
        }
        if submodules
            && (self.world.find(&submodule).or_else(|| self.in_extended_package(&submodule)).is_some()
                || self.replaced.contains_key(&submodule))
        {
            let ended = self.linked(at.to_owned(), kind, &submodule, true);
            if let Some(Flow::Raise(failure)) = self.after(ended, line, frame) {
                return Err(failure);
            }
            return Ok(self.bound_module(&submodule));
        }
        if let Found::Namespace(_) = *found {
            return Err(Failure::Import);
        }
        let getattr = self.intern("__getattr__");
        if let Some(Value::Func(_)) = own.as_ref().and_then(|scope| scope.get(getattr)) {
            return self.module_attribute(&base_name, name_of, line, frame);
        }
        let index = match *found {
            Found::Module(index) | Found::Package(index, _) => index,
            _ => return Ok(Value::Unknown),
        };
        if matches!(self.world.node(index), Some(Node::Extension(_))) {
            return Ok(Value::Compiled);
        }
        self.mention(name_of);
        let is_dynamic =
            unit.and_then(|unit| self.units.get(unit)).is_none_or(|unit| unit.is_dynamic || self.has_star(unit));
        let running = loaded.is_some_and(|loaded| loaded.running);
        if is_dynamic || running || self.edits || loaded.is_none_or(|loaded| loaded.ended != Ended::Well) {
            if !running {
                self.after(Ended::Open, line, frame);
            }
            return Ok(Value::Unknown);
        }
        let binds = unit.and_then(|unit| self.units.get(unit)).is_some_and(|unit| unit.names.contains(&name_of));
        if binds && !self.is_certain() {
            return Ok(Value::Unknown);
        }
        if binds {
            // It is bound somewhere in the file, on a way that was not taken.
            self.after(Ended::Open, line, frame);
            return Ok(Value::Unknown);
        }
        Err(Failure::Import)
    }

    /// Whether a file takes all names of a module that does not say which it has.
    fn has_star(&self, unit: &Unit) -> bool {
        self.interned.get("*").is_some_and(|star| unit.names.contains(star))
    }

    /// `from base import *`.
    fn star(&mut self, base: &str, at: &str, line: u32, frame: &mut Frame) -> Option<Flow> {
        let unit = self.loaded.get(base).and_then(|loaded| loaded.unit);
        let scope = unit.and_then(|unit| self.units.get(unit)).map(|unit| Rc::clone(&unit.scope))?;
        let all = self.intern("__all__");
        let mut names: Vec<Rc<str>> = Vec::new();
        let mut every = true;
        if let Some(value) = scope.get(all) {
            let (items, open) = self.known_items(&value);
            every = open;
            names.extend(items.iter().filter_map(Value::as_str).map(Rc::from));
        }
        if every {
            let own = super::call::sorted(&scope);
            let texts: Vec<Rc<str>> = own.into_iter().map(|(name, _)| self.text_of(name)).collect();
            names.extend(texts.into_iter().filter(|name| !name.starts_with('_')));
        }
        names.truncate(20_000);
        for name in names {
            match self.attribute_from(base, &name, (at, line), self.kind_of(frame), frame) {
                Ok(value) => {
                    let name = self.intern(&name);
                    self.set_name(frame, name, value);
                }
                Err(failure) => return Some(Flow::Raise(failure)),
            }
        }
        None
    }

    /// A look at a name that was imported lazily.
    pub(super) fn look_at_lazy(
        &mut self,
        scope: &Rc<Scope>,
        name: Name,
        made: &Made,
        line: u32,
        frame: &mut Frame,
    ) -> Eval {
        let part = |index: usize| made.args.plain.get(index);
        let Some(base) = part(0).and_then(Value::as_str).map(str::to_owned) else { return Ok(Value::Unknown) };
        let from = part(1).and_then(Value::as_str).map(str::to_owned);
        let top = matches!(part(2), Some(Value::Bool(true)));
        let at = format!("{}:{line}", self.file_of(frame));
        let ended = self.linked(at.clone(), ImportKind::OnUse, &base, true);
        if let Some(Flow::Raise(failure)) = self.after(ended, line, frame) {
            return Err(failure);
        }
        let value = match from {
            Some(from) => self.attribute_from(&base, &from, (&at, line), ImportKind::OnUse, frame)?,
            None if top => self.bound_module(base.split('.').next().unwrap_or_default()),
            None => self.bound_module(&base),
        };
        if self.is_certain() {
            self.store(scope, name, Some(value.clone()));
        }
        Ok(value)
    }

    /// Imports by a function: `import_module`, `__import__`. What the name is says what may be reached.
    pub(super) fn import_by_value(
        &mut self,
        name: &Value,
        line: u32,
        what: &str,
        frame: &mut Frame,
    ) -> Result<(), Failure> {
        match name {
            Value::Str(name) => {
                let at = format!("{}:{line}", self.file_of(frame));
                let kind = self.kind_of(frame);
                let ended = self.linked(at, kind, name, true);
                match self.after(ended, line, frame) {
                    Some(Flow::Raise(failure)) => Err(failure),
                    _ => Ok(()),
                }
            }
            Value::OneOf(some) => {
                let certain = std::mem::replace(&mut self.certain, false);
                for one in some.iter() {
                    if let Err(failure) = self.import_by_value(one, line, what, frame) {
                        self.raises |= failure.bit();
                    }
                }
                self.certain = certain;
                Ok(())
            }
            Value::None | Value::Int(_) | Value::Bool(_) => Ok(()),
            Value::Text(begin, _) if begin.contains('.') => {
                let reach = match begin.rsplit_once('.') {
                    Some((package, "")) => format!("{package}.*"),
                    _ => format!("{begin}*"),
                };
                let file = self.file_of(frame);
                self.raises |= NOT_FOUND | IMPORT | ANY;
                self.open_end(&file, line, what, vec![reach]);
                Ok(())
            }
            Value::Text(begin, _) if !begin.is_empty() => {
                let file = self.file_of(frame);
                self.raises |= NOT_FOUND | IMPORT | ANY;
                self.open_end(&file, line, what, vec![format!("{begin}*")]);
                Ok(())
            }
            _ => {
                let file = self.file_of(frame);
                self.raises |= NOT_FOUND | IMPORT | ANY;
                self.open_end(&file, line, what, vec!["*".to_owned()]);
                Ok(())
            }
        }
    }

    /// Runs an import as something that an open end may do.
    pub(super) fn candidate(&mut self, name: &str, at: &str, open: usize) {
        let (certain, via) =
            (std::mem::replace(&mut self.certain, false), std::mem::replace(&mut self.via, Via::Open(open)));
        let raises = self.raises;
        let ended = self.may_have_ended;
        self.linked(at.to_owned(), ImportKind::Conditional, name, false);
        (self.certain, self.via, self.raises, self.may_have_ended) = (certain, via, raises, ended);
    }
}

/// The absolute name of what a statement in the module `name` imports from.
pub(super) fn absolute(name: &str, is_package: bool, module: &str, level: u32) -> Option<String> {
    let mut package = name;
    let up = level - u32::from(is_package);
    for _ in 0..up {
        package = package.rsplit_once('.').map(|(parent, _)| parent)?;
    }
    Some(if module.is_empty() { package.to_owned() } else { format!("{package}.{module}") })
}
