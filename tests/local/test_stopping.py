"""A server that is asked to stop answers those who wait for changes, and ends."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.server import RunningServer

WAITING = 8
SOON = 5.0


@pytest.mark.parametrize("everyone", [False, True], ids=["first process", "all processes"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_those_who_wait_are_answered(tmp_path: Path, number: signal.Signals, everyone: bool) -> None:
    server = RunningServer(tmp_path / "data", workers=2)
    server.start()

    def wait(_: int) -> httpx.Response:
        return httpx.get(f"{server.url}/v2/changefeed?wait=60", timeout=70)

    try:
        with ThreadPoolExecutor(WAITING) as pool:
            answers = pool.map(wait, range(WAITING))
            time.sleep(1)
            began = time.monotonic()
            server.stop(number, all_processes=everyone)
            assert time.monotonic() - began < SOON
            assert [(answer.status_code, answer.json()) for answer in answers] == [(200, [])] * WAITING
    finally:
        server.kill()
    assert "Traceback" not in server.log.read_text()
    assert "was destroyed" not in server.log.read_text()
