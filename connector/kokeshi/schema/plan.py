"""A search plan as data: which stages find candidates and which score them.

candidates   `match` (BM25), `shortlist` (HNSW over a prefix), both (their union), or neither
             (everything that the filter leaves)
score        `rescore` (exact similarity at some dimension), `fuse` (BM25 and similarity, weighted),
             or else the score of the one candidate stage
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from kokeshi.schema.base import Model

Dims = Annotated[int, Field(ge=1)] | Literal["full"]
MAX_K = 10_000
"""Both engines refuse a kNN query with more candidates."""


class Match(Model):
    """BM25 over text fields. fields: `title` or `title^2`; None takes all of the spec's text fields."""

    fields: tuple[str, ...] | None = None
    type: Literal["best_fields", "most_fields", "cross_fields", "phrase"] = "best_fields"
    operator: Literal["or", "and"] = "or"
    minimum_should_match: int | str | None = None


class Shortlist(Model):
    """The k nearest by a graph over the first `dims` dimensions of `vector`."""

    dims: Dims
    k: Annotated[int, Field(ge=1, le=MAX_K)]
    vector: str | None = None


class Rescore(Model):
    """Exact similarity of every candidate at `dims` dimensions of `vector`."""

    dims: Dims = "full"
    vector: str | None = None


class Fuse(Model):
    """BM25 and similarity in one score: `b / (b + saturation) + weight * s`.

    b: the BM25 score; it saturates so that one rare word cannot outweigh all similarity.
    s: the similarity on the scale of `kokeshi.codes.spaces`, (1 + cosine) / 2 for cosine.
    """

    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.4
    saturation: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 5.0


class SearchPlan(Model):
    """The stages of one search. `filter` is a filter expression added to that of each query."""

    match: Match | None = None
    shortlist: Shortlist | None = None
    rescore: Rescore | None = None
    fuse: Fuse | None = None
    filter: str | None = None

    @model_validator(mode="after")
    def _stages_fit(self) -> SearchPlan:
        if not (self.match or self.shortlist or self.rescore):
            raise ValueError("a plan needs at least one of match, shortlist, rescore")
        if self.fuse and not (self.match and self.rescore):
            raise ValueError("fuse needs match and rescore, the two scores that it combines")
        if self.match and self.shortlist and not self.fuse:
            raise ValueError("match and shortlist together need fuse, to bring two scores to one")
        return self
