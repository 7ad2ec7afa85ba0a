//! A wheel on a server, read where it matters. Who speaks to the server is another crate: here it is something that can be read at any
//! place.

use std::sync::Arc;

use gilaudit_model::Origin;
use rawzip::ReaderAt;

use crate::collector::Collector;
use crate::inventory::Inventory;
use crate::limits::Limits;
use crate::wheel;
use crate::zip::{Remote, Source};

/// A wheel on a server.
pub struct RemoteWheel {
    /// What it is called in reports; its last part is the file name.
    pub origin: Origin,
    /// Bytes of it.
    pub size: u64,
    /// Whether all of it was fetched, so that everything can be looked at.
    pub at_hand: bool,
    /// The bytes.
    pub bytes: Arc<dyn ReaderAt + Send + Sync>,
}

impl std::fmt::Debug for RemoteWheel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteWheel").field("origin", &self.origin).field("size", &self.size).finish_non_exhaustive()
    }
}

/// Lists a wheel on a server as [`crate::collect`] lists one on disk. Its members are read through the same bytes; local headers of what
/// does not matter, and what lies between entries, are not, which a problem of the inventory says.
pub fn collect_remote(wheel: RemoteWheel, limits: &Limits) -> Inventory {
    let mut collector = Collector::new(limits, false);
    let source = Source::Remote(Remote { bytes: wheel.bytes, size: wheel.size, at_hand: wheel.at_hand });
    wheel::open(&mut collector, Ok(source), wheel::artifact(wheel.origin, true));
    collector.finish()
}

/// Whether a member of a wheel is read in any audit of it: worth fetching before anybody asks.
pub fn is_read_of_a_wheel(name: &str) -> bool {
    wheel::matters(name)
}
