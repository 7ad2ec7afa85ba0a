#!/usr/bin/env python3
"""Derive the C-API tables from CPython source trees.

usage: derive.py [--compat pythoncapi_compat.h] [--check] TREE...

Each TREE is an unpacked CPython source tree (the version is read from Include/patchlevel.h); give them in any order, one per minor version.
Written: functions.tsv, runs-python.tsv, detach-safe.tsv. All judgements that no file of CPython states are rows of overrides.tsv, each with its reason.
The other tables of this folder are written by hand; this script sorts them and checks them: number of columns, values that have a fixed set, and that the C-API names exist.
--compat also checks the column "compat" of borrowed.tsv against the names that header defines. --check writes nothing and fails when a file would change.

Needs Python 3.11 (tomllib) and nothing else. Facts only: names, versions and levels; no text of CPython is copied.
"""
import argparse, fnmatch, os, re, sys, tomllib

HERE = os.path.dirname(os.path.abspath(__file__))
NAME = re.compile(r"_?P[yY][A-Z_]\w*|import_curses")
# Object-like macros are listed when they act: they are statements, or another name for a function.
ACTS = re.compile(r"Py_(BEGIN|END)_\w+|Py_(UN)?BLOCK_THREADS|Py_RETURN_\w+|PyDateTime_(IMPORT|TimeZone_UTC)|PyCurses[IS]\w+|Py_MEMCPY|Py_VA_COPY|PyOS_strn?icmp")
# Headers whose macros are not API of this kind: atomics (atomics.tsv has the prefixes), annotations for tools, generated numbers.
SKIP = re.compile(r"pyatomic|dynamic_annotations|opcode|pydtrace|pthread_stubs|pystats")
OBJECT = re.compile(r"\bPy(\w*Object|Object)\s*\*\s*$")
LEVELS = ("incompatible", "compatible", "distinct", "shared", "atomic")
LICENCE = "CPython is (c) Python Software Foundation, licence PSF-2.0 (https://docs.python.org/3/license.html); names, versions and levels are facts derived from it, no text is copied"


def strip(text):
    text = re.sub(r"\\\r?\n", " ", text)
    return re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"", lambda m: m[0] if m[0][0] == '"' else " ", text, flags=re.S)


class Tree:
    def __init__(self, path):
        m = re.search(r'#define\s+PY_VERSION\s+"((\d+)\.(\d+)[^"]*)"', read(path, "Include/patchlevel.h"))
        self.full, self.minor = m[1], (int(m[2]), int(m[3]))
        self.func, self.inline, self.macro, self.alias = {}, {}, {}, {}
        objectlike = {}
        for folder in ("Include", "Include/cpython"):
            for f in sorted(os.listdir(os.path.join(path, folder))):
                if not f.endswith(".h") or SKIP.match(f):
                    continue
                text = strip(read(path, folder + "/" + f))
                for m in re.finditer(r"PyAPI_FUNC\s*\(([^)]*)\)\s*(?:[A-Za-z_]\w*\s+)*(\w+)\s*\(", text):
                    self.func.setdefault(m[2], m[1].strip())
                for m in re.finditer(r"\bstatic\s+(?:Py_ALWAYS_INLINE\s+)?inline\s+(?:Py_ALWAYS_INLINE\s+)?([\w\s*]+?)\b(\w+)\s*\(", text):
                    self.inline.setdefault(m[2], m[1].strip())
                for m in re.finditer(r"^[ \t]*#[ \t]*define[ \t]+(\w+)(\()?(.*)$", text, re.M):
                    if m[2]:
                        self.macro.setdefault(m[1], m[3].split(")", 1)[-1].strip())
                    else:
                        objectlike.setdefault(m[1], m[3].strip())
        known = set(self.func) | set(self.inline) | set(self.macro)
        for name, body in objectlike.items():
            if name in known:
                continue
            if body in known:
                self.alias[name] = body
            elif ACTS.fullmatch(name):
                self.macro[name] = body
        for d in (self.func, self.inline, self.macro, self.alias):
            for name in [n for n in d if not NAME.fullmatch(n)]:
                del d[name]
        self.names = set(self.func) | set(self.inline) | set(self.macro) | set(self.alias)
        self.refs = {}
        for line in read(path, "Doc/data/refcounts.dat").splitlines():
            p = line.split("#", 1)[0].split(":") if line.startswith("#") else line.split(":")
            if len(p) >= 4 and not p[2].strip():
                self.refs[p[0].strip()] = (p[1].strip(), p[3].strip())
        self.levels = {}
        if os.path.exists(os.path.join(path, "Doc/data/threadsafety.dat")):
            for line in read(path, "Doc/data/threadsafety.dat").splitlines():
                p = [x.strip() for x in line.split(":")]
                if not line.startswith("#") and len(p) >= 2 and p[1] in LEVELS:
                    self.levels[p[0]] = p[1]
        toml = tomllib.loads(read(path, "Misc/stable_abi.toml"))
        self.limited = {n: d["added"] for kind in ("function", "macro") for n, d in toml.get(kind, {}).items() if not d.get("abi_only")}

    def type_of(self, name):
        return self.func.get(name) or self.inline.get(name) or ""


