"""A real Kafka broker for tests: one node in KRaft mode, put together from Maven artifacts once."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from kokeshi.embedded.folders import cache_folder, engine_account, make_folder
from kokeshi.embedded.java import Jdk, find_jdks
from kokeshi.embedded.locks import hold_lock
from kokeshi.embedded.manifest import find_damage, sha256_of, write_manifest
from kokeshi.embedded.network import HOST
from tests.servers import closed_port

PINNED = Path(__file__).with_name("kafka")
OLDEST_JAVA = 17
START_S = 120.0

# one of everything, and nothing that a test would wait for
PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
controller.listener.names=CONTROLLER
log.dirs={folder}/storage
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
broker.heartbeat.interval.ms=100
controller.quorum.election.timeout.ms=200
controller.quorum.election.backoff.max.ms=200
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
num.network.threads=1
num.io.threads=2
"""
JVM = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
LOG = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"


class BrokerError(Exception):
    """No broker can be had on this machine: says why."""


class Broker:
    """A broker on a free port. folder: of its own, for its data and its log; both survive a stop."""

    def __init__(self, folder: Path) -> None:
        self._jdk = find_jdk()
        self._home = ensure_assembled(self._jdk)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = closed_port()
        self.bootstrap = f"{HOST}:{self.port}"
        self._properties = folder / "server.properties"
        write_properties(self._properties, self.port)
        shutil.copytree(self._home / "storage", folder / "storage", copy_function=shutil.copyfile)
        self.admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                build_command(self._jdk, self._home, "kafka.Kafka", str(self._properties)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise BrokerError(
                    f"it does not start: {(self._folder / 'log').read_text()[-3000:]}"
                )

    def stop(self) -> None:
        """Let it end in an orderly way."""
        if self._process:
            self._process.terminate()
            self._process.wait(timeout=START_S)

    def kill(self) -> None:
        """End it at once."""
        if self._process:
            self._process.kill()
            self._process.wait(timeout=START_S)

    def create_topic(self, name: str, partitions: int = 1) -> str:
        """Create a topic and return its name."""
        for future in self.admin.create_topics([NewTopic(name, partitions, 1)]).values():
            future.result(timeout=START_S)
        return name

    def _answers(self) -> bool:
        # a client of its own each time: one that was refused waits longer and longer
        try:
            AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0}).list_topics(
                timeout=2.0
            )
        except KafkaException:
            return False
        return True


def write_properties(path: Path, port: int) -> None:
    path.write_text(
        PROPERTIES.format(host=HOST, port=port, controller=closed_port(), folder=path.parent)
    )


def build_command(jdk: Jdk, home: Path, *arguments: str) -> list[str]:
    return [str(jdk.binary), *JVM, LOG, "-cp", f"{home}/jars/*", *arguments]


def find_jdk() -> Jdk:
    for jdk in find_jdks():
        if jdk.feature >= OLDEST_JAVA:
            return jdk
    raise BrokerError(f"no JDK {OLDEST_JAVA} or newer was found")


def ensure_assembled(jdk: Jdk) -> Path:
    """Return the folder of the broker's jars and of an empty storage, in the cache of the engines."""
    pinned = b"".join((PINNED / name).read_bytes() for name in ("pom.xml", "checksums.sha256"))
    engines = cache_folder(engine_account()) / "engines"
    digest = hashlib.sha256(pinned + PROPERTIES.encode()).hexdigest()
    folder = engines / f"kafka-{digest[:12]}"
    if find_damage(folder) is None:
        return folder
    make_folder(engines)
    with hold_lock(engines / f".{folder.name}.lock"):
        if find_damage(folder) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            _assemble(jdk, folder)
    return folder


def _assemble(jdk: Jdk, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        target = Path(scratch) / "new"
        _fetch(jdk, target / "jars")
        _verify(target / "jars")
        _format(jdk, target)
        write_manifest(target)
        target.rename(folder)


def _format(jdk: Jdk, target: Path) -> None:
    """Make an empty storage, which takes some seconds; a broker begins with a copy."""
    properties = target / "server.properties"
    write_properties(properties, closed_port())
    cluster = "kokeshi-tests-cluster1"  # 22 characters, as an id has
    tool = ("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties))
    done = subprocess.run(
        build_command(jdk, target, *tool), capture_output=True, text=True, timeout=START_S
    )
    if done.returncode:
        raise BrokerError(f"its storage was not formatted: {done.stdout} {done.stderr}")


def _fetch(jdk: Jdk, target: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerError("Maven is needed once to fetch it, and `mvn` is not on PATH")
    goal = "org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies"
    done = subprocess.run(
        [maven, "-q", "-B", "-f", str(PINNED / "pom.xml"), goal, f"-Dkokeshi.target={target}"],
        capture_output=True,
        text=True,
        env={"JAVA_HOME": str(jdk.home), **os.environ},
        timeout=600,
    )
    if done.returncode:
        raise BrokerError(f"Maven could not fetch it: {done.stdout[-2000:]} {done.stderr[-2000:]}")


def _verify(target: Path) -> None:
    lines = (PINNED / "checksums.sha256").read_text().splitlines()
    pinned = {name: digest for digest, name in (line.split() for line in lines)}
    found = {path.name: sha256_of(path) for path in target.iterdir()}
    if found != pinned:
        different = sorted(dict(found.items() ^ pinned.items()))
        raise BrokerError(f"these are not the pinned files: {', '.join(different)}")
