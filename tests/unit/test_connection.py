"""Where an engine is and who asks: what is accepted, from which source, and that secrets stay secret."""

from __future__ import annotations

import copy
import os
from base64 import b64encode

import pytest

from kokeshi.connect import connect, connect_async, find_connection
from kokeshi.engines import Connection
from kokeshi.engines.settings import Settings, give, read_environment, resolve
from kokeshi.errors import EngineError, SpecError
from kokeshi.schema import parse_spec
from kokeshi.schema.engine import EngineSpec

HARD = "s3cr3t/@é藍"
QUOTED = "s3cr3t%2F%40%C3%A9%E8%97%8D"
ADA = {"user": "ada", "password": "one"}
EVE = {"user": "eve", "password": "two"}
HTTPS = "https://host:9200"
CLOUD = "shop:" + b64encode(b"eu.example.org$abc$kibana").decode()


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in os.environ:
        if name.startswith("KOKESHI_"):
            monkeypatch.delenv(name)


class TestAddresses:
    @pytest.mark.parametrize(
        "url",
        [
            "",
            "localhost",
            "localhost:9200",
            "ftp://host",
            "http://",
            "http://:9200",
            "http://host:port",
            "http://host:99999",
            "http://a b:9200",
            "//host",
            "http://host/?q=1",
            "http://host,",
            "http://[::1",
        ],
    )
    def test_one_that_is_none_is_refused(self, url):
        with pytest.raises(EngineError, match="is not one; write it like https://host:9200"):
            Connection(url)

    @pytest.mark.parametrize("url", ["http://a, http://b:1/", ["http://a", "http://b:1"]])
    def test_several_are_a_list_or_a_text(self, url):
        connection = Connection(url)
        assert connection.urls == ("http://a", "http://b:1")
        assert connection.url == "http://a, http://b:1"

    def test_those_of_one_cluster_speak_alike(self):
        with pytest.raises(EngineError, match="either https:// for all, or http://"):
            Connection("http://a,https://b")

    def test_none_stands_twice(self):
        with pytest.raises(EngineError, match="one address stands twice"):
            Connection("http://a,http://a/")

    @pytest.mark.parametrize(
        ("domain", "url"),
        [
            ("eu.example.org$abc$kibana", "https://abc.eu.example.org:443"),
            ("eu.example.org:9243$abc", "https://abc.eu.example.org:9243"),
        ],
    )
    def test_a_cloud_id_is_an_address(self, domain, url):
        cloud_id = "name:" + b64encode(domain.encode()).decode()
        assert Connection(cloud_id=cloud_id).urls == (url,)

    @pytest.mark.parametrize(
        "cloud_id", ["x", "name:%%%", "name:" + b64encode(b"host").decode(), "é"]
    )
    def test_a_cloud_id_that_is_none_is_refused(self, cloud_id):
        with pytest.raises(EngineError, match="cloud_id '.*' is not one; copy it from"):
            Connection(cloud_id=cloud_id)

    def test_it_takes_the_place_of_addresses(self):
        with pytest.raises(EngineError, match="give either url or cloud_id, not both"):
            Connection("http://a", cloud_id=CLOUD)

    @pytest.mark.parametrize(
        ("url", "bare"),
        [
            ("http://ada:{}@host:9200", "http://host:9200"),
            ("https://ada:{}@[::1]:9200/path", "https://[::1]:9200/path"),
            ("http://ada:{}@host, http://ada:{}@other", "http://host, http://other"),
            ("http://ada:{}@host, http://other", "http://host, http://other"),
        ],
    )
    def test_credentials_leave_them(self, url, bare):
        connection = Connection(url.format(QUOTED, QUOTED))
        assert (connection.url, connection.user, connection.password) == (bare, "ada", HARD)

    def test_different_credentials_are_refused(self):
        with pytest.raises(EngineError, match="'http://a, http://b': the addresses hold different"):
            Connection("http://a:x@a,http://b:x@b")

    def test_what_is_given_wins_over_the_address_as_a_whole(self):
        connection = Connection("http://ada:one@host", **EVE)
        assert (connection.user, connection.password) == ("eve", "two")
        with pytest.raises(EngineError, match="user is given without password"):
            Connection("http://ada:one@host", user="eve")

    @pytest.mark.parametrize(
        "url",
        ["ftp://ada:s3cr3t@host", "ada:s3cr3t@host", "http://a:s3cr3t@h:x", "http://:s3cr3t@host"],
    )
    def test_a_refused_one_shows_no_password(self, url):
        with pytest.raises(EngineError) as caught:
            Connection(url)
        assert "s3cr3t" not in str(caught.value)


