//! A zip archive made to a recipe: sound, but for what the recipe spoils.
//!
//! Damaging bytes of an archive mostly breaks a checksum. What readers disagree about are archives whose headers say different things in
//! different places, so that is what is made: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 to 4.5, names the fields.

use std::io::Write;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

use crate::recipe::Recipe;

/// The fields that the local header and the central directory both have.
#[derive(Clone)]
struct Head {
    flags: u16,
    method: u16,
    crc: u32,
    compressed: u32,
    size: u32,
    name: Vec<u8>,
    extra: Vec<u8>,
}

impl Head {
    fn common(&self, out: &mut Vec<u8>) {
        // The version that is needed, and two for the time.
        for field in [20, self.flags, self.method, 0, 0x21] {
            out.extend(field.to_le_bytes());
        }
        for field in [self.crc, self.compressed, self.size] {
            out.extend(field.to_le_bytes());
        }
        for length in [self.name.len(), self.extra.len()] {
            out.extend(u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
        }
    }

    /// Another value in one field.
    fn spoil(&mut self, recipe: &mut Recipe<'_>) {
        match recipe.byte() % 8 {
            0 => self.flags = u16::from(recipe.byte()) | u16::from(recipe.byte()) << 8,
            1 => self.method = u16::from(recipe.byte()),
            2 => self.crc = recipe.number(),
            3 => self.compressed = recipe.number() >> (recipe.byte() % 32),
            4 => self.size = recipe.number() >> (recipe.byte() % 32),
            5 => self.name = recipe.path(),
            6 => self.extra = extra(recipe, &self.name),
            _ => self.extra.truncate(usize::from(recipe.byte())),
        }
    }
}

/// Makes the archive.
pub(crate) fn zip(data: &[u8]) -> Vec<u8> {
    let mut recipe = Recipe::new(data);
    let mut out = recipe.bytes(if data.first().is_some_and(|byte| byte % 8 == 7) { 40 } else { 0 }).to_vec();
    let mut directory = Vec::new();
    let mut count: u16 = 0;
    while count < 5 && (count == 0 || !recipe.is_empty()) {
        let at = u32::try_from(out.len()).unwrap_or(u32::MAX);
        let central = member(&mut recipe, &mut out);
        directory.extend(0x0201_4b50u32.to_le_bytes());
        // The version that it was made by.
        directory.extend(20u16.to_le_bytes());
        central.common(&mut directory);
        directory.extend([0; 6]);
        // A regular file, or a symbolic link.
        let mode: u32 = if recipe.rarely(16) { 0o120_777 } else { 0o100_644 };
        let folder = u32::from(recipe.rarely(32)) << 4;
        directory.extend((mode << 16 | folder).to_le_bytes());
        let offset = if recipe.rarely(24) { recipe.number() >> (recipe.byte() % 32) } else { at };
        directory.extend(offset.to_le_bytes());
        directory.extend(&central.name);
        directory.extend(&central.extra);
        count += 1;
    }
    end(&mut recipe, &mut out, &directory, count);
    out
}

/// Writes a member, and gives what the directory says of it.
fn member(recipe: &mut Recipe<'_>, out: &mut Vec<u8>) -> Head {
    let name = recipe.path();
    let contents = [b"\x7fELF", recipe.bytes(40)].concat();
    let mut crc = Crc::new();
    crc.update(&contents);
    let (method, stored) = if recipe.byte() % 2 == 1 { (8, deflated(&contents)) } else { (0, contents.clone()) };
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let flags = if recipe.byte() % 2 == 1 { 0x800 } else { 0 };
    let mut local = Head {
        flags,
        method,
        crc: crc.sum(),
        compressed: length(&stored),
        size: length(&contents),
        extra: if recipe.rarely(3) { extra(recipe, &name) } else { Vec::new() },
        name,
    };
    let mut central = local.clone();
    if recipe.rarely(3) {
        central.spoil(recipe);
    }
    if recipe.rarely(3) {
        local.spoil(recipe);
    }
    let described = recipe.rarely(8);
    if described {
        // The sizes follow the data.
        local.flags |= 8;
        central.flags |= 8;
    }
    out.extend(0x0403_4b50u32.to_le_bytes());
    let mut head = local.clone();
    if described {
        (head.crc, head.compressed, head.size) = (0, 0, 0);
    }
    head.common(out);
    out.extend(&local.name);
    out.extend(&local.extra);
    out.extend(&stored);
    if described {
        for field in [0x0807_4b50, local.crc, local.compressed, local.size] {
            out.extend(field.to_le_bytes());
        }
    }
    central
}

/// Extra fields: a Unicode path (0x7075), sizes of zip64 (0x0001), anything.
fn extra(recipe: &mut Recipe<'_>, name: &[u8]) -> Vec<u8> {
    let (id, value): (u16, Vec<u8>) = match recipe.byte() % 4 {
        0 | 1 => {
            let mut crc = Crc::new();
            crc.update(name);
            let sum = if recipe.rarely(4) { recipe.number() } else { crc.sum() };
            let version = if recipe.rarely(8) { recipe.byte() } else { 1 };
            (0x7075, [&[version][..], &sum.to_le_bytes(), &recipe.path()].concat())
        }
        2 => (1, recipe.bytes(28).to_vec()),
        _ => (u16::from(recipe.byte()) << 8 | u16::from(recipe.byte()), recipe.bytes(16).to_vec()),
    };
    let length = if recipe.rarely(8) { u16::from(recipe.byte()) } else { u16::try_from(value.len()).unwrap_or(0) };
    let mut field = [&id.to_le_bytes()[..], &length.to_le_bytes(), &value].concat();
    if recipe.rarely(6) {
        field.extend(recipe.bytes(8));
    }
    field
}

fn deflated(contents: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(contents);
    encoder.finish().unwrap_or_default()
}

/// The directory and what ends the archive.
fn end(recipe: &mut Recipe<'_>, out: &mut Vec<u8>, directory: &[u8], count: u16) {
    let (mut start, mut size) = (out.len() as u64, directory.len() as u64);
    let mut said = u64::from(count);
    out.extend(directory);
    match recipe.byte() % 24 {
        21 => said = u64::from(recipe.byte()),
        22 => start = start.wrapping_add(u64::from(recipe.byte())).wrapping_sub(u64::from(recipe.byte())),
        23 => size = size.wrapping_add(u64::from(recipe.byte())).wrapping_sub(u64::from(recipe.byte())),
        _ => {}
    }
    let zip64 = recipe.rarely(8);
    if zip64 {
        let at = out.len() as u64;
        out.extend(0x0606_4b50u32.to_le_bytes());
        out.extend(44u64.to_le_bytes());
        out.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for field in [said, said, size, start] {
            out.extend(field.to_le_bytes());
        }
        out.extend(0x0706_4b50u32.to_le_bytes());
        out.extend(0u32.to_le_bytes());
        out.extend(at.to_le_bytes());
        out.extend(1u32.to_le_bytes());
    }
    let all = zip64 && recipe.byte().is_multiple_of(2);
    let short = |value: u64| if all { u16::MAX } else { u16::try_from(value).unwrap_or(u16::MAX) };
    let long = |value: u64| if all { u32::MAX } else { u32::try_from(value).unwrap_or(u32::MAX) };
    out.extend(0x0605_4b50u32.to_le_bytes());
    out.extend([0; 4]);
    out.extend(short(said).to_le_bytes());
    out.extend(short(said).to_le_bytes());
    out.extend(long(size).to_le_bytes());
    out.extend(long(start).to_le_bytes());
    let comment = recipe.bytes(24);
    let length = if recipe.rarely(8) { u16::from(recipe.byte()) } else { u16::try_from(comment.len()).unwrap_or(0) };
    out.extend(length.to_le_bytes());
    out.extend(comment);
}
