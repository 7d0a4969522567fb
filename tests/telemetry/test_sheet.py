"""Numbers in rows that outlive their process."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from shared.telemetry import sheet
from shared.telemetry.sheet import CELLS, KEY_BYTES, ROWS, Sheet, other_sheets, shared_sheet
from tests.server import ROOT

COUNTING = """
import os, sys
from pathlib import Path
from shared.telemetry.sheet import shared_sheet
made = shared_sheet(Path(sys.argv[1]), "m")
made.numbers[made.row("a")] += 5
print(made.path.name, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as sheets:
        yield sheets


def open_one(opened: ExitStack, folder: Path, meaning: str = "m") -> Sheet:
    made = shared_sheet(folder, meaning)
    opened.callback(made.close)
    return made


def numbers(of: Sheet, key: str) -> float:
    return dict(of.rows())[key][0]


def test_rows_are_made_once_and_hold_what_is_written() -> None:
    made = Sheet()
    a, b = made.row("a"), made.row("b")
    assert a is not None
    assert b is not None
    assert made.row("a") == a
    made.numbers[a] += 2
    made.numbers[b + CELLS - 1] = 0.5
    assert list(made.rows()) == [("a", (2.0, *[0.0] * (CELLS - 1))), ("b", (*[0.0] * (CELLS - 1), 0.5))]
    made.close()


def test_there_is_room_for_so_many_rows() -> None:
    made = Sheet()
    assert all(made.row(str(number)) is not None for number in range(ROWS))
    assert made.row("one more") is None
    assert made.row("0") is not None
    assert len(list(made.rows())) == ROWS
    made.close()


def test_keys_have_their_length() -> None:
    made = Sheet()
    assert made.row("k" * KEY_BYTES) is not None
    assert made.row("k" * (KEY_BYTES + 1)) is None
    assert [key for key, _ in made.rows()] == ["k" * KEY_BYTES]
    made.close()


def test_the_next_one_counts_on(tmp_path: Path) -> None:
    for so_far in range(3):
        made = shared_sheet(tmp_path, "m")
        first = made.row("a")
        assert first is not None
        assert made.numbers[first] == so_far
        made.numbers[first] += 1
        made.close()
    assert [path.name for path in tmp_path.iterdir()] == ["1.sheet"]


def test_each_process_has_its_own(tmp_path: Path, opened: ExitStack) -> None:
    one, two = open_one(opened, tmp_path), open_one(opened, tmp_path)
    assert one.path != two.path
    first = two.row("a")
    assert first is not None
    two.numbers[first] = 3
    assert [(taken, [(key, row[0]) for key, row in rows]) for taken, rows in other_sheets(one)] == [
        (True, [("a", 3.0)])
    ]


def test_what_a_killed_process_counted_stays(tmp_path: Path, opened: ExitStack) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", COUNTING, tmp_path], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    name = process.stdout.readline().strip()
    own = open_one(opened, tmp_path)
    assert own.path
    assert own.path.name != name
    assert [taken for taken, _ in other_sheets(own)] == [True]
    process.kill()
    process.communicate()
    assert [(taken, [row[0] for _, row in rows]) for taken, rows in other_sheets(own)] == [(False, [5.0])]
    heir = open_one(opened, tmp_path)
    assert heir.path
    assert (heir.path.name, numbers(heir, "a")) == (name, 5.0)


def test_numbers_of_another_meaning_are_not_read(tmp_path: Path, opened: ExitStack) -> None:
    old = shared_sheet(tmp_path, "old")
    first = old.row("a")
    assert first is not None
    old.numbers[first] = 7
    second = open_one(opened, tmp_path, "new")
    assert list(other_sheets(second)) == []
    old.close()
    heir = open_one(opened, tmp_path, "new")
    assert list(heir.rows()) == []


@pytest.mark.parametrize("content", [b"", b"x" * 100, os.urandom(4096)])
def test_what_is_no_sheet_is_overwritten(tmp_path: Path, opened: ExitStack, content: bytes) -> None:
    (tmp_path / "1.sheet").write_bytes(content)
    (tmp_path / "2.sheet").write_bytes(content)
    made = open_one(opened, tmp_path)
    assert (list(made.rows()), list(other_sheets(made))) == ([], [])


def test_a_full_disk_is_told_before_anything_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sheet.os, "posix_fallocate", full)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="No space left"):
        shared_sheet(tmp_path, "m")
    assert len(os.listdir("/proc/self/fd")) == before
