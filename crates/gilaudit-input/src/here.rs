//! Paths as they are named from the folder that the process runs in.

/// A path relative to the folder that gilaudit runs in, where it is below it: another checkout has another root.
#[must_use]
pub fn relative(path: &str) -> &str {
    let path = path.strip_prefix("./").unwrap_or(path);
    let Ok(here) = std::env::current_dir() else { return path };
    let here = here.to_string_lossy().replace('\\', "/");
    path.strip_prefix(&*here).and_then(|rest| rest.strip_prefix('/')).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_below_the_current_folder_is_relative_to_it() {
        let here = std::env::current_dir().unwrap().to_string_lossy().replace('\\', "/");
        assert_eq!(relative(&format!("{here}/src/x.c")), "src/x.c");
        assert_eq!(relative(&format!("{here}-2/x.c")), format!("{here}-2/x.c"));
        assert_eq!(relative("./x.c"), "x.c");
    }
}
