#!/usr/bin/env python3
"""Goes every way in that docs/recipes.md describes, with the lines that are written there.

usage: run.py [--wheel FILE] [--free-threaded EXE] [WAY...]

Builds the wheel with maturin (or takes FILE), then installs it and runs it as users do, in a temporary folder: by pip, uv and pipx, as a
pre-commit hook, a GitHub Action, a job of GitLab, cibuildwheel's audit, a test, and from a distribution's package. The tools come from
PyPI in pinned versions; a way whose tool cannot be had is skipped, loudly. EXE is a free-threaded Python 3.14, by default the python3.14t
on PATH; without one the wheels that are audited are packed from fixtures, and the recipe for pytest has nothing to test.

Exit status: 0 all as it should be, 1 something is not.
"""

import argparse
import json
import os
import re
import shutil
import sys
import time
import traceback
import zipfile
from xml.etree import ElementTree

import sample
from action import act, definition, yaml
from workplace import (
    ROOT, TOOLS, VERSION, WHEELHOUSE, WORK, Skip, Wrong, bash, block, environment, environment_with, expect, run, stock, tool, unused,
)

WAYS = []


def way(function):
    WAYS.append(function)
    return function


def installed(name, python=sys.executable, *packages):
    """A clean environment with gilaudit in it, by the line of the documentation."""
    scripts = environment_with(name, *packages, python=python)
    bash(block("Install").splitlines()[0], env=environment(scripts))
    return scripts


@way
def wheel(given):
    """a wheel is built, and is complete"""
    if given:
        shutil.copy(given, WHEELHOUSE)
    else:
        # As the tests are built, which have just been run: the wheel of a release differs in how it is optimised.
        maturin = tool("maturin") / "maturin"
        run([maturin, "build", "--quiet", "--locked", "--profile", "dev", "--compatibility", "linux", "--out", WHEELHOUSE], cwd=ROOT)
    (built,) = WHEELHOUSE.glob("gilaudit-*.whl")
    expect(built.name.startswith(f"gilaudit-{VERSION}-py3-none-"), built.name)
    with zipfile.ZipFile(built) as members:
        names = {name.replace(f"gilaudit-{VERSION}.", "") for name in members.namelist()}
        metadata = members.read(f"gilaudit-{VERSION}.dist-info/METADATA").decode()
    for name in ("data/scripts/gilaudit", "dist-info/licenses/LICENSE-MIT", "dist-info/licenses/LICENSE-APACHE", "gilaudit/__main__.py"):
        expect(name in names, f"the wheel has no {name}: {sorted(names)}")
    for field in ("Summary", "License-Expression", "Requires-Python", "Classifier", "Description-Content-Type"):
        expect(f"\n{field}: " in metadata, f"the wheel does not say {field}")


@way
def pip(_):
    """pip install; gilaudit and python -m gilaudit are the same"""
    scripts = installed("pip")
    project = WORK / "pip-project"
    sample.project(project, sample.RACY)
    env = environment(scripts)
    for line in block("Install").splitlines()[1:]:
        expect(sample.RULE in bash(line, exits=1, cwd=project, env=env), line)
    # A python that has another environment's command on PATH still runs its own.
    (WORK / "other").mkdir()
    (WORK / "other" / "gilaudit").write_text("#!/bin/sh\necho another\n")
    (WORK / "other" / "gilaudit").chmod(0o755)
    said = run([scripts / "python", "-m", "gilaudit", "--version"], env=environment(WORK / "other"))
    expect(said == f"gilaudit {VERSION}\n", said)
    # Where the installer's record is of no use.
    target = WORK / "target"
    run([scripts / "python", "-m", "pip", "install", "--quiet", "--target", target, "gilaudit"], env=environment())
    run([scripts / "python", "-m", "pip", "uninstall", "--quiet", "--yes", "gilaudit"], env=environment())
    said = run([scripts / "python", "-c", "import gilaudit; print(gilaudit.find_bin())"], env=environment(PYTHONPATH=str(target)))
    expect(said.strip() == str(target / "bin" / "gilaudit"), said)
    shutil.rmtree(target / "bin")
    said = run([scripts / "python", "-m", "gilaudit"], exits=1, env=environment(PYTHONPATH=str(target)))
    expect("reinstall gilaudit" in said, said)


@way
def uvx(_):
    """uvx gilaudit"""
    without_installing(tool("uv"), 1)


@way
def pipx(_):
    """pipx run gilaudit"""
    without_installing(tool("pipx", "uv"), 2)


