from __future__ import annotations

import csv
import gzip
import io
import json
import re
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from kokeshi.cli.init import init, next_command
from kokeshi.errors import InputError, SpecError
from kokeshi.ingest import Source
from kokeshi.ingest.documents import document_id, typed_fields
from kokeshi.init import FieldGuess, guess_fields, guess_sample, index_name, read_sample, write_spec
from kokeshi.schema import IndexSpec, parse_spec

COLOURS = ["red", "green", "blue"]
WORDS = "a light shoe for long walks in any weather"


def write_jsonl(path: Path, documents: list) -> Source:
    path.write_text("".join(json.dumps(document) + "\n" for document in documents), "utf-8")
    return Source(path, "jsonl")


def guess_one(folder: Path, values: list, name: str = "field") -> FieldGuess:
    """The guess for a field that holds these values; None leaves it out of its document."""
    documents = [
        {"id": f"p{row}", "title": "some words to find", **({} if value is None else {name: value})}
        for row, value in enumerate(values)
    ]
    guesses = guess_fields(write_jsonl(folder / "one.jsonl", documents))
    return next(guess for guess in guesses if guess.name == name)


def place(guess: FieldGuess) -> tuple:
    return guess.role, guess.type


def placed(guesses: list[FieldGuess]) -> dict[str, tuple]:
    return {guess.name: place(guess) for guess in guesses}


def check_round_trip(guesses: list[FieldGuess], spec: IndexSpec) -> None:
    """The spec says of every field what the guess says."""
    assert [spec.id] == [g.name for g in guesses if g.role == "id"]
    assert set(spec.text) == {g.name for g in guesses if g.role == "text"}
    assert spec.metadata == {
        g.name: g.type for g in guesses if g.role in ("text", "metadata") and g.type
    }
    columns = {
        v.encoder.options["column"]: v.dimension for v in spec.vectors.values() if v.encoder.options
    }
    assert columns == {g.name: g.dimension for g in guesses if g.role == "vector"}


