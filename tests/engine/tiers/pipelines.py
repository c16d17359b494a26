"""Random pipelines: filters, projections, joins and groups over batches in every encoding.

    pipeline = random_pipeline(Random(17))      pipeline.sql over pipeline.tables

A table is several batches that differ in whatever batches may differ in: encodings (codes into
dictionaries of their own, decimals in 64 or 128 bits), whether there are NULLs, the range of the
values, the offset at which the arrays begin. Integers go up to the ends of their types, so that
some expressions overflow: then both tiers have to raise the same error.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from random import Random
from typing import Any

import pyarrow as pa

from plait.planner.column_range import with_range
from plait.planner.schema import Schema
from plait.planner.types import is_decimal, normalize
from tests.differential.expressions import TEMPLATES, Expressions
from tests.differential.tables import DAYS, MOMENTS, WORDS, Col

D = Decimal
_EXACT = Context(prec=50)

INTEGERS = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32()]
DECIMALS = [(2, 1), (4, 2), (9, 2), (15, 2), (18, 0), (18, 4), (19, 2), (30, 3), (38, 5)]
OTHERS: list[tuple[pa.DataType, list[Any]]] = [
    (pa.uint64(), [0, 1, 2**63, 2**64 - 1]),
    (pa.time64("us"), [dt.time(0), dt.time(0, 0, 0, 1), dt.time(23, 59, 59, 999999)]),
    (pa.timestamp("us", tz="UTC"), [m.replace(tzinfo=dt.UTC) for m in MOMENTS]),
    (pa.duration("us"), [dt.timedelta(0), dt.timedelta(days=-3), dt.timedelta(seconds=1)]),
    (pa.binary(), [b"", b"\0", b"ab"]),
]
KINDS = ("int", "int", "double", "decimal", "text", "text", "date", "timestamp", "bool", "other")

AGGREGATES = (
    "count(*)",
    "count({any})",
    "sum({int})",
    "sum({decimal})",
    "sum({double})",
    "avg({int})",
    "avg({decimal})",
    "avg({double})",
    "min({any})",
    "max({any})",
    "bool_and({bool})",
    "bool_or({bool})",
    "count_if({bool})",
    "stddev({int})",
    "var_pop({decimal})",
    "bit_or({int})",
    "bit_and({int})",
    "bit_xor({int})",
    "product({int})",
    "first({any})",
    "last({any})",
    "arg_min({any}, {int})",
    "arg_max({any}, {double})",
    "max({text})",
    "min({text})",
    "count(distinct {any})",
)
# what loops have a compiled form of; the whole list cuts them to pieces
COMPILED: dict[str, list[str]] = {
    "int": [
        *("{int} + {int}", "{int} - {int}", "{int} * {int}", "{int} * {small}", "-{int}"),
        *("abs({int})", "coalesce({int}, {int})", "nullif({int}, {int})", "{date} - {date}"),
        "case when {bool} then {int} when {bool} then {int} else {int} end",
        *("case {int} when {int} then {int} end", "if({bool}, {int}, {int})", "length({text})"),
        *("year({moment})", "month({moment})", "day({moment})", "quarter({moment})"),
        *("({bool})::int", "cast({int} as bigint)", "try_cast({int} as utinyint)"),
        *("cast({int} as smallint)", "{int} // {int}", "{int} % {int}"),
        *(f"date_diff('{part}', {{date}}, {{date}})" for part in ("day", "month", "hour", "week")),
        *(f"date_diff('{p}', {{timestamp}}, {{timestamp}})" for p in ("year", "minute", "quarter")),
    ],
    "double": [
        *("{double} + {double}", "{double} - {int}", "{double} * {double}", "{number} / {number}"),
        *("abs({double})", "-{double}", "coalesce({double}, {double})", "{number}::double"),
        *("nullif({double}, {double})", "case when {bool} then {double} else {double} end"),
        "try_cast({text} as double)",
    ],
    "decimal": [
        *("{decimal} + {decimal}", "{decimal} - {int}", "{decimal} * {decimal}", "-{decimal}"),
        *("abs({decimal})", "coalesce({decimal}, {decimal})", "nullif({decimal}, {decimal})"),
        *("case when {bool} then {decimal} else {int} end", "{int}::decimal(18, 2)"),
        *("try_cast({int} as decimal(6, 2))", "round({decimal}, 1)", "round({decimal})"),
    ],
    "text": ["upper({text})", "left({text}, 1)", "{text} || 'a'", "nullif({text}, 'a')", "{text}"],
    "date": ["{date} + {small}", "{date} - {int}", "coalesce({date}, {date})"],
    "timestamp": ["{date}::timestamp", "coalesce({timestamp}, {timestamp})"],
    "bool": [
        *("{bool} and {bool}", "{bool} or {bool}", "not {bool}", "{bool} = {bool}"),
        *("{any} is null", "{any} is not null", "{number} = {number}", "{number} < {number}"),
        *("{same} = {same}", "{same} <> {same}", "{same} < {same}", "{same} >= {same}"),
        *("{same} is distinct from {same}", "{same} is not distinct from {same}"),
        *("{same} between {same} and {same}", "{same} in ({same}, {literal}, {literal})"),
        *("{same} not in ({literal}, {literal})", "{text} like 'a%'", "{text} not like '%b%'"),
        *("coalesce({bool}, {bool})", "{moment} < {moment}"),
    ],
}
JOINS = ("join", "join", "left join", "right join", "full join", "semi join", "anti join")


@dataclass(frozen=True)
class Table:
    """Batches of the same columns in different encodings."""

    columns: tuple[Col, ...]
    schema: Schema
    batches: tuple[pa.RecordBatch, ...]


@dataclass(frozen=True)
class Pipeline:
    """A query and what it reads."""

    sql: str
    tables: dict[str, Table]


def random_pipeline(random: Random) -> Pipeline:
    """A query over one to three new tables."""
    tables = {f"t{i}": random_table(random) for i in range(random.choice([1, 2, 2, 3]))}
    source, columns = "t0", _of("t0", tables["t0"])
    for name, table in list(tables.items())[1:]:
        source, columns = _joined(random, source, columns, name, table)
    usable = [c for c in columns if c.kind != "other"]
    templates = COMPILED if random.random() < 0.8 else TEMPLATES
    exprs = Expressions(random, usable, templates=templates)
    where = f" where {_condition(random, exprs, columns)}" if random.random() < 0.6 else ""
    if random.random() < 0.5:
        items = [_any(random, exprs, columns) for _ in range(random.randint(1, 4))]
        sql = f"select {_named(items)} from {source}{where}"
    else:
        sql = _grouped(random, exprs, columns, f"{source}{where}")
    return Pipeline(sql, tables)


def _of(name: str, table: Table) -> list[Col]:
    return [Col(f"{name}.{c.sql}", c.kind) for c in table.columns]


def _named(items: Sequence[str]) -> str:
    return ", ".join(f"{item} as x{i}" for i, item in enumerate(items))


def _any(random: Random, exprs: Expressions, columns: Sequence[Col]) -> str:
    """A column, or an expression of any kind."""
    column = random.choice(columns)
    if column.kind == "other" or random.random() < 0.4:
        return column.sql
    return exprs.expr(column.kind, random.choice([1, 2]))


def _condition(random: Random, exprs: Expressions, columns: Sequence[Col]) -> str:
    found = exprs.condition(random.choice([1, 2, 3]))
    others = [c.sql for c in columns if c.kind == "other"]
    if others and random.random() < 0.3:
        found = f"({found}) and {random.choice(others)} is not null"
    return found


def _grouped(random: Random, exprs: Expressions, columns: Sequence[Col], source: str) -> str:
    keys = [random.choice(columns).sql for _ in range(random.choice([0, 1, 1, 2, 3]))]
    if keys and random.random() < 0.3:
        keys[0] = exprs.expr(random.choice(["int", "date", "bool", "text"]), 1)
    # a constant in GROUP BY means something else
    keys = [k for k in dict.fromkeys(keys) if any(c.sql in k for c in columns)]
    calls = []
    for _ in range(random.randint(1, 4)):
        call = random.choice(AGGREGATES)
        kinds = ("int", "double", "decimal", "bool", "text")
        values = {k: exprs.expr(k, random.choice([0, 0, 1, 2])) for k in kinds}
        call = call.format(any=_any(random, exprs, columns), **values)
        if random.random() < 0.3:
            call += f" filter (where {exprs.condition(1)})"
        calls.append(call)
    by = f" group by {', '.join(keys)}" if keys else ""
    return f"select {_named([*keys, *calls])} from {source}{by}"


def _joined(
    random: Random, left: str, columns: list[Col], name: str, table: Table
) -> tuple[str, list[Col]]:
    kind = random.choice(JOINS)
    own = _of(name, table)
    pairs = [(a, b) for a in columns for b in own if a.kind == b.kind != "other"]
    chosen = random.sample(pairs, k=min(len(pairs), random.choice([1, 1, 1, 2, 3])))
    equal = ("=", "=", "=", "is not distinct from")
    tests = [f"{a.sql} {random.choice(equal)} {b.sql}" for a, b in chosen] or ["1 = 1"]
    if random.random() < 0.3:
        usable = [c for c in (*columns, *own) if c.kind != "other"]
        inner = Expressions(random, usable, templates=COMPILED)
        tests.append(f"({inner.condition(1)})")
    seen = columns if kind in ("semi join", "anti join") else [*columns, *own]
    return f"{left} {kind} {name} on {' and '.join(tests)}", seen


# ------------------------------------------------------------------------------------------- data


def random_table(random: Random) -> Table:
    """A table of 2 to 5 columns, of none to four batches."""
    kinds = ["int", *random.choices(KINDS, k=random.randint(1, 4))]
    pools = [_pool(random, kind) for kind in kinds]
    names = [f"c{i}" for i in range(len(kinds))]
    made = []
    for _ in range(random.choice([1, 1, 2, 3, 4])):
        rows, before = random.choice([0, 1, 2, 7, 20, 40]), random.randint(0, 9)
        arrays = [_array(random, *pool, rows + before) for pool in pools]
        fields = [
            _field(random, name, array, dtype)
            for name, array, (dtype, _) in zip(names, arrays, pools, strict=True)
        ]
        whole = pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))
        made.append(whole.slice(before))
    schema = Schema.of(
        [(name, normalize(dtype)) for name, (dtype, _) in zip(names, pools, strict=True)]
    )
    columns = tuple(Col(name, kind) for name, kind in zip(names, kinds, strict=True))
    return Table(columns, schema, tuple(made))


def _pool(random: Random, kind: str) -> tuple[pa.DataType, list[Any]]:
    """A type of a kind, and values of it."""
    match kind:
        case "int":
            dtype = random.choice(INTEGERS)
            signed = pa.types.is_signed_integer(dtype)
            bits = dtype.bit_width - signed
            pool = [0, 1, 2, 3, 5, 7, 100, *([-1, -2] if signed else [])]
            if random.random() < 0.3:
                pool += [(1 << bits) - 1, -(1 << bits) if signed else (1 << bits) - 2]
            return dtype, pool
        case "double":
            odd = [math.nan, math.inf, -math.inf] if random.random() < 0.4 else []
            pool = [0.0, -0.0, 0.5, 1.0, -2.25, 3.0, 1024.0, *odd]
            return random.choice([pa.float64(), pa.float64(), pa.float32()]), pool
        case "decimal":
            digits, scale = random.choice(DECIMALS)
            most = 10**digits - 1
            units = [0, 1, 2, 5, 10, -1, -15, 20, *([most, -most] if random.random() < 0.3 else [])]
            fitting = [D(f"{u}e-{scale}") for u in units if abs(u) <= most]
            return pa.decimal128(digits, scale), fitting
        case "text":
            return pa.string(), random.sample(WORDS, k=random.randint(1, len(WORDS)))
        case "date":
            return pa.date32(), [*DAYS, dt.date(1, 1, 1), dt.date(9999, 12, 31)]
        case "timestamp":
            unit = random.choice(["s", "ms", "us", "us", "ns"])
            whole = [m.replace(microsecond=0) if unit in ("s", "ms") else m for m in MOMENTS]
            return pa.timestamp(unit), whole
        case "bool":
            return pa.bool_(), [True, False]
    return random.choice(OTHERS)


def _array(random: Random, dtype: pa.DataType, pool: list[Any], length: int) -> pa.Array:
    """A column of one batch, in some encoding of its type."""
    pool = random.sample(pool, k=random.randint(1, len(pool)))
    nulls = random.choice([0, 0, 0.2, 0.5, 1 if random.random() < 0.2 else 0])
    values = [None if random.random() < nulls else random.choice(pool) for _ in range(length)]
    if pa.types.is_string(dtype) and random.random() < 0.7:
        return _coded(random, pool, values)
    array = pa.array(values, dtype)
    if is_decimal(dtype) and dtype.precision <= 18 and random.random() < 0.5:
        return array.cast(pa.decimal64(random.choice([dtype.precision, 18]), dtype.scale))
    return array


def _coded(random: Random, pool: list[Any], values: list[Any]) -> pa.Array:
    """Codes into a dictionary that has entries nobody uses and, now and then, some twice, or NULL
    among them."""
    entries: list[Any] = [*pool, *random.choices(WORDS, k=random.choice([0, 0, 1, 3]))]
    if random.random() < 0.8:
        entries = list(dict.fromkeys(entries))
    if random.random() < 0.1:
        entries.append(None)
    random.shuffle(entries)
    places: dict[Any, list[int | None]] = {None: [None]}
    for place, entry in enumerate(entries):
        places.setdefault(entry, []).append(place)
    codes = [random.choice(places[v]) for v in values]
    index = random.choice([pa.int8(), pa.int16(), pa.int32()])
    return pa.DictionaryArray.from_arrays(pa.array(codes, index), pa.array(entries, pa.string()))


def _field(random: Random, name: str, array: pa.Array, dtype: pa.DataType) -> pa.Field:
    """The column's field; sometimes it tells the range of its integers."""
    plain = pa.field(name, array.type)
    if random.random() < 0.6 or not (pa.types.is_signed_integer(dtype) or is_decimal(dtype)):
        return plain
    scale = dtype.scale if is_decimal(dtype) else 0
    known = [int(D(v).scaleb(scale, _EXACT)) for v in array.to_pylist() if v is not None]
    return with_range(plain, (min(known), max(known))) if known else plain
