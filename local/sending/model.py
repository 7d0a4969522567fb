"""What is sent, and what can become of it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import IO


@dataclass(frozen=True, slots=True)
class File:
    """A file, or a member of an archive, as it was found.

    ``size`` is in bytes; ``mark`` changes with the content: the time of its last change in ns, or a member's CRC-32.
    """

    name: str
    size: int
    mark: int
    open: Callable[[], IO[bytes]]


@dataclass(frozen=True, slots=True)
class Instance:
    """A file that may hold an instance; ``uid`` is its SOP Instance UID if that could be read."""

    file: File
    uid: str | None


class Outcome(StrEnum):
    """What became of a file."""

    STORED = "stored"
    STORED_WITH_WARNINGS = "stored with warnings"
    EXISTS = "already there"
    HANDED_OVER = "handed over for import"
    NOTED = "sent before"
    WOULD_SEND = "would be sent"
    PASSED_OVER = "passed over"
    FAILED = "failed"


DELIVERED = frozenset({Outcome.STORED, Outcome.STORED_WITH_WARNINGS, Outcome.EXISTS, Outcome.HANDED_OVER})
"""The outcomes after which a file need not be sent again."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a file, with the reason in a sentence unless it speaks for itself."""

    file: File
    outcome: Outcome
    reason: str = ""


class Stop(Exception):
    """Sending can't go on; the message says why."""
