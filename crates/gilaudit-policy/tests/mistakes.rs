//! Everything that can be wrong with a policy is said in one run, each at its place.

use gilaudit_model::Severity;
use gilaudit_policy::{Diagnostic, Known, Policy};

use crate::common::{self, RULES, golden, shown, today};

/// Each diagnostic with the words it points at, as the user would see them.
fn pointed(text: &str, diagnostics: &[Diagnostic]) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut out = String::new();
    for diagnostic in diagnostics {
        let place = &diagnostic.place;
        let line = lines[place.line as usize - 1];
        let end = if place.end_line == place.line { place.end_column as usize - 1 } else { line.chars().count() };
        let words: String = line.chars().take(end).skip(place.column as usize - 1).collect();
        out.push_str(&format!("{diagnostic}\n    at: {words}\n"));
    }
    out
}

fn check(name: &str, text: &str) -> Vec<Diagnostic> {
    let (policy, diagnostics) = common::parse(&format!("{name}.yaml"), text);
    assert!(policy.is_none());
    golden(&format!("../../fixtures/policies/{name}.txt"), &pointed(text, &diagnostics));
    diagnostics
}

#[test]
fn twelve_mistakes_give_twelve_diagnostics() {
    let diagnostics = check("twelve-mistakes", include_str!("../../../fixtures/policies/twelve-mistakes.yaml"));
    assert_eq!(diagnostics.len(), 12);
}

#[test]
fn more_mistakes() {
    let text = include_str!("../../../fixtures/policies/more-mistakes.yaml");
    check("more-mistakes", text.split("? [complex]").next().unwrap());
    let (_, diagnostics) = common::parse("p.yaml", text);
    assert!(shown(&diagnostics).contains("this cannot be a key"), "{}", shown(&diagnostics));
}

#[test]
fn the_same_mistakes_in_pyproject() {
    let text = include_str!("../../../fixtures/policies/pyproject-mistakes.toml");
    let known = Known { rules: &RULES, today: today(), base: &common::built_in, shows_bases: true };
    let (policy, diagnostics) = Policy::parse_pyproject("pyproject.toml", text, &known).unwrap();
    assert!(policy.is_none());
    golden("../../fixtures/policies/pyproject-mistakes.txt", &pointed(text, &diagnostics));
}

#[test]
fn warnings_leave_a_usable_policy() {
    let text = "exceptions:\n- match: {module: a}\n  action: allow\n  reason: r\n  expires: 2026-11-21\n";
    let (policy, diagnostics) = common::parse("p.yaml", text);
    assert!(policy.is_some());
    assert_eq!(diagnostics.len(), 1);
    assert_eq!(diagnostics[0].severity, Severity::Warning);
    let (_, diagnostics) = common::parse("p.yaml", &text.replace("2026-11-21", "2026-11-22"));
    assert_eq!(shown(&diagnostics), "", "it holds on its last day");
}

/// What the first diagnostic says.
fn first(text: &str) -> String {
    let (policy, diagnostics) = common::parse("p.yaml", text);
    assert!(policy.is_none());
    diagnostics[0].to_string()
}

#[test]
fn places_count_characters_whatever_the_line_ends() {
    for (text, at) in [
        ("extends: gil\r\nruls: {}\r\n", "p.yaml:2:1"),
        ("\u{feff}extends: gil\nruls: {}\n", "p.yaml:2:1"),
        ("rules: {\"é\": off}\n", "p.yaml:1:9"),
        ("{description: ééé, ruls: 1}\n", "p.yaml:1:20"),
        ("description: |\n  two\n  lines\nfail-on: x\n", "p.yaml:4:10"),
        ("description: &d text\nfail-on: *d\n", "p.yaml:2:10"),
    ] {
        assert!(first(text).starts_with(at), "{text:?}: {}", first(text));
    }
    let known = Known { rules: &RULES, today: today(), base: &common::built_in, shows_bases: true };
    let toml = "[tool.gilaudit]\r\ndescription = 'ééé'\r\nrules = { 'é' = 'off' }\r\n";
    let (_, diagnostics) = Policy::parse_pyproject("p.toml", toml, &known).unwrap();
    assert!(diagnostics[0].to_string().starts_with("p.toml:3:11: error: unknown rule 'é'"), "{}", shown(&diagnostics));
}

