//! PE, as the Windows loader reads it: by addresses relative to the image base, wherever in the file they lie. `delvewheel` moves the
//! names of libraries to a section of their own, so that no table can be expected to lie in one piece.

use std::collections::HashMap;

use gilaudit_model::{Arch, Format};
use object::read::pe::{ImageNtHeaders, ImageOptionalHeader, ImageThunkData};
use object::{LittleEndian as LE, Pod, U16, U32, U64, pe};

use super::imports::Imports;
use super::{Cell, Cells, Export, Image, Section, Segment, Tables};
use crate::data::{Data, Entries};

/// Sections of one file. The PE specification says that Windows loads no more than 96; MinGW's debugging sections make about twenty.
const SECTION_LIMIT: usize = 256;

/// A name that is longer is not read. Mangled C++ names of more than ten thousand characters exist.
const NAME_LIMIT: usize = 1 << 16;

/// Opens a PE file.
pub(crate) fn open<'data>(data: impl Into<Data<'data>>) -> Result<Image<'data>, String> {
    let data = data.into();
    match object::read::pe::optional_header_magic(data).map_err(|error| error.to_string())? {
        pe::IMAGE_NT_OPTIONAL_HDR64_MAGIC => read::<pe::ImageNtHeaders64>(data),
        pe::IMAGE_NT_OPTIONAL_HDR32_MAGIC => read::<pe::ImageNtHeaders32>(data),
        _ => Err("neither a 32-bit nor a 64-bit PE file".to_owned()),
    }
}

fn arch(machine: pe::Machine) -> Arch {
    match machine {
        pe::IMAGE_FILE_MACHINE_AMD64 => Arch::X86_64,
        pe::IMAGE_FILE_MACHINE_I386 => Arch::X86,
        pe::IMAGE_FILE_MACHINE_ARM64 => Arch::Aarch64,
        pe::IMAGE_FILE_MACHINE_ARMNT => Arch::Arm,
        _ => Arch::Other,
    }
}

fn read<'data, Pe: ImageNtHeaders>(data: Data<'data>) -> Result<Image<'data>, String> {
    let error = |error: object::Error| error.to_string();
    let dos = pe::ImageDosHeader::parse(data).map_err(error)?;
    let mut offset = dos.nt_headers_offset().into();
    let (headers, directories) = Pe::parse(data, &mut offset).map_err(error)?;
    if !headers.file_header().characteristics.get(LE).contains(pe::IMAGE_FILE_DLL) {
        return Err("a PE file, but not a DLL".to_owned());
    }
    let table = headers.sections(data, offset).map_err(error)?;
    if table.len() > SECTION_LIMIT {
        return Err(format!("{} sections, more than Windows loads", table.len()));
    }
    let optional = headers.optional_header();
    let base = optional.image_base();
    // With that, no address in the image overflows.
    base.checked_add(1 << 32).ok_or("an image base at the end of memory")?;

    let paged = optional.section_alignment() >= PAGE;
    let header_size = optional.size_of_headers();
    let mut segments = vec![Segment {
        address: base,
        size: header_size.into(),
        data: data.clamped(0, header_size.into()),
        executable: false,
        writable: false,
    }];
    let strings = headers.symbols(data).ok();
    let mut sections = Vec::new();
    for section in table.iter() {
        let raw = section.size_of_raw_data.get(LE);
        let virtual_size = section.virtual_size.get(LE);
        let size = if virtual_size == 0 { raw } else { virtual_size };
        let address = base + u64::from(section.virtual_address.get(LE));
        let name = strings.as_ref().and_then(|symbols| section.name(symbols.strings()).ok());
        let name = name.unwrap_or_else(|| section.raw_name());
        sections.push(Section { name: String::from_utf8_lossy(name).into_owned(), address, size: size.into() });
        // The loader maps whole pages, and finds them at a multiple of the disk's sector size.
        let mapped = if paged { size.checked_next_multiple_of(PAGE).unwrap_or(size) } else { size };
        let start = section.pointer_to_raw_data.get(LE);
        let start = if paged { start & !(SECTOR - 1) } else { start };
        let flags = section.characteristics.get(LE);
        segments.push(Segment {
            address,
            size: mapped.into(),
            data: data.clamped(start.into(), raw.min(mapped).into()),
            executable: flags.contains(pe::IMAGE_SCN_MEM_EXECUTE),
            writable: flags.contains(pe::IMAGE_SCN_MEM_WRITE),
        });
    }
    let directory = |index: usize| {
        let entry = directories.get(index)?;
        Some((entry.virtual_address.get(LE), entry.size.get(LE)))
    };
    let tables = PeTables::<Pe> {
        length: data.len(),
        base,
        segments: segments.clone(),
        imports: directory(pe::IMAGE_DIRECTORY_ENTRY_IMPORT).map(|entry| entry.0),
        delayed: directory(pe::IMAGE_DIRECTORY_ENTRY_DELAY_IMPORT).map(|entry| entry.0),
        exports: directory(pe::IMAGE_DIRECTORY_ENTRY_EXPORT),
        headers: std::marker::PhantomData,
    };
    let thread_local = directory(pe::IMAGE_DIRECTORY_ENTRY_TLS).and_then(|entry| tables.thread_local(entry.0));
    let hybrid = directory(pe::IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG).is_some_and(|entry| tables.is_hybrid(entry.0));
    let arch = if hybrid { Arch::Other } else { arch(headers.file_header().machine.get(LE)) };
    let pointer = tables.pointer();
    Ok(Image::new(Format::Pe, arch, pointer, false, segments, sections, thread_local, Box::new(tables)))
}