def uncomment(text: str, section: str) -> str:
    """Add a commented section to the text, without its `# `."""
    lines = text.splitlines()
    start = next(row for row, line in enumerate(lines) if line.startswith(f"# {section}:"))
    for row in range(start, len(lines)):
        if not lines[row].startswith("# "):
            break
        lines[row] = lines[row].removeprefix("# ")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, 3], ("metadata", "integer")),
        ([1, 2.5, 3], ("metadata", "float")),
        (["1", "2", "3"], ("metadata", "integer")),
        (["12.5", "3", ".5"], ("metadata", "float")),
        (["1e400", "2", "3"], ("metadata", "keyword")),
        (["nan", "1.0", "2"], ("metadata", "keyword")),
        (["1_000", "2", "3"], ("metadata", "keyword")),
        (["007", "008", "123"], ("metadata", "keyword")),
        (["+49123", "+49124", "+49125"], ("metadata", "keyword")),
        ([2**63, 1, 2], ("metadata", "keyword")),
        ([2**63 - 1, -(2**63), 2], ("metadata", "integer")),
        (["9" * 5000, "1"], ("ignored", None)),
        ([True, False], ("metadata", "boolean")),
        (["true", "False", "TRUE"], ("metadata", "boolean")),
        ([True, 1, 0], ("metadata", "keyword")),
        (["yes", "no"], ("metadata", "keyword")),
        (["2024-01-31", "2023-02-28T10:00:00Z"], ("metadata", "date")),
        (["2024-02-31", "2024-01-01"], ("metadata", "keyword")),
        (["2024-01-31 10:00:00", "2024-02-01 10:00:00"], ("metadata", "keyword")),
        (["31.01.2024", "01.02.2024"], ("metadata", "keyword")),
        (["1.2.3", "1.10.4"], ("metadata", "keyword")),
        (COLOURS * 5, ("metadata", "keyword")),
        (["https://a.example/1.jpg", "https://a.example/2.jpg"], ("ignored", None)),
        (["x" * 1001, "y"], ("ignored", None)),
        ([WORDS, WORDS + " too"], ("text", None)),
        (["ships in two days", "ships within one week"] * 40, ("metadata", "keyword")),
        (["dark blue", "light blue", "red"], ("text", "keyword")),
        ([["red", "blue"], ["green"]], ("metadata", "keyword")),
        ([[WORDS, WORDS], [WORDS]], ("text", None)),
        (["長い散歩のための軽い靴", "赤いスニーカー、レディース"], ("text", None)),
        (["赤", "青"], ("metadata", "keyword")),
        (["x", "y " + "z" * 1001, "z", "u", "v"], ("text", None)),
        ([[1, 2], [3]], ("metadata", "integer")),
        ([[0.5] * 8, [1] * 8], ("vector", None)),
        ([[0.5] * 7, [0.1] * 7], ("metadata", "float")),
        ([["0.5"] * 8, ["0.1"] * 8], ("metadata", "float")),
        ([[0.5] * 8, [0.1] * 9], ("metadata", "float")),
        ([[0.5] * 16_001], ("ignored", None)),
        ([str([0.25] * 8), str([0.5] * 8)], ("ignored", None)),
        ([{"a": 1}, {"b": 2}], ("ignored", None)),
        ([{"a": 1}, 5], ("ignored", None)),
        ([[{"a": 1}], [[1]]], ("ignored", None)),
        ([None, "", []], ("ignored", None)),
        (["38", "40", "XL"], ("metadata", "keyword")),
        ([38, 40, "XL"], ("metadata", "keyword")),
        ([38, 40, 42, True], ("metadata", "keyword")),
        ([1, "2"], ("metadata", "integer")),
    ],
)
def test_place_of_values(tmp_path, values, expected):
    filler = {"title": "so that some other field is text"}
    documents = [{"id": f"p{row}", "field": value, **filler} for row, value in enumerate(values)]
    guesses = guess_fields(write_jsonl(tmp_path / "one.jsonl", documents))
    assert placed(guesses)["field"] == expected


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("brand", ["HP", "Xerox", "HP"], ("text", "keyword")),
        ("Title", ["Shorts", "Dress", "1984"], ("text", None)),
        ("productName", ["Shorts", "Dress"], ("text", None)),
        ("title", [1984, "Dress"], ("text", None)),
        (
            "category",
            ["Men > Shoes > Red and blue", "Men > Hats > Green ones"],
            ("text", "keyword"),
        ),
        ("category", ["shoes", "hats"], ("metadata", "keyword")),
        ("ean", ["4006381333931", "4006381333948"], ("metadata", "keyword")),
        ("categoryId", ["12", "13"], ("metadata", "keyword")),
        ("category_id", [12, 13], ("metadata", "integer")),
        ("amount", ["12", "13"], ("metadata", "integer")),
        ("grid", ["12", "13"], ("metadata", "integer")),
        ("Product Name", [WORDS, WORDS + "!"], ("ignored", None)),
        ("9lives", ["a", "b"], ("ignored", None)),
        ("_score", [1, 2], ("ignored", None)),
        ("x" * 201, ["a", "b"], ("ignored", None)),
    ],
)
def test_place_by_name(tmp_path, name, values, expected):
    assert place(guess_one(tmp_path, values, name)) == expected


def test_a_guess_tells_what_it_saw(tmp_path):
    guess = guess_one(tmp_path, [*COLOURS * 30, *[None] * 10], "colour")
    assert guess.filled == 0.9
    assert guess.distinct == 3
    assert guess.examples == ("red", "green", "blue")
    assert guess.reason.startswith("3 distinct short values in 90")


def test_reasons_name_what_stands_in_the_way(tmp_path):
    assert "mostly numbers, but also 'n/a'" in guess_one(tmp_path, ["1.5", "2.5", "n/a"]).reason
    assert "write them so" in guess_one(tmp_path, ["31.01.2024", "01.02.2024"]).reason
    assert "rename it" in guess_one(tmp_path, [1, 2], "a b").reason
    assert "mostly numbers, but also 'n/a'" in guess_one(tmp_path, ["1.5", "2", "n/a"]).reason
    assert "1 document with an empty one will be refused" in guess_one(tmp_path, [1, "", 2]).reason
    assert "refused" not in guess_one(tmp_path, ["a", "", "b"]).reason
    assert "nested" in guess_one(tmp_path, [{"a": 1}]).reason
    assert "JSON lists, in JSONL" in guess_one(tmp_path, [str([0.5] * 9)]).reason
    assert guess_one(tmp_path, [["a"], ["b", "a"]]).reason.startswith("lists: ")


