//! The rules: facts in, findings out.
//!
//! A rule is one file in `src/rules/` with a static [`Rule`] and a function, its page beside it (`.md`, what `gilaudit explain`
//! prints), and a fixture folder `fixtures/rules/<id>/`. It is registered by one line in [`RULES`]. A rule exists if and only if
//! all four do; `tests/complete.rs` checks it.
//!
//! What a rule *is* (id, severity, page) is kept apart from what it looks at (`Check` in `rule.rs`): a front end hands its facts to the
//! function for that kind of fact ([`check_extension`]) and gets the findings of every rule that looks at them.

mod built;
mod engine;
mod fold;
mod rule;
mod suppress;

mod rules {
    //! One module a rule.
    pub(crate) mod blocking_once_attached;
    pub(crate) mod blocking_while_attached;
    pub(crate) mod borrowed_dict_item;
    pub(crate) mod borrowed_escapes_lock;
    pub(crate) mod borrowed_field;
    pub(crate) mod borrowed_list_item;
    pub(crate) mod borrowed_misc;
    pub(crate) mod borrowed_module;
    pub(crate) mod borrowed_weakref;
    pub(crate) mod borrowed_wrapper;
    pub(crate) mod buffer_hooks;
    pub(crate) mod busy_flag_toctou;
    pub(crate) mod bytearray_pointer;
    pub(crate) mod capi_while_detached;
    pub(crate) mod cdef_attribute_race;
    pub(crate) mod cell_in_pyclass;
    pub(crate) mod check_then_act;
    pub(crate) mod conditional_declaration;
    pub(crate) mod container_internals;
    pub(crate) mod cpython_borrowed;
    pub(crate) mod datetime_capi_null_check;
    pub(crate) mod declaration_contradicts_tag;
    pub(crate) mod declared_but_contradicted;
    pub(crate) mod detach_inside_section;
    pub(crate) mod detach_with_object_memory;
    pub(crate) mod dict_next_unlocked;
    pub(crate) mod domain_mismatch;
    pub(crate) mod double_checked_locking;
    pub(crate) mod enables_gil;
    pub(crate) mod exit_inside_section;
    pub(crate) mod field_read_then_incref;
    pub(crate) mod find_then_act;
    pub(crate) mod forced_gil_disabled;
    pub(crate) mod foreign_layout;
    pub(crate) mod framework_default_declares;
    pub(crate) mod free_list;
    pub(crate) mod ft_limited_api;
    pub(crate) mod gil_in_prange;
    pub(crate) mod gil_once_cell;
    pub(crate) mod gil_protected;
    pub(crate) mod gil_reliance_comment;
    pub(crate) mod gilstate_as_lock;
    pub(crate) mod gilstate_unbalanced;
    pub(crate) mod global_augassign;
    pub(crate) mod global_container_race;
    pub(crate) mod global_jmpbuf;
    pub(crate) mod header_layout;
    pub(crate) mod inconsistent_locking;
    pub(crate) mod iterate_shared;
    pub(crate) mod jump_out_of_allow_threads;
    pub(crate) mod lazy_module_global;
    pub(crate) mod lazy_object_cache;
    pub(crate) mod lazy_static_object;
    pub(crate) mod lock_imbalance;
    pub(crate) mod mem_while_detached;
    pub(crate) mod module_container_check_then_act;
    pub(crate) mod mutable_module_cdef;
    pub(crate) mod mutable_static;
    pub(crate) mod mutex_copied;
    pub(crate) mod nested_sections;
    pub(crate) mod new_reference_leak;
    pub(crate) mod nogil_in_critical_section;
    pub(crate) mod nonatomic_rmw;
    pub(crate) mod nonreentrant_library;
    pub(crate) mod ob_mutex_direct;
    pub(crate) mod object_domain_buffer;
    pub(crate) mod object_outside_domain;
    pub(crate) mod old_cython;
    pub(crate) mod once_while_attached;
    pub(crate) mod owner_released_early;
    pub(crate) mod pyo3_too_old;
    pub(crate) mod python_under_plain_lock;
    pub(crate) mod raise_or_gil_under_pymutex;
    pub(crate) mod refcount_manipulation;
    pub(crate) mod refcount_one;
    pub(crate) mod removed_and_deprecated_api;
    pub(crate) mod resurrecting_lookup;
    pub(crate) mod section2_alias;
    pub(crate) mod section_on_python_object;
    pub(crate) mod sequence_fast_items;
    pub(crate) mod set_item_macro_on_shared;
    pub(crate) mod setgil_misuse;
    pub(crate) mod shared_resource_while_detached;
    pub(crate) mod slot_guard;
    pub(crate) mod static_mut;
    pub(crate) mod static_py_object;
    pub(crate) mod static_unsafecell;
    pub(crate) mod temporary_mutation;
    pub(crate) mod tls_python_object;
    pub(crate) mod undeclared_module;
    pub(crate) mod unlocked_field_swap;
    pub(crate) mod unsafe_libc;
    pub(crate) mod unsafe_sync;
    pub(crate) mod unsendable;
    pub(crate) mod use_after_steal;
    pub(crate) mod weakreflist_read;
    pub(crate) mod weakvalue_iteration;
    pub(crate) mod windows_macro;
    pub(crate) mod wrong_abi;
    pub(crate) mod wrong_lock_object;
    pub(crate) mod yield_in_section;
}

