#!/usr/bin/env python3
"""Runs gilaudit.sweep on wheels packed from fixtures, and disturbs it: killed workers, a killed driver, wheels that are poison.

usage: run.py [--gilaudit EXE] [TEST...]

EXE is the command, by default target/debug/gilaudit. What `gilaudit[sweep]` needs, and DuckDB for the questions of docs/sweep.md, is installed from PyPI
into a temporary environment; when that cannot be had, the tests are skipped, loudly.

Exit status: 0 all as it should be, 1 something is not.
"""

import argparse
import contextlib
import hashlib
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ["distributed==2026.8.0", "pyarrow==26.0.1", "pypi-simple==1.8.0", "tqdm==4.70.1", "duckdb==2.0.1"]
TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Place:
    """A temporary folder with wheels, a Python that has what is needed, and the command."""

    def __init__(self, folder, python, gilaudit):
        self.folder, self.python, self.gilaudit = folder, python, gilaudit
        self.wheels = folder / "wheels"
        self.wheels.mkdir()
        for name, file in cases():
            for copy in range(2):
                pack(self.wheels / f"{name}_{copy}-1.0-cp314-cp314t-linux_x86_64.whl", file)

    def argv(self, *arguments, gilaudit=None):
        command = ["--gilaudit", str(gilaudit or self.gilaudit)] if arguments[0] == "run" else []
        return [str(self.python), "-m", "gilaudit.sweep", *map(str, arguments), *command, *(["--quiet"] if arguments[0] == "run" else [])]

    def sweep(self, *arguments, exits=0, gilaudit=None):
        ran = subprocess.run(self.argv(*arguments, gilaudit=gilaudit), capture_output=True, text=True, env=environment(), timeout=600)
        # A traceback ends with status 1, too.
        expect(ran.returncode == exits and "Traceback" not in ran.stderr, f"exit code {ran.returncode}, not {exits}: {ran.stdout}{ran.stderr}")
        return ran.stdout + ran.stderr

    def rows(self, out, table="files", columns="wheel, python, status, extensions, runs_free, enables_gil, undetermined"):
        """All rows of some columns, sorted; an empty table has none."""
        if not list((out / table).glob("part-*.parquet")):
            return []
        query = f"SELECT {columns} FROM '{out / table}/*.parquet' ORDER BY ALL"
        return self.duckdb(query)

    def duckdb(self, query, cwd=None):
        code = "import duckdb, json, sys; print(json.dumps(duckdb.sql(sys.argv[1]).fetchall(), default=str))"
        ran = subprocess.run([self.python, "-c", code, query], capture_output=True, text=True, cwd=cwd, timeout=60)
        expect(ran.returncode == 0, f"{query}: {ran.stderr}")
        return json.loads(ran.stdout)

    def double(self, name, body):
        """A stand-in for the command that does `body` (with the wheel's name in $1), then what the command does."""
        path = self.folder / name
        path.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then exec "{self.gilaudit}" --version; fi\nwheel=$(basename "$2")\n{body}\nexec "{self.gilaudit}" "$@"\n')
        path.chmod(0o755)
        return path


def expect(holds, what):
    if not holds:
        raise AssertionError(what)


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT / "python"), "PYTHONUNBUFFERED": "1"}


def cases():
    """The fixtures that are one module and have a file of 3.14t, as (name, file)."""
    folders = (ROOT / "fixtures" / "binaries").glob("*/elf-x86_64")
    found = {folder.parent.name: list(folder.glob("*.cpython-314t-*")) for folder in folders}
    return sorted((name, files[0]) for name, files in found.items() if len(files) == 1)


def pack(path, file):
    """A wheel with one fixture in it."""
    name, version = path.name.split("-")[:2]
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(file, file.name)
        archive.writestr(f"{name}-{version}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{name}-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: cp314-cp314t-linux_x86_64\n")
        archive.writestr(f"{name}-{version}.dist-info/RECORD", "")


