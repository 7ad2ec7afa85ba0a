//! What is read of snippets.

use gilaudit_model::{ImportKind, Os, PythonFacts, Step, Version};

use super::{PthLine, Reading, read, read_pth, read_stub};

const LINUX: Reading = Reading { version: Version::V3_14, os: Some(Os::Linux), main: false };

fn facts(text: &str) -> PythonFacts {
    read(text.as_bytes(), &LINUX)
}

/// Every import in one line: kind, line:column, module and names.
fn shown(text: &str) -> Vec<String> {
    let import = |import: &gilaudit_model::Import| {
        let dots = ".".repeat(import.level as usize);
        let names = import.names.as_ref().map_or(String::new(), |names| format!("({})", names.join(" ")));
        format!("{} {}:{} {dots}{}{names}", import.kind.as_str(), import.line, import.column, import.module)
    };
    facts(text).imports.iter().map(import).collect()
}

#[test]
fn statements() {
    let text =
        "import a, b.c as d\nx = 1\nfrom e.f import (\n    g,\n    h as i,\n)\nfrom . import j\nfrom ..k import *\n";
    assert_eq!(
        shown(text),
        ["plain 1:1 a", "plain 1:1 b.c", "plain 3:1 e.f(g h)", "plain 7:1 .(j)", "plain 8:1 ..k(*)",]
    );
    assert_eq!(facts(text).steps.len(), 5);
    assert_eq!(facts(text).binds, ["g", "i", "x"]);
}

#[test]
fn circumstances() {
    let text = "\
import sys
if TYPE_CHECKING:
    import only_types
else:
    import not_types
try:
    import maybe
except ImportError:
    import instead
if sys.version_info >= (3, 11):
    import new
else:
    import old
if sys.platform == 'win32':
    import windows
if DEBUG:
    import debug
def f():
    import in_function
class A:
    import in_class
    def m(self):
        import in_method
if __name__ == '__main__':
    import in_main
def __getattr__(name):
    import in_getattr
";
    assert_eq!(
        shown(text),
        [
            "plain 1:1 sys",
            "type-checking 3:5 only_types",
            "plain 5:5 not_types",
            "try 7:5 maybe",
            "conditional 9:5 instead",
            "plain 11:5 new",
            "other-target 13:5 old",
            "other-target 15:5 windows",
            "conditional 17:5 debug",
            "function 19:5 in_function",
            "plain 21:5 in_class",
            "function 23:9 in_method",
            "main 25:5 in_main",
            "lazy 27:5 in_getattr",
        ]
    );
    assert!(facts(text).getattr);
    let script = read(text.as_bytes(), &Reading { main: true, ..LINUX });
    assert!(script.imports.iter().any(|import| import.module == "in_main" && import.kind == ImportKind::Plain));
}

#[test]
fn one_line_clauses_and_comments() {
    let text = "try: import a # a\nexcept ImportError: a = None\nif x: import b\nelse: import c\nx = 1; import d\n";
    assert_eq!(shown(text), ["try 1:6 a", "conditional 3:7 b", "conditional 4:7 c", "plain 5:8 d"]);
    assert_eq!(facts(text).incomplete, None);
}

#[test]
fn text_that_only_looks_like_imports() {
    let text = "'''\nimport a\n'''\nx = '''\nimport b\n'''\n# import c\nimportlib = 3\n";
    assert_eq!(shown(text), Vec::<String>::new());
}

#[test]
fn dynamic() {
    let text = "import importlib\nm = importlib.import_module('a.b')\nn = __import__(\"c\")\no = importlib.import_module(f'{x}.d')\n\
                p = import_module('.e', __package__)\nq = lambda: __import__('later')\n";
    assert_eq!(shown(text), ["plain 1:1 importlib", "plain 2:5 a.b", "plain 3:5 c", "plain 5:5 .e"]);
}

