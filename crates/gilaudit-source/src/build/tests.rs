//! What build files say, one kind a test.

use gilaudit_model::source::Project;
use gilaudit_model::{Origin, Problem};

use crate::{Limits, SourceText, read_project};

fn read(files: &[(&str, &str)]) -> (Project, Vec<Problem>) {
    let texts = files.iter().map(|(path, text)| SourceText {
        origin: Origin::path(*path),
        path: (*path).to_owned(),
        text: (*text).to_owned(),
        report: true,
        unread: None,
    });
    read_project(texts.collect(), &Limits::default())
}

/// One line a module and directive: `name <- sources (maker)`, `directive = value if condition`.
fn lines(path: &str, text: &str) -> Vec<String> {
    let (project, problems) = read(&[(path, text)]);
    assert!(problems.is_empty(), "{problems:?}");
    let Some(build) = project.builds.first() else { return Vec::new() };
    let mut lines: Vec<String> = build
        .modules
        .iter()
        .map(|module| {
            let limited = if module.limited_api { " limited" } else { "" };
            format!("{} <- {} ({:?}){limited}", module.name, module.sources.join(" "), module.maker)
        })
        .collect();
    for directive in &build.directives {
        let condition = directive.condition.as_ref().map(|text| format!(" if {text}")).unwrap_or_default();
        lines.push(format!("{} = {}{condition}", directive.name, directive.value));
    }
    if build.computed {
        lines.push("and more".to_owned());
    }
    lines
}

#[test]
fn setup_py() {
    let text = r#"
import os
from setuptools import setup, Extension
SRC = os.path.join("src", "pkg")
NAMES = ["pkg.one", "pkg.two"]
def build():
    ext = Extension(name="pkg._fast", sources=[SRC + "/fast.c", f"{SRC}/more.c"], py_limited_api=True)
    for name in NAMES:
        yield Extension(name, [name.replace(".", "/") + ".pyx"], extra_compile_args=["-DX=1"])
setup(
    ext_modules=[Extension("pkg.%s" % x, []) for x in os.listdir()],
    classifiers=["Programming Language :: Python :: Free Threading :: 3 - Stable"],
    python_requires=">=3.9",
)
"#;
    assert_eq!(
        lines("sub/setup.py", text),
        [
            "pkg._fast <- sub/src/pkg/fast.c sub/src/pkg/more.c (Compiler) limited",
            "pkg.one <- sub/pkg/one.pyx (Compiler)",
            "pkg.two <- sub/pkg/two.pyx (Compiler)",
            "and more",
        ]
    );
    let (project, _) = read(&[("setup.py", text)]);
    let build = &project.builds[0];
    assert_eq!(&*build.classifiers[0].0, "Programming Language :: Python :: Free Threading :: 3 - Stable");
    assert_eq!(build.requires_python.as_ref().map(|(text, _)| &**text), Some(">=3.9"));
}

#[test]
fn cython_directives() {
    let text = r#"
ON = True
directives = {"language_level": 3}
if Cython.__version__ >= "3.1":
    directives["freethreading_compatible"] = ON
if os.environ.get("FAST"):
    directives["freethreading_compatible"] = True
if not sysconfig.get_config_var("Py_GIL_DISABLED"):
    directives["freethreading_compatible"] = True
else:
    directives["freethreading_compatible"] = False
cythonize(["a/b.pyx", "c/*.pyx"], compiler_directives={"freethreading_compatible": flag()})
cythonize("a.pyx", compiler_directives=dict(freethreading_compatible=True))
"#;
    assert_eq!(
        lines("setup.py", text),
        [
            " <- a/b.pyx (Compiler)",
            " <- a.pyx (Compiler)",
            "freethreading_compatible = True",
            "freethreading_compatible = True if os.environ.get(\"FAST\")",
            "freethreading_compatible = True if not sysconfig.get_config_var(\"Py_GIL_DISABLED\")",
            "freethreading_compatible = False if not sysconfig.get_config_var(\"Py_GIL_DISABLED\")",
            "freethreading_compatible = ",
            "freethreading_compatible = True",
            "and more",
        ]
    );
}

#[test]
fn cffi_and_mypyc() {
    let cffi = "from cffi import FFI\nffi = FFI()\nNAME = '_x'\nffi.set_source('pkg.' + NAME, 'int x;')\nffi.set_source('_abi', None)\n";
    assert_eq!(lines("pkg/_make.py", cffi), ["pkg._x <-  (Cffi)"]);
    let mypyc = "setup(ext_modules=mypycify(['--strict', 'src/pkg/a.py', 'src/pkg/b.py']))";
    assert_eq!(lines("setup.py", mypyc), [" <- src/pkg/a.py (Mypyc)", " <- src/pkg/b.py (Mypyc)"]);
    assert_eq!(lines("setup.py", "mypycify(glob('x'))"), ["and more"]);
}

