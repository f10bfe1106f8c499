"""The `kokeshi` command as a user runs it: a process of its own, on a real engine."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import numpy as np
import pytest

pytestmark = pytest.mark.engine

COMMAND = Path(sys.executable).with_name("kokeshi")
SECRET = "s3cret-pässword"  # noqa: S105
PLANS = ("bm25", "exact", "single", "two-stage", "hybrid")

PRODUCTS = """\
id,title,brand,price,category,in_stock
p1,Black waterproof jacket,Acme,49.5,clothing,true
p2,Red evening dress,Belle,120,clothing,false
p3,Running shoes for men,Acme,80,shoes,true
p4,White leather sneakers,Zed,65,shoes,true
p5,Blue denim jeans,Zed,40,clothing,false
p6,Warm black winter coat,Belle,150,clothing,true
"""
JUDGMENTS = """\
query,doc_id,grade
black coat,p6,3
black coat,p1,1
shoes,p3,3
shoes,p4,2
"""
VECTORS = [
    {"id": "v1", "title": "north", "vec": [0.0, 1.0, 0.0]},
    {"id": "v2", "title": "east", "vec": [1.0, 0.0, 0.0]},
    {"id": "v3", "title": "north-east", "vec": [1.0, 1.0, 0.0]},
]
VECTOR_SPEC = """\
index: {index}
text: [title]
vectors:
  embedding: {{encoder: {{name: precomputed, {where}}}, dimension: 3, prefixes: [2]}}
"""


class Ran(NamedTuple):
    code: int
    out: str
    err: str


class Shop:
    """A folder with a catalogue, and the engine that it is indexed in."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.index = f"t-cli-{uuid.uuid4().hex[:12]}"

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def environment(self, **changes: str | None) -> dict[str, str]:
        """That of the tests, without its Kokeshi settings. changes: None takes a variable out."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("KOKESHI_")}
        own = {"KOKESHI_URL": self.url, "KOKESHI_HOME": str(self.folder / "no-home")}
        wanted = {**kept, "PYTHONWARNINGS": "error", "COLUMNS": "80", **own, **changes}
        return {name: value for name, value in wanted.items() if value is not None}

    def run(self, *arguments: str, stdin: bytes = b"", **changes: str | None) -> Ran:
        done = subprocess.run(
            [COMMAND, *arguments],
            input=stdin,
            capture_output=True,
            cwd=self.folder,
            env=self.environment(**changes),
            timeout=120,
        )
        ran = Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
        for text in (ran.out, ran.err):
            assert "Traceback" not in text, text
            assert SECRET not in text
        return ran

    def ok(self, *arguments: str, stdin: bytes = b"") -> str:
        """Run a command that must succeed and have nothing to say beside its result."""
        ran = self.run(*arguments, stdin=stdin)
        assert (ran.code, ran.err) == (0, ""), ran
        return ran.out

    def json(self, *arguments: str, stdin: bytes = b"") -> Any:
        return json.loads(self.ok(*arguments, "--json", stdin=stdin))

    def ids(self, *arguments: str) -> list[str]:
        return [hit["id"] for hit in self.json("search", *arguments)["hits"]]

    def request(self, path: str, body: bytes | None = None, method: str | None = None) -> Any:
        headers = {"Content-Type": "application/json"}
        asked = urllib.request.Request(self.url + path, body, headers, method=method)  # noqa: S310
        with urllib.request.urlopen(asked, timeout=60) as response:  # noqa: S310
            return json.loads(response.read())

    def state(self) -> tuple[object, ...]:
        """What any write to the index, or another index in its place, would change."""
        settings = self.request(f"/{self.index}/_settings")[self.index]["settings"]["index"]
        indexing = self.request(f"/{self.index}/_stats/indexing")["_all"]["primaries"]["indexing"]
        return settings["uuid"], indexing["index_total"], indexing["delete_total"]

    def delete(self) -> None:
        # one by one: an engine may refuse to delete by a wildcard
        for found in self.request(f"/_cat/indices/{self.index}*?format=json&h=index"):
            self.request(f"/{found['index']}", method="DELETE")


@pytest.fixture(scope="module")
def shop(engine_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The six products, taken from file to index by the commands of the README."""
    shop = Shop(tmp_path_factory.mktemp("shop"), engine_url.rstrip("/"))
    shop.write("products.csv", PRODUCTS)
    shop.write("judgments.csv", JUDGMENTS)
    written = shop.ok("init", "products.csv", "--index", shop.index)
    assert f"Wrote kokeshi.yaml for the index '{shop.index}' (6 documents read)." in written
    assert written.rstrip().endswith("then run: kokeshi ingest products.csv")
    told = shop.ok("ingest", "products.csv")
    assert re.match(r"Indexed 6 of 6 documents in .*' now holds 6\.\n$", told), told
    yield shop
    shop.delete()


