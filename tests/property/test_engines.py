"""What holds on live engines for any spec, filter and text: see also `tests/conformance`.

KOKESHI_TEST_OPENSEARCH and KOKESHI_TEST_ELASTICSEARCH name running engines; without them embedded
ones are started.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st

from kokeshi import F, Index
from kokeshi.assets import asset_path
from kokeshi.engines import Capabilities, Connection, Engine
from kokeshi.engines.http import HttpEngine
from kokeshi.engines.memory import MemoryEngine
from kokeshi.errors import CapabilityError
from kokeshi.ingest.documents import serialise
from kokeshi.mapping import build_index
from kokeshi.plans import Known, Query, build_search, default_plans
from kokeshi.schema import IndexSpec, SearchPlan, parse_spec
from tests.engines import SERVERS

ENGINES = [
    Capabilities("opensearch", (3, 6, 0), derived_source=True),
    Capabilities("opensearch", (2, 19, 1), derived_source=False),
    Capabilities("elasticsearch", (9, 4, 3), derived_source=True),
    Capabilities("elasticsearch", (8, 19, 0), derived_source=True),
]
HOSTILE = [
    'a"b',
    "a'b",
    "a\\b",
    "a\nb\r\t",
    "a\x00b",
    "</script>",
    "${jndi:ldap://x}",
    "{{query}}",
    '"; params.x = 1; return 99; //',
    "doc['price'].value",
    "Math.max(1, 2)",
    "knn_score",
    "_score",
    "é\u0301 藍 🦊",
    "*:* OR title:(x)",
]


@pytest.fixture(scope="module", params=["memory", *SERVERS])
def engine(request) -> Iterator[Engine]:
    if request.param == "memory":
        yield MemoryEngine()
        return
    with HttpEngine(Connection(request.getfixturevalue(f"{request.param}_url"))) as engine:
        yield engine


TRICKY = ["a", "a.b", "a.c", "b.c.d", "b.c", "_x", "_routing", "_tier", "id", "text", "keyword"]
NAMES = st.sampled_from(TRICKY) | st.from_regex(
    r"[a-zß藍][a-z0-9_\-é]{0,6}(\.[a-z0-9_\-]{1,5}){0,2}", fullmatch=True
)
TYPES = st.sampled_from(["float", "integer", "keyword", "boolean", "date"])
ANALYZERS = st.sampled_from([None, "standard", "english", "cjk", "whitespace", "own", "grams"])
ANALYSIS = {
    "tokenizer": {"pieces": {"type": "ngram", "min_gram": 2, "max_gram": 3}},
    "analyzer": {
        "own": {"type": "custom", "tokenizer": "standard", "filter": ["lowercase", "asciifolding"]},
        "grams": {"type": "custom", "tokenizer": "pieces", "filter": ["lowercase"]},
    },
}
SUBFIELDS = st.dictionaries(
    st.sampled_from(["b", "text", "b.c", ""])
    | st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True),
    st.fixed_dictionaries({"analyzer": ANALYZERS, "search_analyzer": ANALYZERS})
    | st.sampled_from([{"type": "keyword"}, {"type": "keyword", "analyzer": "own"}]),
    max_size=2,
).map(lambda found: {name: _analysed(sub) for name, sub in found.items()})
TEXTS = st.fixed_dictionaries(
    {
        "analyzer": ANALYZERS,
        "search_analyzer": ANALYZERS,
        "boost": st.floats(0.1, 10),
        "subfields": SUBFIELDS,
    }
).map(lambda found: _analysed(found))


def _analysed(field: dict[str, Any]) -> dict[str, Any]:
    """The engines take a search analyzer only beside an analyzer."""
    if field.get("analyzer") is None:
        return {key: value for key, value in field.items() if key != "search_analyzer"}
    return field


@st.composite
def vectors(draw: st.DrawFn) -> dict[str, Any]:
    dimension = draw(st.integers(1, 200) | st.just(4_097))
    shorter = st.lists(st.integers(1, max(dimension - 1, 1)), max_size=2, unique=True)
    return {
        "encoder": {"name": "precomputed", "column": "w"},
        "dimension": dimension,
        "prefixes": draw(shorter) if dimension > 1 else [],
        "space": draw(st.sampled_from(["cosine", "dot", "l2"])),
        "graph": draw(st.booleans()),
        "quantization": draw(st.sampled_from(["none", "int8", "int4", "binary", "on_disk"])),
    }


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    names = iter(draw(st.lists(NAMES, min_size=9, max_size=9, unique=True)))
    text, metadata = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    return {
        "index": "property-spec",
        "id": next(names),
        "text": {next(names): draw(TEXTS) for _ in range(text)},
        "metadata": {next(names): draw(TYPES) for _ in range(metadata)},
        "vectors": {next(names): draw(vectors()) for _ in range(draw(st.integers(0, 2)))},
        "analysis": ANALYSIS,
        "settings": {"refresh_interval": "5s"},
        "shards": draw(st.integers(1, 2)),
    }


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # an index for each step of shrinking
)
@given(made=specs())
def test_what_is_built_from_a_spec_is_accepted(engine, made):
    try:
        spec = IndexSpec.model_validate(made)
        body = build_index(spec, engine.capabilities)
    except (ValueError, CapabilityError):  # Kokeshi itself refuses it
        reject()
    engine.delete_index(spec.index)
    engine.create_index(spec.index, body)
    assert Index(spec, engine).create() is False
    engine.delete_index(spec.index)


STRINGS = st.sampled_from(HOSTILE) | st.text(min_size=1)
SCRIPTS = {
    "\n".join(line for line in path.read_text().splitlines() if not line.startswith("//"))
    for path in asset_path("scripts", "painless").glob("*.painless")
}
SPEC = """
index: property-texts
text: [title]
metadata: {brand: keyword, price: float}
vectors:
  v:
    encoder: {name: precomputed, column: w}
    dimension: 4
    prefixes: [2]
    space: SPACE
