//! Sentences that several formats say.

use std::collections::{BTreeMap, BTreeSet};

use gilaudit_audit::imports::Imports;
use gilaudit_audit::report::{Environment, GilState, Judged, Report};
use gilaudit_input::relative;
use gilaudit_model::{
    Action, Distribution, Finding, Format, Gil, Location, Origin, Outcome, Problem, Severity, Stage, Waiver,
};
use gilaudit_policy::imports::{GilAtEnd, OpenEnd};

use super::count;

/// What happens to the GIL of a process on one platform.
pub(super) fn gil_sentence(report: &Report, environment: &Environment) -> String {
    let platform = environment.platform;
    let target = report.question.target;
    match environment.gil {
        GilState::Off => {
            let why = match target.gil {
                Gil::Off => "PYTHON_GIL=0 keeps it off, whatever is loaded",
                _ => "no extension turns it on",
            };
            let doubt = doubt(environment.contradicted.len(), environment.modules, &environment.contradicted);
            format!("The GIL stays off on {platform}: {why}{doubt}")
        }
        GilState::Undetermined => {
            format!("It is undetermined whether the GIL stays off on {platform}: see the modules below")
        }
        GilState::On if !target.free_threaded => format!("On {platform} the GIL is on: {target} always has it"),
        GilState::On if target.gil == Gil::On => format!("On {platform} the GIL is on: PYTHON_GIL=1 turns it on"),
        GilState::On => {
            let first = environment.enabled_by.first().map_or("", String::as_str);
            let others = environment.enabled_by.len().saturating_sub(1);
            let more = match others {
                0 => String::new(),
                1 => " and 1 other module".to_owned(),
                n => format!(" and {n} other modules"),
            };
            let from = distribution_of(report, environment, first).map_or(String::new(), |name| format!(" ({name})"));
            let enable = report.answers.extensions.iter().filter(|judged| enables(judged, environment));
            let packages: BTreeSet<String> =
                enable.filter_map(|judged| judged.extension.distribution.as_ref()).map(shown).collect();
            let packages = match packages.len() {
                0 | 1 => String::new(),
                _ => format!(", of {}", packages.into_iter().collect::<Vec<_>>().join(", ")),
            };
            format!("The GIL will be enabled on {platform} by {first}{from}{more}{packages}")
        }
    }
}

/// That a green answer is not to be relied on, because of modules whose declaration a finding contradicts.
fn doubt(contradicted: usize, modules: usize, names: &[String]) -> String {
    match (contradicted, names) {
        (0, _) => String::new(),
        (1, [name]) => format!(", but {name} contradicts its declaration"),
        (1, _) => format!(", but 1 of {} contradicts its declaration", count(modules, "module")),
        (n, _) => format!(", but {n} of {} contradict their declaration", count(modules, "module")),
    }
}

/// The distribution whose module it is that turns the GIL on.
fn distribution_of(report: &Report, environment: &Environment, module: &str) -> Option<String> {
    let is_it = |judged: &&Judged| judged.extension.module == module && enables(judged, environment);
    report.answers.extensions.iter().find(is_it)?.extension.distribution.as_ref().map(shown)
}

fn enables(judged: &Judged, environment: &Environment) -> bool {
    judged.extension.platform() == environment.platform && judged.decision.outcome == Outcome::EnablesGil
}

/// `lxml 6.1.3`
pub(super) fn shown(distribution: &Distribution) -> String {
    format!("{} {}", distribution.name, distribution.version)
}

/// The question that the report answers.
pub(super) fn asked(report: &Report) -> String {
    let question = &report.question;
    let gil = match question.target.gil {
        Gil::Default => String::new(),
        set => format!(" with PYTHON_GIL={}", set.as_str()),
    };
    let build = if question.target.free_threaded { "free-threaded" } else { "GIL build" };
    format!("target {} ({build}, {}){gil}, policy {}", question.target, question.target_from, question.policy)
}

/// The sentences of a reader's first question: does the GIL stay off? The platforms on which it does not come first. Where no compiled module says anything about it: what was found.
///
/// There is one headline, the first: what the policy says where it says something of its own (then what CPython does is below it), what
/// the imports do where some were asked about, else what the modules do.
pub(super) fn verdicts(report: &Report) -> Vec<String> {
    let said = match policy_sentence(report) {
        Some(policy) => std::iter::once(policy)
            .chain(of_cpython(report).into_iter().map(|sentence| format!("CPython on its own: {sentence}")))
            .collect(),
        None => of_cpython(report),
    };
    said.into_iter().chain(unread(report)).collect()
}

