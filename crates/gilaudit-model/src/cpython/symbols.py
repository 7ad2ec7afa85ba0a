#!/usr/bin/env python3
"""Writes symbols.txt: which names of the C API only some builds of CPython export.

    python3 symbols.py 3.13=FILE 3.13t=FILE 3.14=FILE 3.14t=FILE 3.15=FILE 3.15t=FILE [older=FILE]... > symbols.txt

FILE is the interpreter itself, or its libpython where it has one: whichever exports the API. `older` are versions before 3.13: what only
they export is of none of the others. Needs `nm`. Names that all six export are left out, since no file can lack them, and so are the
init functions of modules that are built in. Linux builds without a debugger's additions; not what only a debug build exports.
"""

import collections
import re
import subprocess
import sys

BUILDS = ("3.13", "3.13t", "3.14", "3.14t", "3.15", "3.15t")


def exported(path):
    lines = subprocess.run(["nm", "-D", "--defined-only", path], capture_output=True, text=True, check=True).stdout.splitlines()
    names = {line.split()[-1].split("@")[0] for line in lines}
    return {name for name in names if re.match(r"_?Py(?!Init_)", name)}


def main():
    of = collections.defaultdict(set)
    for argument in sys.argv[1:]:
        build, path = argument.split("=", 1)
        of[build] |= exported(path)
    if missing := set(BUILDS) - set(of):
        sys.exit(f"no file for {', '.join(sorted(missing))}")
    groups = collections.defaultdict(list)
    for name in sorted(set().union(*of.values())):
        builds = tuple(build for build in BUILDS if name in of[build])
        if builds != BUILDS:
            groups[builds].append(name)
    print("# Names of the C API that not all builds of CPython export, made by symbols.py from 3.13.15, 3.14.7, 3.15.0rc2, and 3.9 and 3.11")
    print("# for what was taken away before. After each line that starts with = come the names that just these builds export.")
    for builds, names in sorted(groups.items()):
        print("=", *builds)
        print(*names, sep="\n")


main()
