"""One batch of wheels, on a worker: fetch, run the gilaudit command, turn its records into rows. Never raises for a wheel's sake."""

import contextlib
import hashlib
import json
import os
import subprocess
import tempfile
import time

import fsspec

from . import plan

OUTCOMES = ("runs-free", "enables-gil", "runs-free-forced", "runs-with-gil", "cannot-import", "undetermined")
DECLARATIONS = ("not-used", "used", "undeclared", "unknown")


class Unread(Exception):
    """A wheel that was not audited: `status` is the word for the table."""

    def __init__(self, status, why):
        super().__init__(why)
        self.status = status


def batch(items, options):
    """Rows of the four tables for `items` of the work list. `options` is what ``run`` was told (see ``driver.options``)."""
    rows = {"files": [], "modules": [], "findings": [], "problems": []}
    for item in items:
        for table, more in one(item, options).items():
            rows[table] += more
    return rows


def one(item, options):
    """Rows of the four tables for one wheel; exactly one row in `files`, whatever happens."""
    begun = time.monotonic()
    base = {key: item[key] for key in ("item", "wheel", "python")}
    try:
        if item["url"] is None:
            status, _, why = item["error"].partition(": ")
            raise Unread(status, why)
        with _fetched(item, options) as (path, size, sha256):
            records = _run(path, item["python"], options)
        rows = _rows(base, records)
        rows["files"][0] |= {"url": item["url"], "sha256": sha256, "claimed_sha256": item["sha256"], "size": size}
    except Unread as unread:
        rows = unanswered(item, unread.status, str(unread))
    except plan.Refused:
        raise
    # A fault of ours that one wheel of a hundred thousand brings out is a row like any other.
    except Exception as error:  # noqa: BLE001
        rows = unanswered(item, "failed", f"{type(error).__name__}: {error}")
    rows["files"][0]["seconds"] = round(time.monotonic() - begun, 4)
    return rows


def unanswered(item, status, why):
    """The rows of a wheel of which nothing is known, for the reason `why`."""
    base = {key: item[key] for key in ("item", "wheel", "python")}
    row = _file(base) | {"status": status, "error": why, "url": item["url"], "claimed_sha256": item["sha256"], "size": item["size"], "seconds": None}
    return {"files": [row], "modules": [], "findings": [], "problems": []}


@contextlib.contextmanager
def _fetched(item, options):
    url = item["url"]
    if "://" not in url:
        try:
            size = os.path.getsize(url)
        except OSError as error:
            raise Unread("not-there", str(error)) from error
        if size > options["max_bytes"]:
            raise Unread("too-large", f"{size} bytes, --max-bytes is {options['max_bytes']}")
        # The name of a wheel is part of what is audited, so it is not copied; nobody claims a hash for a local file, so none is taken.
        yield url, size, _sha256(url) if item["sha256"] else None
        return
    with tempfile.TemporaryDirectory(prefix="gilaudit-sweep-") as folder:
        path = os.path.join(folder, item["wheel"])
        size, digest = _download(url, path, options)
        if item["sha256"] and digest != item["sha256"]:
            raise Unread("wrong-hash", f"the index says {item['sha256']}, what came has {digest}")
        yield path, size, digest


def _download(url, path, options):
    digest, size = hashlib.sha256(), 0
    try:
        with _reader(url, options) as source, open(path, "wb") as target:
            while chunk := source.read(1 << 20):
                size += len(chunk)
                if size > options["max_bytes"]:
                    raise Unread("too-large", f"more than {options['max_bytes']} bytes, see --max-bytes")
                digest.update(chunk)
                target.write(chunk)
    except Unread:
        raise
    # fsspec's file systems raise errors of their libraries' own kinds: none of them may end the batch.
    except Exception as error:  # noqa: BLE001
        raise Unread("not-fetched", f"{type(error).__name__}: {error}") from error
    return size, digest.hexdigest()


@contextlib.contextmanager
def _reader(url, options):
    if url.startswith(("http://", "https://")):
        import urllib3

        # dask[distributed] brings urllib3; fsspec's own HTTP wants aiohttp.
        retries = urllib3.Retry(4, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504))
        pool = urllib3.PoolManager(retries=retries, timeout=urllib3.Timeout(60), ca_certs=os.environ.get("SSL_CERT_FILE") or options.get("cert"))
        with pool.request("GET", url, preload_content=False) as response:
            if response.status != 200:
                raise Unread("not-fetched", f"status {response.status}")
            yield response
        return
    with fsspec.open(url, "rb", **options.get("storage_options", {})) as file:
        yield file


