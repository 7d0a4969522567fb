"""Work on several studies at the same time."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeAlias, TypeVar

from shared.storage.index.cosmos.container import Key

PARALLEL_STUDIES = 8

StudyKey: TypeAlias = tuple[str, str]
"""A data partition and a study's UID."""
T = TypeVar("T")
R = TypeVar("R")


async def for_each_study(
    items: Iterable[T], study_of: Callable[[T], StudyKey], work: Callable[[Key, Sequence[T]], Awaitable[R]]
) -> list[R]:
    """Do some work on what belongs to each study, for several at a time."""
    of_study: dict[StudyKey, list[T]] = defaultdict(list)
    for item in items:
        of_study[study_of(item)].append(item)
    turn = asyncio.Semaphore(PARALLEL_STUDIES)

    async def one(study: StudyKey) -> R:
        async with turn:
            return await work(list(study), of_study[study])

    return list(await asyncio.gather(*map(one, of_study)))
