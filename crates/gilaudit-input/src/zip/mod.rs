//! Zip archives, read in place.
//!
//! What is decided here is what to believe. pip unpacks with Python's `zipfile`, so that is followed: which directory counts
//! (`directory.rs`), what an entry is called (`names.rs`), which entry wins. Installers that read from front to back go by the local
//! headers, so an entry on which the two disagree is a problem. Inflating is libdeflate's business.

mod directory;
mod names;
mod source;

use std::sync::Arc;

use flate2::{Decompress, FlushDecompress};
use gilaudit_model::Stage;
use libdeflater::{Crc, DecompressionError, Decompressor};

use crate::budget::Budget;
use crate::bytes::Bytes;
use crate::limits::Limits;
use directory::Record;
use names::{Written, other_spellings};
use source::Reader;
pub(crate) use source::{Remote, Source};

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// Flags: encrypted, patched data, strong encryption.
const ENCRYPTED: u16 = 0x1 | 0x40;
const PATCHED: u16 = 0x20;
/// Sizes and checksum are behind the data, not in the local header.
const DESCRIPTOR: u16 = 0x8;
const LOCAL: &[u8] = b"PK\x03\x04";
const LOCAL_SIZE: u64 = 30;

/// An archive that can be opened again and again.
#[derive(Debug)]
pub(crate) struct Archive {
    source: Source,
}

/// One entry of the central directory.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The name that `zipfile` gives it.
    pub(crate) name: String,
    /// The declared inflated size.
    pub(crate) size: u64,
    compressed: u64,
    method: u16,
    crc: u32,
    /// Where its data begins, or why pip cannot read it.
    data: Result<u64, String>,
    /// How other installers may call it.
    pub(crate) other_names: Vec<String>,
    /// What its local header says otherwise than the directory, apart from its name.
    pub(crate) disagreement: Option<&'static str>,
    /// Where its local header and its data lie.
    range: (u64, u64),
    /// The record of one whose local header was not read yet, because the archive is far away and it does not matter.
    late: Option<Box<Record>>,
}

/// Why an archive or an entry could not be read, and at which stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) stage: Stage,
    pub(crate) error: String,
}

impl Fault {
    fn archive(error: impl Into<String>) -> Self {
        Self { stage: Stage::Archive, error: error.into() }
    }

    pub(crate) fn limits(error: impl Into<String>) -> Self {
        Self { stage: Stage::Limits, error: error.into() }
    }
}

/// The entries of an archive, and what is wrong with its directory as a whole.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    pub(crate) entries: Vec<Entry>,
    /// The listing is incomplete: entries are missing from it, or pip refuses the archive.
    pub(crate) cut: Option<Fault>,
    /// The directory's own count of its entries, where it is not the number that is there.
    pub(crate) miscounted: Option<u64>,
    /// Bytes before the archive.
    pub(crate) prepended: u64,
    /// Oddities of where entries lie.
    pub(crate) misplaced: Vec<Misplaced>,
    /// Neither most local headers nor what is between entries was looked at.
    pub(crate) layout_unchecked: bool,
}

/// An oddity of where entries lie, with the names involved.
#[derive(Debug)]
pub(crate) enum Misplaced {
    /// Two entries share data; their names are quoted already.
    Shared(String, String),
    /// The central directory does not list this local entry.
    Unlisted(String),
}

impl Archive {
    pub(crate) fn new(source: Source) -> Self {
        Self { source }
    }

    /// Whether every look at it costs a request.
    pub(crate) fn is_remote(&self) -> bool {
        self.source.is_remote()
    }

    /// Lists the entries, without folders, in the order of the central directory.
    ///
    /// Of an archive on a server only the local headers of entries that `matters` names are looked at: all of them would be all of it.
    pub(crate) fn directory(&self, limits: &Limits, matters: impl Fn(&str) -> bool) -> Result<Directory, Fault> {
        let reader = self.source.reader()?;
        if reader.len() == 0 {
            return Err(Fault::archive("the file is empty"));
        }
        let records = directory::read(&reader, limits.archive_members, limits.directory_bytes)?;
        let mut directory = Directory {
            cut: records.cut,
            miscounted: records.miscounted,
            prepended: records.prepended,
            ..Directory::default()
        };
        let mut all = Vec::with_capacity(records.records.len());
        let is_remote = self.source.is_remote();
        directory.layout_unchecked = is_remote;
        for record in &records.records {
            let is_late = is_remote && !matters(&String::from_utf8_lossy(&record.name));
            match if is_late { late(record) } else { entry(&reader, record)? } {
                Ok(entry) => all.push(entry),
                Err(error) => {
                    directory.cut.get_or_insert(Fault::archive(error));
                }
            }
        }
        refuse_overlaps(&mut all, records.start);
        if !is_remote {
            directory.misplaced = misplaced(&reader, &all, records.start)?;
        }
        // A folder under every name.
        all.retain(|entry| !entry.name.ends_with('/') || !entry.other_names.is_empty());
        directory.entries = all;
        Ok(directory)
    }

