use super::*;

/// A file with the sections `.text`, `.rdata`, `.moved` and `.data`, at 0x1000, 0x2000, 0x3000 and 0x4000.
struct File {
    wide: bool,
    machine: u16,
    flags: u16,
    directories: [(u32, u32); 16],
    sections: [Vec<u8>; 4],
}

const SECTIONS: [(&str, u32); 4] =
    [(".text", 0x6000_0020), (".rdata", 0x4000_0040), (".moved", 0x4000_0040), (".data", 0xc000_0040)];

impl File {
    fn new(wide: bool) -> Self {
        let machine = if wide { 0x8664 } else { 0x14c };
        Self { wide, machine, flags: 0x2022, directories: [(0, 0); 16], sections: [const { Vec::new() }; 4] }
    }

    fn base(&self) -> u64 {
        if self.wide { 0x1_8000_0000 } else { 0x1000_0000 }
    }

    fn width(&self) -> u32 {
        if self.wide { 8 } else { 4 }
    }

    /// Writes into memory.
    fn put(&mut self, address: u32, content: &[u8]) {
        let section = &mut self.sections[usize::try_from(address / 0x1000 - 1).unwrap()];
        let start = usize::try_from(address % 0x1000).unwrap();
        if section.len() < start + content.len() {
            section.resize(start + content.len(), 0);
        }
        section[start..start + content.len()].copy_from_slice(content);
    }

    fn numbers(&mut self, address: u32, numbers: &[u32]) {
        let content: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.put(address, &content);
    }

    fn thunks(&mut self, address: u32, thunks: &[u64]) {
        let width = usize::try_from(self.width()).unwrap();
        let content: Vec<u8> = thunks.iter().flat_map(|thunk| thunk.to_le_bytes()[..width].to_vec()).collect();
        self.put(address, &content);
    }

    fn build(&self) -> Vec<u8> {
        let mut file = b"MZ".to_vec();
        file.resize(0x3c, 0);
        file.extend(0x40u32.to_le_bytes());
        file.extend(b"PE\0\0");
        let optional = if self.wide { 240u16 } else { 224 };
        file.extend(
            [self.machine, 4, 0, 0, 0, 0, 0, 0, optional, self.flags].iter().flat_map(|number| number.to_le_bytes()),
        );
        let words = |numbers: &[u32]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
        file.extend(if self.wide { 0x20bu16 } else { 0x10b }.to_le_bytes());
        file.extend([14, 0]);
        file.extend(words(&[0; 5]));
        if self.wide {
            file.extend(self.base().to_le_bytes());
        } else {
            file.extend(words(&[0, u32::try_from(self.base()).unwrap()]));
        }
        file.extend(words(&[0x1000, 0x200, 0, 0, 6, 0, 0x5000, 0x400, 0, 0]));
        file.extend(words(if self.wide { &[0; 8] } else { &[0; 4] }));
        file.extend(words(&[0, 16]));
        file.extend(self.directories.iter().flat_map(|entry| words(&[entry.0, entry.1])));
        let mut start = 0x400;
        for (section, (address, (name, flags))) in self.sections.iter().zip((0x1000..).step_by(0x1000).zip(SECTIONS)) {
            let size = u32::try_from(section.len()).unwrap();
            let raw = size.next_multiple_of(0x200);
            let mut header = name.as_bytes().to_vec();
            header.resize(8, 0);
            file.extend(header);
            let memory = if name == ".data" { 0x800 } else { size };
            file.extend(words(&[memory, address, raw, start, 0, 0, 0, flags]));
            start += raw;
        }
        file.resize(0x400, 0);
        for section in &self.sections {
            file.extend(section);
            file.resize(file.len().next_multiple_of(0x200), 0);
        }
        file
    }
}

