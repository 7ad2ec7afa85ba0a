//! Arithmetic on ranges of a file: which parts of what is wanted are still missing, and in how few requests they can be had.

use std::collections::BTreeMap;

/// From the first byte to the one after the last.
pub(crate) type Range = (u64, u64);

/// What is at hand of a file, in pieces that neither touch nor overlap.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    pieces: BTreeMap<u64, Vec<u8>>,
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

impl Pieces {
    /// Adds a piece. Of what is at hand already, the first answer stays.
    pub(crate) fn add(&mut self, start: u64, bytes: Vec<u8>) {
        let end = start.saturating_add(length(&bytes));
        for (from, to) in self.missing((start, end)) {
            let part =
                usize::try_from(from.saturating_sub(start)).ok().zip(usize::try_from(to.saturating_sub(start)).ok());
            if let Some(part) = part.and_then(|(from, to)| bytes.get(from..to)) {
                self.pieces.insert(from, part.to_owned());
            }
        }
    }

    /// The parts of a range that are not at hand, in order.
    pub(crate) fn missing(&self, (start, end): Range) -> Vec<Range> {
        let mut missing = Vec::new();
        let mut at = start;
        let before = self.pieces.range(..=start).next_back();
        for (from, bytes) in before.into_iter().chain(self.pieces.range(start.saturating_add(1)..end)) {
            let to = from.saturating_add(length(bytes));
            if to <= at {
                continue;
            }
            if *from > at {
                missing.push((at, (*from).min(end)));
            }
            at = at.max(to);
        }
        if at < end {
            missing.push((at, end));
        }
        missing
    }

    /// Copies what is at hand from `offset` on, without a gap; gives how much that is.
    pub(crate) fn copy(&self, buffer: &mut [u8], offset: u64) -> usize {
        let mut done: usize = 0;
        while done < buffer.len() {
            let at = offset.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
            let Some((from, bytes)) = self.pieces.range(..=at).next_back() else { break };
            let skipped = usize::try_from(at.saturating_sub(*from)).unwrap_or(usize::MAX);
            let Some(rest) = bytes.get(skipped..).filter(|rest| !rest.is_empty()) else { break };
            let Some(room) = buffer.get_mut(done..) else { break };
            let size = rest.len().min(room.len());
            if let (Some(to), Some(part)) = (room.get_mut(..size), rest.get(..size)) {
                to.copy_from_slice(part);
            }
            done = done.saturating_add(size);
        }
        done
    }

    pub(crate) fn clear(&mut self) {
        self.pieces.clear();
    }
}

/// Merges ranges: those that are closer to each other than `gap`, then the closest ones until at most `most` are left.
pub(crate) fn coalesce(mut ranges: Vec<Range>, gap: u64, most: usize) -> Vec<Range> {
    ranges.retain(|(start, end)| start < end);
    ranges.sort_unstable();
    let mut merged: Vec<Range> = Vec::with_capacity(ranges.len());
    for (start, end) in ranges {
        match merged.last_mut() {
            Some(last) if start.saturating_sub(last.1) <= gap => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    while merged.len() > most.max(1) {
        let next = merged.iter().skip(1);
        let gaps = merged.iter().zip(next).map(|(a, b)| b.0.saturating_sub(a.1)).enumerate();
        let Some((index, _)) = gaps.min_by_key(|(_, gap)| *gap) else { break };
        let end = merged.remove(index.saturating_add(1)).1;
        if let Some(range) = merged.get_mut(index) {
            range.1 = end;
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_and_what_is_there() {
        let mut pieces = Pieces::default();
        assert_eq!(pieces.missing((0, 10)), [(0, 10)]);
        pieces.add(4, vec![4, 5]);
        pieces.add(8, vec![8, 9]);
        assert_eq!(pieces.missing((0, 12)), [(0, 4), (6, 8), (10, 12)]);
        assert_eq!(pieces.missing((5, 6)), []);
        pieces.add(0, (100..112).collect());
        assert_eq!(pieces.missing((0, 12)), []);
        let mut all = [0; 12];
        assert_eq!(pieces.copy(&mut all, 0), 12);
        assert_eq!(all, [100, 101, 102, 103, 4, 5, 106, 107, 8, 9, 110, 111]);
        assert_eq!(pieces.copy(&mut all, 11), 1);
        assert_eq!(pieces.copy(&mut all, 12), 0);
    }

    #[test]
    fn few_requests() {
        assert_eq!(coalesce(vec![(50, 60), (0, 10), (12, 20), (5, 5)], 2, 9), [(0, 20), (50, 60)]);
        assert_eq!(coalesce(vec![(0, 1), (100, 101), (110, 111), (300, 301)], 0, 2), [(0, 111), (300, 301)]);
        assert_eq!(coalesce(vec![(0, 9), (2, 3)], 0, 9), [(0, 9)]);
        assert_eq!(coalesce(vec![(0, 1), (9, 10)], 0, 0), [(0, 10)]);
    }
}
