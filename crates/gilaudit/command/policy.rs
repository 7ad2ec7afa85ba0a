//! `gilaudit policy list`, `show NAME [--resolved]`, `check FILE` and `init [PATH]`.

use std::fmt::Write;
use std::path::Path;

use gilaudit_model::{Outcome, Severity};

use crate::args::{Colour, TargetArgs};
use crate::audit::audit;
use crate::error::Error;
use crate::output::{self, to_stdout};
use crate::policies::{self, BUILT_IN, Rejected};
use crate::progress;
use crate::report::{EXIT_ERROR, EXIT_OK, Judged};
use crate::settings::{self, Settings};

/// Each policy with the first line of the comment that says what it is for.
pub(crate) fn list(colour: Colour) -> Result<u8, Error> {
    let width = BUILT_IN.iter().map(|policy| policy.name.len()).max().unwrap_or_default();
    let list: String =
        BUILT_IN.iter().map(|policy| format!("{:width$}  {}\n", policy.name, policy.purpose())).collect();
    to_stdout(list.as_bytes(), colour)?;
    Ok(EXIT_OK)
}

/// The policy's file as it is, or with all that it builds on.
pub(crate) fn show(name: &str, resolved: bool, colour: Colour) -> Result<u8, Error> {
    let text = policies::text_of(name)?;
    if !resolved {
        to_stdout(text.as_bytes(), colour)?;
        return Ok(EXIT_OK);
    }
    match policies::load_file(name, &text) {
        Ok(applied) => {
            to_stdout(applied.policy().to_yaml().as_bytes(), colour)?;
            Ok(EXIT_OK)
        }
        Err(Rejected { error, diagnostics }) => {
            output::diagnostics(&diagnostics, name, &text, colour);
            Err(error)
        }
    }
}

/// Every mistake of a policy file, each with the line it is in.
pub(crate) fn check(file: &Path, colour: Colour) -> Result<u8, Error> {
    let name = file.to_string_lossy();
    let text = policies::read(file)?;
    let diagnostics = match policies::load_file(&name, &text) {
        Ok(applied) => applied.about_the_file(),
        Err(Rejected { error, diagnostics }) if diagnostics.is_empty() => return Err(error),
        Err(Rejected { diagnostics, .. }) => diagnostics,
    };
    let mut out = Vec::new();
    output::snippets(&diagnostics, &name, &text, &mut out)
        .map_err(|error| Error::new(format!("the diagnostics could not be put together: {error}")))?;
    to_stdout(&out, colour)?;
    let bad = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    Ok(if bad { EXIT_ERROR } else { EXIT_OK })
}

/// What a starting policy says of itself.
const HEAD: &str = "\
# A policy for gilaudit (gilaudit check --policy FILE), begun by gilaudit policy init.
#
# It builds on 'nogil', which refuses every extension that does not declare that it can run without the GIL. The exceptions below
# let in those that were found. Give each a reason, remove those that you do not want, and let each end some day (expires).
extends: nogil
description: 'TODO: what this policy is for'

# An exception lets a module in, but what was found in it stays found; as an error it would fail the run all the same.
rules:
  enables-gil: warning

";

/// A starting policy for the inputs.
pub(crate) fn init(inputs: &[String], args: &TargetArgs, colour: Colour) -> Result<u8, Error> {
    let applied = policies::load(policies::DEFAULT).map_err(|rejected| rejected.error)?;
    let settings = Settings::of_everything(inputs, applied)?;
    let inventory = gilaudit_input::collect(&settings.given, args.python.as_ref(), &settings.input_limits);
    let (target, _) = settings::target(args, Some(&inventory))?;
    let bar = progress::bar(inventory.members.len(), false);
    let mut answers = audit(&inventory, &settings, &target, &bar);
    answers.extensions.sort_by(|a, b| a.extension.module.cmp(&b.extension.module));
    let blocks = |judged: &&Judged| {
        let outcome = judged.decision.outcome;
        matches!(outcome, Outcome::EnablesGil | Outcome::RunsFreeForced | Outcome::Undetermined)
    };
    let mut blockers: Vec<&Judged> = answers.extensions.iter().filter(blocks).collect();
    blockers.dedup_by(|a, b| {
        a.extension.module == b.extension.module && a.extension.distribution == b.extension.distribution
    });
    let mut text = format!("{HEAD}targets: '>={target}'\n\n");
    if blockers.is_empty() {
        text.push_str(
            "# No extension that was audited turns the GIL on, so there is nothing to except.\nexceptions: []\n",
        );
    } else {
        text.push_str("exceptions:\n");
    }
    for Judged { extension, decision } in blockers {
        let why = decision.because.first().map_or("", String::as_str);
        let _ = writeln!(text, "# {}: {}", extension.declaration.status.as_str(), why.replace('\n', " "));
        let of = extension.distribution.as_ref();
        let of = of.map_or(String::new(), |it| format!(", distribution: '{} =={}'", it.name, it.version));
        let _ = writeln!(text, "- match: {{module: '{}'{of}}}", extension.module);
        text.push_str(
            "  action: allow\n  reason: 'TODO: why this may run without the GIL here'\n  # expires: YYYY-MM-DD\n",
        );
    }
    to_stdout(text.as_bytes(), colour)?;
    let unread = answers.problems.iter().any(|problem| problem.unread);
    if unread {
        output::problems_to_stderr(&answers.problems, colour);
    }
    Ok(if unread { EXIT_ERROR } else { EXIT_OK })
}
