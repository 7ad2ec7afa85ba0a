//! What a larger input costs: steps are counted, not time, so these tests say the same on every machine.

use std::path::Path;

use gilaudit_model::Origin;
use gilaudit_model::source::Steps;
use gilaudit_rules::{Checked, Options, check_project};
use gilaudit_source::{Limits, SourceText, read_project};

fn check(files: &[(String, String)], most: u64) -> Checked {
    let source =
        |(path, text): &(String, String)| SourceText::new(Origin::path(path), path.clone(), text.as_bytes(), true);
    let limits = Limits { steps: most, ..Limits::default() };
    let (project, _) = read_project(files.iter().map(source).collect(), &limits);
    let options = Options {
        target: "3.14t".parse().unwrap(),
        frozen: Vec::new(),
        ignored: Vec::new(),
        suppressions: true,
        steps: most,
    };
    check_project(&project, &options)
}

fn steps(files: &[(String, String)]) -> f64 {
    let checked = check(files, Steps::MOST);
    assert!(checked.unjudged.is_empty(), "{:?}", checked.unjudged);
    checked.steps as f64
}

/// How the steps grow from 1 to 8 times the input, as a power: 1 is linear, 2 quadratic.
fn power(base: usize, make: impl Fn(usize) -> Vec<(String, String)>) -> f64 {
    (steps(&make(base * 8)) / steps(&make(base))).log(8.0)
}

fn one(path: &str, text: String) -> Vec<(String, String)> {
    vec![(path.to_owned(), text)]
}

/// Lines `line(0)` to `line(n - 1)` between a head and an end.
fn lines(head: &str, count: usize, line: impl Fn(usize) -> String, end: &str) -> String {
    let body: String = (0..count).map(|number| line(number) + "\n").collect();
    format!("{head}\n{body}{end}\n")
}

