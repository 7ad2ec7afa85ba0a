//! ELF, as the dynamic loader reads it: through the program headers and the dynamic section. Section headers may be missing or lie;
//! they only give names to places.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use gilaudit_model::{Arch, Format};
use object::elf;
use object::read::elf::{Dyn, FileHeader, ProgramHeader, Rel, Rela, RelrIterator, SectionHeader, Sym};
use object::{Endian, Endianness, Pod, U32};

use super::{Cell, Cells, Export, Image, Section, Segment, Tables};
use crate::data::{Data, Entries};

mod android;

/// Program headers of one file; linkers write about a dozen.
const MAX_PROGRAMS: usize = 256;

static GLOBAL_SCOPE: LazyLock<HashSet<&[u8]>> = LazyLock::new(|| {
    let names = include_str!("elf/global_scope.txt").lines();
    names.filter(|line| !line.starts_with('#')).map(str::as_bytes).collect()
});

/// Opens an ELF file.
pub(crate) fn open<'data>(data: impl Into<Data<'data>>) -> Result<Image<'data>, String> {
    let data = data.into();
    // e_ident[EI_CLASS], System V ABI.
    let class = data.window(4).first().copied();
    match class {
        Some(2) => read::<elf::FileHeader64<Endianness>>(data),
        Some(1) => read::<elf::FileHeader32<Endianness>>(data),
        _ => Err("neither a 32-bit nor a 64-bit ELF file".to_owned()),
    }
}

/// What a relocation type writes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Base plus addend.
    Relative,
    /// Symbol plus addend.
    Symbol,
    /// Symbol, no addend: GOT and PLT entries.
    Slot,
    /// A function that the loader calls for the address.
    Indirect,
    /// Offset of a thread-local symbol from the thread pointer.
    ThreadOffset,
    /// The module number of `__tls_get_addr`'s argument.
    ThreadModule,
    /// The offset in `__tls_get_addr`'s argument.
    ThreadModuleOffset,
    /// A TLS descriptor.
    ThreadDescriptor,
}

/// The relocation types that write a whole pointer, per architecture. Values: glibc 2.41 `elf/elf.h` (facts of the psABIs).
fn kind(arch: Arch, r_type: u32) -> Option<Kind> {
    use Kind::{Indirect, Relative, Slot, Symbol, ThreadDescriptor, ThreadModule, ThreadModuleOffset, ThreadOffset};
    Some(match (arch, r_type) {
        (Arch::X86_64, 8) | (Arch::X86, 8) | (Arch::Aarch64, 1027) | (Arch::Arm, 23) => Relative,
        (Arch::Ppc64, 22) | (Arch::Riscv64 | Arch::Loongarch64, 3) | (Arch::S390x, 12) => Relative,
        (Arch::X86_64, 1) | (Arch::X86, 1) | (Arch::Aarch64, 257) | (Arch::Arm, 2) => Symbol,
        (Arch::Ppc64, 38) | (Arch::Riscv64 | Arch::Loongarch64, 2) | (Arch::S390x, 22) => Symbol,
        (Arch::X86_64 | Arch::X86, 6 | 7) | (Arch::Aarch64, 1025 | 1026) | (Arch::Arm, 21 | 22) => Slot,
        (Arch::Ppc64, 20 | 21) | (Arch::Riscv64 | Arch::Loongarch64, 5) | (Arch::S390x, 10 | 11) => Slot,
        (Arch::X86_64, 37) | (Arch::X86, 42) | (Arch::Aarch64, 1032) => Indirect,
        (Arch::X86_64, 18) | (Arch::X86, 14) | (Arch::Aarch64, 1030) => ThreadOffset,
        (Arch::X86_64, 16) | (Arch::X86, 35) | (Arch::Aarch64, 1028) => ThreadModule,
        (Arch::X86_64, 17) | (Arch::X86, 36) | (Arch::Aarch64, 1029) => ThreadModuleOffset,
        (Arch::X86_64, 36) | (Arch::X86, 41) | (Arch::Aarch64, 1031) => ThreadDescriptor,
        _ => return None,
    })
}

