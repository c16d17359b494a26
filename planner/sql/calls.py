"""Scalar functions: by the table of `functions`, and those whose arguments need a thought."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
from sqlglot import expressions as exp

from plait.planner import builder
from plait.planner.expr import Expr, Literal
from plait.planner.functions import registry
from plait.planner.sql import aggregates
from plait.planner.sql.binder import Binder, Handler, describe
from plait.planner.sql.functions import AGGREGATES, PARTS, SCALARS, WINDOWS, Signature, unlisted
from plait.planner.sql.literals import interval_of, unit_name
from plait.planner.types import DATE, INT64, INTERVAL, NULL, STRING, sql_name


def arguments(b: Binder, node: exp.Expr, signature: Signature) -> list[exp.Expr]:
    """The argument nodes of a call, in the function's order."""
    found: list[exp.Expr] = []
    keys = set()
    for key in signature.keys:
        spread = key.startswith("*")
        key = key.removeprefix("*")
        keys.add(key)
        value = node.args.get(key)
        if spread:
            found.extend(value or ())
        elif value is not None:
            found.append(value)
    b.source.check_args(node, keys | signature.mute, describe(node))
    return found


def function(b: Binder, node: exp.Func) -> Expr:
    """Any function: scalar, or an aggregate or window function without OVER."""
    kind = type(node)
    if any(isinstance(part, exp.Lambda) for part in _parts(node)):
        b.source.refuse(f"A lambda in {describe(node).lower()}", node)
    if kind in SCALARS:
        signature = SCALARS[kind]
        return b.call(signature.name, b.bind_all(arguments(b, node, signature)), node)
    if kind in AGGREGATES:
        return aggregates.aggregate(b, node)
    if kind in WINDOWS:
        raise b.source.error(f"{WINDOWS[kind].name} needs an OVER clause", node)
    name = unlisted(node)
    if name is None:
        b.source.refuse(describe(node), node)
    if registry.is_aggregate(name):
        return aggregates.aggregate(b, node)
    if registry.is_window(name) and not registry.is_scalar(name):
        raise b.source.error(f"{name} needs an OVER clause", node)
    return _named(b, name, positional(b, node), node)


def _parts(node: exp.Expr) -> list[object]:
    found: list[object] = []
    for value in node.args.values():
        found.extend(value) if isinstance(value, list) else found.append(value)
    return found


def positional(b: Binder, node: exp.Func) -> list[exp.Expr]:
    """The arguments of a function known by its name only."""
    if not isinstance(node, exp.Anonymous):
        b.source.check_args(node, ("this",), describe(node))
        return [] if node.this is None else [node.this]
    for argument in node.expressions:
        if isinstance(argument, exp.Kwarg | exp.PropertyEQ):
            b.source.refuse("A named argument", argument, "give the arguments in order")
    return list(node.expressions)


def _named(b: Binder, name: str, args: list[exp.Expr], node: exp.Expr) -> Expr:
    folded = name.lower()
    if folded in ("date_part", "datepart") and len(args) == 2:
        return _part(b, args[0], args[1], node)
    if folded == "row":
        b.source.refuse("A row as a value", node, "compare or list rows instead")
    return b.call(name, b.bind_all(args), node)


def _part(b: Binder, part: exp.Expr, value: exp.Expr, node: exp.Expr) -> Expr:
    """EXTRACT(part FROM x) and date_part('part', x) are year(x), month(x), ..."""
    if not isinstance(part, exp.Var | exp.Literal | exp.Column | exp.Identifier):
        return b.call("date_part", [b.bind(part), b.bind(value)], node)
    known = PARTS.get(part.name.lower())
    if known is None:
        b.source.refuse(f"The date part {part.name!r}", node)
    _check_week(b, known, node)
    if registry.is_scalar(known):
        return b.call(known, [b.bind(value)], node)
    return b.call("date_part", [Literal(known, STRING), b.bind(value)], node)


