//! What package indexes list, and parts of the files that they have. This is the only crate of the workspace that speaks to a network.
//!
//! [`Configuration`] is the user's own: what pip and uv are told. [`Index::list`] gives the files of a project (PEP 691, else PEP 503),
//! [`Client::open`] a file as something that can be read at any place ([`RemoteFile`], a `ReaderAt` for `rawzip`), of which
//! [`RemoteFile::prefetch`] fetches the members that matter, in a few requests.
//!
//! Nothing that a server answers is believed without a look: status, range, length and total size of every answer are checked, and a
//! server that does not play is asked for the whole file, within a limit. What is read by ranges proves nothing about the hash of the
//! file, so the index's claim stays a claim ([`File::claimed_sha256`]).
//!
//! No file is opened and nothing is printed here: who calls gives the texts of configuration files.

// What is read here may be hostile: nothing may panic on it. Tests may.
#![cfg_attr(
    not(test),
    warn(clippy::arithmetic_side_effects, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

mod client;
mod configuration;
mod credentials;
mod listing;
mod members;
mod ranges;
mod remote;
#[cfg(test)]
mod server;

pub use client::{Client, Failure};
pub use configuration::Configuration;
pub use credentials::shown;
pub use listing::{File, Index, Kind, Listing, normalized};
pub use pep440_rs::{Version, VersionSpecifiers};
pub use remote::{Limits, RemoteFile, Traffic};
pub use url::Url;
