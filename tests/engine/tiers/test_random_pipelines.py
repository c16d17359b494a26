"""Random pipelines give the same in both tiers, or raise the same error.

Most run with every address checked, which compiles quickly; some as users run them, optimized and
without checks, and some on threads with many small batches.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plait.engine.operators import group_table, key_ranges, loop_index, loops, probing
from tests.differential.systems import CHECKED
from tests.engine.tiers.pipelines import random_pipeline
from tests.engine.tiers.systems import OPTIMIZED, check, check_crowded

SEEDS = st.integers(0, 1 << 32)
QUICK, HEAVY = 16, 100
AS_IT_IS = [HealthCheck.function_scoped_fixture]


@pytest.fixture(params=[1 << 24, 4], ids=["ranked", "hashed"])
def little_room(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows take the paths of many: tables and buffers grow, dense keys are ranked or hashed."""
    monkeypatch.setattr(key_ranges, "DIRECT_SLOTS", 16)
    monkeypatch.setattr(key_ranges, "MOST_SLOTS", 16)
    monkeypatch.setattr(loops, "PACKED", 1 << 20)
    monkeypatch.setattr(loops, "_MANY_ROWS", 2)
    monkeypatch.setattr(loops, "_LARGE", 0)
    monkeypatch.setattr(probing, "LARGE", 0)
    monkeypatch.setattr(group_table, "_FIRST", 2)
    monkeypatch.setattr(loop_index, "_SLOTS_FOR_ALL", 4)
    monkeypatch.setattr(loop_index, "_SLOTS_PER_KEY", 1)
    monkeypatch.setattr(loop_index, "_BITS_FOR_ALL", request.param)
    monkeypatch.setattr(loop_index, "_BITS_PER_KEY", min(request.param, 256))


@settings(max_examples=QUICK)
@given(SEEDS)
def test_random_pipelines(seed: int) -> None:
    check(random_pipeline(Random(seed)))


@settings(max_examples=QUICK // 2, suppress_health_check=AS_IT_IS)
@given(SEEDS)
def test_random_pipelines_with_little_room(little_room: None, seed: int) -> None:
    check(random_pipeline(Random(seed)))


@settings(max_examples=QUICK // 4, suppress_health_check=AS_IT_IS)
@given(SEEDS)
def test_random_pipelines_as_users_run_them(little_room: None, seed: int) -> None:
    check(random_pipeline(Random(seed)), OPTIMIZED)


@settings(max_examples=QUICK // 2, suppress_health_check=AS_IT_IS)
@given(SEEDS)
def test_random_pipelines_on_threads(little_room: None, seed: int) -> None:
    check_crowded(random_pipeline(Random(seed)), CHECKED)


@pytest.mark.heavy
@pytest.mark.timeout(1800)
@settings(max_examples=HEAVY)
@given(SEEDS)
def test_many_random_pipelines(seed: int) -> None:
    check(random_pipeline(Random(seed)))


@pytest.mark.heavy
@pytest.mark.timeout(1800)
@settings(max_examples=HEAVY // 2, suppress_health_check=AS_IT_IS)
@given(SEEDS)
def test_many_random_pipelines_with_little_room(little_room: None, seed: int) -> None:
    check(random_pipeline(Random(seed)))


@pytest.mark.heavy
@pytest.mark.timeout(1800)
@settings(max_examples=HEAVY // 2)
@given(SEEDS)
def test_many_random_pipelines_as_users_run_them(seed: int) -> None:
    check(random_pipeline(Random(seed)), OPTIMIZED)


@pytest.mark.heavy
@pytest.mark.timeout(1800)
@settings(max_examples=HEAVY // 4, suppress_health_check=AS_IT_IS)
@given(SEEDS)
def test_many_random_pipelines_on_threads(little_room: None, seed: int) -> None:
    check_crowded(random_pipeline(Random(seed)), OPTIMIZED)
