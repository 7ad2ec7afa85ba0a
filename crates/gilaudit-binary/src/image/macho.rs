//! Mach-O, as dyld reads it: through the load commands. Section headers only give names to places, apart from thread-local storage and
//! the symbol pointers of files from before 2009.
//!
//! Linked addresses are used as they are, as if the file were loaded where it was linked for. What dyld would rebase is right already,
//! except under chained fixups, where the file has a link of the chain in its place.

use std::cell::OnceCell;
use std::collections::HashMap;

use gilaudit_model::{Arch, Format};
use object::read::macho::{
    BindIterator, DyldChainedSegment, Fixup, LoadCommandVariant, MachHeader, Nlist, Section as _, Segment as _,
};
use object::{Endian, Endianness, Pod, U32, macho};

use super::imports::Imports;
use super::{Cell, Cells, Export, Image, Section, Segment, Tables};
use crate::data::{Data, Entries};

/// Segments of one file. Linkers write fewer than ten, and bind opcodes cannot name more than sixteen.
const SEGMENT_LIMIT: usize = 256;

/// Slices of a fat file. A Java class file has the same magic and, where a fat file has the number of slices, a version of at least 45.
const SLICE_LIMIT: usize = 42;

/// One architecture's part of a file: the name Apple's tools give the architecture, and the file in the file, or why it cannot be read.
pub(crate) type Slice<'data> = (String, Result<Data<'data>, String>);

/// The files in a file: one for a thin file, any number for a fat one.
pub(crate) fn slices<'data>(data: impl Into<Data<'data>>) -> Result<Vec<Slice<'data>>, String> {
    let data = data.into();
    // `FAT_MAGIC`, `FAT_MAGIC_64`: always big-endian.
    match data.first_chunk::<4>() {
        Some([0xca, 0xfe, 0xba, 0xbe]) => fat_slices::<macho::FatArch32>(data),
        Some([0xca, 0xfe, 0xba, 0xbf]) => fat_slices::<macho::FatArch64>(data),
        _ => {
            let (cpu, subtype) = cpu(data).ok_or("not a Mach-O file")?;
            Ok(vec![(arch_name(cpu, subtype), Ok(data))])
        }
    }
}

fn fat_slices<Fat: object::read::macho::FatArch>(data: Data<'_>) -> Result<Vec<Slice<'_>>, String> {
    let count = data.window(4).first_chunk::<4>().copied().map(u32::from_be_bytes);
    let count = usize::try_from(count.unwrap_or(u32::MAX)).unwrap_or(usize::MAX);
    if count > SLICE_LIMIT {
        return Err(format!("not a fat Mach-O file: {count} slices"));
    }
    if count == 0 {
        return Err("a fat Mach-O file without slices".to_owned());
    }
    let file = object::read::macho::MachOFatFile::<Fat>::parse(data).map_err(|error| error.to_string())?;
    let table = 8u64.saturating_add((size_of::<Fat>() as u64).saturating_mul(count as u64));
    let mut taken: Vec<(String, u64, u64)> = vec![("the table of slices".to_owned(), 0, table)];
    let mut slices = Vec::new();
    for arch in file.arches() {
        let name = arch_name(arch.cputype(), arch.cpusubtype());
        let (start, size) = arch.file_range();
        let end = start.saturating_add(size);
        let overlap = taken.iter().find(|(_, from, to)| start < *to && *from < end);
        let inside =
            || Some(data.clamped(start, size)).filter(|slice| slice.len() as u64 == size && start <= data.len() as u64);
        let slice = if slices.iter().any(|(other, _): &Slice<'_>| *other == name) {
            Err(format!("a second slice for {name}, which is never loaded"))
        } else if let Some((other, ..)) = overlap {
            Err(format!("the slice for {name} overlaps {other}"))
        } else {
            match inside() {
                None => Err(format!("the slice for {name} ends beyond the file")),
                // A slice that is not Mach-O at all is for the caller to find out.
                Some(slice) => match cpu(slice) {
                    Some((cpu, subtype)) if cpu != arch.cputype() => {
                        Err(format!("the slice for {name} holds a file for {}", arch_name(cpu, subtype)))
                    }
                    _ => Ok(slice),
                },
            }
        };
        taken.push((format!("the slice for {name}"), start, end));
        slices.push((name, slice));
    }
    Ok(slices)
}

/// The architecture in a Mach-O header.
fn cpu(data: Data<'_>) -> Option<(macho::CpuType, macho::CpuSubtype)> {
    let word = |range: std::ops::Range<usize>| data.window(0).get(range)?.first_chunk::<4>().copied();
    let read = match word(0..4)? {
        [0xfe, 0xed, 0xfa, 0xce | 0xcf] => u32::from_be_bytes,
        [0xce | 0xcf, 0xfa, 0xed, 0xfe] => u32::from_le_bytes,
        _ => return None,
    };
    Some((macho::CpuType(read(word(4..8)?)), macho::CpuSubtype(read(word(8..12)?))))
}

/// The names that `lipo` and `arch` use.
fn arch_name(cpu: macho::CpuType, subtype: macho::CpuSubtype) -> String {
    // The high byte of a subtype is for flags, `CPU_SUBTYPE_MASK` in <mach/machine.h>.
    let name = match (cpu, subtype.0 & 0x00ff_ffff) {
        (macho::CPU_TYPE_X86_64, 8) => "x86_64h",
        (macho::CPU_TYPE_X86_64, _) => "x86_64",
        (macho::CPU_TYPE_X86, _) => "i386",
        (macho::CPU_TYPE_ARM64, 2) => "arm64e",
        (macho::CPU_TYPE_ARM64, _) => "arm64",
        (macho::CPU_TYPE_ARM64_32, _) => "arm64_32",
        (macho::CPU_TYPE_ARM, 9) => "armv7",
        (macho::CPU_TYPE_ARM, 11) => "armv7s",
        (macho::CPU_TYPE_ARM, 12) => "armv7k",
        (macho::CPU_TYPE_ARM, _) => "arm",
        (macho::CPU_TYPE_POWERPC, _) => "ppc",
        (macho::CPU_TYPE_POWERPC64, _) => "ppc64",
        _ => return format!("cpu-{:#x}", cpu.0),
    };
    name.to_owned()
}

fn arch(cpu: macho::CpuType) -> Arch {
    match cpu {
        macho::CPU_TYPE_X86_64 => Arch::X86_64,
        macho::CPU_TYPE_X86 => Arch::X86,
        macho::CPU_TYPE_ARM64 => Arch::Aarch64,
        macho::CPU_TYPE_ARM => Arch::Arm,
        macho::CPU_TYPE_POWERPC64 => Arch::Ppc64,
        _ => Arch::Other,
    }
}

/// Opens a thin Mach-O file: one that is not fat, or a slice.
pub(crate) fn open<'data>(data: impl Into<Data<'data>>) -> Result<Image<'data>, String> {
    let data = data.into();
    match data.first_chunk::<4>() {
        Some([0xfe, 0xed, 0xfa, 0xcf] | [0xcf, 0xfa, 0xed, 0xfe]) => read::<macho::MachHeader64<Endianness>>(data),
        Some([0xfe, 0xed, 0xfa, 0xce] | [0xce, 0xfa, 0xed, 0xfe]) => read::<macho::MachHeader32<Endianness>>(data),
        Some([0xca, 0xfe, 0xba, 0xbe | 0xbf]) => Err("a fat Mach-O file inside another".to_owned()),
        Some(b"!<ar") => Err("a static library, not a Mach-O file".to_owned()),
        _ => Err("not a Mach-O file".to_owned()),
    }
}

