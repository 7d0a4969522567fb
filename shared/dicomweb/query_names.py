"""The names of query parameters, without their values: what may be told of a query where values may not.

A name that the service does not know may itself be a value that somebody put in the wrong place.
"""

from functools import lru_cache

from shared.dicom.standard import tag_for_keyword

UNKNOWN = "(unknown)"
MOST_NAMES = 100

_OTHERS = frozenset(
    {
        "accept",
        "action",
        "emptyvaluematching",
        "endtime",
        "fuzzymatching",
        "includefield",
        "includemetadata",
        "limit",
        "multiplevaluematching",
        "offset",
        "orderby",
        "partition",
        "starttime",
        "status",
        "study",
        "type",
        "wait",
    }
)
"""Parameters that are no attributes, in lower case."""
_HEX = frozenset("0123456789ABCDEFabcdef")


def query_names(query: bytes) -> tuple[str, ...]:
    """The names in a query string as it was sent, each once, at most ``MOST_NAMES``; ``UNKNOWN`` stands for others."""
    if not query:
        return ()
    pairs = query.split(b"&", MOST_NAMES)[:MOST_NAMES]
    return tuple({_known(pair.partition(b"=")[0]): None for pair in pairs if pair})


@lru_cache(maxsize=1024)
def _known(name: bytes) -> str:
    text = name.decode("latin-1")
    known = text.lower() in _OTHERS or all(map(is_attribute, text.split(".")))
    return text if known else UNKNOWN


def is_attribute(text: str) -> bool:
    """Whether a text names an attribute, by tag as eight hexadecimal digits or by keyword."""
    return (len(text) == 8 and set(text) <= _HEX) or (text != "" and tag_for_keyword(text) is not None)
