//! Damages a file, the same way for the same seed. Shared by the tests and the example `mutate`.
//!
//! What a linker wrote small decides the most: headers, dynamic section, hash tables and relocations are hit as often as code.

use std::ops::Range;

use object::{Object, ObjectSection, ObjectSegment};

/// Values that break arithmetic and bounds.
const VALUES: [u64; 16] = [
    0,
    1,
    2,
    0x10,
    0x7f,
    0xff,
    0x1000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fff0,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_f000,
    u64::MAX,
];

/// A file and the parts of it that are worth damaging.
pub(crate) struct Mutator {
    whole: Vec<u8>,
    parts: Vec<Range<usize>>,
    state: u64,
}

impl Mutator {
    pub(crate) fn new(whole: Vec<u8>, seed: u64) -> Self {
        let mut parts: Vec<Range<usize>> = vec![0..whole.len().min(64), 0..whole.len().min(1024), 0..whole.len()];
        if let Ok(file) = object::File::parse(whole.as_slice()) {
            let sections = file.sections().filter_map(|section| section.file_range());
            let ranges: Vec<(u64, u64)> = sections.chain(file.segments().map(|segment| segment.file_range())).collect();
            for (start, length) in ranges {
                let start = usize::try_from(start).unwrap_or(usize::MAX).min(whole.len());
                let end = start.saturating_add(usize::try_from(length).unwrap_or(usize::MAX)).min(whole.len());
                parts.push(start..end);
            }
        }
        parts.retain(|part| !part.is_empty());
        Self { whole, parts, state: seed.wrapping_mul(2) | 1 }
    }

    /// A number below `below`, or 0. Marsaglia's xorshift64.
    fn random(&mut self, below: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let below = u64::try_from(below.max(1)).unwrap_or(u64::MAX);
        usize::try_from((self.state >> 11) % below).unwrap_or(0)
    }

    /// An offset into the file, with small parts as likely as large ones.
    fn offset(&mut self) -> usize {
        let index = self.random(self.parts.len());
        let part = self.parts.get(index).cloned().unwrap_or_default();
        part.start + self.random(part.len())
    }

    /// The next damaged file.
    pub(crate) fn damage(&mut self) -> Vec<u8> {
        let mut data = self.whole.clone();
        for _ in 0..=self.random(6) {
            let at = self.offset();
            match self.random(6) {
                0 => {
                    let byte = u8::try_from(self.random(256)).unwrap_or(0);
                    put(&mut data, at, &[byte]);
                }
                1 => {
                    let bit = 1u8 << self.random(8);
                    let byte = data.get(at).copied().unwrap_or(0) ^ bit;
                    put(&mut data, at, &[byte]);
                }
                // What is elsewhere in the file: another relocation, another symbol, other code.
                2 => {
                    let (from, length) = (self.offset() & !7, 8 << self.random(4));
                    let block = data.get(from..).unwrap_or_default().iter().copied().take(length).collect::<Vec<u8>>();
                    put(&mut data, at & !7, &block);
                }
                // A little more or less than there is.
                3 => {
                    let at = at & !3;
                    let word = data.get(at..).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or_default();
                    let step = [1, 8, 16, 0x1000].get(self.random(4)).copied().unwrap_or(1);
                    let word = u32::from_le_bytes(word);
                    let word = if self.random(2) == 0 { word.wrapping_add(step) } else { word.wrapping_sub(step) };
                    put(&mut data, at, &word.to_le_bytes());
                }
                _ => {
                    let value = match self.random(20) {
                        16 => self.whole.len() as u64,
                        17 => (self.whole.len() as u64).wrapping_sub(1),
                        18 => self.random(self.whole.len()) as u64,
                        index => VALUES.get(index).copied().unwrap_or(u64::MAX / 16),
                    };
                    let width = 1 << self.random(4);
                    let big = self.random(8) == 0;
                    let bytes = if big { value.to_be_bytes() } else { value.to_le_bytes() };
                    let bytes = if big { bytes.get(8 - width..) } else { bytes.get(..width) };
                    put(&mut data, at & !(width - 1), bytes.unwrap_or_default());
                }
            }
        }
        if self.random(25) == 0 {
            let end = self.offset();
            data.truncate(end);
        }
        data
    }
}

/// Overwrites as many bytes as the file has there.
fn put(data: &mut [u8], at: usize, bytes: &[u8]) {
    for (place, byte) in data.iter_mut().skip(at).zip(bytes) {
        *place = *byte;
    }
}