def test_search_as_a_table(shop: Shop) -> None:
    lines = shop.ok("search", "black waterproof jacket", "--size", "2").splitlines()
    assert lines[0].split()[:4] == ["#", "score", "id", "title"]
    assert lines[1].split()[2] == "p1"
    assert len(lines) == 4


def test_filters_given_twice_must_both_hold(shop: Shop) -> None:
    assert shop.ids("shoes", "--filter", "price < 70", "-f", "category = shoes") == ["p4"]
    second = shop.ids("shoes", "--size", "1", "--offset", "1")
    assert shop.ids("shoes", "--size", "2")[1:] == second


@pytest.mark.parametrize("plan", PLANS)
def test_what_explain_prints_is_what_search_sends(shop: Shop, plan: str) -> None:
    asked = ("warm black coat", "--plan", plan, "--filter", "in_stock = true")
    printed = shop.ok("search", *asked, "--explain").splitlines()
    path, *body = [line for line in printed if not line.startswith("#")]
    assert path == f"POST /{shop.index}/_search"
    hits = shop.request(f"/{shop.index}/_search", "\n".join(body).encode())["hits"]["hits"]
    found = shop.json("search", *asked)["hits"]
    assert [hit["_id"] for hit in hits] == [hit["id"] for hit in found]
    assert [hit["_score"] for hit in hits] == pytest.approx([hit["score"] for hit in found])
    assert found[0]["id"] == "p6"
    assert {hit["source"]["in_stock"] for hit in found} == {True}
    assert not any("embedding" in name for hit in found for name in hit["source"])


def test_what_explain_says_is_a_comment(shop: Shop) -> None:
    note, *_ = shop.ok("search", "coat", "--filter", "in_stock = true", "--explain").splitlines()
    assert re.fullmatch(
        r"# the filter leaves \d of \d documents: all of them are compared exactly, .*", note
    )
    assert shop.json("search", "coat", "--plan", "bm25", "--explain")["notes"] == []


def test_ranks_are_fused_from_two_requests(shop: Shop) -> None:
    explained = shop.json("search", "warm black coat", "--plan", "rrf", "--explain")
    assert [request["path"] for request in explained["requests"]] == [f"/{shop.index}/_search"] * 2
    assert explained["notes"][-1].endswith("their first 100 hits fused in the client by rank")
    words, vectors = (shop.ids("warm black coat", "--plan", plan) for plan in ("bm25", "two-stage"))
    assert shop.ids("warm black coat", "--plan", "rrf")[0] in {words[0], vectors[0]}


def test_a_plan_of_a_file(shop: Shop) -> None:
    shop.write("cheap.yaml", "shortlist: {dims: 64, k: 6}\nrescore: {}\nfilter: price < 50\n")
    assert sorted(shop.ids("jacket", "--plan", "cheap.yaml")) == ["p1", "p5"]


def test_mapping_show_prints_what_the_engine_has(shop: Shop) -> None:
    printed = json.loads(shop.ok("mapping", "show"))
    found = shop.request(f"/{shop.index}/_mapping")[shop.index]["mappings"]
    assert printed["mappings"]["_meta"] == found["_meta"]
    assert printed["mappings"]["properties"].keys() == found["properties"].keys()


