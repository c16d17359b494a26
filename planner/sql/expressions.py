"""Scalar expressions: columns, constants, operators, CASE, CAST, intervals."""

from __future__ import annotations

from decimal import Decimal

from sqlglot import expressions as exp

from plait.errors import ConversionError
from plait.planner import builder
from plait.planner import types as t
from plait.planner.expr import Cast, Expr, Literal
from plait.planner.functions.coercion import unify
from plait.planner.sql import literals
from plait.planner.sql.binder import Binder, Handler, describe
from plait.planner.sql.datatypes import arrow_type
from plait.planner.sql.functions import OPERATORS


def column(b: Binder, node: exp.Column) -> Expr:
    """`a`, `t.a`, `main.t.a`; `s.f` for a field of a struct column."""
    if isinstance(node.this, exp.Star):
        b.source.refuse("A star inside an expression", node, "name the columns")
    b.source.check_args(node, ("this", "table", "db", "catalog"), "a column name")
    qualifier = [part.name for part in node.parts[:-1]]
    if len(qualifier) == 1 and not b.visible_table(qualifier[0]):
        field = _struct_field(b, qualifier[0], node)
        if field is not None:
            return field
    return b.column(node.name, qualifier, node)


def _struct_field(b: Binder, name: str, node: exp.Column) -> Expr | None:
    found = b.scope.bare(name)
    if len(found) != 1 or not t.is_nested(found[0].expr.dtype):
        return None
    return b.call("struct_extract", [found[0].expr, builder.literal(node.name)], node)


def literal(b: Binder, node: exp.Literal) -> Expr:
    """A number or a string."""
    if node.is_string:
        return Literal(str(node.this), t.STRING)
    return literals.number(node, b.source)


def string(b: Binder, node: exp.Expr) -> Expr:
    """Strings of other spellings: E'...', $$...$$, N'...'."""
    if isinstance(node, exp.ByteString) and b.context.dialect not in ("duckdb", "postgres"):
        return Literal(str(node.this).encode(), t.BINARY)  # elsewhere b'...' is bytes
    return Literal(str(node.this), t.STRING)


def hex_string(b: Binder, node: exp.HexString) -> Expr:
    """X'41': bytes."""
    if node.args.get("is_integer"):
        return builder.literal(int(str(node.this), 16))
    with b.source.at(node):
        try:
            return Literal(bytes.fromhex(str(node.this)), t.BINARY)
        except ValueError:
            raise ConversionError(f"X'{node.this}' is not made of pairs of hex digits") from None


def boolean(b: Binder, node: exp.Boolean) -> Expr:
    """TRUE, FALSE."""
    return Literal(bool(node.this), t.BOOL)


def null(b: Binder, node: exp.Null) -> Expr:
    """NULL, of no type yet."""
    return Literal(None, t.NULL)


def parameter(b: Binder, node: exp.Placeholder | exp.Parameter) -> Expr:
    """`?`, `$1`, `$name`."""
    return b.context.parameters.value(node)


def paren(b: Binder, node: exp.Paren) -> Expr:
    """Parentheses."""
    return b.bind(node.this)


def operator(b: Binder, node: exp.Binary) -> Expr:
    """Operators with two sides."""
    b.source.check_args(node, ("this", "expression", "safe"), describe(node))
    return b.call(OPERATORS[type(node)], [b.bind(node.this), b.bind(node.expression)], node)


def logical(b: Binder, node: exp.And | exp.Or) -> Expr:
    """AND and OR; long chains are walked, not recursed into."""
    kind = type(node)
    parts: list[exp.Expr] = []
    left: exp.Expr = node
    while isinstance(left, kind):
        parts.append(left.expression)
        left = left.this
    name = "and" if kind is exp.And else "or"
    result = b.boolean(left, name.upper())
    for part in reversed(parts):
        result = b.call(name, [result, b.boolean(part, name.upper())], node)
    return result


def divide(b: Binder, node: exp.Div) -> Expr:
    """`/`: of doubles in DuckDB, of integers in dialects where integers stay integers."""
    b.source.check_args(node, ("this", "expression", "typed", "safe"), "a division")
    left, right = b.bind(node.this), b.bind(node.expression)
    if node.args.get("safe"):
        right = b.call("nullif", [right, Literal(0, t.INT32)], node)
    if node.args.get("typed") and t.is_integer(left.dtype) and t.is_integer(right.dtype):
        return b.call("floor_divide", [left, right], node)
    return b.call("divide", [left, right], node)


def negate(b: Binder, node: exp.Neg) -> Expr:
    """`-x`; a negative number is a constant of its own (-2147483648 is an INTEGER)."""
    inner = b.bind(node.this)
    if isinstance(node.this, exp.Literal) and isinstance(inner, Literal):
        if isinstance(inner.value, int):
            return builder.literal(-inner.value)
        if isinstance(inner.value, float | Decimal):
            return Literal(-inner.value, inner.dtype)
    return b.call("negate", [inner], node)


def bitwise_not(b: Binder, node: exp.BitwiseNot) -> Expr:
    """`~x`."""
    return b.call("bitwise_not", [b.bind(node.this)], node)


