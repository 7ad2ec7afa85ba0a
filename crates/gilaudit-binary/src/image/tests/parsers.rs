//! Two readers that share nothing must agree: this crate's images against goblin, on exports, imports and relocations of every ELF and
//! PE file among the fixtures. `GILAUDIT_FILES=FOLDER cargo test -p gilaudit-binary --release parsers -- --nocapture` does the same
//! for every such file below a folder.
//!
//! What goblin does not read is left out: relocations packed as DT_RELR or in Android's format, and PE's delayed imports.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use goblin::elf::{Elf, Reloc, reloc, sym};

use crate::image::{Cell, Export, Image, open_elf, open_pe};

/// What goblin has no name for. Generic ABI, and Android's `bionic/libc/include/elf.h`.
const DT_RELR: u64 = 36;
const DT_ANDROID_RELA: u64 = 0x6000_0011;

/// Fixtures that are not to be read, or only in part.
const DAMAGED: [&str; 3] = ["truncated", "corrupt", "no_extension"];

/// The files to compare: the fixtures, and those of the folder that is asked for.
fn files() -> Vec<PathBuf> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/binaries");
    let mut waiting = vec![fixtures.clone()];
    waiting.extend(std::env::var_os("GILAUDIT_FILES").map(PathBuf::from));
    let mut files = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let damaged = folder == fixtures && DAMAGED.iter().any(|name| path.ends_with(name));
            if path.is_symlink() || damaged {
                continue;
            } else if path.is_dir() {
                waiting.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// What a relocation is to write, worked out from goblin's view alone. `None` for what is no whole pointer.
fn expected(elf: &Elf<'_>, entry: &Reloc, in_place: i64) -> Option<Result<Cell, String>> {
    use goblin::elf::header::{EM_386, EM_AARCH64, EM_ARM, EM_RISCV, EM_S390, EM_X86_64};
    let machine = elf.header.e_machine;
    let (relative, absolute, slots, indirect, thread_local) = match machine {
        EM_X86_64 => (
            reloc::R_X86_64_RELATIVE,
            reloc::R_X86_64_64,
            [reloc::R_X86_64_GLOB_DAT, reloc::R_X86_64_JUMP_SLOT],
            reloc::R_X86_64_IRELATIVE,
            [reloc::R_X86_64_DTPMOD64, reloc::R_X86_64_DTPOFF64, reloc::R_X86_64_TPOFF64, reloc::R_X86_64_TLSDESC],
        ),
        EM_AARCH64 => (
            reloc::R_AARCH64_RELATIVE,
            reloc::R_AARCH64_ABS64,
            [reloc::R_AARCH64_GLOB_DAT, reloc::R_AARCH64_JUMP_SLOT],
            reloc::R_AARCH64_IRELATIVE,
            [
                reloc::R_AARCH64_TLS_DTPMOD,
                reloc::R_AARCH64_TLS_DTPREL,
                reloc::R_AARCH64_TLS_TPREL,
                reloc::R_AARCH64_TLSDESC,
            ],
        ),
        EM_386 => (
            reloc::R_386_RELATIVE,
            reloc::R_386_32,
            [reloc::R_386_GLOB_DAT, reloc::R_386_JMP_SLOT],
            reloc::R_386_IRELATIVE,
            [reloc::R_386_TLS_DTPMOD32, reloc::R_386_TLS_DTPOFF32, reloc::R_386_TLS_TPOFF, reloc::R_386_TLS_DESC],
        ),
        EM_ARM => (
            reloc::R_ARM_RELATIVE,
            reloc::R_ARM_ABS32,
            [reloc::R_ARM_GLOB_DAT, reloc::R_ARM_JUMP_SLOT],
            u32::MAX,
            [u32::MAX; 4],
        ),
        EM_RISCV => {
            (reloc::R_RISCV_RELATIVE, reloc::R_RISCV_64, [reloc::R_RISCV_JUMP_SLOT, u32::MAX], u32::MAX, [u32::MAX; 4])
        }
        // goblin has no names for these: R_390_RELATIVE, R_390_64, R_390_GLOB_DAT, R_390_JMP_SLOT of the s390x psABI.
        EM_S390 => (12, 22, [10, 11], u32::MAX, [u32::MAX; 4]),
        other => panic!("machine {other}"),
    };
    let addend = entry.r_addend.unwrap_or(in_place);
    let symbol = elf.dynsyms.get(entry.r_sym).filter(|_| entry.r_sym != 0);
    let name = symbol.as_ref().and_then(|symbol| elf.dynstrtab.get_at(symbol.st_name)).unwrap_or_default();
    let undefined = symbol.as_ref().is_some_and(|symbol| symbol.st_shndx == 0);
    let value = symbol.as_ref().map_or(0, |symbol| symbol.st_value);
    let sum = value.wrapping_add_signed(addend);
    let width = if elf.is_64 { u64::MAX } else { u64::from(u32::MAX) };
    let [module, offset, thread, descriptor] = thread_local;
    Some(Ok(match entry.r_type {
        kind if kind == relative => Cell::Address(addend.cast_unsigned() & width),
        kind if kind == indirect => return Some(Err("*indirect function* 0".to_owned())),
        kind if kind == absolute && undefined => return Some(Err(format!("{name} {addend}"))),
        kind if kind == absolute => Cell::Address(sum & width),
        kind if slots.contains(&kind) => {
            // The psABIs say S for these, but that of AArch64, which says S + A.
            let addend = if machine == EM_AARCH64 { addend } else { 0 };
            if undefined {
                return Some(Err(format!("{name} {addend}")));
            }
            Cell::Address(value.wrapping_add_signed(addend) & width)
        }
        kind if kind == module => Cell::Address(1),
        kind if [offset, thread, descriptor].contains(&kind) && undefined => return None,
        kind if kind == offset => Cell::Address(sum & width),
        kind if kind == thread => Cell::ThreadOffset(sum),
        kind if kind == descriptor => Cell::ThreadDescriptor(sum),
        _ => return None,
    }))
}

/// The number that a relocation without an addend of its own finds in place, read through goblin's program headers.
fn in_place(elf: &Elf<'_>, data: &[u8], address: u64) -> i64 {
    let segment = elf
        .program_headers
        .iter()
        .filter(|header| header.p_type == 1)
        .find(|header| address >= header.p_vaddr && address - header.p_vaddr < header.p_filesz);
    let Some(segment) = segment else { return 0 };
    let at = usize::try_from(address - segment.p_vaddr + segment.p_offset).unwrap();
    let bytes = data.get(at..).unwrap_or_default();
    match (elf.is_64, elf.little_endian) {
        (true, true) => i64::from_le_bytes(bytes[..8].try_into().unwrap()),
        (true, false) => i64::from_be_bytes(bytes[..8].try_into().unwrap()),
        (false, true) => i32::from_le_bytes(bytes[..4].try_into().unwrap()).into(),
        (false, false) => i32::from_be_bytes(bytes[..4].try_into().unwrap()).into(),
    }
}

/// A cell in a form that both sides can give: an import has a name and no index.
fn shown(image: &Image<'_>, cell: Cell) -> Result<Cell, String> {
    match cell {
        Cell::Import(index, addend) => Err(format!("{} {addend}", image.cells().import_name(index))),
        other => Ok(other),
    }
}

/// Compares one ELF file; the number of relocations compared.
fn compare_elf(data: &[u8]) -> usize {
    let (image, elf) = (open_elf(data).unwrap(), Elf::parse(data).unwrap());
    assert_eq!(image.needed(), elf.libraries);
    let mut exports: BTreeMap<&str, BTreeSet<(u64, bool)>> = BTreeMap::new();
    let mut names = Vec::new();
    for symbol in elf.dynsyms.iter() {
        // STB_GNU_UNIQUE is what the loader takes for global.
        if symbol.st_shndx != 0 && matches!(symbol.st_bind(), sym::STB_GLOBAL | sym::STB_WEAK | sym::STB_GNU_UNIQUE) {
            let name = elf.dynstrtab.get_at(symbol.st_name).unwrap();
            names.push(name.to_owned());
            exports.entry(name).or_default().insert((symbol.st_value, symbol.st_type() == sym::STT_GNU_IFUNC));
        }
    }
    names.sort();
    assert_eq!(image.exports_starting(""), names, "exports");
    for (name, places) in exports {
        let found = match image.export(name) {
            Some(Export::Address(address)) => (address, false),
            Some(Export::Indirect(address)) => (address, true),
            other => panic!("{name}: {other:?}"),
        };
        assert!(places.contains(&found), "{name}: {found:x?}, not {places:x?}");
    }
    // The last relocation of a place wins. Those of the PLT come after the others.
    let mut places: BTreeMap<u64, Result<Cell, String>> = BTreeMap::new();
    for entry in elf.dynrelas.iter().chain(elf.pltrelocs.iter().filter(|entry| entry.r_addend.is_some())) {
        places.extend(expected(&elf, &entry, 0).map(|cell| (entry.r_offset, cell)));
    }
    for entry in elf.dynrels.iter().chain(elf.pltrelocs.iter().filter(|entry| entry.r_addend.is_none())) {
        let addend = in_place(&elf, data, entry.r_offset);
        places.extend(expected(&elf, &entry, addend).map(|cell| (entry.r_offset, cell)));
    }
    for (place, cell) in &places {
        let found = image.cells().get(*place).map(|cell| shown(&image, cell));
        assert_eq!(found.as_ref(), Some(cell), "at {place:#x}");
    }
    let dynamic = elf.dynamic.as_ref().map(|dynamic| dynamic.dyns.as_slice()).unwrap_or_default();
    let packed = dynamic.iter().any(|entry| [DT_RELR, DT_ANDROID_RELA].contains(&entry.d_tag));
    let here = image.cells().range(0, u64::MAX);
    for (place, cell) in here.iter().filter(|(place, _)| !places.contains_key(place)) {
        assert!(packed && matches!(cell, Cell::Address(_)), "{cell:?} at {place:#x} is not in goblin's list");
    }
    // Every import of a relocation is an undefined symbol.
    let undefined: BTreeSet<&str> = elf
        .dynsyms
        .iter()
        .filter(|symbol| symbol.st_shndx == 0)
        .filter_map(|s| elf.dynstrtab.get_at(s.st_name))
        .collect();
    for name in image.cells().import_names() {
        assert!(undefined.contains(name.as_str()) || name == "*indirect function*", "import {name}");
    }
    places.len()
}

/// Compares one PE file; the number of imports and relocations compared.
fn compare_pe(data: &[u8]) -> usize {
    let (image, pe) = (open_pe(data).unwrap(), goblin::pe::PE::parse(data).unwrap());
    let base = image.segments.first().unwrap().address;
    let mut names: Vec<&str> = pe.exports.iter().filter_map(|export| export.name).collect();
    names.sort_unstable();
    assert_eq!(image.exports_starting(""), names, "exports");
    for export in &pe.exports {
        match export.name.map(|name| image.export(name)) {
            None => {}
            Some(Some(Export::Address(address))) => assert_eq!(address, base + export.rva as u64, "{:?}", export.name),
            Some(Some(Export::Forward(_))) => assert!(export.reexport.is_some(), "{:?}", export.name),
            Some(other) => panic!("{:?}: {other:?}", export.name),
        }
    }
    for import in &pe.imports {
        let place = base + import.offset as u64;
        let Some(Cell::Import(index, 0)) = image.cells().get(place) else { panic!("no import at {place:#x}") };
        let name = image.cells().import_name(index);
        let by_number = name.rsplit_once('#').is_some_and(|(dll, number)| {
            dll == import.dll && import.ordinal.to_string() == number && import.name.starts_with("ORDINAL")
        });
        assert!(name == import.name || by_number, "{name}, not {}", import.name);
    }
    // Base relocations are not needed to read a file at the address that it was linked for, but they say where pointers lie.
    let mut relocated = 0;
    for block in pe.relocation_data.iter().flat_map(|data| data.blocks()) {
        let block = block.unwrap();
        for word in block.words() {
            let word = word.unwrap();
            // IMAGE_REL_BASED_ABSOLUTE (0) is padding, HIGHLOW (3) and DIR64 (10) are pointers.
            if matches!(word.reloc_type(), 3 | 10) {
                let place = base + u64::from(block.rva) + u64::from(word.offset());
                let pointer = image.number(place, image.pointer).unwrap();
                assert!(image.segment(pointer).is_some(), "{pointer:#x} at {place:#x} leads nowhere");
                relocated += 1;
            }
        }
    }
    pe.imports.len() + relocated
}

/// Compares one file, and says how many entries it compared.
type Compare = fn(&[u8]) -> usize;

#[test]
fn agree_on_every_elf_and_pe_file() {
    let (mut elf, mut pe) = ((0, 0), (0, 0));
    let mut differing = Vec::new();
    for path in files() {
        let data = std::fs::read(&path).unwrap();
        let (count, compare): (&mut (usize, usize), Compare) = match data.first_chunk::<4>() {
            Some(b"\x7fELF") => (&mut elf, compare_elf),
            Some([b'M', b'Z', ..]) => (&mut pe, compare_pe),
            _ => continue,
        };
        match std::panic::catch_unwind(|| compare(&data)) {
            Ok(compared) => *count = (count.0 + 1, count.1 + compared),
            Err(_) => differing.push(path.display().to_string()),
        }
    }
    println!(
        "# {} ELF files with {} relocations, {} PE files with {} imports and relocations",
        elf.0, elf.1, pe.0, pe.1
    );
    assert!(differing.is_empty(), "{} files, see above for how:\n{}", differing.len(), differing.join("\n"));
    assert!(elf.0 > 680 && elf.1 > 3_600, "{elf:?}");
    assert!(pe.0 > 160 && pe.1 > 1_000, "{pe:?}");
}
