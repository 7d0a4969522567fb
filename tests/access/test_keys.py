"""How often the issuer is asked for its keys, and for how long they are kept."""

import asyncio

import pytest

from shared.access.discovery import KeysUnavailable
from shared.access.jwks import SigningKey, signing_keys
from shared.access.keys import FRESH_SECONDS, KEPT_SECONDS, RETRY_SECONDS, IssuerKeys
from shared.errors import ServiceUnavailable
from tests.access.issuer import new_key, public_jwk

KEYS = signing_keys({"keys": [public_jwk(new_key("ES256"), key_id) for key_id in ("a", "b", "c")]})


class Asked:
    """Stands for the issuer: what it publishes, whether it answers, and how often it was asked."""

    def __init__(self) -> None:
        self.published = {"a"}
        self.times = 0
        self.now = 1000.0
        self.failing = False
        self.free = asyncio.Event()
        self.free.set()
        self.keys = IssuerKeys("https://login.example.org", self.fetch, lambda: self.now)

    async def fetch(self) -> dict[str, SigningKey]:
        self.times += 1
        await self.free.wait()
        if self.failing:
            raise KeysUnavailable("status 500")
        return {key_id: KEYS[key_id] for key_id in self.published}

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.fixture
async def asked() -> Asked:
    return Asked()


async def test_keys_are_fetched_once_and_remembered(asked: Asked) -> None:
    assert await asyncio.gather(*(asked.keys.key("a") for _ in range(100))) == [KEYS["a"]] * 100
    asked.now += FRESH_SECONDS
    assert await asked.keys.key("a") is KEYS["a"]
    assert asked.times == 1


async def test_an_unknown_key_is_asked_for_at_most_every_ten_seconds(asked: Asked) -> None:
    assert RETRY_SECONDS == 10
    for _ in range(61):
        assert await asyncio.gather(*(asked.keys.key(f"unknown-{number}") for number in range(20))) == [None] * 20
        asked.now += 1
    assert asked.times == 7


async def test_a_new_key_is_found_and_a_withdrawn_one_forgotten(asked: Asked) -> None:
    await asked.keys.key("a")
    asked.published = {"b"}
    assert await asked.keys.key("b") is None
    asked.now += RETRY_SECONDS
    assert await asked.keys.key("b") is KEYS["b"]
    assert await asked.keys.key("a") is None
    assert asked.times == 2


async def test_a_withdrawn_key_is_forgotten_once_the_keys_are_old(asked: Asked) -> None:
    await asked.keys.key("a")
    asked.published = {"b"}
    asked.now += FRESH_SECONDS + 1
    assert await asked.keys.key("a") is None


async def test_the_issuer_is_asked_by_one_at_a_time(asked: Asked) -> None:
    asked.free.clear()
    waiting = [asyncio.create_task(asked.keys.key("b")) for _ in range(3)]
    await asked.settle()
    asked.now += 5 * RETRY_SECONDS
    waiting += [asyncio.create_task(asked.keys.key("b")) for _ in range(3)]
    await asked.settle()
    asked.free.set()
    assert await asyncio.gather(*waiting) == [None] * 6
    assert asked.times == 1


async def test_known_keys_do_not_wait_for_unknown_ones(asked: Asked) -> None:
    await asked.keys.key("a")
    asked.now += RETRY_SECONDS
    asked.free.clear()
    waiting = asyncio.create_task(asked.keys.key("b"))
    await asked.settle()
    assert await asyncio.wait_for(asked.keys.key("a"), 1) is KEYS["a"]
    asked.free.set()
    assert await waiting is None


async def test_who_goes_away_takes_nothing_from_the_others(asked: Asked) -> None:
    asked.free.clear()
    leaving, staying = (asyncio.create_task(asked.keys.key("a")) for _ in range(2))
    await asked.settle()
    leaving.cancel()
    await asked.settle()
    asked.free.set()
    assert await staying is KEYS["a"]
    assert asked.times == 1


async def test_keys_are_kept_for_a_day_while_the_issuer_fails(asked: Asked, caplog: pytest.LogCaptureFixture) -> None:
    start = asked.now
    await asked.keys.key("a")
    asked.failing = True
    while asked.now - start <= KEPT_SECONDS:
        assert await asked.keys.key("a") is KEYS["a"]
        await asked.settle()
        asked.now += FRESH_SECONDS / 2
    with pytest.raises(ServiceUnavailable):
        await asked.keys.key("a")
    assert "The issuer https://login.example.org does not give its keys: status 500" in caplog.text
    asked.failing = False
    asked.now += RETRY_SECONDS
    assert await asked.keys.key("a") is KEYS["a"]


async def test_keys_of_a_failing_issuer_are_used_without_waiting_for_it(asked: Asked) -> None:
    await asked.keys.key("a")
    asked.failing = True
    asked.now += FRESH_SECONDS + 1
    await asked.keys.key("a")
    asked.now += RETRY_SECONDS
    asked.free.clear()
    for _ in range(10):
        assert await asyncio.wait_for(asked.keys.key("a"), 1) is KEYS["a"]
    await asked.settle()
    assert asked.times == 3
    asked.free.set()
    await asked.settle()


async def test_a_failing_issuer_is_not_asked_more_often(asked: Asked) -> None:
    asked.failing = True
    for _ in range(31):
        with pytest.raises(ServiceUnavailable) as caught:
            await asked.keys.key("a")
        assert caught.value.headers == {"Retry-After": "10"}
        asked.now += 1
    assert asked.times == 4


async def test_whether_an_unknown_key_is_good_can_not_be_told_while_the_issuer_fails(asked: Asked) -> None:
    await asked.keys.key("a")
    asked.failing = True
    asked.now += RETRY_SECONDS
    with pytest.raises(ServiceUnavailable):
        await asked.keys.key("b")
    assert await asked.keys.key("a") is KEYS["a"]


async def test_after_a_mistake_of_ours_it_goes_on(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    right = asked.keys._fetch

    async def wrong() -> dict[str, SigningKey]:
        raise KeyError("a mistake")

    monkeypatch.setattr(asked.keys, "_fetch", wrong)
    with pytest.raises(KeyError):
        await asked.keys.key("a")
    monkeypatch.setattr(asked.keys, "_fetch", right)
    asked.now += RETRY_SECONDS
    assert await asked.keys.key("a") is KEYS["a"]


async def test_a_check_asks_where_that_is_due_or_failed(asked: Asked) -> None:
    asked.failing = True
    for _ in range(3):
        with pytest.raises(ServiceUnavailable, match="does not give its keys"):
            await asked.keys.check()
    assert asked.times == 1
    asked.failing = False
    asked.now += RETRY_SECONDS
    await asked.keys.check()
    asked.now += FRESH_SECONDS
    await asked.keys.check()
    assert asked.times == 2
    asked.now += 1
    await asked.keys.check()
    assert asked.times == 3


async def test_a_check_tells_of_keys_that_could_not_be_looked_for(asked: Asked) -> None:
    await asked.keys.check()
    asked.failing = True
    asked.now += RETRY_SECONDS
    with pytest.raises(ServiceUnavailable):
        await asked.keys.key("unknown")
    with pytest.raises(ServiceUnavailable):
        await asked.keys.check()
    asked.failing = False
    asked.now += RETRY_SECONDS
    await asked.keys.check()
