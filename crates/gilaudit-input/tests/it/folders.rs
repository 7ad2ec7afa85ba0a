use gilaudit_input::{ArtifactKind, Given, Limits, collect};

use crate::archives::{NAME, stored, wheel};
use crate::{Scratch, read_all};

#[test]
fn a_single_file_is_a_candidate_whatever_its_name() {
    let scratch = Scratch::new();
    scratch.write("outer/pkg/__init__.py", "");
    scratch.write("outer/pkg/x.cpython-314t-x86_64-linux-gnu.so", "bytes");
    scratch.write("outer/notes.txt", "");
    let inventory = scratch.collect("outer/pkg/x.cpython-314t-x86_64-linux-gnu.so");
    assert_eq!(scratch.list(&inventory), ["Candidate outer/pkg/x.cpython-314t-x86_64-linux-gnu.so = pkg.x"]);
    assert!(inventory.members[0].explicit && !inventory.members[0].in_archive());
    assert_eq!(read_all(&inventory), [Ok(b"bytes".to_vec())]);
    assert_eq!(scratch.list(&scratch.collect("outer/notes.txt")), ["Candidate outer/notes.txt = notes"]);
}

#[test]
fn what_is_not_there_is_a_problem() {
    let scratch = Scratch::new();
    assert_eq!(scratch.list(&scratch.collect("gone.so")), ["!! gone.so: no such file or directory"]);
}

#[cfg(unix)]
#[test]
fn devices_are_not_read() {
    let inventory = collect(&[Given::Path("/dev/zero".into())], None, &Limits::default());
    assert_eq!(inventory.problems[0].error, "neither a regular file nor a folder");
}

#[test]
fn sdists_are_recognised() {
    let scratch = Scratch::new();
    scratch.write("x-1.0.tar.gz", b"\x1f\x8b\x08rest");
    scratch.write("y-1.0.tar.gz", b"text");
    let inventory = scratch.collect("x-1.0.tar.gz");
    assert_eq!((inventory.artifacts[0].kind, inventory.members.len()), (ArtifactKind::Sdist, 0));
    assert_eq!(inventory.artifacts[0].distribution.as_ref().unwrap().name, "x");
    assert_eq!(
        scratch.list(&scratch.collect("y-1.0.tar.gz")),
        ["!! y-1.0.tar.gz: named like a source distribution, but not compressed data"]
    );
    scratch.write("z.zip", crate::archives::zip(&[stored("z-1.0/PKG-INFO", ""), stored("z-1.0/z.c", "")]));
    assert_eq!(scratch.collect("z.zip").artifacts[0].kind, ArtifactKind::Sdist);
}