def test_tune_curve(shop: Shop) -> None:
    shop.write("queries.txt", "black coat\nshoes\n")
    curve = shop.json("tune", "curve", "--size", "3", "--queries", "queries.txt")
    cells = curve["tuning"]["cells"]
    assert {cell["recall"] for cell in cells} == {1.0}  # six documents, every k is all of them
    assert {cell["dims"] for cell in cells} == {None, 64, 128}
    assert (curve["tuning"]["queries"], curve["reported"]["queries"]) == (6, 2)
    assert curve["chosen"] in cells


def test_eval_compare(shop: Shop) -> None:
    plans = ("--baseline", "bm25", "--candidate", "hybrid")
    ran = shop.run("eval", "compare", "--judgments", "judgments.csv", *plans, "--json")
    (candidate,) = json.loads(ran.out)["candidates"]
    assert ran.code == 0
    assert candidate["improvement"]["nDCG@10"]["queries"] == 2
    assert candidate["system"]["values"]["nDCG@10"] == pytest.approx(1.0)
    assert all(line.startswith("Warning: ") for line in ran.err.splitlines())


@pytest.fixture
def catalogue(shop: Shop) -> Iterator[tuple[Shop, str]]:
    """The same spec for an index of its own, and how to name that spec."""
    other = Shop(shop.folder, shop.url)
    spec = (shop.folder / "kokeshi.yaml").read_text("utf-8").replace(shop.index, other.index)
    other.write(f"{other.index}.yaml", spec)
    yield other, f"--spec={other.index}.yaml"
    other.delete()


def test_every_source_gives_the_same_index(catalogue: tuple[Shop, str]) -> None:
    shop, spec = catalogue
    header, *rows = [line.split(",") for line in PRODUCTS.splitlines()]
    documents = [dict(zip(header, row, strict=True)) for row in rows]
    lines = "".join(json.dumps(document) + "\n" for document in documents).encode()
    shop.write("zipped.jsonl.gz", gzip.compress(lines))
    shop.write("tabs.tsv", PRODUCTS.replace(",", "\t"))
    first = shop.json("ingest", "zipped.jsonl.gz", spec)
    assert (first["indexed"], first["count"], first["failed"]) == (6, 6, 0)
    expected = shop.json("search", "black coat", spec)["hits"]
    for arguments, stdin in (
        (("tabs.tsv", "--recreate"), b""),
        (("-",), lines),  # over the documents of the one before: nothing is there twice
        (("-", "--format", "csv", "--recreate"), PRODUCTS.encode()),
    ):
        report = shop.json("ingest", *arguments, spec, stdin=stdin)
        assert (report["read"], report["indexed"], report["count"]) == (6, 6, 6)
    assert shop.json("search", "black coat", spec)["hits"] == expected


def test_recreate_removes_what_the_file_lacks(catalogue: tuple[Shop, str]) -> None:
    shop, spec = catalogue
    shop.json("ingest", "products.csv", spec)
    shop.write("two.csv", "".join(PRODUCTS.splitlines(keepends=True)[:3]))
    assert shop.json("ingest", "two.csv", spec)["count"] == 6
    assert shop.json("ingest", "two.csv", spec, "--recreate")["count"] == 2


def test_duplicates_are_counted_and_the_last_stays(catalogue: tuple[Shop, str]) -> None:
    shop, spec = catalogue
    lines = [{"id": "a", "title": "old hat"}, {"id": "b", "title": "cap"}]
    lines.append({"id": "a", "title": "new hat"})
    told = shop.ok("ingest", "-", spec, stdin="\n".join(map(json.dumps, lines)).encode())
    assert "Indexed 3 of 3" in told
    assert "now holds 2." in told
    assert "1 had an id that the file repeats; the last of each stays." in told
    hits = shop.json("search", "hat", "--plan", "bm25", spec)["hits"]
    assert [hit["source"]["title"] for hit in hits] == ["new hat"]


