//! What code that is not seen may run: functions that were passed on, and methods of objects that were, by the names that are asked for.
//!
//! A function that somebody has may be called by them. An object that somebody has may be asked for any name that stands in code that is
//! reached: its methods of these names may run, with anything as arguments. What nobody has is not run.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use gilaudit_model::ImportKind;

use super::super::value::{Args, Class, Func, FuncKind, Instance, Name, Value};
use super::call::bind;
use super::{Frame, Run, Via};

/// How deep a value is looked into when it is passed on.
const DEEPEST: usize = 40;

/// How often what calls pass to a function may grow before it is taken to be anything.
const MOST_GROWN: u32 = 40;

/// What a function is known by when it may be called: its file, its place there, the call around it, the class of the object.
type Identity = (usize, u32, usize, usize);

#[derive(Debug, Default)]
pub(super) struct Reach {
    /// Functions that may be called and were not followed yet, and how many extensions had been reached by then.
    queue: Vec<(Rc<Func>, usize, bool)>,
    /// Which were queued: file, function, scope, class of the object.
    queued: HashSet<Identity>,
    /// What calls that were seen, but not followed one by one, pass to a function: all of them together, and how often that grew.
    passed: HashMap<Identity, (Rc<Func>, Args, u32)>,
    /// Names that reached code asks of objects which are not known.
    mentioned: HashSet<Name>,
    /// Methods of objects that somebody has, by name.
    waiting: HashMap<Name, Vec<(Value, Rc<Class>)>>,
    /// Modules that somebody has as objects.
    modules: Vec<Rc<str>>,
    operated: HashSet<usize>,
    /// Set while something is followed that became possible earlier.
    pub(super) since: Option<usize>,
}

