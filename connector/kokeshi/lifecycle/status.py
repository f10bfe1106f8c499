"""What there is of an index: what its name stands for, its versions, codebooks and counts."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from kokeshi.codes.codebook import load_codebook
from kokeshi.engines import Engine, Flow, calls
from kokeshi.ingest.checkpoint import SUFFIX, load_checkpoint
from kokeshi.kafka.consumer import find_lag
from kokeshi.kafka.topics import TopicSettings
from kokeshi.lifecycle import requests
from kokeshi.mapping import META
from kokeshi.schema import IndexSpec
from kokeshi.types import Json
from kokeshi.versions import find_mark, parse_versions


@dataclass(frozen=True)
class VersionStatus:
    """One concrete index. documents: on its primary shards; bytes: with its replicas. state: of its mark."""

    name: str
    served: bool
    state: str | None
    documents: int | None
    bytes: int | None
    created: str | None
    source: str | None
    replaces: str | None


@dataclass(frozen=True)
class VectorStatus:
    """How the vectors of the index that is served were made. codebook: the digest of its codes' codebook.

    here: the digest of the spec's file, None without one.
    """

    name: str
    encoder: str
    dimension: int
    codebook: str | None
    here: str | None


@dataclass(frozen=True)
class LagStatus:
    """How far a consumer group is behind in a topic. messages: that wait; partitions: partition -> of these.

    applied: seconds since the latest message that was applied was written; None where that is not known.
    """

    topic: str
    group: str
    messages: int
    partitions: Mapping[str, int]
    applied: float | None


@dataclass(frozen=True)
class InterruptedStatus:
    """Where an interrupted ingest of a file stands. settled: documents; share: of the file, if known."""

    source: str
    settled: int
    share: float | None


@dataclass(frozen=True)
class IndexStatus:
    """What a spec's name stands for. kind: an alias, an index itself, or nothing yet.

    interrupted: ingests of files into it, by their checkpoints in the working directory.
    """

    engine: str
    index: str
    kind: str
    documents: int | None
    vectors: tuple[VectorStatus, ...]
    versions: tuple[VersionStatus, ...]
    interrupted: tuple[InterruptedStatus, ...] = ()
    lag: LagStatus | None = None

    def to_json(self) -> Json:
        """Return what `--json` prints."""
        return asdict(self)


def find_status(
    engine: Engine,
    spec: IndexSpec,
    *,
    topic: TopicSettings | None = None,
    folder: Path | None = None,
) -> IndexStatus:
    """Return what there is of the index of a spec; loads no encoder.

    topic: that is followed into it, to ask a Kafka broker for its lag. folder: of checkpoints.
    """
    return replace(
        engine.run(_find(str(engine.capabilities), spec)),
        interrupted=tuple(_find_interrupted(folder, spec)) if folder else (),
        lag=_find_lag(topic) if topic else None,
    )


def _find_lag(settings: TopicSettings) -> LagStatus:
    found = find_lag(settings)
    applied = None if found.timestamp is None else max(0.0, time.time() - found.timestamp / 1000)
    partitions = {str(partition): messages for partition, messages in found.partitions.items()}
    return LagStatus(found.topic, found.group, found.messages, partitions, applied)


def _goes_to(name: str, indices: Iterable[str]) -> bool:
    return name in indices or bool(parse_versions(name, {one: {} for one in indices}))


def _find_interrupted(folder: Path, spec: IndexSpec) -> Iterator[InterruptedStatus]:
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        found = load_checkpoint(path)
        if found and _goes_to(spec.index, found.index):
            source, offset = found.source, found.position["offset"]
            packed = source.path.endswith(".gz")  # the offset is that of what is in it
            known = offset and source.size and not packed
            share = min(1.0, offset / source.size) if known else None
            yield InterruptedStatus(source.path, found.tally["read"], share)


def _find(engine: str, spec: IndexSpec) -> Flow[IndexStatus]:
    name = spec.index
    served: dict[str, Json] = (yield calls.get_mapping(name)) or {}
    mappings: dict[str, Json] = (yield calls.get_mapping(f"{name}-v*")) or {}
    known = {version.name for version in parse_versions(name, mappings)}
    shown = {n: m for n, m in {**mappings, **served}.items() if n in known or n in served}
    stats: dict[str, Json] = (yield requests.index_stats(",".join(sorted(shown)))) if shown else {}
    count: int | None = (yield calls.count(name)) if served else None
    return IndexStatus(
        engine=engine,
        index=name,
        kind="nothing" if not served else "index" if name in served else "alias",
        documents=count,
        vectors=_vectors(spec, next(iter(served.values()), {})),
        versions=tuple(
            _version(one, shown[one], stats.get(one, {}), served=one in served)
            for one in sorted(shown)
        ),
    )


def _version(name: str, mapping: Json, stats: Json, *, served: bool) -> VersionStatus:
    mark = find_mark(mapping.get("_meta", {}))
    return VersionStatus(
        name=name,
        served=served,
        state=mark.state if mark else None,
        documents=stats.get("primaries", {}).get("docs", {}).get("count"),
        bytes=stats.get("total", {}).get("store", {}).get("size_in_bytes"),
        created=mark.created if mark else None,
        source=mark.source if mark else None,
        replaces=mark.replaces if mark else None,
    )


def _vectors(spec: IndexSpec, mapping: Json) -> tuple[VectorStatus, ...]:
    made = mapping.get("_meta", {}).get(META, {}).get("vectors", {})
    return tuple(
        VectorStatus(
            name, found["encoder"], found["dimension"], found.get("codebook"), _here(spec, name)
        )
        for name, found in made.items()
    )


def _here(spec: IndexSpec, name: str) -> str | None:
    vector = spec.vectors.get(name)
    path = Path(spec.codebook_path(name)) if vector and vector.codes else None
    return load_codebook(path).digest if path and path.exists() else None
