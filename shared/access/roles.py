"""What roles allow: data actions, each in all or some data partitions."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import StrEnum
from fnmatch import translate
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

ALL = "*"
NOTHING = "(?!)"
"""The regular expression that nothing matches."""
MOST_CACHED = 1024


class DataAction(StrEnum):
    """What a request does with data."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    MANAGE_EXTENDED_QUERY_TAGS = "manageExtendedQueryTags"
    EXPORT = "export"


def _all_for_asterisk(actions: Any) -> Any:
    return tuple(DataAction) if isinstance(actions, list) and ALL in actions else actions


Actions = Annotated[frozenset[DataAction], BeforeValidator(_all_for_asterisk)]
Partition = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.\-_*]{1,64}$")]


class Role(BaseModel):
    """Some actions, less others, in the partitions of these names; ``*`` in a name stands for any characters."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    actions: Annotated[Actions, Field(min_length=1)]
    not_actions: Actions = frozenset()
    partitions: Annotated[tuple[Partition, ...], Field(min_length=1)] = (ALL,)

    @property
    def granted(self) -> frozenset[DataAction]:
        """What it allows: ``not_actions`` take away from this role only."""
        return self.actions - self.not_actions


BUILT_IN = {
    name: Role(name=name, actions=actions)
    for actions, names in (
        (frozenset(DataAction), ("DicomDataOwner", "DICOM Data Owner", "globalAdmin")),
        (frozenset({DataAction.READ}), ("DicomDataReader", "DICOM Data Reader", "globalReader")),
    )
    for name in names
}
"""Named as app roles of Entra ID, which hold no spaces, as by the managed service, and as by the open-source server."""


class Permissions:
    """The union of what some roles allow."""

    def __init__(self, roles: Iterable[Role]) -> None:
        partitions: defaultdict[DataAction, set[str]] = defaultdict(set)
        for role in roles:
            for action in role.granted:
                partitions[action].update(role.partitions)
        self._partitions = {action: _Partitions(names) for action, names in partitions.items()}

    def allows(self, action: DataAction, partition: str) -> bool:
        """Whether the action is allowed in the partition, which need not exist yet."""
        allowed = self._partitions.get(action)
        return allowed is not None and partition in allowed

    def allows_anywhere(self, action: DataAction) -> bool:
        """Whether the action is allowed in at least one partition that could exist."""
        return action in self._partitions

    def unrestricted(self, action: DataAction) -> bool:
        """Whether the action is allowed in all partitions."""
        allowed = self._partitions.get(action)
        return allowed is not None and allowed.all

    def partitions(self, action: DataAction, known: Iterable[str]) -> list[str]:
        """Those of the known partitions in which the action is allowed, in their order."""
        return [name for name in known if self.allows(action, name)]


class _Partitions:
    """A set of partition names, some given by patterns."""

    def __init__(self, names: Iterable[str]) -> None:
        patterns = sorted(name for name in names if ALL in name)
        self.all = any(not pattern.strip(ALL) for pattern in patterns)
        self._names = frozenset(names)
        self._match = re.compile("|".join(map(translate, patterns)) or NOTHING).match

    def __contains__(self, name: str) -> bool:
        return self.all or name in self._names or self._match(name) is not None


class Roles:
    """The built-in roles and those of the settings."""

    def __init__(self, custom: Iterable[Role] = ()) -> None:
        self._by_name: Mapping[str, Role] = BUILT_IN | {role.name: role for role in custom}
        self._names = frozenset(self._by_name)
        self._permissions = lru_cache(MOST_CACHED)(self._union)

    def permissions(self, names: frozenset[str]) -> Permissions:
        """What callers with these roles may do. Names of roles that there are not count for nothing."""
        return self._permissions(names & self._names)

    def _union(self, names: frozenset[str]) -> Permissions:
        return Permissions(self._by_name[name] for name in names)


def custom_roles(text: str) -> list[Role]:
    """The roles that a JSON list describes. Raises ValueError, which says what is wrong where."""
    try:
        described = json.loads(text)
    except ValueError as error:
        raise ValueError(f"DICOM_ROLES is not JSON: {error}") from None
    if not isinstance(described, list):
        raise ValueError("DICOM_ROLES is not a JSON list of roles.")
    roles: list[Role] = []
    for number, each in enumerate(described, 1):
        role = _role(each, number)
        if role.name in BUILT_IN or any(role.name == other.name for other in roles):
            raise ValueError(f'DICOM_ROLES: role {number}, field name: there is a role "{role.name}" already.')
        roles.append(role)
    return roles


def _role(described: Any, number: int) -> Role:
    if not isinstance(described, dict):
        raise ValueError(f"DICOM_ROLES: role {number} is not a JSON object.")
    try:
        return Role.model_validate(described)
    except ValidationError as error:
        which = f'role {number} ("{described["name"]}")' if described.get("name") else f"role {number}"
        mistakes = (f"field {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise ValueError(f"DICOM_ROLES: {which}, {'; '.join(mistakes)}.") from None
