//! What a file's name says: whether it is named like an extension, and which module it would be.

use std::borrow::Cow;

use gilaudit_model::cpython::module_stem;

use crate::MemberKind;

/// What kind of shared library a file of this name is; `None` for every other name.
///
/// Only names are looked at, because this is asked of every file of an environment.
pub(crate) fn shared_library(file_name: &str) -> Option<MemberKind> {
    let lower = |suffix: &str| ends_with_ignoring_case(file_name, suffix);
    if lower(".so") || lower(".pyd") {
        // No module has an empty name: `._x.so` is what macOS leaves in archives, not an extension.
        let kind = if module_stem(file_name).is_empty() { MemberKind::Library } else { MemberKind::Candidate };
        return Some(kind);
    }
    (lower(".dll") || lower(".dylib") || is_versioned(file_name)).then_some(MemberKind::Library)
}

/// Whether a name ends like `.so.1.2.3`, or `.so.1.1.1k` as OpenSSL's does.
fn is_versioned(file_name: &str) -> bool {
    let is_number = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_digit()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    file_name.rsplit_once(".so.").is_some_and(|(_, version)| version.split('.').all(is_number))
}

fn ends_with_ignoring_case(text: &str, suffix: &str) -> bool {
    let (text, suffix) = (text.as_bytes(), suffix.as_bytes());
    let tail = text.len().checked_sub(suffix.len()).and_then(|start| text.get(start..));
    tail.is_some_and(|tail| tail.eq_ignore_ascii_case(suffix))
}

/// The dotted module name of a file, from its path relative to the folder that is on `sys.path`.
///
/// `pkg/__init__.so` is `pkg`. A folder whose name is no identifier cannot be a package, so the name starts after the last such
/// folder: `build/lib.linux-x86_64/pkg/x.so` is `pkg.x`.
pub(crate) fn module_name(relative: &str) -> String {
    let mut parts: Vec<&str> = relative.split('/').filter(|part| !part.is_empty()).collect();
    let stem = module_stem(parts.pop().unwrap_or_default());
    let packages = parts.iter().rposition(|part| !is_identifier(part)).map_or(0, |last| last.saturating_add(1));
    let mut name: Vec<&str> = parts.split_off(packages);
    if stem != "__init__" || name.is_empty() {
        name.push(stem);
    }
    name.join(".")
}

/// Whether text can be a package's name in Python (without asking Unicode which letters are letters).
fn is_identifier(text: &str) -> bool {
    let word = |letter: char| letter == '_' || letter.is_alphanumeric();
    text.chars().all(word) && text.chars().next().is_some_and(|first| !first.is_numeric())
}

/// Where pip puts a member of a wheel: what it puts there later wins, and it does the `.data` folders after the rest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Destination {
    /// Below `site-packages`, or with the name of another scheme in front.
    pub(crate) path: String,
    pub(crate) late: bool,
}

/// Where a member of a wheel is installed, from its normalised path.
pub(crate) fn destination(member: &str) -> Destination {
    let at = |path: &str, late: bool| Destination { path: path.to_owned(), late };
    let Some((_, rest)) = member.split_once('/').filter(|(folder, _)| folder.ends_with(".data")) else {
        return at(member, false);
    };
    match rest.split_once('/') {
        Some(("platlib" | "purelib", path)) => at(path, true),
        // Below the prefix, where `site-packages` is as well.
        Some(("data", path)) => match path.split_once("/site-packages/") {
            Some((lib, path)) if lib == "Lib" || is_python_folder(lib) => at(path, true),
            _ => at(&format!("/data/{path}"), true),
        },
        _ => at(&format!("/{rest}"), true),
    }
}

/// `lib/python3.14t`
fn is_python_folder(path: &str) -> bool {
    path.split_once('/').is_some_and(|(lib, python)| lib.starts_with("lib") && python.starts_with("python"))
}

/// A relative path with `/`, without empty and `.` parts. `None` when it leaves the folder it is relative to: absolute, with a
/// drive, or with more `..` than folders.
pub(crate) fn inside(path: &str) -> Option<Cow<'_, str>> {
    let odd = |part: &str| part.is_empty() || part == "." || part == "..";
    if !path.split('/').any(odd) && !has_drive(path) {
        return Some(Cow::Borrowed(path));
    }
    if path.starts_with('/') || has_drive(path) {
        return None;
    }
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(Cow::Owned(parts.join("/")))
}

