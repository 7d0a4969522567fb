"""Reading the data set that answers a store request (PS3.18 10.5.3)."""

from typing import Any, TypeAlias

import httpx

Entry: TypeAlias = dict[str, Any]

RETRIEVE_URL = "00081190"
FAILED = "00081198"
REFERENCED = "00081199"
SOP_CLASS = "00081150"
SOP_INSTANCE = "00081155"
WARNING = "00081196"
REASON = "00081197"
FAILED_ATTRIBUTES = "00741048"
ERROR_COMMENT = "00000902"

VALIDATION_FAILED = 0xA900
STUDY_MISMATCH = 0xA901
ALREADY_STORED = 0xB00E
BEING_STORED = 0xB00F


def failed(answer: httpx.Response) -> list[Entry]:
    found: list[Entry] = answer.json().get(FAILED, {}).get("Value", [])
    return found


def referenced(answer: httpx.Response) -> list[Entry]:
    found: list[Entry] = answer.json().get(REFERENCED, {}).get("Value", [])
    return found


def reasons(answer: httpx.Response) -> list[int]:
    return [entry[REASON]["Value"][0] for entry in failed(answer)]


def uids(entries: list[Entry]) -> list[str]:
    return [entry[SOP_INSTANCE]["Value"][0] for entry in entries]


def comments(entry: Entry) -> list[str]:
    items = entry.get(FAILED_ATTRIBUTES, {}).get("Value", [])
    return [item[ERROR_COMMENT]["Value"][0] for item in items]