def without_installing(scripts, number):
    project = WORK / f"without-installing-{number}"
    sample.project(project, sample.RACY)
    said = bash(block("Install", number), exits=1, cwd=project, env=environment(scripts))
    expect(sample.RULE in said, said)


@way
def pre_commit(_):
    """a pre-commit hook with the wheel from an index"""
    commit_with(block("pre-commit"), "committed", "setuptools")


@way
def pre_commit_source(_):
    """the pre-commit hook of the repository, compiled from its sources"""
    if not (shutil.which("git") and (ROOT / ".git").exists()):
        raise Skip("this is not a clone of the repository, or there is no git")
    # The address of the documentation leads to this repository, as if it were released.
    remote = WORK / "remote.git"
    run(["git", "clone", "--quiet", "--bare", ROOT, remote], env=environment(**trust(ROOT)))
    run(["git", "tag", "--force", f"v{VERSION}"], cwd=remote)
    (address,) = {repo["repo"] for repo in yaml(block("pre-commit", 1))["repos"]}
    tool("maturin")
    env = {
        **trust(remote, (f"url.file://{remote}.insteadOf", address)),
        # Of the same kind as what the tests have compiled; only the crates of the workspace are compiled again.
        "CARGO_TARGET_DIR": str(ROOT / "target"),
        "MATURIN_PEP517_ARGS": "--locked --profile dev",
    }
    commit_with(block("pre-commit", 1), "committed-source", "maturin", **env)


def trust(folder, *settings):
    """Settings for git as variables: a folder that may belong to somebody else, and what is given."""
    pairs = [("safe.directory", str(folder)), *settings]
    named = {"GIT_CONFIG_COUNT": str(len(pairs))}
    for number, (key, value) in enumerate(pairs):
        named.update({f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value})
    return named


def commit_with(config, name, *needs, **more):
    if not shutil.which("git"):
        raise Skip("there is no git")
    scripts = tool("pre-commit")
    stock(*needs)
    project = WORK / name
    file = sample.project(project, sample.RACY)
    (project / ".pre-commit-config.yaml").write_text(config)
    env = environment(scripts, **more)
    run(["git", "init", "--quiet"], cwd=project, env=env)
    run(["git", "add", "."], cwd=project, env=env)
    said = run(["pre-commit", "run"], exits=1, cwd=project, env=env)
    expect(sample.RULE in said, said)
    file.write_text(sample.SOUND)
    run(["git", "add", "."], cwd=project, env=env)
    said = run(["pre-commit", "run"], cwd=project, env=env)
    expect("Passed" in said, said)
    run(["git", "rm", "--quiet", "--cached", "-r", "."], cwd=project, env=env)
    (project / "notes.txt").write_text("not a source")
    run(["git", "add", "notes.txt", ".pre-commit-config.yaml"], cwd=project, env=env)
    said = run(["pre-commit", "run"], cwd=project, env=env)
    expect("no files to check" in said, said)


@way
def configurations(_):
    """what GitHub, GitLab and pre-commit read is valid, and of one version"""
    schemas, hooks = tool("check-jsonschema") / "check-jsonschema", tool("pre-commit") / "pre-commit"
    folder = WORK / "configurations"
    folder.mkdir()
    github = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    for number in range(2):
        github.append(folder / f"github-{number}.yml")
        github[-1].write_text(block("GitHub Actions", number))
        for step in yaml(github[-1].read_text())["jobs"]["gilaudit"]["steps"]:
            if step.get("uses", "").startswith("gilaudit/"):
                expect(step["uses"].endswith(f"@v{VERSION}"), step["uses"])
                expect(set(step["with"]) <= set(definition()["inputs"]), step["with"])
    (folder / ".gitlab-ci.yml").write_text(block("GitLab CI"))
    run([schemas, "--builtin-schema", "vendor.github-workflows", *github])
    run([schemas, "--builtin-schema", "vendor.github-actions", ROOT / "action.yml"])
    run([schemas, "--builtin-schema", "vendor.gitlab-ci", folder / ".gitlab-ci.yml"])
    run([hooks, "validate-manifest", ROOT / ".pre-commit-hooks.yaml"])
    expect(definition()["inputs"]["version"]["default"] == VERSION, "action.yml installs another version than its own")
    for named in re.findall(r"gilaudit==([\d.]+)", (ROOT / "docs" / "recipes.md").read_text()):
        expect(named == VERSION, f"docs/recipes.md names version {named}")
    # The release refuses a tag of another version.
    (check,) = [step for step in yaml(github[1].read_text())["jobs"]["version"]["steps"] if "run" in step]
    bash(check["run"], cwd=ROOT, env=environment(TAG=f"v{VERSION}"))
    bash(check["run"], exits=1, cwd=ROOT, env=environment(TAG="v9.9.9"))


