"""A client that goes away while it waits."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from azurefunctions.extensions.http.fastapi import Request
from starlette.requests import ClientDisconnect

from functions.changefeed import _while_connected
from tests.functions.requests import request

Receive = Callable[[], Awaitable[dict[str, Any]]]


def asking(receive: Receive) -> Request:
    return Request(request().scope, receive)


async def stays() -> dict[str, Any]:
    await asyncio.Event().wait()
    raise AssertionError


def leaves_after(seconds: float) -> Receive:
    """Sends an empty body, and is gone so much later."""
    messages = [{"type": "http.disconnect"}, {"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if len(messages) == 1:
            await asyncio.sleep(seconds)
        return messages.pop()

    return receive


async def endless(ended: list[bool]) -> str:
    """Work that comes to no end but by being broken off, which it notes."""
    try:
        await asyncio.Event().wait()
    finally:
        ended.append(True)
    raise AssertionError


async def alone() -> bool:
    await asyncio.sleep(0)
    return asyncio.all_tasks() == {asyncio.current_task()}


async def test_one_who_stays_is_answered() -> None:
    async def work() -> str:
        await asyncio.sleep(0.01)
        return "done"

    assert await _while_connected(asking(stays), work()) == "done"
    assert await _while_connected(asking(leaves_after(30)), work()) == "done"
    assert await alone()


async def test_what_fails_is_told() -> None:
    async def work() -> str:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        await _while_connected(asking(stays), work())
    assert await alone()


async def test_work_for_one_who_has_gone_is_broken_off() -> None:
    ended: list[bool] = []
    with pytest.raises(ClientDisconnect):
        await _while_connected(asking(leaves_after(0.01)), endless(ended))
    assert ended == [True]
    assert await alone()


async def test_a_request_that_is_given_up_takes_its_work_with_it() -> None:
    ended: list[bool] = []
    waiting = asyncio.create_task(_while_connected(asking(stays), endless(ended)))
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.cancelled()
    assert ended == [True]
    assert await alone()
