//! Zip archives, read in place from a memory map.
//!
//! The container's structure is `rawzip`'s business and inflating is libdeflate's. What is decided here is what to believe:
//! installers differ in whether they go by the central directory or by the local headers, so an entry on which the two disagree,
//! or whose name appears twice, is refused instead of guessed at.

use gilaudit_model::Stage;
use libdeflater::{Crc, DecompressionError, Decompressor};
use rawzip::{CompressionMethod, ZipArchive, ZipArchiveEntryWayfinder, ZipSliceArchive};

use crate::bytes::Bytes;
use crate::limits::Limits;

/// An open archive.
#[derive(Debug)]
pub(crate) struct Archive {
    zip: ZipSliceArchive<Bytes>,
}

/// One entry of the central directory.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The path as the central directory spells it.
    pub(crate) name: String,
    /// The declared inflated size.
    pub(crate) size: u64,
    compressed: u64,
    method: CompressionMethod,
    encrypted: bool,
    crc: u32,
    local_offset: u64,
    wayfinder: ZipArchiveEntryWayfinder,
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

    fn limits(error: impl Into<String>) -> Self {
        Self { stage: Stage::Limits, error: error.into() }
    }
}

/// The entries of an archive, and what is wrong with its directory as a whole.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    pub(crate) entries: Vec<Entry>,
    /// The listing is incomplete: entries are missing from it.
    pub(crate) cut: Option<Fault>,
    /// The directory's own count of its entries, where it is not the number that is there.
    pub(crate) miscounted: Option<u64>,
}

/// An oddity of where entries lie, with the names involved.
#[derive(Debug)]
pub(crate) enum Misplaced {
    /// Two entries share data.
    Shared(String, String),
    /// The central directory does not list this local entry.
    Unlisted(String),
}

impl Archive {
    /// Opens the archive in these bytes.
    pub(crate) fn open(bytes: Bytes) -> Result<Self, Fault> {
        if bytes.is_empty() {
            return Err(Fault::archive("the file is empty"));
        }
        let starts_like_zip = bytes.starts_with(b"PK");
        match ZipArchive::from_slice(bytes) {
            Ok(zip) => Ok(Self { zip }),
            Err(error) => Err(Fault::archive(match error.kind() {
                rawzip::ErrorKind::MissingEndOfCentralDirectory if starts_like_zip => {
                    "truncated zip archive: it has no central directory".to_owned()
                }
                rawzip::ErrorKind::MissingEndOfCentralDirectory => "not a zip archive".to_owned(),
                _ => format!("broken zip archive: {}", lower_first(&error.to_string())),
            })),
        }
    }

    /// Lists the entries, without folders, in the order of the central directory.
    pub(crate) fn directory(&self, limits: &Limits) -> Directory {
        let mut directory = Directory::default();
        let mut records = self.zip.entries();
        let mut count: u64 = 0;
        loop {
            let record = match records.next_entry() {
                Ok(Some(record)) => record,
                Ok(None) => break,
                Err(error) => {
                    let error = lower_first(&error.to_string());
                    let error = format!("the central directory breaks off after {count} entries: {error}");
                    directory.cut = Some(Fault::archive(error));
                    return directory;
                }
            };
            count = count.saturating_add(1);
            if directory.entries.len() >= limits.archive_members {
                let error = format!("more than {} members; the rest was not looked at", limits.archive_members);
                directory.cut = Some(Fault::limits(error));
                return directory;
            }
            if record.is_dir() {
                continue;
            }
            directory.entries.push(Entry {
                name: String::from_utf8_lossy(record.file_path().as_bytes()).into_owned(),
                size: record.uncompressed_size_hint(),
                compressed: record.compressed_size_hint(),
                method: record.compression_method(),
                encrypted: record.flags().is_encrypted() || record.flags().has_strong_encryption(),
                crc: record.crc32(),
                local_offset: record.local_header_offset(),
                wayfinder: record.wayfinder(),
            });
        }
        let hint = self.zip.entries_hint();
        // Without zip64 the count has 16 bits; some writers let it wrap instead of writing zip64.
        directory.miscounted = (hint != count && hint != count & 0xffff).then_some(hint);
        directory
    }

    /// The name that the entry's local header gives, when it is not the one in the central directory.
    pub(crate) fn other_name(&self, entry: &Entry) -> Option<String> {
        let local = self.zip.get_entry(entry.wayfinder).ok()?.local_header().file_path().as_bytes();
        let local = String::from_utf8_lossy(local);
        (local != entry.name).then(|| local.into_owned())
    }

    /// What lies wrong in the archive: entries that share data, and local entries that the directory does not list but that an
    /// installer which reads from front to back would see. In the order of the archive.
    pub(crate) fn misplaced(&self, entries: &[Entry]) -> Vec<Misplaced> {
        let mut ranges: Vec<(u64, u64, &Entry)> = Vec::with_capacity(entries.len());
        for entry in entries {
            if let Ok(found) = self.zip.get_entry(entry.wayfinder) {
                ranges.push((entry.local_offset, found.compressed_data_range().1, entry));
            }
        }
        ranges.sort_by_key(|(start, end, _)| (*start, *end));
        let mut misplaced = Vec::new();
        let mut before: Option<(u64, &Entry)> = None;
        for (start, end, entry) in ranges {
            match before {
                Some((end, first)) if end > start => {
                    misplaced.push(Misplaced::Shared(first.name.clone(), entry.name.clone()));
                }
                _ => misplaced.extend(self.unlisted(before.map_or(0, |(end, _)| end), start)),
            }
            before = before.filter(|(furthest, _)| *furthest > end).or(Some((end, entry)));
        }
        let end = before.map_or(0, |(end, _)| end);
        misplaced.extend(self.unlisted(end, self.zip.directory_offset()));
        misplaced
    }

