"""Plans that look at codes: their bodies, what they refuse, and how they fit a filter."""

from __future__ import annotations

import base64
from dataclasses import replace

import numpy as np
import orjson
import pytest
from pydantic import ValidationError

from kokeshi import F
from kokeshi.codes.cells import Cells as CoarseCells
from kokeshi.codes.codebook import Codebook
from kokeshi.codes.product import ProductQuantizer
from kokeshi.engines import Capabilities
from kokeshi.errors import CodebookError, SpecError
from kokeshi.plans import Known, Query, build_search, default_plans, find_plan
from kokeshi.plans.adapt_codes import ALL_BELOW
from kokeshi.plans.known import per_shard_k
from kokeshi.schema import Rescore, SearchPlan, parse_spec
from kokeshi.schema.plan import Cells, Scan

OPENSEARCH = Capabilities("opensearch", (3, 6, 0), derived_source=True)
ELASTICSEARCH = Capabilities("elasticsearch", (9, 4, 3), derived_source=True)
ENGINES = [OPENSEARCH, ELASTICSEARCH]
SPEC = parse_spec("""
index: coded
metadata: {price: float}
vectors:
  v: {encoder: x, dimension: 6, codes: {subvectors: 3, cells: 4, residual: true, loss: plain}}
  w: {encoder: x, dimension: 6}
""")
RNG = np.random.default_rng(0)
BOOK = Codebook(
    ProductQuantizer(3, 16).restore(RNG.normal(size=(3, 16, 2)).astype(np.float32), 6),
    CoarseCells(4).restore(RNG.normal(size=(4, 6)).astype(np.float32)),
    True,
    "cosine",
    "x",
)
VECTOR = np.array([2, 0, 0, 0, 0, 0], np.float32)
QUERY = Query(
    vectors={"v": VECTOR, "w": VECTOR}, filter=F.price < 50, size=5, codebooks={"v": BOOK}
)
SCAN = SearchPlan(scan=Scan(k=50), rescore=Rescore())
ALL = SearchPlan(cells=Cells(nprobe=2), scan=Scan(k=50), rescore=Rescore())
FLAT = SearchPlan(cells=Cells(nprobe=2), rescore=Rescore())


def body(plan, engine=OPENSEARCH, query=QUERY, known=None, spec=SPEC):
    (only,) = build_search(spec, plan, query, engine, known).bodies
    return only


def notes(plan, known):
    return build_search(SPEC, plan, QUERY, OPENSEARCH, known).notes


def clauses(body) -> list:
    return body["query"]["script_score"]["query"]["bool"]["filter"]


@pytest.mark.parametrize("engine", ENGINES, ids=str)
def test_codes_are_scored_and_the_best_compared_again_in_one_request(engine):
    sent = body(SCAN, engine)
    assert sent["rescore"]["window_size"] == 50
    weights = sent["rescore"]["query"]
    assert (weights["query_weight"], weights["rescore_query_weight"]) == (0, 1)
    assert weights["rescore_query"]["script_score"]["query"] == {"match_all": {}}
    script = sent["query"]["script_score"]["script"]
    assert "Base64" in script["source"]
    assert script["params"]["field"] == "v_codes"


def test_only_codes_of_the_codebook_that_pass_the_filter_are_scored():
    assert clauses(body(SCAN)) == [
        {"range": {"price": {"lt": 50.0}}},
        {"term": {"v_codebook": BOOK.digest}},
    ]


def nearest(nprobe: int) -> list[int]:
    return BOOK.nearest_cells(VECTOR / 2, nprobe).tolist()


def test_cells_are_those_nearest_to_the_query():
    assert clauses(body(ALL))[-1] == {"terms": {"v_cell": nearest(2)}}


