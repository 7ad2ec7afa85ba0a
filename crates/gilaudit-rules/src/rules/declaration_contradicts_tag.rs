//! Flags what a project says of itself in its metadata where its modules declare something else.

use gilaudit_model::source::{FileId, Project, Span};
use gilaudit_model::{Confidence, Finding, Severity, Status};

use crate::built::SourceModule;
use crate::engine::analysis::Analysis;
use crate::engine::projects::{self, Described, FREE_THREADING};
use crate::engine::requirement;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "declaration-contradicts-tag",
    summary: "a classifier or Requires-Python that says something else than the modules declare",
    severity: Severity::Warning,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("declaration_contradicts_tag.md"),
    checks: &[Check::Build(check)],
};

/// The first version with free-threaded builds.
const FIRST: [u64; 2] = [3, 13];

/// How many modules are named in a message.
const NAMED: usize = 3;

fn check(analysis: &Analysis<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    let project = analysis.project;
    let all = projects::described(project);
    if all.is_empty() {
        return;
    }
    let modules = analysis.built;
    let path = |module: &SourceModule| file_of(project, module).map(|id| project.file(id).path.as_str());
    for described in &all {
        let own: Vec<&SourceModule> = modules
            .iter()
            .filter(|module| {
                let of = path(module).and_then(|path| projects::of_path(&all, path));
                of.is_some_and(|of| of.folder == described.folder)
            })
            .collect();
        turns_it_on(analysis, described, &own, rule, out);
        is_missing(analysis, described, &own, rule, out);
        is_too_old(analysis, described, &own, rule, out);
    }
}

/// A classifier that promises support, and modules that turn the GIL on.
fn turns_it_on(
    analysis: &Analysis<'_>,
    described: &Described<'_>,
    modules: &[&SourceModule],
    rule: &Rule,
    out: &mut Vec<Finding>,
) {
    let promised = described.classifiers().find(|(_, text, _)| text.starts_with(FREE_THREADING));
    let Some((build, text, span)) = promised else { return };
    let needs = |module: &&&SourceModule| matches!(module.declaration.status, Status::Undeclared | Status::Used);
    let against: Vec<&&SourceModule> = modules.iter().filter(needs).collect();
    if against.is_empty() {
        return;
    }
    let names: Vec<String> = against.iter().take(NAMED).map(|module| format!("'{}'", module.name)).collect();
    let more = against.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let message = format!(
        "the classifier says '{}', but importing {}{more} turns the GIL on",
        text.trim_start_matches("Programming Language :: Python :: "),
        names.join(", ")
    );
    let at = projects::place(analysis.project, build, text, span);
    let mut finding = analysis.finding(rule, build.file, at, message);
    // Work that has only begun may be told so.
    if text.contains("Unstable") {
        finding.severity = Severity::Note;
    }
    finding.help = Some("declare in these modules after an audit, or leave the classifier out until then".to_owned());
    for module in against.iter().take(NAMED) {
        let Some((file, span)) = definition(analysis, module) else { continue };
        let what =
            if module.declaration.status == Status::Used { "declares to need the GIL" } else { "declares nothing" };
        finding.related.push(analysis.related(file, span, format!("'{}' {what}", module.name)));
    }
    out.push(finding);
}

/// Modules that all declare, and classifiers that do not tell.
fn is_missing(
    analysis: &Analysis<'_>,
    described: &Described<'_>,
    modules: &[&SourceModule],
    rule: &Rule,
    out: &mut Vec<Finding>,
) {
    let declares = modules.iter().all(|module| module.declaration.status == Status::NotUsed);
    // What a tool declares by default is no decision of the project.
    let decided = modules.iter().any(|module| module.declaration.declared_by_tool.is_none());
    let told = described.classifiers().any(|(_, text, _)| text.starts_with(FREE_THREADING));
    let versions = described.classifiers().filter(|(_, text, _)| text.starts_with("Programming Language :: Python"));
    let Some((build, text, span)) = versions.last().filter(|_| declares && decided && !told) else { return };
    let message = match modules {
        [module] => format!("'{}' declares that it runs without the GIL, and no classifier says so", module.name),
        modules => {
            format!("all {} modules declare that they run without the GIL, and no classifier says so", modules.len())
        }
    };
    let at = projects::place(analysis.project, build, text, span);
    let mut finding = analysis.finding(rule, build.file, at, message);
    finding.severity = Severity::Note;
    finding.help = Some(format!("add '{FREE_THREADING} :: 2 - Beta', or '3 - Stable', or whichever holds"));
    out.push(finding);
}

/// `Requires-Python` that leaves out every Python that could honour the declaration.
fn is_too_old(
    analysis: &Analysis<'_>,
    described: &Described<'_>,
    modules: &[&SourceModule],
    rule: &Rule,
    out: &mut Vec<Finding>,
) {
    let declares = modules
        .iter()
        .find(|module| module.declaration.status == Status::NotUsed && module.declaration.declared_by_tool.is_none());
    let classified = described.classifiers().any(|(_, text, _)| text.starts_with(FREE_THREADING));
    let Some((build, text, span)) = described.requires_python() else { return };
    if declares.is_none() && !classified || !requirement::keeps_below(text, FIRST) {
        return;
    }
    let who =
        declares.map_or_else(|| "a classifier promises".to_owned(), |module| format!("'{}' declares", module.name));
    let message = format!(
        "{who} support for free-threaded Python, and Requires-Python '{text}' leaves out 3.13, the first that has it"
    );
    let at = projects::place(analysis.project, build, text, span);
    let mut finding = analysis.finding(rule, build.file, at, message);
    finding.help = Some("drop the upper bound, or the promise".to_owned());
    out.push(finding);
}

/// The file that defines a module.
fn file_of(project: &Project, module: &SourceModule) -> Option<FileId> {
    project.files.iter().position(|file| file.origin == module.origin).map(|index| FileId(index as u32))
}

/// Where a module is defined.
fn definition(analysis: &Analysis<'_>, module: &SourceModule) -> Option<(FileId, Span)> {
    let file = file_of(analysis.project, module)?;
    let known = analysis
        .modules
        .iter()
        .find(|known| known.file == file && module.name.rsplit('.').next() == known.name.rsplit('.').next());
    Some((file, known.map_or(Span { start: 0, end: 0 }, |known| known.span)))
}
