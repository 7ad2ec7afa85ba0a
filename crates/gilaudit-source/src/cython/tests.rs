//! The reader on small texts.

use gilaudit_model::Origin;
use gilaudit_model::source::Project;
use gilaudit_model::source::cython::StmtKind;

use crate::{Limits, SourceText, read_project};

fn project(text: &str) -> Project {
    let file = SourceText {
        origin: Origin::path("a.pyx"),
        path: "a.pyx".to_owned(),
        text: text.to_owned(),
        report: true,
        unread: None,
    };
    read_project(vec![file], &Limits::default()).0
}

#[test]
fn functions_classes_and_attributes() {
    let project = project(
        "# cython: freethreading_compatible = True, language_level=3\n\
         cdef class A(B) [object X, type Y]:\n    cdef public int n, m\n    cdef:\n        object o\n        void (*f)(int) nogil\n\
         \x20   property p:\n        def __get__(self): return self.o\n\n\
         @cython.boundscheck(False)\ncdef inline unsigned int f(const char *x, double[:, ::1] y not None, z=None) except? -1 nogil:\n    return 0\n\
         cdef g(a, int b=3): pass\ncpdef libpq.PGconn *h(*args, **kwargs):\n    if a: b = 1; c = 2\n    d = 3\n",
    );
    let file = &project.cython[0];
    assert_eq!(project.files[0].unparsed, 0, "{:?}", project.files[0].unparsed_spans);
    assert_eq!(file.directives.len(), 2);
    assert_eq!(&*file.directives[0].value, "True");
    let names: Vec<_> = file.functions.iter().map(|function| project.text(function.name)).collect();
    assert_eq!(names, ["__get__", "f", "g", "h"]);
    assert_eq!(file.functions[0].class, Some(0));
    assert!(file.functions[1].nogil && file.functions[1].decorators.len() == 1);
    let parameters = |index: usize| -> Vec<_> {
        file.functions[index].parameters.iter().map(|parameter| project.text(parameter.name)).collect()
    };
    assert_eq!(parameters(1), ["x", "y", "z"]);
    assert_eq!(parameters(2), ["a", "b"]);
    assert_eq!(parameters(3), ["args", "kwargs"]);
    let variables: Vec<_> = file
        .variables
        .iter()
        .map(|variable| (project.text(variable.name), project.text(variable.ty.base), variable.ty.pointers))
        .collect();
    assert_eq!(variables, [("n", "int", 0), ("m", "int", 0), ("o", "object", 0), ("f", "void", 1)]);
    // `d = 3` is in the function, not in the `if` of one line.
    let last = file.stmts.last().unwrap();
    assert!(matches!(last.kind, StmtKind::Assign { .. }));
    assert!(matches!(file.stmt(last.parent.unwrap()).kind, StmtKind::Function(3)));
}

#[test]
fn what_cython_adds_to_expressions() {
    let text = "cdef f():\n    x = <object>p\n    y = <char*>&a[0] + sizeof(unsigned int)\n    z = new vector[int *](3)\n\
         \x20   cdef vector[unsigned char] v = vector[unsigned char]()\n    for i from 0 <= i < n by 2: pass\n    for i in prange(n, nogil=True): pass\n\
         \x20   with cython.critical_section(self), nogil:\n        raise ValueError, 'x'\n    a, (b, *c) = d = {1: 2, **e}\n    print x\n    return a if not b is None else [i for i in c if i]\n\
         \x20   x = (yield)\n    if (m := f(a)) > 1 >> 2: pass\n    cdef int *p = NULL, q[10]\n    cdef object k = lambda x, y=1: x[1:2, ::3]\n    t: int = 3\n";
    let project = project(text);
    assert_eq!(
        project.files[0].unparsed,
        0,
        "{:?}",
        project.files[0].unparsed_spans.iter().map(|span| project.files[0].text_of(*span)).collect::<Vec<_>>()
    );
}

#[test]
fn what_does_not_parse_is_said_and_the_rest_read() {
    let project = project(
        "def f():\n    x = = 1\n    y = (1,\n\ndef g():\n    long_enough_that_most_of_it_parses = 1 + 2 + 3 + 4 + 5 + 6 + 7 + 8\n    pass\n",
    );
    assert_eq!(project.files[0].unparsed_spans.len(), 2);
    assert_eq!(project.cython[0].functions.len(), 2);
    // Of less, nothing can be said.
    let project = self::project("def f():\n    x = = 1\n    y = (1,\n");
    assert!(project.cython.is_empty() && project.files[0].unread.is_some());
}

#[test]
fn hostile_text_ends() {
    let nested = "    ".to_owned() + &"(".repeat(100_000);
    let blocks: String = (0..2000).map(|depth| format!("{}if x:\n", " ".repeat(depth))).collect();
    let minus = format!("x = {}1\n", "- ".repeat(100_000));
    let casts = format!("x = {}1\n", "<int>".repeat(100_000));
    let calls = format!("x = f{}\n", "()".repeat(100_000));
    for text in [
        nested.as_str(),
        &blocks,
        &minus,
        &casts,
        &calls,
        "cdef",
        "cdef int",
        "def",
        "cdef f(",
        "with",
        "for",
        "class",
        "@",
        "from",
        "from . import (",
        "cdef class",
        "cdef (",
        "x[",
        "cdef x(*",
        "if x: else",
        "cdef int (",
        ":",
        "cdef a.",
        "property",
        "lambda",
        "x = lambda",
    ] {
        project(text);
    }
}
