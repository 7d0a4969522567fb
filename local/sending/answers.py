"""Reading the answer to a store request (PS3.18 10.5.3), also that of another server than ours."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from local.sending.model import File, Instance, Outcome, Result
from shared.dicomweb.codes import FailureReason

Settled = tuple[list[Result], list[list[Instance]]]
"""What is known of the instances of a request, and those that have to be sent again, by request."""

_DUPLICATE_SOP_INSTANCE = 0x0111
"""What other servers say of an instance that they have (PS3.7 C.5.6)."""
_EXISTS = frozenset({FailureReason.INSTANCE_EXISTS.value, _DUPLICATE_SOP_INSTANCE})
_PASSING = frozenset({FailureReason.PROCESSING_FAILURE.value, FailureReason.INSTANCE_BEING_STORED.value})
_FAILURES = {reason.value: reason.meaning for reason in FailureReason}

_FAILED_SOP_SEQUENCE = "00081198"
_REFERENCED_SOP_SEQUENCE = "00081199"
_SOP_INSTANCE_UID = "00081155"
_WARNING_REASON = "00081196"
_FAILURE_REASON = "00081197"
_FAILED_ATTRIBUTES_SEQUENCE = "00741048"
_ERROR_COMMENT = "00000902"

_TAKEN = (200, 202)
_MAX_REASON = 300


class Trouble(Enum):
    """Why a request may fare better at another time: no connection, too much to do, or it broke on the way."""

    UNREACHABLE = auto()
    BUSY = auto()
    BROKEN = auto()


_TROUBLES = {
    408: Trouble.BROKEN,
    429: Trouble.BUSY,
    500: Trouble.BROKEN,
    502: Trouble.BROKEN,
    503: Trouble.BUSY,
    504: Trouble.BROKEN,
}


@dataclass(frozen=True, slots=True)
class Item:
    """What an answer says of one instance; ``passing`` that it may fare better at another time."""

    uid: str | None
    outcome: Outcome
    reason: str = ""
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request: its status, 0 if there was none, and what is said of each instance, if it is.

    ``wait`` is in seconds. ``unreadable`` is the file that could not be read while it was sent, ``content`` what the
    answer holds as JSON.
    """

    status: int
    reason: str = ""
    items: list[Item] | None = None
    trouble: Trouble | None = None
    wait: float = 0.0
    unreadable: File | None = None
    content: Any = None


def read(status: int, body: bytes, wait: float, alone: bool) -> Answer:
    """The answer in our words. ``alone`` says that the request held one instance."""
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    dataset = content[0] if isinstance(content, list) and content else content
    items = _items(dataset)
    trouble = _TROUBLES.get(status)
    if items and alone and items[0].passing:
        trouble = Trouble.BROKEN
    return Answer(status, _reason(status, dataset), items, trouble, wait, content=content)


def _items(dataset: Any) -> list[Item] | None:
    try:
        return [
            *(_stored(item) for item in dataset.get(_REFERENCED_SOP_SEQUENCE, {}).get("Value", ())),
            *(_failed(item) for item in dataset.get(_FAILED_SOP_SEQUENCE, {}).get("Value", ())),
        ] or None
    except (AttributeError, TypeError, ValueError, KeyError, IndexError):
        return None


def _stored(item: Any) -> Item:
    comments = _comments(item)
    warned = bool(comments) or _first(item, _WARNING_REASON) is not None
    return Item(_first(item, _SOP_INSTANCE_UID), Outcome.STORED_WITH_WARNINGS if warned else Outcome.STORED, comments)


def _failed(item: Any) -> Item:
    uid, code = _first(item, _SOP_INSTANCE_UID), int(_first(item, _FAILURE_REASON))
    if code in _EXISTS:
        return Item(uid, Outcome.EXISTS)
    reason = _comments(item) or _FAILURES.get(code) or f"The server gives the failure reason {code:04X}H."
    return Item(uid, Outcome.FAILED, reason, code in _PASSING)


def _first(item: Any, tag: str) -> Any:
    return item.get(tag, {}).get("Value", [None])[0]


def _comments(item: Any) -> str:
    attributes = item.get(_FAILED_ATTRIBUTES_SEQUENCE, {}).get("Value", ())
    return " ".join(str(_first(attribute, _ERROR_COMMENT)) for attribute in attributes)


def _reason(status: int, content: Any) -> str:
    """What the answer as a whole says of itself (RFC 9457)."""
    said = content.get("detail") or content.get("title") if isinstance(content, dict) else None
    return f"The server answered {status}: {said}"[:_MAX_REASON] if said else f"The server answered {status}."


def settle(answer: Answer, together: Sequence[Instance]) -> Settled:
    """What became of the instances that were sent together.

    Those that can't be told are to be sent again, in smaller requests; one that was alone is always settled.
    """
    if answer.unreadable is not None:
        rest = [instance for instance in together if instance.file is not answer.unreadable]
        return [Result(answer.unreadable, Outcome.FAILED, answer.reason)], [rest] if rest else []
    if len(together) == 1:
        return [_alone(answer, together[0].file)], []
    if answer.items is None:
        half = len(together) // 2
        return [], [list(together[half:]), list(together[:half])]
    return _each(answer.items, together)


def _alone(answer: Answer, file: File) -> Result:
    if answer.items:
        return Result(file, answer.items[0].outcome, answer.items[0].reason)
    if answer.status in _TAKEN:
        return Result(file, Outcome.STORED)
    return Result(file, Outcome.FAILED, answer.reason)


def _each(items: Sequence[Item], together: Sequence[Instance]) -> Settled:
    said = {item.uid: item for item in items if not item.passing}
    results: list[Result] = []
    again: list[list[Instance]] = []
    for instance in together:
        item = said.get(instance.uid)
        if item is None:
            again.append([instance])
        else:
            results.append(Result(instance.file, item.outcome, item.reason))
    return results, again
