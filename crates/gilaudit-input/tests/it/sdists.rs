//! Source distributions, sound, truncated and hostile.

use std::io::Write;

use gilaudit_input::{ArtifactKind, Inventory, Limits};
use tar::{Builder, EntryType, Header};

use crate::Scratch;
use crate::archives::{deflated, zip};

/// A tar of these entries, each written as given: the `tar` crate itself refuses to write hostile names.
fn tar(entries: &[(&str, EntryType, &str, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, kind, link, contents) in entries {
        let mut header = Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(contents.len() as u64);
        header.set_cksum();
        builder.append(&header, *contents).unwrap();
    }
    builder.into_inner().unwrap()
}

fn files(entries: &[(&str, &str)]) -> Vec<u8> {
    let entries: Vec<_> = entries.iter().map(|(name, text)| (*name, EntryType::Regular, "", text.as_bytes())).collect();
    tar(&entries)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const SOUND: [(&str, &str); 6] = [
    ("x-1.0/PKG-INFO", "Metadata-Version: 2.1\nName: X.y\nVersion: 1.0.0\n"),
    ("x-1.0/setup.py", "setup()"),
    ("x-1.0/src/m.c", "int m;"),
    ("x-1.0/README.md", "text"),
    ("x-1.0/src/x/_old.so", "\x7fELF"),
    ("x-1.0/src/x/libz.so.1", "\x7fELF"),
];

fn sources(inventory: &Inventory) -> Vec<String> {
    let text = |source| match inventory.read_source(source) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(problem) => format!("! {}", problem.error),
    };
    inventory.sources.iter().map(|source| format!("{} = {}", source.path, text(source))).collect()
}

#[test]
fn every_compression() {
    let scratch = Scratch::new();
    let plain = files(&SOUND);
    let zipped: Vec<_> = SOUND.iter().map(|(name, text)| deflated(name, text)).collect();
    for (name, bytes) in [
        ("x-1.0.tar.gz", gzip(&plain)),
        ("x-1.0.tgz", gzip(&plain)),
        ("x-1.0.tar.bz2", bzip2(&plain)),
        ("x-1.0.tar.xz", xz(&plain)),
        ("x-1.0.zip", zip(&zipped)),
    ] {
        scratch.write(name, bytes);
        let inventory = scratch.collect(name);
        assert_eq!(sources(&inventory), ["setup.py = setup()", "src/m.c = int m;"], "{name}");
        assert_eq!(
            scratch.list(&inventory),
            [
                format!("Candidate {name}!x-1.0/src/x/_old.so = src.x._old (X.y 1.0.0)"),
                format!("Library {name}!x-1.0/src/x/libz.so.1 = src.x.libz (X.y 1.0.0)"),
            ],
        );
        assert_eq!(inventory.artifacts.len(), 1);
        assert_eq!(inventory.artifacts[0].kind, ArtifactKind::Sdist);
        assert_eq!(inventory.sources[0].origin.parts()[1], "x-1.0/setup.py");
        assert_eq!(inventory.read(&inventory.members[0]).unwrap().as_ref(), b"\x7fELF");
    }
}

#[test]
fn truncated_anywhere() {
    let scratch = Scratch::new();
    let noise: String =
        (0..60_000u32).map(|n| char::from(b'a' + (n.wrapping_mul(2_654_435_761) >> 27) as u8 % 26)).collect();
    let plain = files(&[("x-1.0/a.c", "int a;"), ("x-1.0/b.c", &noise), ("x-1.0/c.c", "int c;")]);
    for (name, bytes) in [("x-1.tar.gz", gzip(&plain)), ("x-1.tar.bz2", bzip2(&plain)), ("x-1.tar.xz", xz(&plain))] {
        for part in [7, 20, bytes.len() / 3, bytes.len() / 2] {
            scratch.write(name, &bytes[..part]);
            let inventory = scratch.collect(name);
            assert!(inventory.problems.iter().any(|problem| problem.unread), "{name} {part}");
            assert!(inventory.sources.len() < 3, "{name} {part}");
        }
        let mut damaged = bytes.clone();
        let middle = damaged.len() / 2;
        damaged[middle..middle + 40].fill(0x55);
        scratch.write(name, damaged);
        assert!(scratch.collect(name).problems.iter().any(|problem| problem.unread), "{name} damaged");
    }
    // A tar that says more of a member than it has.
    scratch.write("y-1.tar.gz", gzip(&plain[..plain.len() - 4096]));
    let lines = scratch.list(&scratch.collect("y-1.tar.gz"));
    assert!(lines.iter().any(|line| line.starts_with("!!")), "{lines:?}");
}

#[test]
fn names_and_links_that_lead_out() {
    let scratch = Scratch::new();
    let regular = |name| (name, EntryType::Regular, "", &b"int x;"[..]);
    let bytes = tar(&[
        regular("x-1/a.c"),
        regular("/etc/b.c"),
        regular("../c.c"),
        regular("x-1/../../d.so"),
        regular("x-1/..\\e.c"),
        ("x-1/f.c", EntryType::Symlink, "/etc/passwd", b""),
        ("x-1/g.so", EntryType::Link, "x-1/a.c", b""),
        ("x-1/h.c", EntryType::Char, "", b""),
        ("x-1/i", EntryType::Symlink, "..", b""),
        regular("x-1/a.c"),
    ]);
    scratch.write("x-1.tar.gz", gzip(&bytes));
    let inventory = scratch.collect("x-1.tar.gz");
    assert_eq!(sources(&inventory), ["a.c = int x;"]);
    let leaves = "a name that leaves the folder it is unpacked to, or that systems read differently";
    assert_eq!(
        scratch.list(&inventory),
        [
            format!("!! x-1.tar.gz!../c.c: {leaves}"),
            format!("!! x-1.tar.gz!/etc/b.c: {leaves}"),
            format!("!! x-1.tar.gz!x-1/../../d.so: {leaves}"),
            format!("!! x-1.tar.gz!x-1/..\\\\e.c: {leaves}"),
            "! x-1.tar.gz!x-1/a.c: several members of this name: the last one counts".to_owned(),
            "! x-1.tar.gz!x-1/f.c: a link, which is not followed".to_owned(),
            "!! x-1.tar.gz!x-1/g.so: a link, which is not followed".to_owned(),
            "! x-1.tar.gz!x-1/h.c: not a regular file".to_owned(),
        ]
    );
}

#[test]
fn bombs() {
    let scratch = Scratch::new();
    // 17 MiB of zeros in 17 KiB, before the only source.
    let zeros = vec![0; 17 << 20];
    let bomb = tar(&[("x-1/zeros", EntryType::Regular, "", &zeros), ("x-1/a.c", EntryType::Regular, "", b"int a;")]);
    for (name, bytes) in [("x-1.tar.gz", gzip(&bomb)), ("x-1.tar.bz2", bzip2(&bomb)), ("x-1.tar.xz", xz(&bomb))] {
        scratch.write(name, bytes);
        let inventory = scratch.collect(name);
        assert!(inventory.sources.is_empty());
        assert_eq!(
            scratch.list(&inventory),
            [format!("!! {name}: the archive breaks off after 1 members: it inflates to more than the limit")]
        );
    }
    // A member that declares more than anyone has memory for.
    let mut header = Header::new_ustar();
    header.as_mut_bytes()[..7].copy_from_slice(b"x-1/a.c");
    header.set_entry_type(EntryType::Regular);
    header.set_size(7 << 30);
    header.set_cksum();
    scratch.write("y-1.tar.gz", gzip(header.as_bytes()));
    let lines = scratch.list(&scratch.collect("y-1.tar.gz"));
    assert!(
        lines[0].starts_with("!! y-1.tar.gz!x-1/a.c: has 7516192768 bytes, over the limit of")
            || lines[0].contains("breaks off"),
        "{lines:?}"
    );
}

#[test]
fn limits() {
    let scratch = Scratch::new();
    scratch.write("x-1.tar.gz", gzip(&files(&[("x-1/a.c", "12345"), ("x-1/b.c", "123"), ("x-1/c.c", "12345")])));
    let with = |limits: Limits| scratch.list(&scratch.collect_within("x-1.tar.gz", &limits));
    assert_eq!(
        with(Limits { member_bytes: 4, ..Limits::default() }),
        [
            "!! x-1.tar.gz!x-1/a.c: has 5 bytes, over the limit of 4",
            "!! x-1.tar.gz!x-1/c.c: has 5 bytes, over the limit of 4"
        ]
    );
    assert_eq!(
        with(Limits { kept_bytes: 9, ..Limits::default() }),
        ["!! x-1.tar.gz!x-1/c.c: what is held in memory is over the limit of 9 bytes together"]
    );
    assert_eq!(
        with(Limits { archive_members: 2, ..Limits::default() }),
        ["!! x-1.tar.gz: more than 2 members; the rest was not looked at"]
    );
    assert_eq!(
        with(Limits { stream_bytes: 1000, ..Limits::default() }),
        ["!! x-1.tar.gz: the archive breaks off after 1 members: it inflates to more than the limit"]
    );
}

/// Headers that are not a member's own: PAX records and long names, which `tarfile` applies in its own order.
#[test]
fn a_name_is_where_tarfile_finds_it() {
    let scratch = Scratch::new();
    let mut builder = Builder::new(Vec::new());
    builder.append_pax_extensions([("path", &b"x-1/pax.c"[..])]).unwrap();
    let add = |builder: &mut Builder<Vec<u8>>, name: &str, prefix: &str| {
        let mut header = Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.as_mut_bytes()[345..345 + prefix.len()].copy_from_slice(prefix.as_bytes());
        header.set_entry_type(EntryType::Regular);
        header.set_size(1);
        header.set_cksum();
        builder.append(&header, &b"1"[..]).unwrap();
    };
    add(&mut builder, "x-1/header.txt", "");
    builder.append_pax_extensions([("GNU.sparse.name", &b"x-1/hidden.so"[..])]).unwrap();
    add(&mut builder, "x-1/doc.txt", "");
    // GNU's headers have times where others have the beginning of a path; `tarfile` takes it for that all the same.
    add(&mut builder, "m.c", "x-1/deep");
    scratch.write("x-1.tar.gz", gzip(&builder.into_inner().unwrap()));
    let inventory = scratch.collect("x-1.tar.gz");
    assert_eq!(sources(&inventory), ["deep/m.c = 1", "pax.c = 1"]);
    assert_eq!(scratch.list(&inventory), ["!! x-1.tar.gz!x-1/hidden.so: a file with holes, which is not read"]);
}

#[test]
fn streams_one_after_the_other_are_one() {
    let scratch = Scratch::new();
    let plain = files(&[("x-1/a.c", "int a;"), ("x-1/b.c", "int b;")]);
    for (name, compress) in [("x-1.tar.gz", gzip as fn(&[u8]) -> Vec<u8>), ("x-1.tar.bz2", bzip2), ("x-1.tar.xz", xz)] {
        let (first, second) = plain.split_at(700);
        scratch.write(name, [compress(first), compress(second)].concat());
        assert_eq!(sources(&scratch.collect(name)), ["a.c = int a;", "b.c = int b;"], "{name}");
    }
}

#[test]
fn a_wheel_inside_is_read() {
    let scratch = Scratch::new();
    let inner = crate::archives::wheel([crate::archives::stored("x/a.so", "inner")]);
    let bytes = tar(&[
        ("x-1/a.c", EntryType::Regular, "", b"int a;"),
        ("x-1/vendor/x-1.0-cp314-cp314t-linux_x86_64.whl", EntryType::Regular, "", &inner),
        ("x-1/broken.whl", EntryType::Regular, "", b"none"),
        ("x-1/tests/data.zip", EntryType::Regular, "", b"none"),
    ]);
    scratch.write("x-1.tar.gz", gzip(&bytes));
    let inventory = scratch.collect("x-1.tar.gz");
    assert_eq!(
        scratch.list(&inventory),
        [
            "Candidate x-1.tar.gz!x-1/vendor/x-1.0-cp314-cp314t-linux_x86_64.whl!x/a.so = x.a (X 1.0)",
            "!! x-1.tar.gz!x-1/broken.whl: an archive inside the archive, of a kind that is not read",
        ]
    );
    assert_eq!(inventory.read(&inventory.members[0]).unwrap().as_ref(), b"inner");
}