/// What a file that Python cannot load is.
fn file_type(file_type: macho::FileType) -> String {
    match file_type {
        macho::MH_OBJECT => "an object file".to_owned(),
        macho::MH_EXECUTE => "an executable".to_owned(),
        macho::MH_CORE => "a core dump".to_owned(),
        macho::MH_DYLINKER => "a dynamic linker".to_owned(),
        macho::MH_DYLIB_STUB => "a library stub for linking".to_owned(),
        macho::MH_DSYM => "a file of debugging symbols".to_owned(),
        macho::MH_KEXT_BUNDLE => "a kernel extension".to_owned(),
        macho::FileType(other) => format!("of the unknown type {other:#x}"),
    }
}

/// The load commands that matter here.
struct Commands<'data, Mach: MachHeader> {
    /// Every segment, in the order of the load commands: fixups name segments by their index.
    segments: Vec<Segment<'data>>,
    /// The address that `__TEXT` was linked for, which is where the header is.
    base: Option<u64>,
    sections: Vec<(&'data Mach::Section, Section)>,
    needed: Vec<String>,
    symbols: Option<&'data macho::SymtabCommand<Endianness>>,
    dynamic_symbols: Option<&'data macho::DysymtabCommand<Endianness>>,
    info: Option<&'data macho::DyldInfoCommand<Endianness>>,
    chained: Option<&'data macho::LinkeditDataCommand<Endianness>>,
    trie: Option<&'data macho::LinkeditDataCommand<Endianness>>,
}