def test_cells_alone_are_compared_exactly_without_a_script():
    sent = body(FLAT)
    assert "script_score" not in str(sent)
    assert sent["query"]["knn"]["v"]["filter"]["bool"]["filter"] == [
        {"range": {"price": {"lt": 50.0}}},
        {"term": {"v_codebook": BOOK.digest}},
        {"terms": {"v_cell": nearest(2)}},
    ]
    assert "rescore" not in sent


def test_a_scan_alone_is_not_rescored():
    assert "rescore" not in body(SearchPlan(scan=Scan(k=1)))


def floats(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4")


def test_the_table_is_that_of_the_query_with_an_even_number_of_small_subvectors():
    params = body(SCAN)["query"]["script_score"]["script"]["params"]
    table = floats(params["table"]).reshape(4, 16)
    np.testing.assert_array_equal(table[:3], BOOK.query(VECTOR / 2).table)
    assert not table[3].any()
    np.testing.assert_array_equal(floats(params["biases"]), BOOK.query(VECTOR / 2).biases)
    assert (params["cell"], params["codebook_size"], params["space"]) == ("v_cell", 16, "cosine")


def test_another_vector_that_rescores_must_be_there():
    sent = body(SCAN.model_copy(update={"rescore": Rescore(vector="w")}))
    assert clauses(sent)[0] == {"exists": {"field": "w"}}


def test_hits_widen_the_window():
    assert body(SCAN, query=replace(QUERY, size=60, offset=20))["rescore"]["window_size"] == 80


def test_codes_are_not_sent_back_unasked():
    excluded = body(SCAN, query=replace(QUERY, fields=None))["_source"]["excludes"]
    assert excluded == ["v", "w", "v_codes", "v_codebook", "v_cell"]


def test_nothing_of_a_user_is_part_of_the_script():
    one = body(SCAN)["query"]["script_score"]["script"]["source"]
    other = replace(QUERY, vectors={"v": -VECTOR}, filter=None)
    assert body(SCAN, query=other)["query"]["script_score"]["script"]["source"] == one


def test_codes_are_never_the_default():
    assert list(default_plans(SPEC)) == ["exact", "single", "scan", "cells"]
    assert find_plan(SPEC, None) == default_plans(SPEC)["exact"]


def test_without_cells_there_is_no_plan_of_them():
    spec = parse_spec("index: a\nvectors: {v: {encoder: x, dimension: 6, codes: {subvectors: 3}}}")
    assert list(default_plans(spec)) == ["exact", "single", "scan"]
    with pytest.raises(SpecError, match="unknown plan 'cells'; it needs codes with cells in the"):
        find_plan(spec, "cells")


def test_the_plans_of_codes_are_of_the_vector_that_has_them():
    plain = (
        "index: a\nvectors: {u: {encoder: x, dimension: 6}, v: {encoder: x, dimension: 6, codes: "
    )
    plans = default_plans(parse_spec(plain + "{subvectors: 3}}}"))
    assert (plans["scan"].scan.vector, plans["scan"].rescore.vector) == ("v", "v")


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ({"cells": {"nprobe": 2}}, "at least one of match, shortlist, scan, rescore"),
        ({"scan": {"k": 5}, "shortlist": {"dims": 2, "k": 5}}, "scan and shortlist do not go"),
        ({"scan": {"k": 5}, "match": {}}, "scan and match do not go together: .*rescore"),
        (
            {"cells": {"nprobe": 1}, "rescore": {}, "match": {}, "fuse": {}},
            "cells and match do not go together",
        ),
        (
            {"scan": {"k": 5, "vector": "v"}, "cells": {"nprobe": 1}},
            "of one vector: name the same",
        ),
    ],
)
def test_codes_go_with_cells_rescore_and_filter_only(stages, message):
    with pytest.raises(ValidationError, match=message):
        SearchPlan.model_validate(stages)


def test_a_vector_without_codes_has_none_to_scan():
    plan = SearchPlan(scan=Scan(k=5, vector="w"))
    with pytest.raises(
        SpecError, match="looks at codes, but 'w' has none; add codes to the vector"
    ):
        body(plan)


