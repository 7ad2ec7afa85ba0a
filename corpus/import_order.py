#!/usr/bin/env python3
"""Compare gilaudit's answers about imports with what a real free-threaded interpreter does.

usage: import_order.py --gilaudit EXE --env VENV [--seed N] [--subsets 50] [--largest 8] [--chains 30]
                       [--only blockers|subsets|chains] [--json FILE]

VENV is a virtual environment of a free-threaded interpreter; its own python is what is run. Without one the script says "skipped".

blockers: every extension is imported in a process of its own. The modules that the interpreter names as needing the GIL (in its
warning, and with -v) must be the extensions that gilaudit says turn it on. (3.15's -v does not name the one that warned.)
subsets: random subsets of the extensions are imported in random order with PYTHON_GIL unset, 0 and 1. The state of the GIL at the
end, and the module that the warning names, must be what gilaudit predicts; it may say that it cannot tell.
chains: random scripts that import modules of the distributions that block, and of those that require them, in the ways that Python has
(import, from, in a try, in a function, by an attribute). The chain that gilaudit gives for the module that the warning names must be
the traceback of that warning: each place of it, in order, and no other place where a module's body imports.

Exit status: 0 all predictions right, 1 some wrong, 77 skipped.
"""
import argparse, concurrent.futures, functools, json, os, random, re, subprocess, sys, tempfile

print = functools.partial(print, flush=True)

a = argparse.ArgumentParser()
a.add_argument("--gilaudit", required=True)
a.add_argument("--env", required=True)
a.add_argument("--seed", type=int, default=1)
a.add_argument("--subsets", type=int, default=50)
a.add_argument("--largest", type=int, default=8)
a.add_argument("--jobs", type=int, default=2)
a.add_argument("--chains", type=int, default=30)
a.add_argument("--only", choices=["blockers", "subsets", "chains"])
a.add_argument("--json")
o = a.parse_args()

python = next((p for p in (os.path.join(o.env, "bin", "python"), os.path.join(o.env, "Scripts", "python.exe")) if os.path.exists(p)), None)
probe = python and subprocess.run([python, "-c", "import sys; print(hasattr(sys, '_is_gil_enabled') and not sys._is_gil_enabled())"],
                                  capture_output=True, text=True, env={**os.environ, "PYTHON_GIL": ""})
if not probe or probe.stdout.strip() != "True":
    print(f"skipped: {o.env} has no free-threaded interpreter")
    sys.exit(77)

CHILD = """
import importlib, json, sys, warnings
named = []
warnings.simplefilter("always")
def show(message, *rest, **more):
    if "global interpreter lock" in str(message):
        named.append(str(message).split("'")[1])
warnings.showwarning = show
failed = []
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except BaseException as e:
        failed.append([name, type(e).__name__, str(e)[:200]])
sys.stdout.flush()
sys.__stdout__.write("\\n@@" + json.dumps([sys._is_gil_enabled(), named, failed]) + "\\n")
sys.__stdout__.flush()
import os
os._exit(0)
"""

# Runs a script as __main__ and prints, for the first warning, the places that imported: those followed by the machinery of imports.
HOOK = """
import json, runpy, sys, traceback, warnings
def show(message, *rest, **more):
    if "global interpreter lock" in str(message):
        frames = traceback.extract_stack()
        machinery = lambda f: "importlib" in f.filename
        places = [[f.filename, f.lineno, f.name] for f, g in zip(frames, frames[1:]) if machinery(g) and not machinery(f)]
        # An attribute that imports: its place is outside of the module that answers by __getattr__.
        places += [[f.filename, f.lineno, f.name] for f, g in zip(frames, frames[1:]) if g.name == "__getattr__" and not machinery(f)]
        order = {(f.filename, f.lineno): i for i, f in reversed(list(enumerate(frames)))}
        places.sort(key=lambda p: order[p[0], p[1]])
        print("\\n@@" + json.dumps([str(message).split("'")[1], places]), flush=True)
warnings.showwarning = show
warnings.simplefilter("always")
sys.path[0] = sys.argv[1].rpartition("/")[0]
runpy.run_path(sys.argv[1], run_name="__main__")
"""
# What the distributions that block, and those that require them, consist of: names that can be imported.
MODULES = """
import importlib.metadata as m, json, re, sys
plain = lambda name: re.sub("[-_.]+", "-", name).lower()
wanted = set(map(plain, sys.argv[1:]))
requires = {plain(d.name): {plain(re.match("[A-Za-z0-9._-]+", r)[0]) for r in d.requires or [] if "extra ==" not in r} for d in m.distributions()}
wanted |= {d for d, r in requires.items() if r & wanted}
found = set()
for d in m.distributions():
    for f in (d.files or []) if plain(d.name) in wanted else []:
        name = str(f).removesuffix("/__init__.py").removesuffix(".py") if f.suffix == ".py" else str(f).split(".")[0] if f.suffix == ".so" else ""
        if name and all(map(str.isidentifier, name.split("/"))) and not re.search("test|conftest|__main__|bench", name):
            found.add(name.replace("/", "."))
print(json.dumps(sorted(found)))
"""


