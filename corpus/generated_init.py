#!/usr/bin/env python3
"""Makes random C init functions, imports each in a real free-threaded interpreter and compares with what gilaudit says.

    python3 generated_init.py --gilaudit EXE --interpreter EXE [--count N] [--seed N] [--cc gcc,clang] [--levels O0,O1,O2,O3]
                              [--per-file N] [--jobs N] [--work DIR] [--failures FILE]
    python3 generated_init.py --gilaudit EXE --interpreter EXE --seeds generated_init.tsv     the seeds that once failed
    python3 generated_init.py --show SEED                                                     prints the source

Each module is made from a seed of its own by `source`: statements over slots, definitions, flags, guards, loops, calls, copies, tables,
helpers and constructors, which end in a module definition or in a module. Many modules are compiled into one shared library, which
is linked under the name of each, since the file name says which init function is called. The interpreter loads each in a process of its
own (the GIL stays on once it is on), as far as `_imp.create_dynamic` goes: the GIL is decided there, before exec slots run.

A definite answer that is not what happened is wrong (exit 1); `undetermined` is counted. A module that ends the interpreter by a signal
is not compared, and neither is one whose init function refuses to go on by itself (ImportError "no") for what it was told from outside:
gilaudit answers for the import that succeeds. A seed means the same source as long as SHAPE is the same.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

SHAPE = 1
HEAD = """
#include <Python.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <pthread.h>
"""
# What the child does: loads one module and says what became of it.
LOADER = """
import os, sys, _imp, signal
from importlib.machinery import ExtensionFileLoader, ModuleSpec
for line in sys.stdin:
    name, path = line.rstrip("\\n").split("\\t")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        signal.alarm(10)
        try:
            module = _imp.create_dynamic(ModuleSpec(name, ExtensionFileLoader(name, path), origin=path))
            said = "enables-gil" if sys._is_gil_enabled() else "runs-free"
        except BaseException as error:
            said = "refuses" if str(error) == "no" else "cannot-import"
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    said = os.read(read, 100).decode()
    os.close(read)
    _, status = os.waitpid(child, 0)
    print(name, said if os.WIFEXITED(status) and said else "signal", sep="\\t", flush=True)
