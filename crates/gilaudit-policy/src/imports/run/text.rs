//! Texts: what is known of them when they are put together, taken apart and compared.

use std::rc::Rc;

use gilaudit_model::program::Comparison;

use super::super::value::Value;

/// Whether what was made is a path object.
pub(super) fn is_path(what: &str) -> bool {
    matches!(what, "pathlib.Path" | "pathlib.PurePath" | "pathlib.PosixPath" | "pathlib.PurePosixPath")
}

/// The text of a value as `str()` gives it, when that is known.
fn shown(value: &Value) -> Option<Rc<str>> {
    Some(match value {
        Value::Str(text) => Rc::clone(text),
        Value::Int(number) => number.to_string().into(),
        Value::None => "None".into(),
        Value::Bool(value) => if *value { "True" } else { "False" }.into(),
        Value::Made(made) if is_path(&made.what) => made.args.plain.first().and_then(shown)?,
        _ => return None,
    })
}

/// Texts after each other.
pub(super) fn concat(parts: &[Value]) -> Value {
    // One part that is one of several gives one of several.
    if let Some(at) = parts.iter().position(|part| matches!(part, Value::OneOf(_)))
        && parts.iter().filter(|part| matches!(part, Value::OneOf(_))).count() <= 2
    {
        let each = parts.get(at).map(Value::each).unwrap_or_default();
        let one = |value: Value| {
            let mut parts = parts.to_vec();
            if let Some(place) = parts.get_mut(at) {
                *place = value;
            }
            concat(&parts)
        };
        return each.into_iter().map(one).reduce(Value::or).unwrap_or(Value::Unknown);
    }
    let mut text = String::new();
    let (mut open, mut imports, mut known) = (false, false, false);
    for part in parts {
        match shown(part) {
            Some(part) if !open => {
                known |= !part.trim().is_empty();
                imports |= part.contains("import");
                text.push_str(&part);
            }
            Some(part) => {
                known |= !part.trim().is_empty();
                imports |= part.contains("import");
            }
            None => {
                if let Value::Text(begin, also) = part {
                    known = true;
                    imports |= also;
                    if !open {
                        text.push_str(begin);
                    }
                }
                open = true;
            }
        }
    }
    match (open, known) {
        (false, _) => Value::text(&text),
        // No name has such letters: it is code or prose, of which the beginning says nothing.
        (true, true) if text.contains([' ', '\n', '(', '=', '{']) => Value::Text("".into(), imports),
        (true, true) => Value::Text(text.into(), imports),
        (true, false) => Value::Unknown,
    }
}

/// `"%s.%s" % (a, b)`.
pub(super) fn percent(format: &str, args: &[Value]) -> Value {
    let mut parts = Vec::new();
    let mut rest = format;
    let mut args = args.iter();
    while let Some(at) = rest.find('%') {
        parts.push(Value::text(rest.get(..at).unwrap_or_default()));
        rest = rest.get(at + 1..).unwrap_or_default();
        match rest.chars().next() {
            Some('%') => parts.push(Value::text("%")),
            Some('s' | 'd') => parts.push(args.next().cloned().unwrap_or(Value::Unknown)),
            _ => {
                parts.push(Value::Unknown);
                let end = rest.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(0);
                rest = rest.get(end..).unwrap_or_default();
                args.next();
            }
        }
        let width = rest.chars().next().map_or(0, char::len_utf8);
        rest = rest.get(width..).unwrap_or_default();
    }
    parts.push(Value::text(rest));
    concat(&parts)
}

