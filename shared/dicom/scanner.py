"""Scans a DICOM Part 10 file as its bytes arrive, keeping no more than its header.

The bytes go through once. What comes out is the data set in the DICOM JSON model and where in the file the
bulk data and the frames are. Lenient in what it takes, much as pydicom is.
"""

from collections.abc import Iterator
from typing import Final

from shared.dicom.deflate import Inflater
from shared.dicom.file_meta import DataSetStart, FileMetaReader, PreambleReader, not_part10
from shared.dicom.frames import encapsulated_frames, native_frames
from shared.dicom.limits import DEFAULT_LIMITS, MIB, ScanLimits
from shared.dicom.model import Chunk, DataSet, Frames, Part10
from shared.dicom.transfer_syntax import is_native
from shared.dicom.walk import Walk
from shared.errors import TruncatedInstance

_SLICE: Final = MIB
"""Most bytes read at once, so that limits are checked in between."""
_AT_ONCE: Final = 64 * 1024
_FIRST: Final = 512
_INFLATED: Final = 1032
"""Most bytes that a deflated one becomes."""


class Scanner:
    """One scan: ``feed`` all bytes of a file in chunks of any size, then ``finish``.

    Both raise InvalidInstance or one of its kinds; the scan is over then.
    """

    def __init__(self, limits: ScanLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._walk = Walk(limits)
        self._start = DataSetStart(self._walk)
        self._file_meta = FileMetaReader(self._walk, self._start)
        self._walk.container = PreambleReader(self._walk, self._file_meta)
        self._inflater: Inflater | None = None
        self._held = bytearray()
        self._skip = 0
        self._length = 0

    def __del__(self) -> None:
        self._walk.close()

    @property
    def header(self) -> DataSet | None:
        """The data set as far as it has been read, None before it begins. It goes on growing."""
        return self._start.data_set.elements if self._start.data_set else None

    @property
    def memory(self) -> int:
        """About how many bytes the data set takes by now, rather too many than too few."""
        return self._walk.memory + len(self._held)

    @property
    def at_once(self) -> int:
        """Bytes to feed at once if ``memory`` is to be looked at before it grew by much.

        Deflated bytes become a thousand times as many at most; what is skipped of those takes no memory.
        """
        if self._inflater:
            return min(max(self._skip // _INFLATED, _FIRST), _AT_ONCE)
        return max(self._skip, _AT_ONCE) if self._start.data_set else _FIRST

    def feed(self, chunk: Chunk) -> None:
        """Take the next bytes of the file. Of those that stay there none is copied."""
        self._length += len(chunk)
        position = 0
        while position < len(chunk):
            if self._inflater:
                self._inflate(self._inflater, bytes(chunk[position:]))
                return
            position += self._skipped(len(chunk) - position)
            part = bytes(chunk[position : position + _SLICE])
            position += len(part)
            self._read(part)

    def finish(self) -> Part10:
        """End the file. Raises NotPart10 or TruncatedInstance if it can't end here."""
        if isinstance(self._walk.container, PreambleReader):
            raise not_part10(self._length)
        if self._walk.container is self._file_meta:
            self._file_meta.end()
        self._check_complete()
        dataset: DataSet = {}
        if self._start.data_set:
            self._start.data_set.close()
            dataset = self._start.data_set.elements
        walk = self._walk
        if walk.disordered:
            references = set(_references(self._file_meta.elements)).union(_references(dataset))
            walk.bulk = {reference: walk.bulk[reference] for reference in walk.bulk if reference in references}
        return Part10(
            transfer_syntax=self._start.transfer_syntax,
            file_meta=self._file_meta.elements,
            dataset=dataset,
            bulk=walk.bulk,
            frames=self._frames(dataset),
            length=self._length,
        )

    def _inflate(self, inflater: Inflater, chunk: bytes) -> None:
        for piece in inflater.inflate(chunk):
            self._read(piece[self._skipped(len(piece)) :])

    def _skipped(self, length: int) -> int:
        """How many of the next ``length`` bytes belong to a value that stays in the file."""
        skipped = min(self._skip, length)
        self._skip -= skipped
        return skipped

    def _read(self, part: bytes) -> None:
        """Read what is held and ``part``, once that is enough to get on; hold what is left over."""
        held = self._held
        if held or len(part) < self._walk.need:
            held += part
            if len(held) < self._walk.need:
                return
            part = bytes(held)
            held.clear()
        used = self._walk.read(part)
        self._skip = max(0, used - len(part))
        held += part[used:]
        if self._start.deflated and self._inflater is None and self._walk.container is self._start:
            self._inflater = Inflater(self._limits.inflated)
            rest = bytes(held)
            held.clear()
            self._inflate(self._inflater, rest)

    def _check_complete(self) -> None:
        """Raise unless the file ends behind an element of the outermost data set, or zeros that pad it."""
        inflated = self._inflater.ended if self._inflater else not self._start.deflated
        outermost = self._walk.container in (self._start, self._start.data_set)
        if self._skip or not inflated or not outermost:
            raise TruncatedInstance("The file ends within an element, a sequence or the pixel data.")
        if any(self._held):
            raise TruncatedInstance("The file ends within an element.")

    def _frames(self, dataset: DataSet) -> Frames | None:
        transfer_syntax = self._start.transfer_syntax
        walk = self._walk
        if walk.encapsulation:
            return encapsulated_frames(dataset, transfer_syntax, walk.encapsulation, walk.offset_tables)
        return native_frames(dataset, walk.bulk) if is_native(transfer_syntax) else None


def scan(data: bytes, limits: ScanLimits = DEFAULT_LIMITS) -> Part10:
    """Scan a whole file at once. Raises as Scanner does."""
    scanner = Scanner(limits)
    scanner.feed(data)
    return scanner.finish()


def _references(dataset: DataSet) -> Iterator[str]:
    for element in dataset.values():
        if "BulkDataURI" in element:
            yield element["BulkDataURI"]
        elif element["vr"] == "SQ":
            for item in element.get("Value", ()):
                yield from _references(item)