fn commands<'data, Mach>(header: &Mach, endian: Endianness, data: Data<'data>) -> Result<Commands<'data, Mach>, String>
where
    Mach: MachHeader<Endian = Endianness>,
{
    let error = |error: object::Error| error.to_string();
    let mut found = Commands {
        segments: Vec::new(),
        base: None,
        sections: Vec::new(),
        needed: Vec::new(),
        symbols: None,
        dynamic_symbols: None,
        info: None,
        chained: None,
        trie: None,
    };
    let mut commands = header.load_commands(endian, data, 0).map_err(error)?;
    while let Some(command) = commands.next().map_err(error)? {
        if let Some((segment, section_data)) = Mach::Segment::from_command(command).map_err(error)? {
            if found.segments.len() >= SEGMENT_LIMIT {
                return Err(format!("more than {SEGMENT_LIMIT} segments"));
            }
            let address = segment.vmaddr(endian).into();
            let size = segment.vmsize(endian).into();
            let (start, length) = segment.file_range(endian);
            let bytes = data.clamped(start, length.min(size));
            let protection = segment.initprot(endian);
            if segment.name() == b"__TEXT" || (found.base.is_none() && start == 0 && !bytes.is_empty()) {
                found.base = Some(address);
            }
            found.segments.push(Segment {
                address,
                size,
                data: bytes,
                executable: protection.contains(macho::VM_PROT_EXECUTE),
                writable: protection.contains(macho::VM_PROT_WRITE),
            });
            for section in segment.sections(endian, section_data).map_err(error)? {
                let name = [section.segment_name(), section.name()].map(String::from_utf8_lossy).join(",");
                let named = Section { name, address: section.addr(endian).into(), size: section.size(endian).into() };
                found.sections.push((section, named));
            }
            continue;
        }
        match command.variant().map_err(error)? {
            LoadCommandVariant::Dylib(dylib) => {
                let name = command.string(endian, dylib.dylib.name).map_err(error)?;
                found.needed.push(String::from_utf8_lossy(name).into_owned());
            }
            LoadCommandVariant::Symtab(symbols) => found.symbols = Some(symbols),
            LoadCommandVariant::Dysymtab(symbols) => found.dynamic_symbols = Some(symbols),
            LoadCommandVariant::DyldInfo(info) => found.info = Some(info),
            LoadCommandVariant::LinkeditData(linkedit) => match command.cmd() {
                macho::LC_DYLD_CHAINED_FIXUPS => found.chained = Some(linkedit),
                macho::LC_DYLD_EXPORTS_TRIE => found.trie = Some(linkedit),
                _ => {}
            },
            LoadCommandVariant::EncryptionInfo32(info) if info.cryptid.get(endian) != 0 => return Err(encrypted()),
            LoadCommandVariant::EncryptionInfo64(info) if info.cryptid.get(endian) != 0 => return Err(encrypted()),
            _ => {}
        }
    }
    Ok(found)
}

fn encrypted() -> String {
    "encrypted, as files from Apple's store are".to_owned()
}

/// As many whole entries as the file has of `count` at `start`.
fn table<T: Pod>(data: Data<'_>, start: u32, count: u32) -> Entries<'_, T> {
    Entries::new(data.clamped(start.into(), u64::MAX), usize::try_from(count).unwrap_or(usize::MAX))
}

fn read<'data, Mach>(data: Data<'data>) -> Result<Image<'data>, String>
where
    Mach: MachHeader<Endian = Endianness>,
{
    let error = |error: object::Error| error.to_string();
    let header = Mach::parse(data, 0).map_err(error)?;
    let endian = header.endian().map_err(error)?;
    if !matches!(header.filetype(endian), macho::MH_BUNDLE | macho::MH_DYLIB) {
        let what = file_type(header.filetype(endian));
        return Err(format!("a Mach-O file, but neither a bundle nor a library: {what}"));
    }
    let commands = commands(header, endian, data)?;

    let thread_local = thread_local::<Mach>(endian, &commands.sections);
    // `__PAGEZERO` is memory that cannot be accessed.
    let accessible = |segment: &&Segment<'_>| segment.address != 0 || !segment.data.is_empty() || segment.executable;
    let segments = commands.segments.iter().filter(accessible).copied().collect();
    let sections = commands.sections.iter().map(|(_, section)| section.clone()).collect();
    let tables = MachTables::<Mach>::new(header, endian, data, commands)?;
    Ok(Image::new(
        Format::MachO,
        arch(header.cputype(endian)),
        Mach::pointer_size(),
        endian.is_big_endian(),
        segments,
        sections,
        thread_local,
        Box::new(tables),
    ))
}

/// The template of a thread's variables: `__thread_data` and `__thread_bss`, which the linker puts side by side. The third word of a
/// descriptor in `__thread_vars` is an offset into it.
fn thread_local<Mach>(endian: Endianness, sections: &[(&Mach::Section, Section)]) -> Option<(u64, u64)>
where
    Mach: MachHeader<Endian = Endianness>,
{
    let is_local = |section: &Mach::Section| {
        matches!(section.section_type(endian), macho::S_THREAD_LOCAL_REGULAR | macho::S_THREAD_LOCAL_ZEROFILL)
    };
    let ranges = || {
        let local = sections.iter().filter(|(section, _)| is_local(section));
        local.map(|(_, section)| (section.address, section.address.saturating_add(section.size)))
    };
    let start = ranges().map(|range| range.0).min()?;
    let end = ranges().map(|range| range.1).max()?;
    Some((start, end.saturating_sub(start)))
}

/// A section of symbol pointers: its address and size, and the index of its first entry in the indirect symbol table.
struct SymbolPointers {
    address: u64,
    size: u64,
    first: u32,
}

