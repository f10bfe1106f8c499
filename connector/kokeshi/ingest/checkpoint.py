"""Where an interrupted ingest goes on: a small file of what the engine has acknowledged."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from pydantic import ValidationError

from kokeshi.encoders import Encoder
from kokeshi.errors import InputError
from kokeshi.files import write_whole
from kokeshi.ingest.actions import Position
from kokeshi.ingest.failures import base_name
from kokeshi.ingest.ledger import Ledger, Tally
from kokeshi.ingest.shards import WHOLE, Shard
from kokeshi.schema import IndexSpec
from kokeshi.schema.base import Model

if TYPE_CHECKING:
    from kokeshi.codes.codebook import Codebook

SUFFIX: Final = ".checkpoint.json"
EVERY_S: Final = 1.0
"""Between two writes: what an interruption costs at most, beside what was under way."""

SAMPLES: Final = 16
SAMPLE_BYTES: Final = 65_536


class Fingerprint(Model):
    """A file as it was. sha256: of samples spread over it, its head and its tail among them."""

    path: str
    size: int
    mtime_ns: int
    sha256: str


class Checkpoint(Model):
    """How far an ingest came. spec: the digest of all that decides what is sent, but the source.

    index: the engine's ids of the indices it went to, by name. recreated: it began with an empty index.
    """

    source: Fingerprint
    spec: str
    index: dict[str, str]
    recreated: bool
    position: dict[str, int]
    tally: dict[str, int]

    def ledger(self) -> Ledger:
        """Return the ledger to go on with."""
        return Ledger(Tally(**self.tally), Position(**self.position))


def checkpoint_path(source: str, shard: Shard = WHOLE) -> Path:
    """Return where the checkpoint of a source is: in the working directory, by its name and shard.

    >>> checkpoint_path("data/products.jsonl.gz", Shard(2, 8)).name
    'products.2-of-8.checkpoint.json'
    """
    return Path(base_name(source) + shard.suffix + SUFFIX)


def take_fingerprint(path: str | Path) -> Fingerprint | None:
    """Return what a file is now; None where it is no regular file, such as standard input."""
    file = Path(path)
    if str(path) == "-" or not file.is_file():
        return None
    state = file.stat()
    found = hashlib.sha256()
    with file.open("rb") as content:
        for number in range(SAMPLES):
            content.seek(max(0, state.st_size - SAMPLE_BYTES) * number // (SAMPLES - 1))
            found.update(content.read(SAMPLE_BYTES))
    return Fingerprint(
        path=str(file.resolve()),
        size=state.st_size,
        mtime_ns=state.st_mtime_ns,
        sha256=found.hexdigest(),
    )


def digest_spec(
    spec: IndexSpec, encoders: Mapping[str, Encoder], codebooks: Mapping[str, Codebook]
) -> str:
    """Return the SHA-256 of the spec, its models and codebooks, and the files that vectors come from."""
    files = [vector.encoder.model_dump().get("file") for vector in spec.vectors.values()]
    found = [take_fingerprint(file) for file in files if isinstance(file, str)]
    parts: Any = [
        spec.model_dump(mode="json", exclude={"engine", "plans"}),
        {name: encoder.name for name, encoder in encoders.items()},
        {name: codebook.digest for name, codebook in codebooks.items()},
        [one.model_dump() for one in found if one],
    ]
    text = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS, default=str)
    return hashlib.sha256(text).hexdigest()


def load_checkpoint(path: Path) -> Checkpoint | None:
    """Return what an interrupted ingest left; None where there is nothing, or nothing readable."""
    try:
        return Checkpoint.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def find_change(
    old: Checkpoint, source: Fingerprint, spec: str, index: Mapping[str, str], *, recreate: bool
) -> str | None:
    """Return why an ingest cannot go on where it was interrupted; None where it can.

    Raises InputError where what was interrupted is the ingest of another file of that name.
    """
    if old.source.path != source.path:
        raise InputError(
            f"an ingest of another file of that name, {old.source.path}, was interrupted in this folder; "
            "complete it, or run in another folder, or with --no-resume, which forgets it"
        )
    if old.source != source:
        return "the file has changed since"
    if old.spec != spec:
        return "the spec, a model, a codebook or a file of vectors has changed since"
    if not index or old.index != index:
        return "the index was made anew since"
    if recreate and not old.recreated:
        return "the interrupted one was without --recreate"
    return None


class CheckpointFile:
    """Writes the checkpoint of one ingest, now and then; atomically, so that a kill leaves the last one.

    before: called before each write, to make safe what the position stands for. Raises InputError where
    it cannot be written.
    """

    def __init__(
        self,
        path: Path,
        source: Fingerprint,
        spec: str,
        *,
        recreated: bool,
        before: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._source = source
        self._spec = spec
        self._recreated = recreated
        self._before = before
        self._index: dict[str, str] = {}
        self._clock = clock
        self._written = clock()

    def begin(self, index: Mapping[str, str]) -> None:
        """The index is there. index: the engine's ids; without any, nothing is written."""
        self._index = dict(index)

    def update(self, ledger: Ledger) -> None:
        """Write how far the ingest is, unless that was done a moment ago."""
        now = self._clock()
        if 0 <= now - self._written < EVERY_S or not self._index or ledger.position is None:
            return
        self._written = now
        self._before()
        place, counts = ledger.position, ledger.settled
        self._write(
            Checkpoint(
                source=self._source,
                spec=self._spec,
                index=self._index,
                recreated=self._recreated,
                position={"row": place.row, "line": place.line, "offset": place.offset},
                tally=vars(counts),
            )
        )

    def _write(self, checkpoint: Checkpoint) -> None:
        content = checkpoint.model_dump_json().encode()
        try:  # not durable: what a power cut leaves unreadable begins anew, and a disk can take long
            write_whole(self._path, content, durable=False)
        except OSError as error:
            raise InputError(
                f"{self._path}: cannot be written ({(error.strerror or 'no reason given').lower()}), but an "
                "interrupted ingest goes on from there; run in another folder, or with --no-resume"
            ) from None
