"""The arguments of ``python -m local store``, checked."""

import argparse
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from local.sending.report import FORMATS
from shared.dicom.identifiers import is_partition_name

DESCRIPTION = """
Send DICOM files to a service over STOW-RS. Folders are searched with all below them, ZIP archives for their members.
What is hidden, a DICOMDIR or no DICOM file is passed over. What the service has acknowledged is noted in a journal, so
that the same command again sends only the rest. Exit status: 0 if no file failed, 1 if some did, 2 if the arguments
are wrong or the service can't be reached, 130 if it was interrupted.
"""
_PARTITION_IN_URL = re.compile(r"/partitions/[^/]+$")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    parser.add_argument("paths", nargs="+", type=_existing, metavar="FILE|FOLDER|ZIP", help="what to send")
    parser.add_argument(
        "--url",
        type=_url,
        default="http://127.0.0.1:8080/v2",
        help="the service, or one of its partitions (default: %(default)s)",
    )
    parser.add_argument("--partition", type=_partition, metavar="NAME", help="the data partition to store in")
    parser.add_argument("--replace", action="store_true", help="replace instances that are there (PUT, not POST)")
    parser.add_argument("--token", help="bearer token; better given in the environment variable DICOM_TOKEN")
    parser.add_argument(
        "--parallel", type=_count, default=8, metavar="N", help="requests at a time (default: %(default)s)"
    )
    parser.add_argument(
        "--batch",
        type=_count,
        default=32,
        metavar="N",
        help="most files in one request; they are at most 16 MiB, a larger file goes alone (default: %(default)s)",
    )
    parser.add_argument("--dry-run", action="store_true", help="list what would be sent, and send nothing")
    parser.add_argument("--no-resume", action="store_true", help="send also what the journal notes as sent before")
    parser.add_argument("--journal", type=Path, metavar="FILE", help="another journal than that of this user")
    parser.add_argument(
        "--report", type=_report, metavar="FILE", help="write a row for each file into FILE, .csv or .json"
    )


def target_url(url: str, partition: str | None) -> str:
    """The URL to which ``/studies`` is added. Raises ValueError if it names a partition beside ``partition``."""
    if partition is None:
        return url
    if _PARTITION_IN_URL.search(url):
        raise ValueError("The URL names a partition already.")
    return f"{url}/partitions/{partition}"


def _url(value: str) -> str:
    """The URL without slashes at its end; if it names no more than a host or a partition, with the API's version."""
    url = value.rstrip("/")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment:
        raise argparse.ArgumentTypeError(f"{value!r} is no URL such as http://127.0.0.1:8080/v2")
    if parts.path == "" or parts.path.startswith("/partitions/"):
        return parts._replace(path=f"/v2{parts.path}").geturl()
    return url


def _partition(value: str) -> str:
    if not is_partition_name(value):
        raise argparse.ArgumentTypeError("a partition's name is 1 to 64 of A-Z a-z 0-9 . - _")
    return value


def _existing(value: str) -> str:
    if not os.path.lexists(value):
        raise argparse.ArgumentTypeError(f"{value!r} does not exist")
    return value


def _count(value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"{value!r} is no whole number from 1")
    return int(value)


def _report(value: str) -> Path:
    path = Path(value)
    if path.suffix.lower() not in FORMATS:
        raise argparse.ArgumentTypeError(f"{value!r} ends with neither of {' and '.join(FORMATS)}")
    return path