fn arch(machine: elf::Machine) -> Arch {
    match machine {
        elf::EM_X86_64 => Arch::X86_64,
        elf::EM_386 => Arch::X86,
        elf::EM_AARCH64 => Arch::Aarch64,
        elf::EM_ARM => Arch::Arm,
        elf::EM_PPC64 => Arch::Ppc64,
        elf::EM_RISCV => Arch::Riscv64,
        elf::EM_S390 => Arch::S390x,
        elf::EM_LOONGARCH => Arch::Loongarch64,
        _ => Arch::Other,
    }
}

fn read<'data, Elf>(data: Data<'data>) -> Result<Image<'data>, String>
where
    Elf: FileHeader<Endian = Endianness>,
{
    let error = |error: object::Error| error.to_string();
    let header = Elf::parse(data).map_err(error)?;
    let endian = header.endian().map_err(error)?;
    if header.e_type(endian) != elf::ET_DYN {
        return Err("an ELF file, but not a shared object".to_owned());
    }
    let programs = header.program_headers(endian, data).map_err(error)?;
    if programs.len() > MAX_PROGRAMS {
        return Err(format!("{} program headers, more than any loader's segments", programs.len()));
    }
    let mut segments = Vec::new();
    let mut dynamic: &[Elf::Dyn] = &[];
    let mut thread_local = None;
    let mut template_size = 0;
    let mut sealed = (0, 0);
    for program in programs {
        let address = program.p_vaddr(endian).into();
        match program.p_type(endian) {
            elf::PT_LOAD => {
                let flags = program.p_flags(endian);
                // A segment that ends beyond the file is cut, as a loader that maps the file would fault only when it is touched.
                segments.push(Segment {
                    address,
                    size: program.p_memsz(endian).into(),
                    data: data.clamped(program.p_offset(endian).into(), program.p_filesz(endian).into()),
                    executable: flags.contains(elf::PF_X),
                    writable: flags.contains(elf::PF_W),
                });
            }
            elf::PT_DYNAMIC => dynamic = program.dynamic(endian, data).map_err(error)?.unwrap_or_default(),
            // The loader seals whole pages: what is before the end of the last one begun stays writable (glibc 2.36, elf/dl-reloc.c,
            // _dl_protect_relro), which is of no use to the next variable, since linkers end the range at a page.
            elf::PT_GNU_RELRO => {
                let size: u64 = program.p_memsz(endian).into();
                sealed = (address, address.saturating_add(size) & !0xfff);
            }
            elf::PT_TLS => {
                thread_local = Some((address, program.p_memsz(endian).into()));
                template_size = program.p_filesz(endian).into();
            }
            _ => {}
        }
    }
    let arch = arch(header.e_machine(endian));
    let tables = ElfTables::<Elf>::new(endian, arch, &segments, dynamic);
    let sections = sections(header, endian, data);
    let pointer = if Elf::is_type_64_sized() { 8 } else { 4 };
    let image = Image::new(
        Format::Elf,
        arch,
        pointer,
        endian.is_big_endian(),
        segments,
        sections,
        thread_local,
        Box::new(tables),
    );
    // mprotect could open it again.
    let opens = image.cells().import_names().iter().any(|name| name == "mprotect" || name == "pkey_mprotect");
    let sealed = if opens { (0, 0) } else { sealed };
    Ok(Image { template_size, sealed, ..image })
}

/// The sections, when there are section headers that can be read.
fn sections<Elf: FileHeader<Endian = Endianness>>(header: &Elf, endian: Endianness, data: Data<'_>) -> Vec<Section> {
    let Ok(table) = header.sections(endian, data) else { return Vec::new() };
    let named = table.iter().filter(|section| section.sh_addr(endian).into() != 0).map(|section| {
        let name = table.section_name(endian, section).unwrap_or_default();
        Section {
            name: String::from_utf8_lossy(name).into_owned(),
            address: section.sh_addr(endian).into(),
            size: section.sh_size(endian).into(),
        }
    });
    named.filter(|section| section.name != ".tbss").collect()
}

