//! `gilaudit cache`: what was kept of wheels on indexes.

use crate::args::{CacheCommand, Colour};
use crate::error::Error;
use crate::exit;
use crate::history::cache::Cache;
use crate::output::{count, to_stdout};

pub(crate) fn run(asked: &CacheCommand, colour: Colour) -> Result<u8, Error> {
    let (CacheCommand::Size { cache_dir } | CacheCommand::Clear { cache_dir }) = asked;
    let cache = Cache::new(cache_dir.as_deref());
    let Some(folder) = cache.folder() else {
        return Err(Error::new("this system has no folder for caches").hint("--cache-dir names one"));
    };
    let entries = |number: usize| count(number, "entry");
    let text = match asked {
        CacheCommand::Size { .. } => {
            let (number, bytes) = cache.size();
            format!("{}, {bytes} bytes in {}\n", entries(number), folder.display())
        }
        CacheCommand::Clear { .. } => {
            let gone = cache.clear();
            let (left, _) = cache.size();
            if left > 0 {
                return Err(Error::new(format!("{} of {} could not be removed", entries(left), folder.display())));
            }
            format!("{} removed from {}\n", entries(gone), folder.display())
        }
    };
    to_stdout(text.as_bytes(), colour)?;
    Ok(exit::OK)
}
