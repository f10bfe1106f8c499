"""The documented example of one ranking change, end to end: examples/ngram, docs/example-ngram.md."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kokeshi import Index
from kokeshi.engines.calls import Call
from kokeshi.schema import load_plan, load_spec
from kokeshi_eval.contenders import Contender
from kokeshi_eval.evaluate import evaluate
from kokeshi_eval.judgments import load_judgments
from kokeshi_eval.query_sets import load_queries

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "ngram"
STORY = ROOT / "docs" / "example-ngram.md"
GENERATED = ("products.jsonl", "queries.csv", "judgments.csv")
GROUPS = ("character", "word", "phrase", "model")
CANDIDATES = ("pieces", "strict-pieces")


def test_the_files_are_what_the_generator_writes(tmp_path):
    script = [sys.executable, str(EXAMPLE / "generate.py"), str(tmp_path)]
    subprocess.run(script, check=True, env={"PYTHONDONTWRITEBYTECODE": "1"})
    for name in GENERATED:
        assert (tmp_path / name).read_text("utf-8") == (EXAMPLE / name).read_text("utf-8"), name


def test_every_query_has_judgments_with_a_positive():
    judgments = load_judgments(EXAMPLE / "judgments.csv")
    queries = load_queries(EXAMPLE / "queries.csv")
    assert [query.id for query in queries] == list(judgments.queries)
    assert all(judgments.positives(query.id) for query in queries)
    assert {query.attributes["group"] for query in queries} == set(GROUPS)


def base_analyzer(engine):
    """kuromoji where the cluster has the plugin, else cjk, which both engines have built in."""
    body = {"analyzer": "kuromoji", "text": "革靴"}
    ask = Call(
        "analyze",
        "POST",
        "/_analyze",
        lambda answer: answer.status == 200,
        body=body,
        accept=frozenset({400}),
    )
    return "kuromoji" if engine.perform(ask) else "cjk"


def example_spec(analyzer):
    spec = load_spec(EXAMPLE / "kokeshi.yaml")
    assert spec.text["title"].analyzer == "cjk"
    title = spec.text["title"].model_copy(update={"analyzer": analyzer})
    return spec.model_copy(update={"index": "kokeshi-example-ngram", "text": {"title": title}})


@pytest.fixture(scope="module")
def analyzer(engine):
    return base_analyzer(engine)


@pytest.fixture
def as_told(analyzer):
    if analyzer != "cjk":
        pytest.skip(f"the story is told with cjk, and this cluster has {analyzer}")


@pytest.fixture(scope="module")
def index(engine, analyzer):
    found = Index(example_spec(analyzer), engine)
    found.ingest(EXAMPLE / "products.jsonl", recreate=True)
    yield found
    engine.delete_index(found.spec.index)


@pytest.fixture(scope="module")
def evaluation(index):
    words, *candidates = (
        Contender(name, index, str(EXAMPLE / f"{name}.yaml")) for name in ("words", *CANDIDATES)
    )
    judgments = load_judgments(EXAMPLE / "judgments.csv")
    return evaluate(words, candidates, judgments, load_queries(EXAMPLE / "queries.csv"))


@pytest.fixture(scope="module")
def found(evaluation):
    return dict(zip(CANDIDATES, evaluation.candidates, strict=True))


def slices(candidate):
    """group -> slice."""
    return {one.value: one for one in candidate.slices if one.attribute == "group"}


@pytest.mark.engine
def test_titles_are_searched_by_their_pieces(index):
    with (EXAMPLE / "products.jsonl").open(encoding="utf-8") as lines:
        expected = {found["id"] for line in lines if "靴" in (found := json.loads(line))["title"]}
    assert len(expected) > 10
    pieces, words = (load_plan(EXAMPLE / f"{name}.yaml") for name in ("pieces", "words"))
    assert set(index.search("靴", plan=pieces, size=100).ids) == expected
    assert len(index.search("靴", plan=words, size=100).ids) < len(expected)


@pytest.mark.engine
def test_every_hit_is_judged(evaluation, found):
    systems = [evaluation.baseline, *(one.system for one in found.values())]
    assert [system.judged for system in systems] == [1.0, 1.0, 1.0]
    assert evaluation.warnings == ()


@pytest.mark.engine
@pytest.mark.usefixtures("as_told")
def test_words_find_nothing_by_one_character(evaluation):
    rows = [row for row in evaluation.queries if row.attributes["group"] == "character"]
    assert len(rows) == 14
    assert all(row.baseline.ids == () for row in rows)
    assert all(one.ranked.ids for row in rows for one in row.candidates)


@pytest.mark.engine
def test_pieces_are_worth_a_test(found):
    assert found["pieces"].improvement["nDCG@10"].low > 0
    assert found["pieces"].decision.verdict == "A/B test"


@pytest.mark.engine
@pytest.mark.usefixtures("as_told")
def test_pieces_improve_every_group(found):
    pieces = found["pieces"]
    improved = pieces.improvement["nDCG@10"]
    assert improved.low > 0.2
    assert improved.wins > 10 * improved.losses
    assert all(one.difference.delta > 0 for one in slices(pieces).values())


@pytest.mark.engine
@pytest.mark.usefixtures("as_told")
def test_strict_pieces_gain_on_average_and_harm_phrases(found):
    strict, phrases = found["strict-pieces"], slices(found["strict-pieces"])["phrase"].difference
    assert 0 < strict.improvement["nDCG@10"].delta < found["pieces"].improvement["nDCG@10"].delta
    assert (phrases.wins, phrases.losses) == (0, 12)
    assert phrases.delta < -0.3
    assert phrases.p_adjusted < 0.01
    assert strict.impact.change > found["pieces"].impact.change > 0.3
    assert any(
        "Significantly worse by itself: group phrase" in one for one in strict.decision.reasons
    )


@pytest.mark.engine
@pytest.mark.usefixtures("as_told")
def test_the_story_tells_the_figures_that_come_out(found):
    story = STORY.read_text("utf-8")
    for line in (*summary_lines(found), *group_lines(found)):
        assert line in story


def summary_lines(found):
    yield f"| `words` | {found['pieces'].improvement['nDCG@10'].before:.3f} | | | | |"
    for name, candidate in found.items():
        one = candidate.improvement["nDCG@10"]
        yield (
            f"| `{name}` | {one.after:.3f} | {one.delta:+.3f} | {one.low:+.2f} to {one.high:+.2f} "
            f"| {one.wins} / {one.ties} / {one.losses} | {candidate.impact.change:.3f} |"
        )


def group_lines(found):
    for group in GROUPS:
        pieces, strict = (slices(candidate)[group].difference for candidate in found.values())
        assert pieces.before == strict.before
        yield (
            f"| {group} | {pieces.queries} | {pieces.before:.3f} | {pieces.after:.3f} "
            f"| {strict.after:.3f} |"
        )
