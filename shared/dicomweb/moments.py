"""Moments in JSON and in query parameters: ISO 8601 outside, microseconds since the epoch, UTC, inside."""

import re
from datetime import datetime, timedelta

_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
_MOMENT = re.compile(
    r"(?P<minute>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,9}))?)?"
    r"(?:Z|(?P<sign>[+\- ])(?P<hours>[0-9]{1,2})(?::?(?P<minutes>[0-9]{1,2}))?)",
    re.IGNORECASE,
)
_MAX_OFFSET = 14 * 60
"""Minutes; no place on earth is further from UTC."""


def moment_text(moment: int) -> str:
    """A moment in UTC with all six digits of its fraction. ``parse_moment`` gives it back."""
    return (_EPOCH + moment * _MICROSECOND).isoformat(timespec="microseconds") + "Z"


def parse_moment(text: str) -> int | None:
    """The moment that a date and time with ``Z`` or an offset from UTC names; None if it is none.

    A space counts as the plus sign of an offset, which is what query strings make of it. Finer fractions, as .NET and
    Go write them, are rounded up, so that of whole microseconds the same ones are before the moment as without.
    """
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    try:
        local = datetime.fromisoformat(f"{found['minute'].upper()}:{found['second'] or '00'}")
    except ValueError:
        return None
    offset = int(found["hours"] or 0) * 60 + int(found["minutes"] or 0)
    if offset > _MAX_OFFSET or int(found["minutes"] or 0) > 59:
        return None
    nanoseconds = int((found["fraction"] or "").ljust(9, "0"))
    east = -1 if found["sign"] == "-" else 1
    microseconds = -(-nanoseconds // 1000)
    return (local - _EPOCH) // _MICROSECOND + microseconds - east * offset * 60_000_000
