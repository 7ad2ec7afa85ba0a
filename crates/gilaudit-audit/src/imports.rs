//! What an import does to the process: lists the Python files of the inputs, has the graph followed, and says who is responsible
//! and what can be done.
//!
//! Only on request: an ordinary audit reads no Python file, and this one reads those that the imports lead to.

mod asked;
mod files;
mod mentioned;
mod requirements;
mod ways;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use gilaudit_input::{Inventory, There, there};
use gilaudit_model::{Origin, Os, Problem, Stage, Target, panics};
use gilaudit_policy::imports::{Entry, Outcomes, World, answer, run};

use crate::answers::{Answers, Judged};
use crate::settings::Settings;
use files::{Files, Reader, script_node};
use requirements::Requirements;
use ways::ways;

pub use crate::answers::{Imports, Ways};
pub use asked::Asked;

/// How often a program is followed anew because it names folders or files that were not listed yet.
const ROUNDS: usize = 4;

/// The folders and files that a program names which are listed for it.
const MOST_WANTED: usize = 64;

/// The stack of the thread that follows programs: calls within calls within expressions.
const STACK: usize = 256 << 20;

/// Follows what is asked for and puts the answer into `answers`.
pub fn follow(asked: &Asked, inventory: &Inventory, settings: &Settings, target: &Target, answers: &mut Answers) {
    let problems = std::thread::scope(|scope| {
        let work = || panics::caught(|| follow_here(asked, inventory, settings, target, answers));
        match std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work) {
            Ok(thread) => {
                let joined = thread.join().unwrap_or_else(|_| Err("no message".to_owned()));
                joined.map_err(|panic| panics::failed_on("these imports", &panic))
            }
            Err(error) => Err(format!("the thread that follows imports could not be started: {error}")),
        }
    });
    if let Err(error) = problems {
        let origin = Origin::path("(imports)");
        answers.problems.push(Problem { origin, stage: Stage::Internal, unread: true, error });
    }
}

fn follow_here(asked: &Asked, inventory: &Inventory, settings: &Settings, target: &Target, answers: &mut Answers) {
    let os = answers.extensions.iter().map(|judged| judged.extension.format.os()).find(|os| *os != Os::Any);
    let reader =
        Rc::new(Reader { limits: settings.input_limits.clone(), problems: RefCell::default(), files: Cell::new(0) });
    let mut files = Files::list(asked, inventory, settings, &mut answers.problems);
    let mut extra: Vec<Judged> = Vec::new();
    let mut tried: BTreeSet<String> = BTreeSet::new();
    let mut scripts: Vec<PathBuf> = Vec::new();
    let mut unread = Vec::new();
    let mut entry_files = Vec::new();
    for script in &asked.scripts {
        match entry_file(script) {
            Ok(file) => entry_files.push(file),
            Err(problem) => unread.push(problem),
        }
    }
    let mut round = 0;
    let (outcomes, world, count) = loop {
        round += 1;
        extra.extend(files.judge_beside(settings, target, &answers.extensions, &extra));
        let (world, count) =
            files.world(target, os, inventory, (&answers.extensions, &extra), &scripts, (&reader, settings));
        let (entries, problems) = entries(asked, &files, &world, &entry_files, &reader, &answers.extensions);
        let outcomes = run(&world, &entries, !asked.import_all);
        let wanted: Vec<String> =
            outcomes.wanted.iter().filter(|path| !tried.contains(*path)).take(MOST_WANTED).cloned().collect();
        if round >= ROUNDS || !files.provide(&wanted, &mut tried, &mut scripts, settings) {
            unread.extend(problems);
            break (outcomes, world, count);
        }
    };
    for (name, option) in
        asked.names.iter().map(|name| (name, "--import")).chain(asked.modules.iter().map(|name| (name, "-m")))
    {
        if !world.has(name) {
            let error = format!("no module named '{name}' in the inputs or the standard library of {target}");
            unread.push(missing(&format!("{option} {name}"), &error));
        }
    }
    unread.extend(entry_files.iter().filter_map(|file| not_python(file, &reader)));
    reader.files.set(reader.files.get() + entry_files.len());
    answers.problems.extend(unread);
    finish((outcomes, &world), (asked.words(), asked.import_all), &files, (extra, count), &reader, answers);
}

