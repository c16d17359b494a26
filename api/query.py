"""df.query("x > @limit and `full name` in ['a', 'b']"): pandas' expression syntax, by Python's ast.

Names are columns (or `index`), `@name` is a variable of the calling code, backticks allow any
label. `&` and `|` bind as `and` and `or` do, as in pandas. What is not known is refused by name.
"""

from __future__ import annotations

import ast
import tokenize
from collections.abc import Callable, Mapping
from typing import Any

from plait import selection
from plait.calling import outside
from plait.columnwise import index_of
from plait.errors import ColumnNotFoundError, PlanError, UnsupportedError
from plait.frame import WRAP, Frame
from plait.operands import is_series

_LOCAL = "__at_"
_QUOTED = "__bt_"

_BINARY: Mapping[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
}
_COMPARE: Mapping[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_PYTHON: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "**": lambda a, b: a**b,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def query(frame: Frame, expr: str, options: Mapping[str, Any]) -> Frame:
    """The rows for which the expression holds."""
    _check(options)
    value = _Evaluator(frame, _scope(options)).text(expr)
    if not is_series(value):
        raise PlanError(f"{expr!r} is no condition on the columns")
    return selection.masked(frame, value)


def evaluate(frame: Frame, expr: str, options: Mapping[str, Any]) -> Any:
    """An expression's value; lines of `name = expression` give the frame with new columns."""
    _check(options)
    scope = _scope(options)
    lines = [line.strip() for line in expr.strip().splitlines() if line.strip()]
    assigned = False
    value: Any = None
    for line in lines:
        tree = _parse(line)
        if isinstance(tree, ast.Assign) and len(tree.targets) == 1:
            target = tree.targets[0]
            if not isinstance(target, ast.Name):
                raise PlanError(f"{line!r}: only a column can be assigned to")
            value = _Evaluator(frame, scope).value(tree.value)
            frame = selection.put(frame, _label(target.id), value)
            assigned = True
        else:
            value = _Evaluator(frame, scope).text(line)
    return WRAP.dataframe(frame) if assigned else value


def _check(options: Mapping[str, Any]) -> None:
    known = {"local_dict", "global_dict", "engine", "parser", "level"}
    if options.get("inplace"):
        raise UnsupportedError("inplace=True is not done; assign the result: df = df.query(...)")
    wrong = set(options) - known - {"inplace"}
    if wrong:
        raise PlanError(f"query has no option {sorted(wrong)[0]!r}")


def _scope(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The variables of the nearest calling code outside plait."""
    found: dict[str, Any] = {}
    caller = outside()
    if caller is not None:
        found = {**caller.f_globals, **caller.f_locals}
    return {**found, **(options.get("global_dict") or {}), **(options.get("local_dict") or {})}


def _label(name: str) -> str:
    if name.startswith(_QUOTED):
        return bytes.fromhex(name[len(_QUOTED) :]).decode()
    return name


def _python(text: str) -> str:
    """The text with `@x`, backticks, & and | brought to what Python parses."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        raise PlanError(f"A backtick is not closed in {text!r}")
    text = "".join(
        part if i % 2 == 0 else _QUOTED + part.encode().hex() for i, part in enumerate(parts)
    )
    words: list[str] = []
    try:
        tokens = list(tokenize.generate_tokens(iter([text]).__next__))
    except (tokenize.TokenError, IndentationError) as error:
        raise PlanError(f"{text!r} is no expression: {error.args[0]}") from None
    local = False
    for token in tokens:
        if token.type == tokenize.OP and token.string == "@":
            local = True
            continue
        word = token.string
        if local:
            word, local = _LOCAL + word, False
        elif token.type == tokenize.OP:
            word = {"&": " and ", "|": " or "}.get(word, word)
        words.append(word)
    return " ".join(words).strip()


def _parse(text: str) -> ast.expr | ast.Assign:
    try:
        body = ast.parse(_python(text)).body
    except SyntaxError as error:
        raise PlanError(f"{text!r} is no expression: {error.msg}") from None
    if len(body) == 1 and isinstance(body[0], ast.Assign):
        return body[0]
    if len(body) == 1 and isinstance(body[0], ast.Expr):
        return body[0].value
    raise PlanError(f"{text!r} is no expression")


class _Evaluator:
    """Values of syntax trees: Series, lazy Scalars and constants."""

    def __init__(self, frame: Frame, scope: Mapping[str, Any]) -> None:
        self.frame, self.scope = frame, scope

    def text(self, text: str) -> Any:
        tree = _parse(text)
        if isinstance(tree, ast.Assign):
            raise PlanError(f"{text!r} is an assignment; eval does these")
        return self.value(tree)

    def value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self._name(name)
            case ast.BoolOp(op=op, values=values):
                sign = "&" if isinstance(op, ast.And) else "|"
                made = [self.value(v) for v in values]
                result = made[0]
                for one in made[1:]:
                    result = _PYTHON[sign](result, one)
                return result
            case ast.UnaryOp(op=op, operand=operand):
                return self._unary(op, self.value(operand))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return _PYTHON[_BINARY[type(op)]](self.value(left), self.value(right))
            case ast.Compare():
                return self._compare(node)
            case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
                return [self.value(item) for item in items]
            case ast.Attribute(value=inner, attr=attr):
                return getattr(self.value(inner), attr)
            case ast.Subscript(value=inner, slice=key):
                return self.value(inner)[self.value(key)]
            case ast.Call(func=function, args=args, keywords=keywords):
                return self._call(function, args, keywords)
        raise UnsupportedError(f"query does not know {ast.unparse(node)!r}")

    def _name(self, name: str) -> Any:
        if name.startswith(_LOCAL):
            variable = name[len(_LOCAL) :]
            if variable not in self.scope:
                raise PlanError(f"There is no variable {variable!r} for @{variable}")
            return self.scope[variable]
        label = _label(name)
        if self.frame.has(label):
            return WRAP.series(self.frame, self.frame.column(label), label)
        for level in self.frame.index:
            if level.label == label:
                return WRAP.series(self.frame, self.frame.expr(level.name), label)
        if label == "index":
            return index_of(self.frame)
        hint = " For a variable of your code write @ before it." if label in self.scope else ""
        known = [str(x) for x in self.frame.labels]
        if hint:
            raise PlanError(f"No column named {label!r}.{hint}")
        raise ColumnNotFoundError(label, known)

    def _unary(self, op: ast.unaryop, value: Any) -> Any:
        if isinstance(op, ast.USub):
            return -value
        if isinstance(op, ast.UAdd):
            return +value
        return ~value if is_series(value) else not value

    def _compare(self, node: ast.Compare) -> Any:
        left = self.value(node.left)
        result: Any = None
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.value(right_node)
            test = self._one(op, left, right)
            result = test if result is None else result & test
            left = right
        return result

    def _one(self, op: ast.cmpop, left: Any, right: Any) -> Any:
        if isinstance(op, ast.In | ast.NotIn):
            found = left.isin(right) if is_series(left) else left in right
            return found if isinstance(op, ast.In) else (~found if is_series(found) else not found)
        if type(op) not in _COMPARE:
            raise UnsupportedError("query does not know `is`; use == or isna()")
        sign = _COMPARE[type(op)]
        if isinstance(right, list) and is_series(left) and sign in ("==", "!="):
            # pandas reads a comparison with a list as membership
            return left.isin(right) if sign == "==" else ~left.isin(right)
        return _PYTHON[sign](left, right)

    def _call(self, function: ast.expr, args: list[ast.expr], keywords: list[ast.keyword]) -> Any:
        given = [self.value(a) for a in args]
        named = {k.arg: self.value(k.value) for k in keywords if k.arg is not None}
        match function:
            case ast.Attribute():
                return self.value(function)(*given, **named)
            case ast.Name(id="abs"):
                return abs(given[0])
            case ast.Name(id=name) if name.startswith(_LOCAL):
                return self._name(name)(*given, **named)
        raise UnsupportedError(f"query does not know the function {ast.unparse(function)!r}")