#[test]
fn a_folder_of_wheels() {
    let scratch = Scratch::new();
    scratch.write(&format!("dist/{NAME}"), wheel([stored("x/a.so", "")]));
    scratch.write("dist/broken-1-py3-none-any.whl", "");
    scratch.write("dist/sub/b.so", "");
    scratch.write("dist/node_modules/c.so", "");
    let inventory = scratch.collect("dist");
    assert_eq!(
        scratch.list(&inventory),
        [
            "Candidate dist/sub/b.so = sub.b".to_owned(),
            format!("Candidate dist/{NAME}!x/a.so = x.a (X 1.0)"),
            "!! dist/broken-1-py3-none-any.whl: the file is empty".to_owned(),
        ]
    );
    let wheel = format!("Wheel dist/{NAME}");
    assert_eq!(scratch.artifacts(&inventory), ["Folder dist", "Wheel dist/broken-1-py3-none-any.whl", &wheel]);
    assert_eq!(inventory.members.iter().map(|member| member.artifact).collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn modules_are_named_from_their_outermost_package() {
    let scratch = Scratch::new();
    for file in [
        "p/src/pkg/__init__.py",
        "p/src/pkg/sub/__init__.py",
        "p/src/pkg/sub/a.so",
        "p/ns/b.so",
        "p/build/lib.linux/c/d.so",
    ] {
        scratch.write(file, "");
    }
    assert_eq!(
        scratch.list(&scratch.collect("p")),
        [
            "Candidate p/build/lib.linux/c/d.so = c.d",
            "Candidate p/ns/b.so = ns.b",
            "Candidate p/src/pkg/sub/a.so = pkg.sub.a",
        ]
    );
}

#[test]
fn a_package_that_is_given_keeps_its_name() {
    let scratch = Scratch::new();
    for file in ["site-packages/pkg/__init__.py", "site-packages/pkg/sub/__init__.py", "site-packages/pkg/sub/a.so"] {
        scratch.write(file, "");
    }
    scratch.write("site-packages/pkg/b.so", "");
    scratch.write("site-packages/pkg/plain/c.so", "");
    scratch.write("site-packages/pkg/a.pyx", "");
    assert_eq!(
        scratch.list(&scratch.collect("site-packages/pkg")),
        [
            "Candidate site-packages/pkg/b.so = pkg.b",
            "Candidate site-packages/pkg/plain/c.so = pkg.plain.c",
            "Candidate site-packages/pkg/sub/a.so = pkg.sub.a",
        ]
    );
    assert!(scratch.collect("site-packages/pkg").sources.is_empty(), "what is installed is not linted");
    assert_eq!(
        scratch.list(&scratch.collect("site-packages/pkg/sub")),
        ["Candidate site-packages/pkg/sub/a.so = pkg.sub.a"]
    );
}

#[test]
fn given_twice_is_listed_once() {
    let scratch = Scratch::new();
    let file = scratch.write("d/a.so", "");
    scratch.write(&format!("d/{NAME}"), wheel([stored("x/a.so", "")]));
    let given = [Given::Path(scratch.path("d")), Given::Path(file), Given::Path(scratch.path("d").join(NAME))];
    let inventory = collect(&given, None, &Limits::default());
    assert_eq!(inventory.members.len(), 2, "{:?}", scratch.list(&inventory));
    let again = collect(&[Given::Path(scratch.path("d")), Given::Path(scratch.path("d"))], None, &Limits::default());
    assert_eq!((again.artifacts.len(), again.members.len()), (2, 2), "{:?}", scratch.artifacts(&again));
}

#[test]
fn walks_have_limits() {
    let scratch = Scratch::new();
    scratch.write("d/1/2/3/deep.so", "");
    scratch.write("d/a.so", "");
    let limits = Limits { walk_depth: 2, ..Limits::default() };
    assert_eq!(
        scratch.list(&scratch.collect_within("d", &limits)),
        ["Candidate d/a.so = a", "!! d/1/2: more than 2 folders deep; what is in it was not looked at"]
    );
    let limits = Limits { walk_entries: 3, ..Limits::default() };
    assert_eq!(
        scratch.list(&scratch.collect_within("d", &limits)),
        ["!! d: more than 3 files and folders; the rest was not looked at"]
    );
}

#[cfg(unix)]
#[test]
fn symbolic_links() {
    let scratch = Scratch::new();
    scratch.write("outside/o.so", "");
    scratch.write("d/real.so", "real");
    scratch.write("d/libz.so.1.2", "");
    scratch.write("d/sub/in.so", "");
    crate::link("..", scratch.path("d/sub/loop"));
    crate::link("sub", scratch.path("d/alias"));
    crate::link("../outside", scratch.path("d/out"));
    crate::link("itself.so", scratch.path("d/itself.so"));
    crate::link("libz.so.1.2", scratch.path("d/libz.so"));
    crate::link("real.so", scratch.path("d/other.so"));
    crate::link("../outside/o.so", scratch.path("d/o.so"));
    assert_eq!(
        scratch.list(&scratch.collect("d")),
        [
            // One file under two names that can be imported is two modules; a library and its link are one file.
            "Candidate d/libz.so = libz",
            "Candidate d/o.so = o",
            "Candidate d/other.so = other",
            "Candidate d/real.so = real",
            "Candidate d/sub/in.so = sub.in",
            "! d/itself.so: a symbolic link that leads nowhere: too many levels of symbolic links",
            "! d/out: a symbolic link to a folder outside, not followed: name that folder to have it audited",
        ]
    );
}
