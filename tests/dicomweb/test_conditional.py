import pytest

from shared.dicomweb.conditional import entity_tag, not_modified, precondition_failed, range_applies

CURRENT = entity_tag("1042-17")


def test_an_entity_tag_is_quoted() -> None:
    assert CURRENT == '"1042-17"'


@pytest.mark.parametrize(
    ("header", "weakly", "strongly"),
    [
        ('"1042-17"', True, True),
        ("1042-17", True, True),
        (' "1042-17" ', True, True),
        ('W/"1042-17"', True, False),
        ("W/1042-17", True, False),
        ('"1", "1042-17"', True, True),
        ("1,1042-17", True, True),
        ('"a,b", W/"1042-17"', True, False),
        ('W/"1042-17", "1042-17"', True, True),
        ("*", True, True),
        (" * ", True, True),
        ('"*"', False, False),
        ('"1042"', False, False),
        ('"1042-17-gzip"', False, False),
        ('"1042-17x", y1042-17', False, False),
        ("", False, False),
        ('"', False, False),
        (",,,", False, False),
    ],
)
def test_conditions_are_compared_with_the_current_tag(header: str, weakly: bool, strongly: bool) -> None:
    assert not_modified(header, CURRENT) is weakly
    assert precondition_failed(header, CURRENT) is not strongly


def test_without_a_condition_nothing_is_decided() -> None:
    assert not not_modified(None, CURRENT)
    assert not precondition_failed(None, CURRENT)
    assert not precondition_failed(None, None)


@pytest.mark.parametrize("header", ["*", '"1042-17"'])
def test_if_match_fails_when_nothing_is_there(header: str) -> None:
    assert precondition_failed(header, None)


@pytest.mark.parametrize(
    ("header", "applies"),
    [
        (None, True),
        ('"1042-17"', True),
        ("1042-17", True),
        (' "1042-17" ', True),
        ('W/"1042-17"', False),
        ('"1042"', False),
        ('"1", "1042-17"', False),
        ("Sat, 22 Nov 2025 18:00:00 GMT", False),
        ("*", False),
        ("", False),
    ],
)
def test_a_range_applies_only_to_the_same_bytes(header: str | None, applies: bool) -> None:
    assert range_applies(header, CURRENT) is applies