fn has_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
}

/// Whether a file of this name is source text that is linted (templates of it included), or a build file.
pub(crate) fn is_source(name: &str) -> bool {
    // The last two say which crates are vendored: `.cargo/config.toml`.
    const BUILD: [&str; 8] = [
        "setup.cfg",
        "pyproject.toml",
        "meson.build",
        "CMakeLists.txt",
        "Cargo.toml",
        "Cargo.lock",
        "config.toml",
        ".cargo-checksum.json",
    ];
    // `i`: an interface of SWIG, or C that was preprocessed; neither is linted, but it says what the generated C will.
    const EXTENSIONS: [&str; 15] =
        ["c", "h", "cc", "cpp", "cxx", "hpp", "hh", "hxx", "C", "pyx", "pxd", "pxi", "rs", "py", "i"];
    let plain = name.strip_suffix(".src").or_else(|| name.strip_suffix(".in")).unwrap_or(name);
    BUILD.contains(&name)
        || plain.rsplit_once('.').is_some_and(|(stem, extension)| !stem.is_empty() && EXTENSIONS.contains(&extension))
}

/// Whether a file of this name is a header.
pub(crate) fn is_header(name: &str) -> bool {
    let plain = name.strip_suffix(".src").or_else(|| name.strip_suffix(".in")).unwrap_or(name);
    [".h", ".hpp", ".hh", ".hxx"].iter().any(|extension| plain.ends_with(extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_by_name() {
        let candidate = Some(MemberKind::Candidate);
        let library = Some(MemberKind::Library);
        for (name, kind) in [
            ("x.cpython-314t-x86_64-linux-gnu.so", candidate),
            ("x.PYD", candidate),
            ("libx.so", candidate),
            ("libx.so.1", library),
            ("libx-1a2b.so.1.2.3", library),
            ("libcrypto-1a2b.so.1.1.1k", library),
            ("x.dll", library),
            ("libx.dylib", library),
            ("._x.so", library),
            ("x.so.txt", None),
            ("x.so.", None),
            ("so", None),
            ("x.py", None),
            ("é.o", None),
        ] {
            assert_eq!(shared_library(name), kind, "{name}");
        }
    }

    #[test]
    fn module_names() {
        for (path, module) in [
            ("pkg/sub/x.cpython-314t-x86_64-linux-gnu.so", "pkg.sub.x"),
            ("pkg/__init__.cpython-314t-x86_64-linux-gnu.so", "pkg"),
            ("__init__.so", "__init__"),
            ("x.abi3.so", "x"),
            ("81d243bd__mypyc.so", "81d243bd__mypyc"),
            ("build/lib.linux-x86_64-cpython-314/pkg/x.so", "pkg.x"),
            ("lib/python3.14t/lib-dynload/_ssl.so", "_ssl"),
            ("numpy.libs/libopenblas.so", "libopenblas"),
        ] {
            assert_eq!(module_name(path), module, "{path}");
        }
    }

    #[test]
    fn destinations() {
        let at = |path: &str| destination(path).path;
        assert_eq!(at("pkg/x.so"), "pkg/x.so");
        assert_eq!(at("x-1.data/platlib/pkg/x.so"), "pkg/x.so");
        assert_eq!(at("any.data/data/lib/python3.14t/site-packages/pkg/x.so"), "pkg/x.so");
        assert_eq!(at("any.data/data/share/x.so"), "/data/share/x.so");
        assert_eq!(at("any.data/scripts/x"), "/scripts/x");
        assert!(destination("x.data/purelib/y").late && !destination("y").late);
    }

    #[test]
    fn paths_that_leave() {
        assert_eq!(inside("a/b").as_deref(), Some("a/b"));
        assert_eq!(inside("a/./b//c").as_deref(), Some("a/b/c"));
        assert_eq!(inside("a/../b").as_deref(), Some("b"));
        for path in ["/a", "../a", "a/../../b", "C:/a", "c:a"] {
            assert_eq!(inside(path), None, "{path}");
        }
    }
}
