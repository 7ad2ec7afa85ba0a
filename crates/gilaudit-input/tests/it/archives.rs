//! A zip writer that can lie: every field that a hostile archive would set can be set.

use libdeflater::{CompressionLvl, Compressor, Crc};

/// One entry, with what its headers say of it.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) local_name: Option<String>,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) crc: u32,
    pub(crate) size: u64,
    pub(crate) data: Vec<u8>,
    pub(crate) descriptor: bool,
    pub(crate) zip64: bool,
    /// More extra fields, in both headers.
    pub(crate) extra: Vec<u8>,
    /// The name's bytes, where they are no text.
    pub(crate) raw_name: Option<Vec<u8>>,
}

/// An entry that is not compressed.
pub(crate) fn stored(name: &str, contents: impl AsRef<[u8]>) -> Entry {
    let contents = contents.as_ref();
    let mut crc = Crc::new();
    crc.update(contents);
    Entry {
        name: name.to_owned(),
        local_name: None,
        flags: 0,
        method: 0,
        crc: crc.sum(),
        size: contents.len() as u64,
        data: contents.to_vec(),
        descriptor: false,
        zip64: false,
        extra: Vec::new(),
        raw_name: None,
    }
}

/// A deflated entry.
pub(crate) fn deflated(name: &str, contents: impl AsRef<[u8]>) -> Entry {
    let contents = contents.as_ref();
    let mut compressor = Compressor::new(CompressionLvl::default());
    let mut data = vec![0; compressor.deflate_compress_bound(contents.len())];
    let length = compressor.deflate_compress(contents, &mut data).unwrap();
    data.truncate(length);
    Entry { method: 8, data, ..stored(name, contents) }
}

/// The entries as an archive.
pub(crate) fn zip(entries: &[Entry]) -> Vec<u8> {
    let mut archive = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        let offset = archive.len() as u32;
        let compressed = entry.data.len() as u64;
        let flags = entry.flags | if entry.descriptor { 8 } else { 0 };
        let (small, small_compressed) =
            if entry.zip64 { (u32::MAX, u32::MAX) } else { (entry.size as u32, compressed as u32) };
        let mut extra = Vec::new();
        if entry.zip64 {
            extra.extend(1u16.to_le_bytes());
            extra.extend(16u16.to_le_bytes());
            extra.extend(entry.size.to_le_bytes());
            extra.extend(compressed.to_le_bytes());
        }
        extra.extend(&entry.extra);
        let fixed = |crc: u32, compressed: u32, size: u32, name: &[u8], extra: &[u8]| {
            let mut out = Vec::new();
            out.extend(20u16.to_le_bytes());
            out.extend(flags.to_le_bytes());
            out.extend(entry.method.to_le_bytes());
            out.extend([0; 4]);
            for number in [crc, compressed, size] {
                out.extend(number.to_le_bytes());
            }
            out.extend((name.len() as u16).to_le_bytes());
            out.extend((extra.len() as u16).to_le_bytes());
            out
        };
        let name = entry.raw_name.as_deref().unwrap_or(entry.name.as_bytes());
        let local_name = entry.local_name.as_deref().map_or(name, str::as_bytes);
        archive.extend(b"PK\x03\x04");
        archive.extend(if entry.descriptor {
            fixed(0, 0, 0, local_name, &extra)
        } else {
            fixed(entry.crc, small_compressed, small, local_name, &extra)
        });
        archive.extend(local_name);
        archive.extend(&extra);
        archive.extend(&entry.data);
        if entry.descriptor {
            archive.extend(b"PK\x07\x08");
            for number in [entry.crc, compressed as u32, entry.size as u32] {
                archive.extend(number.to_le_bytes());
            }
        }
        directory.extend(b"PK\x01\x02");
        directory.extend(20u16.to_le_bytes());
        directory.extend(fixed(entry.crc, small_compressed, small, name, &extra));
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name);
        directory.extend(&extra);
    }
    let offset = archive.len() as u32;
    archive.extend(&directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend((entries.len() as u16).to_le_bytes());
    archive.extend((entries.len() as u16).to_le_bytes());
    archive.extend((directory.len() as u32).to_le_bytes());
    archive.extend(offset.to_le_bytes());
    archive.extend([0; 2]);
    archive
}

/// The metadata of the wheel `x-1.0-cp314-cp314t-linux_x86_64.whl`.
pub(crate) fn metadata() -> Vec<Entry> {
    vec![
        stored("x-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: X\nVersion: 1.0\n\nText\n"),
        stored("x-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: cp314-cp314t-linux_x86_64\n"),
        stored("x-1.0.dist-info/RECORD", "x-1.0.dist-info/METADATA,,\nx-1.0.dist-info/WHEEL,,\n"),
    ]
}

/// The file name that goes with [`metadata`].
pub(crate) const NAME: &str = "x-1.0-cp314-cp314t-linux_x86_64.whl";

/// A wheel with these members and the usual metadata, a RECORD of those among it that can be installed.
pub(crate) fn wheel(members: impl IntoIterator<Item = Entry>) -> Vec<u8> {
    let mut entries: Vec<Entry> = members.into_iter().collect();
    entries.extend(metadata());
    let sound = |entry: &&Entry| entry.local_name.is_none() && !entry.name.contains(['\\', '\0', ':']);
    let inside = |entry: &&Entry| !entry.name.starts_with('/') && !entry.name.contains("..");
    let record: String =
        entries.iter().filter(sound).filter(inside).map(|entry| format!("{},,\n", entry.name)).collect();
    entries.pop();
    entries.push(stored("x-1.0.dist-info/RECORD", record));
    zip(&entries)
}
