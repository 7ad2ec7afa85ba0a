//! The members of a tar, read from front to back as Python's `tarfile` does, since that is what pip unpacks source distributions with.
//!
//! Readers of tar differ in what a header's size means for a link, in which of two long names counts, and in what they take for a file.
//! CPython 3.14.7, `Lib/tarfile.py`: `TarInfo._frombuf`, `_proc_gnulong`, `_proc_pax`, `_proc_builtin`, `_apply_pax_info`. What that
//! silently takes for the end of the archive (a header that is damaged) is an error here.

use std::io::{self, Read};

const BLOCK: usize = 512;
/// Bytes of a header that only says something of the next one; real ones have a path or a few attributes.
const EXTENSION_BYTES: u64 = 1 << 20;
/// Such headers in front of one member.
const EXTENSIONS: usize = 16;

/// A member of the archive.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Bytes of data, which follow.
    pub(crate) size: u64,
}

/// What a member is unpacked as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    /// A file with holes, whose data is not its contents.
    Sparse,
    Folder,
    Link,
    /// A device or a pipe.
    Special,
}

/// A reader of members.
pub(crate) struct Tar<R> {
    reader: R,
    /// Bytes until the next header.
    left: u64,
    first: bool,
}

fn broken(error: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_owned())
}

/// What the extension headers in front of a member say of it. Of two that say the same, the first counts.
#[derive(Default)]
struct Overrides {
    name: Option<String>,
    size: Option<u64>,
    sparse: bool,
    any: bool,
}

impl<R: Read> Tar<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, left: 0, first: true }
    }

    /// The next member, whose data can then be read with [`Tar::data`]; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Member>> {
        self.skip()?;
        let mut overrides = Overrides::default();
        for _ in 0..EXTENSIONS {
            let Some(header) = self.header()? else {
                return if overrides.any { Err(broken("a header is missing after a long name")) } else { Ok(None) };
            };
            self.first = false;
            match header.kind {
                b'L' => {
                    // tarfile looks for the end of the name in the whole blocks, whatever size is stated (`_proc_gnulong`).
                    let text = self.extension(padded(header.size)?)?;
                    overrides.name.get_or_insert_with(|| text_of(&text));
                }
                b'K' => drop(self.extension(header.size)?),
                b'x' | b'X' => {
                    let text = self.extension(header.size)?;
                    overrides.take_pax(&text)?;
                }
                b'g' => {
                    let text = self.extension(header.size)?;
                    let mut global = Overrides::default();
                    global.take_pax(&text)?;
                    if global.name.is_some() || global.size.is_some() || global.sparse {
                        return Err(broken("a global header names or sizes the members, which is not read"));
                    }
                }
                _ => return self.member(header, overrides).map(Some),
            }
            overrides.any = true;
        }
        Err(io::Error::new(io::ErrorKind::FileTooLarge, "too many extension headers in front of a member"))
    }

    /// The data of the member that [`Tar::next`] gave last.
    pub(crate) fn data(&mut self, size: u64) -> io::Result<Vec<u8>> {
        let mut contents = Vec::new();
        let read = self.reader.by_ref().take(size).read_to_end(&mut contents)?;
        self.left = self.left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
        if u64::try_from(read).ok() == Some(size) { Ok(contents) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn member(&mut self, header: Header, overrides: Overrides) -> io::Result<Member> {
        let mut kind = match header.kind {
            b'1' | b'2' => Kind::Link,
            b'3' | b'4' | b'6' => Kind::Special,
            b'5' => Kind::Folder,
            // In the oldest format a folder is a file whose name ends so.
            0 if !overrides.any && header.name.ends_with('/') => Kind::Folder,
            b'S' => Kind::Sparse,
            // Everything else is unpacked as a file.
            _ => Kind::File,
        };
        if header.kind == b'S' {
            let mut more = header.more_sparse;
            while more {
                let mut block = [0; BLOCK];
                self.reader.read_exact(&mut block)?;
                more = block.get(504).is_some_and(|flag| *flag != 0);
            }
        }
        if overrides.sparse && kind == Kind::File {
            kind = Kind::Sparse;
        }
        let size = overrides.size.unwrap_or(header.size);
        // Links, folders and devices have no data, whatever size they state.
        let has_data = matches!(kind, Kind::File | Kind::Sparse);
        self.left = if has_data { padded(size)? } else { 0 };
        let name = overrides.name.unwrap_or(header.name);
        let name = name.trim_end_matches('/').to_owned();
        Ok(Member { name, kind, size: if has_data { size } else { 0 } })
    }

    /// Goes to the next header.
    fn skip(&mut self) -> io::Result<()> {
        let skipped = io::copy(&mut self.reader.by_ref().take(self.left), &mut io::sink())?;
        if skipped < self.left {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left = 0;
        Ok(())
    }

    /// The next header; `None` at the end, which is one of zeros or that of the file.
    fn header(&mut self) -> io::Result<Option<Header>> {
        let mut block = Vec::with_capacity(BLOCK);
        self.reader.by_ref().take(BLOCK as u64).read_to_end(&mut block)?;
        if block.is_empty() || block.len() == BLOCK && block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if block.len() < BLOCK {
            return Err(if self.first { broken("not a tar archive") } else { io::ErrorKind::UnexpectedEof.into() });
        }
        Header::parse(&block)
            .map(Some)
            .ok_or_else(|| broken(if self.first { "not a tar archive" } else { "a header that is damaged" }))
    }

    /// The data of a header that says something of the next one.
    fn extension(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > EXTENSION_BYTES {
            let error = format!("a header of {size} bytes, over the limit of {EXTENSION_BYTES}");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, error));
        }
        self.left = padded(size)?;
        let data = self.data(size)?;
        self.skip()?;
        Ok(data)
    }
}

