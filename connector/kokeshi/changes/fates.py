"""What became of changes, by the answers of the engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kokeshi.changes.folding import Fate, Step
from kokeshi.changes.model import Change, ChangeReport
from kokeshi.ingest.actions import Failure, Outcome
from kokeshi.ingest.failures import FailureLog
from kokeshi.metrics import Fate as Counted
from kokeshi.metrics import IngestMetrics

Group = Sequence[Change]
"""Changes of one id, in their order."""

ABSENT: Final = "there is no such document to update; index it first, then retry"

CONFLICT: Final = 409
MISSING: Final = 404

_COUNTED: Final[tuple[Counted, ...]] = (
    "indexed",
    "updated",
    "deleted",
    "stale",
    "missing",
    "failed",
)


class Books:
    """What became of the changes of one batch."""

    def __init__(self, failures: FailureLog) -> None:
        self._failures = failures
        self._fates: Counter[str] = Counter()

    def fail(self, failure: Failure) -> None:
        """A change is a dead letter."""
        self._failures.write(failure)
        self._fates["failed"] += 1

    def settle(self, step: Step, fates: Sequence[Fate]) -> None:
        """The changes of a step have their fates."""
        for change, fate in zip(step.changes, fates, strict=True):
            if fate == "absent":
                self.fail(change.fail(ABSENT))
                continue
            self._fates[fate] += 1
            if change.version is None:  # of others the version says whether they are outdated
                self._failures.replace([(change.id, change.record.line)])

    def report(self, read: int) -> ChangeReport:
        """Return the counts."""
        counts: dict[str, Any] = dict(self._fates)
        return ChangeReport(read=read, **counts)

    def count(self, metrics: IngestMetrics, read: int) -> None:
        """Tell the counts to metrics."""
        metrics.count_documents("read", read)
        for fate in _COUNTED:
            metrics.count_documents(fate, self._fates[fate])


@dataclass(frozen=True)
class Taken:
    """refused: groups of several changes that the engine did not take. again: to be read and sent again."""

    refused: list[Group] = field(default_factory=list)
    again: list[Group] = field(default_factory=list)

    def note(self, step: Step, outcome: Outcome, books: Books) -> None:
        """Note the answer to a step."""
        if outcome.reason is None:
            books.settle(step, _found(step) if outcome.status == MISSING else step.fates)
        elif outcome.status == CONFLICT and "version" in step.condition:
            stale: Fate = "stale"
            books.settle(step, ["absent" if fate == "absent" else stale for fate in step.fates])
        elif outcome.status == CONFLICT:
            self.again.append(step.changes)
        elif outcome.status == MISSING and "document_missing" in outcome.reason:
            books.settle(step, ["absent"] * len(step.fates))
        else:
            self.refuse(step, outcome.reason, books)

    def refuse(self, step: Step, reason: str, books: Books) -> None:
        """A step cannot be taken: one change has failed, of several it is not known which."""
        if len(step.changes) > 1:
            self.refused.append(step.changes)
        else:
            books.fail(step.changes[0].fail(reason))


def _found(step: Step) -> list[Fate]:
    """Return the fates of a step whose delete found nothing."""
    return ["missing" if fate == "deleted" else fate for fate in step.fates]
