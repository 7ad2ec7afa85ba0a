//! From what was typed to what is done: policy loaded, rules chosen, defaults resolved.
//!
//! The target is resolved last, because it may be that of an environment found among the inputs.

use std::collections::BTreeSet;

use gilaudit_audit::{Applied, DEFAULT_TARGET};

use gilaudit_input::{ArtifactKind, Given, Inventory};
use gilaudit_model::{Gil, Severity, Target};
use gilaudit_policy::nearest;
use gilaudit_rules::RULES;

use crate::args::{CheckArgs, PolicyArgs, TargetArgs};
use crate::error::Error;

/// What a run of the command is about.
pub(crate) struct Settings {
    pub(crate) given: Vec<Given>,
    pub(crate) fail_on: Severity,
    pub(crate) progress: bool,
    /// How the audit is done.
    pub(crate) audit: gilaudit_audit::Settings,
}

impl Settings {
    pub(crate) fn resolve(args: &CheckArgs, policy: Applied) -> Result<Self, Error> {
        let fail_on = args.policy.fail_on.or(policy.policy().fail_on()).unwrap_or(Severity::Error);
        let given = given(&args.inputs)?;
        let audit = gilaudit_audit::Settings {
            rules: rules(&args.policy)?,
            ignored: known(&args.policy.ignore)?,
            min_severity: args.policy.min_severity.unwrap_or(Severity::Warning.min(fail_on)),
            min_confidence: args.policy.min_confidence,
            suppressions: !args.policy.no_suppressions,
            code: args.work.code,
            hash: args.work.hash || policy.policy().needs_sha256(),
            jobs: args.work.jobs.map_or(0, usize::from),
            ..gilaudit_audit::Settings::new(policy)
        };
        Ok(Self { given, fail_on, progress: !args.work.no_progress && !args.output.quiet, audit })
    }

    /// For an audit that only asks what there is: no rule runs, nothing fails.
    pub(crate) fn of_everything(inputs: &[String], policy: Applied) -> Result<Self, Error> {
        let audit = gilaudit_audit::Settings { rules: BTreeSet::new(), ..gilaudit_audit::Settings::new(policy) };
        Ok(Self { given: given(inputs)?, fail_on: Severity::Error, progress: false, audit })
    }

    /// For an audit of one input as it is done without options.
    pub(crate) fn of_one(input: &str, policy: Applied) -> Result<Self, Error> {
        let audit = gilaudit_audit::Settings::new(policy);
        Ok(Self { given: given(&[input.to_owned()])?, fail_on: Severity::Error, progress: false, audit })
    }
}

fn given(inputs: &[String]) -> Result<Vec<Given>, Error> {
    if inputs.is_empty() {
        return Ok(vec![Given::ActiveEnvironment]);
    }
    inputs.iter().map(|input| Given::parse(input).map_err(Error::new)).collect()
}

/// The rules that run.
fn rules(args: &PolicyArgs) -> Result<BTreeSet<&'static str>, Error> {
    let (selected, ignored) = (known(&args.select)?, known(&args.ignore)?);
    let runs = |id: &&str| (selected.is_empty() || selected.contains(id)) && !ignored.contains(id);
    Ok(RULES.iter().map(|rule| rule.id).filter(runs).collect())
}

/// Rules by their ids.
fn known(ids: &[String]) -> Result<BTreeSet<&'static str>, Error> {
    ids.iter().map(|id| find_rule(id).map(|rule| rule.id)).collect()
}

/// The rule with this id, or an error that names the nearest one.
pub(crate) fn find_rule(id: &str) -> Result<&'static gilaudit_rules::Rule, Error> {
    gilaudit_rules::find(id).ok_or_else(|| {
        let error = Error::new(format!("unknown rule '{id}'"));
        match nearest(id, RULES.iter().map(|rule| rule.id)) {
            Some(near) => error.hint(format!("did you mean '{near}'?")),
            None => error.hint("gilaudit rules lists them"),
        }
    })
}

/// The target, and where it was taken from.
pub(crate) fn target(args: &TargetArgs, inventory: Option<&Inventory>) -> Result<(Target, String), Error> {
    let (target, from) = match (args.python, inventory.and_then(environment)) {
        (Some(target), _) => (target, "--python".to_owned()),
        (None, Some((target, from))) => (target, from),
        (None, None) => (DEFAULT_TARGET, "default".to_owned()),
    };
    if !target.free_threaded && args.gil == Gil::Off {
        // CPython 3.13 to 3.15, Python/initconfig.c: "Fatal Python error: config_read_gil: Disabling the GIL is not supported by
        // this build".
        let error = format!(
            "CPython {target} does not start with PYTHON_GIL=0: \"Disabling the GIL is not supported by this build\""
        );
        return Err(Error::new(error).hint(format!("--python {target}t asks about the free-threaded build")));
    }
    Ok((target.with_gil(args.gil), from))
}

/// The interpreter of the environment that was named, or that is active; the first one, should there be several.
fn environment(inventory: &Inventory) -> Option<(Target, String)> {
    inventory
        .artifacts
        .iter()
        .filter(|artifact| artifact.explicit && artifact.kind == ArtifactKind::Environment)
        .find_map(|artifact| artifact.python.map(|python| (python, artifact.origin.to_string())))
}
