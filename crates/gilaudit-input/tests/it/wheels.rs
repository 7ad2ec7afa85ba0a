use gilaudit_input::{ArtifactKind, Contents, Limits};

use crate::archives::{Entry, NAME, deflated, metadata, stored, wheel, zip};
use crate::{Scratch, read_all};

const SO: &str = "x/y.cpython-314t-x86_64-linux-gnu.so";

/// What is found in a wheel with these bytes, without the name of the wheel itself.
fn list(bytes: &[u8]) -> Vec<String> {
    let scratch = Scratch::new();
    scratch.write(NAME, bytes);
    let lines = scratch.list(&scratch.collect(NAME));
    lines.into_iter().map(|line| line.replace(&format!("{NAME}!"), "").replace(NAME, "wheel")).collect()
}

/// What reading the members of a wheel with these bytes gives.
fn read(bytes: &[u8]) -> Vec<Result<Vec<u8>, String>> {
    let scratch = Scratch::new();
    scratch.write(NAME, bytes);
    read_all(&scratch.collect(NAME))
}

#[test]
fn stored_and_deflated_members_are_read() {
    let long = b"abc".repeat(50_000);
    let scratch = Scratch::new();
    scratch.write(NAME, wheel([stored("x/a.so", "short"), deflated(SO, &long), deflated("x.libs/libz.so.1", "")]));
    let inventory = scratch.collect(NAME);
    assert_eq!(
        scratch.list(&inventory),
        [
            format!("Library {NAME}!x.libs/libz.so.1 = libz (X 1.0)"),
            format!("Candidate {NAME}!x/a.so = x.a (X 1.0)"),
            format!("Candidate {NAME}!{SO} = x.y (X 1.0)"),
        ]
    );
    assert_eq!(read_all(&inventory), [Ok(vec![]), Ok(b"short".to_vec()), Ok(long)]);
    let artifact = &inventory.artifacts[inventory.members[0].artifact];
    assert_eq!((artifact.kind, artifact.explicit), (ArtifactKind::Wheel, true));
    assert_eq!(artifact.tags.as_ref().unwrap().abi, ["cp314t"]);
    assert_eq!(inventory.members[2].size(), Some(150_000));
}

#[test]
fn data_descriptors_and_zip64_are_read() {
    let entries = [
        Entry { descriptor: true, ..deflated("x/a.so", "one") },
        Entry { descriptor: true, ..stored("x/b.so", "two") },
        Entry { zip64: true, ..deflated("x/c.so", "three") },
    ];
    assert_eq!(read(&wheel(entries)), [Ok(b"one".to_vec()), Ok(b"two".to_vec()), Ok(b"three".to_vec())]);
}

#[test]
fn data_folders_change_only_the_module_name() {
    let entries = ["x-1.0.data/platlib/pkg/a.so", "x-1.0.data/purelib/b.so", "x-1.0.data/data/lib/c.so"];
    assert_eq!(
        list(&wheel(entries.map(|name| stored(name, "")))),
        [
            "Candidate x-1.0.data/data/lib/c.so = data.lib.c (X 1.0)",
            "Candidate x-1.0.data/platlib/pkg/a.so = pkg.a (X 1.0)",
            "Candidate x-1.0.data/purelib/b.so = b (X 1.0)",
        ]
    );
}

#[test]
fn record_gives_hashes() {
    let mut entries = metadata();
    entries.pop();
    entries.push(stored(
        "x-1.0.dist-info/RECORD",
        "x/a.so,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\nx/gone.so,,\nx/gone.py,,\n",
    ));
    entries.extend([stored("x/a.so", ""), stored("x/b.so", "")]);
    assert_eq!(
        list(&zip(&entries)),
        [
            "Candidate x/a.so = x.a (X 1.0) [e3b0]",
            "Candidate x/b.so = x.b (X 1.0)",
            "! x-1.0.dist-info/RECORD: does not list 'x-1.0.dist-info/METADATA' and 1 more",
            "! x-1.0.dist-info/RECORD: lists 'x/gone.py', which the archive does not have",
            "! x/b.so: x-1.0.dist-info/RECORD does not list it",
            "! x/gone.so: x-1.0.dist-info/RECORD lists it, but the archive does not have it",
        ]
    );
}

