"""Where the ways in are tried: a folder that is removed, tools from PyPI in it, and environments that can only get our own wheel."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
_folder = tempfile.TemporaryDirectory(prefix="gilaudit-ways-in-")
WORK = pathlib.Path(_folder.name)
# What may be installed where gilaudit is installed: its wheel, and what the tools need beside it. No index is asked, so a package of
# this name that somebody else publishes is never run.
WHEELHOUSE = WORK / "wheelhouse"
WHEELHOUSE.mkdir()

VERSION = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE).group(1)

TOOLS = {
    "check-jsonschema": "0.39.0",
    "cibuildwheel": "4.3.5",
    "maturin": "1.16.0",
    "pipx": "1.18.4",
    "pre-commit": "4.7.0",
    "pytest": "9.2.0",
    "PyYAML": "6.0.3",
    "uv": "0.13.9",
}


class Skip(Exception):
    """A way that cannot be tried here, and why."""


class Wrong(Exception):
    """Something is not as it should be."""


def expect(holds, what):
    if not holds:
        raise Wrong(what)


def environment(*scripts, **more):
    """The variables for a command: what a developer has set for Python's tools is gone, and `scripts` come first on PATH."""
    kept = {name: value for name, value in os.environ.items() if not re.match(r"(PIP|PIPX|UV|PYTHON|GILAUDIT|GIT|VIRTUAL_ENV|CONDA)", name)}
    own = {
        "PATH": os.pathsep.join([*map(str, scripts), os.environ["PATH"]]),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_FIND_LINKS": str(WHEELHOUSE),
        "PIP_NO_INDEX": "1",
        "PIPX_HOME": str(WORK / "pipx"),
        "PRE_COMMIT_HOME": str(WORK / "pre-commit"),
        "UV_CACHE_DIR": str(WORK / "uv"),
        "UV_FIND_LINKS": str(WHEELHOUSE),
        "UV_NO_CONFIG": "1",
        "UV_NO_INDEX": "1",
        "UV_PYTHON": sys.executable,
        "UV_PYTHON_DOWNLOADS": "never",
    }
    return {**kept, **own, **more}


def run(command, exits=0, **options):
    """Runs a command, expects its exit code, and returns what it printed."""
    options.setdefault("env", environment())
    options.setdefault("timeout", 1200)
    ran = subprocess.run(
        [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )
    if exits is not None and ran.returncode != exits:
        raise Wrong(f"exit code {ran.returncode}, not {exits}: {' '.join(map(str, command))}\n{ran.stdout}")
    return ran.stdout


def bash(script, exits=0, **options):
    """Runs lines as a person would paste them, and stops at the first that fails."""
    return run(["bash", "--noprofile", "--norc", "-euo", "pipefail", "-c", script], exits, **options)


def registry(*arguments, python=sys.executable):
    """Runs pip with the developer's own configuration, which knows how to reach PyPI; what it cannot get is no mistake of ours."""
    command = [str(python), "-m", "pip", *arguments]
    try:
        ran = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900)
    except subprocess.TimeoutExpired:
        raise Skip("PyPI takes too long") from None
    if ran.returncode:
        raise Skip(f"pip {' '.join(arguments)}: {ran.stdout.strip().splitlines()[-1:]}")


def environment_with(name, *packages, python=sys.executable):
    """A fresh virtual environment with packages from PyPI; returns its folder of scripts."""
    folder = WORK / name
    run([python, "-m", "venv", folder], exits=None)
    if not (folder / "bin" / "pip").exists():
        raise Skip(f"{python} cannot make virtual environments with pip in them")
    scripts = folder / "bin"
    if packages:
        registry("install", "--quiet", *packages, python=scripts / "python")
    return scripts


def tool(*names):
    """The folder of scripts of an environment with these tools, made once."""
    folder = "tools-" + "-".join(names)
    scripts = WORK / folder / "bin"
    if (WORK / folder / "complete").exists():
        return scripts
    environment_with(folder, *(f"{name}=={TOOLS[name]}" for name in names))
    (WORK / folder / "complete").touch()
    return scripts


def stock(*packages):
    """Puts packages of PyPI, with what they need, where gilaudit's wheel is."""
    registry("download", "--quiet", "--only-binary", ":all:", "--dest", str(WHEELHOUSE), *packages)


def recipes():
    """The blocks of docs/recipes.md by section: the language and the text of each."""
    text = (ROOT / "docs" / "recipes.md").read_text()
    sections = {}
    for part in text.split("\n## ")[1:]:
        title, body = part.split("\n", 1)
        sections[title] = re.findall(r"^```(\w+)\n(.*?)^```$", body, re.MULTILINE | re.DOTALL)
    return sections


USED = set()


def block(section, number=0):
    """The text of a block of docs/recipes.md, which counts as tried from now on."""
    USED.add((section, number))
    return recipes()[section][number][1]


def unused():
    return sorted({(section, number) for section, found in recipes().items() for number in range(len(found))} - USED)
