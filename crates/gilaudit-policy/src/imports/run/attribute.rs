//! Attributes and items of objects: what is looked up where, and what is stored.

use std::rc::Rc;

use gilaudit_model::ImportKind;

use super::super::value::{Args, Class, FuncKind, Instance, Name, Scope, Value};
use super::super::world::{Found, Node};
use super::call::bind;
use super::expression::Eval;
use super::{ANY, Failure, Flow, Frame, OTHER, Run};

impl Run<'_> {
    /// `object.name`.
    pub(super) fn attribute(&mut self, object: &Value, name: Name, line: u32, frame: &mut Frame) -> Eval {
        let text = self.text_of(name);
        Ok(match object {
            Value::Module(module) => return self.module_attribute(&Rc::clone(module), name, line, frame),
            Value::Std(what) => self.standard_attribute(what, &text),
            Value::Instance(instance) => return self.instance_attribute(instance, name, line, frame),
            Value::Class(class) => {
                if &*text == "__name__" || &*text == "__qualname__" {
                    return Ok(Value::Str(self.text_of(class.name)));
                }
                if &*text == "__module__" {
                    return Ok(self
                        .units
                        .get(class.unit)
                        .map_or(Value::Unknown, |unit| Value::Str(Rc::clone(&unit.module))));
                }
                match self.class_attribute(class, &text, 0) {
                    // A member is no text or number, even if it was made of one.
                    Some(value) if is_enum(class) && !matches!(value, Value::Func(_) | Value::Class(_)) => {
                        Value::made("enum member", Args { plain: vec![value], ..Args::default() })
                    }
                    Some(Value::Func(func)) if func.kind == FuncKind::ClassMethod => {
                        Value::Func(bind(&func, object.clone()))
                    }
                    Some(value) => value,
                    None => {
                        if let Some(Value::Class(meta)) = &class.metaclass {
                            let meta = Rc::clone(meta);
                            if let Some(Value::Func(func)) = self.class_attribute(&meta, &text, 0) {
                                return Ok(Value::Func(bind(&func, object.clone())));
                            }
                            if let Some(Value::Func(func)) = self.class_attribute(&meta, "__getattr__", 0) {
                                let func = bind(&func, object.clone());
                                let plain = vec![Value::Str(text)];
                                return self.call_function(&func, Args { plain, ..Args::default() }, line, frame);
                            }
                        }
                        self.mention(name);
                        Value::Unknown
                    }
                }
            }
            Value::Func(func) => match &*text {
                "__name__" | "__qualname__" => {
                    let unit = self.units.get(func.unit);
                    let own = unit
                        .and_then(|unit| unit.code.functions.get(usize::try_from(func.index).ok()?))
                        .map(|it| it.name);
                    own.map_or(Value::Unknown, |own| Value::Str(self.text_of(self.name_in(func.unit, own))))
                }
                "__module__" => {
                    self.units.get(func.unit).map_or(Value::Unknown, |unit| Value::Str(Rc::clone(&unit.module)))
                }
                "__func__" | "__wrapped__" => object.clone(),
                "__self__" => func.bound.clone().unwrap_or(Value::Unknown),
                "register" | "cache_clear" | "cache_info" | "dispatch" | "setter" | "getter" | "deleter" => {
                    Value::Method(Rc::new((object.clone(), text.as_ref().into())))
                }
                _ => Value::Unknown,
            },
            Value::Made(made) => self.made_attribute(made, object, &text),
            Value::Str(_)
            | Value::Text(..)
            | Value::Bytes(_)
            | Value::Seq(_)
            | Value::Dict(_)
            | Value::Method(_)
            | Value::Paused(_) => Value::Method(Rc::new((object.clone(), text.as_ref().into()))),
            Value::None if self.is_certain() && self.is_entry(frame) && !matches!(&*text, "__class__" | "__doc__") => {
                self.failed_at = Some((self.file_of(frame), line));
                return Err(Failure::Other);
            }
            Value::OneOf(some) => {
                let certain = std::mem::replace(&mut self.certain, false);
                let mut result: Option<Value> = None;
                for one in some.iter().filter(|one| !matches!(one, Value::None)) {
                    let value = match self.attribute(one, name, line, frame) {
                        Ok(value) => value,
                        Err(failure) => {
                            self.raises |= failure.bit();
                            Value::Unknown
                        }
                    };
                    result = Some(match result.take() {
                        Some(old) => self.join(old, value),
                        None => value,
                    });
                }
                self.certain = certain;
                result.unwrap_or(Value::Unknown)
            }
            Value::Compiled => Value::Compiled,
            Value::Unknown | Value::None | Value::Bool(_) | Value::Int(_) => {
                self.mention(name);
                self.raises |= OTHER;
                Value::Unknown
            }
        })
    }

    /// An attribute of a module: a name of it, a submodule that is loaded, or what its `__getattr__` gives.
    pub(super) fn module_attribute(&mut self, module: &Rc<str>, name: Name, line: u32, frame: &mut Frame) -> Eval {
        let text = self.text_of(name);
        if let Some(replaced) = self.replaced.get(&**module).cloned()
            && !matches!(&replaced, Value::Module(own) if own == module)
        {
            return self.attribute(&replaced, name, line, frame);
        }
        let submodule = format!("{module}.{text}");
        let Some(found) = self.world.find(module) else {
            if let Some(unit) = self.loaded.get(&**module).and_then(|loaded| loaded.unit) {
                return Ok(self.units.get(unit).and_then(|unit| unit.scope.get(name)).unwrap_or(Value::Unknown));
            }
            self.mention(name);
            return Ok(Value::Unknown);
        };
        let index = match *found {
            Found::Standard => return Ok(self.standard_attribute(module, &text)),
            Found::Namespace(_) => None,
            Found::Module(index) | Found::Package(index, _) => Some(index),
        };
        let loaded = self.loaded.get(&**module).copied();
        let unit = loaded.and_then(|loaded| loaded.unit);
        if let Some(unit) = unit {
            let own = self.units.get(unit).map(|unit| Rc::clone(&unit.scope));
            if let Some(scope) = own
                && let Some(value) = scope.get(name)
            {
                if let Value::Made(made) = &value
                    && &*made.what == "lazy import"
                {
                    return self.look_at_lazy(&scope, name, made, line, frame);
                }
                return Ok(value);
            }
        } else if let Some(Node::Extension(_)) = index.and_then(|index| self.world.node(index)) {
            return Ok(Value::Compiled);
        }
        match &*text {
            "__name__" => return Ok(Value::Str(Rc::clone(module))),
            "__path__" => return Ok(self.package_path(module)),
            "__dict__" => {
                let scope = unit.and_then(|unit| self.units.get(unit)).map(|unit| Rc::clone(&unit.scope));
                return Ok(Value::Dict(Rc::new(super::super::value::Dict { of_module: scope, ..Default::default() })));
            }
            "__file__" | "__spec__" | "__loader__" | "__doc__" | "__package__" | "__class__" | "__version__" => {
                return Ok(Value::Unknown);
            }
            _ => {}
        }
        if self.loaded.contains_key(&submodule) || self.replaced.contains_key(&submodule) {
            return Ok(Value::Module(submodule.into()));
        }
        if let Some(unit) = unit {
            let getattr = self.intern("__getattr__");
            if let Some(Value::Func(func)) = self.units.get(unit).and_then(|unit| unit.scope.get(getattr)) {
                let at = format!("{}:{line}", self.file_of(frame));
                self.chain.push(super::Link { at, kind: ImportKind::Lazy, module: module.to_string() });
                let result = self.call_function(
                    &func,
                    Args { plain: vec![Value::Str(Rc::clone(&text))], ..Args::default() },
                    line,
                    frame,
                );
                self.chain.pop();
                let value = result?;
                if matches!(value, Value::Unknown)
                    && self.world.find(&submodule).is_some()
                    && self.loaded.contains_key(&submodule)
                {
                    return Ok(Value::Module(submodule.into()));
                }
                return Ok(value);
            }
        }
        // A submodule that something else may have loaded, or a name that is set in ways that are not seen.
        self.mention(name);
        self.raises |= OTHER;
        if self.world.find(&submodule).is_some() && loaded.is_some_and(|loaded| loaded.running) {
            return Ok(Value::Module(submodule.into()));
        }
        Ok(Value::Unknown)
    }

    fn instance_attribute(&mut self, instance: &Rc<Instance>, name: Name, line: u32, frame: &mut Frame) -> Eval {
        let text = self.text_of(name);
        let own = instance.names.borrow().get(&name).cloned();
        if let Some(value) = own {
            return Ok(if instance.any || instance.escaped.get() { value.or(Value::Unknown) } else { value });
        }
        let object = Value::Instance(Rc::clone(instance));
        match self.class_attribute(&instance.class, &text, 0) {
            Some(Value::Func(func)) => match func.kind {
                FuncKind::Property => {
                    let getter = bind(&func, object);
                    return self.call_function(&getter, Args::default(), line, frame);
                }
                FuncKind::ClassMethod => return Ok(Value::Func(bind(&func, Value::Class(Rc::clone(&instance.class))))),
                _ => return Ok(Value::Func(bind(&func, object))),
            },
            Some(Value::Instance(descriptor)) if self.method(&descriptor, "__get__").is_some() => {
                if let Some(get) = self.method(&descriptor, "__get__") {
                    let plain = vec![object, Value::Class(Rc::clone(&instance.class))];
                    return self.call(&get, Args { plain, ..Args::default() }, line, frame);
                }
            }
            // What is set on the class, an object may have changed.
            Some(value) => {
                return Ok(if instance.any || instance.escaped.get() { value.or(Value::Unknown) } else { value });
            }
            None => {}
        }
        match &*text {
            "__class__" => return Ok(Value::Class(Rc::clone(&instance.class))),
            "__dict__" => return Ok(Value::Unknown),
            "start" | "join" | "daemon" | "run" if self.is_thread(&instance.class, 0) => {
                return Ok(Value::Method(Rc::new((object, text.as_ref().into()))));
            }
            _ => {}
        }
        if let Some(Value::Func(getattr)) = self.class_attribute(&instance.class, "__getattr__", 0) {
            let getattr = bind(&getattr, object);
            return self.call_function(
                &getattr,
                Args { plain: vec![Value::Str(text)], ..Args::default() },
                line,
                frame,
            );
        }
        self.mention(name);
        self.raises |= OTHER;
        Ok(Value::Unknown)
    }

    /// What a class or its bases have under a name.
    pub(super) fn class_attribute(&mut self, class: &Rc<Class>, name: &str, depth: usize) -> Option<Value> {
        let name_of = self.intern(name);
        if let Some(value) = class.names.get(name_of) {
            return Some(value);
        }
        if depth > 40 {
            return None;
        }
        class.bases.iter().find_map(|base| match base {
            Value::Class(base) => self.class_attribute(base, name, depth + 1),
            _ => None,
        })
    }

    /// A method of an object, bound to it.
    pub(super) fn method(&mut self, instance: &Rc<Instance>, name: &str) -> Option<Value> {
        let value = self.class_attribute(&instance.class, name, 0)?;
        Some(match value {
            Value::Func(func) => Value::Func(bind(&func, Value::Instance(Rc::clone(instance)))),
            other => other,
        })
    }

    pub(super) fn set_attribute(&mut self, object: &Value, name: Name, value: Value, line: u32, frame: &mut Frame) {
        match object {
            Value::Instance(instance) => {
                let text = self.text_of(name);
                if let Some(Value::Func(setter)) = self.class_attribute(&instance.class, "__setattr__", 0) {
                    let setter = bind(&setter, object.clone());
                    let plain = vec![Value::Str(text), value.clone()];
                    if let Err(failure) = self.call_function(&setter, Args { plain, ..Args::default() }, line, frame) {
                        self.raises |= failure.bit();
                    }
                }
                if instance.escaped.get() || instance.any {
                    self.escape(&value);
                }
                let old = instance.names.borrow().get(&name).cloned();
                let weak = !self.is_certain() || instance.any;
                let value = match old.filter(|_| weak) {
                    Some(old) => self.join(old, value),
                    None => value,
                };
                instance.names.borrow_mut().insert(name, value);
            }
            Value::Class(class) => {
                if class.live.get() {
                    self.escape(&value);
                }
                let names = Rc::clone(&class.names);
                self.set_in(&names, name, value);
            }
            Value::Module(module) => {
                let unit = self.loaded.get(&**module).and_then(|loaded| loaded.unit);
                let scope = unit.and_then(|unit| self.units.get(unit)).map(|unit| Rc::clone(&unit.scope));
                match scope {
                    Some(scope) => self.set_in(&scope, name, value),
                    // A function put into the standard library or a compiled module is called by it.
                    None => self.escape(&value),
                }
            }
            Value::OneOf(some) => {
                for one in some.iter() {
                    self.set_attribute(one, name, value.clone(), line, frame);
                }
            }
            Value::Std(what) if matches!(&**what, "sys") => {
                if matches!(&*self.text_of(name), "path" | "modules" | "meta_path" | "path_hooks") {
                    self.edits = true;
                }
                self.escape(&value);
            }
            Value::Func(_) => {
                // `function.attribute = …` calls nothing.
                if !value.is_inert() {
                    self.escape(&value);
                }
            }
            _ => self.escape(&value),
        }
    }

    fn set_in(&mut self, scope: &Rc<Scope>, name: Name, value: Value) {
        let value = match scope.get(name).filter(|_| !self.is_certain()) {
            Some(old) => self.join(old, value),
            None => value,
        };
        self.store(scope, name, Some(value));
    }

    /// `object[index]`.
    pub(super) fn subscript(&mut self, object: &Value, index: &Value, line: u32, frame: &mut Frame) -> Eval {
        Ok(match object {
            Value::Seq(seq) => match index {
                Value::Int(at) if !seq.open.get() => {
                    let items = seq.items.borrow();
                    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
                    let at = if *at < 0 { at.saturating_add(length) } else { *at };
                    match usize::try_from(at).ok().and_then(|at| items.get(at)) {
                        Some(item) => item.clone(),
                        None => {
                            drop(items);
                            self.raises |= OTHER;
                            if !self.is_entry(frame) {
                                return Ok(Value::Unknown);
                            }
                            self.failed_at = Some((self.file_of(frame), line));
                            return Err(Failure::Other);
                        }
                    }
                }
                Value::Made(made) if &*made.what == "slice" && !seq.open.get() => {
                    let items = seq.items.borrow();
                    let (start, end) = (made.args.plain.first(), made.args.plain.get(1));
                    let place = |bound: Option<&Value>, missing: usize| match bound {
                        Some(Value::None) | None => Some(missing),
                        Some(Value::Int(at)) if *at >= 0 => usize::try_from(*at).ok(),
                        Some(Value::Int(at)) => {
                            Some(items.len().saturating_sub(usize::try_from(at.unsigned_abs()).ok()?))
                        }
                        _ => None,
                    };
                    match (place(start, 0), place(end, items.len())) {
                        (Some(start), Some(end)) if matches!(made.args.plain.get(2), Some(Value::None) | None) => {
                            let end = end.min(items.len());
                            Value::seq(items.get(start.min(end)..end).unwrap_or_default().to_vec(), false)
                        }
                        _ => Value::seq(items.clone(), true),
                    }
                }
                Value::Made(made) if &*made.what == "slice" => Value::seq(seq.items.borrow().clone(), true),
                _ => {
                    let items = seq.items.borrow().clone();
                    let open = seq.open.get();
                    let any = items.into_iter().reduce(|one, two| self.join(one, two)).unwrap_or(Value::Unknown);
                    if open && seq.others.get() { any.or(Value::Unknown) } else { any }
                }
            },
            Value::Dict(dict) => return self.dict_item(dict, index, line, frame),
            Value::Str(text) => match index {
                Value::Made(made) if &*made.what == "slice" => sliced(text, &made.args.plain),
                Value::Int(at) => {
                    let letters: Vec<char> = text.chars().collect();
                    let length = i64::try_from(letters.len()).unwrap_or(i64::MAX);
                    let at = if *at < 0 { at.saturating_add(length) } else { *at };
                    match usize::try_from(at).ok().and_then(|at| letters.get(at)) {
                        Some(letter) => Value::text(&letter.to_string()),
                        None if self.is_entry(frame) => return Err(Failure::Other),
                        None => Value::Unknown,
                    }
                }
                _ => Value::Unknown,
            },
            Value::Std(what) => return self.standard_item(&Rc::clone(what), index, line, frame),
            Value::Instance(instance) => match self.method(instance, "__getitem__") {
                Some(method) => {
                    return self.call(&method, Args { plain: vec![index.clone()], ..Args::default() }, line, frame);
                }
                None => Value::Unknown,
            },
            // `Generic[T]`.
            Value::Class(class) => {
                if let Some(Value::Func(func)) = self.class_attribute(class, "__class_getitem__", 0) {
                    let func = bind(&func, object.clone());
                    self.call_function(&func, Args { plain: vec![index.clone()], ..Args::default() }, line, frame)?;
                }
                object.clone()
            }
            Value::Made(made) => self.made_item(made, index),
            Value::OneOf(some) => {
                let certain = std::mem::replace(&mut self.certain, false);
                let mut result: Option<Value> = None;
                for one in some.iter() {
                    let value = self.subscript(one, index, line, frame).unwrap_or(Value::Unknown);
                    result = Some(match result.take() {
                        Some(old) => self.join(old, value),
                        None => value,
                    });
                }
                self.certain = certain;
                result.unwrap_or(Value::Unknown)
            }
            Value::None if self.is_certain() && self.is_entry(frame) => {
                self.failed_at = Some((self.file_of(frame), line));
                return Err(Failure::Other);
            }
            _ => {
                self.raises |= OTHER;
                Value::Unknown
            }
        })
    }

    pub(super) fn dict_item(
        &mut self,
        dict: &super::super::value::Dict,
        index: &Value,
        line: u32,
        frame: &Frame,
    ) -> Eval {
        if let (Some(scope), Some(name)) = (&dict.of_module, index.as_str()) {
            let name = self.intern(name);
            return Ok(scope.get(name).unwrap_or(Value::Unknown));
        }
        if dict.of_module.is_some() {
            self.raises |= ANY;
            return Ok(Value::Unknown);
        }
        let pairs = dict.pairs.borrow().clone();
        let mut any: Option<Value> = None;
        for (key, value) in pairs.iter().rev() {
            match index.same(key) {
                Some(true) => {
                    let value = value.clone();
                    return Ok(match any.take() {
                        Some(other) => self.join(other, value),
                        None => value,
                    });
                }
                Some(false) => {}
                None => {
                    any = Some(match any.take() {
                        Some(other) => self.join(other, value.clone()),
                        None => value.clone(),
                    });
                }
            }
        }
        match any {
            Some(value) => Ok(if dict.others.get() { value.or(Value::Unknown) } else { value }),
            None if dict.open.get() || pairs.is_empty() && !self.is_certain() => Ok(Value::Unknown),
            None => {
                self.failed_at = Some((self.file_of(frame), line));
                self.raises |= OTHER;
                if self.is_certain() && self.is_entry(frame) { Err(Failure::Other) } else { Ok(Value::Unknown) }
            }
        }
    }

    pub(super) fn set_item(&mut self, object: &Value, index: &Value, value: Value) {
        match object {
            Value::Dict(dict) => {
                if let Some(scope) = &dict.of_module {
                    let scope = Rc::clone(scope);
                    match index.as_str() {
                        Some(name) => {
                            let name = self.intern(name);
                            self.set_in(&scope, name, value);
                        }
                        None => self.escape(&value),
                    }
                    return;
                }
                if dict.escaped.get() {
                    self.escape(&value);
                }
                let certain = self.is_certain() && !matches!(index, Value::Unknown | Value::OneOf(_) | Value::Text(..));
                if !certain {
                    dict.open.set(true);
                }
                let mut pairs = dict.pairs.borrow_mut();
                if certain {
                    pairs.retain(|(key, _)| key.same(index) != Some(true));
                }
                let known =
                    pairs.iter().any(|(key, old)| key.same(index) == Some(true) && old.same(&value) == Some(true));
                if pairs.len() < 5_000 && !known {
                    pairs.push((index.clone(), value));
                } else {
                    let is_full = !known;
                    drop(pairs);
                    dict.open.set(true);
                    dict.others.set(dict.others.get() || is_full);
                    self.escape(&value);
                }
            }
            Value::Seq(seq) => {
                if seq.escaped.get() {
                    self.escape(&value);
                }
                seq.open.set(true);
                if seq.items.borrow().len() < 5_000 {
                    seq.items.borrow_mut().push(value);
                } else {
                    seq.others.set(true);
                    self.escape(&value);
                }
            }
            Value::Std(what) if &**what == "sys.modules" => self.set_module(index, value),
            Value::Instance(instance) => {
                if let Some(method) = self.method(instance, "__setitem__") {
                    let args = Args { plain: vec![index.clone(), value.clone()], ..Args::default() };
                    self.call_quietly(&method, args);
                } else {
                    self.escape(&value);
                }
            }
            _ => self.escape(&value),
        }
    }

    /// Calls something in a frame of its own, where the caller has none at hand.
    pub(super) fn call_quietly(&mut self, callee: &Value, args: Args) {
        let scope = self.scope(None);
        let mut frame = Frame::new(usize::MAX, scope);
        if let Err(failure) = self.call(callee, args, 0, &mut frame) {
            self.raises |= failure.bit();
        }
        let _ = Flow::Next;
    }

    /// The items that a value gives when it is gone through, and whether there may be others.
    pub(super) fn items(&mut self, value: &Value, frame: &mut Frame) -> (Vec<Value>, bool) {
        match value {
            Value::Paused(_) => match self.resume(value, frame) {
                Ok(Value::Seq(seq)) => (seq.items.borrow().clone(), true),
                _ => (Vec::new(), true),
            },
            Value::Instance(instance) => {
                if let Some(method) = self.method(instance, "__iter__") {
                    match self.call(&method, Args::default(), 0, frame) {
                        Ok(Value::Instance(other)) if !Rc::ptr_eq(&other, instance) => {
                            let next = self.method(&other, "__next__");
                            let item = next.and_then(|next| self.call(&next, Args::default(), 0, frame).ok());
                            return (item.into_iter().collect(), true);
                        }
                        Ok(Value::Instance(_)) => {
                            let next = self.method(instance, "__next__");
                            let item = next.and_then(|next| self.call(&next, Args::default(), 0, frame).ok());
                            return (item.into_iter().collect(), true);
                        }
                        Ok(made) => return self.items(&made, frame),
                        Err(failure) => self.raises |= failure.bit(),
                    }
                }
                (Vec::new(), true)
            }
            Value::OneOf(some) => {
                let mut all = Vec::new();
                for one in some.iter() {
                    all.extend(self.items(one, frame).0);
                }
                (all, true)
            }
            other => self.known_items(other),
        }
    }

    /// The same for what runs nothing when it is gone through.
    pub(super) fn known_items(&mut self, value: &Value) -> (Vec<Value>, bool) {
        match value {
            Value::Seq(seq) => (seq.items.borrow().clone(), seq.open.get()),
            Value::Dict(dict) if dict.of_module.is_none() => {
                (dict.pairs.borrow().iter().map(|(key, _)| key.clone()).collect(), dict.open.get())
            }
            Value::Str(text) if text.len() <= 64 => {
                (text.chars().map(|letter| Value::text(&letter.to_string())).collect(), false)
            }
            Value::Made(made) => self.made_items(made),
            _ => (Vec::new(), true),
        }
    }

    pub(super) fn extend(&mut self, seq: &super::super::value::Seq, value: &Value) {
        let (items, open) = self.known_items(value);
        let certain = self.is_certain();
        for item in items {
            self.append(seq, item);
        }
        if open || !certain {
            seq.open.set(true);
        }
        if open && value.has_others() {
            seq.others.set(true);
        }
    }

    pub(super) fn append(&mut self, seq: &super::super::value::Seq, value: Value) {
        if seq.escaped.get() {
            self.escape(&value);
        }
        if !self.is_certain() {
            seq.open.set(true);
        }
        let length = seq.items.borrow().len();
        if length < 5_000 {
            seq.items.borrow_mut().push(value);
        } else {
            seq.open.set(true);
            seq.others.set(true);
            self.escape(&value);
        }
    }
}

/// Whether a class is an enumeration.
fn is_enum(class: &Rc<Class>) -> bool {
    let all = super::kinds::order(class);
    all.iter().flat_map(|one| &one.bases).any(|base| matches!(base, Value::Std(name) if name.starts_with("enum.")))
}

fn sliced(text: &str, bounds: &[Value]) -> Value {
    let letters: Vec<char> = text.chars().collect();
    let place = |bound: Option<&Value>, missing: usize| match bound {
        Some(Value::None) | None => Some(missing),
        Some(Value::Int(at)) if *at >= 0 => usize::try_from(*at).ok().map(|at| at.min(letters.len())),
        Some(Value::Int(at)) => Some(letters.len().saturating_sub(usize::try_from(at.unsigned_abs()).ok()?)),
        _ => None,
    };
    match (place(bounds.first(), 0), place(bounds.get(1), letters.len()), bounds.get(2)) {
        (Some(start), Some(end), Some(Value::None) | None) => {
            Value::text(&letters.get(start.min(end)..end).unwrap_or_default().iter().collect::<String>())
        }
        _ => Value::Unknown,
    }
}
