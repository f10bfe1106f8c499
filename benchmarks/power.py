"""How often a paired test calls two rankings different: noise twins, and changes of known effect.

python -m benchmarks.power      # writes benchmarks/results/power.jsonl, and prints the table

A catalogue is drawn, not read: each query has forty graded documents and a ranking function that sees
their grades through noise. Baseline and candidate add noise of their own, so that neither is
better; a candidate with a `boost` sees the grades more clearly. Some queries are not touched at all.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson

from benchmarks.rows import today
from kokeshi.types import Json
from kokeshi_eval.model import Difference
from kokeshi_eval.significance import compare_paired

RESULTS = Path(__file__).parent / "results" / "power.jsonl"

DOCUMENTS = 40
K = 10
GRADES = (0.8, 0.1, 0.07, 0.03)
"""The shares of grades 0 to 3."""

UNTOUCHED = 0.3
"""The share of queries that both rankings answer alike."""

TRIALS = 1_000
RESAMPLES = 999
ALPHA = 0.05
POWER = 0.8
SEED = 0
_TRUTH = 100_000
"""Queries that a true effect is the mean of."""

Values = npt.NDArray[np.float64]


def simulate(queries: int, boost: float, rng: np.random.Generator) -> tuple[Values, Values]:
    """Return nDCG@10 of a baseline and of a candidate, (n,) each, for queries with a positive grade."""
    shape = (queries, DOCUMENTS)
    grades = rng.choice(len(GRADES), size=shape, p=GRADES)
    grades[:, 0] = np.maximum(grades[:, 0], 1)
    scores = grades + rng.normal(size=shape)
    before = scores + rng.normal(scale=0.3, size=shape)
    after = scores + rng.normal(scale=0.3, size=shape) + boost * grades
    untouched = rng.random(queries) < UNTOUCHED
    after[untouched] = before[untouched]
    return _ndcg(grades, before), _ndcg(grades, after)


def _ndcg(grades: npt.NDArray[np.int64], scores: Values) -> Values:
    found = np.take_along_axis(grades, np.argsort(-scores, axis=1), axis=1)
    values: Values = _dcg(found) / _dcg(-np.sort(-grades, axis=1))
    return values


def _dcg(grades: npt.NDArray[np.int64]) -> Values:
    gains: Values = (2.0 ** grades[:, :K] - 1) @ (1 / np.log2(np.arange(2, K + 2)))
    return gains


def compare(
    queries: int, boost: float, rng: np.random.Generator, *, resamples: int = RESAMPLES
) -> Difference:
    """Return one simulated comparison."""
    before, after = simulate(queries, boost, rng)
    return compare_paired(
        f"nDCG@{K}", before, after, alpha=ALPHA, power=POWER, resamples=resamples, rng=rng
    )


def measure(queries: int, boost: float, trials: int, rng: np.random.Generator) -> Json:
    """Return how often a change of known effect is called significant, and the mean of what is stated."""
    before, after = simulate(_TRUTH, boost, rng)
    effect = float((after - before).mean()) if boost else 0.0
    found = [compare(queries, boost, rng) for _ in range(trials)]
    return {
        "queries": queries,
        "boost": boost,
        "trials": trials,
        "effect": round(effect, 5),
        "significant": share(found),
        "covered": sum(_low(one) <= effect <= _high(one) for one in found) / trials,
        "mde": round(float(np.mean([one.mde or 0.0 for one in found])), 5),
        "ties": round(float(np.mean([one.ties / one.queries for one in found])), 3),
    }


def share(found: list[Difference]) -> float:
    """Return the share of comparisons that are significant."""
    return sum(one.p is not None and one.p <= ALPHA for one in found) / len(found)


def _low(one: Difference) -> float:
    return -np.inf if one.low is None else one.low


def _high(one: Difference) -> float:
    return np.inf if one.high is None else one.high


def build_rows(trials: int) -> Iterator[Json]:
    """Yield a row for each size of the query set and each boost; 0 is the noise twin."""
    rng = np.random.default_rng(SEED)
    for queries in (30, 116, 400):
        for boost in (0.0, 0.05, 0.1, 0.2, 0.4):
            yield measure(queries, boost, trials, rng) | {"date": today()}


def build_table(rows: Sequence[Json]) -> Iterator[str]:
    """Yield the lines of the table in docs/decide.md."""
    yield "| queries | true effect | significant | interval holds the effect | minimum detectable effect |"
    yield "|--:|--:|--:|--:|--:|"
    for row in rows:
        yield (
            f"| {row['queries']} | {row['effect']:+.4f} | {row['significant']:.1%} "
            f"| {row['covered']:.1%} | {row['mde']:.4f} |"
        )


def main() -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=TRIALS, help="comparisons for each row")
    rows = list(build_rows(parser.parse_args().trials))
    RESULTS.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    print("\n".join(build_table(rows)))


if __name__ == "__main__":
    main()