def test_bad_lines_are_kept_with_their_reason_and_the_rest_is_indexed(
    catalogue: tuple[Shop, str],
) -> None:
    shop, spec = catalogue
    good = '{"id": "a", "title": "hat", "price": 3}\n'
    dear = '{"id": "b", "title": "cap", "price": "dear"}\n'
    shop.write("some.jsonl", good + "not JSON\n" + dear + "[1]\n" + '{"title": "no id"}\n')
    ran = shop.run("ingest", "some.jsonl", spec, "--json")
    assert ran.code == 2
    assert "some.jsonl: 4 of 5 documents were not indexed; line 2: not JSON: " in error_of(ran)
    report = json.loads(ran.out)
    assert (report["indexed"], report["failed"], report["count"]) == (1, 4, 1)
    kept = (shop.folder / report["failures_file"]).read_text("utf-8").splitlines()
    reasons = {line["line"]: line["reason"] for line in map(json.loads, kept)}
    assert sorted(reasons) == [2, 3, 4, 5]
    assert reasons[2].startswith("not JSON: ")
    assert reasons[3] == "field 'price' must be float, found 'dear'"
    assert reasons[4] == "not a JSON object but list"
    assert "field 'id' (the id) must be a text or an integer" in reasons[5]
    assert shop.ids("hat", "--plan", "bm25", spec) == ["a"]


@pytest.fixture
def compass(shop: Shop) -> Iterator[tuple[Shop, str]]:
    """Three documents that bring their own vectors."""
    other = Shop(shop.folder, shop.url)
    spec = VECTOR_SPEC.format(index=other.index, where="column: vec")
    other.write(f"{other.index}.yaml", spec)
    other.write("compass.jsonl", "".join(json.dumps(line) + "\n" for line in VECTORS))
    other.ok("ingest", "compass.jsonl", f"--spec={other.index}.yaml")
    yield other, f"--spec={other.index}.yaml"
    other.delete()


def test_a_vector_in_place_of_the_text(compass: tuple[Shop, str]) -> None:
    shop, spec = compass
    shop.write("query.json", "[0.2, 1, 0]")
    assert shop.ids("--vector", "query.json", spec) == ["v1", "v3", "v2"]
    ran = shop.run("search", "north", spec)
    assert "precomputed cannot encode the text 'north'; give the query's vector" in error_of(ran)


def test_unusable_vectors_of_a_column(compass: tuple[Shop, str]) -> None:
    shop, spec = compass
    shop.write("short.jsonl", json.dumps({"id": "v4", "title": "up", "vec": [1, 2]}))
    ran = shop.run("ingest", "short.jsonl", spec)
    problem = error_of(ran)
    assert "line 1: vector 'embedding' needs 3 numbers in column 'vec', found 2" in problem
    assert "(all in short.failures.jsonl)" in problem
    assert "now holds 3." in ran.out


def test_unusable_vectors_of_a_numpy_file(compass: tuple[Shop, str]) -> None:
    shop, _ = compass
    np.save(shop.folder / "rows.npy", np.array([[1, 0, 0], [np.nan, 1, 1]], np.float32))
    shop.write("npy.yaml", VECTOR_SPEC.format(index=shop.index, where="file: rows.npy"))
    shop.write("two.jsonl", "".join(json.dumps(line) + "\n" for line in VECTORS[:2]))
    ran = shop.run("ingest", "two.jsonl", "--spec", "npy.yaml")
    assert "line 2: vector 'embedding' has NaN or infinite components" in error_of(ran)
    assert "Indexed 1 of 2" in ran.out


def test_progress_is_drawn_on_standard_error_only(shop: Shop) -> None:
    pty = pytest.importorskip("pty")
    terminal, theirs = pty.openpty()
    command = [COMMAND, "ingest", "products.csv", "--json"]
    environment = shop.environment(TERM="xterm")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=theirs, cwd=shop.folder, env=environment
    ) as process:
        os.close(theirs)
        drawn = b""
        try:
            while part := os.read(terminal, 4096):
                drawn += part
        except OSError:  # how Linux says that nobody has the other end any more
            pass
        out, _ = process.communicate(timeout=60)
    os.close(terminal)
    assert process.returncode == 0
    assert json.loads(out)["indexed"] == 6
    assert b"Indexing" in drawn


