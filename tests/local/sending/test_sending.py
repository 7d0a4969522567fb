"""``python -m local store`` against the running service: what is found, sent, told and noted."""

import csv
import json
import os
import pty
import re
import subprocess
import termios
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from tests.instances import dataset, new_identity, part10, streamed
from tests.local.sending.conftest import Command, Files, Service
from tests.server import ROOT, free_port

MEMORY_LIMIT = 120 * 1024 * 1024


def counts(output: str) -> dict[str, int]:
    """What the summary, the last line of standard output, says."""
    summary = output.strip().splitlines()[-1].split(". ")[0]
    return {what: int(count) for count, what in (told.split(" ", 1) for told in summary.split(", "))}


def without_patient_id() -> bytes:
    made = dataset(new_identity())
    del made.PatientID
    return part10(made)


def test_a_tree_is_sent_with_archives_and_without_what_is_no_instance(
    store: Command, service: Service, files: Files
) -> None:
    sent = [files.add("a.dcm"), files.add("deep/er/b"), files.add("deep/c.txt")]
    files.add(".hidden.dcm")
    files.add(".git/d.dcm")
    files.add("deep/DICOMDIR")
    (files.folder / "read.me").write_text("No DICOM file, though longer than a preamble. " * 10)
    (files.folder / "empty.dcm").touch()
    os.mkfifo(files.folder / "pipe")
    (files.folder / "deep" / "loop").symlink_to(files.folder)
    member = new_identity()
    with zipfile.ZipFile(files.folder / "more.ZIP", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("in/member.dcm", part10(dataset(member)))
        archive.writestr("__MACOSX/._member.dcm", part10(dataset(new_identity())))
        archive.writestr("in/notes.txt", "none")
    ran = store(files.folder)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert counts(ran.stdout) == {
        "stored": 4, "stored with warnings": 0, "already there": 0, "passed over": 8, "failed": 0,
    }  # fmt: skip
    assert service.instances() == {identity.instance for identity in [*sent, member]}
    assert service.get(member) == part10(dataset(member))


def test_files_that_are_named_are_sent_though_hidden(store: Command, service: Service, files: Files) -> None:
    named = files.add(".named.dcm")
    assert store(files.folder / ".named.dcm").returncode == 0
    assert service.instances() == {named.instance}


def test_what_fails_is_told_with_its_path_and_reason_and_takes_nothing_with_it(
    store: Command, service: Service, files: Files
) -> None:
    good = files.add_many(5)
    (files.folder / "without-patient.dcm").write_bytes(without_patient_id())
    whole = part10(dataset(new_identity()))
    (files.folder / "truncated.dcm").write_bytes(whole[:-5])
    (files.folder / "bare.dcm").write_bytes(whole[whole.index(b"\x08\x00\x16\x00UI") :])
    (files.folder / "dangling.dcm").symlink_to("nowhere")
    (files.folder / "broken.zip").write_bytes(b"no archive")
    ran = store(files.folder)
    assert ran.returncode == 1
    assert counts(ran.stdout)["failed"] == 5
    assert service.instances() == {identity.instance for identity in good}
    for name, reason in {
        "without-patient.dcm": "(0010,0020)",
        "truncated.dcm": "The file ends within",
        "bare.dcm": "'DICM'",
        "dangling.dcm": "No such file",
        "broken.zip": "not a zip file",
    }.items():
        (line,) = [line for line in ran.stderr.splitlines() if line.startswith(f"{files.folder / name} failed: ")]
        assert reason in line


@pytest.mark.parametrize("side", [16, 256, 3000], ids=["in its head", "in its middle", "in a request of its own"])
def test_a_damaged_member_of_an_archive_fails_alone(store: Command, service: Service, files: Files, side: int) -> None:
    members = {name: new_identity() for name in ("a.dcm", "b.dcm", "c.dcm")}
    path = files.folder / "damaged.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, identity in members.items():
            archive.writestr(name, part10(dataset(identity, side=side)))
        end_of_b = archive.getinfo("c.dcm").header_offset
    content = bytearray(path.read_bytes())
    content[end_of_b - 10] ^= 0xFF
    path.write_bytes(content)
    ran = store(path)
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"{path}/b.dcm failed: It can't be read: Bad CRC-32")
    assert service.instances() == {members["a.dcm"].instance, members["c.dcm"].instance}


def test_files_are_noted_and_passed_over_until_they_change(store: Command, service: Service, files: Files) -> None:
    files.add_many(3)
    assert counts(store(files.folder).stdout)["stored"] == 3
    again = store(files.folder)
    assert counts(again.stdout) == {
        "stored": 0, "stored with warnings": 0, "already there": 0, "sent before": 3, "passed over": 0, "failed": 0,
    }  # fmt: skip
    added = files.add("000.dcm")
    assert counts(store(files.folder).stdout)["stored"] == 1
    assert added.instance in service.instances()
    elsewhere = Command(Path(store.environment["XDG_STATE_HOME"]), store.url, f"{store.partition}-other")
    assert counts(elsewhere(files.folder).stdout)["stored"] == 3


def test_what_is_there_already_is_no_failure(store: Command, files: Files) -> None:
    files.add_many(3)
    store(files.folder)
    for arguments in (["--no-resume"], ["--journal", files.folder.parent / "new" / "journal"]):
        ran = store(files.folder, *arguments)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert counts(ran.stdout)["already there"] == 3


