"""The shape of bound plans, as text: which node comes from which clause, and what names it has."""

from __future__ import annotations

import textwrap

import pytest

from plait.planner.logical import LogicalPlan, Project, Scan
from plait.planner.sql.statements import bind_query_text
from tests.sql.tables import in_catalog

PLANS = {
    # every clause, bottom up
    """select a, sum(b) as s from t where c like 'x%' group by a having count(*) > 1
       qualify rank() over (order by s) < 3 order by sum(g) desc limit 5 offset 1""": """
        Project a, s
          Limit 5 offset 1
            Sort by "#order" DESC
              Project a, s, "sum(g)" AS #order
                Filter ("rank() OVER (ORDER BY s)" < 3)
                  Window rank() OVER (ORDER BY s) AS rank() OVER (ORDER BY s)
                    Filter ("count(*)" > 1)
                      Aggregate by [a] sum(b) AS s, count(*) AS count(*), sum(g) AS sum(g)
                        Filter (c LIKE 'x%')
                          Scan t""",
    # a second table with a name that is taken: renamed by a projection on its scan
    "select t.a, u.s from t, u where t.a = u.a": """
        Project a, s
          Filter (a = "u.a")
            Join cross
              Scan t
              Project a AS u.a, k, s
                Scan u""",
    "select x.s from u x join u y on x.a = y.k left join u z on z.a = y.a": """
        Project s
          Join left on ("z.a" = "y.a")
            Join inner on (a = "y.k")
              Scan u
              Project a AS y.a, k AS y.k, s AS y.s
                Scan u
            Project a AS z.a, k AS z.k, s AS z.s
              Scan u""",
    # commas bind weaker than JOIN
    "select 1 as one from t, u right join e on u.a = e.a": """
        Project 1 AS one
          Join cross
            Scan t
            Join right on ("u.a" = "e.a")
              Project a AS u.a, k, s
                Scan u
              Project a AS e.a, c AS e.c
                Scan e""",
    # USING: one column, of both sides in a full join
    "select a from t full join u using (a)": """
        Project coalesce(a, "u.a") AS a
          Join full on (a = "u.a")
            Scan t
            Project a AS u.a, k, s
              Scan u""",
    "select a from t right join u using (a)": """
        Project "u.a" AS a
          Join right on (a = "u.a")
            Scan t
            Project a AS u.a, k, s
              Scan u""",
    # equal aggregates are computed once; keys stand for equal expressions
    "select a + 1, sum(b) + 1, sum(b) * 2 from t group by a + 1": """
        Project "(a + 1)", ("sum(b)" + 1) AS (sum(b) + 1), ("sum(b)" * 2) AS (sum(b) * 2)
          Aggregate by [(a + 1) AS (a + 1)] sum(b) AS sum(b)
            Scan t""",
    # a WITH table used once is used as it is; used twice, each under its own names
    "with x as (select a, k + 1 as n from u) select n from x": """
        Project (k + 1) AS n
          Scan u""",
    "with x as (select a, count(*) as n from u group by a) select p.n, q.n from x p, x q": """
        Project "p.n" AS n, "q.n" AS n_1
          Join cross
            Project a AS p.a, n AS p.n
              Aggregate by [a] count(*) AS n
                Scan u
            Project a AS q.a, n AS q.n
              Aggregate by [a] count(*) AS n
                Scan u""",
    # subqueries are expressions, with outer columns inside
    "select s from u where a in (select b from t where t.g > u.k)": """
        Project s
          Filter (a) IN (Project b <- Filter (CAST(g AS DECIMAL(12,2)) > CAST(outer.k AS DECIMAL(12,2))) <- Project a AS t.a, b, c, d, ts, f, g, bo, big <- Scan t)
            Scan u""",  # noqa: E501
    "select (select max(b) from t where t.a = u.a) from u": """
        Project (Aggregate max(b) AS max(b) <- Filter ("t.a" = outer.a) <- Project a AS t.a, b, c, d, ts, f, g, bo, big <- Scan t) AS (SELECT max(b) FROM t WHERE t.a = u.a)
          Scan u""",  # noqa: E501
    # DISTINCT and ORDER BY by something computed from what was selected
    "select distinct a, b from t order by b + 1": """
        Project a, b
          Sort by "#order"
            Distinct on [a, b]
              Project a, b, (b + 1) AS #order
                Scan t""",
    "select distinct on (a) b from t order by a, c desc nulls first": """
        Project b
          Sort by "#order", "#order#2" DESC NULLS FIRST
            Distinct on [#order]
              Sort by "#order", "#order#2" DESC NULLS FIRST
                Project b, a AS #order, c AS #order#2
                  Scan t""",
    "select a from u union all select k from u order by 1 limit 1": """
        Limit 1
          Sort by a
            Union
              Project a
                Scan u
              Project k AS a
                Scan u""",
    "values (1, 'x'), (2, null)": """
        Values 2 rows of [col0, col1]""",
    "select 1 as one": """
        Project 1 AS one
          Values 1 rows of []""",
}


@pytest.mark.parametrize(("sql", "expected"), [(s, e) for s, e in PLANS.items() if e is not None])
def test_plan(sql: str, expected: str) -> None:
    assert str(bind_query_text(sql, in_catalog())) == textwrap.dedent(expected).strip()


def test_both_uses_of_a_with_table_hold_the_same_plan() -> None:
    plan = bind_query_text(
        "with x as (select a, count(*) n from u group by a) select 1 from x p, x q", in_catalog()
    )
    aggregates = [node for node in plan.walk() if node.label().startswith("Aggregate")]
    assert len(aggregates) == 2
    assert aggregates[0] is aggregates[1]


def test_names_are_unique_over_the_whole_statement() -> None:
    plan = bind_query_text(
        """select a from u where a in (select a from u where k in (select a from t where c in
           (select s from u)))""",
        in_catalog(),
    )
    assert isinstance(plan, Project)
    seen: list[str] = []

    def visit(node: LogicalPlan) -> None:
        for inner in node.walk():
            if isinstance(inner, Project) and isinstance(inner.input, Scan):
                seen.extend(name for name, _ in inner.columns)
            for expr in inner.expressions():
                for part in expr.walk():
                    if hasattr(part, "plan"):
                        visit(part.plan)

    visit(plan.input)
    assert len(seen) == len(set(seen))
    assert seen


def test_nodes_tell_the_line_they_came_from() -> None:
    plan = bind_query_text(
        "select a,\n       sum(b)\nfrom t\nwhere a > 1\n  and b < 2\ngroup by a\norder by 2",
        in_catalog(),
    )
    origins = [getattr(node, "origin", None) for node in plan.walk()]
    assert origins == [
        "line 7: order by 2",
        "line 6: group by a",
        "line 4: where a > 1 and b < 2",
        None,
    ]
