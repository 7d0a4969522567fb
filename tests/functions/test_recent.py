"""Answers are remembered within bounds."""

from collections.abc import AsyncIterator

import pytest

from functions import recent
from functions.answers import stream_answer
from functions.recent import LARGEST, MOST_BYTES, RecentAnswers
from tests.functions.requests import request


async def give(answers: RecentAnswers, key: object, body: bytes) -> None:
    """Have an answer remembered, and read it."""

    async def content() -> AsyncIterator[bytes]:
        yield body

    answer = stream_answer(request(), content(), {})
    answers.remember(key, 1, answer)
    assert [chunk async for chunk in answer.body_iterator] == [body]  # type: ignore[attr-defined]


async def test_the_last_answers_are_remembered_for_a_revision() -> None:
    answers = RecentAnswers()
    await give(answers, "a", b"body")
    found = answers.find("a", 1)
    assert found is not None
    assert found.body == b"body"
    assert answers.find("a", 2) is None
    assert answers.find("a", 1) is None


async def test_small_answers_are_bounded_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MOST_ANSWERS", 10)
    answers = RecentAnswers()
    for key in range(15):
        await give(answers, key, b"[]")
    assert [key for key in range(15) if answers.find(key, 1)] == list(range(5, 15))


async def test_large_answers_are_bounded_in_bytes() -> None:
    answers = RecentAnswers()
    for key in range(MOST_BYTES // LARGEST + 2):
        await give(answers, key, bytes(LARGEST))
    await give(answers, "too large", bytes(LARGEST + 1))
    assert answers.find("too large", 1) is None
    assert [answers.find(key, 1) is None for key in range(4)] == [True, True, False, False]