/// What the dynamic section points at.
struct ElfTables<'data, Elf: FileHeader<Endian = Endianness>> {
    endian: Endianness,
    arch: Arch,
    segments: Vec<Segment<'data>>,
    symbols: Entries<'data, Elf::Sym>,
    strings: Data<'data>,
    needed: Vec<String>,
    gnu_hash: Option<u64>,
    hash: Option<u64>,
    rela: Vec<Entries<'data, Elf::Rela>>,
    rel: Vec<Entries<'data, Elf::Rel>>,
    relr: &'data [Elf::Relr],
    /// Android's packed relocations, and whether they have addends of their own.
    packed: Vec<(&'data [u8], bool)>,
    init_array: Option<(u64, u64)>,
    /// Which version each dynamic symbol has.
    versions: Option<u64>,
    /// Whether the file's own definitions come before those of others.
    symbolic: bool,
}

/// The bytes of the file from `address` to the end of its segment's data.
fn data_from<'data>(segments: &[Segment<'data>], address: u64) -> Option<Data<'data>> {
    let segment = segments.iter().find(|segment| segment.contains(address))?;
    segment.data.after(address.checked_sub(segment.address)?)
}

/// Some bytes of the file at `address`, as many as any number has.
fn bytes_from<'data>(segments: &[Segment<'data>], address: u64) -> Option<&'data [u8]> {
    Some(data_from(segments, address)?.window(0))
}

/// As many whole entries as the `size` bytes at `address` hold, and the file has.
fn table<'data, T: Pod>(segments: &[Segment<'data>], address: u64, size: u64) -> Entries<'data, T> {
    let data = data_from(segments, address).unwrap_or(Data::EMPTY);
    Entries::new(data.clamped(0, size), usize::MAX)
}

/// The same, side by side.
fn slice<'data, T: Pod>(segments: &[Segment<'data>], address: u64, size: u64) -> &'data [T] {
    let bytes = data_from(segments, address).unwrap_or(Data::EMPTY).clamped(0, size).whole();
    let count = bytes.len().checked_div(size_of::<T>()).unwrap_or(0);
    object::slice_from_bytes(bytes, count).map_or(&[], |(entries, _)| entries)
}

