//! `gilaudit verify` with an interpreter of our own making: a shell script that says what an interpreter would. What the program that
//! it runs really does is measured with real ones (`corpus/import_order.py`); they are not needed here.

use std::path::Path;

use serde_json::Value;

use crate::common::{Ran, command, finish, folder, put, run};
use crate::decisions::fixture;

/// An environment with three extensions, two of which turn the GIL on.
fn environment(here: &Path) {
    put(here, "pyvenv.cfg", "home = /usr/bin\nversion = 3.14.2\n");
    for name in ["mp_used", "mp_declared", "sp_plain"] {
        let (file, bytes) = fixture(name);
        put(here, &format!("lib/python3.14t/site-packages/{file}"), bytes);
    }
}

/// An interpreter that answers as a free-threaded 3.14 does, and for each task runs the lines of `cases`, with the events in `$out`.
#[cfg(unix)]
fn interpreter(here: &Path, cases: &str) {
    use std::os::unix::fs::PermissionsExt;
    let script = format!(
        "#!/bin/sh\n[ $# = 5 ] && echo 3 14 1 fake && exit\n[ \"$1\" = -v ] && shift\nout=$6\ntask=$7\n\
         site={}/lib/python3.14t/site-packages\n\
         so=.cpython-314t-x86_64-linux-gnu.so\n\
         say() {{ echo \"$1\" >> $out; }}\n\
         loads() {{ say \"{{\\\"event\\\":\\\"loading\\\",\\\"module\\\":\\\"$1\\\",\\\"path\\\":\\\"$site/$1$so\\\",\\\"gil\\\":$2}}\"; }}\n\
         loaded() {{ say \"{{\\\"event\\\":\\\"loaded\\\",\\\"module\\\":\\\"$1\\\",\\\"gil\\\":$2}}\"; }}\n\
         warned() {{ say \"{{\\\"event\\\":\\\"warned\\\",\\\"module\\\":\\\"$1\\\",\\\"gil\\\":true}}\"; }}\n\
         ends() {{ say \"{{\\\"event\\\":\\\"end\\\",\\\"gil\\\":$1}}\"; }}\n\
         case $task in\n{cases}\nesac\n",
        here.display()
    );
    let path = put(here, "bin/python", script);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn verify(here: &Path, words: &str) -> Ran {
    finish(command(["verify", "--no-progress"]).args(words.split_whitespace()).arg(here))
}

/// For each module: what was predicted, what was seen, and whether that agrees.
fn rows(result: &Value) -> Vec<String> {
    let word = |it: &Value, key: &str| it[key].as_str().unwrap().to_owned();
    let row = |it: &Value| ["module", "predicted", "seen", "agreement"].map(|key| word(it, key)).join(" ");
    result["modules"].as_array().unwrap().iter().map(row).collect()
}

const RIGHT: &str = "\
*mp_used*) loads mp_used false; warned mp_used; loaded mp_used true; ends true;;
*mp_declared*) loads mp_declared false; loaded mp_declared false; ends false;;
*sp_plain*) loads sp_plain true; loaded sp_plain true; echo \"# loading module 'sp_plain', which requires the GIL\" >&2; ends true;;";

#[cfg(unix)]
#[test]
fn what_agrees() {
    let here = folder();
    environment(here.path());
    interpreter(here.path(), RIGHT);
    let ran = verify(here.path(), "--format json").exits(0);
    assert_eq!(
        rows(&ran.json()),
        [
            "mp_declared runs-free runs-free agrees",
            "mp_used enables-gil enables-gil agrees",
            // The GIL was on before it was loaded; then only -v tells.
            "sp_plain enables-gil enables-gil agrees",
        ]
    );
    assert!(ran.stderr.contains("this RUNS CODE"), "{}", ran.stderr);
    let text = verify(here.path(), "--color never").exits(0).stdout;
    assert!(text.starts_with("All 3 predictions that could be tested agree"), "{text}");
}