/// What the load commands point at.
struct MachTables<'data, Mach: MachHeader<Endian = Endianness>> {
    endian: Endianness,
    data: Data<'data>,
    base: u64,
    segments: Vec<Segment<'data>>,
    needed: Vec<String>,
    info: Option<&'data macho::DyldInfoCommand<Endianness>>,
    chained: Option<&'data macho::LinkeditDataCommand<Endianness>>,
    trie: Trie<'data>,
    symbols: Entries<'data, Mach::Nlist>,
    strings: Data<'data>,
    indirect: Entries<'data, U32<Endianness, macho::IndirectSymbol>>,
    external: Entries<'data, macho::Relocation<Endianness>>,
    external_base: u64,
    pointers: Vec<SymbolPointers>,
    /// The addresses of all exports: what a symbol that is looked up everywhere is found as.
    own: OnceCell<HashMap<Vec<u8>, u64>>,
}

impl<'data, Mach: MachHeader<Endian = Endianness>> MachTables<'data, Mach> {
    fn new(
        header: &Mach,
        endian: Endianness,
        data: Data<'data>,
        commands: Commands<'data, Mach>,
    ) -> Result<Self, String> {
        let error = |error: object::Error| error.to_string();
        let trie = match (commands.trie, commands.info) {
            (Some(trie), _) => trie.data(endian, data).map_err(error)?,
            (None, Some(info)) => info.export_data(endian, data).map_err(error)?,
            (None, None) => &[],
        };
        let symbols = commands.symbols.map_or(Entries::EMPTY, |table_at| {
            table::<Mach::Nlist>(data, table_at.symoff.get(endian), table_at.nsyms.get(endian))
        });
        let strings = commands.symbols.map_or(Data::EMPTY, |table_at| {
            data.clamped(table_at.stroff.get(endian).into(), table_at.strsize.get(endian).into())
        });
        // Without a trie the symbol table has the exports, and one that is cut must not pass for one without them.
        let declared = commands.symbols.map_or(0, |table_at| table_at.nsyms.get(endian));
        if trie.is_empty() && u32::try_from(symbols.len()) != Ok(declared) {
            return Err("the symbol table ends beyond the file".to_owned());
        }
        let indirect = commands.dynamic_symbols.map_or(Entries::EMPTY, |table_at| {
            table(data, table_at.indirectsymoff.get(endian), table_at.nindirectsyms.get(endian))
        });
        let external = commands.dynamic_symbols.map_or(Entries::EMPTY, |table_at| {
            table(data, table_at.extreloff.get(endian), table_at.nextrel.get(endian))
        });
        // External relocations are relative to the first segment; to the first writable one where code and data may be loaded apart,
        // and on x86-64 (dyld, ImageLoaderMachOClassic::getRelocBase).
        let apart = header.flags(endian).contains(macho::MH_SPLIT_SEGS) || header.is_type_64();
        let external_base = commands.segments.iter().find(|segment| !apart || segment.writable);
        let pointers =
            commands.sections.iter().filter_map(|(section, place)| {
                let kind = section.section_type(endian);
                matches!(kind, macho::S_NON_LAZY_SYMBOL_POINTERS | macho::S_LAZY_SYMBOL_POINTERS).then(|| {
                    SymbolPointers { address: place.address, size: place.size, first: section.reserved1(endian) }
                })
            });
        Ok(Self {
            endian,
            data,
            base: commands.base.unwrap_or(0),
            needed: commands.needed,
            info: commands.info,
            chained: commands.chained,
            trie: Trie(trie),
            symbols,
            strings,
            indirect,
            external,
            external_base: external_base.map_or(0, |segment| segment.address),
            pointers: pointers.collect(),
            segments: commands.segments,
            own: OnceCell::new(),
        })
    }