impl<'data, Elf: FileHeader<Endian = Endianness>> ElfTables<'data, Elf> {
    fn new(endian: Endianness, arch: Arch, segments: &[Segment<'data>], dynamic: &'data [Elf::Dyn]) -> Self {
        let mut values: HashMap<i64, u64> = HashMap::new();
        let mut needed = Vec::new();
        for entry in dynamic.iter().take_while(|entry| entry.d_tag(endian) != elf::DT_NULL) {
            let value = entry.d_val(endian).into();
            if entry.d_tag(endian) == elf::DT_NEEDED {
                needed.push(value);
            } else {
                values.insert(entry.d_tag(endian).0, value);
            }
        }
        let value = |tag: elf::DynamicTag| values.get(&tag.0).copied();
        let strings = value(elf::DT_STRTAB).and_then(|address| data_from(segments, address)).unwrap_or(Data::EMPTY);
        let strings = strings.clamped(0, value(elf::DT_STRSZ).unwrap_or(u64::MAX));
        let sized = |address, size| value(address).zip(value(size));
        let mut rela = Vec::new();
        let mut rel = Vec::new();
        if let Some((address, size)) = sized(elf::DT_RELA, elf::DT_RELASZ) {
            rela.push(table(segments, address, size));
        }
        if let Some((address, size)) = sized(elf::DT_REL, elf::DT_RELSZ) {
            rel.push(table(segments, address, size));
        }
        if let Some((address, size)) = sized(elf::DT_JMPREL, elf::DT_PLTRELSZ) {
            if value(elf::DT_PLTREL) == Some(elf::DT_REL.0.cast_unsigned()) {
                rel.push(table(segments, address, size));
            } else {
                rela.push(table(segments, address, size));
            }
        }
        let relr = sized(elf::DT_RELR, elf::DT_RELRSZ).or_else(|| sized(elf::DT_ANDROID_RELR, elf::DT_ANDROID_RELRSZ));
        let relr = relr.map_or(&[][..], |(address, size)| slice(segments, address, size));
        let packed =
            [(elf::DT_ANDROID_RELA, elf::DT_ANDROID_RELASZ, true), (elf::DT_ANDROID_REL, elf::DT_ANDROID_RELSZ, false)];
        let packed = packed.into_iter().filter_map(|(address, size, addends)| {
            let (address, size) = sized(address, size)?;
            Some((slice::<u8>(segments, address, size), addends))
        });
        let symbols = value(elf::DT_SYMTAB).map_or(Entries::EMPTY, |address| table(segments, address, u64::MAX));
        let mut tables = Self {
            endian,
            arch,
            segments: segments.to_vec(),
            symbols,
            strings,
            needed: Vec::new(),
            gnu_hash: value(elf::DT_GNU_HASH),
            hash: value(elf::DT_HASH),
            rela,
            rel,
            relr,
            packed: packed.collect(),
            init_array: sized(elf::DT_INIT_ARRAY, elf::DT_INIT_ARRAYSZ),
            versions: value(elf::DT_VERSYM),
            symbolic: value(elf::DT_SYMBOLIC).is_some()
                || value(elf::DT_FLAGS).is_some_and(|flags| flags & elf::DF_SYMBOLIC.0 != 0),
        };
        tables.needed = needed.into_iter().filter_map(|offset| tables.string(offset)).collect();
        tables
    }

    fn string_bytes(&self, offset: u64) -> Option<&'data [u8]> {
        self.strings.text(offset, usize::MAX)
    }

    fn string(&self, offset: u64) -> Option<String> {
        self.string_bytes(offset).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    fn name_of(&self, symbol: &Elf::Sym) -> Option<&'data [u8]> {
        self.string_bytes(u64::from(symbol.st_name(self.endian)))
    }

    fn word(&self, address: u64) -> Option<u32> {
        let bytes = bytes_from(&self.segments, address)?.first_chunk::<4>()?;
        Some(if self.endian.is_big_endian() { u32::from_be_bytes(*bytes) } else { u32::from_le_bytes(*bytes) })
    }

    /// The number of dynamic symbols, which only the hash tables tell.
    fn symbol_count(&self) -> usize {
        if let Some(count) = self.hash.and_then(|table| self.word(table.checked_add(4)?)) {
            return self.symbols.len().min(count as usize);
        }
        self.symbols.len().min(self.gnu_symbol_count().unwrap_or(0) as usize)
    }

    /// The number of symbols as the GNU hash table shows it: where the last of its chains ends. `None` when it has no symbols, or is
    /// not all there.
    fn gnu_symbol_count(&self) -> Option<u32> {
        let data = data_from(&self.segments, self.gnu_hash?)?;
        let word = |entries: &Entries<'_, U32<Endianness>>, index: usize| Some(entries.get(index)?.get(self.endian));
        let header = Entries::<U32<Endianness>>::new(data, 4);
        let (bucket_count, first_symbol, bloom_count) = (word(&header, 0)?, word(&header, 1)?, word(&header, 2)?);
        let bloom = u64::from(bloom_count).checked_mul(size_of::<Elf::Word>() as u64)?;
        let buckets = data.after(bloom.checked_add(16)?)?;
        let chains = buckets.after(u64::from(bucket_count).checked_mul(4)?)?;
        let buckets = Entries::<U32<Endianness>>::new(buckets, usize::try_from(bucket_count).ok()?);
        let last = buckets.iter().map(|bucket| bucket.get(self.endian)).max().filter(|_| first_symbol != 0)?;
        // The lowest bit of a hash says that it is the last of its chain.
        let chains = Entries::<U32<Endianness>>::new(chains, usize::MAX);
        let start = usize::try_from(last.checked_sub(first_symbol)?).ok()?;
        let mut length = 0u32;
        while word(&chains, start.checked_add(length as usize)?)? & 1 == 0 {
            length = length.checked_add(1)?;
        }
        last.checked_add(length)?.checked_add(1)
    }