use std::collections::HashSet;

use gilaudit_model::source::{FileId, Project, Unread};
use gilaudit_model::{Extension, Finding, Location, Origin, Target, panics};
use rayon::prelude::*;

pub use built::SourceModule;
pub use engine::analysis::{Options, is_test_path};
pub use rule::Rule;

use rule::Check;
pub use suppress::suppress;

/// Every rule, sorted by id.
pub static RULES: &[Rule] = &[
    rules::blocking_once_attached::RULE,
    rules::blocking_while_attached::RULE,
    rules::borrowed_dict_item::RULE,
    rules::borrowed_escapes_lock::RULE,
    rules::borrowed_field::RULE,
    rules::borrowed_list_item::RULE,
    rules::borrowed_misc::RULE,
    rules::borrowed_module::RULE,
    rules::borrowed_weakref::RULE,
    rules::borrowed_wrapper::RULE,
    rules::buffer_hooks::RULE,
    rules::busy_flag_toctou::RULE,
    rules::bytearray_pointer::RULE,
    rules::capi_while_detached::RULE,
    rules::cdef_attribute_race::RULE,
    rules::cell_in_pyclass::RULE,
    rules::check_then_act::RULE,
    rules::conditional_declaration::RULE,
    rules::container_internals::RULE,
    rules::cpython_borrowed::RULE,
    rules::datetime_capi_null_check::RULE,
    rules::declaration_contradicts_tag::RULE,
    rules::declared_but_contradicted::RULE,
    rules::detach_inside_section::RULE,
    rules::detach_with_object_memory::RULE,
    rules::dict_next_unlocked::RULE,
    rules::domain_mismatch::RULE,
    rules::double_checked_locking::RULE,
    rules::enables_gil::RULE,
    rules::exit_inside_section::RULE,
    rules::field_read_then_incref::RULE,
    rules::find_then_act::RULE,
    rules::forced_gil_disabled::RULE,
    rules::foreign_layout::RULE,
    rules::framework_default_declares::RULE,
    rules::free_list::RULE,
    rules::ft_limited_api::RULE,
    rules::gil_in_prange::RULE,
    rules::gil_once_cell::RULE,
    rules::gil_protected::RULE,
    rules::gil_reliance_comment::RULE,
    rules::gilstate_as_lock::RULE,
    rules::gilstate_unbalanced::RULE,
    rules::global_augassign::RULE,
    rules::global_container_race::RULE,
    rules::global_jmpbuf::RULE,
    rules::header_layout::RULE,
    rules::inconsistent_locking::RULE,
    rules::iterate_shared::RULE,
    rules::jump_out_of_allow_threads::RULE,
    rules::lazy_module_global::RULE,
    rules::lazy_object_cache::RULE,
    rules::lazy_static_object::RULE,
    rules::lock_imbalance::RULE,
    rules::mem_while_detached::RULE,
    rules::module_container_check_then_act::RULE,
    rules::mutable_module_cdef::RULE,
    rules::mutable_static::RULE,
    rules::mutex_copied::RULE,
    rules::nested_sections::RULE,
    rules::new_reference_leak::RULE,
    rules::nogil_in_critical_section::RULE,
    rules::nonatomic_rmw::RULE,
    rules::nonreentrant_library::RULE,
    rules::ob_mutex_direct::RULE,
    rules::object_domain_buffer::RULE,
    rules::object_outside_domain::RULE,
    rules::old_cython::RULE,
    rules::once_while_attached::RULE,
    rules::owner_released_early::RULE,
    rules::pyo3_too_old::RULE,
    rules::python_under_plain_lock::RULE,
    rules::raise_or_gil_under_pymutex::RULE,
    rules::refcount_manipulation::RULE,
    rules::refcount_one::RULE,
    rules::removed_and_deprecated_api::RULE,
    rules::resurrecting_lookup::RULE,
    rules::section_on_python_object::RULE,
    rules::section2_alias::RULE,
    rules::sequence_fast_items::RULE,
    rules::set_item_macro_on_shared::RULE,
    rules::setgil_misuse::RULE,
    rules::shared_resource_while_detached::RULE,
    rules::slot_guard::RULE,
    rules::static_mut::RULE,
    rules::static_py_object::RULE,
    rules::static_unsafecell::RULE,
    rules::temporary_mutation::RULE,
    rules::tls_python_object::RULE,
    rules::undeclared_module::RULE,
    rules::unlocked_field_swap::RULE,
    rules::unsafe_libc::RULE,
    rules::unsafe_sync::RULE,
    rules::unsendable::RULE,
    rules::use_after_steal::RULE,
    rules::weakreflist_read::RULE,
    rules::weakvalue_iteration::RULE,
    rules::windows_macro::RULE,
    rules::wrong_abi::RULE,
    rules::wrong_lock_object::RULE,
    rules::yield_in_section::RULE,
];