#[test]
fn metadata_disagreements_are_told() {
    let entries = [
        stored(
            "x-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nSummary: a\n  Name: no\nName: other\nVersion: 1.0.0\n",
        ),
        stored("x-1.0.dist-info/WHEEL", "Tag: cp314-cp314-linux_x86_64\n"),
        stored("x/a.so", ""),
    ];
    assert_eq!(
        list(&zip(&entries)),
        [
            "Candidate x/a.so = x.a (other 1.0.0)",
            "! wheel: no x-1.0.dist-info/RECORD in it",
            "! wheel: the distribution's name is 'other' by its metadata but 'x' by its file name",
            "! wheel: the tag is 'cp314-cp314-linux_x86_64' by its metadata but 'cp314-cp314t-linux_x86_64' by its file name",
        ]
    );
}

#[test]
fn no_metadata_at_all() {
    assert_eq!(
        list(&zip(&[stored("x/a.so", "")])),
        ["Candidate x/a.so = x.a (x 1.0)", "! wheel: no .dist-info folder in it: not a wheel"]
    );
}

#[test]
fn of_duplicates_the_one_that_pip_installs_is_listed() {
    let entries = [
        stored("x/a.so", "one"),
        stored("x/a.so", "two"),
        stored("x//b.so", ""),
        stored("x/b.so", ""),
        stored("t.py", ""),
    ];
    let told = "several members are installed at this place: this one wins with pip, another with others";
    assert_eq!(
        list(&wheel(entries)),
        [
            "Candidate x/a.so = x.a (X 1.0)".to_owned(),
            "Candidate x/b.so = x.b (X 1.0)".to_owned(),
            format!("!! x/a.so: {told}"),
            format!("!! x/b.so: {told}"),
        ]
    );
    // `.data` folders come last, whatever their place in the archive, and `data` is the prefix, where site-packages is.
    let entries = [
        stored("x-1.0.data/platlib/x/a.so", "late"),
        stored("x/a.so", "early"),
        stored("y.so", "early"),
        stored("x-1.0.data/data/lib/python3.14t/site-packages/y.so", "late"),
        stored("x/z.so", "first"),
        stored("x/z.so", "second"),
        stored("x/t.py", ""),
        stored("x/./t.py", ""),
    ];
    let archive = wheel(entries);
    assert_eq!(read(&archive), [Ok(b"late".to_vec()), Ok(b"late".to_vec()), Ok(b"second".to_vec())]);
    let lines = list(&archive);
    assert!(lines.contains(&format!("! x/./t.py: {told}")), "{lines:?}");
}

#[test]
fn names_that_leave_are_refused() {
    let entries = ["../a.so", "/abs.so", "x\\b.so", "C:/d.so", "x/../../e.so", "../ok.txt", "x/./f.so", "x/g\\.so"];
    let refused = "a name that leaves the folder it is installed to, or that systems read differently";
    assert_eq!(
        list(&wheel(entries.map(|name| stored(name, "")))),
        [
            "Candidate x/./f.so = x.f (X 1.0)".to_owned(),
            format!("!! ../a.so: {refused}"),
            format!("! ../ok.txt: {refused}"),
            format!("!! /abs.so: {refused}"),
            format!("!! C:/d.so: {refused}"),
            format!("!! x/../../e.so: {refused}"),
            format!("!! x/g\\\\.so: {refused}"),
            format!("!! x\\\\b.so: {refused}"),
        ]
    );
}

#[test]
fn local_headers_must_agree() {
    let hidden = Entry { local_name: Some("x/evil.so".to_owned()), ..stored("x/doc.txt", "") };
    assert_eq!(
        list(&wheel([hidden])),
        [
            "! x-1.0.dist-info/RECORD: does not list 'x/doc.txt'",
            "!! x/doc.txt: also called 'x/evil.so': installers disagree about this member",
        ]
    );
}

