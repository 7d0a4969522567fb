"""``python -m local.demo``: stores the images that pydicom ships, fetches each back and compares every byte."""

import argparse
import sys
import urllib.error
import urllib.request
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom.data
from pydicom.errors import InvalidDicomError

from local.sending.answers import read
from local.sending.model import Outcome
from shared.dicom.identifiers import is_uid

TIMEOUT_SECONDS = 60
FOLDERS = [Path(pydicom.data.__file__).with_name(name) for name in ("test_files", "charset_files")]
"""Only what is installed: pydicom's own list of samples would download further ones."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample file and where it will be found once it is stored; ``partition`` is a path prefix or empty."""

    path: Path
    partition: str
    instance: str


def samples() -> Iterator[Sample]:
    """Every sample with a well-formed identity. Copies of one go to partitions of their own."""
    seen: Counter[str] = Counter()
    for path in sorted(path for folder in FOLDERS for path in folder.rglob("*") if path.is_file()):
        try:
            dataset = pydicom.dcmread(path, stop_before_pixels=True)
            identity = (dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)
        except (InvalidDicomError, AttributeError, OSError):
            continue
        if not all(is_uid(uid) for uid in identity):
            continue
        instance = "studies/{}/series/{}/instances/{}".format(*identity)
        seen[instance] += 1
        copy = seen[instance]
        yield Sample(path, f"/partitions/copies-{copy}" if copy > 1 else "", instance)


def send(method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """One exchange; gives the status and body, whatever the status."""
    request = urllib.request.Request(url, data=body, headers=headers or {}, method=method)  # noqa: S310 (http only)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310  # nosec B310
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def store_and_compare(base: str, sample: Sample) -> tuple[str, str]:
    """``stored``, ``refused`` or ``failed``, and why if not stored. A sample stored before counts as stored."""
    data = sample.path.read_bytes()
    partition = f"{base}{sample.partition}"
    status, answer = send("POST", f"{partition}/studies", data, {"Content-Type": "application/dicom"})
    said = read(status, answer, wait=0, alone=True)
    if not said.items or said.trouble:
        return "failed", said.reason
    if said.items[0].outcome is Outcome.FAILED:
        return "refused", said.items[0].reason
    status, returned = send("GET", f"{partition}/{sample.instance}", headers={"Accept": "application/dicom"})
    if status != 200 or returned != data:
        return "failed", f"its retrieval answered {status}, {'with' if returned == data else 'not with'} its bytes"
    return "stored", ""


def main() -> int:
    """Exit status 0 when every sample that was accepted came back as it was sent."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="the running service (default: %(default)s)")
    base = parser.parse_args().url.rstrip("/") + "/v2"
    warnings.simplefilter("ignore")  # pydicom's remarks on its own deliberately odd samples
    try:
        send("GET", f"{base}/studies?limit=1")
    except urllib.error.URLError as error:
        print(f"No service answers at {base}: {error.reason}. Start one with `make run`.", file=sys.stderr)
        return 2
    count: Counter[str] = Counter()
    for sample in samples():
        outcome, reason = store_and_compare(base, sample)
        count[outcome] += 1
        if reason:
            print(f"{sample.path.name} {outcome}: {reason}")
        elif sys.stdout.isatty():
            print(f"\r{count['stored']} stored", end="\r", flush=True)
    print(
        f"{count['stored']} files stored and fetched back byte for byte, "
        f"{count['refused']} refused, {count['failed']} failed."
    )
    print(
        "Try next:\n"
        f"  curl '{base}/studies?PatientName=*&limit=5'\n"
        f"  curl '{base}/studies?ModalitiesInStudy=CT&includefield=all'\n"
        f"  curl '{base}/partitions'\n"
        f"  curl --compressed '{base}/instances?SOPClassUID=1.2.840.10008.5.1.4.1.1.2'"
    )
    return 1 if count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
