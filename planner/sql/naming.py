"""What a result column is called that has no alias: DuckDB's text of the expression.

`a + 1` is "(a + 1)", `count(*)` is "count_star()", `sum(x)` "sum(x)". Functions keep the name they
were written with, which sqlglot's tree no longer has: it is read from the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from sqlglot import expressions as exp

from plait.planner.functions import registry
from plait.planner.sql.functions import AGGREGATES, SCALARS, WINDOWS
from plait.planner.sql.mistakes import Source, subtree_span


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# function names that DuckDB puts in quotes, being keywords
_QUOTED = _words(
    """add aggregate century checkpoint day decade error filter first functions glob hour if json
    last left map microsecond millennium millisecond minute mode month nullif overlay position
    quarter range replace right row second show substring trim user version week year"""
)
_RESERVED = _words(
    """all and any array as asc between both by case cast check collate column constraint create
    default desc distinct do else end except exists false fetch for foreign from group having in
    into is join lateral leading limit not null offset on only or order primary qualify
    references select some table then to trailing true union unique using values when where
    window with"""
)

_INFIX: dict[type[exp.Expr], str] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.IntDiv: "//",
    exp.Mod: "%",
    exp.EQ: "=",
    exp.NEQ: "!=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.And: "AND",
    exp.Or: "OR",
    exp.DPipe: "||",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM",
    exp.NullSafeNEQ: "IS DISTINCT FROM",
    exp.BitwiseAnd: "&",
    exp.BitwiseOr: "|",
    exp.BitwiseLeftShift: "<<",
    exp.BitwiseRightShift: ">>",
    exp.Glob: "~~~",
}

_TYPES = {
    exp.DType.INT: "INTEGER",
    exp.DType.BIGINT: "BIGINT",
    exp.DType.SMALLINT: "SMALLINT",
    exp.DType.FLOAT: "FLOAT",
    exp.DType.BOOLEAN: "BOOLEAN",
    exp.DType.TIMESTAMP: "TIMESTAMP",
    exp.DType.TIMESTAMPNTZ: "TIMESTAMP",
    exp.DType.TIME: "TIME",
    exp.DType.INTERVAL: "INTERVAL",
    exp.DType.DECIMAL: "DECIMAL",
}

# parts of a date that are keywords: EXTRACT shows them in capitals
_PARTS = _words(
    """YEAR MONTH DAY HOUR MINUTE SECOND MILLISECOND MICROSECOND WEEK QUARTER DECADE CENTURY
    MILLENNIUM"""
)

_UNITS = {
    "YEAR": "to_years",
    "QUARTER": "to_quarters",
    "MONTH": "to_months",
    "WEEK": "to_weeks",
    "DAY": "to_days",
    "HOUR": "to_hours",
    "MINUTE": "to_minutes",
    "SECOND": "to_seconds",
}


def column_name(node: exp.Expr, source: Source) -> str:
    """The name of an unnamed result column."""
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Column):
        return node.name
    try:
        return _Namer(source).text(node)
    except RecursionError:
        return "expression"


class _Namer:
    def __init__(self, source: Source) -> None:
        self._source = source

    def text(self, node: Any) -> str:
        kind = type(node)
        if kind is exp.Mod and "start" in (node._meta or ()):  # a function has a position
            return f"mod({self.listed([node.this, node.expression])})"
        if kind in _INFIX:
            return f"({self.text(node.this)} {_INFIX[kind]} {self.text(node.expression)})"
        found = _TEXTS.get(kind)
        if found is not None:
            return found(self, node)
        if isinstance(node, exp.Query):
            return f"({self._sql(node)})"
        if isinstance(node, exp.Func):
            return self.function(node)
        return self._sql(node)

    def _sql(self, node: exp.Expr) -> str:
        query = node.this if isinstance(node, exp.Subquery) and not node.alias else node
        return str(query.sql(dialect="duckdb", normalize_functions="lower"))

    def listed(self, nodes: Iterable[exp.Expr]) -> str:
        return ", ".join(self.text(n) for n in nodes)

    # -------------------------------------------------------------------------- functions

    def written(self, node: exp.Expr, default: str) -> str:
        """The function's name as it stands in the text."""
        meta = node._meta
        name = default
        if meta and "start" in meta:
            text = self._source.sql[meta["start"] : meta["end"] + 1]
            if re.fullmatch(r"\w+", text):
                name = text
        elif default:
            name = self._before(node) or default
        name = name.lower()
        return f'"{name}"' if name in _QUOTED else name

    def _before(self, node: exp.Expr) -> str | None:
        """The name of a function that sqlglot builds without a position: it opens the call."""
        where = subtree_span(node)
        text = "" if where is None else self._source.sql[max(0, where[0] - 60) : where[0]]
        found = re.search(r"(\w+)\s*\(\s*(?:distinct\s*)?'?$", text, re.IGNORECASE)
        if found is None:
            return None
        kind = AGGREGATES.get(type(node)) or SCALARS.get(type(node))
        mine = found[1].lower()
        for is_known, find in (
            (registry.is_aggregate, registry.aggregate),
            (registry.is_scalar, registry.scalar),
        ):
            known = kind is not None and is_known(mine) and is_known(kind.name)
            if known and kind is not None and find(mine).name == find(kind.name).name:
                return mine
        return None

    def function(self, node: exp.Func, extra: str = "", window: bool = False) -> str:
        if isinstance(node, exp.Anonymous):
            name, args = self.written(node, node.name), list(node.expressions)
        else:
            table = SCALARS.get(type(node)) or AGGREGATES.get(type(node)) or WINDOWS.get(type(node))
            name = self.written(node, table.name if table else node.sql_name().lower())
            args = _arguments(node, table.keys if table else tuple(node.arg_types))
        if isinstance(node, exp.Count) and (not args or isinstance(args[0], exp.Star)):
            return "count()" if window else "count_star()"
        if isinstance(node, exp.CurrentTimestamp):
            return "current_timestamp"
        if not args and isinstance(node, exp.CurrentDate):
            return name if name.startswith("current") else f"{name}()"
        return f"{name}({self.listed(args)}{extra})"

    def ordered(self, node: exp.Ordered) -> str:
        desc = " DESC" if node.args.get("desc") else ""
        nulls = " NULLS FIRST" if node.args.get("nulls_first") else ""
        return f"{self.text(node.this)}{desc}{nulls}"

    def order(self, node: exp.Order) -> str:
        inner = f"{self.text(node.this)} " if node.this is not None else ""
        return f"{inner}ORDER BY {self.listed(node.expressions)}"

    # ------------------------------------------------------------------------ other shapes

    def column(self, node: exp.Column) -> str:
        *tables, last = [p.name for p in node.parts]
        quoted = tables and last.lower() in _QUOTED
        shown = f'"{last}"' if quoted else _identifier(last)
        return ".".join([*map(_identifier, tables), shown])

    def literal(self, node: exp.Literal) -> str:
        if node.is_string:
            return "'" + str(node.this).replace("'", "''") + "'"
        meta = node._meta
        if meta and "start" in meta:
            text = self._source.sql[meta["start"] : meta["end"] + 1]
            if text[:1].isdigit() or text[:1] == ".":
                return text
        return str(node.this)

    def negative(self, node: exp.Neg) -> str:
        inner = self.text(node.this)
        return f"-{inner}" if isinstance(node.this, exp.Literal) else f"(-({inner}))"

    def negated(self, node: exp.Not) -> str:
        inner = node.this
        while isinstance(inner, exp.Paren):
            inner = inner.this
        if isinstance(inner, exp.Is):
            return self.is_(inner, "IS NOT NULL", "IS DISTINCT FROM")
        return f"(NOT {self.text(inner)})"

    def is_(self, node: exp.Is, null: str = "IS NULL", same: str = "IS NOT DISTINCT FROM") -> str:
        value = self.text(node.this)
        if isinstance(node.expression, exp.Null):
            return f"({value} {null})"
        return f"(CAST({value} AS BOOLEAN) {same} {self.text(node.expression)})"

    def case(self, node: exp.Case) -> str:
        branches = []
        for branch in node.args["ifs"]:
            when = self.text(branch.this)
            if node.this is not None:
                when = f"({self.text(node.this)} = {when})"
            branches.append(f"WHEN ({when}) THEN ({self.text(branch.args['true'])})")
        default = node.args.get("default")
        otherwise = "NULL" if default is None else self.text(default)
        return f"CASE  {' '.join(branches)} ELSE {otherwise} END"

    def cast(self, node: exp.Cast) -> str:
        word = "TRY_CAST" if isinstance(node, exp.TryCast) else "CAST"
        return f"{word}({self.text(node.this)} AS {self.type(node)})"

    def type(self, node: exp.Cast) -> str:
        to = node.args["to"]
        if to.this in _TYPES:
            name = _TYPES[to.this]
        else:
            name = self._written_type(node) or to.sql(dialect="duckdb")
            name = name.upper() if name.upper() in ("VARCHAR", "CHAR") else name
        params = [p.name for p in to.expressions if isinstance(p, exp.DataTypeParam)]
        written = to.this != exp.DType.DECIMAL or "(" in self._after(node)[:40]
        return f"{name}({', '.join(params)})" if params and written else name

    def _after(self, node: exp.Cast) -> str:
        where = subtree_span(node.this)
        return "" if where is None else self._source.sql[where[1] + 1 :]

    def _written_type(self, node: exp.Cast) -> str | None:
        """The type's name as written: behind `::` or AS, or before the string of DATE '...'."""
        inner, depth = node.this, 0
        while isinstance(inner, exp.Paren | exp.Cast):
            depth += isinstance(inner, exp.Cast)
            inner = inner.this
        types = r"[\s)]*(?:::|as\s)\s*(\w+)\s*(?:\([\d\s,]*\))?"
        text = self._after(node)
        found = re.match(types, text, re.IGNORECASE)
        while found is not None and depth > 0:  # the operand is a cast too: its type comes first
            text, depth = text[found.end() :], depth - 1
            found = re.match(types, text, re.IGNORECASE)
        if found is not None:
            return found[1]
        where = subtree_span(node.this)
        if where is None:
            return None
        before = re.search(r"(\w+)\s*$", self._source.sql[: where[0]])
        return before[1] if before else None

    def between(self, node: exp.Between) -> str:
        low, high = self.text(node.args["low"]), self.text(node.args["high"])
        return f"({self.text(node.this)} BETWEEN {low} AND {high})"

    def in_(self, node: exp.In) -> str:
        value, query = self.text(node.this), node.args.get("query")
        if query is not None:
            return f"({value} = ANY({self._sql(query)}))"
        return f"({value} IN ({self.listed(node.expressions)}))"

    def like(self, node: exp.Like | exp.ILike) -> str:
        sign = "~~*" if isinstance(node, exp.ILike) else "~~"
        if node.args.get("negate"):
            sign = f"!{sign}"
        return f"({self.text(node.this)} {sign} {self.text(node.expression)})"

    def escape(self, node: exp.Escape) -> str:
        like = node.this
        name = "ilike_escape" if isinstance(like, exp.ILike) else "like_escape"
        text = f"{name}({self.listed([like.this, like.expression, node.expression])})"
        return f"(NOT {text})" if like.args.get("negate") else text

    def interval(self, node: exp.Interval) -> str:
        unit = node.args.get("unit")
        name = _UNITS.get((unit.name if unit else "").upper().removesuffix("S"))
        amount = node.this
        if name is None or amount is None:
            return self._sql(node)
        value = self.text(amount)
        if isinstance(amount, exp.Literal):
            value = str(amount.this)
            written = re.search(
                rf"interval\s+'{re.escape(value)}'", self._source.sql, re.IGNORECASE
            )
            value = f"'{value}'" if written else value
        kind = "BIGINT" if name in ("to_hours", "to_minutes") else "INTEGER"
        number = f"CAST({value} AS DOUBLE)"
        if name == "to_seconds":
            return f"{name}({number})"
        return f"{name}(CAST(trunc({number}) AS {kind}))"

    def filter(self, node: exp.Filter, window: bool = False) -> str:
        call = self.function(node.this, window=window)
        return f"{call} FILTER (WHERE {self.text(node.expression.this)})"

    def window(self, node: exp.Window) -> str:
        call = node.this
        if isinstance(call, exp.IgnoreNulls) and not isinstance(call.this, exp.AnyValue):
            name = self.function(call.this)
            name = f"{name[:-1]} IGNORE NULLS)"
        else:
            call = call.this if isinstance(call, exp.IgnoreNulls) else call
            if isinstance(call, exp.Filter):
                name = self.filter(call, window=True)
            else:
                name = self.function(call, window=True)
        over = []
        partition, order = _inherited(node, "partition_by"), _inherited(node, "order")
        if partition:
            over.append(f"PARTITION BY {self.listed(partition)}")
        if order is not None:
            over.append(self.order(order))
        spec = _inherited(node, "spec")
        if spec is not None:
            over.append(self.frame(spec))
        return f"{name} OVER ({' '.join(over)})"

    def frame(self, spec: exp.WindowSpec) -> str:
        def bound(which: str) -> str:
            value = spec.args.get(which) or "CURRENT ROW"
            side = str(spec.args.get(f"{which}_side") or "").upper()
            shown = value if isinstance(value, str) else self.text(value)
            return shown if shown == "CURRENT ROW" else f"{shown} {side}"

        kind = str(spec.args["kind"]).upper()
        if spec.args.get("start") == "UNBOUNDED" and spec.args.get("end") == "UNBOUNDED":
            kind = "ROWS"
        exclude = spec.args.get("exclude")
        left_out = "NO OTHERS" if exclude is None else exclude.name.upper()
        tail = "" if left_out == "NO OTHERS" else f" EXCLUDE {left_out}"
        return f"{kind} BETWEEN {bound('start')} AND {bound('end')}{tail}"