/// A kind of input: its name, and the files of it for a size.
type Kind = (&'static str, fn(usize) -> Vec<(String, String)>);

const KINDS: [Kind; 14] = [
    ("C: a borrowed reference in each of many branches", |n| {
        let branch = |_| "if (a()) v = PyDict_GetItem(d, k); else h(v);".to_owned();
        let head = "#include <Python.h>\nPyObject *f(PyObject *d, PyObject *k) { PyObject *v;";
        one("a.c", lines(head, n, branch, "return v; }"))
    }),
    ("C: functions", |n| {
        let function = |i| {
            format!(
                "static PyObject *f{i}(PyObject *d, PyObject *k) {{ PyObject *v = PyDict_GetItem(d, k); g(v); return v; }}"
            )
        };
        one("a.c", lines("#include <Python.h>", n, function, ""))
    }),
    ("C: a chain of calls, the last function first", |n| {
        let function = |i: usize| format!("static void f{}(PyObject *o) {{ f{}(o); }}", n - i, n - i + 1);
        one("a.c", lines("#include <Python.h>", n, function, "void init(void) { f1(0); }"))
    }),
    ("C: locals", |n| {
        let local = |i: usize| format!("int x{i} = y; use(x{i});");
        one("a.c", lines("#include <Python.h>\nvoid f(int y) {", n, local, "}"))
    }),
    ("C: conditionals", |n| {
        let branch = |i: usize| format!("#elif X == {i}\nint x{i};");
        one("a.c", lines("#include <Python.h>\n#if X == -1", n, branch, "#endif"))
    }),
    ("C: parentheses that nobody closes", |n| {
        let call = |i: usize| format!("CALL{i}(");
        one("a.c", lines("#include <Python.h>\nvoid f(void) {", n, call, "}"))
    }),
    ("C: macros within macros", |n| {
        let macros = "#define A(x) B(x) + B(x)\n#define B(x) C(x) + C(x)\n#define C(x) x + x";
        one(
            "a.c",
            lines(
                &format!("#include <Python.h>\n{macros}\nint f(int x) {{"),
                n,
                |_| "x = A(x);".to_owned(),
                "return x; }",
            ),
        )
    }),
    ("C: files that include each other", |n| {
        let file = |i: usize| (format!("f{i}.h"), format!("#include \"f{}.h\"\nint f{i}(int x);\n", i + 1));
        let mut files: Vec<_> = (0..n).map(file).collect();
        files.push((format!("f{n}.h"), "#include <Python.h>\n".to_owned()));
        files
    }),
    ("Python: threads that count in one variable", |n| {
        let thread = |i: usize| format!("def f{i}():\n    global x\n    x += 1\nthreading.Thread(target=f{i}).start()");
        one("a.py", lines("import threading\nx = 0", n, thread, ""))
    }),
    ("Python: comments in a block", |n| {
        one("a.py", lines("import threading\ndef f():", n, |_| "    # nothing".to_owned(), "    pass"))
    }),
    ("Python: statements in a block", |n| {
        let statement = |i: usize| format!("    if k not in T: T[k] = {i}");
        one("a.py", lines("import threading\nT = {}\ndef f(k):", n, statement, "threading.Thread(target=f).start()"))
    }),
    ("Python: one long list", |n| one("a.py", format!("import threading\nx = [{}]\n", "f(y), ".repeat(n)))),
    ("Cython: functions", |n| {
        let function = |i: usize| format!("def f{i}(x):\n    T[x] = {i}");
        one("a.pyx", lines("T = {}", n, function, ""))
    }),
    ("Rust: functions", |n| {
        let function = |i: usize| format!("fn f{i}(x: &Bound<PyAny>) {{ unsafe {{ X += {i}; }} }}");
        one("a.rs", lines("use pyo3::prelude::*;\nstatic mut X: usize = 0;", n, function, ""))
    }),
];

#[test]
fn locks_in_one_function_are_compared_with_each_other_and_no_more() {
    let section = |_| "PyMutex_Lock(&m); s->count++; PyMutex_Unlock(&m);".to_owned();
    let head = "#include <Python.h>\nvoid f(struct S *s) {";
    let power = power(60, |n| one("a.c", lines(head, n, section, "}")));
    assert!(power < 2.0, "{power:.2}");
}

#[test]
fn steps_grow_with_the_input_and_not_faster() {
    let mut faster = Vec::new();
    for (name, make) in KINDS {
        let power = power(60, make);
        if power > 1.05 {
            faster.push(format!("{name}: {power:.2}"));
        }
    }
    assert!(faster.is_empty(), "{faster:#?}");
}

/// The bodies of the functions of a text, as it is written in the fixtures: they begin and end at the edge.
fn bodies(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find("\n{\n").map(|found| at + found + 3) {
        let Some(end) = text[start..].find("\n}").map(|found| start + found + 1) else { break };
        out.push(start..end);
        at = end;
    }
    out
}

/// A text in which what each function does is done many times.
fn repeated(text: &str, count: usize) -> String {
    let (mut out, mut at) = (String::new(), 0);
    for body in bodies(text) {
        out.push_str(&text[at..body.start]);
        (0..count).for_each(|_| out += &format!("if (again()) {{\n{}}}\n", &text[body.clone()]));
        at = body.end;
    }
    out + &text[at..]
}

#[test]
fn what_rules_look_for_many_times_in_one_function_stays_bounded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/rules");
    let mut grown = Vec::new();
    for rule in std::fs::read_dir(folder).unwrap() {
        for file in std::fs::read_dir(rule.unwrap().path()).unwrap().flatten().map(|file| file.path()) {
            if file.extension().is_none_or(|end| end != "c" && end != "cpp") {
                continue;
            }
            let text = std::fs::read_to_string(&file).unwrap();
            if bodies(&text).is_empty() {
                continue;
            }
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            let power = power(4, |n| one(&name, repeated(&text, n)));
            let rule = file.parent().and_then(Path::file_name).unwrap().to_string_lossy().into_owned();
            grown.push((power, format!("{rule}/{name}")));
        }
    }
    grown.sort_by(|a, b| b.0.total_cmp(&a.0));
    assert!(grown.len() > 20, "the fixtures are not where they were");
    // A rule that walks over a function for each place that it looks at is quadratic in the size of one function; nothing is worse.
    let worse: Vec<_> = grown.iter().filter(|(power, _)| *power > 2.05).collect();
    assert!(worse.is_empty(), "{worse:#?}");
}

#[test]
fn a_file_that_takes_too_many_steps_is_not_judged_and_the_others_are() {
    let bad = "#include <Python.h>\nPyObject *f(PyObject *d, PyObject *k)\n{\n    return PyDict_GetItem(d, k);\n}\n";
    let files = [
        ("a.c".to_owned(), bad.to_owned()),
        ("b.c".to_owned(), repeated(bad, 2_000) + "PyMODINIT_FUNC PyInit_b(void) { return 0; }\n"),
    ];
    let rule = |checked: &Checked, path: &str| {
        checked.findings.iter().any(|it| it.rule == "borrowed-dict-item" && it.origin == Origin::path(path))
    };
    let all = check(&files, Steps::MOST);
    assert!(rule(&all, "a.c") && rule(&all, "b.c"));
    for most in [20_000, 200_000] {
        let cut = check(&files, most);
        assert!(rule(&cut, "a.c") && !rule(&cut, "b.c"), "{most}");
        let module = cut.modules.iter().find(|module| module.name == "b").unwrap();
        assert_eq!(module.declaration.status, gilaudit_model::Status::Unknown);
        assert!(
            module.declaration.reason.as_ref().unwrap().to_string().contains("was not judged"),
            "{:?}",
            module.declaration.reason
        );
    }
}