def extract(b: Binder, node: exp.Extract) -> Expr:
    """EXTRACT(part FROM x)."""
    b.source.check_args(node, ("this", "expression"), "EXTRACT")
    return _part(b, node.this, node.expression, node)


def _unit(b: Binder, node: exp.Expr) -> Literal:
    """A unit of time as a constant."""
    unit = node.args.get("unit")
    if not isinstance(unit, exp.Var | exp.Literal):
        b.source.refuse(f"The unit {unit.sql() if unit else 'left out'}", node)
    name = PARTS.get(unit.name.lower())
    if name is None:
        raise b.source.error(f"{unit.name!r} is no unit of time", node)
    return Literal(name, STRING)


def truncate(b: Binder, node: exp.TimestampTrunc | exp.DateTrunc) -> Expr:
    """date_trunc('month', x)."""
    b.source.check_args(node, ("this", "unit", "input_type_preserved"), "date_trunc")
    return b.call("date_trunc", [_unit(b, node), b.bind(node.this)], node)


def difference(b: Binder, node: exp.DateDiff) -> Expr:
    """date_diff('day', start, end)."""
    keys = ("this", "expression", "unit", "big_int", "date_part_boundary")
    b.source.check_args(node, keys, "date_diff")
    args = [_unit(b, node), b.bind(node.expression), b.bind(node.this)]
    return b.call("date_diff", args, node)


def shift(b: Binder, node: exp.DateAdd | exp.DateSub) -> Expr:
    """date_add(x, INTERVAL 1 DAY), and with a number and a unit where a dialect has that."""
    b.source.check_args(node, ("this", "expression", "unit"), describe(node))
    name = "add" if isinstance(node, exp.DateAdd) else "subtract"
    amount = b.bind(node.expression)
    if amount.dtype != INTERVAL:
        unit = node.args.get("unit")
        word = "day" if unit is None else unit_name(unit.name)
        if word is None:
            b.source.refuse(f"{describe(node)} in units of {unit.name if unit else ''}", node)
        one = Literal(interval_of(1, word.upper()), INTERVAL)
        amount = b.call("multiply", [one, amount], node)
    return b.call(name, [b.bind(node.this), amount], node)


def from_epoch(b: Binder, node: exp.UnixToTime) -> Expr:
    """to_timestamp(seconds), epoch_ms(milliseconds), make_timestamp(microseconds)."""
    b.source.check_args(node, ("this", "scale"), "to_timestamp")
    scale = node.args.get("scale")
    names = {"0": "to_timestamp", "3": "epoch_ms", "6": "make_timestamp", "9": "make_timestamp_ns"}
    name = names.get("0" if scale is None else scale.name)
    if name is None:
        b.source.refuse("This scale of to_timestamp", node)
    return b.call(name, [b.bind(node.this)], node)


def trim(b: Binder, node: exp.Trim) -> Expr:
    """trim, ltrim, rtrim."""
    b.source.check_args(node, ("this", "expression", "position"), "trim")
    position = str(node.args.get("position") or "BOTH").upper()
    name = {"BOTH": "trim", "LEADING": "ltrim", "TRAILING": "rtrim"}[position]
    characters = node.args.get("expression")
    args = [b.bind(node.this), *([] if characters is None else [b.bind(characters)])]
    return b.call(name, args, node)


def pad(b: Binder, node: exp.Pad) -> Expr:
    """lpad, rpad."""
    b.source.check_args(node, ("this", "expression", "fill_pattern", "is_left"), "pad")
    fill = node.args.get("fill_pattern")
    filled = Literal(" ", STRING) if fill is None else b.bind(fill)
    name = "lpad" if node.args.get("is_left") else "rpad"
    return b.call(name, [b.bind(node.this), b.bind(node.expression), filled], node)


