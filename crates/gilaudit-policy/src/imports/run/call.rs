//! Calls: functions, classes, generators, decorators, context managers.

use std::cell::{Cell, RefCell};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use gilaudit_model::program::{ArgumentKind, ExprId, ParamKind, Program};

use super::super::value::{Args, Class, Func, FuncKind, Instance, Name, Paused, Scope, Value};
use super::expression::Eval;
use super::{ANY, Failure, Flow, Frame, IMPORT, NOT_FOUND, OTHER, Run};

/// A call that was followed already where nothing is certain: the function, where it was defined, and what was passed.
pub(super) type Key = (usize, u32, usize, u64);

/// How many calls within each other are followed.
const DEEPEST: usize = 60;

/// The same where nothing is certain: what is deeper is followed once, for any arguments.
const DEEP_MAYBE: usize = 10;

/// How often one function is followed where it runs in any case.
const OFTEN: u32 = 100;

/// How many expressions are followed in all the calls of one function where nothing is certain, and how many calls at least.
const MAYBE: u32 = 2_000;
const AT_LEAST: u32 = 2;

/// Classes of the standard library that call no method of a subclass but those between underscores.
const QUIET_BASES: [&str; 40] = [
    "abc.ABC",
    "enum.Enum",
    "enum.Flag",
    "enum.IntEnum",
    "enum.IntFlag",
    "enum.StrEnum",
    "typing.Generic",
    "typing.NamedTuple",
    "typing.Protocol",
    "typing.TypedDict",
    "typing.Any",
    "collections.OrderedDict",
    "collections.defaultdict",
    "collections.UserDict",
    "collections.UserList",
    "collections.deque",
    "collections.Counter",
    "collections.abc.Mapping",
    "collections.abc.MutableMapping",
    "collections.abc.Sequence",
    "collections.abc.MutableSequence",
    "collections.abc.Iterator",
    "collections.abc.Iterable",
    "collections.abc.Callable",
    "collections.abc.Hashable",
    "collections.abc.Sized",
    "collections.abc.Set",
    "collections.abc.MutableSet",
    "types.ModuleType",
    "types.SimpleNamespace",
    "contextlib.ContextDecorator",
    "contextlib.AbstractContextManager",
    "numbers.Number",
    "numbers.Real",
    "numbers.Integral",
    "threading.local",
    "string.Formatter",
    "string.Template",
    "pathlib.PurePath",
    "os.PathLike",
];

/// Whether a class of the standard library calls methods of its subclasses by itself.
fn calls_methods(name: &str) -> bool {
    let own = name.strip_prefix("builtins.").unwrap_or(name);
    let is_error = own.ends_with("Error") || own.ends_with("Exception") || own.ends_with("Warning");
    !(name.starts_with("builtins.") || is_error || QUIET_BASES.contains(&name))
}

/// Decorators of the standard library that give back what they decorate, or something that calls it.
fn is_transparent(name: &str) -> bool {
    matches!(
        name,
        "functools.wraps"
            | "functools.lru_cache"
            | "functools.cache"
            | "functools.total_ordering"
            | "functools.singledispatch"
            | "functools.update_wrapper"
            | "functools.partialmethod"
            | "functools.singledispatchmethod"
            | "abc.abstractmethod"
            | "typing.overload"
            | "typing.final"
            | "typing.no_type_check"
            | "typing.override"
            | "typing.runtime_checkable"
            | "typing.cast"
            | "typing.dataclass_transform"
            | "dataclasses.dataclass"
            | "enum.unique"
            | "enum.verify"
            | "enum.global_enum"
            | "warnings.deprecated"
            | "contextlib.contextmanager"
            | "contextlib.asynccontextmanager"
            | "types.coroutine"
            | "staticmethod"
            | "reprlib.recursive_repr"
            | "unittest.skip"
            | "unittest.skipIf"
            | "unittest.skipUnless"
            | "unittest.expectedFailure"
            | "builtins.staticmethod"
            | "builtins.classmethod"
            | "builtins.property"
            | "functools.cached_property"
            | "abc.abstractproperty"
            | "typing.type_check_only"
            | "enum.property"
            | "enum.member"
            | "enum.nonmember"
    )
}

