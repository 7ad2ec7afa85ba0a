//! Built-in functions.

use std::rc::Rc;

use gilaudit_model::program::Program;

use super::super::value::{Args, Value};
use super::expression::Eval;
use super::text::{self, is_path};
use super::{ANY, Failure, Frame, OTHER, Run};

impl Run<'_> {
    pub(super) fn call_builtin(&mut self, name: &str, args: Args, line: u32, frame: &mut Frame) -> Eval {
        let first = args.plain.first().cloned();
        Ok(match name {
            "__import__" => {
                let module = self.argument(&args, 0, "name").unwrap_or(Value::Unknown);
                let level = self.argument(&args, 4, "level");
                let module = match (level, &module) {
                    (Some(Value::Int(level)), Value::Str(name)) if level > 0 => {
                        let unit = self.units.get(frame.unit);
                        let level = u32::try_from(level).unwrap_or(1);
                        let whole =
                            unit.and_then(|unit| super::import::absolute(&unit.module, unit.is_package, name, level));
                        whole.map_or(Value::Unknown, |name| Value::text(&name))
                    }
                    _ => module,
                };
                self.import_by_value(&module, line, "computed name", frame)?;
                let from = self.argument(&args, 3, "fromlist");
                match (&module, from) {
                    (Value::Str(name), None | Some(Value::None)) => {
                        self.bound_module(name.split('.').next().unwrap_or_default())
                    }
                    (Value::Str(name), Some(from)) => {
                        let (items, open) = self.known_items(&from);
                        if !open && items.is_empty() {
                            return Ok(self.bound_module(name.split('.').next().unwrap_or_default()));
                        }
                        let at = format!("{}:{line}", self.file_of(frame));
                        for item in items {
                            if let Some(item) = item.as_str().filter(|item| !item.is_empty() && *item != "*") {
                                let kind = self.kind_of(frame);
                                self.attribute_from(name, item, (&at, line), kind, frame)?;
                            }
                        }
                        self.bound_module(name)
                    }
                    _ => Value::Unknown,
                }
            }
            "getattr" | "hasattr" => {
                let object = first.unwrap_or(Value::Unknown);
                let default = args.plain.get(2).cloned();
                let asked = args.plain.get(1).cloned().unwrap_or(Value::Unknown);
                let Value::Str(text) = &asked else {
                    match (&asked, &object) {
                        (Value::OneOf(some), _) if some.iter().all(|one| matches!(one, Value::Str(_))) => {
                            let certain = std::mem::replace(&mut self.certain, false);
                            let mut result: Option<Value> = None;
                            for one in some.iter() {
                                let name_of = self.intern(one.as_str().unwrap_or_default());
                                let value = self.attribute(&object, name_of, line, frame).unwrap_or(Value::Unknown);
                                result = Some(match result.take() {
                                    Some(old) => self.join(old, value),
                                    None => value,
                                });
                            }
                            self.certain = certain;
                            return Ok(if name == "hasattr" {
                                Value::Unknown
                            } else {
                                result.unwrap_or(Value::Unknown)
                            });
                        }
                        (Value::Text(begin, _), _) => {
                            self.escape_all(&object, begin);
                            self.mention_all(begin, frame);
                        }
                        (_, Value::Unknown) => self.mention_all("", frame),
                        _ => self.escape_all(&object, ""),
                    }
                    if let Some(default) = default {
                        self.escape(&default);
                    }
                    self.raises |= OTHER;
                    return Ok(Value::Unknown);
                };
                let name_of = self.intern(text);
                if let Value::Std(what) = &object {
                    let value = self.standard_attribute(what, text);
                    return Ok(if name == "hasattr" { Value::Unknown } else { value });
                }
                let there = self.has_attribute(&object, name_of);
                if there == Some(false) {
                    return match (name, default) {
                        ("hasattr", _) => Ok(Value::Bool(false)),
                        (_, Some(default)) => Ok(default),
                        _ if self.is_entry(frame) => {
                            self.failed_at = Some((self.file_of(frame), line));
                            Err(Failure::Other)
                        }
                        _ => Ok(Value::Unknown),
                    };
                }
                let raises = self.raises;
                let value = match self.attribute(&object, name_of, line, frame) {
                    Ok(value) => value,
                    Err(Failure::Other) => default.clone().unwrap_or(Value::Unknown),
                    Err(failure) => return Err(failure),
                };
                self.raises = raises | self.raises & !OTHER;
                if name == "hasattr" {
                    return Ok(there.map_or(Value::Unknown, Value::Bool));
                }
                match (value, default) {
                    (value, Some(default)) if there.is_none() => self.join(value, default),
                    (value, _) => value,
                }
            }
            "setattr" => {
                let object = first.unwrap_or(Value::Unknown);
                let value = args.plain.get(2).cloned().unwrap_or(Value::Unknown);
                match args.plain.get(1).and_then(Value::as_str) {
                    Some(text) => {
                        let name = self.intern(text);
                        self.set_attribute(&object, name, value, line, frame);
                    }
                    None => self.escape(&value),
                }
                Value::None
            }
            "exec" => {
                let code = first.unwrap_or(Value::Unknown);
                let names = self.argument(&args, 1, "globals");
                self.code_as_data(&code, names.as_ref(), line, frame)?;
                Value::None
            }
            "eval" => {
                let code = first.unwrap_or(Value::Unknown);
                let names = self.argument(&args, 1, "globals");
                return self.code_as_data(&code, names.as_ref(), line, frame);
            }
            "compile" => {
                Value::made("compile", Args { plain: vec![first.unwrap_or(Value::Unknown)], ..Args::default() })
            }
            "exit" | "quit" => return Err(Failure::Exit),
            "len" => match &first {
                Some(Value::Seq(seq)) if !seq.open.get() => {
                    Value::Int(i64::try_from(seq.items.borrow().len()).unwrap_or(0))
                }
                Some(Value::Dict(dict)) if !dict.open.get() && dict.of_module.is_none() => {
                    Value::Int(i64::try_from(dict.pairs.borrow().len()).unwrap_or(0))
                }
                Some(Value::Str(text)) => Value::Int(i64::try_from(text.chars().count()).unwrap_or(0)),
                Some(other) => {
                    self.operated(other);
                    Value::Unknown
                }
                None => Value::Unknown,
            },
            "str" | "repr" | "ascii" | "format" => match first {
                None => Value::text(""),
                Some(value @ (Value::Str(_) | Value::Int(_) | Value::None | Value::Bool(_) | Value::Text(..)))
                    if name == "str" =>
                {
                    text::concat(&[value])
                }
                Some(Value::Made(made)) if name == "str" && is_path(&made.what) => {
                    made.args.plain.first().cloned().unwrap_or(Value::Unknown)
                }
                Some(other) => {
                    self.operated(&other);
                    Value::Unknown
                }
            },
            "int" | "float" => match &first {
                Some(Value::Str(text))
                    if text.trim().parse::<f64>().is_err()
                        && self.is_certain()
                        && self.is_entry(frame)
                        && args.plain.len() == 1
                        && !text.contains('_') =>
                {
                    self.failed_at = Some((self.file_of(frame), line));
                    return Err(Failure::Other);
                }
                Some(Value::Int(_)) if name == "int" => first.unwrap_or(Value::Unknown),
                _ => Value::Unknown,
            },
            "bool" => match first.as_ref().and_then(Value::truth) {
                Some(truth) => Value::Bool(truth),
                None => Value::Unknown,
            },
            // Until it gives the second argument, the first is called.
            "iter" if args.plain.len() > 1 => {
                if let Some(callable) = &first {
                    self.call_back(callable, Args::default(), line, frame);
                }
                Value::seq(Vec::new(), true)
            }
            "list" | "tuple" | "set" | "frozenset" | "iter" | "reversed" | "sorted" | "enumerate" => match first {
                None => Value::seq(Vec::new(), false),
                Some(value) => {
                    let (items, open) = self.items(&value, frame);
                    let key = self.named(&args, "key");
                    let list = Value::seq(items.clone(), open);
                    if name == "sorted" && key.is_some() {
                        self.each_called(key.as_ref(), &list, line, frame);
                    }
                    if name == "enumerate" {
                        let pair = |(index, item): (usize, Value)| {
                            Value::seq(vec![Value::Int(i64::try_from(index).unwrap_or(0)), item], false)
                        };
                        let start = args.plain.get(1).is_some() || self.named(&args, "start").is_some();
                        let all = items.into_iter().enumerate().map(pair).collect();
                        return Ok(Value::seq(all, open || start));
                    }
                    list
                }
            },
            "zip" => {
                let mut columns = Vec::new();
                let mut open = false;
                for value in &args.plain {
                    let (items, more) = self.items(value, frame);
                    open |= more;
                    columns.push(items);
                }
                let shortest = columns.iter().map(Vec::len).min().unwrap_or(0);
                let row = |at: usize| {
                    Value::seq(columns.iter().filter_map(|column| column.get(at).cloned()).collect(), false)
                };
                if open {
                    columns.iter().flatten().for_each(|value| self.escape(value));
                }
                Value::seq((0..shortest.min(400)).map(row).collect(), open)
            }
            "map" | "filter" => Value::made(name, args),
            "next" => {
                let value = first.unwrap_or(Value::Unknown);
                let (items, open) = self.items(&value, frame);
                let item = if open {
                    items.into_iter().reduce(|one, two| self.join(one, two)).unwrap_or(Value::Unknown)
                } else {
                    items.into_iter().next().unwrap_or(Value::Unknown)
                };
                match args.plain.get(1) {
                    Some(default) if open => self.join(item, default.clone()),
                    _ => item,
                }
            }
            "min" | "max" | "sum" | "any" | "all" => {
                let key = self.named(&args, "key");
                let mut all = Vec::new();
                for value in &args.plain {
                    all.extend(self.items(value, frame).0);
                }
                if key.is_some() {
                    let items = Value::seq(all.clone(), false);
                    self.each_called(key.as_ref(), &items, line, frame);
                }
                if matches!(name, "any" | "all") {
                    return Ok(Value::Unknown);
                }
                all.into_iter()
                    .reduce(|one, two| self.join(one, two))
                    .map_or(Value::Unknown, |any| any.or(Value::Unknown))
            }
            "dict" => match &first {
                Some(Value::Dict(dict)) => {
                    let mut pairs = dict.pairs.borrow().clone();
                    pairs.extend(args.named.iter().map(|(key, value)| (Value::Str(self.text_of(*key)), value.clone())));
                    Value::dict(pairs, dict.open.get() || args.open)
                }
                None => {
                    let pairs =
                        args.named.iter().map(|(key, value)| (Value::Str(self.text_of(*key)), value.clone())).collect();
                    Value::dict(pairs, args.open)
                }
                Some(other) => {
                    let (items, open) = self.items(other, frame);
                    let pair = |item: &Value| match item {
                        Value::Seq(seq) => match seq.items.borrow().as_slice() {
                            [key, value] => Some((key.clone(), value.clone())),
                            _ => None,
                        },
                        _ => None,
                    };
                    let pairs: Vec<(Value, Value)> = items.iter().filter_map(pair).collect();
                    let open = open || pairs.len() < items.len();
                    Value::dict(pairs, open)
                }
            },
            "range" => match (args.plain.as_slice(), &first) {
                ([_], Some(Value::Int(count))) if *count <= 64 => {
                    Value::seq((0..*count).map(Value::Int).collect(), false)
                }
                ([_], Some(Value::Int(_))) => Value::seq(vec![Value::Int(0)], true),
                _ => Value::seq(Vec::new(), true),
            },
            "open" => Value::made(
                "file",
                Args { plain: vec![self.path_text(&first.unwrap_or(Value::Unknown))], ..Args::default() },
            ),
            "type" => match (&first, args.plain.len()) {
                (Some(Value::Instance(instance)), 1) => Value::Class(Rc::clone(&instance.class)),
                (_, 3) => {
                    self.escape_args(&args);
                    Value::Unknown
                }
                _ => Value::Unknown,
            },
            "vars" => {
                if let Some(value) = &first {
                    self.escape_all(value, "");
                }
                Value::Unknown
            }
            "property" | "staticmethod" | "classmethod" => match first {
                Some(value) => {
                    return self.decorate(
                        &Value::Std(format!("builtins.{name}").into()),
                        value,
                        frame,
                        &Program::default(),
                        0,
                    );
                }
                None => Value::Unknown,
            },
            "isinstance" => {
                let of = args.plain.get(1).cloned().unwrap_or(Value::Unknown);
                let is = self.is_instance(&first.unwrap_or(Value::Unknown), &of);
                is.map_or(Value::Unknown, Value::Bool)
            }
            "callable" => {
                let is = self.is_callable(&first.unwrap_or(Value::Unknown));
                is.map_or(Value::Unknown, Value::Bool)
            }
            "issubclass" | "id" | "hash" | "dir" => Value::Unknown,
            "print" => {
                args.plain.iter().for_each(|value| self.operated(value));
                Value::None
            }
            "input" | "ord" | "chr" | "abs" | "round" | "bytes" | "bytearray" | "hex" | "oct" | "bin" | "divmod"
            | "pow" | "complex" | "memoryview" => Value::Unknown,
            "object" => Value::made("builtins.object", Args::default()),
            _ => {
                if name.ends_with("Error")
                    || name.ends_with("Exception")
                    || name.ends_with("Warning")
                    || name == "SystemExit"
                {
                    return Ok(Value::made(&format!("builtins.{name}"), Args::default()));
                }
                self.escape_args(&args);
                self.raises |= ANY;
                Value::Unknown
            }
        })
    }

    /// Names of objects that are not known are put together here: those that begin so, of the same distribution if nothing is known.
    pub(super) fn mention_all(&mut self, begin: &str, frame: &Frame) {
        let top = self
            .units
            .get(frame.unit)
            .map(|unit| unit.module.split('.').next().unwrap_or_default().to_owned())
            .unwrap_or_default();
        for name in self.waiting_names(begin, &top) {
            self.mention(name);
        }
    }

    /// Whether an object has an attribute; `None` when it cannot be told.
    pub(super) fn has_attribute(&mut self, object: &Value, name: u32) -> Option<bool> {
        match object {
            Value::Module(module) => {
                if self.replaced.contains_key(&**module) {
                    return None;
                }
                let unit =
                    self.loaded.get(&**module).and_then(|loaded| loaded.unit).and_then(|unit| self.units.get(unit))?;
                if unit.scope.get(name).is_some() {
                    return Some(true);
                }
                let text = self.text_of(name);
                let submodule = format!("{module}.{text}");
                (!unit.is_dynamic && self.world.find(&submodule).is_none() && self.is_certain()).then_some(false)
            }
            Value::None | Value::Int(_) | Value::Bool(_) => None,
            Value::Instance(instance) => {
                let text = self.text_of(name);
                let there = instance.names.borrow().contains_key(&name)
                    || self.class_attribute(&instance.class, &text, 0).is_some();
                there.then_some(true)
            }
            Value::Class(class) => {
                let text = self.text_of(name);
                self.class_attribute(class, &text, 0).map(|_| true)
            }
            _ => None,
        }
    }

    /// Everything that an object has may be used by name.
    pub(super) fn escape_all(&mut self, value: &Value, begin: &str) {
        match value {
            Value::Module(module) => {
                self.escape(value);
                let unit = self.loaded.get(&**module).and_then(|loaded| loaded.unit);
                if let Some(scope) = unit.and_then(|unit| self.units.get(unit)).map(|unit| Rc::clone(&unit.scope)) {
                    for (name, value) in super::call::sorted(&scope) {
                        if matches!(value, Value::Func(_) | Value::Class(_)) && self.text_of(name).starts_with(begin) {
                            self.escape(&value);
                        }
                    }
                }
            }
            Value::Instance(instance) => {
                self.escape(value);
                let mut names = Vec::new();
                self.method_names(&instance.class, 0, &mut names);
                for name in names.into_iter().filter(|name| name.starts_with(begin)) {
                    if let Some(method) = self.method(instance, &name) {
                        self.escape(&method);
                    }
                }
            }
            Value::Class(class) => {
                self.escape(value);
                for (name, value) in super::call::sorted(&class.names) {
                    if self.text_of(name).starts_with(begin) {
                        self.escape(&value);
                    }
                }
            }
            Value::OneOf(some) => some.iter().for_each(|one| self.escape_all(one, begin)),
            _ => {}
        }
    }
}