@test
def whole(place, out):
    """every wheel has one row, which says what the command says of it alone"""
    place.sweep("run", place.wheels, "--out", out, "--batch", 5)
    rows = place.rows(out)
    expect(len(rows) == len(list(place.wheels.iterdir())), f"{len(rows)} rows")
    wheel, python, status, extensions, free, on, open_ = rows[len(rows) // 2]
    said = subprocess.run([place.gilaudit, "check", place.wheels / wheel, "--format", "json"], capture_output=True, text=True)
    summary = json.loads(said.stdout)["summary"]
    outcomes = summary["outcomes"]
    expect([extensions, free, on, open_] == [summary["extensions"], outcomes["runs-free"], outcomes["enables-gil"], outcomes["undetermined"]], rows)
    expect(len(place.rows(out, "modules", "module")) == sum(row[3] for row in rows), "modules and files do not agree")
    expect((out / "summary.html").read_text().startswith("<!doctype html>"), "no page")
    expect(f"{len(rows)} of {len(rows)} wheels" in place.sweep("status", "--out", out), "status")


@test
def questions(place, out):
    """the questions of docs/sweep.md can be asked, of a run with all four tables"""
    broken = place.folder / "broken"
    shutil.copytree(place.wheels, broken)
    (broken / "torn-1-cp314-cp314t-linux_x86_64.whl").write_bytes(b"PK\3\4 no archive")
    place.sweep("run", broken, "--out", out, exits=1)
    asked = re.findall(r"^```sql\n(.*?)^```$", (ROOT / "docs" / "sweep.md").read_text(), re.MULTILINE | re.DOTALL)
    expect(len(asked) == 10, f"{len(asked)} questions")
    answers = [place.duckdb(query, cwd=out) for query in asked]
    expect(any(row[0].startswith("torn-") for row in answers[8]), answers[8])
    expect(answers[1] and answers[3] and answers[9], "an answer is empty")


@test
def poison(place, out):
    """a wheel that crashes the command, hangs, or kills its worker costs its own row"""
    sick = place.folder / "sick"
    shutil.copytree(place.wheels, sick)
    some = sorted(place.wheels.iterdir())[0]
    for name in ("crash", "hang", "kill"):
        shutil.copy(some, sick / f"{name}-1.0-cp314-cp314t-linux_x86_64.whl")
    double = place.double("poisoned", 'case "$wheel" in crash-*) kill -SEGV $$;; hang-*) exec sleep 60;; kill-*) kill -9 $PPID; exit;; esac')
    place.sweep("run", sick, "--out", out, "--timeout", 5, "--batch", 8, exits=1, gilaudit=double)
    status = {row[0].split("-")[0]: row[2] for row in place.rows(out)}
    expect(len(place.rows(out)) == len(list(sick.iterdir())), f"missing: {sorted({p.name for p in sick.iterdir()} - {row[0] for row in place.rows(out)})}")
    expect([status[name] for name in ("crash", "hang", "kill")] == ["crashed", "timed-out", "killed"], status)
    healthy = [value for name, value in status.items() if name not in ("crash", "hang", "kill")]
    expect(set(healthy) <= {"read", "unread", "partly-read"}, status)


@test
def driver_killed(place, out):
    """a driver that is killed loses nothing: after resuming the rows are those of a run in one piece"""
    whole_run = place.folder / "in-one-piece"
    place.sweep("run", place.wheels, "--out", whole_run)
    slow = place.double("slow", "sleep 0.05")
    arguments = ("run", place.wheels, "--out", out, "--batch", 2, "--commit-seconds", 0.2)
    for _ in range(2):
        before = answered(out)
        process = subprocess.Popen(place.argv(*arguments, gilaudit=slow), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait(lambda: answered(out) > before, "no commit")
        process.send_signal(signal.SIGKILL)
        process.wait()
    expect(0 < answered(out) < len(list(place.wheels.iterdir())), f"{answered(out)} answered: the kill came too late to test anything")
    # What a driver leaves that died while writing.
    (out / "files" / "part-999999.parquet.new").write_bytes(b"half")
    place.sweep("run", "--out", out)
    expect(place.rows(out) == place.rows(whole_run), "the rows differ")
    columns = "wheel, module, declaration, outcome"
    expect(place.rows(out, "modules", columns) == place.rows(whole_run, "modules", columns), "the modules differ")
    expect(not list((out / "files").glob("*.new")), "half a part is left")


@test
def workers_killed(place, out):
    """workers that are killed are replaced, and their work is done again, once"""
    slow = place.double("slow-workers", "sleep 0.05")
    process = subprocess.Popen(
        place.argv("run", place.wheels, "--out", out, "--batch", 4, "--commit-seconds", 0.2, gilaudit=slow), env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    wait(lambda: answered(out) > 0, "no commit")
    victims = workers(process.pid)
    expect(victims, "no worker process was found")
    os.kill(victims[0], signal.SIGKILL)
    said = process.communicate(timeout=300)[0]
    expect(process.returncode == 0, said)
    expect(len(place.rows(out)) == len(list(place.wheels.iterdir())), "rows are missing or double")


@test
def refused(place, out):
    """what would mix answers is refused: another version, other inputs, a second writer"""
    place.sweep("run", place.wheels, "--out", out)
    expect("other python" in place.sweep("run", place.wheels, "--python", "3.13t", "--out", out, exits=2), "other targets")
    other = place.folder / "other-version"
    other.write_text("#!/bin/sh\necho gilaudit 99.0.0\n")
    other.chmod(0o755)
    expect("begun with gilaudit" in place.sweep("run", "--out", out, exits=2, gilaudit=other), "another version")
    expect("no run is there" in place.sweep("run", "--out", place.folder / "nothing", exits=2), "nothing to resume")
    import fcntl

    with open(out / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        expect("another process" in place.sweep("run", "--out", out, exits=2), "a second writer")


@test
def compact(place, out):
    """compact keeps every row"""
    place.sweep("run", place.wheels, "--out", out, "--batch", 2, "--commit-seconds", 0)
    before, parts = place.rows(out), len(list((out / "files").iterdir()))
    place.sweep("compact", "--out", out)
    expect(place.rows(out) == before and parts > len(list((out / "files").iterdir())) == 1, f"{parts} parts before")
    place.sweep("run", "--out", out)
    expect(place.rows(out) == before, "a compact run is not known to be complete")


@test
def index(place, out):
    """names are resolved by an index: the newest release, the wheel that fits, its hash, and what has none"""
    wheel = sorted(place.wheels.iterdir())[0]
    with served(place.folder / "index", wheel) as url:
        (place.folder / "names.txt").write_text("# a comment\ngood\npinned==1.0\nliar\npure-sdist\nnobody\n")
        place.sweep("run", "--names", place.folder / "names.txt", "--index-url", url, "--out", out, exits=1)
    rows = {row[0]: row[1] for row in place.rows(out, columns="wheel, status, error")}
    name = "-cp314-cp314t-manylinux_2_28_x86_64.whl"
    expect(rows.get("good-2.0" + name) == "read" and rows.get("pinned-1.0" + name) == "read", rows)
    expect(rows.get("liar-2.0" + name) == "wrong-hash" and rows.get("pure-sdist 1.0") == "no-wheel" and rows.get("nobody") == "no-listing", rows)


@contextlib.contextmanager
def served(folder, wheel):
    """An index with a few projects, as PEP 691 has it."""
    data = wheel.read_bytes()
    digest = hashlib.sha256(data).hexdigest()

    def file(name, sha256=digest, **more):
        return {"filename": name, "url": f"/files/{name}", "hashes": {"sha256": sha256}, "size": len(data), **more}

    tag = "cp314-cp314t-manylinux_2_28_x86_64.whl"
    pages = {
        "good": [file(f"good-1.0-{tag}"), file(f"good-2.0-{tag}"), file("good-2.0-cp314-cp314-manylinux_2_28_x86_64.whl"), file(f"good-3.0rc1-{tag}"), file(f"good-9.0-{tag}", yanked="bad")],
        "pinned": [file(f"pinned-1.0-{tag}"), file(f"pinned-2.0-{tag}")],
        "liar": [file(f"liar-2.0-{tag}", "0" * 64)],
        "pure-sdist": [file("pure_sdist-1.0.tar.gz")],
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            parts = self.path.strip("/").split("/")
            if parts[0] == "files":
                body, kind = data, "application/octet-stream"
            elif parts[0] == "simple" and len(parts) == 2 and parts[1] in pages:
                page = {"meta": {"api-version": "1.1"}, "name": parts[1], "versions": [], "files": pages[parts[1]]}
                body, kind = json.dumps(page).encode(), "application/vnd.pypi.simple.v1+json"
            else:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/simple/"
        server.shutdown()


def answered(out):
    """How many items a run has answered so far."""
    manifest = out / "manifest.json"
    return sum(end - start for start, end in json.loads(manifest.read_text())["done"]) if manifest.exists() else 0


def workers(parent):
    """The processes below one that run Dask workers."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                command = (entry / "cmdline").read_bytes()
                if int(fields[1]) == parent and b"spawn_main" in command:
                    found.append(int(entry.name))
    return found


def wait(holds, what, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        expect(time.monotonic() < end, what)
        time.sleep(0.02)


def installed(folder):
    """A Python with the packages, or None."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    ran = subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], capture_output=True, text=True)
    return python if ran.returncode == 0 else None


def main():
    parser = argparse.ArgumentParser(description=textwrap.dedent(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gilaudit", type=pathlib.Path, default=ROOT / "target" / "debug" / "gilaudit")
    parser.add_argument("--python", type=pathlib.Path, help="has the packages already")
    parser.add_argument("tests", nargs="*", metavar="TEST")
    given = parser.parse_args()
    failed = []
    with tempfile.TemporaryDirectory(prefix="gilaudit-sweep-") as temporary:
        python = given.python or (installed(pathlib.Path(temporary) / "venv") if sys.version_info >= (3, 11) else None)
        if python is None:
            print("SKIPPED: what gilaudit[sweep] needs could not be installed; the sweep is NOT tested")
            return 0
        place = Place(pathlib.Path(temporary), python, given.gilaudit.resolve())
        for function in TESTS:
            if given.tests and function.__name__ not in given.tests:
                continue
            begun = time.monotonic()
            try:
                function(place, pathlib.Path(temporary) / f"out-{function.__name__}")
                print(f"ok      {function.__name__}: {function.__doc__} ({time.monotonic() - begun:.1f} s)")
            except (AssertionError, OSError, subprocess.SubprocessError) as error:
                failed.append(function.__name__)
                print(f"FAILED  {function.__name__}: {function.__doc__}\n{error}")
    print(f"{len(failed)} failed" if failed else "sweep: all passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
