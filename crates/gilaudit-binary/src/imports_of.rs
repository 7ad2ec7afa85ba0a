//! Which modules an extension's own code may import, by the names that are in the file.
//!
//! Code imports by name: `PyImport_ImportModule("numpy._core.multiarray")`, `py::module_::import`, Cython's statements. Which of the
//! names in a file reach such a call, and when, would need every function to be evaluated. But a module that is not named cannot be
//! imported, unless code puts its name together. So this gives the known module names that a file mentions: an upper bound.
//!
//! C and C++ pass names as C strings of their own. Other tools keep text without anything that ends it: Rust, and Cython from 3.2
//! on, which also packs it (3.2 by zlib, 3.3 by an LZSS of its own, `Cython/Utility/StringTools.c`).

use std::collections::{BTreeSet, HashSet};

use gilaudit_model::Format;
use memchr::memmem;

use crate::data::Data;
use crate::image::{self, Segment};
use crate::sniff;

/// The module names that are looked for.
#[derive(Debug)]
pub struct ModuleNames {
    words: HashSet<String>,
}

/// The longest table of strings that is unpacked.
const LONGEST_TABLE: usize = 4 << 20;

/// The shortest text that counts as a table of strings. Cython's own names alone are longer.
const SHORTEST_TABLE: usize = 32;

impl ModuleNames {
    /// Prepares to look for these names. A name is a dotted module name, or the last part of one, for relative imports.
    pub fn new(names: BTreeSet<String>) -> Self {
        Self { words: names.into_iter().filter(|name| name.len() > 1).collect() }
    }
}

/// The known module names that a compiled file mentions outside its code, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mentioned {
    /// C strings that are just this name.
    pub exactly: Vec<String>,
    /// Names that stand in longer text, and may be a part of a longer word there.
    pub within: Vec<String>,
    /// Tables of strings without the lengths that would split them: what is imported by a name is a part of one of these.
    pub unsplit: Vec<Vec<u8>>,
}

/// The known names that a compiled file mentions; the error says what of it could not be read.
pub fn imports_of<'data>(data: impl Into<Data<'data>>, known: &ModuleNames) -> Result<Mentioned, String> {
    let data = data.into();
    let bytes = data.whole();
    let image = match sniff(bytes) {
        Some(Format::Elf) => image::open_elf(data)?,
        Some(Format::MachO) => image::open_macho(data)?,
        Some(Format::Pe) => image::open_pe(data)?,
        _ => return Err("neither an ELF, a Mach-O nor a PE file".to_owned()),
    };
    let (mut found, mut within) = (BTreeSet::new(), BTreeSet::new());
    let mut tables = Vec::new();
    let packed = packs_strings(bytes);
    let runs_text = runs_text(bytes);
    let is_rust = memmem::find(bytes, b"/rustc/").is_some();
    // Linkers of old, and those told not to separate code, put constants beside it.
    let separate = image.segments.iter().any(|segment| !segment.executable && !segment.writable);
    let has_text = |segment: &&Segment<'_>| !segment.executable || !separate;
    for segment in image.segments.iter().filter(has_text) {
        texts(segment.data.whole(), known, &mut found);
        if runs_text {
            statements(segment.data.whole(), known, &mut found);
        }
        if is_rust {
            words(segment.data.whole(), known, &mut within);
        }
        if packed {
            tables.extend(unpacked(segment.data.whole()));
        }
    }
    if packed {
        let segments = || image.segments.iter().filter(has_text);
        let mut split = false;
        for table in &tables {
            for strings in segments().filter_map(|segment| strings(table, segment.data.whole())) {
                split = true;
                strings.into_iter().for_each(|text| exact(text, known, &mut found));
            }
        }
        if tables.is_empty() {
            return Err("Cython's table of strings could not be read".to_owned());
        }
        if split {
            tables.clear();
        }
    }
    let (exactly, within) = (found.into_iter().collect(), within.into_iter().collect());
    Ok(Mentioned { exactly, within, unsplit: tables })
}

