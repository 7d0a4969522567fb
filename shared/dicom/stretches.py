"""What the headers of a series have in common, recognised by its bytes instead of read again.

A stretch is the plain elements between two that are not plain. Its form, remembered from data sets before, is runs of
elements whose bytes have always been the same, and gaps: elements whose bytes have not. What a plain element is read
as depends on nothing but its bytes, the encoding and the character set, so a run stands for the same in any data set.
"""

from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from shared.dicom.charsets import Charset
from shared.dicom.model import DataSet
from shared.dicom.transfer_syntax import Encoding

SHORTEST_RUN: Final = 3
"""Elements; fewer are read as fast as they are recognised."""
LONGEST_STRETCH: Final = 8 * 1024
"""Bytes of a stretch whose form is remembered: those of images are shorter."""
MOST_FORMS: Final = 32
"""Of one encoding and character set: a megabyte or two, of hostile headers 16."""

_HEADER: Final = 8
_TAG: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Elements that follow each other in ascending order: their bytes, where in these each ends, what they are."""

    raw: bytes
    ends: tuple[int, ...]
    elements: DataSet
    first: str
    last: str

    def agreed(self, buffer: bytes, position: int) -> int:
        """How many of its elements stand whole in the buffer at ``position``, up to one that differs."""
        low, high = 0, bisect_right(self.ends, len(buffer) - position)
        while low < high:
            middle = (low + high) // 2
            if buffer.startswith(self.raw[: self.ends[middle]], position):
                low = middle + 1
            else:
                high = middle
        return low

    def part(self, start: int, stop: int) -> "Form":
        """The form of its elements from ``start`` up to ``stop``."""
        begin = self.ends[start - 1] if start else 0
        ends = [end - begin for end in self.ends[start:stop]]
        return form_of(self.raw[begin:], ends, dict([*self.elements.items()][start:stop]))


Form: TypeAlias = list[Run | None]
"""Its pieces in order; None is a gap of one element."""


def form_of(raw: bytes, ends: list[int], elements: DataSet) -> Form:
    """The form of elements that stand at the beginning of ``raw``: a run, if they are many and in ascending order."""
    names = [*elements]
    if len(ends) < SHORTEST_RUN or len(names) != len(ends) or names != sorted(names):
        return [None] * len(ends)
    return [Run(raw[: ends[-1]], tuple(ends), elements, names[0], names[-1])]


class Stretch:
    """A stretch being read: while it ``knows`` what comes, that is the ``piece`` to pass; the rest is to ``learn``."""

    __slots__ = ("_ahead", "_forms", "_header", "_length", "_new", "_seen")

    def __init__(self, encoding: Encoding, charset: Charset, buffer: bytes, position: int) -> None:
        self._forms = _forms(encoding.explicit, encoding.little_endian, charset)
        self._header = buffer[position : position + _HEADER]
        form = self._forms.get(self._header)
        self._new = form is None
        self._ahead = [*reversed(form or ())]
        self._seen: Form = []
        self._length = 0

    @property
    def piece(self) -> Run | None:
        """What stands where it ``knows``: a run, or None for one element that is to be read."""
        return self._ahead[-1]

    def knows(self, buffer: bytes, position: int) -> bool:
        """Whether the form tells what stands in the buffer at ``position``, where an element begins."""
        while self._ahead:
            run = self._ahead[-1]
            if run is None or buffer.startswith(run.raw, position):
                return True
            self._ahead.pop()
            self._take_apart(run, buffer, position)
        return False

    def passed(self) -> None:
        """Go on behind the piece."""
        piece = self._ahead.pop()
        self._length += len(piece.raw) if piece else _HEADER
        self._seen.append(piece)

    def may_learn(self, length: int) -> bool:
        """Whether to ``learn`` so many bytes that were read where nothing was known."""
        self._length += length
        return self._length <= LONGEST_STRETCH

    def learn(self, form: Form) -> None:
        """Note the elements behind what was known."""
        self._new = True
        self._seen += form

    def end(self) -> None:
        """Remember its form for the next data set, if there is a run in it."""
        if self._new and any(self._seen) and self._length <= LONGEST_STRETCH:
            if len(self._forms) >= MOST_FORMS:
                self._forms.clear()
            self._forms[self._header] = self._seen

    def _take_apart(self, run: Run, buffer: bytes, position: int) -> None:
        """Expect of a run that does not stand there what does, and a gap where another value stands.

        Behind another tag nothing more is expected. A buffer that ends within the element does not change the form.
        """
        agreed = run.agreed(buffer, position)
        begin, end = (run.ends[agreed - 1] if agreed else 0), run.ends[agreed]
        expected = [*run.part(0, agreed), None, *run.part(agreed + 1, len(run.ends))]
        if position + end <= len(buffer):
            self._new = True
            if not buffer.startswith(run.raw[begin : begin + _TAG], position + begin):
                self._ahead.clear()
                expected = run.part(0, agreed)
        self._ahead += reversed(expected)


@lru_cache(maxsize=4)
def _forms(explicit: bool, little_endian: bool, charset: Charset) -> dict[bytes, Form]:
    """The forms that are known, by the first header of their stretch."""
    return {}


def forget() -> None:
    """Forget all forms."""
    _forms.cache_clear()