def read(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as f:
        return f.read()


def rows(name):
    path = os.path.join(HERE, name)
    head, body = [], []
    if os.path.exists(path):
        for line in read(path).splitlines():
            if line.startswith("#"):
                head.append(line)
            elif line.strip():
                body.append(line.split("\t"))
    return head, body


class Overrides:
    """Rows of overrides.tsv: table, name or glob, value, reason. An exact name beats a glob, a longer glob a shorter one."""

    def __init__(self):
        self.exact, self.glob, self.used = {}, {}, set()
        for r in rows("overrides.tsv")[1]:
            if len(r) != 4 or not r[3].strip():
                sys.exit(f"overrides.tsv: four columns with a reason are needed: {r}")
            where = self.glob if any(c in r[1] for c in "*?[") else self.exact
            key = (r[0], r[1])
            if key in self.exact or any(g == r[1] for g, *_ in self.glob.get(r[0], [])):
                sys.exit(f"overrides.tsv: twice: {key}")
            if where is self.exact:
                self.exact[key] = (r[2], r[3])
            else:
                self.glob.setdefault(r[0], []).append((r[1], r[2], r[3]))
        for g in self.glob.values():
            g.sort(key=lambda x: -len(re.sub(r"\[[^]]*\]", "?", x[0]).replace("*", "")))

    def get(self, table, name):
        if (table, name) in self.exact:
            self.used.add((table, name))
            return self.exact[table, name]
        for g, value, reason in self.glob.get(table, ()):
            if fnmatch.fnmatchcase(name, g):
                self.used.add((table, g))
                return value, reason
        return None

    def unused(self):
        every = set(self.exact) | {(t, g[0]) for t, gs in self.glob.items() for g in gs}
        return sorted(every - self.used)


def text_of(head, columns, body):
    out = ["# " + h for h in head] + ["# " + "\t".join(columns)] + ["\t".join(r) for r in sorted(body, key=lambda r: (r[0].lower(), r))]
    return "\n".join(out) + "\n"


# Hand-written tables: number of columns, {column: allowed values}, columns with C-API names that must be known.
RULES = {"borrowed-list-item", "borrowed-dict-item", "dict-next-unlocked", "borrowed-weakref", "sequence-fast-items", "borrowed-module", "borrowed-misc", "bytearray-pointer", "-"}
HAND = {
    "borrowed.tsv": (9, {1: RULES, 6: {"yes", "no", "-"}}, True),
    "fresh.tsv": (4, {1: {"list", "dict", "tuple", "set", "frozenset", "other"}}, True),
    "unsafe-libc.tsv": (5, {1: {"warning", "note"}}, False),
    "nonreentrant.tsv": (6, {1: {"warning", "note", "safe"}}, False),
    "deprecated.tsv": (6, {}, False),
    "blocking.tsv": (4, {1: {"lock", "wait", "io", "file", "sleep"}, 2: {"posix", "win32", "c11", "c++", "capi", "c"}}, False),
    "locks.tsv": (7, {2: {"function", "macro", "guard", "method", "context"}, 5: {"try", "-"}}, False),
    "atomics.tsv": (4, {1: {"prefix", "type", "method", "pragma"}}, False),
}


def main():
    a = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].removeprefix("usage: "))
    a.add_argument("trees", nargs="+")
    a.add_argument("--compat")
    a.add_argument("--check", action="store_true")
    o = a.parse_args()
    trees = sorted((Tree(t) for t in o.trees), key=lambda t: t.minor)
    over = Overrides()
    label = {t.minor: "%d.%d" % t.minor for t in trees}
    versions = " ".join(t.full for t in trees)
    names = sorted(set().union(*(t.names for t in trees)))
    functions, runs, detach, problems = [], [], [], []
    for name in names:
        has = [t for t in trees if name in t.names]
        last = has[-1]
        target = last.alias.get(name, name)
        kind = "function" if name in last.func or target in last.func and name in last.func else "macro"
        since = "-" if has[0] is trees[0] else label[has[0].minor]
        removed = "-" if last is trees[-1] else label[trees[trees.index(last) + 1].minor]
        ref = next((t.refs[n] for t in reversed(has) for n in (name, target) if n in t.refs), None)
        got = over.get("returns", name) or (over.get("returns", target) if target != name else None)
        if got:
            returns = got[0]
        elif ref and ref[1]:
            returns = {"+1": "new", "0": "borrowed", "null": "null"}[ref[1]]
        elif OBJECT.search(last.type_of(target)):
            returns = "new"
        else:
            returns = "-"
        got = over.get("steals", name) or (over.get("steals", target) if target != name else None)
        steals = got[0] if got else "-"
        level = next((t.levels[n] for t in reversed(trees) for n in (name, target) if n in t.levels), "-")
        limited = last.limited.get(name, "-")
        functions.append([name, kind, since, removed, returns, steals, level, limited])
        got = over.get("runs-python", name) or (over.get("runs-python", target) if target != name else None)
        if not got:
            got = ("maybe:unreviewed", "not reviewed")
            problems.append(f"runs-python: no row for {name}")
        value, _, why = got[0].partition(":")
        runs.append([name, value, why or "-"])
        got = over.get("detach-safe", name) or (over.get("detach-safe", target) if target != name else None)
        if got and got[0] != "no":
            detach.append([name, got[0], got[1]])
    missing = {n for t in trees for n in t.levels if n not in names}
    problems += [f"threadsafety.dat names what no header has: {n}" for n in sorted(missing)]
    problems += [f"overrides.tsv: no name matches {t} {g}" for t, g in over.unused()]
    src = f"Derived by derive.py from the headers of CPython {versions} (Include/*.h, Include/cpython/*.h; Include/internal is left out)"
    files = {
        "functions.tsv": text_of([
            "Every C-API function and function-like macro (and object-like macros that act as a statement or are another name for a function).",
            src + ", Doc/data/refcounts.dat (returns), Doc/data/threadsafety.dat of the newest tree that has it (level), Misc/stable_abi.toml (limited); steals and some returns: overrides.tsv.",
            LICENCE + ".",
            "kind: function = exported from the library; macro = macro or static inline function. since/removed: the first of the versions above that has/lacks it, - when none.",
            "returns: new, borrowed, null (always NULL) or - (no object). steals: 0-based arguments whose reference is taken over. level: - when not listed. limited: limited API since.",
        ], ["name", "kind", "since", "removed", "returns", "steals", "level", "limited"], functions),
        "runs-python.tsv": text_of([
            "Which API can run arbitrary Python code, detach the thread or suspend a critical section that is open.",
            src + "; the levels are judgements: overrides.tsv has the pattern and the reason of each.",
            LICENCE + ".",
            "level: yes = what the call is for; maybe = depends on the argument types or on contention; no = never. class: what does it (call attr compare number iterate import convert decref",
            "error warn alloc lock detach codec buffer callback). alloc is always no: collection of cycles only runs at the interpreter's eval breaker (3.12+), an allocation just requests it.",
            "lock = takes a per-object lock for a moment: no Python code runs, but when another thread has the lock an outer critical section is suspended.",
        ], ["name", "level", "class"], runs),
        "detach-safe.tsv": text_of([
            "API that may be called without an attached thread state.",
            src + "; the claims and their sources are rows of overrides.tsv.",
            LICENCE + ".",
            "condition: always; owner-held = plain read of a field of an immutable object that the caller keeps alive; switches = the call itself attaches or detaches (rules follow the state).",
        ], ["name", "condition", "source"], detach),
    }
    known = set(names)
    compat = set(re.findall(r"\b_?Py\w+(?=\()", strip(read(o.compat)))) if o.compat else None
    for file, (width, allowed, checked) in HAND.items():
        head, body = rows(file)
        if not head:
            problems.append(f"{file}: not there")
            continue
        for r in body:
            if len(r) != width or not all(r):
                problems.append(f"{file}: {width} columns needed: {r}")
                continue
            problems += [f"{file}: {r[0]}: column {c}: {r[c]}" for c, v in allowed.items() if r[c] not in v]
            if checked and r[0] not in known and not r[-1].startswith("internal"):
                problems.append(f"{file}: {r[0]} is in no header")
            if file == "deprecated.tsv":
                gone = next((f[3] for f in functions if f[0] == r[0]), None)
                if gone is not None and gone != r[1] and (gone != "-" or r[1] != "-" and tuple(map(int, r[1].split("."))) <= trees[-1].minor):
                    problems.append(f"{file}: {r[0]}: removed {r[1]}, the headers say {gone}")
            if file == "borrowed.tsv":
                first = re.match(r"\w+", r[4])
                if compat is not None and r[6] != "-" and (r[6] == "yes") != (bool(first) and first[0] in compat):
                    problems.append(f"{file}: {r[0]}: compat {r[6]} but {r[4]}")
                since = next((f[2] for f in functions if first and f[0] == first[0]), None)
                if r[4] != "-" and since is None:
                    problems.append(f"{file}: {r[0]}: replacement {r[4]} is in no header")
                elif since and since != "-" and since != r[5]:
                    problems.append(f"{file}: {r[0]}: {r[4]} since {since}, not {r[5]}")
        body.sort(key=lambda r: (r[0].lower(), r))
        twice = {tuple(r[:2]) for r in body if sum(x[:2] == r[:2] for x in body) > 1}
        problems += [f"{file}: twice: {t}" for t in sorted(twice) if file not in ("locks.tsv", "nonreentrant.tsv")]
        files[file] = "\n".join(head + ["\t".join(r) for r in body]) + "\n"
    changed = [f for f, text in files.items() if not os.path.exists(os.path.join(HERE, f)) or read(HERE, f) != text]
    for p in problems:
        print(p)
    if o.check:
        for f in changed:
            print(f"{f}: would change")
        return 1 if changed or problems else 0
    for f in changed:
        with open(os.path.join(HERE, f), "w", encoding="utf-8", newline="\n") as out:
            out.write(files[f])
    for f, text in sorted(files.items()):
        print(f, sum(not line.startswith("#") for line in text.splitlines()), "changed" if f in changed else "")
    return 0


if __name__ == "__main__":
    sys.exit(main())