#[test]
fn texts_that_are_no_policy() {
    assert!(first("").starts_with("p.yaml:1:1: error: the policy is empty"));
    assert!(first("# only a comment\n").contains("the policy is empty"));
    assert!(first("just words").contains("a policy must be a table, and this is text"));
    assert!(first("- a\n- b\n").contains("this is a list"));
    assert!(first("a: [\n").contains("not YAML"));
    assert!(first("a: 'x\n").contains("not YAML"));
    assert!(first("extends: gil\n---\nextends: gil\n").contains("second one"));
    assert!(first("a:\n\t- x").contains("not YAML"));
    assert!(first("\u{0}").starts_with("p.yaml:1:1"));
}

#[test]
fn hostile_texts_are_refused_in_short_time() {
    let started = std::time::Instant::now();
    for open in ["[", "{x: ", "- "] {
        assert!(first(&format!("a:\n {}x", open.repeat(50))).starts_with("p.yaml:2:"), "{open}");
        assert!(first(&format!("a:\n {}x", open.repeat(10_000))).contains("error"), "{open}");
    }
    assert!(first(&format!("a: {}x{}", "[".repeat(50), "]".repeat(50))).contains("nested deeper than 16 levels"));
    assert!(first(&"x".repeat(2 << 20)).contains("larger than"));
    assert!(first(&format!("a: [{}]", "1,".repeat(30_000))).contains("more than 20000 values"));
    let laughs: String = (1..30).map(|i| format!("x{i}: &x{i} [{}]\n", format!("*x{},", i - 1).repeat(10))).collect();
    assert!(first(&format!("x0: &x0 lol\n{laughs}")).contains("more than 20000 values"));
    assert!(first("a: &a [*a]").contains("inside the value"));
    let unknown: String = (0..15_000).map(|i| format!("exceptionz{i}: 1\n")).collect();
    assert!(first(&unknown).contains("unknown key"));
    let exceptions: String =
        (0..3_000).map(|i| format!("- match: {{module: 'm{i}*'}}\n  action: warn\n  reason: r\n")).collect();
    let (policy, diagnostics) = common::parse("p.yaml", &format!("exceptions:\n{exceptions}"));
    assert!(policy.is_some());
    assert_eq!(diagnostics.len(), 2_990, "all but m0* to m9* are covered by one of them");
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

#[test]
fn no_cut_or_flipped_text_panics() {
    let text = include_str!("../../../fixtures/policies/more-mistakes.yaml");
    let toml = include_str!("../../../fixtures/policies/pyproject-mistakes.toml");
    let known = Known { rules: &RULES, today: today(), base: &common::built_in, shows_bases: true };
    for at in (0..text.len()).step_by(11) {
        let _ = Policy::parse("p", &text[..at], &known);
        let _ = Policy::parse("p", &text[at..], &known);
        for odd in ["\u{0}", "\u{feff}", "é", "*", "&", "%", "!", "|", ">", "'", "\"", "[", "}", "- ", ": "] {
            let _ = Policy::parse("p", &format!("{}{odd}{}", &text[..at], &text[at + 1..]), &known);
        }
    }
    for at in (0..toml.len()).step_by(3) {
        let _ = Policy::parse_pyproject("p", &toml[..at], &known);
        for odd in ["\u{0}", "é", "=", "[", "'", "\"\"\"", "\n"] {
            let _ = Policy::parse_pyproject("p", &format!("{}{odd}{}", &toml[..at], &toml[at + 1..]), &known);
        }
    }
}
