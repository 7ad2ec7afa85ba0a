#!/usr/bin/env python3
"""Compare gilaudit's answers about imports with what a real free-threaded interpreter does.

usage: import_order.py --gilaudit EXE --env VENV [--seed N] [--subsets 50] [--largest 8] [--only blockers|subsets] [--json FILE]

VENV is a virtual environment of a free-threaded interpreter; its own python is what is run. Without one the script says "skipped".

blockers: every extension is imported in a process of its own. The modules that the interpreter names as needing the GIL (in its
warning, and with -v) must be the extensions that gilaudit says turn it on. (3.15's -v does not name the one that warned.)
subsets: random subsets of the extensions are imported in random order with PYTHON_GIL unset, 0 and 1. The state of the GIL at the
end, and the module that the warning names, must be what gilaudit predicts; it may say that it cannot tell.

Exit status: 0 all predictions right, 1 some wrong, 77 skipped.
"""
import argparse, concurrent.futures, json, os, random, re, subprocess, sys

a = argparse.ArgumentParser()
a.add_argument("--gilaudit", required=True)
a.add_argument("--env", required=True)
a.add_argument("--seed", type=int, default=1)
a.add_argument("--subsets", type=int, default=50)
a.add_argument("--largest", type=int, default=8)
a.add_argument("--jobs", type=int, default=2)
a.add_argument("--only", choices=["blockers", "subsets"])
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

if o.only != "subsets":
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

if o.only != "blockers":
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

if o.json:
    with open(o.json, "w") as f:
        json.dump(result, f, indent=1)
sys.exit(1 if wrong else 0)
