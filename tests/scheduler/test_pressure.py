"""Near its limit a worker gives up caches first, and then keeps fewer results in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from plait.scheduler import context
from plait.scheduler.pressure import Pressure
from plait.scheduler.scratch import ScratchFolder
from plait.scheduler.store import Store

LIMIT = 1_000_000


@pytest.fixture
def store(tmp_path: object) -> Iterator[Store]:
    folder = ScratchFolder(str(tmp_path))
    yield Store(folder)
    folder.remove()


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What a cache has left, as its only item."""
    left = [100_000]

    def give(count: int) -> int:
        given = min(count, left[0])
        left[0] -= given
        return given

    monkeypatch.setattr(context, "_caches", [])
    context.when_short(give)
    return left


def test_caches_go_before_results(store: Store, cache: list[int]) -> None:
    pressure = Pressure(store, LIMIT)
    store.put(1, bytes(300_000))
    pressure.look(500_000)
    assert (cache, store.limit) == ([100_000], 600_000)
    pressure.look(650_000)
    assert (cache, store.limit) == ([50_000], 600_000)
    pressure.look(750_000)
    # 150 000 too much, of which the cache had 50 000
    assert cache == [0]
    assert store.settle(10)
    limit = store.limit
    assert limit is not None
    assert limit <= 300_000 - 100_000 + 1000
    assert (store.bytes, store.spilled) == (0, store.size(1))
    assert store.get(1) == bytes(300_000)
    pressure.look(400_000)
    assert store.limit == 600_000


def test_without_a_limit_nothing_happens(store: Store, cache: list[int]) -> None:
    Pressure(store, None).look(1 << 50)
    assert (cache, store.limit) == ([100_000], None)
