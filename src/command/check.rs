//! `gilaudit check`: collect, audit, report.

use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use gilaudit_audit::baseline::Baseline;
use gilaudit_audit::report::{Answers, Question, Report};
use gilaudit_audit::{Applied, DEFAULT_TARGET, audit, environment, imports, scope};
use gilaudit_input::{Given, Inventory};
use gilaudit_model::{Origin, Problem, Severity, Stage};

use crate::args::{CheckArgs, Colour, Format};
use crate::error::Error;
use crate::exit;
use crate::misspelt;
use crate::output::{self, Detail};
use crate::policies::{self, Rejected};
use crate::progress;
use crate::project::Project;
use crate::settings::{self, Settings};

pub(crate) fn run(args: &CheckArgs, colour: Colour) -> Result<u8, Error> {
    if !args.output.quiet {
        environment_notes();
    }
    let mut to = args.output.output.as_deref();
    let (policy, loaded) = match &args.policy.policy {
        Some(named) => (named.clone(), policies::load(named)),
        None => match Project::here() {
            Ok(Some(project)) => (project.policy.clone(), project.load()),
            Ok(None) => (policies::DEFAULT.to_owned(), policies::load(policies::DEFAULT)),
            Err(error) => (policies::PYPROJECT.to_owned(), Err(error.into())),
        },
    };
    match loaded.and_then(|loaded| answer(args, &policy, loaded, &mut to)) {
        Ok(report) => {
            write(&report, args, to, colour)?;
            Ok(exit::of(&report))
        }
        Err(Rejected { error, diagnostics, text }) => {
            // People read the error and the places in the policy, programs read a report at every exit code.
            if args.output.format == Format::Text {
                output::diagnostics(&diagnostics, &policy, &text, colour);
            } else {
                write(&refused(args, policy, &error, diagnostics), args, to, colour)?;
            }
            Err(error)
        }
    }
}