/// A size in whole blocks.
fn padded(size: u64) -> io::Result<u64> {
    let block = BLOCK as u64;
    size.checked_next_multiple_of(block).filter(|size| *size < 1 << 62).ok_or_else(|| broken("a size that no file has"))
}

/// Text up to the first NUL, as `tarfile.nts`.
fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

/// A header of 512 bytes.
struct Header {
    name: String,
    kind: u8,
    size: u64,
    more_sparse: bool,
}

impl Header {
    fn parse(block: &[u8]) -> Option<Self> {
        let stated = number(block.get(148..156)?)?;
        let sum = |value: fn(u8) -> i64| -> i64 {
            let counted = |(at, byte): (usize, &u8)| if (148..156).contains(&at) { 32 } else { value(*byte) };
            block.iter().enumerate().map(counted).fold(0, i64::saturating_add)
        };
        let signed = |byte: u8| i64::from(i8::from_ne_bytes([byte]));
        let stated = i64::try_from(stated).ok()?;
        if stated != sum(i64::from) && stated != sum(signed) {
            return None;
        }
        let kind = *block.get(156)?;
        let (name, prefix) = (text_of(block.get(..100)?), text_of(block.get(345..500)?));
        let is_gnu = matches!(kind, b'L' | b'K' | b'S');
        let name = if prefix.is_empty() || is_gnu { name } else { format!("{prefix}/{name}") };
        let size = number(block.get(124..136)?)?;
        Some(Self { name, kind, size, more_sparse: block.get(482).is_some_and(|flag| *flag != 0) })
    }
}

/// A number in octal, or in base 256 with a mark in front, as `tarfile.nti`. `None` for one that is neither, or negative.
fn number(field: &[u8]) -> Option<u64> {
    let (first, rest) = field.split_first()?;
    match first {
        0x80 => rest.iter().try_fold(0u64, |all, byte| all.checked_mul(256)?.checked_add(u64::from(*byte))),
        0xff => None,
        _ => {
            let text = std::str::from_utf8(field.split(|byte| *byte == 0).next()?).ok()?.trim();
            if text.is_empty() { Some(0) } else { u64::from_str_radix(text, 8).ok() }
        }
    }
}