/// The rule with this id.
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

/// Whether a finding says that the declaration of the module that it is about is not true.
pub fn contradicts(finding: &gilaudit_model::Finding) -> bool {
    rules::declared_but_contradicted::contradicts(finding)
}

/// Every check of every rule.
fn checks() -> impl Iterator<Item = (&'static Rule, &'static Check)> {
    RULES.iter().flat_map(|rule| rule.checks.iter().map(move |check| (rule, check)))
}

/// What the rules that look at an extension find in one that was judged for `target`.
pub fn check_extension(extension: &Extension, target: &Target) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (rule, check) in checks() {
        if let Check::Extension(check) = check {
            check(extension, target, rule, &mut findings);
        }
    }
    findings.sort();
    findings
}

/// What the rules that look at machine code find in that of an extension.
pub fn check_code(code: &gilaudit_model::flow::Code, extension: &Extension) -> Vec<Finding> {
    let file = engine::code::File::new(code, extension);
    let mut findings = Vec::new();
    for unit in file.units() {
        for (rule, check) in checks() {
            if let Check::Code(check) = check {
                check(&unit, rule, &mut findings);
            }
        }
    }
    findings.sort();
    findings.dedup_by(|a, b| a.rule == b.rule && a.location == b.location);
    findings
}

/// What was found out about a project.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// What the rules found, sorted.
    pub findings: Vec<Finding>,
    /// The modules that the project makes, sorted by name.
    pub modules: Vec<SourceModule>,
    /// The files that could be read, but not judged: nothing is found in them.
    pub unjudged: Vec<(FileId, Unread)>,
    /// How rules for projects as a whole failed on this one, which is a mistake of ours.
    pub failed: Vec<String>,
    /// The steps that its files took together, those of reading them included.
    pub steps: u64,
}

/// The modules that a project makes, sorted by name, as far as its files could be read.
pub fn modules(project: &Project, target: &Target) -> Vec<SourceModule> {
    built::modules(project, &engine::declarations::modules(project, target.version), target)
}

