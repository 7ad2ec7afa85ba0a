//! `#if` … `#endif`: which lines are active in a configuration, and what guards them.

#![allow(
    clippy::indexing_slicing,
    reason = "indices of lists made here; whoever calls catches a mistake as a problem of the project"
)]

use std::collections::HashSet;
use std::ops::Range;

use super::condition::{self, Known};
use super::configuration::Configuration;
use super::macros::{self, Macro, MacroTable};
use super::token::{Kind, Token};

/// The most branches of one conditional whose conditions are spelt out.
const BRANCHES: usize = 64;

/// A condition of the preprocessor and what it guards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guard {
    pub(crate) range: Range<usize>,
    pub(crate) condition: Box<str>,
    pub(crate) known: bool,
}

/// What the directives of one file say.
#[derive(Debug, Default)]
pub(crate) struct Directives {
    /// Text that is not active.
    pub(crate) inactive: Vec<Range<usize>>,
    pub(crate) guards: Vec<Guard>,
    /// The part of the inactive text whose conditions could be evaluated.
    pub(crate) left_out: Vec<Range<usize>>,
    /// What is included by active directives, and where.
    pub(crate) includes: Vec<(Box<str>, u32)>,
    /// What the file itself defines.
    pub(crate) local: MacroTable,
}

/// One `#if` that is open.
struct Open {
    /// Where the text of its current branch begins.
    from: usize,
    /// Whether the text around it is active.
    outer: bool,
    /// Whether this branch is taken.
    active: bool,
    /// Whether one of its branches was.
    taken: bool,
    conditions: Vec<String>,
    known: bool,
}

/// What is known of a macro at some line.
fn lookup(
    name: &str,
    cpp: bool,
    configuration: Configuration,
    undefined: &HashSet<String>,
    local: &MacroTable,
    project: &MacroTable,
) -> Known {
    if let Some(builtin) = configuration.builtin(name, cpp) {
        return builtin.map_or(Known::Undefined, Known::Value);
    }
    if undefined.contains(name) {
        return Known::Undefined;
    }
    match local.get(name).or_else(|| project.get(name)) {
        Some(Macro { parameters: None, body, .. }) => {
            condition::number(body.trim_matches(['(', ')'])).map_or(Known::Defined, Known::Value)
        }
        Some(_) => Known::Defined,
        // The build defines it, for the build that is read here.
        None if says_free_threaded(name) => Known::Value(1),
        None => Known::Unknown,
    }
}

/// Whether the name of a macro that no file defines says that it is for free-threaded Python: `FOO_FREE_THREADED`.
fn says_free_threaded(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let says =
        ["FREE_THREADED", "FREE_THREADING", "FREETHREADED", "FREETHREADING", "GIL_DISABLED", "DISABLE_GIL", "NOGIL"];
    says.iter().any(|word| name == *word || name.strip_suffix(word).is_some_and(|rest| rest.ends_with('_')))
}

/// A line of the preprocessor, taken apart once for all configurations.
pub(crate) struct Line {
    token: Token,
    word: String,
    rest: String,
    /// The macro that it defines.
    defines: Option<(String, Macro)>,
}

/// The lines of the preprocessor among `tokens`.
pub(crate) fn lines(source: &str, tokens: &[Token]) -> Vec<Line> {
    tokens
        .iter()
        .filter(|token| token.kind == Kind::Directive)
        .map(|token| {
            let text = source.get(token.start..token.end).unwrap_or_default();
            let text = text.trim_start_matches('#').trim_start();
            let split = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
            let (word, rest) = text.split_at(split);
            let rest = rest.trim();
            let defines = if word == "define" { macros::parse(rest) } else { None };
            Line { token: *token, word: word.to_owned(), rest: rest.to_owned(), defines }
        })
        .collect()
}

