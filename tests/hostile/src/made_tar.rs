//! A compressed tar made to a recipe, and one of any bytes with its sums made right.
//!
//! The fields are those of POSIX.1-2017 (`pax`, ustar Interchange Format) and of GNU tar's long names.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::recipe::Recipe;

const BLOCK: usize = 512;

/// Makes the archive.
pub(crate) fn tar_gz(data: &[u8]) -> Vec<u8> {
    let mut recipe = Recipe::new(data);
    let mut out = Vec::new();
    for _ in 0..5 {
        if recipe.is_empty() {
            break;
        }
        member(&mut recipe, &mut out);
    }
    if !recipe.rarely(8) {
        out.resize(out.len() + 2 * BLOCK, 0);
    }
    let mut file = compressed(&out);
    match recipe.byte() % 16 {
        // A second stream, or what is none, after the first.
        14 => file.extend(compressed(&out)),
        15 => file.extend(recipe.bytes(20)),
        _ => {}
    }
    file
}

fn member(recipe: &mut Recipe<'_>, out: &mut Vec<u8>) {
    let path = recipe.path();
    let contents = [b"\x7fELF", recipe.bytes(60)].concat();
    match recipe.byte() % 8 {
        5 => {
            let long = [recipe.path(), vec![0]].concat();
            block(recipe, out, b'L', b"././@LongLink", &long);
        }
        6 => {
            let record = pax(recipe);
            block(recipe, out, b'x', b"PaxHeaders/core", &record);
        }
        7 => {
            let record = pax(recipe);
            block(recipe, out, b'g', b"pax_global_header", &record);
        }
        _ => {}
    }
    const KINDS: [u8; 13] = *b"000000\x0017125S";
    let kind = if recipe.rarely(24) { recipe.byte() } else { KINDS[usize::from(recipe.byte()) % KINDS.len()] };
    block(recipe, out, kind, &path, &contents);
}

/// A record of an extended header.
fn pax(recipe: &mut Recipe<'_>) -> Vec<u8> {
    const KEYS: [&str; 5] = ["path", "size", "linkpath", "GNU.sparse.name", "hdrcharset"];
    let key = KEYS[usize::from(recipe.byte()) % KEYS.len()];
    let value = if key == "size" { recipe.byte().to_string().into_bytes() } else { recipe.path() };
    let rest = [b" ", key.as_bytes(), b"=", &value, b"\n"].concat();
    // The length counts its own digits.
    let mut length = rest.len() + 1;
    while length.to_string().len() + rest.len() != length {
        length += 1;
    }
    if recipe.rarely(8) {
        length = usize::from(recipe.byte());
    }
    [length.to_string().as_bytes(), &rest].concat()
}

/// A header and what follows it.
fn block(recipe: &mut Recipe<'_>, out: &mut Vec<u8>, kind: u8, path: &[u8], contents: &[u8]) {
    let mut header = [0u8; BLOCK];
    let put = |header: &mut [u8; BLOCK], at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(&mut header, 0, &path[..path.len().min(100)]);
    put(&mut header, 100, b"0000644\0");
    let size = if recipe.rarely(24) { usize::from(recipe.byte()) } else { contents.len() };
    put(&mut header, 124, format!("{size:011o}\0").as_bytes());
    put(&mut header, 136, b"00000000000\0");
    header[156] = kind;
    put(&mut header, 157, b"pkg/core.so");
    match recipe.byte() % 4 {
        // GNU, and what was before both.
        2 => put(&mut header, 257, b"ustar  \0"),
        3 => {}
        _ => put(&mut header, 257, b"ustar\x0000"),
    }
    if recipe.rarely(12) {
        let path = recipe.path();
        put(&mut header, 345, &path[..path.len().min(100)]);
    }
    if recipe.rarely(12) {
        let at = usize::from(recipe.byte()) * 2;
        let bytes = recipe.bytes(12);
        put(&mut header, at.min(BLOCK - bytes.len()), bytes);
    }
    out.extend(with_sums(header.to_vec()));
    out.extend(contents);
    out.resize(out.len().next_multiple_of(BLOCK), 0);
}

/// The same with the sum of every header made right: without, hardly any change gets past it.
pub(crate) fn with_sums(mut tar: Vec<u8>) -> Vec<u8> {
    for header in tar.chunks_exact_mut(BLOCK) {
        // Octal digits where the size is: nearly all blocks of contents have something else there.
        let looks = header[124..134].iter().all(|byte| byte.is_ascii_digit() || *byte == b' ');
        if looks || &header[257..262] == b"ustar" {
            header[148..156].fill(b' ');
            let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
            header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    tar
}

/// Compressed as gzip does.
pub(crate) fn compressed(tar: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(tar);
    encoder.finish().unwrap_or_default()
}
