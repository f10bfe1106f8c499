"""Versions of an index behind an alias: built, checked, swapped in, rolled back, kept as snapshots."""

from kokeshi.lifecycle.checks import Check
from kokeshi.lifecycle.reindex import ReindexOptions, ReindexReport, adopt, reindex
from kokeshi.lifecycle.rollback import RollbackReport, rollback
from kokeshi.lifecycle.snapshots import Snapshot, Snapshots
from kokeshi.lifecycle.status import IndexStatus, VectorStatus, VersionStatus, find_status

__all__ = [
    "Check",
    "IndexStatus",
    "ReindexOptions",
    "ReindexReport",
    "RollbackReport",
    "Snapshot",
    "Snapshots",
    "VectorStatus",
    "VersionStatus",
    "adopt",
    "find_status",
    "reindex",
    "rollback",
]
