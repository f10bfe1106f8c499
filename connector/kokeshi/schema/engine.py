"""Where the engine is, as `kokeshi.yaml` says it: everything but the secrets."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from kokeshi.schema.base import Model

_SECRETS = ("user", "password", "api_key", "bearer", "token")


class EngineSpec(Model):
    """The section `engine:`. Arguments and the environment (KOKESHI_URL and so on) come first.

    url: one address or several, of nodes of one cluster. cloud_id: of Elastic Cloud, in place of an address.
    credentials: path of a file with user and password, api_key or bearer, which only you can read.
    aws_region: sign for AWS in this region. aws_service: `es`, or `aoss` for serverless. ca_file: authority
    of the certificate (PEM). client_cert: certificate of this client (PEM). client_key: its key (PEM).
    fingerprint: SHA-256 of the server's certificate. timeout: seconds that one request may take with all its
    tries. retries: how often a request waits for an engine that is away or busy. compress: whether requests
    are sent as gzip. engine: which one it is, where it may not say so.
    """

    url: str | tuple[str, ...] | None = None
    cloud_id: str | None = None
    credentials: str | None = None
    aws_region: str | None = None
    aws_service: Literal["es", "aoss"] | None = None
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    fingerprint: str | None = None
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    retries: Annotated[int, Field(ge=0)] | None = None
    compress: bool | None = None
    engine: Literal["opensearch", "elasticsearch"] | None = None

    # of the whole section, since the error of a single field would show its value
    @model_validator(mode="before")
    @classmethod
    def _no_secrets(cls, section: Any) -> Any:  # noqa: ANN401
        if not isinstance(section, dict):
            return section
        if found := [name for name in _SECRETS if name in section]:
            raise ValueError(
                f"'{found[0]}' does not belong into this file, which others read; put it into a file of your "
                "own (chmod 600) and name that here with 'credentials: PATH', or use the environment"
            )
        if "@" in str(section.get("url")):
            raise ValueError(
                "an address here holds no user and password; put them into a file of your own (chmod 600) "
                "and name that here with 'credentials: PATH', or use the environment"
            )
        return section

    @field_validator("url")
    @classmethod
    def _some_url(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        if value is not None and not value:
            raise ValueError("give at least one address, like https://host:9200")
        return value
