"""Random queries over the small tables: joins of all kinds, nested and correlated subqueries.

Rows of a LIMIT are made definite by ordering by every column. Some queries are refused by DuckDB
(it does not know every correlated form); a test leaves those out.
"""

from __future__ import annotations

import random

TABLES = {"r": "abc", "s": "def", "t": "xyz"}
COMPARISONS = ("=", "=", "=", "<>", "<", "<=", ">", ">=")


class QueryMaker:
    """Writes queries from a seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.aliases = 0

    def one_of(self, *choices: str) -> str:
        return self.rng.choice(choices)

    def chance(self, part: float) -> bool:
        return self.rng.random() < part

    def query(self) -> str:
        """A whole query."""
        return self.select([], 2, self.rng.randint(1, 3))

    # ------------------------------------------------------------------------------------ plans

    def select(self, outer: list[str], depth: int, width: int) -> str:
        """A query of so many columns, which may read the outer ones."""
        if depth > 0 and self.chance(0.1):
            operation = self.one_of("UNION", "UNION ALL", "EXCEPT", "INTERSECT", "INTERSECT ALL")
            left = self.select(outer, depth - 1, width)
            right = self.select(outer, depth - 1, width)
            return f"SELECT * FROM ({left}) {operation} SELECT * FROM ({right})"
        source, columns = self.source(outer, depth)
        where = ""
        if self.chance(0.7):
            where = f" WHERE {self.condition(columns, outer, depth)}"
        shape = self.rng.random()
        if shape < 0.3:
            return self.grouped(source + where, columns, outer, depth, width)
        picked = [f"{self.value(columns, outer, depth)} AS c{i}" for i in range(width)]
        if shape < 0.38:
            call = self.one_of("row_number()", "sum({})", "count(*)", "max({})")
            call = call.format(self.rng.choice(columns))
            by = self.rng.choice(columns)
            picked[0] = f"{call} OVER (PARTITION BY {by} ORDER BY {', '.join(columns)}) AS c0"
        distinct = "DISTINCT " if shape > 0.9 else ""
        text = f"SELECT {distinct}{', '.join(picked)} FROM {source}{where}"
        if self.chance(0.12):
            order = ", ".join(f"c{i} {self.one_of('', 'DESC')}" for i in range(width))
            offset = " OFFSET 1" if self.chance(0.3) else ""
            text = f"SELECT * FROM ({text}) ORDER BY {order} LIMIT {self.rng.randint(0, 5)}{offset}"
        return text

    def grouped(
        self, source: str, columns: list[str], outer: list[str], depth: int, width: int
    ) -> str:
        keys = self.rng.sample(columns, self.rng.randint(0, min(2, width, len(columns))))
        picked = [f"{key} AS c{i}" for i, key in enumerate(keys)]
        for i in range(len(keys), width):
            picked.append(f"{self.aggregate(columns)} AS c{i}")
        by = f" GROUP BY {', '.join(keys)}" if keys else ""
        if not keys and not any("(" in p for p in picked):
            by = ""
        having = ""
        if self.chance(0.3):
            right = str(self.rng.randint(0, 4))
            if depth > 0 and self.chance(0.3):
                right = self.scalar([*keys, *outer], depth - 1)
            having = f" HAVING {self.aggregate(columns)} {self.one_of(*COMPARISONS)} {right}"
        return f"SELECT {', '.join(picked)} FROM {source}{by}{having}"

    def aggregate(self, columns: list[str]) -> str:
        name = self.one_of("count", "sum", "min", "max", "count(DISTINCT")
        column = self.rng.choice(columns)
        if name == "count" and self.chance(0.5):
            return "count(*)"
        return f"{name} {column})" if name.endswith("DISTINCT") else f"{name}({column})"

    def source(self, outer: list[str], depth: int) -> tuple[str, list[str]]:
        """A FROM clause and its columns."""
        text, columns = self.table(outer, depth)
        for _ in range(self.rng.choice((0, 0, 1, 1, 2))):
            other, more = self.table(outer, depth)
            kind = self.one_of("CROSS", "", "", "LEFT", "LEFT", "RIGHT", "FULL")
            if kind == "CROSS":
                text = f"{text} CROSS JOIN {other}"
                columns = columns + more
                continue
            on = f"{self.rng.choice(columns)} = {self.rng.choice(more)}"
            if self.chance(0.4):
                on = f"{on} AND {self.simple(columns + more, [])}"
            if depth > 0 and self.chance(0.1):
                on = f"{on} AND {self.condition(columns, [], depth - 1)}"
            text = f"{text} {kind} JOIN {other} ON {on}"
            columns = columns + more
        return text, columns

    def table(self, outer: list[str], depth: int) -> tuple[str, list[str]]:
        self.aliases += 1
        alias = f"q{self.aliases}"
        if depth > 0 and self.chance(0.2):
            width = self.rng.randint(1, 3)
            columns = [f"{alias}.c{i}" for i in range(width)]
            return f"({self.select([], depth - 1, width)}) {alias}", columns
        name = self.rng.choice(list(TABLES))
        return f"{name} {alias}", [f"{alias}.{c}" for c in TABLES[name]]

    # ------------------------------------------------------------------------------ expressions

    def value(self, columns: list[str], outer: list[str], depth: int) -> str:
        roll = self.rng.random()
        if depth > 0 and roll < 0.12:
            return self.scalar([*columns, *outer], depth - 1)
        if depth > 0 and roll < 0.18:
            return f"({self.subquery_test(columns, outer, depth)})::INT"
        if roll < 0.3:
            return f"{self.rng.choice(columns)} + {self.column(columns, outer)}"
        if roll < 0.36:
            return f"coalesce({self.rng.choice(columns)}, {self.column(columns, outer)}, -1)"
        if roll < 0.42:
            when = self.simple(columns, outer)
            return f"CASE WHEN {when} THEN {self.rng.choice(columns)} ELSE 7 END"
        return self.column(columns, outer)

    def column(self, columns: list[str], outer: list[str]) -> str:
        if outer and self.chance(0.3):
            return self.rng.choice(outer)
        return self.rng.choice(columns)

    def scalar(self, outer: list[str], depth: int) -> str:
        """A subquery of at most one row."""
        source, columns = self.source(outer, depth)
        where = f" WHERE {self.condition(columns, outer, depth)}"
        if self.chance(0.25):
            column = self.rng.choice(columns)
            order = ", ".join([column, *columns])
            return f"(SELECT {column} FROM {source}{where} ORDER BY {order} LIMIT 1)"
        extra = self.one_of("", "", " + 1", f" + {self.rng.choice(outer)}" if outer else "")
        return f"(SELECT {self.aggregate(columns)}{extra} FROM {source}{where})"

    def condition(self, columns: list[str], outer: list[str], depth: int) -> str:
        roll = self.rng.random()
        if roll < 0.2:
            left = self.condition(columns, outer, depth)
            return f"{left} AND {self.condition(columns, outer, depth)}"
        if roll < 0.3:
            left = self.condition(columns, outer, depth)
            return f"({left} OR {self.condition(columns, outer, depth)})"
        if roll < 0.36:
            return f"NOT ({self.condition(columns, outer, depth)})"
        if roll < 0.4:
            return f"coalesce({self.condition(columns, outer, depth)}, false)"
        if depth > 0 and roll < 0.65:
            return self.subquery_test(columns, outer, depth)
        return self.simple(columns, outer)

    def simple(self, columns: list[str], outer: list[str]) -> str:
        left = self.rng.choice(columns)
        roll = self.rng.random()
        if outer and roll < 0.5:
            return f"{left} {self.one_of(*COMPARISONS)} {self.rng.choice(outer)}"
        if roll < 0.25:
            return f"{left} {self.one_of(*COMPARISONS)} {self.rng.choice(columns)}"
        if roll < 0.35:
            return f"{left} IS {self.one_of('', 'NOT ')}NULL"
        if roll < 0.45:
            return f"{left} {self.one_of('', 'NOT ')}IN (1, 2, {self.one_of('3', 'NULL')})"
        if roll < 0.55:
            return f"{left} BETWEEN 1 AND {self.rng.randint(1, 4)}"
        if roll < 0.6:
            return f"{left} IS {self.one_of('', 'NOT ')}DISTINCT FROM {self.rng.choice(columns)}"
        return f"{left} {self.one_of(*COMPARISONS)} {self.rng.randint(0, 4)}"

    def subquery_test(self, columns: list[str], outer: list[str], depth: int) -> str:
        seen = [*columns, *outer]
        left = self.rng.choice(columns)
        roll = self.rng.random()
        if roll < 0.3:
            return f"{self.one_of('', 'NOT ')}EXISTS ({self.select(seen, depth - 1, 1)})"
        if roll < 0.6:
            # DuckDB 2.0 gives NULL for `NULL NOT IN (nothing)` where the nothing is correlated
            if self.chance(0.5):
                seen = []
            else:
                left = f"coalesce({left}, 9)"
            return f"{left} {self.one_of('', 'NOT ')}IN ({self.select(seen, depth - 1, 1)})"
        if roll < 0.75:
            how = self.one_of("ANY", "ALL")
            inner = self.select(seen, depth - 1, 1)
            return f"{left} {self.one_of(*COMPARISONS)} {how} ({inner})"
        return f"{left} {self.one_of(*COMPARISONS)} {self.scalar(seen, depth - 1)}"
