//! Reads from a compiled CPython extension, without running it, whether it declares that it can run without the GIL.
//!
//! [`read`] takes the bytes of an ELF, Mach-O or PE file and gives the facts that they show: which init functions the file has,
//! what running each leads to, the module definition and its slots, the ABI that it was built for, the framework that made it.
//! [`BinaryFacts::declaration`] then applies the rules of one interpreter to them.
//!
//! ```
//! use gilaudit_binary::{Hints, Limits, read};
//! use gilaudit_model::Target;
//!
//! let hints = Hints::new("pkg/example.cpython-314t-x86_64-linux-gnu.so");
//! let (facts, unread) = read(b"not an object file", &hints, &Limits::default());
//! assert!(facts.is_empty());
//! assert_eq!(unread[0].error, "neither an ELF, a Mach-O nor a PE file");
//!
//! let target: Target = "3.14t".parse()?;
//! for file in facts {
//!     println!("{:?}", file.declaration("pkg.example", &target));
//! }
//! # Ok::<(), String>(())
//! ```
//!
//! Nothing is executed and no file is opened. Input may be hostile: every read is checked and every loop is bounded ([`Limits`]);
//! what a budget cuts short is `unknown`, with that reason.

mod abi;
mod code;
mod data;
mod definition;
mod framework;
mod functions;
mod image;
mod imports_of;
mod linked;
mod names;
mod native;
mod scan;

use std::collections::BTreeSet;

use gilaudit_model::{
    BinaryFacts, Delegate, Format, Hook, HookKind, HookRun, InitResult, Place, Reason, Version, Versions, WheelTags,
};

use image::{Export, Image};

pub use data::{Data, Failure, Parts};
#[doc(hidden)]
pub mod internal {
    //! What the rest of gilaudit needs of a compiled file, without any promise to others.

    use super::{BTreeSet, BinaryFacts, Data, Hints, Limits, Unread, Wanted};

    pub use crate::imports_of::{Mentioned, ModuleNames, called_names, imports_of, may_be_in_table};

    /// Like [`read`](crate::read), but evaluates these exported functions instead of the init function for the file's own name: for a
    /// library that modules hand their initialisation to. Each is a hook of the facts.
    pub fn read_functions<'data>(
        bytes: impl Into<Data<'data>>,
        hints: &Hints<'_>,
        functions: &BTreeSet<String>,
        limits: &Limits,
    ) -> (Vec<BinaryFacts>, Vec<Unread>) {
        super::read_wanted(bytes.into(), hints, Wanted::Functions(functions), limits)
    }
}
pub use native::{CodeLimits, code as read_code};

/// What is known about a file besides its bytes.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Hints<'a> {
    /// Its path, with `/`, as far as it is known: the file name gives the module name and the ABI tag, the folder the name of an
    /// `__init__` module.
    pub path: &'a str,
    /// The tags of the wheel it came in.
    pub tags: Option<&'a WheelTags>,
}

impl<'a> Hints<'a> {
    /// The hints that a path alone gives.
    pub fn new(path: &'a str) -> Self {
        Self { path, tags: None }
    }

    /// The same for a file from a wheel with these tags.
    #[must_use]
    pub fn with_tags(self, tags: Option<&'a WheelTags>) -> Self {
        Self { tags, ..self }
    }

    fn file_name(&self) -> &'a str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// A file, or a slice of it, that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unread {
    /// The name of the slice, if only a slice of a fat file could not be: `arm64`.
    pub slice: Option<String>,
    /// Why, lower case, no final period.
    pub error: String,
}

impl Unread {
    fn file(error: String) -> Self {
        Self { slice: None, error }
    }
}

/// Which functions of a file are evaluated.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    /// The init function for the file's own name.
    Init,
    /// These.
    Functions(&'a BTreeSet<String>),
}

/// Bounds on the work spent on one file.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Instructions evaluated, in all runs of all init functions together.
    pub instructions: usize,
    /// Branches followed both ways in one run.
    pub paths: usize,
    /// Bytes of memory that the evaluated code may change on one path.
    pub memory: usize,
}

impl Default for Limits {
    /// Of 3,048 real extensions one needs more than a million instructions, and none 1.5 million.
    fn default() -> Self {
        Self { instructions: 2_000_000, paths: 4_000, memory: 256 << 10 }
    }
}

/// The object-file format of these bytes by their first few, if it is one that is read here.
pub fn sniff(bytes: &[u8]) -> Option<Format> {
    match bytes.first_chunk::<4>()? {
        [0x7f, b'E', b'L', b'F'] => Some(Format::Elf),
        [0xfe, 0xed, 0xfa, 0xce | 0xcf] | [0xce | 0xcf, 0xfa, 0xed, 0xfe] | [0xca, 0xfe, 0xba, 0xbe | 0xbf] => {
            Some(Format::MachO)
        }
        [b'M', b'Z', ..] => Some(Format::Pe),
        _ => None,
    }
}

/// Reads a compiled file. One [`BinaryFacts`] per architecture: fat Mach-O files have several, every other file one. None, but the
/// reason, when the bytes are not an object file that can be read.
///
/// The bytes are in memory, or a file of which only what is looked at is read ([`Parts`], whose failure then counts instead of what
/// this gives).
pub fn read<'data>(
    bytes: impl Into<Data<'data>>,
    hints: &Hints<'_>,
    limits: &Limits,
) -> (Vec<BinaryFacts>, Vec<Unread>) {
    read_wanted(bytes.into(), hints, Wanted::Init, limits)
}