def error_of(ran: Ran) -> str:
    """Return the message of a refusal: exit code 2 and one line, that of a filter with its caret."""
    assert ran.code == 2, ran
    first, *caret = ran.err.splitlines()
    assert first.startswith("Error: "), ran.err
    assert not caret or re.fullmatch(r"\s+\^", caret[-1]), ran.err
    assert len(caret) in (0, 2)
    return first


BAD_SEARCHES = {
    "unknown field": (
        ["-f", "prize < 5"],
        r"column 1: unknown field 'prize': did you mean 'price'\?",
    ),
    "wrong type": (
        ["-f", "price = cheap"],
        "column 1: field 'price' is a float, which cheap .*: give a",
    ),
    "syntax": (["-f", "price < 5 and and"], "column 15: expected a field name, not 'and'"),
    "missing spec": (["-s", "no.yaml"], "no.yaml: no such file; write one with: kokeshi init"),
    "unknown plan": (
        ["-p", "[b]:cat:"],
        rf"unknown plan '\[b\]:cat:'; known are: {', '.join(PLANS)}",
    ),
    "size 0": (["-n", "0"], "size 0 with offset 0: at least 1 hit, and at most 10000"),
    "size 20000": (["-n", "20000"], "size 20000 with offset 0: at least 1 hit, and at most 10000"),
    "folder as vector": (["--vector", "."], r"\.: is a directory \(--vector\)"),
    "malformed address": (["--url", "localhost"], "url 'localhost' is not one; write it like"),
    "not reachable": (
        ["--url", f"http://me:{SECRET}@127.0.0.1:9"],
        "http://127.0.0.1:9: engine not reachable .*; check the address, or start one with",
    ),
}


@pytest.fixture(scope="module")
def refused(shop: Shop) -> dict[str, Ran]:
    """What became of each bad search; they only read, so they run side by side."""
    before = shop.state()
    with ThreadPoolExecutor(4) as pool:
        given = [arguments for arguments, _ in BAD_SEARCHES.values()]
        ran = list(pool.map(lambda arguments: shop.run("search", "coat", *arguments), given))
    assert shop.state() == before
    return dict(zip(BAD_SEARCHES, ran, strict=True))


@pytest.mark.parametrize("name", BAD_SEARCHES)
def test_a_search_that_cannot_be(refused: dict[str, Ran], name: str) -> None:
    assert re.match(f"Error: {BAD_SEARCHES[name][1]}", error_of(refused[name]))


BAD_SPECS = {
    "malformed": ("index: [", "line 1, column 9: not valid YAML: "),
    "unknown key": ("index: {index}\ntitel: 1", "titel: this key is not known here; check its sp"),
    "unknown encoder": (
        "index: {index}\nvectors: {{e: {{encoder: magic, dimension: 8}}}}",
        "unknown encoder 'magic'; installed are: http, onnx-text, precomputed, "
        "sentence-transformers, wordllama",
    ),
    "no source": (
        "index: {index}\nvectors: {{e: {{encoder: wordllama, dimension: 256}}}}",
        "encoder wordllama needs a source template in the spec",
    ),
}


@pytest.mark.parametrize(("spec", "message"), BAD_SPECS.values(), ids=BAD_SPECS)
def test_a_spec_that_cannot_be(shop: Shop, spec: str, message: str) -> None:
    """Even --recreate, which would delete the index, leaves it as it was."""
    shop.write("bad.yaml", spec if spec.endswith("[") else spec.format(index=shop.index))
    before = shop.state()
    ran = shop.run("ingest", "products.csv", "--recreate", "--spec", "bad.yaml")
    assert message in error_of(ran)
    assert shop.state() == before


def test_the_index_of_another_spec(shop: Shop) -> None:
    spec = (shop.folder / "kokeshi.yaml").read_text("utf-8")
    before = shop.state()
    shop.write("other.yaml", spec.replace("[64, 128]", "[32]"))
    problem = error_of(shop.run("ingest", "products.csv", "--spec", "other.yaml"))
    assert "vectors.embedding.prefixes is [64,128] there, [32] here" in problem
    assert problem.endswith("or replace it with: kokeshi ingest FILE --recreate")
    shop.write("other.yaml", spec.replace("price: float", "price: integer"))
    problem = error_of(shop.run("ingest", "products.csv", "--spec", "other.yaml"))
    assert 'price, type is "double" there, "long" here; choose another index name' in problem
    assert shop.state() == before


