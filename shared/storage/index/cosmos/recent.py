"""Instances looked up a moment ago: whoever reads the frames of one asks for it again and again.

No process hears at once of what another one deletes or replaces. So an instance is remembered for ``LEASE_SECONDS``
from before it was read and no longer, and who deletes or replaces one answers that much later
(``Index.settle_seconds``): by then none is remembered anywhere.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from shared.storage.index.model import InstanceKey, StoredInstance

LEASE_SECONDS = 0.5
MOST_INSTANCES = 1_000
LARGEST_INSTANCE = 64 * 1024
"""Bytes of metadata and layout beyond which an instance is not remembered."""


@dataclass(frozen=True, slots=True)
class _Kept:
    until: float
    instance: StoredInstance


class RecentInstances:
    """A bounded memory; those looked up longest ago are forgotten first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[InstanceKey, _Kept] = OrderedDict()

    def now(self) -> float:
        """The time to be given to ``remember``, from before the instance is read."""
        return self._clock()

    def find(self, key: InstanceKey) -> StoredInstance | None:
        """The instance, if its lease has not ended."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if self._clock() >= kept.until:
            del self._kept[key]
            return None
        return kept.instance

    def remember(self, found: StoredInstance, asked: float) -> None:
        """Keep an instance that was read after ``asked``."""
        if len(found.metadata) + len(found.layout) > LARGEST_INSTANCE:
            return
        self._kept[found.key] = _Kept(asked + LEASE_SECONDS, found)
        self._kept.move_to_end(found.key)
        if len(self._kept) > MOST_INSTANCES:
            self._kept.popitem(last=False)

    def forget(self) -> None:
        """All of them: this process changes something."""
        self._kept.clear()
