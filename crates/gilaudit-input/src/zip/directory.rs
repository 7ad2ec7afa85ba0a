//! The directory of a zip archive, found and read as Python's `zipfile` does it, since that is what pip installs by.
//!
//! Where other readers would find another directory, or another number of entries, the archive is refused or the difference is said.
//! CPython 3.14.7, `Lib/zipfile/__init__.py`: `_EndRecData`, `_EndRecData64`, `_RealGetContents`, `_decodeExtra`; 3.13 and 3.15 alike.

use super::Fault;
use super::source::Reader;

const END: &[u8] = b"PK\x05\x06";
const END_SIZE: usize = 22;
const LOCATOR64: &[u8] = b"PK\x06\x07";
const LOCATOR64_SIZE: u64 = 20;
const END64: &[u8] = b"PK\x06\x06";
const END64_SIZE: u64 = 56;
const CENTRAL: &[u8] = b"PK\x01\x02";
const CENTRAL_SIZE: usize = 46;
/// `zipfile` looks for the end record in the longest comment that there can be, `ZIP_MAX_COMMENT`, and in the record itself.
const COMMENT_SIZE: u64 = 0xffff;
/// `MAX_EXTRACT_VERSION`: an archive with an entry that needs a newer version is refused as a whole.
const MAX_EXTRACT_VERSION: u16 = 63;

/// One record of the central directory.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) name: Vec<u8>,
    /// The extra field that holds a Unicode path, without its header.
    pub(crate) unicode_path: Option<Vec<u8>>,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) crc: u32,
    pub(crate) compressed: u64,
    pub(crate) size: u64,
    /// Where its local header is in the file.
    pub(crate) offset: u64,
}

/// The central directory.
#[derive(Debug, Default)]
pub(crate) struct Records {
    pub(crate) records: Vec<Record>,
    /// Where it begins in the file.
    pub(crate) start: u64,
    /// The listing is incomplete, or is not the one that other readers see.
    pub(crate) cut: Option<Fault>,
    /// The directory's own count of its entries, where it is not the number that is there.
    pub(crate) miscounted: Option<u64>,
    /// Bytes before the archive, which every offset in it leaves out.
    pub(crate) prepended: u64,
}

