"""Says what Python's zipfile and tarfile see in an archive: asked over standard input, as long as that is open.

A question is a line `wheel LENGTH` or `sdist LENGTH` and that many bytes. The answer is one line a member that could be read, with the
path it would be unpacked to in hex and the SHA-256 of its contents, and an empty line.
"""

import hashlib
import io
import posixpath
import sys
import tarfile
import zipfile

#: Nothing that is asked about unpacks to more; what does is another test's.
LARGEST = 64 << 20
#: What gilaudit reads of each.
BINARIES = (".so", ".pyd")
SUFFIXES = {b"wheel": BINARIES, b"sdist": BINARIES + (".c", ".cpp", ".pyx", ".rs")}


def unpacked(name):
    """The path that pip writes a member to, or None if it refuses."""
    path = posixpath.normpath(name.lstrip("/"))
    return None if path.startswith("../") or "\0" in path else path


def wheel(data):
    # pip/_internal/operations/install/wheel.py: the names of namelist(), each opened by getinfo(), so that the last of a name counts.
    archive = zipfile.ZipFile(io.BytesIO(data))
    for name in archive.namelist():
        info = archive.getinfo(name)
        if not name.endswith("/") and info.file_size <= LARGEST:
            with archive.open(info) as member:
                yield name, member.read


def sdist(data):
    archive = tarfile.open(fileobj=io.BytesIO(data), mode="r:*")
    for info in archive:
        # Of a type that it does not know, tarfile makes a regular file.
        is_file = info.isfile() or info.type not in tarfile.SUPPORTED_TYPES
        if is_file and info.size <= LARGEST and not info.issparse():
            yield info.name, archive.extractfile(info).read


def contents(members, suffixes):
    found = {}
    while True:
        try:
            name, read = next(members)
            path = unpacked(name)
            # A file that is called `.so` has no suffix.
            if path is None or posixpath.splitext(path)[1] not in suffixes:
                continue
            found.pop(path, None)
            found[path] = hashlib.sha256(read()).hexdigest()
        except StopIteration:
            return found
        except Exception:  # Whatever the damage makes of it: pip would not install the rest either.
            return found


def main():
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    for line in iter(questions.readline, b""):
        kind, length = line.split()
        data = questions.read(int(length))
        found = contents({b"wheel": wheel, b"sdist": sdist}[kind](data), SUFFIXES[kind])
        for path, digest in sorted(found.items()):
            answers.write(f"{path.encode('utf-8', 'surrogateescape').hex()} {digest}\n".encode())
        answers.write(b"\n")
        answers.flush()


main()
