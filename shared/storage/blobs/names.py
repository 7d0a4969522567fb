"""The names of instances' blobs: they say all that the bytes don't, so that the index can be made anew from them."""

import re
from dataclasses import dataclass
from typing import Self

from shared.storage.index.port import CommitMode

FOLDERS = 256
_TOGETHER_BITS = 26
"""Versions made within 16 milliseconds share a folder, so that those of one request are made durable by one fsync."""
_SPREAD = 0x9E3779B97F4A7C15
"""2**64 divided by the golden ratio: its multiples are spread evenly over the top bits of 64."""
_MODES = {"c": CommitMode.CREATE, "r": CommitMode.REPLACE}
_LETTERS = {mode: letter for letter, mode in _MODES.items()}
_NAME = re.compile(r"(?P<partition>[^/]+)/[0-9a-f]{2}/(?P<version>[0-9]+)\.(?P<mode>[cr])(?P<api>[12])\.dcm")


@dataclass(frozen=True, slots=True)
class InstanceBlob:
    """Which instance version a blob holds: its partition, and how it was stored under which API version.

    In the order of versions these are the history of an identity: a create that met an existing one came to
    nothing, a replace took its place.
    """

    partition: str
    version: int
    mode: CommitMode
    api_version: int

    @property
    def name(self) -> str:
        """``PARTITION/FOLDER/VERSION.MODE.dcm``, one of 256 folders in each partition."""
        kind = f"{_LETTERS[self.mode]}{self.api_version}"
        return f"{folder(self.partition, self.version)}/{self.version}.{kind}.dcm"

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """What a name says; None for a blob that is no instance."""
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        return cls(match["partition"], int(match["version"]), _MODES[match["mode"]], int(match["api"]))


def folder(partition: str, version: int) -> str:
    """The folder of a partition that a version's blob is kept in."""
    return f"{partition}/{((version >> _TOGETHER_BITS) * _SPREAD >> 56) % FOLDERS:02x}"
