"""What is looked for wherever it may not be told."""

import httpx

MARK = "SECRET"
"""Begins every value that is sent here."""


def marked(told: bytes) -> bool:
    """Whether the mark is there, in upper or lower case."""
    return MARK.encode() in told.upper()


def is_clean(answer: httpx.Response) -> bool:
    """Whether neither body nor headers hold the mark."""
    told = answer.text + str(answer.headers)
    return MARK not in told.upper()
