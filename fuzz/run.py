#!/usr/bin/env python3
"""Runs fuzz targets one after the other and says what came of it: `python3 fuzz/run.py [--seconds 60] [--corpus FOLDER] [TARGET ...]`.

Needs cargo-fuzz and a nightly compiler. A target that has no corpus yet gets its seeds. Afterwards there is a table: executions, processor
time, coverage (edges and features, as libFuzzer counts them), and the inputs that ended a run, which are also the reason for exit code 1.
A run that such an input ended is begun again, so that one mistake does not use up the time of a target; ten end it.
"""

import argparse
import pathlib
import re
import resource
import subprocess
import sys
import time

import seeds

HERE = pathlib.Path(__file__).resolve().parent
#: The largest file of a Mach-O seed is about this long; more only makes every run slower.
LONGEST = 100_000
#: libFuzzer's own memory and the corpus come on top of what an input takes, which the targets bound themselves.
MEMORY_MB = 1500
MOST_FAILURES = 10
#: Seconds by the clock, for what does not end at all: how much processor time an input may take is bounded by the targets, since a busy
#: machine can keep any input waiting.
ENDLESS = 600


def build(options):
    """The folder with a program for every target."""
    if options.built:
        return pathlib.Path(options.built)
    # Nothing of ours is unsafe, so that a sanitizer would only make it slower; -a: overflow and debug assertions are checked.
    command = ["cargo", "+nightly", "fuzz", "build", "--sanitizer=none", "--release", "--debug-assertions"]
    command += ["--codegen-units=8", "--target-dir", str(HERE / "target")]
    subprocess.run(command, cwd=HERE.parent, check=True)
    host = re.search(r"host: (\S+)", subprocess.run(["rustc", "-vV"], stdout=subprocess.PIPE, text=True, check=True).stdout)
    return HERE / "target" / host[1] / "release"


class Result:
    def __init__(self):
        self.executions = self.edges = self.features = 0
        self.failures = []

    def take(self, output):
        runs = re.findall(r"stat::number_of_executed_units: (\d+)", output)
        self.executions += int(runs[-1]) if runs else 0
        for edges, features in re.findall(r"cov: (\d+) ft: (\d+)", output):
            self.edges, self.features = max(self.edges, int(edges)), max(self.features, int(features))
        found = re.findall(r"Test unit written to (\S+)", output)
        self.failures += found
        return bool(found)


def run(program, corpus, artifacts, seconds):
    result = Result()
    ends = time.monotonic() + seconds
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    while (left := ends - time.monotonic()) > 1 and len(result.failures) < MOST_FAILURES:
        command = [program, corpus, f"-max_total_time={int(left)}", f"-max_len={LONGEST}", f"-rss_limit_mb={MEMORY_MB}"]
        command += [f"-timeout={ENDLESS}", f"-report_slow_units={ENDLESS}", "-print_final_stats=1", "-close_fd_mask=1"]
        command += [f"-artifact_prefix={artifacts}/"]
        ran = subprocess.run(list(map(str, command)), stderr=subprocess.PIPE, text=True, errors="replace")
        (artifacts / "last.log").write_text(ran.stderr)
        if not result.take(ran.stderr):
            if ran.returncode != 0:
                result.failures.append(f"exit code {ran.returncode}: {ran.stderr[-500:]}")
            break
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    result.processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--corpus", type=pathlib.Path, default=HERE / "corpus")
    parser.add_argument("--artifacts", type=pathlib.Path, default=HERE / "artifacts", help="where inputs that fail are put")
    parser.add_argument("--built", help="a folder with the targets, built before")
    parser.add_argument("targets", nargs="*", default=list(seeds.SEEDS), metavar="TARGET")
    options = parser.parse_args()
    programs = build(options)
    failed = False
    print("target\texecutions\tprocessor seconds\tedges\tfeatures\tinputs that failed", flush=True)
    for target in options.targets:
        corpus, artifacts = options.corpus / target, options.artifacts / target
        artifacts.mkdir(parents=True, exist_ok=True)
        if not corpus.is_dir() or not any(corpus.iterdir()):
            seeds.write(options.corpus, target)
        result = run(programs / target, corpus, artifacts, options.seconds)
        fields = [target, result.executions, round(result.processor), result.edges, result.features, len(result.failures)]
        print(*fields, *result.failures, sep="\t", flush=True)
        failed |= bool(result.failures) or result.executions == 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
