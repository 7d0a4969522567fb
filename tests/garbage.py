"""What only the garbage collector lets go of: memory that a busy server has to wait for."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def garbage() -> Iterator[list[str]]:
    """The types of our own objects that were in reference cycles, and of which nobody knew, when the block ended."""
    found: list[str] = []
    gc.collect()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        types = {type(each) for each in gc.garbage}
        found += sorted(each.__qualname__ for each in types if each.__module__.startswith(("shared.", "functions.")))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
