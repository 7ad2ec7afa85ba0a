//! From a node tree to a [`Policy`], with every mistake on the way. Nothing here stops at the first.

use std::collections::BTreeMap;
use std::sync::Arc;

use gilaudit_model::{Action, Severity, Status};

use crate::date::Date;
use crate::diagnostic::Diagnostic;
use crate::exceptions::{self, Exception};
use crate::glob::ModuleGlob;
use crate::inherit;
use crate::level::Level;
use crate::matches::{DistributionRange, Match, Sha256};
use crate::node::{Node, Span, Value};
use crate::policy::{Known, Policy, Said};
use crate::reader::Reader;
use crate::suggest::nearest;
use crate::targets::Targets;
use crate::warnings::Filter;
use crate::yaml;

/// The keys of a policy.
pub(crate) const KEYS: [&str; 11] = [
    "extends",
    "description",
    "targets",
    "declarations",
    "contradicted",
    "declared-by-tool",
    "rules",
    "exceptions",
    "warnings",
    "fail-on",
    "frozen",
];
const EXCEPTION_KEYS: [&str; 4] = ["match", "action", "reason", "expires"];
const MATCH_KEYS: [&str; 3] = ["module", "distribution", "sha256"];

/// The built-in policies by name; only for suggestions, the texts are the caller's.
const BUILT_IN: [&str; 6] = ["pep703", "gil", "nogil", "unsafe-nogil", "serialize", "audited"];

/// Policies on top of policies, at most. Paths that name the same file in ever new ways are not recognised as a cycle.
const LONGEST_CHAIN: usize = 10;

/// Reads a policy in YAML, and what it extends.
pub(crate) fn yaml(name: &str, text: &str, known: &Known<'_>) -> (Option<Policy>, Vec<Diagnostic>) {
    yaml_in_chain(name, text, known, &[name.to_owned()])
}

fn yaml_in_chain(name: &str, text: &str, known: &Known<'_>, chain: &[String]) -> (Option<Policy>, Vec<Diagnostic>) {
    let file: Arc<str> = Arc::from(name);
    match yaml::read(&file, text) {
        Ok(root) => tree(file, &root, known, chain),
        Err(diagnostic) => (None, vec![diagnostic]),
    }
}

/// Reads the root table of a policy. `chain` holds the names of the policies that are being read, this one last.
pub(crate) fn tree(
    file: Arc<str>,
    root: &Node,
    known: &Known<'_>,
    chain: &[String],
) -> (Option<Policy>, Vec<Diagnostic>) {
    let mut read = Reader::new(Arc::clone(&file));
    if matches!(root.value, Value::Empty) {
        read.error_with_hint(root.span, "the policy is empty", "'extends: pep703' is the least that one can say");
    }
    let mut base = None;
    let mut policy = Policy {
        name: file,
        description: None,
        targets: None,
        declarations: BTreeMap::new(),
        contradicted: None,
        declared_by_tool: None,
        rules: BTreeMap::new(),
        exceptions: Vec::new(),
        warnings: Vec::new(),
        fail_on: None,
        frozen: Vec::new(),
    };
    for entry in read.table(root, "a policy", "key", &KEYS) {
        let value = &entry.value;
        match entry.key.as_str() {
            "extends" => base = extends(&mut read, value, known, chain),
            "description" => policy.description = read.prose(value, "'description'").map(str::to_owned),
            "targets" => policy.targets = targets(&mut read, value),
            "declarations" => policy.declarations = declarations(&mut read, value),
            "contradicted" => policy.contradicted = said(&mut read, value, "action", &actions()),
            "declared-by-tool" => policy.declared_by_tool = said(&mut read, value, "action", &actions()),
            "rules" => policy.rules = rules(&mut read, value, known),
            "exceptions" => {
                policy.exceptions = list_of(&mut read, value, "'exceptions'", exception);
                read.diagnostics.extend(exceptions::review(&policy.exceptions, known.today));
            }
            "warnings" => policy.warnings = warnings(&mut read, value),
            "frozen" => policy.frozen = list_of(&mut read, value, "'frozen'", frozen),
            _ => policy.fail_on = said(&mut read, value, "severity", &severities()),
        }
    }
    let mut diagnostics = read.diagnostics;
    diagnostics.sort();
    diagnostics.dedup();
    let sound = diagnostics.iter().all(|diagnostic| diagnostic.severity != Severity::Error);
    let policy = match base {
        Some(base) => inherit::on_top_of(base, policy),
        None => policy,
    };
    (sound.then_some(policy), diagnostics)
}

