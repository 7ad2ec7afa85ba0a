//! Templates: what is not Cython is masked, so that every byte stays where it is.
//!
//! Tempita's commands stand in double braces: `{{for T in types}}`, `{{py: code}}`; anything else in double braces is a value that
//! becomes part of a name. The blocks of both branches of an `{{if}}` are kept. `.src` templates have values between `@`.

use std::borrow::Cow;

use crate::python::logical::is_word;

/// What begins a command; all else is a value.
const COMMANDS: [&str; 11] =
    ["for ", "endfor", "if ", "elif ", "else", "endif", "py:", "def ", "enddef", "default ", "inherit "];

/// The text without the template's own language.
pub(super) fn mask<'t>(path: &str, text: &'t str) -> Cow<'t, str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let tempita = name.ends_with(".in")
        || name.ends_with(".tp")
        || name.contains(".templ.")
        || text.lines().any(|line| command(line.trim_start().strip_prefix("{{").unwrap_or_default()));
    if tempita && text.contains("{{") {
        return Cow::Owned(tempita_masked(text));
    }
    if name.ends_with(".src") && text.contains('@') {
        return Cow::Owned(values_masked(text));
    }
    Cow::Borrowed(text)
}

fn command(inside: &str) -> bool {
    let inside = inside.trim_start_matches('-').trim_start();
    COMMANDS.iter().any(|command| {
        let word = command.trim_end();
        inside.strip_prefix(word).is_some_and(|rest| {
            word.ends_with(':') || rest.bytes().next().is_none_or(|next| !is_word(next) && next != b'(' && next != b'.')
        })
    })
}

fn tempita_masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("{{") {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let length = from.find("}}").map_or(from.len(), |end| end + 2);
        let (part, after) = from.split_at(length);
        let inside = part.get(2..).unwrap_or_default();
        let fill = if command(inside) || inside.starts_with('#') { ' ' } else { '_' };
        for byte in part.bytes() {
            out.push(match byte {
                b'\n' | b'\r' => char::from(byte),
                _ if fill == '_' && byte.is_ascii() && is_word(byte) => char::from(byte),
                _ => fill,
            });
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// `@name@` becomes `_name_`.
fn values_masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('@') {
        out.push_str(before);
        let name = after.bytes().take_while(|byte| byte.is_ascii() && is_word(*byte)).count();
        let (word, tail) = after.split_at(name);
        match tail.strip_prefix('@') {
            Some(tail) if name > 0 => {
                out.extend(["_", word, "_"]);
                rest = tail;
            }
            _ => {
                out.push('@');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn commands_vanish_and_values_are_names() {
        let text = "{{py:\nx = 1\n}}\n{{for T in types}}\ncdef {{T}}_t f{{suffix(T)}}(int x):\n{{endfor}}\n";
        let masked = mask("a.pyx.in", text);
        assert_eq!(masked.len(), text.len());
        assert!(masked.contains("cdef __T___t f__suffix_T___(int x):"), "{masked}");
        assert!(!masked.contains("x = 1") && !masked.contains("types"));
        assert_eq!(masked.lines().count(), text.lines().count());
    }

    #[test]
    fn code_that_is_no_template_stays() {
        assert_eq!(mask("a.pyx", "x = '{{}}'.format()"), "x = '{{}}'.format()");
        assert_eq!(mask("a.pyx.src", "@t@_f(@x)"), "_t__f(@x)");
    }

    #[test]
    fn what_is_not_closed_ends() {
        assert_eq!(mask("a.pyx.in", "{{for x").len(), 7);
        assert_eq!(mask("a.pyx.in", "{{\u{e9}").len(), 4);
    }
}
