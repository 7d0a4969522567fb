"""The service's settings, read from environment variables (in Functions, from application settings)."""

from functools import lru_cache
from typing import Annotated, Self

from pydantic import Field, HttpUrl, SecretStr, StringConstraints, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "DICOM_"
OURS = "Value error, "
"""What pydantic puts before the message of a ValueError."""
Quotable = Annotated[str, StringConstraints(pattern=r"^[!#-\[\]-~]+$")]
"""A text without spaces, quotes and backslashes, as it stands between quotes in headers of answers."""


class Settings(BaseSettings):
    """Every setting is the environment variable ``DICOM_`` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, hide_input_in_errors=True)

    blobs: str = Field(
        default="./data/blobs",
        description="Where instances are kept: a folder's path; `https://ACCOUNT.blob.core.windows.net/CONTAINER`, "
        "entered with this process's identity; `azure:CONTAINER`, of the account that `DICOM_BLOBS_CONNECTION` names; "
        "or `memory:`, which one process has to itself and loses when it ends.",
    )
    blobs_connection: SecretStr | None = Field(
        None,
        description="Connection string with key of the storage account of `azure:CONTAINER`; "
        "`UseDevelopmentStorage=true` is Azurite.",
    )
    index: str = Field(
        default="./data/index.sqlite",
        description="Where the index is kept: a SQLite file's path; `https://ACCOUNT.documents.azure.com/DATABASE`, "
        "entered with this process's identity; or `cosmos:DATABASE`, of the Cosmos DB account that "
        "`DICOM_INDEX_CONNECTION` names.",
    )
    index_connection: SecretStr | None = Field(
        None, description="Connection string with key of the Cosmos DB account of `cosmos:DATABASE`."
    )
    inbox: str | None = Field(
        None,
        description="Where files are dropped to be imported: a folder's path, or a container as in `DICOM_BLOBS`, of "
        "the same account. Without it nothing is imported.",
    )
    inbox_errors: str | None = Field(
        None,
        description="Where files that can't be imported are moved, each beside its reason: like `DICOM_INBOX`; by "
        "default that name and `-errors`.",
    )
    audit: str | None = Field(
        None,
        description="Where a record of every request is kept: a folder's path, or a container as in `DICOM_BLOBS`. "
        "Without it records go to the log only.",
    )
    events_topic: HttpUrl | None = Field(
        None, description="Endpoint of the Event Grid topic that hears of every change. Without it no events are sent."
    )
    events_key: SecretStr | None = Field(
        None, description="Access key of the Event Grid topic; without it, entered with this process's identity."
    )
    issuers: Annotated[tuple[Quotable, ...], NoDecode] = Field(
        default=(),
        description="OpenID Connect issuers, comma-separated URLs, whose bearer tokens are taken. "
        "`https://login.microsoftonline.com/TENANT_ID/v2.0` stands for the v1.0 tokens of that tenant, too.",
    )
    audiences: Annotated[tuple[Quotable, ...], NoDecode] = Field(
        default=(),
        description="Audiences, comma-separated, for one of which a token must be meant. An application id "
        "stands for `api://` and that id, too.",
    )
    roles: str | None = Field(
        None,
        description='Roles beside DicomDataOwner and DicomDataReader, a JSON list: `[{"name": "Cardiology", "actions": '
        '["read", "write"], "notActions": [], "partitions": ["cardio-*"]}]`. Actions are `read`, `write`, `delete`, '
        "`manageExtendedQueryTags`, `export` and `*`; partitions are names, with `*` for any characters, and by "
        "default all.",
    )
    role_claims: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("roles",),
        min_length=1,
        description="Claims of a token, comma-separated, that name the caller's roles; a claim within a claim as in "
        "`realm_access.roles`.",
    )
    public_url: HttpUrl | None = Field(
        None,
        description="Scheme, host and path prefix that URLs in answers begin with, when the service is behind a proxy.",
    )
    trusted_proxies: int = Field(
        default=0,
        ge=0,
        description="How many proxies stand in front of the service. The client's address in the audit is the one that "
        "the first of them noted in X-Forwarded-For; with none it is that of the connection. In Azure Functions: 1.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Origins, comma-separated, whose pages may call the service; `*` is all, `loopback` this machine.",
    )
    max_request_bytes: int | None = Field(
        None,
        gt=0,
        description="Largest request body in bytes; none by default. Azure Functions takes about 210 MB.",
    )
    max_parts: int = Field(default=100_000, gt=0, description="Most parts in one multipart store request.")
    max_url_bytes: int = Field(default=16 * 1024, gt=0, description="Longest path and query of a request, in bytes.")
    max_header_bytes: int = Field(
        default=64 * 1024, gt=0, description="Most bytes of all headers of a request, names and values."
    )
    max_requests: int = Field(
        default=200,
        gt=0,
        description="Most requests that one process answers at a time, those that wait for changes included.",
    )
    max_dataset_bytes: int = Field(
        default=64 * 1024 * 1024,
        gt=0,
        description="Bytes of data sets, without their bulk data, that one process parses at a time; each takes up to "
        "20 times as much memory. What is beyond waits. Data sets up to 64 KiB don't, and one, however large, always "
        "goes on.",
    )
    idle_seconds: float = Field(
        default=60,
        gt=0,
        description="How long a client may send nothing of a body, or take nothing of an answer, before it is given "
        "up. Whole requests may take as long as they need.",
    )
    purge_after_seconds: float = Field(
        default=3 * 24 * 3600, ge=0, description="How long the files of deleted and replaced instances are kept."
    )
    reconcile_after_seconds: float = Field(
        default=3600,
        ge=0,
        description="Age from which a file without an index entry is taken for a leftover, not a store under way.",
    )

    @field_validator("issuers", "audiences", "role_claims", "cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _whose_tokens_for_whom(self) -> Self:
        if bool(self.issuers) != bool(self.audiences):
            raise ValueError("DICOM_ISSUERS and DICOM_AUDIENCES are set together or not at all.")
        return self


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings, read once. Raises ValueError, which says what is wrong with which."""
    try:
        return Settings()
    except ValidationError as error:
        raise ValueError("; ".join(_told(each["loc"], each["msg"]) for each in error.errors())) from None


def _told(place: tuple[int | str, ...], message: str) -> str:
    """A mistake with the setting it is in; one that lies in several names them itself."""
    said = message.removeprefix(OURS)
    return f"{PREFIX}{str(place[0]).upper()}: {said}." if place else said