BAD_FILES: dict[str, tuple[str, bytes | None, str]] = {
    "missing": ("gone.csv", None, "gone.csv: no such file or directory"),
    "empty": ("empty.csv", b"", "empty.csv: the file is empty"),
    "header only": ("header.csv", b"id,title\n", "header.csv: the file has no documents"),
    "empty gzip": ("none.jsonl.gz", gzip.compress(b""), "none.jsonl.gz: the file has no docum"),
    "damaged gzip": ("cut.jsonl.gz", gzip.compress(b"{}\n")[:-6], "cut.jsonl.gz: the gzip file"),
    "not UTF-8": ("latin.csv", "id,title\n1,Größe\n".encode("latin-1"), "latin.csv: not UTF-8: "),
    "unknown format": ("products.xlsx", b"PK", "products.xlsx: its format is not known by its na"),
}


@pytest.mark.parametrize(("name", "content", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_cannot_be(shop: Shop, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        shop.write(name, content)
    before = shop.state()
    ran = shop.run("ingest", name, "--recreate")
    assert error_of(ran).startswith(f"Error: {message}")
    assert (ran.out, shop.state()) == ("", before)


def test_failures_that_cannot_be_kept(shop: Shop) -> None:
    (shop.folder / "closed.failures.jsonl").mkdir()
    shop.write("closed.csv", PRODUCTS)
    before = shop.state()
    problem = error_of(shop.run("ingest", "closed.csv", "--recreate"))
    assert "closed.failures.jsonl: cannot be written (" in problem
    assert shop.state() == before


def test_an_index_that_is_not_there(shop: Shop) -> None:
    spec = (shop.folder / "kokeshi.yaml").read_text("utf-8")
    shop.write("gone.yaml", spec.replace(shop.index, f"{shop.index}-gone"))
    problem = error_of(shop.run("search", "coat", "--spec", "gone.yaml"))
    assert (
        f"index '{shop.index}-gone' does not exist; create it with: kokeshi ingest FILE" in problem
    )


def test_no_engine_at_all(shop: Shop) -> None:
    problem = error_of(shop.run("search", "coat", KOKESHI_URL=None))
    assert problem == (
        "Error: no engine is running: start one with `kokeshi engine start`, "
        "or name yours with --url or KOKESHI_URL"
    )
    assert not (shop.folder / "no-home").exists()


class _Locked(BaseHTTPRequestHandler):
    """An engine that lets only one user in, and that one do nothing."""

    def do_GET(self) -> None:
        known = base64.b64encode(f"boss:{SECRET}".encode()).decode()
        right = self.headers.get("Authorization") == f"Basic {known}"
        self.send_response(403 if right else 401)
        self.send_header("WWW-Authenticate", 'Basic realm="engine"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def locked() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Locked) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_credentials(shop: Shop, locked: str) -> None:
    """The user is named, the password never; UTF-8 reaches the engine as it is."""
    asked = {"KOKESHI_URL": locked, "KOKESHI_PASSWORD": SECRET}
    problem = error_of(shop.run("search", "coat", **asked, KOKESHI_USER="guest"))
    assert problem.startswith(f"Error: {locked}: wrong credentials for user 'guest'; check KOKESHI")
    problem = error_of(shop.run("ingest", "products.csv", **asked, KOKESHI_USER="boss"))
    assert problem.startswith(f"Error: {locked}: user 'boss' may not ")
    problem = error_of(shop.run("search", "coat", KOKESHI_URL=locked))
    assert "wrong credentials for a client without credentials" in problem
    problem = error_of(shop.run("search", "coat", KOKESHI_URL=locked, KOKESHI_API_KEY="aWQ6a2V5"))
    assert "wrong credentials for this API key" in problem
