use super::*;

/// A number, in as many bytes as it has.
enum Number {
    Two(u16),
    Four(u32),
    Eight(u64),
}
use Number::{Eight, Four, Two};

fn bytes(big: bool, numbers: &[Number]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in numbers {
        let mut part = match number {
            Two(number) => number.to_le_bytes().to_vec(),
            Four(number) => number.to_le_bytes().to_vec(),
            Eight(number) => number.to_le_bytes().to_vec(),
        };
        if big {
            part.reverse();
        }
        bytes.extend(part);
    }
    bytes
}

const BASE: u64 = 0x10000;
const DATA: u64 = BASE + 0x1000;
/// Where in the file `__LINKEDIT` lies.
const LINK: u32 = 0x2000;

/// A section of `__DATA`: name, address, size, flags, reserved1.
type Part<'text> = (&'text str, u64, u64, u32, u32);

/// A file with the segments `__TEXT`, `__DATA` and `__LINKEDIT`.
struct File {
    wide: bool,
    big: bool,
    cpu: (u32, u32),
    kind: u32,
    commands: Vec<Vec<u8>>,
    data: Vec<u8>,
    link: Vec<u8>,
}

impl File {
    fn new() -> Self {
        let (commands, data, link) = (Vec::new(), vec![0; 0x1000], Vec::new());
        Self { wide: true, big: false, cpu: (0x0100_000c, 0), kind: 8, commands, data, link }
    }

    fn word(&self, number: u64) -> Number {
        if self.wide { Eight(number) } else { Four(u32::try_from(number).unwrap()) }
    }

    fn name(text: &str) -> Vec<u8> {
        let mut name = text.as_bytes().to_vec();
        name.resize(16, 0);
        name
    }

