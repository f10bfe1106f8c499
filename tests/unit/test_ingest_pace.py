"""How large requests are: smaller after a busy or slow answer, larger again after good ones."""

from __future__ import annotations

import pytest

from kokeshi.encoders import Record
from kokeshi.ingest.actions import Action
from kokeshi.ingest.pace import SLOW_S, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock) -> Pace:
    return Pace(6_400, 640, clock=clock)


def answer(pace: Pace, clock: Clock, *, seconds: float = 0.1, busy: bool = False) -> None:
    pace.begin()
    clock.now += seconds
    pace.end(busy=busy)


def actions(*sizes: int) -> list[Action]:
    return [Action(str(n), Record(n, n + 1, {}), b"x" * size) for n, size in enumerate(sizes)]


def test_it_begins_with_the_full_size(pace):
    assert (pace.bytes, pace.documents) == (6_400, 640)


def test_a_busy_engine_gets_half(pace, clock):
    answer(pace, clock, busy=True)
    assert (pace.bytes, pace.documents) == (3_200, 320)


def test_a_slow_engine_gets_half(pace, clock):
    answer(pace, clock, seconds=SLOW_S + 1)
    assert (pace.bytes, pace.documents) == (3_200, 320)


def test_it_never_ends_at_nothing(pace, clock):
    for _ in range(100):
        answer(pace, clock, busy=True)
    assert (pace.bytes, pace.documents) == (100, 10)


def test_it_grows_back_and_no_further(pace, clock):
    answer(pace, clock, busy=True)
    sizes = []
    for _ in range(10):
        answer(pace, clock)
        sizes.append(pace.bytes)
    assert sizes == sorted(sizes)
    assert sizes[0] == 3_600
    assert sizes[-1] == 6_400


def test_a_request_that_is_too_large_lowers_the_full_size_for_good(pace, clock):
    pace.refuse(5_000)
    for _ in range(20):
        answer(pace, clock)
    assert pace.bytes == 2_500
    pace.refuse(90_000)
    assert pace.bytes == 2_500


@pytest.mark.parametrize("jump", [-1e9, 1e9])
def test_a_clock_that_jumps_costs_at_most_one_half(pace, clock, jump):
    answer(pace, clock, seconds=jump)
    assert pace.bytes in (3_200, 6_400)
    for _ in range(10):
        answer(pace, clock)
    assert pace.bytes == 6_400


@pytest.mark.parametrize(
    ("sizes", "taken"),
    [
        ((6_000, 400), 2),
        ((6_000, 401), 1),
        ((9_000, 1), 1),
        ((1,) * 640, 640),
        ((1,) * 641, 640),
    ],
)
def test_a_cut_fits_or_is_a_single_document(pace, sizes, taken):
    made = actions(*sizes)
    assert pace.cut(made) == made[:taken]