def test_a_vector_of_another_length_is_told_not_followed(tmp_path):
    guess = guess_one(tmp_path, [[0.5] * 384] * 19 + [[0.5] * 383])
    assert (guess.role, guess.dimension) == ("vector", 384)
    assert "1 document will be refused" in guess.reason


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ([{"sku": "a", "id": 1}, {"sku": "b", "id": 2}], "id"),
        ([{"sku": "a", "id": 1}, {"sku": "b", "id": 1}], "sku"),
        ([{"sku": "a", "id": 1}, {"sku": "b"}], "sku"),
        ([{"x": "a", "productId": 5}, {"x": "b", "productId": 6}], "productId"),
        ([{"x": "a", "shop_id": 5}, {"x": "b", "shop_id": 6}], "shop_id"),
        ([{"title": "A b", "key": "k1"}, {"title": "B c", "key": "k2"}], "key"),
        ([{"price": 1.5, "key": "k1"}, {"price": 2.5, "key": "k2"}], "key"),
        ([{"tags": ["a"], "key": "k1"}, {"tags": ["b"], "key": "k2"}], "key"),
        ([{"sold": True, "released": "2024-01-01", "n": 3}], "n"),
        ([{"Product ID": "a", "x": "é"}, {"Product ID": "b", "x": "ü"}], "x"),
        ([{"_id": "a", "x": "u"}, {"_id": "b", "x": "v"}], "x"),
        ([{"a.b": "a", "Id": "u"}, {"a.b": "b", "Id": "v"}], "Id"),
        ([{"long": "x" * 129, "x": "u"}, {"long": "y" * 129, "x": "v"}], "x"),
    ],
)
def test_the_id(tmp_path, documents, expected):
    guesses = guess_fields(write_jsonl(tmp_path / "ids.jsonl", documents))
    assert [g.name for g in guesses if g.role == "id"] == [expected]


@pytest.mark.parametrize(
    "documents",
    [[{"id": 1}, {"id": 1}], [{"id": 1}, {"id": None}], [{"id": True}], [{"id": 1.5}], [{}]],
)
def test_no_id_says_what_to_do(tmp_path, documents):
    with pytest.raises(InputError, match=r"no field can be the id.* add a field 'id'"):
        guess_fields(write_jsonl(tmp_path / "ids.jsonl", documents))


def test_an_id_may_repeat_a_little(tmp_path):
    documents = [{"n": row, "sku": sku} for row, sku in enumerate(["a", "a", "b"])]
    guesses = guess_fields(write_jsonl(tmp_path / "ids.jsonl", documents))
    (id_,) = [guess for guess in guesses if guess.role == "id"]
    assert id_.name == "sku"
    assert id_.reason == "2 distinct values in 3 documents: of repeats the last one stays"


def test_an_id_that_the_user_names(tmp_path):
    documents = [{"id": row, "style": "a"} for row in range(3)]
    sample = read_sample(write_jsonl(tmp_path / "ids.jsonl", documents), 10)
    assert [g.name for g in guess_sample(sample, "style") if g.role == "id"] == ["style"]
    with pytest.raises(InputError, match="'sku' cannot be the id; the fields are: id, style"):
        guess_sample(sample, "sku")


@pytest.mark.parametrize("name", ["_id", "Product ID", "9"])
def test_an_id_of_a_name_that_is_refused(tmp_path, name):
    with pytest.raises(InputError, match=f"'{name}' is filled and unique.* rename it"):
        guess_fields(write_jsonl(tmp_path / "ids.jsonl", [{name: "a"}, {name: "b"}]))


