"""Texts as deflate segments: what is made of them is gzip content, or plain, of the texts with URLs put in."""

import gzip
import random
import zlib
from collections.abc import Callable

import pytest

from shared.dicomweb.segments import REFERENCE, SHORT, Gzip, Plain, deflated, inflated

URL = b"https://pacs.example.org/v2/studies/1/series/2/instances/3/bulkdata/"


def text(references: int, between: int = 100, *, digits: int = 0) -> bytes:
    """A JSON object with references; ``digits`` make it hard to compress."""
    elements = [b'"%08d":{"vr":"OB",%s%08d"}' % (each, REFERENCE, each) for each in range(references)]
    filler = b'"x":"%s"' % (b"ab%d" % between * between)
    hard = bytes(random.Random(1).choices(b"0123456789", k=digits))
    return b"{" + b",".join([filler, *elements, b'"y":%s' % hard]) + b"}"


TEXTS = {
    "no reference": text(0),
    "one": text(1),
    "one in an empty text": REFERENCE,
    "at the beginning and the end": REFERENCE + b"1" + REFERENCE,
    "one behind the other": REFERENCE * 3,
    "many": text(1_000),
    "long": text(3, 20_000, digits=100_000),
    "as long as is not compressed": b"1" * SHORT,
    "one byte longer": b"1" * (SHORT + 1),
    "as many zeros as checksums go over at once": b"0" * 5 * 1024,
    "one more": b"0" * (5 * 1024 + 1),
    "nothing": b"",
}

every_text = pytest.mark.parametrize("content", TEXTS.values(), ids=TEXTS)


def absolute(content: bytes) -> bytes:
    return content.replace(REFERENCE, REFERENCE + URL)


def old(content: bytes) -> bytes:
    return zlib.compress(content, 1)


@every_text
def test_what_is_held_is_the_text(content: bytes) -> None:
    assert inflated(deflated(content)) == content


@every_text
@pytest.mark.parametrize("hold", [deflated, old])
def test_gzip_content_has_the_url_before_each_reference(content: bytes, hold: Callable[[bytes], bytes]) -> None:
    made = Gzip()
    made.add_held(hold(content), URL)
    assert gzip.decompress(made.finish()) == absolute(content)


@every_text
@pytest.mark.parametrize("hold", [deflated, old])
def test_plain_content_has_the_url_before_each_reference(content: bytes, hold: Callable[[bytes], bytes]) -> None:
    made = Plain()
    made.add_held(hold(content), URL)
    assert made.finish() == absolute(content)


@pytest.mark.parametrize("every", [1, 2, 100])
def test_content_of_many_texts_can_be_taken_as_it_grows(every: int) -> None:
    coded, plain = Gzip(), Plain()
    expected, taken, chunks = b"", b"", []
    for number, content in enumerate(TEXTS.values()):
        for made in (coded, plain):
            made.add(b"[%d]" % number)
            made.add_held(deflated(content), URL)
        expected += b"[%d]" % number + absolute(content)
        assert coded.waiting == plain.waiting == len(expected) - len(taken)
        if number % every == 0:
            chunks.append(coded.take())
            taken += plain.take()
            assert taken == expected
            assert zlib.decompressobj(31).decompress(b"".join(chunks)) == expected
    assert gzip.decompress(b"".join([*chunks, coded.finish()])) == expected
    assert taken + plain.finish() == expected


def test_nothing_is_content_too() -> None:
    assert gzip.decompress(Gzip().finish()) == Plain().finish() == b""


def test_a_text_between_is_at_most_65535_bytes() -> None:
    content = Plain()
    content.add(b"1" * 65_535)
    assert content.take() == b"1" * 65_535


def test_texts_are_small_where_they_are_held() -> None:
    assert len(deflated(text(0, 10_000))) < 1_000
    assert len(deflated(text(1_000))) < len(text(1_000)) * 2


@pytest.mark.parametrize("held", [b"Doe^Jane", b"", deflated(text(2))[:-30], zlib.compress(text(2))[:-3]])
def test_what_is_damaged_is_told(held: bytes) -> None:
    with pytest.raises(zlib.error):
        inflated(held)