#[cfg(unix)]
#[test]
fn what_differs_and_what_could_not_be_tested() {
    let here = folder();
    environment(here.path());
    interpreter(
        here.path(),
        "*mp_used*) loads mp_used false; loaded mp_used false; ends false;;\n\
         *mp_declared*) loads mp_declared false; kill -SEGV $$;;\n\
         *sp_plain*) sleep 600 & sleep 600;;",
    );
    let started = std::time::Instant::now();
    let ran = verify(here.path(), "--format json --timeout 1 --jobs 3").exits(1);
    assert!(started.elapsed().as_secs() < 60, "what a process leaves behind is not waited for");
    let result = ran.json();
    assert_eq!(
        rows(&result),
        [
            "mp_declared runs-free crashes differs",
            "mp_used enables-gil runs-free differs",
            "sp_plain enables-gil not-seen not-tested",
        ]
    );
    assert_eq!(result["modules"][0]["detail"], "SIGSEGV");
    assert!(result["modules"][2]["detail"].as_str().unwrap().contains("time limit"), "{result:#}");
    let schema = std::fs::read_to_string(crate::common::root().join("docs/verify-v1.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    assert!(jsonschema::is_valid(&schema, &result), "{result:#}");
}

/// What a module writes cannot make the process grow, and half an event is none.
#[cfg(unix)]
#[test]
fn what_is_written_is_bounded() {
    let here = folder();
    environment(here.path());
    interpreter(
        here.path(),
        "*mp_used*) say '{\"event\":\"lo'; ends false;;\n\
         *mp_declared*) say 'rubbish'; yes | head -c 2000000 >&2; exit 7;;\n\
         *sp_plain*) exit 0;;",
    );
    let result = verify(here.path(), "--format json --timeout 30").exits(3).json();
    assert!(rows(&result).iter().all(|row| row.ends_with("not-seen not-tested")), "{result:#}");
    assert!(result["modules"][0]["detail"].as_str().unwrap().contains("exit status 7"), "{result:#}");
}

#[cfg(unix)]
#[test]
fn a_program_is_compared_with_its_verdict() {
    let here = folder();
    environment(here.path());
    interpreter(
        here.path(),
        "*pkg_main*) warned mp_used; ends true;;\n*free.py*) ends false;;\n*loud.py*) warned mp_used; ends true;;\n*wrong.py*) warned sp_plain; ends true;;",
    );
    let verified = |name: &str, text: &str, code: i32| {
        let script = put(here.path(), name, text);
        verify(here.path(), &format!("--format json --entry {}", script.display())).exits(code).json()["program"]
            .clone()
    };
    assert_eq!(verified("free.py", "import mp_declared\n", 0)["agreement"], "agrees");
    let loud = verified("loud.py", "import mp_used\n", 0);
    assert_eq!((&loud["predicted_first"], &loud["warned"]), (&"mp_used".into(), &"mp_used".into()));
    put(here.path(), "lib/python3.14t/site-packages/pkg_main.py", "import mp_used\n");
    let main = verify(here.path(), "--format json -m pkg_main").exits(0).json()["program"].clone();
    assert_eq!((&main["agreement"], &main["warned"]), (&"agrees".into(), &"mp_used".into()));
    let wrong = verified("wrong.py", "import mp_declared\n", 1);
    assert_eq!(
        (&wrong["agreement"], &wrong["why"]),
        (&"differs".into(), &"said to stay off, and sp_plain turned it on".into())
    );
}

#[cfg(unix)]
#[test]
fn functions_are_compared_with_a_run_under_the_gil() {
    let here = folder();
    environment(here.path());
    let called = |how: &str, what: &str| {
        format!(
            "say '{{\"event\":\"called\",\"gil\":false,\"outcomes\":[[\"{how}\",\"{what}\",\"{what}\",9]]}}'; ends false"
        )
    };
    interpreter(
        here.path(),
        &format!(
            "*a:f*) if [ \"$PYTHON_GIL\" = 1 ]; then {}; else {}; fi;;\n*a:g*) {};;\n*a:h*) if [ \"$PYTHON_GIL\" = 0 ]; then kill -SEGV $$; else ends false; fi;;",
            called("returned", "1"),
            called("returned", "2"),
            called("raised", "KeyError"),
        ),
    );
    let ran = verify(here.path(), "--format json --stress a:f --stress a:g --stress a:h").exits(1);
    let stress = &ran.json()["stress"];
    assert_eq!(stress[0]["differences"], serde_json::json!(["returned 2"]));
    assert_eq!(stress[1]["differences"], serde_json::json!([]), "it raises with the GIL, too");
    assert_eq!(stress[2]["differences"], serde_json::json!(["the interpreter crashed: SIGSEGV"]));
    verify(here.path(), "--stress nonsense").exits(2);
}

#[test]
fn without_an_interpreter_nothing_runs() {
    let here = folder();
    environment(here.path());
    let told = run(["verify", here.path().to_str().unwrap()]).exits(2);
    assert!(
        told.stderr.contains("has no interpreter of its own") && !told.stderr.contains("RUNS CODE"),
        "{}",
        told.stderr
    );
    let told = run(["verify", here.path().to_str().unwrap(), "--interpreter", "/nowhere/python"]).exits(2);
    assert!(told.stderr.contains("/nowhere/python: "), "{}", told.stderr);
}
