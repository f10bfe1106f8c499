"""An evaluation as data: what is saved, stored, reported and decided on.

Frozen, checked when it is read from a file, and complete: every report is made from it alone. All
figures are unrounded. `label` names a measure and its depth as ir_measures does: `nDCG@10`.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

FORMAT: Final = "kokeshi-evaluation/1"
"""Of a saved evaluation; another number could not be read by this one."""

Gain = Literal["exponential", "linear"]
"""Of a grade g: 2^g - 1, as the engines have it, or g."""

Path = Literal["_rank_eval", "_msearch"]
"""The API that hits came from. Only `_rank_eval` also gives figures of the engine's own."""

Verdict = Literal["A/B test", "reject", "skip", "collect judgments"]

Share = Annotated[float, Field(ge=0, le=1)]


Measure = Literal["nDCG", "AP", "RR", "P", "R", "ERR"]
MEASURES: Final[tuple[Measure, ...]] = get_args(Measure)


TOLERANCE: Final = 1e-6
"""Two figures of the same ranking, by different programs, differ by less."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class Route(_Frozen):
    """The path of all hits of one ranking. why: it is not `_rank_eval`, None where it is."""

    path: Path
    why: str | None = None


class Latency(_Frozen):
    """Milliseconds of searches sent one at a time, the contenders taking turns; by the client's clock."""

    queries: int
    p50: float
    p95: float


class System(_Frozen):
    """One contender, and its means over the queries with a positive grade.

    index: the concrete one that was searched. plan: what it is, for people: a name, or the plan as
    JSON. values: label -> mean. engine: label -> mean of the engine's own figures. judged: Judged@k.
    hits: how many came back, at most k.
    """

    label: str
    index: str
    plan: str
    route: Route
    values: dict[str, float | None]
    engine: dict[str, float | None] = {}
    judged: float | None
    hits: float | None
    latency: Latency | None = None


class Difference(_Frozen):
    """A paired difference, candidate less baseline, of one measure over `queries` queries.

    before, after, delta: weighted means. low, high: of the interval of `delta` at 1 - alpha. p: of the
    two-sided paired randomisation test; p_adjusted: corrected for all candidates, and for slices all
    values of the attribute. mde: the smallest difference that as many such queries show with the
    power of the settings. None where there are too few queries.
    """

    label: str
    queries: int
    before: float | None
    after: float | None
    delta: float | None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    wins: int = 0
    ties: int = 0
    losses: int = 0
    mde: float | None = None


class Slice(_Frozen):
    """The queries that share one value of an attribute."""

    attribute: str
    value: str
    difference: Difference
    change: float | None


class Impact(_Frozen):
    """How much a candidate moves, over the `queries` for which it or the baseline returns something.

    pseudo_ndcg: nDCG@k with the baseline's own top k as the truth; engine_pseudo_ndcg: by the
    engine. change: 1 - pseudo_ndcg. low, high: its interval. rbo: rank-biased overlap with the
    baseline, which sees changes of order too. changed: the share of queries whose top k is not the
    same in the same order. kept: the share of the candidate's top k that was in the baseline's.
    """

    k: int
    queries: int
    pseudo_ndcg: float | None
    engine_pseudo_ndcg: float | None = None
    change: float | None
    low: float | None = None
    high: float | None = None
    rbo: float | None
    changed: float | None
    kept: float | None


class Unjudged(_Frozen):
    """A hit without a grade. swing: by how much the mean difference moves if it gets the best grade."""

    query: str
    doc_id: str
    swing: float


class Decision(_Frozen):
    """What to do with a change. reasons: sentences. to_judge: the documents that would settle it first."""

    verdict: Verdict
    reasons: tuple[str, ...]
    to_judge: tuple[Unjudged, ...] = ()


class Candidate(_Frozen):
    """A contender against the baseline.

    improvement: label -> difference; the first label is the main measure. condensed: of the main
    measure, on lists without the hits that have no grade. harmed, helped: ids of queries, the most
    first, at most ten each.
    """

    system: System
    improvement: dict[str, Difference]
    condensed: Difference
    impact: Impact
    slices: tuple[Slice, ...]
    harmed: tuple[str, ...]
    helped: tuple[str, ...]
    decision: Decision


class EngineFigure(_Frozen):
    """A figure of the engine's beside ours.

    value: what it answered. expected: what its own definition gives for its hits. standard: what the
    measure is. why: standard and value differ, None where they do not.
    """

    value: float
    expected: float
    standard: float
    why: str | None = None

    @property
    def wrong(self) -> bool:
        """Whether it is not what the engine's own definition gives for its hits."""
        return abs(self.value - self.expected) > TOLERANCE


