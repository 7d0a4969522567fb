"""The port to where records of the audit are kept: lines that are only ever added."""

import os
import re
import secrets
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

DAY_SECONDS = 24 * 3600


class AuditStore(Protocol):
    """Takes lines of text, each ended by a line feed. Used by one task at a time.

    Lines go into one file after the other: at least one a day (UTC) and process, so that no two processes write into
    the same.
    """

    pause: float
    """Seconds to rest after ``keep``, so that the next call has more to do."""

    def write(self, line: bytes) -> bool:
        """Write a line where it outlives this process, if that takes no waiting. Gives whether that was done."""
        ...

    async def keep(self, lines: Sequence[bytes]) -> None:
        """Make durable what ``write`` took, and these lines. Opens what has to be opened.

        Raises StorageError; then all of it, what ``write`` took included, has to be given to ``keep`` again. Some of it
        may have been kept all the same.
        """
        ...

    async def check(self) -> None:
        """Raises StorageError unless lines could be kept."""
        ...

    async def close(self) -> None:
        """Let go of what is open."""
        ...


def file_name(moment: float) -> str:
    """A new name that tells the day of ``moment`` (seconds since the epoch), the machine and the process."""
    host = re.sub(r"[^A-Za-z0-9]+", "-", socket.gethostname())[:64].strip("-")
    day = datetime.fromtimestamp(moment, UTC).date()
    return f"{day}-{host}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