fn actions() -> [(&'static str, Action); 7] {
    Action::ALL.map(|action| (action.as_str(), action))
}

fn severities() -> [(&'static str, Severity); 3] {
    [Severity::Error, Severity::Warning, Severity::Note].map(|severity| (severity.as_str(), severity))
}

fn said<T: Copy>(read: &mut Reader, node: &Node, what: &str, vocabulary: &[(&'static str, T)]) -> Option<Said<T>> {
    let value = read.word(node, what, vocabulary)?;
    Some(Said { value, place: read.place(node.span) })
}

fn list_of<T>(read: &mut Reader, node: &Node, what: &str, item: fn(&mut Reader, &Node) -> Option<T>) -> Vec<T> {
    read.list(node, what).iter().filter_map(|node| item(read, node)).collect()
}

/// A pattern over the text of a container in the source.
fn frozen(read: &mut Reader, node: &Node) -> Option<String> {
    let pattern = read.text(node, "a pattern of 'frozen'")?;
    if pattern.chars().all(|c| c == '*' || c.is_whitespace()) {
        read.error(node.span, "this pattern matches every container; name the ones that nobody changes");
        return None;
    }
    Some(pattern.to_owned())
}

fn extends(read: &mut Reader, node: &Node, known: &Known<'_>, chain: &[String]) -> Option<Policy> {
    let named = read.text(node, "'extends'")?;
    let name = inherit::join(&read.file, named);
    if chain.contains(&name) {
        let way = [chain, &[name]].concat().join(" -> ");
        read.error(node.span, format!("the policy extends itself: {way}"));
        return None;
    }
    if chain.len() >= LONGEST_CHAIN {
        read.error(node.span, format!("more than {LONGEST_CHAIN} policies extend one another"));
        return None;
    }
    let is_file = inherit::is_file(named);
    let text = match (known.base)(&name) {
        Ok(text) => text,
        Err(why) if is_file => {
            read.error(node.span, format!("cannot read the policy '{name}' that this one extends: {why}"));
            return None;
        }
        Err(_) => {
            read.unknown(node.span, "policy", named, &BUILT_IN);
            return None;
        }
    };
    let (base, diagnostics) = yaml_in_chain(&name, &text, known, &[chain, std::slice::from_ref(&name)].concat());
    if known.shows_bases || !is_file {
        read.diagnostics.extend(diagnostics);
    } else if base.is_none() {
        let hint = format!("gilaudit policy check {name} shows what");
        read.error_with_hint(
            node.span,
            format!("something is wrong with the policy '{name}' that this one extends"),
            hint,
        );
    }
    base
}

fn targets(read: &mut Reader, node: &Node) -> Option<Said<Targets>> {
    let items: Vec<&Node> = match &node.value {
        Value::List(items) if items.is_empty() => {
            read.error(node.span, "'targets' is an empty list: the policy would be for no interpreter");
            return None;
        }
        Value::List(items) => items.iter().collect(),
        _ => vec![node],
    };
    let mut written = Vec::new();
    for item in &items {
        let text = read.text(item, "a target")?;
        if let Err((_, error)) = Targets::parse(&[text]) {
            read.error_with_hint(item.span, error, "a range such as '>=3.14t', or a list such as [3.13t, 3.14t]");
            return None;
        }
        written.push(text);
    }
    let value = Targets::parse(&written).ok()?;
    Some(Said { value, place: read.place(items.first().map_or(node.span, |item| item.span)) })
}

fn declarations(read: &mut Reader, node: &Node) -> BTreeMap<Status, Said<Action>> {
    let words = Status::ALL.map(Status::as_str);
    let mut said_of = BTreeMap::new();
    for entry in read.table(node, "'declarations'", "declaration", &words) {
        let status = Status::ALL.into_iter().find(|status| status.as_str() == entry.key);
        if let (Some(status), Some(action)) = (status, said(read, &entry.value, "action", &actions())) {
            said_of.insert(status, action);
        }
    }
    said_of
}

fn rules(read: &mut Reader, node: &Node, known: &Known<'_>) -> BTreeMap<String, Said<Level>> {
    let levels = Level::ALL.map(|level| (level.as_str(), level));
    let mut said_of = BTreeMap::new();
    for entry in read.table(node, "'rules'", "rule", known.rules) {
        if let Some(level) = said(read, &entry.value, "level", &levels) {
            said_of.insert(entry.key.clone(), level);
        }
    }
    said_of
}

fn exception(read: &mut Reader, node: &Node) -> Option<Exception> {
    if !matches!(node.value, Value::Table(_)) {
        read.error_with_hint(
            node.span,
            format!("an exception must be a table, and this is {}", node.value.kind()),
            "- match: {module: 'name.*'}, then 'action' and 'reason' below it",
        );
        return None;
    }
    let (mut matches, mut action, mut reason, mut expires, mut expires_span) = (None, None, None, None, node.span);
    let entries = read.table(node, "an exception", "key", &EXCEPTION_KEYS);
    for entry in &entries {
        match entry.key.as_str() {
            "match" => matches = matched(read, &entry.value, entry.key_span),
            "action" => action = read.word(&entry.value, "action", &actions()),
            "reason" => {
                reason = read.prose(&entry.value, "'reason'");
                if reason == Some("") {
                    read.error(entry.value.span, "the reason is empty");
                }
            }
            _ => {
                expires_span = entry.value.span;
                expires = read.text(&entry.value, "'expires'").and_then(|text| match text.parse::<Date>() {
                    Ok(date) => Some(date),
                    Err(error) => {
                        read.error(entry.value.span, error);
                        None
                    }
                });
            }
        }
    }
    for (key, why) in [
        ("match", "it would match nothing"),
        ("action", "it would do nothing"),
        ("reason", "whoever reads it later must know why it is there"),
    ] {
        // Misspelt is not missing: that was said already.
        let is_key = |found: &str| {
            found == key || (!EXCEPTION_KEYS.contains(&found) && nearest(found, EXCEPTION_KEYS) == Some(key))
        };
        let given = matches!(&node.value, Value::Table(entries) if entries.iter().any(|entry| is_key(&entry.key)));
        if !given {
            read.error_with_hint(node.span, format!("the exception has no '{key}'"), why);
        }
    }
    // Without a reason or a date the policy is refused, but its place among the others can be looked at all the same.
    Some(Exception {
        matches: matches?,
        action: action?,
        reason: reason.unwrap_or_default().to_owned(),
        expires,
        place: read.place(node.span),
        expires_place: read.place(expires_span),
        inherited: false,
    })
}

fn matched(read: &mut Reader, node: &Node, key: Span) -> Option<Match> {
    fn parsed<T>(read: &mut Reader, node: &Node, key: &str, parse: fn(&str) -> Result<T, String>) -> Option<T> {
        let text = read.text(node, &format!("'{key}'"))?;
        parse(text).map_err(|error| read.error(node.span, error)).ok()
    }
    let mut matches = Match::default();
    let before = read.diagnostics.len();
    for entry in read.table(node, "'match'", "condition", &MATCH_KEYS) {
        let value = &entry.value;
        match entry.key.as_str() {
            "module" => matches.module = parsed(read, value, "module", ModuleGlob::parse),
            "distribution" => matches.distribution = parsed(read, value, "distribution", DistributionRange::parse),
            _ => matches.sha256 = parsed(read, value, "sha256", Sha256::parse),
        }
    }
    if read.diagnostics.len() > before {
        return None;
    }
    if matches.module.is_none() && matches.distribution.is_none() && matches.sha256.is_none() {
        let hint = format!("at least one of {}", MATCH_KEYS.join(", "));
        read.error_with_hint(key, "'match' has no condition, so that the exception would hold for everything", hint);
        return None;
    }
    Some(matches)
}

fn warnings(read: &mut Reader, node: &Node) -> Vec<Filter> {
    let filters = list_of(read, node, "'warnings'", |read, node| {
        let text = read.text(node, "a warning filter")?;
        match Filter::parse(text, read.place(node.span)) {
            Ok(filter) => Some(filter),
            Err((error, hint)) => {
                let diagnostic = Diagnostic::error(read.place(node.span), error);
                read.diagnostics.push(match hint {
                    Some(hint) => diagnostic.hint(hint),
                    None => diagnostic,
                });
                None
            }
        }
    });
    let mut last = BTreeMap::new();
    for filter in filters.iter().rev() {
        let Some(later) = last.get(&filter.selection()) else {
            last.insert(filter.selection(), filter);
            continue;
        };
        read.diagnostics.push(if later.effect == filter.effect {
            Diagnostic::warning(
                filter.place.clone(),
                format!("never reached: the filter at {} selects the same", later.place),
            )
        } else {
            Diagnostic::error(
                filter.place.clone(),
                format!("contradicts the filter at {}: both select the same warnings", later.place),
            )
            .hint("the last one would win, as with python -W; keep one")
        });
    }
    filters
}
