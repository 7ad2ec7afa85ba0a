"""``python -m gilaudit`` is the command of this environment, whatever PATH says."""

import os
import subprocess
import sys

from gilaudit import find_bin


def main() -> int:
    command = [find_bin(), *sys.argv[1:]]
    if sys.platform != "win32":
        os.execv(command[0], command)
    # On Windows exec would start another process and end this one at once: the shell would not wait for the answer.
    try:
        return subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:
        # The command has had its own Ctrl-C.
        return 130


if __name__ == "__main__":
    sys.exit(main())
