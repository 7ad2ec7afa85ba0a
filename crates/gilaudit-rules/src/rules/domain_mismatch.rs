//! Flags memory that is released by another allocator than the one it came from.

use std::collections::HashMap;

use gilaudit_model::source::{ExprId, ExprKind, FunctionId};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::{Analysis, Unit};
use crate::engine::exempt;
use crate::engine::index::FieldKey;
use crate::engine::memory::{self, Does, Domain, Origin};
use crate::engine::values::{callee, is_by_name, strip};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "domain-mismatch",
    summary: "memory that is released by another allocator than the one it came from",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("domain_mismatch.md"),
    checks: &[Check::Function(variables), Check::Project(members)],
};

/// Within a function: what a variable holds when it is released.
fn variables(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for call in unit.calls() {
        let Some(taken) = memory::takes(call.name) else { continue };
        let Some(pointer) = call.args.first().copied().filter(|arg| unit.local(*arg).is_some()) else { continue };
        if unit.is_unparsed(call.span) || !unit.is_by_name(call.expr) || exempt::is_polyfill(unit) {
            continue;
        }
        let Some(given) = memory::allocations(unit, pointer, call.node) else { continue };
        let mut given = given.iter().filter_map(|call| unit.call(*call));
        let Some((from, domain)) = given.next().and_then(|from| Some((from, memory::gives(from.name)?))) else {
            continue;
        };
        // Where it can come from several, a flag tells which: that is not followed.
        if domain == taken || given.any(|other| memory::gives(other.name) != Some(domain)) {
            continue;
        }
        let mut finding = unit.finding(rule, call.expr, message(from.name, call.name));
        finding.help = Some(help(domain, call.name));
        finding.related.push(unit.related(from.expr, "allocated here"));
        out.push(finding);
    }
}

fn message(from: &str, to: &str) -> String {
    format!(
        "'{to}' is given memory that '{from}' allocated, which belongs to another allocator: the heaps are damaged, and PYTHONMALLOC=debug stops here"
    )
}

fn help(given: Domain, call: &str) -> String {
    match memory::allocator(call) {
        Some((Does::Resize, _)) => format!(
            "resize it in the domain it was allocated in, or allocate it in the one of '{call}'; '{}' releases it",
            given.release()
        ),
        _ => format!("release it with '{}'", given.release()),
    }
}

/// Whether two places are never in one build: one is for Windows, the other is not.
fn are_apart(analysis: &Analysis<'_>, a: &Site, b: &Site) -> bool {
    matches!((is_for_windows(analysis, a), is_for_windows(analysis, b)), (Some(a), Some(b)) if a != b)
}

/// Whether a place is for Windows only, or for all but Windows, by the conditions around it and the name of its file.
fn is_for_windows(analysis: &Analysis<'_>, site: &Site) -> Option<bool> {
    let function = analysis.project.function(site.function);
    let file = analysis.project.file(function.file);
    let span = function.body.expr(site.expr).span;
    let unix = ["__unix__", "__linux__", "__APPLE__", "linux", "HAVE_UNISTD_H"];
    let by_guard = file.guards.iter().filter(|guard| guard.span.contains(span)).find_map(|guard| {
        let asks = |word: &str| guard.condition.contains(word);
        let windows = asks("_WIN32") || asks("MS_WINDOWS") || asks("WIN32") || asks("_MSC_VER");
        match (windows, unix.iter().any(|word| asks(word))) {
            (true, false) => Some(!guard.condition.contains('!') && !guard.condition.contains("ifndef")),
            (false, true) if !guard.condition.contains('!') => Some(false),
            _ => None,
        }
    });
    let name = file.name().to_ascii_lowercase();
    by_guard.or_else(|| match name {
        name if name.contains("windows") || name.contains("win32") => Some(true),
        name if ["unix", "posix", "linux", "darwin", "v4l2"].iter().any(|word| name.contains(word)) => Some(false),
        _ => None,
    })
}

/// A place where a member gets memory or its memory is released.
struct Site {
    function: FunctionId,
    expr: ExprId,
    domain: Domain,
}

#[derive(Default)]
struct Member {
    given: Vec<Site>,
    taken: Vec<Site>,
    /// It also gets what could not be followed.
    open: bool,
}

