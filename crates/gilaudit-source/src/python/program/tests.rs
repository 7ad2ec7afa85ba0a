use gilaudit_model::program::{Expr, Program, Stmt};

use super::read_program;

fn complete(text: &str) -> Program {
    let program = read_program(text.as_bytes());
    assert_eq!(program.incomplete, None, "{text}");
    program
}

#[test]
fn every_kind_of_statement_is_read() {
    let text = "\
import a.b as c, d
from . import (e, f as g,)
from ..h.i import *
x: int = 1; y = z = (1, *w)
x += 2
for i, (j, *k) in enumerate(y): pass
else:
    break
while (n := f()) and not n: continue
with open(p) as q, (r): pass
with (open(p) as q, s as t,):
    pass
try:
    raise A from b
except* (B, C) as e:
    del x, y[0]
except:
    assert x, y
else: pass
finally: return
@d(1)
@e.f
async def g(a, /, b: int = 1, *args: T, c, **kw) -> list[int]:
    global x
    nonlocal y
    await z
    async for m in n: yield m
    return [o async for o in p if q if r]
class K[T: int](L, metaclass=M, **kw):
    def f(self): return super().f()
match x, y:
    case [1, {'a': b, **c}, D(e=f)] if g: pass
    case str() | None as h: pass
    case _: pass
match = type = case = 1
match[0] = type(case)
type X[T] = list[T]
lambda a, *b, c=1, **d: (yield)
print(f'{a!r:>{w}} {{}} {b[\"c\"]=}' 'd' rb'e' if 0 else \"\"\"x\ny\"\"\")
x = a if b else c or d and not e < f <= g is not h not in i
x = {**a, 'b': 1}, {1, *b}, {a: b for a in c}, -1 ** 2 @ 3 // 4 << 5, a[1:2, ::3, ...], 0x1f, 1_0.5e-3j
";
    let program = complete(text);
    assert_eq!((program.functions.len(), program.classes.len()), (3, 1));
    assert!(program.functions.iter().any(|function| function.is_async && function.is_generator));
    let Some(Stmt::From { module, level: 2, .. }) = program.body.get(2) else { panic!("{:?}", program.body.get(2)) };
    assert_eq!(module, "h.i");
}

#[test]
fn texts_are_what_they_stand_for() {
    let text = |text: &str| {
        let program = complete(&format!("x = {text}\n"));
        program.exprs.iter().rev().find_map(|expr| match expr {
            Expr::Str(text) => Some(text.to_string()),
            _ => None,
        })
    };
    assert_eq!(text("'a' \"b\" '''c'''").as_deref(), Some("abc"));
    assert_eq!(text("'a\\n\\x41\\u0042\\\n'").as_deref(), Some("a\nAB"));
    assert_eq!(text("r'a\\n'").as_deref(), Some("a\\n"));
}

#[test]
fn lines_are_those_of_the_file() {
    let program = complete("'''\n\n'''\nimport a\n\nx = (\n  b.c(\n    f'''\n{d()}''')\n)\n");
    let Some(Stmt::Import { line: 4, .. }) = program.body.first() else { panic!("{:?}", program.body) };
    let calls: Vec<u32> = program
        .exprs
        .iter()
        .zip(&program.lines)
        .filter(|(expr, _)| matches!(expr, Expr::Call(..)))
        .map(|(_, line)| *line)
        .collect();
    assert_eq!(calls.last(), Some(&7));
}

#[test]
fn what_is_no_python_is_said_and_the_rest_is_read() {
    for text in ["print 'x'\nimport a\n", "def f(x y):\n    pass\nimport a\n", "if x\n    y\nimport a\n"] {
        let program = read_program(text.as_bytes());
        assert_eq!(program.incomplete.map(|(line, _)| line), Some(1), "{text}");
        assert!(matches!(program.body.last(), Some(Stmt::Import { .. })), "{text}");
    }
}

#[test]
fn hostile_text_ends_soon() {
    for text in [
        "(".repeat(100_000),
        "a.".repeat(100_000),
        "not ".repeat(100_000),
        "-".repeat(100_000),
        "lambda: ".repeat(100_000),
        "x if y else ".repeat(100_000),
        "f'{".repeat(20_000),
        "[f'".repeat(20_000),
        "if x:\n ".repeat(50_000),
        (0..300).map(|depth| " ".repeat(depth) + "if x:\n").collect(),
        "match x:\n".repeat(50_000),
        "@".repeat(100_000),
        "\\\n".repeat(100_000),
        "a = ".repeat(50_000) + "1",
        "\0\0\u{feff}\u{1}".repeat(1_000),
    ] {
        read_program(text.as_bytes());
    }
    // Many operators after each other are one deep for CPython, and for us.
    let program = complete(&format!("x = {}1\n", "1 + ".repeat(50_000)));
    assert!(program.exprs.len() > 100_000);
}
