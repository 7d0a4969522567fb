"""Entity tags and the conditions that requests make of them (RFC 9110 8.8.3 and 13.1)."""

import re

_TAG = re.compile(r'(W/)?(?:"([^"]*)"|([^\s,"]+))')


def entity_tag(value: str) -> str:
    """The ETag header for a value of visible ASCII characters without quotes, such as ``1042-17``: a strong tag."""
    return f'"{value}"'


def not_modified(if_none_match: str | None, current: str) -> bool:
    """Whether If-None-Match names the current entity tag, so that the answer to a GET is 304.

    Tags may be quoted or not, weak, a list, or ``*``; they are compared weakly (RFC 9110 13.1.2).
    """
    return _names(if_none_match, current, weakly=True)


def precondition_failed(if_match: str | None, current: str | None) -> bool:
    """Whether If-Match is given and does not name the current entity tag, so that the answer is 412.

    ``current`` is None when nothing is there. Written as for If-None-Match; compared strongly, so that
    a weak tag never matches (RFC 9110 13.1.1).
    """
    if if_match is None:
        return False
    return current is None or not _names(if_match, current, weakly=False)


def range_applies(if_range: str | None, current: str) -> bool:
    """Whether a Range header holds: If-Range is absent or names the current tag strongly (RFC 9110 13.1.5).

    A date never does, since nothing here is dated.
    """
    if if_range is None:
        return True
    tag = _TAG.fullmatch(if_range.strip())
    return tag is not None and not tag[1] and _opaque(tag) == current.strip('"')


def _names(condition: str | None, current: str, *, weakly: bool) -> bool:
    return any(
        tag[3] == "*" or (_opaque(tag) == current.strip('"') and (weakly or not tag[1]))
        for tag in _TAG.finditer(condition or "")
    )


def _opaque(tag: re.Match[str]) -> str:
    return tag[3] if tag[2] is None else tag[2]