/// What the policy does, where it does something of its own: each policy answers its own question.
fn policy_sentence(report: &Report) -> Option<String> {
    let (policy, target) = (&report.question.policy, report.question.target);
    if !target.free_threaded || target.gil == Gil::On {
        return None;
    }
    let of = |wanted: &dyn Fn(&Judged) -> bool| -> Vec<&Judged> {
        let can_be_imported = |judged: &&Judged| judged.decision.outcome != Outcome::CannotImport;
        report.answers.extensions.iter().filter(can_be_imported).filter(|judged| wanted(judged)).collect()
    };
    let all = of(&|_| true).len();
    let with_gil = of(&|judged| judged.decision.action == Action::GilOn);
    if !with_gil.is_empty() {
        let which = if with_gil.len() == all { "everything".to_owned() } else { modules(&with_gil) };
        return Some(format!("Policy {policy} wants the GIL for {which}: start the program with PYTHON_GIL=1"));
    }
    let refused: Vec<&Judged> = report.refused().collect();
    if !refused.is_empty() {
        let turn_on = refused.iter().filter(|judged| judged.decision.outcome == Outcome::EnablesGil).count();
        let why = match (turn_on, refused.len()) {
            (0, _) => String::new(),
            (1, 1) => ", which would turn the GIL on".to_owned(),
            (n, all) if n == all => ", which would turn the GIL on".to_owned(),
            (n, _) => format!(", {n} of which would turn the GIL on"),
        };
        return Some(format!("Policy {policy} refuses {}{why}", modules(&refused)));
    }
    let alone = of(&|judged| judged.decision.action == Action::Exclusive);
    let beside = of(&|judged| judged.decision.action == Action::Shared);
    if !alone.is_empty() || !beside.is_empty() {
        return Some(match (alone.as_slice(), beside.len()) {
            ([], n) => format!("Under policy {policy} nothing would run alone: {} share the lock", count(n, "module")),
            (_, 0) => format!("Under policy {policy} {} would run alone", modules(&alone)),
            (_, n) => format!(
                "Under policy {policy} {} would run alone, and {} would share the lock",
                modules(&alone),
                count(n, "other module")
            ),
        });
    }
    let accepted: Vec<&Judged> = report.accepted().map(|(judged, _)| judged).collect();
    let turns_on = |judged: &Judged| judged.decision.outcome == Outcome::EnablesGil;
    let forced = of(&|judged| {
        turns_on(judged)
            && judged.decision.accepted().is_none()
            && matches!(judged.decision.action, Action::Allow | Action::Warn)
    });
    if !forced.is_empty() {
        return Some(format!(
            "Policy {policy} keeps the GIL off, which takes PYTHON_GIL=0: {} {} without it undeclared, at your own risk",
            modules(&forced),
            if forced.len() == 1 { "runs" } else { "run" }
        ));
    }
    let accepted: Vec<&Judged> = accepted.into_iter().filter(|judged| turns_on(judged)).collect();
    let others = of(&|judged| turns_on(judged) && judged.decision.accepted().is_none());
    (!accepted.is_empty() && others.is_empty()).then(|| {
        let turn = if accepted.len() == 1 { "turns" } else { "turn" };
        format!(
            "Policy {policy} accepts {}, which {turn} the GIL on: it stays off only with PYTHON_GIL=0",
            modules(&accepted)
        )
    })
}

/// `7 modules of lxml 6.1.3`, `2 modules of a 1.0 and b 2.0`, `pkg.x`.
fn modules(judged: &[&Judged]) -> String {
    let distributions: BTreeSet<String> =
        judged.iter().filter_map(|judged| judged.extension.distribution.as_ref()).map(shown).collect();
    let distributions: Vec<String> = distributions.into_iter().collect();
    match (judged, distributions.as_slice()) {
        ([only], [of]) => format!("{} ({of})", only.extension.module),
        ([only], _) => only.extension.module.clone(),
        (all, []) => count(all.len(), "module"),
        (all, [one]) => format!("{} of {one}", count(all.len(), "module")),
        (all, [one, other]) => format!("{} of {one} and {other}", count(all.len(), "module")),
        (all, [one, other, more @ ..]) => {
            format!("{} of {one}, {other} and {}", count(all.len(), "module"), count(more.len(), "other distribution"))
        }
    }
}

