"""Evaluations in an engine: the index `kokeshi-evaluations`, which dashboards draw from.

An evaluation is a document of the kind "evaluation", which holds all of it, and one for each of its
records. That document is written last, so that an evaluation is listed only when it is there as a
whole. Flows: written once for every engine.
"""

from __future__ import annotations

import base64
import binascii
import gzip
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import orjson
from pydantic import ValidationError

from kokeshi.engines import Engine, Flow, calls
from kokeshi.engines.calls import Call
from kokeshi.engines.items import BulkItem
from kokeshi.errors import EngineError, InputError
from kokeshi.types import Json
from kokeshi_eval.model import Evaluation
from kokeshi_eval.records import build_records, record_id

INDEX: Final = "kokeshi-evaluations"
"""Of every evaluation on an engine."""

BATCH: Final = 2_000
"""Records of one request: about 1 MB."""

LARGEST: Final = 64 * 2**20
"""Bytes of a compressed evaluation that one request may carry; engines take 100 MB by default."""

MOST: Final = 1_000
"""Evaluations that a list has, the newest."""

_KEYWORDS = (
    *("kind", "evaluation", "engine", "baseline", "candidate", "candidates", "label", "role"),
    *(
        "measure",
        "query",
        "text",
        "filter",
        "attribute",
        "attributes",
        "value",
        "verdict",
        "verdicts",
    ),
)
_DOUBLES = (
    *("weight", "before", "after", "delta", "change", "rbo", "judged_before", "judged_after"),
    *("low", "high", "p", "p_adjusted", "mde", "changed", "mean", "judged"),
    *("latency_p50", "latency_p95"),
)
_INTEGERS = ("words", "positives", "wins", "ties", "losses", "queries", "size")
_BOOLEANS = ("main", "identical")


def build_store() -> Json:
    """Return the body that creates the index.

    Only `file`, the evaluation itself, has no field: it is kept in its document alone. A longer
    keyword than 1,000 characters is kept too, and not found.
    """
    properties: Json = {name: {"type": "keyword", "ignore_above": 1_000} for name in _KEYWORDS}
    properties |= {name: {"type": "double"} for name in _DOUBLES}
    properties |= {name: {"type": "integer"} for name in _INTEGERS}
    properties |= {name: {"type": "boolean"} for name in _BOOLEANS}
    properties["created"] = {"type": "date"}
    settings = {"index": {"number_of_shards": 1, "auto_expand_replicas": "0-1"}}
    return {"settings": settings, "mappings": {"dynamic": False, "properties": properties}}


def build_summary(evaluation: Evaluation) -> Json:
    """Return the document of a whole evaluation; raises InputError where it is too large for one."""
    data = evaluation.model_dump_json().encode()
    file = gzip.compress(data, mtime=0)  # the same bytes for the same evaluation
    if len(file) > LARGEST:
        raise InputError(
            f"evaluation {evaluation.id}: it has {len(file):,} bytes, compressed, and the engine takes "
            f"{LARGEST:,} in one document; keep it as a file, or evaluate fewer queries at once"
        )
    return {
        "kind": "evaluation",
        "evaluation": evaluation.id,
        "created": evaluation.created,
        "engine": evaluation.engine,
        "baseline": evaluation.baseline.label,
        "candidates": [candidate.system.label for candidate in evaluation.candidates],
        "verdicts": [candidate.decision.verdict for candidate in evaluation.candidates],
        "measure": evaluation.label,
        "queries": len(evaluation.queries),
        "size": len(data),
        "file": base64.b64encode(file).decode(),
    }


def save_evaluation(engine: Engine, evaluation: Evaluation) -> None:
    """Keep an evaluation; saving it again changes nothing.

    Raises EngineError where the engine does not take all of it, InputError where it is too large.
    """
    engine.run(_save(evaluation))


def list_evaluations(engine: Engine) -> list[Json]:
    """Return what is there, the newest first: the summaries without the evaluations themselves."""
    return engine.run(_list())


def load_evaluation(engine: Engine, id_: str) -> Evaluation:
    """Return an evaluation; raises InputError where the engine has none of that id, or a broken one."""
    return engine.run(_load(id_))


def _save(evaluation: Evaluation) -> Flow[None]:
    summary = build_summary(evaluation)
    if (yield calls.get_mapping(INDEX)) is None:
        yield calls.ensure_index(INDEX, build_store())
    for documents in (*_batches(build_records(evaluation)), [summary]):
        items = yield _write(documents)
        for item in items:
            if item.reason:
                raise EngineError(
                    f"evaluation {evaluation.id}: {item.reason}; save it again", status=item.status
                )


def _list() -> Flow[list[Json]]:
    if (yield calls.get_mapping(INDEX)) is None:
        return []
    body = {
        "query": {"term": {"kind": "evaluation"}},
        "size": MOST,
        "sort": [{"created": "desc"}, {"evaluation": "desc"}],
        "_source": {"excludes": ["file"]},
    }
    answer = yield calls.search(INDEX, body)
    return [hit["_source"] for hit in answer["hits"]["hits"]]


def _load(id_: str) -> Flow[Evaluation]:
    key = record_id({"kind": "evaluation", "evaluation": id_})
    found: Json | None = yield calls.get_document(INDEX, key)
    if found is None:
        raise InputError(
            f"evaluation {id_}: the index '{INDEX}' has none; which there are, says: kokeshi eval list"
        )
    try:
        data = gzip.decompress(base64.b64decode(found["file"], validate=True))
        return Evaluation.model_validate_json(data)
    except (KeyError, TypeError, binascii.Error, EOFError, OSError, ValidationError):
        raise InputError(
            f"evaluation {id_}: its document in the index '{INDEX}' has no evaluation that this "
            "version reads; save it again from its file"
        ) from None


def _batches(records: Sequence[Json]) -> Iterator[Sequence[Json]]:
    for start in range(0, len(records), BATCH):
        yield records[start : start + BATCH]


def _write(documents: Sequence[Json]) -> Call[list[BulkItem]]:
    """Write documents, and show them at once: that takes no further privilege, a refresh would."""
    call = calls.bulk(INDEX, _lines(documents))
    return replace(call, params={**call.params, "refresh": "true"})


def _lines(documents: Sequence[Json]) -> bytes:
    lines = []
    for document in documents:
        key = {"index": {"_id": _id_of(document)}}
        lines += [orjson.dumps(key), orjson.dumps(document)]
    return b"\n".join([*lines, b""])


def _id_of(document: Json) -> str:
    """The id of a summary is of its kind and evaluation alone, so that it is found by them."""
    if document["kind"] == "evaluation":
        document = {name: document[name] for name in ("kind", "evaluation")}
    return record_id(document)
