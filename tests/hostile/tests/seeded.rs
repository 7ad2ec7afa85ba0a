//! The bodies of the fuzz targets on damaged fixtures, the same ones every time, and on everything that the fuzzers once found.
//!
//! This is what is left of fuzzing where there is no libFuzzer: a few hundred inputs a target. `crashers/TARGET/` holds inputs that were
//! answered wrongly, took too long or ended the program, as small as they could be made.

#![allow(
    clippy::unwrap_used,
    reason = "a failing test should panic where it fails; clippy sees only #[test] functions as tests"
)]

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gilaudit_hostile::archives::Python;
use gilaudit_hostile::{BODIES, Body};

/// Far more than any input of a few kilobytes needs, even unoptimised on a busy machine.
const LONGEST: Duration = Duration::from_secs(20);

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// All files below a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// The fixtures that are a target's seeds, and one input that is none.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let wanted = |path: &Path| -> bool {
        let in_folder = |prefix: &str| {
            path.parent().and_then(Path::file_name).is_some_and(|name| name.to_string_lossy().starts_with(prefix))
        };
        let is = |endings: &[&str]| path.extension().is_some_and(|it| endings.iter().any(|ending| it == *ending));
        let binary = is(&["so", "pyd"]);
        match target {
            "elf_x86_64" => binary && in_folder("elf-x86_64"),
            "elf_aarch64" => binary && in_folder("elf-aarch64"),
            "elf_other" => binary && ["elf-i686", "elf-arm", "elf-s390x", "elf-riscv64"].into_iter().any(in_folder),
            "macho" => binary && in_folder("macho-"),
            "pe" => binary && in_folder("pe-"),
            "c" => is(&["c", "h"]),
            "cpp" => is(&["cpp"]),
            "cython" => is(&["pyx", "pxd"]),
            "rust" => is(&["rs"]),
            "python" => is(&["py"]),
            "build_files" => is(&["toml", "py", "build"]),
            "policy_yaml" => is(&["yaml"]),
            "policy_toml" => is(&["toml"]),
            _ => false,
        }
    };
    let root = here().join("../..");
    let found = ["fixtures", "policies"].iter().flat_map(|folder| files(&root.join(folder)));
    let mut seeds: Vec<Vec<u8>> = found.filter(|path| wanted(path)).map(|path| fs::read(path).unwrap()).collect();
    assert!(!seeds.is_empty() || ["wheel", "sdist", "tar"].contains(&target), "{target} has no seeds");
    // Archives are made to recipes, which any bytes are.
    let mut noise = Noise(target.len() as u64);
    seeds.push((0..300).map(|_| noise.byte()).collect());
    seeds
}

/// The same bytes every time: Marsaglia's xorshift64.
struct Noise(u64);

impl Noise {
    fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.max(1);
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % below.max(1)
    }

    fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }

    /// A damaged copy: bytes changed, taken out, doubled, cut off.
    fn damage(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut data = seed.to_vec();
        for _ in 0..=self.below(8) {
            let at = self.below(data.len());
            let end = (at + self.below(64)).min(data.len());
            match self.below(5) {
                0 | 1 if at < data.len() => data[at] = self.byte(),
                2 => drop(data.drain(at..end)),
                3 => {
                    let part = data[at..end].to_vec();
                    data.splice(at..at, part);
                }
                _ if self.below(8) == 0 => data.truncate(at),
                _ => {}
            }
        }
        data
    }
}

/// Writes an input to where the example `body` can be given it.
fn keep(target: &str, number: usize, input: &[u8]) -> String {
    let folder = std::env::temp_dir().join("gilaudit-hostile-failures");
    let path = folder.join(format!("{target}-{number}"));
    match fs::create_dir_all(&folder).and_then(|()| fs::write(&path, input)) {
        Ok(()) => path.display().to_string(),
        Err(error) => error.to_string(),
    }
}

/// What goes wrong with these inputs.
fn failures(target: &str, body: Body, inputs: impl IntoIterator<Item = (String, Vec<u8>)>) -> Vec<String> {
    let mut failures = Vec::new();
    for (name, input) in inputs {
        let start = Instant::now();
        let panicked = catch_unwind(AssertUnwindSafe(|| body(&input))).is_err();
        if panicked || start.elapsed() > LONGEST {
            let kept = keep(target, failures.len(), &input);
            failures.push(format!("{target}: {name} (panicked: {panicked}, {:?}), kept as {kept}", start.elapsed()));
        }
    }
    failures
}

#[test]
fn bodies_hold_for_damaged_fixtures() {
    let mut all = Vec::new();
    let mut counts = BTreeMap::new();
    for (target, body) in BODIES {
        let seeds = seeds(target);
        let mut noise = Noise(1);
        let inputs = (0..150).map(|number| {
            let seed = &seeds[noise.below(seeds.len())];
            (format!("number {number}"), if number == 0 { Vec::new() } else { noise.damage(seed) })
        });
        let mut count = 0;
        all.extend(failures(target, *body, inputs.inspect(|_| count += 1)));
        counts.insert(target, count);
    }
    assert!(counts.values().all(|count| *count == 150), "{counts:?}");
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn what_was_found_before_stays_repaired() {
    let folder = here().join("crashers");
    let mut known = 0;
    let mut all = Vec::new();
    for (target, body) in BODIES {
        let found = files(&folder.join(target));
        known += found.len();
        let inputs = found.into_iter().map(|path| (path.display().to_string(), fs::read(&path).unwrap()));
        all.extend(failures(target, *body, inputs));
    }
    assert_eq!(known, files(&folder).len(), "a folder of crashers is not named for a target");
    assert!(all.is_empty(), "{}", all.join("\n"));
}

/// The targets of `fuzz/` and their seeds are these.
#[test]
fn every_body_is_a_target() {
    let fuzz = here().join("../../fuzz");
    let targets: Vec<String> = files(&fuzz.join("fuzz_targets"))
        .iter()
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let mut bodies: Vec<&str> = BODIES.iter().map(|(target, _)| *target).collect();
    bodies.sort_unstable();
    assert_eq!(targets, bodies);
    let seeds = fs::read_to_string(fuzz.join("seeds.py")).unwrap();
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for target in bodies {
        assert!(seeds.contains(&format!("    \"{target}\": ")), "seeds.py has no seeds for {target}");
        assert!(manifest.contains(&format!("name = \"{target}\"")), "Cargo.toml does not build {target}");
    }
}

/// Without Python the archives were only read, and compared with nothing.
#[test]
fn archives_are_compared_where_there_is_python() {
    if !Python::is_there() {
        println!("no python3: archives are not compared with zipfile and tarfile");
    }
}
