"""Where the gilaudit command is that was installed with this package.

The command itself is a program of its own, not a Python module: run it as ``gilaudit`` or ``python -m gilaudit``.
"""

import importlib.metadata
import os
import sys
import sysconfig

__all__ = ["find_bin"]


def find_bin() -> str:
    """The path of the installed command.

    Raises FileNotFoundError when there is none. PATH is not searched: what is found there may be of another version.
    """
    name = "gilaudit" + (sysconfig.get_config_var("EXE") or "")
    for path in _candidates(name):
        if os.path.isfile(path):
            return path
    raise FileNotFoundError(f"{name} is not where installers put scripts; reinstall gilaudit in the environment of {sys.executable}")


def _candidates(name):
    # What the installer wrote down is right for every scheme: environments, --user, --prefix and systems' own.
    try:
        files = importlib.metadata.files(__name__) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == name:
            yield os.path.abspath(file.locate())
    # pip install --target moves files without saying so, and packages of systems may come without such a list.
    yield os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "bin", name)
    yield os.path.join(sysconfig.get_path("scripts"), name)
