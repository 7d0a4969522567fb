import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dicomweb.lenient_json import loads

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(alphabet='a"\\/*,]}[{: \n'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1,]", [1]),
        ('[{"a": "b" , }\n, ]', [{"a": "b"}]),
        ('{"a": [true, null,], // the end\n}', {"a": [True, None]}),
        ('/* one */ ["a" /* , */ , /* two */ ] // three', ["a"]),
        ('["/* no */", "// no", ",]", "\\",]",]', ["/* no */", "// no", ",]", '",]']),
        ("[[],{},]", [[], {}]),
    ],
)
def test_comments_and_trailing_commas_are_passed_over(text: str, value: Any) -> None:
    assert loads(text.encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "[,]",
        "{,}",
        "[1,,]",
        "[1 2]",
        "[1,/]",
        "/* [1]",
        "[1] /*",
        "[1] /",
        '["a]',
        "[1],",
        "1,",
        b"\xff[1,]",
        '{"a":,}',
        "[1/**/2]",
    ],
)
def test_anything_else_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        loads(text if isinstance(text, bytes) else text.encode())


@given(VALUES)
def test_nothing_else_changes(value: Any) -> None:
    plain = json.dumps(value, indent=1)
    assert loads(f"// made lenient\n{plain}".encode()) == value
    assert loads(f"[{plain},]".encode()) == [value]


def test_a_long_text_of_nothing_but_beginnings_takes_no_time() -> None:
    for piece in ("/*", '"', "[", "1 ", ", ", '"\\', "/* *", " "):
        with pytest.raises(ValueError, match=r"."):
            loads((piece * 100_000).encode())