#[test]
fn lazy_loaders() {
    let text =
        "import lazy_loader as lazy\n__getattr__, __dir__, _ = lazy.attach(__name__, ['data'], {'_x': ['f', 'g']})\n";
    let read = facts(text);
    let lazy: Vec<String> = read.lazy.iter().map(|it| format!("{}={}", it.attribute, it.submodule)).collect();
    assert_eq!(lazy, ["data=data", "f=_x", "g=_x"]);
    assert_eq!(shown(text)[1], "lazy 2:27 .(_x data)");
    assert!(read.getattr);
    assert!(facts("import lazy_loader as lazy\n__getattr__, *_ = lazy.attach_stub(__name__, __file__)\n").lazy_stub);
    let stub = read_stub(b"from . import data\nfrom ._x import f, g\n", &LINUX);
    assert_eq!(stub.iter().map(|it| it.submodule.as_str()).collect::<Vec<_>>(), ["data", "_x", "_x"]);
}

#[test]
fn functions_called_at_import() {
    let text = "def f():\n    import a\ndef g(): pass\nclass C:\n    def m(self):\n        import b\ng()\nx = f()\ny = C()\n@f\ndef h(): pass\n";
    let read = facts(text);
    let calls: Vec<&str> = read
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Call(name) | Step::Decorate(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(calls, ["g", "f", "C", "f"]);
    let of = |name: &str| read.callables.iter().find(|it| it.name == name).map(|it| it.imports.len());
    assert_eq!((of("f"), of("C"), of("C.m")), (Some(1), Some(0), Some(1)));
    // What is imported may be called, too; what is neither imported nor defined here is none of our business.
    let read = facts("from a import b as c\nimport d\n@c\nclass X: pass\ny = d.e(1)\nz = other(2)\n");
    let calls: Vec<&str> = read
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Call(name) | Step::Decorate(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(calls, ["c", "d.e"]);
    assert_eq!(read.imports[0].aliases, [("b".to_owned(), "c".to_owned())]);
}

#[test]
fn what_a_call_may_run_in_turn() {
    // Each text has an `f` that imports; whether `start` may run it.
    for (text, reaches) in [
        ("def start(): f()", true),
        ("def start(): g()\ndef g(): f()", true),
        ("def start(): other.f()\ndef g(): f()", false),
        ("class start:\n    def __init__(self): f()", true),
        ("class start(g): pass\nclass g:\n    def __init__(self): f()", true),
        ("def start(x=f): x()", true),
        ("HOOKS = []\nHOOKS.append(f)\ndef start(): HOOKS[0]()", true),
        ("HOOKS = []\ndef add(x): HOOKS.append(x)\n@add\ndef g(): f()\ndef start(): HOOKS[0]()", true),
        ("TABLE: dict = {'f': f}\ndef start(): TABLE['f']()", true),
        ("TABLE = {'k': f}\ndef start(): OTHER['k']()", false),
        ("HOOK = None\ndef put():\n    global HOOK\n    HOOK = f\ndef start(): HOOK()", true),
        ("T = {}\ndef put(): T[g[1]] = f\ndef start(): T[1]()", true),
        ("T = {}\ndef put(): T[1], x = f, 1\ndef start(): T[1]()", true),
        ("T = {}\ndef get(): T[1](f)\ndef start(): T[1]()", false),
        ("T = {}\ndef get(): return T[1] == f\ndef start(): T[1]()", false),
        ("def start(): globals()['f']()", true),
        ("if a:\n    g = f\nelse:\n    g = None\ndef start(): g()", true),
        // Of a class, what is named, and what runs without that.
        ("class start:\n    def m(self): f()", false),
        ("class start:\n    def __call__(self): self.m()\n    def m(self): f()", true),
        ("class start:\n    def __init__(self, x): x.m()\nclass g:\n    def m(self): f()", true),
        ("class start:\n    @property\n    def m(self): f()", false),
        ("class start:\n    @validates\n    def m(self): f()", true),
        ("class start(Elsewhere):\n    def m(self): f()", true),
        ("class g(Elsewhere): pass\nclass start(g):\n    def m(self): f()", true),
        ("class start(dict, a.Generic[b]):\n    def m(self): f()", true),
        ("class start(dict, ValueError):\n    def m(self): f()", false),
        ("class start:\n    class g:\n        def m(self): f()", true),
        // A type that is only an annotation runs nothing.
        ("def start(x: g, y: dict[g, 1] = h(1, 2)) -> g: pass\nclass g:\n    def __init__(self): f()", false),
        ("def start(x: int = g, y=lambda z: z): pass\nclass g:\n    def __init__(self): f()", true),
        ("def start(x: int, y=lambda z: g): pass\nclass g:\n    def __init__(self): f()", true),
        ("def start() -> dict[str, int]: return g()\nclass g:\n    def __init__(self): f()", true),
        ("H = []\nif x: H.append(f)\nelse: H.append(1)\ndef start(): H[0]()", true),
        ("T: dict[str, g] = {}\ndef start(): T[1]\nclass g:\n    def __init__(self): f()", false),
        ("T: dict[str, int] = {1: g}\ndef start(): T[1]\nclass g:\n    def __init__(self): f()", true),
        // What a variable takes note of.
        ("table = make()\n@table.register(1)\ndef g(): f()\ndef start(): table()", true),
        ("table = make()\n@table.register(1)\ndef g(): f()\ndef start(): pass", false),
        ("'''f start'''\n__all__ = ['f', 'start']\ndef start():\n    'f'", false),
    ] {
        let facts = facts(&format!("{text}\ndef f():\n    import a\n"));
        let mut seen = vec![false; facts.callables.len()];
        let mut stack: Vec<_> = facts.callables.iter().position(|it| it.name == "start").into_iter().collect();
        let mut found = false;
        while let Some(index) = stack.pop() {
            found |= !facts.callables[index].imports.is_empty();
            if !std::mem::replace(&mut seen[index], true) {
                let callable = &facts.callables[index];
                stack.extend(callable.mentions.iter().chain(&callable.registers));
            }
        }
        assert_eq!(found, reaches, "{text}");
    }
}

/// What the body looks at, in order, with `?` where that cannot be told; then what functions look at.
fn looks(text: &str, version: Version) -> Vec<String> {
    fn of(steps: &[Step], mark: &str, found: &mut Vec<String>) {
        for step in steps {
            match step {
                Step::Use(used) => found.push(format!("{}:{}{mark}", used.line, used.name)),
                Step::Either { branches, .. } => branches.iter().for_each(|branch| of(branch, "?", found)),
                _ => {}
            }
        }
    }
    let facts = read(text.as_bytes(), &Reading { version, ..LINUX });
    let mut found = Vec::new();
    of(&facts.steps, "", &mut found);
    let uses = facts.callables.iter().flat_map(|callable| &callable.uses);
    found.extend(uses.map(|used| format!("{}:{} later", used.line, used.name)));
    found
}

#[test]
fn looks_at_what_imports_bind() {
    let text = "\
import a, b.c as d
from e import f
x = a.b.c(1, key=d.g)
y = f.h if x else f.i
z = x and a.j
[a.k for _ in x]
if a.l: pass
for a.m in f.n: pass
@a.o
def g(p=a.q):
    'see a.docstring'
    return a.r(a.r)
class H(f.s):
    t = a.u
    def v(self): return self.a.w or other.x
later = lambda: a.y
x.a.z, a, other.aa, f(a).ab
";
    assert_eq!(
        looks(text, Version::V3_14),
        [
            "3:a.b.c",
            "3:d.g",
            "4:f.h?",
            "4:f.i?",
            "5:a.j?",
            "6:a.k?",
            "7:a.l",
            "8:a.m",
            "8:f.n",
            "9:a.o",
            "10:a.q",
            "13:f.s",
            "14:a.u",
            "12:a.r later",
        ]
    );
    assert_eq!(facts(text).incomplete, None);
}

#[test]
fn lazy_imports() {
    let text = "\
lazy import a.b
lazy from c import (
    d,
    e)
__lazy_modules__ = {'g'}
import g
class F(d):
    x = a
def f(y=e):
    return g
lazy = import_me(1)
";
    let kinds = |version| -> Vec<(u32, &str)> {
        let facts = read(text.as_bytes(), &Reading { version, ..LINUX });
        facts.imports.iter().map(|import| (import.line, import.kind.as_str())).collect()
    };
    assert_eq!(kinds(Version::V3_15), [(1, "on-use"), (2, "on-use"), (6, "plain")]);
    assert_eq!(looks(text, Version::V3_15), ["7:d", "8:a", "9:e", "10:g later"]);
    let read = read(text.as_bytes(), &Reading { version: Version::V3_15, ..LINUX });
    assert_eq!((read.lazy_modules.names, read.lazy_modules.open), (vec!["g".to_owned()], false));
    assert_eq!(read.incomplete, None);
}

#[test]
fn lazy_modules() {
    let modules = |value: &str, version| {
        let text = format!("{value}\nimport a\n");
        let read = read(text.as_bytes(), &Reading { version, ..LINUX }).lazy_modules;
        format!("{}{}", read.names.join(" "), if read.open { " ..." } else { "" })
    };
    for (value, known) in [
        ("__lazy_modules__ = {'a', f\"{__spec__.parent}.b.c\", f'{__package__}.d'}", "a .b.c .d"),
        ("__lazy_modules__: set[str] = {f'{__spec__.parent}'}", "."),
        ("__lazy_modules__ = ['a', f'{__name__}.x']", "a ..."),
        ("__lazy_modules__ = make()", " ..."),
        ("__lazy_modules__ = ['a']\n__lazy_modules__ += ['b']", " ..."),
        ("if a():\n    __lazy_modules__ = ['a']", " ..."),
    ] {
        assert_eq!(modules(value, Version::V3_15), known, "{value}");
        // Before 3.15 the name means nothing.
        assert_eq!(modules(value, Version::V3_14), "", "{value}");
    }
}

#[test]
fn conditions() {
    let decided = |condition: &str| {
        let facts = facts(&format!("if {condition}:\n    import a\n"));
        facts.imports[0].kind
    };
    use ImportKind::{Conditional, OtherTarget, Plain, TypeChecking};
    for (condition, kind) in [
        ("sys.version_info >= (3, 14)", Plain),
        ("sys.version_info >= (3, 15)", OtherTarget),
        ("sys.version_info > (3, 14)", Plain),
        ("sys.version_info <= (3, 14)", OtherTarget),
        ("sys.version_info[:2] == (3, 14)", Plain),
        ("sys.version_info < (3,)", OtherTarget),
        ("sys.version_info >= (3, 14, 1)", Conditional),
        ("sys.version_info >= (3, 13, 1)", Plain),
        ("sys.version_info[0] == 2", OtherTarget),
        ("sys.version_info.major >= 3", Plain),
        ("sys.platform in ('linux', 'darwin')", Plain),
        ("sys.platform.startswith('win')", OtherTarget),
        ("os.name != 'nt'", Plain),
        ("platform.system() == 'Darwin'", OtherTarget),
        ("not typing.TYPE_CHECKING", Plain),
        ("TYPE_CHECKING or x", Conditional),
        ("TYPE_CHECKING and x", TypeChecking),
        ("x and sys.platform == 'win32'", OtherTarget),
        ("sys.platform == other", Conditional),
        ("1", Plain),
    ] {
        assert_eq!(decided(condition), kind, "{condition}");
    }
}

#[test]
fn pth_files() {
    let text = "# comment\n\n../src\nimport os; import a.b; exec('x')\n";
    let lines = read_pth(text.as_bytes(), &LINUX);
    assert_eq!(lines[0], PthLine::Folder("../src".to_owned()));
    let PthLine::Code { line: 4, imports } = &lines[1] else { panic!("{lines:?}") };
    assert_eq!(imports.iter().map(|it| it.module.as_str()).collect::<Vec<_>>(), ["os", "a.b"]);
}

#[test]
fn hostile_text_ends() {
    let nested: String = (0..2000).map(|depth| format!("{}if x:\n", " ".repeat(depth))).collect();
    let texts = [
        format!("{nested}{}import a\n", " ".repeat(2000)),
        "import a\n".repeat(21_000),
        format!("x = {}import{}\n", "(".repeat(50_000), ")".repeat(50_000)),
        format!("f({})\nimport a", "g(".repeat(5000)),
        "import".to_owned(),
        "from".to_owned() + &" import".repeat(1000),
        "try:\n import a\n".repeat(500),
        "\0import a\n\0".to_owned(),
        "import \u{fffd}".to_owned(),
    ];
    for text in texts {
        read(text.as_bytes(), &LINUX);
    }
    read(b"import \xff\xfe\nfrom \xc3( import x", &LINUX);
    assert!(facts(&"import a\n".repeat(20_001)).incomplete.is_some());
}
