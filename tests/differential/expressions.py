"""Random SQL expressions of a kind, over the columns in scope.

Templates say what there is: `{int}` stands for any expression of kind int. What the two systems
may rightly see differently is left out: sums that depend on their order, texts of floats, random.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from tests.differential.tables import Col

LITERALS: dict[str, list[str]] = {
    "int": ["0", "1", "2", "3", "-1", "5", "12", "1000", "3::tinyint", "2::bigint", "null::int"],
    "double": ["0.5::double", "2.0::double", "-2.25::double", "'nan'::double", "'inf'::double"],
    "decimal": ["0.5", "1.00", "2.25", "-2.25", "12.34", "3::decimal(9,2)", "null::decimal(9,2)"],
    "text": ["''", "'a'", "'ab'", "'b'", "'%'", "'é'", "'A'", "' a '", "null::varchar"],
    "date": ["date '2024-02-29'", "date '2000-01-01'", "date '1969-12-31'", "null::date"],
    "timestamp": ["timestamp '2024-02-29 06:30:15.25'", "timestamp '2000-01-01'"],
    "bool": ["true", "false", "null::boolean"],
}

NUMBERS = ("int", "int", "decimal", "double")

TEMPLATES: dict[str, list[str]] = {
    "int": [
        "{int} + {int}",
        "{int} - {int}",
        "{int} * {small}",
        "-{int}",
        "abs({int})",
        "sign({number})",
        "coalesce({int}, {int})",
        "nullif({int}, {int})",
        "greatest({int}, {int})",
        "least({int}, {int})",
        "case when {bool} then {int} else {int} end",
        "case {int} when {int} then {int} when {int} then {int} end",
        "if({bool}, {int}, {int})",
        "length({text})",
        "strpos({text}, {text})",
        "ascii({text})",
        "year({date})",
        "month({moment})",
        "day({date})",
        "extract(dow from {date})",
        "extract(week from {date})",
        "hour({timestamp})",
        "quarter({moment})",
        "date_diff('day', {date}, {date})",
        "date_diff('month', {moment}, {moment})",
        "{date} - {date}",
        "({bool})::int",
        "({small} & {small})",
        "({small} | {small})",
        "xor({small}, {small})",
        "cast({int} as bigint)",
        "try_cast({int} as utinyint)",
        "try_cast({text} as int)",
        "levenshtein({text}, {text})",
        "gcd({small}, {small})",
    ],
    "double": [
        "{double} + {number}",
        "{number} - {double}",
        "{double} * {number}",
        "{number} / {number}",
        "abs({double})",
        "-{double}",
        "round({double})",
        "round({double}, 1)",
        "floor({double})",
        "ceil({double})",
        "trunc({double})",
        "coalesce({double}, {number})",
        "nullif({double}, {number})",
        "greatest({double}, {number})",
        "least({double}, {double})",
        "case when {bool} then {double} else {number} end",
        "cast({number} as double)",
        "sqrt(abs({number}))",
        "power({small}, 2)",
        "exp({small})",
        "ln({small} + 1)",
        "atan2({small}, {small})",
        "try_cast({text} as double)",
    ],
    "decimal": [
        "{decimal} + {decimal}",
        "{decimal} - {int}",
        "{decimal} * {small}",
        "{int} - {decimal}",
        "-{decimal}",
        "abs({decimal})",
        "round({decimal}, 1)",
        "floor({decimal})",
        "ceil({decimal})",
        "coalesce({decimal}, {decimal})",
        "nullif({decimal}, {int})",
        "greatest({decimal}, {int})",
        "least({decimal}, {decimal})",
        "case when {bool} then {decimal} else {int} end",
        "try_cast({text} as decimal(9, 2))",
    ],
    "text": [
        "{text} || {text}",
        "{text} || {int}",
        "upper({text})",
        "lower({text})",
        "trim({text})",
        "substring({text}, {small}, 2)",
        "left({text}, {small})",
        "right({text}, 2)",
        "replace({text}, 'a', {text})",
        "reverse({text})",
        "repeat({text}, 2)",
        "lpad({text}, 4, '*')",
        "split_part({text}, 'b', 1)",
        "concat({text}, {int}, {text})",
        "concat_ws('-', {text}, {text})",
        "coalesce({text}, {text})",
        "nullif({text}, {text})",
        "greatest({text}, {text})",
        "least({text}, {text})",
        "case when {bool} then {text} else {text} end",
        "case {text} when {text} then {text} else 'other' end",
        "cast({int} as varchar)",
        "cast({date} as varchar)",
        "cast({decimal} as varchar)",
        "cast({bool} as varchar)",
        "cast({timestamp} as varchar)",
        "strftime({moment}, '%Y-%m')",
        "regexp_replace({text}, '[ab]', '<>')",
        "regexp_extract({text}, 'a.')",
        "dayname({date})",
        "chr(97 + {small})",
        "translate({text}, 'ab', 'ba')",
        "ltrim({text}, 'a ')",
        "md5({text})",
    ],
    "date": [
        "{date} + {small}",
        "{date} - 1",
        "cast({timestamp} as date)",
        "coalesce({date}, {date})",
        "nullif({date}, {date})",
        "greatest({date}, {date})",
        "case when {bool} then {date} else {date} end",
        "last_day({near})",
        "date_trunc('month', {date})::date",
        "try_cast({text} as date)",
    ],
    "timestamp": [
        "{near} + interval 1 month",
        "{near} - interval '36' hour",
        "{near} + interval (1 + {small}) day",
        "date_trunc('hour', {timestamp})",
        "date_trunc('week', {near})",
        "cast({date} as timestamp)",
        "coalesce({timestamp}, {timestamp})",
        "least({timestamp}, {timestamp})",
        "case when {bool} then {timestamp} end",
        "time_bucket(interval 1 day, {near})::timestamp",
    ],
    "bool": [
        "{bool} and {bool}",
        "{bool} and {bool}",
        "{bool} or {bool}",
        "{bool} or {bool}",
        "not {bool}",
        "{bool} is true",
        "{bool} is not false",
        "{bool} = {bool}",
        "{any} is null",
        "{any} is not null",
        "{same} = {same}",
        "{same} = {same}",
        "{same} <> {same}",
        "{same} < {same}",
        "{same} >= {same}",
        "{same} is distinct from {same}",
        "{same} is not distinct from {same}",
        "{same} between {same} and {same}",
        "{same} not between {same} and {same}",
        "{same} in ({same}, {same}, {same})",
        "{same} in ({literal}, {literal})",
        "{same} not in ({literal}, {literal}, {literal})",
        "{number} > {number}",
        "{number} <= {number}",
        "{number} = {number}",
        "{moment} < {moment}",
        "{text} like 'a%'",
        "{text} like '%b%'",
        "{text} not like '_'",
        "{text} ilike '%A'",
        "{text} like '%' || {text}",
        "starts_with({text}, {text})",
        "contains({text}, 'a')",
        "regexp_matches({text}, '^a.*')",
        "case when {bool} then {bool} else {bool} end",
        "coalesce({bool}, {bool})",
        "isnan({double})",
        "isfinite({double})",
    ],
}

# what data can make raise: a zero, a value that does not fit, a text that is no number
RISKY: dict[str, list[str]] = {
    "int": [
        "{int} // {int}",
        "{int} % {int}",
        "cast({int} as smallint)",
        "cast({decimal} as int)",
        "floor({number})::bigint",
        "round({decimal})::int",
    ],
    "double": [
        "{double} % {number}",
    ],
    "decimal": [
        "{decimal} % {small}",
        "cast({int} as decimal(12, 2))",
        "cast({decimal} as decimal(12, 1))",
    ],
    "date": [
        "make_date(2000 + {small}, 1 + {small}, 28)",
    ],
}

_SLOT = re.compile(r"\{(\w+)\}")

Subquery = Callable[["Expressions", int], str | None]


@dataclass
class Expressions:
    """Draws expressions over columns.

    predicate, scalar   may give subqueries as conditions and values
    risky               also what may raise
    templates           what there is of each kind
    """

    random: Random
    columns: Sequence[Col]
    predicate: Subquery | None = None
    scalar: Callable[[Expressions, str, int], str | None] | None = None
    outer: Sequence[Col] = field(default=())
    risky: bool = False
    templates: Mapping[str, Sequence[str]] = field(default_factory=lambda: TEMPLATES)

    def expr(self, kind: str, depth: int = 2) -> str:
        """An expression of a kind; deeper ones nest more."""
        random = self.random
        if depth <= 0 or random.random() < 0.25:
            return self.leaf(kind)
        if self.predicate is not None and kind == "bool" and random.random() < 0.12:
            found = self.predicate(self, depth)
            if found is not None:
                return found
        if self.scalar is not None and random.random() < 0.04:
            found = self.scalar(self, kind, depth)
            if found is not None:
                return found
        templates = [*self.templates[kind], *(RISKY.get(kind, ()) if self.risky else ())]
        return self.filled(random.choice(templates), depth)

    def leaf(self, kind: str) -> str:
        """A column, or a constant."""
        inner = [c.sql for c in self.columns if c.kind == kind]
        further = [c.sql for c in self.outer if c.kind == kind]
        if further and self.random.random() < 0.3:
            return self.random.choice(further)
        if inner and self.random.random() < 0.8:
            return self.random.choice(inner)
        return self.random.choice(LITERALS[kind])

    def condition(self, depth: int = 2) -> str:
        """A boolean expression that is more than a constant."""
        for _ in range(5):
            found = self.expr("bool", depth)
            if found not in LITERALS["bool"]:
                break
        return found

    def filled(self, template: str, depth: int = 1) -> str:
        """A template with its slots filled."""
        same = self.random.choice([*(c.kind for c in self.columns), "int", "text"])

        def fill(match: re.Match[str]) -> str:
            return f"({self._slot(match[1], same, depth)})"

        return _SLOT.sub(fill, template)

    def _slot(self, slot: str, same: str, depth: int) -> str:
        match slot:
            case "same":
                return self.expr(same, depth - 1)
            case "literal":
                return self.random.choice(LITERALS[same])
            case "any":
                return self.expr(self.random.choice(list(self.templates)), depth - 1)
            case "number":
                return self.expr(self.random.choice(NUMBERS), depth - 1)
            case "moment":
                return self.expr(self.random.choice(("date", "timestamp")), depth - 1)
            case "small":  # so that products, powers and shifts stay in range
                return f"({self.leaf('int')} % 4)::int"
            case "near":  # so that adding to it does not leave the calendar
                return f"date '2024-01-31' + ({self.leaf('int')} % 40)::int"
        return self.expr(slot, depth - 1)
