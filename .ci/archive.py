#!/usr/bin/env python3
"""Makes the archive of prebuilt binaries for a platform from the wheel for it, so that both hold the very same command.

usage: archive.py WHEEL FOLDER

FOLDER gets gilaudit-VERSION-PLATFORM.tar.gz (.zip for Windows) with the command, its completions and manual pages, and the documents
of the repository's root. The command is run to print them, so this machine has to be of the wheel's platform. The same wheel gives the
same bytes.
"""
import gzip, io, os, re, stat, subprocess, sys, tarfile, tempfile, zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DOCUMENTS = ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md"]
# The names under which shells look for them.
COMPLETIONS = {"bash": "gilaudit.bash", "elvish": "gilaudit.elv", "fish": "gilaudit.fish", "powershell": "_gilaudit.ps1", "zsh": "_gilaudit"}


def command_of(wheel):
    """The name and the bytes of the command in a wheel."""
    with zipfile.ZipFile(wheel) as members:
        (name,) = [name for name in members.namelist() if re.fullmatch(r"[^/]+\.data/scripts/gilaudit(\.exe)?", name)]
        return os.path.basename(name), members.read(name)


def pages(exe, words=()):
    """The manual pages of a subcommand and of those below it, by file name."""
    page = subprocess.run([exe, "man", *words], check=True, stdout=subprocess.PIPE).stdout
    found = {"-".join(("gilaudit", *words)) + ".1": page}
    below = "-".join(("gilaudit", *words, "")).replace("-", r"\-")
    for name in re.findall(rf"^{re.escape(below)}([a-z]+)\(1\)$", page.decode(), re.MULTILINE):
        if name != "help":
            found.update(pages(exe, (*words, name)))
    return found


def contents(wheel):
    """What goes into the archive: bytes by name, the command first."""
    name, command = command_of(wheel)
    files = {name: command}
    with tempfile.TemporaryDirectory() as folder:
        exe = os.path.join(folder, name)
        with open(exe, "wb") as out:
            out.write(command)
        os.chmod(exe, stat.S_IRWXU)
        for shell, file in COMPLETIONS.items():
            files["complete/" + file] = subprocess.run([exe, "completions", shell], check=True, stdout=subprocess.PIPE).stdout
        files.update({"man/" + file: page for file, page in pages(exe).items()})
    for document in DOCUMENTS:
        with open(os.path.join(ROOT, document), "rb") as text:
            files[document] = text.read()
    return files


def main(wheel, folder):
    _, version, _, _, platform = os.path.basename(wheel).removesuffix(".whl").split("-")
    # A wheel may call its platform by several names; one is enough here.
    stem = f"gilaudit-{version}-{platform.split('.')[-1]}"
    files = contents(wheel)
    os.makedirs(folder, exist_ok=True)
    if "gilaudit.exe" in files:
        path = os.path.join(folder, stem + ".zip")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(zipfile.ZipInfo(f"{stem}/{name}"), data, zipfile.ZIP_DEFLATED)
    else:
        path = os.path.join(folder, stem + ".tar.gz")
        # Neither the time of day nor the name of the file goes in.
        with open(path, "wb") as raw, gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
            for name, data in files.items():
                member = tarfile.TarInfo(f"{stem}/{name}")
                member.size = len(data)
                member.mode = 0o755 if name == "gilaudit" else 0o644
                archive.addfile(member, io.BytesIO(data))
    print(path)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
