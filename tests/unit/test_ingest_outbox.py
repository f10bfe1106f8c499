"""What is handed to connections: everything, in requests that fit, never two of one id at once."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import pytest

from kokeshi.encoders import Record
from kokeshi.ingest.actions import Action
from kokeshi.ingest.outbox import Outbox
from kokeshi.ingest.pace import Pace
from kokeshi.ingest.queues import ByteQueue, Stopped

WAIT_S = 10.0
"""For another thread; it is over sooner where all is well."""


def action(id_: str, line: int = 1) -> Action:
    return Action(id_, Record(line - 1, line, {}), b"0123456789")


def outbox(*shares: str) -> Outbox:
    """Return one of shares of actions, each named by its letters; lines count on."""
    lines = iter(range(1, 100))
    return Outbox(queue([action(id_, next(lines)) for id_ in share] for share in shares))


def queue(shares: Iterable[list[Action]], *, ended: bool = True) -> ByteQueue[list[Action]]:
    found = ByteQueue[list[Action]](10_000)
    for share in shares:
        found.put(share, 1)
    if ended:
        found.end()
    return found


def ids(batch: list[Action]) -> str:
    return "".join(one.id for one in batch)


@pytest.fixture
def pace() -> Pace:
    return Pace(30)


def test_shares_are_put_together_to_requests_that_fit(pace):
    box = outbox("ab", "cdefg", "h")
    assert [ids(box.take(pace)) for _ in range(4)] == ["abc", "def", "gh", ""]
    assert box.take(pace) == []


def test_of_an_id_under_way_nothing_is_taken(pace):
    box = outbox("abc", "xay", "azz")
    first = box.take(pace)
    assert ids(first) == "abc"
    second = box.take(pace)
    assert ids(second) == "xy"
    box.release(first)
    assert [(one.id, one.record.line) for one in box.take(pace)] == [("a", 5), ("a", 7), ("z", 8)]


def test_an_id_may_be_twice_in_one_request(pace):
    assert ids(outbox("aab").take(pace)) == "aab"


def test_what_can_only_wait_is_taken_after_the_release(pace):
    box = outbox("aaa", "aaa")
    first = box.take(pace)
    taken: list[str] = []
    other = threading.Thread(target=lambda: taken.append(ids(box.take(pace))))
    other.start()
    other.join(0.05)
    assert taken == []
    box.release(first)
    other.join(WAIT_S)
    assert taken == ["aaa"]


def test_stopping_ends_the_wait_for_a_release(pace):
    box = outbox("aaa", "aaa")
    box.take(pace)
    stopped = threading.Event()

    def take() -> None:
        try:
            box.take(pace)
        except Stopped:
            stopped.set()

    other = threading.Thread(target=take)
    other.start()
    box.stop()
    other.join(WAIT_S)
    assert stopped.is_set()


def test_nothing_is_taken_after_stopping(pace):
    box = outbox("abc")
    box.stop()
    with pytest.raises(Stopped):
        box.take(pace)


def test_no_more_is_taken_from_the_queue_than_a_request_needs(pace):
    waiting = queue([action(str(number))] for number in range(10))
    assert len(Outbox(waiting).take(pace)) == 3
    assert len(waiting) == 6


def test_an_engine_with_nothing_to_do_gets_what_there_is(pace):
    waiting = queue([[action("a")]], ended=False)
    box = Outbox(waiting)
    assert ids(box.take(pace)) == "a"
    for id_ in "bcd":
        waiting.put([action(id_)], 1)
    waiting.end()
    assert ids(box.take(pace)) == "bcd"


def test_a_queue_can_be_bounded_by_number_too():
    bounded = ByteQueue[int](10_000, 2)
    ahead = []

    def fill() -> None:
        for number in range(10):
            bounded.put(number, 1)
            ahead.append(number)
        bounded.end()

    thread = threading.Thread(target=fill)
    thread.start()
    for count, _ in enumerate(bounded, start=1):
        assert len(ahead) <= count + 3  # two that wait, one taken, one that is put meanwhile
    thread.join(WAIT_S)
    assert len(ahead) == 10


def test_connections_at_once_take_each_action_once_and_those_of_an_id_in_order():
    names = "abcdefg" * 300
    box = Outbox(queue([[action(id_, line) for line, id_ in enumerate(names, start=1)]]))
    done: dict[str, list[int]] = {id_: [] for id_ in "abcdefg"}

    def send() -> None:
        pace = Pace(40)
        while batch := box.take(pace):
            for one in batch:
                done[one.id].append(one.record.line)
            box.release(batch)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    for place, id_ in enumerate("abcdefg", start=1):
        assert done[id_] == list(range(place, len(names) + 1, 7))
