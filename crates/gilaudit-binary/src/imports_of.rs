//! Which modules an extension's own code may import, by the names that are in the file.
//!
//! Code imports by name: `PyImport_ImportModule("numpy._core.multiarray")`, `py::module_::import`, Cython's statements. Which of the
//! names in a file reach such a call, and when, would need every function to be evaluated. But a module that is not named cannot be
//! imported, unless code puts its name together. So this gives the known module names that a file mentions: an upper bound.
//!
//! Names stand in the file's data as words. Cython keeps its own strings without anything between them, and packs them: 3.1 not at
//! all, 3.2 by zlib, 3.3 by an LZSS of its own (`Cython/Utility/StringTools.c`).

use std::collections::{BTreeSet, HashSet};

use aho_corasick::AhoCorasick;
use gilaudit_model::Format;
use memchr::memmem;

use crate::image;
use crate::sniff;

/// The module names that are looked for.
#[derive(Debug)]
pub struct ModuleNames {
    names: Vec<String>,
    words: HashSet<String>,
    /// For text without separators.
    inside: Option<AhoCorasick>,
}

/// The longest table of strings that is unpacked.
const LONGEST_TABLE: usize = 4 << 20;

/// The shortest text that counts as a table of strings. Cython's own names alone are longer.
const SHORTEST_TABLE: usize = 96;

impl ModuleNames {
    /// Prepares to look for these names. A name is a dotted module name, or the last part of one, for relative imports.
    pub fn new(names: BTreeSet<String>) -> Self {
        let names: Vec<String> = names.into_iter().filter(|name| name.len() > 1).collect();
        let words = names.iter().cloned().collect();
        // Should there be too many for it, the tables count as not read.
        let inside = AhoCorasick::new(&names).ok();
        Self { names, words, inside }
    }
}

/// The known names that a compiled file mentions outside its code, sorted; the error says what of it could not be read.
pub fn imports_of(bytes: &[u8], known: &ModuleNames) -> Result<Vec<String>, String> {
    let image = match sniff(bytes) {
        Some(Format::Elf) => image::open_elf(bytes)?,
        Some(Format::MachO) => image::open_macho(bytes)?,
        Some(Format::Pe) => image::open_pe(bytes)?,
        _ => return Err("neither an ELF, a Mach-O nor a PE file".to_owned()),
    };
    let mut found = BTreeSet::new();
    let mut tables = Vec::new();
    let packed = packs_strings(bytes);
    for segment in image.segments.iter().filter(|segment| !segment.executable) {
        words(segment.data, known, &mut found);
        if packed {
            tables.extend(unpacked(segment.data));
        }
    }
    if packed {
        let Some(inside) = known.inside.as_ref().filter(|_| !tables.is_empty()) else {
            return Err("Cython's table of strings could not be read".to_owned());
        };
        for table in tables {
            let names = inside.find_overlapping_iter(&table).filter_map(|hit| known.names.get(hit.pattern().as_usize()));
            found.extend(names.cloned());
        }
    }
    Ok(found.into_iter().collect())
}

/// Whether Cython 3.2 or later made the file: `_cython_3_2_9` is the name of a module that it registers its types in.
fn packs_strings(bytes: &[u8]) -> bool {
    let mark = b"_cython_3_";
    let minor = |at: usize| bytes.get(at + mark.len()..).and_then(|rest| rest.first()).copied();
    memmem::find_iter(bytes, mark).filter_map(minor).any(|minor| minor.is_ascii_digit() && minor >= b'2')
}

fn words(data: &[u8], known: &ModuleNames, found: &mut BTreeSet<String>) {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    for word in data.split(|byte| !is_word(byte)) {
        if (2..=200).contains(&word.len())
            && let Ok(word) = std::str::from_utf8(word)
        {
            let word = word.trim_matches('.');
            if known.words.contains(word) && !found.contains(word) {
                found.insert(word.to_owned());
            }
        }
    }
}