def test_copies_in_one_run_are_stored_once(store: Command, service: Service, files: Files) -> None:
    identity = files.add("a.dcm")
    for copy in range(10):
        files.add(f"copy-{copy}.dcm", identity)
    ran = store(files.folder)
    assert ran.returncode == 0
    assert (counts(ran.stdout)["stored"], counts(ran.stdout)["already there"]) == (1, 10)


def test_replace_replaces(store: Command, service: Service, files: Files) -> None:
    identity = files.add("a.dcm", PatientName="Before")
    store(files.folder)
    files.add("a.dcm", identity, PatientName="After")
    assert counts(store(files.folder).stdout)["already there"] == 1
    assert b"Before" in service.get(identity)
    ran = store(files.folder, "--replace")
    assert counts(ran.stdout)["stored"] == 1
    assert b"After" in service.get(identity)


def test_a_dry_run_lists_and_sends_nothing(store: Command, service: Service, files: Files) -> None:
    files.add_many(2)
    (files.folder / "read.me").write_text("no")
    ran = store(files.folder, "--dry-run")
    *listed, _ = ran.stdout.splitlines()
    assert ran.returncode == 0
    assert sorted(listed) == [str(files.folder / "000.dcm"), str(files.folder / "001.dcm")]
    assert counts(ran.stdout)["would be sent"] == 2
    assert service.instances() == set()
    assert counts(store(files.folder).stdout)["stored"] == 2


@pytest.mark.parametrize("form", ["csv", "json"])
def test_the_report_has_a_row_for_each_file(store: Command, files: Files, form: str) -> None:
    files.add("good.dcm")
    warned = part10(dataset(new_identity())).replace(b"20240229", b"29.2.24 ")
    (files.folder / "warned.dcm").write_bytes(warned)
    (files.folder / "bad.dcm").write_bytes(without_patient_id())
    (files.folder / 'read, "me"\n.txt').write_text("no")
    (files.folder / os.fsdecode(b"latin-\xe9.txt")).write_text("no")
    report = files.folder.parent / f"report.{form}"
    assert store(files.folder, "--report", report).returncode == 1
    if form == "csv":
        with report.open(newline="") as file:
            rows = list(csv.DictReader(file))
    else:
        rows = json.loads(report.read_text())
    found = {os.path.basename(row["path"]): row for row in rows}
    assert len(rows) == 5
    assert found["good.dcm"]["outcome"] == "stored"
    assert int(found["good.dcm"]["size"]) == (files.folder / "good.dcm").stat().st_size
    assert found["warned.dcm"]["outcome"] == "stored with warnings"
    assert "(0008,0020)" in found["warned.dcm"]["reason"]
    assert found["bad.dcm"]["outcome"] == "failed"
    assert "(0010,0020)" in found["bad.dcm"]["reason"]
    assert found['read, "me"\n.txt']["outcome"] == "passed over"


def test_a_terminal_is_shown_a_bar(store: Command, files: Files) -> None:
    files.add_many(3)
    terminal, end = pty.openpty()
    termios.tcsetwinsize(end, (24, 100))
    ran = subprocess.run(
        store.arguments(files.folder), cwd=ROOT, env=store.environment, stdout=subprocess.PIPE, stderr=end, check=False
    )
    os.close(end)
    shown = _everything_on(terminal)
    assert ran.returncode == 0
    assert "Sending" in shown
    assert "3 files, 0 failed" in shown


def _everything_on(terminal: int) -> str:
    shown = b""
    with suppress(OSError):  # what reading meets at the end of a terminal
        while read := os.read(terminal, 4096):
            shown += read
    os.close(terminal)
    return shown.decode()


@pytest.mark.parametrize(
    "wrong",
    [
        ["--url", "ftp://127.0.0.1"],
        ["--url", "http://127.0.0.1/v2/partitions/one", "--partition", "two"],
        ["--report", "no/such/folder/report.csv"],
        ["--journal", "/dev/null/journal"],
    ],
)
def test_wrong_usage_is_told(store: Command, files: Files, wrong: list[str]) -> None:
    command = [*store.arguments()[:4], str(files.folder), *wrong]
    ran = subprocess.run(command, cwd=ROOT, env=store.environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stderr.strip()
    assert "Traceback" not in ran.stderr


def test_a_service_out_of_reach_is_told_at_once(store: Command, files: Files) -> None:
    files.add("a.dcm")
    store.url = f"http://127.0.0.1:{free_port()}"
    ran = store(files.folder)
    assert ran.returncode == 2
    assert "can't be reached" in ran.stderr


def test_a_large_file_is_never_whole_in_memory(store: Command, service: Service, files: Files, partition: str) -> None:
    identity = new_identity()
    large = dataset(identity, side=4096, frames=6)
    with (files.folder / "large.dcm").open("wb") as file:
        file.writelines(streamed(large))
    process = store.begin(files.folder)
    highest = 0
    while process.poll() is None:
        highest = max(highest, memory_high_water(process.pid))
        time.sleep(0.02)
    output, _ = process.communicate()
    assert process.returncode == 0
    assert counts(output)["stored"] == 1
    assert service.instances() == {identity.instance}
    assert 0 < highest < MEMORY_LIMIT < (files.folder / "large.dcm").stat().st_size


def memory_high_water(pid: int) -> int:
    """Most resident bytes that the process has had so far; 0 if it is gone."""
    with suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) * 1024 if found else 0
    return 0
