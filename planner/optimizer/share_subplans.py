"""The same work under other column names becomes the very same sub-plan, to be run once.

A common table expression used twice comes from the binder as two plans that differ in column names
only; the physical planner runs equal sub-plans once, so the second is replaced by the first, its
columns renamed:

    Join                              Join
      Aggregate by [k] ... AS a         Aggregate by [k] ... AS a
      Aggregate by [k#2] ... AS a#2     Project k AS k#2, a AS a#2
                                          Aggregate by [k] ... AS a

Only plans that aggregate or join are worth it: rows of a scan are read again as fast as they would
be kept. Runs late, when filters have been pushed: two copies that were filtered differently are no
longer the same work.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from plait.planner.canonical import Meanings, canonical_parts
from plait.planner.expr import Column
from plait.planner.logical import Aggregate, Join, LogicalPlan, Project, Scan
from plait.planner.optimizer.fold_constants import is_volatile
from plait.planner.optimizer.rule import Rule, RuleContext


def rewrite(plan: LogicalPlan, context: RuleContext) -> LogicalPlan:
    scans = Counter((s.identity, s.name) for s in plan.walk() if isinstance(s, Scan))
    repeated = {table for table, n in scans.items() if n > 1}
    if not repeated:
        return plan
    return _Sharing(repeated).share(plan)


@dataclass
class _Sharing:
    repeated: set[tuple[str, str]]
    known: dict[str, tuple[LogicalPlan, Meanings]] = field(default_factory=dict)

    def share(self, plan: LogicalPlan) -> LogicalPlan:
        """The plan with what is known already replaced, the largest parts first."""
        if not self._worth(plan):
            shared: LogicalPlan = plan.map_children(self.share)
            return shared
        text, meanings = canonical_parts(plan)
        known = self.known.get(text)
        if known is not None:
            return _renamed(plan, meanings, *known) or plan
        below: LogicalPlan = plan.map_children(self.share)
        self.known[text] = (below, meanings)
        return below

    def _worth(self, plan: LogicalPlan) -> bool:
        """Whether all of a plan's tables are read elsewhere too, and work is done on them."""
        if not isinstance(plan, Aggregate | Join):
            return False
        nodes = list(plan.walk())
        if any(is_volatile(e) for node in nodes for e in node.expressions()):
            return False
        tables = [(n.identity, n.name) for n in nodes if isinstance(n, Scan)]
        return bool(tables) and all(table in self.repeated for table in tables)


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
