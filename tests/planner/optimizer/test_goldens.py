"""Every golden statement: the plan that its rules make, and that plan's answer.

DuckDB runs the statement as it stands, and the plan with the rules applied and without them
(written back to SQL, `as_duckdb`): a rule that changes an answer fails here, without our engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from plait.planner.catalog import MemoryCatalog
from plait.planner.logical import LogicalPlan
from plait.planner.optimizer.pipeline import RULES, optimize
from plait.planner.sql.statements import bind_query_text
from tests.assertions import assert_same_rows
from tests.planner.optimizer.as_duckdb import MERGES, as_duckdb
from tests.planner.optimizer.golden import Case, Golden, context, files
from tests.planner.optimizer.tables import small_catalog, small_tables, tpch_catalog

GOLDENS = files()
CASES = [(golden, case) for golden in GOLDENS for case in golden.cases]
REQUIRED = tuple(rule for rule in RULES if rule.required)


@pytest.fixture(scope="module")
def catalogs() -> dict[str, MemoryCatalog]:
    return {"small": small_catalog(small_tables()), "tpch": tpch_catalog()}


@pytest.fixture(scope="module")
def duck(tpch_dir: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect(":memory:")
    connection.execute(MERGES)
    for name, table in small_tables().items():
        connection.register(name, table)
    for path in sorted(tpch_dir.glob("*.parquet")):
        connection.execute(f"CREATE VIEW {path.stem} AS SELECT * FROM '{path}'")
    yield connection
    connection.close()


def planned(golden: Golden, case: Case, catalogs: dict[str, MemoryCatalog]) -> LogicalPlan:
    plan = bind_query_text(case.sql, catalogs[golden.tables])
    return optimize(plan, context(), rules=golden.applied)


@pytest.mark.parametrize("golden", GOLDENS, ids=lambda g: g.path.stem)
def test_plans(golden: Golden, catalogs: dict[str, MemoryCatalog], update_golden: bool) -> None:
    plans = {case: planned(golden, case, catalogs) for case in golden.cases}
    if update_golden:
        golden.write(plans)
    else:
        for case, plan in plans.items():
            assert str(plan) == case.plan, f"{case}: {case.sql}"


@pytest.mark.parametrize(
    ("golden", "case"), CASES, ids=lambda x: str(x) if isinstance(x, Case) else ""
)
def test_answers(
    golden: Golden,
    case: Case,
    catalogs: dict[str, MemoryCatalog],
    duck: duckdb.DuckDBPyConnection,
) -> None:
    expected = duck.sql(case.sql).to_arrow_table()
    bound = bind_query_text(case.sql, catalogs[golden.tables])
    for rules in (golden.applied, REQUIRED):
        plan = optimize(bound, context(), rules=rules)
        assert_same_rows(duck.sql(as_duckdb(plan)).to_arrow_table(), expected, names=False)


@pytest.mark.parametrize("golden", GOLDENS, ids=lambda g: g.path.stem)
def test_rules_are_idempotent(golden: Golden, catalogs: dict[str, MemoryCatalog]) -> None:
    for case in golden.cases:
        once = planned(golden, case, catalogs)
        again = optimize(once, context(), rules=golden.applied)
        assert str(again) == str(once), f"{case}: {case.sql}"