#[test]
fn what_cannot_be_inflated_is_a_problem() {
    let entries = [
        Entry { flags: 1, ..stored("x/a.so", "encrypted") },
        Entry { method: 14, ..stored("x/b.so", "lzma") },
        Entry { crc: 1, ..deflated("x/c.so", "checksum") },
        Entry { size: 3, ..deflated("x/d.so", "declared too small") },
        Entry { size: 99, ..deflated("x/e.so", "declared too large") },
        Entry { data: b"rubbish".to_vec(), ..deflated("x/f.so", "damaged") },
        Entry { size: 4, ..stored("x/g.so", "stored") },
        Entry { crc: 1, ..stored("x/h.so.1", "a library") },
        stored("x/z.so", "the rest goes on"),
    ];
    let errors = read(&wheel(entries)).into_iter().map(|result| match result {
        Ok(contents) => String::from_utf8(contents).unwrap(),
        Err(error) => error,
    });
    assert_eq!(
        errors.collect::<Vec<_>>(),
        [
            "!! encrypted",
            "!! compression method 14 is not supported",
            "!! the checksum does not match: the archive is damaged",
            "!! declares 3 bytes but inflates to more",
            "!! declares 99 bytes but inflates to 18",
            "!! its compressed data is damaged",
            "!! stored in 6 bytes but declares 4",
            "! the checksum does not match: the archive is damaged",
            "the rest goes on",
        ]
    );
}

#[test]
fn bombs_are_not_inflated() {
    let zeros = deflated("x/a.so", vec![0; 20 << 20]);
    let limits = Limits { ratio: 10, ..Limits::default() };
    let scratch = Scratch::new();
    scratch.write(NAME, wheel([zeros]));
    let error = read_all(&scratch.collect_within(NAME, &limits)).remove(0).err().unwrap_or_default();
    assert!(
        error.starts_with("!! declares 20971520 bytes in ") && error.ends_with("over the ratio limit of 10"),
        "{error}"
    );

    let huge = Entry { size: u64::MAX, zip64: true, ..deflated("x/a.so", "x") };
    let errors = list(&wheel([huge]));
    assert_eq!(errors, ["!! x/a.so: the archive's members are over the limit of 17179869184 bytes together"]);

    scratch.write(NAME, wheel([stored("x/a.so", "12345678"), stored("x/b.so", "1")]));
    let limits = Limits { member_bytes: 7, ..Limits::default() };
    assert_eq!(
        read_all(&scratch.collect_within(NAME, &limits)),
        [Err("!! declares 8 bytes, over the limit of 7".to_owned()), Ok(b"1".to_vec())]
    );
    let limits = Limits { archive_members: 1, ..Limits::default() };
    let lines = scratch.list(&scratch.collect_within(NAME, &limits));
    assert!(lines.contains(&format!("!! {NAME}: more than 1 members; the rest was not looked at")), "{lines:?}");
}

#[test]
fn what_is_no_archive_is_a_problem() {
    assert_eq!(list(b""), ["!! wheel: the file is empty"]);
    assert_eq!(list(b"<html>"), ["!! wheel: not a zip archive"]);
    let whole = wheel([stored("x/a.so", "contents")]);
    assert_eq!(list(&whole[..100]), ["!! wheel: truncated zip archive: it has no central directory"]);
}

#[test]
fn entries_that_share_data_are_told() {
    let mut archive = wheel([stored("x/a.so", "aaaa"), stored("x/b.so", "bbbb")]);
    // Lets the directory's second entry point at the first one's data.
    let second = archive.windows(4).enumerate().filter(|(_, bytes)| *bytes == b"PK\x01\x02").nth(1).unwrap().0;
    archive[second + 42..second + 46].copy_from_slice(&[0; 4]);
    let lines = list(&archive);
    assert!(lines.contains(&"! wheel: 'x/a.so' and 'x/b.so' share data".to_owned()), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("!! x/b.so: also called 'x/a.so'")), "{lines:?}");
    assert_eq!(read(&archive).pop(), Some(Err("!! its local header calls it 'x/a.so'".to_owned())));
}

