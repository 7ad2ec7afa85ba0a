//! Init functions that are in a library that the module's file needs.
//!
//! The interpreter looks an init function up with `dlsym`, which also searches the libraries that a file needs, and an init function
//! may be a stub that calls one in such a library. When the library is among the inputs, that function is what decides.
//!
//! CPython 3.13 to 3.15, `Python/dynload_shlib.c`, `_PyImport_FindSharedFuncptr`. Windows does not search this way, but a stub works
//! there as well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use gilaudit_binary::internal::read_functions;
use gilaudit_binary::{Data, Hints, Limits};
use gilaudit_input::{Inventory, Member};
use gilaudit_model::{
    At, BinaryFacts, Delegate, Evidence, Format, Hook, ImportFailure, Loading, Origin, Site, Status, Target,
    cpython::{missing_symbols, module_stem},
};

use super::closure::{Closure, without_declaring, wrong_dll};
use super::handover::{handed_to, taken_over};
use super::platform;
use crate::contents;

/// The files among the inputs that may be needed libraries of others, each read once at most, when the first module needs it.
pub(super) struct Libraries<'a> {
    inventory: &'a Inventory,
    limits: &'a Limits,
    by_name: BTreeMap<&'a str, Vec<usize>>,
    /// In the order of the inventory's members.
    files: Vec<File<'a>>,
}

/// A file among the inputs as a needed library.
struct File<'a> {
    member: &'a Member,
    /// The init functions that modules which need a library of this name may have in it.
    functions: BTreeSet<String>,
    facts: OnceLock<Vec<BinaryFacts>>,
}

impl<'a> Libraries<'a> {
    pub(super) fn new(inventory: &'a Inventory, limits: &'a Limits) -> Self {
        let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let mut files = Vec::with_capacity(inventory.members.len());
        for member in &inventory.members {
            by_name.entry(member.origin.file_name()).or_default().push(files.len());
            files.push(File { member, functions: BTreeSet::new(), facts: OnceLock::new() });
        }
        Self { inventory, limits, by_name, files }
    }

    /// Makes known what [`Self::load`] will be asked, before it is: a library that many modules hand their initialisation to is then
    /// read for all of them together.
    pub(super) fn expect(&mut self, facts: &BinaryFacts, origin: &Origin, module: &str, target: &Target) {
        let Some(symbol) = handed_to_library(facts, origin, module, target) else { return };
        for needed in &facts.needed {
            for index in self.by_name.get(file_name(needed)).into_iter().flatten() {
                if let Some(file) = self.files.get_mut(*index) {
                    file.functions.insert(symbol.clone());
                }
            }
        }
    }

    /// What `target` makes of `module` in this file. Like [`BinaryFacts::load`], but looks into needed libraries too.
    pub(super) fn load(&self, facts: &BinaryFacts, origin: &Origin, module: &str, target: &Target) -> Option<Loading> {
        let handed = handed_to_library(facts, origin, module, target);
        let followed = handed.and_then(|symbol| self.follow(facts, origin, module, &symbol, target));
        let loading = followed.or_else(|| facts.load(module, target))?;
        Some(self.by_names(facts, origin, module, loading, target))
    }

    /// What the names that the file and its libraries use say of `loading`: that the target lacks one, or that none could declare.
    fn by_names(
        &self,
        facts: &BinaryFacts,
        origin: &Origin,
        module: &str,
        mut loading: Loading,
        target: &Target,
    ) -> Loading {
        if let Some(failure) = wrong_dll(facts, module, target) {
            loading.failure = Some(failure);
            return loading;
        }
        let unknown = loading.declaration.status == Status::Unknown && loading.failure.is_none();
        if !unknown && missing_symbols(&facts.linked, target).is_empty() {
            return loading;
        }
        let closure = Closure::new(facts, |needed| self.library(facts, origin, needed));
        if let Some(missing) = closure.missing_symbol(target) {
            // What the file was built for says more than the first name that is missing; the loader's error is that of the name.
            let kind = loading.failure.as_ref().map_or(missing.kind, |failure| failure.kind);
            loading.failure = Some(ImportFailure { kind, ..missing });
            return loading;
        }
        without_declaring(&loading, &closure).unwrap_or(loading)
    }