/// What the end record says, after zip64 had its say.
#[derive(Debug, PartialEq, Eq)]
struct End {
    /// Where the record itself is.
    at: u64,
    entries: u64,
    size: u64,
    offset: u64,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// Reads the central directory: at most `limit` records and `bytes` bytes of it.
pub(crate) fn read(reader: &Reader, limit: usize, bytes: u64) -> Result<Records, Fault> {
    let end = end(reader)?;
    let misplaced = || Fault::archive("broken zip archive: its directory is not where it says");
    // `zipfile` goes by where the directory ends, and takes what is missing in front of it for bytes that were put before the archive.
    let start = end.at.checked_sub(end.size).ok_or_else(misplaced)?;
    let prepended = start.checked_sub(end.offset).ok_or_else(misplaced)?;
    let mut records = Records { start, prepended, ..Records::default() };
    if prepended > 0 && reader.bytes(end.offset, 4)?.as_deref() == Some(CENTRAL) {
        let error =
            "two directories in it, before and after the bytes that are in front of the archive: installers disagree";
        records.cut = Some(Fault::archive(error));
    }
    if end.size > bytes {
        let error = format!("its directory has {} bytes, over the limit of {bytes}", end.size);
        return Err(Fault::limits(error));
    }
    let directory = reader.bytes(start, end.size)?.ok_or_else(misplaced)?;
    let mut rest = &directory[..];
    let mut count: u64 = 0;
    while !rest.is_empty() {
        let record = if records.records.len() >= limit {
            Err(Fault::limits(format!("more than {limit} members; the rest was not looked at")))
        } else {
            record(rest, prepended).map_err(|error| {
                Fault::archive(format!("the central directory breaks off after {count} entries: {error}"))
            })
        };
        match record {
            Ok((record, length)) => {
                records.records.push(record);
                rest = rest.get(length..).unwrap_or_default();
                count = count.saturating_add(1);
            }
            Err(fault) => {
                records.cut = Some(fault);
                return Ok(records);
            }
        }
    }
    // Without zip64 the count has 16 bits; some writers let it wrap instead of writing zip64.
    records.miscounted = (end.entries != count && end.entries != count & 0xffff).then_some(end.entries);
    Ok(records)
}

/// One record at the beginning of these bytes, and its length.
fn record(bytes: &[u8], prepended: u64) -> Result<(Record, usize), String> {
    let truncated = || "it is truncated".to_owned();
    let fixed = bytes.get(..CENTRAL_SIZE).ok_or_else(truncated)?;
    if !fixed.starts_with(CENTRAL) {
        return Err("no record where one should begin".to_owned());
    }
    let short = |at: usize| u16_at(fixed, at).unwrap_or_default();
    let long = |at: usize| u32_at(fixed, at).unwrap_or_default();
    if short(6) > MAX_EXTRACT_VERSION {
        return Err(format!("an entry needs version {} of the format, which Python refuses", short(6)));
    }
    let mut at = CENTRAL_SIZE;
    let mut next = |length: u16| {
        let from = at;
        at = at.saturating_add(usize::from(length));
        bytes.get(from..at)
    };
    let name = next(short(28)).ok_or_else(truncated)?;
    let extra = next(short(30)).ok_or_else(truncated)?;
    next(short(32)).ok_or_else(truncated)?;
    let mut record = Record {
        name: name.to_owned(),
        unicode_path: None,
        flags: short(8),
        method: short(10),
        crc: long(16),
        compressed: long(20).into(),
        size: long(24).into(),
        offset: long(42).into(),
    };
    record.take_extra(extra)?;
    record.offset = record.offset.saturating_add(prepended);
    Ok((record, at))
}

impl Record {
    /// Takes over what the extra fields say: sizes that need 64 bits, and another spelling of the name.
    fn take_extra(&mut self, mut extra: &[u8]) -> Result<(), String> {
        while let (Some(kind), Some(length)) = (u16_at(extra, 0), u16_at(extra, 2)) {
            let end = usize::from(length).saturating_add(4);
            let field = extra.get(4..end).ok_or("an extra field is longer than all of them")?;
            match kind {
                0x0001 => self.take_zip64(field)?,
                0x7075 => self.unicode_path = Some(field.to_owned()),
                _ => {}
            }
            extra = extra.get(end..).unwrap_or_default();
        }
        Ok(())
    }

