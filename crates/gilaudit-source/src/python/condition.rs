//! Conditions that the target decides: its version, its system, whether the file is a script, type checking.

use gilaudit_model::{ImportKind, Os};
use tree_sitter::Node;

use super::Reading;

/// What a condition is, and why when it is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    /// It holds; imports in the other branch are of this kind.
    Yes(ImportKind),
    /// It does not; imports in its branch are of this kind.
    No(ImportKind),
    /// It cannot be told.
    Open,
}

impl Truth {
    fn of(holds: bool, why: ImportKind) -> Self {
        if holds { Self::Yes(why) } else { Self::No(why) }
    }

    fn not(self) -> Self {
        match self {
            Self::Yes(why) => Self::No(why),
            Self::No(why) => Self::Yes(why),
            Self::Open => Self::Open,
        }
    }
}

/// How deep a condition is looked into.
const DEEPEST: usize = 32;

pub(super) fn truth(node: Node<'_>, text: &[u8], reading: &Reading) -> Truth {
    evaluate(node, text, reading, 0)
}

fn source<'t>(node: Node<'_>, text: &'t [u8]) -> &'t str {
    text.get(node.byte_range()).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
}

fn evaluate(node: Node<'_>, text: &[u8], reading: &Reading, depth: usize) -> Truth {
    if depth > DEEPEST {
        return Truth::Open;
    }
    let inner =
        |index: u32| node.named_child(index).map_or(Truth::Open, |node| evaluate(node, text, reading, depth + 1));
    match node.kind() {
        "parenthesized_expression" => inner(0),
        "not_operator" => inner(0).not(),
        "boolean_operator" => {
            let is_and = node.child_by_field_name("operator").is_some_and(|operator| operator.kind() == "and");
            let sides = [inner(0), inner(1)];
            let decides =
                |truth: &&Truth| if is_and { matches!(truth, Truth::No(_)) } else { matches!(truth, Truth::Yes(_)) };
            match (sides.iter().find(decides), sides.contains(&Truth::Open)) {
                (Some(truth), _) => *truth,
                (None, true) => Truth::Open,
                (None, false) => sides[1],
            }
        }
        "comparison_operator" => comparison(node, text, reading),
        "true" => Truth::Yes(ImportKind::OtherTarget),
        "false" => Truth::No(ImportKind::OtherTarget),
        "integer" => Truth::of(source(node, text) != "0", ImportKind::OtherTarget),
        "call" => starts_with(node, text, reading),
        _ => match source(node, text).rsplit('.').next() {
            Some("TYPE_CHECKING" | "MYPY_CHECK_RUNNING") => Truth::No(ImportKind::TypeChecking),
            Some("PY2") => Truth::No(ImportKind::OtherTarget),
            Some("PY3") => Truth::Yes(ImportKind::OtherTarget),
            _ => Truth::Open,
        },
    }
}

/// `left op right`, with one operator.
fn comparison(node: Node<'_>, text: &[u8], reading: &Reading) -> Truth {
    if node.named_child_count() != 2 {
        return Truth::Open;
    }
    let (Some(left), Some(right)) = (node.named_child(0), node.named_child(1)) else { return Truth::Open };
    let between = text.get(left.end_byte()..right.start_byte()).unwrap_or_default();
    let operator = std::str::from_utf8(between).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    let target = ImportKind::OtherTarget;
    match source(left, text) {
        "sys.version_info" | "sys.version_info[:2]" | "sys.version_info[0:2]" | "version_info" => {
            version(&[3, i64::from(reading.version.minor())], &operator, right, text)
        }
        "sys.version_info[0]" | "sys.version_info.major" => version(&[3], &operator, right, text),
        "sys.version_info[1]" | "sys.version_info.minor" => {
            version(&[i64::from(reading.version.minor())], &operator, right, text)
        }
        "__name__" if source(right, text).trim_matches(['"', '\'']) == "__main__" => match operator.as_str() {
            "==" => Truth::of(reading.main, ImportKind::Main),
            "!=" => Truth::of(!reading.main, ImportKind::Main),
            _ => Truth::Open,
        },
        name => {
            let Some(values) = values(name, reading) else { return Truth::Open };
            let literals = strings(right, text);
            let is_among = values.iter().any(|value| literals.iter().any(|literal| literal == value));
            match operator.as_str() {
                "==" | "in" if !literals.is_empty() => Truth::of(is_among, target),
                "!=" | "not in" if !literals.is_empty() => Truth::of(!is_among, target),
                _ => Truth::Open,
            }
        }
    }
}

