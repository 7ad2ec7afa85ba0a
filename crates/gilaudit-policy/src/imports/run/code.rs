//! Code as data: text that is run, files that are run by their path, stored objects, settings that name classes.

use std::rc::Rc;

use gilaudit_model::program::Stmt;

use super::super::value::{Args, Class, Value};
use super::expression::Eval;
use super::text;
use super::{ANY, Ended, Failure, Flow, Frame, IMPORT, NOT_FOUND, OTHER, Run};

impl Run<'_> {
    /// Runs text as code in the frame that it stands in.
    pub(super) fn execute_text(&mut self, text: &str, line: u32, frame: &mut Frame, names: Option<&Value>) -> Eval {
        let code = self.world.parse(text);
        if code.incomplete.is_some() {
            return Err(Failure::Other);
        }
        let Some(module) = self
            .units
            .get(frame.unit)
            .map(|unit| (Rc::clone(&unit.module), unit.is_package, unit.is_entry, Rc::clone(&unit.scope)))
        else {
            return Ok(Value::Unknown);
        };
        let file = format!("{}:{line}", self.file_of(frame));
        let unit = self.new_unit(&code, &module.0, module.1, &file, module.2);
        let own = match names {
            None | Some(Value::None) => None,
            Some(Value::Dict(dict)) if dict.of_module.is_some() => dict.of_module.clone(),
            Some(Value::Dict(dict)) => {
                let scope = self.scope(None);
                for (key, value) in dict.pairs.borrow().iter() {
                    if let Some(key) = key.as_str() {
                        let key = self.intern(key);
                        scope.names.borrow_mut().insert(key, value.clone());
                    }
                }
                dict.open.set(true);
                Some(scope)
            }
            Some(other) => {
                self.escape(other);
                Some(self.scope(None))
            }
        };
        let scope = own.unwrap_or_else(|| Rc::clone(&module.3));
        if let Some(unit) = self.units.get_mut(unit) {
            unit.scope = Rc::clone(&scope);
            unit.is_dynamic = true;
        }
        let mut inner = Frame {
            unit,
            scope: if names.is_none() { Rc::clone(&frame.scope) } else { Rc::clone(&scope) },
            class: None,
            func: None,
            doubt: false,
            loop_doubt: false,
            result: None,
            in_try: frame.in_try,
        };
        if let [Stmt::Expr(value)] = code.body.as_slice() {
            return self.eval(&code, *value, &mut inner);
        }
        let flow = self.block(&code, &code.body, &mut inner);
        // Names that it made.
        if let Some(Value::Dict(dict)) = names
            && dict.of_module.is_none()
        {
            for (name, value) in super::call::sorted(&scope) {
                let key = Value::Str(self.text_of(name));
                dict.pairs.borrow_mut().push((key, value));
            }
        }
        match flow {
            Flow::Raise(failure) => Err(failure),
            _ => Ok(Value::None),
        }
    }

    pub(super) fn code_as_data(&mut self, value: &Value, names: Option<&Value>, line: u32, frame: &mut Frame) -> Eval {
        match value {
            Value::Str(text) => return self.execute_text(&Rc::clone(text), line, frame, names),
            Value::Bytes(text) => return self.execute_text(&Rc::clone(text), line, frame, names),
            Value::Made(made) if &*made.what == "compile" => {
                let inner = made.args.plain.first().cloned().unwrap_or(Value::Unknown);
                return self.code_as_data(&inner, names, line, frame);
            }
            Value::Made(made) if &*made.what == "file text" => {
                let path = made.args.plain.first().cloned().unwrap_or(Value::Unknown);
                return self.run_file(&path, line, frame, "code as data");
            }
            Value::OneOf(some) => {
                let certain = std::mem::replace(&mut self.certain, false);
                for one in some.iter() {
                    if let Err(failure) = self.code_as_data(one, names, line, frame) {
                        self.raises |= failure.bit();
                    }
                }
                self.certain = certain;
                return Ok(Value::Unknown);
            }
            Value::Text(_, false) => {}
            _ => {
                let file = self.file_of(frame);
                self.open_end(&file, line, "code as data", vec!["*".to_owned()]);
            }
        }
        self.raises |= ANY;
        // What is put together here can only use what it is given.
        if let Some(names) = names {
            self.escape(names);
            if let Value::Dict(dict) = names
                && let Some(scope) = &dict.of_module
            {
                for (_, value) in super::call::sorted(scope) {
                    if matches!(value, Value::Func(_)) {
                        self.escape(&value);
                    }
                }
            }
        }
        Ok(Value::Unknown)
    }

    /// Runs a file by its path.
    pub(super) fn run_file(&mut self, path: &Value, line: u32, frame: &mut Frame, what: &str) -> Eval {
        let file = self.file_of(frame);
        if let Value::Str(path) = path {
            let path = text::normal(path);
            if let Some(node) = self.world.file_at(&path) {
                self.out.files.insert(node.file.clone());
                let code = Rc::clone(&node.code);
                let unit = self.new_unit(&code, "__main__", false, &path, false);
                let name = path.clone();
                self.chain.push(super::Link { at: format!("{file}:{line}"), kind: self.kind_of(frame), module: name });
                let ended = self.run_unit(unit);
                self.chain.pop();
                return match ended {
                    Ended::Failed(failure) => Err(failure),
                    _ => Ok(Value::Unknown),
                };
            }
            if let Some((node, extension)) = self.world.extension_at(&path) {
                let name = text::name(&path).split('.').next().unwrap_or_default().to_owned();
                self.chain.push(super::Link { at: format!("{file}:{line}"), kind: self.kind_of(frame), module: path });
                let ended = self.extension(&name, node, extension);
                self.chain.pop();
                return match ended {
                    Ended::Failed(failure) => Err(failure),
                    _ => Ok(Value::Compiled),
                };
            }
            self.out.wanted.insert(path);
        }
        if let Value::OneOf(some) = path {
            let certain = std::mem::replace(&mut self.certain, false);
            for one in some.iter() {
                if let Err(failure) = self.run_file(one, line, frame, what) {
                    self.raises |= failure.bit();
                }
            }
            self.certain = certain;
            return Ok(Value::Unknown);
        }
        self.open_end(&file, line, what, vec!["*".to_owned()]);
        self.raises |= ANY | NOT_FOUND | IMPORT;
        Ok(Value::Unknown)
    }

    pub(super) fn unpickled(&mut self, name: &str, value: Option<Value>, line: u32, frame: &mut Frame) -> Eval {
        match value {
            Some(Value::Made(made)) if &*made.what == "pickle.dumps" => Ok(Value::Unknown),
            // What was written into memory here.
            Some(Value::Bytes(text)) if text.is_ascii() && name.starts_with("pickle") => {
                // CPython 3.14.7 `Lib/pickle.py`: GLOBAL is `c`, module, newline, name, newline.
                for (at, _) in text.match_indices('c') {
                    let rest = text.get(at + 1..).unwrap_or_default();
                    let mut lines = rest.lines();
                    if let (Some(module), Some(_)) = (lines.next(), lines.next())
                        && self.world.find(module).is_some()
                    {
                        self.import_by_value(&Value::text(module), line, "pickle", frame)?;
                    }
                }
                Ok(Value::Unknown)
            }
            Some(Value::Made(made)) if made.what.starts_with("io.") => Ok(Value::Unknown),
            _ => {
                let file = self.file_of(frame);
                self.raises |= ANY;
                self.open_end(
                    &file,
                    line,
                    "stored objects, which name the modules of their classes",
                    vec!["*".to_owned()],
                );
                Ok(Value::Unknown)
            }
        }
    }

    pub(super) fn configured(
        &mut self,
        value: Option<&Value>,
        depth: usize,
        line: u32,
        frame: &mut Frame,
    ) -> Result<(), Failure> {
        match value {
            Some(Value::Dict(dict)) if depth < 12 => {
                let pairs = dict.pairs.borrow().clone();
                for (key, value) in pairs {
                    let names = matches!(key.as_str(), Some("class" | "()" | "factory" | "level_class"));
                    let text = value.as_str().map(|text| text.strip_prefix("ext://").unwrap_or(text).to_owned());
                    match text {
                        Some(text)
                            if (names || value.as_str().is_some_and(|it| it.starts_with("ext://")))
                                && text.contains('.') =>
                        {
                            self.resolve_name(&Value::text(&text), line, frame)?;
                        }
                        _ => self.configured(Some(&value), depth + 1, line, frame)?,
                    }
                }
                if dict.open.get() {
                    let file = self.file_of(frame);
                    self.open_end(&file, line, "classes named in settings", vec!["*".to_owned()]);
                }
                Ok(())
            }
            Some(Value::Seq(seq)) if depth < 12 => {
                let items = seq.items.borrow().clone();
                for item in items {
                    self.configured(Some(&item), depth + 1, line, frame)?;
                }
                Ok(())
            }
            Some(Value::Unknown) if depth == 0 => {
                let file = self.file_of(frame);
                self.open_end(&file, line, "classes named in settings", vec!["*".to_owned()]);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn discover(&mut self, path: &Value, line: u32, frame: &mut Frame) {
        let file = self.file_of(frame);
        let files = match path {
            Value::Str(path) => {
                let path = text::normal(path);
                let files = self.world.files_in(&path);
                if files.is_none() {
                    self.out.wanted.insert(path.clone());
                }
                files.map(|files| (path, files))
            }
            _ => None,
        };
        let Some((folder, files)) = files else {
            self.open_end(&file, line, "test discovery", vec!["*".to_owned()]);
            return;
        };
        for test in files.into_iter().filter(|file| file.starts_with("test") && file.ends_with(".py")) {
            let path = Value::text(&text::below(&folder, &test));
            if let Err(failure) = self.run_file(&path, line, frame, "test discovery") {
                self.raises |= if failure == Failure::Exit { OTHER } else { 0 };
            }
        }
    }

    /// `unittest.main()`: every test of the module.
    pub(super) fn run_tests(&mut self, frame: &mut Frame, line: u32) {
        let Some(scope) = self.units.get(frame.unit).map(|unit| Rc::clone(&unit.scope)) else { return };
        for (_, value) in super::call::sorted(&scope) {
            let Value::Class(class) = &value else { continue };
            if !class.open {
                continue;
            }
            let instance = Rc::new(super::super::value::Instance {
                class: Rc::clone(class),
                names: Default::default(),
                escaped: std::cell::Cell::new(false),
                any: false,
            });
            let mut names: Vec<String> = Vec::new();
            self.method_names(class, 0, &mut names);
            names.sort();
            for name in ["setUpClass", "setUp"]
                .iter()
                .map(|name| (*name).to_owned())
                .chain(names.into_iter().filter(|name| name.starts_with("test")))
            {
                if let Some(method) = self.method(&instance, &name) {
                    self.call_back(&method, Args::default(), line, frame);
                }
            }
            self.escape(&Value::Instance(instance));
        }
    }

    pub(super) fn method_names(&self, class: &Rc<Class>, depth: usize, names: &mut Vec<String>) {
        names.extend(super::call::sorted(&class.names).into_iter().map(|(name, _)| self.text_of(name).to_string()));
        if depth < 20 {
            for base in &class.bases {
                if let Value::Class(base) = base {
                    self.method_names(base, depth + 1, names);
                }
            }
        }
        names.dedup();
    }
}