def logarithm(b: Binder, node: exp.Log) -> Expr:
    """log(x) to base 10, log(base, x)."""
    b.source.check_args(node, ("this", "expression"), "log")
    first = b.bind(node.this)
    if node.args.get("expression") is None:
        return b.call("log10", [first], node)
    second = b.bind(node.expression)
    if isinstance(first, Literal) and first.value in (2, 10):
        return b.call(f"log{first.value}", [second], node)
    return b.call("log", [first, second], node)


def regexp_replace(b: Binder, node: exp.RegexpReplace) -> Expr:
    """regexp_replace(text, pattern, replacement, options): the first match, all with 'g'."""
    keys = ("this", "expression", "replacement", "modifiers", "single_replace")
    b.source.check_args(node, keys, "regexp_replace")
    args = [b.bind(node.this), b.bind(node.expression)]
    replacement, modifiers = node.args.get("replacement"), node.args.get("modifiers")
    args.append(Literal("", STRING) if replacement is None else b.bind(replacement))
    if modifiers is not None:
        args.append(b.bind(modifiers))
    elif not node.args.get("single_replace"):
        args.append(Literal("g", STRING))
    return b.call("regexp_replace", args, node)


def regexp_extract(b: Binder, node: exp.RegexpExtract) -> Expr:
    """regexp_extract(text, pattern, group, options)."""
    keys = ("this", "expression", "group", "parameters", "null_if_pos_overflow")
    b.source.check_args(node, keys, "regexp_extract")
    args = [b.bind(node.this), b.bind(node.expression)]
    group, options = node.args.get("group"), node.args.get("parameters")
    if group is not None:
        args.append(b.bind(group))
    if options is not None:
        args.append(b.bind(options))
    return b.call("regexp_extract", args, node)


def regexp_like(b: Binder, node: exp.RegexpLike) -> Expr:
    """regexp_matches(text, pattern): somewhere in the text; whole text where a dialect says so."""
    b.source.check_args(node, ("this", "expression", "flag", "full_match"), "regexp_matches")
    name = "regexp_full_match" if node.args.get("full_match") else "regexp_matches"
    flag = node.args.get("flag")
    args = [b.bind(node.this), b.bind(node.expression), *([] if flag is None else [b.bind(flag)])]
    return b.call(name, args, node)


def regexp_ilike(b: Binder, node: exp.RegexpILike) -> Expr:
    """`~*`."""
    b.source.check_args(node, ("this", "expression"), "~*")
    args = [b.bind(node.this), b.bind(node.expression), Literal("i", STRING)]
    return b.call("regexp_matches", args, node)


def extreme(b: Binder, node: exp.Greatest | exp.Least) -> Expr:
    """greatest, least: NULLs are left out, or win where a dialect says so."""
    b.source.check_args(node, ("this", "expressions", "ignore_nulls"), describe(node))
    args = b.bind_all([node.this, *node.expressions])
    result = b.call("greatest" if isinstance(node, exp.Greatest) else "least", args, node)
    return result if node.args.get("ignore_nulls") else _null_if_any(b, args, result, node)


def concat(b: Binder, node: exp.Concat | exp.ConcatWs) -> Expr:
    """concat, concat_ws: NULLs are left out, or win where a dialect says so."""
    b.source.check_args(node, ("expressions", "safe", "coalesce"), describe(node))
    args = b.bind_all(node.expressions)
    result = b.call("concat_ws" if isinstance(node, exp.ConcatWs) else "concat", args, node)
    return result if node.args.get("coalesce") else _null_if_any(b, args, result, node)


def _null_if_any(b: Binder, args: list[Expr], result: Expr, node: exp.Expr) -> Expr:
    nulls = [b.call("is_null", [arg], node) for arg in args if not isinstance(arg, Literal)]
    if not nulls:
        return result
    any_null = nulls[0]
    for test in nulls[1:]:
        any_null = b.call("or", [any_null, test], node)
    return builder.case([(any_null, Literal(None, result.dtype))], result)


