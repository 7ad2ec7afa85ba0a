//! Flags a look into an object's container and a change that relies on it, each in a step of its own.

use gilaudit_model::source::{ExprId, ExprKind};
use gilaudit_model::{Confidence, Finding, Severity};

use super::global_container_race::{advice, report};
use crate::engine::analysis::Unit;
use crate::engine::cfg::NodeId;
use crate::engine::check_act;
use crate::engine::containers::{self, Container};
use crate::engine::index::is_shared;
use crate::engine::values::{Root, Source};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "find-then-act",
    summary: "a look into a shared container and a change that relies on it, each in a step of its own",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("find_then_act.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for pair in check_act::pairs(unit) {
        let member = is_member(unit, pair.container, pair.check.node);
        let roots = unit.roots(pair.container, pair.check.node);
        let argument = !roots.is_empty() && roots.iter().all(|root| matches!(root, Root::Parameter(_)));
        if member.is_none() && !(argument && pair.apart) {
            continue;
        }
        let message = format!(
            "'{}' relies on what '{}' said before{}: another thread can change the container in between",
            pair.act.name,
            pair.check.name,
            if pair.apart { ", but the lock is released between them" } else { "" }
        );
        let mut finding = unit.finding(rule, pair.act.expr, message);
        // A cache that two threads fill with the same does no harm; what is removed twice, or from the wrong place, does. A struct that is
        // no object is mostly a call's own.
        let harmful = pair.apart || check_act::removes(pair.act.name) || check_act::is_position(pair.act.name);
        let shared = member == Some(true) && unit.is_callable();
        finding.confidence = if harmful && shared { Confidence::Medium } else { Confidence::Low };
        finding.help = Some(advice(&pair));
        finding.related.push(unit.related(pair.check.expr, "looked up here"));
        out.push(finding);
    }
    if unit.is_init() || unit.is_lifecycle() {
        return;
    }
    for race in containers::races(unit, |it| matches!(it, Container::Member(_))) {
        let Container::Member(key) = race.used.container else { continue };
        let what = format!("'{}', a container in a shared object,", unit.text(key.name));
        let mut finding = report(unit, rule, &race, &what);
        if unit.analysis.is_initialising(unit.id) {
            finding.confidence = Confidence::Low;
        }
        out.push(finding);
    }
}

/// Whether a container is a member of a shared struct, and whether that is a Python object. An element of a member is something else.
fn is_member(unit: &Unit<'_>, container: ExprId, at: NodeId) -> Option<bool> {
    let mut place = unit.strip(container);
    if let Some(local) = unit.local(place) {
        let reaching = unit.values.reaching(&unit.cfg, local, at);
        let [only] = reaching.as_slice() else { return None };
        let Source::Value(value) = only.source else { return None };
        place = unit.strip(value);
    }
    let ExprKind::Field { base, .. } = unit.kind(place) else { return None };
    let is_object = unit.struct_of(base).is_some_and(|id| unit.project.structs[id.0 as usize].is_object);
    is_shared(unit, base, at).then_some(is_object)
}
