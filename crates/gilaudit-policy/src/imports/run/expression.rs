//! Expressions.

use std::rc::Rc;

use gilaudit_model::program::{Argument, ArgumentKind, Expr, ExprId, Generator, Made, Operator, Program};

use super::super::value::{Args, FuncKind, Name, Scope, Value};
use super::text;
use super::{Failure, Frame, OTHER, Run};

pub(super) type Eval = Result<Value, Failure>;

/// How deep expressions are followed within each other.
const DEEPEST: usize = 2_000;

impl Run<'_> {
    pub(in super::super) fn eval(&mut self, code: &Rc<Program>, id: ExprId, frame: &mut Frame) -> Eval {
        let Some(at) = usize::try_from(id).ok() else { return Ok(Value::Unknown) };
        let Some(expr) = code.exprs.get(at) else { return Ok(Value::Unknown) };
        let line = code.lines.get(at).copied().unwrap_or(0);
        if self.nested > DEEPEST || !self.step(frame, line) {
            return Ok(Value::Unknown);
        }
        self.nested += 1;
        let value = self.eval_inner(code, (expr, line), frame);
        self.nested -= 1;
        value
    }

    fn eval_inner(&mut self, code: &Rc<Program>, (expr, line): (&Expr, u32), frame: &mut Frame) -> Eval {
        Ok(match expr {
            Expr::Str(text) => Value::text(text),
            Expr::Bytes(text) => Value::Bytes((&**text).into()),
            Expr::Int(number) => Value::Int(*number),
            Expr::Other => {
                Value::Made(Rc::new(super::super::value::Made { what: "number".into(), args: Args::default() }))
            }
            Expr::None => Value::None,
            Expr::Bool(value) => Value::Bool(*value),
            Expr::Name(name) => {
                let name = self.name_in(frame.unit, *name);
                return self.load_name(name, line, frame);
            }
            Expr::Format(parts) => {
                let mut values = Vec::new();
                for part in parts {
                    values.push(self.eval(code, *part, frame)?);
                }
                for value in &values {
                    self.operated(value);
                }
                text::concat(&values)
            }
            Expr::Attribute(object, name) => {
                let object = self.eval(code, *object, frame)?;
                let name = self.name_in(frame.unit, *name);
                return self.attribute(&object, name, line, frame);
            }
            Expr::Call(callee, arguments) => return self.call_expr(code, (*callee, arguments), line, frame),
            Expr::Subscript(object, index) => {
                let object = self.eval(code, *object, frame)?;
                let index = self.index(code, *index, frame)?;
                return self.subscript(&object, &index, line, frame);
            }
            Expr::Slice(..) => {
                self.index(code, u32::MAX, frame)?;
                Value::Unknown
            }
            Expr::Binary(operator, left, right) => {
                let left = self.eval(code, *left, frame)?;
                let right = self.eval(code, *right, frame)?;
                self.operated(&left);
                self.operated(&right);
                let value = self.binary(*operator, &left, &right);
                if value.is_err() {
                    self.failed_at = Some((self.file_of(frame), line));
                }
                return value;
            }
            Expr::Unary(value) => {
                let value = self.eval(code, *value, frame)?;
                self.operated(&value);
                Value::Unknown
            }
            Expr::Not(value) => {
                let value = self.eval(code, *value, frame)?;
                value.truth().map_or(Value::Unknown, |truth| Value::Bool(!truth))
            }
            Expr::And(parts) => return self.either(code, parts, false, frame),
            Expr::Or(parts) => return self.either(code, parts, true, frame),
            Expr::Compare(first, rest) => {
                let mut left = self.eval(code, *first, frame)?;
                let mut all = Some(true);
                for (operator, right) in rest {
                    let right = self.eval(code, *right, frame)?;
                    self.operated(&left);
                    self.operated(&right);
                    all = match (all, self.compared(*operator, (&left, &right), frame)) {
                        (Some(false), _) | (_, Some(false)) => Some(false),
                        (Some(true), Some(true)) => Some(true),
                        _ => None,
                    };
                    left = right;
                }
                all.map_or(Value::Unknown, Value::Bool)
            }
            Expr::If(test, one, other) => {
                let value = self.eval(code, *test, frame)?;
                match value.truth() {
                    Some(true) => return self.eval(code, *one, frame),
                    Some(false) => return self.eval(code, *other, frame),
                    None => {
                        let one = self.perhaps(code, *one, frame);
                        let other = self.perhaps(code, *other, frame);
                        self.join(one, other)
                    }
                }
            }
            Expr::Lambda(index) => return self.function(code, *index, frame, FuncKind::Plain),
            Expr::Tuple(items) | Expr::List(items) | Expr::Set(items) => {
                let mut values = Vec::new();
                let mut open = false;
                for item in items {
                    match usize::try_from(*item).ok().and_then(|at| code.exprs.get(at)) {
                        Some(Expr::Starred(inner)) => {
                            let value = self.eval(code, *inner, frame)?;
                            let (more, more_open) = self.items(&value, frame);
                            values.extend(more);
                            open |= more_open;
                        }
                        _ => values.push(self.eval(code, *item, frame)?),
                    }
                }
                if matches!(expr, Expr::Tuple(_)) && !open { Value::tuple(values) } else { Value::seq(values, open) }
            }
            Expr::Dict(pairs) => {
                let mut values = Vec::new();
                let mut open = false;
                for (key, value) in pairs {
                    match key {
                        Some(key) => {
                            let key = self.eval(code, *key, frame)?;
                            let value = self.eval(code, *value, frame)?;
                            if matches!(key, Value::Str(_) | Value::Int(_) | Value::None | Value::Bool(_)) {
                                values.retain(|(old, _): &(Value, Value)| old.same(&key) != Some(true));
                            }
                            values.push((key, value));
                        }
                        None => match self.eval(code, *value, frame)? {
                            Value::Dict(dict) => {
                                values.extend(dict.pairs.borrow().iter().cloned());
                                open |= dict.open.get() || dict.of_module.is_some();
                            }
                            other => {
                                self.escape(&other);
                                open = true;
                            }
                        },
                    }
                }
                Value::dict(values, open)
            }
            Expr::Comprehension(made, key, value, generators) => {
                return self.comprehension(code, (*made, *key, *value), generators, frame);
            }
            Expr::Await(value) => {
                let value = self.eval(code, *value, frame)?;
                return self.resume(&value, frame);
            }
            Expr::Yield(value) => {
                if let Some(value) = value {
                    let value = self.eval(code, *value, frame)?;
                    let value = match self.resume(&value, frame)? {
                        Value::Unknown => value,
                        resumed => resumed,
                    };
                    frame.result = Some(match frame.result.take() {
                        Some(old) => self.join(old, value),
                        None => value,
                    });
                }
                Value::Unknown
            }
            Expr::Starred(value) => return self.eval(code, *value, frame),
            Expr::Walrus(name, value) => {
                let value = self.eval(code, *value, frame)?;
                let name = self.name_in(frame.unit, *name);
                self.set_name(frame, name, value.clone());
                value
            }
        })
    }

    /// Evaluates what may not be evaluated.
    fn perhaps(&mut self, code: &Rc<Program>, id: ExprId, frame: &mut Frame) -> Value {
        let certain = std::mem::replace(&mut self.certain, false);
        let ended = self.may_have_ended;
        self.branches += 1;
        let value = self.eval(code, id, frame);
        self.branches -= 1;
        self.certain = certain;
        self.may_have_ended = ended;
        match value {
            Ok(value) => value,
            Err(failure) => {
                self.raises |= failure.bit();
                self.may_have_ended |= failure == Failure::Exit;
                Value::Unknown
            }
        }
    }

    /// `and` and `or`.
    fn either(&mut self, code: &Rc<Program>, parts: &[ExprId], is_or: bool, frame: &mut Frame) -> Eval {
        let mut result: Option<Value> = None;
        let last = parts.len().saturating_sub(1);
        for (index, part) in parts.iter().enumerate() {
            let value = match result {
                None => self.eval(code, *part, frame)?,
                Some(_) => self.perhaps(code, *part, frame),
            };
            let decided = value.truth();
            if index < last && decided == Some(!is_or) {
                continue;
            }
            let stops = decided == Some(is_or);
            result = Some(match result {
                None => value,
                Some(old) => self.join(old, value),
            });
            if stops {
                break;
            }
        }
        Ok(result.unwrap_or(Value::Unknown))
    }

    fn compared(
        &mut self,
        operator: gilaudit_model::program::Comparison,
        (left, right): (&Value, &Value),
        frame: &Frame,
    ) -> Option<bool> {
        use gilaudit_model::program::Comparison;
        if let (Comparison::In | Comparison::NotIn, Value::Std(what)) = (operator, right)
            && &**what == "os.environ"
        {
            return match self.environment_variable(Some(left), Value::None, frame) {
                Value::None => Some(operator == Comparison::NotIn),
                _ => None,
            };
        }
        // `"name" in sys.modules`.
        if let (Comparison::In | Comparison::NotIn, Value::Str(name), Value::Std(what)) = (operator, left, right)
            && &**what == "sys.modules"
        {
            let there = self.loaded.get(&**name).map(|loaded| loaded.certain);
            let there = match there {
                Some(true) => Some(true),
                None if self.world.has_own(name) && !self.edits && self.is_certain() => Some(false),
                _ => None,
            };
            return there.map(|there| there == (operator == Comparison::In));
        }
        if let (Comparison::In | Comparison::NotIn, Value::Str(name), Value::Dict(dict)) = (operator, left, right)
            && let Some(scope) = &dict.of_module
        {
            let name = self.intern(name);
            let there = scope.get(name).map(|_| true);
            return there.map(|there| there == (operator == Comparison::In));
        }
        let is_version = |value: &Value| matches!(value, Value::Std(name) if &**name == "sys.version_info");
        match (is_version(left), is_version(right)) {
            (true, false) => text::compare(operator, &self.version_info(), right),
            (false, true) => text::compare(operator, left, &self.version_info()),
            _ => text::compare(operator, left, right),
        }
    }

    pub(super) fn binary(&mut self, operator: Operator, left: &Value, right: &Value) -> Eval {
        if let (Value::OneOf(_), _) | (_, Value::OneOf(_)) = (left, right) {
            let mut result: Option<Value> = None;
            for one in left.each() {
                for two in right.each() {
                    let value = self.binary(operator, &one, &two).unwrap_or(Value::Unknown);
                    result = Some(match result.take() {
                        Some(old) => self.join(old, value),
                        None => value,
                    });
                }
            }
            return Ok(result.unwrap_or(Value::Unknown));
        }
        Ok(match (operator, left, right) {
            (Operator::Add, Value::Str(_) | Value::Text(..), _)
            | (Operator::Add, _, Value::Str(_) | Value::Text(..)) => text::concat(&[left.clone(), right.clone()]),
            (Operator::Add, Value::Seq(one), Value::Seq(two)) => {
                let mut items = one.items.borrow().clone();
                items.extend(two.items.borrow().iter().cloned());
                Value::seq(items, one.open.get() || two.open.get())
            }
            (Operator::Add, Value::Seq(one), other) | (Operator::Add, other, Value::Seq(one)) => {
                let (more, _) = self.known_items(other);
                let mut items = one.items.borrow().clone();
                items.extend(more);
                Value::seq(items, true)
            }
            (Operator::Or, Value::Dict(one), Value::Dict(two)) => {
                let mut pairs = one.pairs.borrow().clone();
                pairs.extend(two.pairs.borrow().iter().cloned());
                Value::dict(pairs, one.open.get() || two.open.get())
            }
            (Operator::Or | Operator::And | Operator::Subtract, Value::Seq(one), Value::Seq(two)) => {
                let mut items = one.items.borrow().clone();
                items.extend(two.items.borrow().iter().cloned());
                Value::seq(items, true)
            }
            (Operator::Modulo, Value::Str(format), _) => {
                let args = match right {
                    Value::Seq(seq) if !seq.open.get() => seq.items.borrow().clone(),
                    Value::Seq(_) | Value::Dict(_) => vec![Value::Unknown; 16],
                    other => vec![other.clone()],
                };
                text::percent(format, &args)
            }
            (Operator::Divide | Operator::FloorDivide | Operator::Modulo, Value::Int(_), Value::Int(0)) => {
                return Err(Failure::Other);
            }
            (Operator::Divide, Value::Made(made), _) if text::is_path(&made.what) => {
                return Ok(self.path_join(&[left.clone(), right.clone()]));
            }
            (_, Value::Int(one), Value::Int(two)) => match operator {
                Operator::Add => one.checked_add(*two).map_or(Value::Unknown, Value::Int),
                Operator::Subtract => one.checked_sub(*two).map_or(Value::Unknown, Value::Int),
                Operator::Multiply => one.checked_mul(*two).map_or(Value::Unknown, Value::Int),
                Operator::FloorDivide => one.checked_div_euclid(*two).map_or(Value::Unknown, Value::Int),
                Operator::Modulo => one.checked_rem_euclid(*two).map_or(Value::Unknown, Value::Int),
                _ => Value::Unknown,
            },
            (Operator::Multiply, Value::Seq(seq), _) | (Operator::Multiply, _, Value::Seq(seq)) => {
                Value::seq(seq.items.borrow().clone(), true)
            }
            _ => {
                for value in [left, right] {
                    if !value.is_inert() {
                        self.escape(value);
                    }
                }
                Value::Unknown
            }
        })
    }

    /// The index of a subscript: a slice is `Made("slice")` with what it is made of.
    fn index(&mut self, code: &Rc<Program>, id: ExprId, frame: &mut Frame) -> Eval {
        match usize::try_from(id).ok().and_then(|at| code.exprs.get(at)) {
            Some(Expr::Slice(start, stop, step)) => {
                let mut plain = Vec::new();
                for part in [start, stop, step] {
                    plain.push(match part {
                        Some(part) => self.eval(code, *part, frame)?,
                        None => Value::None,
                    });
                }
                Ok(Value::made("slice", Args { plain, ..Args::default() }))
            }
            Some(_) => self.eval(code, id, frame),
            None => Ok(Value::Unknown),
        }
    }

    fn comprehension(
        &mut self,
        code: &Rc<Program>,
        (made, key, value): (Made, Option<ExprId>, ExprId),
        generators: &[Generator],
        frame: &mut Frame,
    ) -> Eval {
        let mut items: Vec<(Value, Value)> = Vec::new();
        let mut open = false;
        // What it binds is its own.
        let scope = self.scope(Some(Rc::clone(&frame.scope)));
        let outer = std::mem::replace(&mut frame.scope, scope);
        let result = self.turns(code, (key, value), generators, frame, (&mut items, &mut open));
        frame.scope = outer;
        result?;
        Ok(match made {
            Made::Dict => Value::dict(items, open),
            _ => Value::seq(items.into_iter().map(|(_, value)| value).collect(), open),
        })
    }

    fn turns(
        &mut self,
        code: &Rc<Program>,
        (key, value): (Option<ExprId>, ExprId),
        generators: &[Generator],
        frame: &mut Frame,
        out: (&mut Vec<(Value, Value)>, &mut bool),
    ) -> Result<(), Failure> {
        let (items, open) = out;
        let Some((first, rest)) = generators.split_first() else {
            let key = match key {
                Some(key) => self.eval(code, key, frame)?,
                None => Value::None,
            };
            let value = self.eval(code, value, frame)?;
            if items.len() < 400 {
                items.push((key, value));
            } else {
                self.escape(&value);
                *open = true;
            }
            return Ok(());
        };
        let iterable = self.eval(code, first.iterable, frame)?;
        let (mut each, unsure) = self.items(&iterable, frame);
        if each.len() > 400 {
            let rest = each.split_off(399);
            each.extend(rest.into_iter().reduce(|one, two| self.join(one, two)));
            *open = true;
        }
        if unsure {
            *open = true;
            if iterable.has_others() {
                each.push(Value::Unknown);
            }
        }
        for item in each {
            self.assign(code, first.target, item, frame);
            let mut holds = Some(true);
            for condition in &first.conditions {
                let value = if holds == Some(true) {
                    self.eval(code, *condition, frame)?
                } else {
                    self.perhaps(code, *condition, frame)
                };
                holds = match (holds, value.truth()) {
                    (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                };
                if holds == Some(false) {
                    break;
                }
            }
            if holds == Some(false) {
                continue;
            }
            let certain = self.certain;
            if unsure || holds.is_none() {
                self.certain = false;
                *open = true;
            }
            let result = self.turns(code, (key, value), rest, frame, (&mut *items, &mut *open));
            self.certain = certain;
            if let Err(failure) = result {
                if unsure || holds.is_none() {
                    self.raises |= failure.bit();
                    continue;
                }
                return Err(failure);
            }
        }
        Ok(())
    }

    /// The name of the run for a name of a file.
    pub(super) fn name_in(&self, unit: usize, sym: u32) -> Name {
        let at = usize::try_from(sym).unwrap_or(usize::MAX);
        self.units.get(unit).and_then(|unit| unit.names.get(at)).copied().unwrap_or(Name::MAX)
    }

    /// Where a name is found, and what it is.
    pub(super) fn find_name(&self, frame: &Frame, name: Name) -> Option<(Rc<Scope>, Value)> {
        if let Some(class) = &frame.class
            && let Some(value) = class.get(name)
        {
            return Some((Rc::clone(class), value));
        }
        let mut scope = Some(Rc::clone(&frame.scope));
        while let Some(here) = scope {
            if let Some(value) = here.get(name) {
                return Some((here, value));
            }
            scope = here.outer.clone();
        }
        let module = &self.units.get(frame.unit)?.scope;
        module.get(name).map(|value| (Rc::clone(module), value))
    }

    fn load_name(&mut self, name: Name, line: u32, frame: &mut Frame) -> Eval {
        if let Some((scope, value)) = self.find_name(frame, name) {
            if let Value::Made(made) = &value
                && &*made.what == "lazy import"
            {
                return self.look_at_lazy(&scope, name, made, line, frame);
            }
            let unit = self.units.get(frame.unit);
            let is_global = unit.is_some_and(|unit| Rc::ptr_eq(&unit.scope, &scope));
            // A function that is not followed yet may have changed it.
            if is_global
                && frame.func.is_some()
                && unit.is_some_and(|unit| unit.volatile.contains(&name))
                && !self.is_certain()
            {
                return Ok(match value {
                    Value::Unknown => Value::Unknown,
                    value => value.or(Value::Unknown),
                });
            }
            return Ok(value);
        }
        let text = self.text_of(name);
        match &*text {
            "__builtins__" => return Ok(Value::std("builtins")),
            "__debug__" => return Ok(Value::Bool(true)),
            "__class__" => return Ok(Value::Unknown),
            _ => {}
        }
        if super::stdlib::is_builtin(&text) {
            return Ok(Value::Std(format!("builtins.{text}").into()));
        }
        // A name that nothing binds ends the program; one that may be bound elsewhere does not.
        let unit = self.units.get(frame.unit);
        let certain = unit.is_some_and(|unit| unit.is_entry && !unit.is_dynamic && !unit.volatile.contains(&name));
        if certain
            && self.is_certain()
            && frame.func.is_none()
            && frame.class.is_none()
            && !self.binds_somewhere(frame.unit, name)
        {
            self.failed_at = Some((self.file_of(frame), line));
            return Err(Failure::Other);
        }
        self.raises |= OTHER;
        Ok(Value::Unknown)
    }

    /// Whether a file may bind a name at all, by what was seen so far.
    fn binds_somewhere(&self, unit: usize, name: Name) -> bool {
        let Some(unit) = self.units.get(unit) else { return true };
        let mut stack: Vec<&[gilaudit_model::program::Stmt]> = vec![&unit.code.body];
        use gilaudit_model::program::Stmt;
        let is = |sym: &u32| usize::try_from(*sym).ok().and_then(|at| unit.names.get(at)) == Some(&name);
        let in_target = |target: ExprId| {
            let mut stack = vec![target];
            while let Some(target) = stack.pop() {
                match usize::try_from(target).ok().and_then(|at| unit.code.exprs.get(at)) {
                    Some(Expr::Name(sym)) if is(sym) => return true,
                    Some(Expr::Tuple(items) | Expr::List(items)) => stack.extend(items),
                    Some(Expr::Starred(item)) => stack.push(*item),
                    _ => {}
                }
            }
            false
        };
        while let Some(block) = stack.pop() {
            for statement in block {
                let found = match statement {
                    Stmt::Assign(targets, _) => targets.iter().any(|target| in_target(*target)),
                    Stmt::Augment(target, ..) => in_target(*target),
                    Stmt::Import { names, .. } | Stmt::From { names, .. } => {
                        names.iter().any(|alias| is(&alias.bound) || alias.name == "*")
                    }
                    Stmt::If(_, one, two) | Stmt::While(_, one, two) => {
                        stack.extend([&one[..], &two[..]]);
                        false
                    }
                    Stmt::For(target, _, one, two) => {
                        stack.extend([&one[..], &two[..]]);
                        in_target(*target)
                    }
                    Stmt::With(items, body) => {
                        stack.push(body);
                        items.iter().any(|(_, target)| target.is_some_and(in_target))
                    }
                    Stmt::Try(one, handlers, two, three) => {
                        stack.extend([&one[..], &two[..], &three[..]]);
                        stack.extend(handlers.iter().map(|handler| &handler.body[..]));
                        handlers.iter().any(|handler| handler.name.as_ref().is_some_and(is))
                    }
                    Stmt::Match(_, cases) => {
                        stack.extend(cases.iter().map(|case| &case.body[..]));
                        cases.iter().any(|case| case.binds.iter().any(is))
                    }
                    Stmt::Def(index, _) => usize::try_from(*index)
                        .ok()
                        .and_then(|at| unit.code.functions.get(at))
                        .is_some_and(|it| is(&it.name)),
                    Stmt::Class(index, _) => usize::try_from(*index)
                        .ok()
                        .and_then(|at| unit.code.classes.get(at))
                        .is_some_and(|it| is(&it.name)),
                    _ => false,
                };
                if found {
                    return true;
                }
            }
        }
        // A walrus anywhere.
        unit.code.exprs.iter().any(|expr| matches!(expr, Expr::Walrus(sym, _) if is(sym)))
    }

    /// Binds a name where an assignment in this frame binds it.
    pub(super) fn set_name(&mut self, frame: &Frame, name: Name, value: Value) {
        if let Some(class) = &frame.class {
            let class = Rc::clone(class);
            return self.store(&class, name, Some(value));
        }
        let module = self.units.get(frame.unit).map(|unit| Rc::clone(&unit.scope));
        let Some(module) = module else { return };
        let mut scope = Rc::clone(&frame.scope);
        if let Some(func) = &frame.func {
            let (is_global, is_local) = self.binding(func.unit, func.index, name);
            if is_global {
                scope = Rc::clone(&module);
            } else if !is_local {
                // `nonlocal`: the call around it that has the name.
                let mut outer = frame.scope.outer.clone();
                while let Some(here) = outer {
                    if here.get(name).is_some() {
                        scope = here;
                        break;
                    }
                    outer = here.outer.clone();
                }
            }
        }
        let is_own = Rc::ptr_eq(&scope, &frame.scope) && frame.func.is_some();
        let weak = !is_own && frame.func.is_some() && (frame.doubt || !self.is_certain());
        let value = match scope.get(name).filter(|_| weak) {
            Some(old) => self.join(old, value),
            None => value,
        };
        self.store(&scope, name, Some(value));
    }

    /// Whether a function declares a name global, and whether it binds it itself.
    fn binding(&self, unit: usize, index: u32, name: Name) -> (bool, bool) {
        let Some(unit) = self.units.get(unit) else { return (false, true) };
        let Some(function) = usize::try_from(index).ok().and_then(|at| unit.code.functions.get(at)) else {
            return (false, true);
        };
        let is = |sym: &u32| usize::try_from(*sym).ok().and_then(|at| unit.names.get(at)) == Some(&name);
        (function.globals.iter().any(is), function.locals.iter().any(is))
    }

    pub(super) fn assign(&mut self, code: &Rc<Program>, target: ExprId, value: Value, frame: &mut Frame) {
        let Some(at) = usize::try_from(target).ok() else { return };
        let Some(expr) = code.exprs.get(at) else { return };
        let line = code.lines.get(at).copied().unwrap_or(0);
        match expr {
            Expr::Name(name) => {
                let name = self.name_in(frame.unit, *name);
                self.set_name(frame, name, value);
            }
            Expr::Tuple(items) | Expr::List(items) => {
                let (values, open) = self.known_items(&value);
                let starred = |item: &ExprId| {
                    let expr = usize::try_from(*item).ok().and_then(|at| code.exprs.get(at));
                    matches!(expr, Some(Expr::Starred(_)))
                };
                let star = items.iter().position(starred);
                let exact = !open && values.len() == items.len() && star.is_none();
                if exact {
                    for (item, value) in items.iter().zip(values) {
                        self.assign(code, *item, value, frame);
                    }
                } else if let Some(star) = star.filter(|_| !open && values.len() + 1 >= items.len()) {
                    let after = items.len() - star - 1;
                    let middle = values.len() - after;
                    for (item, value) in items.iter().take(star).zip(&values) {
                        self.assign(code, *item, value.clone(), frame);
                    }
                    let rest = values.get(star..middle).unwrap_or_default().to_vec();
                    if let Some(Expr::Starred(inner)) =
                        items.get(star).and_then(|item| code.exprs.get(usize::try_from(*item).ok()?))
                    {
                        self.assign(code, *inner, Value::seq(rest, false), frame);
                    }
                    for (item, value) in items.iter().skip(star + 1).zip(values.iter().skip(middle)) {
                        self.assign(code, *item, value.clone(), frame);
                    }
                } else {
                    let any = values.into_iter().reduce(|one, two| self.join(one, two));
                    let any = any.map_or(Value::Unknown, |any| self.join(any, Value::Unknown));
                    for item in items {
                        self.assign(code, *item, any.clone(), frame);
                    }
                }
            }
            Expr::Starred(inner) => {
                let value = Value::seq(vec![value], true);
                self.assign(code, *inner, value, frame);
            }
            Expr::Attribute(object, name) => {
                let object = self.eval(code, *object, frame).unwrap_or(Value::Unknown);
                let name = self.name_in(frame.unit, *name);
                self.set_attribute(&object, name, value, line, frame);
            }
            Expr::Subscript(object, index) => {
                let object = self.eval(code, *object, frame).unwrap_or(Value::Unknown);
                let index = self.index(code, *index, frame).unwrap_or(Value::Unknown);
                self.set_item(&object, &index, value);
            }
            _ => {}
        }
    }

    pub(super) fn arguments(
        &mut self,
        code: &Rc<Program>,
        arguments: &[Argument],
        frame: &mut Frame,
    ) -> Result<Args, Failure> {
        let mut args = Args::default();
        for argument in arguments {
            let value = self.eval(code, argument.value, frame)?;
            match argument.kind {
                ArgumentKind::Plain => args.plain.push(value),
                ArgumentKind::Named(name) => {
                    let name = self.name_in(frame.unit, name);
                    args.named.push((name, value));
                }
                ArgumentKind::Star => {
                    let (items, open) = self.items(&value, frame);
                    args.plain.extend(items);
                    args.open |= open;
                }
                ArgumentKind::DoubleStar => match &value {
                    Value::Dict(dict) => {
                        if let Some(scope) = &dict.of_module {
                            args.named.extend(scope.names.borrow().iter().map(|(name, value)| (*name, value.clone())));
                            args.named.sort_by_key(|(name, _)| *name);
                        }
                        args.open |= dict.open.get();
                        let pairs = dict.pairs.borrow().clone();
                        for (key, value) in pairs {
                            match key.as_str() {
                                Some(key) => {
                                    let key = self.intern(key);
                                    args.named.push((key, value));
                                }
                                None => args.open = true,
                            }
                        }
                    }
                    other => {
                        self.escape(other);
                        args.open = true;
                    }
                },
            }
        }
        Ok(args)
    }

    fn call_expr(
        &mut self,
        code: &Rc<Program>,
        (callee, arguments): (ExprId, &[Argument]),
        line: u32,
        frame: &mut Frame,
    ) -> Eval {
        let function = self.eval(code, callee, frame)?;
        // `super()` and `locals()` are about the frame they stand in.
        if let Value::Std(name) = &function {
            match &**name {
                "builtins.super" => {
                    let args = self.arguments(code, arguments, frame)?;
                    return Ok(self.super_of(&args, frame));
                }
                "builtins.locals" | "builtins.vars" if arguments.is_empty() => {
                    let scope = frame.class.clone().unwrap_or_else(|| Rc::clone(&frame.scope));
                    let dict = super::super::value::Dict { of_module: Some(scope), ..Default::default() };
                    return Ok(Value::Dict(Rc::new(dict)));
                }
                "builtins.globals" => {
                    let scope = self.units.get(frame.unit).map(|unit| Rc::clone(&unit.scope));
                    let dict = super::super::value::Dict { of_module: scope, ..Default::default() };
                    return Ok(Value::Dict(Rc::new(dict)));
                }
                _ => {}
            }
        }
        let args = self.arguments(code, arguments, frame)?;
        self.call(&function, args, line, frame)
    }
}
