"""What an index has: names, releases, and the wheel of a release that a given interpreter would install."""

import concurrent.futures
import os
import subprocess
import sys
import threading

import requests
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version
from pypi_simple import NoSuchProjectError, PyPISimple, UnsupportedRepoVersionError

from .plan import Refused

# How many pages of the index are asked for at a time.
THREADS = 8


def configured():
    """The index of the user's configuration: UV_INDEX_URL, then what pip is told, then PyPI."""
    if os.environ.get("UV_INDEX_URL"):
        return os.environ["UV_INDEX_URL"]
    for key in (":env:.index-url", "download.index-url", "install.index-url", "global.index-url"):
        said = subprocess.run([sys.executable, "-m", "pip", "config", "get", key], capture_output=True, text=True, check=False)
        if said.returncode == 0 and said.stdout.strip():
            return said.stdout.strip()
    return "https://pypi.org/simple/"


def requirements(path):
    """The requirements of a file with one on each line: bare names, specifiers and `-r`-free requirement files. Raises Refused with the line."""
    found = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            text = line.split(" #")[0].split(" --hash")[0].strip().rstrip("\\").strip()
            if not text or text.startswith(("#", "--hash")):
                continue
            try:
                found.append(Requirement(text))
            except InvalidRequirement as error:
                raise Refused(f"{path}:{number}: {error}") from error
    return found


def names(url):
    """Every name that the index has."""
    try:
        with PyPISimple(url) as client:
            return [Requirement(name) for name in client.get_index_page(timeout=300).projects]
    except (requests.RequestException, UnsupportedRepoVersionError) as error:
        raise Refused(f"{url}: {error}") from error


def resolve(wanted, url, python, platform, pre=False):
    """For each requirement the wheel of its newest release that fits, as rows of the work list; a row with an `error` where there is none."""
    local = threading.local()

    def one(requirement):
        if not hasattr(local, "client"):
            local.client = PyPISimple(url)
        try:
            page = local.client.get_project_page(requirement.name, timeout=60)
        except (requests.RequestException, NoSuchProjectError, UnsupportedRepoVersionError) as error:
            return _nothing(requirement.name, python, f"no-listing: {error}")
        return _newest(requirement, page.packages, python, platform, pre)

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(one, wanted))


def _newest(requirement, packages, python, platform, pre):
    releases = {}
    for package in packages:
        try:
            version = Version(package.version or "")
        except InvalidVersion:
            continue
        if not package.is_yanked and requirement.specifier.contains(version, prereleases=pre or None):
            releases.setdefault(version, []).append(package)
    stable = [version for version in releases if pre or not version.is_prerelease]
    if not releases:
        return _nothing(requirement.name, python, "no-release: the index has none that fits")
    # Only pre-releases: pip would take one, too.
    version = max(stable or releases)
    ranked = sorted(((rank, package.filename, package) for package in releases[version] if (rank := fits(package.filename, python, platform)) is not None), key=lambda it: it[:2])
    if not ranked:
        return _nothing(f"{requirement.name} {version}", python, f"no-wheel: release {version} has none for {python} on {platform}")
    package = ranked[0][2]
    return {
        "wheel": package.filename, "url": package.url, "sha256": (package.digests or {}).get("sha256"),
        "size": package.size, "python": python, "error": None,
    }


def _nothing(name, python, error):
    return {"wheel": name, "url": None, "sha256": None, "size": None, "python": python, "error": error}


def fits(filename, python, platform):
    """How well a wheel fits an interpreter, 0 best; None when its installer would not take it.

    `python` is as in ``gilaudit check --python``, `platform` as in ``linux-x86_64``, ``linux-aarch64``, ``macos-arm64``, ``windows-amd64``.
    The minimum versions of glibc and macOS in the tags are not looked at.
    """
    try:
        tags = parse_wheel_filename(filename)[3]
    except InvalidWheelFilename:
        return None
    version = python.rstrip("t").replace(".", "")
    free = python.endswith("t")
    system, arch = platform.split("-")
    abis = [f"cp{version}{'t' if free else ''}", "abi3t" if free else "abi3", "none"]
    best = None
    for tag in tags:
        if tag.abi not in abis or not _runs(tag, version, free):
            continue
        if tag.platform == "any":
            rank = 30
        elif system == "linux" and tag.platform.endswith(arch) and tag.platform.startswith(("manylinux", "linux")):
            rank = 0
        elif system == "linux" and tag.platform.endswith(arch) and tag.platform.startswith("musllinux"):
            # For another libc: better than nothing for who asks what a release declares.
            rank = 5
        elif system == "macos" and tag.platform.startswith("macosx") and tag.platform.endswith((arch, "universal2")):
            rank = 0 if tag.platform.endswith(arch) else 1
        elif system == "windows" and tag.platform == f"win_{arch}":
            rank = 0
        else:
            continue
        rank += 10 * abis.index(tag.abi)
        best = rank if best is None else min(best, rank)
    return best


def _runs(tag, version, free):
    # PEP 425, and PEP 803 for abi3t: a tag of the stable ABI is for its version and all after it.
    if tag.interpreter.startswith("py"):
        return tag.abi == "none" and (tag.interpreter in (f"py{version}", "py3") or _older(tag.interpreter[2:], version))
    if not tag.interpreter.startswith("cp"):
        return False
    number = tag.interpreter[2:]
    if tag.abi in ("abi3", "abi3t"):
        return number == version or _older(number, version)
    return number == version


def _older(number, version):
    return number[:1] == version[:1] and number[1:].isdigit() and int(number[1:]) <= int(version[1:])