impl Run<'_> {
    /// A value is given to code that is not seen.
    pub(super) fn escape(&mut self, value: &Value) {
        if value.is_inert() || self.later {
            return;
        }
        self.escape_at(value, 0);
    }

    fn escape_at(&mut self, value: &Value, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        match value {
            Value::Func(func) => {
                if let Some(bound) = &func.bound
                    && !matches!(bound, Value::Instance(instance) if instance.escaped.get())
                {
                    self.escape_at(bound, depth + 1);
                }
                self.may_run(func);
            }
            Value::Class(class) => self.live(class),
            Value::Instance(instance) => {
                if instance.escaped.replace(true) {
                    return;
                }
                self.live_as(&instance.class, value);
                let names: Vec<Value> = {
                    let names = instance.names.borrow();
                    let mut all: Vec<(Name, Value)> =
                        names.iter().map(|(name, value)| (*name, value.clone())).collect();
                    all.sort_by_key(|(name, _)| *name);
                    all.into_iter().map(|(_, value)| value).collect()
                };
                names.iter().for_each(|value| self.escape_at(value, depth + 1));
            }
            Value::Seq(seq) => {
                if seq.escaped.replace(true) {
                    return;
                }
                if !seq.is_tuple {
                    seq.open.set(true);
                    seq.others.set(true);
                }
                let items = seq.items.borrow().clone();
                items.iter().for_each(|item| self.escape_at(item, depth + 1));
            }
            Value::Dict(dict) => {
                if dict.escaped.replace(true) || dict.of_module.is_some() {
                    return;
                }
                dict.open.set(true);
                dict.others.set(true);
                let pairs = dict.pairs.borrow().clone();
                for (key, value) in &pairs {
                    self.escape_at(key, depth + 1);
                    self.escape_at(value, depth + 1);
                }
            }
            Value::Paused(paused) => self.may_run(&paused.func),
            Value::Method(method) => self.escape_at(&method.0, depth + 1),
            Value::Made(made) => {
                let args = made.args.clone();
                for value in args.plain.iter().chain(args.named.iter().map(|(_, value)| value)) {
                    self.escape_at(value, depth + 1);
                }
            }
            Value::OneOf(some) => some.iter().for_each(|one| self.escape_at(one, depth + 1)),
            Value::Module(module)
                if !self.reach.modules.contains(module)
                    && self.loaded.get(&**module).is_some_and(|it| it.unit.is_some()) =>
            {
                self.reach.modules.push(Rc::clone(module));
                let mut names: Vec<Name> = self.reach.mentioned.iter().copied().collect();
                names.sort_unstable();
                for name in names {
                    self.asked_of_module(&Rc::clone(module), name);
                }
            }
            _ => {}
        }
    }

    fn asked_of_module(&mut self, module: &str, name: Name) {
        let unit = self.loaded.get(module).and_then(|loaded| loaded.unit);
        if let Some(value @ (Value::Func(_) | Value::Class(_))) =
            unit.and_then(|unit| self.units.get(unit)).and_then(|unit| unit.scope.get(name))
        {
            self.escape(&value);
        }
    }

    /// Reached code asks something that is not known for a name.
    pub(super) fn mention(&mut self, name: Name) {
        if self.later || !self.reach.mentioned.insert(name) {
            return;
        }
        for (object, class) in self.reach.waiting.remove(&name).unwrap_or_default() {
            self.asked(&object, &class, name);
        }
        for module in self.reach.modules.clone() {
            self.asked_of_module(&module, name);
        }
    }

    /// Names of methods that nobody asked for yet which begin so, of classes of one package.
    pub(super) fn waiting_names(&self, begin: &str, package: &str) -> Vec<Name> {
        let is_own = |class: &Rc<Class>| {
            let unit = self.units.get(class.unit);
            unit.is_some_and(|unit| unit.module.split('.').next() == Some(package))
        };
        let mut names: Vec<Name> = self
            .reach
            .waiting
            .iter()
            .filter(|(name, of)| {
                if begin.is_empty() {
                    of.iter().any(|(_, class)| is_own(class))
                } else {
                    self.text_of(**name).starts_with(begin)
                }
            })
            .map(|(name, _)| *name)
            .collect();
        names.sort_unstable();
        names
    }

    /// An object that somebody has is asked for a name of its class.
    fn asked(&mut self, object: &Value, class: &Rc<Class>, name: Name) {
        match class.names.get(name) {
            Some(Value::Func(func)) => {
                let func = if func.kind == FuncKind::Static { func } else { bind(&func, object.clone()) };
                self.may_run(&func);
            }
            Some(value) => self.escape(&value),
            None => {}
        }
    }

    /// Code that is not seen may make objects of a class.
    pub(super) fn live(&mut self, class: &Rc<Class>) {
        if class.live.replace(true) {
            return;
        }
        let any = Value::Instance(Rc::new(Instance {
            class: Rc::clone(class),
            names: RefCell::default(),
            escaped: Cell::new(true),
            any: true,
        }));
        self.names_of(class, &any, 0, true);
    }

    /// Code that is not seen has this object.
    fn live_as(&mut self, class: &Rc<Class>, object: &Value) {
        if class.live.get() {
            return;
        }
        self.names_of(class, object, 0, false);
        // Of many objects one stands for all.
        class.live.set(true);
    }

    fn names_of(&mut self, class: &Rc<Class>, object: &Value, depth: usize, made_there: bool) {
        let members: Vec<(Name, Value)> = super::call::sorted(&class.names);
        for (name, value) in members {
            if !matches!(value, Value::Func(_) | Value::Class(_) | Value::Instance(_)) {
                continue;
            }
            let text = self.text_of(name);
            let special = text.starts_with("__") && text.ends_with("__");
            let is_init =
                matches!(&*text, "__init__" | "__new__" | "__init_subclass__" | "__class_getitem__" | "__set_name__");
            if special && (!is_init || made_there) && text.as_ref() != "__init_subclass__"
                || class.open && !text.starts_with("__")
                || self.reach.mentioned.contains(&name)
            {
                self.asked(object, class, name);
            } else {
                self.reach.waiting.entry(name).or_default().push((object.clone(), Rc::clone(class)));
            }
        }
        if depth < 20 {
            for base in &class.bases {
                if let Value::Class(base) = base {
                    self.names_of(&Rc::clone(base), object, depth + 1, made_there);
                }
            }
        }
    }

    /// An object is made, or something is done with one that was made elsewhere: from now on the interpreter may call its special
    /// methods, and those that an enumeration has (`_missing_`).
    ///
    /// Too much in Python calls them to tell when: a key of a dictionary, a condition, text made of it, its end.
    pub(super) fn operated(&mut self, value: &Value) {
        let Value::Instance(instance) = value else { return };
        let class = Rc::clone(&instance.class);
        if !self.later && self.reach.operated.insert(class.names.id) {
            self.special_methods(&class, value, 0);
        }
    }

    fn special_methods(&mut self, class: &Class, object: &Value, depth: usize) {
        for (name, member) in super::call::sorted(&class.names) {
            let text = self.text_of(name);
            let is_special = text.len() > 2 && text.starts_with('_') && text.ends_with('_');
            // These are followed where they are called.
            let is_seen = matches!(
                &*text,
                "__init__" | "__new__" | "__call__" | "__enter__" | "__exit__" | "__getattr__" | "__init_subclass__"
            );
            if let (true, false, Value::Func(func)) = (is_special, is_seen, member) {
                self.may_run(&bind(&func, object.clone()));
            }
        }
        if depth < 20 {
            for base in &class.bases {
                if let Value::Class(base) = base {
                    self.special_methods(&Rc::clone(base), object, depth + 1);
                }
            }
        }
    }

    /// A function may be called by code that is not seen.
    pub(super) fn may_run(&mut self, func: &Rc<Func>) {
        if self.later {
            return;
        }
        let key = self.identity(func);
        if self.reach.queued.insert(key) {
            let since = self.reach.since.unwrap_or(self.out.reached.len());
            self.reach.queue.push((Rc::clone(func), since, false));
        }
    }

    /// What a function is known by when it may be called.
    fn identity(&self, func: &Func) -> Identity {
        let object = match &func.bound {
            Some(Value::Instance(instance)) => instance.class.names.id,
            _ => 0,
        };
        let module = self.units.get(func.unit).is_some_and(|unit| Rc::ptr_eq(&unit.scope, &func.scope));
        (func.unit, func.index, if module { 0 } else { func.scope.id }, object)
    }

    /// A call that is seen and is not followed now: later it is, with what all such calls of the function pass.
    pub(super) fn called_with(&mut self, func: &Rc<Func>, args: Args) {
        let key = self.identity(func);
        if self.later || self.reach.queued.contains(&key) {
            return self.escape_args(&args);
        }
        let (joined, grown) = match self.reach.passed.remove(&key) {
            None => (args, 0),
            Some((first, old, grown)) => {
                // One object stands for those of its class: what it has is not what they have.
                if let (Some(one @ Value::Instance(own)), Some(two @ Value::Instance(other))) =
                    (&first.bound, &func.bound)
                    && !Rc::ptr_eq(own, other)
                {
                    self.escape(one);
                    self.escape(two);
                }
                let same_names = old.named.len() == args.named.len()
                    && old.named.iter().zip(&args.named).all(|((one, _), (two, _))| one == two);
                if old.plain.len() != args.plain.len() || !same_names || old.open != args.open || grown > MOST_GROWN {
                    self.escape_args(&old);
                    self.escape_args(&args);
                    return self.may_run(func);
                }
                let before = self.key(func, &old);
                let mut joined = Args { open: old.open, ..Args::default() };
                for (one, two) in old.plain.into_iter().zip(args.plain) {
                    joined.plain.push(self.join(one, two));
                }
                for ((name, one), (_, two)) in old.named.into_iter().zip(args.named) {
                    joined.named.push((name, self.join(one, two)));
                }
                if self.key(func, &joined) == before {
                    self.reach.passed.insert(key, (first, joined, grown));
                    return;
                }
                (joined, grown + 1)
            }
        };
        self.reach.passed.insert(key, (Rc::clone(func), joined, grown));
        let since = self.reach.since.unwrap_or(self.out.reached.len());
        if !self.reach.queue.iter().any(|(queued, _, seen)| *seen && Rc::ptr_eq(queued, func)) {
            self.reach.queue.push((Rc::clone(func), since, true));
        }
    }

    /// Follows all functions that may be called.
    pub(super) fn drain(&mut self) {
        while let Some((func, since, is_seen)) = self.reach.queue.pop() {
            if self.steps >= super::STEPS {
                return;
            }
            self.reach.since = Some(since);
            let passed = if is_seen { self.reach.passed.get(&self.identity(&func)) } else { None };
            match passed.map(|(_, args, _)| args.clone()) {
                Some(args) => self.unseen_call(&func, Some(args)),
                None if is_seen => {}
                None => self.unseen_call(&func, None),
            }
            self.reach.since = None;
        }
    }

    /// Follows one function as code that is not seen would call it.
    fn unseen_call(&mut self, func: &Rc<Func>, passed: Option<Args>) {
        let Some(unit) = self.units.get(func.unit) else { return };
        let Some(function) = usize::try_from(func.index).ok().and_then(|at| unit.code.functions.get(at)) else {
            return;
        };
        let (file, line) = (unit.file.to_string(), function.line);
        let name =
            usize::try_from(function.name).ok().and_then(|at| unit.code.names.get(at)).cloned().unwrap_or_default();
        let is_method = func.bound.is_none() && func.kind != FuncKind::Static;
        let class = func.class.borrow().as_ref().and_then(std::rc::Weak::upgrade).filter(|_| is_method);
        let chain = std::mem::replace(&mut self.chain, unit.chain.clone());
        (self.certain, self.raises, self.may_have_ended) = (false, 0, false);
        let mut args = Args { open: true, ..Args::default() };
        if let Some(passed) = passed {
            args = passed;
        } else if let Some(class) = class {
            args.plain.push(Value::Instance(Rc::new(Instance {
                class,
                names: RefCell::default(),
                escaped: Cell::new(true),
                any: true,
            })));
        }
        let scope = self.scope(None);
        let frame = Frame::new(func.unit, scope);
        let before = self.out.reached.len();
        self.forced = true;
        if let Ok(value) = self.run_function(func, args, line, &frame) {
            self.escape(&value);
        }
        self.chain = chain;
        // What it reached it reached as a callback: that is an end of its own.
        let reached: Vec<String> = self
            .out
            .reached
            .iter()
            .skip(before)
            .filter(|reached| reached.via == Via::Seen)
            .map(|reached| reached.module.clone())
            .collect();
        if reached.is_empty() {
            return;
        }
        let index = self.out.open_ends.len();
        let what = format!("a function that may be called: {name}");
        self.out.open_ends.push(super::OpenEnd { file, line, what, may_reach: reached, meets: Vec::new() });
        for reached in self.out.reached.iter_mut().skip(before) {
            if reached.via == Via::Seen {
                reached.via = Via::Open(index);
            }
        }
    }

    /// Follows what functions of the loaded modules import if somebody calls them that was not seen.
    pub(super) fn follow_later(&mut self) {
        self.later = true;
        self.certain = false;
        for unit in 0..self.units.len() {
            self.lazy_imports(unit);
            self.imports_of_functions(unit);
        }
    }

    /// Imports of a module that nobody has looked at.
    fn lazy_imports(&mut self, unit: usize) {
        let Some(own) = self.units.get(unit) else { return };
        let (scope, chain) = (Rc::clone(&own.scope), own.chain.clone());
        let outer = std::mem::replace(&mut self.chain, chain);
        for (_, value) in super::call::sorted(&scope) {
            if let Value::Made(made) = value
                && &*made.what == "lazy import"
                && let (Some(base), Some(at)) =
                    (made.args.plain.first().and_then(Value::as_str), made.args.plain.get(3).and_then(Value::as_str))
            {
                self.linked(at.to_owned(), ImportKind::OnUse, base, false);
                if let Some(name) = made.args.plain.get(1).and_then(Value::as_str) {
                    let submodule = format!("{base}.{name}");
                    if self.world.has_own(&submodule) {
                        self.linked(at.to_owned(), ImportKind::OnUse, &submodule, false);
                    }
                }
            }
        }
        self.chain = outer;
    }

    /// Every import that stands in a function of a file.
    fn imports_of_functions(&mut self, unit: usize) {
        use gilaudit_model::program::Stmt;
        let Some(own) = self.units.get(unit) else { return };
        let (code, file, module, is_package) =
            (Rc::clone(&own.code), Rc::clone(&own.file), Rc::clone(&own.module), own.is_package);
        let chain = std::mem::replace(&mut self.chain, own.chain.clone());
        for function in &code.functions {
            let mut stack: Vec<&[Stmt]> = vec![&function.body];
            while let Some(block) = stack.pop() {
                for statement in block {
                    match statement {
                        Stmt::Import { names, line, .. } => {
                            for alias in names {
                                self.linked(format!("{file}:{line}"), ImportKind::Function, &alias.name, false);
                            }
                        }
                        Stmt::From { module: from, level, names, line, .. } => {
                            let base = match level {
                                0 => Some(from.clone()),
                                _ => super::import::absolute(&module, is_package, from, *level),
                            };
                            let Some(base) = base else { continue };
                            let at = format!("{file}:{line}");
                            self.linked(at.clone(), ImportKind::Function, &base, false);
                            for alias in names {
                                let submodule = format!("{base}.{}", alias.name);
                                if self.world.has_own(&submodule) {
                                    self.linked(at.clone(), ImportKind::Function, &submodule, false);
                                }
                            }
                        }
                        Stmt::If(_, one, two) | Stmt::While(_, one, two) | Stmt::For(_, _, one, two) => {
                            stack.extend([&one[..], &two[..]]);
                        }
                        Stmt::With(_, body) => stack.push(body),
                        Stmt::Try(one, handlers, two, three) => {
                            stack.extend([&one[..], &two[..], &three[..]]);
                            stack.extend(handlers.iter().map(|handler| &handler.body[..]));
                        }
                        Stmt::Match(_, cases) => stack.extend(cases.iter().map(|case| &case.body[..])),
                        _ => {}
                    }
                }
            }
        }
        self.chain = chain;
    }
}