#[test]
fn entries_that_the_directory_hides_are_told() {
    let hidden = zip(&[stored("x/hidden.so", "evil")]);
    let data =
        [b"listed".to_vec(), hidden[..hidden.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap()].to_vec()];
    let mut archive = wheel([Entry { data: data.concat(), ..stored("x/a.so", "listed") }]);
    // Both headers say that `x/a.so` ends where the hidden entry begins.
    let headers: Vec<usize> = [b"PK\x03\x04", b"PK\x01\x02"]
        .iter()
        .map(|magic| archive.windows(4).position(|bytes| bytes == *magic).unwrap())
        .collect();
    archive[headers[0] + 18..headers[0] + 22].copy_from_slice(&6u32.to_le_bytes());
    archive[headers[1] + 20..headers[1] + 24].copy_from_slice(&6u32.to_le_bytes());
    assert_eq!(
        list(&archive),
        [
            "Candidate x/a.so = x.a (X 1.0)",
            "!! x/hidden.so: a local entry that the central directory does not list: installers disagree about this member",
        ]
    );
    assert_eq!(read(&archive), [Ok(b"listed".to_vec())]);
}

/// Every cut and every flipped byte of a small wheel gives problems or members, never a panic.
#[test]
fn damage_anywhere_is_survived() {
    let whole = wheel([deflated(SO, b"abc".repeat(100)), Entry { zip64: true, ..stored("x/b.so", "two") }]);
    let scratch = Scratch::new();
    let try_one = |bytes: &[u8]| {
        scratch.write(NAME, bytes);
        let inventory = scratch.collect(NAME);
        let read = read_all(&inventory);
        assert_eq!(inventory.artifacts.len(), 1);
        (inventory.problems.len(), read)
    };
    for cut in 0..whole.len() {
        let (problems, _) = try_one(&whole[..cut]);
        assert!(problems > 0, "cut at {cut}");
    }
    for place in 0..whole.len() {
        for flip in [0x01, 0xff] {
            let mut bytes = whole.clone();
            bytes[place] ^= flip;
            try_one(&bytes);
        }
    }
}

/// An entry whose name is decided by something else than its plain bytes is read under the name that pip installs it by, and said.
#[test]
fn names_that_pip_reads_otherwise() {
    let unicode = |of: &str, name: &str| {
        let mut crc = libdeflater::Crc::new();
        crc.update(of.as_bytes());
        let field = [&[1], &crc.sum().to_le_bytes()[..], name.as_bytes()].concat();
        [&0x7075u16.to_le_bytes()[..], &(field.len() as u16).to_le_bytes(), &field].concat()
    };
    let lines = list(&wheel([
        Entry { extra: unicode("q.txt", "x/hidden.so"), ..stored("q.txt", "1") },
        Entry { extra: unicode("other", "x/not.so"), ..stored("r.txt", "2") },
        stored("x/nul.so\0.txt", "3"),
        Entry { flags: 0x800, ..stored("x/é.so", "4") },
        stored("x/ü.so", "5"),
    ]));
    let told: Vec<&str> = lines.iter().map(String::as_str).filter(|line| !line.contains("RECORD")).collect();
    assert_eq!(
        told,
        [
            "Candidate x/hidden.so = x.hidden (X 1.0)",
            "Candidate x/nul.so = x.nul (X 1.0)",
            "Candidate x/é.so = x.é (X 1.0)",
            "Candidate x/├╝.so = x.├╝ (X 1.0)",
            "!! r.txt: also called 'x/not.so': installers disagree about this member",
            "!! x/hidden.so: also called 'q.txt': installers disagree about this member",
            "!! x/nul.so: also called 'x/nul.so\\0.txt': installers disagree about this member",
            "!! x/├╝.so: also called 'x/ü.so': installers disagree about this member",
        ]
    );
}

