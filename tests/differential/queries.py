"""Random queries over random tables, from joins to windows, with subqueries at every place.

    case = random_case(Random(17))      case.sql over case.tables

What a query leaves open is closed here, so that every system must give the same rows: LIMIT comes
with an order over all columns, row numbers and frames of rows with one over all columns of FROM.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from tests.differential.expressions import Expressions
from tests.differential.systems import Tables
from tests.differential.tables import KINDS, Col, Table, random_table

AGGREGATES: dict[str, list[str]] = {
    "int": [
        "count(*)",
        "count({})",
        "count(distinct {})",
        "sum({int})",
        "min({int})",
        "max({int})",
        "sum(distinct {int})",
        "count(*) filter (where {bool})",
        "sum({int}) filter (where {bool})",
        "bit_or({int})",
        "count_if({bool})",
    ],
    "double": [
        "avg({int})",
        "avg({decimal})",
        "min({double})",
        "max({double})",
        "stddev({int})",
        "var_pop({int})",
        "median({int})",
        "quantile_cont({int}, 0.25)",
    ],
    "decimal": ["sum({decimal})", "min({decimal})", "max({decimal})"],
    "text": ["min({text})", "max({text})", "string_agg(distinct {text}, ',' order by {text})"],
    "date": ["min({date})", "max({date})"],
    "timestamp": ["min({timestamp})", "max({timestamp})"],
    "bool": ["bool_and({bool})", "bool_or({bool})"],
}

# over any rows in order of all columns
WINDOWS: dict[str, list[str]] = {
    "int": [
        "row_number() over ({by} {total})",
        "rank() over ({by} {some})",
        "dense_rank() over ({by} {some})",
        "ntile(3) over ({by} {total})",
        "count(*) over ({by} {some})",
        "count({int}) over ({by})",
        "sum({int}) over ({by} {some})",
        "sum({int}) over ({by} {total} {rows})",
        "count(*) filter (where {bool}) over ({by} {some})",
        "max({int}) over ({by} {total} {rows})",
        "lag({int}) over ({by} {total})",
        "lead({int}, 2, -1) over ({by} {total})",
        "first_value({int}) over ({by} {total})",
        "last_value({int}) over ({by} {total} {rows})",
        "count(*) over ({by} {number} {range})",
        "sum({int}) over ({by} {some} {groups})",
    ],
    "double": ["avg({int}) over ({by} {some})", "cume_dist() over ({by} {some})"],
    "decimal": ["sum({decimal}) over ({by} {some})", "min({decimal}) over ({by} {total} {rows})"],
    "text": ["max({text}) over ({by} {some})", "lag({text}, 1, 'none') over ({by} {total})"],
    "date": ["min({date}) over ({by})", "nth_value({date}, 2) over ({by} {total})"],
    "timestamp": ["max({timestamp}) over ({by} {some})"],
    "bool": ["bool_or({bool}) over ({by} {some})"],
}
JOINS = ["join", "join", "left join", "left join", "right join", "full join", "cross join"]
JOINS += ["semi join", "anti join"]
_ENDS = ["unbounded preceding", "2 preceding", "current row", "1 following", "unbounded following"]
_ORDERS = ["", " desc", " nulls first", " desc nulls first", " desc nulls last"]


@dataclass(frozen=True)
class Case:
    """A query and what it reads; `ordered`: the order of its rows counts."""

    sql: str
    tables: Tables
    ordered: bool


@dataclass(frozen=True)
class Query:
    """SQL text of a query, and the columns it gives."""

    sql: str
    columns: tuple[Col, ...]


def random_case(random: Random) -> Case:
    """A query over two to four new tables."""
    tables = [random_table(random, f"t{i}") for i in range(random.randint(2, 4))]
    maker = Queries(random, tables)
    query = maker.query(random.choice([1, 2, 2, 3]))
    ordered = random.random() < 0.3
    sql = query.sql
    if ordered:
        keys = ", ".join(f"{c.sql}{random.choice(_ORDERS)}" for c in query.columns)
        sql = f"select * from ({sql}) q order by {keys}"
        if random.random() < 0.6:
            sql += f" limit {random.randint(0, 6)}"
            sql += f" offset {random.randint(0, 3)}" if random.random() < 0.4 else ""
    if maker.common:
        sql = f"with {', '.join(maker.common)} {sql}"
    return Case(sql, {t.name: t.data for t in tables}, ordered)


@dataclass
class Queries:
    """Draws queries; `common` collects the WITH tables they use."""

    random: Random
    tables: Sequence[Table]
    common: list[str] = field(default_factory=list)
    shared: list[tuple[str, tuple[Col, ...]]] = field(default_factory=list)
    aliases: int = 0

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def alias(self) -> str:
        self.aliases += 1
        return f"q{self.aliases}"

    # ------------------------------------------------------------------------------- queries

    def query(self, depth: int, outer: Sequence[Col] = (), kinds: Sequence[str] = ()) -> Query:
        """A query whose columns have certain kinds, or any; it may read columns further out."""
        wanted = list(kinds) or self.random.choices(KINDS, k=self.random.randint(1, 4))
        if depth > 1 and self.chance(0.12):
            return self._set_operation(depth, outer, wanted)
        found = self._select(depth, outer, wanted)
        return self._cut(found) if self.chance(0.1) else found

    def _cut(self, query: Query) -> Query:
        """The first rows of a query, or the first for each value of a column."""
        columns = [c.sql for c in query.columns]
        keys = ", ".join(c + self.random.choice(_ORDERS) for c in columns)
        if self.chance(0.4):
            first = f"select distinct on ({columns[0]}) * from ({query.sql}) s"
            return Query(f"{first} order by {keys}", query.columns)
        limit = f"limit {self.random.randint(0, 5)}" if self.chance(0.8) else ""
        offset = f"offset {self.random.randint(1, 3)}" if self.chance(0.5) or not limit else ""
        cut = f"select * from ({query.sql}) s order by {keys} {limit} {offset}"
        return Query(cut, query.columns)

    def _set_operation(self, depth: int, outer: Sequence[Col], kinds: Sequence[str]) -> Query:
        left = self._select(depth - 1, outer, kinds)
        right = self._select(depth - 1, outer, kinds)
        word = self.random.choice(["union all", "union", "intersect", "except"])
        if word in ("intersect", "except") and self.chance(0.4):
            word += " all"
        return Query(f"({left.sql}) {word} ({right.sql})", left.columns)

    def _select(self, depth: int, outer: Sequence[Col], kinds: Sequence[str]) -> Query:
        source, columns = self._from(depth, outer)
        where = self._expressions(columns, outer, depth)
        clauses = [f" where {where.condition(2)}"] if self.chance(0.6) else []
        plain = self._expressions(columns, outer, depth, subqueries=0.3)
        if self.chance(0.3):
            items, more = self._grouped(plain, kinds)
            clauses += more
        elif self.chance(0.2) and columns:
            items = [self._window(plain, columns, kind) for kind in kinds]
            if self.chance(0.2):
                number = self._window(plain, columns, "int", always=True)
                clauses.append(f" qualify {number} <= {self.random.randint(0, 3)}")
        else:
            items = [plain.expr(kind, 2) for kind in kinds]
        named = [f"{item} as x{i}" for i, item in enumerate(items)]
        distinct = "distinct " if self.chance(0.12) else ""
        sql = f"select {distinct}{', '.join(named)} from {source}{''.join(clauses)}"
        return Query(sql, tuple(Col(f"x{i}", kind) for i, kind in enumerate(kinds)))

    def _grouped(self, plain: Expressions, kinds: Sequence[str]) -> tuple[list[str], list[str]]:
        """Select items of a grouped query: keys, aggregates, and expressions of both."""
        key_kinds = self.random.choices(KINDS, k=self.random.randint(0, 2))
        keys = [plain.expr(kind, self.random.choice([0, 0, 1])) for kind in key_kinds]
        # constants and subqueries in GROUP BY mean something else
        pairs = [
            (key, kind)
            for key, kind in zip(keys, key_kinds, strict=True)
            if any(c.sql in key for c in plain.columns) and "select" not in key
        ]
        inner = self._expressions(plain.columns, (), 0)
        items = []
        for kind in kinds:
            same = [key for key, key_kind in pairs if key_kind == kind]
            if same and self.chance(0.6):
                items.append(self.random.choice(same))
            elif kind == "int" and self.chance(0.15):
                items.append(self._over_groups(inner, [key for key, _ in pairs]))
            else:
                items.append(self._aggregate(inner, kind))
        clauses = []
        if pairs:
            clauses.append(f" group by {self._group_by([key for key, _ in pairs])}")
        elif not any("(" in item for item in items):
            items[0] = self._aggregate(inner, kinds[0])
        if self.chance(0.3):
            clauses.append(f" having {self._aggregate(inner, 'int')} > {self.random.randint(0, 2)}")
        return items, clauses

    def _group_by(self, keys: list[str]) -> str:
        listed = ", ".join(keys)
        # sqlglot takes ROLLUP ((a) = (b)) for a property of a table
        if self.chance(0.8) or any("=" in key for key in keys):
            return listed
        sets = ", ".join(f"({key})" for key in keys)
        return self.random.choice(
            [f"rollup ({sets})", f"cube ({sets})", f"grouping sets ({sets}, ())"]
        )

    def _over_groups(self, inner: Expressions, keys: list[str]) -> str:
        """A window function over the groups of a query."""
        counted = self._aggregate(inner, "int")
        by = f"partition by {keys[0]}" if keys and self.chance(0.4) else ""
        return self.random.choice(
            [f"sum({counted}) over ({by})", f"rank() over ({by} order by {counted})"]
        )

    def _aggregate(self, inner: Expressions, kind: str) -> str:
        template = self.random.choice(AGGREGATES[kind])
        argument = inner.expr(self.random.choice(KINDS), 1)
        text = inner.leaf("text")
        values = {k: inner.expr(k, 1) for k in KINDS if f"{{{k}}}" in template}
        if "string_agg" in template:  # DISTINCT orders by its own argument only
            values["text"] = text
        return template.format(argument, **values)

    def _window(
        self, plain: Expressions, columns: Sequence[Col], kind: str, *, always: bool = False
    ) -> str:
        if not always and self.chance(0.3):
            return plain.expr(kind, 1)
        random = self.random
        inner = self._expressions(columns, (), 0)
        order = random.choice(_ORDERS)
        numbers = [c.sql for c in columns if c.kind in ("int", "decimal")] or ["1"]
        start, end = sorted(random.choices(range(len(_ENDS)), k=2))
        start, end = min(start, len(_ENDS) - 2), max(end, 1)
        frame = f"between {_ENDS[start]} and {_ENDS[end]}"
        parts = {
            "by": f"partition by {random.choice(columns).sql}" if self.chance(0.5) else "",
            "total": f"order by {', '.join(c.sql + random.choice(_ORDERS) for c in columns)}",
            "some": f"order by {random.choice(columns).sql}{order}" if self.chance(0.7) else "",
            "number": f"order by {random.choice(numbers)}{order}",
            "rows": f"rows {frame}",
            "range": f"range {frame}",
            "groups": f"groups {frame}",
        }
        template = random.choice(WINDOWS[kind])
        if "{groups}" in template or "rank" in template or "cume" in template:
            parts["some"] = f"order by {random.choice(columns).sql}{order}"
        values = {k: inner.leaf(k) for k in KINDS if f"{{{k}}}" in template}
        return template.format(**parts, **values)

    # ---------------------------------------------------------------------------------- FROM

    def _from(self, depth: int, outer: Sequence[Col]) -> tuple[str, list[Col]]:
        sql, columns = self._table(depth, outer)
        for _ in range(self.random.choice([0, 0, 0, 1, 1, 2])):
            sql, columns = self._joined(sql, columns, depth)
        return sql, columns

    def _table(self, depth: int, outer: Sequence[Col] = ()) -> tuple[str, list[Col]]:
        alias = self.alias()
        if depth > 1 and self.chance(0.3):
            inner = self.query(depth - 1)
            if self.chance(0.4):
                name = f"w{len(self.common)}"
                self.common.append(f"{name} as ({inner.sql})")
                self.shared.append((name, inner.columns))
                return f"{name} {alias}", self._shown(alias, inner.columns)
            return f"({inner.sql}) {alias}", self._shown(alias, inner.columns)
        if self.chance(0.06):
            return self._using(alias)
        if self.chance(0.04):
            number = self.random.randint(1, 4)
            listed = ", ".join(f"({i % 3}, '{'ab'[i % 2]}')" for i in range(number))
            columns = (Col("v0", "int"), Col("v1", "text"))
            return f"(values {listed}) {alias}(v0, v1)", self._shown(alias, columns)
        if self.shared and self.chance(0.3):
            name, columns = self.random.choice(self.shared)
            return f"{name} {alias}", self._shown(alias, columns)
        table = self.random.choice(self.tables)
        return f"{table.name} {alias}", self._shown(alias, table.columns)

    def _using(self, alias: str) -> tuple[str, list[Col]]:
        """Two tables joined USING their first column, which the result has once."""
        left, right = self.random.choice(self.tables), self.random.choice(self.tables)
        kind = self.random.choice(["join", "left join", "right join", "full join"])
        items, columns = ["c0 as u0"], [Col("u0", left.columns[0].kind)]
        for side, table in (("l", left), ("r", right)):
            for c in table.columns[1:]:
                columns.append(Col(f"u{len(columns)}", c.kind))
                items.append(f"{side}.{c.sql} as {columns[-1].sql}")
        inner = f"select {', '.join(items)} from {left.name} l {kind} {right.name} r using (c0)"
        return f"({inner}) {alias}", self._shown(alias, columns)

    def _shown(self, alias: str, columns: Sequence[Col]) -> list[Col]:
        return [Col(f"{alias}.{c.sql}", c.kind) for c in columns]

    def _joined(self, left: str, left_columns: list[Col], depth: int) -> tuple[str, list[Col]]:
        right, right_columns = self._table(depth - 1)
        kind = self.random.choice(JOINS)
        both = [*left_columns, *right_columns]
        if kind == "cross join":
            return f"{left} cross join {right}", both
        condition = self._join_condition(left_columns, right_columns, kind)
        shown = left_columns if kind in ("semi join", "anti join") else both
        return f"{left} {kind} {right} on {condition}", shown

    def _join_condition(self, left: list[Col], right: list[Col], kind: str) -> str:
        """Equal keys, usually; something else besides, or instead, now and then."""
        tests = []
        pairs = [(a, b) for a in left for b in right if a.kind == b.kind]
        if pairs and self.chance(0.9):
            for a, b in self.random.sample(pairs, k=min(len(pairs), self.random.choice([1, 1, 2]))):
                op = "is not distinct from" if self.chance(0.1) else "="
                tests.append(f"{a.sql} {op} {b.sql}")
        more = self._expressions([*left, *right], (), 0)
        if not tests or self.chance(0.25):
            numbers = [(a, b) for a in left for b in right if a.kind == b.kind and a.kind != "bool"]
            if numbers and self.chance(0.5):
                a, b = self.random.choice(numbers)
                tests.append(f"{a.sql} {self.random.choice(['<', '<=', '<>', '>'])} {b.sql}")
            else:
                tests.append(f"({more.condition(1)})")
        word = " or " if self.chance(0.08) else " and "
        return word.join(tests)

    # ---------------------------------------------------------------------------- subqueries

    def _expressions(
        self, columns: Sequence[Col], outer: Sequence[Col], depth: int, subqueries: float = 1.0
    ) -> Expressions:
        found = Expressions(self.random, columns, outer=outer)
        if depth > 1 and self.chance(subqueries):
            found.predicate = lambda inside, _: self._predicate(inside, depth - 1)
            found.scalar = lambda inside, kind, _: self._scalar(inside, kind, depth - 1)
        return found

    def _predicate(self, inside: Expressions, depth: int) -> str | None:
        """A condition with a subquery, correlated or not."""
        random = self.random
        outer = [*inside.columns, *inside.outer] if self.chance(0.6) else []
        kind = random.choice([c.kind for c in inside.columns] or ["int"])
        not_ = random.choice(["", "", "not "])
        match random.choice(["in", "in", "exists", "exists", "scalar", "any", "tuple"]):
            case "in":
                inner = self.query(depth, outer, [kind])
                return f"({inside.expr(kind, 1)} {not_}in ({inner.sql}))"
            case "exists":
                inner = self.query(depth, outer)
                return f"({not_}exists ({inner.sql}))"
            case "any":
                inner = self.query(depth, outer, [kind])
                op = random.choice(["=", "<", ">=", "<>"])
                word = random.choice(["any", "all"])
                return f"({inside.expr(kind, 1)} {op} {word} ({inner.sql}))"
            case "tuple":
                kinds = [kind, random.choice(KINDS)]
                inner = self.query(depth, outer, kinds)
                left = ", ".join(inside.expr(k, 1) for k in kinds)
                return f"(({left}) {not_}in ({inner.sql}))"
        found = self._scalar(inside, kind, depth)
        return f"({inside.expr(kind, 1)} {random.choice(['=', '<', '>'])} {found})"

    def _scalar(self, inside: Expressions, kind: str, depth: int) -> str | None:
        """A subquery of one value: an aggregate, or the first in an order."""
        outer = [*inside.columns, *inside.outer] if self.chance(0.6) else []
        if self.chance(0.3):
            inner = self.query(depth, outer, [kind])
            order = self.random.choice(_ORDERS)
            offset = " offset 1" if self.chance(0.3) else ""
            return f"(select x0 from ({inner.sql}) s order by x0{order} limit 1{offset})"
        source, columns = self._from(depth, outer)
        aggregate = self._aggregate(self._expressions(columns, (), 0), kind)
        where = ""
        if outer or self.chance(0.5):
            where = f" where {self._expressions(columns, outer, depth).condition(2)}"
        return f"(select {aggregate} from {source}{where})"
