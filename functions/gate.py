"""The gate that every request passes: its caller is known, and may do what the function it asks for does."""

import os
from collections.abc import Iterable
from functools import cache

from azurefunctions.extensions.http.fastapi import Request

from functions.open_access import require_own
from shared.access import Access, DataAction, Permissions, open_access
from shared.services.context import Services
from shared.services.partitions import no_such_partition
from shared.settings import settings

EMBEDDED = "DICOM_LOCAL_DATA"
"""The environment variable that the embedded host sets, which without an issuer listens on loopback only."""
AZURE = "WEBSITE_INSTANCE_ID"
"""The one that Azure sets."""


@cache
def access() -> Access:
    """This process's access control. Raises ValueError, which says what is wrong with the settings."""
    return open_access(settings(), may_be_open=EMBEDDED in os.environ and AZURE not in os.environ)


async def admit(req: Request, action: DataAction | None) -> None:
    """Let a request in, or raise Unauthorized or Forbidden; None is a function that anyone may call.

    What changes all partitions takes a caller whose roles are for all of them.
    """
    if action is None:
        return
    if access().open:
        require_own(req, settings())
    req.state.caller = caller = await access().principal(req.headers.get("authorization"))
    access().require(caller, action)
    req.state.permissions = access().permissions(caller)
    if action is DataAction.MANAGE_EXTENDED_QUERY_TAGS and not permissions(req).unrestricted(action):
        raise access().refusal()


def permissions(req: Request) -> Permissions:
    """What the caller of an admitted request may do."""
    found: Permissions = req.state.permissions
    return found


def enter_partition(req: Request, action: DataAction, partition: str, *, named: bool, must_exist: bool) -> None:
    """Raise Forbidden if the caller may not do this in a partition.

    One that the path names and whose data the caller may not even read looks as if it did not exist: BadRequest.
    """
    allowed = permissions(req)
    if allowed.allows(action, partition):
        return
    if named and must_exist and not allowed.allows(DataAction.READ, partition):
        raise no_such_partition()
    raise access().refusal()


async def readable(req: Request, services: Services, wanted: Iterable[str] | None = None) -> tuple[str, ...] | None:
    """Those of the partitions, or of all, whose data the caller may read; None where that is all there are."""
    if permissions(req).unrestricted(DataAction.READ):
        return None if wanted is None else tuple(wanted)
    names = [partition.name for partition in await services.index.partitions()] if wanted is None else wanted
    return tuple(permissions(req).partitions(DataAction.READ, names))
