//! The question about a program.

use std::path::PathBuf;

/// What is imported, for an answer about the process instead of about files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// What `import NAME` loads.
    pub names: Vec<String>,
    /// What running a script loads, or the `__main__.py` of a folder.
    pub scripts: Vec<PathBuf>,
    /// What `python -m NAME` loads.
    pub modules: Vec<String>,
    /// What a console script of an installed distribution loads.
    pub entry_points: Vec<String>,
    /// Every top-level module and every extension of the inputs.
    pub import_all: bool,
}

impl Asked {
    /// What was asked, in the words of the command line.
    pub(super) fn words(&self) -> Vec<String> {
        let mut asked: Vec<String> = self.names.iter().map(|name| format!("--import {name}")).collect();
        asked.extend(self.scripts.iter().map(|script| script.display().to_string()));
        asked.extend(self.modules.iter().map(|name| format!("-m {name}")));
        asked.extend(self.entry_points.iter().map(|name| format!("--entry-point {name}")));
        asked.extend(self.import_all.then(|| "--import-all".to_owned()));
        asked
    }
}