def week_part(b: Binder, node: exp.DayOfWeek | exp.Week | exp.WeekOfYear) -> Expr:
    """dayofweek, week: dialects number days and weeks differently."""
    b.source.check_args(node, ("this",), describe(node))
    name = "dayofweek" if isinstance(node, exp.DayOfWeek) else "week"
    _check_week(b, name, node)
    return b.call(name, [b.bind(node.this)], node)


def _check_week(b: Binder, part: str, node: exp.Expr) -> None:
    if part in ("dayofweek", "week") and b.context.dialect not in ("duckdb", "postgres"):
        b.source.refuse(
            f"{part} in dialect {b.context.dialect!r}",
            node,
            "dialects count days and weeks differently; use dialect='duckdb'",
        )


def array(b: Binder, node: exp.Array) -> Expr:
    """[a, b]."""
    keys = ("expressions", "bracket_notation", "value_constructor")
    b.source.check_args(node, keys, "a list")
    if any(isinstance(item, exp.Select | exp.SetOperation) for item in node.expressions):
        b.source.refuse("ARRAY of a query", node, "use (SELECT list(x) FROM ...)")
    if not node.expressions:
        return Literal((), pa.list_(NULL))
    return b.call("list_value", b.bind_all(node.expressions), node)


def sha2(b: Binder, node: exp.SHA2) -> Expr:
    """sha256(x)."""
    length = node.args.get("length")
    if length is not None and length.name != "256":
        b.source.refuse(f"sha2 of {length.name} bits", node)
    return b.call("sha256", [b.bind(node.this)], node)


def type_of(b: Binder, node: exp.Typeof) -> Expr:
    """typeof(x): the engine may hold x in a narrower type, so the name is given here."""
    b.source.check_args(node, ("this",), "typeof")
    value = b.bind(node.this)
    name = '"NULL"' if value.dtype == NULL else sql_name(value.dtype)
    return b.call("typeof", [value, Literal(name, STRING)], node)


def list_sort(b: Binder, node: exp.ArraySort) -> Expr:
    """list_sort(x, order, nulls), list_reverse_sort(x, nulls); sqlglot makes flags of the words."""
    b.source.check_args(node, ("this", "asc", "nulls_first"), "list_sort")
    descending = isinstance(node.args.get("asc"), exp.Boolean) and not node.args["asc"].this
    first = isinstance(node.args.get("nulls_first"), exp.Boolean) and node.args["nulls_first"].this
    words = ("DESC" if descending else "ASC", "NULLS FIRST" if first else "NULLS LAST")
    return b.call("list_sort", [b.bind(node.this), *(Literal(w, STRING) for w in words)], node)


def coded(b: Binder, node: exp.Encode | exp.Decode) -> Expr:
    """encode, decode: UTF-8 to bytes and back."""
    charset = node.args.get("charset")
    if charset is not None and charset.name.lower() not in ("utf-8", "utf8"):
        b.source.refuse(f"The character set {charset.name}", node)
    name = "encode" if isinstance(node, exp.Encode) else "decode"
    return b.call(name, [b.bind(node.this)], node)


def initcap(b: Binder, node: exp.Initcap) -> Expr:
    """initcap(text); sqlglot adds the characters that part words."""
    return b.call("initcap", [b.bind(node.this)], node)


def time_bucket(b: Binder, node: exp.DateBin) -> Expr:
    """time_bucket(INTERVAL 5 MINUTES, x)."""
    b.source.check_args(node, ("this", "expression", "origin"), "time_bucket")
    origin = node.args.get("origin")
    args = [b.bind(node.this), b.bind(node.expression)]
    return b.call("time_bucket", [*args, *([] if origin is None else [b.bind(origin)])], node)


def date(b: Binder, node: exp.Date) -> Expr:
    """date(x): a cast."""
    b.source.check_args(node, ("this",), "date")
    with b.source.at(node):
        return builder.cast(b.bind(node.this), DATE)