    /// Looks a name up in the GNU hash table, as `dlsym` does. `None` when there is no such table; it then takes the slow way.
    fn gnu_lookup(&self, name: &[u8]) -> Option<Option<&'data Elf::Sym>> {
        let table = self.gnu_hash?;
        let bucket_count = self.word(table)?;
        let first_symbol = self.word(table.checked_add(4)?)?;
        let bloom_count = self.word(table.checked_add(8)?)?;
        let hash = object::elf::gnu_hash(name);
        let word = size_of::<Elf::Word>() as u64;
        let buckets = table.checked_add(16)?.checked_add(u64::from(bloom_count).checked_mul(word)?)?;
        let chains = buckets.checked_add(u64::from(bucket_count).checked_mul(4)?)?;
        // A lookup begins with the Bloom filter, and ends there when it says no.
        let bits = 8 * word;
        let shift = self.word(table.checked_add(12)?)?;
        let index = u64::from(hash).checked_div(bits)? & u64::from(bloom_count.checked_sub(1)?);
        let place = table.checked_add(16)?.checked_add(index * word)?;
        let filter = (0..word / 4).try_fold(0u64, |filter, part| {
            let half = u64::from(self.word(place.checked_add(4 * part)?)?);
            Some(if self.endian.is_big_endian() { filter << 32 | half } else { filter | half << (32 * part) })
        })?;
        let set = |hash: u32| filter >> (u64::from(hash) % bits) & 1 == 1;
        if !set(hash) || !set(hash.checked_shr(shift).unwrap_or(0)) {
            return Some(None);
        }
        let bucket = hash.checked_rem(bucket_count)?;
        let mut index = self.word(buckets.checked_add(u64::from(bucket) * 4)?)?;
        if index < first_symbol {
            return Some(None);
        }
        loop {
            let chain = chains.checked_add(u64::from(index.checked_sub(first_symbol)?) * 4)?;
            let value = self.word(chain)?;
            if value | 1 == hash | 1 {
                let symbol = self.symbols.get(index as usize)?;
                if self.name_of(symbol) == Some(name) && self.is_default(index) {
                    return Some(Some(symbol));
                }
            }
            if value & 1 != 0 {
                return Some(None);
            }
            index = index.checked_add(1)?;
        }
    }

    /// Whether a lookup without a version finds this symbol: not one of a version that is there for old files only.
    fn is_default(&self, index: u32) -> bool {
        // VERSYM_HIDDEN, System V ABI, symbol versioning.
        let place = |table: u64| table.checked_add(2 * u64::from(index));
        let bytes = self.versions.and_then(place).and_then(|place| bytes_from(&self.segments, place));
        let Some(bytes) = bytes.and_then(|bytes| bytes.first_chunk::<2>()) else { return true };
        let version = if self.endian.is_big_endian() { u16::from_be_bytes(*bytes) } else { u16::from_le_bytes(*bytes) };
        version & 0x8000 == 0
    }

    /// Whether the loader takes the C library's definition in place of this file's own: the global scope comes first.
    fn is_interposed(&self, symbol: &Elf::Sym) -> bool {
        !self.symbolic
            && symbol.st_visibility() == elf::STV_DEFAULT
            && self.defined(symbol).is_some()
            && self.name_of(symbol).is_some_and(|name| GLOBAL_SCOPE.contains(name))
    }

    fn defined(&self, symbol: &Elf::Sym) -> Option<u64> {
        let section = symbol.st_shndx(self.endian);
        let visible = matches!(symbol.st_bind(), elf::STB_GLOBAL | elf::STB_WEAK | elf::STB_GNU_UNIQUE);
        (section != elf::SHN_UNDEF && visible).then(|| symbol.st_value(self.endian).into())
    }

    /// One relocation. `addend` is the relocation's own, or what the place holds.
    fn relocation(
        &self,
        place: u64,
        r_type: u32,
        symbol: u32,
        addend: i64,
        imports: &mut Imports<'data>,
    ) -> Option<(u64, Cell)> {
        let kind = kind(self.arch, r_type)?;
        let symbol = (symbol != 0).then(|| self.symbols.get(symbol as usize)).flatten();
        let value = symbol.map_or(0, |symbol| symbol.st_value(self.endian).into());
        let undefined =
            symbol.is_some_and(|symbol| symbol.st_shndx(self.endian) == elf::SHN_UNDEF || self.is_interposed(symbol));
        let addend = if kind == Kind::Slot && self.arch != Arch::Aarch64 { 0 } else { addend };
        let sum = value.wrapping_add_signed(addend);
        let cell = match kind {
            Kind::Relative => Cell::Address(addend.cast_unsigned()),
            Kind::Indirect => Cell::Import(imports.index(b"*indirect function*"), 0),
            Kind::ThreadModule => Cell::Address(1),
            Kind::Symbol | Kind::Slot if undefined => {
                Cell::Import(imports.index(symbol.and_then(|symbol| self.name_of(symbol)).unwrap_or_default()), addend)
            }
            // An offset into another module's TLS block says nothing here.
            Kind::ThreadModuleOffset | Kind::ThreadOffset | Kind::ThreadDescriptor if undefined => return None,
            Kind::Symbol | Kind::Slot | Kind::ThreadModuleOffset => Cell::Address(sum),
            Kind::ThreadOffset => Cell::ThreadOffset(sum),
            Kind::ThreadDescriptor => Cell::ThreadDescriptor(sum),
        };
        let mask = if Elf::is_type_64_sized() { u64::MAX } else { u64::from(u32::MAX) };
        let cell = if let Cell::Address(address) = cell { Cell::Address(address & mask) } else { cell };
        Some((place, cell))
    }

    fn in_place(&self, place: u64) -> i64 {
        let Some(bytes) = bytes_from(&self.segments, place) else { return 0 };
        let big = self.endian.is_big_endian();
        if Elf::is_type_64_sized() {
            let word = bytes.first_chunk::<8>().copied().unwrap_or_default();
            if big { i64::from_be_bytes(word) } else { i64::from_le_bytes(word) }
        } else {
            let word = bytes.first_chunk::<4>().copied().unwrap_or_default();
            i64::from(if big { i32::from_be_bytes(word) } else { i32::from_le_bytes(word) })
        }
    }
}