def clean(gil):
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return env if gil == "default" else {**env, "PYTHON_GIL": gil}


def real(names, gil="default", verbose=False):
    """GIL at the end, modules named in warnings, modules named by -v, failures; None when the process died."""
    try:
        run = subprocess.run([python, *(["-v"] if verbose else []), "-c", CHILD, *names], capture_output=True, timeout=300,
                             env=clean(gil), cwd=o.env)
    except subprocess.TimeoutExpired:
        return None
    line = next((l for l in run.stdout.decode(errors="replace").splitlines() if l.startswith("@@")), None)
    if line is None:
        return None
    by_v = re.findall(r"# loading module '([^']+)', which requires the GIL", run.stderr.decode(errors="replace")) if verbose else []
    return (*json.loads(line[2:]), by_v)


def ours(*more):
    run = subprocess.run([o.gilaudit, "check", o.env, "--format", "json", "--no-progress", *more], capture_output=True, text=True)
    return json.loads(run.stdout)


report = ours()
extensions = sorted({e["module"] for e in report["extensions"] if e["decision"]["outcome"] != "cannot-import"})
predicted = {e["module"] for e in report["extensions"] if e["decision"]["outcome"] == "enables-gil"}
print(f"{report['target']['python']}: {len(extensions)} extensions, {len(predicted)} turn the GIL on")
result = {"python": report["target"]["python"], "extensions": len(extensions)}
wrong = 0

if o.only in (None, "blockers"):
    named, not_imported, imported_off = set(), {}, set()
    with concurrent.futures.ThreadPoolExecutor(o.jobs) as pool:
        for name, seen in zip(extensions, pool.map(lambda n: real([n], verbose=True), extensions)):
            if seen is None or seen[2]:
                not_imported[name] = "crash or timeout" if seen is None else ": ".join(seen[2][0][1:])
            if seen:
                named |= set(seen[1]) | set(seen[3])
                if not seen[0] and not seen[2]:
                    imported_off.add(name)
    missed = named - predicted
    contradicted = predicted & imported_off
    unseen = {n for n in predicted - named if n not in not_imported}
    print(f"blockers: {len(named)} named by the interpreter; missed by gilaudit: {sorted(missed)}; said to block but did not: "
          f"{sorted(contradicted | unseen)}; {len(not_imported)} could not be imported")
    for name in sorted(not_imported):
        print(f"  not imported: {name}: {not_imported[name]}")
    wrong += len(missed) + len(contradicted | unseen)
    result["blockers"] = {"named": sorted(named), "missed": sorted(missed), "false": sorted(contradicted | unseen), "not_imported": not_imported}

if o.only in (None, "subsets"):
    rng = random.Random(o.seed)
    cases = [(rng.sample(extensions, rng.randint(1, o.largest)), gil) for _ in range(o.subsets) for gil in ("default",)]
    cases = [(names, gil) for names, _ in cases for gil in ("default", "0", "1")]

    def case(it):
        names, gil = it
        words = [w for n in names for w in ("--import", n)]
        return real(names, gil), ours("--gil", gil, *words)["imports"]

    states, named, undetermined, unknown_first, died, rows = 0, 0, 0, 0, 0, []
    with concurrent.futures.ThreadPoolExecutor(o.jobs) as pool:
        for (names, gil), (seen, said) in zip(cases, pool.map(case, cases)):
            rows.append({"names": names, "gil": gil, "real": seen, "said": said["gil"], "first": said["first"]})
            if seen is None:
                died += 1
                print(f"  the interpreter died: gil={gil} {' '.join(names)}")
                continue
            on, warned = seen[0], (seen[1] or [None])[0]
            if said["gil"] == "undetermined":
                undetermined += 1
                print(f"  undetermined: gil={gil} {' '.join(names)}: {said['because']}; really {'on' if on else 'off'} {warned}")
                continue
            if (said["gil"] == "on") != on:
                states += 1
                print(f"  WRONG STATE: gil={gil} {' '.join(names)}: said {said['gil']}, is {'on' if on else 'off'} {warned}; failed {seen[2]}")
            elif said["first"] is None and warned is not None:
                unknown_first += 1
                print(f"  first not told: gil={gil} {' '.join(names)}: {said['because']}; really {warned}")
            elif said["first"] != warned:
                named += 1
                print(f"  WRONG MODULE: gil={gil} {' '.join(names)}: said {said['first']}, is {warned}")
    total = len(cases) - died
    print(f"subsets: {total} runs (seed {o.seed}): wrong state {states}, wrong module {named}, undetermined {undetermined} "
          f"({100 * undetermined / max(total, 1):.1f} %), first module not told {unknown_first}, interpreter died {died}")
    wrong += states + named
    result["subsets"] = {"runs": total, "wrong_state": states, "wrong_module": named, "undetermined": undetermined,
                         "first_not_told": unknown_first, "died": died, "rows": rows}

