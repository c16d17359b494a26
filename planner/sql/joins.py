"""JOIN: kinds, ON, USING and NATURAL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sqlglot import expressions as exp

from plait.planner.expr import Expr
from plait.planner.sql.binder import Binder
from plait.planner.sql.mistakes import Source
from plait.planner.sql.scope import Entry, Visible, beside

_HANDLED = ("this", "on", "side", "kind", "using", "method")


@dataclass(frozen=True)
class Parts:
    """A join before it is built: its kind and condition, what it shows, where it stands."""

    kind: str
    condition: Expr | None
    visible: Visible
    origin: str | None


def bind_join(
    source: Source,
    node: exp.Join,
    left: Visible,
    right: Visible,
    binder: Callable[[Visible], Binder],
) -> Parts:
    """How two tables are joined."""
    source.check_args(node, _HANDLED, "JOIN")
    kind = join_kind(source, node)
    both = beside(left, right)
    using = [u.name for u in node.args.get("using") or ()]
    if str(node.args.get("method") or "").upper() == "NATURAL":
        using = _common_names(source, node, left, right)
    on = node.args.get("on")
    if kind != "cross" and on is None and not using:
        raise source.error(f"{kind.upper()} JOIN needs ON or USING", node)
    if kind == "cross" and (on is not None or using):
        raise source.error("CROSS JOIN pairs all rows; it takes no condition", node)
    b = binder(both)
    if using:
        pairs = [_pair(source, node, name, left, right) for name in using]
        condition: Expr | None = _all_equal(b, pairs, node)
        visible = _merged(b, both, using, pairs, kind, node)
    else:
        condition = None if on is None else b.boolean(on, "ON")
        visible = both
    if kind in ("semi", "anti"):
        visible = left
    origin = source.origin(on, f"{kind} join on") if on is not None else None
    return Parts(kind, condition, visible, origin)


def join_kind(source: Source, node: exp.Join) -> str:
    """The kind of a join by plait's name."""
    method, side, kind = (
        str(node.args.get(key) or "").upper() for key in ("method", "side", "kind")
    )
    if method not in ("", "NATURAL"):
        source.refuse(f"{method} JOIN", node, word=method)
    words = " ".join(w for w in (side, kind) if w and w != "OUTER")
    known = {
        "": "inner",
        "INNER": "inner",
        "LEFT": "left",
        "RIGHT": "right",
        "FULL": "full",
        "CROSS": "cross",
        "SEMI": "semi",
        "LEFT SEMI": "semi",
        "ANTI": "anti",
        "LEFT ANTI": "anti",
    }
    if words not in known:
        source.refuse(f"{words} JOIN", node, word=words.split()[0])
    return known[words]


def _common_names(source: Source, node: exp.Join, left: Visible, right: Visible) -> list[str]:
    names = [e.name for e in left.entries if e.bare and right.bare(e.name)]
    if not names:
        raise source.error(
            "NATURAL JOIN finds no column that both sides have; use CROSS JOIN to pair all rows",
            node,
        )
    return list(dict.fromkeys(names))


def _pair(
    source: Source, node: exp.Join, name: str, left: Visible, right: Visible
) -> tuple[Entry, Entry]:
    place = next((u for u in node.args.get("using") or () if u.name == name), node)
    found = []
    for side, visible in (("left", left), ("right", right)):
        entries = visible.bare(name)
        if not entries:
            raise source.unknown_column(name, visible.names(), place)
        if len(entries) > 1:
            owners = ", ".join(o for e in entries for o in visible.owners(e))
            raise source.error(
                f"USING: column {name!r} is several times on the {side} side ({owners})", place
            )
        found.append(entries[0])
    return found[0], found[1]


def _all_equal(b: Binder, pairs: Sequence[tuple[Entry, Entry]], node: exp.Expr) -> Expr:
    tests = [b.call("equal", [left.expr, right.expr], node) for left, right in pairs]
    result = tests[0]
    for test in tests[1:]:
        result = b.call("and", [result, test], node)
    return result


def _merged(
    b: Binder,
    both: Visible,
    using: Sequence[str],
    pairs: Sequence[tuple[Entry, Entry]],
    kind: str,
    node: exp.Expr,
) -> Visible:
    """USING columns show once; each side's own stays for qualified names."""
    merged: dict[int, Entry] = {}
    gone = set()
    for left, right in pairs:
        expr = left.expr
        if kind == "right":
            expr = right.expr
        elif kind == "full":
            expr = b.call("coalesce", [left.expr, right.expr], node)
        merged[id(left)] = replace(left, expr=expr)
        gone.add(id(right))
    entries = tuple(merged.get(id(e), e) for e in both.entries if id(e) not in gone)
    return Visible(both.relations, entries)
