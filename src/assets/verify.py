"""What `gilaudit verify` runs, in a process of its own: imports what it is told to, and writes down what happens to the GIL.

usage: python -c THIS EVENTS TASK, where EVENTS is a file that exists and TASK is JSON. Each line of EVENTS is one event, written before
anything else happens, so that it is there when the process dies.
"""
import sys


def main():
    import importlib
    import importlib.machinery
    import json
    import os
    import traceback
    import warnings

    events = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
    task = json.loads(sys.argv[2])
    gil = getattr(sys, "_is_gil_enabled", lambda: True)

    def say(event, **more):
        os.write(events, (json.dumps({"event": event, "gil": gil(), **more}) + "\n").encode())

    def error(e):
        try:
            return f"{type(e).__name__}: {e}"[:300]
        except BaseException:  # a __str__ that fails
            return type(e).__name__[:300]

    # A process that is killed for taking too long, or that crashes, shall leave no core dump behind.
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        pass

    loader = importlib.machinery.ExtensionFileLoader
    create = loader.create_module

    def create_module(self, spec):
        say("loading", module=spec.name, path=spec.origin or "")
        try:
            module = create(self, spec)
        except BaseException as e:
            say("failed", module=spec.name, error=error(e))
            raise
        say("loaded", module=spec.name)
        return module

    loader.create_module = create_module

    def places():
        """Where the imports are that led here: file, line and function, the outermost first."""
        frames = [f for f in traceback.extract_stack() if f.filename != "<string>"]
        machinery = lambda f: "importlib" in f.filename
        found = []
        for f, g in zip(frames, frames[1:]):
            # An attribute that imports: its place is outside of the module that answers by __getattr__.
            if machinery(g) and not machinery(f) or g.name == "__getattr__" and not machinery(f):
                found.append([f.filename, f.lineno, f.name])
        return found[-200:]

    def show(message, category, *rest, **more):
        text = str(message)
        if category is RuntimeWarning and "global interpreter lock" in text and text.count("'") >= 2:
            say("warned", module=text.split("'")[1], places=places())

    warnings.showwarning = show
    warnings.simplefilter("always")

    # The current folder is an empty one that the caller made.
    sys.path[:] = [path for path in sys.path if path]
    if task["folder"]:
        import site

        site.addsitedir(task["folder"])
        sys.path.insert(0, task["folder"])
    here = list(sys.modules.values())
    say("start", loaded=sorted(m.__name__ for m in here if isinstance(getattr(getattr(m, "__spec__", None), "loader", None), loader)))

    def run(kind, name):
        import runpy

        if kind == "import":
            importlib.import_module(name)
        elif kind == "script":
            if not os.path.isdir(name) and not name.endswith((".pyz", ".zip")):
                sys.path.insert(0, os.path.dirname(name))
            sys.argv[:] = [name]
            runpy.run_path(name, run_name="__main__")
        elif kind == "module":
            sys.argv[:] = [name]
            runpy.run_module(name, run_name="__main__", alter_sys=True)
        elif kind == "entry-point":
            from importlib.metadata import entry_points

            sys.argv[:] = [name]
            next(iter(entry_points(group="console_scripts", name=name))).load()()

    for kind, name in task["steps"]:
        problem = None
        try:
            run(kind, name)
        except SystemExit:
            pass  # a program that ends
        except BaseException as e:
            problem = error(e)
        say("done", name=name, error=problem)

    if task["stress"]:
        stress(task, say, error)
    say("end")
    # What runs at exit is not what was asked about.
    os._exit(0)


def stress(task, say, error):
    """Calls each function from several threads at once, and says how the calls ended."""
    import hashlib
    import importlib
    import threading

    for name in task["stress"]:
        module, _, path = name.partition(":")
        try:
            function = importlib.import_module(module)
            for part in path.split("."):
                function = getattr(function, part)
        except BaseException as e:
            say("done", name=name, error=error(e))
            continue
        barrier = threading.Barrier(task["threads"])
        outcomes = [{} for _ in range(task["threads"])]

        def work(mine):
            barrier.wait()
            for _ in range(task["calls"]):
                try:
                    value = function()
                except BaseException as e:
                    # The text of an error often names an address or a number: the type says enough to compare.
                    key = ("raised", type(e).__name__, error(e))
                else:
                    try:
                        shown = repr(value)
                    except BaseException as e:
                        shown = f"repr failed: {error(e)}"
                    key = ("returned", hashlib.sha256(shown[:10000].encode(errors="replace")).hexdigest()[:16], shown[:60])
                if key in mine or len(mine) < 64:
                    mine[key] = mine.get(key, 0) + 1

        say("calling", name=name)
        threads = [threading.Thread(target=work, args=(mine,), daemon=True) for mine in outcomes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        total = {}
        for mine in outcomes:
            for key, number in mine.items():
                total[key] = total.get(key, 0) + number
        listed = sorted(total.items())[:256]
        say("called", name=name, outcomes=[[how, what, text, number] for (how, what, text), number in listed])


main()