    /// The facts of a needed library, by its name: of the same artifact before any other.
    fn library(&self, facts: &BinaryFacts, origin: &Origin, name: &str) -> Option<(String, BinaryFacts)> {
        self.candidates(origin, name).into_iter().find_map(|file| {
            let there = self.facts(file).iter().find(|there| platform(there) == platform(facts))?;
            Some((file.member.origin.to_string(), there.clone()))
        })
    }

    /// The files of a name, the nearest first.
    fn candidates(&self, origin: &Origin, name: &str) -> Vec<&File<'a>> {
        let indexes = self.by_name.get(name).into_iter().flatten();
        let mut files: Vec<&File<'_>> = indexes.filter_map(|index| self.files.get(*index)).collect();
        files.sort_by_key(|file| distance(&file.member.origin, origin));
        files
    }

    /// What a file shows of the functions that are asked for. Nothing when it cannot be read, which its own row in the report says.
    fn facts<'f>(&self, file: &'f File<'_>) -> &'f [BinaryFacts] {
        file.facts.get_or_init(|| {
            let member = file.member;
            let Ok(contents) = self.inventory.contents(member, |_| true) else { return Vec::new() };
            let hints = Hints::new(member.origin.file_path()).with_tags(member.tags.as_ref());
            let facts = |data: Data<'_>| read_functions(data, &hints, &file.functions, self.limits).0;
            let looked = contents::look(self.inventory, member, contents, false, facts);
            looked.map(|looked| looked.result).unwrap_or_default()
        })
    }

    /// What the function `symbol` of a needed library does.
    fn follow(
        &self,
        facts: &BinaryFacts,
        origin: &Origin,
        module: &str,
        symbol: &str,
        target: &Target,
    ) -> Option<Loading> {
        let (library, there) = self.find(facts, origin, symbol)?;
        let mut loading = there.load(module, target)?;
        let what = format!("{symbol} is in a needed library");
        let handed_on = Evidence { what, at: At::own(Site::File).by_way_of(library) };
        loading.declaration = taken_over(loading.declaration, library, handed_on);
        Some(loading)
    }

    /// The first needed library that has the function: of the same artifact before any other. Of the functions that others asked
    /// for, its facts have none.
    fn find(&self, facts: &BinaryFacts, origin: &Origin, symbol: &str) -> Option<(&Origin, BinaryFacts)> {
        let is_it = |hook: &Hook| hook.symbol == symbol;
        for needed in &facts.needed {
            for file in self.candidates(origin, file_name(needed)) {
                let has_it = |there: &&BinaryFacts| there.hooks.iter().any(is_it) && platform(there) == platform(facts);
                if let Some(there) = self.facts(file).iter().find(has_it) {
                    let hooks = there.hooks.iter().filter(|hook| is_it(hook)).cloned().collect();
                    return Some((&file.member.origin, BinaryFacts { hooks, ..there.clone() }));
                }
            }
        }
        None
    }
}

/// The init function of a module that is in a needed library: one that its own init function only calls, or the one that its file
/// does not have.
fn handed_to_library(facts: &BinaryFacts, origin: &Origin, module: &str, target: &Target) -> Option<String> {
    match facts.load(module, target) {
        Some(loading) => match handed_to(facts, &loading, target)? {
            Delegate::Library { symbol } => Some(symbol.clone()),
            _ => None,
        },
        None if facts.format == Format::Pe => None,
        None => Some(format!("PyInit_{}", module_stem(origin.file_name()).replace('-', "_"))),
    }
}

/// The name of the file in what a file says that it needs.
fn file_name(needed: &str) -> &str {
    needed.rsplit(['/', '\\']).next().unwrap_or(needed)
}

/// How far apart two files are: how many folders and members their origins do not share.
fn distance(a: &Origin, b: &Origin) -> usize {
    let path = |origin: &Origin| origin.parts().join("/");
    let (a, b) = (path(a), path(b));
    let shared = a.split('/').zip(b.split('/')).take_while(|(a, b)| a == b).count();
    a.split('/').count() + b.split('/').count() - 2 * shared
}
