"""How names of files in the inbox choose a data partition: ``partitions/{partition}/…``, else the default one."""

from urllib.parse import unquote

from shared.dicom.identifiers import is_partition_name
from shared.storage.index.model import DEFAULT_PARTITION

PARTITIONS = "partitions"
"""The folder in which each folder is a data partition."""


def name_within(partition: str, name: str) -> str:
    """A name by which a file goes to a data partition.

    A partition's first character is percent-encoded unless it is a letter or digit: no file is taken from hidden
    folders, nor from ``__MACOSX``.
    """
    if partition == DEFAULT_PARTITION:
        return name
    first = partition[0]
    folder = partition if first.isalnum() else f"%{ord(first):02X}{partition[1:]}"
    return f"{PARTITIONS}/{folder}/{name}"


def partition_of(name: str) -> str | None:
    """The data partition that a name's first folders choose, None if there can be none of that name."""
    folder, _, below = name.partition("/")
    partition, slash, _ = below.partition("/")
    if folder != PARTITIONS or not slash:
        return DEFAULT_PARTITION
    partition = unquote(partition)
    return partition if is_partition_name(partition) else None
