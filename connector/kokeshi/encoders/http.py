"""Vectors from a server: an embeddings endpoint in OpenAI's format, which many servers speak."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from threading import Event
from typing import Annotated
from urllib.parse import urlsplit

import numpy as np
from pydantic import Field

from kokeshi.encoders.embeddings_api import build_request, parse_vectors
from kokeshi.encoders.embeddings_client import EmbeddingsClient, Endpoint
from kokeshi.encoders.options import parse_options
from kokeshi.encoders.prompts import PromptedEncoder, Prompts, short_digest
from kokeshi.errors import EncoderError
from kokeshi.types import Float32


class Options(Prompts):
    """url: of the endpoint, in full. key_variable: the environment variable of the key; null: none.

    batch: texts of a request. concurrency: requests under way at once. timeout: seconds for a request
    with all its retries. send_dimensions: ask the server for vectors of the spec's dimension.
    ca_file: certificates to trust in place of the system's.
    """

    url: str
    model: Annotated[str, Field(min_length=1)]
    key_variable: str | None = "OPENAI_API_KEY"
    batch: Annotated[int, Field(ge=1, le=2048)] = 128
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60.0
    retries: Annotated[int, Field(ge=0, le=100)] = 5
    send_dimensions: bool = False
    ca_file: str | None = None


class HttpEncoder(PromptedEncoder):
    """Sends texts in batches, several at once. The name of the model is its identity."""

    def __init__(self, client: EmbeddingsClient, options: Options, dimension: int) -> None:
        prefix = options.document_prefix.encode()
        name = f"http-{options.model}" + (f"-{short_digest(prefix)}" if prefix else "")
        super().__init__(name, options)
        self._client = client
        self._options = options
        self._dim = dimension

    @property
    def dim(self) -> int:
        """The dimension that the spec gives; every answer is compared with it."""
        return self._dim

    def close(self) -> None:
        """Close every connection; the next text opens one again."""
        self._client.close()

    def _embed(self, texts: Sequence[str]) -> Float32:
        size = self._options.batch
        batches = [texts[start : start + size] for start in range(0, len(texts), size)]
        parts = self._gather(batches) if batches else []
        return np.concatenate([np.empty((0, self._dim), np.float32), *parts])

    def _gather(self, batches: Sequence[Sequence[str]]) -> list[Float32]:
        """Return the vectors of every batch; the first error ends the others, as Ctrl-C does."""
        stopped = Event()
        with ThreadPoolExecutor(self._options.concurrency, "kokeshi-embed") as pool:
            futures = [pool.submit(self._request, batch, stopped) for batch in batches]
            try:
                for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                    future.result()
            finally:
                stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
        return [future.result() for future in futures]

    def _request(self, texts: Sequence[str], stopped: Event) -> Float32:
        wanted = self._dim if self._options.send_dimensions else None
        answer = self._client.post(build_request(texts, self._options.model, wanted), stopped)
        return parse_vectors(answer, len(texts), self._dim, self._client.endpoint.origin)


def build(*, dimension: int, **options: object) -> HttpEncoder:
    """Build from the `Options`; nothing is sent yet. Raises EncoderError where one cannot be used."""
    given = parse_options(Options, "http", options)
    _check_url(given.url)
    endpoint = Endpoint(
        url=given.url,
        key=_key(given.key_variable),
        key_variable=given.key_variable,
        ca_file=given.ca_file,
        timeout_s=given.timeout,
        retries=given.retries,
        connections=given.concurrency,
    )
    return HttpEncoder(EmbeddingsClient(endpoint), given, dimension)


def _check_url(url: str) -> None:
    if "@" in url:
        raise EncoderError(
            "encoder http: option url: it holds a user or a password, which belongs into "
            "the environment variable that key_variable names"
        )
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) > 0
    except ValueError:  # of the port
        good = False
    if not good or re.search(r"\s", url):
        raise EncoderError(
            f"encoder http: option url: '{url}' is not one; write it in full, like "
            "https://host/v1/embeddings"
        )


def _key(variable: str | None) -> str | None:
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise EncoderError(
            f"encoder http: option key_variable: the environment variable {variable} is not set; "
            "export the key in it, or write key_variable: null for a server without keys"
        )
    if not re.fullmatch(r"[!-~]+", key):  # the header would be refused in an error that quotes it
        raise EncoderError(
            f"encoder http: option key_variable: {variable} holds no key: it has characters "
            "other than printable ASCII, or spaces"
        )
    return key
