//! `meson.build`: `py.extension_module('name', …)`, and the arguments that Cython gets.

use gilaudit_model::source::Span;
use gilaudit_model::source::build::{BuildDirective, BuildFile, BuildModule, Maker};

use super::{join, macros};

pub(super) fn read(text: &str, folder: &str, build: &mut BuildFile) {
    let code = without_comments(text);
    let mut from = 0;
    while let Some(found) = code.get(from..).and_then(|rest| rest.find(".extension_module(")) {
        let start = from + found + ".extension_module(".len();
        let end = closing(&code, start);
        from = end;
        let call = code.get(start..end).unwrap_or_default();
        let strings = strings(call, start);
        let leads = call.trim_start().starts_with('\'');
        let Some((name, span)) = strings.first().filter(|_| leads) else {
            build.computed = true;
            continue;
        };
        let subdir = keyword(call, "subdir").unwrap_or_default();
        let package = subdir.trim_matches('/').replace('/', ".");
        let name = if package.is_empty() || package == "." { (*name).to_owned() } else { format!("{package}.{name}") };
        let sources = strings.iter().skip(1).filter(|(source, _)| is_source(source));
        build.modules.push(BuildModule {
            name: name.into(),
            span: *span,
            sources: sources.filter_map(|(source, _)| join(folder, source)).collect(),
            maker: Maker::Compiler,
            limited_api: call.contains("limited_api"),
        });
    }
    const DIRECTIVE: &str = "freethreading_compatible=";
    for (at, _) in code.match_indices(DIRECTIVE) {
        let rest = code.get(at + DIRECTIVE.len()..).unwrap_or_default();
        let value: String = rest.chars().take_while(|letter| letter.is_ascii_alphanumeric()).collect();
        build.directives.push(BuildDirective {
            name: "freethreading_compatible".into(),
            span: Span { start: at as u32, end: (at + DIRECTIVE.len() + value.len()) as u32 },
            value: value.into(),
            condition: None,
        });
    }
    defined(&code, build);
}

/// `-DPy_…` among the arguments of a compiler, and `limited_api: '3.9'`.
fn defined(code: &str, build: &mut BuildFile) {
    const LIMITED: &str = "limited_api";
    let asks = macros::asks(code);
    let mut at = 0;
    // For each `if` that is open, whether it asks for more than the platform.
    let mut open: Vec<bool> = Vec::new();
    for line in code.split_inclusive('\n') {
        let statement = line.trim();
        if let Some(condition) = statement.strip_prefix("if ") {
            open.push(!macros::is_platform_only(condition));
        } else if statement.starts_with("endif") {
            open.pop();
        }
        let conditional = asks || open.contains(&true) || line.contains('?');
        for (found, _) in line.match_indices("-DPy_") {
            let rest = line.get(found..).unwrap_or_default();
            let word = rest.split(|letter: char| letter == '\'' || letter.is_whitespace()).next().unwrap_or_default();
            let span = Span { start: (at + found) as u32, end: (at + found + word.len()) as u32 };
            build.macros.extend(macros::argument(word, conditional, span));
        }
        if let Some((before, rest)) = line.split_once(LIMITED)
            && let Some(value) = rest.trim_start().strip_prefix(':')
        {
            let value = value.trim_start().strip_prefix('\'').and_then(|value| value.split('\'').next());
            let start = at + before.len();
            let span = Span { start: start as u32, end: (start + LIMITED.len()) as u32 };
            build.limited_api.extend(value.and_then(|value| macros::limited(LIMITED, value, conditional, span)));
        }
        at += line.len();
    }
}

fn is_source(name: &str) -> bool {
    [".c", ".cc", ".cpp", ".cxx", ".pyx", ".pyx.in", ".py"].iter().any(|end| name.ends_with(end))
}

/// The text with comments blanked; every byte stays where it is.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut quoted, mut comment) = (false, false);
    for letter in text.chars() {
        match letter {
            '\n' => (quoted, comment) = (false, false),
            '\'' if !comment => quoted = !quoted,
            '#' if !quoted => comment = true,
            _ => {}
        }
        if comment {
            out.extend(std::iter::repeat_n(' ', letter.len_utf8()));
        } else {
            out.push(letter);
        }
    }
    out
}

/// Where the parenthesis that was opened before `start` is closed.
fn closing(code: &str, start: usize) -> usize {
    let mut depth = 1usize;
    let mut quoted = false;
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'\'' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    code.len()
}

/// The strings of a call, with their places.
fn strings(call: &str, offset: usize) -> Vec<(&str, Span)> {
    let mut out = Vec::new();
    let mut open: Option<usize> = None;
    for (at, byte) in call.bytes().enumerate() {
        if byte != b'\'' {
            continue;
        }
        match open.take() {
            None => open = Some(at + 1),
            Some(start) => {
                let span = Span { start: (offset + start) as u32, end: (offset + at) as u32 };
                out.push((call.get(start..at).unwrap_or_default(), span));
            }
        }
    }
    out
}

/// The string that a keyword argument has: `subdir: 'pkg'`, also `'pkg/sub'`.
fn keyword<'c>(call: &'c str, name: &str) -> Option<&'c str> {
    let at = call.find(&format!("{name}:")).or_else(|| call.find(&format!("{name} :")))?;
    let rest = call.get(at + name.len()..)?.trim_start_matches([' ', ':']);
    rest.strip_prefix('\'')?.split('\'').next()
}