@way
def action(_):
    """the steps of the GitHub Action"""
    project = WORK / "action"
    file = sample.project(project, sample.RACY)
    ran = act({"sarif": "true", "category": "sources"}, project)
    expect(ran.code == 1 and ran.outputs["exit-code"] == "1", ran.log)
    expect(re.search(rf"^::error title=gilaudit {sample.RULE},file=sample/_sample.c,line=\d+", ran.log, re.MULTILINE), ran.log)
    expect(ran.summary.startswith("## ") and sample.RULE in ran.summary, ran.summary)
    expect(ran.uploads == [{"sarif_file": ran.outputs["sarif"], "category": "sources"}], ran.uploads)
    with open(ran.outputs["sarif"]) as text:
        results = json.load(text)["runs"][0]["results"]
    expect(sample.RULE in [result["ruleId"] for result in results], results)

    first = ran
    ran = act({"args": "--select\nsetgil-misuse\n", "paths": "sample\nsetup.py\n"}, project, first)
    expect(ran.code == 0 and not ran.uploads, ran.log)
    (project / "empty").mkdir()
    ran = act({"paths": "empty", "sarif": "true"}, project, first)
    expect(ran.code == 3 and not ran.uploads, ran.log)
    ran = act({"policy": "audidet", "sarif": "true"}, project, first)
    expect(ran.code == 2 and "audited" in ran.log and not ran.uploads, ran.log)
    # Words of an input are words of one argument, never commands or options.
    for name in ("paths", "policy", "python", "fail-on", "args"):
        ran = act({name: 'x$(touch stolen)`touch stolen`; touch stolen; "; touch stolen; \'; touch stolen'}, project, first)
        expect(ran.code == 2 and not (project / "stolen").exists(), f"{name}: {ran.log}")
    expect(act({"paths": "--version"}, project, first).code == 2, "a path is taken for an option")

    file.write_text(sample.SOUND)
    ran = act({"policy": "audited", "fail-on": "warning"}, project, first)
    expect(ran.code == 0 and ran.outputs["exit-code"] == "0", ran.log)


@way
def gitlab(_):
    """the job of GitLab"""
    scripts = environment_with("gitlab")
    project = WORK / "gitlab-project"
    job = yaml(block("GitLab CI"))["gilaudit"]
    script = "\n".join(job["script"])
    file = sample.project(project, sample.RACY)
    said = bash(script, exits=1, cwd=project, env=environment(scripts))
    expect(sample.RULE in said, said)
    cases = ElementTree.parse(project / job["artifacts"]["reports"]["junit"]).getroot()
    expect(cases.findall(".//failure"), "the report of a failed job has no failed test")
    file.write_text(sample.SOUND)
    bash(script, cwd=project, env=environment(scripts))


AUDIT = """
import os, pathlib, sys
from cibuildwheel.audit import run_audit
from cibuildwheel.options import CommandLineArguments, compute_options
options = compute_options("linux", CommandLineArguments.defaults(), os.environ)
run_audit(tmp_dir=pathlib.Path(sys.argv[1]), build_options=options.build_options(sys.argv[2]), wheel=pathlib.Path(sys.argv[3]))
"""


@way
def cibuildwheel(_):
    """cibuildwheel's audit-command on a {wheel}, as cibuildwheel runs it"""
    scripts = tool("cibuildwheel", "uv")
    stock("abi3audit")
    project = WORK / "cibuildwheel"
    project.mkdir()
    (project / "pyproject.toml").write_text(block("cibuildwheel"))
    # Its usual frontend fetches a program from another server than PyPI.
    env = environment(scripts, CIBW_BUILD_FRONTEND="build[uv]")
    declared, undeclared = sample.wheels(FREE_THREADED)
    for audited, build, exits in ((declared, "cp314t", 0), (undeclared, "cp314t", 1), (undeclared, "cp314", 0)):
        command = [scripts / "python", "-c", AUDIT, WORK / f"audit-{build}", f"{build}-manylinux_x86_64", audited]
        said = run(command, exits, cwd=project, env=env)
        expect((f"gilaudit check --no-progress --policy nogil --python 3.14t {audited}" in said) == (build == "cp314t"), said)
        expect("AuditCommandFailedError" in said or exits == 0, said)