/// Whether Cython 3.2 or later made the file: `_cython_3_2_9` is the name of a module that it registers its types in.
fn packs_strings(bytes: &[u8]) -> bool {
    let mark = b"_cython_3_";
    let minor = |at: usize| bytes.get(at + mark.len()..).and_then(|rest| rest.first()).copied();
    memmem::find_iter(bytes, mark).filter_map(minor).any(|minor| minor.is_ascii_digit() && minor >= b'2')
}

/// C strings that are a known name.
fn texts(data: &[u8], known: &ModuleNames, found: &mut BTreeSet<String>) {
    data.split(|byte| *byte == 0).for_each(|text| exact(text, known, found));
}

/// Names in statements that a file has as text and may run: `PyRun_SimpleString("import x")`. Examples in docstrings are not meant.
fn statements(data: &[u8], known: &ModuleNames, found: &mut BTreeSet<String>) {
    for text in data.split(|byte| *byte == 0) {
        let is_code = text.len() > 8
            && memmem::find(text, b"import ").is_some()
            && memmem::find(text, b">>>").is_none()
            && std::str::from_utf8(text).is_ok();
        if is_code {
            words(text.get(..text.len().min(LONGEST_CODE)).unwrap_or_default(), known, found);
        }
    }
}

/// Whether a file runs text as Python.
fn runs_text(bytes: &[u8]) -> bool {
    [&b"PyRun_SimpleString"[..], b"PyRun_String", b"PyRun_AnyFile", b"Py_CompileString"]
        .iter()
        .any(|name| memmem::find(bytes, name).is_some())
}

/// The names of functions that a compiled file may call by name: C strings that are identifiers.
///
/// Only files that call by name at all have any: `PyObject_CallMethod`, `PyObject_GetAttrString` and their kin.
pub fn called_names<'data>(data: impl Into<Data<'data>>) -> BTreeSet<String> {
    let data = data.into();
    let mut found = BTreeSet::new();
    let image = match sniff(data.window(0)) {
        Some(Format::Elf) => image::open_elf(data),
        Some(Format::MachO) => image::open_macho(data),
        Some(Format::Pe) => image::open_pe(data),
        _ => return found,
    };
    let Ok(image) = image else { return found };
    let separate = image.segments.iter().any(|segment| !segment.executable && !segment.writable);
    for segment in image.segments.iter().filter(|segment| !segment.executable || !separate) {
        for text in segment.data.whole().split(|byte| *byte == 0) {
            let is_name = (2..=64).contains(&text.len())
                && text.iter().all(|byte| *byte == b'_' || byte.is_ascii_alphanumeric())
                && !text.first().is_some_and(u8::is_ascii_digit)
                && !text.starts_with(b"Py")
                && !text.starts_with(b"_");
            if is_name && found.len() < MOST_CALLED {
                found.extend(std::str::from_utf8(text).map(str::to_owned));
            }
        }
    }
    found
}

/// The names that one file may call by which are kept.
const MOST_CALLED: usize = 20_000;

/// The part of a text that is looked at for statements.
const LONGEST_CODE: usize = 64 << 10;

/// One text, if it is a known name.
fn exact(text: &[u8], known: &ModuleNames, found: &mut BTreeSet<String>) {
    if (2..=200).contains(&text.len())
        && let Ok(text) = std::str::from_utf8(text)
        && let text = text.trim_start_matches('.')
        && known.words.contains(text)
        && !found.contains(text)
    {
        found.insert(text.to_owned());
    }
}

/// Names that Cython puts into the table of nearly every module.
const MARKS: [&[u8]; 6] =
    [b"__test__", b"__main__", b"__name__", b"__qualname__", b"asyncio.coroutines", b"cline_in_traceback"];

/// How much of a table after a name is looked at.
const AFTER: usize = 64;

/// How much of a string Cython names its C variable by: Cython 3.2.9 `Cython/Compiler/Code.py`, `new_const_cname`.
const NAMED_BY: usize = 32;

