//! What an import does to the process: `--import`, `--entry` and `--import-all` on small environments, and the policy commands.

use std::path::Path;

use serde_json::Value;

use crate::common::{check_json, folder, put, root, run};
use crate::decisions::{fixture, fixture_for};

/// Puts a fixture into a package: `pkg/` and `mp_used` give `pkg.mp_used`.
fn extension(site: &Path, package: &str, case: &str) {
    let (name, bytes) = fixture(case);
    put(site, &format!("{package}{name}"), bytes);
}

/// An environment with `app`, `low` (which has a module that turns the GIL on) and `clean`.
fn environment() -> tempfile::TempDir {
    let here = folder();
    let site = here.path().join("site-packages");
    put(&site, "app/__init__.py", "import os\nfrom . import middle\n");
    put(&site, "app/middle.py", "\ntry:\n    from low import fast\nexcept ImportError:\n    fast = None\n");
    put(&site, "low/__init__.py", "");
    put(&site, "low/fast.py", "from low.mp_used import thing\n");
    extension(&site, "low/", "mp_used");
    extension(&site, "clean/", "mp_declared");
    put(&site, "clean/__init__.py", "from .mp_declared import *\ndef later():\n    import low.fast\n");
    put(
        &site,
        "typed.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import low.fast\nimport missing_one\nimport low.fast\n",
    );
    put(&site, "unsure.py", "import random\nif random.random() < 0.5:\n    import low.fast\n");
    put(&site, "app-1.dist-info/METADATA", "Name: app\nVersion: 1\nRequires-Dist: low (>=2)\n");
    put(&site, "app-1.dist-info/RECORD", "app/__init__.py,,\napp/middle.py,,\n");
    put(&site, "low-2.dist-info/METADATA", "Name: low\nVersion: 2\n");
    let (name, _) = fixture("mp_used");
    put(&site, "low-2.dist-info/RECORD", format!("low/__init__.py,,\nlow/fast.py,,\nlow/{name},,\n"));
    here
}

fn imports(here: &Path, words: &str) -> Value {
    check_json(words, &[&here.join("site-packages")]).json()["imports"].clone()
}

#[test]
fn nothing_is_said_of_imports_unless_asked() {
    let here = environment();
    assert_eq!(imports(here.path(), ""), Value::Null);
}

