//! The shapes of all functions of a project, made once, and what judging each of its files takes.
//!
//! Work on functions is done here, in parallel: in one order whatever the number of threads, counted per file, and so that a mistake of
//! ours costs little: one in a rule costs the function that it looked at, one in what other functions build on costs the file.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use gilaudit_model::source::{FileId, Function, FunctionId, Name, Project, Steps, Unread};
use gilaudit_model::{Stage, panics};
use rayon::prelude::*;

use super::flow::{Flow, Shape};
use super::index::Types;
use super::locks::Effect;

pub(crate) struct Shapes<'p> {
    project: &'p Project,
    shapes: Vec<Shape>,
    /// The most steps that a file may take.
    most: u64,
    /// Of each file.
    steps: Vec<Steps>,
    /// Of each file: what of ours failed in it.
    failed: Vec<Mutex<Failed>>,
}

/// What of ours failed in a file.
#[derive(Debug, Default)]
struct Failed {
    /// Whether that costs all of the file, and not only a function.
    all: bool,
    /// How the first of them in the order of their texts is told: which one comes first in time is a matter of chance.
    told: Option<String>,
}

impl<'p> Shapes<'p> {
    /// The shapes of a project's functions, of whose locks nothing is known yet. A file may take `most` steps, those of reading it
    /// included.
    pub(crate) fn new(project: &'p Project, most: u64) -> Self {
        let steps = project.files.iter().map(|file| Steps::new(file.steps, most)).collect();
        let failed = project.files.iter().map(|_| Mutex::default()).collect();
        let mut shapes = Self { project, shapes: Vec::new(), most, steps, failed };
        shapes.shapes = project
            .functions
            .par_iter()
            .map(|function| {
                let size = function.body.exprs.len() + function.body.stmts.len();
                let make =
                    || if shapes.steps(function.file).take(size) { Shape::new(function) } else { Shape::default() };
                shapes.guarded(function.file, make)
            })
            .collect();
        shapes
    }

    /// Works out the locks of all functions.
    pub(crate) fn lock(&mut self, effects: &HashMap<Name, Effect>) {
        let mut all = std::mem::take(&mut self.shapes);
        all.par_iter_mut().zip(&self.project.functions).for_each(|(shape, function)| {
            let file = function.file;
            self.guarded(file, || shape.lock(self.project, function, |name| effects.get(&name)));
        });
        self.shapes = all;
    }

    /// What calling a function does to locks, as far as those that it calls are known.
    pub(crate) fn effect(&self, id: FunctionId, effects: &HashMap<Name, Effect>) -> Effect {
        let function = self.project.function(id);
        let Some(shape) = self.shapes.get(id.0 as usize) else { return Effect::default() };
        self.guarded(function.file, || shape.effect(self.project, function, |name| effects.get(&name)))
    }

    /// One function.
    pub(crate) fn flow<'s>(&'s self, types: &'s Types, id: FunctionId) -> Flow<'s> {
        Flow::new(self.project, types, id, &self.shapes[id.0 as usize], self.steps(self.project.function(id).file))
    }

    /// What `each` makes of every function, in their order.
    pub(crate) fn map<T: Default + Send>(&self, types: &Types, each: impl Fn(&Flow<'_>) -> T + Sync) -> Vec<T> {
        let one = |(function, number): (&Function, u32)| {
            self.guarded(function.file, || each(&self.flow(types, FunctionId(number))))
        };
        self.project.functions.par_iter().zip(0..self.project.functions.len() as u32).map(one).collect()
    }

    /// What `each` makes of every function, in their order, where nothing else is built on it: if it fails, that costs the function.
    pub(crate) fn map_alone<T: Default + Send>(&self, types: &Types, each: impl Fn(&Flow<'_>) -> T + Sync) -> Vec<T> {
        let one = |(function, number): (&Function, u32)| {
            let of = || format!("the function '{}' of this file", self.project.text(function.name));
            self.attempt(function.file, of, false, || each(&self.flow(types, FunctionId(number))))
        };
        self.project.functions.par_iter().zip(0..self.project.functions.len() as u32).map(one).collect()
    }

    /// What work on a file gives; nothing, if it fails or the file has taken too many steps.
    pub(crate) fn guarded<T: Default>(&self, file: FileId, work: impl FnOnce() -> T) -> T {
        self.attempt(file, || "this file".to_owned(), true, work)
    }

    fn attempt<T: Default>(&self, file: FileId, of: impl FnOnce() -> String, all: bool, work: impl FnOnce() -> T) -> T {
        if self.steps(file).are_spent() {
            return T::default();
        }
        panics::caught(work).unwrap_or_else(|panic| {
            let told = panics::failed_on(&of(), &panic);
            let mut failed = self.failed(file);
            failed.all |= all;
            if failed.told.as_ref().is_none_or(|known| told < *known) {
                failed.told = Some(told);
            }
            T::default()
        })
    }

    fn failed(&self, file: FileId) -> std::sync::MutexGuard<'_, Failed> {
        self.failed[file.0 as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The steps of a file.
    pub(crate) fn steps(&self, file: FileId) -> &Steps {
        &self.steps[file.0 as usize]
    }

    /// The steps that all files took.
    pub(crate) fn taken(&self) -> u64 {
        self.steps.iter().map(Steps::taken).fold(0, u64::saturating_add)
    }

    /// Whether nothing that was found in a file counts. True at the end only.
    pub(crate) fn is_lost(&self, file: FileId) -> bool {
        self.steps(file).are_spent() || self.failed(file).all
    }

    /// Why a file, or something in it, could not be judged, if so. True at the end only.
    pub(crate) fn unjudged(&self, file: FileId) -> Option<Unread> {
        if let Some(told) = &self.failed(file).told {
            return Some(Unread { stage: Stage::Internal, why: told.as_str().into() });
        }
        let why = || format!("judging it takes more than the {} steps that a file may take", self.most).into();
        self.steps(file).are_spent().then(|| Unread { stage: Stage::Limits, why: why() })
    }
}

#[cfg(test)]
mod tests {
    use gilaudit_model::Origin;
    use gilaudit_source::{Limits, SourceText, read_project};

    use super::*;

    #[test]
    fn a_rule_that_fails_costs_the_function() {
        let text = b"#include <Python.h>\nvoid f(void) { g(); }\nvoid h(void) { g(); }\n";
        let text = SourceText::new(Origin::path("x.c"), "x.c".to_owned(), text, true);
        let (project, _) = read_project(vec![text], &Limits::default());
        let shapes = Shapes::new(&project, 1 << 20);
        let look = |flow: &Flow<'_>| {
            assert_ne!(flow.project.text(flow.function.name), "f");
            1
        };
        let seen = panics::quietly(|| shapes.map_alone(&Types::default(), look));
        assert_eq!(seen, [0, 1]);
        let file = FileId(0);
        assert!(!shapes.is_lost(file));
        let why = shapes.unjudged(file).unwrap().why;
        assert!(
            why.starts_with("gilaudit failed on the function 'f' of this file") && why.contains("shapes.rs:"),
            "{why}"
        );
        panics::quietly(|| shapes.map(&Types::default(), look));
        assert!(shapes.is_lost(file));
    }
}
