"""Documents of the container ``catalog`` that one process changes at a time."""

from uuid import uuid4

from shared.storage.index.cosmos.container import Container, Document, Operation
from shared.storage.index.cosmos.patience import Patience


async def take_place(catalog: Container, before: Document | None, after: Document, patience: Patience) -> bool:
    """Write a document in the place of one that was read, None for none; gives whether that was still there.

    ``mark`` tells a write of one's own whose answer was lost from another's.
    """
    name, kind, mark = after["id"], after["kind"], uuid4().hex
    document = after | {"mark": mark}
    operation: Operation = ("create", (document,), {})
    if before is not None:
        operation = ("replace", (name, document), {"if_match_etag": before["_etag"]})
    if await catalog.batch([operation], [kind], patience) is not None:
        return True
    found = await catalog.read(name, [kind], patience)
    return found is not None and found["mark"] == mark
