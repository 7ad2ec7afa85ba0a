//! What a project's metadata says about the Pythons it is for.

use gilaudit_model::source::{File, Project, Span};

use super::api;

/// The oldest minor version `3.x` that a file's project supports, as its pyproject.toml, setup.cfg or setup.py says; the nearest one above
/// the file counts.
pub(crate) fn oldest_python(project: &Project, file: &File) -> Option<u32> {
    let folder = |path: &str| path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let metadata = project.files.iter().filter(|other| {
        matches!(other.name(), "pyproject.toml" | "setup.cfg" | "setup.py")
            && file.path.starts_with(&folder(&other.path))
    });
    let stated = metadata.filter_map(|other| Some((folder(&other.path).len(), requirement(&other.text)?)));
    stated.max_by_key(|(depth, minor)| (*depth, std::cmp::Reverse(*minor))).map(|(_, minor)| minor)
}

/// The lower bound of `requires-python = ">=3.9"` or `python_requires=">=3.9"`.
fn requirement(text: &str) -> Option<u32> {
    text.lines().find_map(|line| {
        let rest = ["requires-python", "python_requires"].iter().find_map(|key| line.trim_start().strip_prefix(key))?;
        let rest = rest.trim_start().strip_prefix('=')?;
        let bound = [">=", "~=", "==", ">"].iter().find_map(|operator| rest.split_once(operator))?.1;
        let version = bound.trim_start().strip_prefix("3.")?;
        version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    })
}

/// Whether code at a place is only compiled by Pythons that can have what came with `3.minor`: a condition around it says so, or one whose
/// meaning is the project's own.
pub(crate) fn is_guarded(file: &File, span: Span, minor: u32, names: &[&str]) -> bool {
    file.guards.iter().filter(|guard| guard.span.contains(span)).any(|guard| {
        !guard.known
            || names.iter().any(|name| guard.condition.contains(name))
            || versions(&guard.condition).any(|version| version >= minor)
    })
}

/// The minor versions of the numbers `0x03MMmmrr` in a condition.
fn versions(condition: &str) -> impl Iterator<Item = u32> + '_ {
    condition
        .match_indices("0x03")
        .filter_map(|(at, _)| u32::from_str_radix(condition.get(at.saturating_add(4)..at.saturating_add(6))?, 16).ok())
}

/// A `#define` in the text of a file: the preprocessor's own lines are no code.
pub(crate) struct Definition<'f> {
    pub(crate) span: Span,
    pub(crate) value: &'f str,
    /// The conditions it stands under, as written.
    pub(crate) conditions: Vec<&'f str>,
}

/// Where a macro is defined in a file.
pub(crate) fn definitions<'f>(file: &'f File, name: &str) -> Vec<Definition<'f>> {
    if !file.text.contains(name) {
        return Vec::new();
    }
    let (mut out, mut conditions, mut at) = (Vec::new(), Vec::new(), 0);
    for line in file.text.split_inclusive('\n') {
        if let Some(directive) = line.trim_start().strip_prefix('#').map(str::trim) {
            if directive.starts_with("if") {
                conditions.push(directive);
            } else if directive.starts_with("endif") {
                conditions.pop();
            } else if let Some(rest) = directive.strip_prefix("define").map(str::trim_start)
                && let Some(value) = rest.strip_prefix(name)
                && !value.starts_with(|c: char| c.is_alphanumeric() || c == '_')
            {
                let start = at + line.find(name).unwrap_or(0);
                let span = Span { start: start as u32, end: (start + name.len()) as u32 };
                out.push(Definition { span, value: value.trim(), conditions: conditions.clone() });
            }
        }
        at += line.len();
    }
    out
}

/// The minor version in `0x030d0000`.
pub(crate) fn minor_of(value: &str) -> Option<u32> {
    versions(value).next()
}

/// Whether a name of the C API is outside of the limited API of `3.minor`.
pub(crate) fn is_outside_limited(name: &str, minor: u32) -> bool {
    match api::limited_since(name) {
        Some(since) => since > minor,
        None => api::is_exported(name),
    }
}

#[cfg(test)]
mod tests {
    use super::{requirement, versions};

    #[test]
    fn lower_bounds() {
        assert_eq!(requirement("name = 'x'\nrequires-python = \">=3.9\"\n"), Some(9));
        assert_eq!(requirement("    python_requires='>= 3.10, <4',\n"), Some(10));
        assert_eq!(requirement("python_requires = ~=3.8\n"), Some(8));
        assert_eq!(requirement("requires-python = \"<4\"\n"), None);
        assert_eq!(versions("PY_VERSION_HEX >= 0x030D00B0").collect::<Vec<_>>(), [13]);
    }
}
