//! What the standard library makes, and the entry points of the environment.

use std::rc::Rc;

use super::super::value::{Args, Made, Value};
use super::expression::Eval;
use super::stdlib::runs_elsewhere;
use super::text::is_path;
use super::{ANY, Frame, Run};

impl Run<'_> {
    /// Calls what the standard library made.
    pub(super) fn call_made(&mut self, made: &Rc<Made>, args: Args, line: u32, frame: &mut Frame) -> Eval {
        match &*made.what {
            "functools.partial" => {
                let mut all =
                    Args { plain: made.args.plain.get(1..).unwrap_or_default().to_vec(), ..made.args.clone() };
                all.plain.extend(args.plain);
                for (name, value) in args.named {
                    all.named.retain(|(own, _)| *own != name);
                    all.named.push((name, value));
                }
                all.open |= args.open;
                let function = made.args.plain.first().cloned().unwrap_or(Value::Unknown);
                self.call(&function, all, line, frame)
            }
            "operator.methodcaller" => {
                let object = args.plain.first().cloned().unwrap_or(Value::Unknown);
                let Some(name) = made.args.plain.first().and_then(Value::as_str) else {
                    self.escape(&object);
                    return Ok(Value::Unknown);
                };
                let name = self.intern(name);
                let method = self.attribute(&object, name, line, frame)?;
                let plain = made.args.plain.get(1..).unwrap_or_default().to_vec();
                self.call(&method, Args { plain, ..made.args.clone() }, line, frame)
            }
            "functools.wraps"
            | "functools.lru_cache"
            | "functools.cache"
            | "dataclasses.dataclass"
            | "register"
            | "functools.singledispatch"
            | "contextlib.contextmanager"
            | "functools.update_wrapper"
            | "typing.no_type_check"
            | "functools.total_ordering" => {
                let value = args.plain.first().cloned().unwrap_or(Value::Unknown);
                if &*made.what == "register" {
                    self.escape(&value);
                }
                Ok(value)
            }
            what if runs_elsewhere(what) => Ok(Value::Unknown),
            _ => {
                self.escape_args(&args);
                self.raises |= ANY;
                Ok(Value::Unknown)
            }
        }
    }

    pub(super) fn made_items(&mut self, made: &Rc<Made>) -> (Vec<Value>, bool) {
        match &*made.what {
            "entry points" => match self.entry_points(Some(&Value::Unknown), None) {
                Value::Seq(seq) => (seq.items.borrow().clone(), false),
                _ => (Vec::new(), true),
            },
            "module info" => (made.args.plain.clone(), false),
            "map" | "filter" => {
                let scope = self.scope(None);
                let mut frame = Frame::new(usize::MAX, scope);
                let function = made.args.plain.first().cloned();
                let items = made.args.plain.get(1).cloned().unwrap_or(Value::Unknown);
                let results = self.each_called(function.as_ref(), &items, 0, &mut frame);
                match (results, &*made.what) {
                    (Value::Seq(seq), "map") => (seq.items.borrow().clone(), seq.open.get()),
                    _ => (self.items(&items, &mut frame).0, true),
                }
            }
            _ => (Vec::new(), true),
        }
    }

    pub(super) fn made_item(&mut self, made: &Rc<Made>, index: &Value) -> Value {
        match &*made.what {
            "entry points" => self.entry_points(Some(index), None),
            "module info" => match index {
                Value::Int(at) => {
                    usize::try_from(*at).ok().and_then(|at| made.args.plain.get(at)).cloned().unwrap_or(Value::Unknown)
                }
                _ => Value::Unknown,
            },
            _ => Value::Unknown,
        }
    }

    /// Calls a method of what the standard library made.
    pub(super) fn made_method(
        &mut self,
        made: &Rc<Made>,
        object: &Value,
        name: &str,
        args: Args,
        line: u32,
        frame: &mut Frame,
    ) -> Eval {
        let part = |index: usize| made.args.plain.get(index).cloned().unwrap_or(Value::Unknown);
        let first = args.plain.first().cloned();
        Ok(match (&*made.what, name) {
            ("entry point", "load" | "resolve" | "require") => return self.load_entry_point(made, line, frame),
            ("entry points", "select") => {
                let (group, wanted) = (self.named(&args, "group"), self.named(&args, "name"));
                self.entry_points(Some(&group.unwrap_or(Value::Unknown)), wanted.as_ref())
            }
            ("entry points", "get") => self.entry_points(first.as_ref(), None),
            ("entry points", "items" | "values") => {
                let (items, open) = self.made_items(made);
                Value::seq(vec![Value::seq(vec![Value::Unknown, Value::seq(items, open)], false)], true)
            }
            ("loader", "exec_module" | "load_module" | "create_module") if name != "create_module" => {
                let module = part(0);
                self.import_by_value(&module, line, "computed name", frame)?;
                match module {
                    Value::Str(module) => self.bound_module(&module),
                    _ => Value::Unknown,
                }
            }
            ("file loader" | "file spec", "exec_module" | "load_module") => {
                return self.run_file(&part(1), line, frame, "a file loaded by hand");
            }
            ("file spec", "loader") => Value::made("file loader", made.args.clone()),
            ("threading.Thread" | "threading.Timer", "start" | "run") => {
                self.threads = true;
                let target = match &*made.what {
                    "threading.Timer" => self.argument(&made.args, 1, "function"),
                    _ => self.argument(&made.args, 1, "target"),
                };
                let passed = self.argument(&made.args, if &*made.what == "threading.Timer" { 2 } else { 3 }, "args");
                let (plain, mut open) = passed.map_or((Vec::new(), false), |passed| self.items(&passed, frame));
                let mut named = Vec::new();
                if let Some(Value::Dict(dict)) = self.named(&made.args, "kwargs") {
                    open |= dict.open.get();
                    let pairs = dict.pairs.borrow().clone();
                    for (key, value) in pairs {
                        if let Some(key) = key.as_str() {
                            named.push((self.intern(key), value));
                        }
                    }
                }
                if let Some(target) = target {
                    let certain = self.certain;
                    // A daemon may be ended with the process before it gets far.
                    if self.named(&made.args, "daemon").is_some_and(|daemon| daemon.truth() != Some(false)) {
                        self.certain = false;
                    }
                    self.call_back(&target, Args { plain, named, open }, line, frame);
                    self.certain = certain;
                }
                Value::None
            }
            (
                "concurrent.futures.ThreadPoolExecutor",
                "submit" | "apply" | "apply_async" | "starmap" | "map" | "imap" | "imap_unordered" | "map_async",
            ) => {
                let function = first.unwrap_or(Value::Unknown);
                if name == "submit" {
                    let rest = Args { plain: args.plain.get(1..).unwrap_or_default().to_vec(), ..args.clone() };
                    let value = self.call_back(&function, rest, line, frame);
                    return Ok(Value::made("future", Args { plain: vec![value], ..Args::default() }));
                }
                let items = args.plain.get(1).cloned().unwrap_or(Value::Unknown);
                if matches!(name, "map" | "imap" | "imap_unordered" | "map_async") {
                    return Ok(self.each_called(Some(&function), &items, line, frame));
                }
                self.escape_args(&args);
                self.call_back(&function, Args { open: true, ..Args::default() }, line, frame);
                Value::Unknown
            }
            ("future", "result") => part(0),
            ("future", "add_done_callback") => {
                if let Some(function) = first {
                    self.call_back(&function, Args { plain: vec![Value::Unknown], ..Args::default() }, line, frame);
                }
                Value::None
            }
            ("file", "read" | "readline") => Value::made("file text", made.args.clone()),
            ("contextlib.ExitStack" | "contextlib.AsyncExitStack", "enter_context") => {
                return self.enter(&first.unwrap_or(Value::Unknown), frame);
            }
            ("types.SimpleNamespace", _) => {
                let value = self.named(&made.args, name).unwrap_or(Value::Unknown);
                return self.call(&value, args, line, frame);
            }
            ("contextlib.nullcontext", _) => part(0),
            ("unittest.TestLoader", "discover") => {
                let path = self.path_text(&self.argument(&args, 0, "start_dir").unwrap_or(Value::Unknown));
                self.discover(&path, line, frame);
                Value::Unknown
            }
            (path, _) if is_path(path) => return Ok(self.path_method(made, object, name, &args)),
            (what, _) if runs_elsewhere(what) => Value::Unknown,
            // An event loop, a task group.
            (_, "run_until_complete" | "create_task" | "run" | "ensure_future")
                if matches!(first, Some(Value::Paused(_))) =>
            {
                return self.resume(&first.unwrap_or(Value::Unknown), frame);
            }
            (_, "run_in_executor") => {
                self.threads = true;
                let function = args.plain.get(1).cloned().unwrap_or(Value::Unknown);
                let plain = args.plain.get(2..).unwrap_or_default().to_vec();
                self.call_back(&function, Args { plain, ..Args::default() }, line, frame)
            }
            _ => {
                self.escape_args(&args);
                self.raises |= ANY;
                Value::Unknown
            }
        })
    }

    /// The entry points of a group.
    pub(super) fn entry_points(&mut self, group: Option<&Value>, name: Option<&Value>) -> Value {
        let all = self.world.entry_points().to_vec();
        let known = |value: Option<&Value>, own: &str| match value {
            None => Some(true),
            Some(Value::Str(text)) => Some(&**text == own),
            Some(Value::Text(begin, _)) if !own.starts_with(&**begin) => Some(false),
            _ => None,
        };
        let mut open = false;
        let mut points = Vec::new();
        for point in all {
            match (known(group, &point.group), known(name, &point.name)) {
                (Some(false), _) | (_, Some(false)) => continue,
                (Some(true), Some(true)) => {}
                _ => open = true,
            }
            let plain =
                vec![Value::Unknown, Value::text(&point.name), Value::text(&point.value), Value::text(&point.group)];
            points.push(Value::made("entry point", Args { plain, ..Args::default() }));
        }
        if group.is_none() {
            return Value::made("entry points", Args::default());
        }
        Value::seq(points, open)
    }

    pub(super) fn load_entry_point(&mut self, made: &Made, line: u32, frame: &mut Frame) -> Eval {
        let Some(Value::Str(value)) = made.args.plain.get(2) else { return Ok(Value::Unknown) };
        let text = value.split('[').next().unwrap_or_default().trim();
        self.resolve_name(&Value::text(&text.replace(' ', "")), line, frame)
    }
}
