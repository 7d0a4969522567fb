"""Private attributes told by their creator instead of by the block it happens to have (PS3.5 7.8.1)."""

from shared.dicom.model import DataSet
from shared.errors import BadRequest

_BLOCKS = tuple(f"{block:02X}" for block in range(0x10, 0x100))


class PrivateBlocks:
    """Which creator reserves which block of private attributes, in one data set or item.

    ``reserved`` are the private creators that ``place`` had to add, as elements.
    """

    def __init__(self, dataset: DataSet) -> None:
        self.reserved: DataSet = {}
        self._creators: dict[str, str] = {}
        self._first: dict[tuple[str, str], str] = {}
        for tag, element in dataset.items():
            values = element.get("Value")
            if is_private(tag) and tag[4:6] == "00" and tag[6:] in _BLOCKS and values and isinstance(values[0], str):
                self._reserve(tag[:4] + tag[6:], values[0])

    def shown(self, tag: str) -> tuple[str, str | None]:
        """The tag as ``gggg00ee`` and its creator; as it is if it has none (PS3.19 table A.1.5-2).

        The block stays where the same creator reserves an earlier one too, or else two tags would become one.
        """
        creator = self._creators.get(tag[:6])
        if creator is None:
            return tag, None
        return f"{tag[:4]}00{tag[6:]}" if self._first[tag[:4], creator] == tag[:6] else tag, creator

    def place(self, tag: str, creator: str) -> str:
        """The tag with a block of its creator's: the one it has, one that is reserved, or a new one.

        Raises BadRequest when the group has no block left.
        """
        block = tag[:6]
        if self._creators.get(block) != creator:
            block = self._first.get((tag[:4], creator)) or self._add(tag, creator)
        return block + tag[6:]

    def _add(self, tag: str, creator: str) -> str:
        group, wanted = tag[:4], tag[4:6]
        choice = (wanted, *_BLOCKS) if wanted in _BLOCKS else _BLOCKS
        free = next((block for block in choice if group + block not in self._creators), None)
        if free is None:
            raise BadRequest(f"Group {group} has more private creators than blocks.")
        self._reserve(group + free, creator)
        self.reserved[f"{group}00{free}"] = {"vr": "LO", "Value": [creator]}
        return group + free

    def _reserve(self, block: str, creator: str) -> None:
        self._creators[block] = creator
        self._first.setdefault((block[:4], creator), block)


def is_private(tag: str) -> bool:
    """Whether the group is odd: private creators and what is private to them."""
    return int(tag[:4], 16) % 2 == 1
