//! What an import does to the process: lists the Python files of the inputs, has the graph followed, and says who is responsible
//! and what can be done.
//!
//! Only on request: an ordinary audit reads no Python file, and this one reads those that the imports lead to.

mod mentioned;
mod requirements;
mod ways;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use gilaudit_binary::internal::{Mentioned, ModuleNames};
use gilaudit_input::{Given, Inventory, Member, Owners, PythonRoot, python_root};
use gilaudit_model::cpython::{module_stem, suffixes};
use gilaudit_model::program::Program;
use gilaudit_model::{Distribution, FailureKind, Origin, Os, Problem, Stage, Target, panics};
use gilaudit_policy::imports::{
    Answer, Entry, EntryPoint, ExtensionNode, LazyCode, LazyNames, Outcomes, PythonNode, World, answer, run,
};
use gilaudit_source::python::{self, PthLine};
use rayon::prelude::*;

use crate::audit::audit;
use crate::report::{Answers, Judged};
use crate::settings::Settings;
use mentioned::{by_distribution, in_reach, mentionable, plausible, unsplit};
use requirements::Requirements;
use ways::ways;

/// What is imported, for an answer about the process instead of about files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// What `import NAME` loads.
    pub names: Vec<String>,
    /// What running a script loads, or the `__main__.py` of a folder.
    pub scripts: Vec<PathBuf>,
    /// What `python -m NAME` loads.
    pub modules: Vec<String>,
    /// What a console script of an installed distribution loads.
    pub entry_points: Vec<String>,
    /// Every top-level module and every extension of the inputs.
    pub import_all: bool,
}

impl Asked {
    /// What was asked, in the words of the command line.
    fn words(&self) -> Vec<String> {
        let mut asked: Vec<String> = self.names.iter().map(|name| format!("--import {name}")).collect();
        asked.extend(self.scripts.iter().map(|script| script.display().to_string()));
        asked.extend(self.modules.iter().map(|name| format!("-m {name}")));
        asked.extend(self.entry_points.iter().map(|name| format!("--entry-point {name}")));
        asked.extend(self.import_all.then(|| "--import-all".to_owned()));
        asked
    }
}

/// The answer about a process, with what is known of the distributions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imports {
    /// What was asked: `--import pandas`, the script's path, `--import-all`.
    pub entries: Vec<String>,
    /// What happens to the GIL, and by whom.
    pub answer: Answer,
    /// For every blocker of the answer, in its order.
    pub ways: Vec<Ways>,
    /// How many Python files were read: those that the imports lead to.
    pub files: usize,
    /// The files that the imports lead to, as origins show them.
    pub reached: BTreeSet<String>,
    /// Whether everything was asked about, and not one program.
    pub of_all: bool,
}

