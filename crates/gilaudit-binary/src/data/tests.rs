use std::cell::Cell;
use std::ops::ControlFlow;

use object::{LittleEndian as LE, ReadRef, U32, U64};

use super::*;

fn random(state: &mut u64, below: usize) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state % u64::try_from(below.max(1)).unwrap()).unwrap()
}

fn bytes(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15;
    // Few zeros, so that texts are longer than windows now and then.
    (0..length).map(|_| u8::try_from(random(&mut state, 9000).min(255)).unwrap()).collect()
}

fn parts(bytes: &[u8], most: usize) -> Parts<'_> {
    Parts::new(bytes.len(), most, |offset, buffer| {
        let start = usize::try_from(offset).unwrap();
        let Some(part) = bytes.get(start..start + buffer.len()) else { return false };
        buffer.copy_from_slice(part);
        true
    })
}

#[test]
fn a_file_in_parts_says_what_one_in_memory_says() {
    for length in [0, 1, 4095, 4096, 40_000, 300_000] {
        let bytes = bytes(length);
        let parts = parts(&bytes, usize::MAX);
        let (a, b) = (Data::from(&bytes), Data::from(&parts));
        let mut state = 1;
        for _ in 0..600 {
            let (start, size) = (random(&mut state, length + 3), random(&mut state, 9000));
            let (a, b) = match random(&mut state, 3) {
                0 => (a, b),
                1 => (a.clamped(start as u64 / 2, 70_000), b.clamped(start as u64 / 2, 70_000)),
                _ => (a.clamped(start as u64 / 3, 5000), b.clamped(start as u64 / 3, 5000)),
            };
            assert_eq!(a.len(), b.len());
            let (whole, window) = (a.window(start), b.window(start));
            assert!(whole.starts_with(window));
            assert!(window.len() >= whole.len().min(WINDOW));
            let ends_within = |data: Data<'_>| start + size <= data.len();
            assert_eq!(a.get(start..start + size), b.get(start..start + size));
            assert_eq!(a.get(start..start + size).is_some(), ends_within(a));
            assert_eq!(a.text(start as u64, size * 3), b.text(start as u64, size * 3));
            let until = start as u64..(start + size) as u64;
            assert_eq!(a.read_bytes_at_until(until.clone(), 7), b.read_bytes_at_until(until, 7));
            if let Some(text) = a.get(start..start + size) {
                assert!(b.has(start, text));
                let mut other = text.to_vec();
                if let Some(last) = other.last_mut() {
                    *last ^= 1;
                    assert!(!b.has(start, &other));
                }
            }
            let entries = |data: Data<'_>| -> Vec<u64> {
                let data = data.after(start as u64).unwrap_or(Data::EMPTY);
                Entries::<U64<LE>>::new(data, size).iter().map(|entry| entry.get(LE)).collect()
            };
            assert_eq!(entries(a), entries(b));
        }
        assert_eq!(b.whole(), bytes);
        assert_eq!(parts.failure(), None);
    }
}

#[test]
fn pieces_overlap_and_show_everything_once() {
    let bytes = bytes(500_000);
    let parts = parts(&bytes, 0);
    let mut shown = Vec::new();
    let none = Data::from(&parts).clamped(5, 499_000).pieces(100, |at, piece, new| {
        assert_eq!(at, shown.len());
        assert_eq!(piece, &bytes[5 + at..5 + at + piece.len()]);
        assert!(piece.len() == new + 100 || 5 + at + piece.len() == 499_005);
        shown.extend_from_slice(&piece[..new]);
        ControlFlow::<()>::Continue(())
    });
    assert_eq!((none, &shown[..]), (None, &bytes[5..499_005]));
    assert_eq!(Data::from(&parts).pieces(0, |at, _, _| ControlFlow::Break(at)), Some(0));
    assert_eq!(parts.failure(), None);
}

#[test]
fn entries_one_by_one() {
    let bytes = bytes(100_001);
    let parts = parts(&bytes, usize::MAX);
    let entries = Entries::<U32<LE>>::new(Data::from(&parts), usize::MAX);
    assert_eq!(entries.len(), 25_000);
    assert_eq!(entries.get(25_000), None);
    assert_eq!(entries.first(3).count(), 3);
    for (index, entry) in entries.iter().enumerate() {
        assert_eq!(entries.get(index), Some(entry));
    }
}

#[test]
fn what_cannot_be_read_is_said() {
    let bytes = bytes(100_000);
    let short = Parts::new(200_000, usize::MAX, |offset, buffer: &mut [u8]| {
        let start = usize::try_from(offset).unwrap();
        bytes.get(start..start + buffer.len()).is_some()
    });
    assert_eq!(Data::from(&short).window(10).len(), PIECE_AND_WINDOW - 10);
    assert_eq!(short.failure(), None);
    assert!(Data::from(&short).window(150_000).is_empty());
    assert_eq!(short.failure(), Some(Failure::NotRead));
    // Nothing is right any more, so nothing more is read.
    assert!(Data::from(&short).window(50_000).is_empty());
}

const PIECE_AND_WINDOW: usize = (32 << 10) + WINDOW;

#[test]
fn no_more_is_kept_than_allowed() {
    let bytes = bytes(1_000_000);
    let reads = Cell::new(0);
    let counted = Parts::new(bytes.len(), 100_000, |_, buffer: &mut [u8]| {
        reads.set(reads.get() + buffer.len());
        true
    });
    let data = Data::from(&counted);
    for _ in 0..3 {
        assert_eq!(data.get(500_000..560_000).map(<[u8]>::len), Some(60_000));
        assert_eq!(data.get(500_001..550_000).map(<[u8]>::len), Some(49_999));
        assert!(!data.window(0).is_empty());
    }
    assert_eq!((reads.get(), counted.failure()), (60_000 + PIECE_AND_WINDOW, None));
    assert_eq!(data.get(0..50_000), None);
    assert_eq!(counted.failure(), Some(Failure::TooMuch));
    // Many large reads are none of a reader's.
    let many = parts(&bytes, usize::MAX);
    let data = Data::from(&many);
    let done = (0..1000).take_while(|start| data.get(start * 500..start * 500 + 5000).is_some()).count();
    assert_eq!((done, many.failure()), (256, Some(Failure::TooMuch)));
}
