"""docker/secrets.sh really run: what it makes fits the compose files, stays secret and is made once."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
ENGINES = ["opensearch", "elasticsearch"]


def make_secrets(folder: Path) -> subprocess.CompletedProcess[str]:
    command = ["bash", DOCKER / "secrets.sh", folder]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def openssl(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)


def read_env(folder: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in (folder / ".env").read_text("utf-8").splitlines())


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, str]:
    """A folder with secrets, and what the script printed."""
    folder = tmp_path_factory.mktemp("docker files")
    ran = make_secrets(folder)
    assert (ran.returncode, ran.stderr) == (0, "")
    return folder, ran.stdout


def test_the_script_parses_and_may_be_run():
    assert subprocess.run(["bash", "-n", DOCKER / "secrets.sh"], check=False).returncode == 0
    assert os.access(DOCKER / "secrets.sh", os.X_OK)


def test_the_variables_are_those_that_the_files_use(made):
    texts = [(DOCKER / f"{engine}.yml").read_text("utf-8") for engine in ENGINES]
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", "".join(texts)))
    assert set(read_env(made[0])) == used


def test_secrets_are_long_and_differ(made):
    values = list(read_env(made[0]).values())
    assert all(re.fullmatch(r"[0-9a-f]{48}", value) for value in values)
    assert len(set(values)) == len(values)


def test_only_the_owner_reads_secrets(made):
    folder = made[0]
    modes = {
        p.name: oct(p.stat().st_mode & 0o777) for p in [folder / ".env", *folder.glob("tls/*")]
    }
    assert modes == {
        ".env": "0o600",
        "ca.pem": "0o644",
        "node.pem": "0o644",
        "node-key.pem": "0o600",
    }


@pytest.mark.parametrize(
    ("option", "name", "valid"),
    [
        ("-verify_hostname", "localhost", True),
        ("-verify_hostname", "opensearch", True),
        ("-verify_hostname", "elasticsearch", True),
        ("-verify_ip", "127.0.0.1", True),
        ("-verify_ip", "::1", True),
        ("-verify_hostname", "example.org", False),
        ("-verify_ip", "10.0.0.1", False),
    ],
)
def test_the_certificate_holds_for_its_names_only(made, option, name, valid):
    tls = made[0] / "tls"
    for purpose in ("sslserver", "sslclient"):
        chain = ["-x509_strict", "-CAfile", tls / "ca.pem", "-purpose", purpose]
        ran = openssl("verify", *chain, option, name, tls / "node.pem")
        assert (ran.returncode == 0) is valid, ran.stderr


def test_the_key_is_that_of_the_certificate(made):
    tls = made[0] / "tls"
    of_key = openssl("pkey", "-in", tls / "node-key.pem", "-pubout").stdout
    assert of_key == openssl("x509", "-in", tls / "node.pem", "-pubkey", "-noout").stdout
    assert of_key.startswith("-----BEGIN PUBLIC KEY-----")


def test_a_second_run_changes_nothing(made):
    folder = made[0]
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    ran = make_secrets(folder)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert re.search(r"\.env and .*tls exist already; nothing is changed$", ran.stderr)
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_certificates_are_renewed_without_new_passwords(tmp_path):
    make_secrets(tmp_path)
    passwords, old = read_env(tmp_path), (tmp_path / "tls/node.pem").read_bytes()
    for file in (tmp_path / "tls").iterdir():
        file.unlink()
    (tmp_path / "tls").rmdir()
    assert make_secrets(tmp_path).returncode == 0
    assert read_env(tmp_path) == passwords
    assert (tmp_path / "tls/node.pem").read_bytes() != old


def test_without_openssl_the_script_says_what_is_missing(tmp_path):
    command = ["/bin/bash", DOCKER / "secrets.sh", tmp_path]
    ran = subprocess.run(command, capture_output=True, text=True, env={"PATH": ""}, check=False)
    assert ran.returncode == 1
    assert "openssl is needed; install it" in ran.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("works", "left", "message"),
    [("rand", [".env"], "secrets.sh: no such curve\n"), ("nothing", [], "no such curve\n")],
)
def test_where_openssl_fails_nothing_is_half_made(tmp_path, works, left, message):
    (tmp_path / "bin").mkdir()
    stub = tmp_path / "bin" / "openssl"
    stub.write_text(
        f"#!/bin/sh\n[ $1 = {works} ] && echo 00 && exit\necho no such curve >&2; exit 1\n"
    )
    stub.chmod(0o755)
    environment = {"PATH": f"{stub.parent}:{os.environ['PATH']}"}
    command = ["bash", DOCKER / "secrets.sh", tmp_path]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", message)
    assert [name for name in (".env", "tls") if (tmp_path / name).exists()] == left


@pytest.mark.parametrize(
    ("engine", "user", "secret"),
    [
        ("opensearch", "admin", "OPENSEARCH_ADMIN_PASSWORD"),
        ("elasticsearch", "elastic", "ELASTIC_PASSWORD"),
    ],
)
def test_the_lines_that_are_printed_connect_kokeshi(made, engine, user, secret):
    folder, printed = made
    block = next(block for block in printed.split("\n\n") if f"{engine}.yml" in block)
    lines = "\n".join(line for line in block.splitlines() if "export" in line)
    shown = subprocess.run(
        ["bash", "-c", f"{lines}\nenv -0"], capture_output=True, text=True, check=True
    )
    variables = dict(item.split("=", 1) for item in shown.stdout.split("\0") if item)
    file = yaml.safe_load((DOCKER / f"{engine}.yml").read_text("utf-8"))
    port = file["services"][engine]["ports"][0].split(":")[1]
    assert variables["KOKESHI_URL"] == f"https://127.0.0.1:{port}"
    assert Path(variables["KOKESHI_CA_FILE"]).read_text().startswith("-----BEGIN CERTIFICATE-----")
    assert variables["KOKESHI_USER"] == user
    assert variables["KOKESHI_PASSWORD"] == read_env(folder)[secret]


def test_no_secret_is_printed(made):
    assert [name for name, value in read_env(made[0]).items() if value in made[1]] == []


def test_secrets_get_into_no_repository_and_no_package():
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert {"docker/.env", "docker/tls/"} <= set(ignored)
    shipped = re.findall(
        r'^"([^"]+)" = "kokeshi/_assets', (ROOT / "pyproject.toml").read_text("utf-8"), re.M
    )
    inside = [path for path in shipped if (DOCKER / ".env").is_relative_to(ROOT / path)]
    assert (bool(shipped), inside) == (True, [])
