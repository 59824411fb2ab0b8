"""Ids are unique and sort in the order they were made."""

import threading
import time

import pytest
from cavra_evidence import guard
from cavra_evidence.ids import new_id


def test_ids_sort_in_the_order_they_were_made() -> None:
    made = [new_id("rcd") for _ in range(10_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_an_id_is_of_the_grammar() -> None:
    assert guard.matches("id", new_id("gordackretryapprovaldecision"))


def test_threads_never_make_the_same_id() -> None:
    made: list[list[str]] = [[] for _ in range(4)]

    def make(into: list[str]) -> None:
        into += [new_id("rcd") for _ in range(5_000)]

    threads = [threading.Thread(target=make, args=(into,)) for into in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stamps = [one[:20] for into in made for one in into]
    assert len(set(stamps)) == len(stamps), "the time-ordered half alone is unique within a process"
    assert all(into == sorted(into) for into in made)


def test_ids_stay_in_order_when_the_clock_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = new_id("rcd")
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert new_id("rcd") > before