/// What CPython does, whatever the policy says.
fn of_cpython(report: &Report) -> Vec<String> {
    // Who asks about imports is answered about them; a second sentence about all that is there would be about something else.
    if let Some(imports) = &report.answers.imports {
        return vec![imports_sentence(report, imports)];
    }
    let mut environments: Vec<&Environment> = report.environments.iter().collect();
    environments.sort_by_key(|environment| match environment.gil {
        GilState::On => 0,
        GilState::Undetermined => 1,
        GilState::Off => 2,
    });
    let environments = environments.into_iter().map(|environment| gil_sentence(report, environment));
    let verdicts: Vec<String> = environments.chain(of_sources(report)).collect();
    if verdicts.is_empty() { otherwise(report).into_iter().collect() } else { verdicts }
}

/// That something is missing from every answer.
pub(super) fn unread(report: &Report) -> Option<String> {
    match report.unread() {
        0 => None,
        1 => Some("1 input was not read: this is not the whole answer".to_owned()),
        unread => Some(format!("{unread} inputs were not read: this is not the whole answer")),
    }
}

/// What the modules that source trees would build do to the GIL, if they are built as they are.
fn of_sources(report: &Report) -> Option<String> {
    let built: Vec<&Judged> =
        report.answers.extensions.iter().filter(|judged| judged.extension.format == Format::Source).collect();
    let of = |outcome| built.iter().filter(|judged| judged.decision.outcome == outcome).count();
    let named = |outcome, number: usize| match built.iter().find(|judged| judged.decision.outcome == outcome) {
        Some(only) if number == 1 => only.extension.module.clone(),
        _ if number == built.len() => count(number, "module"),
        _ => format!("{number} of {}", count(built.len(), "module")),
    };
    let first =
        [Outcome::EnablesGil, Outcome::Undetermined, Outcome::RunsFreeForced, Outcome::RunsFree, Outcome::RunsWithGil];
    let (outcome, number) = first.into_iter().map(|outcome| (outcome, of(outcome))).find(|(_, number)| *number > 0)?;
    let modules = named(outcome, number);
    Some(match outcome {
        Outcome::EnablesGil => format!("Built from these sources, {modules} will enable the GIL"),
        Outcome::Undetermined => {
            format!("It is undetermined whether {modules}, built from these sources, will enable the GIL")
        }
        Outcome::RunsFreeForced => format!("Built from these sources, {modules} will run without the GIL undeclared"),
        Outcome::RunsFree => {
            let rows = report.rows().filter(|(judged, _)| judged.extension.format == Format::Source);
            let names: Vec<String> = rows
                .filter(|(_, rules)| !rules.is_empty())
                .map(|(judged, _)| judged.extension.module.clone())
                .collect();
            let doubt = match (names.len(), built.len()) {
                (1, 1) => ", but it contradicts its declaration".to_owned(),
                (number, all) => doubt(number, all, &names),
            };
            format!("The GIL stays off with {modules}, built from these sources{doubt}")
        }
        Outcome::RunsWithGil | Outcome::CannotImport => {
            format!("Built from these sources, {modules} will run with the GIL")
        }
    })
}

/// What was found where no extension is.
fn otherwise(report: &Report) -> Option<String> {
    let answers = &report.answers;
    if !answers.recognised {
        return (report.unread() == 0).then(|| "Nothing auditable was recognised in the inputs".to_owned());
    }
    if !answers.extensions.is_empty() {
        let target = report.question.target;
        return Some(match answers.extensions.as_slice() {
            [only] => format!("Python {target} cannot import {}", only.extension.module),
            all => format!("Python {target} can import none of the {} extension modules", all.len()),
        });
    }
    let files = answers.coverage.files;
    if files == 0 && report.unread() > 0 {
        return None;
    }
    if files == 0 {
        let artifacts = count(answers.artifacts, "artifact");
        return Some(format!("No extension module in {artifacts}: nothing in it turns the GIL on"));
    }
    let found: Vec<String> = [Severity::Error, Severity::Warning, Severity::Note]
        .into_iter()
        .map(|severity| (report.count_severity(severity), severity.as_str()))
        .filter(|(number, _)| *number > 0)
        .map(|(number, severity)| count(number, severity))
        .collect();
    let found = if found.is_empty() { "Nothing found".to_owned() } else { found.join(" and ") };
    Some(format!("{found} in {}", count(files, "source file")))
}

