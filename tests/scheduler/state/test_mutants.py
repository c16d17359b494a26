"""The tests of the machines find faults: a handful here, all by `make mutants`."""

from __future__ import annotations

import pytest

from tests.scheduler.state.mutants import CONTROL, MUTANTS, Mutant, found

HANDFUL = MUTANTS[::8]


def test_there_are_enough_of_them() -> None:
    assert len(MUTANTS) >= 20
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.heavy
@pytest.mark.parametrize("mutant", HANDFUL, ids=lambda mutant: mutant.name)
def test_found(mutant: Mutant) -> None:
    assert found(mutant)


@pytest.mark.heavy
def test_what_is_no_fault_is_not_found() -> None:
    assert not found(CONTROL)