def case(b: Binder, node: exp.Case) -> Expr:
    """CASE in both forms."""
    b.source.check_args(node, ("this", "ifs", "default"), "CASE")
    subject = None if node.this is None else b.bind(node.this)
    branches = []
    for branch in node.args["ifs"]:
        if subject is None:
            when = b.boolean(branch.this, "WHEN")
        else:
            when = b.call("equal", [subject, b.bind(branch.this)], branch.this)
        branches.append((when, b.bind(branch.args["true"])))
    default = node.args.get("default")
    return _case(b, branches, None if default is None else b.bind(default), node)


def _case(
    b: Binder, branches: list[tuple[Expr, Expr]], otherwise: Expr | None, node: exp.Expr
) -> Expr:
    values = [value for _, value in branches] + ([] if otherwise is None else [otherwise])
    with b.source.at(node):
        dtype = unify(values, "CASE")  # literals adapt to the other values
        same = [(when, builder.coerce(value, dtype)) for when, value in branches]
        return builder.case(same, None if otherwise is None else builder.coerce(otherwise, dtype))


def if_(b: Binder, node: exp.If) -> Expr:
    """if(condition, value, otherwise)."""
    b.source.check_args(node, ("this", "true", "false"), "if")
    false = node.args.get("false")
    branch = (b.boolean(node.this, "if"), b.bind(node.args["true"]))
    return _case(b, [branch], None if false is None else b.bind(false), node)


def cast(b: Binder, node: exp.Cast) -> Expr:
    """CAST, TRY_CAST, `::`, DATE '...'."""
    b.source.check_args(node, ("this", "to", "safe"), "CAST")
    dtype = arrow_type(node.args["to"], b.source)
    expr = b.bind(node.this)
    try_ = isinstance(node, exp.TryCast)
    with b.source.at(node):
        if not t.can_cast(expr.dtype, dtype):
            return builder.cast(expr, dtype, try_=try_)  # raises, and says why
        if isinstance(expr, Literal):
            if isinstance(expr.value, int) and t.is_integer(dtype):
                # stays a conversion: a plain integer constant would adapt to what is beside it
                return Cast(expr, dtype, try_)
            constant = _cast_constant(b, expr, dtype, node, try_=try_)
            if constant is not None:
                return constant
        return builder.cast(expr, dtype, try_=try_)


def _cast_constant(
    b: Binder, expr: Literal, dtype: object, node: exp.Cast, *, try_: bool
) -> Expr | None:
    """DATE '2020-01-01', INTERVAL '1 day' and the like are constants, not conversions."""
    if t.is_interval(dtype) and isinstance(expr.value, str):
        value = literals.parse_interval(expr.value)
        if value is None and not try_:
            raise ConversionError(f"{expr.value!r} is not an interval, such as '1 year 2 days'")
        return Literal(value, t.INTERVAL)
    try:
        found = builder.coerce(expr, dtype)
    except ConversionError:
        if try_:
            return Literal(None, dtype)
        raise
    return found if isinstance(found, Literal) else None


def interval(b: Binder, node: exp.Interval) -> Expr:
    """INTERVAL '3' MONTH, INTERVAL 3 MONTH, INTERVAL (x) DAYS."""
    b.source.check_args(node, ("this", "unit"), "INTERVAL")
    amount, unit = node.this, node.args.get("unit")
    if unit is None:  # INTERVAL '1 year 2 days' comes as a cast
        text = "INTERVAL needs a unit, such as INTERVAL 3 DAY"
        raise b.source.error(text, node, word="interval")
    name = literals.unit_name(unit.name) if isinstance(unit, exp.Var) else None
    if name is None:
        b.source.refuse(f"INTERVAL in units of {unit.sql()}", node, word="interval")
    if isinstance(amount, exp.Literal):
        text = str(amount.this).strip()
        try:
            number = Decimal(text)
        except ArithmeticError:
            message = f"{text!r} is not a number of {name.lower()}s"
            raise b.source.error(message, node, word="interval") from None
        return Literal(literals.truncated_interval(number, name), t.INTERVAL)
    one = Literal(literals.interval_of(1, name), t.INTERVAL)
    count = b.bind(amount)
    if isinstance(count, Literal) and isinstance(count.value, int | Decimal):
        return Literal(literals.truncated_interval(count.value, name), t.INTERVAL)
    return b.call("multiply", [one, count], node)


HANDLERS: dict[type[exp.Expr], Handler] = {
    exp.Column: column,
    exp.Literal: literal,
    exp.RawString: string,
    exp.ByteString: string,
    exp.National: string,
    exp.HexString: hex_string,
    exp.Boolean: boolean,
    exp.Null: null,
    exp.Placeholder: parameter,
    exp.Parameter: parameter,
    exp.Paren: paren,
    exp.And: logical,
    exp.Or: logical,
    exp.Div: divide,
    exp.Neg: negate,
    exp.BitwiseNot: bitwise_not,
    exp.Case: case,
    exp.If: if_,
    exp.Cast: cast,
    exp.TryCast: cast,
    exp.Interval: interval,
    **dict.fromkeys(OPERATORS, operator),
}