#[test]
fn pyproject() {
    let text = r#"
[build-system]
requires = ["setuptools", "cffi>=2"]
[project]
requires-python = ">=3.10"
classifiers = ["A", "B"]
[tool.setuptools]
ext-modules = [{name = "pkg._x", sources = ["src/x.c"], py-limited-api = true}]
[tool.maturin]
module-name = "pkg._core"
[tool.anything.cython]
freethreading_compatible = "True"
[tool.meson-python.args]
setup = ["-Dcython_args=-Xfreethreading_compatible=False"]
"#;
    assert_eq!(
        lines("pyproject.toml", text),
        [
            "pkg._x <- src/x.c (Compiler) limited",
            "pkg._core <- Cargo.toml (Cargo)",
            "freethreading_compatible = True",
            "freethreading_compatible = False",
        ]
    );
    let (project, _) = read(&[("pyproject.toml", text)]);
    let build = &project.builds[0];
    assert_eq!(build.requires.iter().map(|(text, _)| &**text).collect::<Vec<_>>(), ["setuptools", "cffi>=2"]);
    assert_eq!(build.classifiers.len(), 2);
    let (_, problems) = read(&[("pyproject.toml", "[a\n")]);
    assert!(problems[0].error.starts_with("not TOML"), "{problems:?}");
}

#[test]
fn meson() {
    let text = r"
# py.extension_module('commented')
py.extension_module('_x', 'x.c', ['../y.cpp'],
  subdir: 'pkg/sub', limited_api: '3.10')
foreach name : names
  py.extension_module(name, 'z.c')
endforeach
cython_args += ['-Xfreethreading_compatible=True'] # -Xfreethreading_compatible=False
";
    assert_eq!(
        lines("src/meson.build", text),
        ["pkg.sub._x <- src/x.c y.cpp (Compiler) limited", "freethreading_compatible = True", "and more"]
    );
}

#[test]
fn cmake() {
    let text = r#"
# nanobind_add_module(no NB_STATIC)
set(X "a ( b")
nanobind_add_module(
  _x NB_STATIC FREE_THREADED # (comment)
  src/x.cpp "${CMAKE_CURRENT_SOURCE_DIR}/src/y.cpp")
pybind11_add_module (_y MODULE y.cpp)
Python_add_library(_z MODULE z.c WITH_SOABI)
pybind11_add_module(${NAME} y.cpp)
install(TARGETS _x _y LIBRARY DESTINATION pkg/sub)
"#;
    assert_eq!(
        lines("CMakeLists.txt", text),
        [
            "_x <- src/x.cpp src/y.cpp (Nanobind { free_threaded: Some(true) })",
            "_y <- y.cpp (Pybind11)",
            "_z <- z.c (Compiler)",
            " <- y.cpp (Pybind11)",
            "and more",
        ]
    );
    let (project, _) = read(&[("CMakeLists.txt", text)]);
    assert_eq!(project.builds[0].installs[1], ("_y".into(), "pkg/sub".into()));
}

/// One line a macro: `NAME=value`, with a question mark when it is conditional.
fn macros(path: &str, text: &str) -> Vec<String> {
    let (project, _) = read(&[(path, text)]);
    let build = project.builds.first();
    let line = |it: &gilaudit_model::source::build::BuildMacro| {
        format!("{}={}{}", it.name, it.value, if it.conditional { "?" } else { "" })
    };
    build.map(|build| build.macros.iter().map(line).collect()).unwrap_or_default()
}

