"""Plans as text, with what is estimated of each node."""

from __future__ import annotations

from plait.planner.estimate import Estimator
from plait.planner.interpreter import deep_trees
from plait.planner.logical import LogicalPlan


@deep_trees
def explain(plan: LogicalPlan, estimator: Estimator | None = None) -> str:
    """The plan as an indented tree; with an estimator, the estimated rows and the origin."""
    lines: list[tuple[str, str]] = []
    stack: list[tuple[LogicalPlan, int]] = [(plan, 0)]
    while stack:
        node, depth = stack.pop()
        note = "" if estimator is None else _note(node, estimator)
        lines.append(("  " * depth + node.label(), note))
        stack.extend((child, depth + 1) for child in reversed(node.children()))
    width = min(100, max(len(text) for text, _ in lines))
    return "\n".join(f"{text:<{width}}  {note}".rstrip() for text, note in lines)


def _note(node: LogicalPlan, estimator: Estimator) -> str:
    known = estimator.statistics(node)
    rows = "" if known.rows is None else f"{'' if known.exact else '~'}{known.rows:,.0f} rows"
    origin = getattr(node, "origin", None)
    return "  ".join(part for part in (rows, f"[{origin}]" if origin else "") if part)