impl Overrides {
    /// Takes over the records of a PAX header: `LENGTH KEY=VALUE\n`.
    fn take_pax(&mut self, text: &[u8]) -> io::Result<()> {
        let invalid = || broken("a PAX header that is damaged");
        let (mut name, mut size) = (None, None);
        let mut rest = text;
        while rest.first().is_some_and(|byte| *byte != 0) {
            let digits = rest.iter().position(|byte| *byte == b' ').ok_or_else(invalid)?;
            let length = std::str::from_utf8(rest.get(..digits).unwrap_or_default()).ok();
            let length: usize = length.and_then(|text| text.parse().ok()).ok_or_else(invalid)?;
            let record = rest.get(digits.saturating_add(1)..length).ok_or_else(invalid)?;
            let record = record.strip_suffix(b"\n").ok_or_else(invalid)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(invalid)?;
            let (key, value) = record.split_at_checked(equals).ok_or_else(invalid)?;
            let value = String::from_utf8_lossy(value.get(1..).unwrap_or_default()).into_owned();
            // Within one header the last record of a key counts.
            match key {
                b"path" => name = Some(value),
                b"size" => size = Some(value.parse().map_err(|_| invalid())?),
                b"GNU.sparse.name" => {
                    name = Some(value);
                    self.sparse = true;
                }
                key if key.starts_with(b"GNU.sparse.") => self.sparse = true,
                _ => {}
            }
            rest = rest.get(length..).unwrap_or_default();
        }
        self.name = self.name.take().or(name);
        self.size = self.size.or(size);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with its checksum.
    fn header(name: &str, kind: u8, size: &str) -> Vec<u8> {
        let mut block = vec![0; BLOCK];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[124..124 + size.len()].copy_from_slice(size.as_bytes());
        block[156] = kind;
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        block
    }

    fn data(text: &[u8]) -> Vec<u8> {
        let mut padded = text.to_vec();
        padded.resize(text.len().next_multiple_of(BLOCK), 0);
        padded
    }

    fn list(archive: &[u8]) -> Result<Vec<(String, Kind, Vec<u8>)>, String> {
        let mut tar = Tar::new(archive);
        let mut found = Vec::new();
        while let Some(member) = tar.next().map_err(|error| error.to_string())? {
            let data = tar.data(member.size).map_err(|error| error.to_string())?;
            found.push((member.name, member.kind, data));
        }
        Ok(found)
    }

    #[test]
    fn the_first_of_several_names_counts() {
        let pax = b"12 path=pax\n10 size=0\n";
        let long = [header("", b'L', "4"), data(b"long")].concat();
        let extended = [header("", b'x', "26"), data(pax)].concat();
        let file = header("short", b'0', "0");
        let names = |parts: &[&[u8]]| list(&parts.concat()).map(|found| found[0].0.clone());
        assert_eq!(names(&[&long, &extended, &file]), Ok("long".to_owned()));
        assert_eq!(names(&[&extended, &long, &file]), Ok("pax".to_owned()));
        assert!(names(&[&long]).is_err() && names(&[&header("", b'g', "26"), &data(pax), &file]).is_err());
    }

    #[test]
    fn a_size_counts_for_files_only() {
        let archive =
            [header("link", b'1', "1000"), header("a", b'0', "3"), data(b"abc"), header("odd", b'Z', "1"), data(b"z")];
        assert_eq!(
            list(&archive.concat()),
            Ok(vec![
                ("link".to_owned(), Kind::Link, vec![]),
                ("a".to_owned(), Kind::File, b"abc".to_vec()),
                ("odd".to_owned(), Kind::File, b"z".to_vec()),
            ])
        );
    }

    #[test]
    fn sizes_have_limits() {
        for archive in [header("", b'L', "30000000000"), header("", b'x', "30000000000")] {
            assert!(list(&archive).unwrap_err().contains("over the limit"));
        }
        let mut huge = header("a", b'0', "");
        huge[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        assert!(list(&huge).is_err());
        let many = header("", b'K', "0").repeat(EXTENSIONS + 1);
        assert!(list(&many).unwrap_err().contains("too many"));
    }

    #[test]
    fn what_is_damaged_is_no_end() {
        let mut archive = [header("a", b'0', "0"), header("b", b'0', "0")].concat();
        assert_eq!(list(&archive).map(|found| found.len()), Ok(2));
        archive[BLOCK] = b'c';
        assert!(list(&archive).is_err());
        assert!(list(&archive[..BLOCK + 100]).is_err());
        assert_eq!(
            list(&[header("a", b'0', "0"), vec![0; BLOCK], b"rubbish".to_vec()].concat()).map(|it| it.len()),
            Ok(1)
        );
    }
}