@way
def pytest(_):
    """the test for pytest"""
    python = FREE_THREADED or sys.executable
    scripts = installed("pytest", python, f"pytest=={TOOLS['pytest']}")
    tests = WORK / "pytest-tests"
    tests.mkdir()
    (tests / "test_gil.py").write_text(block("pytest"))
    command = [scripts / "python", "-m", "pytest", "-p", "no:cacheprovider", tests]
    if not FREE_THREADED:
        said = run(command)
        expect("1 skipped" in said, said)
        raise Skip("no free-threaded Python to install the package for: the recipe skipped itself")
    declared, undeclared = sample.wheels(FREE_THREADED)
    for package, exits in ((declared, 0), (undeclared, 1)):
        run([scripts / "python", "-m", "pip", "install", "--quiet", "--force-reinstall", package])
        said = run(command, exits)
        expect(("1 passed" if exits == 0 else "sample/_sample") in said, said)


@way
def distribution(_):
    """completions and manual pages for a distribution's package"""
    folder, root = WORK / "distribution", WORK / "root"
    (folder / "target" / "dist").mkdir(parents=True)
    shutil.copy(installed("distribution") / "gilaudit", folder / "target" / "dist")
    bash(block("Packages of a distribution"), cwd=folder, env=environment(DESTDIR=str(root)))
    share = root / "usr" / "share"
    said = bash(f"source {share}/bash-completion/completions/gilaudit; complete -p gilaudit", env=environment())
    expect("_gilaudit" in said, said)
    pages = sorted((share / "man" / "man1").iterdir())
    expect(len(pages) == 10 and all(".TH " in page.read_text() for page in pages), pages)
    for file in ("fish/vendor_completions.d/gilaudit.fish", "zsh/site-functions/_gilaudit"):
        expect("policy" in (share / file).read_text(), file)


@way
def archive(_):
    """the archive of prebuilt binaries holds the wheel's command"""
    (built,) = WHEELHOUSE.glob("gilaudit-*.whl")
    said = run([sys.executable, ROOT / ".ci" / "archive.py", built, WORK / "archives"])
    first = (WORK / "archives" / os.path.basename(said.strip())).read_bytes()
    run([sys.executable, ROOT / ".ci" / "archive.py", built, WORK / "archives"])
    (file,) = (WORK / "archives").iterdir()
    expect(first == file.read_bytes(), "the same wheel gives another archive")
    shutil.unpack_archive(file, WORK / "unpacked")
    (folder,) = (WORK / "unpacked").iterdir()
    said = run([folder / "gilaudit", "--version"])
    expect(said == f"gilaudit {VERSION}\n", said)
    for name in ("README.md", "LICENSE-MIT", "complete/_gilaudit", "man/gilaudit-policy-init.1"):
        expect((folder / name).is_file(), f"the archive has no {name}")


def main():
    global FREE_THREADED
    arguments = argparse.ArgumentParser(description="Goes every way in that docs/recipes.md describes.")
    arguments.add_argument("--wheel", help="a wheel of gilaudit, instead of building it")
    arguments.add_argument("--free-threaded", default=shutil.which("python3.14t"), help="a free-threaded Python 3.14")
    arguments.add_argument("ways", nargs="*", metavar="WAY", help=", ".join(way.__name__ for way in WAYS))
    given = arguments.parse_args()
    unknown = set(given.ways) - {way.__name__ for way in WAYS}
    if unknown:
        arguments.error(f"no such way: {', '.join(sorted(unknown))}")
    FREE_THREADED = given.free_threaded
    counts = {"ok": 0, "WRONG": 0, "SKIPPED": 0}
    for way in WAYS:
        if given.ways and way.__name__ not in given.ways and way is not wheel:
            continue
        begun, why = time.monotonic(), ""
        try:
            way(given.wheel)
            outcome = "ok"
        except Skip as reason:
            outcome, why = "SKIPPED", f"\n{reason}"
        except Wrong as reason:
            outcome, why = "WRONG", f"\n{reason}"
        except Exception:
            outcome, why = "WRONG", f"\n{traceback.format_exc()}"
        counts[outcome] += 1
        print(f"{outcome:8}{way.__name__}: {way.__doc__} ({time.monotonic() - begun:.0f} s){why}", flush=True)
        if way is wheel and outcome != "ok":
            print("without a wheel there is nothing to install")
            break
    if not given.ways and not counts["SKIPPED"] and unused():
        counts["WRONG"] += 1
        print(f"WRONG   nobody tries these blocks of docs/recipes.md: {unused()}")
    print(f"{counts['ok']} passed, {counts['WRONG']} failed, {counts['SKIPPED']} skipped")
    return 1 if counts["WRONG"] else 0


if __name__ == "__main__":
    sys.exit(main())
