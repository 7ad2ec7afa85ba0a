//! What an import does to the process: lists the Python files of the inputs, has the graph followed, and says who is responsible
//! and what can be done.
//!
//! Only on request: an ordinary audit reads no Python file, and this one reads those that the imports lead to.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use gilaudit_binary::{Mentioned, ModuleNames, may_be_in_table};
use gilaudit_input::{Inventory, Member, Owners, PythonRoot, python_root};
use gilaudit_model::cpython::{module_stem, suffixes};
use gilaudit_model::{Distribution, FailureKind, Init, Origin, Os, Outcome, Problem, PythonFacts, Stage, Target};
use gilaudit_policy::imports::{Answer, Blocker, Entry, ExtensionNode, LazyFacts, PythonNode, World, answer, run};
use gilaudit_source::python::{self, PthLine, Reading};
use memchr::memmem;
use rayon::prelude::*;

use crate::args::ImportArgs;
use crate::error::Error;
use crate::policies;
use crate::report::{Answers, Judged};
use crate::settings::Settings;

/// The answer about a process, with what is known of the distributions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Imports {
    /// What was asked: `--import pandas`, the script's path, `--import-all`.
    pub(crate) entries: Vec<String>,
    pub(crate) answer: Answer,
    /// For every blocker of the answer, in its order.
    pub(crate) ways: Vec<Ways>,
    /// How many Python files were read: those that the imports lead to.
    pub(crate) files: usize,
    /// The files that the imports lead to, as origins show them.
    pub(crate) reached: BTreeSet<String>,
    /// Whether everything was asked about, and not one program.
    pub(crate) of_all: bool,
}

/// Who is responsible for a blocker, and what can be done about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ways {
    /// The distributions that nobody requires, or that were asked for by name, through which it is there.
    pub(crate) required_by: Vec<String>,
    /// For its authors.
    pub(crate) declare: String,
    /// Another version among the inputs that does not block.
    pub(crate) newer: Option<Distribution>,
    /// What `PYTHON_GIL=0` would do here.
    pub(crate) python_gil_0: String,
    /// An entry for the `exceptions` of a policy.
    pub(crate) exception: String,
}

/// Follows what is asked for and puts the answer into `answers`.
pub(crate) fn follow(
    args: &ImportArgs,
    inventory: &Inventory,
    settings: &Settings,
    target: &Target,
    answers: &mut Answers,
) {
    let os = answers.extensions.iter().map(|judged| judged.extension.format.os()).find(|os| *os != Os::Any);
    let reading = Reading { version: target.version, os, main: false };
    let mut files = Files::list(args, inventory, settings, &reading, &mut answers.problems);
    let reader = Rc::new(Reader {
        limits: settings.input_limits.clone(),
        reading,
        problems: RefCell::default(),
        files: Cell::new(0),
    });
    let (world, count) = files.world(target, os, inventory, answers, &reader);
    let mut entries = std::mem::take(&mut files.startup);
    let mut asked = Vec::new();
    for name in &args.names {
        if !world.has(name) {
            let error = format!("no module named '{name}' in the inputs or the standard library of {target}");
            let origin = Origin::path(format!("--import {name}"));
            answers.problems.push(Problem { origin, stage: Stage::Find, unread: true, error });
        }
        entries.push(Entry::Import(name.clone()));
        asked.push(format!("--import {name}"));
    }
    for script in &args.scripts {
        match script_node(script, &reader) {
            Ok(node) => entries.push(Entry::Script(Box::new(node))),
            Err(problem) => answers.problems.push(problem),
        }
        asked.push(script.display().to_string());
    }
    if args.import_all {
        let mut names = world.top_level();
        names.extend(answers.extensions.iter().map(|judged| judged.extension.module.clone()));
        entries.extend(names.into_iter().filter(|name| world.has(name)).map(Entry::Import));
        asked.push("--import-all".to_owned());
    }
    let outcomes = run(&world, &entries, !args.import_all);
    let reached = outcomes.files.clone();
    let answer = answer(&world, outcomes);
    let requirements = Requirements::new(&files.roots);
    let ways =
        answer.blockers.iter().map(|blocker| ways(blocker, &answer, &requirements, &answers.extensions)).collect();
    answers.recognised |= count > 0;
    answers.problems.append(&mut reader.problems.borrow_mut());
    let (files, of_all) = (reader.files.get(), args.import_all);
    answers.imports = Some(Imports { entries: asked, answer, ways, files, reached, of_all });
}

