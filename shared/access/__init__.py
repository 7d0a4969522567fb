"""Who calls, and what they may do where."""

from shared.access.access import Access, open_access
from shared.access.principal import ANYONE, Kind, Principal
from shared.access.roles import DataAction, Permissions

__all__ = ["ANYONE", "Access", "DataAction", "Kind", "Permissions", "Principal", "open_access"]
