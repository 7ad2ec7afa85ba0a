//! What stands in a policy beside the table of declarations: exceptions, `extends`, findings, filters, hashes, targets.

use gilaudit_model::{
    Action, Decision, Extension, FailureKind, Finding, Gil, ImportFailure, Location, Origin, Outcome, Severity, Status,
    Target,
};
use gilaudit_policy::{Date, Known, Level, Policy, decide};

use crate::common::{self, RULES, extension, policy, shown, today};
use crate::truth_table::finding;

fn target(text: &str) -> Target {
    text.parse().unwrap()
}

fn decided(policy: &Policy, extension: &Extension, findings: &[Finding]) -> Decision {
    decide(policy, extension, findings, &target("3.14t"), today())
}

fn action(policy: &Policy, extension: &Extension) -> Action {
    decided(policy, extension, &[]).action
}

#[test]
fn a_decision_says_where_and_why() {
    let (nogil, _) = common::parse("nogil", &common::built_in("nogil").unwrap());
    let decision = decided(&nogil.unwrap(), &extension("lxml.etree", Status::Undeclared), &[]);
    assert_eq!(decision.outcome, Outcome::EnablesGil);
    assert_eq!(decision.action, Action::Refuse);
    assert_eq!(decision.policy_at.as_deref(), Some("nogil:10:15"));
    assert!(decision.warning.unwrap().starts_with(
        "The global interpreter lock (GIL) has been enabled to load module 'lxml.etree', which has not declared"
    ));
    assert_eq!(
        decision.because,
        [
            "it declares nothing, which CPython takes as needing the GIL: its import turns the GIL on for the whole process and \
             for good; CPython warns of the first such module only",
            "the policy says 'refuse' for modules that declare 'undeclared' (nogil:10:15)",
        ]
    );
}

#[test]
fn a_policy_that_says_nothing_follows_cpython() {
    let policy = policy("description: nothing\n");
    for (status, expected) in
        [(Status::NotUsed, Action::Follow), (Status::Used, Action::Follow), (Status::Unknown, Action::Warn)]
    {
        let decision = decided(&policy, &extension("a", status), &[]);
        assert_eq!((decision.action, decision.policy_at), (expected, None));
    }
    assert_eq!((policy.fail_on(), policy.level("enables-gil")), (None, None));
}

const EXCEPTIONS: &str = "
extends: nogil
exceptions:
  - match: {module: lxml.etree, distribution: 'LXML >=6, <7'}
    action: allow
    reason: audited at 6.1
  - match: {module: 'lxml.*'}
    action: warn
    reason: on our list
    expires: 2026-11-22
fail-on: warning
rules: {wrong-abi: off}
";

#[test]
fn the_first_exception_that_matches_decides() {
    let policy = policy(EXCEPTIONS);
    let mut etree = extension("lxml.etree", Status::Used);
    let decision = decided(&policy, &etree, &[]);
    assert_eq!(decision.action, Action::Allow);
    assert_eq!(decision.policy_at.as_deref(), Some("policy.yaml:4:5"));
    assert!(decision.because.iter().any(|reason| reason.contains("audited at 6.1")), "{decision:?}");
    etree.distribution.as_mut().unwrap().version = "7.0".to_owned();
    assert_eq!(action(&policy, &etree), Action::Warn);
    etree.distribution = None;
    assert_eq!(action(&policy, &etree), Action::Warn);
    assert_eq!(action(&policy, &extension("lxml.html.diff", Status::Undeclared)), Action::Warn);
    assert_eq!(action(&policy, &extension("hiredis.hiredis", Status::Undeclared)), Action::Refuse);
    assert_eq!(policy.fail_on(), Some(Severity::Warning));
    assert_eq!(policy.level("wrong-abi"), Some(Level::Off));
    assert_eq!(policy.level("enables-gil"), Some(Level::At(Severity::Error)), "taken over from nogil");
}

#[test]
fn an_expired_exception_no_longer_holds_and_says_so() {
    let tomorrow = Date::new(2026, 11, 23).unwrap();
    let etree = extension("lxml.objectify", Status::Used);
    let decision = decide(&policy(EXCEPTIONS), &etree, &[], &target("3.14t"), tomorrow);
    assert_eq!(decision.action, Action::Refuse);
    assert!(decision.because.iter().any(|reason| reason.contains("expired on 2026-11-22")), "{decision:?}");
}