/// What the lines of a file say in one configuration.
pub(crate) fn read(
    source: &str,
    lines: &[Line],
    cpp: bool,
    configuration: Configuration,
    project: &MacroTable,
) -> Directives {
    let mut out = Directives::default();
    let mut undefined: HashSet<String> = HashSet::new();
    let mut stack: Vec<Open> = Vec::new();
    for (index, Line { token, word, rest, defines }) in lines.iter().enumerate() {
        let active = stack.last().is_none_or(|open| open.active);
        let evaluate = |text: &str, undefined: &HashSet<String>, local: &MacroTable| {
            let lookup = |name: &str| lookup(name, cpp, configuration, undefined, local, project);
            condition::evaluate(text, configuration.unknown(), &lookup)
        };
        match word.as_str() {
            "if" | "ifdef" | "ifndef" => {
                let (text, mut value) = match word.as_str() {
                    "if" => (rest.clone(), evaluate(rest, &undefined, &out.local)),
                    other => {
                        let name = rest.split_whitespace().next().unwrap_or_default();
                        let text = format!("defined({name})");
                        let mut value = evaluate(&text, &undefined, &out.local);
                        if other == "ifndef" {
                            value.value = i64::from(value.value == 0);
                            let guards_include = lines.get(index + 1).is_some_and(|next| {
                                next.word == "define"
                                    && next.rest.split(|c: char| !c.is_alphanumeric() && c != '_').next() == Some(name)
                            });
                            if guards_include
                                && out.local.get(name).is_none()
                                && configuration.builtin(name, cpp).is_none()
                            {
                                value = condition::Value { value: 1, known: true };
                            }
                            (format!("!{text}"), value)
                        } else {
                            (text, value)
                        }
                    }
                };
                if has_error(lines, index) {
                    value.value = 0;
                }
                let taken = value.value != 0;
                stack.push(Open {
                    from: token.end,
                    outer: active,
                    active: active && taken,
                    taken,
                    conditions: vec![text],
                    known: value.known,
                });
            }
            "elif" | "else" | "elifdef" | "elifndef" => {
                let Some(mut open) = stack.pop() else { continue };
                close(&mut out, &open, token.start);
                let value = match word.as_str() {
                    "else" => condition::Value { value: 1, known: open.known },
                    _ => evaluate(rest, &undefined, &out.local),
                };
                if open.conditions.len() < BRANCHES
                    && let Some(last) = open.conditions.last_mut()
                {
                    *last = format!("!({last})");
                }
                if word == "elif" {
                    // Longer chains are not spelt out: their last branches are taken to depend on something that is not known.
                    if open.conditions.len() < BRANCHES {
                        open.conditions.push(rest.clone());
                    } else {
                        open.known = false;
                    }
                }
                let wanted = value.value != 0 && !open.taken && !has_error(lines, index);
                open.known &= value.known;
                open.active = open.outer && wanted;
                open.taken |= wanted;
                open.from = token.end;
                stack.push(open);
            }
            "endif" => {
                if let Some(open) = stack.pop() {
                    close(&mut out, &open, token.start);
                }
            }
            "define" if active => {
                if let Some((name, defined)) = defines {
                    undefined.remove(name);
                    out.local.define(name, defined.clone());
                }
            }
            "undef" if active => {
                let name = rest.split_whitespace().next().unwrap_or_default();
                out.local.undefine(name);
                undefined.insert(name.to_owned());
            }
            "include" if active => {
                let name = rest.trim_start_matches(['"', '<']);
                let end = name.find(['"', '>']).unwrap_or(name.len());
                out.includes.push((name[..end].into(), token.start as u32));
            }
            _ => {}
        }
    }
    while let Some(open) = stack.pop() {
        close(&mut out, &open, source.len());
    }
    out
}

fn close(out: &mut Directives, open: &Open, end: usize) {
    if open.outer && !open.active {
        out.inactive.push(open.from..end);
        if open.known {
            out.left_out.push(open.from..end);
        }
    }
    if open.active {
        out.guards.push(Guard {
            range: open.from..end,
            condition: open.conditions.join(" && ").into(),
            known: open.known,
        });
    }
}

/// Whether the branch that begins at this directive says `#error` itself: nobody compiles it.
fn has_error(lines: &[Line], index: usize) -> bool {
    let mut depth = 0;
    for line in lines.iter().skip(index + 1).take(200) {
        match line.word.as_str() {
            "if" | "ifdef" | "ifndef" => depth += 1,
            "endif" if depth == 0 => return false,
            "endif" => depth -= 1,
            "else" | "elif" if depth == 0 => return false,
            "error" if depth == 0 => return true,
            _ => {}
        }
    }
    false
}
