//! Statements.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use gilaudit_model::program::{Except, Expr, ExprId, Program, Stmt};

use super::super::value::{Class, FuncKind, Name, Scope, Value};
use super::{ANY, EXIT, Failure, Flow, Frame, IMPORT, NOT_FOUND, OTHER, Raises, Run};

/// How many turns of a loop over known things are followed one by one.
const TURNS: usize = 200;

/// How many branches within each other are followed with a second turn of loops.
const SECOND_TURN: usize = 3;

/// What a branch left behind.
struct Branch {
    flow: Flow,
    writes: Vec<(Rc<Scope>, Name, Option<Value>)>,
}

impl Run<'_> {
    pub(in super::super) fn block(&mut self, code: &Rc<Program>, body: &[Stmt], frame: &mut Frame) -> Flow {
        if self.nested > 600 {
            return Flow::Next;
        }
        self.nested += 1;
        let mut flow = Flow::Next;
        for statement in body {
            flow = self.statement(code, statement, frame);
            if flow != Flow::Next {
                break;
            }
        }
        self.nested -= 1;
        flow
    }

    fn statement(&mut self, code: &Rc<Program>, statement: &Stmt, frame: &mut Frame) -> Flow {
        match statement {
            Stmt::Expr(value) => {
                if let Err(failure) = self.eval(code, *value, frame) {
                    return Flow::Raise(failure);
                }
            }
            Stmt::Assign(targets, value) => {
                let value = match self.eval(code, *value, frame) {
                    Ok(value) => value,
                    Err(failure) => return Flow::Raise(failure),
                };
                for target in targets {
                    self.assign(code, *target, value.clone(), frame);
                }
            }
            Stmt::Augment(target, operator, value) => {
                let old = match self.eval(code, *target, frame) {
                    Ok(value) => value,
                    Err(failure) => return Flow::Raise(failure),
                };
                let value = match self.eval(code, *value, frame) {
                    Ok(value) => value,
                    Err(failure) => return Flow::Raise(failure),
                };
                // A list takes what is added to it.
                if let Value::Seq(seq) = &old {
                    self.extend(seq, &value);
                    return Flow::Next;
                }
                let new = match self.binary(*operator, &old, &value) {
                    Ok(value) => value,
                    Err(failure) => return Flow::Raise(failure),
                };
                self.assign(code, *target, new, frame);
            }
            Stmt::Annotation(value) => {
                let is_eager = self.world.target().version < gilaudit_model::Version::V3_14;
                if is_eager && !code.future_annotations && frame.func.is_none() {
                    return self.eval(code, *value, frame).err().map_or(Flow::Next, Flow::Raise);
                }
            }
            Stmt::Return(value) => {
                let value = match value.map(|value| self.eval(code, value, frame)) {
                    Some(Ok(value)) => value,
                    Some(Err(failure)) => return Flow::Raise(failure),
                    None => Value::None,
                };
                frame.result = Some(match frame.result.take() {
                    Some(old) => self.join(old, value),
                    None => value,
                });
                return Flow::Return;
            }
            Stmt::Raise(error, line) => return self.raise(code, *error, *line, frame),
            Stmt::Assert(test) => {
                let value = match self.eval(code, *test, frame) {
                    Ok(value) => value,
                    Err(failure) => return Flow::Raise(failure),
                };
                match value.truth() {
                    Some(false) => return self.fails(frame, *test, code),
                    Some(true) => {}
                    None => self.raises |= OTHER,
                }
            }
            Stmt::Delete(targets) => {
                for target in targets {
                    self.delete(code, *target, frame);
                }
            }
            Stmt::Break => return Flow::Break,
            Stmt::Continue => return Flow::Continue,
            Stmt::Import { names, line, lazy } => return self.import_statement(names, *line, *lazy, frame),
            Stmt::From { module, level, names, line, lazy } => {
                return self.statement_from((module, *level), names, *line, *lazy, frame);
            }
            Stmt::If(test, body, otherwise) => return self.condition(code, (*test, body, otherwise), frame),
            Stmt::While(test, body, otherwise) => return self.while_loop(code, (*test, body, otherwise), frame),
            Stmt::For(target, iterable, body, otherwise) => {
                return self.for_loop(code, (*target, *iterable), (body, otherwise), frame);
            }
            Stmt::With(items, body) => return self.with(code, items, body, frame),
            Stmt::Try(body, handlers, otherwise, last) => {
                return self.attempt(code, (body, handlers, otherwise, last), frame);
            }
            Stmt::Match(subject, cases) => {
                let subject = match self.eval(code, *subject, frame) {
                    Ok(value) => value,
                    Err(failure) => return Flow::Raise(failure),
                };
                return self.match_cases(code, &subject, cases, frame);
            }
            Stmt::Def(index, decorators) => return self.define(code, *index, decorators, frame),
            Stmt::Class(index, decorators) => return self.define_class(code, *index, decorators, frame),
        }
        Flow::Next
    }

    /// Notes where something fails that nothing in the program seems to expect.
    pub(super) fn fails(&mut self, frame: &Frame, at: ExprId, code: &Program) -> Flow {
        let line = usize::try_from(at).ok().and_then(|at| code.lines.get(at)).copied().unwrap_or(0);
        self.failed_at = Some((self.file_of(frame), line));
        Flow::Raise(Failure::Other)
    }

    fn raise(&mut self, code: &Rc<Program>, error: Option<ExprId>, line: u32, frame: &mut Frame) -> Flow {
        let value = match error.map(|error| self.eval(code, error, frame)) {
            Some(Ok(value)) => value,
            Some(Err(failure)) => return Flow::Raise(failure),
            // A re-raise: most of those that matter here are of imports.
            None => Value::std("builtins.ImportError"),
        };
        self.failed_at = Some((self.file_of(frame), line));
        let name = match &value {
            Value::Std(name) => Rc::clone(name),
            Value::Made(made) => Rc::clone(&made.what),
            Value::Instance(instance) => self.std_base(&instance.class, 0).unwrap_or_else(|| "".into()),
            Value::Class(class) => self.std_base(class, 0).unwrap_or_else(|| "".into()),
            _ => "".into(),
        };
        Flow::Raise(match &*name {
            "builtins.ModuleNotFoundError" => Failure::NotFound,
            "builtins.ImportError" => Failure::Import,
            "builtins.SystemExit" => Failure::Exit,
            _ => Failure::Other,
        })
    }

    /// The exception of the standard library that a class is one of.
    fn std_base(&self, class: &Class, depth: usize) -> Option<Rc<str>> {
        class.bases.iter().find_map(|base| match base {
            Value::Std(name) => Some(Rc::clone(name)),
            Value::Class(base) if depth < 16 => self.std_base(base, depth + 1),
            _ => None,
        })
    }

    /// Runs something that may or may not run, and takes back what it changes in names.
    fn branch(&mut self, frame: &mut Frame, run: impl FnOnce(&mut Self, &mut Frame) -> Flow) -> Branch {
        let mark = self.journal.len();
        self.branches += 1;
        let (certain, ended) = (self.certain, self.may_have_ended);
        let result = frame.result.clone();
        self.certain = false;
        let flow = run(self, frame);
        self.certain = certain;
        self.may_have_ended = ended;
        if flow == Flow::Next && frame.result.is_none() {
            frame.result = result;
        }
        self.branches -= 1;
        let mut writes: Vec<(Rc<Scope>, Name, Option<Value>)> = Vec::new();
        let mut seen: HashSet<(usize, Name)> = HashSet::new();
        while self.journal.len() > mark
            && let Some((scope, name, old)) = self.journal.pop()
        {
            if seen.insert((scope.id, name)) {
                let new = scope.get(name);
                writes.push((Rc::clone(&scope), name, new));
            }
            match old {
                Some(old) => scope.names.borrow_mut().insert(name, old),
                None => scope.names.borrow_mut().remove(&name),
            };
        }
        Branch { flow, writes }
    }

    /// Goes on after branches of which one has run; `skipped` when it may be that none has.
    fn merge(&mut self, frame: &mut Frame, branches: Vec<Branch>, skipped: bool) -> Flow {
        let through = branches.iter().filter(|branch| branch.flow == Flow::Next).count() + usize::from(skipped);
        for branch in &branches {
            self.leaves(frame, branch.flow, through > 0);
        }
        if through == 0 {
            // Which one is not known; a return is what callers go on after.
            let mut flows = branches.iter().map(|branch| branch.flow);
            let best = |flow: &Flow| matches!(flow, Flow::Return | Flow::Break | Flow::Continue);
            return flows.clone().find(best).or_else(|| flows.next()).unwrap_or(Flow::Next);
        }
        let going: Vec<&Branch> = branches.iter().filter(|branch| branch.flow == Flow::Next).collect();
        let mut done: HashSet<(usize, Name)> = HashSet::new();
        let each: Vec<HashMap<(usize, Name), &Option<Value>>> = going
            .iter()
            .map(|branch| branch.writes.iter().map(|(scope, name, value)| ((scope.id, *name), value)).collect())
            .collect();
        for (scope, name, _) in going.iter().flat_map(|branch| &branch.writes) {
            if !done.insert((scope.id, *name)) {
                continue;
            }
            let old = scope.get(*name);
            let mut joined: Option<Value> = if skipped { old.clone() } else { None };
            for own in &each {
                let value = own.get(&(scope.id, *name)).map_or_else(|| old.clone(), |new| (*new).clone());
                if let Some(value) = value {
                    joined = Some(match joined.take() {
                        Some(other) => self.join(other, value),
                        None => value,
                    });
                }
            }
            self.store(scope, *name, joined);
        }
        Flow::Next
    }

    /// A branch was left early, or may have been.
    fn leaves(&mut self, frame: &mut Frame, flow: Flow, others_go_on: bool) {
        if !others_go_on && !matches!(flow, Flow::Raise(_)) {
            return;
        }
        match flow {
            Flow::Next => {}
            Flow::Return => frame.doubt = true,
            Flow::Break | Flow::Continue => frame.loop_doubt = true,
            Flow::Raise(failure) => {
                self.raises |= failure.bit();
                let is_entry = self.unit(frame.unit).is_some_and(|unit| unit.is_entry);
                if failure == Failure::Exit || is_entry && others_go_on {
                    self.may_have_ended |= others_go_on;
                }
            }
        }
        if frame.doubt || frame.loop_doubt {
            self.certain = false;
        }
    }

    pub(super) fn store(&mut self, scope: &Rc<Scope>, name: Name, value: Option<Value>) {
        let mut names = scope.names.borrow_mut();
        let old = match value {
            Some(value) => names.insert(name, value),
            None => names.remove(&name),
        };
        drop(names);
        if self.branches > 0 {
            self.journal.push((Rc::clone(scope), name, old));
        }
    }

    fn condition(&mut self, code: &Rc<Program>, parts: (ExprId, &[Stmt], &[Stmt]), frame: &mut Frame) -> Flow {
        let (test, body, otherwise) = parts;
        let value = match self.eval(code, test, frame) {
            Ok(value) => value,
            Err(failure) => return Flow::Raise(failure),
        };
        match value.truth() {
            Some(true) => self.block(code, body, frame),
            Some(false) => self.block(code, otherwise, frame),
            None => {
                let then = self.branch(frame, |run, frame| {
                    run.assume(code, test, true, frame);
                    run.block(code, body, frame)
                });
                let other = self.branch(frame, |run, frame| {
                    run.assume(code, test, false, frame);
                    run.block(code, otherwise, frame)
                });
                self.merge(frame, vec![then, other], false)
            }
        }
    }

    /// What a condition says of a name where it holds: `name is not None`, `name == "text"`, `name in ("a", "b")`, `name`.
    fn assume(&mut self, code: &Rc<Program>, test: ExprId, holds: bool, frame: &mut Frame) {
        let expr = |id: ExprId| usize::try_from(id).ok().and_then(|id| code.exprs.get(id));
        match expr(test) {
            Some(Expr::Not(inner)) => self.assume(code, *inner, !holds, frame),
            Some(Expr::And(parts)) if holds => {
                for part in parts {
                    self.assume(code, *part, true, frame);
                }
            }
            Some(Expr::Or(parts)) if !holds => {
                for part in parts {
                    self.assume(code, *part, false, frame);
                }
            }
            Some(Expr::Name(name)) => {
                let name = self.name_in(frame.unit, *name);
                self.narrow(frame, name, |_, value| value.truth() != Some(!holds));
            }
            Some(Expr::Call(callee, arguments)) => {
                let [object, of] = arguments.as_slice() else { return };
                let Some(Expr::Name(name)) = expr(object.value) else { return };
                let name = self.name_in(frame.unit, *name);
                let is_question = matches!(expr(*callee), Some(Expr::Name(callee))
                    if &*self.text_of(self.name_in(frame.unit, *callee)) == "isinstance");
                if !is_question || !matches!(self.find_name(frame, name), Some((_, Value::OneOf(_)))) {
                    return;
                }
                let Ok(of) = self.eval(code, of.value, frame) else { return };
                self.narrow(frame, name, |run, value| run.is_instance(value, &of) != Some(!holds));
            }
            Some(Expr::Compare(left, rest)) => {
                let (Some(Expr::Name(name)), [(operator, right)]) = (expr(*left), rest.as_slice()) else { return };
                let Some(
                    Expr::None
                    | Expr::Str(_)
                    | Expr::Int(_)
                    | Expr::Tuple(_)
                    | Expr::List(_)
                    | Expr::Set(_)
                    | Expr::Name(_)
                    | Expr::Attribute(..),
                ) = expr(*right)
                else {
                    return;
                };
                let Ok(right) = self.eval(code, *right, frame) else { return };
                let name = self.name_in(frame.unit, *name);
                let operator = *operator;
                use gilaudit_model::program::Comparison;
                let is_equal = matches!(operator, Comparison::Equal | Comparison::Is) && holds
                    || matches!(operator, Comparison::NotEqual | Comparison::IsNot) && !holds;
                if is_equal && matches!(right, Value::Str(_) | Value::None | Value::Int(_) | Value::Bool(_)) {
                    if let Some((scope, Value::Unknown | Value::OneOf(_) | Value::Text(..))) =
                        self.find_name(frame, name)
                    {
                        self.store(&scope, name, Some(right));
                    }
                    return;
                }
                if operator == Comparison::In && holds || operator == Comparison::NotIn && !holds {
                    if let (Some((scope, Value::Unknown | Value::Text(..))), Value::Seq(seq)) =
                        (self.find_name(frame, name), &right)
                        && !seq.open.get()
                    {
                        let items = seq.items.borrow().clone();
                        if items.iter().all(|item| matches!(item, Value::Str(_)))
                            && !items.is_empty()
                            && items.len() <= 12
                        {
                            let one = items.into_iter().reduce(Value::or).unwrap_or(Value::Unknown);
                            self.store(&scope, name, Some(one));
                        }
                    }
                    return;
                }
                self.narrow(frame, name, |_, value| super::text::compare(operator, value, &right) != Some(!holds));
            }
            _ => {}
        }
    }

    fn narrow(&mut self, frame: &Frame, name: Name, keep: impl Fn(&Self, &Value) -> bool) {
        if let Some((scope, Value::OneOf(some))) = self.find_name(frame, name) {
            let kept: Vec<Value> = some.iter().filter(|value| keep(self, value)).cloned().collect();
            if !kept.is_empty() && kept.len() < some.len() {
                let one = kept.into_iter().reduce(Value::or).unwrap_or(Value::Unknown);
                self.store(&scope, name, Some(one));
            }
        }
    }

    /// Runs the body of a loop that may run any number of times.
    fn some_turns(&mut self, frame: &mut Frame, mut turn: impl FnMut(&mut Self, &mut Frame) -> Flow) -> Flow {
        let outer = std::mem::take(&mut frame.loop_doubt);
        let certain = self.certain;
        let turns = if self.branches < SECOND_TURN { 2 } else { 1 };
        for _ in 0..turns {
            let mut branch = self.branch(frame, |run, frame| turn(run, frame));
            if matches!(branch.flow, Flow::Break | Flow::Continue) {
                branch.flow = Flow::Next;
            }
            let flow = self.merge(frame, vec![branch], true);
            if flow != Flow::Next {
                break;
            }
        }
        frame.loop_doubt = outer;
        self.certain = certain && !frame.doubt && !frame.loop_doubt;
        Flow::Next
    }

    fn while_loop(&mut self, code: &Rc<Program>, parts: (ExprId, &[Stmt], &[Stmt]), frame: &mut Frame) -> Flow {
        let (test, body, otherwise) = parts;
        let value = match self.eval(code, test, frame) {
            Ok(value) => value,
            Err(failure) => return Flow::Raise(failure),
        };
        let outer = frame.loop_doubt;
        match value.truth() {
            Some(false) => return self.block(code, otherwise, frame),
            Some(true) => {
                let certain = self.certain;
                frame.loop_doubt = false;
                let flow = self.block(code, body, frame);
                frame.loop_doubt = outer;
                self.certain = certain && !frame.doubt && !outer;
                match flow {
                    Flow::Return | Flow::Raise(_) => return flow,
                    Flow::Break => return Flow::Next,
                    Flow::Next | Flow::Continue => {}
                }
            }
            None => {}
        }
        self.some_turns(frame, |run, frame| {
            if let Err(failure) = run.eval(code, test, frame) {
                return Flow::Raise(failure);
            }
            run.assume(code, test, true, frame);
            run.block(code, body, frame)
        });
        if otherwise.is_empty() {
            return Flow::Next;
        }
        let other = self.branch(frame, |run, frame| run.block(code, otherwise, frame));
        self.merge(frame, vec![other], true)
    }

    fn for_loop(
        &mut self,
        code: &Rc<Program>,
        (target, iterable): (ExprId, ExprId),
        (body, otherwise): (&[Stmt], &[Stmt]),
        frame: &mut Frame,
    ) -> Flow {
        let value = match self.eval(code, iterable, frame) {
            Ok(value) => value,
            Err(failure) => return Flow::Raise(failure),
        };
        let (items, open) = self.items(&value, frame);
        let outer = std::mem::take(&mut frame.loop_doubt);
        let certain = self.certain;
        if !open && items.len() <= TURNS {
            let mut left = false;
            for item in items {
                self.assign(code, target, item, frame);
                match self.block(code, body, frame) {
                    Flow::Next | Flow::Continue => {}
                    Flow::Break => {
                        left = true;
                        break;
                    }
                    flow => {
                        frame.loop_doubt = outer;
                        return flow;
                    }
                }
                // A `continue` that may have been taken says nothing of the next turn, but a `break` does.
            }
            let may_have_left = std::mem::replace(&mut frame.loop_doubt, outer);
            self.certain = certain && !frame.doubt && !outer;
            if left {
                return Flow::Next;
            }
            if !may_have_left {
                return self.block(code, otherwise, frame);
            }
        } else {
            frame.loop_doubt = outer;
            let mut each: Vec<Value> = items;
            if each.len() > TURNS {
                // One turn stands for all.
                each = each.into_iter().reduce(|one, two| self.join(one, two)).into_iter().collect();
            }
            if value.has_others() || each.is_empty() {
                each.push(Value::Unknown);
            }
            for item in each {
                self.some_turns(frame, |run, frame| {
                    run.assign(code, target, item.clone(), frame);
                    run.block(code, body, frame)
                });
            }
        }
        if otherwise.is_empty() {
            return Flow::Next;
        }
        let other = self.branch(frame, |run, frame| run.block(code, otherwise, frame));
        self.merge(frame, vec![other], true)
    }

    fn with(
        &mut self,
        code: &Rc<Program>,
        items: &[(ExprId, Option<ExprId>)],
        body: &[Stmt],
        frame: &mut Frame,
    ) -> Flow {
        let mut suppressed: Raises = 0;
        let mut left: Vec<Value> = Vec::new();
        for (item, target) in items {
            let value = match self.eval(code, *item, frame) {
                Ok(value) => value,
                Err(failure) => return Flow::Raise(failure),
            };
            if let Value::Made(made) = &value
                && &*made.what == "contextlib.suppress"
            {
                suppressed |= made.args.plain.iter().map(|it| self.catches(it).0).fold(0, |all, one| all | one);
            }
            let entered = match self.enter(&value, frame) {
                Ok(entered) => entered,
                Err(failure) => return Flow::Raise(failure),
            };
            left.push(value);
            if let Some(target) = target {
                self.assign(code, *target, entered, frame);
            }
        }
        let certain = self.certain;
        let (raises, in_try) = (self.raises, frame.in_try);
        if suppressed != 0 {
            self.raises = 0;
            frame.in_try = true;
        }
        let mut flow = self.block(code, body, frame);
        frame.in_try = in_try;
        if suppressed != 0 {
            self.raises = raises | self.raises & !suppressed;
            self.certain = certain && !frame.doubt && !frame.loop_doubt;
            if matches!(flow, Flow::Raise(failure) if failure.bit() & suppressed != 0) {
                flow = Flow::Next;
            }
        }
        for value in left.iter().rev() {
            self.exit(value, frame);
        }
        flow
    }

    /// What an exception type stands for, as bits, and whether it may be narrower than the bits say.
    pub(super) fn catches(&self, value: &Value) -> (Raises, bool) {
        match value {
            Value::Std(name) => match &**name {
                "builtins.BaseException" => (NOT_FOUND | IMPORT | OTHER | EXIT, false),
                "builtins.Exception" => (NOT_FOUND | IMPORT | OTHER, false),
                "builtins.ImportError" => (NOT_FOUND | IMPORT, false),
                "builtins.ModuleNotFoundError" => (NOT_FOUND, false),
                "builtins.SystemExit" => (EXIT, false),
                "builtins.KeyboardInterrupt" | "builtins.GeneratorExit" => (0, false),
                _ => (OTHER, true),
            },
            Value::Seq(seq) => {
                let all = seq.items.borrow();
                all.iter()
                    .map(|item| self.catches(item))
                    .fold((0, false), |(bits, narrow), (more, also)| (bits | more, narrow | also))
            }
            Value::OneOf(some) => {
                some.iter().map(|item| self.catches(item)).fold((0, true), |(bits, _), (more, _)| (bits | more, true))
            }
            Value::Class(class) => match self.std_base(class, 0) {
                Some(base) if &*base == "builtins.ImportError" => (IMPORT, true),
                _ => (OTHER, true),
            },
            _ => (NOT_FOUND | IMPORT | OTHER, true),
        }
    }

    fn attempt(
        &mut self,
        code: &Rc<Program>,
        parts: (&[Stmt], &[Except], &[Stmt], &[Stmt]),
        frame: &mut Frame,
    ) -> Flow {
        let (body, handlers, otherwise, last) = parts;
        let mut caught: Vec<(Raises, bool, &Except)> = Vec::new();
        for handler in handlers {
            let (bits, narrow) = match handler.types {
                None => (NOT_FOUND | IMPORT | OTHER | EXIT, false),
                Some(types) => match self.eval(code, types, frame) {
                    Ok(value) => self.catches(&value),
                    Err(_) => (NOT_FOUND | IMPORT | OTHER, true),
                },
            };
            caught.push((bits, narrow, handler));
        }
        let all = caught.iter().fold(0, |all, (bits, ..)| all | bits);
        let outside = std::mem::take(&mut self.raises);
        let (certain, ended, in_try) = (self.certain, self.may_have_ended, frame.in_try);
        frame.in_try |= all & (NOT_FOUND | IMPORT) != 0;
        let mut flow = self.block(code, body, frame);
        frame.in_try = in_try;
        let raised = std::mem::take(&mut self.raises);
        let again = |run: &Self, frame: &Frame| certain && !frame.doubt && !frame.loop_doubt && !run.later;
        // What is caught does not end the process.
        if all & (OTHER | EXIT) != 0 {
            self.may_have_ended = ended;
        }
        let mut after: Raises = raised & !all;
        match flow {
            Flow::Raise(failure) => {
                let mut taken = false;
                for (bits, narrow, handler) in &caught {
                    if bits & failure.bit() == 0 {
                        continue;
                    }
                    self.certain = again(self, frame);
                    if *narrow && failure == Failure::Other {
                        let branch = self.branch(frame, |run, frame| run.handle(code, handler, frame));
                        self.merge(frame, vec![branch], true);
                        self.certain = false;
                        after |= OTHER;
                        continue;
                    }
                    flow = self.handle(code, handler, frame);
                    taken = true;
                    break;
                }
                if !taken && caught.iter().any(|(bits, narrow, _)| *narrow && bits & failure.bit() != 0) {
                    flow = Flow::Next;
                }
            }
            _ => {
                let possible: Vec<&Except> = caught
                    .iter()
                    .filter(|(bits, ..)| bits & raised != 0 || raised & ANY != 0)
                    .map(|(_, _, handler)| *handler)
                    .collect();
                // After an import that may fail, the rest of the body and `else` may not run.
                self.certain = again(self, frame) && raised & all & (NOT_FOUND | IMPORT) == 0;
                let mut well = self.branch(frame, |_, _| flow);
                if flow == Flow::Next && possible.is_empty() {
                    flow = self.block(code, otherwise, frame);
                } else {
                    if flow == Flow::Next && !otherwise.is_empty() {
                        // Whether the body went well does not change that `else` follows it.
                        let sure = raised & all & (NOT_FOUND | IMPORT) == 0;
                        if sure {
                            flow = self.block(code, otherwise, frame);
                            well.flow = flow;
                        } else {
                            well = self.branch(frame, |run, frame| run.block(code, otherwise, frame));
                        }
                    }
                    let mut branches = vec![well];
                    for handler in possible {
                        let branch = self.branch(frame, |run, frame| run.handle(code, handler, frame));
                        branches.push(branch);
                    }
                    self.certain = again(self, frame);
                    flow = self.merge(frame, branches, false);
                }
                self.certain = again(self, frame);
            }
        }
        self.raises |= outside | after | raised & ANY;
        if !last.is_empty() {
            match self.block(code, last, frame) {
                Flow::Next => {}
                other => flow = other,
            }
        }
        flow
    }

    fn handle(&mut self, code: &Rc<Program>, handler: &Except, frame: &mut Frame) -> Flow {
        if let Some(name) = handler.name {
            let name = self.name_in(frame.unit, name);
            self.set_name(frame, name, Value::Unknown);
        }
        self.block(code, &handler.body, frame)
    }

    fn match_cases(
        &mut self,
        code: &Rc<Program>,
        subject: &Value,
        cases: &[gilaudit_model::program::Case],
        frame: &mut Frame,
    ) -> Flow {
        let mut branches = Vec::new();
        for case in cases {
            let expr = usize::try_from(case.pattern).ok().and_then(|id| code.exprs.get(id));
            let is_plain = matches!(expr, Some(Expr::Str(_) | Expr::Int(_) | Expr::None | Expr::Bool(_)));
            let matches = match expr {
                Some(Expr::Name(_)) if case.guard.is_none() => Some(true),
                _ if is_plain => match self.eval(code, case.pattern, frame) {
                    Ok(pattern) => subject.same(&pattern),
                    Err(_) => None,
                },
                _ => None,
            };
            match matches.filter(|_| case.guard.is_none() || is_plain) {
                Some(false) => continue,
                Some(true) if branches.is_empty() && case.guard.is_none() => {
                    for name in &case.binds {
                        let name = self.name_in(frame.unit, *name);
                        self.set_name(frame, name, subject.clone());
                    }
                    return self.block(code, &case.body, frame);
                }
                _ => {}
            }
            let branch = self.branch(frame, |run, frame| {
                for name in &case.binds {
                    let name = run.name_in(frame.unit, *name);
                    run.set_name(frame, name, if case.binds.len() == 1 { subject.clone() } else { Value::Unknown });
                }
                if let Some(guard) = case.guard
                    && let Err(failure) = run.eval(code, guard, frame)
                {
                    return Flow::Raise(failure);
                }
                run.block(code, &case.body, frame)
            });
            branches.push(branch);
            if matches == Some(true) && case.guard.is_none() {
                return self.merge(frame, branches, false);
            }
        }
        self.merge(frame, branches, true)
    }

    fn delete(&mut self, code: &Rc<Program>, target: ExprId, frame: &mut Frame) {
        match usize::try_from(target).ok().and_then(|id| code.exprs.get(id)) {
            Some(Expr::Name(name)) => {
                let name = self.name_in(frame.unit, *name);
                if self.is_certain()
                    && let Some((scope, _)) = self.find_name(frame, name)
                {
                    self.store(&scope, name, None);
                }
            }
            Some(Expr::Tuple(items)) => {
                for item in items.clone() {
                    self.delete(code, item, frame);
                }
            }
            Some(Expr::Subscript(object, index)) => {
                let object = self.eval(code, *object, frame).unwrap_or(Value::Unknown);
                let index = self.eval(code, *index, frame).unwrap_or(Value::Unknown);
                if let (Value::Std(name), Some(module)) = (&object, index.as_str())
                    && &**name == "sys.modules"
                {
                    self.loaded.remove(module);
                    self.replaced.remove(module);
                } else if let Value::Dict(dict) = &object {
                    dict.open.set(true);
                }
            }
            _ => {}
        }
    }

    fn define(&mut self, code: &Rc<Program>, index: u32, decorators: &[ExprId], frame: &mut Frame) -> Flow {
        let mut callees = Vec::new();
        for decorator in decorators {
            match self.eval(code, *decorator, frame) {
                Ok(value) => callees.push((value, *decorator)),
                Err(failure) => return Flow::Raise(failure),
            }
        }
        let mut value = match self.function(code, index, frame, FuncKind::Plain) {
            Ok(value) => value,
            Err(failure) => return Flow::Raise(failure),
        };
        for (callee, at) in callees.into_iter().rev() {
            value = match self.decorate(&callee, value, frame, code, at) {
                Ok(value) => value,
                Err(failure) => return Flow::Raise(failure),
            };
        }
        let name = usize::try_from(index).ok().and_then(|index| code.functions.get(index)).map_or(0, |it| it.name);
        let name = self.name_in(frame.unit, name);
        self.set_name(frame, name, value);
        Flow::Next
    }
}
