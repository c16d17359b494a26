"""Bound: what a SQL text was bound to, and whether it would be bound to the same once more.

Binding is a pure function of the text, the parameters, and of what the names in the text stand
for. So while a text is bound, every question for a name or a file is written down with its answer
(`Recorder`). Before what came out is used again the same questions are asked again: variables are
looked up, files listed, and their sizes and times compared, as they are part of the plans that are
the answers. One other answer, and the text is bound anew.
"""

from __future__ import annotations

import datetime
from collections.abc import Hashable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from plait.plan_cache import Copies, PlanCache, keepable
from plait.planner.interpreter import deep_trees
from plait.planner.logical import LogicalPlan

if TYPE_CHECKING:
    from plait.frame import Frame, Runner

Values = Sequence[Any] | Mapping[str, Any]

_LONGEST = 100_000  # characters of a text that is kept
_CONSTANTS = (
    *(type(None), bool, int, float, Decimal, str, bytes),
    *(datetime.date, datetime.datetime, datetime.time, datetime.timedelta),
)


class Names(Protocol):
    """What names stand for at this moment."""

    def table(self, name: Sequence[str]) -> LogicalPlan | None:
        """A table, view or variable; None if there is no such."""

    def names(self) -> list[str]:
        """The names that are known, for messages."""

    def open_file(self, path: Any, options: Mapping[str, Any]) -> LogicalPlan:
        """A file, or several."""


class Bound:
    """The plan of a text, and the frame over it, which is made when first asked for."""

    def __init__(self, plan: LogicalPlan, asked: Recorder | None = None) -> None:
        self.plan = plan
        self._tables = [] if asked is None else asked.tables
        self._files = [] if asked is None else asked.files
        self._frame: Frame | None = None

    def frame(self, runner: Runner) -> Frame:
        """The plan's rows as a frame."""
        if self._frame is None:
            from plait import sources  # the command line does without frames

            self._frame = sources.of_plan(self.plan, runner)
        return self._frame

    @deep_trees
    def holds(self, names: Names) -> bool:
        """Whether all names still stand for the same."""
        return all(names.table(name) == plan for name, plan in self._tables) and all(
            names.open_file(path, options) == plan for path, options, plan in self._files
        )


Texts = PlanCache[Hashable, Bound]


class Recorder:
    """Answers a binder, with copies of tables in memory, and remembers what it said."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._copies = Copies()
        self.tables: list[tuple[tuple[str, ...], LogicalPlan | None]] = []
        self.files: list[tuple[Any, Mapping[str, Any], LogicalPlan]] = []

    @deep_trees
    def table(self, name: Sequence[str]) -> LogicalPlan | None:
        """As `Names`."""
        found = self._names.table(name)
        answer = None if found is None else self._copies.of(found)
        self.tables.append((tuple(name), answer))
        return answer

    def names(self) -> list[str]:
        """As `Names`; only messages ask for them, and nothing is kept of what failed."""
        return self._names.names()

    def open_file(self, path: Any, options: Mapping[str, Any]) -> LogicalPlan:
        """As `Names`."""
        found = self._names.open_file(path, options)
        self.files.append((path, dict(options), found))
        return found

    @deep_trees
    def keep(self, texts: Texts, key: Hashable, bound: Bound) -> None:
        """Keep what came out while the tables in memory live."""
        if keepable(bound.plan):
            texts.put(key, bound, self._copies.originals)


def text_key(query: str, dialect: str, params: Values | None) -> Hashable | None:
    """What a text is known by; None if it cannot be kept: too long, or with odd parameters."""
    if len(query) > _LONGEST:
        return None
    match params:
        case None:
            return query, dialect
        case Mapping():
            names, values = tuple(params), list(params.values())
        case list() | tuple():
            names, values = (), list(params)
        case _:
            return None
    if not all(type(v) in _CONSTANTS for v in values) or not all(type(n) is str for n in names):
        return None
    # repr tells 1 from True, 0.0 from -0.0, and a NaN from nothing
    return query, dialect, names, tuple([(type(v), repr(v)) for v in values])
