//! What a compiled extension declares to every free-threaded interpreter: `cargo run --example declaration FILE...`
#![allow(clippy::print_stdout, reason = "an example prints")]

use gilaudit_binary::{Hints, Limits, read};
use gilaudit_model::{Origin, Target, cpython};

fn main() -> std::io::Result<()> {
    for path in std::env::args().skip(1) {
        let bytes = std::fs::read(&path)?;
        let origin = Origin::path(path.replace('\\', "/"));
        let (facts, unread) = read(&bytes, &Hints::new(origin.file_path()), &Limits::default());
        for it in unread {
            println!("{origin} {}: {}", it.slice.unwrap_or_default(), it.error);
        }
        for facts in facts {
            println!("{origin} ({} {})", facts.format.as_str(), facts.arch.as_str());
            let module = cpython::module_stem(origin.file_name());
            for target in Target::all().filter(|target| target.free_threaded) {
                let Some(loading) = facts.load(module, &target) else {
                    println!("  {target}: no init function for {module}");
                    continue;
                };
                let declaration = loading.declaration;
                println!(
                    "  {target}: {} ({}, {})",
                    declaration.status.as_str(),
                    loading.init.as_str(),
                    declaration.mechanism.as_str()
                );
                for evidence in declaration.evidence {
                    println!("    {} at {}", evidence.what, evidence.at);
                }
                if let Some(reason) = declaration.reason {
                    println!("    because {reason}");
                }
                if let Some(failure) = loading.failure {
                    println!("    cannot be imported: {}", failure.error);
                }
            }
        }
    }
    Ok(())
}