class Ranked(_Frozen):
    """What one contender returned for one query, to the depth of k or the impact's, whichever is more.

    grades: of each hit, None for one without. values: label -> value, engine: label -> figure.
    judged: Judged@k, None without hits. condensed: the main measure without the hits that have no grade.
    """

    ids: tuple[str, ...]
    grades: tuple[int | None, ...]
    values: dict[str, float]
    engine: dict[str, EngineFigure] = {}
    judged: float | None
    condensed: float


class Moved(_Frozen):
    """How much one query's ranking moves; see `Impact`.

    engine_pseudo_ndcg: what the engine answered, engine_expected: what its definition gives for its hits.
    """

    pseudo_ndcg: float
    engine_pseudo_ndcg: float | None = None
    engine_expected: float | None = None
    change: float
    rbo: float
    kept: float | None
    identical: bool

    @property
    def wrong(self) -> bool:
        """Whether the engine's figure is not what its own definition gives for its hits."""
        value, expected = self.engine_pseudo_ndcg, self.engine_expected
        return value is not None and expected is not None and abs(value - expected) > TOLERANCE


class Contended(_Frozen):
    """A candidate's answer to one query. moved: None where neither it nor the baseline has hits."""

    ranked: Ranked
    moved: Moved | None


class QueryResult(_Frozen):
    """One query and what each contender returned; candidates are in the order of the evaluation.

    positives: documents with a grade above 0; a query without any has no part in the means of
    improvement. attributes: what slices are made by.
    """

    id: str
    text: str
    filter: str | None
    weight: float
    attributes: dict[str, str]
    positives: int
    baseline: Ranked
    candidates: tuple[Contended, ...]


class Rule(_Frozen):
    """When a change deserves what. All bounds are inclusive.

    min_impact: of the greater of `Impact.change` and 1 - `Impact.rbo`, what counts as large.
    min_delta: of the main measure, what counts as an improvement or a harm, beside being significant.
    min_judged: Judged@k of the candidate below which no gain counts, unless no grades could turn it.
    """

    min_impact: Share = 0.05
    min_delta: Annotated[float, Field(ge=0)] = 0.0
    min_judged: Share = 0.5


class Options(_Frozen):
    """How an evaluation is made.

    k: depth of every measure. impact_k: of the impact. measures: names, the first is the main one.
    engine_measures: those that the engine is asked for too, one more request each. gain: of nDCG.
    alpha: of tests and intervals. power: of the minimum detectable effect. rbo_p: the persistence of
    rank-biased overlap. slices: attributes; all that make parts worth a test if empty. seed: of
    resampling. resamples: of the test and of the bootstrap, each.
    """

    k: Annotated[int, Field(ge=1)] = 10
    impact_k: Annotated[int, Field(ge=1)] = 20
    measures: Annotated[tuple[Measure, ...], Field(min_length=1)] = MEASURES
    engine_measures: tuple[Measure, ...] = ("nDCG",)
    gain: Gain = "exponential"
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    power: Annotated[float, Field(gt=0, lt=1)] = 0.8
    rbo_p: Annotated[float, Field(gt=0, lt=1)] = 0.9
    slices: tuple[str, ...] = ()
    seed: int = 0
    resamples: Annotated[int, Field(ge=99)] = 9_999
    rule: Rule = Rule()

    @field_validator("measures", "engine_measures")
    @classmethod
    def _once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError("a measure is named twice")
        return names

    @property
    def labels(self) -> tuple[str, ...]:
        """The measures with their depth, as results name them."""
        return tuple(f"{name}@{self.k}" for name in self.measures)


class JudgmentInfo(_Frozen):
    """What the truth was. agreement: Krippendorff's alpha, where several raters graded."""

    name: str
    queries: int
    documents: int
    merged: int = 0
    raters: int = 1
    agreement: float | None = None
    max_grade: int


class Evaluation(_Frozen):
    """Candidates against a baseline on one query set.

    requests: label -> query -> the bodies that were sent, of the queries in `harmed` and `helped`
    (one body, or two that are fused). documents: index -> id -> fields, of the hits of those
    queries. notes: what was left out and why. warnings: what makes figures doubtful.
    """

    format: Literal["kokeshi-evaluation/1"] = FORMAT
    id: str
    created: str
    engine: str
    options: Options
    judgments: JudgmentInfo
    baseline: System
    candidates: tuple[Candidate, ...]
    queries: tuple[QueryResult, ...]
    requests: dict[str, dict[str, list[dict[str, object]]]] = {}
    documents: dict[str, dict[str, dict[str, object]]] = {}
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The main measure."""
        return self.options.labels[0]
