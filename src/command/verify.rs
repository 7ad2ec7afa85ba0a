//! `gilaudit verify`: predicts, runs a real interpreter, and compares. The one command that runs what it is given.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gilaudit_audit::audit;
use gilaudit_audit::imports;
use gilaudit_audit::report::{Answers, Judged};
use gilaudit_input::{ArtifactKind, Inventory};
use gilaudit_model::{FailureKind, Format, Gil, Target, Version};
use rayon::prelude::*;

use crate::args::{Colour, ImportArgs, VerifyArgs, VerifyFormat};
use crate::error::Error;
use crate::exit;
use crate::output::{self, Detail, count};
use crate::policies;
use crate::progress;
use crate::settings::Settings;
use crate::verify::child::{End, Runner, Task};
use crate::verify::compare::{self, Agreement, Module, Program};
use crate::verify::stress::{self, Question, Stressed};

/// What the interpreter is asked about itself.
const QUESTION: &str = "import sys, sysconfig\n\
    print(*sys.version_info[:2], int(bool(sysconfig.get_config_var('Py_GIL_DISABLED'))), sys.executable)";

/// A verification with everything that it saw.
pub(crate) struct Verified {
    pub(crate) interpreter: String,
    pub(crate) target: Target,
    /// What was verified, as it was named.
    pub(crate) environment: String,
    /// The modules, in the order of their files.
    pub(crate) modules: Vec<Module>,
    /// Files that this interpreter does not search for: built for another version or platform.
    pub(crate) others: usize,
    pub(crate) program: Option<Program>,
    pub(crate) stressed: Vec<Stressed>,
    pub(crate) elapsed: Duration,
}

impl Verified {
    /// How many predictions there are of this kind, the program's among them.
    pub(crate) fn count(&self, agreement: Agreement) -> usize {
        let modules = self.modules.iter().filter(|module| module.agreement == agreement).count();
        modules + usize::from(self.program.as_ref().is_some_and(|program| program.agreement == agreement))
    }

    fn exit_code(&self) -> u8 {
        let stressed = self.stressed.iter().any(|it| !it.differences.is_empty());
        if self.count(Agreement::Differs) > 0 || stressed {
            exit::FINDINGS
        } else if self.stressed.iter().any(|it| it.not_tested.is_some()) {
            exit::ERROR
        } else if self.count(Agreement::Agrees) == 0 && self.stressed.is_empty() {
            exit::NOTHING
        } else {
            exit::OK
        }
    }
}

pub(crate) fn run(args: &VerifyArgs, colour: Colour) -> Result<u8, Error> {
    let started = Instant::now();
    let environment = environment(args)?;
    let interpreter = interpreter(args, &environment)?;
    let runner = Runner { interpreter: &interpreter, limit: Duration::from_secs(args.timeout.into()) };
    let (target, executable) = target(&runner, args.gil)?;
    let applied = policies::load(policies::DEFAULT).map_err(|rejected| rejected.error)?;
    let settings = Settings::of_everything(&[environment.display().to_string()], applied)?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(args.jobs.map_or(0, usize::from))
        .build()
        .map_err(|error| Error::new(format!("the threads could not be started: {error}")))?;
    let inventory =
        gilaudit_input::collect_with_environments(&settings.given, Some(&target), &settings.audit.input_limits);
    let mut answers = pool.install(|| audit(&inventory, &settings.audit, &target, &|| ()));
    let folder = folder(&inventory, &environment);
    let mut verified = Verified {
        interpreter: executable,
        target,
        environment: environment.display().to_string(),
        modules: Vec::new(),
        others: 0,
        program: None,
        stressed: Vec::new(),
        elapsed: Duration::ZERO,
    };
    let task = |steps| Task { steps, folder: folder.clone(), stress: &[], threads: 0, calls: 0 };
    if args.imports.any() {
        warn("runs the program with the packages", &verified, 1);
        verified.program = Some(program(args, &inventory, &settings, &target, &mut answers, &runner, &task)?);
    }
    if !args.stress.is_empty() {
        let functions = count(args.stress.len(), "function");
        warn(
            &format!("calls {functions} from {} with the packages", count(args.threads.into(), "thread")),
            &verified,
            1,
        );
        let question = Question {
            functions: args.stress.clone(),
            threads: args.threads,
            calls: args.calls,
            folder: folder.clone(),
        };
        // One after the other: each wants the processors for itself.
        verified.stressed =
            question.functions.iter().map(|function| stress::stress(&runner, &question, function)).collect();
    }
    if !args.imports.any() && args.stress.is_empty() {
        let (judged, others) = testable(answers.extensions);
        verified.others = others;
        warn(&format!("imports {}", count(judged.len(), "module")), &verified, judged.len());
        let bar = progress::of(judged.len(), "imports", !args.no_progress);
        verified.modules = pool.install(|| {
            judged
                .into_par_iter()
                .map(|judged| {
                    let module = module(judged, &runner, &target, &task);
                    bar.inc(1);
                    module
                })
                .collect()
        });
        bar.finish_and_clear();
    }
    verified.elapsed = started.elapsed();
    write(&verified, args, colour)?;
    Ok(verified.exit_code())
}

