#!/usr/bin/env python3
"""Writes the seeds of every fuzz target, from the fixtures of the repository: `python3 fuzz/seeds.py FOLDER [TARGET ...]`.

FOLDER/TARGET/ gets one file a seed, named by its contents. Small ones come first to libFuzzer, so nothing is left out for its size but
what is larger than a target's inputs may be.
"""

import bz2
import gzip
import hashlib
import io
import lzma
import pathlib
import sys
import tarfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "fixtures"
#: The same as `SEPARATOR` of tests/hostile/src/sources.rs: it names the file of the lines after it.
SEPARATOR = b"=== "


def binaries(accepts):
    """Files of the variants that `accepts` says yes to. The same code built for two interpreters is one file too many."""
    for folder in sorted((FIXTURES / "binaries").glob("*/*/")):
        if accepts(folder.name):
            yield from ({path.stat().st_size: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}).values()


def other_elf(name):
    return name.startswith("elf-") and not name.startswith(("elf-x86_64", "elf-aarch64"))


def blocks(page, languages):
    """The code blocks of a rule's page."""
    inside = None
    for line in page.read_text().splitlines(keepends=True):
        if line.startswith("```"):
            if inside is None:
                inside = [line[3:].strip().split(",")[0]]
            else:
                if inside[0] in languages:
                    yield "".join(inside[1:]).encode()
                inside = None
        elif inside is not None:
            inside.append(line)


def sources(suffixes, languages=()):
    folders = [FIXTURES / "rules", FIXTURES / "tour", FIXTURES / "binaries"]
    for path in sorted(path for folder in folders for path in folder.rglob("*")):
        if path.suffix in suffixes and path.is_file():
            yield path.read_bytes()
    for page in sorted((ROOT / "crates/gilaudit-rules/src/rules").glob("*.md")):
        yield from blocks(page, languages)


BUILD = ("setup.py", "setup.cfg", "pyproject.toml", "CMakeLists.txt", "meson.build", "Cargo.toml")


def projects():
    """Folders with build files, each as one seed with the sources beside them."""
    built = {path.parent for name in BUILD for folder in ("rules", "tour") for path in (FIXTURES / folder).rglob(name)}
    for folder in sorted(built):
        seed = b""
        for path in sorted(path for path in folder.rglob("*") if path.is_file())[:8]:
            name = path.relative_to(folder).as_posix().encode()
            seed += SEPARATOR + name + b"\n" + path.read_bytes().rstrip(b"\n") + b"\n"
        yield seed
    for page in sorted((ROOT / "crates/gilaudit-rules/src/rules").glob("*.md")):
        for text in blocks(page, ("toml", "cmake", "meson")):
            for name in BUILD:
                yield SEPARATOR + name.encode() + b"\n" + text


def policies(suffix):
    for folder in (FIXTURES / "policies", ROOT / "policies"):
        for path in sorted(folder.glob("*" + suffix)):
            yield path.read_bytes()
    if suffix == ".toml":
        yield b'[tool.gilaudit]\nextends = "nogil"\nfail-on = "warning"\n\n[tool.gilaudit.rules]\nenables-gil = "error"\n'


def noise():
    """Recipes for archives: bytes of nothing in particular, the same every time."""
    for number in range(64):
        yield b"".join(hashlib.sha256(b"%d %d" % (number, part)).digest() for part in range(1 + number % 8))


def wheels():
    yield from noise()
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as wheel:
            for name in ("pkg/core.so", "pkg-1.0.dist-info/METADATA", "pkg-1.0.dist-info/RECORD"):
                wheel.writestr(zipfile.ZipInfo(name), b"Name: pkg\nVersion: 1.0\n", method)
        yield file.getvalue()


def sdist(format):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=format) as tar:
        for name in ("pkg-1.0/setup.py", "pkg-1.0/core.c", "pkg-1.0/" + "long" * 30 + "/core.so", "pkg-1.0/\u00e9.so"):
            info = tarfile.TarInfo(name)
            info.size = 20
            tar.addfile(info, io.BytesIO(b"#include <Python.h>\n"))
    return file.getvalue()


def tars():
    return map(sdist, (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))


def sdists():
    yield from noise()
    for tar in tars():
        yield from (gzip.compress(tar, mtime=0), bz2.compress(tar), lzma.compress(tar))


SEEDS = {
    "elf_x86_64": lambda: binaries(lambda name: name.startswith("elf-x86_64")),
    "elf_aarch64": lambda: binaries(lambda name: name.startswith("elf-aarch64")),
    "elf_other": lambda: binaries(other_elf),
    "macho": lambda: binaries(lambda name: name.startswith("macho-")),
    "pe": lambda: binaries(lambda name: name.startswith("pe-")),
    "wheel": wheels,
    "sdist": sdists,
    "tar": tars,
    "c": lambda: sources({".c", ".h"}, {"c"}),
    "cpp": lambda: sources({".cpp", ".cc", ".hpp"}, {"cpp", "c++"}),
    "cython": lambda: sources({".pyx", ".pxd"}, {"cython", "pyx"}),
    "rust": lambda: sources({".rs"}, {"rust"}),
    "python": lambda: sources({".py", ".pyi", ".pth"}, {"python", "py"}),
    "build_files": projects,
    "policy_yaml": lambda: policies(".yaml"),
    "policy_toml": lambda: policies(".toml"),
}


def write(folder, target):
    into = pathlib.Path(folder, target)
    into.mkdir(parents=True, exist_ok=True)
    seeds = set(SEEDS[target]())
    for seed in seeds:
        (into / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    if not seeds:
        sys.exit(f"{target} has no seeds")
    return seeds


def main(folder, *targets):
    for target in targets or SEEDS:
        seeds = write(folder, target)
        print(f"{target}: {len(seeds)} seeds, the largest of {max(map(len, seeds))} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
