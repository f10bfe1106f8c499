"""Elasticsearch: taken out of an archive that carries it, started by its own launcher.

`bin/elasticsearch` becomes a small JVM, the launcher, which starts the server and hands it its
arguments through a pipe; the server ends when that pipe closes, however the launcher died.
"""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path, PurePosixPath

from kokeshi.embedded.kinds.base import Kind, Run
from kokeshi.embedded.licence import Licence
from kokeshi.embedded.recipe import Recipe

_SCRIPT = PurePosixPath("bin", "elasticsearch")  # lies beside the distribution, not in it
# A binary for one architecture, which the start script would prefer to its Java counterpart.
_NATIVE_LAUNCHER = PurePosixPath("lib", "tools", "server-launcher", "server-launcher")


def lay_out(recipe: Recipe, target: Path) -> None:
    """Unpack the distribution from the archive, which goes."""
    (name,) = recipe.checksums
    with zipfile.ZipFile(target / name) as archive:  # verified against its checksum before
        for item in archive.infolist():
            path = _place(PurePosixPath(item.filename))
            if path is None or item.is_dir():
                continue
            file = target / path
            file.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(item) as source, file.open("wb") as copy:
                shutil.copyfileobj(source, copy)
    shutil.rmtree((target / name).parent)
    (target / "plugins").mkdir(exist_ok=True)  # the engine demands it


def _place(path: PurePosixPath) -> PurePosixPath | None:
    """Return where a file of the archive belongs in the distribution, None where it does not."""
    inside = PurePosixPath(*path.parts[1:])  # below the archive's only folder
    if inside == _SCRIPT:
        return inside
    if inside.parts[:1] != ("elasticsearch",) or ".." in inside.parts:
        return None
    inside = PurePosixPath(*inside.parts[1:])
    unwanted = inside == _NATIVE_LAUNCHER or inside.suffix in {".bat", ".exe"}
    return None if unwanted else inside


def build_files(run: Run) -> dict[str, str]:
    """Return the JVM's options, in the form that the launcher reads."""
    options = [
        *run.recipe.jvm_options,
        f"-Xms{run.heap}",
        f"-Xmx{run.heap}",
        "-XX:-AlwaysPreTouch",  # the heap of an idle engine need not be in memory
        f"-Djava.io.tmpdir={run.scratch}",
        f"-XX:ErrorFile={run.layout.logs}/crash-%p.log",
        # An engine without memory ends and says so, instead of living on half dead.
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",  # no files in the shared temporary folder
    ]
    return {"jvm.options": "".join(f"{option}\n" for option in options)}


def build_command(run: Run) -> list[str]:
    """Return the launcher's command line."""
    return ["bash", str(run.distribution / _SCRIPT)]


def build_environment(run: Run) -> dict[str, str]:
    """Return where the launcher finds Java and its configuration."""
    return {
        "ES_JAVA_HOME": str(run.jdk.home),
        "ES_PATH_CONF": str(run.layout.config),
        "ES_TMPDIR": str(run.scratch),
    }


ELASTICSEARCH = Kind(
    name="elasticsearch",
    licence=Licence(
        name="Elastic License 2.0",
        url="https://www.elastic.co/licensing/elastic-license",
        variable="KOKESHI_ACCEPT_ELASTIC_LICENSE",
    ),
    assembly_megabytes=2300,  # the archive, Maven's copy of it, and what is taken out
    settings_file="elasticsearch.yml",
    defaults={
        "xpack.security.enabled": False,
        # It would invent passwords and certificates; who wants security brings their own.
        "xpack.security.autoconfiguration.enabled": False,
    },
    login="xpack.security.enabled",
    tls="xpack.security.http.ssl.enabled",
    lay_out=lay_out,
    build_files=build_files,
    build_command=build_command,
    build_environment=build_environment,
)
