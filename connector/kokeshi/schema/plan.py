"""A search plan as data: which stages find candidates and which score them.

candidates   `match` (BM25), `shortlist` (HNSW over a prefix), both (their union), `scan` (codes, of
             everything that the filter leaves, or of its best `cells`), or none of them (everything
             that the filter leaves, or its best `cells`)
score        `rescore` (exact similarity at some dimension), `fuse` (BM25 and similarity, weighted),
             `rrf` (their ranks, in the client), or else the score of the one candidate stage
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from kokeshi.schema.base import Model

Dims = Annotated[int, Field(ge=1)] | Literal["full"]
MAX_K = 10_000
"""Both engines refuse a kNN query with more candidates."""


class Match(Model):
    """BM25 over text fields.

    fields: `title` or `title^2`; None takes all of the spec's text fields. type: how the scores of
    several fields become one. operator: `or`, where one word of the query is enough, or `and`.
    minimum_should_match: how many of its words a document must have, as a number or such as `75%`.
    """

    fields: tuple[str, ...] | None = None
    type: Literal["best_fields", "most_fields", "cross_fields", "phrase"] = "best_fields"
    operator: Literal["or", "and"] = "or"
    minimum_should_match: int | str | None = None


class Shortlist(Model):
    """The k nearest by a graph over the first `dims` dimensions of `vector`.

    dims: of the prefix whose graph is walked, or `full`. vector: its name, where there are several.
    k: of the whole index, at least; it is widened under a filter. candidates: how many the graph
    search keeps on each shard while it walks, at least k (OpenSearch keeps k), and k is not widened;
    None leaves both to Kokeshi. exact_below: where the filter leaves so few documents, and the plan
    rescores, they are all compared exactly instead; None takes 1000, 0 never does.
    """

    dims: Dims
    k: Annotated[int, Field(ge=1, le=MAX_K)]
    vector: str | None = None
    candidates: Annotated[int, Field(ge=1, le=MAX_K)] | None = None
    exact_below: Annotated[int, Field(ge=0)] | None = None


class Cells(Model):
    """The documents in the `nprobe` coarse cells nearest to the query, of what the filter leaves.

    nprobe: how many cells are looked into; it is widened under a filter. vector: its name, where
    there are several. all_below: where the filter leaves so few documents, every cell is looked
    into, since the best of few are not near the query, and nprobe is not widened; None leaves both
    to Kokeshi.
    """

    nprobe: Annotated[int, Field(ge=1)]
    vector: str | None = None
    all_below: Annotated[int, Field(ge=0)] | None = None


class Scan(Model):
    """Every document that the filter, and `cells`, leave, scored by its codes.

    k: how many of the best are rescored, of the whole index at least. vector: its name, where there
    are several. exact_below: where the filter leaves so few documents, and the plan rescores, they
    are all compared exactly instead; None takes k, 0 never does.
    """

    k: Annotated[int, Field(ge=1, le=MAX_K)]
    vector: str | None = None
    exact_below: Annotated[int, Field(ge=0)] | None = None


class Rescore(Model):
    """Exact similarity of every candidate.

    dims: of the prefix that is compared, or `full`. vector: its name, where there are several.
    """

    dims: Dims = "full"
    vector: str | None = None


class Fuse(Model):
    """BM25 and similarity in one score: `b / (b + saturation) + weight * s`.

    b: the BM25 score; it saturates so that one rare word cannot outweigh all similarity.
    s: the similarity on the scale of `kokeshi.codes.spaces`, (1 + cosine) / 2 for cosine.
    weight: of the similarity. saturation: the BM25 score that counts one half.
    """

    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.4
    saturation: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 5.0


class Rrf(Model):
    """Reciprocal rank fusion of words and vectors: the sum of `1 / (rank_constant + rank)`.

    Cormack, Clarke and Büttcher, SIGIR 2009. Each of the two rankings counts to its `window`-th
    hit. The engines ask a licence or a plugin for it, so it is computed in the client, from two
    searches of one request.

    rank_constant: the larger, the less the first ranks stand out. window: how many hits of each
    ranking count.
    """

    rank_constant: Annotated[int, Field(ge=0)] = 60
    window: Annotated[int, Field(ge=1, le=MAX_K)] = 100


class SearchPlan(Model):
    """The stages of one search.

    match: candidates by their words. shortlist: candidates by a graph. cells: candidates by coarse
    cells. scan: candidates by their codes. rescore: exact similarity of the candidates. fuse: words
    and similarity in one score. rrf: words and vectors by their ranks. filter: an expression that is
    added to that of each query.
    """

    match: Match | None = None
    shortlist: Shortlist | None = None
    cells: Cells | None = None
    scan: Scan | None = None
    rescore: Rescore | None = None
    fuse: Fuse | None = None
    rrf: Rrf | None = None
    filter: str | None = None

    @model_validator(mode="after")
    def _stages_fit(self) -> SearchPlan:
        if not (self.match or self.shortlist or self.scan or self.rescore):
            raise ValueError("a plan needs at least one of match, shortlist, scan, rescore")
        self._codes_fit()
        if self.fuse and not (self.match and self.rescore):
            raise ValueError("fuse needs match and rescore, the two scores that it combines")
        if self.fuse and self.rrf:
            raise ValueError("fuse and rrf are two ways to the same end: give one")
        if self.rrf and not (self.match and (self.shortlist or self.rescore)):
            raise ValueError("rrf needs match, and shortlist or rescore: the rankings it combines")
        if self.match and self.shortlist and not (self.fuse or self.rrf):
            raise ValueError("match and shortlist together need fuse or rrf, to make one ranking")
        return self

    @property
    def is_adaptive(self) -> bool:
        """Whether it is made to fit what its filter leaves, so that this must be counted first."""
        return bool(self.shortlist or self.cells or self.scan)

    def _codes_fit(self) -> None:
        codes = "scan" if self.scan else "cells"
        others = {
            "match": self.match,
            "shortlist": self.shortlist,
            "fuse": self.fuse,
            "rrf": self.rrf,
        }
        if (self.scan or self.cells) and (
            found := [name for name, stage in others.items() if stage]
        ):
            raise ValueError(
                f"{codes} and {found[0]} do not go together: {codes} takes cells, scan, rescore and "
                "filter beside it"
            )
        if self.scan and self.cells and self.scan.vector != self.cells.vector:
            raise ValueError("cells and scan look at the codes of one vector: name the same")
