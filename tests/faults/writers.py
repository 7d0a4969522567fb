"""Clients that store without pause and keep account of what the service acknowledged."""

import hashlib
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from tests.instances import Identity, dataset, multipart, new_identity, new_uid, part10

LARGE_SIDE = 1600
"""Of an image of 5 MB."""
TIMEOUT_SECONDS = 30.0
MULTIPART = 'multipart/related; type="application/dicom"; boundary=a-boundary'


@dataclass(slots=True)
class Account:
    """What may be found of one instance: the digest of each content that was sent and might count.

    ``acknowledged`` is the last content that the service said it has; ``under_way`` has had no answer.
    """

    acknowledged: str | None = None
    under_way: str | None = None

    def allows(self, found: str | None) -> bool:
        """Whether a content, or None for nothing, is what a client may expect to find."""
        return found in (self.acknowledged, self.under_way)


Ledger = dict[Identity, Account]


@dataclass(slots=True)
class Writer:
    """One client, storing into studies of its own until the service is gone or ``stop`` is set."""

    url: str
    seed: int
    stop: threading.Event = field(default_factory=threading.Event)
    ledger: Ledger = field(default_factory=dict)
    answers: dict[int, int] = field(default_factory=dict)
    """How often each status was answered."""

    def run(self) -> None:
        choose = random.Random(self.seed)
        study = new_uid()
        actions: list[Callable[[httpx.Client], None]] = [
            lambda client: self._store(client, [new_identity(study)]),
            lambda client: self._store(client, [new_identity(study)], side=LARGE_SIDE),
            lambda client: self._store(client, [new_identity(study, f"{study}.1") for _ in range(12)]),
            lambda client: self._replace(client, choose),
        ]
        try:
            with httpx.Client(base_url=f"{self.url}/v2", timeout=TIMEOUT_SECONDS) as client:
                while not self.stop.is_set():
                    choose.choices(actions, weights=(6, 1, 2, 4))[0](client)
        except httpx.TransportError:
            return

    def _store(self, client: httpx.Client, identities: list[Identity], side: int = 16) -> None:
        files = {identity: content(identity, side) for identity in identities}
        self._begin(files)
        if len(files) == 1:
            (body,) = files.values()
            answer = client.post("/studies", content=body, headers={"Content-Type": "application/dicom"})
        else:
            body = multipart(list(files.values()))
            answer = client.post("/studies", content=body, headers={"Content-Type": MULTIPART})
        self._end(answer)

    def _replace(self, client: httpx.Client, choose: random.Random) -> None:
        known = sorted(identity for identity, account in self.ledger.items() if account.acknowledged)
        if not known:
            return
        files = {identity: content(identity, 16) for identity in choose.sample(known, min(3, len(known)))}
        self._begin(files)
        body = multipart(list(files.values()))
        self._end(client.put("/studies", content=body, headers={"Content-Type": MULTIPART}))

    def _begin(self, files: dict[Identity, bytes]) -> None:
        for identity, file in files.items():
            self.ledger.setdefault(identity, Account()).under_way = digest(file)

    def _end(self, answer: httpx.Response) -> None:
        self.answers[answer.status_code] = self.answers.get(answer.status_code, 0) + 1
        if answer.status_code != 200:
            return
        stored = {item["00081155"]["Value"][0] for item in answer.json()["00081199"]["Value"]}
        for identity, account in self.ledger.items():
            if identity.instance in stored:
                account.acknowledged, account.under_way = account.under_way, None


def content(identity: Identity, side: int) -> bytes:
    """A file whose metadata tells it from every other: ContentDescription holds a new UID."""
    return part10(dataset(identity, side=side, ContentDescription=new_uid()))


def digest(file: bytes) -> str:
    return hashlib.sha256(file).hexdigest()
