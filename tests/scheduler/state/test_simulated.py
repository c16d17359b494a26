"""The machines of scheduler and workers together, in simulated clusters (see simulator)."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scheduler.state.sim_model import Chaos
from tests.scheduler.state.simulator import World


def everything(seed: int) -> Chaos:
    """Accidents of several kinds at once, chosen by the seed."""
    rnd = random.Random(seed * 7 + 1)

    def count(most: int) -> int:
        return rnd.choice((0, 0, rnd.randint(1, most)))

    def rate(most: float) -> float:
        return rnd.choice((0.0, 0.0, most))

    return Chaos(
        kills=count(8),
        freezes=count(3),
        cuts=count(3),
        retires=count(3),
        joins=count(3),
        clock_jumps=count(3),
        repeat=rate(0.1),
        lose=rate(0.02),
        flaky_fetch=rate(0.05),
        damage=rate(0.02),
        pressure=rate(0.3),
        failing=rate(0.05),
        poison=rate(0.01),
        cancels=count(2),
        clients_gone=rnd.choice((0, 0, 0, 1)),
    )


def play(seed: int, chaos: Chaos, workers: int | None = None) -> World:
    """One story of the size that the seed chooses."""
    world = World(seed, chaos, workers=workers or random.Random(seed).randint(1, 6))
    world.story(clients=1 + seed % 3, runs=1 + seed % 4, tasks=(5, 15, 40)[seed % 3])
    return world


@settings(max_examples=40)
@given(st.integers(0, 1 << 32))
def test_without_accidents(seed: int) -> None:
    play(seed, Chaos())


@settings(max_examples=60)
@given(st.integers(0, 1 << 32))
def test_with_accidents(seed: int) -> None:
    play(seed, everything(seed))


ONE_KIND = {
    "kills": Chaos(kills=6),
    "freezes": Chaos(freezes=3),
    "cuts": Chaos(cuts=3),
    "retires": Chaos(retires=3, joins=3),
    "clock jumps": Chaos(clock_jumps=5, freezes=1),
    "repeated messages": Chaos(repeat=0.2, kills=2, pressure=0.2),
    "lost messages": Chaos(lose=0.03),
    "fetches that fail": Chaos(flaky_fetch=0.1, damage=0.05),
    "short memory": Chaos(pressure=0.6),
    "tasks that raise": Chaos(failing=0.1),
    "tasks that kill": Chaos(poison=0.02),
    "clients": Chaos(cancels=2, clients_gone=1),
}


@pytest.mark.parametrize("kind", ONE_KIND)
def test_one_kind_of_accident(kind: str) -> None:
    for seed in range(6):
        play(seed, ONE_KIND[kind])


def test_the_same_seed_is_the_same_story() -> None:
    one, two = (play(11, everything(11)) for _ in range(2))
    assert (one.steps, one.executed, one.now) == (two.steps, two.executed, two.now)


def test_a_wrong_value_is_found() -> None:
    world = World(1, Chaos())
    original = world.expected
    world.expected = lambda key: original(key) + 1  # type: ignore[method-assign]
    with pytest.raises(AssertionError, match=r"seed 1, .* wrong value"):
        world.story()


@pytest.mark.heavy
@pytest.mark.parametrize("block", range(10))
def test_many_stories(block: int) -> None:
    for seed in range(10_000 + block * 50, 10_050 + block * 50):
        play(seed, everything(seed))


@pytest.mark.heavy
def test_a_thousand_workers_come_and_go() -> None:
    chaos = Chaos(kills=100, freezes=20, retires=50, joins=50, repeat=0.01, cancels=1)
    world = World(5, chaos, workers=1000, check_every=500)
    world.story(clients=3, runs=3, tasks=400, seconds=3.0)
    assert world.executed > 1000
