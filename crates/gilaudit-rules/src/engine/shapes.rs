//! The shapes of all functions of a project, made once, and what judging each of its files takes.
//!
//! Work on functions is done here, in parallel: in one order whatever the number of threads, counted per file, and so that a mistake of
//! ours in one function costs its file and nothing else.

use std::collections::HashMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};

use gilaudit_model::Stage;
use gilaudit_model::source::{FileId, Function, FunctionId, Name, Project, Steps, Unread};
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
    /// Of each file: whether something of ours failed in it.
    failed: Vec<AtomicBool>,
}

impl<'p> Shapes<'p> {
    /// The shapes of a project's functions, of whose locks nothing is known yet. A file may take `most` steps, those of reading it
    /// included.
    pub(crate) fn new(project: &'p Project, most: u64) -> Self {
        let steps = project.files.iter().map(|file| Steps::new(file.steps, most)).collect();
        let failed = project.files.iter().map(|_| AtomicBool::new(false)).collect();
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

    /// What work on a file gives; nothing, if it fails or the file has taken too many steps.
    pub(crate) fn guarded<T: Default>(&self, file: FileId, work: impl FnOnce() -> T) -> T {
        if self.steps(file).are_spent() {
            return T::default();
        }
        panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
            self.failed[file.0 as usize].store(true, Ordering::Relaxed);
            T::default()
        })
    }

    /// The steps of a file.
    pub(crate) fn steps(&self, file: FileId) -> &Steps {
        &self.steps[file.0 as usize]
    }

    /// The steps that all files took.
    pub(crate) fn taken(&self) -> u64 {
        self.steps.iter().map(Steps::taken).fold(0, u64::saturating_add)
    }

    /// Why a file could not be judged, if so. True at the end only.
    pub(crate) fn unjudged(&self, file: FileId) -> Option<Unread> {
        if self.failed[file.0 as usize].load(Ordering::Relaxed) {
            let why = "gilaudit failed on this file, which is a bug worth reporting".into();
            return Some(Unread { stage: Stage::Internal, why });
        }
        let why = || format!("judging it takes more than the {} steps that a file may take", self.most).into();
        self.steps(file).are_spent().then(|| Unread { stage: Stage::Limits, why: why() })
    }
}
