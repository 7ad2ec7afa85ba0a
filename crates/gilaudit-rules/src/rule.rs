//! What a rule is.

use crate::engine::analysis::{Analysis, Unit};
use gilaudit_model::source::cython::CythonFile;
use gilaudit_model::source::python::PythonFile;
use gilaudit_model::source::rust::RustFile;
use gilaudit_model::{Confidence, Extension, Finding, Location, Origin, Severity, Target};

/// A rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name: kebab-case, names the bad pattern, reads well after "allow". Never reused, never renamed without an alias.
    pub id: &'static str,
    /// What it is about, in one line: lower case, no final period.
    pub summary: &'static str,
    /// How much its findings matter, unless a policy says otherwise.
    pub severity: Severity,
    /// How sure it is, at best; a single finding may say less.
    pub confidence: Confidence,
    /// Whether it only says that code is not ready to declare support, not that it is wrong today.
    pub readiness: bool,
    /// The version of gilaudit that first had it.
    pub since: &'static str,
    /// Its page, in Markdown.
    pub doc: &'static str,
    /// What it looks at, and its code: one entry for each kind of fact, because one rule can be broken in several languages.
    pub(crate) checks: &'static [Check],
}

/// What a rule looks at, and the function that looks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Check {
    /// One extension as the target judges it: declaration, ABI, import failure.
    Extension(fn(&Extension, &Target, &Rule, &mut Vec<Finding>)),
    /// One function of a project's sources.
    Function(FunctionCheck),
    /// The C and C++ sources of a project as a whole.
    Project(ProjectCheck),
    /// One Cython file.
    Cython(CythonCheck),
    /// One Rust file.
    Rust(RustCheck),
    /// One Python file.
    Python(PythonCheck),
    /// The build files of a project, with what its sources say.
    Build(ProjectCheck),
    /// One function of a compiled file.
    Code(CodeCheck),
    /// What all other rules found in a project.
    Contradiction(ContradictionCheck),
}

impl Check {
    fn subject(&self) -> &'static str {
        match self {
            Self::Extension(_) => "extension",
            Self::Function(_) | Self::Project(_) | Self::Contradiction(_) => "C and C++",
            Self::Cython(_) => "Cython",
            Self::Rust(_) => "Rust",
            Self::Python(_) => "Python",
            Self::Build(_) => "build files",
            Self::Code(_) => "machine code",
        }
    }
}

/// A rule's code for one Cython file.
pub(crate) type CythonCheck = fn(&Analysis<'_>, &CythonFile, &Rule, &mut Vec<Finding>);

/// A rule's code for one Rust file.
pub(crate) type RustCheck = fn(&Analysis<'_>, &RustFile, &Rule, &mut Vec<Finding>);

/// A rule's code for one Python file.
pub(crate) type PythonCheck = fn(&Analysis<'_>, &PythonFile, &Rule, &mut Vec<Finding>);

/// A rule's code for one function. Opaque: only rules of this crate can be written so far.
pub(crate) type FunctionCheck = fn(&Unit<'_>, &Rule, &mut Vec<Finding>);

/// A rule's code for what the others found.
pub(crate) type ContradictionCheck = fn(&Analysis<'_>, &[Finding], &Rule, &mut Vec<Finding>);

/// A rule's code for one function of a compiled file.
pub(crate) type CodeCheck = fn(&crate::engine::code::Unit<'_>, &Rule, &mut Vec<Finding>);

/// A rule's code for a project.
pub(crate) type ProjectCheck = fn(&Analysis<'_>, &Rule, &mut Vec<Finding>);

impl Rule {
    /// What it looks at, for lists of rules.
    pub fn subjects(&self) -> Vec<&'static str> {
        let mut subjects: Vec<&'static str> = self.checks.iter().map(Check::subject).collect();
        subjects.dedup();
        subjects
    }

    /// A finding of this rule about a file as a whole.
    pub(crate) fn finding(&self, origin: &Origin, message: String) -> Finding {
        Finding {
            origin: origin.clone(),
            location: Location::File,
            rule: self.id,
            severity: self.severity,
            confidence: self.confidence,
            readiness: self.readiness,
            message,
            help: None,
            function: None,
            module: None,
            related: Vec::new(),
            suppressed: None,
            code: None,
        }
    }
}
