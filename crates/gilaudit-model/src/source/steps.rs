//! Steps that reading and judging a file takes, counted: hostile input ends with a reason, not with somebody's patience.

use std::sync::atomic::{AtomicU64, Ordering};

/// The steps that a file has taken, and how many it may take.
///
/// A step is one thing looked at: a token, a node of a tree, an expression, a way out of a statement. Several threads may count for one
/// file; whether it takes more than it may depends on the sum alone, so it is the same for any number of them.
#[derive(Debug)]
pub struct Steps {
    taken: AtomicU64,
    most: u64,
}

impl Steps {
    /// The most steps that a file may take. Files of real projects take up to 80 million.
    pub const MOST: u64 = 1_000_000_000;

    /// A file that has taken some steps already, and may take `most` altogether.
    pub fn new(taken: u64, most: u64) -> Self {
        Self { taken: AtomicU64::new(taken), most }
    }

    /// Takes steps, and says whether there were as many left. Who is told that there were not stops where it is: what it has found so
    /// far does not count, since the file is said not to have been judged.
    pub fn take(&self, steps: usize) -> bool {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        // Saturates in practice: who was refused stops, so the sum stays far from the end of its range.
        self.taken.fetch_add(steps, Ordering::Relaxed).saturating_add(steps) <= self.most
    }

    /// Whether more were asked for than there are.
    pub fn are_spent(&self) -> bool {
        self.taken() > self.most
    }

    /// How many were taken.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::Steps;

    #[test]
    fn a_file_may_take_so_many_and_no_more() {
        let steps = Steps::new(1, 10);
        assert!(steps.take(4) && steps.take(5) && !steps.are_spent());
        assert!(!steps.take(1) && steps.are_spent());
        assert_eq!(steps.taken(), 11);
    }
}
