"""Resolve an engine.yaml into the pinned pom.xml and checksums.sha256 beside it.

For maintainers who move to a new engine version: edit engine.yaml, run
`python docker/embedded/pin.py opensearch/3.6`, review the difference, run the tests marked `engine`.
Users never run this: assembling copies what pom.xml lists, without resolving anything.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import yaml

PLUGIN = ("org.apache.maven.plugins", "maven-dependency-plugin", "3.8.1")
HEADER = (
    '<project xmlns="http://maven.apache.org/POM/4.0.0">\n'
    "  <modelVersion>4.0.0</modelVersion>\n"
    "  <groupId>kokeshi</groupId>\n"
    "  <artifactId>{name}</artifactId>\n"
    "  <version>1</version>\n"
    "  <packaging>pom</packaging>\n"
)
TITLES = {"opensearch": "OpenSearch {} with k-NN", "elasticsearch": "Elasticsearch {}"}
# A file in the distribution: its folder, its coordinates (group, artifact, version, type), its path.
Pinned = tuple[str, tuple[str, str, str, str], Path]


def main() -> None:
    """Resolve, then write pom.xml and checksums.sha256."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", help="the folder beside this file, e.g. opensearch/3.6")
    folder = Path(__file__).parent / parser.parse_args().version
    recipe = yaml.safe_load((folder / "engine.yaml").read_text("utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        pinned = resolve(recipe, Path(scratch))
        name = TITLES[folder.parent.name].format(recipe["version"])
        (folder / "pom.xml").write_text(build_copy_pom(name, pinned), "utf-8")
        lines = sorted(f"{sha256_of(path)}  {target}/{path.name}\n" for target, _, path in pinned)
    (folder / "checksums.sha256").write_text("".join(sorted(lines, key=lambda x: x[66:])), "utf-8")


def resolve(recipe: dict[str, Any], scratch: Path) -> list[Pinned]:
    """One Maven reactor with a project per target folder, so that closures never mix."""
    projects = list_projects(recipe)
    names = {target: target.replace("/", "-") for target in projects}
    for target, (coordinates, transitive) in projects.items():
        write_project(scratch / names[target], names[target], coordinates, transitive)
    modules = "".join(f"    <module>{name}</module>\n" for name in names.values())
    root = HEADER.format(name="root") + f"  <modules>\n{modules}  </modules>\n</project>\n"
    (scratch / "pom.xml").write_text(root, "utf-8")
    goal = ":".join(PLUGIN) + ":copy-dependencies"
    options = ["-DincludeScope=runtime", "-Dmdep.useRepositoryLayout=true"]
    subprocess.run(["mvn", "-B", "-q", goal, *options], cwd=scratch, check=True)
    return drop_duplicates({t: find_artifacts(scratch / n) for t, n in names.items()}, recipe)


def list_projects(recipe: dict[str, Any]) -> dict[str, tuple[list[str], bool]]:
    """Each target folder with its coordinates, and whether their dependencies belong to it."""
    if "archive" in recipe:
        return {"archive": ([recipe["archive"]["artifact"]], False)}
    projects = {"lib": (recipe["libraries"], True)}
    for module in recipe["modules"]:
        transitive = module.get("transitive", True)
        projects[f"modules/{module['name']}"] = ([module["artifact"]], transitive)
    plugin = recipe["plugin"]
    projects[f"plugins/{plugin['name']}"] = ([plugin["archive"], *plugin.get("extra", [])], False)
    return projects


def write_project(folder: Path, name: str, coordinates: list[str], transitive: bool) -> None:
    """A child pom that depends on the coordinates."""
    folder.mkdir()
    exclusions = "" if transitive else exclusion_xml()
    body = "".join(
        f"    <dependency>{coordinate_xml(split(text))}{exclusions}</dependency>\n"
        for text in coordinates
    )
    body = f"  <dependencies>\n{body}  </dependencies>\n"
    (folder / "pom.xml").write_text(HEADER.format(name=name) + body + "</project>\n", "utf-8")


def exclusion_xml() -> str:
    """Exclude every transitive dependency."""
    one = "<exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion>"
    return f"<exclusions>{one}</exclusions>"


def split(text: str) -> tuple[str, str, str, str]:
    """'group:artifact:version[:type]' -> four parts."""
    group, artifact, version, *kind = text.split(":")
    return group, artifact, version, kind[0] if kind else "jar"


def coordinate_xml(parts: tuple[str, str, str, str]) -> str:
    """The four elements that name an artifact."""
    tags = ("groupId", "artifactId", "version", "type")
    return "".join(f"<{t}>{escape(p)}</{t}>" for t, p in zip(tags, parts, strict=True))


def find_artifacts(folder: Path) -> list[tuple[tuple[str, str, str, str], Path]]:
    """Read the coordinates back from the repository layout group/artifact/version/file."""
    root = folder / "target" / "dependency"
    found = []
    for path in sorted(p for p in root.rglob("*") if p.suffix in {".jar", ".zip"}):
        *group, artifact, version = path.parent.relative_to(root).parts
        if path.stem != f"{artifact}-{version}":
            continue  # a classifier: native libraries of QUIC, which the engine does without
        found.append(((".".join(group), artifact, version, path.suffix[1:]), path))
    return found


def drop_duplicates(
    resolved: dict[str, list[tuple[tuple[str, str, str, str], Path]]], recipe: dict[str, Any]
) -> list[Pinned]:
    """Leave out of a module what `lib` or the module that it extends already has."""
    parents = {f"modules/{m['name']}": m.get("extends") for m in recipe.get("modules", ())}
    pinned: list[Pinned] = []
    for target, artifacts in resolved.items():
        above = [] if target == "lib" else list(resolved.get("lib", ()))
        if parents.get(target):
            above += resolved[f"modules/{parents[target]}"]
        known = {(group, artifact) for (group, artifact, _, _), _ in above}
        pinned += [(target, parts, path) for parts, path in artifacts if parts[:2] not in known]
    return pinned


def sha256_of(path: Path) -> str:
    """The hexadecimal digest of a file that may be large."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def build_copy_pom(name: str, pinned: list[Pinned]) -> str:
    """One project whose only goal copies each pinned artifact to its folder."""
    items = ""
    for target, parts, path in sorted(pinned, key=lambda item: (item[0], item[1])):
        items += (
            f"          <artifactItem>{coordinate_xml(parts)}"
            f"<outputDirectory>${{kokeshi.target}}/{target}</outputDirectory>"
            f"<destFileName>{path.name}</destFileName></artifactItem>\n"
        )
    group, artifact, release = PLUGIN
    return (
        f"<!-- Written by pin.py from engine.yaml: what {name} is made of.\n"
        "     mvn dependency:copy -Dkokeshi.target=FOLDER -->\n"
        + HEADER.format(name="kokeshi-embedded-engine")
        + "  <build>\n    <plugins>\n      <plugin>\n"
        f"        <groupId>{group}</groupId>\n        <artifactId>{artifact}</artifactId>\n"
        f"        <version>{release}</version>\n"
        f"        <configuration>\n         <artifactItems>\n{items}"
        "         </artifactItems>\n        </configuration>\n"
        "      </plugin>\n    </plugins>\n  </build>\n</project>\n"
    )


if __name__ == "__main__":
    main()
