//! The ways in: scripts, `-m`, console scripts, lines of `.pth` files, and what runs when the process ends.

use std::rc::Rc;

use gilaudit_model::ImportKind;
use gilaudit_model::program::Program;

use super::super::value::{Args, Value};
use super::super::world::{Found, Node, PythonNode};
use super::expression::Eval;
use super::{Ended, Failure, Frame, Run};

impl Run<'_> {
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
            match self.linked(at.to_owned(), ImportKind::Main, parent, true) {
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

    pub(super) fn run_module_call(&mut self, module: Option<Value>, line: u32, frame: &mut Frame) -> Eval {
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
        let mut frame = Frame::new(unit, scope);
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
        let mut frame = Frame::new(usize::MAX, scope);
        while let Some((function, args)) = self.at_exit.pop() {
            self.call_back(&function, args, 0, &mut frame);
            self.certain = true;
        }
    }
}