/// `"{}.{name}".format(a, name=b)`.
pub(super) fn format(format: &str, plain: &[Value], named: &dyn Fn(&str) -> Option<Value>) -> Value {
    let mut parts = Vec::new();
    let mut rest = format;
    let mut next = 0_usize;
    while let Some(at) = rest.find(['{', '}']) {
        parts.push(Value::text(rest.get(..at).unwrap_or_default()));
        let bracket = rest.get(at..at + 1).unwrap_or_default();
        rest = rest.get(at + 1..).unwrap_or_default();
        if rest.starts_with(bracket) {
            parts.push(Value::text(bracket));
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let Some(end) = rest.find('}') else { break };
        let field = rest.get(..end).unwrap_or_default();
        rest = rest.get(end + 1..).unwrap_or_default();
        let value = if field.is_empty() {
            next += 1;
            plain.get(next - 1).cloned()
        } else if let Ok(index) = field.parse::<usize>() {
            plain.get(index).cloned()
        } else {
            named(field)
        };
        parts.push(value.unwrap_or(Value::Unknown));
    }
    parts.push(Value::text(rest));
    concat(&parts)
}

/// `left operator right`, when it can be told.
pub(super) fn compare(operator: Comparison, left: &Value, right: &Value) -> Option<bool> {
    if let (Value::OneOf(_), _) | (_, Value::OneOf(_)) = (left, right) {
        let mut all: Option<bool> = None;
        for one in left.each() {
            for two in right.each() {
                let this = compare(operator, &one, &two)?;
                if all.is_some_and(|all| all != this) {
                    return None;
                }
                all = Some(this);
            }
        }
        return all;
    }
    match operator {
        Comparison::Equal | Comparison::Is => left.same(right),
        Comparison::NotEqual | Comparison::IsNot => left.same(right).map(|same| !same),
        Comparison::In => contains(left, right),
        Comparison::NotIn => contains(left, right).map(|is| !is),
        Comparison::Less | Comparison::LessEqual | Comparison::Greater | Comparison::GreaterEqual => {
            let order = order(left, right)?;
            Some(match operator {
                Comparison::Less => order.is_lt(),
                Comparison::LessEqual => order.is_le(),
                Comparison::Greater => order.is_gt(),
                _ => order.is_ge(),
            })
        }
    }
}

fn order(left: &Value, right: &Value) -> Option<std::cmp::Ordering> {
    match (left, right) {
        (Value::Int(one), Value::Int(two)) => Some(one.cmp(two)),
        (Value::Str(one), Value::Str(two)) => Some(one.cmp(two)),
        (Value::Seq(one), Value::Seq(two)) => {
            let (first, second) = (one.items.borrow(), two.items.borrow());
            for (one, two) in first.iter().zip(second.iter()) {
                let order = order(one, two)?;
                if order.is_ne() {
                    return Some(order);
                }
            }
            // What is open goes on after what is known, as `sys.version_info` does.
            match (one.open.get(), two.open.get()) {
                (false, false) => Some(first.len().cmp(&second.len())),
                (true, false) if first.len() >= second.len() => Some(std::cmp::Ordering::Greater),
                _ => None,
            }
        }
        _ => None,
    }
}

fn contains(item: &Value, all: &Value) -> Option<bool> {
    match (item, all) {
        (Value::Str(part), Value::Str(whole)) => Some(whole.contains(&**part)),
        (_, Value::Seq(seq)) => {
            let mut open = seq.open.get();
            for other in seq.items.borrow().iter() {
                match item.same(other) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None => open = true,
                }
            }
            (!open).then_some(false)
        }
        (_, Value::Dict(dict)) if dict.of_module.is_none() => {
            let mut open = dict.open.get();
            for (other, _) in dict.pairs.borrow().iter() {
                match item.same(other) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None => open = true,
                }
            }
            (!open).then_some(false)
        }
        _ => None,
    }
}

/// A path without `.` and `..` where they can be resolved.
pub(in super::super) fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            "" if !parts.is_empty() => {}
            ".." if parts.last().is_some_and(|last| !matches!(*last, "" | "..")) => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    match parts.as_slice() {
        [] => ".".to_owned(),
        [""] => "/".to_owned(),
        _ => parts.join("/"),
    }
}

/// The folder of a path, as `os.path.dirname` gives it.
pub(super) fn folder(path: &str) -> String {
    match path.rsplit_once('/') {
        Some(("", _)) => "/".to_owned(),
        Some((folder, _)) => folder.to_owned(),
        None => String::new(),
    }
}

pub(super) fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// A path below a folder, as `os.path.join` gives it.
pub(super) fn below(folder: &str, rest: &str) -> String {
    match (folder, rest) {
        (_, rest) if rest.starts_with('/') => rest.to_owned(),
        ("", rest) => rest.to_owned(),
        (folder, rest) => format!("{}/{rest}", folder.trim_end_matches('/')),
    }
}
