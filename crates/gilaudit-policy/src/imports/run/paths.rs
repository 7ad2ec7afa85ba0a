//! Paths and folders: what a program puts together, lists and adds to `sys.path`.

use super::super::value::{Args, Made, Value};
use super::builtin::{path_of, path_of_unknown};
use super::stdlib::matches_glob;
use super::text::{self, is_path};
use super::{Frame, Run};

impl Run<'_> {
    pub(super) fn iter_modules(&mut self, walk: bool, args: &Args) -> Value {
        let path = self.argument(args, 0, "path");
        let prefix = self.argument(args, 1, "prefix").unwrap_or_else(|| Value::text(""));
        let Some(path) = path.filter(|path| !matches!(path, Value::None)) else { return Value::seq(Vec::new(), true) };
        let (folders, mut open) = self.known_items(&path);
        let mut found = Vec::new();
        for folder in folders {
            let folder = match self.path_text(&folder) {
                Value::Str(folder) => folder,
                _ => {
                    open = true;
                    continue;
                }
            };
            let Some(modules) = self.world.modules_in(&folder, walk) else {
                self.out.wanted.insert(folder.to_string());
                open = true;
                continue;
            };
            for (name, is_package) in modules {
                let whole = text::concat(&[prefix.clone(), Value::text(&name)]);
                let plain = vec![Value::Unknown, whole, Value::Bool(is_package)];
                found.push(Value::made("module info", Args { plain, ..Args::default() }));
            }
        }
        Value::seq(found, open)
    }

    /// The folders that the submodules of a package are looked for in.
    pub(super) fn package_path(&self, package: &str) -> Value {
        let folders = self.world.folders_of(package);
        let open = folders.is_empty();
        Value::seq(folders.iter().map(|folder| Value::text(folder)).collect(), open)
    }

    pub(super) fn add_path(&mut self, path: &Value, front: bool, line: u32, frame: &Frame) {
        match self.path_text(path) {
            Value::Str(path) => {
                let path = text::normal(&path);
                if !self.world.activate(&path, front) {
                    self.out.wanted.insert(path);
                    self.edits = true;
                }
            }
            _ => {
                let _ = (line, frame);
                self.edits = true;
            }
        }
    }

    /// The text of a path, `Path` objects too.
    pub(super) fn path_text(&self, value: &Value) -> Value {
        match value {
            Value::Str(_) => value.clone(),
            Value::Made(made) if is_path(&made.what) => made.args.plain.first().cloned().unwrap_or(Value::Unknown),
            Value::Text(..) => value.clone(),
            _ => Value::Unknown,
        }
    }

    pub(super) fn path_join(&mut self, parts: &[Value]) -> Value {
        if let Some(at) = parts.iter().position(|part| matches!(part, Value::OneOf(_))) {
            let each = parts.get(at).map(Value::each).unwrap_or_default();
            let mut result: Option<Value> = None;
            for one in each {
                let mut parts = parts.to_vec();
                if let Some(place) = parts.get_mut(at) {
                    *place = one;
                }
                let value = self.path_join(&parts);
                result = Some(result.take().map_or(value.clone(), |old: Value| old.or(value)));
            }
            return result.unwrap_or(Value::Unknown);
        }
        let as_path = parts.iter().any(|part| matches!(part, Value::Made(made) if is_path(&made.what)));
        let mut whole: Option<String> = None;
        for part in parts {
            match self.path_text(part) {
                Value::Str(part) => whole = Some(whole.map_or(part.to_string(), |whole| text::below(&whole, &part))),
                _ => return if as_path { path_of_unknown() } else { Value::Unknown },
            }
        }
        let whole = whole.unwrap_or_default();
        if as_path { path_of(&whole) } else { Value::text(&whole) }
    }

    pub(super) fn path_part(&mut self, name: &str, value: &Value) -> Value {
        if let Value::OneOf(some) = value {
            let each: Vec<Value> = some.iter().map(|one| self.path_part(name, one)).collect();
            return each.into_iter().reduce(Value::or).unwrap_or(Value::Unknown);
        }
        let Value::Str(path) = self.path_text(value) else { return Value::Unknown };
        match name {
            "os.path.dirname" => Value::text(&text::folder(&path)),
            "os.path.basename" => Value::text(text::name(&path)),
            "os.path.splitext" => {
                let own = text::name(&path);
                let dot = own.rfind('.').filter(|dot| *dot > 0).map_or(path.len(), |dot| path.len() - own.len() + dot);
                Value::seq(
                    vec![
                        Value::text(path.get(..dot).unwrap_or_default()),
                        Value::text(path.get(dot..).unwrap_or_default()),
                    ],
                    false,
                )
            }
            "os.path.split" => {
                Value::seq(vec![Value::text(&text::folder(&path)), Value::text(text::name(&path))], false)
            }
            "os.fspath" => Value::Str(path),
            _ => Value::text(&text::normal(&path)),
        }
    }

    /// The files of a folder, or those that a pattern stands for.
    pub(super) fn listing(&mut self, path: &Value, is_glob: bool, as_paths: bool) -> Value {
        let Value::Str(path) = path else { return Value::seq(Vec::new(), true) };
        let path = text::normal(path);
        let (folder, pattern) =
            if is_glob { (text::folder(&path), text::name(&path).to_owned()) } else { (path.clone(), "*".to_owned()) };
        let Some(files) = self.world.files_in(&folder) else {
            self.out.wanted.insert(folder);
            return Value::seq(Vec::new(), true);
        };
        let found: Vec<Value> = files
            .iter()
            .filter(|file| matches_glob(&pattern, file))
            .map(|file| match (is_glob || as_paths, as_paths) {
                (_, true) => path_of(&text::below(&folder, file)),
                (true, _) => Value::text(&text::below(&folder, file)),
                _ => Value::text(file),
            })
            .collect();
        // Only Python's own files are known.
        let exact = pattern.ends_with(".py") && !pattern.contains('/') && !folder.contains('*');
        Value::seq(found, !exact)
    }

    pub(super) fn path_method(&mut self, made: &Made, object: &Value, name: &str, args: &Args) -> Value {
        let own = made.args.plain.first().cloned().unwrap_or(Value::Unknown);
        match name {
            "resolve" | "absolute" | "expanduser" => match own {
                Value::Str(path) => path_of(&text::normal(&path)),
                _ => object.clone(),
            },
            "joinpath" | "__truediv__" => {
                let mut parts = vec![object.clone()];
                parts.extend(args.plain.iter().cloned());
                self.path_join(&parts)
            }
            "glob" | "rglob" => {
                let pattern = args.plain.first().and_then(Value::as_str).map(str::to_owned);
                match (own, pattern) {
                    (Value::Str(folder), Some(pattern)) if name == "glob" => {
                        let whole = Value::text(&text::below(&folder, &pattern));
                        self.listing(&whole, true, true)
                    }
                    _ => Value::seq(Vec::new(), true),
                }
            }
            "iterdir" => self.listing(&own, false, true),
            "read_text" | "read_bytes" => Value::made("file text", Args { plain: vec![own], ..Args::default() }),
            "open" => Value::made("file", Args { plain: vec![own], ..Args::default() }),
            "as_posix" | "__str__" => own,
            "with_suffix" | "with_name" | "with_stem" => path_of_unknown(),
            _ => Value::Unknown,
        }
    }
}
