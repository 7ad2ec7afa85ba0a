"""``python -m gilaudit.sweep``: arguments, messages and exit codes."""

import argparse
import pathlib
import sys

try:
    from . import driver, index, plan, summary, tables
except ImportError as missing:
    sys.exit(f"gilaudit.sweep needs more than gilaudit does ({missing.name}): pip install 'gilaudit[sweep]'")

# Bytes of the largest wheel that is fetched; the index has larger ones, and a worker has one on disk at a time.
MAX_BYTES = 4 << 30


def main(argv=None):
    """Exit status: 0 everything was audited, 1 some wheels were not read (they have a row that says why), 2 the run was refused."""
    options = _arguments().parse_args(argv)
    try:
        return options.command(options)
    except plan.Refused as refused:
        print(f"gilaudit.sweep: {refused}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"gilaudit.sweep: stopped; `run --out {options.out}` goes on", file=sys.stderr)
        return 130


def _arguments():
    parser = argparse.ArgumentParser(prog="python -m gilaudit.sweep", description="Audits many wheels on a Dask cluster and writes Parquet tables.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="audit, or go on with an audit", description="Audits wheels; with only --out goes on with a run that was stopped.")
    run.set_defaults(command=_run)
    what = run.add_argument_group("what is audited")
    what.add_argument("places", nargs="*", metavar="WHEEL|FOLDER|URL", help="wheels, or what has wheels below it; anything fsspec reads (s3://, gs://, sftp://, ...)")
    what.add_argument("--names", action="append", default=[], metavar="FILE", help="names or requirements, one a line, of which an index has wheels")
    what.add_argument("--all-names", action="store_true", help="every name that the index has")
    what.add_argument("--latest", action="store_true", help="the newest release of each name: what is done anyway, for who wants to say so")
    what.add_argument("--pre", action="store_true", help="pre-releases, too")
    what.add_argument("--index-url", metavar="URL", help="default: as uv or pip are configured")
    what.add_argument("--python", action="append", metavar="3.14t", help="target, more than one are audited one after another (default 3.14t)")
    what.add_argument("--platform", default="linux-x86_64", help="of wheels chosen by name: linux-x86_64, linux-aarch64, macos-arm64, macos-x86_64, windows-amd64")
    how = run.add_argument_group("how")
    how.add_argument("--out", required=True, metavar="FOLDER", help="where the tables go")
    how.add_argument("--scheduler", metavar="ADDRESS", help="a Dask scheduler; default: a cluster on this machine, bound to 127.0.0.1")
    how.add_argument("--workers", type=int, default=2, help="worker processes without --scheduler (default 2)")
    how.add_argument("--dashboard", type=int, metavar="PORT", help="Dask's dashboard on 127.0.0.1:PORT (needs bokeh)")
    how.add_argument("--batch", type=int, default=16, metavar="N", help="wheels handed out at a time (default 16)")
    how.add_argument("--timeout", type=float, default=300, metavar="SECONDS", help="for one wheel (default 300)")
    how.add_argument("--max-bytes", type=int, default=MAX_BYTES, metavar="N", help="of one wheel (default 4 GiB)")
    how.add_argument("--commit-seconds", type=float, default=10, metavar="SECONDS", help="how much work a killed run may lose (default 10)")
    how.add_argument("--policy", metavar="NAME", help="as of gilaudit check")
    how.add_argument("--gilaudit", metavar="PATH", help="the command, at this path on every worker (default: this package's)")
    how.add_argument("--quiet", action="store_true", help="no progress bar")

    for name, command, text in (("status", _status, "what a run has answered so far"), ("compact", _compact, "few large parts instead of many small ones")):
        other = commands.add_parser(name, help=text)
        other.set_defaults(command=command)
        other.add_argument("--out", required=True, metavar="FOLDER")
    return parser


def _run(options):
    gilaudit, version = plan.command(options.gilaudit)
    pythons = options.python or ["3.14t"]
    given = bool(options.places or options.names or options.all_names)
    asked = {
        "places": options.places, "names": options.names, "all_names": options.all_names, "pre": options.pre, "python": pythons,
        "platform": options.platform, "index": _index(options) if options.names or options.all_names else None, "policy": options.policy,
    }
    frozen = plan.thaw(options.out)
    if frozen:
        run, items = frozen
        plan.resumable(run, asked if given else None, version)
    elif given:
        run, items = plan.freeze(options.out, asked, _rows(options, asked), version)
    else:
        raise plan.Refused(f"{options.out}: no run is there to go on with, and nothing was named to begin one")
    policy = run["asked"]["policy"]
    # Where the command is on the workers: the same path, or that of their own gilaudit package (audit.py asks when it is null).
    settings = {
        "gilaudit": gilaudit if options.gilaudit or not options.scheduler else None, "version": version, "timeout": options.timeout,
        "max_bytes": options.max_bytes, "extra": ["--policy", policy] if policy else [],
    }
    store = tables.Tables(options.out)
    try:
        with driver.client(options.scheduler, options.workers, options.dashboard) as dask:
            driver.run(dask, store, items, settings, options.batch, options.commit_seconds, progress=not options.quiet)
    finally:
        store.close()
    return _report(options.out, len(items))


def _index(options):
    return options.index_url or index.configured()


def _rows(options, asked):
    local = [wheel for place in options.places for wheel in plan.wheels_of(place)]
    wanted = [requirement for path in options.names for requirement in index.requirements(path)]
    if options.all_names:
        wanted += index.names(asked["index"])
    rows = []
    for python in asked["python"]:
        rows += [{"wheel": name, "url": url, "size": size, "sha256": None, "python": python, "error": None} for name, url, size in local]
        rows += index.resolve(wanted, asked["index"], python, options.platform, options.pre) if wanted else []
    # The same wheel by two ways is one item.
    return list({(row["url"] or row["wheel"], row["python"]): row for row in rows}.values())


def _report(out, items):
    numbers = summary.numbers(out, items)
    print(summary.text(numbers))
    page = pathlib.Path(out) / "summary.html"
    page.write_text(summary.html(numbers), encoding="utf-8")
    print(f"{page} has it as a page; files/, modules/, findings/ and problems/ are the tables")
    return 1 if numbers["unread"] else 0


def _status(options):
    frozen = plan.thaw(options.out)
    if not frozen:
        raise plan.Refused(f"{options.out}: no run is there")
    print(summary.text(summary.numbers(options.out, len(frozen[1]))))
    return 0


def _compact(options):
    store = tables.Tables(options.out)
    try:
        store.compact()
    finally:
        store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
