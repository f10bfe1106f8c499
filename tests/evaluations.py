"""A realistic evaluation made of nothing: a small catalogue, forty queries, three contenders.

Figures are consistent with the lists that they describe, by the plain formulas below; the tests of
reports and records read them and never judge them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from math import log2

import numpy as np

from kokeshi_eval.model import (
    Candidate,
    Contended,
    Decision,
    Difference,
    EngineFigure,
    Evaluation,
    Impact,
    JudgmentInfo,
    Latency,
    Moved,
    Options,
    QueryResult,
    Ranked,
    Route,
    Slice,
    System,
    Unjudged,
    Verdict,
)
from kokeshi_eval.queries import EvalQuery

OPTIONS = Options(k=10, impact_k=20, slices=("band", "category", "words", "filter"))
KINDS = (
    ("bluetooth speaker", "Audio", ("waterproof", "portable mini", "black", "with subwoofer")),
    ("laser printer", "Printers", ("duplex", "a4 colour", "wireless", "for small office")),
    ("gaming mouse", "Peripherals", ("wireless", "rgb", "left handed", "light")),
    ("usb c hub", "Peripherals", ("7 port", "with ethernet", "4k hdmi", "aluminium")),
    ("24 inch monitor", "Displays", ("full hd", "ips", "curved", "height adjustable")),
    ("external ssd", "Storage", ("1tb", "rugged", "usb 3.2", "encrypted")),
    ("wifi router", "Networking", ("dual band", "mesh", "wifi 6", "with vpn")),
    ("laptop bag", "Accessories", ("15.6 inch", "leather", "waterproof", "for women")),
)
BRANDS = ("Arvika", "Beltane", "Corvid", "Dunmore", "Estuary")
DEPTH = 20
QUALITY = {"bm25": 1.0, "hybrid": 1.15, "two-stage": 1.0}
"""How clearly each contender tells a good document from a bad one, beside noise of deviation 1."""


@cache
def build_evaluation(
    verdicts: tuple[Verdict, Verdict] = ("A/B test", "collect judgments"),
) -> Evaluation:
    """Return `hybrid` and `two-stage` against `bm25`, with these verdicts."""
    rng = np.random.default_rng(6)
    labels = tuple(QUALITY)
    queries = [_answer(query, kind, labels, rng) for query, kind in _build_queries()]
    catalogue = build_catalogue()
    candidates = tuple(
        _candidate(queries, at, label, verdict)
        for at, (label, verdict) in enumerate(zip(labels[1:], verdicts, strict=True))
    )
    shown = {id_ for candidate in candidates for id_ in (*candidate.harmed, *candidate.helped)}
    return Evaluation(
        id="2026-04-13T09-30-00-3f2a",
        created="2026-04-13T09:30:00+00:00",
        engine="OpenSearch 3.6.0",
        options=OPTIONS,
        judgments=JudgmentInfo(
            name="judgments.csv",
            queries=40,
            documents=1532,
            merged=3,
            raters=2,
            agreement=0.81,
            max_grade=3,
        ),
        baseline=_system("bm25", None, [query for query in queries if query.positives]),
        candidates=candidates,
        queries=tuple(queries),
        requests={
            label: {id_: [_request(id_, label)] for id_ in sorted(shown)} for label in labels
        },
        documents={"shop-2026": catalogue},
        notes=(
            "2 queries have no positive grade and are left out of improvement: 'gaming mouse rgb', "
            "'laptop bag leather'.",
            "3 judgments that said the same twice were merged.",
        ),
        warnings=("two-stage: 41 of 400 hits in the top 10 have no grade; they count as grade 0.",),
    )


HOSTILE = (
    """</script><img src=x onerror="window.harmed=1"><script>window.harmed=1</script>{{7*7}}'"""
)


def build_hostile(text: str = HOSTILE) -> Evaluation:
    """Return an evaluation with this text in queries, filters, slices, titles, labels and notes."""
    saved = build_evaluation().model_dump_json()
    for word in ("hybrid", "Corvid", "speaker", "left handed", "judgments.csv", "OpenSearch"):
        saved = saved.replace(word, word + json.dumps(text)[1:-1])
    return Evaluation.model_validate_json(saved)