    fn take_zip64(&mut self, field: &[u8]) -> Result<(), String> {
        const SATURATED: u64 = u32::MAX as u64;
        let mut at = 0;
        let mut next = || {
            let number = u64_at(field, at).ok_or("a zip64 field lacks a number");
            at = at.saturating_add(8);
            number
        };
        if matches!(self.size, SATURATED | u64::MAX) {
            self.size = next()?;
        }
        if self.compressed == SATURATED {
            self.compressed = next()?;
        }
        if self.offset == SATURATED {
            self.offset = next()?;
        }
        Ok(())
    }
}

/// Finds the end record.
fn end(reader: &Reader) -> Result<End, Fault> {
    let missing = || {
        let starts_like_zip = reader.bytes(0, 2).is_ok_and(|head| head.as_deref() == Some(b"PK"));
        Fault::archive(if starts_like_zip {
            "truncated zip archive: it has no central directory"
        } else {
            "not a zip archive"
        })
    };
    let length = reader.len();
    let tail_start = length.saturating_sub(COMMENT_SIZE.saturating_add(END_SIZE as u64));
    let tail = reader.bytes(tail_start, length.saturating_sub(tail_start))?.ok_or_else(missing)?;
    let last = tail.len().checked_sub(END_SIZE).ok_or_else(missing)?;
    let is_bare = |at: usize| u16_at(&tail, at.saturating_add(20)) == Some(0);
    let found = tail.windows(END.len()).rposition(|window| window == END).ok_or_else(missing)?;
    let at = if tail.get(last..).is_some_and(|record| record.starts_with(END)) && is_bare(last) { last } else { found };
    let fixed = tail.get(at..at.saturating_add(END_SIZE)).ok_or_else(missing)?;
    // Another record whose comment ends where the file ends is what readers find that ask that of it.
    let fits = |at: usize| {
        let comment = u16_at(&tail, at.saturating_add(20)).map(usize::from);
        comment.is_some_and(|comment| at.saturating_add(END_SIZE).saturating_add(comment) == tail.len())
    };
    let mut before = tail.get(..at).unwrap_or_default();
    let mut own = fits(at);
    while let Some(other) = before.windows(END.len()).rposition(|window| window == END) {
        if fits(other) {
            return Err(Fault::archive("two end records in it: installers disagree about which directory counts"));
        }
        before = before.get(..other).unwrap_or_default();
    }
    // `zipfile` does not ask whether the comment ends with the file; most others do, and find nothing then.
    own |= at == last;
    let at = tail_start.saturating_add(at as u64);
    let short = |place: usize| u64::from(u16_at(fixed, place).unwrap_or_default());
    let long = |place: usize| u64::from(u32_at(fixed, place).unwrap_or_default());
    let plain = End { at, entries: short(10), size: long(12), offset: long(16) };
    if !own {
        return Err(Fault::archive("bytes after its end that are no comment: installers disagree about it"));
    }
    let disks = (short(4), short(6), short(8));
    match end64(reader, at)? {
        Some(wide) => {
            // `zipfile` always takes the wide record; others only for the numbers that did not fit.
            let same = |small: u64, saturated: u64, wide: u64| small == saturated || small == wide;
            if same(plain.entries, 0xffff, wide.entries)
                && same(plain.size, u32::MAX.into(), wide.size)
                && same(plain.offset, u32::MAX.into(), wide.offset)
            {
                Ok(wide)
            } else {
                Err(Fault::archive("its two end records disagree, and so do installers about its directory"))
            }
        }
        None if disks.0 != disks.1 => Err(Fault::archive("a part of an archive on several disks")),
        None => Ok(plain),
    }
}

/// The zip64 end record that belongs to the end record at `end`.
fn end64(reader: &Reader, end: u64) -> Result<Option<End>, Fault> {
    let broken = || Fault::archive("broken zip archive: its zip64 end record is not where it says");
    let Some(locator_at) = end.checked_sub(LOCATOR64_SIZE) else { return Ok(None) };
    let locator = reader.bytes(locator_at, LOCATOR64_SIZE)?.ok_or_else(broken)?;
    if !locator.starts_with(LOCATOR64) {
        return Ok(None);
    }
    if u32_at(&locator, 4) != Some(0) || u32_at(&locator, 16).is_none_or(|disks| disks > 1) {
        return Err(Fault::archive("a part of an archive on several disks"));
    }
    let stated = u64_at(&locator, 8).ok_or_else(broken)?;
    let adjacent = locator_at.checked_sub(END64_SIZE).ok_or_else(broken)?;
    if stated > adjacent {
        return Err(broken());
    }
    let mut at = stated;
    let mut record = reader.bytes(at, END64_SIZE)?.ok_or_else(broken)?;
    if !record.starts_with(END64) && stated != adjacent {
        at = adjacent;
        record = reader.bytes(at, END64_SIZE)?.ok_or_else(broken)?;
    }
    let number = |at: usize| u64_at(&record, at).unwrap_or_default();
    let (size, offset) = (number(40), number(48));
    let ends_at = offset.checked_add(size);
    let own_size = locator_at.checked_sub(at).and_then(|size| size.checked_sub(12));
    if !record.starts_with(END64) || ends_at != Some(stated) || own_size != Some(number(4)) {
        return Err(broken());
    }
    Ok(Some(End { at, entries: number(32), size, offset }))
}