    /// The first bytes of an entry, at most `most` of them; fewer when they cannot be had.
    pub(crate) fn head(&self, entry: &Entry, most: usize) -> Vec<u8> {
        let mut head = vec![0; most.min(usize::try_from(entry.size).unwrap_or(most))];
        let read = || -> Option<Vec<u8>> {
            let reader = self.source.reader().ok()?;
            let start = *entry.data.as_ref().ok()?;
            let compressed = reader.bytes(start, entry.compressed.min(most as u64)).ok()??;
            match entry.method {
                STORED => Some(compressed),
                DEFLATED => {
                    let mut inflater = Decompress::new(false);
                    inflater.decompress(&compressed, &mut head, FlushDecompress::Sync).ok()?;
                    head.truncate(usize::try_from(inflater.total_out()).ok()?);
                    Some(head)
                }
                _ => None,
            }
        };
        read().unwrap_or_default()
    }

    /// Inflates one entry in memory, as soon as the budget has room for it, and verifies its length and checksum.
    pub(crate) fn read(&self, entry: &Entry, limits: &Limits, budget: &Arc<Budget>) -> Result<Bytes, Fault> {
        let start = match &entry.late {
            None => entry.data.clone(),
            Some(record) => self::entry(&self.source.reader()?, record)?.map_err(Fault::archive)?.data,
        };
        let start = start.map_err(Fault::archive)?;
        if entry.size > limits.member_bytes {
            let error = format!("declares {} bytes, over the limit of {}", entry.size, limits.member_bytes);
            return Err(Fault::limits(error));
        }
        check_ratio(entry, limits)?;
        let inflated = match entry.method {
            STORED if entry.size != entry.compressed => {
                return Err(Fault::archive(format!(
                    "stored in {} bytes but declares {}",
                    entry.compressed, entry.size
                )));
            }
            STORED => 0,
            DEFLATED => entry.size,
            method => return Err(Fault::archive(format!("compression method {method} is not supported"))),
        };
        let reader = self.source.reader()?;
        let no_memory = || Fault::limits(format!("no memory for its {} bytes", entry.size));
        let all = entry.compressed.checked_add(inflated).ok_or_else(no_memory)?;
        // One permit for both buffers: whoever asked twice could wait for itself.
        let bytes = Bytes::filled(budget, all, entry.size, |buffer| {
            if entry.method == STORED {
                return if reader.append(buffer, start, entry.size)? { Ok(()) } else { Err(cut_short()) };
            }
            let size = |bytes: u64| usize::try_from(bytes).map_err(|_| no_memory());
            buffer.resize(size(entry.size)?, 0);
            let mut compressed = budget.buffer(size(entry.compressed)?).ok_or_else(no_memory)?;
            let result = match reader.append(&mut compressed, start, entry.compressed)? {
                true => inflate(&compressed, buffer),
                false => Err(cut_short()),
            };
            budget.give_back(compressed);
            result
        });
        let bytes = bytes.ok_or_else(no_memory)??;
        let mut crc = Crc::new();
        crc.update(&bytes);
        if crc.sum() == entry.crc {
            Ok(bytes)
        } else {
            Err(Fault::archive("the checksum does not match: the archive is damaged"))
        }
    }
}

fn cut_short() -> Fault {
    Fault::archive("truncated: its data reaches beyond the end of the archive")
}

/// What the local header adds to a record of the directory. The inner error is why Python refuses the whole archive.
fn entry(reader: &Reader, record: &Record) -> Result<Result<Entry, &'static str>, Fault> {
    let central = Written { name: &record.name, flags: record.flags, unicode_path: record.unicode_path.as_deref() };
    let name = match central.of_python() {
        Ok(name) => name,
        Err(error) => return Ok(Err(error)),
    };
    let mut entry = Entry {
        name,
        size: record.size,
        compressed: record.compressed,
        method: record.method,
        crc: record.crc,
        data: Err("no local header where the directory says".to_owned()),
        other_names: Vec::new(),
        disagreement: None,
        range: (record.offset, record.offset),
        late: None,
    };
    let Some(local) = Local::read(reader, record)? else {
        entry.other_names = other_spellings(&entry.name, &[central]);
        return Ok(Ok(entry));
    };
    let written = local.written();
    entry.other_names = other_spellings(&entry.name, &[central, written]);
    let start = record.offset.saturating_add(local.length);
    entry.range.1 = start.saturating_add(record.compressed);
    entry.data = if written.decoded() != central.decoded() {
        let local = written.decoded().unwrap_or_else(|| String::from_utf8_lossy(written.name).into_owned());
        Err(format!("its local header calls it '{}'", quoted(&local)))
    } else if record.flags & ENCRYPTED != 0 {
        Err("encrypted".to_owned())
    } else if record.flags & PATCHED != 0 {
        Err("patched data, which Python does not read".to_owned())
    } else if entry.range.1 > reader.len() {
        Err(cut_short().error)
    } else {
        Ok(start)
    };
    entry.disagreement = local.disagreement(record);
    Ok(Ok(entry))
}

