"""The tests of the machines find faults: a handful here, all by `make mutants`."""

from __future__ import annotations

import pytest

from tests.scheduler.state.mutants import CONTROL, MUTANTS, Mutant, found, occurrences

HANDFUL = MUTANTS[::8]


def test_there_are_enough_of_them() -> None:
    assert len(MUTANTS) >= 20
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_each_changes_one_place() -> None:
    """A text that the code has moved away from would change nothing, and be tried by nobody."""
    counts = {mutant.name: occurrences(mutant) for mutant in (CONTROL, *MUTANTS)}
    assert {name: count for name, count in counts.items() if count != 1} == {}


@pytest.mark.heavy
@pytest.mark.parametrize("mutant", HANDFUL, ids=lambda mutant: mutant.name)
def test_found(mutant: Mutant) -> None:
    assert found(mutant)


@pytest.mark.heavy
def test_what_is_no_fault_is_not_found() -> None:
    assert not found(CONTROL)
