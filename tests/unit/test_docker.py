"""What can be known of the compose files without a Docker engine: their schema and our own rules."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema.validators import validator_for

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
ENGINES = ["opensearch", "elasticsearch"]
MADE = {"./tls", "./tls/ca.pem"}
CERTIFICATES = {"ca.pem", "node.pem", "node-key.pem"}
_VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)([^}]*)\}")
_SECRET = re.compile(r"password$|_password$|_key$|encryptionkey$|^hash$", re.IGNORECASE)


def compose(engine: str) -> dict[str, Any]:
    return yaml.safe_load((DOCKER / f"{engine}.yml").read_text("utf-8"))


def services(*, lasting: bool | None = None) -> list[Any]:
    """Return the services of both files; lasting: only those that run on, or only those that end."""
    return [
        pytest.param(service, id=f"{engine}-{name}")
        for engine in ENGINES
        for name, service in compose(engine)["services"].items()
        if lasting in (None, service["restart"] != "no")
    ]


def mounts(service: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return (source, target, options) of each volume of a service."""
    parts = [volume.split(":") for volume in service.get("volumes", [])]
    return [(source, target, "".join(options)) for source, target, *options in parts]


def configs() -> dict[str, dict[str, Any]]:
    return {
        file.name: yaml.safe_load(file.read_text("utf-8"))
        for file in sorted((DOCKER / "config").glob("*.yml"))
    }


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (key, value) of every scalar of a mapping."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, str(key))
    else:
        yield path, value


@pytest.mark.parametrize("engine", ENGINES)
def test_a_compose_file_keeps_the_compose_specification(engine):
    vendored = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    schema = json.loads(vendored.read_text("utf-8"))
    validator_for(schema)(schema).validate(compose(engine))
    assert not validator_for(schema)(schema).is_valid(compose(engine) | {"service": {}})


@pytest.mark.parametrize("engine", ENGINES)
def test_every_image_is_pinned_and_the_versions_agree(engine):
    images = [service["image"] for service in compose(engine)["services"].values()]
    assert (
        len({re.search(r":(\d+\.\d+\.\d+)(@sha256:[0-9a-f]{64})?$", image)[1] for image in images})
        == 1
    )


@pytest.mark.parametrize("service", services(lasting=True))
def test_what_runs_on_has_a_health_check(service):
    check = service["healthcheck"]
    assert check["test"][0] in ("CMD", "CMD-SHELL")
    assert {"interval", "timeout", "retries"} <= set(check)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_service_waits_until_the_others_are_ready(engine):
    """What ends must be waited for, as `up --wait` takes an end that nobody expects for a failure."""
    file = compose(engine)["services"]
    waits = {n: c["condition"] for s in file.values() for n, c in s.get("depends_on", {}).items()}
    ends = {name for name, service in file.items() if service["restart"] == "no"}
    assert ends == {n for n, c in waits.items() if c == "service_completed_successfully"}
    assert {waits[name] for name in set(waits) - ends} == {"service_healthy"}


@pytest.mark.parametrize("service", services())
def test_a_service_is_limited(service):
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert not {"privileged", "cap_add", "pid", "ipc", "devices"} & set(service)
    assert service.get("network_mode", "none") == "none"


def test_ports_are_on_loopback_and_differ():
    ports = [
        port
        for engine in ENGINES
        for service in compose(engine)["services"].values()
        for port in service.get("ports", [])
    ]
    hosts = [re.fullmatch(r"127\.0\.0\.1:(\d+):\d+", port)[1] for port in ports]
    assert sorted(hosts) == ["5601", "5602", "9200", "9201"]


@pytest.mark.parametrize("engine", ENGINES)
def test_volumes_and_networks_are_named_and_used(engine):
    file = compose(engine)
    used = {source for service in file["services"].values() for source, *_ in mounts(service)}
    assert {source for source in used if "/" not in source} == set(file["volumes"])
    assert [network["name"] for network in file["networks"].values()] == [file["name"]]


@pytest.mark.parametrize("service", services())
def test_every_file_that_is_mounted_is_there_or_made_and_cannot_be_written(service):
    for source, _, options in mounts(service):
        if source.startswith("./"):
            assert source in MADE or (DOCKER / source).is_file(), source
            assert options == "ro,z"


@pytest.mark.parametrize("service", services())
def test_every_certificate_that_is_named_is_made(service):
    named = re.findall(r"tls/([\w.-]+\.pem)", json.dumps(service))
    assert set(named) <= CERTIFICATES


def test_no_secret_stands_in_a_file():
    found = [
        (key, value)
        for source in [*configs().values(), *(s.values[0]["environment"] for s in with_settings())]
        for key, value in leaves(source)
        if _SECRET.search(key)
    ]
    assert len(found) >= 15
    assert [key for key, value in found if not re.match(r"\$\{", value)] == []


def with_settings() -> list[Any]:
    return [service for service in services() if "environment" in service.values[0]]


def variables_of(engine: str) -> list[tuple[str, str]]:
    return _VARIABLE.findall((DOCKER / f"{engine}.yml").read_text("utf-8"))


def test_a_missing_variable_is_an_error_that_names_the_remedy():
    used = [*variables_of("opensearch"), *variables_of("elasticsearch")]
    assert {rest for _, rest in used} == {":?run docker/secrets.sh"}


@pytest.mark.parametrize("service", with_settings())
def test_a_container_has_the_variables_that_its_files_name(service):
    mounted = [Path(source).name for source, *_ in mounts(service)]
    text = "".join((DOCKER / "config" / n).read_text("utf-8") for n in mounted if n in configs())
    named = set(re.findall(r"\$\{(?:envbc\.)?(\w+)\}", re.sub(r"#.*", "", text)))
    assert named <= set(service["environment"])


def test_the_dashboards_log_in_as_a_user_that_the_engine_has():
    users = configs()["internal_users.yml"]
    dashboards = configs()["opensearch_dashboards.yml"]
    name, secret = dashboards["opensearch.username"], dashboards["opensearch.password"]
    assert users[name]["hash"] == secret.replace("${", "${envbc.")
    assert users["admin"]["backend_roles"] == ["admin"]
