//! The macros that a project defines, and what each is good for.

#![allow(
    clippy::indexing_slicing,
    reason = "indices of lists made here; whoever calls catches a mistake as a problem of the project"
)]

use foldhash::HashMap;

use super::token::{Kind, Token, tokens};

/// Longer bodies are kept, but never expanded.
const LONGEST: usize = 16 * 1024;

/// What a macro stands for, as its body shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A value.
    Expression,
    /// `do { … } while (0)`, a block, or several statements.
    Statement,
    /// Nothing the parser needs: attributes, linkage, nothing at all.
    Attribute,
    /// `__thread` and the like.
    ThreadLocal,
    /// A loop or condition that wants a body behind it.
    LoopHead,
    /// Leaves braces open, or closes ones that it did not open.
    Unbalanced,
    /// Definitions at file scope.
    Definition,
    /// Token pasting and other things that cannot be followed.
    Other,
}

/// A `#define`.
#[derive(Clone, Debug)]
pub(crate) struct Macro {
    /// The names of its parameters, if it takes any.
    pub(crate) parameters: Option<Vec<Box<str>>>,
    pub(crate) variadic: bool,
    /// Its body, without comments and continuations.
    pub(crate) body: Box<str>,
    pub(crate) role: Role,
    /// What it is once its `##` are carried out; `None` if there are none, or it cannot be followed all the same.
    pub(crate) pasted: Option<Role>,
}

/// Macros by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct MacroTable {
    macros: HashMap<Box<str>, Macro>,
}

impl MacroTable {
    pub(crate) fn get(&self, name: &str) -> Option<&Macro> {
        self.macros.get(name)
    }

    /// Adds a definition; a second one that only says less (an empty body) does not replace the first.
    pub(crate) fn define(&mut self, name: &str, defined: Macro) {
        match self.macros.get_mut(name) {
            Some(known) if defined.body.is_empty() && !known.body.is_empty() => {}
            Some(known) => *known = defined,
            None => {
                self.macros.insert(name.into(), defined);
            }
        }
    }

    /// Adds all definitions of another table.
    pub(crate) fn merge(&mut self, other: Self) {
        let mut macros: Vec<(Box<str>, Macro)> = other.macros.into_iter().collect();
        macros.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, defined) in macros {
            self.define(&name, defined);
        }
    }

    pub(crate) fn undefine(&mut self, name: &str) {
        self.macros.remove(name);
    }
}

/// Reads what stands behind `#define`: the name and the macro.
pub(crate) fn parse(text: &str) -> Option<(String, Macro)> {
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    let source = joined.as_bytes();
    let all: Vec<Token> = tokens(source);
    let mut rest =
        all.iter().filter(|token| token.kind != Kind::Comment).copied().collect::<Vec<_>>().into_iter().peekable();
    let first = rest.next().filter(|token| token.kind == Kind::Ident)?;
    let name = first.text(source).to_owned();
    let (mut parameters, mut variadic) = (None, false);
    let mut body_start = first.end;
    if rest.peek().is_some_and(|token| token.text(source) == "(" && token.start == first.end) {
        let mut names = Vec::new();
        for token in rest.by_ref() {
            body_start = token.end;
            match token.text(source) {
                ")" => break,
                "." => variadic = true,
                text if token.kind == Kind::Ident => names.push(text.into()),
                _ => {}
            }
        }
        parameters = Some(names);
    }
    let mut body = String::new();
    let mut at = body_start;
    for token in all.iter().filter(|token| token.start >= body_start) {
        if token.kind == Kind::Comment {
            body.push_str(joined.get(at..token.start).unwrap_or_default());
            body.push(' ');
            at = token.end;
        }
    }
    body.push_str(joined.get(at..).unwrap_or_default());
    let body = body.trim();
    let takes = parameters.is_some();
    let pasted = body.contains("##").then(|| role(&paste(body, |_| None), takes));
    let pasted = pasted.filter(|role| matches!(role, Role::Expression | Role::Statement | Role::Unbalanced));
    let role = role(body, takes);
    Some((name, Macro { parameters, variadic, body: body.into(), role, pasted }))
}

/// A body with its `##` carried out; `argument` gives what a parameter beside one stands for.
pub(crate) fn paste(body: &str, argument: impl Fn(&str) -> Option<String>) -> String {
    let source = body.as_bytes();
    let tokens = tokens(source);
    let is_paste =
        |index: Option<usize>| index.and_then(|index| tokens.get(index)).is_some_and(|it| it.text(source) == "##");
    let (mut out, mut at) = (String::with_capacity(body.len()), 0);
    for (index, token) in tokens.iter().enumerate() {
        let glued = is_paste(index.checked_sub(1));
        if !glued && !is_paste(Some(index)) {
            out.push_str(body.get(at..token.start).unwrap_or_default());
        }
        at = token.end;
        if is_paste(Some(index)) {
            continue;
        }
        let text = token.text(source);
        let beside = glued || is_paste(Some(index + 1));
        out.push_str(&beside.then(|| argument(text)).flatten().unwrap_or_else(|| text.to_owned()));
    }
    out
}

