//! Where the functions of a file are, what they are called, and what leads to them.
//!
//! The table that unwinding needs covers nearly all code of an ELF file, stripped or not. Names come from the table of symbols, where
//! there is one, and from the tables by which Python finds functions, which no tool strips.

mod author;
mod elf;
mod graph;
mod roles;
mod scan;
mod tables;

use std::collections::{BTreeMap, BTreeSet};

use gilaudit_model::Framework;
use gilaudit_model::flow::{MadeBy, Parameter, PythonName, Reach, Role};

use crate::image::{Cell, Image};

pub(crate) use elf::Known;
pub(crate) use scan::{Leads, Seen, Stubs};

/// A function that was found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) symbol: Option<String>,
    pub(crate) names: Vec<PythonName>,
    pub(crate) role: Role,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) reach: Reach,
    pub(crate) made_by: MadeBy,
    /// What a scan of its instructions saw.
    pub(crate) seen: Seen,
}

/// All functions of a file, by address.
pub(crate) struct Functions {
    pub(crate) list: Vec<Found>,
    /// Where code begins that another function jumps into and that is no function of its own.
    pub(crate) parts: BTreeSet<u64>,
    /// Whether the scan was cut short, and the graph of calls is not all of it.
    pub(crate) cut_short: bool,
}

/// What the whole file is, as far as functions are judged by it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) free_threaded: bool,
    pub(crate) framework: Option<Framework>,
}

impl Functions {
    /// Finds the functions of an x86-64 ELF file. `hooks` are its init functions and what runs when the module is imported.
    pub(crate) fn find(image: &Image<'_>, known: &Known<'_>, kind: Kind, hooks: &[u64], budget: &mut u64) -> Self {
        let mut list: Vec<Found> = Vec::new();
        for (start, end) in known.ranges(image) {
            list.push(Found {
                start,
                end,
                symbol: known.function(start).map(str::to_owned),
                names: Vec::new(),
                role: Role::Other,
                parameters: Vec::new(),
                reach: Reach::Nothing,
                made_by: MadeBy::Unknown,
                seen: Seen::default(),
            });
        }
        let tables = tables::read(image, kind.free_threaded);
        for found in &mut list {
            if let Some(named) = tables.functions.get(&found.start) {
                found.names = named.names.iter().cloned().collect();
                found.role = named.role;
                found.parameters = named.parameters.clone();
            }
            found.made_by = author::of(found, kind.framework, tables.generated.contains(&found.start));
        }
        let mut functions = Self { list, parts: BTreeSet::new(), cut_short: false };
        functions.cut_short = !scan::all(image, known, &mut functions.list, budget);
        let taken = taken_in_data(image);
        let mut importing: BTreeSet<u64> = hooks.iter().copied().collect();
        importing.extend(image.initializers());
        importing.extend(tables.executed.iter().copied());
        graph::reach(&mut functions, &taken, &importing);
        functions
    }

    /// The function that begins at an address.
    pub(crate) fn at(&self, start: u64) -> Option<&Found> {
        self.index(start).and_then(|index| self.list.get(index))
    }

    pub(crate) fn index(&self, start: u64) -> Option<usize> {
        self.list.binary_search_by_key(&start, |found| found.start).ok()
    }

    /// Who calls which function directly: callee to callers, by index.
    pub(crate) fn callers(&self) -> BTreeMap<u64, Vec<usize>> {
        let mut callers: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (index, found) in self.list.iter().enumerate() {
            for target in found.seen.calls.iter().chain(&found.seen.jumps) {
                callers.entry(*target).or_default().push(index);
            }
        }
        callers
    }
}

/// The addresses of code that data holds.
fn taken_in_data(image: &Image<'_>) -> BTreeSet<u64> {
    let cells = image.cells().range(0, u64::MAX).iter();
    cells
        .filter_map(|(_, cell)| match cell {
            Cell::Address(address) if image.is_code(*address) => Some(*address),
            _ => None,
        })
        .collect()
}

/// A symbol as its author wrote it, without what a compiler adds.
pub(crate) fn spoken(symbol: &str) -> String {
    let plain = symbol.split('.').next().filter(|plain| !plain.is_empty()).unwrap_or(symbol);
    if !plain.starts_with("_Z") {
        return plain.to_owned();
    }
    let options = cpp_demangle::DemangleOptions::new().no_params().no_return_type();
    let demangled =
        cpp_demangle::Symbol::new(plain.as_bytes()).ok().and_then(|name| name.demangle_with_options(&options).ok());
    demangled.unwrap_or_else(|| plain.to_owned())
}
