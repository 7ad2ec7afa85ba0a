//! Modules of files that were not judged: what they declare is unknown, and that they are there shows in their text alone.

use gilaudit_model::source::{File, FileId, Language, Project, Span, Unread};
use gilaudit_model::{Declaration, Init, Reason};

use super::{Candidate, evidence};

/// What a module declares of which a source was not judged.
pub(crate) fn unjudged(unread: &Unread) -> Declaration {
    Declaration::unknown(Reason::SourceNotJudged(unread.why.to_string()))
}

/// What stands right in front of the name of a module in C and C++.
const C: [&str; 5] = ["PyInit_", "PyModExport_", "PYBIND11_MODULE(", "NB_MODULE(", "BOOST_PYTHON_MODULE("];

/// Says of the modules of files that were not judged that they are unknown, and adds those that nobody found for that reason.
pub(super) fn amend(project: &Project, candidates: &mut Vec<Candidate>) {
    for (file, id) in project.files.iter().zip((0u32..).map(FileId)) {
        let Some(unread) = &file.unread else { continue };
        let reason = || unjudged(unread);
        let mut names = names(file);
        for candidate in candidates.iter_mut().filter(|candidate| candidate.file == id) {
            candidate.declaration = reason();
            names.retain(|name| *name != candidate.name);
        }
        for name in names {
            let mut declaration = reason();
            declaration.evidence.push(evidence(project, id, Span::default(), "its name in the text"));
            candidates.push(Candidate { name, file: id, framework: None, init: Init::Unknown, declaration });
        }
    }
}

/// The modules that a text names.
fn names(file: &File) -> Vec<String> {
    let mut names: Vec<String> = match file.language {
        Language::C | Language::Cpp => C.iter().flat_map(|word| words_after(&file.text, word)).collect(),
        // `#[pymodule] fn name`, `mod name`
        Language::Rust => {
            let marked = file.text.split("#[pymodule").skip(1).filter_map(|rest| {
                let words = || rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
                let mut after = words().skip_while(|word| !matches!(*word, "fn" | "mod"));
                after.nth(1).filter(|name| !name.is_empty()).map(str::to_owned)
            });
            marked.chain(words_after(&file.text, "PyInit_")).collect()
        }
        _ => Vec::new(),
    };
    names.sort();
    names.dedup();
    names
}

fn words_after<'t>(text: &'t str, prefix: &'t str) -> impl Iterator<Item = String> + 't {
    text.split(prefix).skip(1).filter_map(|rest| {
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
        rest.get(..end).filter(|name| !name.is_empty()).map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use gilaudit_model::Origin;
    use gilaudit_model::source::{File, Language};

    use super::names;

    #[test]
    fn modules_show_in_texts() {
        let of = |language, text: &str| {
            names(&File::new(Origin::path("x"), "x".to_owned(), language, text.to_owned(), true))
        };
        assert_eq!(of(Language::C, "PyMODINIT_FUNC PyInit_b(void) { PyInit_ PyInit_a(); }"), ["a", "b"]);
        assert_eq!(of(Language::Cpp, "PYBIND11_MODULE(m, mod) {"), ["m"]);
        assert_eq!(
            of(Language::Rust, "#[pymodule(gil_used = false)]\npub fn f(m: &M) {}\n#[pymodule] mod g {"),
            ["f", "g"]
        );
    }
}
