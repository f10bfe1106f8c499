"""What do many queries in one `_rank_eval` save over one request for each query?

Queries are titles of the icecat catalogue, the rankings two plans. Each way gets the same bodies and the
same ratings, and they take turns: `Ranker`, which sends batches; one `_rank_eval` for each query; one
`_search` for each query. Before, which warms the server up, come batches of other sizes and other
`max_concurrent_searches`; after, more queries.

The engine is a private OpenSearch, with its data in Kokeshi's cache folder, and ends with the run. Rows
go to benchmarks/results/rank_eval.jsonl, docs/rank-eval-benchmark.md is made from them.

    python -m benchmarks.rank_eval [--queries 1000] [--passes 3] [--most 16000] [--note TEXT]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.indices import fill_index
from benchmarks.rank_eval_report import DOCUMENT, RESULTS, build_document
from benchmarks.rows import describe_machine, replace_rows, today
from benchmarks.search import private_engine
from kokeshi import Index
from kokeshi.demo.specs import find_catalogues
from kokeshi.encoders import Record
from kokeshi.ingest import Source
from kokeshi.types import Json
from kokeshi_eval.batches import build_batches
from kokeshi_eval.contenders import Contender, Requests, build_requests
from kokeshi_eval.pseudo import pseudo_grades
from kokeshi_eval.queries import EvalQuery
from kokeshi_eval.rank_eval import METRICS, build_body, build_ratings, build_request
from kokeshi_eval.ranker import Ranker

PLANS = ("bm25", "two-stage")
K = 10
SEED = 6
BATCHES = (50, 100, 250, 500)
CONCURRENT = (4, 10, 20)


@dataclass(frozen=True)
class Ranked:
    """One ranking of all queries. requests, grades: by query; items: of `_rank_eval`, in order."""

    ranker: Ranker
    requests: Requests
    grades: Mapping[str, Mapping[str, int]]
    items: Sequence[Json]

    def first(self, count: int) -> Ranked:
        """Return that of the first queries."""
        requests = dict(list(self.requests.items())[:count])
        return Ranked(self.ranker, requests, self.grades, self.items[:count])


def main() -> None:
    """Run the benchmark."""
    options = parse_arguments()
    catalogue = find_catalogues(options.shared_data)[0]
    records = [item for item in Source(catalogue.products) if isinstance(item, Record)]
    titles = [str(record.fields["title"]) for record in records]
    with private_engine("opensearch") as (engine, raw):
        index = Index(catalogue.spec.model_copy(update={"index": "bench-rank-eval"}), engine)
        fill_index(index, catalogue.products, len(records), raw)
        rankings = build_rankings(index, sample(titles, max(options.queries, options.most)))
        about = {
            "engine": str(engine.capabilities),
            "dataset": f"icecat {len(records):,}",
            "rankings": PLANS,
            "k": K,
            "machine": describe_machine(),
            "note": options.note,
            "date": today(),
        }
        console = Console(width=160)
        console.print("the index is there, and every text encoded")
        rows: list[Json] = []
        for row in run(rankings, options):
            rows.append({**about, **row})
            together = replace_rows(options.output, rows)
            console.print(row)
    if options.output == RESULTS:
        DOCUMENT.write_text(build_document(together), "utf-8")


def sample(titles: Sequence[str], count: int) -> list[str]:
    """Return as many titles, in random order; each once."""
    chosen = np.random.default_rng(SEED).permutation(len(titles))[:count]
    return [titles[number] for number in chosen]


def build_rankings(index: Index, texts: Sequence[str]) -> list[Ranked]:
    """Return both rankings; the grades are the first ranking's own top, as where an impact is measured."""
    queries = [EvalQuery(str(number), text) for number, text in enumerate(texts)]
    contenders = [Contender(plan, index, plan) for plan in PLANS]
    requests = [build_requests(one, queries, K) for one in contenders]
    before = Ranker(contenders[0]).rank(requests[0], {}, K)
    grades = {query: pseudo_grades(found.ids, K) for query, found in before.items()}
    return [_ranked(*one, grades) for one in zip(contenders, requests, strict=True)]


