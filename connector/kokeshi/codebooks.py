"""Codebooks in the engine, beside the indices that use them; and whether one is that of a spec.

The index `kokeshi-codebooks` has a document for each, with its digest as id, so that whoever may
read it can search an index of codes without the file. Flows: written once for `Index` and
`AsyncIndex`.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime, timezone
from typing import Final

import orjson

from kokeshi.codes.codebook import Codebook
from kokeshi.engines import Flow, calls
from kokeshi.errors import CodebookError, EngineError
from kokeshi.schema import VectorSpec
from kokeshi.types import Json

INDEX: Final = "kokeshi-codebooks"
"""Of every codebook on an engine."""

_RETRAIN: Final = "train it again with: kokeshi codes train FILE"


def build_store() -> Json:
    """Return the body that creates the index of codebooks.

    What the mapping does not name, the codebook itself among it, is kept in the document alone.
    """
    names = ("digest", "index", "vector", "encoder")
    properties = {name: {"type": "keyword"} for name in names}
    properties |= {"created": {"type": "date"}, "size": {"type": "long"}}
    settings = {
        "index": {"auto_expand_replicas": "0-1"}
    }  # green on one node, kept where there are more
    return {"settings": settings, "mappings": {"dynamic": False, "properties": properties}}


def build_document(codebook: Codebook, index: str, vector: str) -> Json:
    """Return the document of a codebook. index, vector: what it was saved for."""
    data = codebook.to_bytes()
    return {
        "digest": codebook.digest,
        "index": index,
        "vector": vector,
        "encoder": codebook.encoder,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "size": len(data),
        "parameters": codebook.parameters,
        "trained": dict(codebook.trained),
        "file": base64.b64encode(data).decode(),
    }


def save_codebook(codebook: Codebook, index: str, vector: str) -> Flow[bool]:
    """Keep a codebook in the engine; returns whether it was not there yet.

    Raises EngineError where the engine does not take it.
    """
    found: Json | None = yield calls.get_document(INDEX, codebook.digest)
    if found is not None:
        return False
    if (yield calls.get_mapping(INDEX)) is None:
        yield calls.ensure_index(INDEX, build_store())
    action = {"index": {"_id": codebook.digest}}
    lines = (orjson.dumps(line) for line in (action, build_document(codebook, index, vector)))
    (item,) = yield calls.bulk(INDEX, b"\n".join([*lines, b""]))
    if item.reason:
        raise EngineError(f"codebook {codebook.digest}: {item.reason}", status=item.status)
    return True


def find_codebook(digest: str) -> Flow[Codebook]:
    """Return the codebook of a digest; raises CodebookError where the engine has none or another."""
    name = f"{digest} in the index '{INDEX}'"
    found: Json | None = yield calls.get_document(INDEX, digest)
    if found is None:
        raise CodebookError(
            f"codebook {name}: there is none; ingest once with its file, or {_RETRAIN}"
        )
    codebook = Codebook.from_bytes(_read_document(found, name), name)
    if codebook.digest != digest:
        raise CodebookError(f"codebook {name}: it is another, {codebook.digest}; {_RETRAIN}")
    return codebook


def check_codebook(name: str, vector: VectorSpec, encoder: str, codebook: Codebook) -> None:
    """Raise CodebookError, naming both, where a codebook is not what a spec says of a vector.

    name: of the vector. encoder: identity of the model that makes its vectors here.
    """
    if vector.codes is None:
        raise CodebookError(f"vectors.{name}: it has no codes; add the section 'codes' to the spec")
    wanted = {"encoder": encoder, "dimension": vector.dimension, "space": vector.space}
    wanted |= {f"codes.{key}": v for key, v in vector.codes.model_dump().items()}
    for key, found in codebook.parameters.items():
        path = key if key in wanted else f"codes.{key}"
        if found is not None and found != wanted[path]:
            raise CodebookError(
                f"vectors.{name}.{path} is {_show(wanted[path])} in the spec, {_show(found)} in the "
                f"codebook {codebook.digest[:12]}; change it back, or {_RETRAIN}"
            )


def _read_document(document: Json, name: str) -> bytes:
    try:
        return base64.b64decode(document["file"], validate=True)
    except (KeyError, TypeError, binascii.Error):
        raise CodebookError(f"codebook {name}: the document has no codebook; {_RETRAIN}") from None


def _show(value: object) -> str:
    return orjson.dumps(value).decode()
