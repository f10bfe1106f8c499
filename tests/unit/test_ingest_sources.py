from __future__ import annotations

import datetime
import gzip
import io
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from kokeshi.encoders import Record
from kokeshi.errors import InputError, MissingExtraError
from kokeshi.ingest import BadLine, Source

GOOD = b'{"id": 1}\n{"id": 2}\n'


@pytest.fixture
def read(tmp_path):
    """Write bytes to a file and read them as documents."""

    def read_(content: bytes, name: str = "in.jsonl", **options):
        (tmp_path / name).write_bytes(content)
        return list(Source(tmp_path / name, **options))

    return read_


def ids(items) -> list:
    return [item.fields["id"] for item in items if isinstance(item, Record)]


def bad(items) -> list[tuple[int, str]]:
    return [(item.line, item.reason) for item in items if isinstance(item, BadLine)]


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        GOOD.rstrip(b"\n"),
        GOOD.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + GOOD,
        b"\n\n" + GOOD.replace(b"\n", b"\n \t\n"),
    ],
    ids=["plain", "no end of line", "CRLF", "BOM", "blank lines"],
)
def test_json_lines_are_documents(read, content):
    assert ids(read(content)) == [1, 2]


@pytest.mark.parametrize("name", ["in.jsonl", "in.ndjson", "IN.JSONL"])
def test_json_lines_go_by_their_names(read, name):
    assert ids(read(GOOD, name)) == [1, 2]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("in.csv", b"id,t\n1,a\n2,b\n"),
        ("in.csv", b"id,t\r\n1,a\r\n2,b"),
        ("in.csv", b"\xef\xbb\xbfid,t\n1,a\n2,b\n"),
        ("in.csv", b'"id","t"\n"1","a"\n\n2,b\n'),
        ("in.tsv", b"id\tt\n1\ta\n2\tb\n"),
    ],
)
def test_rows_of_a_table_are_documents(read, name, content):
    assert [item.fields for item in read(content, name)] == [
        {"id": "1", "t": "a"},
        {"id": "2", "t": "b"},
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [("in.jsonl.gz", GOOD), ("in.csv.gz", b"id\n1\n2\n"), ("in.tsv.gz", b"id\n1\n2\n")],
)
def test_gzip_is_unpacked(read, name, content):
    assert [str(id_) for id_ in ids(read(gzip.compress(content), name))] == ["1", "2"]


def test_gzip_is_known_by_its_content(read):
    assert ids(read(gzip.compress(GOOD))) == [1, 2]


def test_a_file_named_gz_may_be_plain(read):
    assert ids(read(GOOD, "in.jsonl.gz")) == [1, 2]


def test_a_format_may_be_given(read):
    assert ids(read(b"id\n1\n", "in.txt", format="csv")) == ["1"]


def test_values_of_a_table_hold_delimiters_quotes_and_line_breaks(read):
    (item,) = read(b'id,t\n1,"a, ""b""\nc"\n', "in.csv")
    assert item.fields["t"] == 'a, "b"\nc'


def test_an_empty_cell_is_no_field(read):
    assert read(b"id,t\n1,\n", "in.csv")[0].fields == {"id": "1"}


@pytest.mark.parametrize(("content", "format_"), [(GOOD, None), (b"id\n1\n2\n", "csv")])
def test_standard_input_is_read(monkeypatch, content, format_):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert len(list(Source("-", format_))) == 2


