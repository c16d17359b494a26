"""The same work under other column names becomes the very same sub-plan, to be run once.

A common table expression used twice comes from the binder as two plans that differ in column names
only; the physical planner runs equal sub-plans once, so the second is replaced by the first, its
columns renamed:

    Join                              Join
      Aggregate by [k] ... AS a         Aggregate by [k] ... AS a
      Aggregate by [k#2] ... AS a#2     Project k AS k#2, a AS a#2
                                          Aggregate by [k] ... AS a

Only plans that aggregate or join are worth it: rows of a scan are read again as fast as they would
be kept. Where a filter leaves few of them they are kept as well, if several plans read the very
same (a subquery and what is around it, say). Runs late, when filters have been pushed: two copies
that were filtered differently are no longer the same work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from plait.planner.canonical import Meanings, canonical_parts
from plait.planner.estimate import Estimator
from plait.planner.expr import Column
from plait.planner.logical import Aggregate, Filter, Join, LogicalPlan, Project, Scan
from plait.planner.optimizer.fold_constants import is_volatile
from plait.planner.optimizer.rule import Rule, RuleContext

FEW_ROWS = 20_000.0  # read by a plan: done again as fast as shared
_SELECTIVE = 1 / 8  # of the rows of a table, what a filter leaves at most if that is to be kept,
_MOST_KEPT = 1_000_000.0  # and how many rows


def rewrite(plan: LogicalPlan, context: RuleContext) -> LogicalPlan:
    candidates = _candidates(plan, context.estimator)
    return _Sharing(candidates).share(plan) if candidates else plan


def _candidates(plan: LogicalPlan, estimator: Estimator) -> set[LogicalPlan]:
    """Plans that work on tables read elsewhere too and look like another one from afar."""
    nodes = list(plan.walk())
    scans = Counter((s.identity, s.name) for s in nodes if isinstance(s, Scan))
    if all(n == 1 for n in scans.values()):
        return set()
    repeated = {table for table, n in scans.items() if n > 1}
    by_shape: dict[Hashable, set[LogicalPlan]] = {}
    for node in nodes:
        if isinstance(node, Aggregate | Join):
            by_shape.setdefault(_shape(node), set()).add(node)
    # plans that are equal already need no help
    return {
        p
        for group in by_shape.values()
        if len(group) > 1
        for p in group
        if _safe(p, repeated) and _worth(p, estimator)
    }


def _shape(plan: LogicalPlan) -> Hashable:
    """What equal work has in common whatever its columns are called."""
    known: Hashable = plan.__dict__.get("_shape")
    if known is None:
        match plan:
            case Scan():
                known = (plan.identity, plan.name)
            case Project(input=below):
                known = _shape(below)
            case Filter(input=below):
                inner = _shape(below)
                filters = isinstance(inner, tuple) and inner[0] == "filter"
                known = inner if filters else ("filter", inner)
            case Join(kind=kind):
                known = (kind, _shape(plan.left), _shape(plan.right))
            case _:
                known = (type(plan).__name__, *map(_shape, plan.children()))
        object.__setattr__(plan, "_shape", known)
    return known


def _safe(plan: LogicalPlan, repeated: set[tuple[str, str]]) -> bool:
    """Whether all of a plan's tables are read elsewhere too, and it gives the same rows again."""
    nodes = list(plan.walk())
    tables = [(n.identity, n.name) for n in nodes if isinstance(n, Scan)]
    if not tables or not all(table in repeated for table in tables):
        return False
    return not any(is_volatile(e) for node in nodes for e in node.expressions())


def _worth(plan: LogicalPlan, estimator: Estimator) -> bool:
    """Whether the work is more than keeping its result for a second reader."""
    return sum(estimator.rows(n) for n in plan.walk() if isinstance(n, Scan)) >= FEW_ROWS


def shared_filters(plan: LogicalPlan, estimator: Estimator) -> set[LogicalPlan]:
    """The filters of tables that several plans read, and that leave few rows of many.

    Plans that are equal count once, however often they stand in the tree: they run once.
    """
    readers: Counter[LogicalPlan] = Counter()
    stack = [plan]
    while stack:
        node = stack.pop()
        readers[node] += 1
        if readers[node] == 1:
            stack.extend(node.children())
    return {
        node
        for node, count in readers.items()
        if count > 1 and isinstance(node, Filter) and _leaves_few(node, estimator)
    }


def _leaves_few(plan: Filter, estimator: Estimator) -> bool:
    if not isinstance(plan.input, Scan) or is_volatile(plan.predicate):
        return False
    most, kept = estimator.rows(replace(plan.input, predicate=None)), estimator.rows(plan)
    return most >= FEW_ROWS and kept <= min(_SELECTIVE * most, _MOST_KEPT)


@dataclass
class _Sharing:
    candidates: set[LogicalPlan]
    known: dict[str, tuple[LogicalPlan, Meanings]] = field(default_factory=dict)

    def share(self, plan: LogicalPlan) -> LogicalPlan:
        """The plan with what is known already replaced, the largest parts first."""
        if plan not in self.candidates:
            shared: LogicalPlan = plan.map_children(self.share)
            return shared
        text, meanings = canonical_parts(plan)
        known = self.known.get(text)
        if known is not None:
            return _renamed(plan, meanings, *known) or plan
        below: LogicalPlan = plan.map_children(self.share)
        self.known[text] = (below, meanings)
        return below


def _renamed(
    plan: LogicalPlan, meanings: Meanings, first: LogicalPlan, known: Meanings
) -> LogicalPlan | None:
    """The columns of `plan` taken from the first plan that does the same."""
    if plan == first:
        return first
    by_meaning = {meaning: name for name, meaning in known.items() if name in first.schema}
    columns = []
    for f in plan.schema:
        name = by_meaning.get(meanings[f.name])
        if name is None:
            return None
        columns.append((f.name, Column(name, f.type)))
    return Project(first, tuple(columns))


SHARE_SUBPLANS = Rule("share_subplans", rewrite)