def test_no_id_names_the_nearest(tmp_path):
    documents = [{"price": row / 2, "id": row // 2} for row in range(4)]
    with pytest.raises(InputError, match="'id', filled in 4 of 4 documents with 2 distinct values"):
        guess_fields(write_jsonl(tmp_path / "ids.jsonl", documents))


def test_bad_lines_are_skipped_and_counted(tmp_path):
    path = tmp_path / "some.jsonl"
    path.write_text('{"id": 1}\n{oops\n[1]\n{"id": 2}\n{"id": 3}\n')
    sample = read_sample(Source(path), 4)
    assert (sample.documents, sample.bad) == (2, 2)
    path.write_text("{oops\n[1]\n")
    with pytest.raises(
        InputError, match="none of the first 2 lines is a document; line 1: not JSON"
    ):
        guess_fields(Source(path))


def test_only_the_sample_is_read(tmp_path):
    documents = [{"id": row, "size": row if row < 10 else "XL"} for row in range(20)]
    source = write_jsonl(tmp_path / "many.jsonl", documents)
    assert placed(guess_fields(source, 10))["size"] == ("metadata", "integer")
    assert placed(guess_fields(source, 20))["size"] != ("metadata", "integer")


def test_a_keyword_is_searched_for_want_of_text(tmp_path):
    documents = [{"id": row, "kind": COLOURS[row % 3], "size": "S"} for row in range(30)]
    guesses = guess_fields(write_jsonl(tmp_path / "few.jsonl", documents))
    assert placed(guesses) == {
        "id": ("id", "keyword"),
        "kind": ("text", "keyword"),
        "size": ("metadata", "keyword"),
    }


def test_a_field_inside_a_field_is_ignored(tmp_path):
    documents = [{"id": row, "brand": "HP", "brand.text": "x", "a.b": "y"} for row in range(3)]
    guesses = placed(guess_fields(write_jsonl(tmp_path / "dots.jsonl", documents)))
    assert guesses["brand.text"] == ("ignored", None)
    assert guesses["a.b"] == ("metadata", "keyword")


CATALOGUE = [
    {
        "id": f"{row:04}",
        "title": f"Walking shoe {row}",
        "description": WORDS,
        "brand": ["HP", "yes", "No: 1"][row % 3],
        "null": "on" if row % 2 else "off",
        "price": row + 0.5,
        "sold": row,
        "new": bool(row % 2),
        "released": "2024-01-31",
    }
    for row in range(60)
]
TYPES = {
    "brand": "keyword",
    "null": "keyword",
    "price": "float",
    "sold": "integer",
    "new": "boolean",
    "released": "date",
}


@pytest.mark.parametrize("format_", ["jsonl", "csv", "tsv"])
@pytest.mark.parametrize("packed", [False, True])
def test_all_formats_give_the_same_spec(tmp_path, format_, packed):
    text = io.StringIO()
    if format_ == "jsonl":
        text.write("".join(json.dumps(document) + "\n" for document in CATALOGUE))
    else:
        writer = csv.DictWriter(text, CATALOGUE[0], delimiter="\t" if format_ == "tsv" else ",")
        writer.writeheader()
        writer.writerows(CATALOGUE)
    path = tmp_path / f"all.{format_}{'.gz' if packed else ''}"
    data = text.getvalue().encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    guesses = guess_fields(Source(path))
    spec = parse_spec(write_spec(guesses, "all"))
    check_round_trip(guesses, spec)
    assert spec.id == "id"
    assert list(spec.text) == ["title", "description", "brand"]
    assert spec.metadata == TYPES
    assert spec.vectors["embedding"].source == "{title}. {description}"
    assert spec.vectors["embedding"].prefixes == (64, 128)
    for record in Source(path):
        assert document_id(record, spec) == record.fields["id"]
        typed = typed_fields(record, spec)
        assert typed["price"] == record.row + 0.5
        assert typed["new"] is bool(record.row % 2)


def written(folder: Path, rows: list, **options) -> tuple[str, IndexSpec]:
    guesses = guess_fields(write_jsonl(folder / "some.jsonl", rows))
    text = write_spec(guesses, "some", **options)
    spec = parse_spec(text)
    check_round_trip(guesses, spec)
    return text, spec


@pytest.mark.parametrize(
    ("dimension", "prefixes"), [(768, (64, 128)), (128, (64,)), (64, (32,)), (9, (8,)), (8, (4,))]
)
def test_a_vector_column(tmp_path, dimension, prefixes):
    documents = [{"id": row, "title": WORDS, "vector": [0.5] * dimension} for row in range(3)]
    _, spec = written(tmp_path, documents)
    assert list(spec.vectors) == ["vector"]
    assert spec.vectors["vector"].dimension == dimension
    assert spec.vectors["vector"].prefixes == prefixes
    assert spec.vectors["vector"].encoder.options == {"column": "vector"}


def test_no_vector_field_meets_a_field_of_the_documents(tmp_path):
    vectors = {"v": [0.5] * 100, "v_64": [0.5] * 100, "v_vector": [0.5] * 100}
    documents = [{"id": row, **vectors} for row in range(3)]
    _, spec = written(tmp_path, documents)
    assert not set(spec.vector_fields()) & {"id", "v", "title"}
    assert len(spec.vector_fields()) == 6
    for taken in ("embedding", "embedding_64", "embedding.x"):
        _, spec = written(tmp_path, [{"id": 1, "title": WORDS, taken: {"nested": 1}}])
        assert list(spec.vectors) == ["embedding_vector"]


def test_odd_names_are_quoted(tmp_path):
    names = ["null", "yes", "on", "größe", "a-b", "a.c", "名前", "true"]
    documents = [{"größe-id": row, **dict.fromkeys(names, WORDS)} for row in range(3)]
    _, spec = written(tmp_path, documents)
    assert spec.id == "größe-id"
    assert set(spec.text) == set(names)


def test_odd_values_stay_in_their_comments(tmp_path):
    odd = "a\nb: c\u2028d\x85e\x00f\ufeff # g \U0001f600 \u202eh"
    documents = [{"id": odd, "title": odd * 3, "kind": odd[:9], "bad\nname\x07": [odd], "n": [odd]}]
    text, _ = written(tmp_path, documents, origin=f"file\n{odd}.jsonl", documents=1)
    assert "\x00" not in text
    assert len(text.splitlines()) == text.count("\n")


def test_no_text_and_no_vectors_still_gives_a_spec(tmp_path):
    text, spec = written(tmp_path, [{"id": row, "price": row * 1.5} for row in range(3)])
    assert not spec.text
    assert not spec.vectors
    spec = parse_spec(uncomment(text, "vectors"))
    assert spec.vectors["embedding"].encoder.options == {"file": "vectors.npy"}


@pytest.mark.parametrize("vector", [{}, {"vec": [0.5] * 100}])
def test_what_is_commented_out_is_right(tmp_path, vector):
    documents = [{"id": row, "title": WORDS, "brand": "HP", **vector} for row in range(3)]
    text, plain = written(tmp_path, documents)
    spec = parse_spec(uncomment(uncomment(text, "analysis"), "plans"))
    assert set(spec.plans) == {"every-word", "small-graph", "words-and-vectors"}
    prefixes = {dims for v in plain.vectors.values() for dims in v.prefixes}
    assert {p.shortlist.dims for p in spec.plans.values() if p.shortlist} <= prefixes
    examples = re.findall(r"^  # (title: .*)$", text, re.MULTILINE)
    assert len(examples) == 2
    for example in examples:
        field = parse_spec(f"index: i\ntext:\n  {example}\n").text["title"]
        analyzers = {sub.analyzer for sub in field.subfields.values()}
        assert analyzers <= set(spec.analysis["analyzer"])


def test_short_texts_are_embedded_with_names(tmp_path):
    documents = [
        {"id": row, "title": "Denim dress", "colour": f"dark blue{row}", "brand": "Acme"}
        for row in range(3)
    ]
    _, spec = written(tmp_path, documents)
    assert spec.vectors["embedding"].source == "{title} {colour} {brand}"


def test_lines_stay_readable(tmp_path):
    text, _ = written(tmp_path, CATALOGUE, origin="all.jsonl", documents=60)
    assert max(map(len, text.splitlines())) <= 110
    assert "  price: float                 # numbers, some with decimals: 0.5, 1.5, 2.5\n" in text


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("products.jsonl.gz", "products"),
        ("a/My Catalogue (2).CSV", "my-catalogue-2"),
        ("_-x.tsv", "x"),
        ("-", "products"),
        ("製品.csv", "products"),
        ("x" * 240 + ".csv", "x" * 200),
    ],
)
def test_index_name(file, expected):
    assert index_name(file) == expected
    assert IndexSpec(index=index_name(file)).index == expected