def build_catalogue() -> dict[str, dict[str, object]]:
    """Return ninety-six products by id."""
    return {
        str(1_000_003 + 7_919 * (12 * at + n)): {
            "title": f"{BRANDS[(at + n) % 5]} {kind.title()} {traits[n % 4].capitalize()} X{n}{at}0",
            "brand": BRANDS[(at + n) % 5],
            "category": category,
            "price": round(19.9 + 7.3 * n + 11.1 * at, 2),
        }
        for at, (kind, category, traits) in enumerate(KINDS)
        for n in range(12)
    }


def _build_queries() -> list[tuple[EvalQuery, int]]:
    """Return each query and which kind of product it means."""
    found = []
    for at, (kind, category, traits) in enumerate(KINDS):
        for n, text in enumerate((kind, *(f"{kind} {trait}" for trait in traits))):
            band = ("head", "torso", "torso", "tail", "tail")[n]
            weight = {"head": 3.0, "torso": 1.0, "tail": 0.5}[band]
            filter_ = f"brand = {BRANDS[at % 5]}" if n == 4 else None
            attributes = {"band": band, "category": category}
            found.append(
                (EvalQuery(f"q{len(found) + 1:02}", text, filter_, weight, attributes), at)
            )
    return found


def _answer(
    query: EvalQuery, kind: int, labels: Sequence[str], rng: np.random.Generator
) -> QueryResult:
    """Return one query answered by every contender: a better one has less noise in its order."""
    ids = list(build_catalogue())
    hidden = {id_: _relevance(at, kind, query.text) for at, id_ in enumerate(ids)}
    zero = query.id in ("q13", "q38")
    judged = {id_: 0 if zero else g for id_, g in hidden.items() if g > 1 or rng.random() < 0.85}
    answers = []
    noise = rng.normal(size=len(ids))
    for label in labels:
        own = 0.7 * noise + 1.0 * rng.normal(size=len(ids))
        scores = QUALITY[label] * np.array([hidden[id_] for id_ in ids]) + own
        depth = 4 if query.id == "q29" and label == "bm25" else DEPTH
        answers.append(
            _ranked(
                [ids[at] for at in np.argsort(-scores)[:depth]], judged, engine=label != "two-stage"
            )
        )
    return QueryResult(
        id=query.id,
        text=query.text,
        filter=query.filter,
        weight=query.weight,
        attributes=query.traits,
        positives=sum(grade > 0 for grade in judged.values()),
        baseline=answers[0],
        candidates=tuple(
            Contended(ranked=ranked, moved=_moved(answers[0].ids, ranked.ids))
            for ranked in answers[1:]
        ),
    )


