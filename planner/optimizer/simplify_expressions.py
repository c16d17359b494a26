"""Expressions in their shortest form, in three-valued logic.

    NOT (a < b)                            ->  a >= b
    (k = x AND a) OR (k = x AND b)         ->  k = x AND (a OR b)
    a OR (a AND b)                         ->  a
    s = 'A' OR s = 'B'                     ->  s IN ('A', 'B')
    s LIKE 'PROMO%'                        ->  starts_with(s, 'PROMO')
    CAST(d AS TIMESTAMP) >= TIMESTAMP ...  ->  d >= DATE ...
    5 < x                                  ->  x > 5

Everything above holds for NULL as well. Where NULL counts as false (a Filter, an ON, a FILTER)
more may go: `coalesce(p, false)`, as the dataframe front end writes comparisons, is just `p` there,
and under NOT the same with true. NaN orders above all numbers, so `NOT (a < b)` is `a >= b` always.

A result that has been simplified is marked, so that doing it again costs nothing.
"""

from __future__ import annotations

from dataclasses import replace

from plait.planner import types as t
from plait.planner.expr import (
    FALSE,
    TRUE,
    AggregateCall,
    Call,
    Case,
    Cast,
    Expr,
    Literal,
    WindowCall,
    chain,
)
from plait.planner.functions import registry
from plait.planner.logical import Filter, Join, LogicalPlan, Values
from plait.planner.optimizer.fold_constants import is_constant, is_volatile
from plait.planner.optimizer.rewriting import has_subquery
from plait.planner.optimizer.rule import Rule, RuleContext
from plait.planner.optimizer.unwrap_casts import unwrap_comparison
from plait.planner.predicates import MIRRORED, NEGATED, keeps_values, propagates_null
from plait.planner.subquery import SUBQUERIES

MOST_ABSORBED = 64  # parts of a chain, each compared with each


def simplify(e: Expr) -> Expr:
    """The expression in its shortest form, with the same value for every row."""
    known: Expr | None = e.__dict__.get("_simplified")
    if known is None:
        if isinstance(e, Call) and e.function in ("and", "or"):
            known = _and_or(e)
        else:
            known = _step(e.map_children(simplify))
        object.__setattr__(e, "_simplified", known)
        object.__setattr__(known, "_simplified", known)
    return known


def simplify_predicate(e: Expr) -> Expr:
    """As `simplify`, for a place where NULL counts as false."""
    return simplify(_as_condition(simplify(e), null_is=False))


def _as_condition(e: Expr, null_is: bool) -> Expr:
    """`e` where NULL counts as `null_is`: what only turns NULL into that is dropped."""
    match e:
        case Call("and" | "or", args):
            return _with_args(e, tuple(_as_condition(a, null_is) for a in args))
        case Call("not", (x,)):
            return _with_args(e, (_as_condition(x, not null_is),))
        case Call("coalesce", (x, Literal(bool(value)))) if value is null_is:
            return _as_condition(x, null_is)
        case Literal(None):
            return TRUE if null_is else FALSE
        case Case(((when, Literal(True)),), Literal(False | None)) if not null_is:
            return _as_condition(when, null_is)
    return e


def _with_args(e: Call, args: tuple[Expr, ...]) -> Call:
    changed = any(a is not b for a, b in zip(args, e.args, strict=True))
    return replace(e, args=args) if changed else e


def _step(e: Expr) -> Expr:
    """One node whose children are simple already."""
    match e:
        case Call():
            return _call(e)
        case Cast():
            return _cast(e)
        case Case():
            return _case(e)
        case AggregateCall() | WindowCall():
            if e.filter is not None:
                condition = _as_condition(e.filter, null_is=False)
                if condition == TRUE:
                    return replace(e, filter=None)
                return e if condition is e.filter else replace(e, filter=condition)
    return e


def _call(e: Call) -> Expr:
    match e.function, e.args:
        case "not", (x,):
            return _not(e, x)
        case ("is_null" | "is_not_null") as function, (Literal(value),):
            return Literal((value is None) is (function == "is_null"), t.BOOL)
        case "coalesce", args:
            return _coalesce(e, args)
        case "in", (x, *values):
            return _in(e, x, tuple(values))
        case "like", (x, Literal(str(pattern))):
            return _like(e, x, pattern)
        case op, (a, b) if op in MIRRORED:
            if isinstance(a, Literal) and not isinstance(b, Literal):
                e = replace(e, function=MIRRORED[op], args=(b, a))
                a, b = b, a
            if isinstance(b, Literal) and b.value is None and op in NEGATED:
                return _beside_null(e, a)
            return unwrap_comparison(e) if isinstance(a, Cast) else e
    nulls = any(isinstance(a, Literal) and a.value is None for a in e.args)
    if nulls and propagates_null(e.function):
        return Literal(None, e.dtype)
    return e


