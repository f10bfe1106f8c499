"""Build a new version of an index, check it, and let the alias stand for it: all at once, or not at all.

Whatever happens, and whenever, the alias stands for a whole index: a version is built under its own name,
and the swap is one request, which the engine does wholly or not at all. A run that is killed leaves a
version marked `building`, which the next one deletes, or a whole one, which the next one prunes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypedDict

from kokeshi.changes.model import ChangeReport
from kokeshi.changes.session import check_changes
from kokeshi.engines import Engine
from kokeshi.errors import EngineError, InputError
from kokeshi.index import Index
from kokeshi.ingest import IngestProgress, IngestReport, Pacing, Source
from kokeshi.ingest.failures import failures_path
from kokeshi.lifecycle import flows
from kokeshi.lifecycle.checks import (
    Check,
    Gate,
    check_count,
    check_differences,
    check_recall,
    check_source,
    check_vectors,
    count_vectors,
)
from kokeshi.lifecycle.opening import NextVersion, open_next
from kokeshi.lifecycle.owners import building
from kokeshi.metrics import IngestMetrics
from kokeshi.types import Json
from kokeshi.versions import Family, Mark

OnProgress = Callable[[IngestProgress], None]


@dataclass(frozen=True)
class ReindexOptions:
    """How a version is built and judged.

    keep: how many versions that were served before stay for a rollback. tolerance: the share of
    documents that may fail, and that the new version may hold fewer than the old. sample: how many
    documents' vectors measure recall, 0 for none. min_recall: of the default plan against exact.
    keep_failed: leave a version that a check refuses, to be looked at; the next run deletes it.
    take_over: delete an unfinished version of a process on another machine.
    """

    keep: int = 1
    tolerance: float = 0.01
    sample: int = 50
    min_recall: float = 0.95
    keep_failed: bool = False
    take_over: bool = False

    def __post_init__(self) -> None:
        for name, low, high in (
            ("keep", 0, 1_000),
            ("tolerance", 0, 1),
            ("sample", 0, 10_000),
            ("min_recall", 0, 1),
        ):
            if not low <= getattr(self, name) <= high:
                raise InputError(f"{name} {getattr(self, name)}: {low} to {high} is expected")


@dataclass(frozen=True)
class ReindexReport:
    """What became of a rebuild.

    version: the concrete index that was built. replaced: the one that was served before, None for the
    first. served: whether the alias stands for the new one. kept: whether `version` is there. ingest: of
    the source. differences: of each file of changes. cleared: of runs before. pruned: of old versions.
    """

    index: str
    version: str
    replaced: str | None
    served: bool
    kept: bool
    checks: tuple[Check, ...]
    ingest: IngestReport
    differences: tuple[ChangeReport, ...]
    cleared: tuple[str, ...]
    pruned: tuple[str, ...]
    seconds: float

    @property
    def refused(self) -> Check | None:
        """The check that kept the new version from being served."""
        return next((check for check in self.checks if not check.passed), None)

    def to_json(self) -> Json:
        """Return what `--json` prints."""
        return asdict(self)


def adopt(index: Index, *, take_over: bool = False) -> str:
    """Make the index of the spec the first version behind an alias of its name; see `adopt_index`."""
    return index.engine.run(flows.adopt_index(index.spec.index, take_over=take_over))


def reindex(
    index: Index,
    source: Source | str | Path,
    *,
    then: Sequence[Source | str | Path] = (),
    gate: Gate | None = None,
    options: ReindexOptions | None = None,
    pacing: Pacing | None = None,
    on_progress: OnProgress = lambda _: None,
    metrics: IngestMetrics | None = None,
) -> ReindexReport:
    """Build the index anew from a source by the spec of `index`, whose name is the alias, and serve it.

    then: files of changes, applied in turn after the source was checked; see `Index.apply`. gate:
    compares what is served with the new version, opened by the same spec; asked last. pacing, metrics: of
    `Index.ingest` and `Index.apply`. The old version goes on being served until the swap; where a check
    does not pass, or anything is raised, it stays.

    Raises what `Index.ingest` raises; SpecError where the name is an index itself, or another run
    builds a version; InputError where two sources would keep what fails in one file.
    """
    started = time.monotonic()
    options = options or ReindexOptions()
    source, *differences = [
        one if isinstance(one, Source) else Source(one) for one in (source, *then)
    ]
    for changes in differences:
        check_changes(changes)
    _check_apart((source, *differences))
    family = index.engine.run(flows.find_family(index.spec.index))
    _check_gate(gate, family)
    sending = _Sending(pacing=pacing, on_progress=on_progress, metrics=metrics)
    with open_next(index, family) as version, building(version.index.spec.index):
        _check_gate(gate, version.family)
        return _Rebuild(version, source, differences, gate, options, sending, started).run()


def _check_gate(gate: Gate | None, family: Family) -> None:
    if gate and family.live is None:
        raise InputError("gate: nothing is served yet that it could compare; leave it out")


def _check_apart(sources: Sequence[Source]) -> None:
    """Raise InputError where what fails of two sources would go to one file: each begins it anew."""
    seen: dict[Path, str] = {}
    for source in sources:
        path = failures_path(source.path)
        if path in seen:
            raise InputError(
                f"{seen[path]} and {source.path}: what fails of both would be kept in {path}, where the one "
                "replaces the other's; rename one"
            )
        seen[path] = source.path


class _Sending(TypedDict):
    """How documents are sent, and who is told of it; as `Index.ingest` and `Index.apply` take it."""

    pacing: Pacing | None
    on_progress: OnProgress
    metrics: IngestMetrics | None


@dataclass
class _Rebuild:
    """One rebuild under way. started: on the monotonic clock, before its encoders were loaded."""

    next: NextVersion
    source: Source
    then: Sequence[Source]
    gate: Gate | None
    options: ReindexOptions
    sending: _Sending
    started: float
    differences: list[ChangeReport] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    def run(self) -> ReindexReport:
        cleared = self._begin()
        try:
            ingest = self._version.ingest(self.source, resume=False, **self.sending)
            passed = all(map(self._record, self._checks(ingest)))
            if not passed:
                self._refuse()
        except BaseException:
            self._abandon()
            raise
        pruned = self._serve() if passed else []
        return ReindexReport(
            index=self._family.alias,
            version=self._name,
            replaced=self._family.live,
            served=passed,
            kept=passed or self.options.keep_failed,
            checks=tuple(self.checks),
            ingest=ingest,
            differences=tuple(self.differences),
            cleared=tuple(cleared),
            pruned=tuple(pruned),
            seconds=time.monotonic() - self.started,
        )

    @property
    def _version(self) -> Index:
        return self.next.index

    @property
    def _family(self) -> Family:
        """The alias and its versions as the run found them."""
        return self.next.family

    @property
    def _name(self) -> str:
        return self._version.spec.index

    @property
    def _engine(self) -> Engine:
        return self._version.engine

    def _begin(self) -> list[str]:
        """Delete what runs before left behind, and create the version; a mistake changes nothing."""
        take_over = self.options.take_over
        cleared = self._engine.run(flows.clear_unfinished(self._family, take_over=take_over))
        mark = Mark.new(self.source.path, self._family.live)
        self._engine.run(flows.begin(self._name, self.next.body, mark))
        return cleared

    def _checks(self, ingest: IngestReport) -> Iterator[Check]:
        """Apply the differences, and yield each check when it can be made."""
        tolerance, live = self.options.tolerance, self._family.live
        yield check_source(self._version.count(), ingest, tolerance)
        for changes in self.then:
            self.differences.append(self._version.apply(changes, **self.sending))
            yield check_differences(changes.path, self.differences[-1], tolerance)
        if live:
            deleted = sum(report.deleted for report in self.differences)
            served = self._engine.count(live)
            yield check_count(self._version.count(), served, tolerance, deleted=deleted)
        yield from self._check_vectors(tolerance, live)
        recall = check_recall(self._version, self.options.sample, self.options.min_recall)
        if recall:
            yield recall
        if self.gate and live:
            yield self.gate(live, self._version)

    def _check_vectors(self, tolerance: float, live: str | None) -> Iterator[Check]:
        names = self._version.spec.vectors
        if names:
            new = count_vectors(self._engine, self._name, names)
            old = count_vectors(self._engine, live, names) if live else None
            yield check_vectors(new, old, tolerance)

    def _record(self, check: Check) -> bool:
        self.checks.append(check)
        return check.passed

    def _refuse(self) -> None:
        if self.options.keep_failed:
            self._engine.run(flows.set_state(self._name, "failed"))
        else:
            self._engine.delete_index(self._name)

    def _abandon(self) -> None:
        with suppress(EngineError):  # the next run deletes it then
            self._engine.delete_index(self._name)

    def _serve(self) -> list[str]:
        """Swap and prune; from here on a version is never deleted by who built it: it may be served."""
        self._engine.run(flows.set_state(self._name, "complete"))
        self._engine.run(flows.swap(self._family, self._name))
        try:
            return self._engine.run(flows.prune(self._family.alias, self.options.keep))
        except EngineError as error:
            raise EngineError(
                f"'{self._name}' is served now, but older versions were not deleted: {error}"
            ) from error
