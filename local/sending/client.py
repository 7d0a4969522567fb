"""The client of a store: sends instances in few requests, takes apart those that fail as a whole."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

from local.sending.answers import Answer, settle
from local.sending.body import multipart_headers
from local.sending.connection import Connection, Request
from local.sending.files import requests
from local.sending.model import File, Instance, Outcome, Result, Stop
from shared.dicomweb.media_types import DICOM_JSON

BATCH_BYTES: Final = 16 * 1024 * 1024
"""Up to this size files share a request. For a larger one the server is asked first whether it will take it."""

_TOO_LARGE = 413
_CREATED = 201
_OTHER_URL = "Give the URL that it leads to."
_REFUSALS = {
    301: _OTHER_URL,
    302: _OTHER_URL,
    303: _OTHER_URL,
    307: _OTHER_URL,
    308: _OTHER_URL,
    401: "Give a valid token in the environment variable DICOM_TOKEN.",
    403: "Who the token stands for may not store there.",
    404: "Is the URL right, with /v2 and without /studies at its end?",
    405: "Another server than ours may not take PUT, which --replace needs.",
}
"""The statuses after which no other request would fare better, with what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send: ``url`` is the API's root or that of one of its partitions, ``method`` POST or PUT."""

    url: str
    method: str
    token: str = ""

    @property
    def studies(self) -> str:
        return f"{self.url}/studies"

    def headers(self, url: str) -> dict[str, str]:
        """The header fields of a request to ``url``. The token is for no other host than the target's."""
        ours = urlsplit(url)[:2] == urlsplit(self.url)[:2]
        return {"Authorization": f"Bearer {self.token}"} if self.token and ours else {}


class Client:
    """Stores instances in a target."""

    def __init__(self, connection: Connection, target: Target) -> None:
        self._connection = connection
        self._target = target

    async def store(self, instances: Sequence[Instance]) -> AsyncIterator[Result]:
        """Send the instances in as few requests as it takes; gives what became of each. Raises Stop."""
        waiting = requests(instances)
        while waiting:
            together = waiting.pop()
            answer = await self._connection.tried(self._storing(together))
            if answer.status in _REFUSALS:
                raise Stop(f"{answer.reason} {_REFUSALS[answer.status]}")
            if answer.status == _TOO_LARGE and len(together) == 1:
                yield await self._hand_over(together[0].file)
                continue
            results, again = settle(answer, together)
            waiting += again
            for result in results:
                yield result

    def _storing(self, together: Sequence[Instance]) -> Request:
        target = self._target
        files = [instance.file for instance in together]
        boundary, headers = multipart_headers(files)
        return Request(
            target.method,
            target.studies,
            {**target.headers(target.url), **headers, "Accept": DICOM_JSON},
            lambda body: body.multipart(files, boundary),
            alone=len(files) == 1,
            expects=sum(file.size for file in files) > BATCH_BYTES,
        )

    async def _hand_over(self, file: File) -> Result:
        """Upload a file that is too large for a request to where the service imports from."""
        uploads = f"{self._target.url}/uploads"
        offer = await self._connection.tried(Request("POST", uploads, self._target.headers(uploads)))
        if offer.status != _CREATED:
            return Result(
                file,
                Outcome.FAILED,
                f"The server takes no request as large as this (413) and offers no upload ({offer.status}). "
                "Put the file into the inbox that the service imports from.",
            )
        try:
            answer = await self._connection.tried(self._uploading(offer, file))
        except Stop as stop:  # what takes uploads may be another server, without which the rest can be stored
            return Result(file, Outcome.FAILED, f"Its upload for import failed. {stop}")
        if answer.unreadable is None and answer.status // 100 == 2:
            return Result(file, Outcome.HANDED_OVER)
        return Result(file, Outcome.FAILED, f"Its upload for import failed. {answer.reason}")

    def _uploading(self, offer: Answer, file: File) -> Request:
        """The request that an offer of an upload asks for. Raises Stop if the offer can't be understood."""
        try:
            url = urljoin(self._target.url, offer.content["url"])
            method, given = str(offer.content["method"]), dict(offer.content["headers"])
        except (KeyError, TypeError, ValueError) as error:
            raise Stop("The server's offer of an upload can't be understood.") from error
        headers = {**self._target.headers(url), **given, "Content-Length": str(file.size)}
        return Request(method, url, headers, lambda body: body.single(file))
