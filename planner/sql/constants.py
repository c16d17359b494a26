"""Values that SQL wants constant: LIMIT, options of files and of COPY, settings."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlglot import expressions as exp

from plait.planner.expr import Call, Expr, Literal
from plait.planner.sql.binder import Binder, Clause, Context
from plait.planner.sql.mistakes import Source
from plait.planner.sql.scope import Scope, Visible


def count(context: Context, node: exp.Expr, what: str) -> int | None:
    """The rows of a LIMIT or OFFSET; None for NULL and ALL."""
    if isinstance(node, exp.Column | exp.Var) and node.name.upper() == "ALL":
        return None
    if isinstance(node, exp.Query) or node.find(exp.Query, exp.Column) is not None:
        context.source.refuse(f"{what} with something else than a constant", node)
    binder = Binder(context, Scope(Visible()), ChainMap(), Clause(what))
    value = _fold(binder.bind(node))
    if value is None:
        return None
    if isinstance(value, str):
        value = Decimal(value) if value.strip().isdigit() else value
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise context.source.error(f"{what} needs a whole number", node)
    # a fraction is rounded as a cast would
    whole = int(Decimal(value).quantize(Decimal(1), ROUND_HALF_UP))
    if whole < 0:
        raise context.source.error(f"{what} cannot be negative", node)
    return whole


_FOLDS: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "negate": lambda a: -a,
}


def _fold(expr: Expr) -> Any:
    if isinstance(expr, Literal):
        return expr.value
    if isinstance(expr, Call) and expr.function in _FOLDS:
        args = [_fold(a) for a in expr.args]
        if all(isinstance(a, int | Decimal) for a in args):
            return _FOLDS[expr.function](*args)
    return ...


def value(source: Source, node: exp.Expr, what: str) -> Any:
    """The Python value of an option: a number, a string, a word, a list, a struct."""
    match node:
        case exp.Literal(is_string=True):
            return str(node.this)
        case exp.Literal():
            text = str(node.this)
            return int(text) if text.isdigit() else float(text)
        case exp.Boolean():
            return bool(node.this)
        case exp.Null():
            return None
        case exp.Neg():
            return -value(source, node.this, what)
        case exp.Paren():
            return value(source, node.this, what)
        case exp.Array() | exp.Tuple():
            return [value(source, item, what) for item in node.expressions]
        case exp.Struct():
            return {
                part.this.name: value(source, part.expression, what)
                for part in node.expressions
                if isinstance(part, exp.PropertyEQ)
            }
        case exp.Var() | exp.Column() | exp.Identifier():
            return node.name
    raise source.error(f"{what} needs a constant", node)