/// What an expression that names the system is on the target.
fn values(name: &str, reading: &Reading) -> Option<&'static [&'static str]> {
    let os = reading.os?;
    match (name, os) {
        ("sys.platform", Os::Linux) => Some(&["linux"]),
        ("sys.platform", Os::MacOs) => Some(&["darwin"]),
        ("sys.platform", Os::Windows) => Some(&["win32"]),
        ("os.name", Os::Windows) => Some(&["nt"]),
        ("os.name", _) => Some(&["posix"]),
        ("platform.system()", Os::Linux) => Some(&["Linux"]),
        ("platform.system()", Os::MacOs) => Some(&["Darwin"]),
        ("platform.system()", Os::Windows) => Some(&["Windows"]),
        ("platform.python_implementation()", _) => Some(&["CPython"]),
        ("sys.implementation.name", _) => Some(&["cpython"]),
        _ => None,
    }
}

/// The literals of a string, tuple, list or set.
fn strings(node: Node<'_>, text: &[u8]) -> Vec<String> {
    let literal = |node: Node<'_>| source(node, text).trim_matches(['"', '\'']).to_owned();
    match node.kind() {
        "string" => vec![literal(node)],
        "tuple" | "list" | "set" => {
            let children =
                (0..node.named_child_count().min(64)).filter_map(|index| node.named_child(u32::try_from(index).ok()?));
            let all: Vec<Node<'_>> = children.collect();
            if all.iter().all(|node| node.kind() == "string") {
                all.into_iter().map(literal).collect()
            } else {
                Vec::new()
            }
        }
        _ => Vec::new(),
    }
}

/// Compares as Python compares tuples. `have` may be longer than what is written, as `sys.version_info` is.
fn version(have: &[i64], operator: &str, right: Node<'_>, text: &[u8]) -> Truth {
    let written: Option<Vec<i64>> = match right.kind() {
        "integer" => source(right, text).parse().ok().map(|number| vec![number]),
        "tuple" => {
            let children =
                (0..right.named_child_count().min(8)).filter_map(|index| right.named_child(u32::try_from(index).ok()?));
            children.map(|node| source(node, text).parse().ok()).collect()
        }
        _ => None,
    };
    let Some(written) = written.filter(|written| !written.is_empty()) else { return Truth::Open };
    let compared = have.iter().zip(&written).map(|(have, written)| have.cmp(written)).find(|order| order.is_ne());
    let order = match compared {
        Some(order) => order,
        // Equal as far as it goes: sys.version_info has more to it than a pair, and its micro version is not known.
        None if written.len() > have.len() => return Truth::Open,
        None if have.len() > 1 && source(right, text).starts_with('(') && operator != "==" && operator != "!=" => {
            match operator {
                ">" if written.len() <= have.len() => std::cmp::Ordering::Greater,
                "<=" => std::cmp::Ordering::Greater,
                _ => std::cmp::Ordering::Equal,
            }
        }
        None => std::cmp::Ordering::Equal,
    };
    let holds = match operator {
        ">=" => order.is_ge(),
        ">" => order.is_gt(),
        "<=" => order.is_le(),
        "<" => order.is_lt(),
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        _ => return Truth::Open,
    };
    Truth::of(holds, ImportKind::OtherTarget)
}

/// `sys.platform.startswith("win")`.
fn starts_with(node: Node<'_>, text: &[u8], reading: &Reading) -> Truth {
    let Some(function) = node.child_by_field_name("function") else { return Truth::Open };
    let Some(name) = source(function, text).strip_suffix(".startswith") else { return Truth::Open };
    let argument = node.child_by_field_name("arguments").and_then(|arguments| arguments.named_child(0));
    let literals = argument.map(|argument| strings(argument, text)).unwrap_or_default();
    match values(name, reading) {
        Some(values) if !literals.is_empty() => {
            let starts = values.iter().any(|value| literals.iter().any(|literal| value.starts_with(literal.as_str())));
            Truth::of(starts, ImportKind::OtherTarget)
        }
        _ => Truth::Open,
    }
}