BAD_JSON = [
    (b"{", "not JSON: "),
    (b'{"id": 1,}', "not JSON: "),
    (b'{"id": NaN}', "not JSON: "),
    (b'{"id": "\xff"}', "not JSON: "),
    (b'{"id": "\\ud800"}', "not JSON: "),
    (b"\xff\xfe{", "not JSON: "),
    (b"[1]", "not a JSON object but list"),
    (b'"text"', "not a JSON object but str"),
    (b"null", "not a JSON object but NoneType"),
    (b'{"a": %b}' % (b"[" * 260 + b"]" * 260), "lists and objects in one another, more than 200"),
    (b'{"a": %b}' % (b"[" * 600 + b"]" * 600), "lists and objects in one another, more than 200"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_JSON)
def test_a_line_that_is_no_document_keeps_its_number(read, line, reason):
    items = read(b'{"id": 1}\n\n' + line + b'\n{"id": 2}\n')
    ((number, found),) = bad(items)
    assert number == 3
    assert found.startswith(reason)
    assert ids(items) == [1, 2]


def test_what_is_wide_is_not_deep(read):
    (item,) = read(b'{"id": 1, "a": %b}' % (b"[" + b",".join([b'{"b": []}'] * 300) + b"]"))
    assert len(item.fields["a"]) == 300


def test_a_bad_line_counts_as_a_row(read):
    items = read(b'{"id": 1}\n\nbroken\n{"id": 2}\n')
    assert [(i.row, i.line) for i in items if isinstance(i, Record)] == [(0, 1), (2, 4)]


def test_a_bad_line_is_kept_whole_with_its_place(read):
    _, item = read(b'{"id": 1}\n' + b"x" * 5_000)
    assert (len(item.text), item.row) == (5_000, 1)


def test_rows_of_a_table_are_numbered_where_they_begin(read):
    items = read(b'id,t\n1,"a\nb"\n2,c,d\n"3"x,y\n\n4,z\n', "in.csv")
    assert bad(items) == [
        (4, "3 cells, but the header names 2 columns"),
        (5, "not CSV: ',' expected after '\"'"),
    ]
    found = [(i.row, i.line, i.fields["id"]) for i in items if isinstance(i, Record)]
    assert found == [(0, 2, "1"), (3, 7, "4")]


def test_a_quote_that_is_never_closed_is_reported_where_it_opens(read):
    items = read(b'id,t\n1,a\n2,"b\n3,c\n', "in.csv")
    assert bad(items) == [(3, "not CSV: unexpected end of data")]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"id,t,id", "in.csv: line 1: the header names the column 'id' twice"),
        (b'"id"x,t', "in.csv: line 1: the header is not CSV: ',' expected"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused(read, header, message):
    with pytest.raises(InputError, match=message):
        read(header + b"\n1,2,3\n", "in.csv")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("in.jsonl", b"\n \n"),
        ("in.jsonl", b"\xef\xbb\xbf"),
        ("in.csv", b"id,t\n"),
        ("in.csv", b"\n"),
        ("in.jsonl.gz", gzip.compress(b"")),
    ],
)
def test_a_file_without_documents_is_refused(read, name, content):
    with pytest.raises(InputError, match=f"{name}: the file has no documents"):
        read(content, name)


def test_an_empty_file_is_refused_before_it_is_read(tmp_path):
    (tmp_path / "in.jsonl").touch()
    with pytest.raises(InputError, match=r"in.jsonl: the file is empty"):
        Source(tmp_path / "in.jsonl")


def test_a_missing_file_is_named_as_it_was_given():
    with pytest.raises(InputError, match=r"^No/Such/File\.jsonl: no such file"):
        Source("No/Such/File.jsonl")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError, match="is a folder, not a file"):
        Source(tmp_path, "jsonl")


@pytest.mark.parametrize("name", ["in.xlsx", "in", "in.gz", "in.json"])
def test_an_unknown_format_lists_the_accepted(read, name):
    with pytest.raises(
        InputError, match=r"accepted are .jsonl, .ndjson, .csv, .tsv, .parquet, each also with"
    ):
        read(GOOD, name)


def test_a_format_that_is_none_is_refused(read):
    with pytest.raises(InputError, match="format 'xml' is not one of jsonl, csv, tsv"):
        read(GOOD, format="xml")


@pytest.mark.parametrize("name", ["in.jsonl.gz", "in.csv.gz"])
@pytest.mark.parametrize("damage", [lambda z: z[:-20], lambda z: z[:60] + b"\0" * 40 + z[100:]])
def test_damaged_gzip_is_refused(read, name, damage):
    lines = b"".join(b'{"id": %d}\n' % i for i in range(2_000))
    with pytest.raises(InputError, match=f"{name}: the gzip file is damaged or cut short"):
        read(damage(gzip.compress(lines)), name)


