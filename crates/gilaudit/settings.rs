//! From what was typed to what is done: policy loaded, rules chosen, defaults resolved.
//!
//! The target is resolved last, because it may be that of an environment found among the inputs.

use std::collections::BTreeSet;

use gilaudit_input::{ArtifactKind, Given, Inventory};
use gilaudit_model::{Confidence, Finding, Gil, Severity, Target, Version};
use gilaudit_policy::{Level, nearest};
use gilaudit_rules::RULES;

use crate::args::{CheckArgs, PolicyArgs, TargetArgs};
use crate::error::Error;
use crate::policies::Applied;

/// The target when nothing says otherwise: the newest free-threaded release.
pub(crate) const DEFAULT_TARGET: Target = Target { version: Version::V3_14, free_threaded: true, gil: Gil::Default };

/// How an audit is done.
pub(crate) struct Settings {
    pub(crate) given: Vec<Given>,
    pub(crate) policy: Applied,
    rules: BTreeSet<&'static str>,
    ignored: BTreeSet<&'static str>,
    min_severity: Severity,
    min_confidence: Confidence,
    pub(crate) fail_on: Severity,
    /// Whether comments in sources suppress findings.
    pub(crate) suppressions: bool,
    pub(crate) hash: bool,
    pub(crate) jobs: usize,
    pub(crate) progress: bool,
    pub(crate) input_limits: gilaudit_input::Limits,
    pub(crate) binary_limits: gilaudit_binary::Limits,
}

impl Settings {
    pub(crate) fn resolve(args: &CheckArgs, policy: Applied) -> Result<Self, Error> {
        let fail_on = args.policy.fail_on.or(policy.policy().fail_on()).unwrap_or(Severity::Error);
        Ok(Self {
            given: given(&args.inputs)?,
            rules: rules(&args.policy)?,
            ignored: known(&args.policy.ignore)?,
            min_severity: args.policy.min_severity.unwrap_or(Severity::Warning.min(fail_on)),
            min_confidence: args.policy.min_confidence,
            fail_on,
            suppressions: !args.policy.no_suppressions,
            hash: args.work.hash || policy.policy().needs_sha256(),
            policy,
            // Zero lets rayon take one thread per processor.
            jobs: args.work.jobs.map_or(0, usize::from),
            progress: !args.work.no_progress && !args.output.quiet,
            input_limits: gilaudit_input::Limits::default(),
            binary_limits: gilaudit_binary::Limits::default(),
        })
    }

    /// For an audit that only asks what there is: no rule runs, nothing fails.
    pub(crate) fn of_everything(inputs: &[String], policy: Applied) -> Result<Self, Error> {
        Ok(Self { rules: BTreeSet::new(), ..Self::by_default(given(inputs)?, policy) })
    }

    /// For an audit of one input as it is done without options.
    pub(crate) fn of_one(input: &str, policy: Applied) -> Result<Self, Error> {
        Ok(Self::by_default(given(&[input.to_owned()])?, policy))
    }

    fn by_default(given: Vec<Given>, policy: Applied) -> Self {
        Self {
            given,
            policy,
            rules: RULES.iter().map(|rule| rule.id).collect(),
            ignored: BTreeSet::new(),
            min_severity: Severity::Warning,
            min_confidence: Confidence::Medium,
            fail_on: Severity::Error,
            suppressions: true,
            hash: false,
            jobs: 0,
            progress: false,
            input_limits: gilaudit_input::Limits::default(),
            binary_limits: gilaudit_binary::Limits::default(),
        }
    }

    /// Whether this rule runs, by `--select` and `--ignore`.
    pub(crate) fn runs(&self, rule: &str) -> bool {
        self.rules.contains(rule)
    }

    /// The rules that nobody wants to hear of, by `--ignore` and by the policy. Those that `--select` leaves out are not among them: who asks
    /// for one answer wants the right one.
    pub(crate) fn ignored(&self) -> Vec<&'static str> {
        let off = |id: &&str| self.policy.policy().level(id) == Some(Level::Off);
        RULES.iter().map(|rule| rule.id).filter(|id| self.ignored.contains(id) || off(id)).collect()
    }

    /// Whether this finding is reported, by `--min-severity` and `--min-confidence`.
    pub(crate) fn shows(&self, finding: &Finding) -> bool {
        finding.severity >= self.min_severity && self.shows_confidence(finding.confidence)
    }

    /// Whether findings of this confidence are shown.
    pub(crate) fn shows_confidence(&self, confidence: Confidence) -> bool {
        confidence >= self.min_confidence
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
