"""Prints the path of a Python 3.13, the version the service runs on in Azure: found, installed, or told how to get."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

VERSION = "3.13"
INSTALLERS = (["uv", "python", "install", VERSION], ["pyenv", "install", "--skip-existing", VERSION])
ADVICE = f"""\
The worker tests need Python {VERSION}, the version that Azure Functions runs the service on, and none that works
was found on PATH, in pyenv or in uv, or could be installed with them. Get one, such as by one of
    uv python install {VERSION}          (pip install uv)
    pyenv install {VERSION}
    apt-get install python{VERSION}-venv    (Debian 13, Ubuntu 25.04 and later)
or name one: make test PYTHON313=/path/to/python{VERSION}"""


def candidates() -> Iterator[str]:
    """Paths that may be a Python 3.13, the likeliest first."""
    if named := os.environ.get("PYTHON313"):
        yield named
        return
    yield sys.executable
    for folder in os.get_exec_path():
        yield str(Path(folder, f"python{VERSION}"))
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(map(str, pyenv.glob(f"versions/{VERSION}*/bin/python")), reverse=True)
    if uv := shutil.which("uv"):
        found = subprocess.run([uv, "python", "find", VERSION], capture_output=True, text=True, check=False)
        yield found.stdout.strip()


def install() -> None:
    """Have whatever manages this machine's Pythons get one."""
    for command in INSTALLERS:
        if shutil.which(command[0]):
            print(f"No Python {VERSION} was found, trying: {' '.join(command)}", file=sys.stderr)
            subprocess.run(command, stdout=sys.stderr, check=False)


def works(path: str) -> bool:
    """Whether it is there, runs (pyenv's shims may not) and is the version wanted."""
    try:
        told = subprocess.run(
            [path, "-c", "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return told.returncode == 0 and told.stdout.strip() == VERSION


def first_that_works() -> str | None:
    """The path to use."""
    return next((path for path in candidates() if works(path)), None)


def main() -> None:
    """Print the path, after an installation if there was none."""
    found = first_that_works()
    if found is None and not os.environ.get("PYTHON313"):
        install()
        found = first_that_works()
    if found is None:
        sys.exit(ADVICE)
    print(found)


if __name__ == "__main__":
    main()
