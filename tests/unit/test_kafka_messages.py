"""A message of a topic as a change, and the options of a topic; no broker is asked."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import orjson
import pytest

from kokeshi.changes.model import Change
from kokeshi.errors import InputError, MissingExtraError
from kokeshi.ingest.actions import Failure
from kokeshi.kafka.consumer import load_kafka
from kokeshi.kafka.messages import Message, Versions, read_message
from kokeshi.kafka.topics import Batch, Place, TopicLag, TopicSettings, read_options
from kokeshi.schema import parse_spec

SPEC = parse_spec("""
index: shop
id: sku
text: [title]
metadata: {price: float}
vectors:
  v: {encoder: {name: precomputed, column: vec}, dimension: 2}
""")
TIME = 1_700_000_000_000


def read(
    value: object,
    key: bytes | None = b"p1",
    versions: Versions = "message",
    time: int | None = TIME,
) -> Change | Failure:
    content = value if value is None or isinstance(value, bytes) else orjson.dumps(value)
    return read_message(Message(3, 17, key, content, time), SPEC, versions)


def change(value: object, key: bytes | None = b"p1", versions: Versions = "message") -> Change:
    found = read(value, key, versions)
    assert isinstance(found, Change), found
    return found


class TestChange:
    def test_a_change_has_its_own_id_and_version(self):
        found = change({"op": "update", "id": "p2", "version": 7, "document": {"price": "9.5"}})
        assert (found.op, found.id, found.version) == ("update", "p2", 7)
        assert found.document == {"price": 9.5}

    def test_the_key_and_the_timestamp_stand_in_for_what_it_does_not_say(self):
        found = change({"op": "update", "document": {"price": 9}})
        assert (found.id, found.version) == ("p1", TIME)
        assert found.record.fields["id"] == "p1"  # complete, should it become a dead letter
        assert found.record.fields["version"] == TIME

    def test_a_document_keeps_its_own_id_whatever_the_key(self):
        document = {"sku": "p9", "title": "shoe"}
        assert change({"op": "index", "document": document}, b"tenant-4").id == "p9"
        assert change({"op": "index", "document": {"title": "shoe"}}, b"p8").id == "p8"

    def test_the_key_of_an_update_must_fit_its_document(self):
        found = read({"op": "update", "document": {"sku": "p9"}}, b"p8")
        assert isinstance(found, Failure)
        assert found.reason == "id 'p8': the document has another, 'sku' is 'p9'"

    def test_a_tombstone_is_a_delete(self):
        found = change(None)
        assert (found.op, found.id, found.version) == ("delete", "p1", TIME)

    def test_versions_by_timestamp_pass_over_those_of_messages(self):
        value = {"op": "delete", "version": 7}
        assert change(value, versions="timestamp").version == TIME
        assert change(value).version == 7
        assert change(value | {"version": 0}).version == 0

    def test_its_place_is_partition_and_offset(self):
        for found in (change(None).record, read(b"?")):
            assert (found.row, found.line) == (3, 17)

    @pytest.mark.parametrize(
        ("value", "key", "reason"),
        [
            (b"{", b"p1", "not JSON: "),
            (b"\xff\xfe", b"p1", "not JSON: "),
            ([1], b"p1", "not a JSON object but list"),
            (b"", b"p1", "not JSON: "),
            (None, None, "neither key nor value"),
            (None, b"", "neither key nor value"),
            (None, b"\xff", "is no UTF-8, but stands for the id"),
            ({"document": {}}, b"p1", "op None: one of index, update, delete"),
            ({"op": "update", "document": {}}, None, "id: op update needs the id"),
            ({"op": "delete", "version": -1}, b"p1", "version -1: an integer from 0"),
        ],
    )
    def test_what_is_no_change_is_a_failure_with_its_place(self, value, key, reason):
        found = read(value, key)
        assert isinstance(found, Failure)
        assert reason in found.reason
        assert (found.row, found.line) == (3, 17)

    def test_a_record_without_a_timestamp_needs_a_version(self):
        found = read({"op": "delete"}, time=None)
        assert isinstance(found, Failure)
        assert "neither the message nor its record has a version" in found.reason
        assert isinstance(read({"op": "delete", "version": 7}, time=None), Change)

    def test_a_failure_keeps_what_the_message_was(self):
        found = read(b"{no json")
        assert isinstance(found, Failure)
        assert (found.id, found.document) == ("p1", "{no json")
        assert read(b'"%b"' % (b"x" * 5_000)).document == f'"{"x" * 5_000}"'
        assert read({"op": "replace"}).id == "p1"


class TestSettings:
    def settings(self, **options: str) -> TopicSettings:
        return TopicSettings("t", "127.0.0.1:1", "g", options)

    def test_options_are_given_on_and_the_guarantee_stays(self):
        config = self.settings(**{"client.id": "shop", "session.timeout.ms": "6000"}).config()
        assert (config["client.id"], config["session.timeout.ms"]) == ("shop", "6000")
        assert (config["enable.auto.commit"], config["auto.offset.reset"]) == (False, "earliest")

    @pytest.mark.parametrize("name", ["enable.auto.commit", "enable.partition.eof", "group.id"])
    def test_what_the_guarantee_depends_on_cannot_be_set(self, name):
        with pytest.raises(InputError, match=f"the option '{name}' cannot be given"):
            self.settings(**{name: "true"}).config()

    def test_the_brokers_can_be_in_the_options(self):
        settings = TopicSettings("t", None, "g", {"bootstrap.servers": "b:9092"})
        assert settings.config()["bootstrap.servers"] == "b:9092"
        with pytest.raises(InputError, match="give --bootstrap HOST:PORT"):
            TopicSettings("t", None, "g").config()

    def test_values_of_options_are_shown_nowhere(self):
        settings = self.settings(**{"sasl.password": "hunter22"})
        assert "hunter22" not in repr(settings)
        assert settings.hide("Invalid value hunter22") == "Invalid value …"

    def test_without_the_library(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "confluent_kafka", None)
        with pytest.raises(MissingExtraError, match="a Kafka topic needs the extra 'kafka'"):
            load_kafka()


class TestOptions:
    def write(self, folder: Path, text: str, mode: int = 0o600) -> Path:
        path = folder / "kafka.properties"
        path.write_text(text)
        path.chmod(mode)
        return path

    def test_lines_of_key_and_value(self, tmp_path):
        text = "# ours\n\nsecurity.protocol = SASL_SSL\nsasl.password=a=b #c\nclient.rack=\n"
        assert read_options(self.write(tmp_path, text)) == {
            "security.protocol": "SASL_SSL",
            "sasl.password": "a=b #c",
            "client.rack": "",
        }

    @pytest.mark.parametrize("line", ["hunter22", "=hunter22"])
    def test_a_line_that_is_none_is_named_but_not_shown(self, tmp_path, line):
        with pytest.raises(InputError, match=r"line 2 is not key=value") as caught:
            read_options(self.write(tmp_path, f"a=b\n{line}\n"))
        assert "hunter22" not in str(caught.value)

    def test_secrets_that_others_can_read(self, tmp_path):
        path = self.write(tmp_path, "sasl.password=hunter22\n", 0o640)
        with pytest.raises(InputError, match=r"'sasl.password' .*mode 0640.*chmod 600") as caught:
            read_options(path)
        assert "hunter22" not in str(caught.value)
        assert read_options(self.write(tmp_path, "client.id=shop\n", 0o644)) == {
            "client.id": "shop"
        }

    def test_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(InputError, match=f"{os.sep}none: no such file"):
            read_options(tmp_path / "none")
        (tmp_path / "binary").write_bytes(b"\xff\xfe")
        with pytest.raises(InputError, match="not UTF-8"):
            read_options(tmp_path / "binary")


class TestBatch:
    def batch(self) -> Batch:
        found = Batch()
        for partition, offset, time in [(0, 4, 50), (1, 9, None), (0, 5, 40), (1, 10, 70)]:
            found.add(Message(partition, offset, b"k", b"{}", time))
        return found

    def test_it_knows_the_place_behind_each_partition_and_the_latest_timestamp(self):
        assert self.batch().ends == {0: Place(6, 50), 1: Place(11, 70)}

    def test_the_end_of_a_partition_can_be_behind_its_last_message(self):
        batch = self.batch()
        batch.reach(0, 8)
        batch.reach(2, 0)
        assert batch.ends == {0: Place(8, 50), 1: Place(11, 70), 2: Place(0)}

    def test_partitions_that_go_take_their_messages_along(self):
        batch = self.batch()
        batch.drop([0, 5])
        assert [one.offset for one in batch.messages] == [9, 10]
        assert batch.ends == {1: Place(11, 70)}

    def test_what_others_noted_beside_an_offset_is_no_timestamp(self):
        assert Place.parse(7, "by hand") == Place.parse(7, None) == Place.parse(7, "") == Place(7)

    def test_the_lag_of_a_topic_is_that_of_its_partitions(self):
        assert TopicLag("t", "g", {0: 3, 1: 4}, None).messages == 7