/// Imports whose library names were moved, as `delvewheel` does, exports, a forwarder, a thread's variables, a library loaded late.
fn library(wide: bool) -> File {
    let mut file = File::new(wide);
    let (base, width) = (file.base(), file.width());
    let ordinal = 1u64 << (width * 8 - 1);
    file.put(0x1000, &[0xc3]);

    // Import descriptors: names by way of the lookup table, and a library whose names stand in the table itself.
    file.directories[1] = (0x2000, 60);
    file.numbers(0x2000, &[0x2100, 0, 0, 0x3000, 0x4000, 0, 0, 0, 0x3020, 0x4040]);
    file.thunks(0x2100, &[0x2180, ordinal | 12, 0x21a0, 0]);
    file.thunks(0x4000, &[1, 2, 3, 0]);
    file.thunks(0x4040, &[0x21c0, 0]);
    file.put(0x2180, b"\x07\0PyModuleDef_Init\0");
    file.put(0x21a0, b"\0\0PyList_New\0");
    file.put(0x21c0, b"\0\0malloc\0");
    file.put(0x3000, b"python314t.dll\0");
    file.put(0x3020, b"msvcp140-0123456789abcdef.dll\0");

    file.directories[13] = (0x2200, 64);
    file.numbers(0x2200, &[1, 0x3040, 0, 0x4060, 0x2280, 0, 0, 0]);
    file.thunks(0x2280, &[0x22c0, 0]);
    file.put(0x22c0, b"\0\0late\0");
    file.put(0x3040, b"late.dll\0");

    file.directories[0] = (0x2300, 0x100);
    file.numbers(0x2300, &[0, 0, 0, 0, 1, 3, 3, 0x2340, 0x2350, 0x2360]);
    file.numbers(0x2340, &[0x1000, 0x23c0, 0x4010]);
    file.numbers(0x2350, &[0x2370, 0x2380, 0x2390]);
    file.put(0x2360, &[0, 0, 1, 0, 2, 0]);
    file.put(0x2370, b"PyInit_a\0");
    file.put(0x2380, b"PyInit_b\0");
    file.put(0x2390, b"table\0");
    file.put(0x23c0, b"OTHER.PyInit_x\0");

    file.directories[9] = (0x2400, 40);
    file.thunks(0x2400, &[base + 0x2500, base + 0x2510, base + 0x4020, 0]);
    file.numbers(0x2400 + width * 4, &[0x30, 0]);
    file.numbers(0x2600, &[0]);
    file
}

fn import(image: &Image<'_>, place: u64) -> Option<String> {
    match image.cells().get(place)? {
        Cell::Import(index, 0) => Some(image.cells().import_name(index).to_owned()),
        _ => None,
    }
}

#[test]
fn files_are_read_as_windows_loads_them() {
    for wide in [true, false] {
        let file = library(wide);
        let (base, width) = (file.base(), u64::from(file.width()));
        let data = file.build();
        let image = open(&data).unwrap();
        assert_eq!(image.arch, if wide { Arch::X86_64 } else { Arch::X86 });
        assert_eq!(u64::from(image.pointer), width);
        assert_eq!(image.needed(), ["python314t.dll", "msvcp140-0123456789abcdef.dll", "late.dll"]);
        assert_eq!(import(&image, base + 0x4000).as_deref(), Some("PyModuleDef_Init"));
        assert_eq!(import(&image, base + 0x4000 + width).as_deref(), Some("python314t.dll#12"));
        assert_eq!(import(&image, base + 0x4000 + 2 * width).as_deref(), Some("PyList_New"));
        assert_eq!(import(&image, base + 0x4040).as_deref(), Some("malloc"));
        assert_eq!(import(&image, base + 0x4060).as_deref(), Some("late"));
        assert_eq!(image.cells().range(0, u64::MAX).len(), 5);
        assert_eq!(image.cells().incomplete, None);

        assert_eq!(image.export("PyInit_a"), Some(Export::Address(base + 0x1000)));
        assert_eq!(image.export("PyInit_b"), Some(Export::Forward("OTHER.PyInit_x".to_owned())));
        assert_eq!(image.export("PyInit_"), None);
        assert_eq!(image.exports_starting("PyInit_"), ["PyInit_a", "PyInit_b"]);
        assert_eq!(image.exports_starting(""), ["PyInit_a", "PyInit_b", "table"]);

        assert_eq!(image.thread_local, Some((base + 0x2500, 0x40)));
        assert!(image.is_code(base + 0x1000) && !image.is_code(base + 0x2000));
        assert_eq!(image.byte(base), Some(b'M'));
        // Beyond what the file has of a section, up to the end of the page, and beyond that.
        assert_eq!((image.byte(base + 0x47ff), image.byte(base + 0x4fff)), (Some(0), Some(0)));
        assert_eq!(image.byte(base + 0x5000), None);
        assert_eq!(image.place(base + 0x4010).section, Some((".data".to_owned(), 0x10)));
    }
}