/// What a record of the directory says, without its local header.
fn late(record: &Record) -> Result<Entry, &'static str> {
    let central = Written { name: &record.name, flags: record.flags, unicode_path: record.unicode_path.as_deref() };
    let name = central.of_python()?;
    let least = LOCAL_SIZE.saturating_add(record.name.len() as u64).saturating_add(record.compressed);
    Ok(Entry {
        size: record.size,
        compressed: record.compressed,
        method: record.method,
        crc: record.crc,
        data: Err("its local header was not read".to_owned()),
        other_names: other_spellings(&name, &[central]),
        disagreement: None,
        range: (record.offset, record.offset.saturating_add(least)),
        late: Some(Box::new(record.clone())),
        name,
    })
}

/// A local header.
struct Local {
    flags: u16,
    method: u16,
    crc: u32,
    compressed: u32,
    size: u32,
    name: Vec<u8>,
    unicode_path: Option<Vec<u8>>,
    /// Bytes from its beginning to the data.
    length: u64,
}

impl Local {
    fn read(reader: &Reader, record: &Record) -> Result<Option<Self>, Fault> {
        // Nearly every header has the name of its record and few extra fields, so one reading gets all of it.
        let guess = LOCAL_SIZE.saturating_add(record.name.len() as u64).saturating_add(64);
        let rest = reader.len().saturating_sub(record.offset);
        let Some(head) = reader.bytes(record.offset, guess.min(rest))? else { return Ok(None) };
        if !head.starts_with(LOCAL) || head.len() < LOCAL_SIZE as usize {
            return Ok(None);
        }
        let short = |at: usize| {
            head.get(at..)
                .and_then(|bytes| bytes.first_chunk())
                .map(|bytes| u16::from_le_bytes(*bytes))
                .unwrap_or_default()
        };
        let long = |at: usize| {
            head.get(at..)
                .and_then(|bytes| bytes.first_chunk())
                .map(|bytes| u32::from_le_bytes(*bytes))
                .unwrap_or_default()
        };
        let (name, extra) = (usize::from(short(26)), usize::from(short(28)));
        let length = LOCAL_SIZE.saturating_add(name as u64).saturating_add(extra as u64);
        let whole = match head.get(..usize::try_from(length).unwrap_or(usize::MAX)) {
            Some(whole) => whole.to_owned(),
            None => match reader.bytes(record.offset, length)? {
                Some(whole) => whole,
                None => return Ok(None),
            },
        };
        let fields = whole.get(LOCAL_SIZE as usize..).unwrap_or_default();
        let (name, extra) = fields.split_at_checked(name).unwrap_or((fields, &[]));
        Ok(Some(Self {
            flags: short(6),
            method: short(8),
            crc: long(14),
            compressed: long(18),
            size: long(22),
            name: name.to_owned(),
            unicode_path: unicode_path(extra),
            length,
        }))
    }

    fn written(&self) -> Written<'_> {
        Written { name: &self.name, flags: self.flags, unicode_path: self.unicode_path.as_deref() }
    }

    /// What installers that go by local headers would read otherwise.
    fn disagreement(&self, record: &Record) -> Option<&'static str> {
        if self.method != record.method {
            return Some("the compression method");
        }
        let differs = |local: u32, central: u64| local != u32::MAX && u64::from(local) != central;
        let has_descriptor = self.flags & DESCRIPTOR != 0;
        if !has_descriptor || self.compressed != 0 || self.size != 0 {
            if differs(self.compressed, record.compressed) || differs(self.size, record.size) {
                return Some("the size");
            }
            if self.crc != record.crc && (!has_descriptor || self.crc != 0) {
                return Some("the checksum");
            }
        }
        None
    }
}

fn unicode_path(mut extra: &[u8]) -> Option<Vec<u8>> {
    loop {
        let number = |at: usize| extra.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes));
        let (kind, length) = (number(0)?, number(2)?);
        let field = extra.get(4..)?.get(..usize::from(length))?;
        if kind == 0x7075 {
            return Some(field.to_owned());
        }
        extra = extra.get(field.len().saturating_add(4)..)?;
    }
}

