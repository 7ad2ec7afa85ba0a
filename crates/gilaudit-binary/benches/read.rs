//! How long reading takes, for the main shapes of init functions: `cargo bench -p gilaudit-binary`.
//!
//! Static slots are what nine extensions in ten have; the others need the init function to be evaluated, `many_paths` with as many
//! forks as are allowed. A regression shows here before it shows in an audit.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark that cannot read its input has nothing to measure")]

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use gilaudit_binary::{Hints, Limits, read};
use gilaudit_model::Origin;

/// Case and file.
const SHAPES: [(&str, &str); 6] = [
    ("mp_declared", "elf-x86_64/mp_declared.cpython-314t-x86_64-linux-gnu.so"),
    ("mp_declared", "macho-fat/mp_declared.cpython-314t-darwin.so"),
    ("guard_slots", "elf-x86_64/guard_slots.cpython-314t-x86_64-linux-gnu.so"),
    ("sp_closure", "elf-x86_64/sp_closure.cpython-314t-x86_64-linux-gnu.so"),
    ("sp_setgil1", "pe-x86_64/sp_setgil1.cp314t-win_amd64.pyd"),
    ("many_paths", "elf-x86_64/many_paths.cpython-314t-x86_64-linux-gnu.so"),
];

fn shapes(criterion: &mut Criterion) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/binaries");
    for (case, file) in SHAPES {
        let bytes = std::fs::read(root.join(case).join(file)).unwrap();
        let origin = Origin::path(file);
        let variant = file.split('/').next().unwrap_or_default();
        criterion.bench_function(&format!("{case} {variant}"), |bencher| {
            bencher.iter(|| read(black_box(&bytes), &Hints::new(origin.file_path()), &Limits::default()));
        });
    }
}

criterion_group!(benches, shapes);
criterion_main!(benches);
