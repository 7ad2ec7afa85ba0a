//! Finds and opens what gilaudit audits. This is the only library of the workspace that touches files.
//!
//! [`collect`] takes what the user named and lists what there is to read, by name alone: wheels and their members, the files of
//! installed distributions, single files. It opens wheels and metadata but reads no binary. [`Inventory::read`] then gives the
//! bytes of one member; it may be called from many threads.
//!
//! ```no_run
//! use gilaudit_input::{Given, Limits, MemberKind, collect};
//!
//! let given = Given::parse("dist/")?;
//! let inventory = collect(&[given], None, &Limits::default());
//! for member in &inventory.members {
//!     match inventory.read(member) {
//!         Ok(bytes) => println!("{}: {} bytes of {}", member.origin, bytes.len(), member.module),
//!         Err(problem) => println!("{}: {}", problem.origin, problem.error),
//!     }
//! }
//! # Ok::<(), String>(())
//! ```
//!
//! Nothing from an archive is written to disk, every size and count has a limit ([`Limits`]), and an input that is broken becomes a
//! [`gilaudit_model::Problem`] while the rest goes on. Every file is opened in one place (`open.rs`), for other readers of the command
//! too ([`read_text`]).

// What is read here may be hostile: nothing may panic on it. Tests may.
#![cfg_attr(
    not(test),
    warn(clippy::arithmetic_side_effects, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

mod budget;
mod bytes;
mod collector;
mod contents;
mod dist_info;
mod environment;
mod file;
mod fit;
mod folder;
mod given;
mod here;
mod index;
mod installation;
mod installed;
mod inventory;
mod limits;
mod names;
mod nested;
mod open;
mod pip;
mod platform_tags;
mod problems;
mod project;
mod python;
mod python_tree;
mod record;
mod remote;
mod sdist;
mod tar;
mod walk;
mod wheel;
mod wheel_name;
mod zip;

use gilaudit_model::Target;
use sha2::{Digest, Sha256};

pub use bytes::Bytes;
pub use contents::{Contents, FileContents};
pub use fit::{Fit, fit, wheel_platforms};
pub use given::Given;
pub use here::{There, real, relative, there};
pub use inventory::{Artifact, ArtifactKind, Inventory, Member, MemberKind, SourceFile};
pub use limits::Limits;
pub use open::{ReadError, read_beginning, read_text};
pub use problems::Problems;
pub use python::pip_configuration;
pub use python_tree::{InstalledDistribution, Owners, PythonRoot, python_root};
pub use remote::{RemoteWheel, collect_remote, is_read_of_a_wheel};

/// Lists what there is to read in what the user named, sorted by origin. Reads no member's contents.
///
/// `target` is the interpreter that `pypi:` inputs are downloaded for; without one, 3.14t.
///
/// Of a project's folder it lists what is the project's own: neither what its ignore files name, nor what was built beside the sources,
/// nor the virtual environments in it.
pub fn collect(given: &[Given], target: Option<&Target>, limits: &Limits) -> Inventory {
    fill(collector::Collector::new(limits, false), given, target)
}

/// The same with the virtual environments in a project's folder: for whoever asks what a program imports from them.
pub fn collect_with_environments(given: &[Given], target: Option<&Target>, limits: &Limits) -> Inventory {
    fill(collector::Collector::new(limits, true), given, target)
}

fn fill(mut collector: collector::Collector, given: &[Given], target: Option<&Target>) -> Inventory {
    for given in given {
        match given {
            Given::Path(path) => file::collect(&mut collector, path),
            Given::Pypi { name, version } => pip::collect(&mut collector, name, version.as_deref(), target),
            Given::ActiveEnvironment => environment::collect_active(&mut collector),
        }
    }
    collector.finish()
}

/// The SHA-256 of bytes, in base64, as browsers want it.
pub fn sha256_base64(bytes: &[u8]) -> String {
    data_encoding::BASE64.encode(&Sha256::digest(bytes))
}

/// The SHA-256 of bytes, in lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}
