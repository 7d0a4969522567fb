"""The spool: what fits in, what is in it, and what others find of it."""

from pathlib import Path

import pytest

from shared.storage.audit.spool import Spool, abandoned


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "one.spool"


def test_halves_take_turns(path: Path) -> None:
    spool = Spool(path, half=10)
    assert spool.add(b"1234\n")
    assert spool.add(b"5678\n")
    assert not spool.add(b"\n")
    assert spool.turn() == b"1234\n5678\n"
    assert spool.add(b"9\n")
    spool.settle()
    assert spool.turn() == b"9\n"
    assert spool.turn() == b""
    spool.close()
    assert not path.exists()


def left_in(path: Path) -> bytes:
    with abandoned(path) as found:
        return found


def test_what_is_in_both_halves_is_found_once_it_is_let_go_of(path: Path) -> None:
    spool = Spool(path, half=10)
    spool.add(b"1\n")
    spool.turn()
    spool.add(b"2\n")
    assert left_in(path) == b""
    spool.close(remove=False)
    assert sorted(left_in(path).split()) == [b"1", b"2"]
    assert not path.exists()
    assert left_in(path) == b""


@pytest.mark.parametrize(("everything", "found"), [(False, b"2\n"), (True, b"")])
def test_what_was_settled_is_not_found(path: Path, everything: bool, found: bytes) -> None:
    spool = Spool(path, half=10)
    spool.add(b"1\n")
    spool.turn()
    spool.add(b"2\n")
    spool.settle(everything=everything)
    spool.close(remove=False)
    assert left_in(path) == found


def test_one_that_could_not_be_seen_to_stays(path: Path) -> None:
    spool = Spool(path, half=10)
    spool.add(b"1\n")
    spool.close(remove=False)
    with pytest.raises(ValueError, match="later"), abandoned(path):
        raise ValueError("later")
    assert left_in(path) == b"1\n"


def test_its_name_has_to_be_new(path: Path) -> None:
    path.write_bytes(b"else")
    with pytest.raises(FileExistsError):
        Spool(path)
    assert path.read_bytes() == b"else"