    fn string_from(&self, offset: u64) -> Data<'data> {
        self.strings.clamped(offset, u64::MAX)
    }

    /// Whether a symbol's name is `name`, in time that does not depend on how long the symbol's is.
    fn is_named(&self, symbol: &Mach::Nlist, name: &[u8]) -> bool {
        let bytes = self.string_from(symbol.n_strx(self.endian).into());
        bytes.has(0, name) && bytes.has(name.len(), &[0])
    }

    /// Where a symbol of the symbol table is exported to.
    fn exported(&self, symbol: &Mach::Nlist) -> Option<Export> {
        let flags = symbol.n_type();
        if symbol.is_stab() || !flags.contains(macho::N_EXT) || flags.contains(macho::N_PEXT) {
            return None;
        }
        let value = symbol.n_value(self.endian).into();
        match flags.typ() {
            macho::N_SECT | macho::N_ABS => Some(Export::Address(value)),
            // Another name for the symbol that is spelled there.
            macho::N_INDR => Some(Export::Forward(lossy(self.strings.text(value, NAME_LIMIT)?))),
            _ => None,
        }
    }

    /// Where the terminal data of a node of the trie leads.
    fn terminal(&self, name: &[u8], mut data: &'data [u8]) -> Option<Export> {
        let flags = macho::ExportSymbolFlags(uleb(&mut data)?);
        let value = uleb(&mut data)?;
        if flags.contains(macho::EXPORT_SYMBOL_FLAGS_REEXPORT) {
            let library = usize::try_from(value).ok().and_then(|ordinal| self.needed.get(ordinal.checked_sub(1)?));
            let symbol = until_nul(data, NAME_LIMIT).filter(|symbol| !symbol.is_empty()).unwrap_or(name);
            let library = library.map_or("", |library| library.rsplit('/').next().unwrap_or(library));
            return Some(Export::Forward(format!("{library}.{}", lossy(symbol))));
        }
        // Addresses count from the header. Of a stub with a resolver the stub comes first.
        let absolute = flags.kind() == macho::EXPORT_SYMBOL_FLAGS_KIND_ABSOLUTE;
        Some(Export::Address(if absolute { value } else { self.base.wrapping_add(value) }))
    }

    /// All exports whose name, underscore included, starts with `prefix`, and whether these are all.
    fn exports(&self, prefix: &[u8]) -> (Vec<(Vec<u8>, Export)>, bool) {
        if !self.trie.0.is_empty() {
            let (found, complete) = self.trie.starting(prefix);
            let lead = |(name, data): Named<'data>| self.terminal(&name, data).map(|export| (name, export));
            return (found.into_iter().filter_map(lead).collect(), complete);
        }
        let mut budget = self.data.len().saturating_mul(4);
        let mut exports = Vec::new();
        for symbol in self.symbols.iter() {
            let bytes = self.string_from(symbol.n_strx(self.endian).into());
            if !bytes.has(0, prefix) {
                continue;
            }
            let Some(export) = self.exported(symbol) else { continue };
            let Some(name) = bytes.text(0, NAME_LIMIT) else { return (exports, false) };
            let Some(rest) = budget.checked_sub(name.len()) else { return (exports, false) };
            budget = rest;
            exports.push((name.to_vec(), export));
        }
        (exports, true)
    }

    /// The address of an export by its name, underscore included.
    fn own(&self, name: &[u8]) -> Option<u64> {
        let own = self.own.get_or_init(|| {
            let exports = self.exports(b"").0.into_iter();
            exports
                .filter_map(|(name, export)| match export {
                    Export::Address(address) => Some((name, address)),
                    Export::Indirect(_) | Export::Forward(_) => None,
                })
                .collect()
        });
        own.get(name).copied()
    }

    /// A pointer-sized number of the file.
    fn in_place(&self, address: u64) -> Option<u64> {
        let segment = self.segments.iter().find(|segment| segment.contains(address))?;
        let bytes = segment.data.after(address.checked_sub(segment.address)?)?;
        let big = self.endian.is_big_endian();
        Some(if Mach::pointer_size() == 8 {
            let word = *bytes.first_chunk::<8>()?;
            if big { u64::from_be_bytes(word) } else { u64::from_le_bytes(word) }
        } else {
            let word = *bytes.first_chunk::<4>()?;
            u64::from(if big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) })
        })
    }

    /// LC_DYLD_INFO. Its rebases are not read: each adds the slide to a pointer, and the slide is zero here.
    fn binds(&self, info: &macho::DyldInfoCommand<Endianness>, places: &mut Places) {
        let width = Mach::pointer_size();
        // Weak binds come last: dyld applies them over the others.
        for (what, binds) in [
            ("binds", info.binds(self.endian, self.data, width)),
            ("lazy binds", info.lazy_binds(self.endian, self.data, width)),
            ("weak binds", info.weak_binds(self.endian, self.data, width)),
        ] {
            let done = binds.map_err(|error| error.to_string()).and_then(|binds| self.bind(binds, places));
            if let Err(error) = done {
                places.stop(format!("{what}: {error}"));
            }
        }
    }

    fn bind(&self, mut binds: BindIterator<'data>, places: &mut Places) -> Result<(), String> {
        let width = u64::from(Mach::pointer_size());
        let mut last: Option<Symbol<'data>> = None;
        while let Some(bind) = binds.next().map_err(|error| error.to_string())? {
            let segment = self.segments.get(usize::from(bind.segment_index)).ok_or("a segment that is not there")?;
            if bind.segment_offset.checked_add(width).is_none_or(|end| end > segment.size) {
                return Err(format!("a place outside of its segment: {:#x}", bind.segment_offset));
            }
            // A displacement in the code of i386 is no pointer.
            if bind.kind == macho::BIND_TYPE_TEXT_PCREL32 {
                places.pay()?;
                continue;
            }
            // The same text, not an equal one: a symbol of any length is compared and hashed once, however often it is bound.
            let same = last.take().filter(|symbol| std::ptr::eq(symbol.name, bind.symbol));
            let symbol = last.insert(same.unwrap_or_else(|| Symbol::new(bind.symbol)));
            let cell = self.cell(symbol, bind.dylib, bind.addend, places)?;
            places.push(segment.address.wrapping_add(bind.segment_offset), cell)?;
        }
        Ok(())
    }

    /// What a symbol is bound to.
    fn cell(
        &self,
        symbol: &mut Symbol<'data>,
        library: macho::BindDylib,
        addend: i64,
        places: &mut Places,
    ) -> Result<Cell, String> {
        // This image itself, or every image: this one's definition if it has one, as with a symbol that ELF lets others replace.
        let searched = matches!(
            library,
            macho::BIND_SPECIAL_DYLIB_SELF
                | macho::BIND_SPECIAL_DYLIB_WEAK_LOOKUP
                | macho::BIND_SPECIAL_DYLIB_FLAT_LOOKUP
        );
        if searched && let Some(address) = *symbol.own.get_or_insert_with(|| self.own(symbol.name)) {
            return Ok(Cell::Address(address.wrapping_add_signed(addend) & Self::mask()));
        }
        let index = match symbol.import {
            Some(index) => index,
            None => places.imports.index(without_underscore(symbol.name)).ok_or("more names than the file can hold")?,
        };
        symbol.import = Some(index);
        Ok(Cell::Import(index, addend))
    }

    /// The bits of an address. The top byte of a 64-bit pointer is a tag.
    fn mask() -> u64 {
        if Mach::pointer_size() == 8 { u64::MAX >> 8 } else { u64::from(u32::MAX) }
    }

    /// LC_DYLD_CHAINED_FIXUPS.
    fn chains(&self, command: &macho::LinkeditDataCommand<Endianness>, places: &mut Places) -> Result<(), String> {
        let error = |error: object::Error| error.to_string();
        let fixups = command.chained_fixups(self.endian, self.data).map_err(error)?;
        let mut imports = Vec::new();
        let mut names = self.data.len().saturating_mul(4);
        let listed = fixups.imports(self.endian).map_err(error).and_then(|mut iterator| {
            while let Some(import) = iterator.next().map_err(error)? {
                // Names may overlap: see `Imports`.
                names = names.checked_sub(import.name.len()).ok_or("more names than the file can hold")?;
                imports.push((Symbol::new(import.name), import.dylib, import.addend));
            }
            Ok(())
        });
        if let Err(error) = listed {
            places.stop(format!("imports of the chained fixups: {error}"));
        }
        for segment in fixups.segments(self.endian).map_err(error)? {
            let segment = segment.map_err(error)?;
            // Bounds the number of segments as well, whatever the fixups say it is.
            let index = usize::try_from(segment.index()).unwrap_or(usize::MAX);
            let loaded = self.segments.get(index).ok_or("chained fixups of a segment that is not there")?;
            self.chain(&segment, loaded, &mut imports, places)?;
        }
        Ok(())
    }

    fn chain(
        &self,
        segment: &DyldChainedSegment<'data, Endianness>,
        loaded: &Segment<'data>,
        imports: &mut [(Symbol<'data>, macho::BindDylib, i64)],
        places: &mut Places,
    ) -> Result<(), String> {
        let header = segment.header();
        let narrow = header.pointer_format.get(self.endian) == macho::DYLD_CHAINED_PTR_32;
        let largest = u64::from(header.max_valid_pointer.get(self.endian));
        let mut fixups = segment.fixups(self.endian, self.base, loaded.data.whole());
        while let Some((offset, fixup)) = fixups.next().map_err(|error| error.to_string())? {
            let cell = match fixup {
                Fixup::Rebase(rebase) => {
                    // The tag in the top byte, and the key and salt of a signed pointer, are left out: what is wanted is where it points.
                    let target = self.base.wrapping_add(rebase.target_offset) & Self::mask();
                    // A 32-bit chain runs through numbers that are not pointers as well. They are moved above the largest pointer
                    // (`dyld_chained_ptr_32_rebase` in <mach-o/fixup-chains.h>).
                    let number = narrow && largest != 0 && target > largest;
                    let bias = (0x0400_0000 + largest) / 2;
                    Cell::Address(if number { target.wrapping_sub(bias) & Self::mask() } else { target })
                }
                Fixup::Bind(bind) => {
                    let ordinal = usize::try_from(bind.ordinal).unwrap_or(usize::MAX);
                    let (symbol, library, addend) =
                        imports.get_mut(ordinal).ok_or("a chained fixup of an import that is not listed")?;
                    self.cell(symbol, *library, addend.wrapping_add(bind.addend.into()), places)?
                }
                Fixup::SegmentedRebase(rebase) => {
                    let target = self.segments.get(usize::from(rebase.target_segment_index));
                    let target = target.ok_or("a chained fixup that points to a segment that is not there")?;
                    Cell::Address(target.address.wrapping_add(rebase.target_segment_offset) & Self::mask())
                }
                Fixup::KernelCacheRebase(_) => return Err("chained fixups of a kernel".to_owned()),
            };
            places.push(loaded.address.wrapping_add(offset), cell)?;
        }
        Ok(())
    }

    /// Files from before LC_DYLD_INFO (Mac OS X 10.6): external relocations, and symbol pointers that only the indirect symbol table
    /// names. Stubs that are code which dyld writes (i386, `__IMPORT,__jump_table`) hold no pointer and are not covered.
    fn classic(&self, places: &mut Places) -> Result<(), String> {
        let width = u64::from(Mach::pointer_size());
        for relocation in self.external.iter() {
            let relocation = relocation.info(self.endian);
            // 0 is `GENERIC_RELOC_VANILLA`, `X86_64_RELOC_UNSIGNED` and `PPC_RELOC_VANILLA`.
            let pointer = relocation.r_type.0 == 0 && !relocation.r_pcrel && 1 << relocation.r_length == width;
            let place = self.external_base.wrapping_add(relocation.r_address.into());
            let Some(held) = self.in_place(place).filter(|_| pointer && relocation.r_extern) else { continue };
            let defined = self.segments.iter().any(|segment| held != 0 && segment.contains(held));
            let addend = if width == 8 { held.cast_signed() } else { i64::from(held as u32 as i32) };
            self.classic_cell(place, relocation.r_symbolnum, addend, defined, places)?;
        }
        for section in &self.pointers {
            let count = section.size.checked_div(width).unwrap_or(0);
            for index in 0..count {
                let entry = u64::from(section.first).checked_add(index).and_then(|entry| usize::try_from(entry).ok());
                let Some(entry) = entry.and_then(|entry| self.indirect.get(entry)) else { break };
                let Some(symbol) = entry.get(self.endian).index() else { continue };
                let place = section.address.wrapping_add(index.wrapping_mul(width));
                self.classic_cell(place, symbol, 0, false, places)?;
            }
        }
        Ok(())
    }

    /// `in_place` says that the place already holds an address of this image.
    fn classic_cell(
        &self,
        place: u64,
        symbol: u32,
        addend: i64,
        in_place: bool,
        places: &mut Places,
    ) -> Result<(), String> {
        let symbol = usize::try_from(symbol).ok().and_then(|symbol| self.symbols.get(symbol));
        let symbol = symbol.ok_or("a symbol that is not in the symbol table")?;
        if symbol.is_undefined() {
            let name = self.strings.text(symbol.n_strx(self.endian).into(), NAME_LIMIT);
            let name = name.ok_or("a symbol whose name is not in the string table")?;
            let index = places.imports.index(without_underscore(name)).ok_or("more names than the file can hold")?;
            places.push(place, Cell::Import(index, addend))
        } else if in_place {
            places.pay()
        } else {
            let value: u64 = symbol.n_value(self.endian).into();
            places.push(place, Cell::Address(value.wrapping_add_signed(addend) & Self::mask()))
        }
    }
}

/// A symbol to bind, with what was found out about it.
struct Symbol<'data> {
    name: &'data [u8],
    own: Option<Option<u64>>,
    import: Option<u32>,
}

