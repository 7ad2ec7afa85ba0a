//! One relocated image per file.
//!
//! Above this module a file is memory as the loader would lay it out, at the addresses it was linked for: an address holds bytes,
//! and some pointer-sized places hold an address or an import that the loader writes there. The formats differ below only.
//!
//! Only what is asked for is read: relocations are decoded on first use, exports are looked up by name.

mod elf;
mod imports;
mod macho;
mod pe;
#[cfg(test)]
mod tests;

use std::cell::OnceCell;

use gilaudit_model::{Arch, Format, Place};

use crate::data::Data;

pub(crate) use elf::open as open_elf;
pub(crate) use macho::{open as open_macho, slices as macho_slices};
pub(crate) use pe::open as open_pe;

/// Initialisers looked at in one table.
const MAX_INITIALIZERS: u64 = 4096;

/// A range of memory that the loader maps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'data> {
    pub(crate) address: u64,
    /// Size in memory; what lies beyond `data` is zero.
    pub(crate) size: u64,
    pub(crate) data: Data<'data>,
    pub(crate) executable: bool,
    pub(crate) writable: bool,
}

impl Segment<'_> {
    fn contains(&self, address: u64) -> bool {
        address.checked_sub(self.address).is_some_and(|offset| offset < self.size)
    }
}

/// A named part of the image, for evidence.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) address: u64,
    pub(crate) size: u64,
}

/// What the loader writes into a pointer-sized place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// An address in this image.
    Address(u64),
    /// The address of an import, by its index in [`Cells::imports`], plus an offset.
    Import(u32, i64),
    /// The offset of a thread-local variable in this image's TLS block from the thread pointer.
    ThreadOffset(u64),
    /// A TLS descriptor's argument: the offset of the variable in this image's TLS block. Its first word is called.
    ThreadDescriptor(u64),
}

/// Every place that the loader writes to, and the imports among them.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    /// Sorted by address, one entry per address: the last relocation wins, as it does in the loader.
    places: Vec<(u64, Cell)>,
    /// Names of the imports, without a Mach-O underscore.
    imports: Vec<String>,
    /// Whether the relocations were cut short by a limit or could not be decoded to their end.
    pub(crate) incomplete: Option<String>,
}

impl Cells {
    pub(crate) fn new(mut places: Vec<(u64, Cell)>, imports: Vec<String>) -> Self {
        if !places.is_sorted_by_key(|place| place.0) {
            // Stable, so that the last of several relocations of one place stays last.
            places.sort_by_key(|place| place.0);
        }
        places.reverse();
        places.dedup_by_key(|place| place.0);
        places.reverse();
        Self { places, imports, incomplete: None }
    }

    pub(crate) fn get(&self, address: u64) -> Option<Cell> {
        let index = self.places.binary_search_by_key(&address, |place| place.0).ok()?;
        self.places.get(index).map(|place| place.1)
    }

    /// The places whose address lies in `from..to`.
    pub(crate) fn range(&self, from: u64, to: u64) -> &[(u64, Cell)] {
        let start = self.places.partition_point(|place| place.0 < from);
        let end = self.places.partition_point(|place| place.0 < to);
        self.places.get(start..end.max(start)).unwrap_or_default()
    }

    pub(crate) fn import_name(&self, index: u32) -> &str {
        self.imports.get(index as usize).map_or("", String::as_str)
    }

    pub(crate) fn import_names(&self) -> &[String] {
        &self.imports
    }
}

/// Where an export leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Export {
    /// An address in this image.
    Address(u64),
    /// A function in this image that the loader calls for the address.
    Indirect(u64),
    /// Another file's symbol: a PE forwarder, a Mach-O re-export.
    Forward(String),
}

/// What a format knows beyond its segments.
pub(crate) trait Tables {
    /// Decodes every relocation.
    fn cells(&self) -> Cells;
    /// Looks an export up by name, without a Mach-O underscore.
    fn export(&self, name: &str) -> Option<Export>;
    /// The names of all exports that start with `prefix`, sorted.
    fn exports_starting(&self, prefix: &str) -> Vec<String>;
    /// The libraries it names as needed.
    fn needed(&self) -> Vec<String>;
    /// The names that are to come from other files, and whether the file is loaded without each; as far as a table lists them beside
    /// the places that the loader writes. The flag says that these are all.
    fn undefined(&self) -> (Vec<(String, bool)>, bool) {
        (Vec::new(), true)
    }
    /// Where the addresses of the functions that the loader runs first lie: address and size of each table.
    fn initializers(&self) -> Vec<(u64, u64)> {
        Vec::new()
    }
}