/// Says what is about to happen, however quiet everything else is.
fn warn(what: &str, verified: &Verified, processes: usize) {
    let each = if processes > 1 { ", each in a process of its own" } else { "" };
    let _ = writeln!(
        anstream::stderr(),
        "warning: this RUNS CODE: {} {what} of {}{each}, with all that you may do on this machine",
        verified.interpreter,
        verified.environment
    );
}

fn environment(args: &VerifyArgs) -> Result<PathBuf, Error> {
    let active = || std::env::var_os("VIRTUAL_ENV").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let Some(folder) = args.environment.clone().or_else(active) else {
        return Err(Error::new("no environment: none was named, and VIRTUAL_ENV is not set")
            .hint("gilaudit verify ENV takes the folder of a virtual environment"));
    };
    // Processes have a current folder of their own.
    folder.canonicalize().map_err(|error| Error::new(format!("{}: {error}", folder.display())))
}

/// The interpreter that was named, else that of the environment.
fn interpreter(args: &VerifyArgs, environment: &Path) -> Result<OsString, Error> {
    if let Some(named) = &args.interpreter {
        // A bare name is looked for on PATH; anything else must not depend on the current folder.
        let is_path = named.components().count() > 1;
        let absolute = if is_path { std::path::absolute(named).ok() } else { None };
        return Ok(absolute.map_or_else(|| named.clone().into_os_string(), PathBuf::into_os_string));
    }
    let own = [["bin", "python"], ["bin", "python3"], ["Scripts", "python.exe"]];
    let own = own.iter().map(|parts| environment.join(parts.iter().collect::<PathBuf>()));
    own.into_iter().find(|path| path.is_file()).map(PathBuf::into_os_string).ok_or_else(|| {
        Error::new(format!("{} has no interpreter of its own", environment.display()))
            .hint("--interpreter EXE names one: python3.14t")
    })
}

/// What the interpreter is, and how it calls itself.
fn target(runner: &Runner<'_>, gil: Gil) -> Result<(Target, String), Error> {
    let answer = runner.ask(QUESTION).map_err(Error::new)?;
    let mut words = answer.splitn(4, ' ');
    let mut number = || words.next().and_then(|word| word.parse::<u32>().ok());
    let (major, minor, free_threaded) = (number(), number(), number());
    let executable = words.next().unwrap_or_default().to_owned();
    let version = if major == Some(3) { minor.and_then(Version::from_minor) } else { None };
    let (Some(version), Some(free_threaded)) = (version, free_threaded) else {
        let name = runner.interpreter.display();
        return Err(Error::new(format!("{name} is no Python whose loading rules gilaudit knows: {answer}")));
    };
    if free_threaded == 0 {
        let error = format!("{executable} always has the GIL, so it shows nothing about running without it");
        return Err(Error::new(error).hint(format!("--interpreter python{version}t names a free-threaded build")));
    }
    Ok((Target { version, free_threaded: true, gil }, executable))
}

/// The folder that has to be put on `sys.path`, because the interpreter does not have it there by itself.
fn folder(inventory: &Inventory, environment: &Path) -> Option<String> {
    let is_environment =
        inventory.artifacts.iter().any(|artifact| artifact.explicit && artifact.kind == ArtifactKind::Environment);
    (!is_environment).then(|| environment.to_string_lossy().into_owned())
}