#[test]
fn what_python_refuses_is_not_read() {
    let refused = |bytes: &[u8], text: &str| {
        let lines = list(bytes);
        assert!(lines.iter().any(|line| line.starts_with("!! ") && line.contains(text)), "{text}: {lines:?}");
    };
    refused(&wheel([Entry { flags: 0x800, raw_name: Some(b"\xff.so".to_vec()), ..stored("x", "") }]), "not the UTF-8");
    let whole = wheel([stored("x/a.so", "contents")]);
    refused(&[&whole[..], b"rubbish"].concat(), "bytes after its end");
    // A comment with an end record in it: readers that ask where the comment ends take the outer one.
    let mut commented = whole.clone();
    let inner = zip(&[stored("x/evil.so", "evil")]);
    let at = commented.len() - 2;
    commented[at..].copy_from_slice(&(inner.len() as u16).to_le_bytes());
    commented.extend(&inner);
    refused(&commented, "two end records");
    let lines = list(&[b"#!/bin/sh\n", &whole[..]].concat());
    assert!(lines.contains(&"Candidate x/a.so = x.a (X 1.0)".to_owned()), "{lines:?}");
    assert!(lines.contains(&"! wheel: 10 bytes are in front of the archive".to_owned()), "{lines:?}");
}

#[test]
fn names_that_differ_in_capitals_only() {
    let twice = || [stored("x/a.so", ""), stored("x/A.so", "")];
    assert!(!list(&wheel(twice())).iter().any(|line| line.contains("capitals")));
    let scratch = Scratch::new();
    let name = "x-1.0-cp314-cp314t-win_amd64.whl";
    let mut entries = metadata();
    entries[1] = stored("x-1.0.dist-info/WHEEL", "Tag: cp314-cp314t-win_amd64\n");
    entries.extend(twice());
    scratch.write(name, zip(&entries));
    let lines = scratch.list(&scratch.collect(name));
    assert_eq!(lines.iter().filter(|line| line.starts_with("!!") && line.contains("capitals")).count(), 2, "{lines:?}");
}

#[test]
fn archives_inside_archives() {
    let scratch = Scratch::new();
    let inner = wheel([stored("x/a.so", "inner")]);
    let list = |name: &str, entries: &[Entry]| {
        scratch.write(name, zip(entries));
        let inventory = scratch.collect(name);
        let lines = scratch.list(&inventory);
        lines.into_iter().map(|line| line.replace(&format!("{name}!"), "")).collect::<Vec<String>>()
    };
    let bag = [
        deflated(&format!("dist/{NAME}"), &inner),
        stored("readme.txt", ""),
        stored("empty.whl", ""),
        stored("info.tar.zst", b"\x28\xb5\x2f\xfd"),
    ];
    assert_eq!(
        list("bag.zip", &bag),
        [
            format!("Candidate dist/{NAME}!x/a.so = x.a (X 1.0)"),
            "!! info.tar.zst: an archive inside the archive, of a kind that is not read".to_owned(),
        ]
    );
    let inventory = scratch.collect("bag.zip");
    assert_eq!(inventory.read(&inventory.members[0]).unwrap().as_ref(), b"inner");
    let mut entries = metadata();
    entries.extend([
        stored("x/_vendor/broken.whl", "none"),
        stored("x/data.zip", "none"),
        stored(&format!("x/{NAME}"), &inner),
    ]);
    let lines = list(NAME, &entries);
    assert!(lines[0].starts_with("Candidate x/") && lines[0].ends_with("x/a.so = x.a (X 1.0)"), "{lines:?}");
    assert!(
        lines
            .contains(&"!! x/_vendor/broken.whl: an archive inside the archive, of a kind that is not read".to_owned())
    );
    assert!(lines.contains(&"! x/data.zip: an archive inside the archive, which was not opened".to_owned()));
    // Each in the one before, deeper than anybody packs.
    let mut bytes = inner;
    for _ in 0..5 {
        bytes = zip(&[stored("a.zip", bytes)]);
    }
    scratch.write("deep.zip", bytes);
    let lines = scratch.list(&scratch.collect("deep.zip"));
    assert!(
        lines[0].starts_with("!! deep.zip!a.zip!a.zip!a.zip!a.zip: an archive inside the archive: more than 3"),
        "{lines:?}"
    );
}