/// What the imports asked about do to the GIL, and why.
pub(super) fn imports_sentence(report: &Report, imports: &Imports) -> String {
    let answer = &imports.answer;
    let because = &answer.because;
    match (answer.gil, &answer.first) {
        (GilAtEnd::Off, _) if answer.modules == 0 && (report.unread() > 0 || !answer.failed.is_empty()) => {
            "Nothing could be imported".to_owned()
        }
        (GilAtEnd::Off, _) => {
            let names: BTreeSet<String> = report
                .rows()
                .filter(|(_, rules)| !rules.is_empty())
                .map(|(judged, _)| judged.extension.module.clone())
                .collect();
            let names: Vec<String> = names.into_iter().collect();
            let doubt = doubt(names.len(), report.answers.extensions.len(), &names);
            format!("The GIL stays off: {because}{doubt}")
        }
        (GilAtEnd::OffUnless, _) => format!("The GIL stays off, unless {because}"),
        (GilAtEnd::Undetermined, _) => format!("It is undetermined whether the GIL stays off: {because}"),
        (GilAtEnd::On, None) => format!("The GIL will be on: {because}"),
        (GilAtEnd::On, Some(first)) => {
            let blocker = answer.blockers.iter().find(|blocker| blocker.module == *first);
            let of = blocker.and_then(|blocker| blocker.distribution.as_ref());
            let of = of.map_or(String::new(), |it| format!(" ({})", shown(it)));
            let at = blocker.and_then(|blocker| blocker.chain.first());
            let at = at.map_or(String::new(), |link| format!(", imported by {}", link.at));
            let others = answer.blockers.iter().filter(|blocker| blocker.certain && blocker.module != *first).count();
            let others = match others {
                0 => String::new(),
                others => format!("; {} would do the same", count(others, "other module")),
            };
            format!("The GIL will be enabled by {first}{of}{at}{others}")
        }
    }
}

/// `app.py:12: computed name, may reach pkgb.*: pkgb._core turns the GIL on`
pub(super) fn open_end(end: &OpenEnd) -> String {
    /// How many names are worth reading.
    const NAMED: usize = 4;
    let listed = |names: &[String]| match names.len().checked_sub(NAMED) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ")),
    };
    let at = if end.line > 0 { format!("{}:{}", end.file, end.line) } else { end.file.clone() };
    let reach = match end.may_reach.as_slice() {
        [] => String::new(),
        [any] if any == "*" => ", may reach any module".to_owned(),
        some => format!(", may reach {}", listed(some)),
    };
    let meets = match end.meets.as_slice() {
        [] => String::new(),
        some => format!("; among them, what turns the GIL on: {}", listed(some)),
    };
    format!("{at}: {}{reach}{meets}", end.what)
}

/// How many modules are not judged, because the imports asked about do not lead to them.
pub(super) fn outside(report: &Report) -> Option<String> {
    let imports = report.answers.imports.as_ref().filter(|_| report.answers.outside > 0)?;
    let option = match imports.entries.first().map(String::as_str) {
        Some(entry) if entry.starts_with('-') => entry.split(' ').next().unwrap_or_default(),
        _ => "--entry",
    };
    let were = if report.answers.outside == 1 { "was" } else { "were" };
    Some(format!("{} {were} not judged: drop {option} to see them", count(report.answers.outside, "other module")))
}

/// What exceptions let in, one line for each of them: until when, what, and what is still needed.
pub(super) fn accepted(report: &Report) -> Vec<(Severity, String)> {
    let mut by: BTreeMap<&Waiver, Vec<&Judged>> = BTreeMap::new();
    for (judged, waiver) in report.accepted() {
        by.entry(waiver).or_default().push(judged);
    }
    let said = |(waiver, judged): (&Waiver, Vec<&Judged>)| {
        let until = waiver.expires.as_ref().map_or(String::new(), |date| format!(" until {date}"));
        let left = match waiver.days_left {
            Some(0) => "; expires today".to_owned(),
            Some(1) => "; expires tomorrow".to_owned(),
            Some(days) => format!("; expires in {days} days"),
            None => "; never expires".to_owned(),
        };
        // Whoever has to renew it wants to hear of it in time.
        let soon = waiver.days_left.is_some_and(|days| days <= SOON);
        let severity = if soon { Severity::Warning } else { Severity::Note };
        (severity, format!("accepted{until}: {}{left} ({})", modules(&judged), waiver.at))
    };
    by.into_iter().map(said).collect()
}

/// From how many days on before its end an exception is a warning.
const SOON: i64 = 14;

