"""The work list: which wheels are audited, for which interpreters. Frozen in ``run.json`` and ``work.parquet`` before anything is read."""

import hashlib
import json
import os
import pathlib
import posixpath
import subprocess

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from gilaudit import find_bin

SCHEMA = pa.schema([
    ("item", pa.int64()),
    ("wheel", pa.string()),
    # Where it is read: a path or a URL. Null: there is no such wheel, for the reason in `error`.
    ("url", pa.string()),
    # The index's claim. Null where nobody claims anything.
    ("sha256", pa.string()),
    ("size", pa.int64()),
    ("python", pa.string()),
    ("error", pa.string()),
])


class Refused(Exception):
    """A run that cannot be begun, or not be resumed, with the reason as its text."""


def command(path=None):
    """The gilaudit command as (path, version). Raises Refused when it does not run."""
    path = path or os.environ.get("GILAUDIT") or find_bin()
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise Refused(f"{path} does not run: {error}") from error
    return path, said.split()[-1]


def wheels_of(place, storage_options=None):
    """Every wheel that a path or an fsspec URL leads to, as (name, URL, size): a wheel itself, or all below a folder, by name."""
    try:
        system, path = fsspec.core.url_to_fs(place, **(storage_options or {}))
        # An index's page and a folder look alike over HTTP; only what has names can be listed.
        found = {path: system.info(path)} if path.endswith(".whl") else system.find(path, detail=True)
    except (OSError, ValueError, ImportError) as error:
        raise Refused(f"{place}: {error}") from error
    rows = []
    for path, info in sorted(found.items()):
        if path.endswith(".whl"):
            # A file of this machine is named as such: workers elsewhere then say that they do not have it.
            url = path if _is_local(system) else system.unstrip_protocol(path)
            rows.append((posixpath.basename(path), url, info.get("size")))
    if not rows:
        raise Refused(f"{place}: no wheel is there")
    return rows


def _is_local(system):
    protocol = system.protocol if isinstance(system.protocol, tuple) else (system.protocol,)
    return "file" in protocol


def freeze(out, asked, rows, version):
    """Writes the work list of a new run: `rows` are dictionaries of SCHEMA without `item`, `asked` is what it was made from."""
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    numbered = [{"item": number, **row} for number, row in enumerate(rows)]
    pq.write_table(pa.Table.from_pylist(numbered, SCHEMA), out / "work.parquet.tmp")
    os.replace(out / "work.parquet.tmp", out / "work.parquet")
    run = {"schema": "gilaudit-sweep/1", "gilaudit": version, "asked": asked, "items": len(numbered), "work_sha256": _sha256(out / "work.parquet")}
    (out / "run.json.tmp").write_text(json.dumps(run, indent=1) + "\n")
    # Last: a run exists when this file does.
    os.replace(out / "run.json.tmp", out / "run.json")
    return run, numbered


def thaw(out):
    """The frozen run and its work list, or None when there is none. Raises Refused when they do not belong together."""
    out = pathlib.Path(out)
    if not (out / "run.json").exists():
        return None
    run = json.loads((out / "run.json").read_text())
    if run.get("schema") != "gilaudit-sweep/1":
        raise Refused(f"{out / 'run.json'}: not a run of this version of gilaudit.sweep")
    if _sha256(out / "work.parquet") != run["work_sha256"]:
        raise Refused(f"{out / 'work.parquet'} is not the work list that {out / 'run.json'} was made with")
    return run, pq.read_table(out / "work.parquet").to_pylist()


def resumable(run, asked, version):
    """Raises Refused unless the frozen run is what is asked for now. `asked` is None when only the folder was named."""
    if run["gilaudit"] != version:
        raise Refused(f"the run was begun with gilaudit {run['gilaudit']}, this is {version}: answers of two versions do not go into one table")
    if asked is not None and run["asked"] != asked:
        changed = sorted(key for key in {**run["asked"], **asked} if run["asked"].get(key) != asked.get(key))
        raise Refused(f"the run was begun with other {', '.join(changed)}: name another --out, or only --out to resume it")


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