def _run(path, python, options):
    argv = [_command(options), "check", path, "--python", python, "--format", "jsonl", "--jobs", "1", "--no-progress", *options["extra"]]
    try:
        ended = subprocess.run(argv, capture_output=True, timeout=options["timeout"], check=False)
    except subprocess.TimeoutExpired as error:
        raise Unread("timed-out", f"took more than {options['timeout']} s") from error
    except OSError as error:
        raise Unread("not-run", str(error)) from error
    if ended.returncode not in (0, 1, 2, 3):
        raise Unread("crashed", f"status {ended.returncode}: {ended.stderr.decode(errors='replace')[-300:].strip()}")
    try:
        records = [json.loads(line) for line in ended.stdout.splitlines()]
    except ValueError as error:
        raise Unread("crashed", f"what it printed is not JSON: {error}") from error
    if not records or records[-1].get("record") != "summary":
        raise Unread("crashed", f"no summary, status {ended.returncode}: {ended.stderr.decode(errors='replace')[-300:].strip()}")
    return records


def _command(options):
    """The command on this worker, of the version that the run was begun with."""
    # Asked once for each run, not for each wheel; another run's version may be another.
    key = (options["gilaudit"], options["version"])
    if key not in _COMMANDS:
        path, version = plan.command(options["gilaudit"])
        if version != options["version"]:
            raise plan.Refused(f"this worker has gilaudit {version}, the run was begun with {options['version']}")
        _COMMANDS[key] = path
    return _COMMANDS[key]


_COMMANDS = {}


def _file(base):
    empty = {name.replace("-", "_"): 0 for name in DECLARATIONS + OUTCOMES}
    counts = dict.fromkeys(("extensions", "libraries", "errors", "warnings", "notes", "problems", "contradicted"), 0)
    return base | {"distribution": None, "version": None, "status": None, "error": None, "gil": None} | empty | counts


def _rows(base, records):
    file = _file(base)
    rows = {"files": [file], "modules": [], "findings": [], "problems": []}
    for record in records:
        kind = record["record"]
        if kind == "report":
            file["gil"] = record["verdict"]["gil"]
            file["contradicted"] = record["verdict"]["contradicted"]
        elif kind == "extension":
            rows["modules"].append(base | _module(record))
        elif kind == "finding":
            rows["findings"].append(base | {
                **{key: record[key] for key in ("rule", "severity", "confidence", "message", "help", "module", "function", "line", "place", "fingerprint")},
                "member": "!".join(record["origin"][1:]), "suppressed": record["suppressed"],
            })
        elif kind == "problem":
            rows["problems"].append(base | {"member": "!".join(record["origin"][1:]), **{key: record[key] for key in ("stage", "error", "unread")}})
        elif kind == "summary":
            file |= {name.replace("-", "_"): record["declarations"][name] for name in DECLARATIONS}
            file |= {name.replace("-", "_"): record["outcomes"][name] for name in OUTCOMES}
            file |= {"extensions": record["extensions"], "libraries": record["libraries"], "problems": record["problems"]}
            file |= {f"{level}s": record["findings"][level] for level in ("error", "warning", "note")}
            rows["files"][0] = file
    named = next((module for module in rows["modules"] if module["distribution"]), None)
    file["distribution"], file["version"] = (named["distribution"], named["version"]) if named else _from_name(base["wheel"])
    unread = [problem for problem in rows["problems"] if problem["unread"]]
    # What was not read leaves the answer open, however good the rest looks.
    file["status"] = "unread" if unread and not rows["modules"] else "partly-read" if unread else "read"
    file["error"] = unread[0]["error"] if unread else None
    return rows


def _module(record):
    declaration, decision = record["declaration"], record["decision"]
    return {
        "module": record["module"], "member": "!".join(record["origin"][1:]), "member_sha256": record["sha256"],
        "distribution": (record["distribution"] or {}).get("name"), "version": (record["distribution"] or {}).get("version"),
        "format": record["format"], "arch": record["arch"], "abi": record["abi"]["tag"], "built_for": record["abi"]["built_for"],
        "init": record["init"], "framework": (record["framework"] or {}).get("name"), "framework_version": (record["framework"] or {}).get("version"),
        "declaration": declaration["status"], "mechanism": declaration["mechanism"], "reason": declaration["reason"],
        "reason_code": declaration.get("reason_code"), "declared_by_tool": declaration["declared_by_tool"],
        "contradicted": bool(declaration["contradicted_by"]), "evidence": "; ".join(e["what"] for e in declaration["evidence"]),
        "outcome": decision["outcome"], "action": decision["action"], "warning": decision["warning"],
    }


def _from_name(wheel):
    parts = wheel.removesuffix(".whl").split("-")
    return (parts[0], parts[1]) if wheel.endswith(".whl") and len(parts) >= 5 else (wheel.split(" ")[0], None)


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