/// Judges a project. Nothing is reported in files that are read for their macros only.
pub fn check_project(project: &Project, options: &Options) -> Checked {
    let defined = engine::declarations::modules(project, options.target.version);
    let mut modules = built::modules(project, &defined, &options.target);
    let analysis = engine::analysis::Analysis::new(project, &defined, &modules, options);
    let (mut findings, mut failed) = run(&analysis);
    let unjudged: Vec<(FileId, Unread)> = (0..project.files.len() as u32)
        .map(FileId)
        .filter_map(|file| Some((file, analysis.shapes.unjudged(file)?)))
        .collect();
    // What was found before it was given up is a matter of chance.
    findings.retain(|(file, _)| file.is_none_or(|file| !analysis.shapes.is_lost(file)));
    let mut findings = findings.into_iter().map(|(_, finding)| finding).collect();
    finish(&analysis, &mut findings);
    let steps = analysis.shapes.taken();
    drop(analysis);
    for (file, unread) in &unjudged {
        let file = project.file(*file);
        for module in modules.iter_mut().filter(|module| module.origin == file.origin) {
            module.declaration = built::unjudged(unread);
        }
    }
    failed.sort_unstable();
    failed.dedup();
    Checked { findings, modules, unjudged, failed, steps }
}

/// Rules about what is compiled, whether it runs or not.
const ABOUT_BUILDS: [&str; 3] = ["ft-limited-api", "header-layout", "removed-and-deprecated-api"];

/// A finding, and the file in which its rule looked, if in one.
type Found = (Option<FileId>, Finding);

/// A file that a rule looks at, and its number among those of its language.
type Piece = (FileId, usize);

/// What every rule finds, and in which file it looked, if in one; and the rules that failed on the project as a whole.
fn run(analysis: &engine::analysis::Analysis<'_>) -> (Vec<Found>, Vec<String>) {
    let project = analysis.project;
    let report = |file: FileId| project.file(file).report;
    let of_functions = analysis.shapes.map_alone(&analysis.types, |flow| {
        let (file, mut findings) = (flow.function.file, Vec::new());
        if report(file) && !engine::exempt::is_polyfill_file(&project.file(file).path) {
            let unit = analysis.unit(*flow);
            // What Python cannot get to runs before threads do, or belongs to a library's other users.
            let reached = analysis.index.open || unit.is_callable() || unit.is_init() || unit.is_lifecycle();
            for (rule, check) in checks() {
                if let Check::Function(check) = check {
                    check(&unit, rule, &mut findings);
                }
            }
            if !reached {
                let at_run_time = findings.iter_mut().filter(|finding| !ABOUT_BUILDS.contains(&finding.rule));
                at_run_time.for_each(|finding| finding.confidence = gilaudit_model::Confidence::Low);
            }
        }
        findings.into_iter().map(|finding| (Some(file), finding)).collect::<Vec<_>>()
    });
    // Each rule on each file is a piece of work.
    let mut work: Vec<(&Rule, &Check, Option<Piece>)> = Vec::new();
    let pieces = |files: &mut dyn Iterator<Item = FileId>| {
        files
            .enumerate()
            .filter(|(_, file)| report(*file))
            .map(|(number, file)| Some((file, number)))
            .collect::<Vec<_>>()
    };
    let cython = pieces(&mut project.cython.iter().map(|it| it.file));
    let rust = pieces(&mut project.rust.iter().map(|it| it.file));
    let python = pieces(&mut project.python.iter().map(|it| it.file));
    for (rule, check) in checks() {
        let pieces: &[Option<Piece>] = match check {
            Check::Project(_) | Check::Build(_) => &[None],
            Check::Cython(_) => &cython,
            Check::Rust(_) => &rust,
            Check::Python(_) => &python,
            Check::Extension(_) | Check::Function(_) | Check::Code(_) | Check::Contradiction(_) => &[],
        };
        work.extend(pieces.iter().map(|piece| (rule, check, *piece)));
    }
    let of_files: Vec<Result<Vec<Found>, String>> = work
        .into_par_iter()
        .map(|(rule, check, piece)| {
            let file = piece.map(|(file, _)| file);
            let find = || {
                let mut found = Vec::new();
                match (check, piece.map(|(_, number)| number)) {
                    (Check::Project(check) | Check::Build(check), _) => check(analysis, rule, &mut found),
                    (Check::Cython(check), Some(number)) => check(analysis, &project.cython[number], rule, &mut found),
                    (Check::Rust(check), Some(number)) => check(analysis, &project.rust[number], rule, &mut found),
                    (Check::Python(check), Some(number)) => check(analysis, &project.python[number], rule, &mut found),
                    _ => {}
                }
                found.into_iter().map(|finding| (file, finding)).collect::<Vec<_>>()
            };
            match file {
                Some(file) => Ok(analysis.shapes.guarded(file, find)),
                None => panics::caught(find)
                    .map_err(|panic| panics::failed_on(&format!("these sources with the rule '{}'", rule.id), &panic)),
            }
        })
        .collect();
    let mut findings: Vec<Found> = of_functions.into_iter().flatten().collect();
    let mut failed = Vec::new();
    for found in of_files {
        match found {
            Ok(found) => findings.extend(found),
            Err(rule) => failed.push(rule),
        }
    }
    (findings, failed)
}

