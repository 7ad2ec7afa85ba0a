//! The Python files and the extensions that a program can import: listed at first, and read when the imports lead to them.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use gilaudit_binary::internal::{Mentioned, ModuleNames};
use gilaudit_input::{Given, Inventory, Member, Owners, PythonRoot, There, python_root, real, there};
use gilaudit_model::cpython::{module_stem, suffixes};
use gilaudit_model::program::Program;
use gilaudit_model::{FailureKind, Origin, Os, Problem, Target};
use gilaudit_policy::imports::{EntryPoint, ExtensionNode, LazyCode, LazyNames, PythonNode, World};
use gilaudit_source::python::{self, PthLine};
use rayon::prelude::*;

use super::asked::Asked;
use super::mentioned::{by_distribution, in_reach, mentionable, plausible, unsplit};
use super::requirements::Requirements;
use crate::answers::Judged;
use crate::audit::audit;
use crate::settings::Settings;

/// Reads Python files when they are asked for, and remembers what was wrong with them.
pub(super) struct Reader {
    pub(super) limits: gilaudit_input::Limits,
    pub(super) problems: RefCell<Vec<Problem>>,
    pub(super) files: Cell<usize>,
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
pub(super) struct Files {
    pub(super) roots: Vec<Rc<PythonRoot>>,
    /// How many of them are on `sys.path` from the beginning.
    pub(super) given: usize,
    pub(super) startup: Vec<(String, u32, Rc<Program>)>,
}

impl Files {
    pub(super) fn list(asked: &Asked, inventory: &Inventory, settings: &Settings, problems: &mut Vec<Problem>) -> Self {
        let scripts = asked.scripts.iter().map(|script| match (there(script), script.parent()) {
            (There::Folder, _) => script.clone(),
            (_, Some(folder)) if folder != Path::new("") => folder.to_owned(),
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
            if !seen.insert(real(&folder)) {
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
    pub(super) fn provide(
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
            match there(&place) {
                There::Folder => self.roots.push(Rc::new(python_root(&place, &settings.input_limits).0)),
                There::File => scripts.push(place),
                There::Nothing => continue,
            }
            any = true;
        }
        any
    }

    /// The value of a console script.
    pub(super) fn console_script(&self, name: &str) -> Option<&str> {
        let points = self.roots.iter().flat_map(|root| &root.installed).flat_map(|installed| &installed.entry_points);
        let mut found =
            points.filter(|(group, own, _)| matches!(group.as_str(), "console_scripts" | "gui_scripts") && own == name);
        found.next().map(|(_, _, value)| value.as_str())
    }

    /// Judges extensions in folders that imports lead to and that were not among the inputs.
    pub(super) fn judge_beside(
        &self,
        settings: &Settings,
        target: &Target,
        known: &[Judged],
        extra: &[Judged],
    ) -> Vec<Judged> {
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
    pub(super) fn world(
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

pub(super) fn script_node(script: &Path, reader: &Reader) -> Result<PythonNode, Problem> {
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
