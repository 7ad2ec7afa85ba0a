//! The standard library as far as it imports, runs or hands on code of the program; and the ways in: scripts, `-m`, console scripts.

use std::rc::Rc;

use gilaudit_model::program::{Program, Stmt};
use gilaudit_model::{Gil, ImportKind, Os, Outcome};

use super::super::value::{Args, Class, Made, Value};
use super::super::world::{Found, Node, PythonNode};
use super::builtin::{path_of, path_of_unknown};
use super::expression::Eval;
use super::text::{self, is_path};
use super::{ANY, Ended, Failure, Flow, Frame, IMPORT, NOT_FOUND, OTHER, Run};

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
fn runs_elsewhere(name: &str) -> bool {
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
            | "dataclasses.field"
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
    fn minor(&self) -> i64 {
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
            "pickle.loads" | "pickle.load" | "marshal.loads" | "marshal.load" | "pickle.Unpickler" | "shelve.open"
            | "copyreg.pickle" => {
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
                    self.linked(at, ImportKind::Conditional, &module.to_owned(), false);
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

    fn is_gil_enabled(&self) -> Value {
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

    fn import_module(&mut self, module: &Value, package: Option<&Value>, line: u32, frame: &mut Frame) -> Eval {
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

    fn find_spec(&mut self, module: &Value, line: u32, frame: &mut Frame) -> Eval {
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

    fn resolve_name(&mut self, value: &Value, line: u32, frame: &mut Frame) -> Eval {
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

    fn load_entry_point(&mut self, made: &Made, line: u32, frame: &mut Frame) -> Eval {
        let Some(Value::Str(value)) = made.args.plain.get(2) else { return Ok(Value::Unknown) };
        let text = value.split('[').next().unwrap_or_default().trim();
        self.resolve_name(&Value::text(&text.replace(' ', "")), line, frame)
    }

    fn iter_modules(&mut self, walk: bool, args: &Args) -> Value {
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

    fn add_path(&mut self, path: &Value, front: bool, line: u32, frame: &Frame) {
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

    fn path_part(&mut self, name: &str, value: &Value) -> Value {
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
    fn listing(&mut self, path: &Value, is_glob: bool, as_paths: bool) -> Value {
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

    fn code_as_data(&mut self, value: &Value, names: Option<&Value>, line: u32, frame: &mut Frame) -> Eval {
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

    fn unpickled(&mut self, name: &str, value: Option<Value>, line: u32, frame: &mut Frame) -> Eval {
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

    fn configured(&mut self, value: Option<&Value>, depth: usize, line: u32, frame: &mut Frame) -> Result<(), Failure> {
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

    /// `unittest.main()`: every test of the module.
    fn run_tests(&mut self, frame: &mut Frame, line: u32) {
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

    fn method_names(&self, class: &Rc<Class>, depth: usize, names: &mut Vec<String>) {
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

    fn discover(&mut self, path: &Value, line: u32, frame: &mut Frame) {
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

    fn call_builtin(&mut self, name: &str, args: Args, line: u32, frame: &mut Frame) -> Eval {
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
                                self.from_attribute(name, item, (&at, line), kind, frame)?;
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
                        _ => {
                            self.failed_at = Some((self.file_of(frame), line));
                            Err(Failure::Other)
                        }
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
            "isinstance" | "issubclass" | "callable" | "id" | "hash" | "dir" => Value::Unknown,
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
    fn mention_all(&mut self, begin: &str, frame: &Frame) {
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
    fn has_attribute(&mut self, object: &Value, name: u32) -> Option<bool> {
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
                let mut frame = Frame {
                    unit: usize::MAX,
                    scope,
                    class: None,
                    func: None,
                    doubt: false,
                    loop_doubt: false,
                    result: None,
                    in_try: false,
                };
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

    fn path_method(&mut self, made: &Made, object: &Value, name: &str, args: &Args) -> Value {
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
                        let listed = self.listing(&whole, true, true);
                        listed
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

    /// Runs a script.
    pub(super) fn script(&mut self, node: &PythonNode) -> Ended {
        self.out.files.insert(node.file.clone());
        let code = Rc::clone(&node.code);
        if let Some((line, why)) = &code.incomplete {
            // A script that does not compile does not begin to run.
            self.out.stopped.get_or_insert_with(|| format!("{}:{line}: this is no valid Python: {why}", node.file));
            self.failed_at = Some((node.file.as_str().into(), *line));
            return Ended::Failed(Failure::Other);
        }
        let unit = self.new_unit(&code, "__main__", false, &node.file, true);
        self.loaded.insert(
            "__main__".to_owned(),
            super::Loaded { certain: true, ended: Ended::Well, unit: Some(unit), running: true },
        );
        let ended = self.run_unit(unit);
        self.loaded.remove("__main__");
        ended
    }

    /// `python -m NAME`, and `runpy.run_module`.
    pub(super) fn run_module(&mut self, name: &str, at: &str) -> Ended {
        let parent = match self.world.find(name).as_deref() {
            Some(Found::Package(..) | Found::Namespace(_)) => Some(name),
            _ => name.rsplit_once('.').map(|(parent, _)| parent),
        };
        if let Some(parent) = parent {
            match self.linked(at.to_owned(), ImportKind::Main, &parent.to_owned(), true) {
                Ended::Well => {}
                other => return other,
            }
        }
        let main = match self.world.find(name).as_deref() {
            Some(Found::Package(..) | Found::Namespace(_)) => format!("{name}.__main__"),
            Some(Found::Standard) => return Ended::Well,
            _ => name.to_owned(),
        };
        let index = match self.world.find(&main).as_deref() {
            Some(Found::Module(index) | Found::Package(index, _)) => *index,
            _ => {
                main.clone_into(&mut self.missing);
                return Ended::Failed(Failure::NotFound);
            }
        };
        let world = self.world;
        let Some(Node::Python(python)) = world.node(index) else { return Ended::Open };
        let code = Rc::clone(&python.code);
        let unit = self.new_unit(&code, &main, false, &python.file, true);
        let own = self.intern("__name__");
        if let Some(unit) = self.units.get(unit) {
            unit.scope.names.borrow_mut().insert(own, Value::text("__main__"));
        }
        self.chain.push(super::Link { at: at.to_owned(), kind: ImportKind::Main, module: main });
        let ended = self.run_unit(unit);
        self.chain.pop();
        ended
    }

    fn run_module_call(&mut self, module: Option<Value>, line: u32, frame: &mut Frame) -> Eval {
        let at = format!("{}:{line}", self.file_of(frame));
        match module {
            Some(Value::Str(name)) => match self.run_module(&name, &at) {
                Ended::Failed(failure) => Err(failure),
                _ => Ok(Value::Unknown),
            },
            _ => {
                let file = self.file_of(frame);
                self.open_end(&file, line, "code as data", vec!["*".to_owned()]);
                Ok(Value::Unknown)
            }
        }
    }

    /// A console script.
    pub(super) fn console(&mut self, module: &str, function: &str) -> Ended {
        let at = format!("{module}:{function}");
        match self.linked(at, ImportKind::Main, module, true) {
            Ended::Failed(failure) => return Ended::Failed(failure),
            Ended::Open => self.certain = false,
            Ended::Well => {}
        }
        let scope = self.scope(None);
        let unit = self.loaded.get(module).and_then(|loaded| loaded.unit).unwrap_or(usize::MAX);
        let mut frame = Frame {
            unit,
            scope,
            class: None,
            func: None,
            doubt: false,
            loop_doubt: false,
            result: None,
            in_try: false,
        };
        let mut object = self.bound_module(module);
        for part in function.split('.').filter(|part| !part.is_empty()) {
            let part = self.intern(part);
            object = match self.attribute(&object, part, 0, &mut frame) {
                Ok(value) => value,
                Err(failure) => return Ended::Failed(failure),
            };
        }
        match self.call(&object, Args::default(), 0, &mut frame) {
            Ok(_) => Ended::Well,
            Err(failure) => Ended::Failed(failure),
        }
    }

    /// A line of a `.pth` file.
    pub(super) fn startup_line(&mut self, file: &str, line: u32, code: &Rc<Program>) -> Ended {
        let place = if line > 1 { format!("{file}:{line}") } else { file.to_owned() };
        let unit = self.new_unit(code, "site", false, &place, false);
        self.run_unit(unit)
    }

    /// What was registered to run when the process ends.
    pub(super) fn exit_handlers(&mut self) {
        (self.certain, self.raises, self.may_have_ended) = (true, 0, false);
        let scope = self.scope(None);
        let mut frame = Frame {
            unit: usize::MAX,
            scope,
            class: None,
            func: None,
            doubt: false,
            loop_doubt: false,
            result: None,
            in_try: false,
        };
        while let Some((function, args)) = self.at_exit.pop() {
            self.call_back(&function, args, 0, &mut frame);
            self.certain = true;
        }
    }
}

/// Whether a file name matches a pattern with `*` and `?`.
fn matches_glob(pattern: &str, name: &str) -> bool {
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
