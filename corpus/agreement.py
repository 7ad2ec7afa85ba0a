#!/usr/bin/env python3
"""Compares what gilaudit reads from the same release of a package for different platforms.

The init function of a module is compiled from the same source for AArch64 and x86-64, for glibc, musl and Windows, so it declares
the same; where the answers differ, one of them is wrong. agreement.tsv pins the wheels: each names the x86-64 wheel that it is
compared with. other_architectures.tsv (`--list`) does so for those whose code is not evaluated. They are downloaded with pip, as it is configured, and checked against their SHA-256.

Exit status: 0 when all that is known agrees, 1 when something differs or a wheel could not be had, 2 when gilaudit fails.
"""

import argparse
import collections
import csv
import hashlib
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
# What a disagreement is about: whether and how a module declares, not where in the file.
KEYS = ("status", "mechanism")


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(row, folder):
    """The path of a wheel with the right hash, or None."""
    path = folder / row["wheel"]
    if path.exists() and digest(path) == row["sha256"]:
        return path
    name, version, *_, abi, platforms = row["wheel"].removesuffix(".whl").split("-")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--implementation", "cp", "--python-version", row["python"].rstrip("t"), "--abi", abi, "--dest", str(folder)]
    for platform in platforms.split("."):
        command += ["--platform", platform]
    subprocess.run([*command, f"{name}=={version}"], check=False)
    if path.exists() and digest(path) == row["sha256"]:
        return path
    print(f"missing or different: {row['wheel']}", file=sys.stderr)
    return None


def declarations(gilaudit, wheel, python):
    """What each module of a wheel declares: the reported declaration, and how the module is initialised."""
    command = [gilaudit, "check", "--format", "json", "--python", python, str(wheel)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        report = json.loads(run.stdout)
    except json.JSONDecodeError:
        sys.exit(f"{' '.join(command)} printed no report: {run.stderr.strip()}")
    if report["schema"] != "gilaudit-report/1":
        sys.exit(f"a report of another kind: {report['schema']}")
    return {extension["module"]: extension for extension in report["extensions"]}


def essence(extension):
    declaration = extension["declaration"]
    return (extension["init"], *(declaration[key] for key in KEYS))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="where the wheels are, or are downloaded to")
    parser.add_argument("--gilaudit", default="gilaudit", help="the command to run [default: the one on PATH]")
    parser.add_argument("--list", type=pathlib.Path, default=HERE / "agreement.tsv", help="the wheels [default: agreement.tsv]")
    parser.add_argument("--platform", help="only this platform of the list")
    parser.add_argument("--only", metavar="NAME,...", help="only these packages")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with open(options.list, newline="") as file:
        rows = {row["wheel"]: row for row in csv.DictReader(file, delimiter="\t")}
    wanted = {name.lower().replace("-", "_") for name in (options.only or "").split(",") if name}

    counts, unknown, failed, known = collections.Counter(), collections.defaultdict(list), False, {}

    def read(wheel):
        if wheel not in known:
            path = fetch(rows[wheel], options.folder)
            known[wheel] = path and declarations(options.gilaudit, path, rows[wheel]["python"])
        return known[wheel]

    for row in rows.values():
        name = row["wheel"].split("-")[0]
        if not row["against"] or options.platform not in (None, row["platform"]) or wanted and name.lower() not in wanted:
            continue
        here, there = read(row["wheel"]), read(row["against"])
        if here is None or there is None:
            failed = True
            continue
        for module in sorted(here.keys() | there.keys()):
            place = f"{row['platform']} {row['python']} {name} {module}"
            if module not in here or module not in there:
                # Modules of one platform only, like those for a processor's instructions.
                counts[row["platform"], "elsewhere"] += 1
                continue
            sides = [essence(here[module]), essence(there[module])]
            statuses = [side[1] for side in sides]
            if "unknown" in statuses:
                which = "unknown on both" if statuses == ["unknown"] * 2 else "unknown on one"
                counts[row["platform"], which] += 1
                side = here[module] if statuses[0] == "unknown" else there[module]
                unknown[side["declaration"]["reason"], which].append(place)
            elif sides[0] == sides[1]:
                counts[row["platform"], "agree"] += 1
            else:
                counts[row["platform"], "disagree"] += 1
                failed = True
                print(f"disagree: {place}: {' '.join(sides[0])}, on x86-64 {' '.join(sides[1])}")
    for (reason, which), places in sorted(unknown.items(), key=lambda item: -len(item[1])):
        print(f"{which}: {reason}: {'; '.join(places)}")
    for (platform, what), count in sorted(counts.items()):
        print(f"{platform}\t{what}\t{count}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
