//! Which ranges of a wheel hold the members that matter, by its central directory.

use rawzip::{RECOMMENDED_BUFFER_SIZE, ZipArchive, ZipLocator};

use crate::remote::RemoteFile;

/// Members that are looked at, far above what wheels have.
const MOST: usize = 500_000;

impl RemoteFile {
    /// Fetches the members that `wanted` names, each from its local header to where the next one begins, in few requests. A file that is
    /// no zip archive, or a broken one, is left to whoever reads it: here nothing is judged.
    pub fn prefetch_members(&self, wanted: impl Fn(&str) -> bool) -> Result<(), crate::Failure> {
        match self.ranges(wanted) {
            Some(ranges) => self.prefetch(ranges),
            None => Ok(()),
        }
    }

    fn ranges(&self, wanted: impl Fn(&str) -> bool) -> Option<Vec<(u64, u64)>> {
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let archive: ZipArchive<&Self> = ZipLocator::new().locate_in_reader(self, &mut buffer, self.size()).ok()?;
        let directory = archive.directory_offset();
        // All of the directory at once, where it begins before what is at hand.
        self.prefetch(vec![(directory, self.size())]).ok()?;
        let mut entries = archive.entries(&mut buffer);
        let mut members = Vec::new();
        while let Ok(Some(entry)) = entries.next_entry() {
            let name = String::from_utf8_lossy(entry.file_path().as_ref()).into_owned();
            members.push((entry.local_header_offset(), wanted(&name)));
            if members.len() > MOST {
                return None;
            }
        }
        members.sort_unstable();
        let ends = members.iter().skip(1).map(|(start, _)| *start).chain([directory]);
        let ranges = members.iter().zip(ends).filter(|((_, wanted), _)| *wanted);
        Some(ranges.map(|((start, _), end)| (*start, end)).collect())
    }
}
