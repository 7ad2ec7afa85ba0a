//! `gilaudit upgrade`: for everything in use that turns the GIL on, the release that does not.

use std::collections::BTreeMap;
use std::path::Path;

use gilaudit_audit::audit;
use gilaudit_index::normalized;
use gilaudit_input::{ArtifactKind, Given};
use gilaudit_model::Target;

use crate::args::{Colour, UpgradeArgs, UpgradeFormat};
use crate::command::history::{cache, wanted};
use crate::error::Error;
use crate::exit;
use crate::history::Verdict;
use crate::history::online::Online;
use crate::history::pinned::{self, Pinned};
use crate::history::upgrade::{Now, Row, row};
use crate::output::{self, Detail, to_stdout};
use crate::settings::Settings;
use crate::{policies, progress};

pub(crate) fn run(args: &UpgradeArgs, colour: Colour) -> Result<u8, Error> {
    let is_file = args.input.as_deref().is_some_and(Path::is_file);
    let (in_use, target) = match args.input.as_deref().filter(|_| is_file) {
        Some(path) => (of_file(path)?, args.python.unwrap_or(gilaudit_audit::DEFAULT_TARGET)),
        None => of_environment(args.input.as_deref(), args.python)?,
    };
    if in_use.is_empty() {
        let what = args.input.as_deref().map_or("the active environment".into(), Path::to_string_lossy);
        return Err(Error::new(format!("{what}: no distribution is in it")));
    }
    let wanted = wanted(target, &args.index)?;
    let online = Online::connect(cache(&args.index))?;
    let all: Vec<Pinned> =
        in_use.iter().map(|now| Pinned { name: now.name.clone(), version: now.version.clone() }).collect();
    let bar = progress::of(in_use.len(), "distributions", !args.index.no_progress);
    let rows: Vec<Row> = in_use
        .into_iter()
        .map(|now| {
            let row = row(&online, now, &all, &wanted, args.pre);
            progress::step(&bar);
            row
        })
        .collect();
    let mut text = Vec::new();
    let written = match args.format {
        UpgradeFormat::Text => output::upgrade::write(&rows, &wanted, Detail::of_terminal(false, false), &mut text),
        UpgradeFormat::Json => output::upgrade::write_json(&rows, &wanted, &mut text),
        UpgradeFormat::Constraints => output::upgrade::write_constraints(&rows, &mut text),
    };
    written.map_err(|error| Error::new(format!("the answer could not be put together: {error}")))?;
    to_stdout(&text, colour)?;
    Ok(if rows.iter().any(|row| row.failure.is_some()) {
        exit::ERROR
    } else if rows.iter().any(|row| row.is_bad() && row.smallest.is_none()) {
        exit::FINDINGS
    } else {
        exit::OK
    })
}

fn of_file(path: &Path) -> Result<Vec<Now>, Error> {
    let pinned = pinned::read(path).map_err(|error| Error::new(format!("{}: {error}", path.display())))?;
    Ok(pinned.into_iter().map(|it| Now { name: it.name, version: it.version, verdict: None, why: None }).collect())
}

/// What is installed, with what each distribution does as it is.
fn of_environment(path: Option<&Path>, python: Option<Target>) -> Result<(Vec<Now>, Target), Error> {
    let inputs: Vec<String> = path.map(|path| path.to_string_lossy().into_owned()).into_iter().collect();
    let policy = policies::load(policies::DEFAULT).map_err(|rejected| rejected.error)?;
    let settings = Settings::of_everything(&inputs, policy)?;
    let inventory = gilaudit_input::collect(&settings.given, None, &settings.audit.input_limits);
    let is_missing = |given: &Given| matches!(given, Given::Path(path) if !path.exists());
    if settings.given.iter().any(is_missing) {
        return Err(Error::new(format!("{}: no such file or folder", inputs.concat())));
    }
    let own = inventory.artifacts.iter().filter(|it| it.kind == ArtifactKind::Environment).find_map(|it| it.python);
    let target = python.or(own.filter(|own| own.free_threaded)).unwrap_or(gilaudit_audit::DEFAULT_TARGET);
    let answers = audit(&inventory, &settings.audit, &target, &|| {});
    let mut all: BTreeMap<String, Now> = BTreeMap::new();
    for distribution in inventory.installed() {
        let name = normalized(&distribution.name);
        let version = distribution.version.parse().ok();
        all.insert(name.clone(), Now { name, version, verdict: Some(Verdict::Pure), why: None });
    }
    let mut outcomes: BTreeMap<String, Vec<(&str, String)>> = BTreeMap::new();
    for judged in &answers.extensions {
        let Some(distribution) = &judged.extension.distribution else { continue };
        let outcome = (judged.decision.outcome.as_str(), judged.extension.module.clone());
        outcomes.entry(normalized(&distribution.name)).or_default().push(outcome);
    }
    for (name, outcomes) in outcomes {
        let Some(now) = all.get_mut(&name) else { continue };
        let has = |outcome: &str| outcomes.iter().any(|(it, _)| *it == outcome);
        now.verdict = Some(match (has("runs-free"), has("enables-gil"), has("undetermined"), has("cannot-import")) {
            (true, true, ..) => Verdict::Mixed,
            (false, true, ..) => Verdict::EnablesGil,
            (_, _, true, _) => Verdict::Undetermined,
            (true, ..) => Verdict::Declares,
            (_, _, _, true) => Verdict::CannotImport,
            _ => Verdict::Undetermined,
        });
        let bad: Vec<String> =
            outcomes.into_iter().filter(|(it, _)| *it != "runs-free").map(|(_, module)| module).take(3).collect();
        now.why = (!bad.is_empty()).then(|| bad.join(", "));
    }
    Ok((all.into_values().collect(), target))
}
