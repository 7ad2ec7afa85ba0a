"""A small project of the kind that gilaudit is run on, with a race and without it, and wheels of it."""

import zipfile

from workplace import ROOT, WHEELHOUSE, WORK, registry, run

# The rule that finds the race.
RULE = "lazy-static-object"

SOURCE = """\
#include <Python.h>

static PyObject *cache;

static PyObject *
entries(PyObject *self, PyObject *unused)
{
    %s
    return Py_NewRef(cache);
}

static int
sample_exec(PyObject *module)
{
    %s
    return cache == NULL ? -1 : 0;
}

static PyMethodDef methods[] = {
    {"entries", entries, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, sample_exec},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "sample._sample",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__sample(void)
{
    return PyModuleDef_Init(&definition);
}
"""
SETUP = """\
from setuptools import Extension, setup

extension = Extension("sample._sample", ["sample/_sample.c"])
setup(name="sample", version="1.0", packages=["sample"], ext_modules=[extension])
"""
FILL = "cache = PyDict_New();"
RACY = SOURCE % (f"if (cache == NULL) {{\n        {FILL}\n    }}", "cache = NULL;")
SOUND = SOURCE % ("", FILL)
UNDECLARED = SOUND.replace("    {Py_mod_gil, Py_MOD_GIL_NOT_USED},\n", "")


def project(folder, source=SOUND):
    """Writes the project, and returns the path of its C file."""
    package = folder / "sample"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text("")
    (folder / "setup.py").write_text(SETUP)
    file = package / "_sample.c"
    file.write_text(source)
    return file


def wheels(free_threaded):
    """Two wheels for 3.14t: one whose module declares that it runs without the GIL, and one whose module does not."""
    if free_threaded:
        return [built(free_threaded, "declared", SOUND), built(free_threaded, "undeclared", UNDECLARED)]
    return [packed("mp_declared"), packed("mp_undeclared")]


def built(free_threaded, kind, source):
    """A wheel that pip builds for a free-threaded interpreter."""
    folder, out = WORK / f"sample-{kind}", WORK / f"wheels-{kind}"
    if not out.exists():
        project(folder, source)
        registry("download", "--quiet", "--dest", str(WHEELHOUSE), "setuptools")
        run([free_threaded, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", out, folder])
    (wheel,) = out.glob("*.whl")
    return wheel


def packed(case):
    """A wheel of a file that was built for 3.14t before, for machines without that interpreter."""
    name = f"{case}.cpython-314t-x86_64-linux-gnu.so"
    wheel = WORK / f"{case}-1.0-cp314-cp314t-linux_x86_64.whl"
    members = {
        name: (ROOT / "fixtures" / "binaries" / case / "elf-x86_64" / name).read_bytes(),
        f"{case}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {case}\nVersion: 1.0\n",
        f"{case}-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp314-cp314t-linux_x86_64\n",
    }
    record = f"{case}-1.0.dist-info/RECORD"
    members[record] = "".join(f"{member},,\n" for member in [*members, record])
    with zipfile.ZipFile(wheel, "w") as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return wheel