def test_a_table_that_is_not_utf8_is_refused(read):
    with pytest.raises(InputError, match=r"in.csv: not UTF-8"):
        read("id,t\n1,é\n".encode("latin-1"), "in.csv")


def test_a_source_can_be_read_again(tmp_path):
    (tmp_path / "in.jsonl").write_bytes(GOOD)
    source = Source(tmp_path / "in.jsonl")
    assert list(source) == list(source)


def test_the_position_moves_through_the_file(tmp_path):
    (tmp_path / "in.jsonl").write_bytes(GOOD * 10_000)
    source = Source(tmp_path / "in.jsonl")
    assert source.size == len(GOOD) * 10_000
    assert source.position == 0
    items = iter(source)
    next(items)
    assert 0 < source.position < source.size
    items.close()


def test_lines_are_read_one_at_a_time(tmp_path):
    (tmp_path / "in.jsonl").write_bytes(GOOD + b"broken")
    items = iter(Source(tmp_path / "in.jsonl"))
    assert next(items).fields == {"id": 1}
    items.close()


class TestParquet:
    """Row groups of a Parquet file, where pyarrow is installed."""

    @pytest.fixture
    def path(self, tmp_path):
        pyarrow = pytest.importorskip("pyarrow", reason="the extra 'parquet' is not installed")
        parquet = pytest.importorskip("pyarrow.parquet")
        rows = [
            {
                "id": number,
                "title": f"shoe {number}" if number % 2 else None,
                "price": Decimal("9.50"),
                "released": datetime.date(2024, 1, 31),
                "tags": ["a", "b"],
                "vec": [0.5, float(number)],
            }
            for number in range(1_000)
        ]
        parquet.write_table(
            pyarrow.Table.from_pylist(rows), tmp_path / "in.parquet", row_group_size=300
        )
        return tmp_path / "in.parquet"

    def test_rows_are_documents(self, path):
        items = list(Source(path))
        assert [item.fields["id"] for item in items] == list(range(1_000))
        assert [(item.row, item.line) for item in items[298:302]] == [
            (298, 299),
            (299, 300),
            (300, 301),
            (301, 302),
        ]
        assert items[1].fields == {
            "id": 1,
            "title": "shoe 1",
            "price": 9.5,
            "released": datetime.date(2024, 1, 31),
            "tags": ["a", "b"],
            "vec": [0.5, 1.0],
        }
        assert "title" not in items[0].fields

    @pytest.mark.parametrize("row", [1, 299, 300, 301, 999, 1_000])
    def test_it_goes_on_where_it_was_left(self, path, row):
        source = Source(path)
        places = [source.reached for _ in source]
        found = [item.row for item in Source(path).read_from(places[row - 1])]
        assert found == list(range(row, 1_000))

    def test_a_large_row_group_is_not_read_whole(self, path, tmp_path, monkeypatch):
        pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        vectors = np.random.default_rng(0).normal(size=(2_000, 768)).astype(np.float32)
        table = pyarrow.table({"id": range(2_000), "vec": list(vectors)})
        parquet.write_table(table, tmp_path / "large.parquet", compression="none")
        sizes = []

        class Watched(io.FileIO):
            def read(self, size: int = -1) -> bytes:
                sizes.append(size)
                return super().read(size)

        open_ = Path.open
        monkeypatch.setattr(
            Path, "open", lambda self, mode: Watched(self) if mode == "rb" else open_(self, mode)
        )
        assert sum(1 for _ in Source(tmp_path / "large.parquet")) == 2_000
        assert 0 < max(sizes) <= 2 << 20

    def test_another_file_is_an_error(self, path):
        path.write_bytes(b"PAR1 no more")
        with pytest.raises(InputError, match=r"in.parquet: not a Parquet file, or damaged"):
            list(Source(path))


def test_parquet_without_its_extra_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "in.parquet").write_bytes(b"PAR1")
    with pytest.raises(MissingExtraError, match=r"pip install 'kokeshi\[parquet\]'"):
        list(Source(tmp_path / "in.parquet"))
