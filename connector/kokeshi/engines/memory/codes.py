"""Codes in memory: which documents have those of a codebook, and their scores by a lookup table."""

from __future__ import annotations

import base64

import numpy as np

from kokeshi.codes import SPACES
from kokeshi.codes.packing import code_bytes, unpack
from kokeshi.engines.memory.refusal import Refusal
from kokeshi.engines.memory.store import Bools, Columns
from kokeshi.types import Float32, Floats, Json


def coded(columns: Columns, stages: Json) -> Bools:
    """Return which documents have codes of the codebook, in the cells that are looked into, (N,)."""
    codebook, cells = stages["codebook"], stages.get("cells")
    found = _has(columns, codebook["field"], {codebook["digest"]})
    return found & _has(columns, cells["field"], set(cells["ids"])) if cells else found


def _has(columns: Columns, field: str, wanted: set[object]) -> Bools:
    if field not in columns.fields:
        return np.zeros(columns.count, np.bool_)
    return np.array([not wanted.isdisjoint(v) for v in columns.values(field)], np.bool_)


def score_codes(columns: Columns, scan: Json, kept: Bools) -> Floats:
    """Return the scores (N,) of the codes that are kept, on the scale of `kokeshi.codes.spaces`.

    scan: what `scripts/painless/adc.painless` takes, which computes the same.
    """
    rows = np.flatnonzero(kept)
    values = columns.values(scan["field"]) if rows.size else []
    table = _floats(scan["table"]).reshape(-1, scan["codebook_size"])
    packed = b"".join(values[row][0] for row in rows)
    width = code_bytes(len(table), scan["codebook_size"])
    if len(packed) != width * len(rows):
        reason = f"[{scan['field']}]: a table of {len(table)} subvectors does not fit the codes"
        raise Refusal(400, "script_exception", reason)
    codes = unpack(
        np.frombuffer(packed, np.uint8).reshape(len(rows), width), len(table), scan["codebook_size"]
    )
    sums = table[np.arange(len(table)), codes].sum(axis=1, dtype=np.float64)
    if "cell" in scan:
        cells = columns.values(scan["cell"])
        sums = sums + _floats(scan["biases"])[[cells[row][0] for row in rows]]
    scores = np.zeros(columns.count)
    mapped = SPACES[scan["space"]].to_score(sums)
    scores[rows] = np.maximum(mapped, 0) if scan["space"] == "cosine" else mapped
    return scores


def _floats(text: str) -> Float32:
    return np.frombuffer(base64.b64decode(text), "<f4").astype(np.float32)
