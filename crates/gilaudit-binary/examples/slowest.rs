//! Which files take longest to read: `cargo run --release --example slowest FILE...` prints the total and the ten slowest.
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::time::{Duration, Instant};

use gilaudit_binary::{Hints, Limits, read};
use gilaudit_model::Origin;

fn main() -> std::io::Result<()> {
    let mut times: Vec<(Duration, String)> = Vec::new();
    for path in std::env::args().skip(1) {
        let bytes = std::fs::read(&path)?;
        let origin = Origin::path(path.replace('\\', "/"));
        let start = Instant::now();
        let _ = read(&bytes, &Hints::new(origin.file_path()), &Limits::default());
        times.push((start.elapsed(), path));
    }
    times.sort();
    println!("{} files in {:?}", times.len(), times.iter().map(|time| time.0).sum::<Duration>());
    for (time, path) in times.iter().rev().take(10) {
        println!("{time:>12.2?}  {path}");
    }
    Ok(())
}