impl Run<'_> {
    /// Makes the function of a `def` or `lambda`.
    pub(super) fn function(&mut self, code: &Rc<Program>, index: u32, frame: &mut Frame, kind: FuncKind) -> Eval {
        let Some(function) = usize::try_from(index).ok().and_then(|at| code.functions.get(at)) else {
            return Ok(Value::Unknown);
        };
        let mut defaults = Vec::new();
        for param in &function.params {
            defaults.push(match param.default {
                Some(default) => Some(self.eval(code, default, frame)?),
                None => None,
            });
        }
        Ok(Value::Func(Rc::new(Func {
            unit: frame.unit,
            index,
            scope: Rc::clone(&frame.scope),
            defaults,
            bound: None,
            class: RefCell::new(None),
            kind,
        })))
    }

    /// Calls something.
    pub(super) fn call(&mut self, callee: &Value, args: Args, line: u32, frame: &mut Frame) -> Eval {
        match callee {
            Value::Func(func) => self.call_function(func, args, line, frame),
            Value::Class(class) => self.instantiate(class, args, line, frame),
            Value::Instance(instance) => match self.method(instance, "__call__") {
                Some(method) => self.call(&method, args, line, frame),
                None => {
                    self.escape_args(&args);
                    self.escape(callee);
                    self.raises |= ANY;
                    Ok(Value::Unknown)
                }
            },
            Value::Std(name) => self.call_standard(&Rc::clone(name), args, line, frame),
            Value::Method(method) => {
                let (object, name) = (&method.0, &method.1);
                self.call_method(object, name, args, line, frame)
            }
            Value::Made(made) => self.call_made(made, args, line, frame),
            Value::OneOf(some) => {
                let certain = std::mem::replace(&mut self.certain, false);
                let ended = self.may_have_ended;
                let mut result: Option<Value> = None;
                for one in some.iter() {
                    match self.call(one, args.clone(), line, frame) {
                        Ok(value) => {
                            result = Some(match result.take() {
                                Some(old) => self.join(old, value),
                                None => value,
                            });
                        }
                        Err(failure) => self.raises |= failure.bit(),
                    }
                }
                self.may_have_ended = ended;
                self.certain = certain;
                Ok(result.unwrap_or(Value::Unknown))
            }
            Value::None | Value::Bool(_) | Value::Int(_) | Value::Str(_) | Value::Module(_)
                if self.is_certain() && self.is_entry(frame) =>
            {
                self.failed_at = Some((self.file_of(frame), line));
                Err(Failure::Other)
            }
            _ => {
                self.raises |= ANY;
                self.escape_args(&args);
                Ok(if matches!(callee, Value::Compiled) { Value::Compiled } else { Value::Unknown })
            }
        }
    }

    pub(super) fn escape_args(&mut self, args: &Args) {
        for value in args.plain.iter().chain(args.named.iter().map(|(_, value)| value)) {
            self.escape(value);
        }
    }

    /// A number for what is passed that is the same for the same values.
    pub(super) fn key(&self, func: &Func, args: &Args) -> Key {
        let mut hasher = std::collections::hash_map::DefaultHasher::new();
        args.open.hash(&mut hasher);
        if let Some(bound) = &func.bound {
            hash_value(bound, &mut hasher, 0);
        }
        for value in &args.plain {
            hash_value(value, &mut hasher, 0);
        }
        for (name, value) in &args.named {
            name.hash(&mut hasher);
            hash_value(value, &mut hasher, 0);
        }
        (func.unit, func.index, func.scope.id, hasher.finish())
    }

    pub(super) fn call_function(&mut self, func: &Rc<Func>, mut args: Args, line: u32, frame: &mut Frame) -> Eval {
        let Some(unit) = self.units.get(func.unit) else { return Ok(Value::Unknown) };
        let code = Rc::clone(&unit.code);
        let Some(function) = usize::try_from(func.index).ok().and_then(|at| code.functions.get(at)) else {
            return Ok(Value::Unknown);
        };
        if let Some(bound) = &func.bound {
            args.plain.insert(0, bound.clone());
        }
        if func.kind == FuncKind::Context {
            return Ok(Value::Paused(Rc::new(Paused {
                func: Rc::clone(func),
                args: without_bound(func, args),
                ran: Cell::new(false),
            })));
        }
        if function.is_generator || function.is_async {
            return Ok(Value::Paused(Rc::new(Paused {
                func: Rc::clone(func),
                args: without_bound(func, args),
                ran: Cell::new(false),
            })));
        }
        let args = without_bound(func, args);
        self.run_function(func, args, line, frame)
    }

    /// Runs the body of a function.
    pub(super) fn run_function(&mut self, func: &Rc<Func>, mut args: Args, line: u32, caller: &Frame) -> Eval {
        let id = (func.unit, func.index);
        let count = self.counts.get(&id).copied().unwrap_or(0);
        let within = self.calls.iter().filter(|call| **call == id).count();
        let forced = std::mem::take(&mut self.forced);
        let size =
            self.units.get(func.unit).and_then(|unit| unit.code.functions.get(usize::try_from(func.index).ok()?));
        let size = size.map_or(1, |function| function.size.max(1));
        let deep = if self.is_certain() && count < OFTEN { DEEPEST } else { DEEP_MAYBE };
        let often = if self.is_certain() && count < OFTEN { u32::MAX } else { OFTEN + (MAYBE / size).max(AT_LEAST) };
        // Certain calls are counted by themselves: the first ones say most.
        let spent = if self.is_certain() { count } else { OFTEN + self.maybe_counts.get(&id).copied().unwrap_or(0) };
        let deep = self.calls.len() >= deep || within >= 3;
        if !forced && deep || self.calls.len() >= DEEPEST || !self.step(caller, line) {
            self.called_with(func, args);
            return Ok(Value::Unknown);
        }
        if !forced && spent >= often {
            // Texts and the like say what is imported; objects are taken to be anything from here on.
            self.generalise(&mut args);
            if !self.memo.contains_key(&self.key(func, &args)) && spent >= often.saturating_add(AT_LEAST * 50) {
                self.called_with(func, args);
                return Ok(Value::Unknown);
            }
        }
        let certain = self.certain;
        if count >= OFTEN && self.certain {
            // So often that what it does in any case was seen.
            self.certain = false;
        }
        let key = self.key(func, &args);
        if !self.is_certain() && !forced {
            if let Some(known) = self.memo.get(&key) {
                self.certain = certain;
                return Ok(known.clone());
            }
            self.memo.insert(key, Value::Unknown);
        }
        if self.is_certain() {
            self.counts.insert(id, count + 1);
        } else {
            *self.maybe_counts.entry(id).or_insert(0) += 1;
        }
        if let Some(bound) = &func.bound {
            args.plain.insert(0, bound.clone());
        }
        let Some(unit) = self.units.get(func.unit) else { return Ok(Value::Unknown) };
        let code = Rc::clone(&unit.code);
        let Some(function) = usize::try_from(func.index).ok().and_then(|at| code.functions.get(at)) else {
            return Ok(Value::Unknown);
        };
        let module_scope = Rc::clone(&unit.scope);
        let outer = if Rc::ptr_eq(&func.scope, &module_scope) { None } else { Some(Rc::clone(&func.scope)) };
        let scope = self.scope(outer);
        self.bind_params(func, function, args, &scope);
        let mut frame = Frame {
            unit: func.unit,
            scope,
            class: None,
            func: Some(Rc::clone(func)),
            doubt: false,
            loop_doubt: false,
            result: None,
            in_try: false,
        };
        self.calls.push(id);
        let raises = std::mem::take(&mut self.raises);
        let before = self.certain;
        let flow = self.block(&code, &function.body, &mut frame);
        let raised = std::mem::replace(&mut self.raises, raises);
        self.raises |= raised;
        self.calls.pop();
        self.certain = certain && !self.later;
        // An import in it that may fail and that it does not expect to.
        if raised & (NOT_FOUND | IMPORT) != 0 && before {
            self.certain = false;
        }
        if let Flow::Raise(failure) = flow {
            // A library that seems to fail is more likely not understood: the program may go on.
            let is_entry = |unit: usize| self.units.get(unit).is_some_and(|unit| unit.is_entry);
            if failure == Failure::Other && is_entry(caller.unit) && !is_entry(func.unit) {
                self.raises |= OTHER;
                self.may_have_ended = true;
                return Ok(Value::Unknown);
            }
            return Err(failure);
        }
        let mut result = frame.result.take();
        if flow != Flow::Return && !function.is_generator {
            result = Some(match result.take() {
                Some(old) => self.join(old, Value::None),
                None => Value::None,
            });
        }
        let mut value = result.unwrap_or(Value::None);
        if function.is_generator {
            value = Value::seq(vec![value], true);
        }
        if !self.is_certain() {
            self.memo.insert(key, value.clone());
        }
        Ok(value)
    }

    /// Leaves of arguments what can be compared; what cannot has been given to code that is not followed.
    fn generalise(&mut self, args: &mut Args) {
        let mut values: Vec<Value> = Vec::new();
        for value in args.plain.iter_mut().chain(args.named.iter_mut().map(|(_, value)| value)) {
            if !value.is_inert() && !matches!(value, Value::Module(_)) {
                values.push(std::mem::replace(value, Value::Unknown));
            }
        }
        values.iter().for_each(|value| self.escape(value));
    }

    fn bind_params(
        &mut self,
        func: &Func,
        function: &gilaudit_model::program::Function,
        args: Args,
        scope: &Rc<Scope>,
    ) {
        let mut plain = args.plain.into_iter();
        let mut named = args.named;
        for (index, param) in function.params.iter().enumerate() {
            let name = self.name_in(func.unit, param.name);
            let default = func.defaults.get(index).cloned().flatten();
            let value = match param.kind {
                ParamKind::Star => {
                    let rest: Vec<Value> = plain.by_ref().collect();
                    Value::seq(rest, args.open)
                }
                ParamKind::DoubleStar => {
                    let pairs = std::mem::take(&mut named);
                    let pairs =
                        pairs.into_iter().map(|(name, value)| (Value::Str(self.text_of(name)), value)).collect();
                    Value::dict(pairs, args.open)
                }
                ParamKind::Plain | ParamKind::Named => {
                    let by_place = if param.kind == ParamKind::Plain { plain.next() } else { None };
                    let by_name = named.iter().position(|(own, _)| *own == name).map(|at| named.remove(at).1);
                    match by_place.or(by_name) {
                        Some(value) => value,
                        None => match default {
                            Some(default) if args.open => default.or(Value::Unknown),
                            Some(default) => default,
                            None => Value::Unknown,
                        },
                    }
                }
            };
            scope.names.borrow_mut().insert(name, value);
        }
    }

    /// Makes an object of a class.
    fn instantiate(&mut self, class: &Rc<Class>, args: Args, line: u32, frame: &mut Frame) -> Eval {
        if let Some(Value::Class(meta)) = &class.metaclass
            && let Some(call) = self.class_attribute(meta, "__call__", 0)
            && let Value::Func(func) = call
        {
            let bound = bind(&func, Value::Class(Rc::clone(class)));
            return self.call_function(&bound, args, line, frame);
        }
        let instance = Rc::new(Instance {
            class: Rc::clone(class),
            names: RefCell::default(),
            escaped: Cell::new(false),
            any: false,
        });
        let value = Value::Instance(Rc::clone(&instance));
        self.operated(&value);
        if let Some(Value::Func(new)) = self.class_attribute(class, "__new__", 0) {
            let mut all = args.clone();
            all.plain.insert(0, Value::Class(Rc::clone(class)));
            let made = self.call_function(&new, all, line, frame)?;
            if !matches!(made, Value::Unknown | Value::Instance(_)) {
                return Ok(made);
            }
        }
        match self.class_attribute(class, "__init__", 0) {
            Some(Value::Func(init)) => {
                let init = bind(&init, value.clone());
                self.call_function(&init, args.clone(), line, frame)?;
            }
            _ => {
                // A dataclass, a named tuple: what is passed are the attributes.
                for (name, value) in &args.named {
                    instance.names.borrow_mut().insert(*name, value.clone());
                }
                let fields: Vec<Value> = args.plain.clone();
                for field in &fields {
                    self.escape(field);
                }
            }
        }
        if let Some(Value::Func(post)) = self.class_attribute(class, "__post_init__", 0) {
            let post = bind(&post, value.clone());
            self.call_function(&post, Args::default(), line, frame)?;
        }
        if class.open {
            // Whoever wrote the base has the object now.
            let is_thread = self.is_thread(class, 0);
            if is_thread {
                for (name, passed) in &args.named {
                    instance.names.borrow_mut().insert(*name, passed.clone());
                }
            } else {
                self.escape(&value);
            }
        }
        Ok(value)
    }

    pub(super) fn is_thread(&self, class: &Class, depth: usize) -> bool {
        class.bases.iter().any(|base| match base {
            Value::Std(name) => matches!(&**name, "threading.Thread" | "threading.Timer"),
            Value::Class(base) => depth < 16 && self.is_thread(base, depth + 1),
            _ => false,
        })
    }

    /// Runs what a call of a generator or coroutine would.
    pub(super) fn resume(&mut self, value: &Value, frame: &mut Frame) -> Eval {
        match value {
            Value::Paused(paused) => {
                if paused.ran.replace(true) && self.is_certain() {
                    return Ok(Value::Unknown);
                }
                let args = paused.args.clone();
                self.run_function(&Rc::clone(&paused.func), args, 0, frame)
            }
            Value::Made(made) if &*made.what == "asyncio.gather" || made.what.starts_with("asyncio.") => {
                let all: Vec<Value> = made.args.plain.clone();
                for one in &all {
                    self.resume(one, frame)?;
                }
                Ok(Value::Unknown)
            }
            Value::OneOf(some) => {
                let certain = std::mem::replace(&mut self.certain, false);
                for one in some.iter() {
                    if let Err(failure) = self.resume(one, frame) {
                        self.raises |= failure.bit();
                    }
                }
                self.certain = certain;
                Ok(Value::Unknown)
            }
            Value::Instance(instance) => {
                if let Some(method) = self.method(instance, "__await__") {
                    return self.call(&method, Args::default(), 0, frame);
                }
                Ok(Value::Unknown)
            }
            _ => Ok(Value::Unknown),
        }
    }

    pub(super) fn define_class(
        &mut self,
        code: &Rc<Program>,
        index: u32,
        decorators: &[ExprId],
        frame: &mut Frame,
    ) -> Flow {
        match self.make_class(code, index, decorators, frame) {
            Ok(()) => Flow::Next,
            Err(failure) => Flow::Raise(failure),
        }
    }

    fn make_class(
        &mut self,
        code: &Rc<Program>,
        index: u32,
        decorators: &[ExprId],
        frame: &mut Frame,
    ) -> Result<(), Failure> {
        let Some(definition) = usize::try_from(index).ok().and_then(|at| code.classes.get(at)) else { return Ok(()) };
        let mut callees = Vec::new();
        for decorator in decorators {
            callees.push((self.eval(code, *decorator, frame)?, *decorator));
        }
        let mut bases = Vec::new();
        let (mut metaclass, mut keywords) = (None, Vec::new());
        for argument in &definition.arguments {
            let value = self.eval(code, argument.value, frame)?;
            match argument.kind {
                ArgumentKind::Named(name) => {
                    let name = self.name_in(frame.unit, name);
                    if &*self.text_of(name) == "metaclass" {
                        metaclass = Some(value)
                    } else {
                        keywords.push((name, value))
                    }
                }
                ArgumentKind::Plain => bases.push(value),
                ArgumentKind::Star | ArgumentKind::DoubleStar => bases.push(Value::Unknown),
            }
        }
        let is_open = |base: &Value| match base {
            Value::Class(class) => class.open,
            Value::Std(name) => calls_methods(name),
            Value::Made(made) => {
                !matches!(&*made.what, "typing.NamedTuple" | "collections.namedtuple" | "typing.TypedDict")
                    && calls_methods(&made.what)
            }
            Value::None => false,
            _ => true,
        };
        let open = bases.iter().any(is_open);
        let metaclass = metaclass.or_else(|| {
            bases.iter().find_map(|base| match base {
                Value::Class(class) => class.metaclass.clone(),
                _ => None,
            })
        });
        let names = self.scope(Some(Rc::clone(&frame.scope)));
        let mut own = Frame {
            unit: frame.unit,
            scope: Rc::clone(&frame.scope),
            class: Some(Rc::clone(&names)),
            func: frame.func.clone(),
            doubt: false,
            loop_doubt: false,
            result: None,
            in_try: frame.in_try,
        };
        if let Flow::Raise(failure) = self.block(code, &definition.body, &mut own) {
            return Err(failure);
        }
        let name = self.name_in(frame.unit, definition.name);
        let class = Rc::new(Class {
            unit: frame.unit,
            name,
            bases,
            names: Rc::clone(&names),
            open,
            live: Cell::new(false),
            metaclass: metaclass.clone(),
        });
        let members: Vec<(Name, Value)> = sorted(&names);
        for (_, member) in &members {
            if let Value::Func(func) = member {
                func.class.borrow_mut().get_or_insert_with(|| Rc::downgrade(&class));
            }
        }
        let mut value = Value::Class(Rc::clone(&class));
        let line = definition.line;
        for (member, object) in &members {
            if let Value::Instance(instance) = object
                && let Some(method) = self.method(instance, "__set_name__")
            {
                let plain = vec![value.clone(), Value::Str(self.text_of(*member))];
                self.call(&method, Args { plain, ..Args::default() }, line, frame)?;
            }
        }
        match &metaclass {
            Some(Value::Class(meta)) => {
                for special in ["__prepare__", "__new__", "__init__"] {
                    if let Some(Value::Func(func)) = self.class_attribute(meta, special, 0) {
                        let dict = Value::Dict(Rc::new(super::super::value::Dict {
                            of_module: Some(Rc::clone(&names)),
                            ..Default::default()
                        }));
                        let first = if special == "__init__" { value.clone() } else { Value::Class(Rc::clone(meta)) };
                        let bases = Value::seq(class.bases.clone(), false);
                        let plain = vec![first, Value::Str(self.text_of(name)), bases, dict];
                        let args = Args { plain, named: keywords.clone(), open: false };
                        self.call_function(&func, args, line, frame)?;
                    }
                }
            }
            Some(Value::Func(func)) => {
                let plain = vec![Value::Unknown, Value::Unknown, Value::Unknown];
                self.call_function(&Rc::clone(func), Args { plain, ..Args::default() }, line, frame)?;
            }
            Some(Value::Unknown | Value::Compiled) => self.escape(&value),
            _ => {}
        }
        for base in &class.bases {
            if let Value::Class(base) = base
                && let Some(Value::Func(hook)) = self.class_attribute(base, "__init_subclass__", 0)
            {
                let hook = bind(&hook, value.clone());
                self.call_function(&hook, Args { named: keywords.clone(), ..Args::default() }, line, frame)?;
                break;
            }
        }
        for (callee, at) in callees.into_iter().rev() {
            value = self.decorate(&callee, value, frame, code, at)?;
        }
        self.set_name(frame, name, value);
        Ok(())
    }

    /// What a decorator makes of a function or class.
    pub(super) fn decorate(
        &mut self,
        callee: &Value,
        value: Value,
        frame: &mut Frame,
        code: &Program,
        at: ExprId,
    ) -> Eval {
        let line = usize::try_from(at).ok().and_then(|at| code.lines.get(at)).copied().unwrap_or(0);
        let name = match callee {
            Value::Std(name) => Rc::clone(name),
            Value::Made(made) => Rc::clone(&made.what),
            Value::Method(method) if matches!(&*method.1, "setter" | "getter" | "deleter") => {
                return Ok(method.0.clone());
            }
            // A property that is not known to be one.
            _ => "".into(),
        };
        if let (Value::Func(func), true) = (&value, !name.is_empty()) {
            let kind = match &*name {
                "builtins.property" | "functools.cached_property" | "abc.abstractproperty" | "enum.property" => {
                    FuncKind::Property
                }
                "builtins.staticmethod" => FuncKind::Static,
                "builtins.classmethod" => FuncKind::ClassMethod,
                "contextlib.contextmanager" | "contextlib.asynccontextmanager" => FuncKind::Context,
                _ => func.kind,
            };
            if kind != func.kind {
                return Ok(Value::Func(Rc::new(Func {
                    unit: func.unit,
                    index: func.index,
                    scope: Rc::clone(&func.scope),
                    defaults: func.defaults.clone(),
                    bound: func.bound.clone(),
                    class: RefCell::new(func.class.borrow().clone()),
                    kind,
                })));
            }
        }
        if is_transparent(&name) {
            return Ok(value);
        }
        match callee {
            // What a compiled or unknown decorator gives back stands for what it was given, which it may call.
            Value::Unknown | Value::Compiled => {
                self.escape(&value);
                Ok(value)
            }
            _ => {
                let args = Args { plain: vec![value.clone()], ..Args::default() };
                let result = self.call(callee, args, line, frame)?;
                Ok(match result {
                    Value::Unknown | Value::Compiled | Value::None => value,
                    other => other,
                })
            }
        }
    }

    /// `super()`: the next class, with the object of the call.
    pub(super) fn super_of(&mut self, args: &Args, frame: &Frame) -> Value {
        let class = match args.plain.first() {
            Some(Value::Class(class)) => Some(Rc::clone(class)),
            _ => frame.func.as_ref().and_then(|func| func.class.borrow().as_ref().and_then(std::rc::Weak::upgrade)),
        };
        let object = args.plain.get(1).cloned().or_else(|| {
            let func = frame.func.as_ref()?;
            let unit = self.units.get(func.unit)?;
            let function = unit.code.functions.get(usize::try_from(func.index).ok()?)?;
            let first = function.params.first()?;
            frame.scope.get(self.name_in(func.unit, first.name))
        });
        match (class, object) {
            (Some(class), Some(object)) => {
                Value::made("super", Args { plain: vec![Value::Class(class), object], ..Args::default() })
            }
            _ => Value::Unknown,
        }
    }

    /// What `with` binds.
    pub(super) fn enter(&mut self, value: &Value, frame: &mut Frame) -> Eval {
        match value {
            Value::Instance(instance) => {
                let method = self.method(instance, "__enter__").or_else(|| self.method(instance, "__aenter__"));
                let Some(method) = method else { return Ok(Value::Unknown) };
                let entered = self.call(&method, Args::default(), 0, frame)?;
                let entered =
                    self.resume(&entered, frame).map(|it| if matches!(it, Value::Unknown) { entered } else { it })?;
                Ok(entered)
            }
            Value::Paused(paused) if paused.func.kind == FuncKind::Context => {
                let made = self.resume(value, frame)?;
                Ok(match made {
                    Value::Seq(seq) => seq.items.borrow().first().cloned().unwrap_or(Value::Unknown),
                    other => other,
                })
            }
            Value::Made(_) => Ok(value.clone()),
            other => {
                self.escape(other);
                Ok(Value::Unknown)
            }
        }
    }

    pub(super) fn exit(&mut self, value: &Value, frame: &mut Frame) {
        if let Value::Instance(instance) = value {
            for name in ["__exit__", "__aexit__"] {
                if let Some(method) = self.method(instance, name) {
                    let plain = vec![Value::None, Value::None, Value::None];
                    match self.call(&method, Args { plain, ..Args::default() }, 0, frame) {
                        Ok(paused) => {
                            let _ = self.resume(&paused, frame);
                        }
                        Err(failure) => self.raises |= failure.bit(),
                    }
                }
            }
        }
    }

    /// Runs something of the standard library's that it calls now: a callback.
    pub(super) fn call_back(&mut self, callee: &Value, args: Args, line: u32, frame: &mut Frame) -> Value {
        let result = self.call(callee, args, line, frame);
        match result {
            Ok(value) => {
                if matches!(value, Value::Paused(_)) {
                    self.escape(&value);
                }
                value
            }
            Err(failure) => {
                self.raises |= if failure == Failure::Exit { OTHER } else { failure.bit() };
                Value::Unknown
            }
        }
    }
}