def _inherited(node: exp.Window, key: str) -> Any:
    """A part of a window, from the named window it refers to if it has none."""
    value, name, seen = node.args.get(key), node.args.get("alias"), set()
    select = node.find_ancestor(exp.Select)
    named = select.args.get("windows") if select is not None else None
    while not value and name is not None and name.name not in seen:
        seen.add(name.name)
        found = next((w for w in named or () if w.name.casefold() == name.name.casefold()), None)
        if found is None:
            break
        value, name = found.args.get(key), found.args.get("alias")
    return value


def _arguments(node: exp.Expr, keys: Iterable[str]) -> list[exp.Expr]:
    found: list[exp.Expr] = []
    for key in keys:
        value = node.args.get(key.removeprefix("*"))
        if isinstance(value, list):
            found.extend(v for v in value if isinstance(v, exp.Expr))
        elif isinstance(value, exp.Expr):
            found.append(value)
    return [arg for arg in found if not _is_made_up(arg)]


def _is_made_up(arg: exp.Expr) -> bool:
    """Whether sqlglot has added a constant: log2(x) is log(2, x) to it."""
    if not isinstance(arg, exp.Literal) or "start" in (arg._meta or ()):
        return False
    # a format is one that sqlglot has rewritten
    return not arg.is_string or isinstance(arg.parent, exp.Encode | exp.Decode | exp.Initcap)


