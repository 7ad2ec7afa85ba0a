#!/usr/bin/env python3
"""Compare what gilaudit predicts from source distributions with what real interpreters did with the wheels built from them.

    python3 corpus/compare_sdists.py --truth truth.jsonl [--gilaudit target/release/gilaudit] [--cache FOLDER]

`sdists.tsv` pins the source distributions. A row of the truth says what CPython did when it imported a file of a wheel of the same
release: `gil-free` is the declaration not-used, `gil-required` is used or none. Every module of a wheel is compared, also those
that gilaudit does not list for the source distribution (`missing`). Rows that `disputed.tsv` lists, with reasons, are counted apart:
they are wrong, or about another build. Exits with 1 if a module is wrongly said to be not-used.
"""

import argparse
import collections
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import urllib.request

HERE = pathlib.Path(__file__).parent
SAYS = {"not-used": "gil-free", "used": "gil-required", "undeclared": "gil-required", "unknown": "unknown"}


def fetch(row, cache):
    name, version, file, sha256, url = row
    path = cache / file
    if not path.exists():
        with urllib.request.urlopen(url, timeout=120) as response:
            path.write_bytes(response.read())
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        sys.exit(f"{path}: the hash is not {sha256}")
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truth", required=True, type=pathlib.Path)
    parser.add_argument("--gilaudit", default=str(HERE.parent / "target/release/gilaudit"))
    parser.add_argument("--cache", default=HERE.parent / "target/sdists", type=pathlib.Path)
    parser.add_argument("--verbose", action="store_true", help="every module, not only those that differ")
    args = parser.parse_args()
    args.cache.mkdir(parents=True, exist_ok=True)

    truth = collections.defaultdict(dict)
    for line in args.truth.read_text().splitlines():
        row = json.loads(line)
        if row["truth"] in ("gil-free", "gil-required"):
            distribution, version = row["wheel"].split("-")[:2]
            key = re.sub(r"[-_.]+", "_", distribution).lower(), version, row["python"]
            truth[key][row["module"]] = row["truth"]

    lines = (HERE / "disputed.tsv").read_text().splitlines()
    disputed = [line.split("\t") for line in lines if not line.startswith("#")]

    def is_disputed(*row):
        return any(all(cell in ("*", value) for cell, value in zip(known, row)) for known in disputed)

    counts = collections.Counter()
    for line in (HERE / "sdists.tsv").read_text().splitlines():
        if line.startswith("#"):
            continue
        row = line.split("\t")
        path = fetch(row, args.cache)
        for python in ("3.13t", "3.14t", "3.15t"):
            expected = truth.get((row[0], row[1], python))
            if not expected:
                continue
            command = [args.gilaudit, "check", str(path), "--python", python, "--format", "json"]
            report = json.loads(subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout)
            rows = {row["module"]: row for row in report["extensions"] if row["format"] == "source"}
            for module, what in sorted(expected.items()):
                said = SAYS[rows[module]["declaration"]["status"]] if module in rows else "missing"
                verdict = "equal" if said == what else "WRONG not-used" if said == "gil-free" else said
                if verdict not in ("equal", "WRONG not-used", "unknown", "missing"):
                    verdict = "wrong needs-gil"
                if is_disputed(row[0], row[1], python, module):
                    verdict = f"disputed ({verdict})"
                counts[verdict] += 1
                if verdict != "equal" or args.verbose:
                    reason = rows[module]["declaration"]["reason"] if module in rows else sorted(rows)
                    print(f"{row[0]} {row[1]} {python} {module}: {what}, {verdict}: {reason}")
    total = sum(counts.values())
    print(f"{total} modules: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common()))
    certain = sum(count for verdict, count in counts.items() if not verdict.startswith("disputed"))
    print(f"equal: {100 * counts['equal'] / max(total, 1):.1f} % of all, {counts['equal']} of {certain} without the disputed ones")
    return 1 if any("WRONG" in verdict for verdict in counts) else 0


if __name__ == "__main__":
    sys.exit(main())