#[test]
fn macros_of_python() {
    let setup = r#"
macros = [("Py_LIMITED_API", "0x03090000"), ("NDEBUG", None)]
if os.name == "nt":
    macros.append(("Py_NO_ENABLE_SHARED", None))
if os.environ.get("LIMITED"):
    args = ["-DPy_LIMITED_API=0x030a0000"]
args += ["/DPy_X"] if flag else []
"#;
    let expected = ["Py_LIMITED_API=0x03090000", "Py_NO_ENABLE_SHARED=", "Py_LIMITED_API=0x030a0000?", "Py_X=?"];
    assert_eq!(macros("setup.py", setup), expected);
    let asks = format!("{setup}ft = sysconfig.get_config_var('Py_GIL_DISABLED')");
    assert!(macros("setup.py", &asks).iter().all(|line| line.ends_with('?')));

    let cmake = r#"
target_compile_definitions(_x PRIVATE Py_LIMITED_API=0x03080000 $<$<BOOL:${FT}>:Py_GIL_DISABLED=1>)
if(Python_FREE_THREADED)
  if(WIN32)
    add_definitions(-DPy_GIL_DISABLED)
  endif()
endif()
if(MSVC)
  set(CMAKE_C_FLAGS "${CMAKE_C_FLAGS} /DPy_GIL_DISABLED=1")
endif()
"#;
    let expected = ["Py_LIMITED_API=0x03080000", "Py_GIL_DISABLED=?", "Py_GIL_DISABLED=1"];
    assert_eq!(macros("CMakeLists.txt", cmake), expected);

    let meson = r"
if host_machine.system() == 'windows'
  args += ['-DPy_GIL_DISABLED']
endif
if free
  args += ['-DPy_GIL_DISABLED']
else
  args += ['-DPy_LIMITED_API=0x03090000']
endif
add_project_arguments('-DPy_LIMITED_API=0x03090000', language: 'c')
";
    let expected = ["Py_GIL_DISABLED=", "Py_GIL_DISABLED=?", "Py_LIMITED_API=0x03090000?", "Py_LIMITED_API=0x03090000"];
    assert_eq!(macros("meson.build", meson), expected);

    let toml = "[[tool.setuptools.ext-modules]]\nname = 'x'\nsources = []\ndefine-macros = [['Py_LIMITED_API', '0x03090000'], ['A', '1']]\n";
    assert_eq!(macros("pyproject.toml", toml), ["Py_LIMITED_API=0x03090000"]);
    assert_eq!(
        macros("setup.cfg", "[build_ext]\ndefine = A,Py_LIMITED_API=0x03090000\n"),
        ["Py_LIMITED_API=0x03090000"]
    );
}

#[test]
fn limited_api() {
    let settings = |path: &str, text: &str| -> Vec<String> {
        let (project, _) = read(&[(path, text)]);
        let all = project.builds.iter().flat_map(|build| &build.limited_api);
        all.map(|it| format!("{}{}", it.value, if it.conditional { "?" } else { "" })).collect()
    };
    let setup = "LIMITED = True\nExtension('a', [], py_limited_api=LIMITED)\nif x:\n    more.update(py_limited_api=True)\n\
                 Extension('b', [], py_limited_api=False)\nsetup(options={'bdist_wheel': {'py_limited_api': 'cp39'}})\n";
    assert_eq!(settings("setup.py", setup), ["True", "True?", "cp39"]);
    assert_eq!(settings("setup.py", &format!("{setup}sys.abiflags")), ["True?", "True?", "cp39?"]);
    assert_eq!(settings("setup.cfg", "[bdist_wheel]\npy_limited_api = cp39\n"), ["cp39"]);
    let toml = "[tool.distutils.bdist_wheel]\npy-limited-api = 'cp315'\n[[tool.setuptools.ext-modules]]\nname='a'\nsources=[]\n\
                py-limited-api = true\n[[tool.setuptools-rust.ext-modules]]\ntarget='b'\npy-limited-api = true\n";
    assert_eq!(settings("pyproject.toml", toml), ["cp315", "true"]);
    let meson = "py.extension_module('a', 'a.c', limited_api: '3.9')\npy.extension_module('b', 'b.c', limited_api: x ? '3.9' : '')\n";
    assert_eq!(settings("meson.build", meson), ["3.9"]);
}

#[test]
fn headers_without_definitions() {
    let by_hand = |text: &str| {
        let (project, _) = read(&[("CMakeLists.txt", text)]);
        let names =
            project.builds.first().map(|build| build.by_hand.iter().map(|(name, _)| name.to_string()).collect());
        names.unwrap_or_else(Vec::new)
    };
    let module = "add_library(_x MODULE x.c)\ntarget_include_directories(_x PRIVATE ${Python3_INCLUDE_DIRS})\n";
    assert_eq!(by_hand(module), ["_x"]);
    assert_eq!(by_hand(&format!("{module}target_link_libraries(_x PRIVATE Python3::Module)\n")), [""; 0]);
    let shared = "add_library(_x SHARED x.c)\ninclude_directories(${PYTHON_INCLUDE_DIRS})\n";
    assert_eq!(by_hand(shared), [""; 0]);
    assert_eq!(by_hand(&format!("{shared}set_target_properties(_x PROPERTIES PREFIX \"\")\n")), ["_x"]);
    assert_eq!(
        by_hand("add_library(_x MODULE x.c)\ntarget_include_directories(_x PRIVATE ${X_INCLUDE_DIRS})\n"),
        [""; 0]
    );
}

