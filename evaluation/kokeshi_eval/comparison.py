"""Two plans on the same queries: a row for each query, and the means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from statistics import fmean

from kokeshi.types import Json
from kokeshi_eval.measures import Scores
from kokeshi_eval.ranking import Path, Route

SAME = 1e-9
"""Two nDCG that differ by no more are a tie."""


@dataclass(frozen=True)
class Impact:
    """How much of the baseline's own top a candidate keeps; says nothing of which is better.

    pseudo_ndcg: nDCG@impact_k of the candidate with the baseline's top as the truth; 1 where all of
    it is left. engine_pseudo_ndcg: by `_rank_eval`, None where the candidate took another path.
    kept: the share of the candidate's top that was in the baseline's, None without hits.
    identical: the same documents in the same order. agrees: no figure of the engine's is another
    than the one computed from its hits. path: of the candidate's hits.
    """

    pseudo_ndcg: float
    engine_pseudo_ndcg: float | None
    kept: float | None
    identical: bool
    agrees: bool
    path: Path

    @property
    def change(self) -> float:
        """1 - pseudo nDCG: 0 where all of the baseline's top is left, 1 where none of it is."""
        return 1 - self.pseudo_ndcg


@dataclass(frozen=True)
class QueryRow:
    """One query under both plans.

    positives: documents with a grade above 0. before, after: the baseline's and the candidate's
    ranking against the judgments. impact: the candidate's against the baseline's own top, None
    where the baseline returned nothing.
    """

    query: str
    positives: int
    before: Scores
    after: Scores
    impact: Impact | None

    @property
    def delta(self) -> float:
        """The improvement: nDCG@k after less nDCG@k before."""
        return self.after.ndcg - self.before.ndcg

    @property
    def agrees(self) -> bool:
        """Whether no figure of the engine's is another than the one computed from its hits."""
        return all(found.agrees for found in (self.before, self.after, self.impact) if found)

    @property
    def idcg_differs(self) -> bool:
        """Whether the engine's nDCG@k of a plan has another denominator than the standard one."""
        return self.before.idcg_differs or self.after.idcg_differs

    def to_json(self) -> Json:
        """Return the row as JSON."""
        row = asdict(self) | {"delta": self.delta, "idcg_differs": self.idcg_differs}
        if self.impact:
            row["impact"]["change"] = self.impact.change
        return row


@dataclass(frozen=True)
class Means:
    """Means over queries; None where there is none. judged: over the queries with hits.

    engine_ndcg: by `_rank_eval`, None where the hits came by another path.
    """

    ndcg: float | None
    engine_ndcg: float | None
    judged: float | None
    hits: float | None


@dataclass(frozen=True)
class Summary:
    """The main figures.

    Improvement, over the `queries` with a positive grade: before, after, delta, and how many
    queries are better, same, worse. Impact, over the `compared` queries for which the baseline
    returns something: the means of `Impact`, and how many queries are identical.
    """

    queries: int
    before: Means
    after: Means
    delta: float | None
    better: int
    same: int
    worse: int
    compared: int
    change: float | None
    pseudo_ndcg: float | None
    engine_pseudo_ndcg: float | None
    kept: float | None
    identical: int


@dataclass(frozen=True)
class Comparison:
    """A candidate plan against a baseline. k: depth of nDCG and Judged; impact_k: of the impact.

    baseline_route, candidate_route: where their hits came from; the impact's are the candidate's.
    """

    baseline: str
    candidate: str
    k: int
    impact_k: int
    rows: tuple[QueryRow, ...]
    baseline_route: Route
    candidate_route: Route
    merged_judgments: int = 0

    @property
    def graded(self) -> tuple[QueryRow, ...]:
        """The queries with a positive grade: only these can tell a good order from a bad one."""
        return tuple(row for row in self.rows if row.positives)

    @property
    def without_positive(self) -> tuple[QueryRow, ...]:
        """The queries left out of the means of nDCG: it is 0 for them, whatever comes back."""
        return tuple(row for row in self.rows if not row.positives)

    @property
    def without_baseline(self) -> tuple[QueryRow, ...]:
        """The queries left out of the impact: the baseline returns nothing to compare with."""
        return tuple(row for row in self.rows if row.impact is None)

    @property
    def disagreements(self) -> tuple[QueryRow, ...]:
        """The queries where a figure of the engine's is not the one that its own hits give."""
        return tuple(row for row in self.rows if not row.agrees)

    def summary(self) -> Summary:
        """Return the main figures."""
        graded = self.graded
        impacts = [row.impact for row in self.rows if row.impact]
        better = sum(row.delta > SAME for row in graded)
        worse = sum(row.delta < -SAME for row in graded)
        return Summary(
            queries=len(graded),
            before=_means([row.before for row in graded]),
            after=_means([row.after for row in graded]),
            delta=_mean(row.delta for row in graded),
            better=better,
            same=len(graded) - better - worse,
            worse=worse,
            compared=len(impacts),
            change=_mean(impact.change for impact in impacts),
            pseudo_ndcg=_mean(impact.pseudo_ndcg for impact in impacts),
            engine_pseudo_ndcg=_mean_known(impact.engine_pseudo_ndcg for impact in impacts),
            kept=_mean_known(impact.kept for impact in impacts),
            identical=sum(impact.identical for impact in impacts),
        )

    def to_json(self) -> Json:
        """Return everything as JSON: the main figures, then a row for each query."""
        return {
            "baseline": self.baseline,
            "candidate": self.candidate,
            "k": self.k,
            "impact_k": self.impact_k,
            "gain": "2^grade - 1",
            "routes": {
                "baseline": asdict(self.baseline_route),
                "candidate": asdict(self.candidate_route),
            },
            "merged_judgments": self.merged_judgments,
            "summary": asdict(self.summary()),
            "without_positive": [row.query for row in self.without_positive],
            "without_baseline": [row.query for row in self.without_baseline],
            "disagreements": [row.query for row in self.disagreements],
            "rows": [row.to_json() for row in self.rows],
        }


def _means(scores: list[Scores]) -> Means:
    return Means(
        ndcg=_mean(s.ndcg for s in scores),
        engine_ndcg=_mean_known(s.engine_ndcg for s in scores),
        judged=_mean_known(s.judged for s in scores),
        hits=_mean(s.hits for s in scores),
    )


def _mean_known(values: Iterable[float | None]) -> float | None:
    return _mean(value for value in values if value is not None)


def _mean(values: Iterable[float]) -> float | None:
    listed = list(values)
    return fmean(listed) if listed else None