plans:
  words: {match: {}, rescore: {}}
  fused: {match: {type: phrase}, shortlist: {dims: 2, k: 5}, rescore: {dims: 2}, fuse: {}}
"""


def sources_of(value: object) -> Iterator[str]:
    """Every script source of a body, wherever it is."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from sources_of(item)
    if isinstance(value, dict):
        for key, item in value.items():
            if "script" in key and isinstance(item, dict) and "source" in item:
                yield item["source"]
            yield from sources_of(item)


def body_of(plan: SearchPlan, spec: IndexSpec, query: Query, engine: Capabilities) -> list[Any]:
    known = [None, Known(10**6, 10), Known(10**6, 10**5, shards=3)]
    return [build_search(spec, plan, query, engine, each).bodies for each in known]


@settings(deadline=None, max_examples=50)
@given(
    text=STRINGS,
    brand=STRINGS,
    id_=STRINGS,
    field=NAMES,
    space=st.sampled_from(["cosine", "dot", "l2"]),
    engine=st.sampled_from(ENGINES),
)
def test_no_string_of_a_user_reaches_a_script(text, brand, id_, field, space, engine):
    made = parse_spec(SPEC.replace("SPACE", space)).model_dump()
    made["vectors"][f"x-{field}"] = made["vectors"]["v"] | {"source": f"{{{field}}} {{title}}"}
    spec = IndexSpec.model_validate(made)
    wanted = (F.brand == brand) | F.brand.in_([text, brand]) | (F.id == id_)
    vector = np.array([1, 2, 3, 4], np.float32)
    query = Query(text, {"v": vector, f"x-{field}": vector}, wanted, fields=(field,))
    other = SearchPlan.model_validate(
        {"match": {}, "rescore": {"vector": f"x-{field}"}, "fuse": {"saturation": 2.5}}
    )
    found = set()
    for plan in [*default_plans(spec).values(), other]:
        bodies = body_of(plan, spec, query, engine)
        found |= set(sources_of(bodies))
        assert orjson.dumps(bodies).count(b'"source":') == len([*sources_of(bodies)])
    assert found <= SCRIPTS | {"knn_score"}
    assert len(found) >= 2


@pytest.fixture(scope="module")
def indices(engine) -> Iterator[tuple[Index, Index]]:
    """The same documents, with hostile ids and values, on an engine and in memory."""
    pair = tuple(
        Index(parse_spec(SPEC.replace("SPACE", "dot")), each) for each in (engine, MemoryEngine())
    )
    for index in pair:
        index.create(recreate=True)
        rng = np.random.default_rng(1)
        body = b""
        for number, text in enumerate(HOSTILE):
            vector = rng.normal(size=4).tolist()
            fields = {"id": text, "title": text, "brand": [text, "all"], "price": number}
            body += serialise(text, {**fields, "v": vector, "v_2": vector[:2]})
        assert {item.reason for item in index.engine.bulk(index.spec.index, body)} == {None}
        index.engine.refresh(index.spec.index)
    yield pair
    engine.delete_index(pair[0].spec.index)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_value_is_found_as_it_is(indices, text):
    for index in indices:
        options = {"vector": [1, 2, 3, 4], "plan": "exact"}
        for wanted in (F.brand == text, F.id == text, F.brand.in_([text])):
            (hit,) = index.search(filter=wanted, **options).hits
            assert (hit.id, hit.source["title"]) == (text, text)


ASKED = (
    st.sampled_from(HOSTILE)
    | st.text("abxyZ019 éßΣİ藍ひカ한'.,:;_-\"\\{}()[]$/*\n\x00", min_size=1)
).filter(str.strip)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=ASKED, plan=st.sampled_from(["bm25", "words", "fused", "hybrid", "two-stage"]))
def test_a_text_is_searched_to_the_same_answer(indices, text, plan):
    found, exact = (
        index.search(text, vector=[1.0, 2.0, -3.0, 4.0], plan=plan, size=50, fields=())
        for index in indices
    )
    assert sorted(found.ids) == sorted(exact.ids)
    scores = [[hit.score for hit in result.hits] for result in (found, exact)]
    np.testing.assert_allclose(*scores, rtol=1e-5)
