//! What rules ask of machine code, which is brought to [`gilaudit_model::flow`]: what is locked, who else has a container, what happens to
//! a result.
//!
//! A finding here has no text to show: the rules report only what they are sure of, and are silent where values cannot be told.

pub(crate) mod borrowed;
mod container;
pub(crate) mod containers;
mod held;
pub(crate) mod libc;
pub(crate) mod members;
pub(crate) mod statics;

use std::collections::{BTreeSet, HashMap};

use gilaudit_model::flow::{Callee, Code, Function, MadeBy, Origin, Reach, Step, StepKind, Value};
use gilaudit_model::{CodePlace, Confidence, Extension, Finding, Framework, Layout, Location};

use crate::Rule;
use held::Held;

/// The code of one extension.
pub(crate) struct File<'a> {
    pub(crate) code: &'a Code,
    extension: &'a Extension,
    /// Distances of members whose lists and dicts something changes while Python code runs.
    changed: BTreeSet<i64>,
}

/// One function of it.
pub(crate) struct Unit<'a> {
    pub(crate) file: &'a File<'a>,
    pub(crate) function: &'a Function,
    held: Held,
    calls: HashMap<u64, &'a StepKind>,
}

/// A call.
pub(crate) struct Call<'a> {
    pub(crate) step: &'a Step,
    pub(crate) name: &'a str,
    pub(crate) arguments: &'a [Value],
    pub(crate) locked: bool,
}

impl<'a> File<'a> {
    pub(crate) fn new(code: &'a Code, extension: &'a Extension) -> Self {
        let changed = container::changed_members(code);
        Self { code, extension, changed }
    }

    /// The functions that rules look at: those of the author that Python code reaches.
    pub(crate) fn units(&'a self) -> impl Iterator<Item = Unit<'a>> {
        let authors = |function: &&Function| {
            matches!(function.made_by, MadeBy::Author | MadeBy::Generator(Framework::Mypyc))
                && function.reach == Reach::Python
        };
        self.code.functions.iter().filter(authors).map(|function| Unit {
            file: self,
            function,
            held: Held::of(function),
            calls: steps(function)
                .filter(|step| matches!(step.kind, StepKind::Call { .. }))
                .map(|step| (step.at, &step.kind))
                .collect(),
        })
    }
}

/// The steps of a function, in no order that matters.
fn steps(function: &Function) -> impl Iterator<Item = &Step> {
    function.blocks.iter().flat_map(|block| &block.steps)
}

impl<'a> Unit<'a> {
    /// The name of an import that is called.
    fn name(&self, callee: &Callee) -> &'a str {
        match callee {
            Callee::Import(import) => self.file.code.imports.get(*import as usize).map_or("", String::as_str),
            _ => "",
        }
    }

    /// The call at a place: its name, when it is an import, and its arguments.
    pub(crate) fn call_at(&self, site: u64) -> Option<(&'a str, &'a [Value])> {
        match self.calls.get(&site)? {
            StepKind::Call { callee, arguments, .. } => Some((self.name(callee), arguments)),
            _ => None,
        }
    }

    /// The steps with what is locked at each.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (&'a Step, bool)> {
        let held = &self.held;
        self.function.blocks.iter().enumerate().flat_map(move |(block, steps)| {
            steps.steps.iter().enumerate().map(move |(index, step)| (step, held.any(block, index)))
        })
    }

    /// The calls of imports.
    pub(crate) fn calls(&self) -> impl Iterator<Item = Call<'a>> {
        self.steps().filter_map(|(step, locked)| match &step.kind {
            StepKind::Call { callee: callee @ Callee::Import(_), arguments, .. } => {
                Some(Call { step, name: self.name(callee), arguments, locked })
            }
            _ => None,
        })
    }

    pub(crate) fn is_free_threaded(&self) -> bool {
        self.file.code.layout == Some(Layout::FreeThreaded)
    }

    /// Whether a value may be this origin itself.
    pub(crate) fn is(&self, value: Value, origin: &Origin) -> bool {
        let values = &self.function.values;
        values.terms(value).iter().any(|term| term.offset == Some(0) && values.get(term.base) == origin)
    }

    /// Whether a person wrote the function as it is: not what a tool made of other code, whose variables and reads of items are the tool's.
    pub(crate) fn is_by_hand(&self) -> bool {
        let framework = self.file.extension.framework.as_ref().map(|made_by| made_by.framework);
        let generates = !matches!(framework, None | Some(Framework::Cffi | Framework::Swig | Framework::F2py));
        let generated = |symbol: &str| ["__pyx", "__Pyx", "CPy"].iter().any(|prefix| symbol.starts_with(prefix));
        match &self.function.symbol {
            Some(symbol) => !generated(symbol) && framework != Some(Framework::Mypyc),
            None => !generates,
        }
    }

    /// What the function is called for a reader.
    fn title(&self) -> Option<String> {
        let python = self.function.names.first().map(ToString::to_string);
        self.function.symbol.clone().or(python)
    }

    pub(crate) fn finding(&self, rule: &Rule, at: u64, message: String) -> Finding {
        let from = self.function.at.address;
        let section = self.function.at.section.clone();
        let section = section.and_then(|(name, offset)| Some((name, at.checked_sub(from)?.checked_add(offset)?)));
        let python_name = self.function.names.first().map(ToString::to_string);
        let message = match self.function.made_by {
            MadeBy::Generator(tool) => {
                format!("{message} (in what {} adds to the module, not in the author's code)", tool.title())
            }
            _ => message,
        };
        Finding {
            location: Location::Address(at),
            function: self.title(),
            module: Some(self.file.extension.module.clone()),
            confidence: rule.confidence.min(Confidence::Medium),
            code: Some(Box::new(CodePlace { section, symbol: self.function.symbol.clone(), python_name })),
            ..rule.finding(&self.file.extension.origin, message)
        }
    }
}
