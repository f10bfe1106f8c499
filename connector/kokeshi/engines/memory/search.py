"""One plan run exactly: every comparison is made, no graph is walked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kokeshi.codes import SPACES
from kokeshi.engines.memory.codes import coded, score_codes
from kokeshi.engines.memory.refusal import Refusal
from kokeshi.engines.memory.store import Bools, Columns
from kokeshi.engines.memory.words import Words, score_words
from kokeshi.types import Floats, Json


@dataclass(frozen=True)
class Found:
    """What a query finds among N documents. hits: (N,) bool; scores: (N,) of the hits."""

    hits: Bools
    scores: Floats

    def best(self, start: int, size: int) -> list[int]:
        """Return rows of hits, the best first, equal ones in the order of the index."""
        rows = np.flatnonzero(self.hits)
        order = np.argsort(-self.scores[rows], kind="stable")
        return [int(row) for row in rows[order[start : start + size]]]


def find(columns: Columns, query: Json | None) -> Found:
    """Run the `query` of a body; raises Refusal for one that Kokeshi did not build."""
    kind, body = next(iter(query.items())) if query else ("match_all", {})
    if kind == "match_all":
        return Found(columns.all, np.ones(columns.count))
    if kind == "ids":
        wanted = frozenset(body["values"])
        hits = np.array([document.id in wanted for document in columns.documents], np.bool_)
        return Found(hits, np.ones(columns.count))
    if kind != "stages":
        reason = f"unknown query [{kind}]: in memory only ids and the plans of Kokeshi are answered"
        raise Refusal(400, "parsing_exception", reason)
    return _run(columns, body)


def _run(columns: Columns, stages: Json) -> Found:
    kept = columns.keep(stages.get("filter"))
    shortlist, rescore = stages.get("shortlist"), stages.get("rescore")
    if "codebook" in stages:
        kept = kept & coded(columns, stages)
    if "match" in stages and "fuse" in stages:
        return _fuse(columns, stages, kept)
    if scan := stages.get("scan"):
        return _scanned(columns, scan, rescore, kept)
    if shortlist:
        found = _nearest(columns, shortlist, kept)
    elif "match" in stages:
        found = _matched(columns, stages, kept)
    else:
        found = Found(kept, np.zeros(columns.count))
    if not rescore:
        return found
    compare = _nearest if rescore["flat"] else _similar
    return compare(columns, rescore, found.hits)


def _fuse(columns: Columns, stages: Json, kept: Bools) -> Found:
    """Words and similarity of the union of what the words and the shortlist find."""
    words = _matched(columns, stages, kept)
    union = kept if stages.get("exact") else words.hits
    if shortlist := stages.get("shortlist"):
        union = union | _nearest(columns, shortlist, kept).hits
    similar = _similar(columns, stages["rescore"], union)
    fuse = stages["fuse"]
    saturated = words.scores / (words.scores + fuse["saturation"])
    scores = saturated * words.hits + fuse["weight"] * similar.scores * similar.hits
    return Found(words.hits | similar.hits, scores)


def _matched(columns: Columns, stages: Json, kept: Bools) -> Found:
    scores = score_words(columns, Words.read(stages))
    return Found(kept & (scores > 0), scores)


def _scanned(columns: Columns, scan: Json, rescore: Json | None, kept: Bools) -> Found:
    """Score all that is kept by codes; the k best are compared again, and lead with that score."""
    if rescore:  # of another vector, which not all documents need have
        kept = kept & _similar(columns, rescore, kept).hits
    found = Found(kept, score_codes(columns, scan, kept))
    if rescore is None:
        return found
    best = found.best(0, scan["k"])
    scores = np.zeros(columns.count)
    scores[best] = _similar(columns, rescore, kept).scores[best]
    return Found(kept, scores)


def _nearest(columns: Columns, stage: Json, kept: Bools) -> Found:
    """Return the k nearest of the documents that are kept."""
    found = _similar(columns, stage, kept)
    hits = np.zeros(columns.count, np.bool_)
    hits[found.best(0, stage["k"])] = True
    return Found(hits, found.scores)


def _similar(columns: Columns, stage: Json, kept: Bools) -> Found:
    """Return the documents with the vector, on the scale of `kokeshi.codes.spaces`."""
    if stage["field"] not in columns.fields:
        reason = f"failed to create query: field [{stage['field']}] does not exist in the mapping"
        raise Refusal(400, "query_shard_exception", reason)
    rows, vectors = columns.vectors(stage["field"])
    space = SPACES[stage["space"]]
    similarity = space.similarity(np.array(stage["vector"], np.float32), vectors)
    scores = np.zeros(columns.count)
    scores[rows] = space.to_score(similarity.astype(np.float64))
    present = np.zeros(columns.count, np.bool_)
    present[rows] = True
    return Found(kept & present, scores)