/// The line that a place in a text begins on.
fn first_line(location: &Location) -> Option<u32> {
    match location {
        Location::Text { line, .. } => Some(*line),
        _ => None,
    }
}

/// The findings that count against a declaration: what the user does not want to hear of does not.
fn counting(analysis: &engine::analysis::Analysis<'_>, findings: &[Finding]) -> Vec<Finding> {
    let ignored = &analysis.options.ignored;
    let mut counting: Vec<Finding> =
        findings.iter().filter(|finding| !ignored.contains(&finding.rule)).cloned().collect();
    if analysis.options.suppressions {
        // What is wrong with the comments is said when all findings are there.
        suppress(analysis.project, &mut counting, &mut Vec::new());
        counting.retain(|finding| finding.suppressed.is_none());
    }
    counting
}

/// What is decided when all rules have run: tests count less, a declaration can be contradicted, and without one findings only say what
/// is left to do.
fn finish(analysis: &engine::analysis::Analysis<'_>, findings: &mut Vec<Finding>) {
    let project = analysis.project;
    // Tests use the API in ways that nobody ships.
    let tests: HashSet<&Origin> =
        project.files.iter().filter(|file| is_test_path(&file.path)).map(|file| &file.origin).collect();
    // What an older Python is built from is not built for this one.
    let older = fold::superseded(project);
    let counts_less = |origin: &Origin| tests.contains(origin) || older.contains(origin);
    for finding in findings.iter_mut().filter(|finding| counts_less(&finding.origin)) {
        finding.confidence = gilaudit_model::Confidence::Low;
    }
    findings.sort();
    // The same code is seen in several configurations of the preprocessor.
    findings.dedup_by(|a, b| a.rule == b.rule && a.origin == b.origin && a.location == b.location);
    // A static that is filled on first use is one finding: the write that another rule found in it says the same.
    let filled: HashSet<(Origin, Option<u32>)> = findings
        .iter()
        .filter(|finding| finding.rule == rules::lazy_static_object::RULE.id)
        .flat_map(|finding| {
            finding.related.iter().map(|related| (related.origin.clone(), first_line(&related.location)))
        })
        .collect();
    findings.retain(|finding| {
        finding.rule != rules::mutable_static::RULE.id
            || !filled.contains(&(finding.origin.clone(), first_line(&finding.location)))
    });
    let mut more = Vec::new();
    let counting = counting(analysis, findings);
    for (rule, check) in checks() {
        if let Check::Contradiction(check) = check {
            check(analysis, &counting, rule, &mut more);
        }
    }
    let declares = analysis.modules.iter().any(|module| module.declared == engine::declarations::Declared::NotUsed);
    if !analysis.modules.is_empty() && !declares {
        // The GIL still guards this code, though not Python: what is found stands between it and a declaration.
        let python = |finding: &&mut Finding| finding.origin.file_name().ends_with(".py");
        findings.iter_mut().filter(|finding| !python(finding)).for_each(|finding| finding.readiness = true);
    }
    findings.extend(more);
    fold::fold(project, findings);
    findings.sort();
}