#[test]
fn a_later_exception_may_take_over_when_an_earlier_one_expires() {
    let text = "exceptions:\n- {match: {module: a}, action: allow, reason: until fixed, expires: 2026-12-31}\n- {match: {module: a}, action: \
                refuse, reason: then no more}\n";
    let (policy, diagnostics) = common::parse("p.yaml", text);
    assert_eq!(shown(&diagnostics), "");
    let policy = policy.unwrap();
    assert_eq!(action(&policy, &extension("a", Status::Used)), Action::Allow);
    let later = Date::new(2027, 1, 1).unwrap();
    let decision = decide(&policy, &extension("a", Status::Used), &[], &target("3.14t"), later);
    assert_eq!(decision.action, Action::Refuse);
}

#[test]
fn an_exception_stands_above_the_target() {
    let policy = policy("exceptions:\n- match: {module: 'bad.*'}\n  action: refuse\n  reason: known to crash\n");
    let mut bad = extension("bad.mod", Status::NotUsed);
    for (build, gil) in [("3.14t", Gil::Default), ("3.14", Gil::Default), ("3.14t", Gil::On)] {
        assert_eq!(decide(&policy, &bad, &[], &target(build).with_gil(gil), today()).action, Action::Refuse);
    }
    bad.failure = Some(ImportFailure { kind: FailureKind::NotSearched, error: "not searched".to_owned() });
    assert_eq!(action(&policy, &bad), Action::Refuse);
}

#[test]
fn unused_exceptions_are_named() {
    let policy = policy(EXCEPTIONS);
    let found = [extension("lxml.etree", Status::Used)];
    let unused = policy.unused_exceptions(&found, today());
    assert_eq!(
        shown(&unused),
        "policy.yaml:7:5: warning: this exception (module lxml.*) applied to nothing that was audited (hint: remove it, or check its \
         spelling)\n"
    );
    assert_eq!(policy.unused_exceptions(&[], today()).len(), 2);
    assert_eq!(
        policy.unused_exceptions(&[], Date::new(2026, 12, 1).unwrap()).len(),
        1,
        "an expired one is said to be that"
    );
}

#[test]
fn a_hash_is_matched_against_the_bytes_only() {
    let hash = "ab".repeat(32);
    let policy = policy(&format!(
        "extends: nogil\nexceptions:\n- match: {{sha256: {hash}}}\n  action: allow\n  reason: built by us\n"
    ));
    assert!(policy.needs_sha256());
    assert!(!common::policy("extends: nogil").needs_sha256());
    let mut file = extension("a", Status::Used);
    file.record_sha256 = Some(hash.clone());
    assert_eq!(action(&policy, &file), Action::Refuse, "what RECORD claims is not what was read");
    file.sha256 = Some(hash.to_uppercase());
    assert_eq!(action(&policy, &file), Action::Allow);
    file.sha256 = Some("cd".repeat(32));
    assert_eq!(action(&policy, &file), Action::Refuse);
}

#[test]
fn only_findings_that_contradict_count_under_audited() {
    let audited = policy("extends: audited\nrules: {wrong-abi: note, enables-gil: off}\n");
    let module = extension("lxml.etree", Status::NotUsed);
    let action = |change: &dyn Fn(&mut Finding)| {
        let mut finding = finding("lxml.etree");
        change(&mut finding);
        decided(&audited, &module, &[finding]).action
    };
    assert_eq!(action(&|_| {}), Action::Refuse);
    assert_eq!(action(&|f| f.severity = Severity::Note), Action::Follow);
    assert_eq!(action(&|f| f.readiness = true), Action::Follow);
    assert_eq!(action(&|f| f.suppressed = Some("one thread only".to_owned())), Action::Follow);
    assert_eq!(action(&|f| f.module = Some("lxml.objectify".to_owned())), Action::Follow);
    assert_eq!(action(&|f| f.module = None), Action::Follow);
    assert_eq!(action(&|f| f.rule = "wrong-abi"), Action::Follow, "the policy makes it a note");
    assert_eq!(action(&|f| f.rule = "enables-gil"), Action::Follow, "the policy turns it off");
    assert_eq!(
        action(&|f| f.location = Location::File),
        Action::Follow,
        "another file that holds a module of that name"
    );
    let own = module.origin.clone();
    assert_eq!(action(&|f| (f.location, f.origin) = (Location::Address(64), own.clone())), Action::Refuse);
    let decision = decided(&audited, &module, &[finding("lxml.etree")]);
    assert!(decision.because.iter().any(|reason| reason.contains("unguarded-static stands against")), "{decision:?}");
    assert_eq!(decision.policy_at.as_deref(), Some("audited:13:15"));
}