#[test]
fn the_chain_and_who_is_responsible() {
    let here = environment();
    let answer = imports(here.path(), "--import app");
    assert_eq!((answer["gil"].as_str(), answer["first"].as_str()), (Some("on"), Some("low.mp_used")));
    let blocker = &answer["blockers"][0];
    let chain: Vec<String> = blocker["chain"]
        .as_array()
        .unwrap()
        .iter()
        .map(|link| {
            let at = link["at"].as_str().unwrap();
            let at = at.rsplit_once("site-packages/").map_or(at, |(_, at)| at);
            format!("{at} {} {}", link["kind"].as_str().unwrap(), link["module"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        chain,
        [
            "--import app plain app",
            "app/__init__.py:2 plain app.middle",
            "app/middle.py:3 try low.fast",
            "low/fast.py:1 plain low.mp_used",
        ]
    );
    assert_eq!(blocker["when"], "import");
    assert_eq!(blocker["optional"], true);
    assert_eq!(blocker["required_by"], serde_json::json!(["app"]));
    assert_eq!(answer["free"][0]["name"], "low");
    let ways = &blocker["ways_out"];
    assert!(ways["python_gil_0"].as_str().unwrap().contains("low.mp_used"));
    // The exception is a policy as it stands.
    let exception = ways["exception"].as_str().unwrap().replace("TODO: why this may run", "looked at: it may run");
    let policy = format!("extends: nogil\nexceptions:\n{exception}");
    let policy = put(here.path(), "policy.yaml", policy);
    run(["policy", "check", policy.to_str().unwrap()]).exits(0);
    let site = here.path().join("site-packages");
    let report = check_json(&format!("--policy {}", policy.display()), &[&site]).json();
    assert_eq!(report["extensions"][1]["decision"]["action"], "allow");
}

#[test]
fn what_is_not_run_at_import_does_not_count() {
    let here = environment();
    let clean = imports(here.path(), "--import clean");
    assert_eq!((clean["gil"].as_str(), clean["first"].as_str()), (Some("off"), None));
    assert_eq!(clean["blockers"][0]["when"], "later");
    // The import after the one that fails is never reached.
    let typed = imports(here.path(), "--import typed");
    assert_eq!(typed["gil"], "undetermined");
    assert!(typed["failed"][0].to_string().contains("typed.py:4"), "{typed}");
    let unsure = imports(here.path(), "--import unsure");
    assert_eq!((unsure["gil"].as_str(), unsure["blockers"][0]["when"].as_str()), (Some("undetermined"), Some("maybe")));
    // What may have been imported before leaves the first one open, unless it is the same module.
    assert_eq!(imports(here.path(), "--import unsure --import app")["first"], "low.mp_used");
}

#[test]
fn the_setting_of_the_interpreter_comes_first() {
    let here = environment();
    for (words, gil) in [("--gil 0", "off"), ("--gil 1", "on"), ("--python 3.14", "on")] {
        assert_eq!(imports(here.path(), &format!("{words} --import app"))["gil"], gil, "{words}");
    }
}

#[test]
fn scripts_and_startup_lines() {
    let here = environment();
    let script = put(here.path(), "job/run.py", "import helper\nif __name__ == '__main__':\n    import app\n");
    put(here.path(), "job/helper.py", "");
    let answer = imports(here.path(), &format!("--entry {}", script.display()));
    assert_eq!(answer["first"], "low.mp_used");
    assert!(answer["blockers"][0]["chain"][0]["at"].as_str().unwrap().ends_with("job/run.py:3"));
    assert_eq!(imports(here.path(), "--import helper"), imports(here.path(), "--import helper"));
    put(here.path(), "site-packages/x.pth", "import app\n");
    let answer = imports(here.path(), "--import clean");
    assert_eq!(answer["gil"], "on");
    assert_eq!(answer["blockers"][0]["chain"][0]["kind"], "startup");
}

/// What running this script as `job/run.py` does.
fn of_script(here: &Path, options: &str, script: &str) -> Value {
    let path = put(here, "job/run.py", format!("{script}\n"));
    imports(here, &format!("{options} --entry {}", path.display()))
}

/// The state of the GIL, where the chain of the first blocker begins, and when that is imported.
fn first_blocker_is(answer: &Value, script: &str, (gil, at, when): (&str, &str, &str)) {
    assert_eq!(answer["gil"].as_str(), Some(gil), "{script}");
    let blocker = &answer["blockers"][0];
    assert_eq!(blocker["when"].as_str().unwrap_or_default(), when, "{script}");
    assert!(blocker["chain"][0]["at"].as_str().unwrap_or_default().ends_with(at), "{script}\n{blocker}");
}

/// A package that imports its submodule when an attribute is asked for (PEP 562): by a table, by hand, and not at all.
#[test]
fn attributes_that_import() {
    let here = environment();
    let table = "import lazy_loader\n__getattr__, *_ = lazy_loader.attach(__name__, ['deep'], {'deep': ['thing']})\n";
    let loader = "\
import importlib
def attach(package, submodules=None, attributes=None):
    by_attribute = {name: module for module, names in (attributes or {}).items() for name in names}
    def __getattr__(name):
        if name in set(submodules or []):
            return importlib.import_module(f'{package}.{name}')
        if name in by_attribute:
            return getattr(importlib.import_module(f'{package}.{by_attribute[name]}'), name)
        raise AttributeError(name)
    return __getattr__, lambda: [], []
";
    put(here.path(), "site-packages/lazy_loader.py", loader);
    put(here.path(), "site-packages/listed/__init__.py", table);
    put(here.path(), "site-packages/listed/deep.py", "import low.fast\n");
    let by_hand =
        "import importlib\ndef __getattr__(name):\n    return importlib.import_module(f'{__name__}.{name}')\n";
    put(here.path(), "site-packages/byhand/__init__.py", by_hand);
    put(here.path(), "site-packages/byhand/deep.py", "import low.fast\n");
    put(here.path(), "site-packages/never/__init__.py", "");
    put(here.path(), "site-packages/never/deep.py", "import low.fast\n");
    put(here.path(), "site-packages/through.py", "import listed as l\nclass C(l.deep.Base): pass\n");
    for (script, gil, first, at, when) in [
        ("import listed\n\nlisted.deep", "on", Some("low.mp_used"), "run.py:3", "import"),
        ("import listed as l\nx = [l.thing(1)]", "on", Some("low.mp_used"), "run.py:2", "import"),
        ("import through", "on", Some("low.mp_used"), "run.py:1", "import"),
        ("import listed, os\nx = os.name and listed.deep", "on", Some("low.mp_used"), "run.py:2", "import"),
        ("import listed, os\nx = os.getcwd() and listed.deep", "undetermined", None, "run.py:2", "maybe"),
        ("import listed\ndef f():\n    return listed.thing", "off", None, "", ""),
        ("import listed\ndef f():\n    return listed.thing\nf()", "on", Some("low.mp_used"), "run.py:3", "import"),
        ("import listed\ndef f(): return listed.thing\nf()", "on", Some("low.mp_used"), "run.py:2", "import"),
        ("import byhand\nbyhand.deep", "on", Some("low.mp_used"), "run.py:2", "import"),
        ("import listed\nlisted.other", "off", None, "", ""),
        ("import never\nnever.deep", "off", None, "", ""),
    ] {
        let answer = of_script(here.path(), "", script);
        assert_eq!(answer["first"].as_str(), first, "{script}");
        first_blocker_is(&answer, script, (gil, at, when));
    }
}

/// Lazy imports of PEP 810, by the word and by `__lazy_modules__`: the first look at the name imports.
#[test]
fn lazy_imports_of_3_15() {
    let here = environment();
    let (name, bytes) = fixture_for("mp_used", "315t");
    put(here.path(), &format!("site-packages/low/{name}"), bytes);
    put(here.path(), "site-packages/gives.py", "lazy from low import fast\n");
    let own = "__lazy_modules__ = {f\"{__spec__.parent}.inner\"}\nfrom .inner import thing\n";
    put(here.path(), "site-packages/own/__init__.py", own);
    put(here.path(), "site-packages/own/inner.py", "import low.fast\nthing = 1\n");
    for (script, gil, at, when) in [
        ("lazy import low.fast", "off", "run.py:1", "later"),
        ("lazy import low.fast\n\nlow", "on", "run.py:3", "import"),
        ("lazy from low.fast import thing as t\nt()", "on", "run.py:2", "import"),
        ("lazy import low.fast\ndef f(x=low): pass", "on", "run.py:2", "import"),
        ("lazy import low.fast\ndef f(): low", "off", "run.py:1", "later"),
        ("__lazy_modules__ = {'low.fast'}\nimport low.fast", "off", "run.py:2", "later"),
        ("__lazy_modules__ = {'low'}\nimport low.fast", "on", "run.py:2", "import"),
        ("__lazy_modules__ = ['low.fast']\nfrom low.fast import thing\nprint(thing)", "on", "run.py:3", "import"),
        (
            "__lazy_modules__ = ['low.fast']\ntry:\n    import low.fast\nexcept ImportError: pass",
            "on",
            "run.py:3",
            "import",
        ),
        ("import own", "off", "run.py:1", "later"),
        ("import sys\n__lazy_modules__ = sys.argv\nimport low.fast", "undetermined", "run.py:3", "maybe"),
        ("import sys\n__lazy_modules__ = sys.argv\nimport low.fast as fast\nfast", "on", "run.py:4", "import"),
        ("import gives", "off", "run.py:1", "later"),
        ("import gives\ngives.fast", "on", "run.py:2", "import"),
        ("from gives import fast", "on", "run.py:1", "import"),
    ] {
        first_blocker_is(&of_script(here.path(), "--python 3.15t", script), script, (gil, at, when));
    }
    let script = "__lazy_modules__ = {'low.fast'}\nimport low.fast";
    assert_eq!(of_script(here.path(), "--python 3.14t", script)["gil"], "on");
}

/// What a program does that no line says plainly: each kind with what is said of it, and what its open end may reach.
#[test]
fn kinds_of_imports() {
    let here = environment();
    let site = |path: &str, text: &str| {
        put(here.path(), &format!("site-packages/{path}"), text);
    };
    site("plugins/__init__.py", "");
    site("plugins/quick.py", "import low.fast\nclass Plugin: pass\n");
    site("plugins/plain.py", "");
    site("calm/__init__.py", "");
    site("calm/plain.py", "");
    site(
        "app-1.dist-info/entry_points.txt",
        "[app.plugins]\nquick = plugins.quick:Plugin\n[app.calm]\nx = calm.plain\n",
    );
    site(
        "tool.py",
        "def run(f):\n    return f()\ndef keep(f):\n    KEPT.append(f)\nKEPT = []\ndef runall():\n    for f in KEPT: f()\n",
    );
    let named: Vec<String> = (0..70).map(|at| format!("{at}: 'calm.part{at}'")).collect();
    let many = format!("import importlib\nimportlib.import_module({{{}}}[input()])", named.join(", "));
    put(here.path(), "job/other.py", "import low.fast\n");
    put(here.path(), "job/parts/one.py", "import low.fast\n");
    put(here.path(), "vendor/inner.py", "import low.fast\n");
    let (on, off, unless, open) = ("on", "off", "off-unless", "undetermined");
    for (script, gil, reach) in [
        // Names.
        ("from importlib import import_module as im\nim('low.fast')", on, ""),
        ("n = 'fast'\n__import__('low.%s' % n)", on, ""),
        ("import importlib\nfor n in ('json', 'low.fast'): importlib.import_module(n)", on, ""),
        ("import importlib\nD = {'a': 'low.fast'}\ndef f(k): return importlib.import_module(D[k])\nf('a')", on, ""),
        ("import importlib\nimportlib.import_module('.fast', 'low')", on, ""),
        ("import importlib, sys\nimportlib.import_module('plugins.' + sys.argv[0])", unless, "plugins.*"),
        ("import importlib, sys\nimportlib.import_module(f'calm.{sys.argv[0]}')", off, "calm.*"),
        ("import importlib, sys\nimportlib.import_module(sys.argv[0])", unless, "*"),
        (&many, off, "calm.part*"),
        ("class A: pass\ndef f(x):\n    if isinstance(x, str): __import__(x)\nf(A)", off, ""),
        ("import enum\nclass E(enum.Enum):\n    A = 'a'\nif not isinstance(E.A, str): import low.fast", open, ""),
        // Entry points and folders.
        ("from importlib.metadata import entry_points as e\nfor p in e(group='app.plugins'): p.load()", on, ""),
        ("from importlib.metadata import entry_points as e\nfor p in e(group='app.calm'): p.load()", off, ""),
        (
            "import pkgutil, importlib, plugins\nfor m in pkgutil.iter_modules(plugins.__path__, 'plugins.'): importlib.import_module(m.name)",
            on,
            "",
        ),
        (
            "import os, sys\nsys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'vendor'))\nimport inner",
            on,
            "",
        ),
        // Code as data.
        ("exec('import low.fast')", on, ""),
        ("exec(open('nowhere').read())", unless, "*"),
        ("n = input()\nexec('x = 1 + ' + n)", off, ""),
        (
            "import importlib.util as u, sys\nfor d in sys.path:\n    s = u.spec_from_file_location('x', d + '/x.so')\n    s.loader.exec_module(u.module_from_spec(s))",
            unless,
            "*",
        ),
        ("import runpy, os\nrunpy.run_path(os.path.join(os.path.dirname(__file__), 'other.py'))", on, ""),
        ("import pickle, sys\npickle.load(sys.stdin.buffer)", unless, "*"),
        ("import pickle\npickle.loads(pickle.dumps([1]))", off, ""),
        // Functions.
        ("def f(): import low.fast", off, ""),
        ("import tool\ndef f(): import low.fast\ntool.run(f)", on, ""),
        ("import tool\n@tool.keep\ndef f(): import low.fast\ntool.runall()", on, ""),
        ("import atexit\natexit.register(lambda: __import__('low.fast'))", on, ""),
        ("import threading\ndef f(): import low.fast\nthreading.Thread(target=f).start()", on, ""),
        ("import signal\ndef f(*a): import low.fast\nsignal.signal(1, f)", unless, "low.mp_used"),
        (
            "class M(type):\n    def __new__(m, *a):\n        import low.fast\n        return type.__new__(m, *a)\nclass A(metaclass=M): pass",
            on,
            "",
        ),
        ("T = {'a': lambda: __import__('low.fast')}\nT['a']()", on, ""),
        (
            "import http.server as h\nclass H(h.BaseHTTPRequestHandler):\n    def do_GET(self): import low.fast\nh.HTTPServer(('', 0), H).serve_forever()",
            unless,
            "low.mp_used",
        ),
        (
            "class A:\n    def go(self): super().go()\nclass B:\n    def go(self): import low.fast\nclass C(A, B): pass\nC().go()",
            on,
            "",
        ),
        // Failure and conditions.
        ("import sys\nif sys._is_gil_enabled(): import low.fast", off, ""),
        ("import sys\nif 't' not in sys.abiflags: import low.fast", off, ""),
        ("import sys\nsys.exit()\nimport low.fast", off, ""),
        ("import sys\nif len(sys.argv) > 1: sys.exit()\nimport low.fast", open, ""),
        ("import importlib.util as u\nif u.find_spec('nowhere'): import low.fast", off, ""),
        ("try: import nowhere\nexcept ImportError: import low.fast", on, ""),
        ("try:\n    import clean\nexcept ImportError: import low.fast", off, ""),
        ("import sys, types\nsys.modules['low'] = types.ModuleType('low')\nimport low", off, ""),
        ("1 / 0\nimport low.fast", open, ""),
    ] {
        let answer = of_script(here.path(), "", script);
        assert_eq!(answer["gil"].as_str(), Some(gil), "{script}\n{answer:#}");
        let ends = answer["open_ends"].to_string();
        assert!(ends.contains(&format!("\"{reach}")) || reach.is_empty(), "{script}\n{ends}");
        let meets = answer["open_ends"][0]["meets"].as_array().is_some_and(|meets| !meets.is_empty());
        assert_eq!(meets, gil == unless, "{script}\n{ends}");
    }
    let threads =
        of_script(here.path(), "", "import threading\ndef f(): import low.fast\nthreading.Thread(target=f).start()");
    assert_eq!(threads["blockers"][0]["threads"], true);
}

/// A script that is no Python, folders, `-m` and console scripts.
#[test]
fn what_can_be_asked_about() {
    let here = environment();
    put(here.path(), "site-packages/runs/__init__.py", "");
    put(here.path(), "site-packages/runs/__main__.py", "from .work import main\nif __name__ == '__main__': main()\n");
    put(here.path(), "site-packages/runs/work.py", "def main():\n    import low.fast\n");
    put(here.path(), "site-packages/app-1.dist-info/entry_points.txt", "[console_scripts]\nrun-it = runs.work:main\n");
    for words in ["-m runs", "--entry-point run-it"] {
        assert_eq!(imports(here.path(), words)["first"], "low.mp_used", "{words}");
    }
    put(here.path(), "folder/__main__.py", "import low.fast\n");
    let words = format!("--entry {}", here.path().join("folder").display());
    assert_eq!(imports(here.path(), &words)["first"], "low.mp_used");
    let path = put(here.path(), "job/run.py", "print 'x'\nimport low.fast\n");
    let ran = check_json(&format!("--entry {}", path.display()), &[&here.path().join("site-packages")]).exits(2);
    assert!(ran.json()["problems"].to_string().contains("no valid Python: line 1"));
    assert_eq!(ran.json()["imports"]["gil"], "undetermined");
}

/// A package that imports a module of its own by its whole name binds it only by that.
#[test]
fn a_package_that_imports_from_itself() {
    let here = environment();
    put(here.path(), "site-packages/itself/__init__.py", "from itself import first\nfrom itself.second import x\n");
    put(here.path(), "site-packages/itself/first.py", "import low.mp_used\n");
    put(here.path(), "site-packages/itself/second.py", "import low.mp_used\nx = 1\n");
    let answer = imports(here.path(), "--import itself");
    let chain = answer["blockers"][0]["chain"].as_array().unwrap();
    assert!(chain.last().unwrap()["at"].as_str().unwrap().ends_with("itself/first.py:1"), "{chain:?}");
}

/// What a script would import after it stopped is not known, and its first missing module is named.
#[test]
fn a_script_that_stops() {
    let here = environment();
    for (script, gil, missing) in [
        ("import json\nimport nowhere.x", "undetermined", Some("'nowhere'")),
        ("try: import not_there\nexcept ImportError: pass\nimport low, absent", "undetermined", Some("'absent'")),
        ("try: import not_there\nexcept ImportError: pass", "off", None),
    ] {
        let answer = of_script(here.path(), "", script);
        assert_eq!(answer["gil"].as_str(), Some(gil), "{script}");
        let failed = answer["failed"][0].to_string();
        assert!(missing.is_none_or(|missing| failed.contains(missing)), "{script}: {failed}");
        assert_eq!(answer["failed"].as_array().unwrap().is_empty(), missing.is_none(), "{script}");
    }
}

#[test]
fn a_module_that_is_not_there_is_an_input_that_was_not_read() {
    let here = environment();
    let ran = check_json("--import nowhere", &[&here.path().join("site-packages")]).exits(2);
    assert!(ran.json()["problems"][0]["error"].as_str().unwrap().contains("no module named 'nowhere'"));
}

#[test]
fn everything() {
    let here = environment();
    let answer = imports(here.path(), "--import-all");
    assert_eq!((answer["gil"].as_str(), answer["first"].as_str()), (Some("on"), Some("low.mp_used")));
}

#[test]
fn a_policy_is_begun_and_checked() {
    let here = environment();
    let site = here.path().join("site-packages");
    let begun = run(["policy", "init", site.to_str().unwrap()]).exits(0).stdout;
    assert!(begun.contains("# low.mp_used: used:") && begun.contains("- match: {distribution: 'low ==2'}"), "{begun}");
    let path = put(here.path(), "begun.yaml", &begun);
    let policy = path.to_str().unwrap();
    // What was only begun can be tried, and is not finished.
    let ran = run(["policy", "check", policy]).exits(2);
    assert!(ran.stdout.contains("still says TODO"), "{}", ran.stdout);
    let report = check_json(&format!("--policy {policy}"), &[&site]).exits(0).json();
    assert!(report["policy"]["diagnostics"][0]["message"].as_str().unwrap().contains("still says TODO"));
    put(here.path(), "begun.yaml", begun.replace("'TODO: why this may run without the GIL here'", "looked at"));
    assert!(run(["policy", "check", policy]).exits(0).stdout.contains("0 errors"));
    let report = check_json(&format!("--policy {policy}"), &[&site]).exits(0).json();
    assert_eq!(report["policy"]["diagnostics"], serde_json::json!([]));
    // What is accepted is quiet, counted, and CPython does as it did.
    let finding = report["findings"].as_array().unwrap().iter().find(|it| it["rule"] == "enables-gil").unwrap();
    assert!(finding["suppressed"].as_str().unwrap().starts_with("accepted by "), "{finding:#}");
    assert_eq!(report["summary"]["findings"]["error"], 0);
    let text = run(["check", "--color", "never", "--policy", policy, site.to_str().unwrap()]).exits(0).stdout;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("which turns the GIL on: it stays off only with PYTHON_GIL=0"), "{text}");
    assert!(
        text.contains("accepted: low.mp_used (low 2); never expires") && text.contains("; 1 accepted; 0 not read"),
        "{text}"
    );
}

#[test]
fn exceptions_end() {
    let here = environment();
    let site = here.path().join("site-packages");
    let site = site.to_str().unwrap();
    let begun = |date: &str| run(["policy", "init", "--expires", date, site]).exits(0).stdout.replace("TODO", "done");
    let policy = put(here.path(), "ours.yaml", begun("9998-12-31"));
    let check = ["check", "--color", "never", "--policy", policy.to_str().unwrap(), site];
    let flat = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = flat(run(check).exits(0).stdout);
    assert!(text.contains("accepted until 9998-12-31: low.mp_used (low 2); expires in "), "{text}");
    put(here.path(), "ours.yaml", begun("2020-01-01"));
    let ran = run(check).exits(1);
    let text = flat(ran.stdout);
    // Once, with the modules that it no longer lets in.
    let said = "(distribution low ==2) expired on 2020-01-01 and no longer holds for 1 module: low.mp_used";
    assert_eq!(text.matches("expired on").count(), 1, "{text}");
    assert!(text.contains(said) && text.contains("Policy"), "{text}");
    let report = check_json(&format!("--policy {}", policy.display()), &[std::path::Path::new(site)]).exits(1).json();
    let exceptions: Vec<&Value> =
        report["extensions"].as_array().unwrap().iter().map(|it| &it["decision"]["exception"]).collect();
    assert!(exceptions.iter().any(|it| it["days_left"].as_i64().is_some_and(|days| days < 0)), "{exceptions:?}");
    run(["policy", "init", "--expires", "2020-13-01", site]).exits(2);
}

/// Who asks about one program is answered about it alone.
#[test]
fn the_scope_of_a_question() {
    let here = environment();
    let site = here.path().join("site-packages");
    extension(&site, "", "sp_plain");
    put(here.path(), "quiet.py", "import json\n");
    put(here.path(), "loud.py", "import sp_plain\n");
    let of = |script: &str, words: &str, code: i32| {
        let script = here.path().join(script);
        check_json(&format!("--entry {} {words}", script.display()), &[&site]).exits(code).json()
    };
    let all = check_json("", &[&site]).json();
    let quiet = of("quiet.py", "--policy nogil --fail-on-gil --fail-on note", 0);
    assert_eq!((quiet["verdict"]["gil"].as_str(), quiet["extensions"].as_array().unwrap().len()), (Some("off"), 0));
    assert_eq!(quiet["summary"]["not_judged"], all["summary"]["extensions"]);
    assert_eq!(quiet["findings"], serde_json::json!([]));
    let loud = of("loud.py", "--policy nogil", 1);
    let modules: Vec<&str> =
        loud["extensions"].as_array().unwrap().iter().map(|it| it["module"].as_str().unwrap()).collect();
    assert_eq!(modules, ["sp_plain"]);
    assert_eq!(loud["findings"].as_array().unwrap().len(), 1);
    // The verdict alone fails a run, too, and only when it is asked to.
    of("loud.py", "", 0);
    assert_eq!(of("loud.py", "--fail-on-gil", 1)["verdict"]["gil"], "on");
    check_json("--fail-on-gil --gil 0", &[&site]).exits(0);
    let script = here.path().join("quiet.py");
    let text = run(["check", "--color", "never", "--entry", script.to_str().unwrap(), site.to_str().unwrap()]).stdout;
    assert!(text.contains("other modules were not judged: drop --entry to see them"), "{text}");
    let begun = run(["policy", "init", "--entry", script.to_str().unwrap(), site.to_str().unwrap()]).exits(0).stdout;
    assert!(begun.contains("exceptions: []"), "{begun}");
}

#[test]
fn mistakes_of_a_policy_are_shown_with_their_lines() {
    let here = folder();
    let path = put(here.path(), "bad.yaml", "declarations:\n  used: refuze\nexeptions: []\n");
    let ran = run(["policy", "check", path.to_str().unwrap()]).exits(2);
    assert!(ran.stdout.contains("2 |   used: refuze") && ran.stdout.contains("^^^^^^"), "{}", ran.stdout);
    assert!(ran.stdout.contains("3 | exeptions: []") && ran.stdout.contains("2 errors"), "{}", ran.stdout);
}

/// The measuring script says so when it has nothing to measure with.
#[test]
fn the_measuring_script_skips_without_an_interpreter() {
    let script = root().join("corpus/import_order.py");
    let here = folder();
    let words = [script.as_os_str(), "--gilaudit".as_ref(), "x".as_ref(), "--env".as_ref(), here.path().as_os_str()];
    match std::process::Command::new("python3").args(words).output() {
        Ok(output) => {
            assert_eq!(output.status.code(), Some(77));
            assert!(String::from_utf8_lossy(&output.stdout).starts_with("skipped"));
        }
        Err(_) => crate::common::skipped("no python3 to run corpus/import_order.py with"),
    }
}

/// A lock in the place of the GIL: who runs alone, and where a module that shares it reaches one that has to be alone.
#[test]
fn who_excludes_whom() {
    let here = folder();
    let site = here.path().join("site-packages");
    extension(&site, "", "mp_used");
    extension(&site, "", "mp_declared");
    // The fixture names a module and an attribute. In this copy the attribute's name is that of another module.
    let (name, bytes) = fixture("mp_import_before");
    let at = bytes.windows(8).position(|window| window == b"maxsize\0").unwrap();
    let mut bytes = bytes;
    bytes[at..at + 7].copy_from_slice(b"mp_used");
    put(&site, &name, bytes);
    let report = check_json("--policy serialize", &[&site]).json();
    let exclusion = &report["environments"][0]["exclusion"];
    assert_eq!(exclusion["exclusive"], serde_json::json!(["mp_used"]));
    assert_eq!(exclusion["shared"], serde_json::json!(["mp_declared", "mp_import_before"]));
    assert_eq!(exclusion["reentries"], serde_json::json!([{"shared": "mp_import_before", "exclusive": "mp_used"}]));
    let text = run(["check", "--color", "never", "--policy", "serialize", site.to_str().unwrap()]).stdout;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("mp_used would run alone, and 2 other modules would share the lock"), "{text}");
    assert!(
        text.contains("gained: 2 modules run in several threads at once; with CPython's GIL, which mp_used"),
        "{text}"
    );
    assert!(text.contains("deadlock possible: mp_import_before shares the lock and reaches mp_used"), "{text}");
    let other = check_json("", &[&site]).json();
    assert_eq!(other["environments"][0]["exclusion"], Value::Null, "only under a policy with such a lock");
}
