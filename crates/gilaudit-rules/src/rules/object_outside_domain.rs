//! Flags objects in memory that the objects' allocator did not give.

use gilaudit_model::source::{Body, ExprId, ExprKind, FileId};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::{Analysis, Unit};
use crate::engine::memory::{self, Domain};
use crate::engine::values::{Root, strip};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "object-outside-domain",
    summary: "an object in memory that the objects' allocator did not give",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("object_outside_domain.md"),
    checks: &[Check::Function(initialised), Check::Project(types)],
};

const HELP: &str = "make objects with PyObject_New, PyObject_GC_New or the type's tp_alloc; PyObject_Init is for memory of PyObject_Malloc";

/// `PyObject_Init` on memory of another allocator, or on a variable.
fn initialised(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for call in unit.calls() {
        if !matches!(call.name, "PyObject_Init" | "PyObject_InitVar" | "PyObject_INIT" | "PyObject_INIT_VAR")
            || unit.is_unparsed(call.span)
        {
            continue;
        }
        let Some(object) = call.args.first().copied() else { continue };
        let (from, place) = match memory::allocations(unit, object, call.node) {
            Some(given) => {
                let foreign = |call: &ExprId| {
                    unit.call(*call).filter(|call| {
                        memory::gives(call.name).is_some_and(|domain| !matches!(domain, Domain::Object | Domain::Gc))
                    })
                };
                let Some(call) = given.iter().find_map(foreign) else { continue };
                (format!("memory of '{}'", call.name), Some(call.expr))
            }
            None => match variable(unit, object, call.node) {
                Some(name) => (format!("the variable '{name}'"), None),
                None => continue,
            },
        };
        let message = format!(
            "'{}' makes an object in {from}: without the GIL the collector and lock-free readers rely on the allocator of objects",
            call.name
        );
        let mut finding = unit.finding(rule, call.expr, message);
        finding.help = Some(HELP.to_owned());
        finding.related.extend(place.map(|place| unit.related(place, "allocated here")));
        out.push(finding);
    }
}

/// The variable, or element of an array, whose address this is.
fn variable<'p>(unit: &Unit<'p>, object: ExprId, at: crate::engine::cfg::NodeId) -> Option<&'p str> {
    let is_storage = |ty: gilaudit_model::source::Type| ty.pointers == 0;
    let roots = unit.roots(object, at);
    let [only] = roots.as_slice() else { return None };
    match *only {
        Root::Global(name) => {
            let mut known = unit.analysis.types.globals_named(name).iter();
            known
                .any(|id| unit.project.globals.get(id.0 as usize).is_some_and(|global| is_storage(global.ty)))
                .then(|| unit.text(name))
        }
        Root::Static(local) => {
            let local = &unit.body.locals[local.0 as usize];
            is_storage(local.ty).then(|| unit.text(local.name))
        }
        _ => None,
    }
}

/// Types whose `tp_free` releases with another allocator, and C++ classes of objects with their own `operator new`.
fn types(analysis: &Analysis<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    let project = analysis.project;
    let slots: Vec<_> = ["tp_free", "Py_tp_free"].iter().filter_map(|slot| project.names.get(slot)).collect();
    let mut tables = |file: FileId, body: &Body| {
        for expr in &body.exprs {
            let (slot, value) = match expr.kind {
                ExprKind::Assign { op: None, target, value } => (target, value),
                ExprKind::List(list) => match body.list(list) {
                    [slot, value] => (*slot, *value),
                    _ => continue,
                },
                _ => continue,
            };
            let (ExprKind::Name(slot) | ExprKind::Field { name: slot, .. }) = body.kind(strip(body, slot)) else {
                continue;
            };
            let ExprKind::Name(name) = body.kind(strip(body, value)) else { continue };
            let name = project.text(name);
            let foreign = memory::takes(name).is_some_and(|domain| !matches!(domain, Domain::Object | Domain::Gc));
            if !slots.contains(&slot) || !foreign || !project.file(file).report {
                continue;
            }
            let message = format!(
                "'{name}' as tp_free releases objects with another allocator than that of objects, which tp_alloc takes them from"
            );
            let mut finding = analysis.finding(rule, file, expr.span, message);
            finding.help = Some("use PyObject_Free, or PyObject_GC_Del for types with Py_TPFLAGS_HAVE_GC".to_owned());
            out.push(finding);
        }
    };
    if !slots.is_empty() {
        for (index, file) in project.files.iter().enumerate() {
            tables(FileId(index as u32), &file.body);
        }
        for function in &project.functions {
            tables(function.file, &function.body);
        }
    }
    for function in &project.functions {
        if !project.text(function.name).starts_with("operator new") || !project.file(function.file).report {
            continue;
        }
        let Some(class) = function.class else { continue };
        let is_object = analysis
            .types
            .struct_named(project, class)
            .is_some_and(|class| project.structs[class.0 as usize].is_object);
        let allocates_object = function.body.exprs.iter().any(|expr| match expr.kind {
            ExprKind::Name(name) | ExprKind::Field { name, .. } => {
                let name = project.text(name);
                name == "tp_alloc" || matches!(memory::gives(name), Some(Domain::Object | Domain::Gc))
            }
            _ => false,
        });
        if !is_object || allocates_object {
            continue;
        }
        let message = format!(
            "'{}' is a Python object whose 'operator new' takes memory from elsewhere than the allocator of objects",
            project.text(class)
        );
        let mut finding = analysis.finding(rule, function.file, function.name_span, message);
        finding.function = Some(project.text(function.qualified).to_owned());
        finding.help = Some(HELP.to_owned());
        out.push(finding);
    }
}