def time_zone(b: Binder, node: exp.AtTimeZone) -> Expr:
    """x AT TIME ZONE 'Europe/Paris'."""
    if not registry.is_scalar("timezone"):
        b.source.refuse("AT TIME ZONE", node, word="at time zone")
    return b.call("timezone", [b.bind(node.args["zone"]), b.bind(node.this)], node)


def element(b: Binder, node: exp.Bracket) -> Expr:
    """x[1], x[2:3] of lists and strings."""
    b.source.check_args(node, ("this", "expressions"), "[ ]")
    if len(node.expressions) != 1:
        b.source.refuse("[ ] with several indexes", node)
    value, index = b.bind(node.this), node.expressions[0]
    if not isinstance(index, exp.Slice):
        return b.call("list_extract", [value, _index(b, index)], node)
    b.source.check_args(index, ("this", "expression"), "a slice")
    ends = [index.this, index.args.get("expression")]
    bounds = [Literal(None, INT64) if e is None else _index(b, e) for e in ends]
    return b.call("list_slice", [value, *bounds], node)


def _index(b: Binder, node: exp.Expr) -> Expr:
    index = b.bind(node)
    if b.context.index_base == 1:
        return index
    return b.call("add", [index, Literal(1 - b.context.index_base, INT64)], node)


def columns(b: Binder, node: exp.Columns) -> Expr:
    """COLUMNS(...) inside an expression of the SELECT list, which is bound for each column."""
    if b.star is None:
        b.source.refuse(f"COLUMNS(...) in {b.clause.name}", node, "write the columns out")
    return b.star


def _refused(what: str, advice: str = "") -> Callable[[Binder, Any], Expr]:
    def refuse(b: Binder, node: exp.Expr) -> Expr:
        return b.source.refuse(what, node, advice)

    return refuse


HANDLERS: dict[type[exp.Expr], Handler] = {
    exp.Func: function,
    exp.BitwiseXor: function,
    exp.Extract: extract,
    exp.TimestampTrunc: truncate,
    exp.DateTrunc: truncate,
    exp.DateDiff: difference,
    exp.DateAdd: shift,
    exp.DateSub: shift,
    exp.UnixToTime: from_epoch,
    exp.Trim: trim,
    exp.Pad: pad,
    exp.Log: logarithm,
    exp.RegexpReplace: regexp_replace,
    exp.RegexpExtract: regexp_extract,
    exp.RegexpLike: regexp_like,
    exp.RegexpILike: regexp_ilike,
    exp.Initcap: initcap,
    exp.Array: array,
    exp.SHA2: sha2,
    exp.Typeof: type_of,
    exp.ArraySort: list_sort,
    exp.Encode: coded,
    exp.Decode: coded,
    exp.Greatest: extreme,
    exp.Least: extreme,
    exp.Concat: concat,
    exp.ConcatWs: concat,
    exp.DayOfWeek: week_part,
    exp.Week: week_part,
    exp.WeekOfYear: week_part,
    exp.DateBin: time_bucket,
    exp.AtTimeZone: time_zone,
    exp.Date: date,
    exp.Tuple: _refused("A row as a value", "compare or list rows instead"),
    exp.Slice: _refused("A slice"),
    exp.Struct: _refused("A struct made in SQL"),
    exp.ToMap: _refused("A map"),
    exp.Bracket: element,
    exp.Explode: _refused("UNNEST"),
    exp.Unnest: _refused("UNNEST"),
    exp.Lambda: _refused("A lambda"),
    exp.JSONExtract: _refused("-> (JSON or a lambda)"),
    exp.JSONExtractScalar: _refused("->> (JSON)"),
    exp.Collate: _refused("COLLATE"),
    exp.PositionalColumn: _refused("A column by its position", "write its name"),
    exp.Columns: columns,
    exp.Star: _refused("A star inside an expression", "name the columns"),
}
