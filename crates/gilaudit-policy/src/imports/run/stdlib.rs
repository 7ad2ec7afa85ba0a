//! The standard library as far as it imports, runs or hands on code of the program; and the ways in: scripts, `-m`, console scripts.

use std::rc::Rc;

use gilaudit_model::program::Program;
use gilaudit_model::{Gil, ImportKind, Os, Outcome};

use super::super::value::{Args, Value};
use super::super::world::Found;
use super::builtin::path_of;
use super::expression::Eval;
use super::{ANY, Failure, Frame, OTHER, Run};

/// CPython 3.14.7 `Python/bltinmodule.c` and `Objects/exceptions.c`, and what `site` adds.
const BUILTINS: &str = " __import__ abs aiter all anext any ascii bin bool breakpoint bytearray bytes callable chr classmethod compile complex delattr dict dir divmod enumerate eval exec filter float format frozenset getattr globals hasattr hash help hex id input int isinstance issubclass iter len list locals map max memoryview min next object oct open ord pow print property range repr reversed round set setattr slice sorted staticmethod str sum super tuple type vars zip NotImplemented Ellipsis exit quit copyright credits license ArithmeticError AssertionError AttributeError BaseException BaseExceptionGroup BlockingIOError BrokenPipeError BufferError BytesWarning ChildProcessError ConnectionAbortedError ConnectionError ConnectionRefusedError ConnectionResetError DeprecationWarning EOFError EncodingWarning EnvironmentError Exception ExceptionGroup FileExistsError FileNotFoundError FloatingPointError FutureWarning GeneratorExit IOError ImportError ImportWarning IndentationError IndexError InterruptedError IsADirectoryError KeyError KeyboardInterrupt LookupError MemoryError ModuleNotFoundError NameError NotADirectoryError NotImplementedError OSError OverflowError PendingDeprecationWarning PermissionError ProcessLookupError PythonFinalizationError RecursionError ReferenceError ResourceWarning RuntimeError RuntimeWarning StopAsyncIteration StopIteration SyntaxError SyntaxWarning SystemError SystemExit TabError TimeoutError TypeError UnboundLocalError UnicodeDecodeError UnicodeEncodeError UnicodeError UnicodeTranslateError UnicodeWarning UserWarning ValueError Warning WindowsError ZeroDivisionError ";

pub(super) fn is_builtin(name: &str) -> bool {
    BUILTINS.contains(&format!(" {name} "))
}

/// Variables that an ordinary environment has, or that say how this interpreter runs.
fn is_usual(name: &str) -> bool {
    let begins = [
        "XDG_",
        "LC_",
        "PYTHON",
        "VIRTUAL_",
        "CONDA_",
        "SSH_",
        "SYSTEM",
        "PROGRAM",
        "APPDATA",
        "LOCALAPPDATA",
        "USERPROFILE",
    ];
    matches!(
        name,
        "HOME"
            | "PATH"
            | "USER"
            | "LOGNAME"
            | "LANG"
            | "LANGUAGE"
            | "PWD"
            | "OLDPWD"
            | "SHELL"
            | "TERM"
            | "TMPDIR"
            | "TEMP"
            | "TMP"
            | "DISPLAY"
            | "WAYLAND_DISPLAY"
            | "EDITOR"
            | "HOSTNAME"
            | "COLORTERM"
            | "COLUMNS"
            | "LINES"
            | "TZ"
            | "SHLVL"
            | "_"
            | "CI"
    ) || begins.iter().any(|begin| name.starts_with(begin))
}

/// What runs in other processes or interpreters: nothing of it happens to the GIL of this one.
pub(super) fn runs_elsewhere(name: &str) -> bool {
    name.starts_with("subprocess.")
        || name.starts_with("multiprocessing.")
            && !name.starts_with("multiprocessing.pool.ThreadPool")
            && !name.starts_with("multiprocessing.dummy")
        || name.starts_with("concurrent.futures.ProcessPoolExecutor")
        || name.starts_with("concurrent.futures.process.")
        || name.starts_with("concurrent.futures.InterpreterPoolExecutor")
        || name.starts_with("concurrent.interpreters.")
        || matches!(
            name,
            "os.system"
                | "os.popen"
                | "os.spawnv"
                | "asyncio.create_subprocess_exec"
                | "asyncio.create_subprocess_shell"
        )
}

