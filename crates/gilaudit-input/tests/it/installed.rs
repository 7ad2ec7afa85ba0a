use crate::Scratch;

/// A distribution `x` with these lines in RECORD.
fn distribution(scratch: &Scratch, site: &str, record: &str) {
    scratch.write(&format!("{site}/x-1.0.dist-info/METADATA"), "Name: X\nVersion: 1.0\n");
    scratch.write(&format!("{site}/x-1.0.dist-info/WHEEL"), "Tag: cp314-cp314t-manylinux_2_28_x86_64\n");
    scratch.write(&format!("{site}/x-1.0.dist-info/RECORD"), record);
}

#[test]
fn record_tells_whose_a_file_is() {
    let scratch = Scratch::new();
    distribution(
        &scratch,
        "s",
        "x/__init__.py,,\nx/a.so,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\nx/gone.so,,\nx/gone.so.1,,\n\
         ../../../bin/x,,\n../../../lib/libx.so,,\nx/__pycache__/kept.so,,\n",
    );
    for file in ["s/x/__init__.py", "s/x/a.so", "s/orphan.so", "s/x/__pycache__/kept.so", "s/x/__pycache__/not.so"] {
        scratch.write(file, "");
    }
    let inventory = scratch.collect("s");
    assert_eq!(
        scratch.list(&inventory),
        [
            "Candidate s/orphan.so = orphan",
            "Candidate s/x/__pycache__/kept.so = x.__pycache__.kept (X 1.0)",
            "Candidate s/x/a.so = x.a (X 1.0) [e3b0]",
            "! s/x-1.0.dist-info/RECORD: lists '../../../lib/libx.so', which is outside this folder and was not looked at",
            "! s/x/gone.so: RECORD lists this file, but it is not there",
        ]
    );
    assert_eq!(scratch.artifacts(&inventory), ["SitePackages s"]);
    assert_eq!(inventory.members[2].tags.as_ref().unwrap().abi, ["cp314t"]);
}

#[test]
fn broken_metadata_does_not_hide_files() {
    let scratch = Scratch::new();
    distribution(&scratch, "s", "x/a.so,,\n");
    scratch.write("s/x-1.0.dist-info/METADATA", "no name\n");
    scratch.write("s/x-1.0.dist-info/WHEEL", "Tag: nonsense\n");
    scratch.write("s/x/a.so", "");
    assert_eq!(
        scratch.list(&scratch.collect("s")),
        [
            "Candidate s/x/a.so = x.a (x 1.0)",
            "! s/x-1.0.dist-info/METADATA: no Name in it",
            "! s/x-1.0.dist-info/WHEEL: 'nonsense' is not a tag",
        ]
    );
}

#[test]
fn editable_installations_are_told() {
    let scratch = Scratch::new();
    distribution(&scratch, "s", "x-1.0.dist-info/direct_url.json,,\n");
    scratch.write("s/x-1.0.dist-info/direct_url.json", r#"{"dir_info": {"editable": true}, "url": "file:///me/x"}"#);
    assert_eq!(
        scratch.list(&scratch.collect("s")),
        ["! s/x-1.0.dist-info: installed in editable mode: its files are in /me/x, which was not looked at"]
    );
}

#[test]
fn a_virtual_environment() {
    let scratch = Scratch::new();
    scratch.write("venv/pyvenv.cfg", "home = /opt/bin\nversion = 3.14.7\n");
    let site = "venv/lib/python3.14t/site-packages";
    distribution(&scratch, site, "x/a.so,,\n");
    scratch.write(&format!("{site}/x/a.so"), "");
    scratch.write(&format!("{site}/vendored/_vendor/y-2.dist-info/RECORD"), "");
    scratch.write(&format!("{site}/vendored/_vendor/y.so"), "");
    #[cfg(unix)]
    crate::link("lib", scratch.path("venv/lib64"));
    let inventory = scratch.collect("venv");
    assert_eq!(
        scratch.list(&inventory),
        [
            format!("Candidate {site}/vendored/_vendor/y.so = vendored._vendor.y"),
            format!("Candidate {site}/x/a.so = x.a (X 1.0)"),
        ]
    );
    assert_eq!(scratch.artifacts(&inventory), ["Environment venv 3.14t"]);
}

#[test]
fn environments_inside_a_folder() {
    let scratch = Scratch::new();
    scratch.write("p/a/.venv/pyvenv.cfg", "version_info = 3.13.0\n");
    scratch.write("p/a/.venv/Lib/site-packages/m.pyd", "");
    scratch.write("p/b/pyvenv.cfg", "version = 3.11.7\n");
    scratch.write("p/b/lib/python3.11/site-packages/n.so", "");
    scratch.write("p/c/site-packages/o.so", "");
    distribution(&scratch, "p/unpacked", "x/a.so,,\n");
    scratch.write("p/unpacked/x/a.so", "");
    scratch.write("p/top.so", "");
    let inventory = scratch.collect("p");
    assert_eq!(
        scratch.list(&inventory),
        [
            "Candidate p/a/.venv/Lib/site-packages/m.pyd = m",
            "Candidate p/b/lib/python3.11/site-packages/n.so = n",
            "Candidate p/c/site-packages/o.so = o",
            "Candidate p/top.so = top",
            "Candidate p/unpacked/x/a.so = x.a (X 1.0)",
            "! p/b/pyvenv.cfg: its Python is 3.11, whose loading rules gilaudit does not know",
        ]
    );
    assert_eq!(
        scratch.artifacts(&inventory),
        [
            "Folder p",
            "Environment p/a/.venv 3.13",
            "Environment p/b",
            "SitePackages p/c/site-packages",
            "SitePackages p/unpacked"
        ]
    );
    assert_eq!(inventory.members.iter().map(|member| member.artifact).collect::<Vec<_>>(), [1, 2, 3, 0, 4]);
}

#[test]
fn a_single_file_of_an_environment_is_named_from_there() {
    let scratch = Scratch::new();
    let file = "venv/lib/python3.14t/site-packages/namespace/pkg/a.so";
    scratch.write(file, "");
    assert_eq!(scratch.list(&scratch.collect(file)), [format!("Candidate {file} = namespace.pkg.a")]);
}

#[test]
fn an_installation_is_an_environment() {
    let scratch = Scratch::new();
    for file in
        ["usr/lib/python3.13/os.py", "usr/local/lib/python3.14t/os.py", "usr/share/x/setup.py", "usr/share/x/x.so"]
    {
        scratch.write(file, "");
    }
    scratch.write("usr/local/lib/python3.14t/site-packages/a.so", "");
    scratch.write("usr/lib/python3/dist-packages/b.so", "");
    scratch.write("usr/lib/python3.13/dist-packages/old.so", "");
    let inventory = scratch.collect("usr");
    assert_eq!(
        scratch.list(&inventory),
        [
            "Candidate usr/lib/python3/dist-packages/b.so = b",
            "Candidate usr/local/lib/python3.14t/site-packages/a.so = a",
            "! usr: Python 3.14t is audited here, and not 3.13: name the site-packages of one to have it audited",
        ]
    );
    assert_eq!(
        scratch.artifacts(&inventory),
        [
            "Environment usr 3.14t",
            "SitePackages usr/lib/python3/dist-packages 3.14t",
            "SitePackages usr/local/lib/python3.14t/site-packages 3.14t"
        ]
    );
    let roots: Vec<_> = inventory.python_folders();
    assert_eq!(roots.len(), 2);
    // A container's root, by what is in it.
    assert_eq!(scratch.collect("").members.len(), 2);
}