/// Whether a table of strings without their lengths may have this module name as one of its strings.
///
/// Cython puts identifiers together and sorts them, by their text from 3.3 on (3.3.1 `Cython/Compiler/Code.py`,
/// `generate_pystring_constants`), before that by the C variable (3.2.9, `generate_string_constants`). So what follows an identifier
/// does not come before it, unless that is the last one. A dotted name may be anywhere.
pub fn may_be_in_table(table: &[u8], name: &str) -> bool {
    let is_dotted = name.contains('.');
    let own = variable(name.trim_end_matches('_').as_bytes());
    memmem::find_iter(table, name).any(|at| {
        let rest = table.get(at + name.len()..).unwrap_or_default();
        let next = rest.get(..rest.len().min(AFTER)).unwrap_or_default();
        let is_last = next.len() < AFTER || !next.iter().all(|byte| is_word(*byte));
        is_dotted || is_last || next >= name.as_bytes() || variable(next) >= own
    })
}

/// The part of a C variable's name that is made of a string: without underscores in front, dots as underscores.
fn variable(text: &[u8]) -> Vec<u8> {
    let mut variable: Vec<u8> = text.iter().map(|byte| if *byte == b'.' { b'_' } else { *byte }).collect();
    variable.truncate(NAMED_BY);
    variable.into_iter().skip_while(|byte| *byte == b'_').collect()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')
}

/// The strings of a table, whose lengths are an array of 32-bit numbers elsewhere in the data: the one by which the names that are
/// always there come out whole.
fn strings<'t>(table: &'t [u8], data: &[u8]) -> Option<Vec<&'t [u8]>> {
    // For every mark that is in the table, the places where it begins.
    let marks: Vec<(usize, Vec<usize>)> = MARKS
        .iter()
        .map(|mark| (mark.len(), memmem::find_iter(table, mark).collect::<Vec<_>>()))
        .filter(|(_, places)| !places.is_empty())
        .collect();
    if marks.len() < 2 {
        return None;
    }
    let numbers: Vec<usize> = data
        .chunks_exact(4)
        .map(|four| four.iter().rev().fold(0_usize, |number, byte| number << 8 | usize::from(*byte)))
        .collect();
    let mut ends: Vec<usize> = Vec::new();
    for start in 0..numbers.len() {
        ends.clear();
        ends.push(0);
        let mut end = 0_usize;
        for length in numbers.get(start..).unwrap_or_default() {
            end += length;
            if *length == 0 || end > table.len() {
                break;
            }
            ends.push(end);
        }
        if ends.len() < 9 {
            continue;
        }
        let is_end = |place: usize| ends.binary_search(&place).is_ok();
        let whole = marks
            .iter()
            .filter(|(length, places)| places.iter().any(|place| is_end(*place) && is_end(*place + *length)))
            .count();
        if whole >= 2 && whole + 1 >= marks.len() {
            let pairs = ends.windows(2).filter_map(|pair| table.get(*pair.first()?..*pair.get(1)?));
            return Some(pairs.collect());
        }
    }
    None
}

