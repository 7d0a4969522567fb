"""The data dictionary of the standard (PS3.6).

It is pydicom's table, read without the rest of pydicom, whose import takes longer than all of this application's.
"""

from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Final, TypeAlias

_Entry: TypeAlias = tuple[str, str, str, str, str]
"""VR, VM, name, whether it is retired, keyword."""


def _read() -> tuple[dict[int, _Entry], dict[str, _Entry]]:
    """The entries by tag, and those of repeating groups by tags in which ``x`` is any digit (PS3.5 7.6)."""
    package = find_spec("pydicom")
    if package is None or package.origin is None:
        raise ImportError("pydicom is not installed")
    found = spec_from_file_location("pydicom_dictionary", Path(package.origin).with_name("_dicom_dict.py"))
    if found is None or found.loader is None:
        raise ImportError("pydicom holds no dictionary")
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return module.DicomDictionary, module.RepeatersDictionary


_ENTRIES, _REPEATING = _read()
_TAGS: Final = {entry[4]: tag for tag, entry in _ENTRIES.items()}


@cache
def _patterns() -> list[tuple[int, int, _Entry]]:
    """Of repeating groups: the bits that tell them, what these are, and the entry."""
    return [
        (int("".join("0" if digit == "x" else "F" for digit in tag), 16), int(tag.replace("x", "0"), 16), entry)
        for tag, entry in _REPEATING.items()
    ]


def _entry(tag: int) -> _Entry:
    """Raises KeyError for a private tag and for one that the standard does not have."""
    known = _ENTRIES.get(tag)
    if known is None and not tag >> 16 & 1:
        known = next((entry for bits, value, entry in _patterns() if tag & bits == value), None)
    if known is None:
        raise KeyError(f"{tag:08X}")
    return known


def dictionary_vr(tag: int) -> str:
    """The VR, or a choice such as ``US or SS``. Raises KeyError."""
    return _entry(tag)[0]


def is_single_valued(tag: int) -> bool:
    """Whether no more than one value may stand there: so it is for tags unknown."""
    known = _ENTRIES.get(tag)
    return known is None or known[1] == "1"


def keyword_for_tag(tag: int) -> str:
    """The keyword, empty for a tag unknown."""
    try:
        return _entry(tag)[4]
    except KeyError:
        return ""


def tag_for_keyword(keyword: str) -> int | None:
    """The tag, None for what is no keyword. Repeating groups have none."""
    return _TAGS.get(keyword)