#[test]
fn a_declaration_by_a_tool_can_have_its_own_action() {
    let policy = policy("extends: audited\ndeclared-by-tool: warn\n");
    let mut module = extension("lxml.etree", Status::NotUsed);
    assert_eq!(action(&policy, &module), Action::Follow);
    module.declaration.declared_by_tool = Some(gilaudit_model::Framework::Mypyc);
    let decision = decided(&policy, &module, &[]);
    assert_eq!(decision.action, Action::Warn);
    assert!(decision.because.iter().any(|reason| reason.starts_with("mypyc declares this on its own")), "{decision:?}");
    assert_eq!(decided(&policy, &module, &[finding("lxml.etree")]).action, Action::Refuse, "a finding weighs more");
}

#[test]
fn warnings_are_filtered_as_with_python_w() {
    let policy = policy(
        "extends: unsafe-nogil\nwarnings:\n- error\n- 'ignore::RuntimeWarning:lxml.*'\n- 'default:::lxml.html.*'\n",
    );
    let decision = decided(&policy, &extension("lxml.etree", Status::Used), &[]);
    assert_eq!(decision.action, Action::Allow, "silenced: loaded as a declared one is");
    assert_eq!(decision.policy_at.as_deref(), Some("policy.yaml:4:3"));
    assert_eq!(action(&policy, &extension("lxml.html.diff", Status::Used)), Action::Warn);
    assert_eq!(action(&policy, &extension("hiredis.hiredis", Status::Unknown)), Action::Refuse);
    assert_eq!(action(&policy, &extension("hiredis.hiredis", Status::NotUsed)), Action::Allow, "nothing to warn of");
}

#[test]
fn an_error_filter_does_not_keep_cpython_from_turning_the_gil_on() {
    let pep703 = policy("extends: pep703\nwarnings: [error]\n");
    let decision = decided(&pep703, &extension("lxml.etree", Status::Used), &[]);
    assert_eq!((decision.outcome, decision.action), (Outcome::EnablesGil, Action::Follow));
    assert!(decision.warning.is_some());
    assert!(
        decision.because.iter().any(|reason| reason.contains("the GIL stays on for good all the same")),
        "{decision:?}"
    );
    let quiet = policy("extends: pep703\nwarnings: [ignore]\n");
    assert_eq!(action(&quiet, &extension("lxml.etree", Status::Unknown)), Action::Follow);
}

#[test]
fn policies_build_on_one_another() {
    let texts = |name: &str| {
        Ok(match name {
        "ci/company.yaml" => "extends: ../shared/all.yaml\ndeclarations: {unknown: warn}\nexceptions:\n- match: {module: 'b.*'}\n  action: allow\n  reason: \
             company\n"
            .to_owned(),
        "ci/../shared/all.yaml" => "extends: nogil\ntargets: '>=3.14t'\nwarnings: [ignore]\n".to_owned(),
        "ci/loop.yaml" => "extends: turn.yaml\n".to_owned(),
        "ci/turn.yaml" => "extends: loop.yaml\n".to_owned(),
        "ci/broken.yaml" => "declarations: {used: refuze}\n".to_owned(),
        "ci/deeper.yaml" => "extends: ../ci/deeper.yaml\n".to_owned(),
        _ if name.starts_with("ci/../") => format!("extends: ../{name}\n"),
        _ => return common::built_in(name),
        })
    };
    let read = |text: &str| {
        Policy::parse("ci/policy.yaml", text, &Known { rules: &RULES, today: today(), base: &texts, shows_bases: true })
    };
    let (policy, diagnostics) =
        read("extends: company.yaml\nexceptions:\n- match: {module: b.c}\n  action: refuse\n  reason: own\n");
    assert_eq!(shown(&diagnostics), "");
    let policy = policy.unwrap();
    assert_eq!(action(&policy, &extension("b.c", Status::Used)), Action::Refuse, "own exceptions come first");
    assert_eq!(action(&policy, &extension("b.d", Status::Used)), Action::Allow);
    let decision = decided(&policy, &extension("c", Status::Used), &[]);
    assert_eq!((decision.action, decision.policy_at.as_deref()), (Action::Refuse, Some("nogil:9:9")));
    assert_eq!(
        action(&policy, &extension("c", Status::Unknown)),
        Action::Follow,
        "warn by company.yaml, silenced by all.yaml"
    );
    assert_eq!(shown(&policy.unused_exceptions(&[], today())).lines().count(), 1, "those of company.yaml are not ours");
    assert!(policy.check_target(&target("3.14t")).is_none());
    assert_eq!(
        policy.check_target(&target("3.13t")).unwrap().to_string(),
        "ci/../shared/all.yaml:2:10: warning: policy ci/policy.yaml is written for Python >=3.14t and is applied to 3.13t"
    );

    let (policy, diagnostics) = read("extends: loop.yaml\n");
    assert!(policy.is_none());
    assert_eq!(
        shown(&diagnostics),
        "ci/turn.yaml:1:10: error: the policy extends itself: ci/policy.yaml -> ci/loop.yaml -> ci/turn.yaml -> ci/loop.yaml\n"
    );
    let (policy, diagnostics) = read("extends: broken.yaml\nfail-on: never\n");
    assert!(policy.is_none());
    assert_eq!(diagnostics.len(), 2, "those of the other file and its own: {}", shown(&diagnostics));
    let (policy, diagnostics) = read("extends: deeper.yaml\n");
    assert!(policy.is_none());
    assert!(shown(&diagnostics).contains("more than 10 policies extend one another"), "{}", shown(&diagnostics));
}

