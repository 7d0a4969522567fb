"""Load that reads: wrk, which goes round the requests it is given."""

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 8
THREADS = 2

_SCRIPT = """
local headers = {%(headers)s}
local requests = {}
local at = 0
local threads = 0
setup = function(thread)
  thread:set("number", threads)
  threads = threads + 1
end
init = function()
  for path in io.lines(%(file)s) do requests[#requests + 1] = wrk.format("GET", path, headers) end
  at = number - %(threads)d
end
request = function()
  at = (at + %(threads)d) %% #requests
  return requests[at + 1]
end
done = function(summary, latency)
  io.write(string.format(
    '{"requests":%%d,"bytes":%%d,"seconds":%%.6f,"p50":%%.6f,"p99":%%.6f,"failed":%%d,"closed":%%d}',
    summary.requests, summary.bytes, summary.duration / 1e6, latency:percentile(50) / 1e6,
    latency:percentile(99) / 1e6, summary.errors.status + summary.errors.connect + summary.errors.write
    + summary.errors.timeout, summary.errors.read))
end
"""


@dataclass(frozen=True, slots=True)
class Read:
    """What a run of reads came to. Times are in seconds.

    ``closed`` answers ended with their connection, as those of Orthanc do whose length it does not know.
    """

    requests: int
    bytes: int
    seconds: float
    p50: float
    p99: float
    failed: int
    closed: int


def read(origin: str, paths: Sequence[str], headers: Mapping[str, str], seconds: float) -> Read:
    """GET the paths, one after the other and again, over 8 connections; the threads take turns, so that none comes
    twice before all came once. Raises RuntimeError if any of them fails."""
    with tempfile.TemporaryDirectory() as folder:
        listed, file = Path(folder) / "paths", Path(folder) / "load.lua"
        listed.write_text("\n".join(paths))
        headed = ", ".join(f"[{json.dumps(name)}] = {json.dumps(value)}" for name, value in headers.items())
        file.write_text(_SCRIPT % {"file": json.dumps(str(listed)), "headers": headed, "threads": THREADS})
        command = ["wrk", f"-t{THREADS}", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "--timeout", "60s"]
        done = subprocess.run([*command, "-s", str(file), origin], capture_output=True, text=True, check=True)
    found = Read(**json.loads(done.stdout[done.stdout.rindex("{") :]))
    if found.failed or not found.requests or 0 < found.closed < found.requests:
        raise RuntimeError(f"{found.failed + found.closed} of {found.requests} requests failed: {paths[0]}")
    return found
