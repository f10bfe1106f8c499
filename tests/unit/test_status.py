"""Where interrupted ingests stand, by their checkpoints; what else a status has is tested on real engines."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from kokeshi import MemoryEngine
from kokeshi.lifecycle import find_status
from kokeshi.lifecycle.status import InterruptedStatus
from kokeshi.schema import parse_spec

SPEC = parse_spec("""
index: shop
text: [title]
vectors:
  v: {encoder: {name: precomputed, column: vec}, dimension: 2}
""")


def leave(folder: Path, name: str, index: str, offset: int) -> None:
    source = {"path": f"/data/{name}", "size": 1_000, "mtime_ns": 1, "sha256": ""}
    position = {"row": 90, "line": 91, "offset": offset}  # of which another shard had fifty
    checkpoint = {"source": source, "spec": "", "index": {index: "uuid"}, "recreated": False}
    content = checkpoint | {"position": position, "tally": {"read": 40}}
    (folder / f"{name}.checkpoint.json").write_bytes(orjson.dumps(content))


@pytest.mark.parametrize(
    ("name", "index", "offset", "share"),
    [
        ("a.jsonl", "shop", 250, 0.25),
        ("a.jsonl", "shop-v000002", 500, 0.5),
        ("a.jsonl.gz", "shop", 250, None),  # of what is unpacked
        ("a.csv", "shop", 0, None),
    ],
)
def test_an_interrupted_ingest_is_shown(tmp_path, name, index, offset, share):
    leave(tmp_path, name, index, offset)
    found = find_status(MemoryEngine(), SPEC, folder=tmp_path)
    assert found.interrupted == (InterruptedStatus(f"/data/{name}", 40, share),)
    assert found.to_json()["interrupted"][0]["share"] == share


def test_those_of_other_indices_and_unreadable_ones_are_not(tmp_path):
    leave(tmp_path, "a.jsonl", "shoplifters", 250)
    (tmp_path / "b.checkpoint.json").write_text("{")
    assert find_status(MemoryEngine(), SPEC, folder=tmp_path).interrupted == ()