"""


class Maker:
    """The source of one module."""

    def __init__(self, seed):
        self.r = random.Random(f"{SHAPE}:{seed}")
        self.p = f"g{seed:07d}"
        self.depth = 0
        self.loops = 0
        self.fresh = 0
        self.helpers = []
        self.features = {name for name in FEATURES if self.r.random() < FEATURES[name]}

    def pick(self, *choices):
        return self.r.choice(choices)

    # -- expressions: of type long, never trap, small

    def number(self):
        return str(self.pick(0, 0, 1, 1, 1, 2, 3, 5, 7, -1))

    def leaf(self):
        p = self.p
        return self.pick(
            self.number, self.number, lambda: self.pick("a", "b"), lambda: f"{p}_flag[{self.r.randrange(4)}]",
            lambda: f"{p}_tab[{self.r.randrange(8)}]", lambda: f"{p}_words[{self.r.randrange(4)}].n",
            lambda: f"{p}_ctab[(a & 7)]", lambda: self.outside(),
        )()

    def outside(self):
        """What the interpreter and the C library say: the same in every run."""
        return self.pick(
            "(PyErr_Occurred() != NULL)", '(long)strlen("abc")', '(strcmp("ab", "ac") < 0)', '(getenv("GILAUDIT_NOT_SET") == NULL)',
            "(Py_GetVersion()[0] == '3')", "(PyErr_ExceptionMatches(PyExc_ImportError))" if "matches" in self.features else "0",
            'atoi("12")', 'strtol("7", NULL, 10)', "(Py_Version >= 0x030d0000)", "(Py_IsInitialized())", "abs(-2)",
            '(PySys_GetObject("maxsize") != NULL)', "((long)PyThreadState_Get() != 0)",
        )

    def expression(self):
        if self.r.random() < 0.6:
            return self.leaf()
        op = self.pick("+", "-", "^", "&", "|", "*")
        return f"({self.leaf()} {op} {self.leaf()})"

    def condition(self):
        left, right = self.expression(), self.leaf()
        return self.pick(f"{left} {self.pick('==', '!=', '<', '>', '<=', '>=')} {right}", f"{left}", f"!{left}", f"({left} & 1)")

    def gil(self):
        return self.pick(*["Py_MOD_GIL_NOT_USED"] * 5, "Py_MOD_GIL_USED", f"(void *)({self.expression()} & 1)")

    # -- statements

    def block(self, many, room):
        self.depth += 1
        lines = [self.statement(room) for _ in range(self.r.randint(1, many))]
        self.depth -= 1
        return "{ " + " ".join(lines) + " }"

    def statement(self, room):
        """`room`: what is at hand there: "ctor" or "helper" (nothing may be returned), "init", "module" (m is a module)."""
        kinds = [self.assign] * 4 + [self.slot] * 4 + [self.library] * 2
        if self.depth < 3:
            kinds += [self.choice] * 3 + [self.loop] * 2 + [self.switch]
        if self.helpers and room != "ctor":
            kinds += [self.call] * 3
        if room == "init":
            kinds += [self.fail, self.guard]
        if room == "module":
            kinds += [self.set_gil] * 3 + [self.use_module]
        kind = self.r.choice(kinds)
        return kind(room) if kind in (self.choice, self.loop, self.switch, self.guard, self.call) else kind()

    def assign(self):
        p = self.p
        return self.pick(
            f"a = {self.expression()};", f"b = {self.expression()};", f"{p}_flag[{self.r.randrange(4)}] = {self.expression()};",
            f"{p}_tab[{self.r.randrange(8)}] = {self.expression()};", f"{p}_words[{self.r.randrange(4)}].n += {self.leaf()};",
            f"{p}_flag[a & 3] = {self.leaf()};", f"{p}_vol = {self.leaf()}; b = {p}_vol;", f"a = {self.pick('b', 'a + 1', 'a ^ b')};",
        )

    def slot(self):
        """Writes to a slot array, in one of the ways in which arrays are filled."""
        p, k = self.p, self.r.randrange(3)
        array = self.pick(f"{p}_slots", f"{p}_slots", f"{p}_other")
        return self.pick(
            lambda: f"{array}[{k}].slot = Py_mod_gil; {array}[{k}].value = {self.gil()};",
            lambda: f"{array}[{k}].value = {self.gil()};",
            lambda: f"{array}[{k}].slot = {self.pick('0', 'Py_mod_gil', 'Py_mod_multiple_interpreters')};",
            lambda: f"memcpy({array}, {p}_template, sizeof {p}_template);",
            lambda: f"for (int i = 0; i < 3; i++) {array}[i] = {p}_template[i];",
            lambda: f"*{p}_cursor = (PyModuleDef_Slot){{Py_mod_gil, {self.gil()}}};",
            lambda: f"{p}_cursor = {array} + {k};",
            lambda: f"{p}_ctx.slots[{k}] = {p}_template[{self.r.randrange(2)}];",
            lambda: f"{p}_ctx.slots = {self.pick(array, p + '_def.m_slots ? ' + p + '_def.m_slots : ' + array)};",
            lambda: f"{p}_def.m_slots = {self.pick(array, array, 'NULL', p + '_ctx.slots')};",
            lambda: f"{p}_def.m_slots = {self.condition()} ? {p}_slots : {p}_other;",
            lambda: f"memset(&{array}[{k}], 0, sizeof {array}[{k}]);",
            lambda: f"memmove({array} + 1, {array}, sizeof {array}[0]);",
            lambda: f"{{ PyModuleDef_Slot t[4] = {{{{Py_mod_gil, {self.gil()}}}}}; memcpy({array}, t, sizeof t); }}",
        )()

    def library(self):
        """Calls that write through pointers, keep objects, or call back."""
        p = self.p
        calls = [
            f"{{ PyObject *o = PyLong_FromLong({self.leaf()}); a = o != NULL; Py_XDECREF(o); }}",
            f"{{ PyObject *o = PyDict_New(); if (o) {{ b = PyDict_Size(o); Py_DECREF(o); }} }}",
            f'{{ PyObject *o = PyImport_ImportModule("sys"); a = o == NULL; Py_XDECREF(o); }}',
            f"{{ long *q = malloc(32); if (q) {{ q[1] = {self.leaf()}; a = q[1]; free(q); }} }}",
            f"{{ char t[16]; snprintf(t, sizeof t, \"%d\", (int)({self.leaf()} & 7)); a = t[0] - '0'; }}",
            f"memset({p}_flag, 0, sizeof {p}_flag);",
            f"{{ char *e = getenv(\"GILAUDIT_NOT_SET\"); if (e) {p}_flag[1] = *e; }}",
        ]
        if "scan" in self.features:
            calls += [f'sscanf("{self.r.randrange(3)}", "%d", &{p}_flag[{self.r.randrange(4)}]);']
        if "callback" in self.features:
            calls += [f"pthread_once(&{p}_once, {p}_called);", f"qsort({p}_tab, 8, sizeof {p}_tab[0], {p}_compare);"]
        if "raise" in self.features:
            calls += ['PyErr_SetString(PyExc_ValueError, "x");', "PyErr_Clear();", "PyErr_Clear();"]
        return self.r.choice(calls)

    def choice(self, room):
        other = f" else {self.block(2, room)}" if self.r.random() < 0.5 else ""
        return f"if ({self.condition()}) {self.block(2, room)}{other}"

    def loop(self, room):
        self.loops += 1
        i, n = f"i{self.loops}", self.pick("1", "2", "3", "4", f"({self.leaf()} & 3)", f"{self.p}_count")
        leave = f"if ({self.condition()}) break;" if self.r.random() < 0.3 else ""
        body = self.block(2, "helper" if room in ("init", "module") else room)
        return self.pick(
            f"for (int {i} = 0; {i} < {n}; {i}++) {{ {leave} {self.p}_tab[{i} & 7] += {i}; {body} }}",
            f"{{ int {i} = {n}; while ({i}-- > 0) {{ {leave} {body} }} }}",
            f"for (const struct {self.p}_word *w = {self.p}_words; w->s; w++) {{ if (w->n == {self.number()}) {{ {leave} {body} }} }}",
        )

    def switch(self, room):
        cases = " ".join(f"case {n}: {self.block(1, room)} break;" for n in self.r.sample(range(5), 3))
        default = f"default: {self.block(1, room)}" if self.r.random() < 0.5 else ""
        return f"switch ({self.expression()}) {{ {cases} {default} }}"

    def call(self, room):
        p = self.p
        k = self.r.choice(self.helpers)
        ways = [f"{p}_h{k}(&{p}_ctx, {self.leaf()})", f"{p}_h{k}(&{p}_ctx, a)"]
        if room != "helper":
            ways.append(f"{p}_fns[{k}](&{p}_ctx, {self.leaf()})")
        if "pointer" in self.features and room != "helper":
            ways.append(f"(*{p}_fp)(&{p}_ctx, {self.leaf()})")
        return f"{self.pick('a', 'b')} = {self.r.choice(ways)};"

    def fail(self):
        return f'if ({self.leaf()} > 4 && {self.condition()}) {{ PyErr_SetString(PyExc_ImportError, "no"); return NULL; }}'

    def guard(self, room):
        """Done once: the first import finds it not done."""
        return f"if (!{self.p}_done) {{ {self.p}_done = 1; {self.block(2, room)} }}"

    def set_gil(self):
        call = self.pick(
            f"PyUnstable_Module_SetGIL(m, {self.gil()});", f"if ({self.condition()}) PyUnstable_Module_SetGIL(m, {self.gil()});",
            f"if (PyUnstable_Module_SetGIL(m, {self.gil()}) < 0) return NULL;", f"{self.p}_declare(m, {self.leaf()});",
        )
        return call if self.depth < 2 or self.r.random() < 0.5 else self.assign()

    def use_module(self):
        return self.pick(
            f'PyModule_AddIntConstant(m, "x", {self.leaf()});', f'if (PyModule_AddIntConstant(m, "y", {self.leaf()}) < 0) return NULL;',
            'PyObject_SetAttrString(m, "z", Py_None);', "a = PyModule_Check(m);",
        )

    # -- functions

    def helper(self, k):
        kind = self.pick("", "__attribute__((noinline)) ", "__attribute__((noinline)) ", "__attribute__((noinline, cold)) ", "inline ")
        lines = [self.statement("helper") for _ in range(self.r.randint(1, 3))]
        through = self.pick("", f"c->slots[{self.r.randrange(3)}].value = {self.gil()};", f"c->n = {self.leaf()};",
                            f"if (c->n == {self.number()}) c->def->m_slots = c->slots;", f"memcpy(c->slots, {self.p}_template, sizeof {self.p}_template);")
        self.helpers.append(k)
        return f"static {kind}long {self.p}_h{k}(struct {self.p}_ctx *c, long a) {{ long b = a; {' '.join(lines)} {through} return {self.pick('a', 'b', 'c->n', self.number())}; }}"

    def slots(self, gil):
        entries = [f"{{Py_mod_gil, {self.pick(*['Py_MOD_GIL_NOT_USED'] * 4, 'Py_MOD_GIL_USED')}}}"] if gil else []
        if self.r.random() < 0.4:
            entries.insert(self.r.randrange(len(entries) + 1), "{Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED}")
        return "{" + ", ".join(entries + ["{0, NULL}"]) + "}"

    def end(self):
        p, kind = self.p, self.r.random()
        multi = f"return PyModuleDef_Init(&{p}_def);"
        statements = [self.statement("module") for _ in range(self.r.randint(1, 4))]
        if self.r.random() < 0.6:
            statements.insert(self.r.randrange(len(statements) + 1), f"PyUnstable_Module_SetGIL(m, {self.gil()});")
        body = " ".join(statements)
        check = self.pick("if (!m) return NULL;", "if (!m) return NULL;", "if (m == NULL) { PyErr_Clear(); PyErr_SetString(PyExc_ImportError, \"m\"); return NULL; }")
        single = f"PyObject *m = PyModule_Create(&{p}_plain); {check} {body} return m;"
        if kind < 0.4:
            return multi
        if kind < 0.65:
            return single
        if kind < 0.75:
            return f"if ({self.condition()}) {{ {multi} }} {single}"
        if kind < 0.85:
            gil = self.gil()
            return (f"PyModuleDef *d = {self.pick('PyMem_Calloc(1, sizeof *d)', 'calloc(1, sizeof *d)', f'&{p}_bss')}; if (!d) return PyErr_NoMemory(); "
                    f"*d = (PyModuleDef){{PyModuleDef_HEAD_INIT, .m_name = \"{p}\", .m_slots = {p}_slots}}; "
                    f"{self.pick('', f'if ({self.condition()}) {p}_slots[0] = (PyModuleDef_Slot){{Py_mod_gil, {gil}}};')} return PyModuleDef_Init(d);")
        if kind < 0.93:
            return f"{self.pick('', f'{p}_def.m_slots = {p}_slots;')} return {p}_finish(a);"
        return f"PyModuleDef *d = {self.condition()} ? &{p}_def : &{p}_second; return PyModuleDef_Init(d);"

    def module(self):
        p, r = self.p, self.r
        initial = lambda n: "{" + ", ".join(self.number() for _ in range(n)) + "}"
        const = self.pick("const ", "")
        out = [
            f"struct {p}_word {{ const char *s; long n; }};",
            f"struct {p}_ctx {{ PyModuleDef *def; PyModuleDef_Slot *slots; long n; }};",
            f"static int {p}_flag[4]{self.pick('', ' = ' + initial(4))}; static long {p}_tab[8]{self.pick('', ' = ' + initial(8))};",
            f"static const int {p}_ctab[8] = {initial(8)}; static volatile long {p}_vol; static int {p}_done, {p}_count = {r.randrange(4)};",
            f"static struct {p}_word {p}_words[5] = {{{{\"a\", {self.number()}}}, {{\"b\", {self.number()}}}, {{\"c\", 2}}, {{NULL, 0}}}};",
            f"static PyModuleDef_Slot {p}_slots[8]{self.pick('', ' = ' + self.slots(False), ' = ' + self.slots(True), ' = ' + self.slots(True))};",
            f"static PyModuleDef_Slot {p}_other[8]{self.pick('', ' = ' + self.slots(True), ' = ' + self.slots(True), ' = ' + self.slots(False))};",
            f"static {const}PyModuleDef_Slot {p}_template[4] = {self.slots(r.random() < 0.8)};",
            f"static PyModuleDef {p}_def = {{PyModuleDef_HEAD_INIT, .m_name = \"{p}\", .m_slots = {self.pick(p + '_slots', p + '_slots', p + '_other', 'NULL')}}};",
            f"static PyModuleDef {p}_second = {{PyModuleDef_HEAD_INIT, .m_name = \"{p}\", .m_slots = {p}_other}};",
            f"static PyModuleDef {p}_plain = {{PyModuleDef_HEAD_INIT, .m_name = \"{p}\", .m_size = -1}}; static PyModuleDef {p}_bss;",
            f"static PyModuleDef_Slot *{p}_cursor = {self.pick(p + '_slots', p + '_other', p + '_slots + 1')};",
            f"static struct {p}_ctx {p}_ctx = {{&{p}_def, {self.pick(p + '_slots', p + '_other')}, {self.number()}}};",
        ]
        if "callback" in self.features:
            self.depth = 2
            out += [f"static int {p}_compare(const void *x, const void *y) {{ long a = *(const long *)x, b = *(const long *)y; {p}_flag[2] = {self.number()}; return a < b ? -1 : a > b; }}"]
            out += [f"static pthread_once_t {p}_once = PTHREAD_ONCE_INIT; static void {p}_called(void) {{ long a = 1, b = 0; {self.statement('ctor')} {self.slot()} (void)a; (void)b; }}"]
            self.depth = 0
        for k in range(r.randint(1, 3)):
            out.append(self.helper(k))
        out.append(f"static long (*{self.pick('const ', '')}{p}_fns[])(struct {p}_ctx *, long) = {{{', '.join(f'{p}_h{k}' for k in self.helpers)}}};")
        out.append(f"static long (*volatile {p}_fp)(struct {p}_ctx *, long) = {p}_h0;")
        out.append(f"static {self.pick('', '__attribute__((noinline)) ')}void {p}_declare(PyObject *m, long a) {{ long b = 1; {self.assign()} if ({self.condition()}) PyUnstable_Module_SetGIL(m, {self.gil()}); (void)b; }}")
        out.append(f"static __attribute__((noinline)) PyObject *{p}_finish(long a) {{ long b = 0; {self.statement('helper')} return {self.pick(f'PyModuleDef_Init(&{p}_def)', f'PyModuleDef_Init({p}_ctx.def)', f'PyModule_Create(&{p}_plain)')}; }}")
        if "constructor" in self.features:
            out.append(f"__attribute__((constructor)) static void {p}_ctor(void) {{ long a = 0, b = 1; {self.statement('ctor') if r.random() < 0.5 else self.assign()} {self.slot() if r.random() < 0.5 else self.assign()} (void)a; (void)b; }}")
        body = " ".join(self.statement("init") for _ in range(r.randint(0, 5)))
        out.append(f"PyMODINIT_FUNC PyInit_{p}(void) {{ long a = {self.number()}, b = {self.number()}; {body} (void)a; (void)b; {self.end()} }}")
        return "\n".join(out) + "\n"


FEATURES = {"constructor": 0.25, "callback": 0.15, "scan": 0.15, "raise": 0.1, "pointer": 0.3, "matches": 0.05}


def source(seed):
    """The source of one module, without includes."""
    return Maker(seed).module()


def one_file(job):
    """Compiles and compares the modules of one library: rows of seed, compiler, level, what happened, what was said, why."""
    args, number, seeds, cc, level = job
    work = pathlib.Path(args.work) / f"{number:05d}"
    work.mkdir(parents=True, exist_ok=True)
    (work / "all.c").write_text(HEAD + "\n".join(source(seed) for seed in seeds))
    include = subprocess.run([args.interpreter, "-c", "import sysconfig; print(sysconfig.get_path('include'))"],
                             capture_output=True, text=True, check=True).stdout.strip()
    subprocess.run([cc, f"-{level}", "-w", "-fPIC", "-shared", f"-I{include}", "-o", str(work / "all.bin"), str(work / "all.c")], check=True)
    suffix = subprocess.run([args.interpreter, "-c", "import _imp; print(_imp.extension_suffixes()[0])"],
                            capture_output=True, text=True, check=True).stdout.strip()
    folder = work / "modules"
    folder.mkdir(exist_ok=True)
    names = {}
    for seed in seeds:
        path = folder / f"g{seed:07d}{suffix}"
        path.unlink(missing_ok=True)
        os.link(work / "all.bin", path)
        names[f"g{seed:07d}"] = (seed, path)
    asked = "".join(f"{name}\t{path}\n" for name, (_, path) in names.items())
    happened = subprocess.run([args.interpreter, "-I", "-c", LOADER], input=asked, capture_output=True, text=True, check=True)
    happened = dict(line.split("\t") for line in happened.stdout.splitlines())
    said = subprocess.run([args.gilaudit, "check", str(folder), "--format", "json", "--python", args.python, "--jobs", "1", "--no-progress"],
                          capture_output=True, text=True)
    report = json.loads(said.stdout)
    answers = {row["module"].rsplit(".", 1)[-1]: row for row in report["extensions"]}
    rows = []
    for name, (seed, _) in names.items():
        row = answers.get(name)
        outcome = row["decision"]["outcome"] if row else "missing"
        why = (row["declaration"]["reason"] or "") if row else ""
        rows.append((seed, cc, level, happened.get(name, "signal"), outcome, why))
    if not args.keep:
        for path in folder.iterdir():
            path.unlink()
        (work / "all.bin").unlink()
    return rows


def jobs(args):
    compilers = [(cc, level) for level in args.levels.split(",") for cc in args.cc.split(",")]
    if args.seeds:
        groups = collections.defaultdict(list)
        for line in pathlib.Path(args.seeds).read_text().splitlines()[1:]:
            seed, cc, level = line.split("\t")[:3]
            groups[cc, level].append(int(seed))
        for number, ((cc, level), seeds) in enumerate(sorted(groups.items())):
            yield args, number, seeds, cc, level
        return
    for number, start in enumerate(range(0, args.count, args.per_file)):
        seeds = range(args.seed + start, args.seed + min(args.count, start + args.per_file))
        yield args, number, list(seeds), *compilers[number % len(compilers)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--gilaudit")
    parser.add_argument("--interpreter", help="a free-threaded CPython with headers")
    parser.add_argument("--python", default="3.14t", help="the target that the interpreter is")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", help="a table of seed, compiler and level to run instead")
    parser.add_argument("--cc", default="gcc,clang")
    parser.add_argument("--levels", default="O0,O1,O2,O3")
    parser.add_argument("--per-file", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--work")
    parser.add_argument("--keep", action="store_true", help="leave the compiled files there")
    parser.add_argument("--failures", help="a table that wrong answers are added to")
    parser.add_argument("--show", type=int, help="print the source of one seed")
    args = parser.parse_args()
    if args.show is not None:
        print(HEAD + source(args.show))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        args.work = args.work or temporary
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            rows = [row for file in pool.map(one_file, jobs(args)) for row in file]
    rows = [(*row[:3], "cannot-import" if row[3] == "refuses" and row[4] == "cannot-import" else row[3], *row[4:]) for row in rows]
    compared = [row for row in rows if row[3] not in ("signal", "refuses")]
    wrong = [row for row in compared if row[4] not in (row[3], "undetermined")]
    unknown = [row for row in compared if row[4] == "undetermined"]
    for row in wrong:
        print(*row, sep="\t")
    if args.failures and wrong:
        with open(args.failures, "a", encoding="utf-8") as file:
            file.writelines("\t".join(map(str, row)) + "\n" for row in wrong)
    print(f"{len(rows)} modules, {len(rows) - len(compared)} ended by a signal or refused, {len(compared)} compared: "
          f"{len(compared) - len(wrong) - len(unknown)} right, {len(wrong)} wrong, {len(unknown)} unknown "
          f"({100 * len(unknown) / max(1, len(compared)):.1f} %)")
    print("happened:", dict(collections.Counter(row[3] for row in rows)))
    reasons = collections.Counter(" ".join(word for word in row[5].split() if not word.startswith((".", "0x")))[:90] for row in unknown)
    for reason, count in reasons.most_common(12):
        print(f"{count:6d}  {reason}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
