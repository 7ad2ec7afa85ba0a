//! Methods of texts, lists, dicts and of what the standard library makes.

use std::rc::Rc;

use super::super::value::{Args, Dict, Made, Seq, Value};
use super::expression::Eval;
use super::text;
use super::{ANY, Frame, Run};

impl Run<'_> {
    /// `object.name(args)` where the type of the object is not defined in Python.
    pub(super) fn call_method(&mut self, object: &Value, name: &str, args: Args, line: u32, frame: &mut Frame) -> Eval {
        match object {
            Value::Str(own) => self.text_method(&Rc::clone(own), name, args, frame),
            Value::Text(begin, imports) => {
                let value = match name {
                    "strip" | "rstrip" | "lower" | "replace" | "removesuffix" | "encode" | "format" | "rstrip_" => {
                        Value::Text(Rc::clone(begin), *imports)
                    }
                    "join" => self.joined(object, &args, frame),
                    "split" | "rsplit" | "partition" | "rpartition" | "splitlines" => Value::seq(Vec::new(), true),
                    _ => Value::Unknown,
                };
                Ok(value)
            }
            Value::Seq(seq) => self.seq_method(&Rc::clone(seq), name, args, line, frame),
            Value::Dict(dict) => self.dict_method(&Rc::clone(dict), name, args, line, frame),
            Value::Bytes(bytes) => Ok(match name {
                "decode" => Value::Str(Rc::clone(bytes)),
                _ => Value::Unknown,
            }),
            Value::Made(made) => self.made_method(&Rc::clone(made), object, name, args, line, frame),
            Value::Func(func) => match name {
                // `functools.singledispatch`: what is registered may be called by whoever calls the function.
                "register" => {
                    let last = args.plain.last().cloned();
                    match last {
                        Some(value @ Value::Func(_)) => {
                            self.escape(&value);
                            Ok(value)
                        }
                        _ => Ok(Value::made("register", Args::default())),
                    }
                }
                "setter" | "getter" | "deleter" => {
                    self.escape_args(&args);
                    Ok(Value::Func(Rc::clone(func)))
                }
                _ => Ok(Value::Unknown),
            },
            Value::Paused(_) => match name {
                "send" | "__next__" | "__anext__" => self.resume(object, frame),
                _ => {
                    self.escape(object);
                    Ok(Value::Unknown)
                }
            },
            Value::Instance(instance) if self.is_thread(&instance.class, 0) && name == "start" => {
                self.threads = true;
                if let Some(method) = self.method(instance, "run") {
                    self.call_back(&method, Args::default(), line, frame);
                } else {
                    let target = self.intern("target");
                    let own = instance.names.borrow().get(&target).cloned();
                    if let Some(target) = own {
                        self.call_back(&target, Args { open: true, ..Args::default() }, line, frame);
                    }
                }
                self.escape(object);
                Ok(Value::None)
            }
            _ => {
                self.escape_args(&args);
                self.raises |= ANY;
                Ok(Value::Unknown)
            }
        }
    }

    fn joined(&mut self, separator: &Value, args: &Args, frame: &mut Frame) -> Value {
        let Some(items) = args.plain.first() else { return Value::Unknown };
        let (items, open) = self.items(items, frame);
        if items.len() > 500 {
            return Value::Unknown;
        }
        let mut parts = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                parts.push(separator.clone());
            }
            parts.push(item);
        }
        if open {
            parts.push(Value::Unknown);
        }
        text::concat(&parts)
    }

    fn text_method(&mut self, own: &Rc<str>, name: &str, args: Args, frame: &mut Frame) -> Eval {
        let first = args.plain.first().cloned();
        let first_text = first.as_ref().and_then(Value::as_str).map(str::to_owned);
        let whole = Value::Str(Rc::clone(own));
        if let Some(Value::OneOf(some)) = &first {
            let mut result: Option<Value> = None;
            for one in some.iter() {
                let mut args = args.clone();
                if let Some(place) = args.plain.first_mut() {
                    *place = one.clone();
                }
                let value = self.text_method(own, name, args, frame)?;
                result = Some(match result.take() {
                    Some(old) => self.join(old, value),
                    None => value,
                });
            }
            return Ok(result.unwrap_or(Value::Unknown));
        }
        Ok(match name {
            "join" => self.joined(&whole, &args, frame),
            "format" | "format_map" => {
                let named = args.named.clone();
                let interned = |text: &str| self.interned.get(text).copied();
                let find = |field: &str| {
                    let name = interned(field)?;
                    named.iter().find(|(own, _)| *own == name).map(|(_, value)| value.clone())
                };
                text::format(own, &args.plain, &find)
            }
            "strip" if first.is_none() => Value::text(own.trim()),
            "rstrip" if first.is_none() => Value::text(own.trim_end()),
            "lstrip" if first.is_none() => Value::text(own.trim_start()),
            "strip" | "rstrip" | "lstrip" => match first_text {
                Some(letters) => {
                    let is = |letter: char| letters.contains(letter);
                    Value::text(match name {
                        "strip" => own.trim_matches(is),
                        "rstrip" => own.trim_end_matches(is),
                        _ => own.trim_start_matches(is),
                    })
                }
                None => Value::Unknown,
            },
            "lower" | "casefold" => Value::text(&own.to_lowercase()),
            "upper" => Value::text(&own.to_uppercase()),
            "capitalize" | "title" | "swapcase" => {
                let mut letters = own.chars();
                let first: String = letters.next().map(|it| it.to_uppercase().collect()).unwrap_or_default();
                if name == "capitalize" {
                    Value::text(&(first + &letters.as_str().to_lowercase()))
                } else {
                    Value::Unknown
                }
            }
            "replace" => match (first_text, args.plain.get(1).and_then(Value::as_str)) {
                (Some(from), Some(to)) if !from.is_empty() => Value::text(&own.replace(&from, to)),
                _ => Value::Unknown,
            },
            "removeprefix" => {
                first_text.map_or(Value::Unknown, |it| Value::text(own.strip_prefix(it.as_str()).unwrap_or(own)))
            }
            "removesuffix" => {
                first_text.map_or(Value::Unknown, |it| Value::text(own.strip_suffix(it.as_str()).unwrap_or(own)))
            }
            "startswith" | "endswith" => {
                let all: Vec<Option<String>> = match &first {
                    Some(Value::Seq(seq)) => {
                        seq.items.borrow().iter().map(|it| it.as_str().map(str::to_owned)).collect()
                    }
                    _ => vec![first_text],
                };
                let is = |part: &str| if name == "startswith" { own.starts_with(part) } else { own.ends_with(part) };
                if all.iter().flatten().any(|part| is(part)) {
                    Value::Bool(true)
                } else if all.iter().all(Option::is_some) {
                    Value::Bool(false)
                } else {
                    Value::Unknown
                }
            }
            "split" | "rsplit" => {
                let limit = args.plain.get(1).cloned().or_else(|| self.named(&args, "maxsplit"));
                let limit = match limit {
                    None => None,
                    Some(Value::Int(limit)) => usize::try_from(limit).ok(),
                    Some(_) => return Ok(Value::seq(Vec::new(), true)),
                };
                let parts: Vec<String> = match (&first_text, &first) {
                    (_, None | Some(Value::None)) => own.split_whitespace().map(str::to_owned).collect(),
                    (Some(separator), _) if !separator.is_empty() => {
                        let separator = separator.as_str();
                        match (limit, name) {
                            (Some(limit), "split") => own.splitn(limit + 1, separator).map(str::to_owned).collect(),
                            (Some(limit), _) => {
                                let mut parts: Vec<String> =
                                    own.rsplitn(limit + 1, separator).map(str::to_owned).collect();
                                parts.reverse();
                                parts
                            }
                            (None, _) => own.split(separator).map(str::to_owned).collect(),
                        }
                    }
                    _ => return Ok(Value::seq(Vec::new(), true)),
                };
                Value::seq(parts.iter().map(|part| Value::text(part)).collect(), false)
            }
            "partition" | "rpartition" => match first_text {
                Some(separator) if !separator.is_empty() => {
                    let separator = separator.as_str();
                    let (one, middle, two) = match name {
                        "partition" => {
                            own.split_once(separator).map_or((&**own, "", ""), |(one, two)| (one, separator, two))
                        }
                        _ => own.rsplit_once(separator).map_or(("", "", &**own), |(one, two)| (one, separator, two)),
                    };
                    Value::seq(vec![Value::text(one), Value::text(middle), Value::text(two)], false)
                }
                _ => Value::seq(Vec::new(), true),
            },
            "splitlines" => Value::seq(own.lines().map(Value::text).collect(), false),
            "encode" => Value::Bytes(Rc::clone(own)),
            "isidentifier" | "isdigit" | "isalpha" => Value::Unknown,
            _ => Value::Unknown,
        })
    }

    fn seq_method(&mut self, seq: &Rc<Seq>, name: &str, args: Args, line: u32, frame: &mut Frame) -> Eval {
        let first = args.plain.first().cloned();
        Ok(match name {
            "append" | "add" | "appendleft" => {
                if let Some(value) = first {
                    self.append(seq, value);
                }
                Value::None
            }
            "insert" => {
                if let Some(value) = args.plain.get(1) {
                    if self.is_certain() && !seq.open.get() && matches!(first, Some(Value::Int(0))) {
                        if seq.escaped.get() {
                            self.escape(value);
                        }
                        seq.items.borrow_mut().insert(0, value.clone());
                    } else {
                        self.append(seq, value.clone());
                        seq.open.set(true);
                    }
                }
                Value::None
            }
            "extend" | "update" => {
                if let Some(value) = first {
                    let (items, open) = self.items(&value, frame);
                    let items = Value::seq(items, open);
                    self.extend(seq, &items);
                }
                Value::None
            }
            "copy" => Value::seq(seq.items.borrow().clone(), seq.open.get()),
            "pop" | "popleft" => {
                let items = seq.items.borrow().clone();
                let exact = self.is_certain() && !seq.open.get() && first.is_none();
                if exact && !items.is_empty() {
                    let mut own = seq.items.borrow_mut();
                    let item = if name == "pop" { own.pop() } else { Some(own.remove(0)) };
                    return Ok(item.unwrap_or(Value::Unknown));
                }
                seq.open.set(true);
                items.into_iter().reduce(|one, two| self.join(one, two)).unwrap_or(Value::Unknown)
            }
            "union" | "intersection" | "difference" | "symmetric_difference" => {
                let mut items = seq.items.borrow().clone();
                for value in &args.plain {
                    items.extend(self.items(value, frame).0);
                }
                Value::seq(items, true)
            }
            "sort" => {
                let key = self.named(&args, "key");
                self.each_called(key.as_ref(), &Value::Seq(Rc::clone(seq)), line, frame);
                seq.open.set(seq.open.get() || seq.items.borrow().len() > 1);
                Value::None
            }
            "remove" | "discard" | "clear" | "reverse" | "rotate" => {
                seq.open.set(true);
                Value::None
            }
            "index" | "count" => Value::Unknown,
            "issubset" | "issuperset" | "isdisjoint" => Value::Unknown,
            // A named tuple, or a list that knows more.
            _ => {
                self.escape_args(&args);
                Value::Unknown
            }
        })
    }

    fn dict_method(&mut self, dict: &Rc<Dict>, name: &str, args: Args, line: u32, frame: &mut Frame) -> Eval {
        let first = args.plain.first().cloned();
        Ok(match name {
            "get" | "pop" | "setdefault" => {
                let default = args.plain.get(1).cloned().or_else(|| self.named(&args, "default"));
                let Some(index) = first else { return Ok(Value::Unknown) };
                let known = super::text::compare(
                    gilaudit_model::program::Comparison::In,
                    &index,
                    &Value::Dict(Rc::clone(dict)),
                );
                if name == "setdefault"
                    && known != Some(true)
                    && let Some(default) = &default
                {
                    self.set_item(&Value::Dict(Rc::clone(dict)), &index, default.clone());
                    if known == Some(false) {
                        return Ok(default.clone());
                    }
                }
                if known == Some(false) {
                    return Ok(default.unwrap_or(Value::None));
                }
                let may_be = |key: &Value| index.same(key) != Some(false);
                if !dict.others.get()
                    && dict.of_module.is_none()
                    && !dict.pairs.borrow().iter().any(|(key, _)| may_be(key))
                {
                    return Ok(default.unwrap_or(Value::None));
                }
                let raises = self.raises;
                let value = self.dict_item(dict, &index, line, frame).unwrap_or(Value::Unknown);
                self.raises = raises;
                if name == "pop" {
                    dict.open.set(true);
                }
                if known == Some(true) { value } else { self.join(value, default.unwrap_or(Value::None)) }
            }
            "items" => {
                let pairs = dict.pairs.borrow().clone();
                let items = pairs.into_iter().map(|(key, value)| Value::tuple(vec![key, value])).collect();
                like(dict, items)
            }
            "keys" => like(dict, dict.pairs.borrow().iter().map(|(key, _)| key.clone()).collect()),
            "values" => like(dict, dict.pairs.borrow().iter().map(|(_, value)| value.clone()).collect()),
            "update" => {
                match first {
                    Some(Value::Dict(other)) => {
                        let pairs = other.pairs.borrow().clone();
                        for (key, value) in pairs {
                            self.set_item(&Value::Dict(Rc::clone(dict)), &key, value);
                        }
                        if other.open.get() {
                            dict.open.set(true);
                            dict.others.set(dict.others.get() || other.others.get() || other.of_module.is_some());
                        }
                    }
                    Some(other) => {
                        let (items, _) = self.items(&other, frame);
                        dict.open.set(true);
                        dict.others.set(true);
                        for item in items {
                            if let Value::Seq(pair) = &item
                                && let [key, value] = pair.items.borrow().as_slice()
                            {
                                self.set_item(&Value::Dict(Rc::clone(dict)), key, value.clone());
                            } else {
                                self.escape(&item);
                            }
                        }
                    }
                    None => {}
                }
                for (key, value) in &args.named {
                    let key = Value::Str(self.text_of(*key));
                    self.set_item(&Value::Dict(Rc::clone(dict)), &key, value.clone());
                }
                Value::None
            }
            "copy" => {
                let pairs = dict.pairs.clone();
                let (open, others) = (dict.open.clone(), dict.others.clone());
                Value::Dict(Rc::new(Dict { pairs, open, others, ..Dict::default() }))
            }
            "clear" | "popitem" => {
                dict.open.set(true);
                Value::Unknown
            }
            _ => {
                self.escape_args(&args);
                Value::Unknown
            }
        })
    }

    /// A keyword argument.
    pub(super) fn named(&self, args: &Args, name: &str) -> Option<Value> {
        let name = self.interned.get(name)?;
        args.named.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone())
    }

    /// An argument by place or by name.
    pub(super) fn argument(&self, args: &Args, place: usize, name: &str) -> Option<Value> {
        args.plain.get(place).cloned().or_else(|| self.named(args, name))
    }

    /// Calls a function with every item of a value: `map`, `filter`, `sorted(key=…)`.
    pub(super) fn each_called(
        &mut self,
        function: Option<&Value>,
        items: &Value,
        line: u32,
        frame: &mut Frame,
    ) -> Value {
        let Some(function) = function.filter(|function| !matches!(function, Value::None)) else {
            return Value::seq(Vec::new(), true);
        };
        let (items, open) = self.items(items, frame);
        let mut results = Vec::new();
        for item in items.iter().take(64) {
            results.push(self.call_back(function, Args { plain: vec![item.clone()], ..Args::default() }, line, frame));
        }
        if open || items.len() > 64 {
            let certain = std::mem::replace(&mut self.certain, false);
            results.push(self.call_back(
                function,
                Args { plain: vec![Value::Unknown], ..Args::default() },
                line,
                frame,
            ));
            self.certain = certain;
        }
        Value::seq(results, open || items.len() > 64)
    }

    /// The attributes of what the standard library makes.
    pub(super) fn made_attribute(&mut self, made: &Rc<Made>, object: &Value, name: &str) -> Value {
        let part = |index: usize| made.args.plain.get(index).cloned().unwrap_or(Value::Unknown);
        match (&*made.what, name) {
            ("spec", "name") | ("enum member", "value" | "_value_") => part(0),
            ("spec", "parent") => part(1),
            ("spec", "origin") => part(2),
            ("spec", "loader") => Value::made("loader", made.args.clone()),
            ("file spec", "loader") => Value::made("file loader", made.args.clone()),
            ("file spec" | "file loader", "name") => part(0),
            ("file spec" | "file loader", "origin" | "path") => part(1),
            ("module info", "name") | ("entry point", "name") => part(1),
            ("module info", "ispkg") => part(2),
            ("entry point", "value") => part(2),
            ("entry point", "group") => part(3),
            ("entry point", "module") => match part(2) {
                Value::Str(value) => Value::text(value.split(':').next().unwrap_or_default()),
                other => other,
            },
            ("distribution", "entry_points") => Value::made("entry points", Args::default()),
            ("functools.partial", "func") => part(0),
            ("super", _) => {
                let (Value::Class(class), object) = (part(0), part(1)) else { return Value::Unknown };
                let name_of = self.intern(name);
                let found = self.next_attribute(&object, &class, name);
                match found {
                    Some(Value::Func(func)) => Value::Func(super::call::bind(&func, object)),
                    Some(value) => value,
                    None => {
                        let known = class.bases.iter().all(|base| matches!(base, Value::Std(_) | Value::Class(_)));
                        if !known {
                            self.mention(name_of);
                        }
                        Value::Method(Rc::new((
                            Value::made(
                                "super of the standard library",
                                Args { plain: vec![object], ..Args::default() },
                            ),
                            name.into(),
                        )))
                    }
                }
            }
            (path, "parent") if text::is_path(path) => match part(0) {
                Value::Str(path) => path_of(&text::folder(&text::normal(&path))),
                _ => path_of_unknown(),
            },
            (path, "parents") if text::is_path(path) => match part(0) {
                Value::Str(path) => {
                    let mut all = Vec::new();
                    let mut path = text::normal(&path);
                    for _ in 0..12 {
                        let folder = text::folder(&path);
                        if folder == path || folder.is_empty() {
                            break;
                        }
                        all.push(path_of(&folder));
                        path = folder;
                    }
                    Value::seq(all, true)
                }
                _ => Value::Unknown,
            },
            (path, "name" | "stem" | "suffix") if text::is_path(path) => match part(0) {
                Value::Str(path) => {
                    let own = text::name(&path);
                    let stem = own.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map_or(own, |(stem, _)| stem);
                    Value::text(match name {
                        "name" => own,
                        "stem" => stem,
                        _ => own.get(stem.len()..).unwrap_or_default(),
                    })
                }
                _ => Value::Unknown,
            },
            ("number", _) => Value::Unknown,
            _ => Value::Method(Rc::new((object.clone(), name.into()))),
        }
    }
}

/// What is taken of a dict, as far as that is known.
fn like(dict: &Dict, items: Vec<Value>) -> Value {
    let (open, others) = (dict.open.get() || dict.of_module.is_some(), dict.others.get() || dict.of_module.is_some());
    Value::Seq(Rc::new(Seq { items: items.into(), open: open.into(), others: others.into(), ..Seq::default() }))
}

pub(super) fn path_of(path: &str) -> Value {
    let path = if path.is_empty() { "." } else { path };
    Value::made("pathlib.Path", Args { plain: vec![Value::text(path)], ..Args::default() })
}

pub(super) fn path_of_unknown() -> Value {
    Value::made("pathlib.Path", Args { plain: vec![Value::Unknown], ..Args::default() })
}
