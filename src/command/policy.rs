//! `gilaudit policy list`, `show NAME [--resolved]`, `check FILE` and `init [PATH]`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use gilaudit_audit::audit;
use gilaudit_audit::imports;
use gilaudit_audit::report::Judged;
use gilaudit_audit::scope;
use gilaudit_model::{Outcome, Severity};
use gilaudit_policy::{Date, quoted};

use crate::args::{Colour, InitArgs};
use crate::error::Error;
use crate::exit;
use crate::output::{self, to_stdout};
use crate::policies::{self, Asked, BUILT_IN, Rejected};
use crate::settings::{self, Settings};

/// Each policy with the first line of the comment that says what it is for.
pub(crate) fn list(colour: Colour) -> Result<u8, Error> {
    let width = BUILT_IN.iter().map(|policy| policy.name.len()).max().unwrap_or_default();
    let list: String =
        BUILT_IN.iter().map(|policy| format!("{:width$}  {}\n", policy.name, policy.purpose())).collect();
    to_stdout(list.as_bytes(), colour)?;
    Ok(exit::OK)
}

/// The policy's file as it is, or with all that it builds on.
pub(crate) fn show(name: &str, resolved: bool, colour: Colour) -> Result<u8, Error> {
    let text = policies::text_of(name)?;
    if !resolved {
        to_stdout(text.as_bytes(), colour)?;
        return Ok(exit::OK);
    }
    match policies::load_file(name, text, Asked::ByUser) {
        Ok(applied) => {
            to_stdout(applied.policy().to_yaml().as_bytes(), colour)?;
            Ok(exit::OK)
        }
        Err(Rejected { error, diagnostics, text }) => {
            output::diagnostics(&diagnostics, name, &text, colour);
            Err(error)
        }
    }
}

/// Every mistake of a policy file, each with the line it is in.
pub(crate) fn check(file: &Path, colour: Colour) -> Result<u8, Error> {
    let name = file.to_string_lossy();
    let text = policies::read(file)?;
    let diagnostics = match policies::load_file(&name, text.clone(), Asked::ByUser) {
        Ok(applied) => applied.about_the_file(),
        Err(Rejected { error, diagnostics, .. }) if diagnostics.is_empty() => return Err(error),
        Err(Rejected { diagnostics, .. }) => diagnostics,
    };
    let mut out = Vec::new();
    output::snippets(&diagnostics, &name, &text, &mut out)
        .map_err(|error| Error::new(format!("the diagnostics could not be put together: {error}")))?;
    to_stdout(&out, colour)?;
    let bad = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    Ok(if bad { exit::ERROR } else { exit::OK })
}

/// What a starting policy says of itself.
const HEAD: &str = "\
# A policy for gilaudit (gilaudit check --policy FILE), begun by gilaudit policy init.
#
# It builds on 'nogil', which refuses every extension that does not declare that it can run without the GIL. The exceptions below
# let in those that were found. Give each a reason (gilaudit policy check refuses TODO), remove those that you do not want, and let
# each end some day (expires).
#
# CPython knows nothing of this file. With an exception the module still turns the GIL on: start the program with PYTHON_GIL=0 to
# keep it off, at your own risk, or it runs with the GIL.
extends: nogil
description: 'TODO: what this policy is for'

";

/// A starting policy for the inputs, or for what a program imports of them.
pub(crate) fn init(args: &InitArgs, colour: Colour) -> Result<u8, Error> {
    let applied = policies::load(policies::DEFAULT).map_err(|rejected| rejected.error)?;
    let settings = Settings::of_everything(&args.inputs, applied)?;
    let collect = if args.imports.any() { gilaudit_input::collect_with_environments } else { gilaudit_input::collect };
    let inventory = collect(&settings.given, args.target.python.as_ref(), &settings.audit.input_limits);
    let (target, _) = settings::target(&args.target, Some(&inventory))?;
    let mut answers = audit(&inventory, &settings.audit, &target, &|| ());
    if args.imports.any() {
        imports::follow(&args.imports.asked(), &inventory, &settings.audit, &target, &mut answers);
        if !args.imports.import_all {
            scope::limit(&mut answers);
        }
    }
    let text = format!("{HEAD}targets: '>={target}'\n\n{}", exceptions(&answers.extensions, args.expires));
    to_stdout(text.as_bytes(), colour)?;
    let unread = answers.problems.iter().any(|problem| problem.unread);
    if unread {
        output::problems_to_stderr(&answers.problems, colour);
    }
    Ok(if unread { exit::ERROR } else { exit::OK })
}

/// An exception for each distribution that has modules which turn the GIL on or may, and for each such module of none.
fn exceptions(extensions: &[Judged], expires: Option<Date>) -> String {
    let blocks = |judged: &&Judged| {
        let outcome = judged.decision.outcome;
        matches!(outcome, Outcome::EnablesGil | Outcome::RunsFreeForced | Outcome::Undetermined)
    };
    let mut groups: BTreeMap<(bool, String), BTreeMap<&str, &Judged>> = BTreeMap::new();
    let mut left_out = String::new();
    for judged in extensions.iter().filter(blocks) {
        let module = judged.extension.module.as_str();
        let matches = match &judged.extension.distribution {
            Some(it) => {
                format!("{{distribution: {}}}", quoted(&format!("{} =={}", it.name, it.version)))
            }
            // As a pattern it would let in others, too.
            None if module.contains(['*', '?', '[', ']', '{', '}', '!']) => {
                let _ =
                    writeln!(left_out, "# {}: no exception, since no module is imported by this name", plain(module));
                continue;
            }
            None => format!("{{module: {}}}", quoted(module)),
        };
        let group = groups.entry((judged.extension.distribution.is_none(), matches)).or_default();
        group.entry(module).or_insert(judged);
    }
    if groups.is_empty() && left_out.is_empty() {
        return "# No extension that was audited turns the GIL on, so there is nothing to except.\nexceptions: []\n"
            .to_owned();
    }
    if groups.is_empty() {
        return format!("{left_out}exceptions: []\n");
    }
    let mut text = format!("{left_out}exceptions:\n");
    for ((_, matches), modules) in groups {
        for (module, judged) in modules {
            let why = judged.decision.because.first().map_or("", String::as_str);
            let status = judged.extension.declaration.status.as_str();
            let _ = writeln!(text, "# {}: {status}: {}", plain(module), plain(why));
        }
        let expires = expires.map_or("# expires: YYYY-MM-DD".to_owned(), |date| format!("expires: {date}"));
        let _ = writeln!(text, "- match: {matches}");
        let _ = writeln!(text, "  action: allow\n  reason: 'TODO: why this may run without the GIL here'\n  {expires}");
    }
    text
}

/// Text that stays in the line of a comment.
fn plain(text: &str) -> String {
    text.replace(char::is_control, " ")
}
