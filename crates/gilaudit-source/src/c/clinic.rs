//! Argument Clinic: what its comments say about the functions they stand before.

/// What one comment says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The C function that is written by hand.
    pub(crate) function: String,
    /// `@critical_section`: what is locked; empty for `self`.
    pub(crate) critical_section: Option<Vec<String>>,
}

/// Reads all clinic comments of a file.
pub(crate) fn read(source: &str) -> Vec<Entry> {
    let mut out = Vec::new();
    for block in source.split("/*[clinic input]").skip(1) {
        let Some(end) = block.find("[clinic start generated code]") else { continue };
        let block = &block[..end];
        let mut section = None;
        for line in block.lines().map(str::trim) {
            if let Some(rest) = line.strip_prefix("@critical_section") {
                section = Some(rest.split_whitespace().map(str::to_owned).collect());
                continue;
            }
            if line.is_empty() || line.starts_with('@') || line.starts_with('#') {
                continue;
            }
            if line.starts_with("module ") || line.starts_with("class ") || line.starts_with("preserve") {
                break;
            }
            // `module.Class.name [-> type] [as c_name]`
            let name = match line.split_once(" as ") {
                Some((_, name)) => name.split_whitespace().next().unwrap_or_default().to_owned(),
                None => line.split([' ', '=']).next().unwrap_or_default().replace('.', "_"),
            };
            let name = if name.ends_with("___new__") {
                name.trim_end_matches("___new__").to_owned()
            } else if name.ends_with("___init__") {
                format!("{}__init__", name.trim_end_matches("__init__"))
            } else {
                name
            };
            out.push(Entry { function: format!("{name}_impl"), critical_section: section.take() });
            break;
        }
    }
    // Getters and setters get names of their own.
    let more: Vec<Entry> = out
        .iter()
        .filter(|entry| entry.critical_section.is_some())
        .flat_map(|entry| {
            let base = entry.function.trim_end_matches("_impl");
            ["get", "set"].map(|kind| Entry { function: format!("{base}_{kind}_impl"), ..entry.clone() })
        })
        .collect();
    out.extend(more);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn critical_section() {
        let entries = read(
            "/*[clinic input]\n@critical_section a b\n_bisect.insort as ins\n\n    a: object\n[clinic start generated code]*/\n",
        );
        assert_eq!(
            entries[0],
            Entry { function: "ins_impl".into(), critical_section: Some(vec!["a".into(), "b".into()]) }
        );
    }
}
