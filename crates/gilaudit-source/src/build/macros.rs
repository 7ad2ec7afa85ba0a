//! Preprocessor macros that decide how a module is built, and that a build file defines: Python's own, `Py_LIMITED_API` and
//! `Py_GIL_DISABLED`, and the one that Cython takes in place of its directive.
//!
//! Others are the project's and decide nothing here.

use gilaudit_model::source::Span;
use gilaudit_model::source::build::BuildMacro;

/// Read by the C that Cython 3.2.3 and later generates.
const CYTHON: &str = "CYTHON_FREETHREADING_COMPATIBLE";

/// `NAME` or `NAME=value`, if it is one of them.
pub(super) fn defined(word: &str, conditional: bool, span: Span) -> Option<BuildMacro> {
    let (name, value) = word.trim().split_once('=').unwrap_or((word.trim(), ""));
    let is_name = name
        .strip_prefix("Py_")
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
    (is_name || name == CYTHON).then(|| BuildMacro {
        name: name.into(),
        value: value.trim_matches('"').into(),
        conditional,
        span,
    })
}

/// `-DNAME=value` or `/DNAME`: an argument of a compiler.
pub(super) fn argument(word: &str, conditional: bool, span: Span) -> Option<BuildMacro> {
    let word = word.trim();
    let word = word.strip_prefix("-D").or_else(|| word.strip_prefix("/D"))?;
    defined(word, conditional, span)
}

/// `py_limited_api=True`, `py_limited_api = cp39`, `limited_api: '3.9'`: a setting that asks for the limited API, unless it says no.
pub(super) fn limited(name: &str, value: &str, conditional: bool, span: Span) -> Option<BuildMacro> {
    let value = value.trim().trim_matches(['"', '\'']);
    let asks = value.eq_ignore_ascii_case("true") || value.starts_with("cp3") || value.starts_with("3.");
    asks.then(|| BuildMacro { name: name.into(), value: value.into(), conditional, span })
}

/// Whether a condition of a build file asks for nothing but the platform: what it guards is defined whichever Python is built for.
pub(super) fn is_platform_only(condition: &str) -> bool {
    const PLATFORM: [&str; 17] = [
        "WIN32", "MSVC", "APPLE", "UNIX", "LINUX", "MINGW", "NOT", "AND", "OR", "and", "or", "not", "sys", "platform",
        "os", "name", "system",
    ];
    let mut rest = String::with_capacity(condition.len());
    let mut quoted = None;
    for letter in condition.chars() {
        match (quoted, letter) {
            (None, '"' | '\'') => quoted = Some(letter),
            (Some(open), _) if letter == open => quoted = None,
            (Some(_), _) => {}
            (None, _) => rest.push(letter),
        }
    }
    let mut words =
        rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|word| !word.is_empty());
    let mut any = false;
    words.all(|word| {
        any = true;
        PLATFORM.contains(&word) || matches!(word, "startswith" | "host_machine" | "in")
    }) && any
}

/// Whether a text asks in some way or other which build of Python it is for. Whoever does defines nothing for all of them.
pub(super) fn asks(text: &str) -> bool {
    const WORDS: [&str; 7] = ["gil_", "_gil", "freethread", "free-thread", "free_thread", "abiflags", "abi_thread"];
    WORDS.iter().any(|word| text.contains(word)) || text.match_indices("GIL").any(|(at, _)| !is_definition(text, at))
}

/// Whether `GIL` at a place is that of `("Py_GIL_DISABLED", "1")` or `-DPy_GIL_DISABLED`, which ask nothing.
fn is_definition(text: &str, at: usize) -> bool {
    let Some(before) = text.get(..at).and_then(|before| before.strip_suffix("Py_")) else { return false };
    if before.ends_with("-D") || before.ends_with("/D") {
        return true;
    }
    let tuple = before.strip_suffix(['"', '\'']).and_then(|before| before.trim_end().strip_suffix(['(', '[']));
    tuple.is_some_and(|before| !before.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_'))
}

#[cfg(test)]
mod tests {
    use super::{asks, defined, is_platform_only};
    use gilaudit_model::source::Span;

    #[test]
    fn conditions_of_platforms() {
        for text in [
            "WIN32",
            "NOT MSVC AND WIN32",
            "sys.platform == \"win32\"",
            "os.name == 'nt'",
            "platform.system() == 'Windows'",
        ] {
            assert!(is_platform_only(text), "{text}");
        }
        for text in ["", "Python_FREE_THREADED", "WIN32 AND Python_FREE_THREADED", "ft and os.name == 'nt'"] {
            assert!(!is_platform_only(text), "{text}");
        }
    }

    #[test]
    fn who_asks() {
        assert!(
            asks("get_config_var('Py_GIL_DISABLED')") && asks("# only without the GIL") && asks("'t' in sys.abiflags")
        );
        assert!(!asks("define_macros=[('Py_GIL_DISABLED', 1)]") && !asks("'-DPy_GIL_DISABLED'"));
    }

    #[test]
    fn only_macros_of_python() {
        let at = Span { start: 0, end: 1 };
        assert_eq!(defined("Py_LIMITED_API=0x03090000", false, at).map(|it| it.value), Some("0x03090000".into()));
        assert_eq!(defined("NDEBUG", false, at), None);
        assert_eq!(defined("Py_$<1:X>", false, at), None);
    }
}
