//! What an audit found, before it is sorted and counted: the types that every stage of the pipeline adds to.

use std::collections::BTreeSet;

use gilaudit_model::{Decision, Distribution, Extension, Finding, Library, Origin, Platform, Problem};
use gilaudit_policy::imports::Answer;

/// An extension and what happens to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What it is and declares.
    pub extension: Extension,
    /// What the interpreter and the policy make of it.
    pub decision: Decision,
}

/// What was found, in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// How many artifacts were given or found.
    pub artifacts: usize,
    /// Whether any input was recognised as something that gilaudit audits; a pure-Python wheel is.
    pub recognised: bool,
    /// The compiled modules, and those that sources would build.
    pub extensions: Vec<Judged>,
    /// Shared files that are no modules.
    pub libraries: Vec<Library>,
    /// What the rules found.
    pub findings: Vec<Finding>,
    /// What could not be audited.
    pub problems: Vec<Problem>,
    /// How much of the sources was read.
    pub coverage: Coverage,
    /// The text of the source files that have findings, sorted by origin.
    pub texts: Vec<(Origin, String)>,
    /// Which modules that share a lock reach one that has to be alone, under a policy with such a lock.
    pub reaches: Vec<Reach>,
    /// What the imports asked about do to the process, when any were.
    pub imports: Option<Imports>,
    /// How many modules were left out, because the imports asked about do not lead to them.
    pub outside: usize,
}

impl Answers {
    /// The text of a source file that has findings.
    pub fn text(&self, origin: &Origin) -> Option<&str> {
        let at = self.texts.binary_search_by(|(known, _)| known.cmp(origin)).ok()?;
        self.texts.get(at).map(|(_, text)| text.as_str())
    }

    /// A line of a source file that has findings.
    pub fn line(&self, origin: &Origin, line: u32) -> Option<&str> {
        self.text(origin)?.lines().nth((line as usize).checked_sub(1)?)
    }
}

/// How much of the sources was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Files named like sources of extensions.
    pub files: usize,
    /// Those with code that rules look at.
    pub c_api: usize,
    /// The bytes of the latter.
    pub bytes: usize,
    /// Bytes of code that did not parse: nothing is reported there.
    pub unparsed: usize,
}

/// Two modules of one platform, the first of which imports or calls into the second.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reach {
    /// Their platform.
    pub platform: Platform,
    /// The module that shares the lock.
    pub from: String,
    /// The module that has to be alone.
    pub to: String,
}

/// The answer about a process, with what is known of the distributions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imports {
    /// What was asked: `--import pandas`, the script's path, `--import-all`.
    pub entries: Vec<String>,
    /// What happens to the GIL, and by whom.
    pub answer: Answer,
    /// For every blocker of the answer, in its order.
    pub ways: Vec<Ways>,
    /// How many Python files were read: those that the imports lead to.
    pub files: usize,
    /// The files that the imports lead to, as origins show them.
    pub reached: BTreeSet<String>,
    /// Whether everything was asked about, and not one program.
    pub of_all: bool,
}

/// Who is responsible for a blocker, and what can be done about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// The distributions that nobody requires, or that were asked for by name, through which it is there.
    pub required_by: Vec<String>,
    /// For its authors.
    pub declare: String,
    /// Another version among the inputs that does not block.
    pub newer: Option<Distribution>,
    /// What `PYTHON_GIL=0` would do here.
    pub python_gil_0: String,
    /// An entry for the `exceptions` of a policy.
    pub exception: String,
}
