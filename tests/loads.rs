//! What an interpreter finds and then cannot load, or loads although it is built for another: by names, layouts and archives.

use std::fs;

use serde_json::Value;

use crate::common::{check_json, folder, put, root, run, wheel, zip};
use crate::decisions::{fixture, fixture_for};

fn extensions(report: &Value) -> &[Value] {
    report["extensions"].as_array().unwrap()
}

/// The bytes of the only file of a fixture for a variant.
fn variant(case: &str, variant: &str) -> (String, Vec<u8>) {
    let folder = root().join("fixtures/binaries").join(case).join(variant);
    let entry = fs::read_dir(&folder).unwrap().next().unwrap().unwrap();
    (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
}

#[test]
fn a_symbol_that_the_target_does_not_have_is_an_import_error() {
    let here = folder();
    let (_, bytes) = fixture_for("me_inner", "315t");
    let path = put(here.path(), "me_inner.so", bytes);
    let report = check_json("--python 3.14t", &[&path]).exits(1).json();
    let finding = report["findings"][0]["message"].as_str().unwrap();
    assert!(finding.contains("ImportError: undefined symbol: PyModule_FromSlotsAndSpec"), "{finding}");
    assert_eq!(extensions(&report)[0]["decision"]["outcome"], "cannot-import");
    let report = check_json("--python 3.15t", &[&path]).json();
    assert_ne!(extensions(&report)[0]["decision"]["outcome"], "cannot-import", "{report:#}");
}

#[test]
fn what_cffi_made_says_what_it_assumes_when_no_cffi_is_there() {
    let here = folder();
    let (name, bytes) = fixture("cffi_like_alone");
    let path = put(here.path(), &name, &bytes);
    let report = check_json("", &[&path]).exits(0).json();
    let declaration = &extensions(&report)[0]["declaration"];
    assert_eq!(declaration["status"], "not-used");
    assert!(declaration["assumption"].as_str().unwrap().contains("cffi 2.0 or later"), "{declaration:#}");
    let text = run(["check", "--python", "3.14t", path.to_str().unwrap()]);
    let words: Vec<&str> = text.stdout.split_whitespace().collect();
    assert!(
        words.join(" ").contains("assumed for 1 module: the _cffi_backend that makes the module"),
        "{}",
        text.stdout
    );
    // No cffi for 3.13t declares.
    let (name, bytes) = fixture_for("cffi_like_alone", "313t");
    let path = put(here.path(), &name, &bytes);
    let report = check_json("--python 3.13t", &[&path]).json();
    assert_eq!(extensions(&report)[0]["declaration"]["status"], "unknown");
    assert!(extensions(&report)[0]["declaration"]["assumption"].is_null());
}

#[test]
fn what_cffi_made_for_a_gil_build_loads_at_ones_own_risk() {
    let here = folder();
    let (_, bytes) = fixture("cffi_like_alone");
    let path = put(here.path(), "cffi_like_alone.abi3.so", bytes);
    let report = check_json("--python 3.14t", &[&path]).exits(0).json();
    assert_eq!(extensions(&report)[0]["decision"]["outcome"], "runs-free");
    assert_eq!(report["findings"][0]["rule"], "foreign-layout", "{report:#}");
    // 3.15t does not look for such a name.
    let report = check_json("--python 3.15t", &[&path]).json();
    assert_eq!(extensions(&report)[0]["decision"]["outcome"], "cannot-import");
}

#[test]
fn a_file_that_imports_nothing_to_declare_with_does_not_declare() {
    for of in ["elf-s390x", "elf-arm", "elf-riscv64"] {
        let here = folder();
        let (name, bytes) = variant("sp_plain", of);
        let path = put(here.path(), &name, bytes);
        let report = check_json("", &[&path]).json();
        let declaration = &extensions(&report)[0]["declaration"];
        assert_eq!(declaration["status"], "undeclared", "{of}: {declaration:#}");
        let (name, bytes) = variant("sp_setgil1", of);
        let path = put(here.path(), &name, bytes);
        let report = check_json("", &[&path]).json();
        assert_eq!(extensions(&report)[0]["declaration"]["status"], "unknown", "{of}: it could declare");
    }
}

#[test]
fn webassembly_and_texts_are_libraries_and_fail_nothing() {
    let here = folder();
    let name = "x-1-py3-none-any.whl";
    let members: [(&str, &[u8]); 3] = [
        ("x/fast.cpython-313-wasm32-emscripten.so", b"\0asm\x01\0\0\0"),
        ("x-1.data/data/share/x/stub.so", b"/* GNU ld script */\nINPUT(-lx)\n"),
        ("x/__init__.py", b""),
    ];
    let report = check_json("", &[&wheel(here.path(), name, &members)]).exits(0).json();
    let why: Vec<&str> = report["libraries"].as_array().unwrap().iter().map(|it| it["why"].as_str().unwrap()).collect();
    assert!(
        why.iter().any(|why| why.starts_with("a WebAssembly module"))
            && why.iter().any(|why| why.starts_with("a text file"))
    );
    // Elsewhere a text may stand for the extension that is meant, as Git LFS leaves it.
    let members: [(&str, &[u8]); 1] = [("x/fast.so", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")];
    check_json("", &[&wheel(here.path(), name, &members)]).exits(2);
}

#[test]
fn an_extension_in_a_zipped_egg_cannot_be_imported() {
    let here = folder();
    let (name, bytes) = fixture("mp_declared");
    let members: [(&str, &[u8]); 2] = [(&name, &bytes), ("EGG-INFO/PKG-INFO", b"Name: x\nVersion: 1\n")];
    let egg = put(here.path(), "x-1-py3.14.egg", zip(&members));
    let report = check_json("", &[&egg]).json();
    assert_eq!(extensions(&report)[0]["decision"]["outcome"], "cannot-import", "{report:#}");
    assert!(report.to_string().contains("zipimport loads no extension modules"));
}

#[cfg(unix)]
#[test]
fn a_second_name_by_a_link_is_a_second_module() {
    let here = folder();
    let (name, bytes) = fixture("mp_declared");
    put(here.path(), &format!("a/{name}"), bytes);
    fs::create_dir(here.path().join("b")).unwrap();
    std::os::unix::fs::symlink(format!("../a/{name}"), here.path().join("b").join(&name)).unwrap();
    let report = check_json("", &[here.path()]).json();
    let modules: Vec<&str> = extensions(&report).iter().map(|it| it["module"].as_str().unwrap()).collect();
    assert_eq!(modules, ["a.mp_declared", "b.mp_declared"]);
}