class TestContradictions:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (ADA | {"api_key": "k"}, "give one way to authenticate, not user and api_key"),
            ({"bearer": "t", "api_key": "k"}, "one way to authenticate, not api_key and bearer"),
            (ADA | {"aws_region": "eu-west-1"}, "not user and aws_region"),
            ({"user": "ada"}, "user is given without password; give both in the same place"),
            ({"password": "x"}, "password is given without user"),
            (ADA | {"user": "a:b"}, "user 'a:b': basic authentication knows no ':'"),
            ({"api_key": "s3cr3t\n"}, "api_key has a space, a line break or an accent"),
            ({"bearer": "s3cr3t é"}, "bearer has a space, a line break or an accent"),
            ({"aws_service": "es"}, "aws_service 'es' needs aws_region"),
            (
                {"aws_region": "x", "aws_service": "s3"},
                "aws_service 's3' is not known; choose es or aoss",
            ),
            ({"aws_region": "x", "engine": "elasticsearch"}, "aws_region signs for OpenSearch"),
            ({"engine": "solr"}, "engine 'solr' is not known; choose opensearch or elasticsearch"),
            ({"timeout": 0}, "timeout 0 is no number of seconds above 0"),
            ({"timeout": float("nan")}, "timeout nan is no number"),
            ({"retries": -1}, "retries -1: 0 or more is expected"),
            ({"ca_file": "absent.pem"}, "CA file 'absent.pem': no such file"),
            ({"client_cert": "absent.pem"}, "client certificate 'absent.pem': no such file"),
            ({"client_key": "absent.pem"}, "client_key is given without client_cert"),
            ({"fingerprint": "ab:cd"}, "fingerprint 'ab:cd' is no SHA-256; give the 64"),
            ({"fingerprint": "ab", "ca_file": "x"}, "give either ca_file or fingerprint, not both"),
        ],
    )
    def test_each_is_one_error_that_names_the_fields(self, options, message):
        with pytest.raises(EngineError, match=message) as caught:
            Connection(HTTPS, **options)
        assert "s3cr3t" not in str(caught.value)

    @pytest.mark.parametrize("name", ["ca_file", "fingerprint", "client_cert"])
    def test_tls_needs_https(self, name):
        with pytest.raises(EngineError, match=f"{name} needs an https:// address, not http://host"):
            Connection("http://host", **{name: "x"})

    def test_a_fingerprint_is_read_as_it_is_printed(self):
        assert Connection(HTTPS, fingerprint=":".join(["AB"] * 32)).fingerprint == "ab" * 32


