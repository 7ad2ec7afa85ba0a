use gilaudit_input::{Given, Limits, collect, collect_with_environments};

use crate::Scratch;
use crate::archives::{NAME, stored, wheel};

/// A project with an environment, build output, and ignore files on two levels.
fn project(marker: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.write(&format!("p/{marker}"), "");
    scratch.write("p/src/pkg/a.c", "");
    scratch.write("p/src/pkg/a.so", "");
    scratch.write("p/src/pkg/kept.so", "");
    scratch.write("p/src/pkg/.ignore", "!kept.so\n");
    scratch.write("p/.gitignore", "*.so\n/generated/\n");
    scratch.write("p/generated/b.c", "");
    scratch.write("p/build/lib/pkg/a.so", "");
    scratch.write(&format!("p/dist/{NAME}"), wheel([stored("x/a.so", "")]));
    scratch.write("p/.venv/pyvenv.cfg", "version = 3.14.0\n");
    scratch.write("p/.venv/.gitignore", "*\n");
    scratch.write("p/.venv/lib/python3.14t/site-packages/m.so", "");
    scratch
}

/// What is listed of the sources.
fn sources(scratch: &Scratch, folder: &str) -> Vec<String> {
    scratch.collect(folder).sources.iter().map(|source| source.path.clone()).collect()
}

#[test]
fn a_project_is_read_as_its_tools_read_it() {
    let said = "! p: not looked at in this project: .venv (virtual environments); build, dist (built from the sources); generated, \
                src/pkg/a.so (named by ignore files); name one to have it audited";
    for marker in ["pyproject.toml", "setup.py"] {
        let scratch = project(marker);
        assert_eq!(scratch.list(&scratch.collect("p")), ["Candidate p/src/pkg/kept.so = src.pkg.kept", said]);
        assert_eq!(sources(&scratch, "p").iter().filter(|path| path.ends_with(".c")).count(), 1);
    }
}

#[test]
fn what_is_named_is_audited_whatever_ignores_it() {
    let scratch = project("pyproject.toml");
    assert_eq!(scratch.list(&scratch.collect("p/build")), ["Candidate p/build/lib/pkg/a.so = lib.pkg.a"]);
    assert_eq!(scratch.collect("p/dist").members.len(), 1);
    assert_eq!(scratch.collect("p/.venv").members.len(), 1);
    assert_eq!(sources(&scratch, "p/generated"), ["b.c"]);
    assert_eq!(scratch.collect("p/src/pkg/a.so").members.len(), 1);
}

#[test]
fn who_asks_about_imports_gets_the_environment() {
    let scratch = project("pyproject.toml");
    let inventory = collect_with_environments(&[Given::Path(scratch.path("p"))], None, &Limits::default());
    let modules: Vec<&str> = inventory.members.iter().map(|member| member.module.as_str()).collect();
    assert_eq!(modules, ["m", "src.pkg.kept"], "and no ignore file of the project or of its own hides what is in it");
    assert!(!inventory.problems[0].error.contains(".venv"));
}

#[test]
fn installed_packages_cannot_hide() {
    let scratch = Scratch::new();
    scratch.write("site-packages/pkg/__init__.py", "");
    scratch.write("site-packages/pkg/pyproject.toml", "");
    scratch.write("site-packages/pkg/.gitignore", "*\n");
    scratch.write("site-packages/pkg/a.so", "");
    for folder in ["site-packages", "site-packages/pkg"] {
        assert_eq!(scratch.list(&scratch.collect(folder)), ["Candidate site-packages/pkg/a.so = pkg.a"]);
    }
    // Nor can what lies in a folder that is no project.
    scratch.write("loose/.ignore", "*\n");
    scratch.write("loose/b.so", "");
    assert_eq!(scratch.list(&scratch.collect("loose")), ["Candidate loose/b.so = b"]);
}

#[test]
fn a_package_named_build_is_the_projects_own() {
    let scratch = Scratch::new();
    scratch.write("p/pyproject.toml", "");
    scratch.write("p/build/__init__.py", "");
    scratch.write("p/build/a.so", "");
    scratch.write("q/x.py", "");
    scratch.write("q/dist/a.so", "");
    assert_eq!(scratch.list(&scratch.collect("p")), ["Candidate p/build/a.so = build.a"]);
    assert_eq!(scratch.list(&scratch.collect("q")), ["Candidate q/dist/a.so = dist.a"], "nothing builds there");
}

#[test]
fn an_ignore_file_beyond_all_measure_does_not_count() {
    let scratch = Scratch::new();
    scratch.write("p/setup.py", "");
    scratch.write("p/.gitignore", "a.so\n".repeat(300_000));
    scratch.write("p/a.so", "");
    assert_eq!(collect(&[Given::Path(scratch.path("p"))], None, &Limits::default()).members.len(), 1);
}