/// What a body is good for.
fn role(body: &str, takes_parameters: bool) -> Role {
    if body.is_empty() {
        return Role::Attribute;
    }
    if body.len() > LONGEST || body.contains("##") || body.contains('#') {
        return Role::Other;
    }
    let source = body.as_bytes();
    let tokens = tokens(source);
    let texts: Vec<&str> = tokens.iter().map(|token| token.text(source)).collect();
    let only = |words: &[&str]| {
        let mut depth = 0;
        texts.iter().all(|text| match *text {
            "(" => {
                depth += 1;
                true
            }
            ")" => {
                depth -= 1;
                true
            }
            text => depth > 0 || words.contains(&text),
        })
    };
    const THREAD: [&str; 5] = ["__thread", "_Thread_local", "thread_local", "__declspec", "static"];
    if only(&THREAD)
        && texts.iter().any(|text| matches!(*text, "__thread" | "_Thread_local" | "thread_local" | "thread"))
    {
        return Role::ThreadLocal;
    }
    const ATTRIBUTES: [&str; 16] = [
        "__attribute__",
        "__declspec",
        "static",
        "inline",
        "__inline",
        "__inline__",
        "__forceinline",
        "extern",
        "__restrict",
        "__restrict__",
        "restrict",
        "__stdcall",
        "__cdecl",
        "register",
        "__extension__",
        "noexcept",
    ];
    if only(&ATTRIBUTES) && texts.first().is_none_or(|text| *text != "(")
        || texts.first() == Some(&"[") && body.starts_with("[[")
    {
        return Role::Attribute;
    }
    if let [only] = texts.as_slice()
        && (only.ends_with("_THREADS") || only.contains("CRITICAL_SECTION"))
    {
        return Role::Statement;
    }
    let (mut braces, mut lowest) = (0i32, 0i32);
    // Definitions have no statements outside of braces.
    let mut has_statement = false;
    for text in &texts {
        match *text {
            "{" => braces += 1,
            "}" => braces -= 1,
            "if" | "for" | "while" | "do" | "switch" => has_statement |= braces == 0,
            _ => {}
        }
        lowest = lowest.min(braces);
    }
    if braces != 0 || lowest < 0 {
        return Role::Unbalanced;
    }
    // `Py_END_ALLOW_THREADS HANDLE_ERROR`: nothing stands between the two.
    let is_region = |text: &&str| {
        (text.starts_with("Py_BEGIN_") || text.starts_with("Py_END_"))
            && (text.ends_with("_THREADS") || text.contains("CRITICAL_SECTION"))
    };
    if texts.iter().any(is_region) {
        return Role::Statement;
    }
    let first = texts.first().copied().unwrap_or("");
    let last = texts.last().copied().unwrap_or("");
    if matches!(first, "for" | "while" | "if") && last == ")" {
        return Role::LoopHead;
    }
    if texts.contains(&"return") && !texts.contains(&"{") || texts.contains(&"goto") {
        return Role::Statement;
    }
    if first == "do" || first == "{" || last == ";" || last == "}" && !texts.contains(&"=") && first == "if" {
        // `static int f(x) { … }`, `{ … },` are no statements.
        return if last == "," { Role::Other } else { Role::Statement };
    }
    if matches!(first, "if" | "for" | "while" | "switch" | "return" | "break" | "continue" | "else") {
        return Role::Statement;
    }
    if has_statement {
        return Role::Statement;
    }
    if texts.contains(&"{") {
        let statement_expression = body.starts_with("({") || body.starts_with("( {");
        return if statement_expression { Role::Expression } else { Role::Definition };
    }
    if texts.contains(&";") {
        return Role::Statement;
    }
    const TYPES: [&str; 12] =
        ["int", "char", "void", "long", "unsigned", "short", "double", "float", "struct", "const", "static", "typedef"];
    if TYPES.contains(&first) && !takes_parameters {
        return Role::Other;
    }
    Role::Expression
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles() {
        let role = |text| parse(text).unwrap().1.role;
        assert_eq!(role("GET(l, i) PyList_GET_ITEM(l, i)"), Role::Expression);
        assert_eq!(role("LOCK() PyMutex_Lock(&m);"), Role::Statement);
        assert_eq!(role("LOCK do { PyMutex_Lock(&m); } while (0)"), Role::Statement);
        assert_eq!(role("BEGIN { Py_BEGIN_CRITICAL_SECTION(x)"), Role::Unbalanced);
        assert_eq!(role("FINISH Py_END_ALLOW_THREADS HANDLE_ERROR"), Role::Statement);
        assert_eq!(role("NPY_NO_EXPORT __attribute__((visibility(\"hidden\")))"), Role::Attribute);
        assert_eq!(role("TLS __thread"), Role::ThreadLocal);
        assert_eq!(role("EACH(i, n) for (i = 0; i < n; i++)"), Role::LoopHead);
        assert_eq!(role("F(x) static int x##_f(void) { return 0; }"), Role::Other);
        assert_eq!(role("TAKE(x) int must = f(x); if (must) { g(x); }"), Role::Statement);
        assert_eq!(role("EMPTY /* nothing */"), Role::Attribute);
    }

    #[test]
    fn pasting() {
        let begin = parse("BEGIN(o, n) PyCriticalSection _##n ; PyCriticalSection_Begin(&_ ## n, o);").unwrap().1;
        assert_eq!((begin.role, begin.pasted), (Role::Other, Some(Role::Statement)));
        let text = paste(&begin.body, |name| (name == "n").then(|| "cs".to_owned()));
        assert_eq!(text, "PyCriticalSection _cs ; PyCriticalSection_Begin(&_cs, o);");
        assert_eq!(parse("F(x) static int x##_f(void) { return 0; }").unwrap().1.pasted, None);
        assert_eq!(parse("S(x) x##_f(#x)").unwrap().1.pasted, None);
    }

    #[test]
    fn parts() {
        let (name, parsed) = parse("F(a, b, ...) \\\n  g(a, /* c */ b)").unwrap();
        assert_eq!((name.as_str(), parsed.variadic, &*parsed.body), ("F", true, "g(a,   b)"));
        assert_eq!(parsed.parameters.unwrap(), ["a".into(), "b".into()] as [Box<str>; 2]);
    }
}