def _ranked(
    contender: Contender, requests: Requests, grades: Mapping[str, Mapping[str, int]]
) -> Ranked:
    items = [
        build_request(query, one, build_ratings(contender.concrete, grades[query]))
        for query, one in requests.items()
    ]
    ranked = Ranked(Ranker(contender), requests, grades, items)
    send_ranked([ranked.first(500)])  # asks what the server has, and warms up
    return ranked


def run(rankings: Sequence[Ranked], options: argparse.Namespace) -> Iterator[Json]:
    """Yield rows of batches, which warm the server up, of the three ways, and of growth."""
    few = [one.first(options.queries) for one in rankings]
    grid = [(size, concurrent) for size in BATCHES for concurrent in CONCURRENT]
    tasks = [lambda cell=cell: send_batched(few, *cell) for cell in grid]
    for (size, concurrent), taken in zip(grid, take_turns(tasks, options.passes), strict=True):
        cell = {"batch": size, "concurrent": concurrent, "seconds": taken}
        yield {"row": "batches", "queries": options.queries, "passes": options.passes, **cell}
    ways = {"batched": send_ranked, "one _rank_eval each": send_each, "one _search each": search}
    seconds = take_turns([lambda way=way: way(few) for way in ways.values()], options.passes)
    yield {
        "row": "ways",
        "queries": options.queries,
        "passes": options.passes,
        "seconds": dict(zip(ways, seconds, strict=True)),
        "ratio": round(seconds[0] / seconds[1], 4),
        "ratio_to_search": round(seconds[0] / seconds[2], 4),
    }
    count = options.queries
    while count <= options.most:
        grown = [one.first(count) for one in rankings]
        (taken,) = take_turns([lambda grown=grown: send_ranked(grown)], 1)
        yield {"row": "growth", "queries": count, "seconds": taken}
        count *= 2


def take_turns(tasks: Sequence[Callable[[], None]], passes: int) -> list[float]:
    """Return the fewest seconds of each task; every pass runs all of them.

    What else a machine does only adds to a time, so the least is nearest to what the task takes.
    """
    taken: list[list[float]] = [[] for _ in tasks]
    for _ in range(passes):
        for times, task in zip(taken, tasks, strict=True):
            started = time.perf_counter()
            task()
            times.append(time.perf_counter() - started)
    return [round(min(times), 4) for times in taken]


def send_ranked(rankings: Sequence[Ranked]) -> None:
    """Rank as an evaluation does."""
    for one in rankings:
        one.ranker.rank(one.requests, one.grades, K)


def send_each(rankings: Sequence[Ranked]) -> None:
    """Send one `_rank_eval` for each query."""
    send_batched(rankings, 1, 1)


def send_batched(rankings: Sequence[Ranked], size: int, concurrent: int) -> None:
    """Send batches of a size."""
    for one in rankings:
        index = one.ranker.contender.index
        for batch in build_batches(one.items, max_requests=size):
            body = build_body(batch, METRICS["nDCG"](K, 1))
            body["max_concurrent_searches"] = concurrent
            index.engine.rank_eval(index.spec.index, body)


def search(rankings: Sequence[Ranked]) -> None:
    """Send one `_search` for each query."""
    for one in rankings:
        index = one.ranker.contender.index
        for requested in one.requests.values():
            index.engine.search(index.spec.index, requested.shown[0])


def parse_arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--passes", type=int, default=3, help="the fastest of them counts")
    parser.add_argument("--most", type=int, default=16_000, help="queries to grow to, by doubling")
    parser.add_argument("--note", default="", help="what else ran on the machine, for the record")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument(
        "--shared-data", type=Path, default=Path(os.environ.get("KOKESHI_DATA", beside))
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
