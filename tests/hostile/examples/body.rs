//! Runs the body of a fuzz target on files, to see what an input does without libFuzzer: `cargo run -p gilaudit-hostile --example body --
//! TARGET FILE...`. Each is run once, and the time it took is said.
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use gilaudit_hostile::BODIES;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let target = words.next().ok_or("usage: body TARGET FILE...")?;
    let body = BODIES.iter().find(|(name, _)| *name == target).map(|(_, body)| *body);
    let body = body.ok_or_else(|| format!("no target {target}"))?;
    let mut failed = 0;
    for path in words {
        let data = std::fs::read(&path)?;
        let start = Instant::now();
        let held = catch_unwind(AssertUnwindSafe(|| body(&data))).is_ok();
        println!("{path}: {} bytes, {:?}, {}", data.len(), start.elapsed(), if held { "holds" } else { "FAILS" });
        failed += u32::from(!held);
    }
    if failed > 0 { Err(format!("{failed} failed").into()) } else { Ok(()) }
}