if o.only in (None, "chains"):
    rng = random.Random(o.seed)
    blocking = sorted({e["distribution"]["name"] for e in report["extensions"] if e["module"] in predicted and e["distribution"]})
    modules = json.loads(subprocess.run([python, "-c", MODULES, *blocking], capture_output=True, text=True, env=clean("default")).stdout)
    if not modules:
        print("chains: nothing blocks here")
        modules = []

    def script():
        lines = ["import json, importlib"]
        for name in rng.sample(modules, min(len(modules), rng.randint(1, 3))):
            parent, _, last = name.rpartition(".")
            ways = [f"import {name}", f"import {name} as m\nm", f"try:\n    import {name}\nexcept ImportError:\n    pass",
                    f"m = importlib.import_module('{name}')"]
            if parent:
                ways += [f"from {parent} import (\n    {last})", f"import {parent}\n{name}"]
            lines.append(rng.choice(ways))
        return "\n".join(lines) + "\n"

    with tempfile.TemporaryDirectory() as here, concurrent.futures.ThreadPoolExecutor(o.jobs) as pool:
        paths = [os.path.join(os.path.realpath(here), f"app{n}.py") for n in range(o.chains if modules else 0)]
        for path in paths:
            with open(path, "w") as f:
                f.write(script())

        def chain(path):
            run = subprocess.run([python, "-c", HOOK, path], capture_output=True, timeout=300, env=clean("default"), cwd=here)
            line = next((l for l in run.stdout.decode(errors="replace").splitlines() if l.startswith("@@")), None)
            return run.returncode, json.loads(line[2:]) if line else None, ours("--entry", path)["imports"]

        same, neither, open_, failed, rows, longest = 0, 0, 0, 0, [], 0
        for path, (status, seen, said) in zip(paths, pool.map(chain, paths)):
            text = open(path).read()
            chain = [link["at"] for b in said["blockers"] if seen and b["module"] == seen[0] for link in b["chain"]]
            places = [(f"{f}:{line}", name) for f, line, name in (seen[1] if seen else []) if f != "<string>"]
            mine = [at for at in chain if re.search(r":\d+$", at)]
            rest = iter(places)
            in_order = all(any(at == place for place, _ in rest) for at in mine)
            forgotten = [place for place, name in places if name == "<module>" and place not in mine]
            row = {"script": text, "real": seen, "said": said["gil"], "first": said["first"], "chain": chain}
            rows.append(row)
            if seen is None and status:
                # Not every attribute is there: a script that stops before the warning shows nothing.
                failed += 1
            elif seen is None and said["gil"] == "off":
                neither += 1
            elif said["first"] is None:
                open_ += 1
            elif seen and said["first"] == seen[0] and in_order and not forgotten:
                same += 1
                longest = max(longest, len(mine))
            else:
                wrong += 1
                print(f"  WRONG CHAIN: {json.dumps(row)}")
        print(f"chains: {len(paths)} scripts (seed {o.seed}): {same} the same as the traceback (up to {longest} places), "
              f"{neither} without a warning as predicted, {open_} not told, {failed} failed before a warning, "
              f"{len(paths) - same - neither - open_ - failed} wrong")
        result["chains"] = {"scripts": len(paths), "same": same, "no_warning": neither, "not_told": open_, "failed": failed, "rows": rows}

if o.json:
    with open(o.json, "w") as f:
        json.dump(result, f, indent=1)
sys.exit(1 if wrong else 0)