/// Across functions: a member that only ever gets memory of one domain, and is released in another.
fn members(analysis: &Analysis<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    let members = collect(analysis);
    let mut keys: Vec<&FieldKey> = members.keys().collect();
    keys.sort();
    for key in keys {
        let Some(member) = members.get(key).filter(|member| !member.open) else { continue };
        let Some(first) = member.given.first() else { continue };
        if member.given.iter().any(|site| site.domain != first.domain) {
            continue;
        }
        for site in member.taken.iter().filter(|site| site.domain != first.domain && !are_apart(analysis, first, site))
        {
            let function = analysis.project.function(site.function);
            let span = function.body.expr(site.expr).span;
            let clean = !function.unparsed.iter().any(|part| part.contains(span));
            if !analysis.project.file(function.file).report || !clean {
                continue;
            }
            let from = analysis.project.function(first.function);
            let name = |body, call| callee(body, call).map_or("", |name| analysis.project.text(name));
            let (giver, taker) = (name(&from.body, first.expr), name(&function.body, site.expr));
            let mut finding = analysis.finding(rule, function.file, span, message(giver, taker));
            finding.function = Some(analysis.project.text(function.qualified).to_owned());
            finding.help = Some(help(first.domain, taker));
            finding.related.push(analysis.related(from.file, from.body.expr(first.expr).span, "allocated here"));
            out.push(finding);
        }
    }
}

fn collect(analysis: &Analysis<'_>) -> HashMap<FieldKey, Member> {
    let project = analysis.project;
    let mut members: HashMap<FieldKey, Member> = HashMap::new();
    let takers: std::collections::HashSet<_> = memory::names().filter_map(|name| project.names.get(name)).collect();
    if takers.is_empty() {
        return members;
    }
    let mut writes = Vec::new();
    for id in project.function_ids() {
        let function = project.function(id);
        let body = &function.body;
        let key = |field: ExprId| match body.kind(field) {
            ExprKind::Field { base, name, .. } => {
                let ty = analysis.types.of(project, body, function.class, base, 8)?;
                Some(FieldKey { owner: Some(analysis.types.struct_named(project, ty.base)?), name })
            }
            _ => None,
        };
        for (index, expr) in body.exprs.iter().enumerate() {
            let call = ExprId(index as u32);
            match expr.kind {
                ExprKind::Call { args, .. } => {
                    let name = callee(body, call).filter(|name| takers.contains(name) && is_by_name(body, call));
                    let Some(name) = name else { continue };
                    let Some(domain) = memory::takes(project.text(name)) else { continue };
                    let Some(field) = body.list(args).first().and_then(|arg| key(strip(body, *arg))) else { continue };
                    members.entry(field).or_default().taken.push(Site { function: id, expr: call, domain });
                }
                ExprKind::Assign { target, value, .. } => {
                    let target = strip(body, target);
                    if matches!(body.kind(target), ExprKind::Field { .. }) {
                        writes.push((id, target, value));
                    }
                }
                // Whoever has its address can store anything.
                ExprKind::Unary { op: gilaudit_model::source::UnaryOp::AddressOf, operand } => {
                    let target = strip(body, operand);
                    if matches!(body.kind(target), ExprKind::Field { .. }) {
                        writes.push((id, target, target));
                    }
                }
                _ => {}
            }
        }
    }
    if members.is_empty() {
        return members;
    }
    // Only the members that are released anywhere are worth following.
    let released: std::collections::HashSet<_> = members.keys().map(|key| key.name).collect();
    for (id, target, value) in writes {
        let function = project.function(id);
        let body = &function.body;
        let ExprKind::Field { base, name, .. } = body.kind(target) else { continue };
        if !released.contains(&name) {
            continue;
        }
        let Some(ty) = analysis.types.of(project, body, function.class, base, 8) else { continue };
        let key = FieldKey { owner: analysis.types.struct_named(project, ty.base), name };
        let Some(member) = members.get_mut(&key) else { continue };
        match memory::origin(project, body, value) {
            Origin::Null => {}
            Origin::From(domain, expr) => member.given.push(Site { function: id, expr, domain }),
            Origin::Unknown => member.open = true,
        }
    }
    members
}
