from __future__ import annotations

import pytest
from pydantic import ValidationError

from kokeshi.errors import SpecError
from kokeshi.schema import Rescore, SearchPlan, Template, load_plan, load_spec, parse_spec

VALID = """
index: fashion-2024.v1
id: sku
text:
  title: {analyzer: english, boost: 2, subfields: {raw: {type: keyword}}}
  description:
metadata: {price: float, brand: keyword, stock: integer, sale: boolean, released: date}
vectors:
  embedding:
    encoder: {name: precomputed, column: vector}
    source: "{title}. {description}"
    dimension: 256
    prefixes: [32, 64]
  image: {encoder: clip, dimension: 512, space: dot, graph: true}
analysis: {analyzer: {pieces: {type: custom, tokenizer: standard}}}
shards: 3
replicas: 1
plans:
  careful:
    shortlist: {dims: 64, k: 500}
    rescore: {dims: full}
    filter: price < 50
"""


def vector(**changes) -> str:
    """The YAML of a spec with one vector."""
    options = {"encoder": "x", "dimension": "4"} | changes
    return f"vectors: {{v: {{{', '.join(f'{k}: {v}' for k, v in options.items())}}}}}"


def parse(yaml: str):
    return parse_spec(f"index: a\n{yaml}")


@pytest.fixture(scope="module")
def spec():
    return parse_spec(VALID)


def test_an_encoder_is_a_name_and_options(spec):
    encoder = spec.vectors["embedding"].encoder
    assert (encoder.name, encoder.options) == ("precomputed", {"column": "vector"})


def test_an_encoder_may_be_its_name_alone(spec):
    encoder = spec.vectors["image"].encoder
    assert (encoder.name, encoder.options) == ("clip", {})


def test_a_text_field_with_nothing_after_it_takes_the_defaults(spec):
    assert (spec.text["description"].boost, spec.text["description"].analyzer) == (1, None)


def test_text_fields_may_be_a_list():
    assert parse("text: [title, body]").text == parse("text: {title: {}, body: {}}").text


def test_each_vector_and_prefix_has_a_field(spec):
    assert spec.vector_fields() == {
        "embedding": ("embedding", 256),
        "embedding_32": ("embedding", 32),
        "embedding_64": ("embedding", 64),
        "image": ("image", 512),
    }


def test_plans_inside_the_spec_are_plans(spec):
    assert spec.plans["careful"].rescore == Rescore(dims="full")


@pytest.mark.parametrize(
    ("name", "found"), [("brand", "brand.text"), ("id", "id.text"), ("t", "t")]
)
def test_a_text_that_is_a_keyword_too_is_searched_beside_it(name, found):
    spec = parse("text: [brand, id, t]\nmetadata: {brand: keyword}")
    assert spec.search_field(name) == found


def test_a_spec_cannot_be_changed(spec):
    with pytest.raises(ValidationError, match="frozen"):
        spec.index = "other"


def test_a_mapping_may_take_over_the_keys_of_another():
    spec = parse("text: {a: &english {analyzer: english}, b: {<<: *english, boost: 2}}")
    assert (spec.text["b"].analyzer, spec.text["b"].boost) == ("english", 2)