app = typer.Typer()
app.command()(init)


def run(*arguments: str | Path, input: str | None = None):  # noqa: A002
    result = CliRunner().invoke(app, [str(a) for a in arguments], input=input)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_command_writes_a_spec_and_shows_the_guesses(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "shoes [new].jsonl", CATALOGUE)
    result = run("shoes [new].jsonl", "--json")
    report = json.loads(result.stdout)
    assert parse_spec((tmp_path / "kokeshi.yaml").read_text("utf-8")).index == "shoes-new"
    assert report["next"] == "kokeshi ingest 'shoes [new].jsonl'"
    assert (report["documents"], report["bad_lines"]) == (60, 0)
    kinds = {f["name"]: f["type"] for f in report["fields"] if f["role"] == "metadata"}
    assert kinds == {name: kind for name, kind in TYPES.items() if name != "brand"}
    shown = run("shoes [new].jsonl", "--force").stdout
    assert "kokeshi ingest 'shoes [new].jsonl'" in shown
    assert all(name in shown for name in CATALOGUE[0])


def test_command_does_not_overwrite(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", CATALOGUE)
    target = tmp_path / "mine.yaml"
    target.write_text("mine")
    with pytest.raises(SpecError, match="exists already; give --force"):
        run(tmp_path / "a.jsonl", "-o", target)
    assert target.read_text() == "mine"
    run(tmp_path / "a.jsonl", "-o", target, "--force", "--index", "other")
    assert parse_spec(target.read_text("utf-8")).index == "other"


def test_command_refuses_before_it_writes(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", CATALOGUE)
    target = tmp_path / "new.yaml"
    with pytest.raises(SpecError, match="index: 'Bad Name' is not accepted"):
        run(tmp_path / "a.jsonl", "-o", target, "--index", "Bad Name")
    with pytest.raises(InputError, match="not one of jsonl, csv, tsv"):
        run(tmp_path / "a.jsonl", "-o", target, "--format", "xml")
    assert not target.exists()
    with pytest.raises(SpecError, match="cannot be written: No such file"):
        run(tmp_path / "a.jsonl", "-o", tmp_path / "missing" / "new.yaml")


def test_command_counts_bad_lines(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": 1, "title": "Red shoe"}\n{oops\n')
    assert "1 bad line skipped" in run(path, "-o", tmp_path / "a.yaml").stdout


def test_command_reads_standard_input(tmp_path, monkeypatch):
    data = b"sku\ttitle\nA1\tRed shoe\nA2\tBlue shoe\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    target = tmp_path / "a.yaml"
    result = run("-", "--format", "tsv", "-o", target, "--json", input=data.decode())
    spec = parse_spec(target.read_text("utf-8"))
    assert (spec.index, spec.id, list(spec.text)) == ("products", "sku", ["title"])
    assert json.loads(result.stdout)["next"] == f"kokeshi ingest - --format tsv --spec {target}"


def test_next_command_leaves_out_what_is_default():
    assert next_command(Path("a.csv"), None, Path("kokeshi.yaml")) == "kokeshi ingest a.csv"


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "text", "metadata"),
    [
        (
            "icecat",
            ["title", "description", "brand"],
            {"brand": "keyword", "price": "float", "type": "keyword"}
            | {"released": "date", "colour": "keyword"},
        ),
        (
            "fashion",
            ["title", "colour", "brand"],
            dict.fromkeys(["sku", "colour", "gender", "category", "brand"], "keyword")
            | {"price": "float", "sold": "integer"},
        ),
    ],
)
def test_real_catalogues(data_folder, name, text, metadata):
    source = Source(data_folder / name / "products.jsonl.gz")
    spec = parse_spec(write_spec(guess_fields(source), name))
    assert (spec.id, list(spec.text), spec.metadata) == ("id", text, metadata)
    for record in source:
        document_id(record, spec)
        typed_fields(record, spec)
