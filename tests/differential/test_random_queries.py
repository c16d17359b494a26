"""Random queries: plait, optimized or not, in one partition or seven, tells what DuckDB tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import pytest

from tests.differential.queries import Case, random_case
from tests.differential.reduce import smallest
from tests.differential.systems import WAYS, Refused, Way, check, outcome, some_ways

QUICK = 40
HEAVY = 240
A_TEST = 20  # queries: enough to make fixtures cheap, few enough to spread over processes


@pytest.mark.parametrize("first", range(0, QUICK, A_TEST))
def test_random_queries(first: int) -> None:
    _answer_like_duckdb(range(first, first + A_TEST), lambda _: WAYS)


@pytest.mark.heavy
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("first", range(QUICK, HEAVY, 5 * A_TEST))
def test_many_random_queries(first: int) -> None:
    _answer_like_duckdb(range(first, first + 5 * A_TEST), lambda seed: some_ways(Random(seed)))


def test_most_queries_are_answered() -> None:
    """The generator is worth nothing if the systems refuse what it makes."""
    refused = 0
    for seed in range(A_TEST):
        case = random_case(Random(seed))
        try:
            check(case.sql, case.tables, names=False, lenient=True, ways=WAYS[:1])
        except Refused:
            refused += 1
    assert refused <= A_TEST // 4


def _answer_like_duckdb(seeds: range, ways: Callable[[int], Sequence[Way]]) -> None:
    for seed in seeds:
        case = random_case(Random(seed))
        problem = outcome(case.sql, case.tables, ordered=case.ordered, ways=ways(seed))
        if problem:
            pytest.fail(f"query {seed}\n{_report(case, problem)}")


def _report(case: Case, problem: str) -> str:
    """The smallest query that fails in the same manner, on the fewest rows."""
    manner = _manner(problem)

    def fails(sql: str, tables: object) -> bool:
        found = outcome(sql, tables, ordered=case.ordered and "ORDER BY" in sql.upper())  # type: ignore[arg-type]
        return bool(found) and _manner(found) == manner

    sql, tables = smallest(case.sql, case.tables, fails)
    shown = [
        f"{name}: {table.schema.to_string(show_schema_metadata=False)}\n{table.to_pylist()}"
        for name, table in tables.items()
    ]
    return "\n".join([sql, *shown, outcome(sql, tables, ordered=case.ordered)])


def _manner(problem: str) -> str:
    """What sort of failure it is: wrong rows, or the first words of an error."""
    first, _, rest = problem.partition("\n")
    return rest[:40] if "rais" in first or "fails" in first else "rows"