def _beside_null(e: Call, other: Expr) -> Expr:
    match e.function:
        case "is_distinct":
            return _call(Call("is_not_null", (other,), t.BOOL))
        case "is_not_distinct":
            return _call(Call("is_null", (other,), t.BOOL))
    return Literal(None, t.BOOL)


# ---------------------------------------------------------------------------- AND, OR, NOT


def _flat(function: str, args: tuple[Expr, ...]) -> list[Expr]:
    """The parts of nested calls of one function, in order."""
    found: list[Expr] = []
    stack = list(reversed(args))
    while stack:
        part = stack.pop()
        if isinstance(part, Call) and part.function == function:
            stack.extend(reversed(part.args))
        else:
            found.append(part)
    return found


def _nested(function: str, parts: list[Expr]) -> Expr:
    return chain(function, parts) or TRUE


def _and_or(e: Call) -> Expr:
    """AND, which one FALSE decides, and OR, which one TRUE decides: a whole chain at once."""
    absorbing = e.function == "or"
    before = _flat(e.function, e.args)
    parts = _flat(e.function, tuple(map(simplify, before)))
    if not is_volatile(e):
        parts = list(dict.fromkeys(parts))
    if any(isinstance(p, Literal) and p.value is absorbing for p in parts):
        return TRUE if absorbing else FALSE
    parts = [p for p in parts if not (isinstance(p, Literal) and p.value is (not absorbing))]
    if not parts:
        return FALSE if absorbing else TRUE
    other = "and" if e.function == "or" else "or"
    parts = _absorb(parts, other)
    if e.function == "or" and len(parts) > 1:
        parts = _equalities_to_in(parts)
        common = _common_parts(parts)
        if common is not None:
            return common
    after = _nested(e.function, parts)
    return e if after == e else after


def _absorb(parts: list[Expr], other: str) -> list[Expr]:
    """`a OR (a AND b)` is `a`, and the dual."""
    compound = [p for p in parts if isinstance(p, Call) and p.function == other]
    if not compound or not 1 < len(parts) <= MOST_ABSORBED:
        return parts
    sets: dict[Expr, frozenset[Expr]] = {p: frozenset(_flat(other, p.args)) for p in compound}
    kept = []
    for p in parts:
        mine = sets.get(p)
        if mine is not None and any(
            q is not p and (q in mine if q not in sets else sets[q] < mine) for q in parts
        ):
            continue
        kept.append(p)
    return kept


def _common_parts(parts: list[Expr]) -> Expr | None:
    """Conjuncts that all branches of an OR share, taken out of it; None if there are none."""
    branches = [_flat("and", (p,)) for p in parts]
    shared = [p for p in branches[0] if all(p in b for b in branches[1:])]
    if not shared:
        return None
    rests = [[p for p in b if p not in shared] for b in branches]
    if not all(rests):  # one branch is just the shared part: it absorbs the others
        return _nested("and", shared)
    rest = simplify(_nested("or", [simplify(_nested("and", r)) for r in rests]))
    return simplify(_nested("and", [*shared, rest]))


def _equalities_to_in(parts: list[Expr]) -> list[Expr]:
    """`x = 1 OR x = 2 OR x IN (3)` as one IN; keeps the place of the first."""
    values: dict[Expr, dict[Expr, None]] = {}
    for p in parts:
        match p:
            case Call("equal", (x, Literal() as v)) if not is_constant(x) and v.dtype == x.dtype:
                values.setdefault(x, {})[v] = None
            case Call("in", (x, *vs)) if all(
                isinstance(v, Literal) and v.dtype == x.dtype for v in vs
            ):
                values.setdefault(x, {}).update(dict.fromkeys(vs))
    if all(len(v) < 2 for v in values.values()):
        return parts
    result: list[Expr] = []
    done: set[Expr] = set()
    for p in parts:
        if not isinstance(p, Call) or p.function not in ("equal", "in"):
            result.append(p)
            continue
        x, *mine = p.args
        listed = values.get(x, {})
        if len(listed) < 2 or not all(v in listed for v in mine):
            result.append(p)
        elif x not in done:
            done.add(x)
            result.append(simplify(Call("in", (x, *listed), t.BOOL)))
    return result


def _not(e: Call, x: Expr) -> Expr:
    match x:
        case Literal(value):
            return Literal(None if value is None else not value, t.BOOL)
        case Call("not", (inner,)):
            return inner
        case Call("is_null", args):
            return Call("is_not_null", args, t.BOOL)
        case Call("is_not_null", args):
            return Call("is_null", args, t.BOOL)
        case Call("and" | "or" as function, args):
            opposite = "or" if function == "and" else "and"
            return simplify(Call(opposite, tuple(_not_of(a) for a in args), t.BOOL))
        case Call(function, (_, _) as args) if function in NEGATED:
            return Call(NEGATED[function], args, t.BOOL)
        case Call("coalesce", (inner, Literal(bool(value)))):
            opposite_value = Literal(not value, t.BOOL)
            return simplify(Call("coalesce", (_not_of(inner), opposite_value), t.BOOL))
    return e