/// Functions of the standard library that look at what they are given and neither keep nor call it.
fn only_looks(name: &str) -> bool {
    matches!(
        name,
        "builtins.isinstance"
            | "builtins.issubclass"
            | "builtins.id"
            | "builtins.callable"
            | "builtins.hash"
            | "builtins.type"
            | "inspect.isclass"
            | "inspect.isfunction"
            | "inspect.ismodule"
            | "inspect.ismethod"
            | "inspect.signature"
            | "inspect.iscoroutinefunction"
            | "asyncio.iscoroutinefunction"
            | "inspect.isgeneratorfunction"
            | "typing.get_type_hints"
            | "inspect.getdoc"
            | "inspect.getfile"
            | "inspect.getsource"
            | "inspect.getmodule"
            | "inspect.getsourcefile"
            | "warnings.warn"
            | "inspect.cleandoc"
            | "dataclasses.fields"
            | "dataclasses.is_dataclass"
            | "typing.TypeVar"
            | "typing.NewType"
            | "builtins.dir"
            | "inspect.isabstract"
            | "typing.get_origin"
            | "typing.get_args"
            | "logging.getLogger"
            | "re.compile"
    )
}

impl Run<'_> {
    pub(super) fn minor(&self) -> i64 {
        i64::from(self.world.target().version.minor())
    }

    pub(super) fn standard_attribute(&mut self, what: &str, name: &str) -> Value {
        let os = self.world.os();
        let whole = format!("{what}.{name}");
        let of_os = |linux: &str, mac: &str, windows: &str| match os {
            Some(Os::Linux) => Value::text(linux),
            Some(Os::MacOs) => Value::text(mac),
            Some(Os::Windows) => Value::text(windows),
            _ => Value::Unknown,
        };
        match whole.as_str() {
            "typing.TYPE_CHECKING" => Value::Bool(false),
            "sys.platform" => of_os("linux", "darwin", "win32"),
            "os.name" => of_os("posix", "posix", "nt"),
            "os.sep" | "os.path.sep" => of_os("/", "/", "\\"),
            "sys.abiflags" if os != Some(Os::Windows) => {
                Value::text(if self.world.target().free_threaded { "t" } else { "" })
            }
            "sys.implementation.name" => Value::text("cpython"),
            "sys.version_info.major" => Value::Int(3),
            "sys.version_info.minor" => Value::Int(self.minor()),
            "sys.version"
            | "sys.hexversion"
            | "sys.argv"
            | "sys.flags"
            | "sys.executable"
            | "sys.prefix"
            | "sys.base_prefix"
            | "sys.maxsize"
            | "sys.byteorder"
            | "os.curdir"
            | "os.linesep"
            | "sys.dont_write_bytecode" => Value::Unknown,
            "sys.exc_info" | "sys.stdout" | "sys.stderr" | "sys.stdin" => Value::Std(whole.into()),
            _ if name == "__name__" => Value::text(what),
            _ if name == "__file__" || name == "__doc__" || name == "__version__" => Value::Unknown,
            _ if name == "__dict__" => Value::Unknown,
            // `posixpath` by another name.
            _ => Value::Std(
                whole.strip_prefix("posixpath.").map_or(whole.clone(), |rest| format!("os.path.{rest}")).into(),
            ),
        }
    }

    pub(super) fn version_info(&self) -> Value {
        Value::seq(vec![Value::Int(3), Value::Int(self.minor())], true)
    }

    pub(super) fn standard_item(&mut self, what: &Rc<str>, index: &Value, line: u32, frame: &mut Frame) -> Eval {
        Ok(match &**what {
            "sys.version_info" => match index {
                Value::Int(0) => Value::Int(3),
                Value::Int(1) => Value::Int(self.minor()),
                Value::Made(made) => match (made.args.plain.first(), made.args.plain.get(1)) {
                    (Some(Value::None | Value::Int(0)), Some(Value::Int(2))) => {
                        Value::seq(vec![Value::Int(3), Value::Int(self.minor())], false)
                    }
                    (Some(Value::None | Value::Int(0)), Some(Value::Int(1))) => Value::seq(vec![Value::Int(3)], false),
                    (Some(Value::None | Value::Int(0)), _) => self.version_info(),
                    _ => Value::Unknown,
                },
                _ => Value::Unknown,
            },
            "sys.modules" => match index {
                Value::Str(name) if self.loaded.contains_key(&**name) || self.replaced.contains_key(&**name) => {
                    self.bound_module(name)
                }
                Value::Str(name)
                    if &**name == "__main__" || self.world.find(name).as_deref() == Some(&Found::Standard) =>
                {
                    Value::Module(Rc::clone(name))
                }
                _ => {
                    self.raises |= OTHER;
                    let _ = (line, &frame);
                    Value::Unknown
                }
            },
            // `list[int]`.
            name if name.starts_with("builtins.")
                || name.starts_with("typing.")
                || name.starts_with("collections.") =>
            {
                Value::Std(Rc::clone(what))
            }
            _ => {
                self.raises |= OTHER;
                Value::Unknown
            }
        })
    }

    /// The program puts something into `sys.modules`.
    pub(super) fn set_module(&mut self, index: &Value, value: Value) {
        match index.as_str() {
            Some(name) if self.is_certain() => {
                // Under its own name it is itself.
                if !matches!(&value, Value::Module(own) if &**own == name) {
                    self.replaced.insert(name.to_owned(), value);
                }
            }
            _ => {
                self.edits = true;
                self.escape(&value);
            }
        }
    }

    /// Calls something of the standard library.
    pub(super) fn call_standard(&mut self, name: &Rc<str>, args: Args, line: u32, frame: &mut Frame) -> Eval {
        if let Some(rest) = name.strip_prefix("builtins.") {
            return self.call_builtin(rest, args, line, frame);
        }
        let first = args.plain.first().cloned();
        Ok(match &**name {
            "sys.exit" | "os._exit" | "os.abort" | "os.execv" | "os.execve" | "os.execvp" | "os.execl"
            | "os.execlp" | "os.execvpe" => {
                return Err(Failure::Exit);
            }
            "sys._is_gil_enabled" => self.is_gil_enabled(),
            "os.environ.get" | "os.getenv" => {
                let default = self.argument(&args, 1, "default").unwrap_or(Value::None);
                self.environment_variable(first.as_ref(), default, frame)
            }
            "sysconfig.get_config_var" => match first.as_ref().and_then(Value::as_str) {
                Some("Py_GIL_DISABLED") => Value::Int(i64::from(self.world.target().free_threaded)),
                _ => Value::Unknown,
            },
            "sysconfig.get_config_vars" => {
                let gil = Value::Int(i64::from(self.world.target().free_threaded));
                Value::dict(vec![(Value::text("Py_GIL_DISABLED"), gil)], true)
            }
            "platform.python_implementation" => Value::text("CPython"),
            "platform.system" => match self.world.os() {
                Some(Os::Linux) => Value::text("Linux"),
                Some(Os::MacOs) => Value::text("Darwin"),
                Some(Os::Windows) => Value::text("Windows"),
                _ => Value::Unknown,
            },
            "platform.python_version_tuple" => {
                Value::seq(vec![Value::text("3"), Value::text(&self.minor().to_string())], true)
            }
            "importlib.import_module" => {
                let module = self.argument(&args, 0, "name").unwrap_or(Value::Unknown);
                let package = self.argument(&args, 1, "package");
                return self.import_module(&module, package.as_ref(), line, frame);
            }
            "importlib.__import__" => return self.call_builtin("__import__", args, line, frame),
            "importlib.reload" => first.unwrap_or(Value::Unknown),
            "importlib.util.find_spec" | "importlib.find_loader" | "pkgutil.find_loader" | "pkgutil.get_loader" => {
                let module = first.unwrap_or(Value::Unknown);
                return self.find_spec(&module, line, frame);
            }
            "importlib.util.spec_from_file_location" => {
                let module = first.unwrap_or(Value::Unknown);
                let path = self.argument(&args, 1, "location").unwrap_or(Value::Unknown);
                let path = self.path_text(&path);
                Value::made("file spec", Args { plain: vec![module, path], ..Args::default() })
            }
            "importlib.machinery.SourceFileLoader"
            | "importlib.machinery.ExtensionFileLoader"
            | "importlib.machinery.SourcelessFileLoader" => {
                let path = self.argument(&args, 1, "path").unwrap_or(Value::Unknown);
                let path = self.path_text(&path);
                Value::made(
                    "file loader",
                    Args { plain: vec![first.unwrap_or(Value::Unknown), path], ..Args::default() },
                )
            }
            "importlib.util.module_from_spec" | "importlib.util.spec_from_loader" => match first {
                Some(Value::Made(made)) if matches!(&*made.what, "spec" | "file spec") => {
                    Value::made("module of spec", made.args.clone())
                }
                _ => Value::Unknown,
            },
            "importlib.util.LazyLoader" => match first {
                Some(value @ Value::Made(_)) => value,
                _ => Value::Unknown,
            },
            "importlib.metadata.entry_points" => {
                let group = self.named(&args, "group");
                let wanted = self.named(&args, "name");
                self.entry_points(group.as_ref(), wanted.as_ref())
            }
            "importlib.metadata.distributions" => Value::seq(vec![Value::made("distribution", Args::default())], true),
            "importlib.metadata.distribution" => Value::made("distribution", Args::default()),
            "importlib.metadata.version" | "importlib.metadata.metadata" | "importlib.metadata.requires" => {
                Value::Unknown
            }
            "importlib.resources.files"
            | "importlib.resources.path"
            | "importlib.resources.read_text"
            | "importlib.resources.open_text"
            | "importlib.resources.open_binary"
            | "importlib.resources.read_binary"
            | "importlib.resources.contents"
            | "pkgutil.get_data" => {
                let package = self.argument(&args, 0, "anchor").unwrap_or(Value::None);
                if matches!(package, Value::Str(_)) {
                    self.import_by_value(&package, line, "computed name", frame)?;
                }
                Value::Unknown
            }
            "pkgutil.resolve_name" | "pydoc.locate" | "pydoc.safeimport" => {
                let value = first.unwrap_or(Value::Unknown);
                return self.resolve_name(&value, line, frame);
            }
            "pkgutil.iter_modules" | "pkgutil.walk_packages" => {
                self.iter_modules(name.ends_with("walk_packages"), &args)
            }
            "runpy.run_module" | "runpy._run_module_as_main" => return self.run_module_call(first, line, frame),
            "runpy.run_path" => {
                let path = self.path_text(&first.unwrap_or(Value::Unknown));
                return self.run_file(&path, line, frame, "code as data");
            }
            "pickle.loads" | "pickle.load" | "marshal.loads" | "marshal.load" | "pickle.Unpickler" | "shelve.open" => {
                return self.unpickled(name, first, line, frame);
            }
            "pickle.dumps" => {
                self.escape_args(&args);
                Value::made("pickle.dumps", Args::default())
            }
            "timeit.timeit" | "timeit.repeat" | "timeit.Timer" | "cProfile.run" | "profile.run" | "timeit.main" => {
                for value in
                    args.plain.iter().chain(args.named.iter().map(|(_, value)| value)).cloned().collect::<Vec<_>>()
                {
                    match &value {
                        Value::Str(text) if text.contains("import") || text.contains('(') => {
                            self.execute_text(&Rc::clone(text), line, frame, None)?;
                        }
                        Value::Func(_) => {
                            self.call_back(&value, Args::default(), line, frame);
                        }
                        other => self.escape(other),
                    }
                }
                Value::Unknown
            }
            "site.addsitedir" | "sys.path.append" | "sys.path.insert" => {
                let place = usize::from(name.ends_with("insert"));
                let path = args.plain.get(place).cloned().unwrap_or(Value::Unknown);
                self.add_path(&path, name.ends_with("insert"), line, frame);
                Value::None
            }
            "sys.path.extend" => {
                let paths = first.map(|value| self.items(&value, frame)).unwrap_or_default();
                for path in paths.0 {
                    self.add_path(&path, false, line, frame);
                }
                self.edits |= paths.1;
                Value::None
            }
            "sys.path.remove" | "sys.path.pop" | "sys.path.clear" | "sys.path.reverse" => Value::None,
            "sys.meta_path.insert" => {
                let finder = args.plain.get(1).cloned().unwrap_or(Value::Unknown);
                // One that is known is asked for every module.
                if matches!(finder, Value::Instance(_) | Value::Class(_)) && self.finders.len() < 8 {
                    self.finders.push(finder);
                } else {
                    self.escape(&finder);
                    self.edits = true;
                }
                Value::None
            }
            "sys.meta_path.append" | "sys.path_hooks.append" | "sys.path_hooks.insert" | "sys.meta_path.extend" => {
                self.escape_args(&args);
                self.edits = true;
                Value::None
            }
            "sys.modules.get" => match &first {
                Some(Value::Str(name)) if self.loaded.get(&**name).is_some_and(|it| it.certain) => {
                    self.bound_module(name)
                }
                Some(Value::Str(name)) if self.loaded.contains_key(&**name) => self.bound_module(name).or(Value::None),
                Some(Value::Str(name)) if self.world.has_own(name) && !self.edits && self.is_certain() => {
                    args.plain.get(1).cloned().unwrap_or(Value::None)
                }
                _ => Value::Unknown,
            },
            "sys.modules.setdefault" => {
                let value = args.plain.get(1).cloned().unwrap_or(Value::None);
                let index = first.unwrap_or(Value::Unknown);
                if !index.as_str().is_some_and(|name| self.loaded.contains_key(name)) {
                    self.set_module(&index, value.clone());
                }
                value
            }
            "sys.modules.pop" => {
                if let Some(Value::Str(name)) = &first {
                    self.loaded.remove(&**name);
                    self.replaced.remove(&**name);
                }
                Value::Unknown
            }
            "sys.modules.update" => {
                self.edits = true;
                self.escape_args(&args);
                Value::None
            }
            "atexit.register" => {
                if let Some(function) = first {
                    let rest = Args { plain: args.plain.get(1..).unwrap_or_default().to_vec(), ..args.clone() };
                    if self.is_certain() {
                        self.at_exit.push((function.clone(), rest))
                    } else {
                        self.escape(&function)
                    }
                    return Ok(function);
                }
                Value::None
            }
            "functools.partial" | "functools.partialmethod" => Value::made("functools.partial", args),
            "functools.reduce" => {
                let certain = std::mem::replace(&mut self.certain, false);
                let function = first.unwrap_or(Value::Unknown);
                let items = args.plain.get(1).cloned().unwrap_or(Value::Unknown);
                let (items, _) = self.items(&items, frame);
                items.iter().for_each(|item| self.escape(item));
                let value = self.call_back(
                    &function,
                    Args { plain: vec![Value::Unknown, Value::Unknown], ..Args::default() },
                    line,
                    frame,
                );
                self.certain = certain;
                self.join(value, Value::Unknown)
            }
            "copy.copy"
            | "copy.deepcopy"
            | "typing.cast"
            | "types.MappingProxyType"
            | "weakref.proxy"
            | "contextlib.closing"
            | "inspect.unwrap" => {
                args.plain.last().filter(|_| &**name == "typing.cast").cloned().or(first).unwrap_or(Value::Unknown)
            }
            "collections.OrderedDict" => return self.call_builtin("dict", args, line, frame),
            "collections.defaultdict" | "collections.Counter" | "collections.ChainMap" => {
                args.plain.iter().for_each(|value| self.escape(value));
                Value::dict(Vec::new(), true)
            }
            "collections.deque" => return self.call_builtin("list", args, line, frame),
            "itertools.chain" => {
                let mut all = Vec::new();
                let mut open = false;
                for value in &args.plain {
                    let (items, more) = self.items(value, frame);
                    all.extend(items);
                    open |= more;
                }
                Value::seq(all, open)
            }
            "itertools.chain.from_iterable" => {
                let mut all = Vec::new();
                let (items, mut open) = first.map(|value| self.items(&value, frame)).unwrap_or((Vec::new(), true));
                for item in items {
                    let (more, also) = self.items(&item, frame);
                    all.extend(more);
                    open |= also;
                }
                Value::seq(all, open)
            }
            "operator.attrgetter" | "operator.methodcaller" => {
                for value in &args.plain {
                    if let Some(names) = value.as_str() {
                        for part in names.split('.') {
                            let part = self.intern(part);
                            self.mention(part);
                        }
                    }
                }
                Value::made(name, args)
            }
            "doctest.testmod" | "doctest.testfile" | "doctest.run_docstring_examples" => {
                let file = self.file_of(frame);
                self.open_end(&file, line, "code in documentation", vec!["*".to_owned()]);
                Value::Unknown
            }
            "inspect.getmembers" | "inspect.getmembers_static" | "unittest.defaultTestLoader.loadTestsFromModule" => {
                if let Some(value) = &first {
                    self.escape_all(value, "");
                }
                Value::seq(Vec::new(), true)
            }
            "unittest.main" => {
                self.run_tests(frame, line);
                return Err(Failure::Exit);
            }
            "unittest.defaultTestLoader.discover" => {
                let path = self.path_text(&self.argument(&args, 0, "start_dir").unwrap_or(Value::Unknown));
                self.discover(&path, line, frame);
                Value::Unknown
            }
            "unittest.mock.patch" | "unittest.mock.patch.object" | "unittest.mock.patch.multiple" => {
                if let Some(target) = first.as_ref().and_then(Value::as_str)
                    && let Some((module, _)) = target.rsplit_once('.')
                {
                    let at = format!("{}:{line}", self.file_of(frame));
                    let mut module = module;
                    while self.world.find(module).is_none()
                        && let Some((parent, _)) = module.rsplit_once('.')
                    {
                        module = parent;
                    }
                    let raises = self.raises;
                    let certain = self.certain;
                    self.linked(at, ImportKind::Conditional, module, false);
                    (self.raises, self.certain) = (raises, certain);
                }
                self.escape_args(&args);
                Value::made("functools.wraps", Args::default())
            }
            "logging.config.dictConfig" => {
                self.configured(first.as_ref(), 0, line, frame)?;
                self.escape_args(&args);
                Value::None
            }
            "logging.config.fileConfig" => {
                let file = self.file_of(frame);
                self.open_end(&file, line, "classes named in a file of settings", vec!["*".to_owned()]);
                Value::None
            }
            "asyncio.run"
            | "asyncio.gather"
            | "asyncio.create_task"
            | "asyncio.ensure_future"
            | "asyncio.wait_for"
            | "asyncio.shield"
            | "asyncio.wait"
            | "asyncio.as_completed"
            | "asyncio.run_coroutine_threadsafe"
            | "asyncio.timeout" => {
                let mut result = Value::Unknown;
                for value in args.plain.clone() {
                    let (items, _) =
                        if matches!(value, Value::Seq(_)) { self.items(&value, frame) } else { (vec![value], false) };
                    for item in items {
                        result = self.resume(&item, frame)?;
                    }
                }
                result
            }
            "asyncio.to_thread" => {
                self.threads = true;
                let rest = Args { plain: args.plain.get(1..).unwrap_or_default().to_vec(), ..args.clone() };
                self.call_back(&first.unwrap_or(Value::Unknown), rest, line, frame)
            }
            "_thread.start_new_thread" => {
                self.threads = true;
                let passed = args.plain.get(1).cloned().unwrap_or(Value::Unknown);
                let (plain, open) = self.items(&passed, frame);
                self.call_back(&first.unwrap_or(Value::Unknown), Args { plain, named: Vec::new(), open }, line, frame);
                Value::Unknown
            }
            "os.path.join" => self.path_join(&args.plain),
            "os.path.dirname" | "os.path.basename" | "os.path.abspath" | "os.path.realpath" | "os.path.normpath"
            | "os.fspath" | "os.path.expanduser" | "os.path.splitext" | "os.path.split" => {
                self.path_part(name, &first.unwrap_or(Value::Unknown))
            }
            "os.getcwd" | "pathlib.Path.cwd" | "pathlib.Path.home" => Value::Unknown,
            "pathlib.Path" | "pathlib.PurePath" | "pathlib.PosixPath" | "pathlib.PurePosixPath" => {
                let joined = self.path_join(&args.plain);
                match self.path_text(&joined) {
                    Value::Str(path) => path_of(&path),
                    other => Value::made("pathlib.Path", Args { plain: vec![other], ..Args::default() }),
                }
            }
            "os.listdir" | "glob.glob" | "glob.iglob" | "os.scandir" => {
                let path = self.path_text(&first.unwrap_or(Value::Unknown));
                self.listing(&path, name.starts_with("glob."), false)
            }
            "io.open" => Value::made(
                "file",
                Args { plain: vec![self.path_text(&first.unwrap_or(Value::Unknown))], ..Args::default() },
            ),
            "threading.Thread" | "threading.Timer" => Value::made(name, args),
            "contextlib.suppress" => Value::made(name, args),
            "contextlib.nullcontext" => Value::made(name, args),
            "types.SimpleNamespace" | "argparse.Namespace" => Value::made("types.SimpleNamespace", args),
            "types.ModuleType" => Value::made(name, args),
            "concurrent.futures.ThreadPoolExecutor"
            | "multiprocessing.pool.ThreadPool"
            | "multiprocessing.dummy.Pool"
            | "concurrent.futures.thread.ThreadPoolExecutor" => {
                self.threads = true;
                self.escape_args(&args);
                if let Some(initializer) = self.named(&args, "initializer") {
                    self.call_back(&initializer, Args { open: true, ..Args::default() }, line, frame);
                }
                Value::made("concurrent.futures.ThreadPoolExecutor", Args::default())
            }
            _ if runs_elsewhere(name) => Value::made(name, Args::default()),
            _ if only_looks(name) => Value::made(name, Args::default()),
            "functools.wraps"
            | "functools.update_wrapper"
            | "functools.lru_cache"
            | "functools.cache"
            | "dataclasses.dataclass"
            | "contextlib.contextmanager"
            | "contextlib.asynccontextmanager"
            | "functools.singledispatch"
            | "functools.total_ordering"
            | "typing.overload"
            | "typing.final"
            | "abc.abstractmethod"
            | "enum.unique"
            | "typing.no_type_check"
            | "functools.cached_property" => match first {
                Some(value @ (Value::Func(_) | Value::Class(_))) if &**name != "functools.wraps" => {
                    return self.decorate(&Value::Std(Rc::clone(name)), value, frame, &Program::default(), 0);
                }
                _ => Value::made(name, Args::default()),
            },
            _ => {
                self.escape_args(&args);
                self.raises |= ANY;
                // A class of the standard library makes objects of it; a function may give back what it was given.
                let last = name.rsplit('.').next().unwrap_or_default();
                if last.starts_with(|letter: char| letter.is_ascii_uppercase()) {
                    Value::made(name, Args::default())
                } else {
                    Value::Unknown
                }
            }
        })
    }

    /// What a variable of the environment is. Those that only libraries ask for are taken to be unset, but for those that every
    /// environment has: else whatever a library can be told to do would be done.
    pub(super) fn environment_variable(&self, name: Option<&Value>, default: Value, frame: &Frame) -> Value {
        let is_entry = self.units.get(frame.unit).is_some_and(|unit| unit.is_entry);
        match name {
            Some(Value::Str(name)) if !is_entry && !is_usual(name) => default,
            _ => default.or(Value::Unknown),
        }
    }

    pub(super) fn is_gil_enabled(&self) -> Value {
        let target = self.world.target();
        if !target.free_threaded || target.gil == Gil::On {
            return Value::Bool(true);
        }
        if target.gil == Gil::Off {
            return Value::Bool(false);
        }
        let surely = self.out.reached.iter().any(|reached| reached.certain && reached.outcome == Outcome::EnablesGil);
        match (surely, self.out.reached.is_empty()) {
            (true, _) => Value::Bool(true),
            (false, true) if self.is_certain() => Value::Bool(false),
            _ => Value::Unknown,
        }
    }

    pub(super) fn import_module(
        &mut self,
        module: &Value,
        package: Option<&Value>,
        line: u32,
        frame: &mut Frame,
    ) -> Eval {
        if let Value::OneOf(some) = module {
            let certain = std::mem::replace(&mut self.certain, false);
            let mut result: Option<Value> = None;
            for one in some.iter() {
                let value = match self.import_module(one, package, line, frame) {
                    Ok(value) => value,
                    Err(failure) => {
                        self.raises |= failure.bit();
                        continue;
                    }
                };
                result = Some(match result.take() {
                    Some(old) => self.join(old, value),
                    None => value,
                });
            }
            self.certain = certain;
            return Ok(result.unwrap_or(Value::Unknown));
        }
        let relative = |name: &str| -> Option<Value> {
            let dots = name.bytes().take_while(|byte| *byte == b'.').count();
            if dots == 0 {
                return None;
            }
            Some(match package {
                Some(Value::Str(package)) => {
                    let level = u32::try_from(dots).unwrap_or(u32::MAX);
                    let rest = name.get(dots..).unwrap_or_default();
                    super::import::absolute(package, true, rest, level).map_or(Value::None, |name| Value::text(&name))
                }
                _ => Value::Unknown,
            })
        };
        let whole = match module {
            Value::Str(name) => relative(name).unwrap_or_else(|| module.clone()),
            Value::Text(begin, imports) => match relative(begin) {
                Some(Value::Str(name)) => {
                    let dot = if begin.trim_start_matches('.').is_empty() { "." } else { "" };
                    Value::Text(format!("{name}{dot}").into(), *imports)
                }
                Some(_) => Value::Unknown,
                None => module.clone(),
            },
            other => other.clone(),
        };
        self.import_by_value(&whole, line, "computed name", frame)?;
        Ok(match &whole {
            Value::Str(name) => self.bound_module(name),
            _ => Value::Unknown,
        })
    }

    pub(super) fn find_spec(&mut self, module: &Value, line: u32, frame: &mut Frame) -> Eval {
        let Value::Str(name) = module else { return Ok(Value::Unknown) };
        if let Some((parent, _)) = name.rsplit_once('.') {
            self.import_by_value(&Value::text(parent), line, "computed name", frame)?;
        }
        if self.replaced.contains_key(&**name) {
            return Ok(Value::Unknown);
        }
        Ok(match self.world.find(name) {
            Some(_) => {
                let package = name.rsplit_once('.').map_or("", |(package, _)| package);
                let plain = vec![module.clone(), Value::text(package), Value::Unknown];
                Value::made("spec", Args { plain, ..Args::default() })
            }
            None if self.edits => Value::Unknown,
            None => Value::None,
        })
    }

    pub(super) fn resolve_name(&mut self, value: &Value, line: u32, frame: &mut Frame) -> Eval {
        let Value::Str(name) = value else {
            self.import_by_value(value, line, "computed name", frame)?;
            return Ok(Value::Unknown);
        };
        let (mut module, attributes) = match name.split_once(':') {
            Some((module, attributes)) => (module.to_owned(), Some(attributes.to_owned())),
            None => (name.to_string(), None),
        };
        if attributes.is_none() {
            while self.world.find(&module).is_none()
                && let Some((parent, _)) = module.clone().rsplit_once('.')
            {
                module = parent.to_owned();
            }
        }
        self.import_by_value(&Value::text(&module), line, "computed name", frame)?;
        let rest = attributes
            .unwrap_or_else(|| name.get(module.len()..).unwrap_or_default().trim_start_matches('.').to_owned());
        let mut object = self.bound_module(&module);
        for part in rest.split('.').filter(|part| !part.is_empty()) {
            let part = self.intern(part);
            object = self.attribute(&object, part, line, frame)?;
        }
        Ok(object)
    }
}

/// Whether a file name matches a pattern with `*` and `?`.
pub(super) fn matches_glob(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut here) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while here < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, here));
                at += 1;
            }
            Some('?') => {
                at += 1;
                here += 1;
            }
            Some(letter) if name.get(here) == Some(letter) => {
                at += 1;
                here += 1;
            }
            _ => match &mut star {
                Some((back, from)) => {
                    *from += 1;
                    at = *back + 1;
                    here = *from;
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|letter| *letter == '*')
}
