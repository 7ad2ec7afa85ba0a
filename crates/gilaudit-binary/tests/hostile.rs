//! Damaged files: never a panic, and never more work than the limits allow.
//!
//! One file of each case and family. `cargo run --release -p gilaudit-binary --example mutate` is the long run, with times.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gilaudit_binary::{Hints, Limits, Parts, read};

use crate::fixtures::{Fixture, all, targets};
use crate::mutation::Mutator;

/// Far more than any file needs, even unoptimised on a busy machine: what exceeds it does not end.
const LONGEST: Duration = Duration::from_secs(20);
/// Smaller than the default ones, since unoptimised code is slow. `long_loop` says that running out is no panic either.
fn limits() -> Limits {
    let mut limits = Limits::default();
    (limits.instructions, limits.paths, limits.memory) = (20_000, 200, 64 << 10);
    limits
}

/// What is read by the same code: a format, and for ELF its word size and byte order.
fn family(variant: &str) -> &str {
    match variant {
        "elf-i686" | "elf-arm" => "32-bit ELF",
        "elf-s390x" => "big-endian ELF",
        other => other.split('-').next().unwrap_or_default(),
    }
}

/// One file of each case and family: GCC's for x86-64, or the first, which for Mach-O and PE is the one for AArch64.
fn chosen() -> Vec<Fixture> {
    let mut chosen: BTreeMap<(String, String), Fixture> = BTreeMap::new();
    for fixture in all() {
        let key = (fixture.case.clone(), family(&fixture.variant).to_owned());
        let preferred = |fixture: &Fixture| fixture.variant == "elf-x86_64";
        match chosen.get(&key) {
            Some(first) if preferred(first) || !preferred(&fixture) => {}
            _ => drop(chosen.insert(key, fixture)),
        }
    }
    assert!(chosen.len() > 300, "{} files", chosen.len());
    chosen.into_values().collect()
}

/// Everything that the library has to say about these bytes.
fn try_all(fixture: &Fixture, bytes: &[u8]) {
    let origin = fixture.origin();
    let (facts, problems) = read(bytes, &Hints::new(origin.file_path()), &limits());
    assert!(!facts.is_empty() || !problems.is_empty(), "neither facts nor a problem");
    for target in targets() {
        for facts in &facts {
            let _ = facts.load(fixture.module(), &target);
        }
    }
}

/// The same bytes as a file that is read in parts.
fn parts(bytes: &[u8]) -> Parts<'_> {
    Parts::new(bytes.len(), usize::MAX, |offset, buffer| {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let part = bytes.get(start..start.saturating_add(buffer.len()));
        part.map(|part| buffer.copy_from_slice(part)).is_some()
    })
}

#[test]
fn what_is_read_in_parts_is_read_alike() {
    for fixture in chosen() {
        let bytes = fixture.bytes();
        let origin = fixture.origin();
        let whole = read(&bytes, &Hints::new(origin.file_path()), &limits());
        let parts = parts(&bytes);
        let in_parts = read(&parts, &Hints::new(origin.file_path()), &limits());
        assert_eq!(format!("{whole:?}"), format!("{in_parts:?}"), "{origin}");
        assert_eq!(parts.failure(), None, "{origin}");
    }
}

#[test]
fn so_is_what_is_damaged() {
    for fixture in chosen() {
        let origin = fixture.origin();
        let mut mutator = Mutator::new(fixture.bytes(), 31);
        for _ in 0..20 {
            let damaged = mutator.damage();
            let parts = parts(&damaged);
            let in_parts = read(&parts, &Hints::new(origin.file_path()), &limits());
            // A table of the length of memory has too many parts; such a file is read as a whole.
            if parts.failure().is_none() {
                let whole = read(&damaged, &Hints::new(origin.file_path()), &limits());
                assert_eq!(format!("{whole:?}"), format!("{in_parts:?}"), "{origin}");
            }
        }
    }
}

/// Does `work` on every chosen file, on two threads, and reports every one that panics or takes too long.
fn on_every_file(each: impl Fn(&Fixture, &mut dyn FnMut(String, &[u8])) + Sync) -> usize {
    let (fixtures, next, tried) = (chosen(), AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        let mut report = Vec::new();
        while let Some(fixture) = fixtures.get(next.fetch_add(1, Ordering::Relaxed)) {
            each(fixture, &mut |what, bytes| {
                let start = Instant::now();
                let outcome = catch_unwind(AssertUnwindSafe(|| try_all(fixture, bytes)));
                if outcome.is_err() || start.elapsed() > LONGEST {
                    report.push(format!("{} {}, {what}: {outcome:?}", fixture.case, fixture.path()));
                }
                tried.fetch_add(1, Ordering::Relaxed);
            });
        }
        report
    };
    let report = thread::scope(|scope| {
        let other = scope.spawn(work);
        let mut report = work();
        report.extend(other.join().unwrap());
        report
    });
    assert!(report.is_empty(), "{} panicked or took longer than {LONGEST:?}:\n{}", report.len(), report.join("\n"));
    tried.into_inner()
}

#[test]
fn cut_off_at_every_16th_byte() {
    let tried = on_every_file(|fixture, attempt| {
        let whole = fixture.bytes();
        for end in (0..whole.len()).step_by(16) {
            attempt(format!("cut off at {end}"), &whole[..end]);
        }
    });
    assert!(tried > 100_000, "{tried} files");
}

#[test]
fn damaged_a_thousand_times() {
    let tried = on_every_file(|fixture, attempt| {
        let seed = fixture.path().bytes().fold(7u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let mut mutator = Mutator::new(fixture.bytes(), seed);
        for count in 0..1000 {
            let damaged = mutator.damage();
            attempt(format!("mutation {count}"), &damaged);
        }
    });
    assert!(tried > 100_000, "{tried} files");
}
