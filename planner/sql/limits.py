"""LIMIT, OFFSET and FETCH FIRST."""

from __future__ import annotations

from sqlglot import expressions as exp

from plait.planner import builder
from plait.planner.logical import LogicalPlan
from plait.planner.sql.binder import Context
from plait.planner.sql.constants import count


def apply_limit(context: Context, node: exp.Expr, plan: LogicalPlan) -> LogicalPlan:
    """The rows of a plan that LIMIT and OFFSET of a query leave."""
    limit, offset = node.args.get("limit"), node.args.get("offset")
    rows: int | None = None
    if limit is not None:
        rows = _rows(context, limit)
        inner = limit.args.get("offset")
        if inner is not None:  # LIMIT 2, 5
            offset = inner
    skipped = 0
    if offset is not None:
        expression = offset
        if isinstance(offset, exp.Offset):
            context.source.check_args(offset, ("expression",), "OFFSET")
            expression = offset.expression
        skipped = count(context, expression, "OFFSET") or 0
    origin = context.source.origin(limit or offset, "limit" if limit is not None else "offset")
    return builder.limit(plan, rows, skipped, origin=origin)


def _rows(context: Context, node: exp.Expr) -> int | None:
    source = context.source
    options = node.args.get("limit_options")
    if options is not None:
        if options.args.get("percent"):
            source.refuse("LIMIT in percent", node)
        if options.args.get("with_ties"):
            source.refuse("FETCH ... WITH TIES", node, word="with ties")
    if isinstance(node, exp.Fetch):
        source.check_args(node, ("direction", "count", "limit_options"), "FETCH")
        amount = node.args.get("count")
        return 1 if amount is None else count(context, amount, "FETCH FIRST")
    source.check_args(node, ("expression", "offset", "limit_options"), "LIMIT")
    return count(context, node.expression, "LIMIT")