/// What an exception does not do by itself.
pub(super) fn still_needed(report: &Report) -> Option<String> {
    let of = |outcome: Outcome| report.accepted().any(|(judged, _)| judged.decision.outcome == outcome);
    if of(Outcome::EnablesGil) {
        Some("CPython knows nothing of exceptions: PYTHON_GIL=0 keeps the GIL off, without it the program runs with the GIL".to_owned())
    } else if of(Outcome::Undetermined) {
        Some(
            "CPython knows nothing of exceptions, and may turn the GIL on for these: PYTHON_GIL=0 keeps it off"
                .to_owned(),
        )
    } else {
        None
    }
}

/// The severity that a program which reads only severities should act on: what says that something is left to do fails nothing.
pub(super) fn level(finding: &Finding) -> Severity {
    if finding.readiness { Severity::Note } else { finding.severity }
}

/// Why the policy refuses a module.
pub(super) fn refusal(report: &Report, Judged { extension, decision }: &Judged) -> String {
    let from = extension.distribution.as_ref().map_or(String::new(), |it| format!(" ({})", shown(it)));
    let reason = extension.declaration.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
    let at = decision.policy_at.as_ref().map_or(String::new(), |at| format!(", by {at}"));
    let status = extension.declaration.status.as_str();
    format!("policy {} refuses {}{from}{at}: {status}{reason}", report.question.policy, extension.module)
}

/// `src/x.c:3:5`, or the file alone.
pub(super) fn place(origin: &Origin, location: Location) -> String {
    match location {
        Location::File => origin.to_string(),
        Location::Text { line, column, .. } => format!("{origin}:{line}:{column}"),
        Location::Address(address) => format!("{origin} at {address:#x}"),
    }
}

/// A file as other programs want it named: `src/x.c` for `./src/x.c`.
pub(super) fn file(origin: &Origin) -> String {
    relative(&origin.to_string()).to_owned()
}

/// What findings mean in a project of which no module declares support yet.
pub(super) fn readiness(report: &Report) -> Option<String> {
    let left = report.findings().filter(|seen| seen.is_news() && seen.finding.readiness).count();
    let are = if left == 1 { "is" } else { "are" };
    (left > 0).then(|| {
        format!(
            "{} {are} what is left to do before the module can declare that it runs without the GIL: the GIL still guards \
             it, so they fail nothing",
            count(left, "finding")
        )
    })
}

/// What answers rest on without its having been seen, and how many.
pub(super) fn assumptions(report: &Report) -> Vec<String> {
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    for judged in &report.answers.extensions {
        if let Some(assumption) = &judged.extension.declaration.assumption {
            *counted.entry(assumption).or_default() += 1;
        }
    }
    counted.into_iter().map(|(what, modules)| format!("assumed for {}: {what}", count(modules, "module"))).collect()
}

/// The sentence that counts everything, also what was not read.
pub(super) fn summary(report: &Report) -> String {
    let answers = &report.answers;
    let outcomes: Vec<String> = Outcome::ALL
        .into_iter()
        .map(|outcome| (report.count_outcome(outcome), outcome))
        .filter(|(count, _)| *count > 0)
        .map(|(count, outcome)| format!("{count} {}", outcome.as_str()))
        .collect();
    let outcomes = if outcomes.is_empty() { String::new() } else { format!(" ({})", outcomes.join(", ")) };
    let some = |number: usize, what: &str| if number == 0 { String::new() } else { format!("; {number} {what}") };
    let refused = some(report.count_action(Action::Refuse), "refused");
    let known = some(report.count_known(), "known");
    let accepted = some(report.accepted().count(), "accepted");
    let contradicted = some(report.rows().filter(|(_, rules)| !rules.is_empty()).count(), "contradicted");
    format!(
        "{} in {}{outcomes}, {}; {}, {}, {}{known}{contradicted}{accepted}{refused}; {} not read",
        count(answers.extensions.len(), "extension"),
        count(answers.artifacts, "artifact"),
        count(answers.libraries.len(), "library"),
        count(report.count_severity(Severity::Error), "error"),
        count(report.count_severity(Severity::Warning), "warning"),
        count(report.count_severity(Severity::Note), "note"),
        report.unread(),
    )
}

/// What the baseline has that was not found.
pub(super) fn stale(report: &Report) -> Option<String> {
    let baseline = report.baseline.as_ref().filter(|baseline| !baseline.stale.is_empty())?;
    let entries = count(baseline.stale.len(), "entry");
    Some(format!("{entries} of {} not found any more: gilaudit check --write-baseline makes it anew", baseline.file))
}

