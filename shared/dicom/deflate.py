"""Inflates a deflated data set piece by piece (PS3.5 A.5, RFC 1951)."""

import zlib
from collections.abc import Iterator
from typing import Final

from shared.dicom.limits import MIB
from shared.errors import HostileInstance, InvalidInstance

_PIECE: Final = MIB


class Inflater:
    """A raw deflate stream. What follows its end, such as a padding byte, is ignored."""

    def __init__(self, limit: int) -> None:
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
        self._limit = limit
        self._left = limit

    @property
    def ended(self) -> bool:
        """Whether the stream is complete."""
        return self._stream.eof

    def inflate(self, chunk: bytes) -> Iterator[bytes]:
        """What the chunk inflates to, at most a mebibyte at a time.

        Raises HostileInstance beyond the limit, InvalidInstance if the stream is broken.
        """
        piece = b"more"
        while piece and not self.ended:
            try:
                piece = self._stream.decompress(chunk, _PIECE)
            except zlib.error as error:
                raise InvalidInstance("The deflated data set can't be inflated.") from error
            chunk = self._stream.unconsumed_tail
            self._left -= len(piece)
            if self._left < 0:
                raise HostileInstance(f"The data set inflates to more than {self._limit} bytes.")
            yield piece
