"""How much of a received file is read into memory before it is refused."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ScanLimits:
    """Bounds of one scan. All but the first two end the scan with HostileInstance when passed.

    ``inline``: a binary value (OB, OW, ..., UN) longer than this many bytes is left in the file and given
    as BulkDataURI; pixel data always is.
    ``array``: likewise for a value of binary numbers (US, FL, ...) or attribute tags; not under 65,535.
    ``text``: bytes of one text value, offset table or other value that has to be read whole.
    ``header``: bytes of file meta and data set without the values left in the file.
    ``elements``: elements, items and fragments at all levels: about 500 bytes of memory each. Room for an
    enhanced multi-frame object of 20,000 frames with 40 elements each.
    ``values``: values of text elements at all levels beyond one each, such as the numbers of contours.
    ``depth``: sequences within sequences.
    ``inflated``: bytes of a deflated data set once inflated.
    """

    inline: int = 1024
    array: int = 64 * 1024
    text: int = 16 * MIB
    header: int = 64 * MIB
    elements: int = 1_000_000
    values: int = 10_000_000
    depth: int = 50
    inflated: int = 1024 * MIB


DEFAULT_LIMITS = ScanLimits()
