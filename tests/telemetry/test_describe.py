"""What the log says of an error: where, never what about."""

from collections.abc import Callable

import pytest

from shared.telemetry import describe

SECRET = "DOE^JANE"


def raises() -> None:
    raise ValueError(f"could not convert string to float: '{SECRET}'")


def wraps() -> None:
    try:
        raises()
    except ValueError as error:
        raise RuntimeError(f"{SECRET} again") from error


def follows() -> None:
    try:
        raises()
    except ValueError:
        raise KeyError(SECRET)  # noqa: B904


def hides() -> None:
    try:
        raises()
    except ValueError:
        raise KeyError(SECRET) from None


def described(function: Callable[[], None]) -> str:
    with pytest.raises((KeyError, RuntimeError, ValueError)) as caught:
        function()
    return describe(caught.value)


@pytest.mark.parametrize("function", [raises, wraps, follows, hides])
def test_no_message_is_repeated(function: Callable[[], None]) -> None:
    assert SECRET not in described(function)


def test_class_and_place_are_told() -> None:
    text = described(raises)
    assert text.startswith("ValueError in raises (")
    assert f"{__file__}:" in text


@pytest.mark.parametrize("function", [wraps, follows])
def test_causes_are_told(function: Callable[[], None]) -> None:
    assert "; caused by ValueError in raises (" in described(function)


def test_hidden_causes_are_not() -> None:
    assert "ValueError" not in described(hides)


def test_an_error_that_was_never_raised() -> None:
    assert describe(TypeError(SECRET)).startswith("TypeError in ")