/// What is asked for as an interpreter is told to do it, in the order in which it is followed.
pub(crate) fn steps(args: &ImportArgs) -> Result<Vec<(&'static str, String)>, Error> {
    if args.import_all {
        return Err(Error::new("--import-all cannot be verified in one process")
            .hint("without it, each extension is imported in a process of its own"));
    }
    let mut steps: Vec<(&'static str, String)> = args.names.iter().map(|name| ("import", name.clone())).collect();
    for script in &args.scripts {
        // The process has another current folder.
        let absolute =
            std::path::absolute(script).map_err(|error| Error::new(format!("{}: {error}", script.display())))?;
        steps.push(("script", absolute.to_string_lossy().into_owned()));
    }
    Ok(steps)
}

/// Reads Python files when they are asked for, and remembers what was wrong with them.
struct Reader {
    limits: gilaudit_input::Limits,
    reading: Reading,
    problems: RefCell<Vec<Problem>>,
    files: Cell<usize>,
}

impl Reader {
    fn facts(&self, root: &PythonRoot, file: &str) -> PythonFacts {
        let text = match root.read(file, &self.limits) {
            Ok(text) => text,
            Err(problem) => {
                let incomplete = Some(problem.error.clone());
                self.problems.borrow_mut().push(problem);
                return PythonFacts { incomplete, ..PythonFacts::default() };
            }
        };
        self.files.set(self.files.get() + 1);
        let mut facts = python::read(&text, &self.reading);
        if facts.lazy_stub
            && let Ok(stub) = root.read(&format!("{file}i"), &self.limits)
        {
            facts.lazy.extend(python::read_stub(&stub, &self.reading));
            facts.getattr = true;
        }
        facts
    }
}

/// The facts of a file, once somebody asks.
fn later(reader: &Rc<Reader>, root: &Rc<PythonRoot>, file: &str) -> LazyFacts {
    let (reader, root, file) = (Rc::clone(reader), Rc::clone(root), file.to_owned());
    LazyFacts::new(Box::new(move || reader.facts(&root, &file)))
}

/// The folders on `sys.path`, and what their `.pth` files run.
struct Files {
    roots: Vec<Rc<PythonRoot>>,
    startup: Vec<Entry>,
}

impl Files {
    fn list(
        args: &ImportArgs,
        inventory: &Inventory,
        settings: &Settings,
        reading: &Reading,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let scripts = args.scripts.iter().map(|script| match script.parent() {
            Some(folder) if folder != Path::new("") => folder.to_owned(),
            _ => PathBuf::from("."),
        });
        // As CPython has it: the script's folder first.
        let mut folders: Vec<PathBuf> = scripts.chain(inventory.python_folders()).collect();
        let mut files = Self { roots: Vec::new(), startup: Vec::new() };
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
                for line in python::read_pth(&text, reading) {
                    match line {
                        PthLine::Folder(folder) => folders.extend(root.beside(&folder)),
                        PthLine::Code { imports, .. } => {
                            files.startup.push(Entry::Startup(format!("{}/{file}", root.path), imports));
                        }
                    }
                }
            }
            files.roots.push(Rc::new(root));
        }
        files
    }

    /// Builds the world of modules, and counts the Python files in it.
    fn world(
        &self,
        target: &Target,
        os: Option<Os>,
        inventory: &Inventory,
        answers: &Answers,
        reader: &Rc<Reader>,
    ) -> (World, usize) {
        let mut world = World::new(*target, os);
        let mut binaries: Vec<(usize, &Judged)> = Vec::new();
        let mut count = 0;
        for root in &self.roots {
            let index = world.root(root.is_site);
            let owners = Owners::new(root);
            for file in root.files.iter().filter(|file| file.ends_with(".py")) {
                count += 1;
                let (facts, distribution) = (later(reader, root, file), owners.of(file).cloned());
                world.python(index, file, PythonNode { file: format!("{}/{file}", root.path), facts, distribution });
            }
            for judged in &answers.extensions {
                let Some(path) = below(judged.extension.origin.file_path(), &root.path) else { continue };
                let Some((rank, folder, stem)) = searched(path, judged, target) else { continue };
                let extension = &judged.extension;
                let node = ExtensionNode {
                    file: extension.origin.to_string(),
                    outcome: judged.decision.outcome,
                    init: extension.init,
                    failure: extension.failure.clone(),
                    imports: None,
                    distribution: extension.distribution.clone().or_else(|| owners.of(path).cloned()),
                };
                let node = world.extension(index, folder, stem, rank, node);
                binaries.push((node, judged));
            }
        }
        let names = ModuleNames::new(mentionable(&world));
        let by_origin: BTreeMap<&str, &Member> =
            inventory.members.iter().map(|member| (member.origin.file_path(), member)).collect();
        let read: Vec<(usize, &Judged, Option<Mentioned>)> = binaries
            .par_iter()
            .map(|(node, judged)| {
                let member = by_origin.get(judged.extension.origin.file_path());
                let bytes = member.and_then(|member| inventory.read(member).ok());
                let mentioned = bytes.and_then(|bytes| gilaudit_binary::imports_of(&bytes, &names).ok());
                (*node, *judged, mentioned)
            })
            .collect();
        let requirements = Requirements::new(&self.roots);
        let modules = by_distribution(&world);
        for (node, judged, mentioned) in read {
            let imports = match mentioned {
                Some(mentioned) => {
                    let mut imports = plausible(&world, &requirements, judged, &mentioned);
                    if !mentioned.unsplit.is_empty() {
                        imports.extend(unsplit(&modules, &requirements, judged, &mentioned.unsplit));
                    }
                    imports
                }
                None => in_reach(&requirements, judged, &answers.extensions),
            };
            world.extension_imports(node, imports);
        }
        (world, count)
    }
}

