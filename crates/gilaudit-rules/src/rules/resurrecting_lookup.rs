//! Flags an object that is found by a pointer which keeps no reference, and then gets a new one.

use gilaudit_model::source::{ExprId, ExprKind, Name};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::borrow;
use crate::engine::cfg::NodeId;
use crate::engine::registries::container_of;
use crate::engine::values::{Root, Source};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "resurrecting-lookup",
    summary: "an object that is found by a pointer which keeps no reference, and then gets a new one",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("resurrecting_lookup.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if unit.analysis.weak_registries().is_empty() || unit.is_init() || unit.is_lifecycle() {
        return;
    }
    for call in unit.calls() {
        if !borrow::is_incref(call.name) || unit.is_unparsed(call.span) {
            continue;
        }
        let Some(object) = call.args.first().copied() else { continue };
        let Some((registry, lookup)) = registry(unit, object, call.node) else { continue };
        let Some((forgets, at)) = unit.analysis.weak_registries().get(&registry).copied() else { continue };
        let name = unit.text(registry);
        let message = format!(
            "'{name}' keeps no references, and the object found in it can be in the middle of its destruction: a new reference brings back what is about to be freed"
        );
        let mut finding = unit.finding(rule, call.expr, message);
        finding.help = Some(
            "call PyUnstable_EnableTryIncRef when the object is made and PyUnstable_TryIncRef here (new in Python 3.14; pythoncapi-compat has them for older ones), and take it for not found when that fails"
                .to_owned(),
        );
        if lookup != call.expr && unit.expr(lookup).span != call.span {
            finding.related.push(unit.related(lookup, "found here"));
        }
        let function = unit.project.function(forgets);
        let span = function.body.expr(at).span;
        finding.related.push(unit.analysis.related(function.file, span, "taken out when the object is destroyed"));
        out.push(finding);
    }
}

/// The variable or member that an object was found in, and where: `map.find(key)`, `table[i]`, or a variable that points to the one object.
fn registry(unit: &Unit<'_>, object: ExprId, at: NodeId) -> Option<(Name, ExprId)> {
    sources(unit, object, 8).into_iter().find_map(|source| {
        unit.roots(source, at).iter().find_map(|root| match *root {
            Root::Global(name) => (!unit.analysis.types.globals_named(name).is_empty()).then_some((name, source)),
            Root::Call(call) => {
                unit.call(call).filter(|call| matches!(call.name, "find" | "at" | "get" | "lookup"))?;
                Some((container_of(unit.body, call)?, call))
            }
            _ => None,
        })
    })
}

/// Most values of a variable that are followed.
const MOST: usize = 4;

/// What an object was taken from: `it->second` stands for what `it` was found in, and a member of a local struct for what was put there.
fn sources(unit: &Unit<'_>, object: ExprId, fuel: u32) -> Vec<ExprId> {
    let Some(fuel) = fuel.checked_sub(1) else { return vec![object] };
    let object = unit.strip(object);
    let follow = |values: Vec<ExprId>| values.into_iter().flat_map(|value| sources(unit, value, fuel)).collect();
    match unit.kind(object) {
        ExprKind::Local(local) => {
            let values = unit.values.definitions(local).iter().filter_map(|definition| match definition.source {
                Source::Value(value) if !matches!(unit.kind(unit.strip(value)), ExprKind::Null) => Some(value),
                _ => None,
            });
            let values: Vec<ExprId> = values.take(MOST).collect();
            if values.is_empty() { vec![object] } else { follow(values) }
        }
        ExprKind::Field { base, name, .. } if unit.text(name) == "second" => follow(vec![base]),
        ExprKind::Field { base, arrow: false, .. } if unit.local(base).is_some() => {
            let stored = unit.exprs().filter_map(|(_, kind, _)| match kind {
                ExprKind::Assign { op: None, target, value } if unit.same(target, object) => Some(value),
                _ => None,
            });
            follow(stored.collect())
        }
        _ => vec![object],
    }
}
