//! What every target does around its body: measure how long an input took, and how much memory it had.
//!
//! The bounds are those that gilaudit promises (a second and 256 MB for a file of a megabyte), with room for the instrumentation that
//! libFuzzer adds. What exceeds them here is measured again with the command before it counts.

use std::time::Duration;

use cpu_time::ProcessTime;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Processor time of one input. Instrumented code is about three times as slow.
const LONGEST: Duration = Duration::from_secs(3);
/// Heap of one input, in bytes.
const LARGEST: usize = 256 << 20;

/// Runs `body` and stops at an input that takes too long or too much.
pub fn watch(body: fn(&[u8]), data: &[u8]) {
    MEMORY.reset_peak_usage();
    let (before, start) = (MEMORY.current_usage(), ProcessTime::now());
    body(data);
    let (time, memory) = (start.elapsed(), MEMORY.peak_usage().saturating_sub(before));
    assert!(time <= LONGEST, "{} bytes took {time:?} of processor time", data.len());
    assert!(memory <= LARGEST, "{} bytes took {} MB of memory", data.len(), memory >> 20);
}