ERRORS = [
    ("colour: red", "colour: this key is not known here; check its spelling"),
    ("text: {t: {analyser: x}}", "text.t.analyser: this key is not known here"),
    ("text: 5", "text: 5 is not accepted: a mapping"),
    ("text: [1]", r"text: \[1\] is not accepted: a mapping"),
    ("text: [{t: {}}]", r"text: \[{'t': {}}\] is not accepted: a mapping"),
    ("text: [t, u, t]", "text: .*: the field 't' stands twice"),
    ("text: {t: {boost: 0}}", "text.t.boost: 0 is not accepted: greater than 0"),
    ("text: {t: {boost: .inf}}", "text.t.boost: inf is not accepted: a finite number"),
    ("text: {t: {boost: high}}", "text.t.boost: 'high' is not accepted: a valid number"),
    (
        "text: {t: {subfields: {s: {type: date}}}}",
        "subfields.s.type: 'date' .*: 'text' or 'keyword'",
    ),
    (
        "metadata: {p: text}",
        "metadata.p: 'text' .*: 'float', 'integer', 'keyword', 'boolean' or 'd",
    ),
    ("metadata: [p]", r"metadata: \['p'\] is not accepted: a mapping"),
    ("metadata: {1: float}", "metadata.1: 1 is not accepted: a valid string"),
    ("shards: 0", "shards: 0 is not accepted: greater than or equal to 1"),
    ("replicas: -1", "replicas: -1 is not accepted: greater than or equal to 0"),
    ("id: 5", "id: 5 is not accepted: a valid string"),
    ("id: ''", "'' cannot be a field name"),
    ("id: _id", "'_id' cannot be a field name"),
    ("text: [_source]", "'_source' cannot be a field name"),
    ("metadata: {two words: float}", "'two words' cannot be a field name"),
    ("metadata: {a..b: float}", "'a..b' cannot be a field name"),
    (vector(dimension="0"), "vectors.v.dimension: 0 is not accepted: greater than or equal to 1"),
    (vector(dimension="20000"), "vectors.v.dimension: 20000 .*: less than or equal to 16000"),
    (vector(dimension="many"), "vectors.v.dimension: 'many' is not accepted: a valid integer$"),
    (vector(prefixes="2"), "vectors.v.prefixes: 2 is not accepted: a list"),
    (vector(prefixes="[2, x]"), "vectors.v.prefixes.1: 'x' is not accepted: a valid integer"),
    (vector(prefixes="[2, 4]"), "vectors.v: every prefix must be shorter than the dimension 4"),
    (vector(prefixes="[5]"), "vectors.v: every prefix must be shorter"),
    (vector(prefixes="[2, 2]"), "vectors.v: prefixes must differ from each other"),
    (vector(space="euclid"), "vectors.v.space: 'euclid' is not accepted: 'cosine', 'dot' or 'l2'"),
    (vector(encoder="5"), "vectors.v.encoder: 5 is not accepted: a mapping$"),
    (vector(encoder="{column: c}"), "vectors.v.encoder.name: this key is required"),
    ("vectors: {v: {encoder: x}}", "vectors.v.dimension: this key is required"),
    (
        vector(source="'no field'"),
        r"vectors.v.source: 'no field' is not accepted: it names no {field}",
    ),
    (vector(source="'{a'"), r"vectors.v.source: '{a' is not accepted: expected '}'"),
    (vector(source="'{a[0]}'"), r"vectors.v.source: .* only plain {field} names"),
    (vector(source="'{}'"), r"vectors.v.source: .* only plain {field} names"),
    (vector(source="'{a!r}'"), r"vectors.v.source: .* only plain {field} names"),
    (vector(source="'{a:>9}'"), r"vectors.v.source: .* only plain {field} names"),
    (f"text: [v]\n{vector()}", "'v' is a vector and another field too; rename one"),
    (f"metadata: {{v: float}}\n{vector()}", "'v' is a vector and another field too"),
    (f"id: v\n{vector()}", "'v' is a vector and another field too"),
    (f"text: [v_2]\n{vector(prefixes='[2]')}", "the prefix field 'v_2' is another field too"),
    (f"id: v_2\n{vector(prefixes='[2]')}", "the prefix field 'v_2' is another field too"),
    (
        "vectors: {v: {encoder: x, dimension: 4, prefixes: [2]}, v_2: {encoder: x, dimension: 3}}",
        "the prefix field 'v_2' is another field too",
    ),
    ("text: [p]\nmetadata: {p: float}", "'p' is text, so as metadata it can only be a keyword"),
    ("plans: {p: {}}", "plans.p: a plan needs at least one of match, shortlist, scan, rescore"),
    (
        "plans: {p: {match: {}, shortlist: {dims: 4, k: 5}}}",
        "plans.p: match and shortlist together",
    ),
    ("plans: {p: {match: {}, fuse: {}}}", "plans.p: fuse needs match and rescore"),
    ("plans: {p: {shortlist: {dims: 4}}}", "plans.p.shortlist.k: this key is required"),
    ("plans: {p: {shortlist: {dims: 4, k: 0}}}", "plans.p.shortlist.k: 0 .* greater than or equal"),
    ("plans: {p: {shortlist: {dims: 4, k: 10001}}}", "k: 10001 .* less than or equal to 10000"),
    (
        "plans: {p: {shortlist: {dims: half, k: 5}}}",
        "plans.p.shortlist.dims: 'half' is not accepted: a valid integer or 'full'$",
    ),
    ("plans: {p: {match: {fields: title}}}", "plans.p.match.fields: 'title' .*: a list"),
    ("plans: {p: {match: {operator: xor}}}", "plans.p.match.operator: 'xor' .*: 'or' or 'and'"),
    ("plans: {p: {rescore: {}, fuze: {}}}", "plans.p.fuze: this key is not known here"),
]


