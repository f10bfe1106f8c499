"""OpenSearch with k-NN: put together from its modules, started as a plain JVM."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

from kokeshi.embedded.kinds.base import Kind, Run
from kokeshi.embedded.recipe import Recipe

_DESCRIPTOR = "plugin-descriptor.properties"


@dataclass(frozen=True)
class Module:
    """One folder below `modules/`, described to the engine by its descriptor."""

    name: str
    classname: str
    version: str
    extends: str


def modules_of(recipe: Recipe) -> tuple[Module, ...]:
    """Return the modules that engine.yaml lists."""
    return tuple(
        Module(
            item["name"],
            item["classname"],
            item["artifact"].split(":")[2],
            item.get("extends", ""),
        )
        for item in recipe.spec["modules"]
    )


def lay_out(recipe: Recipe, target: Path) -> None:
    """Describe the modules and unpack the plugin."""
    for module in modules_of(recipe):
        text = _build_descriptor(module, recipe)
        (target / "modules" / module.name / _DESCRIPTOR).write_text(text, "utf-8")
    _unpack_plugin(recipe, target / "plugins" / recipe.spec["plugin"]["name"])
    for name in ("bin", "extensions"):  # the engine tries to create them where they are missing
        (target / name).mkdir()
        (target / name / "README").write_text("Kept empty by kokeshi.\n", "utf-8")


def _build_descriptor(module: Module, recipe: Recipe) -> str:
    properties = {
        "description": f"The module {module.name}",
        "version": recipe.version,
        "name": module.name,
        "classname": module.classname,
        "java.version": recipe.java_min,
        "opensearch.version": recipe.version,
        "extended.plugins": module.extends,
        "has.native.controller": "false",
    }
    return "".join(f"{key}={value}\n" for key, value in properties.items())


def _unpack_plugin(recipe: Recipe, folder: Path) -> None:
    for archive in folder.glob("*.zip"):
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)  # verified against its checksum before
        archive.unlink()
    descriptor = folder / _DESCRIPTOR
    dropped = frozenset(recipe.spec["plugin"].get("drop_extended", ()))
    lines = descriptor.read_text("utf-8").splitlines()
    kept = [_drop_extensions(line, dropped) for line in lines]
    descriptor.write_text("\n".join(kept) + "\n", "utf-8")


def _drop_extensions(line: str, dropped: frozenset[str]) -> str:
    key, _, value = line.partition("=")
    if key != "extended.plugins":
        return line
    return f"{key}={','.join(name for name in value.split(',') if name not in dropped)}"


def build_files(run: Run) -> dict[str, str]:
    """Return the security policy of those versions that need one."""
    return {path.name: path.read_text("utf-8") for path in run.recipe.folder.glob("*.policy")}


def build_command(run: Run) -> list[str]:
    """Return the JVM command line."""
    options = [option.format(conf=run.layout.config) for option in run.recipe.jvm_options]
    return [
        str(run.jdk.binary),
        f"-Xms{run.heap}",
        f"-Xmx{run.heap}",
        *options,
        f"-Djava.io.tmpdir={run.scratch}",
        f"-XX:ErrorFile={run.layout.logs}/crash-%p.log",
        # An engine without memory ends and says so, instead of living on half dead.
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",  # no files in the shared temporary folder
        "-Dfile.encoding=UTF-8",
        f"-Dopensearch.path.home={run.distribution}",
        f"-Dopensearch.path.conf={run.layout.config}",
        "-Dopensearch.bundled_jdk=false",
        "-Dio.netty.allocator.numDirectArenas=0",
        "-Dio.netty.noUnsafe=true",
        "-Dlog4j2.disable.jmx=true",
        "-Dlog4j.shutdownHookEnabled=false",  # the engine logs to its own end
        "-cp",
        f"{run.distribution}/lib/*",
        "org.opensearch.bootstrap.OpenSearch",
    ]


OPENSEARCH = Kind(
    name="opensearch",
    licence=None,
    assembly_megabytes=400,  # the artifacts, their copy, and what Maven itself downloads
    settings_file="opensearch.yml",
    defaults={},
    login=None,
    tls=None,
    lay_out=lay_out,
    build_files=build_files,
    build_command=build_command,
    build_environment=lambda _: {},
)
