"""Which UIDs and partition names are well formed, and the UIDs that name this implementation."""

import re
from typing import Any

IMPLEMENTATION_CLASS_UID = "2.25.37041652981356661538480504059229086321"
"""Names this product in the files it writes (PS3.7 D.3.3.2; derived from a UUID by PS3.5 B.2)."""

IMPLEMENTATION_VERSION_NAME = "DICOM_FUNCTIONS"

PARTITION_NAME_RULE = "A partition name is 1 to 64 letters, digits, dots, hyphens or underscores."

_UID = re.compile(r"[0-9.]{0,63}[0-9]").fullmatch
_PARTITION_NAME = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9.\-_]{1,64}").fullmatch


def trim_uid(value: str) -> str:
    """The UID without the spaces and nulls it may be padded with at its end (PS3.5 9.1)."""
    return value.rstrip(" \0")


def is_uid(value: Any) -> bool:
    """Whether the value is 1 to 64 digits and dots ending in a digit, its padding aside.

    Components with leading zeros, which PS3.5 9.1 forbids, are let through: archives are full of them.
    """
    return isinstance(value, str) and _UID(trim_uid(value)) is not None


def is_partition_name(value: Any) -> bool:
    """Whether the value is 1 to 64 of ``A-Z a-z 0-9 . - _`` and no file path's ``.`` or ``..``."""
    return isinstance(value, str) and _PARTITION_NAME(value) is not None
