//! One budget of bytes in flight, which all threads of a run share.
//!
//! Whoever is about to hold a file or an inflated member asks first, and waits while the others hold too much. What is larger than the
//! whole budget is held alone. So memory does not grow with the number of jobs, and since only the waiting depends on others, what is
//! read does not.
//!
//! A thread that holds something and needs one more (a library that a module hands its initialisation to) asks a second budget of the
//! same size: it must not wait for those who wait for it. Holders of the second never wait for anybody, so nothing can lock up.

use std::cell::OnceCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes of buffers that are kept for their next use, instead of having the system clear new ones.
const KEPT: usize = 64 << 20;

/// The budget.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: u64,
    held: Mutex<[u64; 2]>,
    freed: Condvar,
    buffers: Mutex<Vec<Vec<u8>>>,
}

/// The right to hold some bytes, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    budget: Arc<Budget>,
    bytes: u64,
    /// Which of the two budgets they count against; neither, for a thread that holds two permits already.
    level: Option<usize>,
    /// How many permits the thread that asked holds.
    holder: Arc<AtomicUsize>,
}

thread_local! {
    static HOLDING: OnceCell<Arc<AtomicUsize>> = const { OnceCell::new() };
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Budget {
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self { limit, held: Mutex::default(), freed: Condvar::new(), buffers: Mutex::default() })
    }

    /// Waits until so many bytes may be held.
    pub(crate) fn ask(self: &Arc<Self>, bytes: u64) -> Permit {
        let holder = HOLDING.with(|holding| Arc::clone(holding.get_or_init(Arc::default)));
        let level = match holder.fetch_add(1, Ordering::Relaxed) {
            0 => Some(0),
            1 => Some(1),
            _ => None,
        };
        let mut held = lock(&self.held);
        if let Some(level) = level {
            while let Some(here) = held.get_mut(level) {
                let all = here.saturating_add(bytes);
                if *here == 0 || all <= self.limit {
                    *here = all;
                    break;
                }
                held = self.freed.wait(held).unwrap_or_else(PoisonError::into_inner);
            }
        }
        Permit { budget: Arc::clone(self), bytes, level, holder }
    }

    /// An empty buffer for so many bytes; `None` when there is no memory for it.
    pub(crate) fn buffer(&self, size: usize) -> Option<Vec<u8>> {
        let mut buffers = lock(&self.buffers);
        let fitting = buffers.iter().enumerate().filter(|(_, buffer)| buffer.capacity() >= size);
        let smallest = fitting.min_by_key(|(_, buffer)| buffer.capacity()).map(|(index, _)| index);
        let mut buffer = smallest.map(|index| buffers.swap_remove(index)).unwrap_or_default();
        drop(buffers);
        buffer.clear();
        buffer.try_reserve_exact(size).ok()?;
        Some(buffer)
    }

    /// Takes a buffer back for the next one who needs one.
    pub(crate) fn give_back(&self, buffer: Vec<u8>) {
        let mut buffers = lock(&self.buffers);
        let kept: usize = buffers.iter().map(Vec::capacity).sum();
        if kept.saturating_add(buffer.capacity()) <= KEPT {
            buffers.push(buffer);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.holder.fetch_sub(1, Ordering::Relaxed);
        let mut held = lock(&self.budget.held);
        if let Some(here) = self.level.and_then(|level| held.get_mut(level)) {
            *here = here.saturating_sub(self.bytes);
        }
        drop(held);
        self.budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;
    use std::thread;

    use super::*;

    #[test]
    fn threads_together_hold_no_more_than_the_budget_or_one_thing() {
        let budget = Budget::new(100);
        let (now, most) = (AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for thread in 0..8u64 {
                let (budget, now, most) = (&budget, &now, &most);
                scope.spawn(move || {
                    for step in 0..200 {
                        let bytes = if step == 100 { 1000 } else { (thread * 7 + step) % 60 };
                        let permit = budget.ask(bytes);
                        let held = now.fetch_add(bytes, Ordering::SeqCst) + bytes;
                        if bytes < 1000 {
                            most.fetch_max(held, Ordering::SeqCst);
                        } else {
                            assert_eq!(held, 1000);
                        }
                        if step % 3 == 0 {
                            // One more while holding one, and one more than that: neither may wait for the first budget.
                            drop((budget.ask(90), budget.ask(2000)));
                        }
                        now.fetch_sub(bytes, Ordering::SeqCst);
                        drop(permit);
                    }
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 100);
        assert_eq!(*lock(&budget.held), [0, 0]);
    }

    #[test]
    fn permits_may_end_in_another_thread() {
        let budget = Budget::new(10);
        let permit = budget.ask(10);
        thread::spawn(move || drop(permit)).join().unwrap();
        drop(budget.ask(10));
        assert_eq!(*lock(&budget.held), [0, 0]);
    }

    #[test]
    fn buffers_are_used_again() {
        let budget = Budget::new(10);
        let mut buffer = budget.buffer(1000).unwrap();
        buffer.push(9);
        budget.give_back(buffer);
        let again = budget.buffer(500).unwrap();
        assert_eq!((again.len(), again.capacity() >= 1000), (0, true));
        budget.give_back(vec![0; KEPT + 1]);
        assert!(lock(&budget.buffers).is_empty());
    }
}
