"""What does the embedding cache cost the first time, and save the second?

Titles and descriptions of icecat, in batches of 512 as an ingest encodes them: without a cache, with an empty
one, and with the full one. Processor time of this process, so that what else the machine does hardly matters.

Rows go to benchmarks/results/cache.jsonl; docs/cache.md shows them.

    python -m benchmarks.cache [--onnx FOLDER] [--texts 1000]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from benchmarks.rows import describe_machine, today
from kokeshi.encoders import Encoder, Record, load_encoder
from kokeshi.encoders.cache import CachedEncoder
from kokeshi.encoders.cache_file import CacheFile
from kokeshi.ingest import Source
from kokeshi.schema import VectorSpec
from kokeshi.types import Json

RESULTS = Path(__file__).parent / "results" / "cache.jsonl"
BATCH = 512


def read_texts(data: Path) -> list[str]:
    """Return what the demo's spec embeds of each product."""
    found = Source(data / "icecat" / "products.jsonl.gz")
    records = [one.fields for one in found if isinstance(one, Record)]
    return [f"{one.get('title')}. {one.get('description', '')}" for one in records]


def measure(encoder: Encoder, texts: Sequence[str]) -> float:
    """Return texts for each second of the processor."""
    started = time.process_time()
    for start in range(0, len(texts), BATCH):
        encoder.encode(texts[start : start + BATCH])
    return len(texts) / (time.process_time() - started)


def run(name: str, texts: Sequence[str], folder: Path, **vector: Any) -> Json:
    """Return the rates of one encoder without, with an empty and with a full cache."""
    encoder = load_encoder(VectorSpec(source="{title}", cache=False, **vector))
    encoder.encode(texts[:BATCH])  # warms up
    path = folder / f"{name}.sqlite"
    cached = CachedEncoder(encoder, CacheFile(path, 10**10))
    rates = {
        "without": measure(encoder, texts),
        "first": measure(cached, texts),
        "again": measure(cached, texts),
    }
    cached.close()
    return {
        "encoder": name,
        "texts": len(texts),
        "dimension": encoder.dim,
        **{f"{key}_per_cpu_s": round(rate) for key, rate in rates.items()},
        "bytes_per_text": round(path.stat().st_size / len(set(texts))),
        "machine": describe_machine(),
        "date": today(),
    }


def rows(options: argparse.Namespace, folder: Path) -> Iterator[Json]:
    """Yield a row for each encoder that is there."""
    texts = read_texts(options.shared_data)
    yield run("wordllama", texts, folder, encoder="wordllama", dimension=256)
    if options.onnx:
        onnx = {"name": "onnx-text", "folder": str(options.onnx)}
        some = texts[: options.texts]
        yield run("onnx-text", some, folder, encoder=onnx, dimension=options.dimension)


def main() -> None:
    """Run the benchmark."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--onnx", type=Path, help="folder of all-MiniLM-L6-v2, or another")
    parser.add_argument("--dimension", type=int, default=384, help="of the model in --onnx")
    parser.add_argument("--texts", type=int, default=1000, help="that the model in --onnx encodes")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument(
        "--shared-data", type=Path, default=Path(os.environ.get("KOKESHI_DATA", beside))
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = [*rows(options, Path(folder))]
    options.output.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in found))
    for row in found:
        print(row)


if __name__ == "__main__":
    main()
