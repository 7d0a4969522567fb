"""The parts of ``python -m local store`` by themselves, where the whole command would be a long way round."""

import argparse
import asyncio
import email.utils
import io
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from local.sending import connection
from local.sending.answers import Answer, Trouble, read, settle
from local.sending.arguments import add_arguments, target_url
from local.sending.body import Body, Unreadable, multipart_headers
from local.sending.client import Client, Target
from local.sending.connection import Connection, Request, open_session
from local.sending.files import batches, find, inspect, requests
from local.sending.journal import Journal, default_path
from local.sending.model import File, Instance, Outcome, Result, Stop
from tests.instances import dataset, new_identity, part10
from tests.server import free_port

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def file_of(name: str = "a.dcm", size: int = 3, content: bytes = b"abc") -> File:
    return File(name, size, 0, lambda: io.BytesIO(content))


def instance(uid: str | None) -> Instance:
    return Instance(file_of(f"{uid}.dcm"), uid)


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args([*arguments, "."])


@pytest.mark.parametrize(
    ("given", "partition", "expected"),
    [
        ("http://127.0.0.1:8080", None, "http://127.0.0.1:8080/v2"),
        ("http://127.0.0.1:8080/", "one", "http://127.0.0.1:8080/v2/partitions/one"),
        ("http://127.0.0.1:8080/v2/", None, "http://127.0.0.1:8080/v2"),
        ("http://127.0.0.1:8080/v1", None, "http://127.0.0.1:8080/v1"),
        ("https://host/partitions/one", None, "https://host/v2/partitions/one"),
        ("https://host/v2/partitions/one/", None, "https://host/v2/partitions/one"),
        ("https://host/behind/a/proxy/v2", "one", "https://host/behind/a/proxy/v2/partitions/one"),
        ("https://host/dicom-web", None, "https://host/dicom-web"),
        ("http://[::1]:8080", None, "http://[::1]:8080/v2"),
    ],
)
def test_the_url_may_be_given_in_several_forms(given: str, partition: str | None, expected: str) -> None:
    assert target_url(parsed("--url", given).url, partition) == expected


def test_the_url_is_that_of_the_embedded_host_unless_given() -> None:
    assert parsed().url == "http://127.0.0.1:8080/v2"


@pytest.mark.parametrize(
    "wrong",
    [
        ["no-such-file"],
        ["--url", "127.0.0.1:8080"],
        ["--url", "http://127.0.0.1:99999999"],
        ["--url", "http://127.0.0.1/v2?limit=1"],
        ["--partition", "a/b"],
        ["--parallel", "0"],
        ["--batch", "many"],
        ["--report", "report.xml"],
    ],
)
def test_wrong_arguments_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parsed(*wrong)
    assert caught.value.code == 2
    assert "error: argument" in capsys.readouterr().err


def failures(*items: tuple[str | None, int]) -> dict[str, Any]:
    return {
        "00081198": {
            "vr": "SQ",
            "Value": [
                {"00081155": {"vr": "UI", "Value": [uid]}, "00081197": {"vr": "US", "Value": [code]}}
                for uid, code in items
            ],
        }
    }


def answer(status: int, content: object, *, alone: bool = False) -> Answer:
    return read(status, json.dumps(content).encode(), 0.0, alone)


@pytest.mark.parametrize("code", [0xB00E, 0x0111])
def test_what_a_server_has_already_is_no_failure(code: int) -> None:
    results, again = settle(answer(409, failures(("1", code), ("2", 0xA900))), [instance("1"), instance("2")])
    assert [result.outcome for result in results] == [Outcome.EXISTS, Outcome.FAILED]
    assert again == []


def test_a_reason_that_has_no_words_is_told_by_its_number() -> None:
    (result,), _ = settle(answer(409, failures((None, 0xC123)), alone=True), [instance("1")])
    assert result.reason == "The server gives the failure reason C123H."


def test_what_an_answer_leaves_out_is_sent_again_alone() -> None:
    together = [instance("1"), instance("2"), instance("3")]
    results, again = settle(answer(202, [failures(("2", 0xA900))]), together)
    assert [result.file for result in results] == [together[1].file]
    assert again == [[together[0]], [together[2]]]


