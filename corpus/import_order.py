#!/usr/bin/env python3
"""Measure gilaudit's answers about imports against a real free-threaded interpreter, by gilaudit verify.

usage: import_order.py --gilaudit EXE --env VENV [--seed N] [--subsets 50] [--largest 8] [--chains 30] [--timeout 300]
                       [--only blockers|subsets|chains] [--json FILE]

VENV is a virtual environment of a free-threaded interpreter; its own python is what is run. Without one the script says "skipped".

blockers: every extension is imported in a process of its own (gilaudit verify VENV).
subsets: random subsets of the extensions are imported in random order with PYTHON_GIL unset, 0 and 1 (gilaudit verify --import ...). The
state of the GIL at the end, and the module that the warning names, must be what gilaudit predicts; it may say that it cannot tell.
chains: random scripts that import modules of the distributions that block, and of those that require them, in the ways that Python has
(import, from, in a try, in a function, by an attribute) (gilaudit verify --entry). The chain that gilaudit gives for the module that
the warning names must be the traceback of that warning: each place of it, in order, and no other place where a module's body imports.

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
a.add_argument("--timeout", type=int, default=300)
a.add_argument("--only", choices=["blockers", "subsets", "chains"])
a.add_argument("--json")
o = a.parse_args()

python = next((p for p in (os.path.join(o.env, "bin", "python"), os.path.join(o.env, "Scripts", "python.exe")) if os.path.exists(p)), None)
clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
probe = python and subprocess.run([python, "-c", "import sys; print(hasattr(sys, '_is_gil_enabled') and not sys._is_gil_enabled())"],
                                  capture_output=True, text=True, env=clean)
if not probe or probe.stdout.strip() != "True":
    print(f"skipped: {o.env} has no free-threaded interpreter")
    sys.exit(77)

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



def verify(*more):
    """What gilaudit verify says, as JSON. It runs the interpreter."""
    run = subprocess.run([o.gilaudit, "verify", o.env, "--format", "json", "--no-progress", "--timeout", str(o.timeout), *more],
                         capture_output=True, text=True)
    if not run.stdout:
        sys.exit(f"gilaudit verify {' '.join(more)}: {run.stderr}")
    return json.loads(run.stdout)


report = json.loads(subprocess.run([o.gilaudit, "check", o.env, "--format", "json", "--no-progress"], capture_output=True, text=True).stdout)
extensions = sorted({e["module"] for e in report["extensions"] if e["decision"]["outcome"] != "cannot-import"})
predicted = {e["module"] for e in report["extensions"] if e["decision"]["outcome"] == "enables-gil"}
print(f"{report['target']['python']}: {len(extensions)} extensions, {len(predicted)} turn the GIL on")
result = {"python": report["target"]["python"], "extensions": len(extensions)}
wrong = 0

if o.only in (None, "blockers"):
    seen = verify("--jobs", str(o.jobs))
    rows = [m for m in seen["modules"] if m["predicted"] != "cannot-import"]
    named = {m["module"] for m in rows if m["seen"] == "enables-gil"}
    missed = {m["module"] for m in rows if m["agreement"] == "differs" and m["predicted"] != "enables-gil"}
    false = {m["module"] for m in rows if m["agreement"] == "differs" and m["predicted"] == "enables-gil"}
    other = {m["module"] for m in seen["modules"] if m["predicted"] == "cannot-import" and m["agreement"] == "differs"}
    untested = {m["module"]: m["detail"] for m in rows if m["agreement"] == "not-tested"}
    print(f"blockers: {len(named)} named by the interpreter; missed by gilaudit: {sorted(missed)}; said to block but did not: "
          f"{sorted(false)}; said not to load but did: {sorted(other)}; {len(untested)} could not be put to the test; "
          f"{seen['summary']['agrees']} of {len(seen['modules'])} agree in {seen['summary']['seconds']:.0f} s")
    for name, why in sorted(untested.items()):
        print(f"  not tested: {name}: {why}")
    wrong += seen["summary"]["differs"]
    result["blockers"] = {"named": sorted(named), "missed": sorted(missed), "false": sorted(false), "not_tested": untested,
                          "summary": seen["summary"]}

if o.only in (None, "subsets"):
    rng = random.Random(o.seed)
    cases = [rng.sample(extensions, rng.randint(1, o.largest)) for _ in range(o.subsets)]
    cases = [(names, gil) for names in cases for gil in ("default", "0", "1")]

    def case(it):
        names, gil = it
        return verify("--gil", gil, *(w for n in names for w in ("--import", n)))["program"]

    states, named, open_, unknown_first, died, rows = 0, 0, 0, 0, 0, []
    with concurrent.futures.ThreadPoolExecutor(o.jobs) as pool:
        for (names, gil), it in zip(cases, pool.map(case, cases)):
            rows.append({"names": names, "gil": gil, "seen": it})
            line = f"gil={gil} {' '.join(names)}: said {it['predicted']} {it['predicted_first']} ({it['because']}), is {it['seen']} {it['warned']}"
            if any(e.startswith("the interpreter ended") or e.startswith("it was stopped") for e in it["errors"]):
                died += 1
                print(f"  the interpreter died: {line}; {it['errors']}")
            elif it["predicted"] in ("undetermined", "off-unless"):
                open_ += 1
                print(f"  not told: {line}")
            elif it["predicted"] != it["seen"]:
                states += 1
                print(f"  WRONG STATE: {line}; {it['errors']}")
            elif it["predicted_first"] is None and it["warned"] is not None:
                unknown_first += 1
                print(f"  first not told: {line}")
            elif it["predicted_first"] != it["warned"]:
                named += 1
                print(f"  WRONG MODULE: {line}")
    total = len(cases) - died
    print(f"subsets: {total} runs (seed {o.seed}): wrong state {states}, wrong module {named}, not told {open_} "
          f"({100 * open_ / max(total, 1):.1f} %), first module not told {unknown_first}, interpreter died {died}")
    wrong += states + named
    result["subsets"] = {"runs": total, "wrong_state": states, "wrong_module": named, "not_told": open_,
                         "first_not_told": unknown_first, "died": died, "rows": rows}

if o.only in (None, "chains"):
    rng = random.Random(o.seed)
    blocking = sorted({e["distribution"]["name"] for e in report["extensions"] if e["module"] in predicted and e["distribution"]})
    modules = json.loads(subprocess.run([python, "-c", MODULES, *blocking], capture_output=True, text=True, env=clean).stdout)
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

        same, neither, open_, failed, rows, longest = 0, 0, 0, 0, [], 0
        for path, it in zip(paths, pool.map(lambda path: verify("--entry", path)["program"], paths)):
            places = [(f"{p['file']}:{p['line']}", p["function"]) for p in it["places"] if p["file"] != "<string>"]
            mine = [at for at in it["predicted_places"] if re.search(r":\d+$", at)]
            rest = iter(places)
            in_order = all(any(at == place for place, _ in rest) for at in mine)
            forgotten = [place for place, name in places if name == "<module>" and place not in mine]
            row = {"script": open(path).read(), "seen": it}
            rows.append(row)
            if it["warned"] is None and it["errors"]:
                # Not every attribute is there: a script that stops before the warning shows nothing.
                failed += 1
            elif it["warned"] is None and it["predicted"] == "off":
                neither += 1
            elif it["predicted_first"] is None:
                open_ += 1
            elif it["predicted_first"] == it["warned"] and in_order and not forgotten:
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