#[test]
fn the_beginning_of_what_is_no_binary_is_enough() {
    let scratch = Scratch::new();
    let text = b"not a binary ".repeat(20_000);
    let binary = [b"\x7fELF".to_vec(), vec![1; 200_000]].concat();
    scratch.write(NAME, wheel([deflated("x/a.so", &text), stored("x/b.so", &text), deflated("x/c.so", &binary)]));
    let inventory = scratch.collect(NAME);
    let is_elf = |head: &[u8]| head.starts_with(b"\x7fELF");
    let length = |contents| match contents {
        Contents::Memory(bytes) => bytes.len(),
        Contents::File(_) => panic!("a member of an archive is no file"),
    };
    let read: Vec<usize> =
        inventory.members.iter().map(|member| length(inventory.contents(member, is_elf).unwrap())).collect();
    assert_eq!(read, [512, 512, 200_004]);
}

#[test]
fn problems_are_not_without_end() {
    let names: Vec<String> = (0..3000).map(|index| format!("../{index}.so")).collect();
    let lines = list(&wheel(names.iter().map(|name| stored(name, ""))));
    assert_eq!(lines.len(), 101, "{lines:?}");
    assert!(lines.contains(
        &"!! wheel: and 2900 more problems like these, 2900 of them of something that was not read".to_owned()
    ));
}

/// Whatever the headers of an entry say, none of its spellings that is one of an extension goes unmentioned.
#[test]
fn no_spelling_of_an_extension_is_silent() {
    const NAMES: [&str; 10] =
        ["a.so", "x/b.so", "q.txt", "x/./c.so", "é.so", "d.so\0.txt", "t\0e.so", "x\\f.so", "../g.so", "h.so/"];
    let mut state: u64 = 0x5eed;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..500 {
        let (mut entries, mut spelled) = (Vec::new(), Vec::new());
        for _ in 0..=random(3) {
            let name = NAMES[random(NAMES.len())];
            let mut entry = Entry { flags: if random(2) == 0 { 0x800 } else { 0 }, ..deflated(name, "contents") };
            spelled.push(name);
            if random(3) == 0 {
                let other = NAMES[random(NAMES.len())];
                spelled.push(other);
                entry.local_name = Some(other.to_owned());
            }
            if random(3) == 0 {
                let other = NAMES[random(NAMES.len())];
                spelled.push(other);
                let mut crc = libdeflater::Crc::new();
                crc.update(if random(2) == 0 { name.as_bytes() } else { b"another" });
                let field = [&[1], &crc.sum().to_le_bytes()[..], other.as_bytes()].concat();
                entry.extra = [&0x7075u16.to_le_bytes()[..], &(field.len() as u16).to_le_bytes(), &field].concat();
            }
            entries.push(entry);
        }
        let is_extension = |name: &&str| name.split('\0').any(|part| part.ends_with(".so"));
        let expected = spelled.iter().filter(|name| is_extension(name)).count();
        let lines = list(&wheel(entries));
        let told = lines.iter().filter(|line| line.starts_with("Candidate") || line.starts_with("!!")).count();
        assert!(expected == 0 || told > 0, "{spelled:?}: {lines:?}");
        for name in spelled.iter().filter(|name| is_extension(name)) {
            let stem = name.split('\0').find(|part| part.ends_with(".so")).unwrap_or_default();
            let stem = stem.trim_start_matches("../").rsplit(['/', '\\']).next().unwrap_or_default();
            // A name that is not marked as UTF-8 has other letters.
            let known = lines.iter().any(|line| line.contains(stem.trim_start_matches('é')));
            assert!(known, "{name:?}: {lines:?}");
        }
    }
}