class TestSources:
    def test_without_an_address_there_is_none(self):
        assert resolve(give(), read_environment({"KOKESHI_API_KEY": "k"})) is None

    def test_arguments_without_an_address_ask_for_one(self):
        with pytest.raises(EngineError, match="api_key is given without an address; give --url"):
            resolve(give(api_key="s3cr3t"))

    def test_the_first_source_wins_setting_by_setting(self):
        found = resolve(
            give(url="http://arguments", timeout=1),
            give(url="http://environment", timeout=2, retries=2),
            give(url="http://spec", retries=3, compress=True),
        )
        assert found == Connection("http://arguments", timeout=1, retries=2, compress=True)

    def test_credentials_of_one_source_are_never_mixed_with_those_of_another(self):
        found = resolve(give(url="http://host", api_key="k"), give(**ADA))
        assert found == Connection("http://host", api_key="k")
        with pytest.raises(EngineError, match="user is given without password"):
            resolve(give(url="http://host", user="eve"), give(**ADA))

    def test_credentials_of_an_address_are_those_of_its_source(self):
        first = give(url="http://ada:one@host")
        assert resolve(first, give(api_key="k")) == Connection("http://host", **ADA)
        assert resolve(give(api_key="k"), first) == Connection("http://host", api_key="k")

    def test_an_address_and_a_key_of_one_source_contradict_each_other(self):
        with pytest.raises(EngineError, match="not user and api_key"):
            resolve(give(url="http://ada:one@host", api_key="k"))

    def test_trust_is_not_mixed_either(self, tmp_path):
        (tmp_path / "ca.pem").touch()
        ca_file = str(tmp_path / "ca.pem")
        found = resolve(give(url=HTTPS, fingerprint="ab" * 32), give(ca_file=ca_file))
        assert (found.fingerprint, found.ca_file) == ("ab" * 32, None)

    def test_the_environment_names_every_setting(self):
        environment = {
            "KOKESHI_CLOUD_ID": CLOUD,
            "KOKESHI_BEARER": "t",
            "KOKESHI_FINGERPRINT": "ab" * 32,
            "KOKESHI_TIMEOUT": "1.5",
            "KOKESHI_RETRIES": "4",
            "KOKESHI_COMPRESS": "yes",
            "KOKESHI_ENGINE": "elasticsearch",
            "KOKESHI_USER": "",
        }
        assert resolve(give(), read_environment(environment)) == Connection(
            cloud_id=CLOUD,
            bearer="t",
            fingerprint="ab" * 32,
            timeout=1.5,
            retries=4,
            compress=True,
            engine="elasticsearch",
        )

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("TIMEOUT", "soon", "KOKESHI_TIMEOUT 'soon' is no number"),
            ("RETRIES", "1.5", "KOKESHI_RETRIES '1.5' is no number"),
            ("COMPRESS", "maybe", "KOKESHI_COMPRESS 'maybe': give 1 or 0"),
        ],
    )
    def test_a_variable_of_another_type_is_named(self, name, value, message):
        with pytest.raises(EngineError, match=message):
            read_environment({f"KOKESHI_{name}": value})

    def test_an_address_is_completed_by_the_environment_and_the_spec(self, monkeypatch):
        monkeypatch.setenv("KOKESHI_USER", "ada")
        monkeypatch.setenv("KOKESHI_PASSWORD", "one")
        spec = EngineSpec(url="http://spec", timeout=7)
        assert find_connection("http://host", spec) == Connection("http://host", **ADA, timeout=7)
        assert find_connection(None, spec) == Connection("http://spec", **ADA, timeout=7)

    def test_a_connection_is_taken_as_it_is(self, monkeypatch):
        monkeypatch.setenv("KOKESHI_API_KEY", "k")
        with connect(Connection("http://host")) as engine:
            assert engine.connection == Connection("http://host")

    def test_an_engine_is_made_of_an_address(self):
        with connect("http://host:1") as engine:
            assert engine.connection.url == "http://host:1"
        assert connect_async("http://host:1").connection.url == "http://host:1"


@pytest.fixture
def credentials(tmp_path):
    """Write a credential file of one's own; returns its path."""

    def write(text: str, mode: int = 0o600) -> str:
        file = tmp_path / "credentials.yaml"
        file.write_text(text)
        file.chmod(mode)
        return str(file)

    return write