def _identifier(name: str) -> str:
    plain = re.fullmatch(r"[A-Za-z_]\w*", name) and name.lower() not in _RESERVED
    return name if plain else '"' + name.replace('"', '""') + '"'


def _extract(namer: _Namer, node: exp.Extract) -> str:
    part, value = node.this.name, namer.text(node.expression)
    where = subtree_span(node)
    text = "" if where is None else namer._source.sql[: where[0]]
    found = re.search(r"(\w+)('?)\s+from\s*$", text, re.IGNORECASE)
    if found is not None:
        part = found[1].upper() if not found[2] and found[1].upper() in _PARTS else found[1]
    return f"date_part('{part}', {value})"


def _unit_call(namer: _Namer, node: Any) -> str:
    """date_trunc and date_diff hold their first argument as a unit."""
    name = namer.written(node, "date_trunc")
    unit = node.args["unit"].name.lower() if node.args.get("unit") else ""
    args = [node.this] if node.args.get("expression") is None else [node.expression, node.this]
    return f"{name}('{unit}', {namer.listed(args)})"


def _string_agg(namer: _Namer, node: exp.Expr) -> str:
    """ORDER BY is inside the first argument of sqlglot's node, and last in the text."""
    assert isinstance(node, exp.GroupConcat)
    inner, order = node.this, ""
    if isinstance(inner, exp.Order):
        order, inner = f" ORDER BY {namer.listed(inner.expressions)}", inner.this
    separator = node.args.get("separator")
    args = [inner] if separator is None else [inner, separator]
    return f"{namer.written(node, 'string_agg')}({namer.listed(args)}{order})"