def _not_of(e: Expr) -> Expr:
    return simplify(Call("not", (e,), t.BOOL))


# --------------------------------------------------------------------------- other functions


def _coalesce(e: Call, args: tuple[Expr, ...]) -> Expr:
    parts: list[Expr] = []
    for part in _flat("coalesce", args):
        if isinstance(part, Literal) and part.value is None:
            continue
        parts.append(part)
        if isinstance(part, Literal) or _is_never_null(part):
            break
    if not parts:
        return Literal(None, e.dtype)
    if len(parts) == 1 and parts[0].dtype == e.dtype:
        return parts[0]
    return e if tuple(parts) == e.args else replace(e, args=tuple(parts))


def _is_never_null(e: Expr) -> bool:
    match e:
        case Call("is_null" | "is_not_null" | "is_distinct" | "is_not_distinct", _):
            return True
        case Call("and" | "or" | "not", args):
            return all(map(_is_never_null, args))
        case Call("coalesce", args):
            return any(map(_is_never_null, args))
        case Literal(value):
            return value is not None
    return False


def _in(e: Call, x: Expr, values: tuple[Expr, ...]) -> Expr:
    if not values:
        return FALSE
    different = tuple(dict.fromkeys(values))
    if isinstance(x, Literal) and x.value is None:
        return Literal(None, t.BOOL)
    if len(different) == 1:
        return simplify(Call("equal", (x, different[0]), t.BOOL))
    if different != values:
        e = replace(e, args=(x, *different))
    return unwrap_comparison(e) if isinstance(x, Cast) else e


def _like(e: Call, x: Expr, pattern: str) -> Expr:
    """LIKE without wildcards, or with one at the end only."""
    if "\\" in pattern or x.dtype != t.STRING:
        return e
    text = pattern.rstrip("%")
    if not text or "%" in text or "_" in text:
        return e
    function = "equal" if text == pattern else "starts_with"
    if not registry.is_scalar(function):
        return e
    return Call(registry.scalar(function).name, (x, Literal(text, t.STRING)), t.BOOL)


def _cast(e: Cast) -> Expr:
    match e.input:
        case x if x.dtype == e.dtype:
            return x
        case Literal(None):
            return Literal(None, e.dtype)
        case Cast(x, between) if keeps_values(x.dtype, between) and (
            t.is_numeric(x.dtype) and t.is_numeric(between) and t.is_numeric(e.dtype)
        ):
            return x if x.dtype == e.dtype else replace(e, input=x)
    return e


def _case(e: Case) -> Expr:
    branches = []
    otherwise = e.otherwise
    for when, then in e.branches:
        condition = _as_condition(when, null_is=False)
        if condition == FALSE:
            continue
        if condition == TRUE:
            otherwise = then
            break
        branches.append((condition, then))
    if not branches:
        return otherwise
    if all(then == otherwise for _, then in branches) and is_constant(otherwise):
        return otherwise
    after = tuple(branches)
    if after == e.branches and otherwise is e.otherwise:
        return e
    return replace(e, branches=after, otherwise=otherwise)


# ----------------------------------------------------------------------------------- the rule


def rewrite(plan: LogicalPlan, context: RuleContext) -> LogicalPlan:
    plan = plan.map_children(lambda child: rewrite(child, context))
    match plan:
        case Values():
            return plan
        case Filter(predicate=predicate):
            simple = _with_subplans(simplify_predicate(predicate), context)
            return plan if simple is predicate else replace(plan, predicate=simple)
        case Join(condition=Expr() as predicate):
            simple = _with_subplans(simplify_predicate(predicate), context)
            plan = plan if simple is predicate else replace(plan, condition=simple)
            pairs = tuple((simplify(a), simplify(b)) for a, b in plan.in_keys)
            return plan if pairs == plan.in_keys else replace(plan, in_keys=pairs)
    after: LogicalPlan = plan.map_expressions(lambda e: _with_subplans(simplify(e), context))
    return after


def _with_subplans(e: Expr, context: RuleContext) -> Expr:
    """The same for the plans of subqueries within an expression."""
    if not has_subquery(e):
        return e
    if isinstance(e, SUBQUERIES):
        e = e.map_nodes_of(LogicalPlan, lambda plan: rewrite(plan, context))
    after: Expr = e.map_children(lambda child: _with_subplans(child, context))
    return after


SIMPLIFY_EXPRESSIONS = Rule("simplify_expressions", rewrite)
