//! Damages files many times over and measures how the library takes it, with its default limits:
//! `cargo run --release -p gilaudit-binary --example mutate -- [--count 100000] [--seed 1] [--save FOLDER] FILE...`
//!
//! For each file: panics, the slowest of its damaged copies in milliseconds (of processor time, on Linux), the median of all, and by how much the process's peak
//! of resident memory grew (Linux; elsewhere `?`). Exits with an error when a copy panicked, took longer than a second, or when the
//! peak is above 256 MB. `--save` keeps the copies that panicked and each file's slowest one.
#![allow(clippy::print_stdout, reason = "an example prints")]

#[path = "../tests/mutation.rs"]
mod mutation;

use std::error::Error;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gilaudit_binary::{Hints, Limits, read};
use gilaudit_model::{Origin, Target, cpython};

use mutation::Mutator;

struct Options {
    count: usize,
    seed: u64,
    save: Option<PathBuf>,
    files: Vec<String>,
}

fn options() -> Result<Options, Box<dyn Error>> {
    let mut options = Options { count: 100_000, seed: 1, save: None, files: Vec::new() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--count" => options.count = value()?.parse()?,
            "--seed" => options.seed = value()?.parse()?,
            "--save" => options.save = Some(value()?.into()),
            _ => options.files.push(word),
        }
    }
    Ok(options)
}

/// The peak of resident memory so far, in KiB.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// The processor time of this thread so far, on Linux.
fn processor_time() -> Option<Duration> {
    let line = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(line.split(' ').next()?.parse().ok()?))
}

/// As [`measure`]. What takes long by the clock is repeated by processor time, since other work on the machine is not the file's.
fn measure_well(path: &str, bytes: &[u8]) -> Option<Duration> {
    let time = measure(path, bytes)?;
    if time < Duration::from_millis(50) {
        return Some(time);
    }
    let before = processor_time();
    measure(path, bytes)?;
    let again = before.zip(processor_time()).map(|(before, after)| after.saturating_sub(before));
    Some(again.map_or(time, |again| again.min(time)))
}

/// The time that everything the library has to say about these bytes takes; `None` when it panics.
fn measure(path: &str, bytes: &[u8]) -> Option<Duration> {
    let origin = Origin::path(path.replace('\\', "/"));
    let start = Instant::now();
    let work = || {
        let (facts, _) = read(bytes, &Hints::new(origin.file_path()), &Limits::default());
        let module = cpython::module_stem(origin.file_name());
        for target in Target::all() {
            for facts in &facts {
                let _ = facts.load(module, &target);
            }
        }
    };
    catch_unwind(AssertUnwindSafe(work)).ok()?;
    Some(start.elapsed())
}

fn save(options: &Options, path: &str, what: &str, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let Some(folder) = &options.save else { return Ok(()) };
    let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = folder.join(what);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), bytes)?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = options()?;
    let (mut panics, mut longest) = (0, Duration::ZERO);
    println!("panics\tslowest ms\tmedian us\tgrown KiB\tfile");
    for path in &options.files {
        let mut mutator = Mutator::new(fs::read(path)?, options.seed);
        let before = peak();
        let (mut times, mut mine) = (Vec::with_capacity(options.count), 0);
        let mut slowest = (Duration::ZERO, Vec::new());
        for count in 0..options.count {
            let damaged = mutator.damage();
            match measure_well(path, &damaged) {
                Some(time) => {
                    times.push(time);
                    if time > slowest.0 {
                        slowest = (time, damaged);
                    }
                }
                None => {
                    mine += 1;
                    save(&options, path, &format!("panic-{count}"), &damaged)?;
                }
            }
        }
        times.sort();
        let median = times.get(times.len() / 2).copied().unwrap_or_default().as_micros();
        let grown =
            before.zip(peak()).map_or("?".to_owned(), |(before, after)| after.saturating_sub(before).to_string());
        println!("{mine}\t{:.1}\t{median}\t{grown}\t{path}", slowest.0.as_secs_f64() * 1000.0);
        save(&options, path, "slowest", &slowest.1)?;
        panics += mine;
        longest = longest.max(slowest.0);
    }
    let peak = peak();
    let shown = peak.map_or("?".to_owned(), |peak| peak.to_string());
    println!(
        "# {} files, {} mutations each: {panics} panics, slowest {:.1} ms, peak {shown} KiB",
        options.files.len(),
        options.count,
        longest.as_secs_f64() * 1000.0
    );
    if panics > 0 || longest > Duration::from_secs(1) || peak.is_some_and(|peak| peak > 256 << 10) {
        return Err("a panic, more than 1 s or more than 256 MB".into());
    }
    Ok(())
}
