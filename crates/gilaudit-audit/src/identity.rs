//! What makes a finding the same one in another run: its place and its fingerprint.
//!
//! Neither has a line number in it, so that a finding stays the same when lines are added above it. For sources the place is the path
//! and the fingerprint is made of the rule, the function, the line's text (white space aside) and an ordinal among equals. For compiled
//! modules the place is the module, with the name of its distribution but not the version: an update that changes nothing finds nothing
//! new.

use std::collections::{BTreeMap, HashMap};

use gilaudit_model::{Extension, Finding, Location, Origin};

use crate::answers::{Answers, Judged};

/// The rule under which a module that the policy refuses is known from run to run; no rule of gilaudit has this name.
pub const REFUSED: &str = "refused-by-policy";

/// What identifies a finding from run to run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// A path with `/`, without the version that an archive has in its name; or a module.
    pub place: String,
    /// The line's text with every run of white space made one blank; for a module its platform.
    pub text: String,
    /// How many findings before it look the same.
    pub ordinal: usize,
    /// 16 hexadecimal digits of a hash of all the above but the place, and of the rule and the function.
    pub fingerprint: String,
}

impl Identity {
    fn new(rule: &str, place: String, function: Option<&str>, text: String, ordinal: usize) -> Self {
        let content = [rule, function.unwrap_or_default(), &text, &ordinal.to_string()].join("\0");
        let fingerprint = gilaudit_input::sha256_hex(content.as_bytes()).chars().take(16).collect();
        Self { place, text, ordinal, fingerprint }
    }

    /// That of a module which the policy refuses.
    pub fn of_refusal(extension: &Extension) -> Self {
        Self::new(REFUSED, module_place(extension), None, extension.platform().to_string(), 0)
    }
}

/// The identity of each of the findings, in their order.
pub fn identities(answers: &Answers) -> Vec<Identity> {
    let by_origin: BTreeMap<(&Origin, &str), &Judged> = answers
        .extensions
        .iter()
        .map(|judged| ((&judged.extension.origin, judged.extension.module.as_str()), judged))
        .collect();
    let lines: HashMap<&Origin, Vec<&str>> =
        answers.texts.iter().map(|(origin, text)| (origin, text.lines().collect())).collect();
    let mut seen: HashMap<_, usize> = HashMap::new();
    let identity = |finding: &Finding| {
        let judged = finding.module.as_deref().and_then(|module| by_origin.get(&(&finding.origin, module)));
        let (place, text) = match (finding.location, judged) {
            (Location::Text { line, .. }, _) => {
                let text = lines.get(&finding.origin).and_then(|lines| lines.get((line as usize).checked_sub(1)?));
                (path(&finding.origin), text.map_or_else(String::new, |text| normalised(text)))
            }
            (_, Some(Judged { extension, .. })) => (module_place(extension), extension.platform().to_string()),
            (_, None) => (path(&finding.origin), String::new()),
        };
        let equals = seen.entry((place.clone(), finding.rule, finding.function.clone(), text.clone())).or_default();
        let ordinal = *equals;
        *equals += 1;
        Identity::new(finding.rule, place, finding.function.as_deref(), text, ordinal)
    };
    answers.findings.iter().map(identity).collect()
}

/// `lxml/lxml.etree`
fn module_place(extension: &Extension) -> String {
    let distribution = extension.distribution.as_ref().map_or(String::new(), |it| format!("{}/", it.name));
    format!("{distribution}{}", extension.module)
}

/// The path inside an archive, without the folder `name-version` that an sdist begins with, or the path as given.
pub fn path(origin: &Origin) -> String {
    let (first, inside) = match origin.parts() {
        [first, inside @ ..] => (first.as_str(), inside),
        [] => ("", &[][..]),
    };
    if inside.is_empty() {
        return gilaudit_input::relative(first).to_owned();
    }
    let stem = first.rsplit('/').next().unwrap_or_default();
    let inside = inside.join("!");
    let is_stem = |top: &str| stem.strip_prefix(top).is_some_and(|suffix| suffix.starts_with('.'));
    match inside.split_once('/') {
        Some((top, rest)) if is_stem(top) => rest.to_owned(),
        _ => inside,
    }
}

/// A line with every run of white space made one blank.
fn normalised(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use gilaudit_model::{Confidence, Severity};

    use super::*;

    fn at(line: u32) -> Finding {
        Finding {
            origin: Origin::path("./src/x.c"),
            location: Location::Text { line, column: 1, end_line: line, end_column: 2 },
            rule: "borrowed-list-item",
            severity: Severity::Error,
            confidence: Confidence::High,
            readiness: false,
            message: String::new(),
            help: None,
            function: Some("f".to_owned()),
            module: None,
            related: Vec::new(),
            suppressed: None,
            code: None,
        }
    }

    fn of(text: &str, findings: &[Finding]) -> Vec<Identity> {
        let texts = vec![(Origin::path("./src/x.c"), text.to_owned())];
        identities(&Answers { findings: findings.to_vec(), texts, ..Answers::default() })
    }

    #[test]
    fn survives_moved_and_reindented_lines() {
        let before = of("a(x);\nb(x);", &[at(1), at(2)]);
        let after = of("\n/* new */\n  a(x);\n\n\tb(x);", &[at(3), at(5)]);
        assert_eq!(before, after);
        assert_eq!(before[0].place, "src/x.c");
        assert_ne!(before[0], before[1]);
    }

    #[test]
    fn equal_lines_are_told_apart_by_their_order() {
        let twice = of("a(x);\na(x);", &[at(1), at(2)]);
        assert_ne!(twice[0].fingerprint, twice[1].fingerprint);
        assert_eq!(of("a(x);", &[at(1)])[0], twice[0]);
    }

    #[test]
    fn the_version_of_an_archive_is_no_part_of_the_place() {
        let sdist = Origin::path("dist/pkg-1.0.tar.gz").member("pkg-1.0/src/x.c");
        assert_eq!(path(&sdist), "src/x.c");
        assert_eq!(path(&Origin::path("pkg-1.0.whl").member("pkg/x.so").slice("arm64")), "pkg/x.so![arm64]");
    }
}