impl<'data> Symbol<'data> {
    fn new(name: &'data [u8]) -> Self {
        Self { name, own: None, import: None }
    }
}

/// The places found so far.
struct Places {
    places: Vec<(u64, Cell)>,
    imports: Imports,
    /// How many more there may be. A bind opcode can repeat itself 2^64 times, and chains can share their links; but no more pointers
    /// than the file has room for can mean anything.
    budget: usize,
    incomplete: Option<String>,
}

impl Places {
    fn pay(&mut self) -> Result<(), String> {
        self.budget = self.budget.checked_sub(1).ok_or("more places than the file can hold")?;
        Ok(())
    }

    fn push(&mut self, place: u64, cell: Cell) -> Result<(), String> {
        self.pay()?;
        self.places.push((place, cell));
        Ok(())
    }

    fn stop(&mut self, why: String) {
        self.incomplete.get_or_insert(why);
    }
}

/// A name that is longer is not read. Mangled C++ names of more than ten thousand characters exist.
const NAME_LIMIT: usize = 1 << 16;

fn until_nul(bytes: &[u8], limit: usize) -> Option<&[u8]> {
    let window = bytes.get(..limit.min(bytes.len()))?;
    window.get(..memchr::memchr(0, window)?)
}

/// C's names have an underscore before them.
fn without_underscore(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"_").unwrap_or(name)
}

fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(without_underscore(name)).into_owned()
}

/// An unsigned LEB128 number.
fn uleb(data: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = data.split_first()?;
        *data = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The trie of exports: <mach-o/loader.h>, above `EXPORT_SYMBOL_FLAGS_KIND_MASK`.
///
/// Walked here rather than by `object`, which gives every export in turn: one name takes a few steps, and a crafted trie whose nodes
/// share their children would give 2^n exports.
#[derive(Clone, Copy)]
struct Trie<'data>(&'data [u8]);

/// A name, and the terminal data of its node.
type Named<'data> = (Vec<u8>, &'data [u8]);

struct Node<'data> {
    terminal: &'data [u8],
    children: u8,
    edges: &'data [u8],
}

impl<'data> Trie<'data> {
    fn node(&self, offset: u64) -> Option<Node<'data>> {
        let mut data = self.0.get(usize::try_from(offset).ok()?..)?;
        let size = usize::try_from(uleb(&mut data)?).ok()?;
        let (terminal, rest) = data.split_at_checked(size)?;
        let (children, edges) = rest.split_first()?;
        Some(Node { terminal, children: *children, edges })
    }

    /// The terminal data of a name.
    fn find(&self, name: &[u8]) -> Option<&'data [u8]> {
        let mut rest = name;
        let mut offset = 0;
        // Each step takes a character of the name at least, other than through an edge without characters, which no linker writes.
        for _ in 0..=name.len() {
            let node = self.node(offset)?;
            if rest.is_empty() && !node.terminal.is_empty() {
                return Some(node.terminal);
            }
            (offset, rest) = node.edges().find_map(|(edge, child)| Some((child, rest.strip_prefix(edge)?)))?;
        }
        None
    }

    /// The names that start with `prefix`, with their terminal data, and whether these are all.
    fn starting(&self, prefix: &[u8]) -> (Vec<Named<'data>>, bool) {
        // In a tree each edge is met once, and takes its label and two bytes at least. Names are longer than the trie where they
        // share beginnings.
        let mut edges = self.0.len();
        let mut characters = self.0.len().saturating_mul(64);
        let mut found = Vec::new();
        let mut complete = true;
        let mut waiting = vec![(Vec::new(), 0)];
        while let Some((name, offset)) = waiting.pop() {
            let Some(node) = self.node(offset) else {
                complete = false;
                continue;
            };
            for (edge, child) in node.edges() {
                let left = edges.checked_sub(edge.len().saturating_add(2));
                let left = left.zip(characters.checked_sub(name.len().saturating_add(edge.len())));
                let Some(left) = left else { return (found, false) };
                (edges, characters) = left;
                let mut longer: Vec<u8> = name.clone();
                longer.extend_from_slice(edge);
                let shared = longer.len().min(prefix.len());
                if longer.get(..shared) == prefix.get(..shared) {
                    waiting.push((longer, child));
                }
            }
            if !node.terminal.is_empty() && name.starts_with(prefix) {
                found.push((name, node.terminal));
            }
        }
        (found, complete)
    }
}

