"""The pipeline: what it refuses, what it reports, and long conditions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plait.errors import PlanError
from plait.planner import builder
from plait.planner import types as t
from plait.planner.expr import Call, Column, Expr, Literal
from plait.planner.functions import registry
from plait.planner.functions.signature import Volatility
from plait.planner.logical import Filter, LogicalPlan, Project
from plait.planner.optimizer.pipeline import RULES, optimize
from plait.planner.optimizer.rule import Rule, RuleContext
from plait.planner.optimizer.simplify_expressions import simplify
from plait.planner.sql.statements import bind_query_text
from tests.planner.optimizer.golden import context
from tests.planner.optimizer.tables import small_catalog, small_tables

CATALOG = small_catalog(small_tables())


def bound(sql: str) -> LogicalPlan:
    return bind_query_text(sql, CATALOG)


def test_names_are_unique() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_a_rule_that_changes_columns_is_named() -> None:
    def drop(plan: LogicalPlan, context: RuleContext) -> LogicalPlan:
        return builder.select(plan, plan.schema.names[:1])

    with pytest.raises(PlanError, match="'drop_columns' changed the columns"):
        optimize(bound("from r"), rules=[Rule("drop_columns", drop)])


def test_a_rule_that_changes_types_is_named() -> None:
    def widen(plan: LogicalPlan, context: RuleContext) -> LogicalPlan:
        columns = [(f.name, builder.cast(Column(f.name, f.type), t.INT64)) for f in plan.schema]
        return Project(plan, tuple(columns))

    with pytest.raises(PlanError, match="'widen' changed the columns"):
        optimize(bound("from r"), rules=[Rule("widen", widen)])


def test_rules_can_be_left_out() -> None:
    plan = bound("select a from r where b = 1")
    assert "columns=[a, b]" in str(optimize(plan))
    assert "columns=" not in str(optimize(plan, disabled=["prune_columns"]))


def test_unknown_rules_and_needed_ones_are_refused() -> None:
    with pytest.raises(PlanError, match="Did you mean 'prune_columns'"):
        optimize(bound("from r"), disabled=["prune_colums"])
    with pytest.raises(PlanError, match="'decorrelate' cannot be left out"):
        optimize(bound("from r"), disabled=["decorrelate"])


def test_every_rule_is_observed() -> None:
    seen: list[str] = []
    plan = bound("select a from r where b = 1")
    last = plan

    def observe(rule: Rule, after: LogicalPlan, seconds: float) -> None:
        nonlocal last
        seen.append(rule.name)
        last = after
        assert seconds >= 0

    result = optimize(plan, observe=observe)
    assert seen == [rule.name for rule in RULES]
    assert last is result


def test_a_plan_without_work_comes_back_as_it_was() -> None:
    plan = bound("from r")
    assert optimize(plan) is plan


def test_subqueries_must_stand_in_a_query_that_has_their_columns() -> None:
    from_nowhere = bound("select a from r where exists (select 1 from s where d = r.a)")
    assert isinstance(from_nowhere, Project)
    inner = from_nowhere.input
    assert isinstance(inner, Filter)
    broken = replace(inner, input=CATALOG.table(["t"]))
    with pytest.raises(PlanError, match="No query around the subquery has the columns a"):
        optimize(broken)


# --------------------------------------------------------------------------------- constants


def test_volatile_calls_are_not_folded() -> None:
    folded: list[Expr] = []

    def fold(e: Expr) -> Literal | None:
        folded.append(e)
        return None

    optimize(bound("select random() + 1 as x, 1 + 1 as y from r"), RuleContext(fold=fold))
    assert [str(e) for e in folded] == ["(1 + 1)"]


def test_what_cannot_be_evaluated_is_left() -> None:
    plan = optimize(bound("select cast('x' as int) + (1 + 1) as x from r"), context())
    assert "(CAST('x' AS INTEGER) + 2)" in str(plan)


def test_equal_calls_get_equal_values() -> None:
    """Such as now(), which is one value within a query."""
    values = iter(range(100))
    varying = [f for f in registry.SCALARS.values() if f.volatility is Volatility.QUERY]
    assert varying
    sql = f"select {varying[0].name}() as x, {varying[0].name}() as y"
    plan = optimize(
        bound(sql), RuleContext(fold=lambda e: Literal(next(values), e.dtype)), rules=RULES[:1]
    )
    assert isinstance(plan, Project)
    assert plan.columns[0][1] == plan.columns[1][1]


# ------------------------------------------------------------------------------- long conditions


@pytest.mark.parametrize("glue", [" and ", " or "])
def test_conditions_of_hundreds_of_parts(glue: str) -> None:
    sql = "select a from r where " + glue.join(f"(a = {i} and b <> {i})" for i in range(600))
    plan = optimize(bound(sql), context())
    assert hash(plan) == hash(optimize(bound(sql), context()))


def test_many_relations_are_joined_greedily() -> None:
    tables = ", ".join(f"r as r{i}" for i in range(24))
    sql = f"select count(*) as n from {tables} where " + " and ".join(
        f"r{i}.a = r{i + 1}.a" for i in range(23)
    )
    plan = optimize(bound(sql), context())
    kinds = [str(node.label()) for node in plan.walk() if node.label().startswith("Join")]
    assert len(kinds) == 23
    assert not [k for k in kinds if "cross" in k]


def test_simplified_expressions_are_not_simplified_again() -> None:
    e = Call("not", (Call("less", (Column("a", t.INT32), Column("b", t.INT32)), t.BOOL),), t.BOOL)
    once = simplify(e)
    assert str(once) == "(a >= b)"
    assert simplify(e) is once
    assert simplify(once) is once
