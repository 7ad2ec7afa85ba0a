//! Modules that another file initialises.
//!
//! The interpreter calls an init function of the module's own file, or of a library that this file needs; and that function may do
//! nothing but call another library, or another module. What the module declares is then written there. It has that file's declaration
//! when one of the same platform, which the target loads as well, is among the inputs; otherwise it stays unknown, and the reason says
//! where to look.
//!
//! A library is found by name (`libraries.rs`) and loaded in the place of the file; a module is found by its own name (`modules.rs`) and
//! has its own row in the report. Who hands on to whom, and what is taken over, is the same for both (`handover.rs`). `closure.rs` asks what
//! all files together take from the interpreter, which sometimes answers without any code.

mod closure;
mod handover;
mod libraries;
mod modules;

use gilaudit_binary::Limits;
use gilaudit_input::{Inventory, Member};
use gilaudit_model::cpython::{Found, find};
use gilaudit_model::{BinaryFacts, Library, Loading, Origin, Platform, Problem, Target};
use rayon::prelude::*;

use crate::guard::guarded;
use crate::read::File;
use libraries::Libraries;

/// One architecture of one file that is an extension.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) origin: Origin,
    pub(crate) module: String,
    pub(crate) sha256: Option<String>,
    pub(crate) facts: BinaryFacts,
    /// What the target makes of it.
    pub(crate) loading: Loading,
    /// Whether the target finds the file by its name.
    pub(crate) found: bool,
}

impl Loaded {
    pub(crate) fn platform(&self) -> Platform {
        platform(&self.facts)
    }
}

/// What the files are, each with its member.
#[derive(Default)]
pub(crate) struct Linked<'m> {
    pub(crate) members: Vec<&'m Member>,
    /// In the order of their members.
    pub(crate) modules: Vec<Loaded>,
    pub(crate) libraries: Vec<Library>,
    pub(crate) problems: Vec<(&'m Member, Problem)>,
}

/// Says of every file what the target makes of it, with all other files at hand.
pub(crate) fn link<'m>(
    inventory: &'m Inventory,
    limits: &Limits,
    files: Vec<(&'m Member, File)>,
    target: &Target,
) -> Linked<'m> {
    let mut libraries = Libraries::new(inventory, limits);
    for (member, file) in &files {
        libraries.expect(&file.facts, &member.origin, &member.module, target);
    }
    let one = |(member, file): (&'m Member, File)| {
        let what = guarded(member, || load(&libraries, member, file, target));
        (member, what.unwrap_or_else(What::Unread))
    };
    let each: Vec<(&Member, What)> = files.into_par_iter().map(one).collect();
    let mut linked = Linked::default();
    for (member, what) in each {
        match what {
            What::Module(loaded) => {
                linked.members.push(member);
                linked.modules.push(*loaded);
            }
            What::Library(library) => linked.libraries.push(library),
            What::Unread(problem) => linked.problems.push((member, problem)),
        }
    }
    modules::resolve(&mut linked.modules, target);
    linked
}

/// What a file is.
enum What {
    Module(Box<Loaded>),
    Library(Library),
    Unread(Problem),
}

/// What a file is, with the libraries that it needs at hand.
fn load(libraries: &Libraries<'_>, member: &Member, file: File, target: &Target) -> What {
    let File { origin, facts, sha256 } = file;
    let found = find(member.origin.file_name(), target, platform(&facts)) != Found::NotSearched;
    match libraries.load(&facts, &member.origin, &member.module, target) {
        Some(loading) => {
            let module = member.module.clone();
            What::Module(Box::new(Loaded { origin, module, sha256, facts, loading, found }))
        }
        None => What::Library(Library { origin, why: no_init_function(&facts.other_hooks) }),
    }
}

fn no_init_function(others: &[String]) -> String {
    match others {
        [] => "no init function".to_owned(),
        [first, ..] => format!("no init function for its name; it has {first}"),
    }
}

fn platform(facts: &BinaryFacts) -> Platform {
    Platform { os: facts.format.os(), arch: facts.arch }
}
