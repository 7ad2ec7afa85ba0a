//! Android's packed relocations: SLEB128 numbers in groups that share what their members have in common.
//!
//! bionic, `linker/linker_reloc_iterators.h`, `packed_reloc_iterator`; `lld` writes them with `--pack-dyn-relocs=android`.

/// What the members of a group share.
const BY_INFO: i64 = 1;
const BY_OFFSET: i64 = 2;
const BY_ADDEND: i64 = 4;
const HAS_ADDEND: i64 = 8;

/// The most relocations that are unpacked: a group of any length may take a few bytes.
const LIMIT: u64 = 4_000_000;

/// One relocation, as an entry of a plain table would have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Relocation {
    pub(super) offset: u64,
    pub(super) info: u64,
    pub(super) addend: i64,
}

/// Hands every relocation to `add`; the error says why there may be more.
pub(super) fn unpack(bytes: &[u8], add: &mut dyn FnMut(Relocation)) -> Result<(), &'static str> {
    const CUT: &str = "packed relocations that end in the middle";
    let mut rest = bytes.strip_prefix(b"APS2").ok_or("packed relocations of an unknown kind")?;
    let mut next = || sleb(&mut rest).ok_or(CUT);
    let mut left = next()?.cast_unsigned();
    if left > LIMIT {
        return Err("more packed relocations than are unpacked");
    }
    let mut entry = Relocation { offset: next()?.cast_unsigned(), ..Relocation::default() };
    while left > 0 {
        let (size, flags) = (next()?.cast_unsigned().min(left), next()?);
        if size == 0 {
            return Err("a group of packed relocations without members");
        }
        let step = if flags & BY_OFFSET != 0 { Some(next()?) } else { None };
        if flags & BY_INFO != 0 {
            entry.info = next()?.cast_unsigned();
        }
        match (flags & HAS_ADDEND != 0, flags & BY_ADDEND != 0) {
            (true, true) => entry.addend = entry.addend.wrapping_add(next()?),
            (false, _) => entry.addend = 0,
            (true, false) => {}
        }
        for _ in 0..size {
            let step = match step {
                Some(step) => step,
                None => next()?,
            };
            entry.offset = entry.offset.wrapping_add_signed(step);
            if flags & BY_INFO == 0 {
                entry.info = next()?.cast_unsigned();
            }
            if flags & HAS_ADDEND != 0 && flags & BY_ADDEND == 0 {
                entry.addend = entry.addend.wrapping_add(next()?);
            }
            add(entry);
        }
        left -= size;
    }
    Ok(())
}

/// Takes a signed LEB128 number off the front.
fn sleb(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0i64;
    let mut shift = 0u32;
    loop {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= i64::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
        if byte & 0x80 == 0 {
            let negative = byte & 0x40 != 0 && shift < 64;
            return Some(if negative { value | (-1i64).checked_shl(shift)? } else { value });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(bytes: &[u8]) -> (Vec<Relocation>, Result<(), &'static str>) {
        let mut all = Vec::new();
        let done = unpack(bytes, &mut |entry| all.push(entry));
        (all, done)
    }

    #[test]
    fn groups_share_what_they_say() {
        // Two entries, from offset 0; one group of both: same info (8), steps of 16, addends of their own (+64, -4).
        let bytes = [b"APS2".as_slice(), &[2, 0, 2, 1 | 2 | 8, 16, 8, 0xc0, 0, 0x7c]].concat();
        let (all, done) = unpacked(&bytes);
        assert_eq!(done, Ok(()));
        let entry = |offset, addend| Relocation { offset, info: 8, addend };
        assert_eq!(all, [entry(16, 64), entry(32, 60)]);
    }

    #[test]
    fn what_is_cut_or_endless_is_an_error() {
        assert!(unpacked(b"APS2\x02").1.is_err());
        assert!(unpacked(b"APS2\x02\x00\x00\x01").1.is_err());
        assert!(unpacked(b"APS2\xff\xff\xff\xff\x0f\x00").1.is_err());
        assert!(unpacked(b"").1.is_err());
    }
}
