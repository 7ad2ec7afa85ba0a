//! Which calls of a name are calls of which function: several functions of a project can have one name.

use std::collections::HashMap;

use gilaudit_model::source::{FileId, FunctionId, Name, Project};

use super::{Index, names};

/// For every function, the numbers of its calls among those of its name, in their order.
#[derive(Default)]
pub(super) struct Sites {
    names: Vec<Name>,
    of: Vec<Vec<u32>>,
    /// For every function, the functions whose calls are in it, with the number of each call.
    calls: Vec<Vec<(FunctionId, u32)>>,
}

impl Sites {
    /// A call belongs to the functions of its file; without a `static` one there, to all that other files can call. In a header it can
    /// belong to any.
    pub(super) fn new(project: &Project, index: &Index) -> Self {
        let count = project.functions.len();
        let mut sites = Self {
            names: project.functions.iter().map(|function| function.name).collect(),
            of: vec![Vec::new(); count],
            calls: vec![Vec::new(); count],
        };
        let is_header = |file: FileId| project.file(file).is_header();
        let mut all: Vec<(&Name, &Vec<FunctionId>)> = index.by_name.iter().collect();
        all.sort_unstable();
        for (name, ids) in all {
            let mut by_file: HashMap<FileId, Vec<FunctionId>> = HashMap::new();
            let mut open = Vec::new();
            for id in ids {
                let function = project.function(*id);
                by_file.entry(function.file).or_default().push(*id);
                if !function.is_static || is_header(function.file) {
                    open.push(*id);
                }
            }
            for (site, number) in index.callers.get(name).into_iter().flatten().zip(0u32..) {
                let file = project.function(site.caller).file;
                let own = by_file.get(&file).map_or(&[][..], Vec::as_slice);
                let is_nearer = own.iter().any(|id| project.function(*id).is_static);
                let others = if is_header(file) {
                    ids.as_slice()
                } else if is_nearer {
                    &[]
                } else {
                    open.as_slice()
                };
                let others = others.iter().filter(|id| project.function(**id).file != file);
                for id in own.iter().chain(others).filter(|id| names::is_written(project, **id, site.written)) {
                    sites.of[id.0 as usize].push(number);
                    sites.calls[site.caller.0 as usize].push((*id, number));
                }
            }
        }
        sites
    }

    /// The name whose calls the numbers are of.
    pub(super) fn named(&self, id: FunctionId) -> Option<Name> {
        self.names.get(id.0 as usize).copied()
    }

    /// The numbers of the calls of a function.
    pub(super) fn of(&self, id: FunctionId) -> &[u32] {
        self.of.get(id.0 as usize).map_or(&[], Vec::as_slice)
    }

    /// What a function calls: the function, and the number of the call among those of that one's name.
    pub(super) fn calls(&self, caller: FunctionId) -> &[(FunctionId, u32)] {
        self.calls.get(caller.0 as usize).map_or(&[], Vec::as_slice)
    }
}