@pytest.mark.parametrize("content", [[], "text", None, {"00081198": 1}, {"00081198": {"Value": [{"00081197": {}}]}}])
def test_an_answer_in_other_words_is_taken_by_its_status(content: object) -> None:
    together = [instance("1"), instance("2"), instance("3")]
    assert settle(answer(200, content), together) == ([], [together[1:], together[:1]])
    assert settle(answer(200, content), together[:1])[0] == [Result(together[0].file, Outcome.STORED)]
    (failed,), _ = settle(answer(409, content), together[:1])
    assert (failed.outcome, failed.reason) == (Outcome.FAILED, "The server answered 409.")


def test_an_unreadable_file_leaves_the_others_to_be_sent() -> None:
    together = [instance("1"), instance("2")]
    broken_off = Answer(0, "It is gone.", unreadable=together[0].file)
    assert settle(broken_off, together) == (
        [Result(together[0].file, Outcome.FAILED, "It is gone.")],
        [[together[1]]],
    )
    assert settle(broken_off, together[:1])[1] == []


def test_instances_that_an_answer_could_not_tell_apart_go_in_requests_of_their_own() -> None:
    first, twin, other, nameless = instance("1"), instance("1"), instance("2"), instance(None)
    assert requests([first, nameless, twin, other]) == [[nameless], [twin], [first, other]]
    assert requests([nameless]) == [[nameless]]


def test_batches_are_bounded_in_files_and_bytes() -> None:
    sizes = [1, 1, 1, 9, 4, 4, 4, 20, 1]
    found = [file_of(size=size) for size in sizes]
    assert [[each.size for each in batch if isinstance(each, File)] for batch in batches(found, 3, 10)] == [
        [1, 1, 1], [9], [4, 4], [4], [20], [1],
    ]  # fmt: skip
    passed_over = [Result(file_of(size=100), Outcome.PASSED_OVER)] * 5
    assert [len(batch) for batch in batches(passed_over, 3, 10)] == [3, 2]


