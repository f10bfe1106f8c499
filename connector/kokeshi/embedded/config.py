"""The engine's own configuration and command line: pure builders, and one writer."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml

from kokeshi.embedded.folders import Account, make_folder
from kokeshi.embedded.java import Jdk
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


@dataclass(frozen=True)
class Layout:
    """The folders of one major version below a home."""

    root: Path

    @property
    def data(self) -> Path:
        """Indices."""
        return self.root / "data"

    @property
    def snapshots(self) -> Path:
        """`path.repo`: where snapshot repositories of type fs may live."""
        return self.root / "snapshots"

    @property
    def config(self) -> Path:
        """opensearch.yml and friends, written at every start."""
        return self.root / "config"

    @property
    def temporary(self) -> Path:
        """Holds one folder per run."""
        return self.root / "tmp"

    @property
    def logs(self) -> Path:
        """Holds `console` and `engine`."""
        return self.root / "logs"

    @property
    def console(self) -> Path:
        """What the JVM itself says: an unusable heap size, a crash."""
        return self.logs / "console.log"

    @property
    def engine_log(self) -> Path:
        """What the engine says, rolled over."""
        return self.logs / "engine.log"


def layout_of(home: Path, recipe: Recipe) -> Layout:
    """Return the folders of a recipe's major version."""
    return Layout(home / f"opensearch-{recipe.major}")


def check_heap(heap: str) -> str:
    """Return the heap size when it is a JVM size such as "512m" or "1g".

    Raises:
        EmbeddedError: it is none.
    """
    if not _HEAP.fullmatch(heap):
        raise EmbeddedError(f"Heap size {heap!r} is not one: write it like 512m or 1g")
    return heap


def build_settings(layout: Layout, node: str, port: int) -> dict[str, object]:
    """Return the contents of opensearch.yml."""
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


def build_command(
    recipe: Recipe, jdk: Jdk, distribution: Path, layout: Layout, scratch: Path, heap: str
) -> list[str]:
    """Return the JVM command line."""
    options = [option.format(conf=layout.config) for option in recipe.jvm_options]
    return [
        str(jdk.binary),
        f"-Xms{heap}",
        f"-Xmx{heap}",
        *options,
        f"-Djava.io.tmpdir={scratch}",
        f"-XX:ErrorFile={layout.logs}/crash-%p.log",
        # An engine without memory ends and says so, instead of living on half dead.
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",  # no files in the shared temporary folder
        "-Dfile.encoding=UTF-8",
        f"-Dopensearch.path.home={distribution}",
        f"-Dopensearch.path.conf={layout.config}",
        "-Dopensearch.distribution.type=tar",
        "-Dopensearch.bundled_jdk=false",
        "-Dio.netty.allocator.numDirectArenas=0",
        "-Dio.netty.noUnsafe=true",
        "-Dlog4j2.disable.jmx=true",
        "-Dlog4j.shutdownHookEnabled=false",  # the engine logs to its own end
        "-cp",
        f"{distribution}/lib/*",
        "org.opensearch.bootstrap.OpenSearch",
    ]


def build_environment(scratch: Path) -> dict[str, str]:
    """Return a small environment: JAVA_TOOL_OPTIONS and its like must not reach the JVM."""
    path = os.environ.get("PATH", os.defpath)
    return {"PATH": path, "LANG": "C.UTF-8", "HOME": str(scratch), "TMPDIR": str(scratch)}


def prepare(layout: Layout, recipe: Recipe, account: Account) -> Path:
    """Create the folders, forget the last run's logs; return this run's temporary folder."""
    make_folder(layout.root)
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
    for policy in recipe.folder.glob("*.policy"):
        _write(layout.config / policy.name, policy.read_text("utf-8"))
    return scratch


def _own(folder: Path, account: Account) -> None:
    """Hand the contents to the account: another user may have run the engine here before."""
    if not account.drop:
        return
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(root, name), account.uid, account.gid, follow_symlinks=False)


def write_config(layout: Layout, node: str, port: int) -> None:
    """Write opensearch.yml and log4j2.properties."""
    settings = yaml.safe_dump(build_settings(layout, node, port), sort_keys=False)
    _write(layout.config / "opensearch.yml", settings)
    properties = _LOG4J.format(log=layout.engine_log)
    _write(layout.config / "log4j2.properties", properties)


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    path.chmod(0o644)  # whatever the umask says: the engine's user must read it