#[test]
fn delayed_imports_of_visual_c_6() {
    let mut file = library(false);
    let base = u32::try_from(file.base()).unwrap();
    file.numbers(0x2200, &[0, base + 0x3040, 0, base + 0x4060, base + 0x2280]);
    let data = file.build();
    let image = open(&data).unwrap();
    assert_eq!(import(&image, u64::from(base) + 0x4060).as_deref(), Some("late"));
}

#[test]
fn what_cannot_be_read_is_told() {
    let cells = |file: &File| open(&file.build()).unwrap().cells().incomplete.clone();
    let mut file = library(true);
    file.thunks(0x2100, &[0x9000]);
    assert_eq!(cells(&file).as_deref(), Some("imports from python314t.dll: a name that cannot be read"));
    // The other libraries are read all the same.
    let data = file.build();
    assert_eq!(open(&data).unwrap().cells().range(0, u64::MAX).len(), 2);

    let mut file = library(true);
    file.numbers(0x200c, &[0x9000]);
    assert_eq!(cells(&file).as_deref(), Some("imports from a library whose name cannot be read"));

    // Forty libraries with one list, which is the whole section: more than there is room for.
    let mut file = library(true);
    file.put(0x3200, &(1u64 << 63 | 1).to_le_bytes().repeat(0x100));
    file.thunks(0x3a00, &[0]);
    file.numbers(0x2600, &[0x3200, 0, 0, 0x3000, 0x4000].repeat(40));
    file.directories[1].0 = 0x2600;
    assert_eq!(cells(&file).as_deref(), Some("imports from python314t.dll: more than the file can hold"));
}

#[test]
fn other_files_say_what_they_are() {
    let mut file = library(true);
    file.flags = 0x22;
    assert_eq!(open(&file.build()).err().as_deref(), Some("a PE file, but not a DLL"));
    assert!(open(b"MZ").is_err());
}

#[test]
fn code_for_two_architectures_is_not_judged() {
    for (machine, arch) in [(0xaa64, Arch::Aarch64), (0x1c4, Arch::Arm), (0xa641, Arch::Other), (0x8664, Arch::X86_64)]
    {
        let mut file = library(true);
        file.machine = machine;
        assert_eq!(open(&file.build()).unwrap().arch, arch);
        file.directories[10] = (0x2700, 0x140);
        file.numbers(0x2700, &[0x140]);
        file.numbers(0x2900, &[0]);
        assert_eq!(open(&file.build()).unwrap().arch, arch);
        // `CHPEMetadataPointer`
        file.numbers(0x2700 + 200, &[1]);
        assert_eq!(open(&file.build()).unwrap().arch, Arch::Other);
    }
}

#[test]
fn damaged_files_do_not_panic() {
    let exercise = |data: &[u8]| {
        let Ok(image) = open(data) else { return };
        image.cells();
        image.export("PyInit_a");
        image.export("PyInit_b");
        image.exports_starting("");
        image.needed();
        image.number(0x1_8000_4fff, 8);
    };
    for wide in [true, false] {
        let whole = library(wide).build();
        for length in 0..whole.len() {
            exercise(&whole[..length]);
        }
        for place in (0..0x240).chain(0x600..whole.len()) {
            for value in [0, 0x7f, 0x80, 0xff] {
                let mut data = whole.clone();
                data[place] = value;
                exercise(&data);
            }
        }
    }
}

/// A second reader, which has nothing in common with this one.
#[test]
fn goblin_agrees() {
    for wide in [true, false] {
        let data = library(wide).build();
        let image = open(&data).unwrap();
        let other = goblin::pe::PE::parse(&data).unwrap();
        let exports: Vec<&str> = other.exports.iter().filter_map(|export| export.name).collect();
        assert_eq!(image.exports_starting(""), exports);
        for import in &other.imports {
            let place = library(wide).base() + import.offset as u64;
            let name = self::import(&image, place).unwrap();
            assert!(name == import.name || name == format!("{}#{}", import.dll, import.ordinal));
        }
        assert_eq!(other.imports.len(), 4);
    }
}