/// The page size of every architecture that Windows runs on.
const PAGE: u32 = 0x1000;
const SECTOR: u32 = 0x200;

/// What the data directories point at.
struct PeTables<'data, Pe> {
    length: usize,
    base: u64,
    segments: Vec<Segment<'data>>,
    imports: Option<u32>,
    delayed: Option<u32>,
    exports: Option<(u32, u32)>,
    headers: std::marker::PhantomData<Pe>,
}

/// One library's imports: addresses relative to the image base.
struct Library {
    name: u32,
    /// The names and ordinals.
    lookup: u32,
    /// Where the loader writes the addresses.
    table: u32,
}

impl<'data, Pe: ImageNtHeaders> PeTables<'data, Pe> {
    fn pointer(&self) -> u8 {
        if size_of::<Pe::ImageThunkData>() == 8 { 8 } else { 4 }
    }

    /// The bytes of the file from an address to the end of its section.
    fn at(&self, address: u32) -> Option<Data<'data>> {
        let address = self.base.checked_add(address.into())?;
        let segment = self.segments.iter().find(|segment| segment.contains(address))?;
        segment.data.after(address.checked_sub(segment.address)?)
    }

    /// As many whole entries as the section has of `count`.
    fn table<T: Pod>(&self, address: u32, count: u32) -> Entries<'data, T> {
        Entries::new(self.at(address).unwrap_or(Data::EMPTY), usize::try_from(count).unwrap_or(usize::MAX))
    }

    fn one<T: Pod>(&self, address: u32) -> Option<&'data T> {
        self.table(address, 1).get(0)
    }

    fn name(&self, address: u32) -> Option<&'data [u8]> {
        self.at(address)?.text(0, NAME_LIMIT)
    }

    /// The initial values of a thread's variables, and the zeros after them.
    fn thread_local(&self, directory: u32) -> Option<(u64, u64)> {
        let (start, end, zeros) = if self.pointer() == 8 {
            let directory = self.one::<pe::ImageTlsDirectory64>(directory)?;
            let raw = (directory.start_address_of_raw_data.get(LE), directory.end_address_of_raw_data.get(LE));
            (raw.0, raw.1, directory.size_of_zero_fill.get(LE))
        } else {
            let directory = self.one::<pe::ImageTlsDirectory32>(directory)?;
            let raw = (directory.start_address_of_raw_data.get(LE), directory.end_address_of_raw_data.get(LE));
            (raw.0.into(), raw.1.into(), directory.size_of_zero_fill.get(LE))
        };
        Some((start, end.checked_sub(start)?.checked_add(zeros.into())?))
    }

    /// Whether the file holds code for two architectures. An ARM64EC file calls itself x86-64, and an ARM64X file ARM64, but what an
    /// export leads to may be code of the other.
    fn is_hybrid(&self, load_config: u32) -> bool {
        // `CHPEMetadataPointer` in IMAGE_LOAD_CONFIG_DIRECTORY64.
        const METADATA: u32 = 200;
        let reaches = self.one::<U32<LE>>(load_config).is_some_and(|size| size.get(LE) >= METADATA + 8);
        let metadata = || self.one::<U64<LE>>(load_config.checked_add(METADATA)?);
        self.pointer() == 8 && reaches && metadata().is_some_and(|metadata| metadata.get(LE) != 0)
    }

    /// The libraries in the import directory, which ends with an entry of zeros, and those that are loaded on first use.
    fn libraries(&self) -> Vec<Library> {
        let imports =
            self.imports.map_or(Entries::EMPTY, |address| self.table::<pe::ImageImportDescriptor>(address, u32::MAX));
        // The loader stops at an entry without a name or without a table.
        let listed = |entry: &&pe::ImageImportDescriptor| entry.name.get(LE) != 0 && entry.first_thunk.get(LE) != 0;
        let imports = imports.iter().take_while(listed).map(|entry| {
            let table = entry.first_thunk.get(LE);
            // Some linkers write the names into the table that the loader overwrites.
            let lookup = Some(entry.original_first_thunk.get(LE)).filter(|lookup| *lookup != 0).unwrap_or(table);
            Library { name: entry.name.get(LE), lookup, table }
        });
        let delayed = self
            .delayed
            .map_or(Entries::EMPTY, |address| self.table::<pe::ImageDelayloadDescriptor>(address, u32::MAX));
        let delayed = delayed.iter().take_while(|entry| entry.dll_name_rva.get(LE) != 0).map(|entry| {
            // Visual C++ 6 wrote addresses that include the image base.
            let absolute = entry.attributes.get(LE) & pe::IMAGE_DELAYLOAD_RVA_BASED == 0;
            let relative = |address: u32| if absolute { address.wrapping_sub(self.base as u32) } else { address };
            Library {
                name: relative(entry.dll_name_rva.get(LE)),
                lookup: relative(entry.import_name_table_rva.get(LE)),
                table: relative(entry.import_address_table_rva.get(LE)),
            }
        });
        imports.chain(delayed).collect()
    }

    /// One library's imports. `known` has the indices of names already met, by their address.
    fn library(
        &self,
        library: &Library,
        places: &mut Vec<(u64, Cell)>,
        budget: &mut usize,
        imports: &mut Imports,
        known: &mut HashMap<u32, u32>,
    ) -> Result<(), String> {
        const NAMES: &str = "more names than the file can hold";
        let dll = self.name(library.name).ok_or("imports from a library whose name cannot be read")?;
        let failed = |what: &str| format!("imports from {}: {what}", String::from_utf8_lossy(dll));
        let width = u32::from(self.pointer());
        let mut place = library.table;
        for thunk in self.table::<Pe::ImageThunkData>(library.lookup, u32::MAX).iter() {
            if thunk.raw() == 0 {
                return Ok(());
            }
            *budget = budget.checked_sub(1).ok_or_else(|| failed("more than the file can hold"))?;
            let index = if thunk.is_ordinal() {
                let name = [dll, b"#", thunk.ordinal().to_string().as_bytes()].concat();
                imports.index(&name).ok_or_else(|| failed(NAMES))?
            } else if let Some(index) = known.get(&thunk.address()) {
                *index
            } else {
                // Two bytes before the name are a hint where to find it.
                let name = thunk.address().checked_add(2).and_then(|address| self.name(address));
                let index = imports.index(name.ok_or_else(|| failed("a name that cannot be read"))?);
                let index = index.ok_or_else(|| failed(NAMES))?;
                known.insert(thunk.address(), index);
                index
            };
            places.push((self.base.wrapping_add(place.into()), Cell::Import(index, 0)));
            place = place.checked_add(width).ok_or_else(|| failed("a table that ends beyond the image"))?;
        }
        Err(failed("a list without an end"))
    }

    /// The names in the export directory and where they lead, an address relative to the image base each.
    fn exports(&self) -> impl Iterator<Item = (u32, u32)> + use<'data, Pe> {
        let directory = self.exports.and_then(|entry| self.one::<pe::ImageExportDirectory>(entry.0));
        let (names, indices, addresses) =
            directory.map_or((Entries::EMPTY, Entries::EMPTY, Entries::EMPTY), |directory| {
                let count = directory.number_of_names.get(LE);
                let names = self.table::<U32<LE>>(directory.address_of_names.get(LE), count);
                let indices = self.table::<U16<LE>>(directory.address_of_name_ordinals.get(LE), count);
                let functions = directory.number_of_functions.get(LE);
                (names, indices, self.table::<U32<LE>>(directory.address_of_functions.get(LE), functions))
            });
        names.iter().zip(indices.iter()).filter_map(move |(name, index)| {
            let address = addresses.get(usize::from(index.get(LE)))?.get(LE);
            (address != 0).then(|| (name.get(LE), address))
        })
    }
}

