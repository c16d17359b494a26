"""Window functions: OVER, named windows, frames."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
from sqlglot import expressions as exp

from plait.planner import builder
from plait.planner.expr import Bound, Expr, Frame, Literal, SortKey
from plait.planner.functions import registry
from plait.planner.sql.aggregates import Parts, bind_parts, sort_key, take_apart
from plait.planner.sql.binder import Binder, Clause, Handler, describe
from plait.planner.sql.functions import AGGREGATES, WINDOWS, unlisted

_KEYS = ("this", "partition_by", "order", "spec", "alias", "over", "first")


def window(b: Binder, node: exp.Window) -> Expr:
    """f(...) OVER (...), to be taken out of its expression by `lifting`."""
    if not b.clause.windows:
        reason = f"; {b.clause.reason}" if b.clause.reason else ""
        if b.clause.name == "a window function":
            raise b.source.error("A window function cannot be inside another one", node)
        raise b.source.error(f"A window function is not allowed in {b.clause.name}{reason}", node)
    b.source.check_args(node, _KEYS, "OVER")
    if node.args.get("first") is not None:
        b.source.refuse("KEEP", node)
    # arguments may be aggregates where the clause allows them: rank() over (order by sum(x))
    inner = b.inside(Clause("a window function", b.clause.aggregates, aliases=b.clause.aliases))
    parts = _parts(b, node.this)
    args, own_order, condition = bind_parts(inner, parts)
    if own_order:
        b.source.refuse(f"ORDER BY inside {parts.name} with OVER", node)
    partition, order, spec = _definition(b, node, ())
    keys = [sort_key(inner, o) for o in order]
    by = inner.bind_all(partition)
    frame = None if spec is None else _frame(inner, spec, keys)
    with b.source.at(node):
        return builder.window_call(
            parts.name,
            args,
            partition_by=by,
            order_by=keys,
            frame=frame,
            distinct=parts.distinct,
            filter=condition,
            ignore_nulls=parts.ignore_nulls and parts.name != "any_value",
        )


def _parts(b: Binder, node: exp.Expr) -> Parts:
    """The function under OVER, taken apart."""
    core, ignore, condition = node, False, None
    while isinstance(core, exp.IgnoreNulls | exp.RespectNulls | exp.Filter):
        if isinstance(core, exp.Filter):
            condition = core.expression
            condition = condition.this if isinstance(condition, exp.Where) else condition
        else:
            ignore = ignore or isinstance(core, exp.IgnoreNulls)
        core = core.this
    signature = WINDOWS.get(type(core))
    if signature is not None:
        b.source.check_args(core, {*signature.keys, *signature.mute}, describe(core))
        args = []
        for key in signature.keys:
            arg = core.args.get(key)
            if isinstance(arg, exp.IgnoreNulls | exp.RespectNulls):
                ignore, arg = ignore or isinstance(arg, exp.IgnoreNulls), arg.this
            if isinstance(arg, exp.Order | exp.Distinct):
                b.source.refuse(f"{describe(arg)} inside {signature.name}", core)
            if arg is not None:
                args.append(arg)
        return Parts(signature.name, tuple(args), filter=condition, ignore_nulls=ignore)
    name = unlisted(core) if isinstance(core, exp.Func) else None
    if type(core) in AGGREGATES or (name is not None and _is_window_or_aggregate(name)):
        return take_apart(b, node)
    raise b.source.error("OVER follows an aggregate or a window function", node)


def _is_window_or_aggregate(name: str) -> bool:
    return registry.is_window(name) or registry.is_aggregate(name)


def _definition(
    b: Binder, node: exp.Window, seen: tuple[str, ...]
) -> tuple[list[exp.Expr], list[exp.Expr], exp.WindowSpec | None]:
    """PARTITION BY, ORDER BY and frame of a window; a named one gives what is not written."""
    partition = list(node.args.get("partition_by") or ())
    ordering = node.args.get("order")
    order = [] if ordering is None else list(ordering.expressions)
    spec = node.args.get("spec")
    named = node.args.get("alias")
    if named is None:
        return partition, order, spec
    name = named.name
    definition = b.windows.get(name.casefold())
    if definition is None or name.casefold() in seen:
        text = f"There is no window named {name!r}"
        if b.windows:
            text += f"; there is {', '.join(b.windows)}"
        raise b.source.error(text, named)
    base_partition, base_order, base_spec = _definition(b, definition, (*seen, name.casefold()))
    if partition and base_partition:
        raise b.source.error(f"Window {name!r} has a PARTITION BY already", node)
    if order and base_order:
        raise b.source.error(f"Window {name!r} has an ORDER BY already", node)
    return partition or base_partition, order or base_order, spec or base_spec


def _frame(b: Binder, spec: exp.WindowSpec, keys: list[SortKey]) -> Frame:
    keys_handled = ("kind", "start", "start_side", "end", "end_side", "exclude")
    b.source.check_args(spec, keys_handled, "a window frame")
    unit = str(spec.args["kind"]).lower()
    start = _bound(b, spec, "start", keys, unit)
    end = _bound(b, spec, "end", keys, unit) if spec.args.get("end") else Bound(0)
    first, last = _place(spec, "start"), _place(spec, "end")
    if first > last:
        raise b.source.error(
            f"A frame that starts at {_PLACES[first]} cannot end at {_PLACES[last]}", spec.parent
        )
    if unit == "groups" and not keys:
        raise b.source.error("GROUPS frames need an ORDER BY", spec.parent)
    exclude = spec.args.get("exclude")
    word = "none" if exclude is None else exclude.name.lower()
    word = "none" if word in ("no others", "none") else word
    return Frame(unit, start, end, word)


_PLACES = ("PRECEDING", "CURRENT ROW", "FOLLOWING")


def _place(spec: exp.WindowSpec, which: str) -> int:
    """Before, at or after the current row."""
    side = str(spec.args.get(f"{which}_side") or "").upper()
    return _PLACES.index(side) if side in _PLACES else 1


def _bound(b: Binder, spec: exp.WindowSpec, which: str, keys: list[SortKey], unit: str) -> Bound:
    value, side = spec.args[which], str(spec.args.get(f"{which}_side") or "").upper()
    if value == "CURRENT ROW":
        return Bound(0)
    if value == "UNBOUNDED":
        if (side == "FOLLOWING") == (which == "start"):
            raise b.source.error(f"A frame cannot {which} at UNBOUNDED {side}", spec.parent)
        return Bound(None)
    expr = b.bind(value)
    if isinstance(expr, Literal) and expr.value is not None:
        amount = expr.value
    else:
        b.source.refuse("A frame bound that is not a constant", value)
    if unit != "range" and not (isinstance(amount, int) and not isinstance(amount, bool)):
        raise b.source.error(f"The bound of a {unit.upper()} frame is a whole number", value)
    if unit == "range" and len(keys) != 1:
        raise b.source.error("A RANGE frame with a distance needs one ORDER BY key", value)
    if _is_negative(amount):
        raise b.source.error("The bound of a frame cannot be negative", value)
    return Bound(_negative(amount) if side == "PRECEDING" else amount)


def _is_negative(amount: Any) -> bool:
    if isinstance(amount, pa.MonthDayNano):
        return any(part < 0 for part in amount)
    if isinstance(amount, dt.timedelta):
        return amount < dt.timedelta(0)
    return isinstance(amount, int | float | Decimal) and amount < 0


def _negative(amount: Any) -> Any:
    if isinstance(amount, pa.MonthDayNano):
        return pa.MonthDayNano([-part for part in amount])
    return -amount


HANDLERS: dict[type[exp.Expr], Handler] = {exp.Window: window}