/// A name within longer text counts from this length on: shorter ones are parts of words everywhere.
const SHORTEST_WITHIN: usize = 5;

/// Which modules the code of an extension may mean by the names that its file mentions.
///
/// A name counts when it is dotted, when it is a sibling of the extension, or when it is of a distribution that the extension's own
/// requires, extras included: `param` and `click` are words, too, and an application's own `config`. A C string that is just the name
/// also counts within the extension's own distribution, and if that is not known.
fn plausible(world: &World, requirements: &Requirements, judged: &Judged, mentioned: &Mentioned) -> Vec<String> {
    let own = &judged.extension;
    let package = own.module.rsplit_once('.').map(|(package, _)| package);
    let relative = |name: &String| package.map(|package| format!("{package}.{name}")).filter(|name| world.has(name));
    let required = own.distribution.as_ref().map(|it| requirements.reachable(&it.name, true)).unwrap_or_default();
    let is_required = |name: &str| {
        world.distribution(name).is_some_and(|distribution| required.contains(&normalised(&distribution.name)))
    };
    let mut imports: BTreeSet<String> = BTreeSet::new();
    let is_own = |name: &str| own.distribution.is_none() || world.distribution(name) == own.distribution.as_ref();
    for name in &mentioned.exactly {
        imports.extend(relative(name));
        let plausible = (name.contains('.') || is_own(name) || is_required(name)) && world.has(name);
        imports.extend(plausible.then(|| name.clone()));
    }
    for name in mentioned.within.iter().filter(|name| name.len() >= SHORTEST_WITHIN) {
        imports.extend(relative(name));
        let plausible = (name.contains('.') || is_required(name)) && world.has(name);
        imports.extend(plausible.then(|| name.clone()));
    }
    imports.remove(&own.module);
    imports.into_iter().collect()
}

/// Every module by the distribution that it is of.
type Modules = BTreeMap<String, Vec<String>>;

fn by_distribution(world: &World) -> Modules {
    let mut modules = Modules::new();
    for name in world.modules() {
        if let Some(distribution) = world.distribution(&name) {
            modules.entry(normalised(&distribution.name)).or_default().push(name);
        }
    }
    modules
}

