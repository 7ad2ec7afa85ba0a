//! What a person may have meant by a name that is none.

use std::path::Path;

use gilaudit_model::{Problem, Stage};
use gilaudit_policy::nearest;

/// How many entries of a folder are looked at.
const ENTRIES: usize = 10_000;

/// Adds to each input that is not there what may have been meant.
pub(crate) fn inputs(problems: &mut [Problem]) {
    for problem in problems.iter_mut().filter(|problem| problem.stage == Stage::Open) {
        let [path] = problem.origin.parts() else { continue };
        if Path::new(path).exists() {
            continue;
        }
        if let Some(meant) = file(Path::new(path)) {
            problem.error.push_str(&format!("; did you mean '{meant}'?"));
        } else if is_like_a_distribution(path) {
            problem.error.push_str(&format!("; a distribution is named 'pypi:{path}'"));
        }
    }
}

/// The file or folder in the same folder whose name is nearest to that of a path which does not exist.
pub(crate) fn file(path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let entries = std::fs::read_dir(folder.unwrap_or(Path::new("."))).ok()?;
    let names: Vec<String> =
        entries.take(ENTRIES).filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    let lower: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    let meant = nearest(wanted, lower.iter().map(String::as_str))?;
    let name = names.iter().zip(&lower).find(|(_, lower)| *lower == meant).map(|(name, _)| name)?;
    Some(folder.map_or_else(|| name.clone(), |folder| format!("{}/{name}", folder.display())))
}

/// Whether a word may be the name of a distribution: `numpy`, and neither `dist/` nor `x.whl`.
fn is_like_a_distribution(word: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    word.starts_with(|first: char| first.is_ascii_alphabetic()) && word.bytes().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_the_same_folder() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        std::fs::write(folder.path().join("Policy.yaml"), "").expect("files can be written");
        let meant = |name: &str| file(&folder.path().join(name)).map(|path| path.rsplit('/').next().map(str::to_owned));
        assert_eq!(meant("polcy.yaml"), Some(Some("Policy.yaml".to_owned())));
        assert_eq!(meant("other.txt"), None);
        assert_eq!(file(&folder.path().join("missing/polcy.yaml")), None);
    }

    #[test]
    fn names_of_distributions() {
        assert!(is_like_a_distribution("scikit-learn") && is_like_a_distribution("numpy"));
        assert!(!["dist/", "x.whl", "../a", "", "3"].iter().any(|word| is_like_a_distribution(word)));
    }
}