/// The same function, looked up on an object.
pub(super) fn bind(func: &Rc<Func>, object: Value) -> Rc<Func> {
    if func.kind == FuncKind::Static {
        return Rc::clone(func);
    }
    Rc::new(Func {
        unit: func.unit,
        index: func.index,
        scope: Rc::clone(&func.scope),
        defaults: func.defaults.clone(),
        bound: Some(object),
        class: RefCell::new(func.class.borrow().clone()),
        kind: if func.kind == FuncKind::Context { FuncKind::Context } else { FuncKind::Plain },
    })
}

fn without_bound(func: &Func, mut args: Args) -> Args {
    if func.bound.is_some() && !args.plain.is_empty() {
        args.plain.remove(0);
    }
    args
}

/// The names of a scope in a fixed order.
pub(super) fn sorted(scope: &Scope) -> Vec<(Name, Value)> {
    let mut all: Vec<(Name, Value)> = scope.names.borrow().iter().map(|(name, value)| (*name, value.clone())).collect();
    all.sort_by_key(|(name, _)| *name);
    all
}

fn hash_value(value: &Value, hasher: &mut impl Hasher, depth: usize) {
    std::mem::discriminant(value).hash(hasher);
    match value {
        Value::Bool(value) => value.hash(hasher),
        Value::Int(number) => number.hash(hasher),
        Value::Str(text) | Value::Bytes(text) | Value::Module(text) | Value::Std(text) | Value::Text(text, _) => {
            text.hash(hasher)
        }
        Value::Seq(seq) => {
            seq.open.get().hash(hasher);
            let items = seq.items.borrow();
            items.len().hash(hasher);
            if depth < 3 {
                items.iter().take(20).for_each(|item| hash_value(item, hasher, depth + 1));
            }
        }
        Value::Dict(dict) => {
            dict.open.get().hash(hasher);
            let pairs = dict.pairs.borrow();
            pairs.len().hash(hasher);
            if depth < 3 {
                for (key, value) in pairs.iter().take(20) {
                    hash_value(key, hasher, depth + 1);
                    hash_value(value, hasher, depth + 1);
                }
            }
        }
        Value::Func(func) => {
            (func.unit, func.index, func.scope.id).hash(hasher);
            if let Some(bound) = &func.bound {
                hash_value(bound, hasher, depth + 1);
            }
        }
        Value::Class(class) => class.names.id.hash(hasher),
        Value::Instance(instance) => {
            instance.class.names.id.hash(hasher);
            if !instance.any {
                (Rc::as_ptr(instance) as usize).hash(hasher);
            }
        }
        Value::Made(made) => {
            made.what.hash(hasher);
            if depth < 3 {
                made.args.plain.iter().take(8).for_each(|item| hash_value(item, hasher, depth + 1));
            }
        }
        Value::Method(method) => {
            method.1.hash(hasher);
            hash_value(&method.0, hasher, depth + 1);
        }
        Value::Paused(paused) => (paused.func.unit, paused.func.index).hash(hasher),
        Value::OneOf(some) => some.iter().for_each(|one| hash_value(one, hasher, depth + 1)),
        Value::Unknown | Value::None | Value::Compiled => {}
    }
}