/// The report. `to` is where it is to be written; not to what was read for it.
fn answer<'a>(
    args: &'a CheckArgs,
    policy: &str,
    loaded: Applied,
    to: &mut Option<&'a Path>,
) -> Result<Report, Rejected> {
    let settings = Settings::resolve(args, loaded)?;
    let baseline = args.policy.baseline.as_deref().map(read_baseline).transpose()?;
    if args.target.python.is_some() {
        // What is wrong with the target is said before anything is downloaded.
        settings::target(&args.target, None)?;
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(settings.audit.jobs)
        .build()
        .map_err(|error| Error::new(format!("the threads could not be started: {error}")))?;
    // What a program imports is in the environment of its project, which an audit of the project leaves out.
    let collect = if args.imports.any() { gilaudit_input::collect_with_environments } else { gilaudit_input::collect };
    let inventory = collect(&settings.given, args.target.python.as_ref(), &settings.audit.input_limits);
    for (option, path) in [("--output", *to), ("--write-baseline", args.policy.write_baseline.as_deref())] {
        if let Some(path) = path.filter(|path| is_read(path, policy, &inventory)) {
            *to = None;
            let error =
                format!("{option} {}: this file is among what is audited, and is not written over", path.display());
            return Err(Error::new(error).into());
        }
    }
    // What is downloaded was chosen for the target already, so an environment beside it cannot set another one.
    let downloads = settings.given.iter().any(|given| matches!(given, Given::Pypi { .. }));
    let (target, target_from) = settings::target(&args.target, (!downloads).then_some(&inventory))?;
    let bar = progress::bar(inventory.members.len(), settings.progress);
    let mut answers = pool.install(|| {
        let mut answers = audit(&inventory, &settings.audit, &target, &|| progress::step(&bar));
        if args.imports.any() {
            imports::follow(&args.imports.asked(), &inventory, &settings.audit, &target, &mut answers);
        }
        answers
    });
    misspelt::inputs(&mut answers.problems);
    answers.problems.extend(environment::for_another_interpreter(&inventory, &answers.extensions, &target));
    // An exception for what this program does not import is no mistake: all that was audited counts.
    let unused = settings.audit.policy.unused(answers.extensions.iter().map(|judged| &judged.extension));
    if !args.imports.import_all {
        scope::limit(&mut answers);
    }
    let question = Question {
        target,
        target_from,
        policy: policy.to_owned(),
        policy_diagnostics: {
            let extensions = answers.extensions.iter().map(|judged| &judged.extension);
            settings.audit.policy.diagnostics(&target, extensions, unused)
        },
        fail_on: settings.fail_on,
        fail_on_gil: args.policy.fail_on_gil,
    };
    let report = Report::new(question, answers);
    Ok(match baseline {
        Some((baseline, file)) => baseline.against(report, &file),
        None => match &args.policy.write_baseline {
            Some(path) => write_baseline(report, path)?,
            None => report,
        },
    })
}

/// Whether a file is one that this run reads: an input, or its policy.
fn is_read(path: &Path, policy: &str, inventory: &Inventory) -> bool {
    let is_policy = path.canonicalize().is_ok_and(|file| Path::new(policy).canonicalize().is_ok_and(|it| it == file));
    is_policy || inventory.is_input(path)
}

/// Reads the file of what is known. It has to be there: a name that is misspelt must not make everything new.
fn read_baseline(path: &Path) -> Result<(Baseline, String), Error> {
    let file = path.to_string_lossy().into_owned();
    let failed = |error: String| {
        let error = Error::new(format!("baseline {file}: {error}"));
        match misspelt::file(path).filter(|_| !path.exists()) {
            Some(near) => error.hint(format!("did you mean '{near}'?")),
            None => error.hint("gilaudit check --write-baseline FILE makes one"),
        }
    };
    let text = gilaudit_input::read_text(path).map_err(|error| failed(error.to_string()))?;
    let baseline = Baseline::parse(&text).map_err(failed)?;
    Ok((baseline, file))
}

/// Writes what is found, and takes it for known.
fn write_baseline(report: Report, path: &Path) -> Result<Report, Error> {
    let file = path.to_string_lossy().into_owned();
    let failed = |error: String| Error::new(format!("baseline {file}: {error}"));
    let baseline = Baseline::of(&report);
    let text = baseline.to_text().map_err(|error| failed(error.to_string()))?;
    std::fs::write(path, text).map_err(|error| failed(error.to_string()))?;
    let _ =
        writeln!(anstream::stderr(), "note: {} written to {file}", output::count(baseline.findings.len(), "finding"));
    Ok(baseline.against(report, &file))
}

/// The report of an audit that did not take place, for programs that read one at every exit code.
fn refused(
    args: &CheckArgs,
    policy: String,
    error: &Error,
    policy_diagnostics: Vec<gilaudit_policy::Diagnostic>,
) -> Report {
    let (target, target_from) = match args.target.python {
        Some(target) => (target, "--python".to_owned()),
        None => (DEFAULT_TARGET, "default".to_owned()),
    };
    let question = Question {
        target: target.with_gil(args.target.gil),
        target_from,
        policy,
        policy_diagnostics,
        fail_on: args.policy.fail_on.unwrap_or(Severity::Error),
        fail_on_gil: args.policy.fail_on_gil,
    };
    let problem = Problem {
        origin: Origin::path("(command line)"),
        stage: Stage::Find,
        unread: true,
        error: error.message.clone(),
    };
    Report::new(question, Answers { problems: vec![problem], ..Answers::default() })
}

/// Says what of the environment was not taken over: a report must not depend silently on who runs it.
fn environment_notes() {
    let note = |text: &str| {
        let _ = writeln!(anstream::stderr(), "note: {text}");
    };
    // CPython takes an empty variable for none.
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    if let Some(value) = set("PYTHON_GIL") {
        note(&format!(
            "PYTHON_GIL={} of this environment is not taken over; --gil says what to assume",
            value.display()
        ));
    }
    if set("PYTHONGIL").is_some() {
        note("PYTHONGIL is set, but CPython ignores it: the variable is PYTHON_GIL");
    }
}

fn write(report: &Report, args: &CheckArgs, to: Option<&Path>, colour: Colour) -> Result<(), Error> {
    let mut detail = Detail::of_terminal(args.output.quiet, args.output.verbose);
    // A file has no terminal to click in.
    detail.links &= to.is_none();
    let mut text = Vec::new();
    output::write(report, args.output.format, detail, &mut text)
        .map_err(|error| Error::new(format!("the report could not be put together: {error}")))?;
    match to {
        None => output::to_stdout(&text, colour),
        Some(path) => {
            let to_file = || -> io::Result<()> {
                let mut out = anstream::AutoStream::new(File::create(path)?, colour.choice());
                out.write_all(&text)?;
                out.flush()
            };
            to_file().map_err(|error| Error::new(format!("{}: {error}", path.display())))
        }
    }
}