class TestCredentialFile:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("api_key: k\n", {"api_key": "k"}),
            ("bearer: 't'", {"bearer": "t"}),
            ("user: ada\npassword: 'one'\n", ADA),
        ],
    )
    def test_it_holds_one_way_to_authenticate(self, credentials, text, expected):
        found = resolve(give(url="http://host", credentials=credentials(text)))
        assert found == Connection("http://host", **expected)

    def test_it_comes_after_the_environment_and_before_a_later_source(self, credentials):
        environment = read_environment({"KOKESHI_CREDENTIALS": credentials("api_key: file")})
        spec = give(url="http://host", credentials="absent")
        assert resolve(give(), environment, spec).api_key == "file"
        assert resolve(give(), environment | give(**ADA), spec).user == "ada"

    def test_one_that_is_not_needed_is_not_read(self):
        found = resolve(give(url="http://host", **ADA), give(credentials="absent"))
        assert found == Connection("http://host", **ADA)

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
    def test_one_that_others_can_use_is_refused(self, credentials, mode):
        path = credentials("api_key: s3cr3t", mode)
        with pytest.raises(EngineError, match=rf"\(mode {mode:04o}\); run: chmod 600 {path}"):
            resolve(give(url="http://host", credentials=path))

    def test_a_link_is_as_good_as_what_it_leads_to(self, credentials, tmp_path):
        link = tmp_path / "link"
        link.symlink_to(credentials("api_key: k"))
        assert resolve(give(url="http://host", credentials=str(link))).api_key == "k"
        credentials("api_key: k", 0o644)
        with pytest.raises(EngineError, match="can be used by others"):
            resolve(give(url="http://host", credentials=str(link)))

    def test_one_of_another_user_is_refused(self, credentials, monkeypatch):
        path = credentials("api_key: k")
        if os.geteuid() == 0:
            os.chown(path, 12345, -1)
        monkeypatch.setattr(os, "geteuid", lambda: 54321)
        with pytest.raises(EngineError, match="belongs to another user"):
            resolve(give(url="http://host", credentials=path))

    @pytest.mark.parametrize("path", ["/absent/file", "/"])
    def test_one_that_is_none_is_named(self, path):
        with pytest.raises(
            EngineError, match=f"credentials '{path}'.*(no such file|is not a file)"
        ):
            resolve(give(url="http://host", credentials=path))

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "a mapping is expected"),
            ("s3cr3t", "a mapping is expected"),
            ("{user: [s3cr3t", r"not valid YAML \(line 1\); quote the values"),
            ("api_key: *s3cr3t", "not valid YAML"),
            ("api-key: s3cr3t", "the keys can only be user, password, api_key, bearer"),
            ("s3cr3t: 1", "the keys can only be"),
            ("password: 1234", "password must be a text; put it in quotes"),
            ("user: ''", "user must be a text"),
            ("user: ada", "user is given without password"),
            ("user: ada\npassword: s3cr3t\napi_key: s3cr3t", "not user and api_key"),
        ],
    )
    def test_what_is_malformed_is_said_without_its_content(self, credentials, text, message):
        with pytest.raises(EngineError, match=message) as caught:
            resolve(give(url="http://host", credentials=credentials(text)))
        assert "s3cr3t" not in str(caught.value)
        assert caught.value.__cause__ is None


class TestSpec:
    def test_it_says_where_the_engine_is(self, credentials):
        path = credentials("api_key: k")
        section = EngineSpec.model_validate(
            {"url": ["https://a", "https://b"], "credentials": path, "timeout": 5}
        )
        found = find_connection(None, section)
        assert found == Connection(["https://a", "https://b"], api_key="k", timeout=5)

    @pytest.mark.parametrize(
        ("section", "message"),
        [
            ("password: s3cr3t", "'password' does not belong into this file.*'credentials: PATH'"),
            ("api_key: s3cr3t", "'api_key' does not belong into this file"),
            ("bearer: s3cr3t", "'bearer' does not belong into this file"),
            ("url: 'http://ada:s3cr3t@host'", "an address here holds no user and password"),
            ("url: ['http://ada:s3cr3t@host']", "an address here holds no user and password"),
            ("url: []", "give at least one address"),
            ("timeout: 0", "greater than 0"),
            ("engin: opensearch", "this key is not known here"),
        ],
    )
    def test_it_holds_no_secret_and_says_where_they_go(self, section, message):
        text = f"index: shop\nengine:\n  {section}\n"
        if "engine" not in type(parse_spec("index: shop")).model_fields:
            pytest.skip("IndexSpec has no section engine yet")
        with pytest.raises(SpecError, match=message) as caught:
            parse_spec(text)
        assert "s3cr3t" not in str(caught.value)


class TestSecrets:
    def test_texts_leave_them_out(self):
        for connection in (
            Connection("http://ada:s3cr3t@host"),
            Connection("http://host", api_key="s3cr3t"),
            Connection("http://host", bearer="s3cr3t"),
        ):
            assert "s3cr3t" not in f"{connection} {connection!r} {[connection]}"
        assert str(give(url="http://host", api_key="s3cr3t")) == "Settings(url, api_key)"

    def test_settings_are_not_pickled(self):
        with pytest.raises(TypeError, match="are not pickled"):
            copy.copy(Settings(api_key="s3cr3t"))

    def test_a_connection_can_be_copied(self):
        connection = Connection("http://host", api_key="s3cr3t")
        assert copy.deepcopy(connection) == copy.copy(connection) == connection
