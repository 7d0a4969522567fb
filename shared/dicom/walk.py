"""What the open containers of a data set share while it is read."""

from typing import Protocol

from shared.dicom.frames import Encapsulation
from shared.dicom.limits import ScanLimits
from shared.dicom.model import ByteRange
from shared.errors import HostileInstance


class Container(Protocol):
    """A data set, a sequence or encapsulated data that has begun and not ended."""

    def read(self, buffer: bytes, position: int) -> int:
        """Read on from ``position`` and give the new one.

        Returns when the buffer ends (having called ``Walk.wait``) or another container is to read on.
        """


class Walk:
    """One pass over the bytes of a data set, with a buffer at a time.

    ``container`` is the innermost open one. ``base`` is the offset in the file of the buffer's first byte.
    ``need`` counts the bytes without which the next call can't get on. ``bulk`` has the ranges left in the
    file by reference. ``disordered`` tells that some tags were not in ascending order. ``offset_tables`` has
    the Extended Offset Table and its lengths by tag, ``encapsulation`` the fragments of the pixel data.
    """

    __slots__ = (
        "_elements",
        "_left",
        "_values",
        "base",
        "bulk",
        "container",
        "disordered",
        "encapsulation",
        "limits",
        "need",
        "offset_tables",
    )

    container: Container

    def __init__(self, limits: ScanLimits) -> None:
        self.base = 0
        self.limits = limits
        self.need = 0
        self.bulk: dict[str, tuple[ByteRange, ...]] = {}
        self.disordered = False
        self.offset_tables: dict[int, bytes] = {}
        self.encapsulation: Encapsulation | None = None
        self._elements = 0
        self._left = 0
        self._values = 0

    def read(self, buffer: bytes) -> int:
        """Read as far as the buffer goes. Gives the bytes used up, more than it has when a value is skipped.

        What was not used up has to begin the next buffer. Raises InvalidInstance, HostileInstance.
        """
        self.need = 0
        position = 0
        while not self.need:
            position = self.container.read(buffer, position)
        self.base += position
        return position

    def close(self) -> None:
        """End the pass. The innermost container and the walk know each other: both would wait for the collector."""
        del self.container

    def wait(self, position: int, need: int) -> int:
        """Stop at ``position`` until ``need`` bytes from there are at hand."""
        if need > self.limits.text:
            raise HostileInstance(f"A value that is not bulk data is longer than {self.limits.text} bytes.")
        if self.base + position + need - self._left > self.limits.header:
            raise HostileInstance(f"The data set without bulk data is longer than {self.limits.header} bytes.")
        self.need = need
        return position

    def leave(self, length: int) -> None:
        """Note that ``length`` bytes stay in the file without having been kept."""
        self._left += length

    def count(self, elements: int) -> None:
        """Note more elements, items or fragments."""
        self._elements += elements
        if self._elements > self.limits.elements:
            raise HostileInstance(f"The data set has more than {self.limits.elements} elements and items.")

    def count_values(self, values: int) -> None:
        """Note more values than one for each element, by their separators."""
        self._values += values
        if self._values > self.limits.values:
            raise HostileInstance(f"The data set has more than {self.limits.values} values.")