/// A file as the loader would lay it out.
pub(crate) struct Image<'data> {
    pub(crate) format: Format,
    pub(crate) arch: Arch,
    /// Pointer width in bytes: 4 or 8.
    pub(crate) pointer: u8,
    pub(crate) big_endian: bool,
    pub(crate) segments: Vec<Segment<'data>>,
    pub(crate) sections: Vec<Section>,
    /// The initial contents and the size of a thread's TLS block: address in the image, size.
    pub(crate) thread_local: Option<(u64, u64)>,
    /// How many bytes of them the file has; the others are zero.
    pub(crate) template_size: u64,
    /// What the loader makes read-only once it has relocated it: addresses of its beginning and end.
    pub(crate) sealed: (u64, u64),
    /// Ranges of code that only jumps on to imports.
    stubs: Vec<(u64, u64)>,
    tables: Box<dyn Tables + 'data>,
    cells: OnceCell<Cells>,
}

impl<'data> Image<'data> {
    #[allow(clippy::too_many_arguments, reason = "one call per format, each names them all")]
    pub(crate) fn new(
        format: Format,
        arch: Arch,
        pointer: u8,
        big_endian: bool,
        mut segments: Vec<Segment<'data>>,
        sections: Vec<Section>,
        thread_local: Option<(u64, u64)>,
        tables: Box<dyn Tables + 'data>,
    ) -> Self {
        segments.sort_by_key(|segment| segment.address);
        let stub = |section: &&Section| {
            section.name.starts_with(".plt")
                || matches!(section.name.as_str(), "__TEXT,__stubs" | "__TEXT,__auth_stubs")
        };
        let stubs =
            sections.iter().filter(stub).map(|section| (section.address, section.address.saturating_add(section.size)));
        let stubs = stubs.collect();
        let cells = OnceCell::new();
        Self {
            format,
            arch,
            pointer,
            big_endian,
            segments,
            sections,
            thread_local,
            sealed: (0, 0),
            template_size: u64::MAX,
            stubs,
            tables,
            cells,
        }
    }

    /// Whether the code at `address` only jumps on to an import, as far as the names of sections tell.
    pub(crate) fn is_stub(&self, address: u64) -> bool {
        self.stubs.iter().any(|(from, to)| (*from..*to).contains(&address))
    }

    pub(crate) fn cells(&self) -> &Cells {
        self.cells.get_or_init(|| self.tables.cells())
    }

    pub(crate) fn export(&self, name: &str) -> Option<Export> {
        self.tables.export(name)
    }

    pub(crate) fn exports_starting(&self, prefix: &str) -> Vec<String> {
        self.tables.exports_starting(prefix)
    }

    pub(crate) fn needed(&self) -> Vec<String> {
        self.tables.needed()
    }

    /// The names that the file takes from others, each once, sorted, and whether it is loaded without it. The flag says that these
    /// are all.
    pub(crate) fn taken(&self) -> (Vec<(String, bool)>, bool) {
        let (mut names, all) = self.tables.undefined();
        names.sort();
        // Bound strongly once is bound strongly: false sorts before true.
        names.dedup_by(|later, first| later.0 == first.0);
        let listed = names.len();
        for name in self.cells().import_names() {
            let known = names.get(..listed).unwrap_or_default();
            if known.binary_search_by(|(known, _)| known.cmp(name)).is_err() {
                names.push((name.clone(), false));
            }
        }
        names.sort();
        names.dedup_by(|later, first| later.0 == first.0);
        (names, all && self.cells().incomplete.is_none())
    }

    /// The functions that the loader runs before anything else, in its order.
    pub(crate) fn initializers(&self) -> Vec<u64> {
        let width = u64::from(self.pointer);
        let mut functions = Vec::new();
        let constructors = self.sections.iter().filter(|section| section.name.ends_with(",__mod_init_func"));
        let named = constructors.map(|section| (section.address, section.size));
        for (table, size) in self.tables.initializers().into_iter().chain(named) {
            for index in 0..(size / width).min(MAX_INITIALIZERS) {
                let place = table.saturating_add(index * width);
                let function = match self.cells().get(place) {
                    Some(Cell::Address(address)) => Some(address),
                    Some(_) => None,
                    None => self.number(place, self.pointer),
                };
                functions.extend(function.filter(|function| self.is_code(*function)));
            }
        }
        functions
    }