#[test]
fn a_target_with_the_gil_on_is_pointed_out() {
    let nogil = policy("extends: nogil");
    let warning =
        |policy: &Policy, target: Target| policy.check_target(&target).map(|diagnostic| diagnostic.to_string());
    assert_eq!(warning(&nogil, target("3.14t")), None);
    assert!(warning(&nogil, target("3.14")).unwrap().contains("Python 3.14 always has it"));
    assert!(warning(&nogil, target("3.14t").with_gil(Gil::On)).unwrap().contains("PYTHON_GIL=1"));
    assert_eq!(warning(&policy("extends: pep703"), target("3.14")), None);
    assert_eq!(warning(&policy("extends: gil"), target("3.14")), None);
}

#[test]
fn pyproject_says_the_same_as_yaml() {
    let toml = "
[project]
name = 'example'

[tool.gilaudit]
extends = 'nogil'
targets = '>=3.14t'
fail-on = 'warning'
declarations.unknown = 'warn'
rules.wrong-abi = 'off'
warnings = ['ignore:::lxml.*']

[[tool.gilaudit.exceptions]]
match.module = 'lxml.*'
action = 'allow'
reason = 'audited'
expires = 2027-01-01
";
    let yaml = "
extends: nogil
targets: '>=3.14t'
fail-on: warning
declarations: {unknown: warn}
rules: {wrong-abi: off}
warnings: ['ignore:::lxml.*']
exceptions:
  - match: {module: 'lxml.*'}
    action: allow
    reason: audited
    expires: 2027-01-01
";
    let known = Known { rules: &RULES, today: today(), base: &common::built_in, shows_bases: true };
    let (from_toml, diagnostics) = Policy::parse_pyproject("pyproject.toml", toml, &known).unwrap();
    assert_eq!(shown(&diagnostics), "");
    let from_toml = from_toml.unwrap();
    assert_eq!(from_toml.to_yaml(), policy(yaml).to_yaml());
    let decision = decided(&from_toml, &extension("lxml.etree", Status::Used), &[]);
    assert_eq!(decision.policy_at.as_deref(), Some("pyproject.toml:14:1"));
    assert!(Policy::parse_pyproject("pyproject.toml", "[project]\nname = 'x'\n", &known).is_none());
    assert!(Policy::parse_pyproject("pyproject.toml", "[project\n", &known).unwrap().0.is_none());
}

#[test]
fn the_resolved_policy_reads_back_as_itself() {
    let text = format!(
        "{EXCEPTIONS}targets: [3.13t, '>=3.14t']\ncontradicted: warn\ndeclared-by-tool: follow\nwarnings: [error]\n"
    );
    let resolved = policy(&text).to_yaml();
    common::golden("tests/resolved.yaml", &resolved);
    assert_eq!(policy(&resolved).to_yaml(), resolved);
    for (name, text) in common::BUILT_IN {
        let resolved = common::parse(name, text).0.unwrap().to_yaml();
        assert_eq!(policy(&resolved).to_yaml(), resolved, "{name}");
    }
}

#[test]
fn origins_of_other_platforms_do_not_contradict() {
    let audited = policy("extends: audited");
    let linux = extension("lxml.etree", Status::NotUsed);
    let mut other = finding("lxml.etree");
    other.location = Location::File;
    other.origin = Origin::path("lxml/etree.cpython-314t-darwin.so");
    assert_eq!(decided(&audited, &linux, &[other]).action, Action::Follow);
}
