"""Where a run took place."""

import os
import platform
import re
import sqlite3
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil


def described() -> str:
    """Time, machine and versions, in a few lines of Markdown."""
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    wrk = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False).stdout.split("[")[0].strip()
    libraries = ", ".join(
        f"{name} {version(name)}" for name in ("granian", "orjson", "pydicom", "azure-cosmos", "obstore")
    )
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return (
        f"* Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC; load average when the run began: {load}.\n"
        f"* {_processor()}, {os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, "
        f"{platform.system()} {platform.release()}.\n"
        f"* Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {libraries}, {wrk}, node {node}.\n"
    )


def _processor() -> str:
    found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()