    /// Whether code of the file may have changed what is at an address: it is in writable memory, and neither read-only after relocation
    /// nor where the loader put an import's address.
    pub(crate) fn may_change(&self, address: u64) -> bool {
        let sealed = (self.sealed.0..self.sealed.1).contains(&address);
        let import = || matches!(self.cells().get(address), Some(Cell::Import(..)));
        !sealed && self.segment(address).is_some_and(|segment| segment.writable) && !import()
    }

    pub(crate) fn segment(&self, address: u64) -> Option<&Segment<'data>> {
        self.segments.iter().find(|segment| segment.contains(address))
    }

    pub(crate) fn is_code(&self, address: u64) -> bool {
        self.segment(address).is_some_and(|segment| segment.executable)
    }

    /// Bytes of the file at `address`: a few thousand at least, or as many as its segment has from there. For all the bytes of a
    /// section ask [`Self::bytes`].
    pub(crate) fn bytes_from(&self, address: u64) -> Option<&'data [u8]> {
        let segment = self.segment(address)?;
        Some(segment.data.after(address.checked_sub(segment.address)?)?.window(0))
    }

    /// The part of the file at `address`, as much of `size` as its segment has. What is read of it is for the caller to say:
    /// [`Data::whole`] reads it at once and keeps it, [`Data::pieces`] shows it from front to back.
    pub(crate) fn bytes(&self, address: u64, size: u64) -> Data<'data> {
        let part = |segment: &Segment<'data>| segment.data.after(address.checked_sub(segment.address)?);
        self.segment(address).and_then(part).unwrap_or(Data::EMPTY).clamped(0, size)
    }

    /// One byte of memory as the file has it, before relocation. Memory without bytes in the file is zero.
    pub(crate) fn byte(&self, address: u64) -> Option<u8> {
        let segment = self.segment(address)?;
        let offset = usize::try_from(address.checked_sub(segment.address)?).ok()?;
        Some(segment.data.window(offset).first().copied().unwrap_or(0))
    }

    /// A number of `width` bytes (at most 8) as the file has it, before relocation.
    pub(crate) fn number(&self, address: u64, width: u8) -> Option<u64> {
        let segment = self.segment(address)?;
        let offset = usize::try_from(address.checked_sub(segment.address)?).ok()?;
        let width = usize::from(width.min(8));
        let mut bytes = [0u8; 8];
        let within = |index: usize| (offset as u64).saturating_add(index as u64) < segment.size;
        let window = segment.data.window(offset);
        for (index, byte) in bytes.iter_mut().enumerate().take(width) {
            *byte = match window.get(index) {
                Some(byte) => *byte,
                None if within(index) => 0,
                // Across the end of a segment: the next one may follow.
                None => self.byte(address.checked_add(index as u64)?)?,
            };
        }
        let bits = u64::from_le_bytes(bytes);
        Some(if self.big_endian { bits.swap_bytes() >> (64 - 8 * width as u32).min(63) } else { bits })
    }

    /// The NUL-terminated text at `address`, when it is printable and shorter than `limit`.
    pub(crate) fn text(&self, address: u64, limit: usize) -> Option<String> {
        let text = std::str::from_utf8(self.bytes(address, u64::MAX).text(0, limit)?).ok()?;
        (!text.chars().any(char::is_control)).then(|| text.to_owned())
    }

    /// The data that is neither code nor written to, at most `limit` bytes of it: the sections that hold texts where there are
    /// sections, else the segments.
    pub(crate) fn read_only_data(&self, limit: u64) -> Vec<Data<'data>> {
        let texts = |name: &str| {
            matches!(name, ".rodata" | ".rdata" | "__TEXT,__cstring" | "__TEXT,__const" | "__DATA_CONST,__const")
        };
        let named = self.sections.iter().filter(|section| texts(&section.name));
        let mut ranges: Vec<Data<'data>> = named.map(|section| self.bytes(section.address, section.size)).collect();
        if ranges.is_empty() {
            let plain = self.segments.iter().filter(|segment| !segment.executable && !segment.writable);
            ranges = plain.map(|segment| segment.data).collect();
        }
        let mut left = limit;
        for range in &mut ranges {
            *range = range.clamped(0, left);
            left = left.saturating_sub(range.len() as u64);
        }
        ranges
    }

    /// The place of an address, for evidence.
    pub(crate) fn place(&self, address: u64) -> Place {
        let inside =
            |section: &&Section| address.checked_sub(section.address).is_some_and(|offset| offset < section.size);
        let section =
            self.sections.iter().find(inside).map(|section| (section.name.clone(), address - section.address));
        Place { address, section, through: Vec::new() }
    }
}
