"""A server that is asked to stop answers those who wait for changes, and ends."""

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.server import ROOT, RunningServer

WAITING = 8
SOON = 5.0
ATTEMPTS = 3
KILLED = "refused to gracefully stop"
"""What Granian logs of a worker that did not end. On a busy machine a few in a hundred hang in its own code for no
fault of theirs (https://github.com/emmett-framework/granian/issues/875), so one attempt more is made then."""

HEARING = """
import asyncio, os, signal, sys
import uvloop
from local.stopping import when_asked_to_stop

async def main():
    heard = []
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, heard.append, "server")
    when_asked_to_stop(lambda: heard.append("application"))
    os.kill(os.getpid(), getattr(signal, sys.argv[1]))
    await asyncio.sleep(0.5)
    print(*sorted(heard))

asyncio.Runner(loop_factory={"uvloop": uvloop.new_event_loop, "asyncio": None}[sys.argv[2]]).run(main())
"""


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_application_and_server_hear_of_it(number: str, loop: str) -> None:
    done = subprocess.run([sys.executable, "-c", HEARING, number, loop], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr, done.returncode) == ("application server", "", 0)


@pytest.mark.parametrize("everyone", [False, True], ids=["first process", "all processes"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_those_who_wait_are_answered(tmp_path: Path, number: signal.Signals, everyone: bool) -> None:
    for attempt in range(ATTEMPTS):
        server, seconds, answers = stopped(tmp_path / f"data-{attempt}", number, everyone)
        log = server.log.read_text()
        if KILLED not in log:
            break
    assert seconds < SOON
    assert answers == [(200, [])] * WAITING
    assert "Traceback" not in log
    assert "was destroyed" not in log


def stopped(
    data: Path, number: signal.Signals, everyone: bool
) -> tuple[RunningServer, float, list[tuple[int, object] | None]]:
    """A server stopped while some waited: how long it took, and what they were answered."""
    server = RunningServer(data, workers=2)
    server.start()

    def wait(_: int) -> tuple[int, object] | None:
        try:
            answer = httpx.get(f"{server.url}/v2/changefeed?wait=60", timeout=70)
        except httpx.TransportError:
            return None
        return answer.status_code, answer.json()

    try:
        with ThreadPoolExecutor(WAITING) as pool:
            answers = pool.map(wait, range(WAITING))
            time.sleep(2)
            began = time.monotonic()
            server.stop(number, all_processes=everyone)
            return server, time.monotonic() - began, list(answers)
    finally:
        server.kill()
