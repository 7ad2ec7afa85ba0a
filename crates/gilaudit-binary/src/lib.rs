//! Reads from a compiled CPython extension, without running it, whether it declares that it can run without the GIL.
#![allow(dead_code)]

mod abi;
mod code;
mod definition;
mod image;
mod imports_of;
mod names;

use gilaudit_model::{
    BinaryFacts, Format, Hook, HookKind, HookRun, InitResult, Origin, Place, Problem, Stage, Version, Versions,
    WheelTags,
};
use image::{Export, Image};

pub use imports_of::{Mentioned, ModuleNames, imports_of};

/// What is known about a file besides its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Hints<'a> {
    /// The file's origin; its file name gives the module name and the ABI tag, its folder the name of an `__init__` module.
    pub origin: &'a Origin,
    /// The tags of the wheel it came in.
    pub tags: Option<&'a WheelTags>,
}

/// Bounds on the work spent on one init function.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Instructions evaluated.
    pub instructions: usize,
    /// Branches followed both ways.
    pub paths: usize,
    /// Bytes of memory that the evaluated code may change.
    pub memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { instructions: 3_000_000, paths: 4_000, memory: 256 << 10 }
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

/// Reads a compiled file. One [`BinaryFacts`] per architecture: fat Mach-O files have several, every other file one. Empty, with a
/// problem, when the bytes are not an object file that can be read.
pub fn read(bytes: &[u8], hints: &Hints<'_>, limits: &Limits) -> (Vec<BinaryFacts>, Vec<Problem>) {
    let problem = |error: String| Problem { origin: hints.origin.clone(), stage: Stage::Parse, unread: true, error };
    let opened = match sniff(bytes) {
        Some(Format::Elf) => image::open_elf(bytes),
        Some(Format::MachO) => image::open_macho(bytes),
        Some(Format::Pe) => image::open_pe(bytes),
        None if bytes.is_empty() => Err("the file is empty".to_owned()),
        None => Err("neither an ELF, a Mach-O nor a PE file".to_owned()),
    };
    match opened {
        Ok(image) => (vec![facts(&image, hints, limits)], Vec::new()),
        Err(error) => (Vec::new(), vec![problem(error)]),
    }
}

fn facts(image: &Image<'_>, hints: &Hints<'_>, limits: &Limits) -> BinaryFacts {
    let hooks: Vec<Hook> = names::hooks(hints.origin)
        .into_iter()
        .filter_map(|(kind, symbol)| {
            let export = image.export(&symbol)?;
            Some(hook(image, kind, symbol, export, limits))
        })
        .collect();
    let runs: Vec<&HookRun> = hooks.iter().flat_map(|hook| &hook.runs).collect();
    let needed = image.needed();
    let abi = abi::abi(hints.origin.file_name(), hints.tags, &needed, &runs);
    let other_hooks = if hooks.is_empty() {
        ["PyInit", "PyModExport"].iter().flat_map(|prefix| image.exports_starting(prefix)).collect()
    } else {
        Vec::new()
    };
    BinaryFacts {
        format: image.format,
        arch: image.arch,
        bits: image.pointer * 8,
        slice: None,
        abi,
        framework: None,
        hooks,
        other_hooks,
        needed,
    }
}

fn hook(image: &Image<'_>, kind: HookKind, symbol: String, export: Export, limits: &Limits) -> Hook {
    let address = match export {
        Export::Address(address) => address,
        Export::Forward(to) => {
            let result = InitResult::Delegated(gilaudit_model::Delegate::Library { symbol: to });
            let at = Place { address: 0, section: None, through: Vec::new() };
            return Hook { symbol, kind, at, runs: vec![HookRun { versions: Versions::ALL, result }] };
        }
    };
    let budget = code::Budget { instructions: limits.instructions, paths: limits.paths, memory: limits.memory / 4 };
    let run = |version| code::run(image, kind, address, version, budget);
    let (first, consulted) = run(Version::V3_14);
    let mut runs = vec![HookRun {
        versions: if consulted { Versions::only(Version::V3_14) } else { Versions::ALL },
        result: first,
    }];
    if consulted {
        for version in [Version::V3_13, Version::V3_15] {
            let (result, _) = run(version);
            match runs.iter_mut().find(|run| run.result == result) {
                Some(run) => run.versions = run.versions.with(version),
                None => runs.push(HookRun { versions: Versions::only(version), result }),
            }
        }
    }
    Hook { symbol, kind, at: image.place(address), runs }
}