impl<Pe: ImageNtHeaders> Tables for PeTables<'_, Pe> {
    /// The import address tables. Base relocations are not read: they add the distance to the image base that the file was linked
    /// for, which is zero here, so that every pointer in the file is right as it is.
    fn cells(&self) -> Cells {
        let mut places = Vec::new();
        let mut imports = Imports::new(self.length);
        let mut known = HashMap::new();
        let mut incomplete = None;
        // No more than there is room for in the file.
        let mut budget = self.length.checked_div(self.pointer().into()).unwrap_or(0);
        for library in self.libraries() {
            if let Err(error) = self.library(&library, &mut places, &mut budget, &mut imports, &mut known) {
                incomplete.get_or_insert(error);
            }
        }
        let mut cells = Cells::new(places, imports.into_names());
        cells.incomplete = incomplete;
        cells
    }

    fn export(&self, name: &str) -> Option<Export> {
        // Compared in time that does not depend on how long the name in the file is.
        let named = |address: u32| {
            self.at(address).is_some_and(|bytes| bytes.has(0, name.as_bytes()) && bytes.has(name.len(), &[0]))
        };
        let (_, address) = self.exports().find(|(text, _)| named(*text))?;
        let (start, size) = self.exports?;
        // An address inside the export directory is that of a text, "LIBRARY.name" or "LIBRARY.#ordinal".
        if address.checked_sub(start).is_some_and(|offset| offset < size) {
            return Some(Export::Forward(String::from_utf8_lossy(self.name(address)?).into_owned()));
        }
        Some(Export::Address(self.base.wrapping_add(address.into())))
    }

    fn exports_starting(&self, prefix: &str) -> Vec<String> {
        let mut budget = self.length.saturating_mul(4);
        let starting = |address: u32| self.at(address).is_some_and(|bytes| bytes.has(0, prefix.as_bytes()));
        let mut names = Vec::new();
        for (address, _) in self.exports().filter(|(name, _)| starting(*name)) {
            let Some(name) = self.name(address) else { continue };
            let Some(rest) = budget.checked_sub(name.len()) else { break };
            budget = rest;
            names.push(String::from_utf8_lossy(name).into_owned());
        }
        names.sort();
        names
    }

    fn needed(&self) -> Vec<String> {
        let mut budget = self.length.saturating_mul(4);
        let mut names: Vec<String> = Vec::new();
        for library in self.libraries() {
            let Some(name) = self.name(library.name) else { continue };
            let Some(rest) = budget.checked_sub(name.len()) else { break };
            budget = rest;
            names.push(String::from_utf8_lossy(name).into_owned());
        }
        names
    }
}

#[cfg(test)]
mod tests;