def test_more_cells_than_there_are_are_refused():
    plan = SearchPlan(cells=Cells(nprobe=5), rescore=Rescore())
    with pytest.raises(SpecError, match=r"cells.nprobe of the plan is 5, but 'v' has 4 cells"):
        body(plan)


def test_codes_need_a_vector_and_their_codebook():
    with pytest.raises(SpecError, match="compares 'v': give the query a text or a vector"):
        body(SCAN, query=replace(QUERY, vectors={}))
    with pytest.raises(CodebookError, match="codes of 'v': give the query its codebook"):
        body(SCAN, query=replace(QUERY, codebooks={}))


def test_no_more_than_are_rescored_are_compared_exactly():
    below = Known(1_000, 50)
    (why,) = notes(SCAN, below)
    assert why == (
        "the filter leaves 50 of 1,000 documents: all of them are compared exactly, as up to 50 are "
        "(scan.exact_below)"
    )
    assert body(SCAN, known=below) == body(SearchPlan(rescore=Rescore()), known=below)
    assert "rescore" in body(SCAN, known=Known(1_000, 51))


@pytest.mark.parametrize(("below", "exact"), [(0, False), (59, False), (60, True)])
def test_the_crossover_is_the_plans_own_where_it_names_one(below, exact):
    plan = SCAN.model_copy(update={"scan": Scan(k=50, exact_below=below)})
    assert ("rescore" not in body(plan, known=Known(1_000, 60))) is exact


def test_a_scan_alone_and_one_for_another_vector_stay():
    assert "v_codes" in str(body(SearchPlan(scan=Scan(k=50)), known=Known(1_000, 1)))
    other = SCAN.model_copy(update={"rescore": Rescore(vector="w")})
    assert "v_codes" in str(body(other, known=Known(1_000, 1)))


def test_of_few_documents_every_cell_is_looked_into():
    few, many = Known(10**6, ALL_BELOW), Known(10**6, ALL_BELOW + 1)
    assert "v_cell" not in str(clauses(body(ALL, known=few)))
    assert notes(ALL, few)[0].endswith(
        "every cell is looked into, as of up to 10,000 (cells.all_below)"
    )
    fixed = ALL.model_copy(update={"cells": Cells(nprobe=2, all_below=0)})
    assert clauses(body(fixed, known=few)) == clauses(body(ALL))
    assert clauses(body(ALL, known=many))[-1]["terms"]["v_cell"] == nearest(4)
    assert body(FLAT, known=few) == body(SearchPlan(rescore=Rescore()), known=few)


@pytest.mark.parametrize(("share", "nprobe"), [(1.0, 1), (0.99, 2), (0.25, 2), (0.1, 4)])
def test_cells_are_widened_by_the_root_of_what_a_filter_leaves(share, nprobe):
    known = Known(10**6, int(10**6 * share))
    plan = SearchPlan(cells=Cells(nprobe=1), scan=Scan(k=50), rescore=Rescore())
    assert clauses(body(plan, known=known))[-1] == {"terms": {"v_cell": nearest(nprobe)}}
    more = ", 1 widened under a filter" if nprobe > 1 else ""
    assert f"{nprobe} of 4 cells are looked into{more}" in notes(plan, known)[0]


def test_shards_share_the_window():
    known = Known(10**6, 10**6, shards=3)
    plan = SearchPlan(scan=Scan(k=400), rescore=Rescore())
    assert body(plan, known=known)["rescore"]["window_size"] == per_shard_k(400, 3)
    assert body(plan, known=replace(known, indices=2))["rescore"]["window_size"] == 400
    assert (
        notes(plan, known)[1]
        == f"k is per shard: each of 3 compares its best {per_shard_k(400, 3)}"
    )


def test_a_body_can_be_sent():
    for engine in ENGINES:
        assert orjson.loads(orjson.dumps(body(ALL, engine))) == body(ALL, engine)