/// The imports met so far, each once.
#[derive(Default)]
struct Imports<'data> {
    names: Vec<String>,
    indices: HashMap<&'data [u8], u32>,
}

impl<'data> Imports<'data> {
    fn index(&mut self, name: &'data [u8]) -> u32 {
        *self.indices.entry(name).or_insert_with(|| {
            self.names.push(String::from_utf8_lossy(name).into_owned());
            u32::try_from(self.names.len() - 1).unwrap_or(u32::MAX)
        })
    }
}

impl<'data, Elf: FileHeader<Endian = Endianness>> Tables for ElfTables<'data, Elf> {
    fn cells(&self) -> Cells {
        let mut imports = Imports::default();
        let mut places = Vec::with_capacity(self.rela.iter().map(Entries::len).sum());
        // RELR is applied first by glibc and musl alike; its addends are in place.
        let relocated: u64 = self.relr.len() as u64;
        // Every bit of a RELR bitmap is one place: bounded by 63 places per entry.
        for place in RelrIterator::<Elf>::new(self.endian, self.relr).take((relocated as usize).saturating_mul(64)) {
            let place = place.into();
            places.push((place, Cell::Address(self.in_place(place).cast_unsigned())));
        }
        for entry in self.rela.iter().flat_map(Entries::iter) {
            let r_type = entry.r_type(self.endian, false).0;
            let symbol = entry.r_sym(self.endian, false);
            let addend = entry.r_addend(self.endian).into();
            places.extend(self.relocation(entry.r_offset(self.endian).into(), r_type, symbol, addend, &mut imports));
        }
        for entry in self.rel.iter().flat_map(Entries::iter) {
            let place = entry.r_offset(self.endian).into();
            let addend = self.in_place(place);
            let r_type = entry.r_type(self.endian).0;
            places.extend(self.relocation(place, r_type, entry.r_sym(self.endian), addend, &mut imports));
        }
        let mut incomplete = None;
        for (bytes, addends) in &self.packed {
            let mut add = |entry: android::Relocation| {
                let (symbol, r_type) = if Elf::is_type_64_sized() {
                    ((entry.info >> 32) as u32, entry.info as u32)
                } else {
                    ((entry.info >> 8) as u32 & 0xff_ffff, entry.info as u32 & 0xff)
                };
                let addend = if *addends { entry.addend } else { self.in_place(entry.offset) };
                places.extend(self.relocation(entry.offset, r_type, symbol, addend, &mut imports));
            };
            if let Err(error) = android::unpack(bytes, &mut add) {
                incomplete = Some(error.to_owned());
            }
        }
        let mut cells = Cells::new(places, imports.names);
        cells.incomplete = incomplete;
        cells
    }