def _trim(namer: _Namer, node: exp.Trim) -> str:
    name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(
        str(node.args.get("position") or "").upper(), '"trim"'
    )
    return f"{name}({namer.listed(_arguments(node, ('this', 'expression')))})"


def _within_group(namer: _Namer, node: exp.WithinGroup) -> str:
    key = node.expression.expressions[0]
    name = "quantile_disc" if isinstance(node.this, exp.PercentileDisc) else "quantile_cont"
    return f"{name}({namer.text(node.this.this)} ORDER BY {namer.text(key)})"


def _exists(namer: _Namer, node: exp.Exists) -> str:
    return f"EXISTS({namer._sql(node.this)})"


def _any(namer: _Namer, node: exp.Any) -> str:
    return f"ANY({namer._sql(node.this)})"


_TEXTS: dict[type[exp.Expr], Callable[[_Namer, Any], str]] = {
    exp.Column: _Namer.column,
    exp.Identifier: lambda n, node: _identifier(node.name),
    exp.Literal: _Namer.literal,
    exp.Boolean: lambda n, node: "true" if node.this else "false",
    exp.Null: lambda n, node: "NULL",
    exp.Star: lambda n, node: "*",
    exp.Paren: lambda n, node: n.text(node.this),
    exp.Neg: _Namer.negative,
    exp.Not: _Namer.negated,
    exp.BitwiseNot: lambda n, node: f"(~({n.text(node.this)}))",
    exp.Is: _Namer.is_,
    exp.Case: _Namer.case,
    exp.If: lambda n, node: f'"if"({n.listed(_arguments(node, ("this", "true", "false")))})',
    exp.Coalesce: lambda n, node: f"COALESCE({n.listed([node.this, *node.expressions])})",
    exp.Cast: _Namer.cast,
    exp.TryCast: _Namer.cast,
    exp.Between: _Namer.between,
    exp.In: _Namer.in_,
    exp.Like: _Namer.like,
    exp.ILike: _Namer.like,
    exp.Escape: _Namer.escape,
    exp.Pow: lambda n, node: _power(n, node),
    exp.RegexpLike: lambda n, node: f"regexp_matches({n.listed([node.this, node.expression])})",
    exp.RegexpILike: lambda n, node: (
        f"regexp_matches({n.listed([node.this, node.expression])}, 'i')"
    ),
    exp.AtTimeZone: lambda n, node: f"timezone({n.listed([node.args['zone'], node.this])})",
    exp.SimilarTo: lambda n, node: f"regexp_full_match({n.listed([node.this, node.expression])})",
    exp.Interval: _Namer.interval,
    exp.Distinct: lambda n, node: f"DISTINCT {n.listed(node.expressions)}",
    exp.Order: _Namer.order,
    exp.Ordered: _Namer.ordered,
    exp.Filter: _Namer.filter,
    exp.IgnoreNulls: lambda n, node: n.text(node.this),
    exp.Window: _Namer.window,
    exp.WithinGroup: _within_group,
    exp.Extract: _extract,
    exp.TimestampTrunc: _unit_call,
    exp.DateTrunc: _unit_call,
    exp.DateDiff: _unit_call,
    exp.Trim: _trim,
    exp.GroupConcat: _string_agg,
    exp.ByteString: lambda n, node: "'" + str(node.this).replace("'", "''") + "'",
    exp.HexString: lambda n, node: f"X'{node.this}'",
    exp.Exists: _exists,
    exp.Any: _any,
    exp.Tuple: lambda n, node: f'"row"({n.listed(node.expressions)})',
    exp.Array: lambda n, node: f"list_value({n.listed(node.expressions)})",
    exp.Grouping: lambda n, node: f"GROUPING({n.listed(node.expressions)})",
    exp.GroupingId: lambda n, node: f"GROUPING({n.listed(node.expressions)})",
    exp.Bracket: lambda n, node: f"{n.text(node.this)}[{n.listed(node.expressions)}]",
    exp.Slice: lambda n, node: ":".join(
        "" if end is None else n.text(end) for end in (node.this, node.args.get("expression"))
    ),
    exp.Placeholder: lambda n, node: f"${node.name}",
    exp.Parameter: lambda n, node: f"${node.name}",
}


def _power(namer: _Namer, node: exp.Pow) -> str:
    name = namer.written(node, "")
    if name:
        return f"{name}({namer.listed([node.this, node.expression])})"
    left, right = subtree_span(node.this), subtree_span(node.expression)
    between = namer._source.sql[left[1] : right[0]] if left and right else ""
    sign = "^" if "^" in between else "**"
    return f"({namer.text(node.this)} {sign} {namer.text(node.expression)})"
