"""From folded changes to bulk actions: vectors whose sources changed are made anew, the others stay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import orjson

from kokeshi.changes.folding import Step
from kokeshi.encoders import NO_ROW, CacheCounts, Encoder, Record, RecordEncoder, cache_counts
from kokeshi.encoders.cache import CachedEncoder
from kokeshi.ingest.actions import Action, Failure
from kokeshi.ingest.making import Maker
from kokeshi.schema import IndexSpec
from kokeshi.types import Base64Floats, Json

if TYPE_CHECKING:
    from kokeshi.codes.codebook import Codebook


class ChangeMaker:
    """What makes the actions of steps. base64: as of `Maker`."""

    def __init__(
        self,
        spec: IndexSpec,
        encoders: Mapping[str, Encoder],
        codebooks: Mapping[str, Codebook],
        *,
        base64: Base64Floats | None,
    ) -> None:
        self._spec = spec
        self._encoders = encoders
        self._codebooks = codebooks
        self._base64 = base64
        self._makers: dict[frozenset[str], Maker] = {}
        self._texts = 0
        self._without_cache = {
            name
            for name, encoder in encoders.items()
            if not isinstance(encoder, RecordEncoder | CachedEncoder)
        }

    def count_texts(self) -> CacheCounts:
        """Return of how many texts a vector was wanted so far, and how many were encoded."""
        cached = cache_counts(self._encoders)
        return CacheCounts(cached.asked + self._texts, cached.encoded + self._texts)

    def make(self, steps: Iterable[Step]) -> tuple[list[Action], list[Failure]]:
        """Return the actions of steps, and why the others cannot be sent; of another order than the steps."""
        alike: dict[frozenset[str], list[Step]] = {}
        actions, failures = [], []
        for step in steps:
            if step.op == "index":
                alike.setdefault(step.remade, []).append(step)
            elif step.op:
                actions.append(_without_vectors(step))
        for remade, some in alike.items():
            made, failed = self._make(remade, some)
            actions += made
            failures += failed
        return actions, failures

    def _make(
        self, remade: frozenset[str], steps: Sequence[Step]
    ) -> tuple[list[Action], list[Failure]]:
        maker = self._maker(remade)
        documents, failures = maker.check(_whole(step, self._spec.id) for step in steps)
        encoded = maker.encode(documents)
        columns = [rows for name, rows, _ in encoded.columns if name in self._without_cache]
        self._texts += sum(map(len, columns))
        actions, unsent = maker.serialise(encoded, 0)
        conditions = {step.id: step.condition for step in steps}
        return [_under(one, conditions[one.id]) for one in actions], failures + unsent

    def _maker(self, remade: frozenset[str]) -> Maker:
        """Return what makes just these vectors, and leaves the others as a document has them."""
        if remade not in self._makers:
            vectors = {name: v for name, v in self._spec.vectors.items() if name in remade}
            spec = self._spec.model_copy(update={"vectors": vectors})
            encoders = {name: self._encoders[name] for name in vectors}
            self._makers[remade] = Maker(spec, encoders, self._codebooks, base64=self._base64)
        return self._makers[remade]


def _whole(step: Step, id_field: str) -> Record:
    """Return the document that a step comes to. Its id stays what it was, of an integer too."""
    last = step.changes[-1].record
    value = step.fields.get(id_field)
    kept = isinstance(value, str | int) and str(value) == step.id and not isinstance(value, bool)
    return Record(NO_ROW, last.line, step.fields | {id_field: value if kept else step.id})


def _without_vectors(step: Step) -> Action:
    head: Json = {step.op or "": {"_id": step.id} | step.condition}
    body = orjson.dumps(head, option=orjson.OPT_APPEND_NEWLINE)
    if step.op == "update":
        body += orjson.dumps({"doc": step.fields}, option=orjson.OPT_APPEND_NEWLINE)
    return Action(step.id, step.changes[-1].record, body)


def _under(action: Action, condition: Json) -> Action:
    """Return an action that is taken under a condition."""
    if not condition:
        return action
    _, _, document = action.body.partition(b"\n")
    head = orjson.dumps({"index": {"_id": action.id} | condition})
    return Action(action.id, action.record, head + b"\n" + document)