    fn export(&self, name: &str) -> Option<Export> {
        let name = name.as_bytes();
        let symbol = match self.gnu_lookup(name) {
            Some(found) => found,
            None => {
                let found = |(index, symbol): &(usize, &Elf::Sym)| {
                    let default = self.is_default(u32::try_from(*index).unwrap_or(0));
                    self.name_of(symbol) == Some(name) && self.defined(symbol).is_some() && default
                };
                self.symbols.first(self.symbol_count()).enumerate().find(found).map(|(_, symbol)| symbol)
            }
        };
        let symbol = symbol?;
        let address = self.defined(symbol)?;
        Some(if symbol.st_type() == elf::STT_GNU_IFUNC { Export::Indirect(address) } else { Export::Address(address) })
    }

    fn exports_starting(&self, prefix: &str) -> Vec<String> {
        let symbols = self.symbols.first(self.symbol_count());
        let named = symbols.filter(|symbol| self.defined(symbol).is_some()).filter_map(|symbol| self.name_of(symbol));
        let mut names: Vec<String> = named
            .filter(|name| name.starts_with(prefix.as_bytes()))
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect();
        names.sort();
        names
    }

    fn needed(&self) -> Vec<String> {
        self.needed.clone()
    }

    fn undefined(&self) -> (Vec<(String, bool)>, bool) {
        // Names may overlap, so that a small file can spell out far more than it has bytes.
        let mut budget = self.strings.len().saturating_mul(4);
        let count = self.symbol_count();
        let mut names = Vec::new();
        for symbol in self.symbols.first(count).skip(1).filter(|symbol| symbol.st_shndx(self.endian) == elf::SHN_UNDEF)
        {
            let Some(name) = self.name_of(symbol) else { return (names, false) };
            let Some(rest) = budget.checked_sub(name.len()) else { return (names, false) };
            budget = rest;
            names.push((String::from_utf8_lossy(name).into_owned(), symbol.st_bind() == elf::STB_WEAK));
        }
        (names, count != 0)
    }

    fn initializers(&self) -> Vec<(u64, u64)> {
        self.init_array.into_iter().collect()
    }
}
