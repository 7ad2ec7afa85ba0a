//! Lists what there is to read in the named inputs, reads it all, and says how long both took.
//!
//! `inventory [--quiet] [--python=3.14t] [PATH|pypi:NAME]...`

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::time::Instant;

use gilaudit_input::{Given, Limits, collect};
use gilaudit_model::Target;

fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let quiet = arguments.iter().any(|argument| argument == "--quiet");
    let target = arguments.iter().find_map(|argument| argument.strip_prefix("--python="));
    let target: Option<Target> = target.map(str::parse).transpose()?;
    let given: Result<Vec<Given>, String> = arguments
        .iter()
        .filter(|argument| !argument.starts_with("--"))
        .map(|argument| Given::parse(argument))
        .collect();
    let given = match given? {
        none if none.is_empty() => vec![Given::ActiveEnvironment],
        given => given,
    };

    let start = Instant::now();
    let inventory = collect(&given, target.as_ref(), &Limits::default());
    let listed = start.elapsed();
    let start = Instant::now();
    let mut bytes = 0;
    let mut unread = 0;
    for member in &inventory.members {
        match inventory.read(member) {
            // Sums something of each page, so that a mapped file is really read.
            Ok(contents) => {
                bytes += contents.len() + contents.iter().step_by(4096).filter(|byte| **byte == 1).count() % 2
            }
            Err(problem) => {
                unread += 1;
                println!("cannot read {}: {}", problem.origin, problem.error);
            }
        }
    }
    let read = start.elapsed();

    if !quiet {
        for artifact in &inventory.artifacts {
            println!("{:?} {} {:?} {:?}", artifact.kind, artifact.origin, artifact.distribution, artifact.python);
        }
        for member in &inventory.members {
            println!("{:?} {} = {} {:?}", member.kind, member.origin, member.module, member.distribution);
        }
    }
    for problem in &inventory.problems {
        println!(
            "{}: {} ({}{})",
            problem.origin,
            problem.error,
            problem.stage.as_str(),
            if problem.unread { ", unread" } else { "" }
        );
    }
    eprintln!(
        "{} artifacts, {} members, {} problems listed in {listed:?}; {bytes} bytes read in {read:?}, {unread} members not",
        inventory.artifacts.len(),
        inventory.members.len(),
        inventory.problems.len(),
    );
    Ok(())
}
