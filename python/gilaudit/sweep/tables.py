"""Parquet tables that survive the death of who writes them.

``manifest.json`` says which parts are in the tables and which items they answer, and is replaced as a whole. A part is written under a
name that no reader looks for, then named in the manifest, then given its name; opening a folder finishes or undoes what was begun. So
every item's rows are in all four tables, or in none, and never twice.
"""

import contextlib
import json
import os
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

from .plan import Refused

_KEY = [("item", pa.int64()), ("wheel", pa.string()), ("python", pa.string())]
_COUNTS = (
    "not_used", "used", "undeclared", "unknown", "runs_free", "enables_gil", "runs_free_forced", "runs_with_gil", "cannot_import",
    "undetermined", "extensions", "libraries", "errors", "warnings", "notes", "problems", "contradicted",
)


def _texts(*names):
    return [(name, pa.string()) for name in names]


SCHEMAS = {
    "files": pa.schema([
        *_KEY, *_texts("distribution", "version", "status", "error", "gil", "url", "sha256", "claimed_sha256"), ("size", pa.int64()),
        *((name, pa.int32()) for name in _COUNTS), ("seconds", pa.float64()),
    ]),
    "modules": pa.schema([
        *_KEY, *_texts(
            "module", "member", "member_sha256", "distribution", "version", "format", "arch", "abi", "built_for", "init", "framework",
            "framework_version", "declaration", "mechanism", "reason", "reason_code", "declared_by_tool",
        ), ("contradicted", pa.bool_()), *_texts("evidence", "outcome", "action", "warning"),
    ]),
    "findings": pa.schema([
        *_KEY, *_texts("rule", "severity", "confidence", "message", "help", "module", "function", "member"), ("line", pa.int64()),
        *_texts("place", "fingerprint", "suppressed"),
    ]),
    "problems": pa.schema([*_KEY, *_texts("member", "stage", "error"), ("unread", pa.bool_())]),
}


class Tables:
    """The four tables of one folder, open for writing by this process alone."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self._lock = _locked(self.folder / "lock")
        path = self.folder / "manifest.json"
        self._manifest = json.loads(path.read_text()) if path.exists() else {"next": 0, "done": [], "parts": {name: [] for name in SCHEMAS}}
        # The items that are answered, by their numbers.
        self.done = {item for start, end in self._manifest["done"] for item in range(start, end)}
        self._settle()

    def commit(self, rows):
        """Adds rows of whole items: a dictionary from each table to a list of dictionaries."""
        # The first part of a table may be empty: whoever asks about a table finds it.
        named = self._manifest["parts"]
        parts = {name: self._write(name, pa.Table.from_pylist(rows[name], SCHEMAS[name])) for name in SCHEMAS if rows[name] or not named[name]}
        self.done |= {row["item"] for row in rows["files"]}
        kept = {name: [*self._manifest["parts"][name], *([parts[name]] if name in parts else [])] for name in SCHEMAS}
        self._replace(kept)

    def compact(self, rows_per_part=1_000_000):
        """Writes each table anew with few large parts. Readers should wait: for a moment both are there."""
        kept = {}
        for name, parts in self._manifest["parts"].items():
            kept[name] = []
            batch, count = [], 0
            for part in parts:
                table = pq.read_table(self.folder / name / part, schema=SCHEMAS[name])
                batch.append(table)
                count += table.num_rows
                if count >= rows_per_part:
                    kept[name].append(self._write(name, pa.concat_tables(batch)))
                    batch, count = [], 0
            if batch:
                kept[name].append(self._write(name, pa.concat_tables(batch)))
        self._replace(kept)

    def close(self):
        """Lets another process write."""
        self._lock.close()

    def _write(self, name, table):
        part = f"part-{self._manifest['next']:06}.parquet"
        self._manifest["next"] += 1
        (self.folder / name).mkdir(exist_ok=True)
        with open(self.folder / name / f"{part}.new", "wb") as file:
            pq.write_table(table, file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        return part

    def _replace(self, parts):
        self._manifest = {"next": self._manifest["next"], "done": _ranges(self.done), "parts": parts}
        new = self.folder / "manifest.json.new"
        with open(new, "w", encoding="utf-8") as file:
            json.dump(self._manifest, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self.folder / "manifest.json")
        self._settle()

    def _settle(self):
        for name in SCHEMAS:
            there = {path.name: path for path in (self.folder / name).glob("part-*")}
            for part in self._manifest["parts"][name]:
                if new := there.pop(f"{part}.new", None):
                    os.replace(new, self.folder / name / part)
                elif part not in there:
                    raise Refused(f"{self.folder / name / part} is gone: begin anew in another folder")
                there.pop(part, None)
            # Written by a process that died before it could say so, or replaced by a compact part.
            for path in there.values():
                path.unlink()


def _ranges(items):
    ranges = []
    for item in sorted(items):
        if ranges and ranges[-1][1] == item:
            ranges[-1][1] += 1
        else:
            ranges.append([item, item + 1])
    return ranges


def _locked(path):
    """An open file that no other process has locked; the lock ends with the process. Raises Refused when another has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = open(path, "w", encoding="utf-8")  # noqa: SIM115
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        with contextlib.suppress(OSError):
            file.close()
        raise Refused(f"{path.parent}: another process writes there") from error
    return file
