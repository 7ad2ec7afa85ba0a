//! What only an ELF file's sections tell: the ranges of functions, symbols, and what is read-only once it is relocated.

use gimli::{BaseAddresses, CieOrFde, EhFrame, LittleEndian, UnwindSection};
use object::elf::{PT_GNU_RELRO, STT_FUNC, STT_OBJECT};
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader, Sym, SymbolTable};
use object::{Endianness, elf::FileHeader64};

use crate::image::Image;

/// Most functions of one file. The largest extension seen has a fifth of that.
const MOST_FUNCTIONS: usize = 1 << 20;

/// The longest symbol that is told.
const LONGEST_NAME: usize = 4096;

type Header = FileHeader64<Endianness>;

/// What the sections of a file tell.
#[derive(Default)]
pub(crate) struct Known<'data> {
    /// Functions that have a symbol, sorted by address: where, how long, the name.
    functions: Vec<(u64, u64, &'data str)>,
    /// The same for variables.
    variables: Vec<(u64, u64, &'data str)>,
    /// Ranges that cannot be written once the file is loaded.
    read_only: Vec<(u64, u64)>,
}

/// A variable that has a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Variable<'a> {
    pub(crate) start: u64,
    pub(crate) name: &'a str,
}

impl<'data> Known<'data> {
    /// Reads what the sections tell. What cannot be read is not known, and nothing else.
    pub(crate) fn read(data: &'data [u8]) -> Self {
        let mut known = Self::default();
        let Ok(file) = ElfFile64::<Endianness>::parse(data) else { return known };
        let endian = file.endian();
        if let Ok(programs) = file.elf_header().program_headers(endian, data) {
            for program in programs.iter().filter(|program| program.p_type(endian) == PT_GNU_RELRO) {
                let start = program.p_vaddr(endian);
                known.read_only.push((start, start.saturating_add(program.p_memsz(endian))));
            }
        }
        let sections = file.elf_section_table();
        for kind in [object::elf::SHT_SYMTAB, object::elf::SHT_DYNSYM] {
            if let Ok(table) = sections.symbols(endian, data, kind) {
                known.add(&table, endian);
            }
        }
        for list in [&mut known.functions, &mut known.variables] {
            // Of several names of one place, the one that the file's own table gives first: stable.
            list.sort_by_key(|(address, ..)| *address);
            list.dedup_by_key(|(address, ..)| *address);
        }
        known
    }

    fn add(&mut self, table: &SymbolTable<'data, Header>, endian: Endianness) {
        for symbol in table.iter().take(MOST_FUNCTIONS) {
            let address = symbol.st_value(endian);
            let list = match symbol.st_type() {
                STT_FUNC if address != 0 => &mut self.functions,
                STT_OBJECT if address != 0 => &mut self.variables,
                _ => continue,
            };
            if symbol.is_undefined(endian) {
                continue;
            }
            let name = symbol.name(endian, table.strings()).ok().and_then(|name| std::str::from_utf8(name).ok());
            if let Some(name) = name.filter(|name| !name.is_empty() && name.len() <= LONGEST_NAME) {
                list.push((address, symbol.st_size(endian), name));
            }
        }
    }

    /// The symbol of the function that begins here.
    pub(crate) fn function(&self, start: u64) -> Option<&'data str> {
        let index = self.functions.binary_search_by_key(&start, |(address, ..)| *address).ok()?;
        self.functions.get(index).map(|(.., name)| *name)
    }

    /// The variable that this address is in, as far as a symbol says.
    pub(crate) fn variable(&self, address: u64) -> Option<Variable<'data>> {
        let index = self.variables.partition_point(|(start, ..)| *start <= address).checked_sub(1)?;
        let (start, size, name) = *self.variables.get(index)?;
        (address - start < size.max(1)).then_some(Variable { start, name })
    }

    /// Whether code can write to this address while the process runs.
    pub(crate) fn is_writable(&self, image: &Image<'_>, address: u64) -> bool {
        let segment = image.segment(address);
        segment.is_some_and(|segment| segment.writable && !segment.executable)
            && !self.read_only.iter().any(|(start, end)| (*start..*end).contains(&address))
    }

    /// Where each function begins and ends: from the table for unwinding, and symbols for what it leaves out. Sorted, none in another.
    pub(crate) fn ranges(&self, image: &Image<'_>) -> Vec<(u64, u64)> {
        let mut ranges = unwinding(image);
        let covered = ranges.len();
        for (start, size, _) in self.functions.iter().filter(|(start, size, _)| *size > 0 && image.is_code(*start)) {
            let table = ranges.get(..covered).unwrap_or_default();
            let before = table.partition_point(|(begin, _)| begin <= start).checked_sub(1);
            let inside = before.and_then(|index| table.get(index)).is_some_and(|(_, end)| start < end);
            if !inside {
                ranges.push((*start, start.saturating_add(*size)));
            }
        }
        ranges.sort_unstable();
        ranges.dedup_by_key(|range| range.0);
        // One that reaches into the next ends there.
        let starts: Vec<u64> = ranges.iter().skip(1).map(|range| range.0).collect();
        for (range, next) in ranges.iter_mut().zip(starts) {
            range.1 = range.1.min(next);
        }
        ranges
    }
}

/// The ranges of code that the table for unwinding lists (Linux Standard Base 5.0, `.eh_frame`), sorted.
fn unwinding(image: &Image<'_>) -> Vec<(u64, u64)> {
    let Some(section) = image.sections.iter().find(|section| section.name == ".eh_frame") else { return Vec::new() };
    let bytes = image.bytes_from(section.address).unwrap_or_default();
    let length = usize::try_from(section.size).unwrap_or(usize::MAX).min(bytes.len());
    let frames = EhFrame::new(bytes.get(..length).unwrap_or_default(), LittleEndian);
    let bases = BaseAddresses::default().set_eh_frame(section.address);
    let mut ranges = Vec::new();
    let mut entries = frames.entries(&bases);
    while let Ok(Some(entry)) = entries.next() {
        if ranges.len() >= MOST_FUNCTIONS {
            break;
        }
        let CieOrFde::Fde(partial) = entry else { continue };
        let Ok(frame) = partial.parse(EhFrame::cie_from_offset) else { continue };
        let start = frame.initial_address();
        if frame.len() > 0 && image.is_code(start) {
            ranges.push((start, start.saturating_add(frame.len())));
        }
    }
    ranges.sort_unstable();
    ranges.dedup_by_key(|range| range.0);
    ranges
}
