//! Flags a critical section over two objects that may be one, with two exclusive accesses.

use gilaudit_model::source::Span;
use gilaudit_model::source::rust::{RustCall, RustFile, RustFunction};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::rust;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "section2-alias",
    summary: "a critical section over two objects that may be the same, with access to both",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("section2_alias.md"),
    checks: &[Check::Rust(check)],
};

fn check(analysis: &Analysis<'_>, facts: &RustFile, rule: &Rule, out: &mut Vec<Finding>) {
    for function in &facts.functions {
        let root_of = |span: &Span| rust::root(rust::text(analysis, facts, *span));
        let is_argument =
            |name: &str| name == "self" || function.locals.iter().any(|local| local.argument && *local.name == *name);
        for (index, call) in function.calls.iter().enumerate() {
            let begins = call.name.contains("CriticalSection2_Begin");
            let scoped = call.name.starts_with("with_critical_section") && call.name.ends_with('2');
            if !begins && !scoped {
                continue;
            }
            // The two objects: arguments that the caller chose, so that they may be one.
            let objects: Vec<&str> = call.args.iter().map(root_of).filter(|name| is_argument(name)).collect();
            let objects: Vec<&str> = objects.into_iter().filter(|name| !is_token(function, name)).collect();
            let [first, second] = objects.as_slice() else { continue };
            if first == second || compares(analysis, facts, function, first, second) {
                continue;
            }
            let uses_both = if begins {
                hands_out(analysis, facts, function, call, first, second)
            } else {
                changes_both(analysis, facts, function, index as u32)
            };
            if !uses_both {
                continue;
            }
            let message = format!(
                "'{first}' and '{second}' may be the same object: then the section locks it once, and there are two exclusive accesses to it"
            );
            let mut finding = rust::finding(analysis, facts, rule, Some(function), call.name_span, message);
            finding.help = Some("compare them first (std::ptr::addr_eq, Bound::is) and lock a single object when they are the same; with_critical_section_mutex2 gives None for the second since PyO3 0.29".to_owned());
            out.push(finding);
        }
    }
}

fn is_token(function: &RustFunction, name: &str) -> bool {
    function
        .locals
        .iter()
        .any(|local| *local.name == *name && local.ty.names.first().is_some_and(|it| **it == *"Python"))
}

fn mentions(text: &str, name: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
}

/// Whether a function asks if two of its arguments are the same.
fn compares(analysis: &Analysis<'_>, facts: &RustFile, function: &RustFunction, first: &str, second: &str) -> bool {
    let both = |span: Span| {
        let text = rust::text(analysis, facts, span);
        mentions(text, first) && mentions(text, second)
    };
    function.comparisons.iter().copied().any(both)
        || function.calls.iter().any(|call| {
            matches!(&*call.name, "addr_eq" | "eq" | "ne" | "is" | "ptr_eq" | "assert_ne!" | "debug_assert_ne!")
                && both(call.span)
        })
}

/// Whether something is made of each of the two and handed on together.
fn hands_out(
    analysis: &Analysis<'_>,
    facts: &RustFile,
    function: &RustFunction,
    section: &RustCall,
    first: &str,
    second: &str,
) -> bool {
    function.calls.iter().filter(|call| call.span.start > section.span.end).any(|call| {
        let has = |name: &str| call.args.iter().position(|arg| mentions(rust::text(analysis, facts, *arg), name));
        matches!((has(first), has(second)), (Some(one), Some(other)) if one != other)
    })
}

/// Whether the closure of a section takes a mutable access to one of its two arguments, and any to the other.
fn changes_both(analysis: &Analysis<'_>, facts: &RustFile, function: &RustFunction, section: u32) -> bool {
    let inside = || function.calls.iter().filter(|call| call.inside.contains(&section));
    let receiver = |call: &RustCall| call.receiver.map(|receiver| rust::root(rust::text(analysis, facts, receiver)));
    let mutable = |call: &&RustCall| matches!(&*call.name, "get_mut" | "borrow_mut" | "as_mut" | "as_bytes_mut");
    inside().filter(mutable).any(|one| {
        inside().any(|other| {
            (mutable(&other) || matches!(&*other.name, "get" | "borrow" | "as_ref"))
                && other.args.is_empty()
                && receiver(one).is_some()
                && receiver(other).is_some_and(|name| Some(name) != receiver(one))
        })
    })
}
