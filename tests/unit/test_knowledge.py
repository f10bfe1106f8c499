from __future__ import annotations

import pytest

from kokeshi import F
from kokeshi.knowledge import FRESH_S, MOST, Knowledge
from kokeshi.plans import Known


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def knowledge(clock) -> Knowledge:
    return Knowledge(clock)


CHEAP = F.price < 50


def test_nothing_is_known_at_first(knowledge):
    assert knowledge.find(None) is None
    assert knowledge.find(CHEAP) is None


def test_a_filter_needs_the_count_of_all_documents_too(knowledge):
    knowledge.learn(CHEAP, 7, shards=1)
    assert knowledge.find(CHEAP) is None
    knowledge.learn(None, 100, shards=3)
    assert knowledge.find(CHEAP) == Known(documents=100, kept=7, shards=3)
    assert knowledge.find(None) == Known(documents=100, kept=100, shards=3)


def test_an_equal_filter_is_the_same(knowledge):
    knowledge.learn(None, 100, shards=1)
    knowledge.learn(F.price < 50, 7, shards=1)
    assert knowledge.find(F.price < 50).kept == 7
    assert knowledge.find(F.price < 51) is None


def test_a_count_holds_for_a_while(knowledge, clock):
    knowledge.learn(None, 100, shards=1)
    clock.now = FRESH_S
    assert knowledge.find(None).documents == 100
    clock.now = FRESH_S + 0.001
    assert knowledge.find(None) is None


def test_a_count_taken_while_documents_went_is_no_more_than_all(knowledge):
    knowledge.learn(CHEAP, 120, shards=1)
    knowledge.learn(None, 100, shards=1)
    assert knowledge.find(CHEAP).kept == 100


def test_the_least_recently_used_is_forgotten(knowledge):
    knowledge.learn(None, 100, shards=1)
    knowledge.learn(CHEAP, 7, shards=1)
    for price in range(MOST - 2):
        knowledge.learn(F.price == price, 1, shards=1)
        knowledge.find(CHEAP)
    knowledge.learn(F.price == -1, 1, shards=1)
    assert knowledge.find(CHEAP).kept == 7
    assert knowledge.find(F.price == 0) is None


def test_all_is_forgotten_of_another_index(knowledge):
    knowledge.learn(None, 100, shards=3)
    knowledge.forget()
    assert knowledge.find(None) is None
