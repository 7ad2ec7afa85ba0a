//! Verdicts, what was lost, and which wheel is taken.

use super::*;
use gilaudit_input::wheel_platforms;

fn facts(outcomes: &[&str]) -> WheelFacts {
    let module = |outcome: &&str| Module {
        name: "m".into(),
        path: "m.so".into(),
        sha256: None,
        declaration: "unknown".into(),
        outcome: (*outcome).into(),
        because: String::new(),
    };
    WheelFacts { modules: outcomes.iter().map(module).collect(), ..WheelFacts::default() }
}

#[test]
fn verdicts_of_wheels() {
    for (outcomes, expected) in [
        (&[][..], Verdict::Pure),
        (&["runs-free", "runs-free"], Verdict::Declares),
        (&["runs-free", "cannot-import"], Verdict::Declares),
        (&["runs-free", "enables-gil", "undetermined"], Verdict::Mixed),
        (&["enables-gil", "undetermined"], Verdict::EnablesGil),
        (&["runs-free", "undetermined"], Verdict::Undetermined),
        (&["cannot-import"], Verdict::CannotImport),
    ] {
        assert_eq!(verdict(&facts(outcomes)), expected, "{outcomes:?}");
    }
    let unread = WheelFacts { unread: vec!["damaged".into()], ..facts(&["runs-free"]) };
    assert_eq!(verdict(&unread), Verdict::Unreadable);
}

fn release_of(version: &str, verdict: Verdict) -> Release {
    Release {
        version: version.parse().unwrap(),
        uploaded: None,
        yanked: None,
        verdict,
        wheel: None,
        facts: WheelFacts::default(),
        cost: Cost::default(),
        why: None,
    }
}

#[test]
fn what_was_lost() {
    let verdicts = [
        ("1", Verdict::NoWheel),
        ("2", Verdict::EnablesGil),
        ("3", Verdict::Declares),
        ("4", Verdict::Unreadable),
        ("5", Verdict::Mixed),
        ("6", Verdict::EnablesGil),
        ("7", Verdict::Declares),
    ];
    let history = History {
        name: "x".into(),
        target: "3.14t".parse().unwrap(),
        platform: "linux-x86_64".into(),
        releases: verdicts.iter().map(|(version, verdict)| release_of(version, *verdict)).collect(),
        left_out: 0,
        problems: Vec::new(),
    };
    let version = |release: Option<&Release>| release.map(|release| release.version.to_string());
    assert_eq!(version(history.first_wheel()).as_deref(), Some("2"));
    assert_eq!(version(history.first_declares()).as_deref(), Some("3"));
    let lost: Vec<String> = history.regressions().iter().map(|(a, b)| format!("{}-{}", a.version, b.version)).collect();
    assert_eq!(lost, ["3-5"]);
}

#[test]
fn the_wheel_that_pip_would_take() {
    let url = gilaudit_index::Url::parse("https://host.example/").unwrap();
    let file = |name: &str, requires: Option<&str>| File {
        name: name.into(),
        url: url.clone(),
        index: url.clone(),
        kind: if name.ends_with(".whl") { Kind::Wheel } else { Kind::Sdist },
        version: "1".parse().unwrap(),
        claimed_sha256: None,
        size: None,
        uploaded: None,
        requires_python: requires.map(str::to_owned),
        yanked: None,
    };
    let wanted = Wanted {
        target: "3.14t".parse().unwrap(),
        platform: "linux-x86_64".into(),
        tags: wheel_platforms(Some("linux-x86_64")).unwrap(),
    };
    let chosen = |files: &[File]| match choose(&files.iter().collect::<Vec<_>>(), &wanted) {
        Ok(file) => file.name.clone(),
        Err((verdict, _)) => verdict.as_str().to_owned(),
    };
    let own = file("x-1-cp314-cp314t-manylinux_2_28_x86_64.whl", Some(">=3.9"));
    let (pure, stable) = (file("x-1-py3-none-any.whl", None), file("x-1-cp39-abi3-manylinux_2_28_x86_64.whl", None));
    let sdist = file("x-1.tar.gz", None);
    assert_eq!(chosen(&[pure.clone(), own.clone(), stable.clone()]), own.name);
    assert_eq!(chosen(&[sdist.clone(), stable.clone(), pure.clone()]), pure.name);
    assert_eq!(chosen(&[stable, sdist.clone()]), "abi3-only");
    assert_eq!(chosen(&[sdist]), "no-wheel");
    assert_eq!(chosen(&[file("x-1-py3-none-any.whl", Some("<3.10"))]), "no-wheel");
}