impl<'data> Node<'data> {
    /// The label and the offset of each child.
    fn edges(&self) -> impl Iterator<Item = (&'data [u8], u64)> + use<'data> {
        let mut rest = self.edges;
        (0..self.children).map_while(move |_| {
            let end = memchr::memchr(0, rest)?;
            let (edge, after) = rest.split_at_checked(end)?;
            rest = after.get(1..)?;
            Some((edge, uleb(&mut rest)?))
        })
    }
}

impl<'data, Mach: MachHeader<Endian = Endianness>> Tables for MachTables<'data, Mach> {
    fn cells(&self) -> Cells {
        let mut places = Places {
            places: Vec::new(),
            imports: Imports::new(self.data.len()),
            budget: self.data.len().checked_div(usize::from(Mach::pointer_size())).unwrap_or(0),
            incomplete: None,
        };
        let done = if let Some(chained) = self.chained {
            self.chains(chained, &mut places)
        } else if let Some(info) = self.info {
            self.binds(info, &mut places);
            Ok(())
        } else {
            self.classic(&mut places)
        };
        if let Err(error) = done {
            places.stop(error);
        }
        let mut cells = Cells::new(places.places, places.imports.into_names());
        cells.incomplete = places.incomplete;
        cells
    }

    fn export(&self, name: &str) -> Option<Export> {
        let name = [b"_", name.as_bytes()].concat();
        if self.trie.0.is_empty() {
            let named = self.symbols.iter().filter(|symbol| self.is_named(symbol, &name));
            return named.filter_map(|symbol| self.exported(symbol)).next();
        }
        self.terminal(&name, self.trie.find(&name)?)
    }

    fn exports_starting(&self, prefix: &str) -> Vec<String> {
        let (exports, _) = self.exports(&[b"_", prefix.as_bytes()].concat());
        let mut names: Vec<String> = exports.iter().map(|(name, _)| lossy(name)).collect();
        names.sort();
        names
    }

    fn needed(&self) -> Vec<String> {
        self.needed.clone()
    }

    fn undefined(&self) -> (Vec<(String, bool)>, bool) {
        let mut budget = self.strings.len().saturating_mul(4);
        let mut names = Vec::new();
        for symbol in self.symbols.iter().filter(|symbol| !symbol.is_stab() && symbol.is_undefined()) {
            let name = self.strings.text(symbol.n_strx(self.endian).into(), usize::MAX);
            let Some(name) = name else { return (names, false) };
            let Some(rest) = budget.checked_sub(name.len()) else { return (names, false) };
            budget = rest;
            names.push((lossy(without_underscore(name)), symbol.n_desc(self.endian).contains(macho::N_WEAK_REF)));
        }
        (names, true)
    }
}

#[cfg(test)]
mod tests;
