//! What is read of snippets.

use gilaudit_model::source::Project;
use gilaudit_model::source::python::{Check, Form, Function, PythonFile, UseKind};
use gilaudit_model::{Origin, Problem};

use crate::{Limits, SourceText, read_project};

fn project(text: &str) -> (Project, Vec<Problem>) {
    let file = SourceText {
        origin: Origin::path("x.py"),
        path: "x.py".to_owned(),
        text: text.to_owned(),
        report: true,
        unread: None,
    };
    read_project(vec![file], &Limits::default())
}

fn read(text: &str) -> PythonFile {
    let (mut project, problems) = project(text);
    assert_eq!(problems, []);
    project.python.remove(0)
}

fn named<'f>(file: &'f PythonFile, name: &str) -> &'f Function {
    file.functions.iter().find(|function| function.qualified.as_ref() == name).unwrap()
}

#[test]
fn locks() {
    let file = read(
        "from threading import Lock
guard = Lock()
def f():
    global a, b, c, d
    a += 1
    with guard:
        b += 1
    guard.acquire()
    try:
        c = c + 1
    finally:
        guard.release()
    d += 1
",
    );
    let uses: Vec<_> = named(&file, "f").uses.iter().map(|it| (it.place[0].as_ref(), it.kind, it.locked)).collect();
    let augment = UseKind::Augment;
    assert_eq!(uses, [("a", augment, false), ("b", augment, true), ("c", augment, true), ("d", augment, false)]);
}

#[test]
fn forms_of_checks() {
    let file = read(
        "
def f(k):
    if k not in A: A[k] = 1
    if k in B:
        return B[k]
    B[k] = 2
    v = C.get(k)
    if v is None:
        C[k] = v = 3
    try:
        return D[k]
    except KeyError:
        D[k] = 4
    while E:
        E.pop()
    if F is None:
        F = 5
    if not hasattr(G, 'x'):
        G.x = 6
    if (w := H.get(k)) is None:
        H[k] = 7
    with lock:
        if k not in I: I[k] = 8
    if k not in J:
        with lock: J[k] = 9
",
    );
    let shared = |it: &&Check| it.place[0].starts_with(char::is_uppercase);
    let checks = named(&file, "f").checks.iter().filter(shared).map(|it| (it.place[0].as_ref(), it.form));
    let checks: Vec<_> = checks.collect();
    assert_eq!(
        checks,
        [
            ("A", Form::Missing),
            ("B", Form::Missing),
            ("C", Form::Missing),
            ("D", Form::Missing),
            ("E", Form::NotEmpty),
            ("F", Form::Unset),
            ("G", Form::Attribute),
            ("H", Form::Missing),
        ]
    );
}

#[test]
fn starts_of_threads() {
    let file = read(
        "
import threading
from concurrent.futures import ThreadPoolExecutor
threading.Thread(target=one).start()
for _ in range(4):
    threading.Thread(target=lambda: many()).start()
with ThreadPoolExecutor() as pool:
    pool.submit(task, 1)
unrelated.submit(form)
",
    );
    let starts: Vec<_> = file.starts.iter().map(|start| start.many).collect();
    assert_eq!(starts, [false, true, true]);
    assert_eq!(named(&file, "<lambda>").calls.len(), 1);
}

#[test]
fn iterations_and_copies() {
    let file =
        read("def f():\n    for x in A: pass\n    for x in list(B): pass\n    [y for y in enumerate(C.items())]\n");
    let iterated: Vec<_> =
        named(&file, "f").uses.iter().filter(|it| it.kind == UseKind::Iterate).map(|it| it.place[0].as_ref()).collect();
    assert_eq!(iterated, ["A", "C"]);
}

#[test]
fn hostile_nesting() {
    let (deep, blocks) =
        ("(".repeat(50_000), (0..2_000).map(|n| format!("{}if x:\n", " ".repeat(n))).collect::<String>());
    for text in [
        deep.as_str(),
        blocks.as_str(),
        "x = 1 + ".repeat(20_000).as_str(),
        "f\u{0}(",
        "def",
        "class",
        "lambda",
        "with",
        "\u{feff}",
    ] {
        let (project, _) = project(text);
        assert_eq!(project.files.len(), 1);
    }
}