    /// The name of a local entry that begins in a gap between listed ones: at once, or after a data descriptor.
    fn unlisted(&self, start: u64, end: u64) -> Option<Misplaced> {
        const DESCRIPTOR_SIZES: [usize; 5] = [0, 12, 16, 20, 24];
        const NAME_LENGTH: usize = 26;
        const NAME: usize = 30;
        let gap = self.zip.get_ref().get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)?;
        let headers = DESCRIPTOR_SIZES.iter().filter_map(|size| gap.get(*size..));
        let header = headers.into_iter().find(|bytes| bytes.starts_with(b"PK\x03\x04"))?;
        let length = header.get(NAME_LENGTH..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))?;
        let name = header.get(NAME..)?.get(..usize::from(length))?;
        // Folders are left out of the listing, so they are expected here.
        (!name.ends_with(b"/")).then(|| Misplaced::Unlisted(String::from_utf8_lossy(name).into_owned()))
    }

    /// Inflates one entry in memory and verifies its length and checksum.
    pub(crate) fn read(&self, entry: &Entry, limits: &Limits) -> Result<Bytes, Fault> {
        if entry.encrypted {
            return Err(Fault::archive("encrypted"));
        }
        if entry.size > limits.member_bytes {
            let error = format!("declares {} bytes, over the limit of {}", entry.size, limits.member_bytes);
            return Err(Fault::limits(error));
        }
        check_ratio(entry, limits)?;
        let found = self.zip.get_entry(entry.wayfinder).map_err(|error| match error.kind() {
            rawzip::ErrorKind::Eof => Fault::archive("truncated: its data reaches beyond the end of the archive"),
            _ => {
                Fault::archive(format!("no local header where the directory says: {}", lower_first(&error.to_string())))
            }
        })?;
        let header = found.local_header();
        if header.file_path().as_bytes() != entry.name.as_bytes() {
            let local = String::from_utf8_lossy(header.file_path().as_bytes()).into_owned();
            // A name that is not Unicode was replaced in the listing and so differs here: it is refused all the same.
            return Err(Fault::archive(format!("its local header calls it '{}'", local.escape_debug())));
        }
        if header.compression_method() != entry.method {
            return Err(Fault::archive("local header and central directory disagree about the compression method"));
        }
        let bytes = match entry.method {
            CompressionMethod::STORE => self.stored(entry, found.compressed_data_range())?,
            CompressionMethod::DEFLATE => inflate(found.data(), entry.size)?,
            method => return Err(Fault::archive(format!("compression method {} is not supported", method.as_u16()))),
        };
        let mut crc = Crc::new();
        crc.update(&bytes);
        if crc.sum() == entry.crc {
            Ok(bytes)
        } else {
            Err(Fault::archive("the checksum does not match: the archive is damaged"))
        }
    }

    /// The data of an entry that is not compressed, without a copy.
    fn stored(&self, entry: &Entry, (start, end): (u64, u64)) -> Result<Bytes, Fault> {
        if entry.size != entry.compressed {
            return Err(Fault::archive(format!("stored in {} bytes but declares {}", entry.compressed, entry.size)));
        }
        let part = || {
            let len = usize::try_from(end.checked_sub(start)?).ok()?;
            self.zip.get_ref().part(usize::try_from(start).ok()?, len)
        };
        part().ok_or_else(|| Fault::archive("truncated: its data reaches beyond the end of the archive"))
    }
}

fn check_ratio(entry: &Entry, limits: &Limits) -> Result<(), Fault> {
    const ALWAYS_FINE: u64 = 16 << 20;
    if entry.size > ALWAYS_FINE && entry.size > entry.compressed.saturating_mul(limits.ratio) {
        let error = format!(
            "declares {} bytes in {} compressed ones, over the ratio limit of {}",
            entry.size, entry.compressed, limits.ratio
        );
        return Err(Fault::limits(error));
    }
    Ok(())
}

/// Inflates into a buffer of exactly the declared size, which is within the limits by now.
fn inflate(data: &[u8], size: u64) -> Result<Bytes, Fault> {
    // The most that deflate can do is 258 bytes from two bits. Checked before the memory is asked for.
    const DEFLATE_RATIO: usize = 1032;
    if size > u64::try_from(data.len().saturating_mul(DEFLATE_RATIO)).unwrap_or(u64::MAX) {
        let error = format!("declares {size} bytes, more than its {} compressed ones can hold", data.len());
        return Err(Fault::archive(error));
    }
    let no_memory = || Fault::limits(format!("no memory for its {size} bytes"));
    let size_here = usize::try_from(size).map_err(|_| no_memory())?;
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(size_here).map_err(|_| no_memory())?;
    buffer.resize(size_here, 0);
    match Decompressor::new().deflate_decompress(data, &mut buffer) {
        Ok(length) if length == size_here => Ok(Bytes::from(buffer)),
        Ok(length) => Err(Fault::archive(format!("declares {size} bytes but inflates to {length}"))),
        Err(DecompressionError::InsufficientSpace) => {
            Err(Fault::archive(format!("declares {size} bytes but inflates to more")))
        }
        Err(DecompressionError::BadData) => Err(Fault::archive("its compressed data is damaged")),
    }
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}