/// Which modules of its own distribution, and of those that this one requires, an extension may import by names in these texts.
fn unsplit(modules: &Modules, requirements: &Requirements, judged: &Judged, texts: &[Vec<u8>]) -> Vec<String> {
    let own = &judged.extension;
    let mut known: HashMap<&str, bool> = HashMap::new();
    let mut has = |name| {
        *known.entry(name).or_insert_with(|| name.len() > 1 && texts.iter().any(|text| may_be_in_table(text, name)))
    };
    let reachable = match &own.distribution {
        Some(distribution) => requirements.reachable(&distribution.name, true),
        None => modules.keys().cloned().collect(),
    };
    // Few texts have any name of another distribution: the rest is for those that have.
    let mut contained: HashMap<&str, bool> = HashMap::new();
    let mut contains = |name| {
        let is_in = |text: &Vec<u8>| memmem::find(text, str::as_bytes(name)).is_some();
        *contained.entry(name).or_insert_with(|| texts.iter().any(is_in))
    };
    let mut found = Vec::new();
    for module in reachable.iter().filter_map(|distribution| modules.get(distribution)).flatten() {
        let (package, last) = module.rsplit_once('.').unwrap_or(("", module));
        let top = module.split('.').next().unwrap_or_default();
        // `import a.b`, `from a import b`; `from .b import x` in a package that is `a`, or below it.
        let mut relative = module.match_indices('.').filter(|(at, _)| {
            let inside = own.module.strip_prefix(module.get(..*at).unwrap_or_default());
            inside.is_some_and(|inside| inside.starts_with('.'))
        });
        let relative = relative.any(|(at, _)| has(module.get(at + 1..).unwrap_or_default()));
        let absolute = contains(top) && (has(module) || has(package) && has(last));
        if *module != own.module && (absolute || relative) {
            found.push(module.clone());
        }
    }
    found
}

/// What an extension may import that matters here, when its file does not say: the blockers of its own distribution and of those
/// that this one requires. What is not required is taken not to be imported.
fn in_reach(requirements: &Requirements, judged: &Judged, extensions: &[Judged]) -> Vec<String> {
    let own = judged.extension.distribution.as_ref();
    let reachable = own.map(|it| requirements.reachable(&it.name, false));
    let blocks = |other: &&Judged| {
        let outcome = other.decision.outcome;
        matches!(outcome, Outcome::EnablesGil | Outcome::RunsFreeForced | Outcome::Undetermined)
            && other.extension.module != judged.extension.module
            && match (&reachable, &other.extension.distribution) {
                (Some(reachable), Some(it)) => reachable.contains(&normalised(&it.name)),
                _ => true,
            }
    };
    extensions.iter().filter(blocks).map(|other| other.extension.module.clone()).collect()
}

/// The names that an extension may import something by: every module's, and the last part of it for relative imports.
fn mentionable(world: &World) -> BTreeSet<String> {
    let mut names = world.modules();
    let tails: Vec<String> =
        names.iter().filter_map(|name| name.rsplit_once('.')).map(|(_, tail)| tail.to_owned()).collect();
    names.extend(tails);
    names
}

