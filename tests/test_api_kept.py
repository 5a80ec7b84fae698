"""Values are made once and kept up to a number of bytes, the ones used last."""

from __future__ import annotations

import threading
import time

import pytest

from api.kept import Kept


def test_a_value_is_made_once_and_the_one_not_used_longest_goes_first() -> None:
    made: list[str] = []
    kept = Kept[str](10, len)

    def get(key: str, value: str) -> str:
        return kept.get(key, lambda: made.append(key) or value)  # type: ignore[func-returns-value]

    assert get("a", "aaaa") == get("a", "other") == "aaaa"
    get("b", "bbbb")
    get("a", "")
    get("c", "cccc")
    assert made == ["a", "b", "c"]
    get("a", "")
    get("b", "bbbb")
    assert made == ["a", "b", "c", "b"], "b had to go for c, for a was used later"


def test_one_that_is_larger_than_the_room_is_given_but_not_kept() -> None:
    kept = Kept[str](3, len)
    assert kept.get("a", lambda: "aaaa") == "aaaa"
    assert kept.get("a", lambda: "bb") == "bb"


def test_threads_that_ask_at_the_same_time_get_one_value() -> None:
    kept, made = Kept[str](100, len), []

    def make() -> str:
        made.append(1)
        time.sleep(0.05)
        return "value"

    threads = [threading.Thread(target=kept.get, args=("key", make)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_a_value_that_could_not_be_made_is_tried_again() -> None:
    kept = Kept[str](100, len)

    def fail() -> str:
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        kept.get("a", fail)
    assert kept.get("a", lambda: "there") == "there"