#[test]
fn cmake_is_followed() {
    let text = r#"
project(pkg)
set(SOURCES one.cpp two.cpp)
list(APPEND SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/three.cpp")
function(add_module name)
  pybind11_add_module(${name} MODULE ${ARGN})
  target_sources(${name} PRIVATE ${name}.cpp)
  install(TARGETS ${name} DESTINATION ${PROJECT_NAME}/inner)
endfunction()
add_module(_a ${SOURCES})
foreach(name IN ITEMS b c)
  python_add_library(_${name} MODULE ${name}.c)
endforeach()
foreach(name ${COMPUTED})
  nanobind_add_module(${name} ${OPTIONS} ${name}.cpp)
endforeach()
if(WIN32)
  nanobind_add_module(_d d.cpp)
endif()
add_cython_target(_e e.pyx CXX)
add_library(_e MODULE ${_e})
python_extension_module(_e)
pybind11_add_module(target f.cpp)
set_target_properties(target PROPERTIES PREFIX "" OUTPUT_NAME "pkg/_f")
swig_add_library(g LANGUAGE python SOURCES g.i)
"#;
    assert_eq!(
        lines("src/CMakeLists.txt", text),
        [
            "_a <- src/one.cpp src/two.cpp src/three.cpp src/_a.cpp (Pybind11)",
            "_b <- src/b.c (Compiler)",
            "_c <- src/c.c (Compiler)",
            " <-  (Nanobind { free_threaded: None })",
            "_d <- src/d.cpp (Nanobind { free_threaded: Some(false) })",
            "_e <- src/e.pyx (Compiler)",
            "pkg._f <- src/f.cpp (Pybind11)",
            "_g <- src/g.i (Swig { nogil: false })",
            "and more",
        ]
    );
    let (project, _) = read(&[("src/CMakeLists.txt", text)]);
    assert_eq!(project.builds[0].installs[0], ("_a".into(), "pkg/inner".into()));
}

#[test]
fn tools_that_name_no_module() {
    let maturin = "[build-system]\nbuild-backend = \"maturin\"\n[tool.maturin]\nmanifest-path = \"rust/Cargo.toml\"\n";
    assert_eq!(lines("pyproject.toml", maturin), [" <- rust/Cargo.toml (Cargo)"]);
    let program = format!("{maturin}bindings = \"bin\"\n");
    assert_eq!(lines("pyproject.toml", &program), [""; 0]);
    let mypyc = "[tool.hatch.build.targets.wheel.hooks.mypyc]\nmypy-args = [\"--strict\", \"src/a.py\"]\n";
    assert_eq!(lines("pyproject.toml", mypyc), [" <- src/a.py (Mypyc)"]);
    let computed = "[tool.hatch.build.targets.wheel.hooks.mypyc]\n";
    assert_eq!(lines("pyproject.toml", computed), ["and more"]);
    let rust =
        "setup(ext_package='pkg', ext_modules=[RustExtension('_x', path='rust/Cargo.toml'), RustExtension(f())])";
    assert_eq!(lines("setup.py", rust), ["_x <- rust/Cargo.toml (Cargo)", "and more"]);
    let swig = "Extension('_s', ['s.i', 's.c'], swig_opts=['-c++', '-nogil'])";
    assert_eq!(lines("setup.py", swig), ["_s <- s.i s.c (Swig { nogil: true })"]);
}

#[test]
fn hostile_files_end() {
    for (name, text) in [
        ("setup.py", format!("x = {}", "[".repeat(20_000))),
        ("setup.py", format!("a = b\nb = a\nExtension(a, [b])\n{}", "c = c + c\n".repeat(100))),
        ("setup.py", "Extension(".repeat(5_000)),
        ("pyproject.toml", format!("a = {}", "[".repeat(100_000))),
        ("CMakeLists.txt", "install(TARGETS \"\\".repeat(5_000)),
        ("CMakeLists.txt", "function(f)\nf(a)\nf(b)\nendfunction()\nf(c)\n".to_owned()),
        ("CMakeLists.txt", format!("set(a x x)\n{}pybind11_add_module(${{a}})\n", "set(a ${a} ${a})\n".repeat(40))),
        ("CMakeLists.txt", format!("set(l a b c d e f g h)\n{}f(${{x}})\n", "foreach(x IN LISTS l)\n".repeat(30))),
        ("meson.build", "py.extension_module('".repeat(5_000)),
        ("setup.cfg", "[a]\n=\nclassifiers\n =\n".repeat(1_000)),
    ] {
        read(&[(name, &text)]);
    }
}