/// How much of the sources was judged, when there were any.
pub(super) fn coverage(report: &Report) -> Option<String> {
    let coverage = &report.answers.coverage;
    let unparsed = coverage.unparsed as f64 * 100.0 / (coverage.bytes as f64).max(1.0);
    let files = count(coverage.files, "source file");
    match (coverage.files, coverage.c_api) {
        (0, _) => None,
        (_, 0) => Some(format!("{files}, none of them with anything that rules look at")),
        (all, judged) => {
            let judged = if judged == all { " judged".to_owned() } else { format!(", {judged} of them judged") };
            let unparsed = match coverage.unparsed {
                0 => String::new(),
                _ if unparsed < 0.1 => "; under 0.1 % of that did not parse".to_owned(),
                _ => format!("; {unparsed:.1} % of that did not parse"),
            };
            Some(format!("{files}{judged}{unparsed}"))
        }
    }
}

/// The address of a rule's page.
pub(super) fn rule_url(rule: &str) -> String {
    let file = rule.replace('-', "_");
    format!("{}/blob/main/crates/gilaudit-rules/src/rules/{file}.md", env!("CARGO_PKG_REPOSITORY"))
}

/// A path as part of a URI (RFC 3986, 2.1): all but unreserved characters and the slash as `%XX`.
pub(super) fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Endings of the names of files that are sources.
const SOURCES: [&str; 13] =
    [".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".hh", ".hxx", ".py", ".pyx", ".pxd", ".pxi", ".rs"];

/// What to do about an input that failed.
pub(super) fn next_step(problem: &Problem) -> String {
    let name = problem.origin.file_name();
    let name = name.strip_suffix(".in").or_else(|| name.strip_suffix(".src")).unwrap_or(name);
    let is_source = SOURCES.iter().any(|ending| name.ends_with(ending));
    match problem.stage {
        Stage::Parse if is_source => {
            "nothing is known of it: check that it is what its name says, in UTF-8, or look at it yourself".to_owned()
        }
        Stage::Find => {
            "check the name or the folder; a download needs pip, the network, and a wheel for the target".to_owned()
        }
        Stage::Open => "check the path, and that the file may be read".to_owned(),
        Stage::Archive => "the file is damaged, or no archive: download or build it again".to_owned(),
        Stage::Metadata => "install the distribution again, so that its metadata is complete".to_owned(),
        Stage::Parse => {
            "no complete library, so an interpreter would not load it either: build or install it again".to_owned()
        }
        Stage::Limits => "the limits are there for hostile files; report it if this one is not".to_owned(),
        Stage::Internal => format!("report it with the name of the file: {}/issues", env!("CARGO_PKG_REPOSITORY")),
    }
}

/// What an audit looks for in its inputs.
pub(crate) const LOOKED_FOR: &str = "looked for wheels (.whl), compiled modules (.so, .pyd, .dylib), sources (.c, .cpp, .pyx, .rs, .py), \
                                     installed distributions (.dist-info) and environments (pyvenv.cfg)";

/// What was looked for and what to try, where the answer is no answer to what was probably meant.
pub(super) fn what_to_try(report: &Report) -> Vec<String> {
    let answers = &report.answers;
    let target = report.question.target;
    if answers.imports.is_some() || report.unread() > 0 {
        return Vec::new();
    }
    if !answers.recognised {
        let try_ = "try a wheel (pip wheel . builds one), the folder of an environment, or pypi:NAME";
        return vec![LOOKED_FOR.to_owned(), try_.to_owned()];
    }
    if !target.free_threaded {
        return vec![format!(
            "the free-threaded build loads other files: audit an environment of python{target}t, or pypi:NAME with \
             --python {target}t"
        )];
    }
    if answers.extensions.is_empty() && answers.coverage.files == 0 {
        let libraries = match answers.libraries.len() {
            0 => String::new(),
            n => format!("; {} {} none", count(n, "other library"), if n == 1 { "has" } else { "have" }),
        };
        return vec![
            format!("looked for files named .so, .pyd or .dylib with an init function (PyInit_NAME){libraries}"),
            "what it depends on may have some: audit the environment in which it is installed".to_owned(),
        ];
    }
    // What the target does not even search for has no finding that would say what to do.
    let none = answers.extensions.iter().all(|judged| judged.decision.outcome == Outcome::CannotImport);
    if !answers.extensions.is_empty() && none && answers.findings.is_empty() {
        return vec![format!(
            "they are built for another interpreter: audit what is made for {target} (pypi:NAME finds it), or ask about \
             the one they are for with --python"
        )];
    }
    Vec::new()
}