/// The modules that can be put to the test, and how many others there are.
fn testable(extensions: Vec<Judged>) -> (Vec<Judged>, usize) {
    // What is in an archive, or not built yet, no interpreter can import.
    let is_file =
        |judged: &Judged| judged.extension.format != Format::Source && judged.extension.origin.parts().len() == 1;
    let is_searched = |judged: &Judged| {
        let failure = judged.extension.failure.as_ref();
        failure.is_none_or(|failure| failure.kind != FailureKind::NotSearched)
    };
    let files: Vec<Judged> = extensions.into_iter().filter(is_file).collect();
    let all = files.len();
    let mut judged: Vec<Judged> = files.into_iter().filter(is_searched).collect();
    judged.sort_by(|a, b| (&a.extension.origin, &a.extension.module).cmp(&(&b.extension.origin, &b.extension.module)));
    let others = all - judged.len();
    (judged, others)
}

fn module(
    judged: Judged,
    runner: &Runner<'_>,
    target: &Target,
    task: &impl Fn(Vec<(&'static str, String)>) -> Task<'static>,
) -> Module {
    let name = judged.extension.module.clone();
    let file = PathBuf::from(judged.extension.origin.file_path());
    let task = task(vec![("import", name.clone())]);
    let gil = target.gil.as_str();
    let seen = runner.run(&task, gil, false);
    let (mut elapsed, warned) = (seen.elapsed, compare::warned(&seen.events).map(|event| event.module.clone()));
    let did = compare::did(&name, &file, &seen, target).unwrap_or_else(|| {
        let again = runner.run(&task, gil, true);
        elapsed += again.elapsed;
        compare::did_verbosely(&name, &file, &again, target)
    });
    let agreement = compare::agreement(&judged, &did);
    Module { judged, did, warned, agreement, elapsed }
}

fn program(
    args: &VerifyArgs,
    inventory: &Inventory,
    settings: &Settings,
    target: &Target,
    answers: &mut Answers,
    runner: &Runner<'_>,
    task: &impl Fn(Vec<(&'static str, String)>) -> Task<'static>,
) -> Result<Program, Error> {
    let steps = steps(&args.imports)?;
    imports::follow(&args.imports.asked(), inventory, &settings.audit, target, answers);
    let Some(imports) = answers.imports.take() else { return Err(Error::new("nothing was asked about imports")) };
    // What could not be asked about is said as an audit says it.
    if let Some(problem) = answers.problems.iter().find(|problem| problem.unread) {
        return Err(Error::new(format!("{}: {}", problem.origin, problem.error)));
    }
    let seen = runner.run(&task(steps), target.gil.as_str(), false);
    if let End::NotStarted(error) = &seen.end {
        return Err(Error::new(format!("{}: {error}", runner.interpreter.display())));
    }
    Ok(compare::program(imports, seen))
}

fn write(verified: &Verified, args: &VerifyArgs, colour: Colour) -> Result<(), Error> {
    let mut text = Vec::new();
    match args.format {
        VerifyFormat::Text => output::verify::write(verified, Detail::of_terminal(false, args.verbose), &mut text),
        VerifyFormat::Json => output::verify_v1::write(verified, &mut text),
    }
    .map_err(|error| Error::new(format!("the result could not be put together: {error}")))?;
    match &args.output {
        None => output::to_stdout(&text, colour),
        Some(path) => {
            let mut plain = Vec::new();
            let written =
                anstream::StripStream::new(&mut plain).write_all(&text).and_then(|()| std::fs::write(path, &plain));
            written.map_err(|error| Error::new(format!("{}: {error}", path.display())))
        }
    }
}

/// What is asked for as an interpreter is told to do it, in the order in which it is followed.
fn steps(args: &ImportArgs) -> Result<Vec<(&'static str, String)>, Error> {
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
    steps.extend(args.modules.iter().map(|name| ("module", name.clone())));
    steps.extend(args.entry_points.iter().map(|name| ("entry-point", name.clone())));
    Ok(steps)
}