/// What is followed, in the order in which an interpreter comes to it, and what of it could not be found.
fn entries(
    asked: &Asked,
    files: &Files,
    world: &World,
    entry_files: &[PathBuf],
    reader: &Reader,
    extensions: &[Judged],
) -> (Vec<Entry>, Vec<Problem>) {
    let mut entries: Vec<Entry> =
        files.startup.iter().map(|(file, line, code)| Entry::Startup(file.clone(), *line, Rc::clone(code))).collect();
    entries.extend(asked.names.iter().cloned().map(Entry::Import));
    let mut problems = Vec::new();
    for file in entry_files {
        match script_node(file, reader) {
            Ok(node) => entries.push(Entry::Script(Box::new(node))),
            Err(problem) => problems.push(problem),
        }
    }
    entries.extend(asked.modules.iter().cloned().map(Entry::Module));
    for name in &asked.entry_points {
        let found = files.console_script(name);
        match found.and_then(|value| {
            value.split_once(':').map(|(module, function)| (module.trim().to_owned(), function.trim().to_owned()))
        }) {
            Some((module, function)) => entries.push(Entry::Function(module, function)),
            None => problems.push(missing(
                &format!("--entry-point {name}"),
                "no installed distribution has a console script of this name",
            )),
        }
    }
    if asked.import_all {
        let mut names = world.top_level();
        names.extend(extensions.iter().map(|judged| judged.extension.module.clone()));
        entries.extend(names.into_iter().filter(|name| world.has(name)).map(Entry::Import));
    }
    (entries, problems)
}

fn missing(what: &str, error: &str) -> Problem {
    Problem { origin: Origin::path(what), stage: Stage::Find, unread: true, error: error.to_owned() }
}

fn finish(
    (outcomes, world): (Outcomes, &World),
    (entries, of_all): (Vec<String>, bool),
    files: &Files,
    (extra, count): (Vec<Judged>, usize),
    reader: &Reader,
    answers: &mut Answers,
) {
    let reached = outcomes.files.clone();
    // What lies beside the program counts when it is reached.
    answers
        .extensions
        .extend(extra.into_iter().filter(|judged| reached.contains(&judged.extension.origin.to_string())));
    let answer = answer(world, outcomes);
    let requirements = Requirements::new(&files.roots);
    let ways =
        answer.blockers.iter().map(|blocker| ways(blocker, &answer, &requirements, &answers.extensions)).collect();
    answers.recognised |= count > 0;
    let mut problems = reader.problems.take();
    problems.sort();
    problems.dedup();
    answers.problems.append(&mut problems);
    answers.imports = Some(Imports { entries, answer, ways, files: reader.files.get(), reached, of_all });
}

/// The file that is run: a script, or the `__main__.py` of a folder.
fn entry_file(script: &Path) -> Result<PathBuf, Problem> {
    if there(script) != There::Folder {
        return Ok(script.to_owned());
    }
    let main = script.join("__main__.py");
    if there(&main) == There::File {
        return Ok(main);
    }
    Err(missing(&script.display().to_string(), "this folder has no __main__.py that could be run"))
}

/// A script that is no Python is an input that was not read.
fn not_python(file: &Path, reader: &Reader) -> Option<Problem> {
    let node = script_node(file, reader).ok()?;
    let (line, why) = node.code.incomplete.clone()?;
    let error = format!("this is no valid Python: line {line}: {why}");
    Some(Problem { origin: Origin::path(file.display().to_string()), stage: Stage::Parse, unread: true, error })
}
