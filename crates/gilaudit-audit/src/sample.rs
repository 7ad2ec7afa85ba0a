//! A report made by hand, for the tests of the output formats: two distributions, a refusal, a broken file.

use gilaudit_model::{
    Abi, Action, Arch, BuiltFor, Confidence, Decision, Declaration, Distribution, Evidence, Extension, FailureKind,
    Finding, Format, Framework, Gil, ImportFailure, Init, Library, Location, MadeBy, Mechanism, Origin, Outcome,
    Problem, Related, Severity, Site, Stage, Status, Target, cpython,
};

use crate::answers::{Answers, Coverage, Judged};
use crate::report::{Question, Report};
use crate::settings::DEFAULT_TARGET;

/// An extension `module` of `lxml 6.1.3` with this status, judged for 3.14t.
pub fn extension(module: &str, status: Status) -> Extension {
    let mut declaration = Declaration::new(status, Mechanism::Slot);
    declaration.evidence.push(Evidence {
        what: "Py_mod_gil = Py_MOD_GIL_USED".to_owned(),
        at: Site::Named("section .data+0x1380".to_owned()).into(),
    });
    Extension {
        module: module.to_owned(),
        origin: Origin::path("lxml-6.1.3.whl").member(format!("{}.so", module.replace('.', "/"))),
        sha256: None,
        record_sha256: None,
        distribution: Some(Distribution { name: "lxml".to_owned(), version: "6.1.3".to_owned() }),
        format: Format::Elf,
        arch: Arch::X86_64,
        abi: Abi { tag: Some("cp314t".to_owned()), built_for: BuiltFor::FreeThreaded },
        init: Init::MultiPhase,
        framework: Some(MadeBy { framework: Framework::Cython, version: Some("3.2.8".to_owned()) }),
        declaration,
        failure: None,
    }
}

/// The extension with CPython's own outcome and the action `follow`.
pub fn judged(extension: Extension, target: &Target) -> Judged {
    let outcome = cpython::outcome(&extension, target);
    let warning = (outcome == Outcome::EnablesGil).then(|| cpython::warning(&extension.module));
    let because = vec![format!("it declares {}", extension.declaration.status.as_str())];
    let (action, policy_at, waiver) = (Action::Follow, None, None);
    Judged { extension, decision: Decision { outcome, action, policy_at, warning, because, waiver } }
}

/// The question about `target`, with the default policy.
pub fn question(target: Target) -> Question {
    Question {
        target,
        target_from: "default".to_owned(),
        policy: "pep703".to_owned(),
        policy_diagnostics: Vec::new(),
        fail_on: Severity::Error,
        fail_on_gil: false,
    }
}

/// A file with two findings: a borrowed reference, and a static variable about which a comment says that it is right.
fn sources() -> (Vec<Finding>, Vec<(Origin, String)>) {
    let text = "\
static PyObject *first(PyObject *list)
{
    PyObject *item = PyList_GetItem(list, 0);
    if (item == NULL)
        return NULL;
    Py_INCREF(item);
    return item;
}

static long calls;  /* gilaudit: allow[mutable-static] a statistic */
";
    let origin = Origin::path("src/multi.c");
    let at = |line, column, end_column| Location::Text { line, column, end_line: line, end_column };
    let borrowed = Finding {
        origin: origin.clone(),
        location: at(3, 22, 45),
        rule: "borrowed-list-item",
        severity: Severity::Error,
        confidence: Confidence::High,
        readiness: false,
        message: "'PyList_GetItem' gives a borrowed reference, and another thread can remove the item".to_owned(),
        help: Some("call PyList_GetItemRef".to_owned()),
        function: Some("first".to_owned()),
        module: None,
        related: vec![Related {
            message: "the new reference is made here".to_owned(),
            origin: origin.clone(),
            location: at(6, 5, 20),
        }],
        suppressed: None,
        code: None,
    };
    let allowed = Finding {
        location: at(10, 13, 18),
        rule: "mutable-static",
        severity: Severity::Warning,
        message: "'calls' is written without a lock".to_owned(),
        function: None,
        related: Vec::new(),
        suppressed: Some("a statistic".to_owned()),
        ..borrowed.clone()
    };
    (vec![borrowed, allowed], vec![(origin, text.to_owned())])
}

/// Twelve modules that turn the GIL on, one that does not, one that cannot be loaded, a source file, and a file that was not read.
pub fn report() -> Report {
    let target = DEFAULT_TARGET.with_gil(Gil::Default);
    let mut extensions: Vec<Extension> =
        (0..12).map(|n| extension(&format!("lxml.part{n:02}"), Status::Used)).collect();
    let numpy = Some(Distribution { name: "numpy".to_owned(), version: "2.5.5".to_owned() });
    extensions
        .push(Extension { distribution: numpy.clone(), ..extension("numpy._core._multiarray_umath", Status::NotUsed) });
    let failure = Some(ImportFailure {
        kind: FailureKind::WrongAbi,
        error: "built for the stable ABI of GIL builds: its structures have another layout than the interpreter's"
            .to_owned(),
    });
    extensions.push(Extension { failure, distribution: None, ..extension("loose", Status::Undeclared) });
    // The rules' own advice changes more often than the format does.
    let (in_sources, texts) = sources();
    let findings = extensions
        .iter()
        .flat_map(|extension| gilaudit_rules::check_extension(extension, &target))
        .map(|finding| Finding {
            help: Some("look for a release that declares support, ".repeat(3) + "or ask"),
            ..finding
        })
        .chain(in_sources)
        .collect();
    let mut extensions: Vec<Judged> = extensions.into_iter().map(|extension| judged(extension, &target)).collect();
    if let Some(last) = extensions.last_mut() {
        last.decision.action = Action::Refuse;
        last.decision.policy_at = Some("ours.yaml:3:5".to_owned());
    }
    let answers = Answers {
        reaches: Vec::new(),
        imports: None,
        outside: 0,
        coverage: Coverage { files: 1, c_api: 1, bytes: 271, unparsed: 0 },
        texts,
        artifacts: 4,
        recognised: true,
        extensions,
        libraries: vec![Library { origin: Origin::path("libx.so"), why: "no init function".to_owned() }],
        findings,
        problems: vec![Problem {
            origin: Origin::path("broken.whl"),
            stage: Stage::Archive,
            unread: true,
            error: "the end of the archive is missing".to_owned(),
        }],
    };
    Report::new(question(target), answers)
}
