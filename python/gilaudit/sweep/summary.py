"""What a run found, in numbers, on a terminal and as one HTML page without scripts."""

import collections
import importlib.resources
import pathlib

import jinja2
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .tables import SCHEMAS

READ = ("read",)
# There is nothing to read: no fault of the run.
ABSENT = ("no-wheel", "no-release")
# Rows of a list on the page.
SHOWN = 200


def numbers(out, items):
    """The figures that both pages show, as a dictionary; `items` is the length of the work list."""
    files, modules, findings = (_table(out, name) for name in ("files", "modules", "findings"))
    status = collections.Counter(files["status"].to_pylist())
    per_wheel = files.filter(pc.greater(files["extensions"], 0)).to_pylist()
    worst = collections.Counter(_answer(row) for row in per_wheel)
    unread = {key: count for key, count in status.items() if key not in READ + ABSENT}
    return {
        "items": items, "answered": files.num_rows, "pythons": sorted(set(files["python"].to_pylist())), "status": dict(sorted(status.items())),
        "unread": sum(unread.values()), "pure": sum(row["extensions"] == 0 for row in files.to_pylist() if row["status"] == "read"),
        "with_extensions": len(per_wheel), "answers": [(name, worst[name]) for name in ANSWERS if worst[name]],
        "modules": modules.num_rows, "declarations": _counts(modules, "declaration"), "outcomes": _counts(modules, "outcome"),
        "frameworks": _by_framework(modules), "rules": _counts(findings, "rule"),
        "enablers": sorted(
            ((row["wheel"], row["python"], row["enables_gil"], row["extensions"]) for row in per_wheel if row["enables_gil"]),
            key=lambda row: (-row[2], row),
        )[:SHOWN],
        "claims": sorted((row["wheel"], row["python"], row["contradicted"]) for row in per_wheel if row["contradicted"])[:SHOWN],
        "failed": sorted((row["wheel"], row["status"], row["error"] or "") for row in files.to_pylist() if row["status"] in unread)[:SHOWN],
        "seconds": sum(value or 0 for value in files["seconds"].to_pylist()), "bytes": sum(value or 0 for value in files["size"].to_pylist()),
    }


ANSWERS = ("runs free", "turns the GIL on", "cannot be imported", "not told", "runs with the GIL")


def _answer(row):
    # The worst of its modules decides, what is not known before what is.
    if row["enables_gil"]:
        return "turns the GIL on"
    if row["undetermined"] or row["status"] != "read":
        return "not told"
    if row["cannot_import"]:
        return "cannot be imported"
    return "runs with the GIL" if row["runs_with_gil"] else "runs free"


def text(found):
    """The figures for a terminal."""
    lines = [f"{found['answered']} of {found['items']} wheels answered for {', '.join(found['pythons']) or 'no interpreter'}"]
    lines.append("  " + ", ".join(f"{count} {name}" for name, count in found["status"].items()))
    if found["with_extensions"]:
        lines.append(f"{found['with_extensions']} have extensions: " + ", ".join(f"{count} {name}" for name, count in found["answers"]))
    if found["modules"]:
        lines.append(f"{found['modules']} modules: " + ", ".join(f"{count} {name}" for name, count in found["declarations"]))
    return "\n".join(lines)


def html(found):
    """The figures as a page that stands alone."""
    source = importlib.resources.files(__package__).joinpath("summary.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(source).render(**found)


def _table(out, name):
    parts = sorted((pathlib.Path(out) / name).glob("part-*.parquet"))
    return pa.concat_tables([pq.read_table(part, schema=SCHEMAS[name]) for part in parts]) if parts else SCHEMAS[name].empty_table()


def _counts(table, column):
    return sorted(collections.Counter(table[column].to_pylist()).items(), key=lambda pair: (-pair[1], str(pair[0])))


def _by_framework(modules):
    names = ("not-used", "used", "undeclared", "unknown")
    counted = collections.defaultdict(collections.Counter)
    for framework, declaration in zip(modules["framework"].to_pylist(), modules["declaration"].to_pylist()):
        counted[framework or "none recognised"][declaration] += 1
    rows = [(framework, *(counts[name] for name in names)) for framework, counts in counted.items()]
    return sorted(rows, key=lambda row: (-sum(row[1:]), row[0]))