/// Makes entries whose data reaches into the next one unreadable, as `zipfile` does since bombs were made of such.
fn refuse_overlaps(entries: &mut [Entry], directory: u64) {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by_key(|index| entries.get(*index).map(|entry| entry.range.0));
    let mut next = directory;
    for index in order.into_iter().rev() {
        let Some(entry) = entries.get_mut(index) else { continue };
        if entry.range.1 > next && entry.data.is_ok() {
            entry.data = Err("its data reaches into another entry".to_owned());
        }
        next = entry.range.0;
    }
}

/// What lies wrong in the archive: entries that share data, and local entries that the directory does not list but that an
/// installer which reads from front to back would see. In the order of the archive.
fn misplaced(reader: &Reader, entries: &[Entry], directory: u64) -> Result<Vec<Misplaced>, Fault> {
    let mut order: Vec<&Entry> = entries.iter().collect();
    order.sort_by_key(|entry| entry.range);
    let mut misplaced = Vec::new();
    let mut before: Option<&Entry> = None;
    for entry in order {
        match before {
            Some(first) if first.range.1 > entry.range.0 => {
                // As they are shown: one long name may be in the way of every other entry.
                misplaced.push(Misplaced::Shared(quoted(&first.name), quoted(&entry.name)));
            }
            _ => misplaced.extend(unlisted(reader, before.map_or(0, |entry| entry.range.1), entry.range.0)?),
        }
        before = before.filter(|furthest| furthest.range.1 > entry.range.1).or(Some(entry));
    }
    misplaced.extend(unlisted(reader, before.map_or(0, |entry| entry.range.1), directory)?);
    Ok(misplaced)
}

/// The name of a local entry that begins in a gap between listed ones: at once, or after a data descriptor.
fn unlisted(reader: &Reader, start: u64, end: u64) -> Result<Option<Misplaced>, Fault> {
    const DESCRIPTOR_SIZES: [usize; 5] = [0, 12, 16, 20, 24];
    const NAME_LENGTH: usize = 26;
    let gap = end.saturating_sub(start);
    if gap < LOCAL_SIZE {
        return Ok(None);
    }
    let longest = 24 + LOCAL_SIZE + u64::from(u16::MAX);
    let Some(gap) = reader.bytes(start, gap.min(longest))? else { return Ok(None) };
    let found = || {
        let headers = DESCRIPTOR_SIZES.iter().filter_map(|size| gap.get(*size..));
        let header = headers.into_iter().find(|bytes| bytes.starts_with(LOCAL))?;
        let length = header.get(NAME_LENGTH..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))?;
        let name = header.get(LOCAL_SIZE as usize..)?.get(..usize::from(length))?;
        // Folders are left out of the listing, so they are expected here.
        (!name.ends_with(b"/")).then(|| Misplaced::Unlisted(String::from_utf8_lossy(name).into_owned()))
    };
    Ok(found())
}

fn check_ratio(entry: &Entry, limits: &Limits) -> Result<(), Fault> {
    const ALWAYS_FINE: u64 = 16 << 20;
    // What is as large as only the largest libraries are must also deflate like one: to a third, not to a hundredth.
    const LARGE: u64 = 256 << 20;
    let ratio = if entry.size > LARGE { (limits.ratio / 8).max(1) } else { limits.ratio };
    if entry.size > ALWAYS_FINE && entry.size > entry.compressed.saturating_mul(ratio) {
        let error = format!(
            "declares {} bytes in {} compressed ones, over the ratio limit of {ratio}",
            entry.size, entry.compressed
        );
        return Err(Fault::limits(error));
    }
    // The most that deflate can do is 258 bytes from two bits. Checked before the memory is asked for.
    const DEFLATE_RATIO: u64 = 1032;
    if entry.method == DEFLATED && entry.size > entry.compressed.saturating_mul(DEFLATE_RATIO) {
        let error =
            format!("declares {} bytes, more than its {} compressed ones can hold", entry.size, entry.compressed);
        return Err(Fault::archive(error));
    }
    Ok(())
}

/// Inflates into a buffer of exactly the declared size.
fn inflate(data: &[u8], buffer: &mut [u8]) -> Result<(), Fault> {
    let size = buffer.len();
    match Decompressor::new().deflate_decompress(data, buffer) {
        Ok(length) if length == size => Ok(()),
        Ok(length) => Err(Fault::archive(format!("declares {size} bytes but inflates to {length}"))),
        Err(DecompressionError::InsufficientSpace) => {
            Err(Fault::archive(format!("declares {size} bytes but inflates to more")))
        }
        Err(DecompressionError::BadData) => Err(Fault::archive("its compressed data is damaged")),
    }
}

/// A name as a message quotes it: no control characters, and not longer than somebody reads.
pub(crate) fn quoted(name: &str) -> String {
    const MOST: usize = 200;
    let mut letters = name.chars();
    let shown: String = letters.by_ref().take(MOST).collect();
    let more = if letters.next().is_some() { "…" } else { "" };
    format!("{}{more}", shown.escape_debug())
}
