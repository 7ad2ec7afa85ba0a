"""Runs the steps of action.yml as GitHub does: expressions become variables of the environment, scripts go to bash."""

import functools
import json
import re
import subprocess

from workplace import ROOT, WORK, environment, expect, run, tool


def yaml(text):
    """YAML as Python's objects, by a tool that reads it."""
    script = "import json, sys, yaml; json.dump(yaml.safe_load(sys.argv[1]), sys.stdout)"
    return json.loads(run([tool("PyYAML") / "python", "-c", script, text]))


@functools.cache
def definition():
    return yaml((ROOT / "action.yml").read_text())


class Ran:
    """What a run of the action gave."""

    def __init__(self):
        self.code, self.log, self.summary, self.uploads = 0, "", "", []
        self.outputs, self.installed = {}, {}


def act(inputs, cwd, before=None):
    """Runs the action with these inputs in a folder; what a run before has installed is not installed again."""
    action, ran = definition(), Ran()
    if before:
        ran.installed = before.installed
    unknown = set(inputs) - set(action["inputs"])
    expect(not unknown, f"action.yml has no input {unknown}")
    values = {f"inputs.{name}": inputs.get(name, about["default"]) for name, about in action["inputs"].items()}

    def evaluate(text):
        # What no step has set is empty.
        return re.sub(r"\$\{\{ *([\w.-]+) *\}\}", lambda found: values.get(found.group(1), ""), text)

    values.update(ran.installed)
    for step in action["runs"]["steps"]:
        if "uses" in step:
            # Only the upload is another's action; its condition is that there is a file.
            expect("steps.check.outputs.sarif != ''" in step["if"], step["if"])
            if values.get("steps.check.outputs.sarif"):
                ran.uploads.append({name: evaluate(value) for name, value in step["with"].items()})
            continue
        expect("${{" not in step["run"], f"an expression is in the script of {step['name']!r}")
        if ran.code or step["id"] == "install" and ran.installed:
            continue
        out, summary = WORK / "github-output", WORK / "github-summary"
        out.write_text(""), summary.write_text("")
        variables = {name: evaluate(value) for name, value in step["env"].items()}
        variables.update(GITHUB_OUTPUT=str(out), GITHUB_STEP_SUMMARY=str(summary), RUNNER_TEMP=str(WORK / "runner"))
        shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        done = subprocess.run(
            shell, cwd=cwd, env=environment(**variables), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        ran.code, ran.log, ran.summary = done.returncode, ran.log + done.stdout, ran.summary + summary.read_text()
        for line in out.read_text().splitlines():
            name, value = line.split("=", 1)
            values[f"steps.{step['id']}.outputs.{name}"] = value
        if step["id"] == "install":
            ran.installed = {name: value for name, value in values.items() if name.startswith("steps.install.")}
    ran.outputs = {name: evaluate(about["value"]) for name, about in action["outputs"].items()}
    return ran