fn words(data: &[u8], known: &ModuleNames, found: &mut BTreeSet<String>) {
    for word in data.split(|byte| !is_word(*byte)) {
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
    let mut left = 4 * LONGEST_TABLE;
    // A stream of zlib shows itself by its first two bytes.
    for at in memchr::memchr_iter(b'x', data) {
        let rest = data.get(at..).unwrap_or_default();
        if left > 0
            && matches!(rest, [b'x', 0x9c | 0xda | 0x01 | 0x5e, ..])
            && let Some(table) = inflate(rest)
        {
            left = left.saturating_sub(table.len());
            tables.extend(Some(table).filter(|table| is_table(table)));
        }
    }
    // Any other literal begins after the end of another one.
    let mut at = 0;
    while left > 0
        && let Some(offset) = data.get(at..).and_then(|rest| rest.iter().position(|byte| *byte != 0))
    {
        let rest = data.get(at + offset..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
        if let Some(table) = lzss(rest) {
            left = left.saturating_sub(table.len());
            tables.extend(Some(table).filter(|table| is_table(table)));
        }
        tables.extend(rest.get(..end).filter(|text| is_table(text)).map(<[u8]>::to_vec));
        at += offset + end;
    }
    tables
}

/// Whether a text has names that the table of every module has; one that is too short to be worth packing stands as it is.
fn is_table(text: &[u8]) -> bool {
    text.len() >= SHORTEST_TABLE && MARKS.iter().filter(|mark| memmem::find(text, mark).is_some()).count() >= 2
}

fn inflate(packed: &[u8]) -> Option<Vec<u8>> {
    let text = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(packed, LONGEST_TABLE).ok()?;
    Some(text)
}

/// Unpacks Cython's LZSS until it makes no sense: where it ends is not in the data. A flag byte, low bit first, says for each of eight items whether it is a byte or a
/// copy; a copy has 2 or 3 bytes of distance (from the copy's end) and length.
fn lzss(packed: &[u8]) -> Option<Vec<u8>> {
    let mut input = packed.iter().copied();
    let mut text: Vec<u8> = Vec::new();
    'items: while text.len() < LONGEST_TABLE {
        let Some(flags) = input.next() else { break };
        for bit in 0..8 {
            if flags & (1 << bit) != 0 {
                match input.next() {
                    Some(byte) => text.push(byte),
                    None => break 'items,
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
        let strings = ["numpy.core", "__name__", "lmdb", "asyncio.coroutines", "a", "b", "c", "x", "__test__"];
        let text = strings.concat();
        let mut packed = vec![0, 0];
        packed.extend(miniz_oxide::deflate::compress_to_vec_zlib(text.as_bytes(), 6));
        packed.extend([0, 1, 2]);
        assert_eq!(unpacked(&packed).first().map(Vec::as_slice), Some(text.as_bytes()));
        let lengths = [7, 7, 7].into_iter().chain(strings.iter().map(|text| text.len() as u32)).chain([0]);
        let data: Vec<u8> = lengths.flat_map(u32::to_le_bytes).collect();
        let split: Vec<&[u8]> = super::strings(text.as_bytes(), &data).unwrap();
        assert_eq!(split, strings.map(str::as_bytes));
        assert_eq!(super::strings(text.as_bytes(), &data[16..]), None);

        // Sixteen bytes, then a copy of the last three, far copies of both kinds, and the end.
        let mut packed = vec![0xff];
        packed.extend(b"abcdefgh");
        packed.push(0xff);
        packed.extend(b"ijklmnop");
        packed.extend([0b0000, 0, 0, 0, 13, 0, 29, 0, 61]);
        packed.extend([0x80, 0x00]);
        let text = lzss(&packed).unwrap();
        assert!(text.starts_with(b"abcdefghijklmnopnop"));
        for rubbish in [&b""[..], b"\xff", b"\x00\x00", b"\x01abcdef", &[0xff; 64], &[0; 64]] {
            lzss(rubbish);
            unpacked(rubbish);
        }
    }

    #[test]
    fn names_in_a_table_stand_in_order() {
        let names = "(tree fragment)Axis__doc____pyx_checksum__pyx_resultabclxmlnumba.corepandas._libs.xselfsetdefault";
        let table = format!(
            "{names}{}zlibPyObject *(PyMethodDef *ml, int flags, PyObject* qualname, PyObject *closure)",
            "value".repeat(20)
        );
        for (name, may_be) in [
            ("abc", true),
            ("lxml", true),
            // A dotted name may also be text, which comes first.
            ("numba.core", true),
            ("numba", false),
            // Parts of "checksum_" and of "setdefault".
            ("sum_", false),
            ("set", false),
            // The last one.
            ("zlib", true),
            ("json", false),
        ] {
            assert_eq!(may_be_in_table(table.as_bytes(), name), may_be, "{name}");
        }
        // Before 3.3: underscores in front do not count, and dots are underscores.
        let old =
            |rest: &str| may_be_in_table(format!("_abc__doc__lxml{rest}{}", "z".repeat(AFTER)).as_bytes(), "lxml");
        assert!(old("__main__") && old("_lxml") && !old("__abc__"));
        let old = |rest: &str| may_be_in_table(format!("a_b{rest}{}", "z".repeat(AFTER)).as_bytes(), "a_b");
        assert!(old("a.c") && !old("a.a"));
    }

    #[test]
    fn what_is_no_object_file() {
        assert!(imports_of(b"", &names(&[])).is_err() && imports_of(b"\x7fELF", &names(&[])).is_err());
    }
}