def test_a_folder_is_entered_once_by_whatever_links_it_is_reached(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("content")
    (tmp_path / "one" / "over").symlink_to(tmp_path / "two")
    (tmp_path / "two" / "back").symlink_to(tmp_path / "one")
    found = list(find([str(tmp_path), str(tmp_path / "one")]))
    assert len(found) == 2
    assert all(isinstance(each, File) and each.size == 7 for each in found)


def test_the_uid_of_a_file_without_preamble_is_read(tmp_path: Path) -> None:
    identity = new_identity()
    content = part10(dataset(identity))
    for begin in (0, 132):
        looked_at = inspect(file_of(content=content[begin:]))
        assert isinstance(looked_at, Instance)
        assert looked_at.uid == identity.instance


async def body_of(files: list[File]) -> bytes:
    boundary, _ = multipart_headers(files)
    return b"".join([chunk async for chunk in Body(lambda: None, lambda size: None).multipart(files, boundary)])


async def test_the_length_of_a_body_is_known_before_it_is_sent() -> None:
    files = [file_of(), file_of(size=0, content=b""), file_of(size=300_000, content=bytes(300_000))]
    _, headers = multipart_headers(files)
    assert len(await body_of(files)) == int(headers["Content-Length"])


@pytest.mark.parametrize("content", [b"ab", b"abcd"], ids=["shorter", "longer"])
async def test_a_file_that_changes_under_way_is_not_sent_to_its_end(content: bytes) -> None:
    with pytest.raises(Unreadable, match="changed while it was being sent"):
        await body_of([file_of(content=content)])


def test_notes_are_by_target_and_content(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    noted = file_of()
    with Journal(path, "one") as journal:
        journal.note(noted)
        journal.note(file_of(size=4))
        journal.note(noted)
    with Journal(path, "one") as journal, Journal(path, "two") as other:
        assert journal.holds(noted)
        assert not journal.holds(file_of(size=4))
        assert not journal.holds(File(noted.name, noted.size, 1, noted.open))
        assert not other.holds(noted)


def test_a_journal_that_is_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_text("This is something else, and should not be overwritten. " * 100)
    with pytest.raises(Stop, match="--journal"):
        Journal(path, "one")
    assert path.read_text().startswith("This is something else")


def test_the_journal_is_in_the_state_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert default_path() == Path("/home/someone/.local/state/dicom-functions/sent.sqlite")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert default_path() == Path("/state/dicom-functions/sent.sqlite")


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[tuple[str, Connection]]:
    """The URL of a server of raw bytes, and a connection to use."""
    server = await asyncio.start_server(handler, "127.0.0.1")
    async with server, open_session(1) as session:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}", Connection(session, lambda size: None)


async def answered(handler: Handler, *, expects: bool = False) -> Answer:
    """What comes of a request to such a server."""
    boundary, headers = multipart_headers([file_of()])
    async with listening(handler) as (url, client):
        request = Request("POST", url, headers, lambda body: body.multipart([file_of()], boundary), expects=expects)
        return await client.tried(request)


def replying(received: list[bytes], *replies: bytes, reads_bodies: bool = True) -> Handler:
    """Answers each request with the next reply, and notes it; ``Expect`` is unknown to it."""
    left = list(replies)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        try:
            body = await reader.readexactly(int(length[1])) if length and reads_bodies else b""
            received.append(head + body)
            writer.write(left.pop(0))
            await writer.drain()
        except asyncio.IncompleteReadError as error:
            received.append(head + error.partial)
        finally:
            writer.close()

    return handle


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


async def test_a_server_that_refuses_a_body_beforehand_is_sent_none() -> None:
    received: list[bytes] = []
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    assert (await answered(replying(received, refusal, reads_bodies=False), expects=True)).status == 413
    assert re.search(rb"(?i)\r\nexpect: 100-continue\r\n", received[0])
    assert b"abc" not in received[0]


async def test_a_server_that_does_not_know_that_it_was_asked_is_sent_the_body(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "_EXPECT_SECONDS", 0.5)
    received: list[bytes] = []
    assert (await answered(replying(received, OK), expects=True)).status == 200
    asked, sent = received
    assert b"abc" not in asked
    assert b"abc" in sent
    assert b"100-continue" not in sent.lower()


async def test_an_answer_that_breaks_off_is_asked_for_again() -> None:
    received: list[bytes] = []
    assert (await answered(replying(received, OK[:-1], OK))).status == 200
    assert len(received) == 2


async def test_a_moment_to_wait_for_may_be_a_date() -> None:
    received: list[bytes] = []
    moment = email.utils.format_datetime(
        email.utils.parsedate_to_datetime(email.utils.formatdate(time.time() + 3)), usegmt=False
    )
    busy = f"HTTP/1.1 429 Slow down\r\nRetry-After: {moment}\r\nContent-Length: 0\r\n\r\n".encode()
    began = time.monotonic()
    assert (await answered(replying(received, busy, OK))).status == 200
    assert 1.5 < time.monotonic() - began < 10


async def test_what_stays_busy_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_FIRST_DELAY", 0.001)
    received: list[bytes] = []
    busy = b"HTTP/1.1 503 Busy\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n"
    given_up = await answered(replying(received, *[busy] * 20))
    assert (given_up.status, given_up.trouble) == (503, Trouble.BUSY)
    assert len(received) == 8


UNREACHABLE_OFFER = {"url": f"http://127.0.0.1:{free_port()}/", "method": "PUT", "headers": {}}


@pytest.mark.parametrize(
    ("offer", "reason"),
    [(UNREACHABLE_OFFER, "can't be reached"), ({"url": None}, "can't be understood"), ([], "can't be understood")],
)
async def test_an_upload_that_can_not_be_made_does_not_stop_the_rest(
    monkeypatch: pytest.MonkeyPatch, offer: object, reason: str
) -> None:
    monkeypatch.setattr(connection, "_FIRST_DELAY", 0.001)
    content = json.dumps(offer).encode()
    replies = [
        b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content),
    ]
    async with listening(replying([], *replies)) as (url, sent_by):
        results = [result async for result in Client(sent_by, Target(url, "POST")).store([instance("1")])]
    ((outcome, told),) = [(result.outcome, result.reason) for result in results]
    assert outcome is Outcome.FAILED
    assert told.startswith("Its upload for import failed.")
    assert reason in told