/// Every table of strings in a segment.
fn unpacked(data: &[u8]) -> Vec<Vec<u8>> {
    let mut tables = Vec::new();
    let mut at = 0;
    while let Some(offset) = data.get(at..).and_then(|rest| rest.iter().position(|byte| *byte != 0)) {
        let start = at + offset;
        let rest = data.get(start..).unwrap_or_default();
        // A literal begins after the end of another one, or where the compiler aligned it.
        let by_zlib = matches!(rest, [b'x', 0x9c | 0xda | 0x01 | 0x5e, ..]).then(|| inflate(rest)).flatten();
        if let Some(table) = by_zlib.or_else(|| lzss(rest)) {
            tables.push(table);
        }
        at = start + rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
    }
    tables
}

fn inflate(packed: &[u8]) -> Option<Vec<u8>> {
    let text = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(packed, LONGEST_TABLE).ok()?;
    (text.len() >= SHORTEST_TABLE).then_some(text)
}

/// Unpacks Cython's LZSS as far as it gives text. A flag byte, low bit first, says for each of eight items whether it is a byte or a
/// copy; a copy has 2 or 3 bytes of distance (from the copy's end) and length.
fn lzss(packed: &[u8]) -> Option<Vec<u8>> {
    let mut input = packed.iter().copied();
    let mut text: Vec<u8> = Vec::new();
    'items: while text.len() < LONGEST_TABLE {
        let Some(flags) = input.next() else { break };
        for bit in 0..8 {
            if flags & (1 << bit) != 0 {
                match input.next() {
                    Some(byte) if is_text(byte) => text.push(byte),
                    _ => break 'items,
                }
                continue;
            }
            let (Some(low), Some(high)) = (input.next(), input.next()) else { break 'items };
            let (l, h) = (usize::from(low), usize::from(high));
            let (distance, length) = match (low & 0x80, high & 0x80) {
                (0, _) => (l, h),
                (_, 0) => (0x80 + (((h << 2) & 0x180) | (l & 0x7f)), h & 0x1f),
                _ => match input.next() {
                    Some(length) => (0x80 + (((h & 0x7f) << 7) | (l & 0x7f)), usize::from(length)),
                    None => break 'items,
                },
            };
            let length = length + 3;
            let Some(from) = text.len().checked_sub(distance + length) else { break 'items };
            text.extend_from_within(from..from + length);
        }
    }
    (text.len() >= SHORTEST_TABLE).then_some(text)
}

fn is_text(byte: u8) -> bool {
    byte >= b' ' || matches!(byte, b'\n' | b'\t' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> ModuleNames {
        ModuleNames::new(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn words_are_whole() {
        let mut found = BTreeSet::new();
        let data = b"numpy.core\0import lmdb\0lmdbx\0xlmdb\0(cftime)\0..rel\0";
        words(data, &names(&["numpy", "numpy.core", "lmdb", "cftime", "rel", "x"]), &mut found);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["cftime", "lmdb", "numpy.core", "rel"]);
    }

    #[test]
    fn tables_are_unpacked() {
        let text: String = ["numpy.core", "cline_in_traceback", "lmdb", "asyncio.coroutines"].repeat(4).concat();
        let mut packed = vec![0, 0];
        packed.extend(miniz_oxide::deflate::compress_to_vec_zlib(text.as_bytes(), 6));
        packed.extend([0, 1, 2]);
        assert_eq!(unpacked(&packed).first().map(Vec::as_slice), Some(text.as_bytes()));

        // Sixteen bytes, then a copy of the last three, far copies of both kinds, and the end.
        let mut packed = vec![0xff];
        packed.extend(b"abcdefgh");
        packed.push(0xff);
        packed.extend(b"ijklmnop");
        packed.extend([0b0000, 0, 0, 0, 13, 0, 29, 0, 61]);
        packed.extend([0x80, 0x00]);
        let text = lzss(&packed).unwrap();
        assert!(text.len() >= SHORTEST_TABLE && text.starts_with(b"abcdefghijklmnopnop"));
        for rubbish in [&b""[..], b"\xff", b"\x00\x00", b"\x01abcdef", &[0xff; 64], &[0; 64]] {
            lzss(rubbish);
            unpacked(rubbish);
        }
    }

    #[test]
    fn what_is_no_object_file() {
        assert!(imports_of(b"", &names(&[])).is_err() && imports_of(b"\x7fELF", &names(&[])).is_err());
    }
}