fn read_wanted(
    bytes: Data<'_>,
    hints: &Hints<'_>,
    wanted: Wanted<'_>,
    limits: &Limits,
) -> (Vec<BinaryFacts>, Vec<Unread>) {
    let opened = match sniff(bytes.window(0)) {
        Some(Format::Elf) => image::open_elf(bytes),
        Some(Format::MachO) => return read_slices(bytes, hints, wanted, limits),
        Some(Format::Pe) => image::open_pe(bytes),
        None if bytes.is_empty() => Err("the file is empty".to_owned()),
        Some(Format::Source) | None => Err("neither an ELF, a Mach-O nor a PE file".to_owned()),
    };
    match opened {
        Ok(image) => (vec![facts(&image, None, hints, wanted, &mut budget(limits))], Vec::new()),
        Err(error) => (Vec::new(), vec![Unread::file(error)]),
    }
}

fn read_slices(
    bytes: Data<'_>,
    hints: &Hints<'_>,
    wanted: Wanted<'_>,
    limits: &Limits,
) -> (Vec<BinaryFacts>, Vec<Unread>) {
    let slices = match image::macho_slices(bytes) {
        Ok(slices) => slices,
        Err(error) => return (Vec::new(), vec![Unread::file(error)]),
    };
    let thin = slices.len() == 1;
    let mut read = (Vec::new(), Vec::new());
    let mut budget = budget(limits);
    for (arch, slice) in slices {
        match slice.and_then(image::open_macho) {
            Ok(image) => read.0.push(facts(&image, (!thin).then(|| arch.clone()), hints, wanted, &mut budget)),
            Err(error) => read.1.push(Unread { slice: (!thin).then_some(arch), error }),
        }
    }
    read
}

/// One budget for a file, whatever number of slices, hooks and versions it has.
fn budget(limits: &Limits) -> code::Budget {
    code::Budget { instructions: limits.instructions, paths: limits.paths, memory: limits.memory / 4 }
}

fn facts(
    image: &Image<'_>,
    slice: Option<String>,
    hints: &Hints<'_>,
    wanted: Wanted<'_>,
    budget: &mut code::Budget,
) -> BinaryFacts {
    let names = match wanted {
        Wanted::Functions(functions) => functions.iter().map(|function| (HookKind::Init, function.clone())).collect(),
        Wanted::Init => names::hooks(hints.path),
    };
    let hooks: Vec<Hook> = names
        .into_iter()
        .filter_map(|(kind, symbol)| {
            let export = image.export(&symbol)?;
            // What several modules ask of a library is answered as if each had asked alone.
            let mut own = *budget;
            let budget = if matches!(wanted, Wanted::Functions(_)) { &mut own } else { &mut *budget };
            Some(hook(image, kind, symbol, export, budget))
        })
        .collect();
    let runs: Vec<&HookRun> = hooks.iter().flat_map(|hook| &hook.runs).collect();
    let needed = image.needed();
    let abi = abi::abi(hints.file_name(), hints.tags, &needed, &runs);
    let other_hooks = if hooks.is_empty() {
        ["PyInit", "PyModExport"].iter().flat_map(|prefix| image.exports_starting(prefix)).collect()
    } else {
        Vec::new()
    };
    BinaryFacts {
        format: image.format,
        arch: image.arch,
        bits: image.pointer * 8,
        slice,
        abi,
        framework: if hooks.is_empty() { None } else { framework::recognise(image) },
        hooks,
        other_hooks,
        needed,
        linked: linked::linked(image),
    }
}

fn hook(image: &Image<'_>, kind: HookKind, symbol: String, export: Export, budget: &mut code::Budget) -> Hook {
    let elsewhere = Place { address: 0, section: None, through: Vec::new() };
    let all = |result| vec![HookRun { versions: Versions::ALL, result }];
    let address = match export {
        Export::Address(address) => address,
        Export::Indirect(resolver) => match code::resolve_indirect(image, resolver, *budget) {
            Some(address) => address,
            None => {
                let why = Reason::IndirectFunction(image.place(resolver));
                return Hook { symbol, kind, at: image.place(resolver), runs: all(InitResult::Unknown(why)) };
            }
        },
        Export::Forward(to) => {
            // "library.symbol": the symbol is what the library exports.
            let there = to.rsplit('.').next().unwrap_or(&to).to_owned();
            let result = InitResult::Delegated(Delegate::Library { symbol: there });
            return Hook { symbol, kind, at: elsewhere, runs: all(result) };
        }
    };
    let at = image.place(address);
    if !code::evaluates(image) {
        let short = symbol.split_once('_').map_or("", |(_, short)| short);
        return Hook { runs: all(scan::find(image, short)), symbol, kind, at };
    }
    let mut run = |version| code::run(image, kind, address, version, budget);
    let (result, consulted) = run(Version::V3_14);
    let versions = if consulted { Versions::only(Version::V3_14) } else { Versions::ALL };
    let mut runs = vec![HookRun { versions, result }];
    // Only a function that looks at the interpreter's version can do something else under another one.
    for version in if consulted { [Version::V3_13, Version::V3_15].as_slice() } else { &[] } {
        let (result, _) = run(*version);
        match runs.iter_mut().find(|run| run.result == result) {
            Some(run) => run.versions = run.versions.with(*version),
            None => runs.push(HookRun { versions: Versions::only(*version), result }),
        }
    }
    Hook { symbol, kind, at, runs }
}

/// Runs the example of the crate's page.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
