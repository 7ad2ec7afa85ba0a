//! How much of an input is looked at before it counts as hostile.
//!
//! Every limit is far above what real packages need: it exists so that a crafted input costs bounded time and memory, and what it
//! cuts off is reported as a problem.

/// Bounds on what one run reads. The default suits real packages, the largest included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one file or of one inflated member.
    pub member_bytes: u64,
    /// Bytes of all members of one archive together, inflated, as the archive declares them.
    pub archive_bytes: u64,
    /// Bytes of the central directory of a zip archive.
    pub directory_bytes: u64,
    /// Bytes of a compressed tar, inflated: it is read from front to back, whatever is in it.
    pub stream_bytes: u64,
    /// Bytes that are held in memory for the whole run: sources and binaries of source distributions, and archives inside archives,
    /// of all inputs together.
    pub kept_bytes: u64,
    /// Bytes of files and inflated members that all threads hold at one time; what is larger is held alone.
    pub flight_bytes: u64,
    /// Members of one archive.
    pub archive_members: usize,
    /// How deep an archive in an archive is opened.
    pub archive_depth: usize,
    /// How many times larger than its compressed bytes a member, or a tar as a whole, may be; asked only beyond 16 MiB,
    /// because a small one harms nobody, and an eighth of it for a member beyond 256 MiB.
    pub ratio: u64,
    /// Bytes of one metadata file: RECORD, METADATA, WHEEL, `pyvenv.cfg`.
    pub metadata_bytes: u64,
    /// How deep a folder is walked.
    pub walk_depth: usize,
    /// Files and folders looked at in one given folder.
    pub walk_entries: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            member_bytes: 2048 * MIB,
            archive_bytes: 16_384 * MIB,
            directory_bytes: 128 * MIB,
            stream_bytes: 4096 * MIB,
            kept_bytes: 1024 * MIB,
            flight_bytes: 192 * MIB,
            archive_members: 500_000,
            archive_depth: 3,
            ratio: 250,
            metadata_bytes: 64 * MIB,
            walk_depth: 128,
            walk_entries: 10_000_000,
        }
    }
}