/// Who is responsible for a blocker, and what can be done about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// The distributions that nobody requires, or that were asked for by name, through which it is there.
    pub required_by: Vec<String>,
    /// For its authors.
    pub declare: String,
    /// Another version among the inputs that does not block.
    pub newer: Option<Distribution>,
    /// What `PYTHON_GIL=0` would do here.
    pub python_gil_0: String,
    /// An entry for the `exceptions` of a policy.
    pub exception: String,
}

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
        let mut entries: Vec<Entry> = files
            .startup
            .iter()
            .map(|(file, line, code)| Entry::Startup(file.clone(), *line, Rc::clone(code)))
            .collect();
        entries.extend(asked.names.iter().cloned().map(Entry::Import));
        let mut problems = Vec::new();
        for file in &entry_files {
            match script_node(file, &reader) {
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
            names.extend(answers.extensions.iter().map(|judged| judged.extension.module.clone()));
            entries.extend(names.into_iter().filter(|name| world.has(name)).map(Entry::Import));
        }
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
    if !script.is_dir() {
        return Ok(script.to_owned());
    }
    let main = script.join("__main__.py");
    if main.is_file() {
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

/// Reads Python files when they are asked for, and remembers what was wrong with them.
struct Reader {
    limits: gilaudit_input::Limits,
    problems: RefCell<Vec<Problem>>,
    files: Cell<usize>,
}

impl Reader {
    fn program(&self, root: &PythonRoot, file: &str) -> Rc<Program> {
        let text = match root.read(file, &self.limits) {
            Ok(text) => text,
            Err(problem) => {
                let incomplete = Some((0, problem.error.clone()));
                self.problems.borrow_mut().push(problem);
                return Rc::new(Program { incomplete, ..Program::default() });
            }
        };
        self.files.set(self.files.get() + 1);
        let mut program = python::read_program(&text);
        if program.names.iter().any(|name| name == "attach_stub")
            && let Ok(stub) = root.read(&format!("{file}i"), &self.limits)
        {
            program.stub = python::read_stub(&stub);
        }
        Rc::new(program)
    }
}

/// The code of a file, once somebody asks.
fn later(reader: &Rc<Reader>, root: &Rc<PythonRoot>, file: &str) -> LazyCode {
    let (reader, root, file) = (Rc::clone(reader), Rc::clone(root), file.to_owned());
    LazyCode::new(Box::new(move || reader.program(&root, &file)))
}

/// The folders on `sys.path`, and what their `.pth` files run.
struct Files {
    roots: Vec<Rc<PythonRoot>>,
    /// How many of them are on `sys.path` from the beginning.
    given: usize,
    startup: Vec<(String, u32, Rc<Program>)>,
}

impl Files {
    fn list(asked: &Asked, inventory: &Inventory, settings: &Settings, problems: &mut Vec<Problem>) -> Self {
        let scripts = asked.scripts.iter().map(|script| match (script.is_dir(), script.parent()) {
            (true, _) => script.clone(),
            (false, Some(folder)) if folder != Path::new("") => folder.to_owned(),
            _ => PathBuf::from("."),
        });
        // As CPython has it: the script's folder first; with `-m`, the current one.
        let here = (!asked.modules.is_empty() && inventory.artifacts.is_empty()).then(|| PathBuf::from("."));
        let mut folders: Vec<PathBuf> = scripts.chain(here).chain(inventory.python_folders()).collect();
        let mut files = Self { roots: Vec::new(), given: 0, startup: Vec::new() };
        let mut seen = BTreeSet::new();
        let mut next = 0;
        while let Some(folder) = folders.get(next).cloned() {
            next += 1;
            if !seen.insert(folder.canonicalize().unwrap_or_else(|_| folder.clone())) {
                continue;
            }
            let (root, found) = python_root(&folder, &settings.input_limits);
            problems.extend(found);
            for file in root.files.iter().filter(|file| root.is_site && file.ends_with(".pth")) {
                let Ok(text) = root.read(file, &settings.input_limits) else { continue };
                for line in python::read_pth(&text) {
                    match line {
                        PthLine::Folder(folder) => folders.extend(root.beside(&folder)),
                        PthLine::Code { line, program } => {
                            files.startup.push((format!("{}/{file}", root.path), line, Rc::new(program)));
                        }
                    }
                }
            }
            files.roots.push(Rc::new(root));
        }
        files.given = files.roots.len();
        files
    }

    /// Lists folders and files that the program names; `false` when there is nothing new.
    fn provide(
        &mut self,
        wanted: &[String],
        tried: &mut BTreeSet<String>,
        scripts: &mut Vec<PathBuf>,
        settings: &Settings,
    ) -> bool {
        let mut any = false;
        for path in wanted {
            tried.insert(path.clone());
            let place = PathBuf::from(path);
            if place.is_dir() {
                let (root, _) = python_root(&place, &settings.input_limits);
                self.roots.push(Rc::new(root));
                any = true;
            } else if place.is_file() {
                scripts.push(place);
                any = true;
            }
        }
        any
    }

    /// The value of a console script.
    fn console_script(&self, name: &str) -> Option<&str> {
        let points = self.roots.iter().flat_map(|root| &root.installed).flat_map(|installed| &installed.entry_points);
        let mut found =
            points.filter(|(group, own, _)| matches!(group.as_str(), "console_scripts" | "gui_scripts") && own == name);
        found.next().map(|(_, _, value)| value.as_str())
    }

    /// Judges extensions in folders that imports lead to and that were not among the inputs.
    fn judge_beside(&self, settings: &Settings, target: &Target, known: &[Judged], extra: &[Judged]) -> Vec<Judged> {
        let have: BTreeSet<&str> =
            known.iter().chain(extra).map(|judged| judged.extension.origin.file_path()).collect();
        let paths = self
            .roots
            .iter()
            .flat_map(|root| root.compiled.iter().map(|file| format!("{}/{file}", root.path.trim_end_matches('/'))));
        let new: Vec<Given> = paths
            .filter(|path| !have.contains(path.as_str()))
            .take(2_000)
            .map(|path| Given::Path(path.into()))
            .collect();
        if new.is_empty() {
            return Vec::new();
        }
        let inventory = gilaudit_input::collect(&new, Some(target), &settings.input_limits);
        audit(&inventory, settings, target, &|| ()).extensions
    }

    /// Builds the world of modules, and counts the Python files in it.
    fn world(
        &self,
        target: &Target,
        os: Option<Os>,
        inventory: &Inventory,
        (known, extra): (&[Judged], &[Judged]),
        scripts: &[PathBuf],
        (reader, settings): (&Rc<Reader>, &Settings),
    ) -> (World, usize) {
        let mut world = World::new(*target, os, Box::new(|text| python::read_program(text.as_bytes())));
        let mut binaries: Vec<(usize, &Judged)> = Vec::new();
        let mut count = 0;
        let mut points = Vec::new();
        for (place, root) in self.roots.iter().enumerate() {
            let index = world.root(&root.path, root.is_site, place < self.given);
            let owners = Owners::new(root);
            for file in root.files.iter().filter(|file| file.ends_with(".py")) {
                count += 1;
                let (code, distribution) = (later(reader, root, file), owners.of(file).cloned());
                world.python(index, file, PythonNode { file: format!("{}/{file}", root.path), code, distribution });
            }
            for judged in known.iter().chain(extra) {
                let Some(path) = below(judged.extension.origin.file_path(), &root.path) else { continue };
                let Some((rank, folder, stem)) = searched(path, judged, target) else { continue };
                let extension = &judged.extension;
                let node = ExtensionNode {
                    file: extension.origin.to_string(),
                    outcome: judged.decision.outcome,
                    init: extension.init,
                    failure: extension.failure.clone(),
                    imports: None,
                    calls: calls(&extension.origin, &settings.input_limits),
                    distribution: extension.distribution.clone().or_else(|| owners.of(path).cloned()),
                };
                let node = world.extension(index, folder, stem, rank, node);
                binaries.push((node, judged));
            }
            let of = root.installed.iter().flat_map(|installed| &installed.entry_points);
            points.extend(of.map(|(group, name, value)| EntryPoint {
                group: group.clone(),
                name: name.clone(),
                value: value.clone(),
            }));
        }
        world.set_entry_points(points);
        for script in scripts {
            if let Ok(node) = script_node(script, reader) {
                world.script(&script.display().to_string(), node);
            }
        }
        self.extension_imports(&mut world, (inventory, settings), binaries, known);
        (world, count)
    }

    /// Says of every extension what it may import.
    fn extension_imports(
        &self,
        world: &mut World,
        (inventory, settings): (&Inventory, &Settings),
        binaries: Vec<(usize, &Judged)>,
        known: &[Judged],
    ) {
        let names = ModuleNames::new(mentionable(world));
        let by_origin: BTreeMap<&str, &Member> =
            inventory.members.iter().map(|member| (member.origin.file_path(), member)).collect();
        let mention = |(node, judged): &(usize, &Judged)| {
            let path = judged.extension.origin.file_path();
            let bytes = match by_origin.get(path) {
                Some(member) => inventory.read(member).ok(),
                None => PythonRoot::unlisted(Path::new("")).read(path, &settings.input_limits).ok(),
            };
            bytes
                .and_then(|bytes| gilaudit_binary::internal::imports_of(&*bytes, &names).ok())
                .map(|mentioned| (*node, mentioned))
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(settings.jobs).build();
        let read: Vec<Option<(usize, Mentioned)>> = match pool {
            Ok(pool) => pool.install(|| binaries.par_iter().map(mention).collect()),
            Err(_) => binaries.iter().map(mention).collect(),
        };
        let requirements = Requirements::new(&self.roots);
        let modules = by_distribution(world);
        for ((node, judged), mentioned) in binaries.into_iter().zip(read) {
            let imports = match mentioned {
                Some((_, mentioned)) => {
                    let mut imports = plausible(world, &requirements, judged, &mentioned);
                    if !mentioned.unsplit.is_empty() {
                        imports.extend(unsplit(&modules, &requirements, judged, &mentioned.unsplit));
                    }
                    imports
                }
                None => in_reach(&requirements, judged, known),
            };
            world.extension_imports(node, imports);
        }
    }
}

/// The names by which a compiled file may call, once somebody asks.
fn calls(origin: &Origin, limits: &gilaudit_input::Limits) -> LazyNames {
    let (path, limits) = (origin.file_path().to_owned(), limits.clone());
    LazyNames::new(Box::new(move || {
        let bytes = PythonRoot::unlisted(Path::new("")).read(&path, &limits);
        bytes.map(|bytes| gilaudit_binary::internal::called_names(&*bytes)).unwrap_or_default()
    }))
}

fn script_node(script: &Path, reader: &Reader) -> Result<PythonNode, Problem> {
    let folder = script.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let name = script.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let root = PythonRoot::unlisted(folder);
    let text = root.read(&name, &reader.limits).map_err(|problem| Problem { unread: true, ..problem })?;
    let code = Rc::new(python::read_program(&text));
    let code = LazyCode::new(Box::new(move || code));
    Ok(PythonNode { file: script.display().to_string(), code, distribution: None })
}

/// A path below a folder, both as origins show them.
fn below<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    path.strip_prefix(folder.trim_end_matches('/'))?.strip_prefix('/')
}

/// The place of a file's suffix in the target's list, its folder, and its name without suffix; `None` when it is not searched for.
fn searched<'p>(path: &'p str, judged: &Judged, target: &Target) -> Option<(usize, &'p str, &'p str)> {
    if judged.extension.failure.as_ref().is_some_and(|failure| failure.kind == FailureKind::NotSearched) {
        return None;
    }
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = module_stem(name);
    let suffix = name.get(stem.len()..)?;
    let rank = suffixes(target, judged.extension.platform()).iter().position(|known| known == suffix)?;
    Some((rank, folder, stem))
}
