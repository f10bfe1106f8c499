"""The engine's own configuration: pure builders, and one writer."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import yaml

from kokeshi.embedded.folders import Account, make_folder
from kokeshi.embedded.kinds import Run, find_kind
from kokeshi.embedded.layout import Layout
from kokeshi.embedded.network import HOST
from kokeshi.embedded.recipe import Recipe
from kokeshi.errors import EmbeddedError

CLUSTER_NAME = "kokeshi-embedded"
_HEAP = re.compile(r"[1-9]\d*[kmgKMG]?")

# The size is bounded: an engine that runs for months must not fill a laptop.
_LOG4J = """status = error
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {log}
appender.file.filePattern = {log}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = [%d{{ISO8601}}][%-5p][%c{{1.}}] %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 2
rootLogger.level = info
rootLogger.appenderRef.file.ref = file
"""


def check_heap(heap: str) -> str:
    """Return the heap size when it is a JVM size such as "512m" or "1g".

    Raises:
        EmbeddedError: it is none.
    """
    if not _HEAP.fullmatch(heap):
        raise EmbeddedError(f"Heap size {heap!r} is not one: write it like 512m or 1g")
    return heap


def build_settings(layout: Layout, node: str, port: int) -> dict[str, object]:
    """Return the settings that every engine is started with."""
    watermark = "cluster.routing.allocation.disk.watermark"
    return {
        "cluster.name": CLUSTER_NAME,
        "node.name": node,
        "discovery.type": "single-node",
        "network.host": HOST,
        "http.port": port,
        # Nobody talks to it: the engine takes the first free one.
        "transport.port": "9300-9499",
        "path.data": str(layout.data),
        "path.logs": str(layout.logs),
        "path.repo": [str(layout.snapshots)],
        # The default of 95% used would turn a laptop's engine read-only with many GB free. Not
        # off either: a full disk must be an answer (429 flood stage), not a corrupted index.
        f"{watermark}.low": "1gb",
        f"{watermark}.high": "500mb",
        f"{watermark}.flood_stage": "250mb",
    }


def default_settings(recipe: Recipe) -> dict[str, object]:
    """Return the settings that a caller may replace."""
    return {**find_kind(recipe.engine).defaults, **recipe.spec.get("settings", {})}


def build_environment(run: Run) -> dict[str, str]:
    """Return a small environment: JAVA_TOOL_OPTIONS and its like must not reach the JVM."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(run.scratch),
        "TMPDIR": str(run.scratch),
        **find_kind(run.recipe.engine).build_environment(run),
    }


def prepare(layout: Layout, account: Account) -> Path:
    """Create the folders, forget the last run's logs; return this run's temporary folder."""
    make_folder(layout.root)
    shutil.rmtree(layout.config, ignore_errors=True)  # no run inherits another's secrets
    for folder in (layout.data, layout.snapshots, layout.logs, layout.config):
        make_folder(folder, account)
        _own(folder, account)
    shutil.rmtree(layout.temporary, ignore_errors=True)  # of runs that were killed
    make_folder(layout.temporary)
    scratch = Path(tempfile.mkdtemp(dir=layout.temporary))
    make_folder(scratch, account)
    for log in (layout.console, layout.engine_log):
        if log.exists():
            log.replace(f"{log}.previous")
    return scratch


def _own(folder: Path, account: Account) -> None:
    """Hand the contents to the account: another user may have run the engine here before."""
    if not account.drop:
        return
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(root, name), account.uid, account.gid, follow_symlinks=False)


def write_config(
    run: Run, settings: Mapping[str, object], files: Mapping[str, bytes], account: Account
) -> None:
    """Write what the engine reads, for its own user's eyes only."""
    kind = find_kind(run.recipe.engine)
    texts = {
        kind.settings_file: yaml.safe_dump(dict(settings), sort_keys=False),
        "log4j2.properties": _LOG4J.format(log=run.layout.engine_log),
        **kind.build_files(run),
    }
    for name, content in {**{n: t.encode() for n, t in texts.items()}, **files}.items():
        path = run.layout.config / name
        path.touch(0o600)
        path.write_bytes(content)
        if account.drop:
            os.chown(path, account.uid, account.gid)