def _relevance(at: int, kind: int, text: str) -> int:
    if at // 12 != kind:
        return 1 if KINDS[at // 12][1] == KINDS[kind][1] else 0
    return 3 if KINDS[kind][2][at % 4] in text or text == KINDS[kind][0] else 2


def _ranked(ids: list[str], judged: dict[str, int], *, engine: bool) -> Ranked:
    grades = [judged.get(id_) for id_ in ids]
    top = grades[: OPTIONS.k]
    pool = sorted(judged.values(), reverse=True)
    values = _measure([grade or 0 for grade in top], pool)
    cut = _dcg([grade or 0 for grade in top]) / (_dcg(pool[: len(top)]) or 1)
    why = (
        "the engine's ideal list has only as many documents as came back (4), not 10"
        if abs(cut - values["nDCG@10"]) > 1e-9
        else None
    )
    known = [grade for grade in grades if grade is not None]
    return Ranked(
        ids=tuple(ids),
        grades=tuple(grades),
        values=values,
        engine={
            "nDCG@10": EngineFigure(value=cut, expected=cut, standard=values["nDCG@10"], why=why),
            "P@10": EngineFigure(
                value=values["P@10"], expected=values["P@10"], standard=values["P@10"]
            ),
        }
        if engine
        else {},
        judged=sum(grade is not None for grade in top) / len(top),
        condensed=_measure(known[: OPTIONS.k], pool)["nDCG@10"],
    )


def _dcg(grades: Sequence[int]) -> float:
    return sum((2**grade - 1) / log2(rank + 2) for rank, grade in enumerate(grades))


def _measure(grades: list[int], pool: list[int]) -> dict[str, float]:
    """Return every measure at 10 of a list of grades; pool: all grades, the best first."""
    k = OPTIONS.k
    hits = [rank for rank, grade in enumerate(grades, start=1) if grade > 0]
    positives = sum(grade > 0 for grade in pool)
    err, left = 0.0, 1.0
    for rank, grade in enumerate(grades, start=1):
        stops = (2**grade - 1) / 2**3
        err += left * stops / rank
        left *= 1 - stops
    return {
        "nDCG@10": _dcg(grades) / (_dcg(pool[:k]) or 1),
        "AP@10": sum(n / rank for n, rank in enumerate(hits, start=1)) / (positives or 1),
        "RR@10": 1 / hits[0] if hits else 0.0,
        "P@10": len(hits) / k,
        "R@10": len(hits) / (positives or 1),
        "ERR@10": err,
    }


def _moved(before: Sequence[str], after: Sequence[str]) -> Moved:
    truth = set(before)
    found = _dcg([int(id_ in truth) for id_ in after]) / _dcg([1] * len(before))
    overlaps = [len(set(before[:d]) & set(after[:d])) / d for d in range(1, len(after) + 1)]
    rbo = sum(0.1 * 0.9**d * share for d, share in enumerate(overlaps)) + 0.9**20 * overlaps[-1]
    return Moved(
        pseudo_ndcg=min(found, 1.0),
        engine_pseudo_ndcg=min(found, 1.0),
        change=1 - min(found, 1.0),
        rbo=rbo,
        kept=sum(id_ in truth for id_ in after) / len(after),
        identical=before == after,
    )


def _system(label: str, at: int | None, queries: Sequence[QueryResult]) -> System:
    """at: the position among the candidates, None for the baseline. queries: the graded ones."""
    place = list(QUALITY).index(label)
    answers = [query.baseline if at is None else query.candidates[at].ranked for query in queries]
    weights = [query.weight for query in queries]
    engine = label != "two-stage"

    def mean(figures: list[float]) -> float:
        return float(np.average(figures, weights=weights))

    return System(
        label=label,
        index="shop-2026",
        plan=label if engine else '{"vector": {"field": "title_vector", "k": 100}}',
        route=Route(path="_rank_eval")
        if engine
        else Route(path="_msearch", why="_rank_eval has no such search"),
        values={name: mean([a.values[name] for a in answers]) for name in OPTIONS.labels},
        engine={name: mean([a.engine[name].value for a in answers]) for name in answers[0].engine},
        judged=mean([a.judged or 0.0 for a in answers]),
        hits=mean([min(len(a.ids), OPTIONS.k) for a in answers]),
        latency=Latency(queries=40, p50=3.1 + 2.7 * place, p95=6.4 + 5.9 * place),
    )


def _candidate(queries: list[QueryResult], at: int, label: str, verdict: Verdict) -> Candidate:
    graded = [query for query in queries if query.positives]
    improvement = {name: _difference(name, graded, at) for name in OPTIONS.labels}
    main = OPTIONS.labels[0]
    order = sorted(graded, key=lambda query: _delta(query, main, at))
    return Candidate(
        system=_system(label, at, graded),
        improvement=improvement,
        condensed=_difference(main, graded, at, condensed=True),
        impact=_impact(queries, at),
        slices=tuple(_slices(graded, at)),
        harmed=tuple(query.id for query in order if _delta(query, main, at) < 0)[:10],
        helped=tuple(query.id for query in order[::-1] if _delta(query, main, at) > 0)[:10],
        decision=_decision(verdict, improvement[main], queries, at),
    )


def _delta(query: QueryResult, name: str, at: int) -> float:
    return query.candidates[at].ranked.values[name] - query.baseline.values[name]


def _difference(
    name: str, queries: Sequence[QueryResult], at: int, *, condensed: bool = False
) -> Difference:
    """The interval is of the normal distribution, p of signs turned at random."""
    pairs = [(query.baseline, query.candidates[at].ranked) for query in queries]
    figures = np.array(
        [
            (b.condensed, a.condensed) if condensed else (b.values[name], a.values[name])
            for b, a in pairs
        ]
    )
    weights = np.array([query.weight for query in queries])
    before, after = np.average(figures, axis=0, weights=weights)
    deltas = figures[:, 1] - figures[:, 0]
    delta = float(after - before)
    error = float(np.sqrt(np.average((deltas - delta) ** 2, weights=weights) / len(queries)))
    signs = np.random.default_rng(0).choice([-1, 1], (999, len(queries)))
    p = float((1 + (abs(signs * deltas @ weights) >= abs(deltas @ weights) - 1e-12).sum()) / 1000)
    return Difference(
        label=name,
        queries=len(queries),
        before=float(before),
        after=float(after),
        delta=delta,
        low=delta - 1.96 * error,
        high=delta + 1.96 * error,
        p=p,
        p_adjusted=min(1.0, 2 * p),
        wins=int((deltas > 1e-9).sum()),
        ties=int((abs(deltas) <= 1e-9).sum()),
        losses=int((deltas < -1e-9).sum()),
        mde=2.8 * error,
    )


def _impact(queries: Sequence[QueryResult], at: int) -> Impact:
    moved = [query.candidates[at].moved for query in queries]
    found = [one for one in moved if one]
    change = [one.change for one in found]
    return Impact(
        k=OPTIONS.impact_k,
        queries=len(found),
        pseudo_ndcg=_mean([one.pseudo_ndcg for one in found]),
        engine_pseudo_ndcg=_mean([one.pseudo_ndcg for one in found]),
        change=_mean(change),
        low=float(np.mean(change) - 0.03),
        high=float(np.mean(change) + 0.03),
        rbo=_mean([one.rbo for one in found]),
        changed=_mean([float(not one.identical) for one in found]),
        kept=_mean([one.kept for one in found if one.kept is not None]),
    )


def _slices(queries: Sequence[QueryResult], at: int) -> list[Slice]:
    found = []
    for attribute in OPTIONS.slices:
        for value in sorted(
            {q.attributes[attribute] for q in queries if attribute in q.attributes}
        ):
            own = [query for query in queries if query.attributes.get(attribute) == value]
            moved = [query.candidates[at].moved for query in own]
            found.append(
                Slice(
                    attribute=attribute,
                    value=value,
                    difference=_difference(OPTIONS.labels[0], own, at),
                    change=_mean([one.change for one in moved if one]),
                )
            )
    return found


def _decision(
    verdict: Verdict, main: Difference, queries: Sequence[QueryResult], at: int
) -> Decision:
    reasons = (
        f"nDCG@10 changes by {main.delta:+.4f} (95% interval {main.low:+.4f} to {main.high:+.4f}, "
        f"adjusted p {main.p_adjusted:.4f}) over {main.queries} queries.",
        "Impact is at least 0.05: enough of what people see moves.",
    )
    if verdict != "collect judgments":
        return Decision(verdict=verdict, reasons=reasons)
    unjudged = [
        Unjudged(query=query.id, doc_id=doc_id, swing=0.02 / (rank + 1))
        for rank in range(OPTIONS.k)
        for query in queries
        if query.candidates[at].ranked.grades[rank] is None
        for doc_id in [query.candidates[at].ranked.ids[rank]]
    ]
    return Decision(verdict=verdict, reasons=reasons, to_judge=tuple(unjudged[:12]))


def _request(query: str, label: str) -> dict[str, object]:
    return {
        "size": DEPTH,
        "_source": False,
        "query": {"multi_match": {"query": query, "fields": ["title^3", "brand"], "_name": label}},
    }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
