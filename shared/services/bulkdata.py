"""Frames and bulk data of an instance: where they lie, from the layout that the index keeps."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from shared.dicom.layout import FrameTable, Layout, decode_layout, frame_bytes, frame_ranges
from shared.dicom.model import NativeFrames
from shared.dicom.transfer_syntax import EXPLICIT_VR_BIG_ENDIAN
from shared.dicomweb.media_types import frame_media_type, frame_transfer_syntax, with_transfer_syntax
from shared.dicomweb.segments import inflated
from shared.errors import NotFound
from shared.services.context import Services
from shared.services.extents import Extent, read_part
from shared.storage.index.model import StoredInstance


@dataclass(frozen=True, slots=True)
class PixelData:
    """The frames of one instance. ``tag`` is the reference of its pixel data."""

    stored: StoredInstance
    frames: NativeFrames | FrameTable

    @property
    def tag(self) -> str:
        return self.frames.tag

    @property
    def count(self) -> int:
        return self.frames.count

    @property
    def content_type(self) -> str:
        """How a frame is labelled."""
        syntax = self.stored.transfer_syntax
        return with_transfer_syntax(frame_media_type(syntax), frame_transfer_syntax(syntax))

    @property
    def packed(self) -> bool:
        """Whether frames share bytes with their neighbours, so that ``unpacked`` has to part them."""
        return isinstance(self.frames, NativeFrames) and self.frames.frame_bits % 8 != 0

    def extent(self, number: int) -> Extent:
        """Where frame ``number`` (from 1) lies. Raises NotFound."""
        try:
            return Extent(frame_ranges(self.frames, number - 1))
        except IndexError:
            raise NotFound("The specified frame cannot be found.") from None

    def read(self, services: Services, number: int, offset: int, length: int) -> AsyncIterator[bytes]:
        """Part of the bytes where frame ``number`` lies. A native one is read as a part of the whole value, whose
        words need not begin and end where the frame does."""
        extent = self.extent(number)
        if isinstance(self.frames, NativeFrames):
            value = self.frames.value
            offset += extent.ranges[0].offset - value.offset
            extent = Extent((value,), self.frames.vr)
        return read_part(services, self.stored, extent, offset, length)

    async def unpacked(self, services: Services, number: int) -> bytes:
        """A bit-packed frame, moved to begin at a byte's first bit."""
        raw = b"".join([chunk async for chunk in self.read(services, number, 0, self.extent(number).length)])
        return frame_bytes(self.frames, number - 1, raw) if isinstance(self.frames, NativeFrames) else raw


def pixel_data(stored: StoredInstance) -> PixelData:
    """An instance's frames. Raises NotFound if it has none."""
    frames = decode_layout(stored.layout).frames
    if frames is None:
        raise NotFound("The specified frame cannot be found.")
    return PixelData(stored, frames)


def compressed_pixel_data(stored: StoredInstance, reference: str) -> PixelData | None:
    """The frames, if ``reference`` names compressed pixel data that can be told apart into frames."""
    frames = decode_layout(stored.layout).frames
    return PixelData(stored, frames) if isinstance(frames, FrameTable) and frames.tag == reference else None


@dataclass(frozen=True, slots=True)
class BulkValue:
    """One bulk data value. ``reference`` is its path in the data set, as in BulkDataURI."""

    reference: str
    extent: Extent


def bulk_value(stored: StoredInstance, reference: str) -> BulkValue:
    """The value that a BulkDataURI of the instance names. Raises NotFound."""
    layout = decode_layout(stored.layout)
    try:
        return _value(stored, layout, reference)
    except KeyError:
        raise NotFound("The specified bulk data cannot be found.") from None


def bulk_values(stored: StoredInstance) -> Iterator[BulkValue]:
    """Every bulk data value of the instance."""
    layout = decode_layout(stored.layout)
    for reference in layout.bulk:
        yield _value(stored, layout, reference)


def _value(stored: StoredInstance, layout: Layout, reference: str) -> BulkValue:
    ranges = layout.bulk[reference]
    big_endian = stored.transfer_syntax == EXPLICIT_VR_BIG_ENDIAN
    return BulkValue(reference, Extent(ranges, _vr(stored, reference) if big_endian else "OB"))


def _vr(stored: StoredInstance, reference: str) -> str:
    """The VR of the element at ``TAG/ITEM/TAG…``."""
    dataset: dict[str, Any] = orjson.loads(inflated(stored.metadata))
    *sequences, tag = reference.split("/")
    for sequence, item in zip(sequences[::2], sequences[1::2], strict=True):
        dataset = dataset[sequence]["Value"][int(item)]
    return str(dataset[tag]["vr"])
