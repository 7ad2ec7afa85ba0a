//! The names of a zip entry: what Python's `zipfile` makes of it, and what others may.
//!
//! An entry has its name up to four times: in the central directory and in its local header, and for each in an extra field for
//! Unicode. Installers differ in which they take and where they end it. `zipfile` takes the central one, of an extra field that fits it
//! instead, and ends it at the first NUL.

use std::collections::BTreeSet;

use libdeflater::Crc;

/// The flag of a name in UTF-8.
const UTF8: u16 = 0x800;

/// The upper half of code page 437, which names are in that are not marked as UTF-8.
const CP437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// A name as it is written in one of the two headers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) flags: u16,
    pub(crate) unicode_path: Option<&'a [u8]>,
}

/// What is wrong with a name, so that Python refuses the archive.
pub(crate) const NOT_UTF8: &str = "a name that is not the UTF-8 that it is marked as: Python refuses the archive";

impl Written<'_> {
    /// The name as `zipfile` decodes it, before anything else is done to it.
    pub(crate) fn decoded(&self) -> Option<String> {
        if self.flags & UTF8 != 0 {
            return std::str::from_utf8(self.name).ok().map(str::to_owned);
        }
        Some(cp437(self.name))
    }

    /// The name that `zipfile` gives the entry: the decoded one, or that of the extra field, up to the first NUL. An extra field that
    /// fits the name but is broken makes it refuse the archive.
    pub(crate) fn of_python(&self) -> Result<String, &'static str> {
        let plain = self.decoded().ok_or(NOT_UTF8)?;
        let name = match self.unicode_path.map(|field| unicode(field, self.name)) {
            None | Some(Unicode::OfAnother) => plain,
            Some(Unicode::Broken) => {
                return Err("a broken Unicode name (extra field 0x7075): Python refuses the archive");
            }
            Some(Unicode::Name("")) => plain,
            Some(Unicode::Name(name)) => name.to_owned(),
        };
        Ok(until_nul(&name).to_owned())
    }

    /// Every way in which an installer may spell it.
    fn spellings(&self, into: &mut BTreeSet<String>) {
        into.insert(cp437_unless(self.flags & UTF8 != 0, self.name));
        into.insert(String::from_utf8_lossy(self.name).into_owned());
        if let Some(name) = self.unicode_path.and_then(|field| field.get(5..)).filter(|name| !name.is_empty()) {
            into.insert(String::from_utf8_lossy(name).into_owned());
        }
    }
}

fn cp437_unless(is_utf8: bool, name: &[u8]) -> String {
    if is_utf8 { String::from_utf8_lossy(name).into_owned() } else { cp437(name) }
}

fn cp437(name: &[u8]) -> String {
    if name.is_ascii() {
        return String::from_utf8_lossy(name).into_owned();
    }
    let upper: Vec<char> = CP437.chars().collect();
    let letter = |byte: &u8| match byte.checked_sub(0x80) {
        None => char::from(*byte),
        Some(index) => upper.get(usize::from(index)).copied().unwrap_or(char::REPLACEMENT_CHARACTER),
    };
    name.iter().map(letter).collect()
}

fn until_nul(name: &str) -> &str {
    name.split('\0').next().unwrap_or_default()
}

enum Unicode<'a> {
    Name(&'a str),
    /// Of another version, or made for another name: what it says does not count.
    OfAnother,
    Broken,
}

/// What the extra field 0x7075 says of a name, `ZipInfo._decodeExtra`.
fn unicode<'a>(field: &'a [u8], name: &[u8]) -> Unicode<'a> {
    let (Some(version), Some(checksum)) = (field.first(), field.get(1..5)) else { return Unicode::Broken };
    let mut crc = Crc::new();
    crc.update(name);
    if *version != 1 || checksum != crc.sum().to_le_bytes() {
        return Unicode::OfAnother;
    }
    std::str::from_utf8(field.get(5..).unwrap_or_default()).map_or(Unicode::Broken, Unicode::Name)
}

/// The spellings of an entry besides `name`, the one that Python installs it by.
pub(crate) fn other_spellings(name: &str, headers: &[Written<'_>]) -> Vec<String> {
    // The ordinary case, without a set: every header has the same plain bytes.
    let plain = |header: &Written<'_>| {
        header.unicode_path.is_none()
            && header.name == name.as_bytes()
            && (header.flags & UTF8 != 0 || header.name.is_ascii())
    };
    if headers.iter().all(plain) {
        return Vec::new();
    }
    let mut spellings = BTreeSet::new();
    for header in headers {
        header.spellings(&mut spellings);
    }
    spellings.remove(name);
    spellings.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(version: u8, of: &[u8], name: &[u8]) -> Vec<u8> {
        let mut crc = Crc::new();
        crc.update(of);
        [&[version], &crc.sum().to_le_bytes()[..], name].concat()
    }

    #[test]
    fn names_as_zipfile_has_them() {
        let of =
            |name: &[u8], flags: u16, extra: Option<&[u8]>| Written { name, flags, unicode_path: extra }.of_python();
        assert_eq!(of(b"a.so", 0, None), Ok("a.so".to_owned()));
        assert_eq!(of(b"a.so\0.txt", 0, None), Ok("a.so".to_owned()));
        assert_eq!(of(b"\x81.so", 0, None), Ok("ü.so".to_owned()));
        assert_eq!(of("ü.so".as_bytes(), UTF8, None), Ok("ü.so".to_owned()));
        assert!(of(b"\x81.so", UTF8, None).is_err());
        assert_eq!(of(b"q.txt", 0, Some(&field(1, b"q.txt", b"a.so\0x"))), Ok("a.so".to_owned()));
        assert_eq!(of(b"q.txt", 0, Some(&field(2, b"q.txt", b"a.so"))), Ok("q.txt".to_owned()));
        assert_eq!(of(b"q.txt", 0, Some(&field(1, b"r.txt", b"a.so"))), Ok("q.txt".to_owned()));
        assert_eq!(of(b"q.txt", 0, Some(&field(1, b"q.txt", b""))), Ok("q.txt".to_owned()));
        assert!(of(b"q.txt", 0, Some(&field(1, b"q.txt", b"\xff"))).is_err());
        assert!(of(b"q.txt", 0, Some(&[1, 2])).is_err());
    }

    #[test]
    fn every_other_spelling_counts() {
        let other = |name: &str, headers: &[Written<'_>]| other_spellings(name, headers);
        let plain = |name| Written { name, flags: 0, unicode_path: None };
        assert!(other("a.so", &[plain(b"a.so"), plain(b"a.so")]).is_empty());
        assert_eq!(other("a.so", &[plain(b"a.so"), plain(b"b.so")]), ["b.so"]);
        assert_eq!(other("a.so", &[plain(b"a.so\0.txt")]), ["a.so\0.txt"]);
        let for_another = field(1, b"other", b"evil.so");
        assert_eq!(other("q", &[Written { unicode_path: Some(&for_another), ..plain(b"q") }]), ["evil.so"]);
        assert_eq!(other("Ã¼", &[Written { flags: UTF8, ..plain("Ã¼".as_bytes()) }]), [""; 0]);
        assert_eq!(CP437.chars().count(), 128);
    }
}
