//! For which modules a Cython directive in a build file holds.

use gilaudit_model::{Origin, Status};
use gilaudit_rules::modules;
use gilaudit_source::{Limits, SourceText, read_project};

/// What each module of a project with these files declares, sorted by name.
fn declared(build: (&str, &str), sources: &[&str]) -> Vec<(String, Status)> {
    let source = |path: &str, text: &str| SourceText {
        origin: Origin::path(path),
        path: path.to_owned(),
        text: text.to_owned(),
        report: true,
        unread: None,
    };
    let mut files = vec![source(build.0, build.1)];
    files.extend(sources.iter().map(|path| source(path, "import sys\n")));
    let (project, problems) = read_project(files, &Limits::default());
    assert_eq!(problems, []);
    let modules = modules(&project, &"3.14t".parse().unwrap());
    modules.into_iter().map(|module| (module.name, module.declaration.status)).collect()
}

#[track_caller]
fn expect(build: (&str, &str), expected: [(&str, Status); 2]) {
    let found = declared(build, &["a.pyx", "b.pyx"]);
    assert_eq!(found, expected.map(|(name, status)| (name.to_owned(), status)));
}

#[test]
fn an_extension_of_its_own() {
    let setup = r#"
ON = {"freethreading_compatible": False}
setup(ext_modules=cythonize([
    Extension("a", ["a.pyx"], cython_directives={"freethreading_compatible": True}),
    Extension("b", ["b.pyx"]),
], compiler_directives=ON))
"#;
    expect(("setup.py", setup), [("a", Status::NotUsed), ("b", Status::Used)]);
    let others = setup.replace("ON = {\"freethreading_compatible\": False}", "");
    expect(("setup.py", &others), [("a", Status::NotUsed), ("b", Status::Unknown)]);
}

#[test]
fn all_that_a_pattern_means() {
    let setup = r#"setup(ext_modules=cythonize("*.pyx", compiler_directives={"freethreading_compatible": True}))"#;
    expect(("setup.py", setup), [("a", Status::NotUsed), ("b", Status::NotUsed)]);
    let listed = r#"
modules = [Extension("a", ["a.pyx"]), Extension("b", ["b.pyx"])]
setup(ext_modules=cythonize(modules, compiler_directives={"freethreading_compatible": True}))
"#;
    expect(("setup.py", listed), [("a", Status::NotUsed), ("b", Status::NotUsed)]);
}

#[test]
fn arguments_of_one_target() {
    let meson = "
py.extension_module('a', 'a.pyx', cython_args: ['-Xfreethreading_compatible=True'])
py.extension_module('b', 'b.pyx')
";
    expect(("meson.build", meson), [("a", Status::NotUsed), ("b", Status::Unknown)]);
    let all = "add_project_arguments('-Xfreethreading_compatible=True', language: 'cython')
py.extension_module('a', 'a.pyx')
py.extension_module('b', 'b.pyx')
";
    expect(("meson.build", all), [("a", Status::NotUsed), ("b", Status::NotUsed)]);
}

#[test]
fn what_the_command_line_of_cython_takes() {
    for (value, status) in
        [("true", Status::NotUsed), ("YES", Status::NotUsed), ("no", Status::Used), ("on", Status::Unknown)]
    {
        let meson = format!("add_project_arguments('-Xfreethreading_compatible={value}', language: 'cython')\n");
        expect(("meson.build", &meson), [("a", status), ("b", status)]);
    }
    // In Python these are names.
    let setup = r#"setup(ext_modules=cythonize("*.pyx", compiler_directives={"freethreading_compatible": true}))"#;
    expect(("setup.py", setup), [("a", Status::Unknown), ("b", Status::Unknown)]);
}

#[test]
fn a_condition_that_every_free_threaded_python_meets() {
    let setup = |condition: &str| {
        format!(
            "options = {{}}\nif {condition}:\n    options['freethreading_compatible'] = True\n\
             setup(ext_modules=cythonize(['a.pyx', 'b.pyx'], compiler_directives=options))\n"
        )
    };
    let (met, open) = (setup("sys.version_info >= (3, 13)"), setup("sys.version_info >= (3, 14)"));
    expect(("setup.py", &met), [("a", Status::NotUsed), ("b", Status::NotUsed)]);
    expect(("setup.py", &open), [("a", Status::Unknown), ("b", Status::Unknown)]);
}