    fn segment(
        &self,
        name: &str,
        address: u64,
        size: u64,
        file: (u64, u64),
        protection: u32,
        parts: &[Part<'_>],
    ) -> Vec<u8> {
        let mut body = Self::name(name);
        let numbers = [address, size, file.0, file.1].map(|number| self.word(number));
        body.extend(bytes(self.big, &numbers));
        let count = u32::try_from(parts.len()).unwrap();
        body.extend(bytes(self.big, &[Four(protection), Four(protection), Four(count), Four(0)]));
        for (part, address, size, flags, reserved) in parts {
            body.extend(Self::name(part));
            body.extend(Self::name(name));
            body.extend(bytes(self.big, &[self.word(*address), self.word(*size)]));
            body.extend(bytes(self.big, &[0, 0, 0, 0, *flags, *reserved, 0].map(Four)));
            if self.wide {
                body.extend([0; 4]);
            }
        }
        self.command(if self.wide { 0x19 } else { 1 }, body)
    }

    fn command(&self, command: u32, body: Vec<u8>) -> Vec<u8> {
        let size = u32::try_from(body.len() + 8).unwrap();
        [bytes(self.big, &[Four(command), Four(size)]), body].concat()
    }

    fn library(&mut self, name: &str) {
        let mut body = bytes(self.big, &[24, 2, 0, 0].map(Four));
        body.extend(name.as_bytes());
        body.resize(body.len() + 8 - body.len() % 8, 0);
        let command = self.command(0xc, body);
        self.commands.push(command);
    }

    /// Adds to `__LINKEDIT`: where in the file, and how much.
    fn put(&mut self, content: &[u8]) -> [u32; 2] {
        let start = LINK + u32::try_from(self.link.len()).unwrap();
        self.link.extend(content);
        [start, u32::try_from(content.len()).unwrap()]
    }

    fn dyld_info(&mut self, bind: &[u8], weak: &[u8], lazy: &[u8], exports: &[u8]) {
        let parts = [&[][..], bind, weak, lazy, exports].map(|part| self.put(part));
        let body = bytes(self.big, &parts.concat().into_iter().map(Four).collect::<Vec<_>>());
        let command = self.command(0x8000_0022, body);
        self.commands.push(command);
    }

    fn chained(&mut self, fixups: &[u8]) {
        let place = self.put(fixups).map(Four);
        let command = self.command(0x8000_0034, bytes(self.big, &place));
        self.commands.push(command);
    }

    fn build(&self, parts: &[Part<'_>]) -> Vec<u8> {
        let mut commands = vec![
            self.segment("__TEXT", BASE, 0x1000, (0, 0x1000), 5, &[("__text", BASE + 0x800, 0x100, 0, 0)]),
            self.segment("__DATA", DATA, 0x2000, (0x1000, 0x1000), 3, parts),
            self.segment("__LINKEDIT", BASE + 0x4000, 0x1000, (LINK.into(), self.link.len() as u64), 1, &[]),
        ];
        commands.extend(self.commands.iter().cloned());
        let count = u32::try_from(commands.len()).unwrap();
        let commands = commands.concat();
        let size = u32::try_from(commands.len()).unwrap();
        let magic = if self.wide { 0xfeed_facf } else { 0xfeed_face };
        let header = [magic, self.cpu.0, self.cpu.1, self.kind, count, size, 0];
        let mut file = bytes(self.big, &header.map(Four));
        if self.wide {
            file.extend([0; 4]);
        }
        file.extend(commands);
        file.resize(0x1000, 0);
        file.extend(&self.data);
        file.extend(&self.link);
        file
    }
}

/// A trie with one node per character.
fn trie(exports: &[(&str, &[u8])]) -> Vec<u8> {
    // Every child is written after its parent, at an offset of two LEB128 bytes.
    fn node(at: usize, depth: usize, exports: &[(&str, &[u8])]) -> Vec<u8> {
        let (ends, rest): (Vec<_>, Vec<_>) = exports.iter().copied().partition(|(name, _)| name.len() == depth);
        let terminal = ends.first().map_or(&[][..], |(_, data)| data);
        let mut letters: Vec<u8> = rest.iter().map(|(name, _)| name.as_bytes()[depth]).collect();
        letters.dedup();
        let mut here = vec![u8::try_from(terminal.len()).unwrap()];
        here.extend(terminal);
        here.push(u8::try_from(letters.len()).unwrap());
        let size = here.len() + letters.len() * 4;
        let mut below = Vec::new();
        for letter in letters {
            let child = at + size + below.len();
            here.extend([letter, 0, u8::try_from(child & 0x7f).unwrap() | 0x80, u8::try_from(child >> 7).unwrap()]);
            let inside: Vec<_> = rest.iter().copied().filter(|(name, _)| name.as_bytes()[depth] == letter).collect();
            below.extend(node(child, depth + 1, &inside));
        }
        here.extend(below);
        here
    }
    node(0, 0, exports)
}

/// `BIND_OPCODE_SET_SYMBOL_TRAILING_FLAGS_IMM`.
fn symbol(name: &str) -> Vec<u8> {
    [&[0x40], name.as_bytes(), &[0]].concat()
}

fn with_dyld_info() -> Vec<u8> {
    let mut file = File::new();
    file.library("/usr/lib/libSystem.B.dylib");
    file.library("@rpath/libother.1.dylib");
    // Type pointer, from the first library: `_PyList_New` at 0x10; looked up everywhere, twice with a gap: `_PyModuleDef_Init`
    // at 0x20 and 0x40; from this file: `_own` + 4 at 0x50; and then one whose name has no underscore.
    let bind = [
        &[0x51, 0x11][..],
        &symbol("_PyList_New"),
        &[0x71, 0x10, 0x90, 0x3e],
        &symbol("_PyModuleDef_Init"),
        &[0x71, 0x20, 0xc0, 2, 0x18, 0x10],
        &symbol("_own"),
        &[0x60, 4, 0x71, 0x50, 0x90, 0x12, 0x60, 0],
        &symbol("dyld_stub_binder"),
        &[0x71, 0x58, 0x90, 0],
    ]
    .concat();
    let weak = [&symbol("_own")[..], &[0x71, 0x60, 0x90], &symbol("__Znwm"), &[0x71, 0x68, 0x90, 0]].concat();
    let lazy = [&[0x71, 0x70, 0x12][..], &symbol("_puts"), &[0x90, 0, 0x71, 0x78, 0x12], &symbol("_gets"), &[0x90, 0]]
        .concat();
    let exports = trie(&[
        ("_PyInit_a", &[0, 0x80, 0x10]),
        ("_PyInit_again", &[8, 2, b'_', b'P', b'y', b'I', b'n', b'i', b't', b'_', b'a', 0]),
        ("_absolute", &[2, 0x7f]),
        ("_own", &[0, 0x80, 0x22]),
        ("_same", &[8, 1, 0]),
        ("_stub", &[0x10, 0x81, 0x10, 0x90, 0x10]),
    ]);
    file.dyld_info(&bind, &weak, &lazy, &exports);
    file.build(&[
        ("__data", DATA, 0x100, 0, 0),
        ("__thread_data", DATA + 0x200, 0x10, 0x11, 0),
        ("__thread_bss", DATA + 0x210, 0x20, 0x12, 0),
    ])
}

fn import(cells: &Cells, place: u64) -> Option<(&str, i64)> {
    match cells.get(place) {
        Some(Cell::Import(index, addend)) => Some((cells.import_name(index), addend)),
        _ => None,
    }
}

#[test]
fn dyld_info_is_bound_as_dyld_does() {
    let data = with_dyld_info();
    let image = open(&data).unwrap();
    assert_eq!((image.arch, image.pointer, image.big_endian), (Arch::Aarch64, 8, false));
    assert_eq!(image.needed(), ["/usr/lib/libSystem.B.dylib", "@rpath/libother.1.dylib"]);
    assert_eq!(image.thread_local, Some((DATA + 0x200, 0x30)));
    assert_eq!(image.place(DATA + 8).section, Some(("__DATA,__data".to_owned(), 8)));
    assert!(image.is_code(BASE + 0x800) && !image.is_code(DATA));

    let cells = image.cells();
    assert_eq!(cells.incomplete, None);
    assert_eq!(import(cells, DATA + 0x10), Some(("PyList_New", 0)));
    assert_eq!(import(cells, DATA + 0x20), Some(("PyModuleDef_Init", 0)));
    assert_eq!(import(cells, DATA + 0x40), Some(("PyModuleDef_Init", 0)));
    assert_eq!(cells.get(DATA + 0x50), Some(Cell::Address(BASE + 0x1104)));
    assert_eq!(import(cells, DATA + 0x58), Some(("dyld_stub_binder", 0)));
    assert_eq!(cells.get(DATA + 0x60), Some(Cell::Address(BASE + 0x1100)));
    assert_eq!(import(cells, DATA + 0x68), Some(("_Znwm", 0)));
    assert_eq!(import(cells, DATA + 0x70), Some(("puts", 0)));
    assert_eq!(import(cells, DATA + 0x78), Some(("gets", 0)));
    assert_eq!(cells.range(0, u64::MAX).len(), 9);
}

#[test]
fn exports_come_from_the_trie() {
    let data = with_dyld_info();
    let image = open(&data).unwrap();
    assert_eq!(image.export("PyInit_a"), Some(Export::Address(BASE + 0x800)));
    assert_eq!(image.export("PyInit_again"), Some(Export::Forward("libother.1.dylib.PyInit_a".to_owned())));
    assert_eq!(image.export("same"), Some(Export::Forward("libSystem.B.dylib.same".to_owned())));
    assert_eq!(image.export("absolute"), Some(Export::Address(0x7f)));
    assert_eq!(image.export("stub"), Some(Export::Address(BASE + 0x801)));
    assert_eq!(image.export("PyInit_"), None);
    assert_eq!(image.export("PyInit_ab"), None);
    assert_eq!(image.exports_starting("PyInit_"), ["PyInit_a", "PyInit_again"]);
    assert_eq!(image.exports_starting("").len(), 6);
}

#[test]
fn binds_without_end_are_cut() {
    let mut file = File::new();
    // 2^63 times at the same place: the gap takes back the width of a pointer.
    let gap = [0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    let times = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    let bind = [&[0x51, 0x11, 0x71, 0][..], &symbol("_a"), &[0xc0], &times, &gap].concat();
    file.dyld_info(&bind, &[], &[], &[]);
    let data = file.build(&[]);
    let image = open(&data).unwrap();
    assert_eq!(image.cells().incomplete.as_deref(), Some("binds: more places than the file can hold"));
    assert_eq!(import(image.cells(), DATA), Some(("a", 0)));
}

/// Fixups of `__DATA` that start at each of `starts`, one for a page.
fn fixups(format: u16, largest: u32, starts: &[u16], segments: u32) -> Vec<u8> {
    let size = u32::try_from(22 + starts.len() * 2).unwrap();
    let image = 4 + 4 * segments;
    let mut body = bytes(false, &[Four(segments)]);
    for index in 0..segments {
        body.extend(bytes(false, &[Four(if index == 1 { image } else { 0 })]));
    }
    body.extend(bytes(false, &[Four(size), Two(0x400), Two(format), Eight(0x1000), Four(largest)]));
    body.extend(bytes(false, &[Two(u16::try_from(starts.len()).unwrap())]));
    body.extend(starts.iter().flat_map(|start| start.to_le_bytes()));
    let names = b"\0_PyModuleDef_Init\0_own\0";
    let imports = 28 + u32::try_from(body.len()).unwrap();
    // Looked up everywhere; from the first library.
    let entries = bytes(false, &[Four(0xfe | 1 << 9), Four(1 | 19 << 9)]);
    let header = bytes(false, &[0, 28, imports, imports + 8, 2, 1, 0].map(Four));
    [header, body, entries, names.to_vec()].concat()
}

fn with_chains(format: u16, chain: &[(usize, u64)]) -> Vec<u8> {
    let mut file = File::new();
    for (place, link) in chain {
        file.data[*place..*place + 8].copy_from_slice(&link.to_le_bytes());
    }
    file.chained(&fixups(format, 0, &[0x10], 3));
    file.build(&[])
}

#[test]
fn chains_of_64_bits() {
    const BIND: u64 = 1 << 63;
    // `DYLD_CHAINED_PTR_64_OFFSET` counts from the header, `DYLD_CHAINED_PTR_64` has addresses.
    for (format, target) in [(6, 0x1234), (2, BASE + 0x1234)] {
        let chain = [(0x10, target | 0xab << 36 | 2 << 51), (0x18, BIND | 5 << 24 | 4 << 51), (0x28, BIND | 1)];
        let data = with_chains(format, &chain);
        let image = open(&data).unwrap();
        let cells = image.cells();
        assert_eq!(cells.incomplete, None);
        assert_eq!(cells.get(DATA + 0x10), Some(Cell::Address(BASE + 0x1234)));
        assert_eq!(import(cells, DATA + 0x18), Some(("PyModuleDef_Init", 5)));
        assert_eq!(import(cells, DATA + 0x28), Some(("own", 0)));
        assert_eq!(cells.range(0, u64::MAX).len(), 3);
    }
}

#[test]
fn chains_of_signed_pointers() {
    const AUTH: u64 = 1 << 63;
    const BIND: u64 = 1 << 62;
    const SALT: u64 = 0xbeef << 32 | 3 << 49;
    // `DYLD_CHAINED_PTR_ARM64E`, `_USERLAND` and `_USERLAND24`: signed targets always count from the header.
    for (format, target) in [(1, BASE + 0x1234), (9, 0x1234), (12, 0x1234)] {
        let chain = [
            (0x10, target | 0x12 << 43 | 1 << 51),
            (0x18, AUTH | 0x1800 | SALT | 1 << 51),
            (0x20, BIND | 0x7fff9 << 32 | 1 << 51),
            (0x28, AUTH | BIND | SALT | 1),
        ];
        let data = with_chains(format, &chain);
        let image = open(&data).unwrap();
        let cells = image.cells();
        assert_eq!(cells.incomplete, None);
        assert_eq!(cells.get(DATA + 0x10), Some(Cell::Address(BASE + 0x1234)));
        assert_eq!(cells.get(DATA + 0x18), Some(Cell::Address(BASE + 0x1800)));
        assert_eq!(import(cells, DATA + 0x20), Some(("PyModuleDef_Init", -7)));
        assert_eq!(import(cells, DATA + 0x28), Some(("own", 0)));
    }
}

#[test]
fn chains_of_32_bits() {
    let mut file = File::new();
    file.wide = false;
    file.cpu = (7, 3);
    let chain = [0x0001_1234u32 | 1 << 26, 0x8000_0000 | 2 << 20 | 1 << 26, 0x0200_0000 + 0x0010_0000 / 2 + 7];
    for (link, place) in chain.iter().zip((0x10..).step_by(4)) {
        file.data[place..place + 4].copy_from_slice(&link.to_le_bytes());
    }
    file.chained(&fixups(3, 0x0010_0000, &[0x10], 3));
    let data = file.build(&[]);
    let image = open(&data).unwrap();
    assert_eq!((image.arch, image.pointer), (Arch::X86, 4));
    let cells = image.cells();
    assert_eq!(cells.incomplete, None);
    assert_eq!(cells.get(DATA + 0x10), Some(Cell::Address(BASE + 0x1234)));
    assert_eq!(import(cells, DATA + 0x14), Some(("PyModuleDef_Init", 2)));
    // A number among the pointers.
    assert_eq!(cells.get(DATA + 0x18), Some(Cell::Address(7)));
}

#[test]
fn chains_that_share_their_links_are_cut() {
    let mut file = File::new();
    // Every eight bytes lead on by eight bytes, and every page starts at the front: 0xffff starts of 512 links each.
    let link = (6u64 << 32 | 2 << 51).to_le_bytes();
    file.data = link.repeat(0x200);
    let mut body = fixups(6, 0, &vec![0; 0x8000], 3);
    // The page size: no page is any further than the first.
    body[28 + 16 + 4..28 + 16 + 6].fill(0);
    file.chained(&body);
    let data = file.build(&[]);
    let image = open(&data).unwrap();
    assert!(image.cells().incomplete.is_some());
    assert!(image.cells().range(0, u64::MAX).len() <= data.len() / 8);
}

#[test]
fn fixups_of_segments_that_are_not_there() {
    let mut file = File::new();
    let mut body = fixups(6, 0, &[], 5);
    body[28 + 4 + 16..28 + 4 + 20].copy_from_slice(&24u32.to_le_bytes());
    file.chained(&body);
    let data = file.build(&[]);
    let image = open(&data).unwrap();
    assert_eq!(image.cells().incomplete.as_deref(), Some("chained fixups of a segment that is not there"));
}

/// An old file: no fixups but relocations, the symbol table and the indirect symbol table.
fn classic() -> Vec<u8> {
    let mut file = File::new();
    (file.wide, file.big, file.cpu) = (false, true, (18, 0));
    file.library("/usr/lib/libSystem.B.dylib");
    file.data[0x20..0x24].copy_from_slice(&8u32.to_be_bytes());
    file.data[0x24..0x28].copy_from_slice(&u32::try_from(DATA).unwrap().to_be_bytes());
    let strings = b"\0_PyInit_old\0_PyList_New\0_hidden\0_other\0";
    let place = file.put(strings);
    // Name, type, section, description, value: an export, an import, a private external, an alias of a symbol elsewhere.
    let mut symbols = Vec::new();
    for (name, kind, value) in [(1, 0x0f, BASE + 0x800), (13, 1, 0), (25, 0x1f, BASE), (33, 0x0b, 13)] {
        symbols.extend(bytes(true, &[Four(name)]));
        symbols.extend([kind, 1, 0, 0]);
        symbols.extend(bytes(true, &[Four(u32::try_from(value).unwrap())]));
    }
    let table = file.put(&symbols);
    let command = file.command(2, bytes(true, &[table[0], 4, place[0], place[1]].map(Four)));
    file.commands.push(command);
    // Symbol, local, symbol.
    let indirect = file.put(&bytes(true, &[1, 0x8000_0000, 0].map(Four)));
    // External, pointer-sized; one of an import, one of a definition that is in place already.
    let external = file.put(&bytes(true, &[0x1020, 1 << 8 | 2 << 5 | 1 << 4, 0x1024, 2 << 5 | 1 << 4].map(Four)));
    let mut numbers = [0; 18];
    numbers[12..14].copy_from_slice(&[indirect[0], 3]);
    numbers[14..16].copy_from_slice(&[external[0], 2]);
    let command = file.command(0xb, bytes(true, &numbers.map(Four)));
    file.commands.push(command);
    file.build(&[("__nl_symbol_ptr", DATA + 0x100, 12, 6, 0), ("__la_symbol_ptr", DATA + 0x200, 4, 7, 0)])
}

#[test]
fn files_without_dyld_info() {
    let data = classic();
    let image = open(&data).unwrap();
    assert_eq!((image.arch, image.pointer, image.big_endian), (Arch::Other, 4, true));
    assert_eq!(image.exports_starting(""), ["PyInit_old", "other"]);
    assert_eq!(image.export("PyInit_old"), Some(Export::Address(BASE + 0x800)));
    assert_eq!(image.export("PyInit_ol"), None);
    assert_eq!(image.export("hidden"), None);
    assert_eq!(image.export("other"), Some(Export::Forward("PyList_New".to_owned())));
    let cells = image.cells();
    assert_eq!(cells.incomplete, None);
    assert_eq!(import(cells, DATA + 0x20), Some(("PyList_New", 8)));
    assert_eq!(import(cells, DATA + 0x100), Some(("PyList_New", 0)));
    assert_eq!(cells.get(DATA + 0x108), Some(Cell::Address(BASE + 0x800)));
    assert_eq!(import(cells, DATA + 0x200), Some(("PyList_New", 0)));
    assert_eq!(cells.range(0, u64::MAX).len(), 4);
    assert_eq!(image.number(DATA + 0x24, 4), Some(DATA));
}

#[test]
fn tries_that_loop_or_share_are_cut() {
    let loops = [0, 1, b'_', 0, 0];
    assert_eq!(Trie(&loops).find(b"______"), None);
    assert!(!Trie(&loops).starting(b"").1);
    let empty = [0, 1, 0, 0];
    assert_eq!(Trie(&empty).find(b"_a"), None);
    // Each of fifteen nodes has two edges to the next one: 2^15 names in 124 bytes.
    let mut shares = Vec::new();
    for next in 1..16u8 {
        shares.extend([0, 2, b'a', 0, next * 8, b'b', 0, next * 8]);
    }
    shares.extend([2, 0, 1, 0]);
    let (found, complete) = Trie(&shares).starting(b"");
    assert!(!complete && found.len() < shares.len());
}

/// A fat file of slices with their architecture, place and size.
fn fat(wide: bool, slices: &[(u32, u32, u32, u32)], length: usize) -> Vec<u8> {
    let count = u32::try_from(slices.len()).unwrap();
    let mut file = bytes(true, &[Four(if wide { 0xcafe_babf } else { 0xcafe_babe }), Four(count)]);
    for (cpu, subtype, start, size) in slices {
        file.extend(bytes(true, &[Four(*cpu), Four(*subtype)]));
        file.extend(if wide {
            bytes(true, &[Eight(u64::from(*start)), Eight(u64::from(*size)), Four(0), Four(0)])
        } else {
            bytes(true, &[Four(*start), Four(*size), Four(0)])
        });
    }
    file.resize(length, 0);
    file
}

#[test]
fn fat_files_have_slices() {
    const ARM64: u32 = 0x0100_000c;
    const X86_64: u32 = 0x0100_0007;
    let thin = with_dyld_info();
    let size = u32::try_from(thin.len()).unwrap();
    let (name, slice) = slices(&thin).unwrap().remove(0);
    assert_eq!((name.as_str(), slice.unwrap().whole()), ("arm64", &thin[..]));
    for wide in [false, true] {
        let table = [(ARM64, 0, 0x4000, size), (ARM64, 0x8000_0002, 0x8000, 0x100), (X86_64, 3, 0x9000, 0x10)];
        let mut file = fat(wide, &table, 0xa000);
        file[0x4000..][..thin.len()].copy_from_slice(&thin);
        let found = slices(&file).unwrap();
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["arm64", "arm64e", "x86_64"]);
        let image = open(found[0].1.clone().unwrap()).unwrap();
        assert_eq!(image.export("PyInit_a"), Some(Export::Address(BASE + 0x800)));
        assert_eq!(open(found[2].1.clone().unwrap()).err().as_deref(), Some("not a Mach-O file"));

        let table =
            [(7, 3, 0x400, 0x100), (X86_64, 3, 0x480, 0x10), (18, 0, 0x900, 0x800), (7, 3, 0x600, 1), (12, 9, 4, 8)];
        let file = fat(wide, &table, 0x1000);
        let errors: Vec<_> = slices(&file).unwrap().into_iter().map(|(_, slice)| slice.err()).collect();
        assert_eq!(errors[0], None);
        assert_eq!(errors[1].as_deref(), Some("the slice for x86_64 overlaps the slice for i386"));
        assert_eq!(errors[2].as_deref(), Some("the slice for ppc ends beyond the file"));
        assert_eq!(errors[3].as_deref(), Some("a second slice for i386, which is never loaded"));
        assert_eq!(errors[4].as_deref(), Some("the slice for armv7 overlaps the table of slices"));

        let mut file = fat(wide, &[(X86_64, 3, 0x400, size)], 0x400);
        file.extend(&thin);
        let error = slices(&file).unwrap().remove(0).1.err();
        assert_eq!(error.as_deref(), Some("the slice for x86_64 holds a file for arm64"));
    }
    assert!(slices(&[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 0x34]).unwrap_err().contains("52 slices"));
    assert!(slices(&[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 0]).is_err());
    assert!(slices(b"\x7fELF").is_err());
}

#[test]
fn other_files_say_what_they_are() {
    for (kind, what) in [(1, "an object file"), (2, "an executable"), (10, "a file of debugging symbols"), (99, "0x63")]
    {
        let mut file = File::new();
        file.kind = kind;
        let error = open(&file.build(&[])).err().unwrap();
        assert!(error.contains(what), "{error}");
    }
    let mut file = File::new();
    let command = file.command(0x2c, bytes(false, &[0, 0, 1, 0].map(Four)));
    file.commands.push(command);
    assert_eq!(open(&file.build(&[])).err(), Some(encrypted()));
}

/// Reads everything there is to read.
fn exercise(data: &[u8]) {
    for (_, slice) in slices(data).unwrap_or_default() {
        let Ok(image) = slice.and_then(open) else { continue };
        image.cells();
        image.export("PyInit_a");
        image.exports_starting("");
        image.needed();
        image.bytes_from(DATA);
        image.number(DATA + 0x1fff, 8);
    }
}

#[test]
fn damaged_files_do_not_panic() {
    let chain = [(0x10, 0x1234 | 2 << 51), (0x18, 1 << 63)];
    for data in [with_dyld_info(), with_chains(6, &chain), with_chains(12, &chain), classic()] {
        for length in (0..0x400).chain(0x1000..0x1040).chain(0x2000..data.len()) {
            exercise(&data[..length]);
        }
        for place in (0..0x300).chain(0x1000..0x1040).chain(0x2000..data.len()) {
            for value in [0, 0x7f, 0x80, 0xff] {
                let mut data = data.clone();
                data[place] = value;
                exercise(&data);
            }
        }
    }
}