@pytest.mark.parametrize(("yaml", "message"), ERRORS)
def test_an_error_names_path_value_and_what_is_accepted(yaml, message):
    with pytest.raises(SpecError, match=f"^kokeshi.yaml: .*{message}"):
        parse(yaml)


@pytest.mark.parametrize(
    "name", ["Fashion", "_a", "-a", ".a", "a b", "a/b", "a,b", "a*", "", "ä", "a" * 201, "5#"]
)
def test_an_index_name_is_one_that_engines_take(name):
    with pytest.raises(SpecError, match=r"index: .*lower-case letters, digits"):
        parse_spec(f"index: '{name}'")


def test_the_index_is_required():
    with pytest.raises(SpecError, match="index: this key is required"):
        parse_spec("id: sku")


def test_further_errors_are_counted():
    with pytest.raises(SpecError, match=r"not known here.* \(and 2 more\)$"):
        parse("a: 1\nb: 2\nc: 3")


def test_an_error_names_the_file():
    with pytest.raises(SpecError, match=r"^shop\.yaml: shards: 0"):
        parse_spec("index: a\nshards: 0", origin="shop.yaml")


@pytest.mark.parametrize(
    ("yaml", "place"),
    [
        ("index: a\n  shards: 1", "line 2, column 9"),
        ("index: [a", "line 1, column 10"),
        (
            "index: a\ntext: {t: {}, t: {}}",
            "line 2, column 15: not valid YAML: the key 't' stands twice",
        ),
        ("index: a\nindex: b", "line 2, column 1: not valid YAML: the key 'index' stands twice"),
        ("index: !!python/name:os.system x", "line 1, column 8"),
        ("index: a\n? [b]\n: c", "line 2, column 3: not valid YAML: found unhashable key"),
        ("index: \x00", "not valid YAML"),
    ],
)
def test_malformed_yaml_is_refused_with_its_place(yaml, place):
    with pytest.raises(SpecError, match=place):
        parse_spec(yaml)


@pytest.mark.parametrize(
    ("yaml", "found"), [("", "nothing"), ("# only this", "nothing"), ("[a]", "list"), ("a", "str")]
)
def test_a_spec_is_a_mapping(yaml, found):
    with pytest.raises(SpecError, match=f"a mapping of keys to values is expected, found {found}"):
        parse_spec(yaml)


def test_a_spec_is_read_from_a_file(tmp_path):
    path = tmp_path / "kokeshi.yaml"
    path.write_text(VALID, encoding="utf-8")
    assert load_spec(path) == parse_spec(VALID)


def test_a_missing_file_says_how_to_write_one(tmp_path):
    with pytest.raises(SpecError, match=r"absent.yaml: no such file; write one with: kokeshi init"):
        load_spec(tmp_path / "absent.yaml")


def test_a_file_that_is_no_text_cannot_be_read(tmp_path):
    (tmp_path / "k.yaml").write_bytes(b"index: \xff\xfe")
    with pytest.raises(SpecError, match=r"k.yaml: cannot be read: .*utf-8"):
        load_spec(tmp_path / "k.yaml")


def test_a_folder_cannot_be_read(tmp_path):
    with pytest.raises(SpecError, match="cannot be read"):
        load_spec(tmp_path)


@pytest.mark.parametrize("text", ["rescore: {dims: 64}", '{"rescore": {"dims": 64}}'])
def test_a_plan_is_read_from_yaml_and_json(tmp_path, text):
    (tmp_path / "plan").write_text(text)
    assert load_plan(tmp_path / "plan") == SearchPlan(rescore=Rescore(dims=64))


def test_a_plan_file_that_is_not_valid_names_itself(tmp_path):
    (tmp_path / "p.yaml").write_text("rescore: {dims: some}")
    with pytest.raises(SpecError, match=r"p.yaml: rescore.dims: 'some' is not accepted"):
        load_plan(tmp_path / "p.yaml")


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"a": "x", "b": "y"}, "x. y"),
        ({"a": "x"}, "x."),
        ({"a": None, "b": "y"}, ". y"),
        ({"a": ["x", "z"], "b": 5}, "x z. 5"),
        ({"a": "{b}", "b": "y"}, "{b}. y"),
    ],
)
def test_a_template_renders_what_a_document_has(document, text):
    assert Template.parse("{a}. {b}").render(document) == text


def test_a_template_keeps_doubled_braces_as_single_ones():
    assert Template.parse("{{{a}}}").render({"a": 1}) == "{1}"