fn script_node(script: &Path, reader: &Reader) -> Result<PythonNode, Problem> {
    let folder = script.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let name = script.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let root = PythonRoot::unlisted(folder);
    let text = root.read(&name, &reader.limits).map_err(|problem| Problem { unread: true, ..problem })?;
    reader.files.set(reader.files.get() + 1);
    let facts = python::read(&text, &Reading { main: true, ..reader.reading });
    let facts = LazyFacts::new(Box::new(move || facts));
    Ok(PythonNode { file: script.display().to_string(), facts, distribution: None })
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

/// Which distribution requires which.
struct Requirements {
    /// By normalised name: the names it requires.
    requires: BTreeMap<String, Vec<String>>,
    /// The same for what it requires with an extra.
    suggests: BTreeMap<String, Vec<String>>,
    /// Those that nobody requires or that were asked for, as they are written.
    tops: Vec<String>,
}

/// A distribution's name as PEP 503 compares names.
fn normalised(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

impl Requirements {
    fn new(roots: &[Rc<PythonRoot>]) -> Self {
        let installed = || roots.iter().flat_map(|root| &root.installed);
        let (mut requires, mut suggests) = (BTreeMap::new(), BTreeMap::new());
        let mut required = BTreeSet::new();
        for it in installed() {
            let Some(distribution) = &it.distribution else { continue };
            let names: Vec<String> = it.requires.iter().map(|name| normalised(name)).collect();
            required.extend(names.iter().cloned());
            let extras = it.suggests.iter().map(|name| normalised(name)).collect();
            suggests.insert(normalised(&distribution.name), extras);
            requires.insert(normalised(&distribution.name), names);
        }
        let tops = installed().filter_map(|it| {
            let name = &it.distribution.as_ref()?.name;
            (it.requested || !required.contains(&normalised(name))).then(|| name.clone())
        });
        let mut tops: Vec<String> = tops.collect();
        tops.sort();
        tops.dedup();
        Self { requires, suggests, tops }
    }

    /// The normalised names of what `name` requires, itself included, and what its own extras do if asked for.
    fn reachable(&self, name: &str, extras: bool) -> BTreeSet<String> {
        let own = normalised(name);
        let mut stack: Vec<String> = self.suggests.get(&own).filter(|_| extras).cloned().unwrap_or_default();
        stack.push(own);
        let mut seen = BTreeSet::new();
        while let Some(next) = stack.pop() {
            if seen.insert(next.clone()) {
                stack.extend(self.requires.get(&next).into_iter().flatten().cloned());
            }
        }
        seen
    }

    /// The top-level distributions through which `name` is installed, itself included.
    fn responsible(&self, name: &str) -> Vec<String> {
        let wanted = normalised(name);
        let reaches = |top: &&String| {
            let mut stack = vec![normalised(top)];
            let mut seen = BTreeSet::new();
            while let Some(next) = stack.pop() {
                if next == wanted {
                    return true;
                }
                if seen.insert(next.clone()) {
                    stack.extend(self.requires.get(&next).into_iter().flatten().cloned());
                }
            }
            false
        };
        self.tops.iter().filter(reaches).cloned().collect()
    }
}

fn ways(blocker: &Blocker, answer: &Answer, requirements: &Requirements, extensions: &[Judged]) -> Ways {
    let own = extensions.iter().find(|judged| judged.extension.origin.to_string() == blocker.file);
    let framework = own.and_then(|judged| judged.extension.framework.as_ref()).map_or("", |framework| framework.name);
    let init = own.map_or(Init::Unknown, |judged| judged.extension.init);
    let declare = match (framework, init) {
        ("cython", _) => "compile with -X freethreading_compatible=True",
        ("pybind11", _) => "PYBIND11_MODULE(name, m, py::mod_gil_not_used())",
        ("nanobind", _) => "nanobind_add_module(name FREE_THREADED …)",
        ("pyo3", _) => "#[pymodule(gil_used = false)]",
        (_, Init::SinglePhase) => "call PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED) in the init function",
        _ => "add the slot {Py_mod_gil, Py_MOD_GIL_NOT_USED}",
    };
    // Another version among the inputs whose module of the same name does not block.
    let newer = extensions.iter().filter(|judged| {
        let other = &judged.extension;
        other.module == blocker.module
            && other.distribution != blocker.distribution
            && own.is_none_or(|own| own.extension.platform() == other.platform())
            && judged.decision.outcome == Outcome::RunsFree
    });
    let newer = newer.filter_map(|judged| judged.extension.distribution.clone()).max();
    let forced: Vec<&str> = answer.blockers.iter().filter(|it| !it.later).map(|it| it.module.as_str()).collect();
    let matches = match &blocker.distribution {
        Some(it) => {
            let distribution = policies::quoted(&format!("{} =={}", it.name, it.version));
            format!("{{module: {}, distribution: {distribution}}}", policies::quoted(&blocker.module))
        }
        None => format!("{{module: {}}}", policies::quoted(&blocker.module)),
    };
    Ways {
        required_by: blocker.distribution.as_ref().map(|it| requirements.responsible(&it.name)).unwrap_or_default(),
        declare: format!("make it safe without the GIL, then declare it and rebuild: {declare}"),
        newer,
        python_gil_0: format!(
            "runs it without the GIL although nobody says it is safe: a data race in {} may crash or corrupt data, without a warning",
            match forced.as_slice() {
                [] | [_] => blocker.module.clone(),
                [_, _] => "it or in the other one that this would force".to_owned(),
                [_, others @ ..] => format!("it or in the {} others that this would force", others.len()),
            }
        ),
        exception: format!(
            "- match: {matches}\n  action: allow\n  reason: 'TODO: why this may run without the GIL here'\n"
        ),
    }
}
